//! A folder that other programs drop files into.

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::intake::{Choice, Entry, IntakeError, Taken, choose, max_bytes, superseded};
use super::{
    FinishError, Pulled, SourceError, archive, encoding, folder, packed, records, table::Table,
};
use crate::config::{After, Ready, Source};
use crate::roster::Field;
use crate::schedule::Schedule;

/// What the rules of the folder say of the files that are there.
fn chosen(
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Choice, SourceError> {
    let entries = folder::list(source)?;
    Ok(choose(&entries, source, last, now, zone, schedule)?)
}

pub(super) fn look(
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Option<Entry>, SourceError> {
    match chosen(source, last, now, zone, schedule) {
        Ok(Choice::Take { entry, .. }) => Ok(Some(entry)),
        Ok(Choice::NoneNewer | Choice::NotYet { .. }) => Ok(None),
        // Nothing has come; a run says what that means.
        Err(SourceError::Intake(IntakeError::NoFile { .. } | IntakeError::Stale { .. })) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn pull(
    source: &Source,
    last: Option<&Taken>,
    filled: &HashSet<Field>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Pulled, SourceError> {
    let (entry, dated) = match chosen(source, last, now, zone, schedule)? {
        Choice::Take { entry, dated } => (entry, dated),
        Choice::NotYet { name, why } if last.is_none() => {
            return Err(SourceError::NotYet {
                name,
                why: why.to_string(),
            });
        }
        not_now @ (Choice::NoneNewer | Choice::NotYet { .. }) => {
            if let Some(last) = last {
                last.check_age(source, now, zone, schedule)?;
            }
            let not_yet = match not_now {
                Choice::NotYet { name, why } => Some(format!("{name}: {why}")),
                _ => None,
            };
            return Ok(Pulled::NothingNewer { not_yet });
        }
    };
    let (bytes, taken) = folder::read(&source.folder, &entry, dated, max_bytes(source))?;
    let bytes = packed::unpack(bytes, &taken.name, source, now)?;
    let text = encoding::decode(&bytes, &taken.name, source.table.encoding)?;
    let table = Table::open(&text, &taken.name, &source.table)?;
    let today = now.with_timezone(&zone).date_naive();
    let read = records::read(source, &table, &taken.name, filled, today)?;
    Ok(Pulled::Read {
        taken,
        delivery: read.delivery,
        rows: read.rows,
        rules: read.rules,
    })
}

pub(super) fn finish(
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<Option<PathBuf>, FinishError> {
    let After::Archive(into) = &source.after else {
        return Ok(None);
    };
    let marker_of = |name: &str| match &source.ready {
        Ready::Marker(template) => Some(template.replace("{name}", name)),
        Ready::Rename | Ready::QuietSeconds(_) => None,
    };
    let entries = folder::list(source)?;
    for old in superseded(&entries, source, taken, now)? {
        let old = Taken {
            name: old.name.clone(),
            size: old.size,
            modified: old.modified,
            dated: None,
            sha256: String::new(),
        };
        archive::archive(&source.folder, &old, marker_of(&old.name).as_deref(), into)?;
    }
    let to = archive::archive(
        &source.folder,
        taken,
        marker_of(&taken.name).as_deref(),
        into,
    )?;
    Ok(Some(to))
}
