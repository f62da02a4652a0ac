//! Appends lines to the audit log: in sequence, each exactly once, on disk before the call returns.
//!
//! The file's own lock keeps processes apart. What was written before is found out from the last line of the file itself, so that a crash between the append and the
//! emptying of the outbox repeats nothing. A line torn by a crash is ended and left to be seen.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::line::Line;
use crate::digest::sha256;

/// The audit log's file.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
}

/// Something that is wrong with the file as it was found; told in the log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The last line had no end.
    Torn {
        /// Its length.
        bytes: u64,
        /// Its hash.
        sha256: String,
    },
    /// The last line is not the one before the first to be appended: lines are missing, or the log is another store's.
    Missing {
        /// Which line should come last.
        expected: u64,
        /// Which does; 0 for none.
        found: u64,
    },
}

/// The file, opened and locked for one append.
#[derive(Debug)]
pub struct Locked {
    file: File,
}

impl AuditFile {
    /// Names the file; it is made when the first line comes.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens and locks the file; waits for another process that appends.
    pub fn lock(&self) -> io::Result<Locked> {
        if let Some(folder) = self.path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let new = !self.path.exists();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        file.lock()?;
        if new && let Some(folder) = self.path.parent() {
            // The name of a new file is on disk only once its folder is.
            File::open(folder)?.sync_all()?;
        }
        Ok(Locked { file })
    }
}

impl Locked {
    /// Appends the lines that are not there yet, and puts them on disk. `lines` are in sequence, without gaps. Tells what was wrong with the file.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<Vec<Gap>> {
        let Some(first) = lines.first() else {
            return Ok(Vec::new());
        };
        let mut gaps = Vec::new();
        let End {
            last,
            written,
            torn,
        } = self.end(first.seq)?;
        let mut found = last.unwrap_or(0);
        let mut there: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
        if let Some(torn) = &torn {
            self.file.write_all(b"\n")?;
            if lines.iter().any(|line| line.text.as_bytes() == torn) {
                // Only its line end was missing.
                there.push(torn);
                found += 1;
            } else {
                let bytes = torn.len() as u64;
                gaps.push(Gap::Torn {
                    bytes,
                    sha256: sha256(torn),
                });
            }
        }
        // What was appended before a crash, and not yet taken from the outbox, stands there to the letter.
        let missing: Vec<&Line> = lines
            .iter()
            .filter(|line| !there.contains(&line.text.as_bytes()))
            .collect();
        let expected = missing.first().map_or(found, |line| line.seq - 1);
        if found != expected {
            gaps.push(Gap::Missing { expected, found });
        }
        let mut text = String::new();
        for line in missing {
            text.push_str(&line.text);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        Ok(gaps)
    }

    /// Lets the next process append, and hands the file out for reading, with its length until now: whatever comes later stands behind that.
    pub fn release(mut self) -> io::Result<(File, u64)> {
        let length = self.file.seek(SeekFrom::End(0))?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.unlock()?;
        Ok((self.file, length))
    }

    /// How the file ends, with all of its lines that may be those from number `from` on.
    fn end(&mut self, from: u64) -> io::Result<End> {
        let length = self.file.seek(SeekFrom::End(0))?;
        let mut want = 64 * 1024;
        loop {
            let start = length.saturating_sub(want);
            self.file.seek(SeekFrom::Start(start))?;
            let mut tail = Vec::new();
            (&self.file).take(length - start).read_to_end(&mut tail)?;
            let whole = tail
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let lines = tail[..whole].split(|byte| *byte == b'\n');
            // The first piece may begin in the middle of a line.
            let lines = lines
                .skip(usize::from(start > 0))
                .filter(|line| !line.is_empty());
            let seqs: Vec<(Option<u64>, &[u8])> = lines.map(|line| (seq_of(line), line)).collect();
            let reaches_back = seqs
                .iter()
                .any(|(seq, _)| seq.is_some_and(|seq| seq < from));
            if start == 0 || reaches_back || want >= MOST_TAIL {
                let last = seqs.iter().rev().find_map(|(seq, _)| *seq);
                let written = seqs.iter().map(|(_, line)| line.to_vec()).collect();
                let torn = (whole < tail.len()).then(|| tail[whole..].to_vec());
                return Ok(End {
                    last,
                    written,
                    torn,
                });
            }
            want *= 4;
        }
    }
}

/// More than the outbox hands over at once is never searched for lines that are there already.
const MOST_TAIL: u64 = 64 << 20;

/// How a file ends.
struct End {
    /// The number of the last line that has one.
    last: Option<u64>,
    /// The lines at the end.
    written: Vec<Vec<u8>>,
    /// What stands behind the last line end.
    torn: Option<Vec<u8>>,
}

/// The one member that is looked at; the others are only known to be JSON.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

fn seq_of(line: &[u8]) -> Option<u64> {
    let line: Numbered = serde_json::from_slice(line).ok()?;
    Some(line.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seqs: std::ops::RangeInclusive<u64>) -> Vec<Line> {
        seqs.map(|seq| Line {
            seq,
            text: format!("{{\"seq\":{seq}}}"),
        })
        .collect()
    }

    fn append(file: &AuditFile, seqs: std::ops::RangeInclusive<u64>) -> Vec<Gap> {
        file.lock().unwrap().append(&lines(seqs)).unwrap()
    }

    #[test]
    fn lines_that_are_there_already_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("new/audit.jsonl"));
        assert!(append(&file, 1..=3).is_empty());
        assert!(append(&file, 2..=5).is_empty());
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn a_log_that_is_ahead_of_the_store_swallows_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        std::fs::write(file.path(), "{\"seq\":500,\"of\":\"another store\"}\n").unwrap();
        let gaps = append(&file, 1..=2);
        assert_eq!(
            gaps,
            [Gap::Missing {
                expected: 0,
                found: 500
            }]
        );
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(append(&file, 3..=3).is_empty());
    }

    #[test]
    fn a_torn_line_is_ended_and_left_to_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        append(&file, 1..=1);
        let mut text = std::fs::read_to_string(file.path()).unwrap();
        text.push_str("{\"seq\":2,\"ev");
        std::fs::write(file.path(), text).unwrap();
        let gaps = append(&file, 2..=3);
        assert!(
            matches!(&gaps[..], [Gap::Torn { bytes: 12, .. }]),
            "{gaps:?}"
        );
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            text,
            "{\"seq\":1}\n{\"seq\":2,\"ev\n{\"seq\":2}\n{\"seq\":3}\n"
        );
    }

    #[test]
    fn a_log_that_was_cut_or_removed_is_told_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        append(&file, 1..=4);
        std::fs::write(file.path(), "{\"seq\":1}\n").unwrap();
        assert_eq!(
            append(&file, 5..=5),
            [Gap::Missing {
                expected: 4,
                found: 1
            }]
        );
        std::fs::remove_file(file.path()).unwrap();
        assert_eq!(
            append(&file, 6..=6),
            [Gap::Missing {
                expected: 5,
                found: 0
            }]
        );
    }
}
