//! How long to wait before a request is sent again, for JobTicket and for HR systems alike.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// A stored wait is never longer, whatever a server or a proxy on the way says.
pub const LONGEST_BLOCK: Duration = Duration::from_secs(15 * 60);

/// The wait before the first retry; each further one is twice as long, up to a minute. Ours: JobTicket asks for exponential back-off.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The wait after the `failed`-th failure (from 1): between half of and the full exponential step.
pub(crate) fn back_off(failed: u32) -> Duration {
    let step = FIRST_WAIT
        .saturating_mul(1 << (failed.clamp(1, 16) - 1))
        .min(LONGEST_WAIT);
    step.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Reads a `Retry-After` header in either of its forms, seconds or a date (RFC 9110, 10.2.3), as a wait from `now`. At most 15 minutes.
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
        (until - now).to_std().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_BLOCK))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T05:15:00Z")
            .unwrap()
            .with_timezone(&Utc);
        let read = |text| parse_retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Mon, 23 Nov 2026 05:17:00 GMT"), Some(120));
        assert_eq!(read("Mon, 23 Nov 2026 05:00:00 GMT"), Some(0));
        assert_eq!(read("99999999999999999999999"), Some(900));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn the_back_off_grows_to_a_minute_and_never_beyond() {
        for failed in 1..40 {
            let wait = back_off(failed);
            assert!(wait <= LONGEST_WAIT && wait >= FIRST_WAIT / 2);
        }
        assert!(back_off(7) >= Duration::from_secs(30));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_wait_longer_than_the_cap_or_panics(text in ".*") {
            if let Some(wait) = parse_retry_after(&text, DateTime::<Utc>::MIN_UTC) {
                prop_assert!(wait <= LONGEST_BLOCK);
            }
        }
    }
}
