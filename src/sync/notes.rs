//! What a run tells the audit log of its sources, its rows and its plan, and how much of personal values.

use std::collections::HashMap;

use super::{Run, RunReport, SourceReport};
use crate::audit::{AbsencesPulled, Event, Values, mask};
use crate::config::AuditValues;
use crate::guard::Judgement;
use crate::plan::{Counts, Plan, What};
use crate::roster::{Employee, Entry, Field, HrId};
use crate::source::Taken;
use crate::store::{Note, StoreError};

impl Run<'_> {
    /// Tells the audit log about sources of a run that ends here.
    pub(super) fn note_failed(&self, report: &RunReport) -> Result<(), StoreError> {
        self.keep_failed(report)?;
        self.record(
            report
                .sources
                .iter()
                .map(|source| source_note(source, None))
                .collect(),
        )
    }

    pub(super) fn note_rows(&self, report: &RunReport) -> Result<(), StoreError> {
        let mut notes: Vec<Note> = Vec::new();
        for row in &report.rejected {
            notes.push(
                Event::RowRejected {
                    source: row.source.clone(),
                    row: row.row,
                    hr_id: row.hr_id.clone(),
                    reason: row.reason.clone(),
                    carried_forward: row.carried_forward,
                }
                .into(),
            );
        }
        for row in &report.incomplete {
            notes.push(
                Event::RowIncomplete {
                    source: row.source.clone(),
                    row: row.row,
                    hr_id: row.hr_id.clone(),
                    field: row.field.to_string(),
                }
                .into(),
            );
        }
        for collision in &report.collisions {
            notes.push(
                Event::Collision {
                    hr_id: collision.hr_id.to_string(),
                    kept: collision.kept.to_string(),
                    joiner: collision.joiner,
                }
                .into(),
            );
        }
        if notes.is_empty() {
            Ok(())
        } else {
            self.record(notes)
        }
    }

    pub(super) fn note_plan(
        &self,
        plan: &Plan,
        old: &HashMap<HrId, Employee>,
        judged: &Judgement,
    ) -> Result<(), StoreError> {
        let counts: Counts = plan.counts();
        let whole = Event::Plan {
            roster: plan.entries.len(),
            counts,
            resend: plan.resend,
            plan_hash: plan.hash.clone(),
        };
        let changes = plan.with_entries().map(|(change, new)| {
            let new = new.map(Entry::employee);
            let values = self.values(&change.what, old.get(&change.hr_id), new);
            Note {
                event: Event::Change {
                    change: change.clone(),
                    grounds: judged.grounds(&change.hr_id).cloned(),
                },
                values,
            }
        });
        self.record_each(std::iter::once(whole.into()).chain(changes))
    }

    /// The values of a change that the configuration wants in the log: the changed fields of those who change; with `full`, everything of joiners and leavers too.
    fn values(&self, what: &What, old: Option<&Employee>, new: Option<&Employee>) -> Values {
        let wanted = self.context.config.audit.values;
        let fields = match (what, wanted) {
            (_, AuditValues::None) | (What::Joins | What::Leaves(_), AuditValues::Masked) => {
                return Values::new();
            }
            (What::Changes { fields }, _) => fields.as_slice(),
            (What::Joins | What::Leaves(_), AuditValues::Full) => &Field::ALL,
        };
        let mut values = Values::new();
        for field in fields {
            for (side, employee) in [("old", old), ("new", new)] {
                if let Some(value) = employee.and_then(|employee| employee.value(*field)) {
                    let value = if wanted == AuditValues::Full {
                        value
                    } else {
                        mask(*field, &value)
                    };
                    values.push((format!("{field}.{side}"), value));
                }
            }
        }
        values
    }
}

/// What became of a source.
pub(super) fn source_note(source: &SourceReport, taken: Option<&Taken>) -> Note {
    let name = source.name.clone();
    if source.failed() {
        let error = source.note.clone().unwrap_or_default();
        return Event::SourceFailed {
            source: name,
            error,
            stands_in: source.frozen,
            frozen_hours: source.frozen_hours,
            too_long: source.frozen_too_long,
        }
        .into();
    }
    let absences = taken.and_then(|taken| taken.absences.as_ref());
    Event::SourcePulled {
        source: name,
        file: taken.map(|taken| taken.name.clone()).unwrap_or_default(),
        sha256: taken.map(|taken| taken.sha256.clone()).unwrap_or_default(),
        bytes: taken.map_or(0, |taken| taken.size),
        modified: taken
            .map(|taken| taken.modified.to_rfc3339())
            .unwrap_or_default(),
        rows: source.rows,
        selected: source.selected,
        status: source.status.clone(),
        absences: absences.map(|taken| AbsencesPulled {
            file: taken.name.clone(),
            sha256: taken.sha256.clone(),
            bytes: taken.size,
            modified: taken.modified.to_rfc3339(),
        }),
    }
    .into()
}
