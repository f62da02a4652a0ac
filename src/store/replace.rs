//! Replaces the store and the audit log by others in such a way that no instant shows half of it.
//!
//! A database with a write-ahead log is up to three files, and the audit log is a fourth, so no single rename exchanges them: a new database beside an old `-wal` would be destroyed by it,
//! and an old one without its `-wal` has forgotten pushes. So the new files are first put on disk under other names. Then one small file, the intent, gets its name by a rename:
//! before that the old state counts, from then on the new one. Whoever opens the store and finds an intent carries it out to its end first; each of its steps may be
//! repeated. What was there before is moved aside, never deleted.
//!
//! Every open store holds `store.lock` shared and a replacement holds it alone, so that nobody works on in files that were moved away: such a process would
//! push from a state that no longer counts.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{FILE, StoreError, make_folder};
use crate::audit::AuditFile;

/// How long the store's next user waits for a restore to end.
const PATIENCE: Duration = Duration::from_secs(60);

const LOCK: &str = "store.lock";
const INTENT: &str = "restore.json";
/// The folder in `state_dir` where a new store waits for its intent.
const STAGING: &str = "restore-new";

/// What is to be done. It stands on disk from the moment that counts until it is done.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// The folder in the state folder into which the old files go.
    aside: String,
    /// The audit log.
    audit: PathBuf,
    /// The rotated files of the new one: what follows the log's name in theirs.
    #[serde(default)]
    rotated: Vec<String>,
}

/// The proof that no other process has this store open, nor can open it.
#[derive(Debug)]
pub(crate) struct Alone {
    folder: PathBuf,
    _lock: File,
}

/// Whether a replacement was begun that counts already and is not done.
pub(super) fn is_pending(folder: &Path) -> io::Result<bool> {
    folder.join(INTENT).try_exists()
}

/// Holds the store of this folder against replacement; waits for one in progress, and finishes one that was interrupted.
pub(super) fn share(folder: &Path) -> Result<File, StoreError> {
    let failed = in_folder(folder);
    loop {
        let lock = open_lock(folder).map_err(failed)?;
        wait(folder, || lock.try_lock_shared())?;
        if !is_pending(folder).map_err(failed)? {
            return Ok(lock);
        }
        drop(lock);
        let lock = open_lock(folder).map_err(failed)?;
        wait(folder, || lock.try_lock())?;
        finish(folder)?;
    }
}

/// Tries again and again, as long as a restore may take that is not stuck.
fn wait(folder: &Path, attempt: impl Fn() -> Result<(), TryLockError>) -> Result<(), StoreError> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                // The other process is real, so this wait is too, whatever the clock.
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::BeingReplaced),
            Err(TryLockError::Error(cause)) => return Err(in_folder(folder)(cause)),
        }
    }
}

impl Alone {
    /// Takes the state folder for itself, which is made where it is missing, and finishes a replacement that was interrupted; `None` while another process has the store open.
    pub(crate) fn take(folder: &Path) -> Result<Option<Self>, StoreError> {
        make_folder(folder)?;
        let lock = open_lock(folder).map_err(in_folder(folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => return Err(in_folder(folder)(cause)),
        }
        finish(folder)?;
        Ok(Some(Self {
            folder: folder.to_owned(),
            _lock: lock,
        }))
    }

    /// An empty folder for the new store, which has to be one single file there. What an earlier attempt left is removed.
    pub(crate) fn stage(&self) -> Result<PathBuf, StoreError> {
        let staging = self.folder.join(STAGING);
        self.clear().map_err(in_folder(&self.folder))?;
        make_folder(&staging)?;
        Ok(staging)
    }

    /// Removes what was staged.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.folder.join(STAGING)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Decides that the staged store, and the audit log that stands at [`staged_audit`](Self::staged_audit), count from now on; the old ones will go to the folder
    /// `aside` in the state folder. An error decides nothing.
    pub(crate) fn decide(
        &self,
        aside: &str,
        audit: &Path,
        rotated: Vec<String>,
    ) -> Result<(), StoreError> {
        let intent = Intent {
            aside: aside.to_owned(),
            audit: audit.to_owned(),
            rotated,
        };
        let written = self.write(&intent);
        if written.is_err() {
            let _ = fs::remove_file(self.folder.join(INTENT));
        }
        written.map_err(in_folder(&self.folder))
    }

    /// Does what was decided. After an error the next process that opens the store does the rest.
    pub(crate) fn carry_out(&self) -> Result<(), StoreError> {
        crate::crash::point("restore_decided");
        finish(&self.folder)
    }

    fn write(&self, intent: &Intent) -> io::Result<()> {
        sync(&self.folder.join(STAGING))?;
        let part = self.folder.join(format!("{INTENT}.part"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(&serde_json::to_vec(intent)?)?;
        file.sync_all()?;
        fs::rename(part, self.folder.join(INTENT))?;
        sync(&self.folder)
    }

    /// Where the new audit log waits: beside the old one, so that a rename puts it in place.
    pub(crate) fn staged_audit(audit: &Path) -> PathBuf {
        let mut name = audit.as_os_str().to_owned();
        name.push(".restore-new");
        name.into()
    }
}

/// Carries out what an intent says, from wherever an earlier attempt stopped.
fn finish(folder: &Path) -> Result<(), StoreError> {
    let text = match fs::read(folder.join(INTENT)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(in_folder(folder)(error)),
    };
    let Intent {
        aside,
        audit,
        rotated,
    } = serde_json::from_slice(&text)
        .map_err(|_| StoreError::Unreadable("the intent of a restore"))?;
    let aside = folder.join(aside);
    put_store(folder, &aside).map_err(in_folder(folder))?;
    crate::crash::point("restore_store");
    put_audit(&audit, &rotated, &aside).map_err(|cause| StoreError::Audit {
        path: audit.clone(),
        cause,
    })?;
    crate::crash::point("restore_log");
    let end = || {
        fs::remove_file(folder.join(INTENT))?;
        sync(folder)?;
        crate::crash::point("restore_done");
        fs::remove_dir_all(folder.join(STAGING))
    };
    end().map_err(in_folder(folder))
}

fn put_store(folder: &Path, aside: &Path) -> io::Result<()> {
    let staged = folder.join(STAGING).join(FILE);
    // Once it has gone from here it is in place, and nothing else is.
    if !staged.try_exists()? {
        return Ok(());
    }
    for ending in ["", "-wal", "-shm"] {
        let name = format!("{FILE}{ending}");
        move_aside(&folder.join(&name), aside, &name)?;
        crate::crash::point("restore_aside");
    }
    sync(folder)?;
    fs::rename(staged, folder.join(FILE))?;
    sync(folder)
}

fn put_audit(audit: &Path, rotated: &[String], aside: &Path) -> io::Result<()> {
    let staged = Alone::staged_audit(audit);
    // The current file comes last: once it has gone from here all are in place.
    if !staged.try_exists()? {
        return Ok(());
    }
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for old in AuditFile::new(audit.to_owned()).rotated_as_they_are()? {
        let placed = rotated
            .iter()
            .find(|suffix| with(audit, suffix) == old.path);
        // One of the new ones that is in place already does not wait any more.
        let is_placed = match placed {
            Some(suffix) => !with(&staged, suffix).try_exists()?,
            None => false,
        };
        if !is_placed {
            move_aside(&old.path, aside, &old.name())?;
            crate::crash::point("restore_aside");
        }
    }
    for suffix in rotated {
        let from = with(&staged, suffix);
        if from.try_exists()? {
            fs::rename(from, with(audit, suffix))?;
            crate::crash::point("restore_rotated");
        }
    }
    let name = audit.file_name().unwrap_or_default().to_string_lossy();
    move_aside(audit, aside, &name)?;
    fs::rename(staged, audit)?;
    audit.parent().map_or(Ok(()), sync)
}

/// Moves a file, if it is there, into the folder `aside`, which is made for it; to another file system too.
fn move_aside(from: &Path, aside: &Path, name: &str) -> io::Result<()> {
    if !from.try_exists()? {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(aside)?;
    let to = aside.join(name);
    match fs::rename(from, &to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            fs::copy(from, &to)?;
            File::open(&to)?.sync_all()?;
            sync(aside)?;
            fs::remove_file(from)?;
        }
        other => other?,
    }
    sync(aside)
}

fn open_lock(folder: &Path) -> io::Result<File> {
    super::private_file(&folder.join(LOCK))
}

/// Puts the names in a folder on disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn in_folder(folder: &Path) -> impl Fn(io::Error) -> StoreError + Copy {
    move |cause| StoreError::Folder {
        path: folder.to_owned(),
        cause,
    }
}
