//! The state in numbers, without its people: what a look at the service needs, cheap enough to be asked every few seconds.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::ledger::Ledger;
use super::{Scope, Store, StoreError, Target};
use crate::clock::Clock;

/// A hold that is not over, without its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldSummary {
    /// Its number.
    pub id: u64,
    /// What kind of reason, in a word.
    pub kind: String,
    /// Whether people wait, or the whole plan.
    pub scope: Scope,
    /// Whether a decision is still to be made; otherwise it was, and the next run acts on it or the people stay.
    pub open: bool,
    /// How many people wait for a decision.
    pub waiting: usize,
    /// Since when.
    pub opened_at: DateTime<Utc>,
}

/// A run whose end is not on record: it is in progress, or the program was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its id.
    pub run: String,
    /// What set it off.
    pub trigger: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// What the request ledger knows of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// Requests of all processes in the last 60 seconds.
    pub last_minute: u32,
    /// Until when JobTicket has blocked the credential, if it has.
    pub blocked_until: Option<DateTime<Utc>>,
}

fn time(text: &str, what: &'static str) -> Result<DateTime<Utc>, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable(what))
}

impl Store {
    /// The holds of a target that are not over, by number.
    pub fn hold_summaries(&self, target: &Target) -> Result<Vec<HoldSummary>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT id, kind, scope, state, opened_at,
                    (SELECT count(*) FROM held_person p WHERE p.hold = h.id AND p.state = 'waits')
             FROM hold h WHERE target = ?1 AND state <> 'over' ORDER BY id",
        )?;
        let mut rows = select.query([target.as_str()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (scope, state, opened_at): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            found.push(HoldSummary {
                id: row.get(0)?,
                kind: row.get(1)?,
                scope: if scope == "plan" {
                    Scope::Plan
                } else {
                    Scope::People
                },
                open: state == "open",
                waiting: row.get(5)?,
                opened_at: time(&opened_at, "the time of a hold")?,
            });
        }
        Ok(found)
    }

    /// Where the waiting began that a hold goes on with: the first of the whole-plan holds that follow one another up to this one, and when it was opened. A file that comes
    /// each day opens one of the same kind each day. A decision ends such a row, and so does a run that ended in step with JobTicket, or a hold of another kind.
    pub fn row_of_hold(
        &self,
        (id, opened_at, scope): (u64, DateTime<Utc>, Scope),
    ) -> Result<(u64, DateTime<Utc>), StoreError> {
        let mut first = (id, opened_at);
        if scope != Scope::Plan {
            return Ok(first);
        }
        let connection = self.lock();
        let mut before = connection.prepare_cached(
            "SELECT b.id, b.opened_at FROM hold h JOIN hold b ON b.id =
                 (SELECT max(id) FROM hold WHERE target = h.target AND scope = 'plan' AND id < h.id)
             WHERE h.id = ?1 AND b.kind = h.kind AND b.state = 'over'
               AND NOT EXISTS (SELECT 1 FROM decision WHERE hold = b.id)
               AND NOT EXISTS (SELECT 1 FROM run WHERE target = h.target AND outcome IN ('pushed', 'unchanged')
                   AND julianday(started_at) BETWEEN julianday(b.opened_at) AND julianday(h.opened_at))",
        )?;
        // Each has a lower number than the one before, so this ends.
        loop {
            let found = before.query_row([first.0], |row| Ok((row.get(0)?, row.get(1)?)));
            let found: Option<(u64, String)> = found.optional()?;
            let Some((id, opened_at)) = found else {
                return Ok(first);
            };
            first = (id, time(&opened_at, "the time of a hold")?);
        }
    }

    /// How many people the snapshot has; 0 before the first acknowledgement.
    pub fn snapshot_size(&self, target: &Target) -> Result<usize, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT count(*) FROM snapshot_employee
             WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1)",
        )?;
        Ok(select.query_row([target.as_str()], |row| row.get(0))?)
    }

    /// The run of a target whose end is not on record.
    pub fn unfinished_run(&self, target: &Target) -> Result<Option<Unfinished>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT id, trigger, started_at FROM run WHERE target = ?1 AND ended_at IS NULL ORDER BY id DESC LIMIT 1",
        )?;
        let found: Option<(String, String, String)> = select
            .query_row([target.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((run, trigger, started_at)) = found else {
            return Ok(None);
        };
        Ok(Some(Unfinished {
            run,
            trigger,
            started_at: time(&started_at, "the time of a run")?,
        }))
    }
}

impl Ledger {
    /// Looks at the ledger in `folder`; `None` where there is none yet, for this makes nothing. `credential` is what [`Ledger::credential`] said when it was used.
    pub fn look(
        folder: &Path,
        credential: &str,
        clock: &Clock,
    ) -> Result<Option<Requests>, StoreError> {
        let path = folder.join(super::ledger::FILE);
        if !path.try_exists().unwrap_or(true) {
            return Ok(None);
        }
        let look = || -> Result<Requests, StoreError> {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(super::BUSY)?;
            let now = clock.now();
            let since = now - Duration::from_secs(60);
            let last_minute = connection.query_row(
                "SELECT count(*) FROM request WHERE credential = ?1 AND at > ?2",
                params![credential, since.timestamp_millis()],
                |row| row.get(0),
            )?;
            let blocked_until = super::ledger::blocked(&connection, credential, now)?;
            Ok(Requests {
                last_minute,
                blocked_until,
            })
        };
        look().map(Some).map_err(|error| error.named(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decision, HoldsUpdate, NewHold, Notes, Verb};
    use super::*;
    use std::collections::BTreeSet;

    use chrono::TimeDelta;

    use crate::exit::Exit;

    fn plan(kind: &str) -> NewHold {
        NewHold {
            scope: Scope::Plan,
            kind: kind.to_owned(),
            why: Vec::new(),
            plan_hash: Some("h".to_owned()),
            details: serde_json::Value::Null,
            people: Vec::new(),
        }
    }

    /// A store in which a day passes with each run.
    struct Days {
        store: Store,
        target: Target,
        day: i64,
        open: Vec<u64>,
    }

    impl Days {
        fn new() -> Self {
            let clock = Clock::starting_at("2026-11-28T10:00:00Z".parse().unwrap());
            Self {
                store: Store::in_memory(clock).unwrap(),
                target: Target::new("https://a.example", 7),
                day: 0,
                open: Vec::new(),
            }
        }

        /// A run that opens a hold in the place of the one before, or ends it. The hold with which its row began.
        fn run(&mut self, kind: Option<&str>) -> u64 {
            self.day += 1;
            let now = self.store.clock.now() + TimeDelta::days(1);
            self.store.clock = self.store.clock.set_to(now);
            let id = self.day.to_string();
            let notes = Notes::default();
            self.store
                .begin_run(&id, &self.target, "test", &notes)
                .unwrap();
            let update = HoldsUpdate {
                open: kind.map(plan).into_iter().collect(),
                plans_over: std::mem::take(&mut self.open),
                ..HoldsUpdate::default()
            };
            self.open = self
                .store
                .update_holds(&self.target, "acme", &id, &update, |_| notes.clone())
                .unwrap();
            let outcome = if kind.is_some() { "held" } else { "unchanged" };
            let none: Option<&()> = None;
            self.store
                .end_run(&id, &self.target, (outcome, Exit::Done), none, &notes)
                .unwrap();
            let open = self.store.hold_summaries(&self.target).unwrap();
            open.last().map_or(0, |hold| {
                let hold = (hold.id, hold.opened_at, hold.scope);
                self.store.row_of_hold(hold).unwrap().0
            })
        }
    }

    #[test]
    fn holds_of_a_plan_that_follow_one_another_are_one_row_until_a_run_is_in_step_or_somebody_decides()
     {
        let mut days = Days::new();
        assert_eq!(days.run(Some("plan")), 1);
        assert_eq!(days.run(Some("plan")), 1);
        assert_eq!(days.run(Some("plan")), 1);
        let opened = days.store.hold_summaries(&days.target).unwrap()[0].clone();
        let (_, since) = days
            .store
            .row_of_hold((opened.id, opened.opened_at, opened.scope))
            .unwrap();
        assert_eq!((opened.opened_at - since).num_days(), 2);
        // One of another kind is another question.
        assert_eq!(days.run(Some("first contact")), 4);
        assert_eq!(days.run(Some("plan")), 5);
        // The file was right for a day.
        assert_eq!(days.run(None), 0);
        assert_eq!(days.run(Some("plan")), 6);
        let decision = Decision {
            user: "hr",
            on_behalf_of: None,
            reason: "a test",
        };
        days.store
            .decide(6, Verb::Reject, &BTreeSet::new(), &decision, |_| {
                Notes::default()
            })
            .unwrap();
        assert_eq!(days.run(Some("plan")), 7);
    }
}
