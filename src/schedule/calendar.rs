//! From local minutes to instants.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

use super::Schedule;
use super::cron::CALENDAR_DAYS;
use crate::zone::Zone;

/// The longest time that a clock has left out, in minutes, and some: Samoa went without 30 December 2011.
const LONGEST_GAP: u32 = 2 * 24 * 60;

/// When a clock of the zone first shows this local time, or, where it never does, the next minute that it shows. Later local times never give earlier instants.
pub(super) fn instant(zone: Zone, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let mut minute = local;
    for _ in 0..LONGEST_GAP {
        if let Some(found) = zone.from_local_datetime(&minute).earliest() {
            return Some(found.to_utc());
        }
        minute = minute.checked_add_signed(TimeDelta::minutes(1))?;
    }
    None
}

impl Schedule {
    /// The first scheduled time after this instant; `None` only far outside the calendar.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !(1..=9000).contains(&after.year()) {
            return None;
        }
        // What the clock shows now and has shown before was first shown by now: only later local times are in question. In a repeated hour those too may have been.
        let mut local = after.with_timezone(&self.timezone).naive_local();
        loop {
            local = self.next_local(local)?;
            let found = instant(self.timezone, local)?;
            // A time that the clock left out may have moved on to a holiday.
            if found > after && !self.holidays.contains(&self.day_of(found)) {
                return Some(found);
            }
        }
    }

    /// The next scheduled times after this instant, as the clock of the zone shows them.
    pub fn upcoming(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Zone>> {
        std::iter::successors(self.next_after(after), |time| self.next_after(*time))
            .map(|time| time.with_timezone(&self.timezone))
    }

    /// Whether a run is scheduled on this local day.
    pub(super) fn has_runs_on(&self, day: NaiveDate) -> bool {
        !self.holidays.contains(&day) && self.crons.iter().any(|cron| cron.is_on(day))
    }

    /// The local day of an instant.
    pub(super) fn day_of(&self, instant: DateTime<Utc>) -> NaiveDate {
        instant.with_timezone(&self.timezone).date_naive()
    }

    /// The first local time after this one that a cron line names.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut day = after.date();
        let mut passed = Some(after.time());
        for _ in 0..=CALENDAR_DAYS {
            if !self.holidays.contains(&day) {
                let on = self.crons.iter().filter(|cron| cron.is_on(day));
                if let Some(time) = on.filter_map(|cron| cron.first_time(passed)).min() {
                    return Some(day.and_time(time));
                }
            }
            day = day.succ_opt()?;
            passed = None;
        }
        None
    }
}
