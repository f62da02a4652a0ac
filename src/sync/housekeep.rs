//! What a run does besides: it packs files of the audit log, and removes what is old enough, of the log, of archives, and of people who left. Nothing of it may fail the run, whose
//! people are delivered by then. What is removed from an archive are only files that this program has put there, and that are still as they were then.

use super::forget::{forget_again, forget_leavers};
use super::{Context, target_of};
use crate::audit::Event;
use crate::config::Integration;
use crate::source::{Put, remove_archived};
use crate::store::{Archived, Notes, StoreError};

/// Packs files of the audit log and, unless the clock is in doubt, removes what is old; says on the operational log where it cannot.
pub(super) fn housekeep(context: &Context<'_>, integration: &Integration, by_age: bool) {
    // What somebody has decided does not go by the clock.
    let again = forget_again(context, integration);
    let by_age_too = if by_age {
        forget_leavers(context, integration)
    } else {
        Ok(())
    };
    for error in [again, by_age_too].into_iter().filter_map(Result::err) {
        tracing::warn!(
            "Not everything of people who are to be forgotten could be removed yet: {error}"
        );
    }
    if !by_age {
        return;
    }
    if let Err(error) = old_archived(context, integration) {
        tracing::warn!("Old files of archives could not be removed yet: {error}");
    }
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
    // A file that cannot be packed is told, and keeps no other from growing old.
    if let Err(error) = audit.pack(&keeping) {
        tracing::warn!("A rotated file of the audit log could not be packed yet: {error}");
    }
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

fn old_archived(context: &Context<'_>, integration: &Integration) -> Result<(), StoreError> {
    let (store, target) = (context.store, target_of(integration));
    for source in &integration.sources {
        let Some(days) = source.archive_keep_days else {
            continue;
        };
        let before = context.clock.now() - chrono::Duration::days(i64::from(days));
        for archived in store.archived_before(&target, &source.name, before)? {
            let Archived {
                path,
                size,
                modified,
            } = archived;
            let mut notes = Vec::new();
            match remove_archived(&path, size, modified) {
                Ok(Put::Removed) => notes.push(
                    Event::ArchivedFileRemoved {
                        source: source.name.clone(),
                        file: path.display().to_string(),
                        keep_days: days,
                    }
                    .into(),
                ),
                // Somebody has moved it, or put another file there; that is theirs.
                Ok(Put::Gone | Put::Another) => {}
                Err(error) => {
                    tracing::warn!(
                        source.name = source.name,
                        "{} cannot be removed from the archive ({error})",
                        path.display()
                    );
                    continue;
                }
            }
            let notes = Notes {
                integration: Some(integration.name.clone()),
                run: None,
                notes,
            };
            store.not_archived(&path, &notes)?;
        }
    }
    store.flush(context.audit)
}
