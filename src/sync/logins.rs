//! Servers of sources that refuse the login: a scheduled run does not try it again before some hours have passed, for a server shuts out whoever tries too often.
//!
//! As with the credential of JobTicket, a run by hand tries at once, and so does the first one after a start or a reload, or once another secret lies where the refused one lay.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::failures::Refused;
use super::{Run, off};
use crate::config::{SecretRef, Source};
use crate::source::{self, Login, SourceError};
use crate::store::{Fact, StoreError};

/// What is remembered of refused logins, by the names of their sources.
pub(super) struct Logins {
    old: BTreeMap<String, Refused>,
    /// What this pull has found out: refused, or perhaps so, or accepted.
    found: BTreeMap<String, Option<Refused>>,
    now: DateTime<Utc>,
    by_hand: bool,
}

impl Logins {
    pub(super) fn load(run: &Run<'_>) -> Result<Self, StoreError> {
        let old = off(|| run.context.store.fact(&run.target, Fact::Logins))?;
        Ok(Self {
            old: old.unwrap_or_default(),
            found: BTreeMap::new(),
            now: run.context.clock.now(),
            by_hand: run.options.by_hand,
        })
    }

    /// Why a source is not asked now, if it is not.
    pub(super) fn held_back(&self, source: &Source) -> Option<String> {
        let refused = self.old.get(&source.name)?;
        let is_other = refused
            .secrets
            .as_ref()
            .is_some_and(|old| *old != looks(source));
        if !refused.is_sure || self.by_hand || is_other || self.now >= refused.until() {
            return None;
        }
        Some(format!(
            "Not asked, for its login was refused before (since {1}): {0}. {2}",
            refused.outcome,
            refused.since.format("%Y-%m-%d %H:%M UTC"),
            again(refused.until())
        ))
    }

    /// A source was pulled.
    pub(super) fn accepted(&mut self, source: &Source) {
        self.found.insert(source.name.clone(), None);
    }

    /// A source failed; its error as a text.
    pub(super) fn told(&mut self, source: &Source, error: &SourceError) -> String {
        let text = source::chain(error);
        let is_sure = match error.login() {
            Login::Refused => true,
            // For the second time in a row it is.
            Login::Doubtful => self.old.contains_key(&source.name),
            Login::Accepted => {
                self.found.insert(source.name.clone(), None);
                return text;
            }
            Login::Unknown => return text,
        };
        let refused = Refused {
            is_sure,
            secrets: Some(looks(source)),
            ..Refused::again(self.old.get(&source.name), self.now, &text)
        };
        let told = if is_sure {
            format!("{text}. {}", again(refused.until()))
        } else {
            text
        };
        self.found.insert(source.name.clone(), Some(refused));
        told
    }

    /// Remembers what was found out.
    pub(super) fn keep(self, run: &Run<'_>) -> Result<(), StoreError> {
        if run.options.dry_run || run.silent {
            return Ok(());
        }
        let mut new = self.old;
        let mut differs = false;
        for (source, found) in self.found {
            let old = new.remove(&source);
            differs |= old.is_some() || found.is_some();
            if let Some(refused) = found {
                new.insert(source, refused);
            }
        }
        if !differs {
            return Ok(());
        }
        let new = (!new.is_empty()).then_some(new);
        let notes = run.notes(Vec::new());
        off(|| {
            run.context
                .store
                .set_fact(&run.target, Fact::Logins, new.as_ref(), &notes)
        })
    }
}

/// When it is tried again.
fn again(until: DateTime<Utc>) -> String {
    format!(
        "A run by hand tries at once, a scheduled one after {} or once the secret has changed",
        until.format("%Y-%m-%d %H:%M UTC")
    )
}

/// What the secrets of a source look like.
fn looks(source: &Source) -> String {
    let looks = source.secrets().map(SecretRef::looks);
    let looks = looks.map(Option::unwrap_or_default);
    looks.collect::<Vec<_>>().join(", ")
}
