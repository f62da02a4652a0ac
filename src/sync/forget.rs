//! Forgetting people: who may be forgotten, and how their values go from the store and from the audit log.
//!
//! The hazard is somebody who still has a ticket. They are looked for in the snapshot, in holds, in pushes whose end nobody knows and in the last good rosters, where only a last day that has passed says
//! that they left. It is told in the log before anything goes from there, and remembered until it is done: whatever is interrupted, the next run finishes it.

use std::collections::HashSet;

use super::{Context, numbers, selection_of, target_of};
use crate::audit::{Event, Redaction, Span, names};
use crate::config::Integration;
use crate::roster::{HrId, Row, has_ended};
use crate::store::{Active, Decision, Forgotten, Gone, Notes, StoreError};

/// What went.
#[derive(Debug, Default)]
pub(crate) struct Went {
    pub(crate) people: Vec<HrId>,
    pub(crate) gone: Gone,
    pub(crate) lines: u64,
    /// Who is still active, and why.
    pub(crate) stay: Vec<(HrId, Active)>,
}

/// Whether a row says that its employment is over.
fn is_over(context: &Context<'_>, integration: &Integration, row: &Row) -> bool {
    let selection = selection_of(context.config, integration, context.clock);
    let last = row.employee.termination_date;
    row.wrong.is_empty()
        && last.is_some_and(|last| has_ended(last, selection.today, selection.leavers_days_kept))
}

/// Why somebody cannot be forgotten; `None` where they can.
pub(crate) fn active(
    context: &Context<'_>,
    integration: &Integration,
    hr_id: &HrId,
) -> Result<Option<Active>, StoreError> {
    let found = all_active(context, integration, std::slice::from_ref(hr_id))?;
    Ok(found.into_iter().next().map(|(_, why)| why))
}

fn all_active(
    context: &Context<'_>,
    integration: &Integration,
    people: &[HrId],
) -> Result<Vec<(HrId, Active)>, StoreError> {
    let (store, target) = (context.store, target_of(integration));
    let mut found = Vec::new();
    for hr_id in people {
        found.extend(
            store
                .active(&target, hr_id)?
                .map(|why| (hr_id.clone(), why)),
        );
    }
    let wanted: HashSet<&HrId> = people.iter().collect();
    // A map that cannot be read might hide somebody, so the numbers of the sources count too.
    let map = numbers(integration).unwrap_or_default().map;
    for source in &integration.sources {
        let rows = store.source_rows(&target, &source.name)?.rows;
        for row in rows
            .iter()
            .filter(|row| !is_over(context, integration, row))
        {
            let ids = [&row.employee.hr_id, map.get(&row.employee.hr_id)];
            if let Some(hr_id) = ids.into_iter().find(|hr_id| wanted.contains(hr_id)) {
                found.push((hr_id.clone(), Active::Source(source.name.clone())));
            }
        }
    }
    Ok(found)
}

/// Forgets those of these people who are not active. The caller has the run lock of the integration.
pub(crate) fn forget(
    context: &Context<'_>,
    integration: &Integration,
    people: &[HrId],
    by: &Decision<'_>,
) -> Result<Went, StoreError> {
    remove(context, integration, people, by, false)
}

/// `told` says that the log tells of it already.
fn remove(
    context: &Context<'_>,
    integration: &Integration,
    people: &[HrId],
    by: &Decision<'_>,
    told: bool,
) -> Result<Went, StoreError> {
    let Context { store, audit, .. } = context;
    let target = target_of(integration);
    let stay = all_active(context, integration, people)?;
    let staying: HashSet<&HrId> = stay.iter().map(|(hr_id, _)| hr_id).collect();
    let people: Vec<HrId> = people
        .iter()
        .filter(|hr_id| !staying.contains(hr_id))
        .cloned()
        .collect();
    if people.is_empty() {
        return Ok(Went {
            stay,
            ..Went::default()
        });
    }
    let wanted: HashSet<&HrId> = people.iter().collect();
    let map = numbers(integration).unwrap_or_default().map;
    let goes = |row: &Row| {
        let hr_id = &row.employee.hr_id;
        (wanted.contains(hr_id) || wanted.contains(map.get(hr_id)))
            && is_over(context, integration, row)
    };
    let event = |went: &[HrId]| Event::Forgotten {
        user: by.user.to_owned(),
        on_behalf_of: by.on_behalf_of.map(str::to_owned),
        reason: by.reason.to_owned(),
        hr_ids: went.iter().map(ToString::to_string).collect(),
    };
    let notes = |went: &[HrId]| Notes {
        integration: Some(integration.name.clone()),
        run: None,
        notes: (!told).then(|| event(went).into()).into_iter().collect(),
    };
    let (went, gone) = store.forget(&target, &integration.name, &people, by, goes, notes)?;
    store.flush(audit)?;
    crate::crash::point("forget_told");
    let lines = clear_log(context, integration, &went)?;
    store.leave_nothing_behind()?;
    store.forgotten_here(&target, &went)?;
    Ok(Went {
        people: went,
        gone,
        lines,
        stay,
    })
}

fn clear_log(
    context: &Context<'_>,
    integration: &Integration,
    people: &[HrId],
) -> Result<u64, StoreError> {
    let audit = context.audit;
    let failed = |cause| StoreError::Audit {
        path: audit.path().to_owned(),
        cause,
    };
    let redaction = Redaction {
        people: people.iter().map(HrId::as_str).collect(),
        integration: &integration.name,
        known: context
            .config
            .integrations
            .iter()
            .map(|one| one.name.as_str())
            .collect(),
    };
    let keeping = audit.keep().map_err(failed)?;
    audit.redact(&keeping, &redaction).map_err(failed)
}

/// Finishes what was interrupted, and repeats in a restored state what was forgotten before. Who is active there is forgotten once they are not.
pub(crate) fn forget_again(
    context: &Context<'_>,
    integration: &Integration,
) -> Result<(), StoreError> {
    for Forgotten {
        hr_id,
        login,
        on_behalf_of,
        reason,
        ..
    } in context.store.to_forget(&target_of(integration))?
    {
        let by = Decision {
            user: &login,
            on_behalf_of: on_behalf_of.as_deref(),
            reason: &reason,
        };
        // In the log of an older backup it does not stand.
        let told = is_told(context, integration, &hr_id)?;
        remove(context, integration, &[hr_id], &by, told)?;
    }
    Ok(())
}

/// Whether the log tells that somebody was to be forgotten.
fn is_told(
    context: &Context<'_>,
    integration: &Integration,
    hr_id: &HrId,
) -> Result<bool, StoreError> {
    let failed = |cause| StoreError::Audit {
        path: context.audit.path().to_owned(),
        cause,
    };
    let entries = context.audit.read(Span::default()).map_err(failed)?;
    for entry in entries.containing(["\"event\":\"forgotten\""]) {
        let entry = entry.map_err(failed)?;
        let here = entry.integration.as_deref() == Some(&integration.name);
        if here && entry.event == "forgotten" && names(&entry.line, hr_id.as_str()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets who left longer ago than the configuration keeps leavers.
pub(crate) fn forget_leavers(
    context: &Context<'_>,
    integration: &Integration,
) -> Result<(), StoreError> {
    let Some(days) = context.config.leavers_keep_days else {
        return Ok(());
    };
    let before = context.clock.now() - chrono::Duration::days(i64::from(days));
    let people = context.store.left_before(&target_of(integration), before)?;
    if people.is_empty() {
        return Ok(());
    }
    let reason = format!("left more than {days} days ago");
    let by = Decision {
        user: "leavers_keep_days",
        on_behalf_of: None,
        reason: &reason,
    };
    forget(context, integration, &people, &by)?;
    Ok(())
}
