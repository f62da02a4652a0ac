//! What all connections share: the state, its change, and the configuration.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::auth::Credential;
use super::behaviour::Behaviour;
use super::error::SandboxError;
use super::fault::FaultQueue;
use super::limit::RateLimit;
use super::persist::Store;
use super::record::Records;
use super::state::World;
use crate::clock::Clock;
use crate::parallel;

/// What all connections share.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) credential: Credential,
    pub(crate) integration_ids: Vec<u64>,
    pub(crate) control: bool,
    pub(crate) clock: Clock,
    store: Option<Store>,
    inner: Mutex<Inner>,
}

/// What changes.
pub(crate) struct Inner {
    pub(crate) world: World,
    pub(crate) behaviour: Behaviour,
    pub(crate) faults: FaultQueue,
    pub(crate) records: Records,
    pub(crate) limit: RateLimit,
}

/// The constant parts of a [`Server`].
pub(crate) struct Fixed {
    pub(crate) url: String,
    pub(crate) credential: Credential,
    pub(crate) integration_ids: Vec<u64>,
    pub(crate) control: bool,
    pub(crate) clock: Clock,
}

impl Server {
    pub(crate) fn new(
        fixed: Fixed,
        store: Option<Store>,
        world: World,
        behaviour: Behaviour,
    ) -> Self {
        let Fixed {
            url,
            credential,
            integration_ids,
            control,
            clock,
        } = fixed;
        let inner = Mutex::new(Inner {
            world,
            behaviour,
            faults: FaultQueue::default(),
            records: Records::default(),
            limit: RateLimit::default(),
        });
        Self {
            url,
            credential,
            integration_ids,
            control,
            clock,
            store,
            inner,
        }
    }

    /// A panic in one request is no reason for the others to fail: every change is made on a copy first.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, in memory and on disk, or not at all. Blocks: not for an async thread.
    pub(crate) fn change<T>(
        &self,
        inner: &mut Inner,
        edit: impl FnOnce(&mut World, &Behaviour) -> T,
    ) -> Result<T, SandboxError> {
        let mut world = inner.world.clone();
        let result = edit(&mut world, &inner.behaviour);
        if let Some(store) = &self.store {
            store.save(&world).inspect_err(|error| {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "Cannot save the sandbox's state"
                );
            })?;
        }
        // Nothing speaks of the one before any more, and it is large.
        parallel::give_back(std::mem::replace(&mut inner.world, world));
        Ok(result)
    }

    /// Puts the counts of waiting pushes on disk; all else is there already.
    pub(crate) fn save_rest(&self) -> Result<(), SandboxError> {
        let mut inner = self.lock();
        if inner.world.pending.is_empty() {
            Ok(())
        } else {
            self.change(&mut inner, |_, _| ())
        }
    }
}

/// Runs what reads or writes files, or chews on a whole roster, off the async threads. It goes on to its end even when
/// the client is gone, as a server behind a gateway would.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being taken down, and takes whoever waits here along.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::sandbox::Permission;
    use crate::sandbox::seed::SeedEmployee;

    #[test]
    fn a_panic_in_a_change_leaves_the_state_as_it_was() {
        let clock = Clock::starting_at("2026-03-02T08:00:00Z".parse().unwrap());
        let today = clock.now().date_naive();
        let mut world = World::default();
        world.add(SeedEmployee::default().into_employee(today));
        let before = serde_json::to_string(&world).unwrap();
        let fixed = Fixed {
            url: String::new(),
            credential: Credential::new("k".to_owned(), "s".to_owned(), Permission::all()),
            integration_ids: vec![7],
            control: false,
            clock,
        };
        let server = Server::new(fixed, None, world, Behaviour::default());
        let change = || {
            let mut inner = server.lock();
            server.change(&mut inner, |world, _| {
                world.employees[0].own().first_name = "Half done".to_owned();
                world.add(SeedEmployee::default().into_employee(today));
                panic!("on purpose");
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
        assert_eq!(serde_json::to_string(&server.lock().world).unwrap(), before);
    }
}
