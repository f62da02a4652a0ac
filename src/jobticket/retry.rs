//! What JobTicket's limits mean for retries; the waits themselves are those of `crate::retry`.

use std::time::Duration;

/// How long a credential is blocked after a 429 that does not say ("JobTicket API overview, Rate Limiting": 5 minutes).
pub(super) const BLOCK: Duration = Duration::from_secs(5 * 60);

/// A 409 says that something else is going on; it is tried again so often.
pub(super) const CONFLICT_RETRIES: u32 = 4;
