//! Which path is which field. What has a path here has a column in a table: both become the same [`Fields`].

use std::collections::BTreeMap;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};

use super::join::Join;
use super::path::JsonPath;
use crate::config::location::Step;
use crate::config::problem::Problems;
use crate::config::source::{AbsenceColumns, Fields};
use crate::config::validate::Findings;
use crate::config::validate_source::{check_fields, columns_of};
use crate::config::values::{ByName, DateColumn, FlagColumn, Texts};
use crate::roster::DateFormat;

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields, rename_all = camelCase)]
pub(super) struct RestFields {
    hr_id: Texts,
    first_name: Texts,
    last_name: Texts,
    email: Texts,
    #[deserr(default)]
    date_of_birth: Option<RestDate>,
    #[deserr(default)]
    start_date: Option<RestDate>,
    #[deserr(default)]
    termination_date: Option<RestDate>,
    #[deserr(default)]
    auto_sync_employee: Option<RestFlag>,
    #[deserr(default)]
    absences: Option<RestAbsences>,
}

/// A date: paths alone, or with formats besides ISO 8601.
struct RestDate(DateColumn);

/// A yes or no: paths alone, or with values besides true and false.
struct RestFlag(FlagColumn);

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct RestAbsences {
    #[deserr(default)]
    list: Option<String>,
    kind: Texts,
    only: Texts,
    #[deserr(default, from(ByName<Texts>) = ByName::into_map)]
    texts: BTreeMap<String, Texts>,
    #[deserr(default, from(ByName<RestDate>) = ByName::into_map)]
    dates: BTreeMap<String, RestDate>,
}

impl Deserr<Problems> for RestDate {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        if matches!(value, Value::Map(_)) {
            return Ok(Self(DateColumn::deserialize_from_value(value, at)?));
        }
        let iso: DateFormat = "YYYY-MM-DD"
            .parse()
            .map_err(|_| Problems::one(at, "Write {from: path, format: YYYY-MM-DD}"))?;
        Ok(Self(DateColumn {
            from: Texts::deserialize_from_value(value, at)?,
            format: vec![iso],
            empty: Texts::default(),
        }))
    }
}

impl Deserr<Problems> for RestFlag {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        if matches!(value, Value::Map(_)) {
            return Ok(Self(FlagColumn::deserialize_from_value(value, at)?));
        }
        Ok(Self(FlagColumn {
            from: Texts::deserialize_from_value(value, at)?,
            yes: Texts(vec!["true".to_owned()]),
            no: Texts(vec!["false".to_owned()]),
        }))
    }
}

impl From<RestFields> for Fields {
    fn from(fields: RestFields) -> Self {
        let date = |date: Option<RestDate>| date.map(|RestDate(column)| column);
        Self {
            hr_id: fields.hr_id,
            first_name: fields.first_name,
            last_name: fields.last_name,
            email: fields.email,
            date_of_birth: date(fields.date_of_birth),
            start_date: date(fields.start_date),
            termination_date: date(fields.termination_date),
            auto_sync_employee: fields.auto_sync_employee.map(|RestFlag(column)| column),
            absences: fields.absences.map(|absences| AbsenceColumns {
                list: absences.list,
                file: None,
                kind: absences.kind,
                only: absences.only,
                texts: absences.texts,
                dates: absences
                    .dates
                    .into_iter()
                    .map(|(key, RestDate(column))| (key, column))
                    .collect(),
            }),
        }
    }
}

/// What the types cannot say: each column is a path, of the record or of a joined list.
pub(super) fn check(fields: &Fields, joins: &[Join], findings: &mut Findings) {
    findings.at.push(Step::Key("fields".to_owned()));
    check_fields(fields, findings);
    for (key, columns) in columns_of(fields) {
        for column in &columns.0 {
            match column.parse::<JsonPath>() {
                Err(error) => findings.say(key, error.to_string()),
                Ok(path) => {
                    let list = path.joined().map(|(name, _)| name.to_owned());
                    if list.is_some_and(|name| !joins.iter().any(|join| join.name == name)) {
                        findings.say(key, "There is no such list under join");
                    }
                }
            }
        }
    }
    let list = fields
        .absences
        .as_ref()
        .and_then(|absences| absences.list.as_ref());
    if list.is_some_and(|name| !joins.iter().any(|join| join.name == *name)) {
        findings.say("absences", "There is no such list under join");
    }
    findings.at.pop();
}
