//! The page: from what was gathered to what the template shows.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::gather::{Gathered, One, Run};
use super::plot::{Axes, Plot, float};
use super::rows::{Table, decisions, drift, holds, left, outcomes, rate, sources};
use super::words::{Labels, Words};

/// What the page shows of one integration.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
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
    sources: Table,
    drift: Table,
    rate: Table,
}

type Span = (DateTime<Utc>, DateTime<Utc>);

/// A week, by its Monday, and what happened in it.
#[derive(Debug, Default, Clone)]
struct Week {
    people: Option<u64>,
    joined: u32,
    left: u32,
    changed: u32,
    done: u32,
    held: u32,
    failed: u32,
    seconds: Vec<f64>,
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
        .map(|(place, one)| shown(words, place, one, span, now))
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
        })
        .map_err(|error| error.to_string())?;
    Ok(page.into_bytes())
}

/// The Monday of a time.
fn monday(words: Words, at: DateTime<Utc>) -> NaiveDate {
    let day = at.with_timezone(&words.zone).date_naive();
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}

fn begin(words: Words, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let local = words.zone.from_local_datetime(&midnight).earliest();
    local.map_or_else(|| midnight.and_utc(), |local| local.to_utc())
}

/// Every week of the span, those without anything too.
fn weeks(words: Words, one: &One, (since, until): Span) -> BTreeMap<NaiveDate, Week> {
    let mut weeks = BTreeMap::new();
    let mut day = monday(words, since);
    while begin(words, day) < until {
        weeks.insert(day, Week::default());
        day = day + Days::new(7);
    }
    let mut in_week = |at: DateTime<Utc>, change: &mut dyn FnMut(&mut Week)| {
        change(weeks.entry(monday(words, at)).or_default());
    };
    for (at, people) in &one.headcount {
        in_week(*at, &mut |week| week.people = Some(*people));
    }
    for (at, _) in &one.joined {
        in_week(*at, &mut |week| week.joined += 1);
    }
    for left in &one.left {
        in_week(left.at, &mut |week| week.left += 1);
    }
    for at in &one.changed {
        in_week(*at, &mut |week| week.changed += 1);
    }
    for run in &one.runs {
        in_week(run.started, &mut |week| {
            match class(run) {
                "done" => week.done += 1,
                "held" => week.held += 1,
                _ => week.failed += 1,
            }
            week.seconds.push(run.seconds);
        });
    }
    let mut last = None;
    for week in weeks.values_mut() {
        last = week.people.or(last);
        week.people = last;
    }
    weeks
}

/// Of which of three kinds the end of a run was.
fn class(run: &Run) -> &'static str {
    match run.outcome.as_str() {
        "unchanged" | "pushed" => "done",
        "held" | "paused" | "stopped" | "another run in progress" => "held",
        _ => "failed",
    }
}

fn shown(words: Words, place: usize, one: &One, span: Span, now: DateTime<Utc>) -> Shown {
    let labels = words.labels();
    let weeks = weeks(words, one, span);
    let status = one.status.as_ref();
    let facts = [
        (
            labels.headcount,
            one.headcount.last().map_or(0, |(_, people)| *people),
        ),
        (labels.joined, one.joined.len() as u64),
        (labels.left, one.left.len() as u64),
        (labels.changed, one.changed.len() as u64),
        (labels.runs, one.runs.len() as u64),
        (labels.holds_opened, one.holds.len() as u64),
    ];
    let facts =
        facts.map(|(name, number)| (name.to_owned(), words.number(float(number.cast_signed()))));
    Shown {
        name: one.name.clone(),
        environment: status.map_or_else(String::new, |status| status.environment.clone()),
        sandbox: status.is_some_and(|status| status.sandbox),
        facts: facts.to_vec(),
        headcount: headcount(words, &labels, place, one, &weeks, span),
        moves: moves(words, &labels, place, &weeks, span),
        runs: runs(words, &labels, place, &weeks, span),
        durations: durations(words, &labels, place, one, &weeks, span),
        outcomes: outcomes(words, &labels, one),
        holds: holds(words, &labels, one),
        decisions: decisions(words, &labels, one),
        left: left(words, &labels, one),
        sources: sources(words, &labels, one, now),
        drift: drift(words, &labels, one),
        rate: rate(words, &labels, one),
    }
}

fn plot(id: &str, place: usize, title: &str, description: String) -> Plot {
    Plot {
        id: format!("{id}-{place}"),
        title: title.to_owned(),
        description,
        ..Plot::default()
    }
}

fn headcount(
    words: Words,
    labels: &Labels,
    place: usize,
    one: &One,
    weeks: &BTreeMap<NaiveDate, Week>,
    span: Span,
) -> (Plot, Table) {
    let values = one
        .headcount
        .iter()
        .map(|(_, people)| float(people.cast_signed()));
    let range = |words: Words, fold: fn(f64, f64) -> f64, from: f64| {
        words.number(values.clone().fold(from, fold))
    };
    let description = if one.headcount.is_empty() {
        labels.none.to_owned()
    } else {
        let (low, high) = (
            range(words, f64::min, f64::MAX),
            range(words, f64::max, 0.0),
        );
        words.say(
            format!("A line between {low} and {high} people."),
            format!("Eine Linie zwischen {low} und {high} Personen."),
        )
    };
    let axes = Axes::new(span, values.clone(), false);
    let mut plot = plot("headcount", place, labels.headcount, description);
    axes.draw(words, &mut plot);
    plot.path = axes.steps(&one.headcount, span.1);
    let mut table = Table::new(
        labels.headcount,
        &[(labels.week, false), (labels.people, true)],
    );
    for (day, week) in weeks {
        let people = week.people.map_or_else(
            || "–".to_owned(),
            |people| words.number(float(people.cast_signed())),
        );
        table.rows.push(vec![words.day(*day), people]);
    }
    (plot, table)
}

fn moves(
    words: Words,
    labels: &Labels,
    place: usize,
    weeks: &BTreeMap<NaiveDate, Week>,
    span: Span,
) -> (Plot, Table) {
    let values = weeks
        .values()
        .flat_map(|week| [week.joined.into(), week.left.into()]);
    let axes = Axes::new(span, values, true);
    let (joined, gone) = weeks.values().fold((0, 0), |(joined, left), week| {
        (joined + week.joined, left + week.left)
    });
    let description = words.say(
        format!("Two bars for each week: {joined} people joined and {gone} left in all."),
        format!("Zwei Balken je Woche: insgesamt {joined} Zugänge und {gone} Abgänge."),
    );
    let mut plot = plot("moves", place, labels.moves, description);
    plot.legend = vec![
        ("joined", labels.joined.to_owned()),
        ("left", labels.left.to_owned()),
    ];
    axes.draw(words, &mut plot);
    let columns = [
        (labels.week, false),
        (labels.joined, true),
        (labels.left, true),
        (labels.changed, true),
    ];
    let mut table = Table::new(labels.moves, &columns);
    for (day, week) in weeks {
        let at = begin(words, *day);
        for (which, (number, class)) in [(week.joined, "joined"), (week.left, "left")]
            .into_iter()
            .enumerate()
        {
            if number > 0 {
                let which = u32::try_from(which).unwrap_or(0);
                plot.bars
                    .push(axes.bar(at, (0.0, number.into()), (which, 2), class));
            }
        }
        let numbers = [week.joined, week.left, week.changed];
        let mut row = vec![words.day(*day)];
        row.extend(numbers.map(|number| words.number(number.into())));
        table.rows.push(row);
    }
    (plot, table)
}

fn runs(
    words: Words,
    labels: &Labels,
    place: usize,
    weeks: &BTreeMap<NaiveDate, Week>,
    span: Span,
) -> (Plot, Table) {
    let values = weeks
        .values()
        .map(|week| f64::from(week.done + week.held + week.failed));
    let axes = Axes::new(span, values, true);
    let (mut done, mut held, mut failed) = (0, 0, 0);
    for week in weeks.values() {
        done += week.done;
        held += week.held;
        failed += week.failed;
    }
    let description = words.say(
        format!("A bar for each week: {done} runs were done, {held} held and {failed} failed in all."),
        format!("Ein Balken je Woche: insgesamt {done} Läufe erledigt, {held} angehalten und {failed} gescheitert."),
    );
    let mut plot = plot("runs", place, labels.runs, description);
    plot.legend = vec![
        ("done", labels.done.to_owned()),
        ("held", labels.held.to_owned()),
        ("failed", labels.failed.to_owned()),
    ];
    axes.draw(words, &mut plot);
    let columns = [
        (labels.week, false),
        (labels.done, true),
        (labels.held, true),
        (labels.failed, true),
    ];
    let mut table = Table::new(labels.runs, &columns);
    for (day, week) in weeks {
        let at = begin(words, *day);
        let mut from = 0.0;
        for (number, class) in [
            (week.done, "done"),
            (week.held, "held"),
            (week.failed, "failed"),
        ] {
            if number > 0 {
                let to = from + f64::from(number);
                plot.bars.push(axes.bar(at, (from, to), (0, 1), class));
                from = to;
            }
        }
        let mut row = vec![words.day(*day)];
        row.extend([week.done, week.held, week.failed].map(|number| words.number(number.into())));
        table.rows.push(row);
    }
    (plot, table)
}

fn durations(
    words: Words,
    labels: &Labels,
    place: usize,
    one: &One,
    weeks: &BTreeMap<NaiveDate, Week>,
    span: Span,
) -> (Plot, Table) {
    let values = one.runs.iter().map(|run| run.seconds);
    let axes = Axes::new(span, values.clone(), true);
    let longest = words.seconds(values.fold(0.0, f64::max));
    let description = words.say(
        format!("A mark for each run, by its seconds; the longest took {longest}."),
        format!("Eine Marke je Lauf nach seinen Sekunden; der längste dauerte {longest}."),
    );
    let mut plot = plot("durations", place, labels.durations, description);
    plot.legend = vec![
        ("done", labels.done.to_owned()),
        ("held", labels.held.to_owned()),
        ("failed", labels.failed.to_owned()),
    ];
    axes.draw(words, &mut plot);
    let dot = |run: &Run| axes.dot(run.started, run.seconds, class(run));
    plot.dots = one.runs.iter().map(dot).collect();
    let columns = [
        (labels.week, false),
        (labels.median, true),
        (labels.longest, true),
    ];
    let mut table = Table::new(labels.durations, &columns);
    for (day, week) in weeks {
        let mut seconds = week.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let cell = |value: Option<&f64>| {
            value.map_or_else(|| "–".to_owned(), |value| words.seconds(*value))
        };
        let row = vec![
            words.day(*day),
            cell(seconds.get(seconds.len() / 2)),
            cell(seconds.last()),
        ];
        table.rows.push(row);
    }
    (plot, table)
}
