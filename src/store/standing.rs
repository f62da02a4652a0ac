//! What is known of an integration besides its snapshot: who would leave since when, who left of late, and facts such as what stops it.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::holds::Decision;
use super::{Notes, Store, StoreError, Target};
use crate::roster::HrId;
use crate::zone::Zone;

/// Since when somebody would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day that was counted.
    pub last_day: NaiveDate,
    /// On how many different days a complete delivery said so.
    pub days: u32,
    /// The deliveries that were counted last: of each source the identity of its file.
    pub deliveries: HashMap<String, String>,
    /// The end of the employment that their row tells, if it tells one.
    pub ended: Option<Ended>,
}

/// The end of an employment, as rows have told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The last day of the employment.
    pub last_day: NaiveDate,
    /// The first day on which a row said so.
    pub told: NaiveDate,
}

/// The selection rules and the source by which somebody was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source.
    pub source: String,
    /// Identifies the rules; 0 is none.
    pub rules: i64,
}

/// Until when nothing of an integration is pushed, on whose word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The last day.
    pub until: NaiveDate,
    /// The login user who paused it.
    pub user: String,
    /// Why.
    pub reason: String,
}

impl Pause {
    /// When it is over: at the begin of the day after its last.
    pub fn ends(&self, zone: Zone) -> DateTime<Utc> {
        let day = self.until.succ_opt().unwrap_or(self.until);
        let midnight = day.and_time(chrono::NaiveTime::MIN);
        // Where the clock leaves midnight out, the day begins an hour later.
        let begins = zone.from_local_datetime(&midnight).earliest();
        begins.map_or_else(|| midnight.and_utc(), |begins| begins.to_utc())
    }

    /// Whether it still holds on this day.
    pub fn holds_on(&self, today: NaiveDate) -> bool {
        self.until >= today
    }
}

/// What of an integration is remembered under a name; a name each is one kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Syncs of other installations that `adopt` took over, by their `syncId`.
    Adopted,
    /// JobTicket's numbers of people who lost their tickets by a push that was not about them.
    TicketsLost,
    /// Who without a link to the integration had a ticket before a push, until it was looked whether they still have it.
    Before,
    /// A push of which JobTicket did not show everything yet.
    Unconfirmed,
    /// The credential was refused.
    Refused,
    /// How often in a row runs could not reach or use JobTicket.
    Failures,
    /// The last scheduled time that was handled: a run of it has begun, or it was missed.
    Scheduled,
    /// The run that the service owes.
    Owed,
    /// Nothing is pushed until a day.
    Paused,
    /// How the last run ended.
    LastRun,
    /// Sources that failed when they were pulled last.
    FailedSources,
    /// By which name the request ledger knows the credential that was used last.
    Credential,
    /// Of each watched source, the file with which it failed last.
    Tried,
    /// Sources whose server refuses the login.
    Logins,
    /// Files that were used and could not be put away, by their sources.
    NotPutAway,
    /// JobTicket was found to differ from the snapshot.
    FoundDrift,
}

impl Fact {
    fn name(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::TicketsLost => "tickets_lost",
            Self::Before => "before",
            Self::Unconfirmed => "unconfirmed",
            Self::Refused => "refused",
            Self::Failures => "failures",
            Self::Scheduled => "scheduled",
            Self::Owed => "owed",
            Self::Paused => "paused",
            Self::LastRun => "last_run",
            Self::FailedSources => "failed_sources",
            Self::Credential => "credential",
            Self::Tried => "tried",
            Self::Logins => "logins",
            Self::NotPutAway => "not_put_away",
            Self::FoundDrift => "found_drift",
        }
    }
}

impl Store {
    /// Who would leave, since when.
    pub fn missing(&self, target: &Target) -> Result<HashMap<HrId, Missing>, StoreError> {
        let unreadable = || StoreError::Unreadable("a day of somebody who is missing");
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT hr_id, first_day, last_day, days, deliveries, ended, ended_told FROM missing WHERE target = ?1",
        )?;
        let mut rows = select.query([target.as_str()])?;
        let mut found = HashMap::new();
        while let Some(row) = rows.next()? {
            let (hr_id, first, last): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let deliveries: String = row.get(4)?;
            let day = |text: String| text.parse().map_err(|_| unreadable());
            let ended: Option<String> = row.get(5)?;
            let told: Option<String> = row.get(6)?;
            let ended = match ended.zip(told) {
                None => None,
                Some((last_day, told)) => Some(Ended {
                    last_day: day(last_day)?,
                    told: day(told)?,
                }),
            };
            let missing = Missing {
                first_day: day(first)?,
                last_day: day(last)?,
                days: row.get(3)?,
                deliveries: serde_json::from_str(&deliveries).map_err(|_| unreadable())?,
                ended,
            };
            found.insert(HrId::new(&hr_id), missing);
        }
        Ok(found)
    }

    /// Replaces what is known of people who would leave.
    pub fn keep_missing(
        &self,
        target: &Target,
        missing: &HashMap<HrId, Missing>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM missing WHERE target = ?1", [target.as_str()])?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO missing (target, hr_id, first_day, last_day, days, deliveries, ended, ended_told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for (hr_id, missing) in missing {
                insert.execute(params![
                    target.as_str(),
                    hr_id.as_str(),
                    missing.first_day.to_string(),
                    missing.last_day.to_string(),
                    missing.days,
                    serde_json::to_string(&missing.deliveries).expect("names and hashes are text"),
                    missing.ended.map(|ended| ended.last_day.to_string()),
                    missing.ended.map(|ended| ended.told.to_string()),
                ])?;
            }
            Ok(())
        })
    }

    /// The days, `since` one of them, on which people left without an explanation and without an approval: one for each of them.
    pub fn left_unasked(
        &self,
        target: &Target,
        since: NaiveDate,
    ) -> Result<Vec<NaiveDate>, StoreError> {
        let connection = self.lock();
        let mut select = connection
            .prepare_cached("SELECT day FROM leaver WHERE target = ?1 AND unasked AND day >= ?2")?;
        let days = select
            .query_map(params![target.as_str(), since.to_string()], |row| {
                row.get::<_, String>(0)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let parsed = days.iter().map(|day| day.parse());
        parsed
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Unreadable("a day on which somebody left"))
    }

    /// Of these people those whom we offboarded, since the last adoption, and who have not been acknowledged again.
    pub fn offboarded(&self, target: &Target, hr_ids: &[HrId]) -> Result<Vec<HrId>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM leaver WHERE target = ?1 AND hr_id = ?2 AND ours)
                AND NOT EXISTS (SELECT 1 FROM acknowledged WHERE target = ?1 AND hr_id = ?2)",
        )?;
        let mut found = Vec::new();
        for hr_id in hr_ids {
            if select.query_row([target.as_str(), hr_id.as_str()], |row| row.get(0))? {
                found.push(hr_id.clone());
            }
        }
        Ok(found)
    }

    /// By which source and under which rules these people were acknowledged.
    pub fn origins<'i>(
        &self,
        target: &Target,
        hr_ids: impl IntoIterator<Item = &'i HrId>,
    ) -> Result<HashMap<HrId, Origin>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT source, rules FROM acknowledged WHERE target = ?1 AND hr_id = ?2",
        )?;
        let mut found = HashMap::new();
        for hr_id in hr_ids {
            let origin = select
                .query_row([target.as_str(), hr_id.as_str()], |row| {
                    Ok(Origin {
                        source: row.get(0)?,
                        rules: row.get(1)?,
                    })
                })
                .optional()?;
            found.extend(origin.map(|origin| (hr_id.clone(), origin)));
        }
        Ok(found)
    }

    /// Remembers that these people are in the roster under these rules too: it is the acknowledged one, so that nothing is pushed for it.
    pub fn mark_rules<'i>(
        &self,
        target: &Target,
        rules: i64,
        hr_ids: impl Iterator<Item = &'i HrId>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut update = transaction.prepare_cached(
                "UPDATE snapshot_employee SET rules = ?3
                 WHERE snapshot = (SELECT number FROM snapshot WHERE target = ?1) AND hr_id = ?2 AND rules <> ?3",
            )?;
            for hr_id in hr_ids {
                update.execute(params![target.as_str(), hr_id.as_str(), rules])?;
            }
            Ok(())
        })
    }

    /// A fact of an integration.
    pub fn fact<T: DeserializeOwned>(
        &self,
        target: &Target,
        fact: Fact,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self
            .lock()
            .query_row(
                "SELECT value FROM target_fact WHERE target = ?1 AND name = ?2",
                [target.as_str(), fact.name()],
                |row| row.get(0),
            )
            .optional()?;
        text.map(|text| {
            serde_json::from_str(&text)
                .map_err(|_| StoreError::Unreadable("a fact of an integration"))
        })
        .transpose()
    }

    /// The pause of an integration, which may be over by its date.
    pub fn pause(&self, target: &Target) -> Result<Option<Pause>, StoreError> {
        self.fact(target, Fact::Paused)
    }

    /// Remembers a fact of an integration, or forgets it where there is no value.
    pub fn set_fact<T: Serialize>(
        &self,
        target: &Target,
        fact: Fact,
        value: Option<&T>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            write_fact(transaction, target, fact, value)?;
            self.note(transaction, notes)
        })
    }

    /// Remembers that a scheduled time was handled, and the run that is owed for it, at once.
    pub fn handle_schedule<T: Serialize>(
        &self,
        target: &Target,
        handled: Option<&DateTime<Utc>>,
        owed: Option<&T>,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            write_fact(transaction, target, Fact::Scheduled, handled)?;
            write_fact(transaction, target, Fact::Owed, owed)?;
            self.note(transaction, notes)
        })
    }

    /// Takes over from another installation: its syncIds count as ours from now on, and a restored state is ours again. Approvals were given of a state of things that is no
    /// more, so their people wait again; `notes` is told the numbers of those holds.
    pub fn adopt(
        &self,
        target: &Target,
        integration: &str,
        sync_ids: &[String],
        decision: &Decision<'_>,
        notes: impl FnOnce(&[u64]) -> Notes,
    ) -> Result<(), StoreError> {
        let mut adopted: Vec<String> = self.fact(target, Fact::Adopted)?.unwrap_or_default();
        adopted.extend(sync_ids.iter().cloned());
        adopted.sort();
        adopted.dedup();
        self.write(|transaction| {
            write_fact(transaction, target, Fact::Adopted, Some(&adopted))?;
            self.keep_decision(
                transaction,
                (target.as_str(), integration),
                None,
                "adopt",
                decision,
                &[],
                None,
            )?;
            super::restored::clear_restored(transaction, target)?;
            transaction.execute(
                "UPDATE leaver SET ours = 0 WHERE target = ?1",
                [target.as_str()],
            )?;
            let void = super::decide::void_approvals(transaction, target)?;
            self.note(transaction, &notes(&void))
        })?;
        crate::crash::point("decided");
        Ok(())
    }

    /// Whether a push of this store, or of an installation that was adopted, had this syncId.
    pub fn is_ours(&self, target: &Target, sync_id: &str) -> Result<bool, StoreError> {
        let adopted: Vec<String> = self.fact(target, Fact::Adopted)?.unwrap_or_default();
        let pushed: bool = self.lock().query_row(
            "SELECT EXISTS (SELECT 1 FROM push WHERE target = ?1 AND sync_id = ?2)",
            [target.as_str(), sync_id],
            |row| row.get(0),
        )?;
        Ok(pushed || adopted.iter().any(|ours| ours == sync_id))
    }
}

pub(super) fn write_fact<T: Serialize>(
    transaction: &Transaction<'_>,
    target: &Target,
    fact: Fact,
    value: Option<&T>,
) -> Result<(), StoreError> {
    match value {
        Some(value) => transaction.execute(
            "INSERT INTO target_fact (target, name, value) VALUES (?1, ?2, ?3) ON CONFLICT (target, name) DO UPDATE SET value = ?3",
            params![
                target.as_str(),
                fact.name(),
                serde_json::to_string(value).expect("facts are plain values")
            ],
        )?,
        None => transaction.execute(
            "DELETE FROM target_fact WHERE target = ?1 AND name = ?2",
            [target.as_str(), fact.name()],
        )?,
    };
    Ok(())
}
