//! A copy of the store, and how far the audit log had come at that very instant, while others go on using both.
//!
//! The audit log is locked while the outbox is emptied into it and SQLite's view of the store is fixed, so the two agree: the log holds every line that the copy takes for
//! appended, and no line that the copy does not know. What comes later is in neither. The pages are copied by SQLite's backup API after the lock is given
//! back, from the view that was fixed.

use std::ffi::c_int;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{Store, StoreError, open_private, schema};
use crate::audit::AuditFile;

/// The wait before another attempt where a page cannot be read at once. All pages go in one step, for the view is fixed anyway.
const PAUSE: Duration = Duration::from_millis(50);

/// What was copied.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The audit log, opened for reading.
    pub(crate) log: File,
    /// How much of it belongs to the copy.
    pub(crate) log_bytes: u64,
    /// The files before it, oldest first: what follows the name of the log in theirs, and the file.
    pub(crate) rotated: Vec<(String, File)>,
    /// What the copy holds.
    pub(crate) holds: Vec<Holding>,
}

/// The snapshot of one target.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    /// Which, as [`Target::as_str`](super::Target::as_str) has it.
    pub(crate) target: String,
    /// How many people are in it.
    pub(crate) employees: u64,
    /// When JobTicket acknowledged it.
    pub(crate) acknowledged: String,
}

impl Store {
    /// Copies the store into a new file, which becomes a single file of its own, and says how much of the audit log belongs to it.
    pub(crate) fn copy_to(&self, path: &Path, audit: &AuditFile) -> Result<Copied, StoreError> {
        let failed = |cause| StoreError::Audit {
            path: audit.path().to_owned(),
            cause,
        };
        let mut locked = audit.lock().map_err(failed)?;
        self.flush_locked(&mut locked, audit)?;
        let connection = self.lock();
        let view = connection.unchecked_transaction()?;
        // The first read fixes the view.
        let holds = holds(&view)?;
        // Nothing is rotated while the log is locked.
        let rotated = audit.open_rotated().map_err(failed)?;
        let (log, log_bytes) = locked.release().map_err(failed)?;
        let mut copy = open_private(path)?;
        Backup::new(&view, &mut copy)?.run_to_completion(c_int::MAX, PAUSE, None)?;
        check(&copy, path)?;
        as_one_file(&copy)?;
        Ok(Copied {
            log,
            log_bytes,
            rotated,
            holds,
        })
    }

    /// What the store holds.
    pub(crate) fn holdings(&self) -> Result<Vec<Holding>, StoreError> {
        holds(&self.lock())
    }

    /// Closes the store, of which this has to be the only clone, so that it is a single file.
    pub(crate) fn close_as_one_file(self) -> Result<(), StoreError> {
        as_one_file(&self.lock())
    }
}

/// The version of the store in a single file, which is checked and not changed.
pub(crate) fn version_of(path: &Path) -> Result<i64, StoreError> {
    let look = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags)?;
        schema::check(&file)?;
        check(&file, path)?;
        let version = file.pragma_query_value(None, "user_version", |row| row.get(0))?;
        // An empty database passes as a store that is still to be made, and here it is none.
        (version > 0).then_some(version).ok_or(StoreError::NotOurs)
    };
    look().map_err(|error: StoreError| error.named(path))
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path.to_owned(),
        detail: found,
    })
}

/// Leaves the write-ahead log empty and away; the next to open the store begins another.
fn as_one_file(connection: &Connection) -> Result<(), StoreError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
    if mode == "delete" {
        Ok(())
    } else {
        Err(StoreError::NoWal(mode))
    }
}

fn holds(connection: &Connection) -> Result<Vec<Holding>, StoreError> {
    let mut select = connection.prepare(
        "SELECT target, acknowledged_at, (SELECT count(*) FROM snapshot_employee e WHERE e.snapshot = s.number) FROM snapshot s ORDER BY target",
    )?;
    let holds = select.query_map([], |row| {
        Ok(Holding {
            target: row.get(0)?,
            acknowledged: row.get(1)?,
            employees: row.get(2)?,
        })
    })?;
    Ok(holds.collect::<Result<_, _>>()?)
}
