//! Dates as HR systems write them into JSON, each as the calendar date that it says.
//!
//! A date that comes with a time is kept as it is written, whatever its offset: local midnight, UTC midnight. Never is it converted, for that shifts it by a day. The one shape that
//! has been converted already is told apart and read as no date: midnight of some place east of Greenwich, written in UTC (`2014-11-08T23:00:00Z` for the 9th in Berlin,
//! `2014-11-08T22:00:00Z` in Helsinki), which would end an employment a day early.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone as _, Timelike as _, Utc};

use crate::zone::Zone;

/// The date that some databases have in place of none (`MySQL`).
const ZERO: &str = "0000-00-00";

/// The calendar date of a text that has one of the shapes of JSON, as `YYYY-MM-DD`; any other text as it is.
pub(super) fn calendar_date(text: Cow<'_, str>, zone: Zone) -> Cow<'_, str> {
    if let Some(millis) = odata_millis(&text) {
        let Some(time) = DateTime::<Utc>::from_timestamp_millis(millis) else {
            return text;
        };
        if is_shifted(time.date_naive(), time.time(), zone) {
            return text;
        }
        return time.date_naive().format("%Y-%m-%d").to_string().into();
    }
    let Some((date, time)) = date_and_time(&text) else {
        return text;
    };
    if date == ZERO {
        return "".into();
    }
    let shifted = time.is_some_and(|(time, is_utc)| {
        is_utc && date.parse().is_ok_and(|date| is_shifted(date, time, zone))
    });
    if shifted {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..10]),
        Cow::Owned(mut text) => {
            text.truncate(10);
            Cow::Owned(text)
        }
    }
}

/// Whether a time in UTC is midnight of another day in the zone, or may be that of one further east: times of clocks are whole hours there, or have a half or three quarters.
fn is_shifted(date: NaiveDate, time: NaiveTime, zone: Zone) -> bool {
    let local = zone.from_utc_datetime(&date.and_time(time));
    let is_round = time.second() == 0 && matches!(time.minute(), 0 | 15 | 30);
    let is_east = time.hour() > 12 && is_round;
    time != NaiveTime::MIN && (is_east || local.time() == NaiveTime::MIN)
}

/// Milliseconds since 1970 of `/Date(1530144000000)/`, which may have an offset that says nothing of the instant (`OData` 2.0, JSON format).
fn odata_millis(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits = inner.strip_prefix('-').unwrap_or(inner);
    let end = digits.find(['+', '-']).unwrap_or(digits.len());
    let (digits, offset) = digits.split_at(end);
    let is_offset = offset.is_empty() || offset[1..].bytes().all(|b| b.is_ascii_digit());
    let millis: i64 = digits.parse().ok().filter(|_| is_offset)?;
    Some(if inner.starts_with('-') {
        -millis
    } else {
        millis
    })
}

/// The date of `2014-11-09`, with what may follow it in ISO 8601 and XML: a time, its offset. Of the time, whether it is in UTC.
fn date_and_time(text: &str) -> Option<(&str, Option<(NaiveTime, bool)>)> {
    let (date, rest) = text.split_at_checked(10)?;
    let is_date = date.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !is_date {
        return None;
    }
    if rest.is_empty() || is_offset(rest) {
        return Some((date, None));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ','))
        .unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let offset = offset.trim_start();
    if !offset.is_empty() && !is_offset(offset) {
        return None;
    }
    let time = time.replace(',', ".");
    let time = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(&time, format).ok())?;
    let is_utc = matches!(offset, "Z" | "z" | "+00:00" | "+0000" | "+00" | "-00:00");
    Some((date, Some((time, is_utc))))
}

/// `Z`, `+01:00`, `+0100` or `+01`.
fn is_offset(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(['+', '-']) else {
        return matches!(text, "Z" | "z");
    };
    let digits = match digits.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 && minutes.len() == 2 => {
            hours.to_owned() + minutes
        }
        Some(_) => return false,
        None => digits.to_owned(),
    };
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        calendar_date(text.into(), Zone::berlin()).into_owned()
    }

    #[test]
    fn the_calendar_date_is_kept_as_written() {
        for text in [
            "2014-11-09",
            "2014-11-09T00:00:00+01:00",
            "2014-11-09T00:00:00+0100",
            "2014-11-09T00:00:00Z",
            "2014-11-09T00:00:00.000Z",
            "2014-11-09 00:00:00",
            "2014-11-09T00:00",
            "2014-11-09T00:00:00-08:00",
            "2014-11-09-08:00",
            "2014-11-09Z",
            "2014-11-09T12:00:00Z",
            "2014-11-09T12:30:00Z",
            "2014-11-09T23:59:59Z",
            "2014-11-09T14:07:31Z",
            "2014-11-09T23:59:59+01:00",
            "/Date(1415491200000)/",
            "/Date(1415491200000+0000)/",
            "/Date(1415491200000-0500)/",
        ] {
            assert_eq!(read(text), "2014-11-09", "{text}");
        }
        assert_eq!(read("0000-00-00"), "");
        assert_eq!(read("0000-00-00 00:00:00"), "");
        assert_eq!(read("/Date(-86400000)/"), "1969-12-31");
        assert_eq!(read("/Date(253402214400000)/"), "9999-12-31");
    }

    #[test]
    fn a_midnight_of_here_written_in_utc_is_no_date_for_the_day_is_the_next_one() {
        for text in [
            "2014-11-08T23:00:00Z",
            "2014-07-08T22:00:00.000+00:00",
            "/Date(1415487600000)/",
            "2014-11-08T22:00:00Z",
            "2014-11-08T18:30:00Z",
        ] {
            assert_eq!(read(text), text);
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "09.11.2014",
            "2014-11-9",
            "2014-11-09X",
            "2014-11-09T",
            "2014-11-09T25:00:00",
            "/Date(x)/",
            "/Date()/",
            "20141109",
            "2014-11-09T00:00:00+1",
            "/Date(1)",
            "0000-00-0é",
        ] {
            assert_eq!(read(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            read(&text);
        }

        #[test]
        fn no_offset_shifts_a_day(days in -20_000i32..60_000, hours in -12i32..=14) {
            let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Duration::days(days.into());
            let written = date.format("%Y-%m-%d").to_string();
            let sign = if hours < 0 { '-' } else { '+' };
            let text = format!("{written}T00:00:00{sign}{:02}:00", hours.abs());
            prop_assert_eq!(read(&text), written.clone());
            let millis = i64::from(days) * 86_400_000;
            prop_assert_eq!(read(&format!("/Date({millis})/")), written);
        }
    }
}
