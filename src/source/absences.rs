//! The rows of a file of absences, by whose they are.
//!
//! They are joined to the rows of the roster on the hrId as both files write it. Only kinds that are configured are kept; all others are but counted. The hazard is a file that
//! tells nothing any more (no rows, an empty column, hrIds in another form): it would clear everybody's absences, so it fails where JobTicket has any.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::columns::absence_mapping;
use super::columns_of;
use super::table::{Table, TableError};
use super::text::Text;
use crate::config::Source;
use crate::roster::{Absence, Columns, Field, Wrong, normal};

/// Why a file of absences cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum AbsencesError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(
        "The file {file} has no rows, and JobTicket has absences; have past absences or other kinds exported, too, or, where nobody is away any more, take absences out of fields until somebody is"
    )]
    NoRows { file: String },
    #[error(
        "The column {column} of {file} is empty in every row, and JobTicket has absences; the export lacks it, or the permission to read it was withdrawn"
    )]
    EmptyColumn { file: String, column: String },
    #[error(
        "None of the {rows} rows of {file} is of a person of {roster}, and JobTicket has absences; compare how the two files write hrIds (column {column}), leading zeros count"
    )]
    Nobodys {
        file: String,
        roster: String,
        column: String,
        rows: u64,
    },
}

/// What the rows of one person say.
#[derive(Default)]
struct Person {
    absences: Vec<Result<Absence, Wrong>>,
    rows: u64,
    /// Whether the roster has a row of the person.
    is_there: bool,
}

/// Absences of one person in an order of their own, for those in another order are no change, and what is wrong with one of them.
pub(super) fn of_one_person(found: &[Result<Absence, Wrong>]) -> (Vec<Absence>, Option<Wrong>) {
    let wrong = found.iter().find_map(|one| one.as_ref().err().copied());
    let good = found.iter().filter_map(|one| one.as_ref().ok());
    let mut all: Vec<Absence> = good.cloned().collect();
    all.sort();
    all.dedup();
    (all, wrong)
}

/// The absences of a file.
pub(super) struct Absences {
    file: String,
    /// The columns of the hrId and the kind, for messages.
    columns: [String; 2],
    people: HashMap<Box<str>, Person>,
    rows: u64,
    /// Rows without an hrId.
    keyless: u64,
    has_kinds: bool,
}

impl Absences {
    /// `source` is the source as it is for its file of absences.
    pub(super) fn read(
        source: &Source,
        text: Text,
        file: &str,
        today: NaiveDate,
    ) -> Result<Self, AbsencesError> {
        let table = Table::open(text, file, &source.table)?;
        let hr_id = source.fields.hr_id.0.iter();
        let hr_id = hr_id.map(|name| table.column(name));
        let hr_id = hr_id.collect::<Result<Columns, _>>()?;
        let configured = source.fields.absences.as_ref();
        let mapping =
            configured.map(|columns| absence_mapping(columns, &mut |name, _| table.column(name)));
        let mapping = mapping.transpose()?;
        let mut found = Self {
            file: file.to_owned(),
            columns: [Field::HrId, Field::Absences].map(|field| columns_of(source, field)),
            people: HashMap::new(),
            rows: 0,
            keyless: 0,
            has_kinds: false,
        };
        found.rows = table.for_each_row(|row| {
            let cell = |column: usize| row.cell(column);
            let filled = |columns: &Columns| {
                let mut cells = columns.iter().map(|column| cell(*column));
                cells.find(|text| !text.is_empty())
            };
            let Some(mapping) = &mapping else { return };
            found.has_kinds |= filled(&mapping.kind).is_some();
            let Some(key) = filled(&hr_id) else {
                found.keyless += 1;
                return;
            };
            let person = found.people.entry(normal(key).into()).or_default();
            person.rows += 1;
            person
                .absences
                .extend(mapping.read(&cell, today).transpose());
        })?;
        Ok(found)
    }

    /// Those of the person with this hrId, who is in the roster, in an order of their own; and what is wrong with one of them.
    pub(super) fn of(&mut self, key: &str) -> (Vec<Absence>, Option<Wrong>) {
        let Some(person) = self.people.get_mut(&*normal(key)) else {
            return (Vec::new(), None);
        };
        person.is_there = true;
        of_one_person(&person.absences)
    }

    /// Whether the file can be believed, once all rows of the roster were asked for; and what to know of rows that are of no use. `some` tells whether JobTicket has absences.
    pub(super) fn end(self, roster: &str, some: bool) -> Result<Option<String>, AbsencesError> {
        let Self {
            file,
            columns: [hr_id, kind],
            people,
            rows,
            keyless,
            has_kinds,
        } = self;
        let of_others: u64 = people
            .values()
            .filter(|person| !person.is_there)
            .map(|person| person.rows)
            .sum();
        if some {
            match (rows, keyless) {
                (0, _) => return Err(AbsencesError::NoRows { file }),
                (rows, keyless) if rows == keyless => {
                    let column = hr_id;
                    return Err(AbsencesError::EmptyColumn { file, column });
                }
                _ if !has_kinds => {
                    let column = kind;
                    return Err(AbsencesError::EmptyColumn { file, column });
                }
                (rows, keyless) if rows == keyless + of_others => {
                    let (roster, column) = (roster.to_owned(), hr_id);
                    return Err(AbsencesError::Nobodys {
                        file,
                        roster,
                        column,
                        rows,
                    });
                }
                _ => {}
            }
        }
        let mut notes = Vec::new();
        if keyless > 0 {
            notes.push(format!(
                "{keyless} of {rows} rows of {file} have no hrId (column {hr_id}) and are ignored"
            ));
        }
        // A few are people who have left.
        if of_others > rows / 2 {
            notes.push(format!("{of_others} of {rows} rows of {file} are of people who are not in {roster} and are ignored"));
        }
        Ok((!notes.is_empty()).then(|| notes.join("; ")))
    }
}

#[cfg(test)]
mod tests;
