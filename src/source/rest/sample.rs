//! A look at the first page, for `check`: what it has and which fields come out of it, so that a mapping can be written without guessing.

use super::join::{self, Joined};
use super::json::{Json, NotText};
use super::list::Record;
use super::{Kind, RestError, columns, in_time, main_list};
use crate::config::{Source, is_plain_key};
use crate::roster::{Employee, Field, Mapped, Wrong};
use crate::source::{Ask, RuleCount, SourceError, columns_of};

/// The first page of a source. It holds personal values, and has no `Debug`.
pub struct Sample {
    /// As messages name the request.
    pub request: String,
    /// Its records.
    pub records: u64,
    /// All records, where the answer tells it.
    pub total: Option<u64>,
    /// Whether more pages follow.
    pub goes_on: bool,
    /// Why the list, or one that is joined to it, would not be taken for complete, as far as first pages show it.
    pub incomplete: Option<RestError>,
    /// How many of its records the rules select.
    pub selected: usize,
    /// The fields, in their order.
    pub fields: Vec<SampleField>,
    /// What the rules match of the page.
    pub rules: Vec<RuleCount>,
    /// The joined lists: name, records of the first page, and to how many people of this page they belong.
    pub joined: Vec<(String, u64, u64)>,
    /// What the answer has beside its records, where a record was asked for.
    pub around: Vec<(String, SampleValue)>,
    /// The paths and values of the record that was asked for.
    pub record: Option<Vec<(String, SampleValue)>>,
}

/// A field of the selected records.
pub struct SampleField {
    /// Which.
    pub field: Field,
    /// Where it is read from; empty where nowhere.
    pub paths: String,
    /// How many records have it.
    pub filled: usize,
    /// How many have something there that makes no sense.
    pub wrong: usize,
    /// What is wrong with the first of these.
    pub why: Option<Wrong>,
    /// The first value, as the audit log would write it.
    pub example: Option<String>,
}

/// A value of a record.
pub enum SampleValue {
    /// Nothing.
    Empty,
    /// True or false.
    Truth(bool),
    /// A number, as text.
    Number(String),
    /// A text.
    Text(String),
    /// Neither: an empty list or object, or a number that is not exact.
    Other(&'static str),
}

/// Looks at the first page of a source; `wanted` is the number of a record on it, from 1. Blocks; needs a thread of tokio's that may block.
///
/// # Errors
/// As a pull has, as far as one page shows them.
pub fn sample(source: &Source, ask: &Ask<'_>, wanted: Option<u64>) -> Result<Sample, SourceError> {
    let rest = source.rest.as_deref().ok_or(RestError::NoSystem)?;
    let today = ask.now.with_timezone(&ask.zone).date_naive();
    let (mapping, paths) = columns(source)?;
    let mut fields: Vec<SampleField> = Field::ALL
        .into_iter()
        .map(|field| SampleField {
            field,
            paths: columns_of(source, field),
            filled: 0,
            wrong: 0,
            why: None,
            example: None,
        })
        .collect();
    let mut rules = rules_of(source);
    let mut selected = 0;
    let mut shown = None;
    let mut row = Vec::new();
    let mut see = |joined: &Joined, record: &Record<'_>| {
        if wanted == Some(record.number) {
            let mut all = Vec::new();
            leaves(record.json, String::new(), &mut all);
            if let Some(key) = record.own {
                all.insert(0, ("@key".to_owned(), SampleValue::Text(key.to_owned())));
            }
            shown = Some(all);
        }
        if wanted.is_some() {
            return Ok(());
        }
        paths.read(record, &joined.tables, ask.zone, &mut row)?;
        let absences = joined.absences.as_ref();
        let absences = absences
            .map(|absences| absences.of(record, ask))
            .transpose()?;
        let cell = |column: usize| row.get(column).map_or("", String::as_str);
        let of_rules = mapping.rules().map(|rule| rule.matches(cell(rule.column)));
        let matched: Vec<bool> = of_rules.collect();
        for ((rule, count), is_match) in mapping.rules().zip(&mut rules).zip(&matched) {
            count.rows += usize::from(*is_match);
            count.filled += usize::from(!cell(rule.column).is_empty());
        }
        if let Mapped::Row(mut mapped) = mapping.map(record.number, cell, &matched, today) {
            selected += 1;
            mapped.employee.edit(|one| {
                one.absences
                    .extend(absences.into_iter().flat_map(|(all, _)| all));
            });
            for one in &mut fields {
                let wrong = mapped.wrong.iter().find(|(field, _)| *field == one.field);
                if let Some((_, why)) = wrong {
                    one.wrong += 1;
                    one.why = one.why.or(Some(*why));
                } else if mapped.employee.is_filled(one.field) {
                    one.filled += 1;
                    if one.example.is_none() {
                        one.example = value(&mapped.employee, one.field);
                    }
                }
            }
        }
        Ok(())
    };
    let done = in_time(rest, ask, async |client| {
        let list = main_list(source, rest, ask);
        let joined = match wanted {
            Some(_) => Joined::default(),
            None => join::read(client, source, &paths, ask, Some(1)).await?,
        };
        let mut done = client
            .list(&list, Some(1), &mut |record| see(&joined, record))
            .await?;
        let lists = paths.lists.iter().zip(&joined.tables).zip(&joined.done);
        let lists = lists.map(|(((name, _), table), (_, done))| {
            (name.clone(), done.records, table.matched.get())
        });
        let lists: Vec<_> = lists.collect();
        let mut of_joined = joined.done.into_iter();
        let incomplete = done.incomplete.take();
        let incomplete = incomplete.or_else(|| of_joined.find_map(|(_, done)| done.incomplete));
        Ok((done, incomplete, lists))
    })?;
    let (mut done, incomplete, joined) = done;
    Ok(Sample {
        request: rest.request.name(),
        records: done.records,
        total: done.total,
        goes_on: done.goes_on,
        incomplete,
        selected,
        fields,
        rules,
        joined,
        around: std::mem::take(&mut done.around),
        record: shown,
    })
}

fn rules_of(source: &Source) -> Vec<RuleCount> {
    let include = source.include.iter().map(|rule| ("include", rule));
    let exclude = source.exclude.iter().map(|rule| ("exclude", rule));
    let rules = include.chain(exclude).map(|(kind, rule)| RuleCount {
        rule: format!("{kind} {}", rule.column),
        rows: 0,
        filled: 0,
    });
    rules.collect()
}

fn value(employee: &Employee, field: Field) -> Option<String> {
    let date = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string());
    match field {
        Field::HrId => Some(employee.hr_id.to_string()),
        Field::FirstName => Some(employee.first_name().to_owned()),
        Field::LastName => Some(employee.last_name().to_owned()),
        Field::Email => Some(employee.email().to_owned()),
        Field::DateOfBirth => date(employee.date_of_birth),
        Field::StartDate => date(employee.start_date),
        Field::TerminationDate => date(employee.termination_date),
        Field::AutoSyncEmployee => employee.auto_sync_employee.map(|yes| yes.to_string()),
        Field::Absences => Some(employee.absences.len().to_string()),
    }
}

/// What an answer has beside lists of records, with the paths that lead to it.
pub(super) fn around(node: &Json<'_>, path: String, all: &mut Vec<(String, SampleValue)>) {
    match node {
        Json::Map(map) if map.len() <= MOST_AROUND => {
            for (key, value) in map {
                around(value, below(&path, key), all);
            }
        }
        Json::Map(_) => all.push((path, SampleValue::Other("an object with many keys"))),
        Json::List(_) => all.push((path, SampleValue::Other("a list"))),
        leaf => leaves(leaf, path, all),
    }
}

/// An object with more keys is one of records by their keys, which may be names.
const MOST_AROUND: usize = 12;

/// A path, one key further.
fn below(path: &str, key: &str) -> String {
    let key = if is_plain_key(key) {
        key.to_owned()
    } else {
        format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{key}")
}

/// Every value of a record with the path that leads to it.
fn leaves(node: &Json<'_>, path: String, all: &mut Vec<(String, SampleValue)>) {
    match node {
        Json::Map(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(value, below(&path, key), all);
            }
        }
        Json::List(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                leaves(value, format!("{path}[{index}]"), all);
            }
        }
        leaf => {
            let value = match (leaf, leaf.text(Kind::Word)) {
                (Json::Bool(truth), _) => SampleValue::Truth(*truth),
                (Json::List(_), _) => SampleValue::Other("an empty list"),
                (Json::Map(_), _) => SampleValue::Other("an empty object"),
                (_, Err(NotText::Inexact)) => SampleValue::Other("a number too large to be exact"),
                (_, Err(_)) => SampleValue::Empty,
                (_, Ok(text)) if text.is_empty() => SampleValue::Empty,
                (Json::Text(_), Ok(text)) => SampleValue::Text(text.into_owned()),
                (_, Ok(text)) => SampleValue::Number(text.into_owned()),
            };
            all.push((path, value));
        }
    }
}
