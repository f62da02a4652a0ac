//! Notifications: who has to hear of a hold, a failure or a drift hears of it by mail or from a webhook.
//!
//! What is told follows from how everything stands, never from a moment: [`look`] compares the status with what was told already and puts what is new into the store's
//! outbox, in one transaction. So a crash loses nothing, a restart repeats nothing, and it does not matter which process looks. [`Sender`] brings the outbox to its receivers, with
//! waits that grow; no run waits for it or fails by it. The hazards: personal values and credentials in messages that leave the house (there are hrIds and numbers only), and a text
//! from outside that ends a header or a JSON string.

mod digest;
mod look;
mod mail;
mod people;
mod send;
mod trouble;
mod webhook;
mod words;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::config::Language;
use crate::plan::Leaving;
use crate::zone::Zone;
pub use look::look;
pub use send::{Sender, Tested, test};

/// Why somebody leaves, as a message or a report says it.
pub(crate) fn leaving(language: Language, zone: Zone, why: &Leaving) -> String {
    people::leaving(words::Words { language, zone }, why)
}

/// The kind of a hold, as a message or a report says it.
pub(crate) fn kind(language: Language, zone: Zone, kind: &str) -> String {
    people::kind(words::Words { language, zone }, kind)
}

/// Something to tell, as it stands in the outbox. What changes until it is sent, such as who still waits, is looked up then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Telling {
    /// A hold waits; after so many hours still.
    Held {
        hold: u64,
        hours: Option<u32>,
        /// Whether this is the last time.
        escalated: bool,
    },
    /// So many runs in a row have failed.
    Failed {
        times: u32,
        since: Option<DateTime<Utc>>,
        result: String,
        message: Option<String>,
    },
    /// JobTicket differs.
    Drift {
        sync_id: Option<String>,
        since: Option<DateTime<Utc>>,
        /// Who differed when somebody looked.
        #[serde(default)]
        people: usize,
        lost: usize,
    },
    /// A source is frozen for too long.
    StaleSource {
        source: String,
        why: String,
        since: DateTime<Utc>,
    },
    /// A credential or certificate is refused, by JobTicket where no source is named.
    Credential {
        source: Option<String>,
        certificate: bool,
        outcome: String,
        since: Option<DateTime<Utc>>,
    },
    /// Lines were missing from the end of the audit log.
    LinesMissing {
        at: DateTime<Utc>,
        expected: u64,
        found: u64,
    },
    /// What was told under this subject is over.
    Recovered {
        subject: String,
        since: DateTime<Utc>,
    },
    /// How everything stands, and what happened since.
    Digest { since: DateTime<Utc> },
    /// Somebody tries a channel.
    Test,
}

impl Telling {
    /// Its word for a webhook.
    fn name(&self) -> &'static str {
        match self {
            Self::Held { hours: None, .. } => "held",
            Self::Held {
                escalated: true, ..
            } => "escalated",
            Self::Held { .. } => "reminder",
            Self::Failed { .. } => "failed",
            Self::Drift { .. } => "drift",
            Self::StaleSource { .. } => "stale_source",
            Self::Credential { .. } => "credential",
            Self::LinesMissing { .. } => "lines_missing",
            Self::Recovered { .. } => "recovered",
            Self::Digest { .. } => "digest",
            Self::Test => "test",
        }
    }
}

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    subject: String,
    body: String,
    event: &'static str,
    integration: String,
    environment: String,
    hold: Option<u64>,
    /// The end of the audit log's chain.
    head: String,
    /// Whether those hear of it, too, whom `escalate_to` names.
    escalated: bool,
}

/// Why a message did not reach its receiver. The words hold no secret and no line break.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    kind: Why,
    message: String,
    /// How long the receiver asks to be left alone.
    wait: Option<Duration>,
    /// Who still has to get it, where others have it or will never get it.
    receivers: Option<Vec<String>>,
}

/// What a failure means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It may pass: everything for this channel waits.
    Unavailable,
    /// The receiver does not let us in: everything waits, for long.
    NotAdmitted,
    /// This one message is not wanted.
    Refused,
}

impl Failure {
    fn new(kind: Why, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            wait: None,
            receivers: None,
        }
    }
}

/// A text from outside for a log or a terminal: one line, not too long, without any of these secrets.
fn plain(text: &str, secrets: &[&str]) -> String {
    let mut text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    let text = text.trim();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_one_line_and_repeats_no_secret() {
        let text = plain("535 no\r\nsecret: geheim ", &["geheim", ""]);
        assert_eq!(text, "535 no  secret: …");
        assert_eq!(plain(&"ü".repeat(400), &[]).chars().count(), 301);
    }
}
