//! The `JobTicket` B2B API, imitated on loopback by this program itself. Nobody at `JobTicket` is changed by it.
//!
//! It is built from the vendor's public documentation alone and is no substitute for the vendor's staging system.
//! What the documentation leaves open is a switch of [`Behaviour`], so that a client can be tried under each answer.
//! Beyond that the sandbox assumes:
//!
//! - the health check is `GET /health`; an ended subscription has the status `cancelled`; a synced integration `ACTIVE`;
//! - the fields of a 422 are under `errors`, as `employees.<index>.<field>`;
//! - `firstName`, `lastName`, `email`, `hrId` and `syncId` are required, hrId and e-mail are unique in a body;
//! - a new hrId is a new person, even when a linked person has the same e-mail address;
//! - `terminationDate`, `autoSyncEmployee` and `absences` are taken and change nothing;
//! - `perPage` above 100 is a 400, sorting and filters do nothing, there are no documents and no webhooks.
//!
//! The hazard is imitated in full: a push replaces the roster, and an empty one offboards everyone.
//!
//! | file | owns |
//! | --- | --- |
//! | `connection` | sockets, and their end without an answer |
//! | `desk` | a request from arrival to answer: `auth`, `limit`, `fault`, then the routes |
//! | `server` | what all requests share |
//! | `api`, `control` | the routes |
//! | `validate`, `state`, `employee`, `shared` | what a push is, and what it does; pure |
//! | `items`, `answer` | the JSON of resources; refusals and broken answers |
//! | `behaviour`, `seed` | what is configured |
//! | `persist`, `record` | the state on disk; what was seen, in memory |

mod answer;
mod api;
mod auth;
mod behaviour;
mod connection;
mod control;
mod desk;
mod employee;
mod error;
mod fault;
mod items;
mod limit;
mod persist;
mod record;
mod seed;
mod server;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::auth::Credential;
pub use self::auth::Permission;
pub use self::behaviour::{
    Answer, Behaviour, DuplicateSyncId, LinkKey, LinksAfterOffboarding, Others, Presence,
    Processing, Refusal, RetryAfterForm,
};
use self::desk::Desk;
pub use self::error::SandboxError;
pub use self::fault::{Fault, FaultKind, FaultTarget};
use self::persist::Store;
pub use self::seed::{SeedEmployee, SeedLink};
use self::server::{Fixed, Server};
use self::state::World;
use crate::clock::Clock;

/// What a sandbox is started with.
#[derive(Clone)]
pub struct SandboxConfig {
    /// A loopback address; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where the state is kept; in memory without it.
    pub folder: Option<PathBuf>,
    /// The integrations that exist; any other is a 404.
    pub integration_ids: Vec<u64>,
    /// The user name of the one credential.
    pub key_id: String,
    /// Its password.
    pub key_secret: String,
    /// What the credential may do.
    pub permissions: BTreeSet<Permission>,
    /// The answers to what is not documented.
    pub behaviour: Behaviour,
    /// Whether `/_sandbox/` exists, where anyone on this machine may look at the state and ask for faults.
    pub control: bool,
    /// The time that the rate limit, the `Date` header and the state go by.
    pub clock: Clock,
    /// People to begin with, where the folder holds no state yet.
    pub seed: Vec<SeedEmployee>,
}

impl SandboxConfig {
    /// Any free port of 127.0.0.1, in memory, all permissions, the default behaviour, no control endpoints, nobody there.
    pub fn new(
        key_id: String,
        key_secret: String,
        integration_ids: Vec<u64>,
        clock: Clock,
    ) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            folder: None,
            integration_ids,
            key_id,
            key_secret,
            permissions: Permission::all(),
            behaviour: Behaviour::default(),
            control: false,
            clock,
            seed: Vec::new(),
        }
    }
}

impl fmt::Debug for SandboxConfig {
    /// Without the secret, and without the people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SandboxConfig")
            .field("listen", &self.listen)
            .field("folder", &self.folder)
            .field("integration_ids", &self.integration_ids)
            .field("permissions", &self.permissions)
            .field("behaviour", &self.behaviour)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// A running sandbox. Dropping it cuts all connections; [`Sandbox::stop`] lets them finish.
pub struct Sandbox {
    address: SocketAddr,
    server: Arc<Server>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a sandbox: opens its state, then listens.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback { address });
        }
        let store = config.folder.as_deref().map(Store::open).transpose()?;
        let saved = store.as_ref().map(Store::load).transpose()?.flatten();
        let world = saved.unwrap_or_else(|| seeded(config.seed, &config.clock));
        let failed = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let fixed = Fixed {
            url: format!("http://{address}"),
            credential: Credential::new(config.key_id, config.key_secret, config.permissions),
            integration_ids: config.integration_ids,
            control: config.control,
            clock: config.clock,
        };
        let server = Arc::new(Server::new(fixed, store, world, config.behaviour));
        let (stop, told) = watch::channel(false);
        let task = tokio::spawn(connection::serve(listener, Desk::new(server.clone()), told));
        tracing::info!(sandbox.address = %address, "The sandbox listens; nobody at JobTicket is changed by it");
        Ok(Self {
            address,
            server,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the API, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url.clone()
    }

    /// Stops: takes no more connections, lets running requests finish for five seconds, and leaves the state on disk.
    pub async fn stop(mut self) -> Result<(), SandboxError> {
        self.stop.send_replace(true);
        let ended = (&mut self.task).await;
        let server = self.server.clone();
        drop(self);
        let saved = server::blocking(move || server.save_rest()).await;
        ended.map_err(|_| SandboxError::Ended).and(saved)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The task owns all connections and takes them along.
        self.task.abort();
    }
}

fn seeded(people: Vec<SeedEmployee>, clock: &Clock) -> World {
    let today = clock.now().date_naive();
    let mut world = World::default();
    for person in people {
        world.add(person.into_employee(today));
    }
    world
}

/// Runs a sandbox until `shutdown` is ready, for the command line; `ready` is told where it listens.
pub async fn serve_until(
    config: SandboxConfig,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), SandboxError> {
    let mut sandbox = Sandbox::start(config).await?;
    ready(sandbox.address());
    tokio::select! {
        () = shutdown => sandbox.stop().await,
        _ = &mut sandbox.task => Err(SandboxError::Ended),
    }
}
