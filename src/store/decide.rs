//! What is written of holds: by a run that opens and ends them, and by a person who decides.
//!
//! Each is one transaction with the lines that tell of it. A hold that is over stays over: what was decided of it after that is not recorded.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Transaction, params};
use serde::Serialize;

use super::holds::{
    Decision, HeldState, HoldRecord, HoldState, HoldsUpdate, NewHold, Scope, Verb, one,
};
use super::{Notes, Store, StoreError, Target};
use crate::roster::HrId;

impl Store {
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

/// Says of a hold where it stands, from its people: one of people is what they are, and one of a whole plan is over with the last of them.
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
