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
            let link = listed.links().find(ours).cloned();
            let active = listed
                .subscription
                .as_ref()
                .map(|subscription| !is_over(subscription));
            let hr_id = link.as_ref().and_then(|link| link.hr_id.as_deref());
            let (Some(hr_id), Some(link)) =
                (hr_id.map(str::trim).filter(|id| !id.is_empty()), &link)
            else {
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
            // Of two with one hrId the one with a ticket counts.
            let known = there.linked.get(&hr_id);
            if known.is_none_or(|known| known.active != Some(true)) {
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

fn shown(hr_id: &HrId, listed: &ListedEmployee) -> Employee {
    let text = |value: &Option<String>| -> Box<str> { value.as_deref().unwrap_or_default().into() };
    let born = listed.date_of_birth.as_deref().and_then(|date| {
        let day = date.get(..10)?;
        NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
    });
    Employee {
        hr_id: hr_id.clone(),
        first_name: text(&listed.first_name),
        last_name: text(&listed.last_name),
        email: text(&listed.email),
        date_of_birth: born,
        start_date: None,
        termination_date: None,
        auto_sync_employee: None,
        absences: Vec::new(),
    }
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
