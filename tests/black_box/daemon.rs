//! The service from outside: what it tells its manager, when it runs, and how it reloads and stops.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::deciding::{approved, without_last};
use crate::service::Service;
use crate::support::{Company, JobTicket, people};

/// Two seconds before the scheduled time.
pub(crate) const BEFORE: &str = "2026-11-23T04:14:58Z";
pub(crate) const SCHEDULE: &str =
    "    schedule: {cron: [\"15 5 * * *\"], timezone: Europe/Berlin}\n";

pub(crate) fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.integration = SCHEDULE.to_owned();
    BEFORE.clone_into(&mut company.now);
    company.deliver_people("20261120", &people(5));
    company
}

#[test]
fn it_is_ready_with_the_next_run_in_its_status_and_stops_with_success() {
    let company = {
        let mut company = company(&JobTicket::start());
        "2026-11-23T10:00:00Z".clone_into(&mut company.now);
        company
    };
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = Service::start(&company, &[]);
        let ready = &service.heard[0];
        assert!(
            ready.contains("acme: next run Tue 2026-11-24 05:15 CET"),
            "{ready}"
        );
        service.signal(signal);
        service.hears(|message| message.contains("STOPPING=1"));
        service.ends(0);
    }
    assert!(company.events("run_started").is_empty());
}

#[test]
fn it_runs_at_the_scheduled_time_once() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 1);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    service.hears(|message| message.contains("STATUS"));
    service.stops();
    assert_eq!(jobticket.active().len(), 5);
    let started = company.events("run_started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["trigger"], "schedule 2026-11-23 04:15 UTC");
}

#[test]
fn what_was_missed_while_it_was_down_is_made_up_once_and_the_rest_is_told() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 1);
    service.stops();
    // Two scheduled times later.
    jobticket.hours_pass(54);
    "2026-11-25T10:14:58Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 2);
    let said = service.stops();
    assert!(said.contains("1 scheduled times got no run"), "{said}");
    let started = company.events("run_started");
    assert_eq!(
        started[1]["trigger"],
        "schedule 2026-11-25 04:15 UTC, made up"
    );
    let missed = company.events("schedule_missed");
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0]["first"], "2026-11-24 04:15 UTC");
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("STATUS"));
    service.stops();
    assert_eq!(company.events("run_started").len(), 2);
}

#[test]
fn it_acts_on_a_decision_at_the_next_tick_and_shows_the_hold_until_then() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &without_last(20, 3));
    company.run_now().exits(3);
    // Each process begins at the time that it is given.
    "2026-11-23T05:16:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    assert!(service.heard[0].contains("HOLD 1"), "{:?}", service.heard);
    approved(&company, "1", &[]);
    service.runs_end(&company, 3);
    service.hears(|message| message.contains("STATUS=acme: no scheduled run\n"));
    service.stops();
    assert_eq!(jobticket.active().len(), 17);
    let started = company.events("run_started");
    assert_eq!(started.last().unwrap()["trigger"], "decision");
}

#[test]
fn it_reloads_a_good_configuration_and_keeps_the_old_one_where_the_new_one_is_wrong() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    "2026-11-23T10:00:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    company.integration = SCHEDULE.replace("15 5", "30 6");
    company.write_config();
    service.signal(Signal::SIGHUP);
    service.hears(|message| message.contains("RELOADING=1"));
    service.hears(|message| {
        message.contains("READY=1") && message.contains("next run Tue 2026-11-24 06:30 CET")
    });
    company.integration = format!("{SCHEDULE}    nonsense: 1\n");
    company.write_config();
    service.signal(Signal::SIGHUP);
    service.hears(|message| message.contains("RELOADING=1"));
    service.hears(|message| {
        message.contains("READY=1") && message.contains("next run Tue 2026-11-24 06:30 CET")
    });
    let said = service.stops();
    assert!(
        said.contains("The configuration was not reloaded, and the old one stays in force"),
        "{said}"
    );
    assert!(said.contains("nonsense"), "{said}");
    assert_eq!(company.events("configuration_changed").len(), 2);
}

#[test]
fn a_configuration_that_is_wrong_at_the_start_ends_it_with_its_own_code() {
    let mut company = company(&JobTicket::start());
    company.integration = "    nonsense: 1\n".to_owned();
    company.run(&[]).exits(2).says("nonsense");
}

#[test]
fn an_internal_error_ends_its_run_alone_and_is_on_record() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let mut service = Service::start(&company, &[("JOBTICKET_SYNC_TEST_PANIC", "run")]);
    service.until(|_| (!company.events("run_panicked").is_empty()).then_some(()));
    service.hears(|message| message.contains("next run Tue 2026-11-24"));
    let said = service.stops();
    assert!(said.contains("the service goes on"), "{said}");
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_push_that_is_on_its_way_gets_its_answer_before_it_stops() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    jobticket.fail_pushes(1, &json!({ "stall": { "ms": 3_000 } }));
    let mut service = Service::start(&company, &[]);
    service.until(|_| (!company.events("push_intent").is_empty()).then_some(()));
    assert!(company.events("push_acknowledged").is_empty());
    service.stops();
    assert_eq!(company.events("push_acknowledged").len(), 1);
    assert_eq!(company.events("run_ended").len(), 1);
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn a_run_that_has_not_pushed_yet_ends_at_a_safe_point_and_the_next_one_does_the_work() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let on = json!({ "method": "GET" });
    let slow = json!({ "stall": { "ms": 3_000 } });
    jobticket.order("faults", &json!([{ "on": on, "kind": slow, "times": 1 }]));
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("acme: running"));
    service.stops();
    assert!(jobticket.pushes().is_empty());
    assert_eq!(company.events("run_ended")[0]["outcome"], "stopped");
    "2026-11-23T04:30:00Z".clone_into(&mut company.now);
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn the_watchdog_hears_from_it_twice_in_its_time() {
    let company = company(&JobTicket::start());
    let mut service = Service::start(&company, &[("WATCHDOG_USEC", "1000000")]);
    for _ in 0..4 {
        service.hears(|message| message.contains("WATCHDOG=1"));
    }
    service.stops();
}
