//! What happens to one person, and why someone leaves.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::roster::{Ended, Field, HrId, Unselected};

/// Why someone leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    tag = "reason"
)]
pub enum Leaving {
    /// The roster holds their last day of employment, and it has passed.
    EmploymentEnded {
        /// That day.
        last_day: NaiveDate,
        /// Whether it lies so long ago that it does not explain itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// An include rule does not match their row any more.
    NotIncluded {
        /// The rule's column.
        column: String,
    },
    /// An exclude rule now names them.
    Excluded {
        /// The rule's column.
        column: String,
        /// Whether their value changed to one that the rule lists; otherwise the rule may be what is new.
        #[serde(default)]
        changed: bool,
    },
    /// The source they came from is not configured any more.
    SourceRemoved {
        /// Its name.
        source: String,
    },
    /// JobTicket refuses even their acknowledged values.
    Refused,
    /// No source has them any more.
    Missing,
}

/// What the sources say of people who are not in the roster.
#[derive(Debug, Default)]
pub struct Reasons {
    /// People whose employment has ended.
    pub ended: HashMap<HrId, Ended>,
    /// People of whom there is only a row that is not meant.
    pub unselected: HashMap<HrId, Unselected>,
    /// People who were acknowledged under the rules in force.
    pub same_rules: HashSet<HrId>,
    /// People whose source is not configured any more, with its name.
    pub removed: HashMap<HrId, String>,
    /// People whom JobTicket refuses.
    pub refused: HashSet<HrId>,
}

impl Leaving {
    /// Whether a known date or a listed value says so. Being left out by an include rule or missing does not explain itself: a company code may have been renamed, a
    /// file cut short. Nor does a date of long ago: the wrong column may have been mapped.
    pub fn is_explained(&self) -> bool {
        matches!(
            self,
            Self::EmploymentEnded { late: false, .. } | Self::Excluded { changed: true, .. }
        )
    }
}

impl Reasons {
    /// Why somebody is not in the roster.
    pub fn of(&self, hr_id: &HrId) -> Leaving {
        if self.refused.contains(hr_id) {
            return Leaving::Refused;
        }
        match (self.ended.get(hr_id), self.unselected.get(hr_id)) {
            (Some(Ended { last_day, late, .. }), _) => Leaving::EmploymentEnded {
                last_day: *last_day,
                late: *late,
            },
            (
                None,
                Some(Unselected::NotIncluded { column } | Unselected::Unclear { column, .. }),
            ) => Leaving::NotIncluded {
                column: column.clone(),
            },
            (None, Some(Unselected::Excluded { column })) => Leaving::Excluded {
                column: column.clone(),
                changed: self.same_rules.contains(hr_id),
            },
            (None, None) => match self.removed.get(hr_id) {
                Some(source) => Leaving::SourceRemoved {
                    source: source.clone(),
                },
                None => Leaving::Missing,
            },
        }
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmploymentEnded { last_day, .. } => write!(f, "employment ended {last_day}"),
            Self::NotIncluded { column } => write!(f, "no longer matches the rule on {column}"),
            Self::Excluded { column, .. } => write!(f, "excluded by the rule on {column}"),
            Self::SourceRemoved { source } => {
                write!(f, "the source {source} is not configured any more")
            }
            Self::Refused => f.write_str("JobTicket refuses their values"),
            Self::Missing => f.write_str("missing from every source"),
        }
    }
}

/// What happens to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// They are new.
    Joins,
    /// They are not in the roster any more: their ticket ends.
    Leaves(Leaving),
    /// Values of theirs differ.
    Changes {
        /// Which.
        fields: Vec<Field>,
    },
}

/// One line of the plan. It holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Who.
    pub hr_id: HrId,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hr_id, what } = self;
        match what {
            What::Joins => write!(f, "+ {hr_id} joins"),
            What::Leaves(why) => write!(f, "- {hr_id} leaves ({why})"),
            What::Changes { fields } => {
                let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
                write!(f, "~ {hr_id} {}", names.join(", "))
            }
        }
    }
}
