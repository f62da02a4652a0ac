//! From the rows of a table to mapped rows: which column is which field, and whether the table as a whole can be believed.

use std::collections::HashSet;

use chrono::NaiveDate;

use super::table::{Table, TableError};
use crate::config::{DateColumn, FlagColumn, Rule, Source, Texts};
use crate::roster::{
    AbsenceMapping, Columns, DateMapping, Delivery, Field, FlagMapping, Mapped, Mapping, REQUIRED,
    Rejected, RuleMapping, Unselected, normal,
};

/// Why the rows of a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(
        "Row {row} of {file}: the column {column} has no hrId that can be read, so nobody can tell whose row it is; correct the export"
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
}

/// What the rows come to.
pub(super) struct Read {
    pub(super) delivery: Delivery,
    pub(super) rows: usize,
    pub(super) rules: Vec<RuleCount>,
}

pub(super) fn read(
    source: &Source,
    table: &Table<'_>,
    file: &str,
    filled: &HashSet<Field>,
    today: NaiveDate,
) -> Result<Read, RecordsError> {
    let mapping = mapping(source, table)?;
    let mut delivery = Delivery::default();
    let mut keyless = None;
    // Not searched again once seen: these are asked for every row.
    let mut missing: Vec<Field> = Field::ALL.to_vec();
    let mut matched = vec![0usize; mapping.include.len() + mapping.exclude.len()];
    let mut rows = 0;
    table.for_each_row(|row| {
        rows += 1;
        for (rule, matched) in mapping
            .include
            .iter()
            .chain(&mapping.exclude)
            .zip(&mut matched)
        {
            *matched += usize::from(rule.matches(row.cell(rule.column)));
        }
        match mapping.map(row.line, |column| row.cell(column), today) {
            Mapped::Row(mapped) => {
                // A value that makes no sense is one, too: the column is there.
                let is_wrong = |field| mapped.wrong.iter().any(|(wrong, _)| *wrong == field);
                missing.retain(|field| !mapped.employee.is_filled(*field) && !is_wrong(*field));
                // That nobody is away for a kind that is sent does not mean that the column is empty.
                if let Some(absences) = &mapping.absences
                    && absences
                        .kind
                        .iter()
                        .any(|column| !row.cell(*column).is_empty())
                {
                    missing.retain(|field| *field != Field::Absences);
                }
                delivery.rows.push(mapped);
            }
            Mapped::Unselected {
                hr_id: Some(hr_id),
                why,
            } => {
                // Of several rows the one that leaves a doubt counts.
                let doubt = matches!(why, Unselected::Unclear { .. });
                let known = delivery
                    .unselected
                    .entry(hr_id)
                    .or_insert_with(|| why.clone());
                if doubt || !matches!(known, Unselected::Unclear { .. }) {
                    *known = why;
                }
            }
            Mapped::Unselected { hr_id: None, .. } => {}
            Mapped::Keyless => keyless = keyless.or(Some(row.line)),
        }
    })?;
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
        .map(|(rule, rows)| RuleCount { rule, rows })
        .collect();
    Ok(Read {
        delivery,
        rows,
        rules,
    })
}

/// Configured values as cells are compared with them.
fn normals(values: &Texts) -> Vec<String> {
    values
        .0
        .iter()
        .map(|value| normal(value.trim()).into())
        .collect()
}

fn mapping(source: &Source, table: &Table<'_>) -> Result<Mapping, TableError> {
    let fields = &source.fields;
    let columns = |names: &Texts| -> Result<Columns, TableError> {
        names.0.iter().map(|name| table.column(name)).collect()
    };
    let date = |column: &DateColumn| -> Result<DateMapping, TableError> {
        let DateColumn {
            from,
            format,
            empty,
        } = column;
        Ok(DateMapping {
            columns: columns(from)?,
            formats: format.clone(),
            empty: normals(empty),
        })
    };
    let optional = |column: &Option<DateColumn>| column.as_ref().map(date).transpose();
    let flag = |FlagColumn { from, yes, no }: &FlagColumn| -> Result<FlagMapping, TableError> {
        Ok(FlagMapping {
            columns: columns(from)?,
            yes: normals(yes),
            no: normals(no),
        })
    };
    let rules = |rules: &[Rule]| -> Result<Vec<RuleMapping>, TableError> {
        rules
            .iter()
            .map(|Rule { column, values }| {
                let values = values
                    .0
                    .iter()
                    .map(|value| normal(value.trim()).to_lowercase())
                    .collect();
                Ok(RuleMapping {
                    name: column.clone(),
                    column: table.column(column)?,
                    values,
                })
            })
            .collect()
    };
    let absences = fields
        .absences
        .as_ref()
        .map(|absences| -> Result<AbsenceMapping, TableError> {
            let texts = absences
                .texts
                .iter()
                .map(|(key, names)| Ok((key.clone(), columns(names)?)));
            let dates = absences
                .dates
                .iter()
                .map(|(key, column)| Ok((key.clone(), date(column)?)));
            Ok(AbsenceMapping {
                kind: columns(&absences.kind)?,
                only: absences
                    .only
                    .0
                    .iter()
                    .map(|kind| normal(kind.trim()).into())
                    .collect(),
                texts: texts.collect::<Result<_, TableError>>()?,
                dates: dates.collect::<Result<_, TableError>>()?,
            })
        })
        .transpose()?;
    Ok(Mapping {
        id_prefix: normal(source.id_prefix.as_deref().unwrap_or_default()),
        hr_id: columns(&fields.hr_id)?,
        first_name: columns(&fields.first_name)?,
        last_name: columns(&fields.last_name)?,
        email: columns(&fields.email)?,
        date_of_birth: optional(&fields.date_of_birth)?,
        start_date: optional(&fields.start_date)?,
        termination_date: optional(&fields.termination_date)?,
        auto_sync_employee: fields.auto_sync_employee.as_ref().map(flag).transpose()?,
        absences,
        include: rules(&source.include)?,
        exclude: rules(&source.exclude)?,
    })
}

/// The columns that a field is read from.
fn names(source: &Source, field: Field) -> Vec<String> {
    let fields = &source.fields;
    let date = |column: &Option<DateColumn>| {
        column
            .as_ref()
            .map_or_else(Vec::new, |column| column.from.0.clone())
    };
    match field {
        Field::HrId => fields.hr_id.0.clone(),
        Field::FirstName => fields.first_name.0.clone(),
        Field::LastName => fields.last_name.0.clone(),
        Field::Email => fields.email.0.clone(),
        Field::DateOfBirth => date(&fields.date_of_birth),
        Field::StartDate => date(&fields.start_date),
        Field::TerminationDate => date(&fields.termination_date),
        Field::AutoSyncEmployee => fields
            .auto_sync_employee
            .as_ref()
            .map_or_else(Vec::new, |flag| flag.from.0.clone()),
        Field::Absences => fields
            .absences
            .as_ref()
            .map_or_else(Vec::new, |absences| absences.kind.0.clone()),
    }
}

fn is_mapped(source: &Source, field: Field) -> bool {
    !names(source, field).is_empty()
}

/// The columns that a field is read from, for messages.
pub fn columns_of(source: &Source, field: Field) -> String {
    names(source, field).join(" or ")
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
