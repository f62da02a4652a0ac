//! Moves a file that was used out of the drop folder.
//!
//! Nothing is ever overwritten, and only the file that was read is moved: a sender may have delivered tomorrow's under the same name meanwhile, which
//! nobody would ever read in the archive. A failure here is no failure of the run, whose people are delivered by then.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::folder::{is_same, open_itself};
use super::intake::Taken;

/// So many files of one name, and something else is wrong.
const MOST_OF_ONE_NAME: u32 = 100_000;

/// Why a file stays where it is.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum ArchiveError {
    #[error("The archive folder {} cannot be created", folder.display())]
    Create { folder: PathBuf, source: io::Error },
    #[error(
        "The file {name} changed after it was read and was not archived; it is read by the next run"
    )]
    Changed { name: String },
    #[error("The file {name} cannot be moved into {}", folder.display())]
    Move {
        name: String,
        folder: PathBuf,
        source: io::Error,
    },
}

/// Moves the file that was taken, and its marker, into a folder, under a name that is free there. Gives the file's new path.
pub fn archive(
    folder: &Path,
    taken: &Taken,
    marker: Option<&str>,
    into: &Path,
) -> Result<PathBuf, ArchiveError> {
    let create = DirBuilder::new().recursive(true).mode(0o700).create(into);
    create.map_err(|source| ArchiveError::Create {
        folder: into.to_owned(),
        source,
    })?;
    let failed = |name: &str, source| ArchiveError::Move {
        name: name.to_owned(),
        folder: into.to_owned(),
        source,
    };
    let is_taken = |path: &Path| {
        let metadata = fs::symlink_metadata(path);
        metadata.is_ok_and(|metadata| is_same(&metadata, taken.size, taken.modified))
    };
    let from = folder.join(&taken.name);
    if fs::symlink_metadata(&from).is_ok() && !is_taken(&from) {
        return Err(ArchiveError::Changed {
            name: taken.name.clone(),
        });
    }
    let moved = relocate(&from, &taken.name, into).map_err(|source| failed(&taken.name, source))?;
    if !is_taken(&moved) {
        // It came in the last instant: back to where it is read from, unless an even newer one is there.
        if fs::symlink_metadata(&from).is_err() {
            fs::rename(&moved, &from).map_err(|source| failed(&taken.name, source))?;
        }
        return Err(ArchiveError::Changed {
            name: taken.name.clone(),
        });
    }
    // The file goes first: a marker alone is harmless, a file without its marker is waited for.
    if let Some(marker) = marker {
        relocate(&folder.join(marker), marker, into).map_err(|source| failed(marker, source))?;
    }
    Ok(moved)
}

/// What became of a file that was to be removed from an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is removed.
    Removed,
    /// It was not there any more.
    Gone,
    /// Another one has its name, and stays.
    Another,
}

/// Removes a file from an archive, if it is still the one that was put there: a file itself, of that size and time.
pub fn remove_archived(path: &Path, size: u64, modified: DateTime<Utc>) -> io::Result<Put> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Put::Gone),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() || !is_same(&metadata, size, modified) {
        return Ok(Put::Another);
    }
    fs::remove_file(path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(Put::Removed)
}

fn relocate(from: &Path, name: &str, into: &Path) -> io::Result<PathBuf> {
    // A rename replaces what is there without a word, so the name is taken first, by an empty file of our own.
    let (claimed, to) = claim(into, name)?;
    let moved = match fs::rename(from, &to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => copy_and_remove(from, &claimed),
        other => other,
    };
    if let Err(error) = moved {
        let _ = fs::remove_file(&to);
        return Err(error);
    }
    File::open(into)?.sync_all()?;
    Ok(to)
}

/// Creates an empty file of the name, or of the name with a number where others have it.
fn claim(into: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    for number in 0..MOST_OF_ONE_NAME {
        let path = match number {
            0 => into.join(name),
            _ => into.join(format!("{name}.{number}")),
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
        {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return Ok((other?, path)),
        }
    }
    Err(io::Error::new(
        ErrorKind::AlreadyExists,
        "No name is free in the archive",
    ))
}

/// Moves to another file system: copies bytes and time of modification, to the disk itself, then removes what was copied and nothing newer.
fn copy_and_remove(from: &Path, to: &File) -> io::Result<()> {
    let (mut source, mut target) = (open_itself(from)?, to);
    let identity = |metadata: &Metadata| {
        let time = (metadata.mtime(), metadata.mtime_nsec());
        (metadata.dev(), metadata.ino(), metadata.len(), time)
    };
    let before = source.metadata()?;
    io::copy(&mut source, &mut target)?;
    target.set_modified(before.modified()?)?;
    target.sync_all()?;
    if identity(&fs::symlink_metadata(from)?) != identity(&before) {
        return Err(io::Error::other("The file changed while it was copied"));
    }
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::source::folder;
    use crate::source::intake::tests::source;

    fn deliver(folder: &Path, text: &str) -> Taken {
        fs::write(folder.join("roster.csv"), text).unwrap();
        let source = crate::config::Source {
            folder: folder.to_owned(),
            ..source("roster*.csv")
        };
        let entries = folder::list(&source).unwrap();
        let entry = entries
            .iter()
            .find(|entry| entry.name == "roster.csv")
            .unwrap();
        folder::read(folder, entry, None, 100).unwrap().1
    }

    #[test]
    fn files_and_markers_move_under_names_that_overwrite_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("archive/2026");
        for (text, name) in [
            ("a", "roster.csv"),
            ("b", "roster.csv.1"),
            ("c", "roster.csv.2"),
        ] {
            let taken = deliver(folder.path(), text);
            fs::write(folder.path().join("roster.csv.done"), "").unwrap();
            let moved = archive(folder.path(), &taken, Some("roster.csv.done"), &into).unwrap();
            assert_eq!(moved, into.join(name));
            assert_eq!(fs::read_to_string(moved).unwrap(), text);
            assert!(!folder.path().join("roster.csv").exists());
            assert!(!folder.path().join("roster.csv.done").exists());
        }
        assert_eq!(fs::read_to_string(into.join("roster.csv")).unwrap(), "a");
        assert!(into.join("roster.csv.done.2").exists());
        assert_eq!(
            fs::metadata(&into).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_file_that_came_after_the_one_that_was_read_stays() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("archive");
        let taken = deliver(folder.path(), "old");
        fs::write(folder.path().join("roster.csv"), "newer").unwrap();
        let error = archive(folder.path(), &taken, None, &into).unwrap_err();
        assert!(matches!(error, ArchiveError::Changed { .. }));
        assert_eq!(
            fs::read_to_string(folder.path().join("roster.csv")).unwrap(),
            "newer"
        );
        assert_eq!(fs::read_dir(into).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_gone_leaves_nothing_in_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("archive");
        let taken = deliver(folder.path(), "a");
        fs::remove_file(folder.path().join("roster.csv")).unwrap();
        assert!(matches!(
            archive(folder.path(), &taken, None, &into),
            Err(ArchiveError::Move { .. })
        ));
        assert_eq!(fs::read_dir(into).unwrap().count(), 0);
    }

    #[test]
    fn a_file_moved_to_another_file_system_keeps_its_bytes_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let taken = deliver(folder.path(), "abc");
        let (file, to) = claim(folder.path(), "copy").unwrap();
        copy_and_remove(&folder.path().join("roster.csv"), &file).unwrap();
        assert!(!folder.path().join("roster.csv").exists());
        assert_eq!(fs::read_to_string(&to).unwrap(), "abc");
        assert!(is_same(
            &fs::metadata(to).unwrap(),
            taken.size,
            taken.modified
        ));
    }
}
