//! Notifications of the service: a task beside the loop that looks what is news and sends it, so that no run and no tick waits for a mail server.
//!
//! It is poked at every tick, after every run and after a reload. A mistake in a round ends that round alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::Loaded;
use crate::clock::Clock;
use crate::notice::{self, Sender};
use crate::source::chain;
use crate::store::Store;
use crate::sync::off;

/// What is being sent when the service stops has so long to come to its end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The task.
pub(super) struct Notices {
    poke: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

/// What a round needs.
#[derive(Clone)]
struct Round {
    store: Arc<Store>,
    clock: Clock,
    program: Arc<str>,
}

impl Notices {
    pub(super) fn start(
        loaded: watch::Receiver<Arc<Loaded>>,
        store: &Arc<Store>,
        clock: &Clock,
        program: &str,
    ) -> Self {
        // One that is full will be looked at anyway.
        let (poke, poked) = mpsc::channel(1);
        let round = Round {
            store: Arc::clone(store),
            clock: clock.clone(),
            program: program.into(),
        };
        let task = tokio::spawn(round.serve(loaded, poked));
        Self { poke, task }
    }

    /// Something may be news.
    pub(super) fn poke(&self) {
        let _ = self.poke.try_send(());
    }

    /// Waits a little for what is being sent. What is cut off is sent by the next service.
    pub(super) async fn stop(self) {
        drop(self.poke);
        let mut task = self.task;
        if timeout(FAREWELL, &mut task).await.is_err() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Round {
    async fn serve(self, loaded: watch::Receiver<Arc<Loaded>>, mut poked: mpsc::Receiver<()>) {
        while poked.recv().await.is_some() {
            let now = Arc::clone(&loaded.borrow());
            // In a task of its own, which goes with this one, for the sake of mistakes.
            let mut round = JoinSet::new();
            round.spawn(self.clone().make(now));
            if let Some(Err(error)) = round.join_next().await
                && error.is_panic()
            {
                tracing::error!(
                    "An internal error ended a round of notifications; the next one comes within a minute"
                );
            }
        }
    }

    async fn make(self, loaded: Arc<Loaded>) {
        let Some(notify) = &loaded.config.notify else {
            return;
        };
        if let Err(error) = off(|| notice::look(&loaded.config, &self.store, &self.clock)) {
            tracing::error!("What is news cannot be found out: {}", chain(&error));
        }
        let mut channels = JoinSet::new();
        for place in 0..notify.channels.len() {
            let (round, loaded) = (self.clone(), Arc::clone(&loaded));
            channels.spawn(async move { round.channel(&loaded, place).await });
        }
        while let Some(sent) = channels.join_next().await {
            if sent.is_err_and(|error| error.is_panic()) {
                tracing::error!(
                    "An internal error kept a channel from sending; it is tried again within minutes"
                );
            }
        }
    }

    async fn channel(&self, loaded: &Loaded, place: usize) {
        let channels = loaded.config.notify.iter();
        let Some(channel) = channels.flat_map(|notify| &notify.channels).nth(place) else {
            return;
        };
        let sender = Sender {
            config: &loaded.config,
            store: &self.store,
            clock: &self.clock,
            program: &self.program,
        };
        if let Err(error) = sender.channel(channel, None).await {
            tracing::error!(channel.name = channel.name, "{}", chain(&error));
        }
    }
}
