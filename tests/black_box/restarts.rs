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

const MADE_UP: &str = "a run before was cut short";
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
fn a_scheduled_run_that_was_stopped_with_its_service_is_made_up_unless_nothing_is_to_be() {
    for (catch_up, runs) in [("", 2), ("catch_up: false, ", 1)] {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        company.integration = SCHEDULE.replace("timezone", &format!("{catch_up}timezone"));
        let pause = Pause::at(&company, "pulled");
        let mut service = Service::start(&company, &[pause.variable()]);
        pause.is_reached();
        service.signal(Signal::SIGTERM);
        service.hears(|message| message.contains("STOPPING=1"));
        pause.is_over();
        service.ends(0);
        let mut service = Service::start(&company, &[]);
        if runs == 2 {
            service.runs_end(&company, 2);
        }
        service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
        service.stops();
        assert_eq!(triggers(&company).len(), runs, "{catch_up}");
        assert_eq!(jobticket.pushes().len(), runs - 1, "{catch_up}");
    }
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
    let told =
        "A file of the run of 2026-11-24 04:15 UTC is still not there or not in order; given up";
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
    // It is paused, and holds back for what failed before.
    "2026-11-23T05:32:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    decided(&company, &["resume", "acme"]);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    service.stops();
    assert_eq!(jobticket.active().len(), 20);
    "2026-11-23T05:40:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.until(|_| (jobticket.active().len() == 17).then_some(()));
    service.stops();
    assert_eq!(triggers(&company).last().unwrap(), "decision");
}
