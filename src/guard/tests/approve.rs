//! The last check before a push: a plan is let through line by line, or not at all.

use super::*;

#[test]
fn a_plan_that_lacks_somebody_who_waits_is_refused() {
    let case = Case::leavers(11);
    let judged = case.judge();
    let error = judged.approve(case.plan()).unwrap_err();
    assert_eq!(error, Unaccounted::Changes { hr_id: id("00000") });
    assert_eq!(
        error.to_string(),
        "The plan changes 00000, whom the guard did not let go; nothing was pushed. Please report this"
    );
    // One of eleven was forgotten.
    let mut plan = case.without_waiting(&judged);
    plan.entries.remove(5);
    let error = judged.approve(case.plan_of(plan.entries)).unwrap_err();
    assert_eq!(error, Unaccounted::Changes { hr_id: id("00005") });
}

#[test]
fn a_plan_that_lacks_somebody_who_was_never_judged_is_refused() {
    let case = Case::leavers(1);
    let judged = case.judge();
    assert!(judged.approve(case.plan()).is_ok());
    let mut entries = case.plan().entries;
    entries.pop();
    let error = judged.approve(case.plan_of(entries)).unwrap_err();
    assert_eq!(error, Unaccounted::Changes { hr_id: id("00199") });
}

#[test]
fn a_plan_that_lacks_somebody_whose_change_was_approved_is_refused() {
    let new = [people(0..1, "B"), people(1..9, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.approve(4, "00000", false);
    let judged = case.judge();
    let mut entries = case.plan().entries;
    entries.remove(0);
    let error = judged.approve(case.plan_of(entries)).unwrap_err();
    assert_eq!(error, Unaccounted::Changes { hr_id: id("00000") });
}

#[test]
fn a_plan_that_changes_or_admits_somebody_who_stays_is_refused() {
    let new = [people(0..1, "B"), people(1..9, "A"), people(20..21, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    for hr_id in ["00000", "00020"] {
        let mut case = case.clone();
        case.reject(hr_id);
        let judged = case.judge();
        let error = judged.approve(case.plan()).unwrap_err();
        assert_eq!(error, Unaccounted::Changes { hr_id: id(hr_id) });
        assert!(judged.approve(case.without_waiting(&judged)).is_ok());
    }
    // Counted people may not go either.
    case.new.remove(1);
    let judged = case.judge();
    assert_eq!(judged.counting, [(id("00001"), 0)]);
    assert!(judged.approve(case.plan()).is_err());
}

#[test]
fn while_the_whole_plan_waits_no_plan_is_let_through_not_even_an_empty_one() {
    let case = Case::leavers(60);
    let judged = case.judge();
    assert!(judged.whole.is_some());
    let nothing = case.plan_of(people(0..200, "A").into_iter().map(entry).collect());
    assert!(nothing.changes.is_empty());
    let error = judged.approve(nothing).unwrap_err();
    assert_eq!(error, Unaccounted::Waits);
    assert_eq!(
        error.to_string(),
        "The whole plan waits for a decision; nothing was pushed. Please report this"
    );
    assert_eq!(judged.approve(case.plan()).unwrap_err(), Unaccounted::Waits);
}

#[test]
fn fewer_people_may_leave_than_were_let_go() {
    let case = Case::leavers(3);
    let judged = case.judge();
    let mut entries = case.plan().entries;
    entries.push(entry(person("00001", "A")));
    let approved = judged.approve(case.plan_of(entries)).unwrap();
    assert_eq!(approved.changes().len(), 2);
    assert_eq!(approved.entries().len(), 198);
}

#[test]
fn the_proof_holds_the_roster_the_changes_their_grounds_and_the_hash() {
    let mut case = Case::new(&people(0..9, "A"), &people(2..10, "A"));
    case.approve(6, "00001", false);
    let judged = case.judge();
    let approved = judged.approve(case.plan()).unwrap();
    assert_eq!(approved.plan_hash(), case.plan().hash);
    let places: Vec<&HrId> = approved
        .entries()
        .iter()
        .map(|entry| &entry.employee().hr_id)
        .collect();
    assert_eq!(places, ids(&people(2..10, "A")).iter().collect::<Vec<_>>());
    let entry = approved.entry(&id("00009")).unwrap();
    assert_eq!(*entry.employee(), person("00009", "A"));
    assert!(approved.entry(&id("00001")).is_none());
    assert_eq!(approved.changes(), *case.plan().changes);
    let grounds = |hr_id: &str| approved.grounds(&id(hr_id)).cloned();
    assert_eq!(grounds("00000"), Some(Grounds::Missing { days: 3 }));
    assert_eq!(grounds("00001"), Some(Grounds::Approved { hold: 6 }));
    assert_eq!(grounds("00009"), None);
    assert_eq!(approved.holds(), BTreeSet::from([6]));
    assert_eq!(approved.into_entries().len(), 8);
}

#[test]
fn a_proof_names_no_hold_whose_people_did_not_go_after_all() {
    let mut case = Case::leavers(1);
    case.approve(6, "00000", false);
    let judged = case.judge();
    let everybody = people(0..200, "A").into_iter().map(entry).collect();
    let approved = judged.approve(case.plan_of(everybody)).unwrap();
    assert_eq!(approved.holds(), BTreeSet::new());
}

#[test]
fn nobody_is_asked_about_twice_and_whoever_stays_is_not_let_go() {
    let case = Case::leavers(2);
    let plan = case.plan();
    let (one, other) = (&plan.changes[0], &plan.changes[1]);
    let mut judged = Judgement::default();
    judged.ask(&plan, one, Cause::Rules);
    judged.ask(&plan, one, Cause::Leavers);
    judged.count(one, 1);
    judged.keep(one);
    judged.let_go(one, Grounds::Explained);
    judged.count(other, 2);
    judged.count(other, 1);
    judged.keep(other);
    assert_eq!(asked(&judged), [("00000", "changed rules")]);
    assert_eq!(judged.counting, [(id("00001"), 2)]);
    assert!(judged.kept.is_empty());
    assert_eq!(judged.grounds(&id("00000")), None);
    assert_eq!(judged.stays().len(), 2);
    assert!(judged.nothing_goes(&plan));
}

/// Nine people, and somebody of a push that was never answered.
fn in_doubt(new: &[Employee]) -> Case {
    let mut case = Case::new(&people(0..9, "A"), new);
    case.doubtful = people(20..21, "A");
    case
}

#[test]
fn whoever_stays_with_the_values_of_a_push_that_was_never_answered_is_let_through() {
    let leaver = in_doubt(&people(0..9, "A"));
    let judged = leaver.judge();
    assert_eq!(judged.counting, [(id("00020"), 0)]);
    let sent = leaver.without_waiting(&judged);
    assert_eq!(sent.changes[0].to_string(), "+ 00020 joins");
    assert!(judged.approve(sent).is_ok());
    assert!(judged.approve(leaver.plan()).is_err());
    // The same where their row has other values, and they wait for the limit on joiners.
    let new = [people(0..9, "A"), people(20..21, "B")].concat();
    let mut joiner = in_doubt(&new);
    joiner.limits.joiners = exactly(0);
    let judged = joiner.judge();
    assert_eq!(asked(&judged), [("00020", "joiners")]);
    let sent = joiner.without_waiting(&judged);
    let stays = sent.entry(&id("00020")).unwrap().employee();
    assert_eq!(*stays, person("00020", "A"));
    assert!(judged.approve(sent).is_ok());
    assert!(judged.approve(joiner.plan()).is_err());
}

#[test]
fn a_plan_that_leaves_nobody_is_refused() {
    let case = Case::new(&people(0..1, "A"), &[]);
    let mut judged = Judgement::default();
    let plan = case.plan();
    for change in &*plan.changes {
        judged.let_go(change, Grounds::Explained);
    }
    let error = judged.approve(plan).unwrap_err();
    assert_eq!(error, Unaccounted::Empty);
}
