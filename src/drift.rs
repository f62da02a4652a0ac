//! Drift: where JobTicket's employees differ from the snapshot. Pure.
//!
//! JobTicket may need time, so what is not seen right after a push is *unconfirmed*, and only later drift. People who never came from this integration are left out: they
//! are not ours.

use std::fmt;

use serde::Serialize;

use crate::jobticket::There;
use crate::plan::SHOWN;
use crate::roster::{Employee, Field, HrId};

/// How one person differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "drift"
)]
pub enum Kind {
    /// In the snapshot, and JobTicket shows no link.
    NotLinked,
    /// Linked with a ticket, and not in the snapshot.
    NotInSnapshot,
    /// The last sync that named them is another one.
    OtherSync {
        /// Its syncId.
        sync_id: String,
    },
    /// Values differ.
    Fields {
        /// Which.
        fields: Vec<Field>,
    },
}

/// One person who differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Who.
    pub hr_id: HrId,
    /// How.
    #[serde(flatten)]
    pub kind: Kind,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hr_id, kind } = self;
        match kind {
            Kind::NotLinked => write!(f, "{hr_id} is in the snapshot but not linked at JobTicket"),
            Kind::NotInSnapshot => {
                write!(f, "{hr_id} is linked at JobTicket but not in the snapshot")
            }
            Kind::OtherSync { sync_id } => {
                write!(f, "{hr_id} was last named by the sync {sync_id}")
            }
            Kind::Fields { fields } => {
                let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
                write!(
                    f,
                    "{hr_id} has other values at JobTicket: {}",
                    names.join(", ")
                )
            }
        }
    }
}

/// Compares what was acknowledged last, as `sync_id`, with what JobTicket shows. Sorted by hrId. Who is linked, was `offboarded` by us, and of whom no subscription is shown is
/// as they should be.
pub fn compare<'e>(
    acknowledged: impl Iterator<Item = &'e Employee>,
    sync_id: &str,
    there: &There,
    offboarded: &[HrId],
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut ours = std::collections::HashSet::new();
    for employee in acknowledged {
        let hr_id = employee.hr_id.clone();
        ours.insert(hr_id.clone());
        let Some(linked) = there.linked.get(&hr_id) else {
            found.push(Difference {
                hr_id,
                kind: Kind::NotLinked,
            });
            continue;
        };
        let mut fields = linked.employee.differences(employee);
        fields.retain(|field| SHOWN.contains(field));
        let kind = match &linked.last_sync_id {
            Some(other) if other != sync_id => Kind::OtherSync {
                sync_id: other.clone(),
            },
            _ if !fields.is_empty() => Kind::Fields { fields },
            _ => continue,
        };
        found.push(Difference { hr_id, kind });
    }
    // Whoever was offboarded may ride on to the end of the month, or have no subscription shown at all.
    let over = |hr_id: &HrId| {
        let Some(linked) = there.linked.get(hr_id) else {
            return true;
        };
        linked.cancelled || (linked.active.is_none() && offboarded.contains(hr_id))
    };
    let others = there
        .with_ticket()
        .filter(|hr_id| !ours.contains(*hr_id) && !over(hr_id));
    found.extend(others.map(|hr_id| Difference {
        hr_id: hr_id.clone(),
        kind: Kind::NotInSnapshot,
    }));
    found.sort_by(|a, b| a.hr_id.cmp(&b.hr_id));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobticket::Linked;
    use crate::plan::tests::person;

    fn linked(employee: Employee, active: Option<bool>, sync_id: Option<&str>) -> (HrId, Linked) {
        let person = Linked {
            id: 1,
            active,
            cancelled: false,
            last_sync_id: sync_id.map(ToOwned::to_owned),
            employee,
        };
        (person.employee.hr_id.clone(), person)
    }

    fn drift(acknowledged: &[Employee], linked: Vec<(HrId, Linked)>) -> Vec<String> {
        let there = There {
            linked: linked.into_iter().collect(),
            ..There::default()
        };
        let found = compare(acknowledged.iter(), "sync-2", &there, &[]);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn whoever_is_linked_with_the_acknowledged_values_by_the_last_sync_is_no_difference() {
        let people = [person("1", "A"), person("2", "A"), person("3", "A")];
        let there = vec![
            linked(people[0].clone(), Some(true), Some("sync-2")),
            linked(people[1].clone(), None, None),
            linked(people[2].clone(), Some(false), Some("sync-2")),
        ];
        assert!(drift(&people, there).is_empty());
    }

    #[test]
    fn whoever_is_in_the_snapshot_alone_is_not_linked() {
        assert_eq!(
            drift(&[person("1", "A")], Vec::new()),
            ["1 is in the snapshot but not linked at JobTicket"]
        );
    }

    #[test]
    fn whoever_is_linked_alone_is_not_in_the_snapshot_unless_their_ticket_is_over() {
        let there = vec![
            linked(person("1", "A"), Some(true), Some("sync-2")),
            linked(person("2", "A"), None, None),
            linked(person("3", "A"), Some(false), Some("sync-2")),
        ];
        assert_eq!(
            drift(&[], there),
            [
                "1 is linked at JobTicket but not in the snapshot",
                "2 is linked at JobTicket but not in the snapshot"
            ]
        );
    }

    #[test]
    fn another_sync_is_named_before_other_values() {
        let there = vec![
            linked(person("1", "B"), Some(true), Some("sync-1")),
            linked(person("2", "A"), Some(true), Some("sync-9")),
        ];
        assert_eq!(
            drift(&[person("1", "A"), person("2", "A")], there),
            [
                "1 was last named by the sync sync-1",
                "2 was last named by the sync sync-9"
            ]
        );
    }

    #[test]
    fn values_differ_only_in_the_fields_that_jobticket_shows() {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 6, 1);
        let mut ours = person("1", "A");
        ours.start_date = day;
        ours.termination_date = day;
        ours.auto_sync_employee = Some(true);
        let mut theirs = person("1", "A");
        theirs.set_email("P1@EXAMPLE.com");
        let there = vec![linked(theirs.clone(), Some(true), Some("sync-2"))];
        assert!(drift(std::slice::from_ref(&ours), there).is_empty());
        theirs.set_last_name("B");
        theirs.date_of_birth = day;
        let there = vec![linked(theirs, Some(true), None)];
        assert_eq!(
            drift(&[ours], there),
            ["1 has other values at JobTicket: lastName, dateOfBirth"]
        );
    }

    #[test]
    fn differences_are_sorted_by_hr_id_and_hold_no_personal_value() {
        let there = vec![
            linked(person("3", "Geheim"), Some(true), Some("sync-2")),
            linked(person("1", "Geheim"), Some(true), None),
        ];
        let ours = [person("4", "A"), person("3", "A"), person("2", "A")];
        let lines = drift(&ours, there);
        let firsts: Vec<char> = lines
            .iter()
            .filter_map(|line| line.chars().next())
            .collect();
        assert_eq!(firsts, ['1', '2', '3', '4']);
        assert!(lines.iter().all(|line| !line.contains("Geheim")));
    }

    fn shown(people: &[(&str, Option<bool>)]) -> There {
        let people = people.iter();
        There {
            linked: people
                .map(|(hr_id, active)| linked(person(hr_id, "Beispiel"), *active, Some("s")))
                .collect(),
            ..There::default()
        }
    }

    #[test]
    fn who_was_offboarded_differs_only_while_a_ticket_is_shown() {
        let there = shown(&[
            ("1", Some(true)),
            ("2", None),
            ("3", Some(true)),
            ("4", None),
        ]);
        let ours = [person("1", "Beispiel")];
        let offboarded = [HrId::new("2"), HrId::new("3")];
        let found = compare(ours.iter(), "s", &there, &offboarded);
        let hr_ids: Vec<&str> = found.iter().map(|one| one.hr_id.as_str()).collect();
        assert_eq!(hr_ids, ["3", "4"]);
    }
}
