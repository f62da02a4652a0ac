//! JSON of employees, written out by hand where it is made for everybody of a large roster: a fraction of the time of a serializer.

use chrono::NaiveDate;
use serde::Serialize;

use super::day;
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
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
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
    let mut buffer = [0; 10];
    match value.map(|value| (value, day::text(value, &mut buffer))) {
        None => block.extend_from_slice(b"null"),
        Some((_, Some(text))) => {
            block.push(b'"');
            block.extend_from_slice(text.as_bytes());
            block.push(b'"');
        }
        Some((value, None)) => write(block, &value),
    }
}

impl Row {
    /// Writes it in the form in which it is kept: values in the order of their fields, without the names, which make half of a row; what reads JSON reads either.
    pub(crate) fn write_json(&self, block: &mut Vec<u8>) {
        let employee: &Employee = &self.employee;
        block.push(b'[');
        write(block, &self.line);
        write_text(block, ",[", employee.hr_id.as_str());
        write_text(block, ",", employee.first_name());
        write_text(block, ",", employee.last_name());
        write_text(block, ",", employee.email());
        write_day(block, ",", employee.date_of_birth);
        write_day(block, ",", employee.start_date);
        write_day(block, ",", employee.termination_date);
        // Whoever has neither is read as one who has neither.
        if employee.auto_sync_employee.is_some() || !employee.absences.is_empty() {
            block.push(b',');
            write(block, &employee.auto_sync_employee);
            block.push(b',');
            write(block, &employee.absences[..]);
        }
        block.push(b']');
        if !self.wrong.is_empty() {
            block.push(b',');
            write(block, &self.wrong);
        }
        block.push(b']');
    }
}

#[cfg(test)]
pub(crate) mod tests {
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
        let absence = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3);
        (
            proptest::array::uniform4(any::<String>()),
            proptest::array::uniform3(proptest::option::of(-5_000_000..5_000_000i32)),
            any::<Option<bool>>(),
            proptest::collection::vec(absence, 0..3),
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
