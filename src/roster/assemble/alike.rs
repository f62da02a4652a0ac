//! Different hrIds that may be one person: numbers that differ in leading zeros only, and an e-mail that several people have.
//!
//! Nobody can tell who is right, so none of them is taken as they stand. A frozen row is no reason to doubt a fresh one, though: the source that is read now knows
//! better, and a source that fails must not take anybody out of the roster who is in it.

use std::collections::HashMap;
use std::convert::Infallible;

use xxhash_rust::xxh3::xxh3_64;

use super::{Assembly, Entry, HrId, Rejected, Rejection};
use crate::parallel;

/// Positions of candidates with the same key, where there are several; `hash` gives that of the key of a candidate that has one. Sorted by hashes, for a map of the keys
/// of a million people would be larger than what it is made from.
fn groups<'e, K: Eq>(
    candidates: &'e [Entry],
    hash: impl Fn(&'e Entry) -> Option<u64>,
    key: impl Fn(&'e Entry) -> K,
) -> Vec<Vec<usize>> {
    let hashed = candidates.iter().enumerate();
    let hashed = hashed.filter_map(|(index, entry)| Some((hash(entry)?, index)));
    let mut hashed: Vec<(u64, usize)> = hashed.collect();
    hashed.sort_unstable();
    let mut several: Vec<Vec<usize>> = Vec::new();
    for alike in hashed.chunk_by(|a, b| a.0 == b.0) {
        if alike.len() == 1 {
            continue;
        }
        // Nearly always one group: of equal hashes few are of different keys.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (_, index) in alike {
            let same =
                |group: &&mut Vec<usize>| key(&candidates[group[0]]) == key(&candidates[*index]);
            match groups.iter_mut().find(same) {
                Some(group) => group.push(*index),
                None => groups.push(vec![*index]),
            }
        }
        several.extend(groups.into_iter().filter(|group| group.len() > 1));
    }
    several.sort_unstable();
    several
}

/// What people may have alike, in the order in which it is looked at.
const NUMBERS: usize = 0;
const EMAILS: usize = 1;

/// Whether all of these differ. Hashes tell that of what they are of; where two are the same, what they are of may be or not.
pub(crate) fn all_differ(mut all: Vec<u64>) -> bool {
    all.sort_unstable();
    all.windows(2).all(|pair| pair[0] != pair[1])
}

/// Takes out whoever may be the same person as another one, or has the e-mail of another one. `prefixes` are what the sources put before their numbers, by position.
pub(super) fn reject(
    candidates: &mut Vec<Entry>,
    prefixes: &[String],
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
) {
    // Nearly always all differ, which their hashes alone tell.
    let (all, mut differing) = (candidates.as_slice(), Vec::new());
    let Ok(()) = parallel::in_order(
        [NUMBERS, EMAILS].into_iter(),
        |of| {
            if of == NUMBERS {
                none_is_padded(all, prefixes)
                    || all_differ(
                        all.iter()
                            .filter_map(|entry| hash_of_number(entry, prefixes))
                            .collect(),
                    )
            } else {
                all_differ(all.iter().map(Entry::email_hash).collect())
            }
        },
        |differ| {
            differing.push(differ);
            Ok::<_, Infallible>(())
        },
    );
    let may_be_alike = |of: usize| differing.get(of) != Some(&true);
    if may_be_alike(NUMBERS) {
        reject_leading_zeros(candidates, prefixes, known, result);
    }
    if may_be_alike(EMAILS) {
        reject_shared_emails(candidates, known, result);
    }
}

/// Takes the candidates at these positions out, each with the position of another that is the reason.
fn take_out(
    candidates: &mut Vec<Entry>,
    pairs: &HashMap<usize, usize>,
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
    why: impl Fn(HrId) -> Rejection,
) {
    if pairs.is_empty() {
        return;
    }
    for (position, other) in pairs {
        let entry = &candidates[*position];
        let hr_id = entry.employee().hr_id.clone();
        let known = known(&hr_id);
        result.rejected.push(Rejected {
            hr_id,
            source: entry.source(),
            line: entry.line,
            why: why(candidates[*other].employee().hr_id.clone()),
            known,
        });
    }
    let mut position = 0;
    candidates.retain(|_| {
        position += 1;
        !pairs.contains_key(&(position - 1))
    });
}

/// The digits of an hrId and what its source puts before them; `None` where it is no number.
fn number<'e>(entry: &'e Entry, prefixes: &[String]) -> Option<(&'e str, &'e str)> {
    let hr_id = entry.employee().hr_id.as_str();
    let prefix = prefixes.get(entry.source()).map_or("", String::as_str);
    // Whom the map of hrIds names otherwise has no prefix any more.
    let length = hr_id.strip_prefix(prefix).map_or(0, |_| prefix.len());
    let (prefix, digits) = hr_id.split_at(length);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((prefix, digits))
}

/// The same without leading zeros.
fn key<'e>(entry: &'e Entry, prefixes: &[String]) -> Option<(&'e str, &'e str)> {
    let (prefix, digits) = number(entry, prefixes)?;
    Some((prefix, digits.trim_start_matches('0')))
}

/// The hash of the digits alone: the same ones behind another prefix only look alike by it.
fn hash_of_number(entry: &Entry, prefixes: &[String]) -> Option<u64> {
    key(entry, prefixes).map(|(_, digits)| xxh3_64(digits.as_bytes()))
}

fn none_is_padded(candidates: &[Entry], prefixes: &[String]) -> bool {
    let padded = |entry| number(entry, prefixes).is_some_and(|(_, digits)| digits.starts_with('0'));
    !candidates.iter().any(padded)
}

/// A source that mixes `00123` and `123` has lost leading zeros somewhere: both may be one person. Two that JobTicket already knows as two are two.
fn reject_leading_zeros(
    candidates: &mut Vec<Entry>,
    prefixes: &[String],
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
) {
    let mut pairs = HashMap::new();
    let hash = |entry| hash_of_number(entry, prefixes);
    for group in groups(candidates, hash, |entry| key(entry, prefixes)) {
        let are_known: Vec<bool> = group
            .iter()
            .map(|index| known(&candidates[*index].employee().hr_id))
            .collect();
        for (index, is_known) in group.iter().zip(&are_known) {
            let doubted = |(other, other_known): &(&usize, &bool)| {
                *other != index
                    && !(*is_known && **other_known)
                    && (candidates[**other].fresh || !candidates[*index].fresh)
            };
            let other = group.iter().zip(&are_known).find(doubted);
            pairs.extend(other.map(|(other, _)| (*index, *other)));
        }
    }
    take_out(candidates, &pairs, known, result, |other| {
        Rejection::LeadingZeros { other }
    });
}

/// Two people with one e-mail: nobody can tell whose it is, so neither is taken as they stand.
fn reject_shared_emails(
    candidates: &mut Vec<Entry>,
    known: &impl Fn(&HrId) -> bool,
    result: &mut Assembly,
) {
    let mut pairs = HashMap::new();
    for group in groups(
        candidates,
        |entry| Some(entry.email_hash()),
        |entry| entry.employee.email_key(),
    ) {
        // Fresh ones first: a frozen one is doubted for any other, a fresh one for another fresh one.
        let (fresh, frozen): (Vec<usize>, Vec<usize>) = group
            .iter()
            .copied()
            .partition(|index| candidates[*index].fresh);
        let doubting = [fresh.as_slice(), frozen.as_slice()].concat();
        let doubted = if fresh.len() == 1 { &frozen } else { &group };
        for index in doubted {
            let other = doubting.iter().take(2).find(|other| *other != index);
            pairs.extend(other.map(|other| (*index, *other)));
        }
    }
    take_out(candidates, &pairs, known, result, |other| {
        Rejection::SharedEmail { other }
    });
}
