//! The audit outbox: events are written in the transaction of the change they tell of, and appended to the audit log afterwards.

use std::borrow::Borrow;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::audit::{AuditFile, Ends, Event, Gap, Head, Line, Locked, Values, compose};

/// An event with the personal values that stand beside it.
#[derive(Clone)]
pub struct Note {
    /// What happened.
    pub event: Event,
    /// Personal values, as far as the configuration wants them in the log.
    pub values: Values,
}

impl std::fmt::Debug for Note {
    /// The event alone, which holds no personal value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Note({:?})", self.event)
    }
}

impl From<Event> for Note {
    fn from(event: Event) -> Self {
        Self {
            event,
            values: Values::new(),
        }
    }
}

/// Events of one run, to be recorded together.
#[derive(Debug, Default, Clone)]
pub struct Notes {
    /// Which integration.
    pub integration: Option<String>,
    /// Which run.
    pub run: Option<String>,
    /// What happened, in order.
    pub notes: Vec<Note>,
}

/// Lines that were missing from the end of the log when something was to be appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingLines {
    /// When that was found.
    pub at: DateTime<Utc>,
    /// With which line the log should have ended.
    pub expected: u64,
    /// With which it did; 0 for none.
    pub found: u64,
}

const HEAD: &str = "audit_head";
const MISSING: &str = "audit_missing";
/// So long people are told of lines that were missing; nothing makes them come back.
const TOLD: TimeDelta = TimeDelta::days(30);
const REMOVED: &str = "audit_removed";

impl Store {
    /// Records events that go with no other change.
    pub fn record(&self, notes: &Notes) -> Result<(), StoreError> {
        self.write(|transaction| self.note(transaction, notes))
    }

    /// Records very many events, which come one by one so that they are not in memory together; `of` says whose they are.
    pub fn record_each(
        &self,
        of: &Notes,
        events: impl Iterator<Item = Note>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| self.note_each(transaction, of, events))
    }

    /// Records events within a change.
    pub(super) fn note(
        &self,
        transaction: &Transaction<'_>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        if notes.notes.is_empty() {
            return Ok(());
        }
        self.note_each(transaction, notes, notes.notes.iter())
    }

    fn note_each(
        &self,
        transaction: &Transaction<'_>,
        of: &Notes,
        events: impl Iterator<Item = impl Borrow<Note>>,
    ) -> Result<(), StoreError> {
        let mut head = head(transaction)?;
        let now = self.clock.now();
        let mut insert =
            transaction.prepare_cached("INSERT INTO audit_outbox (seq, line) VALUES (?1, ?2)")?;
        for event in events {
            let Note { event, values } = event.borrow();
            let salt = if values.is_empty() {
                [0; 16]
            } else {
                *uuid::Uuid::new_v4().as_bytes()
            };
            let line = compose(
                &mut head,
                now,
                of.integration.as_deref(),
                of.run.as_deref(),
                event,
                values,
                salt,
            );
            insert.execute(params![line.seq, line.text])?;
        }
        super::runs::set_fact(transaction, HEAD, &format!("{} {}", head.seq, head.hash))
    }

    /// Appends what waits to the audit log. When this returns, it is on disk.
    pub fn flush(&self, file: &AuditFile) -> Result<(), StoreError> {
        let failed = |cause| StoreError::Audit {
            path: file.path().to_owned(),
            cause,
        };
        if self.pending(1)?.is_empty() {
            return Ok(());
        }
        let mut locked = file.lock().map_err(failed)?;
        self.flush_locked(&mut locked, file)?;
        if locked.has_rotated() {
            drop(locked);
            pack(file);
        }
        Ok(())
    }

    /// The same, where the caller has locked the file already.
    pub(super) fn flush_locked(
        &self,
        locked: &mut Locked,
        file: &AuditFile,
    ) -> Result<(), StoreError> {
        let mut told = Vec::new();
        loop {
            let lines = self.pending(5_000)?;
            let Some(last) = lines.last() else {
                return Ok(());
            };
            let gaps = locked
                .append(&lines, &told)
                .map_err(|cause| StoreError::Audit {
                    path: file.path().to_owned(),
                    cause,
                })?;
            if !gaps.is_empty() {
                self.tell_gaps(&gaps, file)?;
                crate::crash::point("gaps_told");
                told.extend(gaps);
                continue;
            }
            crate::crash::point("appended");
            self.write(|transaction| {
                transaction.execute("DELETE FROM audit_outbox WHERE seq <= ?1", [last.seq])?;
                Ok(())
            })?;
        }
    }

    /// Puts into the outbox what is wrong with the file, unless that waits there already: whoever was to append it may have failed again and again.
    fn tell_gaps(&self, gaps: &[Gap], file: &AuditFile) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut notes = Notes::default();
            for gap in gaps {
                let event = Event::from(gap.clone());
                let text = serde_json::to_string(&event).expect("an event is plain values");
                let waits: bool = transaction.query_row(
                    "SELECT EXISTS (SELECT 1 FROM audit_outbox WHERE instr(line, ?1) > 0)",
                    [text.trim_matches(['{', '}'])],
                    |row| row.get(0),
                )?;
                if waits {
                    continue;
                }
                tracing::error!(
                    "The audit log {} does not end as it did ({gap:?}); see `audit verify`",
                    file.path().display()
                );
                notes.notes.push(event.into());
                if let Gap::Missing { expected, found } = *gap
                    && found < expected
                {
                    let at = self.clock.now();
                    let missing = MissingLines {
                        at,
                        expected,
                        found,
                    };
                    let text = serde_json::to_string(&missing).expect("numbers and a time");
                    super::runs::set_fact(transaction, MISSING, &text)?;
                }
            }
            self.note(transaction, &notes)
        })
    }

    /// The lines that were found missing last, if that was in the last 30 days.
    pub fn missing_lines(&self) -> Result<Option<MissingLines>, StoreError> {
        let sql = "SELECT value FROM fact WHERE name = ?1";
        let text: Option<String> = self
            .lock()
            .query_row(sql, [MISSING], |row| row.get(0))
            .optional()?;
        let missing: Option<MissingLines> = text
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| StoreError::Unreadable("which lines of the audit log were missing"))?;
        let now = self.clock.now();
        Ok(missing.filter(|missing| now - missing.at < TOLD))
    }

    /// The end of the audit chain, lines that are not in the file yet included.
    pub fn audit_head(&self) -> Result<Head, StoreError> {
        head(&self.lock())
    }

    /// Up to which line the log was removed by age.
    pub(crate) fn audit_removed(&self) -> Result<Option<u64>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row("SELECT value FROM fact WHERE name = ?1", [REMOVED], |row| {
                row.get(0)
            })
            .optional()?;
        let number = |text: String| {
            text.parse()
                .map_err(|_| StoreError::Unreadable("the number of a line"))
        };
        text.map(number).transpose()
    }

    /// Remembers up to which line the log is to be removed, with the lines that tell of it.
    pub(crate) fn tell_removed(&self, last: u64, notes: &Notes) -> Result<(), StoreError> {
        self.write(|transaction| {
            super::runs::set_fact(transaction, REMOVED, &last.to_string())?;
            self.note(transaction, notes)
        })
    }

    /// Where the file of the log may end: behind what was appended surely, behind each line that waits, or behind the last of them; and what the lines that wait tell of the log.
    pub fn audit_ends(&self) -> Result<Ends, StoreError> {
        let mut connection = self.lock();
        let view = connection.transaction()?;
        let mut ends = Ends::default();
        {
            let mut select = view.prepare("SELECT seq, line FROM audit_outbox ORDER BY seq")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let (seq, text) = (row.get(0)?, row.get(1)?);
                if !ends.wait(&Line { seq, text }) {
                    return Err(StoreError::Unreadable("a line of the audit log"));
                }
            }
        }
        ends.heads.push(head(&view)?);
        Ok(ends)
    }

    fn pending(&self, most: u32) -> Result<Vec<Line>, StoreError> {
        let connection = self.lock();
        let mut select = connection
            .prepare_cached("SELECT seq, line FROM audit_outbox ORDER BY seq LIMIT ?1")?;
        let lines = select.query_map([most], |row| {
            Ok(Line {
                seq: row.get(0)?,
                text: row.get(1)?,
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

/// Packs what was rotated. Where that fails, nothing is lost and the next rotation tries again, so it is no reason to stop.
fn pack(file: &AuditFile) {
    let packed = file
        .try_keep()
        .and_then(|keeping| keeping.map_or(Ok(()), |keeping| file.pack(&keeping)));
    if let Err(error) = packed {
        tracing::warn!("A rotated file of the audit log could not be packed yet: {error}");
    }
}

pub(super) fn head(connection: &Connection) -> Result<Head, StoreError> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM fact WHERE name = ?1", [HEAD], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(text) = text else {
        return Ok(Head {
            seq: 0,
            hash: String::new(),
        });
    };
    let (seq, hash) = text
        .split_once(' ')
        .ok_or(StoreError::Unreadable("a head of the audit chain"))?;
    let seq = seq
        .parse()
        .map_err(|_| StoreError::Unreadable("a head of the audit chain"))?;
    Ok(Head {
        seq,
        hash: hash.to_owned(),
    })
}

impl From<Gap> for Event {
    fn from(gap: Gap) -> Self {
        match gap {
            Gap::Torn { bytes, sha256 } => Self::TornLineSealed { bytes, sha256 },
            Gap::Missing { expected, found } if found > expected => {
                Self::StoreIsBehind { expected, found }
            }
            Gap::Missing { expected, found } => Self::LinesMissing { expected, found },
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
