//! The snapshot: the last roster that JobTicket acknowledged.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Target};
use crate::jobticket::Receipt;
use crate::plan::{Change, Keyed, What};
use crate::roster::{Employee, Field, HrId, ValueHash};

impl Store {
    /// When the snapshot was acknowledged; `None` before the first push.
    pub fn acknowledged_at(&self, target: &Target) -> Result<Option<DateTime<Utc>>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row(
                "SELECT acknowledged_at FROM snapshot WHERE target = ?1",
                [target.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        text.map(|text| {
            text.parse()
                .map_err(|_| StoreError::Unreadable("the time of a snapshot"))
        })
        .transpose()
    }

    /// Keys and hashes of the snapshot, sorted; `None` before the first acknowledgement.
    pub fn snapshot(&self, target: &Target) -> Result<Option<Vec<Keyed>>, StoreError> {
        let connection = self.lock();
        let exists = connection
            .query_row(
                "SELECT 1 FROM snapshot WHERE target = ?1",
                [target.as_str()],
                |_| Ok(()),
            )
            .optional()?;
        if exists.is_none() {
            return Ok(None);
        }
        Ok(Some(keys(&connection, target)?))
    }

    /// The acknowledged values of these people, as far as they are known.
    pub fn acknowledged<'i>(
        &self,
        target: &Target,
        hr_ids: impl IntoIterator<Item = &'i HrId>,
    ) -> Result<HashMap<HrId, (String, Employee)>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT source, employee FROM snapshot_employee WHERE target = ?1 AND hr_id = ?2",
        )?;
        let mut found = HashMap::new();
        for hr_id in hr_ids {
            let row: Option<(String, String)> = select
                .query_row([target.as_str(), hr_id.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            if let Some((source, text)) = row {
                let employee = serde_json::from_str(&text)
                    .map_err(|_| StoreError::Unreadable("an employee"))?;
                found.insert(hr_id.clone(), (source, employee));
            }
        }
        Ok(found)
    }

    /// The fields that are filled for somebody whom this source delivered.
    pub fn filled_fields(
        &self,
        target: &Target,
        source: &str,
    ) -> Result<HashSet<Field>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT DISTINCT filled FROM snapshot_employee WHERE target = ?1 AND source = ?2",
        )?;
        let mut rows = select.query([target.as_str(), source])?;
        let mut bits = 0;
        while let Some(row) = rows.next()? {
            bits |= row.get::<_, i64>(0)?;
        }
        let is_filled = |field: &Field| bits & bit(*field) != 0;
        Ok(Field::ALL.into_iter().filter(is_filled).collect())
    }
}

fn keys(connection: &rusqlite::Connection, target: &Target) -> Result<Vec<Keyed>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT hr_id, hash FROM snapshot_employee WHERE target = ?1 ORDER BY hr_id",
    )?;
    let mut rows = select.query([target.as_str()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let hr_id = row
            .get_ref(0)?
            .as_str()
            .map_err(|_| StoreError::Unreadable("an hrId"))?;
        let hash = row
            .get_ref(1)?
            .as_blob()
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        keys.push((
            HrId::new(hr_id),
            ValueHash(hash.ok_or(StoreError::Unreadable("a hash"))?),
        ));
    }
    Ok(keys)
}

pub(super) fn bit(field: Field) -> i64 {
    1 << Field::ALL
        .iter()
        .position(|known| *known == field)
        .expect("ALL holds every field")
}

fn filled(employee: &Employee) -> i64 {
    Field::ALL
        .into_iter()
        .filter(|field| employee.is_filled(*field))
        .map(bit)
        .sum()
}

/// People whom another source delivered last time, so that their values may be the same and their source is not.
fn people_of_other_sources(
    transaction: &Transaction<'_>,
    target: &Target,
    roster: &[Person<'_>],
) -> Result<HashSet<HrId>, StoreError> {
    let known = transaction
        .prepare_cached("SELECT DISTINCT source FROM snapshot_employee WHERE target = ?1")?
        .query_map([target.as_str()], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let delivering: HashSet<&str> = roster.iter().map(|person| person.source).collect();
    if known.len() <= 1
        && known
            .iter()
            .all(|source| delivering.contains(source.as_str()))
        && delivering.len() <= 1
    {
        return Ok(HashSet::new());
    }
    let sources: HashMap<&str, &str> = roster
        .iter()
        .map(|person| (person.employee.hr_id.as_str(), person.source))
        .collect();
    let mut select = transaction
        .prepare_cached("SELECT hr_id, source FROM snapshot_employee WHERE target = ?1")?;
    let mut rows = select.query([target.as_str()])?;
    let mut moved = HashSet::new();
    while let Some(row) = rows.next()? {
        let (hr_id, source): (String, String) = (row.get(0)?, row.get(1)?);
        if sources
            .get(hr_id.as_str())
            .is_some_and(|now| *now != source)
        {
            moved.insert(HrId::new(&hr_id));
        }
    }
    Ok(moved)
}

/// One person of a roster that was acknowledged.
pub(super) struct Person<'p> {
    pub(super) source: &'p str,
    pub(super) employee: &'p Employee,
    /// Whether a row of a file that was read under the rules in force has them so.
    pub(super) fresh: bool,
}

/// Somebody whom a push leaves out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Leaver {
    #[serde(flatten)]
    pub(super) change: Change,
    /// The calendar day in the configured zone.
    #[serde(default)]
    pub(super) day: Option<NaiveDate>,
    /// Whether they leave without an explanation and without an approval.
    #[serde(default)]
    pub(super) unasked: bool,
}

/// Leavers are remembered for longer than any window of the limits looks back.
const LEAVERS_KEPT: chrono::Duration = chrono::Duration::days(400);

/// The number by which people remember the rules of their row; never 0, which is none.
pub fn rules_mark(rules_hash: &str) -> i64 {
    i64::from_str_radix(rules_hash.get(..15).unwrap_or_default(), 16).map_or(1, |mark| mark.max(1))
}

/// Makes an acknowledged roster the snapshot: the one place where it moves, and only with a receipt.
pub(super) fn advance(
    transaction: &Transaction<'_>,
    target: &Target,
    receipt: &Receipt,
    rules_hash: &str,
    run: &str,
    roster: &[Person<'_>],
    leavers: &[Leaver],
) -> Result<(), StoreError> {
    let at = receipt.at().to_rfc3339();
    transaction.execute(
        "INSERT INTO snapshot (target, sync_id, acknowledged_at, rules_hash) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (target) DO UPDATE SET sync_id = ?2, acknowledged_at = ?3, rules_hash = ?4",
        params![target.as_str(), receipt.sync_id(), at, rules_hash],
    )?;
    let mut gone: HashMap<HrId, ValueHash> = keys(transaction, target)?.into_iter().collect();
    let mark = rules_mark(rules_hash);
    let marked: bool = !transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM snapshot_employee WHERE target = ?1 AND rules <> ?2)",
        params![target.as_str(), mark],
        |row| row.get::<_, bool>(0),
    )?;
    let elsewhere = people_of_other_sources(transaction, target, roster)?;
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO snapshot_employee (target, hr_id, source, employee, hash, filled, first_seen, last_changed, rules)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, coalesce(?8, 0))
         ON CONFLICT (target, hr_id) DO UPDATE
         SET source = ?3, employee = ?4, hash = ?5, filled = ?6, last_changed = ?7, rules = coalesce(?8, rules)",
    )?;
    let mut mark_only = transaction.prepare_cached(
        "UPDATE snapshot_employee SET rules = ?3 WHERE target = ?1 AND hr_id = ?2",
    )?;
    for Person {
        source,
        employee,
        fresh,
    } in roster
    {
        let hash = employee.hash();
        let moved = elsewhere.contains(employee.hr_id.as_str());
        if gone.remove(employee.hr_id.as_str()) == Some(hash) && !moved {
            if *fresh && !marked {
                mark_only.execute(params![target.as_str(), employee.hr_id.as_str(), mark])?;
            }
            continue;
        }
        let text = serde_json::to_string(employee).expect("an employee is plain values");
        let hr_id = employee.hr_id.as_str();
        upsert.execute(params![
            target.as_str(),
            hr_id,
            source,
            text,
            hash.0,
            filled(employee),
            at,
            fresh.then_some(mark),
        ])?;
    }
    let mut remove = transaction
        .prepare_cached("DELETE FROM snapshot_employee WHERE target = ?1 AND hr_id = ?2")?;
    for hr_id in gone.keys() {
        remove.execute([target.as_str(), hr_id.as_str()])?;
    }
    let mut left = transaction.prepare_cached(
        "INSERT OR REPLACE INTO leaver (target, hr_id, left_at, run, reason, day, unasked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Leaver {
        change,
        day,
        unasked,
    } in leavers
    {
        if let What::Leaves(why) = &change.what {
            let reason = serde_json::to_string(why).expect("a reason is plain values");
            left.execute(params![
                target.as_str(),
                change.hr_id.as_str(),
                at,
                run,
                reason,
                day.map_or_else(|| at[..10].to_owned(), |day| day.to_string()),
                unasked,
            ])?;
        }
    }
    let kept_since = receipt.at() - LEAVERS_KEPT;
    transaction.execute(
        "DELETE FROM leaver WHERE left_at < ?1",
        [kept_since.to_rfc3339()],
    )?;
    Ok(())
}
