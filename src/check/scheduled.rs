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

fn is_watched(integration: &Integration) -> bool {
    integration.sources.iter().any(|source| source.watch)
}

/// Lines that tell which folders are watched, and what to know of that.
pub(super) fn watched(integration: &Integration) -> (Vec<String>, Option<String>) {
    let watched = integration.sources.iter().filter(|source| source.watch);
    let facts = watched.map(|source| {
        format!(
            "source {}: the service watches {}; a complete new file there starts a run",
            source.name,
            source.folder.display()
        )
    });
    let alone = (is_watched(integration) && integration.schedule.is_none()).then(|| {
        "there is no schedule beside the watched folder, so nothing tries a failed run again before the next file, and nobody hears of a file that never comes; add one".to_owned()
    });
    (facts.collect(), alone)
}

/// The next times after `now`, and a line that tells them. Without a schedule only the line.
pub(super) fn scheduled(
    config: &Config,
    integration: &Integration,
    now: DateTime<Utc>,
) -> (Option<Scheduled>, String) {
    let Some(schedule) = config.schedule(integration) else {
        let starts = if is_watched(integration) {
            "where a new file comes or somebody starts it"
        } else {
            "only where somebody starts it"
        };
        let none = format!("schedule: none; this integration runs {starts}");
        return (None, none);
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
