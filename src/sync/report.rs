//! What a run did: the outcome that answers its own exit code, and how it reads on a terminal.

use std::sync::Arc;

use serde::Serialize;

use super::connect::ConnectError;
use crate::config::{Cost, Integration};
use crate::drift::Difference;
use crate::exit::Exit;
use crate::guard::{Hold, Question};
use crate::jobticket::{CallError, GateClosed};
use crate::plan::{Change, Collision, Counts};
use crate::roster::{Field, HrId, Incomplete, Rejected};
use crate::source::RuleCount;

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
    /// The integration is paused.
    Paused { message: String },
    /// The service was stopped at a safe point.
    Stopped { message: String },
    /// Something that should not happen.
    Failed { message: String },
}

impl Ending {
    /// Its exit code, rows and sources aside.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unchanged
            | Self::Pushed { .. }
            | Self::WouldPush { .. }
            | Self::Stopped { .. } => Exit::Done,
            Self::Held { .. } | Self::Collides { .. } | Self::Paused { .. } => Exit::Waits,
            Self::EmptyRoster | Self::SourceFailed => Exit::SourceFailed,
            Self::Refused { .. } | Self::InDoubt { reached: true, .. } => Exit::Refused,
            Self::Unreachable { .. } | Self::InDoubt { reached: false, .. } => Exit::Unreachable,
            Self::Busy { .. } => Exit::Busy,
            Self::Misconfigured { .. } => Exit::Configuration,
            Self::Failed { .. } => Exit::Unexpected,
        }
    }

    /// What went wrong, in a sentence; `None` where nothing did.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Unchanged | Self::Pushed { .. } | Self::WouldPush { .. } => None,
            Self::Held { hold } => Some(format!("Held: {}", hold.why().join("; "))),
            Self::EmptyRoster => Some("The roster is empty".to_owned()),
            Self::SourceFailed => {
                Some("No source could be read, and nothing can stand in for one".to_owned())
            }
            Self::Refused { message }
            | Self::InDoubt { message, .. }
            | Self::Unreachable { message }
            | Self::Busy { message }
            | Self::Collides { message }
            | Self::Misconfigured { message }
            | Self::Paused { message }
            | Self::Stopped { message }
            | Self::Failed { message } => Some(message.clone()),
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
            Self::Paused { .. } => "paused",
            Self::Stopped { .. } => "stopped",
            Self::Collides { .. } => "collision",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Failed { .. } => "failed",
        }
    }
}

impl RunReport {
    pub(super) fn new(integration: &Integration, id: &str, dry_run: bool) -> Self {
        Self {
            integration: integration.name.clone(),
            environment: integration.jobticket.environment_name(),
            sandbox: integration.jobticket.is_sandbox(),
            program: "jobticket-sync".to_owned(),
            run: id.to_owned(),
            dry_run,
            sources: Vec::new(),
            roster: 0,
            snapshot: None,
            counts: Counts::default(),
            changes: Arc::default(),
            rejected: Vec::new(),
            incomplete: Vec::new(),
            collisions: Vec::new(),
            waiting: Vec::new(),
            counting: Vec::new(),
            kept: Vec::new(),
            hold_id: None,
            drift: None,
            tickets_lost: Vec::new(),
            refused_rows: Vec::new(),
            linked: None,
            joiner_cost: integration.joiner_cost.clone(),
            too_early: 0,
            notes: Vec::new(),
            ending: Ending::Unchanged,
            requests: 0,
            rate_limit_wait_ms: 0,
            duration_ms: 0,
            exit_code: Exit::Done,
        }
    }
}

impl From<CallError> for Ending {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Failed { outcome, .. } if outcome.is_refusal() => Self::Refused { message },
            CallError::Incomplete(_) => Self::Refused { message },
            CallError::Gate(GateClosed::Ledger(_)) => Self::Failed { message },
            CallError::Failed { .. } | CallError::Gate(_) => Self::Unreachable { message },
        }
    }
}

impl From<ConnectError> for Ending {
    fn from(error: ConnectError) -> Self {
        let message = error.to_string();
        match error {
            ConnectError::Client(_) => Self::Misconfigured { message },
            ConnectError::Sandbox(_) | ConnectError::Ledger(_) => Self::Failed { message },
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
    /// How many rows each include and exclude rule matched.
    pub rules: Vec<RuleCount>,
    /// In a word: new, unchanged, not yet, failed.
    pub status: String,
    /// Why it failed, or what there is to know.
    pub note: Option<String>,
    /// Whether its last good roster stands in for it.
    pub frozen: bool,
    /// For how many hours, since it was last in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_hours: Option<u64>,
    /// Whether that is longer than `frozen_warn_hours`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen_too_long: bool,
}

impl SourceReport {
    /// Whether nothing of it could be read, so that somebody may be in it whom nobody sees; frozen or never delivered.
    pub fn failed(&self) -> bool {
        self.status == "failed"
    }
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
    /// How the program is called, for commands to go on with.
    #[serde(skip)]
    pub program: String,
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
    pub changes: Arc<Vec<Change>>,
    /// Rows that could not be used.
    pub rejected: Vec<RejectedRow>,
    /// New people who cannot be sent yet.
    pub incomplete: Vec<IncompleteRow>,
    /// New people, or new values, that wait because somebody is kept.
    pub collisions: Vec<Collision>,
    /// People who wait for a decision, in holds.
    pub waiting: Vec<Waiting>,
    /// People who are missing without an explanation, not for long enough yet: on how many days.
    pub counting: Vec<(HrId, u32)>,
    /// People who stay as they are because somebody decided so.
    pub kept: Vec<HrId>,
    /// The hold in which the whole plan waits.
    pub hold_id: Option<u64>,
    /// Where JobTicket differs from what it acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drifted>,
    /// JobTicket's numbers of people who do not belong to the push and had lost their tickets after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tickets_lost: Vec<u64>,
    /// People whose records JobTicket refused, while the rest went out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_rows: Vec<HrId>,
    /// How many people JobTicket shows with a link, where that was read.
    pub linked: Option<usize>,
    /// What each joiner costs.
    #[serde(skip)]
    pub joiner_cost: Cost,
    /// New people who start too far ahead.
    pub too_early: usize,
    /// What there is to know besides.
    pub notes: Vec<String>,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// Requests sent to JobTicket.
    pub requests: u32,
    /// How long they have waited for the rate limit, milliseconds.
    pub rate_limit_wait_ms: u64,
    /// Duration, milliseconds.
    pub duration_ms: u64,
    /// The exit code.
    pub exit_code: Exit,
}

/// Somebody who waits for a decision.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// In which hold; a dry run opens none.
    pub hold: Option<u64>,
    /// What would happen, and why it waits.
    #[serde(flatten)]
    pub question: Question,
}

/// Where JobTicket differs from what it acknowledged, longer than it may take.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// The push that is not seen.
    pub sync_id: String,
    /// For how many hours.
    pub hours: i64,
    /// How.
    pub differences: Vec<Difference>,
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
        if self.sources.iter().any(SourceReport::failed) {
            exit = exit.and(Exit::SourceFailed);
        }
        if !self.collisions.is_empty() || !self.waiting.is_empty() {
            exit = exit.and(Exit::Waits);
        }
        if self.drift.is_some() || !self.tickets_lost.is_empty() {
            exit = exit.and(Exit::Drift);
        }
        if !self.rejected.is_empty() || !self.refused_rows.is_empty() {
            exit = exit.and(Exit::RowsRejected);
        }
        exit
    }
}
