//! Reads the rows: one of the `csv` crate for each line of the file, checked before it is given to anyone. Where no quote stands near, the crate has nothing to do.
//!
//! The crate goes on over line ends, closes quotes by itself and takes rows of any width. So its position is compared with the end of the line after
//! each row, and a row that would need more than its line, or has other cells than the header, ends the reading.

use std::fmt;

use csv::{ReaderBuilder, StringRecord};
use memchr::{memchr, memchr_iter};

use super::dialect::{self, Line, Lines, QuoteFault};
use super::{Promised, Spot, Table, TableError, clean};
use crate::parallel;
use crate::source::text::byte;

/// One row.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// Its line in the file, from 1.
    pub line: u64,
    cells: Cells<'r>,
}

/// The cells of a row.
#[derive(Clone, Copy)]
enum Cells<'r> {
    /// As the `csv` crate has read them.
    Read(&'r StringRecord),
    /// A line without a quote, and where its cells end.
    Plain(&'r str, &'r [usize]),
}

impl<'r> Cells<'r> {
    fn len(self) -> usize {
        match self {
            Self::Read(cells) => cells.len(),
            Self::Plain(_, ends) => ends.len(),
        }
    }

    fn get(self, column: usize) -> Option<&'r str> {
        match self {
            Self::Read(cells) => cells.get(column),
            Self::Plain(line, ends) => {
                let before = column.checked_sub(1).map(|before| ends.get(before));
                let start = before.map_or(Some(0), |end| Some(end? + 1))?;
                line.get(start..*ends.get(column)?)
            }
        }
    }
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

impl Table {
    /// Gives every row to `take` and returns their number. After an error, none of the rows that were given may be used.
    pub fn for_each_row(mut self, mut take: impl FnMut(Row<'_>)) -> Result<u64, TableError> {
        let mut cells = StringRecord::new();
        let mut rows = 0;
        let mut number = self.first_row;
        let mut pieces = std::mem::take(&mut self.pieces).into_iter();
        while let Some(piece) = pieces.next() {
            let last = pieces.len() == 0;
            let found = self.rows_of(&piece, last, number, &mut cells, &mut take)?;
            // Each is one line.
            number += found;
            rows += found;
        }
        self.check_count(rows)?;
        Ok(rows)
    }

    /// Does the same with several processors: rows that stand together go to a part that `begin` makes, and the parts in their order to `take`.
    pub fn for_each_part<P: Send>(
        mut self,
        begin: impl Fn() -> P + Sync,
        row: impl Fn(&mut P, Row<'_>) + Sync,
        mut take: impl FnMut(P),
    ) -> Result<u64, TableError> {
        let pieces = std::mem::take(&mut self.pieces);
        let (last, mut number) = (pieces.len().saturating_sub(1), self.first_row);
        let numbered = pieces.into_iter().map(|piece| {
            let first = number;
            number += memchr_iter(byte(self.line_end), piece.as_bytes()).count() as u64;
            (first, piece)
        });
        let numbered: Vec<(u64, Box<str>)> = numbered.collect();
        let (table, mut rows) = (&self, 0);
        parallel::in_order(
            numbered.into_iter().enumerate(),
            |(index, (first, piece))| {
                let (mut part, mut cells) = (begin(), StringRecord::new());
                let read = table.rows_of(&piece, index == last, first, &mut cells, &mut |one| {
                    row(&mut part, one);
                });
                // The piece goes back, for memory is free again sooner where it was taken.
                (piece, read.map(|rows| (rows, part)))
            },
            |(piece, read)| {
                drop(piece);
                let (found, part) = read?;
                rows += found;
                take(part);
                Ok(())
            },
        )?;
        self.check_count(rows)?;
        Ok(rows)
    }

    /// The rows of a piece, whose first has this `number`.
    fn rows_of(
        &self,
        piece: &str,
        is_last: bool,
        number: u64,
        cells: &mut StringRecord,
        take: &mut impl FnMut(Row<'_>),
    ) -> Result<u64, TableError> {
        // Without any quote the cells are what stands between the delimiters, which needs no reader.
        let is_plain = !self.backslash_escapes && memchr(b'"', piece.as_bytes()).is_none();
        let reader = (!is_plain).then(|| self.reader(piece));
        self.rows_by(reader, piece, is_last, number, cells, take)
    }

    /// The same with this reader, or without one.
    pub(super) fn rows_by(
        &self,
        mut reader: Option<csv::Reader<&[u8]>>,
        piece: &str,
        is_last: bool,
        number: u64,
        cells: &mut StringRecord,
        take: &mut impl FnMut(Row<'_>),
    ) -> Result<u64, TableError> {
        let (mut rows, mut ends) = (0, Vec::new());
        for line in Lines::with_end(piece, self.line_end, number) {
            if dialect::is_blank(line.content, self.delimiter) {
                return Err(TableError::EmptyRow {
                    at: self.at(line.number, None),
                });
            }
            self.check_line(&line)?;
            let cells = if let Some(reader) = &mut reader {
                let read = reader.read_record(cells);
                // Where the reader stands now: behind this line, or between the two bytes of its end.
                let stands = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
                let content_end = line.start + line.content.len();
                let at_end = (stands > content_end && stands <= line.next)
                    || (stands == content_end && stands == piece.len());
                if !matches!(read, Ok(true)) || !at_end {
                    return Err(TableError::Unreadable {
                        at: self.at(line.number, None),
                    });
                }
                Cells::Read(cells)
            } else {
                ends.clear();
                ends.extend(memchr_iter(self.delimiter, line.content.as_bytes()));
                ends.push(line.content.len());
                Cells::Plain(line.content, &ends)
            };
            self.check_width(cells, &line, is_last && line.next >= piece.len())?;
            rows += 1;
            take(Row {
                line: line.number,
                cells,
            });
        }
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
        if let Some(offset) = memchr(b'\r', line.content.as_bytes()) {
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

    fn check_width(&self, cells: Cells<'_>, line: &Line<'_>, last: bool) -> Result<(), TableError> {
        let expected = self.columns.len();
        if cells.len() < expected {
            return Err(TableError::TooFewCells {
                at: self.at(line.number, Some(cells.len())),
                found: cells.len(),
                expected,
                last,
            });
        }
        let is_filled =
            |column: &usize| !cells.get(*column).is_none_or(|cell| clean(cell).is_empty());
        match (expected..cells.len()).find(is_filled) {
            None => Ok(()),
            Some(column) => {
                let at = self.at(line.number, Some(column));
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
