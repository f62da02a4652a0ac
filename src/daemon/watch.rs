//! Drop folders that are watched: a complete new file starts a run without waiting for the clock.
//!
//! Every watched source has a thread of its own, for a file server that hangs must neither stop the others nor the loop that tells the service manager that
//! we live. The kernel (inotify) only says that it is worth looking sooner: it hears nothing of what other machines write to a file server. The look itself
//! goes by the rules of the intake, and a file counts only once two looks in a row have seen it the same, for nobody waits hours any more before it is read.
//! The hazard is a file that fails: it is tried once, and again only when it has changed or the schedule says so.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Loaded;
use crate::clock::Clock;
use crate::config::{Integration, Source};
use crate::schedule::Schedule;
use crate::source::{self, Seen, Taken, chain};
use crate::store::{Fact, Store, StoreError, Target};
use crate::sync::target_of;
use crate::zone::Zone;

/// A folder is looked at so often where nothing is heard of it. A roster is no hurry: ten seconds are soon enough, one listing in that time is no load for a
/// file server, and the service wakes up for it less than once a second.
const POLL: Duration = Duration::from_secs(10);
/// A file counts once it has looked the same for so long: a sender that should rename and does not is still writing then.
const SETTLE: Duration = Duration::from_secs(2);
/// What is heard within this time is one look.
const BURST: Duration = Duration::from_millis(500);

/// A complete file that no run has read or tried.
#[derive(Debug)]
pub(super) struct Found {
    /// The integration, by its place in the configuration.
    pub(super) place: usize,
    source: String,
    files: Seen,
}

/// All watched folders of a configuration. Dropping it ends the watch.
pub(super) struct Watches {
    found: mpsc::Receiver<Found>,
    threads: Vec<SyncSender<()>>,
}

impl Watches {
    pub(super) fn start(loaded: &Arc<Loaded>, store: &Arc<Store>, clock: &Clock) -> Self {
        // One that is full holds its thread back, and nothing else.
        let (sender, found) = mpsc::channel(8);
        let mut threads = Vec::new();
        for (place, integration) in loaded.config.integrations.iter().enumerate() {
            let watched = integration.sources.iter().filter(|source| source.watch);
            for source in watched {
                let watch = Watch {
                    place,
                    integration: integration.clone(),
                    source: source.clone(),
                    target: target_of(integration),
                    zone: loaded.config.timezone,
                    schedule: loaded.config.schedule(integration),
                    // The state is closed in the end, whatever a thread still waits for.
                    store: Arc::downgrade(store),
                    clock: clock.clone(),
                    found: sender.clone(),
                    pending: None,
                    told: None,
                    said: None,
                };
                let (hint, hints) = sync_channel(1);
                threads.push(hint.clone());
                let thread = thread::Builder::new().name(format!("watch {}", source.name));
                if let Err(error) = thread.spawn(move || watch.serve(&hint, &hints)) {
                    tracing::error!(
                        integration.name = integration.name,
                        source.name = source.name,
                        "The folder is not watched, for no thread can be started ({error}); runs start by the schedule alone. Restart the service once the machine has room"
                    );
                }
            }
        }
        Self { found, threads }
    }

    /// Waits for a file. `None`: nothing is watched.
    pub(super) async fn found(&mut self) -> Option<Found> {
        self.found.recv().await
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.found.close();
        for hint in &self.threads {
            let _ = hint.try_send(());
        }
    }
}

/// Whether an integration has a folder that is watched.
pub(super) fn is_watched(integration: &Integration) -> bool {
    integration.sources.iter().any(|source| source.watch)
}

/// The files that wait for a run of an integration, by source.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<String, Seen>);

impl News {
    pub(super) fn add(&mut self, found: Found) {
        self.0.insert(found.source, found.files);
    }

    /// Takes back what a run was started for and has not looked at. What has come since is newer.
    pub(super) fn restore(&mut self, files: Self) {
        for (source, seen) in files.0 {
            self.0.entry(source).or_insert(seen);
        }
    }

    /// Why a run is to start; forgets what another run has read or tried meanwhile.
    pub(super) fn trigger(
        &mut self,
        store: &Store,
        target: &Target,
    ) -> Result<Option<String>, StoreError> {
        let mut texts = Vec::new();
        for (source, files) in std::mem::take(&mut self.0) {
            if !Known::of(store, target, &source)?.has(&files) {
                texts.push(format!("{source}: {}", files.names()));
                self.0.insert(source, files);
            }
        }
        Ok((!texts.is_empty()).then(|| format!("watch {}", texts.join(", "))))
    }
}

/// What the store knows of the files of a source.
struct Known {
    taken: Option<Taken>,
    tried: Option<Seen>,
}

impl Known {
    fn of(store: &Store, target: &Target, source: &str) -> Result<Self, StoreError> {
        let state = store.source(target, source)?;
        let tried: Option<BTreeMap<String, Seen>> = store.fact(target, Fact::Tried)?;
        Ok(Self {
            taken: state.and_then(|state| Taken::from_text(&state.taken)),
            tried: tried.and_then(|mut tried| tried.remove(source)),
        })
    }

    fn has(&self, files: &Seen) -> bool {
        let is_taken = self
            .taken
            .as_ref()
            .is_some_and(|taken| taken.is_seen(files));
        is_taken || self.tried.as_ref() == Some(files)
    }
}

/// One watched folder.
struct Watch {
    place: usize,
    integration: Integration,
    source: Source,
    target: Target,
    zone: Zone,
    schedule: Option<Schedule>,
    store: Weak<Store>,
    clock: Clock,
    found: mpsc::Sender<Found>,
    /// New files, and since when they look as they do.
    pending: Option<(Seen, Instant)>,
    /// The files that were told last.
    told: Option<Seen>,
    /// What is wrong and was said.
    said: Option<String>,
}

impl Watch {
    /// Watches until that is over. A mistake in it does not end it.
    fn serve(mut self, hint: &SyncSender<()>, hints: &Receiver<()>) {
        while catch_unwind(AssertUnwindSafe(|| self.watch(hint.clone(), hints))).is_err() {
            thread::sleep(POLL);
        }
    }

    fn watch(&mut self, hint: SyncSender<()>, hints: &Receiver<()>) {
        let mut ear = Ear::new(hint);
        tracing::info!(
            integration.name = self.integration.name,
            source.name = self.source.name,
            "The folder {} is watched",
            self.source.folder.display()
        );
        while !self.found.is_closed() {
            let wait = self.look(&mut ear);
            if hints.recv_timeout(wait).is_ok() && !self.found.is_closed() {
                thread::sleep(BURST);
                while hints.try_recv().is_ok() {}
            }
        }
    }

    /// Looks once; when to look again.
    fn look(&mut self, ear: &mut Ear) -> Duration {
        if let Err(error) = ear.listen(&self.source.folder) {
            self.warn(&format!(
                "The system gives no notice of changes in {} ({error}), so it is looked at every {} seconds only; where that is a limit of inotify, raise fs.inotify.max_user_watches and max_user_instances",
                self.source.folder.display(),
                POLL.as_secs()
            ));
        }
        let Some(store) = self.store.upgrade() else {
            return POLL;
        };
        let known = Known::of(&store, &self.target, &self.source.name);
        // A look may hang with its file server.
        drop(store);
        let known = match known {
            Ok(known) => known,
            Err(error) => return self.nothing(Some(&chain(&error))),
        };
        let (now, last, schedule) = (
            self.clock.now(),
            known.taken.as_ref(),
            self.schedule.as_ref(),
        );
        match source::look(&self.source, last, now, self.zone, schedule) {
            Ok(Some(files)) if !known.has(&files) && self.told.as_ref() != Some(&files) => {
                self.said = None;
                self.settle(files)
            }
            Ok(_) => self.nothing(None),
            Err(error) => {
                if Ear::is_deaf(&self.source.folder) {
                    ear.forget(&self.source.folder);
                }
                self.nothing(Some(&chain(&error)))
            }
        }
    }

    /// There is no new file, or none that can be read.
    fn nothing(&mut self, wrong: Option<&str>) -> Duration {
        self.pending = None;
        if let Some(wrong) = wrong
            && self.said.as_deref() != Some(wrong)
        {
            self.warn(&format!(
                "{wrong}. No run starts for that; the folder is looked at every {} seconds",
                POLL.as_secs()
            ));
        }
        self.said = wrong.map(str::to_owned);
        POLL
    }

    /// Tells of a new file that has looked the same for long enough.
    fn settle(&mut self, files: Seen) -> Duration {
        match &self.pending {
            Some((same, since)) if *same == files => {
                let left = SETTLE.saturating_sub(self.clock.instant() - *since);
                if !left.is_zero() {
                    return left;
                }
                self.pending = None;
                self.told = Some(files.clone());
                // Nobody to tell: the watch is over.
                let _ = self.found.blocking_send(Found {
                    place: self.place,
                    source: self.source.name.clone(),
                    files,
                });
                POLL
            }
            _ => {
                self.pending = Some((files, self.clock.instant()));
                SETTLE
            }
        }
    }

    fn warn(&self, message: &str) {
        tracing::warn!(
            integration.name = self.integration.name,
            source.name = self.source.name,
            "{message}"
        );
    }
}

/// What the kernel tells of a folder.
struct Ear {
    watcher: notify::Result<RecommendedWatcher>,
    listens: bool,
    /// Whether it was said that it cannot listen.
    said: bool,
}

impl Ear {
    fn new(hint: SyncSender<()>) -> Self {
        let heard = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(event.kind) || event.need_rescan()) {
                let _ = hint.try_send(());
            }
        };
        Self {
            watcher: notify::recommended_watcher(heard),
            listens: false,
            said: false,
        }
    }

    /// Listens to a folder that is there. An error is told once.
    fn listen(&mut self, folder: &Path) -> Result<(), String> {
        if self.listens || Self::is_deaf(folder) {
            return Ok(());
        }
        let result = match &mut self.watcher {
            Ok(watcher) => watcher
                .watch(folder, RecursiveMode::NonRecursive)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.listens = result.is_ok();
        match result {
            Err(_) if std::mem::replace(&mut self.said, true) => Ok(()),
            other => other,
        }
    }

    /// Where a folder is not there, there is nothing to hear.
    fn is_deaf(folder: &Path) -> bool {
        !folder.is_dir()
    }

    fn forget(&mut self, folder: &Path) {
        if let Ok(watcher) = &mut self.watcher {
            let _ = watcher.unwatch(folder);
        }
        self.listens = false;
    }
}

/// Whether something may have come. That somebody looks at the folder, as we do, is no news.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Remove(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => true,
    }
}
