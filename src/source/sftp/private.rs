//! A file for what is fetched, which nobody else can open and which is gone when it is closed, whatever ends the program.
//!
//! It has no name: Linux makes such files (`O_TMPFILE`). Where the file system cannot, it has one for an instant; a program that is killed in that instant leaves it
//! behind, and the next pull removes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::source::text::Bytes;

/// How the names of such files begin and end.
const NAME: (&str, &str) = ("fetching-", ".part");

/// Makes one in this folder, or, where the folder is not there yet, in that of the system for such files.
pub(super) fn file(folder: &Path) -> io::Result<File> {
    let elsewhere = std::env::temp_dir();
    let folder = if folder.is_dir() { folder } else { &elsewhere };
    sweep(folder);
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let nameless = options
        .clone()
        .custom_flags(OFlag::O_TMPFILE.bits())
        .open(folder);
    nameless.or_else(|_| named(folder, &mut options))
}

/// What was written to one, and its SHA-256.
pub(super) fn content(file: &mut File) -> io::Result<(Bytes, String)> {
    file.rewind()?;
    Bytes::read(file)
}

fn named(folder: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let path = folder.join(format!("{}{random}{}", NAME.0, NAME.1));
    let file = options.create_new(true).open(&path)?;
    match std::fs::remove_file(path) {
        // Another pull has swept it away already.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(file),
        removed => removed.map(|()| file),
    }
}

/// Removes what was left behind. Whoever has one of them open keeps it.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| {
            name.strip_prefix(NAME.0)
                .and_then(|name| name.strip_suffix(NAME.1))
                .is_some_and(|random| random.len() == 32)
        });
        if is_ours {
            // Another pull may be faster.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_file_is_for_its_owner_alone_and_in_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let options = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).mode(0o600).clone()
        };
        for mut file in [
            file(folder.path()).unwrap(),
            named(folder.path(), &mut options()).unwrap(),
        ] {
            assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            file.write_all(b"abc").unwrap();
            file.rewind().unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "abc");
        }
    }

    #[test]
    fn what_a_kill_left_behind_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = format!("fetching-{}.part", uuid::Uuid::new_v4().simple());
        for name in [left.as_str(), "fetching-x.part", "state.db"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        file(folder.path()).unwrap();
        assert!(!folder.path().join(left).exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
