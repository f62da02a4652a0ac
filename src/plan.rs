//! The diff: who joins, who leaves and why, who changed, and the roster that a push would send.
//!
//! Pure: no clock, no files, no network. Everyone whom JobTicket may have (the snapshot, and the roster of a push whose answer was never
//! seen) and who is not in the roster is a leaver, with a reason; nobody leaves the roster without standing in the plan.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::roster::{Employee, Ended, Entry, Field, HrId, Unselected, ValueHash};

/// An employee's key and the hash of their values.
pub type Keyed = (HrId, ValueHash);

/// What JobTicket is known to have, or may have.
#[derive(Debug, Default)]
pub struct Known {
    /// The last acknowledged roster, sorted by hrId; `None` before the first.
    pub snapshot: Option<Vec<Keyed>>,
    /// The roster of a push that JobTicket may or may not have taken, sorted by hrId.
    pub doubtful: Option<Vec<Keyed>>,
}

impl Known {
    /// Whether JobTicket has, or may have, this person.
    pub fn contains(&self, hr_id: &HrId) -> bool {
        let has = |list: &Vec<Keyed>| list.binary_search_by(|(key, _)| key.cmp(hr_id)).is_ok();
        self.snapshot.as_ref().is_some_and(has) || self.doubtful.as_ref().is_some_and(has)
    }
}

/// Why someone leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "reason"
)]
pub enum Leaving {
    /// The roster holds their last day of employment, and it has passed.
    EmploymentEnded {
        /// That day.
        last_day: NaiveDate,
        /// Whether it lies so long ago that it does not explain itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// An include rule does not match their row any more.
    NotIncluded {
        /// The rule's column.
        column: String,
    },
    /// An exclude rule now names them.
    Excluded {
        /// The rule's column.
        column: String,
    },
    /// No source has them any more.
    Missing,
}

impl Leaving {
    /// Why somebody is not in the roster.
    pub fn of(
        hr_id: &HrId,
        ended: &HashMap<HrId, Ended>,
        unselected: &HashMap<HrId, Unselected>,
    ) -> Self {
        match (ended.get(hr_id), unselected.get(hr_id)) {
            (Some(Ended { last_day, late, .. }), _) => Self::EmploymentEnded {
                last_day: *last_day,
                late: *late,
            },
            (
                None,
                Some(Unselected::NotIncluded { column } | Unselected::Unclear { column, .. }),
            ) => Self::NotIncluded {
                column: column.clone(),
            },
            (None, Some(Unselected::Excluded { column })) => Self::Excluded {
                column: column.clone(),
            },
            (None, None) => Self::Missing,
        }
    }

    /// Whether a known date says so. Being left out or missing does not explain itself: a filter may have been edited, a file cut short. Nor does a date of long ago: the
    /// wrong column may have been mapped.
    pub fn is_explained(&self) -> bool {
        matches!(self, Self::EmploymentEnded { late: false, .. })
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmploymentEnded { last_day, .. } => write!(f, "employment ended {last_day}"),
            Self::NotIncluded { column } => write!(f, "no longer matches the rule on {column}"),
            Self::Excluded { column } => write!(f, "excluded by the rule on {column}"),
            Self::Missing => f.write_str("missing from every source"),
        }
    }
}

/// What happens to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// They are new.
    Joins,
    /// They are not in the roster any more: their ticket ends.
    Leaves(Leaving),
    /// Values of theirs differ.
    Changes {
        /// Which.
        fields: Vec<Field>,
    },
}

/// One line of the plan. It holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Who.
    pub hr_id: HrId,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hr_id, what } = self;
        match what {
            What::Joins => write!(f, "+ {hr_id} joins"),
            What::Leaves(why) => write!(f, "- {hr_id} leaves ({why})"),
            What::Changes { fields } => {
                let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
                write!(f, "~ {hr_id} {}", names.join(", "))
            }
        }
    }
}

/// Where roster and known people differ, before anybody's values are looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Positions in the roster of people who are not in the snapshot.
    pub joiners: Vec<usize>,
    /// Positions in the roster of people whose acknowledged values differ.
    pub changed: Vec<usize>,
    /// People of the snapshot or of the doubtful push who are not in the roster, sorted.
    pub leavers: Vec<HrId>,
}

/// Compares a roster, sorted by hrId, with what is known.
pub fn compare(known: &Known, entries: &[Entry]) -> Comparison {
    let mut result = Comparison::default();
    let snapshot = known.snapshot.as_deref().unwrap_or_default();
    let mut old = snapshot.iter().peekable();
    for (position, entry) in entries.iter().enumerate() {
        let hr_id = &entry.employee.hr_id;
        while let Some((gone, _)) = old.next_if(|(key, _)| key < hr_id) {
            result.leavers.push(gone.clone());
        }
        match old.next_if(|(key, _)| key == hr_id) {
            None => result.joiners.push(position),
            Some((_, hash)) if *hash != entry.employee.hash() => result.changed.push(position),
            Some(_) => {}
        }
    }
    result.leavers.extend(old.map(|(key, _)| key.clone()));
    for (hr_id, _) in known.doubtful.as_deref().unwrap_or_default() {
        let in_roster = entries
            .binary_search_by(|entry| entry.employee.hr_id.cmp(hr_id))
            .is_ok();
        if !in_roster && let Err(place) = result.leavers.binary_search(hr_id) {
            result.leavers.insert(place, hr_id.clone());
        }
    }
    result
}

/// A new person, or a new value, that would collide with somebody who is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collision {
    /// Who waits.
    pub hr_id: HrId,
    /// Who is kept with that e-mail.
    pub kept: HrId,
    /// Whether the person is new; otherwise they keep their acknowledged values.
    pub joiner: bool,
    /// Whether the two are probably one person with a new number.
    pub new_number: bool,
}

/// Makes e-mails unique where people who are kept (their line is 0: carried forward) meet new people or new values: a joiner waits, a changed person keeps
/// the acknowledged values. Acknowledged values are unique, so this ends.
///
/// # Errors
/// Two people who are both kept have one e-mail. Nobody can be removed for that.
pub fn keep_apart(
    entries: &mut Vec<Entry>,
    known: &Known,
    acknowledged: &HashMap<HrId, Employee>,
) -> Result<Vec<Collision>, (HrId, HrId)> {
    let mut found = Vec::new();
    loop {
        let mut seen: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(entries.len());
        let mut clash = None;
        for (position, entry) in entries.iter().enumerate() {
            if let Some(other) = seen.insert(entry.employee.email_key(), position) {
                // The one who is not kept gives way.
                clash = Some(if entry.line == 0 {
                    (position, other)
                } else {
                    (other, position)
                });
                break;
            }
        }
        let Some((kept, gives_way)) = clash else {
            return Ok(found);
        };
        let (kept, hr_id) = (
            entries[kept].employee.hr_id.clone(),
            entries[gives_way].employee.hr_id.clone(),
        );
        let joiner = !known.contains(&hr_id);
        if joiner {
            entries.remove(gives_way);
        } else {
            let entry = &mut entries[gives_way];
            let old = acknowledged
                .get(&hr_id)
                .filter(|old| old.email_key() != entry.employee.email_key());
            let Some(old) = old else {
                return Err((kept, hr_id));
            };
            entry.employee = old.clone();
            entry.line = 0;
        }
        found.push(Collision {
            hr_id,
            kept,
            joiner,
            new_number: false,
        });
    }
}

/// People who would leave and join at once under another number: the same e-mail, or the same hrId but for leading zeros. `old` holds the values of those who
/// would leave. The old number is to be kept, for approving the new one would end a ticket that somebody still rides with.
pub fn new_numbers(
    comparison: &Comparison,
    entries: &[Entry],
    known: &Known,
    old: &HashMap<HrId, Employee>,
) -> Vec<Collision> {
    let mut by_email = HashMap::new();
    let mut by_number = HashMap::new();
    for position in &comparison.joiners {
        let employee = &entries[*position].employee;
        // Whom JobTicket may have already is nobody new: without them in the push they would lose the ticket.
        if known.contains(&employee.hr_id) {
            continue;
        }
        by_email.insert(employee.email_key(), &employee.hr_id);
        by_number.insert(employee.hr_id.without_zeros(), &employee.hr_id);
    }
    let twin = |hr_id: &HrId| {
        let same_email = old
            .get(hr_id)
            .and_then(|old| by_email.get(&old.email_key()));
        let new = same_email.or_else(|| by_number.get(&hr_id.without_zeros()))?;
        Some(Collision {
            hr_id: (*new).clone(),
            kept: hr_id.clone(),
            joiner: true,
            new_number: true,
        })
    };
    comparison.leavers.iter().filter_map(twin).collect()
}

/// What a push would do, and the roster it would send.
#[derive(Debug)]
pub struct Plan {
    /// One line a person, sorted by hrId.
    pub changes: Vec<Change>,
    /// The roster, sorted by hrId.
    pub entries: Vec<Entry>,
    /// How many people JobTicket has acknowledged; `None` before the first push.
    pub snapshot: Option<usize>,
    /// Whether JobTicket may have a roster that was never acknowledged, so that this one is sent even if nothing changed.
    pub resend: bool,
    /// Identifies what would be done: same people, same reasons, same values.
    pub hash: String,
}

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
    /// Words the differences between `entries` and what is known. `old` holds the acknowledged values of changed people, `ended` and `unselected` say
    /// why somebody is not in the roster.
    pub fn new(
        entries: Vec<Entry>,
        known: &Known,
        old: &HashMap<HrId, Employee>,
        ended: &HashMap<HrId, Ended>,
        unselected: &HashMap<HrId, Unselected>,
    ) -> Self {
        let Comparison {
            joiners,
            changed,
            leavers,
        } = compare(known, &entries);
        let mut changes: Vec<Change> =
            Vec::with_capacity(joiners.len() + changed.len() + leavers.len());
        let mut values = Sha256::new();
        for position in joiners {
            let employee = &entries[position].employee;
            values.update(employee.hash().0);
            changes.push(Change {
                hr_id: employee.hr_id.clone(),
                what: What::Joins,
            });
        }
        for position in changed {
            let employee = &entries[position].employee;
            values.update(employee.hash().0);
            let fields = old
                .get(&employee.hr_id)
                .map_or_else(Vec::new, |old| old.differences(employee));
            changes.push(Change {
                hr_id: employee.hr_id.clone(),
                what: What::Changes { fields },
            });
        }
        for hr_id in leavers {
            let why = Leaving::of(&hr_id, ended, unselected);
            changes.push(Change {
                hr_id,
                what: What::Leaves(why),
            });
        }
        changes.sort_by(|a, b| a.hr_id.cmp(&b.hr_id));
        for change in &changes {
            values.update(change.to_string());
            values.update(b"\n");
        }
        Self {
            changes,
            entries,
            snapshot: known.snapshot.as_ref().map(Vec::len),
            resend: known.doubtful.is_some(),
            hash: hex(&values.finalize()),
        }
    }

    /// Whether there is anything to send.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.resend
    }

    /// How many of each kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
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
