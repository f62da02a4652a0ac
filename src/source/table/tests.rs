//! Tests of the table reader as a whole.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::config::Encoding;
use crate::source::text::tests::of;

type Cells = Vec<Vec<String>>;

fn read(text: &str, config: &TableConfig) -> Result<Cells, TableError> {
    read_named(text, "roster.csv", config)
}

fn read_named(text: &str, file: &str, config: &TableConfig) -> Result<Cells, TableError> {
    read_text(of(text), file, config)
}

fn read_text(text: Text, file: &str, config: &TableConfig) -> Result<Cells, TableError> {
    let table = Table::open(text, file, config)?;
    let mut rows = Vec::new();
    let columns = table.columns().len();
    let count = table.for_each_row(|row| {
        rows.push(
            (0..columns)
                .map(|column| row.cell(column).to_owned())
                .collect(),
        );
    })?;
    assert_eq!(count, rows.len() as u64);
    Ok(rows)
}

fn standard(text: &str) -> Result<Cells, TableError> {
    read(text, &TableConfig::default())
}

fn error(text: &str) -> String {
    standard(text).unwrap_err().to_string()
}

fn with(change: impl FnOnce(&mut TableConfig)) -> TableConfig {
    let mut config = TableConfig::default();
    change(&mut config);
    config
}

const HEADER: &str = "PersNr;Vorname;Nachname;E-Mail\n";

fn of_rows(rows: &str) -> String {
    format!("{HEADER}{rows}")
}

const ANNA: &str = "00123;Anna;Weiß;anna@example.com\n";
const BODO: &str = "00124;Bodo;\"Groß; Dr.\";bodo@example.com\n";

#[test]
fn a_plain_file_gives_its_rows_with_their_lines() {
    let text = of_rows(&format!("{ANNA}{BODO}"));
    let table = Table::open(of(&text), "roster.csv", &TableConfig::default()).unwrap();
    assert_eq!(table.columns(), ["PersNr", "Vorname", "Nachname", "E-Mail"]);
    let (number, last) = (
        table.column(" persnr").unwrap(),
        table.column("NACHNAME").unwrap(),
    );
    let mut rows = Vec::new();
    let count = table.for_each_row(|row| {
        rows.push((
            row.line,
            row.cell(number).to_owned(),
            row.cell(last).to_owned(),
        ));
        assert_eq!(row.cell(99), "");
    });
    assert_eq!(count, Ok(2));
    assert_eq!(
        rows,
        [
            (2, "00123".into(), "Weiß".into()),
            (3, "00124".into(), "Groß; Dr.".into())
        ]
    );
}

#[test]
fn every_line_end_and_delimiter_reads_the_same() {
    let expected = vec![
        vec!["1".to_owned(), "A".into()],
        vec!["2".into(), "B".into()],
    ];
    for text in [
        "n;v\n1;A\n2;B\n",
        "n;v\r\n1;A\r\n2;B\r\n",
        "n;v\r1;A\r2;B\r",
        "n;v\r\n1;A\n2;B\r\n",
        "n,v\n1,A\n2,B\n",
        "n|v\n1|A\n2|B\n",
        "n\tv\n1\tA\n2\tB\n",
        "sep=;\nn;v\n1;A\n2;B\n",
        "\"SEP=,\"\r\nn,v\r\n1,A\r\n2,B\r\n",
        "n;v;\n1;A\n2;B;\n",
        "n;v\n1;A;;\n2;B\n",
        "n;v\n1;A\n2;B\n\n;;\n \n",
        "\"n\";\"v\"\n=\"1\";A\n\"=\"\"2\"\"\";\u{A0}B \n",
    ] {
        assert_eq!(standard(text).as_ref(), Ok(&expected), "{text:?}");
    }
}

#[test]
fn a_small_file_without_an_end_is_judged_as_a_whole() {
    let config = with(|config| {
        config.final_newline = FinalNewline::Optional;
        config.header = false;
    });
    let rows = read("sep=;\n1;A", &config).unwrap();
    assert_eq!(rows, [["1", "A"]]);
    let config = with(|config| {
        config.final_newline = FinalNewline::Optional;
        config.min_rows = 0;
    });
    assert!(read("sep=;\nN;V", &config).unwrap().is_empty());
    for (text, what) in [("[\n{\"id\":1}]", "JSON"), ("\n<html>", "web page")] {
        let error = read(text, &config).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_file_without_header_has_numbered_columns() {
    let config = with(|config| config.header = false);
    let table = Table::open(of("1;A\n2;B\n"), "roster.csv", &config).unwrap();
    assert_eq!(table.columns(), ["1", "2"]);
    let mut lines = Vec::new();
    assert_eq!(table.for_each_row(|row| lines.push(row.line)), Ok(2));
    assert_eq!(lines, [1, 2]);
}

#[test]
fn a_column_is_found_in_any_unicode_form_and_a_missing_one_tells_what_there_is() {
    let table = Table::open(
        of("Ku\u{308}rzel;Ort;Ort\nA;B;C\n"),
        "roster.csv",
        &TableConfig::default(),
    )
    .unwrap();
    assert_eq!(table.column("KÜRZEL"), Ok(0));
    let missing = table.column("Name").unwrap_err().to_string();
    assert_eq!(
        missing,
        "The file roster.csv has no column `Name`; the columns are `Ku\u{308}rzel`, `Ort`, `Ort`"
    );
    assert!(
        table
            .column("Ort")
            .unwrap_err()
            .to_string()
            .contains("more than once")
    );
}

#[test]
fn a_file_that_lost_its_header_shows_nobody_in_its_error() {
    let text = format!("{ANNA}{BODO}");
    let table = Table::open(of(&text), "roster.csv", &TableConfig::default()).unwrap();
    let error = table.column("PersNr").unwrap_err().to_string();
    assert!(
        error.contains("4 cells") && !error.contains("Anna"),
        "{error}"
    );
    let short = format!("{ANNA}1;2\n{BODO}");
    let error = super::tests::error(&short);
    assert!(
        error.starts_with("Row 2 of roster.csv, column 3: ") && !error.contains("Weiß"),
        "{error}"
    );
}

#[test]
fn a_file_cut_in_the_middle_of_a_row_fails() {
    let error = error(&of_rows("00123;Anna;Weiß;anna@exam"));
    assert!(
        error.starts_with("Row 2 of roster.csv does not end with a line end"),
        "{error}"
    );
    let optional = with(|config| config.final_newline = FinalNewline::Optional);
    assert_eq!(read(&of_rows(ANNA.trim_end()), &optional).unwrap().len(), 1);
    assert!(
        read("n;v\r\n1;A\r", &optional)
            .unwrap_err()
            .to_string()
            .contains("carriage return")
    );
}

#[test]
fn rows_of_another_width_fail_with_row_and_column() {
    let few = error(&of_rows(&format!("{ANNA}00124;Bodo\n{BODO}")));
    assert!(
        few.starts_with("Row 3 of roster.csv, column 3 (Nachname): The row has 2 cells"),
        "{few}"
    );
    assert!(!few.contains("table.trailer"));
    assert!(error(&of_rows(&format!("{ANNA}99;12\n"))).contains("table.trailer"));
    let many = error(&of_rows("1;Bodo;Groß; Dr.;b@example.com\n"));
    assert!(
        many.starts_with("Row 2 of roster.csv, column 5: The row goes on"),
        "{many}"
    );
}

#[test]
fn quotes_that_do_not_close_in_their_row_fail() {
    let stray = error(&of_rows(&format!("1;A;B;\"c\n{ANNA}{BODO}")));
    assert!(
        stray.starts_with("Row 2 of roster.csv, column 4 (E-Mail): A quoted cell does not end"),
        "{stray}"
    );
    assert!(error(&of_rows("1;\"A\nB\";C;d\n")).starts_with("Row 2"));
    assert!(error(&of_rows("1;\"A\"B;C;d\n")).contains("Text follows"));
    assert!(error("n;\"v\n1;A\n").contains("never closed"));
    let escapes = with(|config| config.backslash_escapes = true);
    let rows = read(&of_rows("1;\"A \\\"B\\\"\";C;d\n"), &escapes).unwrap();
    assert_eq!(rows[0][1], "A \"B\"");
}

#[test]
fn empty_rows_are_tolerated_at_the_end_alone() {
    for blank in ["\n", ";;;\n", " ; ;\"\";\n"] {
        assert_eq!(
            standard(&of_rows(&format!("{ANNA}{blank}{blank}")))
                .unwrap()
                .len(),
            1
        );
        let inside = error(&of_rows(&format!("{ANNA}{blank}{BODO}")));
        assert!(
            inside.starts_with("Row 3 of roster.csv: The row is empty"),
            "{inside}"
        );
    }
    assert!(
        error(&format!("\n{HEADER}{ANNA}")).starts_with("Row 1 of roster.csv: The row is empty")
    );
}

#[test]
fn a_delimiter_that_cannot_be_found_out_has_to_be_set() {
    for text in ["Name\nAnna\n", "a;b,c\n1;2,3\n"] {
        assert!(error(text).contains("set table.delimiter"), "{text}");
    }
    let set = with(|config| config.delimiter = Delimiter::Is(';'));
    assert_eq!(read("Name\nAnna\n", &set).unwrap(), [["Anna"]]);
    assert!(
        read("sep=,\na,b\n1,2\n", &set)
            .unwrap_err()
            .to_string()
            .contains("another delimiter")
    );
}

#[test]
fn a_trailer_is_checked_and_a_missing_one_means_cut() {
    let config = with(|config| config.trailer = Some("Anzahl: {rows}".into()));
    let rows = format!("{ANNA}{BODO}");
    for trailer in ["Anzahl: 2\n", "Anzahl: 2;;;\r\n", "\nAnzahl: 2\n\n"] {
        assert_eq!(
            read(&of_rows(&format!("{rows}{trailer}")), &config)
                .unwrap()
                .len(),
            2,
            "{trailer}"
        );
    }
    let fails = |text: &str| read(text, &config).unwrap_err().to_string();
    assert_eq!(
        fails(&of_rows(&format!("{rows}Anzahl: 3\n"))),
        "The trailer of roster.csv tells 3 rows, but there are 2; deliver the file again"
    );
    assert!(fails(&of_rows(&rows)).contains("the file was cut short"));
    assert!(fails(&of_rows("Anzahl: 0\n")).contains("no rows"));
    assert!(error(&of_rows(&format!("{rows}Summe;2;;\n"))).contains("looks like a trailer"));
    let broad = with(|config| config.trailer = Some("0*".into()));
    assert!(
        read(&of_rows(&rows), &broad)
            .unwrap_err()
            .to_string()
            .contains("looks like an employee")
    );
}

#[test]
fn the_number_of_rows_in_the_name_is_checked() {
    let config = with(|config| config.rows_in_name = Some("report_*_{rows}.csv".into()));
    let text = of_rows(ANNA);
    assert!(read_named(&text, "report_20261123_1.csv", &config).is_ok());
    assert!(read_named(&text, "report_20261123_1.csv.gz", &config).is_ok());
    let other = read_named(&text, "report_20261123_2.csv", &config)
        .unwrap_err()
        .to_string();
    assert!(other.contains("tells 2 rows, but there are 1"), "{other}");
    assert!(
        read_named(&text, "report.csv", &config)
            .unwrap_err()
            .to_string()
            .contains("not of the form")
    );
}

#[test]
fn empty_small_and_foreign_files_say_what_they_are() {
    assert!(error("").contains("is empty"));
    assert!(error(" \n\n").contains("is empty"));
    assert!(error(HEADER).contains("no rows below its header"));
    assert!(error("sep=;\n").contains("no rows"));
    let least = with(|config| config.min_rows = 2);
    assert!(
        read(&of_rows(ANNA), &least)
            .unwrap_err()
            .to_string()
            .contains("fewer than table.min_rows: 2")
    );
    assert!(error("<html>\n").contains("web page"));
    assert!(error("[Allgemein]\nZiel=LODAS\n").contains("DATEV LODAS"));
}

#[test]
fn every_message_begins_with_a_capital_and_has_no_final_stop() {
    for text in [
        "",
        HEADER,
        "{\"a\": 1}\n",
        "a\nb\n",
        "a;b\n1\n",
        "a;b\n1;2;3\n",
        "a;b\n\"1;2\n",
        "a;b\n1;2",
        "a;b\n\n1;2\n",
    ] {
        let message = error(text);
        assert!(
            message.starts_with(char::is_uppercase)
                && !message.ends_with('.')
                && message.contains("roster.csv"),
            "{message}"
        );
    }
}

/// What a careful sender writes.
fn written(rows: &[Vec<String>], line_end: &str, delimiter: char, trailer: bool) -> String {
    let mut text = ["n", "v", "l", "m"].join(&delimiter.to_string()) + line_end;
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .map(|cell| {
                if cell.contains([delimiter, '"']) {
                    format!("\"{}\"", cell.replace('"', "\"\""))
                } else {
                    cell.clone()
                }
            })
            .collect();
        text.push_str(&cells.join(&delimiter.to_string()));
        text.push_str(line_end);
    }
    if trailer {
        write!(text, "Anzahl: {}{line_end}", rows.len()).unwrap();
    }
    text
}

fn people() -> impl Strategy<Value = Vec<Vec<String>>> {
    let person = (
        "[0-9]{1,8}",
        "[a-zäöüß;,\"|]{0,6}",
        "[A-ZÄÖÜß\"; ]{0,6}",
        "[a-z@.]{0,8}",
    );
    let person = person.prop_map(|(n, v, l, m)| vec![n, v, l.trim().to_owned(), m]);
    proptest::collection::vec(person, 1..8)
}

proptest! {
    #[test]
    fn no_bytes_make_the_table_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b';'), Just(b'"'), Just(b'\n'), Just(b'\r'), Just(b'a')], 0..300), header: bool, escapes: bool, trailer: bool) {
        let config = with(|config| {
            config.header = header;
            config.backslash_escapes = escapes;
            config.trailer = trailer.then(|| "*{rows}*a".to_owned());
        });
        if let Ok(text) = crate::source::encoding::decode(bytes.clone(), "roster.csv", Encoding::Auto) {
            let _ = read_text(text, "roster.csv", &config);
        }
    }

    #[test]
    fn what_a_careful_sender_writes_is_read_back(rows in people(), crlf: bool, delimiter in 0usize..4) {
        let config = with(|config| config.delimiter = Delimiter::Is(';'));
        let delimiter = [';', ',', '|', '\t'][delimiter];
        let text = written(&rows, if crlf { "\r\n" } else { "\n" }, delimiter, false);
        let config = with(|c| c.delimiter = if delimiter == ';' { config.delimiter } else { Delimiter::Auto });
        prop_assert_eq!(read(&text, &config).unwrap(), rows);
    }

    #[test]
    fn a_file_cut_anywhere_fails_or_ends_with_a_whole_row(rows in people(), line_end in 0usize..3, trailer: bool, cut: prop::sample::Index) {
        let line_end = ["\n", "\r\n", "\r"][line_end];
        let text = written(&rows, line_end, ';', trailer);
        let config = with(|config| config.trailer = trailer.then(|| "Anzahl: {rows}".to_owned()));
        prop_assert_eq!(&read(&text, &config).unwrap(), &rows);
        let cut = cut.index(text.len());
        let bytes = &text.as_bytes()[..cut];
        let decoded = crate::source::encoding::decode(bytes.to_vec(), "roster.csv", Encoding::Auto);
        if let Ok(found) = decoded.and_then(|text| read_text(text, "roster.csv", &config)) {
            prop_assert!(!trailer);
            prop_assert!(bytes.ends_with(line_end.as_bytes()));
            prop_assert!(found.len() < rows.len() && rows.starts_with(&found));
        }
    }

    #[test]
    fn a_stray_quote_anywhere_fails_or_loses_no_row(rows in people(), crlf: bool, at: prop::sample::Index) {
        let mut text = written(&rows, if crlf { "\r\n" } else { "\n" }, ';', false);
        let places: Vec<_> = text.char_indices().map(|(place, _)| place).collect();
        text.insert(places[at.index(places.len())], '"');
        if let Ok(found) = standard(&text) {
            prop_assert_eq!(found.len(), rows.len());
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_of_any_encoding_fails_or_ends_with_a_whole_row() {
    let text = of_rows(&format!("{ANNA}{BODO}3;Jürgen;Žižek;j@example.com\n"));
    let text = text.replace('\n', "\r\n");
    let units = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<_>>();
    let whole = standard(&text).unwrap();
    let ansi = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    for bytes in [
        units(u16::to_le_bytes),
        units(u16::to_be_bytes),
        ansi,
        marked,
    ] {
        let read_bytes = |bytes: &[u8]| {
            let text =
                crate::source::encoding::decode(bytes.to_vec(), "roster.csv", Encoding::Auto)?;
            read_text(text, "roster.csv", &TableConfig::default())
        };
        assert_eq!(read_bytes(&bytes).as_ref(), Ok(&whole));
        let good = (0..bytes.len()).filter_map(|cut| read_bytes(&bytes[..cut]).ok());
        let good: Vec<_> = good.collect();
        assert_eq!(good, [whole[..1].to_vec(), whole[..2].to_vec()]);
    }
}

#[test]
fn the_debug_forms_hold_no_personal_value() {
    let text = of_rows(ANNA);
    let table = Table::open(of(&text), "roster.csv", &TableConfig::default()).unwrap();
    assert_eq!(format!("{table:?}"), "Table(roster.csv, 4 columns)");
    let count = table.for_each_row(|row| assert_eq!(format!("{row:?}"), "Row(2)"));
    assert_eq!(count, Ok(1));
}

#[test]
fn rows_over_the_borders_of_pieces_are_all_read_with_their_lines_whatever_ends_them() {
    let rows: Vec<String> = (0..60_000)
        .map(|row| format!("{row:05};Anna;\"Groß; {row}\";p{row}@example.com"))
        .collect();
    for line_end in ["\n", "\r\n", "\r"] {
        let body = rows.join(line_end);
        let text = format!("PersNr;Vorname;Nachname;E-Mail{line_end}{body}");
        let config = with(|config| config.final_newline = FinalNewline::Optional);
        // Three rows of nothing at the end, one end, and none at all.
        for end in [line_end.repeat(4), line_end.to_owned(), String::new()] {
            let table = Table::open(of(&format!("{text}{end}")), "roster.csv", &config).unwrap();
            assert!(table.pieces.len() > 2);
            let mut expected = 2;
            let count = table.for_each_row(|row| {
                let number = expected - 2;
                assert_eq!(
                    (row.line, row.cell(0)),
                    (expected, &*format!("{number:05}"))
                );
                assert_eq!(row.cell(2), format!("Groß; {number}"));
                expected += 1;
            });
            assert_eq!(count, Ok(60_000));
        }
        // More blank lines than a piece has.
        let blank = line_end.repeat(1 << 20);
        let table = Table::open(
            of(&format!("{text}{line_end}{blank}")),
            "roster.csv",
            &config,
        );
        assert_eq!(table.unwrap().for_each_row(|_| ()), Ok(60_000));
        let config = with(|config| config.trailer = Some("Anzahl: {rows}".to_owned()));
        let trailer = |rows: u64| format!("{text}{line_end}Anzahl: {rows}{line_end}");
        assert_eq!(read(&trailer(60_000), &config).unwrap().len(), 60_000);
        assert!(read(&trailer(59_999), &config).is_err());
        let blank = trailer(60_000) + &blank;
        assert_eq!(read(&blank, &config).unwrap().len(), 60_000);
        // A short row far behind the first piece is told with its number, as the last one and as any other.
        for row in [50_000, 59_999] {
            let mut broken = rows.clone();
            broken[row] = "1;2".to_owned();
            let text = format!(
                "PersNr;Vorname;Nachname;E-Mail{line_end}{}{line_end}",
                broken.join(line_end)
            );
            let error = error(&text);
            assert!(error.contains(&format!("ow {}", row + 2)), "{error}");
        }
    }
}

/// Line and cells of every row that a part of a file gives, and how it ends.
type Given = (Vec<(u64, Vec<String>)>, Result<u64, String>);

fn given(read: impl FnOnce(&mut dyn FnMut(Row<'_>)) -> Result<u64, TableError>) -> Given {
    let mut rows = Vec::new();
    let count = read(&mut |row| {
        rows.push((
            row.line,
            (0..5).map(|column| row.cell(column).to_owned()).collect(),
        ));
    });
    (rows, count.map_err(|error| error.to_string()))
}

proptest! {
    #[test]
    fn lines_without_a_quote_are_cut_as_the_crate_cuts_them(lines in proptest::collection::vec("[;,ab ß=\u{FEFF}\\\\\r]{0,12}", 0..8), line_end in 0usize..3, ends: bool) {
        let line_end = ["\n", "\r\n", "\r"][line_end];
        let mut text = lines.join(line_end);
        if ends {
            text.push_str(line_end);
        }
        let mut table = Table::open(of(&of_rows(ANNA)), "roster.csv", &TableConfig::default()).unwrap();
        table.line_end = if line_end == "\r" { '\r' } else { '\n' };
        for is_last in [false, true] {
            let mut cells = csv::StringRecord::new();
            let plain = given(|mut take| table.rows_by(None, &text, is_last, 2, &mut cells, &mut take));
            let reader = Some(table.reader(&text));
            let read = given(|mut take| table.rows_by(reader, &text, is_last, 2, &mut cells, &mut take));
            prop_assert_eq!(plain, read);
        }
    }
}

#[test]
fn parts_that_are_read_side_by_side_are_the_rows_in_their_order() {
    let row = |row: usize| match row % 3 {
        0 => format!("{row:05};Anna;\"Groß; {row}\";p{row}@example.com\n"),
        _ => format!("{row:05};Anna;Weiß;p{row}@example.com\n"),
    };
    let rows: Vec<String> = (0..90_000).map(row).collect();
    let open = |rows: &[String]| {
        let text = of_rows(&rows.concat());
        Table::open(of(&text), "roster.csv", &TableConfig::default()).unwrap()
    };
    let numbers = |rows: &[String]| {
        let mut all: Vec<(u64, String)> = Vec::new();
        let take = |part: Vec<_>| all.extend(part);
        let row = |part: &mut Vec<_>, row: Row<'_>| part.push((row.line, row.cell(0).to_owned()));
        let count = open(rows).for_each_part(Vec::new, row, take);
        (all, count)
    };
    let (all, count) = numbers(&rows);
    assert_eq!(count, Ok(90_000));
    let expected = (0..90_000).map(|row| (row + 2, format!("{row:05}")));
    assert!(all.into_iter().eq(expected));
    // Of two rows that are broken the first is told, whoever came upon it.
    let mut broken = rows;
    for row in [40_000, 80_000] {
        broken[row] = "1;2\n".to_owned();
    }
    let in_turn = open(&broken).for_each_row(|_| ()).unwrap_err();
    assert_eq!(
        numbers(&broken).1.unwrap_err().to_string(),
        in_turn.to_string()
    );
    assert!(in_turn.to_string().contains("ow 40002"), "{in_turn}");
}
