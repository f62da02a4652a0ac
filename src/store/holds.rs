//! Holds: people, or a whole plan, that wait for a person's decision; and what was decided of them.
//!
//! A hold does not expire. It is over when everyone in it is no longer in question: they went, or a later delivery has them again. What a run finds is written in one
//! transaction with the lines that tell of it, and so is a decision, which only records: the next run acts on it.

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, StoreError, Target};
use crate::guard::{Approval, Cause, Decided, PlanApproval};
use crate::plan::Change;
use crate::roster::HrId;

/// Whether people wait, or the whole plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The people named; the rest goes out.
    People,
    /// Everything.
    Plan,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Somebody in it waits for a decision.
    Open,
    /// It was approved, and the next run acts on that.
    Approved,
    /// It was rejected: its people stay as they are.
    Rejected,
    /// Nobody of it is in question any more.
    Over,
}

/// Where one person of a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// They wait for a decision.
    Waits,
    /// They may go.
    Approved,
    /// They were left out of the approval of a whole plan.
    Excepted,
    /// They stay as they are.
    Rejected,
    /// They are not in question any more.
    Over,
}

impl HoldState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Over => "over",
        }
    }
}

impl HeldState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Approved => "approved",
            Self::Excepted => "excepted",
            Self::Rejected => "rejected",
            Self::Over => "over",
        }
    }
}

/// One person of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldPerson {
    /// What would happen.
    #[serde(flatten)]
    pub change: Change,
    /// What an approval covers.
    #[serde(skip)]
    pub reason: String,
    /// Why it waits; `None` in a whole plan that waits for other reasons than this person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Whether they had an active ticket when the hold was opened; `None` where that is not known.
    pub active: Option<bool>,
    /// Where they stand.
    pub state: HeldState,
}

/// People, or a whole plan, that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldRecord {
    /// Its number.
    pub id: u64,
    /// Of which integration, by the name it had then.
    pub integration: String,
    /// The key of that integration's state.
    #[serde(skip)]
    pub target: String,
    /// The run that opened it.
    pub run: String,
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// Whether people wait, or the whole plan.
    pub scope: Scope,
    /// What kind of reason, in a word.
    pub kind: String,
    /// What tripped, a sentence each.
    pub why: Vec<String>,
    /// Identifies the plan, where the whole of it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// What there is to know besides, such as how many people are linked.
    pub details: serde_json::Value,
    /// Where it stands.
    pub state: HoldState,
    /// Its people, by hrId.
    pub people: Vec<HeldPerson>,
}

/// A hold that a run opens.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// Whether people wait, or the whole plan.
    pub scope: Scope,
    /// What kind of reason, in a word.
    pub kind: String,
    /// What tripped, a sentence each.
    pub why: Vec<String>,
    /// Identifies the plan, where the whole of it waits.
    pub plan_hash: Option<String>,
    /// What there is to know besides.
    pub details: serde_json::Value,
    /// Its people.
    pub people: Vec<HeldPerson>,
}

/// What a run finds of the holds of an integration.
#[derive(Debug, Default)]
pub struct HoldsUpdate {
    /// To be opened.
    pub open: Vec<NewHold>,
    /// People who are not in question any more.
    pub over: Vec<(u64, HrId)>,
    /// Whole-plan holds that are over.
    pub plans_over: Vec<u64>,
    /// Approvals that hold no longer: these people of the hold wait again, or all of them where none is named.
    pub wait_again: Vec<(u64, Vec<HrId>)>,
}

/// What somebody decides of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Its people may go, but those in the list.
    Approve {
        /// Whether it was said that people get new numbers.
        key_change: bool,
    },
    /// Its people stay as they are.
    Reject,
    /// They wait again.
    Reopen,
}

/// A decision.
#[derive(Debug, Clone)]
pub struct Decision<'d> {
    /// Who decided: the login user.
    pub user: &'d str,
    /// For whom.
    pub on_behalf_of: Option<&'d str>,
    /// Why.
    pub reason: &'d str,
}

impl Store {
    /// The numbers of the holds of a target in which somebody has to decide, without their people, who may be many.
    pub fn open_holds(&self, target: &Target) -> Result<Vec<u64>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT id FROM hold WHERE target = ?1 AND state = 'open' ORDER BY id",
        )?;
        let ids = select.query_map([target.as_str()], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// All holds that are not over, or with `all` every one; of one integration or of all. Sorted by number.
    pub fn holds(&self, target: Option<&Target>, all: bool) -> Result<Vec<HoldRecord>, StoreError> {
        let connection = self.lock();
        let sql = "SELECT id, integration, target, run, opened_at, scope, kind, why, plan_hash, details, state FROM hold
                   WHERE target = coalesce(?1, target) AND (?2 OR state <> 'over') ORDER BY id";
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query(params![target.map(Target::as_str), all])?;
        let mut holds = Vec::new();
        while let Some(row) = rows.next()? {
            holds.push(record(row)?);
        }
        for hold in &mut holds {
            hold.people = people(&connection, hold.id)?;
        }
        Ok(holds)
    }

    /// One hold.
    pub fn hold(&self, id: u64) -> Result<Option<HoldRecord>, StoreError> {
        let connection = self.lock();
        one(&connection, id)
    }

    /// What was decided and still holds: approvals from `approved_since` on, people kept on `today`. Whose approval is older waits as before.
    pub fn decided(
        &self,
        target: &Target,
        approved_since: DateTime<Utc>,
        today: NaiveDate,
    ) -> Result<Decided, StoreError> {
        let connection = self.lock();
        let mut decided = Decided::default();
        let since = approved_since.to_rfc3339();
        let mut select = connection.prepare_cached(
            "SELECT p.hold, p.hr_id, p.reason, p.state, p.key_change, coalesce(p.decided_at, '') FROM held_person p JOIN hold h ON h.id = p.hold
             WHERE h.target = ?1 AND (p.state = 'rejected' OR (p.state = 'approved' AND h.scope = 'people')) ORDER BY p.hold",
        )?;
        let mut rows = select.query([target.as_str()])?;
        while let Some(row) = rows.next()? {
            let (hold, hr_id, reason): (u64, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let (state, key_change, at): (String, bool, String) =
                (row.get(3)?, row.get(4)?, row.get(5)?);
            let hr_id = HrId::new(&hr_id);
            if state == "rejected" {
                decided.rejections.entry(hr_id).or_default().push(reason);
            } else if at >= since {
                decided.approvals.entry(hr_id).or_default().push(Approval {
                    hold,
                    reason,
                    key_change,
                });
            }
        }
        let mut select = connection.prepare_cached(
            "SELECT p.hr_id, p.reason, p.cause FROM held_person p JOIN hold h ON h.id = p.hold
             WHERE h.target = ?1 AND h.scope = 'people' AND p.cause IS NOT NULL
               AND (p.state = 'waits' OR (p.state = 'approved' AND coalesce(p.decided_at, '') < ?2)) ORDER BY p.hold",
        )?;
        let mut rows = select.query([target.as_str(), &since])?;
        while let Some(row) = rows.next()? {
            let (hr_id, reason, cause): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let cause = serde_json::from_str(&cause)
                .map_err(|_| StoreError::Unreadable("why somebody waits"))?;
            let of_person = decided.waiting.entry(HrId::new(&hr_id)).or_default();
            of_person.push((reason, cause));
        }
        let mut select = connection.prepare_cached(
            "SELECT id, plan_hash FROM hold WHERE target = ?1 AND scope = 'plan' AND state = 'approved' AND decided_at >= ?2 AND plan_hash IS NOT NULL",
        )?;
        let mut rows = select.query([target.as_str(), &since])?;
        while let Some(row) = rows.next()? {
            let hold: u64 = row.get(0)?;
            let excepted = people(&connection, hold)?
                .into_iter()
                .filter(|person| person.state == HeldState::Excepted);
            decided.plans.push(PlanApproval {
                hold,
                plan_hash: row.get(1)?,
                except: excepted.map(|person| person.change.hr_id).collect(),
            });
        }
        let mut select =
            connection.prepare_cached("SELECT hr_id, until FROM keep WHERE target = ?1")?;
        let mut rows = select.query([target.as_str()])?;
        while let Some(row) = rows.next()? {
            let (hr_id, until): (String, String) = (row.get(0)?, row.get(1)?);
            let until = until
                .parse()
                .map_err(|_| StoreError::Unreadable("the end of a keep"))?;
            if today <= until {
                decided.kept.insert(HrId::new(&hr_id), until);
            }
        }
        Ok(decided)
    }
}

pub(super) fn one(
    connection: &rusqlite::Connection,
    id: u64,
) -> Result<Option<HoldRecord>, StoreError> {
    let sql = "SELECT id, integration, target, run, opened_at, scope, kind, why, plan_hash, details, state FROM hold WHERE id = ?1";
    let hold = connection
        .prepare_cached(sql)?
        .query_row([id], |row| Ok(record(row)))
        .optional()?;
    let Some(hold) = hold else { return Ok(None) };
    let mut hold = hold?;
    hold.people = people(connection, id)?;
    Ok(Some(hold))
}

fn record(row: &Row<'_>) -> Result<HoldRecord, StoreError> {
    let unreadable = || StoreError::Unreadable("a hold");
    let (scope, state, opened): (String, String, String) = (row.get(5)?, row.get(10)?, row.get(4)?);
    let (why, details): (String, String) = (row.get(7)?, row.get(9)?);
    Ok(HoldRecord {
        id: row.get(0)?,
        integration: row.get(1)?,
        target: row.get(2)?,
        run: row.get(3)?,
        opened_at: opened.parse().map_err(|_| unreadable())?,
        scope: if scope == "plan" {
            Scope::Plan
        } else {
            Scope::People
        },
        kind: row.get(6)?,
        why: serde_json::from_str(&why).map_err(|_| unreadable())?,
        plan_hash: row.get(8)?,
        details: serde_json::from_str(&details).map_err(|_| unreadable())?,
        state: match state.as_str() {
            "open" => HoldState::Open,
            "approved" => HoldState::Approved,
            "rejected" => HoldState::Rejected,
            _ => HoldState::Over,
        },
        people: Vec::new(),
    })
}

fn people(connection: &rusqlite::Connection, hold: u64) -> Result<Vec<HeldPerson>, StoreError> {
    let unreadable = || StoreError::Unreadable("a person of a hold");
    let sql = "SELECT reason, change, cause, active, state FROM held_person WHERE hold = ?1 ORDER BY hr_id";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([hold])?;
    let mut people = Vec::new();
    while let Some(row) = rows.next()? {
        let (change, cause, state): (String, Option<String>, String) =
            (row.get(1)?, row.get(2)?, row.get(4)?);
        let cause = cause.map(|cause| serde_json::from_str(&cause)).transpose();
        people.push(HeldPerson {
            change: serde_json::from_str(&change).map_err(|_| unreadable())?,
            reason: row.get(0)?,
            cause: cause.map_err(|_| unreadable())?,
            active: row.get(3)?,
            state: match state.as_str() {
                "waits" => HeldState::Waits,
                "approved" => HeldState::Approved,
                "excepted" => HeldState::Excepted,
                "rejected" => HeldState::Rejected,
                _ => HeldState::Over,
            },
        });
    }
    Ok(people)
}
