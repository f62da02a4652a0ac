//! The people of the snapshot in groups: of one source, with the same fields filled.
//!
//! There are few groups and many people, so that an index leads from one group to the next, and nobody is read who is not asked for.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::snapshot::bit;
use super::{Store, StoreError, Target};
use crate::roster::{Field, HrId};

/// People of one source who have the same fields filled, a bit each.
struct Group {
    source: String,
    filled: i64,
}

/// All groups, sorted by source.
fn groups(connection: &Connection, target: &Target) -> Result<Vec<Group>, StoreError> {
    let mut next = connection.prepare_cached(
        "SELECT source, filled FROM snapshot_employee INDEXED BY snapshot_by_source
         WHERE target = ?1 AND (source, filled) > (?2, ?3) ORDER BY source, filled LIMIT 1",
    )?;
    let mut groups: Vec<Group> = Vec::new();
    loop {
        let last = groups.last();
        let (source, filled) = last.map_or(("", i64::MIN), |last| (&last.source, last.filled));
        let mut rows = next.query(params![target.as_str(), source, filled])?;
        let Some(row) = rows.next()? else { break };
        let group = Group {
            source: row.get(0)?,
            filled: row.get(1)?,
        };
        drop(rows);
        groups.push(group);
    }
    Ok(groups)
}

/// The sources of which somebody in the snapshot is, sorted.
pub(super) fn sources(connection: &Connection, target: &Target) -> Result<Vec<String>, StoreError> {
    let groups = groups(connection, target)?;
    let mut sources: Vec<String> = groups.into_iter().map(|group| group.source).collect();
    sources.dedup();
    Ok(sources)
}

/// Gives everybody to `take` whom the snapshot does not have under these rules, until it says that it has enough.
pub(super) fn of_other_rules(
    connection: &Connection,
    target: &Target,
    rules: i64,
    mut take: impl FnMut(HrId) -> bool,
) -> Result<(), StoreError> {
    let groups = groups(connection, target)?;
    for side in ["<", ">"] {
        let mut select = connection.prepare_cached(&format!(
            "SELECT hr_id FROM snapshot_employee INDEXED BY snapshot_by_source
             WHERE target = ?1 AND source = ?2 AND filled = ?3 AND rules {side} ?4"
        ))?;
        for Group { source, filled } in &groups {
            let mut rows = select.query(params![target.as_str(), source, filled, rules])?;
            while let Some(row) = rows.next()? {
                let hr_id = row.get_ref(0)?.as_str();
                if !take(HrId::new(
                    hr_id.map_err(|_| StoreError::Unreadable("an hrId"))?,
                )) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

impl Store {
    /// The fields that are filled for somebody whom this source delivered.
    pub fn filled_fields(
        &self,
        target: &Target,
        source: &str,
    ) -> Result<HashSet<Field>, StoreError> {
        let groups = groups(&self.lock(), target)?;
        let own = groups.iter().filter(|group| group.source == source);
        let bits = own.fold(0, |bits, group| bits | group.filled);
        let is_filled = |field: &Field| bits & bit(*field) != 0;
        Ok(Field::ALL.into_iter().filter(is_filled).collect())
    }

    /// How many people of the snapshot have each field filled.
    pub fn filled_counts(&self, target: &Target) -> Result<HashMap<Field, usize>, StoreError> {
        let connection = self.lock();
        let mut count = connection.prepare_cached(
            "SELECT count(*) FROM snapshot_employee INDEXED BY snapshot_by_source
             WHERE target = ?1 AND source = ?2 AND filled = ?3",
        )?;
        let mut counts: HashMap<Field, usize> = HashMap::new();
        for Group { source, filled } in groups(&connection, target)? {
            let of_group = params![target.as_str(), source, filled];
            let people: usize = count.query_row(of_group, |row| row.get(0))?;
            for field in Field::ALL {
                if filled & bit(field) != 0 {
                    *counts.entry(field).or_default() += people;
                }
            }
        }
        Ok(counts)
    }

    /// Whether anybody of the snapshot was acknowledged under other rules than these.
    pub fn has_other_rules(&self, target: &Target, rules: i64) -> Result<bool, StoreError> {
        let mut has = false;
        of_other_rules(&self.lock(), target, rules, |_| {
            has = true;
            false
        })?;
        Ok(has)
    }
}
