//! From the rows of all sources to the roster: one entry a person, and for everyone who is not in it the reason why.
//!
//! The order is the one that keeps people in: selection comes first; a readable passed termination date counts whatever else is wrong in its row; ended
//! rows yield to a current row of the same hrId; only then are duplicates sought among what remains. A row that makes no sense is not a person who left.
//!
//! A delivery is fresh, or frozen where its source failed and its last good roster stands in. Among rows that say somebody is there, a fresh one counts
//! before a frozen one, even if it is wrong: then the person keeps the acknowledged values. But a frozen row that says somebody is there outdoes a fresh
//! one by which they left, for they may have moved to the source that cannot be read.

mod alike;
mod doubt;

use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::NaiveDate;

pub(crate) use alike::all_differ;

use super::employee::{Employee, Field, HrId, ValueHash, has_ended};
use super::hashed::Hashed;
use super::mapping::{Row, Unselected, Wrong};
use super::rare::Rare;
use super::rejection::{Rejected, Rejection};

/// Who is taken by date.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// "Today" in the configured zone.
    pub today: NaiveDate,
    /// New people are taken so many days before their first day.
    pub starters_days_ahead: u32,
    /// People stay so many days after their last day.
    pub leavers_days_kept: u32,
}

/// The rows of one source.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Those that are meant.
    pub rows: Vec<Row>,
    /// People of whom there is a row that is not meant, with the rule that says so.
    pub unselected: HashMap<HrId, Unselected>,
    /// Whether the source failed, and these are the rows of its last good roster, selected by the rules of then.
    pub frozen: bool,
    /// What stands before every hrId of the source.
    pub id_prefix: String,
}

/// An unknown person without a value that JobTicket needs, such as a trainee who has no e-mail yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// Whose.
    pub hr_id: HrId,
    /// Which source, by its position.
    pub source: usize,
    /// Which line of its file.
    pub line: u64,
    /// What is missing.
    pub field: Field,
}

/// One person of the roster.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The values. As large as those of a row, so that rows become entries in place.
    employee: Hashed,
    /// Which source, by its position; see [`source`](Self::source).
    source: u32,
    /// Which line of its file; 0 for values that are carried forward.
    pub line: u64,
    /// Whether the source delivered the row now, so that today's rules selected it; otherwise it is frozen or carried forward.
    pub fresh: bool,
}

impl Entry {
    /// A row, or values that are carried forward, of the source at this position.
    pub fn new(employee: impl Into<Hashed>, source: usize, line: u64, fresh: bool) -> Self {
        Self {
            employee: employee.into(),
            source: u32::try_from(source).expect("a configuration has fewer sources"),
            line,
            fresh,
        }
    }

    /// The values.
    pub fn employee(&self) -> &Employee {
        &self.employee
    }

    /// Their hash.
    pub fn hash(&self) -> ValueHash {
        self.employee.hash()
    }

    /// That of the e-mail alone.
    pub(crate) fn email_hash(&self) -> u64 {
        self.employee.email_hash()
    }

    /// Gives the person other values.
    pub(crate) fn set_employee(&mut self, employee: Employee) {
        self.employee = employee.into();
    }

    /// Which source, by its position.
    pub fn source(&self) -> usize {
        self.source as usize
    }
}

/// The end of somebody's employment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The last day of it.
    pub last_day: NaiveDate,
    /// Whether that day lies so long ago that it does not explain itself: who was still in the snapshot should have left then.
    pub late: bool,
    /// Whose row says so, by the position of the source; of several rows, that with the latest last day.
    pub source: usize,
}

impl Ended {
    fn on(last_day: NaiveDate, source: usize, selection: Selection) -> Self {
        let mut ended = Self {
            last_day,
            late: false,
            source,
        };
        ended.late = ended.was_late(selection.today, selection.leavers_days_kept);
        ended
    }

    /// Whether a day on which the end was told lies too long after it.
    pub fn was_late(&self, told: NaiveDate, days_kept: u32) -> bool {
        (told - self.last_day).num_days() - i64::from(days_kept) > TIMELY_DAYS
    }
}

/// An end is told in time within so many days. Ours: payroll closes a month or two late; a column that means something else lies years back.
const TIMELY_DAYS: i64 = 62;

/// What the rows of all sources add up to.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The valid people, sorted by hrId.
    pub entries: Vec<Entry>,
    /// People whose employment has ended.
    pub ended: HashMap<HrId, Ended>,
    /// People of whom there is only a row that is not meant, with the rule that says so.
    pub unselected: HashMap<HrId, Unselected>,
    /// Rows that cannot be used.
    pub rejected: Vec<Rejected>,
    /// Unknown people who cannot be sent yet.
    pub incomplete: Vec<Incomplete>,
    /// How many unknown people start too far ahead.
    pub too_early: usize,
}

impl Assembly {
    fn sort_rejected(&mut self) {
        self.rejected
            .sort_by(|a, b| (a.source, a.line, &a.hr_id).cmp(&(b.source, b.line, &b.hr_id)));
    }
}

/// The fields without which JobTicket is taken to refuse a person ("treat firstName, lastName, email, hrId as required").
pub const REQUIRED: [Field; 4] = [Field::HrId, Field::FirstName, Field::LastName, Field::Email];

/// Puts the rows of all sources together. `known` tells whether JobTicket has acknowledged a person.
pub fn assemble(
    deliveries: Vec<Delivery>,
    selection: Selection,
    known: impl Fn(&HrId) -> bool,
) -> Assembly {
    let mut result = Assembly::default();
    let mut candidates: Vec<Entry> = Vec::new();
    let mut wrong: HashMap<(usize, u64), Rare<(Field, Wrong)>> = HashMap::new();
    let mut unclear = Vec::new();
    let mut prefixes = Vec::new();
    for (source, delivery) in deliveries.into_iter().enumerate() {
        let fresh = !delivery.frozen;
        prefixes.push(delivery.id_prefix);
        for (hr_id, why) in delivery.unselected {
            match why {
                Unselected::Unclear { column, line, end } => {
                    unclear.push(doubt::Unclear {
                        hr_id,
                        source,
                        column,
                        line,
                        end,
                    });
                }
                why if fresh => {
                    result.unselected.insert(hr_id, why);
                }
                why => {
                    result.unselected.entry(hr_id).or_insert(why);
                }
            }
        }
        let entries = delivery.rows.into_iter().map(|row| {
            if !row.wrong.is_empty() {
                wrong.insert((source, row.line), row.wrong);
            }
            Entry::new(row.employee, source, row.line, fresh)
        });
        // The rows of a first or only source become entries in place: no second roster in memory.
        if candidates.is_empty() {
            candidates = entries.collect();
        } else {
            candidates.extend(entries);
        }
    }
    sort(&mut candidates);
    let mut keep = Vec::with_capacity(candidates.len());
    for group in candidates.chunk_by(|a, b| a.employee.hr_id == b.employee.hr_id) {
        let reasons = |entry: &Entry| {
            wrong
                .get(&(entry.source(), entry.line))
                .map_or(&[][..], |wrong| wrong)
        };
        let kept = one_of(group, reasons, selection, &known, &mut result);
        keep.extend((0..group.len()).map(|position| Some(position) == kept));
    }
    let mut keep = keep.into_iter();
    candidates.retain(|_| keep.next().unwrap_or(false));
    alike::reject(&mut candidates, &prefixes, &known, &mut result);
    result.entries = candidates;
    doubt::reject_unclear(unclear, selection, &known, &mut result);
    result.sort_rejected();
    // Who has a current row has not been left out by another row.
    let entries = &result.entries;
    let has_entry = |hr_id: &HrId| {
        let found = entries.binary_search_by(|entry| entry.employee.hr_id.cmp(hr_id));
        found.is_ok()
    };
    result.unselected.retain(|hr_id, _| !has_entry(hr_id));
    result
}

/// Sorts by hrId, and rows of the same one by source and line. Entries are large, so that their order is found first, by the beginnings of their hrIds.
fn sort(entries: &mut [Entry]) {
    let start = |entry: &Entry| entry.employee.hr_id.start();
    let mut order: Vec<(u64, usize)> = entries.iter().map(start).zip(0..).collect();
    // No two rows have one source and line, so the order does not depend on the sort being stable.
    order.sort_unstable_by(|(start, one), (other_start, other)| {
        let whole = |place: &usize| {
            let entry = &entries[*place];
            (&entry.employee.hr_id, entry.source, entry.line)
        };
        start
            .cmp(other_start)
            .then_with(|| whole(one).cmp(&whole(other)))
    });
    // Each goes to its place along the ring of those that take the place of one another.
    for place in 0..entries.len() {
        let mut at = place;
        loop {
            let from = std::mem::replace(&mut order[at].1, at);
            if from == place || from == at {
                break;
            }
            entries.swap(at, from);
            at = from;
        }
    }
}

/// The position of the one entry of all rows of one hrId, or none, with the reason noted in `result`.
fn one_of<'w>(
    group: &[Entry],
    wrong: impl Fn(&Entry) -> &'w [(Field, Wrong)],
    selection: Selection,
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
) -> Option<usize> {
    let Selection {
        today,
        starters_days_ahead,
        leavers_days_kept,
    } = selection;
    let ended = |entry: &Entry| {
        let senseless = wrong(entry).contains(&(Field::TerminationDate, Wrong::EndsBeforeStart));
        entry
            .employee
            .termination_date
            .filter(|last| !senseless && has_ended(*last, today, leavers_days_kept))
    };
    // A frozen row counts only where no fresh one says that the person is there.
    let frozen_counts = !group
        .iter()
        .any(|entry| entry.fresh && ended(entry).is_none());
    let mut current = group
        .iter()
        .enumerate()
        .filter(|(_, entry)| ended(entry).is_none() && (entry.fresh || frozen_counts));
    let hr_id = &group.first()?.employee.hr_id;
    let Some((position, entry)) = current.next() else {
        // Only ended rows: the person left on the latest of their last days. Of equal ones a fresh row counts.
        let last = group.iter().filter_map(|entry| {
            let last_day = ended(entry)?;
            Some((last_day, entry.fresh, Reverse(entry.source())))
        });
        let ended = last.max().map(|(last_day, _, Reverse(source))| {
            let ended = Ended::on(last_day, source, selection);
            (hr_id.clone(), ended)
        });
        result.ended.extend(ended);
        return None;
    };
    let is_known = LazyCell::new(|| known(hr_id));
    let mut reject = |entry: &Entry, why| {
        let hr_id = entry.employee.hr_id.clone();
        result.rejected.push(Rejected {
            hr_id,
            source: entry.source(),
            line: entry.line,
            why,
            known: *is_known,
        });
    };
    for (_, other) in current {
        // By hash: the case of an e-mail makes no difference.
        if other.hash() != entry.hash() || wrong(other) != wrong(entry) {
            reject(
                entry,
                Rejection::Conflict {
                    other_line: other.line,
                },
            );
            reject(
                other,
                Rejection::Conflict {
                    other_line: entry.line,
                },
            );
            return None;
        }
    }
    let starts_late = entry.employee.start_date.is_some_and(|start| {
        today
            .checked_add_days(chrono::Days::new(starters_days_ahead.into()))
            .is_some_and(|until| start > until)
    });
    if starts_late && !*is_known {
        result.too_early += 1;
        return None;
    }
    if let Some((field, kind)) = wrong(entry).first() {
        reject(entry, Rejection::Value(*field, *kind));
        return None;
    }
    let missing = REQUIRED
        .into_iter()
        .find(|field| !entry.employee.is_filled(*field));
    match missing {
        Some(field) if *is_known => {
            reject(entry, Rejection::Missing(field));
            None
        }
        Some(field) => {
            let hr_id = hr_id.clone();
            result.incomplete.push(Incomplete {
                hr_id,
                source: entry.source(),
                line: entry.line,
                field,
            });
            None
        }
        None => Some(position),
    }
}

#[cfg(test)]
mod tests;
