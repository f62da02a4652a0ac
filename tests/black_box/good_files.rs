//! Every way in which HR systems write a good file: what arrives at JobTicket is the same, value by value.

use std::io::Write as _;

use encoding_rs::WINDOWS_1252;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::{Company, JobTicket, Person, people, person, table};

/// What a file turns into at JobTicket.
#[track_caller]
pub(crate) fn arrives(change: impl FnOnce(&mut Company), content: impl AsRef<[u8]>) -> Vec<Value> {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    change(&mut company);
    company.deliver("roster_20261120.csv", content);
    company.run_now().exits(0);
    assert_eq!(jobticket.pushes().len(), 1);
    jobticket.arrived()
}

/// A person of the tests as JobTicket has to get them.
pub(crate) fn sent(person: &Person) -> Value {
    json!({
        "hrId": person.number,
        "firstName": person.first,
        "lastName": person.last,
        "email": person.email,
        "profileImage": null,
        "dateOfBirth": "1990-04-15",
        "startDate": "2022-03-01",
        "terminationDate": null,
        "autoSyncEmployee": null,
        "absences": [],
    })
}

/// Two people as they are, and a table with names that every encoding has to carry.
fn two() -> (Vec<Value>, String) {
    let mut staff = people(2);
    staff[1].first = "Søren-François".to_owned();
    staff[1].last = "d’Öztürk–Groß €".to_owned();
    (staff.iter().map(sent).collect(), table(&staff))
}

#[track_caller]
fn arrives_alike(change: impl FnOnce(&mut Company), content: impl AsRef<[u8]>) {
    assert_eq!(arrives(change, content), two().0);
}

fn of_table(keys: &'static str) -> impl FnOnce(&mut Company) {
    move |company| company.source += &format!("        table: {{{keys}}}\n")
}

fn marked(mark: &[u8], bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [mark, bytes.as_ref()].concat()
}

fn utf_16(unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    two().1.encode_utf16().flat_map(unit).collect()
}

#[test]
fn utf_8_arrives_whole() {
    arrives_alike(|_| {}, two().1);
    arrives_alike(of_table("encoding: utf-8"), two().1);
}

#[test]
fn utf_8_with_a_byte_order_mark_arrives_whole() {
    arrives_alike(|_| {}, marked(b"\xEF\xBB\xBF", two().1));
    let bytes = marked(b"\xEF\xBB\xBF", two().1);
    arrives_alike(of_table("encoding: utf-8"), bytes);
}

#[test]
fn windows_1252_arrives_whole() {
    let bytes = WINDOWS_1252.encode(&two().1).0.into_owned();
    arrives_alike(|_| {}, &bytes);
    arrives_alike(of_table("encoding: windows-1252"), &bytes);
}

#[test]
fn utf_16_of_either_order_arrives_whole_with_a_mark_and_without() {
    let (little, big) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
    arrives_alike(|_| {}, &little);
    arrives_alike(|_| {}, &big);
    arrives_alike(|_| {}, marked(b"\xFF\xFE", &little));
    arrives_alike(|_| {}, marked(b"\xFE\xFF", &big));
    arrives_alike(of_table("encoding: utf-16le"), &little);
    arrives_alike(of_table("encoding: utf-16be"), &big);
}

#[test]
fn text_arrives_in_composed_form_and_without_blanks_around_it() {
    let mut staff = people(1);
    staff[0].first = " \u{A0}A\u{308}nne\u{200B} ".to_owned();
    staff[0].last = "\u{A0}Beispiel00001  ".to_owned();
    staff[0].email += "\u{A0}";
    assert_eq!(arrives(|_| {}, table(&staff)), [sent(&people(1)[0])]);
}

#[test]
fn every_delimiter_is_found_or_set() {
    for (delimiter, setting) in [
        (";", "\";\""),
        (",", "\",\""),
        ("|", "\"|\""),
        ("\t", "tab"),
    ] {
        let content = two().1.replace(';', delimiter);
        arrives_alike(|_| {}, &content);
        let setting = format!("        table: {{delimiter: {setting}}}\n");
        arrives_alike(|company| company.source += &setting, &content);
    }
}

#[test]
fn a_first_line_that_states_the_delimiter_is_obeyed() {
    arrives_alike(|_| {}, format!("sep=;\r\n{}", two().1));
    let commas = two().1.replace(';', ",");
    arrives_alike(|_| {}, format!("sep=,\r\n{commas}"));
    let carets = two().1.replace(';', "^");
    arrives_alike(|_| {}, format!("\"sep=^\"\r\n{carets}"));
}

#[test]
fn every_line_end_is_read() {
    arrives_alike(|_| {}, two().1.replace("\r\n", "\n"));
    arrives_alike(|_| {}, two().1.replace("\r\n", "\r"));
}

#[test]
fn a_missing_last_line_end_is_accepted_where_that_is_set() {
    let content = two().1;
    arrives_alike(of_table("final_newline: optional"), content.trim_end());
}

#[test]
fn blank_lines_at_the_end_are_no_rows() {
    arrives_alike(|_| {}, format!("{}\r\n;;;;;;\r\n", two().1));
}

#[test]
fn a_trailing_delimiter_on_some_rows_and_not_on_others_is_accepted() {
    let (_, content) = two();
    let some = content.replacen("31.12.9999\r\n", "31.12.9999;\r\n", 1);
    assert_ne!(some, content);
    arrives_alike(|_| {}, &some);
    arrives_alike(|_| {}, content.replace("\r\n", ";\r\n"));
    arrives_alike(|_| {}, content.replacen("Austritt", "Austritt;;", 1));
}

#[test]
fn quoted_cells_hold_delimiters_and_doubled_quotes() {
    let mut staff = people(2);
    let quoted: String = table(&staff)
        .lines()
        .map(|line| format!("\"{}\"\r\n", line.replace(';', "\";\"")))
        .collect();
    let content = quoted
        .replace("\"Beispiel00001\"", "\"Beispiel; \"\"Bei\"\"\"")
        .replace("\"Beispiel00002\"", "\"von; der, Heide\"");
    staff[0].last = "Beispiel; \"Bei\"".to_owned();
    staff[1].last = "von; der, Heide".to_owned();
    let expected: Vec<Value> = staff.iter().map(sent).collect();
    assert_eq!(arrives(|_| {}, content), expected);
}

#[test]
fn quotes_escaped_with_a_backslash_are_read_where_that_is_set() {
    let mut staff = people(1);
    let content = table(&staff).replace("Beispiel00001", "\"Beispiel \\\"Bei\\\"\"");
    staff[0].last = "Beispiel \"Bei\"".to_owned();
    let set = of_table("backslash_escapes: true");
    assert_eq!(arrives(set, content), [sent(&staff[0])]);
}

#[test]
fn a_quote_inside_an_unquoted_cell_is_an_ordinary_character() {
    let mut staff = people(1);
    staff[0].first = "Anna \"Anni\"".to_owned();
    assert_eq!(arrives(|_| {}, table(&staff)), [sent(&staff[0])]);
}

#[test]
fn excels_formula_keeps_the_leading_zeros() {
    let staff = [person("00123"), person("7")];
    let content = table(&staff).replace("\r\n00123;", "\r\n=\"00123\";");
    assert_eq!(arrives(|_| {}, &content)[0]["hrId"], "00123");
    let quoted = content.replace("=\"00123\"", "\"=\"\"00123\"\"\"");
    assert_eq!(arrives(|_| {}, quoted)[0]["hrId"], "00123");
}

#[test]
fn header_names_match_whatever_their_case_and_the_blanks_around_them() {
    let content = two().1.replacen(
        "Personalnummer;Vorname;Nachname;E-Mail",
        " PERSONALNUMMER ;\u{A0}vorname;NachName;e-mail\t",
        1,
    );
    arrives_alike(|_| {}, content);
}

#[test]
fn columns_that_nobody_asked_for_are_left_alone() {
    let text = two().1.replace("\r\n", ";4711\r\n");
    arrives_alike(|_| {}, text.replacen("4711", "Kostenstelle", 1));
}

#[test]
fn a_packed_file_is_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(two().1.as_bytes()).unwrap();
    arrives_alike(|_| {}, encoder.finish().unwrap());
}
