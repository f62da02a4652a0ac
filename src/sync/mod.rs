//! One run over one integration, top to bottom: the only place that drives the stages.
//!
//! lock → clock → map of hrIds → settle the last push → pull → assemble → read back whom JobTicket has → plan → guard → holds → push → snapshot → read back. Every step writes the audit
//! log. A source that fails is frozen: its last good roster stands in, and where there is none it is left out. Where a plan against the snapshot alone shows that nothing goes out, JobTicket is not asked. The store
//! blocks, so every call of it steps aside with `block_in_place`; the run therefore needs tokio's multi-threaded runtime.

mod ahead;
mod archive;
mod confirm;
mod connect;
mod decide;
mod drift;
mod failures;
mod forget;
mod holds;
mod housekeep;
mod hrid_map;
mod judge;
mod logins;
mod notes;
mod people;
mod pull;
mod push;
mod record;
mod report;
mod settle;
mod standing;
mod tell;
mod text;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use people::{Doubt, Doubtful, Stage};

pub use ahead::forecast;
pub use connect::{ConnectError, Link, Secrets, connect};
pub use drift::{DriftReport, drift};
pub(crate) use failures::{backs_off_until, pause};
pub(crate) use hrid_map::{Numbers, numbers};
pub(crate) use record::clock_in_doubt;
pub use report::{Drifted, Ending, IncompleteRow, RejectedRow, RunReport, SourceReport, Waiting};
pub use standing::{
    FailedSource, FoundDrift, LastRun, NotPutAway, RefusedLogin, Standing, standing,
};

use crate::audit::{AuditFile, Event, told_changes};
use crate::clock::Clock;
use crate::config::{Config, Integration, changes, flatten};
use crate::guard::{Decided, Judgement, Unaccounted};
use crate::jobticket::{CallError, There};
use crate::plan::Known;
use crate::roster::{HrId, Selection};
use crate::store::{HoldRecord, LockTaken, Note, Notes, RunLock, Store, StoreError, Target};

/// What a run needs besides its integration.
pub struct Context<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The state.
    pub store: &'c Store,
    /// The audit log.
    pub audit: &'c AuditFile,
    /// The clock.
    pub clock: &'c Clock,
    /// Who asked for the run.
    pub user: &'c str,
    /// Is told what is going on, for a progress line.
    pub stage: &'c (dyn Fn(&str) + Send + Sync),
}

/// How a run is to be made.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "a switch each")]
pub struct Options {
    /// Stop before the push, and change nothing but the request ledger and the audit log.
    pub dry_run: bool,
    /// What set it off, such as `--run-now`.
    pub trigger: String,
    /// How long to wait for another run of the integration.
    pub wait: Duration,
    /// Go on although the clock seems wrong.
    pub accept_clock: bool,
    /// Whether somebody asked for it by hand, so that nothing that failed before keeps it from trying again.
    pub by_hand: bool,
    /// Push even an unchanged roster.
    pub resync: bool,
    /// Set while the run is in progress, it ends at its next safe point: before anything is pushed, or after the answer to what was.
    pub stopping: Arc<AtomicBool>,
}

/// Why a run stops before its end. Each becomes an [`Ending`].
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Clock(String),
    #[error("{0}")]
    Collides(String),
    #[error(transparent)]
    Unaccounted(#[from] Unaccounted),
    #[error("{0}")]
    BackingOff(String),
    #[error("{0}")]
    Misconfigured(String),
    #[error("{0}")]
    Paused(String),
    #[error("The service was stopped at a safe point, and the next run goes on from there")]
    Stopped,
}

/// JobTicket's clock and ours may differ by less than this.
const OFF: chrono::Duration = chrono::Duration::hours(24);

/// Remembers the configuration in force, and tells the audit log what changed since the last run.
pub fn note_configuration(context: &Context<'_>) -> Result<(), StoreError> {
    let new = flatten(context.config);
    let old = off(|| context.store.configuration())?;
    if old.as_ref() == Some(&new) {
        return Ok(());
    }
    let changes = changes(&old.unwrap_or_default(), &new);
    let (changes, values) = told_changes(changes, context.config.audit.values);
    let event = Event::ConfigurationChanged {
        user: context.user.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        changes,
    };
    let notes = vec![Note { event, values }];
    off(|| {
        context.store.keep_configuration(
            &new,
            &Notes {
                notes,
                ..Notes::default()
            },
        )
    })
}

pub(crate) use forget::{Went, active, forget, forget_again};

/// Steps off the async threads for something that blocks.
pub(crate) fn off<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// One run. It never fails: what goes wrong is in the report.
pub async fn run(
    context: &Context<'_>,
    integration: &Integration,
    secrets: &Secrets,
    options: &Options,
) -> RunReport {
    let began = context.clock.instant();
    let id = run_id(context.clock.now());
    let mut report = RunReport::new(integration, &id, options.dry_run);
    tracing::info!(
        integration.name = integration.name,
        run.id = id,
        dry_run = options.dry_run,
        "Run started"
    );
    let waiting = || {
        tracing::info!(
            integration.name = integration.name,
            "Another run is in progress; waiting for it to end"
        );
        (context.stage)("waiting for another run to end");
    };
    let mut run = Run::new(context, integration, secrets, options, &id);
    match RunLock::take(
        &context.config.state_dir,
        &run.target,
        &integration.name,
        options.wait,
        context.clock,
        waiting,
    )
    .await
    {
        Ok(lock) => {
            let before = off(|| context.store.last_time()).ok().flatten();
            run.whole(&mut report).await;
            report.requests = run.link.as_ref().map_or(0, |link| link.client().requests());
            report.rate_limit_wait_ms = run.link.as_ref().map_or(0, Link::waited_ms);
            report.duration_ms = millis(context.clock.instant() - began);
            report.exit_code = report.exit();
            if let Err(error) = run.end(&report) {
                let ended = report.ending.name();
                report.notes.push(format!(
                    "Before its end could be recorded, this run ended as: {ended}"
                ));
                report.ending = Ending::Failed {
                    message: error.to_string(),
                };
                report.exit_code = report.exit();
            }
            if let Some(link) = run.link.take() {
                link.close().await;
            }
            if !options.dry_run {
                // What is removed by a wrong clock does not come back.
                let by_age = run.in_store && !record::is_a_jump(before, context.clock.now());
                off(|| housekeep::housekeep(context, integration, by_age));
            }
            drop(lock);
        }
        Err(error @ LockTaken::Busy { .. }) => {
            report.ending = Ending::Busy {
                message: error.to_string(),
            };
            report.exit_code = report.exit();
            run.in_store = false;
            // The other run has the store; that this one was asked for is recorded nevertheless.
            if let Err(error) = run.begin().and_then(|()| Ok(run.end(&report)?)) {
                tracing::error!("{error}");
            }
        }
        Err(error @ LockTaken::File { .. }) => {
            report.ending = Ending::Failed {
                message: error.to_string(),
            }
        }
    }
    report.duration_ms = millis(context.clock.instant() - began);
    report.exit_code = report.exit();
    tell::tell(&report);
    tracing::info!(
        integration.name = integration.name,
        run.id = id,
        outcome = report.ending.name(),
        exit_code = report.exit_code.code(),
        plan.joiners = report.counts.joiners,
        plan.leavers = report.counts.leavers,
        plan.changed = report.counts.changed,
        duration_ms = report.duration_ms,
        requests = report.requests,
        "Run ended"
    );
    report
}

/// The key of an integration's state.
pub(crate) fn target_of(integration: &Integration) -> Target {
    let jobticket = &integration.jobticket;
    Target::new(&jobticket.origin(), jobticket.integration_id)
}

/// Who is taken by date today.
pub(crate) fn selection_of(config: &Config, integration: &Integration, clock: &Clock) -> Selection {
    Selection {
        today: clock.today(config.timezone),
        starters_days_ahead: integration.select.starters_days_ahead,
        leavers_days_kept: integration.select.leavers_days_kept,
    }
}

/// Sortable by time, and unique.
fn run_id(now: DateTime<Utc>) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8])
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<Stop> for Ending {
    fn from(stop: Stop) -> Self {
        let message = stop.to_string();
        match stop {
            Stop::Call(error) => error.into(),
            Stop::Connect(error) => error.into(),
            Stop::Collides(_) => Self::Collides { message },
            Stop::Misconfigured(_) => Self::Misconfigured { message },
            Stop::Paused(_) => Self::Paused { message },
            Stop::Stopped => Self::Stopped { message },
            Stop::BackingOff(_) => Self::Unreachable { message },
            Stop::Store(_) | Stop::Clock(_) | Stop::Unaccounted(_) => Self::Failed { message },
        }
    }
}

/// A run in progress.
struct Run<'c> {
    context: &'c Context<'c>,
    integration: &'c Integration,
    secrets: &'c Secrets,
    options: &'c Options,
    id: &'c str,
    target: Target,
    link: Option<Link>,
    /// The map of hrIds.
    numbers: Numbers,
    /// Whether its begin is told.
    begun: bool,
    /// Whether the store keeps the run, and not the audit log alone.
    in_store: bool,
    /// Whether nothing of it is recorded at all: only `check` looks ahead so.
    silent: bool,
    /// What was decided and still holds.
    decided: Decided,
    /// The holds that are not over.
    holds: Vec<HoldRecord>,
    /// Approvals that are too old: the hold, and its people who wait again; without names, all of them.
    expired: Vec<(u64, Vec<HrId>)>,
    /// Whom JobTicket has, once it was read.
    there: Option<There>,
    /// That JobTicket refused the credential, in words.
    refused_credential: Option<String>,
}

impl<'c> Run<'c> {
    fn new(
        context: &'c Context<'c>,
        integration: &'c Integration,
        secrets: &'c Secrets,
        options: &'c Options,
        id: &'c str,
    ) -> Self {
        Self {
            context,
            integration,
            secrets,
            options,
            id,
            target: target_of(integration),
            link: None,
            numbers: Numbers::default(),
            begun: false,
            in_store: !options.dry_run,
            silent: false,
            decided: Decided::default(),
            holds: Vec::new(),
            expired: Vec::new(),
            there: None,
            refused_credential: None,
        }
    }

    /// A safe point: where the service is to stop, or somebody has paused the integration, the run ends here.
    fn may_go_on(&self) -> Result<(), Stop> {
        if self.options.stopping.load(Ordering::Relaxed) {
            return Err(Stop::Stopped);
        }
        self.is_not_paused()
    }

    /// Everything from the clock to the read-back.
    async fn whole(&mut self, report: &mut RunReport) {
        if let Err(stop) = self.steps(report).await {
            self.note_stop(&stop);
            report.ending = stop.into();
        }
        if let Err(error) = self.remember_failure(report) {
            report.ending = Ending::Failed {
                message: error.to_string(),
            };
        }
    }

    /// Whom JobTicket has as far as this store knows.
    fn known(&self, doubt: &Doubt, doubtful: &Doubtful) -> Result<Known, StoreError> {
        let store = self.context.store;
        let (snapshot, doubtful) = match doubt {
            Doubt::None => (off(|| store.snapshot(&self.target))?, None),
            Doubt::Unsettled => (
                off(|| store.snapshot(&self.target))?,
                Some(doubtful.keyed()),
            ),
            Doubt::Taken(_) => (Some(doubtful.keyed()), None),
        };
        Ok(Known {
            snapshot,
            doubtful,
            linked: Vec::new(),
        })
    }

    /// Pulls and puts the rosters together, and loads whom JobTicket has. `None` where no source has anything.
    async fn gathered(
        &mut self,
        doubt: &Doubt,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Option<(Known, Stage)>, Stop> {
        let Some((known, assembly, taken)) = self.gather(doubt, doubtful, report).await? else {
            report.ending = Ending::SourceFailed;
            self.note_failed(report)?;
            return Ok(None);
        };
        crate::crash::point("pulled");
        (self.context.stage)("comparing with the snapshot");
        let stage = self.stage(assembly, taken, &known, doubtful, report)?;
        Ok(Some((known, stage)))
    }

    /// Whether an unchanged roster is due to be pushed again.
    fn resync_due(&self) -> Result<bool, StoreError> {
        if self.options.resync {
            return Ok(true);
        }
        let Some(days) = self.integration.resync_every_days else {
            return Ok(false);
        };
        let last = off(|| self.context.store.acknowledged_at(&self.target))?;
        // By calendar days, or a daily schedule would always find it a few seconds too early.
        let zone = self.context.config.timezone;
        let today = self.selection().today;
        Ok(last.is_some_and(|last| {
            let last = last.with_timezone(&zone).date_naive();
            (today - last).num_days() >= i64::from(days)
        }))
    }

    async fn steps(&mut self, report: &mut RunReport) -> Result<(), Stop> {
        let store = self.context.store;
        let clock = self.check_clock();
        // A wrong time would stand in the store as that of the last run.
        self.in_store &= clock.is_ok();
        self.begin()?;
        clock?;
        self.read_numbers()?;
        crate::crash::point("begun");
        self.is_not_paused()?;
        self.may_try()?;
        self.load_decisions()?;
        self.end_of_lost_tickets()?;
        let doubt = self.settle(report).await?;
        self.compare_with_before(report).await?;
        self.settle_unconfirmed(report).await?;
        self.may_go_on()?;
        let doubtful = Doubtful::load(store, &self.target, &doubt)?;
        let gathered = self.gathered(&doubt, &doubtful, report).await?;
        let Some((mut known, mut stage)) = gathered else {
            return Ok(());
        };
        self.look_who_is_back(&stage)?;
        self.may_go_on()?;
        let resync = self.resync_due()?;
        let mut plan = self.plan(&mut stage, &known, &doubtful, None)?;
        if plan.entries.is_empty() {
            return self.refuse_empty(&plan, &stage, &Judgement::default(), report);
        }
        let restored = off(|| store.restored(&self.target))?.is_some();
        let nothing_to_end = self.holds.is_empty() || stage.failed;
        if plan.is_empty() && !resync && nothing_to_end && !restored && !self.lost_tickets()? {
            return self.unchanged(&plan, &stage, report);
        }
        let mut provisional = None;
        if known.snapshot.is_some() {
            provisional = Some(self.judge(&plan, &stage, &known, None)?);
        }
        let goes = provisional.as_ref().is_none_or(|judged| {
            !judged.nothing_goes(&plan)
                || plan.resend
                || resync
                || restored
                || self.asks_anew(judged)
        });
        if goes {
            self.read_back_before(&mut known, report).await?;
        }
        let judged = match provisional {
            // Nothing is known beyond what it was judged by.
            Some(judged) if !goes || self.there.is_none() => judged,
            None if self.there.is_none() => self.judge(&plan, &stage, &known, None)?,
            _ => {
                stage.entries = plan.entries;
                // Of a first run they are as many as the people.
                drop(plan.changes);
                let there = self.there.take();
                plan = self.plan(&mut stage, &known, &doubtful, there.as_ref())?;
                let judged = self.judge(&plan, &stage, &known, there.as_ref())?;
                self.there = there;
                judged
            }
        };
        self.decide(plan, &judged, &mut stage, &known, &doubtful, resync, report)
            .await
    }

    fn read_numbers(&mut self) -> Result<(), Stop> {
        self.numbers = off(|| numbers(self.integration)).map_err(Stop::Misconfigured)?;
        Ok(())
    }

    fn selection(&self) -> Selection {
        selection_of(self.context.config, self.integration, self.context.clock)
    }
}
