//! Services that start after one that was ended in the middle of something: what that left waiting goes on.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::api_support::status;
use crate::daemon::{BEFORE, SCHEDULE};
use crate::daemon_runs::{Pause, waiting};
use crate::deciding::{approved, decided, without_last};
use crate::service::Service;
use crate::support::{Company, JobTicket, people};
use crate::whole::is_whole;

const MADE_UP: &str = "schedule 2026-11-23 04:15 UTC, tried again";
const SCHEDULED: &str = "schedule 2026-11-23 04:15 UTC";

/// A company of five that runs at 05:15, two seconds before that.
fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.integration = SCHEDULE.to_owned();
    BEFORE.clone_into(&mut company.now);
    company.deliver_people("20261120", &people(5));
    company
}

fn triggers(company: &Company) -> Vec<String> {
    let started = company.events("run_started");
    let trigger = |event: &serde_json::Value| event["trigger"].as_str().unwrap().to_owned();
    started.iter().map(trigger).collect()
}

/// A service whose run comes to a point, and is killed there.
fn killed_at(company: &Company, point: &str) {
    let pause = Pause::at(company, point);
    let mut service = Service::start(company, &[pause.variable()]);
    pause.is_reached();
    service.signal(Signal::SIGKILL);
    service.child.wait().unwrap();
    pause.is_over();
}

#[test]
fn a_scheduled_run_that_was_killed_is_made_up_once_by_the_next_service() {
    for point in ["pulled", "prepared", "answered"] {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        killed_at(&company, point);
        "2026-11-23T04:30:00Z".clone_into(&mut company.now);
        let mut service = Service::start(&company, &[]);
        service.runs_end(&company, 1);
        service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
        let said = service.stops();
        let told = "The service was ended in the middle of a run (schedule 2026-11-23 04:15 UTC)";
        assert!(said.contains(told), "{point}: {said}");
        assert_eq!(triggers(&company), [SCHEDULED, MADE_UP], "{point}");
        assert_eq!(jobticket.active().len(), 5, "{point}");
        is_whole(&company, point);
        let mut service = Service::start(&company, &[]);
        service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
        service.stops();
        assert_eq!(triggers(&company).len(), 2, "{point}: nothing is left");
    }
}

#[test]
fn a_run_that_kills_its_service_is_made_up_once_and_not_again_and_again() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    killed_at(&company, "pulled");
    killed_at(&company, "pulled");
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    service.stops();
    assert_eq!(triggers(&company), [SCHEDULED, MADE_UP]);
    company.run(&["status"]).exits(1).says("never ended");
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_scheduled_run_that_was_stopped_with_its_service_is_made_up_however_often_that_happens() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    // That is about times at which there was no service.
    company.integration = SCHEDULE.replace("timezone", "catch_up: false, timezone");
    for _ in 0..3 {
        let pause = Pause::at(&company, "pulled");
        let mut service = Service::start(&company, &[pause.variable()]);
        pause.is_reached();
        service.signal(Signal::SIGTERM);
        service.hears(|message| message.contains("STOPPING=1"));
        pause.is_over();
        service.ends(0);
        company
            .run(&["status"])
            .says("still to be made: schedule 2026-11-23 04:15 UTC");
    }
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 4);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    service.stops();
    assert_eq!(jobticket.pushes().len(), 1);
    let told = company.run(&["status"]).exits(0);
    assert!(!told.stdout.contains("still to be made"), "{}", told.stdout);
}

#[test]
fn a_run_that_waits_for_its_file_goes_on_waiting_although_it_was_killed_and_then_turned_away() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = SCHEDULE.to_owned();
    company.deliver_people("20261120", &people(5));
    "2026-11-23T04:10:00Z".clone_into(&mut company.now);
    company.run_now().exits(0);
    BEFORE.clone_into(&mut company.now);
    killed_at(&company, "pulled");
    // Whoever is turned away by a pause has not done its work.
    "2026-11-23T05:20:00Z".clone_into(&mut company.now);
    decided(&company, &["pause", "acme", "--until", "2026-11-23"]);
    company.run_now().exits(3);
    decided(&company, &["resume", "acme"]);
    company.deliver_people("20261123", &people(6));
    let mut service = Service::start(&company, &[]);
    service.until(|_| (jobticket.active().len() == 6).then_some(()));
    service.stops();
    assert_eq!(triggers(&company).last().unwrap(), MADE_UP);
}

#[test]
fn a_run_that_could_not_reach_jobticket_is_made_again_until_it_can() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.integration = SCHEDULE.replace("timezone", "give_up_hours: 12, timezone");
    // Early enough for a clock that goes so fast.
    "2026-11-23T04:05:00Z".clone_into(&mut company.now);
    let gone = json!([{ "on": {}, "times": 1000, "kind": status(503) }]);
    jobticket.order("faults", &gone);
    let pace = ("JOBTICKET_SYNC_TEST_PACE", "120");
    let mut service = Service::start(&company, &[pace]);
    service.runs_end(&company, 1);
    assert!(jobticket.pushes().is_empty());
    jobticket.clear_faults();
    service.until(|_| (!jobticket.pushes().is_empty()).then_some(()));
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    let said = service.stops();
    assert!(
        said.contains("JobTicket could not be used; trying again at"),
        "{said}"
    );
    assert_eq!(triggers(&company).last().unwrap(), MADE_UP);
}

#[test]
fn a_run_by_hand_that_was_killed_is_left_to_whoever_made_it() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    "2026-11-23T06:00:00Z".clone_into(&mut company.now);
    company
        .variables
        .push(("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "pulled".to_owned()));
    company.run_now().exits(-1);
    company.variables.pop();
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    service.stops();
    assert_eq!(triggers(&company), ["--run-now"]);
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_file_that_is_awaited_is_awaited_by_the_next_service_too() {
    let (jobticket, mut company, mut service) = waiting("retry_minutes: 20, give_up_hours: 4");
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:35 CET"));
    service.stops();
    company.deliver_people("20261123", &people(5));
    "2026-11-24T05:00:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.until(|_| (!company.events("push_acknowledged").is_empty()).then_some(()));
    service.hears(|message| message.contains("next run Wed 2026-11-25 05:15 CET"));
    service.stops();
    let last = triggers(&company).pop().unwrap();
    assert_eq!(last, "schedule 2026-11-24 04:15 UTC, tried again");
    assert_eq!(jobticket.pushes().len(), 1);
}

#[test]
fn a_file_that_is_awaited_for_too_long_while_no_service_is_there_is_given_up_and_said() {
    let (_jobticket, mut company, mut service) = waiting("retry_minutes: 20, give_up_hours: 1");
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:35 CET"));
    service.stops();
    let runs = triggers(&company).len();
    "2026-11-24T07:00:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("next run Wed 2026-11-25 05:15 CET"));
    let said = service.stops();
    let told = "The run of 2026-11-24 04:15 UTC is given up";
    assert!(said.contains(told), "{said}");
    assert_eq!(triggers(&company).len(), runs);
}

#[test]
fn a_decision_is_acted_on_although_runs_after_it_could_not_reach_jobticket_or_were_paused() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = SCHEDULE.to_owned();
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &without_last(20, 3));
    company.run_now().exits(3);
    "2026-11-23T05:17:00Z".clone_into(&mut company.now);
    approved(&company, "1", &[]);
    let gone = json!([{ "on": {}, "times": 100, "kind": status(503) }]);
    jobticket.order("faults", &gone);
    "2026-11-23T05:20:00Z".clone_into(&mut company.now);
    company.run_now().exits(6);
    "2026-11-23T05:31:00Z".clone_into(&mut company.now);
    decided(&company, &["pause", "acme", "--until", "2026-11-23"]);
    company.run_now().exits(3);
    jobticket.clear_faults();
    "2026-11-23T05:32:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.hears(|message| {
        message.contains("next run Tue 2026-11-24 05:15 CET, PAUSED until 2026-11-23")
    });
    assert_eq!(jobticket.active().len(), 20);
    // What failed before does not keep the first run of a service from trying.
    decided(&company, &["resume", "acme"]);
    service.until(|_| (jobticket.active().len() == 17).then_some(()));
    service.stops();
    assert_eq!(triggers(&company).last().unwrap(), "decision");
}
