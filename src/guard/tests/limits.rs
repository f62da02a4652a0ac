//! Each limit, exactly at its edge and one above it.

use super::*;

#[test]
fn a_plan_that_changes_nothing_has_no_questions_and_nothing_goes() {
    let case = Case::leavers(0);
    let judged = case.judge();
    assert!(judged.whole.is_none() && judged.questions.is_empty() && judged.trips.is_empty());
    assert!(judged.nothing_goes(&case.plan()));
}

#[test]
fn ten_unexplained_leavers_of_two_hundred_go_and_eleven_wait() {
    let at = Case::leavers(10);
    assert_eq!(at.gone().len(), 10);
    assert_eq!(tripped(&at.judge()), []);
    let above = Case::leavers(11);
    assert!(above.gone().is_empty());
    let judged = above.judge();
    assert!(judged.whole.is_none());
    assert_eq!(judged.questions.len(), 11);
    assert!(asked(&judged).iter().all(|(_, kind)| *kind == "leavers"));
    assert_eq!(tripped(&judged), [Which::Leavers, Which::Window]);
    assert_eq!(
        judged.trips[0],
        Trip {
            limit: Which::Leavers,
            days: None,
            number: 11,
            allowed: 10,
            of: 200,
            hr_ids: (0..11).map(|id| format!("{id:05}")).collect(),
        }
    );
    assert_eq!(
        judged.trips[0].to_string(),
        "11 unexplained leavers of 200 people (5.5 %), limits.leavers lets 10 through"
    );
    assert_eq!(
        judged.trips[1].to_string(),
        "11 unexplained leavers in 1 day of 200 people (5.5 %), limits.windows lets 10 through"
    );
}

#[test]
fn where_leavers_wait_joiners_and_changes_go_all_the_same() {
    let new = [
        people(11..199, "A"),
        people(199..200, "B"),
        people(500..503, "A"),
    ]
    .concat();
    let case = Case::new(&people(0..200, "A"), &new);
    let judged = case.judge();
    assert!(!judged.nothing_goes(&case.plan()));
    let plan = case.without_waiting(&judged);
    let approved = judged.approve(plan).unwrap();
    assert_eq!(approved.entries().len(), 203);
    let lines: Vec<String> = approved.changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "~ 00199 lastName",
            "+ 00500 joins",
            "+ 00501 joins",
            "+ 00502 joins"
        ]
    );
}

#[test]
fn a_window_counts_those_who_left_before_and_those_who_would_leave_now() {
    let case = |before: usize| {
        let mut limits = lenient();
        limits.windows = vec![window(30, 5)];
        let mut case = with_limits(Case::leavers(2), limits);
        case.left = vec![day(10); before];
        case
    };
    assert_eq!(case(3).gone().len(), 2);
    assert_eq!(tripped(&case(3).judge()), []);
    let judged = case(4).judge();
    assert_eq!(asked(&judged), [("00000", "leavers"), ("00001", "leavers")]);
    let trip = &judged.trips[0];
    assert_eq!(
        (trip.limit, trip.days, trip.number, trip.allowed, trip.of),
        (Which::Window, Some(30), 6, 5, 200)
    );
    assert_eq!(trip.hr_ids, ["00000", "00001"]);
}

#[test]
fn a_window_of_several_days_begins_so_many_days_ago_today_among_them() {
    let case = |days: u32, left: NaiveDate| {
        let mut limits = lenient();
        limits.windows = vec![window(days, 1)];
        let mut case = with_limits(Case::leavers(1), limits);
        case.left = vec![left];
        case.gone().len()
    };
    assert_eq!(case(1, day(15)), 0, "today is in a window of one day");
    assert_eq!(case(1, day(14)), 1, "yesterday is not");
    assert_eq!(case(7, day(9)), 0, "the seventh day is in a week");
    assert_eq!(case(7, day(8)), 1, "the eighth is not");
    assert_eq!(
        case(1, day(16)),
        0,
        "a day that lies ahead is in every window"
    );
}

#[test]
fn a_second_window_trips_where_the_first_does_not() {
    let mut limits = lenient();
    limits.windows = vec![window(1, 5), window(10, 3)];
    let mut case = with_limits(Case::leavers(2), limits);
    case.left = vec![day(6), day(7)];
    let judged = case.judge();
    assert_eq!(judged.trips.len(), 1);
    assert_eq!(judged.trips[0].days, Some(10));
    assert_eq!(judged.questions.len(), 2);
}

#[test]
fn a_window_that_is_full_does_not_trip_where_nobody_leaves_without_an_explanation() {
    let mut limits = lenient();
    limits.windows = vec![window(30, 1)];
    let mut case = with_limits(Case::leavers(1), limits);
    case.left = vec![day(15); 3];
    case.ended = vec![(id("00000"), false)];
    assert_eq!(tripped(&case.judge()), []);
    assert_eq!(case.gone().len(), 1);
}

#[test]
fn explained_leavers_count_for_their_own_limit_alone() {
    let case = |leavers: usize| {
        let mut case = Case::new(&people(0..100, "A"), &people(leavers..100, "A"));
        case.ended = ids(&people(0..leavers, "A"))
            .into_iter()
            .map(|hr_id| (hr_id, false))
            .collect();
        case.missing.clear();
        case.limits.keep_percent = 100;
        case
    };
    assert_eq!(case(20).gone().len(), 20);
    assert_eq!(tripped(&case(20).judge()), []);
    assert_eq!(
        case(20).judge().grounds(&id("00000")),
        Some(&Grounds::Explained)
    );
    let judged = case(21).judge();
    assert!(judged.whole.is_none());
    assert_eq!(judged.questions.len(), 21);
    let kinds = asked(&judged);
    assert!(kinds.iter().all(|(_, kind)| *kind == "explained leavers"));
    assert_eq!(
        judged.trips[0].to_string(),
        "21 explained leavers of 100 people (21.0 %), limits.explained_leavers lets 20 through"
    );
}

#[test]
fn an_end_of_long_ago_does_not_explain_itself() {
    let mut case = Case::leavers(1);
    case.ended = vec![(id("00000"), true)];
    case.missing = HashMap::from([(id("00000"), 1)]);
    let judged = case.judge();
    assert_eq!(judged.counting, [(id("00000"), 1)]);
    assert!(case.gone().is_empty());
}

#[test]
fn twenty_joiners_to_a_hundred_go_and_twenty_one_wait() {
    let case = |joiners: usize| Case::new(&people(0..100, "A"), &people(0..100 + joiners, "A"));
    let judged = case(20).judge();
    assert!(judged.questions.is_empty() && judged.trips.is_empty());
    let above = case(21);
    let judged = above.judge();
    assert_eq!(tripped(&judged), [Which::Joiners]);
    assert!(judged.whole.is_none());
    assert_eq!(judged.questions.len(), 21);
    assert!(asked(&judged).iter().all(|(_, kind)| *kind == "joiners"));
    assert!(above.without_waiting(&judged).changes.is_empty());
}

#[test]
fn where_nobody_is_known_everybody_may_join() {
    let case = Case::new(&[], &people(0..500, "A"));
    let judged = case.judge();
    assert!(judged.whole.is_none() && judged.questions.is_empty() && judged.trips.is_empty());
    let one = Case {
        of: Some(1),
        ..case
    };
    assert_eq!(tripped(&one.judge()), [Which::Joiners]);
}

#[test]
fn explained_leavers_and_joiners_over_their_limits_wait_each_for_themselves() {
    let mut limits = lenient();
    limits.explained_leavers = exactly(0);
    limits.joiners = exactly(0);
    let new = [people(1..9, "A"), people(20..21, "A")].concat();
    let mut case = with_limits(Case::new(&people(0..9, "A"), &new), limits);
    case.ended = vec![(id("00000"), false)];
    let judged = case.judge();
    assert!(judged.whole.is_none());
    assert_eq!(
        asked(&judged),
        [("00000", "explained leavers"), ("00020", "joiners")]
    );
}

#[test]
fn whoever_is_missing_leaves_on_the_day_that_missing_days_names_and_is_counted_before() {
    let case = |days: Option<u32>| {
        let mut case = Case::leavers(1);
        case.missing = days.map(|days| (id("00000"), days)).into_iter().collect();
        case
    };
    for (days, shown) in [(None, 0), (Some(1), 1), (Some(2), 2)] {
        let judged = case(days).judge();
        assert_eq!(judged.counting, [(id("00000"), shown)]);
        assert!(judged.questions.is_empty());
        assert!(judged.nothing_goes(&case(days).plan()));
        assert!(case(days).gone().is_empty());
    }
    for days in [3, 4] {
        let judged = case(Some(days)).judge();
        assert!(judged.counting.is_empty());
        assert_eq!(
            judged.grounds(&id("00000")),
            Some(&Grounds::Missing { days })
        );
        assert!(!judged.nothing_goes(&case(Some(days)).plan()));
        assert_eq!(case(Some(days)).gone().len(), 1);
    }
}

#[test]
fn who_is_counted_already_counts_for_the_limit_from_the_first_day() {
    let mut case = Case::leavers(11);
    for days in case.missing.values_mut() {
        *days = 1;
    }
    let judged = case.judge();
    assert_eq!(tripped(&judged), [Which::Leavers, Which::Window]);
    assert!(judged.counting.is_empty());
    assert_eq!(judged.questions.len(), 11);
}
