//! Turns the cells of one row into an employee, or says which value of it makes no sense.
//!
//! A row is selected first, by the include and exclude rules; what is not selected is not judged. Values that are empty stay empty
//! here: whether that matters depends on who the person is, which `assemble` knows.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};
use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::dates::DateFormat;
use super::eight::is_printable_ascii;
use super::employee::{Absence, Employee, Field, HrId};
use super::hashed::Hashed;
use super::rare::Rare;

/// Longest value of a text field, in characters; ours, as JobTicket names none. A longer one is a misread file.
const MOST_CHARACTERS: usize = 250;

/// So many values are compared one by one sooner than by hash.
const FEW_VALUES: usize = 8;

/// Columns (counted from 0) of which the first that is not empty counts.
pub type Columns = Vec<usize>;

/// How a date is read.
#[derive(Debug, Clone)]
pub struct DateMapping {
    /// Where.
    pub columns: Columns,
    /// Tried in order.
    pub formats: Vec<DateFormat>,
    /// Values that mean "no date".
    pub empty: Vec<String>,
}

/// How a yes or no is read.
#[derive(Debug, Clone)]
pub struct FlagMapping {
    /// Where.
    pub columns: Columns,
    /// Values that mean yes.
    pub yes: Vec<String>,
    /// Values that mean no.
    pub no: Vec<String>,
}

/// How an absence is put together.
#[derive(Debug, Clone)]
pub struct AbsenceMapping {
    /// The column with the kind of absence.
    pub kind: Columns,
    /// The kinds that are sent.
    pub only: HashSet<String>,
    /// JSON keys with text.
    pub texts: Vec<(String, Columns)>,
    /// JSON keys with dates.
    pub dates: Vec<(String, DateMapping)>,
}

/// A rule on one column.
#[derive(Debug, Clone)]
pub struct RuleMapping {
    /// Its name, for messages.
    pub name: String,
    /// Where.
    pub column: usize,
    /// What matches, in lower case.
    pub values: HashSet<String>,
}

/// Which rule leaves a row out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unselected {
    /// No include rule on this column matches.
    NotIncluded {
        /// The column.
        column: String,
    },
    /// An exclude rule on this column matches.
    Excluded {
        /// The column.
        column: String,
    },
    /// The cell that an include rule compares is empty, so that nobody can tell.
    Unclear {
        /// The column.
        column: String,
        /// The row's line in the file.
        line: u64,
        /// The last day of employment that it tells all the same.
        #[serde(default)]
        end: Option<NaiveDate>,
    },
}

/// Which column is which field, and which rows are meant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the fields")]
pub struct Mapping {
    /// Put in front of every hrId, in the form in which text is compared.
    pub id_prefix: Box<str>,
    pub hr_id: Columns,
    pub first_name: Columns,
    pub last_name: Columns,
    pub email: Columns,
    pub date_of_birth: Option<DateMapping>,
    pub start_date: Option<DateMapping>,
    pub termination_date: Option<DateMapping>,
    pub auto_sync_employee: Option<FlagMapping>,
    pub absences: Option<AbsenceMapping>,
    pub include: Vec<RuleMapping>,
    pub exclude: Vec<RuleMapping>,
}

/// What is wrong with a value. It never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// Not in one of the configured formats.
    NotADate,
    /// A date that no living employee can have there.
    DateOutOfRange,
    /// Not the form of an e-mail address.
    NotAnEmail,
    /// Control characters in it.
    NotText,
    /// Longer than any name.
    TooLong,
    /// Neither one of the yes nor of the no values.
    NotAFlag,
    /// The last day lies before the first.
    EndsBeforeStart,
}

impl Wrong {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotADate => "is not a date in the configured format",
            Self::DateOutOfRange => "is a date that cannot be",
            Self::NotAnEmail => "is not an e-mail address",
            Self::NotText => "holds control characters",
            Self::TooLong => "is longer than 250 characters",
            Self::NotAFlag => "is neither one of the yes nor of the no values",
            Self::EndsBeforeStart => "lies before startDate",
        }
    }
}

/// One row that is meant, mapped. It is kept without the names of its fields ([`super::json`]): their order stays as it is, and a new one goes last, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The values; empty text where the source has none.
    pub employee: Hashed,
    /// Values that make no sense; their fields are empty in `employee`.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub wrong: Rare<(Field, Wrong)>,
}

/// What a row turned out to be.
#[derive(Debug)]
pub enum Mapped {
    /// Meant.
    Row(Row),
    /// Not meant: which rule said so, and whose row it is where that can be read.
    Unselected {
        /// The key.
        hr_id: Option<HrId>,
        /// The rule.
        why: Unselected,
    },
    /// Meant, but nobody can tell whose row it is. This fails the source.
    Keyless,
}

impl Mapping {
    /// Which rule leaves a row out, if one does.
    fn unselected<'c>(
        &self,
        line: u64,
        cell: &impl Fn(usize) -> &'c str,
        matched: &[bool],
        today: NaiveDate,
    ) -> Option<Unselected> {
        let column = |rule: &RuleMapping| rule.name.clone();
        let (included, excluded) = matched.split_at(self.include.len());
        let mut include = self.include.iter().zip(included);
        let unmatched = include.find_map(|(rule, matches)| (!matches).then_some(rule));
        if let Some(rule) = unmatched.filter(|rule| !cell(rule.column).is_empty()) {
            let why = Unselected::NotIncluded {
                column: column(rule),
            };
            return Some(why);
        }
        let mut exclude = self.exclude.iter().zip(excluded);
        if let Some(rule) = exclude.find_map(|(rule, matches)| matches.then_some(rule)) {
            let why = Unselected::Excluded {
                column: column(rule),
            };
            return Some(why);
        }
        if let Some(rule) = unmatched {
            let end = self.termination_date.as_ref().and_then(|mapping| {
                let text = first_filled(&mapping.columns, cell);
                mapping.read(text, Field::TerminationDate, today).ok()?
            });
            let column = column(rule);
            let why = Unselected::Unclear { column, line, end };
            return Some(why);
        }
        None
    }

    /// The rules that select rows: those that take them in, and those that leave them out.
    pub fn rules(&self) -> impl Iterator<Item = &RuleMapping> {
        self.include.iter().chain(&self.exclude)
    }

    /// Maps the row at `line` whose cells, already trimmed, `cell` gives. `matched` tells of each of the [`rules`](Self::rules) whether it matches the row.
    pub fn map<'c>(
        &self,
        line: u64,
        cell: impl Fn(usize) -> &'c str,
        matched: &[bool],
        today: NaiveDate,
    ) -> Mapped {
        let first = |columns: &Columns| first_filled(columns, &cell);
        let key = first(&self.hr_id);
        let is_key = !key.is_empty() && is_text(key).is_ok();
        let key = is_key.then(|| match &*self.id_prefix {
            "" => HrId::new(&normal(key)),
            prefix => HrId::new(&format!("{prefix}{}", normal(key))),
        });
        if let Some(why) = self.unselected(line, &cell, matched, today) {
            return Mapped::Unselected { hr_id: key, why };
        }
        let Some(hr_id) = key else {
            return Mapped::Keyless;
        };

        let mut wrong = Rare::default();
        let mut text = |field, columns| match is_text(first(columns)) {
            Ok(text) => normal(text),
            Err(kind) => {
                wrong.push((field, kind));
                Cow::Borrowed("")
            }
        };
        let (first_name, last_name) = (
            text(Field::FirstName, &self.first_name),
            text(Field::LastName, &self.last_name),
        );
        let mut email = text(Field::Email, &self.email);
        if !email.is_empty() && !is_email(&email) {
            wrong.push((Field::Email, Wrong::NotAnEmail));
            email = Cow::Borrowed("");
        }
        let mut date = |field, mapping: &Option<DateMapping>| {
            let mapping = mapping.as_ref()?;
            match mapping.read(first(&mapping.columns), field, today) {
                Ok(date) => date,
                Err(kind) => {
                    wrong.push((field, kind));
                    None
                }
            }
        };
        let date_of_birth = date(Field::DateOfBirth, &self.date_of_birth);
        let start_date = date(Field::StartDate, &self.start_date);
        let termination_date = date(Field::TerminationDate, &self.termination_date);
        if termination_date
            .zip(start_date)
            .is_some_and(|(last, first)| last < first)
        {
            wrong.push((Field::TerminationDate, Wrong::EndsBeforeStart));
        }
        let auto_sync_employee = self.auto_sync_employee.as_ref().and_then(|flag| {
            flag.read(first(&flag.columns)).unwrap_or_else(|kind| {
                wrong.push((Field::AutoSyncEmployee, kind));
                None
            })
        });
        let absences = self.absences.as_ref().and_then(|mapping| {
            mapping.read(&cell, today).unwrap_or_else(|kind| {
                wrong.push((Field::Absences, kind));
                None
            })
        });
        let mut employee = Employee::new(hr_id, &first_name, &last_name, &email);
        employee.date_of_birth = date_of_birth;
        employee.start_date = start_date;
        employee.termination_date = termination_date;
        employee.auto_sync_employee = auto_sync_employee;
        employee.absences.extend(absences);
        Mapped::Row(Row {
            line,
            employee: employee.into(),
            wrong,
        })
    }
}

/// The first of some cells that is not empty.
fn first_filled<'c>(columns: &Columns, cell: &impl Fn(usize) -> &'c str) -> &'c str {
    let mut cells = columns.iter().map(|index| cell(*index));
    cells.find(|text| !text.is_empty()).unwrap_or("")
}

impl RuleMapping {
    /// Whether a cell holds one of the values, in whichever case and however its umlauts are written.
    pub fn matches(&self, cell: &str) -> bool {
        // Asked for every row and every rule, so without memory of its own where that goes.
        if cell.is_ascii() && self.values.len() <= FEW_VALUES {
            let mut values = self.values.iter();
            return values.any(|value| value.eq_ignore_ascii_case(cell));
        }
        self.values.contains(&normal(cell).to_lowercase())
    }
}

impl DateMapping {
    fn read(&self, text: &str, field: Field, today: NaiveDate) -> Result<Option<NaiveDate>, Wrong> {
        // All zeros is how several systems write "none".
        let zeros = text
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'/' | b' '));
        if zeros || self.empty.iter().any(|empty| empty == text) {
            return Ok(None);
        }
        let read = self
            .formats
            .iter()
            .find_map(|format| Some((format.parse(text, today)?, format.has_short_year())));
        // 31.12.9999, written with two digits of the year.
        let short_open_end = |(date, short): (NaiveDate, bool)| {
            short && (date.day(), date.month(), date.year() % 100) == (31, 12, 99)
        };
        if field == Field::TerminationDate && read.is_some_and(short_open_end) {
            return Ok(None);
        }
        match (read.map(|(date, _)| date), field) {
            // 31.12.9999 and its like mean an open end.
            (Some(date), Field::TerminationDate) if date.year() == 9999 => Ok(None),
            (None, Field::TerminationDate)
                if matches!(text, "31.12.9999" | "9999-12-31" | "99991231") =>
            {
                Ok(None)
            }
            (Some(date), Field::DateOfBirth) if date > today => Err(Wrong::DateOutOfRange),
            (Some(date), _) if (1900..=2200).contains(&date.year()) => Ok(Some(date)),
            (Some(_), _) => Err(Wrong::DateOutOfRange),
            (None, _) => Err(Wrong::NotADate),
        }
    }
}

impl FlagMapping {
    fn read(&self, text: &str) -> Result<Option<bool>, Wrong> {
        let among = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        let text = &*normal(text);
        match text {
            _ if among(&self.yes) => Ok(Some(true)),
            _ if among(&self.no) => Ok(Some(false)),
            "" => Ok(None),
            _ => Err(Wrong::NotAFlag),
        }
    }
}

impl AbsenceMapping {
    /// The absence that some cells tell, where its kind is one that is sent.
    ///
    /// # Errors
    /// A value of it makes no sense.
    pub fn read<'c>(
        &self,
        cell: &impl Fn(usize) -> &'c str,
        today: NaiveDate,
    ) -> Result<Option<Absence>, Wrong> {
        let first = |columns: &Columns| first_filled(columns, &cell);
        if !self.only.contains(&*normal(first(&self.kind))) {
            return Ok(None);
        }
        let mut absence = Absence::new();
        for (key, columns) in &self.texts {
            let text = is_text(first(columns))?;
            if !text.is_empty() {
                absence.insert(key.clone(), normal(text).into());
            }
        }
        for (key, mapping) in &self.dates {
            if let Some(date) =
                mapping.read(first(&mapping.columns), Field::TerminationDate, today)?
            {
                absence.insert(key.clone(), date.to_string());
            }
        }
        Ok((!absence.is_empty()).then_some(absence))
    }
}

fn is_text(text: &str) -> Result<&str, Wrong> {
    if is_printable_ascii(text) && text.len() <= MOST_CHARACTERS {
        Ok(text)
    } else if text.chars().any(char::is_control) {
        Err(Wrong::NotText)
    } else if text.len() > MOST_CHARACTERS && text.chars().count() > MOST_CHARACTERS {
        Err(Wrong::TooLong)
    } else {
        Ok(text)
    }
}

/// Text as it is compared and sent: NFC, with plain blanks.
pub(crate) fn normal(text: &str) -> Cow<'_, str> {
    let fixed = |c| matches!(c, '\u{a0}' | '\u{202f}' | '\u{2007}');
    if text.is_ascii() || (is_nfc_quick(text.chars()) == IsNormalized::Yes && !text.contains(fixed))
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().map(|c| if fixed(c) { ' ' } else { c }).collect())
}

static EMAIL_FORM: LazyLock<Options> = LazyLock::new(|| {
    Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal()
});

fn is_email(text: &str) -> bool {
    is_plain_email(text) || EmailAddress::parse_with_options(text, *EMAIL_FORM).is_ok()
}

/// Nearly every address is this, which is quickly seen: words of letters and digits with dots between them, and hyphens within the words.
fn is_plain_email(text: &str) -> bool {
    let is_word = |word: &[u8]| {
        let ends = word.first().zip(word.last());
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        word.len() <= 63
            && ends.is_some_and(|(first, last)| *first != b'-' && *last != b'-')
            && word.iter().all(is_plain)
    };
    let is_words = |text: &str| text.as_bytes().split(|byte| *byte == b'.').all(is_word);
    text.split_once('@').is_some_and(|(local, domain)| {
        (local.len() <= 64 && domain.len() <= 253 && domain.contains('.'))
            && is_words(local)
            && is_words(domain)
    })
}

#[cfg(test)]
mod tests;
