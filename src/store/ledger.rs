//! The request ledger: the last request times of a credential, shared by all processes that use it, and `governor` behind it as the pacer.
//!
//! The limit is 100 requests in any 60 seconds, past which the credential is blocked for 5 minutes ("JobTicket API overview, Rate Limiting"). `governor` alone lets a burst and
//! its refill through together, so the exact ledger stands in front: a slot is reserved on disk before the request leaves. The window is 5 seconds wider than the vendor's,
//! for a request may take longer on its way than the one after it. A clock that went backwards counts as a full window.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{StoreError, make_folder, open_private};
use crate::clock::{Clock, Ticks};
use crate::digest::sha256;
use crate::jobticket::{GateClosed, LONGEST_BLOCK, RequestGate};

/// Requests that the vendor allows in a window.
const MOST: u32 = 100;
/// The vendor's window and our margin.
const WINDOW: Duration = Duration::from_secs(60 + 5);
/// Requests that may leave at once before the pacer spreads them.
const BURST: u32 = 10;

/// The file of the ledger in its folder.
pub(super) const FILE: &str = "requests.db";

type Pacer = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// The rate limit of one credential.
#[derive(Debug, Clone)]
pub struct Ledger {
    connection: Arc<Mutex<Connection>>,
    credential: String,
    clock: Clock,
    pacer: Arc<Pacer>,
    /// Milliseconds that requests have waited here.
    waited: Arc<AtomicU64>,
}

/// What the ledger says to a request.
enum Slot {
    Reserved,
    Wait(Duration),
    Blocked(DateTime<Utc>),
}

impl Ledger {
    /// Opens the ledger in `folder` for the credential with this key id, of which only a hash is stored.
    pub fn open(folder: &Path, key_id: &str, clock: Clock) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let path = folder.join(FILE);
        let connection = Self::prepare_connection(&path).map_err(|error| error.named(&path))?;
        let period = WINDOW / (MOST - BURST);
        let burst = BURST.try_into().expect("the burst is not zero");
        let quota = Quota::with_period(period)
            .expect("the period is not zero")
            .allow_burst(burst);
        let ticks = clock.ticks();
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            credential: sha256(key_id),
            clock,
            pacer: Arc::new(RateLimiter::direct_with_clock(quota, ticks)),
            waited: Arc::default(),
        })
    }

    fn prepare_connection(path: &Path) -> Result<Connection, StoreError> {
        let connection = open_private(path)?;
        super::use_wal(&connection)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS request (credential TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
             CREATE INDEX IF NOT EXISTS request_by_time ON request (credential, at);
             CREATE TABLE IF NOT EXISTS block (credential TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;",
        )?;
        Ok(connection)
    }

    /// By which name the ledger knows the credential: a hash of its key id.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// How long requests have waited for the limit, since this was opened.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited.load(Ordering::Relaxed))
    }

    async fn wait(&self, wait: Duration) {
        let wait = wait.max(Duration::from_millis(1));
        self.clock.sleep(wait).await;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.waited.fetch_add(millis, Ordering::Relaxed);
    }

    /// Until when the credential is blocked, if it is.
    pub fn blocked_until(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(blocked(&connection, &self.credential, self.clock.now())?)
    }

    fn reserve(&self) -> Result<Slot, rusqlite::Error> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.clock.now();
        let millis = now.timestamp_millis();
        let window = i64::try_from(WINDOW.as_millis()).expect("a minute fits");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // An end further ahead than any that is ever stored was written before the clock went back.
        let latest = (now + LONGEST_BLOCK).timestamp_millis();
        transaction.execute("UPDATE block SET until = ?1 WHERE until > ?1", [latest])?;
        if let Some(until) = blocked(&transaction, &self.credential, now)? {
            transaction.commit()?;
            return Ok(Slot::Blocked(until));
        }
        // Times ahead of the clock were written before it went back: as if those requests had left just now.
        transaction.execute(
            "UPDATE request SET at = ?2 WHERE credential = ?1 AND at > ?2",
            params![self.credential, millis],
        )?;
        transaction.execute("DELETE FROM request WHERE at <= ?1", [millis - window])?;
        let nth: Option<i64> = transaction
            .query_row(
                "SELECT at FROM request WHERE credential = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2",
                params![self.credential, MOST - 1],
                |row| row.get(0),
            )
            .optional()?;
        let slot = if let Some(at) = nth {
            Slot::Wait(Duration::from_millis(
                u64::try_from(at + window - millis).unwrap_or(0) + 1,
            ))
        } else {
            transaction.execute(
                "INSERT INTO request (credential, at) VALUES (?1, ?2)",
                params![self.credential, millis],
            )?;
            Slot::Reserved
        };
        transaction.commit()?;
        Ok(slot)
    }
}

pub(super) fn blocked(
    connection: &Connection,
    credential: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, rusqlite::Error> {
    let until: Option<i64> = connection
        .query_row(
            "SELECT until FROM block WHERE credential = ?1",
            [credential],
            |row| row.get(0),
        )
        .optional()?;
    Ok(until
        .and_then(DateTime::from_timestamp_millis)
        .filter(|until| *until > now))
}

impl RequestGate for Ledger {
    async fn admit(&self, patience: Duration) -> Result<(), GateClosed> {
        let began = self.clock.instant();
        while let Err(not_yet) = self.pacer.check() {
            let wait = not_yet.wait_time_from(governor::clock::Clock::now(self.pacer.clock()));
            self.wait(wait).await;
        }
        loop {
            let ledger = self.clone();
            let slot = tokio::task::spawn_blocking(move || ledger.reserve())
                .await
                .map_err(|error| GateClosed::Ledger(error.to_string()))?
                .map_err(|error| GateClosed::Ledger(error.to_string()))?;
            let wait = match slot {
                Slot::Reserved => return Ok(()),
                Slot::Wait(wait) => {
                    if wait > patience.saturating_sub(self.clock.instant() - began) {
                        let until = self.clock.now() + wait;
                        return Err(GateClosed::UsedUp { until });
                    }
                    wait
                }
                Slot::Blocked(until) => {
                    let wait = (until - self.clock.now()).to_std().unwrap_or_default();
                    if wait > patience.saturating_sub(self.clock.instant() - began) {
                        return Err(GateClosed::Blocked { until });
                    }
                    tracing::warn!(until = %until, "JobTicket has blocked this credential; waiting");
                    wait
                }
            };
            self.wait(wait).await;
        }
    }

    async fn block(&self, until: DateTime<Utc>) -> Result<(), GateClosed> {
        let ledger = self.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let connection = ledger
                .connection
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            connection.execute(
                "INSERT INTO block (credential, until) VALUES (?1, ?2)
                 ON CONFLICT (credential) DO UPDATE SET until = max(until, ?2)",
                // Rounded up: nobody sends before it, not even by part of a millisecond.
                params![ledger.credential, until.timestamp_millis() + 1],
            )
        });
        match stored.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(GateClosed::Ledger(error.to_string())),
            Err(error) => Err(GateClosed::Ledger(error.to_string())),
        }
    }
}
