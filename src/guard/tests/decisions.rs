//! What people have decided: approvals, rejections, people who are kept, and approved plans.

use super::*;

/// Nine people, of whom the first comes again under another number.
fn renumbered() -> Case {
    let mut again = person("90000", "A");
    again.set_email("p00000@example.com");
    let new = [people(1..9, "A"), vec![again]].concat();
    Case::new(&people(0..9, "A"), &new).find_pairs()
}

fn approved_plan(case: &Case, except: &[&str]) -> PlanApproval {
    PlanApproval {
        hold: 4,
        plan_hash: case.plan().hash,
        except: except.iter().map(|hr_id| id(hr_id)).collect(),
    }
}

#[test]
fn an_approval_lets_the_named_people_go_and_everyone_else_waits_on() {
    let mut case = Case::leavers(13);
    case.approve(4, "00003", false);
    case.approve(5, "00007", false);
    assert_eq!(case.gone(), BTreeSet::from([id("00003"), id("00007")]));
    let judged = case.judge();
    assert_eq!(
        judged.grounds(&id("00003")),
        Some(&Grounds::Approved { hold: 4 })
    );
    assert_eq!(judged.grounds(&id("00000")), None);
    assert_eq!(judged.questions.len(), 11);
    assert_eq!(judged.trips[0].number, 13, "two who go by an approval");
}

#[test]
fn approved_leavers_use_up_the_limit_for_whoever_comes_on_top_of_them() {
    let mut case = Case::leavers(10);
    case.approve(4, "00000", false);
    assert_eq!(case.gone().len(), 10);
    let mut case = Case::leavers(11);
    case.approve(4, "00000", false);
    assert_eq!(case.gone(), BTreeSet::from([id("00000")]));
    let mut case = Case::new(&people(0..9, "A"), &people(6..9, "A"));
    assert!(case.judge().whole.is_some());
    for hr_id in ["00000", "00001", "00002", "00003"] {
        case.approve(4, hr_id, false);
    }
    assert!(case.judge().whole.is_none());
    assert_eq!(case.gone().len(), 4);
}

#[test]
fn approved_leavers_with_an_explanation_use_up_the_limit_of_their_kind() {
    let mut case = Case::leavers(4);
    case.ended = (0..4)
        .map(|number| (id(&format!("{number:05}")), false))
        .collect();
    case.limits = Limits {
        explained_leavers: exactly(3),
        ..lenient()
    };
    for hr_id in ["00000", "00001"] {
        case.approve(1, hr_id, false);
    }
    let judged = case.judge();
    assert_eq!(tripped(&judged), [Which::ExplainedLeavers]);
    let gone: Vec<HrId> = case.gone().into_iter().collect();
    assert_eq!(gone, [id("00000"), id("00001")]);
    // One fewer on top of them, and all go.
    case.limits.explained_leavers = exactly(4);
    assert_eq!(case.gone().len(), 4);
}

#[test]
fn approved_joiners_use_up_the_limit_on_joiners() {
    let mut case = Case::new(&people(0..9, "A"), &people(0..15, "A"));
    case.approve(4, "00009", false);
    assert_eq!(case.judge().questions.len(), 5);
}

#[test]
fn an_approval_lets_somebody_go_before_they_were_missing_for_long_enough() {
    let mut case = Case::leavers(1);
    case.missing = HashMap::from([(id("00000"), 1)]);
    case.approve(4, "00000", false);
    assert_eq!(case.gone().len(), 1);
}

#[test]
fn an_approval_for_another_reason_or_another_person_lets_nobody_go() {
    let mut case = Case::leavers(1);
    case.other_rules = HashSet::from([id("00000")]);
    let wrong = Approval {
        hold: 4,
        reason: "leaves: excluded by the rule on Kostenstelle".to_owned(),
        key_change: true,
    };
    case.decided.approvals.insert(id("00000"), vec![wrong]);
    let reason = case.reason("00000");
    let other = Approval {
        hold: 4,
        reason: reason.clone(),
        key_change: true,
    };
    case.decided.approvals.insert(id("00001"), vec![other]);
    assert!(case.gone().is_empty());
    case.approve(9, "00000", false);
    let judged = case.judge();
    assert_eq!(
        judged.grounds(&id("00000")),
        Some(&Grounds::Approved { hold: 9 })
    );
}

#[test]
fn approved_joiners_and_changes_go_whatever_they_waited_for() {
    let new = [people(0..1, "B"), people(1..9, "A"), people(20..21, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.limits.joiners = exactly(0);
    case.others = HashSet::from([id("00000")]);
    assert_eq!(case.judge().questions.len(), 2);
    case.approve(4, "00000", false);
    case.approve(4, "00020", false);
    let judged = case.judge();
    assert!(judged.questions.is_empty());
    let approved = judged.approve(case.without_waiting(&judged)).unwrap();
    assert_eq!(approved.changes().len(), 2);
    assert_eq!(approved.holds(), BTreeSet::from([4]));
}

#[test]
fn an_approval_of_new_values_covers_those_very_values() {
    let new = [people(0..1, "B"), people(1..9, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.others = HashSet::from([id("00000")]);
    case.approve(4, "00000", false);
    case.new[0].set_last_name("C");
    assert_eq!(asked(&case.judge()), [("00000", "another person")]);
}

#[test]
fn a_rejected_person_stays_as_they_are_and_is_not_asked_about_again() {
    let new = [people(0..1, "B"), people(2..9, "A"), people(20..21, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.reject("00000");
    case.reject("00001");
    case.reject("00020");
    let judged = case.judge();
    assert_eq!(judged.kept, [id("00000"), id("00001"), id("00020")]);
    assert!(judged.questions.is_empty() && judged.counting.is_empty());
    assert!(case.without_waiting(&judged).changes.is_empty());
}

#[test]
fn a_rejection_is_for_the_reason_that_was_shown_and_outdoes_an_approval_of_it() {
    let mut case = Case::leavers(2);
    case.reject("00000");
    case.approve(4, "00000", false);
    let other = "leaves: excluded by the rule on Kostenstelle".to_owned();
    case.decided.rejections.insert(id("00001"), vec![other]);
    assert_eq!(case.gone(), BTreeSet::from([id("00001")]));
    assert_eq!(case.judge().kept, [id("00000")]);
}

#[test]
fn rejected_leavers_count_for_no_limit() {
    let mut case = Case::leavers(11);
    case.reject("00000");
    assert!(case.judge().trips.is_empty());
    assert_eq!(case.gone().len(), 10);
}

#[test]
fn whoever_is_kept_until_a_day_stays_on_that_day_and_may_go_on_the_next() {
    let mut case = Case::leavers(1);
    case.ended = vec![(id("00000"), false)];
    case.approve(4, "00000", false);
    case.decided.kept.insert(id("00000"), day(15));
    assert_eq!(case.judge().kept, [id("00000")]);
    assert!(case.gone().is_empty());
    case.today = day(16);
    assert_eq!(case.gone().len(), 1);
}

#[test]
fn whoever_is_kept_may_still_change() {
    let new = [people(0..1, "B"), people(1..9, "A")].concat();
    let mut case = Case::new(&people(0..9, "A"), &new);
    case.decided.kept.insert(id("00000"), day(15));
    let judged = case.judge();
    assert!(judged.kept.is_empty());
    assert_eq!(case.without_waiting(&judged).changes.len(), 1);
}

#[test]
fn a_new_number_goes_where_both_were_approved_and_the_key_change_was_accepted() {
    let gone = |old: Option<bool>, new: Option<bool>| {
        let mut case = renumbered();
        if let Some(key_change) = old {
            case.approve(4, "00000", key_change);
        }
        if let Some(key_change) = new {
            case.approve(5, "90000", key_change);
        }
        let judged = case.judge();
        let sent = case.without_waiting(&judged);
        let joined = sent.entry(&id("90000")).is_some();
        assert_eq!(
            joined,
            case.gone().len() == 1,
            "both go, or both stay as they are"
        );
        assert_eq!(judged.new_numbers.is_empty(), joined);
        joined
    };
    assert!(gone(Some(true), Some(false)));
    assert!(gone(Some(true), Some(true)));
    assert!(!gone(Some(false), Some(true)));
    assert!(!gone(Some(true), None));
    assert!(!gone(None, Some(true)));
    assert!(!gone(None, None));
}

#[test]
fn both_of_an_approved_pair_go_on_the_grounds_of_the_hold_that_names_the_old_number() {
    let mut case = renumbered();
    case.approve(4, "00000", true);
    case.approve(5, "90000", true);
    let judged = case.judge();
    for hr_id in ["00000", "90000"] {
        let grounds = judged.grounds(&id(hr_id));
        assert_eq!(grounds, Some(&Grounds::Approved { hold: 4 }));
    }
}

#[test]
fn both_of_a_rejected_pair_stay_as_they_are() {
    let mut case = renumbered();
    case.reject("00000");
    let judged = case.judge();
    assert_eq!(judged.kept, [id("00000"), id("90000")]);
    assert!(judged.new_numbers.is_empty() && judged.questions.is_empty());
    assert!(case.without_waiting(&judged).changes.is_empty());
}

#[test]
fn both_of_a_pair_stay_as_they_are_while_the_old_number_is_kept() {
    let mut case = renumbered();
    case.approve(4, "00000", true);
    case.approve(4, "90000", true);
    case.decided.kept.insert(id("00000"), day(15));
    assert_eq!(case.judge().kept, [id("00000"), id("90000")]);
    case.today = day(16);
    assert!(case.judge().kept.is_empty());
    assert_eq!(case.gone().len(), 1);
}

/// Two old numbers of one person, and one new one.
fn twice_renumbered() -> Case {
    let mut case = Case::new(
        &people(0..9, "A"),
        &[people(2..9, "A"), people(90..91, "A")].concat(),
    );
    let pair = |old: &str| Pair {
        old: id(old),
        new: id("00090"),
    };
    case.pairs = vec![pair("00000"), pair("00001")];
    case
}

#[test]
fn of_two_old_numbers_of_one_person_neither_goes_while_one_of_them_is_in_question() {
    for (approved, waits) in [("00000", "00001"), ("00001", "00000")] {
        let mut case = twice_renumbered();
        case.approve(4, approved, true);
        case.approve(4, "00090", true);
        assert!(
            case.gone().is_empty(),
            "{approved} stays while {waits} is asked about"
        );
        let judged = case.judge();
        assert_eq!(judged.questions.len(), 3);
        assert_eq!(judged.new_numbers.len(), 2);
        assert!(judged.grounds(&id("00090")).is_none());
    }
    let mut case = twice_renumbered();
    for hr_id in ["00000", "00001", "00090"] {
        case.approve(4, hr_id, true);
    }
    assert_eq!(case.gone(), BTreeSet::from([id("00000"), id("00001")]));
    let judged = case.judge();
    assert!(case.without_waiting(&judged).entry(&id("00090")).is_some());
}

#[test]
fn of_two_old_numbers_of_one_person_one_may_be_rejected_and_the_other_go() {
    for (goes, stays) in [("00000", "00001"), ("00001", "00000")] {
        let mut case = twice_renumbered();
        case.approve(4, goes, true);
        case.approve(4, "00090", true);
        case.reject(stays);
        assert_eq!(case.gone(), BTreeSet::from([id(goes)]));
        let judged = case.judge();
        assert_eq!(judged.kept, [id(stays)]);
        assert!(case.without_waiting(&judged).entry(&id("00090")).is_some());
    }
}

#[test]
fn an_approved_plan_goes_whole_whatever_limits_trip() {
    let new = [people(60..100, "B"), people(200..300, "A")].concat();
    let mut case = Case::new(&people(0..100, "A"), &new);
    case.first_contact = true;
    assert!(case.judge().whole.is_some());
    case.decided.plans = vec![approved_plan(&case, &[])];
    let judged = case.judge();
    assert!(judged.whole.is_none() && judged.trips.is_empty() && judged.questions.is_empty());
    assert_eq!(case.gone().len(), 60);
    let approved = judged.approve(case.plan()).unwrap();
    assert_eq!(approved.holds(), BTreeSet::from([4]));
    assert_eq!(approved.changes().len(), 200);
}

#[test]
fn an_approval_of_a_plan_is_for_exactly_that_plan() {
    let mut case = Case::leavers(60);
    case.decided.plans = vec![approved_plan(&Case::leavers(59), &[])];
    assert!(case.judge().whole.is_some());
    let other = approved_plan(&case, &[]);
    case.decided.plans.push(other);
    assert_eq!(case.gone().len(), 60);
    case.old.push(person("99999", "A"));
    assert!(case.judge().whole.is_some(), "one more would leave");
}

#[test]
fn whoever_was_excepted_from_an_approved_plan_waits() {
    let mut case = Case::leavers(60);
    case.decided.plans = vec![approved_plan(&case, &["00007", "00199"])];
    let judged = case.judge();
    assert_eq!(asked(&judged), [("00007", "excepted")]);
    let gone = case.gone();
    assert_eq!(gone.len(), 59);
    assert!(!gone.contains(&id("00007")));
}

#[test]
fn whoever_is_kept_stays_in_an_approved_plan_too() {
    let mut case = Case::leavers(60);
    case.decided.plans = vec![approved_plan(&case, &[])];
    case.decided.kept.insert(id("00007"), day(15));
    assert_eq!(case.judge().kept, [id("00007")]);
    let gone = case.gone();
    assert_eq!(gone.len(), 59);
    assert!(!gone.contains(&id("00007")));
    case.today = day(16);
    assert_eq!(case.gone().len(), 60);
}

#[test]
fn nothing_of_an_approved_plan_goes_while_something_stops_everything() {
    let stops = [
        Stopped::NotOurs {
            sync_id: "sync-7".to_owned(),
        },
        Stopped::Restored,
        Stopped::TicketsLost { ids: vec![7] },
    ];
    for stop in stops {
        let mut case = Case::leavers(1);
        case.decided.plans = vec![approved_plan(&case, &[])];
        case.approve(4, "00000", true);
        assert_eq!(case.gone().len(), 1);
        case.stopped = Some(stop.clone());
        let judged = case.judge();
        assert_eq!(judged.whole.as_ref().unwrap().stopped.as_ref(), Some(&stop));
        assert!(judged.nothing_goes(&case.plan()));
        assert!(judged.approve(case.plan()).is_err());
    }
}

#[test]
fn a_new_number_goes_where_its_key_change_was_accepted_after_another_approval() {
    let mut renumbered = person("90000", "A");
    renumbered.set_email("p00000@example.com");
    let new = [people(1..9, "A"), vec![renumbered]].concat();
    let mut case = Case::new(&people(0..9, "A"), &new).find_pairs();
    case.approve(4, "00000", false);
    for hr_id in ["00000", "90000"] {
        case.approve(5, hr_id, true);
    }
    let judged = case.judge();
    assert!(judged.questions.is_empty());
    let approved = judged.approve(case.plan()).unwrap();
    assert_eq!(approved.holds(), [5].into());
}
