//! The command `status`: how everything stands, from the state alone.

use serde_json::{Value, json};

use crate::backup_support::{command, with_backup};
use crate::daemon::{self, SCHEDULE};
use crate::deciding::{approved, as_json, without_last};
use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::support::{Company, JobTicket, Ran, people};
use crate::two_sources::{both, deliver_branch};

fn told(company: &Company) -> Ran {
    let ran = company.run(&["status"]);
    tells_nothing_personal(&ran);
    ran
}

/// The only integration, as JSON.
fn only(company: &Company) -> Value {
    let status = as_json(company, &["status"]);
    assert_eq!(status["exitCode"], status["integrations"][0]["exitCode"]);
    status["integrations"][0].clone()
}

fn pushed(jobticket: &JobTicket) -> Company {
    let company = Company::at(jobticket);
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company
}

#[test]
fn before_the_first_run_it_says_so_and_makes_nothing() {
    let mut company = Company::new();
    company.integration = SCHEDULE.to_owned();
    told(&company)
        .exits(0)
        .says("acme: sandbox")
        .says("last run: none yet")
        .says("next run: Tue 2026-11-24 05:15 CET")
        .says("snapshot: none yet")
        .says("audit log: no line yet");
    assert!(!company.path("state").exists());
}

#[test]
fn after_a_push_it_tells_run_snapshot_source_requests_and_chain_and_changes_nothing() {
    let jobticket = JobTicket::start();
    let mut company = pushed(&jobticket);
    let requests = company.events("run_ended")[0]["requests"].clone();
    let audit = company.audit();
    // No secret is needed.
    let secrets = std::mem::take(&mut company.variables);
    let status = as_json(&company, &["status"]);
    assert_eq!(status["exitCode"], 0);
    let one = &status["integrations"][0];
    assert_eq!(one["lastRun"]["result"], "pushed");
    assert_eq!(one["lastRun"]["exitCode"], 0);
    assert_eq!(one["lastRun"]["trigger"], "--run-now");
    assert_eq!(one["lastRun"]["lastSuccess"], one["lastRun"]["endedAt"]);
    assert_eq!(one["snapshot"]["employees"], 20);
    assert_eq!(one["sources"][0]["file"], "roster_20261120.csv");
    assert_eq!(one["sources"][0]["fileModified"], "2026-11-23T04:15:00Z");
    assert_eq!(one["requests"]["lastMinute"], requests);
    assert_eq!(one["requests"]["blockedUntil"], Value::Null);
    assert_eq!(
        (&one["running"], &one["nextRun"]),
        (&json!(false), &Value::Null)
    );
    told(&company)
        .exits(0)
        .says("last run: Mon 2026-11-23 06:15 CET, pushed, exit code 0 (--run-now)")
        .says("next run: none is scheduled")
        .says("snapshot: 20 employees, acknowledged Mon 2026-11-23 06:15 CET")
        .says("source headquarters: roster_20261120.csv, written Mon 2026-11-23 05:15 CET");
    assert_eq!(company.audit(), audit);
    // The head of the chain is what the next line builds on.
    company.variables = secrets;
    company.run_now().exits(0);
    let next = &company.audit()[audit.len()];
    assert_eq!(next["prev"], status["audit"]["hash"]);
    assert_eq!(status["audit"]["seq"], audit.len());
}

#[test]
fn people_who_wait_show_until_a_run_has_acted_on_the_decision() {
    let jobticket = JobTicket::start();
    let company = pushed(&jobticket);
    company.deliver_people("20261121", &without_last(20, 3));
    company.run_now().exits(3);
    told(&company)
        .exits(3)
        .says("HOLD 1 (leavers) since Mon 2026-11-23 06:15 CET: 3 people wait");
    approved(&company, "1", &[]);
    told(&company).says("HOLD 1 (leavers) since Mon 2026-11-23 06:15 CET: is decided");
    company.run_now().exits(0);
    let ran = told(&company).exits(0);
    assert!(!ran.stdout.contains("HOLD"), "{}", ran.stdout);
}

#[test]
fn after_a_pause_the_run_before_it_counts_again() {
    let jobticket = JobTicket::start();
    let company = pushed(&jobticket);
    let pause = ["pause", "acme", "--until", "2026-11-24", "--reason", "x"];
    company.run(&pause).exits(0);
    company.run_now().exits(3);
    told(&company)
        .exits(3)
        .says("pushed, exit code 0")
        .says("PAUSED until 2026-11-24");
    company.run(&["resume", "acme", "--reason", "x"]).exits(0);
    told(&company).exits(0).says("pushed, exit code 0");
}

#[test]
fn a_run_that_the_clock_stopped_shows() {
    let jobticket = JobTicket::start();
    let mut company = pushed(&jobticket);
    "2026-11-20T05:15:00Z".clone_into(&mut company.now);
    company.run_now().exits(1);
    told(&company).exits(1).says("before the last run");
    "2026-11-23T06:15:00Z".clone_into(&mut company.now);
    company.run_now().exits(0);
    told(&company).exits(0);
}

#[test]
fn a_frozen_source_shows_since_when_and_why_until_it_is_in_order() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    "2026-11-24T05:15:00Z".clone_into(&mut company.now);
    deliver_branch(&company, "nonsense", 800);
    company.run_now().exits(4);
    told(&company)
        .exits(4)
        .says("FROZEN since Mon 2026-11-23 06:15 CET: ");
    let one = only(&company);
    assert_eq!(one["failedSources"][0]["name"], "branch");
    assert_eq!(one["sources"][1]["file"], "900.csv");
    deliver_branch(&company, crate::support::table(&all[5..]), 700);
    company.run_now().exits(0);
    assert_eq!(only(&company)["failedSources"], json!([]));
    told(&company).exits(0);
}

#[test]
fn a_refused_credential_and_a_jobticket_that_is_not_there_show_with_the_next_try() {
    let jobticket = JobTicket::start();
    let mut company = pushed(&jobticket);
    company.deliver_people("20261121", &people(21));
    let right = company.variables.clone();
    company.variables[1].1 = "wrong".to_owned();
    company.run_now().exits(5);
    told(&company)
        .exits(5)
        .says("CREDENTIAL REFUSED since Mon 2026-11-23 06:15 CET: ")
        .says("tries again after Mon 2026-11-23 12:15 CET");
    company.variables = right;
    company.run_now().exits(0);
    told(&company).exits(0);
    company.deliver_people("20261122", &people(20));
    let url = jobticket.url.clone();
    drop(jobticket);
    company.edits.push((
        format!("base_url: {url}\n"),
        format!("base_url: {url}\n      retry_seconds: 1\n"),
    ));
    company.run_now().exits(6);
    told(&company)
        .exits(6)
        .says("not reachable, exit code 6")
        .says("last success: Mon 2026-11-23 06:15 CET")
        .says("JOBTICKET COULD NOT BE USED 1 times in a row");
}

#[test]
fn a_run_that_was_killed_and_its_push_show_until_the_next_one() {
    let jobticket = JobTicket::start();
    let mut company = pushed(&jobticket);
    company.deliver_people("20261121", &people(21));
    let crash = (
        "JOBTICKET_SYNC_TEST_CRASH".to_owned(),
        "answered".to_owned(),
    );
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1);
    company.variables.pop();
    told(&company)
        .exits(1)
        .says("A run that began at Mon 2026-11-23 06:15 CET never ended")
        .says("PUSH IN DOUBT: sync-");
    company.run_now().exits(0);
    let ran = told(&company).exits(0);
    assert!(!ran.stdout.contains("DOUBT"), "{}", ran.stdout);
}

#[test]
fn a_restored_state_shows_until_it_is_adopted() {
    let company = with_backup(&JobTicket::start());
    command(&company, "restore", &["--force"]).exits(0);
    told(&company)
        .exits(3)
        .says("RESTORED from a backup at Mon 2026-11-23 06:15 CET")
        .says("adopt acme");
}

#[test]
fn a_run_in_progress_shows_with_its_begin_and_is_not_taken_for_killed() {
    let jobticket = JobTicket::start();
    let mut company = pushed(&jobticket);
    assert_eq!(only(&company)["running"], false);
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "begun".to_owned());
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1);
    company.variables.pop();
    // As if that process were still at it.
    let files = company.state_files().into_iter();
    let mut paths = files.map(|(path, _)| path);
    let lock = paths.find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("run-")
    });
    let lock = std::fs::File::open(lock.unwrap()).unwrap();
    lock.lock().unwrap();
    let one = only(&company);
    assert_eq!(one["running"], true);
    assert!(one["runningSince"].is_string(), "{one}");
    assert_eq!(one["killed"], Value::Null);
    told(&company)
        .exits(0)
        .says("running since Mon 2026-11-23 06:15 CET");
    drop(lock);
    told(&company).exits(1).says("never ended");
}

#[test]
fn beside_a_service_it_tells_what_the_service_did() {
    let jobticket = JobTicket::start();
    let company = daemon::company(&jobticket);
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 1);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    let one = only(&company);
    assert_eq!(one["lastRun"]["trigger"], "schedule 2026-11-23 04:15 UTC");
    assert_eq!(one["nextRun"], "2026-11-24T04:15:00Z");
    assert_eq!(one["exitCode"], 0);
    service.stops();
}

#[test]
fn one_integration_of_several_may_be_named_and_an_unknown_one_is_refused() {
    let company = Company::new();
    company
        .run(&["status", "--integration", "acme"])
        .exits(0)
        .says("acme: sandbox");
    company
        .run(&["status", "--integration", "other"])
        .exits(2)
        .says("There is no integration other");
}
