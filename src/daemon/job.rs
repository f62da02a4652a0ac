//! One integration of the daemon: what is due, and the run in progress.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Loaded;
use super::control::Wanted;
use super::watch::News;
use crate::audit::{AuditFile, Event};
use crate::clock::Clock;
use crate::config::Integration;
use crate::schedule::{Due, Missed, Schedule};
use crate::store::{Fact, Notes, Store, StoreError, Target};
use crate::sync::{self, Context, Ending, Options, RunReport, target_of};

/// Words of the stage in which a run waits for the answer to a push.
const PUSHING: &str = "pushing";

/// An integration, by its place in the configuration.
pub(super) struct Job {
    pub(super) place: usize,
    pub(super) schedule: Option<Schedule>,
    /// The zone of all dates.
    timezone: chrono_tz::Tz,
    pub(super) target: Target,
    pub(super) running: Option<Running>,
    /// Runs that somebody asked for at the control socket.
    pub(super) wanted: VecDeque<Wanted>,
    /// New files of watched folders that wait for a run.
    pub(super) news: News,
    /// The scheduled time whose file was not there yet, and when it is tried again.
    retry: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether the next run is the first with these secrets, so that nothing that failed before keeps it from trying.
    fresh: bool,
    /// Whether it was said that the clock is behind what was handled.
    behind: bool,
}

/// A run in progress.
pub(super) struct Running {
    pub(super) task: JoinHandle<RunReport>,
    pub(super) trigger: String,
    scheduled: Option<DateTime<Utc>>,
    /// Whether it pushes nothing, so that what is due meanwhile comes after it.
    dry_run: bool,
    /// The new files that were there when it began.
    news: News,
    stage: Arc<Mutex<String>>,
    stopping: Arc<AtomicBool>,
    /// Where whoever asked for it waits for the report.
    reply: Option<oneshot::Sender<RunReport>>,
}

impl Running {
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it waits for the answer to a push, which must not be cut off.
    pub(super) fn is_pushing(&self) -> bool {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        stage.starts_with(PUSHING)
    }
}

/// What makes the service look whether something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A minute has passed.
    Tick,
    /// Something has come in: a new file, or somebody who wants a run.
    News,
    /// A run has ended. What that run should have taken care of does not start the next one at once, or they would follow each other without a pause.
    Ended,
}

/// Why a run starts.
pub(super) struct Reason {
    trigger: String,
    scheduled: Option<DateTime<Utc>>,
    wanted: Option<Wanted>,
}

impl Reason {
    fn of(trigger: String, scheduled: Option<DateTime<Utc>>) -> Self {
        Self {
            trigger,
            scheduled,
            wanted: None,
        }
    }
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

impl Job {
    pub(super) fn new(loaded: &Loaded, place: usize) -> Self {
        let integration = &loaded.config.integrations[place];
        Self {
            place,
            schedule: loaded.config.schedule(integration),
            timezone: loaded.config.timezone,
            target: target_of(integration),
            running: None,
            wanted: VecDeque::new(),
            news: News::default(),
            retry: None,
            fresh: true,
            behind: false,
        }
    }

    /// Takes over from before a reload what is in progress and what waits.
    pub(super) fn go_on_from(&mut self, old: Self) {
        self.running = old.running;
        self.wanted = old.wanted;
        self.retry = old.retry.filter(|_| self.schedule.is_some());
    }

    /// What is to be run now. What passed without a run is told and remembered.
    pub(super) fn due(
        &mut self,
        store: &Store,
        audit: &AuditFile,
        name: &str,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
        occasion: Occasion,
    ) -> Result<Option<Reason>, StoreError> {
        let paused = self.is_paused(store, now)?;
        if let Some(schedule) = &self.schedule {
            let handled: Option<DateTime<Utc>> = store.fact(&self.target, Fact::Scheduled)?;
            let behind = handled.is_some_and(|handled| handled > now);
            if behind && !self.behind {
                tracing::warn!(
                    integration.name = name,
                    "The clock is behind the last scheduled run; nothing is due until it has passed that time"
                );
            }
            self.behind = behind;
            let due = schedule.due(name, handled, since, now);
            if due.handled().is_some() {
                return self.scheduled(store, audit, name, &due, paused);
            }
        }
        if self.running.is_some() {
            return Ok(None);
        }
        while let Some(wanted) = self.wanted.pop_front() {
            // Nobody may wait for it any more.
            if !wanted.reply.is_closed() {
                let trigger = if wanted.resync {
                    "--run-now --resync"
                } else {
                    "--run-now"
                };
                return Ok(Some(Reason {
                    wanted: Some(wanted),
                    ..Reason::of(trigger.to_owned(), None)
                }));
            }
        }
        if paused {
            return Ok(None);
        }
        if let Some((scheduled, at)) = self.retry
            && at <= now
        {
            self.retry = None;
            let again = if at == scheduled { "" } else { ", tried again" };
            let trigger = format!("schedule {}{again}", minute(scheduled));
            return Ok(Some(Reason::of(trigger, Some(scheduled))));
        }
        if occasion != Occasion::Ended
            && let Some(trigger) = self.news.trigger(store, &self.target)?
        {
            return Ok(Some(Reason::of(trigger, None)));
        }
        let decided = occasion == Occasion::Tick && store.decided_since_last_run(&self.target)?;
        Ok(decided.then(|| Reason::of("decision".to_owned(), None)))
    }

    /// Whether somebody has paused the integration, and no run of its own may start.
    fn is_paused(&self, store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let pause = store.pause(&self.target)?;
        let today = now.with_timezone(&self.timezone).date_naive();
        Ok(pause.is_some_and(|pause| pause.holds_on(today)))
    }

    /// Remembers what the schedule says before anything is run: nothing is run twice.
    fn scheduled(
        &mut self,
        store: &Store,
        audit: &AuditFile,
        name: &str,
        due: &Due,
        paused: bool,
    ) -> Result<Option<Reason>, StoreError> {
        let mut notes = Vec::new();
        if let Some(missed) = due.missed {
            notes.push(told(name, missed, "nothing was scheduling then"));
        }
        let after_it = self.running.as_ref().is_some_and(|running| running.dry_run);
        let why_not = if paused {
            Some("the integration is paused")
        } else {
            (self.running.is_some() && !after_it)
                .then_some("the run before it is still in progress")
        };
        if let Some((run, why_not)) = due.run.zip(why_not) {
            let missed = Missed {
                count: 1,
                first: run,
                last: run,
            };
            notes.push(told(name, missed, why_not));
        }
        let notes = Notes {
            integration: Some(name.to_owned()),
            run: None,
            notes: notes.into_iter().map(Into::into).collect(),
        };
        store.set_fact(
            &self.target,
            Fact::Scheduled,
            due.handled().as_ref(),
            &notes,
        )?;
        if !notes.notes.is_empty() {
            store.flush(audit)?;
        }
        self.retry = None;
        if let Some(run) = due.run.filter(|_| after_it && !paused) {
            self.retry = Some((run, run));
            return Ok(None);
        }
        let late = if due.made_up { ", made up" } else { "" };
        let run = due.run.filter(|_| why_not.is_none());
        Ok(run.map(|run| Reason::of(format!("schedule {}{late}", minute(run)), Some(run))))
    }

    /// Starts a run.
    pub(super) fn start(
        &mut self,
        reason: Reason,
        loaded: &Arc<Loaded>,
        store: &Arc<Store>,
        clock: &Clock,
        user: &str,
    ) {
        let Reason {
            trigger,
            scheduled,
            wanted,
        } = reason;
        let asked = wanted.as_ref();
        let user = asked.map_or(user, |asked| &asked.user);
        let stage = Arc::new(Mutex::new(String::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let options = Options {
            dry_run: asked.is_some_and(|asked| asked.dry_run),
            trigger: trigger.clone(),
            // A run by hand of another process may be at it; the next tick looks again.
            wait: Duration::from_secs(60),
            accept_clock: asked.is_some_and(|asked| asked.accept_clock),
            by_hand: self.fresh || asked.is_some(),
            resync: asked.is_some_and(|asked| asked.resync),
            stopping: Arc::clone(&stopping),
        };
        let dry_run = options.dry_run;
        self.fresh &= dry_run;
        let (loaded, store, clock, user, place, now_at) = (
            Arc::clone(loaded),
            Arc::clone(store),
            clock.clone(),
            user.to_owned(),
            self.place,
            Arc::clone(&stage),
        );
        let told = asked.map(|asked| asked.stage.clone());
        let tell_asker = move |what: &str| {
            if let Some(told) = &told {
                let _ = told.send(what.to_owned());
            }
        };
        tell_asker("beginning");
        let task = tokio::spawn(async move {
            let tell = |what: &str| {
                tracing::debug!("Now {what}");
                tell_asker(what);
                what.clone_into(&mut now_at.lock().unwrap_or_else(PoisonError::into_inner));
            };
            let context = Context {
                config: &loaded.config,
                store: &store,
                audit: &loaded.audit,
                clock: &clock,
                user: &user,
                stage: &tell,
            };
            let integration: &Integration = &loaded.config.integrations[place];
            crate::crash::mistake("run");
            sync::run(&context, integration, &loaded.secrets[place], &options).await
        });
        self.running = Some(Running {
            task,
            trigger,
            scheduled,
            dry_run,
            news: std::mem::take(&mut self.news),
            stage,
            stopping,
            reply: wanted.map(|wanted| wanted.reply),
        });
    }

    /// Takes note of the end of a run.
    pub(super) fn ended(
        &mut self,
        name: &str,
        store: &Store,
        loaded: &Loaded,
        now: DateTime<Utc>,
        result: Result<RunReport, tokio::task::JoinError>,
    ) -> Result<(), StoreError> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        match result {
            Ok(report) => {
                if let Some(reply) = running.reply {
                    let _ = reply.send(report.clone());
                }
                let late = |status: &str| ["failed", "not yet"].contains(&status);
                let waits = report.sources.iter().any(|source| late(&source.status));
                let schedule = self.schedule.as_ref().filter(|_| waits);
                if let Some((schedule, scheduled)) = schedule.zip(running.scheduled) {
                    self.try_again(name, schedule.try_again_at(name, scheduled, now), scheduled);
                } else if !waits && !running.dry_run && !report.sources.is_empty() {
                    // What an earlier run has waited for is there.
                    self.retry = None;
                }
                let turned_away =
                    matches!(report.ending, Ending::Busy { .. } | Ending::Paused { .. });
                if running.dry_run || turned_away {
                    // Another run has its turn, or this one was none; whether these files were seen, the store knows.
                    self.news.restore(running.news);
                }
                Ok(())
            }
            Err(error) if error.is_panic() => {
                tracing::error!(
                    integration.name = name,
                    "An internal error ended the run ({}); the service goes on",
                    running.trigger
                );
                let event = Event::RunPanicked {
                    trigger: running.trigger,
                };
                let notes = Notes {
                    integration: Some(name.to_owned()),
                    run: None,
                    notes: vec![event.into()],
                };
                store.record(&notes)?;
                store.flush(&loaded.audit)
            }
            Err(_) => Ok(()),
        }
    }

    /// A file of a scheduled run is not there: looks again, or gives up.
    fn try_again(&mut self, name: &str, at: Option<DateTime<Utc>>, scheduled: DateTime<Utc>) {
        if let Some(at) = at {
            tracing::info!(
                integration.name = name,
                "A file is not there or not in order yet; looking again at {}",
                minute(at)
            );
        } else {
            tracing::warn!(
                integration.name = name,
                "A file of the run of {} is still not there or not in order; given up, and the next scheduled run looks again",
                minute(scheduled)
            );
        }
        self.retry = at.map(|at| (scheduled, at));
    }

    /// When it runs next, by its schedule or for a file that was not there.
    pub(super) fn next(&self, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let scheduled = self.schedule.as_ref().and_then(|schedule| {
            let next = schedule.next_after(now)?;
            Some(schedule.starts_at(name, next))
        });
        let retry = self.retry.map(|(_, at)| at);
        retry.into_iter().chain(scheduled).min()
    }
}

fn told(name: &str, missed: Missed, reason: &str) -> Event {
    let Missed { count, first, last } = missed;
    let (first, last) = (minute(first), minute(last));
    tracing::warn!(
        integration.name = name,
        "{count} scheduled times got no run ({first} to {last}): {reason}"
    );
    Event::ScheduleMissed {
        count,
        first,
        last,
        reason: reason.to_owned(),
    }
}
