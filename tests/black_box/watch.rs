//! Drop folders that the service watches: which files start a run, how often, and which do not.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use chrono::DateTime;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::absence_files::{LEAVE, file, with_absences};
use crate::api_support::{fail_reads, status};
use crate::daemon::{BEFORE, SCHEDULE};
use crate::daemon_runs::Pause;
use crate::service::Service;
use crate::support::{Company, JobTicket, people, table};

const WATCH: &str = "        watch: true\n";

/// A company whose folder is watched, without a schedule.
fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.source += WATCH;
    company
}

fn triggers(company: &Company) -> Vec<String> {
    let started = company.events("run_started");
    let trigger = |event: &Value| event["trigger"].as_str().unwrap().to_owned();
    started.iter().map(trigger).collect()
}

/// The service looks at the folder, and has time to start a run.
fn looks(company: &Company) {
    fs::write(company.path("drop/notes.txt"), "").unwrap();
    sleep(Duration::from_secs(4));
}

/// Nothing starts although the service looks.
#[track_caller]
fn nothing_starts(company: &Company) {
    let before = triggers(company);
    looks(company);
    assert_eq!(triggers(company), before, "a run has started");
}

#[test]
fn a_file_that_is_renamed_when_it_is_complete_starts_a_run_and_the_one_before_does_not() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    let ready = &service.heard[0];
    assert!(
        ready.contains("acme: no scheduled run, waiting for a file"),
        "{ready}"
    );
    company.deliver("roster_20261120.csv.part", table(&people(5)));
    nothing_starts(&company);
    let name = company.path("drop/roster_20261120.csv");
    fs::rename(company.path("drop/roster_20261120.csv.part"), name).unwrap();
    service.runs_end(&company, 1);
    nothing_starts(&company);
    let said = service.stops();
    assert!(said.contains("drop is watched"), "{said}");
    assert_eq!(
        triggers(&company),
        ["watch headquarters: roster_20261120.csv"]
    );
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn a_file_starts_a_run_when_its_marker_is_there() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261120", &people(5));
    nothing_starts(&company);
    company.deliver("roster_20261120.csv.done", "");
    service.runs_end(&company, 1);
    service.stops();
    assert_eq!(
        triggers(&company),
        ["watch headquarters: roster_20261120.csv"]
    );
    assert_eq!(jobticket.active().len(), 5);
}

/// Writes a roster a row at a time, for some seconds, under its own name.
fn write_slowly(company: &Company) {
    let began = Instant::now();
    let now = DateTime::parse_from_rfc3339(&company.now).unwrap();
    let mut options = OpenOptions::new();
    let path = company.path("drop/roster_20261120.csv");
    let mut file = options.create(true).append(true).open(path).unwrap();
    for line in table(&people(9)).split_inclusive('\n') {
        file.write_all(line.as_bytes()).unwrap();
        file.set_modified(SystemTime::from(now) + began.elapsed())
            .unwrap();
        sleep(Duration::from_millis(600));
    }
}

#[test]
fn a_file_that_grows_slowly_is_read_once_and_as_a_whole() {
    // Also of a sender that should rename and does not.
    for ready in ["{quiet_seconds: 3}", "rename"] {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        company.edit("ready: rename", &format!("ready: {ready}"));
        let mut service = Service::start(&company, &[]);
        write_slowly(&company);
        assert!(triggers(&company).is_empty(), "{ready}");
        service.runs_end(&company, 1);
        service.stops();
        assert_eq!(triggers(&company).len(), 1, "{ready}");
        assert_eq!(company.events("source_pulled")[0]["rows"], 9, "{ready}");
        assert!(company.events("source_failed").is_empty(), "{ready}");
        assert_eq!(jobticket.active().len(), 9, "{ready}");
    }
}

#[test]
fn a_bad_file_is_tried_once_also_after_a_restart_and_again_when_it_has_changed() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    let mut service = Service::start(&company, &[]);
    let bad = table(&people(6)).replace("01.03.2022", "31.02.2022");
    company.deliver("roster_20261121.csv", &bad);
    service.runs_end(&company, 2);
    assert_eq!(company.events("source_failed").len(), 1);
    nothing_starts(&company);
    service.stops();
    let mut service = Service::start(&company, &[]);
    nothing_starts(&company);
    // The same name, and another file.
    company.deliver_people("20261121", &people(7));
    service.runs_end(&company, 3);
    nothing_starts(&company);
    service.stops();
    assert_eq!(
        triggers(&company)[1..],
        [
            "watch headquarters: roster_20261121.csv",
            "watch headquarters: roster_20261121.csv"
        ]
    );
    assert_eq!(jobticket.active().len(), 7);
}

#[test]
fn a_file_that_a_run_by_hand_has_tried_starts_no_run() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    company.deliver("roster_20261120.csv", "no;roster\r\nat;all\r\n");
    company.run_now().exits(4);
    let service = Service::start(&company, &[]);
    nothing_starts(&company);
    service.stops();
}

#[test]
fn a_run_that_could_not_push_is_not_started_again_by_the_same_file() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    fail_reads(&jobticket, "/", 10_000, &status(503));
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    nothing_starts(&company);
    service.stops();
    assert_eq!(company.events("run_ended")[0]["outcome"], "not reachable");
}

#[test]
fn a_run_that_ends_before_it_reads_the_file_is_not_started_again_by_it() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.integration = "    hrid_map: missing.csv\n".to_owned();
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    nothing_starts(&company);
    // The next one has its turn.
    company.deliver_people("20261121", &people(5));
    service.runs_end(&company, 2);
    service.stops();
    assert_eq!(company.events("run_ended")[0]["outcome"], "misconfigured");
}

#[test]
fn archiving_a_file_starts_no_other_run() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.source += "        after: {archive: drop/archive}\n";
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261119", &people(4));
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    nothing_starts(&company);
    assert!(company.path("drop/archive/roster_20261120.csv").exists());
    company.deliver_people("20261121", &people(6));
    service.runs_end(&company, 2);
    nothing_starts(&company);
    let said = service.stops();
    assert!(!said.contains("WARN"), "{said}");
    assert_eq!(jobticket.active().len(), 6);
}

#[test]
fn a_file_that_was_read_before_a_restart_starts_no_run_and_one_that_came_meanwhile_does() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    service.stops();
    let service = Service::start(&company, &[]);
    nothing_starts(&company);
    service.stops();
    company.deliver_people("20261121", &people(6));
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 2);
    service.stops();
    assert_eq!(
        triggers(&company)[1],
        "watch headquarters: roster_20261121.csv"
    );
}

#[test]
fn a_reload_that_switches_the_watch_on_starts_a_run_for_a_file_that_is_there() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    let mut service = Service::start(&company, &[]);
    company.deliver_people("20261120", &people(5));
    nothing_starts(&company);
    company.source += WATCH;
    company.write_config();
    service.signal(Signal::SIGHUP);
    service.runs_end(&company, 1);
    // And off again.
    company.edit(WATCH, "");
    company.write_config();
    service.signal(Signal::SIGHUP);
    service.hears(|message| message.contains("READY=1") && !message.contains("waiting"));
    company.deliver_people("20261121", &people(6));
    nothing_starts(&company);
    service.stops();
    assert_eq!(
        triggers(&company),
        ["watch headquarters: roster_20261120.csv"]
    );
}

#[test]
fn a_folder_that_is_missing_is_told_once_and_watched_when_it_is_there() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    fs::remove_dir(company.path("drop")).unwrap();
    let mut service = Service::start(&company, &[]);
    // More than one look.
    sleep(Duration::from_secs(11));
    fs::create_dir(company.path("drop")).unwrap();
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    // Now it is heard again, sooner than it would be looked at.
    company.deliver_people("20261121", &people(6));
    let heard = Instant::now();
    service.runs_end(&company, 2);
    assert!(heard.elapsed() < Duration::from_secs(9));
    let said = service.stops();
    assert_eq!(said.matches("cannot be listed").count(), 1, "{said}");
    assert!(
        said.contains("No run starts for that; the folder is looked at every 10 seconds"),
        "{said}"
    );
}

#[test]
fn a_file_that_can_never_be_taken_is_told_once_and_starts_no_run() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let service = Service::start(&company, &[]);
    company.deliver("roster_20261120.csv", "");
    nothing_starts(&company);
    nothing_starts(&company);
    let said = service.stops();
    let told = "The file roster_20261120.csv is empty (0 bytes); deliver it again";
    assert_eq!(said.matches(told).count(), 1, "{said}");
}

#[test]
fn a_file_that_comes_while_a_run_is_in_progress_gets_the_next_run() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let pause = Pause::at(&company, "pulled");
    let mut service = Service::start(&company, &[pause.variable()]);
    company.deliver_people("20261120", &people(5));
    pause.is_reached();
    company.deliver_people("20261121", &people(6));
    looks(&company);
    pause.is_over();
    pause.is_reached();
    pause.is_over();
    service.runs_end(&company, 2);
    nothing_starts(&company);
    pause.is_not_reached();
    service.stops();
    assert_eq!(
        triggers(&company),
        [
            "watch headquarters: roster_20261120.csv",
            "watch headquarters: roster_20261121.csv"
        ]
    );
    assert_eq!(jobticket.active().len(), 6);
}

#[test]
fn a_file_that_a_scheduled_run_reads_starts_no_second_one() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.integration = SCHEDULE.to_owned();
    company.now = BEFORE.to_owned();
    let pause = Pause::at(&company, "pulling");
    let mut service = Service::start(&company, &[pause.variable()]);
    pause.is_reached();
    // It is found while the run, which has not read it yet, is in progress.
    company.deliver_people("20261120", &people(5));
    looks(&company);
    pause.is_over();
    service.runs_end(&company, 1);
    nothing_starts(&company);
    pause.is_not_reached();
    service.stops();
    assert_eq!(triggers(&company), ["schedule 2026-11-23 04:15 UTC"]);
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn check_tells_what_is_watched_and_that_nothing_tries_again_without_a_schedule() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let told = "source headquarters: the service watches";
    let alone = "WARNING: there is no schedule";
    company
        .run(&["check", "--offline"])
        .exits(0)
        .says(told)
        .says("schedule: none; this integration runs where a new file comes or somebody starts it")
        .says(alone);
    company.integration = SCHEDULE.to_owned();
    let ran = company.run(&["check", "--offline"]).exits(0).says(told);
    assert!(!ran.stdout.contains(alone), "{}", ran.stdout);
    company.edit("watch: true", "watch: sometimes");
    company
        .run(&["check", "--offline"])
        .exits(2)
        .says("integrations[0].sources[0].watch")
        .says("Expected true or false");
}

#[test]
fn a_new_roster_or_a_new_file_of_absences_starts_a_run_once_both_are_there() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    with_absences(&mut company);
    let mut service = Service::start(&company, &[]);
    nothing_starts(&company);
    company.deliver_people("20261120", &people(5));
    service.runs_end(&company, 1);
    company.deliver("absences_20261121.csv", file(&[LEAVE]));
    service.runs_end(&company, 2);
    // One that fails is tried once.
    company.deliver("absences_20261122.csv", file(&[]));
    service.runs_end(&company, 3);
    nothing_starts(&company);
    company.deliver_people("20261122", &people(5));
    service.runs_end(&company, 4);
    nothing_starts(&company);
    service.stops();
    assert_eq!(
        triggers(&company),
        [
            "watch headquarters: roster_20261120.csv and absences_20261120.csv",
            "watch headquarters: roster_20261120.csv and absences_20261121.csv",
            "watch headquarters: roster_20261120.csv and absences_20261122.csv",
            "watch headquarters: roster_20261122.csv and absences_20261122.csv",
        ]
    );
    assert_eq!(company.events("source_failed").len(), 2);
}
