//! Reads the body of a sync and judges its records: 400 for what has not the documented shape, 422 for values.
//!
//! Messages never repeat a value: they end in logs, and the values are personal.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use email_address::{EmailAddress, Options};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::state::{Named, Person, Push};
use crate::jobticket::wire::SyncRequest;

/// A record as it came. Required values may be missing and dates may be any text here, so that both are a 422 with
/// the name of the field instead of a 400.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    profile_image: Option<String>,
    date_of_birth: Option<String>,
    hr_id: Option<String>,
    start_date: Option<String>,
    termination_date: Option<String>,
    /// Its meaning is not documented: only its type is checked.
    auto_sync_employee: Option<bool>,
    /// The shape of an item is not documented: only the type is checked.
    absences: Vec<Map<String, Value>>,
}

/// A request as it came.
pub(crate) type Received = SyncRequest<Vec<Record>>;

/// Fields and what is wrong with them, such as `employees.3.email`.
pub(crate) type FieldErrors = BTreeMap<String, Vec<String>>;

impl Record {
    pub(crate) fn hr_id(&self) -> Option<&str> {
        self.hr_id.as_deref()
    }
}

/// Parses JSON. The error names the place alone: what the parser says may quote a value.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| place(&error))
}

/// Kind and place of a JSON error, without the value that it is about.
pub(crate) fn place(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "not readable",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "not the expected shape",
        serde_json::error::Category::Eof => "cut short",
    };
    format!("{kind}, line {} column {}", error.line(), error.column())
}

/// Splits a request into the push of its valid records and the errors of the others.
pub(crate) fn judge(integration: u64, request: Received) -> (Push, FieldErrors) {
    let mut errors = FieldErrors::new();
    if request.sync_id.trim().is_empty() {
        add(&mut errors, "syncId".to_owned(), REQUIRED);
    }
    let twice_hr_id = repeated(request.employees.iter().filter_map(|r| r.hr_id.clone()));
    let twice_email = repeated(
        request
            .employees
            .iter()
            .filter_map(|r| r.email.as_deref())
            .map(str::to_lowercase),
    );
    let mut named = Named::default();
    let mut people = Vec::with_capacity(request.employees.len());
    for (index, record) in request.employees.into_iter().enumerate() {
        let before = errors.len();
        let mut field = Fields {
            index,
            errors: &mut errors,
        };
        if record
            .hr_id
            .as_ref()
            .is_some_and(|hr_id| twice_hr_id.contains_key(hr_id))
        {
            field.add("hrId", REPEATED);
        }
        let email_key = record.email.as_deref().map(str::to_lowercase);
        if email_key
            .as_ref()
            .is_some_and(|email| twice_email.contains_key(email))
        {
            field.add("email", REPEATED);
        }
        let person = Person {
            hr_id: field.required("hrId", record.hr_id),
            first_name: field.required("firstName", record.first_name),
            last_name: field.required("lastName", record.last_name),
            email: field.email(record.email),
            date_of_birth: field.date("dateOfBirth", record.date_of_birth.as_deref()),
            profile_image: record.profile_image,
            start_date: field.date("startDate", record.start_date.as_deref()),
            termination_date: field.date("terminationDate", record.termination_date.as_deref()),
        };
        if errors.len() == before {
            people.push(person);
        } else {
            named.hr_ids.insert(person.hr_id);
            named.emails.insert(person.email.to_lowercase());
        }
    }
    (
        Push {
            integration,
            sync_id: request.sync_id,
            people,
            named,
        },
        errors,
    )
}

const REQUIRED: &str = "must not be empty";
const REPEATED: &str = "occurs more than once in this request";

fn add(errors: &mut FieldErrors, field: String, message: &str) {
    errors.entry(field).or_default().push(message.to_owned());
}

/// The values that occur more than once; empty ones are another error.
fn repeated(values: impl Iterator<Item = String>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for value in values.filter(|value| !value.trim().is_empty()) {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts.retain(|_, count| *count > 1);
    counts
}

/// The fields of one record.
struct Fields<'a> {
    index: usize,
    errors: &'a mut FieldErrors,
}

impl Fields<'_> {
    fn add(&mut self, field: &str, message: &str) {
        add(
            self.errors,
            format!("employees.{}.{field}", self.index),
            message,
        );
    }

    fn required(&mut self, field: &str, value: Option<String>) -> String {
        let value = value.unwrap_or_default();
        if value.trim().is_empty() {
            self.add(field, REQUIRED);
        }
        value
    }

    fn email(&mut self, value: Option<String>) -> String {
        let value = self.required("email", value);
        let form = Options::default()
            .with_required_tld()
            .without_display_text();
        if !value.trim().is_empty() && EmailAddress::parse_with_options(&value, form).is_err() {
            self.add("email", "must be an e-mail address");
        }
        value
    }

    /// A calendar day, `YYYY-MM-DD` and no other form.
    fn date(&mut self, field: &str, value: Option<&str>) -> Option<NaiveDate> {
        let text = value?;
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let date = date.filter(|date| date.to_string() == text);
        if date.is_none() {
            self.add(field, "must be a date, YYYY-MM-DD");
        }
        date
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(employees: &Value) -> (Push, FieldErrors) {
        let body = json!({"syncId": "s", "employees": employees}).to_string();
        judge(7, parse(body.as_bytes()).unwrap())
    }

    fn valid(hr_id: &str) -> Value {
        json!({"firstName": "Anna", "lastName": "M", "email": format!("{hr_id}@example.com"), "hrId": hr_id})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut record = valid("a");
        record[field] = value;
        record
    }

    #[test]
    fn a_valid_record_becomes_a_person() {
        let (push, errors) = judged(&json!([valid("007")]));
        assert!(errors.is_empty());
        assert_eq!(push.people[0].hr_id, "007");
        assert!(push.named.hr_ids.is_empty());
    }

    #[test]
    fn each_bad_value_is_named_by_index_and_field() {
        for (field, value) in [
            ("firstName", json!("")),
            ("lastName", json!(" ")),
            ("email", json!(null)),
            ("email", json!("anna")),
            ("email", json!("Anna <anna@example.com>")),
            ("email", json!("anna@example")),
            ("hrId", json!("")),
            ("dateOfBirth", json!("1990-02-30")),
            ("startDate", json!("1.3.2022")),
            ("startDate", json!("2022-3-1")),
            ("terminationDate", json!("")),
        ] {
            let (push, errors) = judged(&json!([valid("b"), with(field, value.clone())]));
            let names: Vec<_> = errors.keys().cloned().collect();
            assert_eq!(names, [format!("employees.1.{field}")], "{value}");
            assert_eq!(push.people.len(), 1);
        }
    }

    #[test]
    fn all_records_of_a_duplicate_are_named() {
        let mut second = valid("b");
        second["email"] = json!("A@EXAMPLE.COM");
        let (push, errors) = judged(&json!([valid("a"), second, valid("c"), valid("c")]));
        let names: Vec<_> = errors.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "employees.0.email",
                "employees.1.email",
                "employees.2.email",
                "employees.2.hrId",
                "employees.3.email",
                "employees.3.hrId"
            ]
        );
        assert!(push.people.is_empty());
    }

    #[test]
    fn hr_ids_that_differ_in_case_or_zeros_are_different() {
        let mut people = [valid("a1"), valid("A1"), valid("01"), valid("1")];
        for (index, person) in people.iter_mut().enumerate() {
            person["email"] = json!(format!("p{index}@example.com"));
        }
        assert!(judged(&json!(people)).1.is_empty());
    }

    #[test]
    fn a_wrong_shape_is_refused_without_repeating_the_value() {
        let body = json!({"syncId": "s", "employees": [with("autoSyncEmployee", json!("Secret"))]});
        let error = parse::<Received>(body.to_string().as_bytes()).unwrap_err();
        assert!(error.starts_with("not the expected shape") && !error.contains("Secret"));
        assert!(parse::<Received>(br#"{"syncId":"s"}"#).is_err());
        assert!(
            parse::<Received>(br#"{"syncId":"s","employees":["#)
                .unwrap_err()
                .starts_with("cut")
        );
    }

    #[test]
    fn an_empty_sync_id_is_an_error_of_its_own() {
        let body = br#"{"syncId":"","employees":[]}"#;
        let (_, errors) = judge(7, parse(body).unwrap());
        assert_eq!(errors.keys().collect::<Vec<_>>(), ["syncId"]);
    }
}
