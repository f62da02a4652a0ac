//! The roster of a push as the difference to the snapshot: of a large one little changes, and both are on disk. Only the case of an e-mail may be that of the snapshot, for it is no change.
//!
//! The hazard is a difference whose snapshot has moved on: beside another one it would be another roster. So each names its snapshot and is read beside no other, and before
//! a snapshot moves, every roster of a push without an answer that is a difference to it is written out whole.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

use super::push::{PushRoster, Sent, insert, rows};
use super::snapshot::Advance;
use super::{StoreError, Target, groups, pieces};
use crate::roster::{Employee, HrId, ValueHash};

/// The piece that holds [`Rest`]; rows are in those from 0 on.
const REST: i64 = -1;

/// What a difference says besides its rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rest {
    /// People of the snapshot who are not in the push.
    pub(super) gone: HashSet<HrId>,
    /// People whom no source has delivered as they are under the rules in force.
    pub(super) stale: HashSet<HrId>,
}

/// A roster beside the snapshot.
#[derive(Debug)]
pub(super) struct Difference {
    /// The push that made the snapshot.
    base: String,
    /// Positions of people who are not in the snapshot, or not with these values or of this source.
    changed: Vec<usize>,
    rest: Rest,
}

impl Difference {
    /// Compares a roster, sorted by hrId, with the snapshot; `None` where there is none yet.
    pub(super) fn of(
        transaction: &Transaction<'_>,
        target: &Target,
        roster: &PushRoster<'_>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(base) = base(transaction, target)? else {
            return Ok(None);
        };
        let sources = groups::sources(transaction, target)?;
        // The one source of all is not read for each of them.
        let (source, index) = match &*sources {
            [one] => (one.number.to_string(), "INDEXED BY snapshot_keys"),
            _ => ("source".to_owned(), ""),
        };
        let mut select = transaction.prepare(&format!(
            "SELECT hr_id, hash, {source} FROM snapshot_employee {index}
             WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) ORDER BY hr_id"
        ))?;
        let number = |name: &str| {
            let source = sources.iter().find(|source| source.name == name)?;
            Some(source.number)
        };
        let mut all = select.query([target.as_str()])?;
        let (mut changed, mut rest) = (Vec::new(), Rest::default());
        let mut entries = roster.entries().iter().enumerate().peekable();
        while let Some(row) = all.next()? {
            let unreadable = |_| StoreError::Unreadable("an hrId or a source");
            let hr_id = row.get_ref(0)?.as_str().map_err(unreadable)?;
            let before = entries.by_ref();
            while let Some((position, _)) =
                before.next_if(|(_, entry)| entry.employee().hr_id.as_str() < hr_id)
            {
                changed.push(position);
            }
            let same = entries.next_if(|(_, entry)| entry.employee().hr_id.as_str() == hr_id);
            let Some((position, entry)) = same else {
                rest.gone.insert(HrId::new(hr_id));
                continue;
            };
            let hash: Option<[u8; 16]> = row
                .get_ref(1)?
                .as_blob()
                .ok()
                .and_then(|b| b.try_into().ok());
            let source = row.get_ref(2)?.as_i64().map_err(unreadable)?;
            let moved = number(roster.source(entry)) != Some(source);
            if hash.map(ValueHash) != Some(entry.hash()) || moved {
                changed.push(position);
            }
        }
        changed.extend(entries.map(|(position, _)| position));
        let stale = roster.entries().iter().filter(|entry| !entry.fresh);
        rest.stale
            .extend(stale.map(|entry| entry.employee().hr_id.clone()));
        Ok(Some(Self {
            base,
            changed,
            rest,
        }))
    }

    /// Makes the roster the snapshot. That it is still beside its own one, [`Rest::of`] has seen.
    pub(super) fn advance(
        &self,
        advance: &Advance<'_>,
        roster: &PushRoster<'_>,
    ) -> Result<(), StoreError> {
        for position in &self.changed {
            let entry = &roster.entries()[*position];
            let (source, employee) = (roster.source(entry), entry.employee());
            advance.write(source, employee, entry.hash(), entry.fresh)?;
        }
        self.rest.advance(advance)
    }

    /// Keeps it as the roster of a push.
    pub(super) fn keep(
        &self,
        transaction: &Transaction<'_>,
        sync_id: &str,
        roster: &PushRoster<'_>,
    ) -> Result<(), StoreError> {
        transaction.execute(
            "UPDATE push SET base = ?2 WHERE sync_id = ?1",
            [sync_id, &self.base],
        )?;
        let entries = roster.entries();
        let changed = self.changed.iter().map(|position| &entries[*position]);
        insert(
            transaction,
            sync_id,
            changed.map(|entry| roster.sent(entry)),
        )?;
        self.rest.keep(transaction, sync_id)
    }
}

impl Rest {
    /// What it says besides its rows becomes part of the snapshot.
    pub(super) fn advance(&self, advance: &Advance<'_>) -> Result<(), StoreError> {
        for hr_id in &self.gone {
            advance.remove(hr_id)?;
        }
        advance.mark_all_but(&self.stale)
    }

    pub(super) fn keep(
        &self,
        transaction: &Transaction<'_>,
        sync_id: &str,
    ) -> Result<(), StoreError> {
        transaction.execute(
            "INSERT OR REPLACE INTO push_rows (sync_id, piece, content) VALUES (?1, ?2, ?3)",
            params![sync_id, REST, pieces::one(&[self])],
        )?;
        Ok(())
    }

    /// That of a push; `None` where its roster is whole.
    ///
    /// # Errors
    /// It is a difference to another snapshot than that of now, or cannot be read.
    pub(super) fn of(
        connection: &rusqlite::Connection,
        target: &Target,
        sync_id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT base FROM push WHERE sync_id = ?1";
        let of: Option<String> = connection.query_row(sql, [sync_id], |row| row.get(0))?;
        if of.is_none() {
            return Ok(None);
        }
        if of != base(connection, target)? {
            return Err(StoreError::Unreadable("a push beside another snapshot"));
        }
        let what = "a roster of a push";
        let sql = "SELECT content FROM push_rows WHERE sync_id = ?1 AND piece = ?2";
        let rest = connection.query_row(sql, params![sync_id, REST], |row| {
            Ok(pieces::read(
                row.get_ref(0)?.as_blob().unwrap_or_default(),
                what,
            ))
        })??;
        rest.into_iter()
            .next()
            .map(Some)
            .ok_or(StoreError::Unreadable(what))
    }
}

/// The push whose roster the snapshot is.
fn base(connection: &rusqlite::Connection, target: &Target) -> Result<Option<String>, StoreError> {
    let sql = "SELECT sync_id FROM snapshot WHERE target = ?1";
    let found = connection.query_row(sql, [target.as_str()], |row| row.get(0));
    Ok(found.optional()?)
}

/// Gives everybody of the roster of a push to `take`, whether it is kept whole or as a difference.
pub(super) fn each(
    connection: &rusqlite::Connection,
    target: &Target,
    sync_id: &str,
    mut take: impl FnMut(Sent<String, Employee>),
) -> Result<(), StoreError> {
    let rest = Rest::of(connection, target, sync_id)?;
    let Some(Rest { gone, stale }) = rest else {
        return rows(connection, sync_id, |sent| {
            take(sent);
            Ok(())
        });
    };
    let mut changed = HashMap::new();
    rows(connection, sync_id, |sent| {
        changed.insert(sent.employee.hr_id.clone(), sent);
        Ok(())
    })?;
    let mut select = connection.prepare_cached(
        "SELECT hr_id, source, employee FROM acknowledged WHERE target = ?1 ORDER BY hr_id",
    )?;
    let mut all = select.query([target.as_str()])?;
    while let Some(row) = all.next()? {
        let hr_id = row.get_ref(0)?.as_str().unwrap_or_default();
        if gone.contains(hr_id) || changed.contains_key(hr_id) {
            continue;
        }
        let values = row.get_ref(2)?.as_str().unwrap_or_default();
        let employee =
            serde_json::from_str(values).map_err(|_| StoreError::Unreadable("an employee"))?;
        take(Sent {
            source: row.get(1)?,
            employee,
            fresh: !stale.contains(hr_id),
        });
    }
    changed.into_values().for_each(take);
    Ok(())
}

/// Writes the rosters of pushes that came `after` this one, and whose answer is not known, out whole: the snapshot is about to move.
pub(super) fn write_out(
    transaction: &Transaction<'_>,
    target: &Target,
    after: &str,
) -> Result<(), StoreError> {
    let mut select = transaction.prepare(
        "SELECT sync_id FROM push WHERE target = ?1 AND state IN ('prepared', 'in_doubt', 'perhaps_in_part') AND base IS NOT NULL
           AND number > (SELECT number FROM push WHERE sync_id = ?2)",
    )?;
    let pushes = select.query_map([target.as_str(), after], |row| row.get(0))?;
    let pushes: Vec<String> = pushes.collect::<Result<_, _>>()?;
    for sync_id in pushes {
        let mut all = Vec::new();
        each(transaction, target, &sync_id, |sent| all.push(sent))?;
        transaction.execute("DELETE FROM push_rows WHERE sync_id = ?1", [&sync_id])?;
        transaction.execute("UPDATE push SET base = NULL WHERE sync_id = ?1", [&sync_id])?;
        insert(transaction, &sync_id, all)?;
    }
    Ok(())
}

/// Takes people out of the roster of a push.
pub(super) fn take_out(
    transaction: &Transaction<'_>,
    target: &Target,
    sync_id: &str,
    people: &[HrId],
) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    let rest = Rest::of(transaction, target, sync_id)?;
    let people: HashSet<&HrId> = people.iter().collect();
    let mut others = Vec::new();
    rows(transaction, sync_id, |sent| {
        if !people.contains(&sent.employee.hr_id) {
            others.push(sent);
        }
        Ok(())
    })?;
    transaction.execute("DELETE FROM push_rows WHERE sync_id = ?1", [sync_id])?;
    insert(transaction, sync_id, others)?;
    if let Some(mut rest) = rest {
        rest.gone.extend(people.into_iter().cloned());
        rest.keep(transaction, sync_id)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
