//! The tables of what people did: decisions with everybody whom they name, who was forgotten, backups that were put in place, and changes of the configuration.

use super::facts::{Gathered, One, Settings};
use super::rows::Table;
use super::words::{Labels, Words};
use crate::config::is_private;

/// Somebody, and for whom they acted.
pub(super) fn who(words: Words, user: &str, on_behalf_of: Option<&str>) -> String {
    match on_behalf_of {
        Some(name) => format!("{user} ({} {name})", words.say("for", "für")),
        None => user.to_owned(),
    }
}

fn people(hr_ids: &[String]) -> String {
    if hr_ids.is_empty() {
        "–".to_owned()
    } else {
        hr_ids.join(", ")
    }
}

/// All decisions, on holds of this span and of before, and on none: keeps, pauses, adoptions.
pub(super) fn decisions(words: Words, labels: &Labels, one: &One) -> Table {
    let has_exceptions = one.decisions.iter().any(|one| !one.except.is_empty());
    let mut columns = vec![
        (labels.when, false),
        (labels.decided, false),
        (labels.hold, true),
        (labels.hr_ids, false),
    ];
    if has_exceptions {
        columns.push((labels.except, false));
    }
    columns.extend([(labels.who, false), (labels.reason, false)]);
    let mut table = Table::new(labels.decisions, &columns);
    for decided in &one.decisions {
        let mut what = words.decision(&decided.what);
        if let Some(until) = &decided.until {
            let day = until
                .parse()
                .map_or_else(|_| until.clone(), |day| words.day(day));
            what = format!("{what} {} {day}", words.say("until", "bis"));
        }
        let hold = decided.hold.map(|hold| hold.to_string());
        let mut row = vec![
            words.when(decided.at),
            what,
            hold.unwrap_or_else(|| "–".to_owned()),
            people(&decided.hr_ids),
        ];
        if has_exceptions {
            row.push(people(&decided.except));
        }
        row.push(who(words, &decided.user, decided.on_behalf_of.as_deref()));
        row.push(decided.reason.clone());
        table.rows.push(row);
    }
    table
}

pub(super) fn forgotten(words: Words, labels: &Labels, one: &One) -> Table {
    let columns = [
        (labels.when, false),
        (labels.hr_ids, false),
        (labels.who, false),
        (labels.reason, false),
    ];
    let mut table = Table::new(labels.forgotten, &columns);
    for forgotten in &one.forgotten {
        table.rows.push(vec![
            words.when(forgotten.at),
            people(&forgotten.hr_ids),
            who(words, &forgotten.user, forgotten.on_behalf_of.as_deref()),
            forgotten.reason.clone(),
        ]);
    }
    table
}

pub(super) fn restored(words: Words, labels: &Labels, gathered: &Gathered) -> Table {
    let columns = [
        (labels.when, false),
        (labels.backup, false),
        (labels.backup_of, false),
        (labels.who, false),
    ];
    let mut table = Table::new(labels.restored, &columns);
    for restored in &gathered.restored {
        let made = restored.made.map(|made| words.when(made));
        table.rows.push(vec![
            words.when(restored.at),
            restored.file.clone(),
            made.unwrap_or_else(|| "–".to_owned()),
            restored.user.clone(),
        ]);
    }
    table
}

/// A value as it may be shown; an older log has some that tell of people.
pub(super) fn value<'v>(key: &str, value: Option<&'v str>) -> &'v str {
    match value {
        Some(value) if is_private(key, value) => "…",
        Some(value) => value,
        None => "–",
    }
}

pub(super) fn settings(words: Words, labels: &Labels, gathered: &Gathered) -> Table {
    let columns = [
        (labels.when, false),
        (labels.who, false),
        (labels.key, false),
        (labels.limit_of, false),
        (labels.old, false),
        (labels.new, false),
    ];
    let mut table = Table::new(labels.settings, &columns);
    for settings in &gathered.settings {
        let begins = [words.when(settings.at), settings.user.clone()];
        if settings.is_first() {
            let rest = [
                first(words, settings),
                String::new(),
                "–".to_owned(),
                "–".to_owned(),
            ];
            table.rows.push(begins.into_iter().chain(rest).collect());
            continue;
        }
        for change in &settings.changes {
            let rest = [
                change.key.clone(),
                if change.loosened { labels.loosened } else { "" }.to_owned(),
                value(&change.key, change.old.as_deref()).to_owned(),
                value(&change.key, change.new.as_deref()).to_owned(),
            ];
            table
                .rows
                .push(begins.clone().into_iter().chain(rest).collect());
        }
    }
    table
}

fn first(words: Words, settings: &Settings) -> String {
    let number = settings.changes.len();
    words.say(
        format!("all {number} keys, for the first time"),
        format!("alle {number} Schlüssel, zum ersten Mal"),
    )
}
