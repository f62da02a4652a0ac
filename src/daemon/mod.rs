//! The service: runs at their scheduled times, acts on decisions within a minute, reloads its configuration, and stops at a safe point.
//!
//! One loop does all of that, and the service manager's watchdog hears from this loop alone, so that a loop that hangs is restarted. The ticker only
//! says that a minute has passed; [`schedule`](crate::schedule) decides what is due. The caller knows signals and gives them as a channel.

mod http;
mod job;
mod notify;
mod ticker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};

use crate::audit::AuditFile;
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError};
use crate::source::chain;
use crate::store::{Store, StoreError};
use crate::sync::{self, Context, RunReport, Secrets, off};
use http::Monitor;
use job::Job;
use ticker::Ticker;

/// Without a tick for so long, the ticker is dead.
const SILENCE: Duration = Duration::from_secs(190);
/// Where the clock went on this long between two ticks, the machine has slept.
const ASLEEP: TimeDelta = TimeDelta::minutes(5);
/// A run that is not pushing has so long to come to a safe point. What is cut off then is finished by the next run, as after a kill.
const GRACE: Duration = Duration::from_secs(20);

/// What the outside wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Stop at a safe point.
    Stop,
    /// Read the configuration and the secrets again.
    Reload,
}

/// Why the service cannot start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration, or a secret that it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state or the audit log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address of the endpoint cannot be used.
    #[error(
        "Health and metrics cannot be served on {address} ({cause}); is another program, or another instance, listening there? Correct http.listen"
    )]
    Http {
        /// `http.listen`.
        address: std::net::SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The ticker did not start, or is dead.
    #[error(
        "The ticker that drives the schedule {0}; the service ends, so that it is started anew"
    )]
    Ticker(String),
}

/// A configuration with its secrets.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) secrets: Vec<Secrets>,
    pub(crate) audit: AuditFile,
}

impl Loaded {
    fn new(config: Config) -> Result<Self, ConfigError> {
        let (mut secrets, mut wrong) = (Vec::new(), Vec::new());
        for (place, integration) in config.integrations.iter().enumerate() {
            match Secrets::read(integration) {
                Ok(read) => secrets.push(read),
                Err(failed) => {
                    wrong.extend(failed.into_iter().map(|(key, error)| (place, key, error)));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(config.wrong(wrong));
        }
        let audit = AuditFile::new(config.audit_file());
        Ok(Self {
            config,
            secrets,
            audit,
        })
    }
}

/// Serves until it is to stop.
///
/// # Errors
/// It could not start, or its ticker died.
pub async fn serve(
    config: Config,
    path: PathBuf,
    clock: Clock,
    user: String,
    mut wishes: mpsc::Receiver<Wish>,
) -> Result<(), DaemonError> {
    let loaded = Arc::new(Loaded::new(config)?);
    let store = off(|| Store::open(&loaded.config.state_dir, clock.clone()))?;
    let mut service = Service {
        since: clock.now(),
        last_tick: clock.now(),
        jobs: jobs(&loaded),
        monitor: Monitor::new(&loaded, &store, &clock),
        loaded,
        store: Arc::new(store),
        path,
        clock,
        user,
    };
    service.monitor.listen(service.loaded.config.endpoint())?;
    service.note_configuration()?;
    let mut ticker = Ticker::start()
        .await
        .map_err(|error| DaemonError::Ticker(format!("did not start ({error})")))?;
    let status = service.status();
    notify::ready(&status);
    tracing::info!("{status}");
    let result = service.serve(&mut ticker, &mut wishes).await;
    ticker.stop().await;
    notify::stopping("waiting for runs to come to a safe point");
    service.drain().await;
    result
}

fn jobs(loaded: &Loaded) -> Vec<Job> {
    let places = 0..loaded.config.integrations.len();
    places.map(|place| Job::new(loaded, place)).collect()
}

struct Service {
    loaded: Arc<Loaded>,
    store: Arc<Store>,
    path: PathBuf,
    clock: Clock,
    user: String,
    jobs: Vec<Job>,
    monitor: Monitor,
    /// When it began to look, or woke up.
    since: DateTime<Utc>,
    last_tick: DateTime<Utc>,
}

impl Service {
    async fn serve(
        &mut self,
        ticker: &mut Ticker,
        wishes: &mut mpsc::Receiver<Wish>,
    ) -> Result<(), DaemonError> {
        let pings = notify::watchdog();
        let mut ping = Instant::now();
        let mut silence = Instant::now() + SILENCE;
        self.look();
        loop {
            let wake = pings.map_or(silence, |_| ping.min(silence));
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(Wish::Reload) => self.reload(),
                    Some(Wish::Stop) | None => {
                        tracing::info!("Stopping");
                        return Ok(());
                    }
                },
                (place, result) = ended(&mut self.jobs) => {
                    self.ended(place, result);
                    self.look();
                }
                tick = ticker.tick() => {
                    if tick.is_none() {
                        return Err(DaemonError::Ticker("has ended".to_owned()));
                    }
                    silence = Instant::now() + SILENCE;
                    self.look();
                }
                () = sleep_until(wake) => {
                    if Instant::now() >= silence {
                        return Err(DaemonError::Ticker("is silent".to_owned()));
                    }
                }
            }
            if let Some(every) = pings
                && Instant::now() >= ping
            {
                notify::alive();
                ping = Instant::now() + every;
            }
        }
    }

    fn name(&self, place: usize) -> &str {
        &self.loaded.config.integrations[place].name
    }

    /// Starts what is due.
    fn look(&mut self) {
        let now = self.clock.now();
        if now - self.last_tick > ASLEEP {
            self.since = now;
        }
        self.last_tick = now;
        self.monitor.beat(now);
        for mut job in std::mem::take(&mut self.jobs) {
            let name = self.name(job.place).to_owned();
            match off(|| job.due(&self.store, &name, self.since, now)) {
                Ok(Some(reason)) => {
                    job.start(reason, &self.loaded, &self.store, &self.clock, &self.user);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(
                    integration.name = name,
                    "What is due cannot be found out: {}",
                    chain(&error)
                ),
            }
            self.jobs.push(job);
        }
        notify::status(&self.status());
    }

    fn ended(&mut self, place: usize, result: Result<RunReport, JoinError>) {
        let name = self.name(place).to_owned();
        self.monitor.ended(&name, &result);
        let now = self.clock.now();
        let (store, loaded) = (Arc::clone(&self.store), Arc::clone(&self.loaded));
        let job = &mut self.jobs[place];
        if let Err(error) = off(|| job.ended(&name, &store, &loaded, now, result)) {
            tracing::error!(integration.name = name, "{}", chain(&error));
        }
    }

    /// The configuration and the secrets anew; where anything is wrong with them, the old ones stay in force.
    fn reload(&mut self) {
        notify::reloading();
        let loaded = off(|| config::load(&self.path).and_then(Loaded::new));
        match loaded {
            Ok(loaded) if loaded.config.state_dir != self.loaded.config.state_dir => {
                tracing::error!(
                    "The configuration was not reloaded: state_dir cannot change while the service runs; restart it"
                );
            }
            // That is said already.
            Ok(loaded) if !self.listens(&loaded) => {}
            Ok(loaded) => {
                let mut new = jobs(&loaded);
                let mut orphans = false;
                for old in std::mem::take(&mut self.jobs) {
                    let Some(running) = old.running else { continue };
                    if let Some(job) = new.iter_mut().find(|job| job.target == old.target) {
                        job.running = Some(running);
                    } else {
                        // Its integration is gone from the configuration; it may end at its next safe point.
                        running.stop();
                        orphans = true;
                    }
                }
                if orphans {
                    tracing::info!(
                        "A run of an integration that was taken out stops at its next safe point"
                    );
                }
                self.jobs = new;
                self.loaded = Arc::new(loaded);
                self.monitor.loaded(&self.loaded);
                tracing::info!("The configuration was reloaded");
                if let Err(error) = self.note_configuration() {
                    tracing::error!("{}", chain(&error));
                }
            }
            Err(error) => tracing::error!(
                "The configuration was not reloaded, and the old one stays in force: {}",
                chain(&error)
            ),
        }
        notify::ready(&self.status());
    }

    /// Listens where a new configuration says; whether that is possible.
    fn listens(&mut self, loaded: &Loaded) -> bool {
        let listens = self.monitor.listen(loaded.config.endpoint());
        if let Err(error) = &listens {
            tracing::error!(
                "The configuration was not reloaded, and the old one stays in force: {}",
                chain(error)
            );
        }
        listens.is_ok()
    }

    fn note_configuration(&self) -> Result<(), StoreError> {
        let context = Context {
            config: &self.loaded.config,
            store: &self.store,
            audit: &self.loaded.audit,
            clock: &self.clock,
            user: &self.user,
            stage: &|_| {},
        };
        sync::note_configuration(&context)?;
        off(|| self.store.flush(&self.loaded.audit))
    }

    /// In a line: each integration's next run, and what waits for a person.
    fn status(&self) -> String {
        let now = self.clock.now();
        let of = |job: &Job| {
            let name = self.name(job.place);
            let mut told = if job.running.is_some() {
                format!("{name}: running")
            } else {
                match job.next(name, now) {
                    Some(next) => {
                        let zone = job
                            .schedule
                            .as_ref()
                            .map_or(self.loaded.config.timezone, |schedule| schedule.timezone);
                        format!(
                            "{name}: next run {}",
                            next.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z")
                        )
                    }
                    None => format!("{name}: no scheduled run"),
                }
            };
            if let Ok(holds) = off(|| self.store.hold_ids(&job.target))
                && !holds.is_empty()
            {
                let ids: Vec<String> = holds.iter().map(ToString::to_string).collect();
                told = format!("{told}, HOLD {}", ids.join(", "));
            }
            told
        };
        let all: Vec<String> = self.jobs.iter().map(of).collect();
        all.join("; ")
    }

    /// No run starts any more; those in progress come to a safe point, and a push gets its answer.
    async fn drain(&mut self) {
        for job in &self.jobs {
            if let Some(running) = &job.running {
                running.stop();
            }
        }
        let grace = Instant::now() + GRACE;
        while self.jobs.iter().any(|job| job.running.is_some()) {
            let look_again = Instant::now() + Duration::from_millis(500);
            tokio::select! {
                (place, result) = ended(&mut self.jobs) => self.ended(place, result),
                () = sleep_until(look_again) => {}
            }
            if Instant::now() < grace {
                continue;
            }
            for job in &mut self.jobs {
                if let Some(running) = &job.running
                    && !running.is_pushing()
                {
                    running.task.abort();
                }
            }
        }
    }
}

/// Waits for a run to end; for ever where none is in progress.
async fn ended(jobs: &mut [Job]) -> (usize, Result<RunReport, JoinError>) {
    std::future::poll_fn(|context| {
        for job in jobs.iter_mut() {
            if let Some(running) = &mut job.running {
                let task = std::pin::Pin::new(&mut running.task);
                if let std::task::Poll::Ready(result) = task.poll(context) {
                    return std::task::Poll::Ready((job.place, result));
                }
            }
        }
        std::task::Poll::Pending
    })
    .await
}
