//! The tables of the page that stand behind no plot: outcomes, holds and decisions, people, sources, drift, the rate limit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::gather::One;
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
}

pub(super) fn outcomes(words: Words, labels: &Labels, one: &One) -> Table {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for run in &one.runs {
        *counts.entry(words.outcome(&run.outcome)).or_default() += 1;
    }
    let mut table = Table::new(
        labels.outcome,
        &[(labels.outcome, false), (labels.number, true)],
    );
    let rows = counts
        .into_iter()
        .map(|(outcome, number)| vec![outcome, words.number(number.into())]);
    table.rows = rows.collect();
    table
}

fn told(words: Words, decided: &super::gather::Decided) -> String {
    let who = match &decided.on_behalf_of {
        Some(name) => format!("{} ({} {name})", decided.user, words.say("for", "für")),
        None => decided.user.clone(),
    };
    let (what, at) = (words.decision(&decided.what), words.when(decided.at));
    format!("{at}, {who}: {what} – {}", decided.reason)
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

/// Decisions on no hold of this span: keeps, pauses, adoptions, and those on holds of before.
pub(super) fn decisions(words: Words, labels: &Labels, one: &One) -> Table {
    let columns = [
        (labels.when, false),
        (labels.decided, false),
        (labels.hold, true),
        (labels.people, true),
        (labels.who, false),
        (labels.reason, false),
    ];
    let mut table = Table::new(labels.other_decisions, &columns);
    for decided in &one.decisions {
        let of_hold = one.holds.iter().any(|hold| Some(hold.id) == decided.hold);
        if of_hold {
            continue;
        }
        let who = match &decided.on_behalf_of {
            Some(name) => format!("{} ({} {name})", decided.user, words.say("for", "für")),
            None => decided.user.clone(),
        };
        table.rows.push(vec![
            words.when(decided.at),
            words.decision(&decided.what),
            decided
                .hold
                .map_or_else(|| "–".to_owned(), |hold| hold.to_string()),
            decided.people.to_string(),
            who,
            decided.reason.clone(),
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
    let minute = requests.map_or(0, |requests| requests.last_minute);
    let mut table = Table::new(labels.rate, &[(labels.rate, false), (labels.number, true)]);
    for (name, number) in [
        (labels.requests, all),
        (labels.most_requests, most),
        (labels.last_minute, minute.into()),
        (labels.limit, 100),
    ] {
        let number = words.number(float(number.cast_signed()));
        table.rows.push(vec![name.to_owned(), number]);
    }
    table
}
