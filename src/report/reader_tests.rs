//! Lines put to the place that they tell of, from what went to the sandbox to runs that nobody saw end.

use serde_json::{Value, json};

use super::*;

const PRODUCTION: &str = "https://api.example";

fn place(environment: &str) -> Place {
    let origin = if environment == "production" {
        PRODUCTION
    } else {
        environment
    };
    Place {
        environment: environment.to_owned(),
        origin: origin.to_owned(),
        integration_id: 7,
    }
}

fn started(run: &str, environment: &str, trigger: &str) -> Value {
    let place = place(environment);
    json!({"event": "run_started", "run": run, "trigger": trigger, "environment": place.environment, "origin": place.origin, "integrationId": 7})
}

fn acknowledged(run: &str, employees: u64) -> Value {
    json!({"event": "push_acknowledged", "run": run, "syncId": run, "employees": employees})
}

fn ended(run: &str, exit_code: u64) -> Value {
    json!({"event": "run_ended", "run": run, "outcome": "pushed", "exitCode": exit_code, "durationMs": 1500, "requests": 3})
}

fn entry(seq: u64, mut line: Value) -> Entry {
    line["seq"] = seq.into();
    line["time"] = format!("2026-10-01T00:{:02}:{:02}Z", seq / 60, seq % 60).into();
    if line["integration"].is_null() {
        line["integration"] = "acme".into();
    }
    Entry::of(line.to_string().as_bytes()).unwrap()
}

/// What is told where acme pushes to production now.
fn told(before: Vec<Value>, within: Vec<Value>) -> Vec<One> {
    let pushes = Pushes::default();
    let configured = vec![("acme".to_owned(), place("production"))];
    let mut reader = Reader::of(configured, false, &pushes, false);
    let mut seq = 0..;
    for line in before {
        reader.before(&entry(seq.next().unwrap(), line));
    }
    reader.begin();
    for line in within {
        reader.take(&entry(seq.next().unwrap(), line));
    }
    reader.end(Vec::new())
}

#[test]
fn what_went_to_the_sandbox_never_stands_beside_what_went_to_jobticket() {
    let told = told(
        vec![],
        vec![
            started("a", "sandbox", "--run-now"),
            json!({"event": "hold_opened", "run": "a", "hold": 1, "people": 2}),
            acknowledged("a", 900),
            ended("a", 3),
            started("b", "production", "--run-now"),
            acknowledged("b", 40),
            ended("b", 0),
            json!({"event": "decision", "decision": "reject", "hold": 1, "hrIds": ["1", "2"]}),
            json!({"event": "decision", "decision": "keep", "hrIds": ["3"]}),
        ],
    );
    let people = |environment: &str| {
        let one = told
            .iter()
            .find(|one| one.place == place(environment))
            .unwrap();
        let people: Vec<u64> = one.headcount.iter().map(|(_, people)| *people).collect();
        let named: Vec<&str> = one
            .decisions
            .iter()
            .flat_map(|one| &one.hr_ids)
            .map(String::as_str)
            .collect();
        (people, one.runs.len(), named.join(" "))
    };
    assert_eq!(people("sandbox"), (vec![900], 1, "1 2".to_owned()));
    assert_eq!(people("production"), (vec![40], 1, "3".to_owned()));
}

#[test]
fn a_span_without_a_push_begins_with_the_people_of_the_last_one_before_it() {
    let told = told(
        vec![
            started("a", "sandbox", "--run-now"),
            acknowledged("a", 900),
            ended("a", 0),
            started("b", "production", "--run-now"),
            acknowledged("b", 40),
            ended("b", 0),
        ],
        vec![],
    );
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0].place, told[0].before),
        (&place("production"), Some(40))
    );
}

#[test]
fn a_run_that_panicked_is_told_once_with_what_is_known_of_its_begin() {
    let told = told(
        vec![started("a", "production", "watch x")],
        vec![
            started("b", "production", "schedule"),
            json!({"event": "run_panicked", "trigger": "schedule"}),
            started("c", "production", "schedule"),
            json!({"event": "run_never_ended", "run": "b", "started": "2026-10-01T00:00:01Z"}),
            json!({"event": "run_never_ended", "run": "a", "started": "2026-10-01T00:00:00Z"}),
            ended("c", 4),
        ],
    );
    let runs: Vec<_> = told[0]
        .runs
        .iter()
        .map(|run| (run.id.as_str(), run.outcome.as_str(), run.class()))
        .collect();
    assert_eq!(
        runs,
        [
            ("b", "internal error", "failed"),
            ("a", "never ended", "failed"),
            ("c", "pushed", "failed"),
        ]
    );
    assert_eq!(told[0].runs[1].trigger, "watch x");
}

#[test]
fn an_integration_that_is_gone_from_the_configuration_keeps_its_past() {
    let mut run = [started("z", "production", "schedule"), ended("z", 0)];
    for line in &mut run {
        line["integration"] = "old".into();
    }
    let told = told(vec![], run.into());
    assert_eq!((told[0].name.as_str(), told[0].runs.len()), ("old", 1));
}
