//! Which holds there are, and everything about one.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::text::{Tally, people_with_new_numbers};
use super::{Desk, NotDecided, Said, refused};
use crate::config::{Config, Integration};
use crate::exit::Exit;
use crate::guard::Cause;
use crate::plan::What;
use crate::roster::{HrId, HrIdMap, render_hrid_map};
use crate::store::{DecisionRecord, HeldPerson, HeldState, HoldRecord, HoldState, Scope};
use crate::sync::{Numbers, numbers, target_of};

fn when(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

fn state(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "open",
        HoldState::Approved => "approved",
        HoldState::Rejected => "rejected",
        HoldState::Over => "over",
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::People => "people",
        Scope::Plan => "the whole plan",
    }
}

fn standing(hold: &HoldRecord) -> Vec<&HeldPerson> {
    let people = hold.people.iter();
    people
        .filter(|person| hold.state == HoldState::Over || person.state != HeldState::Over)
        .collect()
}

/// All holds of the chosen integrations that are not over, or with `all` every one.
pub fn list(desk: &Desk<'_>, all: bool) -> Result<Said, NotDecided> {
    let mut text = String::new();
    let mut items = Vec::new();
    for integration in desk.chosen {
        for hold in desk.store.holds(Some(&target_of(integration)), all)? {
            let tally = Tally::of(&standing(&hold));
            let _ = write!(
                text,
                "{:>4}  {}  {}  {}  since {}  {}",
                hold.id,
                integration.name,
                hold.kind,
                scope(hold.scope),
                when(hold.opened_at),
                state(hold.state),
            );
            if hold.state != HoldState::Over {
                let _ = write!(
                    text,
                    ": {} wait, {} of the leavers with an active ticket",
                    tally.wait, tally.active
                );
            }
            text.push('\n');
            items.push(json!({
                "id": hold.id, "integration": integration.name, "kind": hold.kind, "scope": hold.scope, "run": hold.run,
                "openedAt": hold.opened_at, "state": hold.state, "why": hold.why, "people": standing(&hold).len(),
                "waiting": tally.wait, "activeTickets": tally.active,
            }));
        }
    }
    if items.is_empty() {
        text.push_str("Nobody waits for a decision\n");
    } else {
        let _ = writeln!(text, "More with: {} holds show NUMBER", desk.program);
    }
    Ok(Said {
        text,
        json: json!({ "holds": items, "exitCode": Exit::Done }),
        exit: Exit::Done,
    })
}

fn found(desk: &Desk<'_>, id: u64) -> Result<HoldRecord, NotDecided> {
    match desk.store.hold(id)? {
        Some(hold) => Ok(hold),
        None => refused(format!("There is no hold {id}; `holds` lists them")),
    }
}

/// The file for `hrid_map` that keeps people under the numbers that JobTicket knows: first the HR system's new number, then the known one. What the configured map says of others
/// stays in it.
pub fn pairs(desk: &Desk<'_>, id: u64) -> Result<String, NotDecided> {
    let hold = found(desk, id)?;
    let mut known_by_new: BTreeMap<&HrId, Vec<&HrId>> = BTreeMap::new();
    for person in standing(&hold) {
        if let (Some(Cause::NewNumber { other }), What::Leaves(_)) =
            (&person.cause, &person.change.what)
        {
            let known = known_by_new.entry(other).or_default();
            known.push(&person.change.hr_id);
        }
    }
    if known_by_new.is_empty() {
        return refused(format!("Hold {id} is about nobody with a new number"));
    }
    let numbers = match of_target(desk.config, &hold) {
        Some(integration) => numbers(integration).map_err(NotDecided::Refused)?,
        None => Numbers::default(),
    };
    let given: HashSet<&HrId> = known_by_new.values().flatten().copied().collect();
    let mut lines = numbers.map.lines();
    lines.retain(|(new, known)| !known_by_new.contains_key(new) && !given.contains(known));
    for (new, known) in &known_by_new {
        if let [one] = known[..] {
            lines.push((*new, one));
        } else {
            let number = known.len();
            tracing::warn!(
                "{new} has {number} numbers at JobTicket, of which a map can name one only; it is left out, so add the line that is right"
            );
        }
    }
    let text = render_hrid_map(lines);
    match HrIdMap::parse(text.as_bytes()) {
        Ok(_) => Ok(text),
        Err(error) => refused(format!(
            "These pairs make no map that could be used: line {}: {}",
            error.line, error.what
        )),
    }
}

/// The integration to whose state a hold belongs, if it is still configured.
fn of_target<'d>(config: &'d Config, hold: &HoldRecord) -> Option<&'d Integration> {
    let mut integrations = config.integrations.iter();
    integrations.find(|integration| target_of(integration).as_str() == hold.target)
}

/// Everything about one hold.
pub fn show(desk: &Desk<'_>, id: u64) -> Result<Said, NotDecided> {
    let hold = found(desk, id)?;
    let decisions = desk.store.decisions_on(id)?;
    let next = next_commands(desk.config, desk.program, &hold);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Hold {id} of {}: {}, {}; {} since {} (run {})",
        hold.integration,
        hold.kind,
        scope(hold.scope),
        state(hold.state),
        when(hold.opened_at),
        hold.run
    );
    for why in &hold.why {
        let _ = writeln!(text, "  {why}");
    }
    if let Some(hash) = &hold.plan_hash {
        let hash = hash.get(..16).unwrap_or(hash);
        let _ = writeln!(text, "  the plan: {hash}");
    }
    let people = standing(&hold);
    let tally = Tally::of(&people);
    let _ = writeln!(text, "  If it goes out: {tally}");
    for person in &people {
        line(&mut text, person);
    }
    details(&mut text, &hold.details);
    told(&mut text, &decisions);
    if !next.is_empty() {
        let _ = writeln!(text, "  Then one of:");
    }
    for command in &next {
        let _ = writeln!(text, "    {command}");
    }
    let mut json = serde_json::to_value(&hold).unwrap_or(Value::Null);
    json["waiting"] = json!(tally.wait);
    json["leave"] = json!(tally.leave);
    json["activeTickets"] = json!(tally.active);
    json["decisions"] = json!(decisions);
    json["next"] = json!(next);
    Ok(Said {
        text,
        json: json!({ "hold": json, "exitCode": Exit::Done }),
        exit: Exit::Done,
    })
}

fn line(text: &mut String, person: &HeldPerson) {
    let _ = write!(text, "  {}", person.change);
    let state = match person.state {
        HeldState::Waits => "waits",
        HeldState::Approved => "approved",
        HeldState::Excepted => "excepted",
        HeldState::Rejected => "rejected: stays as it is",
        HeldState::Over => "over",
    };
    let _ = write!(text, ": {state}");
    if let Some(cause) = &person.cause {
        let _ = write!(text, "; {cause}");
    }
    if matches!(person.change.what, What::Leaves(_)) {
        let _ = write!(
            text,
            "; {}",
            match person.active {
                Some(true) => "has an active ticket",
                Some(false) => "has no active ticket",
                None => "whether the ticket is active is not known",
            }
        );
    }
    text.push('\n');
}

/// What the run that opened the hold knew besides.
fn details(text: &mut String, details: &Value) {
    let lines = [
        ("linked", "linked at JobTicket when the hold was opened"),
        ("linkedNotInRoster", "of them not in the roster"),
        ("roster", "people in the roster"),
        ("joiners", "joiners of the plan"),
        ("leavers", "leavers of the plan"),
        ("changed", "changed people of the plan"),
        ("joinersCost", "cost of the joiners, by JobTicket's notice"),
    ];
    for (key, what) in lines {
        match &details[key] {
            Value::Null => {}
            Value::String(value) => {
                let _ = writeln!(text, "  {what}: {value}");
            }
            value => {
                let _ = writeln!(text, "  {what}: {value}");
            }
        }
    }
    let same = details["sameEmailWithoutLink"].as_array();
    let names: Vec<&str> = same
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !names.is_empty() {
        let _ = writeln!(
            text,
            "  {} people of the roster have the e-mail of somebody at JobTicket without a link; whether a push touches those is unknown: {}",
            names.len(),
            names.join(", ")
        );
    }
}

fn told(text: &mut String, decisions: &[DecisionRecord]) {
    for decision in decisions {
        let DecisionRecord {
            decision,
            user,
            on_behalf_of,
            reason,
            at,
            hr_ids,
            ..
        } = decision;
        let _ = write!(text, "  {} {decision} by {user}", when(*at));
        if let Some(name) = on_behalf_of {
            let _ = write!(text, " on behalf of {name}");
        }
        let _ = writeln!(text, ", {} people: {reason}", hr_ids.len());
    }
}

/// The commands with which one can go on.
pub(crate) fn next_commands(config: &Config, program: &str, hold: &HoldRecord) -> Vec<String> {
    let id = hold.id;
    let configured = of_target(config, hold).filter(|_| hold.state != HoldState::Over);
    let Some(integration) = configured else {
        return Vec::new();
    };
    if matches!(hold.kind.as_str(), "not ours" | "restored") {
        let name = &integration.name;
        return vec![format!("{program} adopt {name} --reason TEXT")];
    }
    let people = standing(hold);
    let mut commands = Vec::new();
    if people_with_new_numbers(&people) > 0 {
        commands.push(format!("{program} holds show {id} --pairs > map.csv"));
        commands.push(format!(
            "{program} approve {id} --accept-key-change --reason TEXT"
        ));
    } else if hold.state != HoldState::Approved {
        commands.push(format!("{program} approve {id} --reason TEXT"));
    }
    if hold.state != HoldState::Approved && people.len() > 1 {
        commands.push(format!(
            "{program} approve {id} --except HRID --reason TEXT"
        ));
    }
    if hold.state != HoldState::Rejected {
        commands.push(format!("{program} reject {id} --reason TEXT"));
    }
    if hold.state != HoldState::Open {
        commands.push(format!("{program} holds reopen {id} --reason TEXT"));
    }
    let leaves = |person: &&HeldPerson| matches!(person.change.what, What::Leaves(_));
    if people.iter().copied().any(|person| leaves(&person)) {
        commands.push(format!(
            "{program} keep HRID --until YYYY-MM-DD --reason TEXT"
        ));
    }
    commands
}
