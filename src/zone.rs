//! Time zones by their IANA name, for `chrono`. Their rules come with the program and never from the server, so that a run is due at the same time on each.
//!
//! The rules are those of `jiff`, which reads them out of plain bytes. `chrono-tz` would need none of this, but it is 50,000 pointers, which the system
//! has to set right in every process, and 1.5 MB. The tests hold one against the other.
//!
//! Hazard: `chrono` has years that `jiff` has not (before -9999, after 9999). There the offset of the first or last instant that it has holds, and nothing panics.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use jiff::Timestamp;
use jiff::tz::{self, AmbiguousOffset, TimeZoneDatabase};

/// A time zone of the IANA database, such as Europe/Berlin.
#[derive(Clone, Copy)]
pub struct Zone(&'static Rules);

/// What is known of a zone.
struct Rules {
    name: String,
    zone: tz::TimeZone,
}

/// The zones that somebody has asked for, each once. They stay, so that a [`Zone`] can be copied: at most as many as the database has names.
static KNOWN: Mutex<Vec<&'static Rules>> = Mutex::new(Vec::new());

/// The database's name for a server whose zone nobody has set: nobody means it.
const UNSET: &str = "Factory";

/// There is no such zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Not a time zone")]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    /// The zone of this name, which is written as the database writes it.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.iter().find(|rules| rules.name == name) {
            return Ok(Self(rules));
        }
        // The bundle takes any case, and has names that stand for no zone.
        let zone = TimeZoneDatabase::bundled()
            .get(name)
            .ok()
            .filter(|zone| zone.iana_name() == Some(name) && name != UNSET)
            .ok_or(UnknownZone)?;
        let name = name.to_owned();
        let rules: &'static Rules = Box::leak(Box::new(Rules { name, zone }));
        known.push(rules);
        Ok(Self(rules))
    }
}

impl Zone {
    /// Europe/Berlin, the zone where a configuration names none.
    pub fn berlin() -> Self {
        let berlin = "Europe/Berlin".parse();
        berlin.expect("Europe/Berlin comes with the program, which a test proves")
    }

    /// Its name in the IANA database.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// How far its clocks are from UTC at an instant.
    fn seconds_at(self, at: i64) -> i32 {
        self.0.zone.to_offset(timestamp(at)).seconds()
    }

    /// This offset, of a local time that has it.
    fn of_local(self, local: &NaiveDateTime, offset: tz::Offset) -> ZoneOffset {
        let seconds = offset.seconds();
        ZoneOffset {
            zone: self,
            at: local.and_utc().timestamp() - i64::from(seconds),
            seconds,
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instant so many seconds after 1970 began, or the nearest that the rules have.
fn timestamp(seconds: i64) -> Timestamp {
    let last = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(last)
}

/// How far the clocks of a zone are from UTC at an instant; written, it is the abbreviation that holds then, such as CET or +05.
#[derive(Clone, Copy)]
pub struct ZoneOffset {
    zone: Zone,
    /// Seconds since 1970: the abbreviation is looked up only when somebody reads it.
    at: i64,
    seconds: i32,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        FixedOffset::east_opt(self.seconds)
            .expect("no zone of the database is a day away from UTC, which a test proves")
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.zone.0.zone.to_offset_info(timestamp(self.at));
        f.pad(info.abbreviation())
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone
    }

    /// One that holds on this day, as chrono asks for: the one at its first second or, where there is none or are two, at its last.
    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        let first = self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN));
        if let MappedLocalTime::Single(_) = first {
            return first;
        }
        let last = local.and_time(NaiveTime::MIN) + chrono::TimeDelta::seconds(86_399);
        let last = self.offset_from_local_datetime(&last);
        match last.single().or(first.earliest()).or(last.earliest()) {
            Some(offset) => MappedLocalTime::Single(offset),
            None => MappedLocalTime::None,
        }
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        let shown = tz::Offset::UTC.to_datetime(timestamp(local.and_utc().timestamp()));
        let (before, after) = match self.0.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                return MappedLocalTime::Single(self.of_local(local, offset));
            }
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                (before, after)
            }
        };
        // Those that really hold then. Where the rules for all years to come begin with a change that was none (Nuuk, October 2023), jiff 1.0.2 says of an hour that the clocks show it twice.
        let held = |offset| {
            let offset = self.of_local(local, offset);
            (self.seconds_at(offset.at) == offset.seconds).then_some(offset)
        };
        match (held(before), held(after)) {
            (Some(first), Some(second)) => MappedLocalTime::Ambiguous(first, second),
            (Some(only), None) | (None, Some(only)) => MappedLocalTime::Single(only),
            (None, None) => MappedLocalTime::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        let at = utc.and_utc().timestamp();
        ZoneOffset {
            zone: *self,
            at,
            seconds: self.seconds_at(at),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
