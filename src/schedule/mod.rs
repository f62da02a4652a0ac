//! When runs are due, as pure functions of the schedule, the time and what was handled before.
//!
//! Cron lines are matched against the wall clock of the schedule's zone, a calendar without daylight saving, and each local minute is mapped to one
//! instant: the first, where the clock shows it twice, and the next that exists, where the clock leaves it out. That instant is the identity of
//! a scheduled time, so several lines that name the same one are one run. The hazard is the clock: it may be set back, stand
//! still while the machine sleeps, or be years ahead; nothing that was handled is ever due again.

mod age;
mod calendar;
mod cron;
mod due;
mod owed;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::NaiveDate;

pub use age::working_age;
pub use cron::{Cron, CronError};
pub use due::{Due, Missed};
pub use owed::{MADE_UP, Owed, next_run};

use crate::zone::Zone;

/// When an integration runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Local times; the union of all lines counts.
    pub crons: Vec<Cron>,
    /// The zone of the local times and of the holidays.
    pub timezone: Zone,
    /// A run starts up to so many seconds after its scheduled time.
    pub jitter_seconds: u32,
    /// Whether the latest of the times that passed while nothing could run is made up.
    pub catch_up: bool,
    /// A run whose file is not there yet is tried again after so many minutes; at least 1.
    pub retry_minutes: u32,
    /// It is given up so many hours after the scheduled time.
    pub give_up_hours: u32,
    /// Days without a run, whatever the cron lines say.
    pub holidays: BTreeSet<NaiveDate>,
}
