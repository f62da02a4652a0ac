//! What the guard says of everyone in a plan, and the proof that it made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::trip::{Cause, Hold, Question, Trip};
use crate::plan::{Change, Pair, Plan, What};
use crate::roster::{Entry, HrId};

/// The proof that the guard has let a plan through, with the roster to send.
#[derive(Debug)]
pub struct Approved {
    entries: Arc<Vec<Entry>>,
    changes: Arc<Vec<Change>>,
    grounds: BTreeMap<HrId, Grounds>,
    hash: String,
}

#[cfg(test)]
impl Approved {
    /// Without the guard, for tests of what comes behind it.
    pub(crate) fn of_tests(entries: Vec<Entry>, hash: &str) -> Self {
        Self {
            entries: Arc::new(entries),
            changes: Arc::default(),
            grounds: BTreeMap::new(),
            hash: hash.to_owned(),
        }
    }
}

impl Approved {
    /// The roster, sorted by hrId.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The roster, for sending it: who sends it may need it for longer than this is there.
    pub fn shared(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.entries)
    }

    /// The roster entry of a person, if they are in it.
    pub fn entry(&self, hr_id: &HrId) -> Option<&Entry> {
        let place = self
            .entries
            .binary_search_by(|entry| entry.employee().hr_id.cmp(hr_id));
        Some(&self.entries[place.ok()?])
    }

    /// The roster, for making another plan of it, which needs another proof.
    pub fn into_entries(self) -> Vec<Entry> {
        Arc::unwrap_or_clone(self.entries)
    }

    /// What it changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// On which grounds somebody's change goes out; `None` where it needs none.
    pub fn grounds(&self, hr_id: &HrId) -> Option<&Grounds> {
        self.grounds.get(hr_id)
    }

    /// Identifies the plan that was approved.
    pub fn plan_hash(&self) -> &str {
        &self.hash
    }

    /// The holds whose approvals it uses, sorted.
    pub fn holds(&self) -> BTreeSet<u64> {
        let mine = |change: &Change| match self.grounds.get(&change.hr_id)? {
            Grounds::Approved { hold } => Some(*hold),
            Grounds::Explained | Grounds::Missing { .. } => None,
        };
        self.changes.iter().filter_map(mine).collect()
    }
}

/// Why somebody may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "grounds")]
pub enum Grounds {
    /// A known date or a listed value says so.
    Explained,
    /// They have been missing from complete deliveries of so many different days.
    Missing {
        /// How many.
        days: u32,
    },
    /// Somebody approved it.
    Approved {
        /// The hold that was approved.
        hold: u64,
    },
}

/// What the guard says of a plan.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Why nothing of the plan may go, if that is so.
    pub whole: Option<Hold>,
    /// People who wait for a decision.
    pub questions: Vec<Question>,
    /// People who are missing without an explanation, not for long enough yet: how many days.
    pub counting: Vec<(HrId, u32)>,
    /// People who stay as they are because somebody decided so.
    pub kept: Vec<HrId>,
    /// People with a new number, about whom nobody has decided.
    pub new_numbers: Vec<Pair>,
    /// The limits that tripped.
    pub trips: Vec<Trip>,
    gone: BTreeMap<HrId, Grounds>,
    leave: BTreeSet<HrId>,
    stay: BTreeSet<HrId>,
}

/// The plan is not what was judged. This is an error of the program, and nothing is pushed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaccounted {
    /// It changes somebody whom the guard did not let go.
    #[error(
        "The plan changes {hr_id}, whom the guard did not let go; nothing was pushed. Please report this"
    )]
    Changes {
        /// Who.
        hr_id: HrId,
    },
    /// The whole plan waits for a decision.
    #[error("The whole plan waits for a decision; nothing was pushed. Please report this")]
    Waits,
    /// It leaves nobody in.
    #[error("The roster would be empty; nothing was pushed. Please report this")]
    Empty,
}

impl Judgement {
    pub(super) fn ask(&mut self, plan: &Plan, change: &Change, cause: Cause) {
        if self.stay.insert(change.hr_id.clone()) {
            self.questions.push(Question {
                change: change.clone(),
                reason: plan.reason(change),
                cause,
            });
        }
    }

    pub(super) fn count(&mut self, change: &Change, days: u32) {
        if self.stay.insert(change.hr_id.clone()) {
            self.counting.push((change.hr_id.clone(), days));
        }
    }

    pub(super) fn keep(&mut self, change: &Change) {
        if self.stay.insert(change.hr_id.clone()) {
            self.kept.push(change.hr_id.clone());
        }
    }

    pub(super) fn let_go(&mut self, change: &Change, grounds: Grounds) {
        if !self.stay.contains(&change.hr_id) {
            self.gone.insert(change.hr_id.clone(), grounds);
            if matches!(change.what, What::Leaves(_)) {
                self.leave.insert(change.hr_id.clone());
            }
        }
    }

    /// Whether nothing of a plan would go out.
    pub fn nothing_goes(&self, plan: &Plan) -> bool {
        let stays = |change: &Change| self.stay.contains(&change.hr_id);
        self.whole.is_some() || plan.changes.iter().all(stays)
    }

    /// On which grounds somebody goes; `None` where they need none, or do not go.
    pub fn grounds(&self, hr_id: &HrId) -> Option<&Grounds> {
        self.gone.get(hr_id)
    }

    /// Everyone whose change does not go out: leavers stay in, joiners stay out, and changed people keep their acknowledged values.
    pub fn stays(&self) -> &BTreeSet<HrId> {
        &self.stay
    }

    /// Lets a plan through from which everything that waits was taken: each leaver must have been let go, and nobody who stays may change.
    ///
    /// Who was carried forward with the values of a push that was never answered is no change, although they join what is acknowledged.
    ///
    /// # Errors
    /// Somebody would change whom this judgement did not let go, the whole plan waits, or nobody would be left.
    pub fn approve(&self, plan: Plan) -> Result<Approved, Unaccounted> {
        if self.whole.is_some() {
            return Err(Unaccounted::Waits);
        }
        if plan.entries.is_empty() {
            return Err(Unaccounted::Empty);
        }
        let wrong = plan.changes.iter().find(|change| {
            let hr_id = &change.hr_id;
            match change.what {
                What::Leaves(_) => self.stay.contains(hr_id) || !self.leave.contains(hr_id),
                What::Joins => self.stay.contains(hr_id) && !is_carried_forward(&plan, hr_id),
                What::Changes { .. } => self.stay.contains(hr_id),
            }
        });
        if let Some(change) = wrong {
            let hr_id = change.hr_id.clone();
            return Err(Unaccounted::Changes { hr_id });
        }
        let Plan {
            changes,
            entries,
            hash,
            ..
        } = plan;
        Ok(Approved {
            entries: Arc::new(entries),
            changes,
            grounds: self.gone.clone(),
            hash,
        })
    }
}

/// Only people whom JobTicket has or may have are carried forward.
fn is_carried_forward(plan: &Plan, hr_id: &HrId) -> bool {
    plan.entry(hr_id).is_some_and(|entry| entry.line == 0)
}
