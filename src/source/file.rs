//! The intake of every source that reads files: which files, whether they are read, and what happens to them in the end.
//!
//! A [`Place`] is where files lie, a folder of this machine or one of a server. All it can do is list, read and put away; what is decided about files is decided
//! here, once. The hazard is a second copy of that: two sources that differ in what they take for complete.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::absences::Absences;
use super::intake::{Entry, IntakeError, NotReady, Taken, Unmatched, max_bytes, superseded};
use super::pair::{Chosen, Files, Seen, Wanted};
use super::text::Bytes;
use super::{Ask, FinishError, Pulled, SourceError, encoding, packed, records, table::Table};
use crate::config::{After, Ready, Source};
use crate::digest::sha256;
use crate::roster::Field;
use crate::schedule::Schedule;
use crate::zone::Zone;

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
    ) -> Result<(Bytes, Taken), Self::Error>;

    /// All was read.
    fn leave(&mut self) {}

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
    files: &Files<'_>,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Zone,
    schedule: Option<&Schedule>,
) -> Result<Chosen, SourceError> {
    let entries = place.list().map_err(Into::<SourceError>::into)?;
    Ok(files.choose(&entries, last, now, zone, schedule)?)
}

pub(super) fn look(
    place: &mut impl Place,
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Zone,
    schedule: Option<&Schedule>,
) -> Result<Option<Seen>, SourceError> {
    match chosen(place, &Files::of(source), last, now, zone, schedule) {
        Ok(Chosen::Read { roster, absences }) => Ok(Some(Seen {
            roster: roster.entry,
            absences: absences.map(|wanted| wanted.entry),
        })),
        Ok(Chosen::NoneNewer { .. } | Chosen::NotYet { .. }) => Ok(None),
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
    let files = Files::of(source);
    let nothing_newer = |not_yet: Option<String>, there, unmatched: Option<Unmatched>| {
        if let Some(last) = last {
            let aged = files.check_age(last, now, zone, schedule);
            aged.map_err(|error| beside(error, not_yet.as_deref(), unmatched.as_ref()))?;
        }
        Ok(Pulled::NothingNewer {
            not_yet,
            there,
            unmatched,
        })
    };
    let not_yet = |name: String, why: String| match last {
        None => Err(SourceError::NotYet { name, why }),
        Some(_) => nothing_newer(Some(format!("{name}: {why}")), None, None),
    };
    let (roster, absences) = match chosen(place, &files, last, now, zone, schedule)? {
        Chosen::Read { roster, absences } => (roster, absences.zip(files.absences.as_ref())),
        Chosen::NotYet { name, why } => return not_yet(name, why),
        Chosen::NoneNewer { there, unmatched } => return nothing_newer(None, there, unmatched),
    };
    let last_absences = last.and_then(|last| last.absences.as_deref());
    let way = way_of(source);
    let is_known = |last: Option<&Taken>, wanted: &Wanted| {
        last.is_some_and(|last| last.is(&wanted.entry) && last.confirmed && last.way == way)
    };
    if P::IS_REMOTE
        && ask.same_rules
        && is_known(last, &roster)
        && absences
            .as_ref()
            .is_none_or(|(wanted, _)| is_known(last_absences, wanted))
    {
        return nothing_newer(None, last.cloned(), None);
    }
    if P::IS_REMOTE {
        let wanted = [&roster]
            .into_iter()
            .chain(absences.as_ref().map(|(wanted, _)| wanted));
        if let Some((name, why)) = unrest(place, source, wanted, ask)? {
            return not_yet(name, why.to_string());
        }
    }
    let mut read = |wanted: &Wanted, source| {
        place
            .read(&wanted.entry, wanted.dated, max_bytes(source))
            .map_err(Into::<SourceError>::into)
    };
    let delivered = read(&roster, source)?;
    let absences = absences
        .map(|(wanted, source)| Ok::<_, SourceError>((read(&wanted, source)?, source)))
        .transpose()?;
    // What comes after needs no server.
    place.leave();
    let (bytes, mut taken) = open(delivered, source, last, &way, ask)?;
    let today = now.with_timezone(&zone).date_naive();
    let mut absences = match absences {
        None => None,
        Some((delivered, source)) => {
            let (bytes, of_absences) = open(delivered, source, last_absences, &way, ask)?;
            let name = &of_absences.name;
            let text = encoding::decode(bytes, name, source.table.encoding)?;
            let absences = Absences::read(source, text, name, today)?;
            taken.absences = Some(Box::new(of_absences));
            Some(absences)
        }
    };
    let text = encoding::decode(bytes, &taken.name, source.table.encoding)?;
    let table = Table::open(text, &taken.name, &source.table)?;
    let some = ask.filled.contains(&Field::Absences);
    let read = records::read(
        source,
        table,
        &taken.name,
        absences.as_mut(),
        ask.filled,
        today,
    )?;
    let note = match absences {
        None => None,
        Some(absences) => absences.end(&taken.name, some)?,
    };
    Ok(Pulled::Read {
        taken,
        delivery: read.delivery,
        rows: read.rows,
        rules: read.rules,
        note,
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

/// Opens a file that was read, and judges what shows only then.
fn open(
    (bytes, mut taken): (Bytes, Taken),
    source: &Source,
    last: Option<&Taken>,
    way: &str,
    ask: &Ask<'_>,
) -> Result<(Bytes, Taken), SourceError> {
    let unpacked = packed::unpack(bytes, &taken.name, source, ask.now)?;
    (taken.signed, taken.way) = (unpacked.signed, way.to_owned());
    taken.check_signed(last)?;
    taken.check_age(source, ask.now, ask.zone, ask.schedule)?;
    confirm(&mut taken, last, ask.now);
    Ok((unpacked.bytes, taken))
}

/// Identifies where a source's files are and how they are opened: a file that was taken in another way is taken anew.
fn way_of(source: &Source) -> String {
    let server = source.server().map(|server| (server.host, server.port));
    let way = (&source.folder, server, &source.decrypt);
    sha256(serde_json::to_vec(&way).expect("a configuration is plain values"))
}

/// Which file of another machine is not at rest, and why, where that is what makes it complete: its clock may be wrong, so the files are looked at twice by ours.
fn unrest<'w>(
    place: &mut impl Place,
    source: &Source,
    mut wanted: impl Iterator<Item = &'w Wanted>,
    ask: &Ask<'_>,
) -> Result<Option<(String, NotReady)>, SourceError> {
    let Ready::QuietSeconds(seconds) = source.ready else {
        return Ok(None);
    };
    let end = Instant::now() + Duration::from_secs(seconds.min(MOST_WATCHED));
    while Instant::now() < end && !ask.stopping.load(Ordering::Relaxed) {
        std::thread::sleep(SLICE);
    }
    let entries = place.list().map_err(Into::<SourceError>::into)?;
    let moving = wanted.find(|wanted| !entries.contains(&wanted.entry));
    Ok(moving.map(|wanted| (wanted.entry.name.clone(), NotReady::NotQuiet(seconds))))
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

/// Puts away the files that were used, and older ones, which nobody will ever read. What fails keeps none of the others.
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
    let files = Files::of(source);
    let mut parts = files.parts(taken);
    let mut away = Vec::new();
    // What was never read is not deleted: it is moved, or stays.
    let moves_older = source.after != After::Delete;
    if moves_older || parts.len() > 1 {
        match place.list() {
            Ok(entries) => {
                for (source, taken) in parts.iter().filter(|_| moves_older) {
                    match superseded(&entries, source, taken, now) {
                        Ok(older) => away.extend(
                            older
                                .into_iter()
                                .take(MOST_OLD)
                                .map(|entry| Taken::new(entry, None, String::new())),
                        ),
                        Err(error) => finished.failed = Some((taken.name.clone(), error.into())),
                    }
                }
                // Of two, one may have gone before.
                if parts.len() > 1 {
                    parts.retain(|(_, taken)| entries.iter().any(|entry| entry.name == taken.name));
                }
            }
            Err(error) => finished.failed = Some((taken.name.clone(), error.into())),
        }
    }
    away.extend(parts.into_iter().map(|(_, taken)| taken.clone()));
    for file in away {
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
