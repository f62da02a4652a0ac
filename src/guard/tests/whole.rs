//! When the whole plan waits: probably the wrong file, a limit that stops, a first contact, and whatever stops everything.

use super::*;

#[test]
fn half_of_all_may_change_and_with_one_more_the_whole_plan_waits() {
    let case = |changed: usize| {
        let new = [people(0..changed, "B"), people(changed..100, "A")].concat();
        Case::new(&people(0..100, "A"), &new)
    };
    let judged = case(50).judge();
    assert!(judged.whole.is_none() && judged.questions.is_empty());
    let judged = case(51).judge();
    assert_eq!(tripped(&judged), [Which::Changed]);
    assert_eq!(judged.whole.unwrap().trips, judged.trips);
}

#[test]
fn the_whole_plan_waits_for_more_leavers_of_all_kinds_than_keep_percent() {
    let case = |leavers: usize| {
        let mut case = Case::leavers(leavers);
        case.limits = lenient();
        // Half of them have an explanation.
        case.ended = ids(&people(0..leavers / 2, "A"))
            .into_iter()
            .map(|hr_id| (hr_id, false))
            .collect();
        case.limits.leavers = Limit {
            at_least: 0,
            percent: 100.0,
            count: None,
        };
        case.limits.explained_leavers = case.limits.leavers;
        case
    };
    assert_eq!(case(40).gone().len(), 40);
    let judged = case(41).judge();
    let hold = judged.whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::KeepPercent]);
    assert_eq!(hold.trips[0].allowed, 40);
    assert_eq!(hold.trips[0].hr_ids.len(), 41);
    assert!(!hold.first_contact && hold.stopped.is_none());
    assert_eq!(hold.plan_hash, case(41).plan().hash);
    assert_eq!(hold.kind(), "plan");
    assert_eq!(
        hold.why(),
        [
            "41 leavers of 200 people (20.5 %), limits.keep_percent lets 40 through: probably the wrong file"
        ]
    );
}

fn tripped_of(hold: &Hold) -> Vec<Which> {
    hold.trips.iter().map(|trip| trip.limit).collect()
}

#[test]
fn a_handful_may_leave_a_small_company_before_it_is_the_wrong_file() {
    let case = |leavers: usize, unexplained: u64, explained: u64| {
        let mut case = Case::new(&people(0..8, "A"), &people(leavers..8, "A"));
        case.limits.leavers = exactly(unexplained);
        case.limits.explained_leavers = exactly(explained);
        case.judge().whole.is_some()
    };
    assert!(!case(5, 2, 5));
    assert!(case(6, 2, 5));
    assert!(!case(3, 3, 1));
    assert!(case(4, 3, 1));
}

#[test]
fn leavers_and_joiners_both_over_their_limits_are_probably_the_wrong_file() {
    let case = |leavers: usize, joiners: usize| {
        let new = [people(leavers..200, "A"), people(200..200 + joiners, "A")].concat();
        Case::new(&people(0..200, "A"), &new)
    };
    assert!(case(11, 40).judge().whole.is_none(), "leavers alone wait");
    assert!(case(10, 41).judge().whole.is_none(), "joiners alone wait");
    let judged = case(11, 41).judge();
    let hold = judged.whole.unwrap();
    assert_eq!(
        tripped_of(&hold),
        [Which::Leavers, Which::Window, Which::Joiners, Which::Both]
    );
    let both = hold.trips.last().unwrap();
    assert_eq!((both.number, both.of, both.allowed), (52, 200, 0));
    assert_eq!(
        both.to_string(),
        "52 leavers and joiners, and both limits trip: probably the wrong file"
    );
    assert_eq!(hold.plan_hash, case(11, 41).plan().hash);
}

#[test]
fn a_window_and_the_joiners_limit_together_are_the_wrong_file_too() {
    let mut limits = lenient();
    limits.windows = vec![window(2, 0)];
    limits.joiners = exactly(0);
    let new = [people(1..9, "A"), people(20..21, "A")].concat();
    let case = with_limits(Case::new(&people(0..9, "A"), &new), limits);
    let trips = case.judge().whole.unwrap().trips;
    assert_eq!(trips.last().unwrap().limit, Which::Both);
}

#[test]
fn three_new_numbers_wait_in_pairs_and_with_four_the_whole_plan_does() {
    let case = |pairs: usize| {
        let renumbered = (0..pairs).map(|id| {
            let mut employee = person(&format!("9{id:04}"), "A");
            employee.set_email(&format!("p{id:05}@example.com"));
            employee
        });
        let new: Vec<Employee> = people(pairs..400, "A")
            .into_iter()
            .chain(renumbered)
            .collect();
        Case::new(&people(0..400, "A"), &new).find_pairs()
    };
    let judged = case(3).judge();
    assert!(judged.whole.is_none());
    assert_eq!(judged.new_numbers, case(3).pairs);
    assert_eq!(judged.new_numbers.len(), 3);
    assert_eq!(asked(&judged).len(), 6);
    assert!(tripped(&judged).is_empty());
    let judged = case(4).judge();
    let hold = judged.whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::KeyDrift]);
    assert_eq!(
        hold.trips[0].to_string(),
        "4 people with new numbers of 400 people (1.0 %), limits.key_drift lets 3 through: 4 people have new numbers. Approving may end 4 tickets. Map them (hrid_map)"
    );
    assert_eq!(hold.trips[0].hr_ids, ["00000", "00001", "00002", "00003"]);
}

#[test]
fn on_leavers_stop_holds_the_whole_plan_for_any_limit_on_leavers() {
    let stop = |mut limits: Limits| {
        limits.on_leavers = OnTrip::Stop;
        limits
    };
    let leavers = |limits| with_limits(Case::leavers(2), limits);
    let limits = Limits {
        leavers: exactly(1),
        ..lenient()
    };
    assert!(leavers(limits.clone()).judge().whole.is_none());
    let hold = leavers(stop(limits)).judge().whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::Leavers]);
    let limits = Limits {
        windows: vec![window(1, 1)],
        ..lenient()
    };
    let hold = leavers(stop(limits)).judge().whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::Window]);
    let limits = Limits {
        explained_leavers: exactly(1),
        ..lenient()
    };
    let mut case = leavers(stop(limits));
    case.ended = vec![(id("00000"), false), (id("00001"), false)];
    let hold = case.judge().whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::ExplainedLeavers]);
    assert!(leavers(stop(lenient())).judge().whole.is_none());
}

#[test]
fn on_leavers_stop_lets_joiners_wait_alone_and_the_other_way_round() {
    let joiners = |on_leavers, on_joiners| {
        let limits = Limits {
            joiners: exactly(0),
            on_leavers,
            on_joiners,
            ..lenient()
        };
        let case = Case::new(&people(0..9, "A"), &people(0..10, "A"));
        with_limits(case, limits).judge().whole
    };
    assert!(joiners(OnTrip::Stop, OnTrip::Wait).is_none());
    let hold = joiners(OnTrip::Wait, OnTrip::Stop).unwrap();
    assert_eq!(tripped_of(&hold), [Which::Joiners]);
    let leavers = Limits {
        leavers: exactly(0),
        on_joiners: OnTrip::Stop,
        ..lenient()
    };
    let case = with_limits(Case::leavers(1), leavers);
    assert!(case.judge().whole.is_none());
}

#[test]
fn a_first_contact_waits_whatever_the_plan_is() {
    let mut case = Case::new(&[], &people(0..3, "A"));
    case.first_contact = true;
    let hold = case.judge().whole.unwrap();
    assert!(hold.first_contact && hold.trips.is_empty() && hold.stopped.is_none());
    assert_eq!(hold.kind(), "first contact");
    assert_eq!(
        hold.why(),
        ["first contact with this address and integration"]
    );
    assert!(case.judge().nothing_goes(&case.plan()));
}

#[test]
fn a_first_contact_is_not_said_to_be_the_wrong_file_for_linked_people_who_are_not_in_it() {
    let mut case = Case::leavers(100);
    case.limits = Limits {
        leavers: exactly(0),
        ..lenient()
    };
    case.first_contact = true;
    let hold = case.judge().whole.unwrap();
    assert_eq!(tripped_of(&hold), [Which::Leavers]);
}

#[test]
fn whatever_stops_everything_is_named_before_anything_else() {
    let stops = [
        Stopped::NotOurs {
            sync_id: "sync-7".to_owned(),
        },
        Stopped::Restored,
        Stopped::TicketsLost { ids: vec![7, 8] },
    ];
    for (stop, (kind, words)) in stops.into_iter().zip([
        ("not ours", "JobTicket's last sync (sync-7)"),
        ("restored", "restored from a backup"),
        ("tickets lost", "(JobTicket's numbers 7, 8)"),
    ]) {
        let mut case = Case::leavers(0);
        case.first_contact = true;
        case.stopped = Some(stop.clone());
        let hold = case.judge().whole.unwrap();
        assert_eq!(hold.stopped, Some(stop));
        assert_eq!(hold.kind(), kind);
        assert!(hold.why()[0].contains(words), "{}", hold.why()[0]);
        assert_eq!(hold.why().len(), 2);
    }
}
