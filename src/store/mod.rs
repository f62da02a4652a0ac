//! The state: SQLite in `state_dir`, for nobody else to read.
//!
//! Everything is keyed by the [`Target`], so that another API or integration is a first contact and never "nothing changed". Each method is one unit of work and one
//! transaction; events for the audit log are part of it. The snapshot moves only with a [`Receipt`](crate::jobticket::Receipt). All of this blocks: callers keep it off the
//! async threads. WAL does not work on network file systems, so what `journal_mode` answers is checked.

mod archived;
mod copy;
mod decide;
mod difference;
mod forget;
mod groups;
mod holds;
mod ledger;
mod lock;
mod notices;
mod outbox;
mod person;
mod pieces;
mod push;
mod replace;
mod restored;
mod runs;
mod schema;
mod snapshot;
mod sources;
mod spool;
mod standing;
mod summary;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

pub(crate) use archived::Archived;
pub(crate) use copy::{Copied, Holding, version_of};
pub use forget::Active;
pub(crate) use forget::{Going, Gone};
pub use holds::{
    Decision, HeldPerson, HeldState, HoldRecord, HoldState, HoldsUpdate, NewHold, Scope, Verb,
};
pub use ledger::Ledger;
pub use lock::{LockTaken, RunLock, ServiceLock};
pub(crate) use notices::LONGEST_PUT_OFF;
pub use notices::{ChannelState, News, Notice};
pub use outbox::{MissingLines, Note, Notes};
pub use person::{DecisionRecord, Left, Remembered};
pub use push::{Prepared, PushRoster, PushState, Settled, Unsettled};
pub(crate) use replace::Alone;
pub(crate) use restored::{Former, former_in};
pub use snapshot::rules_mark;
pub use sources::{Delivered, SourceState, pieces_of};
pub use spool::Spool;
pub use standing::{Ended, Fact, Missing, Origin, Pause};
pub use summary::{HoldSummary, Requests, Unfinished};

use crate::audit::private_file;
use crate::clock::Clock;

/// So long one process waits for another that writes. Ours: no transaction takes seconds.
const BUSY: Duration = Duration::from_secs(30);

/// From so many pages of 4 KiB on the journal is written back into the database. Ours: a run over a large roster does so once in its end instead of after each step.
const WAL_PAGES: i32 = 8_192;

/// The file of the store in `state_dir`.
pub const FILE: &str = "state.db";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be made or opened.
    #[error(
        "The state folder {path} cannot be used ({cause}); check that it exists, has room and belongs to this user"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// SQLite said no.
    #[error(
        "A database in the state folder cannot be used ({0}); check the disk's room and rights, and go on from a backup if it is damaged"
    )]
    Sqlite(#[from] rusqlite::Error),
    /// The file is damaged.
    #[error("The file {path} is damaged ({detail}); nothing was changed. Restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// The file is a database of another program.
    #[error(
        "state.db in the state folder is not a store of jobticket-sync; set state_dir to a folder of its own, or go on from a backup if this is the right one and it is damaged"
    )]
    NotOurs,
    /// The file was written by a newer version of this program.
    #[error(
        "The store has version {found} and this program knows {known}; install the newer jobticket-sync again"
    )]
    Newer {
        /// The file's version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The folder lies where SQLite's journal cannot be kept safe.
    #[error(
        "The state folder is on a file system without shared memory (journal mode {0}), such as NFS; use a local disk"
    )]
    NoWal(String),
    /// Another process is putting a backup in place.
    #[error("A restore is in progress in the state folder; try again when it is over")]
    BeingReplaced,
    /// The audit log cannot be written, so nothing may be done.
    #[error("The audit log {path} cannot be written ({cause}); nothing is done without it")]
    Audit {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Something in the store cannot be read as what it should be.
    #[error("The store holds {0} that cannot be read; restore it from a backup")]
    Unreadable(&'static str),
}

impl StoreError {
    /// Where SQLite finds that a file is damaged, or no database at all: the error that says so and names it.
    fn named(self, path: &Path) -> Self {
        let damaged = [ErrorCode::NotADatabase, ErrorCode::DatabaseCorrupt];
        match &self {
            Self::Sqlite(error)
                if error
                    .sqlite_error_code()
                    .is_some_and(|code| damaged.contains(&code)) =>
            {
                Self::Damaged {
                    path: path.to_owned(),
                    detail: error.to_string(),
                }
            }
            _ => self,
        }
    }
}

/// What the state is keyed by: the API's origin and the integration's number there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target(String);

impl Target {
    /// The key of an integration.
    pub fn new(origin: &str, integration_id: u64) -> Self {
        Self(format!("{origin}#{integration_id}"))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The open store. Clones share one connection.
#[derive(Debug, Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    clock: Clock,
    /// Keeps a restore from moving the files away from under us; a store without a file needs none.
    _in_use: Option<Arc<File>>,
}

impl Store {
    /// Opens the store in `folder`, and makes both where they are not there yet.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let in_use = replace::share(folder)?;
        let path = folder.join(FILE);
        let connection = Self::prepare_connection(&path).map_err(|error| error.named(&path))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            clock,
            _in_use: Some(Arc::new(in_use)),
        })
    }

    /// Whether there is a store in `folder`, or one that a restore has still to put there.
    pub fn is_in(folder: &Path) -> io::Result<bool> {
        Ok(folder.join(FILE).try_exists()? || replace::is_pending(folder)?)
    }

    /// Nothing is written before it is known that the file is whole and ours.
    fn prepare_connection(path: &Path) -> Result<Connection, StoreError> {
        let mut connection = open_private(path)?;
        schema::check(&connection)?;
        let found: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if found != "ok" {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                detail: found,
            });
        }
        connection.pragma_update(None, "foreign_keys", true)?;
        let mode: String = use_wal(&connection)?;
        if mode != "wal" {
            return Err(StoreError::NoWal(mode));
        }
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        schema::migrate(&mut connection)?;
        Ok(connection)
    }

    /// A store without a file, which forgets everything: for looking ahead where there is none yet.
    pub fn in_memory(clock: Clock) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            clock,
            _in_use: None,
        })
    }

    /// Writes the journal back into the database, as far as nobody reads it: for a time in which there is nothing else to do. Where that fails, nothing is lost: a
    /// commit that fills the journal does it, or the end of the program.
    pub fn write_back(&self) {
        let connection = self.lock();
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!("The journal of the store could not be written back yet: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held has rolled its transaction back.
        self.connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One transaction that may write.
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

/// Makes the folder, for its owner alone.
fn make_folder(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| StoreError::Folder {
            path: folder.to_owned(),
            cause,
        })
}

/// Opens a database file that only its owner may read; SQLite gives its journal the same rights.
fn open_private(path: &Path) -> Result<Connection, StoreError> {
    private_file(path).map_err(|cause| StoreError::Folder {
        path: path.to_owned(),
        cause,
    })?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Writes ahead from now on; what mode the database is in then. While another process makes the same change SQLite answers "locked" at once, without the wait that
/// was set, so this tries again for as long.
fn use_wal(connection: &Connection) -> rusqlite::Result<String> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut tries = BUSY.as_millis() / PAUSE.as_millis();
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        match mode {
            Err(error)
                if tries > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                tries -= 1;
                std::thread::sleep(PAUSE);
            }
            mode => return mode,
        }
    }
}
