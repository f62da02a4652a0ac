//! Judges a plan by the limits, and hands out the only proof that a push accepts.
//!
//! Pure. The guard can let a whole plan through, hold it, or refuse it; it never edits one. [`Approved`] has private fields, so that no other
//! module can make one: a roster that was not judged cannot be pushed.

use std::fmt;

use serde::Serialize;

use crate::config::{Limit, Limits};
use crate::plan::{Change, Plan, What};
use crate::roster::Entry;

/// The proof that the guard has let a plan through, with the roster to send.
#[derive(Debug)]
pub struct Approved {
    entries: Vec<Entry>,
    changes: Vec<Change>,
    hash: String,
}

impl Approved {
    /// The roster, sorted by hrId.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What it changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Identifies the plan that was approved.
    pub fn plan_hash(&self) -> &str {
        &self.hash
    }
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// People who are missing without an explanation.
    Leavers,
    /// People whose employment ended by a date.
    ExplainedLeavers,
    /// New people.
    Joiners,
    /// People with changed values.
    Changed,
}

impl Which {
    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Leavers => "limits.leavers",
            Self::ExplainedLeavers => "limits.explained_leavers",
            Self::Joiners => "limits.joiners",
            Self::Changed => "limits.changed",
        }
    }

    /// Whom it counts, in words.
    pub fn people(self) -> &'static str {
        match self {
            Self::Leavers => "unexplained leavers",
            Self::ExplainedLeavers => "explained leavers",
            Self::Joiners => "joiners",
            Self::Changed => "changed employees",
        }
    }
}

/// A limit that tripped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trip {
    /// Which.
    pub limit: Which,
    /// How many people.
    pub number: usize,
    /// How many go unasked.
    pub allowed: u64,
    /// Of how many people in the snapshot.
    pub of: usize,
    /// Who.
    pub hr_ids: Vec<String>,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            number,
            allowed,
            of,
            ..
        } = self;
        #[expect(clippy::cast_precision_loss, reason = "headcounts are far below 2^52")]
        let share = if *of == 0 {
            100.0
        } else {
            *number as f64 * 100.0 / *of as f64
        };
        write!(
            f,
            "{number} {} of {of} people ({share:.1} %), {} lets {allowed} through",
            limit.people(),
            limit.key()
        )
    }
}

/// Why a plan waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The limits that tripped.
    pub trips: Vec<Trip>,
    /// Whether it waits because JobTicket has never acknowledged a roster from here, and is not the sandbox.
    pub first_contact: bool,
    /// Identifies what waits: the same plan has the same hash.
    pub plan_hash: String,
}

/// What the guard says of a plan.
#[derive(Debug)]
pub enum Verdict {
    /// It may go.
    Approved(Approved),
    /// It waits. Nothing of it is pushed.
    Held(Plan, Hold),
    /// The roster is empty, which is never pushed.
    EmptyRoster(Plan),
}

/// Judges a plan. `harmless` says that nobody can be reached under the address: the sandbox, or loopback.
pub fn judge(plan: Plan, limits: &Limits, harmless: bool) -> Verdict {
    if plan.entries.is_empty() {
        return Verdict::EmptyRoster(plan);
    }
    let first_contact = plan.snapshot.is_none() && !harmless;
    let trips = trips(&plan, limits);
    if first_contact || !trips.is_empty() {
        let hold = Hold {
            trips,
            first_contact,
            plan_hash: plan.hash.clone(),
        };
        return Verdict::Held(plan, hold);
    }
    let Plan {
        changes,
        entries,
        hash,
        ..
    } = plan;
    Verdict::Approved(Approved {
        entries,
        changes,
        hash,
    })
}

fn trips(plan: &Plan, limits: &Limits) -> Vec<Trip> {
    let of = plan.snapshot.unwrap_or(0);
    let who = |wanted: fn(&What) -> bool| -> Vec<String> {
        plan.changes
            .iter()
            .filter(|change| wanted(&change.what))
            .map(|change| change.hr_id.to_string())
            .collect()
    };
    let mut checks: Vec<(Which, Limit, Vec<String>)> = vec![
        (
            Which::Leavers,
            limits.leavers,
            who(|what| matches!(what, What::Leaves(why) if !why.is_explained())),
        ),
        (
            Which::ExplainedLeavers,
            limits.explained_leavers,
            who(|what| matches!(what, What::Leaves(why) if why.is_explained())),
        ),
    ];
    // Without a snapshot everybody joins; leavers can then only come from a push that was never answered.
    if plan.snapshot.is_some() {
        checks.push((
            Which::Joiners,
            limits.joiners,
            who(|what| matches!(what, What::Joins)),
        ));
        checks.push((
            Which::Changed,
            limits.changed,
            who(|what| matches!(what, What::Changes { .. })),
        ));
    }
    checks
        .into_iter()
        .filter_map(|(limit, allows, hr_ids)| {
            let allowed = allows.allowed(of as u64);
            (hr_ids.len() as u64 > allowed).then_some(Trip {
                limit,
                number: hr_ids.len(),
                allowed,
                of,
                hr_ids,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::Known;
    use crate::plan::tests::{entry, person, plan_of};
    use crate::roster::{Employee, Ended, HrId};

    fn people(ids: std::ops::Range<usize>, name: &str) -> Vec<Employee> {
        ids.map(|id| person(&format!("{id:05}"), name)).collect()
    }

    fn tripped(old: &[Employee], new: &[Employee]) -> Vec<Which> {
        match judge(plan_of(old, new), &Limits::default(), true) {
            Verdict::Approved(_) => Vec::new(),
            Verdict::Held(_, hold) => hold.trips.iter().map(|trip| trip.limit).collect(),
            Verdict::EmptyRoster(_) => panic!("empty"),
        }
    }

    #[test]
    fn an_empty_roster_is_refused_even_where_nobody_was_known() {
        assert!(matches!(
            judge(plan_of(&[], &[]), &Limits::default(), true),
            Verdict::EmptyRoster(_)
        ));
        assert!(matches!(
            judge(plan_of(&people(0..1, "A"), &[]), &Limits::default(), true),
            Verdict::EmptyRoster(_)
        ));
    }

    #[test]
    fn the_eleventh_unexplained_leaver_of_two_hundred_holds_the_plan() {
        let old = people(0..200, "A");
        assert_eq!(tripped(&old, &people(10..200, "A")), []);
        assert_eq!(tripped(&old, &people(11..200, "A")), [Which::Leavers]);
    }

    #[test]
    fn joiners_and_changes_have_limits_of_their_own() {
        let old = people(0..100, "A");
        assert_eq!(tripped(&old, &people(0..120, "A")), []);
        assert_eq!(tripped(&old, &people(0..121, "A")), [Which::Joiners]);
        let changed = |count: usize| [people(0..count, "B"), people(count..100, "A")].concat();
        assert_eq!(tripped(&old, &changed(50)), []);
        assert_eq!(tripped(&old, &changed(51)), [Which::Changed]);
    }

    #[test]
    fn explained_leavers_count_for_their_own_limit_only() {
        let known = Known {
            snapshot: Some(crate::plan::tests::keyed(&people(0..100, "A"))),
            doubtful: None,
        };
        let verdict = |leavers: usize| {
            let ended = people(0..leavers, "A")
                .iter()
                .map(|p| {
                    (
                        p.hr_id.clone(),
                        Ended {
                            last_day: chrono::NaiveDate::MIN,
                            late: false,
                            source: 0,
                        },
                    )
                })
                .collect();
            let entries = people(leavers..100, "A").into_iter().map(entry).collect();
            judge(
                Plan::new(entries, &known, &HashMap::new(), &ended, &HashMap::new()),
                &Limits::default(),
                true,
            )
        };
        assert!(matches!(verdict(20), Verdict::Approved(_)));
        let Verdict::Held(_, hold) = verdict(21) else {
            panic!("not held")
        };
        assert_eq!(hold.trips[0].limit, Which::ExplainedLeavers);
        assert_eq!(
            hold.trips[0].to_string(),
            "21 explained leavers of 100 people (21.0 %), limits.explained_leavers lets 20 through"
        );
    }

    #[test]
    fn without_a_snapshot_any_number_may_join_the_sandbox_and_nobody_a_real_address() {
        let plan = || {
            let entries = people(0..500, "A").into_iter().map(entry).collect();
            Plan::new(
                entries,
                &Known::default(),
                &HashMap::new(),
                &HashMap::new(),
                &HashMap::new(),
            )
        };
        assert!(matches!(
            judge(plan(), &Limits::default(), true),
            Verdict::Approved(_)
        ));
        let Verdict::Held(_, hold) = judge(plan(), &Limits::default(), false) else {
            panic!("not held")
        };
        assert!(hold.first_contact && hold.trips.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_approved_lacks_no_more_unexplained_people_than_the_limit_allows(
            old in proptest::collection::btree_set(0usize..400, 1..200),
            gone in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
            new in proptest::collection::btree_set(400usize..500, 0..40),
        ) {
            let old: Vec<usize> = old.into_iter().collect();
            let gone: Vec<usize> = gone.iter().map(|index| old[index.index(old.len())]).collect();
            let name = |id: &usize| person(&format!("{id:05}"), "A");
            let before: Vec<Employee> = old.iter().map(name).collect();
            let after: Vec<Employee> = old.iter().filter(|id| !gone.contains(id)).chain(&new).map(name).collect();
            let limits = Limits::default();
            match judge(plan_of(&before, &after), &limits, true) {
                Verdict::Approved(approved) => {
                    let has = |hr_id: &HrId| approved.entries().iter().any(|entry| entry.employee.hr_id == *hr_id);
                    let missing = before.iter().filter(|person| !has(&person.hr_id)).count() as u64;
                    prop_assert!(missing <= limits.leavers.allowed(before.len() as u64));
                    prop_assert_eq!(approved.entries().len(), after.len());
                }
                Verdict::Held(plan, hold) => {
                    prop_assert!(!hold.trips.is_empty());
                    for trip in &hold.trips {
                        prop_assert!(trip.number as u64 > trip.allowed);
                        prop_assert_eq!(trip.number, trip.hr_ids.len());
                    }
                    prop_assert_eq!(plan.hash, hold.plan_hash);
                }
                Verdict::EmptyRoster(plan) => prop_assert!(plan.entries.is_empty()),
            }
        }
    }
}
