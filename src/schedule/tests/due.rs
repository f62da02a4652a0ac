//! What is due, missed, made up and tried again.

use chrono::TimeDelta;

use super::super::{Due, Missed, Schedule};
use super::{day, schedule, utc};

fn mornings() -> Schedule {
    schedule(&["15 5 * * Mon-Fri"])
}

#[test]
fn what_passed_while_the_program_was_down_is_made_up_once() {
    let handled = Some(utc("2026-11-18T04:15:00Z"));
    let (since, now) = (utc("2026-11-23T06:00:00Z"), utc("2026-11-23T06:00:30Z"));
    let due = mornings().due("acme", handled, since, now);
    let monday = utc("2026-11-23T04:15:00Z");
    let missed = Missed {
        count: 2,
        first: utc("2026-11-19T04:15:00Z"),
        last: utc("2026-11-20T04:15:00Z"),
    };
    assert_eq!(
        due,
        Due {
            run: Some(monday),
            made_up: true,
            missed: Some(missed)
        }
    );
    assert_eq!(due.handled(), Some(monday));
    assert_eq!(
        mornings().due("acme", due.handled(), since, now),
        Due::default()
    );
}

#[test]
fn without_catch_up_what_passed_is_missed_and_said_once() {
    let schedule = Schedule {
        catch_up: false,
        ..mornings()
    };
    let handled = Some(utc("2026-11-18T04:15:00Z"));
    let (since, now) = (utc("2026-11-23T06:00:00Z"), utc("2026-11-23T06:00:30Z"));
    let due = schedule.due("acme", handled, since, now);
    assert_eq!(
        (due.run, due.missed.map(|missed| missed.count)),
        (None, Some(3))
    );
    assert_eq!(due.handled(), Some(utc("2026-11-23T04:15:00Z")));
    assert_eq!(
        schedule.due("acme", due.handled(), since, now),
        Due::default()
    );
    // The next one comes as ever.
    let tuesday = utc("2026-11-24T04:15:00Z");
    assert_eq!(
        schedule.due("acme", due.handled(), since, tuesday).run,
        Some(tuesday)
    );
}

#[test]
fn the_first_start_makes_nothing_up() {
    let since = utc("2026-11-23T06:00:00Z");
    for catch_up in [true, false] {
        let schedule = Schedule {
            catch_up,
            ..mornings()
        };
        assert_eq!(schedule.due("acme", None, since, since), Due::default());
        let tuesday = utc("2026-11-24T04:15:00Z");
        let due = schedule.due("acme", None, since, tuesday);
        assert_eq!(
            due,
            Due {
                run: Some(tuesday),
                ..Due::default()
            }
        );
    }
}

#[test]
fn a_clock_that_was_set_back_repeats_nothing() {
    let monday = utc("2026-11-23T04:15:00Z");
    for back in [1, 60, 3600, 5 * 86400, 400 * 86400] {
        let now = monday - TimeDelta::seconds(back);
        assert_eq!(
            mornings().due("acme", Some(monday), now, now),
            Due::default()
        );
        assert_eq!(
            mornings().due("acme", Some(monday), monday, now),
            Due::default()
        );
    }
    assert_eq!(
        mornings().due("acme", Some(monday), monday, monday),
        Due::default()
    );
}

#[test]
fn no_run_is_scheduled_on_a_holiday() {
    let mut schedule = mornings();
    schedule.holidays.insert(day("2026-12-25"));
    let days = schedule.upcoming(utc("2026-12-24T12:00:00Z")).take(2);
    let days: Vec<String> = days.map(|day| day.date_naive().to_string()).collect();
    assert_eq!(days, ["2026-12-28", "2026-12-29"]);
}

#[test]
fn jitter_is_the_same_each_time_differs_between_names_and_leaves_a_minute_before_the_next_time() {
    let schedule = Schedule {
        jitter_seconds: 300,
        ..mornings()
    };
    let times = schedule.upcoming(utc("2026-01-01T00:00:00Z")).take(200);
    let times: Vec<_> = times.map(|time| time.to_utc()).collect();
    let offsets = |name: &str| -> Vec<i64> {
        let offset = |time| (schedule.starts_at(name, time) - time).num_seconds();
        times.iter().map(|time| offset(*time)).collect()
    };
    let acme = offsets("acme");
    assert_eq!(acme, offsets("acme"));
    assert_ne!(acme, offsets("other"));
    assert!(acme.iter().all(|offset| (0..=300).contains(offset)));
    assert!(acme.iter().any(|offset| *offset > 200) && acme.iter().any(|offset| *offset < 100));
    let dense = Schedule {
        crons: super::schedule(&["* * * * *"]).crons,
        ..schedule
    };
    assert_eq!(dense.starts_at("acme", times[0]), times[0]);
}

#[test]
fn a_run_does_not_start_before_its_jitter_is_over_and_is_known_by_its_scheduled_time() {
    let schedule = Schedule {
        jitter_seconds: 300,
        ..mornings()
    };
    let monday = utc("2026-11-23T04:15:00Z");
    let (since, start) = (
        utc("2026-11-23T04:00:00Z"),
        schedule.starts_at("acme", monday),
    );
    assert!(start > monday, "another name would be needed here");
    let before = schedule.due("acme", None, since, start - TimeDelta::seconds(1));
    assert_eq!(before, Due::default());
    assert_eq!(schedule.due("acme", None, since, start).run, Some(monday));
}

#[test]
fn a_file_that_is_not_there_is_looked_for_until_it_is_given_up() {
    let schedule = mornings();
    let monday = utc("2026-11-23T04:15:00Z");
    let after = |minutes: i64, seconds: i64| {
        let now = monday + TimeDelta::minutes(minutes) + TimeDelta::seconds(seconds);
        let again = schedule.try_again_at("acme", monday, now)?;
        Some((again - monday).num_minutes())
    };
    assert_eq!(after(0, 0), Some(15));
    assert_eq!(after(-90, 0), Some(15), "the clock was set back");
    assert_eq!(after(14, 59), Some(15));
    assert_eq!(after(15, 0), Some(30));
    assert_eq!(after(239, 0), Some(240));
    assert_eq!(after(240, 0), None);
    assert_eq!(after(100_000, 0), None);
    let hourly = super::schedule(&["0 * * * *"]);
    let again = |now: &str| hourly.try_again_at("acme", utc("2026-11-23T04:00:00Z"), utc(now));
    assert_eq!(
        again("2026-11-23T04:31:00Z"),
        Some(utc("2026-11-23T04:45:00Z"))
    );
    assert_eq!(
        again("2026-11-23T04:46:00Z"),
        None,
        "the next scheduled time comes first"
    );
}
