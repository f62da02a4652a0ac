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
    let over = |hr_id: &HrId| {
        let shown = there.linked.get(hr_id).and_then(|linked| linked.active);
        shown.is_none() && offboarded.contains(hr_id)
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

    fn employee(hr_id: &str) -> Employee {
        Employee {
            hr_id: HrId::new(hr_id),
            first_name: "Änne".into(),
            last_name: "Beispiel".into(),
            email: format!("{hr_id}@example.com").into(),
            date_of_birth: None,
            start_date: None,
            termination_date: None,
            auto_sync_employee: None,
            absences: Vec::new(),
        }
    }

    fn there(people: &[(&str, Option<bool>)]) -> There {
        let linked = people.iter().map(|(hr_id, active)| {
            let linked = Linked {
                id: 1,
                employee: employee(hr_id),
                active: *active,
                last_sync_id: Some("s".to_owned()),
            };
            (HrId::new(hr_id), linked)
        });
        There {
            linked: linked.collect(),
            ..There::default()
        }
    }

    #[test]
    fn who_was_offboarded_differs_only_while_a_ticket_is_shown() {
        let there = there(&[
            ("1", Some(true)),
            ("2", None),
            ("3", Some(true)),
            ("4", None),
        ]);
        let ours = [employee("1")];
        let offboarded = [HrId::new("2"), HrId::new("3")];
        let found = compare(ours.iter(), "s", &there, &offboarded);
        let hr_ids: Vec<&str> = found.iter().map(|one| one.hr_id.as_str()).collect();
        assert_eq!(hr_ids, ["3", "4"]);
    }
}
