//! The paths of a source as the columns of a row.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::dates::calendar_date;
use super::error::RestError;
use super::json::walk;
use super::list::Record;
use crate::config::{JsonPath, PathStep};
use crate::source::columns::Kind;

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

    /// Puts the cells of a record into `cells`; `tables` are those of the joined lists, in their order.
    pub(super) fn read(
        &self,
        record: &Record<'_>,
        tables: &[Table],
        zone: Tz,
        cells: &mut Vec<String>,
    ) -> Result<(), RestError> {
        let mut rows = Vec::with_capacity(tables.len());
        for table in tables {
            let mut key = String::new();
            text(&table.here, Kind::Text, record, zone, &mut key)?;
            rows.push(table.rows.get(key.as_str()));
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
    zone: Tz,
    into: &mut String,
) -> Result<(), RestError> {
    if path.steps() == [PathStep::OwnKey] {
        into.push_str(record.own.unwrap_or_default().trim());
        return Ok(());
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
        Some(why) => Err(RestError::NotText {
            what: record.what.to_owned(),
            record: record.number,
            path: path.to_string(),
            found: why.to_string(),
        }),
    }
}
