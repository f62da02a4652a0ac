//! When an integration would run.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{Config, Integration};

/// How many of the next runs are told.
const TOLD: usize = 5;

/// The next scheduled times of an integration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// The zone of the schedule.
    pub timezone: String,
    /// The next times, in that zone (RFC 3339).
    pub next: Vec<String>,
    /// A run starts up to so many seconds later.
    pub jitter_seconds: u32,
}

/// The next times after `now`, and a line that tells them. Without a schedule only the line.
pub(super) fn scheduled(
    config: &Config,
    integration: &Integration,
    now: DateTime<Utc>,
) -> (Option<Scheduled>, String) {
    let Some(schedule) = config.schedule(integration) else {
        let none = "schedule: none; this integration runs only where somebody starts it";
        return (None, none.to_owned());
    };
    let times: Vec<_> = schedule.upcoming(now).take(TOLD).collect();
    let texts: Vec<String> = times
        .iter()
        .map(|time| time.format("%a %Y-%m-%d %H:%M").to_string())
        .collect();
    let timezone = schedule.timezone.name().to_owned();
    let jitter_seconds = schedule.jitter_seconds;
    let later = match jitter_seconds {
        0 => String::new(),
        seconds => format!(", each up to {seconds} seconds later"),
    };
    let line = format!("schedule: next {} ({timezone}){later}", texts.join(", "));
    let scheduled = Scheduled {
        timezone,
        next: times.iter().map(DateTime::to_rfc3339).collect(),
        jitter_seconds,
    };
    (Some(scheduled), line)
}
