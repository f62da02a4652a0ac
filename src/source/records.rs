//! From the rows of a table or the records of a list to mapped rows, and whether these as a whole can be believed.

use std::collections::HashSet;

use chrono::NaiveDate;

use super::absences::Absences;
use super::columns::{columns_of, is_mapped, mapping};
use super::table::{Table, TableError};
use crate::config::Source;
use crate::roster::{
    Absence, Delivery, Field, HrId, Mapped, Mapping, REQUIRED, Rejected, Unselected, Wrong,
};

/// Why the rows of a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(
        "Row {row} of {file}: the column {column} has no hrId that can be read, so nobody can tell whose row it is; have HR enter it, or leave such rows out with exclude: [{{column: {column}, in: [\"\"]}}]"
    )]
    Keyless {
        file: String,
        row: u64,
        column: String,
    },
    #[error(
        "None of the {rows} rows of {file} is selected by the include and exclude rules; correct these, or the export whose values they compare"
    )]
    NobodySelected { file: String, rows: usize },
    #[error(
        "The column {column} ({field}) of {file} is empty in every row; the export lacks it, or the permission to read it was withdrawn"
    )]
    EmptyField {
        file: String,
        column: String,
        field: Field,
    },
}

/// How many rows a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RuleCount {
    /// The rule, such as `include Gesellschaft`.
    pub rule: String,
    /// Rows.
    pub rows: usize,
    /// Rows that have anything there to be compared.
    pub filled: usize,
}

/// What the rows come to.
pub(super) struct Read {
    pub(super) delivery: Delivery,
    pub(super) rows: usize,
    pub(super) rules: Vec<RuleCount>,
}

pub(super) fn read(
    source: &Source,
    table: Table,
    file: &str,
    absences: Option<&mut Absences>,
    filled: &HashSet<Field>,
    today: NaiveDate,
) -> Result<Read, RecordsError> {
    let mapping = mapping(source, |name, _| table.column(name))?;
    let mut reader = Reader::new(source, mapping, file);
    let Some(absences) = absences else {
        let (mapping, pieces) = (reader.mapping.clone(), table.pieces());
        table.for_each_part(
            || Part::new(&mapping),
            |part, row| part.row(&mapping, row.line, |column| row.cell(column), today),
            |part| reader.part.absorb(part, pieces),
        )?;
        return reader.end(filled);
    };
    // Whether their file can be believed, it knows itself.
    reader.has_absences();
    let hr_id = reader.mapping.hr_id.clone();
    table.for_each_row(|row| {
        let mut keys = hr_id.iter().map(|column| row.cell(*column));
        let (found, wrong) = absences.of(keys.find(|key| !key.is_empty()).unwrap_or(""));
        reader.absences(found, wrong);
        reader.row(row.line, |column| row.cell(column), today);
    })?;
    reader.end(filled)
}

/// Maps rows one after the other, and judges them as a whole in the end.
pub(super) struct Reader<'s> {
    source: &'s Source,
    mapping: Mapping,
    /// What the rows are from, for messages.
    file: &'s str,
    part: Part,
}

/// What some rows that stand together come to.
struct Part {
    delivery: Delivery,
    keyless: Option<u64>,
    /// Fields that no row has had. Not searched again once seen: these are asked for every row.
    missing: Vec<Field>,
    /// Absences of the next row that come from a list of their own, and what is wrong with them.
    absences: (Vec<Absence>, Option<Wrong>),
    /// How many rows each rule has matched, and how many had anything there.
    matched: Vec<(usize, usize)>,
    /// Which rules match the row that is being mapped.
    matches: Vec<bool>,
    rows: usize,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s Source, mapping: Mapping, file: &'s str) -> Self {
        Self {
            source,
            file,
            part: Part::new(&mapping),
            mapping,
        }
    }

    /// A list of absences had records: that nobody is away for a kind that is sent does not mean that the list is empty.
    pub(super) fn has_absences(&mut self) {
        let missing = &mut self.part.missing;
        missing.retain(|field| *field != Field::Absences);
    }

    /// The absences of the next row, where they come from a list of their own, and what is wrong with one of them.
    pub(super) fn absences(&mut self, absences: Vec<Absence>, wrong: Option<Wrong>) {
        self.part.absences = (absences, wrong);
    }

    /// The row at `line` whose cells, already trimmed, `cell` gives.
    pub(super) fn row<'c>(&mut self, line: u64, cell: impl Fn(usize) -> &'c str, today: NaiveDate) {
        self.part.row(&self.mapping, line, cell, today);
    }

    /// The rows, where they can be believed. `filled` are the fields that somebody of this source had last time.
    pub(super) fn end(self, filled: &HashSet<Field>) -> Result<Read, RecordsError> {
        let Self {
            source, file, part, ..
        } = self;
        let Part {
            delivery,
            keyless,
            missing,
            matched,
            rows,
            ..
        } = part;
        if let Some(row) = keyless {
            let column = columns_of(source, Field::HrId);
            return Err(RecordsError::Keyless {
                file: file.to_owned(),
                row,
                column,
            });
        }
        if delivery.rows.is_empty() && rows > 0 {
            return Err(RecordsError::NobodySelected {
                file: file.to_owned(),
                rows,
            });
        }
        if !delivery.rows.is_empty() {
            for field in Field::ALL {
                // Everybody's termination date may well be empty.
                let expected = REQUIRED.contains(&field)
                    || (filled.contains(&field)
                        && field != Field::TerminationDate
                        && is_mapped(source, field));
                if expected && missing.contains(&field) {
                    let column = columns_of(source, field);
                    return Err(RecordsError::EmptyField {
                        file: file.to_owned(),
                        column,
                        field,
                    });
                }
            }
        }
        let names = source
            .include
            .iter()
            .map(|rule| format!("include {}", rule.column));
        let names = names.chain(
            source
                .exclude
                .iter()
                .map(|rule| format!("exclude {}", rule.column)),
        );
        let rules = names
            .zip(matched)
            .map(|(rule, (rows, filled))| RuleCount { rule, rows, filled })
            .collect();
        Ok(Read {
            delivery,
            rows,
            rules,
        })
    }
}

impl Part {
    fn new(mapping: &Mapping) -> Self {
        Self {
            delivery: Delivery::default(),
            keyless: None,
            missing: Field::ALL.to_vec(),
            absences: (Vec::new(), None),
            matched: vec![(0, 0); mapping.rules().count()],
            matches: Vec::new(),
            rows: 0,
        }
    }

    fn row<'c>(
        &mut self,
        mapping: &Mapping,
        line: u64,
        cell: impl Fn(usize) -> &'c str,
        today: NaiveDate,
    ) {
        let Self {
            delivery,
            keyless,
            missing,
            absences,
            matches,
            ..
        } = self;
        self.rows += 1;
        let (absences, wrong) = std::mem::take(absences);
        matches.clear();
        for (position, rule) in mapping.rules().enumerate() {
            let cell = cell(rule.column);
            let is_match = rule.matches(cell);
            matches.push(is_match);
            if let Some((rows, filled)) = self.matched.get_mut(position) {
                *rows += usize::from(is_match);
                *filled += usize::from(!cell.is_empty());
            }
        }
        match mapping.map(line, &cell, matches, today) {
            Mapped::Row(mut mapped) => {
                if !absences.is_empty() {
                    mapped.employee.edit(|one| one.absences.extend(absences));
                }
                mapped
                    .wrong
                    .extend(wrong.map(|wrong| (Field::Absences, wrong)));
                // A value that makes no sense is one, too: the column is there.
                let is_wrong = |field| mapped.wrong.iter().any(|(wrong, _)| *wrong == field);
                missing.retain(|field| !mapped.employee.is_filled(*field) && !is_wrong(*field));
                // That nobody is away for a kind that is sent does not mean that the column is empty.
                if let Some(absences) = &mapping.absences
                    && absences.kind.iter().any(|column| !cell(*column).is_empty())
                {
                    missing.retain(|field| *field != Field::Absences);
                }
                delivery.rows.push(mapped);
            }
            Mapped::Unselected {
                hr_id: Some(hr_id),
                why,
            } => {
                self.leave_out(hr_id, why);
            }
            Mapped::Unselected { hr_id: None, .. } => {}
            Mapped::Keyless => *keyless = keyless.or(Some(line)),
        }
    }

    /// Somebody of whom there is a row that is not meant. Of several rows the one that leaves a doubt counts.
    fn leave_out(&mut self, hr_id: HrId, why: Unselected) {
        let doubt = matches!(why, Unselected::Unclear { .. });
        let unselected = &mut self.delivery.unselected;
        let known = unselected.entry(hr_id).or_insert_with(|| why.clone());
        if doubt || !matches!(known, Unselected::Unclear { .. }) {
            *known = why;
        }
    }

    /// Takes in the rows that stand behind these. `parts` is how many there are in all.
    fn absorb(&mut self, part: Self, parts: usize) {
        let rows = &mut self.delivery.rows;
        if rows.is_empty() {
            // All parts are about as long, and a list that grows is twice in memory at times.
            rows.reserve(part.delivery.rows.len() * parts);
        }
        rows.extend(part.delivery.rows);
        for (hr_id, why) in part.delivery.unselected {
            self.leave_out(hr_id, why);
        }
        self.keyless = self.keyless.or(part.keyless);
        self.missing.retain(|field| part.missing.contains(field));
        for (all, some) in self.matched.iter_mut().zip(part.matched) {
            all.0 += some.0;
            all.1 += some.1;
        }
        self.rows += part.rows;
    }
}

/// Why a file is not believed at all, if too many of its rows make no sense.
pub fn too_many_rejected(
    source: &Source,
    rejected: &[&Rejected],
    selected: usize,
    file: &str,
) -> Option<String> {
    let allowed = source.invalid_rows.allowed(selected as u64);
    if rejected.len() as u64 <= allowed {
        return None;
    }
    // One reason usually explains them all.
    let mut reasons: Vec<(String, Vec<u64>)> = Vec::new();
    for row in rejected {
        let reason = format!(
            "column {}: {}",
            columns_of(source, row.why.field()),
            row.why
        );
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, lines)) => lines.push(row.line),
            None => reasons.push((reason, vec![row.line])),
        }
    }
    let told = reasons.iter().take(5).map(|(reason, lines)| {
        let rows: Vec<String> = lines.iter().take(5).map(u64::to_string).collect();
        let more = lines.len().saturating_sub(5);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let word = if lines.len() == 1 { "row" } else { "rows" };
        format!("{word} {}{more}, {reason}", rows.join(", "))
    });
    let told: Vec<String> = told.collect();
    Some(format!(
        "{} of {selected} rows of {file} make no sense, and invalid_rows allows {allowed}; nothing of the file is used: {}",
        rejected.len(),
        told.join("; ")
    ))
}
