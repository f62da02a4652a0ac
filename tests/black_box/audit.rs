//! The command `audit`: the questions of an auditor, and whether the log was changed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::daemon_runs::Pause;
use crate::deciding::{approved, as_json};
use crate::scene::{Scene, tells_nothing_personal};
use crate::support::{Company, people};

/// A company in which one person left by date, three left after an approval, and one only in a dry run.
fn story() -> Scene {
    let scene = Scene::of(
        30,
        |company| {
            company.integration =
                "    limits: {leavers: {percent: 1, count: 1, at_least: 1}}\n".to_owned();
        },
        crate::scene::plain,
    );
    let mut staff = people(30);
    staff[4].end = "31.10.2026".to_owned();
    staff[7].last = "Anders".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0);
    let mut gone = staff.clone();
    gone[9].end = "01.11.2026".to_owned();
    gone.remove(4);
    scene.company.deliver_people("20261122", &gone);
    scene.company.run(&["--run-now", "--dry-run"]).exits(0);
    staff.truncate(27);
    scene.company.deliver_people("20261123", &staff);
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0);
    scene
}

#[test]
fn the_questions_of_an_auditor_have_one_command_each() {
    let scene = story();
    let company = &scene.company;
    // Who was offboarded in a month, and why.
    let ran = company
        .run(&[
            "audit",
            "--kind",
            "offboarded",
            "--since",
            "2026-11",
            "--until",
            "2026-11",
        ])
        .exits(0);
    let ran = ran
        .says("- 00005 leaves (employment ended 2026-10-31); explained; acknowledged by")
        .says("- 00030 leaves (missing from every source); approved by hold 1; acknowledged by")
        .says("4 lines");
    assert!(
        !ran.stdout.contains("00010"),
        "only a dry run knew of it: {}",
        ran.stdout
    );
    tells_nothing_personal(&ran);
    company
        .run(&["audit", "--kind", "offboarded", "--until", "2026-10"])
        .exits(0)
        .says("No line of the audit log matches");
    // Everything that happened to one person.
    let ran = company.run(&["audit", "--hrid", "00030"]).exits(0);
    ran.says("+ 00030 joins")
        .says("waits in hold 1")
        .says("approve hold 1 by")
        .says("- 00030 leaves");
    let ran = company.run(&["audit", "--hrid", "00010"]).exits(0);
    ran.says("- 00010 leaves (employment ended 2026-11-01); explained; not pushed");
    // Who approved a hold, and what it did.
    let ran = company.run(&["audit", "--hold", "1"]).exits(0);
    ran.says("hold 1 opened, 3 people")
        .says("told by HR")
        .says("26 employees acknowledged by JobTicket")
        .says("- 00028 leaves");
    company
        .run(&["audit", "--hold", "2"])
        .exits(0)
        .says("No line");
    // Which file led to a run, and its hash.
    let run = company.events("push_acknowledged").pop().unwrap()["run"]
        .as_str()
        .unwrap()
        .to_owned();
    let pulled = company.events("source_pulled").pop().unwrap();
    let sha256 = pulled["sha256"].as_str().unwrap();
    let ran = company.run(&["audit", "--run", &run]).exits(0);
    ran.says("roster_20261123.csv").says(sha256);
    // Was the log changed.
    company
        .run(&["audit", "verify"])
        .exits(0)
        .says("Nothing was changed")
        .says("it ends where the store says");
}

#[test]
fn filters_hold_together_and_wrong_ones_are_refused() {
    let scene = story();
    let company = &scene.company;
    let user = company.events("decision")[0]["user"]
        .as_str()
        .unwrap()
        .to_owned();
    company
        .run(&["audit", "--kind", "decision", "--actor", &user])
        .exits(0)
        .says("approve hold 1")
        .says("1 line\n");
    company
        .run(&["audit", "--kind", "decision", "--actor", "nobody"])
        .exits(0)
        .says("No line");
    company
        .run(&["audit", "--kind", "leaves", "--hrid", "00010"])
        .exits(0)
        .says("1 line\n");
    company
        .run(&["audit", "--kind", "changes", "--integration", "acme"])
        .exits(0)
        .says("~ 00008 lastName");
    company
        .run(&["audit", "--kind", "plan", "--integration", "other"])
        .exits(0)
        .says("No line");
    company
        .run(&[
            "audit",
            "--since",
            "2026-11-23T05:00:00Z",
            "--until",
            "2026-11-23",
            "--kind",
            "plan",
        ])
        .exits(0)
        .says("plan: 30 employees");
    company
        .run(&["audit", "--since", "2026-11-24"])
        .exits(0)
        .says("No line");
    company
        .run(&["audit", "--since", "yesterday"])
        .exits(2)
        .says("write a day as in 2026-10-31");
    company
        .run(&["audit", "--kind", "fired"])
        .exits(2)
        .says("offboarded, onboarded");
    company.run(&["audit", "--hrid", "1", "verify"]).exits(2);
}

#[test]
fn lines_come_as_they_are_and_as_a_table_that_no_spreadsheet_calculates() {
    let scene = story();
    let company = &scene.company;
    let lines = company.run(&["audit", "--format", "jsonl"]).exits(0);
    assert_eq!(lines.stdout, company.audit_text());
    let document = as_json(company, &["audit", "--kind", "decision"]);
    assert_eq!(
        (
            document["lines"][0]["decision"].as_str(),
            document["exitCode"].as_u64()
        ),
        (Some("approve"), Some(0))
    );
    assert_eq!(
        as_json(company, &["audit", "--kind", "drift"])["lines"],
        serde_json::json!([])
    );
    let table = company
        .run(&["audit", "--format", "csv", "--kind", "offboarded"])
        .exits(0);
    assert!(
        table
            .stdout
            .split('\n')
            .all(|line| line.is_empty() || line.ends_with('\r'))
    );
    tells_nothing_personal(&table);
    let mut reader = csv::Reader::from_reader(table.stdout.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let cell = |name: &str| &rows[0][header.iter().position(|column| column == name).unwrap()];
    assert_eq!(
        (cell("hrIds"), cell("kind"), cell("event")),
        ("00005", "leaves", "change")
    );
    assert!(
        cell("text").starts_with("'- 00005 leaves"),
        "{}",
        cell("text")
    );
    assert!(
        rows.iter()
            .flatten()
            .all(|cell| !cell.starts_with(['=', '+', '-', '@']))
    );
}

#[test]
fn it_reads_beside_a_run_that_has_the_lock() {
    let scene = story();
    let company = &scene.company;
    let pause = Pause::at(company, "planned");
    let (name, value) = pause.variable();
    let mut run = company
        .command(&["--run-now", "--resync"])
        .env(name, value)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    pause.is_reached();
    company
        .run(&["audit", "verify"])
        .exits(0)
        .says("Nothing was changed");
    company
        .run(&["audit", "--kind", "run_started"])
        .exits(0)
        .says("5 lines");
    pause.is_over();
    assert!(run.wait().unwrap().success());
}

/// Changes the lines of the current file.
fn edit(company: &Company, change: impl FnOnce(&mut Vec<String>)) {
    let path = company.path("state/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_changed_log_is_told_with_file_and_line_and_exit_code() {
    let scene = story();
    let company = &scene.company;
    let whole = company.audit_text();
    let restore = || fs::write(company.path("state/audit.jsonl"), &whole).unwrap();
    edit(company, |lines| lines[6] = lines[6].replace("acme", "acne"));
    company
        .run(&["audit", "verify"])
        .exits(1)
        .says("CHANGED in audit.jsonl, line 8 of the file: line 7 was changed");
    let found = as_json(company, &["audit", "verify"]);
    assert_eq!(
        (&found["intact"], &found["verified"]["breaks"][0]["kind"]),
        (&false.into(), &"changed".into())
    );
    restore();
    edit(company, |lines| drop(lines.remove(6)));
    company
        .run(&["audit", "verify"])
        .exits(1)
        .says("line 7 is missing");
    restore();
    // As logrotate would do it.
    fs::rename(
        company.path("state/audit.jsonl"),
        company.path("state/audit.jsonl.1"),
    )
    .unwrap();
    fs::write(company.path("state/audit.jsonl"), "").unwrap();
    company
        .run(&["audit", "verify"])
        .exits(1)
        .says("the end was cut off")
        .says("none of it: audit.jsonl.1");
    fs::remove_file(company.path("state/audit.jsonl.1")).unwrap();
    restore();
    edit(company, |lines| lines.truncate(6));
    company
        .run(&["audit", "verify"])
        .exits(1)
        .says("the end was cut off");
    restore();
    company.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_log_that_was_cut_together_with_its_store_shows_by_a_head_that_somebody_kept() {
    let scene = Scene::new();
    let company = &scene.company;
    let copies = [("state/state.db", "db"), ("state/audit.jsonl", "log")];
    for (from, to) in copies {
        fs::copy(company.path(from), company.path(to)).unwrap();
    }
    scene.recovers("20261121");
    let status = as_json(company, &["status"]);
    let (seq, hash) = (
        status["audit"]["seq"].as_u64().unwrap(),
        status["audit"]["hash"].as_str().unwrap(),
    );
    let head = format!("{seq}:{hash}");
    company.run(&["status"]).says(&head);
    company
        .run(&["audit", "verify", "--head", &head])
        .exits(0)
        .says("holds the lines whose heads were given");
    for (to, from) in copies {
        fs::copy(company.path(from), company.path(to)).unwrap();
    }
    for name in ["state/state.db-wal", "state/state.db-shm"] {
        let _ = fs::remove_file(company.path(name));
    }
    company.run(&["audit", "verify"]).exits(0);
    company
        .run(&["audit", "verify", "--head", &head])
        .exits(1)
        .says("the log was cut, or cut together with the store");
    company
        .run(&["audit", "verify", "--head", "12"])
        .exits(2)
        .says("a head is NUMBER:HASH");
}

#[test]
fn the_last_lines_are_followed_over_a_rotation() {
    let mut scene = Scene::new();
    let last = scene.company.audit().pop().unwrap()["seq"]
        .as_u64()
        .unwrap();
    scene
        .company
        .run(&["audit", "tail", "-n", "2", "--format", "jsonl"])
        .exits(0)
        .says(&format!("{{\"seq\":{last},"));
    let mut tail = scene
        .company
        .command(&["audit", "tail", "-f", "-n", "1", "--format", "jsonl"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["seq"].as_u64().unwrap()
    };
    assert_eq!(next(), last);
    scene.recovers("20261121");
    scene.days_pass(10);
    scene.recovers("20261122");
    let end = scene.company.audit().pop().unwrap()["seq"]
        .as_u64()
        .unwrap();
    let followed: Vec<u64> = (last + 1..=end).map(|_| next()).collect();
    assert_eq!(followed, (last + 1..=end).collect::<Vec<_>>());
    tail.kill().unwrap();
    tail.wait().unwrap();
}
