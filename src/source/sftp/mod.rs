//! A folder of an SFTP server: fetched over one connection a pull, which is closed in the end.
//!
//! `connect` proves who the server is, `login` says who we are, `wire` and `packet` speak SFTP, `session` lists and reads, `away` puts files away, `private` keeps what is fetched from
//! everybody else. Only these modules know `russh`. The hazards: a server that is not the one that was meant, one that says nothing for ever, one that shuts out whoever
//! logs in wrongly too often, and a file that is still being written. So every wait has an end, and what was read counts only if the file was the same before and after.

mod away;
mod connect;
mod login;
mod packet;
mod private;
mod session;
mod wire;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDateTime;
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep, sleep_until};

pub use packet::WireError;

use super::file::{Away, Place};
use super::folder::FolderError;
use super::intake::{Entry, Taken};
use super::text::Bytes;
use super::{FinishError, Login};
use crate::config::{SecretError, Server, Source};
use session::Session;

/// So often it is looked whether the service is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Why a server delivers nothing, or puts nothing away.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum SftpError {
    #[error("The source has no server; correct the configuration")]
    NoServer,
    #[error("A secret of the login cannot be read")]
    Secret(#[from] SecretError),
    #[error("The private key at {place} cannot be used: {why}")]
    Key { place: String, why: &'static str },
    #[error(
        "The server {server} cannot be reached ({cause}); check host and port, and whether the server and the firewalls between let this machine in"
    )]
    Connect {
        server: String,
        cause: std::io::Error,
    },
    #[error(
        "The server {server} did not answer within {seconds} seconds; check host, port and the firewalls between (timeouts.connect_seconds)"
    )]
    ConnectTime { server: String, seconds: u64 },
    #[error(
        "No key is pinned for the server {server}, so nothing was sent to it. It shows {shown}; ask its operator for the fingerprint, or compare on the server itself with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, and write it under host_keys only if it is the same"
    )]
    NotPinned { server: String, shown: String },
    #[error(
        "The server {server} shows another key than those under host_keys, so nothing was sent to it: {shown}. Somebody may be in between, or the operator has changed the key: ask them by another way than this connection, or compare on the server itself with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, and write the new one under host_keys only if it is the same (both, while the old one is still in use)"
    )]
    WrongKey { server: String, shown: String },
    #[error(
        "The server {server} has no key of a kind that is safe (ed25519, ECDSA, or RSA that signs with SHA-2), but {theirs}; have its operator add one"
    )]
    NoCommonKey { server: String, theirs: String },
    #[error(
        "The server {server} and this program could not agree on a connection ({cause}); check that an SSH server answers on this port"
    )]
    Handshake {
        server: String,
        cause: Box<russh::Error>,
    },
    #[error(
        "The login at {server} was not done within {seconds} seconds; check that an SSH server answers on this port, or give it more time (timeouts.login_seconds)"
    )]
    LoginTime { server: String, seconds: u64 },
    #[error(
        "The server {server} refuses the login of {user}; tried: {tried}; it still offers: {offered}. {advice}"
    )]
    Refused {
        server: String,
        user: String,
        tried: String,
        offered: String,
        advice: &'static str,
    },
    #[error(
        "The server {server} hung up on the login of {user}; that may be how it refuses it. Correct user and auth if it happens again"
    )]
    HungUp { server: String, user: String },
    #[error("The connection to {server} broke during {when}; the next run tries again")]
    Lost { server: String, when: &'static str },
    #[error(
        "The login at {server} is accepted, but it offers no SFTP there; have its operator allow it"
    )]
    NoSftp { server: String },
    #[error(
        "The folder {folder} of {server} cannot be listed ({cause}); check it as the server names it after the login, and what the user may do there"
    )]
    List {
        folder: String,
        server: String,
        cause: WireError,
    },
    #[error(
        "The listing of {folder} of {server} was not done within {seconds} seconds (timeouts.list_seconds)"
    )]
    ListTime {
        folder: String,
        server: String,
        seconds: u64,
    },
    #[error("The folder {folder} of {server} holds more than {most} files; have old ones removed")]
    TooMany {
        folder: String,
        server: String,
        most: usize,
    },
    #[error(
        "The server {server} tells neither size nor time of the file {name}, so nobody can tell whether it is complete"
    )]
    NoLooks { server: String, name: String },
    #[error(
        "The file {name} of {server} has control characters in its name; have it renamed, or make the pattern leave it out"
    )]
    ControlCharacters { server: String, name: String },
    #[error(
        "The file {name} of {server} cannot be read ({cause}); have its operator look at the rights of the file"
    )]
    Read {
        name: String,
        server: String,
        cause: WireError,
    },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("What is fetched cannot be kept; check the disk of the state folder")]
    Private(#[source] std::io::Error),
    #[error(
        "The server {server} took longer than {seconds} seconds in all (timeouts.total_seconds)"
    )]
    Total { server: String, seconds: u64 },
    #[error("The service is stopping, so {server} was left")]
    Stopped { server: String },
    #[error(
        "The folder {folder} of {server} is not there and cannot be made ({cause}); have it made there, with the right to move files into it. A name without / in front begins where the login ends"
    )]
    MakeFolder {
        folder: String,
        server: String,
        cause: WireError,
    },
    #[error(
        "The file {name} of {server} changed after it was read and stays; it is read by the next run"
    )]
    ChangedSince { name: String, server: String },
    #[error(
        "The file {name} of {server} stays, for {what} failed ({cause}); check that its user may do that there"
    )]
    PutAway {
        name: String,
        server: String,
        what: String,
        cause: WireError,
    },
    #[error(
        "The file {name} of {server} was to be put away and could not be, and lies there as {at} now; give it its name back"
    )]
    LeftAt {
        name: String,
        server: String,
        at: String,
    },
    #[error("The file {name} of {server} cannot be put away, for no name is free in {folder}")]
    NoFreeName {
        name: String,
        server: String,
        folder: String,
    },
}

impl SftpError {
    /// What this says of the login.
    pub fn login(&self) -> Login {
        match self {
            Self::Refused { .. } => Login::Refused,
            Self::HungUp { .. } => Login::Doubtful,
            Self::NoServer
            | Self::Secret(_)
            | Self::Key { .. }
            | Self::Connect { .. }
            | Self::ConnectTime { .. }
            | Self::NotPinned { .. }
            | Self::WrongKey { .. }
            | Self::NoCommonKey { .. }
            | Self::Handshake { .. }
            | Self::LoginTime { .. }
            | Self::Lost { .. }
            | Self::Total { .. }
            | Self::Stopped { .. } => Login::Unknown,
            _ => Login::Accepted,
        }
    }
}

/// Whether the keys for the login can be read and opened.
pub(super) fn try_keys(server: Server<'_>) -> Result<(), SftpError> {
    login::read(server.auth).map(|_| ())
}

/// The folder of a source on its server. Connects when it is used first.
pub(super) struct Remote<'s> {
    source: &'s Source,
    server: Server<'s>,
    /// The server in messages.
    name: String,
    private: &'s Path,
    stopping: &'s AtomicBool,
    session: Option<Session>,
    /// When everything has to be done.
    end: Option<Instant>,
}

impl<'s> Remote<'s> {
    /// `private` is a folder for this program alone. Once `stopping` is set, nothing is waited for any more.
    pub(super) fn of(
        source: &'s Source,
        private: &'s Path,
        stopping: &'s AtomicBool,
    ) -> Result<Self, SftpError> {
        let server = source.server().ok_or(SftpError::NoServer)?;
        Ok(Self {
            source,
            name: format!("{}:{}", server.host, server.port),
            server,
            private,
            stopping,
            session: None,
            end: None,
        })
    }

    /// Does something with the server, and waits no longer than that is allowed.
    fn wait<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, SftpError>,
    ) -> Result<T, SftpError> {
        let seconds = self.server.timeouts.total_seconds;
        let end = *self
            .end
            .get_or_insert_with(|| Instant::now() + Duration::from_secs(seconds));
        let (server, name, session) = (&self.server, &self.name, &mut self.session);
        let work = async {
            let session = match session {
                Some(session) => session,
                none => none.insert(Session::open(server, name).await?),
            };
            work(session).await
        };
        let stopped = async {
            while !self.stopping.load(Ordering::Relaxed) {
                sleep(LOOK).await;
            }
        };
        let server = self.name.clone();
        let done = Handle::current().block_on(async {
            tokio::select! {
                done = work => done,
                () = stopped => Err(SftpError::Stopped { server }),
                () = sleep_until(end) => Err(SftpError::Total { server, seconds }),
            }
        });
        if done.is_err() {
            // Nobody knows in which state it is.
            self.session = None;
        }
        done
    }
}

impl Place for Remote<'_> {
    type Error = SftpError;

    // Where a file cannot be moved away, it is not fetched again and again.
    const IS_REMOTE: bool = true;

    fn list(&mut self) -> Result<Vec<Entry>, SftpError> {
        let source = self.source;
        self.wait(async |session| session.list(source).await)
    }

    fn read(
        &mut self,
        entry: &Entry,
        dated: Option<NaiveDateTime>,
        max_bytes: u64,
    ) -> Result<(Bytes, Taken), SftpError> {
        if entry.size > max_bytes {
            return Err(SftpError::Folder(FolderError::TooLarge {
                name: entry.name.clone(),
                most: max_bytes,
            }));
        }
        let (source, private) = (self.source, self.private);
        let (bytes, sha256) = self.wait(async |session| {
            let mut file = private::file(private).map_err(SftpError::Private)?;
            session.read(&source.folder, entry, &file).await?;
            private::content(&mut file).map_err(SftpError::Private)
        })?;
        let taken = Taken::new(entry, dated, sha256);
        Ok((bytes, taken))
    }

    fn leave(&mut self) {
        if self.session.is_some() {
            // One that says nothing any more is left all the same.
            let _ = self.wait(async |session| {
                session.leave().await;
                Ok(())
            });
            self.session = None;
        }
    }

    fn put_away(
        &mut self,
        file: &Taken,
        marker: Option<&str>,
    ) -> Result<Option<Away>, FinishError> {
        let (source, private) = (self.source, self.private);
        let put = self.wait(async |session| session.put_away(source, file, marker, private).await);
        Ok(put?)
    }
}
