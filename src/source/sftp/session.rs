//! A session at a server: lists a folder, and reads a file of it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelStream, Disconnect};
use tokio::time::{Duration, timeout, timeout_at};

use super::SftpError;
use super::connect::{Proven, connect};
use super::login;
use super::packet::{Attrs, Id, Named, WireError};
use super::wire::Wire;
use crate::config::{Server, ServerTimeouts, Source};
use crate::source::folder::{FolderError, Is, Item, entry};
use crate::source::intake::Entry;
use crate::source::names::{Kind, Names};

/// A folder with more files than this is not listed to its end.
const MOST_FILES: usize = 200_000;
/// Some servers send the whole listing at once (AWS Transfer); more than this is none.
const MOST_LISTING: u64 = 32 << 20;
/// Longer names are none: no file system has them (Linux: 255 bytes, Windows: 255 characters).
const MOST_NAME: usize = 1024;
/// The size of a piece. Every server sends that many bytes at once; more is not said to be possible.
const PIECE: u32 = 32 << 10;
/// So many pieces are on their way at a time, as with OpenSSH's `sftp`.
const ON_THE_WAY: usize = 64;

/// A server that has let us in.
pub(super) struct Session {
    pub(super) wire: Wire<ChannelStream<Msg>>,
    proven: Proven,
    limits: ServerTimeouts,
    /// The server in messages.
    pub(super) name: String,
}

impl Session {
    /// Connects and logs in.
    pub(super) async fn open(server: &Server<'_>, name: &str) -> Result<Self, SftpError> {
        let credentials = login::read(server.auth)?;
        let (mut proven, until) = connect(server, name).await?;
        let limits = server.timeouts;
        let entered = async {
            login::log_in(&mut proven, server, name, &credentials).await?;
            begin(&proven, name, Duration::from_secs(limits.read_seconds)).await
        };
        let wire = timeout_at(until, entered)
            .await
            .map_err(|_| SftpError::LoginTime {
                server: name.to_owned(),
                seconds: limits.login_seconds,
            })??;
        Ok(Self {
            wire,
            proven,
            limits,
            name: name.to_owned(),
        })
    }

    /// Says good-bye, for a server that counts its sessions.
    pub(super) async fn leave(&mut self) {
        let bye = self
            .proven
            .handle
            .disconnect(Disconnect::ByApplication, "", "");
        let _ = timeout(Duration::from_secs(1), bye).await;
    }

    /// The files of the source's folder.
    pub(super) async fn list(&mut self, source: &Source) -> Result<Vec<Entry>, SftpError> {
        let seconds = self.limits.list_seconds;
        let (folder, server) = (source.folder.display().to_string(), self.name.clone());
        let listing = self.list_all(source);
        let listed = timeout(Duration::from_secs(seconds), listing).await;
        listed.map_err(|_| SftpError::ListTime {
            folder,
            server,
            seconds,
        })?
    }

    async fn list_all(&mut self, source: &Source) -> Result<Vec<Entry>, SftpError> {
        let folder = source.folder.display().to_string();
        let server = self.name.clone();
        let failed = |cause| SftpError::List {
            folder: folder.clone(),
            server: server.clone(),
            cause,
        };
        let names = Names::all(source);
        let path = source.folder.as_os_str().as_bytes();
        let handle = self.wire.open_folder(path).await.map_err(failed)?;
        let mut entries = Vec::new();
        let mut left = MOST_FILES;
        loop {
            let more = self.wire.more_names(&handle, MOST_LISTING).await;
            let Some(more) = more.map_err(failed)? else {
                break;
            };
            left = left
                .checked_sub(more.len())
                .ok_or_else(|| SftpError::TooMany {
                    folder: folder.clone(),
                    server: server.clone(),
                    most: MOST_FILES,
                })?;
            for listed in more {
                if listed.name.len() > MOST_NAME {
                    return Err(failed(WireError::Garbage("a name that is too long")));
                }
                let item = self.item(listed, names.as_ref(), source).await?;
                if let Some(item) = item {
                    entries.extend(entry(item, names.as_ref(), &source.folder)?);
                }
            }
        }
        self.wire.close(&handle).await.map_err(failed)?;
        Ok(entries)
    }

    /// What a listed name is. Where the server has not said it of one that matters, it is asked.
    async fn item(
        &mut self,
        listed: Named,
        names: Option<&Names<'_>>,
        source: &Source,
    ) -> Result<Option<Item>, SftpError> {
        let Named {
            name,
            long,
            mut attrs,
        } = listed;
        if matches!(name.as_slice(), b"." | b"..") {
            return Ok(None);
        }
        let name = OsString::from_vec(name);
        let lossy = name.to_string_lossy();
        let matters = names.is_some_and(|names| names.kind(&lossy) != Kind::Other);
        if matters && lossy.chars().any(char::is_control) {
            // A terminal or a log would obey it.
            return Err(SftpError::ControlCharacters {
                server: self.name.clone(),
                name: lossy.escape_debug().to_string(),
            });
        }
        let is_whole = |attrs: &Attrs| attrs.size.is_some() && attrs.modified.is_some();
        if matters && !is_whole(&attrs) {
            let path = joined(&source.folder, name.as_bytes());
            attrs = match self.wire.at_path(&path).await {
                Ok(attrs) => attrs,
                // It is gone already.
                Err(error) if error.is_missing() => return Ok(None),
                Err(source) => return Err(self.cannot_read(&lossy, source)),
            };
        }
        let is = kind_of(attrs.mode, &long);
        if matters && is == Is::File && !is_whole(&attrs) {
            return Err(SftpError::NoLooks {
                server: self.name.clone(),
                name: lossy.into_owned(),
            });
        }
        let (size, modified) = (attrs.size.unwrap_or_default(), time(attrs.modified));
        Ok(Some(Item {
            name,
            is,
            size,
            modified,
        }))
    }

    /// Reads a file as it was listed into a file of this machine. It counts only if it was the same before and after, and ends where it should.
    pub(super) async fn read(
        &mut self,
        folder: &Path,
        entry: &Entry,
        into: &File,
    ) -> Result<(), SftpError> {
        let path = joined(folder, entry.name.as_bytes());
        let result = self.read_all(&path, entry, into).await;
        match result {
            Ok(true) => Ok(()),
            Ok(false) => Err(SftpError::Folder(FolderError::Changed {
                name: entry.name.clone(),
            })),
            Err(Failed::Wire(error)) => Err(self.cannot_read(&entry.name, error)),
            Err(Failed::Disk(error)) => Err(SftpError::Private(error)),
        }
    }

    async fn read_all(&mut self, path: &[u8], entry: &Entry, into: &File) -> Result<bool, Failed> {
        let handle = self.wire.open_file(path).await?;
        if !is_same(&self.wire.at_handle(&handle).await?, entry) {
            return Ok(false);
        }
        if !self.fetch(&handle, entry.size, into).await? {
            return Ok(false);
        }
        // One byte more, and it is still being written.
        let ids = self.wire.ask_pieces(&handle, &[(entry.size, 1)]).await?;
        let (id, beyond) = self.wire.piece().await?;
        if ids != [id] {
            return Err(WireError::Garbage("an answer to no question").into());
        }
        crate::crash::pause("fetched");
        let after = self.wire.at_handle(&handle).await?;
        self.wire.close(&handle).await?;
        let there = match self.wire.at_path(path).await {
            Err(error) if error.is_missing() => return Ok(false),
            other => other?,
        };
        Ok(beyond.is_none() && is_same(&after, entry) && is_same(&there, entry))
    }

    /// Fetches `size` bytes; whether there were as many. Servers send pieces in any order, and less than they were asked for.
    async fn fetch(&mut self, handle: &[u8], size: u64, into: &File) -> Result<bool, Failed> {
        let mut wanted: Vec<(u64, u32)> = Vec::new();
        let mut on_the_way: HashMap<Id, (u64, u32)> = HashMap::new();
        let mut next = 0;
        let mut got = 0;
        while got < size {
            // In bundles, for each is a packet of its own.
            if on_the_way.len() <= ON_THE_WAY / 2 {
                while wanted.len() + on_the_way.len() < ON_THE_WAY && next < size {
                    let length = u32::try_from(size - next).unwrap_or(PIECE).min(PIECE);
                    wanted.push((next, length));
                    next += u64::from(length);
                }
                if !wanted.is_empty() {
                    let ids = self.wire.ask_pieces(handle, &wanted).await?;
                    on_the_way.extend(ids.into_iter().zip(wanted.drain(..)));
                }
            }
            let (id, bytes) = self.wire.piece().await?;
            let piece = on_the_way.remove(&id);
            let (begin, length) = piece.ok_or(WireError::Garbage("an answer to no question"))?;
            let Some(bytes) = bytes else {
                return Ok(false);
            };
            let came = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            if came == 0 || came > length {
                return Err(WireError::Garbage("a piece of a wrong size").into());
            }
            into.write_all_at(&bytes, begin).map_err(Failed::Disk)?;
            got += u64::from(came);
            if came < length {
                wanted.push((begin + u64::from(came), length - came));
            }
            if on_the_way.is_empty() && !wanted.is_empty() {
                let ids = self.wire.ask_pieces(handle, &wanted).await?;
                on_the_way.extend(ids.into_iter().zip(wanted.drain(..)));
            }
        }
        Ok(on_the_way.is_empty())
    }

    fn cannot_read(&self, name: &str, cause: WireError) -> SftpError {
        SftpError::Read {
            name: name.to_owned(),
            server: self.name.clone(),
            cause,
        }
    }
}

enum Failed {
    Wire(WireError),
    Disk(std::io::Error),
}

impl From<WireError> for Failed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// Begins to speak SFTP.
async fn begin(
    proven: &Proven,
    name: &str,
    silence: Duration,
) -> Result<Wire<ChannelStream<Msg>>, SftpError> {
    let lost = || SftpError::Lost {
        server: name.to_owned(),
        when: "the login",
    };
    let none = || SftpError::NoSftp {
        server: name.to_owned(),
    };
    let mut channel = match proven.handle.channel_open_session().await {
        Err(russh::Error::ChannelOpenFailure(_)) => return Err(none()),
        other => other.map_err(|_| lost())?,
    };
    let asked = channel.request_subsystem(true, "sftp").await;
    asked.map_err(|_| lost())?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) => return Err(none()),
            Some(_) => {}
            None => return Err(lost()),
        }
    }
    let opened = Wire::open(channel.into_stream(), silence).await;
    opened.map_err(|error| match error {
        WireError::Closed if proven.is_lost() => lost(),
        _ => none(),
    })
}

/// A file of a folder, as the server names it.
pub(super) fn joined(folder: &Path, name: &[u8]) -> Vec<u8> {
    let mut path = folder.as_os_str().as_bytes().to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend(name);
    path
}

/// Whether a file is still regular and of the size and time with which it was listed.
pub(super) fn is_same(attrs: &Attrs, entry: &Entry) -> bool {
    kind_of(attrs.mode, b"-") == Is::File
        && attrs.size == Some(entry.size)
        && attrs.modified.is_some()
        && time(attrs.modified) == entry.modified
}

/// By its mode (`st_mode`, POSIX), else by how it is listed; what tells nothing of itself is taken for a file, which shows when it is read.
fn kind_of(mode: Option<u32>, long: &[u8]) -> Is {
    match (mode.unwrap_or_default() & 0o170_000, long.first()) {
        (0o120_000, _) | (0, Some(b'l')) => Is::Link,
        (0, Some(b'b' | b'c' | b'd' | b'p' | b's')) => Is::Other,
        (0o100_000 | 0, _) => Is::File,
        _ => Is::Other,
    }
}

fn time(seconds: Option<u32>) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(seconds.unwrap_or_default()), 0).unwrap_or_default()
}
