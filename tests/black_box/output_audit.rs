//! The audit log: a chain that shows every gap, a line for every change of the configuration, and files that nobody else reads.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::deciding::as_json;
use crate::rest_server::{Hris, Reply};
use crate::scene::Scene;
use crate::support::{Company, people};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes.as_ref());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line without its last member, the personal values.
fn without_values(line: &str) -> String {
    match line.rfind(",\"values\":{") {
        Some(at) => format!("{}}}", &line[..at]),
        None => line.to_owned(),
    }
}

/// Checks the whole chain, and gives the lines.
#[track_caller]
fn chain(company: &Company) -> Vec<Value> {
    let text = fs::read_to_string(company.path("state/audit.jsonl")).unwrap();
    assert!(text.ends_with('\n'));
    let mut hash = String::new();
    let mut lines = Vec::new();
    for (line, seq) in text.lines().zip(1..) {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["seq"], seq);
        assert_eq!(value["prev"], hash, "line {seq}");
        hash = hex(without_values(line));
        lines.push(value);
    }
    lines
}

/// A company after runs of several kinds.
fn busy(values: &str) -> Scene {
    let scene = Scene::with(|company| company.top = format!("audit: {{values: {values}}}\n"));
    let mut staff = people(6);
    staff[1].born = "01.01.1991".to_owned();
    staff[2].end = "31.10.2026".to_owned();
    staff[3].born = "?".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run(&["--run-now", "--dry-run"]).exits(9);
    scene.company.run_now().exits(9);
    scene.company.run_now().exits(9);
    scene.company.deliver("roster_20261122.csv", "");
    scene.company.run_now().exits(4);
    scene.company.deliver_people("20261123", &people(16)[10..]);
    scene.company.run_now().exits(3);
    scene
}

#[test]
fn every_line_carries_the_hash_of_the_line_before_and_none_is_missing() {
    for values in ["none", "masked", "full"] {
        let lines = chain(&busy(values).company);
        assert!(lines.len() > 30, "{}", lines.len());
    }
}

#[test]
fn a_change_stands_beside_salted_commitments_of_its_values() {
    let lines = chain(&busy("masked").company);
    let change = lines
        .iter()
        .find(|line| line["kind"] == "changes" && line["hrId"] == "00002")
        .unwrap();
    let values = &change["values"];
    assert_eq!(values["dateOfBirth.old"], "1990-…");
    assert_eq!(values["dateOfBirth.new"], "1991-…");
    let salt = values["salt"].as_str().unwrap();
    assert_eq!(salt.len(), 32);
    for key in ["dateOfBirth.old", "dateOfBirth.new"] {
        let mut bytes = Vec::new();
        for part in [salt, key, values[key].as_str().unwrap()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        assert_eq!(change["commitments"][key], hex(bytes));
    }
    let salts: Vec<&Value> = lines.iter().map(|line| &line["values"]["salt"]).collect();
    let salts: Vec<&&Value> = salts.iter().filter(|salt| !salt.is_null()).collect();
    assert!(salts.len() > 1);
    assert_ne!(salts[0], salts[1], "every line has a salt of its own");
}

#[test]
fn the_events_of_a_push_stand_in_the_order_in_which_they_happened() {
    let scene = busy("masked");
    let all = chain(&scene.company);
    let run = scene.company.events("push_acknowledged").pop().unwrap()["run"].clone();
    let mut events: Vec<&str> = all
        .iter()
        .filter(|line| line["run"] == run)
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    events.dedup();
    assert_eq!(
        events,
        [
            "run_started",
            "source_pulled",
            "read_before",
            "row_rejected",
            "plan",
            "change",
            "guard",
            "push_intent",
            "push_attempt",
            "push_acknowledged",
            "read_back",
            "run_ended"
        ]
    );
    let one = |event: &str| {
        all.iter()
            .rfind(|line| line["run"] == run && line["event"] == event)
    };
    let started = one("run_started").unwrap();
    assert_eq!(started["trigger"], "--run-now");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert!(!started["user"].as_str().unwrap().is_empty());
    let pulled = one("source_pulled").unwrap();
    assert_eq!(pulled["file"], "roster_20261121.csv");
    assert_eq!(pulled["rows"], 6);
    let bytes = fs::read(scene.company.path("drop/roster_20261121.csv")).unwrap();
    assert_eq!(pulled["sha256"], hex(bytes));
    let intent = one("push_intent").unwrap();
    let last = scene.jobticket.pushes().len();
    let push = scene.jobticket.control(&format!("pushes/{last}"));
    assert_eq!(intent["bodySha256"], hex(push["text"].as_str().unwrap()));
    assert_eq!(one("run_ended").unwrap()["exitCode"], 9);
}

#[test]
fn every_changed_key_of_the_configuration_is_told_with_its_old_and_new_value() {
    let mut scene = Scene::with(|company| {
        company.integration =
            "    limits: {leavers: {percent: 5, count: 10, at_least: 2}}\n".to_owned();
    });
    assert_eq!(scene.company.events("configuration_changed").len(), 1);
    scene.company.run_now().exits(0);
    assert_eq!(scene.company.events("configuration_changed").len(), 1);
    scene.company.integration = "    limits: {leavers: {percent: 4, count: 500, at_least: 2}}
    select: {leavers_days_kept: 3}
"
    .to_owned();
    scene.company.run(&["--run-now", "--dry-run"]).exits(0);
    assert_eq!(scene.company.events("configuration_changed").len(), 1);
    scene.company.run_now().exits(0);
    let event = scene.company.events("configuration_changed").pop().unwrap();
    assert_eq!(
        event["changes"],
        json!([
            {"key": "integrations.acme.limits.leavers.count", "old": "10", "new": "500", "loosened": true},
            {"key": "integrations.acme.limits.leavers.percent", "old": "5.0", "new": "4.0"},
            {"key": "integrations.acme.select.leavers_days_kept", "old": "0", "new": "3"},
        ])
    );
    chain(&scene.company);
}

#[test]
fn values_of_rules_and_addresses_stay_out_of_the_hashed_log_and_it_still_verifies() {
    let mut scene = Scene::with(|company| {
        company.top = "notify: {channels: [{name: hr, type: smtp, host: 127.0.0.1, port: 9, tls: none, from: sender0@example.com, to: [anna@example.com], events: [digest]}]}\n".to_owned();
        company.source += "        exclude: [{column: Nachname, in: [Muster GmbH]}]\n";
    });
    scene.company.edit("anna@example.com", "adam@example.com");
    scene.company.edit("Muster GmbH", "Beispiel AG");
    scene.company.run_now().exits(0);
    let event = scene.company.events("configuration_changed").pop().unwrap();
    let changes = event["changes"].as_array().unwrap();
    for key in [
        "notify.channels.hr.to.0",
        "integrations.acme.sources.headquarters.exclude.0.in.0",
    ] {
        let change = changes.iter().find(|change| change["key"] == key);
        let change = change.unwrap_or_else(|| panic!("{key} is missing: {event}"));
        assert_eq!(
            (change["old"].as_str(), change["new"].as_str()),
            (Some("…"), Some("…"))
        );
    }
    assert!(event["values"].to_string().contains("a…@e…"), "{event}");
    let text = scene.company.audit_text();
    for value in ["anna", "adam", "sender0", "Muster GmbH", "Beispiel AG"] {
        assert!(!text.contains(value), "the log has {value}");
    }
    chain(&scene.company);
    scene.company.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_loosened_check_of_files_is_marked() {
    let mut scene = Scene::with(|company| {
        company.source += "        table: {min_rows: 4, trailer: null}\n";
    });
    scene
        .company
        .edit("max_age_hours: 100000", "max_age_hours: 100001");
    scene.company.edit(
        "{min_rows: 4, trailer: null}",
        "{min_rows: 3, final_newline: optional}",
    );
    scene.company.run_now().exits(0);
    let event = scene.company.events("configuration_changed").pop().unwrap();
    let changes = event["changes"].as_array().unwrap();
    let keys: Vec<&str> = changes
        .iter()
        .map(|change| {
            assert_eq!(change["loosened"], true, "{change}");
            change["key"].as_str().unwrap().rsplit('.').next().unwrap()
        })
        .collect();
    assert_eq!(keys, ["max_age_hours", "final_newline", "min_rows"]);
}

#[test]
fn nobody_else_can_read_the_state() {
    let mut company = Company::new();
    company.top = "ledger_dir: ledger\naudit: {path: log/audit.jsonl}\n".to_owned();
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut folders: Vec<_> = ["state", "ledger", "log"]
        .map(|name| company.path(name))
        .into();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 4, "{files}");
}

#[test]
fn lines_that_were_cut_off_the_log_are_missed() {
    let scene = busy("masked");
    let path = scene.company.path("state/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(5).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    scene.company.run_now().exits(3);
    let missing = scene.company.events("lines_missing").pop().unwrap();
    assert_eq!(missing["found"], 5);
    assert_eq!(missing["expected"], text.lines().count());
    let ran = scene.company.run(&["status"]);
    ran.says("LINES WERE MISSING at")
        .says("the log ended with line 5 and not with");
    let told = as_json(&scene.company, &["status"])["audit"]["linesMissing"].clone();
    assert_eq!(
        (&told["found"], &told["expected"]),
        (&missing["found"], &missing["expected"])
    );
}

#[test]
fn missing_lines_are_told_once_to_whom_failures_are_told() {
    let mut scene = Scene::new();
    let receiver = Hris::start(|_| Reply::Full(200, Vec::new(), b"ok".to_vec()));
    fs::write(scene.company.path("url"), &receiver.url).unwrap();
    scene.company.top = "notify:\n  channels:\n    - name: chat\n      type: webhook\n      url: {file: url}\n      body: '{\"event\": \"{event}\", \"text\": \"{text}\"}'\n      events: [failed, recovered]\n".to_owned();
    scene.company.run_now().exits(0);
    assert!(receiver.asked().is_empty());
    let path = scene.company.path("state/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(5).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    for _ in 0..3 {
        scene.company.run_now().exits(0);
    }
    scene.days_pass(31);
    scene.company.run(&["--run-now", "--resync"]);
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1, "once, and it is never over");
    let sent = asked[0].json();
    assert_eq!(sent["event"], "lines_missing");
    assert!(
        sent["text"]
            .as_str()
            .unwrap()
            .contains("it ended with line 5")
    );
    let status = as_json(&scene.company, &["status"]);
    assert!(status["audit"]["linesMissing"].is_null(), "{status}");
}
