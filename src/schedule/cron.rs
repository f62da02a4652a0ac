//! A cron line: five fields, or six of which the first is 0.
//!
//! The crate that reads it is lenient (a weekday's name passes for a minute, `@daily` and years are taken), so that each field is looked at before. What a line
//! means is asked of it for days only; the minutes of a matching day are always the same.

use std::fmt;

use chrono::{NaiveDate, NaiveTime};
use croner::parser::CronParser;

/// The calendar repeats after so many days, 400 years.
pub(super) const CALENDAR_DAYS: u32 = 146_097;

const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12 or Jan to Dec"),
    ("day of the week", "0 to 7 or Sun to Sat"),
];
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"];

/// Which minutes of a wall clock count.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    /// Matches days, at the first of `times`.
    pattern: croner::Cron,
    /// Of every matching day, sorted; never empty.
    times: Vec<NaiveTime>,
}

/// Why a cron line cannot be used. It never repeats the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Neither five nor six fields.
    #[error(
        "This cron has {0} fields; write five, minute hour day month weekday, such as \"15 5 * * Mon-Fri\""
    )]
    Count(usize),
    /// The first of six fields is not 0.
    #[error(
        "The first of six fields is the second, and runs start once a minute; write 0 there, or leave the field out"
    )]
    Seconds,
    /// A field is not understood.
    #[error(
        "The {name} of this cron is not understood; write {values}, a list such as 1,3, a range such as 1-5, a step such as */2, or *"
    )]
    Field {
        /// Which.
        name: &'static str,
        /// What it may hold.
        values: &'static str,
    },
    /// All fields are understood, but not together.
    #[error(
        "This cron is not understood; write minute hour day month weekday, such as \"15 5 * * Mon-Fri\""
    )]
    Together,
    /// No day of the calendar matches.
    #[error("This cron never comes: no month has such a day; correct the day or the month")]
    Never,
}

impl Cron {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let upper = text.to_uppercase();
        let mut fields: Vec<&str> = upper.split_whitespace().collect();
        match fields.len() {
            5 => {}
            6 if fields[0].bytes().all(|digit| digit == b'0') => {
                fields.remove(0);
            }
            6 => return Err(CronError::Seconds),
            count => return Err(CronError::Count(count)),
        }
        for (index, (name, values)) in FIELDS.into_iter().enumerate() {
            let mut alone = ["*"; 5];
            alone[index] = fields[index];
            if !words_fit(index, fields[index]) || parsed(&alone).is_none() {
                return Err(CronError::Field { name, values });
            }
        }
        let pattern = parsed(&fields).ok_or(CronError::Together)?;
        let cron = Self {
            text: text.to_owned(),
            times: times(&pattern),
            pattern,
        };
        let mut days = NaiveDate::from_ymd_opt(2000, 1, 1)
            .expect("a day of the calendar")
            .iter_days()
            .take(CALENDAR_DAYS as usize);
        if days.any(|day| cron.is_on(day)) {
            Ok(cron)
        } else {
            Err(CronError::Never)
        }
    }

    /// Whether it has times on this day.
    pub(super) fn is_on(&self, day: NaiveDate) -> bool {
        self.times.first().is_some_and(|time| {
            let matching = self.pattern.is_time_matching(&day.and_time(*time));
            matching.unwrap_or(false)
        })
    }

    /// The first time of a matching day, after `after` where given.
    pub(super) fn first_time(&self, after: Option<NaiveTime>) -> Option<NaiveTime> {
        let passed = after.map_or(0, |after| self.times.partition_point(|time| *time <= after));
        self.times.get(passed).copied()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether every word of a field, in capital letters, belongs there.
fn words_fit(field: usize, text: &str) -> bool {
    let known: &[&str] = match field {
        2 => &["L", "W", "LW"],
        3 => &MONTHS,
        4 => &WEEKDAYS,
        _ => &[],
    };
    let words = text.split(|c: char| !c.is_alphabetic());
    words
        .filter(|word| !word.is_empty())
        .all(|word| known.contains(&word))
}

fn parsed(fields: &[&str]) -> Option<croner::Cron> {
    CronParser::new().parse(&fields.join(" ")).ok()
}

fn times(pattern: &croner::Cron) -> Vec<NaiveTime> {
    let fits = |hour, minute| {
        let fits =
            pattern.pattern.hour_match(hour).ok()? && pattern.pattern.minute_match(minute).ok()?;
        NaiveTime::from_hms_opt(hour, minute, 0).filter(|_| fits)
    };
    (0..24)
        .flat_map(|hour| (0..60).filter_map(move |minute| fits(hour, minute)))
        .collect()
}
