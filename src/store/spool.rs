//! Pieces of a roster that wait until it is known whether it can be believed. Those of a large one wait in a file, for the rows themselves are in memory meanwhile.
//!
//! They hold personal data: the file lies in the state folder, has no name, is its owner's alone, and is gone with the process, however that ends. Where there is no room
//! for it, the pieces wait in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::StoreError;

/// So many bytes wait in memory.
const IN_MEMORY: usize = 8 << 20;

/// Pieces in their order.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    most: usize,
    /// Those that are not in the file.
    pieces: Vec<Vec<u8>>,
    bytes: usize,
    file: Option<Written>,
}

/// Pieces in a file.
#[derive(Debug)]
struct Written {
    file: File,
    /// Of each, one behind the other.
    lengths: Vec<usize>,
}

impl Spool {
    /// For pieces that may wait in this folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            most: IN_MEMORY,
            pieces: Vec::new(),
            bytes: 0,
            file: None,
        }
    }

    /// Takes one more.
    pub(super) fn push(&mut self, piece: Vec<u8>) {
        self.bytes += piece.len();
        self.pieces.push(piece);
        if self.bytes > self.most {
            match self.write_out() {
                Ok(()) => self.bytes = 0,
                // They stay where they are, and it is not tried again.
                Err(_) => self.most = usize::MAX,
            }
        }
    }

    /// Moves the pieces behind those in the file.
    fn write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(Written {
                file: tempfile::tempfile_in(&self.folder)?,
                lengths: Vec::new(),
            });
        }
        let Some(written) = &mut self.file else {
            return Ok(());
        };
        // What is behind the lengths does not count, so that half of a write is none.
        let end = written.lengths.iter().sum::<usize>() as u64;
        let mut at = end;
        for piece in &self.pieces {
            if let Err(error) = written.file.write_all_at(piece, at) {
                // The room may be the last there is.
                let _ = written.file.set_len(end);
                return Err(error);
            }
            at += piece.len() as u64;
        }
        written
            .lengths
            .extend(self.pieces.drain(..).map(|piece| piece.len()));
        Ok(())
    }

    /// Gives every piece to `take`, in order.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(Written { file, lengths }) = &self.file {
            let (mut buffer, mut at) = (Vec::new(), 0);
            for length in lengths {
                buffer.resize(*length, 0);
                file.read_exact_at(&mut buffer, at)
                    .map_err(|cause| StoreError::Folder {
                        path: self.folder.clone(),
                        cause,
                    })?;
                at += *length as u64;
                take(&buffer)?;
            }
        }
        self.pieces.iter().try_for_each(|piece| take(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spooled(folder: &Path) -> Spool {
        let mut spool = Spool::new(folder);
        spool.most = 1_000;
        for number in 0..200_u8 {
            spool.push(vec![number; usize::from(number)]);
        }
        spool
    }

    fn all(spool: &Spool) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        spool
            .each(|piece| {
                all.push(piece.to_vec());
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn pieces_come_back_in_order_from_a_file_that_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spooled(folder.path());
        assert!(spool.file.is_some() && spool.pieces.len() < 20);
        assert!(
            all(&spool)
                .into_iter()
                .eq((0..200_u8).map(|number| vec![number; number.into()]))
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_no_file_can_be_made_the_pieces_stay_in_memory() {
        let spool = spooled(Path::new("/nonexistent/state"));
        assert!(spool.file.is_none());
        assert_eq!(all(&spool).len(), 200);
    }
}
