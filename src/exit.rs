//! What each exit code means, and which wins where several apply.

use serde::Serialize;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "u8")]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// Wrong usage or configuration.
    Configuration = 2,
    /// Somebody or something waits for a decision.
    Waits = 3,
    /// A source failed, or an empty roster was refused.
    SourceFailed = 4,
    /// JobTicket refused.
    Refused = 5,
    /// JobTicket was not reachable.
    Unreachable = 6,
    /// Another run is in progress.
    Busy = 7,
    /// JobTicket's employees differ from the snapshot.
    Drift = 8,
    /// Done, but rows were rejected.
    RowsRejected = 9,
}

/// Where several apply, the first of these counts.
const FIRST_COUNTS: [Exit; 10] = [
    Exit::Unexpected,
    Exit::Configuration,
    Exit::Refused,
    Exit::Unreachable,
    Exit::SourceFailed,
    Exit::Drift,
    Exit::Busy,
    Exit::Waits,
    Exit::RowsRejected,
    Exit::Done,
];

impl Exit {
    /// The one of two that counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        FIRST_COUNTS
            .into_iter()
            .find(|exit| *exit == self || *exit == other)
            .unwrap_or(self)
    }

    /// The one with this number; one that nobody knows is unexpected.
    #[must_use]
    pub fn of_code(code: u8) -> Self {
        FIRST_COUNTS
            .into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Self::Unexpected)
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit.code()
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graver_of_two_codes_counts_whichever_comes_first() {
        let order = [1, 2, 5, 6, 4, 8, 7, 3, 9, 0];
        for (rank, code) in order.into_iter().enumerate() {
            assert_eq!(FIRST_COUNTS[rank].code(), code);
            assert_eq!(Exit::of_code(code), FIRST_COUNTS[rank]);
            for lesser in &FIRST_COUNTS[rank..] {
                assert_eq!(FIRST_COUNTS[rank].and(*lesser), FIRST_COUNTS[rank]);
                assert_eq!(lesser.and(FIRST_COUNTS[rank]), FIRST_COUNTS[rank]);
            }
        }
    }
}
