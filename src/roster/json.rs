//! JSON of employees, written out by hand where it is made for everybody of a large roster: a fraction of the time of a serializer.

use chrono::NaiveDate;
use serde::Serialize;

use super::day;
use super::eight::is_plain_in_json;
use super::employee::Employee;
use super::mapping::Row;

/// A value as JSON writes it.
pub(crate) fn write(block: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(block, value)
        .expect("a roster is text, dates and flags, all of which JSON can say");
}

/// A text behind what stands before it, such as its name.
pub(crate) fn write_text(block: &mut Vec<u8>, before: &str, value: &str) {
    block.extend_from_slice(before.as_bytes());
    // What JSON writes otherwise is rare.
    if is_plain_in_json(value) {
        block.push(b'"');
        block.extend_from_slice(value.as_bytes());
        block.push(b'"');
    } else {
        write(block, value);
    }
}

/// A day, or null, behind what stands before it.
pub(crate) fn write_day(block: &mut Vec<u8>, before: &str, value: Option<NaiveDate>) {
    block.extend_from_slice(before.as_bytes());
    match value.map(|value| (value, day::bytes(value))) {
        None => block.extend_from_slice(b"null"),
        Some((_, Some(day))) => {
            block.push(b'"');
            block.extend_from_slice(&day);
            block.push(b'"');
        }
        Some((value, None)) => write(block, &value),
    }
}

/// A day as JSON has it; `None` where it is not one of the years that nearly all are of.
fn day_in_json(value: Option<NaiveDate>) -> Option<Literal> {
    let Some(value) = value else {
        return Some(Literal {
            bytes: *b"null        ",
            length: 4,
        });
    };
    let mut bytes = [b'"'; 12];
    bytes[1..11].copy_from_slice(&day::bytes(value)?);
    Some(Literal { bytes, length: 12 })
}

/// Something short that JSON says.
#[derive(Clone, Copy)]
pub(crate) struct Literal {
    bytes: [u8; 12],
    length: usize,
}

/// The days of somebody whose values JSON writes as they are: birth, first and last. Nearly everybody's; of the others, `None`.
pub(crate) fn plain_days(employee: &Employee) -> Option<[Literal; 3]> {
    let is_plain = employee.absences.is_empty()
        && is_plain_in_json(employee.texts())
        && is_plain_in_json(employee.hr_id.as_str());
    if !is_plain {
        return None;
    }
    Some([
        day_in_json(employee.date_of_birth)?,
        day_in_json(employee.start_date)?,
        day_in_json(employee.termination_date)?,
    ])
}

/// Room at the end of a block, in which one thing is put behind the other without a look for more.
pub(crate) struct Room<'b> {
    bytes: &'b mut [u8],
    at: usize,
}

impl Room<'_> {
    /// Calls `write` with so much room; what is left of it is given back.
    pub(crate) fn of(block: &mut Vec<u8>, length: usize, write: impl FnOnce(&mut Room<'_>)) {
        let start = block.len();
        block.resize(start + length, 0);
        let mut room = Room {
            bytes: &mut block[start..],
            at: 0,
        };
        write(&mut room);
        let end = start + room.at;
        block.truncate(end);
    }

    /// What is the same for everybody.
    pub(crate) fn put<const N: usize>(&mut self, bytes: &[u8; N]) -> &mut Self {
        self.bytes[self.at..self.at + N].copy_from_slice(bytes);
        self.at += N;
        self
    }

    /// A text that JSON writes as it is, without the quotes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes[self.at..self.at + text.len()].copy_from_slice(text.as_bytes());
        self.at += text.len();
        self
    }

    pub(crate) fn literal(&mut self, literal: &Literal) -> &mut Self {
        // All of it is put there, and what comes next stands behind its end.
        self.bytes[self.at..self.at + literal.bytes.len()].copy_from_slice(&literal.bytes);
        self.at += literal.length;
        self
    }
}

/// More than everything that stands around the texts of somebody who is kept: quotes, days and what is between them.
const AROUND: usize = 80;

impl Employee {
    /// Writes them in the form in which they are kept: values in the order of their fields, without the names, which make half of it; what reads JSON reads either.
    pub(crate) fn write_json(&self, block: &mut Vec<u8>) {
        // Whoever has neither of the last two is read as one who has neither.
        let has_rest = self.auto_sync_employee.is_some() || !self.absences.is_empty();
        if !has_rest && let Some([birth, start, end]) = plain_days(self) {
            let hr_id = self.hr_id.as_str();
            let length = AROUND + hr_id.len() + self.texts().len();
            return Room::of(block, length, |room| {
                room.put(b"[\"").text(hr_id);
                for text in [self.first_name(), self.last_name(), self.email()] {
                    room.put(b"\",\"").text(text);
                }
                room.put(b"\",").literal(&birth);
                room.put(b",").literal(&start);
                room.put(b",").literal(&end);
                room.put(b"]");
            });
        }
        write_text(block, "[", self.hr_id.as_str());
        for text in [self.first_name(), self.last_name(), self.email()] {
            write_text(block, ",", text);
        }
        for day in [self.date_of_birth, self.start_date, self.termination_date] {
            write_day(block, ",", day);
        }
        if has_rest {
            block.push(b',');
            write(block, &self.auto_sync_employee);
            block.push(b',');
            write(block, &self.absences[..]);
        }
        block.push(b']');
    }
}

impl Row {
    /// The same of a row.
    pub(crate) fn write_json(&self, block: &mut Vec<u8>) {
        block.push(b'[');
        write(block, &self.line);
        block.push(b',');
        self.employee.write_json(block);
        if !self.wrong.is_empty() {
            block.push(b',');
            write(block, &self.wrong);
        }
        block.push(b']');
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::array::{uniform3, uniform4};
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::roster::{Field, HrId, Rare, Wrong};

    #[test]
    fn a_row_that_was_kept_long_ago_is_read_by_the_places_or_the_names_of_its_values() {
        let day = NaiveDate::from_ymd_opt;
        let mut employee = Employee::new(HrId::new("01"), "Ada", "Berg", "a@b.example");
        employee.date_of_birth = day(1990, 1, 2);
        employee.start_date = day(2020, 3, 4);
        employee.termination_date = day(2027, 5, 6);
        let short = employee.clone();
        employee.auto_sync_employee = Some(true);
        let absence = [("type".to_owned(), "parental".to_owned())].into();
        employee.absences.extend(Some(absence));
        let mut wrong = Rare::default();
        let row = |employee: &Employee, wrong: &Rare<_>| Row {
            line: 7,
            employee: employee.clone().into(),
            wrong: wrong.clone(),
        };
        let none = row(&short, &wrong);
        wrong.push((Field::StartDate, Wrong::NotADate));
        let all = row(&employee, &wrong);
        let people = r#"["01","Ada","Berg","a@b.example","1990-01-02","2020-03-04","2027-05-06""#;
        let named = r#"{"line":7,"employee":{"hrId":"01","firstName":"Ada","lastName":"Berg","email":"a@b.example","dateOfBirth":"1990-01-02","startDate":"2020-03-04","terminationDate":"2027-05-06""#;
        for (kept, row) in [
            (format!("[7,{people}]]"), &none),
            (
                format!(
                    r#"[7,{people},true,[{{"type":"parental"}}]],[["startDate","not_a_date"]]]"#
                ),
                &all,
            ),
            (format!("{named}}}}}"), &none),
            (
                format!(
                    r#"{named},"autoSyncEmployee":true,"absences":[{{"type":"parental"}}]}},"wrong":[["startDate","not_a_date"]]}}"#
                ),
                &all,
            ),
        ] {
            assert_eq!(serde_json::from_str::<Row>(&kept).unwrap(), *row, "{kept}");
        }
        for (row, kept) in [(none, "]]"), (all, r#"[["startDate","not_a_date"]]]"#)] {
            let mut block = Vec::new();
            row.write_json(&mut block);
            let block = String::from_utf8(block).unwrap();
            assert!(
                block.starts_with(&format!("[7,{people}")) && block.ends_with(kept),
                "{block}"
            );
        }
    }

    /// Somebody with any values.
    pub(crate) fn anybody() -> impl Strategy<Value = Employee> {
        let absence = btree_map(any::<String>(), any::<String>(), 0..3);
        (
            // Half of them as nearly everybody is.
            prop_oneof![uniform4(any::<String>()), uniform4("[a-zäß0-9@. -]{0,20}")],
            uniform3(option::of(prop_oneof![
                -5_000_000..5_000_000i32,
                700_000..740_000i32
            ])),
            any::<Option<bool>>(),
            prop_oneof![Just(Vec::new()), vec(absence, 0..3)],
        )
            .prop_map(|(texts, days, flag, absences)| {
                let [hr_id, first_name, last_name, email] = &texts;
                let mut employee = Employee::new(HrId::new(hr_id), first_name, last_name, email);
                let day = |days: Option<i32>| NaiveDate::from_num_days_from_ce_opt(days?);
                let [birth, start, end] = days.map(day);
                employee.date_of_birth = birth;
                employee.start_date = start;
                employee.termination_date = end;
                employee.auto_sync_employee = flag;
                employee.absences.extend(absences);
                employee
            })
    }

    proptest! {
        #[test]
        fn whatever_a_row_has_it_is_read_as_it_was_written(
            line in any::<u64>(),
            employee in anybody(),
            is_wrong in any::<bool>(),
        ) {
            let mut wrong = Rare::default();
            if is_wrong {
                wrong.push((Field::StartDate, Wrong::NotADate));
            }
            let row = Row { line, employee: employee.into(), wrong };
            let mut block = Vec::new();
            row.write_json(&mut block);
            prop_assert_eq!(serde_json::from_slice::<Row>(&block).unwrap(), row.clone());
            // Older versions have written the names too.
            let named = serde_json::to_vec(&row).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Row>(&named).unwrap(), row);
        }
    }
}
