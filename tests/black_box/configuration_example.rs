//! The example that everybody begins with: it is accepted as it is, and so is every key that it shows as a comment.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Company, NOW, Ran, ran};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with the shipped example files, and `config` as their configuration.
fn shipped(config: &str) -> Company {
    let company = Company::new();
    for folder in ["examples/drop", "examples/next"] {
        fs::create_dir_all(company.path(folder)).unwrap();
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), company.path(folder).join(entry.file_name())).unwrap();
        }
    }
    fs::write(company.path("config.example.yaml"), config).unwrap();
    company
}

fn example() -> String {
    fs::read_to_string(Path::new(ROOT).join("config.example.yaml")).unwrap()
}

fn run(company: &Company, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobticket-sync"));
    command
        .env_clear()
        .env("JOBTICKET_SYNC_TEST_NOW", NOW)
        .env("JOBTICKET_API_KEY_ID", "invented")
        .arg("--config")
        .arg(company.path("config.example.yaml"))
        .args(arguments);
    ran(&mut command)
}

#[test]
fn the_shipped_example_is_in_order_and_runs_as_it_is() {
    let company = shipped(&example());
    run(&company, &["check", "--offline"])
        .exits(0)
        .says("In order");
    run(&company, &["check"]).exits(0).says("In order");
    run(&company, &["--run-now"]).exits(0).says("Pushed");
    run(&company, &["--run-now"])
        .exits(0)
        .says("Nothing changed");
    let next = company.path("examples/next/roster_20260202.csv");
    fs::copy(next, company.path("examples/drop/roster_20260202.csv")).unwrap();
    let ran = run(&company, &["--run-now"]).exits(0);
    ran.says("joiners: 1   leavers: 1   changed: 1");
}

/// Whether a comment is a key of the configuration that somebody may switch on: `key: value`, or the head of a block. A sentence after the colon explains a word.
fn is_key(comment: &str) -> bool {
    let Some((key, value)) = comment.trim_start().split_once(':') else {
        return false;
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_value = value.is_empty() || value.starts_with(' ');
    let value = value.trim();
    let is_plain = !value.contains(' ') || value.starts_with(['{', '[', '"']);
    key.starts_with(char::is_lowercase) && key.chars().all(is_word) && is_value && is_plain
}

/// Where each commented key stands: its line and those of the block below it.
fn commented_keys(lines: &[&str]) -> Vec<std::ops::Range<usize>> {
    let comment = |line: &str| {
        let line = line.trim_start();
        line.strip_prefix("# ").map(str::to_owned)
    };
    let depth = |text: &str| text.len() - text.trim_start().len();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(text) = comment(lines[at]).filter(|text| depth(text) == 0 && is_key(text)) else {
            at += 1;
            continue;
        };
        let below = lines[at + 1..].iter();
        let block = below.take_while(|line| {
            text.ends_with(':') && comment(line).is_some_and(|text| depth(&text) > 0)
        });
        let end = at + 1 + block.count();
        found.push(at..end);
        at = end;
    }
    found
}

/// The example with these lines switched on.
fn uncommented(lines: &[&str], keys: &std::ops::Range<usize>) -> String {
    let line = |(index, line): (usize, &&str)| {
        if keys.contains(&index) {
            format!("{}\n", line.replacen("# ", "", 1))
        } else {
            format!("{line}\n")
        }
    };
    lines.iter().enumerate().map(line).collect()
}

#[test]
fn every_key_that_the_example_shows_as_a_comment_is_valid() {
    let example = example();
    let lines: Vec<&str> = example.lines().collect();
    let keys = commented_keys(&lines);
    let mut names = Vec::new();
    for key in &keys {
        let name = lines[key.start].trim_start().trim_start_matches("# ");
        let name = name.split(':').next().unwrap();
        names.push(name);
        let mut text = uncommented(&lines, key);
        if name == "base_url" {
            // Another address needs what the sandbox does without.
            text = text
                .replace("environment: sandbox", "api_key_id: {env: JOBTICKET_API_KEY_ID}\n      api_key_secret: {env: JOBTICKET_API_KEY_ID}")
                .replace("max_age_hours: null", "max_age_hours: 36");
        }
        let company = shipped(&text);
        let ran = run(&company, &["check", "--offline"]);
        // The files that the example names are not there, and that is all that may be wrong.
        if ["api_key_secret", "ca_file", "hrid_map"].contains(&name) {
            ran.exits(2).says(name).says("cannot be read");
        } else if name == "decrypt" {
            ran.exits(4).says(name).says("cannot be read");
        } else {
            ran.exits(0).says("In order");
        }
    }
    assert_eq!(
        names,
        [
            "ledger_dir",
            "path",
            "leavers_keep_days",
            "control",
            "http",
            "notify",
            "base_url",
            "api_key_id",
            "api_key_secret",
            "ca_file",
            "decrypt",
            "id_prefix",
            "autoSyncEmployee",
            "absences",
            "timezone",
            "hrid_map",
            "first_push"
        ],
        "the keys that the example shows as comments"
    );
}

#[test]
fn every_value_that_the_example_explains_is_accepted() {
    for (from, to) in [
        ("values: masked", "values: none"),
        ("values: masked", "values: full"),
        ("format: text ", "format: json "),
        ("level: info ", "level: trace "),
        ("{name_date: \"roster_%Y%m%d.csv\"}", "modified"),
        ("ready: rename", "ready: {marker: \"{name}.done\"}"),
        ("ready: rename", "ready: {quiet_seconds: 30}"),
        ("max_age_hours: null", "max_age_hours: 36"),
        ("after: keep", "after: {archive: /path}"),
        ("delimiter: auto ", "delimiter: \";\" "),
        ("delimiter: auto ", "delimiter: tab "),
        ("encoding: auto ", "encoding: utf-8 "),
        ("encoding: auto ", "encoding: windows-1252 "),
        ("encoding: auto ", "encoding: utf-16le "),
        ("encoding: auto ", "encoding: utf-16be "),
        ("trailer: null", "trailer: \"Anzahl Datensätze: {rows}\""),
        ("trailer: null", "trailer: \"T|{rows}\""),
        (
            "rows_in_name: null",
            "rows_in_name: \"report_*_{rows}.csv\"",
        ),
        ("final_newline: required", "final_newline: optional"),
        ("backslash_escapes: false", "backslash_escapes: true"),
        ("holidays: []", "holidays: [2026-12-25, 2026-12-26]"),
        ("give_up_hours: 4", "give_up_hours: 0"),
        ("format: TT.MM.JJJJ}", "format: DD.MM.YYYY}"),
        ("format: TT.MM.JJJJ}", "format: \"%d.%m.%Y\"}"),
        ("format: TT.MM.JJJJ}", "format: [TT.MM.JJJJ, JJJJMMTT]}"),
    ] {
        let example = example();
        assert!(example.contains(from), "the example has no {from}");
        let company = shipped(&example.replace(from, to));
        run(&company, &["check", "--offline"]).exits(0);
    }
}

#[test]
fn the_file_of_absences_that_the_example_shows_is_valid() {
    let example = example();
    let lines: Vec<&str> = example.lines().collect();
    let keys = commented_keys(&lines);
    let absences = keys
        .iter()
        .find(|keys| lines[keys.start].ends_with("# absences:"));
    let text = uncommented(&lines, absences.unwrap());
    let on = text.replace("# file: {pattern", "file: {pattern");
    assert_ne!(on, text, "the example shows no file of absences");
    let company = shipped(&on);
    let ran = run(&company, &["check", "--offline"]);
    ran.exits(0).says("In order");
    let file = company.path("examples/drop/absences_20260126.csv");
    let text =
        "Personalnummer;Abwesenheitsart;Abwesend von;Abwesend bis\n00001;Elternzeit;01.10.2026;\n";
    fs::write(file, text).unwrap();
    let ran = run(&company, &["--run-now"]).exits(0);
    ran.says("absences_20260126.csv").says("Pushed");
}

#[test]
fn the_source_on_a_server_that_the_example_shows_is_valid() {
    let example = example();
    let begin = example.find("      # - name: payroll").unwrap();
    let (before, after) = example.split_at(begin);
    let block = after.lines().take_while(|line| line.starts_with("      #"));
    let block: String = block
        .map(|line| format!("{}\n", line.replacen("# ", "", 1)))
        .collect();
    let rest: Vec<&str> = after
        .lines()
        .skip_while(|line| line.starts_with("      #"))
        .collect();
    let company = shipped(&format!("{before}{block}{}\n", rest.join("\n")));
    let ran = run(&company, &["check", "--offline"]).exits(4);
    // Its key is not there, and that is all that is wrong.
    ran.says("source payroll: ")
        .says("/etc/jobticket-sync/payroll_key cannot be read");
}
