//! Rows that cannot be used, and why. The reasons hold no personal value.

use serde::Serialize;

use super::employee::{Field, HrId};
use super::mapping::Wrong;

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// A value makes no sense.
    Value(Field, Wrong),
    /// A known person without a value that JobTicket needs.
    Missing(Field),
    /// The cell that an include rule compares is empty for a known person.
    NoRuleValue {
        /// Its column.
        column: String,
    },
    /// Two current rows of one hrId differ.
    Conflict {
        /// The other row's line.
        other_line: u64,
    },
    /// Several people have this e-mail.
    SharedEmail {
        /// One of the others.
        other: HrId,
    },
    /// Another hrId is the same but for leading zeros.
    LeadingZeros {
        /// The other.
        other: HrId,
    },
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Whose.
    pub hr_id: HrId,
    /// Which source, by its position.
    #[serde(skip)]
    pub source: usize,
    /// Which line of its file.
    pub line: u64,
    /// Why.
    pub why: Rejection,
    /// Whether JobTicket has acknowledged this person, whose values are then carried forward.
    pub known: bool,
}

impl Rejection {
    /// Which field it is about.
    pub fn field(&self) -> Field {
        match self {
            Self::Value(field, _) | Self::Missing(field) => *field,
            Self::Conflict { .. } | Self::LeadingZeros { .. } | Self::NoRuleValue { .. } => {
                Field::HrId
            }
            Self::SharedEmail { .. } => Field::Email,
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(field, wrong) => write!(f, "{field} {}", wrong.words()),
            Self::Missing(field) => write!(f, "{field} is empty"),
            Self::NoRuleValue { column } => {
                write!(
                    f,
                    "the column {column}, which an include rule compares, is empty"
                )
            }
            Self::Conflict { other_line } => {
                write!(f, "row {other_line} has the same hrId and other values")
            }
            Self::SharedEmail { other } => write!(f, "email is also that of {other}"),
            Self::LeadingZeros { other } => {
                write!(f, "hrId differs from {other} in leading zeros only")
            }
        }
    }
}
