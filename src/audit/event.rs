//! What the audit log records.

use serde::Serialize;

use crate::config::KeyChange;
use crate::guard::Trip;
use crate::plan::{Change, Counts};

/// One event. None of these holds a personal value; those stand apart, in [`Values`].
#[derive(Debug, Clone, Serialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "event"
)]
#[expect(
    missing_docs,
    reason = "the fields say what they are, and the README explains the log"
)]
pub enum Event {
    /// A run began.
    RunStarted {
        trigger: String,
        user: String,
        version: String,
        dry_run: bool,
        environment: String,
        origin: String,
        integration_id: u64,
    },
    /// A run that began earlier never ended: the program was killed, or the machine went down.
    RunNeverEnded { started: String },
    /// A run ended.
    RunEnded {
        outcome: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        exit_code: u8,
        requests: u32,
        duration_ms: u64,
    },
    /// The configuration is not the one of the last run.
    ConfigurationChanged {
        user: String,
        version: String,
        changes: Vec<KeyChange>,
    },
    /// A source delivered.
    SourcePulled {
        source: String,
        file: String,
        sha256: String,
        bytes: u64,
        modified: String,
        rows: usize,
        selected: usize,
        status: String,
    },
    /// A source failed; nothing of it is used.
    SourceFailed {
        source: String,
        error: String,
        stands_in: bool,
    },
    /// A row could not be used.
    RowRejected {
        source: String,
        row: u64,
        hr_id: String,
        reason: String,
        carried_forward: bool,
    },
    /// Somebody new cannot be sent yet, for a value is missing.
    RowIncomplete {
        source: String,
        row: u64,
        hr_id: String,
        field: String,
    },
    /// Somebody new, or a new value, waits because it would collide with somebody who is kept.
    Collision {
        hr_id: String,
        kept: String,
        joiner: bool,
        new_number: bool,
    },
    /// People who would leave are kept, because a source failed.
    KeptWhileFrozen { hr_ids: Vec<String> },
    /// What a push would do; a `change` line for each person follows.
    Plan {
        roster: usize,
        #[serde(flatten)]
        counts: Counts,
        resend: bool,
        plan_hash: String,
    },
    /// One person of the plan.
    Change {
        #[serde(flatten)]
        change: Change,
    },
    /// The guard's verdict.
    Guard {
        verdict: String,
        plan_hash: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trips: Vec<Trip>,
    },
    /// A push is about to leave; this line is on disk before it does.
    PushIntent {
        sync_id: String,
        employees: usize,
        body_sha256: String,
        plan_hash: String,
    },
    /// One attempt of it.
    PushAttempt {
        sync_id: String,
        attempt: u32,
        outcome: String,
        duration_ms: u64,
    },
    /// JobTicket has acknowledged a push. `seen` says how: the answer 204, or read back later.
    PushAcknowledged {
        sync_id: String,
        employees: usize,
        acknowledged: String,
        seen: String,
    },
    /// JobTicket surely did not take a push.
    PushRefused {
        sync_id: String,
        outcome: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hr_ids: Vec<String>,
    },
    /// Nobody knows whether JobTicket took a push.
    PushInDoubt { sync_id: String, outcome: String },
    /// A push whose answer was never seen was not found there either; the next plan counts with both rosters.
    PushUnsettled { sync_id: String },
    /// What JobTicket showed after a push.
    ReadBack { sync_id: String, result: String },
    /// A file was moved after its use.
    FileArchived {
        source: String,
        file: String,
        to: String,
    },
    /// A file could not be moved; it stays, and nothing is pushed again for it.
    ArchiveFailed {
        source: String,
        file: String,
        error: String,
    },
    /// The store, this log and the configuration were written to a backup, which holds personal data.
    BackupWritten {
        user: String,
        file: String,
        bytes: u64,
        lines: u64,
    },
    /// The store and this log came from a backup; `replaced` is the folder of those that were here.
    Restored {
        user: String,
        file: String,
        backup_time: String,
        backup_version: String,
        lines: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        replaced: Option<String>,
    },
    /// A crash had torn the last line of this file; it was ended and left as it is.
    TornLineSealed { bytes: u64, sha256: String },
    /// This file already ended with a later line than the store knows of: the store was replaced by an older or a new one.
    StoreIsBehind { expected: u64, found: u64 },
    /// Lines are missing from this file that were once written.
    LinesMissing { expected: u64, found: u64 },
}

/// Personal values of one line, kept apart so that they can be redacted later: key, then text.
pub type Values = Vec<(String, String)>;
