//! Whether the log is what was written: the chain over all files, the records of what was removed or redacted on purpose, and the head that the store or somebody else has kept.
//!
//! A break does not end the check: the chain is taken up behind it, so that one changed byte is told as one break. What the log cannot show by itself is that its end was cut, for a shorter chain is a
//! good chain; only a head that was kept elsewhere shows that. Whoever can write to the log and to the store can rewrite both, and then only a head outside of this machine does.

use std::collections::{BTreeMap, HashSet};
use std::io;

use serde_json::Value;

use super::blocks::Blocks;
use super::breaks::{Break, Kind, Removed, Verified};
use super::chain::{Hash, of_hex, to_hex};
use super::file::AuditFile;
use super::files::{Look, Rotated, name_of};
use super::line::Head;
use super::sift::{Mark, Odd, Sifted, follows, sift_all};

/// More breaks than this are counted only.
const MOST: usize = 50;

/// With what the end of the log is compared.
#[derive(Debug, Default)]
pub struct Against {
    /// Where the file may end according to the store, oldest first; empty without a store.
    pub ends: Vec<Head>,
    /// Heads that somebody has kept.
    pub heads: Vec<Head>,
}

/// Checks all of a log as it was when it was looked at.
///
/// # Errors
/// A file cannot be opened or read. One that is damaged inside is a break.
pub fn verify(look: Look, against: &Against) -> io::Result<Verified> {
    let wanted: Vec<u64> = against.heads.iter().map(|head| head.seq).collect();
    let name = name_of(&look.path);
    let mut check = Check::default();
    for rotated in &look.rotated {
        check.begin(rotated.name(), Some(rotated));
        let from = rotated.open()?;
        let read = sift_all(Blocks::new(from), &wanted, |sifted| check.take(sifted));
        check.ended(read, rotated.packed)?;
    }
    if let Some((file, length)) = look.current {
        check.begin(name.clone(), None);
        let from = Box::new(io::Read::take(file, length));
        let read = sift_all(Blocks::new(from), &wanted, |sifted| check.take(sifted));
        check.ended(read, false)?;
    }
    Ok(check.over(&name, against))
}

/// A check in progress.
#[derive(Default)]
struct Check {
    done: Verified,
    file: String,
    /// Lines of the current file so far.
    places: u64,
    /// The first of the current file and what its name promises.
    first_here: Option<u64>,
    named: Option<(u64, u64)>,
    first: Option<Mark>,
    last: Option<Mark>,
    /// The file of the first line.
    first_file: String,
    nonsense: Vec<(String, u64, String)>,
    /// File and number of the first line, how many, and the number of the last, by hrId.
    redacted: BTreeMap<String, (String, u64, u64, u64)>,
    told: Vec<Value>,
    heads: Vec<(u64, Hash)>,
}

impl Check {
    fn begin(&mut self, file: String, rotated: Option<&Rotated>) {
        self.done.files += 1;
        self.file = file;
        self.places = 0;
        self.first_here = None;
        self.named = rotated.map(|rotated| (rotated.first, rotated.last));
    }

    fn broken(&mut self, file: &str, line: u64, kind: Kind) {
        if self.done.breaks.len() < MOST {
            self.done.breaks.push(Break {
                file: file.to_owned(),
                line,
                kind,
            });
        } else {
            self.done.more += 1;
        }
    }

    /// Takes what was found in the next block.
    fn take(&mut self, sifted: Sifted) {
        let file = self.file.clone();
        let before = self.places;
        let moved = |mut mark: Mark| {
            mark.place += before;
            mark
        };
        if let (Some(last), Some(first)) = (self.last, sifted.first.map(moved))
            && !follows(&last, &first)
        {
            self.joint(&last, &first);
        }
        for odd in sifted.odd {
            match odd {
                Odd::Nonsense { place, sha256 } => {
                    self.nonsense.push((file.clone(), place + before, sha256));
                }
                Odd::Joint { before, after } => self.joint(&moved(before), &moved(after)),
                Odd::Forged { place, seq } => {
                    self.broken(&file, place + before, Kind::ValuesForged { seq });
                }
            }
        }
        for (hr_id, (seq, count, last)) in sifted.redacted {
            let known = self.redacted.entry(hr_id);
            let known = known.or_insert_with(|| (file.clone(), seq, 0, last));
            known.2 += count;
            known.3 = known.3.max(last);
        }
        self.told.extend(sifted.told);
        self.heads.extend(sifted.wanted);
        if let Some(first) = sifted.first.map(moved) {
            self.first_here.get_or_insert(first.seq);
            if self.first.is_none() {
                self.first = Some(first);
                self.first_file.clone_from(&file);
            }
        }
        if let Some(last) = sifted.last.map(moved) {
            self.last = Some(last);
        }
        self.places += sifted.lines;
        self.done.lines += sifted.lines;
    }

    /// Tells of two lines that do not belong behind each other.
    fn joint(&mut self, before: &Mark, after: &Mark) {
        let file = self.file.clone();
        let (line, first_of_file) = (after.place, self.first_here.is_none() && after.place == 1);
        let kind = if after.seq == before.seq + 1 {
            Kind::Changed { seq: before.seq }
        } else if after.seq > before.seq {
            let (from, to) = (before.seq + 1, after.seq - 1);
            if first_of_file {
                Kind::FileMissing { from, to }
            } else {
                Kind::LinesMissing { from, to }
            }
        } else {
            // A line that was missed just now stands here.
            if let Some(Break {
                kind: kind @ Kind::LinesMissing { .. },
                ..
            }) = self.done.breaks.last_mut()
                && let Kind::LinesMissing { from, to } = *kind
                && (from..=to).contains(&after.seq)
            {
                *kind = Kind::Swapped { seq: after.seq };
                return;
            }
            Kind::OutOfOrder {
                seq: after.seq,
                after: before.seq,
            }
        };
        // Behind swapped lines the order is as it was.
        if let (
            Kind::LinesMissing { from, .. },
            Some(Break {
                kind: Kind::Swapped { seq },
                ..
            }),
        ) = (&kind, self.done.breaks.last())
            && *from == seq + 1
            && before.seq == *seq
        {
            return;
        }
        self.broken(&file, line, kind);
    }

    /// The end of a file.
    fn ended(&mut self, read: io::Result<()>, packed: bool) -> io::Result<()> {
        let file = self.file.clone();
        if let Err(error) = read {
            if !packed {
                return Err(io::Error::new(error.kind(), format!("{file}: {error}")));
            }
            let line = self.places + 1;
            self.broken(
                &file,
                line,
                Kind::Unreadable {
                    cause: error.to_string(),
                },
            );
            return Ok(());
        }
        if let Some(named) = self.named {
            let here = self
                .first_here
                .map(|first| (first, self.last.map_or(first, |last| last.seq)));
            if here != Some(named) {
                let (first, last) = here.unwrap_or_default();
                self.broken(&file, 0, Kind::WrongName { first, last });
            }
        }
        Ok(())
    }

    /// What only shows when all of it was read.
    fn over(mut self, current: &str, against: &Against) -> Verified {
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let all = std::mem::take(&mut self.told);
        let of = |event: &str| {
            all.iter()
                .filter(|line| line["event"] == event)
                .cloned()
                .collect::<Vec<_>>()
        };
        self.done.removed = of("old_lines_removed")
            .iter()
            .map(|line| Removed {
                time: text(line, "time"),
                first: line["first"].as_u64().unwrap_or_default(),
                last: line["last"].as_u64().unwrap_or_default(),
                last_hash: text(line, "lastHash"),
            })
            .collect();
        let sealed: HashSet<String> = of("torn_line_sealed")
            .iter()
            .map(|line| text(line, "sha256"))
            .collect();
        for (file, line, sha256) in std::mem::take(&mut self.nonsense) {
            if sealed.contains(&sha256) {
                self.done.torn += 1;
            } else {
                self.broken(&file, line, Kind::NotALine);
            }
        }
        // What was written of somebody after they were forgotten last has its values.
        let mut forgotten: BTreeMap<String, u64> = BTreeMap::new();
        for line in of("forgotten") {
            let seq = line["seq"].as_u64().unwrap_or_default();
            let hr_ids = line["hrIds"].as_array().cloned().unwrap_or_default();
            for hr_id in hr_ids.iter().filter_map(Value::as_str) {
                let last = forgotten.entry(hr_id.to_owned()).or_default();
                *last = seq.max(*last);
            }
        }
        for (hr_id, (file, seq, lines, last)) in std::mem::take(&mut self.redacted) {
            self.done.redacted += lines;
            if forgotten
                .get(&hr_id)
                .is_none_or(|forgotten| *forgotten < last)
            {
                let people = if hr_id.is_empty() {
                    String::new()
                } else {
                    format!(" of {hr_id}")
                };
                self.broken(&file, 0, Kind::ValuesRemoved { seq, people, lines });
            }
        }
        if let Some(first) = self.first {
            let is_begin = first.seq == 1 && first.prev.is_none();
            let removed = |removed: &Removed| {
                removed.last + 1 == first.seq && of_hex(removed.last_hash.as_bytes()) == first.prev
            };
            if !is_begin && !self.done.removed.iter().any(removed) {
                let file = self.first_file.clone();
                self.broken(
                    &file,
                    first.place,
                    Kind::BeginningMissing { first: first.seq },
                );
            }
            self.done.first = first.seq;
        }
        let last = self.last.map_or(
            Head {
                seq: 0,
                hash: String::new(),
            },
            |last| Head {
                seq: last.seq,
                hash: String::from_utf8_lossy(&to_hex(&last.hash)).into_owned(),
            },
        );
        self.done.last = last.seq;
        self.done.hash.clone_from(&last.hash);
        self.compare_end(current, &last, &against.ends);
        self.compare_heads(current, &last, &against.heads);
        self.done
    }

    fn compare_end(&mut self, file: &str, last: &Head, ends: &[Head]) {
        let (Some(early), Some(late)) = (ends.first(), ends.last()) else {
            return;
        };
        self.done.compared = true;
        let place = self.places;
        if ends.contains(last) {
        } else if last.seq < early.seq {
            self.broken(
                file,
                place,
                Kind::EndMissing {
                    last: last.seq,
                    expected: early.seq,
                },
            );
        } else if last.seq > late.seq {
            self.broken(
                file,
                place,
                Kind::StoreBehind {
                    last: last.seq,
                    store: late.seq,
                },
            );
        } else {
            self.broken(file, place, Kind::OtherEnd { seq: last.seq });
        }
    }

    fn compare_heads(&mut self, file: &str, last: &Head, heads: &[Head]) {
        for Head { seq, hash } in heads {
            let head = *seq;
            let found: Vec<Hash> = self
                .heads
                .iter()
                .filter(|(seq, _)| *seq == head)
                .map(|(_, hash)| *hash)
                .collect();
            let wanted = of_hex(hash.as_bytes());
            let removed = self
                .done
                .removed
                .iter()
                .find(|removed| removed.last == head)
                .map(|removed| removed.last_hash.clone());
            if found.iter().any(|hash| Some(*hash) == wanted) || removed.as_ref() == Some(hash) {
            } else if head > last.seq {
                self.broken(
                    file,
                    self.places,
                    Kind::ShorterThan {
                        last: last.seq,
                        head,
                    },
                );
            } else if found.is_empty() && removed.is_none() && head < self.done.first {
                self.broken(
                    file,
                    0,
                    Kind::NotThere {
                        head,
                        removed: self.done.first - 1,
                    },
                );
            } else {
                self.broken(file, 0, Kind::OtherThan { head });
            }
        }
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
        ends: impl FnOnce() -> Result<Vec<Head>, E>,
    ) -> io::Result<Result<Verified, E>> {
        let (look, ends) = self.look_and(ends)?;
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => return Ok(Err(error)),
        };
        verify(look, &Against { ends, heads }).map(Ok)
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
