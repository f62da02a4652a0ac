//! Calendar dates as HR systems write them.
//!
//! Formats are configured and never guessed; a date is kept as written and never goes through a time zone. A year of two digits is read only where the
//! format says so.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

/// A configured date format: `TT.MM.JJJJ`, `DD.MM.YYYY` or `%d.%m.%Y`, all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    parts: Vec<Part>,
    written: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Day,
    Month,
    Year,
    ShortYear,
    Literal(char),
}

/// What is wrong with a configured date format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a date format; write day, month and year once each, such as TT.MM.JJJJ, YYYY-MM-DD or %d.%m.%Y"
)]
pub struct DateFormatError(String);

impl FromStr for DateFormat {
    type Err = DateFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DateFormatError(text.to_owned());
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let words = [
                ("%d", Part::Day),
                ("%m", Part::Month),
                ("%Y", Part::Year),
                ("%y", Part::ShortYear),
                ("TT", Part::Day),
                ("DD", Part::Day),
                ("MM", Part::Month),
                ("JJJJ", Part::Year),
                ("YYYY", Part::Year),
                ("JJ", Part::ShortYear),
                ("YY", Part::ShortYear),
            ];
            if let Some((word, part)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
                parts.push(*part);
                rest = &rest[word.len()..];
            } else if first == '%' || (first.is_alphabetic() && first != 'T') {
                return Err(error());
            } else {
                parts.push(Part::Literal(first));
                rest = &rest[first.len_utf8()..];
            }
        }
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        let whole = count(&[Part::Day]) == 1
            && count(&[Part::Month]) == 1
            && count(&[Part::Year, Part::ShortYear]) == 1;
        if whole {
            Ok(Self {
                parts,
                written: text.to_owned(),
            })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl serde::Serialize for DateFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl DateFormat {
    /// Whether the year has two digits.
    pub fn has_short_year(&self) -> bool {
        self.parts.contains(&Part::ShortYear)
    }

    /// Reads `text`, whole. `None` where it is not a calendar date in this format. A two-digit year is the one that
    /// lies within the 80 years before or the 19 years after `today`.
    pub fn parse(&self, text: &str, today: NaiveDate) -> Option<NaiveDate> {
        let mut rest = text.as_bytes();
        let (mut year, mut month, mut day) = (0, 0, 0);
        for (index, part) in self.parts.iter().enumerate() {
            // One digit will do for a day or month only where something else than a digit stands on both sides.
            let number_at = |index: Option<usize>| {
                index
                    .and_then(|index| self.parts.get(index))
                    .is_some_and(|part| !matches!(part, Part::Literal(_)))
            };
            let joined = number_at(Some(index + 1)) || number_at(index.checked_sub(1));
            match part {
                Part::Literal(c) => {
                    let mut buffer = [0; 4];
                    rest = rest.strip_prefix(c.encode_utf8(&mut buffer).as_bytes())?;
                }
                Part::Day => day = number(&mut rest, if joined { 2 } else { 1 }, 2)?,
                Part::Month => month = number(&mut rest, if joined { 2 } else { 1 }, 2)?,
                Part::Year => year = number(&mut rest, 4, 4)?,
                Part::ShortYear => year = full_year(number(&mut rest, 2, 2)?, today),
            }
        }
        let year = i32::try_from(year).ok()?;
        if rest.is_empty() {
            NaiveDate::from_ymd_opt(year, month, day)
        } else {
            None
        }
    }
}

/// Takes between `least` and `most` digits off the front.
fn number(rest: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let digits = rest
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits < least {
        return None;
    }
    let (taken, after) = rest.split_at(digits);
    *rest = after;
    Some(
        taken
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0')),
    )
}

fn full_year(short: u32, today: NaiveDate) -> u32 {
    let latest = today.year_ce().1 + 19;
    let year = latest - latest % 100 + short;
    if year > latest { year - 100 } else { year }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn read(format: &str, text: &str) -> Option<NaiveDate> {
        format
            .parse::<DateFormat>()
            .unwrap()
            .parse(text, day(2026, 11, 23))
    }

    #[test]
    fn the_three_notations_of_a_format_read_the_same() {
        for format in ["TT.MM.JJJJ", "DD.MM.YYYY", "%d.%m.%Y"] {
            assert_eq!(read(format, "05.03.1990"), Some(day(1990, 3, 5)));
            assert_eq!(read(format, "5.3.1990"), Some(day(1990, 3, 5)));
        }
        assert_eq!(read("JJJJMMTT", "19900305"), Some(day(1990, 3, 5)));
        assert_eq!(read("MM/TT/JJJJ", "03/05/1990"), Some(day(1990, 3, 5)));
        assert_eq!(
            read("YYYY-MM-DDT00:00:00", "1990-03-05T00:00:00"),
            Some(day(1990, 3, 5))
        );
    }

    #[test]
    fn a_two_digit_year_is_the_nearest_that_makes_sense_for_a_living_person() {
        assert_eq!(read("TT.MM.JJ", "05.03.90"), Some(day(1990, 3, 5)));
        assert_eq!(read("TT.MM.JJ", "05.03.27"), Some(day(2027, 3, 5)));
        assert_eq!(read("JJ.MM.TT", "46.03.05"), Some(day(1946, 3, 5)));
        assert_eq!(read("JJ.MM.TT", "45.03.05"), Some(day(2045, 3, 5)));
    }

    #[test]
    fn what_is_not_a_calendar_date_in_this_format_is_none() {
        for text in [
            "",
            "31.02.1990",
            "1990-03-05",
            "05.03.90",
            "05.03.1990 ",
            "05.03.19901",
            "5.3",
            "..",
            "٠٥.03.1990",
        ] {
            assert_eq!(read("TT.MM.JJJJ", text), None, "{text}");
        }
        assert_eq!(read("JJJJMMTT", "1990035"), None);
    }

    #[test]
    fn a_format_without_a_day_or_with_unknown_letters_is_refused() {
        for format in ["", "MM.JJJJ", "TT.MM.JJJJ JJ", "dd.mm.yyyy", "%d.%m.%Y %H"] {
            assert!(format.parse::<DateFormat>().is_err(), "{format}");
        }
    }

    proptest! {
        #[test]
        fn a_date_written_in_a_format_is_read_back_as_itself(days in 0i64..80_000, format in 0usize..4) {
            let date = day(1900, 1, 1) + chrono::Duration::days(days);
            let (ours, theirs) = [
                ("TT.MM.JJJJ", "%d.%m.%Y"), ("JJJJMMTT", "%Y%m%d"), ("MM/TT/JJJJ", "%m/%d/%Y"), ("YYYY-MM-DD", "%Y-%m-%d"),
            ][format];
            prop_assert_eq!(read(ours, &date.format(theirs).to_string()), Some(date));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", format in 0usize..3) {
            let _ = read(["TT.MM.JJJJ", "JJ.MM.TT", "JJJJMMTT"][format], &text);
        }
    }
}
