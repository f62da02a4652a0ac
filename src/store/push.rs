//! The outbox of pushes: what is about to leave is on disk before it does, and stays until JobTicket's answer is known.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::thread::Builder;

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::difference::{self, Difference, Rest};
use super::snapshot::{Advance, Leaver, Whole};
use super::{Notes, Store, StoreError, Target, groups, pieces};
use crate::guard::{Approved, Grounds};
use crate::jobticket::{Push, Receipt};
use crate::plan::{Change, What};
use crate::roster::{Employee, Entry, HrId};

/// Where a push stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// On disk, and perhaps on its way; the program may have been killed since.
    Prepared,
    /// Its answer was never seen.
    InDoubt,
}

/// A push that is not settled.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// Its syncId.
    pub sync_id: String,
    /// Where it stands.
    pub state: PushState,
}

/// How a push was settled without an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// JobTicket surely did not take it.
    Refused,
    /// Nobody knows.
    InDoubt,
    /// JobTicket refused some of its records and may have taken the others: its documentation does not say. It is never taken for acknowledged, and its people
    /// count until the next acknowledgement, but for those whose records it names: by this push it surely does not have them.
    PerhapsInPart(Vec<HrId>),
}

/// A push that is about to leave.
#[derive(Debug)]
pub struct Prepared<'p> {
    /// The run that sends it.
    pub run: &'p str,
    /// Its syncId.
    pub sync_id: &'p str,
    /// The proof, and the roster.
    pub roster: &'p PushRoster<'p>,
    /// Identifies the rules by which people were selected.
    pub rules_hash: &'p str,
    /// The calendar day in the configured zone.
    pub day: NaiveDate,
}

/// The roster of a push, with the source of everybody.
#[derive(Debug)]
pub struct PushRoster<'p> {
    approved: &'p Approved,
    /// Names of the sources, by position.
    sources: &'p [&'p str],
    /// People of sources that are not configured any more, with those. As long as they are kept, they stay people of those: why they wait does not change.
    removed: HashMap<String, String>,
    /// What of it differs from the snapshot, once it was compared; `None` where there is no snapshot.
    difference: OnceLock<Option<Difference>>,
}

impl PushRoster<'_> {
    /// Everybody, sorted by hrId.
    pub(super) fn entries(&self) -> &[Entry] {
        self.approved.entries()
    }

    /// Somebody as the outbox keeps them.
    pub(super) fn sent<'e>(&'e self, entry: &'e Entry) -> Sent<&'e str, &'e Employee> {
        Sent {
            source: self.source(entry),
            employee: entry.employee(),
            fresh: entry.fresh,
        }
    }

    /// Becomes the snapshot; how many people that has then.
    fn advance(&self, advance: &Advance<'_>) -> Result<usize, StoreError> {
        if let Some(Some(difference)) = self.difference.get() {
            difference.advance(advance, self)?;
        } else {
            let mut whole = Whole::begin(advance)?;
            for entry in self.entries() {
                let (source, employee) = (self.source(entry), entry.employee());
                whole.person(source, employee, entry.hash(), entry.fresh)?;
            }
            whole.end()?;
        }
        Ok(self.entries().len())
    }

    /// The source of somebody.
    pub(super) fn source(&self, entry: &Entry) -> &str {
        let kept = || self.removed.get(entry.employee().hr_id.as_str());
        let removed = if entry.line == 0 { kept() } else { None };
        removed.map_or(self.sources[entry.source()], String::as_str)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Sent<S, E> {
    pub(super) source: S,
    pub(super) employee: E,
    /// Whether a row that was read under the rules in force has them so.
    #[serde(default)]
    pub(super) fresh: bool,
}

impl Store {
    /// The push whose answer is not known, if there is one.
    pub fn unsettled(&self, target: &Target) -> Result<Option<Unsettled>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT sync_id, state FROM push WHERE target = ?1 AND state IN ('prepared', 'in_doubt')
             ORDER BY number DESC LIMIT 1",
        )?;
        let row: Option<(String, String)> = select
            .query_row([target.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(row.map(|(sync_id, state)| Unsettled {
            sync_id,
            state: if state == "prepared" {
                PushState::Prepared
            } else {
                PushState::InDoubt
            },
        }))
    }

    /// Whether JobTicket may have taken a part of a push that it refused, and that came `after` this one.
    pub fn perhaps_in_part(
        &self,
        target: &Target,
        after: Option<&str>,
    ) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM push WHERE target = ?1 AND state = 'perhaps_in_part'
                       AND number > coalesce((SELECT number FROM push WHERE sync_id = ?2), 0))";
        let found = self
            .lock()
            .query_row(sql, params![target.as_str(), after], |row| row.get(0))?;
        Ok(found)
    }

    /// The people of every push of the target whose answer is not known, or of the one with this syncId alone, with their sources; the newest push's values count.
    pub fn doubtful_roster(
        &self,
        target: &Target,
        only: Option<&str>,
    ) -> Result<Vec<(String, Employee)>, StoreError> {
        let sql = "SELECT sync_id FROM push WHERE target = ?1 AND state IN ('prepared', 'in_doubt', 'perhaps_in_part')
                     AND sync_id = coalesce(?2, sync_id) ORDER BY number";
        // In one transaction, for a difference belongs to the snapshot of its time.
        let connection = self.lock();
        let transaction = connection.unchecked_transaction()?;
        let mut people = std::collections::BTreeMap::new();
        let mut select = transaction.prepare_cached(sql)?;
        let mut rows = select.query(params![target.as_str(), only])?;
        while let Some(row) = rows.next()? {
            let sync_id: String = row.get(0)?;
            difference::each(&transaction, target, &sync_id, |sent| {
                let Sent {
                    source, employee, ..
                } = sent;
                people.insert(employee.hr_id.clone(), (source, employee));
            })?;
        }
        Ok(people.into_values().collect())
    }

    /// An approved roster as the store keeps it. `sources` are their names, by position.
    pub fn push_roster<'p>(
        &self,
        target: &Target,
        approved: &'p Approved,
        sources: &'p [&'p str],
    ) -> Result<PushRoster<'p>, StoreError> {
        Ok(PushRoster {
            approved,
            sources,
            removed: self.people_of_removed_sources(target, sources)?,
            difference: OnceLock::new(),
        })
    }

    /// Puts a push on disk, before it leaves; it is made meanwhile.
    pub fn prepare(
        &self,
        target: &Target,
        prepared: &Prepared<'_>,
        make: impl Fn() -> Push + Sync,
        notes: impl FnOnce(&Push) -> Notes,
    ) -> Result<Push, StoreError> {
        let Prepared {
            run,
            sync_id,
            roster,
            rules_hash,
            day,
        } = prepared;
        let approved = roster.approved;
        let is_out = |change: &&Change| matches!(change.what, What::Leaves(_));
        let leavers: Vec<Leaver> = approved
            .changes()
            .iter()
            .filter(is_out)
            .map(|change| Leaver {
                unasked: matches!(
                    approved.grounds(&change.hr_id),
                    None | Some(Grounds::Missing { .. })
                ),
                change: change.clone(),
                day: Some(*day),
            })
            .collect();
        let leavers = serde_json::to_string(&leavers).expect("changes are plain values");
        std::thread::scope(|scope| {
            let push = Builder::new().spawn_scoped(scope, &make);
            self.write(|transaction| {
                transaction.execute(
                    "INSERT INTO push (sync_id, number, target, run, state, body_hash, plan_hash, rules_hash, leavers, prepared_at)
                     VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM push), ?2, ?3, 'prepared', '', ?4, ?5, ?6, ?7)",
                    params![
                        sync_id,
                        target.as_str(),
                        run,
                        approved.plan_hash(),
                        rules_hash,
                        leavers,
                        self.clock.now().to_rfc3339()
                    ],
                )?;
                let difference = Difference::of(transaction, target, roster)?;
                if let Some(difference) = &difference {
                    difference.keep(transaction, sync_id, roster)?;
                } else {
                    let everybody = roster.entries().iter();
                    insert(transaction, sync_id, everybody.map(|entry| roster.sent(entry)))?;
                }
                let _ = roster.difference.set(difference);
                let push = match push {
                    Ok(push) => push.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    // The system gives no thread.
                    Err(_) => make(),
                };
                transaction.execute(
                    "UPDATE push SET body_hash = ?2 WHERE sync_id = ?1",
                    [sync_id, push.body_sha256()],
                )?;
                self.note(transaction, &notes(&push))?;
                Ok(push)
            })
        })
    }

    fn people_of_removed_sources(
        &self,
        target: &Target,
        sources: &[&str],
    ) -> Result<HashMap<String, String>, StoreError> {
        let connection = self.lock();
        let mut found = HashMap::new();
        for source in groups::sources(&connection, target)? {
            if sources.contains(&source.name.as_str()) {
                continue;
            }
            let mut select = connection.prepare_cached(
                "SELECT hr_id FROM snapshot_employee
                 WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND source = ?2",
            )?;
            let mut rows = select.query(params![target.as_str(), source.number])?;
            while let Some(row) = rows.next()? {
                found.insert(row.get(0)?, source.name.clone());
            }
        }
        Ok(found)
    }

    /// JobTicket has acknowledged a push: its roster becomes the snapshot, and all older pushes are settled by it, for each replaced the full roster. `sent` is the
    /// roster where it is still in memory; otherwise it is read from the outbox.
    pub fn acknowledge(
        &self,
        target: &Target,
        receipt: &Receipt,
        sent: Option<&PushRoster<'_>>,
        notes: impl FnOnce(usize) -> Notes,
    ) -> Result<usize, StoreError> {
        self.write(|transaction| {
            let (run, rules_hash, leavers, state): (String, String, String, String) = transaction.query_row(
                "SELECT run, rules_hash, leavers, state FROM push WHERE sync_id = ?1 AND target = ?2",
                [receipt.sync_id(), target.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
            if !matches!(&*state, "prepared" | "in_doubt" | "perhaps_in_part") {
                // Its roster is not there any more, and nobody's ticket may hang on that.
                return Err(StoreError::Unreadable("a push that was settled before"));
            }
            // In any other state the outbox may know more: who was refused is taken out there.
            let in_memory = sent.filter(|_| state == "prepared");
            let leavers: Vec<Leaver> =
                serde_json::from_str(&leavers).map_err(|_| StoreError::Unreadable("a list of leavers"))?;
            let rest = Rest::of(transaction, target, receipt.sync_id())?;
            difference::write_out(transaction, target, receipt.sync_id())?;
            let advance = Advance::begin(transaction, target, receipt, &rules_hash)?;
            let people = match in_memory {
                Some(roster) => roster.advance(&advance)?,
                None => advance_from_outbox(transaction, &advance, receipt.sync_id(), rest)?,
            };
            advance.end(&run, &leavers)?;
            let now = self.clock.now().to_rfc3339();
            transaction.execute(
                "UPDATE push SET state = CASE sync_id WHEN ?2 THEN 'acknowledged' ELSE 'superseded' END, settled_at = ?3
                 WHERE target = ?1 AND state IN ('prepared', 'in_doubt', 'perhaps_in_part')
                   AND number <= (SELECT number FROM push WHERE sync_id = ?2)",
                params![target.as_str(), receipt.sync_id(), now],
            )?;
            transaction.execute(
                "DELETE FROM push_rows WHERE sync_id IN
                     (SELECT sync_id FROM push WHERE target = ?1 AND state NOT IN ('prepared', 'in_doubt', 'perhaps_in_part'))",
                [target.as_str()],
            )?;
            self.note(transaction, &notes(people))?;
            Ok(people)
        })
    }

    /// A push ended without an acknowledgement.
    pub fn settle(&self, sync_id: &str, how: &Settled, notes: &Notes) -> Result<(), StoreError> {
        let state = match how {
            Settled::Refused => "refused",
            Settled::InDoubt => "in_doubt",
            Settled::PerhapsInPart(_) => "perhaps_in_part",
        };
        self.write(|transaction| {
            transaction.execute(
                "UPDATE push SET state = ?2, settled_at = ?3 WHERE sync_id = ?1",
                params![sync_id, state, self.clock.now().to_rfc3339()],
            )?;
            if let Settled::PerhapsInPart(named) = how {
                let target = transaction.query_row(
                    "SELECT target FROM push WHERE sync_id = ?1",
                    [sync_id],
                    |row| Ok(Target(row.get(0)?)),
                )?;
                difference::take_out(transaction, &target, sync_id, named)?;
                // The same plan, refused again: one roster of it is enough.
                transaction.execute(
                    "UPDATE push SET state = 'superseded' WHERE state = 'perhaps_in_part' AND sync_id <> ?1
                       AND (target, plan_hash) = (SELECT target, plan_hash FROM push WHERE sync_id = ?1)",
                    [sync_id],
                )?;
                transaction.execute(
                    "DELETE FROM push_rows WHERE sync_id IN (SELECT sync_id FROM push WHERE state = 'superseded')",
                    [],
                )?;
            }
            if *how == Settled::Refused {
                transaction.execute("DELETE FROM push_rows WHERE sync_id = ?1", [sync_id])?;
            }
            self.note(transaction, notes)
        })
    }
}

/// Makes the roster of a push, as the outbox has it, the snapshot; how many people it has. `rest` is what it says besides its rows where it is a difference.
fn advance_from_outbox(
    transaction: &Transaction<'_>,
    advance: &Advance<'_>,
    sync_id: &str,
    rest: Option<Rest>,
) -> Result<usize, StoreError> {
    if let Some(rest) = rest {
        rows(transaction, sync_id, |sent| {
            let (source, employee) = (&sent.source, &sent.employee);
            advance.write(source, employee, employee.hash(), sent.fresh)
        })?;
        rest.advance(advance)?;
    } else {
        let mut whole = Whole::begin(advance)?;
        rows(transaction, sync_id, |sent| {
            let (source, employee) = (&sent.source, &sent.employee);
            whole.person(source, employee, employee.hash(), sent.fresh)
        })?;
        whole.end()?;
    }
    advance.people()
}

/// Gives every row that is kept of a push to `take`, in order: everybody, or whoever differs from the snapshot.
pub(super) fn rows(
    connection: &Connection,
    sync_id: &str,
    mut take: impl FnMut(Sent<String, Employee>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT content FROM push_rows WHERE sync_id = ?1 AND piece >= 0 ORDER BY piece",
    )?;
    let mut pieces = select.query([sync_id])?;
    while let Some(piece) = pieces.next()? {
        read(piece)?.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// Keeps rows of a push.
pub(super) fn insert<S: Serialize, E: Serialize>(
    transaction: &Transaction<'_>,
    sync_id: &str,
    rows: impl IntoIterator<Item = Sent<S, E>>,
) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO push_rows (sync_id, piece, content) VALUES (?1, ?2, ?3)")?;
    for (number, piece) in (0i64..).zip(pieces::of(rows)) {
        insert.execute(params![sync_id, number, piece])?;
    }
    Ok(())
}

pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Vec<Sent<String, Employee>>, StoreError> {
    pieces::read(
        row.get_ref(0)?.as_blob().unwrap_or_default(),
        "a roster of a push",
    )
}
