//! The service: runs at their scheduled times and for new files of watched folders, acts on decisions within a minute, reloads its configuration, and stops at a safe point.
//!
//! One loop does all of that, and the service manager's watchdog hears from this loop alone, so that a loop that hangs is restarted. The ticker only
//! says that a minute has passed; [`schedule`](crate::schedule) decides what is due. The caller knows signals and gives them as a channel.

mod control;
mod due;
mod http;
mod job;
mod notices;
mod notify;
mod owed;
mod reload;
mod ticker;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio::sync::watch as latest;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};

use crate::audit::AuditFile;
use crate::cli::DEFAULT_CONFIG;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::schedule::next_run;
use crate::source::chain;
use crate::store::{ServiceLock, Store, StoreError};
use crate::sync::{RunReport, Secrets, off};
use control::{Shared, Socket, Wanted};
use due::{Look, Occasion};
use http::Monitor;
use job::{Job, Running};
use notices::Notices;
use ticker::Ticker;
use watch::{Watches, is_watched};

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
    /// Another service is at work.
    #[error("Another service works on the state in {0}; stop it first")]
    Busy(String),
    /// The control socket.
    #[error(
        "The control socket {path} cannot be made ({cause}); name another one with control.socket, in a folder that is there and that this user may write to"
    )]
    Socket {
        /// Its name.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The lock of the service in the state folder.
    #[error("The state folder cannot be used ({0})")]
    Lock(std::io::Error),
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
        let all: Vec<_> = config.integrations.iter().collect();
        let secrets = Secrets::read_all(&config, &all)?;
        let audit = AuditFile::of(&config);
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
    let folder = &loaded.config.state_dir;
    let store = Arc::new(off(|| Store::open(folder, clock.clone()))?);
    let lock = off(|| ServiceLock::take(folder)).map_err(DaemonError::Lock)?;
    let Some(_only) = lock else {
        return Err(DaemonError::Busy(folder.display().to_string()));
    };
    let path_of_socket = loaded.config.control_socket();
    let socket = Socket::open(&path_of_socket).map_err(|cause| DaemonError::Socket {
        path: path_of_socket,
        cause,
    })?;
    let (current, now_loaded) = latest::channel(Arc::clone(&loaded));
    let (stop, stopping) = latest::channel(false);
    let (wanted, mut wants) = mpsc::channel(4);
    let program = crate::decisions::program_anywhere(&path, Path::new(DEFAULT_CONFIG));
    let notices = Notices::start(now_loaded.clone(), &store, &clock, &program);
    let shared = Shared {
        loaded: now_loaded,
        store: Arc::clone(&store),
        clock: clock.clone(),
        wanted,
        stopping,
    };
    let mut service = Service {
        since: clock.now(),
        last_tick: clock.now(),
        jobs: jobs(&loaded),
        orphans: Vec::new(),
        monitor: Monitor::new(&loaded, &store, &clock),
        watches: Watches::start(&loaded, &store, &clock),
        notices,
        loaded,
        current,
        store,
        path,
        clock,
        user,
    };
    service.monitor.listen(service.loaded.config.endpoint())?;
    service.note_configuration()?;
    service.go_on_from_store()?;
    let mut ticker = Ticker::start()
        .await
        .map_err(|error| DaemonError::Ticker(format!("did not start ({error})")))?;
    let control = tokio::spawn(socket.serve(shared));
    let status = service.status();
    notify::ready(&status);
    tracing::info!("{status}");
    let result = service.serve(&mut ticker, &mut wishes, &mut wants).await;
    ticker.stop().await;
    notify::stopping("waiting for runs to come to a safe point");
    wants.close();
    service.drain().await;
    service.jobs.clear();
    service.notices.stop().await;
    let _ = stop.send(true);
    let _ = control.await;
    result
}

fn jobs(loaded: &Loaded) -> Vec<Job> {
    let places = 0..loaded.config.integrations.len();
    places.map(|place| Job::new(loaded, place)).collect()
}

struct Service {
    loaded: Arc<Loaded>,
    /// Shows the same to the control socket.
    current: latest::Sender<Arc<Loaded>>,
    store: Arc<Store>,
    path: PathBuf,
    clock: Clock,
    user: String,
    jobs: Vec<Job>,
    /// Runs of integrations that a reload has taken out.
    orphans: Vec<Running>,
    watches: Watches,
    notices: Notices,
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
        wants: &mut mpsc::Receiver<Wanted>,
    ) -> Result<(), DaemonError> {
        let pings = notify::watchdog();
        let mut ping = Instant::now();
        let mut silence = Instant::now() + SILENCE;
        self.look(Occasion::Tick);
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
                    self.look(Occasion::Ended);
                }
                Some(wanted) = wants.recv() => {
                    self.want(wanted);
                    self.look(Occasion::News);
                }
                Some(found) = self.watches.found() => {
                    let job = self.jobs.iter_mut().find(|job| job.place == found.place);
                    if let Some(job) = job {
                        job.news.add(found);
                    }
                    self.look(Occasion::News);
                }
                tick = ticker.tick() => {
                    if tick.is_none() {
                        return Err(DaemonError::Ticker("has ended".to_owned()));
                    }
                    silence = Instant::now() + SILENCE;
                    self.look(Occasion::Tick);
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

    /// What a service before this one has left waiting.
    fn go_on_from_store(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for job in &mut self.jobs {
            let name = &self.loaded.config.integrations[job.place].name;
            off(|| job.go_on_from_store(name, &self.store, now))?;
        }
        Ok(())
    }

    /// Somebody wants a run. Where its integration was taken out of the configuration just now, whoever asked hears that it is over.
    fn want(&mut self, wanted: Wanted) {
        let mut all = self.loaded.config.integrations.iter();
        let place = all.position(|one| one.name == wanted.name);
        if let Some(job) = place.and_then(|place| self.jobs.get_mut(place)) {
            job.wanted.push_back(wanted);
        }
    }

    /// Starts what is due.
    fn look(&mut self, occasion: Occasion) {
        self.orphans.retain(|running| !running.task.is_finished());
        let now = self.clock.now();
        if now - self.last_tick > ASLEEP {
            self.since = now;
        }
        self.last_tick = now;
        self.monitor.beat(now);
        for mut job in std::mem::take(&mut self.jobs) {
            let name = self.name(job.place).to_owned();
            let look = Look {
                store: &self.store,
                loaded: &self.loaded,
                name: &name,
                since: self.since,
                now,
                occasion,
            };
            match off(|| job.due(&look)) {
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
        if occasion != Occasion::News {
            self.notices.poke();
        }
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

    /// In a line: each integration's next run, and what waits for a person.
    fn status(&self) -> String {
        let now = self.clock.now();
        let of = |job: &Job| {
            let name = self.name(job.place);
            let zone = self.loaded.config.timezone;
            let pause = off(|| self.store.pause(&job.target)).ok().flatten();
            let pause = pause.filter(|pause| pause.holds_on(self.clock.today(zone)));
            let from = pause
                .as_ref()
                .map_or(now, |pause| pause.ends(zone).max(now));
            let next = next_run(job.schedule.as_ref(), job.owed.as_ref(), name, from);
            let mut told = match next {
                _ if job.running.is_some() => format!("{name}: running"),
                Some(next) => {
                    let schedule = job.schedule.as_ref();
                    let zone = schedule.map_or(zone, |schedule| schedule.timezone);
                    let next = next.with_timezone(&zone);
                    format!("{name}: next run {}", next.format("%a %Y-%m-%d %H:%M %Z"))
                }
                None if is_watched(&self.loaded.config.integrations[job.place]) => {
                    format!("{name}: no scheduled run, waiting for a file")
                }
                None => format!("{name}: no scheduled run"),
            };
            if let Some(pause) = pause {
                told = format!("{told}, PAUSED until {}", pause.until);
            }
            if let Ok(holds) = off(|| self.store.open_holds(&job.target))
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
        loop {
            self.orphans.retain(|running| !running.task.is_finished());
            if self.orphans.is_empty() && self.jobs.iter().all(|job| job.running.is_none()) {
                return;
            }
            let look_again = Instant::now() + Duration::from_millis(500);
            tokio::select! {
                (place, result) = ended(&mut self.jobs) => self.ended(place, result),
                () = sleep_until(look_again) => {}
            }
            if Instant::now() < grace {
                continue;
            }
            let running = self.jobs.iter().filter_map(|job| job.running.as_ref());
            for running in running.chain(&self.orphans) {
                if !running.is_pushing() {
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
