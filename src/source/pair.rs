//! Which files of a source are read together: its roster and, where it has one, its file of absences.
//!
//! Each is chosen by the rules of the intake, as the newest complete one that is young enough, and neither is used without the other. A roster whose absences have not come is read
//! with the newest absences that are there. Where these were put away with the roster before it, it is waited for new ones: without any, everybody's absences would be gone.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::intake::{Choice, Entry, IntakeError, Taken, Unmatched, choose, names_of};
use super::names::Kind;
use crate::config::Source;
use crate::schedule::Schedule;
use crate::zone::Zone;

/// The files that a pull would read, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The roster.
    #[serde(flatten)]
    pub roster: Entry,
    /// The file of absences, where the source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absences: Option<Entry>,
}

impl Seen {
    /// Their names, for messages.
    pub fn names(&self) -> String {
        let absences = self.absences.as_ref();
        both(&self.roster.name, absences.map(|file| file.name.as_str()))
    }
}

impl Taken {
    /// Whether another delivery holds the same, to the byte.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let absences = |taken: &Self| taken.absences.as_ref().map(|file| file.sha256.clone());
        (&self.sha256, absences(self)) == (&other.sha256, absences(other))
    }

    /// What was read, for messages.
    pub fn names(&self) -> String {
        let absences = self.absences.as_ref();
        both(&self.name, absences.map(|file| file.name.as_str()))
    }

    /// Whether the listed files look like those that were read.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        self.is(&seen.roster)
            && seen.absences.as_ref().is_none_or(|entry| {
                let absences = self.absences.as_ref();
                absences.is_some_and(|absences| absences.is(entry))
            })
    }
}

/// The names of a roster and of a file of absences.
fn both(roster: &str, absences: Option<&str>) -> String {
    match absences {
        None => roster.to_owned(),
        Some(absences) => format!("{roster} and {absences}"),
    }
}

/// A file that is to be read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) entry: Entry,
    /// The date in its name, where `newest_by` goes by that.
    pub(super) dated: Option<NaiveDateTime>,
}

/// What the rules say of the files that are there.
#[derive(Debug)]
pub(super) enum Chosen {
    /// Read them. They may be those taken last.
    Read {
        roster: Wanted,
        absences: Option<Wanted>,
    },
    /// One of them has not come or is not complete.
    NotYet { name: String, why: String },
    /// Those taken last still stand. `there` are they, where one of them lies there and the other does not.
    NoneNewer {
        there: Option<Taken>,
        unmatched: Option<Unmatched>,
    },
}

/// A source by its files.
pub(super) struct Files<'s> {
    pub(super) roster: &'s Source,
    /// The source as it is for its file of absences.
    pub(super) absences: Option<Source>,
}

impl<'s> Files<'s> {
    pub(super) fn of(source: &'s Source) -> Self {
        Self {
            roster: source,
            absences: source.of_absences(),
        }
    }

    /// Chooses the files to read, as [`choose`] does one.
    pub(super) fn choose(
        &self,
        entries: &[Entry],
        last: Option<&Taken>,
        now: DateTime<Utc>,
        zone: Zone,
        schedule: Option<&Schedule>,
    ) -> Result<Chosen, IntakeError> {
        let wanted = |entry, dated| Wanted { entry, dated };
        let not_yet = |name, why: &dyn ToString| Chosen::NotYet {
            name,
            why: why.to_string(),
        };
        let of_roster = choose(entries, self.roster, last, now, zone, schedule)?;
        let Some(source) = &self.absences else {
            return Ok(match of_roster {
                Choice::Take { entry, dated } => Chosen::Read {
                    roster: wanted(entry, dated),
                    absences: None,
                },
                Choice::NotYet { name, why } => not_yet(name, &why),
                Choice::NoneNewer { unmatched } => Chosen::NoneNewer {
                    there: None,
                    unmatched,
                },
            });
        };
        self.tell_apart(entries, source)?;
        let last_absences = last.and_then(|last| last.absences.as_deref());
        let of_absences = choose(entries, source, last_absences, now, zone, schedule)?;
        let is_last = |last: Option<&Taken>, entry| last.is_some_and(|last| last.is(entry));
        Ok(match (of_roster, of_absences) {
            (Choice::NotYet { name, why }, _) | (_, Choice::NotYet { name, why }) => {
                not_yet(name, &why)
            }
            (
                Choice::Take { entry, dated },
                Choice::Take {
                    entry: absences,
                    dated: absences_dated,
                },
            ) => Chosen::Read {
                roster: wanted(entry, dated),
                absences: Some(wanted(absences, absences_dated)),
            },
            (Choice::NoneNewer { unmatched }, Choice::NoneNewer { unmatched: other }) => {
                Chosen::NoneNewer {
                    there: None,
                    unmatched: unmatched.or(other),
                }
            }
            // One of the two went away, or could not be put away with the other.
            (Choice::Take { entry, .. }, Choice::NoneNewer { unmatched })
                if is_last(last, &entry) =>
            {
                Chosen::NoneNewer {
                    there: last.cloned(),
                    unmatched,
                }
            }
            (Choice::NoneNewer { unmatched }, Choice::Take { entry, .. })
                if is_last(last_absences, &entry) =>
            {
                Chosen::NoneNewer {
                    there: last.cloned(),
                    unmatched,
                }
            }
            (Choice::Take { entry, .. }, Choice::NoneNewer { .. }) => {
                let pattern = &source.pattern;
                not_yet(
                    entry.name,
                    &format!("no file of absences ({pattern}) is there to go with it"),
                )
            }
            (Choice::NoneNewer { .. }, Choice::Take { entry, .. }) => {
                let pattern = &self.roster.pattern;
                not_yet(
                    entry.name,
                    &format!("no roster ({pattern}) is there to go with it"),
                )
            }
        })
    }

    /// Fails where a file could be either.
    fn tell_apart(&self, entries: &[Entry], absences: &Source) -> Result<(), IntakeError> {
        let (first, second) = (names_of(self.roster)?, names_of(absences)?);
        let either = entries.iter().find(|entry| {
            let matters = |kind| matches!(kind, Kind::Roster | Kind::InProgress(_));
            matters(first.kind(&entry.name)) && matters(second.kind(&entry.name))
        });
        match either {
            None => Ok(()),
            Some(entry) => Err(IntakeError::Either {
                name: entry.name.clone(),
                rosters: self.roster.pattern.clone(),
                absences: absences.pattern.clone(),
            }),
        }
    }

    /// Whether all that was read is still young enough.
    pub(super) fn check_age(
        &self,
        taken: &Taken,
        now: DateTime<Utc>,
        zone: Zone,
        schedule: Option<&Schedule>,
    ) -> Result<(), IntakeError> {
        let mut parts = self.parts(taken).into_iter();
        parts.try_for_each(|(source, taken)| taken.check_age(source, now, zone, schedule))
    }

    /// Each file that was read, with the source as it is for it.
    pub(super) fn parts<'t>(&'t self, taken: &'t Taken) -> Vec<(&'t Source, &'t Taken)> {
        let absences = self.absences.as_ref().zip(taken.absences.as_deref());
        [(self.roster, taken)].into_iter().chain(absences).collect()
    }
}

#[cfg(test)]
mod tests;
