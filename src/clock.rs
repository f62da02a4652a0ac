//! The clock, as a parameter: the time of day and the wait, so that tests need neither today's date nor patience.
//!
//! Only the rim of the program asks it; plan, guard and mapping get "today" as a value.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use tokio::time::Instant;

/// The time of day, and waiting.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Where a clock that does not follow the system's began, in both times.
    began: Option<(DateTime<Utc>, Instant)>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { began: None }
    }

    /// A clock that shows `now` and goes on from there with tokio's time, which tests can pause.
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self {
            began: Some((now, Instant::now())),
        }
    }

    /// The clock of this process: the system's. With the feature `test-hooks`, the variable
    /// `JOBTICKET_SYNC_TEST_NOW` (RFC 3339) sets another time.
    pub fn of_process() -> Self {
        #[cfg(feature = "test-hooks")]
        if let Ok(text) = std::env::var("JOBTICKET_SYNC_TEST_NOW") {
            let now = DateTime::parse_from_rfc3339(&text)
                .expect("JOBTICKET_SYNC_TEST_NOW is a time in RFC 3339");
            return Self::starting_at(now.with_timezone(&Utc));
        }
        Self::system()
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        match self.began {
            None => Utc::now(),
            Some((wall, instant)) => {
                let passed =
                    chrono::Duration::from_std(instant.elapsed()).unwrap_or(chrono::Duration::MAX);
                wall.checked_add_signed(passed)
                    .unwrap_or(DateTime::<Utc>::MAX_UTC)
            }
        }
    }

    /// The calendar day in `zone`.
    pub fn today(&self, zone: chrono_tz::Tz) -> NaiveDate {
        self.now().with_timezone(&zone).date_naive()
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
