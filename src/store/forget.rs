//! People who are to be forgotten: their values go from the store, and that they went is remembered.
//!
//! The hazard is somebody who still has a ticket: without their values the next push would offboard them. So whoever is in the snapshot, in a hold that is not over, or in a push that JobTicket may
//! have taken is never touched, and that is looked up in the transaction that would remove them. The hrId stays, in clear: the audit log keeps it for good, a hash of a short number is
//! soon guessed, and a restore has to find the person in an older store.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::push;
use super::{Decision, Notes, Store, StoreError, Target, pieces};
use crate::roster::{HrId, Row};

/// Somebody who is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    pub(crate) target: String,
    pub(crate) hr_id: HrId,
    pub(crate) integration: String,
    pub(crate) login: String,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) reason: String,
    pub(crate) at: String,
}

/// People who are to be forgotten on one decision.
#[derive(Debug)]
pub(crate) struct Going<'g> {
    pub(crate) people: Vec<HrId>,
    pub(crate) by: Decision<'g>,
    /// Whether the log tells of it already.
    pub(crate) told: bool,
}

/// Why somebody cannot be forgotten yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Active {
    /// JobTicket acknowledged them last.
    Snapshot,
    /// They stand in a hold that is not over.
    Hold(u64),
    /// They stand in a push that JobTicket may have taken.
    Push(String),
    /// The last good roster of this source still selects them, or does not say that they left.
    Source(String),
}

impl std::fmt::Display for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Snapshot => {
                f.write_str("they are in the roster that JobTicket acknowledged last")
            }
            Self::Hold(id) => write!(f, "they stand in hold {id}, which is not over"),
            Self::Push(sync_id) => write!(
                f,
                "they stand in the push {sync_id}, which JobTicket may have taken; the next run settles it"
            ),
            Self::Source(name) => write!(
                f,
                "the last good roster of the source {name} has them, without a last day that has passed"
            ),
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Gone {
    /// Rows of last good rosters.
    pub(crate) rows: usize,
    /// Entries of other tables.
    pub(crate) entries: usize,
}

impl Store {
    /// Who of these people cannot be forgotten, and why, as far as the store alone knows.
    pub(crate) fn active(
        &self,
        target: &Target,
        people: &[HrId],
    ) -> Result<Vec<(HrId, Active)>, StoreError> {
        active(&self.lock(), target, people)
    }

    /// Removes the values of these people; of each source the rows for which `goes` says so. Who has become active meanwhile is left as they are; whoever went is given, and to `notes` by the groups
    /// they came in.
    pub(crate) fn forget(
        &self,
        target: &Target,
        integration: &str,
        groups: &[Going<'_>],
        goes: impl Fn(&Row) -> bool,
        notes: impl FnOnce(&[Vec<HrId>]) -> Notes,
    ) -> Result<(Vec<HrId>, Gone), StoreError> {
        self.write(|transaction| {
            let mut gone = Gone { rows: rows(transaction, target, goes)?, entries: 0 };
            let now = self.clock.now().to_rfc3339();
            let all = groups.iter().flat_map(|group| group.people.iter());
            let stay = active(transaction, target, all)?.into_iter();
            let stay: HashSet<HrId> = stay.map(|(hr_id, _)| hr_id).collect();
            let mut went = Vec::new();
            for Going { people, by, .. } in groups {
                let mut of_group = Vec::new();
                for hr_id in people {
                    if stay.contains(hr_id) {
                        continue;
                    }
                    gone.entries += entries(transaction, target, hr_id)?;
                    transaction.execute(
                        "INSERT INTO forgotten (target, hr_id, integration, login, on_behalf_of, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                         ON CONFLICT (target, hr_id) DO UPDATE SET login = ?4, on_behalf_of = ?5, reason = ?6, at = ?7, done = 0",
                        params![target.as_str(), hr_id.as_str(), integration, by.user, by.on_behalf_of, by.reason, now],
                    )?;
                    of_group.push(hr_id.clone());
                }
                went.push(of_group);
            }
            self.note(transaction, &notes(&went))?;
            Ok((went.concat(), gone))
        })
    }

    /// Remembers that nothing of them is left here.
    pub(crate) fn forgotten_here(
        &self,
        target: &Target,
        people: &[HrId],
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            for hr_id in people {
                transaction.execute(
                    "UPDATE forgotten SET done = 1 WHERE target = ?1 AND hr_id = ?2",
                    [target.as_str(), hr_id.as_str()],
                )?;
            }
            Ok(())
        })
    }

    /// Whoever is to be forgotten and of whom something may be left here.
    pub(crate) fn to_forget(&self, target: &Target) -> Result<Vec<Forgotten>, StoreError> {
        let all = forgotten(&self.lock(), "WHERE NOT done")?;
        Ok(all
            .into_iter()
            .filter(|one| one.target == target.as_str())
            .collect())
    }

    /// Takes over who was forgotten in another store; something of them may be in this one, unless it has done the very same already.
    pub(crate) fn remember_forgotten(&self, all: &[Forgotten]) -> Result<(), StoreError> {
        self.write(|transaction| {
            for one in all {
                transaction.execute(
                    "INSERT INTO forgotten (target, hr_id, integration, login, on_behalf_of, reason, at, done) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)
                     ON CONFLICT (target, hr_id) DO UPDATE SET integration = ?3, login = ?4, on_behalf_of = ?5, reason = ?6, done = done AND at = ?7, at = ?7",
                    params![one.target, one.hr_id.as_str(), one.integration, one.login, one.on_behalf_of, one.reason, one.at],
                )?;
            }
            Ok(())
        })
    }

    /// Whoever left before this time and was not forgotten since.
    pub(crate) fn left_before(
        &self,
        target: &Target,
        before: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<HrId>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT l.hr_id FROM leaver l LEFT JOIN forgotten f ON f.target = l.target AND f.hr_id = l.hr_id
             WHERE l.target = ?1 AND NOT EXISTS (SELECT 1 FROM acknowledged e WHERE e.target = l.target AND e.hr_id = l.hr_id)
             GROUP BY l.hr_id HAVING max(l.left_at) < ?2 AND coalesce(max(f.at), '') < max(l.left_at)",
        )?;
        let people = select.query_map([target.as_str(), &before.to_rfc3339()], |row| {
            row.get::<_, String>(0)
        })?;
        people.map(|hr_id| Ok(HrId::new(&hr_id?))).collect()
    }

    /// Writes the database anew, so that nothing of what was deleted stands in pages that are free now.
    pub(crate) fn leave_nothing_behind(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        connection.execute_batch("VACUUM")?;
        let busy: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            // Somebody reads the old pages, which still stand in the file.
            let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            return Err(rusqlite::Error::SqliteFailure(busy, None).into());
        }
        Ok(())
    }
}

pub(super) fn forgotten(
    connection: &Connection,
    which: &str,
) -> Result<Vec<Forgotten>, StoreError> {
    let mut select = connection.prepare(&format!(
        "SELECT target, hr_id, integration, login, on_behalf_of, reason, at FROM forgotten {which} ORDER BY at, hr_id"
    ))?;
    let all = select.query_map([], |row| {
        Ok(Forgotten {
            target: row.get(0)?,
            hr_id: HrId::new(&row.get::<_, String>(1)?),
            integration: row.get(2)?,
            login: row.get(3)?,
            on_behalf_of: row.get(4)?,
            reason: row.get(5)?,
            at: row.get(6)?,
        })
    })?;
    Ok(all.collect::<Result<_, _>>()?)
}

fn active<'p>(
    connection: &Connection,
    target: &Target,
    people: impl IntoIterator<Item = &'p HrId>,
) -> Result<Vec<(HrId, Active)>, StoreError> {
    let mut known = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM acknowledged WHERE target = ?1 AND hr_id = ?2)",
    )?;
    let mut held = connection.prepare_cached(
        "SELECT h.id FROM hold h JOIN held_person p ON p.hold = h.id WHERE h.target = ?1 AND p.hr_id = ?2 AND h.state <> 'over' AND p.state <> 'over'",
    )?;
    let (mut found, mut others) = (Vec::new(), HashSet::new());
    for hr_id in people {
        let by = [target.as_str(), hr_id.as_str()];
        if known.query_row(by, |row| row.get(0))? {
            found.push((hr_id.clone(), Active::Snapshot));
        } else if let Some(hold) = held.query_row(by, |row| row.get(0)).optional()? {
            found.push((hr_id.clone(), Active::Hold(hold)));
        } else {
            others.insert(hr_id);
        }
    }
    // Packed as they are, pushes are read once for all of them. Whoever is not in the rows of one has the values of the snapshot there.
    let mut select = connection.prepare_cached(
        "SELECT r.content, p.sync_id FROM push p JOIN push_rows r ON r.sync_id = p.sync_id
         WHERE p.target = ?1 AND p.state IN ('prepared', 'in_doubt', 'perhaps_in_part') AND r.piece >= 0",
    )?;
    let mut pieces = select.query([target.as_str()])?;
    while !others.is_empty()
        && let Some(piece) = pieces.next()?
    {
        for sent in push::read(piece)? {
            let hr_id = sent.employee.hr_id;
            if others.remove(&hr_id) {
                found.push((hr_id, Active::Push(piece.get(1)?)));
            }
        }
    }
    Ok(found)
}

/// Removes rows from the last good rosters.
fn rows(
    transaction: &Transaction<'_>,
    target: &Target,
    goes: impl Fn(&Row) -> bool,
) -> Result<usize, StoreError> {
    let what = "a roster of a source";
    let mut changed: Vec<(String, i64, Vec<u8>)> = Vec::new();
    let mut gone = 0;
    {
        let mut select = transaction
            .prepare("SELECT name, piece, content FROM source_rows WHERE target = ?1")?;
        let mut found = select.query([target.as_str()])?;
        while let Some(piece) = found.next()? {
            let content = piece.get_ref(2)?.as_blob().unwrap_or_default();
            let mut kept: Vec<serde_json::Value> = pieces::read(content, what)?;
            let before = kept.len();
            kept.retain(|value| {
                let row: Option<Row> = serde_json::from_value(value.clone()).ok();
                !row.is_some_and(|row| goes(&row))
            });
            if kept.len() < before {
                gone += before - kept.len();
                changed.push((piece.get(0)?, piece.get(1)?, pieces::one(&kept)));
            }
        }
    }
    for (name, piece, content) in changed {
        transaction.execute(
            "UPDATE source_rows SET content = ?4 WHERE target = ?1 AND name = ?2 AND piece = ?3",
            params![target.as_str(), name, piece, content],
        )?;
    }
    Ok(gone)
}

/// Removes what other tables have of somebody. That they left, when and why stays: the limits count leavers, and JobTicket may show somebody linked long after.
fn entries(
    transaction: &Transaction<'_>,
    target: &Target,
    hr_id: &HrId,
) -> Result<usize, StoreError> {
    let by = [target.as_str(), hr_id.as_str()];
    let mut gone = 0;
    for delete in [
        "DELETE FROM missing WHERE target = ?1 AND hr_id = ?2",
        "DELETE FROM keep WHERE target = ?1 AND hr_id = ?2",
        "DELETE FROM held_person WHERE hr_id = ?2 AND hold IN (SELECT id FROM hold WHERE target = ?1)",
    ] {
        gone += transaction.execute(delete, by)?;
    }
    Ok(gone)
}
