//! The age of a file in hours of days on which runs are scheduled.
//!
//! A sender that works when we do delivers nothing at weekends: on Monday morning Friday's file is the newest there can be.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::Schedule;
use super::calendar::instant;

/// Further back than this every hour counts.
const LOOK_BACK: TimeDelta = TimeDelta::days(3660);

/// How old what was written at `written` is at `now`, without the local days that have no scheduled run, holidays among them. Without a schedule every
/// hour counts. Negative where `written` lies in the future.
pub fn working_age(
    written: DateTime<Utc>,
    now: DateTime<Utc>,
    schedule: Option<&Schedule>,
) -> TimeDelta {
    let Some(schedule) = schedule.filter(|_| written < now) else {
        return now - written;
    };
    let from = now
        .checked_sub_signed(LOOK_BACK)
        .map_or(written, |cut| written.max(cut));
    let mut age = from - written;
    let mut day = schedule.day_of(from);
    let mut begins = from;
    while begins < now {
        let next = day.succ_opt();
        // Days of 23 and 25 hours are as long as they are.
        let ends = next
            .and_then(|next| instant(schedule.timezone, next.and_time(NaiveTime::MIN)))
            .map_or(now, |end| end.clamp(begins, now));
        if schedule.has_runs_on(day) {
            age += ends - begins;
        }
        let Some(next) = next else {
            return age + (now - ends);
        };
        day = next;
        begins = ends;
    }
    age
}
