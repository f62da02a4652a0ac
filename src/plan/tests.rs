mod apart;
mod known;
mod pairs;

use proptest::prelude::*;

use super::*;

pub(crate) fn person(hr_id: &str, last_name: &str) -> Employee {
    let email = format!("p{hr_id}@example.com");
    Employee::new(HrId::new(hr_id), "Anna", last_name, &email)
}

pub(crate) fn entry(employee: Employee) -> Entry {
    Entry::new(employee, 0, 2, true)
}

pub(crate) fn keyed(people: &[Employee]) -> Vec<Keyed> {
    let mut keys: Vec<Keyed> = people
        .iter()
        .map(|person| (person.hr_id.clone(), person.hash()))
        .collect();
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    keys
}

pub(crate) fn plan_of(old: &[Employee], new: &[Employee]) -> Plan {
    let known = Known {
        snapshot: Some(keyed(old)),
        doubtful: None,
        linked: Vec::new(),
    };
    let values = old
        .iter()
        .map(|person| (person.hr_id.clone(), person.clone()))
        .collect();
    let mut entries: Vec<Entry> = new.iter().cloned().map(entry).collect();
    entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
    Plan::new(entries, &known, &values, &Reasons::default())
}

#[test]
fn each_kind_of_change_is_one_line_without_a_personal_value() {
    let old = [
        person("00456", "Alt"),
        person("00789", "Alt"),
        person("1", "Alt"),
    ];
    let new = [
        person("00123", "Neu"),
        person("00789", "Geheim"),
        person("1", "Alt"),
    ];
    let lines: Vec<String> = plan_of(&old, &new)
        .changes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "+ 00123 joins",
            "- 00456 leaves (missing from every source)",
            "~ 00789 lastName"
        ]
    );
}

#[test]
fn people_of_a_push_that_was_never_answered_are_leavers_too() {
    let known = Known {
        snapshot: Some(keyed(&[person("1", "A"), person("3", "A")])),
        doubtful: Some(keyed(&[person("2", "A"), person("3", "A")])),
        linked: Vec::new(),
    };
    let plan = Plan::new(
        vec![entry(person("3", "A"))],
        &known,
        &HashMap::new(),
        &Reasons::default(),
    );
    let leavers: Vec<_> = plan
        .changes
        .iter()
        .map(|change| change.hr_id.as_str())
        .collect();
    assert_eq!(leavers, ["1", "2"]);
    let same = Plan::new(
        vec![
            entry(person("1", "A")),
            entry(person("2", "A")),
            entry(person("3", "A")),
        ],
        &Known {
            snapshot: known.snapshot,
            doubtful: known.doubtful,
            linked: Vec::new(),
        },
        &HashMap::new(),
        &Reasons::default(),
    );
    assert!(
        !same.is_empty(),
        "the roster is sent again although no value differs from the snapshot"
    );
}

#[test]
fn a_joiner_with_the_email_of_somebody_who_is_kept_waits() {
    let mut joiner = person("9", "Neu");
    joiner.set_email("P1@example.com");
    let kept = Entry::new(person("1", "A"), 0, 0, false);
    let known = Known {
        snapshot: Some(keyed(&[person("1", "A")])),
        doubtful: None,
        linked: Vec::new(),
    };
    let mut entries = vec![kept, entry(joiner)];
    let found = keep_apart(&mut entries, &known, &HashMap::new()).unwrap();
    assert_eq!(
        found,
        [Collision {
            hr_id: HrId::new("9"),
            kept: HrId::new("1"),
            joiner: true,
        }]
    );
    assert_eq!(entries.len(), 1);
}

#[test]
fn a_known_person_who_takes_the_email_of_somebody_who_is_kept_keeps_the_old_one() {
    let old = [person("1", "A"), person("2", "A")];
    let mut changed = old[1].clone();
    changed.set_email(old[0].email());
    let known = Known {
        snapshot: Some(keyed(&old)),
        doubtful: None,
        linked: Vec::new(),
    };
    let values = HashMap::from([(HrId::new("2"), old[1].clone())]);
    let mut entries = vec![Entry::new(old[0].clone(), 0, 0, false), entry(changed)];
    let found = keep_apart(&mut entries, &known, &values).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(*entries[1].employee(), old[1]);
}

fn people() -> impl Strategy<Value = Vec<Employee>> {
    proptest::collection::btree_map("[0-9]{1,2}", "[A-C]", 0..30).prop_map(|map| {
        map.iter()
            .map(|(hr_id, name)| person(hr_id, name))
            .collect()
    })
}

/// Where the person of each change stands, as a search finds them.
fn positions_of(plan: &Plan) -> Vec<u32> {
    let place = |change: &Change| {
        let is_theirs = |entry: &Entry| entry.employee().hr_id == change.hr_id;
        let place = plan.entries.iter().position(is_theirs);
        place.map_or(NOWHERE, |place| u32::try_from(place).unwrap())
    };
    plan.changes.iter().map(place).collect()
}

#[test]
fn a_linked_person_whose_values_are_those_that_show_is_no_change_and_moves_nobody_else() {
    let known = Known {
        snapshot: Some(keyed(&[person("1", "Alt"), person("7", "Alt")])),
        doubtful: None,
        linked: ["2", "3", "4"].map(HrId::new).into(),
    };
    let shown = [person("2", "Neu"), person("3", "Alt"), person("4", "Neu")];
    let shown = shown.map(|person| (person.hr_id.clone(), person)).into();
    let new = ["0", "1", "2", "3", "4", "5"].map(|hr_id| entry(person(hr_id, "Neu")));
    let plan = Plan::new(new.into(), &known, &shown, &Reasons::default());
    let changes: Vec<&str> = plan.changes.iter().map(|one| one.hr_id.as_str()).collect();
    assert_eq!(changes, ["0", "1", "3", "5", "7"]);
    assert_eq!(plan.positions, [0, 1, 3, 5, NOWHERE]);
    assert_eq!(plan.positions, positions_of(&plan));
}

proptest! {
    #[test]
    fn every_change_comes_with_the_entry_of_its_person(
        old in proptest::collection::btree_set(0..400u32, 0..60),
        new in proptest::collection::btree_set(0..400u32, 0..200),
        renamed in any::<bool>(),
    ) {
        let people = |of: &std::collections::BTreeSet<u32>, name: &str| -> Vec<Employee> {
            of.iter().map(|number| person(&format!("{number:04}"), name)).collect()
        };
        let plan = plan_of(&people(&old, "Alt"), &people(&new, if renamed { "Neu" } else { "Alt" }));
        let reasons = plan.reasons(plan.changes.iter().map(|change| &change.hr_id));
        prop_assert_eq!(plan.positions.clone(), positions_of(&plan));
        let mut changes = plan.changes.iter();
        for (change, entry) in plan.with_entries() {
            prop_assert_eq!(changes.next(), Some(change));
            let hr_id = |entry: &Entry| entry.employee().hr_id.clone();
            let stays = !matches!(change.what, What::Leaves(_));
            prop_assert_eq!(entry.map(hr_id), stays.then(|| change.hr_id.clone()));
            prop_assert_eq!(entry.map(hr_id), plan.entry(&change.hr_id).map(hr_id));
            prop_assert_eq!(reasons.get(&change.hr_id), Some(&plan.reason(change)));
        }
        prop_assert!(changes.next().is_none());
    }

    #[test]
    fn applying_a_plan_to_the_old_roster_gives_the_new_one(old in people(), new in people()) {
        let plan = plan_of(&old, &new);
        let mut applied: HashMap<HrId, Employee> = old.iter().map(|p| (p.hr_id.clone(), p.clone())).collect();
        for change in &*plan.changes {
            let value = new.iter().find(|p| p.hr_id == change.hr_id).cloned();
            match (&change.what, value) {
                (What::Joins, Some(value)) => prop_assert!(applied.insert(value.hr_id.clone(), value).is_none()),
                (What::Leaves(_), None) => prop_assert!(applied.remove(&change.hr_id).is_some()),
                (What::Changes { fields }, Some(value)) => {
                    prop_assert!(!fields.is_empty());
                    prop_assert!(applied.insert(value.hr_id.clone(), value).is_some());
                }
                (what, value) => prop_assert!(false, "{what:?} {value:?}"),
            }
        }
        let expected: HashMap<HrId, Employee> = new.iter().map(|p| (p.hr_id.clone(), p.clone())).collect();
        prop_assert_eq!(applied, expected);
        prop_assert!(plan.changes.is_sorted_by(|a, b| a.hr_id < b.hr_id));
    }

    #[test]
    fn nobody_of_the_snapshot_is_missing_from_the_roster_without_standing_in_the_plan(old in people(), doubtful in people(), new in people()) {
        let known = Known { snapshot: Some(keyed(&old)), doubtful: Some(keyed(&doubtful)), linked: Vec::new() };
        let mut entries: Vec<Entry> = new.into_iter().map(entry).collect();
        entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
        let plan = Plan::new(entries, &known, &HashMap::new(), &Reasons::default());
        for person in old.iter().chain(&doubtful) {
            let sent = plan.entries.iter().any(|entry| entry.employee().hr_id == person.hr_id);
            let leaves = plan.changes.iter().any(|c| c.hr_id == person.hr_id && matches!(c.what, What::Leaves(_)));
            prop_assert!(sent != leaves);
        }
    }
}

#[test]
fn somebody_whom_jobticket_may_have_already_is_no_new_number_of_somebody_missing() {
    let mut again = person("200", "A");
    again.set_email("p100@example.com");
    let known = Known {
        snapshot: Some(keyed(&[person("100", "A")])),
        doubtful: Some(keyed(std::slice::from_ref(&again))),
        linked: Vec::new(),
    };
    let entries = [entry(again)];
    let old = HashMap::from([(HrId::new("100"), person("100", "A"))]);
    let comparison = compare(&known, &entries);
    assert_eq!(
        new_numbers(&comparison, &entries, &known, &old, |_| false),
        []
    );
    let unknown = Known {
        snapshot: known.snapshot,
        doubtful: None,
        linked: Vec::new(),
    };
    let twins = new_numbers(&comparison, &entries, &unknown, &old, |_| false);
    assert_eq!(twins[0].old, HrId::new("100"));
}
