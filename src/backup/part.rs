//! A file that is written under a name of its own and gets its real name only when it is whole and on disk.
//!
//! The lock tells a part that somebody is writing from one that a crash has left; the latter is used again. What the path names may change between
//! opening and locking it, so that is looked at once more.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// A file in the making. Dropped before its end, it is removed.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    to: PathBuf,
    finished: bool,
}

impl Part {
    /// Begins the file `to`, for its owner alone; `None` while another process is writing it.
    pub(crate) fn begin(to: &Path) -> io::Result<Option<Self>> {
        let mut name = std::ffi::OsString::from(".");
        name.push(to.file_name().unwrap_or_default());
        name.push(".part");
        let path = to.with_file_name(name);
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let ours = file.metadata()?;
            let named = fs::symlink_metadata(&path);
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
                file.set_len(0)?;
                return Ok(Some(Self {
                    file,
                    path,
                    to: to.to_owned(),
                    finished: false,
                }));
            }
        }
    }

    /// To write to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Puts the content on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the file its name, in place of one that has it.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.to)?;
        self.finished = true;
        File::open(folder_of(&self.to))?.sync_all()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder that a file stands in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
