//! The age of files.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::working_age;
use super::{day, schedule, utc};

#[test]
fn only_hours_of_days_with_a_run_count() {
    let weekdays = schedule(&["15 5 * * Mon-Fri"]);
    let hours =
        |written: &str, now: &str| working_age(utc(written), utc(now), Some(&weekdays)).num_hours();
    // Friday 00:00 in Berlin until Monday 05:15.
    assert_eq!(hours("2026-11-19T23:00:00Z", "2026-11-23T04:15:00Z"), 29);
    // Within a day, over a night, within a weekend.
    assert_eq!(hours("2026-11-18T06:00:00Z", "2026-11-18T09:00:00Z"), 3);
    assert_eq!(hours("2026-11-18T06:00:00Z", "2026-11-19T06:00:00Z"), 24);
    assert_eq!(hours("2026-11-21T06:00:00Z", "2026-11-22T06:00:00Z"), 0);
    // A week, and ten years that count and ten more of which every hour counts.
    assert_eq!(
        hours("2026-11-16T12:00:00Z", "2026-11-23T12:00:00Z"),
        5 * 24
    );
    assert!(hours("2006-11-16T12:00:00Z", "2026-11-23T12:00:00Z") > 15 * 365 * 24);
}

#[test]
fn a_holiday_does_not_count_and_without_a_schedule_everything_does() {
    let mut weekdays = schedule(&["15 5 * * Mon-Fri"]);
    let (thursday, monday) = (utc("2026-12-24T04:00:00Z"), utc("2026-12-28T04:15:00Z"));
    assert_eq!(
        working_age(thursday, monday, Some(&weekdays)).num_hours(),
        19 + 24 + 5
    );
    weekdays.holidays.insert(day("2026-12-25"));
    assert_eq!(
        working_age(thursday, monday, Some(&weekdays)).num_hours(),
        19 + 5
    );
    assert_eq!(working_age(thursday, monday, None), monday - thursday);
    assert_eq!(
        working_age(monday, thursday, Some(&weekdays)),
        thursday - monday
    );
}

#[test]
fn the_days_of_the_change_are_as_long_as_they_are() {
    let daily = schedule(&["0 5 * * *"]);
    for (from, to) in [
        ("2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("2026-10-23T00:00:00Z", "2026-10-27T00:00:00Z"),
    ] {
        assert_eq!(
            working_age(utc(from), utc(to), Some(&daily)),
            TimeDelta::hours(96)
        );
    }
}

proptest! {
    #[test]
    fn an_age_never_exceeds_the_time_that_passed_and_never_falls(minutes in 0i64..200_000, more in 0i64..5000) {
        let weekdays = schedule(&["15 5 * * Mon-Fri"]);
        let written = utc("2026-06-01T10:00:00Z");
        let at = |minutes| working_age(written, written + TimeDelta::minutes(minutes), Some(&weekdays));
        prop_assert!(at(minutes) <= TimeDelta::minutes(minutes));
        prop_assert!(at(minutes) <= at(minutes + more));
    }
}
