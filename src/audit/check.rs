//! A check of the log in progress: what it has seen of the chain, and what it makes of it once all was read.
//!
//! It takes what was sifted from one block after another. The chain is taken up behind a break, and behind a damaged file, whose lines are one finding however many they were.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use serde_json::Value;

use super::breaks::{Break, Kind, Remark, Removed, Restore, Unusual, Verified};
use super::chain::{Hash, of_hex, to_hex};
use super::files::Rotated;
use super::line::Head;
use super::sift::{Mark, Odd, Sifted, follows};
use super::verify::Against;

/// More breaks than this are counted only, and more remarks are not told.
const MOST: usize = 50;

/// A check in progress.
#[derive(Default)]
pub(super) struct Check {
    pub(super) done: Verified,
    file: String,
    /// Lines of the current file so far.
    pub(super) places: u64,
    /// The first of the current file and what its name promises.
    first_here: Option<u64>,
    named: Option<(u64, u64)>,
    first: Option<Mark>,
    pub(super) last: Option<Mark>,
    /// The file of the first line.
    first_file: String,
    /// How many breaks and how much nonsense there was before the current file.
    before: (usize, usize, usize),
    /// What the name of the file in front of the place promises, where that file is damaged.
    pub(super) behind: Option<(u64, u64)>,
    /// The same of the first file, where nothing of it could be read.
    unread: Option<(u64, u64)>,
    /// Damaged files, and what their names promise.
    pub(super) damaged: Vec<(String, u64, u64)>,
    /// Rotated files that are not packed.
    plain: Vec<String>,
    nonsense: Vec<Nonsense>,
    /// File and number of the first line, how many, and the number of the last, by the hrIds that they name.
    redacted: BTreeMap<Vec<String>, (String, u64, u64, u64)>,
    told: Vec<Value>,
    pub(super) heads: Vec<(u64, Hash)>,
}

/// What is no line of a log.
struct Nonsense {
    file: String,
    line: u64,
    sha256: String,
    is_open: bool,
}

impl Check {
    pub(super) fn begin(&mut self, file: String, rotated: Option<&Rotated>) {
        self.done.files += 1;
        self.file = file;
        self.places = 0;
        self.first_here = None;
        self.named = rotated.map(|rotated| (rotated.first, rotated.last));
        self.before = (self.done.breaks.len(), self.done.more, self.nonsense.len());
    }

    fn remark(&mut self, file: &str, line: u64, kind: Unusual) {
        if self.done.remarks.len() < MOST {
            self.done.remarks.push(Remark {
                file: file.to_owned(),
                line,
                kind,
            });
        }
    }

    /// Files are packed in their order, so a packed one says that those before it should be, too.
    pub(super) fn listed(&mut self, packed: bool) {
        if !packed {
            self.plain.push(self.file.clone());
            return;
        }
        for plain in std::mem::take(&mut self.plain) {
            self.remark(&plain, 0, Unusual::NotPacked);
        }
    }

    /// Looks at the beginning of a packed file, by which this program's own are known.
    pub(super) fn packed(&mut self, mut file: &File) -> io::Result<()> {
        let mut begin = Vec::new();
        file.take(10).read_to_end(&mut begin)?;
        file.rewind()?;
        // No name, no time, no system (RFC 1952); how hard it was packed is left open.
        let is_ours = matches!(begin[..], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, _, 0xff]);
        // What is no gzip at all is told when it is read.
        if !is_ours && begin.starts_with(&[0x1f, 0x8b, 8]) {
            let file = self.file.clone();
            self.remark(&file, 0, Unusual::PackedByAnother);
        }
        Ok(())
    }

    pub(super) fn broken(&mut self, file: &str, line: u64, kind: Kind) {
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
    pub(super) fn take(&mut self, sifted: Sifted) {
        let file = self.file.clone();
        let before = self.places;
        let moved = |mut mark: Mark| {
            mark.place += before;
            mark
        };
        if let Some(first) = sifted.first.map(moved) {
            match (self.last, self.behind.take()) {
                (Some(last), _) if !follows(&last, &first) => self.joint(&last, &first),
                (_, Some((_, end))) => self.behind_damage(end, &first),
                _ => {}
            }
        }
        for odd in sifted.odd {
            match odd {
                Odd::Nonsense {
                    place,
                    sha256,
                    is_open,
                } => self.nonsense.push(Nonsense {
                    file: file.clone(),
                    line: place + before,
                    sha256,
                    is_open,
                }),
                Odd::Blank { place } => self.remark(&file, place + before, Unusual::BlankLine),
                Odd::Joint { before, after } => self.joint(&moved(before), &moved(after)),
                Odd::Forged { place, seq } => {
                    self.broken(&file, place + before, Kind::ValuesForged { seq });
                }
            }
        }
        for (hr_ids, (seq, count, last)) in sifted.redacted {
            let known = self.redacted.entry(hr_ids);
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

    /// The chain is taken up behind a damaged file: all that can be compared is the number.
    fn behind_damage(&mut self, end: u64, first: &Mark) {
        let file = self.file.clone();
        if first.seq > end + 1 {
            let (from, to) = (end + 1, first.seq - 1);
            self.broken(&file, first.place, Kind::FileMissing { from, to });
        } else if first.seq <= end {
            let (seq, after) = (first.seq, end);
            self.broken(&file, first.place, Kind::OutOfOrder { seq, after });
        }
    }

    /// A damaged file is one break, whatever nonsense it has become; where it begins is told as the line.
    fn unreadable(&mut self, cause: String) {
        let file = self.file.clone();
        let (breaks, more, nonsense) = self.before;
        let found = self.done.breaks.split_off(breaks);
        self.done.more = more;
        let odd = self.nonsense.drain(nonsense..).map(|odd| odd.line);
        let odd = odd.chain(found.iter().map(|found| found.line)).min();
        let line = odd.unwrap_or(self.places + 1);
        // What is missing in front of it is missing.
        let missing = found
            .into_iter()
            .filter(|found| matches!(found.kind, Kind::FileMissing { .. }));
        self.done.breaks.extend(missing);
        self.broken(&file, line, Kind::Unreadable { cause });
        if let Some((first, last)) = self.named {
            self.damaged.push((file, first, last));
        }
        if self.first.is_none() && self.unread.is_none() {
            self.unread = self.named;
        }
        self.behind = self.named;
        self.last = None;
    }

    /// The end of a file.
    pub(super) fn ended(&mut self, read: io::Result<()>, packed: bool) -> io::Result<()> {
        let file = self.file.clone();
        if let Err(error) = read {
            if !packed {
                return Err(io::Error::new(error.kind(), format!("{file}: {error}")));
            }
            self.unreadable(error.to_string());
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
    pub(super) fn over(mut self, current: &str, against: &Against) -> Verified {
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let mut all = std::mem::take(&mut self.told);
        all.extend_from_slice(&against.ends.told);
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
        self.done.restored = of("restored").iter().map(restore).collect();
        let sealed: HashSet<String> = of("torn_line_sealed")
            .iter()
            .map(|line| text(line, "sha256"))
            .collect();
        for odd in std::mem::take(&mut self.nonsense) {
            if sealed.contains(&odd.sha256) {
                self.done.torn += 1;
            } else if odd.is_open && odd.file == current {
                self.remark(&odd.file, odd.line, Unusual::TornEnd);
            } else {
                self.broken(&odd.file, odd.line, Kind::NotALine);
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
        for (hr_ids, (file, seq, lines, last)) in std::mem::take(&mut self.redacted) {
            self.done.redacted += lines;
            // The values of a line that names several go with the first of them.
            let asked = |hr_id: &String| forgotten.get(hr_id).is_some_and(|seq| *seq >= last);
            if !hr_ids.iter().any(asked) {
                let people = match hr_ids[..] {
                    [] => String::new(),
                    _ => format!(" of {}", hr_ids.join(", ")),
                };
                self.broken(&file, 0, Kind::ValuesRemoved { seq, people, lines });
            }
        }
        self.compare_begin();
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

    fn compare_begin(&mut self) {
        let removed = &self.done.removed;
        let (first, place, is_right) = match (self.unread, self.first) {
            // Of a damaged file only the name can be compared.
            (Some((first, _)), _) => {
                let is_right = first == 1 || removed.iter().any(|one| one.last + 1 == first);
                (first, 0, is_right)
            }
            (None, Some(first)) => {
                let is_begin = first.seq == 1 && first.prev.is_none();
                let is_next = |one: &Removed| {
                    one.last + 1 == first.seq && of_hex(one.last_hash.as_bytes()) == first.prev
                };
                let is_right = is_begin || removed.iter().any(is_next);
                (first.seq, first.place, is_right)
            }
            (None, None) => return,
        };
        self.done.first = first;
        if !is_right {
            let file = self.first_file.clone();
            self.broken(&file, place, Kind::BeginningMissing { first });
        }
    }
}

/// A restore, as its line tells it.
fn restore(line: &Value) -> Restore {
    let seq = line["seq"].as_u64().unwrap_or_default();
    Restore {
        line: seq,
        time: line["time"].as_str().unwrap_or_default().to_owned(),
        up_to: line["replacedUpTo"].as_u64().filter(|up_to| *up_to >= seq),
    }
}
