//! Decisions on what is held. This version of the program has none: the place to connect them is [`Desk`].
//!
//! CONNECT HERE: implement [`Desk`] with the store's holds (in process) or the commands (`holds`, `approve`, `reject`, `keep`, `adopt`; binary), return it from
//! [`desk`], and give the oracle the rules that are in force in [`crate::law::Rules::of_today`]. What a decision allows reaches the law through [`Decided`].

use std::collections::BTreeSet;
use std::path::Path;

use jobticket_sync::clock::Clock;

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
#[expect(dead_code, reason = "nothing is held by name in this version")]
pub(crate) struct Hold {
    pub(crate) id: String,
    pub(crate) people: BTreeSet<String>,
    /// Whether it is about new numbers, which need a word of their own.
    pub(crate) key_change: bool,
}

/// What a decision allows: the people it names, for as long as it holds.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) people: BTreeSet<String>,
    pub(crate) hours: i64,
}

/// Where decisions are taken.
pub(crate) trait Desk {
    /// Whether there are decisions at all. Without them the only way on is to raise the limits.
    fn is_open(&self) -> bool;

    /// What waits, in the order of its ids.
    fn holds(&self, config: &Path, clock: &Clock) -> Vec<Hold>;

    /// Decides; what that allows, where it allows anything.
    fn decide(
        &self,
        config: &Path,
        clock: &Clock,
        hold: &Hold,
        decision: &Decision,
    ) -> Result<Option<Decided>, String>;
}

/// No decisions.
struct NoDesk;

impl Desk for NoDesk {
    fn is_open(&self) -> bool {
        false
    }

    fn holds(&self, _: &Path, _: &Clock) -> Vec<Hold> {
        Vec::new()
    }

    fn decide(
        &self,
        _: &Path,
        _: &Clock,
        _: &Hold,
        _: &Decision,
    ) -> Result<Option<Decided>, String> {
        Ok(None)
    }
}

/// The desk of this version.
pub(crate) fn desk() -> Box<dyn Desk> {
    Box::new(NoDesk)
}
