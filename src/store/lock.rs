//! The run lock: one run at a time for an integration, over all processes; and the lock of the service, of which there is one for a state.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Target;
use crate::clock::Clock;
use crate::digest::sha256;

/// The proof that no other process runs this integration. Dropping it lets the next one in; so does the death of the process.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

/// The proof that no other service works on this state.
#[derive(Debug)]
pub struct ServiceLock {
    _file: File,
}

impl ServiceLock {
    /// Takes it; `None` where another service has it.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        super::make_folder(folder).map_err(io::Error::other)?;
        let file = super::private_file(&folder.join("service.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }
}

fn path_of(folder: &Path, target: &Target) -> PathBuf {
    folder.join(format!("run-{}.lock", &sha256(target.as_str())[..16]))
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockTaken {
    /// Another run is in progress.
    #[error(
        "Another run of {integration} is in progress; it was not over after {seconds} s. Try again when it is"
    )]
    Busy {
        /// Which integration.
        integration: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The lock's file cannot be used.
    #[error("The lock of {integration} in the state folder cannot be used ({cause})")]
    File {
        /// Which integration.
        integration: String,
        /// What the system said.
        cause: io::Error,
    },
}

impl RunLock {
    /// Whether somebody holds the lock of a target now. Looks without waiting, and takes nothing for longer than the look; what cannot be opened, nobody holds.
    pub fn is_taken(folder: &Path, target: &Target) -> bool {
        let held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(path_of(folder, target)).is_ok_and(held)
    }

    /// Takes the lock of a target, which `integration` names in messages, waiting at most `patience`; `waiting` is called once if there is something to wait for.
    pub async fn take(
        folder: &Path,
        target: &Target,
        integration: &str,
        patience: Duration,
        clock: &Clock,
        waiting: impl FnOnce(),
    ) -> Result<Self, LockTaken> {
        let failed = |cause| LockTaken::File {
            integration: integration.to_owned(),
            cause,
        };
        super::make_folder(folder).map_err(|error| failed(io::Error::other(error)))?;
        let file = super::private_file(&path_of(folder, target)).map_err(failed)?;
        let began = clock.instant();
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
                Err(TryLockError::WouldBlock) if clock.instant() - began >= patience => {
                    return Err(LockTaken::Busy {
                        integration: integration.to_owned(),
                        seconds: patience.as_secs(),
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    // The other process is real, so this wait is too, whatever the clock.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}
