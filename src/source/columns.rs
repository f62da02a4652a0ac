//! Which column is which field. For a table a column is a name of its header, for JSON it is a path.

use crate::config::{AbsenceColumns, DateColumn, FlagColumn, Rule, Source, Texts};
use crate::roster::{
    AbsenceMapping, Columns, DateMapping, Field, FlagMapping, Mapping, RuleMapping, normal,
};

/// What is read from a column, where sources tell that apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, of which `false` is none.
    Text,
    /// A date.
    Date,
    /// A last day. Of several the latest counts, and one that has none is not over.
    LastDay,
    /// A word that is compared, `true` and `false` among them.
    Word,
}

/// What stands in the place of a last day where somebody has several contracts and one of them is open: it is none, and no other column is asked for one.
pub(super) const OPEN: &str = "(open)";

/// Configured values as cells are compared with them.
fn normals(values: &Texts) -> Vec<String> {
    values
        .0
        .iter()
        .map(|value| normal(value.trim()).into())
        .collect()
}

fn date_mapping<E>(
    date: &DateColumn,
    kind: Kind,
    column: &mut impl FnMut(&str, Kind) -> Result<usize, E>,
) -> Result<DateMapping, E> {
    let DateColumn {
        from,
        format,
        empty,
    } = date;
    let columns = from.0.iter().map(|name| column(name, kind));
    let columns = columns.collect::<Result<_, E>>()?;
    let mut empty = normals(empty);
    if kind == Kind::LastDay {
        empty.push(OPEN.to_owned());
    }
    Ok(DateMapping {
        columns,
        formats: format.clone(),
        empty,
    })
}

/// How absences are put together.
pub(super) fn absence_mapping<E>(
    absences: &AbsenceColumns,
    column: &mut impl FnMut(&str, Kind) -> Result<usize, E>,
) -> Result<AbsenceMapping, E> {
    let mut dates = Vec::new();
    for (key, date) in &absences.dates {
        dates.push((key.clone(), date_mapping(date, Kind::Date, column)?));
    }
    let mut columns = |names: &Texts, kind: Kind| -> Result<Columns, E> {
        names.0.iter().map(|name| column(name, kind)).collect()
    };
    let mut texts = Vec::new();
    for (key, names) in &absences.texts {
        texts.push((key.clone(), columns(names, Kind::Text)?));
    }
    let only = absences.only.0.iter();
    Ok(AbsenceMapping {
        kind: columns(&absences.kind, Kind::Word)?,
        only: only.map(|kind| normal(kind.trim()).into()).collect(),
        texts,
        dates,
    })
}

/// Which of the source's columns is which field; `column` finds one by its name.
pub(super) fn mapping<E>(
    source: &Source,
    mut column: impl FnMut(&str, Kind) -> Result<usize, E>,
) -> Result<Mapping, E> {
    let fields = &source.fields;
    let mut columns = |names: &Texts, kind: Kind| -> Result<Columns, E> {
        names.0.iter().map(|name| column(name, kind)).collect()
    };
    let (hr_id, first_name, last_name, email) = (
        columns(&fields.hr_id, Kind::Text)?,
        columns(&fields.first_name, Kind::Text)?,
        columns(&fields.last_name, Kind::Text)?,
        columns(&fields.email, Kind::Text)?,
    );
    let mut optional = |date: &Option<DateColumn>, kind: Kind| {
        date.as_ref()
            .map(|date| date_mapping(date, kind, &mut column))
            .transpose()
    };
    let (date_of_birth, start_date, termination_date) = (
        optional(&fields.date_of_birth, Kind::Date)?,
        optional(&fields.start_date, Kind::Date)?,
        optional(&fields.termination_date, Kind::LastDay)?,
    );
    // Those of a list or a file of their own have a mapping of their own.
    let absences = match &fields.absences {
        Some(absences) if absences.list.is_none() && absences.file.is_none() => {
            Some(absence_mapping(absences, &mut column)?)
        }
        _ => None,
    };
    let mut columns = |names: &Texts, kind: Kind| -> Result<Columns, E> {
        names.0.iter().map(|name| column(name, kind)).collect()
    };
    let auto_sync_employee = match &fields.auto_sync_employee {
        None => None,
        Some(FlagColumn { from, yes, no }) => Some(FlagMapping {
            columns: columns(from, Kind::Word)?,
            yes: normals(yes),
            no: normals(no),
        }),
    };
    let mut rules = |rules: &[Rule]| -> Result<Vec<RuleMapping>, E> {
        rules
            .iter()
            .map(|rule| {
                let values = rule.values.0.iter();
                Ok(RuleMapping {
                    name: rule.column.clone(),
                    column: column(&rule.column, Kind::Word)?,
                    values: values
                        .map(|value| normal(value.trim()).to_lowercase())
                        .collect(),
                })
            })
            .collect()
    };
    Ok(Mapping {
        id_prefix: normal(source.id_prefix.as_deref().unwrap_or_default()).into(),
        hr_id,
        first_name,
        last_name,
        email,
        date_of_birth,
        start_date,
        termination_date,
        auto_sync_employee,
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

pub(super) fn is_mapped(source: &Source, field: Field) -> bool {
    !names(source, field).is_empty()
}

/// The columns that a field is read from, for messages.
pub fn columns_of(source: &Source, field: Field) -> String {
    let names = names(source, field).join(" or ");
    match source.absence_file() {
        Some(file) if field == Field::Absences => format!("{names} of {}", file.pattern),
        _ => names,
    }
}
