//! Judges a plan by the limits, and hands out the only proof that a push accepts.
//!
//! Pure. The principle: whoever is in question stays in, the rest goes out, a person decides on names. [`judge`] says of everyone in a plan whether they go, wait for a
//! decision, or are kept; or that the whole plan waits, because it is probably the wrong file. The caller then takes out of the plan what waits, and hands what is left to
//! [`Judgement::approve`], which checks it line by line against the judgement. [`Approved`] has private fields, so that no other module can make one: a roster that was not judged
//! cannot be pushed.

mod decided;
mod judgement;
mod trip;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;

pub use decided::{Approval, Decided, PlanApproval};
pub use judgement::{Approved, Grounds, Judgement, Unaccounted};
pub use trip::{Cause, Hold, Question, Stopped, Trip, Which};

use crate::config::{Limit, Limits, OnTrip};
use crate::plan::{Change, Leaving, Pair, Plan, What};
use crate::roster::{Field, HrId};

/// What is known besides the plan.
#[derive(Debug)]
pub struct Facts<'f> {
    /// "Today" in the configured zone.
    pub today: NaiveDate,
    /// The limits.
    pub limits: &'f Limits,
    /// Whether this is a first push that waits for approval.
    pub first_contact: bool,
    /// What stops everything, whatever the plan is.
    pub stopped: Option<Stopped>,
    /// How many people percentages are of: those in the snapshot, or on first contact those linked.
    pub of: usize,
    /// The days on which people left without an explanation and without an approval, one for each of them.
    pub left: &'f [NaiveDate],
    /// For how many days of complete deliveries people have been missing, today among them.
    pub missing: &'f HashMap<HrId, u32>,
    /// People who were acknowledged under other selection rules than those in force.
    pub other_rules: &'f HashSet<HrId>,
    /// People with a new number.
    pub pairs: &'f [Pair],
    /// People whose record is now that of another person.
    pub others: &'f HashSet<HrId>,
    /// People who have lost the value of a field that most had.
    pub emptied: &'f BTreeMap<HrId, Field>,
    /// What people have decided.
    pub decided: &'f Decided,
}

/// Judges a plan.
pub fn judge(plan: &Plan, facts: &Facts<'_>) -> Judgement {
    let mut judged = Judgement::default();
    if facts.stopped.is_none()
        && let Some(approval) = facts.decided.plan(&plan.hash)
    {
        whole_plan_approved(plan, approval, facts, &mut judged);
        return judged;
    }
    let paired = pairs(plan, facts, &mut judged);
    let mut undecided = Undecided::default();
    for change in &*plan.changes {
        if !paired.contains(&change.hr_id) {
            sort(plan, change, facts, &mut judged, &mut undecided);
        }
    }
    let trips = undecided.trips(facts);
    undecided.wait(facts, &trips, &mut judged);
    let drifted = judged.new_numbers.len() as u64 > facts.limits.key_drift.allowed(facts.of as u64);
    if drifted {
        let hr_ids = judged.new_numbers.iter().map(|pair| pair.old.to_string());
        let hr_ids: Vec<String> = hr_ids.collect();
        let allowed = facts.limits.key_drift.allowed(facts.of as u64);
        judged
            .trips
            .push(Trip::new(Which::KeyDrift, facts.of, allowed, hr_ids));
    }
    let whole = trips.wrong_file(&undecided, facts);
    judged.trips.extend(trips.tripped);
    let stops = |on: OnTrip, which: &[Which]| {
        on == OnTrip::Stop && judged.trips.iter().any(|trip| which.contains(&trip.limit))
    };
    let stop = stops(
        facts.limits.on_leavers,
        &[Which::Leavers, Which::Window, Which::ExplainedLeavers],
    ) || stops(facts.limits.on_joiners, &[Which::Joiners])
        || judged.trips.iter().any(|trip| trip.limit == Which::Changed);
    judged.trips.extend(whole.clone());
    if facts.first_contact || facts.stopped.is_some() || drifted || stop || whole.is_some() {
        judged.whole = Some(Hold {
            trips: judged.trips.clone(),
            first_contact: facts.first_contact,
            stopped: facts.stopped.clone(),
            plan_hash: plan.hash.clone(),
        });
    }
    judged
}

/// Exactly this plan was approved: all of it goes but the people who were excepted, and those whom somebody keeps by name.
fn whole_plan_approved(
    plan: &Plan,
    approval: &PlanApproval,
    facts: &Facts<'_>,
    judged: &mut Judgement,
) {
    for change in &*plan.changes {
        let leaves = matches!(change.what, What::Leaves(_));
        if leaves && facts.decided.is_kept(&change.hr_id, facts.today) {
            judged.keep(change);
        } else if approval.except.contains(&change.hr_id) {
            judged.ask(plan, change, Cause::Excepted);
        } else if facts.decided.is_rejected(change, &plan.reason(change)) {
            // An approval ends the rejections before it, so this one came after it.
            judged.keep(change);
        } else {
            judged.let_go(
                change,
                Grounds::Approved {
                    hold: approval.hold,
                },
            );
        }
    }
}

/// One person under two numbers: the old one stays, the new one waits, unless both were approved. Returns everyone who was dealt with.
fn pairs(plan: &Plan, facts: &Facts<'_>, judged: &mut Judgement) -> HashSet<HrId> {
    let mut dealt = HashSet::new();
    let (mut approved, mut kept) = (Vec::new(), Vec::new());
    for pair in facts.pairs {
        let (Some(old), Some(new)) = (plan.change(&pair.old), plan.change(&pair.new)) else {
            continue;
        };
        dealt.extend([pair.old.clone(), pair.new.clone()]);
        let approval = |change: &Change| facts.decided.approval(change, &plan.reason(change));
        let is_kept = facts.decided.is_kept(&pair.old, facts.today);
        let both = approval(old).zip(approval(new)).map(|(of_old, _)| of_old);
        if let Some(of_old) = both.filter(|of_old| of_old.key_change && !is_kept) {
            approved.push((pair, old, new, of_old.hold));
        } else if is_kept || facts.decided.is_rejected(old, &plan.reason(old)) {
            kept.push((old, new));
        } else {
            ask_pair(plan, pair, (old, new), judged);
        }
    }
    for (pair, old, new, hold) in approved {
        // Two old numbers may have become one: while that is in question for one of them, the other would go without the new number.
        if judged.stays().contains(&new.hr_id) {
            ask_pair(plan, pair, (old, new), judged);
        } else {
            judged.let_go(old, Grounds::Approved { hold });
            judged.let_go(new, Grounds::Approved { hold });
        }
    }
    for (old, new) in kept {
        judged.keep(old);
        if judged.grounds(&new.hr_id).is_none() {
            judged.keep(new);
        }
    }
    dealt
}

fn ask_pair(plan: &Plan, pair: &Pair, (old, new): (&Change, &Change), judged: &mut Judgement) {
    let other = |hr_id: &HrId| Cause::NewNumber {
        other: hr_id.clone(),
    };
    judged.ask(plan, old, other(&pair.new));
    judged.ask(plan, new, other(&pair.old));
    judged.new_numbers.push(pair.clone());
}

/// Deals with what was decided or waits whatever the limits say; the rest is left to them.
fn sort<'p>(
    plan: &'p Plan,
    change: &'p Change,
    facts: &Facts<'_>,
    judged: &mut Judgement,
    undecided: &mut Undecided<'p>,
) {
    let hr_id = &change.hr_id;
    let reason = plan.reason(change);
    let leaves = matches!(change.what, What::Leaves(_));
    if leaves && facts.decided.is_kept(hr_id, facts.today) {
        return judged.keep(change);
    }
    if facts.decided.is_rejected(change, &reason) {
        return judged.keep(change);
    }
    if let Some(approval) = facts.decided.approval(change, &reason) {
        undecided.approved.count(change);
        return judged.let_go(
            change,
            Grounds::Approved {
                hold: approval.hold,
            },
        );
    }
    if let Some(cause) = facts.decided.waiting(change, &reason) {
        judged.ask(plan, change, cause.clone());
    }
    undecided.plan = Some(plan);
    match &change.what {
        What::Joins => undecided.joiners.push(change),
        What::Changes { .. } => {
            undecided.changed.push(change);
            if facts.others.contains(hr_id) {
                judged.ask(plan, change, Cause::OtherPerson);
            } else if let Some(field) = facts.emptied.get(hr_id) {
                judged.ask(plan, change, Cause::Emptied { field: *field });
            }
        }
        What::Leaves(why) => {
            undecided.leavers.push(change);
            match why {
                Leaving::SourceRemoved { .. } => judged.ask(plan, change, Cause::SourceRemoved),
                Leaving::Refused => judged.ask(plan, change, Cause::Refused),
                _ if facts.other_rules.contains(hr_id) => {
                    judged.ask(plan, change, Cause::Rules);
                }
                why if why.is_explained() => undecided.explained.push(change),
                _ => undecided.unexplained.push(change),
            }
        }
    }
}

/// People about whom nobody has decided, by what the limits count them for.
#[derive(Default)]
struct Undecided<'p> {
    plan: Option<&'p Plan>,
    joiners: Vec<&'p Change>,
    changed: Vec<&'p Change>,
    /// All of them.
    leavers: Vec<&'p Change>,
    explained: Vec<&'p Change>,
    unexplained: Vec<&'p Change>,
    /// Those who go by an approval. They use up the limits of this run, so that whoever comes on top of them waits.
    approved: Approvals,
}

/// How many go by an approval.
#[derive(Default)]
struct Approvals {
    joiners: usize,
    explained: usize,
    unexplained: usize,
}

impl Approvals {
    fn count(&mut self, change: &Change) {
        match &change.what {
            What::Joins => self.joiners += 1,
            What::Leaves(why) if why.is_explained() => self.explained += 1,
            What::Leaves(_) => self.unexplained += 1,
            What::Changes { .. } => {}
        }
    }
}

/// Limits that tripped.
#[derive(Default)]
struct Trips {
    tripped: Vec<Trip>,
    leavers: bool,
    explained: bool,
    joiners: bool,
}

fn names(changes: &[&Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| change.hr_id.to_string())
        .collect()
}

impl Undecided<'_> {
    fn trips(&self, facts: &Facts<'_>) -> Trips {
        let mut trips = Trips::default();
        let of = facts.of;
        let over = |limit: Limit, which, people: &[&Change], approved: usize| {
            let allowed = limit.allowed(of as u64);
            let number = people.len() + approved;
            (!people.is_empty() && number as u64 > allowed).then(|| Trip {
                number,
                ..Trip::new(which, of, allowed, names(people))
            })
        };
        let limits = facts.limits;
        let approved = &self.approved;
        if let Some(trip) = over(
            limits.leavers,
            Which::Leavers,
            &self.unexplained,
            approved.unexplained,
        ) {
            trips.leavers = true;
            trips.tripped.push(trip);
        }
        for window in &limits.windows {
            // A day that lies ahead, after a clock or a time zone was corrected, counts too.
            let in_window =
                |day: &&NaiveDate| (facts.today - **day).num_days() < i64::from(window.days);
            let before = facts.left.iter().filter(in_window).count();
            let allowed = window.limit.allowed(of as u64);
            if !self.unexplained.is_empty() && (before + self.unexplained.len()) as u64 > allowed {
                trips.leavers = true;
                trips.tripped.push(Trip {
                    number: before + self.unexplained.len(),
                    days: Some(window.days),
                    ..Trip::new(Which::Window, of, allowed, names(&self.unexplained))
                });
            }
        }
        if let Some(trip) = over(
            limits.explained_leavers,
            Which::ExplainedLeavers,
            &self.explained,
            approved.explained,
        ) {
            trips.explained = true;
            trips.tripped.push(trip);
        }
        // Without a snapshot everybody joins, and that is a first push.
        if of > 0 {
            if let Some(trip) = over(
                limits.joiners,
                Which::Joiners,
                &self.joiners,
                approved.joiners,
            ) {
                trips.joiners = true;
                trips.tripped.push(trip);
            }
            trips
                .tripped
                .extend(over(limits.changed, Which::Changed, &self.changed, 0));
        }
        trips
    }

    /// Whose limit tripped waits; who is missing without an explanation and not for long enough is kept and counted; everyone else goes.
    fn wait(&self, facts: &Facts<'_>, trips: &Trips, judged: &mut Judgement) {
        let Some(plan) = self.plan else { return };
        for change in &self.unexplained {
            let days = facts.missing.get(&change.hr_id).copied().unwrap_or(0);
            if trips.leavers {
                judged.ask(plan, change, Cause::Leavers);
            } else if days < facts.limits.missing_days {
                judged.count(change, days);
            } else {
                judged.let_go(change, Grounds::Missing { days });
            }
        }
        for change in &self.explained {
            if trips.explained {
                judged.ask(plan, change, Cause::ExplainedLeavers);
            } else {
                judged.let_go(change, Grounds::Explained);
            }
        }
        for change in &self.joiners {
            if trips.joiners {
                judged.ask(plan, change, Cause::Joiners);
            }
        }
    }
}

impl Trips {
    /// Whether it is probably the wrong file: too many leavers of all kinds together, or leavers and joiners at once.
    fn wrong_file(&self, undecided: &Undecided<'_>, facts: &Facts<'_>) -> Option<Trip> {
        let limits = facts.limits;
        let keep = Limit {
            percent: f64::from(limits.keep_percent),
            count: None,
            at_least: limits
                .leavers
                .at_least
                .max(limits.explained_leavers.at_least),
        };
        let allowed = keep.allowed(facts.of as u64);
        let leavers = undecided.leavers.len() as u64;
        if leavers > allowed && !facts.first_contact {
            return Some(Trip::new(
                Which::KeepPercent,
                facts.of,
                allowed,
                names(&undecided.leavers),
            ));
        }
        // Those aside who were approved.
        let over =
            |limit: Limit, people: &[&Change]| people.len() as u64 > limit.allowed(facts.of as u64);
        let mut tripped = self.tripped.iter();
        let leavers = over(limits.leavers, &undecided.unexplained)
            || tripped.any(|trip| trip.limit == Which::Window);
        let joiners = self.joiners && over(limits.joiners, &undecided.joiners);
        (leavers && joiners).then(|| {
            let both: Vec<&Change> = undecided
                .unexplained
                .iter()
                .chain(&undecided.joiners)
                .copied()
                .collect();
            Trip::new(Which::Both, facts.of, 0, names(&both))
        })
    }
}

#[cfg(test)]
mod tests;
