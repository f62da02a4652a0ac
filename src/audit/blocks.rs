//! Reads a file of the log in blocks of whole lines, so that a line is only looked at where it has to be.

use std::io::{self, Read};

/// How much is read at once: enough to keep a search busy, little enough for the cache.
const BLOCK: usize = 256 * 1024;
/// No line is longer: the largest names every hrId of a large roster. Ours.
const LONGEST: usize = 256 << 20;

/// A file, cut into blocks that end where a line does; the last may end without a line end.
pub(super) struct Blocks {
    from: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    filled: usize,
    /// The end of the current block.
    end: usize,
    over: bool,
}

impl Blocks {
    pub(super) fn new(from: Box<dyn Read + Send>) -> Self {
        Self {
            from,
            buffer: vec![0; BLOCK],
            filled: 0,
            end: 0,
            over: false,
        }
    }

    /// The current block; empty before the first and behind the last.
    pub(super) fn block(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Goes on to the next block; `false` where there is none.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.end..self.filled, 0);
        self.filled -= self.end;
        self.end = 0;
        let mut searched = 0;
        while !self.over {
            if let Some(at) = memchr::memrchr(b'\n', &self.buffer[searched..self.filled]) {
                self.end = searched + at + 1;
            }
            searched = self.filled;
            if self.filled == self.buffer.len() {
                if self.end > 0 {
                    return Ok(true);
                }
                if self.filled >= LONGEST {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a line has no end",
                    ));
                }
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.from.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.over = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.end = self.filled;
        Ok(self.filled > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Drops(Vec<u8>, usize);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = 70_001.min(buffer.len()).min(self.0.len() - self.1);
            buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 += count;
            Ok(count)
        }
    }

    #[test]
    fn blocks_hold_whole_lines_and_lose_no_byte() {
        let mut text = Vec::new();
        for number in 0..40_000 {
            text.extend(format!("line {number}\n").bytes());
        }
        // Longer than a block.
        text.extend(vec![b'x'; 3 * BLOCK]);
        text.extend(b"\nlast, without an end");
        let mut blocks = Blocks::new(Box::new(Drops(text.clone(), 0)));
        let (mut read, mut count) = (Vec::<u8>::new(), 0);
        while blocks.advance().unwrap() {
            count += 1;
            read.extend(blocks.block());
            assert!(read.len() == text.len() || blocks.block().ends_with(b"\n"));
        }
        assert!(read == text, "{} of {} bytes", read.len(), text.len());
        assert!(count > 2, "{count}");
        assert!(!blocks.advance().unwrap());
    }
}
