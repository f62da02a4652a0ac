//! Killed while a hold is opened or ended, or while somebody decides, the program loses neither a person nor a decision, and whoever repeats the command gets what they wanted.

use serde_json::json;

use crate::crash::{everything_is_whole, killed_in};
use crate::deciding::{AT_ONCE, acknowledged, approved, decided, holds, seed, without_last};
use crate::scene::Scene;
use crate::support::{Company, JobTicket, Ran, people, person};

/// The points at which a command that decides can be killed: its decision is on disk, and so is its line of the audit log.
const POINTS: [&str; 2] = ["decided", "appended"];

/// Twenty people, of whom three wait in hold 1.
fn three_wait() -> Scene {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    scene
}

/// The decisions that the audit log tells of, in order.
fn told(company: &Company) -> Vec<String> {
    let events = company.events("decision");
    let kinds = events
        .iter()
        .map(|event| event["decision"].as_str().unwrap());
    kinds.map(str::to_owned).collect()
}

/// A command of a person, killed at the point. What it decided is on disk nevertheless, and the log tells of it once the next command has run.
#[track_caller]
fn killed(company: &mut Company, point: &str, arguments: &[&str]) {
    let reason = ["--reason", "told by HR"];
    killed_in(company, point, &[arguments, &reason].concat());
}

/// The last run was made after a command was killed: everything is whole.
#[track_caller]
fn whole(company: &Company, point: &str) {
    everything_is_whole(company, 0, point);
}

#[test]
fn killed_when_people_wait_the_next_run_lets_the_others_go_and_opens_no_second_hold() {
    let mut scene = acknowledged(20);
    let mut staff = without_last(20, 3);
    staff.push(person("00099"));
    scene.company.deliver_people("20261121", &staff);
    killed_in(&mut scene.company, "held", &["--run-now"]);
    assert_eq!(scene.jobticket.active().len(), 20);
    assert_eq!(holds(&scene.company).len(), 1);
    let ran = scene.company.run_now().exits(3);
    ran.says("+ 00099 joins").says("waits in hold 1");
    assert_eq!(scene.company.events("hold_opened").len(), 1);
    assert_eq!(scene.company.events("held").len(), 3);
    assert_eq!(scene.jobticket.active().len(), 21);
    everything_is_whole(&scene.company, 1, "held");
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("leavers: 3");
}

#[test]
fn killed_when_a_whole_plan_waits_the_next_run_holds_it_in_the_same_hold() {
    let mut scene = acknowledged(20);
    let staff: Vec<_> = (100..120)
        .map(|number| person(&number.to_string()))
        .collect();
    scene.company.deliver_people("20261121", &staff);
    killed_in(&mut scene.company, "held", &["--run-now"]);
    for _ in 0..2 {
        let ran = scene.company.run_now().exits(3).says("HELD");
        ran.says("holds show 1");
    }
    assert_eq!(scene.company.events("hold_opened").len(), 1);
    assert_eq!(scene.jobticket.active().len(), 20);
    everything_is_whole(&scene.company, 1, "held");
}

#[test]
fn killed_when_a_hold_ends_the_next_run_finishes_the_job() {
    let mut scene = three_wait();
    scene.company.deliver_people("20261122", &people(21));
    killed_in(&mut scene.company, "held", &["--run-now"]);
    scene.company.run_now().exits(0).says("+ 00021 joins");
    assert!(holds(&scene.company).is_empty());
    assert_eq!(scene.company.events("hold_over").len(), 1);
    assert_eq!(scene.jobticket.active().len(), 21);
    everything_is_whole(&scene.company, 1, "held");
}

#[test]
fn killed_when_jobticket_refuses_acknowledged_values_nobody_is_dropped_and_it_is_asked_once() {
    let mut scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(6));
    let never = json!({ "spoil_record": { "hr_id": "00003" } });
    scene.jobticket.fail_pushes(1000, &never);
    killed_in(&mut scene.company, "held", &["--run-now"]);
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.company.run_now().exits(5).says("waits in hold 1");
    assert_eq!(scene.company.events("hold_opened").len(), 1);
    assert_eq!(scene.jobticket.active().len(), 5);
    everything_is_whole(&scene.company, 1, "held");
    // Taken after all: killed when that ends the hold.
    scene.jobticket.clear_faults();
    killed_in(&mut scene.company, "held", &["--run-now"]);
    scene.company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&scene.company).is_empty());
    assert_eq!(scene.jobticket.active().len(), 6);
    everything_is_whole(&scene.company, 2, "held");
}

#[test]
fn killed_between_two_amendments_nobody_is_lost_and_the_job_is_finished_once_jobticket_takes_all() {
    for point in [
        "answered",
        "intended:2",
        "prepared:2",
        "attempted:2",
        "answered:2",
    ] {
        let mut scene = acknowledged(5);
        scene.company.deliver_people("20261121", &people(7));
        let never = json!({ "spoil_record": { "hr_id": "00006" } });
        scene.jobticket.fail_pushes(1000, &never);
        killed_in(&mut scene.company, point, &["--run-now"]);
        // JobTicket has named the new person already, so that they are left out and nobody is in question.
        let ran = scene.company.run_now();
        assert_eq!(ran.code, 9, "{point}: {ran:?}");
        let mut active = scene.jobticket.active();
        active.retain(|hr_id| hr_id != "00007");
        let known = ["00001", "00002", "00003", "00004", "00005"];
        assert_eq!(active, known, "{point}");
        scene.jobticket.clear_faults();
        let ran = scene.company.run_now();
        assert_eq!(ran.code, 0, "{point}: {ran:?}");
        assert_eq!(scene.jobticket.active().len(), 7, "{point}");
        assert!(holds(&scene.company).is_empty(), "{point}");
        everything_is_whole(&scene.company, 1, point);
    }
}

#[test]
fn an_approval_that_was_killed_is_made_and_may_be_repeated() {
    for point in POINTS {
        for repeated in [false, true] {
            let mut scene = three_wait();
            let approve = ["approve", "1", "--yes", "--except", "00020"];
            killed(&mut scene.company, point, &approve);
            if repeated {
                decided(&scene.company, &approve).says("Approved");
            }
            assert_eq!(scene.jobticket.active().len(), 20, "it only records");
            let ran = scene.company.run_now().exits(3).says("leavers: 2");
            ran.says("? - 00020 leaves");
            assert_eq!(scene.jobticket.active().len(), 18);
            whole(&scene.company, point);
            assert_eq!(told(&scene.company).len(), 1 + usize::from(repeated));
            let first = &scene.company.events("decision")[0];
            assert_eq!(first["hrIds"], json!(["00018", "00019"]), "{point}");
            assert_eq!(first["reason"], "told by HR");
        }
    }
}

#[test]
fn an_approval_that_was_killed_and_acted_on_says_when_repeated_that_it_is_over() {
    for point in POINTS {
        let mut scene = three_wait();
        killed(&mut scene.company, point, &["approve", "1", "--yes"]);
        scene.company.run_now().exits(0).says("leavers: 3");
        scene.company.run_now().exits(0).says("Nothing changed");
        let again = ["approve", "1", "--yes", "--reason", "told by HR"];
        scene.company.run(&again).exits(2).says("Hold 1 is over");
        assert_eq!(told(&scene.company), ["approve"]);
        whole(&scene.company, point);
    }
}

#[test]
fn a_rejection_and_a_reopening_that_were_killed_are_made_and_may_be_repeated() {
    for point in POINTS {
        let mut scene = three_wait();
        killed(&mut scene.company, point, &["reject", "1"]);
        scene.company.run_now().exits(0);
        decided(&scene.company, &["reject", "1"]);
        scene.company.run_now().exits(0);
        assert_eq!(scene.jobticket.active().len(), 20);
        killed(&mut scene.company, point, &["holds", "reopen", "1"]);
        scene.company.run_now().exits(3).says("waits in hold 1");
        decided(&scene.company, &["holds", "reopen", "1"]);
        scene.company.run_now().exits(3).says("waits in hold 1");
        assert_eq!(scene.jobticket.active().len(), 20);
        assert_eq!(
            told(&scene.company),
            ["reject", "reject", "reopen", "reopen"]
        );
        whole(&scene.company, point);
    }
}

#[test]
fn a_keep_that_was_killed_is_made_and_may_be_repeated() {
    for point in POINTS {
        let mut scene = acknowledged(20);
        let keep = ["keep", "00020", "--until", "2026-12-01"];
        killed(&mut scene.company, point, &keep);
        scene
            .company
            .deliver_people("20261121", &without_last(20, 2));
        let ran = scene.company.run_now().exits(0).says("- 00019 leaves");
        ran.says("= 00020 stays as acknowledged, by decision");
        decided(&scene.company, &keep).says("is kept until 2026-12-01");
        scene.company.run_now().exits(0);
        assert_eq!(scene.jobticket.active().len(), 19);
        assert_eq!(told(&scene.company), ["keep", "keep"]);
        whole(&scene.company, point);
    }
}

/// Somebody else has pushed twenty people, and this installation with one more has to be adopted.
fn second_host() -> (JobTicket, Company) {
    let jobticket = JobTicket::start();
    let [mut first, mut second] = [(); 2].map(|()| Company::at(&jobticket));
    for company in [&mut first, &mut second] {
        company.integration = AT_ONCE.to_owned();
    }
    first.deliver_people("20261120", &people(20));
    first.run_now().exits(0);
    second.deliver_people("20261120", &people(21));
    second.run_now().exits(3);
    (jobticket, second)
}

#[test]
fn an_adoption_that_was_killed_is_made_and_says_when_repeated_that_there_is_nothing_to_adopt() {
    for point in POINTS {
        let (jobticket, mut company) = second_host();
        killed(&mut company, point, &["adopt", "acme", "--yes"]);
        let ran: Ran = decided(&company, &["adopt", "acme", "--yes"]);
        ran.says("there is nothing to adopt");
        assert_eq!(jobticket.active().len(), 20);
        let ran = company.run_now().exits(0);
        ran.says("joiners: 1   leavers: 0");
        assert_eq!(jobticket.active().len(), 21);
        assert_eq!(told(&company), ["adopt"]);
        whole(&company, point);
    }
}

#[test]
fn the_approval_of_a_whole_plan_that_was_killed_covers_that_plan() {
    for point in POINTS {
        let jobticket = JobTicket::start();
        let mut company = Company::at(&jobticket);
        company.asks.clear();
        company.deliver_people("20261120", &people(5));
        company.run_now().exits(3).says("First contact");
        killed(&mut company, point, &["approve", "1", "--yes"]);
        assert!(jobticket.pushes().is_empty());
        company.run_now().exits(0).says("joiners: 5");
        company.run_now().exits(0).says("Nothing changed");
        assert_eq!(jobticket.active().len(), 5);
        assert_eq!(told(&company), ["approve"]);
        whole(&company, point);
    }
}

#[test]
fn killed_when_the_approval_of_lost_tickets_ends_its_hold_it_is_asked_again() {
    let jobticket = JobTicket::behaving(r#"{"unlinked_people":"offboarded"}"#);
    seed(&jobticket, "somebody@example.com", None);
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(8);
    company.run_now().exits(3).says("holds show 1");
    approved(&company, "1", &[]);
    company.deliver_people("20261121", &people(6));
    killed_in(&mut company, "held", &["--run-now"]);
    company.run_now().exits(3).says("holds show 2");
    assert_eq!(jobticket.pushes().len(), 1);
    approved(&company, "2", &[]);
    company.run_now().exits(0).says("+ 00006 joins");
    everything_is_whole(&company, 1, "held");
}
