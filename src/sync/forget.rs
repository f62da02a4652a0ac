//! Forgetting people: who may be forgotten, and how their values go from the store and from the audit log.
//!
//! The hazard is somebody who still has a ticket. They are looked for in the snapshot, in holds, in pushes whose end nobody knows and in the last good rosters, where only a last day that has passed says
//! that they left. It is told in the log before anything goes from there, and remembered until it is done: whatever is interrupted, the next run finishes it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Context, numbers, selection_of, target_of};
use crate::audit::{Event, Redaction, Span, named};
use crate::config::Integration;
use crate::roster::{HrId, Row, has_ended};
use crate::store::{Active, Decision, Going, Gone, Notes, StoreError};

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
    let mut found = store.active(&target, people)?;
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
    let group = Going {
        people: people.to_vec(),
        by: by.clone(),
        told: false,
    };
    remove(context, integration, vec![group])
}

/// However many they are, the store and each file of the log are written anew once.
fn remove(
    context: &Context<'_>,
    integration: &Integration,
    mut groups: Vec<Going<'_>>,
) -> Result<Went, StoreError> {
    let Context { store, audit, .. } = context;
    let target = target_of(integration);
    let all: Vec<HrId> = groups
        .iter()
        .flat_map(|group| group.people.iter().cloned())
        .collect();
    let stay = all_active(context, integration, &all)?;
    let staying: HashSet<&HrId> = stay.iter().map(|(hr_id, _)| hr_id).collect();
    for group in &mut groups {
        group.people.retain(|hr_id| !staying.contains(hr_id));
    }
    groups.retain(|group| !group.people.is_empty());
    if groups.is_empty() {
        return Ok(Went {
            stay,
            ..Went::default()
        });
    }
    let wanted: HashSet<&HrId> = groups.iter().flat_map(|group| &group.people).collect();
    let map = numbers(integration).unwrap_or_default().map;
    let goes = |row: &Row| {
        let hr_id = &row.employee.hr_id;
        (wanted.contains(hr_id) || wanted.contains(map.get(hr_id)))
            && is_over(context, integration, row)
    };
    let event = |group: &Going<'_>, went: &[HrId]| Event::Forgotten {
        user: group.by.user.to_owned(),
        on_behalf_of: group.by.on_behalf_of.map(str::to_owned),
        reason: group.by.reason.to_owned(),
        hr_ids: went.iter().map(ToString::to_string).collect(),
    };
    let notes = |went: &[Vec<HrId>]| {
        let groups = groups.iter().zip(went);
        let untold = groups.filter(|(group, went)| !group.told && !went.is_empty());
        Notes {
            integration: Some(integration.name.clone()),
            run: None,
            notes: untold
                .map(|(group, went)| event(group, went).into())
                .collect(),
        }
    };
    let (went, gone) = store.forget(&target, &integration.name, &groups, goes, notes)?;
    store.flush(audit)?;
    crate::crash::point("forget_told");
    let lines = clear_log(context, integration, &went);
    // Also where a file of the log cannot be read: what can be removed goes.
    store.leave_nothing_behind()?;
    let lines = lines?;
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
    let people: Vec<&str> = people.iter().map(HrId::as_str).collect();
    let integrations = context.config.integrations.iter();
    let known = integrations.map(|one| one.name.as_str()).collect();
    let redaction = Redaction::of_people(&people, &integration.name, known);
    let keeping = audit.keep().map_err(failed)?;
    audit.redact(&keeping, &redaction).map_err(failed)
}

/// Finishes what was interrupted, and repeats in a restored state what was forgotten before. Who is active there is forgotten once they are not.
pub(crate) fn forget_again(
    context: &Context<'_>,
    integration: &Integration,
) -> Result<(), StoreError> {
    let (store, target) = (context.store, target_of(integration));
    let all = store.to_forget(&target)?;
    if all.is_empty() {
        return Ok(());
    }
    store.flush(context.audit)?;
    let told = told(context, integration)?;
    let mut groups: BTreeMap<_, Vec<HrId>> = BTreeMap::new();
    for one in &all {
        // In the log of an older backup it does not stand, or only that they were forgotten once before.
        let at: Option<DateTime<Utc>> = one.at.parse().ok();
        let is_told = told.get(one.hr_id.as_str()).is_some_and(|told| {
            at.is_some_and(|at| at.timestamp_millis() <= told.timestamp_millis())
        });
        let by = (&one.login, &one.on_behalf_of, &one.reason, is_told);
        groups.entry(by).or_default().push(one.hr_id.clone());
    }
    let groups = groups.into_iter().map(|(by, people)| Going {
        people,
        by: Decision {
            user: by.0,
            on_behalf_of: by.1.as_deref(),
            reason: by.2,
        },
        told: by.3,
    });
    remove(context, integration, groups.collect())?;
    Ok(())
}

/// Of whom the log tells that they were to be forgotten, and when last. Of those who came back since then it does not, for what was written of them meanwhile goes, too.
fn told(
    context: &Context<'_>,
    integration: &Integration,
) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
    let failed = |cause| StoreError::Audit {
        path: context.audit.path().to_owned(),
        cause,
    };
    let mut told = HashMap::new();
    let entries = context.audit.read(Span::default()).map_err(failed)?;
    let texts = ["\"event\":\"forgotten\"", "\"kind\":\"joins\""];
    for entry in entries.containing(texts) {
        let entry = entry.map_err(failed)?;
        if entry.integration.as_deref() != Some(&integration.name) {
            continue;
        }
        for hr_id in named(&entry.line) {
            if entry.event == "forgotten" {
                told.insert(hr_id.to_owned(), entry.time);
            } else {
                told.remove(hr_id);
            }
        }
    }
    Ok(told)
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
