//! The commands `backup` and `restore`: the state of an installation in one file, and back.
//!
//! A backup is a tar archive packed with gzip, so that its parts can be taken out without this program. Its first member, the manifest, tells the size and the SHA-256 of each of
//! the others; a restore reads all of it and compares before it touches anything. What a backup leaves out: the request ledger, which is worth a minute, the sandbox, and
//! the secrets, which never stand in the configuration.
//!
//! A backup is always older than what JobTicket knows. Pushing from it as if nothing had happened would offboard whoever joined since, so a restored store is
//! marked as such before it gets its place, and holds until a person adopts it.

mod archive;
mod part;
mod restore;
mod text;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use part::Part;
pub use restore::{Restore, restore};
pub use write::write;

use crate::clock::Clock;
use crate::config::{Config, Integration};
use crate::exit::Exit;
use crate::store::{Holding, LockTaken, StoreError};
use crate::sync::target_of;

/// The version of the archive's form; 1 has no rotated files of the log.
const FORMAT: u32 = 2;
const MANIFEST: &str = "manifest.json";
const STORE: &str = "state.db";
const LOG: &str = "audit.jsonl";
const CONFIGURATION: &str = "config.yaml";

/// What both commands need besides their file.
pub struct Context<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The clock.
    pub clock: &'c Clock,
    /// Who asked.
    pub user: &'c str,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// The program that wrote it.
    version: String,
    time: DateTime<Utc>,
    /// The version of the store.
    schema: i64,
    /// Lines of the audit log.
    lines: u64,
    /// The members behind the manifest, in order.
    members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    name: String,
    bytes: u64,
    sha256: String,
}

/// One snapshot of a backup.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Snapshot {
    pub integration: String,
    pub employees: u64,
    pub acknowledged: String,
}

/// What was written, or restored. None of it is personal.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The backup.
    pub file: PathBuf,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// By which version of the program.
    pub version: String,
    /// The snapshots in it.
    pub snapshots: Vec<Snapshot>,
    /// Lines of the audit log in it.
    pub lines: u64,
    /// What was done with it.
    pub done: Done,
}

/// What was done with a backup.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Done {
    /// It was written.
    Written {
        /// Its size.
        bytes: u64,
    },
    /// It was put in place.
    Restored {
        /// Whether the store that was here could say who was forgotten since the backup was made.
        forgotten_known: bool,
        /// Whoever is to be forgotten and is active in the backup: a run forgets them once they are not.
        forgotten_later: Vec<String>,
        /// Where what was there before is now.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaced: Option<PathBuf>,
        /// The configuration of the backup.
        #[serde(skip_serializing_if = "Option::is_none")]
        configuration: Option<PathBuf>,
    },
}

/// Why a backup was not written or not restored.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum BackupError {
    #[error("{path} does not name a file; give the name of the file to write")]
    NoName { path: PathBuf },
    #[error("{path} is there already; choose another name, or replace it with --force")]
    Exists { path: PathBuf },
    #[error(
        "There is no store in {path} yet, so there is nothing to back up; the first run makes it"
    )]
    NothingThere { path: PathBuf },
    #[error(
        "The backup cannot be written to {path} ({cause}); choose a folder with room in which {user} may write files, the owner of the state folder"
    )]
    Write {
        path: PathBuf,
        user: String,
        cause: io::Error,
    },
    #[error("{path} cannot be read ({cause})")]
    Read { path: PathBuf, cause: io::Error },
    #[error("{path} changed while it was read; try again")]
    Changed { path: PathBuf },
    #[error("{path} is no whole backup ({detail}); nothing was changed. Take another backup")]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "{path} was written by jobticket-sync {version}, which is newer than this program; nothing was changed. Install the newer jobticket-sync first"
    )]
    Newer { path: PathBuf, version: String },
    #[error(
        "The backup cannot be unpacked into the state folder ({cause}); nothing was changed. Make room and try again"
    )]
    Unpack { cause: io::Error },
    #[error("The store in the backup cannot be used; nothing was changed")]
    Content(#[source] StoreError),
    #[error(
        "{path} already holds a store or an audit log. Nothing was changed; --force moves them aside, to a folder in {path}, and deletes nothing"
    )]
    Occupied { path: PathBuf },
    #[error(
        "{path} cannot be written ({cause}); nothing was changed. Leave --with-config out and unpack the configuration with: tar -xzf BACKUP config.yaml"
    )]
    Configuration { path: PathBuf, cause: io::Error },
    #[error(
        "Another backup or restore is in progress ({path} is locked); try again when it is over"
    )]
    Twice { path: PathBuf },
    #[error(
        "Another process uses the store in {path}; stop the daemon and wait for runs to end, then try again"
    )]
    InUse { path: PathBuf },
    #[error(transparent)]
    Running(#[from] LockTaken),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "The restored store counts from now on, but not everything is in its place yet; correct the cause, and the next command or run that opens the store does the rest"
    )]
    Unfinished(#[source] StoreError),
    #[error("The backup {path} was written, but the audit log does not tell of it")]
    NotTold {
        path: PathBuf,
        #[source]
        cause: StoreError,
    },
}

impl BackupError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoName { .. }
            | Self::Exists { .. }
            | Self::Occupied { .. }
            | Self::Read { .. }
            | Self::Configuration { .. } => Exit::Configuration,
            Self::Twice { .. } | Self::InUse { .. } | Self::Running(LockTaken::Busy { .. }) => {
                Exit::Busy
            }
            _ => Exit::Unexpected,
        }
    }
}

impl Report {
    fn new(
        config: &Config,
        file: &Path,
        manifest: Manifest,
        holds: Vec<Holding>,
        done: Done,
    ) -> Self {
        Self {
            file: file.to_owned(),
            time: manifest.time,
            version: manifest.version,
            snapshots: named(config, holds),
            lines: manifest.lines,
            done,
        }
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The snapshots by the names that people know them by.
fn named(config: &Config, holds: Vec<Holding>) -> Vec<Snapshot> {
    let name = |target: &str| {
        let is = |integration: &&Integration| target_of(integration).as_str() == target;
        let found = config.integrations.iter().find(is);
        found.map_or_else(|| target.to_owned(), |found| found.name.clone())
    };
    holds
        .into_iter()
        .map(|holding| Snapshot {
            integration: name(&holding.target),
            employees: holding.employees,
            acknowledged: holding.acknowledged,
        })
        .collect()
}
