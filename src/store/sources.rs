//! What each source delivered last, so that it can stand in, and so that "unchanged" is known.

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::spool::Spool;
use super::{Notes, Store, StoreError, Target, pieces};
use crate::roster::{Delivery, HrId, Row, Unselected};

/// A delivery to remember.
#[derive(Debug)]
pub struct Delivered<'d> {
    /// The source.
    pub source: &'d str,
    /// Identity of its file, as the source itself writes it; `None` where the source is in order and has nothing newer.
    pub taken: Option<&'d str>,
    /// Identifies the rules by which it was read.
    pub mapping_hash: &'d str,
    /// Its rows, from [`pieces_of`]; `None` where they are those that are kept already.
    pub pieces: Option<&'d Spool>,
}

/// A delivery in the form in which it is kept; one that is large waits in `folder`.
pub fn pieces_of(delivery: &Delivery, folder: &Path) -> Spool {
    let mut spool = Spool::new(folder);
    pieces::of_all(&delivery.rows, Row::write_json, |piece| spool.push(piece));
    let unselected = delivery
        .unselected
        .iter()
        .map(|(hr_id, why)| Kept::<Row>::Unselected {
            unselected: hr_id.clone(),
            why: why.clone(),
        });
    pieces::of(unselected).for_each(|piece| spool.push(piece));
    spool
}

/// What is remembered of a source, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// Identity of the file taken last.
    pub taken: String,
    /// Identifies the rules by which it was read.
    pub mapping_hash: String,
    /// When the source was last in order, even if with nothing newer.
    pub delivered_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept<R> {
    Row(R),
    Unselected { unselected: HrId, why: Unselected },
}

impl Store {
    /// What a source delivered last.
    pub fn source(&self, target: &Target, name: &str) -> Result<Option<SourceState>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT taken, mapping_hash, delivered_at FROM source WHERE target = ?1 AND name = ?2",
        )?;
        let found = select
            .query_row([target.as_str(), name], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
            .optional()?;
        let Some((taken, mapping_hash, at)) = found else {
            return Ok(None);
        };
        let delivered_at = DateTime::parse_from_rfc3339(&at)
            .map_err(|_| StoreError::Unreadable("the time of a delivery"))?
            .to_utc();
        Ok(Some(SourceState {
            taken,
            mapping_hash,
            delivered_at,
        }))
    }

    /// The last good roster of a source.
    pub fn source_rows(&self, target: &Target, name: &str) -> Result<Delivery, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT content FROM source_rows WHERE target = ?1 AND name = ?2 ORDER BY piece",
        )?;
        let mut found = select.query([target.as_str(), name])?;
        let mut delivery = Delivery::default();
        while let Some(piece) = found.next()? {
            for kept in pieces::read::<Kept<Row>>(
                piece.get_ref(0)?.as_blob().unwrap_or_default(),
                "a roster of a source",
            )? {
                match kept {
                    Kept::Row(row) => delivery.rows.push(row),
                    Kept::Unselected { unselected, why } => {
                        delivery.unselected.insert(unselected, why);
                    }
                }
            }
        }
        Ok(delivery)
    }

    /// Remembers deliveries.
    pub fn keep_sources(
        &self,
        target: &Target,
        delivered: &[Delivered<'_>],
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let now = self.clock.now().to_rfc3339();
            for Delivered { source, taken, mapping_hash, pieces } in delivered {
                let Some(taken) = taken else {
                    transaction.execute(
                        "UPDATE source SET delivered_at = ?3 WHERE target = ?1 AND name = ?2",
                        [target.as_str(), source, now.as_str()],
                    )?;
                    continue;
                };
                transaction.execute(
                    "INSERT INTO source (target, name, taken, mapping_hash, delivered_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (target, name) DO UPDATE SET taken = ?3, mapping_hash = ?4, delivered_at = ?5",
                    params![target.as_str(), source, taken, mapping_hash, now],
                )?;
                let Some(pieces) = pieces else { continue };
                transaction.execute(
                    "DELETE FROM source_rows WHERE target = ?1 AND name = ?2",
                    [target.as_str(), source],
                )?;
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO source_rows (target, name, piece, content) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let mut numbers = 0i64..;
                pieces.each(|piece| {
                    let number = numbers.next();
                    insert.execute(params![target.as_str(), source, number, piece])?;
                    Ok(())
                })?;
            }
            self.note(transaction, notes)
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::clock::Clock;
    use crate::roster::{Employee, Field, Rare, Wrong};

    #[test]
    fn a_delivery_comes_back_as_it_was_kept_and_so_does_one_of_before() {
        let store = Store::in_memory(Clock::system()).unwrap();
        let target = Target::new("http://127.0.0.1:1", 7);
        let row = |line: u64| {
            let hr_id = HrId::new(&format!("{line:05}"));
            let mut employee = Employee::new(hr_id, "Zoë", "\"Weiß\"", "z@example.com");
            employee.start_date = NaiveDate::from_ymd_opt(2020, 2, 29);
            let mut wrong = Rare::default();
            if line.is_multiple_of(2) {
                employee.auto_sync_employee = Some(true);
                let absence = [("type".to_owned(), "parental".to_owned())].into();
                employee.absences.extend(Some(absence));
                wrong.push((Field::StartDate, Wrong::NotADate));
            }
            let employee = employee.into();
            Row {
                line,
                employee,
                wrong,
            }
        };
        let column = "Kreis".to_owned();
        let delivery = Delivery {
            rows: (2..5_000).map(row).collect(),
            unselected: [(HrId::new("9"), Unselected::Excluded { column })].into(),
            ..Delivery::default()
        };
        let keep = |pieces: &Spool| {
            let delivered = Delivered {
                source: "one",
                taken: Some("{}"),
                mapping_hash: "",
                pieces: Some(pieces),
            };
            let notes = Notes::default();
            store.keep_sources(&target, &[delivered], &notes).unwrap();
            let back = store.source_rows(&target, "one").unwrap();
            assert!(back.rows == delivery.rows);
            back.unselected
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            keep(&pieces_of(&delivery, folder.path())),
            delivery.unselected
        );
        let mut before = Spool::new(folder.path());
        let named = delivery.rows.iter().map(Kept::Row);
        pieces::of(named).for_each(|piece| before.push(piece));
        assert!(keep(&before).is_empty());
    }
}
