//! What can be wrong with a table, and what to do about it.
//!
//! A message names file, row and column, and never what stands in a cell: cells hold personal data, and messages go to logs and mails. A row is
//! the line of the file, counted from 1, as an editor shows it. Names of columns are shown only where the first row really looks like a header.

use std::fmt;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Name of the file.
    pub file: String,
    /// Line of the file, from 1.
    pub row: u64,
    /// Where in the row, if known.
    pub spot: Spot,
}

/// A place in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The row as a whole.
    Row,
    /// A character of the line, from 1.
    Character(usize),
    /// A cell: its column from 1, and the column's name where it is known.
    Column(usize, Option<String>),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row {} of {}", self.row, self.file)?;
        match &self.spot {
            Spot::Row => Ok(()),
            Spot::Character(number) => write!(f, ", character {number}"),
            Spot::Column(number, None) => write!(f, ", column {number}"),
            Spot::Column(number, Some(name)) => write!(f, ", column {number} ({name})"),
        }
    }
}

/// A file that is no table at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Foreign {
    Workbook,
    Zip,
    Gzip,
    Pdf,
    Encrypted,
    Html,
    Xml,
    Json,
    Lodas,
    Extf,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workbook => "an Excel workbook or another office document; export it as CSV",
            Self::Zip => "a packed archive inside another, or of a kind that is not read here; pack the CSV file once, with zip or gzip",
            Self::Gzip => "packed more than once; pack it once",
            Self::Pdf => "a PDF document; export as CSV",
            Self::Encrypted => "encrypted (PGP) inside its packing, or twice; have the sender pack first and encrypt once",
            Self::Html => {
                "a web page, often the login or error page of the HR system; export the list again as CSV"
            }
            Self::Xml => "an XML file; export as CSV",
            Self::Json => "a JSON file; export as CSV",
            Self::Lodas => {
                "a DATEV LODAS import file with sections such as [Stammdaten]; export the list of employees (Personalstammdaten) as CSV with one header row instead"
            }
            Self::Extf => {
                "a file in DATEV format (EXTF), which holds bookings or master data of accounting; export the list of employees (Personalstammdaten) as CSV with one header row instead"
            }
        })
    }
}

/// A character that shows that the text was misread or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// U+FFFD: another program could not read the character and put this in its place.
    Replacement,
    /// UTF-8 that was read as Windows-1252 once on its way.
    DoublyEncoded,
    /// A C1 control character: no Windows-1252 text has it; in code page 850 it is `ü`.
    C1,
    /// A sign in the middle of a word, where another code page has a letter.
    OtherCodePage,
    /// A NUL or another control character.
    Control,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replacement => {
                "stands for a letter that was lost before the file came here; have the sender export it again"
            }
            Self::DoublyEncoded => {
                "begins UTF-8 that was read as Windows-1252; set table.encoding to what the sender writes, or have the sender encode the text once"
            }
            Self::C1 => {
                "is no letter of Windows-1252; the sender probably writes code page 850 (DOS); have it write UTF-8"
            }
            Self::OtherCodePage => {
                "stands inside a word; the sender probably writes code page 850 (DOS) or Mac Roman; have it write UTF-8"
            }
            Self::Control => {
                "is a control character, which no table has; the file is binary, damaged, or in another encoding than table.encoding says"
            }
        })
    }
}

/// Why the delimiter could not be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDelimiter {
    /// None of `;`, `,`, `|` and tab stands in the header.
    None,
    /// Two of them stand in it equally often.
    Tie,
}

impl fmt::Display for NoDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "has none of ; , | and tab",
            Self::Tie => "has two of ; , | and tab equally often",
        })
    }
}

/// The columns of a header, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Their names.
    Names(Vec<String>),
    /// Their number alone: the first row holds values, it may be somebody's.
    NoHeader(usize),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) => {
                f.write_str("the columns are ")?;
                for (index, name) in names.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}`{name}`")?;
                }
                Ok(())
            }
            Self::NoHeader(count) => write!(
                f,
                "its first row has {count} cells and looks like values rather than names; export with a header row, or set table.header: false"
            ),
        }
    }
}

/// Why a file is not used. All of it: none of its rows is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum TableError {
    #[error("The file {file} is empty; have the sender export it again")]
    Empty { file: String },
    #[error("The file {file} has no rows below its header; have the sender export it again")]
    NoRows { file: String },
    #[error("The file {file} is {what}")]
    Foreign { file: String, what: Foreign },
    #[error(
        "The file {file} begins with the byte order mark of {found}, but table.encoding is {setting}; correct the setting or set it to auto"
    )]
    OtherMark {
        file: String,
        found: &'static str,
        setting: &'static str,
    },
    #[error("{at}: This is not {encoding}; the file is damaged or cut, or table.encoding is wrong")]
    NotInEncoding { at: At, encoding: &'static str },
    #[error("{at}: The file is UTF-8, but table.encoding is windows-1252; set it to utf-8 or auto")]
    IsUtf8 { at: At },
    #[error("{at}: The character U+{code:04X} {damage}")]
    Damaged { at: At, code: u32, damage: Damage },
    #[error(
        "Row {row} of {file} does not end with a line end: the file was cut short; deliver it again, or set table.final_newline: optional if the sender never writes one"
    )]
    NoFinalNewline { file: String, row: u64 },
    #[error(
        "{at}: A carriage return stands inside the row; the file was cut there, or a cell holds a line break, which the export has to leave out"
    )]
    StrayReturn { at: At },
    #[error(
        "The first row of {file} {why}; set table.delimiter to the character between the cells"
    )]
    NoDelimiter { file: String, why: NoDelimiter },
    #[error(
        "The first line of {file} names another delimiter than table.delimiter; correct the setting or set it to auto"
    )]
    OtherDelimiter { file: String },
    #[error("The file {file} has no column `{name}`; {found}")]
    NoColumn {
        file: String,
        name: String,
        found: Found,
    },
    #[error("The file {file} has the column `{name}` more than once; have each name exported once")]
    ColumnTwice { file: String, name: String },
    #[error(
        "{at}: A quoted cell does not end in its row: a quote is never closed or a cell holds a line break; have the export double quotes inside cells and leave line breaks out"
    )]
    OpenQuote { at: At },
    #[error(
        "{at}: Text follows a closing quote; have the export double quotes inside cells, or set table.backslash_escapes if it writes \\\""
    )]
    TextAfterQuote { at: At },
    #[error("{at}: A blank stands before an opening quote; have the export leave it out")]
    BlankBeforeQuote { at: At },
    #[error(
        "{at}: The row has {found} cells and the first row has {expected}; the row is cut or broken{}",
        if *.last { ", or it is no employee: then set table.trailer" } else { "; have the sender export it again" }
    )]
    TooFewCells {
        at: At,
        found: usize,
        expected: usize,
        last: bool,
    },
    #[error(
        "{at}: The row goes on after the last of {expected} columns; probably a cell holds the delimiter without quotes"
    )]
    TooManyCells { at: At, expected: usize },
    #[error("{at}: The row is empty and others follow; have the export leave empty rows out")]
    EmptyRow { at: At },
    #[error("{at}: The row could not be read")]
    Unreadable { at: At },
    #[error(
        "Row {row} of {file}, its last, is not the trailer that table.trailer describes: the file was cut short, or table.trailer is not what the sender writes; compare the two, and deliver the file again"
    )]
    TrailerMissing { file: String, row: u64 },
    #[error(
        "Row {row} of {file}, its last, fits table.trailer but looks like an employee; describe the trailer with more of its words or with {{rows}}"
    )]
    TrailerLooksLikeRow { file: String, row: u64 },
    #[error(
        "Row {row} of {file}, its last, looks like a trailer and not like an employee; describe it in table.trailer, such as \"Anzahl: {{rows}}\""
    )]
    LooksLikeTrailer { file: String, row: u64 },
    #[error(
        "The trailer of {file} tells {told} rows, but there are {found}; deliver the file again"
    )]
    OtherRowsInTrailer { file: String, told: u64, found: u64 },
    #[error("The file name {file} is not of the form {template} that table.rows_in_name describes")]
    NameUnlikeTemplate { file: String, template: String },
    #[error("The name of {file} tells {told} rows, but there are {found}; deliver the file again")]
    OtherRowsInName { file: String, told: u64, found: u64 },
    #[error(
        "The file {file} has {found} rows, fewer than table.min_rows: {least}; deliver it again, or lower the setting if the company is that small"
    )]
    FewRows {
        file: String,
        found: u64,
        least: u64,
    },
}
