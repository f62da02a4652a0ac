//! Notifications of the service, and what a kill in the middle of one leaves behind.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::crash::killed_in;
use crate::rest_server::{Hris, Reply};
use crate::service::Service;
use crate::smtp_server::{Behaviour, MailServer, Tls};
use crate::support::{Company, JobTicket, people};

/// A company with a hold of which nobody was told yet, and a mail server.
fn held(jobticket: &JobTicket, server: &MailServer) -> Company {
    let mut company = Company::at(jobticket);
    server.write_authority(&company.path("ca.pem"));
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(14));
    company.run_now().exits(3);
    company.top = format!(
        "notify:\n  channels:\n    - name: hr\n      type: smtp\n      host: 127.0.0.1\n      port: {}\n      from: sync@example.com\n      to: [hr@example.com]\n      ca_file: ca.pem\n      events: [held]\n",
        server.port
    );
    company
}

fn later(company: &mut Company, minutes: i64) {
    let now = chrono::DateTime::parse_from_rfc3339(&company.now).unwrap();
    company.now = (now + chrono::TimeDelta::minutes(minutes)).to_rfc3339();
}

#[test]
fn the_service_tells_of_a_hold_once_over_restarts_and_follows_a_reload() {
    let jobticket = JobTicket::start();
    let server = MailServer::start(Behaviour::of(Tls::Implicit));
    let mut company = held(&jobticket, &server);
    let mut service = Service::start(&company, &[]);
    server.waits_for(1);
    service.hears(|message| message.contains("STATUS"));
    service.hears(|message| message.contains("STATUS"));
    service.stops();
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("STATUS"));
    service.hears(|message| message.contains("STATUS"));
    assert_eq!(server.mails().len(), 1);
    // A mail server elsewhere, from a reload on; the test message goes through the service.
    let other = MailServer::start(Behaviour::of(Tls::None));
    company.edit(
        &format!("port: {}", server.port),
        &format!("port: {}\n      tls: none", other.port),
    );
    company.write_config();
    service.signal(Signal::SIGHUP);
    service.hears(|message| message.contains("READY=1"));
    company
        .run(&["notify", "test"])
        .exits(0)
        .says("hr: accepted: 250");
    assert_eq!((server.mails().len(), other.mails().len()), (1, 1));
    service.stops();
}

#[test]
fn a_receiver_that_says_nothing_delays_no_run_of_the_service() {
    let jobticket = JobTicket::start();
    let mut behaviour = Behaviour::of(Tls::Implicit);
    behaviour.silent = true;
    let server = MailServer::start(behaviour);
    let company = held(&jobticket, &server);
    let mut service = Service::start(&company, &[]);
    service.hears(|message| message.contains("STATUS"));
    let began = Instant::now();
    company.run_now().exits(3);
    company.run(&["status"]).exits(3);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    service.stops();
}

#[test]
fn killed_while_sending_the_next_run_sends_it_under_the_same_message_id_and_then_never_again() {
    for (point, before) in [("notifying", 0), ("notified", 1)] {
        let jobticket = JobTicket::start();
        let server = MailServer::start(Behaviour::of(Tls::Implicit));
        let mut company = held(&jobticket, &server);
        killed_in(&mut company, point, &["--run-now"]);
        assert_eq!(server.mails().len(), before, "{point}");
        // Another process may still be sending it.
        company.run_now().exits(3);
        assert_eq!(server.mails().len(), before, "{point}");
        for _ in 0..2 {
            later(&mut company, 11);
            company.run_now().exits(3);
        }
        let mails = server.mails();
        assert_eq!(mails.len(), before + 1, "{point}");
        let ids: Vec<String> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
        assert!(
            ids.iter().all(|id| *id == ids[0] && !id.is_empty()),
            "{ids:?}"
        );
    }
}

#[test]
fn a_stale_source_and_a_refused_credential_are_told_and_that_they_are_over() {
    let jobticket = JobTicket::start();
    let receiver = Hris::start(|_| Reply::Full(200, Vec::new(), Vec::new()));
    let mut company = Company::at(&jobticket);
    std::fs::write(company.path("url"), &receiver.url).unwrap();
    company.top = "notify:\n  channels:\n    - name: chat\n      type: webhook\n      url: {file: url}\n      body: '{\"event\": \"{event}\", \"subject\": \"{subject}\"}'\n      events: [stale_source, credential, recovered]\n".to_owned();
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    assert!(receiver.asked().is_empty());
    let told = || -> Vec<String> {
        let asked = receiver.asked();
        let events = asked
            .iter()
            .map(|asked| asked.json()["event"].as_str().unwrap().to_owned());
        events.collect()
    };
    // A file that makes no sense, for longer than frozen_warn_hours.
    company.deliver("roster_20261121.csv", "nothing");
    company.run_now().exits(4);
    assert!(told().is_empty());
    jobticket.hours_pass(49);
    later(&mut company, 49 * 60);
    company.run_now().exits(4);
    assert_eq!(told(), ["stale_source"]);
    company.deliver_people("20261122", &people(6));
    company
        .variables
        .retain(|(name, _)| name != "TEST_KEY_SECRET");
    company
        .variables
        .push(("TEST_KEY_SECRET".to_owned(), "wrong".to_owned()));
    company.run_now().exits(5);
    company.variables.pop();
    company.variables.push((
        "TEST_KEY_SECRET".to_owned(),
        crate::support::KEY_SECRET.to_owned(),
    ));
    let first = told();
    company.run_now().exits(0);
    let all = [first, told()].concat();
    assert_eq!(
        all.iter().filter(|event| *event == "credential").count(),
        1,
        "{all:?}"
    );
    assert_eq!(
        all.iter().filter(|event| *event == "recovered").count(),
        2,
        "{all:?}"
    );
}
