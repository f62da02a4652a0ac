//! Appends lines to the audit log: in sequence, each exactly once, on disk before the call returns.
//!
//! The file's own lock keeps processes apart. What was written before is found out from the last line of the file itself, so that a crash between the append and the
//! emptying of the outbox repeats nothing. A line torn by a crash is ended and left to be seen.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
    /// The last line is not the one before the first to be appended.
    Missing {
        /// Which line should come last.
        expected: u64,
        /// Which does; 0 for none.
        found: u64,
    },
}

/// The file, opened and locked for one append.
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
        let (last, torn) = self.end()?;
        let mut found = last.unwrap_or(0);
        if let Some(torn) = torn {
            self.file.write_all(b"\n")?;
            match lines.iter().find(|line| line.text.as_bytes() == torn) {
                // Only its line end was missing.
                Some(whole) => found = whole.seq,
                None => gaps.push(Gap::Torn {
                    bytes: torn.len() as u64,
                    sha256: sha256(&torn),
                }),
            }
        }
        // A file that ends before the line it should end with was cut; one that ends later already has some of these lines.
        if found + 1 < first.seq {
            gaps.push(Gap::Missing {
                expected: first.seq - 1,
                found,
            });
        }
        let mut text = String::new();
        for line in lines.iter().filter(|line| line.seq > found) {
            text.push_str(&line.text);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        Ok(gaps)
    }

    /// The number of the last whole line that has one, and what stands behind the last line end.
    fn end(&mut self) -> io::Result<(Option<u64>, Option<Vec<u8>>)> {
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
            let seq = tail[..whole]
                .split(|byte| *byte == b'\n')
                .rev()
                .find_map(seq_of);
            let torn = (whole < tail.len()).then(|| tail[whole..].to_vec());
            if start == 0 || (seq.is_some() && whole > 0) {
                return Ok((seq, torn));
            }
            want *= 4;
        }
    }
}

fn seq_of(line: &[u8]) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    value.get("seq")?.as_u64()
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
