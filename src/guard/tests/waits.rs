//! Who waits whatever the limits say: changed rules, a removed source, another person, an emptied column, a new number, an open hold.

use super::*;

#[test]
fn whoever_the_changed_rules_remove_waits_however_few_they_are() {
    let mut case = Case::leavers(2);
    case.other_rules = HashSet::from([id("00000"), id("00001")]);
    // A date does not help: which column it is read from belongs to the rules.
    case.ended = vec![(id("00001"), false)];
    let judged = case.judge();
    assert_eq!(
        asked(&judged),
        [("00000", "changed rules"), ("00001", "changed rules")]
    );
    assert!(judged.whole.is_none() && judged.trips.is_empty());
    assert!(case.gone().is_empty());
}

#[test]
fn whoever_a_removed_source_takes_along_waits_however_few_they_are() {
    let mut case = Case::leavers(2);
    case.removed = vec![id("00001")];
    case.other_rules = HashSet::from([id("00001")]);
    let judged = case.judge();
    assert_eq!(asked(&judged), [("00001", "removed source")]);
    assert_eq!(case.gone(), BTreeSet::from([id("00000")]));
}

#[test]
fn whom_jobticket_refuses_waits_until_somebody_leaves_them_out() {
    let mut case = Case::leavers(1);
    case.refused = vec![id("00000")];
    case.ended = vec![(id("00000"), false)];
    assert_eq!(asked(&case.judge()), [("00000", "refused by JobTicket")]);
    assert!(case.gone().is_empty());
    case.approve(7, "00000", false);
    assert_eq!(case.gone(), BTreeSet::from([id("00000")]));
}

#[test]
fn a_record_of_another_person_waits_with_the_acknowledged_values() {
    let new = [people(0..1, "B"), people(1..9, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.others = HashSet::from([id("00000")]);
    case.emptied = BTreeMap::from([(id("00000"), Field::StartDate)]);
    let judged = case.judge();
    assert_eq!(asked(&judged), [("00000", "another person")]);
    assert!(case.without_waiting(&judged).changes.is_empty());
}

#[test]
fn whoever_lost_the_value_of_an_emptied_column_waits_and_the_field_is_named() {
    let new = [people(0..2, "B"), people(2..9, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.emptied = BTreeMap::from([(id("00000"), Field::StartDate)]);
    let judged = case.judge();
    assert_eq!(asked(&judged), [("00000", "emptied column")]);
    let why = &judged.questions[0].cause;
    assert_eq!(
        why.to_string(),
        "startDate is now empty for many who had it"
    );
    let sent = case.without_waiting(&judged);
    assert_eq!(sent.changes.len(), 1);
    assert_eq!(sent.changes[0].hr_id, id("00001"));
}

#[test]
fn of_one_person_under_two_numbers_the_old_one_stays_and_the_new_one_waits() {
    let mut renumbered = person("90000", "A");
    renumbered.set_email("p00000@example.com");
    let new = [people(1..9, "A"), vec![renumbered]].concat();
    let case = Case::new(&people(0..9, "A"), &new).find_pairs();
    let judged = case.judge();
    assert_eq!(
        asked(&judged),
        [("00000", "new numbers"), ("90000", "new numbers")]
    );
    let causes: Vec<String> = judged
        .questions
        .iter()
        .map(|question| question.cause.to_string())
        .collect();
    assert_eq!(
        causes,
        [
            "probably the same person as 90000",
            "probably the same person as 00000"
        ]
    );
    let sent = case.without_waiting(&judged);
    assert!(sent.changes.is_empty());
    assert_eq!(sent.entries.len(), 9);
}

#[test]
fn a_pair_of_whom_one_is_not_in_the_plan_is_none() {
    let mut case = Case::leavers(1);
    case.pairs = vec![Pair {
        old: id("00000"),
        new: id("90000"),
    }];
    let judged = case.judge();
    assert!(judged.questions.is_empty() && judged.new_numbers.is_empty());
    assert_eq!(case.gone().len(), 1);
}

#[test]
fn who_waits_in_an_open_hold_waits_on_where_no_limit_trips_any_more() {
    let mut case = Case::leavers(2);
    let reason = case.reason("00001");
    case.decided
        .waiting
        .insert(id("00001"), vec![(reason.clone(), Cause::Leavers)]);
    let judged = case.judge();
    assert_eq!(asked(&judged), [("00001", "leavers")]);
    assert_eq!(judged.questions[0].reason, reason);
    assert!(judged.trips.is_empty() && judged.whole.is_none());
    assert_eq!(case.gone(), BTreeSet::from([id("00000")]));
}

#[test]
fn an_open_hold_keeps_its_cause_and_is_about_the_reason_that_was_shown() {
    let mut case = Case::leavers(2);
    case.other_rules = HashSet::from([id("00000")]);
    let reason = case.reason("00000");
    case.decided
        .waiting
        .insert(id("00000"), vec![(reason.clone(), Cause::Excepted)]);
    let other = "leaves: excluded by the rule on Kostenstelle".to_owned();
    case.decided
        .waiting
        .insert(id("00001"), vec![(other.clone(), Cause::Leavers)]);
    assert_eq!(asked(&case.judge()), [("00000", "excepted")]);
    assert_eq!(case.gone(), BTreeSet::from([id("00001")]));
    // Of several holds the one with this reason counts.
    let of_person = case.decided.waiting.get_mut(&id("00000")).unwrap();
    of_person.insert(0, (other, Cause::Leavers));
    assert_eq!(asked(&case.judge()), [("00000", "excepted")]);
}

#[test]
fn who_waits_in_an_open_hold_still_counts_for_the_limit() {
    let mut case = Case::leavers(11);
    let reason = case.reason("00000");
    case.decided
        .waiting
        .insert(id("00000"), vec![(reason, Cause::Leavers)]);
    assert_eq!(tripped(&case.judge()), [Which::Leavers, Which::Window]);
    assert_eq!(case.judge().questions.len(), 11);
}

#[test]
fn a_joiner_and_a_change_in_open_holds_wait_on_too() {
    let new = [people(0..1, "B"), people(1..9, "A"), people(20..21, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    for (hr_id, cause) in [("00000", Cause::OtherPerson), ("00020", Cause::Joiners)] {
        let reason = case.reason(hr_id);
        case.decided
            .waiting
            .insert(id(hr_id), vec![(reason, cause)]);
    }
    let judged = case.judge();
    assert_eq!(
        asked(&judged),
        [("00000", "another person"), ("00020", "joiners")]
    );
    assert!(judged.nothing_goes(&case.plan()));
    // New values of the one who waits are another question.
    case.new[0].set_last_name("C");
    assert_eq!(asked(&case.judge()), [("00020", "joiners")]);
}
