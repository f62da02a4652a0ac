//! Cron lines: what is refused, and how.

use proptest::prelude::*;

use super::super::{Cron, CronError};
use super::{schedule, utc};

#[track_caller]
fn refused(text: &str) -> String {
    Cron::parse(text).unwrap_err().to_string()
}

#[test]
fn a_field_that_is_not_understood_is_named() {
    for (text, field) in [
        ("60 5 * * *", "minute"),
        ("Mon 5 * * *", "minute"),
        ("*/0 5 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 5 32 * *", "day of the month"),
        ("0 5 Mon * *", "day of the month"),
        ("0 5 * 13 *", "month"),
        ("0 5 * Sun *", "month"),
        ("0 5 * * 8", "day of the week"),
        ("0 5 * * Jan", "day of the week"),
        ("0 5 * * Mo-Fr", "day of the week"),
        ("0 5 * * Monday", "day of the week"),
    ] {
        let error = refused(text);
        assert!(
            error.contains(&format!("The {field} of this cron is not understood")),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_line_has_five_fields_or_six_that_begin_with_0() {
    for (text, fields) in [
        ("", 0),
        ("@daily", 1),
        ("5 * * *", 4),
        ("0 0 5 * * * 2027", 7),
    ] {
        assert_eq!(Cron::parse(text).unwrap_err(), CronError::Count(fields));
    }
    for text in ["30 15 5 * * *", "* 15 5 * * *", "*/60 15 5 * * *"] {
        assert_eq!(Cron::parse(text).unwrap_err(), CronError::Seconds);
    }
    let six = schedule(&["0 15 5 * * Mon-Fri"]);
    let five = schedule(&["15 5 * * mon-fri"]);
    let now = utc("2026-11-23T12:00:00Z");
    assert!(six.upcoming(now).take(9).eq(five.upcoming(now).take(9)));
}

#[test]
fn a_day_that_no_month_has_never_comes_and_a_leap_day_does() {
    for text in ["0 5 30 2 *", "0 5 31 4,6,9,11 *"] {
        assert_eq!(Cron::parse(text).unwrap_err(), CronError::Never);
    }
    let leap = schedule(&["0 5 29 2 *"]);
    let next = leap.next_after(utc("2096-03-01T00:00:00Z")).unwrap();
    assert_eq!(next, utc("2104-02-29T04:00:00Z"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,40}", fields in "[0-9*/,LW#?+-]{1,6}( [0-9*/,LW#?+-]{1,6}){4}") {
        let _ = Cron::parse(&text);
        let _ = Cron::parse(&fields);
    }
}
