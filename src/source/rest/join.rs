//! Reads the joined lists of a source, before its first one: each to its proven end, and reduced to what is read of its records.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::cells::{Paths, Table, text};
use super::client::Client;
use super::error::RestError;
use super::list::{Done, Identity, List, Record};
use super::{Ask, Kind};
use crate::config::{IfSeveral, Join, JsonPath, Rest, Source};
use crate::roster::{Absence, AbsenceMapping, Wrong};
use crate::source::absences::of_one_person;
use crate::source::columns::absence_mapping;

/// With so many records fewer than last time, and more than this share of them, a list is not believed. Ours.
const FEW: u64 = 3;
const MOST_GONE_PERCENT: u64 = 10;

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

impl Joined {
    /// How many records each list of values has.
    pub(super) fn counts(&self, paths: &Paths) -> BTreeMap<String, u64> {
        let lists = paths.lists.iter().zip(&self.done);
        lists
            .map(|((name, _), (_, done))| (name.clone(), done.records))
            .collect()
    }

    /// Whether each list has about as many records as last time, and belongs to as many people as it has to.
    pub(super) fn belong(
        &self,
        rest: &Rest,
        paths: &Paths,
        before: &BTreeMap<String, u64>,
    ) -> Result<(), RestError> {
        let lists = paths.lists.iter().zip(&self.tables).zip(&self.done);
        for (((name, _), table), (_, done)) in lists {
            let (found, matched) = (done.records, table.matched.get());
            let was = before.get(name).copied().unwrap_or(0);
            let gone = was.saturating_sub(found);
            if gone >= FEW && gone * 100 > was * MOST_GONE_PERCENT {
                let name = name.clone();
                return Err(RestError::Shrunk {
                    name,
                    found,
                    was,
                    matched,
                });
            }
            let join = rest.join.iter().find(|join| join.name == *name);
            let least = join.map_or(1, |join| join.min_rows);
            if matched < least {
                return Err(RestError::Unmatched {
                    name: name.clone(),
                    found: matched,
                    least,
                });
            }
        }
        Ok(())
    }
}

/// A list of absences.
pub(super) struct Absences {
    here: JsonPath,
    rows: HashMap<Box<str>, Vec<Result<Absence, Wrong>>>,
    /// Whose records there are, of whatever kind.
    owners: HashSet<Box<str>>,
    /// Whether any record has a kind.
    has_kinds: bool,
    /// Whether any record belongs to somebody of the first list.
    is_somebodys: Cell<bool>,
}

impl Absences {
    /// Whether the list can be believed where it names nobody: it has records with a kind, and they are of people who are there. Otherwise a path or a permission has changed.
    pub(super) fn any(&self) -> bool {
        self.has_kinds && self.is_somebodys.get()
    }

    /// Those of a person, in an order of their own, and what is wrong with one of them.
    pub(super) fn of(
        &self,
        record: &Record<'_>,
        ask: &Ask<'_>,
    ) -> Result<(Vec<Absence>, Option<Wrong>), RestError> {
        let mut key = String::new();
        text(&self.here, Kind::Text, record, ask.zone, &mut key)?;
        if self.owners.contains(key.as_str()) {
            self.is_somebodys.set(true);
        }
        let rows = self.rows.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        Ok(of_one_person(rows))
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
            matched: Cell::new(0),
        };
        let mut cells = Vec::new();
        let mut see = |record: &Record<'_>, key: String| {
            inner.read(record, &[], ask.zone, &mut cells)?;
            if let Some(old) = table.rows.get_mut(key.as_str()) {
                match join.if_several {
                    // Not of the last day: one contract that ended does not end the next one.
                    IfSeveral::First => {
                        inner.join_last_days(record, old, &mut cells)?;
                        inner.keep_last_days(&cells, old);
                        return Ok(());
                    }
                    IfSeveral::Last => inner.join_last_days(record, old, &mut cells)?,
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
        let (mut owners, mut has_kinds) = (HashSet::new(), false);
        let mut cells = Vec::new();
        let mut see = |record: &Record<'_>, key: String| {
            inner.read(record, &[], ask.zone, &mut cells)?;
            let cell = |column: usize| cells.get(column).map_or("", String::as_str);
            has_kinds |= mapping.kind.iter().any(|column| !cell(*column).is_empty());
            let found = mapping.read(&cell, today).transpose();
            let key: Box<str> = key.into();
            if let Some(found) = found {
                rows.entry(key.clone()).or_default().push(found);
            }
            owners.insert(key);
            Ok(())
        };
        let done = one(client, join, ask, most_pages, &mut see).await?;
        joined.absences = Some(Absences {
            here: join.on.here.clone(),
            rows,
            owners,
            has_kinds,
            is_somebodys: Cell::new(false),
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
        identity: match &join.record_id {
            Some(path) => Identity::At(path),
            None => Identity::Whole,
        },
        zone: ask.zone,
    };
    let mut see = |record: &Record<'_>| {
        let mut key = String::new();
        text(&join.on.there, Kind::Text, record, ask.zone, &mut key)?;
        // What belongs to nobody is of no use, and harms nobody.
        if !key.is_empty() {
            see(record, key)?;
        }
        Ok(())
    };
    client.list(&list, most_pages, &mut see).await
}
