//! Each HTTP status, on the push and on the reads around it.

use std::net::TcpListener;

use chrono::TimeDelta;
use serde_json::json;

use crate::api_support::{
    fail_reads, later, patient, requests, start, status, sync_ids, time_of, tried,
};
use crate::support::{Company, JobTicket, people};

#[test]
fn a_refusal_stops_at_once_and_the_next_run_pushes_anew() {
    for (code, what_to_do) in [
        (400, "report it"),
        (401, "check api_key_id and api_key_secret"),
        (403, "view-, add-, update- and remove-employees"),
        (404, "check integration_id"),
        (422, "audit log"),
    ] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        jobticket.fail_pushes(1, &status(code));
        company
            .run_now()
            .exits(5)
            .says("REFUSED")
            .says(&code.to_string())
            .says(what_to_do);
        assert_eq!(tried(&jobticket).len(), 1, "{code} is tried once");
        assert_eq!(company.events("push_refused").len(), 1);
        assert!(company.events("push_acknowledged").is_empty());
        company
            .run_now()
            .exits(0)
            .says("none in the snapshot")
            .says("joiners: 3");
        assert_eq!(sync_ids(&jobticket).len(), 2, "a new push has a new syncId");
        assert_eq!(jobticket.active(), ["00001", "00002", "00003"]);
    }
}

#[test]
fn a_refused_roster_names_the_records_and_keeps_the_answer_masked() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = "    on_rejected_rows: stop\n".to_owned();
    let mut staff = people(3);
    staff[1].first = "Anna-Lena".to_owned();
    staff[1].last = "Schulz".to_owned();
    company.deliver_people("20261120", &staff);
    let body = r#"{"message":"The given data was invalid","errors":{
        "employees.1.email":["taken by person00002@example.com, that is anna schulz.", "see anna-lena.schulz or schulz's"],
        "employees[2].dateOfBirth":["1990-04-15 of \u00c4nne beispiel00003"]}}"#;
    jobticket.fail_pushes(1, &json!({ "status": { "code": 422, "body": body } }));
    let ran = company
        .run_now()
        .exits(5)
        .says("00002 email, 00003 dateOfBirth. Correct these in the HR system");
    let refused = &company.events("push_refused")[0];
    assert_eq!(refused["hrIds"], json!(["00002", "00003"]));
    let attempt = company.events("push_attempt")[0]["outcome"].to_string();
    assert!(attempt.contains("422") && attempt.contains("given data was invalid"));
    let audit = std::fs::read_to_string(company.path("state/audit.jsonl")).unwrap();
    let said = format!("{audit}{}{}", ran.stdout, ran.stderr).to_lowercase();
    for personal in [
        "schulz",
        "anna",
        "lena",
        "person0",
        "example.com",
        "1990",
        "beispiel",
        "00c4nne",
    ] {
        assert!(!said.contains(personal), "{personal} is told: {attempt}");
    }
}

#[test]
fn an_answer_that_nobody_can_rely_on_leaves_the_push_in_doubt() {
    for code in [500, 200, 201, 202, 418] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        jobticket.fail_pushes(1, &status(code));
        company
            .run_now()
            .exits(5)
            .says("IN DOUBT")
            .says(&code.to_string())
            .says("The next run finds out");
        assert_eq!(tried(&jobticket).len(), 1, "{code} is tried once");
        assert_eq!(company.events("push_in_doubt").len(), 1);
        assert!(company.events("push_acknowledged").is_empty());
        company.run_now().exits(0).says("counts with both rosters");
        assert_eq!(sync_ids(&jobticket).len(), 2);
        assert_eq!(jobticket.active(), ["00001", "00002", "00003"]);
    }
}

#[test]
fn a_redirect_is_not_followed_and_its_target_gets_nothing() {
    for code in [301, 302, 303, 307, 308] {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        target.set_nonblocking(true).unwrap();
        let to = format!("http://{}/", target.local_addr().unwrap());
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        let redirect = json!({ "redirect": { "code": code, "to": to } });
        jobticket.fail_pushes(1, &redirect);
        company.run_now().exits(5).says("IN DOUBT");
        assert_eq!(tried(&jobticket).len(), 1);
        fail_reads(&jobticket, "/employees", 1, &redirect);
        company.run_now().exits(5);
        let came = target.accept().unwrap_err();
        assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 3);
    }
}

#[test]
fn a_conflict_is_tried_again_a_few_times_and_then_refused() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    jobticket.fail_pushes(2, &status(409));
    company.run_now().exits(0).says("Pushed 3 employees");
    assert_eq!(tried(&jobticket).len(), 3);
    assert_eq!(sync_ids(&jobticket).len(), 1);

    company.deliver_people("20261121", &people(4));
    jobticket.fail_pushes(50, &status(409));
    company.run_now().exits(5).says("REFUSED").says("409");
    assert_eq!(tried(&jobticket).len(), 3 + 5);
    jobticket.clear_faults();
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(sync_ids(&jobticket).len(), 3);
}

#[test]
fn a_429_is_waited_out_in_the_same_run_in_each_form() {
    for (retry_after, seconds) in [
        (Some("120"), 120),
        // Counted from the clock's time by then, which has moved on a little.
        (Some("Mon, 23 Nov 2026 05:17:00 GMT"), 110),
        (None, 300),
    ] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        let fault = json!({ "status": { "code": 429, "retry_after": retry_after } });
        jobticket.fail_pushes(1, &fault);
        company.run_now().exits(0).says("Pushed 3 employees");
        let attempts = company.events("push_attempt");
        assert_eq!(attempts.len(), 2);
        let waited = time_of(&attempts[1]) - time_of(&attempts[0]);
        assert!(
            waited >= TimeDelta::seconds(seconds) && waited < TimeDelta::seconds(seconds + 20),
            "{retry_after:?}: {waited}"
        );
        assert_eq!(sync_ids(&jobticket).len(), 1);
        let until = blocked_until(&company);
        assert!(until >= start() + TimeDelta::seconds(seconds), "{until}");
    }
}

#[test]
fn a_429_without_a_wait_is_not_answered_by_hammering() {
    for retry_after in ["0", "Mon, 23 Nov 2026 05:00:00 GMT"] {
        let jobticket = JobTicket::start();
        let company = patient(&jobticket, 60);
        company.deliver_people("20261120", &people(3));
        let fault = json!({ "status": { "code": 429, "retry_after": retry_after } });
        jobticket.fail_pushes(500, &fault);
        company.run_now().exits(6).says("429");
        let attempts = tried(&jobticket).len();
        assert!((2..15).contains(&attempts), "{attempts} attempts");
    }
}

#[test]
fn nobody_sends_before_the_end_of_a_stored_block() {
    let jobticket = JobTicket::start();
    let mut company = patient(&jobticket, 1);
    company.deliver_people("20261120", &people(3));
    let fault = json!({ "status": { "code": 429, "retry_after": "120" } });
    jobticket.fail_pushes(1, &fault);
    company.run_now().exits(6).says("NOT REACHABLE").says("429");
    let sent = requests(&jobticket);

    company.now = later(60);
    company
        .run_now()
        .exits(6)
        .says("blocked this credential until");
    assert_eq!(
        requests(&jobticket),
        sent,
        "nothing is sent within the block"
    );

    company.jobticket = company
        .jobticket
        .replace("retry_seconds: 1", "retry_seconds: 600");
    let until = blocked_until(&company);
    company.run_now().exits(0).says("Pushed 3 employees");
    let intent = company.events("push_intent");
    assert!(time_of(intent.last().unwrap()) >= until);
    company.run_now().exits(0).says("Nothing changed");
}

/// The end of the block that the ledger holds.
fn blocked_until(company: &Company) -> chrono::DateTime<chrono::Utc> {
    let ledger = rusqlite::Connection::open(company.path("state/requests.db")).unwrap();
    let until: i64 = ledger
        .query_row("SELECT until FROM block", [], |row| row.get(0))
        .unwrap();
    chrono::DateTime::from_timestamp_millis(until).unwrap()
}

#[test]
fn an_unavailable_jobticket_is_tried_again_with_one_sync_id_and_one_body() {
    for code in [502, 503, 504] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        jobticket.fail_pushes(3, &status(code));
        company.run_now().exits(0).says("Pushed 3 employees");
        assert_eq!(company.events("push_attempt").len(), 4);
        let bodies: Vec<_> = (1..=4)
            .map(|number| jobticket.control(&format!("pushes/{number}"))["text"].clone())
            .collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{code}");
        assert_eq!(jobticket.pushes().len(), 1);
    }
}

#[test]
fn a_503_that_says_when_to_come_back_is_believed() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    jobticket.fail_pushes(
        1,
        &json!({ "status": { "code": 503, "retry_after": "45" } }),
    );
    company.run_now().exits(0);
    let attempts = company.events("push_attempt");
    assert!(time_of(&attempts[1]) - time_of(&attempts[0]) >= TimeDelta::seconds(45));
}

#[test]
fn retries_without_success_leave_the_push_in_doubt() {
    for code in [502, 503, 504] {
        let jobticket = JobTicket::start();
        let company = patient(&jobticket, 20);
        company.deliver_people("20261120", &people(3));
        jobticket.fail_pushes(500, &status(code));
        company
            .run_now()
            .exits(6)
            .says("IN DOUBT")
            .says(&code.to_string());
        let attempts = tried(&jobticket).len();
        assert!((3..20).contains(&attempts), "{attempts}");
        assert_eq!(sync_ids(&jobticket).len(), 1);
        jobticket.clear_faults();
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 3);
    }
}

#[test]
fn a_doubt_stays_whatever_a_later_attempt_is_answered() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    jobticket.fail_pushes(1, &json!({ "status_after": { "code": 503 } }));
    jobticket.fail_pushes(1, &status(401));
    company.run_now().exits(5).says("IN DOUBT").says("401");
    company
        .run_now()
        .exits(0)
        .says("JobTicket has taken the last push")
        .says("Nothing changed");
    assert_eq!(jobticket.pushes().len(), 1);
}

#[test]
fn a_probe_that_is_refused_ends_the_run_without_a_push() {
    for code in [400, 401, 403, 404, 422, 500, 204] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        fail_reads(&jobticket, "/employees", 1, &status(code));
        company.run_now().exits(5).says(&code.to_string());
        assert!(tried(&jobticket).is_empty());
        assert!(company.events("push_intent").is_empty());
        company.run_now().exits(0).says("joiners: 3");
    }
    for code in [502, 503, 504, 409, 429] {
        let jobticket = JobTicket::start();
        let company = patient(&jobticket, 1);
        company.deliver_people("20261120", &people(3));
        fail_reads(&jobticket, "/employees", 50, &status(code));
        let wanted = if code == 409 { 5 } else { 6 };
        company.run_now().exits(wanted).says(&code.to_string());
        assert!(tried(&jobticket).is_empty());
    }
}

#[test]
fn a_wrong_secret_is_a_401_that_says_what_to_check() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company
        .variables
        .push(("TEST_KEY_SECRET".to_owned(), "not-the-secret".to_owned()));
    company.deliver_people("20261120", &people(3));
    let ran = company
        .run_now()
        .exits(5)
        .says("401")
        .says("check api_key_id and api_key_secret");
    assert!(!ran.stdout.contains("systemctl") && !ran.stderr.contains("systemctl"));
    assert_eq!(requests(&jobticket), 1);
}

#[test]
fn a_401_for_a_systemd_credential_says_that_a_new_one_needs_a_restart() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    let folder = company.path("");
    std::fs::write(folder.join("rotated"), "not-the-secret").unwrap();
    company.variables.push((
        "CREDENTIALS_DIRECTORY".to_owned(),
        folder.to_str().unwrap().to_owned(),
    ));
    company.edit("{env: TEST_KEY_SECRET}", "{credential: rotated}");
    company.deliver_people("20261120", &people(3));
    for arguments in [&["--run-now"][..], &["check"]] {
        company
            .run(arguments)
            .exits(5)
            .says("401, the credential is wrong")
            .says("does not change while its unit runs: after putting a new one in place, systemctl restart the unit");
    }
}

#[test]
fn a_read_back_that_fails_does_not_fail_the_run() {
    for code in [401, 404, 422, 500, 503] {
        let jobticket = JobTicket::start();
        let mut company = patient(&jobticket, 1);
        company.integration = "    read_back: {before_push: false}\n".to_owned();
        company.deliver_people("20261120", &people(3));
        fail_reads(&jobticket, "/hr-integrations", 50, &status(code));
        company
            .run_now()
            .exits(0)
            .says("acknowledged (204), not seen by reading back yet");
        company.run_now().exits(0).says("Nothing changed");
        assert_eq!(jobticket.pushes().len(), 1);
    }
}
