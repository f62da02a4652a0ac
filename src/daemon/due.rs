//! What is due for an integration: scheduled times, runs that somebody wants, new files, decisions, and what a service before this one left in the middle.
//!
//! What passes without a run is told and remembered before anything is run, so that nothing is run twice, also over a restart.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::Loaded;
use super::control::Wanted;
use super::job::Job;
use crate::audit::Event;
use crate::schedule::{Due, Missed};
use crate::store::{Fact, Notes, RunLock, Store, StoreError};
use crate::sync::{self, LastRun};

/// Of runs that are made for a decision, one begins so long after the one before, where that could not act on it.
const ACT_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// What set off a run that was made in place of one that was cut short. It is not made up itself: a run that ends the service would end it again and again.
const CUT_SHORT: &str = "a run before was cut short";

/// What set off a run that acts on what somebody has decided.
const DECISION: &str = "decision";
/// How a run is said to have ended that came to a safe point when the service was to stop.
const STOPPED: &str = "stopped";

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
    pub(super) scheduled: Option<DateTime<Utc>>,
    pub(super) wanted: Option<Wanted>,
}

impl Reason {
    fn of(trigger: String, scheduled: Option<DateTime<Utc>>) -> Self {
        Self {
            trigger,
            scheduled,
            wanted: None,
        }
    }
}

pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

impl Job {
    /// What is to be run now. What passed without a run is told and remembered.
    pub(super) fn due(&mut self, look: &Look<'_>) -> Result<Option<Reason>, StoreError> {
        let Look {
            store,
            loaded,
            name,
            since,
            now,
            occasion,
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
                return self.scheduled(look, &due, paused);
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
                    wanted: Some(wanted),
                    ..Reason::of(trigger.to_owned(), None)
                }));
            }
        }
        if paused {
            return Ok(None);
        }
        if let Some((scheduled, at)) = self.retry
            && at <= now
        {
            self.set_retry(store, None)?;
            let again = if at == scheduled { "" } else { ", tried again" };
            let trigger = format!("schedule {}{again}", minute(scheduled));
            return Ok(Some(Reason::of(trigger, Some(scheduled))));
        }
        if occasion != Occasion::Ended
            && let Some(trigger) = self.news.trigger(store, &self.target)?
        {
            return Ok(Some(Reason::of(trigger, None)));
        }
        if self.look_back
            && let Some(trigger) = self.cut_short(store, &loaded.config.state_dir)?
        {
            tracing::warn!(
                integration.name = name,
                "The service was ended in the middle of a run ({trigger}); a run that goes on from there starts now"
            );
            return Ok(Some(Reason::of(CUT_SHORT.to_owned(), None)));
        }
        let decided = occasion == Occasion::Tick && self.is_to_act(store, now)?;
        Ok(decided.then(|| Reason::of(DECISION.to_owned(), None)))
    }

    /// Whether a decision waits for a run, and one is likely to be able to act on it.
    fn is_to_act(&mut self, store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(decided) = store.decision_waits(&self.target)? else {
            self.acted = None;
            return Ok(false);
        };
        let soon = self.acted.filter(|acted| *acted >= decided);
        if soon.is_some_and(|acted| now < acted + ACT_AGAIN)
            || sync::backs_off(store, &self.target, now)?
        {
            return Ok(false);
        }
        self.acted = Some(now);
        Ok(true)
    }

    /// Whether somebody has paused the integration, and no run of its own may start.
    fn is_paused(&self, store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let pause = store.pause(&self.target)?;
        let today = now.with_timezone(&self.timezone).date_naive();
        Ok(pause.is_some_and(|pause| pause.holds_on(today)))
    }

    /// Remembers what the schedule says before anything is run: nothing is run twice.
    fn scheduled(
        &mut self,
        look: &Look<'_>,
        due: &Due,
        paused: bool,
    ) -> Result<Option<Reason>, StoreError> {
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
        store.set_fact(
            &self.target,
            Fact::Scheduled,
            due.handled().as_ref(),
            &notes,
        )?;
        if !notes.notes.is_empty() {
            store.flush(&loaded.audit)?;
        }
        let after_it = due.run.filter(|_| after_it && !paused);
        self.set_retry(store, after_it.map(|run| (run, run)))?;
        if after_it.is_some() {
            return Ok(None);
        }
        let late = if due.made_up { ", made up" } else { "" };
        let run = due.run.filter(|_| why_not.is_none());
        Ok(run.map(|run| Reason::of(format!("schedule {}{late}", minute(run)), Some(run))))
    }

    /// The run of a service that was ended in the middle of it, as far as the store knows; looked for once, when nobody is at work.
    fn cut_short(&mut self, store: &Store, folder: &Path) -> Result<Option<String>, StoreError> {
        let unfinished = store.unfinished_run(&self.target)?;
        if unfinished.is_some() && RunLock::is_taken(folder, &self.target) {
            // It is somebody's, and goes on.
            return Ok(None);
        }
        self.look_back = false;
        let last: Option<LastRun> = store.fact(&self.target, Fact::LastRun)?;
        let stopped = last.filter(|last| last.result == STOPPED);
        let trigger = match unfinished {
            Some(run) => Some(run.trigger),
            None => stopped.map(|last| last.trigger),
        };
        // What somebody started by hand they start again themselves.
        let own = ["schedule ", "watch ", DECISION];
        let is_own = |trigger: &String| own.iter().any(|own| trigger.starts_with(own));
        let made_up = self
            .schedule
            .as_ref()
            .is_none_or(|schedule| schedule.catch_up);
        Ok(trigger.filter(|trigger| made_up && is_own(trigger)))
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
