//! One person under two numbers, two people under one, and columns that were emptied: changes that are probably not what they seem.

use std::collections::{BTreeMap, HashMap};

use super::{Comparison, Known};
use crate::roster::{Employee, Entry, Field, HrId};

/// One person who would leave under one number and join under another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The number that JobTicket knows.
    pub old: HrId,
    /// The number under which the person joins.
    pub new: HrId,
}

fn name_key(employee: &Employee) -> Option<(String, chrono::NaiveDate)> {
    let name = format!("{} {}", employee.first_name(), employee.last_name());
    Some((name.to_lowercase(), employee.date_of_birth?))
}

/// People who would leave and join at once under another number: the same e-mail, the same name and birth date, or the same hrId but for leading zeros. `old` holds
/// the values of those who would leave. Ending the old number would end a ticket that somebody still rides with.
///
/// Somebody who leaves for a known reason (`explained`) is not taken for a successor who got their mailbox: that one has another name and another birth date.
pub fn new_numbers(
    comparison: &Comparison,
    entries: &[Entry],
    known: &Known,
    old: &HashMap<HrId, Employee>,
    explained: impl Fn(&HrId) -> bool,
) -> Vec<Pair> {
    let mut by_email = HashMap::new();
    let mut by_number = HashMap::new();
    let mut by_name = HashMap::new();
    for position in &comparison.joiners {
        let employee = entries[*position].employee();
        // Whom JobTicket may have already is nobody new: without them in the push they would lose the ticket.
        if known.contains(&employee.hr_id) {
            continue;
        }
        by_email.insert(employee.email_key(), employee);
        by_number.insert(employee.hr_id.without_zeros(), employee);
        if let Some(key) = name_key(employee) {
            by_name.insert(key, employee);
        }
    }
    let pair = |hr_id: &HrId| {
        let leaver = old.get(hr_id);
        let same_email = leaver
            .and_then(|leaver| {
                by_email
                    .get(&leaver.email_key())
                    .filter(|new| !(explained(hr_id) && is_another_person(leaver, new)))
            })
            .copied();
        let same_name = || {
            leaver
                .and_then(name_key)
                .and_then(|key| by_name.get(&key))
                .copied()
        };
        let same_number = || {
            by_number
                .get(&hr_id.without_zeros())
                .filter(|_| !explained(hr_id))
                .copied()
        };
        let new = same_email.or_else(same_name).or_else(same_number)?;
        Some(Pair {
            old: hr_id.clone(),
            new: new.hr_id.clone(),
        })
    };
    comparison.leavers.iter().filter_map(pair).collect()
}

/// Whether two records of one hrId, or of one e-mail, are two people: another name and another birth date, both of which are known.
pub fn is_another_person(old: &Employee, new: &Employee) -> bool {
    let name = old.first_name() != new.first_name() || old.last_name() != new.last_name();
    let born = old.date_of_birth.zip(new.date_of_birth);
    name && born.is_some_and(|(old, new)| old != new)
}

/// People who have lost the value of a field that most of the snapshot had filled, where more than `percent` of those have lost it: probably a column was
/// withdrawn. `had` tells how many of the snapshot's people have each field; `changed` are acknowledged and new values.
pub fn emptied<'e>(
    changed: impl Iterator<Item = (&'e Employee, &'e Employee)>,
    had: &HashMap<Field, usize>,
    snapshot: usize,
    percent: u8,
) -> BTreeMap<HrId, Field> {
    let mut lost: HashMap<Field, Vec<&HrId>> = HashMap::new();
    for (old, new) in changed {
        for field in Field::ALL {
            if old.is_filled(field) && !new.is_filled(field) {
                lost.entry(field).or_default().push(&new.hr_id);
            }
        }
    }
    let mut waits = BTreeMap::new();
    for field in Field::ALL {
        let (Some(lost), Some(had)) = (lost.get(&field), had.get(&field)) else {
            continue;
        };
        let most_had = had * 2 > snapshot;
        if most_had && lost.len() * 100 > usize::from(percent) * had {
            for hr_id in lost {
                waits.entry((*hr_id).clone()).or_insert(field);
            }
        }
    }
    waits
}
