//! The people of the snapshot in groups: of one source, with the same fields filled.
//!
//! There are few groups and many people, so that an index leads from one group to the next, and nobody is read who is not asked for.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::snapshot::bit;
use super::{Store, StoreError, Target};
use crate::roster::{Field, HrId};

/// A source of which somebody in the snapshot is.
pub(super) struct NumberedSource {
    /// What stands for it in the rows of people.
    pub(super) number: i64,
    pub(super) name: String,
}

/// People of one source who have the same fields filled, a bit each.
struct Group {
    source: i64,
    filled: i64,
}

/// All groups, sorted by the number of their source.
fn groups(connection: &Connection, target: &Target) -> Result<Vec<Group>, StoreError> {
    // One column at a time: behind a pair of them SQLite would read the rest of the group.
    let mut next_source = connection.prepare_cached(
        "SELECT min(source) FROM snapshot_employee INDEXED BY snapshot_by_source
         WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND source > ?2",
    )?;
    let mut next_filled = connection.prepare_cached(
        "SELECT min(filled) FROM snapshot_employee INDEXED BY snapshot_by_source
         WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND source = ?2 AND filled > ?3",
    )?;
    let mut groups = Vec::new();
    let mut last = i64::MIN;
    while let Some(source) = next_source.query_row(params![target.as_str(), last], |row| {
        row.get::<_, Option<i64>>(0)
    })? {
        let mut before = i64::MIN;
        while let Some(filled) = next_filled
            .query_row(params![target.as_str(), source, before], |row| {
                row.get::<_, Option<i64>>(0)
            })?
        {
            groups.push(Group { source, filled });
            before = filled;
        }
        last = source;
    }
    Ok(groups)
}

/// The sources of which somebody in the snapshot is, sorted by their numbers.
pub(super) fn sources(
    connection: &Connection,
    target: &Target,
) -> Result<Vec<NumberedSource>, StoreError> {
    let mut name =
        connection.prepare_cached("SELECT name FROM snapshot_source WHERE number = ?1")?;
    let mut sources: Vec<NumberedSource> = Vec::new();
    for Group { source: number, .. } in groups(connection, target)? {
        if sources.last().is_none_or(|last| last.number != number) {
            let name = name.query_row([number], |row| row.get(0))?;
            sources.push(NumberedSource { number, name });
        }
    }
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
             WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND source = ?2 AND filled = ?3 AND rules {side} ?4"
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

/// Whether there is anybody whom the snapshot does not have under these rules.
pub(super) fn has_other_rules(
    connection: &Connection,
    target: &Target,
    rules: i64,
) -> Result<bool, StoreError> {
    let mut has = false;
    of_other_rules(connection, target, rules, |_| {
        has = true;
        false
    })?;
    Ok(has)
}

impl Store {
    /// The fields that are filled for somebody whom this source delivered.
    pub fn filled_fields(
        &self,
        target: &Target,
        source: &str,
    ) -> Result<HashSet<Field>, StoreError> {
        let connection = self.lock();
        let transaction = connection.unchecked_transaction()?;
        let number = sources(&transaction, target)?;
        let number = number.iter().find(|known| known.name == source);
        let number = number.map(|known| known.number);
        let groups = groups(&transaction, target)?;
        let own = groups.iter().filter(|group| Some(group.source) == number);
        let bits = own.fold(0, |bits, group| bits | group.filled);
        let is_filled = |field: &Field| bits & bit(*field) != 0;
        Ok(Field::ALL.into_iter().filter(is_filled).collect())
    }

    /// How many people of the snapshot have each field filled.
    pub fn filled_counts(&self, target: &Target) -> Result<HashMap<Field, usize>, StoreError> {
        let connection = self.lock();
        // In one transaction, for a group that comes in between would not be counted.
        let transaction = connection.unchecked_transaction()?;
        let mut count = transaction.prepare_cached(
            "SELECT count(*) FROM snapshot_employee INDEXED BY snapshot_by_source
             WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND source = ?2 AND filled = ?3",
        )?;
        let mut counts: HashMap<Field, usize> = HashMap::new();
        for Group { source, filled } in groups(&transaction, target)? {
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
        let connection = self.lock();
        has_other_rules(&*connection.unchecked_transaction()?, target, rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn store() -> (Store, Target) {
        let store = Store::in_memory(Clock::system()).unwrap();
        let target = Target::new("http://127.0.0.1:1", 7);
        {
            let connection = store.lock();
            let insert = "INSERT INTO snapshot VALUES (?1, ?2, 'sync-1', '', '')";
            for (number, of) in [target.as_str(), "another"].iter().enumerate() {
                connection.execute(insert, params![number, of]).unwrap();
            }
            for name in ["b", "", "c", "a"] {
                let insert = "INSERT INTO snapshot_source (name) VALUES (?1)";
                connection.execute(insert, [name]).unwrap();
            }
            let insert = "INSERT INTO snapshot_employee VALUES ((SELECT number FROM snapshot WHERE target = ?1), ?2,
                     (SELECT number FROM snapshot_source WHERE name = ?3), '{}', x'', ?4, 0, 0, ?5)";
            let rows = [
                ("0", "", bit(Field::HrId), 5),
                ("1", "b", bit(Field::HrId), 5),
                ("2", "a", bit(Field::HrId) | bit(Field::Email), 4),
                ("3", "a", bit(Field::HrId) | bit(Field::Email), 5),
                ("4", "a", bit(Field::HrId), 6),
            ];
            for (hr_id, source, filled, rules) in rows {
                let values = params![target.as_str(), hr_id, source, filled, rules];
                connection.execute(insert, values).unwrap();
            }
            let other = params!["another", "9", "c", bit(Field::LastName), 9];
            connection.execute(insert, other).unwrap();
        }
        (store, target)
    }

    #[test]
    fn everybody_is_in_a_group_and_nobody_of_another_target() {
        let (store, target) = store();
        let names = sources(&store.lock(), &target).unwrap().into_iter();
        let names: Vec<String> = names.map(|source| source.name).collect();
        assert_eq!(names, ["b", "", "a"]);
        let counts = store.filled_counts(&target).unwrap();
        assert_eq!(counts, HashMap::from([(Field::HrId, 5), (Field::Email, 2)]));
        assert!(store.has_more_people(&target, 4).unwrap());
        assert!(!store.has_more_people(&target, 5).unwrap());
        let fields = |source| store.filled_fields(&target, source).unwrap();
        assert_eq!(fields("a"), HashSet::from([Field::HrId, Field::Email]));
        assert_eq!(fields("b"), HashSet::from([Field::HrId]));
        assert_eq!(fields("c"), HashSet::new());
    }

    #[test]
    fn whoever_has_other_rules_is_found_whether_their_mark_is_less_or_more() {
        let (store, target) = store();
        let others = |rules| {
            let mut found = Vec::new();
            of_other_rules(&store.lock(), &target, rules, |hr_id| {
                found.push(hr_id.to_string());
                true
            })
            .unwrap();
            found.sort();
            found
        };
        assert_eq!(others(5), ["2", "4"]);
        assert_eq!(others(4), ["0", "1", "3", "4"]);
        assert_eq!(others(7), ["0", "1", "2", "3", "4"]);
        assert!(store.has_other_rules(&target, 5).unwrap());
        let sql = "UPDATE snapshot_employee SET rules = 5";
        store.lock().execute(sql, []).unwrap();
        assert!(!store.has_other_rules(&target, 5).unwrap());
    }
}
