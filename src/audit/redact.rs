//! Removes the values of people from the log, which keeps everything else.
//!
//! Values stand behind what the hash of a line covers, so a line without them has the hash that it had, and the chain holds. Each file in which something goes is written anew beside itself, compared line
//! by line, and takes the old one's name by a rename; the current one while it is locked. Killed in between, a file has all of the values or none, and the next attempt does the rest. That it
//! was done on purpose has to stand in the log before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::blocks::Blocks;
use super::chain::Link;
use super::file::AuditFile;
use super::files::folder_of;
use super::person::names;
use super::rotate::{Keeping, part, sync};

const VALUES: &[u8] = b",\"values\":{";

/// Whose values go.
#[derive(Debug)]
pub(crate) struct Redaction<'r> {
    pub(crate) people: Vec<&'r str>,
    /// In lines of this integration,
    pub(crate) integration: &'r str,
    /// and in those of integrations that are none of these: they had another name once.
    pub(crate) known: Vec<&'r str>,
}

impl Redaction<'_> {
    /// The line without its values, where they are to go.
    fn of<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        let at = memchr::memmem::find(line, VALUES)?;
        let text = std::str::from_utf8(line).ok()?;
        let needles = self.people.iter().map(|hr_id| as_written(hr_id));
        if !needles.into_iter().any(|needle| text.contains(&needle)) {
            return None;
        }
        let read: Value = serde_json::from_str(text).ok()?;
        let integration = read["integration"].as_str().unwrap_or_default();
        let meant = integration == self.integration || !self.known.contains(&integration);
        let named = meant && self.people.iter().any(|hr_id| names(&read, hr_id));
        // What is no line of the log is left as it is.
        (named && Link::of(line).is_some()).then_some(&line[..at])
    }
}

impl AuditFile {
    /// Removes values from all files; how many lines had some.
    pub(crate) fn redact(&self, _keeping: &Keeping, redaction: &Redaction<'_>) -> io::Result<u64> {
        let mut lines = 0;
        // Packed or not: where a process was killed in between, both are there.
        for rotated in self.rotated_as_they_are()? {
            if !has(Blocks::new(rotated.open()?), redaction)? {
                continue;
            }
            let (file, packed) = rotated.open_as_it_is()?;
            drop(file);
            let (new, part) = part(&rotated.path)?;
            let from = Blocks::new(rotated.open()?);
            lines += if packed {
                let mut to = GzEncoder::new(BufWriter::new(&new), Compression::default());
                let lines = rewrite(from, redaction, &mut to)?;
                to.finish()?.flush()?;
                lines
            } else {
                let mut to = BufWriter::new(&new);
                let lines = rewrite(from, redaction, &mut to)?;
                to.flush()?;
                lines
            };
            replace(&new, &part, &rotated.path)?;
        }
        let mut locked = self.lock()?;
        let length = locked.file.seek(SeekFrom::End(0))?;
        let whole = |mut file: File| -> io::Result<Blocks> {
            file.seek(SeekFrom::Start(0))?;
            Ok(Blocks::new(Box::new(file.take(length))))
        };
        if has(whole(locked.file.try_clone()?)?, redaction)? {
            let (new, part) = part(self.path())?;
            let mut to = BufWriter::new(&new);
            lines += rewrite(whole(locked.file.try_clone()?)?, redaction, &mut to)?;
            to.flush()?;
            drop(to);
            replace(&new, &part, self.path())?;
        }
        Ok(lines)
    }
}

/// An hrId as it stands between quotes in a line, where JSON escapes some signs.
fn as_written(hr_id: &str) -> String {
    let quoted = serde_json::to_string(hr_id).expect("an hrId is text");
    quoted[1..quoted.len() - 1].to_owned()
}

/// Whether there is anything to do in a file.
fn has(mut blocks: Blocks, redaction: &Redaction<'_>) -> io::Result<bool> {
    let needles: Vec<String> = redaction.people.iter().copied().map(as_written).collect();
    while blocks.advance()? {
        let block = blocks.block();
        let near = needles
            .iter()
            .any(|needle| memchr::memmem::find(block, needle.as_bytes()).is_some());
        if near
            && block
                .split(|byte| *byte == b'\n')
                .any(|line| redaction.of(line).is_some())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies lines without the values that are to go; how many had some. Line ends stay as they are.
fn rewrite(
    mut blocks: Blocks,
    redaction: &Redaction<'_>,
    to: &mut impl io::Write,
) -> io::Result<u64> {
    let mut lines = 0;
    while blocks.advance()? {
        for line in blocks.block().split_inclusive(|byte| *byte == b'\n') {
            let (bare, end) = match line.strip_suffix(b"\n") {
                Some(bare) => (bare, &b"\n"[..]),
                None => (line, &b""[..]),
            };
            match redaction.of(bare) {
                Some(kept) => {
                    lines += 1;
                    to.write_all(kept)?;
                    to.write_all(b"}")?;
                    to.write_all(end)?;
                }
                None => to.write_all(line)?,
            }
        }
    }
    Ok(lines)
}

fn replace(new: &File, part: &Path, path: &Path) -> io::Result<()> {
    new.sync_all()?;
    crate::crash::point("redact_written");
    fs::rename(part, path)?;
    sync(folder_of(path))?;
    crate::crash::point("redact_named");
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::audit::{Against, Event, Head, Span, compose, verify};

    /// A log with a value of somebody of each integration, all with one number, and one of somebody else whose number has it as a part.
    fn log(folder: &Path, integrations: &[&str]) -> (AuditFile, Head) {
        let mut head = Head {
            seq: 0,
            hash: String::new(),
        };
        let mut text = String::new();
        let people = integrations.iter().map(|name| (*name, "123"));
        for (integration, hr_id) in people.chain([("acme", "0123")]) {
            let event = Event::RowIncomplete {
                source: "hr".to_owned(),
                row: 7,
                hr_id: hr_id.to_owned(),
                field: "email".to_owned(),
            };
            let values = vec![(
                "lastName.new".to_owned(),
                format!("Of {integration} {hr_id}"),
            )];
            let line = compose(
                &mut head,
                DateTime::UNIX_EPOCH,
                Some(integration),
                None,
                &event,
                &values,
                [7; 16],
            );
            text += &(line.text + "\n");
        }
        let log = AuditFile::new(folder.join("audit.jsonl"));
        fs::write(log.path(), text).unwrap();
        (log, head)
    }

    fn values(log: &AuditFile) -> Vec<String> {
        let entries = log.read(Span::default()).unwrap().map(Result::unwrap);
        let values = entries
            .filter_map(|entry| Some(entry.line["values"]["lastName.new"].as_str()?.to_owned()));
        values.collect()
    }

    #[test]
    fn the_same_number_of_another_integration_keeps_its_values_and_one_that_was_renamed_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (log, head) = log(folder.path(), &["acme", "other", "acme-before"]);
        let redaction = Redaction {
            people: vec!["123"],
            integration: "acme",
            known: vec!["acme", "other"],
        };
        let keeping = log.keep().unwrap();
        assert_eq!(log.redact(&keeping, &redaction).unwrap(), 2);
        assert_eq!(values(&log), ["Of other 123", "Of acme 0123"]);
        assert_eq!(log.redact(&keeping, &redaction).unwrap(), 0);
        let against = Against {
            ends: vec![head],
            heads: Vec::new(),
        };
        let checked = verify(log.look().unwrap(), &against).unwrap();
        assert_eq!(checked.redacted, 2);
        assert_eq!(checked.breaks.len(), 1, "nothing in this log tells of it");
    }

    #[test]
    fn a_line_that_is_torn_or_forged_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = log(folder.path(), &["acme"]);
        let text = fs::read_to_string(log.path()).unwrap();
        let torn = text.replace("\"prev\":\"\",", "\"prev\":\"x\",");
        let torn = torn.trim_end();
        fs::write(log.path(), torn).unwrap();
        let redaction = Redaction {
            people: vec!["123", "0123"],
            integration: "acme",
            known: vec!["acme"],
        };
        assert_eq!(log.redact(&log.keep().unwrap(), &redaction).unwrap(), 1);
        let after = fs::read_to_string(log.path()).unwrap();
        assert_eq!(after.lines().next(), torn.lines().next());
        assert!(!after.ends_with('\n') && !after.contains("Of acme 0123"));
    }
}
