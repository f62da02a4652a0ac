//! The report: a generated year as one small page without anything from elsewhere, and as a table that no spreadsheet calculates.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Company, JobTicket, people};

/// An audit log of 500 runs and 5,000 changes over a year.
pub(crate) fn year() -> String {
    let mut log = Log::default();
    let begin: DateTime<Utc> = "2025-12-01T04:15:00Z".parse().unwrap();
    let mut employees = 1000;
    for run in 0..500i64 {
        let at = begin + TimeDelta::minutes(run * 1040);
        let id = format!("run-{run:03}");
        log.say(at, &id, &json!({"event": "run_started", "trigger": "schedule", "user": "jobticket-sync", "dryRun": false, "environment": "production"}));
        log.say(at, &id, &json!({"event": "source_pulled", "source": "headquarters", "file": format!("roster_{run}.csv"), "rows": 1100, "selected": 1040, "modified": (at - TimeDelta::hours(2)).to_rfc3339(), "status": "new"}));
        if run % 23 == 7 {
            log.say(at, &id, &json!({"event": "run_ended", "outcome": "not reachable", "message": "no connection", "exitCode": 6, "requests": 2, "durationMs": 31_000 + run}));
            continue;
        }
        if run % 41 == 9 {
            log.say(at, &id, &json!({"event": "hold_opened", "hold": run, "scope": "people", "kind": "leavers", "why": ["12 unexplained leavers of 1000 people (1.2 %), limits.leavers lets 10 through <script>alert(1)</script>"], "people": 12}));
            log.say(at + TimeDelta::hours(3), "", &json!({"event": "decision", "decision": "approve", "hold": run, "user": "anna", "onBehalfOf": "=cmd()", "reason": "\"they left\" & <b>all is well</b>", "hrIds": ["00001"]}));
            log.say(at, &id, &json!({"event": "run_ended", "outcome": "held", "exitCode": 3, "requests": 4, "durationMs": 2_500}));
            continue;
        }
        let sync = format!("sync-{run:03}");
        for change in 0..11 {
            let hr_id = format!("{:05}", run * 11 + change);
            let what = match (run + change) % 4 {
                0 => json!({"kind": "joins"}),
                1 => {
                    json!({"kind": "leaves", "reason": "missing", "grounds": "approved", "hold": 9, "values": {"firstName.old": "Änne", "lastName.old": "Beispiel"}})
                }
                2 => {
                    json!({"kind": "leaves", "reason": "employment_ended", "lastDay": "2026-01-31"})
                }
                _ => json!({"kind": "changes", "fields": ["email"]}),
            };
            employees += match (run + change) % 4 {
                0 => 1,
                1 | 2 if employees > 700 => -1,
                _ => 0,
            };
            let mut line = json!({"event": "change", "hrId": hr_id});
            line.as_object_mut()
                .unwrap()
                .extend(what.as_object().unwrap().clone());
            log.say(at, &id, &line);
        }
        log.say(
            at,
            &id,
            &json!({"event": "push_intent", "syncId": sync, "employees": employees}),
        );
        log.say(at, &id, &json!({"event": "push_acknowledged", "syncId": sync, "employees": employees, "acknowledged": "204", "seen": "answer"}));
        if run % 97 == 3 {
            log.say(at, &id, &json!({"event": "drift", "syncId": sync, "hours": 25, "differences": [{"hrId": "00001", "drift": "not_linked"}]}));
        }
        log.say(at, &id, &json!({"event": "run_ended", "outcome": "pushed", "exitCode": 0, "requests": 5 + run % 7, "durationMs": 1_800 + (run * 7919) % 4_000}));
    }
    log.text
}

/// A log as the program writes it: each line with the hash of the one before, and values with commitments.
#[derive(Default)]
struct Log {
    seq: u64,
    last: String,
    text: String,
}

const SALT: &str = "000102030405060708090a0b0c0d0e0f";

fn sha256(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn commitment(key: &str, value: &str) -> String {
    let lengths = [SALT, key, value].map(|part| (part.len() as u64).to_le_bytes());
    sha256(&[
        &lengths[0],
        SALT.as_bytes(),
        &lengths[1],
        key.as_bytes(),
        &lengths[2],
        value.as_bytes(),
    ])
}

impl Log {
    fn say(&mut self, at: DateTime<Utc>, run: &str, line: &Value) {
        self.seq += 1;
        // The log begins each line with its number and time.
        let time = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut line = line.clone();
        let values = line.as_object_mut().unwrap().remove("values");
        let rest = line.to_string();
        let run = if run.is_empty() {
            String::new()
        } else {
            format!("\"run\":\"{run}\",")
        };
        let mut line = format!(
            "{{\"seq\":{},\"time\":\"{time}\",\"integration\":\"acme\",{run}{}",
            self.seq,
            &rest[1..rest.len() - 1]
        );
        let mut shown = String::new();
        if let Some(mut values) = values {
            let mut commitments = json!({});
            for (key, value) in values.as_object().unwrap() {
                commitments[key] = commitment(key, value.as_str().unwrap()).into();
            }
            values["salt"] = SALT.into();
            write!(line, ",\"commitments\":{commitments}").unwrap();
            write!(shown, ",\"values\":{values}").unwrap();
        }
        write!(line, ",\"prev\":\"{}\"", self.last).unwrap();
        self.last = sha256(&[line.as_bytes(), b"}"]);
        writeln!(self.text, "{line}{shown}}}").unwrap();
    }
}

pub(crate) fn company() -> Company {
    let mut company = Company::new();
    "2026-11-28T12:00:00Z".clone_into(&mut company.now);
    std::fs::create_dir_all(company.path("state")).unwrap();
    std::fs::write(company.path("state/audit.jsonl"), year()).unwrap();
    company
}

/// Writes a report of the year.
pub(crate) fn written(company: &Company, more: &[&str]) -> (PathBuf, String) {
    let out = company.path(&format!("report{}.out", more.join("")));
    let path = out.display().to_string();
    let mut arguments = vec!["report", "--since", "2025-12-01", "--out", &path];
    arguments.extend(more);
    company.run(&arguments).exits(0).says("Report written to");
    let text = std::fs::read_to_string(&out).unwrap();
    (out, text)
}

#[test]
fn a_year_is_one_page_under_a_megabyte_that_asks_nobody_for_anything() {
    let company = company();
    let (path, page) = written(&company, &[]);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(page.contains("default-src 'none'"));
    let plots: Vec<&str> = page.split("<figure>").skip(1).collect();
    assert!(plots.iter().all(|plot| plot.contains("class=\"grid\"")));
    for text in ["<script", "http://", "https://", "@import", "url(", "src="] {
        assert!(!page.contains(text), "the page has {text}");
    }
    for text in [
        "<html lang=\"en\">",
        "<h3>People at JobTicket</h3>",
        "missing from every source",
        "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;",
        "anna",
        "not reachable",
        "headquarters",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    assert!(
        page.contains("Ä… B…") && !page.contains("Beispiel"),
        "names are masked"
    );
    let (_, full) = written(&company, &["--values", "full"]);
    assert!(full.contains("Änne Beispiel"));
    let (_, german) = written(&company, &["--lang", "de"]);
    for text in [
        "<html lang=\"de\">",
        "Personen bei JobTicket",
        "fehlt in allen Quellen",
        "freigegeben",
    ] {
        assert!(german.contains(text), "the page lacks {text}");
    }
}

#[test]
fn a_table_has_no_cell_that_a_spreadsheet_would_calculate() {
    let company = company();
    let (_, table) = written(&company, &["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let mut kinds = std::collections::BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        *kinds.entry(record[3].to_owned()).or_insert(0) += 1;
        for cell in &record {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
    assert_eq!(kinds["run"], 500);
    assert!(
        kinds["left"] > 2_000 && kinds["joined"] > 1_000,
        "{kinds:?}"
    );
    assert_eq!(kinds["hold"], kinds["decision"]);
}

/// A log in which an integration moved from the sandbox to JobTicket, and people did all that people do.
fn moved() -> Company {
    let mut log = Log::default();
    let at = |day: i64| {
        let begin: DateTime<Utc> = "2026-06-01T04:15:00Z".parse().unwrap();
        begin + TimeDelta::days(day)
    };
    let mut run = |day, id: &str, environment: &str, employees: u64, exit: u8, lines: &[Value]| {
        log.say(at(day), id, &json!({"event": "run_started", "trigger": "schedule", "user": "jobticket-sync", "dryRun": false, "environment": environment, "origin": environment, "integrationId": 7}));
        for line in lines {
            log.say(at(day), id, line);
        }
        log.say(
            at(day),
            id,
            &json!({"event": "push_intent", "syncId": id, "employees": employees}),
        );
        log.say(
            at(day),
            id,
            &json!({"event": "push_acknowledged", "syncId": id, "employees": employees}),
        );
        log.say(at(day), id, &json!({"event": "run_ended", "outcome": "pushed", "exitCode": exit, "requests": 3, "durationMs": 900}));
    };
    let joins = |hr_id: &str| json!({"event": "change", "hrId": hr_id, "kind": "joins"});
    run(0, "s-1", "sandbox", 777, 0, &[joins("00777")]);
    run(1, "p-1", "production", 40, 4, &[joins("00041")]);
    run(
        2,
        "p-2",
        "production",
        41,
        3,
        &[
            joins("00042"),
            json!({"event": "hold_opened", "hold": 5, "scope": "people", "kind": "leavers", "why": ["12 leavers"], "people": 2}),
        ],
    );
    let people = json!({"event": "decision", "decision": "reject", "hold": 5, "user": "mira", "reason": "not gone", "hrIds": ["00007", "00008"]});
    log.say(at(3), "", &people);
    log.say(at(3), "", &json!({"event": "decision", "decision": "keep", "user": "mira", "reason": "comes back", "hrIds": ["00009"], "until": "2026-12-31"}));
    log.say(
        at(4),
        "",
        &json!({"event": "forgotten", "user": "root", "reason": "asked for", "hrIds": ["00003"]}),
    );
    log.say(at(5), "", &json!({"event": "restored", "user": "root", "file": "monday.tar.gz", "backupTime": "2026-06-01T10:00:00Z", "lines": 3}));
    log.say(at(6), "", &json!({"event": "configuration_changed", "user": "otto", "version": "0.1.0", "changes": [
        {"key": "integrations.acme.limits.leavers.count", "old": "10", "new": "500", "loosened": true},
        {"key": "notify.channels.hr.to.0", "old": "anna.muster@example.com", "new": "bert@example.com"},
    ]}));
    log.say(at(7), "p-3", &json!({"event": "run_started", "trigger": "schedule", "dryRun": false, "environment": "production", "origin": "production", "integrationId": 7}));
    log.say(
        at(7),
        "",
        &json!({"event": "run_panicked", "trigger": "schedule"}),
    );
    let mut company = Company::new();
    "2026-11-28T12:00:00Z".clone_into(&mut company.now);
    std::fs::create_dir_all(company.path("state")).unwrap();
    std::fs::write(company.path("state/audit.jsonl"), &log.text).unwrap();
    company
}

#[test]
fn what_went_to_the_sandbox_stands_apart_and_what_people_did_is_told_with_everybody_in_it() {
    let company = moved();
    let report = |more: &[&str]| {
        let begin = ["report", "--since", "2026-06", "--out", "-"];
        company.run(&[&begin[..], more].concat()).exits(0).stdout
    };
    for (language, texts) in [
        (
            "en",
            [
                "All times are local: Europe&#x2f;Berlin",
                "a source failed, or an empty roster was refused",
                "somebody or something waits for a decision",
                "internal error",
                "<td>reject</td>",
                "keep until 2026-12-31",
                "People forgotten",
                "<td>loosened</td>",
                "backup of",
                "People in the sandbox",
            ],
        ),
        (
            "de",
            [
                "Alle Zeiten sind Ortszeit: Europe&#x2f;Berlin",
                "eine Quelle ist gestört, oder eine leere Liste wurde abgelehnt",
                "jemand oder etwas wartet auf eine Entscheidung",
                "interner Fehler",
                "<td>abgelehnt</td>",
                "behalten bis 31.12.2026",
                "Vergessene Personen",
                "<td>gelockert</td>",
                "sicherung vom",
                "Personen in der Sandbox",
            ],
        ),
    ] {
        let page = report(&["--lang", language]);
        for text in texts {
            let found = page.to_lowercase().contains(&text.to_lowercase());
            assert!(found, "the page lacks {text}");
        }
        for text in [
            "acme – production (integration 7)</h2>",
            "acme – sandbox (integration 7)</h2>",
            "<td>00007, 00008</td>",
            "<td>00009</td>",
            "<td>00003</td>",
            "monday.tar.gz",
            "integrations.acme.limits.leavers.count",
        ] {
            assert!(page.contains(text), "the page lacks {text}");
        }
        assert!(
            !page.contains("anna") && !page.contains("bert@"),
            "an address"
        );
        let (sandbox, production) = page
            .split_once("acme – production (integration 7)</h2>")
            .unwrap();
        assert!(production.contains("<dd>41</dd>") && !production.contains("777"));
        assert!(sandbox.contains("<dd>777</dd>") && sandbox.contains("SANDBOX"));
        assert!(!sandbox.contains(if language == "en" {
            "<h3>People at JobTicket</h3>"
        } else {
            "<h3>Personen bei JobTicket</h3>"
        }));
        assert!(!sandbox.contains("00041") && !production.contains("SANDBOX"));
    }
    let table = report(&["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(&reader.headers().unwrap()[2], "environment");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let is = |row: &csv::StringRecord, environment: &str, what: &str, subject: &str| {
        (&row[2], &row[3], &row[5]) == (environment, what, subject)
    };
    for (environment, what, subject) in [
        ("sandbox", "joined", "00777"),
        ("production", "joined", "00041"),
        ("production", "forgotten", "00003"),
        ("", "restored", "monday.tar.gz"),
        (
            "",
            "configuration",
            "integrations.acme.limits.leavers.count",
        ),
    ] {
        let found = rows.iter().any(|row| is(row, environment, what, subject));
        assert!(found, "the table lacks {what} {subject}: {table}");
    }
    assert!(rows.iter().all(|row| row[0].ends_with("+02:00")), "{table}");
    assert!(table.contains("reject: not gone; 00007 00008") && !table.contains("anna"));
    assert!(table.contains(
        "pushed, exit code 4 (a source failed, or an empty roster was refused), 3 requests"
    ));
    assert!(table.contains("backup of 2026-06-01T12:00:00+02:00"));
}

#[test]
fn a_span_without_a_push_has_the_people_of_before_it() {
    let company = moved();
    let span = [
        "report", "--since", "2026-07", "--until", "2026-08", "--out", "-",
    ];
    let page = company.run(&span).exits(0).stdout;
    assert!(
        page.contains("<dd>41</dd>") && !page.contains("777"),
        "{page}"
    );
    assert!(page.contains("A line between 41 and 41 people."));
    let table = company
        .run(&[&span[..], &["--format", "csv"]].concat())
        .exits(0)
        .stdout;
    let first = table.lines().nth(1).unwrap();
    assert!(
        first.starts_with("2026-07-01T00:00:00+02:00,acme,production,headcount,,,41,"),
        "{table}"
    );
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let company = company();
    let out = company.path("report.html");
    std::fs::write(&out, "mine").unwrap();
    let path = out.display().to_string();
    let arguments = ["report", "--since", "2026-11", "--out", &path];
    company.run(&arguments).exits(2).says("--force");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    let forced: Vec<&str> = arguments.into_iter().chain(["--force"]).collect();
    company.run(&forced).exits(0);
    assert!(
        std::fs::read_to_string(&out)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    company
        .run(&[
            "report",
            "--since",
            "2026-11",
            "--out",
            "/nowhere/report.html",
        ])
        .exits(1)
        .says("/nowhere/report.html cannot be written");
    company
        .run(&["report", "--since", "yesterday", "--out", "-"])
        .exits(2)
        .says("--since yesterday is not understood");
}

#[test]
fn what_really_happened_stands_in_the_report_by_hr_id() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(4));
    company.run_now().exits(0);
    let ran = company
        .run(&["report", "--since", "2026-11", "--out", "-"])
        .exits(0);
    assert!(ran.stdout.contains("<td>00005</td>"), "{}", ran.stdout);
    for value in ["Beispiel", "Änne", "person0", "1990"] {
        assert!(!ran.stdout.contains(value), "the report shows {value}");
    }
}

#[test]
fn a_report_of_a_log_with_holes_says_so_and_ends_with_1() {
    let scene = crate::scene::Scene::new();
    let company = &scene.company;
    let page = company.path("report.html");
    let report = |force: &[&str]| {
        let out = page.to_str().unwrap();
        let span = ["report", "--since", "2026-11", "--out", out];
        company.run(&[&span[..], force].concat())
    };
    report(&[]).exits(0);
    let whole = std::fs::read_to_string(&page).unwrap();
    assert!(whole.contains("was checked when this was made, and is whole"));
    let log = company.path("state/audit.jsonl");
    let lines = std::fs::read_to_string(&log).unwrap();
    let without: Vec<&str> = lines
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != 3)
        .map(|(_, line)| line)
        .collect();
    std::fs::write(&log, without.join("\n") + "\n").unwrap();
    report(&["--force"]).exits(1).says("Report written");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("was changed or has holes"));
}
