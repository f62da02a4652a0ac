//! Where a log is not what was written, and what kind of break that is, in words that an auditor can act on.

use serde::Serialize;

/// Where the log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    /// In which file.
    pub file: String,
    /// On which line of that file, from 1; 0 where it is about the whole file.
    pub line: u64,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What kind of break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[expect(missing_docs, reason = "the texts say what each is")]
pub enum Kind {
    Changed {
        seq: u64,
    },
    LinesMissing {
        from: u64,
        to: u64,
    },
    FileMissing {
        from: u64,
        to: u64,
    },
    Swapped {
        seq: u64,
    },
    OutOfOrder {
        seq: u64,
        after: u64,
    },
    NotALine,
    ValuesForged {
        seq: u64,
    },
    ValuesRemoved {
        seq: u64,
        people: String,
        lines: u64,
    },
    BeginningMissing {
        first: u64,
    },
    EndMissing {
        last: u64,
        expected: u64,
    },
    OtherEnd {
        seq: u64,
    },
    StoreBehind {
        last: u64,
        store: u64,
    },
    ShorterThan {
        last: u64,
        head: u64,
    },
    OtherThan {
        head: u64,
    },
    Unreadable {
        cause: String,
    },
    WrongName {
        first: u64,
        last: u64,
    },
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed { seq } => write!(f, "line {seq} was changed after it was written, or is another log's: the line behind it carries another hash"),
            Self::LinesMissing { from, to } if from == to => write!(f, "line {from} is missing in front of this one"),
            Self::LinesMissing { from, to } => write!(f, "lines {from} to {to} are missing in front of this one"),
            Self::FileMissing { from, to } => write!(f, "lines {from} to {to} are missing in front of this file: a file was removed or cut"),
            Self::Swapped { seq } => write!(f, "line {seq} does not stand where it was written: lines were swapped"),
            Self::OutOfOrder { seq, after } if seq == after => write!(f, "line {seq} stands there twice"),
            Self::OutOfOrder { seq, after } => write!(f, "line {seq} stands behind line {after}: lines were moved or put in, or another chain begins"),
            Self::NotALine => f.write_str("this is no line of an audit log, and the log does not tell of a line that a crash has torn"),
            Self::ValuesForged { seq } => write!(f, "a value of line {seq} is not the one that was written"),
            Self::ValuesRemoved { seq, people, lines } => write!(f, "values were removed from {lines} lines{people}, and the log does not tell that somebody was to be forgotten; the first is line {seq}"),
            Self::BeginningMissing { first } => write!(f, "the log begins with line {first}, and does not tell that those before it were removed by age"),
            Self::EndMissing { last, expected } => write!(f, "the log ends with line {last}, and the store knows of line {expected}: the end was cut off"),
            Self::OtherEnd { seq } => write!(f, "line {seq}, the last, is not the one that the store knows of: it was changed, or the log is another installation's"),
            Self::StoreBehind { last, store } => write!(f, "the log ends with line {last}, and the store knows only of {store}: the store is an older one, or another installation's"),
            Self::ShorterThan { last, head } => write!(f, "the log ends with line {last}, and the head that was given is of line {head}: the log was cut, or cut together with the store"),
            Self::OtherThan { head } => write!(f, "line {head} is not the one whose hash was given: the log was rewritten, or the head is another installation's"),
            Self::Unreadable { cause } => write!(f, "the file is damaged and cannot be read to its end ({cause})"),
            Self::WrongName { first, last } => write!(f, "the file holds lines {first} to {last}, which is not what its name says"),
        }
    }
}

/// Something that is not as this program leaves it, and that changes nothing of what the log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// In which file.
    pub file: String,
    /// On which line of that file, from 1; 0 where it is about the whole file.
    pub line: u64,
    /// What it is.
    #[serde(flatten)]
    pub kind: Unusual,
}

/// What kind of remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[expect(missing_docs, reason = "the texts say what each is")]
pub enum Unusual {
    BlankLine,
    NotPacked,
    PackedByAnother,
    TornEnd,
}

impl std::fmt::Display for Unusual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BlankLine => "an empty line, which this program has not written",
            Self::NotPacked => "the file is not packed, and later ones are: something has unpacked it; what it holds is what was written",
            Self::PackedByAnother => "the file was packed by something else than this program; what it holds is what was written",
            Self::TornEnd => "a crash has torn this line, as it seems; the next one to be appended is preceded by its end, and one behind it tells of it",
        })
    }
}

/// A head that was given and cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotCompared {
    /// The number of its line.
    pub head: u64,
    /// Why not.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a head cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "because"
)]
#[expect(missing_docs, reason = "the texts say what each is")]
pub enum Why {
    RemovedByAge {
        up_to: u64,
    },
    Replaced {
        restored: u64,
        time: String,
        up_to: Option<u64>,
    },
    Damaged {
        file: String,
    },
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RemovedByAge { up_to } => {
                write!(f, "it was removed by age with all lines up to {up_to}")
            }
            Self::Replaced {
                restored,
                time,
                up_to,
            } => {
                write!(
                    f,
                    "a restore of {} has replaced the lines from {restored}",
                    day(time)
                )?;
                match up_to {
                    Some(up_to) => write!(f, " to {up_to}")?,
                    None => f.write_str(" on")?,
                }
                f.write_str("; those that were here then lie in the folder that line ")?;
                write!(f, "{restored} names")
            }
            Self::Damaged { file } => write!(f, "it stands in {file}, which is damaged"),
        }
    }
}

/// The day of a time as lines have it.
pub(super) fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// A restore of a backup: the log goes on behind the last line of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// The line that tells of it, the first after the backup.
    pub line: u64,
    /// When.
    pub time: String,
    /// Up to which line logs were replaced; `None` where that is not known, or their lines had other numbers.
    pub up_to: Option<u64>,
}

impl Restore {
    /// Whether the line of this number may have been another before.
    pub(super) fn replaced(&self, seq: u64) -> bool {
        seq >= self.line && self.up_to.is_none_or(|up_to| seq <= up_to)
    }
}

/// Lines that were removed by age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// When.
    pub time: String,
    /// From which line.
    pub first: u64,
    /// To which.
    pub last: u64,
    /// The hash of the last.
    pub last_hash: String,
}

/// What became of the check.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// How many files there are.
    pub files: usize,
    /// How many lines.
    pub lines: u64,
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// Its hash.
    pub hash: String,
    /// What was removed by age, oldest first, as far as the log still tells.
    pub removed: Vec<Removed>,
    /// Lines whose values were removed because somebody was to be forgotten.
    pub redacted: u64,
    /// Lines that a crash had torn, and that the log tells of.
    pub torn: u64,
    /// Restores of backups, oldest first, as far as the log still tells.
    pub restored: Vec<Restore>,
    /// Whether the end was compared with the store's.
    pub compared: bool,
    /// Heads that were given and cannot be compared.
    pub not_compared: Vec<NotCompared>,
    /// What is unusual and no break.
    pub remarks: Vec<Remark>,
    /// Where it is not what was written; none where all is well.
    pub breaks: Vec<Break>,
    /// Further breaks.
    pub more: usize,
}
