//! The snapshot: the last roster that JobTicket acknowledged.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::groups::{has_other_rules, of_other_rules, sources};
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

    /// Whether the snapshot has more people than this.
    pub fn has_more_people(&self, target: &Target, than: u32) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM snapshot_employee INDEXED BY snapshot_keys
                       WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) LIMIT 1 OFFSET ?2)";
        let more = params![target.as_str(), than];
        Ok(self.lock().query_row(sql, more, |row| row.get(0))?)
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
        // In one transaction, for each would lock the file for every person otherwise.
        let transaction = connection.unchecked_transaction()?;
        let mut select = transaction.prepare_cached(
            "SELECT source, employee FROM acknowledged WHERE target = ?1 AND hr_id = ?2",
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
}

fn keys(connection: &rusqlite::Connection, target: &Target) -> Result<Vec<Keyed>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT hr_id, hash FROM snapshot_employee INDEXED BY snapshot_keys
         WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) ORDER BY hr_id",
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

/// Makes an acknowledged roster the snapshot, person by person, for a large one is not in memory twice: the one place where it moves, and only with a receipt.
pub(super) struct Advance<'t> {
    transaction: &'t Transaction<'t>,
    target: &'t Target,
    receipt: &'t Receipt,
    at: String,
    /// The number of the snapshot.
    number: i64,
    /// Those of sources, as far as they were asked for.
    sources: RefCell<Vec<(String, i64)>>,
    /// Somebody's values as they are kept; its memory serves for everybody.
    text: RefCell<Vec<u8>>,
    /// Of the rules in force.
    mark: i64,
    /// Whether there was none before.
    is_first: bool,
}

impl<'t> Advance<'t> {
    pub(super) fn begin(
        transaction: &'t Transaction<'t>,
        target: &'t Target,
        receipt: &'t Receipt,
        rules_hash: &str,
    ) -> Result<Self, StoreError> {
        let at = receipt.at().to_rfc3339();
        let number = transaction.query_row(
            "INSERT INTO snapshot (target, sync_id, acknowledged_at, rules_hash) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (target) DO UPDATE SET sync_id = ?2, acknowledged_at = ?3, rules_hash = ?4
             RETURNING number",
            params![target.as_str(), receipt.sync_id(), at, rules_hash],
            |row| row.get(0),
        )?;
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM snapshot_employee WHERE snapshot = ?1)";
        let is_first = transaction.query_row(sql, [number], |row| row.get(0))?;
        Ok(Self {
            transaction,
            target,
            receipt,
            at,
            number,
            sources: RefCell::default(),
            text: RefCell::default(),
            mark: rules_mark(rules_hash),
            is_first,
        })
    }

    /// Gives somebody these values, with their hash. `fresh` says whether a row of a file that was read under the rules in force has them so.
    pub(super) fn write(
        &self,
        source: &str,
        employee: &Employee,
        hash: ValueHash,
        fresh: bool,
    ) -> Result<(), StoreError> {
        let mut text = self.text.borrow_mut();
        text.clear();
        employee.write_json(&mut text);
        let text = str::from_utf8(&text).expect("JSON is text");
        let values = params![
            self.number,
            employee.hr_id.as_str(),
            self.source(source)?,
            text,
            hash.0,
            filled(employee),
            self.receipt.at().timestamp_millis(),
            fresh.then_some(self.mark),
        ];
        if !self.is_first {
            // Nearly always the values alone change, and then an index less.
            let changed = self.transaction.prepare_cached(
                "UPDATE snapshot_employee SET employee = ?4, hash = ?5, last_changed = ?7
                 WHERE snapshot = ?1 AND hr_id = ?2 AND source = ?3 AND filled = ?6 AND rules = coalesce(?8, rules)",
            )?.execute(values)?;
            if changed > 0 {
                return Ok(());
            }
        }
        self.transaction
            .prepare_cached(
                "INSERT INTO snapshot_employee (snapshot, hr_id, source, employee, hash, filled, first_seen, last_changed, rules)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, coalesce(?8, 0))
                 ON CONFLICT (snapshot, hr_id) DO UPDATE
                 SET source = ?3, employee = ?4, hash = ?5, filled = ?6, last_changed = ?7, rules = coalesce(?8, rules)",
            )?
            .execute(values)?;
        Ok(())
    }

    /// The number of a source, which gets one where it has none.
    fn source(&self, name: &str) -> Result<i64, StoreError> {
        let mut known = self.sources.borrow_mut();
        if let Some((_, number)) = known.iter().find(|(known, _)| known == name) {
            return Ok(*number);
        }
        let insert = "INSERT OR IGNORE INTO snapshot_source (name) VALUES (?1)";
        self.transaction.execute(insert, [name])?;
        let select = "SELECT number FROM snapshot_source WHERE name = ?1";
        let number = self
            .transaction
            .query_row(select, [name], |row| row.get(0))?;
        known.push((name.to_owned(), number));
        Ok(number)
    }

    /// Takes somebody out.
    pub(super) fn remove(&self, hr_id: &HrId) -> Result<(), StoreError> {
        let sql = "DELETE FROM snapshot_employee WHERE snapshot = ?1 AND hr_id = ?2";
        let mut remove = self.transaction.prepare_cached(sql)?;
        remove.execute(params![self.number, hr_id.as_str()])?;
        Ok(())
    }

    /// Remembers of everybody but these that their row is there under the rules in force.
    pub(super) fn mark_all_but(&self, stale: &HashSet<HrId>) -> Result<(), StoreError> {
        let mut others = Vec::new();
        of_other_rules(self.transaction, self.target, self.mark, |hr_id| {
            others.push(hr_id);
            true
        })?;
        for hr_id in others.iter().filter(|hr_id| !stale.contains(*hr_id)) {
            self.mark(hr_id)?;
        }
        Ok(())
    }

    /// How many people there are now.
    pub(super) fn people(&self) -> Result<usize, StoreError> {
        let sql =
            "SELECT count(*) FROM snapshot_employee INDEXED BY snapshot_keys WHERE snapshot = ?1";
        let people = self
            .transaction
            .query_row(sql, [self.number], |row| row.get(0))?;
        Ok(people)
    }

    fn mark(&self, hr_id: &HrId) -> Result<(), StoreError> {
        let sql = "UPDATE snapshot_employee SET rules = ?3 WHERE snapshot = ?1 AND hr_id = ?2";
        let mut update = self.transaction.prepare_cached(sql)?;
        update.execute(params![self.number, hr_id.as_str(), self.mark])?;
        Ok(())
    }

    /// That was everyone.
    pub(super) fn end(self, run: &str, leavers: &[Leaver]) -> Result<(), StoreError> {
        let Self {
            transaction,
            target,
            receipt,
            at,
            ..
        } = self;
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
}

/// A roster of which everybody is given, whether they change or not.
pub(super) struct Whole<'a, 't> {
    advance: &'a Advance<'t>,
    /// Whether everybody has the mark of the rules in force.
    marked: bool,
    /// Whom the snapshot has, sorted, and who of them is still there.
    keys: Vec<Keyed>,
    stays: Vec<bool>,
    /// The numbers of their sources, in the same order; empty where all have this one.
    of: Vec<i64>,
    the_only: Option<i64>,
    /// Where the next person stands, if both are in the same order.
    next: usize,
}

impl<'a, 't> Whole<'a, 't> {
    pub(super) fn begin(advance: &'a Advance<'t>) -> Result<Self, StoreError> {
        let (transaction, target) = (advance.transaction, advance.target);
        let keys = keys(transaction, target)?;
        let marked = !has_other_rules(transaction, target, advance.mark)?;
        let sources = sources(transaction, target)?;
        let mut of = Vec::new();
        if sources.len() > 1 {
            let mut select = transaction.prepare_cached(
                "SELECT source FROM snapshot_employee WHERE snapshot = ?1 ORDER BY hr_id",
            )?;
            let mut rows = select.query([advance.number])?;
            while let Some(row) = rows.next()? {
                of.push(row.get(0)?);
            }
        }
        Ok(Self {
            advance,
            marked,
            stays: vec![false; keys.len()],
            keys,
            of,
            the_only: sources.first().map(|source| source.number),
            next: 0,
        })
    }

    /// Where somebody stands in the snapshot of before.
    fn find(&mut self, hr_id: &HrId) -> Option<usize> {
        let place = match self.keys.get(self.next) {
            Some((key, _)) if key == hr_id => self.next,
            _ => self.keys.binary_search_by(|(key, _)| key.cmp(hr_id)).ok()?,
        };
        self.next = place + 1;
        Some(place)
    }

    /// One person of the roster; see [`Advance::write`].
    pub(super) fn person(
        &mut self,
        source: &str,
        employee: &Employee,
        hash: ValueHash,
        fresh: bool,
    ) -> Result<(), StoreError> {
        if let Some(place) = self.find(&employee.hr_id) {
            self.stays[place] = true;
            let before = self.of.get(place).copied().or(self.the_only);
            let moved = before != Some(self.advance.source(source)?);
            if self.keys[place].1 == hash && !moved {
                if fresh && !self.marked {
                    self.advance.mark(&employee.hr_id)?;
                }
                return Ok(());
            }
        }
        self.advance.write(source, employee, hash, fresh)
    }

    /// That was everyone: whoever was in the snapshot and is not among them is gone.
    pub(super) fn end(self) -> Result<(), StoreError> {
        for ((hr_id, _), _) in self.keys.iter().zip(self.stays).filter(|(_, stays)| !stays) {
            self.advance.remove(hr_id)?;
        }
        Ok(())
    }
}
