//! What a run did: the outcome that answers its own exit code, and how it reads on a terminal.

use std::fmt;

use serde::Serialize;

use crate::exit::Exit;
use crate::guard::Hold;
use crate::plan::{Change, Collision, Counts};
use crate::roster::{Field, Incomplete, Rejected};

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "result"
)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Ending {
    /// Nothing changed; no sync request was made.
    Unchanged,
    /// The roster was pushed and acknowledged.
    Pushed {
        sync_id: String,
        employees: usize,
        confirmed: bool,
    },
    /// A dry run that would have pushed.
    WouldPush { employees: usize },
    /// The plan waits for a person.
    Held { hold: Hold },
    /// The roster is empty, which is never pushed.
    EmptyRoster,
    /// No source could be used.
    SourceFailed,
    /// JobTicket surely did not take the push, or refused a read.
    Refused { message: String },
    /// JobTicket answered in a way that nobody can rely on, or not at all; the next run finds out whether it took the push.
    InDoubt { message: String, reached: bool },
    /// JobTicket was not reachable, and nothing was sent.
    Unreachable { message: String },
    /// Another run of the integration is in progress.
    Busy { message: String },
    /// People who are kept would collide; somebody has to correct the HR system.
    Collides { message: String },
    /// The configuration names something that cannot be used, such as a file that is no certificate.
    Misconfigured { message: String },
    /// Something that should not happen.
    Failed { message: String },
}

impl Ending {
    /// Its exit code, rows and sources aside.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unchanged | Self::Pushed { .. } | Self::WouldPush { .. } => Exit::Done,
            Self::Held { .. } | Self::Collides { .. } => Exit::Waits,
            Self::EmptyRoster | Self::SourceFailed => Exit::SourceFailed,
            Self::Refused { .. } | Self::InDoubt { reached: true, .. } => Exit::Refused,
            Self::Unreachable { .. } | Self::InDoubt { reached: false, .. } => Exit::Unreachable,
            Self::Busy { .. } => Exit::Busy,
            Self::Misconfigured { .. } => Exit::Configuration,
            Self::Failed { .. } => Exit::Unexpected,
        }
    }

    /// Its name in the store and the audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Pushed { .. } => "pushed",
            Self::WouldPush { .. } => "would push",
            Self::Held { .. } => "held",
            Self::EmptyRoster => "empty roster refused",
            Self::SourceFailed => "source failed",
            Self::Refused { .. } => "refused",
            Self::InDoubt { .. } => "in doubt",
            Self::Unreachable { .. } => "not reachable",
            Self::Busy { .. } => "another run in progress",
            Self::Collides { .. } => "collision",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What became of one source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// The file, where there is one.
    pub file: Option<String>,
    /// Rows of the file.
    pub rows: usize,
    /// Rows that the include and exclude rules left.
    pub selected: usize,
    /// In a word: new, unchanged, not yet, failed.
    pub status: String,
    /// Why it failed, or what there is to know.
    pub note: Option<String>,
    /// Whether its last good roster stands in for it.
    pub frozen: bool,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Which integration.
    pub integration: String,
    /// Where: sandbox, staging, production or an address.
    pub environment: String,
    /// Whether nobody at JobTicket can have been changed.
    pub sandbox: bool,
    /// The run's id.
    pub run: String,
    /// Whether it was to stop before the push.
    pub dry_run: bool,
    /// Its sources.
    pub sources: Vec<SourceReport>,
    /// People in the roster.
    pub roster: usize,
    /// People of the snapshot before the run; `None` before the first push.
    pub snapshot: Option<usize>,
    /// How many of each kind.
    pub counts: Counts,
    /// One line a person.
    pub changes: Vec<Change>,
    /// Rows that could not be used.
    pub rejected: Vec<RejectedRow>,
    /// New people who cannot be sent yet.
    pub incomplete: Vec<IncompleteRow>,
    /// New people, or new values, that wait because somebody is kept.
    pub collisions: Vec<Collision>,
    /// New people who start too far ahead.
    pub too_early: usize,
    /// What there is to know besides.
    pub notes: Vec<String>,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// Requests sent to JobTicket.
    pub requests: u32,
    /// Duration, milliseconds.
    pub duration_ms: u64,
    /// The exit code.
    pub exit_code: Exit,
}

/// A row that could not be used, in words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRow {
    /// Which source.
    pub source: String,
    /// Which line of its file.
    pub row: u64,
    /// Whose.
    pub hr_id: String,
    /// The column or columns of the field.
    pub column: String,
    /// Why.
    pub reason: String,
    /// Whether the last acknowledged values are sent again.
    pub carried_forward: bool,
}

/// Somebody new who cannot be sent yet, in words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncompleteRow {
    /// Which source.
    pub source: String,
    /// Which line of its file.
    pub row: u64,
    /// Whose.
    pub hr_id: String,
    /// What is missing.
    pub field: Field,
}

impl IncompleteRow {
    pub(super) fn new(row: &Incomplete, source: &str) -> Self {
        Self {
            source: source.to_owned(),
            row: row.line,
            hr_id: row.hr_id.to_string(),
            field: row.field,
        }
    }
}

impl RejectedRow {
    pub(super) fn new(row: &Rejected, source: &str, column: String) -> Self {
        Self {
            source: source.to_owned(),
            row: row.line,
            hr_id: row.hr_id.to_string(),
            column,
            reason: row.why.to_string(),
            carried_forward: row.known,
        }
    }
}

impl RunReport {
    /// The exit code that all of it comes to.
    pub fn exit(&self) -> Exit {
        let mut exit = self.ending.exit();
        if self.sources.iter().any(|source| source.status == "failed") {
            exit = exit.and(Exit::SourceFailed);
        }
        if !self.collisions.is_empty() {
            exit = exit.and(Exit::Waits);
        }
        if !self.rejected.is_empty() {
            exit = exit.and(Exit::RowsRejected);
        }
        exit
    }
}

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
        let collisions = self.collisions.iter().map(
            |Collision {
                 hr_id,
                 kept,
                 joiner,
             }| {
                let then = if *joiner {
                    "waits"
                } else {
                    "keeps the acknowledged values"
                };
                format!("! {hr_id} {then}: the e-mail is still that of {kept}, who is kept")
            },
        );
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
