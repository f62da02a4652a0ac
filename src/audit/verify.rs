//! Whether the log is what was written: the chain over all files, the records of what was removed or redacted on purpose, and the head that the store or somebody else has kept.
//!
//! A break does not end the check: the chain is taken up behind it, so that one changed byte is told as one break. All files are opened while nobody can append, and what is done to the log is told in it
//! first: so whatever is forgotten, rotated, packed or removed by age during a check, it sees a log that tells of all that it lacks.

use std::fs::File;
use std::io;

use super::blocks::Blocks;
use super::breaks::Verified;
use super::check::Check;
use super::file::AuditFile;
use super::files::{Look, Rotated, name_of, unpacked};
use super::line::{Ends, Head};
use super::sift::sift_all;

/// So many files are opened at once; a process may have 1,024. Of a longer log the newest are opened when their turn comes, which are the last to be removed or packed.
const OPEN: usize = 512;

/// With what the end of the log is compared.
#[derive(Debug, Default)]
pub struct Against {
    /// Where the file may end according to the store.
    pub ends: Ends,
    /// Heads that somebody has kept.
    pub heads: Vec<Head>,
}

/// A log whose files are held as they were at one instant.
#[derive(Debug)]
pub(super) struct Held {
    look: Look,
    /// The rotated ones, and whether each is packed; those that were removed by age just then are not among them.
    opened: Vec<Option<(File, bool)>>,
}

fn open(rotated: &[Rotated]) -> io::Result<Vec<Option<(File, bool)>>> {
    let opened = rotated.iter().take(OPEN).map(Rotated::open_if_there);
    opened.collect()
}

/// Checks all of a log as it is in the files that were looked at.
///
/// # Errors
/// A file cannot be opened or read. One that is damaged inside is a break.
pub fn verify(look: Look, against: &Against) -> io::Result<Verified> {
    let opened = open(&look.rotated)?;
    Held { look, opened }.check(against)
}

impl Held {
    /// Checks all of it.
    pub(super) fn check(self, against: &Against) -> io::Result<Verified> {
        let Self { look, opened } = self;
        let wanted: Vec<u64> = against.heads.iter().map(|head| head.seq).collect();
        let name = name_of(&look.path);
        let mut check = Check::default();
        let mut opened = opened.into_iter();
        for rotated in &look.rotated {
            let file = match opened.next() {
                Some(file) => file,
                None => rotated.open_if_there()?,
            };
            let Some((file, packed)) = file else { continue };
            check.begin(rotated.name(), Some(rotated));
            // As they were listed: some may have been packed while they were opened.
            check.listed(rotated.packed);
            let from: Box<dyn io::Read + Send> = if packed {
                check.packed(&file)?;
                unpacked(file)
            } else {
                Box::new(file)
            };
            let read = sift_all(Blocks::new(from), &wanted, |sifted| check.take(sifted));
            check.ended(read, packed)?;
        }
        if let Some((file, length)) = look.current {
            check.begin(name.clone(), None);
            let from = Box::new(io::Read::take(file, length));
            let read = sift_all(Blocks::new(from), &wanted, |sifted| check.take(sifted));
            check.ended(read, false)?;
        }
        Ok(check.over(&name, against))
    }
}

impl AuditFile {
    /// Checks all of the log as it is now. `ends` says where it may end; it is called while nobody can append, so that both are of one instant.
    ///
    /// # Errors
    /// A file cannot be opened or read.
    pub fn verify<E>(
        &self,
        heads: Vec<Head>,
        ends: impl FnMut() -> Result<Ends, E>,
    ) -> io::Result<Result<Verified, E>> {
        let (held, ends) = self.hold(ends)?;
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => return Ok(Err(error)),
        };
        held.check(&Against { ends, heads }).map(Ok)
    }

    /// Opens all files while nobody can append.
    pub(super) fn hold<T>(&self, mut then: impl FnMut() -> T) -> io::Result<(Held, T)> {
        let (look, (opened, then)) = self.look_and(|rotated| (open(rotated), then()))?;
        let opened = opened?;
        Ok((Held { look, opened }, then))
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
