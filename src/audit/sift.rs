//! What one block of a log has to say to whoever checks the chain: where it begins and ends, and what breaks inside. Blocks are sifted on several threads, so a block knows
//! nothing of the one before.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, mpsc};

use serde_json::Value;

use super::blocks::Blocks;
use super::chain::{Hash, Kept, Link, event_of};
use super::person::named;
use crate::digest::sha256;

/// One line, as the next needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) prev: Option<Hash>,
    pub(super) hash: Hash,
    /// Which line of its block, and later of its file; from 1.
    pub(super) place: u64,
}

/// Something that cannot be right within a block.
#[derive(Debug)]
pub(super) enum Odd {
    /// No line of a log; perhaps torn by a crash, just now where it is the last and has no end.
    Nonsense {
        place: u64,
        sha256: String,
        is_open: bool,
    },
    /// Nothing stands there.
    Blank { place: u64 },
    /// The line does not follow the one before it.
    Joint { before: Mark, after: Mark },
    /// Its values are not those that were committed to.
    Forged { place: u64, seq: u64 },
}

/// What is in a block.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    /// How many line ends.
    pub(super) lines: u64,
    pub(super) first: Option<Mark>,
    pub(super) last: Option<Mark>,
    pub(super) odd: Vec<Odd>,
    /// Lines without values that they once had, by the hrIds that they name: the first, how many, the last.
    pub(super) redacted: BTreeMap<Vec<String>, (u64, u64, u64)>,
    /// Lines that tell of what was done to the log.
    pub(super) told: Vec<Value>,
    /// The hashes of lines that were asked for.
    pub(super) wanted: Vec<(u64, Hash)>,
}

/// Events that tell of what was done to the log.
const ABOUT_THE_LOG: [&[u8]; 4] = [
    b"torn_line_sealed",
    b"old_lines_removed",
    b"forgotten",
    b"restored",
];

/// Whether a line tells of what was done to the log, or is written so that only reading it would say.
pub(super) fn is_about_the_log(line: &[u8]) -> bool {
    event_of(line).is_none_or(|event| ABOUT_THE_LOG.contains(&event))
}

/// Sifts a block of whole lines.
pub(super) fn sift(block: &[u8], wanted: &[u64]) -> Sifted {
    let mut sifted = Sifted::default();
    let mut rest = block;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, is_open) = (&rest[..end], end == rest.len());
        rest = rest.get(end + 1..).unwrap_or_default();
        sifted.lines += 1;
        sifted.line(line, is_open, wanted);
    }
    sifted
}

/// Sifts the blocks of one file on as many threads as the machine has, and takes what they found in order.
pub(super) fn sift_all(
    mut blocks: Blocks,
    wanted: &[u64],
    mut each: impl FnMut(Sifted),
) -> io::Result<()> {
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(4);
    let (send, receive) = mpsc::sync_channel::<(u64, Vec<u8>)>(threads);
    let receive = Mutex::new(receive);
    let (give, take) = mpsc::channel::<(u64, Sifted, Vec<u8>)>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (receive, give) = (&receive, give.clone());
            scope.spawn(move || {
                loop {
                    let next = receive
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .recv();
                    let Ok((number, block)) = next else { return };
                    if give.send((number, sift(&block, wanted), block)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(give);
        let mut waiting = BTreeMap::new();
        let mut spare: Vec<Vec<u8>> = Vec::new();
        let (mut number, mut taken) = (0, 0);
        let read = loop {
            match blocks.advance() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            let mut block = spare.pop().unwrap_or_default();
            block.clear();
            block.extend_from_slice(blocks.block());
            // The channel holds back whoever reads faster than the others sift.
            let _ = send.send((number, block));
            number += 1;
            for (of, sifted, block) in take.try_iter() {
                waiting.insert(of, sifted);
                spare.push(block);
            }
            while let Some(sifted) = waiting.remove(&taken) {
                each(sifted);
                taken += 1;
            }
        };
        drop(send);
        for (number, sifted, _) in take {
            waiting.insert(number, sifted);
        }
        for (_, sifted) in waiting {
            each(sifted);
        }
        read
    })
}

impl Sifted {
    fn line(&mut self, line: &[u8], is_open: bool, wanted: &[u64]) {
        let place = self.lines;
        let Some(read) = Link::of(line) else {
            // An empty line tells nothing and hides nothing, but nobody has written it here.
            self.odd.push(if line.is_empty() {
                Odd::Blank { place }
            } else {
                Odd::Nonsense {
                    place,
                    sha256: sha256(line),
                    is_open,
                }
            });
            return;
        };
        let mark = Mark {
            seq: read.seq,
            prev: read.prev,
            hash: read.hash(),
            place,
        };
        if let Some(before) = self.last
            && !follows(&before, &mark)
        {
            self.odd.push(Odd::Joint {
                before,
                after: mark,
            });
        }
        match read.kept() {
            Kept::Whole => {}
            Kept::Forged => self.odd.push(Odd::Forged {
                place,
                seq: mark.seq,
            }),
            Kept::Redacted => self.redacted(line, &mark),
        }
        if wanted.contains(&mark.seq) {
            self.wanted.push((mark.seq, mark.hash));
        }
        if is_about_the_log(line) {
            self.told.extend(serde_json::from_slice::<Value>(line).ok());
        }
        self.first.get_or_insert(mark);
        self.last = Some(mark);
    }

    fn redacted(&mut self, line: &[u8], mark: &Mark) {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let people = named(&line).into_iter().map(str::to_owned).collect();
        let known = self.redacted.entry(people);
        let (_, count, last) = known.or_insert((mark.seq, 0, mark.seq));
        *count += 1;
        *last = mark.seq;
    }
}

/// Whether a line is the next after another.
pub(super) fn follows(before: &Mark, after: &Mark) -> bool {
    after.seq == before.seq + 1 && after.prev == Some(before.hash)
}
