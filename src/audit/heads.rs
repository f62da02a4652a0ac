//! Whether the log ends where it should, and holds the lines whose heads somebody has kept.
//!
//! What the log cannot show by itself is that its end was cut, for a shorter chain is a good chain; only a head that was kept elsewhere shows that. Whoever can write to the log and to the store can
//! rewrite both, and then only a head outside of this machine does. A head of a line that is rightly gone, by age or because a backup was restored, says neither that the log was cut nor that
//! it was not: that is told as what it is.

use super::breaks::{Kind, NotCompared, Why};
use super::chain::of_hex;
use super::check::Check;
use super::line::{Ends, Head};

impl Check {
    pub(super) fn compare_end(&mut self, file: &str, last: &Head, ends: &Ends) {
        let heads = &ends.heads;
        let (Some(early), Some(late)) = (heads.first(), heads.last()) else {
            return;
        };
        self.done.compared = true;
        let place = self.places;
        // Behind a damaged file there is nothing, which is told already.
        if heads.contains(last) || self.behind.is_some() {
            return;
        }
        let kind = if last.seq < early.seq {
            Kind::EndMissing {
                last: last.seq,
                expected: early.seq,
            }
        } else if last.seq > late.seq {
            Kind::StoreBehind {
                last: last.seq,
                store: late.seq,
            }
        } else {
            Kind::OtherEnd { seq: last.seq }
        };
        self.broken(file, place, kind);
    }

    pub(super) fn compare_heads(&mut self, file: &str, last: &Head, heads: &[Head]) {
        for Head { seq: head, hash } in heads {
            let head = *head;
            let wanted = of_hex(hash.as_bytes());
            let mut found = self.heads.iter().filter(|(seq, _)| *seq == head);
            let is_there = found.clone().any(|(_, hash)| Some(*hash) == wanted);
            let is_another = found.next().is_some();
            let removed = self.done.removed.iter().find(|one| one.last == head);
            if is_there || removed.is_some_and(|one| one.last_hash == *hash) {
                continue;
            }
            let is_gone = !is_another && removed.is_none() && head < self.done.first;
            let damaged = self
                .damaged
                .iter()
                .find(|(_, first, last)| !is_another && (first..=last).contains(&&head));
            let restore = self.done.restored.iter().find(|one| one.replaced(head));
            let why = if let Some((file, ..)) = damaged {
                Why::Damaged { file: file.clone() }
            } else if let Some(restore) = restore {
                Why::Replaced {
                    restored: restore.line,
                    time: restore.time.clone(),
                    up_to: restore.up_to,
                }
            } else if is_gone {
                Why::RemovedByAge {
                    up_to: self.done.first - 1,
                }
            } else if head > last.seq {
                let last = last.seq;
                self.broken(file, self.places, Kind::ShorterThan { last, head });
                continue;
            } else {
                self.broken(file, 0, Kind::OtherThan { head });
                continue;
            };
            self.done.not_compared.push(NotCompared { head, why });
        }
    }
}
