//! The page: from what was gathered to what the template shows.

use chrono::{DateTime, Utc};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::acts::{decisions, forgotten, restored, settings};
use super::facts::{Gathered, One};
use super::plot::{Plot, float};
use super::rows::{Table, drift, holds, left, outcomes, rate, sources};
use super::weekly::{Span, durations, headcount, moves, runs, weeks};
use super::words::Words;

/// What the page shows of one integration.
#[derive(Debug, Serialize)]
struct Shown {
    title: String,
    environment: String,
    sandbox: bool,
    facts: Vec<(String, String)>,
    headcount: (Plot, Table),
    moves: (Plot, Table),
    runs: (Plot, Table),
    durations: (Plot, Table),
    outcomes: Table,
    holds: Table,
    decisions: Table,
    left: Table,
    forgotten: Table,
    sources: Table,
    drift: Table,
    rate: Table,
}

pub(super) fn render(
    words: Words,
    gathered: &Gathered,
    span: Span,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, String> {
    let labels = words.labels();
    let all: Vec<Shown> = gathered
        .integrations
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let others = gathered.integrations.iter();
            let is_split = others.filter(|other| other.name == one.name).count() > 1;
            shown(words, place, one, is_split, span, now)
        })
        .collect();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .add_template("page.html", include_str!("page.html"))
        .map_err(|error| error.to_string())?;
    let template = environment.get_template("page.html");
    let template = template.map_err(|error| error.to_string())?;
    let head = &gathered.head;
    let page = template
        .render(context! {
            lang => words.say("en", "de"),
            t => Value::from(Serde(&labels)),
            since => words.when(span.0),
            until => words.when(span.1),
            made => words.when(now),
            zone => words.zone.name(),
            full => gathered.full,
            german => words.say(false, true),
            head => if head.seq == 0 { "–".to_owned() } else { format!("{}:{}", head.seq, head.hash) },
            broken => !gathered.checked.breaks.is_empty(),
            begins => gathered.checked.first > 1,
            version => env!("CARGO_PKG_VERSION"),
            integrations => Value::from(Serde(&all)),
            settings => Value::from(Serde(&settings(words, &labels, gathered))),
            restored => Value::from(Serde(&restored(words, &labels, gathered))),
        })
        .map_err(|error| error.to_string())?;
    Ok(page.into_bytes())
}

/// Where an integration pushes to: the word for it, with address and number.
fn environment(one: &One) -> String {
    let place = &one.place;
    let mut told = place.environment.clone();
    if !place.origin.is_empty() && place.origin != place.environment {
        told = format!("{told}, {}", place.origin);
    }
    if place.integration_id > 0 {
        told = format!("{told} (integration {})", place.integration_id);
    }
    told
}

fn shown(
    words: Words,
    place: usize,
    one: &One,
    is_split: bool,
    span: Span,
    now: DateTime<Utc>,
) -> Shown {
    let mut labels = words.labels();
    if one.place.is_sandbox() {
        labels.headcount = labels.in_sandbox;
    }
    let weeks = weeks(words, one, span);
    let people = one.people(span.0).last().map(|(_, people)| *people);
    let facts = [
        (labels.joined, one.joined.len() as u64),
        (labels.left, one.left.len() as u64),
        (labels.changed, one.changed.len() as u64),
        (labels.runs, one.runs.len() as u64),
        (labels.holds_opened, one.holds.len() as u64),
    ];
    let number = |number: u64| words.number(float(number.cast_signed()));
    // Nobody knows of anybody where nothing was acknowledged.
    let people = people.map_or_else(|| "–".to_owned(), number);
    let facts = std::iter::once((labels.headcount.to_owned(), people))
        .chain(facts.map(|(name, value)| (name.to_owned(), number(value))));
    let environment = environment(one);
    Shown {
        title: if is_split {
            format!("{} – {environment}", one.name)
        } else {
            one.name.clone()
        },
        environment,
        sandbox: one.place.is_sandbox(),
        facts: facts.collect(),
        headcount: headcount(words, &labels, place, one, &weeks, span),
        moves: moves(words, &labels, place, &weeks, span),
        runs: runs(words, &labels, place, &weeks, span),
        durations: durations(words, &labels, place, one, &weeks, span),
        outcomes: outcomes(words, &labels, one),
        holds: holds(words, &labels, one),
        decisions: decisions(words, &labels, one),
        left: left(words, &labels, one),
        forgotten: forgotten(words, &labels, one),
        sources: sources(words, &labels, one, now),
        drift: drift(words, &labels, one),
        rate: rate(words, &labels, one),
    }
}
