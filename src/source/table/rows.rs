//! Reads the rows: one of the `csv` crate for each line of the file, checked before it is given to anyone.
//!
//! The crate goes on over line ends, closes quotes by itself and takes rows of any width. So its position is compared with the end of the line after
//! each row, and a row that would need more than its line, or has other cells than the header, ends the reading.

use std::fmt;

use csv::{ReaderBuilder, StringRecord};

use super::dialect::{self, Line, Lines, QuoteFault};
use super::{Promised, Spot, Table, TableError, clean};

/// One row.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// Its line in the file, from 1.
    pub line: u64,
    cells: &'r StringRecord,
}

impl fmt::Debug for Row<'_> {
    /// The cells hold personal data, so the line alone is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({})", self.line)
    }
}

impl<'r> Row<'r> {
    /// A cell, by the number that `Table::column` gave: without blanks around it and out of Excel's `="…"`. Empty where there is no such column.
    pub fn cell(&self, column: usize) -> &'r str {
        self.cells.get(column).map_or("", clean)
    }
}

impl Table<'_> {
    /// Gives every row to `take` and returns their number. After an error, none of the rows that were given may be used.
    pub fn for_each_row(&self, mut take: impl FnMut(Row<'_>)) -> Result<u64, TableError> {
        let body = &self.text[self.body.clone()];
        let mut reader = self.reader(body);
        let mut cells = StringRecord::new();
        let mut rows = 0;
        for line in Lines::starting_at(self.text, self.body.clone(), self.first_row) {
            if dialect::is_blank(line.content, self.delimiter) {
                return Err(TableError::EmptyRow {
                    at: self.at(line.number, None),
                });
            }
            self.check_line(&line)?;
            let read = reader.read_record(&mut cells);
            // Where the reader stands now: behind this line, or between the two bytes of its end.
            let stands = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            let stands = self.body.start.saturating_add(stands);
            let content_end = line.start + line.content.len();
            let at_end = (stands > content_end && stands <= line.next)
                || (stands == content_end && stands == self.body.end);
            if !matches!(read, Ok(true)) || !at_end {
                return Err(TableError::Unreadable {
                    at: self.at(line.number, None),
                });
            }
            self.check_width(&cells, &line)?;
            rows += 1;
            take(Row {
                line: line.number,
                cells: &cells,
            });
        }
        self.check_count(rows)?;
        Ok(rows)
    }

    pub(super) fn reader<'t>(&self, text: &'t str) -> csv::Reader<&'t [u8]> {
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .escape(self.backslash_escapes.then_some(b'\\'))
            .buffer_capacity(1 << 16)
            .from_reader(text.as_bytes())
    }

    pub(super) fn check_line(&self, line: &Line<'_>) -> Result<(), TableError> {
        if let Some(offset) = line.content.find('\r') {
            let mut at = self.at(line.number, None);
            at.spot = Spot::Character(line.content[..offset].chars().count() + 1);
            return Err(TableError::StrayReturn { at });
        }
        let Some((column, fault)) =
            dialect::quote_fault(line.content, self.delimiter, self.backslash_escapes)
        else {
            return Ok(());
        };
        let at = self.at(line.number, Some(column));
        Err(match fault {
            QuoteFault::Open => TableError::OpenQuote { at },
            QuoteFault::TextAfter => TableError::TextAfterQuote { at },
            QuoteFault::BlankBefore => TableError::BlankBeforeQuote { at },
        })
    }

    fn check_width(&self, cells: &StringRecord, line: &Line<'_>) -> Result<(), TableError> {
        let expected = self.columns.len();
        if cells.len() < expected {
            return Err(TableError::TooFewCells {
                at: self.at(line.number, Some(cells.len())),
                found: cells.len(),
                expected,
                last: line.next >= self.body.end,
            });
        }
        match cells
            .iter()
            .skip(expected)
            .position(|cell| !clean(cell).is_empty())
        {
            None => Ok(()),
            Some(index) => {
                let at = self.at(line.number, Some(expected + index));
                Err(TableError::TooManyCells { at, expected })
            }
        }
    }

    fn check_count(&self, found: u64) -> Result<(), TableError> {
        let file = || self.file.clone();
        let Promised {
            in_trailer,
            in_name,
            least,
        } = self.promised;
        match (in_trailer, in_name) {
            (Some(told), _) if told != found => Err(TableError::OtherRowsInTrailer {
                file: file(),
                told,
                found,
            }),
            (_, Some(told)) if told != found => Err(TableError::OtherRowsInName {
                file: file(),
                told,
                found,
            }),
            _ if found == 0 => self.has_none(),
            _ if found < least => Err(TableError::FewRows {
                file: file(),
                found,
                least,
            }),
            _ => Ok(()),
        }
    }
}
