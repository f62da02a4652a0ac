//! Reads the body of a sync and judges its records: 400 for what has not the documented shape, 422 for values.
//!
//! Messages never repeat a value: they end in logs, and the values are personal.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use chrono::NaiveDate;
use email_address::{EmailAddress, Options};
use memchr::memmem;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::state::{Named, Person, Push};
use crate::jobticket::wire::SyncRequest;
use crate::parallel;
use crate::roster::{all_differ, day, lower_case};

/// A record as it came. Required values may be missing and dates may be any text here, so that both are a 422 with
/// the name of the field instead of a 400.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    first_name: Option<Text<'a>>,
    #[serde(borrow)]
    last_name: Option<Text<'a>>,
    #[serde(borrow)]
    email: Option<Text<'a>>,
    #[serde(borrow)]
    profile_image: Option<Text<'a>>,
    date_of_birth: Option<Day>,
    #[serde(borrow)]
    hr_id: Option<Text<'a>>,
    start_date: Option<Day>,
    termination_date: Option<Day>,
    /// Its meaning is not documented: only its type is checked.
    auto_sync_employee: Option<bool>,
    /// The shape of an item is not documented: only the type is checked.
    #[serde(deserialize_with = "objects")]
    absences: (),
}

/// A text of the body, which it borrows unless it is escaped there. (serde borrows in an `Option` only with a type of its own.)
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A calendar day, `YYYY-MM-DD` and no other form; nothing where the text is none.
#[derive(Debug)]
struct Day(Option<NaiveDate>);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|text| Self(day::read(text.0.as_bytes())))
    }
}

fn objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Vec::<Map<String, Value>>::deserialize(deserializer).map(drop)
}

/// A request as it came.
pub(crate) type Received<'a> = SyncRequest<Vec<Record<'a>>>;

/// Fields and what is wrong with them, such as `employees.3.email`.
pub(crate) type FieldErrors = BTreeMap<String, Vec<String>>;

impl Record<'_> {
    pub(crate) fn hr_id(&self) -> Option<&str> {
        self.hr_id.as_ref().map(|text| &*text.0)
    }

    fn email(&self) -> Option<&str> {
        self.email.as_ref().map(|text| &*text.0)
    }
}

/// Parses JSON. The error names the place alone: what the parser says may quote a value.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| place(&error))
}

/// So many bytes of records are read as one job, and a record more at most.
const AT_ONCE: usize = 1 << 18;

/// Parses a push with several processors: a large one is all that its client waits for.
pub(crate) fn parse_push(body: &[u8]) -> Result<Received<'_>, String> {
    // Which also takes any other form, and knows the place of an error in the whole body.
    parse_pieces(body).map_or_else(|| parse(body), Ok)
}

/// The same in pieces, for a body as our client writes it; `None` where it is another one.
///
/// Where it is cut is a guess, for `},{` may stand in a text. But each piece has to be whole records and nothing else, and one that ended within
/// a text would not be.
fn parse_pieces(body: &[u8]) -> Option<Received<'_>> {
    let (sync_id, rest) = first(body.strip_prefix(br#"{"syncId":"#)?)?;
    let rest = rest.strip_prefix(br#","employees":["#)?;
    let mut rest = rest.strip_suffix(b"]}")?;
    let between = memmem::Finder::new(b"},{");
    let mut pieces = Vec::with_capacity(rest.len() / AT_ONCE + 1);
    while let Some(at) = rest.get(AT_ONCE..).and_then(|tail| between.find(tail)) {
        let (piece, after) = rest.split_at(AT_ONCE + at + 1);
        pieces.push(piece);
        rest = after.strip_prefix(b",")?;
    }
    pieces.push(rest);
    let (mut employees, count) = (Vec::new(), pieces.len());
    let read = parallel::in_order(pieces.into_iter(), records_of, |some| {
        let some: Vec<Record<'_>> = some.ok_or(())?;
        if employees.is_empty() {
            // All pieces are about as long.
            employees.reserve(some.len() * count);
        }
        employees.extend(some);
        Ok::<_, ()>(())
    });
    read.ok().map(|()| SyncRequest { sync_id, employees })
}

/// The records of a piece.
fn records_of(mut piece: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut records = Vec::new();
    while !piece.is_empty() {
        let (record, rest) = first(piece)?;
        records.push(record);
        piece = match rest {
            [] => rest,
            _ => rest.strip_prefix(b",").filter(|rest| !rest.is_empty())?,
        };
    }
    Some(records)
}

/// The first value of some JSON, and what stands behind it.
fn first<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<(T, &'a [u8])> {
    let mut values = serde_json::Deserializer::from_slice(json).into_iter();
    let value = values.next()?.ok()?;
    Some((value, json.get(values.byte_offset()..)?))
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
pub(crate) fn judge(integration: u64, request: Received<'_>) -> (Push, FieldErrors) {
    let mut errors = FieldErrors::new();
    if request.sync_id.trim().is_empty() {
        add(&mut errors, "syncId".to_owned(), REQUIRED);
    }
    let mut records = request.employees;
    let twice = Twice::of(&records);
    let mut push = Push {
        integration,
        sync_id: request.sync_id,
        people: Vec::with_capacity(records.len()),
        named: Named::default(),
    };
    let Ok(()) = parallel::in_order(
        records.chunks_mut(JUDGED_AT_ONCE).enumerate(),
        |(chunk, some)| judge_some(chunk * JUDGED_AT_ONCE, some, &twice),
        |(people, named, wrong)| {
            push.people.extend(people);
            push.named.hr_ids.extend(named.hr_ids);
            push.named.emails.extend(named.emails);
            errors.extend(wrong);
            Ok::<_, Infallible>(())
        },
    );
    (push, errors)
}

/// So many records are judged as one job.
const JUDGED_AT_ONCE: usize = 1_000;

/// What occurs more than once in a request.
struct Twice {
    hr_ids: HashSet<String>,
    /// In lower case.
    emails: HashSet<String>,
}

impl Twice {
    fn of(records: &[Record<'_>]) -> Self {
        // Nearly always all differ, which their hashes alone tell.
        let (mut hr_ids, mut emails) = (Vec::new(), Vec::new());
        let Ok(()) = parallel::in_order(
            records.chunks(JUDGED_AT_ONCE),
            |some| {
                let hash = |text: &str| xxh3_64(text.as_bytes());
                let hr_ids = some.iter().filter_map(Record::hr_id).map(hash);
                let emails = some.iter().filter_map(Record::email);
                let emails = emails.map(|email| hash(&lower_case(email)));
                (hr_ids.collect::<Vec<_>>(), emails.collect::<Vec<_>>())
            },
            |(some_hr_ids, some_emails)| {
                hr_ids.extend(some_hr_ids);
                emails.extend(some_emails);
                Ok::<_, Infallible>(())
            },
        );
        let mut differ = Vec::new();
        let Ok(()) = parallel::in_order([hr_ids, emails].into_iter(), all_differ, |all| {
            differ.push(all);
            Ok::<_, Infallible>(())
        });
        let [hr_ids, emails] = [0, 1].map(|of| differ.get(of) != Some(&true));
        let hr_ids = hr_ids.then(|| repeated(records.iter().filter_map(Record::hr_id)));
        let emails =
            emails.then(|| repeated(records.iter().filter_map(Record::email).map(lower_case)));
        Self {
            hr_ids: hr_ids.unwrap_or_default(),
            emails: emails.unwrap_or_default(),
        }
    }
}

/// The people of some valid records, those of the others, and what is wrong with these. The first of them has this `index` in the request.
fn judge_some(
    index: usize,
    records: &mut [Record<'_>],
    twice: &Twice,
) -> (Vec<Person>, Named, FieldErrors) {
    let (mut named, mut errors) = (Named::default(), FieldErrors::new());
    let judge = |(index, record): (usize, &mut Record<'_>)| {
        let record = std::mem::take(record);
        let before = errors.len();
        let mut field = Fields {
            index,
            errors: &mut errors,
        };
        if record.hr_id().is_some_and(|id| twice.hr_ids.contains(id)) {
            field.add("hrId", REPEATED);
        }
        let is_twice = |email| twice.emails.contains(&*lower_case(email));
        if !twice.emails.is_empty() && record.email().is_some_and(is_twice) {
            field.add("email", REPEATED);
        }
        let person = Person {
            hr_id: field.required("hrId", record.hr_id),
            first_name: field.required("firstName", record.first_name),
            last_name: field.required("lastName", record.last_name),
            email: field.email(record.email),
            date_of_birth: field.date("dateOfBirth", record.date_of_birth),
            profile_image: record.profile_image.map(|text| text.0.into_owned()),
            start_date: field.date("startDate", record.start_date),
            termination_date: field.date("terminationDate", record.termination_date),
        };
        if errors.len() == before {
            return Some(person);
        }
        named.emails.insert(person.email.to_lowercase());
        named.hr_ids.insert(person.hr_id);
        None
    };
    let people = (index..).zip(records).filter_map(judge).collect();
    (people, named, errors)
}

const REQUIRED: &str = "must not be empty";
const REPEATED: &str = "occurs more than once in this request";

fn add(errors: &mut FieldErrors, field: String, message: &str) {
    errors.entry(field).or_default().push(message.to_owned());
}

/// The values that occur more than once; blank ones are another error.
fn repeated<T: Borrow<str> + Eq + Hash>(values: impl Iterator<Item = T>) -> HashSet<String> {
    let most = values.size_hint().1.unwrap_or(0);
    let mut seen = HashSet::with_capacity_and_hasher(most, Short::default());
    let mut repeated = HashSet::new();
    for value in values {
        if let Some(same) = seen.replace(value)
            && !is_blank(same.borrow())
        {
            repeated.insert(same.borrow().to_owned());
        }
    }
    repeated
}

/// A hash for short texts, in a fraction of the time of the usual one. That guards against texts made to collide, which nobody
/// sends here.
type Short = BuildHasherDefault<ShortHasher>;

#[derive(Default)]
struct ShortHasher(u64);

impl Hasher for ShortHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The end of a text, which there is only one of.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
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

    fn required(&mut self, field: &str, value: Option<Text<'_>>) -> String {
        let value = value.map_or_else(String::new, |text| text.0.into_owned());
        if is_blank(&value) {
            self.add(field, REQUIRED);
        }
        value
    }

    fn email(&mut self, value: Option<Text<'_>>) -> String {
        let value = self.required("email", value);
        let form = Options::default()
            .with_required_tld()
            .without_display_text();
        if !is_blank(&value) && EmailAddress::parse_with_options(&value, form).is_err() {
            self.add("email", "must be an e-mail address");
        }
        value
    }

    fn date(&mut self, field: &str, value: Option<Day>) -> Option<NaiveDate> {
        let Day(date) = value?;
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
            ("startDate", json!("2022-03-01 ")),
            ("startDate", json!("+12022-03-01")),
            ("terminationDate", json!("")),
        ] {
            let (push, errors) = judged(&json!([valid("b"), with(field, value.clone())]));
            let names: Vec<_> = errors.keys().cloned().collect();
            assert_eq!(names, [format!("employees.1.{field}")], "{value}");
            assert_eq!(push.people.len(), 1);
        }
    }

    #[test]
    fn a_bad_value_is_named_by_its_index_among_thousands() {
        let mut records: Vec<Value> = (0..2_500).map(|one| valid(&one.to_string())).collect();
        for index in [0, 999, 1_000, 2_499] {
            records[index]["firstName"] = json!("");
        }
        let (push, errors) = judged(&json!(records));
        let names: Vec<_> = errors.keys().map(String::as_str).collect();
        let wrong = |index: u32| format!("employees.{index}.firstName");
        assert_eq!(names, [wrong(0), wrong(1_000), wrong(2_499), wrong(999)]);
        assert_eq!(push.people.len(), 2_496);
        assert!(
            push.people
                .iter()
                .map(|person| &person.hr_id)
                .is_sorted_by_key(|hr_id| hr_id.parse::<u32>().unwrap())
        );
        assert!(push.named.hr_ids.contains("2499") && push.named.hr_ids.len() == 4);
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
    fn duplicates_are_found_however_they_are_written() {
        let body = r#"{"syncId":"s","employees":[
            {"firstName":"A","lastName":"A","hrId":"\u00e4","email":"a@example.com"},
            {"firstName":"A","lastName":"A","hrId":"b","email":"\u00c4b@example.com"},
            {"firstName":"A","lastName":"A","hrId":"ä","email":"c@example.com"},
            {"firstName":"A","lastName":"A","hrId":"d","email":"äB@example.com"},
            {"firstName":"A","lastName":"A","hrId":"ä","email":"e@example.com"}]}"#;
        let (push, errors) = judge(7, parse(body.as_bytes()).unwrap());
        let names: Vec<_> = errors.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "employees.0.hrId",
                "employees.1.email",
                "employees.2.hrId",
                "employees.3.email",
                "employees.4.hrId"
            ]
        );
        assert!(push.named.hr_ids.contains("ä"));
        assert!(push.named.emails.contains("äb@example.com"));
    }

    #[test]
    fn absences_are_a_list_of_objects_or_the_shape_is_wrong() {
        let body = |absences: &Value| {
            json!({"syncId": "s", "employees": [with("absences", absences.clone())]}).to_string()
        };
        for fits in [json!([]), json!([{"from": "2026-01-01"}, {}])] {
            assert!(parse::<Received<'_>>(body(&fits).as_bytes()).is_ok());
        }
        for wrong in [json!(null), json!({}), json!([1])] {
            assert!(parse::<Received<'_>>(body(&wrong).as_bytes()).is_err());
        }
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
        let error = parse::<Received<'_>>(body.to_string().as_bytes()).unwrap_err();
        assert!(error.starts_with("not the expected shape") && !error.contains("Secret"));
        assert_eq!(parse_push(body.to_string().as_bytes()).unwrap_err(), error);
        assert!(parse::<Received<'_>>(br#"{"syncId":"s"}"#).is_err());
        assert!(
            parse::<Received<'_>>(br#"{"syncId":"s","employees":["#)
                .unwrap_err()
                .starts_with("cut")
        );
    }

    #[test]
    fn a_push_in_pieces_is_read_as_in_one() {
        let read = |received: Received<'_>| -> Vec<String> {
            let records = received.employees.iter();
            records.map(|record| format!("{record:?}")).collect()
        };
        for (last_name, is_cut_there) in [("Müller", false), ("},{\"hrId\":\"7\"},{", true)] {
            let record = |index: usize| {
                let mut record = valid(&index.to_string());
                record["lastName"] = json!(last_name.repeat(1 + index % 30));
                record
            };
            let records: Vec<Value> = (0..6_000).map(record).collect();
            let body = format!(r#"{{"syncId":"s","employees":{}}}"#, json!(records));
            let body = body.as_bytes();
            assert!(body.len() > 4 * AT_ONCE);
            assert_eq!(parse_pieces(body).is_none(), is_cut_there);
            let all = read(parse_push(body).unwrap());
            assert_eq!(all.len(), 6_000);
            assert_eq!(all, read(parse(body).unwrap()));
        }
    }

    #[test]
    fn what_our_client_would_not_write_is_not_read_in_pieces() {
        let wants = |body: &str| parse_pieces(body.as_bytes()).map(|all| all.employees.len());
        assert_eq!(wants(r#"{"syncId":"s","employees":[]}"#), Some(0));
        assert_eq!(wants(r#"{"syncId":"s","employees":[{},{}]}"#), Some(2));
        for body in [
            r#"{"syncId":"s","employees":[{},]}"#,
            r#"{"syncId":"s","employees":[{},{]}"#,
            r#"{"syncId":"s","employees":[{}],"more":[{}]}"#,
            r#"{"syncId":"s","employees":[],"x":{"employees":[{}]}"#,
            r#"{"syncId":"s","employees":[{}]"#,
            r#"{"syncId":"s","employees":[{"hrId":"]}"#,
            r#"{"employees":[{}],"syncId":"s"}"#,
        ] {
            assert_eq!(wants(body), None, "{body}");
        }
    }

    #[test]
    fn an_empty_sync_id_is_an_error_of_its_own() {
        let body = br#"{"syncId":"","employees":[]}"#;
        let (_, errors) = judge(7, parse(body).unwrap());
        assert_eq!(errors.keys().collect::<Vec<_>>(), ["syncId"]);
    }
}
