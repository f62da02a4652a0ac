//! The paths of a source as the columns of a row.

use std::cell::Cell;
use std::collections::HashMap;

use super::dates::calendar_date;
use super::error::RestError;
use super::json::{Json, walk};
use super::list::Record;
use crate::config::{JsonPath, PathStep};
use crate::source::columns::{Kind, OPEN};
use crate::zone::Zone;

/// Every path that is read, each once for a kind.
#[derive(Debug, Default)]
pub(super) struct Paths {
    columns: Vec<(JsonPath, Kind)>,
    /// For each column, where it is of a joined list: which one, and which column there.
    joined: Vec<Option<(usize, usize)>>,
    /// The joined lists that are read, with the paths in them.
    pub(super) lists: Vec<(String, Paths)>,
}

/// The records of a joined list, reduced to what is read of them.
pub(super) struct Table {
    /// Where the record of a person has what they share.
    pub(super) here: JsonPath,
    /// Cells by that.
    pub(super) rows: HashMap<Box<str>, Vec<Box<str>>>,
    /// How many records of people have found theirs.
    pub(super) matched: Cell<u64>,
}

impl Paths {
    /// The column of a path.
    pub(super) fn column(&mut self, path: &str, kind: Kind) -> Result<usize, RestError> {
        let path: JsonPath = path.parse().map_err(|_| RestError::NoSystem)?;
        Ok(self.add(path, kind))
    }

    fn add(&mut self, path: JsonPath, kind: Kind) -> usize {
        let known = self
            .columns
            .iter()
            .position(|one| *one == (path.clone(), kind));
        if let Some(known) = known {
            return known;
        }
        let joined = path.joined().map(|(name, inner)| {
            let known = self.lists.iter().position(|(list, _)| list == name);
            let list = known.unwrap_or_else(|| {
                self.lists.push((name.to_owned(), Self::default()));
                self.lists.len() - 1
            });
            (list, self.lists[list].1.add(inner, kind))
        });
        self.joined.push(joined);
        self.columns.push((path, kind));
        self.columns.len() - 1
    }

    /// Joins the last days of two records of one person: `new` gets the later.
    pub(super) fn join_last_days(
        &self,
        record: &Record<'_>,
        old: &[Box<str>],
        new: &mut [String],
    ) -> Result<(), RestError> {
        let columns = self.columns.iter().zip(old.iter().zip(new));
        for ((path, kind), (old, new)) in columns {
            if *kind == Kind::LastDay {
                *new = later(vec![old.to_string(), std::mem::take(new)])
                    .ok_or_else(|| several_ends(record, path))?;
            }
        }
        Ok(())
    }

    /// Puts the last days of `new` into the row of a person.
    pub(super) fn keep_last_days(&self, new: &[String], row: &mut [Box<str>]) {
        let columns = self.columns.iter().zip(new.iter().zip(row));
        for ((_, kind), (new, cell)) in columns {
            if *kind == Kind::LastDay {
                *cell = new.as_str().into();
            }
        }
    }

    /// Puts the cells of a record into `cells`; `tables` are those of the joined lists, in their order.
    pub(super) fn read(
        &self,
        record: &Record<'_>,
        tables: &[Table],
        zone: Zone,
        cells: &mut Vec<String>,
    ) -> Result<(), RestError> {
        let mut rows = Vec::with_capacity(tables.len());
        for table in tables {
            let mut key = String::new();
            text(&table.here, Kind::Text, record, zone, &mut key)?;
            let row = table.rows.get(key.as_str());
            table
                .matched
                .set(table.matched.get() + u64::from(row.is_some()));
            rows.push(row);
        }
        cells.resize_with(self.columns.len(), String::new);
        let columns = self.columns.iter().zip(&self.joined);
        for (((path, kind), joined), cell) in columns.zip(cells) {
            cell.clear();
            match joined {
                None => text(path, *kind, record, zone, cell)?,
                Some((list, column)) => {
                    let row = rows.get(*list).copied().flatten();
                    cell.push_str(row.and_then(|row| row.get(*column)).map_or("", |cell| cell));
                }
            }
        }
        Ok(())
    }
}

/// The first text that a path finds in a record and that is not empty.
pub(super) fn text(
    path: &JsonPath,
    kind: Kind,
    record: &Record<'_>,
    zone: Zone,
    into: &mut String,
) -> Result<(), RestError> {
    if path.steps() == [PathStep::OwnKey] {
        into.push_str(record.own.unwrap_or_default().trim());
        return Ok(());
    }
    if kind == Kind::LastDay {
        return last_day(path, record, zone, into);
    }
    let mut wrong = None;
    walk(path.steps(), record.json, None, &mut |node, _| {
        match node.text(kind) {
            Ok(text) if kind == Kind::Date => into.push_str(&calendar_date(text, zone)),
            Ok(text) => into.push_str(&text),
            Err(why) => wrong = Some(why),
        }
        !into.is_empty() || wrong.is_some()
    });
    match wrong {
        None => Ok(()),
        Some(why) => Err(no_text(record, path, &why)),
    }
}

/// The last day at a path. Where it leads to several contracts, one that has none goes on, and otherwise the latest counts: the first would be that of a contract which was renewed.
fn last_day(
    path: &JsonPath,
    record: &Record<'_>,
    zone: Zone,
    into: &mut String,
) -> Result<(), RestError> {
    let steps = path.steps();
    let leads_to_several =
        |step: &PathStep| matches!(step, PathStep::Each | PathStep::Where { .. });
    let contracts = steps.iter().rposition(leads_to_several);
    let (contracts, rest) = steps.split_at(contracts.map_or(0, |last| last + 1));
    let (mut ends, mut wrong) = (Vec::new(), None);
    let read = |node: &Json<'_>, end: &mut String| match node.text(Kind::LastDay) {
        Ok(text) => {
            end.push_str(&calendar_date(text, zone));
            None
        }
        Err(why) => Some(why),
    };
    walk(contracts, record.json, None, &mut |contract, _| {
        let mut end = String::new();
        walk(rest, contract, None, &mut |node, _| {
            wrong = read(node, &mut end);
            !end.is_empty() || wrong.is_some()
        });
        ends.push(end);
        wrong.is_some()
    });
    if let Some(why) = wrong {
        return Err(no_text(record, path, &why));
    }
    into.push_str(&later(ends).ok_or_else(|| several_ends(record, path))?);
    Ok(())
}

/// The latest of several last days; open, where one of several is none. `None` where they cannot be compared as they are written.
fn later(mut ends: Vec<String>) -> Option<String> {
    let is_open = ends.iter().any(|end| end.is_empty() || end == OPEN);
    if is_open && ends.len() > 1 {
        return Some(OPEN.to_owned());
    }
    ends.dedup();
    if ends.len() > 1 {
        let is_iso = |end: &String| end.parse::<chrono::NaiveDate>().is_ok() && end.len() == 10;
        return ends.iter().all(is_iso).then(|| ends.into_iter().max())?;
    }
    Some(ends.pop().unwrap_or_default())
}

fn no_text(record: &Record<'_>, path: &JsonPath, why: &impl ToString) -> RestError {
    RestError::NotText {
        what: record.what.to_owned(),
        record: record.number,
        path: path.to_string(),
        found: why.to_string(),
    }
}

fn several_ends(record: &Record<'_>, path: &JsonPath) -> RestError {
    RestError::SeveralEnds {
        what: record.what.to_owned(),
        record: record.number,
        path: path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_last_days_the_latest_counts_and_an_open_contract_has_none() {
        for (ends, last) in [
            (&[][..], Some("")),
            (&["2026-11-27"], Some("2026-11-27")),
            (&["2026-11-27", "2026-12-31"], Some("2026-12-31")),
            (&["2026-12-31", "2026-11-27"], Some("2026-12-31")),
            (&["2026-11-27", ""], Some(OPEN)),
            (&["", "2026-11-27"], Some(OPEN)),
            (&[OPEN, "2026-11-27"], Some(OPEN)),
            (&["", ""], Some(OPEN)),
            (&["31.12.2026", "31.12.2026"], Some("31.12.2026")),
            (&["31.12.2026", "27.11.2026"], None),
        ] {
            let ends = ends.iter().map(ToString::to_string).collect();
            assert_eq!(later(ends).as_deref(), last);
        }
    }
}
