//! The audit log: who was offboarded, when, why, on whose word.
//!
//! `event` says what is recorded, `line` how it becomes one line of JSON that carries the hash of the line before, `mask` how much of a personal
//! value is shown, `file` how lines reach the disk exactly once. Events are written to the store's outbox in the transaction of the change that they
//! tell of, and only then appended here: the file never tells of what did not happen, and a crash loses nothing.

mod event;
mod file;
mod line;
mod mask;

pub use event::{AbsencesPulled, Event, Values};
pub use file::{AuditFile, Gap, Locked};
pub use line::{Head, Line, compose};
pub use mask::{mask, mask_text, parts};
