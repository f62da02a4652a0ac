//! One run over one integration, top to bottom: the only place that drives the stages.
//!
//! lock → clock → map of hrIds → settle the last push → pull → assemble → plan → guard → push → snapshot → read back. Every step writes the audit log. A source that
//! fails is frozen: its last good roster stands in, and where there is none it is left out; with nothing from any source the run ends without a push. The store blocks, so every call of it steps aside with
//! `block_in_place`; the run therefore needs tokio's multi-threaded runtime.
//!
//! First contact with anything but the sandbox, and decisions on what is held, are not part of this version: the guard holds, and says so.

mod ahead;
mod archive;
mod connect;
mod hrid_map;
mod notes;
mod people;
mod pull;
mod push;
mod record;
mod report;
mod settle;
mod text;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use people::{Doubt, Doubtful, Planned};

pub use ahead::forecast;
pub use connect::{ConnectError, Link, Secrets, connect};
pub(crate) use hrid_map::{Numbers, numbers};
pub use report::{Ending, IncompleteRow, RejectedRow, RunReport, SourceReport};

use crate::audit::{AuditFile, Event};
use crate::clock::Clock;
use crate::config::{Config, Integration, changes, flatten};
use crate::exit::Exit;
use crate::guard::{self, Verdict};
use crate::jobticket::CallError;
use crate::plan::{Counts, Known, Plan};
use crate::roster::{Employee, HrId, Selection};
use crate::source::Taken;
use crate::store::{LockTaken, Note, Notes, RunLock, Store, StoreError, Target};

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
pub struct Options {
    /// Stop before the push, and change nothing but the request ledger and the audit log.
    pub dry_run: bool,
    /// What set it off, such as `--run-now`.
    pub trigger: String,
    /// How long to wait for another run of the integration.
    pub wait: Duration,
    /// Go on although the clock seems wrong.
    pub accept_clock: bool,
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
    #[error("{0}")]
    Misconfigured(String),
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
    let event = Event::ConfigurationChanged {
        user: context.user.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        changes,
    };
    let notes = vec![event.into()];
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

/// Steps off the async threads for something that blocks.
fn off<T>(work: impl FnOnce() -> T) -> T {
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
            run.whole(&mut report).await;
            report.requests = run.link.as_ref().map_or(0, |link| link.client().requests());
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
    tell(&report);
    tracing::info!(
        integration.name = integration.name,
        run.id = id,
        outcome = report.ending.name(),
        exit_code = report.exit_code.code(),
        duration_ms = report.duration_ms,
        requests = report.requests,
        "Run ended"
    );
    report
}

/// Tells the operational log what somebody has to look at.
fn tell(report: &RunReport) {
    let (name, run) = (&report.integration, &report.run);
    match (report.ending.message(), report.ending.exit()) {
        (Some(message), Exit::Waits | Exit::Busy) => {
            tracing::warn!(integration.name = name, run.id = run, "{message}");
        }
        (Some(message), _) => tracing::error!(integration.name = name, run.id = run, "{message}"),
        (None, _) => {}
    }
    let Counts {
        leavers,
        explained_leavers,
        ..
    } = report.counts;
    if matches!(report.ending, Ending::Pushed { .. }) && leavers > explained_leavers {
        tracing::warn!(
            integration.name = name,
            run.id = run,
            leavers = leavers - explained_leavers,
            "People were offboarded who are missing without an explanation"
        );
    }
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
            Stop::Store(_) | Stop::Clock(_) => Self::Failed { message },
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
        }
    }

    /// Everything from the clock to the read-back.
    async fn whole(&mut self, report: &mut RunReport) {
        if let Err(stop) = self.steps(report).await {
            report.ending = stop.into();
        }
    }

    /// Pulls and plans. `None` where the run ends with that, for which `report` says how.
    async fn planned(
        &mut self,
        known: &Known,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Option<(Plan, HashMap<HrId, Employee>, Vec<Option<Taken>>)>, Stop> {
        report.snapshot = known.snapshot.as_ref().map(Vec::len);
        let Some((assembly, taken)) = self.gather(known, report).await? else {
            report.ending = Ending::SourceFailed;
            self.note_failed(report)?;
            return Ok(None);
        };
        crate::crash::point("pulled");
        (self.context.stage)("comparing with the snapshot");
        let Planned { plan, old } = self.plan(assembly, known, doubtful, report)?;
        report.roster = plan.entries.len();
        report.counts = plan.counts();
        report.changes.clone_from(&plan.changes);
        if plan.is_empty() && !plan.entries.is_empty() {
            report.ending = Ending::Unchanged;
            self.archive(&taken, report)?;
            return Ok(None);
        }
        Ok(Some((plan, old, taken)))
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
        let doubt = self.settle(report).await?;
        (self.context.stage)("loading the snapshot");
        let doubtful = Doubtful::load(store, &self.target, &doubt)?;
        let known = match doubt {
            Doubt::None => Known {
                snapshot: off(|| store.snapshot(&self.target))?,
                doubtful: None,
            },
            Doubt::Unsettled => Known {
                snapshot: off(|| store.snapshot(&self.target))?,
                doubtful: Some(doubtful.keyed()),
            },
            Doubt::Taken(_) => Known {
                snapshot: Some(doubtful.keyed()),
                doubtful: None,
            },
        };
        let Some((plan, old, taken)) = self.planned(&known, &doubtful, report).await? else {
            return Ok(());
        };
        self.note_plan(&plan, &old)?;
        crate::crash::point("planned");
        let harmless = self.integration.jobticket.is_loopback();
        match guard::judge(plan, &self.integration.limits, harmless) {
            Verdict::EmptyRoster(plan) => {
                self.record(vec![verdict(
                    "empty roster refused",
                    &plan.hash,
                    Vec::new(),
                )])?;
                report.ending = Ending::EmptyRoster;
                Ok(())
            }
            Verdict::Held(plan, hold) => {
                self.record(vec![verdict("held", &plan.hash, hold.trips.clone())])?;
                report.ending = Ending::Held { hold };
                Ok(())
            }
            Verdict::Approved(approved) => {
                self.record(vec![verdict("approved", approved.plan_hash(), Vec::new())])?;
                if self.options.dry_run {
                    report.ending = Ending::WouldPush {
                        employees: approved.entries().len(),
                    };
                    return Ok(());
                }
                self.push(&approved, report).await?;
                if matches!(report.ending, Ending::Pushed { .. }) {
                    self.archive(&taken, report)?;
                    crate::crash::point("archived");
                }
                Ok(())
            }
        }
    }

    fn read_numbers(&mut self) -> Result<(), Stop> {
        self.numbers = off(|| numbers(self.integration)).map_err(Stop::Misconfigured)?;
        Ok(())
    }

    fn selection(&self) -> Selection {
        selection_of(self.context.config, self.integration, self.context.clock)
    }
}

fn verdict(verdict: &str, plan_hash: &str, trips: Vec<guard::Trip>) -> Note {
    Event::Guard {
        verdict: verdict.to_owned(),
        plan_hash: plan_hash.to_owned(),
        trips,
    }
    .into()
}

impl RunReport {
    fn new(integration: &Integration, id: &str, dry_run: bool) -> Self {
        Self {
            integration: integration.name.clone(),
            environment: integration.jobticket.environment_name(),
            sandbox: integration.jobticket.is_sandbox(),
            run: id.to_owned(),
            dry_run,
            sources: Vec::new(),
            roster: 0,
            snapshot: None,
            counts: Counts::default(),
            changes: Vec::new(),
            rejected: Vec::new(),
            incomplete: Vec::new(),
            collisions: Vec::new(),
            too_early: 0,
            notes: Vec::new(),
            ending: Ending::Unchanged,
            requests: 0,
            duration_ms: 0,
            exit_code: Exit::Done,
        }
    }
}
