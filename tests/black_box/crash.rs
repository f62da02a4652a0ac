//! Killed at any instant, the program loses nothing, offboards nobody, and the next run finishes the job.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::api_support::{patient, sync_ids, tried};
use crate::support::{Company, JobTicket, Ran, people, person};

/// Every crash point of a run that pushes, in the order in which it passes them. The audit log is appended to twice: before the push leaves, and at the end.
const POINTS: [&str; 12] = [
    "begun",
    "pulled",
    "planned",
    "intended",
    "appended",
    "prepared",
    "attempted",
    "answered",
    "acknowledged",
    "archived",
    "ended",
    "appended:2",
];

/// Crash points that need a run of another kind, or a command.
const OTHERS: [&str; 30] = [
    "gaps_told",
    "torn_line_ended",
    "notifying",
    "notified",
    "held",
    "decided",
    "migrating",
    "settled",
    "backup_copied",
    "backup_packed",
    "backup_named",
    "restore_unpacked",
    "restore_marked",
    "restore_decided",
    "restore_aside",
    "restore_store",
    "restore_log",
    "restore_done",
    "restore_rotated",
    "rotate_due",
    "rotate_renamed",
    "rotate_begun",
    "rotate_packed",
    "rotate_named",
    "rotate_done",
    "expire_told",
    "expire_removed",
    "forget_told",
    "redact_written",
    "redact_named",
];

fn killed_at(company: &mut Company, point: &str) -> Ran {
    killed_in(company, point, &["--run-now"])
}

/// Kills a command at a crash point.
#[track_caller]
pub(crate) fn killed_in(company: &mut Company, point: &str, arguments: &[&str]) -> Ran {
    let variable = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), point.to_owned());
    company.variables.push(variable);
    let ran = company.run(arguments);
    company.variables.pop();
    assert_eq!(
        ran.code, -1,
        "killed at {point}\n{}\n{}",
        ran.stdout, ran.stderr
    );
    ran
}

fn company(jobticket: &JobTicket) -> Company {
    let mut company = patient(jobticket, 20);
    company.source += "        after: {archive: archive}\n";
    company
}

/// The state and the audit log after the next run: whole, and all of it told. `never_ended` runs were killed.
#[track_caller]
pub(crate) fn everything_is_whole(company: &Company, never_ended: usize, when: &str) {
    for name in ["state.db", "requests.db"] {
        let path = company.path("state").join(name);
        let database = rusqlite::Connection::open(path).unwrap();
        let found: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, "ok", "{when}: {name}");
    }
    let store = rusqlite::Connection::open(company.path("state/state.db")).unwrap();
    let waiting: i64 = store
        .query_row("SELECT count(*) FROM audit_outbox", [], |row| row.get(0))
        .unwrap();
    let unsettled: i64 = store
        .query_row(
            "SELECT count(*) FROM push WHERE state IN ('prepared', 'in_doubt')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!((waiting, unsettled), (0, 0), "{when}");
    let text = company.audit_text();
    let mut before = String::new();
    for line in text.lines() {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["prev"], before, "{when}: the chain holds");
        // Personal values stand behind what the hash covers.
        let covered = match line.find(",\"values\":") {
            Some(end) => format!("{}}}", &line[..end]),
            None => line.to_owned(),
        };
        before = hex(&Sha256::digest(covered));
    }
    let seqs: Vec<u64> = company
        .audit()
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{when}");
    assert_eq!(
        company.events("run_never_ended").len(),
        never_ended,
        "{when}"
    );
    assert!(company.events("lines_missing").is_empty(), "{when}");
    let ids = |event| -> BTreeSet<String> {
        let lines = company.events(event);
        lines.iter().map(|line| line["run"].to_string()).collect()
    };
    let ended: BTreeSet<String> = ids("run_ended")
        .union(&ids("run_never_ended"))
        .cloned()
        .collect();
    assert_eq!(
        ids("run_started"),
        ended,
        "{when}: every run that began is told to its end"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether a run that was killed here had recorded its end.
fn had_ended(point: &str) -> bool {
    ["ended", "appended:2"].contains(&point)
}

#[test]
fn the_list_of_crash_points_is_that_of_the_program() {
    fn walk(folder: &std::path::Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), found);
            } else {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let calls = text.split("crash::point(\"").skip(1);
                found.extend(calls.map(|call| call.split('"').next().unwrap().to_owned()));
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    let listed = POINTS.iter().chain(&OTHERS);
    let listed: BTreeSet<String> = listed
        .map(|point| point.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(found, listed);
}

#[test]
fn killed_anywhere_in_the_first_push_the_next_run_finishes_the_job() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        company.deliver_people("20261120", &people(5));
        killed_at(&mut company, point);
        company.run_now().exits(0);
        company
            .run_now()
            .exits(0)
            .says("Nothing changed")
            .says("requests: 0");
        assert_eq!(
            jobticket.active(),
            ["00001", "00002", "00003", "00004", "00005"],
            "{point}"
        );
        everything_is_whole(&company, usize::from(!had_ended(point)), point);
        assert!(
            company.path("archive/roster_20261120.csv").exists(),
            "{point}"
        );
    }
}

#[test]
fn killed_anywhere_in_a_later_push_the_next_run_finishes_the_job() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        let mut staff = people(5);
        company.deliver_people("20261120", &staff);
        company.run_now().exits(0);
        staff[1].end = "31.10.2026".to_owned();
        staff[2].last = "Neumann".to_owned();
        staff.push(person("00006"));
        company.deliver_people("20261121", &staff);
        killed_at(&mut company, point);
        company.run_now().exits(0);
        company
            .run_now()
            .exits(0)
            .says("Nothing changed")
            .says("requests: 0");
        assert_eq!(
            jobticket.active(),
            ["00001", "00003", "00004", "00005", "00006"],
            "{point}"
        );
        for push in tried(&jobticket).iter().skip(1) {
            assert_eq!(push["count"], 5, "{point}: every push is whole");
        }
        assert_eq!(
            sync_ids(&jobticket).len(),
            2,
            "{point}: nothing is pushed without need"
        );
        everything_is_whole(&company, usize::from(!had_ended(point)), point);
        assert!(
            company.path("archive/roster_20261121.csv").exists(),
            "{point}"
        );
    }
}

#[test]
fn killed_anywhere_together_with_the_sandbox_inside_it_the_next_run_finishes_the_job() {
    for point in POINTS {
        let mut company = Company::new();
        company.source += "        after: {archive: archive}\n";
        company.deliver_people("20261120", &people(5));
        killed_at(&mut company, point);
        company.run_now().exits(0);
        company.run_now().exits(0).says("Nothing changed");
        everything_is_whole(&company, usize::from(!had_ended(point)), point);
    }
}

#[test]
fn killed_again_and_again_the_program_still_converges() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let mut staff = people(30);
    let mut killed = 0;
    for (day, point) in (1..).zip(POINTS) {
        staff.push(person(&format!("1{day:04}")));
        company.deliver_people(&format!("202611{day:02}"), &staff);
        killed_at(&mut company, point);
        killed += usize::from(!had_ended(point));
    }
    company.run_now().exits(0);
    company.run_now().exits(0).says("Nothing changed");
    let expected: Vec<String> = staff.iter().map(|person| person.number.clone()).collect();
    assert_eq!(jobticket.active(), expected);
    everything_is_whole(&company, killed, "all of them");
}

#[test]
fn killed_while_it_settles_the_last_push_the_next_run_finishes_the_job() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.deliver_people("20261120", &people(5));
    killed_at(&mut company, "answered");
    killed_at(&mut company, "settled");
    company.run_now().exits(0).says("Nothing changed");
    assert_eq!(sync_ids(&jobticket).len(), 1);
    everything_is_whole(&company, 2, "settled");
}

#[test]
fn a_dry_run_after_a_crash_shows_what_the_next_run_does_and_leaves_it_to_that() {
    for (point, plan) in [("answered", "Nothing changed"), ("prepared", "joiners: 1")] {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        company.deliver_people("20261120", &people(5));
        company.run_now().exits(0);
        company.deliver_people("20261121", &people(6));
        killed_at(&mut company, point);
        let before = tried(&jobticket).len();
        company.run(&["--run-now", "--dry-run"]).exits(0).says(plan);
        assert_eq!(tried(&jobticket).len(), before);
        assert!(company.events("run_never_ended").is_empty());
        company.run_now().exits(0).says(plan);
        assert_eq!(jobticket.active().len(), 6);
        everything_is_whole(&company, 1, point);
    }
}

#[test]
fn killed_while_the_store_is_made_the_next_run_makes_it() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.deliver_people("20261120", &people(5));
    killed_at(&mut company, "migrating");
    company.run_now().exits(0).says("joiners: 5");
    everything_is_whole(&company, 0, "migrating");
}

/// A company whose last run was killed as it appended to the audit log, and the log, whose last line is torn.
fn torn(jobticket: &JobTicket) -> (Company, PathBuf) {
    let mut company = company(jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(6));
    killed_at(&mut company, "appended");
    let path = company.path("state/audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 40]).unwrap();
    (company, path)
}

#[test]
fn a_line_of_the_audit_log_that_was_torn_is_sealed_and_written_again() {
    let jobticket = JobTicket::start();
    let (company, path) = torn(&jobticket);
    company.run_now().exits(0);
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut seqs, mut torn) = (Vec::new(), 0);
    for line in text.lines() {
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(line) => {
                if line["event"] == "torn_line_sealed" {
                    torn += 1;
                }
                seqs.push(line["seq"].as_u64().unwrap());
            }
            Err(_) => assert_eq!(torn, 0),
        }
    }
    assert_eq!(torn, 1);
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    company
        .run(&["audit", "verify"])
        .exits(0)
        .says("1 lines that a crash had torn");
}

#[test]
fn a_torn_line_whose_sealing_is_killed_is_told_by_the_run_after_that() {
    for point in ["gaps_told", "torn_line_ended", "appended"] {
        let jobticket = JobTicket::start();
        let (mut company, _) = torn(&jobticket);
        company
            .run(&["audit", "verify"])
            .exits(0)
            .says("a crash has torn this line");
        killed_at(&mut company, point);
        company.run(&["audit", "verify"]).exits(0);
        company.run_now().exits(0);
        company
            .run(&["audit", "verify"])
            .exits(0)
            .says("1 lines that a crash had torn");
        assert_eq!(company.audit_text().matches("torn_line_sealed").count(), 1);
    }
}
