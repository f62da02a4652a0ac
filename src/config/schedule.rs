//! What the configuration says of scheduled runs.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Serialize, Serializer};

use super::problem::{Problems, kind_name};
use super::validate::judged;
use crate::schedule::{Cron, Schedule};
use crate::zone::Zone;

/// When an integration runs.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = bounds -> Problems)]
pub struct ScheduleConfig {
    /// Cron lines, of local time.
    #[serde(serialize_with = "as_texts")]
    pub cron: Vec<Cron>,
    /// The zone of the local time; the one of the whole file where absent.
    #[deserr(default, try_from(&String) = zone -> String)]
    #[serde(serialize_with = "as_name")]
    pub timezone: Option<Zone>,
    /// A run starts up to so many seconds later.
    #[deserr(default)]
    pub jitter_seconds: u32,
    /// Whether the latest of the times that passed while the program was down is made up.
    #[deserr(default = true)]
    pub catch_up: bool,
    /// A run whose file is not there yet is tried again after so many minutes.
    #[deserr(default = 15)]
    pub retry_minutes: u32,
    /// It is given up so many hours after its scheduled time.
    #[deserr(default = 4)]
    pub give_up_hours: u32,
    /// Days without a run.
    #[deserr(default)]
    pub holidays: BTreeSet<Holiday>,
}

/// A day without a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Holiday(pub NaiveDate);

impl ScheduleConfig {
    /// The schedule, in the zone of the whole file where it names none.
    pub(super) fn schedule(&self, zone: Zone) -> Schedule {
        Schedule {
            crons: self.cron.clone(),
            timezone: self.timezone.unwrap_or(zone),
            jitter_seconds: self.jitter_seconds,
            catch_up: self.catch_up,
            retry_minutes: self.retry_minutes,
            give_up_hours: self.give_up_hours,
            holidays: self.holidays.iter().map(|holiday| holiday.0).collect(),
        }
    }
}

fn zone(name: &str) -> Result<Option<Zone>, String> {
    super::time_zone(name).map(Some)
}

fn as_texts<S: Serializer>(crons: &[Cron], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(crons.iter().map(Cron::to_string))
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn as_name<S: Serializer>(zone: &Option<Zone>, serializer: S) -> Result<S::Ok, S::Error> {
    zone.map(Zone::name).serialize(serializer)
}

fn bounds(schedule: ScheduleConfig, at: ValuePointerRef<'_>) -> Result<ScheduleConfig, Problems> {
    judged(schedule, at, |schedule, findings| {
        if schedule.cron.is_empty() {
            findings.say(
                "cron",
                "Write at least one cron, such as \"15 5 * * Mon-Fri\", or leave schedule out",
            );
        }
        if schedule.jitter_seconds > 3600 {
            findings.say("jitter_seconds", "Write 0 to 3600 seconds");
        }
        if !(1..=1440).contains(&schedule.retry_minutes) {
            findings.say("retry_minutes", "Write 1 to 1440 minutes");
        }
        if let Some(message) = never_tried_again(schedule) {
            findings.say("retry_minutes", message);
        }
        if schedule.give_up_hours > 168 {
            findings.say(
                "give_up_hours",
                "Write 0 to 168 hours; with 0 no run is tried again",
            );
        }
    })
}

/// Why no run would be tried again, where that is not what was asked for.
fn never_tried_again(schedule: &ScheduleConfig) -> Option<String> {
    let ScheduleConfig {
        jitter_seconds,
        retry_minutes,
        give_up_hours,
        ..
    } = schedule;
    let room = give_up_hours
        .saturating_mul(60)
        .saturating_sub(jitter_seconds.div_ceil(60));
    if *give_up_hours == 0 || *retry_minutes <= room {
        return None;
    }
    let late = match jitter_seconds {
        0 => String::new(),
        seconds => format!(" and up to {seconds} seconds of jitter"),
    };
    let less = match room {
        0 => "less jitter".to_owned(),
        room => format!("at most {room} minutes"),
    };
    Some(format!(
        "No run would ever be tried again: it is given up {give_up_hours} hours after its scheduled time, and the next try would come {retry_minutes} minutes{late} after it. Write {less}, a larger give_up_hours, or give_up_hours: 0 where nothing is to be tried again"
    ))
}

impl Deserr<Problems> for Cron {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            Value::String(text) => {
                Self::parse(&text).map_err(|error| Problems::one(at, error.to_string()))
            }
            other => Err(Problems::one(
                at,
                format!(
                    "Expected a cron in quotes, such as \"15 5 * * Mon-Fri\", found {}",
                    kind_name(other.kind())
                ),
            )),
        }
    }
}

impl Deserr<Problems> for Holiday {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        // The library would take `2026-1-5` too, and a year of six digits.
        let day = match value {
            Value::String(text) if text.len() == 10 => text.parse().ok(),
            _ => None,
        };
        day.map(Self)
            .ok_or_else(|| Problems::one(at, "Write a day of the calendar such as 2026-12-25"))
    }
}
