//! Notifications by mail: who hears what of a hold, when again, and what becomes of a mail that the server does not take.

use serde_json::Value;

use crate::smtp_server::{Arrived, Behaviour, MailServer, Tls};
use crate::support::{Company, JobTicket, Ran, people};

const LOGIN: (&str, &str) = ("postbote", "invented-mail-password");

/// A company whose roster asks for a decision, and who has told nobody of it yet.
fn company(jobticket: &JobTicket, server: &MailServer, channel: &str) -> Company {
    let mut company = Company::at(jobticket);
    server.write_authority(&company.path("ca.pem"));
    std::fs::write(company.path("user"), LOGIN.0).unwrap();
    std::fs::write(company.path("password"), LOGIN.1).unwrap();
    company.top = format!(
        "notify:\n  channels:\n    - name: hr\n      type: smtp\n      host: 127.0.0.1\n      port: {}\n      from: \"Jöb Sync <sync@example.com>\"\n      to: [hr@example.com]\n      ca_file: ca.pem\n      events: [held, failed, recovered, credential]\n{channel}",
        server.port
    );
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company
}

/// Six of twenty are missing: that is asked.
fn hold(company: &Company) -> Ran {
    company.deliver_people("20261121", &people(14));
    company.run_now().exits(3)
}

fn later(company: &mut Company, hours: i64) {
    let now = chrono::DateTime::parse_from_rfc3339(&company.now).unwrap();
    company.now = (now + chrono::TimeDelta::hours(hours)).to_rfc3339();
}

fn status(company: &Company) -> Value {
    serde_json::from_str(&company.run(&["status", "--output", "json"]).stdout).unwrap()
}

fn is_about_nobody(mail: &Arrived) {
    let all = format!("{}\n{}", mail.text, mail.body());
    for value in ["Beispiel", "Änne", "person0", "1990"] {
        assert!(!all.contains(value), "the mail shows {value}");
    }
}

#[test]
fn a_hold_is_told_once_over_tls_with_numbers_hr_ids_commands_and_the_head_of_the_audit_log() {
    for tls in [Tls::Implicit, Tls::Starttls] {
        let word = if tls == Tls::Implicit {
            "implicit"
        } else {
            "starttls"
        };
        let jobticket = JobTicket::start();
        let mut behaviour = Behaviour::of(tls);
        behaviour.login = Some(LOGIN);
        let server = MailServer::start(behaviour);
        let keys = format!(
            "      tls: {word}\n      user: {{file: user}}\n      password: {{file: password}}\n"
        );
        let company = company(&jobticket, &server, &keys);
        assert!(server.mails().is_empty(), "there is nothing to tell yet");
        hold(&company);
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert!(mail.protected && mail.logged_in);
        assert_eq!(mail.to, ["<hr@example.com>"]);
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        let subject = mail.header("Subject");
        assert!(subject.starts_with("[jobticket-sync] acme ("), "{subject}");
        let body = mail.body();
        let config = company.path("config.yaml");
        let config = config.display();
        for text in [
            "People who wait: 6",
            "would lose their ticket: 6",
            "- 00015 would leave (missing from every source)",
            &format!("jobticket-sync --config {config} holds show 1"),
            &format!("jobticket-sync --config {config} approve 1 --reason TEXT"),
            &format!("jobticket-sync --config {config} reject 1 --reason TEXT"),
        ] {
            assert!(body.contains(text), "the mail lacks {text:?}:\n{body}");
        }
        let head = status(&company)["audit"].clone();
        let head = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
        assert!(body.contains(&head), "no head {head} in\n{body}");
        is_about_nobody(mail);
        // A second run, and a second process, have nothing new to tell.
        company.run_now().exits(3);
        assert_eq!(server.mails().len(), 1);
    }
}

#[test]
fn nobody_is_told_by_a_dry_run() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let company = company(&jobticket, &server, "");
    company.deliver_people("20261121", &people(14));
    company.run(&["--run-now", "--dry-run"]).exits(3);
    assert!(server.mails().is_empty());
}

#[test]
fn a_hold_that_nobody_decides_is_reminded_of_and_escalated_and_a_decided_one_is_not() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(
        &jobticket,
        &server,
        "      escalate_to: [boss@example.com]\n",
    );
    hold(&company);
    jobticket.hours_pass(25);
    later(&mut company, 25);
    company.run_now().exits(3);
    jobticket.hours_pass(48);
    later(&mut company, 48);
    company.run_now().exits(3);
    company.run_now().exits(3);
    let mails = server.mails();
    let subjects: Vec<String> = mails.iter().map(|mail| mail.header("Subject")).collect();
    assert_eq!(mails.len(), 3, "{subjects:?}");
    assert!(subjects[1].contains("more than 24 hours"), "{subjects:?}");
    assert!(subjects[2].contains("more than 72 hours"), "{subjects:?}");
    assert_eq!(mails[1].to.len(), 1);
    assert_eq!(mails[2].to, ["<hr@example.com>", "<boss@example.com>"]);
    company
        .run(&["reject", "1", "--reason", "wrong file"])
        .exits(0);
    jobticket.hours_pass(100);
    later(&mut company, 100);
    company.run_now();
    assert_eq!(server.mails().len(), 3);
}

#[test]
fn a_mail_in_german_is_german_but_for_its_commands() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    company.top = format!("language: de\n{}", company.top);
    company.integration += "    schedule: {cron: [\"0 6 * * *\"], timezone: Asia/Tokyo}\n";
    hold(&company);
    let body = server.mails()[0].body();
    for text in [
        "Wartende Personen: 6",
        "- 00015 würde ausscheiden (fehlt in allen Quellen)",
        "approve 1 --reason TEXT",
        "Ende des Audit-Logs am",
        " JST:",
    ] {
        assert!(body.contains(text), "the mail lacks {text:?}:\n{body}");
    }
}

#[test]
fn a_greylisted_mail_is_tried_again_and_shows_in_the_status_until_it_is_taken() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    server.behave(|server| server.answers = vec!["451 4.7.1 greylisted, come again"]);
    hold(&company).says("greylisted, come again");
    assert!(server.mails().is_empty());
    let state = status(&company)["notifications"][0].clone();
    assert_eq!(state["waiting"], 1);
    assert!(state["error"].as_str().unwrap().contains("451"), "{state}");
    company
        .run(&["status"])
        .says("notifications to hr: FAIL since");
    // Not at once.
    company.run_now().exits(3);
    assert!(server.mails().is_empty());
    later(&mut company, 1);
    company.run_now().exits(3);
    assert_eq!(server.mails().len(), 1);
    let state = status(&company)["notifications"][0].clone();
    assert_eq!(
        (&state["waiting"], &state["error"]),
        (&0.into(), &Value::Null)
    );
}

#[test]
fn a_wrong_certificate_a_refused_login_and_a_silent_server_fail_no_run_and_tell_no_secret() {
    let jobticket = JobTicket::start();
    let mut behaviour = Behaviour::of(Tls::Implicit);
    behaviour.login = Some((LOGIN.0, "another-password"));
    let server = MailServer::start(behaviour);
    let keys =
        "      user: {file: user}\n      password: {file: password}\n      timeout_seconds: 1\n";
    let mut company = company(&jobticket, &server, keys);
    let ran = hold(&company).says("535");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains(LOGIN.1) && !said.contains(LOGIN.0), "{said}");
    let tested = company.run(&["notify", "test"]).exits(1).says("535");
    assert!(!tested.stdout.contains(LOGIN.1), "{}", tested.stdout);
    let (other, _, _) = crate::smtp_server::certificate();
    std::fs::write(company.path("ca.pem"), other).unwrap();
    company
        .run(&["notify", "test", "--channel", "hr"])
        .exits(1)
        .says("certificate");
    server.write_authority(&company.path("ca.pem"));
    server.behave(|server| server.silent = true);
    let began = std::time::Instant::now();
    company.run(&["notify", "test"]).exits(1).says("no answer");
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
    // After an hour, for a login that is refused too often is shut out.
    server.behave(|server| {
        server.silent = false;
        server.login = Some(LOGIN);
    });
    later(&mut company, 2);
    company.run_now().exits(3);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_receiver_whom_the_server_does_not_know_keeps_the_others_from_nothing() {
    let jobticket = JobTicket::start();
    let mut behaviour = Behaviour::of(Tls::Implicit);
    behaviour.unknown = Some("gone@example.com");
    let server = MailServer::start(behaviour);
    let mut company = company(&jobticket, &server, "");
    company.edit(
        "to: [hr@example.com]",
        "to: [gone@example.com, hr@example.com]",
    );
    hold(&company).says("gone@example.com: permanent error (550)");
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["<hr@example.com>"]);
}

#[test]
fn failures_are_told_from_the_third_on_and_that_they_are_over() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    company.deliver_people("20261121", &people(21));
    for failed in 1..=4 {
        later(&mut company, 1);
        jobticket.fail_pushes(1, &serde_json::json!({ "status": { "code": 400 } }));
        company.run_now().exits(5);
        assert_eq!(server.mails().len(), usize::from(failed >= 3), "{failed}");
    }
    jobticket.clear_faults();
    later(&mut company, 1);
    company.run_now().exits(0);
    let subjects: Vec<String> = server
        .mails()
        .iter()
        .map(|mail| mail.header("Subject"))
        .collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(
        subjects[0].contains("3 runs in a row have failed"),
        "{subjects:?}"
    );
    assert!(
        subjects[1].contains("recovered: runs work again"),
        "{subjects:?}"
    );
}

#[test]
fn a_test_message_says_what_the_server_answered_and_an_unknown_channel_is_refused() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let company = company(&jobticket, &server, "");
    company
        .run(&["notify", "test"])
        .exits(0)
        .says("hr: accepted: 250 2.0.0 queued as INVENTED");
    company
        .run(&["notify", "test", "--channel", "nowhere"])
        .exits(2)
        .says("there are: hr");
    company
        .run(&["check", "--offline"])
        .says("notifications: hr, mail by 127.0.0.1");
}

#[test]
fn the_digest_comes_at_its_time_once_and_tells_how_everything_stands() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    company.edit(
        "events: [held, failed, recovered, credential]",
        "events: [digest]",
    );
    company.run_now().exits(0);
    hold(&company);
    assert!(server.mails().is_empty());
    // From Monday 06:15 to Monday 08:15, Berlin.
    later(&mut company, 2);
    company.run_now().exits(3);
    company.run_now().exits(3);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let body = mails[0].body();
    for text in [
        "acme (http://127.0.0.1",
        "people at JobTicket: 20",
        "HOLD 1 (plan) waits since 2026-11-23 06:15 CET",
        "End of the audit log at",
    ] {
        assert!(body.contains(text), "the digest lacks {text:?}:\n{body}");
    }
    is_about_nobody(&mails[0]);
}

#[test]
fn who_is_put_off_gets_it_later_and_who_has_it_never_again() {
    let jobticket = JobTicket::start();
    let mut behaviour = Behaviour::of(Tls::Implicit);
    behaviour.unknown = Some("gone@example.com");
    behaviour.greylisted = Some("later@example.com");
    let server = MailServer::start(behaviour);
    let mut company = company(&jobticket, &server, "");
    company.edit(
        "to: [hr@example.com]",
        "to: [gone@example.com, hr@example.com, later@example.com]",
    );
    hold(&company).says("later@example.com");
    let receivers = || -> Vec<String> {
        server
            .mails()
            .into_iter()
            .flat_map(|mail| mail.to)
            .collect()
    };
    assert_eq!(receivers(), ["<hr@example.com>"]);
    assert_eq!(status(&company)["notifications"][0]["waiting"], 1);
    later(&mut company, 1);
    company.run_now().exits(3);
    assert_eq!(receivers(), ["<hr@example.com>"]);
    server.behave(|server| server.greylisted = None);
    later(&mut company, 1);
    company.run_now().exits(3);
    assert_eq!(receivers(), ["<hr@example.com>", "<later@example.com>"]);
    assert_eq!(status(&company)["notifications"][0]["waiting"], 0);
    later(&mut company, 2);
    company.run_now().exits(3);
    assert_eq!(receivers().len(), 2);
}

#[test]
fn a_hold_that_is_opened_anew_each_day_is_escalated_once_and_a_new_one_begins_anew() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let keys = "      escalate_to: [boss@example.com]\n";
    let mut company = company(&jobticket, &server, keys);
    hold(&company);
    let mut told = |hours: i64, left: usize, exit: i32| {
        jobticket.hours_pass(u64::try_from(hours).unwrap());
        later(&mut company, hours);
        let day = format!("202611{}", 36 - left);
        company.deliver_people(&day, &people(left));
        company.run_now().exits(exit);
        let last = server.mails().pop().unwrap();
        (server.mails().len(), last.header("Subject"), last.to.len())
    };
    let (number, subject, _) = told(25, 13, 3);
    assert_eq!(number, 2);
    assert!(
        subject.contains("hold 2 and those before it have waited for more than 24 hours"),
        "{subject}"
    );
    let (number, subject, _) = told(24, 12, 3);
    assert_eq!(number, 3);
    assert!(
        subject.contains("hold 3, the whole plan waits"),
        "{subject}"
    );
    let (number, subject, receivers) = told(24, 11, 3);
    assert_eq!((number, receivers), (4, 2));
    assert!(subject.contains("more than 72 hours"), "{subject}");
    let (number, subject, receivers) = told(24, 10, 3);
    assert_eq!((number, receivers), (5, 1));
    assert!(
        subject.contains("hold 5, the whole plan waits"),
        "{subject}"
    );
}

#[test]
fn every_channel_hears_of_a_hold_and_one_that_is_silent_keeps_the_others_from_nothing() {
    let jobticket = JobTicket::start();
    let mut behaviour = Behaviour::of(Tls::Implicit);
    behaviour.silent = true;
    let (silent, other) = (
        MailServer::start(behaviour),
        MailServer::start(Behaviour::of(Tls::None)),
    );
    let channel = |name: &str, port: u16| {
        format!(
            "    - name: {name}\n      type: smtp\n      host: 127.0.0.1\n      port: {port}\n      tls: none\n      from: sync@example.com\n      to: [{name}@example.com]\n      events: [held]\n"
        )
    };
    let keys = format!(
        "      timeout_seconds: 1\n{}",
        channel("second", other.port)
    );
    let mut company = company(&jobticket, &silent, &keys);
    hold(&company);
    assert_eq!(other.mails().len(), 1);
    assert_eq!(status(&company)["notifications"][0]["waiting"], 1);
    // One that is renamed is new: it hears of what stands, once.
    company.edit("name: second", "name: third");
    for _ in 0..2 {
        company.run_now().exits(3);
        assert_eq!(other.mails().len(), 2);
    }
    let mails = other.mails();
    assert_eq!(mails[0].header("Subject"), mails[1].header("Subject"));
}

#[test]
fn a_clock_that_was_far_ahead_silences_nobody_once_it_is_right() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    let right = company.now.clone();
    later(&mut company, 40 * 24);
    server.behave(|server| server.answers = vec!["451 4.7.1 greylisted, come again"]);
    company.run(&["--run-now", "--accept-clock"]);
    hold(&company).says("greylisted");
    company.now = right;
    later(&mut company, 1);
    company.run_now().exits(1).says("before the last run");
    assert!(server.mails().is_empty(), "the clock is in doubt");
    company.run(&["--run-now", "--accept-clock"]).exits(3);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_source_that_fails_again_and_again_is_told_although_its_last_roster_stands_in() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    company.deliver("roster_20261121.csv", "nothing");
    for failed in 1..=3 {
        later(&mut company, 1);
        company.run_now().exits(4);
        assert_eq!(server.mails().len(), usize::from(failed == 3), "{failed}");
    }
    let mail = &server.mails()[0];
    assert!(
        mail.header("Subject")
            .contains("3 runs in a row have failed")
    );
    assert!(
        mail.body().contains("roster_20261121.csv"),
        "{}",
        mail.body()
    );
    is_about_nobody(mail);
}

#[test]
fn what_the_command_drift_finds_is_told_and_stands_in_the_status_until_a_look_finds_nothing() {
    let jobticket = JobTicket::behaving(
        r#"{"last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent","links_after_offboarding":"go"}"#,
    );
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = company(&jobticket, &server, "");
    company.edit(
        "events: [held, failed, recovered, credential]",
        "events: [drift, recovered]",
    );
    let other = Company::at(&jobticket);
    let mut staff = people(20);
    staff[0].last = "Neumann".to_owned();
    other.deliver_people("20261120", &staff);
    other.run_now().exits(0);
    company.run(&["drift"]).exits(8);
    company
        .run(&["status"])
        .exits(8)
        .says("DRIFT: 1 person differed at JobTicket");
    company.run_now().exits(0);
    company.run_now().exits(0);
    assert_eq!(server.mails().len(), 1);
    let body = server.mails()[0].body();
    assert!(
        body.contains("1 person differed when it was looked at last"),
        "{body}"
    );
    is_about_nobody(&server.mails()[0]);
    // The push corrects it, and the read-back after it finds nothing.
    company.deliver_people("20261121", &people(21));
    company
        .run_now()
        .exits(0)
        .says("DRIFT: when JobTicket was read back, 1 person differed");
    company.run(&["status"]).exits(0);
    assert_eq!(server.mails().len(), 2);
    assert!(server.mails()[1].header("Subject").contains("recovered"));
}
