//! What `check` says of the run that would come now, as far as the guard's verdict.

use std::collections::BTreeMap;

use super::Checked;
use crate::audit::AuditFile;
use crate::clock::Clock;
use crate::config::{Config, Integration, Limit};
use crate::exit::Exit;
use crate::plan::Counts;
use crate::source::{self, RuleCount};
use crate::store::{Fact, Store};
use crate::sync::{Context, Ending, RejectedRow, RunReport, forecast, target_of};

/// What a run would say now.
pub(super) async fn ahead(
    config: &Config,
    integration: &Integration,
    store: &Store,
    clock: &Clock,
    found: &mut Checked,
) {
    let audit = AuditFile::of(config);
    let context = Context {
        config,
        store,
        audit: &audit,
        clock,
        user: "",
        stage: &|_| {},
    };
    let report = forecast(&context, integration).await;
    sources(&report, found);
    let target = target_of(integration);
    match store.fact::<BTreeMap<String, String>>(&target, Fact::NotPutAway) {
        Ok(left) => {
            let left = left.unwrap_or_default().into_iter();
            let left = left.map(|(source, why)| format!("source {source}: {why}"));
            found.warnings.extend(left);
        }
        Err(error) => found.wrong(Exit::Unexpected, source::chain(&error)),
    }
    rows(&report, found);
    found.warnings.extend(report.notes.iter().cloned());
    if let Some(people) = report.snapshot {
        found.facts.push(format!("snapshot: {people} employees"));
        limits(integration, people, "", found);
    } else {
        let none = "snapshot: none yet; the limits begin with the push after the first";
        found.facts.push(none.to_owned());
        limits(integration, report.roster, "after the first push: ", found);
    }
    ending(&report, found);
    found.exit_code = found.exit_code.and(report.exit_code);
}

fn sources(report: &RunReport, found: &mut Checked) {
    for source in &report.sources {
        let name = &source.name;
        let note = source.note.clone().unwrap_or_default();
        if source.status == "failed" {
            found.wrong(Exit::SourceFailed, format!("source {name}: {note}"));
            continue;
        }
        let (status, rows, selected) = (&source.status, source.rows, source.selected);
        found.facts.push(match &source.file {
            Some(file) => {
                format!("source {name}: {status}, {file}, {rows} rows, {selected} selected")
            }
            // Nothing was read.
            None => format!("source {name}: {status}, {selected} selected. {note}"),
        });
        if source.file.is_some() && !note.is_empty() {
            found.warnings.push(format!("source {name}: {note}"));
        }
        for RuleCount { rule, rows, .. } in &source.rules {
            let line = format!("source {name}: {rule} matches {rows} rows");
            if *rows == 0 {
                found.warnings.push(line);
            } else {
                found.facts.push(line);
            }
        }
    }
}

fn rows(report: &RunReport, found: &mut Checked) {
    for row in report.rejected.iter().take(20) {
        let RejectedRow {
            source,
            row,
            column,
            reason,
            ..
        } = row;
        found.warnings.push(format!(
            "source {source}: row {row}, column {column}: {reason}"
        ));
    }
    if report.rejected.len() > 20 {
        found.warnings.push(format!(
            "and {} more rows that make no sense",
            report.rejected.len() - 20
        ));
    }
    for row in &report.incomplete {
        found.facts.push(format!(
            "source {}: row {} is of somebody new without {}",
            row.source, row.row, row.field
        ));
    }
}

fn ending(report: &RunReport, found: &mut Checked) {
    let Counts {
        joiners,
        leavers,
        changed,
        ..
    } = report.counts;
    match (&report.ending, report.ending.message()) {
        (Ending::Unchanged, _)
            if report
                .sources
                .iter()
                .any(|source| source.status == "failed") =>
        {
            let nothing = "a run now: nothing to do with the sources that can be read; for the others their last rosters stand in";
            found.facts.push(nothing.to_owned());
        }
        (Ending::Unchanged, _) => found.facts.push("a run now: nothing to do".to_owned()),
        (Ending::WouldPush { .. }, _) if joiners + leavers + changed == 0 => {
            let again = "a run now: would push the unchanged roster again (resync_every_days)";
            found.facts.push(again.to_owned());
        }
        (Ending::WouldPush { .. }, _) => found.facts.push(format!(
            "a run now: would push; joiners: {joiners}, leavers: {leavers}, changed: {changed}"
        )),
        // The sources have said it themselves.
        (Ending::SourceFailed, _) | (_, None) => {}
        (Ending::Held { .. }, Some(message)) => {
            found.warnings.push(format!("a run now: {message}"));
        }
        (_, Some(message)) => found.errors.push(format!("a run now: {message}")),
    }
}

fn limits(integration: &Integration, people: usize, when: &str, found: &mut Checked) {
    let limits = &integration.limits;
    for (limit, who) in [
        (limits.leavers, "unexplained leaver"),
        (limits.explained_leavers, "explained leaver"),
        (limits.joiners, "joiner"),
        (limits.changed, "changed employee"),
    ] {
        let words = in_words(limit, who, people);
        found.facts.push(format!("{when}{words}"));
    }
}

fn in_words(limit: Limit, who: &str, people: usize) -> String {
    let first = limit.allowed(people as u64) + 1;
    format!(
        "held from the {} {who} in one run, of {people} people",
        ordinal(first)
    )
}

fn ordinal(number: u64) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_in_words() {
        let limit = Limit {
            percent: 5.0,
            count: Some(10),
            at_least: 2,
        };
        assert_eq!(
            in_words(limit, "unexplained leaver", 400),
            "held from the 11th unexplained leaver in one run, of 400 people"
        );
        assert_eq!(
            [1, 2, 3, 4, 12, 21, 101].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "12th", "21st", "101st"]
        );
    }
}
