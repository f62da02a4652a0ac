//! Where employees come from. One module an adapter (`csv_drop`, `sftp`, `rest`); what all file adapters share stands beside them.
//!
//! `file` drives a pull: a file goes through `intake` (which one; `pair`: with which absences, whose rows `absences` reads), its adapter (found, read), `packed` (decrypted, unpacked), `encoding` (text, in the pieces of `text`), `table` (rows) and `records` (mapped). Whatever fails
//! on the way fails the file as a whole: who is missing from half a file would lose their ticket. Sources know nothing of the API or the store; what was
//! taken last, and which fields were filled then, are parameters.

mod absences;
pub mod archive;
mod columns;
mod csv_drop;
pub mod encoding;
mod file;
pub mod folder;
pub mod intake;
pub mod names;
pub mod packed;
mod pair;
mod records;
pub mod rest;
pub mod sftp;
pub mod table;
mod text;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};

pub use absences::AbsencesError;
pub use archive::{Put, remove_archived};
pub use columns::columns_of;
pub use file::{Away, Finished};
pub use intake::{Entry, Taken};
pub use pair::Seen;
pub use records::{RuleCount, too_many_rejected};

use crate::clock::Clock;
use crate::config::{Source, SourceType};
use crate::digest::sha256;
use crate::roster::{Delivery, Field};
use crate::schedule::Schedule;
use crate::zone::Zone;

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
        /// What to know of rows that were of no use.
        note: Option<String>,
    },
    /// Nothing newer than the file taken last, which is still young enough.
    NothingNewer {
        /// A newer file that is not complete yet, and why.
        not_yet: Option<String>,
        /// The file taken last, where it is still there and was not read again.
        there: Option<Taken>,
        /// The files that are there, where none of them matches.
        unmatched: Option<intake::Unmatched>,
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
    Sftp(#[from] sftp::SftpError),
    #[error(transparent)]
    Rest(#[from] rest::RestError),
    #[error(transparent)]
    Packed(#[from] packed::PackedError),
    #[error(transparent)]
    Table(#[from] table::TableError),
    #[error(transparent)]
    Absences(#[from] AbsencesError),
    #[error(transparent)]
    Records(#[from] records::RecordsError),
    #[error(
        "The newer file {name} is not complete yet ({why}), and there is no earlier roster to go on with"
    )]
    NotYet { name: String, why: String },
}

/// What a pull goes by, besides its source.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The file taken last.
    pub last: Option<&'a Taken>,
    /// Whether the rules by which that one was read are those of the source now.
    pub same_rules: bool,
    /// The fields that the snapshot has filled for somebody of this source.
    pub filled: &'a HashSet<Field>,
    /// The time.
    pub now: DateTime<Utc>,
    /// The zone of dates.
    pub zone: Zone,
    /// Days on which it has no run do not age a file.
    pub schedule: Option<&'a Schedule>,
    /// A folder for this program alone, for what is fetched from elsewhere.
    pub private: &'a Path,
    /// Once it is set, nothing is waited for any more.
    pub stopping: &'a AtomicBool,
    /// For waits between requests.
    pub clock: &'a Clock,
}

/// The files that a pull would read now; reads nothing of them. Blocks.
///
/// They may be those taken last. `None`: one is not there, the newest is not complete yet, or it is too old; or the source is on a server, which is asked by runs alone.
///
/// # Errors
/// The folder cannot be listed, or the newest file of it can never be taken, such as an empty one.
pub fn look(
    source: &Source,
    last: Option<&Taken>,
    now: DateTime<Utc>,
    zone: Zone,
    schedule: Option<&Schedule>,
) -> Result<Option<Seen>, SourceError> {
    match source.kind {
        SourceType::CsvDrop => file::look(
            &mut csv_drop::Drop(source),
            source,
            last,
            now,
            zone,
            schedule,
        ),
        SourceType::Sftp | SourceType::Rest => Ok(None),
    }
}

/// Pulls one source. Blocks; a source on a server needs a thread of tokio's that may block.
pub fn pull(source: &Source, ask: &Ask<'_>) -> Result<Pulled, SourceError> {
    match source.kind {
        SourceType::CsvDrop => file::pull(&mut csv_drop::Drop(source), source, ask),
        SourceType::Sftp => {
            let mut remote = sftp::Remote::of(source, ask.private, ask.stopping)?;
            file::pull(&mut remote, source, ask)
        }
        SourceType::Rest => rest::pull(source, ask),
    }
}

/// Whether the keys with which a source logs in at its server can be used, as far as that shows without the server.
///
/// # Errors
/// One of them cannot be read or opened.
pub fn try_keys(source: &Source) -> Result<(), SourceError> {
    match source.server() {
        Some(server) => Ok(sftp::try_keys(server)?),
        None => Ok(()),
    }
}

/// What is configured to happen to a file once it was used. Returns what became of it, if anything did. Blocks like [`pull`].
///
/// Once `stopping` is set, nothing is waited for any more. `private` is a folder for this program alone.
pub fn finish(
    source: &Source,
    taken: &Taken,
    now: DateTime<Utc>,
    private: &Path,
    stopping: &AtomicBool,
) -> Finished {
    match source.kind {
        SourceType::CsvDrop => file::finish(&mut csv_drop::Drop(source), source, taken, now),
        SourceType::Sftp => match sftp::Remote::of(source, private, stopping) {
            Ok(mut remote) => file::finish(&mut remote, source, taken, now),
            Err(error) => Finished {
                failed: Some((taken.name.clone(), error.into())),
                ..Finished::default()
            },
        },
        // There is nothing to put away.
        SourceType::Rest => Finished::default(),
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
    Sftp(#[from] sftp::SftpError),
    #[error(transparent)]
    Intake(#[from] intake::IntakeError),
}

impl SourceError {
    /// What a pull that failed says of the login at its server.
    pub fn login(&self) -> Login {
        match self {
            Self::Sftp(error) => error.login(),
            Self::Rest(error) => error.login(),
            _ => Login::Accepted,
        }
    }
}

/// What a pull has found out about the login at its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// It was refused.
    Refused,
    /// The connection broke after the secret was sent: refused if it happens again.
    Doubtful,
    /// It was accepted, or there is none.
    Accepted,
    /// It did not come to that.
    Unknown,
}

/// Identifies the rules by which a source's records become employees.
pub fn mapping_hash(source: &Source) -> String {
    let mut rules = serde_json::to_vec(&(
        &source.fields,
        &source.include,
        &source.exclude,
        &source.table,
        &source.id_prefix,
    ))
    .expect("rules are plain values");
    rules.extend(selection(source));
    sha256(rules)
}

/// What besides columns and rules decides who is in a source: what an HR system is asked for. Empty for files.
pub fn selection(source: &Source) -> Vec<u8> {
    let rest = source.rest.as_ref();
    rest.map_or_else(Vec::new, |rest| {
        serde_json::to_vec(&rest.selection()).expect("rules are plain values")
    })
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
