//! The command `drift`: where JobTicket differs from the snapshot, in four kinds, without changing anything.

use std::fs::File;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::api_support::{fail_reads, later, requests, status};
use crate::deciding::{AT_ONCE, acknowledged, as_json, seed};
use crate::scene::{Scene, plain, tells_nothing_personal};
use crate::support::{Company, JobTicket, people};

#[test]
fn nothing_differs_after_a_push_that_arrived() {
    let scene = acknowledged(5);
    seed(&scene.jobticket, "somebody@example.com", None);
    let ran = scene.company.run(&["drift"]).exits(0);
    tells_nothing_personal(&ran);
    ran.says("No difference")
        .says("JobTicket: 5 linked, 1 without a link");
    let checked = scene.company.events("drift_checked").pop().unwrap();
    assert_eq!(
        (&checked["linked"], &checked["withoutLink"]),
        (&5.into(), &1.into())
    );
    assert!(!checked["user"].as_str().unwrap().is_empty());
    let report = as_json(&scene.company, &["drift"]);
    assert_eq!(report["drift"][0]["differences"], json!([]));
}

#[test]
fn each_kind_of_difference_is_told_by_name_and_ends_with_its_own_code() {
    let scene = acknowledged(5);
    // Another host pushes: 00001 is changed, 00005 is gone, 00006 is new, and all have another sync.
    let mut other = Company::at(&scene.jobticket);
    other.integration = AT_ONCE.to_owned();
    let mut staff = people(6);
    staff.remove(4);
    staff[0].last = "Neumann".to_owned();
    other.deliver_people("20261120", &staff);
    let adopt = ["adopt", "acme", "--yes", "--reason", "another host"];
    other.run(&adopt).exits(0);
    other.run_now().exits(0);
    let ran = scene.company.run(&["drift"]).exits(8);
    tells_nothing_personal(&ran);
    ran.says("DRIFT: 5 people differ")
        .says("1 linked but not in the snapshot")
        .says("4 last named by another sync");
    let report = as_json(&scene.company, &["drift"]);
    assert_eq!(report["exitCode"], 8);
    let kinds: Vec<&str> = report["drift"][0]["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["drift"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"not_in_snapshot") && kinds.contains(&"other_sync"),
        "{kinds:?}"
    );
}

#[test]
fn values_and_links_that_differ_are_told_where_jobticket_shows_no_sync() {
    let jobticket = JobTicket::behaving(
        r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent","links_after_offboarding":"go"}"#,
    );
    let [mut ours, mut other] = [(); 2].map(|()| Company::at(&jobticket));
    for company in [&mut ours, &mut other] {
        company.integration = AT_ONCE.to_owned();
    }
    ours.deliver_people("20261120", &people(5));
    ours.run_now().exits(0);
    let mut staff = people(4);
    staff[0].last = "Neumann".to_owned();
    other.deliver_people("20261120", &staff);
    other.run_now().exits(0);
    let ran = ours.run(&["drift"]).exits(8).says("DRIFT: 2 people differ");
    ran.says("00001 has other values at JobTicket: lastName")
        .says("00005 is in the snapshot but not linked at JobTicket");
}

#[test]
fn what_is_not_seen_yet_is_unconfirmed_until_its_hours_are_over() {
    let jobticket = JobTicket::behaving(r#"{"processing":{"later":{"after_requests":100000}}}"#);
    let mut company = Company::at(&jobticket);
    company.integration = AT_ONCE.to_owned() + "    read_back: {within_hours: 2}\n";
    company.deliver_people("20261120", &people(5));
    company
        .run_now()
        .exits(0)
        .says("not seen by reading back yet");
    company
        .run(&["drift"])
        .exits(0)
        .says("UNCONFIRMED: 5 people differ");
    company.now = later(3 * 3600);
    company
        .run(&["drift"])
        .exits(8)
        .says("5 in the snapshot but not linked");
}

#[test]
fn a_list_that_is_not_complete_is_an_error_and_no_drift() {
    let scene = Scene::of(
        150,
        |company| {
            company.integration = AT_ONCE.to_owned();
            company.jobticket += "      retry_seconds: 1\n";
        },
        plain,
    );
    fail_reads(
        &scene.jobticket,
        "/employees",
        1,
        &json!({ "lie_total": { "add": 1 } }),
    );
    scene.company.run(&["drift"]).exits(5).says("NOT COMPARED");
    fail_reads(&scene.jobticket, "/employees", 1, &status(401));
    scene.company.run(&["drift"]).exits(5);
    fail_reads(&scene.jobticket, "/", 100, &status(503));
    scene.company.run(&["drift"]).exits(6).says("NOT COMPARED");
    scene.jobticket.clear_faults();
    scene.company.run(&["drift"]).exits(0);
    assert_eq!(scene.company.events("drift_checked").len(), 1);
}

#[test]
fn a_look_that_is_interrupted_changes_nothing() {
    let scene = acknowledged(5);
    let state = |company: &Company| {
        let mut files = company.state_files();
        // What SQLite has open beside them goes with the process.
        files.retain(|(path, _)| path.ends_with("state.db") || path.ends_with("audit.jsonl"));
        assert_eq!(files.len(), 2);
        files
    };
    let before = (state(&scene.company), requests(&scene.jobticket));
    fail_reads(
        &scene.jobticket,
        "/employees",
        1,
        // A delay would pass by the clock of the sandbox, which waits for nothing.
        &json!({ "stall": { "ms": 60_000 } }),
    );
    let mut child = scene
        .company
        .command(&["drift"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while requests(&scene.jobticket) < before.1 + 2 {
        std::thread::yield_now();
    }
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(id, Signal::SIGINT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(state(&scene.company) == before.0, "the state has changed");
    scene.company.run(&["drift"]).exits(0).says("No difference");
}

#[test]
fn a_run_in_progress_is_said_and_waited_for_by_nobody() {
    let mut scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(6));
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "planned".to_owned());
    scene.company.variables.push(crash);
    scene.company.run_now();
    scene.company.variables.pop();
    // A run that was killed is none in progress; one that holds the lock is.
    let ran = scene.company.run(&["drift"]).exits(0);
    assert!(
        !ran.stdout.contains("run is or was in progress"),
        "{}",
        ran.stdout
    );
    let lock = File::create(crate::locks::run_lock(&scene.company)).unwrap();
    lock.lock().unwrap();
    let ran = scene.company.run(&["drift"]).exits(0);
    ran.says("A run is or was in progress meanwhile");
}
