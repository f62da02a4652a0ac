//! The report as one table, a line for each thing that happened.
//!
//! Spreadsheets take a cell that begins with certain characters for a formula; such a cell gets an apostrophe in front.

use chrono::{DateTime, SecondsFormat, Utc};

use super::gather::{Gathered, One};

const HEADER: [&str; 8] = [
    "time",
    "integration",
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

pub(super) fn render(gathered: &Gathered) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let written = "a table in memory can be written";
    table.write_record(HEADER).expect(written);
    for one in &gathered.integrations {
        for (at, cells) in lines(one) {
            let time = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let mut record = vec![time, one.name.clone()];
            record.extend(cells.iter().map(|text| cell(text)));
            table.write_record(record).expect(written);
        }
    }
    table.into_inner().expect(written)
}

/// What happened to one integration, oldest first: what, run, subject, number, who, text.
fn lines(one: &One) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut say = |at, what: &str, rest: [String; 5]| {
        let [run, subject, number, who, text] = rest;
        lines.push((at, [what.to_owned(), run, subject, number, who, text]));
    };
    let none = String::new;
    for run in &one.runs {
        let seconds = format!("{:.3}", run.seconds);
        let text = format!(
            "{}, exit code {}, {} requests",
            run.outcome, run.exit_code, run.requests
        );
        say(
            run.started,
            "run",
            [run.id.clone(), run.trigger.clone(), seconds, none(), text],
        );
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
        let mut who = decided.user.clone();
        if let Some(name) = &decided.on_behalf_of {
            who = format!("{who} on behalf of {name}");
        }
        let text = format!("{}: {}", decided.what, decided.reason);
        say(
            decided.at,
            "decision",
            [none(), subject, decided.people.to_string(), who, text],
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
    lines.sort_by_key(|(at, _)| *at);
    lines
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
