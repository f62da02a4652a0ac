//! E-mails stay unique, whatever is kept.

use super::*;

fn id(hr_id: &str) -> HrId {
    HrId::new(hr_id)
}

fn with_email(hr_id: &str, email: &str) -> Employee {
    let mut person = person(hr_id, "A");
    person.set_email(email);
    person
}

fn kept(employee: Employee) -> Entry {
    Entry::new(employee, 0, 0, true)
}

fn known(people: &[Employee]) -> (Known, HashMap<HrId, Employee>) {
    let known = Known {
        snapshot: Some(keyed(people)),
        doubtful: None,
        linked: Vec::new(),
    };
    let values = people.iter().map(|old| (old.hr_id.clone(), old.clone()));
    (known, values.collect())
}

fn waits(hr_id: &str, kept: &str, joiner: bool) -> Collision {
    Collision {
        hr_id: id(hr_id),
        kept: id(kept),
        joiner,
    }
}

#[test]
fn where_all_emails_differ_nobody_waits() {
    let (known, values) = known(&[person("1", "A")]);
    let mut entries = vec![kept(person("1", "A")), entry(person("2", "A"))];
    assert_eq!(keep_apart(&mut entries, &known, &values), Ok(Vec::new()));
    assert_eq!(entries.len(), 2);
}

#[test]
fn a_joiner_gives_way_whether_they_stand_before_or_behind_whoever_is_kept() {
    for (joiner, stays) in [("1", "5"), ("9", "5")] {
        let (known, values) = known(&[person("5", "A")]);
        let mut entries = vec![entry(with_email(joiner, "P5@example.com"))];
        entries.push(kept(person("5", "A")));
        entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
        let found = keep_apart(&mut entries, &known, &values).unwrap();
        assert_eq!(found, [waits(joiner, stays, true)]);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].employee().hr_id, id("5"));
    }
}

#[test]
fn whoever_gets_their_old_email_back_may_displace_the_next_one() {
    let old = [
        person("1", "A"),
        person("2", "A"),
        person("3", "A"),
        person("4", "A"),
    ];
    let (known, values) = known(&old);
    // 2 takes the address of 1, who is kept; 3 takes that of 2, 4 that of 3, and 5 that of 4.
    let mut entries = vec![
        kept(old[0].clone()),
        entry(with_email("2", "p1@example.com")),
        entry(with_email("3", "p2@example.com")),
        entry(with_email("4", "p3@example.com")),
        entry(with_email("5", "p4@example.com")),
    ];
    let found = keep_apart(&mut entries, &known, &values).unwrap();
    assert_eq!(
        found,
        [
            waits("2", "1", false),
            waits("3", "2", false),
            waits("4", "3", false),
            waits("5", "4", true)
        ]
    );
    let left: Vec<&Employee> = entries.iter().map(Entry::employee).collect();
    assert_eq!(left, old.iter().collect::<Vec<_>>());
    assert!(entries.iter().all(|entry| entry.line == 0));
}

#[test]
fn two_people_who_are_both_kept_with_one_email_are_an_error_that_names_them() {
    let old = [person("1", "A"), with_email("2", "p1@example.com")];
    let (known, values) = known(&old);
    let mut entries = vec![kept(old[0].clone()), kept(old[1].clone())];
    let error = keep_apart(&mut entries, &known, &values).unwrap_err();
    assert_eq!(error, (id("2"), id("1")));
    // A known person of whom no values are known cannot give way either.
    let mut entries = vec![kept(old[0].clone()), entry(old[1].clone())];
    let error = keep_apart(&mut entries, &known, &HashMap::new()).unwrap_err();
    assert_eq!(error, (id("1"), id("2")));
}

proptest! {
    #[test]
    fn it_ends_with_unique_emails_and_everyone_known_still_in(
        people in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..8),
        // No two rows that were delivered share an e-mail.
        emails in Just((0..10).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let name = |position: usize| format!("{position}");
        let places = || people.iter().copied().enumerate();
        let old: Vec<Employee> = places()
            .filter(|(_, (is_known, _))| *is_known)
            .map(|(position, _)| person(&name(position), "A"))
            .collect();
        let (known, values) = known(&old);
        let mut entries: Vec<Entry> = places()
            .map(|(position, (is_known, is_kept))| {
                if is_known && is_kept {
                    kept(person(&name(position), "A"))
                } else {
                    entry(with_email(&name(position), &format!("p{}@example.com", emails[position])))
                }
            })
            .collect();
        let before = entries.clone();
        let found = keep_apart(&mut entries, &known, &values);
        prop_assert!(found.is_ok(), "acknowledged e-mails are unique");
        let found = found.unwrap();
        let emails: std::collections::HashSet<&str> =
            entries.iter().map(|entry| entry.employee().email()).collect();
        prop_assert_eq!(emails.len(), entries.len());
        for employee in &old {
            prop_assert!(entries.iter().any(|entry| entry.employee().hr_id == employee.hr_id));
        }
        for entry in &before {
            let waits = found.iter().any(|collision| collision.hr_id == entry.employee().hr_id);
            let is_same = |other: &Entry| other.employee() == entry.employee() && other.line == entry.line;
            prop_assert_eq!(waits, !entries.iter().any(is_same));
        }
    }
}
