//! `audit tail`: the last lines, and those that come. It follows the log over rotations: what is behind the last line shown is looked for in all files again whenever the current one is another.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use super::filter::Filter;
use super::show::Printer;
use super::{Review, ReviewError};
use crate::audit::{Entries, Entry};
use crate::cli::{AuditFormat, FilterArgs};
use crate::exit::Exit;

/// How often it is looked for new lines. The log is a file, so this is no load.
const PAUSE: Duration = Duration::from_millis(200);

/// The last lines that match, as they are read and as they stand.
fn last_of(
    mut entries: Entries,
    lines: usize,
    mut matches: impl FnMut(&Entry) -> bool,
) -> io::Result<VecDeque<(Entry, Vec<u8>)>> {
    let mut last = VecDeque::new();
    while let Some(raw) = entries.next_line()? {
        let Some(entry) = Entry::of(raw).filter(|entry| matches(entry)) else {
            continue;
        };
        last.push_back((entry, raw.to_vec()));
        if last.len() > lines {
            last.pop_front();
        }
    }
    Ok(last)
}

impl Review<'_> {
    pub(super) fn tail(
        &self,
        lines: usize,
        goes_on: bool,
        arguments: &FilterArgs,
        format: AuditFormat,
        out: &mut dyn Write,
    ) -> Result<Exit, ReviewError> {
        let zone = self.config.timezone;
        let mut filter = Filter::of(arguments, self.integration, zone)?;
        if filter.needs_pushes() {
            return Err(ReviewError::Usage("What JobTicket has acknowledged is not known line by line; leave --kind offboarded to `audit` without tail".to_owned()));
        }
        let failed = self.unreadable();
        let log = self.log();
        let mut printer = Printer::new(format, self.output, zone, out)?;
        // Most often the current file has them; each older one has to be unpacked.
        let mut files = 0;
        let (last, mut follow) = loop {
            let (entries, follow, count) = log.newest(files, filter.span).map_err(&failed)?;
            let mut filter = Filter::of(arguments, self.integration, zone)?;
            let last = last_of(entries.containing(filter.texts()), lines, |entry| {
                filter.matches(entry, None)
            })
            .map_err(&failed)?;
            if last.len() >= lines || files >= count {
                break (last, follow);
            }
            files = (files * 2 + 1).min(count);
        };
        for (entry, raw) in last {
            printer.write(&entry, &raw, None)?;
        }
        if !goes_on {
            printer.end(Exit::Done)?;
            return Ok(Exit::Done);
        }
        loop {
            printer.flush()?;
            std::thread::sleep(PAUSE);
            for raw in follow.more(&log).map_err(&failed)? {
                if let Some(entry) = Entry::of(&raw).filter(|entry| filter.matches(entry, None)) {
                    printer.write(&entry, &raw, None)?;
                }
            }
        }
    }
}
