//! Tests of the guard, with what they share: made-up rosters, and the facts of a run in which nothing special is known.

mod approve;
mod decisions;
mod laws;
mod limits;
mod waits;
mod whole;

use std::collections::BTreeSet;

use super::*;
use crate::config::Window;
use crate::plan::tests::{entry, keyed, person};
use crate::plan::{Known, Reasons, compare, new_numbers};
use crate::roster::{Employee, Ended, Entry};

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, number).unwrap()
}

fn id(hr_id: &str) -> HrId {
    HrId::new(hr_id)
}

fn people(ids: std::ops::Range<usize>, name: &str) -> Vec<Employee> {
    ids.map(|id| person(&format!("{id:05}"), name)).collect()
}

fn ids<'p>(people: impl IntoIterator<Item = &'p Employee>) -> Vec<HrId> {
    people
        .into_iter()
        .map(|person| person.hr_id.clone())
        .collect()
}

/// A limit that lets exactly so many through, whatever the headcount.
fn exactly(number: u64) -> Limit {
    Limit {
        percent: 0.0,
        count: None,
        at_least: number,
    }
}

/// Limits of which none trips.
fn lenient() -> Limits {
    Limits {
        leavers: exactly(1000),
        windows: Vec::new(),
        explained_leavers: exactly(1000),
        joiners: exactly(1000),
        changed: exactly(1000),
        key_drift: exactly(1000),
        ..Limits::default()
    }
}

fn window(days: u32, number: u64) -> Window {
    Window {
        days,
        limit: exactly(number),
    }
}

fn with_limits(mut case: Case, limits: Limits) -> Case {
    case.limits = limits;
    case
}

/// Everything that a judgement depends on.
#[derive(Debug, Clone)]
struct Case {
    old: Vec<Employee>,
    /// People of a push that was never answered, who are not among the old.
    doubtful: Vec<Employee>,
    new: Vec<Employee>,
    ended: Vec<(HrId, bool)>,
    removed: Vec<HrId>,
    refused: Vec<HrId>,
    today: NaiveDate,
    limits: Limits,
    first_contact: bool,
    stopped: Option<Stopped>,
    of: Option<usize>,
    left: Vec<NaiveDate>,
    missing: HashMap<HrId, u32>,
    other_rules: HashSet<HrId>,
    pairs: Vec<Pair>,
    others: HashSet<HrId>,
    emptied: BTreeMap<HrId, Field>,
    decided: Decided,
}

impl Case {
    /// Everyone who leaves has been missing for long enough.
    fn new(old: &[Employee], new: &[Employee]) -> Self {
        let stay: HashSet<HrId> = ids(new).into_iter().collect();
        let leavers = ids(old).into_iter().filter(|hr_id| !stay.contains(hr_id));
        Self {
            old: old.to_vec(),
            doubtful: Vec::new(),
            new: new.to_vec(),
            ended: Vec::new(),
            removed: Vec::new(),
            refused: Vec::new(),
            today: day(15),
            limits: Limits::default(),
            first_contact: false,
            stopped: None,
            of: None,
            left: Vec::new(),
            missing: leavers.map(|hr_id| (hr_id, 3)).collect(),
            other_rules: HashSet::new(),
            pairs: Vec::new(),
            others: HashSet::new(),
            emptied: BTreeMap::new(),
            decided: Decided::default(),
        }
    }

    /// Two hundred people, of whom the first ones leave.
    fn leavers(number: usize) -> Self {
        Self::new(&people(0..200, "A"), &people(number..200, "A"))
    }

    fn known(&self) -> Known {
        Known {
            snapshot: Some(keyed(&self.old)),
            doubtful: (!self.doubtful.is_empty()).then(|| keyed(&self.doubtful)),
            linked: Vec::new(),
        }
    }

    fn values(&self) -> HashMap<HrId, Employee> {
        let old = self.old.iter().chain(&self.doubtful);
        old.map(|person| (person.hr_id.clone(), person.clone()))
            .collect()
    }

    fn reasons(&self) -> Reasons {
        let ended = |(hr_id, late): &(HrId, bool)| {
            let ended = Ended {
                last_day: day(1),
                late: *late,
                source: 0,
            };
            (hr_id.clone(), ended)
        };
        let removed = |hr_id: &HrId| (hr_id.clone(), "werk-2".to_owned());
        Reasons {
            ended: self.ended.iter().map(ended).collect(),
            removed: self.removed.iter().map(removed).collect(),
            refused: self.refused.iter().cloned().collect(),
            ..Reasons::default()
        }
    }

    fn plan_of(&self, mut entries: Vec<Entry>) -> Plan {
        entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
        Plan::new(entries, &self.known(), &self.values(), &self.reasons())
    }

    fn plan(&self) -> Plan {
        self.plan_of(self.new.iter().cloned().map(entry).collect())
    }

    /// Finds the people with new numbers, as a run does.
    fn find_pairs(mut self) -> Self {
        let (plan, known) = (self.plan(), self.known());
        let comparison = compare(&known, &plan.entries);
        let reasons = self.reasons();
        let explained = |hr_id: &HrId| reasons.of(hr_id).is_explained();
        self.pairs = new_numbers(
            &comparison,
            &plan.entries,
            &known,
            &self.values(),
            explained,
        );
        self
    }

    fn judge(&self) -> Judgement {
        let facts = Facts {
            today: self.today,
            limits: &self.limits,
            first_contact: self.first_contact,
            stopped: self.stopped.clone(),
            of: self.of.unwrap_or(self.old.len()),
            left: &self.left,
            missing: &self.missing,
            other_rules: &self.other_rules,
            pairs: &self.pairs,
            others: &self.others,
            emptied: &self.emptied,
            decided: &self.decided,
        };
        judge(&self.plan(), &facts)
    }

    /// The plan without everything that waits, as a run makes it.
    fn without_waiting(&self, judged: &Judgement) -> Plan {
        let (plan, old) = (self.plan(), self.values());
        let out = judged.stays();
        let mut entries = plan.entries;
        entries.retain(|entry| !out.contains(&entry.employee().hr_id));
        let kept = out.iter().filter_map(|hr_id| old.get(hr_id));
        entries.extend(kept.map(|employee| Entry::new(employee.clone(), 0, 0, false)));
        self.plan_of(entries)
    }

    /// Who leaves in the plan that is let through; nobody where the whole plan waits.
    fn gone(&self) -> BTreeSet<HrId> {
        let judged = self.judge();
        if judged.whole.is_some() {
            return BTreeSet::new();
        }
        let plan = self.without_waiting(&judged);
        let approved = judged
            .approve(plan)
            .expect("a plan without those who wait goes");
        let is_out = |change: &&Change| matches!(change.what, What::Leaves(_));
        let leavers = approved.changes().iter().filter(is_out);
        leavers.map(|change| change.hr_id.clone()).collect()
    }

    fn reason(&self, hr_id: &str) -> String {
        let plan = self.plan();
        let change = plan
            .changes
            .iter()
            .find(|change| change.hr_id == id(hr_id))
            .unwrap();
        plan.reason(change)
    }

    fn approve(&mut self, hold: u64, hr_id: &str, key_change: bool) {
        let reason = self.reason(hr_id);
        self.approve_for(reason, hold, hr_id, key_change);
    }

    fn approve_for(&mut self, reason: String, hold: u64, hr_id: &str, key_change: bool) {
        let of_person = self.decided.approvals.entry(id(hr_id)).or_default();
        of_person.push(Approval {
            hold,
            reason,
            key_change,
        });
    }

    fn reject(&mut self, hr_id: &str) {
        let reason = self.reason(hr_id);
        let of_person = self.decided.rejections.entry(id(hr_id)).or_default();
        of_person.push(reason);
    }
}

fn tripped(judged: &Judgement) -> Vec<Which> {
    judged.trips.iter().map(|trip| trip.limit).collect()
}

/// Who waits, and the kind of reason.
fn asked(judged: &Judgement) -> Vec<(&str, &'static str)> {
    let questions = judged.questions.iter();
    questions
        .map(|question| (question.change.hr_id.as_str(), question.cause.kind()))
        .collect()
}
