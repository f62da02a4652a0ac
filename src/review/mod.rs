//! The command `audit`: lines of the audit log for auditors, and whether the log is what was written.
//!
//! It reads the files alone, takes no run lock and changes nothing, so it works beside the service and on a machine where only a copy of the state lies. Only `verify` opens the store, for the end of
//! the chain that it keeps. Text and tables hold hrIds, names of fields and last days of employment, and no other personal value; the lines themselves (`jsonl`) hold what `audit.values` let in.

mod filter;
mod pushes;
mod show;
mod tail;
mod verify;

pub(crate) use filter::moment;
pub(crate) use pushes::{Fate, Pushes};

use std::io::{self, Write};

use crate::audit::AuditFile;
use crate::cli::{AuditArgs, AuditCommand, Output};
use crate::clock::Clock;
use crate::config::Config;
use crate::exit::Exit;

/// What the command needs besides its arguments.
pub struct Review<'r> {
    /// The configuration.
    pub config: &'r Config,
    /// The clock, for opening the store.
    pub clock: &'r Clock,
    /// `--integration`.
    pub integration: Option<&'r str>,
    /// How results are written.
    pub output: Output,
}

/// Why it cannot.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// It was asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read.
    #[error(
        "The audit log {path} cannot be read ({cause}); run as root or as the owner of the state folder, and see what `audit verify` says"
    )]
    Log {
        /// The current file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Nobody reads the result, or it cannot be written.
    #[error("The result cannot be written ({0})")]
    Output(io::Error),
}

impl ReviewError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Configuration,
            // Who reads no further, such as `head`, has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            _ => Exit::Unexpected,
        }
    }
}

impl Review<'_> {
    fn log(&self) -> AuditFile {
        AuditFile::new(self.config.audit_file())
    }

    fn unreadable(&self) -> impl Fn(io::Error) -> ReviewError {
        let path = self.config.audit_file().display().to_string();
        move |cause| ReviewError::Log {
            path: path.clone(),
            cause,
        }
    }

    /// Carries the command out. Blocks, with `tail --follow` until the process is stopped.
    ///
    /// # Errors
    /// What is wrong.
    pub fn run(&self, arguments: &AuditArgs, out: &mut dyn Write) -> Result<Exit, ReviewError> {
        let AuditArgs {
            filter,
            format,
            command,
        } = arguments;
        match command {
            None => self.show(filter, *format, out),
            Some(AuditCommand::Verify { head }) => self.verify(head, out),
            Some(AuditCommand::Tail {
                lines,
                follow,
                filter,
                format,
            }) => self.tail(*lines, *follow, filter, *format, out),
        }
    }
}
