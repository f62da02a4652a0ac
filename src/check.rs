//! The command `check`: is everything in order? It reaches the sources and the API, and changes nothing but the request ledger.

mod channels;
mod keys;
mod privacy;
mod rest;
mod scheduled;

use std::fmt;

use serde::Serialize;

pub use privacy::privacy;
pub use scheduled::Scheduled;

use crate::audit::AuditFile;
use crate::clock::Clock;
use crate::config::{Config, Integration, Limit, SecretRef, Source};
use crate::exit::Exit;
use crate::jobticket::{CallError, Outcome};
use crate::plan::Counts;
use crate::source::{self, RuleCount};
use crate::store::Store;
use crate::sync::{Context, Ending, RejectedRow, Secrets, connect, forecast, numbers};

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
        ahead(config, integration, &store, clock, &mut found).await;
    }
    if let Some(secrets) = secrets {
        api(config, integration, &secrets, clock, &mut found).await;
    }
    found
}

/// Whether the secrets with which sources log in can be read. With the sources themselves, a pull says so.
fn logins(integration: &Integration, found: &mut Checked) {
    for source in &integration.sources {
        for secret in source.secrets().filter(|secret| !secret.needs_unit()) {
            if let Err(error) = secret.read_bytes() {
                let name = &source.name;
                found.wrong(Exit::SourceFailed, format!("source {name}: {error}"));
            }
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

/// What a run would say now.
async fn ahead(
    config: &Config,
    integration: &Integration,
    store: &Store,
    clock: &Clock,
    found: &mut Checked,
) {
    let audit = AuditFile::of(config);
    let context = Context {
        config,
        store,
        audit: &audit,
        clock,
        user: "",
        stage: &|_| {},
    };
    let report = forecast(&context, integration).await;
    for source in &report.sources {
        let name = &source.name;
        let note = source.note.clone().unwrap_or_default();
        if source.status == "failed" {
            found.wrong(Exit::SourceFailed, format!("source {name}: {note}"));
            continue;
        }
        let file = source.file.as_deref().unwrap_or(&note);
        let (rows, selected) = (source.rows, source.selected);
        found.facts.push(format!(
            "source {name}: {}, {file}, {rows} rows, {selected} selected",
            source.status
        ));
        for RuleCount { rule, rows } in &source.rules {
            let line = format!("source {name}: {rule} matches {rows} rows");
            if *rows == 0 {
                found.warnings.push(line);
            } else {
                found.facts.push(line);
            }
        }
    }
    for row in report.rejected.iter().take(20) {
        let RejectedRow {
            source,
            row,
            column,
            reason,
            ..
        } = row;
        found.warnings.push(format!(
            "source {source}: row {row}, column {column}: {reason}"
        ));
    }
    if report.rejected.len() > 20 {
        found.warnings.push(format!(
            "and {} more rows that make no sense",
            report.rejected.len() - 20
        ));
    }
    for row in &report.incomplete {
        found.facts.push(format!(
            "source {}: row {} is of somebody new without {}",
            row.source, row.row, row.field
        ));
    }
    found.warnings.extend(report.notes.iter().cloned());
    if let Some(people) = report.snapshot {
        found.facts.push(format!("snapshot: {people} employees"));
        limits(integration, people, "", found);
    } else {
        let none = "snapshot: none yet; the limits begin with the push after the first";
        found.facts.push(none.to_owned());
        limits(integration, report.roster, "after the first push: ", found);
    }
    let Counts {
        joiners,
        leavers,
        changed,
        ..
    } = report.counts;
    match (&report.ending, report.ending.message()) {
        (Ending::Unchanged, _) => found.facts.push("a run now: nothing to do".to_owned()),
        (Ending::WouldPush { .. }, _) => found.facts.push(format!(
            "a run now: would push {joiners} joiners, {leavers} leavers and {changed} changed employees"
        )),
        // The sources have said it themselves.
        (Ending::SourceFailed, _) | (_, None) => {}
        (Ending::Held { .. }, Some(message)) => found.warnings.push(format!("a run now: {message}")),
        (_, Some(message)) => found.errors.push(format!("a run now: {message}")),
    }
    found.exit_code = found.exit_code.and(report.exit_code);
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
            found.facts.push("secrets: readable".to_owned());
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

fn limits(integration: &Integration, people: usize, when: &str, found: &mut Checked) {
    let limits = &integration.limits;
    for (limit, who) in [
        (limits.leavers, "unexplained leaver"),
        (limits.explained_leavers, "explained leaver"),
        (limits.joiners, "joiner"),
        (limits.changed, "changed employee"),
    ] {
        let words = in_words(limit, who, people);
        found.facts.push(format!("{when}{words}"));
    }
}

fn in_words(limit: Limit, who: &str, people: usize) -> String {
    let first = limit.allowed(people as u64) + 1;
    format!(
        "held from the {} {who} in one run, of {people} people",
        ordinal(first)
    )
}

fn ordinal(number: u64) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_in_words() {
        let limit = Limit {
            percent: 5.0,
            count: Some(10),
            at_least: 2,
        };
        assert_eq!(
            in_words(limit, "unexplained leaver", 400),
            "held from the 11th unexplained leaver in one run, of 400 people"
        );
        assert_eq!(
            [1, 2, 3, 4, 12, 21, 101].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "12th", "21st", "101st"]
        );
    }
}
