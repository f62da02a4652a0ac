//! One run over one integration, top to bottom: the only place that drives the stages.
//!
//! lock → clock → settle the last push → pull → assemble → plan → guard → push → snapshot → read back. Every step writes the audit log. A source that fails is
//! frozen: its last good roster stands in, and where there is none the run ends without a push. The store blocks, so every call of it steps aside with
//! `block_in_place`; the run therefore needs tokio's multi-threaded runtime.
//!
//! First contact with anything but the sandbox, and decisions on what is held, are not part of this version: the guard holds, and says so.

mod connect;
mod pull;
mod push;
mod report;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use connect::{ConnectError, Link, Secrets, connect};
pub use report::{Ending, RejectedRow, RunReport, SourceReport};

use crate::audit::{AuditFile, Event, Values, mask};
use crate::clock::Clock;
use crate::config::{AuditValues, Config, Integration, changes, flatten};
use crate::exit::Exit;
use crate::guard::{self, Verdict};
use crate::jobticket::CallError;
use crate::plan::{self, Counts, Known, Plan, What};
use crate::roster::{Assembly, Employee, Entry, HrId, Selection, assemble};
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
}

/// A clock this far before the last recorded time, or before or after JobTicket's, is wrong.
const BEHIND: chrono::Duration = chrono::Duration::minutes(5);
/// A clock this far ahead of the last run is suspect: every termination date in between would pass at once.
const AHEAD: chrono::Duration = chrono::Duration::days(62);
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
    let notes = vec![Event::ConfigurationChanged { changes }.into()];
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
    match RunLock::take(
        &context.config.state_dir,
        &integration.name,
        options.wait,
        context.clock,
        waiting,
    )
    .await
    {
        Ok(lock) => {
            let mut run = Run::new(context, integration, secrets, options, &id);
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

/// Sortable by time, and unique.
fn run_id(now: DateTime<Utc>) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8])
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
    /// Whether the store knows of the run.
    begun: bool,
}

/// What the pulled rows come to, ready for the guard.
struct Planned {
    plan: Plan,
    /// Acknowledged values of the people who change or leave, for the audit log.
    old: HashMap<HrId, Employee>,
}

impl<'c> Run<'c> {
    fn new(
        context: &'c Context<'c>,
        integration: &'c Integration,
        secrets: &'c Secrets,
        options: &'c Options,
        id: &'c str,
    ) -> Self {
        let jobticket = &integration.jobticket;
        let target = Target::new(&jobticket.origin(), jobticket.integration_id);
        Self {
            context,
            integration,
            secrets,
            options,
            id,
            target,
            link: None,
            begun: false,
        }
    }

    /// Everything from the clock to the read-back.
    async fn whole(&mut self, report: &mut RunReport) {
        if let Err(stop) = self.steps(report).await {
            let message = stop.to_string();
            report.ending = match stop {
                Stop::Call(CallError::Failed { outcome, .. }) if outcome.is_refusal() => {
                    Ending::Refused { message }
                }
                Stop::Call(CallError::Failed { .. } | CallError::Gate(_)) => {
                    Ending::Unreachable { message }
                }
                Stop::Call(CallError::Incomplete(_)) => Ending::Refused { message },
                Stop::Collides(_) => Ending::Collides { message },
                Stop::Store(_) | Stop::Connect(_) | Stop::Clock(_) => Ending::Failed { message },
            };
        }
    }

    async fn steps(&mut self, report: &mut RunReport) -> Result<(), Stop> {
        let store = self.context.store;
        self.check_clock()?;
        self.begin()?;
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
        report.snapshot = known.snapshot.as_ref().map(Vec::len);
        let Some((assembly, taken)) = self.gather(&known, report).await? else {
            report.ending = Ending::SourceFailed;
            return Ok(self.note_failed(report)?);
        };
        crate::crash::point("pulled");
        (self.context.stage)("comparing with the snapshot");
        let Planned { plan, old } = self.plan(assembly, &known, &doubtful, report)?;
        report.roster = plan.entries.len();
        report.counts = plan.counts();
        report.changes.clone_from(&plan.changes);
        if plan.is_empty() && !plan.entries.is_empty() {
            report.ending = Ending::Unchanged;
            return Ok(self.archive(&taken, report)?);
        }
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

    /// A clock that is wrong would end employments that have not ended, or none at all.
    fn check_clock(&self) -> Result<(), Stop> {
        if self.options.accept_clock {
            return Ok(());
        }
        let now = self.context.clock.now();
        let Some(last) = off(|| self.context.store.last_time())? else {
            return Ok(());
        };
        let go_on = "Correct the clock; if it is right now, go on once with --accept-clock";
        if now < last - BEHIND {
            return Err(Stop::Clock(format!(
                "This machine's clock shows {}, which is before the last run at {}. {go_on}",
                now.format("%Y-%m-%d %H:%M UTC"),
                last.format("%Y-%m-%d %H:%M UTC")
            )));
        }
        if now > last + AHEAD && !self.integration.jobticket.is_sandbox() {
            return Err(Stop::Clock(format!(
                "This machine's clock shows {}, {} days after the last run at {}. {go_on}",
                now.format("%Y-%m-%d %H:%M UTC"),
                (now - last).num_days(),
                last.format("%Y-%m-%d %H:%M UTC")
            )));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Stop> {
        let jobticket = &self.integration.jobticket;
        let event = Event::RunStarted {
            trigger: self.options.trigger.clone(),
            user: self.context.user.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dry_run: self.options.dry_run,
            environment: jobticket.environment_name(),
            origin: jobticket.origin(),
            integration_id: jobticket.integration_id,
        };
        let notes = self.notes(vec![event.into()]);
        if self.options.dry_run {
            off(|| self.context.store.record(&notes))?;
        } else {
            off(|| {
                self.context
                    .store
                    .begin_run(self.id, &self.target, &self.options.trigger, &notes)
            })?;
        }
        self.begun = true;
        Ok(())
    }

    /// Records the end; whatever is still in the outbox goes to the file.
    fn end(&mut self, report: &RunReport) -> Result<(), StoreError> {
        if self.begun {
            let event = Event::RunEnded {
                outcome: report.ending.name().to_owned(),
                exit_code: report.exit_code.code(),
                requests: report.requests,
                duration_ms: report.duration_ms,
            };
            let notes = self.notes(vec![event.into()]);
            if self.options.dry_run {
                off(|| self.context.store.record(&notes))?;
            } else {
                off(|| {
                    self.context
                        .store
                        .end_run(self.id, report.ending.name(), &notes)
                })?;
            }
        }
        crate::crash::point("ended");
        off(|| self.context.store.flush(self.context.audit))
    }

    fn notes(&self, notes: Vec<Note>) -> Notes {
        Notes {
            integration: Some(self.integration.name.clone()),
            run: Some(self.id.to_owned()),
            notes,
        }
    }

    fn record(&self, notes: Vec<Note>) -> Result<(), StoreError> {
        let notes = self.notes(notes);
        off(|| self.context.store.record(&notes))
    }

    fn selection(&self) -> Selection {
        Selection {
            today: self.context.clock.today(self.context.config.timezone),
            starters_days_ahead: self.integration.select.starters_days_ahead,
            leavers_days_kept: self.integration.select.leavers_days_kept,
        }
    }

    /// Pulls until every source either makes sense or is replaced by its last good roster. `None` where one has none.
    async fn gather(
        &mut self,
        known: &Known,
        report: &mut RunReport,
    ) -> Result<Option<(Assembly, Vec<Option<Taken>>)>, Stop> {
        let mut failed = pull::Failed::new();
        loop {
            let Some(mut deliveries) = self.pull(report, &failed).await? else {
                return Ok(None);
            };
            let rows = std::mem::take(&mut deliveries.rows);
            let selected: Vec<usize> = rows.iter().map(|delivery| delivery.rows.len()).collect();
            let assembly = assemble(rows, self.selection(), |hr_id| known.contains(hr_id));
            if let Some((source, error)) = self.too_many_rejected(&assembly, &selected, &deliveries)
            {
                failed.insert(source, error);
            } else {
                self.keep(&deliveries, report)?;
                return Ok(Some((assembly, deliveries.taken())));
            }
        }
    }

    /// From people to the plan.
    fn plan(
        &mut self,
        assembly: Assembly,
        known: &Known,
        doubtful: &Doubtful,
        report: &mut RunReport,
    ) -> Result<Planned, Stop> {
        // Carry forward: a rejected row of a known person is not a person who left.
        let wanted: HashSet<&HrId> = assembly
            .rejected
            .iter()
            .filter(|row| row.known)
            .map(|row| &row.hr_id)
            .collect();
        let acknowledged = self.acknowledged(wanted.iter().copied(), doubtful)?;
        let mut entries = assembly.entries;
        let by_name: HashMap<&str, usize> = self
            .integration
            .sources
            .iter()
            .enumerate()
            .map(|(index, source)| (source.name.as_str(), index))
            .collect();
        for hr_id in wanted {
            let Some((source, employee)) = acknowledged.get(hr_id) else {
                return Err(Stop::Store(StoreError::Unreadable(
                    "a known employee without values",
                )));
            };
            let row_source = assembly
                .rejected
                .iter()
                .find(|row| row.hr_id == *hr_id)
                .map_or(0, |row| row.source);
            let source = by_name.get(source.as_str()).copied().unwrap_or(row_source);
            entries.push(Entry {
                employee: employee.clone(),
                source,
                line: 0,
            });
        }
        entries.sort_by(|a, b| a.employee.hr_id.cmp(&b.employee.hr_id));

        let comparison = plan::compare(known, &entries);
        let changed: Vec<HrId> = comparison
            .changed
            .iter()
            .map(|position| entries[*position].employee.hr_id.clone())
            .collect();
        let shown = self.context.config.audit.values != AuditValues::None;
        let leavers = comparison.leavers.iter().filter(|_| shown);
        let mut old: HashMap<HrId, Employee> = self
            .acknowledged(changed.iter().chain(leavers), doubtful)?
            .into_iter()
            .map(|(hr_id, (_, employee))| (hr_id, employee))
            .collect();
        old.extend(
            acknowledged
                .into_iter()
                .map(|(hr_id, (_, employee))| (hr_id, employee)),
        );
        report.collisions = plan::keep_apart(&mut entries, known, &old).map_err(|(one, other)| {
            Stop::Collides(format!(
                "{one} and {other} are both kept and have the same e-mail; correct one of them in the HR system"
            ))
        })?;

        report.rejected = assembly
            .rejected
            .iter()
            .map(|row| {
                let source = &self.integration.sources[row.source];
                RejectedRow::new(
                    row,
                    &source.name,
                    crate::source::columns_of(source, row.why.field()),
                )
            })
            .collect();
        report.incomplete = assembly.incomplete;
        report.too_early = assembly.too_early;
        self.note_rows(report)?;
        let plan = Plan::new(entries, known, &old, &assembly.ended, &assembly.excluded);
        Ok(Planned { plan, old })
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

    fn note_rows(&self, report: &RunReport) -> Result<(), StoreError> {
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
                    source: self.integration.sources[row.source].name.clone(),
                    row: row.line,
                    hr_id: row.hr_id.to_string(),
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

    fn note_plan(&self, plan: &Plan, old: &HashMap<HrId, Employee>) -> Result<(), StoreError> {
        let counts: Counts = plan.counts();
        let mut notes = vec![
            Event::Plan {
                roster: plan.entries.len(),
                counts,
                resend: plan.resend,
                plan_hash: plan.hash.clone(),
            }
            .into(),
        ];
        for change in &plan.changes {
            let new = plan
                .entries
                .binary_search_by(|entry| entry.employee.hr_id.cmp(&change.hr_id))
                .ok()
                .map(|position| &plan.entries[position].employee);
            let values = self.values(&change.what, old.get(&change.hr_id), new);
            notes.push(Note {
                event: Event::Change {
                    change: change.clone(),
                },
                values,
            });
        }
        self.record(notes)
    }

    /// The values of a change that the configuration wants in the log: the changed fields of those who change; with `full`, everything of joiners and leavers too.
    fn values(&self, what: &What, old: Option<&Employee>, new: Option<&Employee>) -> Values {
        let wanted = self.context.config.audit.values;
        let fields = match (what, wanted) {
            (_, AuditValues::None) | (What::Joins | What::Leaves(_), AuditValues::Masked) => {
                return Values::new();
            }
            (What::Changes { fields }, _) => fields.as_slice(),
            (What::Joins | What::Leaves(_), AuditValues::Full) => &crate::roster::Field::ALL,
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

fn verdict(verdict: &str, plan_hash: &str, trips: Vec<guard::Trip>) -> Note {
    Event::Guard {
        verdict: verdict.to_owned(),
        plan_hash: plan_hash.to_owned(),
        trips,
    }
    .into()
}

/// What is known of the last push, once it was looked for.
enum Doubt {
    /// It was settled, if there was one.
    None,
    /// JobTicket may have taken it or not.
    Unsettled,
    /// JobTicket has taken it, and a dry run does not record that. Its syncId.
    Taken(String),
}

/// The people of a push whose answer was never seen, with their sources.
struct Doubtful {
    people: HashMap<HrId, (String, Employee)>,
    /// Whether JobTicket has them for certain, so that they count before the snapshot.
    taken: bool,
}

impl Doubtful {
    fn load(store: &Store, target: &Target, doubt: &Doubt) -> Result<Self, StoreError> {
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

    fn keyed(&self) -> Vec<plan::Keyed> {
        let people = self.people.iter();
        let mut keys: Vec<plan::Keyed> = people
            .map(|(hr_id, (_, employee))| (hr_id.clone(), employee.hash()))
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys
    }
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
