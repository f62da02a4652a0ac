//! Whom JobTicket has, as a complete list of its employees shows it: people linked to this integration, and everyone else, whom a push must not touch.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};

use super::client::Client;
use super::error::{CallError, Outcome};
use super::gate::RequestGate;
use super::wire::{Link, ListedEmployee, Subscription};
use crate::roster::{Employee, HrId};

/// Words for a subscription that is over. Ours, as the vendor lists none; any other word counts as a ticket that can be lost.
const OVER: [&str; 7] = [
    "cancelled",
    "canceled",
    "ended",
    "expired",
    "terminated",
    "inactive",
    "deleted",
];

/// Somebody who is linked to this integration.
#[derive(Debug, Clone)]
pub struct Linked {
    /// JobTicket's own number.
    pub id: u64,
    /// The values that JobTicket shows; empty text where it shows none.
    pub employee: Employee,
    /// Whether there is a ticket that can be lost; `None` where no subscription is shown.
    pub active: Option<bool>,
    /// Whether the ticket is cancelled, now or from a day to come on.
    pub cancelled: bool,
    /// The last sync that named them, where it is shown.
    pub last_sync_id: Option<String>,
}

/// Everyone whom JobTicket has.
#[derive(Debug, Default)]
pub struct There {
    /// People linked to this integration, by hrId.
    pub linked: BTreeMap<HrId, Linked>,
    /// Everyone else, by JobTicket's number: whether they have a ticket that can be lost.
    pub others: BTreeMap<u64, bool>,
    /// E-mail addresses, in lower case, of people without a link to this integration.
    pub unlinked_emails: HashMap<String, u64>,
    /// The last sync that JobTicket shows for the integration, where it shows one.
    pub last_sync_id: Option<String>,
    /// What JobTicket's clock shows, where it tells.
    pub date: Option<DateTime<Utc>>,
}

fn is_over(subscription: &Subscription) -> bool {
    let status = subscription.status.as_deref().unwrap_or_default();
    OVER.iter().any(|over| status.eq_ignore_ascii_case(over))
}

/// The more, the surer it is that there is a ticket.
fn certainty(active: Option<bool>) -> u8 {
    match active {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    }
}

impl There {
    /// From a complete list. `last_sync_id` is what the integration itself shows.
    pub fn new(
        employees: Vec<ListedEmployee>,
        integration_id: u64,
        last_sync_id: Option<String>,
    ) -> Self {
        let mut there = Self {
            last_sync_id,
            ..Self::default()
        };
        let mut newest = None;
        for listed in employees {
            let ours = |link: &&Link| link.hr_integration_id == Some(integration_id);
            let names = |link: &&Link| {
                link.hr_id
                    .as_deref()
                    .is_some_and(|id| !id.trim().is_empty())
            };
            let link = listed.links().filter(ours).find(names).cloned();
            let active = listed
                .subscription
                .as_ref()
                .map(|subscription| !is_over(subscription));
            let hr_id = link.as_ref().and_then(|link| link.hr_id.as_deref());
            let (Some(hr_id), Some(link)) = (hr_id.map(str::trim), &link) else {
                there.others.insert(listed.id, active == Some(true));
                if let Some(email) = listed.email {
                    there
                        .unlinked_emails
                        .insert(email.to_lowercase(), listed.id);
                }
                continue;
            };
            if link.last_sync_id.is_some()
                && newest
                    .as_ref()
                    .is_none_or(|(at, _)| link.last_synced() > *at)
            {
                newest = Some((link.last_synced(), link.last_sync_id.clone()));
            }
            let hr_id = HrId::new(hr_id);
            let person = Linked {
                id: listed.id,
                employee: shown(&hr_id, &listed),
                active,
                cancelled: listed
                    .subscription
                    .as_ref()
                    .is_some_and(|subscription| subscription.cancelled_at.is_some()),
                last_sync_id: link.last_sync_id.clone(),
            };
            // Of two with one hrId the one who has a ticket counts, or else the one who may have one.
            let known = there.linked.get(&hr_id);
            if known.is_none_or(|known| certainty(known.active) < certainty(active)) {
                there.linked.insert(hr_id, person);
            }
        }
        if there.last_sync_id.is_none() {
            there.last_sync_id = newest.and_then(|(_, sync_id)| sync_id);
        }
        there
    }

    /// People linked to this integration whose ticket is not visibly over.
    pub fn with_ticket(&self) -> impl Iterator<Item = &HrId> {
        self.linked
            .iter()
            .filter(|(_, person)| person.active != Some(false))
            .map(|(hr_id, _)| hr_id)
    }

    /// Of everyone else, those who had a ticket `before` and have none now.
    pub fn lost_since(&self, before: &BTreeMap<u64, bool>) -> Vec<u64> {
        let lost = |id: &u64| match self.others.get(id) {
            Some(active) => !active,
            // Linked since, or gone altogether.
            None => !self
                .linked
                .values()
                .any(|person| person.id == *id && person.active != Some(false)),
        };
        before
            .iter()
            .filter(|(id, had)| **had && lost(id))
            .map(|(id, _)| *id)
            .collect()
    }
}

fn shown<'l>(hr_id: &HrId, listed: &'l ListedEmployee) -> Employee {
    let text = |value: &'l Option<String>| value.as_deref().unwrap_or_default();
    let born = listed.date_of_birth.as_deref().and_then(|date| {
        let day = date.get(..10)?;
        NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
    });
    let (first_name, last_name) = (text(&listed.first_name), text(&listed.last_name));
    let mut employee = Employee::new(hr_id.clone(), first_name, last_name, text(&listed.email));
    employee.date_of_birth = born;
    employee
}

impl<G: RequestGate> Client<G> {
    /// Everyone whom JobTicket has, and the last sync that it shows.
    ///
    /// # Errors
    /// A list that is not complete, or a read that failed. That the integration itself may not be viewed is none: that permission is not among those that a push needs.
    pub async fn there(&self) -> Result<There, CallError> {
        let last_sync_id = match self.integration().await {
            Ok(integration) => integration.last_sync_id,
            Err(CallError::Failed {
                outcome: Outcome::Forbidden | Outcome::NotUnderstood { .. },
                ..
            }) => None,
            Err(error) => return Err(error),
        };
        let (employees, date) = self.employees_and_date().await?;
        let there = There::new(employees, self.integration_id(), last_sync_id);
        Ok(There { date, ..there })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed(value: Value) -> ListedEmployee {
        serde_json::from_value(value).unwrap()
    }

    fn link(hr_id: &str, sync_id: &str, at: &str) -> Value {
        json!({ "hrId": hr_id, "hrIntegrationId": 7, "lastSyncId": sync_id, "lastSynced": at })
    }

    fn linked(id: u64, hr_id: &str, subscription: &Value) -> ListedEmployee {
        listed(json!({
            "id": id,
            "firstName": "Anna",
            "lastName": "Beispiel",
            "email": format!("p{id}@example.com"),
            "dateOfBirth": "1990-04-15T00:00:00Z",
            "subscription": subscription,
            "hrIntergartionLinks": [link(hr_id, "sync-1", "2026-06-01T00:00:00Z")],
        }))
    }

    fn unlinked(id: u64, subscription: &Value) -> ListedEmployee {
        listed(
            json!({ "id": id, "email": format!("P{id}@Example.com"), "subscription": subscription }),
        )
    }

    fn there(employees: Vec<ListedEmployee>) -> There {
        There::new(employees, 7, None)
    }

    fn with_ticket(there: &There) -> Vec<&str> {
        there.with_ticket().map(HrId::as_str).collect()
    }

    #[test]
    fn a_subscription_is_over_by_any_of_the_known_words_in_any_case_and_by_no_other() {
        for word in OVER {
            for status in [word.to_owned(), word.to_uppercase()] {
                let there = there(vec![linked(1, "100", &json!({ "status": status }))]);
                assert_eq!(there.linked[&HrId::new("100")].active, Some(false));
                assert!(with_ticket(&there).is_empty(), "{status}");
            }
        }
        for status in ["active", "scheduled-pause", "", "Not ended"] {
            let there = there(vec![linked(1, "100", &json!({ "status": status }))]);
            assert_eq!(with_ticket(&there), ["100"], "{status}");
        }
    }

    #[test]
    fn a_subscription_without_a_word_counts_as_a_ticket_and_none_as_one_that_may_be_there() {
        let there = there(vec![
            linked(1, "100", &json!({})),
            linked(2, "200", &Value::Null),
        ]);
        assert_eq!(there.linked[&HrId::new("100")].active, Some(true));
        assert_eq!(there.linked[&HrId::new("200")].active, None);
        assert_eq!(with_ticket(&there), ["100", "200"]);
    }

    #[test]
    fn of_two_employees_with_one_hr_id_the_one_who_has_or_may_have_a_ticket_counts() {
        let states = [
            json!({ "status": "ended" }),
            Value::Null,
            json!({ "status": "active" }),
        ];
        for (less, more) in [(0, 1), (0, 2), (1, 2)] {
            let one = || linked(1, "100", &states[less]);
            let other = || linked(2, "100", &states[more]);
            for employees in [vec![one(), other()], vec![other(), one()]] {
                let there = there(employees);
                assert_eq!(there.linked.len(), 1);
                assert_eq!(there.linked[&HrId::new("100")].id, 2);
                assert_eq!(with_ticket(&there), ["100"]);
            }
        }
    }

    #[test]
    fn of_two_employees_alike_the_first_counts() {
        let there = there(vec![
            linked(1, "100", &Value::Null),
            linked(2, "100", &Value::Null),
        ]);
        assert_eq!(there.linked[&HrId::new("100")].id, 1);
    }

    #[test]
    fn links_are_read_under_either_spelling_of_their_key() {
        for key in ["hrIntergartionLinks", "hrIntegrationLinks"] {
            let there = there(vec![listed(
                json!({ "id": 1, key: [link("100", "s", "")] }),
            )]);
            assert_eq!(with_ticket(&there), ["100"], "{key}");
        }
        let both = json!({
            "id": 1,
            "hrIntergartionLinks": [{ "hrId": " ", "hrIntegrationId": 7 }],
            "hrIntegrationLinks": [link(" 100 ", "s", "")],
        });
        let there = there(vec![listed(both)]);
        assert_eq!(
            with_ticket(&there),
            ["100"],
            "a link that names nobody hides no other"
        );
        assert!(there.others.is_empty());
    }

    #[test]
    fn whoever_is_linked_to_another_integration_or_to_nobody_is_somebody_else() {
        let other = json!({ "id": 1, "email": "Anna@Example.com", "subscription": {},
            "hrIntergartionLinks": [{ "hrId": "100", "hrIntegrationId": 8 }, { "hrId": "100" }, { "hrIntegrationId": 7 }] });
        let there = there(vec![
            listed(other),
            unlinked(2, &json!({ "status": "ended" })),
            unlinked(3, &Value::Null),
        ]);
        assert!(there.linked.is_empty());
        assert_eq!(
            there.others,
            BTreeMap::from([(1, true), (2, false), (3, false)])
        );
        assert_eq!(there.unlinked_emails["anna@example.com"], 1);
        assert_eq!(there.unlinked_emails["p2@example.com"], 2);
    }

    #[test]
    fn what_jobticket_shows_of_somebody_becomes_their_values() {
        let there = there(vec![linked(1, "100", &Value::Null)]);
        let person = &there.linked[&HrId::new("100")];
        assert_eq!(person.last_sync_id.as_deref(), Some("sync-1"));
        let employee = &person.employee;
        assert_eq!(
            (employee.first_name(), employee.last_name()),
            ("Anna", "Beispiel")
        );
        assert_eq!(employee.email(), "p1@example.com");
        assert_eq!(employee.date_of_birth, NaiveDate::from_ymd_opt(1990, 4, 15));
        assert_eq!(employee.hr_id, HrId::new("100"));
    }

    #[test]
    fn a_birth_date_that_cannot_be_read_is_none() {
        for date in ["", "1990-04", "15.04.1990", "1990-04-1ü"] {
            let employee = listed(json!({ "id": 1, "dateOfBirth": date,
                "hrIntergartionLinks": [link("100", "s", "")] }));
            let there = there(vec![employee]);
            let shown = &there.linked[&HrId::new("100")].employee;
            assert_eq!(shown.date_of_birth, None, "{date}");
        }
    }

    #[test]
    fn the_last_sync_is_what_the_integration_shows_or_else_the_newest_of_any_link() {
        let at = |hr_id: &str, sync_id: &str, at: &str| {
            listed(json!({ "id": 1, "hrIntergartionLinks": [link(hr_id, sync_id, at)] }))
        };
        let employees = || {
            vec![
                at("100", "unknown", "yesterday"),
                at("200", "old", "2026-06-01T00:00:00Z"),
                at("300", "new", "2026-06-03T00:00:00Z"),
                at("400", "same time", "2026-06-03T00:00:00Z"),
                at("500", "older", "2026-06-02T00:00:00Z"),
            ]
        };
        let shown = There::new(employees(), 7, Some("shown".to_owned()));
        assert_eq!(shown.last_sync_id.as_deref(), Some("shown"));
        assert_eq!(there(employees()).last_sync_id.as_deref(), Some("new"));
        let undated = || vec![at("100", "unknown", "yesterday")];
        assert_eq!(there(undated()).last_sync_id.as_deref(), Some("unknown"));
        let without = listed(json!({ "id": 1, "hrIntergartionLinks": [
            { "hrId": "100", "hrIntegrationId": 7, "lastSynced": "2026-06-09T00:00:00Z" }] }));
        assert_eq!(there(vec![without]).last_sync_id, None);
    }

    #[test]
    fn whoever_had_a_ticket_and_shows_none_now_has_lost_it() {
        let over = json!({ "status": "cancelled" });
        let there = there(vec![
            unlinked(1, &json!({ "status": "active" })),
            unlinked(2, &over),
            unlinked(3, &Value::Null),
            linked(4, "400", &json!({ "status": "active" })),
            linked(5, "500", &over),
            linked(6, "600", &Value::Null),
        ]);
        let before = |had: bool| (1..=7).map(|id| (id, had)).collect::<BTreeMap<u64, bool>>();
        assert_eq!(there.lost_since(&before(true)), [2, 3, 5, 7]);
        assert!(there.lost_since(&before(false)).is_empty());
    }
}
