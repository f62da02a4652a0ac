//! What `check` says of integrations with a source that is asked over HTTP: one page, what it has, and which fields come out of it. Every value is masked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Checked;
use crate::audit::mask;
use crate::clock::Clock;
use crate::config::{Config, Integration, Source, SourceType, Way};
use crate::exit::Exit;
use crate::roster::{Field, REQUIRED};
use crate::source::rest::{Sample, SampleField, SampleValue, sample};
use crate::source::{self, Ask, RuleCount, chain};

/// Whether an integration has a source that is asked over HTTP.
pub(super) fn has_rest(integration: &Integration) -> bool {
    let mut sources = integration.sources.iter();
    sources.any(|source| source.kind == SourceType::Rest)
}

/// Looks at the sources of an integration; `record` is the number of one to be shown.
pub(super) async fn look(
    config: &Config,
    integration: &Integration,
    clock: &Clock,
    record: Option<u64>,
    found: &mut Checked,
) {
    for one in &integration.sources {
        if one.kind != SourceType::Rest {
            if record.is_none() {
                files(config, integration, one, clock, found);
            }
            continue;
        }
        match sampled(config, one, clock, record).await {
            Err(error) => {
                found.wrong(Exit::SourceFailed, format!("source {}: {error}", one.name));
            }
            Ok(sample) => match record {
                Some(number) => show(one, &sample, number, found),
                None => tell(one, &sample, found),
            },
        }
    }
    if record.is_none() {
        found.facts.push(
            "a run now: not told, for a list is not read to its end here, and its exit code may be another; see --run-now --dry-run"
                .to_owned(),
        );
    }
}

async fn sampled(
    config: &Config,
    one: &Source,
    clock: &Clock,
    record: Option<u64>,
) -> Result<Sample, String> {
    let (one, clock, zone) = (one.clone(), clock.clone(), config.timezone);
    let private = config.state_dir.clone();
    let task = tokio::task::spawn_blocking(move || {
        let stopping: Arc<AtomicBool> = Arc::default();
        let ask = Ask {
            last: None,
            same_rules: false,
            filled: &std::collections::HashSet::new(),
            now: clock.now(),
            zone,
            schedule: None,
            private: &private,
            stopping: &stopping,
            clock: &clock,
        };
        sample(&one, &ask, record).map_err(|error| chain(&error))
    });
    task.await.unwrap_or_else(|_| {
        Err("An internal error happened while this source was read; please report the line about it on stderr".to_owned())
    })
}

/// A source with files beside one that is asked over HTTP.
fn files(
    config: &Config,
    integration: &Integration,
    one: &Source,
    clock: &Clock,
    found: &mut Checked,
) {
    let (name, schedule) = (&one.name, config.schedule(integration));
    let look = || source::look(one, None, clock.now(), config.timezone, schedule.as_ref());
    match tokio::task::block_in_place(look) {
        Ok(Some(files)) => {
            let verb = if files.absences.is_some() {
                "are"
            } else {
                "is"
            };
            let names = files.names();
            found
                .facts
                .push(format!("source {name}: {names} {verb} there to be read"));
        }
        Ok(None) if one.kind == SourceType::Sftp => {
            found
                .facts
                .push(format!("source {name}: its server was not asked"));
        }
        Ok(None) => found
            .warnings
            .push(format!("source {name}: no file is there to be read")),
        Err(error) => found.wrong(
            Exit::SourceFailed,
            format!("source {name}: {}", chain(&error)),
        ),
    }
}

fn tell(one: &Source, sample: &Sample, found: &mut Checked) {
    let Sample {
        request,
        records,
        selected,
        ..
    } = sample;
    let name = &one.name;
    let all = match (sample.total, sample.goes_on) {
        (Some(total), _) => format!(" of {total}"),
        (None, true) => ", and more pages follow".to_owned(),
        (None, false) if sample.incomplete.is_some() => String::new(),
        (None, false) => ", and no more follow".to_owned(),
    };
    found.facts.push(format!(
        "source {name}: {request}, first page: {records} records{all}; {selected} of the page are selected"
    ));
    if let Some(error) = &sample.incomplete {
        found.wrong(Exit::SourceFailed, format!("source {name}: {error}"));
    }
    if *records == 0 {
        found.wrong(
            Exit::SourceFailed,
            format!("source {name}: the list is empty, and an empty roster is always refused"),
        );
        return;
    }
    for RuleCount { rule, rows, filled } in &sample.rules {
        let line = format!("source {name}: {rule} matches {rows} of {records} records");
        if *filled == 0 {
            found.warnings.push(format!(
                "{line}, for none of them has anything there; correct the path, or have the right to read it given"
            ));
        } else {
            found.facts.push(line);
        }
    }
    for (list, records, matched) in &sample.joined {
        let line = format!(
            "source {name}: list {list}: {records} records on its first page, which belong to {matched} of this page's people"
        );
        if *matched == 0 {
            found.warnings.push(format!(
                "{line}; correct on, if that stays so for the whole list"
            ));
        } else {
            found.facts.push(line);
        }
    }
    let ends_unproven = one.rest.as_ref().is_some_and(|rest| {
        let is_believed = matches!(
            rest.paging.way,
            Way::None
                | Way::Cursor {
                    absent_is_end: true,
                    ..
                }
                | Way::Next {
                    absent_is_end: true,
                    ..
                }
                | Way::Link {
                    absent_is_end: true,
                    ..
                }
        );
        is_believed && rest.paging.total.is_none() && rest.min_rows <= 1
    });
    if ends_unproven && !sample.goes_on && sample.incomplete.is_none() {
        found.warnings.push(format!(
            "source {name}: nothing in the answer proves that these {records} are all; compare with the HR system, and write min_rows a little below that, or configure its paging or a total"
        ));
    }
    if *selected == 0 {
        let why = if one.include.is_empty() && one.exclude.is_empty() {
            let paths = source::columns_of(one, Field::HrId);
            format!("no record of this page has an hrId ({paths}); correct the path")
        } else {
            "the include and exclude rules, or hrIds that are missing, leave nobody of this page; correct these".to_owned()
        };
        found.wrong(Exit::SourceFailed, format!("source {name}: {why}"));
        return;
    }
    for field in &sample.fields {
        told(name, field, *selected, found);
    }
}

fn told(name: &str, one: &SampleField, selected: usize, found: &mut Checked) {
    let SampleField {
        field,
        paths,
        filled,
        wrong,
        ..
    } = one;
    if paths.is_empty() {
        found
            .facts
            .push(format!("source {name}: {field} is not configured"));
        return;
    }
    let example = match (field, &one.example) {
        (Field::HrId, Some(value)) => format!(", such as {}", cut(value)),
        (Field::AutoSyncEmployee | Field::Absences, _) | (_, None) => String::new(),
        (_, Some(value)) => format!(", such as {}", mask(*field, value)),
    };
    let line =
        format!("source {name}: {field} is filled in {filled} of {selected}{example} ({paths})");
    if *filled == 0 && *wrong == 0 && REQUIRED.contains(field) {
        found.wrong(
            Exit::SourceFailed,
            format!("{line}; correct the path, or have the right to read it given"),
        );
    } else if *filled == 0 && *wrong == 0 && *field == Field::TerminationDate {
        found.warnings.push(format!(
            "{line}; where nobody's last day shows, people who have left look like staff: make sure that the path and the right to read it are in order"
        ));
    } else if *filled == 0 && *wrong == 0 && matches!(field, Field::DateOfBirth | Field::StartDate)
    {
        found.warnings.push(line);
    } else {
        found.facts.push(line);
    }
    if let Some(why) = one.why {
        found.warnings.push(format!(
            "source {name}: {field} of {wrong} records {}",
            why.words()
        ));
    }
}

fn show(one: &Source, sample: &Sample, number: u64, found: &mut Checked) {
    let name = &one.name;
    let Some(record) = &sample.record else {
        let records = sample.records;
        return found.wrong(
            Exit::Configuration,
            format!("source {name}: there is no record {number}; the first page has {records}"),
        );
    };
    found.facts.push(format!(
        "source {name}: record {number} of {}, with masked values:",
        sample.request
    ));
    for (path, value) in record {
        found
            .facts
            .push(format!("  {path}: {}", masked(path, value)));
    }
    found.facts.push(format!(
        "source {name}: what the answer has beside its records, for paging:"
    ));
    for (path, value) in &sample.around {
        found
            .facts
            .push(format!("  {path}: {}", masked(path, value)));
    }
}

fn masked(path: &str, value: &SampleValue) -> String {
    match value {
        SampleValue::Empty => "empty".to_owned(),
        SampleValue::Truth(_) => "true or false".to_owned(),
        SampleValue::Number(number) => format!("a number, {} characters", number.chars().count()),
        SampleValue::Other(what) => (*what).to_owned(),
        SampleValue::Text(text) => {
            let is_name = |text: &str| {
                let mut bytes = text.bytes();
                bytes.all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9'))
            };
            // What a filter such as [universal_id=date_of_birth] goes by is a word of the system, and no person's.
            let of_system = path
                .rsplit('.')
                .next()
                .is_some_and(|key| matches!(key, "universal_id" | "type"));
            if of_system && is_name(text) {
                return text.clone();
            }
            let is_date = text.len() >= 10
                && text.is_char_boundary(10)
                && text[..10].parse::<chrono::NaiveDate>().is_ok();
            if is_date {
                return format!(
                    "{} (a date, {} characters)",
                    mask(Field::StartDate, text),
                    text.chars().count()
                );
            }
            if text.contains('@') {
                return mask(Field::Email, text);
            }
            cut(text)
        }
    }
}

/// The first letter, and how long the text is.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    let word = if count == 1 {
        "character"
    } else {
        "characters"
    };
    match text.chars().next() {
        Some(first) if count > 2 && !first.is_control() => format!("{first}… ({count} {word})"),
        _ => format!("… ({count} {word})"),
    }
}
