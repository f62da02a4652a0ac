//! Two sources, each fresh or frozen, and everything that a row of one person can be.

use proptest::prelude::*;

use super::*;

fn delivery(rows: Vec<Row>) -> Delivery {
    Delivery {
        rows,
        ..Delivery::default()
    }
}

fn frozen(rows: Vec<Row>) -> Delivery {
    Delivery {
        frozen: true,
        ..delivery(rows)
    }
}

fn all(deliveries: Vec<Delivery>, known: &[&str]) -> Assembly {
    let selection = Selection {
        today: day(23),
        starters_days_ahead: 30,
        leavers_days_kept: 0,
    };
    assemble(deliveries, selection, |id| known.contains(&id.as_str()))
}

/// What became of the person `1`, whose name is A in the first source and B in the second.
fn verdict(assembly: &Assembly) -> String {
    if let Some(entry) = assembly.entries.first() {
        let age = if entry.fresh { "fresh" } else { "frozen" };
        return format!("{age} {}", entry.employee().last_name());
    }
    if let Some(row) = assembly.rejected.first() {
        return format!(
            "rejected {}",
            assembly.rejected.len() + usize::from(!row.known) * 10
        );
    }
    match assembly.ended.get("1") {
        Some(ended) => format!("ended by {}", ended.source),
        None => "gone".to_owned(),
    }
}

/// A row of the person `1` of one of these kinds.
fn kind(kind: &str, name: &str) -> Vec<Row> {
    let mut row = row(2, "1", |e| e.set_last_name(name));
    match kind {
        "none" => return Vec::new(),
        "current" => {}
        "ended 1" => row.employee.edit(|one| one.termination_date = Some(day(1))),
        "ended 9" => row.employee.edit(|one| one.termination_date = Some(day(9))),
        "wrong" => row.wrong.push((Field::StartDate, Wrong::NotADate)),
        "incomplete" => row.employee.edit(|one| one.set_email("")),
        other => panic!("{other}"),
    }
    vec![row]
}

#[test]
fn of_two_rows_of_a_known_person_the_one_counts_that_keeps_them_in_and_a_fresh_one_before_a_frozen_one()
 {
    let kinds = [
        "none",
        "current",
        "ended 1",
        "ended 9",
        "wrong",
        "incomplete",
    ];
    let matrix = [
        // first fresh, second fresh
        ("current", "current", "rejected 2", "fresh A", "fresh B"),
        ("current", "ended 1", "fresh A", "fresh A", "frozen A"),
        ("current", "wrong", "rejected 2", "fresh A", "rejected 1"),
        (
            "current",
            "incomplete",
            "rejected 2",
            "fresh A",
            "rejected 1",
        ),
        ("current", "none", "fresh A", "fresh A", "frozen A"),
        (
            "ended 1",
            "ended 9",
            "ended by 1",
            "ended by 1",
            "ended by 1",
        ),
        (
            "ended 9",
            "ended 1",
            "ended by 0",
            "ended by 0",
            "ended by 0",
        ),
        (
            "ended 9",
            "ended 9",
            "ended by 0",
            "ended by 0",
            "ended by 1",
        ),
        ("ended 9", "none", "ended by 0", "ended by 0", "ended by 0"),
        ("wrong", "ended 9", "rejected 1", "rejected 1", "rejected 1"),
        (
            "wrong",
            "incomplete",
            "rejected 2",
            "rejected 1",
            "rejected 1",
        ),
        ("wrong", "none", "rejected 1", "rejected 1", "rejected 1"),
        (
            "incomplete",
            "ended 1",
            "rejected 1",
            "rejected 1",
            "rejected 1",
        ),
        (
            "incomplete",
            "none",
            "rejected 1",
            "rejected 1",
            "rejected 1",
        ),
        ("none", "none", "gone", "gone", "gone"),
    ];
    for (first, second, both_fresh, second_frozen, first_frozen) in matrix {
        assert!(kinds.contains(&first) && kinds.contains(&second));
        let rows = || (kind(first, "A"), kind(second, "B"));
        let check = |deliveries: Vec<Delivery>, expected: &str, which: &str| {
            let found = verdict(&all(deliveries, &["1"]));
            assert_eq!(found, expected, "{first} and {second}, {which}");
        };
        let (a, b) = rows();
        check(vec![delivery(a), delivery(b)], both_fresh, "both fresh");
        let (a, b) = rows();
        check(
            vec![delivery(a), frozen(b)],
            second_frozen,
            "the second frozen",
        );
        let (a, b) = rows();
        check(
            vec![frozen(a), delivery(b)],
            first_frozen,
            "the first frozen",
        );
    }
}

#[test]
fn a_frozen_row_is_no_reason_to_doubt_a_fresh_one_with_its_e_mail_or_its_number() {
    let shared = |e: &mut Employee| e.set_email("both@example.com");
    let assembly = all(
        vec![
            frozen(vec![row(2, "1", shared), row(3, "7", |_| {})]),
            delivery(vec![row(2, "2", shared), row(3, "007", |_| {})]),
        ],
        &["1"],
    );
    assert_eq!(ids(&assembly), ["007", "2"]);
    let rejected: Vec<_> = assembly
        .rejected
        .iter()
        .map(|row| (row.hr_id.as_str(), row.known))
        .collect();
    assert_eq!(rejected, [("1", true), ("7", false)]);
}

#[test]
fn leading_zeros_are_sought_behind_the_prefix_of_each_source() {
    let prefixed = |prefix: &str, rows| Delivery {
        id_prefix: prefix.to_owned(),
        ..delivery(rows)
    };
    let rows = |ids: &[&str]| {
        (2..)
            .zip(ids)
            .map(|(line, id)| row(line, id, |_| {}))
            .collect()
    };
    let assembly = all(
        vec![
            prefixed("A-", rows(&["A-007", "A-8", "A-9"])),
            prefixed("B-", rows(&["B-7", "B-008", "B-8", "3"])),
            // Whom the map of hrIds names otherwise stand among the numbers without a prefix.
            prefixed("", rows(&["003", "E07", "E7"])),
        ],
        &[],
    );
    assert_eq!(ids(&assembly), ["A-007", "A-8", "A-9", "B-7", "E07", "E7"]);
    let why: Vec<_> = assembly
        .rejected
        .iter()
        .map(|row| row.why.field())
        .collect();
    assert_eq!(why, [Field::HrId; 4]);
}

#[test]
fn a_rule_that_a_fresh_row_names_counts_before_that_of_a_frozen_one() {
    let excluded = |column: &str, frozen| Delivery {
        unselected: [(
            HrId::new("1"),
            Unselected::Excluded {
                column: column.into(),
            },
        )]
        .into(),
        frozen,
        ..Delivery::default()
    };
    for deliveries in [
        vec![excluded("old", true), excluded("new", false)],
        vec![excluded("new", false), excluded("old", true)],
    ] {
        let assembly = all(deliveries, &["1"]);
        let expected = Unselected::Excluded {
            column: "new".into(),
        };
        assert_eq!(assembly.unselected.get("1"), Some(&expected));
    }
}

#[test]
fn who_stands_unopposed_only_because_the_other_source_was_refused_stays_contested() {
    let rows = |name: &str| vec![row(2, "1", |e| e.set_last_name(name)), row(3, name, |_| {})];
    let before = all(vec![delivery(rows("A")), delivery(rows("B"))], &["1"]);
    assert_eq!(ids(&before), ["A", "B"]);
    let mut after = all(vec![frozen(rows("A")), delivery(rows("B"))], &["1"]);
    assert_eq!(ids(&after), ["1", "A", "B"]);
    after.contest(before.rejected);
    assert_eq!(ids(&after), ["A", "B"]);
    assert!(after.rejected[0].known);
}

/// Any row of one of a few people, who share numbers and e-mails often enough.
fn any_row() -> impl Strategy<Value = (String, u8, bool, u8)> {
    let number = proptest::sample::select(vec!["1", "01", "2", "02", "3", "B-1", "B-01"]);
    (
        number.prop_map(str::to_owned),
        0u8..3,
        any::<bool>(),
        0u8..9,
    )
}

fn any_delivery(frozen: impl Strategy<Value = bool>) -> impl Strategy<Value = Delivery> {
    let rows = proptest::collection::vec(any_row(), 0..6);
    (rows, frozen, any::<bool>()).prop_map(|(rows, frozen, prefixed)| {
        let mut delivery = Delivery {
            frozen,
            id_prefix: if prefixed { "B-" } else { "" }.to_owned(),
            ..Delivery::default()
        };
        for (line, (number, mail, renamed, what)) in (2..).zip(rows) {
            let mut row = row(line, &number, |e| {
                e.set_email(&format!("{mail}@example.com"));
                if renamed {
                    e.set_last_name("Anders");
                }
            });
            let hr_id = row.employee.hr_id.clone();
            let column = || "Kreis".to_owned();
            match what {
                0 => row.employee.edit(|one| one.termination_date = Some(day(1))),
                1 => row.employee.edit(|one| one.set_email("")),
                2 => row.wrong.push((Field::Email, Wrong::NotAnEmail)),
                3 => {
                    let why = Unselected::Excluded { column: column() };
                    delivery.unselected.insert(hr_id, why);
                    continue;
                }
                4 => {
                    let end = renamed.then(|| day(1));
                    let why = Unselected::Unclear {
                        column: column(),
                        line,
                        end,
                    };
                    delivery.unselected.insert(hr_id, why);
                    continue;
                }
                5 => row
                    .employee
                    .edit(|one| one.start_date = NaiveDate::from_ymd_opt(2027, 6, 1)),
                _ => {}
            }
            delivery.rows.push(row);
        }
        delivery
    })
}

fn copied(deliveries: &[Delivery]) -> Vec<Delivery> {
    let copy = |delivery: &Delivery| Delivery {
        rows: delivery.rows.clone(),
        unselected: delivery.unselected.clone(),
        frozen: delivery.frozen,
        id_prefix: delivery.id_prefix.clone(),
    };
    deliveries.iter().map(copy).collect()
}

/// Who is in the roster in the end: the valid people, and the known ones whose rows cannot be used.
fn stay(assembly: &Assembly) -> std::collections::BTreeSet<String> {
    let kept = assembly.rejected.iter().filter(|row| row.known);
    let kept = kept.map(|row| row.hr_id.to_string());
    ids(assembly)
        .into_iter()
        .map(str::to_owned)
        .chain(kept)
        .collect()
}

proptest! {
    #[test]
    fn adding_a_frozen_delivery_never_removes_anybody_whom_fresh_ones_take(
        fresh in proptest::collection::vec(any_delivery(Just(false)), 1..4),
        added in any_delivery(Just(true)),
        known in proptest::sample::subsequence(vec!["1", "01", "2", "02", "3", "B-1", "B-01"], 0..7),
        at in 0usize..4,
    ) {
        let before = stay(&all(copied(&fresh), &known));
        let mut more = copied(&fresh);
        more.insert(at.min(more.len()), added);
        let after = stay(&all(more, &known));
        prop_assert!(after.is_superset(&before), "{before:?} became {after:?}");
    }

    #[test]
    fn adding_a_frozen_delivery_never_removes_a_known_person_whatever_the_others_are(
        others in proptest::collection::vec(any_delivery(any::<bool>()), 1..4),
        added in any_delivery(Just(true)),
        known in proptest::sample::subsequence(vec!["1", "01", "2", "02", "3", "B-1", "B-01"], 0..7),
        at in 0usize..4,
    ) {
        let in_and_known = |assembly: &Assembly| {
            let mut stay = stay(assembly);
            stay.retain(|hr_id| known.contains(&hr_id.as_str()));
            stay
        };
        let before = in_and_known(&all(copied(&others), &known));
        let mut more = copied(&others);
        more.insert(at.min(more.len()), added);
        let after = in_and_known(&all(more, &known));
        prop_assert!(after.is_superset(&before), "{before:?} became {after:?}");
    }
}
