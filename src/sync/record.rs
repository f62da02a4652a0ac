//! The begin and the end of a run, on record; and whether the clock lets it begin.

use chrono::{DateTime, Utc};

use super::{Ending, Run, RunReport, Stop, off};
use crate::audit::Event;
use crate::config::Config;
use crate::store::{Note, Notes, Store, StoreError};

/// A clock this far before the last recorded time, or before or after JobTicket's, is wrong.
const BEHIND: chrono::Duration = chrono::Duration::minutes(5);
/// A clock this far ahead of the last run is suspect: every termination date in between would pass at once.
const AHEAD: chrono::Duration = chrono::Duration::days(62);
/// Whether the clock has gone back since the last recorded time, or is so far ahead of it that nothing may be removed for its age.
pub(super) fn is_a_jump(last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last.is_some_and(|last| now < last - BEHIND || now > last + AHEAD)
}

/// Why a run of these integrations would refuse to begin by this clock, if it would. Whoever goes by the time for something else asks this, too.
pub(crate) fn clock_in_doubt(
    store: &Store,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let mut integrations = config.integrations.iter();
    let sandbox = integrations.all(|one| one.jobticket.is_sandbox());
    Ok(doubt(store.last_time()?, now, sandbox))
}

fn doubt(last: Option<DateTime<Utc>>, now: DateTime<Utc>, sandbox: bool) -> Option<String> {
    let last = last?;
    let go_on = "Correct the clock; if it is right now, go on once with --accept-clock";
    if now < last - BEHIND {
        return Some(format!(
            "This machine's clock shows {}, which is before the last run at {}. {go_on}",
            now.format("%Y-%m-%d %H:%M UTC"),
            last.format("%Y-%m-%d %H:%M UTC")
        ));
    }
    if now > last + AHEAD && !sandbox {
        return Some(format!(
            "This machine's clock shows {}, {} days after the last run at {}. {go_on}",
            now.format("%Y-%m-%d %H:%M UTC"),
            (now - last).num_days(),
            last.format("%Y-%m-%d %H:%M UTC")
        ));
    }
    None
}

impl Run<'_> {
    /// A clock that is wrong would end employments that have not ended, or none at all.
    pub(super) fn check_clock(&self) -> Result<(), Stop> {
        if self.options.accept_clock {
            return Ok(());
        }
        let now = self.context.clock.now();
        let last = off(|| self.context.store.last_time())?;
        match doubt(last, now, self.integration.jobticket.is_sandbox()) {
            Some(why) => Err(Stop::Clock(why)),
            None => Ok(()),
        }
    }

    pub(super) fn begin(&mut self) -> Result<(), Stop> {
        let jobticket = &self.integration.jobticket;
        let event = Event::RunStarted {
            trigger: self.options.trigger.clone(),
            user: self.context.user.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dry_run: self.options.dry_run,
            environment: jobticket.environment_name(),
            origin: jobticket.origin(),
            integration_id: jobticket.integration_id,
        };
        let notes = self.notes(vec![event.into()]);
        if self.in_store {
            off(|| {
                self.context
                    .store
                    .begin_run(self.id, &self.target, &self.options.trigger, &notes)
            })?;
        } else {
            off(|| self.context.store.record(&notes))?;
        }
        self.begun = true;
        Ok(())
    }

    /// Records the end; whatever is still in the outbox goes to the file.
    pub(super) fn end(&mut self, report: &RunReport) -> Result<(), StoreError> {
        if self.begun {
            let event = Event::RunEnded {
                outcome: report.ending.name().to_owned(),
                message: report.ending.message(),
                exit_code: report.exit_code.code(),
                requests: report.requests,
                duration_ms: report.duration_ms,
            };
            let notes = self.notes(vec![event.into()]);
            if self.in_store {
                self.keep_end(report, &notes)?;
            } else {
                off(|| self.context.store.record(&notes))?;
                let busy = matches!(report.ending, Ending::Busy { .. });
                if !self.options.dry_run && !busy {
                    self.keep_end_alone(report)?;
                }
            }
        }
        crate::crash::point("ended");
        off(|| self.context.store.flush(self.context.audit))
    }

    pub(super) fn notes(&self, notes: Vec<Note>) -> Notes {
        Notes {
            integration: Some(self.integration.name.clone()),
            run: Some(self.id.to_owned()),
            notes,
        }
    }

    pub(super) fn record(&self, notes: Vec<Note>) -> Result<(), StoreError> {
        if self.silent {
            return Ok(());
        }
        let notes = self.notes(notes);
        off(|| self.context.store.record(&notes))
    }

    /// The same of very many.
    pub(super) fn record_each(&self, notes: impl Iterator<Item = Note>) -> Result<(), StoreError> {
        if self.silent {
            return Ok(());
        }
        let of = self.notes(Vec::new());
        off(|| self.context.store.record_each(&of, notes))
    }
}
