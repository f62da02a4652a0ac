//! Reads the joined lists of a source, before its first one: each to its proven end, and reduced to what is read of its records.

use std::collections::HashMap;

use super::cells::{Paths, Table, text};
use super::client::Client;
use super::error::RestError;
use super::list::{Done, List, Record, id_of};
use super::{Ask, Kind};
use crate::config::{IfSeveral, Join, JsonPath, Source};
use crate::roster::{Absence, AbsenceMapping, Wrong};
use crate::source::columns::absence_mapping;

/// What the joined lists say.
#[derive(Default)]
pub(super) struct Joined {
    /// Those of values, in the order of the paths.
    pub(super) tables: Vec<Table>,
    /// That of absences.
    pub(super) absences: Option<Absences>,
    /// What each list came to, with its name.
    pub(super) done: Vec<(String, Done)>,
}

/// A list of absences.
pub(super) struct Absences {
    here: JsonPath,
    rows: HashMap<Box<str>, Vec<Result<Absence, Wrong>>>,
    /// Whether it had any record at all.
    pub(super) any: bool,
}

impl Absences {
    /// Those of a person, in an order of their own, and what is wrong with one of them.
    pub(super) fn of(
        &self,
        record: &Record<'_>,
        ask: &Ask<'_>,
    ) -> Result<(Vec<Absence>, Option<Wrong>), RestError> {
        let mut key = String::new();
        text(&self.here, Kind::Text, record, ask.zone, &mut key)?;
        let rows = self.rows.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        let wrong = rows.iter().find_map(|row| row.as_ref().err().copied());
        let good = rows.iter().filter_map(|row| row.as_ref().ok());
        let mut all: Vec<Absence> = good.cloned().collect();
        // A list in another order is no change.
        all.sort();
        all.dedup();
        Ok((all, wrong))
    }
}

/// Reads them all; `most_pages` ends each early, which is for looking.
pub(super) async fn read(
    client: &mut Client<'_>,
    source: &Source,
    paths: &Paths,
    ask: &Ask<'_>,
    most_pages: Option<u64>,
) -> Result<Joined, RestError> {
    let rest = client.rest;
    let mut joined = Joined::default();
    let named = |name: &str| {
        let mut joins = rest.join.iter();
        joins
            .find(|join| join.name == name)
            .ok_or(RestError::NoSystem)
    };
    for (name, inner) in &paths.lists {
        let join = named(name)?;
        let mut table = Table {
            here: join.on.here.clone(),
            rows: HashMap::new(),
        };
        let mut cells = Vec::new();
        let mut see = |record: &Record<'_>, key: String| {
            inner.read(record, &[], ask.zone, &mut cells)?;
            if table.rows.contains_key(key.as_str()) {
                match join.if_several {
                    IfSeveral::First => return Ok(()),
                    IfSeveral::Last => {}
                    IfSeveral::Fail => {
                        return Err(RestError::Several {
                            what: record.what.to_owned(),
                            record: record.number,
                            name: join.name.clone(),
                        });
                    }
                }
            }
            let row = cells.iter().map(|cell| cell.as_str().into()).collect();
            table.rows.insert(key.into(), row);
            Ok(())
        };
        let done = one(client, join, ask, most_pages, &mut see).await?;
        joined.done.push((join.request.name(), done));
        joined.tables.push(table);
    }
    let fields = source.fields.absences.as_ref();
    if let Some((columns, name)) = fields.and_then(|fields| Some((fields, fields.list.as_ref()?))) {
        let join = named(name)?;
        let mut inner = Paths::default();
        let mapping: AbsenceMapping =
            absence_mapping(columns, &mut |path, kind| inner.column(path, kind))?;
        let today = ask.now.with_timezone(&ask.zone).date_naive();
        let mut rows: HashMap<Box<str>, Vec<Result<Absence, Wrong>>> = HashMap::new();
        let mut cells = Vec::new();
        let mut see = |record: &Record<'_>, key: String| {
            inner.read(record, &[], ask.zone, &mut cells)?;
            let cell = |column: usize| cells.get(column).map_or("", String::as_str);
            if let Some(found) = mapping.read(&cell, today).transpose() {
                rows.entry(key.into()).or_default().push(found);
            }
            Ok(())
        };
        let done = one(client, join, ask, most_pages, &mut see).await?;
        joined.absences = Some(Absences {
            here: join.on.here.clone(),
            rows,
            any: done.records > 0,
        });
        joined.done.push((join.request.name(), done));
    }
    Ok(joined)
}

async fn one(
    client: &mut Client<'_>,
    join: &Join,
    ask: &Ask<'_>,
    most_pages: Option<u64>,
    see: &mut dyn FnMut(&Record<'_>, String) -> Result<(), RestError>,
) -> Result<Done, RestError> {
    let list = List {
        request: &join.request,
        paging: &join.paging,
        records: &join.records,
    };
    let mut see = |record: &Record<'_>| {
        let mut key = String::new();
        text(&join.on.there, Kind::Text, record, ask.zone, &mut key)?;
        // What belongs to nobody is of no use, and harms nobody.
        if !key.is_empty() {
            see(record, key)?;
        }
        let Some(path) = &join.record_id else {
            return Ok(None);
        };
        let mut id = String::new();
        text(path, Kind::Word, record, ask.zone, &mut id)?;
        Ok(id_of(&id))
    };
    client.list(&list, most_pages, &mut see).await
}
