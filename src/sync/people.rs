//! From what the sources delivered to the plan: who is in the roster, and with which values.
//!
//! Here is where people are kept in: a rejected row of a known person is not a person who left, and while a source is frozen nobody leaves for being missing.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{IncompleteRow, RejectedRow, Run, RunReport, Stop, off, pull};
use crate::audit::Event;
use crate::config::AuditValues;
use crate::plan::{self, Collision, Known, Leaving, Plan};
use crate::roster::{Assembly, Employee, Entry, HrId, Rejected, Rejection, assemble};
use crate::source::{self, Taken};
use crate::store::{Store, StoreError, Target};

/// What the pulled rows come to, ready for the guard.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// Acknowledged values of the people who change or leave, for the audit log.
    pub(super) old: HashMap<HrId, Employee>,
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
    /// Pulls until every source either makes sense, or is replaced by its last good roster, or is left out for want of one. `None` where none has anything.
    pub(super) async fn gather(
        &mut self,
        known: &Known,
        report: &mut RunReport,
    ) -> Result<Option<(Assembly, Vec<Option<Taken>>)>, Stop> {
        let mut failed = pull::Failed::new();
        let mut conflicts = Vec::new();
        loop {
            let Some(mut deliveries) = self.pull(report, &failed).await? else {
                return Ok(None);
            };
            let rows = std::mem::take(&mut deliveries.rows);
            let selected: Vec<usize> = rows.iter().map(|delivery| delivery.rows.len()).collect();
            let mut assembly = assemble(rows, self.selection(), |hr_id| known.contains(hr_id));
            let refused = self.too_many_rejected(&assembly, &selected, &deliveries);
            if refused.is_empty() {
                assembly.contest(conflicts);
                self.keep(&deliveries, report)?;
                return Ok(Some((assembly, deliveries.taken())));
            }
            failed.extend(refused);
            // Of the sources that go on: what another one said otherwise of somebody stays in doubt.
            conflicts.extend(assembly.rejected.into_iter().filter(|row| {
                matches!(row.why, Rejection::Conflict { .. }) && !failed.contains_key(&row.source)
            }));
        }
    }

    /// From people to the plan.
    pub(super) fn plan(
        &mut self,
        mut assembly: Assembly,
        known: &Known,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Planned, Stop> {
        let mut entries = std::mem::take(&mut assembly.entries);
        let mut old: HashMap<HrId, Employee> = HashMap::new();
        let rejected: HashSet<&HrId> = assembly
            .rejected
            .iter()
            .filter(|row| row.known)
            .map(|row| &row.hr_id)
            .collect();
        self.carry_forward(
            rejected.into_iter().cloned().collect(),
            doubtful,
            &mut entries,
            &mut old,
        )?;
        let twins = self.keep_old_numbers(known, &assembly, doubtful, &mut entries, &mut old)?;
        let sources = report.sources.iter().enumerate();
        let failed = sources.filter(|(_, source)| source.failed());
        let failed: Vec<usize> = failed.map(|(source, _)| source).collect();
        if !failed.is_empty() {
            // Somebody who is gone from one source may stand in the one that cannot be read: only a date counts, and only where no
            // other source than that of its own row failed.
            let ends = |hr_id: &HrId| {
                let ended = assembly.ended.get(hr_id).filter(|ended| !ended.late);
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
                self.carry_forward(kept, doubtful, &mut entries, &mut old)?;
            }
        }

        let comparison = plan::compare(known, &entries);
        let changed = comparison
            .changed
            .iter()
            .map(|position| &entries[*position].employee.hr_id);
        let shown = self.context.config.audit.values != AuditValues::None;
        let leavers = comparison.leavers.iter().filter(|_| shown);
        for (hr_id, (_, employee)) in self.acknowledged(changed.chain(leavers), doubtful)? {
            old.insert(hr_id, employee);
        }
        let collisions = plan::keep_apart(&mut entries, known, &old).map_err(|(one, other)| {
            Stop::Collides(format!(
                "{one} and {other} are both kept and have the same e-mail; correct one of them in the HR system"
            ))
        })?;
        report.collisions = twins.into_iter().chain(collisions).collect();
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
        self.note_rows(report)?;
        let plan = Plan::new(entries, known, &old, &assembly.ended, &assembly.unselected);
        Ok(Planned { plan, old })
    }

    /// Keeps people who would leave without an explanation and join under another number; the new number waits.
    fn keep_old_numbers(
        &self,
        known: &Known,
        assembly: &Assembly,
        doubtful: &Doubtful,
        entries: &mut Vec<Entry>,
        old: &mut HashMap<HrId, Employee>,
    ) -> Result<Vec<Collision>, Stop> {
        let mut comparison = plan::compare(known, entries);
        comparison.leavers.retain(|hr_id| {
            !Leaving::of(hr_id, &assembly.ended, &assembly.unselected).is_explained()
        });
        if comparison.leavers.is_empty() {
            return Ok(Vec::new());
        }
        let leaving: HashMap<HrId, Employee> = self
            .acknowledged(&comparison.leavers, doubtful)?
            .into_iter()
            .map(|(hr_id, (_, employee))| (hr_id, employee))
            .collect();
        let twins = plan::new_numbers(&comparison, entries, known, &leaving);
        let waiting: HashSet<&HrId> = twins.iter().map(|twin| &twin.hr_id).collect();
        entries.retain(|entry| !waiting.contains(&entry.employee.hr_id));
        let mut kept: BTreeSet<HrId> = twins.iter().map(|twin| twin.kept.clone()).collect();
        // The row under the new number may itself be one that cannot be used.
        let unusable = assembly
            .rejected
            .iter()
            .filter(|row| !row.known)
            .map(|row| &row.hr_id);
        let unusable = unusable.chain(assembly.incomplete.iter().map(|row| &row.hr_id));
        let unusable: HashSet<_> = unusable.map(HrId::without_zeros).collect();
        let leavers = comparison.leavers.into_iter();
        kept.extend(leavers.filter(|hr_id| unusable.contains(&hr_id.without_zeros())));
        let kept = kept.into_iter().collect();
        self.carry_forward(kept, doubtful, entries, old)?;
        Ok(twins)
    }

    /// Puts known people into the roster with their last acknowledged values.
    fn carry_forward(
        &self,
        hr_ids: Vec<HrId>,
        doubtful: &Doubtful,
        entries: &mut Vec<Entry>,
        old: &mut HashMap<HrId, Employee>,
    ) -> Result<(), Stop> {
        let mut acknowledged = self.acknowledged(&hr_ids, doubtful)?;
        for hr_id in hr_ids {
            let Some((name, employee)) = acknowledged.remove(&hr_id) else {
                return Err(Stop::Store(StoreError::Unreadable(
                    "a known employee without values",
                )));
            };
            let mut sources = self.integration.sources.iter();
            // Somebody of a source that is no longer configured counts as one of the first.
            let source = sources.position(|source| source.name == name).unwrap_or(0);
            old.insert(hr_id, employee.clone());
            entries.push(Entry {
                employee,
                source,
                line: 0,
                fresh: false,
            });
        }
        entries.sort_by(|a, b| a.employee.hr_id.cmp(&b.employee.hr_id));
        Ok(())
    }

    /// Acknowledged values, or else those of a push that was never answered.
    fn acknowledged<'i>(
        &self,
        hr_ids: impl IntoIterator<Item = &'i HrId>,
        doubtful: &Doubtful,
    ) -> Result<HashMap<HrId, (String, Employee)>, StoreError> {
        let hr_ids: Vec<&HrId> = hr_ids.into_iter().collect();
        let mut found = if doubtful.taken {
            HashMap::new()
        } else {
            off(|| {
                self.context
                    .store
                    .acknowledged(&self.target, hr_ids.iter().copied())
            })?
        };
        for hr_id in hr_ids {
            if !found.contains_key(hr_id)
                && let Some(person) = doubtful.people.get(hr_id)
            {
                found.insert(hr_id.clone(), person.clone());
            }
        }
        Ok(found)
    }
}
