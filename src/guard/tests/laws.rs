//! The laws of the guard, for random rosters, facts and decisions.

use proptest::prelude::*;

use super::*;

const PEOPLE: usize = 24;

/// What is random of one person.
#[derive(Debug, Clone)]
struct Fate {
    before: bool,
    after: bool,
    name: bool,
    ended: Option<bool>,
    days: Option<u32>,
    tags: [bool; 7],
    decision: u8,
}

fn fate() -> impl Strategy<Value = Fate> {
    let rare = || prop::bool::weighted(0.1);
    (
        (
            prop::bool::weighted(0.8),
            prop::bool::weighted(0.75),
            prop::bool::weighted(0.2),
        ),
        proptest::option::weighted(0.2, prop::bool::weighted(0.2)),
        proptest::option::weighted(0.9, 0u32..6),
        [rare(), rare(), rare(), rare(), rare(), rare(), rare()],
        0u8..24,
    )
        .prop_map(
            |((before, after, name), ended, days, tags, decision)| Fate {
                before,
                after,
                name,
                ended,
                days,
                tags,
                decision,
            },
        )
}

fn limit(most: u64) -> impl Strategy<Value = Limit> {
    (0u32..=100, proptest::option::of(0..most), 0..most).prop_map(|(percent, count, at_least)| {
        Limit {
            percent: f64::from(percent),
            count,
            at_least,
        }
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let stop = || {
        prop::bool::weighted(0.1).prop_map(|stop| if stop { OnTrip::Stop } else { OnTrip::Wait })
    };
    let window = (1u32..12, limit(12)).prop_map(|(days, limit)| Window { days, limit });
    (
        (limit(12), limit(12), limit(12), limit(30), limit(6)),
        proptest::collection::vec(window, 0..3),
        (20u8..=100, 0u32..5),
        (stop(), stop()),
    )
        .prop_map(
            |(
                (leavers, explained_leavers, joiners, changed, key_drift),
                windows,
                (keep_percent, missing_days),
                (on_leavers, on_joiners),
            )| Limits {
                leavers,
                windows,
                explained_leavers,
                joiners,
                changed,
                key_drift,
                keep_percent,
                missing_days,
                on_leavers,
                on_joiners,
                ..Limits::default()
            },
        )
}

fn name(position: usize) -> String {
    format!("{position:05}")
}

fn base(fates: &[Fate]) -> Case {
    let with = |position: usize, last_name: &str| person(&name(position), last_name);
    let places = || fates.iter().enumerate();
    let acknowledged = |fate: &Fate| fate.before && !fate.tags[6];
    let doubtful = |fate: &Fate| fate.before && fate.tags[6];
    let all_of = |wanted: &dyn Fn(&Fate) -> bool| -> Vec<Employee> {
        places()
            .filter(|(_, fate)| wanted(fate))
            .map(|(position, _)| with(position, "A"))
            .collect()
    };
    let new: Vec<Employee> = places()
        .filter(|(_, fate)| fate.after)
        .map(|(position, fate)| with(position, if fate.name { "B" } else { "A" }))
        .collect();
    let tagged = |tag: usize| {
        places()
            .filter(move |(_, fate)| fate.tags[tag])
            .map(|(position, _)| id(&name(position)))
    };
    let mut case = Case::new(&all_of(&acknowledged), &new);
    case.doubtful = all_of(&doubtful);
    case.ended = places()
        .filter_map(|(position, fate)| Some((id(&name(position)), fate.ended?)))
        .collect();
    case.missing = places()
        .filter_map(|(position, fate)| Some((id(&name(position)), fate.days?)))
        .collect();
    case.removed = tagged(0).collect();
    case.refused = tagged(1).collect();
    case.other_rules = tagged(2).collect();
    case.others = tagged(3).collect();
    case.emptied = tagged(4).map(|hr_id| (hr_id, Field::StartDate)).collect();
    case
}

/// Some leavers and joiners are one person; two leavers may be the same one.
fn pair_up(case: &mut Case, pairs: &[(prop::sample::Index, prop::sample::Index)]) {
    let plan = case.plan();
    let of = |wanted: fn(&What) -> bool| -> Vec<HrId> {
        let changes = plan.changes.iter().filter(|change| wanted(&change.what));
        changes.map(|change| change.hr_id.clone()).collect()
    };
    let leavers = of(|what| matches!(what, What::Leaves(_)));
    let joiners = of(|what| matches!(what, What::Joins));
    if leavers.is_empty() || joiners.is_empty() {
        return;
    }
    let found: BTreeMap<HrId, HrId> = pairs
        .iter()
        .map(|(old, new)| (old.get(&leavers).clone(), new.get(&joiners).clone()))
        .collect();
    case.pairs = found
        .into_iter()
        .map(|(old, new)| Pair { old, new })
        .collect();
}

fn decide(case: &mut Case, fates: &[Fate]) {
    let plan = case.plan();
    for change in &*plan.changes {
        let position: usize = change.hr_id.as_str().parse().unwrap();
        let (hr_id, reason) = (change.hr_id.clone(), plan.reason(change));
        let decided = &mut case.decided;
        match fates[position].decision {
            0..=2 => case.approve_for(reason, 1, hr_id.as_str(), true),
            3 => case.approve_for(reason, 2, hr_id.as_str(), false),
            4 => decided.rejections.entry(hr_id).or_default().push(reason),
            5 => {
                let waiting = decided.waiting.entry(hr_id).or_default();
                waiting.push((reason, Cause::Leavers));
            }
            6 => drop(decided.kept.insert(hr_id, day(15))),
            7 => drop(decided.kept.insert(hr_id, day(14))),
            // An approval of something else, and one that a rejection outdoes.
            8 => case.approve_for(format!("{reason}, or so"), 3, hr_id.as_str(), true),
            9 => {
                let rejections = decided.rejections.entry(hr_id.clone()).or_default();
                rejections.push(reason.clone());
                case.approve_for(reason, 1, hr_id.as_str(), true);
            }
            _ => {}
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let pair = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (
        proptest::collection::vec(fate(), PEOPLE),
        limits(),
        proptest::collection::vec(1u32..=17, 0..6),
        proptest::collection::vec(pair, 0..4),
        (
            prop::bool::weighted(0.05),
            prop::bool::weighted(0.05),
            0u8..20,
        ),
    )
        .prop_map(
            |(fates, limits, left, pairs, (first_contact, stopped, approved))| {
                let mut case = base(&fates);
                case.limits = limits;
                case.left = left.into_iter().map(day).collect();
                case.first_contact = first_contact;
                case.stopped = stopped.then_some(Stopped::Restored);
                pair_up(&mut case, &pairs);
                decide(&mut case, &fates);
                if approved < 2 {
                    let excepted = fates.iter().enumerate().filter(|(_, fate)| fate.tags[5]);
                    case.decided.plans = vec![PlanApproval {
                        hold: 8,
                        plan_hash: case.plan().hash,
                        except: excepted.map(|(position, _)| id(&name(position))).collect(),
                    }];
                }
                case
            },
        )
}

/// Leavers of the plan that goes, each with the grounds on which they do.
fn who_goes(case: &Case) -> BTreeMap<HrId, Grounds> {
    let judged = case.judge();
    case.gone()
        .into_iter()
        .map(|hr_id| {
            let grounds = judged.grounds(&hr_id).expect("grounds").clone();
            (hr_id, grounds)
        })
        .collect()
}

/// Whether an approval names exactly this person and this reason.
fn is_approved(case: &Case, hr_id: &HrId, hold: u64) -> bool {
    let whole = case.decided.plans.iter().any(|plan| {
        plan.hold == hold && plan.plan_hash == case.plan().hash && !plan.except.contains(hr_id)
    });
    let reason = case.reason(hr_id.as_str());
    let of_person = case.decided.approvals.get(hr_id).into_iter().flatten();
    whole
        || of_person
            .into_iter()
            .any(|approval| approval.hold == hold && approval.reason == reason)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whoever_is_in_question_stays(case in cases()) {
        let plan = case.plan();
        for (hr_id, grounds) in who_goes(&case) {
            let why = case.reasons().of(&hr_id);
            let whole_plan = case.decided.plans.iter().any(|approved| approved.plan_hash == plan.hash);
            prop_assert!(!case.decided.is_kept(&hr_id, case.today), "{hr_id} is kept");
            match grounds {
                Grounds::Approved { hold } => prop_assert!(is_approved(&case, &hr_id, hold)),
                Grounds::Explained => prop_assert!(why.is_explained()),
                Grounds::Missing { days } => {
                    prop_assert!(days >= case.limits.missing_days);
                    prop_assert_eq!(case.missing.get(&hr_id).copied().unwrap_or(0), days);
                }
            }
            if !whole_plan && !matches!(grounds, Grounds::Approved { .. }) {
                prop_assert!(!case.other_rules.contains(&hr_id));
                let asked = matches!(why, Leaving::SourceRemoved { .. } | Leaving::Refused);
                prop_assert!(!asked, "{why}");
                prop_assert!(case.pairs.iter().all(|pair| pair.old != hr_id));
                prop_assert!(!case.decided.waiting.contains_key(&hr_id));
            }
            prop_assert!(whole_plan || !case.decided.rejections.contains_key(&hr_id) || case.pairs.iter().any(|pair| pair.old == hr_id));
        }
    }

    #[test]
    fn an_approval_lets_go_nobody_whom_it_does_not_name(case in cases()) {
        let mut nothing = case.clone();
        nothing.decided.approvals.clear();
        nothing.decided.plans.clear();
        let unasked = nothing.gone();
        for (hr_id, grounds) in who_goes(&case) {
            if let Grounds::Approved { hold } = grounds {
                prop_assert!(is_approved(&case, &hr_id, hold));
            } else if nothing.judge().whole.is_none() && nothing.judge().trips.is_empty() {
                // Where no limit tripped, an approval makes no difference to anybody else.
                prop_assert!(unasked.contains(&hr_id));
            }
        }
    }

    #[test]
    fn everyone_in_a_plan_either_goes_or_waits_or_is_counted_or_is_kept(case in cases()) {
        let (plan, judged) = (case.plan(), case.judge());
        let waits: Vec<&HrId> = judged.questions.iter().map(|question| &question.change.hr_id).collect();
        let counted: Vec<&HrId> = judged.counting.iter().map(|(hr_id, _)| hr_id).collect();
        for change in &*plan.changes {
            let hr_id = &change.hr_id;
            let times = |list: &[&HrId]| list.iter().filter(|other| **other == hr_id).count();
            let kept = judged.kept.iter().filter(|other| *other == hr_id).count();
            let stays = times(&waits) + times(&counted) + kept;
            prop_assert!(stays <= 1);
            prop_assert_eq!(stays == 1, judged.stays().contains(hr_id));
            if stays == 1 {
                prop_assert!(judged.grounds(hr_id).is_none());
            }
            if matches!(change.what, What::Leaves(_)) {
                prop_assert_eq!(stays == 0, judged.grounds(hr_id).is_some());
            }
        }
        prop_assert!(judged.stays().iter().all(|hr_id| plan.changes.iter().any(|change| change.hr_id == *hr_id)));
        let goes = plan.changes.iter().any(|change| !judged.stays().contains(&change.hr_id));
        prop_assert_eq!(judged.nothing_goes(&plan), !goes || judged.whole.is_some());
    }

    #[test]
    fn no_more_people_leave_unasked_than_the_limit_and_every_window_let_through(case in cases()) {
        let unasked = who_goes(&case).values().filter(|grounds| matches!(grounds, Grounds::Missing { .. })).count() as u64;
        let explained = who_goes(&case).values().filter(|grounds| matches!(grounds, Grounds::Explained)).count() as u64;
        let of = case.old.len() as u64;
        prop_assert!(unasked <= case.limits.leavers.allowed(of));
        prop_assert!(explained <= case.limits.explained_leavers.allowed(of));
        for window in &case.limits.windows {
            let first = case.today - chrono::Days::new(u64::from(window.days) - 1);
            let before = case.left.iter().filter(|day| **day >= first).count() as u64;
            prop_assert!(unasked == 0 || unasked + before <= window.limit.allowed(of));
        }
    }

    #[test]
    fn the_plan_without_those_who_wait_is_let_through_and_changes_nobody_else(case in cases()) {
        let (plan, judged) = (case.plan(), case.judge());
        if judged.whole.is_some() {
            prop_assert!(judged.approve(plan).is_err());
            prop_assert!(judged.approve(case.without_waiting(&judged)).is_err());
            return Ok(());
        }
        let sent = judged.approve(case.without_waiting(&judged));
        prop_assert!(sent.is_ok());
        let sent = sent.unwrap();
        let goes = |change: &&Change| !judged.stays().contains(&change.hr_id);
        let expected: Vec<&Change> = plan.changes.iter().filter(goes).collect();
        prop_assert_eq!(sent.changes().iter().filter(goes).collect::<Vec<_>>(), expected);
        // Nothing is said of those who stay, but that JobTicket may not have them yet.
        for change in sent.changes().iter().filter(|change| !goes(change)) {
            prop_assert_eq!(&change.what, &What::Joins);
            prop_assert!(case.doubtful.iter().any(|person| person.hr_id == change.hr_id));
        }
        for employee in case.old.iter().chain(&case.doubtful) {
            let hr_id = &employee.hr_id;
            let leaves = sent.changes().iter().any(|change| change.hr_id == *hr_id && matches!(change.what, What::Leaves(_)));
            prop_assert_eq!(sent.entry(hr_id).is_none(), leaves);
            if judged.stays().contains(hr_id) {
                prop_assert_eq!(sent.entry(hr_id).unwrap().employee(), employee);
            }
        }
        if !judged.stays().is_empty() {
            prop_assert!(judged.approve(plan).is_err());
        }
    }

    #[test]
    fn a_limit_trips_exactly_where_more_people_would_go_than_it_allows(case in cases()) {
        for trip in case.judge().trips {
            if trip.limit != Which::Both {
                prop_assert!(trip.number as u64 > trip.allowed);
            }
            if trip.limit != Which::Window {
                prop_assert!(trip.number >= trip.hr_ids.len());
            }
        }
    }
}
