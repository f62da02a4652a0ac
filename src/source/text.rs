//! The bytes of a file and its text, both in pieces of about a megabyte: read so, cut behind the ends of lines, turned into text one by one, and given back as soon as
//! their rows are read. A large file is in memory once, or twice where it was packed, and never beside all of what was read of it.

use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc;
use std::thread::Builder;

use memchr::{memchr, memchr_iter, memrchr};
use sha2::{Digest as _, Sha256};

use crate::digest::hex;

/// How long a piece is, in bytes: much more than a row, and much less than a large file. Even, so that no pair of bytes is torn.
const PIECE: usize = 1 << 20;

/// The room in a piece for the beginning of its first row, which the one before gives away.
const ROOM: usize = 1 << 14;

/// The bytes of a file.
pub struct Bytes {
    /// One after the other; all but the last have the length of a piece, unless all are one.
    blocks: Vec<Vec<u8>>,
}

impl fmt::Debug for Bytes {
    /// What is in a file is personal data and is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

/// Blocks and the hash of them.
#[derive(Default)]
struct Hashed {
    hasher: Sha256,
    blocks: Vec<Vec<u8>>,
}

impl Hashed {
    fn push(&mut self, block: Vec<u8>) {
        self.hasher.update(&block);
        self.blocks.push(block);
    }

    fn end(self) -> (Bytes, String) {
        let blocks = self.blocks;
        (Bytes { blocks }, hex(&self.hasher.finalize()))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(all: Vec<u8>) -> Self {
        Self { blocks: vec![all] }
    }
}

impl Bytes {
    /// Reads to the end, and gives the SHA-256 of what was read, which another processor finds meanwhile.
    pub(super) fn read(mut reader: impl Read) -> io::Result<(Self, String)> {
        let mut next = || {
            let mut block = Vec::with_capacity(PIECE + ROOM);
            (&mut reader).take(PIECE as u64).read_to_end(&mut block)?;
            Ok::<_, io::Error>(block)
        };
        let first = next()?;
        if first.len() < PIECE {
            let sha256 = hex(&Sha256::digest(&first));
            return Ok((first.into(), sha256));
        }
        std::thread::scope(|scope| {
            let (give, given) = mpsc::channel();
            let hashing = Builder::new().spawn_scoped(scope, || {
                let mut all = Hashed::default();
                for block in given {
                    all.push(block);
                }
                all
            });
            let Ok(hashing) = hashing else {
                // The system gives no thread.
                let mut all = Hashed::default();
                let mut block = first;
                while !block.is_empty() {
                    all.push(block);
                    block = next()?;
                }
                return Ok(all.end());
            };
            let mut block = first;
            while !block.is_empty() {
                give.send(block).map_err(io::Error::other)?;
                block = next()?;
            }
            drop(give);
            let all = hashing.join();
            Ok(all
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .end())
        })
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// The beginning: a whole piece where there is as much.
    pub(super) fn head(&self) -> &[u8] {
        self.blocks.first().map_or(&[], |first| first)
    }

    /// Takes so many bytes off the beginning.
    pub(super) fn skip(&mut self, bytes: usize) {
        if let Some(first) = self.blocks.first_mut() {
            first.drain(..bytes);
        }
    }

    /// All of them, one behind the other.
    pub(super) fn into_one(mut self) -> Vec<u8> {
        if let [one] = &mut *self.blocks {
            return std::mem::take(one);
        }
        let mut all = Vec::with_capacity(self.len());
        for block in self.blocks {
            all.extend_from_slice(&block);
        }
        all
    }

    /// The same cut anew, so that each piece but the last ends behind a line; none is empty. Also how the lines end.
    pub(super) fn lines(self, units: Units) -> (Vec<Vec<u8>>, char) {
        self.lines_of(units, PIECE)
    }

    /// The same, in pieces of about this length.
    fn lines_of(self, units: Units, length: usize) -> (Vec<Vec<u8>>, char) {
        let has_lf = |block: &Vec<u8>| units.find(block, 0, b'\n').is_some();
        let line_end = if self.blocks.iter().any(has_lf) {
            '\n'
        } else {
            '\r'
        };
        let end = byte(line_end);
        let mut pieces = Vec::with_capacity(self.blocks.len());
        // The beginning of a line that goes on in the next block.
        let mut begun: Vec<u8> = Vec::new();
        let mut blocks = self.blocks.into_iter();
        while let Some(mut block) = blocks.next() {
            if begun.is_empty() {
                // What was unpacked is one block.
                let mut start = 0;
                while block.len() - start > length
                    && let Some(next) = units.find(&block, start + length, end)
                {
                    pieces.push(block[start..next].to_vec());
                    start = next;
                }
                if start > 0 {
                    block = block.split_off(start);
                }
            }
            let cut = match blocks.len() {
                0 => Some(block.len()),
                _ => units.find_last(&block, end),
            };
            let Some(cut) = cut else {
                // A line that is longer than a block.
                begun.extend_from_slice(&block);
                continue;
            };
            let rest = block.split_off(cut);
            pieces.push(joined(std::mem::replace(&mut begun, rest), block));
        }
        pieces.push(begun);
        pieces.retain(|piece| !piece.is_empty());
        (pieces, line_end)
    }
}

/// Two parts as one, in the memory of the longer.
fn joined(mut before: Vec<u8>, mut after: Vec<u8>) -> Vec<u8> {
    if before.len() > after.len() {
        before.extend_from_slice(&after);
        return before;
    }
    let length = after.len();
    after.resize(length + before.len(), 0);
    after.copy_within(..length, before.len());
    after[..before.len()].copy_from_slice(&before);
    after
}

/// The text of a file.
pub struct Text {
    /// All of it. No piece is empty, and each but the last ends behind a line.
    pub(super) pieces: Vec<Box<str>>,
    /// The last character of a line's end: LF, also in CRLF; CR only where the text has no LF at all.
    pub(super) line_end: char,
}

/// How many lines end in some text.
pub(super) fn lines<'p>(pieces: impl IntoIterator<Item = &'p str>, line_end: char) -> u64 {
    let ends = |piece: &str| memchr_iter(byte(line_end), piece.as_bytes()).count() as u64;
    pieces.into_iter().map(ends).sum()
}

/// The character that ends lines, which is one byte.
pub(super) fn byte(line_end: char) -> u8 {
    if line_end == '\n' { b'\n' } else { b'\r' }
}

/// How the bytes of a file make characters, as far as it takes to find the ends of lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Units {
    /// A byte of ASCII is that character wherever it stands.
    Bytes,
    /// Pairs of bytes.
    Pairs(fn([u8; 2]) -> u16),
}

impl Units {
    /// Behind the first character like this one from `from` on, which is the beginning of a unit.
    fn find(self, bytes: &[u8], from: usize, ascii: u8) -> Option<usize> {
        let tail = bytes.get(from..)?;
        let at = match self {
            Self::Bytes => memchr(ascii, tail)? + 1,
            Self::Pairs(unit) => {
                let mut pairs = tail.as_chunks::<2>().0.iter();
                2 * pairs.position(|pair| unit(*pair) == u16::from(ascii))? + 2
            }
        };
        Some(from + at)
    }

    /// Behind the last one.
    fn find_last(self, bytes: &[u8], ascii: u8) -> Option<usize> {
        match self {
            Self::Bytes => Some(memrchr(ascii, bytes)? + 1),
            Self::Pairs(unit) => {
                let mut pairs = bytes.as_chunks::<2>().0.iter();
                Some(2 * pairs.rposition(|pair| unit(*pair) == u16::from(ascii))? + 2)
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::sha256;

    /// A text as a file gives it.
    pub(crate) fn of(text: &str) -> Text {
        let (pieces, line_end) = Bytes::from(text.as_bytes().to_vec()).lines(Units::Bytes);
        let text = |piece| String::from_utf8(piece).unwrap().into();
        Text {
            pieces: pieces.into_iter().map(text).collect(),
            line_end,
        }
    }

    fn check(bytes: Bytes, all: &[u8], units: Units, end: &[u8]) -> usize {
        let (pieces, line_end) = bytes.lines(units);
        assert!(pieces.concat() == all);
        assert_eq!(byte(line_end), end[end.len() - 1].max(end[0]));
        let (_, whole) = pieces.split_last().unwrap();
        assert!(whole.iter().all(|piece| piece.ends_with(end)));
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        pieces.len()
    }

    #[test]
    fn pieces_are_all_of_a_file_and_end_with_lines_whether_it_was_read_or_unpacked() {
        let lines = |end: &str| format!("Zoë;Köln{end}").repeat(400_000);
        let pairs =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        let be = Units::Pairs(u16::from_be_bytes);
        for (all, units, end) in [
            (lines("\r\n").into_bytes(), Units::Bytes, b"\n".as_slice()),
            (lines("\r").into_bytes(), Units::Bytes, b"\r"),
            (pairs(&lines("\n")), be, b"\0\n"),
            (pairs(&(lines("\n") + "torn")), be, b"\0\n"),
        ] {
            let (read, hash) = Bytes::read(all.as_slice()).unwrap();
            assert_eq!(hash, sha256(&all));
            assert_eq!((read.len(), read.head().len()), (all.len(), PIECE));
            let unpacked = Bytes::from(all.clone());
            assert!(check(read, &all, units, end) > 3);
            assert!(check(unpacked, &all, units, end) > 2);
            let (read, _) = Bytes::read(all.as_slice()).unwrap();
            assert!(read.into_one() == all);
        }
    }

    #[test]
    fn a_file_without_line_ends_takes_no_more_memory_than_it_is_long() {
        let all = "b".repeat(PIECE * 20);
        for text in [all.clone(), format!("a\n{all}\nc\n{all}")] {
            let (read, _) = Bytes::read(text.as_bytes()).unwrap();
            let (pieces, _) = read.lines(Units::Bytes);
            assert!(pieces.concat() == text.as_bytes());
            let taken: usize = pieces.iter().map(Vec::capacity).sum();
            assert!(taken < 3 * text.len(), "{taken}");
            let (_, whole) = pieces.split_last().unwrap();
            assert!(whole.iter().all(|piece| piece.ends_with(b"\n")));
        }
        // Read as pairs it has no line either.
        let (read, _) = Bytes::read(all.as_bytes()).unwrap();
        let (pieces, _) = read.lines(Units::Pairs(u16::from_le_bytes));
        assert_eq!((pieces.len(), pieces[0].len()), (1, all.len()));
    }

    #[test]
    fn the_hash_is_that_of_all_bytes_wherever_the_file_ends() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 3] {
            let all: Vec<u8> = (0..=250).cycle().take(length).collect();
            let (read, hash) = Bytes::read(all.as_slice()).unwrap();
            assert_eq!((read.len(), hash), (length, sha256(&all)));
            assert!(read.into_one() == all);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_are_none_is_lost_and_none_torn(
            all in proptest::collection::vec(proptest::sample::select(b"a\0\r\n\xFC".to_vec()), 0..60),
            length in 1..20usize,
            be in any::<bool>(),
        ) {
            let pairs = Units::Pairs(if be { u16::from_be_bytes } else { u16::from_le_bytes });
            let length = length * 2;
            let blocks = || all.chunks(length).map(<[u8]>::to_vec).collect();
            for units in [Units::Bytes, pairs] {
                for bytes in [Bytes::from(all.clone()), Bytes { blocks: blocks() }] {
                    let (pieces, line_end) = bytes.lines_of(units, length);
                    prop_assert_eq!(pieces.concat(), all.clone());
                    prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
                    let Some((_, whole)) = pieces.split_last() else { continue };
                    prop_assert!(whole.iter().all(|piece| units.find_last(piece, byte(line_end)) == Some(piece.len())));
                    if let Units::Pairs(_) = units {
                        prop_assert!(whole.iter().all(|piece| piece.len().is_multiple_of(2)));
                    }
                }
            }
        }
    }
}
