//! Begins another file of the log: by size and by month.
//!
//! The current file is renamed and a new one made, while its lock is held: a rename loses nothing at any instant, and whoever waits for the old file finds by its name that it is another. Packing comes
//! afterwards, under a lock of its own, so that nobody who appends waits for it: the packed file is written under another name, read back and compared, and gets its name before the other goes.
//! Between any two steps the process may be killed; the next rotation, or the next run, does the rest.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::chain::{Hash, Link};
use super::file::{AuditFile, Locked, end_of};
use super::files::{PACKED, PART, Rotated, folder_of, private_file};
use super::line::Line;
use super::read::{seq_of, time_of};
use crate::crash;

/// So much of a file is looked at for its first line.
const FIRST: u64 = 1 << 20;

/// The proof that no other process packs, redacts or removes files of the log.
#[derive(Debug)]
pub(crate) struct Keeping(#[expect(dead_code, reason = "holds the lock")] File);

impl Locked {
    /// Begins another file if this one is large, or of an earlier month than the line that is to come. Nobody has appended anything to the new one but whoever was quicker.
    pub(super) fn rotate_before(&mut self, next: &Line) -> io::Result<bool> {
        let Some(most) = self.log.rotate_bytes else {
            return Ok(false);
        };
        let length = self.file.seek(SeekFrom::End(0))?;
        if length == 0 {
            return Ok(false);
        }
        let Some((first, month)) = begin_of(&self.file)? else {
            return Ok(false);
        };
        let due = length >= most || month_of(next.text.as_bytes()).is_some_and(|next| next > month);
        let last = if due { last_of(&self.file)? } else { None };
        let Some((last, month)) = last.filter(|(last, _)| *last >= first) else {
            return Ok(false);
        };
        let mut to = self.log.path().as_os_str().to_owned();
        to.push(Rotated::suffix(&month, first, last));
        let to = PathBuf::from(to);
        // Never over something that has this name: the file only goes on to grow.
        if to.try_exists()? || packed_name(&to).try_exists()? {
            return Ok(false);
        }
        crash::point("rotate_due");
        if let Err(error) = fs::rename(self.log.path(), &to) {
            // Where only the file is ours and not its folder, one file is better than no run.
            tracing::warn!(
                "The audit log {} cannot be rotated ({error}) and goes on to grow; its folder has to be writable",
                self.log.path().display()
            );
            return Ok(false);
        }
        crash::point("rotate_renamed");
        sync(folder_of(self.log.path()))?;
        self.file = self.log.open_locked()?;
        sync(folder_of(self.log.path()))?;
        crash::point("rotate_begun");
        self.rotated = true;
        Ok(true)
    }

    /// Whether another file was begun, so that there is one to be packed.
    pub(crate) fn has_rotated(&self) -> bool {
        self.rotated
    }
}

/// The number of a file's first line, and the month.
fn begin_of(mut file: &File) -> io::Result<Option<(u64, String)>> {
    file.seek(SeekFrom::Start(0))?;
    let lines = BufReader::new(file.take(FIRST)).split(b'\n');
    for line in lines {
        let line = line?;
        if let Some(begin) = seq_of(&line).zip(month_of(&line)) {
            return Ok(Some(begin));
        }
    }
    Ok(None)
}

/// The number of a file's last line, and the month.
fn last_of(file: &File) -> io::Result<Option<(u64, String)>> {
    let end = end_of(file, u64::MAX)?;
    // A torn line that was ended may stand last, and its number is that of a line to come.
    let mut lines = end.written.iter().rev();
    Ok(lines.find_map(|line| Some((Link::of(line)?.seq, month_of(line)?))))
}

/// The month of a line, `YYYY-MM` in UTC.
pub(super) fn month_of(line: &[u8]) -> Option<String> {
    let month = time_of(line)?.get(..7)?;
    Some(std::str::from_utf8(month).ok()?.to_owned())
}

fn packed_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PACKED);
    name.into()
}

/// Puts the names in a folder on disk.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A new file for its owner alone, under a name at which nothing is lost.
pub(super) fn part(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    let path = PathBuf::from(name);
    let file = private_file(&path)?;
    file.set_len(0)?;
    Ok((file, path))
}

impl AuditFile {
    /// Takes the rotated files for this process; `None` while another has them.
    pub(crate) fn try_keep(&self) -> io::Result<Option<Keeping>> {
        let file = self.keeping_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Keeping(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The same, and waits for the other.
    pub(crate) fn keep(&self) -> io::Result<Keeping> {
        let file = self.keeping_file()?;
        file.lock()?;
        Ok(Keeping(file))
    }

    fn keeping_file(&self) -> io::Result<File> {
        let mut name = self.path().as_os_str().to_owned();
        name.push(".lock");
        private_file(&PathBuf::from(name))
    }

    /// Packs what was rotated and is not packed yet.
    pub(crate) fn pack(&self, _keeping: &Keeping) -> io::Result<()> {
        let all = self.rotated_as_they_are()?;
        for rotated in all.iter().filter(|rotated| !rotated.packed) {
            pack(&rotated.path)?;
        }
        Ok(())
    }
}

/// Packs one file, and removes the one that is not packed once what is packed was read back and found the same.
fn pack(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    let to = packed_name(path);
    if to.try_exists()? {
        compare(path, &to)?;
    } else {
        let (file, part) = part(&to)?;
        let mut packed = GzEncoder::new(BufWriter::new(&file), Compression::default());
        io::copy(&mut File::open(path)?, &mut packed)?;
        packed.finish()?.flush()?;
        file.sync_all()?;
        crash::point("rotate_packed");
        compare(path, &part)?;
        fs::rename(part, &to)?;
        sync(folder)?;
        crash::point("rotate_named");
    }
    fs::remove_file(path)?;
    sync(folder)?;
    crash::point("rotate_done");
    Ok(())
}

/// Fails unless a packed file holds what the other does.
fn compare(plain: &Path, packed: &Path) -> io::Result<()> {
    let packed = MultiGzDecoder::new(BufReader::new(File::open(packed)?));
    if hash_of(File::open(plain)?)? == hash_of(packed)? {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{} differs from its packed file", plain.display()),
    ))
}

fn hash_of(mut from: impl Read) -> io::Result<Hash> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(digest.finalize().into()),
            Ok(count) => digest.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Span;

    fn line(seq: u64, month: u32) -> Line {
        Line {
            seq,
            text: format!(
                "{{\"seq\":{seq},\"time\":\"2026-{month:02}-01T00:00:00.000Z\",\"event\":\"plan\",\"prev\":\"\"}}"
            ),
        }
    }

    fn log(folder: &Path, bytes: u64) -> AuditFile {
        let mut log = AuditFile::new(folder.join("audit.jsonl"));
        log.rotate_bytes = Some(bytes);
        log
    }

    fn names(log: &AuditFile) -> Vec<String> {
        log.rotated_as_they_are()
            .unwrap()
            .iter()
            .map(Rotated::name)
            .collect()
    }

    fn seqs(log: &AuditFile) -> Vec<u64> {
        log.read(Span::default())
            .unwrap()
            .map(|entry| entry.unwrap().seq)
            .collect()
    }

    #[test]
    fn a_new_month_begins_a_new_file_and_a_large_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let monthly = log(folder.path(), 1 << 20);
        for (seq, month) in [(1, 9), (2, 9), (3, 10), (4, 10)] {
            assert!(
                monthly
                    .lock()
                    .unwrap()
                    .append(&[line(seq, month)], &[])
                    .unwrap()
                    .is_empty()
            );
        }
        assert_eq!(
            names(&monthly),
            ["audit.jsonl.2026-09.0000000001-0000000002"]
        );
        let small = log(folder.path(), 100);
        assert!(
            small
                .lock()
                .unwrap()
                .append(&[line(5, 10), line(6, 10)], &[])
                .unwrap()
                .is_empty()
        );
        assert_eq!(names(&small).len(), 2);
        assert_eq!(seqs(&small), [1, 2, 3, 4, 5, 6]);
        small.pack(&small.keep().unwrap()).unwrap();
        assert!(names(&small).iter().all(|name| name.ends_with(PACKED)));
        assert_eq!(seqs(&small), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn lines_that_were_appended_before_a_rotation_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 50);
        log.lock()
            .unwrap()
            .append(&[line(1, 10), line(2, 10)], &[])
            .unwrap();
        // The outbox was not emptied, and has more by now.
        let more: Vec<Line> = (1..=4).map(|seq| line(seq, 10)).collect();
        assert!(log.lock().unwrap().append(&more, &[]).unwrap().is_empty());
        assert_eq!(names(&log).len(), 1);
        for packed in [false, true] {
            if packed {
                log.pack(&log.keep().unwrap()).unwrap();
            }
            assert!(log.lock().unwrap().append(&more, &[]).unwrap().is_empty());
            assert_eq!(seqs(&log), [1, 2, 3, 4]);
        }
        fs::remove_file(log.path()).unwrap();
        let gaps = log.lock().unwrap().append(&[line(5, 10)], &[]).unwrap();
        assert_eq!(
            gaps,
            [crate::audit::Gap::Missing {
                expected: 4,
                found: 2
            }]
        );
    }

    #[test]
    fn whoever_waited_for_a_file_that_was_rotated_away_appends_to_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 10);
        let mut first = log.lock().unwrap();
        first.append(&[line(1, 10)], &[]).unwrap();
        let other = log.clone();
        // What waits in the outbox is the same for both.
        let waiting = std::thread::spawn(move || {
            let lines = [line(2, 10), line(3, 10)];
            other.lock().unwrap().append(&lines, &[]).unwrap()
        });
        first.append(&[line(2, 10)], &[]).unwrap();
        drop(first);
        assert!(waiting.join().unwrap().is_empty());
        assert_eq!(seqs(&log), [1, 2, 3]);
    }

    #[test]
    fn concurrent_appenders_lose_and_repeat_nothing_over_many_rotations() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 200);
        let told = std::sync::Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        // As the outbox does: what waits is looked up while the file is locked, and taken away afterwards.
                        let mut locked = log.lock().unwrap();
                        let last = *told.lock().unwrap();
                        if last >= 400 {
                            return;
                        }
                        let lines: Vec<Line> =
                            (last + 1..=last + 2).map(|seq| line(seq, 10)).collect();
                        assert!(locked.append(&lines, &[]).unwrap().is_empty());
                        let mut told = told.lock().unwrap();
                        *told = (*told).max(last + 2);
                        drop((told, locked));
                        if let Some(keeping) = log.try_keep().unwrap() {
                            log.pack(&keeping).unwrap();
                        }
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..30 {
                    let read = seqs(&log);
                    assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>());
                }
            });
        });
        assert_eq!(seqs(&log), (1..=400).collect::<Vec<_>>());
        assert!(names(&log).len() > 50);
    }

    #[test]
    fn a_packed_file_that_differs_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 10);
        log.lock().unwrap().append(&[line(1, 10)], &[]).unwrap();
        log.lock().unwrap().append(&[line(2, 10)], &[]).unwrap();
        let plain = log.rotated().unwrap()[0].path.clone();
        let mut packed = GzEncoder::new(
            File::create(packed_name(&plain)).unwrap(),
            Compression::fast(),
        );
        packed.write_all(b"something else\n").unwrap();
        packed.finish().unwrap();
        assert!(log.pack(&log.keep().unwrap()).is_err());
        assert!(plain.exists());
    }
}
