//! Appends lines to the audit log: in sequence, each exactly once, on disk before the call returns.
//!
//! The current file's own lock keeps processes apart. A process may have waited for a file that was rotated away meanwhile, so whoever gets the lock looks whether the name still means that file.
//! What was written before is found out from the last lines themselves, in the file before this one too, so that a crash between the append and the emptying of the outbox, or
//! within a rotation, repeats nothing and loses nothing. A line torn by a crash is ended and left to be seen. What is wrong with the file has to be told in the outbox before the file is touched:
//! the first byte that is appended hides it from whoever comes after a second failure.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::Link;
use super::files::{folder_of, is_named};
use super::line::Line;
use crate::config::Config;
use crate::crash;
use crate::digest::sha256;

/// The audit log's current file, and when another is begun.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
    /// From so many bytes on; never where `None`.
    pub(super) rotate_bytes: Option<u64>,
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
    pub(super) file: File,
    pub(super) log: AuditFile,
    /// Whether it began another file.
    pub(super) rotated: bool,
}

impl AuditFile {
    /// Names the file, for reading; it is never rotated.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            rotate_bytes: None,
        }
    }

    /// The log of a configuration, which is rotated as that says. The file is made when the first line comes.
    pub fn of(config: &Config) -> Self {
        Self {
            path: config.audit_file(),
            rotate_bytes: Some(u64::from(config.audit.rotate_megabytes) << 20),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens and locks the file; waits for another process that appends.
    pub fn lock(&self) -> io::Result<Locked> {
        Ok(Locked {
            file: self.open_locked()?,
            log: self.clone(),
            rotated: false,
        })
    }

    /// The file that the name means, locked.
    pub(super) fn open_locked(&self) -> io::Result<File> {
        let folder = folder_of(&self.path);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        loop {
            let new = !self.path.exists();
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)?;
            file.lock()?;
            // It may have been rotated away while this process waited.
            if !is_named(&self.path, &file)? {
                continue;
            }
            if new {
                // The name of a new file is on disk only once its folder is.
                File::open(folder)?.sync_all()?;
            }
            return Ok(file);
        }
    }
}

impl Locked {
    /// Appends the lines that are not there yet, and puts them on disk. `lines` are in sequence, without gaps. Where something is wrong with the file that is not `told` yet, nothing is written:
    /// it is given, and is to be told before the next attempt. None means that the lines are there.
    pub fn append(&mut self, lines: &[Line], told: &[Gap]) -> io::Result<Vec<Gap>> {
        let (Some(first), Some(last_of_all)) = (lines.first(), lines.last().map(|line| line.seq))
        else {
            return Ok(Vec::new());
        };
        loop {
            let End {
                last,
                written,
                torn,
                ..
            } = self.end(first.seq, last_of_all)?;
            let mut found = last.unwrap_or(0);
            let mut there: HashSet<&[u8]> = written.iter().map(Vec::as_slice).collect();
            let mut gaps = Vec::new();
            if let Some(torn) = &torn {
                if lines.iter().any(|line| line.text.as_bytes() == torn) {
                    // Only its line end was missing.
                    there.insert(torn);
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
                .filter(|line| !there.contains(line.text.as_bytes()))
                .collect();
            let expected = missing.first().map_or(found, |line| line.seq - 1);
            if found != expected {
                gaps.push(Gap::Missing { expected, found });
            }
            gaps.retain(|gap| !told.contains(gap));
            if !gaps.is_empty() {
                return Ok(gaps);
            }
            if torn.is_some() {
                self.file.write_all(b"\n")?;
                crash::point("torn_line_ended");
            }
            // In another file the last lines are looked for again: another process may have begun it before this one had its lock.
            if let Some(line) = missing.first()
                && self.rotate_before(line)?
            {
                continue;
            }
            let mut text = String::with_capacity(AT_ONCE);
            for line in missing {
                if text.len() + line.text.len() >= AT_ONCE {
                    self.file.write_all(text.as_bytes())?;
                    text.clear();
                }
                text.push_str(&line.text);
                text.push('\n');
            }
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()?;
            return Ok(Vec::new());
        }
    }

    /// Lets the next process append, and hands the file out for reading, with its length until now: whatever comes later stands behind that.
    pub fn release(mut self) -> io::Result<(File, u64)> {
        let length = self.file.seek(SeekFrom::End(0))?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.unlock()?;
        Ok((self.file, length))
    }

    /// How the log ends, with all of its lines that may be those from number `from` to number `to`.
    fn end(&mut self, from: u64, to: u64) -> io::Result<End> {
        let mut end = end_of(&self.file, from)?;
        if end.reaches_back {
            return Ok(end);
        }
        // Rotations may have come between, several of them where this process had to wait.
        let rotated = self.log.rotated()?;
        end.last = end.last.or(rotated.last().map(|rotated| rotated.last));
        for rotated in &rotated {
            if rotated.last >= from && rotated.first <= to {
                end.written.extend(rotated.end(from)?.written);
            }
        }
        Ok(end)
    }
}

/// How a file ends that is not packed.
pub(super) fn end_of(mut file: &File, from: u64) -> io::Result<End> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut want = 64 * 1024;
    loop {
        let start = length.saturating_sub(want);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(length - start).read_to_end(&mut tail)?;
        let whole = memchr::memrchr(b'\n', &tail).map_or(0, |at| at + 1);
        let lines = tail[..whole].split(|byte| *byte == b'\n');
        // The first piece may begin in the middle of a line.
        let lines = lines
            .skip(usize::from(start > 0))
            .filter(|line| !line.is_empty());
        // What is left of a torn line has a number, too, and is no line.
        let seq = |line| Link::of(line).map(|link| link.seq);
        let seqs: Vec<(Option<u64>, &[u8])> = lines.map(|line| (seq(line), line)).collect();
        let reaches_back = seqs
            .iter()
            .any(|(seq, _)| seq.is_some_and(|seq| seq < from));
        if start == 0 || reaches_back || want >= MOST_TAIL {
            return Ok(End {
                last: seqs.iter().rev().find_map(|(seq, _)| *seq),
                written: seqs.iter().map(|(_, line)| line.to_vec()).collect(),
                torn: (whole < tail.len()).then(|| tail[whole..].to_vec()),
                reaches_back,
            });
        }
        want *= 4;
    }
}

/// About so many bytes are written at once.
const AT_ONCE: usize = 256 * 1024;

/// More than the outbox hands over at once is never searched for lines that are there already.
const MOST_TAIL: u64 = 64 << 20;

/// How a file ends.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The number of the last line that has one.
    pub(super) last: Option<u64>,
    /// The lines at the end.
    pub(super) written: Vec<Vec<u8>>,
    /// What stands behind the last line end.
    pub(super) torn: Option<Vec<u8>>,
    /// Whether a line is among them that comes before those that were asked for.
    pub(super) reaches_back: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seqs: std::ops::RangeInclusive<u64>) -> Vec<Line> {
        seqs.map(|seq| Line {
            seq,
            text: format!("{{\"seq\":{seq},\"prev\":\"\"}}"),
        })
        .collect()
    }

    /// Appends, and tells what is wrong with the file.
    fn append(file: &AuditFile, seqs: std::ops::RangeInclusive<u64>) -> Vec<Gap> {
        let (mut locked, lines) = (file.lock().unwrap(), lines(seqs));
        let gaps = locked.append(&lines, &[]).unwrap();
        assert_eq!(locked.append(&lines, &gaps).unwrap(), []);
        gaps
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
        std::fs::write(
            file.path(),
            "{\"seq\":500,\"of\":\"another store\",\"prev\":\"\"}\n",
        )
        .unwrap();
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
        let whole = std::fs::read_to_string(file.path()).unwrap();
        let torn = whole.clone() + "{\"seq\":2,\"ev";
        std::fs::write(file.path(), &torn).unwrap();
        // Until somebody has told of it, it stays what it is.
        let gaps = file.lock().unwrap().append(&lines(2..=3), &[]).unwrap();
        assert!(
            matches!(&gaps[..], [Gap::Torn { bytes: 12, .. }]),
            "{gaps:?}"
        );
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), torn);
        assert_eq!(append(&file, 2..=3), gaps);
        let rest: String = lines(2..=3)
            .into_iter()
            .map(|line| line.text + "\n")
            .collect();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, torn + "\n" + &rest);
    }

    #[test]
    fn a_torn_line_that_was_ended_before_a_second_failure_is_not_taken_for_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        append(&file, 1..=1);
        let mut text = std::fs::read_to_string(file.path()).unwrap();
        text.push_str("{\"seq\":2,\"ev\n");
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(append(&file, 2..=3), []);
        assert_eq!(append(&file, 4..=4), []);
    }

    #[test]
    fn a_log_that_was_cut_or_removed_is_told_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        append(&file, 1..=4);
        std::fs::write(file.path(), lines(1..=1)[0].text.clone() + "\n").unwrap();
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
