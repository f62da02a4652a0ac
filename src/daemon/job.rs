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
use super::due::Reason;
use super::watch::News;
use crate::audit::Event;
use crate::clock::Clock;
use crate::config::Integration;
use crate::schedule::{Owed, Schedule};
use crate::store::{Notes, Store, StoreError, Target};
use crate::sync::{self, Context, Ending, Options, RunReport, target_of};
use crate::zone::Zone;

/// Words of the stage in which a run waits for the answer to a push.
const PUSHING: &str = "pushing";

/// An integration, by its place in the configuration.
pub(super) struct Job {
    pub(super) place: usize,
    pub(super) schedule: Option<Schedule>,
    /// The zone of all dates.
    pub(super) timezone: Zone,
    pub(super) target: Target,
    pub(super) running: Option<Running>,
    /// Runs that somebody asked for at the control socket.
    pub(super) wanted: VecDeque<Wanted>,
    /// New files of watched folders that wait for a run.
    pub(super) news: News,
    /// The run that is due or waits, as it is on disk.
    pub(super) owed: Option<Owed>,
    /// When a run was started last for a decision on which none has acted, and how often.
    pub(super) acted: Option<(DateTime<Utc>, u32)>,
    /// Whether the next run is the first with these secrets, so that nothing that failed before keeps it from trying.
    pub(super) fresh: bool,
    /// Whether it was said that the clock is behind what was handled.
    pub(super) behind: bool,
}

/// A run in progress.
pub(super) struct Running {
    pub(super) task: JoinHandle<RunReport>,
    pub(super) trigger: String,
    /// Whether it is the one that is owed.
    pub(super) is_owed: bool,
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
            owed: None,
            acted: None,
            fresh: true,
            behind: false,
        }
    }

    /// Takes over from before a reload what is in progress and what waits.
    pub(super) fn go_on_from(&mut self, old: Self) {
        self.running = old.running;
        self.wanted = old.wanted;
        self.owed = old.owed;
        self.acted = old.acted;
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
            wanted,
            is_owed,
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
            is_owed,
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
                self.settle(name, store, &running, &report, now)?;
                if let Some(reply) = running.reply {
                    let _ = reply.send(report.clone());
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
                if running.is_owed {
                    self.set_owed(store, None)?;
                }
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
}
