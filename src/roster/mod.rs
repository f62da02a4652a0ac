//! Employees and how records become them.
mod dates;
mod employee;

pub use dates::{DateFormat, DateFormatError};
pub use employee::{Absence, Employee, Field, HrId, ValueHash, has_ended};
