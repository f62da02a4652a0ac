//! Files that are too old to stand for today's staff, or that come from the future.
//!
//! A sender that stopped weeks ago leaves a good-looking file behind, whose newcomers and leavers are all missing. Times are compared in UTC; a date in a name
//! is one of the configured zone. Where the integration has a schedule, only hours of days with a scheduled run count.

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};

use super::{Entry, HoursOld, IntakeError, Taken};
use crate::config::{Ready, Source};
use crate::schedule::{Schedule, working_age};
use crate::zone::Zone;

impl Taken {
    /// Whether the file is still young enough to stand for today's staff.
    pub fn check_age(
        &self,
        source: &Source,
        now: DateTime<Utc>,
        zone: Zone,
        schedule: Option<&Schedule>,
    ) -> Result<(), IntakeError> {
        let Self {
            name,
            dated,
            modified,
            signed,
            ..
        } = self;
        // A name and a time can be given to any file, a signature cannot.
        let modified = signed.map_or(*modified, |signed| signed.min(*modified));
        check_age(name, *dated, modified, source, now, zone, schedule)
    }

    /// Whether a signed file is no older delivery than the one taken last.
    pub fn check_signed(&self, last: Option<&Self>) -> Result<(), IntakeError> {
        let last = last.and_then(|last| Some((last.signed?, last)));
        match (self.signed, last) {
            (Some(signed), Some((before, last))) if signed < before => {
                Err(IntakeError::SignedBefore {
                    name: self.name.clone(),
                    signed,
                    last: last.name.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// A file from the future would be the newest until then, whatever else comes, and never stale.
pub(super) fn check_future(
    newest: &Entry,
    dated: Option<NaiveDateTime>,
    source: &Source,
    now: DateTime<Utc>,
    zone: Zone,
) -> Result<(), IntakeError> {
    let is_future = match dated {
        Some(dated) => dated.date() - now.with_timezone(&zone).date_naive() > Duration::days(1),
        None => {
            newest.modified - now > Duration::days(1)
                && !matches!(source.ready, Ready::QuietSeconds(_))
        }
    };
    if is_future {
        return Err(IntakeError::Future {
            name: newest.name.clone(),
        });
    }
    Ok(())
}

/// The older of the name's date and the time of modification counts: a file that is copied again is no younger for it.
pub(super) fn check_age(
    name: &str,
    dated: Option<NaiveDateTime>,
    modified: DateTime<Utc>,
    source: &Source,
    now: DateTime<Utc>,
    zone: Zone,
    schedule: Option<&Schedule>,
) -> Result<(), IntakeError> {
    let Some(most) = source.max_age_hours else {
        return Ok(());
    };
    let from_name = dated.and_then(|dated| {
        // In the hour that summer time leaves out, the time before it.
        let before = || dated.checked_sub_signed(Duration::hours(1));
        let local = zone.from_local_datetime(&dated).earliest();
        local.or_else(|| zone.from_local_datetime(&before()?).earliest())
    });
    let oldest = from_name.map_or(modified, |date| modified.min(date.with_timezone(&Utc)));
    let age = working_age(oldest, now, schedule);
    let limit = i64::try_from(most)
        .ok()
        .and_then(Duration::try_hours)
        .unwrap_or(Duration::MAX);
    if age > limit {
        let name = name.to_owned();
        return Err(IntakeError::Stale {
            name,
            age: HoursOld {
                counted: age.num_hours(),
                all: (now - oldest).num_hours(),
            },
            most,
            newer: None,
        });
    }
    Ok(())
}
