//! Puts away files of a server that were used: they move into another folder there, or are deleted.
//!
//! Only the file that was read goes, and older ones, which are never deleted; nothing is overwritten. Servers differ in what they do where a name is taken, so a name is looked for that is free; and a file
//! is looked at again once it has its new name, where no sender writes to it any more.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use chrono::Utc;

use super::SftpError;
use super::packet::WireError;
use super::session::{Session, is_same, joined};
use crate::config::{After, Source};
use crate::source::file::Away;
use crate::source::intake::{Entry, Taken};

/// How the names of files end that are about to be deleted.
const USED: &str = ".used";
/// So many names are tried for a file.
const MOST_NAMES: usize = 20;

impl Session {
    /// Puts away a file that was used, and then its marker: a marker alone is harmless, a file without its marker is waited for.
    pub(super) async fn put_away(
        &mut self,
        source: &Source,
        file: &Taken,
        marker: Option<&str>,
        private: &Path,
    ) -> Result<Option<Away>, SftpError> {
        let away = match &source.after {
            After::Keep | After::Archive(_) => return Ok(None),
            After::Move(into) => {
                self.make_folder(into).await?;
                let to = self.move_file(source, file, into, private).await?;
                Away::Moved(into.join(to))
            }
            After::Delete => {
                self.delete(source, file, private).await?;
                Away::Deleted
            }
        };
        if let Some(marker) = marker {
            self.put_marker_away(source, marker).await?;
        }
        Ok(Some(away))
    }

    async fn make_folder(&mut self, folder: &Path) -> Result<(), SftpError> {
        let path = folder.as_os_str().as_bytes();
        let made = match self.wire.at_path(path).await {
            Err(error) if error.is_missing() => self.wire.make_folder(path).await,
            // What it is shows when something is moved into it.
            other => other.map(|_| ()),
        };
        made.map_err(|cause| SftpError::MakeFolder {
            folder: folder.display().to_string(),
            server: self.name.clone(),
            cause,
        })
    }

    /// Its name there.
    async fn move_file(
        &mut self,
        source: &Source,
        file: &Taken,
        into: &Path,
        private: &Path,
    ) -> Result<String, SftpError> {
        let from = joined(&source.folder, file.name.as_bytes());
        self.check_same(&from, file).await?;
        let name = self.free_name(&file.name, into).await?;
        let to = joined(into, name.as_bytes());
        self.rename(&file.name, &from, &to).await?;
        self.check_moved(file, &from, &to).await?;
        // Older files were never read. Where one may not be read in its new place, it stays there.
        if !file.sha256.is_empty()
            && let Ok(false) = self.is_what_was_read(into, &name, file, private).await
        {
            self.move_back(file, &from, &to).await?;
            return Err(self.changed(file));
        }
        Ok(name)
    }

    async fn delete(
        &mut self,
        source: &Source,
        file: &Taken,
        private: &Path,
    ) -> Result<(), SftpError> {
        let from = joined(&source.folder, file.name.as_bytes());
        self.check_same(&from, file).await?;
        // Under a name that nobody writes to, so that no newer file goes in its place.
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("jobticket-sync.{}{USED}", &random[..8]);
        let to = joined(&source.folder, name.as_bytes());
        self.rename(&file.name, &from, &to).await?;
        self.check_moved(file, &from, &to).await?;
        let is_it = self.is_what_was_read(&source.folder, &name, file, private);
        if let Ok(true) = is_it.await {
            let Err(source) = self.wire.remove(&to).await else {
                return Ok(());
            };
            self.move_back(file, &from, &to).await?;
            return Err(self.cannot(&file.name, "deleting it".to_owned(), source));
        }
        self.move_back(file, &from, &to).await?;
        Err(self.changed(file))
    }

    /// Whether a file that looks like the one that was read is that to the byte: one that was written anew in the same second with the same size looks so, too.
    async fn is_what_was_read(
        &mut self,
        folder: &Path,
        name: &str,
        file: &Taken,
        private: &Path,
    ) -> Result<bool, SftpError> {
        let there = Entry {
            name: name.to_owned(),
            ..entry(file)
        };
        let mut copy = super::private::file(private).map_err(SftpError::Private)?;
        self.read(folder, &there, &copy).await?;
        let (_, sha256) = super::private::content(&mut copy).map_err(SftpError::Private)?;
        Ok(sha256 == file.sha256)
    }

    /// Gives a file its name back, unless another one has it by now.
    async fn move_back(&mut self, file: &Taken, from: &[u8], to: &[u8]) -> Result<(), SftpError> {
        let is_free = self.wire.at_path(from).await;
        let is_free = is_free.is_err_and(|error| error.is_missing());
        if is_free && self.wire.rename(to, from).await.is_ok() {
            return Ok(());
        }
        Err(SftpError::LeftAt {
            name: file.name.clone(),
            server: self.name.clone(),
            at: String::from_utf8_lossy(to).into_owned(),
        })
    }

    /// Nothing is lost with a marker, so it may be gone or another one.
    async fn put_marker_away(&mut self, source: &Source, marker: &str) -> Result<(), SftpError> {
        let from = joined(&source.folder, marker.as_bytes());
        let put = match &source.after {
            After::Move(into) => {
                let name = self.free_name(marker, into).await?;
                let to = joined(into, name.as_bytes());
                self.wire.rename(&from, &to).await
            }
            _ => self.wire.remove(&from).await,
        };
        match put {
            Err(error) if !error.is_missing() => {
                Err(self.cannot(marker, "putting it away".to_owned(), error))
            }
            _ => Ok(()),
        }
    }

    /// A file that came after the one that was read stays.
    async fn check_same(&mut self, path: &[u8], file: &Taken) -> Result<(), SftpError> {
        match self.wire.at_path(path).await {
            Ok(attrs) if is_same(&attrs, &entry(file)) => Ok(()),
            Ok(_) => Err(self.changed(file)),
            Err(cause) => Err(self.cannot(&file.name, "looking at it again".to_owned(), cause)),
        }
    }

    /// Where it came in the last instant, it goes back to where it is read from, unless an even newer one is there.
    async fn check_moved(&mut self, file: &Taken, from: &[u8], to: &[u8]) -> Result<(), SftpError> {
        let moved = self.wire.at_path(to).await;
        if moved.is_ok_and(|attrs| is_same(&attrs, &entry(file))) {
            return Ok(());
        }
        self.move_back(file, from, to).await?;
        Err(self.changed(file))
    }

    async fn rename(&mut self, name: &str, from: &[u8], to: &[u8]) -> Result<(), SftpError> {
        let renamed = self.wire.rename(from, to).await;
        renamed.map_err(|cause| {
            let to = String::from_utf8_lossy(to);
            let what = if to.ends_with(USED) {
                format!("giving it another name ({to}) before it is deleted")
            } else {
                format!("moving it to {to}")
            };
            self.cannot(name, what, cause)
        })
    }

    /// The name, or where it is taken one with the time and a number behind it.
    async fn free_name(&mut self, name: &str, folder: &Path) -> Result<String, SftpError> {
        let now = Utc::now().format("%Y%m%dT%H%M%SZ");
        for number in 0..MOST_NAMES {
            let name = match number {
                0 => name.to_owned(),
                1 => format!("{name}.{now}"),
                _ => format!("{name}.{now}.{number}"),
            };
            match self.wire.at_path(&joined(folder, name.as_bytes())).await {
                Err(error) if error.is_missing() => return Ok(name),
                Ok(_) => {}
                Err(cause) => {
                    let folder = folder.display();
                    return Err(self.cannot(&name, format!("looking into {folder}"), cause));
                }
            }
        }
        Err(SftpError::NoFreeName {
            name: name.to_owned(),
            server: self.name.clone(),
            folder: folder.display().to_string(),
        })
    }

    fn cannot(&self, name: &str, what: String, cause: WireError) -> SftpError {
        SftpError::PutAway {
            name: name.to_owned(),
            server: self.name.clone(),
            what,
            cause,
        }
    }

    fn changed(&self, file: &Taken) -> SftpError {
        SftpError::ChangedSince {
            name: file.name.clone(),
            server: self.name.clone(),
        }
    }
}

fn entry(file: &Taken) -> Entry {
    Entry {
        name: file.name.clone(),
        size: file.size,
        modified: file.modified,
    }
}
