//! Good files whose form the configuration describes: dates, open ends, trailers, tables without a header, and how a file shows that it is complete.

use std::fs;

use serde_json::{Value, json};

use crate::good_files::{arrives, sent};
use crate::support::{Company, JobTicket, people, table};

fn of_table(keys: &'static str) -> impl FnOnce(&mut Company) {
    move |company| company.source += &format!("        table: {{{keys}}}\n")
}

/// The dates of one person whose cells are these, read by this format.
#[track_caller]
fn dates(format: &str, born: &str, start: &str, end: &str) -> Value {
    let mut staff = people(1);
    staff[0].born = born.to_owned();
    staff[0].start = start.to_owned();
    staff[0].end = end.to_owned();
    let format = format!("format: {format}}}");
    let set = |company: &mut Company| company.edit("format: TT.MM.JJJJ}", &format);
    let arrived = arrives(set, table(&staff)).remove(0);
    json!([
        arrived["dateOfBirth"],
        arrived["startDate"],
        arrived["terminationDate"]
    ])
}

#[test]
fn dates_are_read_in_the_configured_format_however_it_is_written() {
    let expected = json!(["1990-04-05", "2022-03-01", "2026-12-31"]);
    for (format, cells) in [
        ("TT.MM.JJJJ", ["05.04.1990", "01.03.2022", "31.12.2026"]),
        ("DD.MM.YYYY", ["05.04.1990", "01.03.2022", "31.12.2026"]),
        ("\"%d.%m.%Y\"", ["05.04.1990", "01.03.2022", "31.12.2026"]),
        ("JJJJ-MM-TT", ["1990-04-05", "2022-03-01", "2026-12-31"]),
        ("YYYYMMDD", ["19900405", "20220301", "20261231"]),
        ("MM/DD/YYYY", ["04/05/1990", "03/01/2022", "12/31/2026"]),
        ("TT.MM.JJ", ["05.04.90", "01.03.22", "31.12.26"]),
        ("JJ.MM.TT", ["90.04.05", "22.03.01", "26.12.31"]),
    ] {
        let [born, start, end] = cells;
        assert_eq!(dates(format, born, start, end), expected, "{format}");
    }
}

#[test]
fn a_list_of_formats_is_tried_in_order() {
    let expected = json!(["1990-04-05", "2022-03-01", "2026-12-31"]);
    let found = dates(
        "[TT.MM.JJJJ, JJJJ-MM-TT]",
        "1990-04-05",
        "01.03.2022",
        "2026-12-31",
    );
    assert_eq!(found, expected);
    let day_first = dates("[TT.MM.JJJJ, MM.TT.JJJJ]", "05.04.1990", "01.03.2022", "");
    assert_eq!(day_first, json!(["1990-04-05", "2022-03-01", null]));
    let month_first = dates("[MM.TT.JJJJ, TT.MM.JJJJ]", "05.04.1990", "03.01.2022", "");
    assert_eq!(month_first, json!(["1990-05-04", "2022-03-01", null]));
}

#[test]
fn every_way_to_write_an_open_end_arrives_as_null() {
    for end in [
        "",
        "31.12.9999",
        "9999-12-31",
        "99991231",
        "00.00.0000",
        "0000-00-00",
        "00000000",
        "0",
    ] {
        let found = dates("TT.MM.JJJJ", "05.04.1990", "01.03.2022", end);
        assert_eq!(found[2], Value::Null, "{end}");
    }
}

#[test]
fn values_that_the_configuration_calls_empty_arrive_as_null() {
    let mut staff = people(2);
    staff[0].end = "unbefristet".to_owned();
    staff[1].end = "31.12.2099".to_owned();
    let set = |company: &mut Company| {
        company.edit(
            "{from: Austritt, format: TT.MM.JJJJ}",
            "{from: Austritt, format: TT.MM.JJJJ, empty: [unbefristet, \"31.12.2099\"]}",
        );
    };
    let arrived = arrives(set, table(&staff));
    assert!(
        arrived
            .iter()
            .all(|person| person["terminationDate"].is_null())
    );
}

#[test]
fn birth_and_start_dates_of_zeros_arrive_as_null() {
    let found = dates("TT.MM.JJJJ", "00.00.0000", "00000000", "");
    assert_eq!(found, json!([null, null, null]));
}

#[test]
fn the_first_column_that_is_not_empty_counts() {
    let mut staff = people(2);
    let content: String = table(&staff)
        .lines()
        .zip(["Rufname", "", "Anni"])
        .map(|(line, more)| format!("{line};{more}\r\n"))
        .collect();
    let set = |company: &mut Company| {
        company.edit("firstName: Vorname", "firstName: [Rufname, Vorname]");
    };
    staff[1].first = "Anni".to_owned();
    let expected: Vec<Value> = staff.iter().map(sent).collect();
    assert_eq!(arrives(set, content), expected);
}

#[test]
fn a_trailer_with_the_right_count_is_no_employee() {
    for (template, trailer) in [
        ("\"Anzahl Datensätze: {rows}\"", "Anzahl Datensätze: 2"),
        ("\"T|{rows}\"", "T|2"),
        ("\"Summe;*\"", "Summe;;;2;;;"),
        ("EOF", "EOF;;;;;;"),
        ("\"*** Ende ({rows}) ***\"", "*** Ende (00002) ***"),
    ] {
        let content = format!("{}{trailer}\r\n", table(&people(2)));
        let set = |company: &mut Company| {
            company.source += &format!("        table: {{trailer: {template}}}\n");
        };
        let expected: Vec<Value> = people(2).iter().map(sent).collect();
        assert_eq!(arrives(set, content), expected, "{template}");
    }
}

#[test]
fn a_table_without_a_header_goes_by_the_numbers_of_its_columns() {
    let text = table(&people(2));
    let rows = text.split_once("\r\n").unwrap().1;
    let set = |company: &mut Company| {
        of_table("header: false")(company);
        for (name, number) in [
            ("hrId: Personalnummer", "hrId: 1"),
            ("firstName: Vorname", "firstName: 2"),
            ("lastName: Nachname", "lastName: \"3\""),
            ("email: E-Mail", "email: 4"),
            ("from: Geburtsdatum", "from: 5"),
            ("from: Eintritt", "from: 6"),
            ("from: Austritt", "from: 7"),
        ] {
            company.edit(name, number);
        }
    };
    let expected: Vec<Value> = people(2).iter().map(sent).collect();
    assert_eq!(arrives(set, rows), expected);
}

#[test]
fn a_flag_arrives_as_true_false_or_null() {
    let content: String = table(&people(3))
        .lines()
        .zip(["Ticket", "J", "n", ""])
        .map(|(line, more)| format!("{line};{more}\r\n"))
        .collect();
    let set = |company: &mut Company| {
        company.edit(
            "email: E-Mail",
            "email: E-Mail\n          autoSyncEmployee: {from: Ticket, yes: [J], no: [N]}",
        );
    };
    let flags: Vec<Value> = arrives(set, content)
        .iter()
        .map(|person| person["autoSyncEmployee"].clone())
        .collect();
    assert_eq!(flags, [json!(true), json!(false), Value::Null]);
}

#[test]
fn only_the_named_kinds_of_absence_arrive() {
    let content: String = table(&people(3))
        .lines()
        .zip([
            "Art;Von",
            "Elternzeit;01.12.2026",
            "Krankheit;01.12.2026",
            ";",
        ])
        .map(|(line, more)| format!("{line};{more}\r\n"))
        .collect();
    let set = |company: &mut Company| {
        company.edit(
            "email: E-Mail",
            "email: E-Mail
          absences:
            kind: Art
            only: [Elternzeit]
            texts: {type: Art}
            dates: {startDate: {from: Von, format: TT.MM.JJJJ}}",
        );
    };
    let absences: Vec<Value> = arrives(set, content)
        .iter()
        .map(|person| person["absences"].clone())
        .collect();
    let parental = json!([{"type": "Elternzeit", "startDate": "2026-12-01"}]);
    assert_eq!(absences, [parental, json!([]), json!([])]);
}

#[test]
fn a_file_counts_once_its_marker_lies_beside_it() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
    company.deliver_people("20261120", &people(2));
    company.run_now().exits(4);
    assert!(jobticket.pushes().is_empty());
    company.deliver("roster_20261120.csv.done", "");
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 2);
    fs::remove_file(company.path("drop/roster_20261120.csv.done")).unwrap();
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_file_counts_once_it_was_quiet_for_long_enough() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit("ready: rename", "ready: {quiet_seconds: 30}");
    let content = table(&people(2));
    company.deliver_written("roster_20261120.csv", &content, 29);
    company.run_now().exits(4);
    company.deliver_written("roster_20261120.csv", &content, 30);
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 2);
}

#[test]
fn the_newest_file_is_found_by_its_time_where_that_is_set() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit("{name_date: \"roster_%Y%m%d.csv\"}", "modified");
    company.deliver_written("roster_z.csv", table(&people(2)), 200);
    company.deliver_written("roster_a.csv", table(&people(3)), 100);
    company.run_now().exits(0).says("roster_a.csv");
    assert_eq!(jobticket.active().len(), 3);
}
