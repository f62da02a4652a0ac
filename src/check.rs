//! The command `check`: is everything in order? It reaches the sources and the API, and changes nothing but the request ledger.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::{Config, Integration, Limit, SecretRef};
use crate::exit::Exit;
use crate::jobticket::{CallError, Outcome};
use crate::plan::Known;
use crate::roster::{Delivery, assemble};
use crate::source::{self, Pulled, Taken};
use crate::store::{self, Store, Target};
use crate::sync::{Secrets, connect, selection_of, target_of};

/// What was found of one integration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Which.
    pub integration: String,
    /// Its environment.
    pub environment: String,
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
            if self.errors.is_empty() {
                "In order"
            } else {
                "NOT in order"
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

/// Checks the integration at this position of the configuration.
pub async fn check(config: &Config, position: usize, offline: bool, clock: &Clock) -> Checked {
    let integration = &config.integrations[position];
    let mut found = Checked {
        integration: integration.name.clone(),
        environment: integration.jobticket.environment_name(),
        facts: vec!["configuration: understood".to_owned()],
        warnings: Vec::new(),
        errors: Vec::new(),
        exit_code: Exit::Done,
    };
    let secrets = secrets(config, position, offline, &mut found);
    if offline {
        return found;
    }
    let target = target_of(integration);
    let state =
        tokio::task::block_in_place(|| state(config, integration, &target, clock, &mut found));
    let selected =
        tokio::task::block_in_place(|| sources(config, integration, &state, clock, &mut found));
    let snapshot = state.known.snapshot.as_ref().map(Vec::len);
    limits(integration, snapshot, selected, &mut found);
    if let Some(secrets) = secrets {
        api(config, integration, &secrets, clock, &mut found).await;
    }
    found
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
    if offline && unit_only {
        found.warnings.push(
            "a systemd credential is visible to the service only and was not checked".to_owned(),
        );
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

/// What the store knows, if there is one.
#[derive(Default)]
struct State {
    store: Option<Store>,
    target: Option<Target>,
    known: Known,
}

fn state(
    config: &Config,
    integration: &Integration,
    target: &Target,
    clock: &Clock,
    found: &mut Checked,
) -> State {
    if !config.state_dir.join(store::FILE).exists() {
        found
            .facts
            .push("state: none yet; the first run makes it".to_owned());
        return State::default();
    }
    let read = || -> Result<State, store::StoreError> {
        let store = Store::open(&config.state_dir, clock.clone())?;
        let known = Known {
            snapshot: store.snapshot(target)?,
            doubtful: None,
        };
        Ok(State {
            known,
            store: Some(store),
            target: Some(target.clone()),
        })
    };
    match read() {
        Ok(state) => {
            let people = state
                .known
                .snapshot
                .as_ref()
                .map_or("none".to_owned(), |people| {
                    format!("{} employees", people.len())
                });
            found
                .facts
                .push(format!("snapshot of {}: {people}", integration.name));
            state
        }
        Err(error) => {
            found.wrong(Exit::Unexpected, source::chain(&error));
            State::default()
        }
    }
}

/// Looks at every source. Returns how many rows were selected.
fn sources(
    config: &Config,
    integration: &Integration,
    state: &State,
    clock: &Clock,
    found: &mut Checked,
) -> usize {
    let mut selected = 0;
    for (position, source) in integration.sources.iter().enumerate() {
        let known = state.store.as_ref().zip(state.target.as_ref());
        let last = known
            .and_then(|(store, target)| store.source(target, &source.name).ok().flatten())
            .and_then(|state| Taken::from_text(&state.taken));
        let filled = known
            .and_then(|(store, target)| store.filled_fields(target, &source.name).ok())
            .unwrap_or_default();
        let filled: HashSet<_> = filled;
        let name = &source.name;
        match source::pull(source, last.as_ref(), &filled, clock.now(), config.timezone) {
            Ok(Pulled::Read {
                taken,
                delivery,
                rows,
                rules,
            }) => {
                selected += delivery.rows.len();
                found.facts.push(format!(
                    "source {name}: {}, {rows} rows, {} selected",
                    taken.name,
                    delivery.rows.len()
                ));
                for rule in rules {
                    let line = format!("source {name}: {} matched {} rows", rule.rule, rule.rows);
                    if rule.rows == 0 {
                        found.warnings.push(line);
                    } else {
                        found.facts.push(line);
                    }
                }
                judge(
                    config,
                    integration,
                    position,
                    delivery,
                    &taken.name,
                    state,
                    clock,
                    found,
                );
            }
            Ok(Pulled::NothingNewer { not_yet }) => {
                let what = not_yet.map_or("no newer file".to_owned(), |name| {
                    format!("a newer file is not complete yet ({name})")
                });
                found
                    .facts
                    .push(format!("source {name}: {what}; the last roster counts"));
            }
            Err(error) => found.wrong(
                Exit::SourceFailed,
                format!("source {name}: {}", source::chain(&error)),
            ),
        }
    }
    selected
}

/// What the next run would say of the rows of one source.
#[expect(clippy::too_many_arguments, reason = "all that a run knows")]
fn judge(
    config: &Config,
    integration: &Integration,
    position: usize,
    delivery: Delivery,
    file: &str,
    state: &State,
    clock: &Clock,
    found: &mut Checked,
) {
    let source = &integration.sources[position];
    let selected = delivery.rows.len();
    let selection = selection_of(config, integration, clock);
    let assembly = assemble(vec![delivery], selection, |hr_id| {
        state.known.contains(hr_id)
    });
    let rejected: Vec<_> = assembly.rejected.iter().collect();
    let name = &source.name;
    if let Some(error) = source::too_many_rejected(source, &rejected, selected, file) {
        return found.wrong(Exit::SourceFailed, format!("source {name}: {error}"));
    }
    for row in rejected {
        let line = source::rejected_in_words(source, row);
        found.warnings.push(format!("source {name}: {line}"));
    }
    for row in &assembly.incomplete {
        found.facts.push(format!(
            "source {name}: row {} is of somebody new without {}",
            row.line, row.field
        ));
    }
}

fn limits(
    integration: &Integration,
    snapshot: Option<usize>,
    selected: usize,
    found: &mut Checked,
) {
    let (of, whose) = match snapshot {
        Some(people) => (people, "in the snapshot"),
        None => (selected, "in these sources"),
    };
    let limits = &integration.limits;
    for (limit, who) in [
        (limits.leavers, "unexplained leaver"),
        (limits.explained_leavers, "explained leaver"),
        (limits.joiners, "joiner"),
        (limits.changed, "changed employee"),
    ] {
        found.facts.push(in_words(limit, who, of, whose));
    }
}

fn in_words(limit: Limit, who: &str, of: usize, whose: &str) -> String {
    let first = limit.allowed(of as u64) + 1;
    format!(
        "held from the {} {who} (of {of} people {whose})",
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
    let link = match connect(config, integration, secrets, clock, None).await {
        Ok(link) => link,
        Err(error) => return found.wrong(Exit::Configuration, source::chain(&error)),
    };
    let failed = |error: &CallError| match error {
        CallError::Failed { outcome, .. } if outcome.is_refusal() => Exit::Refused,
        CallError::Incomplete(_) => Exit::Refused,
        CallError::Failed { .. } | CallError::Gate(_) => Exit::Unreachable,
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
                Err(error) => found.wrong(failed(&error), source::chain(&error)),
            }
        }
        Err(error) => found.wrong(failed(&error), source::chain(&error)),
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
            in_words(limit, "unexplained leaver", 400, "in the snapshot"),
            "held from the 11th unexplained leaver (of 400 people in the snapshot)"
        );
        assert_eq!(
            [1, 2, 3, 4, 12, 21, 101].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "12th", "21st", "101st"]
        );
    }
}
