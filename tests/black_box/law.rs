//! The law of the project: no sequence of deliveries, however broken, makes a push that lacks a person whom no rule removed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Company, JobTicket, Person, people, table};

/// What the HR system drops, given the people it means.
#[derive(Debug, Clone)]
enum Drop {
    /// A good file.
    Good,
    /// The first part of it, in percent.
    Cut(usize),
    /// Nothing in it.
    Empty,
    /// A required column is empty.
    Emptied,
    /// A column has another name.
    Renamed,
    /// Dates in another format, in every row.
    Dates,
    /// A few rows with a senseless e-mail.
    Senseless(usize),
    /// UTF-16 without its mark, cut in the middle of a character.
    HalfCharacter,
    /// Still being written.
    Unready,
    /// No file.
    Nothing,
}

fn drops() -> impl Strategy<Value = Drop> {
    prop_oneof![
        4 => Just(Drop::Good),
        2 => (0usize..100).prop_map(Drop::Cut),
        1 => Just(Drop::Empty),
        1 => Just(Drop::Emptied),
        1 => Just(Drop::Renamed),
        1 => Just(Drop::Dates),
        2 => (1usize..5).prop_map(Drop::Senseless),
        1 => Just(Drop::HalfCharacter),
        1 => Just(Drop::Unready),
        1 => Just(Drop::Nothing),
    ]
}

/// Drops a file for `day`; tells whether it is whole, so that who is missing from it may leave.
fn drop_file(company: &Company, day: usize, staff: &[Person], drop: &Drop) -> bool {
    let name = format!("roster_202610{day:02}.csv");
    let whole = table(staff);
    let content = match drop {
        Drop::Good => whole.into_bytes(),
        Drop::Cut(percent) => {
            // Never exactly behind a line end: without a count nothing shows that such a file was cut.
            let mut length = whole.len() * percent / 100;
            while length > 0 && whole.as_bytes()[length - 1] == b'\n' {
                length -= 1;
            }
            whole.into_bytes()[..length].to_vec()
        }
        Drop::Empty => Vec::new(),
        Drop::Emptied => {
            let emptied = staff.iter().cloned().map(|mut person| {
                person.last.clear();
                person
            });
            table(&emptied.collect::<Vec<_>>()).into_bytes()
        }
        Drop::Renamed => whole.replacen("Personalnummer", "Nummer", 1).into_bytes(),
        Drop::Dates => whole.replace("15.04.1990", "1990-04-15").into_bytes(),
        Drop::Senseless(count) => {
            let mut staff = staff.to_vec();
            for person in staff.iter_mut().take(*count) {
                person.email = "nobody".to_owned();
            }
            table(&staff).into_bytes()
        }
        Drop::HalfCharacter => {
            let mut bytes: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
            bytes.pop();
            bytes
        }
        Drop::Unready => {
            company.deliver(&format!("{name}.part"), whole);
            return false;
        }
        Drop::Nothing => return false,
    };
    company.deliver(&name, content);
    matches!(drop, Drop::Good | Drop::Senseless(_))
}

#[test]
fn whoever_is_missing_from_a_push_was_missing_from_a_whole_file() {
    let steps =
        proptest::collection::vec((drops(), proptest::collection::vec(0usize..12, 0..3)), 1..7);
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let law = |steps: Vec<(Drop, Vec<usize>)>| {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        let all = people(12);
        company.deliver_people("20261001", &all);
        company.run_now().exits(0);
        let mut meant: BTreeSet<usize> = (0..12).collect();
        for (step, (drop, gone)) in steps.iter().enumerate() {
            let before: BTreeSet<String> = jobticket.active().into_iter().collect();
            for person in gone {
                meant.remove(person);
            }
            let staff: Vec<Person> = meant.iter().map(|index| all[*index].clone()).collect();
            let whole = drop_file(&company, step + 2, &staff, drop);
            let ran = company.run_now();
            let after: BTreeSet<String> = jobticket.active().into_iter().collect();
            let lost: Vec<&String> = before.difference(&after).collect();
            prop_assert!(
                whole || lost.is_empty(),
                "{drop:?} lost {lost:?}:\n{}",
                ran.stdout
            );
            for number in lost {
                let still_meant = staff.iter().any(|person| person.number == *number);
                prop_assert!(!still_meant, "{drop:?} lost {number}:\n{}", ran.stdout);
                prop_assert!(
                    ran.stdout.contains(&format!("- {number} leaves (")),
                    "{}",
                    ran.stdout
                );
            }
        }
        Ok(())
    };
    TestRunner::new(config).run(&steps, law).unwrap();
}
