//! The mark of a store that came from a backup: of each target it may know less than JobTicket, for there may have been pushes after the backup was made.
//!
//! The mark is made before a restored store gets its place, so that no instant shows one without it, and it stands until a person adopts the target.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction};

use super::{Notes, Store, StoreError, Target};

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

    /// Marks every target that this store has ever pushed to.
    pub(crate) fn mark_restored(&self, notes: &Notes) -> Result<(), StoreError> {
        let now = self.clock.now().to_rfc3339();
        self.write(|transaction| {
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
        store.mark_restored(&Notes::default()).unwrap();
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
