//! Tests of the rows of a file of absences.

use super::*;
use crate::config::{AbsenceColumns, TableConfig, Texts};
use crate::source::intake::tests::source;
use crate::source::text::tests::of;

fn texts(all: &[&str]) -> Texts {
    Texts(all.iter().map(|text| (*text).to_owned()).collect())
}

/// A source as it is for its file of absences.
fn of_absences() -> Source {
    let mut source = source("absences_*.csv");
    source.table = TableConfig {
        min_rows: 0,
        ..TableConfig::default()
    };
    source.fields.hr_id = texts(&["Nummer", "PersNr"]);
    source.fields.absences = Some(AbsenceColumns {
        list: None,
        file: None,
        kind: texts(&["Art"]),
        only: texts(&["Elternzeit"]),
        texts: [
            ("type".to_owned(), texts(&["Art"])),
            ("note".to_owned(), texts(&["Text"])),
        ]
        .into(),
        dates: std::collections::BTreeMap::new(),
    });
    source
}

fn read(rows: &[&str]) -> Absences {
    let mut text = "Nummer;PersNr;Art;Text\n".to_owned();
    for row in rows {
        text.push_str(row);
        text.push('\n');
    }
    let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    Absences::read(&of_absences(), of(&text), "absences.csv", today).unwrap()
}

/// What is said in the end, once the roster has asked for these people.
fn end(rows: &[&str], roster: &[&str], some: bool) -> Result<Option<String>, String> {
    let mut absences = read(rows);
    for key in roster {
        absences.of(key);
    }
    let end = absences.end("roster.csv", some);
    end.map_err(|error| error.to_string())
}

#[test]
fn each_person_has_the_rows_of_their_number_that_are_of_a_sent_kind() {
    let mut absences = read(&[
        "0007;;Elternzeit;b",
        ";0008;Elternzeit;c",
        "0007;;Krankheit;d",
        "0007;;Elternzeit;a",
        "0007;;Elternzeit;a",
    ]);
    let (found, wrong) = absences.of("0007");
    let notes: Vec<&str> = found.iter().map(|one| one["note"].as_str()).collect();
    assert_eq!((notes, wrong), (vec!["a", "b"], None));
    assert_eq!(absences.of("0008").0.len(), 1);
    // Leading zeros count, and nobody has an empty number.
    assert!(absences.of("7").0.is_empty());
    assert!(absences.of("").0.is_empty());
}

#[test]
fn an_umlaut_in_a_number_may_be_written_in_either_form() {
    let mut absences = read(&["U\u{308}1;;Elternzeit;a"]);
    assert_eq!(absences.of("\u{dc}1").0.len(), 1);
}

#[test]
fn a_value_that_makes_no_sense_is_the_trouble_of_its_person_alone() {
    let long = "x".repeat(251);
    let mut absences = read(&[
        &format!("1;;Elternzeit;{long}"),
        "1;;Elternzeit;a",
        "2;;Elternzeit;b",
    ]);
    assert_eq!(absences.of("1").1, Some(Wrong::TooLong));
    assert_eq!(absences.of("2").1, None);
}

#[test]
fn a_file_that_tells_nothing_fails_only_where_there_are_absences() {
    for (rows, says) in [
        (&[][..], "absences.csv has no rows"),
        (
            &[";;Elternzeit;a"],
            "column Nummer or PersNr of absences.csv is empty in every row",
        ),
        (
            &["1;;;a", "2;;;b"],
            "column Art of absences.csv is empty in every row",
        ),
        (
            &["01;;Elternzeit;a"],
            "None of the 1 rows of absences.csv is of a person of roster.csv",
        ),
        (
            &["01;;Elternzeit;a", ";;Elternzeit;b"],
            "None of the 2 rows",
        ),
    ] {
        let error = end(rows, &["1"], true).unwrap_err();
        assert!(error.contains(says), "{error}");
        end(rows, &["1"], false).unwrap();
    }
    // One row of another kind shows that the export works.
    assert_eq!(end(&["1;;Urlaub;"], &["1"], true), Ok(None));
}

#[test]
fn rows_that_belong_to_nobody_are_told_where_they_are_many() {
    let rows = ["1;;Urlaub;", "2;;Urlaub;", "3;;Urlaub;"];
    assert_eq!(end(&rows, &["1", "2"], true), Ok(None));
    let note = end(&rows, &["1"], true).unwrap().unwrap();
    assert_eq!(
        note,
        "2 of 3 rows of absences.csv are of people who are not in roster.csv and are ignored"
    );
    let note = end(&["1;;Urlaub;", ";;Urlaub;"], &["1"], true)
        .unwrap()
        .unwrap();
    assert!(
        note.contains("1 of 2 rows of absences.csv have no hrId"),
        "{note}"
    );
}
