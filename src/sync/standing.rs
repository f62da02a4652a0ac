//! Where an integration stands between its runs: what the last one remembered of itself, and what keeps the next one from pushing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::confirm::Unconfirmed;
use super::failures::{Failures, Refused};
use super::{Ending, Link, Run, RunReport, off};
use crate::config::Integration;
use crate::store::{Fact, Notes, Store, StoreError, Target};

/// How the last run that is on record has ended. Dry runs are none, nor are those that a pause or another run in progress has turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Its id.
    pub run: String,
    /// What set it off.
    pub trigger: String,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How it ended, in a word or two.
    pub result: String,
    /// Its exit code.
    pub exit_code: u8,
    /// What went wrong, in a sentence.
    pub message: Option<String>,
    /// When a run last ended with JobTicket in step: pushed, or nothing changed.
    pub last_success: Option<DateTime<Utc>>,
}

/// A source that failed when it was pulled last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedSource {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
    /// Since when its last good roster stands in for it; `None`: it has never delivered.
    pub frozen_since: Option<DateTime<Utc>>,
}

/// A file that was used and could not be put away. It does no harm where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotPutAway {
    /// The source.
    pub source: String,
    /// Which file, and why.
    pub why: String,
}

/// What the store remembers of an integration's runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The last run.
    pub last_run: Option<LastRun>,
    /// Sources that failed when they were pulled last.
    pub failed_sources: Vec<FailedSource>,
    /// Files that were used and could not be put away.
    pub not_put_away: Vec<NotPutAway>,
    /// JobTicket refuses the credential: since when, what it answered, and when a scheduled run tries again.
    pub credential_refused: Option<CredentialRefused>,
    /// Servers of sources that refuse the login.
    pub refused_logins: Vec<RefusedLogin>,
    /// JobTicket could not be used: how often in a row, and when a scheduled run tries again.
    pub backing_off: Option<BackingOff>,
    /// How many people lost their tickets by a push that was not about them; pushing goes on when a person has approved that.
    pub tickets_lost: usize,
    /// A push of which JobTicket does not show everything yet.
    pub unconfirmed: Option<UnconfirmedPush>,
    /// JobTicket was found to differ, and nobody has looked since and found no difference.
    pub found_drift: Option<FoundDrift>,
}

/// JobTicket refuses the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRefused {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What it answered.
    pub outcome: String,
    /// Before this, no scheduled run tries again.
    pub until: DateTime<Utc>,
}

/// The server of a source refuses the login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedLogin {
    /// The source.
    pub source: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What it answered.
    pub outcome: String,
}

/// JobTicket could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackingOff {
    /// How often in a row.
    pub failures: u32,
    /// Before this, no scheduled run tries again.
    pub until: DateTime<Utc>,
}

/// JobTicket was found to differ from the snapshot, by the command `drift` or by the read-back before a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundDrift {
    /// When that was found first, and not seen to be over since.
    pub since: DateTime<Utc>,
    /// When somebody looked last.
    pub at: DateTime<Utc>,
    /// How many people differed then.
    pub people: usize,
}

impl FoundDrift {
    /// Remembers what a look has found; nothing is what ends it.
    pub(super) fn keep(
        store: &Store,
        target: &Target,
        people: usize,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let old: Option<Self> = store.fact(target, Fact::FoundDrift)?;
        if people == 0 && old.is_none() {
            return Ok(());
        }
        let new = (people > 0).then(|| Self {
            since: old.map_or(now, |old| old.since.min(now)),
            at: now,
            people,
        });
        store.set_fact(target, Fact::FoundDrift, new.as_ref(), &Notes::default())
    }
}

/// A push of which JobTicket does not show everything yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnconfirmedPush {
    /// Its syncId.
    pub sync_id: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether that is longer than `read_back.within_hours`, so that it counts as drift.
    pub overdue: bool,
}

/// Where an integration stands. Blocks.
pub fn standing(
    store: &Store,
    target: &Target,
    integration: &Integration,
    now: DateTime<Utc>,
) -> Result<Standing, StoreError> {
    let refused: Option<Refused> = store.fact(target, Fact::Refused)?;
    let failures: Option<Failures> = store.fact(target, Fact::Failures)?;
    let lost: Option<Vec<u64>> = store.fact(target, Fact::TicketsLost)?;
    let unconfirmed: Option<Unconfirmed> = store.fact(target, Fact::Unconfirmed)?;
    let within = TimeDelta::hours(integration.read_back.within_hours.into());
    // A source that was taken out of the configuration stands in for nobody.
    let failed: Option<Vec<FailedSource>> = store.fact(target, Fact::FailedSources)?;
    let mut failed = failed.unwrap_or_default();
    let is_configured = |name: &str| integration.sources.iter().any(|one| one.name == name);
    failed.retain(|source| is_configured(&source.name));
    let not_put_away: Option<BTreeMap<String, String>> = store.fact(target, Fact::NotPutAway)?;
    let not_put_away = not_put_away.unwrap_or_default().into_iter();
    let not_put_away = not_put_away.map(|(source, why)| NotPutAway { source, why });
    let logins: Option<BTreeMap<String, Refused>> = store.fact(target, Fact::Logins)?;
    let logins = logins.unwrap_or_default().into_iter();
    let logins = logins.filter(|(name, login)| login.is_sure && is_configured(name));
    Ok(Standing {
        refused_logins: logins
            .map(|(source, login)| RefusedLogin {
                source,
                since: login.since,
                outcome: login.outcome,
            })
            .collect(),
        last_run: store.fact(target, Fact::LastRun)?,
        failed_sources: failed,
        not_put_away: not_put_away
            .filter(|one| is_configured(&one.source))
            .collect(),
        credential_refused: refused.map(|refused| CredentialRefused {
            until: refused.until(),
            since: refused.since,
            outcome: refused.outcome,
        }),
        backing_off: failures.map(|failures| BackingOff {
            until: failures.until(),
            failures: failures.count,
        }),
        found_drift: store.fact(target, Fact::FoundDrift)?,
        tickets_lost: lost.map_or(0, |lost| lost.len()),
        unconfirmed: unconfirmed.map(|push| UnconfirmedPush {
            overdue: now - push.since >= within,
            sync_id: push.sync_id,
            since: push.since,
        }),
    })
}

impl Run<'_> {
    /// Records the end of a run that the store keeps.
    pub(super) fn keep_end(&self, report: &RunReport, notes: &Notes) -> Result<(), StoreError> {
        let store = self.context.store;
        // The status tells of a pause as long as it is in force; what was before it counts again after it.
        let counts = !matches!(report.ending, Ending::Paused { .. });
        let ended = self.last_run(report)?;
        let ended = counts.then_some(&ended);
        let outcome = match self.refused_credential {
            Some(_) => "credential refused",
            None => report.ending.name(),
        };
        off(|| {
            let outcome = (outcome, report.exit_code);
            store.end_run(self.id, &self.target, outcome, ended, notes)
        })
    }

    /// Remembers how a run ended that the store does not keep, for its time is in doubt.
    pub(super) fn keep_end_alone(&self, report: &RunReport) -> Result<(), StoreError> {
        let ended = self.last_run(report)?;
        let (store, notes) = (self.context.store, Notes::default());
        off(|| store.set_fact(&self.target, Fact::LastRun, Some(&ended), &notes))
    }

    fn last_run(&self, report: &RunReport) -> Result<LastRun, StoreError> {
        let store = self.context.store;
        let now = self.context.clock.now();
        let old: Option<LastRun> = off(|| store.fact(&self.target, Fact::LastRun))?;
        let success = matches!(report.ending, Ending::Pushed { .. } | Ending::Unchanged);
        Ok(LastRun {
            run: self.id.to_owned(),
            trigger: self.options.trigger.clone(),
            ended_at: now,
            result: report.ending.name().to_owned(),
            exit_code: report.exit_code.code(),
            message: report.ending.message(),
            last_success: if success {
                Some(now)
            } else {
                old.and_then(|old| old.last_success)
            },
        })
    }

    /// Remembers which sources failed in this pull.
    pub(super) fn keep_failed(&self, report: &RunReport) -> Result<(), StoreError> {
        if self.options.dry_run || self.silent {
            return Ok(());
        }
        let store = self.context.store;
        let old: Option<Vec<FailedSource>> = off(|| store.fact(&self.target, Fact::FailedSources))?;
        let mut failed = Vec::new();
        for source in report.sources.iter().filter(|source| source.failed()) {
            let state = off(|| store.source(&self.target, &source.name))?;
            failed.push(FailedSource {
                name: source.name.clone(),
                why: source.note.clone().unwrap_or_default(),
                frozen_since: state.map(|state| state.delivered_at),
            });
        }
        let new = (!failed.is_empty()).then_some(failed);
        if new == old {
            return Ok(());
        }
        let notes = Notes::default();
        off(|| store.set_fact(&self.target, Fact::FailedSources, new.as_ref(), &notes))
    }

    /// Remembers which files could not be put away.
    pub(super) fn keep_not_put_away(
        &self,
        report: &RunReport,
        failed: BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let store = self.context.store;
        let old: Option<BTreeMap<String, String>> =
            off(|| store.fact(&self.target, Fact::NotPutAway))?;
        let mut new = failed;
        // Of a source that failed nothing was used, nor looked at again.
        for source in report.sources.iter().filter(|source| source.failed()) {
            let old = old.as_ref().and_then(|old| old.get(&source.name));
            new.extend(old.map(|old| (source.name.clone(), old.clone())));
        }
        let new = (!new.is_empty()).then_some(new);
        if new == old {
            return Ok(());
        }
        let notes = Notes::default();
        off(|| store.set_fact(&self.target, Fact::NotPutAway, new.as_ref(), &notes))
    }

    /// Remembers by which name the request ledger knows the credential, so that whoever looks at its state needs no secret.
    pub(super) fn keep_credential(&self, link: &Link) -> Result<(), StoreError> {
        if self.options.dry_run || self.silent {
            return Ok(());
        }
        let store = self.context.store;
        let new = link.client().gate().credential();
        let old: Option<String> = off(|| store.fact(&self.target, Fact::Credential))?;
        if old.as_deref() == Some(new) {
            return Ok(());
        }
        let (new, notes) = (new.to_owned(), Notes::default());
        off(|| store.set_fact(&self.target, Fact::Credential, Some(&new), &notes))
    }
}
