//! One person under two numbers, two people under one, and columns that were emptied.

use std::collections::BTreeMap;

use super::*;

fn id(hr_id: &str) -> HrId {
    HrId::new(hr_id)
}

fn born(hr_id: &str, last_name: &str, year: i32) -> Employee {
    let mut born = person(hr_id, last_name);
    born.date_of_birth = chrono::NaiveDate::from_ymd_opt(year, 4, 15);
    born
}

fn with_email(mut employee: Employee, email: &str) -> Employee {
    employee.set_email(email);
    employee
}

/// The pairs that a new roster makes with people of the old one; `explained` are those who leave for a known reason.
fn pairs(old: &[Employee], new: &[Employee], explained: &[&str]) -> Vec<(String, String)> {
    let known = Known {
        snapshot: Some(keyed(old)),
        doubtful: None,
        linked: Vec::new(),
    };
    let mut entries: Vec<Entry> = new.iter().cloned().map(entry).collect();
    entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
    let values = old.iter().map(|old| (old.hr_id.clone(), old.clone()));
    let is_explained = |hr_id: &HrId| explained.contains(&hr_id.as_str());
    new_numbers(
        &compare(&known, &entries),
        &entries,
        &known,
        &values.collect(),
        is_explained,
    )
    .into_iter()
    .map(|pair| (pair.old.to_string(), pair.new.to_string()))
    .collect()
}

fn pair(old: &str, new: &str) -> Vec<(String, String)> {
    vec![(old.to_owned(), new.to_owned())]
}

#[test]
fn a_leaver_and_a_joiner_with_one_email_in_any_case_are_one_person() {
    let new = with_email(person("200", "B"), "P100@Example.com");
    assert_eq!(
        pairs(&[person("100", "A")], &[new], &[]),
        pair("100", "200")
    );
}

#[test]
fn a_leaver_and_a_joiner_with_one_name_and_birth_date_are_one_person() {
    let old = [born("100", "Beispiel", 1990)];
    let again = |name: &str, year: i32| pairs(&old, &[born("200", name, year)], &[]);
    assert_eq!(again("BEISPIEL", 1990), pair("100", "200"));
    assert!(again("Beispiel", 1991).is_empty());
    assert!(again("Muster", 1990).is_empty());
    let mut other_first_name = born("200", "Beispiel", 1990);
    other_first_name.set_first_name("Berta");
    assert!(pairs(&old, &[other_first_name], &[]).is_empty());
}

#[test]
fn a_name_alone_makes_nobody_the_same_person() {
    let old = [person("100", "Beispiel")];
    assert!(pairs(&old, &[person("200", "Beispiel")], &[]).is_empty());
    assert!(pairs(&old, &[born("200", "Beispiel", 1990)], &[]).is_empty());
}

#[test]
fn numbers_that_differ_in_leading_zeros_alone_are_one_person() {
    let new = with_email(person("100", "B"), "b@example.com");
    let old = [person("00100", "A")];
    assert_eq!(
        pairs(&old, std::slice::from_ref(&new), &[]),
        pair("00100", "100")
    );
    assert!(
        pairs(&old, &[new], &["00100"]).is_empty(),
        "the number of somebody whose employment has ended was given away"
    );
}

#[test]
fn numbers_without_zeros_make_a_pair_where_nothing_else_is_known_of_the_leaver() {
    let known = Known {
        linked: vec![id("00100")],
        ..Known::default()
    };
    let entries = [entry(person("100", "A"))];
    let comparison = compare(&known, &entries);
    let found = new_numbers(&comparison, &entries, &known, &HashMap::new(), |_| false);
    assert_eq!(found.len(), 1);
}

#[test]
fn somebody_who_got_the_mailbox_of_an_explained_leaver_is_a_successor() {
    let old = [born("100", "Beispiel", 1990)];
    let new = |employee| [with_email(employee, "p100@example.com")];
    let successor = new(born("200", "Muster", 1980));
    assert!(pairs(&old, &successor, &["100"]).is_empty());
    assert_eq!(pairs(&old, &successor, &[]), pair("100", "200"));
    // The same name, the same birth date, or one that is not known: perhaps the same person.
    for maybe in [
        born("200", "Beispiel", 1980),
        born("200", "Muster", 1990),
        person("200", "Muster"),
    ] {
        assert_eq!(pairs(&old, &new(maybe), &["100"]), pair("100", "200"));
    }
}

#[test]
fn an_explained_leaver_who_was_renumbered_is_one_person() {
    let old = [born("100", "Beispiel", 1990)];
    let apprentice = born("200", "Beispiel", 1990);
    assert_eq!(
        pairs(&old, std::slice::from_ref(&apprentice), &["100"]),
        pair("100", "200")
    );
    // Somebody else has the mailbox now, and the person has come again.
    let successor = with_email(born("300", "Muster", 1980), "p100@example.com");
    assert_eq!(
        pairs(&old, &[apprentice, successor], &["100"]),
        pair("100", "200")
    );
}

#[test]
fn the_email_counts_before_the_name_and_the_name_before_the_number() {
    let old = [born("0100", "Beispiel", 1990)];
    let by_email = with_email(person("400", "Muster"), "p0100@example.com");
    let by_name = born("300", "Beispiel", 1990);
    let by_number = person("100", "Muster");
    let all = [by_email, by_name, by_number];
    assert_eq!(pairs(&old, &all, &[]), pair("0100", "400"));
    assert_eq!(pairs(&old, &all[1..], &[]), pair("0100", "300"));
    assert_eq!(pairs(&old, &all[2..], &[]), pair("0100", "100"));
}

#[test]
fn two_old_numbers_may_be_one_person_now() {
    let old = [born("100", "Beispiel", 1990), born("101", "Beispiel", 1990)];
    let found = pairs(&old, &[born("200", "Beispiel", 1990)], &[]);
    assert_eq!(found, [pair("100", "200"), pair("101", "200")].concat());
}

#[test]
fn whoever_stays_under_their_number_is_in_no_pair() {
    let old = [person("100", "A"), person("101", "A")];
    let new = [
        old[0].clone(),
        with_email(person("200", "A"), "p100@example.com"),
    ];
    assert!(pairs(&old, &new, &[]).is_empty());
}

#[test]
fn another_person_has_another_name_and_another_birth_date_which_are_known() {
    let old = born("1", "Beispiel", 1990);
    let mut first_name = born("1", "Beispiel", 1980);
    first_name.set_first_name("Berta");
    assert!(is_another_person(&old, &born("1", "Muster", 1980)));
    assert!(is_another_person(&old, &first_name));
    for same in [
        born("1", "Beispiel", 1990),
        born("1", "Muster", 1990),
        born("1", "Beispiel", 1980),
        person("1", "Muster"),
    ] {
        assert!(!is_another_person(&old, &same));
        assert!(!is_another_person(&same, &old));
    }
}

fn started(hr_id: usize, started: bool) -> Employee {
    let mut person = person(&format!("{hr_id:03}"), "A");
    if started {
        person.start_date = chrono::NaiveDate::from_ymd_opt(2026, 6, 1);
    }
    person
}

/// How many wait, where `lost` of the `had` people who had a start date have lost it.
fn waiting(lost: usize, had: usize, snapshot: usize, percent: u8) -> usize {
    let pairs: Vec<(Employee, Employee)> = (0..lost)
        .map(|hr_id| (started(hr_id, true), started(hr_id, false)))
        .collect();
    let filled = HashMap::from([(Field::StartDate, had)]);
    let changed = pairs.iter().map(|(old, new)| (old, new));
    let waits = emptied(changed, &filled, snapshot, percent);
    assert!(waits.values().all(|field| *field == Field::StartDate));
    waits.len()
}

#[test]
fn people_wait_where_more_than_emptied_percent_of_those_who_had_a_value_have_lost_it() {
    assert_eq!(waiting(10, 100, 100, 10), 0);
    assert_eq!(waiting(11, 100, 100, 10), 11);
    assert_eq!(waiting(8, 80, 100, 10), 0);
    assert_eq!(waiting(9, 80, 100, 10), 9);
    assert_eq!(waiting(1, 100, 100, 0), 1);
    assert_eq!(waiting(100, 100, 100, 100), 0);
}

#[test]
fn a_value_that_no_more_than_half_had_is_no_column_that_was_withdrawn() {
    assert_eq!(waiting(50, 50, 100, 10), 0);
    assert_eq!(waiting(51, 51, 100, 10), 51);
}

#[test]
fn whoever_gained_changed_or_never_had_a_value_has_not_lost_one() {
    let mut other = started(1, true);
    other.start_date = chrono::NaiveDate::from_ymd_opt(2026, 7, 1);
    let pairs = [
        (started(0, false), started(0, true)),
        (started(1, true), other),
        (started(2, false), started(2, false)),
        (started(3, true), started(3, false)),
    ];
    let filled = HashMap::from([(Field::StartDate, 4)]);
    let changed = pairs.iter().map(|(old, new)| (old, new));
    let waits = emptied(changed, &filled, 4, 10);
    assert_eq!(waits, BTreeMap::from([(id("003"), Field::StartDate)]));
}

#[test]
fn of_several_fields_that_somebody_has_lost_the_first_is_named() {
    let mut old = born("001", "A", 1990);
    old.start_date = chrono::NaiveDate::from_ymd_opt(2026, 6, 1);
    let new = person("001", "A");
    let filled = HashMap::from([(Field::StartDate, 4), (Field::DateOfBirth, 4)]);
    let waits = emptied(std::iter::once((&old, &new)), &filled, 4, 10);
    assert_eq!(waits, BTreeMap::from([(id("001"), Field::DateOfBirth)]));
    let none = emptied(std::iter::once((&old, &new)), &HashMap::new(), 4, 10);
    assert!(none.is_empty());
}
