//! One event as one line of JSON, chained to the line before.
//!
//! A line is `{…,"prev":"<hash>"}`; its hash is the SHA-256 of exactly that text. Personal values stand behind it as a last member,
//! `"values":{"salt":…,…}`, which the hash does not cover; what covers them are salted commitments inside. So a value can be redacted by removing that member
//! alone, and the chain still holds. A bare hash would not do: a birth date is soon guessed.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::chain::{Link, to_hex};
use super::event::{Event, Values};
use super::sift::is_about_the_log;
use crate::digest::{hex, sha256};

/// The end of the chain: what the next line builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of the last line; 0 before the first.
    pub seq: u64,
    /// Its hash; empty before the first.
    pub hash: String,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    /// Reads what [`Display`](std::fmt::Display) writes, and what people copy from it.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once(':').and_then(|(seq, hash)| {
            let (seq, hash) = (seq.trim().parse().ok()?, hash.trim().to_lowercase());
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then_some(Self { seq, hash })
        });
        parsed.ok_or_else(|| {
            "a head is NUMBER:HASH, with the 64 hexadecimal digits that `status` shows".to_owned()
        })
    }
}

/// Where the file of the log may end, as far as a store knows: behind what was appended surely, or behind any of the lines that wait to be.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Oldest first; none where there is no store.
    pub heads: Vec<Head>,
    /// Lines that wait and tell of what was done to the log.
    pub(super) told: Vec<Value>,
}

impl Ends {
    /// Takes a line that waits: the file may end in front of it. `false` for what is no line.
    pub(crate) fn wait(&mut self, waits: &Line) -> bool {
        let bytes = waits.text.as_bytes();
        let Some(link) = Link::of(bytes) else {
            return false;
        };
        let hash = link.prev.map(|prev| to_hex(&prev).to_vec());
        self.heads.push(Head {
            seq: link.seq - 1,
            hash: String::from_utf8(hash.unwrap_or_default()).expect("digits are text"),
        });
        if is_about_the_log(bytes) {
            self.told
                .extend(serde_json::from_slice::<Value>(bytes).ok());
        }
        true
    }
}

/// A line, ready to be appended.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub seq: u64,
    /// Its text, without a line end.
    pub text: String,
}

impl std::fmt::Debug for Line {
    /// The text may show personal values and is not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({})", self.seq)
    }
}

#[derive(Serialize)]
struct Body<'e> {
    seq: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'e str>,
    #[serde(flatten)]
    event: &'e Event,
    #[serde(skip_serializing_if = "Map::is_empty")]
    commitments: Map<String, Value>,
    prev: &'e str,
}

/// Writes an event as the line after `head`, and moves `head` to it. `salt` is random for each line that has values.
pub fn compose(
    head: &mut Head,
    time: DateTime<Utc>,
    integration: Option<&str>,
    run: Option<&str>,
    event: &Event,
    values: &Values,
    salt: [u8; 16],
) -> Line {
    let salt = hex(&salt);
    let mut commitments = Map::new();
    let mut shown = Map::new();
    for (key, value) in values {
        let mut digest = Sha256::new();
        for part in [&salt, key, value] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        commitments.insert(key.clone(), Value::String(hex(&digest.finalize())));
        shown.insert(key.clone(), Value::String(value.clone()));
    }
    let body = Body {
        seq: head.seq + 1,
        time: time.to_rfc3339_opts(SecondsFormat::Millis, true),
        integration,
        run,
        event,
        commitments,
        prev: &head.hash,
    };
    let mut text = serde_json::to_string(&body).expect("an event is plain values with text keys");
    let hash = sha256(text.as_bytes());
    if !shown.is_empty() {
        shown.insert("salt".to_owned(), Value::String(salt));
        text.pop();
        text.push_str(",\"values\":");
        text.push_str(&Value::Object(shown).to_string());
        text.push('}');
    }
    *head = Head {
        seq: head.seq + 1,
        hash,
    };
    Line {
        seq: head.seq,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::PushUnsettled {
            sync_id: "s".to_owned(),
        }
    }

    #[test]
    fn each_line_carries_the_hash_of_the_line_before() {
        let mut head = Head {
            seq: 0,
            hash: String::new(),
        };
        let first = compose(
            &mut head,
            DateTime::UNIX_EPOCH,
            Some("acme"),
            Some("r"),
            &event(),
            &Vec::new(),
            [0; 16],
        );
        assert_eq!(sha256(first.text.as_bytes()), head.hash);
        let before = head.clone();
        let second = compose(
            &mut head,
            DateTime::UNIX_EPOCH,
            None,
            None,
            &event(),
            &Vec::new(),
            [0; 16],
        );
        let read: Value = serde_json::from_str(&second.text).unwrap();
        assert_eq!(
            (read["seq"].as_u64(), read["prev"].as_str()),
            (Some(2), Some(before.hash.as_str()))
        );
    }

    #[test]
    fn values_stand_outside_the_hash_and_their_commitments_inside() {
        let mut head = Head {
            seq: 0,
            hash: String::new(),
        };
        let values = vec![("lastName.new".to_owned(), "M…".to_owned())];
        let line = compose(
            &mut head,
            DateTime::UNIX_EPOCH,
            None,
            None,
            &event(),
            &values,
            [7; 16],
        );
        let cut = line.text.find(",\"values\":").unwrap();
        assert_eq!(sha256(format!("{}}}", &line.text[..cut])), head.hash);
        let read: Value = serde_json::from_str(&line.text).unwrap();
        assert_eq!(read["values"]["lastName.new"], "M…");
        assert!(read["commitments"]["lastName.new"].is_string());
        let other = compose(
            &mut Head {
                seq: 0,
                hash: String::new(),
            },
            DateTime::UNIX_EPOCH,
            None,
            None,
            &event(),
            &values,
            [8; 16],
        );
        let other: Value = serde_json::from_str(&other.text).unwrap();
        assert_ne!(
            read["commitments"], other["commitments"],
            "another salt, another commitment"
        );
    }
}
