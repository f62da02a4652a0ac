//! One line of the chain, taken apart by its bytes: its number, the hash it builds on, its own hash, and whether its values are those that were committed to.
//!
//! Checking a log means hashing all of it, and reading JSON besides would cost several times as much. A line is always written the same way: its number first, `prev` last, the values behind it.
//! Text from outside cannot imitate that, for a quote inside of it is escaped. What does not look so is no line of a log.

use std::borrow::Cow;

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use super::read::seq_of;

/// What a line builds on, and what the next one has to build on.
pub(super) type Hash = [u8; 32];

const PREV: &[u8] = b",\"prev\":\"";
const VALUES: &[u8] = b",\"values\":{";
const COMMITMENTS: &[u8] = b",\"commitments\":{";

/// A line, taken apart.
#[derive(Debug)]
pub(super) struct Link<'l> {
    pub(super) seq: u64,
    /// `None` on the first line of a chain.
    pub(super) prev: Option<Hash>,
    /// What the hash covers, but for a `}` where values follow.
    covered: &'l [u8],
    /// The values, without their braces.
    values: Option<&'l [u8]>,
}

/// What the values of a line come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All that was committed to is there, or nothing was.
    Whole,
    /// Some or all of it was removed.
    Redacted,
    /// Something is there that was never committed to.
    Forged,
}

impl<'l> Link<'l> {
    /// Takes a line apart; `None` for what is no line of a log.
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let seq = seq_of(line)?;
        if let Some(body) = line.strip_suffix(b"\"}") {
            return Some(Self {
                seq,
                prev: prev_at_end(body)?,
                covered: line,
                values: None,
            });
        }
        let values = line.strip_suffix(b"}}")?;
        let at = memmem::find(line, VALUES)?;
        let body = line[..at].strip_suffix(b"\"")?;
        Some(Self {
            seq,
            prev: prev_at_end(body)?,
            covered: &line[..at],
            values: Some(values.get(at + VALUES.len()..)?),
        })
    }

    /// Its hash, which does not cover the values.
    pub(super) fn hash(&self) -> Hash {
        if self.values.is_none() {
            return Sha256::digest(self.covered).into();
        }
        let mut digest = Sha256::new();
        digest.update(self.covered);
        digest.update(b"}");
        digest.finalize().into()
    }

    /// Whether the values are those that were committed to.
    pub(super) fn kept(&self) -> Kept {
        let committed = self.commitments();
        let Some(values) = self.values else {
            return if committed.is_empty() {
                Kept::Whole
            } else {
                Kept::Redacted
            };
        };
        let Some(values) = members(values) else {
            return Kept::Forged;
        };
        // Each stands there once, for a second one could take the place of another; and none stands where nothing was committed to.
        let mut keys: Vec<_> = values.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        let is_repeated = keys.windows(2).any(|pair| pair[0] == pair[1]);
        let salt = values.iter().find(|(key, _)| *key == "salt");
        let salt = salt.map(|(_, salt)| salt.as_bytes());
        let Some(salt) = salt.filter(|salt| is_salt(salt)) else {
            return Kept::Forged;
        };
        if is_repeated || committed.is_empty() {
            return Kept::Forged;
        }
        let mut needle = Vec::with_capacity(128);
        let mut found = 0;
        for (key, value) in values.iter().filter(|(key, _)| *key != "salt") {
            let mut digest = Sha256::new();
            for part in [salt, key.as_bytes(), value.as_bytes()] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
            needle.clear();
            needle.push(b'"');
            needle.extend(key.bytes());
            needle.extend(b"\":\"");
            needle.extend(to_hex(&digest.finalize().into()));
            needle.push(b'"');
            if memmem::find(committed, &needle).is_none() {
                return Kept::Forged;
            }
            found += 1;
        }
        if found == memchr::memchr_iter(b':', committed).count() {
            Kept::Whole
        } else {
            Kept::Redacted
        }
    }

    /// The commitments, without their braces.
    fn commitments(&self) -> &'l [u8] {
        // They stand right before `prev`.
        let end = self.covered.len() - usize::from(self.values.is_none());
        let hash = if self.prev.is_some() { 64 } else { 0 };
        let end = end - 1 - hash - PREV.len();
        let Some(body) = self.covered[..end].strip_suffix(b"}") else {
            return &[];
        };
        // No commitment holds a brace.
        let Some(begin) = memchr::memrchr(b'{', body) else {
            return &[];
        };
        if body[..=begin].ends_with(COMMITMENTS) {
            &body[begin + 1..]
        } else {
            &[]
        }
    }
}

/// The hash that a line builds on; the text ends with it.
#[expect(
    clippy::option_option,
    reason = "there may be none to build on, and it may make no sense"
)]
fn prev_at_end(body: &[u8]) -> Option<Option<Hash>> {
    if body.ends_with(PREV) {
        return Some(None);
    }
    let at = body.len().checked_sub(64)?;
    if !body[..at].ends_with(PREV) {
        return None;
    }
    Some(Some(of_hex(&body[at..])?))
}

/// Members of an object of texts, as they are written between its braces.
fn members(mut text: &[u8]) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut found = Vec::new();
    loop {
        let (key, rest) = quoted(text)?;
        let (value, rest) = quoted(rest.strip_prefix(b":")?)?;
        let Cow::Borrowed(key) = key else { return None };
        found.push((key, value));
        match rest {
            [] => return Some(found),
            [b',', rest @ ..] => text = rest,
            _ => return None,
        }
    }
}

/// A text in quotes, and what follows it.
fn quoted(text: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let at = memchr::memchr2(b'"', b'\\', inner)?;
    if inner[at] == b'"' {
        return Some((
            Cow::Borrowed(std::str::from_utf8(&inner[..at]).ok()?),
            &inner[at + 1..],
        ));
    }
    let mut whole = serde_json::Deserializer::from_slice(text).into_iter::<String>();
    let value = whole.next()?.ok()?;
    Some((Cow::Owned(value), &text[whole.byte_offset()..]))
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A hash in lower-case hexadecimal digits.
pub(super) fn to_hex(hash: &Hash) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Reads one; only lower-case digits are ever written.
pub(super) fn of_hex(text: &[u8]) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(hash)
}

/// The event of a line, where it stands as it is always written; `None` for another form.
pub(super) fn event_of(line: &[u8]) -> Option<&[u8]> {
    // Behind the number and the time.
    let mut rest = line.get(line.iter().take(40).position(|byte| *byte == b',')?..)?;
    rest = rest
        .strip_prefix(b",\"time\":\"")?
        .get(24..)?
        .strip_prefix(b"\"")?;
    for key in [&b",\"integration\":\""[..], b",\"run\":\""] {
        if let Some(value) = rest.strip_prefix(key) {
            rest = &value[memchr::memchr(b'"', value)? + 1..];
        }
    }
    let event = rest.strip_prefix(b",\"event\":\"")?;
    Some(&event[..memchr::memchr(b'"', event)?])
}

/// A salt is 16 random bytes, as `line` writes them.
fn is_salt(salt: &[u8]) -> bool {
    salt.len() == 32
        && salt
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::audit::{Event, Head, compose};

    fn composed(values: &[(&str, &str)]) -> (String, String) {
        let mut head = Head {
            seq: 41,
            hash: "ab".repeat(32),
        };
        let event = Event::PushUnsettled {
            sync_id: "a\",\"values\":{\"".to_owned(),
        };
        let values = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let line = compose(
            &mut head,
            DateTime::UNIX_EPOCH,
            Some("acme"),
            Some("r"),
            &event,
            &values,
            [7; 16],
        );
        (line.text, head.hash)
    }

    fn link(text: &str) -> Link<'_> {
        Link::of(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_has_the_hash_that_was_computed_when_it_was_written() {
        for values in [
            &[][..],
            &[("lastName.new", "M…"), ("email.old", "a \"quoted\" \\ one")],
        ] {
            let (text, hash) = composed(values);
            let link = link(&text);
            assert_eq!(to_hex(&link.hash()), hash.as_bytes());
            assert_eq!((link.seq, link.prev), (42, Some([0xab; 32])));
            assert_eq!(link.kept(), Kept::Whole);
            assert_eq!(event_of(text.as_bytes()), Some(&b"push_unsettled"[..]));
        }
    }

    #[test]
    fn values_that_are_gone_or_others_are_told_apart() {
        let (text, hash) = composed(&[("lastName.new", "Mayer"), ("lastName.old", "M,\"x\":{}")]);
        let gone = format!("{}}}", &text[..text.find(",\"values\":{\"last").unwrap()]);
        assert_eq!(
            (link(&gone).kept(), &to_hex(&link(&gone).hash())[..]),
            (Kept::Redacted, hash.as_bytes())
        );
        let part = text.replace(
            "\"lastName.new\":\"Mayer\",\"lastName.old\"",
            "\"lastName.old\"",
        );
        assert_eq!(link(&part).kept(), Kept::Redacted);
        for forged in [
            text.replace("Mayer", "Meyer"),
            text.replace(",\"salt\":\"0", ",\"salt\":\"1"),
            text.replace(",\"salt\"", ",\"sold\""),
            text.replace("\"lastName.new\":\"Mayer\"", "\"firstName.new\":\"Mayer\""),
            text.replace("\"Mayer\"", "17"),
        ] {
            assert_ne!(forged, text);
            assert_eq!(link(&forged).kept(), Kept::Forged, "{forged}");
        }
    }

    #[test]
    fn what_is_no_line_of_a_log_is_none() {
        let (text, _) = composed(&[]);
        for other in [
            "",
            "{",
            "{\"seq\":1}",
            "{\"seq\":1,\"ev",
            "nonsense",
            &text[..text.len() - 1],
            &text[1..],
            &format!("{text}x"),
            &text.replace("abab", "ABAB"),
        ] {
            assert!(Link::of(other.as_bytes()).is_none(), "{other}");
        }
    }
}
