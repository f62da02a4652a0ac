//! What the audit log records.

use serde::Serialize;

use crate::config::KeyChange;
use crate::drift::Difference;
use crate::guard::{Cause, Grounds, Trip};
use crate::plan::{Change, Counts};

/// A file of absences that a source delivered.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct AbsencesPulled {
    pub file: String,
    pub sha256: String,
    pub bytes: u64,
    pub modified: String,
}

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
    /// An internal error ended a run; nothing that it had not recorded has happened.
    RunPanicked { trigger: String },
    /// Scheduled times passed without a run of their own.
    ScheduleMissed {
        count: usize,
        first: String,
        last: String,
        reason: String,
    },
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
        /// The file of absences that was read with it, where the source has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        absences: Option<AbsencesPulled>,
    },
    /// A source failed; nothing of it is used.
    SourceFailed {
        source: String,
        error: String,
        stands_in: bool,
        /// Since its last good delivery, where there was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        frozen_hours: Option<u64>,
        /// Whether that is longer than `frozen_warn_hours`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        too_long: bool,
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
        #[serde(flatten)]
        grounds: Option<Grounds>,
    },
    /// The guard's verdict.
    Guard {
        verdict: String,
        plan_hash: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trips: Vec<Trip>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        waits: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        counting: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        kept: Vec<String>,
    },
    /// People, or a whole plan, wait for a decision; a `held` line for each person follows.
    HoldOpened {
        hold: u64,
        scope: String,
        kind: String,
        why: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        plan_hash: Option<String>,
        people: usize,
    },
    /// One person of a hold.
    Held {
        hold: u64,
        #[serde(flatten)]
        change: Change,
        #[serde(flatten)]
        cause: Option<Cause>,
        active_ticket: Option<bool>,
    },
    /// People of a hold are not in question any more; without names, the plan of the hold is not.
    HoldOver {
        hold: u64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hr_ids: Vec<String>,
    },
    /// An approval is too old, or the state of things has made it void: these people of the hold wait again, or all of them where none is named.
    ApprovalVoid {
        hold: u64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hr_ids: Vec<String>,
    },
    /// Somebody decided.
    Decision {
        decision: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hold: Option<u64>,
        user: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_behalf_of: Option<String>,
        reason: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hr_ids: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        except: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        sync_ids: Vec<String>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        key_change: bool,
    },
    /// JobTicket's employees were compared with the snapshot, by hand. A `drift` that is not unconfirmed ends with its own exit code.
    DriftChecked {
        user: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        sync_id: Option<String>,
        linked: usize,
        without_link: usize,
        unconfirmed: bool,
        differences: Vec<Difference>,
    },
    /// All employees of JobTicket were read before a push, or were not, because the configuration says so.
    ReadBefore {
        read: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        linked: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_sync_id: Option<String>,
    },
    /// JobTicket refused single records; the rest goes out again without what it refused.
    PushAmended {
        sync_id: String,
        carried_forward: Vec<String>,
        left_out: Vec<String>,
    },
    /// What a push did is not seen at JobTicket, longer than it may take.
    Drift {
        sync_id: String,
        hours: i64,
        differences: Vec<Difference>,
    },
    /// After a push people who do not belong to it had lost their tickets.
    TicketsLost { sync_id: String, ids: Vec<u64> },
    /// JobTicket refuses the credential; scheduled runs do not push until it is accepted again.
    CredentialRefused { outcome: String },
    /// What had failed works again.
    Recovered { what: String },
    /// A push is about to leave; this line is on disk before it does.
    PushIntent {
        sync_id: String,
        employees: usize,
        body_sha256: String,
        plan_hash: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        approved_by_holds: Vec<u64>,
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
    /// A file that was archived was old enough to be removed from there.
    ArchivedFileRemoved {
        source: String,
        file: String,
        keep_days: u32,
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
        /// How the log ended that was here, as people keep it.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaced_head: Option<String>,
        /// Up to which line it, or one that it had replaced in turn, had come.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaced_up_to: Option<u64>,
    },
    /// A crash had torn the last line of this file; it was ended and left as it is.
    TornLineSealed { bytes: u64, sha256: String },
    /// This file already ended with a later line than the store knows of: the store was replaced by an older or a new one.
    StoreIsBehind { expected: u64, found: u64 },
    /// Whole files of this log were old enough to be removed. `lastHash` is what the rest of the chain was built on.
    OldLinesRemoved {
        file: String,
        first: u64,
        last: u64,
        lines: u64,
        last_hash: String,
        keep_months: u32,
    },
    /// The values of these people were removed from the state, and are removed from this log; their hrIds stay.
    Forgotten {
        user: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_behalf_of: Option<String>,
        reason: String,
        hr_ids: Vec<String>,
    },
    /// Lines are missing from this file that were once written.
    LinesMissing { expected: u64, found: u64 },
}

/// Personal values of one line, kept apart so that they can be redacted later: key, then text.
pub type Values = Vec<(String, String)>;

/// The names of all events, as lines have them.
pub const EVENTS: [&str; 44] = [
    "run_started",
    "run_never_ended",
    "run_panicked",
    "schedule_missed",
    "run_ended",
    "configuration_changed",
    "source_pulled",
    "source_failed",
    "row_rejected",
    "row_incomplete",
    "collision",
    "kept_while_frozen",
    "plan",
    "change",
    "guard",
    "hold_opened",
    "held",
    "hold_over",
    "approval_void",
    "decision",
    "drift_checked",
    "read_before",
    "push_amended",
    "drift",
    "tickets_lost",
    "credential_refused",
    "recovered",
    "push_intent",
    "push_attempt",
    "push_acknowledged",
    "push_refused",
    "push_in_doubt",
    "push_unsettled",
    "read_back",
    "file_archived",
    "archived_file_removed",
    "archive_failed",
    "backup_written",
    "restored",
    "torn_line_sealed",
    "store_is_behind",
    "old_lines_removed",
    "forgotten",
    "lines_missing",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_listed_by_its_name() {
        let source = include_str!("event.rs");
        let body = source
            .split("pub enum Event {")
            .nth(1)
            .unwrap()
            .split("\n}")
            .next()
            .unwrap();
        let variants = body.lines().filter_map(|line| {
            line.strip_prefix("    ")?.strip_suffix(" {").or(line
                .strip_prefix("    ")?
                .split_once(" { ")
                .map(|(name, _)| name))
        });
        let names: Vec<String> = variants
            .filter(|name| name.starts_with(char::is_uppercase))
            .map(|name| {
                let snake = name.chars().flat_map(|c| {
                    c.is_uppercase()
                        .then_some('_')
                        .into_iter()
                        .chain(c.to_lowercase())
                });
                snake.collect::<String>().trim_start_matches('_').to_owned()
            })
            .collect();
        assert!(names.len() > 30, "{names:?}");
        assert_eq!(names, EVENTS);
    }
}
