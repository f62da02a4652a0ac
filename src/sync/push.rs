//! The dangerous part of a run: intent on disk, one call, receipt, snapshot; and what to do about a push whose answer was never seen.

use std::collections::HashSet;

use super::{Ending, OFF, Run, RunReport, Stop, connect, millis, off};
use crate::audit::{Event, mask_text, parts};
use crate::config::{AuditValues, Source};
use crate::digest::sha256;
use crate::guard::Approved;
use crate::jobticket::{
    Attempt, GateClosed, Outcome, Push, PushError, Receipt, Witness, named_records,
};
use crate::roster::Entry;
use crate::store::{Note, Notes, Prepared, Settled, Store};

/// Writes each attempt to the audit log as soon as it is over.
struct Told<'t> {
    store: &'t Store,
    notes: Notes,
    sync_id: &'t str,
    approved: &'t Approved,
    values: AuditValues,
}

impl Witness for Told<'_> {
    async fn attempt(&mut self, attempt: &Attempt) {
        crate::crash::point("attempted");
        let mut outcome = attempt.outcome.to_string();
        if let Outcome::Invalid { body } = &attempt.outcome {
            outcome = format!("{outcome}: {}", shown(body, self.approved, self.values));
        }
        let event = Event::PushAttempt {
            sync_id: self.sync_id.to_owned(),
            attempt: attempt.number,
            outcome,
            duration_ms: millis(attempt.took),
        };
        let notes = Notes {
            notes: vec![event.into()],
            ..self.notes.clone()
        };
        let recorded = match &attempt.outcome {
            // At once, so that no crash lets the next run take it for a push that was never answered.
            Outcome::Invalid { .. } => off(|| {
                self.store
                    .settle(self.sync_id, Settled::PerhapsInPart, &notes)
            }),
            _ => off(|| self.store.record(&notes)),
        };
        if let Err(error) = recorded {
            // The push goes on: what became of it is more important than this line.
            tracing::error!("An attempt could not be recorded: {error}");
        }
    }
}

/// What JobTicket said of refused values, as far as the audit log may show it. Its shape is not documented, so any word may be a personal value.
fn shown(body: &str, approved: &Approved, values: AuditValues) -> String {
    const MOST: usize = 4_000;
    // A word that is cut in two is no longer known for what it is, so the last one of a long text goes.
    let mut cut: String = body.chars().take(MOST).collect();
    if cut.len() < body.len() {
        cut.truncate(cut.rfind(|c: char| !c.is_alphanumeric()).unwrap_or(0));
        cut.push('…');
    }
    match values {
        AuditValues::Full => cut,
        AuditValues::Masked => {
            let known: HashSet<String> = approved
                .entries()
                .iter()
                .flat_map(|Entry { employee, .. }| {
                    [&employee.first_name, &employee.last_name, &employee.email]
                })
                .flat_map(|value| parts(value))
                .collect();
            mask_text(&cut, |part| known.contains(part))
        }
        AuditValues::None => format!("{} bytes, not kept", body.len()),
    }
}

impl Run<'_> {
    pub(super) async fn client(&mut self) -> Result<&super::Link, Stop> {
        if self.link.is_none() {
            let folder = self.context.config.state_dir.join("sandbox");
            let Self {
                context,
                integration,
                secrets,
                ..
            } = self;
            let link = connect(
                context.config,
                integration,
                secrets,
                context.clock,
                Some(&folder),
            )
            .await?;
            self.link = Some(link);
        }
        Ok(self.link.as_ref().expect("made above"))
    }

    pub(super) fn acknowledge(&self, receipt: &Receipt, seen: &str) -> Result<usize, Stop> {
        let event = |employees| Event::PushAcknowledged {
            sync_id: receipt.sync_id().to_owned(),
            employees,
            acknowledged: receipt.at().to_rfc3339(),
            seen: seen.to_owned(),
        };
        Ok(off(|| {
            self.context
                .store
                .acknowledge(&self.target, receipt, |employees| {
                    self.notes(vec![event(employees).into()])
                })
        })?)
    }

    /// Puts a push and the line that tells of it on disk. Only then may it leave.
    fn intend(&self, approved: &Approved) -> Result<Push, Stop> {
        let store = self.context.store;
        let push = Push::new(approved, format!("sync-{}", self.id));
        let body_hash = sha256(push.body());
        let names: Vec<&str> = self
            .integration
            .sources
            .iter()
            .map(|source| source.name.as_str())
            .collect();
        let intent = Event::PushIntent {
            sync_id: push.sync_id().to_owned(),
            employees: push.employees(),
            body_sha256: body_hash.clone(),
            plan_hash: approved.plan_hash().to_owned(),
        };
        let notes = self.notes(vec![intent.into()]);
        let prepared = Prepared {
            run: self.id,
            approved,
            push: &push,
            body_hash: &body_hash,
            rules_hash: &self.rules_hash(),
            sources: &names,
        };
        off(|| store.prepare(&self.target, &prepared, &notes))?;
        crate::crash::point("intended");
        if let Err(error) = off(|| store.flush(self.context.audit)) {
            // Without its line on disk the push does not leave, and then it is in no doubt either.
            let event = Event::PushRefused {
                sync_id: push.sync_id().to_owned(),
                outcome: format!("never sent: {error}"),
                hr_ids: Vec::new(),
            };
            let notes = self.notes(vec![event.into()]);
            off(|| store.settle(push.sync_id(), Settled::Refused, &notes))?;
            return Err(error.into());
        }
        crate::crash::point("prepared");
        Ok(push)
    }

    /// Sends an approved roster.
    pub(super) async fn push(
        &mut self,
        approved: &Approved,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let store = self.context.store;
        (self.context.stage)("asking JobTicket");
        let (_, date) = self.client().await?.client().probe().await?;
        let now = self.context.clock.now();
        if let Some(date) = date.filter(|date| (*date - now).abs() > OFF)
            && !self.options.accept_clock
        {
            return Err(Stop::Clock(format!(
                "This machine's clock shows {} and JobTicket's {}; every date rule would be wrong. Correct the clock; if it is right, go on once with --accept-clock",
                now.format("%Y-%m-%d %H:%M UTC"),
                date.format("%Y-%m-%d %H:%M UTC")
            )));
        }

        let push = self.intend(approved)?;
        (self.context.stage)(&format!("pushing {} employees", push.employees()));
        let mut told = Told {
            store,
            notes: self.notes(Vec::new()),
            sync_id: push.sync_id(),
            approved,
            values: self.context.config.audit.values,
        };
        let result = self
            .client()
            .await?
            .client()
            .push(approved, &push, &mut told)
            .await;
        crate::crash::point("answered");
        match result {
            Ok(receipt) => {
                let employees = self.acknowledge(&receipt, "answered 204")?;
                crate::crash::point("acknowledged");
                let confirmed = self.confirm(&receipt).await?;
                report.ending = Ending::Pushed {
                    sync_id: receipt.sync_id().to_owned(),
                    employees,
                    confirmed,
                };
            }
            Err(PushError::InDoubt { outcome }) => {
                let event = Event::PushInDoubt {
                    sync_id: push.sync_id().to_owned(),
                    outcome: outcome.to_string(),
                };
                let notes = self.notes(vec![event.into()]);
                let how = match outcome {
                    Outcome::Invalid { .. } => Settled::PerhapsInPart,
                    _ => Settled::InDoubt,
                };
                off(|| store.settle(push.sync_id(), how, &notes))?;
                let message = PushError::InDoubt {
                    outcome: outcome.clone(),
                }
                .to_string();
                report.ending = Ending::InDoubt {
                    message,
                    reached: outcome.is_refusal(),
                };
            }
            Err(error @ (PushError::Refused { .. } | PushError::Gate(_))) => {
                self.refused(approved, &push, &error, report)?;
            }
        }
        Ok(())
    }

    fn refused(
        &self,
        approved: &Approved,
        push: &Push,
        error: &PushError,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let mut message = error.to_string();
        let mut hr_ids = Vec::new();
        let mut refusal = false;
        if let PushError::Refused { outcome } = error {
            refusal = outcome.is_refusal();
            if let Outcome::Invalid { body } = outcome {
                let named: Vec<String> =
                    named_records(body)
                        .into_iter()
                        .filter_map(|(position, field)| {
                            let hr_id = &approved.entries().get(position)?.employee.hr_id;
                            hr_ids.push(hr_id.clone());
                            Some(field.map_or_else(
                                || hr_id.to_string(),
                                |field| format!("{hr_id} {field}"),
                            ))
                        })
                        .collect();
                if !named.is_empty() {
                    message = format!(
                        "{message}: {}. Correct these in the HR system",
                        named.join(", ")
                    );
                }
            }
        }
        let event = Event::PushRefused {
            sync_id: push.sync_id().to_owned(),
            outcome: error.to_string(),
            hr_ids: super::pull::names(&hr_ids),
        };
        let notes = self.notes(vec![event.into()]);
        let how = match error {
            PushError::Refused {
                outcome: Outcome::Invalid { .. },
            } => Settled::PerhapsInPart,
            _ => Settled::Refused,
        };
        off(|| self.context.store.settle(push.sync_id(), how, &notes))?;
        report.ending = if refusal {
            Ending::Refused { message }
        } else if matches!(error, PushError::Gate(GateClosed::Ledger(_))) {
            Ending::Failed { message }
        } else {
            Ending::Unreachable { message }
        };
        Ok(())
    }

    /// Looks whether JobTicket already shows the push. It may need time, and need not show it at all, so nothing that is missing here is an error.
    async fn confirm(&mut self, receipt: &Receipt) -> Result<bool, Stop> {
        (self.context.stage)("reading back");
        let (confirmed, result) = match self.client().await?.client().integration().await {
            Ok(integration) if integration.last_sync_id.as_deref() == Some(receipt.sync_id()) => {
                (true, "confirmed".to_owned())
            }
            Ok(_) => (false, "not shown yet".to_owned()),
            Err(error) => (false, format!("not readable: {error}")),
        };
        let note: Note = Event::ReadBack {
            sync_id: receipt.sync_id().to_owned(),
            result,
        }
        .into();
        self.record(vec![note])?;
        Ok(confirmed)
    }

    /// Identifies the rules by which people are selected.
    fn rules_hash(&self) -> String {
        let rules: Vec<_> = self
            .integration
            .sources
            .iter()
            .map(
                |Source {
                     fields,
                     include,
                     exclude,
                     id_prefix,
                     ..
                 }| (fields, include, exclude, id_prefix),
            )
            .collect();
        let all = (
            rules,
            &self.integration.select,
            self.context.config.timezone.name(),
            &self.numbers.sha256,
        );
        sha256(serde_json::to_vec(&all).expect("rules are plain values"))
    }
}
