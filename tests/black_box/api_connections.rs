//! Connections that break, answers that are cut, late or no answer at all.

use chrono::Utc;
use serde_json::{Value, json};

use crate::api_support::{
    PROBED, Scripted, answer, fail_reads, patient, requests, status, sync_ids, tried,
};
use crate::support::{Company, JobTicket, people};

#[test]
fn where_nobody_listens_nothing_is_pushed_and_the_next_run_starts_afresh() {
    let jobticket = JobTicket::start();
    let nobody = Scripted::start(Vec::new());
    let mut company = nobody.company(&jobticket, 20);
    company.deliver_people("20261120", &people(3));
    company
        .run_now()
        .exits(6)
        .says("NOT REACHABLE")
        .says("no connection");
    assert!(company.events("push_intent").is_empty());
    company.jobticket = company.jobticket.replace(&nobody.url, &jobticket.url);
    company.run_now().exits(0).says("joiners: 3");
}

/// A company that asks for the smallest list before a push, and for the integration after it, and no more.
fn without_reading_back(mut company: Company) -> Company {
    company.integration = "    read_back: {before_push: false, after_push: false}\n".to_owned();
    company
}

#[test]
fn a_push_that_never_found_a_connection_was_surely_not_taken() {
    let jobticket = JobTicket::start();
    let server = Scripted::start(vec![answer(PROBED)]);
    let company = without_reading_back(server.company(&jobticket, 20));
    company.deliver_people("20261120", &people(3));
    company
        .run_now()
        .exits(6)
        .says("NOT REACHABLE")
        .says("did not take the push");
    assert_eq!(server.seen().len(), 1);
    assert_eq!(company.events("push_refused").len(), 1);
    assert!(company.events("push_in_doubt").is_empty());
}

#[test]
fn a_connection_closed_before_processing_is_tried_again() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    jobticket.fail_pushes(2, &json!("drop_before"));
    company.run_now().exits(0).says("Pushed 3 employees");
    assert_eq!(
        (tried(&jobticket).len(), sync_ids(&jobticket).len()),
        (3, 1)
    );
    assert_eq!(jobticket.pushes().len(), 1);
}

#[test]
fn a_lost_answer_is_tried_again_with_the_same_body_and_sync_id() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    jobticket.fail_pushes(1, &json!("drop_after"));
    company.run_now().exits(0).says("Pushed 3 employees");
    assert_eq!(sync_ids(&jobticket).len(), 1);
    let body = |number| jobticket.control(&format!("pushes/{number}"))["text"].clone();
    assert_eq!(body(1), body(2));
    assert_eq!(jobticket.active().len(), 3);
}

#[test]
fn an_answer_that_is_cut_short_leaves_the_push_in_doubt() {
    for cut in [
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 204 No Content\r\ndate: Mo",
        "garbage\r\n\r\n",
    ] {
        let jobticket = JobTicket::start();
        let server = Scripted::start(vec![answer(PROBED), cut.to_owned()]);
        let company = without_reading_back(server.company(&jobticket, 20));
        company.deliver_people("20261120", &people(3));
        company.run_now().exits(6).says("IN DOUBT");
        assert_eq!(server.seen().len(), 2, "{cut:?}");
        assert!(server.seen()[1].starts_with("POST /hr-integrations/7/sync"));
        assert_eq!(company.events("push_in_doubt").len(), 1);
        assert!(company.events("push_acknowledged").is_empty());
    }
}

/// A sandbox whose delays take time, and a company on the same clock whose calls may take a second.
fn hasty() -> (JobTicket, Company) {
    let jobticket = JobTicket::with_clock("{}", None);
    let mut company = patient(&jobticket, 1);
    company.jobticket +=
        "      timeouts: {connect_seconds: 1, read_seconds: 1, total_seconds: 1}\n";
    company.now = Utc::now().to_rfc3339();
    company.deliver_people("20261120", &people(3));
    (jobticket, company)
}

#[test]
fn no_answer_to_a_push_within_the_time_limit_leaves_it_in_doubt() {
    for delay in ["delay", "delay_after"] {
        let (jobticket, mut company) = hasty();
        jobticket.fail_pushes(1, &json!({ delay: { "ms": 1500 } }));
        company
            .run_now()
            .exits(6)
            .says("IN DOUBT")
            .says("no answer within the time limit");
        company.now = Utc::now().to_rfc3339();
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 3);
        assert!(sync_ids(&jobticket).len() <= 2);
    }
}

#[test]
fn no_answer_to_the_probe_within_the_time_limit_ends_the_run_without_a_push() {
    let (jobticket, company) = hasty();
    fail_reads(
        &jobticket,
        "/employees",
        3,
        &json!({ "delay": { "ms": 1500 } }),
    );
    company
        .run_now()
        .exits(6)
        .says("no answer within the time limit");
    assert!(tried(&jobticket).is_empty());
}

#[test]
fn a_web_page_with_the_status_200_is_no_answer() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    fail_reads(&jobticket, "/employees", 1, &json!("html_200"));
    company
        .run_now()
        .exits(5)
        .says("an answer that is not as documented");
    assert!(tried(&jobticket).is_empty());
    jobticket.fail_pushes(1, &json!("html_200"));
    company.run_now().exits(5).says("IN DOUBT");
    jobticket.clear_faults();
    company.run_now().exits(0);
    // What the integration shows is not documented: the list alone can tell as well.
    fail_reads(&jobticket, "/hr-integrations", 2, &json!("html_200"));
    company.deliver_people("20261121", &people(4));
    company.run_now().exits(0).says("and read back");
}

#[test]
fn a_probe_whose_answer_is_cut_is_tried_again() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    fail_reads(&jobticket, "/employees", 2, &json!("cut_body"));
    company.run_now().exits(0).says("Pushed 3 employees");
    // The integration and, at the third attempt, the list; the push; both again.
    assert_eq!(requests(&jobticket), (1 + 3) + 1 + 2);
}

/// A list that cannot be believed while a push is in doubt: nothing is decided by it, and nothing is sent.
#[track_caller]
fn a_bad_list_stops_the_settling(fault: &Value, exit: i32, times: u32) {
    // 150 people are two pages.
    let jobticket = JobTicket::behaving(r#"{"last_sync_id_on_integration":"absent"}"#);
    let company = patient(&jobticket, 1);
    let mut staff = people(150);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    "Neumann".clone_into(&mut staff[3].last);
    company.deliver_people("20261121", &staff);
    let minute = json!({ "delay": { "ms": 60_000 } });
    fail_reads(&jobticket, "/employees", 1, &minute);
    jobticket.fail_pushes(50, &json!({ "status_after": { "code": 503 } }));
    company.run_now().exits(6).says("IN DOUBT");
    jobticket.clear_faults();
    let before = tried(&jobticket).len();

    staff.pop();
    company.deliver_people("20261122", &staff);
    fail_reads(&jobticket, "/employees", times, fault);
    company.run_now().exits(exit);
    assert_eq!(
        tried(&jobticket).len(),
        before,
        "{fault}: nothing is pushed"
    );
    assert_eq!(
        jobticket.active().len(),
        150,
        "{fault}: nobody is offboarded"
    );
    assert!(company.events("push_acknowledged").len() == 1);

    jobticket.clear_faults();
    company
        .run_now()
        .exits(0)
        .says("JobTicket has taken the last push");
    assert_eq!(jobticket.active().len(), 149);
}

#[test]
fn a_list_with_a_total_that_is_too_high_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!({ "lie_total": { "add": 1 } }), 5, 2);
}

#[test]
fn a_list_with_a_total_that_is_too_low_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!({ "lie_total": { "add": -1 } }), 5, 2);
}

#[test]
fn a_list_whose_total_changes_between_pages_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!({ "lie_total": { "add": -1 } }), 5, 1);
}

#[test]
fn a_list_that_repeats_a_page_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!("repeat_page"), 5, 1);
}

#[test]
fn a_list_that_is_cut_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!("cut_body"), 6, 50);
}

#[test]
fn a_list_that_is_a_web_page_stops_the_settling() {
    a_bad_list_stops_the_settling(&json!("html_200"), 5, 1);
}

#[test]
fn a_list_that_is_refused_stops_the_settling() {
    a_bad_list_stops_the_settling(&status(403), 5, 1);
}
