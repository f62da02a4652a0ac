use proptest::prelude::*;

use super::*;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()
}

fn date(column: usize) -> DateMapping {
    let formats = vec!["TT.MM.JJJJ".parse().unwrap()];
    DateMapping {
        columns: vec![column],
        formats,
        empty: vec!["offen".into()],
    }
}

fn mapping() -> Mapping {
    Mapping {
        id_prefix: "".into(),
        hr_id: vec![0],
        first_name: vec![2, 1],
        last_name: vec![3],
        email: vec![4],
        date_of_birth: Some(date(5)),
        start_date: Some(date(6)),
        termination_date: Some(date(7)),
        auto_sync_employee: None,
        absences: None,
        include: vec![RuleMapping {
            name: "Gesellschaft".into(),
            column: 8,
            values: ["acme".into()].into(),
        }],
        exclude: vec![RuleMapping {
            name: "Kreis".into(),
            column: 9,
            values: ["werkstudent".into()].into(),
        }],
    }
}

const GOOD: [&str; 10] = [
    "00123",
    "Anna-Maria",
    "Anna",
    "Müller",
    "anna@example.com",
    "15.04.1990",
    "01.03.2022",
    "31.12.9999",
    "ACME",
    "Angestellte",
];

/// Maps a row by what its rules say of it.
fn mapped<'c>(mapping: &Mapping, line: u64, cell: impl Fn(usize) -> &'c str) -> Mapped {
    let rules = mapping.rules();
    let matched: Vec<bool> = rules.map(|rule| rule.matches(cell(rule.column))).collect();
    mapping.map(line, cell, &matched, today())
}

fn map(change: &[(usize, &'static str)]) -> Mapped {
    let mut cells = GOOD;
    for (column, text) in change {
        cells[*column] = text;
    }
    mapped(&mapping(), 7, |index| cells[index])
}

fn row(change: &[(usize, &'static str)]) -> Row {
    match map(change) {
        Mapped::Row(row) => row,
        other => panic!("expected a row, got {other:?}"),
    }
}

#[test]
fn a_good_row_becomes_an_employee_with_the_first_filled_first_name() {
    let Row {
        line,
        employee,
        wrong,
    } = row(&[]);
    assert_eq!(
        (line, employee.first_name(), employee.hr_id.as_str()),
        (7, "Anna", "00123")
    );
    assert_eq!(employee.termination_date, None);
    assert!(wrong.is_empty());
    assert_eq!(row(&[(2, "")]).employee.first_name(), "Anna-Maria");
}

#[test]
fn each_senseless_value_is_named_by_field_and_reason() {
    for (column, text, field, kind) in [
        (4, "anna.example.com", Field::Email, Wrong::NotAnEmail),
        (4, "anna@localhost", Field::Email, Wrong::NotAnEmail),
        (
            4,
            "Anna <anna@example.com>",
            Field::Email,
            Wrong::NotAnEmail,
        ),
        (4, "a b@example.com", Field::Email, Wrong::NotAnEmail),
        (5, "1990-04-15", Field::DateOfBirth, Wrong::NotADate),
        (5, "24.11.2026", Field::DateOfBirth, Wrong::DateOutOfRange),
        (5, "15.04.0090", Field::DateOfBirth, Wrong::DateOutOfRange),
        (6, "31.02.2022", Field::StartDate, Wrong::NotADate),
        (
            7,
            "28.02.2022",
            Field::TerminationDate,
            Wrong::EndsBeforeStart,
        ),
        (3, "M\u{1}ller", Field::LastName, Wrong::NotText),
    ] {
        assert_eq!(
            *row(&[(column, text)]).wrong,
            [(field, kind)],
            "{field} {kind:?}"
        );
    }
}

#[test]
fn open_ends_and_zeros_are_no_date() {
    for text in [
        "",
        "31.12.9999",
        "9999-12-31",
        "99991231",
        "00.00.0000",
        "0000-00-00",
        "offen",
    ] {
        let row = row(&[(7, text)]);
        assert_eq!((row.employee.termination_date, row.wrong.len()), (None, 0));
    }
}

#[test]
fn a_row_that_is_not_meant_is_not_judged() {
    assert!(matches!(
        map(&[(8, "Andere"), (5, "?"), (0, "")]),
        Mapped::Unselected {
            hr_id: None,
            why: Unselected::NotIncluded { .. }
        }
    ));
    assert!(matches!(
        map(&[(9, "Werkstudent")]),
        Mapped::Unselected {
            hr_id: Some(_),
            why: Unselected::Excluded { .. }
        }
    ));
    assert!(matches!(map(&[(0, "")]), Mapped::Keyless));
}

#[test]
fn text_is_normalised_so_that_two_spellings_of_an_umlaut_are_one() {
    assert_eq!(row(&[(3, "Mu\u{308}ller")]).employee.last_name(), "Müller");
}

proptest! {
    #[test]
    fn whatever_stands_in_a_row_it_is_mapped_or_named_and_a_wrong_value_is_never_passed_on(
        cells in proptest::collection::vec("[ -~äöüß\u{a0}]{0,12}", 8)
    ) {
        let cell = |index: usize| if index < 8 { cells[index].trim() } else { GOOD[index] };
        match mapped(&mapping(), 1, cell) {
            Mapped::Row(row) => {
                for (field, _) in &row.wrong {
                    prop_assert!(*field == Field::TerminationDate || row.employee.value(*field).is_none_or(|v| v.is_empty()));
                }
                prop_assert!(row.employee.email().is_empty() || is_email(row.employee.email()));
            }
            Mapped::Keyless => prop_assert!(cell(0).is_empty()),
            Mapped::Unselected { .. } => prop_assert!(false, "the rules match"),
        }
    }
}

proptest! {
    #[test]
    fn an_address_that_is_plain_is_one_for_the_library_too(
        text in "[a-zA-Z0-9.-]{0,70}@[a-zA-Z0-9.-]{0,70}(\\.[a-z0-9-]{0,64}){0,4}|[ -~]{0,12}@[ -~]{0,12}\\.[ -~]{0,4}"
    ) {
        prop_assert!(!is_plain_email(&text) || EmailAddress::parse_with_options(&text, *EMAIL_FORM).is_ok(), "{text}");
    }
}

#[test]
fn most_addresses_are_plain_and_what_only_looks_like_one_is_not() {
    let longest = format!("{}@{}.example", "a".repeat(63), "b".repeat(63));
    for plain in ["a.b-c@x-y.example", "1@2.de", "A.B.C@d.e.f", &longest] {
        assert!(is_plain_email(plain), "{plain}");
    }
    let long = format!("a@{}example", "b.".repeat(124));
    for other in [
        "", "@", "a@b", "a@.b", "a@b.", ".a@b.c", "a.@b.c", "a..b@c.d", "-a@b.c", "a@b-.c",
        "a@b@c.d", "ä@b.c", "a b@c.d", &long,
    ] {
        assert!(!is_plain_email(other), "{other}");
    }
}

#[test]
fn a_prefix_stands_before_every_hr_id_of_rows_that_are_meant_and_of_those_that_are_not() {
    let mut mapping = mapping();
    mapping.id_prefix = "B-".into();
    let key = |cells: [&'static str; 10]| match mapped(&mapping, 7, |index| cells[index]) {
        Mapped::Row(row) => Some(row.employee.hr_id.to_string()),
        Mapped::Unselected { hr_id, .. } => hr_id.map(|hr_id| hr_id.to_string()),
        Mapped::Keyless => None,
    };
    let mut cells = GOOD;
    assert_eq!(key(cells).as_deref(), Some("B-00123"));
    cells[9] = "Werkstudent";
    assert_eq!(key(cells).as_deref(), Some("B-00123"));
    // A prefix alone is nobody's key.
    cells[0] = "";
    assert_eq!(key(cells), None);
}
