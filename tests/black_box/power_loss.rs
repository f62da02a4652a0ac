//! Power that fails and clocks that jump. The store commits with `synchronous=FULL`, so what was committed was synced: a write-ahead log cut at or behind its last commit
//! loses nothing, and one that is cut further takes the store back to an earlier state, never to a torn one.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::api_support::{later, tried};
use crate::support::{Company, JobTicket, people};
use crate::whole::{integrity, is_whole, snapshot, store};

const PAGE: usize = 4096;
const FRAME: usize = 24 + PAGE;
const HEADER: usize = 32;

/// Crash points on both sides of everything that a push puts on disk.
const POINTS: [&str; 7] = [
    "begun",
    "intended",
    "prepared",
    "attempted",
    "answered",
    "acknowledged",
    "ended",
];

/// Five people are acknowledged; the run that brings two more is killed here.
fn killed_at(jobticket: &JobTicket, point: &str) -> Company {
    let mut company = Company::at(jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(7));
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), point.to_owned());
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1, "{point}");
    company.variables.pop();
    company
}

/// Where the commits of a write-ahead log end ("The WAL File Format", SQLite): frames of the header's salt, whose size field says that a commit ends here.
fn commits(log: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = HEADER;
    while at + FRAME <= log.len() && log[at + 8..at + 16] == log[16..24] {
        if log[at + 4..at + 8] != [0; 4] {
            ends.push(at + FRAME);
        }
        at += FRAME;
    }
    ends
}

/// All that a store with this write-ahead log holds, as text, after its integrity was checked.
fn content(database: &[u8], log: &[u8], when: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    fs::write(&path, database).unwrap();
    fs::write(folder.path().join("state.db-wal"), log).unwrap();
    let store = Connection::open(path).unwrap();
    store.pragma_update(None, "synchronous", "off").unwrap();
    assert_eq!(integrity(&store), "ok", "{when}");
    ["fact", "run", "push", "snapshot_employee", "audit_outbox"]
        .map(|table| {
            let mut rows = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = rows.column_count();
            let rows = rows.query_map([], |row| {
                let cell = |column| row.get::<_, rusqlite::types::Value>(column);
                Ok(format!("{:?}", (0..columns).map(cell).collect::<Vec<_>>()))
            });
            rows.unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .join("\n")
        })
        .join("\n\n")
}

fn cut(path: &Path, length: usize) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length as u64).unwrap();
}

#[test]
fn a_write_ahead_log_cut_behind_its_last_commit_loses_nothing_and_before_it_one_commit_at_a_time() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let company = killed_at(&jobticket, point);
        let database = fs::read(company.path("state/state.db")).unwrap();
        let log = fs::read(company.path("state/state.db-wal")).unwrap();
        let ends = commits(&log);
        assert!(!ends.is_empty(), "{point}");
        let whole = content(&database, &log, point);
        let last = ends[ends.len() - 1];
        for length in [last, last + 1, last + FRAME / 2, log.len()] {
            let length = length.min(log.len());
            let when = format!("{point}: cut at {length} of {}", log.len());
            assert_eq!(content(&database, &log[..length], &when), whole, "{when}");
        }
        // Each state on the way back is that of the commit before, wherever in between the log is cut.
        let bounds = [&[HEADER], &ends[..]].concat();
        for pair in bounds.windows(2).rev().take(6) {
            let (start, end) = (pair[0], pair[1]);
            let before = content(&database, &log[..start], point);
            for length in [start + 1, usize::midpoint(start, end), end - 1] {
                let when = format!("{point}: cut at {length}");
                assert_eq!(content(&database, &log[..length], &when), before, "{when}");
            }
        }
    }
}

#[test]
fn power_that_fails_at_any_step_leaves_a_store_from_which_the_next_run_converges() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let company = killed_at(&jobticket, point);
        let log = company.path("state/state.db-wal");
        let last = *commits(&fs::read(&log).unwrap()).last().unwrap();
        cut(&log, last);
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 7, "{point}");
        assert_eq!(snapshot(&store(&company)), 7, "{point}");
        is_whole(&company, point);
        company.run_now().exits(0).says("Nothing changed");
    }
}

#[test]
fn a_disk_that_forgets_what_it_said_was_written_still_loses_nobody() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let company = killed_at(&jobticket, point);
        let log = company.path("state/state.db-wal");
        let ends = commits(&fs::read(&log).unwrap());
        // The audit log is then ahead of the store, which is told in it.
        cut(&log, ends[ends.len() / 2] - 1);
        for _ in 0..2 {
            let ran = company.run_now();
            assert!([0, 3].contains(&ran.code), "{point}: {}", ran.stderr);
            for push in tried(&jobticket) {
                assert!(push["count"].as_u64().unwrap() >= 5, "{point}");
            }
            let active = jobticket.active();
            for number in 1..=5 {
                assert!(
                    active.contains(&format!("{number:05}")),
                    "{point}: {active:?}"
                );
            }
        }
        assert_eq!(integrity(&store(&company)), "ok", "{point}");
        assert!(company.events("lines_missing").is_empty(), "{point}");
    }
}

#[test]
fn an_audit_log_cut_back_to_what_was_synced_is_completed_by_the_next_run() {
    let jobticket = JobTicket::start();
    let company = killed_at(&jobticket, "appended");
    let path = company.path("state/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let waiting: usize = store(&company)
        .query_row("SELECT count(*) FROM audit_outbox", [], |row| row.get(0))
        .unwrap();
    assert!(waiting > 2);
    let (log, state) = (text.clone(), company.state_files());
    for lost in [1, waiting / 2, waiting] {
        for (path, bytes) in &state {
            fs::write(path, bytes).unwrap();
        }
        let kept = log.lines().count() - lost;
        let length: usize = log.lines().take(kept).map(|line| line.len() + 1).sum();
        cut(&path, length);
        let ran = company.run_now();
        assert!([0, 3].contains(&ran.code), "{lost}: {}", ran.stderr);
        is_whole(&company, &format!("{lost} lines lost"));
    }
}

#[test]
fn a_clock_that_jumps_after_a_crash_pushes_nothing_until_it_is_right_again() {
    for (point, seconds, said) in [
        ("begun", 70 * 86_400, "days after the last run"),
        ("prepared", -3_600, "before the last run"),
        ("answered", -40 * 86_400, "before the last run"),
        ("answered", 70 * 86_400, "days after the last run"),
        ("acknowledged", -3_600, "before the last run"),
    ] {
        let jobticket = JobTicket::start();
        let mut company = killed_at(&jobticket, point);
        let pushed = tried(&jobticket).len();
        company.now = later(seconds);
        company.run_now().exits(1).says(said).says("--accept-clock");
        assert_eq!(tried(&jobticket).len(), pushed, "{point}");
        company.now = later(60);
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 7, "{point}: {seconds}");
        is_whole(&company, &format!("{point}: {seconds} s"));
    }
}
