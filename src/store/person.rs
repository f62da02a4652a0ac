//! What the store knows of one person, and who decided what: for `explain`, and for showing a hold.
//!
//! Reads only. A person may be known without standing in the snapshot: from a hold, a decision, or because they left.

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{HoldRecord, Store, StoreError, Target};
use crate::plan::Leaving;
use crate::roster::{Employee, HrId};

/// A decision, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// On which hold; a keep and an adoption are about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u64>,
    /// What: approve, reject, reopen, keep or adopt.
    pub decision: String,
    /// The login user.
    pub user: String,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose standing it changed.
    pub hr_ids: Vec<HrId>,
    /// Until when, for a keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

/// Somebody as JobTicket acknowledged them last.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// From which source.
    pub source: String,
    /// Their values.
    pub employee: Employee,
    /// The push with which they came.
    pub first_seen: DateTime<Utc>,
    /// The push that changed a value of theirs last.
    pub last_changed: DateTime<Utc>,
}

/// That somebody left.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// When JobTicket acknowledged it.
    pub left_at: DateTime<Utc>,
    /// In which run.
    pub run: String,
    /// Why.
    #[serde(flatten)]
    pub why: Leaving,
    /// Whether without an explanation and without an approval.
    pub unasked: bool,
}

const DECISIONS: &str =
    "SELECT hold, kind, login, on_behalf_of, reason, at, hr_ids, until FROM decision";

fn decision(row: &Row<'_>) -> Result<DecisionRecord, StoreError> {
    let unreadable = || StoreError::Unreadable("a decision");
    let (at, hr_ids, until): (String, String, Option<String>) =
        (row.get(5)?, row.get(6)?, row.get(7)?);
    Ok(DecisionRecord {
        hold: row.get(0)?,
        decision: row.get(1)?,
        user: row.get(2)?,
        on_behalf_of: row.get(3)?,
        reason: row.get(4)?,
        at: at.parse().map_err(|_| unreadable())?,
        hr_ids: serde_json::from_str(&hr_ids).map_err(|_| unreadable())?,
        until: until
            .map(|until| until.parse().map_err(|_| unreadable()))
            .transpose()?,
    })
}

impl Store {
    /// What was decided of a hold, in order.
    pub fn decisions_on(&self, hold: u64) -> Result<Vec<DecisionRecord>, StoreError> {
        let connection = self.lock();
        let mut select =
            connection.prepare_cached(&format!("{DECISIONS} WHERE hold = ?1 ORDER BY id"))?;
        let mut rows = select.query([hold])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(decision(row)?);
        }
        Ok(found)
    }

    /// What was decided of somebody, in order.
    pub fn decisions_about(
        &self,
        target: &Target,
        hr_id: &HrId,
    ) -> Result<Vec<DecisionRecord>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(&format!(
            "{DECISIONS} WHERE target = ?1 AND EXISTS (SELECT 1 FROM json_each(hr_ids) WHERE value = ?2) ORDER BY id"
        ))?;
        let mut rows = select.query([target.as_str(), hr_id.as_str()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(decision(row)?);
        }
        Ok(found)
    }

    /// Somebody as they were acknowledged last; `None` where they are not in the snapshot.
    pub fn remembered(
        &self,
        target: &Target,
        hr_id: &HrId,
    ) -> Result<Option<Remembered>, StoreError> {
        let unreadable = || StoreError::Unreadable("an employee");
        let connection = self.lock();
        let row: Option<(String, String, i64, i64)> = connection
            .query_row(
                "SELECT source, employee, first_seen, last_changed FROM acknowledged WHERE target = ?1 AND hr_id = ?2",
                [target.as_str(), hr_id.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .optional()?;
        let at = |millis| DateTime::from_timestamp_millis(millis).ok_or_else(unreadable);
        row.map(|(source, employee, first_seen, last_changed)| {
            Ok(Remembered {
                source,
                employee: serde_json::from_str(&employee).map_err(|_| unreadable())?,
                first_seen: at(first_seen)?,
                last_changed: at(last_changed)?,
            })
        })
        .transpose()
    }

    /// When somebody left, and why, as far back as that is remembered.
    pub fn left(&self, target: &Target, hr_id: &HrId) -> Result<Vec<Left>, StoreError> {
        let unreadable = || StoreError::Unreadable("a leaver");
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT left_at, run, reason, unasked FROM leaver WHERE target = ?1 AND hr_id = ?2 ORDER BY left_at",
        )?;
        let mut rows = select.query([target.as_str(), hr_id.as_str()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (left_at, reason): (String, String) = (row.get(0)?, row.get(2)?);
            found.push(Left {
                left_at: left_at.parse().map_err(|_| unreadable())?,
                run: row.get(1)?,
                why: serde_json::from_str(&reason).map_err(|_| unreadable())?,
                unasked: row.get(3)?,
            });
        }
        Ok(found)
    }

    /// The holds in which somebody stands or stood, each with that person alone.
    pub fn holds_of(&self, target: &Target, hr_id: &HrId) -> Result<Vec<HoldRecord>, StoreError> {
        let ids = {
            let connection = self.lock();
            let mut select = connection.prepare_cached(
                "SELECT h.id FROM hold h JOIN held_person p ON p.hold = h.id WHERE h.target = ?1 AND p.hr_id = ?2 ORDER BY h.id",
            )?;
            let ids = select.query_map([target.as_str(), hr_id.as_str()], |row| row.get(0))?;
            ids.collect::<Result<Vec<u64>, _>>()?
        };
        let mut found = Vec::new();
        for id in ids {
            if let Some(mut hold) = self.hold(id)? {
                hold.people.retain(|person| person.change.hr_id == *hr_id);
                found.push(hold);
            }
        }
        Ok(found)
    }

    /// Until when somebody is kept, whatever the sources say; that day may have passed.
    pub fn kept_until(
        &self,
        target: &Target,
        hr_id: &HrId,
    ) -> Result<Option<NaiveDate>, StoreError> {
        let until: Option<String> = self
            .lock()
            .query_row(
                "SELECT until FROM keep WHERE target = ?1 AND hr_id = ?2",
                [target.as_str(), hr_id.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        until
            .map(|until| {
                until
                    .parse()
                    .map_err(|_| StoreError::Unreadable("the end of a keep"))
            })
            .transpose()
    }

    /// The syncId of the last push that JobTicket acknowledged, and when; `None` before the first.
    pub fn last_acknowledged(
        &self,
        target: &Target,
    ) -> Result<Option<(String, DateTime<Utc>)>, StoreError> {
        let row: Option<(String, String)> = self
            .lock()
            .query_row(
                "SELECT sync_id, acknowledged_at FROM snapshot WHERE target = ?1",
                [target.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        row.map(|(sync_id, at)| {
            let at = at
                .parse()
                .map_err(|_| StoreError::Unreadable("the time of a snapshot"))?;
            Ok((sync_id, at))
        })
        .transpose()
    }

    /// Whether a run of the integration began and has not ended: it is in progress, or it was killed.
    pub fn has_begun_run(&self, target: &Target) -> Result<bool, StoreError> {
        Ok(self.lock().query_row(
            "SELECT EXISTS (SELECT 1 FROM run WHERE target = ?1 AND ended_at IS NULL)",
            params![target.as_str()],
            |row| row.get(0),
        )?)
    }
}
