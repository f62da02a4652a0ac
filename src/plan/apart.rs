//! No two people of a push share an e-mail: whoever is kept keeps theirs, and somebody new waits.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::Known;
use crate::roster::{Employee, Entry, HrId};

/// A new person, or a new value, that would collide with somebody who is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collision {
    /// Who waits.
    pub hr_id: HrId,
    /// Who is kept with that e-mail.
    pub kept: HrId,
    /// Whether the person is new; otherwise they keep their acknowledged values.
    pub joiner: bool,
}

/// Whether no two e-mails are the same. Two that differ may look the same here, which only means a closer look; a map of all of them would be larger than the roster.
fn all_differ(entries: &[Entry]) -> bool {
    let mut hashes: Vec<u64> = entries.iter().map(Entry::email_hash).collect();
    hashes.sort_unstable();
    hashes.windows(2).all(|pair| pair[0] != pair[1])
}

/// Makes e-mails unique where people who are kept (their line is 0: carried forward) meet new people or new values: a joiner waits, a changed person keeps
/// the acknowledged values. Acknowledged values are unique, so this ends.
///
/// # Errors
/// Two people who are both kept have one e-mail. Nobody can be removed for that.
pub fn keep_apart(
    entries: &mut Vec<Entry>,
    known: &Known,
    acknowledged: &HashMap<HrId, Employee>,
) -> Result<Vec<Collision>, (HrId, HrId)> {
    let mut found = Vec::new();
    loop {
        if all_differ(entries) {
            return Ok(found);
        }
        let mut seen: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(entries.len());
        let mut clash = None;
        for (position, entry) in entries.iter().enumerate() {
            if let Some(other) = seen.insert(entry.employee().email_key(), position) {
                // The one who is not kept gives way.
                clash = Some(if entry.line == 0 {
                    (position, other)
                } else {
                    (other, position)
                });
                break;
            }
        }
        let Some((kept, gives_way)) = clash else {
            return Ok(found);
        };
        let (kept, hr_id) = (
            entries[kept].employee().hr_id.clone(),
            entries[gives_way].employee().hr_id.clone(),
        );
        let joiner = !known.contains(&hr_id);
        if joiner {
            entries.remove(gives_way);
        } else {
            let entry = &mut entries[gives_way];
            let old = acknowledged
                .get(&hr_id)
                .filter(|old| old.email_key() != entry.employee().email_key());
            let Some(old) = old else {
                return Err((kept, hr_id));
            };
            entry.line = 0;
            entry.set_employee(old.clone());
        }
        found.push(Collision {
            hr_id,
            kept,
            joiner,
        });
    }
}
