//! Whether a store and an audit log are whole: what every test that breaks something asks afterwards.

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::support::Company;

/// The store in the company's state folder.
pub(crate) fn store(company: &Company) -> Connection {
    Connection::open(company.path("state/state.db")).unwrap()
}

/// How many people are in the snapshot.
pub(crate) fn snapshot(store: &Connection) -> i64 {
    store
        .query_row("SELECT count(*) FROM snapshot_employee", [], |row| {
            row.get(0)
        })
        .unwrap()
}

/// What `integrity_check` says.
pub(crate) fn integrity(store: &Connection) -> String {
    store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap()
}

/// The store is whole, nothing waits in its outbox, and the lines of the audit log are numbered and chained without a gap.
#[track_caller]
pub(crate) fn is_whole(company: &Company, when: &str) {
    let store = store(company);
    assert_eq!(integrity(&store), "ok", "{when}");
    let waiting: i64 = store
        .query_row("SELECT count(*) FROM audit_outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(waiting, 0, "{when}");
    let text = company.audit_text();
    let mut before = String::new();
    for (line, number) in text.lines().zip(1u64..) {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["seq"], number, "{when}");
        assert_eq!(read["prev"], before, "{when}: the chain holds");
        // Personal values stand behind what the hash covers.
        let covered = match line.find(",\"values\":") {
            Some(end) => format!("{}}}", &line[..end]),
            None => line.to_owned(),
        };
        before = Sha256::digest(covered)
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    }
    assert!(company.events("lines_missing").is_empty(), "{when}");
    assert!(company.events("store_is_behind").is_empty(), "{when}");
}
