//! How a table is written: its lines, the character between its cells, its quotes.
//!
//! The checks of quotes stand here because the `csv` crate accepts everything: a quote that is never closed makes one cell of the rest of the file.

use memchr::memchr;

use super::error::NoDelimiter;
use crate::source::text::byte;

/// A line of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// Where it begins in the text.
    pub(super) start: usize,
    /// Without its end.
    pub(super) content: &'a str,
    /// Where the next line begins.
    pub(super) next: usize,
}

/// The lines of a text. They end with LF or CRLF; with CR only where the text has no LF at all.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: u64,
    /// The last character of a line's end.
    end: char,
}

impl<'a> Lines<'a> {
    /// The lines of a part of a text whose lines end so; they are counted from `number`.
    pub(super) fn with_end(text: &'a str, end: char, number: u64) -> Self {
        Self {
            text,
            at: 0,
            number,
            end,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (content, next) = match memchr(byte(self.end), rest.as_bytes()) {
            Some(length) => {
                let content = &rest[..length];
                let content = content.strip_suffix('\r').unwrap_or(content);
                (content, self.at + length + 1)
            }
            None => (rest, self.text.len()),
        };
        let line = Line {
            number: self.number,
            start: self.at,
            content,
            next,
        };
        self.at = next;
        self.number += 1;
        Some(line)
    }
}

/// The value of a cell: without blanks, zero-width characters and direction marks around it, and out of Excel's `="00123"`.
pub fn clean(cell: &str) -> &str {
    let ends = cell.as_bytes().first().zip(cell.as_bytes().last());
    let is_clean = |(first, last): (&u8, &u8)| {
        first.is_ascii_graphic() && *first != b'=' && last.is_ascii_graphic()
    };
    // Nearly every cell is.
    if ends.is_none_or(is_clean) {
        return cell;
    }
    let cell = cell.trim_matches(is_space);
    match cell
        .strip_prefix("=\"")
        .and_then(|inner| inner.strip_suffix('"'))
    {
        Some(inner) if !inner.contains('"') => inner.trim_matches(is_space),
        _ => cell,
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Whether a line has no cell with anything in it.
pub(super) fn is_blank(line: &str, delimiter: u8) -> bool {
    cells(line, delimiter).all(|cell| unquoted(cell).is_empty())
}

/// The cells of a line, roughly: delimiters inside quotes are not respected.
pub(super) fn cells(line: &str, delimiter: u8) -> impl Iterator<Item = &str> {
    line.split(char::from(delimiter)).map(clean)
}

/// A rough cell without its quotes.
pub(super) fn unquoted(cell: &str) -> &str {
    let inner = cell
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'));
    inner.map_or(cell, clean)
}

/// The delimiter of a first line `sep=;`, which Excel obeys.
pub(super) fn stated_delimiter(line: &str) -> Option<char> {
    let line = line
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(line);
    let (word, stated) = line.split_at_checked(4)?;
    let mut chars = stated.chars();
    match (
        word.eq_ignore_ascii_case("sep="),
        chars.next(),
        chars.next(),
    ) {
        (true, Some(c), None)
            if c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '"' | '\\') =>
        {
            Some(c)
        }
        _ => None,
    }
}

/// The delimiter that stands most often in a header, outside quotes.
pub(super) fn delimiter(header: &str) -> Result<u8, NoDelimiter> {
    let mut counts = [(b';', 0), (b',', 0), (b'|', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in header.bytes() {
        quoted ^= byte == b'"';
        if !quoted
            && let Some((_, count)) = counts.iter_mut().find(|(candidate, _)| *candidate == byte)
        {
            *count += 1;
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match counts {
        [(_, 0), ..] => Err(NoDelimiter::None),
        [(_, most), (_, second), ..] if most == second => Err(NoDelimiter::Tie),
        [(delimiter, _), ..] => Ok(delimiter),
    }
}

/// What is wrong with a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteFault {
    /// It is not closed where the line ends.
    Open,
    /// Text follows the closing quote.
    TextAfter,
    /// A blank stands before the opening quote, which makes it an ordinary character.
    BlankBefore,
}

/// The first fault in the quotes of a line, with its column from 0.
///
/// A quote in the middle of an unquoted cell is an ordinary character, as for Excel.
pub(super) fn quote_fault(line: &str, delimiter: u8, escapes: bool) -> Option<(usize, QuoteFault)> {
    memchr(b'"', line.as_bytes())?;
    let mut rest = line.as_bytes();
    for column in 0.. {
        if let [b'"', quoted @ ..] = rest {
            let Some(length) = quoted_length(quoted, escapes) else {
                return Some((column, QuoteFault::Open));
            };
            rest = &quoted[length..];
            while let [b' ' | b'\t', after @ ..] = rest
                && rest.first() != Some(&delimiter)
            {
                rest = after;
            }
            if rest.first().is_some_and(|byte| *byte != delimiter) {
                return Some((column, QuoteFault::TextAfter));
            }
        } else {
            let length = rest
                .iter()
                .position(|byte| *byte == delimiter)
                .unwrap_or(rest.len());
            let (cell, after) = rest.split_at(length);
            let cell = std::str::from_utf8(cell).unwrap_or_default();
            if cell.trim_start_matches(is_space).starts_with('"') {
                return Some((column, QuoteFault::BlankBefore));
            }
            rest = after;
        }
        // A delimiter, or the end of the line.
        match rest {
            [_, after @ ..] => rest = after,
            [] => return None,
        }
    }
    None
}

/// How long the inside of a quoted cell and its closing quote are; `None` if it is not closed.
fn quoted_length(inside: &[u8], escapes: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        match (inside.get(at)?, inside.get(at + 1)) {
            (b'\\', _) if escapes => at += 2,
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::text::tests::of;

    #[test]
    fn cells_are_cleaned_of_blanks_of_every_kind_and_of_excels_formula() {
        assert_eq!(clean("\u{A0} Anna\u{200B}\u{FEFF} "), "Anna");
        assert_eq!(clean("=\"00123\""), "00123");
        assert_eq!(clean("=\" 00123 \" "), "00123");
        assert_eq!(clean("=\""), "=\"");
        assert_eq!(clean("=A1&\"x\""), "=A1&\"x\"");
        assert_eq!(clean(" "), "");
    }

    #[test]
    fn the_delimiter_is_the_one_that_stands_most_often_outside_quotes() {
        assert_eq!(delimiter("a;b;c"), Ok(b';'));
        assert_eq!(delimiter("\"a;b;c;d\",b,c"), Ok(b','));
        assert_eq!(delimiter("a|b"), Ok(b'|'));
        assert_eq!(delimiter("a\tb, c\td"), Ok(b'\t'));
        assert_eq!(delimiter("a;b,c"), Err(NoDelimiter::Tie));
        assert_eq!(delimiter("a"), Err(NoDelimiter::None));
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_with_cr_only_where_there_is_no_lf() {
        let contents = |text: &'static str| {
            Lines::with_end(text, of(text).line_end, 1)
                .map(|line| line.content)
                .collect::<Vec<_>>()
        };
        assert_eq!(contents("a\r\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(contents("a\rb\r"), ["a", "b"]);
        assert_eq!(contents("a\rb\n"), ["a\rb"]);
    }

    #[test]
    fn faults_of_quotes_are_found_in_their_column() {
        let fault = |line| quote_fault(line, b';', false);
        assert_eq!(fault("\"a;b\";\"say \"\"hi\"\"\";c"), None);
        assert_eq!(fault("=\"00123\";Anna \"Anni\" Weiß;\"\""), None);
        assert_eq!(fault("a;\"b;c"), Some((1, QuoteFault::Open)));
        assert_eq!(fault("a;\"b\"c"), Some((1, QuoteFault::TextAfter)));
        assert_eq!(fault("a; \"b\""), Some((1, QuoteFault::BlankBefore)));
        assert_eq!(fault("a;\"b\" ;c"), None);
        assert_eq!(quote_fault(r#""a \" b";c"#, b';', true), None);
        assert_eq!(
            quote_fault(r#""a \" b";c"#, b';', false),
            Some((0, QuoteFault::TextAfter))
        );
        assert_eq!(
            quote_fault("\"a\\", b';', true),
            Some((0, QuoteFault::Open))
        );
    }
}
