//! Decisions after decisions: the later one counts, none ends by the way, and none of them is a dead end.

use serde_json::json;

use crate::deciding::{acknowledged, approved, decided, holds, without_last};
use crate::support::{Company, JobTicket, people, person};

const AT_ONCE: &str = "    limits: {missing_days: 1}\n";

#[test]
fn whoever_is_excepted_from_a_second_approval_is_not_approved_any_more() {
    let scene = acknowledged(20);
    let staff = without_last(20, 3);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &[]);
    approved(&scene.company, "1", &["--except", "00020"]);
    scene.company.run_now().exits(3).says("? - 00020 leaves");
    let active = scene.jobticket.active();
    assert_eq!(active.len(), 18);
    assert!(active.contains(&"00020".to_owned()));
}

#[test]
fn who_was_rejected_with_a_whole_plan_stays_although_another_wrong_file_comes() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 8));
    scene.company.run_now().exits(3);
    decided(&scene.company, &["reject", "1"]);
    scene.company.deliver_people("20261122", &people(12)[6..]);
    scene.company.run_now().exits(3).says("HELD");
    scene
        .company
        .deliver_people("20261123", &without_last(20, 1));
    let ran = scene.company.run_now();
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says("= 00020 stays as acknowledged, by decision");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn an_approval_outdoes_a_rejection_before_it_and_says_so() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    decided(&scene.company, &["reject", "1"]);
    // Now they are among the leavers of what is probably the wrong file.
    scene
        .company
        .deliver_people("20261122", &without_last(20, 9));
    scene.company.run_now().exits(3);
    approved(&scene.company, "2", &[])
        .says("rejected before, which this approval outdoes: 00018 (hold 1)");
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 11);
    scene.company.run_now().exits(0);
    assert!(holds(&scene.company).is_empty());
}

#[test]
fn a_rejection_after_the_approval_of_a_whole_plan_keeps_its_people() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    scene
        .company
        .deliver_people("20261122", &without_last(20, 9));
    scene.company.run_now().exits(3);
    let plan = holds(&scene.company)
        .iter()
        .find(|hold| hold["scope"] == "plan")
        .map(|hold| hold["id"].to_string());
    approved(&scene.company, &plan.unwrap(), &[]);
    decided(&scene.company, &["reject", "1"]);
    scene.company.run_now();
    let active = scene.jobticket.active();
    for kept in ["00018", "00019", "00020"] {
        assert!(active.contains(&kept.to_owned()), "{kept}");
    }
}

#[test]
fn whom_jobticket_refuses_is_asked_about_once_and_may_be_left_out_after_a_no() {
    let scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(6));
    let never = json!({ "spoil_record": { "hr_id": "00003" } });
    scene.jobticket.fail_pushes(1000, &never);
    scene.company.run_now().exits(5);
    decided(&scene.company, &["reject", "1"]);
    for _ in 0..3 {
        scene.company.run_now().exits(5);
    }
    assert_eq!(scene.company.events("hold_opened").len(), 1);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("00006 joins");
    let active = scene.jobticket.active();
    assert_eq!(active, ["00001", "00002", "00004", "00005", "00006"]);
}

#[test]
fn after_an_adoption_whom_we_once_offboarded_counts_again_where_jobticket_has_them() {
    let jobticket = JobTicket::start();
    let mut first = Company::at(&jobticket);
    let mut second = Company::at(&jobticket);
    first.integration = AT_ONCE.to_owned();
    second.integration = AT_ONCE.to_owned();
    first.deliver_people("20261120", &people(20));
    first.run_now().exits(0);
    first.deliver_people("20261121", &people(19));
    first.run_now().exits(0).says("00020 leaves");
    // The other host takes them back.
    second.deliver_people("20261120", &people(20));
    second.run_now().exits(3);
    decided(&second, &["adopt", "acme", "--yes"]);
    second.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 20);
    // The first host takes over again, with a file that lacks them.
    first.integration = "    limits: {missing_days: 3}\n".to_owned();
    first
        .run(&["adopt", "acme", "--yes", "--reason", "back"])
        .exits(0);
    first.deliver_people("20261122", &[people(19), vec![person("00021")]].concat());
    first.run_now().exits(0).says("00020 is missing on day 1");
    assert_eq!(jobticket.active().len(), 21);
}

#[test]
fn a_push_each_day_that_jobticket_never_shows_is_drift_after_its_hours() {
    let jobticket = JobTicket::behaving(r#"{"processing":{"later":{"after_requests":100000}}}"#);
    let mut company = Company::at(&jobticket);
    company.integration = "    read_back: {within_hours: 30}\n".to_owned();
    let mut codes = Vec::new();
    for (day, count) in [(0, 5), (1, 6), (2, 7)] {
        company.now = crate::api_support::later(day * 24 * 3600);
        company.deliver_people(&format!("2026112{day}"), &people(count));
        codes.push(company.run_now().code);
        jobticket.hours_pass(24);
    }
    assert_eq!(codes, [0, 0, 8]);
}
