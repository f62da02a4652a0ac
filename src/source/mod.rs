//! Where employees come from. One file an adapter (`csv_drop`); the readers that all file adapters share stand beside it.
//!
//! A file goes through `intake` (which one), `folder` (found, read), `packed` (decrypted, unpacked), `encoding` (text), `table` (rows) and `records` (mapped). Whatever fails
//! on the way fails the file as a whole: who is missing from half a file would lose their ticket. Sources know nothing of the API or the store; what was
//! taken last, and which fields were filled then, are parameters.

pub mod archive;
mod csv_drop;
pub mod encoding;
pub mod folder;
pub mod intake;
pub mod names;
pub mod packed;
mod records;
pub mod table;

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use intake::{Entry, Taken};
pub use records::{RuleCount, columns_of, too_many_rejected};

use crate::config::{Source, SourceType};
use crate::digest::sha256;
use crate::roster::{Delivery, Field};
use crate::schedule::Schedule;

/// What a source delivered.
#[derive(Debug)]
pub enum Pulled {
    /// A file was read. It may be the one taken last; its SHA-256 tells.
    Read {
        /// Its identity.
        taken: Taken,
        /// Its rows, mapped.
        delivery: Delivery,
        /// How many rows it has.
        rows: usize,
        /// How many rows each include and exclude rule matched.
        rules: Vec<RuleCount>,
    },
    /// Nothing newer than the file taken last, which is still young enough.
    NothingNewer {
        /// A newer file that is not complete yet, and why.
        not_yet: Option<String>,
    },
}

/// Why a source delivers nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps the error of its stage, or says it")]
pub enum SourceError {
    #[error(transparent)]
    Intake(#[from] intake::IntakeError),
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    #[error(transparent)]
    Packed(#[from] packed::PackedError),
    #[error(transparent)]
    Table(#[from] table::TableError),
    #[error(transparent)]
    Records(#[from] records::RecordsError),
    #[error(
        "The newer file {name} is not complete yet ({why}), and there is no earlier roster to go on with"
    )]
    NotYet { name: String, why: String },
}

/// The file that a pull would read now; reads nothing of it. Blocks.
///
/// It may be the one taken last. `None`: none is there, the newest is not complete yet, or it is too old.
///
/// # Errors
/// The folder cannot be listed, or the newest file of it can never be taken, such as an empty one.
pub fn look(
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Option<Entry>, SourceError> {
    match source.kind {
        SourceType::CsvDrop => csv_drop::look(source, last, now, zone, schedule),
    }
}

/// Pulls one source. Blocks.
///
/// `last` is the file taken last, `filled` the fields that the snapshot has filled for somebody of this source. Days on which
/// `schedule` has no run do not age a file.
pub fn pull(
    source: &Source,
    last: Option<&Taken>,
    filled: &HashSet<Field>,
    now: DateTime<Utc>,
    zone: Tz,
    schedule: Option<&Schedule>,
) -> Result<Pulled, SourceError> {
    match source.kind {
        SourceType::CsvDrop => csv_drop::pull(source, last, filled, now, zone, schedule),
    }
}

/// What is configured to happen to a file once it was used. Returns where it went, if it went anywhere. Blocks.
pub fn finish(
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<Option<PathBuf>, FinishError> {
    match source.kind {
        SourceType::CsvDrop => csv_drop::finish(source, taken, now),
    }
}

/// Why a used file could not be put away. It does no harm where it is.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps the error of its stage")]
pub enum FinishError {
    #[error(transparent)]
    Archive(#[from] archive::ArchiveError),
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    #[error(transparent)]
    Intake(#[from] intake::IntakeError),
}

/// Identifies the rules by which a source's records become employees.
pub fn mapping_hash(source: &Source) -> String {
    let rules = serde_json::to_vec(&(
        &source.fields,
        &source.include,
        &source.exclude,
        &source.table,
        &source.id_prefix,
    ))
    .expect("rules are plain values");
    sha256(rules)
}

/// An error with all its causes, as one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

impl Taken {
    /// As it is remembered.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("an identity is plain values")
    }

    /// From what was remembered; `None` where it was of another kind of source.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
