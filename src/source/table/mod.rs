//! Rows of a delimited text file, with proof that they are all of its rows.
//!
//! The `csv` crate splits the rows, but it never complains: one stray quote swallows the rest of a file, a cut row is a short row, a wrong delimiter a
//! single column. So everything around it is checked here: each row is exactly one line, has exactly the cells of the header, and the file has an end. A caller
//! drops all it was given as soon as `for_each_row` returns an error.

mod dialect;
mod error;
pub(crate) mod foreign;
mod rows;
mod trailer;

use std::fmt;
use std::ops::Range;

use csv::StringRecord;
use unicode_normalization::UnicodeNormalization;

pub use dialect::clean;
pub use error::{At, Damage, Foreign, Found, NoDelimiter, Spot, TableError};
pub use rows::Row;

use super::text::{Text, lines};
use crate::config::{Delimiter, FinalNewline, TableConfig};
use dialect::{Line, Lines};
use trailer::{Fit, Template};

/// A file whose header and end have been checked; its rows are checked as they are read.
pub struct Table {
    file: String,
    columns: Vec<String>,
    keys: Vec<String>,
    has_header: bool,
    delimiter: u8,
    backslash_escapes: bool,
    /// The rows: from the first to where the blank lines and the trailer at the end begin.
    pieces: Vec<Box<str>>,
    /// The last character of a line's end.
    line_end: char,
    first_row: u64,
    promised: Promised,
}

/// How many rows the file itself and the configuration promise.
#[derive(Debug)]
struct Promised {
    in_trailer: Option<u64>,
    in_name: Option<u64>,
    least: u64,
}

impl fmt::Debug for Table {
    /// The text holds personal data and is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({}, {} columns)", self.file, self.columns.len())
    }
}

impl Table {
    /// Checks everything but the rows: kind of file, end, delimiter, header, trailer, name.
    pub fn open(text: Text, file: &str, config: &TableConfig) -> Result<Self, TableError> {
        let named = || file.to_owned();
        let Text { pieces, line_end } = text;
        if pieces.iter().all(|piece| clean(piece).is_empty()) {
            return Err(TableError::Empty { file: named() });
        }
        // What stands before the rows stands in the first piece, which is long and ends with a line.
        let head = &*pieces[0];
        if let Some(what) = foreign::of_text(head) {
            return Err(TableError::Foreign {
                file: named(),
                what,
            });
        }
        let ends = pieces.last().is_some_and(|last| last.ends_with(line_end));
        if config.final_newline == FinalNewline::Required && !ends {
            let row = 1 + lines(pieces.iter().map(|piece| &**piece), line_end);
            return Err(TableError::NoFinalNewline { file: named(), row });
        }
        let mut rows = Lines::with_end(head, line_end, 1);
        let mut first = rows.next();
        let mut delimiter = config.delimiter;
        if let Some(stated) = first
            .as_ref()
            .and_then(|line| dialect::stated_delimiter(line.content))
        {
            if !matches!(delimiter, Delimiter::Auto) && delimiter != Delimiter::Is(stated) {
                return Err(TableError::OtherDelimiter { file: named() });
            }
            delimiter = Delimiter::Is(stated);
            first = rows.next();
        }
        let Some(first) = first else {
            return Err(TableError::NoRows { file: named() });
        };
        if clean(first.content).is_empty() {
            let at = At {
                file: named(),
                row: first.number,
                spot: Spot::Row,
            };
            return Err(TableError::EmptyRow { at });
        }
        let delimiter = match delimiter {
            Delimiter::Is(c) => u8::try_from(c).ok().filter(u8::is_ascii),
            Delimiter::Auto => None,
        }
        .map_or_else(|| dialect::delimiter(first.content), Ok)
        .map_err(|why| TableError::NoDelimiter { file: named(), why })?;

        let mut table = Self {
            file: named(),
            columns: Vec::new(),
            keys: Vec::new(),
            has_header: config.header,
            delimiter,
            backslash_escapes: config.backslash_escapes,
            pieces: Vec::new(),
            line_end,
            first_row: first.number + u64::from(config.header),
            promised: Promised {
                in_trailer: None,
                in_name: None,
                least: config.min_rows,
            },
        };
        table.name_columns(&first)?;
        let rows = if config.header {
            first.next
        } else {
            first.start
        };
        let head = Box::from(&head[rows..]);
        table.pieces = pieces;
        table.pieces[0] = head;
        table.pieces.retain(|piece| !piece.is_empty());
        table.find_end(config.trailer.as_deref())?;
        if let Some(template) = &config.rows_in_name {
            table.promised.in_name = Some(rows_in_name(file, template)?);
        }
        Ok(table)
    }

    /// Of how many pieces of about the same length its rows are.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// The names of the columns, as the header writes them; `1`, `2`, `3` without a header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of a column, found without regard to case, blanks around the name and Unicode form.
    pub fn column(&self, name: &str) -> Result<usize, TableError> {
        let key = key(name);
        let mut found = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, column)| **column == key);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(TableError::ColumnTwice {
                file: self.file.clone(),
                name: name.to_owned(),
            }),
            (None, _) => Err(TableError::NoColumn {
                file: self.file.clone(),
                name: name.to_owned(),
                found: if self.names_are_safe() {
                    Found::Names(self.columns.clone())
                } else {
                    Found::NoHeader(self.columns.len())
                },
            }),
        }
    }

    fn name_columns(&mut self, first: &Line<'_>) -> Result<(), TableError> {
        if dialect::is_blank(first.content, self.delimiter) {
            return Err(TableError::EmptyRow {
                at: self.at(first.number, None),
            });
        }
        self.check_line(first)?;
        let mut cells = StringRecord::new();
        if !self
            .reader(first.content)
            .read_record(&mut cells)
            .unwrap_or(false)
        {
            return Err(TableError::Unreadable {
                at: self.at(first.number, None),
            });
        }
        if self.has_header {
            self.columns = cells.iter().map(|cell| clean(cell).to_owned()).collect();
            while self.columns.last().is_some_and(String::is_empty) {
                self.columns.pop();
            }
        } else {
            self.columns = (1..=cells.len()).map(|number| number.to_string()).collect();
        }
        self.keys = self.columns.iter().map(|name| key(name)).collect();
        Ok(())
    }

    /// Cuts blank lines and the trailer off the end of the rows.
    fn find_end(&mut self, template: Option<&str>) -> Result<(), TableError> {
        let Some(last) = self.last_line() else {
            return self.has_none();
        };
        let piece = self.pieces.last().map_or("", |piece| piece);
        let content = &piece[last.clone()];
        let row = || {
            let before = self.pieces.len().saturating_sub(1);
            let before = self.pieces[..before].iter().map(|piece| &**piece);
            let own = &piece[..last.start];
            self.first_row + lines(before.chain([own]), self.line_end)
        };
        match template {
            None if trailer::looks_like_trailer(content, self.delimiter, self.columns.len()) => {
                return Err(TableError::LooksLikeTrailer {
                    file: self.file.clone(),
                    row: row(),
                });
            }
            None => {}
            Some(template) => {
                let template = Template::new(template);
                let Some(fit) = template.fits_trailer(content, self.delimiter) else {
                    return Err(TableError::TrailerMissing {
                        file: self.file.clone(),
                        row: row(),
                    });
                };
                if fit == Fit::Plain
                    && trailer::looks_like_row(content, self.delimiter, self.columns.len())
                {
                    return Err(TableError::TrailerLooksLikeRow {
                        file: self.file.clone(),
                        row: row(),
                    });
                }
                if let Fit::Rows(rows) = fit {
                    self.promised.in_trailer = Some(rows);
                }
                self.cut_last(last.start);
                if self.last_line().is_none() {
                    return self.has_none();
                }
            }
        }
        Ok(())
    }

    /// There is no row, which is right where none has to be.
    fn has_none(&self) -> Result<(), TableError> {
        if self.promised.least == 0 {
            return Ok(());
        }
        Err(TableError::NoRows {
            file: self.file.clone(),
        })
    }

    /// Cuts off the blank lines that the rows end with, and gives the place in the last piece of the line that is then the last.
    fn last_line(&mut self) -> Option<Range<usize>> {
        while let Some(piece) = self.pieces.last() {
            let mut end = piece.len();
            while end > 0 {
                let rest = &piece[..end];
                let content = rest.strip_suffix(self.line_end).unwrap_or(rest);
                let start = content.rfind(self.line_end).map_or(0, |at| at + 1);
                let line = start..start + content[start..].trim_end_matches('\r').len();
                if !dialect::is_blank(&piece[line.clone()], self.delimiter) {
                    self.cut_last(end);
                    return Some(line);
                }
                end = start;
            }
            self.pieces.pop();
        }
        None
    }

    /// Leaves so much of the last piece.
    fn cut_last(&mut self, length: usize) {
        if length == 0 {
            self.pieces.pop();
        } else if let Some(last) = self.pieces.last_mut()
            && last.len() > length
        {
            *last = Box::from(&last[..length]);
        }
    }

    /// A place in a row; `column` counts from 0.
    fn at(&self, row: u64, column: Option<usize>) -> At {
        let name = |index: usize| {
            let name = self.columns.get(index).filter(|name| !name.is_empty());
            name.filter(|_| self.has_header && self.names_are_safe())
                .cloned()
        };
        let spot = column.map_or(Spot::Row, |index| Spot::Column(index + 1, name(index)));
        At {
            file: self.file.clone(),
            row,
            spot,
        }
    }

    /// Whether the names of the columns are names, and not the values of a person in a file that lost its header.
    fn names_are_safe(&self) -> bool {
        let is_value = |name: &String| {
            let digits = name.chars().filter(char::is_ascii_digit).count();
            name.contains('@') || digits > 3 || (digits > 0 && digits == name.chars().count())
        };
        !self.has_header || !self.columns.iter().any(is_value)
    }
}

/// The form in which names of columns are compared.
fn key(name: &str) -> String {
    clean(name)
        .nfc()
        .flat_map(char::to_lowercase)
        .nfc()
        .collect()
}

fn rows_in_name(file: &str, template: &str) -> Result<u64, TableError> {
    let parsed = Template::new(template);
    let unpacked = file
        .len()
        .checked_sub(3)
        .and_then(|at| file.split_at_checked(at));
    let unpacked = unpacked.filter(|(_, ending)| ending.eq_ignore_ascii_case(".gz"));
    match parsed.fits(file).or_else(|| parsed.fits(unpacked?.0)) {
        Some(Fit::Rows(rows)) => Ok(rows),
        Some(Fit::Plain) | None => Err(TableError::NameUnlikeTemplate {
            file: file.to_owned(),
            template: template.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
