//! Files that cannot be believed: nothing of them is used, nobody is offboarded, and the next good file goes through.

use crate::scene::{Scene, plain, with_people, with_row};
use crate::support::{Company, JobTicket, people, table};

/// Further keys of the table.
fn of_table(keys: &'static str) -> impl FnOnce(&mut Company) {
    move |company| company.source += &format!("        table: {{{keys}}}\n")
}

#[track_caller]
fn refused(content: impl AsRef<[u8]>, says: &[&str]) {
    Scene::new().refuses(content, says);
}

#[test]
fn a_bad_first_file_pushes_nothing() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver("roster_20261120.csv", with_row(4, |row| row[..9].into()));
    company
        .run_now()
        .exits(4)
        .says("Row 4 of roster_20261120.csv");
    assert!(jobticket.pushes().is_empty());
    company.deliver_people("20261121", &people(5));
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn a_file_of_no_bytes_is_refused() {
    refused("", &["empty (0 bytes)"]);
}

#[test]
fn a_file_of_a_byte_order_mark_alone_is_refused() {
    refused(b"\xEF\xBB\xBF", &["is empty"]);
}

#[test]
fn a_header_without_rows_is_refused() {
    refused(table(&[]), &["has no rows below its header"]);
}

#[test]
fn a_binary_file_is_refused() {
    refused(
        b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3E\0\x01\n",
        &["Row 1", "character 1", "U+007F", "binary"],
    );
}

#[test]
fn a_nul_inside_a_cell_is_refused() {
    let content = with_row(4, |row| row.replace("Beispiel", "Bei\0spiel"));
    refused(content, &["Row 4", "character 15", "U+0000"]);
}

#[test]
fn a_row_with_fewer_cells_than_the_header_is_refused() {
    let content = with_row(3, |row| row.rsplit_once(';').unwrap().0.to_owned());
    refused(
        content,
        &["Row 3", "column 7 (Austritt)", "has 6 cells", "has 7"],
    );
}

#[test]
fn a_last_row_that_was_cut_is_refused() {
    let content = with_row(6, |row| row[..row.len() - 14].to_owned());
    refused(content, &["Row 6", "the row is cut"]);
}

#[test]
fn a_row_with_content_beyond_the_header_is_refused() {
    let content = with_row(4, |row| format!("{row};4711"));
    refused(content, &["Row 4", "column 8", "7 columns"]);
}

#[test]
fn a_cell_that_holds_the_delimiter_without_quotes_is_refused() {
    let content = with_row(4, |row| row.replace("Beispiel", "Bei;spiel"));
    refused(content, &["Row 4", "column 8", "without quotes"]);
}

#[test]
fn a_quoted_cell_that_runs_over_a_line_end_is_refused() {
    let content = with_row(3, |row| row.replace("Beispiel00002", "\"Bei\r\nspiel\""));
    refused(
        content,
        &["Row 3", "column 3 (Nachname)", "holds a line break"],
    );
}

#[test]
fn a_quote_that_is_never_closed_is_refused() {
    let content = with_row(3, |row| row.replace("Beispiel", "\"Beispiel"));
    refused(content, &["Row 3", "column 3 (Nachname)", "never closed"]);
}

#[test]
fn a_quote_inside_a_quoted_cell_is_refused() {
    let content = with_row(5, |row| row.replace("Beispiel00004", "\"Bei\"spiel\""));
    refused(content, &["Row 5", "column 3 (Nachname)", "closing quote"]);
}

#[test]
fn an_empty_line_between_rows_is_refused() {
    let content = with_row(4, |row| format!("\r\n{row}"));
    refused(content, &["Row 4", "is empty and others follow"]);
}

#[test]
fn a_carriage_return_inside_a_row_is_refused() {
    let content = with_row(4, |row| row.replace("Beispiel", "Bei\rspiel"));
    refused(content, &["Row 4", "character 15", "carriage return"]);
}

#[test]
fn a_file_without_a_line_end_at_its_end_is_refused() {
    let content = table(&people(5));
    refused(
        content.trim_end(),
        &["Row 6", "does not end with a line end"],
    );
}

#[test]
fn utf_8_that_the_setting_calls_windows_1252_is_refused() {
    let scene = Scene::of(5, of_table("encoding: windows-1252"), |staff| {
        let text = table(staff);
        encoding_rs::WINDOWS_1252.encode(&text).0.into_owned()
    });
    scene.refuses(
        table(&people(5)),
        &["Row 2", "character 7", "The file is UTF-8"],
    );
}

#[test]
fn windows_1252_that_the_setting_calls_utf_8_is_refused() {
    let scene = Scene::with(of_table("encoding: utf-8"));
    let text = table(&people(5));
    let content = encoding_rs::WINDOWS_1252.encode(&text).0;
    scene.refuses(content, &["Row 2", "character 7", "not UTF-8"]);
}

#[test]
fn code_page_850_is_refused() {
    let content: Vec<u8> = with_people(|person| person.first = "J?rgen".into())
        .bytes()
        .map(|byte| if byte == b'?' { 0x81 } else { byte })
        .collect();
    refused(
        content,
        &["Row 2", "character 8", "U+0081", "code page 850"],
    );
}

#[test]
fn doubly_encoded_text_is_refused() {
    let content = with_row(3, |row| row.replace("Änne", "Ã„nne"));
    refused(
        content,
        &["Row 3", "character 7", "U+00C3", "table.encoding"],
    );
}

#[test]
fn a_letter_that_was_lost_before_is_refused() {
    let content = with_row(3, |row| row.replace('Ä', "\u{FFFD}"));
    refused(content, &["Row 3", "character 7", "U+FFFD", "lost"]);
}

#[test]
fn a_missing_mapped_column_is_refused_and_the_columns_found_are_listed() {
    let content = with_row(1, |row| row.replace("E-Mail", "Mailadresse"));
    refused(
        content,
        &[
            "no column `E-Mail`",
            "`Personalnummer`, `Vorname`",
            "`Mailadresse`",
        ],
    );
}

#[test]
fn a_mapped_column_that_stands_twice_is_refused() {
    let content = with_row(1, |row| row.replace("Eintritt", "E-Mail"));
    refused(content, &["`E-Mail` more than once"]);
}

#[test]
fn a_file_without_a_header_lists_no_values_as_columns() {
    let text = table(&people(5));
    let content = text.split_once("\r\n").unwrap().1;
    refused(
        content,
        &["no column `Personalnummer`", "looks like values"],
    );
}

#[test]
fn a_missing_filter_column_is_refused() {
    let scene = Scene::with(|company| {
        company.edit(
            "          terminationDate: {from: Austritt, format: TT.MM.JJJJ}\n",
            "        include: [{column: Austritt, in: [\"31.12.9999\"]}]\n",
        );
    });
    let content = with_row(1, |row| row.replace("Austritt", "Ende"));
    scene.refuses(content, &["no column `Austritt`", "`Ende`"]);
}

#[test]
fn a_required_field_that_is_empty_in_every_row_is_refused() {
    for (field, column, content) in [
        ("email", "E-Mail", with_people(|p| p.email.clear())),
        ("firstName", "Vorname", with_people(|p| p.first.clear())),
        ("lastName", "Nachname", with_people(|p| p.last.clear())),
    ] {
        let says = format!("The column {column} ({field})");
        refused(content, &[&says, "empty in every row"]);
    }
}

#[test]
fn another_field_that_was_filled_and_is_empty_everywhere_is_refused() {
    for (field, column, content) in [
        (
            "dateOfBirth",
            "Geburtsdatum",
            with_people(|p| p.born.clear()),
        ),
        ("startDate", "Eintritt", with_people(|p| p.start.clear())),
    ] {
        let says = format!("The column {column} ({field})");
        refused(content, &[&says, "permission to read it was withdrawn"]);
    }
}

#[test]
fn termination_dates_may_all_be_emptied() {
    let scene = Scene::of(
        5,
        |_| {},
        |staff| {
            let mut staff = staff.to_vec();
            staff[0].end = "31.12.2026".to_owned();
            plain(&staff)
        },
    );
    assert_eq!(
        scene.jobticket.arrived()[0]["terminationDate"],
        "2026-12-31"
    );
    let content = with_people(|person| person.end.clear());
    scene.company.deliver("roster_20261121.csv", content);
    scene
        .company
        .run_now()
        .exits(0)
        .says("~ 00001 terminationDate");
    let arrived = scene.jobticket.arrived();
    assert!(
        arrived
            .iter()
            .all(|person| person["terminationDate"].is_null())
    );
}

#[test]
fn a_missing_trailer_is_refused() {
    let scene = with_trailer();
    scene.refuses(
        table(&people(5)),
        &["Row 6", "not the trailer", "cut short"],
    );
}

#[test]
fn a_trailer_that_tells_another_number_of_rows_is_refused() {
    let content = table(&people(4)) + "Anzahl: 5\r\n";
    with_trailer().refuses(content, &["tells 5 rows, but there are 4"]);
}

fn with_trailer() -> Scene {
    Scene::of(5, of_table("trailer: \"Anzahl: {rows}\""), |staff| {
        format!("{}Anzahl: {}\r\n", table(staff), staff.len()).into_bytes()
    })
}

#[test]
fn a_trailer_that_no_setting_describes_is_refused() {
    let content = table(&people(5)) + "Summe;5\r\n";
    refused(content, &["Row 7", "looks like a trailer"]);
}

#[test]
fn fewer_rows_than_min_rows_are_refused() {
    let scene = Scene::with(of_table("min_rows: 5"));
    scene.refuses(table(&people(4)), &["4 rows", "table.min_rows: 5"]);
}

#[test]
fn a_file_name_that_tells_another_number_of_rows_is_refused() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    of_table("rows_in_name: \"roster_*_{rows}.csv\"")(&mut company);
    company.edit("{name_date: \"roster_%Y%m%d.csv\"}", "modified");
    let deliver = |name, count, seconds_ago| {
        company.deliver_written(name, plain(&people(count)), seconds_ago);
        company.run_now()
    };
    deliver("roster_a_5.csv", 5, 300).exits(0);
    let ran = deliver("roster_b_6.csv", 5, 200).exits(4);
    ran.says("The name of roster_b_6.csv tells 6 rows, but there are 5");
    assert_eq!(jobticket.pushes().len(), 1);
    deliver("roster_c_6.csv", 6, 100).exits(0);
    assert_eq!(jobticket.active().len(), 6);
}

#[test]
fn files_that_are_no_table_are_named() {
    for (content, what) in [
        (
            &b"[Allgemein]\r\nZiel=LODAS\r\n[Stammdaten]\r\n"[..],
            "DATEV LODAS",
        ),
        (b"\"EXTF\";700;21;\"Buchungsstapel\"\r\n", "(EXTF)"),
        (
            b"<!DOCTYPE html>\n<html><body>Login</body></html>\n",
            "a web page",
        ),
        (
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml",
            "an Excel workbook",
        ),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an Excel workbook"),
        (b"{\"employees\": []}\n", "a JSON file"),
        (b"-----BEGIN PGP MESSAGE-----\n", "encrypted (PGP)"),
    ] {
        refused(content, &[what]);
    }
}

#[test]
fn a_row_without_a_readable_hr_id_fails_the_whole_file() {
    let content = with_row(3, |row| row.replacen("00002", "", 1));
    refused(content, &["Row 3", "Personalnummer", "no hrId"]);
}

#[test]
fn too_many_rows_that_make_no_sense_fail_the_whole_file() {
    let mut staff = people(5);
    for person in &mut staff[..4] {
        person.born = "1990-04-15".to_owned();
    }
    refused(
        table(&staff),
        &[
            "4 of 5 rows of roster_20261121.csv",
            "invalid_rows allows 3",
            "rows 2, 3, 4, 5, column Geburtsdatum",
        ],
    );
}
