//! A run that the service owes: one that is due and has not come to its end yet, or waits for what it needs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Schedule;

/// A run that has to be made. It is remembered before it begins and forgotten once it has done its work, so that neither a kill nor a restart loses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owed {
    /// What set it off.
    pub trigger: String,
    /// The scheduled time that it is for.
    pub scheduled: Option<DateTime<Utc>>,
    /// Not before this.
    pub at: DateTime<Utc>,
    /// Whether it was made and has to be made again, for a file was not there or JobTicket could not be used.
    pub again: bool,
    /// How often it was begun since it last came to an orderly end.
    pub starts: u32,
}

/// The end of what set off a run for a time that passed while nothing could run.
pub const MADE_UP: &str = ", made up";

impl Owed {
    /// So often a run is begun that never comes to an end. One more, and a run that ends the service would end it for ever.
    pub const MOST_STARTS: u32 = 2;

    /// A run that is due now.
    pub fn new(trigger: String, scheduled: Option<DateTime<Utc>>, at: DateTime<Utc>) -> Self {
        Self {
            trigger,
            scheduled,
            at,
            again: false,
            starts: 0,
        }
    }

    /// The same, to be made later; it has come to an orderly end.
    #[must_use]
    pub fn later(mut self, at: DateTime<Utc>) -> Self {
        (self.at, self.again, self.starts) = (at, true, 0);
        self
    }

    /// What the run says set it off.
    pub fn told(&self) -> String {
        if self.again || self.starts > 0 {
            format!("{}, tried again", self.trigger.trim_end_matches(MADE_UP))
        } else {
            self.trigger.clone()
        }
    }
}

/// When an integration runs next, not before `from`: by its schedule, or because it owes a run.
pub fn next_run(
    schedule: Option<&Schedule>,
    owed: Option<&Owed>,
    name: &str,
    from: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let scheduled = schedule.and_then(|schedule| {
        let next = schedule.next_after(from)?;
        Some(schedule.starts_at(name, next))
    });
    let owed = owed.map(|owed| owed.at.max(from));
    owed.into_iter().chain(scheduled).min()
}
