//! The body of a push: the JSON of the whole roster, made in blocks while it is sent, so that a million people do not stand in memory a second time.
//!
//! Its length and its hash are known before the first byte leaves. The hazard is a body that is not the one whose hash the audit log has: both are made by the same writer, in other parts, and a test compares them.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::parallel::{self, Spare};
use crate::roster::json::{Room, plain_days, write, write_day, write_text};
use crate::roster::{Employee, Entry};

/// About how long a block is, in bytes.
const BLOCK: usize = 64 << 10;

/// So many people are hashed as one part, which is about as long as a block.
const AT_ONCE: usize = 256;

/// The values of people stand all over memory, for they were read in another order. Those of so many are looked at before the first of them is written, so that the
/// processor waits for all of them at once and not for one after the other.
const AHEAD: usize = 16;

/// What is sent.
#[derive(Clone)]
pub(super) struct Roster {
    sync_id: String,
    entries: Arc<Vec<Entry>>,
    length: u64,
    sha256: String,
}

impl Roster {
    pub(super) fn new(sync_id: String, entries: Arc<Vec<Entry>>) -> Self {
        let mut roster = Self {
            sync_id,
            entries,
            length: 0,
            sha256: String::new(),
        };
        let mut hasher = Sha256::new();
        let mut length = 0;
        let spare = Spare::default();
        // The last part closes the body, so that none may begin behind the last person; without anybody there is one all the same.
        let firsts = (0..roster.entries.len().max(1)).step_by(AT_ONCE);
        let Ok(()) = parallel::in_order(
            firsts,
            |first| roster.part(spare.take(), first, AT_ONCE, usize::MAX).0,
            |part| {
                length += part.len() as u64;
                hasher.update(&part);
                spare.give(part);
                Ok::<_, Infallible>(())
            },
        );
        (roster.length, roster.sha256) = (length, hex(&hasher.finalize()));
        roster
    }

    pub(super) fn sync_id(&self) -> &str {
        &self.sync_id
    }

    pub(super) fn employees(&self) -> usize {
        self.entries.len()
    }

    /// SHA-256 of all of it.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// All of it, from its beginning.
    pub(super) fn blocks(&self) -> Blocks {
        Blocks {
            roster: self.clone(),
            next: Some(0),
            left: self.length,
        }
    }

    /// The part of the body that begins with the person at this position, of so many people and about so many bytes at most, and the position with which the next one
    /// begins; `None` behind the last. It stands in `block`, whatever was in that.
    fn part(
        &self,
        mut block: Vec<u8>,
        first: usize,
        people: usize,
        bytes: usize,
    ) -> (Vec<u8>, Option<usize>) {
        let mut position = first;
        block.clear();
        block.reserve(BLOCK + (BLOCK >> 3));
        if position == 0 {
            block.extend_from_slice(b"{\"syncId\":");
            write(&mut block, &self.sync_id);
            block.extend_from_slice(b",\"employees\":[");
        }
        while let Some(entry) = self.entries.get(position) {
            if block.len() >= bytes || position - first >= people {
                return (block, Some(position));
            }
            if (position - first).is_multiple_of(AHEAD) {
                let next = self.entries[position..].iter().take(AHEAD);
                black_box(next.fold(0, |all, entry| all ^ entry.employee().first_byte()));
            }
            if position > 0 {
                block.push(b',');
            }
            write_employee(&mut block, entry.employee());
            position += 1;
        }
        block.extend_from_slice(b"]}");
        (block, None)
    }
}

/// A body, block by block.
pub(super) struct Blocks {
    roster: Roster,
    /// The person with whom the next block begins; `None` behind the last.
    next: Option<usize>,
    left: u64,
}

impl Iterator for Blocks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let (block, next) = self.roster.part(Vec::new(), self.next?, usize::MAX, BLOCK);
        self.next = next;
        self.left = self.left.saturating_sub(block.len() as u64);
        Some(block.into())
    }
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|block| Ok(Frame::data(block))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// One employee in the form of [`SyncEmployee`](super::wire::SyncEmployee), written out by hand: it is made twice for everybody of a large roster.
fn write_employee(block: &mut Vec<u8>, employee: &Employee) {
    let Some([birth, start, end]) = plain_days(employee) else {
        return write_unusual(block, employee);
    };
    let hr_id = employee.hr_id.as_str();
    let length = AROUND + hr_id.len() + employee.texts().len();
    Room::of(block, length, |room| {
        room.put(br#"{"firstName":""#).text(employee.first_name());
        room.put(br#"","lastName":""#).text(employee.last_name());
        room.put(br#"","email":""#).text(employee.email());
        room.put(br#"","profileImage":null,"dateOfBirth":"#);
        room.literal(&birth);
        room.put(br#","hrId":""#).text(hr_id);
        room.put(br#"","startDate":"#).literal(&start);
        room.put(br#","terminationDate":"#).literal(&end);
        match employee.auto_sync_employee {
            None => room.put(br#","autoSyncEmployee":null,"absences":[]}"#),
            Some(false) => room.put(br#","autoSyncEmployee":false,"absences":[]}"#),
            Some(true) => room.put(br#","autoSyncEmployee":true,"absences":[]}"#),
        };
    });
}

/// More than everything that stands around the texts of somebody: names of fields, quotes, days.
const AROUND: usize = 240;

/// The same of somebody with absences, or with a value that JSON does not write as it is.
fn write_unusual(block: &mut Vec<u8>, employee: &Employee) {
    write_text(block, r#"{"firstName":"#, employee.first_name());
    write_text(block, r#","lastName":"#, employee.last_name());
    write_text(block, r#","email":"#, employee.email());
    write_day(
        block,
        r#","profileImage":null,"dateOfBirth":"#,
        employee.date_of_birth,
    );
    write_text(block, r#","hrId":"#, employee.hr_id.as_str());
    write_day(block, r#","startDate":"#, employee.start_date);
    write_day(block, r#","terminationDate":"#, employee.termination_date);
    block.extend_from_slice(match employee.auto_sync_employee {
        None => br#","autoSyncEmployee":null,"absences":"#.as_slice(),
        Some(false) => br#","autoSyncEmployee":false,"absences":"#.as_slice(),
        Some(true) => br#","autoSyncEmployee":true,"absences":"#.as_slice(),
    });
    write(block, &employee.absences[..]);
    block.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::digest::sha256;
    use crate::jobticket::wire::{SyncEmployee, SyncRequest};
    use crate::roster::HrId;
    use crate::roster::json::tests::anybody;

    /// The documented form, by the types that have it.
    fn wire(employee: &Employee) -> SyncEmployee<&str> {
        let absence = |absence: &crate::roster::Absence| -> Map<String, Value> {
            let items = absence.iter();
            items
                .map(|(key, value)| (key.clone(), Value::String(value.clone())))
                .collect()
        };
        SyncEmployee {
            first_name: employee.first_name(),
            last_name: employee.last_name(),
            email: employee.email(),
            profile_image: None,
            date_of_birth: employee.date_of_birth,
            hr_id: employee.hr_id.as_str(),
            start_date: employee.start_date,
            termination_date: employee.termination_date,
            auto_sync_employee: employee.auto_sync_employee,
            absences: employee.absences.iter().map(absence).collect(),
        }
    }

    proptest! {
        #[test]
        fn whatever_values_somebody_has_they_are_written_as_json_writes_them(employee in anybody()) {
            let mut block = Vec::new();
            write_employee(&mut block, &employee);
            prop_assert_eq!(String::from_utf8(block), Ok(serde_json::to_string(&wire(&employee)).unwrap()));
        }
    }

    fn roster(people: usize) -> Roster {
        let entry = |number: usize| {
            let (hr_id, email) = (format!("{number:05}"), format!("p{number}@example.com"));
            let mut employee = Employee::new(HrId::new(&hr_id), "Zoë", "\"Weiß\" \\ Co", &email);
            let absence = [("type".to_owned(), "parental".to_owned())].into();
            employee
                .absences
                .extend(number.is_multiple_of(2).then_some(absence));
            Entry::new(employee, 0, 2, true)
        };
        Roster::new(
            "sync-\"1\"".to_owned(),
            Arc::new((0..people).map(entry).collect()),
        )
    }

    #[test]
    fn the_blocks_are_the_json_of_the_whole_roster_with_its_length_and_its_hash() {
        let of_parts = [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE];
        for people in [0, 1, 2, 400, 5_000].into_iter().chain(of_parts) {
            let roster = roster(people);
            let employees: Vec<_> = roster
                .entries
                .iter()
                .map(|one| wire(one.employee()))
                .collect();
            let request = SyncRequest {
                sync_id: roster.sync_id.clone(),
                employees,
            };
            let whole = serde_json::to_vec(&request).unwrap();
            let blocks: Vec<Bytes> = roster.blocks().collect();
            assert_eq!(blocks.len() > 1, people >= 400);
            assert_eq!(blocks.concat(), whole);
            assert_eq!(
                Body::size_hint(&roster.blocks()).exact(),
                Some(whole.len() as u64)
            );
            assert_eq!(roster.sha256(), sha256(&whole));
        }
    }

    #[test]
    fn a_body_has_nothing_left_where_it_ends() {
        let mut blocks = roster(5_000).blocks();
        while blocks.next().is_some() {}
        assert!(blocks.is_end_stream());
        assert_eq!(Body::size_hint(&blocks).exact(), Some(0));
    }
}
