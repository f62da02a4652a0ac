//! What is due for an integration: scheduled times, runs that somebody wants, new files, and decisions.
//!
//! What passes without a run is told and remembered before anything is run, so that nothing is run twice, also over a restart.

use chrono::{DateTime, Utc};

use super::Loaded;
use super::control::Wanted;
use super::job::Job;
use crate::audit::Event;
use crate::schedule::{Due, MADE_UP, Missed, Owed};
use crate::store::{Fact, Notes, Store, StoreError};
use crate::sync;

/// What set off a run that acts on what somebody has decided.
const DECISION: &str = "decision";

/// What makes the service look whether something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A minute has passed.
    Tick,
    /// Something has come in: a new file, or somebody who wants a run.
    News,
    /// A run has ended. What that run should have taken care of does not start the next one at once, or they would follow each other without a pause.
    Ended,
}

/// A look at what is due.
pub(super) struct Look<'l> {
    pub(super) store: &'l Store,
    pub(super) loaded: &'l Loaded,
    /// Of the integration.
    pub(super) name: &'l str,
    /// When the service began to look, or woke up.
    pub(super) since: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    pub(super) occasion: Occasion,
}

/// Why a run starts.
pub(super) struct Reason {
    pub(super) trigger: String,
    pub(super) wanted: Option<Wanted>,
    /// Whether it is the one that is owed.
    pub(super) is_owed: bool,
}

pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

impl Job {
    /// What is to be run now. What passed without a run is told and remembered.
    pub(super) fn due(&mut self, look: &Look<'_>) -> Result<Option<Reason>, StoreError> {
        let Look {
            store,
            name,
            since,
            now,
            occasion,
            ..
        } = *look;
        let paused = self.is_paused(store, now)?;
        if let Some(schedule) = &self.schedule {
            let handled: Option<DateTime<Utc>> = store.fact(&self.target, Fact::Scheduled)?;
            let behind = handled.is_some_and(|handled| handled > now);
            if behind && !self.behind {
                tracing::warn!(
                    integration.name = name,
                    "The clock is behind the last scheduled run; nothing is due until it has passed that time"
                );
            }
            self.behind = behind;
            let due = schedule.due(name, handled, since, now);
            if due.handled().is_some() {
                self.scheduled(look, &due, paused)?;
            }
        }
        if self.running.is_some() {
            return Ok(None);
        }
        while let Some(wanted) = self.wanted.pop_front() {
            // Nobody may wait for it any more.
            if !wanted.reply.is_closed() {
                let trigger = if wanted.resync {
                    "--run-now --resync"
                } else {
                    "--run-now"
                };
                return Ok(Some(Reason {
                    trigger: trigger.to_owned(),
                    wanted: Some(wanted),
                    is_owed: false,
                }));
            }
        }
        if paused {
            return Ok(None);
        }
        if let Some(reason) = self.begin_owed(store, now)? {
            return Ok(Some(reason));
        }
        let until = sync::backs_off_until(store, &self.target)?;
        // The first run with new secrets tries, whatever was before.
        if !self.fresh && until.is_some_and(|until| now < until) {
            return Ok(None);
        }
        if occasion != Occasion::Ended
            && let Some(trigger) = self.news.trigger(store, &self.target)?
        {
            return self.owe(store, trigger, now);
        }
        if occasion == Occasion::Tick && self.is_to_act(store, now)? {
            return self.owe(store, DECISION.to_owned(), now);
        }
        Ok(None)
    }

    /// Whether a decision waits for a run. A run that could not act on it is made again later and later.
    fn is_to_act(&mut self, store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(decided) = store.decision_waits(&self.target)? else {
            self.acted = None;
            return Ok(false);
        };
        let before = self.acted.filter(|(acted, _)| *acted >= decided);
        if before.is_some_and(|(acted, times)| now < acted + sync::pause(times)) {
            return Ok(false);
        }
        self.acted = Some((now, before.map_or(1, |(_, times)| times.saturating_add(1))));
        Ok(true)
    }

    /// Whether somebody has paused the integration, and no run of its own may start.
    fn is_paused(&self, store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let pause = store.pause(&self.target)?;
        let today = now.with_timezone(&self.timezone).date_naive();
        Ok(pause.is_some_and(|pause| pause.holds_on(today)))
    }

    /// Remembers what the schedule says before anything is run: nothing is run twice.
    fn scheduled(&mut self, look: &Look<'_>, due: &Due, paused: bool) -> Result<(), StoreError> {
        let Look {
            store,
            loaded,
            name,
            ..
        } = *look;
        let mut notes = Vec::new();
        if let Some(missed) = due.missed {
            notes.push(told(name, missed, "nothing was scheduling then"));
        }
        let after_it = self.running.as_ref().is_some_and(|running| running.dry_run);
        let why_not = if paused {
            Some("the integration is paused")
        } else {
            (self.running.is_some() && !after_it)
                .then_some("the run before it is still in progress")
        };
        if let Some((run, why_not)) = due.run.zip(why_not) {
            let missed = Missed {
                count: 1,
                first: run,
                last: run,
            };
            notes.push(told(name, missed, why_not));
        }
        let notes = Notes {
            integration: Some(name.to_owned()),
            run: None,
            notes: notes.into_iter().map(Into::into).collect(),
        };
        let late = if due.made_up { MADE_UP } else { "" };
        let owed = match due.run {
            _ if paused => None,
            // What is in progress is what is owed.
            _ if why_not.is_some() => self.owed.clone(),
            Some(run) => {
                let trigger = format!("schedule {}{late}", minute(run));
                Some(Owed::new(trigger, Some(run), run))
            }
            // It is of a time before those that were missed.
            None => self.owed.clone().filter(|owed| owed.scheduled.is_none()),
        };
        let handled = due.handled();
        store.handle_schedule(&self.target, handled.as_ref(), owed.as_ref(), &notes)?;
        self.owed = owed;
        if !notes.notes.is_empty() {
            store.flush(&loaded.audit)?;
        }
        Ok(())
    }
}

fn told(name: &str, missed: Missed, reason: &str) -> Event {
    let Missed { count, first, last } = missed;
    let (first, last) = (minute(first), minute(last));
    tracing::warn!(
        integration.name = name,
        "{count} scheduled times got no run ({first} to {last}): {reason}"
    );
    Event::ScheduleMissed {
        count,
        first,
        last,
        reason: reason.to_owned(),
    }
}
