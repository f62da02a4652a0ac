//! The command `report`: a span of time as one page for auditors, works council and data protection, or as one table.
//!
//! What happened comes from the audit log over all of its files, what stands now from the state. The page needs nothing from anywhere: styles and plots stand in it, there is
//! no script, and a policy in its head forbids the browser to fetch anything. The hazards: a text from outside that becomes markup or a formula, and personal values: people are
//! hrIds, and names that the log may hold are masked unless somebody asks for them.

mod acts;
mod facts;
mod gather;
mod page;
mod plot;
mod reader;
mod rows;
mod table;
mod take;
mod weekly;
mod words;

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::AuditFile;
use crate::backup::Part;
use crate::cli::{ReportArgs, ReportFormat, ReportLanguage, ReportValues};
use crate::clock::Clock;
use crate::config::{Config, Integration, Language};
use crate::exit::Exit;
use crate::review::{ReviewError, moment};
use crate::store::{Store, StoreError};

/// What the command needs besides its arguments.
pub struct Context<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The integrations that are meant.
    pub chosen: Vec<&'c Integration>,
    /// The state; an empty one where there is none.
    pub store: &'c Store,
    /// The clock.
    pub clock: &'c Clock,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It was asked wrongly.
    #[error(transparent)]
    Usage(#[from] ReviewError),
    /// The span is none.
    #[error("--since lies behind --until, so there is nothing to report")]
    Span,
    /// A file of that name is there.
    #[error("{0} is there already; name another file, or replace it with --force")]
    Exists(PathBuf),
    /// Somebody is writing it.
    #[error("Another report is being written to {0}")]
    Busy(PathBuf),
    /// The file cannot be written.
    #[error(
        "{path} cannot be written ({cause}); name a file in a folder that the owner of the state folder may write to, or `--out -` for the terminal"
    )]
    Out {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The audit log cannot be read.
    #[error("The audit log {path} cannot be read ({cause}); see what `audit verify` says")]
    Log {
        /// Its current file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The page cannot be put together.
    #[error(
        "The page cannot be put together ({0}); this is an error of jobticket-sync, please report it"
    )]
    Page(String),
}

impl ReportError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Span | Self::Exists(_) => Exit::Configuration,
            Self::Busy(_) => Exit::Busy,
            _ => Exit::Unexpected,
        }
    }
}

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Where; `-` is the terminal.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How many runs it tells of.
    pub runs: usize,
    /// How many changes of people JobTicket, or the sandbox, has acknowledged in that time.
    pub changes: usize,
    /// Whether the audit log is what was written; otherwise the report may be wrong or incomplete.
    pub intact: bool,
}

impl Written {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.intact {
            Exit::Done
        } else {
            Exit::Unexpected
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            bytes,
            runs,
            changes,
            ..
        } = self;
        writeln!(
            f,
            "Report written to {}: {runs} runs, {changes} changes, {bytes} bytes. It names people by hrId; keep it as you keep the audit log",
            file.display()
        )
    }
}

/// Writes a report. Blocks. Where it goes to the terminal, nothing else should.
///
/// # Errors
/// It cannot be written, or what it tells of cannot be read. A file that is there stays as it is then.
pub fn write(context: &Context<'_>, arguments: &ReportArgs) -> Result<Written, ReportError> {
    let config = context.config;
    let zone = config.timezone;
    let (since, _) = moment("--since", &arguments.since, zone)?;
    let until = arguments.until.as_deref();
    let until = until
        .map(|until| moment("--until", until, zone))
        .transpose()?;
    let now = context.clock.now();
    // Without an end, what is written while this is read counts too.
    let end = until.map(|(_, over)| over);
    let until = end.unwrap_or(now).min(now);
    if since >= until {
        return Err(ReportError::Span);
    }
    let out = arguments.out.as_path();
    let to_terminal = out == Path::new("-");
    if !to_terminal && !arguments.force && std::fs::symlink_metadata(out).is_ok() {
        return Err(ReportError::Exists(out.to_owned()));
    }
    let audit = AuditFile::of(config);
    let full = arguments.values == ReportValues::Full;
    let gathered =
        gather::gather(context, &audit, since, end, full).map_err(|error| match error {
            gather::Failed::Log(cause) => ReportError::Log {
                path: audit.path().to_owned(),
                cause,
            },
            gather::Failed::Store(error) => ReportError::Store(error),
        })?;
    let language = match arguments.lang {
        Some(ReportLanguage::De) => Language::De,
        Some(ReportLanguage::En) => Language::En,
        None => config.language,
    };
    let words = words::Words { language, zone };
    let page = match arguments.format {
        ReportFormat::Html => {
            page::render(words, &gathered, (since, until), now).map_err(ReportError::Page)?
        }
        ReportFormat::Csv => table::render(&gathered, zone),
    };
    let written = Written {
        file: out.to_owned(),
        bytes: page.len() as u64,
        runs: gathered.runs(),
        changes: gathered.changes(),
        intact: gathered.checked.breaks.is_empty(),
    };
    if !written.intact {
        tracing::error!(
            "The audit log was changed or has holes, so the report may be wrong or incomplete; `audit verify` says where"
        );
    }
    let failed = |cause| ReportError::Out {
        path: out.to_owned(),
        cause,
    };
    if to_terminal {
        let mut terminal = io::stdout().lock();
        return match terminal.write_all(&page).and_then(|()| terminal.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
            _ => Ok(written),
        };
    }
    let part = Part::begin(out)
        .map_err(failed)?
        .ok_or_else(|| ReportError::Busy(out.to_owned()))?;
    part.file().write_all(&page).map_err(failed)?;
    part.sync().map_err(failed)?;
    part.finish().map_err(failed)?;
    Ok(written)
}
