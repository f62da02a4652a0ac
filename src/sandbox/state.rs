//! The people and integrations that the sandbox knows, and what a push does to them. Pure: no clock, no I/O.
//!
//! The hazard that this imitates: a push replaces the full roster, and a linked person who is missing loses the
//! subscription. An empty roster offboards everyone, as the real API would.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::behaviour::{Answer, Behaviour, DuplicateSyncId, Processing};
use super::employee::{Employee, Sync};
use super::shared::Shared;
use crate::parallel;
use crate::roster::lower_case;

/// Accepted sync ids that an integration remembers, so that the state does not grow without end.
const REMEMBERED_SYNC_IDS: usize = 10_000;

/// So many people of a push are made as one job.
const AT_ONCE: usize = 1_000;

/// Everything that outlives a restart. A copy shares the people with the original.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// In the order of their ids.
    pub(crate) employees: Vec<Shared<Employee>>,
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) hr_id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    #[serde(default, with = "crate::roster::day")]
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) profile_image: Option<String>,
    #[serde(default, with = "crate::roster::day")]
    pub(crate) start_date: Option<NaiveDate>,
    #[serde(default, with = "crate::roster::day")]
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
                    self.replace(earlier.push, behaviour, now);
                }
                self.replace(push, behaviour, now);
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
                self.replace(due.push, behaviour, now);
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
    fn replace(&mut self, push: Push, behaviour: &Behaviour, now: DateTime<Utc>) {
        let today = now.date_naive();
        let sync = Sync {
            integration: push.integration,
            id: push.sync_id.clone().into(),
            at: now,
        };
        let known = self.find(&push, behaviour);
        let mut present = vec![false; self.employees.len()];
        let made = self.made(push.people, &known, &sync, behaviour);
        for (employee, known) in made.into_iter().zip(known) {
            if let Some(index) = known {
                present[index] = true;
                self.employees[index] = employee;
            } else {
                self.add(employee);
            }
        }
        for (employee, present) in self.employees.iter_mut().zip(present) {
            if !present
                && employee.ends_without(push.integration, behaviour)
                && !push.named.includes(employee, push.integration)
            {
                employee.own().offboard(push.integration, behaviour, today);
            }
        }
        let integration = self.integrations.entry(push.integration).or_default();
        integration.last_sync_id = Some(push.sync_id);
        integration.last_synced = Some(now);
    }

    /// The people of a push as they are after it, in their order; `known` tells where they were before. Made with several processors.
    fn made(
        &self,
        mut people: Vec<Person>,
        known: &[Option<usize>],
        sync: &Sync,
        behaviour: &Behaviour,
    ) -> Vec<Shared<Employee>> {
        let today = sync.at.date_naive();
        let mut made = Vec::with_capacity(people.len());
        let jobs = people.chunks_mut(AT_ONCE).zip(known.chunks(AT_ONCE));
        let work = |(people, known): (&mut [Person], &[Option<usize>])| {
            // Of its own, for what many processors count together they wait for.
            let sync = Sync {
                id: Shared::from(String::clone(&sync.id)),
                ..*sync
            };
            let after = |(person, known): (&mut Person, &Option<usize>)| {
                let before = known.map(|index| &*self.employees[index]);
                let mut employee = Employee::named(before, std::mem::take(person), &sync);
                if behaviour.resent_gets_subscription_back == Answer::Yes {
                    employee.subscription.give_back(today);
                }
                Shared::from(employee)
            };
            people.iter_mut().zip(known).map(after).collect::<Vec<_>>()
        };
        let Ok(()) = parallel::in_order(jobs, work, |some| {
            made.extend(some);
            Ok::<_, Infallible>(())
        });
        made
    }

    /// Where the people of a push are among the employees. Of two with the same hrId, which no push makes, it may be either.
    fn find(&self, push: &Push, behaviour: &Behaviour) -> Vec<Option<usize>> {
        let linked = |index: usize| {
            let link = self.employees.get(index)?.link_to(push.integration)?;
            Some(link.hr_id.as_str())
        };
        // Neither is needed for a roster of the same people in the same order.
        let by_hr_id = LazyCell::new(|| {
            let indices = 0..self.employees.len();
            let linked = indices.filter_map(|index| Some((linked(index)?, index)));
            linked.collect::<HashMap<_, _>>()
        });
        let by_email = LazyCell::new(|| {
            let mut by_email = HashMap::new();
            if behaviour.known_email_is_linked == Answer::Yes {
                for (index, employee) in self.employees.iter().enumerate() {
                    if employee.link_to(push.integration).is_none() {
                        by_email.entry(lower_case(&employee.email)).or_insert(index);
                    }
                }
            }
            by_email
        });
        let by_email = |email: &str| {
            // Most often everyone is linked, and no address has to be brought to lower case.
            let people = Some(&*by_email).filter(|people| !people.is_empty())?;
            people.get(&*lower_case(email))
        };
        let mut next = 0;
        let find = |person: &Person| {
            let hr_id = person.hr_id.as_str();
            let found = if linked(next) == Some(hr_id) {
                Some(next)
            } else {
                let found = by_hr_id.get(hr_id).or_else(|| by_email(&person.email));
                found.copied()
            };
            next = found.map_or(next, |index| index + 1);
            found
        };
        push.people.iter().map(find).collect()
    }

    /// Adds a person under the next id, which it returns.
    pub(crate) fn add(&mut self, employee: impl Into<Shared<Employee>>) -> u64 {
        self.last_id += 1;
        let mut employee = employee.into();
        employee.own().id = self.last_id;
        self.employees.push(employee);
        self.last_id
    }

    /// The person with this id.
    pub(crate) fn employee(&self, id: u64) -> Option<&Employee> {
        let index = self
            .employees
            .binary_search_by_key(&id, |employee| employee.id)
            .ok()?;
        self.employees.get(index).map(|employee| &**employee)
    }
}

impl Named {
    fn includes(&self, employee: &Employee, integration: u64) -> bool {
        employee
            .link_to(integration)
            .is_some_and(|link| self.hr_ids.contains(&link.hr_id))
            || self.emails.contains(&*lower_case(&employee.email))
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
