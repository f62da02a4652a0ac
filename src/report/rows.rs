//! The tables of the page that stand behind no plot: outcomes, holds, people, sources, drift, the rate limit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::acts::who;
use super::facts::{Decided, One};
use super::plot::float;
use super::words::{Labels, Words};

/// Rows of texts, with the words of their columns.
#[derive(Debug, Default, Serialize)]
pub(super) struct Table {
    caption: String,
    columns: Vec<&'static str>,
    /// Which columns are numbers, from the left.
    numbers: Vec<bool>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(caption: &str, columns: &[(&'static str, bool)]) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.iter().map(|(name, _)| *name).collect(),
            numbers: columns.iter().map(|(_, number)| *number).collect(),
            rows: Vec::new(),
        }
    }

    /// A further column of numbers, with a cell for each row.
    pub(super) fn add_numbers(
        &mut self,
        name: &'static str,
        cells: impl IntoIterator<Item = String>,
    ) {
        self.columns.push(name);
        self.numbers.push(true);
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }
}

pub(super) fn outcomes(words: Words, labels: &Labels, one: &One) -> Table {
    let mut counts: BTreeMap<(u64, &str), u32> = BTreeMap::new();
    for run in &one.runs {
        *counts.entry((run.exit_code, &run.outcome)).or_default() += 1;
    }
    let columns = [
        (labels.exit_code, true),
        (labels.meaning, false),
        (labels.outcome, false),
        (labels.number, true),
    ];
    let mut table = Table::new(labels.outcome, &columns);
    let rows = counts.into_iter().map(|((code, outcome), number)| {
        vec![
            code.to_string(),
            words.exit(code).to_owned(),
            words.outcome(outcome),
            words.number(number.into()),
        ]
    });
    table.rows = rows.collect();
    table
}

fn told(words: Words, decided: &Decided) -> String {
    let who = who(words, &decided.user, decided.on_behalf_of.as_deref());
    let (what, at) = (words.decision(&decided.what), words.when(decided.at));
    format!("{what}, {at}, {who}")
}

pub(super) fn holds(words: Words, labels: &Labels, one: &One) -> Table {
    let columns = [
        (labels.hold, true),
        (labels.opened, false),
        (labels.kind, false),
        (labels.people, true),
        (labels.why, false),
        (labels.decided, false),
    ];
    let mut table = Table::new(labels.holds, &columns);
    for hold in &one.holds {
        let decisions = one.decisions.iter().filter(|one| one.hold == Some(hold.id));
        let mut decisions: Vec<String> = decisions.map(|one| told(words, one)).collect();
        if decisions.is_empty() {
            decisions.push(labels.undecided.to_owned());
        }
        let mut kind = words.kind(&hold.kind);
        if hold.whole_plan {
            kind = format!("{kind} ({})", labels.whole_plan);
        }
        table.rows.push(vec![
            hold.id.to_string(),
            words.when(hold.at),
            kind,
            words.number(float(hold.people.cast_signed())),
            hold.why.join("; "),
            decisions.join(" · "),
        ]);
    }
    table
}

pub(super) fn left(words: Words, labels: &Labels, one: &One) -> Table {
    let names = one.left.iter().any(|left| !left.name.is_empty());
    let mut columns = vec![(labels.when, false), (labels.hr_id, false)];
    if names {
        columns.push((labels.name, false));
    }
    columns.extend([(labels.grounds, false), (labels.approved_by, true)]);
    let mut table = Table::new(labels.offboarded, &columns);
    for left in &one.left {
        let mut row = vec![words.when(left.at), left.hr_id.clone()];
        if names {
            row.push(left.name.clone());
        }
        row.push(words.leaving(&left.why));
        row.push(
            left.hold
                .map_or_else(|| "–".to_owned(), |hold| hold.to_string()),
        );
        table.rows.push(row);
    }
    table
}

pub(super) fn sources(words: Words, labels: &Labels, one: &One, now: DateTime<Utc>) -> Table {
    let columns = [
        (labels.source, false),
        (labels.file, false),
        (labels.age, true),
        (labels.rows, true),
        (labels.selected, true),
        (labels.pulls, true),
        (labels.failures, true),
        (labels.state, false),
    ];
    let mut table = Table::new(labels.sources, &columns);
    for (name, source) in &one.sources {
        let age = source.modified.map_or_else(
            || "–".to_owned(),
            |at| words.number(float((now - at).num_hours())),
        );
        let number = |number: u64| words.number(float(number.cast_signed()));
        table.rows.push(vec![
            name.clone(),
            source.file.clone(),
            age,
            number(source.rows),
            number(source.selected),
            source.pulls.to_string(),
            source.failures.to_string(),
            source
                .last_error
                .clone()
                .unwrap_or_else(|| words.say("in order", "in Ordnung").to_owned()),
        ]);
    }
    table
}

pub(super) fn drift(words: Words, labels: &Labels, one: &One) -> Table {
    let columns = [
        (labels.when, false),
        (labels.kind, false),
        (labels.sync, false),
        (labels.differing, true),
    ];
    let mut table = Table::new(labels.drift, &columns);
    for drift in &one.drifts {
        let kind = if drift.lost {
            labels.lost
        } else {
            labels.differs
        };
        table.rows.push(vec![
            words.when(drift.at),
            kind.to_owned(),
            drift.sync_id.clone(),
            drift.people.to_string(),
        ]);
    }
    table
}

pub(super) fn rate(words: Words, labels: &Labels, one: &One) -> Table {
    let all: u64 = one.runs.iter().map(|run| run.requests).sum();
    let most = one.runs.iter().map(|run| run.requests).max().unwrap_or(0);
    let requests = one
        .status
        .as_ref()
        .and_then(|status| status.requests.as_ref());
    let minute = requests.map(|requests| u64::from(requests.last_minute));
    let mut table = Table::new(labels.rate, &[(labels.rate, false), (labels.number, true)]);
    let last_minute = one.status.is_some().then(|| minute.unwrap_or(0));
    for (name, number) in [
        (labels.requests, Some(all)),
        (labels.most_requests, Some(most)),
        (labels.last_minute, last_minute),
        (labels.limit, Some(100)),
    ] {
        let Some(number) = number else { continue };
        let number = words.number(float(number.cast_signed()));
        table.rows.push(vec![name.to_owned(), number]);
    }
    table
}
