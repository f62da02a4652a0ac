//! Which file of a folder is today's roster.
//!
//! Only the newest counts. While it is still being written nothing is taken in its place: yesterday's file would offboard those who came today, and a half
//! written one everybody behind its end. Nothing here touches a file system, so a local folder and a server are treated alike.

mod age;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::names::{self, Kind, Names};
use crate::config::{After, NewestBy, Ready, Source};
use crate::schedule::Schedule;
use crate::zone::Zone;

/// A file of the folder, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
}

/// A file that was read, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its name, without the folder.
    pub name: String,
    /// Bytes, as delivered.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
    /// The date in its name, where `newest_by` goes by that; local time of the configured zone.
    pub dated: Option<NaiveDateTime>,
    /// Of the bytes as delivered, in hexadecimal digits.
    pub sha256: String,
    /// When it was signed, where that was asked for.
    #[serde(default)]
    pub signed: Option<DateTime<Utc>>,
    /// When it was read, by this machine's clock.
    #[serde(default)]
    pub read_at: Option<DateTime<Utc>>,
    /// Whether it was read twice, some time apart, and was the same: from then on its looks are enough where reading costs something. Times of servers are whole seconds, and
    /// a file that is written anew in the same second with the same size looks as it did.
    #[serde(default)]
    pub confirmed: bool,
    /// Identifies where it was read and how it was opened.
    #[serde(default)]
    pub way: String,
    /// How many records the joined lists had, where it is a list of an HR system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, u64>,
    /// The file of absences that was read with it, where the source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absences: Option<Box<Self>>,
}

impl Taken {
    /// A listed file that was read.
    pub fn new(entry: &Entry, dated: Option<NaiveDateTime>, sha256: String) -> Self {
        Self {
            name: entry.name.clone(),
            size: entry.size,
            modified: entry.modified,
            dated,
            sha256,
            signed: None,
            read_at: None,
            confirmed: false,
            way: String::new(),
            lists: BTreeMap::new(),
            absences: None,
        }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Read this file. It may be the one taken last: its SHA-256 tells whether it is.
    Take {
        /// The file.
        entry: Entry,
        /// The date in its name, where `newest_by` goes by that.
        dated: Option<NaiveDateTime>,
    },
    /// There is none; the one taken last still stands, for as long as `Taken::check_age` allows.
    NoneNewer {
        /// Where files are there of which none matches: an export whose name has changed would go unseen until the last file is stale.
        unmatched: Option<Unmatched>,
    },
    /// The newest is not complete yet; come back later.
    NotYet {
        /// Its name as it is now.
        name: String,
        /// Why it is not complete.
        why: NotReady,
    },
}

/// Why a file is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// Its name is that of a file still being written.
    InProgress,
    /// Its marker, of this name, is missing.
    NoMarker(String),
    /// Its marker, of this name, was there before the file was last written.
    OldMarker(String),
    /// It was written less than this many seconds ago, or in the future.
    NotQuiet(u64),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProgress => f.write_str("its name says that it is still being written"),
            Self::NoMarker(marker) => write!(f, "its marker {marker} is missing"),
            Self::OldMarker(marker) => write!(f, "its marker {marker} is older than the file"),
            Self::NotQuiet(seconds) => write!(f, "it was written less than {seconds} seconds ago"),
        }
    }
}

/// Files of a folder of which none is a roster by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// What their names were compared with.
    pub pattern: String,
    /// How many are neither rosters nor markers.
    pub others: usize,
    /// How many of these differ from it in upper and lower case only.
    pub other_case: usize,
    /// How many are markers.
    pub markers: usize,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pattern,
            others,
            other_case,
            markers,
        } = self;
        let files = if *others == 1 { "file" } else { "files" };
        write!(
            f,
            "matches {pattern}: it holds {others} other {files} ({other_case} with a name that differs from it in upper and lower case only) and {markers} markers; if the export has another name now, correct pattern"
        )
    }
}

/// Why no file can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum IntakeError {
    #[error("The pattern {pattern} is no file name pattern; write such as roster_*.csv")]
    Pattern { pattern: String },
    #[error("No file in {} {found}", folder.display())]
    NoFile { folder: PathBuf, found: Unmatched },
    #[error(
        "The file {name} has no date in its name as {format} describes it; correct newest_by, or make the pattern leave the file out"
    )]
    NoDate { name: String, format: String },
    #[error(
        "The file {name} is dated in the future; check the name, or the clocks here and at the sender"
    )]
    Future { name: String },
    #[error("The files {one} and {other} are equally new; remove the one that is not meant")]
    EquallyNew { one: String, other: String },
    #[error("The newest file {name} is older than the one taken last: {by}; deliver a new one")]
    OlderThanLast { name: String, by: OlderBy },
    #[error(
        "The file {name} was signed at {signed}, before the one taken last ({last}): an old delivery under a new name; deliver a new one"
    )]
    SignedBefore {
        name: String,
        signed: DateTime<Utc>,
        last: String,
    },
    #[error(
        "The file {name} may be a roster or one of absences, for it matches {rosters} and {absences}; let no name match both"
    )]
    Either {
        name: String,
        rosters: String,
        absences: String,
    },
    #[error("The file {name} is empty (0 bytes); deliver it again")]
    Empty { name: String },
    #[error(
        "The file {name} is stale: it is {age} and max_age_hours is {most}; {}",
        newer.as_deref().unwrap_or("check why the sender delivers nothing newer")
    )]
    Stale {
        name: String,
        age: HoursOld,
        most: u64,
        /// What is there that is newer and cannot be taken, or what is there at all.
        newer: Option<String>,
    },
}

/// How old a file is, in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoursOld {
    /// Those of days with a scheduled run; all of them where there is no schedule.
    pub counted: i64,
    /// All of them.
    pub all: i64,
}

impl fmt::Display for HoursOld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counted, all } = self;
        write!(f, "{counted} hours old")?;
        if all > counted {
            write!(f, " ({all} with the days that have no scheduled run)")?;
        }
        Ok(())
    }
}

/// What makes a file older than the one taken last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum OlderBy {
    Name {
        last: String,
    },
    Modified {
        at: DateTime<Utc>,
        last: String,
        last_at: DateTime<Utc>,
    },
}

impl OlderBy {
    fn of(age: Age, last_age: Age, last: &Taken) -> Self {
        let last = last.name.clone();
        if age.0 < last_age.0 {
            Self::Name { last }
        } else {
            Self::Modified {
                at: age.1,
                last,
                last_at: last_age.1,
            }
        }
    }
}

impl fmt::Display for OlderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        match self {
            Self::Name { last } => write!(f, "its name bears an earlier date than {last}"),
            Self::Modified { at, last, last_at } => write!(
                f,
                "it was last written at {}, and {last} at {}",
                when(at),
                when(last_at)
            ),
        }
    }
}

/// What orders files by age: the date in the name, where that counts, then the time of modification.
type Age = (Option<NaiveDateTime>, DateTime<Utc>);

struct Candidate<'e> {
    entry: &'e Entry,
    age: Age,
    not_ready: Option<NotReady>,
}

/// Chooses the file to read. `last` is the one taken last, `zone` that of dates in names; days on which `schedule` has no run do not age a file.
pub fn choose(
    entries: &[Entry],
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Zone,
    schedule: Option<&Schedule>,
) -> Result<Choice, IntakeError> {
    let names = names_of(source)?;
    let last_age = last.map(|last| (date_of_last(last, source), last.modified));
    let mut candidates = candidates(entries, source, &names, now)?;
    let none_matches = candidates.is_empty();
    // What is left behind from before the last file is on its way no more.
    candidates.retain(|one| one.not_ready.is_none() || last_age.is_none_or(|last| one.age >= last));
    candidates.sort_by_key(|one| Reverse((one.age, one.not_ready.is_some())));
    let Some(newest) = candidates.first() else {
        let found = unmatched(entries, source, &names);
        return match last {
            Some(_) => Ok(Choice::NoneNewer {
                unmatched: (none_matches && found.others > 0).then_some(found),
            }),
            None => Err(IntakeError::NoFile {
                folder: source.folder.clone(),
                found,
            }),
        };
    };
    let Entry {
        name,
        size,
        modified,
    } = newest.entry;
    let dated = newest.age.0;
    age::check_future(newest.entry, dated, source, now, zone)?;
    if let Some(why) = &newest.not_ready {
        // The sender cleared the marker away after the file was taken.
        if last.is_some_and(|last| last.is(newest.entry)) {
            return Ok(Choice::NoneNewer { unmatched: None });
        }
        return Ok(Choice::NotYet {
            name: name.clone(),
            why: why.clone(),
        });
    }
    if let Some(second) = candidates.get(1).filter(|second| second.age == newest.age) {
        return Err(IntakeError::EquallyNew {
            one: name.clone(),
            other: second.entry.name.clone(),
        });
    }
    if let (Some(last), Some(last_age)) = (last, last_age)
        && newest.age < last_age
    {
        // The one taken last was deleted, and what is older and was never read was not.
        if source.after == After::Delete && !entries.iter().any(|entry| last.is(entry)) {
            return Ok(Choice::NoneNewer { unmatched: None });
        }
        return Err(IntakeError::OlderThanLast {
            name: name.clone(),
            by: OlderBy::of(newest.age, last_age, last),
        });
    }
    if *size == 0 {
        return Err(IntakeError::Empty { name: name.clone() });
    }
    age::check_age(name, dated, *modified, source, now, zone, schedule)?;
    Ok(Choice::Take {
        entry: newest.entry.clone(),
        dated,
    })
}

/// The complete files that are older than `taken`, which nobody will ever read. Once the newest is archived they would be
/// all that is left, and an error: they are archived with it.
pub fn superseded<'e>(
    entries: &'e [Entry],
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<Vec<&'e Entry>, IntakeError> {
    let age = (date_of_last(taken, source), taken.modified);
    let found = candidates(entries, source, &names_of(source)?, now)?;
    let old = found
        .into_iter()
        .filter(|one| one.age < age && one.entry.name != taken.name && one.not_ready.is_none());
    Ok(old.map(|one| one.entry).collect())
}

impl Taken {
    /// Whether a listed file looks like this one; its SHA-256 tells whether it is.
    pub fn is(&self, entry: &Entry) -> bool {
        (&self.name, self.size, self.modified) == (&entry.name, entry.size, entry.modified)
    }

    /// What of a delivery counts where days are counted on which somebody was missing: a file that was only touched, or given another name where a signature tells its time, is no
    /// other one. A date in the name is the sender's word, and a new one is another delivery even if nothing has changed.
    /// Absences do not count: a new file of them says nothing of who is missing.
    pub fn counts_as(&self) -> String {
        match (self.signed, self.dated) {
            (Some(signed), _) => format!("signed {} {}", signed.to_rfc3339(), self.sha256),
            (None, Some(dated)) => format!("dated {dated} {}", self.sha256),
            (None, None) => self.sha256.clone(),
        }
    }

    /// Tells one delivery from another, also where the second says the same.
    pub fn identity(&self) -> String {
        format!(
            "{} {} {}",
            self.name,
            self.modified.to_rfc3339(),
            self.sha256
        )
    }
}

/// The most bytes that a file of the source may have, packed or unpacked.
pub fn max_bytes(source: &Source) -> u64 {
    source.table.max_megabytes.saturating_mul(1_000_000)
}

pub(super) fn names_of(source: &Source) -> Result<Names<'_>, IntakeError> {
    Names::new(source).ok_or_else(|| IntakeError::Pattern {
        pattern: source.pattern.clone(),
    })
}

fn candidates<'e>(
    entries: &'e [Entry],
    source: &Source,
    names: &Names<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Candidate<'e>>, IntakeError> {
    let mut found = Vec::new();
    for entry in entries {
        let (name, not_ready) = match names.kind(&entry.name) {
            Kind::Roster => (
                entry.name.as_str(),
                not_ready(entry, entries, source, names, now),
            ),
            Kind::InProgress(later) => (later, Some(NotReady::InProgress)),
            Kind::Marker | Kind::Other => continue,
        };
        let dated = match &source.newest_by {
            NewestBy::Modified => None,
            NewestBy::NameDate(format) => {
                let date = names::date(name, format);
                Some(date.ok_or_else(|| IntakeError::NoDate {
                    name: entry.name.clone(),
                    format: format.clone(),
                })?)
            }
        };
        found.push(Candidate {
            entry,
            age: (dated, entry.modified),
            not_ready,
        });
    }
    Ok(found)
}

fn not_ready(
    entry: &Entry,
    entries: &[Entry],
    source: &Source,
    names: &Names<'_>,
    now: DateTime<Utc>,
) -> Option<NotReady> {
    match &source.ready {
        Ready::Rename => None,
        Ready::Marker(_) => {
            let name = names.marker_of(&entry.name)?;
            match entries.iter().find(|other| other.name == name) {
                None => Some(NotReady::NoMarker(name)),
                // A sender that writes the same name each day leaves yesterday's marker beside today's unfinished file.
                Some(marker) if marker.modified < entry.modified => Some(NotReady::OldMarker(name)),
                Some(_) => None,
            }
        }
        Ready::QuietSeconds(seconds) => {
            let quiet = u64::try_from((now - entry.modified).num_seconds());
            let is_quiet = quiet.is_ok_and(|quiet| quiet >= *seconds) && entry.modified <= now;
            (!is_quiet).then_some(NotReady::NotQuiet(*seconds))
        }
    }
}

fn date_of_last(last: &Taken, source: &Source) -> Option<NaiveDateTime> {
    match &source.newest_by {
        NewestBy::Modified => None,
        NewestBy::NameDate(format) => last.dated.or_else(|| names::date(&last.name, format)),
    }
}

fn unmatched(entries: &[Entry], source: &Source, names: &Names<'_>) -> Unmatched {
    let count = |wanted: Kind<'_>| {
        entries
            .iter()
            .filter(|entry| names.kind(&entry.name) == wanted)
            .count()
    };
    let other_case = entries
        .iter()
        .filter(|entry| names.kind(&entry.name) == Kind::Other && names.is_other_case(&entry.name));
    Unmatched {
        pattern: source.pattern.clone(),
        others: count(Kind::Other),
        other_case: other_case.count(),
        markers: count(Kind::Marker),
    }
}

#[cfg(test)]
pub(crate) mod tests;
