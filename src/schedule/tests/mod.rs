//! Tests of the schedule.

mod age;
mod change_days;
mod crons;
mod due;
mod laws;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Cron, Schedule};
use crate::zone::Zone;

/// A schedule in Berlin without jitter.
fn schedule(crons: &[&str]) -> Schedule {
    Schedule {
        crons: crons
            .iter()
            .map(|cron| Cron::parse(cron).unwrap())
            .collect(),
        timezone: Zone::berlin(),
        jitter_seconds: 0,
        catch_up: true,
        retry_minutes: 15,
        give_up_hours: 4,
        holidays: BTreeSet::new(),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The scheduled times in `[from, to)`, found by looking at a clock of the zone once a minute, and at what it left out since the last look.
fn watched(
    crons: &[&str],
    zone: Zone,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    let parse = |cron: &&str| croner::parser::CronParser::new().parse(cron).unwrap();
    let patterns: Vec<croner::Cron> = crons.iter().map(parse).collect();
    let minute = TimeDelta::minutes(1);
    let mut found = BTreeSet::new();
    // From a day before, so that it is known what was shown already: all up to the latest.
    let mut at = from - TimeDelta::days(1);
    let mut shown = (at - minute).with_timezone(&zone).naive_local();
    while at < to {
        let now = at.with_timezone(&zone).naive_local();
        while shown < now {
            shown += minute;
            let fits = |pattern: &croner::Cron| pattern.is_time_matching(&shown).unwrap();
            if at >= from && patterns.iter().any(fits) {
                found.insert(at);
            }
        }
        at += minute;
    }
    found
}
