//! From what the sources delivered to the plan: who is in the roster, and with which values.
//!
//! Here is where people are kept in: a rejected row of a known person is not a person who left, and while a source is frozen nobody leaves for being missing.

use std::collections::{HashMap, HashSet};

use super::{IncompleteRow, RejectedRow, Run, RunReport, Stop, off, pull};
use crate::audit::Event;
use crate::jobticket::There;
use crate::plan::{self, Known, Leaving, Plan, Reasons};
use crate::roster::{
    Assembly, Employee, Entry, HrId, REQUIRED, Rejected, Rejection, assemble, pseudonym,
};
use crate::source::{self, Taken};
use crate::store::{Store, StoreError, Target, rules_mark};

/// Of a snapshot with more people than this the keys are not in memory while a file is read. Ours: those of so many take 6 MB.
const MANY: u32 = 200_000;

/// What the pulled rows come to.
pub(super) struct Stage {
    /// The roster, sorted by hrId.
    pub(super) entries: Vec<Entry>,
    /// Acknowledged values of people who change, leave or are kept.
    pub(super) old: HashMap<HrId, Employee>,
    /// Why people are not in the roster.
    pub(super) reasons: Reasons,
    /// The files that were read, by position of the source.
    pub(super) taken: Vec<Option<Taken>>,
    /// Whether a source failed.
    pub(super) failed: bool,
}

/// What is known of the last push, once it was looked for.
pub(super) enum Doubt {
    /// It was settled, if there was one.
    None,
    /// JobTicket may have taken it or not.
    Unsettled,
    /// JobTicket has taken it, and a dry run does not record that. Its syncId.
    Taken(String),
}

/// The people of a push whose answer was never seen, with their sources.
pub(super) struct Doubtful {
    people: HashMap<HrId, (String, Employee)>,
    /// Whether JobTicket has them for certain, so that they count before the snapshot.
    taken: bool,
}

impl Doubtful {
    pub(super) fn load(store: &Store, target: &Target, doubt: &Doubt) -> Result<Self, StoreError> {
        let roster = match doubt {
            Doubt::None => Vec::new(),
            Doubt::Unsettled => off(|| store.doubtful_roster(target, None))?,
            Doubt::Taken(sync_id) => off(|| store.doubtful_roster(target, Some(sync_id)))?,
        };
        let people = roster
            .into_iter()
            .map(|(source, employee)| (employee.hr_id.clone(), (source, employee)));
        Ok(Self {
            people: people.collect(),
            taken: matches!(doubt, Doubt::Taken(_)),
        })
    }

    pub(super) fn keyed(&self) -> Vec<plan::Keyed> {
        let people = self.people.iter();
        let mut keys: Vec<plan::Keyed> = people
            .map(|(hr_id, (_, employee))| (hr_id.clone(), employee.hash()))
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys
    }
}

impl Run<'_> {
    /// Pulls until every source either makes sense, or is replaced by its last good roster, or is left out for want of one. `None` where none has anything. Whom
    /// JobTicket has is loaded meanwhile, unless those are many: reading a large file is what needs most memory.
    pub(super) async fn gather(
        &mut self,
        doubt: &Doubt,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Option<(Known, Assembly, Vec<Option<Taken>>)>, Stop> {
        let mut failed = pull::Failed::new();
        let mut conflicts = Vec::new();
        let mut loaded = None;
        loop {
            let load = |run: &Self| {
                let store = run.context.store;
                if loaded.is_some() || off(|| store.has_more_people(&run.target, MANY))? {
                    return Ok(loaded.take());
                }
                run.known(doubt, doubtful).map(Some)
            };
            let (deliveries, known) = self.pull(report, &failed, load).await?;
            let known = match known? {
                Some(known) => known,
                None => self.known(doubt, doubtful)?,
            };
            report.snapshot = known.snapshot.as_ref().map(Vec::len);
            let Some(mut deliveries) = deliveries else {
                return Ok(None);
            };
            let rows = std::mem::take(&mut deliveries.rows);
            let selected: Vec<usize> = rows.iter().map(|delivery| delivery.rows.len()).collect();
            let mut assembly = assemble(rows, self.selection(), |hr_id| known.contains(hr_id));
            let refused = self.too_many_rejected(&assembly, &selected, &deliveries);
            if refused.is_empty() {
                assembly.contest(conflicts);
                self.keep(&deliveries, report)?;
                return Ok(Some((known, assembly, deliveries.taken())));
            }
            loaded = Some(known);
            failed.extend(refused);
            // Of the sources that go on: what another one said otherwise of somebody stays in doubt.
            conflicts.extend(assembly.rejected.into_iter().filter(|row| {
                matches!(row.why, Rejection::Conflict { .. }) && !failed.contains_key(&row.source)
            }));
        }
    }

    /// From rows to the people of the roster: those whose rows cannot be used, and those of sources that failed, are kept.
    pub(super) fn stage(
        &mut self,
        mut assembly: Assembly,
        taken: Vec<Option<Taken>>,
        known: &Known,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Stage, Stop> {
        let mut entries = std::mem::take(&mut assembly.entries);
        if self.integration.jobticket.pseudonyms {
            for entry in &mut entries {
                entry.set_employee(pseudonym(entry.employee()));
            }
        }
        let mut old: HashMap<HrId, Employee> = HashMap::new();
        let rejected: HashSet<&HrId> = assembly
            .rejected
            .iter()
            .filter(|row| row.known)
            .map(|row| &row.hr_id)
            .collect();
        let rejected = rejected.into_iter().cloned().collect();
        self.carry_forward(rejected, doubtful, None, &mut entries, &mut old)?;
        let unusable = unusable_numbers(&assembly);
        let mut kept = Vec::new();
        if !unusable.is_empty() {
            kept = plan::compare(known, &entries).leavers;
            // The row under a new number may itself be one that cannot be used.
            kept.retain(|hr_id| unusable.contains(&*hr_id.without_zeros()));
        }
        self.carry_forward(kept, doubtful, None, &mut entries, &mut old)?;
        let mut reasons = Reasons {
            ended: std::mem::take(&mut assembly.ended),
            unselected: std::mem::take(&mut assembly.unselected),
            ..Reasons::default()
        };
        self.leave_out_refused(&mut entries, &mut reasons);
        let sources = report.sources.iter().enumerate();
        let failed = sources.filter(|(_, source)| source.failed());
        let failed: Vec<usize> = failed.map(|(source, _)| source).collect();
        if !failed.is_empty() {
            // Somebody who is gone from one source may stand in the one that cannot be read: only a date counts, and only where no
            // other source than that of its own row failed.
            let ends = |hr_id: &HrId| {
                let ended = reasons.ended.get(hr_id).filter(|ended| !ended.late);
                ended.is_some_and(|ended| failed.iter().all(|source| *source == ended.source))
            };
            let mut kept = plan::compare(known, &entries).leavers;
            kept.retain(|hr_id| !ends(hr_id));
            if !kept.is_empty() {
                let hr_ids: Vec<String> = kept.iter().map(ToString::to_string).collect();
                report.notes.push(format!(
                    "Kept, although they would leave, for a source failed: {}",
                    hr_ids.join(", ")
                ));
                self.record(vec![Event::KeptWhileFrozen { hr_ids }.into()])?;
                self.carry_forward(kept, doubtful, None, &mut entries, &mut old)?;
            }
        }
        let in_words = |row: &Rejected| {
            let source = &self.integration.sources[row.source];
            let column = match &row.why {
                Rejection::NoRuleValue { column } => column.clone(),
                why => source::columns_of(source, why.field()),
            };
            RejectedRow::new(row, &source.name, column)
        };
        report.rejected = assembly.rejected.iter().map(in_words).collect();
        let incomplete = assembly.incomplete.iter();
        report.incomplete = incomplete
            .map(|row| IncompleteRow::new(row, &self.integration.sources[row.source].name))
            .collect();
        report.too_early = assembly.too_early;
        Ok(Stage {
            entries,
            old,
            reasons,
            taken,
            failed: !failed.is_empty(),
        })
    }

    /// People whom JobTicket refuses, and of whom somebody decided that they are left out.
    fn leave_out_refused(&self, entries: &mut Vec<Entry>, reasons: &mut Reasons) {
        let reason = format!("leaves: {}", Leaving::Refused);
        let refused =
            self.decided.approvals.iter().filter(|(_, approvals)| {
                approvals.iter().any(|approval| approval.reason == reason)
            });
        reasons.refused = refused.map(|(hr_id, _)| hr_id.clone()).collect();
        if !reasons.refused.is_empty() {
            entries.retain(|entry| !reasons.refused.contains(&entry.employee().hr_id));
        }
    }

    /// The plan of the roster as it stands against whom JobTicket has, with the acknowledged values of everyone whom it changes.
    pub(super) fn plan(
        &self,
        stage: &mut Stage,
        known: &Known,
        doubtful: &Doubtful,
        there: Option<&There>,
    ) -> Result<Plan, Stop> {
        let entries = std::mem::take(&mut stage.entries);
        let comparison = plan::compare(known, &entries);
        let of = |positions: &[usize]| -> Vec<HrId> {
            let hr_id = |position: &usize| entries[*position].employee().hr_id.clone();
            positions.iter().map(hr_id).collect()
        };
        let mut wanted = of(&comparison.changed);
        wanted.extend(of(&comparison.linked));
        wanted.extend(comparison.leavers.iter().cloned());
        for (hr_id, (_, employee)) in self.acknowledged(&wanted, doubtful, there)? {
            stage.old.insert(hr_id, employee);
        }
        self.explain_leavers(&comparison.leavers, stage)?;
        let (old, reasons) = (&stage.old, &stage.reasons);
        Ok(Plan::of(comparison, entries, known, old, reasons))
    }

    /// What is known of leavers besides their rows: their source, the rules under which they were acknowledged, and whether the end of their employment was known in time.
    fn explain_leavers(&self, leavers: &[HrId], stage: &mut Stage) -> Result<(), StoreError> {
        let origins = off(|| self.context.store.origins(&self.target, leavers))?;
        let mark = rules_mark(&self.rules_hash());
        let Stage { reasons, old, .. } = stage;
        for (hr_id, origin) in origins {
            let mut sources = self.integration.sources.iter();
            if !sources.any(|source| source.name == origin.source) {
                reasons.removed.insert(hr_id.clone(), origin.source);
            }
            if origin.rules == mark {
                reasons.same_rules.insert(hr_id);
            }
        }
        let missing = off(|| self.context.store.missing(&self.target))?;
        for hr_id in leavers {
            let Some(ended) = reasons.ended.get_mut(hr_id) else {
                continue;
            };
            let told = old.get(hr_id).and_then(|old| old.termination_date) == Some(ended.last_day);
            let before = missing.get(hr_id).and_then(|missing| missing.ended);
            let in_time = before.is_some_and(|before| {
                before.last_day == ended.last_day
                    && !ended.was_late(before.told, self.integration.select.leavers_days_kept)
            });
            if told || in_time {
                ended.late = false;
            }
        }
        Ok(())
    }

    /// Puts known people into the roster with their last acknowledged values.
    pub(super) fn carry_forward(
        &self,
        hr_ids: Vec<HrId>,
        doubtful: &Doubtful,
        there: Option<&There>,
        entries: &mut Vec<Entry>,
        old: &mut HashMap<HrId, Employee>,
    ) -> Result<(), Stop> {
        if hr_ids.is_empty() {
            return Ok(());
        }
        let mut acknowledged = self.acknowledged(&hr_ids, doubtful, there)?;
        for hr_id in hr_ids {
            let Some((name, employee)) = acknowledged.remove(&hr_id) else {
                return Err(Stop::Store(StoreError::Unreadable(
                    "a known employee without values",
                )));
            };
            if let Some(field) = REQUIRED
                .into_iter()
                .find(|field| !employee.is_filled(*field))
            {
                return Err(Stop::Collides(format!(
                    "{hr_id} is linked at JobTicket without {field}, and in no source: they cannot be kept in as they are. Complete them at JobTicket, or deliver their row"
                )));
            }
            let mut sources = self.integration.sources.iter();
            // Somebody of a source that is no longer configured counts as one of the first.
            let source = sources.position(|source| source.name == name).unwrap_or(0);
            old.insert(hr_id, employee.clone());
            entries.push(Entry::new(employee, source, 0, false));
        }
        entries.sort_by(|a, b| a.employee().hr_id.cmp(&b.employee().hr_id));
        Ok(())
    }

    /// Acknowledged values, or else those of a push that was never answered, or else those that JobTicket shows.
    pub(super) fn acknowledged(
        &self,
        hr_ids: &[HrId],
        doubtful: &Doubtful,
        there: Option<&There>,
    ) -> Result<HashMap<HrId, (String, Employee)>, StoreError> {
        let mut found = if doubtful.taken {
            HashMap::new()
        } else {
            off(|| self.context.store.acknowledged(&self.target, hr_ids))?
        };
        for hr_id in hr_ids {
            if found.contains_key(hr_id) {
                continue;
            }
            let shown = || {
                let linked = there?.linked.get(hr_id)?;
                Some((String::new(), linked.employee.clone()))
            };
            let person = doubtful.people.get(hr_id).cloned().or_else(shown);
            found.extend(person.map(|person| (hr_id.clone(), person)));
        }
        Ok(found)
    }
}

/// Numbers, without leading zeros, of new people whose rows cannot be used.
fn unusable_numbers(assembly: &Assembly) -> HashSet<String> {
    let rejected = assembly.rejected.iter().filter(|row| !row.known);
    let rejected = rejected.map(|row| &row.hr_id);
    let all = rejected.chain(assembly.incomplete.iter().map(|row| &row.hr_id));
    all.map(|hr_id| hr_id.without_zeros().into_owned())
        .collect()
}
