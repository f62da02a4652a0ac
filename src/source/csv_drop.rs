//! A folder of this machine that other programs drop files into.

use chrono::NaiveDateTime;

use super::file::{Away, Place};
use super::folder::{self, FolderError};
use super::intake::{Entry, Taken};
use super::text::Bytes;
use super::{FinishError, archive};
use crate::config::{After, Source};

/// The folder of a source.
pub(super) struct Drop<'s>(pub(super) &'s Source);

impl Place for Drop<'_> {
    type Error = FolderError;

    // It is read again at no cost, and its content is the better witness.
    const IS_REMOTE: bool = false;

    fn list(&mut self) -> Result<Vec<Entry>, FolderError> {
        folder::list(self.0)
    }

    fn read(
        &mut self,
        entry: &Entry,
        dated: Option<NaiveDateTime>,
        max_bytes: u64,
    ) -> Result<(Bytes, Taken), FolderError> {
        folder::read(&self.0.folder, entry, dated, max_bytes)
    }

    fn put_away(
        &mut self,
        file: &Taken,
        marker: Option<&str>,
    ) -> Result<Option<Away>, FinishError> {
        let After::Archive(into) = &self.0.after else {
            return Ok(None);
        };
        let to = archive::archive(&self.0.folder, file, marker, into)?;
        Ok(Some(Away::Moved(to)))
    }
}
