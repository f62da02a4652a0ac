//! Rosters in pieces of JSON: large enough to be quick, small enough that no piece weighs on memory.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// Rows in a piece.
const ROWS: usize = 2_000;

/// Writes rows piece by piece: the number of the piece, from 0, and its content.
pub(super) fn write<T: Serialize>(
    rows: &[T],
    mut keep: impl FnMut(i64, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (piece, rows) in (0..).zip(rows.chunks(ROWS)) {
        keep(
            piece,
            serde_json::to_vec(rows).expect("rows are plain values"),
        )?;
    }
    Ok(())
}

/// Reads one piece.
pub(super) fn read<T: DeserializeOwned>(
    content: &[u8],
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    serde_json::from_slice(content).map_err(|_| StoreError::Unreadable(what))
}
