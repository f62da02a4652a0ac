//! What one attempt of a request failed of.

use std::time::Duration;

use super::error::RestError;

/// What one attempt failed of.
#[derive(Debug)]
pub(super) enum Fault {
    /// 401 or 403.
    Refused {
        status: u16,
    },
    /// 429, 500, or 502 to 504, and how long the server asks to wait.
    Unavailable {
        status: u16,
        wait: Option<Duration>,
    },
    Redirect {
        status: u16,
        to: String,
    },
    Status {
        status: u16,
    },
    Connect {
        cause: String,
    },
    TimedOut,
    Broken {
        cause: String,
    },
    TooLarge {
        most: u64,
    },
    WebPage,
}

impl Fault {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let cause = cause_of(error);
        if error.is_connect() {
            Self::Connect { cause }
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken { cause }
        }
    }

    /// Whether it says that there is no such page; some break over the question.
    pub(super) fn is_missing(&self) -> bool {
        let status = match self {
            Self::Status { status } | Self::Unavailable { status, .. } => *status,
            _ => return false,
        };
        matches!(status, 400 | 404 | 410 | 416 | 422 | 500)
    }

    /// Whether another attempt makes sense, and the wait that the server asks for.
    #[expect(
        clippy::option_option,
        reason = "no attempt, one in our time, one in theirs"
    )]
    pub(super) fn wait(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unavailable { wait, .. } => Some(*wait),
            Self::Connect { .. } | Self::TimedOut | Self::Broken { .. } => Some(None),
            _ => None,
        }
    }

    /// As it is told once no further attempt is made.
    pub(super) fn told(&self, what: &str, tries: u32, renewed: bool) -> RestError {
        let what = what.to_owned();
        match self {
            Self::Refused { status } if renewed => RestError::RefusedAnew {
                what,
                status: *status,
            },
            Self::Refused { status } => RestError::Refused {
                what,
                status: *status,
            },
            Self::Unavailable { status, .. } => RestError::Unavailable {
                what,
                status: *status,
                tries,
            },
            Self::Redirect { status, to } => RestError::Redirect {
                what,
                status: *status,
                to: to.clone(),
            },
            Self::Status { status } => RestError::Status {
                what,
                status: *status,
                advice: advice(*status),
            },
            Self::Connect { cause } => RestError::Connect {
                what,
                cause: cause.clone(),
                tries,
            },
            Self::TimedOut => RestError::TimedOut { what, tries },
            Self::Broken { cause } => RestError::Broken {
                what,
                cause: cause.clone(),
                tries,
            },
            Self::TooLarge { most } => RestError::TooLarge { what, most: *most },
            Self::WebPage => RestError::WebPage { what },
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        400 | 422 => "the system does not understand the request: correct request and paging",
        404 => "correct base_url and the path",
        405 => "the system wants the other of get and post",
        406 | 415 => "the system wants other headers (request.headers)",
        _ => "only 200 is a list",
    }
}

/// The innermost message of an error chain, which names no address.
pub(super) fn cause_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "time limit".to_owned(),
        Some(_) => "no details".to_owned(),
        None => cause.to_string(),
    }
}
