//! The audit log: who was offboarded, when, why, on whose word.
//!
//! `event` says what is recorded, `line` how it becomes one line of JSON that carries the hash of the line before, `mask` how much of a personal value is shown, `file` how lines reach the disk exactly
//! once. Events are written to the store's outbox in the transaction of the change that they tell of, and only then appended here: the file never tells of what did not happen, and a crash loses
//! nothing. The log is several files (`files`): `rotate` begins and packs them, `retain` removes old ones, `redact` removes values, and the chain goes through all of that. `read`, `blocks` and `follow`
//! read it back, `person` and `words` say whom a line names and what it tells; `verify`, with `chain` for a line, `sift` for a block, `check` for all of them, `heads` for the end and `breaks` for the verdict, says whether it was changed.

mod blocks;
mod breaks;
mod chain;
mod check;
mod event;
mod file;
mod files;
mod follow;
mod heads;
mod line;
mod mask;
mod person;
mod read;
mod redact;
mod retain;
mod rotate;
mod settings;
mod sift;
mod verify;
mod words;

pub use breaks::{Break, Kind, NotCompared, Remark, Removed, Restore, Unusual, Verified, Why};
pub use event::{AbsencesPulled, EVENTS, Event, Values};
pub use file::{AuditFile, Gap, Locked};
pub(crate) use files::private_file;
pub use files::{Look, Rotated};
pub use follow::Follow;
pub use line::{Ends, Head, Line, compose};
pub use mask::{mask, mask_text, parts};
pub use person::{excepted, named, names};
pub use read::{Entries, Entry, Span};
pub(crate) use redact::Redaction;
pub(crate) use settings::told as told_changes;
pub use verify::{Against, verify};
pub use words::in_words;
