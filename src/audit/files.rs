//! The files of the log: the one that is written to, and before it those that were rotated away, each named by its month and its first and last line.
//!
//! Files are rotated by renaming, packed afterwards and removed whole; none of that may show half of itself to a reader. So a reader looks while it holds the lock of the
//! current file shared, without which nothing is rotated, and keeps that file open: its content stays, whatever name it has later. The others never change but for
//! being packed or redacted, each by one rename.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::blocks::Blocks;
use super::chain::Link;
use super::file::{AuditFile, End, end_of};

/// What the name of a file ends with that is still being written.
pub(super) const PART: &str = ".part";
/// What the name of a packed file ends with.
pub(super) const PACKED: &str = ".gz";

/// A file that was rotated away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Where it is.
    pub path: PathBuf,
    /// The month of its last line, `YYYY-MM` in UTC.
    pub month: String,
    /// The number of its first line.
    pub first: u64,
    /// The number of its last.
    pub last: u64,
    /// Whether it is packed with gzip.
    pub packed: bool,
}

impl Rotated {
    /// What follows the name of the current file in the name of a rotated one that is not packed.
    pub(super) fn suffix(month: &str, first: u64, last: u64) -> String {
        format!(".{month}.{first:010}-{last:010}")
    }

    /// Reads the part of a name that follows the current file's.
    pub(crate) fn of_suffix(suffix: &str, path: PathBuf) -> Option<Self> {
        let (suffix, packed) = match suffix.strip_suffix(PACKED) {
            Some(suffix) => (suffix, true),
            None => (suffix, false),
        };
        let (month, range) = suffix.strip_prefix('.')?.split_once('.')?;
        let (first, last) = range.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (year, number) = month.split_once('-')?;
        if [year.len(), number.len()] != [4, 2]
            || ![year, number, first, last].iter().all(|text| digits(text))
        {
            return None;
        }
        Some(Self {
            path,
            month: month.to_owned(),
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            packed,
        })
    }

    /// Opens it; packed meanwhile or not, what it holds is the same.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let (file, packed) = self.open_as_it_is()?;
        Ok(if packed {
            unpacked(file)
        } else {
            Box::new(file)
        })
    }

    /// How it ends, with its lines from number `from` on.
    pub(super) fn end(&self, from: u64) -> io::Result<End> {
        let (file, packed) = self.open_as_it_is()?;
        if !packed {
            return end_of(&file, from);
        }
        let mut blocks = Blocks::new(self.open()?);
        let mut end = End::default();
        while blocks.advance()? {
            for line in blocks.block().split(|byte| *byte == b'\n') {
                let Some(Link { seq, .. }) = Link::of(line) else {
                    continue;
                };
                end.last = Some(seq);
                if seq >= from {
                    end.written.push(line.to_vec());
                }
            }
        }
        Ok(end)
    }

    /// The file itself, and whether it is packed.
    pub(super) fn open_as_it_is(&self) -> io::Result<(File, bool)> {
        match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.packed => {
                let mut packed = self.path.clone().into_os_string();
                packed.push(PACKED);
                Ok((File::open(packed)?, true))
            }
            file => Ok((file?, self.packed)),
        }
    }

    /// The same; `None` where it was removed by age meanwhile, as the log tells.
    pub(super) fn open_if_there(&self) -> io::Result<Option<(File, bool)>> {
        match self.open_as_it_is() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => file.map(Some),
        }
    }

    /// Whether a file may be called so, behind the name of the current one.
    pub(crate) fn is_suffix(suffix: &str) -> bool {
        Self::of_suffix(suffix, PathBuf::new()).is_some()
    }

    /// How many lines it holds, as its name says.
    pub(crate) fn lines(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }

    /// Its name, without the folder.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }
}

/// What a packed file holds.
pub(super) fn unpacked(file: File) -> Box<dyn Read + Send> {
    Box::new(MultiGzDecoder::new(BufReader::with_capacity(
        128 * 1024,
        file,
    )))
}

/// A file that only its owner may read, made where there is none; what it holds stays.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The last part of a path, as text.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The folder of a path; the one of the process where it names none.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The whole log at one instant.
#[derive(Debug)]
pub struct Look {
    /// The files before the current one, oldest first.
    pub rotated: Vec<Rotated>,
    /// The current file, opened, and how long it was.
    pub(super) current: Option<(File, u64)>,
    /// Its path.
    pub(super) path: PathBuf,
}

/// Whether a path still names this file.
pub(super) fn is_named(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl AuditFile {
    /// Looks at the log as it is now, while others go on writing. `then` is called with the rotated files while nobody can append; what it gives counts the last time.
    pub fn look_and<T>(&self, mut then: impl FnMut(&[Rotated]) -> T) -> io::Result<(Look, T)> {
        let path = self.path();
        loop {
            let file = match File::open(path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if let Some(file) = &file {
                file.lock_shared()?;
                if !is_named(path, file)? {
                    continue;
                }
            }
            let rotated = self.rotated_for_sure()?;
            let Some(mut file) = file else {
                // Between the two steps of a rotation there is none for an instant. Nobody can append until there is one, and so nobody has where there is none still.
                let then = then(&rotated);
                if path.try_exists()? || self.rotated()?.len() != rotated.len() {
                    continue;
                }
                let look = Look {
                    rotated,
                    current: None,
                    path: path.to_owned(),
                };
                return Ok((look, then));
            };
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(0))?;
            let then = then(&rotated);
            file.unlock()?;
            let look = Look {
                rotated,
                current: Some((file, length)),
                path: path.to_owned(),
            };
            return Ok((look, then));
        }
    }

    /// Looks at the log as it is now, while others go on writing.
    pub fn look(&self) -> io::Result<Look> {
        Ok(self.look_and(|_| ())?.0)
    }

    /// The same, while others pack or remove some of them: a file that takes another name while the folder is read may show under neither.
    fn rotated_for_sure(&self) -> io::Result<Vec<Rotated>> {
        let lines = |rotated: &[Rotated]| -> Vec<(u64, u64)> {
            rotated.iter().map(|one| (one.first, one.last)).collect()
        };
        let mut before = self.rotated()?;
        loop {
            let now = self.rotated()?;
            if lines(&now) == lines(&before) {
                return Ok(now);
            }
            before = now;
        }
    }

    /// The rotated files, oldest first. One that a crash left both packed and not counts once, packed.
    pub(super) fn rotated(&self) -> io::Result<Vec<Rotated>> {
        let mut rotated = self.rotated_as_they_are()?;
        // Of the same lines the packed file comes first and stays.
        rotated.dedup_by(|b, a| (a.first, a.last, &a.month) == (b.first, b.last, &b.month));
        Ok(rotated)
    }

    /// Files whose names begin with that of the log and that are none of it, such as `audit.jsonl.1`: something else may have moved them.
    pub fn strangers(&self) -> Vec<String> {
        let name = name_of(self.path());
        let ours = |suffix: &str| {
            let part = suffix.strip_suffix(PART).unwrap_or(suffix);
            matches!(part, "" | ".lock" | ".restore-new") || Rotated::is_suffix(part)
        };
        let entries = fs::read_dir(folder_of(self.path())).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut found: Vec<String> = names
            .filter(|file| file.strip_prefix(&name).is_some_and(|suffix| !ours(suffix)))
            .collect();
        found.sort();
        found
    }

    /// Removes what was written beside a file of the log and never took its name. Only whoever keeps the files writes such a thing.
    pub(super) fn remove_parts(&self) -> io::Result<()> {
        let name = name_of(self.path());
        for entry in fs::read_dir(folder_of(self.path()))? {
            let entry = entry?;
            let file = entry.file_name();
            let part = file.to_str().and_then(|file| file.strip_suffix(PART));
            let suffix = part.and_then(|part| part.strip_prefix(&name));
            if suffix.is_some_and(|suffix| suffix.is_empty() || Rotated::is_suffix(suffix)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The rotated files, oldest first, opened: what follows the name of the current file in theirs, and the file as it is.
    pub(crate) fn open_rotated(&self) -> io::Result<Vec<(String, File)>> {
        let mut opened = Vec::new();
        for rotated in self.rotated()? {
            let Some((file, packed)) = rotated.open_if_there()? else {
                continue;
            };
            let mut suffix = Rotated::suffix(&rotated.month, rotated.first, rotated.last);
            if packed {
                suffix.push_str(PACKED);
            }
            opened.push((suffix, file));
        }
        Ok(opened)
    }

    /// The rotated files, oldest first; of the same lines the packed one first.
    pub(crate) fn rotated_as_they_are(&self) -> io::Result<Vec<Rotated>> {
        let name = name_of(self.path());
        let entries = match fs::read_dir(folder_of(self.path())) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut rotated = Vec::new();
        for entry in entries {
            let entry = entry?;
            let file = entry.file_name();
            let Some(suffix) = file.to_str().and_then(|file| file.strip_prefix(&name)) else {
                continue;
            };
            rotated.extend(Rotated::of_suffix(suffix, entry.path()));
        }
        rotated.sort_by(|a, b| {
            (a.first, a.last, &a.month, !a.packed).cmp(&(b.first, b.last, &b.month, !b.packed))
        });
        Ok(rotated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_known_by_its_name_and_nothing_else_is() {
        let read = |suffix: &str| Rotated::of_suffix(suffix, PathBuf::new());
        let found = read(".2026-10.0000000001-0000000042.gz").unwrap();
        assert_eq!((found.first, found.last, found.packed), (1, 42, true));
        assert_eq!(found.month, "2026-10");
        assert!(
            !read(&Rotated::suffix("2026-10", 1, 12_345_678_901))
                .unwrap()
                .packed
        );
        for other in [
            "",
            ".1",
            ".1.gz",
            ".lock",
            ".restore-new",
            ".2026-10.x-1",
            ".2026-1.1-2",
            ".2026-10.1-2.part",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn files_are_listed_in_the_order_of_their_lines_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(folder.path().join("audit.jsonl"));
        for name in [
            "audit.jsonl",
            "audit.jsonl.2026-10.0000000007-0000000009",
            "audit.jsonl.2026-09.0000000001-0000000006",
            "audit.jsonl.2026-09.0000000001-0000000006.gz",
            "audit.jsonl.old",
            "other.2026-09.0000000001-0000000006",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<String> = audit
            .look()
            .unwrap()
            .rotated
            .iter()
            .map(Rotated::name)
            .collect();
        assert_eq!(
            names,
            [
                "audit.jsonl.2026-09.0000000001-0000000006.gz",
                "audit.jsonl.2026-10.0000000007-0000000009"
            ]
        );
    }
}
