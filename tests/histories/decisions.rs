//! Decisions on what is held, taken as the commands take them: by the store, while no run is in progress.

use std::collections::BTreeSet;
use std::path::Path;

use jobticket_sync::clock::Clock;
use jobticket_sync::config;
use jobticket_sync::guard::Cause;
use jobticket_sync::plan::What;
use jobticket_sync::roster::HrId;
use jobticket_sync::store::{
    Decision as By, HeldState, HoldRecord, HoldState, Notes, Store, Target, Verb,
};

/// What a person may say to an open hold.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// Yes to everybody of it.
    Approve,
    /// Yes to everybody but this one; `usize` chooses among the people of the hold.
    ApproveExcept(usize),
    Reject,
    /// One of them is kept for so many days.
    Keep(usize, u64),
    /// This installation is the one that writes.
    Adopt,
}

/// What waits for a decision.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    id: u64,
    people: Vec<HrId>,
    leavers: BTreeSet<String>,
    /// Whether it is about new numbers, which need a word of their own.
    key_change: bool,
    /// Whether it is about people whom JobTicket refuses: an approval leaves them out although they are employed.
    refused: bool,
    /// The sync of another host, where that is what it is about.
    foreign: Option<String>,
    target: Target,
}

/// What a decision allows: the people it names, for as long as it holds.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) people: BTreeSet<String>,
    pub(crate) hours: i64,
    /// Whether it leaves them out although they are employed.
    pub(crate) refused: bool,
}

/// `limits.approval_hours`.
const HOURS: i64 = 96;

const BY: By<'_> = By {
    user: "tester",
    on_behalf_of: None,
    reason: "invented",
};

fn store(path: &Path, clock: &Clock) -> (Store, Target) {
    let config = config::load(path).expect("the configuration loads");
    let jobticket = &config.integrations[0].jobticket;
    let target = Target::new(&jobticket.origin(), jobticket.integration_id);
    let store = Store::open(&config.state_dir, clock.clone()).expect("the store opens");
    (store, target)
}

/// What waits, in the order of its ids; also what was decided otherwise before.
pub(crate) fn holds(config: &Path, clock: &Clock) -> Vec<Hold> {
    let (store, target) = store(config, clock);
    let all = store
        .holds(Some(&target), false)
        .expect("holds can be read");
    let waits = |hold: &HoldRecord| hold.state != HoldState::Approved;
    all.into_iter()
        .filter(waits)
        .map(|hold| Hold::of(&hold, &target))
        .collect()
}

impl Hold {
    fn of(record: &HoldRecord, target: &Target) -> Self {
        let foreign = (record.kind == "not ours").then(|| {
            let why = &record.why[0];
            let sync_id = why.split(['(', ')']).nth(1);
            sync_id.expect("it names the sync").to_owned()
        });
        let stands = |state: HeldState| state != HeldState::Over;
        let people = record.people.iter().filter(|person| stands(person.state));
        Self {
            id: record.id,
            refused: record.kind == Cause::Refused.kind(),
            leavers: people
                .clone()
                .filter(|person| matches!(person.change.what, What::Leaves(_)))
                .map(|person| person.change.hr_id.to_string())
                .collect(),
            key_change: people
                .clone()
                .any(|person| matches!(person.cause, Some(Cause::NewNumber { .. }))),
            people: people.map(|person| person.change.hr_id.clone()).collect(),
            foreign,
            target: target.clone(),
        }
    }
}

/// Decides; what that allows, where it allows anything.
pub(crate) fn decide(
    config: &Path,
    clock: &Clock,
    hold: &Hold,
    decision: &Decision,
) -> Option<Decided> {
    let (store, _) = store(config, clock);
    let none = || Notes::default();
    if let Some(foreign) = &hold.foreign {
        let ids = std::slice::from_ref(foreign);
        store
            .adopt(&hold.target, "acme", ids, &BY, |_| none())
            .expect("it can be adopted");
        return None;
    }
    let chosen = |index: &usize| hold.people.get(index % hold.people.len().max(1)).cloned();
    let (verb, except) = match decision {
        Decision::Approve | Decision::Adopt => (
            Verb::Approve {
                key_change: hold.key_change,
            },
            None,
        ),
        Decision::ApproveExcept(index) => (
            Verb::Approve {
                key_change: hold.key_change,
            },
            chosen(index),
        ),
        Decision::Reject => (Verb::Reject, None),
        Decision::Keep(index, days) => {
            let until =
                clock.today(jobticket_sync::zone::Zone::berlin()) + chrono::Days::new(*days);
            let hr_id = chosen(index)?;
            store
                .keep(&hold.target, "acme", &hr_id, until, &BY, &none())
                .expect("somebody can be kept");
            return None;
        }
    };
    let except: BTreeSet<HrId> = except.into_iter().collect();
    store
        .decide(hold.id, verb, &except, &BY, |_| none())
        .expect("a hold can be decided");
    if verb == Verb::Reject {
        return None;
    }
    let named = |number: &&String| !except.iter().any(|hr_id| hr_id.as_str() == *number);
    Some(Decided {
        people: hold.leavers.iter().filter(named).cloned().collect(),
        hours: HOURS,
        refused: hold.refused,
    })
}
