//! From an integration to a client that can talk: secrets, ledger, and the sandbox where that is the environment.
//!
//! Made only when the first request is due: a run in which nothing changed opens no connection and starts no sandbox.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Integration, Secret, SecretError, SecretRef};
use crate::jobticket::{Client, Connection};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxError};
use crate::store::{Ledger, StoreError};

/// The key id of the sandbox inside the program. Its secret is made anew each time.
const SANDBOX_KEY: &str = "sandbox";

/// The credential of an integration and what belongs to it, read before the run begins.
#[derive(Debug)]
pub struct Secrets {
    key: Option<(Secret, Secret)>,
    ca: Option<Vec<u8>>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The sandbox did not start.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The request ledger cannot be used.
    #[error("The request ledger cannot be used: {0}")]
    Ledger(#[from] StoreError),
    /// TLS, the certificate authority or the address.
    #[error("{0}")]
    Client(String),
}

impl Secrets {
    /// None, for a run that asks nobody.
    pub(super) fn none() -> Self {
        Self {
            key: None,
            ca: None,
        }
    }

    /// Reads the secrets of these integrations of a configuration.
    ///
    /// # Errors
    /// All that cannot be read, with file and line of their keys.
    pub fn read_all(config: &Config, chosen: &[&Integration]) -> Result<Vec<Self>, ConfigError> {
        let (mut secrets, mut wrong) = (Vec::new(), Vec::new());
        for integration in chosen {
            match Self::read(integration) {
                Ok(read) => secrets.push(read),
                Err(failed) => {
                    let mut all = config.integrations.iter();
                    let place = all.position(|one| one.name == integration.name);
                    let failed = failed.into_iter();
                    wrong.extend(failed.map(|(key, error)| (place.unwrap_or(0), key, error)));
                }
            }
        }
        if wrong.is_empty() {
            Ok(secrets)
        } else {
            Err(config.wrong(wrong))
        }
    }

    /// Reads the secrets of an integration.
    ///
    /// # Errors
    /// Each one that cannot be read, with its key.
    pub fn read(integration: &Integration) -> Result<Self, Vec<(&'static str, String)>> {
        let jobticket = &integration.jobticket;
        let mut failed = Vec::new();
        let mut read = |key, secret: &Option<SecretRef>| {
            let secret = secret.as_ref()?;
            secret
                .read()
                .map_err(|error: SecretError| failed.push((key, error.to_string())))
                .ok()
        };
        let id = read("api_key_id", &jobticket.api_key_id);
        let secret = read("api_key_secret", &jobticket.api_key_secret);
        let ca = jobticket.ca_file.as_ref().and_then(|path| {
            std::fs::read(path)
                .map_err(|cause| {
                    failed.push((
                        "ca_file",
                        format!("The file {} cannot be read ({cause})", path.display()),
                    ));
                })
                .ok()
        });
        if failed.is_empty() {
            Ok(Self {
                key: id.zip(secret),
                ca,
            })
        } else {
            Err(failed)
        }
    }
}

/// A client, and the sandbox behind it where there is one.
#[derive(Debug)]
pub struct Link {
    client: Client<Ledger>,
    sandbox: Option<Sandbox>,
}

impl Link {
    /// The client.
    pub fn client(&self) -> &Client<Ledger> {
        &self.client
    }

    /// How long requests have waited for the rate limit, milliseconds.
    pub fn waited_ms(&self) -> u64 {
        super::millis(self.client.gate().waited())
    }

    /// Makes no further attempts once this is set.
    pub fn stops_with(&mut self, stopping: Arc<AtomicBool>) {
        self.client.stops_with(stopping);
    }

    /// Ends the sandbox, if there is one; its state is on disk then.
    pub async fn close(self) {
        if let Some(sandbox) = self.sandbox
            && let Err(error) = sandbox.stop().await
        {
            tracing::error!("The sandbox did not end well: {error}");
        }
    }
}

/// Makes the client of an integration. `sandbox_folder` is where the sandbox keeps its state; `None` keeps it in memory.
pub async fn connect(
    config: &Config,
    integration: &Integration,
    secrets: &Secrets,
    clock: &Clock,
    sandbox_folder: Option<&Path>,
) -> Result<Link, ConnectError> {
    let jobticket = &integration.jobticket;
    let (url, key_id, key_secret, sandbox) = if jobticket.is_sandbox() {
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let ids = vec![jobticket.integration_id];
        let mut settings =
            SandboxConfig::new(SANDBOX_KEY.to_owned(), secret.clone(), ids, clock.clone());
        settings.folder =
            sandbox_folder.map(|folder| folder.join(jobticket.integration_id.to_string()));
        let sandbox = Sandbox::start(settings).await?;
        (
            sandbox.url(),
            Secret::new(SANDBOX_KEY),
            Secret::new(secret),
            Some(sandbox),
        )
    } else {
        let missing =
            || ConnectError::Client("api_key_id and api_key_secret are not configured".to_owned());
        let (id, secret) = secrets.key.clone().ok_or_else(missing)?;
        let url = jobticket
            .url()
            .ok_or_else(|| ConnectError::Client("There is no address".to_owned()))?;
        (url.to_owned(), id, secret, None)
    };
    let url = reqwest::Url::parse(&url)
        .map_err(|error| ConnectError::Client(format!("The address is wrong: {error}")))?;
    let ledger = tokio::task::block_in_place(|| {
        Ledger::open(config.ledger_folder(), key_id.expose(), clock.clone())
    })?;
    let connection = Connection {
        url,
        integration_id: jobticket.integration_id,
        key_id,
        key_secret,
        credential_of_unit: !jobticket.is_sandbox()
            && [&jobticket.api_key_id, &jobticket.api_key_secret]
                .into_iter()
                .flatten()
                .any(SecretRef::is_of_unit),
        ca: secrets.ca.clone(),
        timeouts: jobticket.timeouts,
        patience: Duration::from_secs(jobticket.retry_seconds),
    };
    let client = Client::new(connection, ledger, clock.clone()).map_err(ConnectError::Client)?;
    Ok(Link { client, sandbox })
}
