//! A drop folder of this machine: what lies in it, and reading a file of it.
//!
//! A sender may write into a file while it is read. What is read counts only if the file was the same before and after: same inode, size and time.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use nix::fcntl::OFlag;

use super::intake::{Entry, Taken};
use super::names::{Kind, Names};
use super::text::Bytes;
use crate::config::Source;

/// Why a folder or a file of it cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum FolderError {
    #[error("The folder {} cannot be listed", folder.display())]
    List {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "The name of the file {lossy} in {} is not UTF-8 (`\u{FFFD}` stands where); have the sender name it anew", folder.display()
    )]
    NameNotUtf8 { folder: PathBuf, lossy: String },
    #[error("The file {name} cannot be read")]
    Read {
        name: String,
        source: std::io::Error,
    },
    #[error(
        "{name} is a link and not a file, so nobody can tell whether it is complete; have the sender put the file itself into the folder"
    )]
    Link { name: String },
    #[error("The file {name} changed while it was read; it is not complete yet")]
    Changed { name: String },
    #[error(
        "The file {name} has more than {most} bytes; raise table.max_megabytes if that is right"
    )]
    TooLarge { name: String, most: u64 },
}

/// What a folder lists under a name.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: OsString,
    pub(super) is: Is,
    pub(super) size: u64,
    pub(super) modified: DateTime<Utc>,
}

/// What kind of thing a folder lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    File,
    Link,
    Other,
}

/// The entry of what a folder lists. `None` for folders, links and everything else that is no regular file.
pub(super) fn entry(
    item: Item,
    names: Option<&Names<'_>>,
    folder: &Path,
) -> Result<Option<Entry>, FolderError> {
    let is_roster = |name: &str, kinds: fn(&Kind<'_>) -> bool| {
        names.is_none_or(|names| kinds(&names.kind(name)))
    };
    if item.is == Is::Link {
        // Passing over it would let an older file count in its place.
        let name = item.name.to_string_lossy().into_owned();
        if is_roster(&name, |kind| matches!(kind, Kind::Roster)) {
            return Err(FolderError::Link { name });
        }
    }
    if item.is != Is::File {
        return Ok(None);
    }
    let name = item.name.into_string().or_else(|name| {
        let lossy = name.to_string_lossy().into_owned();
        if is_roster(&lossy, |kind| *kind != Kind::Other) {
            return Err(FolderError::NameNotUtf8 {
                folder: folder.to_owned(),
                lossy,
            });
        }
        // One of the others, which are only counted.
        Ok(lossy)
    })?;
    Ok(Some(Entry {
        name,
        size: item.size,
        modified: item.modified,
    }))
}

/// The files of the source's folder.
pub fn list(source: &Source) -> Result<Vec<Entry>, FolderError> {
    let folder = &source.folder;
    let failed = |source| FolderError::List {
        folder: folder.clone(),
        source,
    };
    let names = Names::all(source);
    let mut entries = Vec::new();
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        // This asks for the link itself and not for where it leads.
        let metadata = match item.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        let item = Item {
            name: item.file_name(),
            is: match metadata {
                ref it if it.is_file() => Is::File,
                ref it if it.is_symlink() => Is::Link,
                _ => Is::Other,
            },
            size: metadata.len(),
            modified: modified(&metadata),
        };
        entries.extend(entry(item, names.as_ref(), folder)?);
    }
    Ok(entries)
}

/// Reads a file as it was listed: its bytes as delivered, and what is remembered of it.
pub fn read(
    folder: &Path,
    entry: &Entry,
    dated: Option<NaiveDateTime>,
    max_bytes: u64,
) -> Result<(Bytes, Taken), FolderError> {
    read_with(folder, entry, dated, max_bytes, || ())
}

/// Reads a file, and calls `between` before it looks at it once more.
pub(crate) fn read_with(
    folder: &Path,
    entry: &Entry,
    dated: Option<NaiveDateTime>,
    max_bytes: u64,
    between: impl FnOnce(),
) -> Result<(Bytes, Taken), FolderError> {
    let name = || entry.name.clone();
    let failed = |source| FolderError::Read {
        name: name(),
        source,
    };
    let path = folder.join(&entry.name);
    let file = open_itself(&path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    if !is_same(&before, entry.size, entry.modified) {
        return Err(FolderError::Changed { name: name() });
    }
    if entry.size > max_bytes {
        return Err(FolderError::TooLarge {
            name: name(),
            most: max_bytes,
        });
    }
    let most = entry.size.saturating_add(1);
    let (bytes, sha256) = Bytes::read((&file).take(most)).map_err(failed)?;
    between();
    let now_there = std::fs::symlink_metadata(&path);
    let unchanged = |after: &Metadata| {
        is_same(after, entry.size, entry.modified)
            && (after.dev(), after.ino()) == (before.dev(), before.ino())
    };
    let opened = file.metadata().map_err(failed)?;
    let same = unchanged(&opened) && now_there.is_ok_and(|after| unchanged(&after));
    if !same || bytes.len() as u64 != entry.size {
        return Err(FolderError::Changed { name: name() });
    }
    let taken = Taken::new(entry, dated, sha256);
    Ok((bytes, taken))
}

/// Opens a file but no link in its place, and does not wait for the other end of a pipe.
pub(super) fn open_itself(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Whether a file is regular and of this size and time.
pub(super) fn is_same(metadata: &Metadata, size: u64, time: DateTime<Utc>) -> bool {
    metadata.is_file() && metadata.len() == size && modified(metadata) == time
}

/// The time of modification. A time beyond the calendar, which file systems can hold, becomes its end.
fn modified(metadata: &Metadata) -> DateTime<Utc> {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    let end = if metadata.mtime() < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp(metadata.mtime(), nanoseconds).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::source::intake::tests::source;

    fn folder_with(name: &str, text: &str) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let source = Source {
            folder: folder.path().to_owned(),
            ..source("roster*.csv")
        };
        (folder, source)
    }

    #[test]
    fn only_regular_files_are_listed() {
        let (folder, source) = folder_with("roster.csv", "abc");
        fs::create_dir(folder.path().join("roster_old.csv")).unwrap();
        std::os::unix::fs::symlink("roster.csv", folder.path().join("latest")).unwrap();
        let entries = list(&source).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].name.as_str(), entries[0].size),
            ("roster.csv", 3)
        );
        let link = folder.path().join("roster_link.csv");
        std::os::unix::fs::symlink("roster.csv", &link).unwrap();
        assert!(matches!(list(&source), Err(FolderError::Link { .. })));
        fs::remove_file(link).unwrap();
        let gone = Source {
            folder: folder.path().join("gone"),
            ..source
        };
        assert!(
            list(&gone)
                .unwrap_err()
                .to_string()
                .ends_with("gone cannot be listed")
        );
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_an_error_only_where_it_could_be_a_roster() {
        let (folder, source) = folder_with("roster.csv", "abc");
        fs::write(folder.path().join(OsStr::from_bytes(b"b\xFCcher.txt")), "").unwrap();
        // It is counted, and nothing else.
        assert_eq!(list(&source).unwrap().len(), 2);
        fs::write(
            folder
                .path()
                .join(OsStr::from_bytes(b"roster_M\xFCnchen.csv")),
            "",
        )
        .unwrap();
        assert!(
            matches!(list(&source), Err(FolderError::NameNotUtf8 { lossy, .. }) if lossy == "roster_M\u{FFFD}nchen.csv")
        );
    }

    #[test]
    fn a_file_is_read_and_remembered_by_its_sha_256() {
        let (folder, source) = folder_with("roster.csv", "abc");
        let entry = &list(&source).unwrap()[0];
        let (bytes, taken) = read(folder.path(), entry, None, 3).unwrap();
        assert_eq!(bytes.into_one(), b"abc");
        assert_eq!(
            taken.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(matches!(
            read(folder.path(), entry, None, 2),
            Err(FolderError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_fails() {
        type Change = fn(&Path);
        let changes: [Change; 5] = [
            |path| fs::write(path, "abcd").unwrap(),
            |path| fs::write(path, "ab").unwrap(),
            |path| {
                File::open(path)
                    .unwrap()
                    .set_modified(std::time::SystemTime::UNIX_EPOCH)
                    .unwrap();
            },
            |path| {
                // The same size and time, but another file.
                let time = fs::metadata(path).unwrap().modified().unwrap();
                let other = path.with_extension("new");
                fs::write(&other, "xyz").unwrap();
                File::open(&other).unwrap().set_modified(time).unwrap();
                fs::rename(other, path).unwrap();
            },
            |path| fs::remove_file(path).unwrap(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (folder, source) = folder_with("roster.csv", "abc");
            let entry = &list(&source).unwrap()[0];
            let path = folder.path().join("roster.csv");
            let result = read_with(folder.path(), entry, None, 100, || change(&path));
            assert!(
                matches!(result, Err(FolderError::Changed { .. })),
                "change {number}: {result:?}"
            );
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_listed_file_is_not_followed() {
        let (folder, source) = folder_with("roster.csv", "abc");
        let entry = &list(&source).unwrap()[0];
        fs::rename(
            folder.path().join("roster.csv"),
            folder.path().join("other"),
        )
        .unwrap();
        std::os::unix::fs::symlink("other", folder.path().join("roster.csv")).unwrap();
        assert!(matches!(
            read(folder.path(), entry, None, 100),
            Err(FolderError::Read { .. })
        ));
    }
}
