//! The diff: who joins, who leaves and why, who changed, and the roster that a push would send.
//!
//! Pure: no clock, no files, no network. Everyone whom JobTicket may have (the snapshot, the roster of a push whose answer was never
//! seen, and the people whom it shows with a link) and who is not in the roster is a leaver, with a reason; nobody leaves the roster without standing in the plan.
//! `change` says what happens to one person, `pairs` finds one person under two numbers and two under one, `apart` keeps e-mails unique.

mod apart;
mod change;
mod pairs;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::roster::{Employee, Entry, Field, HrId, ValueHash};

pub use apart::{Collision, keep_apart};
pub use change::{Change, Leaving, Reasons, What};
pub use pairs::{Pair, emptied, is_another_person, new_numbers};

/// An employee's key and the hash of their values.
pub type Keyed = (HrId, ValueHash);

/// What JobTicket is known to have, or may have.
#[derive(Debug, Default)]
pub struct Known {
    /// The last acknowledged roster, sorted by hrId; `None` before the first.
    pub snapshot: Option<Vec<Keyed>>,
    /// The roster of a push that JobTicket may or may not have taken, sorted by hrId.
    pub doubtful: Option<Vec<Keyed>>,
    /// People whom JobTicket shows with a link, sorted.
    pub linked: Vec<HrId>,
}

impl Known {
    /// Whether JobTicket has, or may have, this person.
    pub fn contains(&self, hr_id: &HrId) -> bool {
        let has = |list: &Vec<Keyed>| list.binary_search_by(|(key, _)| key.cmp(hr_id)).is_ok();
        self.snapshot.as_ref().is_some_and(has)
            || self.doubtful.as_ref().is_some_and(has)
            || self.linked.binary_search(hr_id).is_ok()
    }
}

/// Where roster and known people differ, before anybody's values are looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Positions in the roster of people who are not in the snapshot.
    pub joiners: Vec<usize>,
    /// Positions in the roster of people whose acknowledged values differ.
    pub changed: Vec<usize>,
    /// Positions in the roster of people who are not in the snapshot, but whom JobTicket shows with a link.
    pub linked: Vec<usize>,
    /// People of the snapshot, of the doubtful push or linked who are not in the roster, sorted.
    pub leavers: Vec<HrId>,
}

/// Compares a roster, sorted by hrId, with what is known.
pub fn compare(known: &Known, entries: &[Entry]) -> Comparison {
    let mut result = Comparison::default();
    let snapshot = known.snapshot.as_deref().unwrap_or_default();
    let mut old = snapshot.iter().peekable();
    for (position, entry) in entries.iter().enumerate() {
        let hr_id = &entry.employee().hr_id;
        while let Some((gone, _)) = old.next_if(|(key, _)| key < hr_id) {
            result.leavers.push(gone.clone());
        }
        match old.next_if(|(key, _)| key == hr_id) {
            None if known.linked.binary_search(hr_id).is_ok() => result.linked.push(position),
            None => result.joiners.push(position),
            Some((_, hash)) if *hash != entry.hash() => result.changed.push(position),
            Some(_) => {}
        }
    }
    result.leavers.extend(old.map(|(key, _)| key.clone()));
    let doubtful = known.doubtful.as_deref().unwrap_or_default();
    for hr_id in doubtful.iter().map(|(hr_id, _)| hr_id).chain(&known.linked) {
        let in_roster = entries
            .binary_search_by(|entry| entry.employee().hr_id.cmp(hr_id))
            .is_ok();
        if !in_roster && let Err(place) = result.leavers.binary_search(hr_id) {
            result.leavers.insert(place, hr_id.clone());
        }
    }
    result
}

/// What `GET /employees` shows of an employee's values.
pub const SHOWN: [Field; 4] = [
    Field::FirstName,
    Field::LastName,
    Field::Email,
    Field::DateOfBirth,
];

/// What a push would do, and the roster it would send.
#[derive(Debug)]
pub struct Plan {
    /// One line a person, sorted by hrId.
    pub changes: Arc<Vec<Change>>,
    /// The roster, sorted by hrId.
    pub entries: Vec<Entry>,
    /// Where in the roster the person of each change stands; [`NOWHERE`] for whoever leaves.
    positions: Vec<u32>,
    /// How many people JobTicket has acknowledged; `None` before the first push.
    pub snapshot: Option<usize>,
    /// Whether JobTicket may have a roster that was never acknowledged, so that this one is sent even if nothing changed.
    pub resend: bool,
    /// Identifies what would be done: same people, same reasons, same values.
    pub hash: String,
}

/// No position of a roster.
const NOWHERE: u32 = u32::MAX;

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "counts of the kinds of changes")]
pub struct Counts {
    pub joiners: usize,
    pub leavers: usize,
    pub explained_leavers: usize,
    pub changed: usize,
}

impl Plan {
    /// Words the differences between `entries` and what is known. `old` holds the acknowledged values of changed people, and what JobTicket
    /// shows of people who are linked but not in the snapshot.
    pub fn new(
        entries: Vec<Entry>,
        known: &Known,
        old: &HashMap<HrId, Employee>,
        reasons: &Reasons,
    ) -> Self {
        Self::of(compare(known, &entries), entries, known, old, reasons)
    }

    /// The same, where `entries` and what is known are compared already.
    pub fn of(
        comparison: Comparison,
        entries: Vec<Entry>,
        known: &Known,
        old: &HashMap<HrId, Employee>,
        reasons: &Reasons,
    ) -> Self {
        let Comparison {
            joiners,
            changed,
            linked,
            leavers,
        } = comparison;
        let resend = known.doubtful.is_some() || !linked.is_empty();
        let mut changes: Vec<Change> =
            Vec::with_capacity(joiners.len() + changed.len() + leavers.len());
        let mut values = Sha256::new();
        let mut positions = Vec::with_capacity(changes.capacity());
        let mut in_roster = |position| {
            positions.push(u32::try_from(position).unwrap_or(NOWHERE));
        };
        for position in joiners {
            in_roster(position);
            let entry = &entries[position];
            let employee = entry.employee();
            values.update(entry.hash().0);
            changes.push(Change {
                hr_id: employee.hr_id.clone(),
                what: What::Joins,
            });
        }
        for position in changed {
            in_roster(position);
            let entry = &entries[position];
            let employee = entry.employee();
            values.update(entry.hash().0);
            let fields = old
                .get(&employee.hr_id)
                .map_or_else(Vec::new, |old| old.differences(employee));
            changes.push(Change {
                hr_id: employee.hr_id.clone(),
                what: What::Changes { fields },
            });
        }
        for position in linked {
            let entry = &entries[position];
            let employee = entry.employee();
            let mut fields = old
                .get(&employee.hr_id)
                .map_or_else(Vec::new, |old| old.differences(employee));
            fields.retain(|field| SHOWN.contains(field));
            if !fields.is_empty() {
                in_roster(position);
                values.update(entry.hash().0);
                changes.push(Change {
                    hr_id: employee.hr_id.clone(),
                    what: What::Changes { fields },
                });
            }
        }
        for hr_id in leavers {
            let why = reasons.of(&hr_id);
            changes.push(Change {
                hr_id,
                what: What::Leaves(why),
            });
        }
        changes.sort_unstable_by(|a, b| a.hr_id.cmp(&b.hr_id));
        // The roster has the same order.
        positions.sort_unstable();
        let mut positions = positions.into_iter();
        let positions = changes.iter().map(|change| match change.what {
            What::Leaves(_) => NOWHERE,
            What::Joins | What::Changes { .. } => positions.next().unwrap_or(NOWHERE),
        });
        let positions = positions.collect();
        for change in &changes {
            values.update(change.to_string());
            values.update(b"\n");
        }
        Self {
            changes: Arc::new(changes),
            entries,
            positions,
            snapshot: known.snapshot.as_ref().map(Vec::len),
            resend,
            hash: hex(&values.finalize()),
        }
    }

    /// The roster entry of a person, if they are in it.
    pub fn entry(&self, hr_id: &HrId) -> Option<&Entry> {
        // Whoever changes is found among the few who do.
        match self.place(hr_id) {
            Some(change) => self.entry_of(change),
            None => self.find(hr_id),
        }
    }

    fn find(&self, hr_id: &HrId) -> Option<&Entry> {
        let place = self
            .entries
            .binary_search_by(|entry| entry.employee().hr_id.cmp(hr_id));
        Some(&self.entries[place.ok()?])
    }

    /// The roster entry of the person of the change with this number.
    fn entry_of(&self, change: usize) -> Option<&Entry> {
        let hr_id = &self.changes.get(change)?.hr_id;
        match *self.positions.get(change)? {
            NOWHERE => None,
            place => match self.entries.get(place as usize) {
                Some(entry) if entry.employee().hr_id == *hr_id => Some(entry),
                // Somebody has changed the roster since.
                _ => self.find(hr_id),
            },
        }
    }

    /// Every change, with the roster entry of the person if they are in it.
    pub fn with_entries(&self) -> impl Iterator<Item = (&Change, Option<&Entry>)> {
        let changes = self.changes.iter().enumerate();
        changes.map(|(number, change)| (change, self.entry_of(number)))
    }

    /// What an approval of a change covers: the reason that was shown, and for new values those very values.
    pub fn reason(&self, change: &Change) -> String {
        match &change.what {
            What::Joins => "joins".to_owned(),
            What::Leaves(why) => format!("leaves: {why}"),
            What::Changes { .. } => {
                let entry = self.entry(&change.hr_id);
                let hash = entry.map_or_else(String::new, |entry| hex(&entry.hash().0));
                format!("changes: {hash}")
            }
        }
    }

    /// What an approval of the changes of these people covers, of those whom anything happens to.
    pub fn reasons<'i>(&self, of: impl Iterator<Item = &'i HrId>) -> HashMap<HrId, String> {
        let reason = |hr_id: &HrId| Some((hr_id.clone(), self.reason(self.change(hr_id)?)));
        of.filter_map(reason).collect()
    }

    /// What happens to somebody.
    pub fn change(&self, hr_id: &HrId) -> Option<&Change> {
        Some(&self.changes[self.place(hr_id)?])
    }

    fn place(&self, hr_id: &HrId) -> Option<usize> {
        let place = self
            .changes
            .binary_search_by(|change| change.hr_id.cmp(hr_id));
        place.ok()
    }

    /// Whether there is anything to send.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.resend
    }

    /// How many of each kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &*self.changes {
            match &change.what {
                What::Joins => counts.joiners += 1,
                What::Changes { .. } => counts.changed += 1,
                What::Leaves(why) => {
                    counts.leavers += 1;
                    counts.explained_leavers += usize::from(why.is_explained());
                }
            }
        }
        counts
    }
}

#[cfg(test)]
pub(crate) mod tests;
