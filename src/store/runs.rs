//! Runs, and facts of the whole installation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::standing::{Fact, write_fact};
use super::{Notes, Store, StoreError, Target};
use crate::audit::Event;
use crate::exit::Exit;

const CONFIGURATION: &str = "configuration";
const LAST_TIME: &str = "last_time";

pub(super) fn set_fact(
    transaction: &Transaction<'_>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute([name, value])?;
    Ok(())
}

impl Store {
    /// The time at which a run began or ended last. Where a clock that had gone back was accepted, that is before the times of earlier runs.
    pub fn last_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row(
                "SELECT value FROM fact WHERE name = ?1",
                [LAST_TIME],
                |row| row.get(0),
            )
            .optional()?;
        text.map(|text| {
            text.parse()
                .map_err(|_| StoreError::Unreadable("a time of the last run"))
        })
        .transpose()
    }

    /// Records that a run begins. A run of the target that began earlier and never ended is told in the log.
    pub fn begin_run(
        &self,
        run: &str,
        target: &Target,
        trigger: &str,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let lost: Vec<(String, String)> = transaction
                .prepare("SELECT id, started_at FROM run WHERE target = ?1 AND ended_at IS NULL")?
                .query_map([target.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (id, started) in lost {
                transaction.execute(
                    "UPDATE run SET ended_at = started_at, outcome = 'never ended' WHERE id = ?1",
                    [&id],
                )?;
                let event = Event::RunNeverEnded { started };
                let integration = notes.integration.clone();
                self.note(
                    transaction,
                    &Notes {
                        integration,
                        run: Some(id),
                        notes: vec![event.into()],
                    },
                )?;
            }
            let now = self.clock.now().to_rfc3339();
            transaction.execute(
                "INSERT INTO run (id, target, trigger, started_at) VALUES (?1, ?2, ?3, ?4)",
                params![run, target.as_str(), trigger, now],
            )?;
            set_fact(transaction, LAST_TIME, &now)?;
            self.note(transaction, notes)
        })
    }

    /// When somebody last decided something of a target on which no run has acted yet. One that a pause turned away, that was stopped or failed, or that could not use JobTicket, has not.
    pub fn decision_waits(&self, target: &Target) -> Result<Option<DateTime<Utc>>, StoreError> {
        let last: Option<String> = self.lock().query_row(
            "SELECT (SELECT at FROM decision WHERE target = ?1
               AND julianday(at) > coalesce((SELECT max(julianday(started_at)) FROM run
                 WHERE target = ?1 AND coalesce(outcome, '') NOT IN ('paused', 'stopped', 'not reachable', 'credential refused', 'misconfigured', 'failed')), 0)
               ORDER BY julianday(at) DESC LIMIT 1)",
            [target.as_str()],
            |row| row.get(0),
        )?;
        let time = |text: String| text.parse();
        let last = last.map(time).transpose();
        last.map_err(|_| StoreError::Unreadable("the time of a decision"))
    }

    /// Records that a run has ended; `ended` is what is remembered of it as [`Fact::LastRun`], if it counts as one.
    pub fn end_run<T: Serialize>(
        &self,
        run: &str,
        target: &Target,
        (outcome, exit): (&str, Exit),
        ended: Option<&T>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            if ended.is_some() {
                write_fact(transaction, target, Fact::LastRun, ended)?;
            }
            let now = self.clock.now().to_rfc3339();
            transaction.execute(
                "UPDATE run SET ended_at = ?2, outcome = ?3, exit_code = ?4 WHERE id = ?1",
                params![run, now, outcome, exit.code()],
            )?;
            set_fact(transaction, LAST_TIME, &now)?;
            self.note(transaction, notes)
        })
    }

    /// The configuration of the last run, key by key; `None` before the first.
    pub fn configuration(&self) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row(
                "SELECT value FROM fact WHERE name = ?1",
                [CONFIGURATION],
                |row| row.get(0),
            )
            .optional()?;
        text.map(|text| {
            serde_json::from_str(&text).map_err(|_| StoreError::Unreadable("a configuration"))
        })
        .transpose()
    }

    /// Remembers the configuration in force.
    pub fn keep_configuration(
        &self,
        keys: &BTreeMap<String, String>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(keys).expect("keys and values are text");
        self.write(|transaction| {
            set_fact(transaction, CONFIGURATION, &text)?;
            self.note(transaction, notes)
        })
    }
}
