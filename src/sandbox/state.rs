//! The people and integrations that the sandbox knows, and what a push does to them. Pure: no clock, no I/O.
//!
//! The hazard that this imitates: a push replaces the full roster, and a linked person who is missing loses the
//! subscription. An empty roster offboards everyone, as the real API would.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::behaviour::{Answer, Behaviour, DuplicateSyncId, Processing};
use super::employee::{Employee, Subscription};

/// Accepted sync ids that an integration remembers, so that the state does not grow without end.
const REMEMBERED_SYNC_IDS: usize = 10_000;

/// Everything that outlives a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// In the order of their ids.
    pub(crate) employees: Vec<Employee>,
    /// Those that were synced at least once.
    pub(crate) integrations: BTreeMap<u64, Integration>,
    /// Pushes that were accepted and whose effect does not show yet, oldest first.
    pub(crate) pending: VecDeque<Pending>,
    /// The id given last.
    pub(crate) last_id: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Integration {
    pub(crate) last_sync_id: Option<String>,
    pub(crate) last_synced: Option<DateTime<Utc>>,
    /// Sync ids that were accepted, oldest first.
    accepted: VecDeque<String>,
}

/// A push whose effect does not show yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    push: Push,
    /// Further requests that still see the state before it.
    remaining: u32,
}

/// A push that passed validation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Push {
    pub(crate) integration: u64,
    pub(crate) sync_id: String,
    pub(crate) people: Vec<Person>,
    /// People of refused records: neither updated nor missing.
    pub(crate) named: Named,
}

/// The people that refused records speak of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) hr_ids: HashSet<String>,
    /// In lower case.
    pub(crate) emails: HashSet<String>,
}

/// A valid record of a push.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) hr_id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) profile_image: Option<String>,
    pub(crate) start_date: Option<NaiveDate>,
    pub(crate) termination_date: Option<NaiveDate>,
}

impl World {
    /// Takes a push: applies it, or puts it off as `behaviour` says. Pushes take effect in the order they came.
    pub(crate) fn accept(&mut self, push: Push, behaviour: &Behaviour, now: DateTime<Utc>) {
        let accepted = &mut self
            .integrations
            .entry(push.integration)
            .or_default()
            .accepted;
        if accepted.contains(&push.sync_id) {
            if behaviour.duplicate_sync_id == DuplicateSyncId::Ignore {
                return;
            }
        } else if push.named.hr_ids.is_empty() && push.named.emails.is_empty() {
            if accepted.len() >= REMEMBERED_SYNC_IDS {
                accepted.pop_front();
            }
            accepted.push_back(push.sync_id.clone());
        }
        match behaviour.processing {
            Processing::AtOnce => {
                for earlier in std::mem::take(&mut self.pending) {
                    self.replace(&earlier.push, behaviour, now);
                }
                self.replace(&push, behaviour, now);
            }
            Processing::Later { after_requests } => {
                self.pending.push_back(Pending {
                    push,
                    remaining: after_requests,
                });
            }
        }
    }

    /// Whether the next request sees a push that was put off.
    pub(crate) fn is_due(&self) -> bool {
        self.pending
            .front()
            .is_some_and(|pending| pending.remaining == 0)
    }

    /// Applies what is due, in the order it came.
    pub(crate) fn apply_due(&mut self, behaviour: &Behaviour, now: DateTime<Utc>) {
        while self.is_due() {
            if let Some(due) = self.pending.pop_front() {
                self.replace(&due.push, behaviour, now);
            }
        }
    }

    /// Counts a request for the pushes that wait.
    pub(crate) fn count_request(&mut self) {
        for pending in &mut self.pending {
            pending.remaining = pending.remaining.saturating_sub(1);
        }
    }

    /// The full-roster replacement.
    fn replace(&mut self, push: &Push, behaviour: &Behaviour, now: DateTime<Utc>) {
        let today = now.date_naive();
        let mut by_hr_id = HashMap::new();
        let mut by_email = HashMap::new();
        for (index, employee) in self.employees.iter().enumerate() {
            if let Some(link) = employee.link_to(push.integration) {
                by_hr_id.insert(link.hr_id.clone(), index);
            } else if behaviour.known_email_is_linked == Answer::Yes {
                by_email
                    .entry(employee.email.to_lowercase())
                    .or_insert(index);
            }
        }
        let known = self.employees.len();
        let mut present = vec![false; known];
        for person in &push.people {
            let found = by_hr_id
                .get(&person.hr_id)
                .or_else(|| by_email.get(&person.email.to_lowercase()))
                .copied();
            let index = found.unwrap_or_else(|| self.create(person, today));
            if let Some(present) = present.get_mut(index) {
                *present = true;
            }
            let employee = &mut self.employees[index];
            employee.update(person);
            employee.synced(&person.hr_id, push, now);
            if behaviour.resent_gets_subscription_back == Answer::Yes {
                employee.subscription.give_back(today);
            }
        }
        for (employee, present) in self.employees.iter_mut().zip(present) {
            if !present && !push.named.includes(employee, push.integration) {
                employee.missing(push.integration, behaviour, today);
            }
        }
        let integration = self.integrations.entry(push.integration).or_default();
        integration.last_sync_id = Some(push.sync_id.clone());
        integration.last_synced = Some(now);
    }

    /// Makes a new person with a running subscription; the index.
    fn create(&mut self, person: &Person, today: NaiveDate) -> usize {
        let employee = Employee {
            id: 0,
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            date_of_birth: None,
            profile_image: None,
            start_date: None,
            termination_date: None,
            subscription: Subscription::running(person.start_date.map_or(today, |d| d.max(today))),
            links: Vec::new(),
        };
        self.add(employee);
        self.employees.len() - 1
    }

    /// Adds a person under the next id, which it returns.
    pub(crate) fn add(&mut self, employee: Employee) -> u64 {
        self.last_id += 1;
        self.employees.push(Employee {
            id: self.last_id,
            ..employee
        });
        self.last_id
    }

    /// The person with this id.
    pub(crate) fn employee(&self, id: u64) -> Option<&Employee> {
        let index = self
            .employees
            .binary_search_by_key(&id, |employee| employee.id)
            .ok()?;
        self.employees.get(index)
    }
}

impl Named {
    fn includes(&self, employee: &Employee, integration: u64) -> bool {
        employee
            .link_to(integration)
            .is_some_and(|link| self.hr_ids.contains(&link.hr_id))
            || self.emails.contains(&employee.email.to_lowercase())
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
