//! The command `drift`: where JobTicket's employees differ from the snapshot, now.
//!
//! It changes nothing but the request ledger, the audit log and what `status` tells of drift, so it takes no run lock and can be interrupted at any time. A run may go on meanwhile; then what was compared may
//! never have been true at one moment, and the result says so. The list of employees is complete, or it is an error and nothing is compared.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::confirm::{Unconfirmed, differences};
use super::standing::FoundDrift;
use super::text::lines;
use super::{Context, Ending, Secrets, Stop, connect, off, target_of};
use crate::audit::Event;
use crate::config::Integration;
use crate::drift::{Difference, Kind};
use crate::exit::Exit;
use crate::jobticket::There;
use crate::store::{Fact, Notes, RunLock, StoreError, Target};

/// Where JobTicket differs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The integration.
    pub integration: String,
    /// Its environment.
    pub environment: String,
    /// Whether it is the imitation inside the program.
    pub sandbox: bool,
    /// The push with which JobTicket is compared.
    pub sync_id: Option<String>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// People in the snapshot.
    pub snapshot: usize,
    /// People linked at JobTicket.
    pub linked: usize,
    /// Of them, those who are not in the snapshot and are as they should be: their ticket is over or cancelled, or this installation has offboarded them and none is shown.
    pub left: usize,
    /// People at JobTicket without a link to this integration.
    pub without_link: usize,
    /// Until when differences are no drift yet, for JobTicket may need time.
    pub unconfirmed_until: Option<DateTime<Utc>>,
    /// How they differ.
    pub differences: Vec<Difference>,
    /// Whether a run was in progress, so that this may be of a moment in between.
    pub run_in_progress: bool,
    /// Why nothing could be compared.
    pub error: Option<String>,
    /// Requests to JobTicket.
    pub requests: u32,
    /// The exit code.
    pub exit_code: Exit,
}

/// Compares the snapshot with whom JobTicket has.
pub async fn drift(
    context: &Context<'_>,
    integration: &Integration,
    secrets: &Secrets,
) -> DriftReport {
    let mut report = DriftReport {
        integration: integration.name.clone(),
        environment: integration.jobticket.environment_name(),
        sandbox: integration.jobticket.is_sandbox(),
        sync_id: None,
        acknowledged_at: None,
        snapshot: 0,
        linked: 0,
        left: 0,
        without_link: 0,
        unconfirmed_until: None,
        differences: Vec::new(),
        run_in_progress: false,
        error: None,
        requests: 0,
        exit_code: Exit::Done,
    };
    if let Err(stop) = look(context, integration, secrets, &mut report).await {
        report.error = Some(stop.to_string());
        report.exit_code = Ending::from(stop).exit();
    }
    report
}

/// Whether a run of the integration is in progress.
fn in_progress(context: &Context<'_>, target: &Target) -> Result<bool, StoreError> {
    off(|| {
        let begun = context.store.has_begun_run(target)?;
        // A run that was killed began and never ended; its lock is free.
        Ok(begun && RunLock::is_taken(&context.config.state_dir, target))
    })
}

async fn look(
    context: &Context<'_>,
    integration: &Integration,
    secrets: &Secrets,
    report: &mut DriftReport,
) -> Result<(), Stop> {
    let store = context.store;
    let target = target_of(integration);
    let before = off(|| store.last_acknowledged(&target))?;
    report.run_in_progress = in_progress(context, &target)?;
    (context.stage)(&format!(
        "reading back whom JobTicket has of {}",
        integration.name
    ));
    let there = read_back(context, integration, secrets, report).await?;
    let acknowledged = off(|| store.last_acknowledged(&target))?;
    report.run_in_progress |= acknowledged != before || in_progress(context, &target)?;
    let sync_id = acknowledged.as_ref().map(|(sync_id, _)| sync_id.clone());
    report.differences = differences(
        store,
        &target,
        sync_id.as_deref().unwrap_or_default(),
        &there,
    )?;
    let snapshot = off(|| store.snapshot(&target))?.unwrap_or_default();
    report.snapshot = snapshot.len();
    report.linked = there.linked.len();
    let of_snapshot = snapshot
        .iter()
        .filter(|(hr_id, _)| there.linked.contains_key(hr_id));
    let differ = report.differences.iter();
    let differ = differ.filter(|difference| matches!(difference.kind, Kind::NotInSnapshot));
    report.left = report
        .linked
        .saturating_sub(of_snapshot.count() + differ.count());
    report.without_link = there.others.len();
    report.acknowledged_at = acknowledged.map(|(_, at)| at);
    report.sync_id = sync_id;
    let unconfirmed: Option<Unconfirmed> = off(|| store.fact(&target, Fact::Unconfirmed))?;
    let within = chrono::Duration::hours(integration.read_back.within_hours.into());
    // Where nothing is read back after a push, nobody knows whether that push was seen.
    let unseen = report
        .acknowledged_at
        .filter(|_| !integration.read_back.after_push);
    report.unconfirmed_until = unconfirmed
        .filter(|unconfirmed| Some(&unconfirmed.sync_id) == report.sync_id.as_ref())
        .map(|unconfirmed| unconfirmed.since)
        .or(unseen)
        .map(|since| since + within)
        .filter(|until| context.clock.now() < *until);
    if !report.differences.is_empty() && report.unconfirmed_until.is_none() {
        report.exit_code = Exit::Drift;
    }
    record(context, integration, report)?;
    // While a run is in progress this may be of a moment in between, and while a push is unconfirmed it is no drift yet.
    let found = report.differences.len();
    if found == 0 || (!report.run_in_progress && report.exit_code == Exit::Drift) {
        off(|| FoundDrift::keep(store, &target, found, context.clock.now()))?;
    }
    Ok(())
}

async fn read_back(
    context: &Context<'_>,
    integration: &Integration,
    secrets: &Secrets,
    report: &mut DriftReport,
) -> Result<There, Stop> {
    let sandbox = context.config.state_dir.join("sandbox");
    let link = connect(
        context.config,
        integration,
        secrets,
        context.clock,
        Some(&sandbox),
    )
    .await?;
    let there = link.client().there().await;
    report.requests = link.client().requests();
    link.close().await;
    Ok(there?)
}

fn record(
    context: &Context<'_>,
    integration: &Integration,
    report: &DriftReport,
) -> Result<(), StoreError> {
    let event = Event::DriftChecked {
        user: context.user.to_owned(),
        sync_id: report.sync_id.clone(),
        linked: report.linked,
        without_link: report.without_link,
        unconfirmed: report.unconfirmed_until.is_some(),
        differences: report.differences.clone(),
    };
    let notes = Notes {
        integration: Some(integration.name.clone()),
        run: None,
        notes: vec![event.into()],
    };
    off(|| {
        context.store.record(&notes)?;
        context.store.flush(context.audit)
    })
}

/// The kinds of differences, in words and in the order in which they are told.
const KINDS: [&str; 4] = [
    "in the snapshot but not linked",
    "linked but not in the snapshot",
    "last named by another sync",
    "with other values",
];

fn in_words(kind: &Kind) -> &'static str {
    match kind {
        Kind::NotLinked => KINDS[0],
        Kind::NotInSnapshot => KINDS[1],
        Kind::OtherSync { .. } => KINDS[2],
        Kind::Fields { .. } => KINDS[3],
    }
}

impl fmt::Display for DriftReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.integration, self.environment)?;
        if let Some(error) = &self.error {
            writeln!(f, "  NOT COMPARED: {error}")?;
            return writeln!(f, "  requests: {}", self.requests);
        }
        match (&self.sync_id, self.acknowledged_at) {
            (Some(sync_id), Some(at)) => writeln!(
                f,
                "  snapshot: {} employees, acknowledged {} as {sync_id}",
                self.snapshot,
                at.format("%Y-%m-%d %H:%M UTC")
            )?,
            _ => writeln!(f, "  snapshot: none; nothing was ever acknowledged")?,
        }
        writeln!(
            f,
            "  JobTicket: {} linked, {} without a link to this integration",
            self.linked, self.without_link
        )?;
        if self.left > 0 {
            writeln!(
                f,
                "  {} of those linked have left (no ticket, one that ends, or offboarded from here) and are no difference",
                self.left
            )?;
        }
        for what in KINDS {
            let of_kind: Vec<&Difference> = self
                .differences
                .iter()
                .filter(|difference| in_words(&difference.kind) == what)
                .collect();
            if !of_kind.is_empty() {
                writeln!(f, "  {} {what}:", of_kind.len())?;
                lines(f, "differences", of_kind.iter())?;
            }
        }
        let number = self.differences.len();
        match self.unconfirmed_until {
            _ if number == 0 => writeln!(f, "  No difference")?,
            Some(until) => writeln!(
                f,
                "  UNCONFIRMED: {number} people differ; JobTicket may need time, and until {} that is no drift yet",
                until.format("%Y-%m-%d %H:%M UTC")
            )?,
            None => writeln!(f, "  DRIFT: {number} people differ")?,
        }
        if self.run_in_progress {
            writeln!(
                f,
                "  A run is or was in progress meanwhile: this may be of a moment in between; look again when it is over"
            )?;
        }
        writeln!(f, "  requests: {}", self.requests)?;
        if self.sandbox {
            writeln!(f, "  SANDBOX: nobody at JobTicket was changed")?;
        }
        Ok(())
    }
}
