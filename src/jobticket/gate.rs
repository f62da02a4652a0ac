//! What every request passes before it leaves: the rate limit of the credential, over all processes.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Why a request may not leave.
#[derive(Debug, thiserror::Error)]
pub enum GateClosed {
    /// JobTicket has blocked the credential for longer than the caller can wait.
    #[error(
        "JobTicket's rate limit has blocked this credential until {until}; try again after that"
    )]
    Blocked {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Other processes use the rate limit up, for longer than the caller can wait.
    #[error("The rate limit of this credential is used up until {until}; try again after that")]
    UsedUp {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The ledger of requests cannot be read or written; without it the limit cannot be kept.
    #[error("The request ledger cannot be used: {0}")]
    Ledger(String),
}

/// The rate limit, as the client sees it.
pub trait RequestGate: Send + Sync {
    /// Waits until a request may leave, and reserves its place. Gives up at once where it is known that `patience` will not do.
    fn admit(&self, patience: Duration) -> impl Future<Output = Result<(), GateClosed>> + Send;

    /// JobTicket has answered 429: nobody with this credential sends before `until`.
    fn block(&self, until: DateTime<Utc>) -> impl Future<Output = Result<(), GateClosed>> + Send;
}
