//! What the program says: a JSON report that other programs can rely on, and never a secret or a personal value.

use serde_json::{Value, json};

use crate::scene::{Scene, plain};
use crate::support::{Company, JobTicket, KEY_ID, KEY_SECRET, Person, people, run_alone};

const JSON: [&str; 3] = ["--run-now", "--output", "json"];

/// The names of an object's members, sorted.
fn members(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// A run with a JSON report: stdout is one document, whose exit codes are that of the program.
#[track_caller]
fn report(company: &Company, more: &[&str], code: i32) -> Value {
    let arguments = [&JSON[..], more].concat();
    let ran = company.run(&arguments).exits(code);
    let all: Value = serde_json::from_str(&ran.stdout).expect("stdout is one JSON document");
    assert_eq!(members(&all), ["exitCode", "runs"]);
    assert_eq!(all["exitCode"], code);
    assert_eq!(all["runs"][0]["exitCode"], code);
    ran.report()
}

#[test]
fn a_json_report_has_the_same_members_however_the_run_ends() {
    let common = [
        "changes",
        "collisions",
        "counting",
        "counts",
        "dryRun",
        "durationMs",
        "environment",
        "exitCode",
        "holdId",
        "incomplete",
        "integration",
        "kept",
        "linked",
        "notes",
        "rateLimitWaitMs",
        "rejected",
        "requests",
        "result",
        "roster",
        "run",
        "sandbox",
        "snapshot",
        "sources",
        "tooEarly",
        "waiting",
    ];
    let mut company = Company::new();
    let expect = |report: Value, result: &str, more: &[&str]| {
        let mut expected = [&common[..], more].concat();
        expected.sort_unstable();
        assert_eq!(members(&report), expected, "{result}");
        assert_eq!(report["result"], result);
        let source = [
            "file", "frozen", "name", "note", "rows", "rules", "selected", "status",
        ];
        assert_eq!(members(&report["sources"][0]), source);
        let counts = ["changed", "explainedLeavers", "joiners", "leavers"];
        assert_eq!(members(&report["counts"]), counts);
        report
    };
    company.deliver("roster_20261119.csv", "");
    expect(report(&company, &[], 4), "source_failed", &[]);
    company.deliver_people("20261120", &people(5));
    let would = report(&company, &["--dry-run"], 0);
    expect(would, "would_push", &["employees"]);
    let pushed = expect(
        report(&company, &[], 0),
        "pushed",
        &["confirmed", "employees", "syncId"],
    );
    assert_eq!(pushed["snapshot"], Value::Null);
    assert_eq!(
        pushed["counts"],
        json!({"joiners": 5, "leavers": 0, "explainedLeavers": 0, "changed": 0})
    );
    assert_eq!(
        pushed["changes"][0],
        json!({"hrId": "00001", "kind": "joins"})
    );
    let unchanged = expect(report(&company, &[], 0), "unchanged", &[]);
    assert_eq!(
        (&unchanged["requests"], &unchanged["snapshot"]),
        (&json!(0), &json!(5))
    );
    company.deliver_people("20261121", &people(11));
    let waits = expect(report(&company, &[], 3), "unchanged", &[]);
    assert_eq!(waits["waiting"].as_array().unwrap().len(), 6);
    assert_eq!(
        waits["waiting"][0],
        json!({"hold": 1, "hrId": "00006", "kind": "joins", "cause": "joiners"})
    );
    company.integration = "    limits: {on_joiners: stop}\n".to_owned();
    let held = expect(report(&company, &[], 3), "held", &["hold"]);
    assert_eq!(held["holdId"], 2);
    assert_eq!(held["hold"]["trips"][0]["limit"], "joiners");
    assert_eq!(
        held["hold"]["trips"][0]["hrIds"].as_array().unwrap().len(),
        6
    );
}

#[test]
fn a_json_report_names_rejected_and_incomplete_rows_and_every_change() {
    let scene = Scene::new();
    let mut staff = people(7);
    staff[0].end = "31.10.2026".to_owned();
    staff[1].born = "?".to_owned();
    staff[2].last = "Neumann".to_owned();
    staff[5].email.clear();
    scene.company.deliver_people("20261121", &staff);
    let report = report(&scene.company, &[], 9);
    assert_eq!(
        report["rejected"],
        json!([{
            "source": "headquarters", "row": 3, "hrId": "00002", "column": "Geburtsdatum",
            "reason": "dateOfBirth is not a date in the configured format", "carriedForward": true,
        }])
    );
    assert_eq!(
        report["incomplete"],
        json!([{"source": "headquarters", "row": 7, "hrId": "00006", "field": "email"}])
    );
    assert_eq!(
        report["changes"],
        json!([
            {"hrId": "00001", "kind": "leaves", "reason": "employment_ended", "lastDay": "2026-10-31"},
            {"hrId": "00003", "kind": "changes", "fields": ["lastName"]},
            {"hrId": "00007", "kind": "joins"},
        ])
    );
}

#[test]
fn a_run_names_its_environment() {
    let company = Company::new();
    company.deliver_people("20261120", &people(2));
    let ran = company.run_now().exits(0);
    ran.says("acme: sandbox")
        .says("SANDBOX: nobody at JobTicket was changed");
    let scene = Scene::new();
    let ran = scene.company.run_now().exits(0).says(&scene.jobticket.url);
    assert!(!ran.stdout.contains("SANDBOX"));
}

#[test]
fn the_operational_log_is_json_where_that_is_set() {
    let mut company = Company::new();
    company.top = "log: {format: json, level: trace}\n".to_owned();
    company.deliver("roster_20261119.csv", "");
    let ran = company.run_now().exits(4);
    assert!(!ran.stderr.is_empty());
    for line in ran.stderr.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of the log is JSON");
        assert!(line["level"].is_string());
    }
}

/// Runs of every kind over people whose values are wrong in every way, with the most talkative log. Gives all that was said.
fn talkative(audit: &str) -> (String, String) {
    let scene = Scene::of(
        12,
        |company| company.top = format!("audit: {{values: {audit}}}\nlog: {{level: trace}}\n"),
        plain,
    );
    let company = &scene.company;
    let mut staff = people(15);
    let wrong: [fn(&mut Person); 9] = [
        |person| person.end = "31.10.2026".to_owned(),
        |person| person.last = "Beispielwechsel".to_owned(),
        |person| person.email = "person00003.example.com".to_owned(),
        |person| person.born = "15.04.1990x".to_owned(),
        |person| person.email = "person00006@example.com".to_owned(),
        |person| person.email = "Person00006@example.com".to_owned(),
        |person| person.end = "31.12.2021".to_owned(),
        |person| person.first = "Änne".repeat(99),
        |person| person.email = "person0wechsel@example.com".to_owned(),
    ];
    for (person, change) in staff.iter_mut().zip(wrong) {
        change(person);
    }
    staff[12].email.clear();
    staff.push(staff[1].clone());
    staff[15].first = "Änne-Wechsel".to_owned();
    let mut said = String::new();
    let mut say = |arguments: &[&str], code: i32| {
        let ran = company.run(arguments).exits(code);
        said += &ran.stdout;
        said += &ran.stderr;
    };
    company.deliver_people("20261121", &staff);
    say(&["--run-now"], 4);
    let text = std::fs::read_to_string(company.write_config()).unwrap();
    assert!(!text.contains("invalid_rows"));
    for person in &mut staff[4..8] {
        *person = crate::support::person(&person.number);
    }
    staff.pop();
    company.deliver_people("20261122", &staff);
    say(&["--run-now", "--dry-run", "--output", "json"], 9);
    say(&["check"], 9);
    say(&["--run-now"], 9);
    let text = crate::support::table(&staff);
    for bad in [
        text.replace("00004;Änne", "00004;\"Änne"),
        text.replace("Änne", "Ã„nne"),
        text.replacen(";Änne", "", 1),
    ] {
        company.deliver("roster_20261123.csv", bad);
        say(&["--run-now", "--output", "json"], 4);
        say(&["check"], 4);
    }
    let rows = text.split_once("\r\n").unwrap().1;
    company.deliver("roster_20261123.csv", rows);
    say(&["--run-now"], 4);
    let audit = std::fs::read_to_string(company.path("state/audit.jsonl")).unwrap();
    for (path, content) in company.state_files() {
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(
            !content.contains(KEY_SECRET),
            "the secret stands in {}",
            path.display()
        );
    }
    (said, audit)
}

const PERSONAL: [&str; 7] = [
    "Änne",
    "eispiel",
    "erson0",
    "example.com",
    "15.04.1990",
    "1990-04-15",
    "90-04-1",
];

#[test]
fn neither_output_nor_audit_log_holds_a_secret_or_a_personal_value() {
    for values in ["none", "masked"] {
        let (said, audit) = talkative(values);
        let token = base64(&format!("{KEY_ID}:{KEY_SECRET}"));
        for (what, text) in [("the output", &said), ("the audit log", &audit)] {
            for value in PERSONAL.iter().chain(&[KEY_SECRET, KEY_ID, &token]) {
                let place = text.lines().find(|line| line.contains(value));
                assert!(place.is_none(), "{values}: {what} holds {value}: {place:?}");
            }
        }
        let masked = audit.contains("\"lastName.new\":\"B…\"");
        assert_eq!(masked, values == "masked");
        assert_eq!(audit.contains("\"values\":{"), values == "masked");
        assert_eq!(audit.contains("commitments"), values == "masked");
    }
}

#[test]
fn the_audit_log_holds_values_in_full_only_where_that_is_set() {
    let (said, audit) = talkative("full");
    assert!(audit.contains("\"lastName.new\":\"Beispielwechsel\""));
    for value in PERSONAL {
        assert!(!said.contains(value), "the output holds {value}");
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn the_service_runs_all_integrations_and_wants_a_configuration() {
    run_alone(&["--config", "missing.yaml"])
        .exits(2)
        .says("missing.yaml");
    let company = Company::new();
    company
        .run(&["--integration", "acme"])
        .exits(2)
        .says("leave --integration out");
    assert!(company.state_files().is_empty());
}

#[test]
fn a_dry_run_without_a_run_is_refused() {
    run_alone(&["--dry-run"]).exits(2).says("--run-now");
    run_alone(&["--dry-run", "check"]).exits(2);
}

#[test]
fn help_shows_examples_and_exit_codes() {
    for help in ["-h", "--help"] {
        let ran = run_alone(&[help]).exits(0).says("Examples:");
        let ran = ran.says("--run-now --dry-run").says("Exit codes");
        assert_eq!(ran.stderr, "");
    }
    let version = run_alone(&["--version"]).exits(0);
    let name = format!("jobticket-sync {}", env!("CARGO_PKG_VERSION"));
    assert!(version.stdout.starts_with(&name));
}

#[test]
fn an_integration_that_does_not_exist_is_refused_with_those_that_do() {
    let company = Company::new();
    let ran = company
        .run(&["--run-now", "--integration", "acne"])
        .exits(2);
    ran.says("no integration acne").says("acme");
}

#[test]
fn check_finds_everything_in_order_and_changes_nothing() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(5));
    let ran = company.run(&["check"]).exits(0).says("In order");
    ran.says("held from the 3rd unexplained leaver");
    let ran = company.run(&["check", "--output", "json"]).exits(0);
    let all: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&all["exitCode"], &all["checks"][0]["exitCode"]),
        (&json!(0), &json!(0))
    );
    assert!(jobticket.pushes().is_empty());
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn a_command_beside_run_now_is_refused_and_does_not_swallow_the_run() {
    let company = Company::new();
    company.deliver_people("20261120", &people(3));
    let ran = company.run(&["--run-now", "check"]).exits(2);
    ran.says("give one of the two");
    let ran = company
        .run(&["--run-now", "--output", "json", "check"])
        .exits(2);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["exitCode"], 2);
}
