//! What happened in a span of time, read from the audit log, and how everything stands now.
//!
//! Only what JobTicket has acknowledged counts as joined or left, as in the command `audit`.

use std::io;

use chrono::{DateTime, Utc};

use super::Context;
use super::facts::Gathered;
use super::reader::Reader;
use crate::audit::{AuditFile, Ends, Span, Verified};
use crate::review::Pushes;
use crate::status::status;
use crate::store::StoreError;

/// Why nothing could be gathered.
pub(super) enum Failed {
    Log(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Log(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Events of before the span that say how things stood when it began.
const BEFORE: [&str; 6] = [
    "\"event\":\"run_started\"",
    "\"event\":\"run_ended\"",
    "\"event\":\"run_never_ended\"",
    "\"event\":\"run_panicked\"",
    "\"event\":\"push_acknowledged\"",
    "\"event\":\"hold_opened\"",
];

/// Further events that are read in the span; a log holds many others.
const WITHIN: [&str; 10] = [
    "\"event\":\"change\"",
    "\"event\":\"decision\"",
    "\"event\":\"source_pulled\"",
    "\"event\":\"source_failed\"",
    "\"event\":\"drift\"",
    "\"event\":\"drift_checked\"",
    "\"event\":\"tickets_lost\"",
    "\"event\":\"forgotten\"",
    "\"event\":\"restored\"",
    "\"event\":\"configuration_changed\"",
];

/// Checks the chain: a log with holes makes a page with holes.
fn checked(context: &Context<'_>, audit: &AuditFile) -> Result<Verified, Failed> {
    let ends = || match context.store.audit_head() {
        // There is no state to compare with.
        Ok(head) if head.seq == 0 => Ok(Ends::default()),
        Ok(_) => context.store.audit_ends(),
        Err(error) => Err(error),
    };
    Ok(audit.verify(Vec::new(), ends)??)
}

pub(super) fn gather(
    context: &Context<'_>,
    audit: &AuditFile,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    full: bool,
) -> Result<Gathered, Failed> {
    let status = status(
        context.config,
        &context.chosen,
        context.store,
        context.clock,
    )?;
    let span = Span {
        since: Some(since),
        until,
    };
    let pushes = Pushes::read(audit, span)?;
    let mut reader = Reader::new(context, &pushes, full);
    let before = Span {
        since: None,
        until: Some(since),
    };
    for entry in audit.read(before)?.containing(BEFORE) {
        reader.before(&entry?);
    }
    reader.begin();
    for entry in audit
        .read(span)?
        .containing(BEFORE.into_iter().chain(WITHIN))
    {
        reader.take(&entry?);
    }
    Ok(Gathered {
        settings: std::mem::take(&mut reader.settings),
        restored: std::mem::take(&mut reader.restored),
        integrations: reader.end(status.integrations),
        since,
        head: context.store.audit_head()?,
        checked: checked(context, audit)?,
        full,
    })
}
