//! What an attempt came to, and what a call or a push failed of, in named variants.

use std::fmt;

use chrono::{DateTime, Utc};

use super::gate::GateClosed;

/// What one attempt came to.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer that means success: 204 for a push, 200 for a read.
    Success,
    /// 400: the request is malformed.
    Malformed,
    /// 401: the credential is wrong or missing.
    Unauthorized {
        /// Whether systemd handed it to the unit at its start, so that a new one needs a restart.
        of_unit: bool,
    },
    /// 403: the credential lacks a permission.
    Forbidden,
    /// 404: no such integration.
    NotFound,
    /// 409: conflict with the current state.
    Conflict,
    /// 422: values were refused. The body may hold personal values, so `Debug` leaves it out.
    Invalid {
        /// What JobTicket said.
        body: String,
    },
    /// 429: over the rate limit.
    RateLimited {
        /// Nobody sends before this.
        until: DateTime<Utc>,
    },
    /// 500: an error inside JobTicket, for its support.
    ServerError,
    /// 502, 503 or 504: JobTicket is not there for the moment.
    Unavailable {
        /// Which.
        status: u16,
    },
    /// Any other status, redirects and other kinds of success among them. Nobody knows what it means here.
    Unexpected {
        /// Which.
        status: u16,
    },
    /// The connection could not be made: nothing was sent.
    NotConnected {
        /// What the system said.
        cause: String,
    },
    /// No answer within the time limit.
    TimedOut,
    /// The connection broke before the whole answer was there.
    Broken {
        /// What the system said.
        cause: String,
    },
    /// The answer to a read is not what the documentation describes.
    NotUnderstood {
        /// What is wrong with it.
        cause: String,
    },
}

impl Outcome {
    /// Whether JobTicket may have taken what was sent.
    pub(crate) fn leaves_doubt(&self) -> bool {
        match self {
            Self::ServerError
            | Self::Unavailable { .. }
            | Self::Unexpected { .. }
            | Self::TimedOut
            | Self::Broken { .. }
            | Self::NotUnderstood { .. } => true,
            Self::Success
            | Self::Malformed
            | Self::Unauthorized { .. }
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::Invalid { .. }
            | Self::RateLimited { .. }
            | Self::NotConnected { .. } => false,
        }
    }

    /// Whether JobTicket was reached and said no, rather than not reached.
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Success
                | Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::NotConnected { .. }
                | Self::TimedOut
                | Self::Broken { .. }
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("accepted"),
            Self::Malformed => f.write_str("400, the request is malformed; this is an error of jobticket-sync, please report it"),
            Self::Unauthorized { of_unit: false } => {
                f.write_str("401, the credential is wrong; check api_key_id and api_key_secret")
            }
            Self::Unauthorized { of_unit: true } => f.write_str(
                "401, the credential is wrong; check api_key_id and api_key_secret. A systemd credential does not change while its unit runs: after putting a new one in place, systemctl restart the unit",
            ),
            Self::Forbidden => f.write_str(
                "403, the credential lacks a permission; Trigger HR Sync needs view-, add-, update- and remove-employees",
            ),
            Self::NotFound => f.write_str("404, there is no such HR integration; check integration_id"),
            Self::Conflict => f.write_str("409, it conflicts with something else going on there"),
            Self::Invalid { .. } => f.write_str("422, values were refused; what it said is in the audit log"),
            Self::RateLimited { until } => write!(f, "429, over the rate limit until {}", until.format("%H:%M:%S UTC")),
            Self::ServerError => f.write_str("500, an error inside JobTicket; its support has to look"),
            Self::Unavailable { status } => write!(f, "{status}, it is not available for the moment"),
            Self::Unexpected { status } => write!(f, "{status}, which its documentation does not know here"),
            Self::NotConnected { cause } => write!(f, "no connection ({cause})"),
            Self::TimedOut => f.write_str("no answer within the time limit"),
            Self::Broken { cause } => write!(f, "the connection broke ({cause})"),
            Self::NotUnderstood { cause } => write!(f, "an answer that is not as documented ({cause})"),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcome({self})")
    }
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The last attempt's outcome, after all that were worth it.
    #[error("JobTicket, asked to {operation}: {outcome}")]
    Failed {
        /// Which call.
        operation: &'static str,
        /// What the last attempt came to.
        outcome: Outcome,
    },
    /// A list that cannot be shown to be complete.
    #[error("JobTicket's list of employees is not complete: {0}; nothing was decided by it")]
    Incomplete(String),
    /// The rate limit.
    #[error(transparent)]
    Gate(#[from] GateClosed),
}

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// JobTicket surely did not take it.
    #[error("JobTicket did not take the push: {outcome}")]
    Refused {
        /// What the last attempt came to.
        outcome: Outcome,
    },
    /// JobTicket may have taken it. The next run finds out before it does anything else.
    #[error(
        "Nobody knows whether JobTicket took the push: {outcome}. The next run finds out before it does anything else"
    )]
    InDoubt {
        /// What the last attempt came to.
        outcome: Outcome,
    },
    /// The rate limit, before anything was sent.
    #[error(transparent)]
    Gate(GateClosed),
}
