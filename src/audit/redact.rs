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
        if !self.people.iter().any(|hr_id| text.contains(hr_id)) {
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
        for rotated in self.rotated()? {
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

/// Whether there is anything to do in a file.
fn has(mut blocks: Blocks, redaction: &Redaction<'_>) -> io::Result<bool> {
    while blocks.advance()? {
        let block = blocks.block();
        let near = redaction
            .people
            .iter()
            .any(|hr_id| memchr::memmem::find(block, hr_id.as_bytes()).is_some());
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
