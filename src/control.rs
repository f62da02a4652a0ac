//! How a command reaches the running service: one connection to a Unix socket, a JSON document a line.
//!
//! The program sends its command line as it has understood it; the service, which has the state open and the credentials that only it may see, answers with what
//! is going on, with questions, and in the end with a text or an error and the exit code. Both sides are of one version, or nothing is done.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::cli::{Cli, Command, Output};
use crate::config::{Config, flatten};
use crate::decisions::{Answer, Said};
use crate::digest::sha256;
use crate::exit::Exit;

/// What a program asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The version of the program; read by itself before the rest.
    #[serde(rename = "version")]
    pub(crate) _version: String,
    /// The login user, as the program sees it. Only root, and the user of the service itself, are believed.
    pub(crate) user: String,
    /// How the program is called, for commands to go on with.
    pub(crate) program: String,
    /// The state folder that the program means.
    pub(crate) state: PathBuf,
    /// Identifies the configuration, as the program has read it.
    pub(crate) configuration: String,
    /// The command line.
    pub(crate) cli: Cli,
}

/// What is understood of a request of any version.
#[derive(Debug, Deserialize)]
pub(crate) struct Versioned {
    pub(crate) version: String,
}

/// The same, to be sent.
#[derive(Serialize)]
struct Sent<'s> {
    version: &'s str,
    user: &'s str,
    program: &'s str,
    state: &'s Path,
    configuration: String,
    cli: &'s Cli,
}

/// Identifies a configuration by all that its keys say.
pub(crate) fn mark(config: &Config) -> String {
    let all: Vec<String> = flatten(config)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    sha256(all.concat())
}

/// What the service says, one line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The service has taken the request and does nothing of it before the program says [`GO`]: a program that has gone away meanwhile has told its user that
    /// nothing was done.
    Ready,
    /// What is going on.
    Stage(String),
    /// A question; the program answers with a line of its own.
    Ask(String),
    /// The end: what to print, as the command line wants it.
    Said(u8, String),
    /// The end: what is wrong.
    Wrong(u8, String),
}

impl Line {
    /// What a command has said, as text or as a document.
    pub(crate) fn said(said: Said, output: Output) -> Self {
        let text = match output {
            Output::Text => said.text,
            Output::Json => format!("{:#}\n", said.json),
        };
        Self::Said(said.exit.code(), text)
    }

    pub(crate) fn wrong((exit, message): (Exit, String)) -> Self {
        Self::Wrong(exit.code(), message)
    }
}

/// What the program says for the service to begin.
pub(crate) const GO: &str = "go";

/// A service that has a place free takes a command at once, and one that has not may have within this time. Ours.
const FIRST_WORD_SECONDS: u64 = 30;
const FIRST_WORD: Duration = Duration::from_secs(FIRST_WORD_SECONDS);

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the running service, if there is one, is to do this.
pub fn is_for_service(cli: &Cli) -> bool {
    match &cli.command {
        None => cli.run_now,
        Some(
            Command::Check { .. }
            | Command::Recipes { .. }
            | Command::Sandbox(_)
            | Command::Audit(_)
            | Command::Report(_)
            | Command::Backup { .. }
            | Command::Restore { .. },
        ) => false,
        Some(_) => true,
    }
}

/// Why the service could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is there and lets nobody like us in.
    #[error(
        "The service does not let this user in at {0}; whoever may decide is in the group of that socket (`id` shows your groups, and a new one counts from the next login)"
    )]
    NotAdmitted(String),
    /// It is there and says nothing.
    #[error(
        "The service at {0} has not answered within {FIRST_WORD_SECONDS} seconds, so nothing was done; it may be serving too many others at once. Try again, and look at its log if this goes on"
    )]
    Silent(String),
    /// The connection broke.
    #[error(
        "The connection to the service at {socket} broke ({cause}); if the service still runs, a run that it had begun goes on there; `status` shows what became of it, and a decision counts if the audit log has it"
    )]
    Broke {
        /// Its socket.
        socket: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// Asks the running service; `None` where no service is there. Whoever calls has to say who they are, what was called, and how to ask them.
///
/// # Errors
/// There is one, and it cannot be asked.
pub async fn ask_service(
    config: &Config,
    cli: &Cli,
    user: &str,
    program: &str,
    ask: impl Fn(&str) -> Answer,
    stage: impl Fn(&str),
) -> Result<Option<(Exit, Result<String, String>)>, ControlError> {
    let socket = config.control_socket();
    let shown = socket.display().to_string();
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(ControlError::NotAdmitted(shown));
        }
        // Its queue is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(ControlError::Silent(shown));
        }
        // Nobody listens; where the folder is unknown or its name too long, nobody can.
        Err(_) => return Ok(None),
    };
    let request = Sent {
        version: VERSION,
        user,
        program,
        state: &config.state_dir,
        configuration: mark(config),
        cli,
    };
    let broke = |cause: io::Error| match cause.kind() {
        io::ErrorKind::TimedOut => ControlError::Silent(shown.clone()),
        _ => ControlError::Broke {
            socket: shown.clone(),
            cause,
        },
    };
    talk(stream, &request, ask, stage)
        .await
        .map(Some)
        .map_err(broke)
}

fn line_of<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Sends one line.
pub(crate) async fn send<T: Serialize>(
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    to.write_all(&line_of(value)?).await
}

async fn talk(
    stream: UnixStream,
    request: &Sent<'_>,
    ask: impl Fn(&str) -> Answer,
    stage: impl Fn(&str),
) -> io::Result<(Exit, Result<String, String>)> {
    let (from, mut to) = stream.into_split();
    // Where the service has closed the connection, it has said why before.
    let sent = send(&mut to, request).await;
    let mut lines = BufReader::new(from).lines();
    // A service that has taken the request says so at once; how long the rest takes depends on what is asked.
    let mut next = timeout(FIRST_WORD, lines.next_line()).await??;
    if next.is_none() {
        sent?;
    }
    while let Some(line) = next {
        match serde_json::from_str(&line)? {
            Line::Ready => send(&mut to, &GO).await?,
            Line::Stage(what) => stage(&what),
            Line::Ask(question) => {
                let answer = tokio::task::block_in_place(|| ask(&question));
                send(&mut to, &answer).await?;
            }
            Line::Said(code, text) => return Ok((Exit::of_code(code), Ok(text))),
            Line::Wrong(code, message) => return Ok((Exit::of_code(code), Err(message))),
        }
        next = lines.next_line().await?;
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
