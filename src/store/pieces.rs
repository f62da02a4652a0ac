//! Rosters in pieces of JSON: large enough to be quick, small enough that no piece weighs on memory.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// Rows in a piece.
const ROWS: usize = 2_000;

/// Rows as pieces, in order.
pub(super) fn of<T: Serialize>(rows: &[T]) -> impl Iterator<Item = Vec<u8>> {
    rows.chunks(ROWS)
        .map(|rows| serde_json::to_vec(rows).expect("rows are plain values"))
}

/// Reads one piece.
pub(super) fn read<T: DeserializeOwned>(
    content: &[u8],
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    serde_json::from_slice(content).map_err(|_| StoreError::Unreadable(what))
}
