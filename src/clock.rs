//! The clock, as a parameter: the time of day and the wait, so that tests need neither today's date nor patience.
//!
//! Only the rim of the program asks it; plan, guard and mapping get "today" as a value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::time::Instant;

use crate::zone::Zone;

/// The time of day, and waiting.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Where a clock that does not follow the system's began, in both times.
    began: Option<(DateTime<Utc>, Instant)>,
    /// Milliseconds of waits that were skipped: such a wait moves this clock instead of taking time.
    skipped: Option<Arc<AtomicU64>>,
    /// How many seconds pass on this clock in one.
    pace: u32,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self {
            began: None,
            skipped: None,
            pace: 1,
        }
    }

    /// A clock that shows `now` and goes on from there with tokio's time, which tests can pause.
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self {
            began: Some((now, Instant::now())),
            skipped: None,
            pace: 1,
        }
    }

    /// The same clock, on which a wait takes no time and moves the clock on.
    #[must_use]
    pub fn skipping_waits(self) -> Self {
        let began = self.began.or_else(|| Some((Utc::now(), Instant::now())));
        Self {
            began,
            skipped: Some(Arc::default()),
            ..self
        }
    }

    /// The same clock, on which so many seconds pass in one.
    #[must_use]
    pub fn at_pace(self, pace: u32) -> Self {
        let began = self.began.or_else(|| Some((Utc::now(), Instant::now())));
        Self {
            began,
            pace,
            ..self
        }
    }

    /// A clock beside this one that was set to `now`, right or wrong: time passes on both alike, skipped waits too.
    #[must_use]
    pub fn set_to(&self, now: DateTime<Utc>) -> Self {
        let skipped = TimeDelta::from_std(self.skipped()).unwrap_or(TimeDelta::MAX);
        Self {
            began: Some((now - skipped, Instant::now())),
            skipped: self.skipped.clone(),
            pace: self.pace,
        }
    }

    /// The clock of this process: the system's. With the feature `test-hooks`, the variable
    /// `JOBTICKET_SYNC_TEST_NOW` (RFC 3339) sets another time, on which waits take none, and `JOBTICKET_SYNC_TEST_PACE` how many seconds pass in one.
    pub fn of_process() -> Self {
        #[cfg(feature = "test-hooks")]
        if let Ok(text) = std::env::var("JOBTICKET_SYNC_TEST_NOW") {
            let now = DateTime::parse_from_rfc3339(&text)
                .expect("JOBTICKET_SYNC_TEST_NOW is a time in RFC 3339");
            let pace = std::env::var("JOBTICKET_SYNC_TEST_PACE").ok();
            let pace = pace.map_or(1, |pace| pace.parse().expect("a pace is a number"));
            let clock = Self::starting_at(now.with_timezone(&Utc));
            return clock.skipping_waits().at_pace(pace);
        }
        Self::system()
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        let Some((wall, instant)) = self.began else {
            return Utc::now();
        };
        let passed = TimeDelta::from_std(instant.elapsed() * self.pace + self.skipped())
            .unwrap_or(TimeDelta::MAX);
        wall.checked_add_signed(passed)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The calendar day in `zone`.
    pub fn today(&self, zone: Zone) -> NaiveDate {
        self.now().with_timezone(&zone).date_naive()
    }

    /// A time that only moves on, for measuring how long something takes.
    pub fn instant(&self) -> Instant {
        Instant::now() + self.skipped()
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        match &self.skipped {
            None => tokio::time::sleep(duration).await,
            Some(skipped) => {
                let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) + 1;
                skipped.fetch_add(millis, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    }

    /// This clock as `governor` reads it.
    pub(crate) fn ticks(&self) -> Ticks {
        Ticks {
            clock: self.clone(),
            began: self.instant(),
        }
    }

    fn skipped(&self) -> Duration {
        let millis = self.skipped.as_ref();
        Duration::from_millis(millis.map_or(0, |millis| millis.load(Ordering::Relaxed)))
    }
}

/// A clock as `governor` reads it.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    clock: Clock,
    began: Instant,
}

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.clock.instant() - self.began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_to_another_time_goes_on_with_the_one_it_was_made_from() {
        let start: DateTime<Utc> = "2026-11-23T05:15:00Z".parse().unwrap();
        let right = Clock::starting_at(start).skipping_waits();
        right.sleep(Duration::from_secs(100)).await;
        let wrong = right.set_to(start - TimeDelta::days(3));
        assert_eq!(wrong.now(), start - TimeDelta::days(3));
        let before = right.now();
        wrong.sleep(Duration::from_secs(50)).await;
        assert_eq!(
            right.now() - before,
            wrong.now() - (start - TimeDelta::days(3))
        );
        assert!(right.now() - before >= TimeDelta::seconds(50));
    }
}
