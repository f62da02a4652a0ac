//! Roster against snapshot, doubtful push and linked people; reasons; the words of a plan.

use super::*;
use crate::roster::{Ended, Unselected};

fn id(hr_id: &str) -> HrId {
    HrId::new(hr_id)
}

fn day(number: u32) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 6, number).unwrap()
}

fn known(snapshot: &[&str], doubtful: &[&str], linked: &[&str]) -> Known {
    let keyed = |ids: &[&str]| {
        let people: Vec<Employee> = ids.iter().map(|id| person(id, "A")).collect();
        keyed(&people)
    };
    Known {
        snapshot: Some(keyed(snapshot)),
        doubtful: (!doubtful.is_empty()).then(|| keyed(doubtful)),
        linked: linked.iter().map(|hr_id| id(hr_id)).collect(),
    }
}

fn entries(people: &[Employee]) -> Vec<Entry> {
    people.iter().cloned().map(entry).collect()
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

fn values(people: &[Employee]) -> HashMap<HrId, Employee> {
    let pairs = people.iter().map(|person| (person.hr_id.clone(), person));
    pairs
        .map(|(hr_id, person)| (hr_id, person.clone()))
        .collect()
}

#[test]
fn jobticket_may_have_whoever_is_in_the_snapshot_in_a_doubtful_push_or_linked() {
    let known = known(&["1", "2"], &["3"], &["4"]);
    for hr_id in ["1", "2", "3", "4"] {
        assert!(known.contains(&id(hr_id)));
    }
    assert!(!known.contains(&id("5")));
    assert!(!Known::default().contains(&id("1")));
}

#[test]
fn a_comparison_sorts_everyone_into_joiners_changed_linked_and_leavers() {
    let known = known(
        &["2", "4", "5", "8"],
        &["3", "5", "9"],
        &["1", "5", "6", "7", "9"],
    );
    let roster = entries(&[
        person("1", "A"),
        person("2", "A"),
        person("3", "A"),
        person("4", "B"),
        person("45", "A"),
    ]);
    let comparison = compare(&known, &roster);
    assert_eq!(comparison.linked, [0]);
    assert_eq!(comparison.joiners, [2, 4], "a doubtful one still joins");
    assert_eq!(comparison.changed, [3]);
    assert_eq!(
        comparison.leavers,
        ["5", "6", "7", "8", "9"].map(HrId::new),
        "each once, sorted"
    );
    assert_eq!(compare(&Known::default(), &[]), Comparison::default());
}

#[test]
fn whoever_is_linked_with_the_same_values_stands_in_no_line_and_the_roster_is_sent_again() {
    let mut ours = person("1", "A");
    ours.start_date = Some(day(1));
    ours.termination_date = Some(day(2));
    ours.auto_sync_employee = Some(true);
    let known = known(&[], &[], &["1"]);
    let plan = Plan::new(
        entries(&[ours]),
        &known,
        &values(&[person("1", "A")]),
        &Reasons::default(),
    );
    assert!(plan.changes.is_empty() && plan.resend && !plan.is_empty());
}

#[test]
fn whoever_is_linked_with_other_values_changes_in_the_fields_that_jobticket_shows() {
    let mut ours = person("1", "B");
    ours.set_first_name("Berta");
    ours.set_email("b@example.com");
    ours.date_of_birth = Some(day(1));
    ours.start_date = Some(day(1));
    let plan = |ours: Employee| {
        Plan::new(
            entries(&[ours]),
            &known(&[], &[], &["1"]),
            &values(&[person("1", "A")]),
            &Reasons::default(),
        )
    };
    let shown = plan(ours.clone());
    assert_eq!(
        lines(&shown),
        ["~ 1 firstName, lastName, email, dateOfBirth"]
    );
    assert!(shown.resend);
    ours.set_last_name("C");
    assert_ne!(shown.hash, plan(ours).hash, "new values are another plan");
}

#[test]
fn a_roster_is_not_sent_again_where_everyone_was_acknowledged() {
    let plan = |known: &Known| {
        let roster = entries(&[person("1", "A")]);
        Plan::new(roster, known, &HashMap::new(), &Reasons::default())
    };
    let acknowledged = plan(&known(&["1"], &[], &["1"]));
    assert!(!acknowledged.resend && acknowledged.is_empty());
    assert_eq!(acknowledged.snapshot, Some(1));
    assert!(plan(&known(&["1"], &["1"], &[])).resend);
    let first = plan(&Known::default());
    assert_eq!(first.snapshot, None);
    assert!(!first.resend && !first.is_empty());
}

#[test]
fn a_plan_counts_each_kind_and_explained_leavers_apart() {
    let reasons = Reasons {
        ended: HashMap::from([
            (
                id("1"),
                Ended {
                    last_day: day(1),
                    late: false,
                    source: 0,
                },
            ),
            (
                id("2"),
                Ended {
                    last_day: day(1),
                    late: true,
                    source: 0,
                },
            ),
        ]),
        ..Reasons::default()
    };
    let old = [
        person("1", "A"),
        person("2", "A"),
        person("3", "A"),
        person("4", "A"),
    ];
    let roster = entries(&[
        person("4", "B"),
        person("5", "A"),
        person("6", "A"),
        person("7", "A"),
    ]);
    let known = known(&["1", "2", "3", "4"], &[], &[]);
    let plan = Plan::new(roster, &known, &values(&old), &reasons);
    let expected = Counts {
        joiners: 3,
        leavers: 3,
        explained_leavers: 1,
        changed: 1,
    };
    assert_eq!(plan.counts(), expected);
    assert_eq!(
        lines(&plan)[..4],
        [
            "- 1 leaves (employment ended 2026-06-01)",
            "- 2 leaves (employment ended 2026-06-01)",
            "- 3 leaves (missing from every source)",
            "~ 4 lastName"
        ]
    );
}

#[test]
fn an_approval_covers_the_reason_and_for_new_values_those_very_values() {
    let old = [person("1", "A"), person("2", "A")];
    let plan = plan_of(&old, &[person("2", "B"), person("3", "A")]);
    let reasons: Vec<String> = plan
        .changes
        .iter()
        .map(|change| plan.reason(change))
        .collect();
    assert_eq!(reasons[0], "leaves: missing from every source");
    assert_eq!(
        reasons[1],
        format!("changes: {}", hex(&person("2", "B").hash().0))
    );
    assert_eq!(reasons[2], "joins");
    let again = plan_of(&old, &[person("2", "C"), person("3", "B")]);
    assert_ne!(again.reason(&again.changes[1]), reasons[1]);
    assert_eq!(again.reason(&again.changes[2]), "joins");
    assert_eq!(*plan.entry(&id("2")).unwrap().employee(), person("2", "B"));
    assert!(plan.entry(&id("1")).is_none());
}

#[test]
fn a_plan_has_another_hash_for_other_people_other_values_or_other_reasons() {
    let old = [person("1", "A"), person("2", "A")];
    let plan = |new: &[Employee]| plan_of(&old, new).hash;
    let joins = |name: &str| plan(&[person("1", "A"), person("2", "A"), person("3", name)]);
    let hashes = [
        plan(&[person("1", "A")]),
        plan(&[person("2", "A")]),
        plan(&[person("1", "A"), person("2", "B")]),
        plan(&[person("1", "A"), person("2", "C")]),
        joins("A"),
        joins("B"),
    ];
    let different: std::collections::HashSet<&String> = hashes.iter().collect();
    assert_eq!(different.len(), hashes.len());
    assert_eq!(joins("A"), hashes[4]);
    let reasons = Reasons {
        removed: HashMap::from([(id("2"), "werk-2".to_owned())]),
        ..Reasons::default()
    };
    let known = known(&["1", "2"], &[], &[]);
    let removed = Plan::new(
        entries(&[person("1", "A")]),
        &known,
        &values(&old),
        &reasons,
    );
    assert_ne!(removed.hash, hashes[0]);
}

#[test]
fn of_several_reasons_the_surest_is_given() {
    let one = || {
        HashMap::from([(
            id("1"),
            Ended {
                last_day: day(1),
                late: true,
                source: 0,
            },
        )])
    };
    let column = || "Kostenstelle".to_owned();
    let unselected = |unselected| HashMap::from([(id("1"), unselected)]);
    let mut reasons = Reasons {
        refused: [id("1")].into(),
        ended: one(),
        unselected: unselected(Unselected::Excluded { column: column() }),
        same_rules: [id("1")].into(),
        removed: HashMap::from([(id("1"), "werk-2".to_owned())]),
    };
    let of = |reasons: &Reasons| reasons.of(&id("1"));
    assert_eq!(of(&reasons), Leaving::Refused);
    reasons.refused.clear();
    assert_eq!(
        of(&reasons),
        Leaving::EmploymentEnded {
            last_day: day(1),
            late: true
        }
    );
    reasons.ended.clear();
    assert_eq!(
        of(&reasons),
        Leaving::Excluded {
            column: column(),
            changed: true
        }
    );
    reasons.same_rules.clear();
    assert_eq!(
        of(&reasons),
        Leaving::Excluded {
            column: column(),
            changed: false
        }
    );
    reasons.unselected = unselected(Unselected::NotIncluded { column: column() });
    assert_eq!(of(&reasons), Leaving::NotIncluded { column: column() });
    reasons.unselected = unselected(Unselected::Unclear {
        column: column(),
        line: 3,
        end: None,
    });
    assert_eq!(of(&reasons), Leaving::NotIncluded { column: column() });
    reasons.unselected.clear();
    assert_eq!(
        of(&reasons),
        Leaving::SourceRemoved {
            source: "werk-2".to_owned()
        }
    );
    reasons.removed.clear();
    assert_eq!(of(&reasons), Leaving::Missing);
    assert_eq!(reasons.of(&id("2")), Leaving::Missing);
}

#[test]
fn a_date_in_time_and_a_value_that_became_a_listed_one_explain_a_leaver_and_nothing_else_does() {
    let column = || "Kostenstelle".to_owned();
    let reasons = [
        (
            Leaving::EmploymentEnded {
                last_day: day(1),
                late: false,
            },
            true,
            "employment ended 2026-06-01",
        ),
        (
            Leaving::EmploymentEnded {
                last_day: day(1),
                late: true,
            },
            false,
            "employment ended 2026-06-01",
        ),
        (
            Leaving::Excluded {
                column: column(),
                changed: true,
            },
            true,
            "excluded by the rule on Kostenstelle",
        ),
        (
            Leaving::Excluded {
                column: column(),
                changed: false,
            },
            false,
            "excluded by the rule on Kostenstelle",
        ),
        (
            Leaving::NotIncluded { column: column() },
            false,
            "no longer matches the rule on Kostenstelle",
        ),
        (
            Leaving::SourceRemoved {
                source: "werk-2".to_owned(),
            },
            false,
            "the source werk-2 is not configured any more",
        ),
        (Leaving::Refused, false, "JobTicket refuses their values"),
        (Leaving::Missing, false, "missing from every source"),
    ];
    for (why, explained, words) in reasons {
        assert_eq!(why.is_explained(), explained, "{words}");
        assert_eq!(why.to_string(), words);
    }
}
