//! Decisions on a hold: approve, reject, reopen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::text::{Tally, named, people_with_new_numbers};
use super::{Desk, NotDecided, Said, Words, notes, over, refused};
use crate::exit::Exit;
use crate::guard::Cause;
use crate::plan::What;
use crate::roster::HrId;
use crate::store::{HeldPerson, HeldState, HoldRecord, Scope, Verb};

/// How something is approved.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// People who are not approved with the others.
    pub except: &'a [String],
    /// Nobody need be asked.
    pub yes: bool,
    /// It was said that people get new numbers.
    pub accept_key_change: bool,
}

/// Says that the people of a hold may go.
pub fn approve(
    desk: &Desk<'_>,
    id: u64,
    approval: Approval<'_>,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let (hold, integration) = desk.hold(id)?;
    if matches!(hold.kind.as_str(), "not ours" | "restored") {
        return refused(format!(
            "Hold {id} cannot be approved: {}. `{} adopt {}` does that; nothing was recorded",
            hold.why.join("; "),
            desk.program,
            integration.name
        ));
    }
    let except = excepted(&hold, approval.except)?;
    let meant: Vec<&HeldPerson> = hold
        .people
        .iter()
        .filter(|person| person.state != HeldState::Over)
        .filter(|person| !except.contains(&person.change.hr_id))
        .collect();
    // A plan may wait without changing anybody, for what it is made of is in question.
    if meant.is_empty() && !(hold.scope == Scope::Plan && except.is_empty()) {
        return refused(
            "All of its people are excepted: that approves nobody. Nothing was recorded",
        );
    }
    let renumbered = people_with_new_numbers(&meant);
    if renumbered > 0 && !approval.accept_key_change {
        return refused(format!(
            "{renumbered} people have new numbers. Approving may end {renumbered} tickets. Map them: `{} holds show {id} --pairs` writes the file for hrid_map. Where they really are other people, approve with --accept-key-change. Nothing was recorded",
            desk.program
        ));
    }
    let tally = Tally::of(&meant);
    let mut summary = format!("Hold {id} of {}: {tally}\n", integration.name);
    summary += &named(&meant);
    if renumbered > 0 {
        let _ = writeln!(
            summary,
            "  {renumbered} people have new numbers: approving may end {renumbered} tickets"
        );
    }
    if !except.is_empty() {
        let names: Vec<&str> = except.iter().map(HrId::as_str).collect();
        let _ = writeln!(
            summary,
            "  excepted, and not approved: {}",
            names.join(", ")
        );
    }
    let kept = kept(desk, &hold, &meant)?;
    if !kept.is_empty() {
        let _ = writeln!(
            summary,
            "  kept by an earlier decision, and therefore not leaving: {}",
            kept.join(", ")
        );
    }
    let rejected = rejected(desk, &hold, &meant)?;
    if !rejected.is_empty() {
        let _ = writeln!(
            summary,
            "  rejected before, which this approval outdoes: {}",
            rejected.join(", ")
        );
    }
    if hold.scope == Scope::Plan {
        let hash = hold.plan_hash.as_deref().unwrap_or_default();
        let _ = writeln!(
            summary,
            "  This covers exactly the plan {}: as soon as anything in it is different, it waits again",
            hash.get(..16).unwrap_or(hash)
        );
    }
    desk.confirm(approval.yes, &summary, "Approve this?")?;
    let verb = Verb::Approve {
        key_change: approval.accept_key_change,
    };
    let told = desk
        .store
        .decide(id, verb, &except, &words.decision(desk.user), |touched| {
            let mut told = words.event("approve", desk.user);
            told.hold = Some(id);
            told.hr_ids = texts(touched);
            told.except = except.iter().map(ToString::to_string).collect();
            told.key_change = approval.accept_key_change && renumbered > 0;
            notes(integration, vec![told.into()])
        })?;
    let touched = told.ok_or_else(|| NotDecided::Refused(over(id)))?;
    desk.log()?;
    let hours = integration.limits.approval_hours;
    let mut text = if approval.yes { summary } else { String::new() };
    let _ = writeln!(text, "Approved, for {hours} hours. The next run acts on it");
    let json = json!({
        "decision": "approve", "hold": id, "integration": integration.name, "hrIds": touched, "except": except,
        "leave": tally.leave, "activeTickets": tally.active, "join": tally.join, "change": tally.change,
        "planHash": hold.plan_hash, "hours": hours, "exitCode": Exit::Done,
    });
    Ok(Said {
        text,
        json,
        exit: Exit::Done,
    })
}

/// People of a hold who were rejected in another one for the same reason, with that hold.
fn rejected(
    desk: &Desk<'_>,
    hold: &HoldRecord,
    meant: &[&HeldPerson],
) -> Result<Vec<String>, NotDecided> {
    let holds = desk.store.holds(None, false)?;
    let others = holds
        .iter()
        .filter(|other| other.target == hold.target && other.id != hold.id);
    let mut found = Vec::new();
    for other in others {
        let stands = |person: &&HeldPerson| {
            person.state == HeldState::Rejected
                && meant.iter().any(|one| {
                    one.change.hr_id == person.change.hr_id && one.reason == person.reason
                })
        };
        let people = other.people.iter().filter(stands);
        found.extend(people.map(|person| format!("{} (hold {})", person.change.hr_id, other.id)));
    }
    Ok(found)
}

/// The people who were excepted, each of whom must stand in the hold. Who is one person under two numbers is excepted under both.
fn excepted(hold: &HoldRecord, except: &[String]) -> Result<BTreeSet<HrId>, NotDecided> {
    let mut found = BTreeSet::new();
    let mut unknown = Vec::new();
    for text in except {
        let person = hold
            .people
            .iter()
            .find(|person| person.change.hr_id.as_str() == text && person.state != HeldState::Over);
        let Some(person) = person else {
            unknown.push(text.as_str());
            continue;
        };
        found.insert(person.change.hr_id.clone());
    }
    // Several old numbers may have become one, so this goes on until nobody is added.
    loop {
        let before = found.len();
        for person in &hold.people {
            if let Some(Cause::NewNumber { other }) = &person.cause {
                let pair = [&person.change.hr_id, other];
                if pair.iter().any(|hr_id| found.contains(*hr_id)) {
                    found.extend(pair.map(HrId::clone));
                }
            }
        }
        if found.len() == before {
            break;
        }
    }
    if !unknown.is_empty() {
        return refused(format!(
            "Hold {} has nobody waiting with the hrId {}; nothing was recorded",
            hold.id,
            unknown.join(", ")
        ));
    }
    Ok(found)
}

/// Of these people those who would leave and whom somebody keeps today.
fn kept(
    desk: &Desk<'_>,
    hold: &HoldRecord,
    meant: &[&HeldPerson],
) -> Result<Vec<String>, NotDecided> {
    let (_, integration) = desk.hold(hold.id)?;
    let target = crate::sync::target_of(integration);
    let today = desk.clock.today(desk.config.timezone);
    let decided = desk.store.decided(&target, desk.clock.now(), today)?;
    let leaves = |person: &&&HeldPerson| matches!(person.change.what, What::Leaves(_));
    let names = meant.iter().filter(leaves);
    Ok(names
        .filter_map(|person| {
            let hr_id = &person.change.hr_id;
            let until = decided.kept.get(hr_id)?;
            Some(format!("{hr_id} until {until}"))
        })
        .collect())
}

fn texts(hr_ids: &[HrId]) -> Vec<String> {
    hr_ids.iter().map(ToString::to_string).collect()
}

/// Says that the people of a hold stay as they are.
pub fn reject(desk: &Desk<'_>, id: u64, words: Words<'_>) -> Result<Said, NotDecided> {
    let then = "Rejected. These people stay as they are until they are no longer in question, or until `holds reopen` and `approve`";
    simple(desk, id, Verb::Reject, "reject", then, words)
}

/// Asks about the people of a hold again.
pub fn reopen(desk: &Desk<'_>, id: u64, words: Words<'_>) -> Result<Said, NotDecided> {
    let then = "Reopened: its people wait for a decision again";
    simple(desk, id, Verb::Reopen, "reopen", then, words)
}

fn simple(
    desk: &Desk<'_>,
    id: u64,
    verb: Verb,
    name: &str,
    then: &str,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let (hold, integration) = desk.hold(id)?;
    let told = desk.store.decide(
        id,
        verb,
        &BTreeSet::new(),
        &words.decision(desk.user),
        |touched| {
            let mut told = words.event(name, desk.user);
            told.hold = Some(id);
            told.hr_ids = texts(touched);
            notes(integration, vec![told.into()])
        },
    )?;
    let touched = told.ok_or_else(|| NotDecided::Refused(over(id)))?;
    desk.log()?;
    let meant: Vec<&HeldPerson> = hold
        .people
        .iter()
        .filter(|person| person.state != HeldState::Over)
        .collect();
    let text = format!(
        "Hold {id} of {}, {} people:\n{}{then}. The next run acts on it\n",
        integration.name,
        meant.len(),
        named(&meant)
    );
    let json = json!({
        "decision": name, "hold": id, "integration": integration.name, "hrIds": touched, "exitCode": Exit::Done,
    });
    Ok(Said {
        text,
        json,
        exit: Exit::Done,
    })
}
