//! A message as a mail, over SMTP with TLS.
//!
//! One receiver whom the server does not want must not keep the others from hearing of it, so they are tried one by one then. Addresses and subjects go through the types of
//! `lettre`, which encode what would end a header.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Failure, Text, Why, plain};
use crate::config::{Channel, Mail, MailTls, NotifyEvent, Secret};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// `Auto-Submitted` (RFC 3834): no out-of-office notice answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Sends a message; what the server answered.
pub(super) async fn send(
    channel: &Channel,
    mail: Mail<'_>,
    text: &Text,
    (message, only): (&str, Option<&[String]>),
    now: DateTime<Utc>,
    within: Duration,
) -> Result<String, Failure> {
    let setup = |why: String| Failure::new(Why::NotAdmitted, why);
    let login = match mail.login {
        None => None,
        Some((user, password)) => {
            let read = user
                .read()
                .and_then(|user| Ok((user, password.read()?)))
                .map_err(|error| setup(error.to_string()))?;
            Some(read)
        }
    };
    let secrets: Vec<&str> = login
        .iter()
        .flat_map(|(user, password)| [password.expose(), user.expose()])
        .collect();
    let transport = transport(channel, mail, login.as_ref(), within).map_err(setup)?;
    let (from, to) = addresses(channel, mail, text).map_err(setup)?;
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(&text.subject)
        .date(now.into())
        .message_id(Some(format!("<{message}@{}>", from.email.domain())))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for to in &to {
        builder = builder.to(to.clone());
    }
    let formatted = builder
        .body(text.body.clone())
        .map_err(|error| setup(format!("The mail cannot be put together ({error})")))?
        .formatted();
    let to: Vec<Address> = to.into_iter().map(|to| to.email).collect();
    // Who is not configured any more need not get it.
    let is_left =
        |to: &&Address| only.is_none_or(|only| only.iter().any(|one| *one == to.to_string()));
    let to: Vec<Address> = to.iter().filter(is_left).cloned().collect();
    if to.is_empty() {
        return Ok("nobody is left to get it".to_owned());
    }
    // Outlives the time limit, so that nobody who has it gets it again.
    let mut got = Got::default();
    let deliver = async {
        let all = deliver(&transport, &from.email, &to, &formatted).await;
        match all {
            Err(error) if to.len() > 1 && is_of_one(&error) => {
                one_by_one(&transport, (&from.email, &to), &formatted, &mut got).await;
                Ok(None)
            }
            Ok(answer) => Ok(Some(answer)),
            Err(error) => Err(failure(&error, &secrets)),
        }
    };
    match tokio::time::timeout(within, deliver).await {
        Ok(Ok(None)) => got.result(&to, None, &secrets),
        Ok(Ok(Some(answer))) => Ok(plain(&answer, &secrets)),
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let late = format!("no answer within {} seconds", within.as_secs());
            got.result(&to, Some(late), &secrets)
        }
    }
}

async fn deliver(
    transport: &Transport,
    from: &Address,
    to: &[Address],
    mail: &[u8],
) -> Result<String, Error> {
    let envelope = Envelope::new(Some(from.clone()), to.to_vec())
        .expect("a channel without receivers is an error of the configuration");
    let response = transport.send_raw(&envelope, mail).await?;
    let lines: Vec<&str> = response.message().collect();
    Ok(format!("{} {}", response.code(), lines.join(" ")))
}

/// Whether an error may be about one of several receivers, so that the others may get it: refused, or put off as greylisting does, but not a login or a server that closes.
fn is_of_one(error: &Error) -> bool {
    let code = error.status().map(u16::from);
    code.is_some_and(|code| code != 421) && why(error) != Why::NotAdmitted
}

/// What became of a mail that was sent to each receiver alone.
#[derive(Default)]
struct Got {
    accepted: Vec<Address>,
    answer: String,
    /// Who will never get it, and what the server said.
    refused: Vec<(Address, String)>,
    /// Why the others have to wait, in words.
    put_off: Vec<String>,
}

/// The server does not want one of them, or not now; the others get it nevertheless.
async fn one_by_one(
    transport: &Transport,
    (from, to): (&Address, &[Address]),
    mail: &[u8],
    got: &mut Got,
) {
    for one in to {
        match deliver(transport, from, std::slice::from_ref(one), mail).await {
            Ok(answer) => {
                got.accepted.push(one.clone());
                got.answer = answer;
            }
            Err(error) if why(&error) == Why::Refused => {
                got.refused
                    .push((one.clone(), format!("{one}: {}", said(&error))));
            }
            Err(error) => {
                got.put_off.push(format!("{one}: {}", said(&error)));
                if !is_of_one(&error) {
                    // Nor would the next ones get it now.
                    return;
                }
            }
        }
    }
}

impl Got {
    /// What came of it. Whoever has it is not tried again, nor is who was refused while another has it or may get it.
    fn result(
        self,
        to: &[Address],
        late: Option<String>,
        secrets: &[&str],
    ) -> Result<String, Failure> {
        let is_settled = |one: &&Address| {
            self.accepted.contains(one) || self.refused.iter().any(|(refused, _)| refused == *one)
        };
        let left: Vec<String> = to
            .iter()
            .filter(|one| !is_settled(one))
            .map(ToString::to_string)
            .collect();
        let refused: Vec<&str> = self.refused.iter().map(|(_, why)| why.as_str()).collect();
        let refused = plain(&refused.join("; "), secrets);
        if self.accepted.is_empty() && left.is_empty() {
            return Err(Failure::new(Why::Refused, refused));
        }
        if !refused.is_empty() {
            tracing::warn!(
                "A mail did not reach everybody, for the server refused a receiver ({refused}); correct `to` or `escalate_to`"
            );
        }
        if left.is_empty() {
            let mut answer = plain(&self.answer, secrets);
            if !refused.is_empty() {
                answer = format!("{answer} (but not for {refused})");
            }
            return Ok(answer);
        }
        let mut why = self.put_off;
        why.extend(late);
        // Where nobody was reached, it is the server that is not there.
        let kind = if self.accepted.is_empty() && self.refused.is_empty() {
            Why::Unavailable
        } else {
            Why::Refused
        };
        let mut failure = Failure::new(kind, plain(&why.join("; "), secrets));
        failure.receivers = Some(left);
        Err(failure)
    }
}

fn addresses(
    channel: &Channel,
    mail: Mail<'_>,
    text: &Text,
) -> Result<(Mailbox, Vec<Mailbox>), String> {
    let read = |text: &String| {
        text.parse::<Mailbox>()
            .map_err(|error| format!("`{text}` is no address ({error})"))
    };
    let from = read(&mail.from.to_owned())?;
    let is_for_all = !text.escalated
        || channel.tells_of(NotifyEvent::Held)
        || channel.tells_of(NotifyEvent::Escalated);
    let mut all: Vec<&String> = Vec::new();
    if is_for_all {
        all.extend(mail.to);
    }
    if text.escalated {
        all.extend(mail.escalate_to);
    }
    let to = all.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok((from, to))
}

fn transport(
    channel: &Channel,
    mail: Mail<'_>,
    login: Option<&(Secret, Secret)>,
    within: Duration,
) -> Result<Transport, String> {
    let tls = || -> Result<TlsParameters, String> {
        let mut tls = TlsParameters::builder(mail.host.to_owned());
        if let Some(path) = &channel.ca_file {
            let pem = std::fs::read(path).map_err(|error| {
                format!("The ca_file {} cannot be read ({error})", path.display())
            })?;
            let none =
                "The ca_file holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)";
            if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                return Err(none.to_owned());
            }
            let certificate = Certificate::from_pem(&pem).map_err(|_| none.to_owned())?;
            tls = tls.add_root_certificate(certificate);
        }
        tls.build_rustls()
            .map_err(|error| format!("TLS cannot be prepared ({error})"))
    };
    let mut transport = Transport::builder_dangerous(mail.host)
        .port(mail.port)
        .timeout(Some(within))
        .tls(match mail.tls {
            MailTls::Implicit => Tls::Wrapper(tls()?),
            MailTls::Starttls => Tls::Required(tls()?),
            MailTls::None => Tls::None,
        });
    if let Some((user, password)) = login {
        let credentials = Credentials::new(user.expose().to_owned(), password.expose().to_owned());
        transport = transport.credentials(credentials);
    }
    Ok(transport.build())
}

fn why(error: &Error) -> Why {
    let code = error.status().map(u16::from);
    match code {
        // Of the login: refused, too weak, required (RFC 4954, section 6).
        Some(530 | 534 | 535 | 538) => Why::NotAdmitted,
        Some(500..) => Why::Refused,
        // Somebody else may be answering there.
        None if error.is_tls() => Why::NotAdmitted,
        _ => Why::Unavailable,
    }
}

fn said(error: &Error) -> String {
    if error.is_timeout() {
        return "no answer within the time limit".to_owned();
    }
    error.to_string()
}

fn failure(error: &Error, secrets: &[&str]) -> Failure {
    Failure::new(why(error), plain(&said(error), secrets))
}
