//! JobTicket as a history sees it: the sandbox, over its control endpoints, and what every push did to whom.

use std::collections::{BTreeMap, BTreeSet};

use jobticket_sync::clock::Clock;
use jobticket_sync::sandbox::{Behaviour, Fault, Refusal, Sandbox, SandboxConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

pub(crate) const KEY_ID: &str = "f1b24afa-39c6-4cc2-b545-cfab6b687f6e";
pub(crate) const KEY_SECRET: &str = "invented-secret-of-the-tests";
pub(crate) const INTEGRATION: u64 = 7;

/// The sandbox of one history.
pub(crate) struct JobTicket<'r> {
    runtime: &'r Runtime,
    http: &'r reqwest::Client,
    sandbox: Option<Sandbox>,
    pub(crate) url: String,
    /// The people who are in the last accepted roster, or were kept when a part of one was refused.
    pub(crate) held: BTreeSet<String>,
    /// Every accepted push.
    pub(crate) accepted: Vec<Accepted>,
    seen: usize,
    /// The body of every `syncId`.
    bodies: BTreeMap<String, Vec<Record>>,
    /// What everybody had in the last push that was accepted of them.
    values: BTreeMap<String, Record>,
    /// The `syncId`s in the order in which they came.
    order: Vec<String>,
    /// Whether a refusal is one of the named records alone.
    takes_parts: bool,
}

/// A push that had an effect.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) sync_id: String,
    pub(crate) records: Vec<Record>,
    /// Whether JobTicket has everybody just as it said.
    pub(crate) whole: bool,
    /// Who was held before and is no more.
    pub(crate) offboarded: BTreeSet<String>,
    /// Those of them whose mailbox somebody has in this push whom no push ever named before.
    pub(crate) renumbered: BTreeSet<String>,
}

/// The values of one person of a push, and of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) hr_id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) date_of_birth: Option<String>,
    #[serde(default)]
    pub(crate) start_date: Option<String>,
    #[serde(default)]
    pub(crate) termination_date: Option<String>,
}

impl Record {
    /// What JobTicket shows of somebody.
    fn shown(&self) -> (&str, &str, &str, Option<&str>) {
        (
            &self.first_name,
            &self.last_name,
            &self.email,
            self.date_of_birth.as_deref(),
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    employees: Vec<Employee>,
    pending: usize,
    pushes: Vec<Push>,
    most_pushes_at_once: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Employee {
    subscription_status: String,
    links: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    hr_id: String,
    hr_integration_id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push {
    number: usize,
    status: Option<u16>,
    processed: bool,
}

#[derive(Deserialize)]
struct Shown {
    body: Option<Body>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    sync_id: String,
    employees: Vec<Record>,
}

impl<'r> JobTicket<'r> {
    pub(crate) fn start(
        runtime: &'r Runtime,
        http: &'r reqwest::Client,
        behaviour: Behaviour,
        clock: Clock,
    ) -> Self {
        let (id, secret) = (KEY_ID.to_owned(), KEY_SECRET.to_owned());
        let mut settings = SandboxConfig::new(id, secret, vec![INTEGRATION], clock);
        settings.control = true;
        let takes_parts = behaviour.refusal == Refusal::NamedRecords;
        settings.behaviour = behaviour;
        let sandbox = runtime.block_on(Sandbox::start(settings)).unwrap();
        Self {
            runtime,
            http,
            url: sandbox.url(),
            sandbox: Some(sandbox),
            held: BTreeSet::new(),
            accepted: Vec::new(),
            seen: 0,
            bodies: BTreeMap::new(),
            values: BTreeMap::new(),
            order: Vec::new(),
            takes_parts,
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let call = self.http.get(format!("{}/_sandbox/{path}", self.url));
        let bytes = self.runtime.block_on(async {
            let answer = call.send().await.unwrap().error_for_status().unwrap();
            answer.bytes().await.unwrap()
        });
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Asks for faults.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        let call = self.http.post(format!("{}/_sandbox/faults", self.url));
        let call = call
            .header("content-type", "application/json")
            .body(serde_json::to_vec(faults).unwrap());
        let answer = self.runtime.block_on(call.send()).unwrap();
        answer.error_for_status().unwrap();
    }

    /// Takes back the faults that still wait.
    pub(crate) fn behave(&self) {
        let call = self.http.delete(format!("{}/_sandbox/faults", self.url));
        let answer = self.runtime.block_on(call.send()).unwrap();
        answer.error_for_status().unwrap();
    }

    /// Reads what has happened since the last time, and checks the form of every push. `spoilt` is the person whose record is refused at present, if there is one.
    pub(crate) fn look(&mut self, spoilt: Option<&str>) -> Result<Vec<Accepted>, String> {
        let state: State = self.get("state");
        if state.most_pushes_at_once > 1 {
            return Err("two pushes were under way at once".to_owned());
        }
        let mut news = Vec::new();
        for push in &state.pushes[self.seen..] {
            let shown: Shown = self.get(&format!("pushes/{}", push.number));
            let body = shown.body.ok_or("a push that is not readable")?;
            let named_before: BTreeSet<String> = self.named_before(&body.sync_id);
            self.check_order(&body)?;
            if !push.processed {
                continue;
            }
            let named = match push.status {
                Some(204) => None,
                Some(422) => {
                    let named = spoilt
                        .filter(|spoilt| body.employees.iter().any(|one| one.hr_id == *spoilt));
                    let named = named.ok_or("JobTicket refused the values of a push")?;
                    Some(named)
                }
                other => return Err(format!("JobTicket answered a push with {other:?}")),
            };
            news.extend(self.take(body, named, &named_before));
        }
        self.seen = state.pushes.len();
        if state.pending == 0 {
            self.is_as_expected(&state)?;
        }
        self.accepted.extend(news.iter().cloned());
        Ok(news)
    }

    /// A push is complete in form; one syncId stands for one body, and never comes again once another came.
    fn check_order(&mut self, body: &Body) -> Result<(), String> {
        let Body { sync_id, employees } = body;
        let numbers: BTreeSet<&str> = employees.iter().map(|one| one.hr_id.as_str()).collect();
        let emails: BTreeSet<String> = employees
            .iter()
            .map(|one| one.email.to_lowercase())
            .collect();
        if numbers.len() != employees.len() || emails.len() != employees.len() {
            return Err(format!("{sync_id} names somebody twice"));
        }
        if employees.is_empty() {
            return Err(format!("{sync_id} is empty"));
        }
        match self.bodies.get(sync_id) {
            Some(known) if known != employees => {
                return Err(format!("{sync_id} stands for two rosters"));
            }
            Some(_) if self.order.last() != Some(sync_id) => {
                return Err(format!("{sync_id} came again after another push"));
            }
            Some(_) => {}
            None => {
                self.order.push(sync_id.clone());
                self.bodies.insert(sync_id.clone(), employees.clone());
            }
        }
        Ok(())
    }

    /// What an accepted push does to whom. `None` where it does nothing, as the refusal of a whole roster.
    fn take(
        &mut self,
        body: Body,
        named: Option<&str>,
        named_before: &BTreeSet<String>,
    ) -> Option<Accepted> {
        let sent: BTreeSet<String> = body.employees.iter().map(|one| one.hr_id.clone()).collect();
        let mut now = sent;
        if let Some(named) = named {
            if !self.takes_parts {
                return None;
            }
            if !self.held.contains(named) {
                now.remove(named);
            }
        }
        let offboarded: BTreeSet<String> = self.held.difference(&now).cloned().collect();
        self.held = now;
        let new = body
            .employees
            .iter()
            .filter(|one| !named_before.contains(&one.hr_id));
        let mailboxes: BTreeSet<&String> = new.map(|one| &one.email).collect();
        let is_renumbered = |number: &&String| {
            let known = self.values.get(*number);
            known.is_some_and(|known| mailboxes.contains(&known.email))
        };
        let renumbered = offboarded.iter().filter(is_renumbered).cloned().collect();
        // Whom it refuses with the values that it has and shows, stays just as the push said.
        let is_as_it_was = |one: &Record| {
            let known = self.values.get(&one.hr_id);
            known.is_some_and(|known| known.shown() == one.shown())
        };
        let mut refused = body.employees.iter();
        let refused = refused.find(|one| Some(one.hr_id.as_str()) == named);
        let whole = refused.is_none_or(is_as_it_was);
        for one in &body.employees {
            if Some(one.hr_id.as_str()) != named {
                self.values.insert(one.hr_id.clone(), one.clone());
            }
        }
        Some(Accepted {
            sync_id: body.sync_id,
            records: body.employees,
            whole,
            offboarded,
            renumbered,
        })
    }

    /// Everybody whom a push before this one has named, accepted or not.
    fn named_before(&self, sync_id: &str) -> BTreeSet<String> {
        let others = self.bodies.iter().filter(|(known, _)| *known != sync_id);
        let people = others.flat_map(|(_, people)| people);
        people.map(|one| one.hr_id.clone()).collect()
    }

    /// Checks the most requests that ever came within a minute.
    pub(crate) fn kept_the_limit(&self) -> Result<(), String> {
        let most: serde_json::Value = self.get("requests/max-in-window");
        if most["max"].as_u64().unwrap() > 100 {
            return Err(format!("more than 100 requests in 60 seconds: {most}"));
        }
        Ok(())
    }

    /// The sandbox must have done what this model of it says: otherwise the oracle is worth nothing.
    fn is_as_expected(&self, state: &State) -> Result<(), String> {
        let ours = |employee: &&Employee| {
            let mut links = employee.links.iter();
            links.any(|link| link.hr_integration_id == INTEGRATION)
        };
        let linked = state.employees.iter().filter(ours);
        let (mut active, mut all) = (BTreeSet::new(), BTreeSet::new());
        for employee in linked {
            for link in &employee.links {
                all.insert(link.hr_id.clone());
                if employee.subscription_status == "active" {
                    active.insert(link.hr_id.clone());
                }
            }
        }
        if !active.is_subset(&self.held) || !self.held.is_subset(&all) {
            return Err(format!(
                "the model of the sandbox is wrong: {:?} are held, {active:?} are active, {all:?} are linked",
                self.held
            ));
        }
        Ok(())
    }

    /// The mailboxes of the people who are held.
    pub(crate) fn mailboxes(&self) -> BTreeMap<String, String> {
        let known = self.values.iter();
        known
            .filter(|(number, _)| self.held.contains(*number))
            .map(|(number, known)| (number.clone(), known.email.clone()))
            .collect()
    }

    /// How many pushes have come so far, accepted or not.
    pub(crate) fn arrived(&self) -> usize {
        self.seen
    }

    /// The most people whom the program may count the next push against.
    pub(crate) fn known(&self) -> usize {
        let sizes = self.accepted.iter().rev().take(4);
        let largest = sizes.map(|push| push.records.len()).max().unwrap_or(0);
        largest.max(self.held.len())
    }

    pub(crate) fn stop(mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop()).unwrap();
        }
    }
}
