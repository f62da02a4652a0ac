//! What went wrong before and keeps a run from trying again too soon: a refused credential, a JobTicket that is not there, tickets that were lost.
//!
//! A scheduled run holds back; a run by hand always tries, and so does the first one after a pause that grows with each failure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Ending, Run, RunReport, Stop, off};
use crate::audit::Event;
use crate::jobticket::{CallError, Outcome};
use crate::store::{Fact, HoldState, Store, StoreError, Target};

/// A refused credential is tried again so often, by one cheap request: a login that fails again and again is what gets an address blocked.
const PROBE: chrono::Duration = chrono::Duration::hours(6);
/// The pause after the first failure of another kind; each further one doubles it, up to `PROBE`.
const FIRST_PAUSE: chrono::Duration = chrono::Duration::minutes(5);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) since: DateTime<Utc>,
    pub(super) tried: DateTime<Utc>,
    pub(super) outcome: String,
    /// Whether it surely was refused.
    #[serde(default = "surely")]
    pub(super) is_sure: bool,
    /// What the secrets looked like that were refused.
    #[serde(default)]
    pub(super) secrets: Option<String>,
}

fn surely() -> bool {
    true
}

impl Refused {
    /// It was tried and refused, perhaps not for the first time.
    pub(super) fn again(old: Option<&Self>, now: DateTime<Utc>, outcome: &str) -> Self {
        Self {
            since: old.map_or(now, |old| old.since),
            tried: now,
            outcome: outcome.to_owned(),
            is_sure: true,
            secrets: None,
        }
    }

    /// Before this, no scheduled run tries the credential again.
    pub(super) fn until(&self) -> DateTime<Utc> {
        self.tried + PROBE
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failures {
    pub(super) count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    /// Before this, no scheduled run tries again.
    pub(super) fn until(&self) -> DateTime<Utc> {
        self.last + pause(self.count)
    }
}

/// The pause after so many failures in a row.
pub(crate) fn pause(failures: u32) -> chrono::Duration {
    let steps = failures.clamp(1, 12) - 1;
    (FIRST_PAUSE * (1 << steps)).min(PROBE)
}

/// Until when runs that nobody makes by hand hold back for what failed before.
pub(crate) fn backs_off_until(
    store: &Store,
    target: &Target,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let refused: Option<Refused> = store.fact(target, Fact::Refused)?;
    let failures: Option<Failures> = store.fact(target, Fact::Failures)?;
    let refused = refused.map(|refused| refused.until());
    let failures = failures.map(|failures| failures.until());
    Ok(refused.into_iter().chain(failures).max())
}

impl Run<'_> {
    /// While an integration is paused, only a look at what would happen is made.
    pub(super) fn is_not_paused(&self) -> Result<(), Stop> {
        if self.options.dry_run {
            return Ok(());
        }
        let pause = off(|| self.context.store.pause(&self.target))?;
        let today = self.selection().today;
        match pause.filter(|pause| pause.holds_on(today)) {
            Some(pause) => Err(Stop::Paused(format!(
                "{} is paused until {} by {} ({}); nothing more is read or pushed. `jobticket-sync resume {} --reason TEXT` ends that",
                self.integration.name, pause.until, pause.user, pause.reason, self.integration.name
            ))),
            None => Ok(()),
        }
    }

    /// Whether a run may try now.
    pub(super) fn may_try(&self) -> Result<(), Stop> {
        if self.options.by_hand {
            return Ok(());
        }
        let store = self.context.store;
        let now = self.context.clock.now();
        let refused: Option<Refused> = off(|| store.fact(&self.target, Fact::Refused))?;
        if let Some(refused) = refused.filter(|refused| now < refused.until()) {
            return Err(Stop::BackingOff(format!(
                "JobTicket refuses the credential since {}: {}. Correct it; a run by hand tries at once, a scheduled one every 6 hours",
                refused.since.format("%Y-%m-%d %H:%M UTC"),
                refused.outcome
            )));
        }
        let failures: Option<Failures> = off(|| store.fact(&self.target, Fact::Failures))?;
        let until = failures.map(|failures| failures.until());
        if let Some(until) = until.filter(|until| now < *until) {
            return Err(Stop::BackingOff(format!(
                "JobTicket could not be used before; the next scheduled run tries again after {}",
                until.format("%Y-%m-%d %H:%M UTC")
            )));
        }
        Ok(())
    }

    /// A run has ended: what of it the next ones have to know.
    pub(super) fn remember_failure(&self, report: &mut RunReport) -> Result<(), StoreError> {
        if self.options.dry_run || !self.begun {
            return Ok(());
        }
        let store = self.context.store;
        let now = self.context.clock.now();
        let asked = self
            .link
            .as_ref()
            .is_some_and(|link| link.client().requests() > 0);
        if let Some(outcome) = self.refused_credential.as_ref() {
            let old: Option<Refused> = off(|| store.fact(&self.target, Fact::Refused))?;
            let mut notes = Vec::new();
            if old.is_none() {
                let outcome = outcome.clone();
                notes.push(Event::CredentialRefused { outcome }.into());
            }
            let refused = Refused::again(old.as_ref(), now, outcome);
            let notes = self.notes(notes);
            return off(|| store.set_fact(&self.target, Fact::Refused, Some(&refused), &notes));
        }
        match &report.ending {
            Ending::Unreachable { .. } | Ending::InDoubt { .. } | Ending::Refused { .. }
                if asked =>
            {
                let old: Option<Failures> = off(|| store.fact(&self.target, Fact::Failures))?;
                let failures = Failures {
                    count: old.map_or(1, |old| old.count.saturating_add(1)),
                    last: now,
                };
                let notes = self.notes(Vec::new());
                off(|| store.set_fact(&self.target, Fact::Failures, Some(&failures), &notes))
            }
            Ending::Unchanged | Ending::Pushed { .. } | Ending::Held { .. } if asked => {
                self.recovered(report)
            }
            _ => Ok(()),
        }
    }

    /// JobTicket was asked and answered.
    fn recovered(&self, report: &mut RunReport) -> Result<(), StoreError> {
        let store = self.context.store;
        let refused: Option<Refused> = off(|| store.fact(&self.target, Fact::Refused))?;
        let failures: Option<Failures> = off(|| store.fact(&self.target, Fact::Failures))?;
        let kinds = [
            (
                refused.is_some(),
                Fact::Refused,
                "JobTicket accepts the credential again",
            ),
            (
                failures.is_some(),
                Fact::Failures,
                "JobTicket can be used again",
            ),
        ];
        for (is, fact, what) in kinds {
            if is {
                report.notes.push(what.to_owned());
                let what = what.to_owned();
                let notes = self.notes(vec![Event::Recovered { what }.into()]);
                off(|| store.set_fact::<()>(&self.target, fact, None, &notes))?;
            }
        }
        Ok(())
    }

    /// Notes that a call was refused for the credential.
    pub(super) fn note_refusal(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Unauthorized { .. } | Outcome::Forbidden) {
            self.refused_credential = Some(outcome.to_string());
        }
    }

    /// The same of a run that stopped.
    pub(super) fn note_stop(&mut self, stop: &Stop) {
        if let Stop::Call(CallError::Failed { outcome, .. }) = stop {
            self.note_refusal(outcome);
        }
    }

    /// Whether tickets were lost, and nobody has approved yet that pushing goes on.
    pub(super) fn lost_tickets(&self) -> Result<bool, StoreError> {
        let lost: Option<Vec<u64>> =
            off(|| self.context.store.fact(&self.target, Fact::TicketsLost))?;
        Ok(lost.is_some())
    }

    /// Somebody has approved that pushing goes on although tickets were lost. The hold ends with that: if tickets are lost again, it is asked again.
    pub(super) fn end_of_lost_tickets(&mut self) -> Result<(), Stop> {
        let approved = self
            .holds
            .iter()
            .find(|hold| hold.kind == "tickets lost" && hold.state == HoldState::Approved);
        let Some(id) = approved.map(|hold| hold.id) else {
            return Ok(());
        };
        if self.options.dry_run || self.silent {
            return Ok(());
        }
        self.end_plan(id)?;
        let what = format!("pushing goes on after hold {id}");
        let notes = self.notes(vec![Event::Recovered { what }.into()]);
        off(|| {
            self.context
                .store
                .set_fact::<()>(&self.target, Fact::TicketsLost, None, &notes)
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_failures_doubles_up_to_six_hours() {
        let minutes: Vec<i64> = [1, 2, 3, 7, 8, 40]
            .map(|count| pause(count).num_minutes())
            .to_vec();
        assert_eq!(minutes, [5, 10, 20, 320, 360, 360]);
    }
}
