//! An HR system that is asked over HTTP for JSON: one list, read to a proven end, and reduced page by page to rows like those of a table.
//!
//! `client` sends requests (`token`, `fault`), `list` reads a list to its end, `pager` decides how it goes on and whether it was complete, `json` and `cells` find values, `dates` keeps
//! calendar dates as they are written, `sample` looks at a first page. The hazards: a list that ends early for a page that failed, a wrong path or a hidden limit, for everybody
//! behind its end would lose their ticket; a permission that was withdrawn; and a secret that goes to another host.

mod cells;
mod client;
mod dates;
mod error;
mod fault;
mod join;
mod json;
mod link;
mod list;
mod pager;
mod sample;
mod token;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;

pub use error::RestError;
pub use pager::Incomplete;
pub use sample::{Sample, SampleField, SampleValue, sample};

use super::columns::{Kind, mapping};
use super::records::Reader;
use super::{Ask, Entry, Pulled, SourceError, Taken};
use crate::config::{JsonPath, Rest, Source};
use crate::roster::Mapping;
use cells::Paths;
use client::Client;
use join::Absences;
use list::{Identity, List};

/// So often it is looked whether the service is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Pulls a source. Blocks; needs a thread of tokio's that may block.
pub(super) fn pull(source: &Source, ask: &Ask<'_>) -> Result<Pulled, SourceError> {
    let rest = source.rest.as_deref().ok_or(RestError::NoSystem)?;
    let name = rest.request.name();
    let today = ask.now.with_timezone(&ask.zone).date_naive();
    let (mapping, paths) = columns(source)?;
    let mut reader = Reader::new(source, mapping, &name);
    let mut cells = Vec::new();
    let (none, mut lists) = (BTreeMap::new(), BTreeMap::new());
    let done = in_time(rest, ask, async |client| {
        let joined = join::read(client, source, &paths, ask, None).await?;
        let list = main_list(source, rest, ask);
        let mut see = |record: &list::Record<'_>| {
            paths.read(record, &joined.tables, ask.zone, &mut cells)?;
            if let Some(absences) = &joined.absences {
                let (absences, wrong) = absences.of(record, ask)?;
                reader.absences(absences, wrong);
            }
            let line = record.number;
            reader.row(
                line,
                |column| cells.get(column).map_or("", String::as_str),
                today,
            );
            Ok(())
        };
        let done = client.list(&list, None, &mut see).await?;
        let taken = ask.last.filter(|_| ask.same_rules);
        let before = taken.map_or(&none, |taken| &taken.lists);
        joined.belong(rest, &paths, before)?;
        lists = joined.counts(&paths);
        if joined.absences.as_ref().is_some_and(Absences::any) {
            reader.has_absences();
        }
        Ok((done, joined.done))
    })?;
    let (done, joined) = done;
    if done.records < rest.min_rows {
        return Err(RestError::TooFew {
            what: name.clone(),
            found: done.records,
            least: rest.min_rows,
        }
        .into());
    }
    let read = reader.end(ask.filled)?;
    let (mut told, mut size, mut sha256) = (Vec::new(), 0, String::new());
    for (name, done) in [(name.clone(), done)].into_iter().chain(joined) {
        let word = if done.pages == 1 { "page" } else { "pages" };
        told.push(format!("{name} ({} {word})", done.pages));
        size += done.bytes;
        sha256 = if sha256.is_empty() {
            done.sha256
        } else {
            crate::digest::sha256(format!("{sha256}{}", done.sha256))
        };
    }
    let list = Entry {
        name: told.join(", "),
        size,
        modified: ask.now,
    };
    Ok(Pulled::Read {
        taken: Taken {
            lists,
            ..Taken::new(&list, None, sha256)
        },
        delivery: read.delivery,
        rows: read.rows,
        rules: read.rules,
        note: None,
    })
}

/// The first list of a source.
fn main_list<'s>(source: &Source, rest: &'s Rest, ask: &Ask<'_>) -> List<'s> {
    let hr_id = source.fields.hr_id.0.iter();
    let hr_id: Vec<JsonPath> = hr_id.filter_map(|path| path.parse().ok()).collect();
    let identity = match &rest.record_id {
        Some(path) => Identity::At(path),
        // What a joined list says of a record is not in it.
        None if hr_id.iter().any(|path| path.joined().is_some()) => Identity::Whole,
        None => Identity::First(hr_id),
    };
    List {
        request: &rest.request,
        paging: &rest.paging,
        records: &rest.records,
        identity,
        zone: ask.zone,
    }
}

/// Which path is which field.
fn columns(source: &Source) -> Result<(Mapping, Paths), RestError> {
    let mut paths = Paths::default();
    let mapping = mapping(source, |path, kind| paths.column(path, kind))?;
    Ok((mapping, paths))
}

/// Does something with the HR system, and waits no longer than that is allowed.
fn in_time<T>(
    rest: &Rest,
    ask: &Ask<'_>,
    work: impl AsyncFnOnce(&mut Client<'_>) -> Result<T, RestError>,
) -> Result<T, RestError> {
    let mut client = Client::new(rest, ask.clock)?;
    let stopped = async {
        while !ask.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let seconds = rest.within_seconds;
    Handle::current().block_on(async {
        tokio::select! {
            done = work(&mut client) => done,
            () = stopped => Err(RestError::Stopped),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => Err(RestError::Total { seconds }),
        }
    })
}
