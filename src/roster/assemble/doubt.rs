//! People of whom nobody can tell whether they are meant: an include rule finds an empty cell, or two sources said different things of them.
//!
//! Whom JobTicket knows keeps the acknowledged values; nobody leaves for a doubt.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::{Assembly, Ended, HrId, Rejected, Rejection, Selection, has_ended};

/// A row of which an include rule finds an empty cell.
pub(super) struct Unclear {
    pub(super) hr_id: HrId,
    pub(super) source: usize,
    pub(super) column: String,
    pub(super) line: u64,
    pub(super) end: Option<NaiveDate>,
}

/// A known person whose only row does not say whether it is meant is not a person who left, unless it tells that the employment has ended.
pub(super) fn reject_unclear(
    mut unclear: Vec<Unclear>,
    selection: Selection,
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
) {
    let rejected: HashSet<HrId> = result
        .rejected
        .iter()
        .map(|row| row.hr_id.clone())
        .collect();
    let has_ended =
        |last: &NaiveDate| has_ended(*last, selection.today, selection.leavers_days_kept);
    // Those that doubt come last, and outdo those that end.
    unclear.sort_by_key(|row| !row.end.as_ref().is_some_and(has_ended));
    for Unclear {
        hr_id,
        source,
        column,
        line,
        end,
    } in unclear
    {
        let has_row = result
            .entries
            .binary_search_by(|entry| entry.employee().hr_id.cmp(&hr_id))
            .is_ok();
        if has_row || rejected.contains(&hr_id) || !known(&hr_id) {
            continue;
        }
        if let Some(last_day) = end.filter(has_ended) {
            let ended = Ended::on(last_day, source, selection);
            let told = result.ended.entry(hr_id).or_insert(ended);
            if told.last_day < last_day {
                *told = ended;
            }
        } else {
            // As any current row would, it outdoes one that has ended.
            result.ended.remove(&hr_id);
            let why = Rejection::NoRuleValue { column };
            result.rejected.push(Rejected {
                hr_id,
                source,
                line,
                why,
                known: true,
            });
        }
    }
}

impl Assembly {
    /// Takes out people whose rows `conflicts` once found to differ, where a fresh row now stands unopposed because the other source was refused as a whole since: that one
    /// of two is left does not make it right.
    pub(crate) fn contest(&mut self, conflicts: Vec<Rejected>) {
        let rejected: HashSet<HrId> = self.rejected.iter().map(|row| row.hr_id.clone()).collect();
        let mut contested: HashMap<HrId, Rejected> = HashMap::new();
        for row in conflicts {
            if !rejected.contains(&row.hr_id) {
                contested.insert(row.hr_id.clone(), row);
            }
        }
        let rejected = &mut self.rejected;
        self.entries.retain(|entry| {
            let hr_id = &entry.employee().hr_id;
            let row = entry.fresh.then(|| contested.remove(hr_id)).flatten();
            let stays = row.is_none();
            rejected.extend(row);
            stays
        });
        self.sort_rejected();
    }
}
