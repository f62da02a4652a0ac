//! The endpoint of the service: `/healthz`, and `/metrics` for Prometheus.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::daemon::{self, BEFORE, SCHEDULE};
use crate::deciding::without_last;
use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::support::{Company, JobTicket, Ran, people};

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn listening(port: u16) -> String {
    format!("http: {{listen: \"127.0.0.1:{port}\"}}\n")
}

/// An answer as it is on the wire.
fn ask(port: u16, head: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let head = format!("{head}\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn body(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1
}

fn metrics(port: u16) -> String {
    body(&ask(port, "GET /metrics HTTP/1.1")).to_owned()
}

/// The value of a metric with these labels.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("there is no {series} in\n{text}"));
    found.parse().unwrap()
}

/// A company with a service that listens.
fn company(jobticket: &JobTicket) -> (Company, u16) {
    let mut company = daemon::company(jobticket);
    let port = free_port();
    company.top = listening(port);
    (company, port)
}

#[test]
fn a_run_is_counted_and_the_state_is_shown_without_anything_of_a_person() {
    let jobticket = JobTicket::start();
    let (company, port) = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    service.runs_end(&company, 1);
    service.hears(|message| message.contains("next run Tue 2026-11-24 05:15 CET"));
    let text = metrics(port);
    let acme = "{integration=\"acme\"}";
    for (series, expected) in [
        (
            "runs_total{integration=\"acme\",outcome=\"pushed\"}".to_owned(),
            1.0,
        ),
        (
            "runs_total{integration=\"acme\",outcome=\"held\"}".to_owned(),
            0.0,
        ),
        (
            "pushed_changes_total{integration=\"acme\",change=\"joiner\"}".to_owned(),
            5.0,
        ),
        (
            "pushed_changes_total{integration=\"acme\",change=\"leaver\"}".to_owned(),
            0.0,
        ),
        (format!("run_duration_seconds_count{acme}"), 1.0),
        (format!("snapshot_employees{acme}"), 5.0),
        (format!("last_run_exit_code{acme}"), 0.0),
        (format!("waiting_people{acme}"), 0.0),
        (format!("rate_limit_wait_seconds_total{acme}"), 0.0),
        (format!("drift{acme}"), 0.0),
        (
            "source_failed{integration=\"acme\",source=\"headquarters\"}".to_owned(),
            0.0,
        ),
        ("build_info{version=\"0.1.0\"}".to_owned(), 1.0),
        // 2026-11-23 03:14:58 UTC, an hour before the program's time.
        (
            "source_newest_file_timestamp_seconds{integration=\"acme\",source=\"headquarters\"}"
                .to_owned(),
            1_795_403_698.0,
        ),
    ] {
        let series = format!("jobticket_sync_{series}");
        assert!(
            (value(&text, &series) - expected).abs() < 1e-9,
            "{series}: {text}"
        );
    }
    assert!(value(&text, &format!("jobticket_sync_requests_total{acme}")) > 2.0);
    let success = value(
        &text,
        &format!("jobticket_sync_last_success_timestamp_seconds{acme}"),
    );
    assert!(success > 1_795_407_000.0, "{success}");
    assert!(
        text.lines().all(|line| line.starts_with(['#', 'j'])),
        "{text}"
    );
    let said = Ran {
        code: 0,
        stdout: text,
        stderr: service.stops(),
    };
    tells_nothing_personal(&said);
}

#[test]
fn prometheus_gets_open_metrics_and_others_the_older_text() {
    let (company, port) = company(&JobTicket::start());
    let service = Service::start(&company, &[]);
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let open = ask(port, &format!("GET /metrics HTTP/1.1\r\n{accept}"));
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(open.ends_with("# EOF\n"), "{open}");
    let plain = ask(port, "GET /metrics HTTP/1.1");
    assert!(plain.contains("content-type: text/plain; version=0.0.4"));
    assert!(!plain.contains("# EOF"), "{plain}");
    service.stops();
}

#[test]
fn health_is_told_and_nothing_but_reading_is_answered() {
    let (company, port) = company(&JobTicket::start());
    let service = Service::start(&company, &[]);
    let answer = ask(port, "GET /healthz HTTP/1.1");
    let health: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(health["status"], "ok");
    let head = ask(port, "HEAD /metrics HTTP/1.1");
    assert_eq!(body(&head), "");
    for (head, status) in [
        ("POST /metrics HTTP/1.1\r\nContent-Length: 0", "405"),
        ("DELETE /healthz HTTP/1.1", "405"),
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/../state.db HTTP/1.1", "404"),
        ("nonsense", "400"),
    ] {
        let answer = ask(port, head);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let huge = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(30_000));
    let answer = ask(port, &huge);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // Whoever says nothing keeps nobody else waiting.
    let silent: Vec<TcpStream> = (0..5)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    body(&ask(port, "GET /healthz HTTP/1.1"));
    drop(silent);
    service.stops();
}

#[test]
fn every_metric_of_the_alert_rules_is_there_once_a_run_was_held_and_a_source_has_failed() {
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/prometheus-alerts.yaml"
    );
    let rules = std::fs::read_to_string(rules).unwrap();
    let exprs = rules
        .lines()
        .filter(|line| line.trim().starts_with("expr:"));
    let words = exprs.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let named: BTreeSet<&str> = words
        .filter(|word| word.starts_with("jobticket_sync_"))
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &without_last(20, 3));
    company.run_now().exits(3);
    company.deliver("roster_20261122.csv", "nonsense");
    company.run_now().exits(4);
    let port = free_port();
    company.top = format!(
        "{}notify: {{channels: [{{name: chat, type: webhook, url: {{env: NOWHERE}}}}]}}\n",
        listening(port)
    );
    company.integration = SCHEDULE.to_owned();
    let service = Service::start(&company, &[]);
    let text = metrics(port);
    for name in named {
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("{name}{{"))
                    || line.starts_with(&format!("{name} "))),
            "{name} is not in\n{text}"
        );
    }
    let acme = "{integration=\"acme\"}";
    let opened = value(
        &text,
        &format!("jobticket_sync_oldest_hold_timestamp_seconds{acme}"),
    );
    assert!((opened - 1_795_410_900.0).abs() < 5.0, "{opened}");
    assert!((value(&text, &format!("jobticket_sync_waiting_people{acme}")) - 3.0).abs() < 1e-9);
    let frozen = "jobticket_sync_source_frozen{integration=\"acme\",source=\"headquarters\"}";
    assert!((value(&text, frozen) - 1.0).abs() < 1e-9);
    service.stops();
}

#[test]
fn where_the_address_is_taken_the_service_does_not_start_and_says_why() {
    let mut company = daemon::company(&JobTicket::start());
    BEFORE.clone_into(&mut company.now);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    company.top = listening(port);
    company
        .run(&[])
        .exits(1)
        .says(&format!("cannot be served on 127.0.0.1:{port}"))
        .says("http.listen");
    assert!(company.events("run_started").is_empty());
}

#[test]
fn only_an_address_of_this_machine_alone_is_accepted() {
    let mut company = daemon::company(&JobTicket::start());
    for (wrong, says) in [
        ("0.0.0.0:9464", "can be reached from elsewhere"),
        ("192.0.2.7:9464", "can be reached from elsewhere"),
        ("[::]:9464", "can be reached from elsewhere"),
        ("localhost:9464", "is no address with a port"),
        ("127.0.0.1", "is no address with a port"),
        ("127.0.0.1:0", "Write a port other than 0"),
    ] {
        company.top.clear();
        writeln!(company.top, "http: {{listen: \"{wrong}\"}}").unwrap();
        company
            .run(&["check", "--offline"])
            .exits(2)
            .says("http.listen")
            .says(says);
    }
    company.top = "http: {listen: \"[::1]:9464\"}\n".to_owned();
    company.run(&["check", "--offline"]).exits(0);
}

#[test]
fn a_reload_moves_the_endpoint_or_keeps_the_old_configuration_where_it_cannot() {
    let (mut company, port) = company(&JobTicket::start());
    "2026-11-23T10:00:00Z".clone_into(&mut company.now);
    let mut service = Service::start(&company, &[]);
    let mut reload = |company: &Company| {
        company.write_config();
        service.signal(Signal::SIGHUP);
        service.hears(|message| message.contains("RELOADING=1"));
        service.hears(|message| message.contains("READY=1"))
    };
    let other = free_port();
    company.top = listening(other);
    reload(&company);
    metrics(other);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    company.top = listening(taken.local_addr().unwrap().port());
    company.integration = SCHEDULE.replace("15 5", "30 6");
    assert!(reload(&company).contains("next run Tue 2026-11-24 05:15 CET"));
    let reloaded = |text: &str| value(text, "jobticket_sync_config_last_reload_successful");
    assert!(reloaded(&metrics(other)) < 0.5);
    company.top = listening(other);
    reload(&company);
    assert!(reloaded(&metrics(other)) > 0.5);
    company.top.clear();
    assert!(reload(&company).contains("next run Tue 2026-11-24 06:30 CET"));
    TcpStream::connect(("127.0.0.1", other)).unwrap_err();
    let said = service.stops();
    assert!(
        said.contains("The configuration was not reloaded"),
        "{said}"
    );
}
