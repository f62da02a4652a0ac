//! What tripped, who is in question, and why a plan waits, in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Change;
use crate::roster::{Field, HrId};

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// People who are missing without an explanation, in one run.
    Leavers,
    /// The same over days.
    Window,
    /// People whose employment ended by a date, or who have an excluded value now.
    ExplainedLeavers,
    /// New people.
    Joiners,
    /// People with changed values.
    Changed,
    /// People with a new number.
    KeyDrift,
    /// Leavers of all kinds: probably the wrong file.
    KeepPercent,
    /// Leavers and joiners both over their limits: probably the wrong file.
    Both,
}

impl Which {
    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Leavers => "limits.leavers",
            Self::Window => "limits.windows",
            Self::ExplainedLeavers => "limits.explained_leavers",
            Self::Joiners => "limits.joiners",
            Self::Changed => "limits.changed",
            Self::KeyDrift => "limits.key_drift",
            Self::KeepPercent => "limits.keep_percent",
            Self::Both => "limits.leavers and limits.joiners",
        }
    }

    /// Whom it counts, in words.
    pub fn people(self) -> &'static str {
        match self {
            Self::Leavers | Self::Window => "unexplained leavers",
            Self::ExplainedLeavers => "explained leavers",
            Self::Joiners => "joiners",
            Self::Changed => "changed employees",
            Self::KeyDrift => "people with new numbers",
            Self::KeepPercent => "leavers",
            Self::Both => "leavers and joiners",
        }
    }
}

/// A limit that tripped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trip {
    /// Which.
    pub limit: Which,
    /// Over how many calendar days, where it is about those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// How many people.
    pub number: usize,
    /// How many go unasked.
    pub allowed: u64,
    /// Of how many people in the snapshot.
    pub of: usize,
    /// Who.
    pub hr_ids: Vec<String>,
}

impl Trip {
    pub(super) fn new(limit: Which, of: usize, allowed: u64, hr_ids: Vec<String>) -> Self {
        Self {
            limit,
            days: None,
            number: hr_ids.len(),
            allowed,
            of,
            hr_ids,
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            days,
            number,
            allowed,
            of,
            ..
        } = self;
        if *limit == Which::Both {
            return write!(
                f,
                "{number} leavers and joiners, and both limits trip: probably the wrong file"
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "headcounts are far below 2^52")]
        let share = if *of == 0 {
            100.0
        } else {
            *number as f64 * 100.0 / *of as f64
        };
        write!(f, "{number} {} ", limit.people())?;
        if let Some(days) = days {
            let unit = if *days == 1 { "day" } else { "days" };
            write!(f, "in {days} {unit} ")?;
        }
        write!(
            f,
            "of {of} people ({share:.1} %), {} lets {allowed} through",
            limit.key()
        )?;
        match limit {
            Which::KeepPercent => f.write_str(": probably the wrong file"),
            Which::KeyDrift => write!(
                f,
                ": {number} people have new numbers. Approving may end {number} tickets. Map them (hrid_map)"
            ),
            _ => Ok(()),
        }
    }
}

/// Why somebody's change waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// A limit on unexplained leavers tripped.
    Leavers,
    /// The limit on explained leavers tripped.
    ExplainedLeavers,
    /// The limit on joiners tripped.
    Joiners,
    /// The selection rules are not those under which the person was acknowledged.
    Rules,
    /// The person's source was removed from the configuration.
    SourceRemoved,
    /// Probably one person under two numbers.
    NewNumber {
        /// The other number.
        other: HrId,
    },
    /// The record has another name and another birth date: another person.
    OtherPerson,
    /// A field that most had is now empty for many.
    Emptied {
        /// Which.
        field: Field,
    },
    /// JobTicket refuses even the acknowledged values.
    Refused,
    /// A decision on the plan left this person out of it.
    Excepted,
}

impl Cause {
    /// Its kind in a word: people who wait for one kind of reason stand in one hold.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Leavers => "leavers",
            Self::ExplainedLeavers => "explained leavers",
            Self::Joiners => "joiners",
            Self::Rules => "changed rules",
            Self::SourceRemoved => "removed source",
            Self::NewNumber { .. } => "new numbers",
            Self::OtherPerson => "another person",
            Self::Emptied { .. } => "emptied column",
            Self::Refused => "refused by JobTicket",
            Self::Excepted => "excepted",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leavers => f.write_str("more unexplained leavers than the limits let through"),
            Self::ExplainedLeavers => {
                f.write_str("more explained leavers than the limit lets through")
            }
            Self::Joiners => f.write_str("more joiners than the limit lets through"),
            Self::Rules => {
                f.write_str("the selection rules have changed since this person was acknowledged")
            }
            Self::SourceRemoved => f.write_str("the source was removed from the configuration"),
            Self::NewNumber { other } => write!(f, "probably the same person as {other}"),
            Self::OtherPerson => {
                f.write_str("another name and another birth date: another person?")
            }
            Self::Emptied { field } => write!(f, "{field} is now empty for many who had it"),
            Self::Refused => f.write_str("JobTicket refuses even the acknowledged values"),
            Self::Excepted => f.write_str("excepted when the plan was approved"),
        }
    }
}

/// Somebody about whom a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// What would happen.
    #[serde(flatten)]
    pub change: Change,
    /// What an approval covers.
    #[serde(skip)]
    pub reason: String,
    /// Why it waits.
    #[serde(flatten)]
    pub cause: Cause,
}

/// What stops everything, whatever the plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "stopped"
)]
pub enum Stopped {
    /// The last sync that JobTicket shows is none of ours.
    NotOurs {
        /// Its syncId.
        sync_id: String,
    },
    /// The state was restored from a backup, which does not know what was pushed since.
    Restored,
    /// After a push somebody who does not belong to it had lost their ticket.
    TicketsLost {
        /// JobTicket's numbers of these people.
        ids: Vec<u64>,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs { sync_id } => write!(
                f,
                "JobTicket's last sync ({sync_id}) is none of this installation: another host pushes too, this machine was restored, or its state was lost. Find out which; then `adopt` makes this installation the one that writes"
            ),
            Self::Restored => f.write_str(
                "the state was restored from a backup and does not know what was pushed since; `adopt` makes this installation the one that writes",
            ),
            Self::TicketsLost { ids } => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "after the last push people who do not belong to this integration had lost their tickets (JobTicket's numbers {}); ask JobTicket's support, and approve this hold to push again",
                    ids.join(", ")
                )
            }
        }
    }
}

/// Why a whole plan waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The limits that tripped.
    pub trips: Vec<Trip>,
    /// Whether it waits because nothing was ever acknowledged for this address and integration.
    pub first_contact: bool,
    /// What stops everything, if something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Identifies what waits: the same plan has the same hash.
    pub plan_hash: String,
}

impl Hold {
    /// Its kind in a word.
    pub fn kind(&self) -> &'static str {
        match &self.stopped {
            Some(Stopped::NotOurs { .. }) => "not ours",
            Some(Stopped::Restored) => "restored",
            Some(Stopped::TicketsLost { .. }) => "tickets lost",
            None if self.first_contact => "first contact",
            None => "plan",
        }
    }

    /// What tripped, a sentence each.
    pub fn why(&self) -> Vec<String> {
        let stopped = self.stopped.as_ref().map(ToString::to_string);
        let first = self
            .first_contact
            .then(|| "first contact with this address and integration".to_owned());
        let trips = self.trips.iter().map(ToString::to_string);
        stopped.into_iter().chain(first).chain(trips).collect()
    }
}
