//! Runs of the service that do not go as planned: one that is due while another is in progress, one whose file is not there, and SIGTERM at every step.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::Utc;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::daemon::{BEFORE, SCHEDULE};
use crate::service::Service;
use crate::support::{Company, JobTicket, people};
use crate::whole::is_whole;

/// A place in a run where it stops until the test lets it go on.
pub(crate) struct Pause {
    file: PathBuf,
    variable: String,
}

impl Pause {
    pub(crate) fn at(company: &Company, point: &str) -> Self {
        let file = company.path("pause");
        let variable = format!("{point}:{}", file.display());
        Self { file, variable }
    }

    pub(crate) fn variable(&self) -> (&str, &str) {
        ("JOBTICKET_SYNC_TEST_PAUSE", &self.variable)
    }

    /// Waits until the run is there.
    #[track_caller]
    pub(crate) fn is_reached(&self) {
        wait_for("the pause", || self.file.exists());
    }

    /// No run is there.
    #[track_caller]
    pub(crate) fn is_not_reached(&self) {
        assert!(!self.file.exists(), "a run has come to the pause");
    }

    /// Lets the run go on.
    pub(crate) fn is_over(&self) {
        std::fs::remove_file(&self.file).unwrap();
    }
}

#[track_caller]
pub(crate) fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How fast the service's clock goes; it looks once a second.
const MINUTE_A_SECOND: (&str, &str) = ("JOBTICKET_SYNC_TEST_PACE", "60");
const HOUR_IN_SIX_SECONDS: (&str, &str) = ("JOBTICKET_SYNC_TEST_PACE", "600");

/// A company of five that runs at 05:15, two seconds before that.
fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.integration = SCHEDULE.to_owned();
    company.now = BEFORE.to_owned();
    company
}

#[test]
fn a_run_that_is_due_while_the_one_before_is_in_progress_is_skipped_said_and_on_record() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.integration = SCHEDULE.replace("15 5", "* *");
    company.deliver_people("20261120", &people(5));
    let pause = Pause::at(&company, "pulled");
    let mut service = Service::start(&company, &[pause.variable(), MINUTE_A_SECOND]);
    pause.is_reached();
    for _ in 0..3 {
        service.hears(|message| message.contains("acme: running"));
    }
    let missed = company.events("schedule_missed");
    assert!(!missed.is_empty(), "it is on record before the run ends");
    pause.is_over();
    service.runs_end(&company, 1);
    let said = service.stops();
    let told = "1 scheduled times got no run";
    assert!(said.contains(told), "{said}");
    // Where the machine stands still for a second, which is a minute here, nothing schedules, and that is said instead.
    let mut skipped = company.events("schedule_missed");
    skipped.retain(|missed| missed["reason"] != "nothing was scheduling then");
    for missed in &skipped {
        assert_eq!(missed["reason"], "the run before it is still in progress");
        assert_eq!(missed["count"], 1);
    }
    assert!(skipped.len() >= 2);
    assert_eq!(jobticket.pushes().len(), 1);
    is_whole(&company, "after runs that were skipped");
}

/// A service that has handled yesterday's run, and today's is due with an empty folder.
pub(crate) fn waiting(keys: &str) -> (JobTicket, Company, Service) {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.integration = SCHEDULE.replace("timezone", &format!("{keys}, timezone"));
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 1);
    service.stops();
    company.now = BEFORE.replace("-23T", "-24T");
    let service = Service::start(&company, &[HOUR_IN_SIX_SECONDS]);
    (jobticket, company, service)
}

fn triggers(company: &Company) -> Vec<String> {
    let started = company.events("run_started");
    let trigger = |event: &serde_json::Value| event["trigger"].as_str().unwrap().to_owned();
    started.iter().map(trigger).collect()
}

#[test]
fn a_run_whose_file_is_not_there_is_tried_again_until_it_is_given_up_and_said() {
    let (jobticket, company, mut service) = waiting("retry_minutes: 20, give_up_hours: 1");
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:"));
    service.hears(|message| message.contains("next run Wed 2026-11-25 05:15 CET"));
    // Two more hours.
    let runs = triggers(&company);
    std::thread::sleep(Duration::from_secs(3));
    let said = service.stops();
    assert_eq!(triggers(&company), runs, "nothing is tried after that");
    assert!(
        said.contains(
            "A source cannot be read yet, or its file is not there or not in order; looking again at 2026-11-24 04:35 UTC"
        ),
        "{said}"
    );
    assert!(
        said.contains(
            "The run of 2026-11-24 04:15 UTC is given up (A source cannot be read yet, or its file is not there or not in order)"
        ),
        "{said}"
    );
    let again = runs.iter().filter(|run| run.ends_with(", tried again"));
    let again = again.count();
    assert!((1..=3).contains(&again), "{runs:?}");
    assert_eq!(runs.len(), 2 + again, "{runs:?}");
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_run_whose_file_comes_late_is_made_with_it_and_not_tried_again() {
    let (jobticket, company, mut service) = waiting("retry_minutes: 20, give_up_hours: 4");
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:"));
    company.deliver_people("20261123", &people(5));
    service.until(|_| (!company.events("push_acknowledged").is_empty()).then_some(()));
    service.hears(|message| message.contains("next run Wed 2026-11-25 05:15 CET"));
    service.stops();
    let last = triggers(&company).pop().unwrap();
    assert_eq!(last, "schedule 2026-11-24 04:15 UTC, tried again");
    assert_eq!(jobticket.pushes().len(), 1);
}

/// The places of a run that pushes, in their order.
const STEPS: [&str; 11] = [
    "begun",
    "pulling",
    "pulled",
    "planned",
    "intended",
    "prepared",
    "attempted",
    "answered",
    "acknowledged",
    "archived",
    "ended",
];

#[test]
fn sigterm_at_any_step_of_a_run_leaves_a_whole_state_and_the_next_run_finishes() {
    for step in STEPS {
        let jobticket = JobTicket::start();
        let mut company = company(&jobticket);
        company.deliver_people("20261120", &people(5));
        let pause = Pause::at(&company, step);
        let mut service = Service::start(&company, &[pause.variable()]);
        pause.is_reached();
        service.signal(Signal::SIGTERM);
        // Later steps are in the middle of a transaction, which whoever stops the service waits for.
        if STEPS[..4].contains(&step) {
            service.hears(|message| message.contains("STOPPING=1"));
        } else {
            std::thread::sleep(Duration::from_millis(300));
        }
        pause.is_over();
        let said = service.ends(0);
        is_whole(&company, step);
        let ended = company.events("run_ended");
        assert_eq!(ended.len(), 1, "{step}: {said}");
        // Before the push there is nothing to finish; then it gets its answer.
        let pushes = usize::from(!STEPS[..4].contains(&step));
        let outcome = ["stopped", "pushed"][pushes];
        assert_eq!(ended[0]["outcome"], outcome, "{step}: {said}");
        assert_eq!(jobticket.pushes().len(), pushes, "{step}");
        company.now = "2026-11-23T04:30:00Z".to_owned();
        company.run_now().exits(0);
        assert_eq!(jobticket.pushes().len(), 1, "{step}");
        assert_eq!(jobticket.active().len(), 5, "{step}");
        assert!(company.events("run_never_ended").is_empty(), "{step}");
        is_whole(&company, step);
    }
}

/// A company and a JobTicket whose slow answers take time, both on the system's clock, and a run that is due at once.
fn slow() -> (JobTicket, Company) {
    let jobticket = JobTicket::with_clock("{}", None);
    let mut company = company(&jobticket);
    company.integration = SCHEDULE.replace("15 5", "* *");
    let minute = Utc::now().format("%Y-%m-%dT%H:%M:58Z");
    company.now = minute.to_string();
    company.deliver_people("20261120", &people(5));
    (jobticket, company)
}

#[test]
fn sigterm_while_a_slow_answer_is_awaited_waits_for_it() {
    let delay = json!({ "delay": { "ms": 2_500 } });
    let late = json!({ "delay_after": { "ms": 2_500 } });
    let push = json!({ "method": "POST", "path_prefix": "/hr-integrations" });
    let read = json!({ "method": "GET", "path_prefix": "/employees" });
    let cases = [
        (
            "reading back before the push",
            json!([{ "on": read, "kind": delay }]),
            "stopped",
        ),
        (
            "a push that is processed late",
            json!([{ "on": push, "kind": delay }]),
            "pushed",
        ),
        (
            "a push whose answer is late",
            json!([{ "on": push, "kind": late }]),
            "pushed",
        ),
        (
            "reading back after the push",
            json!([{ "on": read, "after": 1, "kind": delay }]),
            "pushed",
        ),
    ];
    for (when, faults, outcome) in cases {
        let (jobticket, mut company) = slow();
        jobticket.order("faults", &faults);
        let mut service = Service::start(&company, &[]);
        if outcome == "stopped" {
            service.hears(|message| message.contains("acme: running"));
        } else {
            wait_for("the push", || !company.events("push_intent").is_empty());
        }
        std::thread::sleep(Duration::from_millis(700));
        let asked = Instant::now();
        service.signal(Signal::SIGTERM);
        let said = service.ends(0);
        let waited = asked.elapsed();
        assert!(waited > Duration::from_millis(500), "{when}: {waited:?}");
        let ended = company.events("run_ended");
        assert_eq!(ended.len(), 1, "{when}: {said}");
        assert_eq!(ended[0]["outcome"], outcome, "{when}: {said}");
        is_whole(&company, when);
        company.now = (Utc::now() + chrono::TimeDelta::minutes(3)).to_rfc3339();
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 5, "{when}");
        assert_eq!(jobticket.pushes().len(), 1, "{when}");
    }
}
