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
use super::due::{Reason, minute};
use super::watch::News;
use crate::audit::Event;
use crate::clock::Clock;
use crate::config::Integration;
use crate::schedule::Schedule;
use crate::store::{Fact, Notes, Store, StoreError, Target};
use crate::sync::{self, Context, Ending, Options, RunReport, target_of};

/// Words of the stage in which a run waits for the answer to a push.
const PUSHING: &str = "pushing";

/// The scheduled time whose file was not there yet, and when it is tried again.
type Retry = (DateTime<Utc>, DateTime<Utc>);

/// An integration, by its place in the configuration.
pub(super) struct Job {
    pub(super) place: usize,
    pub(super) schedule: Option<Schedule>,
    /// The zone of all dates.
    pub(super) timezone: chrono_tz::Tz,
    pub(super) target: Target,
    pub(super) running: Option<Running>,
    /// Runs that somebody asked for at the control socket.
    pub(super) wanted: VecDeque<Wanted>,
    /// New files of watched folders that wait for a run.
    pub(super) news: News,
    pub(super) retry: Option<Retry>,
    /// Whether it is still to be looked whether the service before this one was ended in the middle of a run.
    pub(super) look_back: bool,
    /// When a run was started last for a decision on which none has acted.
    pub(super) acted: Option<DateTime<Utc>>,
    /// Whether the next run is the first with these secrets, so that nothing that failed before keeps it from trying.
    fresh: bool,
    /// Whether it was said that the clock is behind what was handled.
    pub(super) behind: bool,
}

/// A run in progress.
pub(super) struct Running {
    pub(super) task: JoinHandle<RunReport>,
    pub(super) trigger: String,
    scheduled: Option<DateTime<Utc>>,
    /// Whether it pushes nothing, so that what is due meanwhile comes after it.
    pub(super) dry_run: bool,
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
            look_back: false,
            acted: None,
            fresh: true,
            behind: false,
        }
    }

    /// Takes over from before a reload what is in progress and what waits.
    pub(super) fn go_on_from(&mut self, old: Self) {
        self.running = old.running;
        self.wanted = old.wanted;
        self.retry = old.retry.filter(|_| self.schedule.is_some());
        self.look_back = old.look_back;
        self.acted = old.acted;
    }

    /// Takes over from the service before this one what waits, and is to look whether that was ended in the middle of a run.
    pub(super) fn go_on_from_store(
        &mut self,
        name: &str,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.look_back = true;
        let retry: Option<Retry> = store.fact(&self.target, Fact::Retry)?;
        if let Some((scheduled, at)) = retry {
            let schedule = self.schedule.as_ref();
            let in_time = |schedule: &Schedule| {
                now < at || schedule.try_again_at(name, scheduled, now).is_some()
            };
            if schedule.is_some_and(in_time) {
                self.retry = retry;
            } else {
                self.try_again(name, store, None, scheduled)?;
            }
        }
        Ok(())
    }

    /// Remembers, also over a restart, which scheduled time is tried again, and when.
    pub(super) fn set_retry(
        &mut self,
        store: &Store,
        retry: Option<Retry>,
    ) -> Result<(), StoreError> {
        let known: Option<Retry> = store.fact(&self.target, Fact::Retry)?;
        if known != retry {
            let notes = Notes::default();
            store.set_fact(&self.target, Fact::Retry, retry.as_ref(), &notes)?;
        }
        self.retry = retry;
        Ok(())
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
        self.look_back &= dry_run;
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
                    let at = schedule.try_again_at(name, scheduled, now);
                    self.try_again(name, store, at, scheduled)?;
                } else if !waits && !running.dry_run && !report.sources.is_empty() {
                    // What an earlier run has waited for is there.
                    self.set_retry(store, None)?;
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
    fn try_again(
        &mut self,
        name: &str,
        store: &Store,
        at: Option<DateTime<Utc>>,
        scheduled: DateTime<Utc>,
    ) -> Result<(), StoreError> {
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
        self.set_retry(store, at.map(|at| (scheduled, at)))
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
