//! A new configuration in the place of the old one, while runs go on: all of it, or nothing.

use std::sync::Arc;

use super::watch::Watches;
use super::{Loaded, Service, jobs, notify};
use crate::config;
use crate::source::chain;
use crate::store::StoreError;
use crate::sync::{self, Context, off};

impl Service {
    /// The configuration and the secrets anew; where anything is wrong with them, the old ones stay in force.
    pub(super) fn reload(&mut self) {
        notify::reloading();
        let mut successful = false;
        let loaded = off(|| config::load(&self.path).and_then(Loaded::new));
        match loaded {
            Ok(loaded) if loaded.config.state_dir != self.loaded.config.state_dir => {
                tracing::error!(
                    "The configuration was not reloaded: state_dir cannot change while the service runs; restart it"
                );
            }
            Ok(loaded) if loaded.config.control_socket() != self.loaded.config.control_socket() => {
                tracing::error!(
                    "The configuration was not reloaded: control.socket cannot change while the service runs; restart it"
                );
            }
            // That is said already.
            Ok(loaded) if !self.listens(&loaded) => {}
            Ok(loaded) => {
                successful = true;
                let mut new = jobs(&loaded);
                let mut taken_over = Vec::new();
                for old in std::mem::take(&mut self.jobs) {
                    let same = new.iter_mut().find(|job| job.target == old.target);
                    if let Some(job) = same {
                        taken_over.push(job.place);
                        job.go_on_from(old);
                    } else if let Some(running) = old.running {
                        // Its integration is gone from the configuration; it may end at its next safe point.
                        running.stop();
                        tracing::info!(
                            "A run of an integration that was taken out stops at its next safe point"
                        );
                        self.orphans.push(running);
                    }
                }
                if new.iter().any(|job| job.running.is_some()) {
                    tracing::info!(
                        "A run in progress goes on as it was started; the next one has the new configuration"
                    );
                }
                for job in new
                    .iter_mut()
                    .filter(|job| !taken_over.contains(&job.place))
                {
                    let name = &loaded.config.integrations[job.place].name;
                    let now = self.clock.now();
                    if let Err(error) = off(|| job.go_on_from_store(name, &self.store, now)) {
                        tracing::error!(integration.name = name, "{}", chain(&error));
                    }
                }
                self.jobs = new;
                self.loaded = Arc::new(loaded);
                self.current.send_replace(Arc::clone(&self.loaded));
                self.watches = Watches::start(&self.loaded, &self.store, &self.clock);
                self.monitor.loaded(&self.loaded);
                self.notices.poke();
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
        self.monitor.reloaded(successful);
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

    pub(super) fn note_configuration(&self) -> Result<(), StoreError> {
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
}
