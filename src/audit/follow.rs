//! Follows the log while others write to it, over rotations: where the current file is another one than before, the rest of the old one is read, and then whatever lies behind its last line.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use super::chain::Link;
use super::file::AuditFile;
use super::files::is_named;
use super::read::{Entries, Span};

/// A place in the log.
#[derive(Debug, Default)]
pub struct Follow {
    file: Option<File>,
    offset: u64,
    /// The number of the last line that was handed out.
    seq: u64,
}

impl AuditFile {
    /// The lines that are there, and the place behind them. Only the newest `files` of the rotated files are read; the number of those there are is given too.
    pub(crate) fn newest(&self, files: usize, span: Span) -> io::Result<(Entries, Follow, usize)> {
        let mut look = self.look()?;
        let count = look.rotated.len();
        let file = look
            .current
            .as_ref()
            .map(|(file, _)| file.try_clone())
            .transpose()?;
        let offset = look.current.as_ref().map_or(0, |(_, length)| *length);
        look.rotated.drain(..count.saturating_sub(files));
        let seq = look.rotated.last().map_or(0, |rotated| rotated.last);
        let mut follow = Follow { file, offset, seq };
        follow.seq = seq.max(last_before(&follow)?);
        Ok((Entries::of(look, span)?, follow, count))
    }
}

/// The number of a line; what is left of a torn one has none, for the whole line comes behind it.
fn seq_of(line: &[u8]) -> Option<u64> {
    Link::of(line).map(|link| link.seq)
}

/// The number of the last line in front of a place.
fn last_before(follow: &Follow) -> io::Result<u64> {
    let Some(mut file) = follow.file.as_ref() else {
        return Ok(0);
    };
    let mut want = 64 * 1024;
    loop {
        let start = follow.offset.saturating_sub(want);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(follow.offset - start).read_to_end(&mut tail)?;
        let last = tail.split(|byte| *byte == b'\n').rev().find_map(seq_of);
        if let Some(last) = last {
            return Ok(last);
        }
        if start == 0 {
            return Ok(0);
        }
        want *= 4;
    }
}

impl Follow {
    /// The lines that have come since.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn more(&mut self, log: &AuditFile) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = self.rest()?;
        let is_same = match &self.file {
            Some(file) => is_named(log.path(), file)? && file.metadata()?.len() >= self.offset,
            None => false,
        };
        if is_same {
            return Ok(lines);
        }
        // What came between the two looks.
        lines.extend(self.rest()?);
        let mut look = log.look()?;
        let Some((file, length)) = &look.current else {
            return Ok(lines);
        };
        self.file = Some(file.try_clone()?);
        self.offset = *length;
        let seen = self.seq;
        look.rotated.retain(|rotated| rotated.last > seen);
        let mut entries = Entries::of(look, Span::default())?;
        while let Some(line) = entries.next_line()? {
            if let Some(seq) = seq_of(line).filter(|seq| *seq > seen) {
                self.seq = self.seq.max(seq);
                lines.push(line.to_vec());
            }
        }
        Ok(lines)
    }

    /// The whole lines behind the place in the file that is open.
    fn rest(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let Some(mut file) = self.file.as_ref() else {
            return Ok(Vec::new());
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        text.truncate(whole);
        self.offset += whole as u64;
        let lines: Vec<Vec<u8>> = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        self.seq = lines
            .iter()
            .filter_map(|line| seq_of(line))
            .fold(self.seq, u64::max);
        Ok(lines)
    }
}
