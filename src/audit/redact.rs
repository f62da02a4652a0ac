//! Removes the values of people from the log, which keeps everything else.
//!
//! Values stand behind what the hash of a line covers, so a line without them has the hash that it had, and the chain holds. Each file in which something goes is written anew beside itself, compared line
//! by line, and takes the old one's name by a rename; the current one while it is locked. Killed in between, a file has all of the values or none, and the next attempt does the rest. That it
//! was done on purpose has to stand in the log before.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use aho_corasick::AhoCorasick;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::blocks::Blocks;
use super::chain::Link;
use super::file::AuditFile;
use super::files::{Rotated, folder_of};
use super::person::named;
use super::rotate::{Keeping, part, sync};

const VALUES: &[u8] = b",\"values\":{";

/// Whose values go.
#[derive(Debug)]
pub(crate) struct Redaction<'r> {
    people: HashSet<&'r str>,
    /// All of them, as they stand in a line: one pass finds hundreds.
    finder: AhoCorasick,
    /// In lines of this integration,
    integration: &'r str,
    /// and in those of integrations that are none of these: they had another name once.
    known: Vec<&'r str>,
}

impl<'r> Redaction<'r> {
    /// Of these people, in the lines of an integration and of those that are not among the `known` ones.
    pub(crate) fn of_people(people: &[&'r str], integration: &'r str, known: Vec<&'r str>) -> Self {
        // JSON escapes some signs.
        let quoted = people
            .iter()
            .map(|hr_id| serde_json::to_string(hr_id).expect("an hrId is text"));
        Self {
            people: people.iter().copied().collect(),
            finder: AhoCorasick::new(quoted).expect("they are far from 2 GB"),
            integration,
            known,
        }
    }

    /// The line without its values, where they are to go.
    fn of<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        let at = memchr::memmem::find(line, VALUES)?;
        if !self.finder.is_match(line) {
            return None;
        }
        let read: Value = serde_json::from_slice(line).ok()?;
        let integration = read["integration"].as_str().unwrap_or_default();
        let meant = integration == self.integration || !self.known.contains(&integration);
        let is_named = meant && named(&read).iter().any(|hr_id| self.people.contains(hr_id));
        // What is no line of the log is left as it is.
        (is_named && Link::of(line).is_some()).then_some(&line[..at])
    }
}

impl AuditFile {
    /// Removes values from all files; how many lines had some. A file that cannot be read keeps no other from being cleared, and is the error in the end.
    pub(crate) fn redact(&self, _keeping: &Keeping, redaction: &Redaction<'_>) -> io::Result<u64> {
        // Killed while it was packed, a file left another with all values.
        self.remove_parts()?;
        let (mut lines, mut unreadable) = (0, None);
        // Packed or not: where a process was killed in between, both are there.
        for rotated in self.rotated_as_they_are()? {
            match clear(&rotated, redaction) {
                Ok(some) => lines += some,
                Err(error) => {
                    let told = format!("{}: {error}", rotated.path.display());
                    unreadable.get_or_insert(io::Error::new(error.kind(), told));
                }
            }
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
        unreadable.map_or(Ok(lines), Err)
    }
}

/// Removes values from a rotated file; how many lines had some.
fn clear(rotated: &Rotated, redaction: &Redaction<'_>) -> io::Result<u64> {
    if !has(Blocks::new(rotated.open()?), redaction)? {
        return Ok(0);
    }
    let (file, packed) = rotated.open_as_it_is()?;
    drop(file);
    let (new, part) = part(&rotated.path)?;
    let from = Blocks::new(rotated.open()?);
    let lines = if packed {
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
    Ok(lines)
}

/// Whether there is anything to do in a file.
fn has(mut blocks: Blocks, redaction: &Redaction<'_>) -> io::Result<bool> {
    while blocks.advance()? {
        let block = blocks.block();
        if redaction.finder.is_match(block)
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
    use std::path::PathBuf;

    use chrono::DateTime;

    use super::*;
    use crate::audit::{Against, Ends, Event, Head, Span, compose, verify};

    /// A log with a value of each of these people: their integration, number and value.
    fn written<'p>(
        folder: &Path,
        people: impl IntoIterator<Item = (&'p str, &'p str, String)>,
    ) -> (AuditFile, Head) {
        let mut head = Head {
            seq: 0,
            hash: String::new(),
        };
        let mut text = String::new();
        for (integration, hr_id, value) in people {
            let event = Event::RowIncomplete {
                source: "hr".to_owned(),
                row: 7,
                hr_id: hr_id.to_owned(),
                field: "email".to_owned(),
            };
            let values = vec![("lastName.new".to_owned(), value)];
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

    /// A log with a value of somebody of each integration, all with one number, and one of somebody else whose number has it as a part.
    fn log(folder: &Path, integrations: &[&str]) -> (AuditFile, Head) {
        let people = integrations.iter().map(|name| (*name, "123"));
        let people = people.chain([("acme", "0123")]);
        written(
            folder,
            people.map(|(name, hr_id)| (name, hr_id, format!("Of {name} {hr_id}"))),
        )
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
        let redaction = Redaction::of_people(&["123"], "acme", vec!["acme", "other"]);
        let keeping = log.keep().unwrap();
        let name = log.path().to_str().unwrap();
        let parts =
            ["", ".1970-01.0000000001-0000000002.gz"].map(|end| format!("{name}{end}.part"));
        let others =
            ["jsonl.old", "jsonl.1.part"].map(|end| folder.path().join(format!("audit.{end}")));
        for path in parts.iter().map(PathBuf::from).chain(others.clone()) {
            fs::write(path, "left by a kill").unwrap();
        }
        assert_eq!(log.redact(&keeping, &redaction).unwrap(), 2);
        assert!(parts.iter().all(|part| !fs::exists(part).unwrap()));
        assert!(others.iter().all(|other| other.exists()), "not ours");
        assert_eq!(values(&log), ["Of other 123", "Of acme 0123"]);
        assert_eq!(log.redact(&keeping, &redaction).unwrap(), 0);
        let against = Against {
            ends: Ends {
                heads: vec![head],
                ..Ends::default()
            },
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
        let redaction = Redaction::of_people(&["123", "0123"], "acme", vec!["acme"]);
        assert_eq!(log.redact(&log.keep().unwrap(), &redaction).unwrap(), 1);
        let after = fs::read_to_string(log.path()).unwrap();
        assert_eq!(after.lines().next(), torn.lines().next());
        assert!(!after.ends_with('\n') && !after.contains("Of acme 0123"));
    }

    #[test]
    fn a_number_with_signs_that_json_escapes_is_found_and_no_number_that_has_it_as_a_part() {
        let odd = [
            "a\"b",
            "a\\b",
            "Müller-ä",
            "tab\tnewline\n",
            "/",
            "\u{1f600}",
            "\\",
            "é\u{301}",
        ];
        for hr_id in odd {
            let folder = tempfile::tempdir().unwrap();
            let longer = [format!("{hr_id}x"), format!("x{hr_id}")];
            let all = [hr_id, &longer[0], &longer[1]];
            let all = all.map(|one| ("acme", one, format!("Of {one}")));
            let (log, _) = written(folder.path(), all);
            let keeping = log.keep().unwrap();
            let redaction = Redaction::of_people(&[hr_id], "acme", vec!["acme"]);
            assert_eq!(log.redact(&keeping, &redaction).unwrap(), 1, "{hr_id:?}");
            assert_eq!(values(&log), longer.map(|one| format!("Of {one}")));
        }
    }

    #[test]
    fn hundreds_of_people_go_in_one_pass() {
        let folder = tempfile::tempdir().unwrap();
        let people: Vec<String> = (0..700).map(|number| format!("{number:05}")).collect();
        let all = people.iter().map(|one| ("acme", one.as_str(), one.clone()));
        let (log, _) = written(folder.path(), all);
        let gone: Vec<&str> = people[1..].iter().map(String::as_str).collect();
        let redaction = Redaction::of_people(&gone, "acme", vec!["acme"]);
        let keeping = log.keep().unwrap();
        assert_eq!(log.redact(&keeping, &redaction).unwrap(), 699);
        assert_eq!(values(&log), ["00000"]);
    }
}
