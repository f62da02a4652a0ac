//! From a plan to what goes and what waits: the facts that the guard needs, its judgement, and the plan without everything that waits.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::people::{Doubtful, Stage};
use super::{Run, RunReport, Stop, off};
use crate::config::{FirstPush, SourceType};
use crate::guard::{self, Facts, Judgement, Stopped};
use crate::jobticket::There;
use crate::plan::{self, Change, Comparison, Known, Plan, What};
use crate::roster::{Employee, Field, HrId};
use crate::source::Taken;
use crate::store::{Ended, Fact, Missing, StoreError};

impl Run<'_> {
    /// Whether a first push to this address and integration waits for approval.
    fn first_push_waits(&self) -> bool {
        match self.integration.limits.first_push {
            Some(FirstPush::Approve) => true,
            Some(FirstPush::Allow) => false,
            None => !self.integration.jobticket.is_sandbox(),
        }
    }

    /// Judges a plan.
    pub(super) fn judge(
        &self,
        plan: &Plan,
        stage: &Stage,
        known: &Known,
        there: Option<&There>,
    ) -> Result<Judgement, Stop> {
        let limits = &self.integration.limits;
        let today = self.selection().today;
        let days = limits.windows.iter().map(|window| window.days).max();
        let since = today - chrono::Days::new(days.unwrap_or(1).into());
        let left = off(|| self.context.store.left_unasked(&self.target, since))?;
        let missing = self.missing(plan, stage)?;
        let days: HashMap<HrId, u32> = missing
            .iter()
            .map(|(hr_id, missing)| (hr_id.clone(), missing.days))
            .collect();
        let leaves = |hr_id: &HrId| stage.reasons.of(hr_id).is_explained();
        let comparison = comparison_of(plan, known);
        let pairs = plan::new_numbers(&comparison, &plan.entries, known, &stage.old, leaves);
        let facts = Facts {
            today,
            limits,
            first_contact: known.snapshot.is_none() && self.first_push_waits(),
            stopped: self.stopped(there)?,
            of: known.snapshot.as_ref().map_or(known.linked.len(), Vec::len),
            left: &left,
            missing: &days,
            other_rules: &self.other_rules(plan, stage)?,
            pairs: &pairs,
            others: &changed_pairs(plan, &stage.old)
                .filter(|(old, new)| plan::is_another_person(old, new))
                .map(|(_, new)| new.hr_id.clone())
                .collect(),
            emptied: &self.emptied(plan, stage, known)?,
            decided: &self.decided,
        };
        let judged = guard::judge(plan, &facts);
        if !stage.failed && !self.options.dry_run {
            off(|| self.context.store.keep_missing(&self.target, &missing))?;
        }
        Ok(judged)
    }

    /// What stops everything, whatever the plan is.
    fn stopped(&self, there: Option<&There>) -> Result<Option<Stopped>, StoreError> {
        let store = self.context.store;
        if off(|| store.restored(&self.target))?.is_some() {
            return Ok(Some(Stopped::Restored));
        }
        let lost: Option<Vec<u64>> = off(|| store.fact(&self.target, Fact::TicketsLost))?;
        if let Some(ids) = lost {
            return Ok(Some(Stopped::TicketsLost { ids }));
        }
        let Some(sync_id) = there.and_then(|there| there.last_sync_id.as_deref()) else {
            return Ok(None);
        };
        let ours = off(|| store.is_ours(&self.target, sync_id))?;
        Ok((!ours).then(|| Stopped::NotOurs {
            sync_id: sync_id.to_owned(),
        }))
    }

    /// Since when, and on how many days, people would leave, this run among them. A delivery counts once, and a day counts once.
    fn missing(&self, plan: &Plan, stage: &Stage) -> Result<HashMap<HrId, Missing>, StoreError> {
        let store = self.context.store;
        let mut before = off(|| store.missing(&self.target))?;
        let leavers: Vec<HrId> = plan
            .changes
            .iter()
            .filter(|change| matches!(change.what, What::Leaves(_)))
            .map(|change| change.hr_id.clone())
            .collect();
        if leavers.is_empty() {
            return Ok(HashMap::new());
        }
        let today = self.selection().today;
        let origins = off(|| store.origins(&self.target, &leavers))?;
        let deliveries = self.deliveries(stage)?;
        let mut found = HashMap::new();
        for hr_id in leavers {
            let ended = stage.reasons.ended.get(&hr_id).map(|ended| Ended {
                last_day: ended.last_day,
                told: today,
            });
            let Some(mut missing) = before.remove(&hr_id) else {
                let missing = Missing {
                    first_day: today,
                    last_day: today,
                    days: 1,
                    deliveries: deliveries.clone(),
                    ended,
                };
                found.insert(hr_id, missing);
                continue;
            };
            if ended.map(|ended| ended.last_day) != missing.ended.map(|ended| ended.last_day) {
                missing.ended = ended;
            }
            let is_new = |source: &String| deliveries.get(source) != missing.deliveries.get(source);
            let own = origins.get(&hr_id).map(|origin| &origin.source);
            let delivered = match own.filter(|source| deliveries.contains_key(*source)) {
                Some(source) => is_new(source),
                // Nobody knows where they would stand, so every source must have delivered.
                None => deliveries.keys().all(is_new),
            };
            if delivered && !stage.failed && today >= missing.last_day {
                if today > missing.last_day {
                    missing.days += 1;
                    missing.last_day = today;
                }
                // Another delivery of the same day is used up too: on a later day it says nothing new.
                missing.deliveries.clone_from(&deliveries);
            }
            found.insert(hr_id, missing);
        }
        Ok(found)
    }

    /// The last delivery of every source, by what identifies it.
    fn deliveries(&self, stage: &Stage) -> Result<HashMap<String, String>, StoreError> {
        let store = self.context.store;
        let mut deliveries = HashMap::new();
        for (source, taken) in self.integration.sources.iter().zip(&stage.taken) {
            let identity = match taken {
                Some(taken) => Some(taken.to_text()),
                None => off(|| store.source(&self.target, &source.name))?.map(|state| state.taken),
            };
            let identity = identity.as_deref().and_then(Taken::from_text);
            deliveries.insert(
                source.name.clone(),
                identity.map_or_else(String::new, |taken| match source.kind {
                    // A list is asked for anew each time.
                    SourceType::Rest => taken.identity(),
                    SourceType::CsvDrop | SourceType::Sftp => taken.counts_as(),
                }),
            );
        }
        Ok(deliveries)
    }

    /// While a source fails nobody is counted as missing. But whoever stands in a delivery of another one is missing no more, and another delivery of a day that
    /// has counted says nothing new on a later one.
    pub(super) fn look_who_is_back(&self, stage: &Stage) -> Result<(), StoreError> {
        if !stage.failed || self.options.dry_run || self.silent {
            return Ok(());
        }
        let before = off(|| self.context.store.missing(&self.target))?;
        let mut missing = before.clone();
        for entry in stage.entries.iter().filter(|entry| entry.fresh) {
            missing.remove(&entry.employee().hr_id);
        }
        let today = self.selection().today;
        let deliveries = self.deliveries(stage)?;
        for missing in missing.values_mut() {
            if missing.last_day == today {
                missing.deliveries.clone_from(&deliveries);
            }
        }
        if missing != before {
            off(|| self.context.store.keep_missing(&self.target, &missing))?;
        }
        Ok(())
    }

    /// Leavers who were acknowledged under other rules than those in force.
    fn other_rules(&self, plan: &Plan, stage: &Stage) -> Result<HashSet<HrId>, StoreError> {
        let leavers: Vec<HrId> = plan
            .changes
            .iter()
            .filter(|change| matches!(change.what, What::Leaves(_)))
            .map(|change| change.hr_id.clone())
            .collect();
        let origins = off(|| self.context.store.origins(&self.target, &leavers))?;
        let other = |hr_id: &&HrId| !stage.reasons.same_rules.contains(*hr_id);
        Ok(origins.keys().filter(other).cloned().collect())
    }

    /// People who have lost the value of a field that most had.
    fn emptied(
        &self,
        plan: &Plan,
        stage: &Stage,
        known: &Known,
    ) -> Result<BTreeMap<HrId, Field>, StoreError> {
        let snapshot = known.snapshot.as_ref().map_or(0, Vec::len);
        let lost = |(old, new): (&Employee, &Employee)| {
            let mut fields = Field::ALL.into_iter();
            fields.any(|field| old.is_filled(field) && !new.is_filled(field))
        };
        if snapshot == 0 || !changed_pairs(plan, &stage.old).any(lost) {
            return Ok(BTreeMap::new());
        }
        let had = off(|| self.context.store.filled_counts(&self.target))?;
        let percent = self.integration.limits.emptied_percent;
        let changed = changed_pairs(plan, &stage.old);
        Ok(plan::emptied(changed, &had, snapshot, percent))
    }

    /// Takes out of a plan everything that waits: leavers stay in and changed people as they were acknowledged, joiners stay out. Then no two e-mails are the same.
    #[expect(
        clippy::too_many_arguments,
        reason = "what the stages before have made"
    )]
    pub(super) fn without_waiting(
        &self,
        mut plan: Plan,
        judged: &Judgement,
        stage: &mut Stage,
        known: &Known,
        doubtful: &Doubtful,
        there: Option<&There>,
        report: &mut RunReport,
    ) -> Result<Plan, Stop> {
        let stays = judged.stays();
        let waiting = plan.changes.iter();
        let waiting: Vec<&Change> = waiting
            .filter(|change| stays.contains(&change.hr_id))
            .collect();
        let nobody_waits = waiting.is_empty();
        if !nobody_waits {
            let out: HashSet<&HrId> = waiting.iter().map(|change| &change.hr_id).collect();
            plan.entries
                .retain(|entry| !out.contains(&entry.employee().hr_id));
            let mut kept = waiting;
            kept.retain(|change| {
                !matches!(change.what, What::Joins) || known.contains(&change.hr_id)
            });
            let kept = kept.into_iter().map(|change| change.hr_id.clone());
            let entries = &mut plan.entries;
            self.carry_forward(kept.collect(), doubtful, there, entries, &mut stage.old)?;
        }
        let collisions =
            plan::keep_apart(&mut plan.entries, known, &stage.old).map_err(|(one, other)| {
                Stop::Collides(format!(
                    "{one} and {other} are both kept and have the same e-mail; correct one of them in the HR system"
                ))
            })?;
        report.collisions = collisions;
        if nobody_waits && report.collisions.is_empty() {
            return Ok(plan);
        }
        // Of a first run they are as many as the people, and those of the plan to come are as many again.
        drop(plan.changes);
        let entries = plan.entries;
        Ok(Plan::new(entries, known, &stage.old, &stage.reasons))
    }
}

/// Known people of a plan with their acknowledged and their new values, where these differ.
fn changed_pairs<'p>(
    plan: &'p Plan,
    old: &'p HashMap<HrId, Employee>,
) -> impl Iterator<Item = (&'p Employee, &'p Employee)> {
    plan.with_entries().filter_map(move |(change, new)| {
        if !matches!(change.what, What::Changes { .. }) {
            return None;
        }
        Some((old.get(&change.hr_id)?, new?.employee()))
    })
}

/// Who joins and who leaves; nothing where nobody leaves, for then nobody has a new number.
fn comparison_of(plan: &Plan, known: &Known) -> Comparison {
    let leaves = |change: &Change| matches!(change.what, What::Leaves(_));
    if !plan.changes.iter().any(leaves) {
        return Comparison::default();
    }
    plan::compare(known, &plan.entries)
}
