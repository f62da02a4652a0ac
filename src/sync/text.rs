//! How a run's report reads on a terminal.

use std::fmt;

use super::report::{Ending, RejectedRow, RunReport, Waiting};
use crate::config::Cost;
use crate::guard::{Hold, Stopped};
use crate::plan::{Collision, Counts};

/// At most so many lines of a kind on a terminal; all of them are in the audit log and in `--output json`.
const MOST_LINES: usize = 40;

pub(super) fn lines<T: fmt::Display>(
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
        self.costs(f)?;
        lines(f, "changes", self.changes.iter())?;
        self.waits(f)?;
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
        self.drift(f)?;
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

    /// What the joiners cost, where there is somebody to pay for.
    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { amount, currency } = &self.joiner_cost;
        if self.counts.joiners == 0 || *amount <= 0.0 {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "a headcount")]
        let all = amount * self.counts.joiners as f64;
        writeln!(
            f,
            "  cost of the joiners: {all:.2} {currency} ({amount:.2} {currency} each, by JobTicket's notice)"
        )
    }

    /// Who is not changed although the sources say so, and why.
    fn waits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.iter().map(|waiting| {
            let Waiting { hold, question } = waiting;
            let hold = hold.map_or_else(String::new, |hold| format!(" in hold {hold}"));
            let line = question.change.to_string();
            format!("? {line}: waits{hold}; {}", question.cause)
        });
        lines(f, "people who wait", waiting)?;
        let mut holds: Vec<u64> = self
            .waiting
            .iter()
            .filter_map(|waiting| waiting.hold)
            .collect();
        holds.sort_unstable();
        holds.dedup();
        for hold in holds {
            writeln!(
                f,
                "  WAITS FOR A DECISION: `{program} holds show {hold}`, then `{program} approve {hold} --reason TEXT` or `{program} reject {hold} --reason TEXT`",
                program = self.program
            )?;
        }
        let counting = self.counting.iter().map(|(hr_id, days)| {
            format!("… {hr_id} is missing on day {days} of limits.missing_days and stays in")
        });
        lines(f, "missing people", counting)?;
        let kept = self
            .kept
            .iter()
            .map(|hr_id| format!("= {hr_id} stays as acknowledged, by decision"));
        lines(f, "kept people", kept)?;
        let refused = self.refused_rows.iter().map(|hr_id| {
            format!("! {hr_id}: JobTicket refused the record; it did not go out, and the rest did")
        });
        lines(f, "refused records", refused)
    }

    /// What JobTicket does not show, or shows otherwise.
    fn drift(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(drift) = &self.drift {
            writeln!(
                f,
                "  DRIFT: {} people are not at JobTicket as pushed ({}), after {} hours",
                drift.differences.len(),
                drift.sync_id,
                drift.hours
            )?;
            lines(f, "differences", drift.differences.iter())?;
        }
        if !self.tickets_lost.is_empty() {
            let ids: Vec<String> = self.tickets_lost.iter().map(ToString::to_string).collect();
            writeln!(
                f,
                "  TICKETS LOST: people who do not belong to this integration have no ticket any more after the push (JobTicket's numbers {}). Nothing more is pushed until somebody approves the hold that the next run opens",
                ids.join(", ")
            )?;
        }
        Ok(())
    }

    fn held(&self, f: &mut fmt::Formatter<'_>, hold: &Hold) -> fmt::Result {
        writeln!(f, "  HELD: nothing was pushed, and nobody is offboarded")?;
        if let Some(stopped) = &hold.stopped {
            writeln!(f, "    {stopped}")?;
        }
        if hold.first_contact {
            let linked = self.linked.map_or_else(String::new, |linked| {
                format!("; {linked} people are linked there now")
            });
            writeln!(
                f,
                "    First contact: JobTicket has never acknowledged a roster from this installation for this address and integration{linked}"
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
        let adopt = matches!(
            hold.stopped,
            Some(Stopped::NotOurs { .. } | Stopped::Restored)
        );
        match self.hold_id {
            _ if adopt => writeln!(
                f,
                "    Then: `{} adopt {} --reason TEXT`",
                self.program, self.integration
            ),
            Some(id) => writeln!(
                f,
                "    Look at `{program} holds show {id}`. Then correct the file, or `{program} approve {id} --reason TEXT` or `{program} reject {id} --reason TEXT`. Waiting plan: {}",
                &hold.plan_hash[..16],
                program = self.program
            ),
            None => writeln!(f, "    Waiting plan: {}", &hold.plan_hash[..16]),
        }
    }

    fn ending(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Ending::Unchanged if !self.waiting.is_empty() => {
                writeln!(f, "  Nothing else changed; no sync request was made")
            }
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
            Ending::Held { hold } => self.held(f, hold),
            Ending::EmptyRoster => writeln!(
                f,
                "  REFUSED: the roster is empty, which would offboard everybody; nothing was pushed. Check the file, the include and exclude rules, and whoever waits"
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
            Ending::Paused { message } => writeln!(f, "  PAUSED: {message}"),
            Ending::Stopped { message } => writeln!(f, "  STOPPED: {message}"),
            Ending::Failed { message } => writeln!(f, "  FAILED: {message}"),
        }
    }
}
