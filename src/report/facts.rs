//! What a report tells of, as it was gathered, for the page and the table alike.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::audit::{Head, Verified};
use crate::config::KeyChange;
use crate::plan::Leaving;
use crate::status::IntegrationStatus;

/// Where pushes go. After the address was changed it is another place, and what happened at the one says nothing of the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) environment: String,
    pub(super) origin: String,
    pub(super) integration_id: u64,
}

impl Place {
    /// Whether nobody at JobTicket can have been changed there.
    pub(super) fn is_sandbox(&self) -> bool {
        self.environment == "sandbox"
    }
}

/// One run.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) integration: String,
    pub(super) place: Place,
    pub(super) started: DateTime<Utc>,
    pub(super) trigger: String,
    pub(super) dry: bool,
    pub(super) outcome: String,
    pub(super) exit_code: u64,
    pub(super) seconds: f64,
    pub(super) requests: u64,
}

impl Run {
    /// Of which of three kinds its end was, by the exit codes of the README.
    pub(super) fn class(&self) -> &'static str {
        match self.exit_code {
            // The next run does its work.
            0 if self.outcome == "stopped" => "held",
            0 | 9 => "done",
            3 | 7 => "held",
            _ => "failed",
        }
    }
}

/// Somebody who was offboarded.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) at: DateTime<Utc>,
    pub(super) hr_id: String,
    pub(super) name: String,
    pub(super) why: Leaving,
    /// The number of the hold whose approval let them go.
    pub(super) hold: Option<u64>,
    pub(super) run: String,
}

/// A decision.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) at: DateTime<Utc>,
    pub(super) what: String,
    pub(super) hold: Option<u64>,
    pub(super) user: String,
    pub(super) on_behalf_of: Option<String>,
    pub(super) reason: String,
    pub(super) until: Option<String>,
    pub(super) hr_ids: Vec<String>,
    /// Whom an approval left out.
    pub(super) except: Vec<String>,
}

/// People whose values were removed.
#[derive(Debug)]
pub(super) struct Forgotten {
    pub(super) at: DateTime<Utc>,
    pub(super) user: String,
    pub(super) on_behalf_of: Option<String>,
    pub(super) reason: String,
    pub(super) hr_ids: Vec<String>,
}

/// A hold that was opened.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) at: DateTime<Utc>,
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) whole_plan: bool,
    pub(super) why: Vec<String>,
    pub(super) people: u64,
}

/// A source in this span.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) pulls: usize,
    pub(super) failures: usize,
    pub(super) file: String,
    pub(super) rows: u64,
    pub(super) selected: u64,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) pulled: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
}

/// A drift that was told.
#[derive(Debug)]
pub(super) struct Drift {
    pub(super) at: DateTime<Utc>,
    pub(super) sync_id: String,
    pub(super) people: usize,
    pub(super) lost: bool,
}

/// One integration in this span, at one place.
#[derive(Debug, Default)]
pub(super) struct One {
    pub(super) name: String,
    pub(super) place: Place,
    /// How it stands now; `None` where it pushes no longer.
    pub(super) status: Option<IntegrationStatus>,
    /// How many people the last acknowledged push before the span had.
    pub(super) before: Option<u64>,
    pub(super) headcount: Vec<(DateTime<Utc>, u64)>,
    pub(super) joined: Vec<(DateTime<Utc>, String)>,
    pub(super) left: Vec<Left>,
    /// When people were changed.
    pub(super) changed: Vec<DateTime<Utc>>,
    pub(super) runs: Vec<Run>,
    pub(super) holds: Vec<Hold>,
    pub(super) decisions: Vec<Decided>,
    pub(super) forgotten: Vec<Forgotten>,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) drifts: Vec<Drift>,
}

impl One {
    /// Whether nothing happened to it in the span.
    pub(super) fn is_empty(&self) -> bool {
        self.headcount.is_empty()
            && self.runs.is_empty()
            && self.holds.is_empty()
            && self.decisions.is_empty()
            && self.forgotten.is_empty()
            && self.sources.is_empty()
            && self.drifts.is_empty()
    }

    /// How many people JobTicket had, from the beginning of the span on.
    pub(super) fn people(&self, since: DateTime<Utc>) -> Vec<(DateTime<Utc>, u64)> {
        let before = self.before.map(|people| (since, people));
        before
            .into_iter()
            .chain(self.headcount.iter().copied())
            .collect()
    }
}

/// Keys of the configuration that were found changed together.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) at: DateTime<Utc>,
    pub(super) user: String,
    pub(super) changes: Vec<KeyChange>,
}

impl Settings {
    /// Whether there was no configuration before it, so that every key is new.
    pub(super) fn is_first(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.key == "timezone" && change.old.is_none())
    }
}

/// A backup that was put in place.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) at: DateTime<Utc>,
    pub(super) user: String,
    pub(super) file: String,
    /// When it was made.
    pub(super) made: Option<DateTime<Utc>>,
}

/// Everything.
pub(super) struct Gathered {
    pub(super) integrations: Vec<One>,
    pub(super) settings: Vec<Settings>,
    pub(super) restored: Vec<Restored>,
    pub(super) since: DateTime<Utc>,
    pub(super) head: Head,
    /// Whether the log is what was written.
    pub(super) checked: Verified,
    /// Whether names stand in it as they are.
    pub(super) full: bool,
}

impl Gathered {
    pub(super) fn runs(&self) -> usize {
        self.integrations.iter().map(|one| one.runs.len()).sum()
    }

    pub(super) fn changes(&self) -> usize {
        let of = |one: &One| one.joined.len() + one.left.len() + one.changed.len();
        self.integrations.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_pushed_beside_a_failed_source_or_a_hold_is_not_done() {
        let class = |outcome: &str, exit_code| {
            Run {
                outcome: outcome.to_owned(),
                exit_code,
                ..Run::default()
            }
            .class()
        };
        assert_eq!(class("pushed", 0), "done");
        assert_eq!(class("pushed", 9), "done");
        assert_eq!(class("pushed", 3), "held");
        assert_eq!(class("pushed", 4), "failed");
        assert_eq!(class("unchanged", 8), "failed");
        assert_eq!(class("another run in progress", 7), "held");
        assert_eq!(class("stopped", 0), "held");
        assert_eq!(class("panicked", 1), "failed");
    }
}
