//! What a run does for the audit log besides: packs what was rotated and removes what is old enough. Nothing of it may fail the run, whose people are delivered by then.

use super::Context;
use crate::audit::Event;
use crate::store::{Notes, StoreError};

/// Packs and removes files of the audit log; says on the operational log where it cannot.
pub(super) fn housekeep(context: &Context<'_>) {
    if let Err(error) = old_lines(context) {
        tracing::warn!("Old files of the audit log could not be removed yet: {error}");
    }
}

fn old_lines(context: &Context<'_>) -> Result<(), StoreError> {
    let Context {
        config,
        store,
        audit,
        clock,
        ..
    } = context;
    let failed = |cause| StoreError::Audit {
        path: audit.path().to_owned(),
        cause,
    };
    let Some(keeping) = audit.try_keep().map_err(failed)? else {
        return Ok(());
    };
    audit.pack(&keeping).map_err(failed)?;
    // What was told and not removed yet.
    if let Some(last) = store.audit_removed()? {
        audit.remove_up_to(&keeping, last).map_err(failed)?;
    }
    let Some(keep_months) = config.audit.keep_months else {
        return Ok(());
    };
    let today = clock.now().date_naive();
    let old = audit.old(&keeping, keep_months, today).map_err(failed)?;
    let Some(last) = old.last().map(|old| old.last) else {
        return Ok(());
    };
    let notes = old.into_iter().map(|old| {
        let event = Event::OldLinesRemoved {
            file: old.file,
            first: old.first,
            last: old.last,
            lines: old.lines,
            last_hash: old.last_hash,
            keep_months,
        };
        event.into()
    });
    let notes = Notes {
        notes: notes.collect(),
        ..Notes::default()
    };
    store.tell_removed(last, &notes)?;
    store.flush(audit)?;
    crate::crash::point("expire_told");
    audit.remove_up_to(&keeping, last).map_err(failed)
}
