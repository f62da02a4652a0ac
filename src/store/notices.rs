//! What people are told: what they were told of and still stands, and an outbox of what is on its way to them.
//!
//! A row is claimed before it is sent and settled afterwards, so that no two processes send it, a restart loses none, and one that was cut off in the middle is sent once more
//! under the same identity. Nothing in it is personal but hrIds.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Transaction, params};
use serde::Serialize;

use super::{Store, StoreError, Target};
use crate::exit::Exit;

/// Of settled rows so many days are kept, for `status`.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Nothing is put off for longer than this, so what is due later was put off by a clock that was wrong, and is due now.
pub(crate) const LONGEST_PUT_OFF: TimeDelta = TimeDelta::hours(24);
/// A clock that is set back by less than this was never wrong, and what it has marked counts.
const SET_BACK: TimeDelta = TimeDelta::hours(1);
/// No more rows wait for a channel; the oldest are dropped. Ours: nobody reads a thousand mails.
const MOST_WAITING: u32 = 1000;

/// Something new, for each of these channels.
#[derive(Debug, Clone)]
pub struct News {
    /// What it is about, such as `hold:7`.
    pub subject: String,
    /// What is told, JSON; `None` where it is only remembered that there is nothing to tell of it.
    pub news: Option<String>,
    /// To whom.
    pub channels: Vec<String>,
}

/// A row of the outbox.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its number.
    pub id: u64,
    /// Over which channel.
    pub channel: String,
    /// The key of the integration's state; empty where it concerns all.
    pub target: String,
    /// The integration's name; empty where it concerns all.
    pub integration: String,
    /// What it is about.
    pub subject: String,
    /// What is told, JSON.
    pub news: String,
    /// Identifies it to whoever receives it.
    pub message: String,
    /// When it became news.
    pub made_at: DateTime<Utc>,
    /// How often it was tried.
    pub tries: u32,
    /// Who still has to get it, where some of the channel's receivers have it already.
    pub receivers: Option<Vec<String>>,
}

/// How a channel stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelState {
    /// Messages on their way.
    pub waiting: u32,
    /// When it sent one last.
    pub last_sent: Option<DateTime<Utc>>,
    /// Since when it fails.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why.
    pub error: Option<String>,
    /// When it is tried next.
    pub next_try: Option<DateTime<Utc>>,
    /// Messages of the last 30 days that were given up.
    pub given_up: u32,
}

/// From when on a time at which something is due can only be a wrong clock's, in milliseconds since 1970.
fn far(now: DateTime<Utc>) -> i64 {
    (now + LONGEST_PUT_OFF + TimeDelta::hours(1)).timestamp_millis()
}

fn time(text: &str) -> Result<DateTime<Utc>, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Unreadable("the time of a notification"))
}

/// Puts something new into the outbox, a row for each channel.
fn queue(
    transaction: &Transaction<'_>,
    (target, integration): (&str, &str),
    news: &News,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(text) = &news.news else {
        return Ok(());
    };
    for channel in &news.channels {
        transaction.execute(
            "INSERT INTO notice (channel, target, integration, subject, news, message, made_at, state, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waits', ?8)",
            params![channel, target, integration, news.subject, text, uuid::Uuid::new_v4().to_string(), now.to_rfc3339(), now.timestamp_millis()],
        )?;
        transaction.execute(
            "UPDATE notice SET state = 'dropped', done = ?3 WHERE state = 'waits' AND channel = ?1
               AND id <= (SELECT id FROM notice WHERE state = 'waits' AND channel = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            params![channel, MOST_WAITING, now.timestamp_millis()],
        )?;
    }
    Ok(())
}

/// Puts off everything that waits for a channel.
fn put_off_channel(
    transaction: &Transaction<'_>,
    channel: &str,
    due: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE notice SET due = CASE WHEN due > ?3 THEN ?2 ELSE max(due, ?2) END WHERE state = 'waits' AND channel = ?1",
        params![channel, due.timestamp_millis(), far(now)],
    )?;
    Ok(())
}

impl Store {
    /// What somebody was told of in a target and still stands, and since when; the empty target is the whole installation.
    pub fn told(
        &self,
        target: Option<&Target>,
    ) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
        let connection = self.lock();
        let mut select =
            connection.prepare_cached("SELECT subject, since FROM told WHERE target = ?1")?;
        let mut rows = select.query([target.map_or("", Target::as_str)])?;
        let mut told = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let since: String = row.get(1)?;
            told.insert(row.get(0)?, time(&since)?);
        }
        Ok(told)
    }

    /// Remembers what is new and what is over, and puts what is to be told into the outbox. What another process has told meanwhile is told by nobody again.
    pub fn tell(
        &self,
        (target, integration): (Option<&Target>, &str),
        new: &[News],
        over: &[News],
    ) -> Result<(), StoreError> {
        if new.is_empty() && over.is_empty() {
            return Ok(());
        }
        let target = target.map_or("", Target::as_str);
        let now = self.clock.now();
        self.write(|transaction| {
            let queue = |news: &News| queue(transaction, (target, integration), news, now);
            for news in over {
                let gone = transaction.execute(
                    "DELETE FROM told WHERE target = ?1 AND subject = ?2",
                    [target, &news.subject],
                )?;
                if gone > 0 {
                    queue(news)?;
                }
            }
            for news in new {
                let is_new = transaction.execute(
                    "INSERT INTO told (target, subject, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    params![target, news.subject, now.to_rfc3339()],
                )?;
                if is_new > 0 {
                    queue(news)?;
                }
            }
            transaction.execute(
                "DELETE FROM notice WHERE state <> 'waits' AND done < ?1",
                [(now - KEPT).timestamp_millis()],
            )?;
            Ok(())
        })
    }

    /// A channel is new to a target: it hears once of what stands and was told to the others. `mark` remembers that it has.
    pub fn tell_newcomer(
        &self,
        (target, integration): (&Target, &str),
        mark: &str,
        stands: &[News],
    ) -> Result<(), StoreError> {
        let (target, now) = (target.as_str(), self.clock.now());
        self.write(|transaction| {
            let is_new = transaction.execute(
                "INSERT INTO told (target, subject, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![target, mark, now.to_rfc3339()],
            )?;
            for news in stands.iter().filter(|_| is_new > 0) {
                queue(transaction, (target, integration), news, now)?;
            }
            Ok(())
        })
    }

    /// Notifications that are due over a channel: holds before everything else, then in their order.
    pub fn notices_due(&self, channel: &str, most: u32) -> Result<Vec<Notice>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT id, channel, target, integration, subject, news, message, made_at, tries, receivers FROM notice
             WHERE state = 'waits' AND channel = ?1 AND (due <= ?2 OR due > ?3) ORDER BY subject NOT LIKE 'hold:%', id LIMIT ?4",
        )?;
        let now = self.clock.now();
        let mut rows = select.query(params![channel, now.timestamp_millis(), far(now), most])?;
        let mut due = Vec::new();
        while let Some(row) = rows.next()? {
            let made_at: String = row.get(7)?;
            let receivers: Option<String> = row.get(9)?;
            let receivers = receivers.map(|receivers| serde_json::from_str(&receivers));
            due.push(Notice {
                id: row.get(0)?,
                channel: row.get(1)?,
                target: row.get(2)?,
                integration: row.get(3)?,
                subject: row.get(4)?,
                news: row.get(5)?,
                message: row.get(6)?,
                made_at: time(&made_at)?,
                tries: row.get(8)?,
                receivers: receivers
                    .transpose()
                    .map_err(|_| StoreError::Unreadable("the receivers of a notification"))?,
            });
        }
        Ok(due)
    }

    /// Takes a notification for sending; whether it was still there to take. Whoever is cut off while sending leaves it to be sent again after `until`.
    pub fn claim_notice(&self, id: u64, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.write(|transaction| {
            let taken = transaction.execute(
                "UPDATE notice SET due = ?2, tries = tries + 1 WHERE id = ?1 AND state = 'waits' AND (due <= ?3 OR due > ?4)",
                params![id, until.timestamp_millis(), now.timestamp_millis(), far(now)],
            )?;
            Ok(taken > 0)
        })
    }

    /// A notification was sent, or with `why` is not to be sent any more.
    pub fn settle_notice(&self, id: u64, state: &str, why: Option<&str>) -> Result<(), StoreError> {
        let now = self.clock.now().timestamp_millis();
        self.write(|transaction| {
            transaction.execute(
                "UPDATE notice SET state = ?2, done = ?3, error = ?4 WHERE id = ?1",
                params![id, state, now, why],
            )?;
            if state == "dropped" {
                // A reminder of a hold that was replaced meanwhile: whoever has not heard it hears it of the one that stands.
                transaction.execute(
                    "DELETE FROM told WHERE (target, subject) = (SELECT target, subject FROM notice WHERE id = ?1) AND subject GLOB 'hold:*:*'",
                    [id],
                )?;
            }
            Ok(())
        })
    }

    /// A notification could not be sent and is tried again at `due`; with `all`, so is everything that waits for its channel.
    pub fn put_off_notice(
        &self,
        notice: &Notice,
        due: DateTime<Utc>,
        error: &str,
        all: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write(|transaction| {
            // Times of a clock that was wrong begin anew, or it would never be given up.
            transaction.execute(
                "UPDATE notice SET due = ?2, error = ?3, made_at = CASE WHEN julianday(made_at) > julianday(?4) THEN ?4 ELSE made_at END,
                    failed_since = CASE WHEN julianday(failed_since) <= julianday(?4) THEN failed_since ELSE ?4 END WHERE id = ?1",
                params![notice.id, due.timestamp_millis(), error, now.to_rfc3339()],
            )?;
            if all {
                put_off_channel(transaction, &notice.channel, due, now)?;
            }
            Ok(())
        })
    }

    /// Remembers who still has to get a notification: the others have it.
    pub fn keep_receivers(&self, id: u64, receivers: &[String]) -> Result<(), StoreError> {
        let receivers = serde_json::to_string(receivers).expect("addresses are text");
        self.write(|transaction| {
            transaction.execute(
                "UPDATE notice SET receivers = ?2 WHERE id = ?1",
                params![id, receivers],
            )?;
            Ok(())
        })
    }

    /// Puts off everything that waits for a channel, which has sent as many messages as it may; nothing is wrong with it.
    pub fn hold_back_channel(&self, channel: &str, due: DateTime<Utc>) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write(|transaction| put_off_channel(transaction, channel, due, now))
    }

    /// Drops what waits for channels that are not there any more.
    pub fn drop_other_channels(&self, channels: &[&str]) -> Result<(), StoreError> {
        let now = self.clock.now().timestamp_millis();
        let known = serde_json::to_string(channels).expect("names are text");
        let sql = "SELECT EXISTS (SELECT 1 FROM notice WHERE state = 'waits' AND channel NOT IN (SELECT value FROM json_each(?1)))";
        let any: bool = self.lock().query_row(sql, [&known], |row| row.get(0))?;
        if !any {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.execute(
                "UPDATE notice SET state = 'dropped', done = ?2 WHERE state = 'waits' AND channel NOT IN (SELECT value FROM json_each(?1))",
                params![known, now],
            )?;
            Ok(())
        })
    }

    /// Until when something counts as done already, milliseconds since 1970: a clock may be set back a little, and one that was far ahead has marked nothing of today.
    fn so_far(&self) -> i64 {
        (self.clock.now() + SET_BACK).timestamp_millis()
    }

    /// When a channel has sent its messages between a time and now, oldest first.
    pub fn sent_since(
        &self,
        channel: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT done FROM notice WHERE state = 'sent' AND channel = ?1 AND done BETWEEN ?2 + 1 AND ?3 ORDER BY done",
        )?;
        let times = select.query_map(
            params![channel, since.timestamp_millis(), self.so_far()],
            |row| row.get::<_, i64>(0),
        )?;
        let times: Vec<i64> = times.collect::<Result<_, _>>()?;
        Ok(times
            .into_iter()
            .filter_map(DateTime::from_timestamp_millis)
            .collect())
    }

    /// How a channel stands.
    pub fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT count(*) FILTER (WHERE state = 'waits'), max(done) FILTER (WHERE state = 'sent' AND done <= ?2),
                    min(failed_since) FILTER (WHERE state = 'waits'), min(due) FILTER (WHERE state = 'waits' AND error IS NOT NULL),
                    count(*) FILTER (WHERE state = 'given up'),
                    (SELECT error FROM notice WHERE channel = ?1 AND state = 'waits' AND error IS NOT NULL ORDER BY tries DESC, id LIMIT 1)
             FROM notice WHERE channel = ?1",
        )?;
        let mut rows = select.query(params![channel, self.so_far()])?;
        let Some(row) = rows.next()? else {
            return Ok(ChannelState::default());
        };
        let at = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis);
        let since: Option<String> = row.get(2)?;
        Ok(ChannelState {
            waiting: row.get(0)?,
            last_sent: at(row.get(1)?),
            failing_since: since.as_deref().map(time).transpose()?,
            next_try: at(row.get(3)?),
            given_up: row.get(4)?,
            error: row.get(5)?,
        })
    }

    /// How many runs of a target in a row have failed until now, and when the first of them began. One whose source failed has failed, although its last roster stands in.
    /// Dry runs are no runs, and those that a pause, a stop or another run turned away say nothing.
    pub fn failed_in_a_row(
        &self,
        target: &Target,
    ) -> Result<(u32, Option<DateTime<Utc>>), StoreError> {
        const FINE: [&str; 3] = ["pushed", "unchanged", "held"];
        const NONE: [&str; 4] = ["another run in progress", "paused", "stopped", "would push"];
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT outcome, started_at, exit_code FROM run WHERE target = ?1 AND outcome IS NOT NULL ORDER BY started_at DESC, id DESC LIMIT 1000",
        )?;
        let mut rows = select.query([target.as_str()])?;
        let (mut failed, mut first) = (0, None);
        while let Some(row) = rows.next()? {
            let (outcome, started): (String, String) = (row.get(0)?, row.get(1)?);
            // Runs of an earlier version have no exit code.
            let exit: Option<u8> = row.get(2)?;
            let source_failed = exit == Some(Exit::SourceFailed.code());
            if FINE.contains(&outcome.as_str()) && !source_failed {
                break;
            }
            if !NONE.contains(&outcome.as_str()) {
                failed += 1;
                first = Some(time(&started)?);
            }
        }
        Ok((failed, first))
    }

    /// How many runs of a target that began since a time have ended how.
    pub fn outcomes_since(
        &self,
        target: &Target,
        since: DateTime<Utc>,
    ) -> Result<BTreeMap<String, u32>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT outcome, count(*) FROM run WHERE target = ?1 AND outcome IS NOT NULL AND julianday(started_at) >= julianday(?2) GROUP BY outcome",
        )?;
        let rows = select.query_map([target.as_str(), &since.to_rfc3339()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many people of a target were offboarded since a time.
    pub fn left_since(&self, target: &Target, since: DateTime<Utc>) -> Result<u32, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached(
            "SELECT count(*) FROM leaver WHERE target = ?1 AND julianday(left_at) >= julianday(?2)",
        )?;
        Ok(select.query_row([target.as_str(), &since.to_rfc3339()], |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Notes;
    use super::*;
    use crate::clock::Clock;

    const NOW: &str = "2026-11-28T10:00:00Z";

    fn store() -> Store {
        Store::in_memory(Clock::starting_at(NOW.parse().unwrap())).unwrap()
    }

    fn set(store: &mut Store, ahead: TimeDelta) {
        let now: DateTime<Utc> = NOW.parse().unwrap();
        store.clock = store.clock.set_to(now + ahead);
    }

    fn tell(store: &Store, subject: &str) {
        let news = News {
            subject: subject.to_owned(),
            news: Some("{}".to_owned()),
            channels: vec!["hr".to_owned()],
        };
        store.tell((None, ""), &[news], &[]).unwrap();
    }

    #[test]
    fn what_a_clock_that_was_wrong_has_put_off_is_due_when_it_is_right_again() {
        let mut store = store();
        set(&mut store, TimeDelta::days(400));
        tell(&store, "failed");
        let now = store.clock.now();
        let notice = store.notices_due("hr", 10).unwrap().pop().unwrap();
        let due = now + TimeDelta::minutes(4);
        store.put_off_notice(&notice, due, "no", true).unwrap();
        set(&mut store, TimeDelta::zero());
        tell(&store, "drift");
        let now = store.clock.now();
        let due = store.notices_due("hr", 10).unwrap();
        assert_eq!(due.len(), 2);
        assert!(
            store
                .claim_notice(due[0].id, now + TimeDelta::minutes(10))
                .unwrap()
        );
        // A wait that is ours is kept, for everything of the channel.
        let later = now + TimeDelta::hours(20);
        store.put_off_notice(&due[0], later, "no", true).unwrap();
        assert!(store.notices_due("hr", 10).unwrap().is_empty());
        let state = store.channel_state("hr").unwrap();
        assert!(state.failing_since.unwrap() < later, "{state:?}");
        assert_eq!(state.next_try.unwrap().timestamp(), later.timestamp());
        set(&mut store, TimeDelta::hours(21));
        let due = store.notices_due("hr", 10).unwrap();
        assert_eq!(due.len(), 2);
        assert!(due[0].made_at < store.clock.now(), "it can be given up");
    }

    #[test]
    fn what_a_clock_that_was_wrong_has_sent_does_not_count_for_this_hour() {
        let mut store = store();
        set(&mut store, TimeDelta::days(400));
        tell(&store, "failed");
        store.settle_notice(1, "sent", None).unwrap();
        let sent = |store: &Store| {
            let since = store.clock.now() - TimeDelta::hours(1);
            store.sent_since("hr", since).unwrap().len()
        };
        assert_eq!(sent(&store), 1);
        set(&mut store, TimeDelta::zero());
        assert_eq!(sent(&store), 0);
        assert_eq!(store.channel_state("hr").unwrap().last_sent, None);
    }

    #[test]
    fn a_reminder_that_was_dropped_unheard_is_told_again_and_a_hold_is_not() {
        let store = store();
        for (id, subject) in [(1, "hold:7"), (2, "hold:7:72")] {
            tell(&store, subject);
            store
                .settle_notice(id, "dropped", Some("it was no news any more"))
                .unwrap();
        }
        let told = store.told(None).unwrap();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["hold:7"]);
    }

    #[test]
    fn a_run_whose_source_failed_has_failed_although_its_last_roster_stood_in() {
        let store = store();
        let target = Target::new("https://a.example", 7);
        let run = |id: &str, outcome: &str, exit: Exit| {
            store
                .begin_run(id, &target, "test", &Notes::default())
                .unwrap();
            let none: Option<&()> = None;
            store
                .end_run(id, &target, (outcome, exit), none, &Notes::default())
                .unwrap();
            store.failed_in_a_row(&target).unwrap().0
        };
        assert_eq!(run("1", "pushed", Exit::SourceFailed), 1);
        assert_eq!(run("2", "unchanged", Exit::SourceFailed), 2);
        assert_eq!(run("3", "paused", Exit::Waits), 2, "a pause says nothing");
        assert_eq!(run("4", "refused", Exit::Refused), 3);
        assert_eq!(run("5", "held", Exit::Waits), 0);
        assert_eq!(run("6", "held", Exit::SourceFailed), 1);
        assert_eq!(run("7", "pushed", Exit::RowsRejected), 0);
    }

    #[test]
    fn a_channel_that_is_new_hears_once_of_what_stands() {
        let store = store();
        let target = Target::new("https://a.example", 7);
        let news = News {
            subject: "hold:1".to_owned(),
            news: Some("{}".to_owned()),
            channels: vec!["hr".to_owned()],
        };
        for _ in 0..2 {
            let who = (&target, "acme");
            store
                .tell_newcomer(who, "channel:hr", std::slice::from_ref(&news))
                .unwrap();
        }
        assert_eq!(store.notices_due("hr", 10).unwrap().len(), 1);
        assert!(
            store
                .told(Some(&target))
                .unwrap()
                .contains_key("channel:hr")
        );
    }
}
