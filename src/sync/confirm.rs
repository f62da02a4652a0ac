//! What JobTicket itself shows: before a push whom it has, after a push what arrived.
//!
//! JobTicket may need time, so what is not seen right after a push is *unconfirmed*; a later run settles it, and only past `read_back.within_hours` is it drift.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::report::Drifted;
use super::standing::FoundDrift;
use super::{Run, RunReport, Stop, off};
use crate::audit::Event;
use crate::drift::{Difference, compare};
use crate::guard::Approved;
use crate::jobticket::{Receipt, There};
use crate::plan::Known;
use crate::roster::HrId;
use crate::store::{Fact, Store, StoreError, Target};

/// A push of which JobTicket did not show everything yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unconfirmed {
    pub(super) sync_id: String,
    pub(super) since: DateTime<Utc>,
    /// People without a link to this integration, by JobTicket's number: whether they had a ticket before the push.
    others: BTreeMap<u64, bool>,
}

/// Who had a ticket before a push, and need not be in it.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    sync_id: String,
    others: BTreeMap<u64, bool>,
}

impl Run<'_> {
    /// Remembers before a push who without a link has a ticket, so that neither a crash nor an answer that is never seen hides that one was lost.
    pub(super) fn remember_before(
        &self,
        sync_id: &str,
        others: Option<&BTreeMap<u64, bool>>,
    ) -> Result<(), StoreError> {
        let looks = self.integration.read_back.after_push;
        let Some(others) = others.filter(|others| looks && !others.is_empty()) else {
            return Ok(());
        };
        let store = self.context.store;
        let mut others = others.clone();
        // Nobody has looked since an earlier push: what was before that counts.
        let earlier: Option<Before> = off(|| store.fact(&self.target, Fact::Before))?;
        others.extend(earlier.into_iter().flat_map(|earlier| earlier.others));
        let before = Before {
            sync_id: sync_id.to_owned(),
            others,
        };
        let notes = self.notes(Vec::new());
        off(|| store.set_fact(&self.target, Fact::Before, Some(&before), &notes))
    }

    /// Looks whether a push after which nobody could look has cost anybody a ticket.
    pub(super) async fn compare_with_before(&mut self, report: &mut RunReport) -> Result<(), Stop> {
        let store = self.context.store;
        let found: Option<Before> = off(|| store.fact(&self.target, Fact::Before))?;
        let Some(mut before) = found.filter(|_| !self.options.dry_run) else {
            return Ok(());
        };
        if self.there.is_none() {
            let there = self.client().await?.client().there().await?;
            self.there = Some(there);
        }
        if let Some(there) = &self.there {
            self.tickets_lost(&before.sync_id, there, &mut before.others, report)?;
        }
        self.forget(Fact::Before)?;
        Ok(())
    }

    /// Reads back whom JobTicket has, so that the plan counts with them. Whoever has no ticket to lose, and whom we offboarded ourselves, is not among them.
    pub(super) async fn read_back_before(
        &mut self,
        known: &mut Known,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        if !self.integration.read_back.before_push {
            let event = Event::ReadBefore {
                read: false,
                linked: None,
                last_sync_id: None,
            };
            self.record(vec![event.into()])?;
            return Ok(());
        }
        if self.there.is_none() {
            (self.context.stage)("reading back whom JobTicket has");
            let there = self.client().await?.client().there().await?;
            self.there = Some(there);
        }
        self.look_for_drift(report)?;
        let there = self.there.as_ref().expect("read above");
        let linked: Vec<HrId> = there.with_ticket().cloned().collect();
        let store = self.context.store;
        let gone = off(|| store.offboarded(&self.target, &linked))?;
        known.linked = linked;
        known.linked.retain(|hr_id| !gone.contains(hr_id));
        report.linked = Some(there.linked.len());
        let event = Event::ReadBefore {
            read: true,
            linked: Some(there.linked.len()),
            last_sync_id: there.last_sync_id.clone(),
        };
        self.record(vec![event.into()])?;
        Ok(())
    }

    /// Whether JobTicket differs from the snapshot before a push. What is unsettled, taken over or restored differs by its nature, and is told otherwise.
    fn look_for_drift(&self, report: &mut RunReport) -> Result<(), StoreError> {
        let (store, target) = (self.context.store, &self.target);
        let there = self.there.as_ref();
        let acknowledged = off(|| store.last_acknowledged(target))?;
        let Some((there, (sync_id, acknowledged))) = there.zip(acknowledged) else {
            return Ok(());
        };
        if self.options.dry_run || self.silent {
            return Ok(());
        }
        let found = self.differences(&sync_id, there)?.len();
        let now = self.context.clock.now();
        let within = chrono::Duration::hours(self.integration.read_back.within_hours.into());
        let is_unseen = !self.integration.read_back.after_push && now < acknowledged + within;
        let unconfirmed: Option<Unconfirmed> = off(|| store.fact(target, Fact::Unconfirmed))?;
        let is_open = off(|| {
            Ok::<_, StoreError>(
                store.unsettled(target)?.is_some()
                    || store.perhaps_in_part(target, None)?
                    || store.restored(target)?.is_some(),
            )
        })?;
        if found > 0 && (is_unseen || unconfirmed.is_some() || is_open) {
            return Ok(());
        }
        if found > 0 {
            let people = if found == 1 { "person" } else { "people" };
            report.notes.push(format!(
                "DRIFT: when JobTicket was read back, {found} {people} differed there from the snapshot; `drift` names those who still do"
            ));
        }
        off(|| FoundDrift::keep(store, target, found, now))
    }

    /// Looks whether JobTicket shows the push, and whether anybody who does not belong to it has lost a ticket. It may need time, and need not show it at all, so
    /// nothing that is missing here is an error yet.
    pub(super) async fn confirm(
        &mut self,
        approved: &Approved,
        receipt: &Receipt,
        before: Option<BTreeMap<u64, bool>>,
        report: &mut RunReport,
    ) -> Result<bool, Stop> {
        (self.context.stage)("reading back");
        if !self.integration.read_back.after_push {
            self.forget(Fact::Unconfirmed)?;
            return self.confirm_by_integration(receipt).await;
        }
        let there = match self.client().await?.client().there().await {
            Ok(there) => there,
            Err(error) => {
                let result = format!("not readable: {error}");
                self.note_read_back(receipt.sync_id(), result)?;
                self.remember_unconfirmed(receipt.sync_id(), before.unwrap_or_default())?;
                self.forget(Fact::Before)?;
                return Ok(false);
            }
        };
        let mut before = before.unwrap_or_default();
        self.tickets_lost(receipt.sync_id(), &there, &mut before, report)?;
        self.forget(Fact::Before)?;
        let people = approved
            .entries()
            .iter()
            .map(crate::roster::Entry::employee);
        let offboarded = offboarded(self.context.store, &self.target, &there)?;
        let differences = compare(people, receipt.sync_id(), &there, &offboarded);
        let confirmed = differences.is_empty();
        let result = if confirmed {
            "confirmed".to_owned()
        } else {
            format!("{} people not shown as pushed yet", differences.len())
        };
        self.note_read_back(receipt.sync_id(), result)?;
        if confirmed {
            // What an earlier push had left to be seen, this one has replaced.
            self.forget(Fact::Unconfirmed)?;
            self.forget(Fact::FoundDrift)?;
        } else {
            self.remember_unconfirmed(receipt.sync_id(), before)?;
        }
        Ok(confirmed)
    }

    fn forget(&self, fact: Fact) -> Result<(), StoreError> {
        let store = self.context.store;
        let found: Option<serde_json::Value> = off(|| store.fact(&self.target, fact))?;
        if found.is_none() {
            return Ok(());
        }
        let notes = self.notes(Vec::new());
        off(|| store.set_fact::<()>(&self.target, fact, None, &notes))
    }

    async fn confirm_by_integration(&mut self, receipt: &Receipt) -> Result<bool, Stop> {
        let (confirmed, result) = match self.client().await?.client().integration().await {
            Ok(integration) if integration.last_sync_id.as_deref() == Some(receipt.sync_id()) => {
                (true, "confirmed".to_owned())
            }
            Ok(_) => (false, "not shown yet".to_owned()),
            Err(error) => (false, format!("not readable: {error}")),
        };
        self.note_read_back(receipt.sync_id(), result)?;
        Ok(confirmed)
    }

    fn note_read_back(&self, sync_id: &str, result: String) -> Result<(), StoreError> {
        let event = Event::ReadBack {
            sync_id: sync_id.to_owned(),
            result,
        };
        self.record(vec![event.into()])
    }

    fn remember_unconfirmed(
        &self,
        sync_id: &str,
        others: BTreeMap<u64, bool>,
    ) -> Result<(), StoreError> {
        let store = self.context.store;
        let before: Option<Unconfirmed> = off(|| store.fact(&self.target, Fact::Unconfirmed))?;
        let unconfirmed = Unconfirmed {
            sync_id: sync_id.to_owned(),
            // As long as nothing is ever confirmed, a push each day does not begin the hours anew.
            since: before.map_or_else(|| self.context.clock.now(), |before| before.since),
            others,
        };
        let notes = self.notes(Vec::new());
        off(|| {
            self.context
                .store
                .set_fact(&self.target, Fact::Unconfirmed, Some(&unconfirmed), &notes)
        })
    }

    /// Whether anybody who does not belong to a push has lost a ticket by it: then nothing is pushed any more until somebody says so. Each of them is told once, and counts
    /// in `before` as one without a ticket from then on.
    fn tickets_lost(
        &self,
        sync_id: &str,
        there: &There,
        before: &mut BTreeMap<u64, bool>,
        report: &mut RunReport,
    ) -> Result<(), StoreError> {
        let ids = there.lost_since(before);
        if ids.is_empty() {
            return Ok(());
        }
        before.extend(ids.iter().map(|id| (*id, false)));
        report.tickets_lost.clone_from(&ids);
        let event = Event::TicketsLost {
            sync_id: sync_id.to_owned(),
            ids: ids.clone(),
        };
        let notes = self.notes(vec![event.into()]);
        let store = self.context.store;
        let told: Option<Vec<u64>> = off(|| store.fact(&self.target, Fact::TicketsLost))?;
        let mut all = told.unwrap_or_default();
        all.extend(ids);
        off(|| store.set_fact(&self.target, Fact::TicketsLost, Some(&all), &notes))
    }

    /// Settles an earlier push of which JobTicket had not shown everything.
    pub(super) async fn settle_unconfirmed(&mut self, report: &mut RunReport) -> Result<(), Stop> {
        let store = self.context.store;
        let found: Option<Unconfirmed> = off(|| store.fact(&self.target, Fact::Unconfirmed))?;
        let Some(mut unconfirmed) = found.filter(|_| !self.options.dry_run) else {
            return Ok(());
        };
        let there = match self.client().await?.client().there().await {
            Ok(there) => there,
            Err(error) => {
                report.notes.push(format!(
                    "Whether JobTicket shows the last push could not be read back: {error}"
                ));
                return Ok(());
            }
        };
        let Unconfirmed {
            sync_id, others, ..
        } = &mut unconfirmed;
        self.tickets_lost(sync_id, &there, others, report)?;
        if !report.tickets_lost.is_empty() {
            // Otherwise every run would tell of them anew, and no approval would end that.
            let notes = self.notes(Vec::new());
            off(|| store.set_fact(&self.target, Fact::Unconfirmed, Some(&unconfirmed), &notes))?;
        }
        let Unconfirmed { sync_id, since, .. } = &unconfirmed;
        let differences = self.differences(sync_id, &there)?;
        if differences.is_empty() {
            report
                .notes
                .push(format!("JobTicket shows the last push ({sync_id}) now"));
            let event = Event::ReadBack {
                sync_id: sync_id.clone(),
                result: "confirmed".to_owned(),
            };
            let notes = self.notes(vec![event.into()]);
            off(|| store.set_fact::<()>(&self.target, Fact::Unconfirmed, None, &notes))?;
            self.forget(Fact::FoundDrift)?;
        } else {
            let hours = (self.context.clock.now() - *since).num_hours();
            if hours >= i64::from(self.integration.read_back.within_hours) {
                let event = Event::Drift {
                    sync_id: sync_id.clone(),
                    hours,
                    differences: differences.clone(),
                };
                self.record(vec![event.into()])?;
                report.drift = Some(Drifted {
                    sync_id: sync_id.clone(),
                    hours,
                    differences,
                });
            } else {
                report.notes.push(format!(
                    "JobTicket does not show all of the last push ({sync_id}) yet: {} people, since {hours} hours",
                    differences.len()
                ));
            }
        }
        self.there = Some(there);
        Ok(())
    }

    fn differences(&self, sync_id: &str, there: &There) -> Result<Vec<Difference>, StoreError> {
        differences(self.context.store, &self.target, sync_id, there)
    }
}

/// Of the people whom JobTicket shows, those whom we offboarded.
fn offboarded(store: &Store, target: &Target, there: &There) -> Result<Vec<HrId>, StoreError> {
    let linked: Vec<HrId> = there.with_ticket().cloned().collect();
    off(|| store.offboarded(target, &linked))
}

/// Where JobTicket differs from the snapshot.
pub(super) fn differences(
    store: &Store,
    target: &Target,
    sync_id: &str,
    there: &There,
) -> Result<Vec<Difference>, StoreError> {
    let keys = off(|| store.snapshot(target))?.unwrap_or_default();
    let hr_ids: Vec<HrId> = keys.into_iter().map(|(hr_id, _)| hr_id).collect();
    let people = off(|| store.acknowledged(target, &hr_ids))?;
    let people = people.values().map(|(_, employee)| employee);
    let offboarded = offboarded(store, target, there)?;
    Ok(compare(people, sync_id, there, &offboarded))
}
