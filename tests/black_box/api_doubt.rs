//! Pushes whose answer was never seen: the next run offboards nobody for it and pushes nothing without need.

use serde_json::{Value, json};

use crate::api_support::{fail_reads, later, patient, requests, status, sync_ids, tried};
use crate::support::{Company, JobTicket, Person, people, person};

fn hr_ids(staff: &[Person]) -> Vec<String> {
    staff.iter().map(|person| person.number.clone()).collect()
}

/// With the next list, JobTicket's clock moves on: its waits take no time.
fn time_passes(jobticket: &JobTicket) {
    let delay = json!({ "delay": { "ms": 60_000 } });
    fail_reads(jobticket, "/employees", 1, &delay);
}

/// Five people acknowledged, and then a joiner, a leaver and a change whose push met this fault as often as it was tried.
fn in_doubt(jobticket: &JobTicket, fault: &Value) -> (Company, Vec<Person>) {
    let company = patient(jobticket, 1);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    staff.remove(1);
    "Neumann".clone_into(&mut staff[2].last);
    staff.push(person("00006"));
    company.deliver_people("20261121", &staff);
    time_passes(jobticket);
    jobticket.fail_pushes(50, fault);
    company.run_now().says("IN DOUBT");
    jobticket.clear_faults();
    assert_eq!(company.events("push_in_doubt").len(), 1);
    (company, staff)
}

#[test]
fn a_lost_answer_is_found_by_reading_back_and_not_pushed_again() {
    let jobticket = JobTicket::start();
    let (mut company, staff) = in_doubt(&jobticket, &json!("drop_after"));
    company.integration += "    limits: {on_leavers: stop}\n";
    let before = tried(&jobticket).len();
    company
        .run_now()
        .exits(0)
        .says("JobTicket has taken the last push")
        .says("5 employees), whose answer was never seen")
        .says("Nothing changed; no sync request was made");
    assert_eq!(tried(&jobticket).len(), before);
    let acknowledged = company.events("push_acknowledged");
    assert_eq!(acknowledged.len(), 2);
    assert_eq!(acknowledged[1]["seen"], "read back");
    assert_eq!(acknowledged[1]["syncId"], sync_ids(&jobticket)[1].as_str());
    company
        .run_now()
        .exits(0)
        .says("Nothing changed")
        .says("requests: 0");
    assert_eq!(jobticket.active(), hr_ids(&staff));
}

/// Whatever JobTicket shows of a push, and whenever: the next run neither offboards anybody nor pushes without need.
#[track_caller]
fn the_next_run_converges(processing: &Value) {
    for (on_links, on_integration) in [
        ("present", "present"),
        ("present", "absent"),
        ("absent", "present"),
        ("absent", "absent"),
    ] {
        for links in ["stay", "go"] {
            for fault in [json!("drop_after"), json!("drop_before")] {
                let behaviour = json!({
                    "processing": processing, "links_after_offboarding": links,
                    "last_sync_id_on_links": on_links, "last_sync_id_on_integration": on_integration,
                });
                let jobticket = JobTicket::behaving(&behaviour.to_string());
                let (company, staff) = in_doubt(&jobticket, &fault);
                let shown = on_links == "present" || on_integration == "present";
                let taken = fault == "drop_after";
                company.run_now().exits(0);
                let pushes = sync_ids(&jobticket).len();
                let needed = if taken && shown && processing == "at_once" {
                    2
                } else {
                    3
                };
                assert!(
                    pushes <= needed && (taken || pushes == 3),
                    "{behaviour} {fault}: {pushes}"
                );
                for push in tried(&jobticket).iter().skip(1) {
                    assert_eq!(push["hrIds"], json!(hr_ids(&staff)), "{behaviour} {fault}");
                }
                company.run_now().exits(0).says("Nothing changed");
                // Time passes at a sandbox that processes later with every request.
                company.run(&["check"]).exits(0);
                company.run(&["check"]).exits(0);
                assert_eq!(jobticket.active(), hr_ids(&staff), "{behaviour} {fault}");
            }
        }
    }
}

#[test]
fn a_push_in_doubt_converges_where_it_is_processed_at_once() {
    the_next_run_converges(&json!("at_once"));
}

#[test]
fn a_push_in_doubt_converges_where_it_shows_with_the_next_request() {
    the_next_run_converges(&json!({ "later": { "after_requests": 0 } }));
}

#[test]
fn a_push_in_doubt_converges_where_it_shows_in_the_middle_of_the_next_run() {
    the_next_run_converges(&json!({ "later": { "after_requests": 2 } }));
}

#[test]
fn who_was_only_in_the_doubtful_roster_and_is_missing_now_stands_in_the_plan_as_a_leaver() {
    for fault in [json!("drop_after"), json!("drop_before")] {
        let jobticket = JobTicket::behaving(
            r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent"}"#,
        );
        let (company, mut staff) = in_doubt(&jobticket, &fault);
        staff.pop();
        company.deliver_people("20261122", &staff);
        for arguments in [&["--run-now", "--dry-run"][..], &["--run-now"]] {
            company
                .run(arguments)
                .exits(0)
                .says("- 00002 leaves (missing from every source)")
                .says("- 00006 leaves (missing from every source)");
        }
        assert_eq!(jobticket.active(), hr_ids(&staff));
        company.run_now().exits(0).says("Nothing changed");
    }
}

#[test]
fn the_people_of_two_doubtful_pushes_in_a_row_all_count() {
    let jobticket = JobTicket::behaving(
        r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent"}"#,
    );
    let (mut company, mut staff) = in_doubt(&jobticket, &json!("drop_after"));
    company.integration +=
        "    limits: {windows: [], leavers: {percent: 5, count: 10, at_least: 3}}\n";
    staff.pop();
    staff.push(person("00007"));
    company.deliver_people("20261122", &staff);
    jobticket.fail_pushes(50, &json!("drop_before"));
    company
        .run_now()
        .exits(6)
        .says("- 00006 leaves")
        .says("+ 00007 joins");
    jobticket.clear_faults();
    staff.pop();
    company.deliver_people("20261123", &staff);
    company
        .run_now()
        .exits(0)
        .says("- 00002 leaves")
        .says("- 00006 leaves")
        .says("- 00007 leaves")
        .says("leavers: 3");
    assert_eq!(jobticket.active(), hr_ids(&staff));
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn the_newer_of_two_doubtful_pushes_settles_both_even_if_the_clock_was_put_back() {
    let jobticket = JobTicket::start();
    let (mut company, mut staff) = in_doubt(&jobticket, &json!("drop_before"));
    staff.push(person("00007"));
    company.deliver_people("20261122", &staff);
    jobticket.fail_pushes(50, &json!("drop_after"));
    // Newer by its place, not by its time: a clock that is corrected does not change the order.
    company.now = later(-200);
    company.run_now().exits(6).says("IN DOUBT");
    jobticket.clear_faults();
    let before = tried(&jobticket).len();
    company
        .run_now()
        .exits(0)
        .says("JobTicket has taken the last push")
        .says("Nothing changed");
    assert_eq!(tried(&jobticket).len(), before);
    company.run_now().exits(0).says("requests: 0");
    assert_eq!(jobticket.active(), hr_ids(&staff));
}

#[test]
fn links_that_still_name_a_push_prove_nothing_once_somebody_else_has_pushed() {
    for on_integration in ["present", "absent"] {
        let jobticket = JobTicket::behaving(&format!(
            r#"{{"last_sync_id_on_integration":"{on_integration}"}}"#
        ));
        let (company, staff) = in_doubt(&jobticket, &json!("drop_after"));
        // Such as this installation itself, before its state was restored from a backup.
        let mut other = Company::at(&jobticket);
        other.now = later(3600);
        other.deliver_people("20261122", &staff[..4]);
        time_passes(&jobticket);
        other.integration = "    read_back: {before_push: false}\n".to_owned();
        other.run(&["--run-now", "--accept-clock"]).exits(0);
        assert_eq!(jobticket.active().len(), 4);
        company
            .run_now()
            .exits(3)
            .says("Nothing at JobTicket shows whether it took the last push")
            .says("is none of this installation")
            .says("adopt acme");
        let pushes = jobticket.pushes().len();
        let mut company = company;
        company.integration = "    read_back: {before_push: false}\n".to_owned();
        company.run_now().exits(0).says("Pushed 5 employees");
        assert_eq!(jobticket.pushes().len(), pushes + 1);
        assert_eq!(jobticket.active(), hr_ids(&staff), "{on_integration}");
    }
}

#[test]
fn a_held_plan_after_a_doubtful_push_pushes_nothing_and_keeps_the_doubt() {
    let jobticket = JobTicket::behaving(
        r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent"}"#,
    );
    let (mut company, staff) = in_doubt(&jobticket, &json!("drop_after"));
    company.integration += "    limits: {on_leavers: stop}\n";
    let before = tried(&jobticket).len();
    company.deliver_people("20261122", &staff[..2]);
    for _ in 0..2 {
        company
            .run_now()
            .exits(3)
            .says("HELD")
            .says("counts with both rosters");
    }
    assert_eq!(tried(&jobticket).len(), before);
    assert_eq!(jobticket.active(), hr_ids(&staff));
    company.deliver_people("20261123", &staff);
    company.run_now().exits(0).says("Pushed 5 employees");
    company.run_now().exits(0).says("Nothing changed");
    assert_eq!(jobticket.active(), hr_ids(&staff));
}

#[test]
fn a_doubtful_first_push_is_no_snapshot() {
    for fault in [json!("drop_after"), json!("drop_before"), status(500)] {
        let jobticket = JobTicket::start();
        let company = patient(&jobticket, 1);
        company.deliver_people("20261120", &people(5));
        jobticket.fail_pushes(50, &fault);
        company
            .run_now()
            .says("IN DOUBT")
            .says("none in the snapshot");
        jobticket.clear_faults();
        company.run_now().exits(0);
        company
            .run_now()
            .exits(0)
            .says("Nothing changed")
            .says("requests: 0");
        assert_eq!(jobticket.active().len(), 5);
        let taken = fault == "drop_after";
        assert_eq!(sync_ids(&jobticket).len(), if taken { 1 } else { 2 });
    }
}

#[test]
fn a_source_that_fails_while_a_push_is_in_doubt_offboards_nobody() {
    let jobticket = JobTicket::behaving(
        r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent"}"#,
    );
    let (company, staff) = in_doubt(&jobticket, &json!("drop_after"));
    company.deliver("roster_20261122.csv", "Personalnummer;Vorn");
    company.run_now().exits(4);
    // 00002 is gone from the roster that JobTicket may have; while the source fails, nobody can say whether for good.
    let mut everybody = hr_ids(&staff);
    everybody.push("00002".to_owned());
    everybody.sort();
    assert_eq!(jobticket.active(), everybody);
}

#[test]
fn a_dry_run_in_doubt_records_nothing_but_lines_of_the_audit_log() {
    for shown in ["present", "absent"] {
        let jobticket = JobTicket::behaving(&format!(
            r#"{{"last_sync_id_on_links":"{shown}","last_sync_id_on_integration":"{shown}"}}"#
        ));
        let (company, _) = in_doubt(&jobticket, &json!("drop_after"));
        let before = tables(&company);
        let (sent, tried_before) = (requests(&jobticket), tried(&jobticket).len());
        let ran = company.run(&["--run-now", "--dry-run"]).exits(0);
        assert_eq!(tables(&company), before);
        assert_eq!(tried(&jobticket).len(), tried_before);
        assert!(requests(&jobticket) > sent, "it reads back");
        // What it shows is what the real run then does.
        if shown == "present" {
            ran.says("Nothing changed");
            company.run_now().exits(0).says("Nothing changed");
        } else {
            ran.says("a push of 5 employees would go out");
            company.run_now().exits(0).says("Pushed 5 employees");
        }
    }
}

/// Everything in the store but the audit log's own.
fn tables(company: &Company) -> Vec<String> {
    let store = rusqlite::Connection::open(company.path("state/state.db")).unwrap();
    let mut rows = Vec::new();
    for table in [
        "source",
        "source_rows",
        "snapshot",
        "snapshot_employee",
        "run",
        "push",
        "push_rows",
        "leaver",
    ] {
        let mut select = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut found = select.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<_> = (0..columns)
                .map(|column| format!("{:?}", row.get_ref(column).unwrap()))
                .collect();
            rows.push(format!("{table}: {}", values.join(", ")));
        }
    }
    rows
}

#[test]
fn people_of_a_push_that_was_refused_in_part_are_not_forgotten() {
    let jobticket = JobTicket::start();
    let company = patient(&jobticket, 1);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    staff.push(person("00006"));
    company.deliver_people("20261121", &staff);
    // Processed, and then answered with 422: nobody knows what JobTicket took.
    jobticket.fail_pushes(3, &json!({ "status_after": { "code": 422 } }));
    for _ in 0..3 {
        company.run_now().exits(5);
    }
    assert_eq!(jobticket.active().len(), 6);
    company
        .run(&["check"])
        .says("a run now: would push; joiners: 1");
    staff.pop();
    company.deliver_people("20261122", &staff);
    company
        .run(&["--run-now", "--dry-run"])
        .exits(0)
        .says("may have taken the others")
        .says("- 00006 leaves (missing from every source)");
    company
        .run_now()
        .exits(0)
        .says("- 00006 leaves (missing from every source)");
    assert_eq!(jobticket.active(), hr_ids(&staff));
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_push_that_was_refused_in_part_is_never_read_back_as_acknowledged() {
    let jobticket = JobTicket::start();
    let mut company = patient(&jobticket, 1);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    staff.push(person("00006"));
    company.deliver_people("20261121", &staff);
    jobticket.fail_pushes(1, &json!({ "status_after": { "code": 422 } }));
    let crash = ("JOBTICKET_SYNC_TEST_CRASH", "answered");
    company.variables.push((crash.0.into(), crash.1.into()));
    company.run_now();
    company.variables.pop();
    // Its syncId shows at JobTicket, but the answer was no.
    company.run_now().exits(0).says("Pushed 6 employees");
    assert_eq!(jobticket.pushes().len(), 3);
}
