//! What is due now, when it starts, and when it is tried again.

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::xxh3_64;

use super::Schedule;

/// Times that passed longer ago than this are neither made up nor counted.
const LOOK_BACK: TimeDelta = TimeDelta::days(366);

/// A caller looks once a minute.
const TICK_SECONDS: i64 = 60;

/// What is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// The scheduled time to run now.
    pub run: Option<DateTime<Utc>>,
    /// Whether that run is late, because nothing was scheduling when it should have started.
    pub made_up: bool,
    /// Earlier times that passed without a run, and get none.
    pub missed: Option<Missed>,
}

/// Scheduled times that get no run of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: DateTime<Utc>,
    /// The last of them.
    pub last: DateTime<Utc>,
}

impl Due {
    /// What is to be remembered as the last scheduled time handled, before the run begins; `None`: nothing has changed.
    pub fn handled(&self) -> Option<DateTime<Utc>> {
        self.run.or(self.missed.map(|missed| missed.last))
    }

    fn miss(&mut self, time: DateTime<Utc>) {
        self.missed = Some(match self.missed {
            None => Missed {
                count: 1,
                first: time,
                last: time,
            },
            Some(missed) => Missed {
                count: missed.count + 1,
                last: time,
                ..missed
            },
        });
    }
}

impl Schedule {
    /// What is due of the integration `name`: the latest scheduled time after `handled`, the last one that was handled, that has started by `now`.
    ///
    /// `since` is when the caller began to look, once a minute: its start, or its waking where it has slept. What should have started before is made up once
    /// with `catch_up`, otherwise it is missed; where nothing was ever handled it is neither. Nothing is due while `now` is not after `handled`,
    /// so that a clock that was set back repeats nothing. Of long absences the last 366 days count.
    pub fn due(
        &self,
        name: &str,
        handled: Option<DateTime<Utc>>,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Due {
        let back = |from: DateTime<Utc>, by| from.checked_sub_signed(by).unwrap_or(from);
        let jitter = TimeDelta::seconds(i64::from(self.jitter_seconds) + 1);
        let mut at = handled
            .unwrap_or_else(|| back(since, jitter))
            .max(back(now, LOOK_BACK));
        let mut due = Due::default();
        while let Some(time) = self.next_after(at).filter(|time| *time <= now) {
            let start = self.starts_at(name, time);
            if start > now {
                break;
            }
            at = time;
            let is_late = start < since;
            if is_late && handled.is_none() {
                continue;
            }
            if is_late && !self.catch_up {
                due.miss(time);
                continue;
            }
            if let Some(earlier) = due.run.replace(time) {
                due.miss(earlier);
            }
            due.made_up = is_late;
        }
        due
    }

    /// When the run of a scheduled time starts: at most `jitter_seconds` later, always the same for the same integration and time, and at
    /// least a minute before the next scheduled time wherever that is possible.
    pub fn starts_at(&self, name: &str, scheduled: DateTime<Utc>) -> DateTime<Utc> {
        let jitter = i64::from(self.jitter_seconds);
        let until_next = self.next_after(scheduled).map(|next| next - scheduled);
        let room = until_next.map_or(jitter, |until| {
            (until.num_seconds() - TICK_SECONDS).clamp(0, jitter)
        });
        let identity = format!("{name}\n{}", scheduled.timestamp());
        let offset = xxh3_64(identity.as_bytes()) % (room.unsigned_abs() + 1);
        let offset = i64::try_from(offset).unwrap_or(0);
        later(scheduled, TimeDelta::seconds(offset))
    }

    /// When a run whose file was not there at `now` is tried again: every `retry_minutes` after its start, until `give_up_hours` after the scheduled
    /// time. `None`: it is given up, or the next scheduled time comes first.
    pub fn try_again_at(
        &self,
        name: &str,
        scheduled: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let step = TimeDelta::minutes(i64::from(self.retry_minutes.max(1)));
        let start = self.starts_at(name, scheduled);
        let passed = (now - start).num_seconds().max(0) / step.num_seconds();
        let again = start.checked_add_signed(TimeDelta::try_seconds(
            step.num_seconds().checked_mul(passed + 1)?,
        )?)?;
        let end = later(scheduled, TimeDelta::hours(i64::from(self.give_up_hours)));
        let next = self.next_after(scheduled);
        (again <= end && next.is_none_or(|next| again < next)).then_some(again)
    }
}

fn later(time: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    time.checked_add_signed(by).unwrap_or(time)
}
