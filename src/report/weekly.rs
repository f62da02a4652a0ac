//! The plots of an integration, week by week, each with the table behind it.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};

use super::facts::{One, Run};
use super::plot::{Axes, Plot, float};
use super::rows::Table;
use super::words::{Labels, Words};

pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// A week, by its Monday, and what happened in it.
#[derive(Debug, Default, Clone)]
pub(super) struct Week {
    people: Option<u64>,
    joined: u32,
    left: u32,
    changed: u32,
    done: u32,
    held: u32,
    failed: u32,
    seconds: Vec<f64>,
}

pub(super) type Weeks = BTreeMap<NaiveDate, Week>;

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
pub(super) fn weeks(words: Words, one: &One, (since, until): Span) -> Weeks {
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
        in_week(run.started.max(since), &mut |week| {
            match run.class() {
                "done" => week.done += 1,
                "held" => week.held += 1,
                _ => week.failed += 1,
            }
            week.seconds.push(run.seconds);
        });
    }
    let mut last = one.before;
    for week in weeks.values_mut() {
        last = week.people.or(last);
        week.people = last;
    }
    weeks
}

fn plot(id: &str, place: usize, title: &str, description: String) -> Plot {
    Plot {
        id: format!("{id}-{place}"),
        title: title.to_owned(),
        description,
        ..Plot::default()
    }
}

pub(super) fn headcount(
    words: Words,
    labels: &Labels,
    place: usize,
    one: &One,
    weeks: &Weeks,
    span: Span,
) -> (Plot, Table) {
    let points = one.people(span.0);
    let values = points.iter().map(|(_, people)| float(people.cast_signed()));
    let range = |words: Words, fold: fn(f64, f64) -> f64, from: f64| {
        words.number(values.clone().fold(from, fold))
    };
    let description = if points.is_empty() {
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
    plot.path = axes.steps(&points, span.1);
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

/// One of the things that are counted in each week.
struct Series {
    class: &'static str,
    label: &'static str,
    of: fn(&Week) -> u32,
}

/// How a run may have ended.
fn endings(labels: &Labels) -> [Series; 3] {
    [
        Series {
            class: "done",
            label: labels.done,
            of: |week| week.done,
        },
        Series {
            class: "held",
            label: labels.held,
            of: |week| week.held,
        },
        Series {
            class: "failed",
            label: labels.failed,
            of: |week| week.failed,
        },
    ]
}

/// Bars for each week, side by side or one on the other, and the numbers behind them as a table.
fn bars(
    words: Words,
    plot: &mut Plot,
    series: &[Series],
    is_stacked: bool,
    weeks: &Weeks,
    span: Span,
) -> Table {
    let counts = |week: &Week| -> Vec<u32> { series.iter().map(|one| (one.of)(week)).collect() };
    let highest = |week: &Week| -> u32 {
        let counts = counts(week).into_iter();
        if is_stacked {
            counts.sum()
        } else {
            counts.max().unwrap_or(0)
        }
    };
    let axes = Axes::new(span, weeks.values().map(|week| highest(week).into()), true);
    axes.draw(words, plot);
    plot.legend = legend(series);
    let labels = words.labels();
    let mut columns = vec![(labels.week, false)];
    columns.extend(series.iter().map(|one| (one.label, true)));
    let mut table = Table::new(&plot.title, &columns);
    let side_by_side = u32::try_from(series.len()).unwrap_or(1);
    for (day, week) in weeks {
        let at = begin(words, *day);
        let mut from = 0.0;
        for ((which, one), count) in (0..).zip(series).zip(counts(week)) {
            if count == 0 {
                continue;
            }
            let to = from + f64::from(count);
            let lane = if is_stacked {
                (0, 1)
            } else {
                (which, side_by_side)
            };
            plot.bars.push(axes.bar(at, (from, to), lane, one.class));
            if is_stacked {
                from = to;
            }
        }
        let mut row = vec![words.day(*day)];
        row.extend(
            counts(week)
                .into_iter()
                .map(|count| words.number(count.into())),
        );
        table.rows.push(row);
    }
    table
}

fn legend(series: &[Series]) -> Vec<(&'static str, String)> {
    let one = |one: &Series| (one.class, one.label.to_owned());
    series.iter().map(one).collect()
}

fn sum(weeks: &Weeks, of: fn(&Week) -> u32) -> u32 {
    weeks.values().map(of).sum()
}

pub(super) fn moves(
    words: Words,
    labels: &Labels,
    place: usize,
    weeks: &Weeks,
    span: Span,
) -> (Plot, Table) {
    let series = [
        Series {
            class: "joined",
            label: labels.joined,
            of: |week| week.joined,
        },
        Series {
            class: "left",
            label: labels.left,
            of: |week| week.left,
        },
    ];
    let [joined, gone] = series.each_ref().map(|one| sum(weeks, one.of));
    let description = words.say(
        format!("Two bars for each week: {joined} people joined and {gone} left in all."),
        format!("Zwei Balken je Woche: insgesamt {joined} Zugänge und {gone} Abgänge."),
    );
    let mut plot = plot("moves", place, labels.moves, description);
    let mut table = bars(words, &mut plot, &series, false, weeks, span);
    table.add_numbers(
        labels.changed,
        weeks.values().map(|week| words.number(week.changed.into())),
    );
    (plot, table)
}

pub(super) fn runs(
    words: Words,
    labels: &Labels,
    place: usize,
    weeks: &Weeks,
    span: Span,
) -> (Plot, Table) {
    let series = endings(labels);
    let [done, held, failed] = series.each_ref().map(|one| sum(weeks, one.of));
    let description = words.say(
        format!(
            "A bar for each week: {done} runs were done, {held} wait or were put off, and {failed} failed in all or in part."
        ),
        format!(
            "Ein Balken je Woche: {done} Läufe erledigt, {held} wartend oder aufgeschoben, {failed} ganz oder teilweise gescheitert."
        ),
    );
    let mut plot = plot("runs", place, labels.runs, description);
    let table = bars(words, &mut plot, &series, true, weeks, span);
    (plot, table)
}

pub(super) fn durations(
    words: Words,
    labels: &Labels,
    place: usize,
    one: &One,
    weeks: &Weeks,
    span: Span,
) -> (Plot, Table) {
    let values = one.runs.iter().map(|run| run.seconds);
    let axes = Axes::new(span, values.clone(), true);
    let longest = words.seconds(values.fold(0.0, f64::max));
    let description = words.say(
        format!("A mark for each run, by its seconds; the longest took {longest} seconds."),
        format!("Eine Marke je Lauf nach seinen Sekunden; der längste dauerte {longest} Sekunden."),
    );
    let mut plot = plot("durations", place, labels.durations, description);
    plot.legend = legend(&endings(labels));
    axes.draw(words, &mut plot);
    let dot = |run: &Run| axes.dot(run.started, run.seconds, run.class());
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
