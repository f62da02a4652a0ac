//! A year of any schedule, in any zone, with restarts: every scheduled time is handled once.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::Schedule;
use super::{schedule, utc, watched};
use crate::zone::tests::zone;

/// A line that comes at most a few times an hour.
fn cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        (0..60u32).prop_map(|minute| minute.to_string()),
        Just("0,30".to_owned()),
        Just("*/20".to_owned())
    ];
    let hour = prop_oneof![
        4 => (0..24u32).prop_map(|hour| hour.to_string()),
        1 => Just("0-3".to_owned()),
        1 => Just("*/6".to_owned()),
    ];
    let day = select(vec![
        "* * *",
        "* * Mon-Fri",
        "1 * *",
        "L * *",
        "* 3,10 *",
        "13 * Fri",
        "* * Sun",
        "29 2 *",
    ]);
    (minute, hour, day).prop_map(|(minute, hour, day)| format!("{minute} {hour} {day}"))
}

/// When the program is not running: minutes into the year, and for how long.
fn breaks() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let long = prop_oneof![0..3i64, 0..2000i64, 0..30_000i64];
    prop::collection::vec((0..525_600i64, long), 0..12)
}

/// What a caller that looks once a minute, except in the breaks, has seen happen.
struct Told {
    /// When, and the scheduled time.
    runs: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    missed: usize,
}

/// Whether the program is down at this minute, and when it last came up.
fn down_and_since(
    from: DateTime<Utc>,
    breaks: &[(i64, i64)],
    minute: i64,
) -> (bool, DateTime<Utc>) {
    let down = breaks
        .iter()
        .any(|(begin, long)| (*begin..begin + long).contains(&minute));
    let ends = breaks.iter().map(|(begin, long)| begin + long);
    let since = ends.filter(|end| *end <= minute).max().unwrap_or(0);
    (down, from + TimeDelta::minutes(since))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_scheduled_time_is_handled_once_in_order_never_early_and_never_late(
        crons in prop::collection::vec(cron(), 1..4),
        zone in any::<Index>().prop_map(|index| zone(index.get(&chrono_tz::TZ_VARIANTS).name())),
        year in 2023..2028i32,
        jitter_seconds in prop_oneof![Just(0u32), 0..600u32],
        second in 0..60i64,
        breaks in breaks(),
        catch_up in any::<bool>(),
    ) {
        let from = utc(&format!("{year}-01-01T00:00:00Z"));
        let to = from + TimeDelta::days(365);
        let lines: Vec<&str> = crons.iter().map(String::as_str).collect();
        let times = watched(&lines, zone, from, to);
        let schedule = Schedule { timezone: zone, jitter_seconds, catch_up, ..schedule(&lines) };
        let told = told(&schedule, &times, from, &breaks, second);

        prop_assert!(told.runs.is_sorted_by(|one, other| one.1 < other.1), "twice, or out of order");
        for (now, time) in &told.runs {
            prop_assert!(times.contains(time), "{time} is not scheduled");
            let start = schedule.starts_at("acme", *time);
            prop_assert!(*now >= start && start >= *time, "{time} ran early");
            let (down, since) = down_and_since(from, &breaks, (start - from).num_minutes());
            let late = since_changed(from, &breaks, start, *now) || down || since > start;
            prop_assert!(late || *now - *time <= TimeDelta::seconds(i64::from(jitter_seconds) + 60), "{time} ran late, at {now}");
            prop_assert!(catch_up || !late || *now - start <= TimeDelta::minutes(1), "{time} was made up");
        }
        // All that could be handled before the year was over.
        let end = to + TimeDelta::hours(1);
        let (down_at_end, _) = down_and_since(from, &breaks, (end - from).num_minutes());
        if !down_at_end {
            prop_assert_eq!(told.runs.len() + told.missed, times.len());
        }
        if breaks.iter().all(|(_, long)| *long == 0) && catch_up {
            prop_assert_eq!(told.missed, 0);
        }
    }
}

/// Whether the program came up anew between two instants.
fn since_changed(
    from: DateTime<Utc>,
    breaks: &[(i64, i64)],
    start: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    let minute = |time: DateTime<Utc>| (time - from).num_minutes();
    breaks
        .iter()
        .any(|(begin, long)| *begin <= minute(now) && begin + long >= minute(start))
}

/// Looks once a minute where something may happen: from a scheduled time until its jitter is over, after each break, and at the end.
fn told(
    schedule: &Schedule,
    times: &BTreeSet<DateTime<Utc>>,
    from: DateTime<Utc>,
    breaks: &[(i64, i64)],
    second: i64,
) -> Told {
    let minute = |time: DateTime<Utc>| (time - from).num_minutes();
    let around = i64::from(schedule.jitter_seconds) / 60 + 3;
    let mut minutes: BTreeSet<i64> = times
        .iter()
        .flat_map(|time| minute(*time) - 2..minute(*time) + around)
        .collect();
    minutes.extend(
        breaks
            .iter()
            .flat_map(|(begin, long)| [begin - 1, begin + long]),
    );
    minutes.insert(minute(from) + 365 * 24 * 60 + 60);
    // Handled before the year began, so that the first times count like all others.
    let mut handled = Some(from - TimeDelta::seconds(1));
    let mut told = Told {
        runs: Vec::new(),
        missed: 0,
    };
    let end = from + TimeDelta::days(365);
    for at in minutes.into_iter().filter(|at| *at >= 0) {
        let (down, since) = down_and_since(from, breaks, at);
        if down {
            continue;
        }
        let now = from + TimeDelta::minutes(at) + TimeDelta::seconds(second);
        let due = schedule.due("acme", handled, since, now);
        let in_year = |time: &DateTime<Utc>| *time < end;
        told.missed += due
            .missed
            .filter(|missed| in_year(&missed.last))
            .map_or(0, |missed| missed.count);
        if let Some(run) = due.run.filter(in_year) {
            told.runs.push((now, run));
        }
        handled = due.handled().or(handled);
    }
    told
}
