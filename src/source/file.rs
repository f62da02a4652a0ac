//! The intake of every source that reads files: which file, whether it is read, and what happens to it in the end.
//!
//! A [`Place`] is where files lie, a folder of this machine or one of a server. All it can do is list, read and put away; what is decided about files is decided
//! here, once. The hazard is a second copy of that: two sources that differ in what they take for complete.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::intake::{
    Choice, Entry, IntakeError, NotReady, Taken, Unmatched, choose, max_bytes, superseded,
};
use super::{Ask, FinishError, Pulled, SourceError, encoding, packed, records, table::Table};
use crate::config::{After, Ready, Source};
use crate::digest::sha256;
use crate::schedule::Schedule;

/// A file that was read twice and was the same is known by its looks where these two were so far apart: longer than the second in which its time may not have changed.
const APART: TimeDelta = TimeDelta::seconds(60);
/// A file of another machine is looked at for as long as it has to rest, but no longer than so many seconds.
const MOST_WATCHED: u64 = 60;
const SLICE: Duration = Duration::from_millis(100);
/// So many older files are put away at a time; the others come with the next run.
const MOST_OLD: usize = 100;

/// Where files lie.
pub(super) trait Place {
    /// Why something cannot be done there.
    type Error: Into<SourceError> + Into<FinishError>;

    /// Whether it is somewhere else, so that reading takes time, and times of files are another clock's, in whole seconds. A file that looks like the one taken last is
    /// then taken for it without being read, once it was read twice.
    const IS_REMOTE: bool;

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
        Ok(Choice::NoneNewer { .. } | Choice::NotYet { .. }) => Ok(None),
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
    let nothing_newer = |not_yet: Option<String>, there, unmatched: Option<Unmatched>| {
        if let Some(last) = last {
            let aged = last.check_age(source, now, zone, schedule);
            aged.map_err(|error| beside(error, not_yet.as_deref(), unmatched.as_ref()))?;
        }
        Ok(Pulled::NothingNewer {
            not_yet,
            there,
            unmatched,
        })
    };
    let (entry, dated) = match chosen(place, source, last, now, zone, schedule)? {
        Choice::Take { entry, dated } => (entry, dated),
        Choice::NotYet { name, why } if last.is_none() => {
            return Err(SourceError::NotYet {
                name,
                why: why.to_string(),
            });
        }
        Choice::NotYet { name, why } => {
            return nothing_newer(Some(format!("{name}: {why}")), None, None);
        }
        Choice::NoneNewer { unmatched } => return nothing_newer(None, None, unmatched),
    };
    let way = way_of(source);
    if P::IS_REMOTE
        && ask.same_rules
        && let Some(last) = last
        && last.is(&entry)
        && last.confirmed
        && last.way == way
    {
        return nothing_newer(None, Some(last.clone()), None);
    }
    if P::IS_REMOTE
        && let Some(why) = unrest(place, source, &entry, ask)?
    {
        let name = entry.name;
        return if last.is_some() {
            nothing_newer(Some(format!("{name}: {why}")), None, None)
        } else {
            let why = why.to_string();
            Err(SourceError::NotYet { name, why })
        };
    }
    let (bytes, mut taken) = place
        .read(&entry, dated, max_bytes(source))
        .map_err(Into::<SourceError>::into)?;
    let unpacked = packed::unpack(bytes, &taken.name, source, now)?;
    (taken.signed, taken.way) = (unpacked.signed, way);
    taken.check_signed(last)?;
    taken.check_age(source, now, zone, schedule)?;
    confirm(&mut taken, last, now);
    let text = encoding::decode(&unpacked.bytes, &taken.name, source.table.encoding)?;
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

/// A file that is stale, with what lies there and cannot be taken.
fn beside(error: IntakeError, not_yet: Option<&str>, unmatched: Option<&Unmatched>) -> IntakeError {
    let IntakeError::Stale {
        name, age, most, ..
    } = error
    else {
        return error;
    };
    let not_yet = not_yet.map(|why| format!("a newer one is not complete yet ({why})"));
    let newer = not_yet.or_else(|| unmatched.map(|found| format!("no other file there {found}")));
    IntakeError::Stale {
        name,
        age,
        most,
        newer,
    }
}

/// Identifies where a source's files are and how they are opened: a file that was taken in another way is taken anew.
fn way_of(source: &Source) -> String {
    let server = source.server().map(|server| (server.host, server.port));
    let way = (&source.folder, server, &source.decrypt);
    sha256(serde_json::to_vec(&way).expect("a configuration is plain values"))
}

/// Why a file of another machine is not at rest, where that is what makes it complete: its clock may be wrong, so the file is looked at twice by ours.
fn unrest(
    place: &mut impl Place,
    source: &Source,
    entry: &Entry,
    ask: &Ask<'_>,
) -> Result<Option<NotReady>, SourceError> {
    let Ready::QuietSeconds(seconds) = source.ready else {
        return Ok(None);
    };
    let end = Instant::now() + Duration::from_secs(seconds.min(MOST_WATCHED));
    while Instant::now() < end && !ask.stopping.load(Ordering::Relaxed) {
        std::thread::sleep(SLICE);
    }
    let entries = place.list().map_err(Into::<SourceError>::into)?;
    let rests = entries.contains(entry);
    Ok((!rests).then_some(NotReady::NotQuiet(seconds)))
}

/// Whether the file was read before and is the same, some time later.
fn confirm(taken: &mut Taken, last: Option<&Taken>, now: DateTime<Utc>) {
    taken.read_at = Some(now);
    let same = |last: &&Taken| {
        (&last.name, last.size, last.modified, &last.sha256)
            == (&taken.name, taken.size, taken.modified, &taken.sha256)
    };
    if let Some(last) = last.filter(same) {
        let apart = last.read_at.is_some_and(|at| now - at >= APART);
        taken.confirmed = last.confirmed || apart;
        taken.read_at = last.read_at.or(taken.read_at);
    }
}

/// What became of the files of a source in the end.
#[derive(Debug, Default)]
pub struct Finished {
    /// Files that were put away, and where they are.
    pub away: Vec<(String, Away)>,
    /// The first that could not be, and why.
    pub failed: Option<(String, FinishError)>,
}

/// Puts away the file that was used, and older ones, which nobody will ever read. What fails keeps none of the others.
pub(super) fn finish(
    place: &mut impl Place,
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Finished {
    let mut finished = Finished::default();
    if source.after == After::Keep {
        return finished;
    }
    let mut files = Vec::new();
    // What was never read is not deleted: it is moved, or stays.
    if source.after != After::Delete {
        match older(place, source, taken, now) {
            Ok(older) => files = older,
            Err(error) => finished.failed = Some((taken.name.clone(), error)),
        }
    }
    files.push(taken.clone());
    for file in files {
        let marker = match &source.ready {
            Ready::Marker(template) => Some(template.replace("{name}", &file.name)),
            Ready::Rename | Ready::QuietSeconds(_) => None,
        };
        match place.put_away(&file, marker.as_deref()) {
            Ok(Some(away)) => finished.away.push((file.name, away)),
            Ok(None) => {}
            Err(error) => finished.failed = finished.failed.or(Some((file.name, error))),
        }
    }
    finished
}

fn older(
    place: &mut impl Place,
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<Vec<Taken>, FinishError> {
    let entries = place.list().map_err(Into::<FinishError>::into)?;
    let older = superseded(&entries, source, taken, now)?.into_iter();
    let older = older.take(MOST_OLD);
    Ok(older
        .map(|entry| Taken::new(entry, None, String::new()))
        .collect())
}
