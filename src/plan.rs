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

    /// How many people were acknowledged.
    pub fn size(&self) -> usize {
        self.snapshot.as_ref().map_or(0, Vec::len)
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
            (Some(Ended { last_day, late }), _) => Self::EmploymentEnded {
                last_day: *last_day,
                late: *late,
            },
            (None, Some(Unselected::NotIncluded { column })) => Self::NotIncluded {
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
        });
    }
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
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn person(hr_id: &str, last_name: &str) -> Employee {
        Employee {
            hr_id: HrId::new(hr_id),
            first_name: "Anna".into(),
            last_name: last_name.into(),
            email: format!("p{hr_id}@example.com").into(),
            date_of_birth: None,
            start_date: None,
            termination_date: None,
            auto_sync_employee: None,
            absences: Vec::new(),
        }
    }

    pub(crate) fn entry(employee: Employee) -> Entry {
        Entry {
            employee,
            source: 0,
            line: 2,
        }
    }

    pub(crate) fn keyed(people: &[Employee]) -> Vec<Keyed> {
        let mut keys: Vec<Keyed> = people
            .iter()
            .map(|person| (person.hr_id.clone(), person.hash()))
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys
    }

    pub(crate) fn plan_of(old: &[Employee], new: &[Employee]) -> Plan {
        let known = Known {
            snapshot: Some(keyed(old)),
            doubtful: None,
        };
        let values = old
            .iter()
            .map(|person| (person.hr_id.clone(), person.clone()))
            .collect();
        let mut entries: Vec<Entry> = new.iter().cloned().map(entry).collect();
        entries.sort_by(|a, b| a.employee.hr_id.cmp(&b.employee.hr_id));
        Plan::new(entries, &known, &values, &HashMap::new(), &HashMap::new())
    }

    #[test]
    fn each_kind_of_change_is_one_line_without_a_personal_value() {
        let old = [
            person("00456", "Alt"),
            person("00789", "Alt"),
            person("1", "Alt"),
        ];
        let new = [
            person("00123", "Neu"),
            person("00789", "Geheim"),
            person("1", "Alt"),
        ];
        let lines: Vec<String> = plan_of(&old, &new)
            .changes
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "+ 00123 joins",
                "- 00456 leaves (missing from every source)",
                "~ 00789 lastName"
            ]
        );
    }

    #[test]
    fn people_of_a_push_that_was_never_answered_are_leavers_too() {
        let known = Known {
            snapshot: Some(keyed(&[person("1", "A"), person("3", "A")])),
            doubtful: Some(keyed(&[person("2", "A"), person("3", "A")])),
        };
        let plan = Plan::new(
            vec![entry(person("3", "A"))],
            &known,
            &HashMap::new(),
            &HashMap::new(),
            &HashMap::new(),
        );
        let leavers: Vec<_> = plan
            .changes
            .iter()
            .map(|change| change.hr_id.as_str())
            .collect();
        assert_eq!(leavers, ["1", "2"]);
        let same = Plan::new(
            vec![
                entry(person("1", "A")),
                entry(person("2", "A")),
                entry(person("3", "A")),
            ],
            &Known {
                snapshot: known.snapshot,
                doubtful: known.doubtful,
            },
            &HashMap::new(),
            &HashMap::new(),
            &HashMap::new(),
        );
        assert!(
            !same.is_empty(),
            "the roster is sent again although no value differs from the snapshot"
        );
    }

    #[test]
    fn a_joiner_with_the_email_of_somebody_who_is_kept_waits() {
        let mut joiner = person("9", "Neu");
        joiner.email = "P1@example.com".into();
        let kept = Entry {
            employee: person("1", "A"),
            source: 0,
            line: 0,
        };
        let known = Known {
            snapshot: Some(keyed(&[person("1", "A")])),
            doubtful: None,
        };
        let mut entries = vec![kept, entry(joiner)];
        let found = keep_apart(&mut entries, &known, &HashMap::new()).unwrap();
        assert_eq!(
            found,
            [Collision {
                hr_id: HrId::new("9"),
                kept: HrId::new("1"),
                joiner: true
            }]
        );
        assert_eq!(entries.len(), 1);
    }

    #[test]
    fn a_known_person_who_takes_the_email_of_somebody_who_is_kept_keeps_the_old_one() {
        let old = [person("1", "A"), person("2", "A")];
        let mut changed = old[1].clone();
        changed.email = old[0].email.clone();
        let known = Known {
            snapshot: Some(keyed(&old)),
            doubtful: None,
        };
        let values = HashMap::from([(HrId::new("2"), old[1].clone())]);
        let mut entries = vec![
            Entry {
                employee: old[0].clone(),
                source: 0,
                line: 0,
            },
            entry(changed),
        ];
        let found = keep_apart(&mut entries, &known, &values).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(entries[1].employee, old[1]);
    }

    fn people() -> impl Strategy<Value = Vec<Employee>> {
        proptest::collection::btree_map("[0-9]{1,2}", "[A-C]", 0..30).prop_map(|map| {
            map.iter()
                .map(|(hr_id, name)| person(hr_id, name))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn applying_a_plan_to_the_old_roster_gives_the_new_one(old in people(), new in people()) {
            let plan = plan_of(&old, &new);
            let mut applied: HashMap<HrId, Employee> = old.iter().map(|p| (p.hr_id.clone(), p.clone())).collect();
            for change in &plan.changes {
                let value = new.iter().find(|p| p.hr_id == change.hr_id).cloned();
                match (&change.what, value) {
                    (What::Joins, Some(value)) => prop_assert!(applied.insert(value.hr_id.clone(), value).is_none()),
                    (What::Leaves(_), None) => prop_assert!(applied.remove(&change.hr_id).is_some()),
                    (What::Changes { fields }, Some(value)) => {
                        prop_assert!(!fields.is_empty());
                        prop_assert!(applied.insert(value.hr_id.clone(), value).is_some());
                    }
                    (what, value) => prop_assert!(false, "{what:?} {value:?}"),
                }
            }
            let expected: HashMap<HrId, Employee> = new.iter().map(|p| (p.hr_id.clone(), p.clone())).collect();
            prop_assert_eq!(applied, expected);
            prop_assert!(plan.changes.is_sorted_by(|a, b| a.hr_id < b.hr_id));
        }

        #[test]
        fn nobody_of_the_snapshot_is_missing_from_the_roster_without_standing_in_the_plan(old in people(), doubtful in people(), new in people()) {
            let known = Known { snapshot: Some(keyed(&old)), doubtful: Some(keyed(&doubtful)) };
            let mut entries: Vec<Entry> = new.into_iter().map(entry).collect();
            entries.sort_by(|a, b| a.employee.hr_id.cmp(&b.employee.hr_id));
            let plan = Plan::new(entries, &known, &HashMap::new(), &HashMap::new(), &HashMap::new());
            for person in old.iter().chain(&doubtful) {
                let sent = plan.entries.iter().any(|entry| entry.employee.hr_id == person.hr_id);
                let leaves = plan.changes.iter().any(|c| c.hr_id == person.hr_id && matches!(c.what, What::Leaves(_)));
                prop_assert!(sent != leaves);
            }
        }
    }
}
