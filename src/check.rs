//! The command `check`: is everything in order? It reaches the sources and the API, and changes nothing but the request ledger.

mod ahead;
mod channels;
mod keys;
mod privacy;
mod rest;
mod scheduled;

use std::fmt;

use serde::Serialize;

pub use privacy::privacy;
pub use scheduled::Scheduled;

use crate::clock::Clock;
use crate::config::{Config, Integration, SecretRef, Source};
use crate::exit::Exit;
use crate::jobticket::{CallError, Outcome};
use crate::source;
use crate::store::Store;
use crate::sync::{Ending, Secrets, connect, numbers};

/// What was found of one integration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Which.
    pub integration: String,
    /// Its environment.
    pub environment: String,
    /// When it runs next; `None` without a schedule.
    pub schedule: Option<Scheduled>,
    /// What is in order, and what to know.
    pub facts: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// The exit code.
    pub exit_code: Exit,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.integration, self.environment)?;
        for fact in &self.facts {
            writeln!(f, "  {fact}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  WARNING: {warning}")?;
        }
        for error in &self.errors {
            writeln!(f, "  ERROR: {error}")?;
        }
        writeln!(
            f,
            "  {}",
            match (self.errors.is_empty(), self.exit_code) {
                (true, Exit::Done) => "In order",
                (true, _) => "In order, but a run would not end with 0: see the warnings",
                (false, _) => "NOT in order",
            }
        )
    }
}

impl Checked {
    fn wrong(&mut self, exit: Exit, error: impl Into<String>) {
        self.errors.push(error.into());
        self.exit_code = self.exit_code.and(exit);
    }
}

/// How an integration is checked.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Reach neither sources nor API.
    pub offline: bool,
    /// Only show the record with this number of a source that is asked over HTTP.
    pub record: Option<u64>,
}

/// Checks the integration at this position of the configuration.
pub async fn check(config: &Config, position: usize, how: How, clock: &Clock) -> Checked {
    let How { offline, record } = how;
    let integration = &config.integrations[position];
    let (schedule, runs) = scheduled::scheduled(config, integration, clock.now());
    let mut found = Checked {
        integration: integration.name.clone(),
        environment: integration.jobticket.environment_name(),
        schedule,
        facts: vec!["configuration: understood".to_owned(), runs],
        warnings: Vec::new(),
        errors: Vec::new(),
        exit_code: Exit::Done,
    };
    if record.is_some() {
        if rest::has_rest(integration) {
            rest::look(config, integration, clock, record, &mut found).await;
        } else {
            let none = "no source of type rest has records to show";
            found.wrong(Exit::Configuration, none);
        }
        return found;
    }
    let (watched, alone) = scheduled::watched(integration);
    found.facts.extend(watched);
    found.warnings.extend(alone);
    channels::channels(config, &mut found);
    let secrets = secrets(config, position, offline, &mut found);
    tokio::task::block_in_place(|| {
        keys::open_to_all(integration, &mut found);
        keys::keys(config, position, offline, clock.now(), &mut found);
    });
    let mapped = hrid_map(integration, &mut found);
    if offline {
        logins(integration, &mut found);
        return found;
    }
    if rest::has_rest(integration) {
        rest::look(config, integration, clock, None, &mut found).await;
    } else if mapped
        && let Some(store) = tokio::task::block_in_place(|| store(config, clock, &mut found))
    {
        ahead::ahead(config, integration, &store, clock, &mut found).await;
    }
    if let Some(secrets) = secrets {
        api(config, integration, &secrets, clock, &mut found).await;
    }
    found
}

/// Whether the secrets with which sources log in can be read. With the sources themselves, a pull says so.
fn logins(integration: &Integration, found: &mut Checked) {
    for source in &integration.sources {
        let name = &source.name;
        let before = found.errors.len();
        for secret in source.secrets().filter(|secret| !secret.needs_unit()) {
            if let Err(error) = secret.read_bytes() {
                found.wrong(Exit::SourceFailed, format!("source {name}: {error}"));
            }
        }
        let all_here = !source.secrets().any(SecretRef::needs_unit);
        if all_here
            && found.errors.len() == before
            && let Err(error) = source::try_keys(source)
        {
            let error = source::chain(&error);
            found.wrong(Exit::SourceFailed, format!("source {name}: {error}"));
        }
    }
}

/// Whether the map of hrIds is in order, or none is configured. Without it a run ends before it reads the sources.
fn hrid_map(integration: &Integration, found: &mut Checked) -> bool {
    match tokio::task::block_in_place(|| numbers(integration)) {
        Ok(read) => {
            if read.sha256.is_some() {
                let people = read.map.len();
                found.facts.push(format!("hrid_map: names {people} people"));
            }
            true
        }
        Err(error) => {
            found.wrong(Exit::Configuration, error);
            false
        }
    }
}

/// The store, or an empty one in memory where there is none yet.
fn store(config: &Config, clock: &Clock, found: &mut Checked) -> Option<Store> {
    let opened = match Store::is_in(&config.state_dir) {
        Ok(false) => {
            found
                .facts
                .push("state: none yet; the first run makes it".to_owned());
            Store::in_memory(clock.clone())
        }
        // What cannot be looked at is told by the attempt to open it.
        Ok(true) | Err(_) => Store::open(&config.state_dir, clock.clone()),
    };
    match opened {
        Ok(store) => Some(store),
        Err(error) => {
            found.wrong(Exit::Unexpected, source::chain(&error));
            None
        }
    }
}

fn secrets(
    config: &Config,
    position: usize,
    offline: bool,
    found: &mut Checked,
) -> Option<Secrets> {
    let integration = &config.integrations[position];
    let jobticket = &integration.jobticket;
    let unit_only = [&jobticket.api_key_id, &jobticket.api_key_secret]
        .into_iter()
        .flatten()
        .any(SecretRef::needs_unit);
    let of_sources = integration.sources.iter().flat_map(Source::secrets);
    if offline && (unit_only || of_sources.into_iter().any(SecretRef::needs_unit)) {
        found.warnings.push(
            "a systemd credential is visible to the service only and was not checked".to_owned(),
        );
    }
    if offline && unit_only {
        return None;
    }
    match Secrets::read(integration) {
        Ok(secrets) => {
            if jobticket.api_key_id.is_some() {
                found
                    .facts
                    .push("secrets of JobTicket: readable".to_owned());
            }
            Some(secrets)
        }
        Err(failed) => {
            let failed = failed
                .into_iter()
                .map(|(key, error)| (position, key, error));
            found.wrong(
                Exit::Configuration,
                config.wrong(failed.collect()).to_string(),
            );
            None
        }
    }
}

async fn api(
    config: &Config,
    integration: &Integration,
    secrets: &Secrets,
    clock: &Clock,
    found: &mut Checked,
) {
    // Somebody is waiting for the answer: a JobTicket that is not there is told soon.
    let mut integration = integration.clone();
    let patience = &mut integration.jobticket.retry_seconds;
    *patience = 5.min(*patience);
    let integration = &integration;
    let link = match connect(config, integration, secrets, clock, None).await {
        Ok(link) => link,
        Err(error) => {
            let text = source::chain(&error);
            return found.wrong(Ending::from(error).exit(), text);
        }
    };
    match link.client().probe().await {
        Ok((total, date)) => {
            found.facts.push(if integration.jobticket.is_sandbox() {
                "the sandbox: starts, and accepts its credential".to_owned()
            } else {
                format!("JobTicket: reached, the credential is accepted, {total} employees there")
            });
            if date.is_some_and(|date| (date - clock.now()).abs() > chrono::Duration::hours(24)) {
                found.wrong(
                    Exit::Unexpected,
                    "this machine's clock and JobTicket's are more than a day apart",
                );
            }
            if integration.jobticket.is_sandbox() {
                return link.close().await;
            }
            match link.client().integration().await {
                Ok(there) => {
                    let name = there.name.unwrap_or_default();
                    let status = there.status.unwrap_or_default();
                    found.facts.push(format!("HR integration {}: {name} {status}", there.id).trim_end().to_owned());
                }
                Err(CallError::Failed { outcome: Outcome::Forbidden, .. }) => found.warnings.push(
                    "the credential may not view HR integrations (view-hr-integrations), so a push can only be confirmed by listing employees".to_owned(),
                ),
                Err(error) => {
 let text = source::chain(&error);
 found.wrong(Ending::from(error).exit(), text);
}
            }
        }
        Err(error) => {
            let text = source::chain(&error);
            found.wrong(Ending::from(error).exit(), text);
        }
    }
    link.close().await;
}
