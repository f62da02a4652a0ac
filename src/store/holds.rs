//! Holds: people, or a whole plan, that wait for a person's decision; and what was decided of them.
//!
//! A hold does not expire. It is over when everyone in it is no longer in question: they went, or a later delivery has them again. What a run finds is written in one
//! transaction with the lines that tell of it, and so is a decision, which only records: the next run acts on it.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::{Notes, Store, StoreError, Target};
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
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Over => "over",
        }
    }
}

impl HeldState {
    fn name(self) -> &'static str {
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

    /// Writes what a run found of the holds. Returns the numbers of those that were opened, in order; `notes` tells of them.
    pub fn update_holds(
        &self,
        target: &Target,
        integration: &str,
        run: &str,
        update: &HoldsUpdate,
        notes: impl FnOnce(&[u64]) -> Notes,
    ) -> Result<Vec<u64>, StoreError> {
        self.write(|transaction| {
            for (hold, hr_id) in &update.over {
                transaction.execute(
                    "UPDATE held_person SET state = 'over' WHERE hold = ?1 AND hr_id = ?2",
                    params![hold, hr_id.as_str()],
                )?;
                restate(transaction, *hold)?;
            }
            for hold in &update.plans_over {
                transaction.execute("UPDATE hold SET state = 'over' WHERE id = ?1", [hold])?;
                transaction.execute(
                    "UPDATE held_person SET state = 'over' WHERE hold = ?1",
                    [hold],
                )?;
            }
            for (hold, hr_ids) in &update.wait_again {
                wait_again(transaction, *hold, hr_ids)?;
            }
            let mut opened = Vec::new();
            for hold in &update.open {
                opened.push(open(
                    transaction,
                    self.clock.now(),
                    target,
                    integration,
                    run,
                    hold,
                )?);
            }
            self.note(transaction, &notes(&opened))?;
            Ok(opened)
        })
    }

    /// Records a decision on a hold. `named` are the people it is about: with [`Verb::Approve`] those who stay out of it, else nobody in particular.
    /// Returns the people whose standing it changed, sorted; `None` of a hold that is over, and then nothing is recorded.
    pub fn decide(
        &self,
        id: u64,
        verb: Verb,
        except: &BTreeSet<HrId>,
        decision: &Decision<'_>,
        notes: impl FnOnce(&[HrId]) -> Notes,
    ) -> Result<Option<Vec<HrId>>, StoreError> {
        let touched = self.write(|transaction| {
            let hold = one(transaction, id)?.ok_or(StoreError::Unreadable("a hold"))?;
            // A run may have ended it since somebody looked.
            if hold.state == HoldState::Over {
                return Ok(None);
            }
            let now = self.clock.now().to_rfc3339();
            let mut touched = Vec::new();
            for person in &hold.people {
                let excepted = except.contains(&person.change.hr_id);
                let to = match (verb, person.state, hold.scope) {
                    (_, HeldState::Over, _) => continue,
                    (Verb::Approve { .. }, _, Scope::Plan) if excepted => HeldState::Excepted,
                    (Verb::Approve { .. }, HeldState::Rejected, Scope::People) if excepted => continue,
                    // Whoever was approved before is not any more.
                    (Verb::Approve { .. }, _, Scope::People) if excepted => HeldState::Waits,
                    (Verb::Approve { .. }, ..) => HeldState::Approved,
                    (Verb::Reject, ..) => HeldState::Rejected,
                    (Verb::Reopen, ..) => HeldState::Waits,
                };
                if !excepted && person.state != to {
                    touched.push(person.change.hr_id.clone());
                }
                let key_change = verb == Verb::Approve { key_change: true };
                transaction.execute(
                    "UPDATE held_person SET state = ?3, decided_at = ?4, key_change = ?5 WHERE hold = ?1 AND hr_id = ?2",
                    params![id, person.change.hr_id.as_str(), to.name(), now, key_change],
                )?;
            }
            let state = match verb {
                Verb::Approve { .. } => HoldState::Approved,
                Verb::Reopen => HoldState::Open,
                Verb::Reject => HoldState::Rejected,
            };
            transaction.execute(
                "UPDATE hold SET state = ?2, decided_at = ?3 WHERE id = ?1",
                params![id, state.name(), now],
            )?;
            restate(transaction, id)?;
            if matches!(verb, Verb::Approve { .. }) {
                outdo(transaction, &hold, &touched)?;
            }
            let kind = match verb {
                Verb::Approve { .. } => "approve",
                Verb::Reject => "reject",
                Verb::Reopen => "reopen",
            };
            self.keep_decision(transaction, (&hold.target, &hold.integration), Some(id), kind, decision, &touched, None)?;
            self.note(transaction, &notes(&touched))?;
            Ok(Some(touched))
        })?;
        crate::crash::point("decided");
        Ok(touched)
    }

    /// Keeps somebody until a day, whatever the sources say.
    pub fn keep(
        &self,
        target: &Target,
        integration: &str,
        hr_id: &HrId,
        until: NaiveDate,
        decision: &Decision<'_>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let people = std::slice::from_ref(hr_id);
            let number = self.keep_decision(
                transaction,
                (target.as_str(), integration),
                None,
                "keep",
                decision,
                people,
                Some(until),
            )?;
            transaction.execute(
                "INSERT INTO keep (target, hr_id, until, decision) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (target, hr_id) DO UPDATE SET until = ?3, decision = ?4",
                params![target.as_str(), hr_id.as_str(), until.to_string(), number],
            )?;
            self.note(transaction, notes)
        })?;
        crate::crash::point("decided");
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub(super) fn keep_decision(
        &self,
        transaction: &Transaction<'_>,
        (target, integration): (&str, &str),
        hold: Option<u64>,
        kind: &str,
        decision: &Decision<'_>,
        hr_ids: &[HrId],
        until: Option<NaiveDate>,
    ) -> Result<i64, StoreError> {
        let Decision {
            user,
            on_behalf_of,
            reason,
        } = decision;
        transaction.execute(
            "INSERT INTO decision (target, integration, hold, kind, login, on_behalf_of, reason, at, hr_ids, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                target,
                integration,
                hold,
                kind,
                user,
                on_behalf_of,
                reason,
                self.clock.now().to_rfc3339(),
                serde_json::to_string(hr_ids).expect("hrIds are text"),
                until.map(|until| until.to_string()),
            ],
        )?;
        Ok(transaction.last_insert_rowid())
    }
}

/// Ends the approval of these people of a hold, or of all of them where none is named.
fn wait_again(transaction: &Transaction<'_>, hold: u64, hr_ids: &[HrId]) -> Result<(), StoreError> {
    let sql = "UPDATE held_person SET state = 'waits', decided_at = NULL
               WHERE hold = ?1 AND hr_id = coalesce(?2, hr_id) AND state IN ('approved', 'excepted')";
    let mut update = transaction.prepare_cached(sql)?;
    if hr_ids.is_empty() {
        update.execute(params![hold, None::<&str>])?;
    }
    for hr_id in hr_ids {
        update.execute(params![hold, hr_id.as_str()])?;
    }
    transaction.execute(
        "UPDATE hold SET state = 'open', decided_at = NULL WHERE id = ?1 AND state = 'approved'",
        [hold],
    )?;
    Ok(())
}

/// Ends every approval of a target: its people wait again. Returns the numbers of the holds.
pub(super) fn void_approvals(
    transaction: &Transaction<'_>,
    target: &Target,
) -> Result<Vec<u64>, StoreError> {
    let mut select = transaction.prepare_cached(
        "SELECT id FROM hold h WHERE target = ?1 AND (state = 'approved' OR EXISTS
             (SELECT 1 FROM held_person WHERE hold = h.id AND state IN ('approved', 'excepted'))) ORDER BY id",
    )?;
    let ids = select.query_map([target.as_str()], |row| row.get(0))?;
    let ids = ids.collect::<Result<Vec<u64>, _>>()?;
    for id in &ids {
        wait_again(transaction, *id, &[])?;
    }
    Ok(ids)
}

/// Says of a hold where it stands, from its people: one of people is what they are, and one of a whole plan is over with the last of them.
/// The later decision counts: who is approved for a reason is not rejected for it in another hold any more.
fn outdo(
    transaction: &Transaction<'_>,
    hold: &HoldRecord,
    approved: &[HrId],
) -> Result<(), StoreError> {
    let mut rejected = transaction.prepare_cached(
        "SELECT p.hold FROM held_person p JOIN hold h ON h.id = p.hold
         WHERE h.target = ?1 AND p.hold <> ?2 AND p.hr_id = ?3 AND p.reason = ?4 AND p.state = 'rejected'",
    )?;
    for person in &hold.people {
        let hr_id = &person.change.hr_id;
        if !approved.contains(hr_id) {
            continue;
        }
        let holds: Vec<u64> = rejected
            .query_map(
                params![hold.target, hold.id, hr_id.as_str(), person.reason],
                |row| row.get(0),
            )?
            .collect::<Result<_, _>>()?;
        for other in holds {
            transaction.execute(
                "UPDATE held_person SET state = 'over' WHERE hold = ?1 AND hr_id = ?2",
                params![other, hr_id.as_str()],
            )?;
            restate(transaction, other)?;
        }
    }
    Ok(())
}

fn restate(transaction: &Transaction<'_>, hold: u64) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE hold SET state = CASE
             WHEN NOT EXISTS (SELECT 1 FROM held_person WHERE hold = ?1 AND state <> 'over') THEN 'over'
             WHEN scope = 'plan' THEN state
             WHEN EXISTS (SELECT 1 FROM held_person WHERE hold = ?1 AND state = 'waits') THEN 'open'
             WHEN EXISTS (SELECT 1 FROM held_person WHERE hold = ?1 AND state = 'approved') THEN 'approved'
             ELSE 'rejected' END
         WHERE id = ?1",
        [hold],
    )?;
    Ok(())
}

fn open(
    transaction: &Transaction<'_>,
    now: DateTime<Utc>,
    target: &Target,
    integration: &str,
    run: &str,
    hold: &NewHold,
) -> Result<u64, StoreError> {
    let scope = match hold.scope {
        Scope::People => "people",
        Scope::Plan => "plan",
    };
    transaction.execute(
        "INSERT INTO hold (target, integration, run, opened_at, scope, kind, why, plan_hash, details, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'open')",
        params![
            target.as_str(),
            integration,
            run,
            now.to_rfc3339(),
            scope,
            hold.kind,
            serde_json::to_string(&hold.why).expect("sentences are text"),
            hold.plan_hash,
            hold.details.to_string(),
        ],
    )?;
    let id = u64::try_from(transaction.last_insert_rowid()).expect("row numbers are positive");
    let mut insert = transaction.prepare_cached(
        "INSERT INTO held_person (hold, hr_id, reason, change, cause, active, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for person in &hold.people {
        insert.execute(params![
            id,
            person.change.hr_id.as_str(),
            person.reason,
            text(&person.change),
            person.cause.as_ref().map(text),
            person.active,
            person.state.name(),
        ])?;
    }
    Ok(id)
}

/// Plain values as JSON.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values with text keys")
}

fn one(connection: &rusqlite::Connection, id: u64) -> Result<Option<HoldRecord>, StoreError> {
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
