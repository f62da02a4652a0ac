//! Notifications to a webhook: what is posted, and what becomes of an answer that is none.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::rest_server::{Asked, Hris, Reply};
use crate::support::{Company, JobTicket, people};

const PATH: &str = "/services/T0/invented-token";

/// A company that tells this receiver of everything.
fn company(jobticket: &JobTicket, receiver: &Hris, keys: &str) -> Company {
    let mut company = Company::at(jobticket);
    std::fs::write(company.path("url"), format!("{}{PATH}\n", receiver.url)).unwrap();
    company.top = format!(
        "notify:\n  at_most_per_hour: 2\n  channels:\n    - name: chat\n      type: webhook\n      url: {{file: url}}\n      timeout_seconds: 1\n{keys}"
    );
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company
}

fn hold(company: &Company) -> crate::support::Ran {
    company.deliver_people("20261121", &people(14));
    let ran = company.run_now().exits(3);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("invented-token"), "{said}");
    ran
}

fn fine(_: &Asked) -> Reply {
    Reply::Full(200, Vec::new(), b"ok".to_vec())
}

fn later(company: &mut Company, minutes: i64) {
    let now = chrono::DateTime::parse_from_rfc3339(&company.now).unwrap();
    company.now = (now + chrono::TimeDelta::minutes(minutes)).to_rfc3339();
}

#[test]
fn a_hold_is_posted_as_json_with_what_the_body_asks_for() {
    let jobticket = JobTicket::start();
    let receiver = Hris::start(fine);
    let body = r#"      body: '{"type": "message", "attachments": [{"title": "{subject}", "text": "{text}", "facts": ["{event}", "{integration}", "{hold}", "{head}", "{id}"]}]}'
"#;
    let company = company(&jobticket, &receiver, body);
    hold(&company);
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1);
    let (asked, sent) = (&asked[0], asked[0].json());
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", PATH));
    assert_eq!(asked.header("content-type"), "application/json");
    let sent = &sent["attachments"][0];
    let text = sent["text"].as_str().unwrap();
    assert!(text.contains("approve 1 --reason TEXT"), "{text}");
    assert!(!asked.body.contains("Beispiel") && !asked.body.contains("Änne"));
    assert_eq!(sent["facts"][0], "held");
    assert_eq!(sent["facts"][2], "1");
    let head: Value = company
        .run(&["status", "--output", "json"])
        .stdout
        .parse()
        .unwrap();
    let head = &head["audit"];
    let head = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    assert_eq!(sent["facts"][3], Value::from(head));
}

#[test]
fn a_receiver_that_fails_asks_for_time_hangs_or_points_elsewhere_fails_no_run_and_is_asked_again() {
    for (reply, says) in [
        (
            Reply::Full(500, Vec::new(), b"broken".to_vec()),
            "500 Internal Server Error: broken",
        ),
        (
            Reply::Full(429, vec![("retry-after", "600".to_owned())], Vec::new()),
            "429 Too Many Requests",
        ),
        (Reply::Hang, "no answer within the time limit"),
        (
            Reply::Full(
                307,
                vec![("location", "http://127.0.0.1:9/elsewhere".to_owned())],
                Vec::new(),
            ),
            "redirects are not followed",
        ),
    ] {
        let jobticket = JobTicket::start();
        let asked = AtomicUsize::new(0);
        let waits = matches!(&reply, Reply::Full(429, ..));
        let receiver = Hris::start(move |request| {
            if asked.fetch_add(1, Ordering::Relaxed) == 0 {
                reply.clone()
            } else {
                fine(request)
            }
        });
        let mut company = company(&jobticket, &receiver, "");
        hold(&company).says(says);
        company.run(&["status"]).says("notifications to chat: FAIL");
        later(&mut company, 5);
        company.run_now().exits(3);
        let expected = if waits { 1 } else { 2 };
        assert_eq!(receiver.asked().len(), expected, "{says}");
        if waits {
            later(&mut company, 8);
            company.run_now().exits(3);
            assert_eq!(receiver.asked().len(), 1);
        }
        company
            .run(&["status"])
            .says("notifications to chat: sent last");
    }
}

#[test]
fn a_channel_sends_no_more_than_it_may_and_the_rest_comes_later() {
    let jobticket = JobTicket::start();
    let receiver = Hris::start(fine);
    let mut company = company(&jobticket, &receiver, "");
    company.edit("limits: {", "limits: {joiners: {percent: 1, at_least: 0}, ");
    company.asks = "first_push: allow, missing_days: 1, emptied_percent: 0".to_owned();
    // Leavers and joiners are asked in holds of their own, and a failure comes on top.
    let mut staff = people(30);
    staff.drain(..4);
    company.deliver_people("20261121", &staff);
    company.run_now();
    let told = receiver.asked().len();
    for _ in 0..3 {
        jobticket.fail_pushes(1, &serde_json::json!({ "status": { "code": 400 } }));
        staff[10].last += "x";
        company.deliver_people("20261122", &staff);
        company.run_now();
    }
    let all = told + receiver.asked().len();
    assert!(all <= 2, "{all} messages within an hour");
    later(&mut company, 61);
    company.run_now();
    company.run(&["status"]).says("notifications to chat: ");
}

#[test]
fn an_address_without_tls_is_not_used_beyond_this_machine() {
    let jobticket = JobTicket::start();
    let receiver = Hris::start(fine);
    let company = company(&jobticket, &receiver, "");
    std::fs::write(company.path("url"), "http://chat.example.com/secret-part").unwrap();
    let ran = company.run(&["notify", "test"]).exits(1);
    assert!(!ran.stdout.contains("secret-part"), "{}", ran.stdout);
    ran.says("does not begin with https://");
}

#[test]
fn a_body_that_is_no_json_or_asks_for_the_unknown_and_an_address_in_the_file_are_refused() {
    let mut company = Company::new();
    company.top = "notify:\n  channels:\n    - name: chat\n      type: webhook\n      url: https://chat.example.com/secret-part\n      body: '{\"text\": {text}, \"who\": \"{name}\"}'\n".to_owned();
    let ran = company
        .run(&["check", "--offline"])
        .exits(2)
        .says("write {env: NAME}, {file: /path} or {credential: name}");
    assert!(!ran.stderr.contains("secret-part"), "{}", ran.stderr);
    company.top = "notify:\n  channels:\n    - name: chat\n      type: webhook\n      url: {env: CHAT}\n      body: '{\"text\": {text}}'\n".to_owned();
    company
        .run(&["check", "--offline"])
        .exits(2)
        .says("This is no JSON once its places are filled");
    company.edit("{text}}", "\"{name}\"}");
    company
        .run(&["check", "--offline"])
        .exits(2)
        .says("There is no {name}");
}
