//! The last line of a file where it is no employee, and the number of rows that a sender states there or in the file's name.
//!
//! A trailer proves that a file is whole. One that nobody described would become an employee called `Summe`; one that is described too broadly would swallow
//! the last employee of a file that was cut.

use std::collections::HashSet;

use super::dialect::{cells, clean, unquoted};

/// A longer line is no trailer.
const LONGEST: usize = 1024;

/// Words that trailers begin with, in lower case.
const WORDS: [&str; 13] = [
    "summe",
    "gesamt",
    "gesamtsumme",
    "anzahl",
    "total",
    "totals",
    "trailer",
    "eof",
    "end",
    "ende",
    "count",
    "records",
    "datensätze",
];

/// A text in which `*` stands for anything and `{rows}` for a number.
#[derive(Debug)]
pub(super) struct Template<'t> {
    parts: Vec<Part<'t>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Anything,
    Rows,
}

/// How a text fits a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The template states no number of rows.
    Plain,
    /// It does, and this is the number.
    Rows(u64),
}

impl<'t> Template<'t> {
    pub(super) fn new(template: &'t str) -> Self {
        let mut parts = Vec::new();
        let mut rest = template.trim();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("{rows}") {
                parts.push(Part::Rows);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('*') {
                if parts.last() != Some(&Part::Anything) {
                    parts.push(Part::Anything);
                }
                rest = after;
            } else {
                let length = [rest.find('*'), rest.find("{rows}")]
                    .into_iter()
                    .flatten()
                    .min();
                let (text, after) = rest.split_at(length.unwrap_or(rest.len()));
                parts.push(Part::Text(text));
                rest = after;
            }
        }
        Self { parts }
    }

    /// `None` where the text does not fit.
    pub(super) fn fits(&self, text: &str) -> Option<Fit> {
        if text.len() > LONGEST {
            return None;
        }
        fit(&self.parts, text, false, &mut HashSet::new())
    }

    /// The same for a last line, which may have blanks and further delimiters around it.
    pub(super) fn fits_trailer(&self, line: &str, delimiter: u8) -> Option<Fit> {
        let line = clean(line);
        let bare = || line.trim_end_matches(char::from(delimiter)).trim_end();
        self.fits(line).or_else(|| self.fits(bare()))
    }
}

/// Fits parts to a text. `after_digit`: the character before the text is a digit, so that a number cannot begin here. `tried` holds
/// what has failed, by what was left of both: without it a few `*` take hours on a hostile line.
fn fit(
    parts: &[Part<'_>],
    text: &str,
    after_digit: bool,
    tried: &mut HashSet<(usize, usize)>,
) -> Option<Fit> {
    let Some((part, others)) = parts.split_first() else {
        return text.is_empty().then_some(Fit::Plain);
    };
    if tried.contains(&(parts.len(), text.len())) {
        return None;
    }
    let found = match part {
        Part::Text(literal) => text.strip_prefix(literal).and_then(|rest| {
            let after_digit = literal.ends_with(|c: char| c.is_ascii_digit());
            fit(others, rest, after_digit, tried)
        }),
        Part::Rows => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let number = text[..digits].parse().ok().filter(|_| !after_digit);
            number.and_then(
                |number: u64| match fit(others, &text[digits..], true, tried)? {
                    Fit::Rows(other) if other != number => None,
                    Fit::Rows(_) | Fit::Plain => Some(Fit::Rows(number)),
                },
            )
        }
        Part::Anything if others.is_empty() => Some(Fit::Plain),
        Part::Anything => {
            let mut before = after_digit;
            let ends = text.char_indices().map(|(at, c)| (at, Some(c)));
            let mut ends = ends.chain([(text.len(), None)]);
            ends.find_map(|(at, c)| {
                let found = fit(others, &text[at..], before, tried);
                before = c.is_some_and(|c| c.is_ascii_digit());
                found
            })
        }
    };
    if found.is_none() {
        tried.insert((parts.len(), text.len()));
    }
    found
}

/// Whether a last line that no template describes is a trailer: a word that trailers begin with, and hardly anything else.
pub(super) fn looks_like_trailer(line: &str, delimiter: u8, columns: usize) -> bool {
    let Some(first) = cells(line, delimiter)
        .map(unquoted)
        .find(|cell| !cell.is_empty())
    else {
        return false;
    };
    let first = first.trim_start_matches(|c: char| !c.is_alphanumeric());
    let word: String = first
        .chars()
        .take_while(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    let is_word = WORDS.contains(&word.as_str()) || word == "t" && first.chars().count() == 1;
    let (all, filled) = count(line, delimiter);
    is_word && (all < columns || filled <= 2)
}

/// Whether a line has the cells of an employee.
pub(super) fn looks_like_row(line: &str, delimiter: u8, columns: usize) -> bool {
    let (all, filled) = count(line, delimiter);
    all >= columns && filled * 2 > columns
}

/// The number of all cells and of those that hold something.
fn count(line: &str, delimiter: u8) -> (usize, usize) {
    cells(line, delimiter).fold((0, 0), |(all, filled), cell| {
        (all + 1, filled + usize::from(!unquoted(cell).is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(template: &str, text: &str) -> Option<Fit> {
        Template::new(template).fits(text)
    }

    #[test]
    fn a_template_finds_the_number_of_rows() {
        assert_eq!(
            fits("Anzahl Datensätze: {rows}", "Anzahl Datensätze: 123"),
            Some(Fit::Rows(123))
        );
        assert_eq!(fits("T|{rows}", "T|000123"), Some(Fit::Rows(123)));
        assert_eq!(fits("EOF", "EOF"), Some(Fit::Plain));
        assert_eq!(fits("Summe;*", "Summe;;;12"), Some(Fit::Plain));
        assert_eq!(fits("*{rows}", "Zeilen 2026: 123"), Some(Fit::Rows(123)));
        assert_eq!(
            fits("report_*_{rows}.csv", "report_20261123_0512_99.csv"),
            Some(Fit::Rows(99))
        );
        assert_eq!(fits("{rows}/{rows}", "4/4"), Some(Fit::Rows(4)));
    }

    #[test]
    fn a_text_of_another_form_does_not_fit() {
        for (template, text) in [
            ("EOF", "EO"),
            ("EOF", "EOF "),
            ("T|{rows}", "T|"),
            ("T|{rows}", "T|12x"),
            ("{rows}/{rows}", "4/5"),
            ("*{rows}x", "12"),
            ("T|{rows}", "T|99999999999999999999999"),
        ] {
            assert_eq!(fits(template, text), None, "{template} {text}");
        }
    }

    #[test]
    fn usual_trailers_are_recognised_and_people_are_not() {
        for line in [
            "Summe;;;12",
            "Anzahl Datensätze: 12",
            "\"EOF\"",
            "*** Ende der Liste ***;;;",
            "T;12",
            "TOTAL;12;;",
        ] {
            assert!(looks_like_trailer(line, b';', 4), "{line}");
        }
        for line in [
            "00123;Anna;Ende;a@example.com",
            "Ende;Anna;123;a@example.com",
            "Theo;T;1;2",
            "Endemann;;;",
        ] {
            assert!(!looks_like_trailer(line, b';', 4), "{line}");
        }
    }

    #[test]
    fn many_stars_on_a_hostile_line_end_soon() {
        let template = "*a".repeat(8) + "*b*{rows}x";
        assert_eq!(fits(&template, &"a".repeat(LONGEST)), None);
        assert_eq!(fits("EOF*", &"E".repeat(LONGEST + 1)), None);
    }
}
