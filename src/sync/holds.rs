//! What a run does about holds: opens those that its judgement asks for, and ends those whose people are not in question any more.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::people::Stage;
use super::{Run, RunReport, Stop, off};
use crate::audit::Event;
use crate::guard::{Cause, Decided, Judgement, Question, Stopped};
use crate::jobticket::There;
use crate::plan::{Change, Known, Plan, What};
use crate::roster::HrId;
use crate::store::{
    HeldPerson, HeldState, HoldRecord, HoldState, HoldsUpdate, NewHold, Note, Scope,
};
use crate::sync::report::Waiting;

impl Run<'_> {
    /// Loads what was decided and still holds, and the holds that are not over.
    pub(super) fn load_decisions(&mut self) -> Result<(), Stop> {
        let store = self.context.store;
        let hours = i64::from(self.integration.limits.approval_hours);
        let since = self.context.clock.now() - chrono::Duration::hours(hours);
        let today = self.selection().today;
        self.decided = off(|| store.decided(&self.target, since, today))?;
        self.holds = off(|| store.holds(Some(&self.target), false))?;
        self.expire();
        Ok(())
    }

    /// Approvals that are too old count as none: their people wait in the hold in which they stand.
    fn expire(&mut self) {
        let Decided {
            approvals, plans, ..
        } = &self.decided;
        self.expired.clear();
        for hold in &mut self.holds {
            let id = hold.id;
            if hold.scope == Scope::Plan {
                let approved = hold.state == HoldState::Approved;
                if approved && !plans.iter().any(|plan| plan.hold == id) {
                    hold.state = HoldState::Open;
                    for person in &mut hold.people {
                        person.state = HeldState::Waits;
                    }
                    self.expired.push((id, Vec::new()));
                }
                continue;
            }
            let valid = |person: &HeldPerson| {
                let of_person = approvals.get(&person.change.hr_id);
                of_person.is_some_and(|all| all.iter().any(|approval| approval.hold == id))
            };
            let mut expired = Vec::new();
            for person in &mut hold.people {
                if person.state == HeldState::Approved && !valid(person) {
                    person.state = HeldState::Waits;
                    expired.push(person.change.hr_id.clone());
                }
            }
            if !expired.is_empty() {
                hold.state = HoldState::Open;
                self.expired.push((id, expired));
            }
        }
    }

    /// Ends the hold of a whole plan, whose approval this run acts on.
    pub(super) fn end_plan(&mut self, id: u64) -> Result<(), Stop> {
        let update = HoldsUpdate {
            plans_over: vec![id],
            ..HoldsUpdate::default()
        };
        self.write_holds(&update)?;
        self.expire();
        Ok(())
    }

    /// Whether somebody in question does not stand in an open hold yet, so that a new one will be opened.
    pub(super) fn asks_anew(&self, judged: &Judgement) -> bool {
        if let Some(hold) = &judged.whole {
            return self.standing_plan(&hold.plan_hash, hold.kind()).is_none();
        }
        let known = |question: &Question| self.standing(question).is_some();
        judged.questions.iter().any(|question| !known(question)) || !self.holds.is_empty()
    }

    fn standing_plan(&self, hash: &str, kind: &str) -> Option<&HoldRecord> {
        self.holds.iter().find(|hold| {
            hold.scope == Scope::Plan
                && hold.state != HoldState::Over
                && hold.kind == kind
                && hold.plan_hash.as_deref() == Some(hash)
        })
    }

    fn standing(&self, question: &Question) -> Option<&HoldRecord> {
        self.holds.iter().find(|hold| {
            hold.scope == Scope::People
                && hold.people.iter().any(|person| {
                    person.change.hr_id == question.change.hr_id
                        && person.reason == question.reason
                        && (person.state == HeldState::Waits
                            || (person.state == HeldState::Rejected
                                && person.cause == Some(Cause::Refused)))
                })
        })
    }

    /// Brings the holds up to date with a judgement, and tells the report who waits where.
    pub(super) fn update_holds(
        &mut self,
        plan: &Plan,
        judged: &Judgement,
        stage: &Stage,
        known: &Known,
        there: Option<&There>,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let mut update = HoldsUpdate::default();
        if !stage.failed {
            self.end_holds(plan, judged, &mut update);
        }
        self.expired(judged, &mut update);
        let active = |hr_id: &HrId| there?.linked.get(hr_id)?.active;
        if let Some(hold) = &judged.whole {
            if self.standing_plan(&hold.plan_hash, hold.kind()).is_none() {
                // A rejected plan goes on as its people.
                let held = self
                    .holds
                    .iter()
                    .filter(|old| old.scope == Scope::Plan && old.state != HoldState::Rejected);
                update.plans_over.extend(held.map(|old| old.id));
                let person = |change: &crate::plan::Change| HeldPerson {
                    change: change.clone(),
                    reason: plan.reason(change),
                    cause: judged
                        .questions
                        .iter()
                        .find(|question| question.change.hr_id == change.hr_id)
                        .map(|question| question.cause.clone()),
                    active: active(&change.hr_id),
                    state: HeldState::Waits,
                };
                update.open.push(NewHold {
                    scope: Scope::Plan,
                    kind: hold.kind().to_owned(),
                    why: hold.why(),
                    plan_hash: Some(hold.plan_hash.clone()),
                    details: self.details(plan, known, there),
                    people: plan.changes.iter().map(person).collect(),
                });
            }
        } else {
            let mut by_kind: BTreeMap<&str, Vec<&Question>> = BTreeMap::new();
            for question in &judged.questions {
                if self.standing(question).is_none() {
                    by_kind
                        .entry(question.cause.kind())
                        .or_default()
                        .push(question);
                }
            }
            for (kind, questions) in by_kind {
                let person = |question: &&Question| HeldPerson {
                    change: question.change.clone(),
                    reason: question.reason.clone(),
                    cause: Some(question.cause.clone()),
                    active: active(&question.change.hr_id),
                    state: HeldState::Waits,
                };
                update.open.push(NewHold {
                    scope: Scope::People,
                    kind: kind.to_owned(),
                    why: why(kind, &questions, judged),
                    plan_hash: None,
                    details: self.details(plan, known, there),
                    people: questions.iter().map(person).collect(),
                });
            }
        }
        self.write_holds(&update)?;
        self.tell_waiting(judged, report);
        Ok(())
    }

    /// People who are not in question any more: they went, or are as they were.
    fn end_holds(&self, plan: &Plan, judged: &Judgement, update: &mut HoldsUpdate) {
        let asked = |hr_id: &HrId, reason: &str| {
            let change = plan.change(hr_id);
            change.is_some_and(|change| plan.reason(change) == reason)
        };
        for hold in &self.holds {
            let is_plan = hold.scope == Scope::Plan;
            // A rejected plan goes on as its people.
            if is_plan && hold.state != HoldState::Rejected {
                let same = hold.plan_hash.as_deref() == Some(&plan.hash);
                let still = judged.whole.as_ref().is_some_and(|whole| {
                    whole.kind() == hold.kind && hold.plan_hash.as_deref() == Some(&whole.plan_hash)
                });
                let used = same && hold.state == HoldState::Approved;
                if !still && !used {
                    update.plans_over.push(hold.id);
                }
                continue;
            }
            for person in &hold.people {
                let hr_id = &person.change.hr_id;
                let asked = asked(hr_id, &person.reason);
                // Whether JobTicket still refuses somebody, only a push shows.
                let refused = person.cause == Some(Cause::Refused);
                if person.state != HeldState::Over && !asked && !refused {
                    update.over.push((hold.id, hr_id.clone()));
                }
            }
        }
    }

    /// Approvals that are too old, or that the state of things has made void: their people wait again.
    fn expired(&self, judged: &Judgement, update: &mut HoldsUpdate) {
        let void = judged.whole.as_ref().is_some_and(|hold| {
            matches!(
                hold.stopped,
                Some(Stopped::NotOurs { .. } | Stopped::Restored)
            )
        });
        let expired = self.expired.iter().cloned();
        let over = &update.plans_over;
        update
            .wait_again
            .extend(expired.filter(|(id, _)| !over.contains(id)));
        if void {
            let approved = self.holds.iter().filter(|hold| {
                let mut people = hold.people.iter();
                let stands = !over.contains(&hold.id);
                let any = people.any(|person| person.state == HeldState::Approved);
                stands && (any || hold.state == HoldState::Approved)
            });
            let all = approved.map(|hold| (hold.id, Vec::new()));
            update.wait_again.extend(all);
        }
    }

    fn write_holds(&mut self, update: &HoldsUpdate) -> Result<(), Stop> {
        let nothing = update.open.is_empty()
            && update.over.is_empty()
            && update.plans_over.is_empty()
            && update.wait_again.is_empty();
        if nothing || self.options.dry_run || self.silent {
            return Ok(());
        }
        let store = self.context.store;
        let notes = |opened: &[u64]| {
            let mut notes: Vec<Note> = Vec::new();
            for hold in &self.holds {
                let over: Vec<String> = update
                    .over
                    .iter()
                    .filter(|(id, _)| *id == hold.id)
                    .map(|(_, hr_id)| hr_id.to_string())
                    .collect();
                if !over.is_empty() || update.plans_over.contains(&hold.id) {
                    let event = Event::HoldOver {
                        hold: hold.id,
                        hr_ids: over,
                    };
                    notes.push(event.into());
                }
                let again = update.wait_again.iter().filter(|(id, _)| *id == hold.id);
                for (hold, hr_ids) in again {
                    let event = Event::ApprovalVoid {
                        hold: *hold,
                        hr_ids: hr_ids.iter().map(ToString::to_string).collect(),
                    };
                    notes.push(event.into());
                }
            }
            for (hold, id) in update.open.iter().zip(opened) {
                let event = Event::HoldOpened {
                    hold: *id,
                    scope: match hold.scope {
                        Scope::People => "people".to_owned(),
                        Scope::Plan => "plan".to_owned(),
                    },
                    kind: hold.kind.clone(),
                    why: hold.why.clone(),
                    plan_hash: hold.plan_hash.clone(),
                    people: hold.people.len(),
                };
                notes.push(event.into());
                for person in &hold.people {
                    let event = Event::Held {
                        hold: *id,
                        change: person.change.clone(),
                        cause: person.cause.clone(),
                        active_ticket: person.active,
                    };
                    notes.push(event.into());
                }
            }
            self.notes(notes)
        };
        off(|| store.update_holds(&self.target, &self.integration.name, self.id, update, notes))?;
        crate::crash::point("held");
        self.holds = off(|| store.holds(Some(&self.target), false))?;
        Ok(())
    }

    /// Tells the report who waits, and in which hold.
    fn tell_waiting(&self, judged: &Judgement, report: &mut RunReport) {
        report.counting = judged
            .counting
            .iter()
            .map(|(hr_id, days)| (hr_id.clone(), *days))
            .collect();
        report.kept.clone_from(&judged.kept);
        if let Some(hold) = &judged.whole {
            let standing = self.standing_plan(&hold.plan_hash, hold.kind());
            report.hold_id = standing.map(|hold| hold.id);
            return;
        }
        report.waiting = judged
            .questions
            .iter()
            .map(|question| Waiting {
                hold: self.standing(question).map(|hold| hold.id),
                question: question.clone(),
            })
            .collect();
    }

    /// Opens a hold for people in question who turned up after the judgement, unless they stand in one.
    pub(super) fn ask_anew(
        &mut self,
        questions: Vec<Question>,
        there: Option<&There>,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let mut update = HoldsUpdate::default();
        let new: Vec<&Question> = questions
            .iter()
            .filter(|question| self.standing(question).is_none())
            .collect();
        if let Some(first) = new.first() {
            let person = |question: &&Question| HeldPerson {
                change: question.change.clone(),
                reason: question.reason.clone(),
                cause: Some(question.cause.clone()),
                active: there
                    .and_then(|there| there.linked.get(&question.change.hr_id))
                    .and_then(|linked| linked.active),
                state: HeldState::Waits,
            };
            update.open.push(NewHold {
                scope: Scope::People,
                kind: first.cause.kind().to_owned(),
                why: vec![first.cause.to_string()],
                plan_hash: None,
                details: json!({}),
                people: new.iter().map(person).collect(),
            });
        }
        self.write_holds(&update)?;
        report
            .waiting
            .extend(questions.into_iter().map(|question| Waiting {
                hold: self.standing(&question).map(|hold| hold.id),
                question,
            }));
        Ok(())
    }

    /// JobTicket has taken a push: whom it refused before, it does not refuse any more.
    pub(super) fn accepted_after_all(&mut self) -> Result<(), Stop> {
        let mut update = HoldsUpdate::default();
        for hold in &self.holds {
            for person in &hold.people {
                if person.cause == Some(Cause::Refused) && person.state != HeldState::Over {
                    update.over.push((hold.id, person.change.hr_id.clone()));
                }
            }
        }
        self.write_holds(&update)
    }

    /// JobTicket has taken a plan: what was approved of it has gone out, and is no hold any more. `plan_hash` is that of the plan as it was judged, `reasons` are those of
    /// people in holds who do not wait, `went` is what is left of them after amendments.
    pub(super) fn end_acted_on(
        &mut self,
        plan_hash: &str,
        reasons: &HashMap<HrId, String>,
        went: &[Change],
    ) -> Result<(), Stop> {
        let went = |hr_id: &HrId| {
            let place = went.binary_search_by(|change| change.hr_id.cmp(hr_id));
            place.is_ok()
        };
        let mut update = HoldsUpdate::default();
        for hold in &self.holds {
            if hold.scope == Scope::Plan {
                let same = hold.plan_hash.as_deref() == Some(plan_hash);
                if same && hold.state == HoldState::Approved {
                    update.plans_over.push(hold.id);
                }
                continue;
            }
            for person in &hold.people {
                let hr_id = &person.change.hr_id;
                let same = reasons.get(hr_id) == Some(&person.reason);
                if same && went(hr_id) && person.state == HeldState::Approved {
                    update.over.push((hold.id, hr_id.clone()));
                }
            }
        }
        self.write_holds(&update)
    }

    /// What a person who decides wants to know besides.
    fn details(&self, plan: &Plan, known: &Known, there: Option<&There>) -> serde_json::Value {
        let mut details = serde_json::Map::new();
        let counts = plan.counts();
        let cost = &self.integration.joiner_cost;
        details.insert("roster".to_owned(), json!(plan.entries.len()));
        details.insert("joiners".to_owned(), json!(counts.joiners));
        details.insert("leavers".to_owned(), json!(counts.leavers));
        details.insert("changed".to_owned(), json!(counts.changed));
        #[expect(clippy::cast_precision_loss, reason = "a headcount")]
        let amount = cost.amount * counts.joiners as f64;
        details.insert(
            "joinersCost".to_owned(),
            json!(format!("{amount:.2} {}", cost.currency)),
        );
        if let Some(there) = there {
            let unlinked: Vec<&HrId> = plan
                .entries
                .iter()
                .filter(|entry| !known.contains(&entry.employee().hr_id))
                .filter(|entry| {
                    there
                        .unlinked_emails
                        .contains_key(&*entry.employee().email_key())
                })
                .map(|entry| &entry.employee().hr_id)
                .collect();
            let not_in_roster = plan.changes.iter().filter(|change| {
                matches!(change.what, What::Leaves(_)) && there.linked.contains_key(&change.hr_id)
            });
            details.insert("linked".to_owned(), json!(there.linked.len()));
            details.insert("linkedNotInRoster".to_owned(), json!(not_in_roster.count()));
            details.insert("sameEmailWithoutLink".to_owned(), json!(unlinked));
        }
        serde_json::Value::Object(details)
    }
}

/// What tripped for people who wait for one kind of reason.
fn why(kind: &str, questions: &[&Question], judged: &Judgement) -> Vec<String> {
    use crate::guard::Which;
    let which: &[Which] = match kind {
        "leavers" => &[Which::Leavers, Which::Window],
        "explained leavers" => &[Which::ExplainedLeavers],
        "joiners" => &[Which::Joiners],
        _ => &[],
    };
    let tripped: Vec<String> = judged
        .trips
        .iter()
        .filter(|trip| which.contains(&trip.limit))
        .map(ToString::to_string)
        .collect();
    if tripped.is_empty() {
        let mut causes: Vec<String> = questions
            .iter()
            .map(|question| match &question.cause {
                Cause::NewNumber { .. } => "one person under two numbers".to_owned(),
                cause => cause.to_string(),
            })
            .collect();
        causes.sort();
        causes.dedup();
        causes
    } else {
        tripped
    }
}
