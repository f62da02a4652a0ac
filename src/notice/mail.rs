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
    message: &str,
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
    let deliver = async {
        let all = deliver(&transport, &from.email, &to, &formatted).await;
        match all {
            Err(error) if error.is_permanent() && to.len() > 1 && why(&error) == Why::Refused => {
                one_by_one(&transport, &from.email, &to, &formatted, error, &secrets).await
            }
            all => all.map_err(|error| failure(&error, &secrets)),
        }
    };
    match tokio::time::timeout(within, deliver).await {
        Ok(result) => result.map(|answer| plain(&answer, &secrets)),
        Err(_) => Err(Failure::new(
            Why::Unavailable,
            format!("no answer within {} seconds", within.as_secs()),
        )),
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

/// The server does not want one of them; the others get it nevertheless.
async fn one_by_one(
    transport: &Transport,
    from: &Address,
    to: &[Address],
    mail: &[u8],
    first: Error,
    secrets: &[&str],
) -> Result<String, Failure> {
    let mut accepted = None;
    let mut refused = Vec::new();
    let mut last = first;
    for one in to {
        match deliver(transport, from, std::slice::from_ref(one), mail).await {
            Ok(answer) => accepted = Some(answer),
            Err(error) => {
                refused.push(format!("{one}: {}", said(&error)));
                last = error;
            }
        }
    }
    let Some(answer) = accepted else {
        return Err(failure(&last, secrets));
    };
    let refused = plain(&refused.join("; "), secrets);
    tracing::warn!(
        "A mail did not reach everybody, for the server refused a receiver ({refused}); correct `to` or `escalate_to`"
    );
    Ok(format!("{answer} (but not for {refused})"))
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
