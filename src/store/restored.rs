//! The mark of a store that came from a backup: of each target it may know less than JobTicket, for there may have been pushes after the backup was made.
//!
//! The mark is made before a restored store gets its place, so that no instant shows one without it, and it stands until a person adopts the target. What the store that was there knows and no
//! backup can know goes with it: who was forgotten, and how far the log had come that the backup's log takes the place of.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::forget::{Forgotten, forgotten};
use super::{Notes, Store, StoreError, Target, outbox};
use crate::audit::Head;

/// Up to which line logs were replaced; empty where nobody knows.
const REPLACED: &str = "audit_replaced";

/// What a store that is about to be replaced knows.
#[derive(Debug, Default)]
pub(crate) struct Former {
    pub(crate) forgotten: Vec<Forgotten>,
    /// The end of its log; `None` where there is none, or it cannot be read.
    pub(crate) head: Option<Head>,
    /// Up to which line its log, or one that it has replaced in turn, had come; `None` where that is not known.
    pub(crate) up_to: Option<u64>,
}

/// The name of a target's mark among the facts.
fn name(target: &str) -> String {
    format!("restored:{target}")
}

impl Store {
    /// When the state of this target was restored from a backup, if it was and nobody has adopted it since.
    pub fn restored(&self, target: &Target) -> Result<Option<DateTime<Utc>>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row(
                "SELECT value FROM fact WHERE name = ?1",
                [name(target.as_str())],
                |row| row.get(0),
            )
            .optional()?;
        text.map(|text| {
            text.parse()
                .map_err(|_| StoreError::Unreadable("a time of a restore"))
        })
        .transpose()
    }

    /// Marks every target that this store has ever pushed to, and remembers up to which line the log was replaced.
    pub(crate) fn mark_restored(
        &self,
        up_to: Option<u64>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        let now = self.clock.now().to_rfc3339();
        let up_to = up_to.map_or_else(String::new, |up_to| up_to.to_string());
        self.write(|transaction| {
            super::runs::set_fact(transaction, REPLACED, &up_to)?;
            let targets: Vec<String> = transaction
                .prepare("SELECT target FROM snapshot UNION SELECT target FROM push")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for target in targets {
                super::runs::set_fact(transaction, &name(&target), &now)?;
            }
            // What was on its way to people then has arrived long ago, or is not so any more.
            let sql = "UPDATE notice SET state = 'dropped', done = ?1 WHERE state = 'waits'";
            transaction.execute(sql, [self.clock.now().timestamp_millis()])?;
            self.note(transaction, notes)
        })
    }
}

/// What a store knows that is about to be replaced, of which a copy is made in `scratch`, for reading it in place would change it; `None` where it cannot be read.
pub(crate) fn former_in(folder: &Path, scratch: &Path) -> Option<Former> {
    let (from, to) = (folder.join(super::FILE), scratch.join("before.db"));
    if !from.exists() {
        return Some(Former::default());
    }
    let with = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    std::fs::copy(&from, &to).ok()?;
    if with(&from).exists() {
        std::fs::copy(with(&from), with(&to)).ok()?;
    }
    let found = Connection::open(&to).map_err(StoreError::from);
    let found = found.and_then(|connection| former(&connection));
    for ending in ["", "-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
    found.ok()
}

fn former(connection: &Connection) -> Result<Former, StoreError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'forgotten'";
    let forgotten = match connection.query_row(sql, [], |_| Ok(())).optional()? {
        None => Vec::new(),
        Some(()) => forgotten(connection, "")?,
    };
    let head = outbox::head(connection).ok().filter(|head| head.seq > 0);
    let sql = "SELECT value FROM fact WHERE name = ?1";
    let before: Option<String> = connection
        .query_row(sql, [REPLACED], |row| row.get(0))
        .optional()?;
    let up_to = match (&head, before) {
        (None, _) => None,
        (Some(head), None) => Some(head.seq),
        (Some(head), Some(before)) => before.parse().ok().map(|before| head.seq.max(before)),
    };
    Ok(Former {
        forgotten,
        head,
        up_to,
    })
}

/// Takes the mark of a target away, within a change.
pub(super) fn clear_restored(
    transaction: &Transaction<'_>,
    target: &Target,
) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM fact WHERE name = ?1", [name(target.as_str())])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_mark_of_a_restored_target_stands_until_it_is_cleared() {
        let store = Store::in_memory(Clock::system()).unwrap();
        let (ours, other) = (
            Target::new("https://a.example", 7),
            Target::new("https://a.example", 8),
        );
        store
            .write(|transaction| {
                transaction.execute(
                    "INSERT INTO snapshot (target, sync_id, acknowledged_at, rules_hash) VALUES (?1, 's', 't', 'h')",
                    [ours.as_str()],
                )?;
                Ok(())
            })
            .unwrap();
        assert_eq!(store.restored(&ours).unwrap(), None);
        store.mark_restored(None, &Notes::default()).unwrap();
        assert!(store.restored(&ours).unwrap().is_some());
        assert_eq!(
            store.restored(&other).unwrap(),
            None,
            "it is a first contact as it is"
        );
        store
            .write(|transaction| clear_restored(transaction, &ours))
            .unwrap();
        assert_eq!(store.restored(&ours).unwrap(), None);
    }
}
