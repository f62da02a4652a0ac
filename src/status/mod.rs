//! How each integration stands: last and next run, snapshot, holds, sources, the rate limit, and whatever keeps it from pushing.
//!
//! All of it comes from the configuration and the state, so that it needs no secret, reaches nobody and changes nothing: the command `status` asks for it beside a running
//! service, and the service asks for it when its metrics are read. There are no people in it but for the hrIds that messages of runs name.

mod text;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::clock::Clock;
use crate::config::{Config, Integration};
use crate::exit::Exit;
use crate::schedule::{Owed, next_run};
use crate::source::Taken;
use crate::store::{
    ChannelState, Fact, HoldSummary, Ledger, MissingLines, Pause, PushState, RunLock, Store,
    StoreError, Target, Unfinished,
};
use crate::sync::{Standing, standing, target_of};
use crate::zone::Zone;

/// How everything stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// When this was looked up.
    pub at: DateTime<Utc>,
    /// Each integration.
    pub integrations: Vec<IntegrationStatus>,
    /// How each channel of `notify` stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<ChannelStatus>,
    /// The end of the audit log's chain.
    pub audit: AuditHead,
    /// The exit code that all of it comes to.
    pub exit_code: Exit,
    /// The zone in which times are told to people.
    #[serde(skip)]
    zone: Zone,
}

/// How a channel of `notify` stands. That one fails stops nothing, and has no part in the exit code.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelStatus {
    /// Its name.
    pub channel: String,
    /// What it has sent, and what it could not.
    #[serde(flatten)]
    pub state: ChannelState,
}

/// The end of the audit log's chain. Kept elsewhere, it shows whether the log was cut or replaced since.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// Number of the last line; 0 before the first.
    pub seq: u64,
    /// Its SHA-256, in hexadecimal digits; empty before the first.
    pub hash: String,
    /// Lines that were found missing in the last 30 days. It has no part in the exit code: nothing makes them come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines_missing: Option<MissingLines>,
}

/// How one integration stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationStatus {
    /// Its name.
    pub integration: String,
    /// Where: sandbox, staging, production or an address.
    pub environment: String,
    /// Whether nobody at JobTicket can be changed.
    pub sandbox: bool,
    /// Whether a run is in progress, in whatever process; a dry run is one too.
    pub running: bool,
    /// Since when, where that run is on record; dry runs are not.
    pub running_since: Option<DateTime<Utc>>,
    /// A run that was killed: it began then, has not ended, and is not in progress. The next one finishes its work.
    pub killed: Option<DateTime<Utc>>,
    /// When the service makes its next run, by the schedule or because it owes one; `None` where neither is the case. A pause puts it off.
    pub next_run: Option<DateTime<Utc>>,
    /// The run that the service owes: it waits for a file or for JobTicket, or was cut short.
    pub owed: Option<Owed>,
    /// The last acknowledged roster; `None` before the first push.
    pub snapshot: Option<SnapshotStatus>,
    /// Holds that are not over.
    pub holds: Vec<HoldSummary>,
    /// Its sources.
    pub sources: Vec<SourceStatus>,
    /// What the last run remembered, and what keeps the next one from pushing.
    #[serde(flatten)]
    pub standing: Standing,
    /// A push whose answer was never seen. While a run is in progress it may be on its way.
    pub push_in_doubt: Option<PushInDoubt>,
    /// Whether JobTicket may have taken a part of a push that it refused.
    pub refused_in_part: bool,
    /// When the state was restored from a backup, until a person has adopted the integration.
    pub restored: Option<DateTime<Utc>>,
    /// The pause that keeps it from reading and pushing, where one is in force.
    pub paused: Option<Pause>,
    /// The requests of its credential; `None` where no run has sent any yet.
    pub requests: Option<RequestStatus>,
    /// The exit code that all of it comes to.
    pub exit_code: Exit,
}

/// The last acknowledged roster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// How many people.
    pub employees: usize,
    /// When JobTicket acknowledged it.
    pub acknowledged_at: DateTime<Utc>,
}

/// A source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// The newest file that was used.
    pub file: Option<String>,
    /// When that file was last written.
    pub file_modified: Option<DateTime<Utc>>,
    /// When the source was last in order, even if with nothing newer.
    pub in_order_at: Option<DateTime<Utc>>,
}

/// A push whose answer was never seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushInDoubt {
    /// Its syncId.
    pub sync_id: String,
    /// Whether a request of it ended without an answer; otherwise it was about to leave.
    pub sent: bool,
}

/// The requests of a credential, over all processes that share the ledger.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestStatus {
    /// In the last 60 seconds; JobTicket allows 100 ("JobTicket API overview, Rate Limiting").
    pub last_minute: u32,
    /// Until when JobTicket has blocked the credential, if it has.
    pub blocked_until: Option<DateTime<Utc>>,
}

/// How these integrations of a configuration stand. Blocks.
///
/// # Errors
/// The store or the request ledger cannot be read.
pub fn status(
    config: &Config,
    chosen: &[&Integration],
    store: &Store,
    clock: &Clock,
) -> Result<Status, StoreError> {
    let integrations = chosen
        .iter()
        .map(|integration| one(config, integration, store, clock))
        .collect::<Result<Vec<_>, _>>()?;
    let mut notifications = Vec::new();
    for channel in config.notify.iter().flat_map(|notify| &notify.channels) {
        notifications.push(ChannelStatus {
            channel: channel.name.clone(),
            state: store.channel_state(&channel.name)?,
        });
    }
    let head = store.audit_head()?;
    let exits = integrations.iter().map(|one| one.exit_code);
    Ok(Status {
        at: clock.now(),
        exit_code: exits.fold(Exit::Done, Exit::and),
        integrations,
        notifications,
        audit: AuditHead {
            seq: head.seq,
            hash: head.hash,
            lines_missing: store.missing_lines()?,
        },
        zone: config.timezone,
    })
}

/// How every integration of a configuration stands. Blocks.
///
/// # Errors
/// The store or the request ledger cannot be read.
pub fn status_of_all(config: &Config, store: &Store, clock: &Clock) -> Result<Status, StoreError> {
    let all: Vec<&Integration> = config.integrations.iter().collect();
    status(config, &all, store, clock)
}

fn one(
    config: &Config,
    integration: &Integration,
    store: &Store,
    clock: &Clock,
) -> Result<IntegrationStatus, StoreError> {
    let target = target_of(integration);
    let now = clock.now();
    let (running, unfinished) = in_progress(config, &target, store)?;
    let started = unfinished.map(|run| run.started_at);
    let paused = store
        .pause(&target)?
        .filter(|pause| pause.holds_on(clock.today(config.timezone)));
    let owed: Option<Owed> = store.fact(&target, Fact::Owed)?;
    let owed = owed.filter(|_| !running);
    let schedule = config.schedule(integration);
    let from = paused
        .as_ref()
        .map_or(now, |pause| pause.ends(config.timezone).max(now));
    let next_run = next_run(schedule.as_ref(), owed.as_ref(), &integration.name, from);
    let snapshot = match store.acknowledged_at(&target)? {
        None => None,
        Some(acknowledged_at) => Some(SnapshotStatus {
            employees: store.snapshot_size(&target)?,
            acknowledged_at,
        }),
    };
    let mut sources = Vec::new();
    for source in &integration.sources {
        let state = store.source(&target, &source.name)?;
        let taken = state
            .as_ref()
            .and_then(|state| Taken::from_text(&state.taken));
        sources.push(SourceStatus {
            name: source.name.clone(),
            file_modified: taken.as_ref().map(|taken| taken.modified),
            file: taken.map(|taken| taken.names()),
            in_order_at: state.map(|state| state.delivered_at),
        });
    }
    let credential: Option<String> = store.fact(&target, Fact::Credential)?;
    let requests = match credential {
        None => None,
        Some(credential) => Ledger::look(config.ledger_folder(), &credential, clock)?,
    };
    let unsettled = store.unsettled(&target)?;
    let mut status = IntegrationStatus {
        integration: integration.name.clone(),
        environment: integration.jobticket.environment_name(),
        sandbox: integration.jobticket.is_sandbox(),
        running,
        running_since: started.filter(|_| running),
        killed: started.filter(|_| !running),
        next_run,
        owed,
        snapshot,
        holds: store.hold_summaries(&target)?,
        sources,
        standing: standing(store, &target, integration, now)?,
        push_in_doubt: unsettled.map(|push| PushInDoubt {
            sync_id: push.sync_id,
            sent: push.state == PushState::InDoubt,
        }),
        refused_in_part: store.perhaps_in_part(&target, None)?,
        restored: store.restored(&target)?,
        paused,
        requests: requests.map(|requests| RequestStatus {
            last_minute: requests.last_minute,
            blocked_until: requests.blocked_until,
        }),
        exit_code: Exit::Done,
    };
    status.exit_code = status.exit();
    Ok(status)
}

/// Whether a run is in progress, and the one whose end is not on record. The end of a run is recorded before it lets its lock go: one that ended between two looks shows
/// by a third.
fn in_progress(
    config: &Config,
    target: &Target,
    store: &Store,
) -> Result<(bool, Option<Unfinished>), StoreError> {
    let unfinished = store.unfinished_run(target)?;
    if RunLock::is_taken(&config.state_dir, target) {
        return Ok((true, unfinished));
    }
    let still = store.unfinished_run(target)?;
    Ok((false, unfinished.filter(|run| still.as_ref() == Some(run))))
}

impl IntegrationStatus {
    /// The holds in which somebody has to decide.
    pub fn open_holds(&self) -> impl Iterator<Item = &HoldSummary> {
        self.holds.iter().filter(|hold| hold.open)
    }

    /// What the last run came to, and what has stood in the way since.
    fn exit(&self) -> Exit {
        let standing = &self.standing;
        let last = standing.last_run.as_ref();
        let found = [
            (
                last.is_some(),
                last.map_or(Exit::Done, |last| Exit::of_code(last.exit_code)),
            ),
            (self.killed.is_some(), Exit::Unexpected),
            (standing.credential_refused.is_some(), Exit::Refused),
            (standing.backing_off.is_some(), Exit::Unreachable),
            (!standing.failed_sources.is_empty(), Exit::SourceFailed),
            (self.drifted(), Exit::Drift),
            (
                self.open_holds().next().is_some()
                    || self.restored.is_some()
                    || self.paused.is_some(),
                Exit::Waits,
            ),
        ];
        let found = found.into_iter().filter(|(is, _)| *is);
        found.fold(Exit::Done, |exit, (_, other)| exit.and(other))
    }

    /// Whether nothing is pushed until somebody has adopted the integration: its state was restored, or another installation has pushed.
    pub fn needs_adoption(&self) -> bool {
        let not_ours = self.holds.iter().any(|hold| hold.kind == "not ours");
        self.restored.is_some() || not_ours
    }

    /// Whether JobTicket is known to differ from what it acknowledged, by whichever look, or somebody outside a push lost a ticket.
    pub fn drifted(&self) -> bool {
        let overdue = self.standing.unconfirmed.as_ref();
        self.standing.tickets_lost > 0
            || overdue.is_some_and(|push| push.overdue)
            || self.standing.found_drift.is_some()
    }
}
