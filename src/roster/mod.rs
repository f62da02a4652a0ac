//! Employees, and how the records of a source become the roster.
//!
//! `mapping` reads one row, `assemble` puts the rows of all sources together. Both are pure: "today" and who is known are parameters.
//! The hazard here is to take a row that makes no sense for a person who left; both therefore say of everyone who is not in the
//! roster why they are not.

mod assemble;
mod dates;
pub(crate) mod day;
mod eight;
mod employee;
mod hashed;
mod hrid_map;
pub(crate) mod json;
mod mapping;
mod pseudonym;
mod rare;
mod rejection;

pub(crate) use assemble::all_differ;
pub use assemble::{Assembly, Delivery, Ended, Entry, Incomplete, REQUIRED, Selection, assemble};
pub use dates::{DateFormat, DateFormatError};
pub(crate) use employee::lower_case;
pub use employee::{Absence, Employee, Field, HrId, ValueHash, has_ended};
pub use hashed::Hashed;
pub use hrid_map::{HrIdMap, HrIdMapError, HrIdMapFault, render as render_hrid_map};
pub(crate) use mapping::normal;
pub use mapping::{
    AbsenceMapping, Columns, DateMapping, FlagMapping, Mapped, Mapping, Row, RuleMapping,
    Unselected, Wrong,
};
pub use pseudonym::pseudonym;
pub use rare::Rare;
pub use rejection::{Rejected, Rejection};
