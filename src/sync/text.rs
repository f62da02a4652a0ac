//! How a run's report reads on a terminal.

use std::fmt;

use super::report::{Ending, RejectedRow, RunReport};
use crate::plan::{Collision, Counts};

/// At most so many lines of a kind on a terminal; all of them are in the audit log and in `--output json`.
const MOST_LINES: usize = 40;

fn lines<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    items: impl ExactSizeIterator<Item = T>,
) -> fmt::Result {
    let more = items.len().saturating_sub(MOST_LINES);
    for item in items.take(MOST_LINES) {
        writeln!(f, "  {item}")?;
    }
    if more > 0 {
        writeln!(
            f,
            "  … and {more} more {what}; all are in the audit log and in --output json"
        )?;
    }
    Ok(())
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}{}",
            self.integration,
            self.environment,
            if self.dry_run { ", dry run" } else { "" }
        )?;
        self.sources(f)?;
        let Counts {
            joiners,
            leavers,
            changed,
            ..
        } = self.counts;
        if self.roster > 0 {
            let known = self
                .snapshot
                .map_or("none".to_owned(), |known| known.to_string());
            writeln!(
                f,
                "  roster: {} employees ({known} in the snapshot)",
                self.roster
            )?;
            writeln!(
                f,
                "  joiners: {joiners}   leavers: {leavers}   changed: {changed}"
            )?;
        }
        lines(f, "changes", self.changes.iter())?;
        self.left_out(f)?;
        if self.too_early > 0 {
            writeln!(
                f,
                "  {} people start later than select.starters_days_ahead and are not taken yet",
                self.too_early
            )?;
        }
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        self.ending(f)?;
        #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
        let seconds = self.duration_ms as f64 / 1000.0;
        writeln!(
            f,
            "  requests: {}   time: {seconds:.2} s   run: {}",
            self.requests, self.run
        )?;
        if self.sandbox {
            writeln!(f, "  SANDBOX: nobody at JobTicket was changed")?;
        }
        Ok(())
    }
}

impl RunReport {
    fn sources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            write!(f, "  source {}: {}", source.name, source.status)?;
            if let Some(file) = &source.file {
                write!(f, ", {file}")?;
            }
            if source.file.is_some() {
                write!(f, ", {} rows", source.rows)?;
                if source.selected != source.rows {
                    write!(f, ", {} selected", source.selected)?;
                }
            } else if source.selected > 0 {
                write!(f, ", {} rows of its last roster", source.selected)?;
            }
            writeln!(f)?;
            if let Some(note) = &source.note {
                writeln!(f, "    {note}")?;
            }
            if source.frozen {
                writeln!(
                    f,
                    "    Its last good roster stands in for it; nobody of it leaves for being missing"
                )?;
            }
        }
        Ok(())
    }

    /// Everyone who is not in the roster, or not as the source has them.
    fn left_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = self.rejected.iter().map(|row| {
            let RejectedRow {
                source,
                row,
                hr_id,
                column,
                reason,
                carried_forward,
            } = row;
            let then = if *carried_forward {
                "the last acknowledged values are kept"
            } else {
                "left out"
            };
            format!("! {hr_id} rejected: {source}, row {row}, column {column}: {reason}; {then}")
        });
        lines(f, "rejected rows", rejected)?;
        let incomplete = self.incomplete.iter().map(|row| {
            format!(
                "? {} is new and has no {} yet ({}, row {}); left out until then",
                row.hr_id, row.field, row.source, row.row
            )
        });
        lines(f, "incomplete rows", incomplete)?;
        let collisions = self.collisions.iter().map(|collision| {
            let Collision { hr_id, kept, .. } = collision;
            match collision {
                Collision { new_number: true, .. } => format!(
                    "! {hr_id} waits: probably the new number of {kept}, who is missing now and is kept; correct the number in the HR system if it is wrong"
                ),
                Collision { joiner: true, .. } => {
                    format!("! {hr_id} waits: the e-mail is still that of {kept}, who is kept")
                }
                _ => format!(
                    "! {hr_id} keeps the acknowledged values: the e-mail is still that of {kept}, who is kept"
                ),
            }
        });
        lines(f, "collisions", collisions)
    }

    fn ending(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Ending::Unchanged => writeln!(f, "  Nothing changed; no sync request was made"),
            Ending::Pushed {
                sync_id,
                employees,
                confirmed,
            } => {
                let seen = if *confirmed {
                    "and read back"
                } else {
                    "not seen by reading back yet"
                };
                writeln!(
                    f,
                    "  Pushed {employees} employees as {sync_id}: acknowledged (204), {seen}"
                )
            }
            Ending::WouldPush { employees } => {
                writeln!(
                    f,
                    "  Dry run: a push of {employees} employees would go out now; nothing was sent"
                )
            }
            Ending::Held { hold } => {
                writeln!(f, "  HELD: nothing was pushed, and nobody is offboarded")?;
                if hold.first_contact {
                    writeln!(
                        f,
                        "    JobTicket has never acknowledged a roster from this installation. This version makes first contact with the sandbox and loopback addresses only"
                    )?;
                }
                for trip in &hold.trips {
                    writeln!(f, "    {trip}")?;
                    let shown = trip
                        .hr_ids
                        .iter()
                        .take(MOST_LINES)
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(", ");
                    let more = trip.hr_ids.len().saturating_sub(MOST_LINES);
                    let more = if more > 0 {
                        format!(" and {more} more")
                    } else {
                        String::new()
                    };
                    writeln!(f, "      {shown}{more}")?;
                }
                if hold.first_contact {
                    return Ok(());
                }
                writeln!(
                    f,
                    "    Check the file, or raise the limit in the configuration if this is right. Waiting plan: {}",
                    &hold.plan_hash[..16]
                )
            }
            Ending::EmptyRoster => writeln!(
                f,
                "  REFUSED: the roster is empty, which would offboard everybody; nothing was pushed. Check the file and the include and exclude rules"
            ),
            Ending::SourceFailed => {
                writeln!(
                    f,
                    "  SOURCE FAILED: nothing was pushed, and nobody is offboarded. Correct what the source says and run again"
                )
            }
            Ending::Refused { message } => writeln!(f, "  REFUSED: {message}"),
            Ending::InDoubt { message, .. } => writeln!(f, "  IN DOUBT: {message}"),
            Ending::Unreachable { message } => writeln!(f, "  NOT REACHABLE: {message}"),
            Ending::Busy { message } => writeln!(f, "  BUSY: {message}"),
            Ending::Collides { message } => writeln!(f, "  HELD: {message}"),
            Ending::Misconfigured { message } => writeln!(f, "  CONFIGURATION: {message}"),
            Ending::Failed { message } => writeln!(f, "  FAILED: {message}"),
        }
    }
}
