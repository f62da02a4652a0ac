//! What people have decided, as far as it still holds.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;

use super::trip::Cause;
use crate::plan::Change;
use crate::roster::HrId;

/// A person's yes to somebody's change, for the reason that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The hold that was approved.
    pub hold: u64,
    /// The reason that was shown.
    pub reason: String,
    /// Whether it was said that the person gets a new number.
    pub key_change: bool,
}

/// A person's yes to a whole plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanApproval {
    /// The hold that was approved.
    pub hold: u64,
    /// Which plan: exactly this one.
    pub plan_hash: String,
    /// People who are to stay as they are.
    pub except: BTreeSet<HrId>,
}

/// Everything that was decided of an integration and still holds.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// Approved people.
    pub approvals: HashMap<HrId, Vec<Approval>>,
    /// People who stay as they are, with the reasons that were shown.
    pub rejections: HashMap<HrId, Vec<String>>,
    /// People of open holds, with the reasons that were shown: they wait until somebody decides.
    pub waiting: HashMap<HrId, Vec<(String, Cause)>>,
    /// People who stay until a day, whatever the sources say; that day is the last.
    pub kept: HashMap<HrId, NaiveDate>,
    /// Approved plans.
    pub plans: Vec<PlanApproval>,
}

impl Decided {
    pub(super) fn plan(&self, hash: &str) -> Option<&PlanApproval> {
        self.plans.iter().find(|plan| plan.plan_hash == hash)
    }

    pub(super) fn approval(&self, change: &Change, reason: &str) -> Option<&Approval> {
        let of_person = self.approvals.get(&change.hr_id)?.iter();
        let given = of_person.filter(|approval| approval.reason == reason);
        // Who said that the number is new has said more than who only let the old one go.
        given.min_by_key(|approval| !approval.key_change)
    }

    pub(super) fn is_rejected(&self, change: &Change, reason: &str) -> bool {
        let of_person = self.rejections.get(&change.hr_id);
        of_person.is_some_and(|reasons| reasons.iter().any(|rejected| rejected == reason))
    }

    /// Why somebody waits in an open hold.
    pub(super) fn waiting(&self, change: &Change, reason: &str) -> Option<&Cause> {
        let of_person = self.waiting.get(&change.hr_id)?;
        let found = of_person.iter().find(|(shown, _)| shown == reason);
        found.map(|(_, cause)| cause)
    }

    pub(super) fn is_kept(&self, hr_id: &HrId, today: NaiveDate) -> bool {
        self.kept.get(hr_id).is_some_and(|until| today <= *until)
    }
}
