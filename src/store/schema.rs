//! The tables, and how an older store becomes a newer one: one step a version, each in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Marks a file as ours (`PRAGMA application_id`): "JTSY".
const APPLICATION_ID: i32 = 0x4a54_5359;

/// The steps; the number of those taken is the version (`PRAGMA user_version`). A released step is never edited.
const STEPS: [&str; 8] = [
    r"
    -- Facts of the whole installation: last configuration, head of the audit chain.
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- `target` is everywhere the API origin and the integration id.
    CREATE TABLE source (
        target TEXT NOT NULL, name TEXT NOT NULL,
        taken TEXT NOT NULL,          -- identity of the file taken last, JSON
        mapping_hash TEXT NOT NULL,   -- of the rules by which it was read
        delivered_at TEXT NOT NULL,
        PRIMARY KEY (target, name)
    ) STRICT, WITHOUT ROWID;

    -- The last good roster of a source, in pieces of JSON.
    CREATE TABLE source_rows (
        target TEXT NOT NULL, name TEXT NOT NULL, piece INTEGER NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (target, name, piece),
        FOREIGN KEY (target, name) REFERENCES source (target, name) ON DELETE CASCADE
    ) STRICT;

    -- The last acknowledged roster.
    CREATE TABLE snapshot (
        target TEXT PRIMARY KEY, sync_id TEXT NOT NULL, acknowledged_at TEXT NOT NULL, rules_hash TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE snapshot_employee (
        target TEXT NOT NULL REFERENCES snapshot (target) ON DELETE CASCADE,
        hr_id TEXT NOT NULL,
        source TEXT NOT NULL,
        employee TEXT NOT NULL,       -- values, JSON
        hash BLOB NOT NULL,           -- of the values
        filled INTEGER NOT NULL,      -- which fields are filled, a bit each
        first_seen TEXT NOT NULL,
        last_changed TEXT NOT NULL,
        PRIMARY KEY (target, hr_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE run (
        id TEXT PRIMARY KEY, target TEXT NOT NULL, trigger TEXT NOT NULL,
        started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT
    ) STRICT, WITHOUT ROWID;

    -- The outbox of pushes. The roster stays until the push is settled.
    CREATE TABLE push (
        sync_id TEXT PRIMARY KEY,
        number INTEGER NOT NULL UNIQUE,  -- in the order of the pushes, which the clock does not tell
        target TEXT NOT NULL, run TEXT NOT NULL REFERENCES run (id),
        state TEXT NOT NULL CHECK (state IN ('prepared', 'in_doubt', 'perhaps_in_part', 'acknowledged', 'refused', 'superseded')),
        body_hash TEXT NOT NULL, plan_hash TEXT NOT NULL, rules_hash TEXT NOT NULL,
        leavers TEXT NOT NULL,        -- changes of the plan in which someone leaves, JSON
        prepared_at TEXT NOT NULL, settled_at TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX push_by_state ON push (target, state);
    CREATE TABLE push_rows (
        sync_id TEXT NOT NULL REFERENCES push (sync_id) ON DELETE CASCADE,
        piece INTEGER NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (sync_id, piece)
    ) STRICT;

    -- Who left of late.
    CREATE TABLE leaver (
        target TEXT NOT NULL, hr_id TEXT NOT NULL, left_at TEXT NOT NULL, run TEXT NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (target, hr_id, left_at)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE audit_outbox (seq INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
",
    r"
    -- People, or a whole plan, that wait for a decision.
    CREATE TABLE hold (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL, integration TEXT NOT NULL, run TEXT NOT NULL, opened_at TEXT NOT NULL,
        scope TEXT NOT NULL CHECK (scope IN ('people', 'plan')),
        kind TEXT NOT NULL, why TEXT NOT NULL,   -- what tripped, JSON
        plan_hash TEXT,                          -- of a whole plan
        details TEXT NOT NULL,                   -- what there is to know besides, JSON
        state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'over')),
        decided_at TEXT
    ) STRICT;
    CREATE INDEX hold_by_state ON hold (target, state);
    CREATE TABLE held_person (
        hold INTEGER NOT NULL REFERENCES hold (id) ON DELETE CASCADE,
        hr_id TEXT NOT NULL,
        reason TEXT NOT NULL,                    -- what an approval covers
        change TEXT NOT NULL, cause TEXT,        -- what would happen and why it waits, JSON
        active INTEGER,                          -- whether they had a ticket when the hold was opened; null where that is not known
        state TEXT NOT NULL CHECK (state IN ('waits', 'approved', 'excepted', 'rejected', 'over')),
        decided_at TEXT, key_change INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (hold, hr_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX held_by_person ON held_person (hr_id);
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL, integration TEXT NOT NULL, hold INTEGER REFERENCES hold (id), kind TEXT NOT NULL,
        login TEXT NOT NULL, on_behalf_of TEXT, reason TEXT NOT NULL, at TEXT NOT NULL,
        hr_ids TEXT NOT NULL,                    -- JSON
        until TEXT
    ) STRICT;
    -- People who stay until a day, whatever the sources say.
    CREATE TABLE keep (
        target TEXT NOT NULL, hr_id TEXT NOT NULL, until TEXT NOT NULL, decision INTEGER NOT NULL REFERENCES decision (id),
        PRIMARY KEY (target, hr_id)
    ) STRICT, WITHOUT ROWID;
    -- People who would leave: since when, and on how many days a complete delivery said so.
    CREATE TABLE missing (
        target TEXT NOT NULL, hr_id TEXT NOT NULL, first_day TEXT NOT NULL, last_day TEXT NOT NULL, days INTEGER NOT NULL,
        deliveries TEXT NOT NULL,                -- the deliveries counted last, JSON
        ended TEXT, ended_told TEXT,             -- the end of their employment that the rows tell, and the first day on which they told this one
        PRIMARY KEY (target, hr_id)
    ) STRICT, WITHOUT ROWID;
    -- What is known of an integration besides, such as what stops it.
    CREATE TABLE target_fact (
        target TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (target, name)
    ) STRICT, WITHOUT ROWID;
    -- Identifies the selection rules under which somebody was last acknowledged from a row of a file; 0 is none.
    ALTER TABLE snapshot_employee ADD COLUMN rules INTEGER NOT NULL DEFAULT 0;
    -- On which calendar day somebody left, and whether without an explanation and without an approval.
    ALTER TABLE leaver ADD COLUMN day TEXT NOT NULL DEFAULT '';
    ALTER TABLE leaver ADD COLUMN unasked INTEGER NOT NULL DEFAULT 0;
    -- Whether it still says that we offboarded them: after an adoption nobody knows what another installation has done since.
    ALTER TABLE leaver ADD COLUMN ours INTEGER NOT NULL DEFAULT 1;
    UPDATE leaver SET day = substr(left_at, 1, 10), unasked = 1;
",
    r"
    -- People whose values were removed on purpose. It is remembered so that a restore of an older backup removes them again; `done` says whether nothing of them is left here.
    CREATE TABLE forgotten (
        target TEXT NOT NULL, hr_id TEXT NOT NULL, integration TEXT NOT NULL,
        login TEXT NOT NULL, on_behalf_of TEXT, reason TEXT NOT NULL, at TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (target, hr_id)
    ) STRICT, WITHOUT ROWID;
    -- Files that this program has put into an archive itself, and how they looked then. No other is ever removed from there.
    CREATE TABLE archived (
        path TEXT PRIMARY KEY, target TEXT NOT NULL, source TEXT NOT NULL, size INTEGER NOT NULL, modified TEXT NOT NULL, at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    r"
    -- What somebody was told of and what still stands, so that nobody is told twice.
    CREATE TABLE told (
        target TEXT NOT NULL,         -- empty for what concerns the whole installation
        subject TEXT NOT NULL,        -- such as hold:7
        since TEXT NOT NULL,
        PRIMARY KEY (target, subject)
    ) STRICT, WITHOUT ROWID;
    -- An outbox of notifications, one row for each channel that is to tell of something.
    CREATE TABLE notice (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL, target TEXT NOT NULL, integration TEXT NOT NULL, subject TEXT NOT NULL,
        news TEXT NOT NULL,           -- what is told, JSON; no personal value
        message TEXT NOT NULL UNIQUE, -- identifies it to whoever receives it, should it come twice
        made_at TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waits', 'sent', 'dropped', 'given up')),
        due INTEGER NOT NULL,         -- milliseconds since 1970
        tries INTEGER NOT NULL DEFAULT 0, failed_since TEXT, error TEXT,
        done INTEGER                  -- when it was sent, dropped or given up
    ) STRICT;
    CREATE INDEX notice_by_state ON notice (state, channel);
",
    r"
    -- Who still has to get it, JSON, where some of a channel's receivers have it already.
    ALTER TABLE notice ADD COLUMN receivers TEXT;
    -- The exit code of a run: one that pushed may have failed in a part.
    ALTER TABLE run ADD COLUMN exit_code INTEGER;
",
    r"
    -- Which fields a source fills, and under which rules, is asked for in every run; without this all values would be read for it.
    CREATE INDEX snapshot_by_source ON snapshot_employee (target, source, filled, rules);
    -- So are keys and hashes; the values beside them are many times as long.
    CREATE INDEX snapshot_keys ON snapshot_employee (target, hr_id, hash);
",
    r"
    -- The push that made the snapshot to which the rows of this one are the difference; null where they are all of its roster.
    ALTER TABLE push ADD COLUMN base TEXT;
",
    r"
    -- In the rows of people, numbers stand for targets, sources and times: of a large roster that is a third of all pages, and each is read when the store is opened.
    DROP INDEX snapshot_by_source;
    DROP INDEX snapshot_keys;
    ALTER TABLE snapshot_employee RENAME TO snapshot_employee_before;
    ALTER TABLE snapshot RENAME TO snapshot_before;
    CREATE TABLE snapshot (
        number INTEGER PRIMARY KEY,
        target TEXT NOT NULL UNIQUE, sync_id TEXT NOT NULL, acknowledged_at TEXT NOT NULL, rules_hash TEXT NOT NULL
    ) STRICT;
    CREATE TABLE snapshot_source (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE snapshot_employee (
        snapshot INTEGER NOT NULL REFERENCES snapshot (number) ON DELETE CASCADE,
        hr_id TEXT NOT NULL,
        source INTEGER NOT NULL,      -- of snapshot_source; were it said to refer to it, SQLite would write a journal for each person
        employee TEXT NOT NULL,       -- values, JSON, with or without the names of the fields
        hash BLOB NOT NULL,           -- of the values
        filled INTEGER NOT NULL,      -- which fields are filled, a bit each
        first_seen INTEGER NOT NULL, last_changed INTEGER NOT NULL,  -- milliseconds since 1970
        rules INTEGER NOT NULL,       -- identifies the rules under which they were last acknowledged from a row of a file; 0 is none
        PRIMARY KEY (snapshot, hr_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO snapshot (target, sync_id, acknowledged_at, rules_hash)
        SELECT target, sync_id, acknowledged_at, rules_hash FROM snapshot_before ORDER BY target;
    INSERT INTO snapshot_source (name) SELECT DISTINCT source FROM snapshot_employee_before ORDER BY source;
    INSERT INTO snapshot_employee
        SELECT s.number, e.hr_id, o.number, e.employee, e.hash, e.filled,
            CAST(round(unixepoch(e.first_seen, 'subsec') * 1000) AS INTEGER), CAST(round(unixepoch(e.last_changed, 'subsec') * 1000) AS INTEGER), e.rules
        FROM snapshot_employee_before e JOIN snapshot s ON s.target = e.target JOIN snapshot_source o ON o.name = e.source
        ORDER BY s.number, e.hr_id;
    DROP TABLE snapshot_employee_before;
    DROP TABLE snapshot_before;
    CREATE INDEX snapshot_by_source ON snapshot_employee (snapshot, source, filled, rules);
    CREATE INDEX snapshot_keys ON snapshot_employee (snapshot, hr_id, hash);
    -- The same people as they read.
    CREATE VIEW acknowledged AS
        SELECT s.target, e.hr_id, o.name AS source, e.employee, e.hash, e.filled, e.first_seen, e.last_changed, e.rules
        FROM snapshot s JOIN snapshot_employee e ON e.snapshot = s.number JOIN snapshot_source o ON o.number = e.source;
",
];

fn pragma(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Whether a file is a store that this program knows, or an empty one. Writes nothing: it may be somebody else's.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    // In one transaction, for another process may be making the store meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = pragma(&transaction, "user_version")?;
    let application = pragma(&transaction, "application_id")?;
    drop(transaction);
    let known = i64::try_from(STEPS.len()).expect("a handful of steps");
    // A database has neither mark unless its program set one, so a foreign one shows by its tables.
    if application != i64::from(APPLICATION_ID) && (application, version, tables) != (0, 0, 0) {
        return Err(StoreError::NotOurs);
    }
    if version > known {
        return Err(StoreError::Newer {
            found: version,
            known,
        });
    }
    Ok(())
}

/// Brings a store that was checked to the version of this program.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let version = pragma(connection, "user_version")?;
    for (step, version) in STEPS
        .iter()
        .zip(1i32..)
        .skip(usize::try_from(version).unwrap_or(0))
    {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have taken the step while this one waited for the lock.
        if pragma(&transaction, "user_version")? < i64::from(version) {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        crate::crash::point("migrating");
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::{Store, Target};
    use super::*;
    use crate::clock::Clock;
    use crate::roster::HrId;

    /// A store as it was after so many steps.
    fn of_version(version: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in &STEPS[..version] {
            connection.execute_batch(step).unwrap();
        }
        let version = i32::try_from(version).unwrap();
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        connection
    }

    #[test]
    fn everybody_of_a_snapshot_of_before_is_in_it_with_source_values_times_and_rules() {
        let mut connection = of_version(7);
        // As the store opens it; what goes out with its table would go out with its people otherwise.
        connection
            .pragma_update(None, "foreign_keys", true)
            .unwrap();
        let (one, other) = (Target::new("b.example", 7), Target::new("a.example", 8));
        for (target, sync_id) in [(&one, "sync-one"), (&other, "sync-other")] {
            let insert = "INSERT INTO snapshot VALUES (?1, ?2, '2026-01-05T05:30:00+00:00', 'r')";
            let values = [target.as_str(), sync_id];
            connection.execute(insert, values).unwrap();
        }
        let seen = "2025-12-31T23:59:59.987654321+00:00";
        let changed = "2026-01-05T05:30:00+00:00";
        for (target, hr_id, source, hash, rules) in [
            (&one, "01001", "works", 1u8, 5),
            (&one, "01002", "head office", 2, 0),
            (&other, "01001", "works", 3, 6),
        ] {
            let values = format!(
                r#"{{"hrId":"{hr_id}","firstName":"Ada","lastName":"Lo","email":"a@b.example","dateOfBirth":"1990-01-02","startDate":"2020-01-01"}}"#
            );
            let insert =
                "INSERT INTO snapshot_employee VALUES (?1, ?2, ?3, ?4, ?5, 63, ?6, ?7, ?8)";
            connection
                .execute(
                    insert,
                    rusqlite::params![
                        target.as_str(),
                        hr_id,
                        source,
                        values,
                        [hash; 16],
                        seen,
                        changed,
                        rules
                    ],
                )
                .unwrap();
        }
        migrate(&mut connection).unwrap();
        let store = Store {
            connection: Arc::new(Mutex::new(connection)),
            clock: Clock::system(),
            _in_use: None,
        };
        let keys = |target| {
            let keys = store.snapshot(target).unwrap().unwrap().into_iter();
            keys.map(|(hr_id, hash)| (hr_id.to_string(), hash.0[0]))
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&one), [("01001".into(), 1), ("01002".into(), 2)]);
        assert_eq!(keys(&other), [("01001".into(), 3)]);
        let known = |target, hr_id| {
            let hr_id = HrId::new(hr_id);
            let found = store.remembered(target, &hr_id).unwrap().unwrap();
            assert_eq!(found.employee.hr_id, hr_id);
            assert_eq!(
                found.first_seen.to_rfc3339(),
                "2025-12-31T23:59:59.988+00:00"
            );
            assert_eq!(found.last_changed.to_rfc3339(), changed);
            let origin = store.origins(target, [&hr_id]).unwrap().remove(&hr_id);
            (found.source, origin.unwrap().rules)
        };
        assert_eq!(known(&one, "01001"), ("works".into(), 5));
        assert_eq!(known(&one, "01002"), ("head office".into(), 0));
        assert_eq!(known(&other, "01001"), ("works".into(), 6));
        let (sync_id, _) = store.last_acknowledged(&one).unwrap().unwrap();
        assert_eq!(sync_id, "sync-one");
        let old = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%before%'";
        let left: i64 = store.lock().query_row(old, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
