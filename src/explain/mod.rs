//! The command `explain`: everything the program knows about one person of one integration.
//!
//! The last row of each source, the snapshot, days of missing, what the audit log tells, holds and decisions, and what a run would do now. It reads the store, the audit log and
//! the sources, and asks JobTicket nothing; it changes nothing. Names of fields stand in it, and values only as far as `audit.values` shows them.

mod history;
mod now;
mod text;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

pub use history::Happened;
pub use now::Now;

use crate::audit::mask;
use crate::config::{AuditValues, Integration};
use crate::roster::{Employee, Field, HrId, Row, Unselected};
use crate::source::Taken;
use crate::store::{DecisionRecord, HoldRecord, Left, StoreError, Target};
use crate::sync::{Context, forecast, numbers, target_of};

/// Everything that is known about one person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The integration.
    pub integration: String,
    /// Who.
    pub hr_id: HrId,
    /// Whether anything at all is known.
    pub known: bool,
    /// What each source had last.
    pub sources: Vec<LastRecord>,
    /// What JobTicket acknowledged last.
    pub snapshot: Option<InSnapshot>,
    /// Since when the person would leave.
    pub missing: Option<Missing>,
    /// Until when the person is kept by decision.
    pub kept_until: Option<NaiveDate>,
    /// The holds in which the person stands or stood.
    pub holds: Vec<HoldRecord>,
    /// What was decided of the person.
    pub decisions: Vec<DecisionRecord>,
    /// When the person left.
    pub left: Vec<Left>,
    /// What the audit log tells, in order.
    pub history: Vec<Happened>,
    /// What a run would do now.
    pub now: Now,
}

/// What a source had last of somebody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRecord {
    /// The source.
    pub source: String,
    /// Its last file.
    pub file: Option<String>,
    /// When that file was written.
    pub modified: Option<DateTime<Utc>>,
    /// The person's rows.
    pub rows: Vec<LastRow>,
    /// Why a row of the person is not meant.
    pub unselected: Option<Unselected>,
}

/// A row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRow {
    /// Its line in the file.
    pub row: u64,
    /// Its values, masked as `audit.values` says; with `none`, the names of the filled fields alone.
    pub fields: BTreeMap<Field, Option<String>>,
    /// Fields whose values make no sense, and why.
    pub wrong: BTreeMap<Field, String>,
}

/// Somebody as JobTicket acknowledged them last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InSnapshot {
    /// From which source.
    pub source: String,
    /// Their values, masked as `audit.values` says; with `none`, the names of the filled fields alone.
    pub fields: BTreeMap<Field, Option<String>>,
    /// Since when they are in it.
    pub first_seen: DateTime<Utc>,
    /// When a value of theirs changed last.
    pub last_changed: DateTime<Utc>,
    /// The last push.
    pub sync_id: Option<String>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<DateTime<Utc>>,
}

/// Since when somebody would leave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// On how many days deliveries said so.
    pub days: u32,
    /// How many it takes.
    pub of: u32,
    /// The first.
    pub first_day: NaiveDate,
    /// The last.
    pub last_day: NaiveDate,
}

/// Steps off the async threads for something that blocks.
fn off<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Everything that is known about one person of an integration.
///
/// # Errors
/// The state or the audit log cannot be read.
pub async fn explain(
    context: &Context<'_>,
    integration: &Integration,
    hr_id: &HrId,
) -> Result<Explained, StoreError> {
    let store = context.store;
    let target = target_of(integration);
    let values = context.config.audit.values;
    let sources = off(|| last_records(context, integration, &target, hr_id))?;
    let last = off(|| store.last_acknowledged(&target))?;
    let snapshot = off(|| store.remembered(&target, hr_id))?.map(|person| InSnapshot {
        source: person.source,
        fields: fields(&person.employee, values),
        first_seen: person.first_seen,
        last_changed: person.last_changed,
        sync_id: last.as_ref().map(|(sync_id, _)| sync_id.clone()),
        acknowledged_at: last.as_ref().map(|(_, at)| *at),
    });
    let missing = off(|| store.missing(&target))?.remove(hr_id);
    let holds = off(|| store.holds_of(&target, hr_id))?;
    let decisions = off(|| store.decisions_about(&target, hr_id))?;
    let left = off(|| store.left(&target, hr_id))?;
    let history = off(|| history::read(context.audit, &integration.name, hr_id))?;
    let report = forecast(context, integration).await;
    let now = now::of(&report, hr_id, snapshot.is_some());
    let rows = |record: &LastRecord| !record.rows.is_empty() || record.unselected.is_some();
    Ok(Explained {
        integration: integration.name.clone(),
        hr_id: hr_id.clone(),
        known: sources.iter().any(rows)
            || snapshot.is_some()
            || !holds.is_empty()
            || !decisions.is_empty()
            || !left.is_empty()
            || !history.is_empty()
            || now.is_about_them(),
        sources,
        snapshot,
        missing: missing.map(|missing| Missing {
            days: missing.days,
            of: integration.limits.missing_days,
            first_day: missing.first_day,
            last_day: missing.last_day,
        }),
        kept_until: off(|| store.kept_until(&target, hr_id))?,
        holds,
        decisions,
        left,
        history,
        now,
    })
}

fn last_records(
    context: &Context<'_>,
    integration: &Integration,
    target: &Target,
    hr_id: &HrId,
) -> Result<Vec<LastRecord>, StoreError> {
    let store = context.store;
    let values = context.config.audit.values;
    let mut records = Vec::new();
    // A map that cannot be read is told by what would happen now.
    let numbers = numbers(integration).unwrap_or_default();
    for source in &integration.sources {
        let taken = store.source(target, &source.name)?;
        let taken = taken.and_then(|state| Taken::from_text(&state.taken));
        let mut delivery = store.source_rows(target, &source.name)?;
        numbers.map.apply(&mut delivery);
        let theirs = |row: &&Row| row.employee.hr_id == *hr_id;
        let rows = delivery.rows.iter().filter(theirs).map(|row| LastRow {
            row: row.line,
            fields: fields(&row.employee, values),
            wrong: row
                .wrong
                .iter()
                .map(|(field, wrong)| (*field, wrong.words().to_owned()))
                .collect(),
        });
        let rows = rows.collect();
        records.push(LastRecord {
            source: source.name.clone(),
            file: taken.as_ref().map(Taken::names),
            modified: taken.as_ref().map(|taken| taken.modified),
            rows,
            unselected: delivery.unselected.remove(hr_id),
        });
    }
    Ok(records)
}

/// The filled fields, with their values as far as the audit log would show them.
fn fields(employee: &Employee, values: AuditValues) -> BTreeMap<Field, Option<String>> {
    let filled = Field::ALL
        .into_iter()
        .filter(|field| employee.is_filled(*field));
    let shown = |field: Field| {
        let value = employee.value(field)?;
        match values {
            AuditValues::None => None,
            AuditValues::Masked => Some(mask(field, &value)),
            AuditValues::Full => Some(value),
        }
    };
    filled.map(|field| (field, shown(field))).collect()
}
