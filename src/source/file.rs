//! The intake of every source that reads files: which file, whether it is read, and what happens to it in the end.
//!
//! A [`Place`] is where files lie, a folder of this machine or one of a server. All it can do is list, read and put away; what is decided about files is decided
//! here, once. The hazard is a second copy of that: two sources that differ in what they take for complete.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::intake::{Choice, Entry, IntakeError, Taken, choose, max_bytes, superseded};
use super::{Ask, FinishError, Pulled, SourceError, encoding, packed, records, table::Table};
use crate::config::{After, Ready, Source};
use crate::schedule::Schedule;

/// Where files lie.
pub(super) trait Place {
    /// Why something cannot be done there.
    type Error: Into<SourceError> + Into<FinishError>;

    /// Whether a file that looks like the one taken last is taken for it without being read.
    const KNOWS_BY_LOOKS: bool;

    /// The files that are there.
    fn list(&mut self) -> Result<Vec<Entry>, Self::Error>;

    /// Reads a file as it was listed: its bytes as delivered, and what is remembered of it.
    fn read(
        &mut self,
        entry: &Entry,
        dated: Option<NaiveDateTime>,
        max_bytes: u64,
    ) -> Result<(Vec<u8>, Taken), Self::Error>;

    /// Puts away a file that was used, and then its marker, where that is configured.
    fn put_away(&mut self, file: &Taken, marker: Option<&str>)
    -> Result<Option<Away>, FinishError>;
}

/// What became of a file that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Away {
    /// It was moved, and this is its path now.
    Moved(PathBuf),
    /// It was deleted.
    Deleted,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved(to) => to.display().fmt(f),
            Self::Deleted => f.write_str("(deleted)"),
        }
    }
}

/// What the rules of the source say of the files that are there.
fn chosen(
    place: &mut impl Place,
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Choice, SourceError> {
    let entries = place.list().map_err(Into::<SourceError>::into)?;
    Ok(choose(&entries, source, last, now, zone, schedule)?)
}

pub(super) fn look(
    place: &mut impl Place,
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Option<Entry>, SourceError> {
    match chosen(place, source, last, now, zone, schedule) {
        Ok(Choice::Take { entry, .. }) => Ok(Some(entry)),
        Ok(Choice::NoneNewer | Choice::NotYet { .. }) => Ok(None),
        // Nothing has come; a run says what that means.
        Err(SourceError::Intake(IntakeError::NoFile { .. } | IntakeError::Stale { .. })) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn pull<P: Place>(
    place: &mut P,
    source: &Source,
    ask: &Ask<'_>,
) -> Result<Pulled, SourceError> {
    let Ask {
        last,
        now,
        zone,
        schedule,
        ..
    } = *ask;
    let nothing_newer = |not_yet, there| {
        if let Some(last) = last {
            last.check_age(source, now, zone, schedule)?;
        }
        Ok(Pulled::NothingNewer { not_yet, there })
    };
    let (entry, dated) = match chosen(place, source, last, now, zone, schedule)? {
        Choice::Take { entry, dated } => (entry, dated),
        Choice::NotYet { name, why } if last.is_none() => {
            return Err(SourceError::NotYet {
                name,
                why: why.to_string(),
            });
        }
        Choice::NotYet { name, why } => return nothing_newer(Some(format!("{name}: {why}")), None),
        Choice::NoneNewer => return nothing_newer(None, None),
    };
    if P::KNOWS_BY_LOOKS
        && ask.same_rules
        && let Some(last) = last.filter(|last| last.is(&entry))
    {
        return nothing_newer(None, Some(last.clone()));
    }
    let (bytes, taken) = place
        .read(&entry, dated, max_bytes(source))
        .map_err(Into::<SourceError>::into)?;
    let bytes = packed::unpack(bytes, &taken.name, source, now)?;
    let text = encoding::decode(&bytes, &taken.name, source.table.encoding)?;
    let table = Table::open(&text, &taken.name, &source.table)?;
    let today = now.with_timezone(&zone).date_naive();
    let read = records::read(source, &table, &taken.name, ask.filled, today)?;
    Ok(Pulled::Read {
        taken,
        delivery: read.delivery,
        rows: read.rows,
        rules: read.rules,
    })
}

pub(super) fn finish(
    place: &mut impl Place,
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<Option<Away>, FinishError> {
    if source.after == After::Keep {
        return Ok(None);
    }
    let marker_of = |name: &str| match &source.ready {
        Ready::Marker(template) => Some(template.replace("{name}", name)),
        Ready::Rename | Ready::QuietSeconds(_) => None,
    };
    let entries = place.list().map_err(Into::<FinishError>::into)?;
    for old in superseded(&entries, source, taken, now)? {
        let old = Taken {
            name: old.name.clone(),
            size: old.size,
            modified: old.modified,
            dated: None,
            sha256: String::new(),
        };
        place.put_away(&old, marker_of(&old.name).as_deref())?;
    }
    place.put_away(taken, marker_of(&taken.name).as_deref())
}
