//! The days on which the clock changes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::Schedule;
use super::{schedule, utc, watched};
use crate::zone::Zone;
use crate::zone::tests::zone;

/// The runs of a caller that looks every minute of these two days.
fn runs(schedule: &Schedule, from: &str) -> Vec<String> {
    let from = utc(from);
    let mut handled = None;
    let mut found = Vec::new();
    for minute in 0..=2 * 24 * 60 {
        let now = from + TimeDelta::minutes(minute);
        let due = schedule.due("acme", handled, from, now);
        assert_eq!(due.missed, None);
        if let Some(run) = due.run {
            assert_eq!(run, now);
            found.push(run.format("%d %H:%M").to_string());
        }
        handled = due.handled().or(handled);
    }
    found
}

/// When both change days begin in Berlin, and how many minutes they have.
const DAYS: [(&str, i64); 2] = [
    ("2026-03-28T23:00:00Z", 23 * 60),
    ("2026-10-24T22:00:00Z", 25 * 60),
];

#[test]
fn every_time_of_both_change_days_runs_exactly_once() {
    for (begin, minutes) in DAYS {
        let begin = utc(begin);
        let mut seen = BTreeSet::new();
        for minute in 0..24 * 60 {
            let cron = format!("{} {} * * *", minute % 60, minute / 60);
            let one = schedule(&[&cron]);
            let (mut handled, mut runs) = (None, Vec::new());
            for tick in (0..minutes).step_by(15) {
                let now = begin + TimeDelta::minutes(tick + 14);
                let due = one.due("acme", handled, begin, now);
                assert!(due.run.is_none_or(|run| now - run < TimeDelta::minutes(15)));
                assert_eq!(due.missed, None);
                runs.extend(due.run);
                handled = due.handled().or(handled);
            }
            assert_eq!(runs.len(), 1, "{cron}");
            seen.extend(runs);
        }
        // The hour that is left out comes as the minute after it, the one that is shown twice once.
        assert_eq!(seen.len(), usize::try_from(minutes.min(24 * 60)).unwrap());
    }
}

#[test]
fn a_line_of_every_minute_runs_in_every_minute_but_those_shown_again() {
    for (begin, minutes) in DAYS {
        let begin = utc(begin);
        let every = schedule(&["* * * * *"]);
        let mut handled = None;
        let mut runs = 0;
        for minute in 0..minutes {
            let now = begin + TimeDelta::minutes(minute);
            let due = every.due("acme", handled, begin, now);
            assert_eq!(due.missed, None);
            assert!(due.run.is_none_or(|run| run == now));
            runs += i64::from(due.run.is_some());
            handled = due.handled().or(handled);
        }
        assert_eq!(runs, minutes.min(24 * 60));
    }
}

/// A line that is likely to come in the hours around the change.
fn cron() -> impl Strategy<Value = String> {
    let step = |least: u32, most: u32| (least..most).prop_map(|step| format!("*/{step}"));
    let range = |most: u32| {
        (0..most, 0..most).prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other)))
    };
    let minute = prop_oneof![
        3 => (0..60u32).prop_map(|minute| minute.to_string()),
        1 => (0..60u32, 0..60u32).prop_map(|(one, other)| format!("{one},{other}")),
        1 => step(1, 40),
        1 => range(60),
        1 => Just("*".to_owned()),
    ];
    let hour = prop_oneof![
        3 => (0..6u32).prop_map(|hour| hour.to_string()),
        2 => (0..24u32).prop_map(|hour| hour.to_string()),
        1 => step(1, 13),
        1 => range(24),
        1 => Just("*".to_owned()),
    ];
    let day = proptest::sample::select(vec![
        "* * *",
        "* * Sun",
        "* * Sat,Sun",
        "* * Mon-Fri",
        "25 * *",
        "29 3 *",
        "L * *",
        "* 10 *",
    ]);
    (minute, hour, day).prop_map(|(minute, hour, day)| format!("{minute} {hour} {day}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn in_every_minute_of_both_change_days_exactly_what_a_clock_would_show_is_due(
        crons in prop::collection::vec(cron(), 1..4),
    ) {
        let lines: Vec<&str> = crons.iter().map(String::as_str).collect();
        let schedule = schedule(&lines);
        for (begin, minutes) in DAYS {
            let begin = utc(begin);
            let end = begin + TimeDelta::minutes(minutes);
            let shown = watched(&lines, Zone::berlin(), begin, end);
            let mut handled = Some(begin - TimeDelta::seconds(1));
            let mut runs = BTreeSet::new();
            for minute in 0..minutes {
                let now = begin + TimeDelta::minutes(minute);
                let due = schedule.due("acme", handled, begin, now);
                prop_assert_eq!(due.missed, None);
                prop_assert!(!due.made_up);
                prop_assert!(due.run.is_none_or(|run| run == now && runs.insert(run)));
                handled = due.handled().or(handled);
            }
            prop_assert_eq!(runs, shown);
        }
    }
}

#[test]
fn a_time_that_the_clock_leaves_out_runs_at_the_next_minute() {
    assert_eq!(
        runs(&schedule(&["30 2 * * *"]), "2026-03-28T12:00:00Z"),
        ["29 01:00", "30 00:30"]
    );
    // Together with that minute's own line it is one run.
    let both = schedule(&["30 2 * * *", "*/20 2-3 * * *"]);
    let first_day = &runs(&both, "2026-03-28T12:00:00Z")[..3];
    assert_eq!(first_day, ["29 01:00", "29 01:20", "29 01:40"]);
}

#[test]
fn a_time_that_the_clock_shows_twice_runs_the_first_time() {
    assert_eq!(
        runs(&schedule(&["30 2 * * *"]), "2026-10-24T12:00:00Z"),
        ["25 00:30", "26 01:30"]
    );
    let nights = schedule(&["59 1 * * *", "*/30 2 * * *", "0 3 * * *"]);
    let first_night = &runs(&nights, "2026-10-24T12:00:00Z")[..4];
    assert_eq!(
        first_night,
        ["24 23:59", "25 00:00", "25 00:30", "25 02:00"]
    );
}

#[test]
fn a_clock_that_is_watched_for_a_year_of_minutes_shows_the_same_times() {
    let zones: [Zone; 5] = [
        Zone::berlin(),
        zone("Australia/Lord_Howe"), // half an hour
        zone("America/Havana"),      // at midnight
        zone("Africa/Casablanca"),   // winter time in Ramadan
        zone("Asia/Kathmandu"),      // never, and a quarter of an hour off
    ];
    let crons = ["*/15 0-3 * * *", "40 23 L * *", "7 12 * * Mon-Fri"];
    for zone in zones {
        let (from, to) = (utc("2026-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"));
        let schedule = Schedule {
            timezone: zone,
            ..schedule(&crons)
        };
        let ours = schedule
            .upcoming(from - TimeDelta::seconds(1))
            .map(|time| time.to_utc());
        let ours: BTreeSet<_> = ours.take_while(|time| *time < to).collect();
        assert_eq!(ours, watched(&crons, zone, from, to), "{zone}");
    }
}

#[test]
fn a_day_that_a_zone_left_out_runs_as_the_next_one() {
    let samoa = Schedule {
        timezone: zone("Pacific/Apia"),
        ..schedule(&["0 5 * * *"])
    };
    let days = samoa.upcoming(utc("2011-12-29T00:00:00Z")).take(4);
    let days: Vec<String> = days.map(|day| day.format("%d %H:%M").to_string()).collect();
    assert_eq!(days, ["29 05:00", "31 00:00", "31 05:00", "01 05:00"]);
}
