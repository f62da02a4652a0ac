//! What the configuration says of notifications: who is told of what, by mail or by a webhook.
//!
//! The hazards: a credential that travels in the clear, and an address of a webhook, which is a credential itself and therefore stands elsewhere like every secret.

use std::path::PathBuf;

use deserr::{Deserr, ValuePointerRef};
use lettre::message::Mailbox;
use serde::Serialize;

use super::location::Step;
use super::problem::Problems;
use super::secret::SecretRef;
use super::validate::{Findings, judged, name};
use crate::schedule::{Cron, Schedule};
use crate::zone::Zone;

/// In which language people are told: mails and reports. Commands, logs and the audit log are English.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// People, or a whole plan, wait for a decision; reminders too.
    Held,
    /// Nobody has decided by the last of `remind_hours`.
    Escalated,
    /// So many runs in a row have failed.
    Failed,
    /// What somebody was told of is in order again.
    Recovered,
    /// JobTicket differs from what it acknowledged.
    Drift,
    /// A source has been frozen for longer than `frozen_warn_hours`.
    #[deserr(rename = "stale_source")]
    StaleSource,
    /// A credential or a certificate is refused.
    Credential,
    /// How everything stands, at the times of `digest`.
    Digest,
}

impl NotifyEvent {
    /// Its word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Escalated => "escalated",
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Drift => "drift",
            Self::StaleSource => "stale_source",
            Self::Credential => "credential",
            Self::Digest => "digest",
        }
    }
}

/// Who is told of what.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = bounds -> Problems)]
pub struct NotifyConfig {
    /// The language of the messages; that of the whole file where absent.
    #[deserr(default)]
    pub language: Option<Language>,
    /// From so many failed runs in a row on, somebody is told.
    #[deserr(default = 3)]
    pub failed_times: u32,
    /// A hold that nobody answers is told of again after so many hours.
    #[deserr(default = vec![24, 72])]
    pub remind_hours: Vec<u32>,
    /// When the digest is sent: a cron line, of the time zone of the file.
    #[deserr(default, try_from(&String) = cron -> String)]
    #[serde(serialize_with = "super::as_text")]
    pub digest: DigestTime,
    /// Each channel sends at most so many messages an hour; further ones come later.
    #[deserr(default = 20)]
    pub at_most_per_hour: u32,
    /// Where to.
    pub channels: Vec<Channel>,
}

/// When the digest is sent.
#[derive(Debug, Clone)]
pub struct DigestTime(Cron);

impl Default for DigestTime {
    fn default() -> Self {
        Self(Cron::parse("0 8 * * Mon").expect("a cron line of Monday mornings"))
    }
}

impl std::fmt::Display for DigestTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl DigestTime {
    /// As a schedule, in this zone.
    pub fn schedule(&self, timezone: Zone) -> Schedule {
        Schedule {
            crons: vec![self.0.clone()],
            timezone,
            jitter_seconds: 0,
            catch_up: true,
            retry_minutes: 15,
            give_up_hours: 0,
            holidays: std::collections::BTreeSet::new(),
        }
    }
}

fn cron(text: &str) -> Result<DigestTime, String> {
    Cron::parse(text)
        .map(DigestTime)
        .map_err(|error| error.to_string())
}

/// How a channel reaches people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum ChannelType {
    /// Mail.
    Smtp,
    /// A POST with JSON.
    Webhook,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte on, port 465 (RFC 8314).
    #[default]
    Implicit,
    /// TLS by the command STARTTLS, port 587; without it nothing is sent.
    Starttls,
    /// None.
    None,
}

/// One way to tell people.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = channel -> Problems)]
pub struct Channel {
    /// Its name here, in logs and in `status`.
    pub name: String,
    /// How.
    #[deserr(rename = "type")]
    #[serde(rename = "type")]
    pub kind: ChannelType,
    /// Of what it tells; of everything where absent.
    #[deserr(default)]
    pub events: Option<Vec<NotifyEvent>>,
    /// Everything together may take so long, seconds.
    #[deserr(default = 30)]
    pub timeout_seconds: u64,
    /// A certificate authority to trust besides the system's.
    #[deserr(default)]
    pub ca_file: Option<PathBuf>,
    /// Mail: the server.
    #[deserr(default)]
    pub host: Option<String>,
    /// Mail: its port, where it is not the usual one.
    #[deserr(default)]
    pub port: Option<u16>,
    /// Mail: how the connection is protected.
    #[deserr(default)]
    pub tls: Option<MailTls>,
    /// Mail: whether `tls: none` may reach beyond this machine.
    #[deserr(default)]
    pub allow_cleartext: bool,
    /// Mail: who logs in, if somebody does.
    #[deserr(default)]
    pub user: Option<SecretRef>,
    /// Mail: with what.
    #[deserr(default)]
    pub password: Option<SecretRef>,
    /// Mail: the sender.
    #[deserr(default)]
    pub from: Option<String>,
    /// Mail: the receivers.
    #[deserr(default)]
    pub to: Vec<String>,
    /// Mail: who else hears of a hold that nobody has decided by the last of `remind_hours`.
    #[deserr(default)]
    pub escalate_to: Vec<String>,
    /// Webhook: its address.
    #[deserr(default)]
    pub url: Option<SecretRef>,
    /// Webhook: what is sent.
    #[deserr(default)]
    pub body: Option<String>,
}

/// A mail server and the people behind it.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'c> {
    /// The server.
    pub host: &'c str,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who logs in, and with what.
    pub login: Option<(&'c SecretRef, &'c SecretRef)>,
    /// The sender.
    pub from: &'c str,
    /// The receivers.
    pub to: &'c [String],
    /// Who else hears of a hold that nobody answers.
    pub escalate_to: &'c [String],
}

/// What a webhook gets where no `body` is configured: the form that Slack reads.
pub const DEFAULT_BODY: &str = r#"{"text": "{subject}\n{text}"}"#;

/// What may stand in braces in a body.
const PLACEHOLDERS: [&str; 9] = [
    "subject",
    "text",
    "event",
    "integration",
    "environment",
    "hold",
    "head",
    "time",
    "id",
];

impl Channel {
    /// Whether it tells of this.
    pub fn tells_of(&self, event: NotifyEvent) -> bool {
        match &self.events {
            Some(events) => events.contains(&event),
            // Whoever hears of everything hears of an escalation as a reminder.
            None => event != NotifyEvent::Escalated,
        }
    }

    /// The mail server, if it is one.
    pub fn mail(&self) -> Option<Mail<'_>> {
        let (host, from) = (self.host.as_deref()?, self.from.as_deref()?);
        let tls = self.tls.unwrap_or_default();
        let usual = match tls {
            MailTls::Implicit => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        };
        Some(Mail {
            host,
            port: self.port.unwrap_or(usual),
            tls,
            login: self.user.as_ref().zip(self.password.as_ref()),
            from,
            to: &self.to,
            escalate_to: &self.escalate_to,
        })
    }

    /// Where its secrets are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        [&self.user, &self.password, &self.url]
            .into_iter()
            .flatten()
    }

    pub(super) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretRef> {
        [&mut self.user, &mut self.password, &mut self.url]
            .into_iter()
            .flatten()
    }
}

/// Fills a body; what stands in for a placeholder is the inside of a JSON string, so that no text ends the one around it.
pub fn fill_body(body: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(body.len());
    for piece in pieces(body) {
        match piece {
            Ok(plain) => filled.push_str(plain),
            Err(name) => {
                let text = serde_json::Value::String(value(name)).to_string();
                filled.push_str(&text[1..text.len() - 1]);
            }
        }
    }
    filled
}

/// The parts of a body: plain ones, and the words in braces as errors.
fn pieces(body: &str) -> Vec<Result<&str, &str>> {
    let mut found = Vec::new();
    let (mut from, mut look) = (0, 0);
    while let Some(open) = body[look..].find('{').map(|at| look + at) {
        let inner = &body[open + 1..];
        let length = inner
            .find(|c: char| !c.is_ascii_lowercase() && c != '_')
            .unwrap_or(inner.len());
        if length > 0 && inner[length..].starts_with('}') {
            found.push(Ok(&body[from..open]));
            found.push(Err(&inner[..length]));
            from = open + length + 2;
            look = from;
        } else {
            look = open + 1;
        }
    }
    found.push(Ok(&body[from..]));
    found
}

fn bounds(notify: NotifyConfig, at: ValuePointerRef<'_>) -> Result<NotifyConfig, Problems> {
    judged(notify, at, |notify, findings| {
        if !(1..=100).contains(&notify.failed_times) {
            findings.say("failed_times", "Write 1 to 100 runs");
        }
        let hours = &notify.remind_hours;
        let rising = hours.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || hours.len() > 10 || hours.iter().any(|hours| !(1..=720).contains(hours)) {
            findings.say(
                "remind_hours",
                "Write up to ten numbers of hours, each larger than the one before, from 1 to 720, such as [24, 72]; [] for no reminder",
            );
        }
        let escalates = notify.channels.iter().any(|channel| {
            !channel.escalate_to.is_empty()
                || channel
                    .events
                    .as_ref()
                    .is_some_and(|events| events.contains(&NotifyEvent::Escalated))
        });
        if hours.is_empty() && escalates {
            findings.say(
                "remind_hours",
                "The last reminder is the one that escalates; write such as [24, 72], or leave escalate_to and escalated out",
            );
        }
        if !(1..=1000).contains(&notify.at_most_per_hour) {
            findings.say("at_most_per_hour", "Write 1 to 1000 messages");
        }
        if notify.channels.is_empty() {
            findings.say(
                "channels",
                "There is no channel; describe at least one, or leave notify out",
            );
        }
        let top = findings.at.clone();
        for (index, channel) in notify.channels.iter().enumerate() {
            let mut others = notify.channels[..index].iter();
            if others.any(|other| other.name == channel.name) {
                findings.at.push(Step::Key("channels".to_owned()));
                findings.at.push(Step::Index(index));
                findings.say("name", "This name stands twice; each needs its own");
                findings.at.clone_from(&top);
            }
        }
    })
}

fn channel(channel: Channel, at: ValuePointerRef<'_>) -> Result<Channel, Problems> {
    judged(channel, at, |channel, findings| {
        name(findings, &channel.name);
        if !(1..=300).contains(&channel.timeout_seconds) {
            findings.say("timeout_seconds", "Write 1 to 300 seconds");
        }
        if channel.events.as_ref().is_some_and(Vec::is_empty) {
            findings.say(
                "events",
                "The list is empty; write what this channel tells of, or leave it out for everything",
            );
        }
        match channel.kind {
            ChannelType::Smtp => mail(channel, findings),
            ChannelType::Webhook => webhook(channel, findings),
        }
    })
}

fn mail(channel: &Channel, findings: &mut Findings) {
    for (key, is) in [
        ("url", channel.url.is_some()),
        ("body", channel.body.is_some()),
    ] {
        if is {
            findings.say(
                key,
                "This is for type: webhook; a mail has host, from and to",
            );
        }
    }
    let host = channel.host.as_deref().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if host.is_empty() || !host.chars().all(plain) {
        findings.say(
            "host",
            "Write the mail server's name or address, such as mail.example.com",
        );
    }
    if channel.port == Some(0) {
        findings.say("port", "Write the server's port, such as 465");
    }
    let clear = channel.tls == Some(MailTls::None) && !is_this_machine(host);
    if clear && !channel.allow_cleartext {
        findings.say(
            "tls",
            "Mails would be readable by anyone on the way; write implicit or starttls, or add allow_cleartext: true",
        );
    }
    if clear && (channel.user.is_some() || channel.password.is_some()) {
        findings.say(
            "user",
            "A login without TLS would show its password to anyone on the way; write tls: implicit or starttls",
        );
    }
    if channel.user.is_some() != channel.password.is_some() {
        findings.say(
            "password",
            "user and password go together; write both or none",
        );
    }
    let wrong = |text: &str| {
        text.chars().any(char::is_control) || text.len() > 320 || text.parse::<Mailbox>().is_err()
    };
    if channel.from.as_deref().is_none_or(wrong) {
        findings.say("from", HOW);
    }
    if channel.to.is_empty() || channel.to.iter().any(|to| wrong(to)) {
        findings.say("to", format!("{HOW}, in a list"));
    }
    if channel.escalate_to.iter().any(|to| wrong(to)) {
        findings.say("escalate_to", format!("{HOW}, in a list"));
    }
}

const HOW: &str =
    "Write an address such as hr@example.com, or a name with it, such as \"HR <hr@example.com>\"";

fn webhook(channel: &Channel, findings: &mut Findings) {
    for (key, is) in [
        ("host", channel.host.is_some()),
        ("port", channel.port.is_some()),
        ("tls", channel.tls.is_some()),
        ("allow_cleartext", channel.allow_cleartext),
        ("user", channel.user.is_some()),
        ("password", channel.password.is_some()),
        ("from", channel.from.is_some()),
        ("to", !channel.to.is_empty()),
        ("escalate_to", !channel.escalate_to.is_empty()),
    ] {
        if is {
            findings.say(key, "This is for type: smtp; a webhook has url and body");
        }
    }
    if channel.url.is_none() {
        findings.say(
            "url",
            "Whoever has the address of a webhook may post there, so it stands elsewhere; write {file: /path}, {env: NAME} or {credential: name}",
        );
    }
    let Some(body) = &channel.body else { return };
    for name in pieces(body).into_iter().filter_map(Result::err) {
        if !PLACEHOLDERS.contains(&name) {
            let all = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
            findings.say("body", format!("There is no {{{name}}}; there are {all}"));
        }
    }
    // Quotes are what a place without quotes around it would break on.
    let filled = fill_body(body, |_| "a \"text\"\nof two lines".to_owned());
    if serde_json::from_str::<serde_json::Value>(&filled).is_err() {
        findings.say(
            "body",
            "This is no JSON once its places are filled; each {place} stands inside of quotes, such as {\"text\": \"{subject}\"}",
        );
    }
}

/// Whether a host is this machine itself.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_body_cannot_end_the_text_around_it() {
        let body = r#"{"a": "{subject}", "b": {"c": "x{text}y"}, "d": "{"}"#;
        let filled = fill_body(body, |name| format!("{name}\"}},\n\\"));
        let read: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(read["a"], "subject\"},\n\\");
        assert_eq!(read["b"]["c"], "xtext\"},\n\\y");
        assert_eq!(read["d"], "{");
    }

    #[test]
    fn the_default_body_is_json() {
        let filled = fill_body(DEFAULT_BODY, |_| "\"\n".to_owned());
        let read: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(read["text"], "\"\n\n\"\n");
    }
}
