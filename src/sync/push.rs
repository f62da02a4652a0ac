//! The dangerous part of a run: intent on disk, one call, receipt, snapshot; what to do about a push whose answer was never seen, and about one of which JobTicket refuses
//! single records: the rest goes out again under a new syncId, after the guard has seen it.

use std::collections::{BTreeMap, BTreeSet};

use super::people::{Doubtful, Stage};
use super::told::Told;
use super::{Ending, OFF, Run, RunReport, Stop, connect, off};
use crate::audit::Event;
use crate::config::{OnRejectedRows, Source};
use crate::digest::sha256;
use crate::guard::{Approved, Cause, Judgement, Question};
use crate::jobticket::{GateClosed, Outcome, Push, PushError, Receipt, There, named_records};
use crate::plan::{self, Change, Known, Leaving, Plan, What};
use crate::roster::{Entry, HrId};
use crate::store::{Prepared, PushRoster, Settled};

/// So often a push is amended and sent again where JobTicket refuses single records.
const MOST_AMENDMENTS: u32 = 2;

/// What it takes to make the plan again without records that JobTicket refuses.
pub(super) struct Amend<'a> {
    pub(super) judged: &'a Judgement,
    pub(super) stage: &'a mut Stage,
    pub(super) known: &'a Known,
    pub(super) doubtful: &'a Doubtful,
    pub(super) there: Option<&'a There>,
}

/// The people whose records a refusal names, with the field where it names one.
pub(super) fn named_people(body: &str, approved: &Approved) -> Vec<(HrId, Option<String>)> {
    let named = named_records(body).into_iter();
    named
        .filter_map(|(position, field)| {
            let entry = approved.entries().get(position)?;
            Some((entry.employee().hr_id.clone(), field))
        })
        .collect()
}

/// Old numbers of people whose new number JobTicket refuses: without either they would lose their ticket.
fn renumbered(
    entries: &[Entry],
    known: &Known,
    stage: &Stage,
    refused: &BTreeSet<HrId>,
) -> Vec<HrId> {
    let explained = |hr_id: &HrId| stage.reasons.of(hr_id).is_explained();
    let comparison = plan::compare(known, entries);
    let pairs = plan::new_numbers(&comparison, entries, known, &stage.old, explained);
    let pairs = pairs.into_iter();
    pairs
        .filter(|pair| refused.contains(&pair.new))
        .map(|pair| pair.old)
        .collect()
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
            let mut link = connect(
                context.config,
                integration,
                secrets,
                context.clock,
                Some(&folder),
            )
            .await?;
            link.stops_with(std::sync::Arc::clone(&self.options.stopping));
            self.keep_credential(&link)?;
            self.link = Some(link);
        }
        Ok(self.link.as_ref().expect("made above"))
    }

    /// Makes the roster of an acknowledged push the snapshot. `sent` is that roster where this run has sent it.
    pub(super) fn acknowledge(
        &self,
        receipt: &Receipt,
        sent: Option<&PushRoster<'_>>,
        seen: &str,
    ) -> Result<usize, Stop> {
        let store = self.context.store;
        let event = |employees| Event::PushAcknowledged {
            sync_id: receipt.sync_id().to_owned(),
            employees,
            acknowledged: receipt.at().to_rfc3339(),
            seen: seen.to_owned(),
        };
        Ok(off(|| {
            store.acknowledge(&self.target, receipt, sent, |employees| {
                self.notes(vec![event(employees).into()])
            })
        })?)
    }

    /// Puts a push and the line that tells of it on disk. Only then may it leave.
    fn intend(
        &self,
        approved: &Approved,
        roster: &PushRoster<'_>,
        sync_id: &str,
    ) -> Result<Push, Stop> {
        let store = self.context.store;
        let intent = |push: &Push| {
            let intent = Event::PushIntent {
                sync_id: push.sync_id().to_owned(),
                employees: push.employees(),
                body_sha256: push.body_sha256().to_owned(),
                plan_hash: approved.plan_hash().to_owned(),
                approved_by_holds: approved.holds().into_iter().collect(),
            };
            self.notes(vec![intent.into()])
        };
        let push = off(|| {
            let prepared = Prepared {
                run: self.id,
                sync_id,
                roster,
                rules_hash: &self.rules_hash(),
                day: self.selection().today,
            };
            let make = || Push::new(approved, sync_id.to_owned());
            store.prepare(&self.target, &prepared, make, intent)
        })?;
        crate::crash::point("intended");
        if let Err(error) = off(|| store.flush(self.context.audit)) {
            // Without its line on disk the push does not leave, and then it is in no doubt either.
            let event = Event::PushRefused {
                sync_id: push.sync_id().to_owned(),
                outcome: format!("never sent: {error}"),
                hr_ids: Vec::new(),
            };
            let notes = self.notes(vec![event.into()]);
            off(|| store.settle(push.sync_id(), &Settled::Refused, &notes))?;
            return Err(error.into());
        }
        crate::crash::point("prepared");
        Ok(push)
    }

    /// Sends an approved roster; where JobTicket refuses single records of it, the rest once or twice more without those.
    pub(super) async fn push(
        &mut self,
        mut approved: Approved,
        amend: Amend<'_>,
        before: Option<BTreeMap<u64, bool>>,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        self.compare_clocks(amend.there).await?;
        let Amend {
            judged,
            stage,
            known,
            doubtful,
            there,
        } = amend;
        for amended in 0.. {
            self.may_go_on()?;
            let sync_id = match amended {
                0 => format!("sync-{}", self.id),
                _ => format!("sync-{}-{amended}", self.id),
            };
            let refused = self
                .push_once(&approved, sync_id, before.clone(), report)
                .await?;
            let carry_forward = self.integration.on_rejected_rows == OnRejectedRows::CarryForward;
            if refused.is_empty() || !carry_forward || amended == MOST_AMENDMENTS {
                crate::parallel::give_back(approved);
                return Ok(());
            }
            let refused: BTreeSet<HrId> = refused.into_iter().collect();
            let known_ones: Vec<HrId> = refused
                .iter()
                .filter(|hr_id| known.contains(hr_id))
                .cloned()
                .collect();
            let acknowledged = self.acknowledged(&known_ones, doubtful, there)?;
            let as_acknowledged = |hr_id: &&HrId| {
                let sent = approved.entry(hr_id).map(Entry::hash);
                let old = acknowledged
                    .get(*hr_id)
                    .map(|(_, employee)| employee.hash());
                sent == old
            };
            let hopeless: Vec<HrId> = known_ones.iter().filter(as_acknowledged).cloned().collect();
            if !hopeless.is_empty() {
                return self.hold_refused(&hopeless, there, report);
            }
            let left_out: Vec<String> = refused
                .iter()
                .filter(|hr_id| !known.contains(hr_id))
                .map(ToString::to_string)
                .collect();
            let mut kept = renumbered(approved.entries(), known, stage, &refused);
            kept.extend(known_ones);
            let mut entries = approved.into_entries();
            entries.retain(|entry| !refused.contains(&entry.employee().hr_id));
            if entries.is_empty() && kept.is_empty() {
                // Without the refused nobody is left, and a push of nobody never goes out.
                return Ok(());
            }
            let event = Event::PushAmended {
                sync_id: format!("sync-{}", self.id),
                carried_forward: super::pull::names(&kept),
                left_out: left_out.clone(),
            };
            self.record(vec![event.into()])?;
            report.refused_rows.extend(refused.iter().cloned());
            self.carry_forward(kept, doubtful, there, &mut entries, &mut stage.old)?;
            let collisions = plan::keep_apart(&mut entries, known, &stage.old).map_err(|(one, other)| {
                Stop::Collides(format!(
                    "{one} and {other} are both kept and have the same e-mail; correct one of them in the HR system"
                ))
            })?;
            report.collisions.extend(collisions);
            let plan = Plan::new(entries, known, &stage.old, &stage.reasons);
            report.roster = plan.entries.len();
            report.counts = plan.counts();
            report.changes.clone_from(&plan.changes);
            self.note_plan(&plan, &stage.old, judged)?;
            approved = judged.approve(plan)?;
        }
        Ok(())
    }

    /// JobTicket is there, takes the credential, and has the same time: the read-back shows it, or else one small request.
    async fn compare_clocks(&mut self, there: Option<&There>) -> Result<(), Stop> {
        let date = if let Some(there) = there {
            there.date
        } else {
            (self.context.stage)("asking JobTicket");
            self.client().await?.client().probe().await?.1
        };
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
        Ok(())
    }

    /// Intent, one call, receipt, snapshot. Returns the people whose records JobTicket refused, as far as it names them.
    async fn push_once(
        &mut self,
        approved: &Approved,
        sync_id: String,
        before: Option<BTreeMap<u64, bool>>,
        report: &mut RunReport,
    ) -> Result<Vec<HrId>, Stop> {
        let store = self.context.store;
        self.remember_before(&sync_id, before.as_ref())?;
        let names = self.integration.sources.iter();
        let names: Vec<&str> = names.map(|source| source.name.as_str()).collect();
        let roster = off(|| store.push_roster(&self.target, approved, &names))?;
        let push = self.intend(approved, &roster, &sync_id)?;
        (self.context.stage)(&format!("pushing {} employees", push.employees()));
        let mut told = Told {
            store,
            notes: self.notes(Vec::new()),
            sync_id: push.sync_id(),
            approved,
            values: self.context.config.audit.values,
        };
        let client = self.client().await?.client();
        let waiting = store.clone();
        // Of a push most of the time is waiting.
        tokio::task::spawn_blocking(move || waiting.write_back());
        let result = client.push(approved, &push, &mut told).await;
        crate::crash::point("answered");
        match result {
            Ok(receipt) => {
                let employees = self.acknowledge(&receipt, Some(&roster), "answered 204")?;
                crate::crash::point("acknowledged");
                let confirmed = self.confirm(approved, &receipt, before, report).await?;
                report.ending = Ending::Pushed {
                    sync_id: receipt.sync_id().to_owned(),
                    employees,
                    confirmed,
                };
                self.accepted_after_all()?;
                Ok(Vec::new())
            }
            Err(PushError::InDoubt { outcome }) => {
                let event = Event::PushInDoubt {
                    sync_id: push.sync_id().to_owned(),
                    outcome: outcome.to_string(),
                };
                let notes = self.notes(vec![event.into()]);
                let how = match outcome {
                    // The people whom it named were taken out as it was told.
                    Outcome::Invalid { .. } => Settled::PerhapsInPart(Vec::new()),
                    _ => Settled::InDoubt,
                };
                off(|| store.settle(push.sync_id(), &how, &notes))?;
                let message = PushError::InDoubt {
                    outcome: outcome.clone(),
                }
                .to_string();
                report.ending = Ending::InDoubt {
                    message,
                    reached: outcome.is_refusal(),
                };
                Ok(Vec::new())
            }
            Err(error @ (PushError::Refused { .. } | PushError::Gate(_))) => {
                if let PushError::Refused { outcome } = &error {
                    self.note_refusal(outcome);
                }
                self.refused(approved, &push, &error, report)
            }
        }
    }

    /// JobTicket surely did not take a push. Returns the people whose records it names.
    fn refused(
        &self,
        approved: &Approved,
        push: &Push,
        error: &PushError,
        report: &mut RunReport,
    ) -> Result<Vec<HrId>, Stop> {
        let mut message = error.to_string();
        let mut hr_ids = Vec::new();
        let mut refusal = false;
        if let PushError::Refused { outcome } = error {
            refusal = outcome.is_refusal();
            if let Outcome::Invalid { body } = outcome {
                let mut named = Vec::new();
                for (hr_id, field) in named_people(body, approved) {
                    named.push(
                        field.map_or_else(|| hr_id.to_string(), |field| format!("{hr_id} {field}")),
                    );
                    hr_ids.push(hr_id);
                }
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
            } => Settled::PerhapsInPart(hr_ids.clone()),
            _ => Settled::Refused,
        };
        off(|| self.context.store.settle(push.sync_id(), &how, &notes))?;
        report.ending = if refusal {
            Ending::Refused { message }
        } else if matches!(error, PushError::Gate(GateClosed::Ledger(_))) {
            Ending::Failed { message }
        } else {
            Ending::Unreachable { message }
        };
        Ok(hr_ids)
    }

    /// JobTicket refuses people whose values it once acknowledged: a person decides whether they are left out.
    fn hold_refused(
        &mut self,
        hr_ids: &[HrId],
        there: Option<&There>,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let questions = hr_ids.iter().map(|hr_id| Question {
            change: Change {
                hr_id: hr_id.clone(),
                what: What::Leaves(Leaving::Refused),
            },
            reason: format!("leaves: {}", Leaving::Refused),
            cause: Cause::Refused,
        });
        self.ask_anew(questions.collect(), there, report)
    }

    /// Identifies the rules by which people are selected.
    pub(super) fn rules_hash(&self) -> String {
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
        let mut all = serde_json::to_vec(&all).expect("rules are plain values");
        let sources = &self.integration.sources;
        all.extend(sources.iter().flat_map(crate::source::selection));
        sha256(all)
    }
}
