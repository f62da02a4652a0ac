use proptest::prelude::*;

use super::*;

mod several;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

fn row(line: u64, hr_id: &str, change: impl FnOnce(&mut Employee)) -> Row {
    let email = format!("p{hr_id}@example.com");
    let mut employee = Employee::new(HrId::new(hr_id), "Anna", "Muster", &email);
    change(&mut employee);
    Row {
        line,
        employee: employee.into(),
        wrong: Rare::default(),
    }
}

fn run(rows: Vec<Row>, known: &[&str]) -> Assembly {
    let selection = Selection {
        today: day(23),
        starters_days_ahead: 30,
        leavers_days_kept: 0,
    };
    assemble(
        vec![Delivery {
            rows,
            ..Delivery::default()
        }],
        selection,
        |id| known.contains(&id.as_str()),
    )
}

fn ids(assembly: &Assembly) -> Vec<&str> {
    assembly
        .entries
        .iter()
        .map(|entry| entry.employee().hr_id.as_str())
        .collect()
}

proptest! {
    #[test]
    fn rows_are_sorted_by_key_source_and_line(mut rows in proptest::collection::hash_set(("[0-9]{0,10}", 0..3usize, 0..9u64), 0..60)) {
        let entry = |(hr_id, source, line): (String, usize, u64)| {
            Entry::new(row(line, &hr_id, |_| {}).employee, source, line, true)
        };
        let mut entries: Vec<Entry> = rows.clone().into_iter().map(entry).collect();
        sort(&mut entries);
        let mut sorted: Vec<_> = rows.drain().collect();
        sorted.sort();
        let sorted = sorted.into_iter();
        let found = entries.iter().map(|entry| {
            let hr_id = entry.employee().hr_id.to_string();
            (hr_id, entry.source(), entry.line)
        });
        prop_assert!(found.eq(sorted));
    }
}

#[test]
fn rows_of_one_person_that_agree_count_once_and_rows_that_differ_are_rejected() {
    let assembly = run(vec![row(2, "1", |_| {}), row(3, "1", |_| {})], &[]);
    assert_eq!(ids(&assembly), ["1"]);
    let assembly = run(
        vec![row(2, "1", |_| {}), row(3, "1", |e| e.set_last_name("X"))],
        &["1"],
    );
    assert!(ids(&assembly).is_empty());
    assert_eq!(assembly.rejected.len(), 2);
    assert!(assembly.rejected.iter().all(|row| row.known));
}

#[test]
fn an_ended_employment_yields_to_a_current_one_of_the_same_person() {
    let ended = |e: &mut Employee| e.termination_date = Some(day(1));
    let assembly = run(
        vec![row(2, "1", ended), row(3, "1", |_| {}), row(4, "2", ended)],
        &["1", "2"],
    );
    assert_eq!(ids(&assembly), ["1"]);
    assert_eq!(
        assembly.ended,
        HashMap::from([(
            HrId::new("2"),
            Ended {
                last_day: day(1),
                late: false,
                source: 0,
            }
        )])
    );
}

#[test]
fn a_passed_termination_date_counts_whatever_else_is_wrong_in_the_row() {
    let mut gone = row(2, "1", |e| e.termination_date = Some(day(1)));
    gone.wrong.push((Field::Email, Wrong::NotAnEmail));
    let assembly = run(vec![gone], &["1"]);
    assert_eq!((assembly.ended.len(), assembly.rejected.len()), (1, 0));
}

#[test]
fn a_termination_date_before_the_start_date_ends_nobodys_employment() {
    let mut row = row(2, "1", |e| {
        e.termination_date = Some(day(1));
        e.start_date = Some(day(2));
    });
    row.wrong
        .push((Field::TerminationDate, Wrong::EndsBeforeStart));
    let assembly = run(vec![row], &["1"]);
    assert_eq!((assembly.ended.len(), assembly.rejected.len()), (0, 1));
}

#[test]
fn an_unknown_person_without_an_email_is_incomplete_and_a_known_one_is_rejected() {
    let no_email = |e: &mut Employee| e.set_email("");
    let assembly = run(vec![row(2, "1", no_email), row(3, "2", no_email)], &["2"]);
    assert_eq!(assembly.incomplete.len(), 1);
    assert_eq!(assembly.rejected[0].why, Rejection::Missing(Field::Email));
}

#[test]
fn someone_who_starts_far_ahead_is_not_taken_yet_but_a_known_person_stays() {
    let late =
        |e: &mut Employee| e.start_date = Some(NaiveDate::from_ymd_opt(2026, 12, 24).unwrap());
    let soon =
        |e: &mut Employee| e.start_date = Some(NaiveDate::from_ymd_opt(2026, 12, 23).unwrap());
    let assembly = run(
        vec![row(2, "1", late), row(3, "2", late), row(4, "3", soon)],
        &["2"],
    );
    assert_eq!(ids(&assembly), ["2", "3"]);
    assert_eq!(assembly.too_early, 1);
}

#[test]
fn an_email_that_two_people_share_rejects_both() {
    let shared = |e: &mut Employee| e.set_email("Both@example.com");
    let lower = |e: &mut Employee| e.set_email("both@example.com");
    let assembly = run(
        vec![row(2, "1", shared), row(3, "2", lower), row(4, "3", |_| {})],
        &[],
    );
    assert_eq!(ids(&assembly), ["3"]);
    assert_eq!(assembly.rejected.len(), 2);
}

#[test]
fn a_lost_leading_zero_is_suspect_unless_both_people_are_known() {
    let rows = || {
        vec![
            row(2, "00123", |_| {}),
            row(3, "123", |_| {}),
            row(4, "124", |_| {}),
        ]
    };
    assert_eq!(ids(&run(rows(), &["00123"])), ["124"]);
    assert_eq!(
        ids(&run(rows(), &["00123", "123"])),
        ["00123", "123", "124"]
    );
}
