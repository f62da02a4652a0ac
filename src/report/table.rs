//! The report as one table, a line for each thing that happened.
//!
//! Times are local ones with their distance from UTC, as in the table of `audit`. Spreadsheets take a cell that begins with certain characters for a formula; such a cell gets an apostrophe in front.

use chrono::{DateTime, SecondsFormat, Utc};

use super::acts::value;
use super::facts::{Gathered, One, Settings};
use super::words::exit;
use crate::zone::Zone;

const HEADER: [&str; 9] = [
    "time",
    "integration",
    "environment",
    "what",
    "run",
    "subject",
    "number",
    "who",
    "text",
];

/// A cell that no spreadsheet calculates.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

type Line = (DateTime<Utc>, [String; 6]);

fn local(at: DateTime<Utc>, zone: Zone) -> String {
    let at = at.with_timezone(&zone);
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}

pub(super) fn render(gathered: &Gathered, zone: Zone) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let written = "a table in memory can be written";
    table.write_record(HEADER).expect(written);
    let mut write = |name: &str, environment: &str, lines: Vec<Line>| {
        for (at, cells) in lines {
            let mut record = vec![local(at, zone), cell(name), cell(environment)];
            record.extend(cells.iter().map(|text| cell(text)));
            table.write_record(record).expect(written);
        }
    };
    for one in &gathered.integrations {
        write(
            &one.name,
            &one.place.environment,
            lines(one, gathered.since),
        );
    }
    write("", "", of_all(gathered, zone));
    table.into_inner().expect(written)
}

/// What happened to the whole installation.
fn of_all(gathered: &Gathered, zone: Zone) -> Vec<Line> {
    let line = |at, what: &str, subject: &str, number: String, who: &str, text: String| {
        let [what, subject, who] = [what, subject, who].map(str::to_owned);
        (at, [what, String::new(), subject, number, who, text])
    };
    let changes = |settings: &Settings| -> Vec<Line> {
        let (at, who) = (settings.at, settings.user.as_str());
        if settings.is_first() {
            let number = settings.changes.len().to_string();
            let text = "all keys, for the first time".to_owned();
            return vec![line(at, "configuration", "", number, who, text)];
        }
        let one = |change: &crate::config::KeyChange| {
            let old = value(&change.key, change.old.as_deref());
            let new = value(&change.key, change.new.as_deref());
            let loosened = if change.loosened { " (loosened)" } else { "" };
            let text = format!("{old} -> {new}{loosened}");
            line(at, "configuration", &change.key, String::new(), who, text)
        };
        settings.changes.iter().map(one).collect()
    };
    let mut lines: Vec<Line> = gathered.settings.iter().flat_map(changes).collect();
    for restored in &gathered.restored {
        let made = restored
            .made
            .map(|made| format!("backup of {}", local(made, zone)));
        lines.push(line(
            restored.at,
            "restored",
            &restored.file,
            String::new(),
            &restored.user,
            made.unwrap_or_default(),
        ));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines
}

fn who(user: &str, on_behalf_of: Option<&str>) -> String {
    match on_behalf_of {
        Some(name) => format!("{user} on behalf of {name}"),
        None => user.to_owned(),
    }
}

/// What happened to one integration, oldest first: what, run, subject, number, who, text.
fn lines(one: &One, since: DateTime<Utc>) -> Vec<Line> {
    let mut lines = Vec::new();
    people(one, since, &mut lines);
    acts(one, &mut lines);
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// Runs, and the people whom they moved.
fn people(one: &One, since: DateTime<Utc>, lines: &mut Vec<Line>) {
    let mut say = |at, what: &str, rest: [String; 5]| {
        let [run, subject, number, who, text] = rest;
        lines.push((at, [what.to_owned(), run, subject, number, who, text]));
    };
    let none = String::new;
    for run in &one.runs {
        let seconds = format!("{:.3}", run.seconds);
        let text = format!(
            "{}, exit code {} ({}), {} requests",
            run.outcome,
            run.exit_code,
            exit(run.exit_code).0,
            run.requests
        );
        say(
            run.started,
            "run",
            [run.id.clone(), run.trigger.clone(), seconds, none(), text],
        );
    }
    if let Some(people) = one.before {
        let text = "as the last push before this time".to_owned();
        let people = people.to_string();
        say(since, "headcount", [none(), none(), people, none(), text]);
    }
    for (at, employees) in &one.headcount {
        say(
            *at,
            "headcount",
            [none(), none(), employees.to_string(), none(), none()],
        );
    }
    for (at, hr_id) in &one.joined {
        say(
            *at,
            "joined",
            [none(), hr_id.clone(), none(), none(), none()],
        );
    }
    for left in &one.left {
        let approved = left.hold.map_or_else(none, |hold| format!("hold {hold}"));
        let mut text = left.why.to_string();
        if !left.name.is_empty() {
            text = format!("{text}; {}", left.name);
        }
        say(
            left.at,
            "left",
            [left.run.clone(), left.hr_id.clone(), none(), approved, text],
        );
    }
}

/// Holds and what people did about them, drift, and sources.
fn acts(one: &One, lines: &mut Vec<Line>) {
    let mut say = |at, what: &str, rest: [String; 5]| {
        let [run, subject, number, who, text] = rest;
        lines.push((at, [what.to_owned(), run, subject, number, who, text]));
    };
    let none = String::new;
    for hold in &one.holds {
        let subject = format!("hold {}", hold.id);
        let text = format!("{}: {}", hold.kind, hold.why.join("; "));
        say(
            hold.at,
            "hold",
            [none(), subject, hold.people.to_string(), none(), text],
        );
    }
    for decided in &one.decisions {
        let subject = decided
            .hold
            .map_or_else(none, |hold| format!("hold {hold}"));
        let who = who(&decided.user, decided.on_behalf_of.as_deref());
        let mut text = format!("{}: {}", decided.what, decided.reason);
        for (word, people) in [("", &decided.hr_ids), ("except ", &decided.except)] {
            if !people.is_empty() {
                text = format!("{text}; {word}{}", people.join(" "));
            }
        }
        if let Some(until) = &decided.until {
            text = format!("{text}; until {until}");
        }
        let people = decided.hr_ids.len().to_string();
        say(decided.at, "decision", [none(), subject, people, who, text]);
    }
    for forgotten in &one.forgotten {
        let who = who(&forgotten.user, forgotten.on_behalf_of.as_deref());
        let (people, number) = (forgotten.hr_ids.join(" "), forgotten.hr_ids.len());
        say(
            forgotten.at,
            "forgotten",
            [
                none(),
                people,
                number.to_string(),
                who,
                forgotten.reason.clone(),
            ],
        );
    }
    for drift in &one.drifts {
        let what = if drift.lost { "tickets lost" } else { "drift" };
        say(
            drift.at,
            what,
            [
                none(),
                drift.sync_id.clone(),
                drift.people.to_string(),
                none(),
                none(),
            ],
        );
    }
    for (name, source) in &one.sources {
        let Some(at) = source.pulled else { continue };
        let text = format!(
            "{}; {} pulls, {} failures",
            source.file, source.pulls, source.failures
        );
        say(
            at,
            "source",
            [none(), name.clone(), source.rows.to_string(), none(), text],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        for text in ["=1+1", "+49", "-2", "@SUM(A1)", "\t=1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("00123"), "00123");
    }
}
