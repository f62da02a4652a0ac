//! The rate limit of a credential: a rolling window, and a block for whoever goes past it.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// Requests of a credential in any window ("`JobTicket` API overview, Rate Limiting").
pub(crate) const LIMIT: usize = 100;
/// Length of the rolling window: 60 seconds ("`JobTicket` API overview, Rate Limiting").
pub(crate) const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// How long a credential is blocked once it went past the limit: 5 minutes ("`JobTicket` API overview, Rate Limiting").
pub(crate) const BLOCK: TimeDelta = TimeDelta::minutes(5);

/// The account of one credential.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    /// When the requests of the last window came, oldest first.
    taken: VecDeque<DateTime<Utc>>,
    blocked_until: Option<DateTime<Utc>>,
}

impl RateLimit {
    /// Counts a request, or says until when the credential is blocked. A refused request does not prolong the block.
    pub(crate) fn take(&mut self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        if let Some(until) = self.blocked_until {
            if now < until {
                return Err(until);
            }
            self.blocked_until = None;
        }
        while self
            .taken
            .front()
            .is_some_and(|taken| now - *taken >= WINDOW)
        {
            self.taken.pop_front();
        }
        if self.taken.len() >= LIMIT {
            let until = now + BLOCK;
            self.blocked_until = Some(until);
            return Err(until);
        }
        self.taken.push_back(now);
        Ok(())
    }
}

/// Whole seconds from `now` to `until`, rounded up, so that whoever waits so long is not early.
pub(crate) fn seconds_until(now: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let left = (until - now).max(TimeDelta::zero());
    left.num_seconds() + i64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    fn clock() -> Clock {
        Clock::starting_at("2026-03-02T08:00:00Z".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_hundred_and_first_request_in_a_window_blocks_for_five_minutes() {
        let (clock, mut limit) = (clock(), RateLimit::default());
        for _ in 0..100 {
            assert_eq!(limit.take(clock.now()), Ok(()));
        }
        let until = limit.take(clock.now()).unwrap_err();
        assert_eq!(seconds_until(clock.now(), until), 300);
        tokio::time::advance(Duration::from_millis(299_500)).await;
        assert_eq!(
            limit.take(clock.now()),
            Err(until),
            "a refused request does not prolong the block"
        );
        assert_eq!(seconds_until(clock.now(), until), 1);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(limit.take(clock.now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_rolls() {
        let (clock, mut limit) = (clock(), RateLimit::default());
        for _ in 0..50 {
            limit.take(clock.now()).unwrap();
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..50 {
            limit.take(clock.now()).unwrap();
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..50 {
            assert_eq!(
                limit.take(clock.now()),
                Ok(()),
                "the first fifty are a minute old"
            );
        }
        assert!(limit.take(clock.now()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_a_moment_before_the_minute_is_over_still_counts() {
        let (clock, mut limit) = (clock(), RateLimit::default());
        for _ in 0..100 {
            limit.take(clock.now()).unwrap();
        }
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert!(limit.take(clock.now()).is_err());
    }
}
