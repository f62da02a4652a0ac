//! The run that an integration owes, from the moment it is due until it has done its work, over kills and restarts.
//!
//! It is on disk before it begins. A run that waits for a file or could not use JobTicket is made again; one that the service was stopped in is made again when the next
//! service starts, and so is one that was killed, but not for ever.

use chrono::{DateTime, TimeDelta, Utc};

use super::due::{Reason, minute};
use super::job::{Job, Running};
use crate::schedule::Owed;
use crate::store::{Fact, Notes, Store, StoreError};
use crate::sync::{Ending, RunReport, backs_off_until};

/// The run lock is somebody else's: it is looked again with the next tick.
const BUSY: TimeDelta = TimeDelta::minutes(1);
/// A run without a scheduled time that could not use JobTicket is made again no sooner than this.
const AGAIN: TimeDelta = TimeDelta::minutes(5);

/// What a run that is made again waits for.
#[derive(Clone, Copy)]
enum For {
    File,
    JobTicket,
}

impl For {
    fn told(self) -> &'static str {
        match self {
            Self::File => "A source cannot be read yet, or its file is not there or not in order",
            Self::JobTicket => "JobTicket could not be used",
        }
    }
}

impl Job {
    /// Takes over what a service before this one, or a configuration before the one in force, has left waiting.
    pub(super) fn go_on_from_store(
        &mut self,
        name: &str,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(owed) = store.fact::<Owed>(&self.target, Fact::Owed)? else {
            return Ok(());
        };
        let trigger = &owed.trigger;
        if owed.starts >= Owed::MOST_STARTS {
            tracing::warn!(
                integration.name = name,
                "The service was ended in the middle of a run ({trigger}) for the second time; it is not made up again by itself"
            );
            return self.set_owed(store, None);
        }
        let of_no_schedule = owed.scheduled.is_some() && self.schedule.is_none();
        if of_no_schedule {
            tracing::warn!(
                integration.name = name,
                "A run is not made up ({trigger}), for there is no schedule any more"
            );
            return self.set_owed(store, None);
        }
        if owed.again && owed.at <= now && self.again_at(name, &owed, now).is_none() {
            give_up(name, &owed, "what it waits for may be there by now");
            return self.set_owed(store, None);
        }
        if owed.starts > 0 {
            tracing::warn!(
                integration.name = name,
                "The service was ended in the middle of a run ({trigger}); it is made up now"
            );
        }
        self.owed = Some(owed);
        Ok(())
    }

    /// Remembers, on disk too, which run is owed.
    pub(super) fn set_owed(&mut self, store: &Store, owed: Option<Owed>) -> Result<(), StoreError> {
        let known: Option<Owed> = store.fact(&self.target, Fact::Owed)?;
        if known != owed {
            let notes = Notes::default();
            store.set_fact(&self.target, Fact::Owed, owed.as_ref(), &notes)?;
        }
        self.owed = owed;
        Ok(())
    }

    /// Begins the run that is owed, where its time has come.
    pub(super) fn begin_owed(
        &mut self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<Option<Reason>, StoreError> {
        let Some(owed) = self.owed.clone().filter(|owed| owed.at <= now) else {
            return Ok(None);
        };
        let trigger = owed.told();
        let starts = owed.starts + 1;
        self.set_owed(store, Some(Owed { starts, ..owed }))?;
        Ok(Some(Reason {
            trigger,
            wanted: None,
            is_owed: true,
        }))
    }

    /// A run that was set off by itself begins; it is owed from now on, unless another one is, which will do its work too.
    pub(super) fn owe(
        &mut self,
        store: &Store,
        trigger: String,
        now: DateTime<Utc>,
    ) -> Result<Option<Reason>, StoreError> {
        if self.owed.is_some() {
            return Ok(Some(Reason {
                trigger,
                wanted: None,
                is_owed: false,
            }));
        }
        self.owed = Some(Owed::new(trigger, None, now));
        self.begin_owed(store, now)
    }

    /// A run has come to its end: whether what is owed is done, or when it is made again.
    pub(super) fn settle(
        &mut self,
        name: &str,
        store: &Store,
        running: &Running,
        report: &RunReport,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(owed) = self.owed.clone().filter(|_| !running.dry_run) else {
            return Ok(());
        };
        let late = |status: &str| ["failed", "not yet"].contains(&status);
        let waits = report.sources.iter().any(|source| late(&source.status));
        let could_not = matches!(
            report.ending,
            Ending::Unreachable { .. } | Ending::InDoubt { .. }
        );
        if !running.is_owed {
            // Somebody else's run may have done what this one waits for.
            let cut = matches!(report.ending, Ending::Stopped { .. });
            let done = !report.sources.is_empty() && !waits && !could_not && !cut;
            return if done {
                self.set_owed(store, None)
            } else {
                Ok(())
            };
        }
        match &report.ending {
            Ending::Stopped { .. } => {
                let owed = Owed { starts: 0, ..owed };
                self.set_owed(store, Some(owed))
            }
            Ending::Busy { .. } => {
                let owed = Owed {
                    at: now + BUSY,
                    starts: 0,
                    ..owed
                };
                self.set_owed(store, Some(owed))
            }
            Ending::Paused { .. } => self.set_owed(store, None),
            _ if could_not => {
                let until = backs_off_until(store, &self.target)?;
                let from = until.map_or(now, |until| until.max(now));
                let at = match owed.scheduled {
                    Some(_) => self.again_at(name, &owed, from),
                    None => Some(from.max(now + AGAIN)),
                };
                self.again(name, store, owed, at, For::JobTicket)
            }
            _ if waits && owed.scheduled.is_some() => {
                let at = self.again_at(name, &owed, now);
                self.again(name, store, owed, at, For::File)
            }
            _ => self.set_owed(store, None),
        }
    }

    /// When a run for a scheduled time is made again after `now`, if it still is.
    fn again_at(&self, name: &str, owed: &Owed, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (owed.scheduled, &self.schedule) {
            (Some(scheduled), Some(schedule)) => schedule.try_again_at(name, scheduled, now),
            (Some(_), None) => None,
            (None, _) => Some(now),
        }
    }

    fn again(
        &mut self,
        name: &str,
        store: &Store,
        owed: Owed,
        at: Option<DateTime<Utc>>,
        what: For,
    ) -> Result<(), StoreError> {
        let Some(at) = at else {
            give_up(name, &owed, what.told());
            return self.set_owed(store, None);
        };
        let again = match what {
            For::File => "looking again",
            For::JobTicket => "trying again",
        };
        tracing::info!(
            integration.name = name,
            "{}; {again} at {}",
            what.told(),
            minute(at)
        );
        self.set_owed(store, Some(owed.later(at)))
    }
}

fn give_up(name: &str, owed: &Owed, why: &str) {
    tracing::warn!(
        integration.name = name,
        "The run of {} is given up ({why}); the next scheduled run looks again",
        owed.scheduled.map_or_else(|| owed.trigger.clone(), minute)
    );
}
