//! Rosters in pieces of JSON, packed: large enough to be quick, small enough that no piece weighs on memory. Packed with LZ4, which costs less than writing what it saves.

use std::convert::Infallible;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::parallel;

/// Rows in a piece.
const ROWS: usize = 2_000;
/// From so many bytes of JSON on a piece takes no more rows, however few they are.
const FULL: usize = 16 << 20;
/// A packed piece begins with this; one of before, which is plain JSON, with a bracket.
const PACKED: u8 = 1;
/// A piece that says it is longer than this once it is unpacked is damaged: a single row would have to be that long.
const LONGEST: usize = 1 << 30;

/// Rows as pieces, in order.
pub(super) fn of<T: Serialize>(rows: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<u8>> {
    written(rows, |row, json| {
        serde_json::to_writer(json, &row).expect("rows are plain values");
    })
}

/// The same, where `write` makes the JSON of a row.
fn written<T>(
    rows: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut Vec<u8>),
) -> impl Iterator<Item = Vec<u8>> {
    let mut rows = rows.into_iter().peekable();
    std::iter::from_fn(move || {
        rows.peek()?;
        let mut json = vec![b'['];
        for _ in 0..ROWS {
            let Some(row) = rows.next_if(|_| json.len() < FULL) else {
                break;
            };
            if json.len() > 1 {
                json.push(b',');
            }
            write(row, &mut json);
        }
        json.push(b']');
        Some(packed(&json))
    })
}

/// Packs rows that are all there with several processors, and gives the pieces to `take` in order. `write` makes the JSON of a row.
pub(super) fn of_all<T: Sync>(
    rows: &[T],
    write: impl Fn(&T, &mut Vec<u8>) + Sync,
    mut take: impl FnMut(Vec<u8>),
) {
    let Ok(()) = parallel::in_order(
        rows.chunks(ROWS),
        |rows| written(rows, &write).collect::<Vec<_>>(),
        |pieces| {
            pieces.into_iter().for_each(&mut take);
            Ok::<_, Infallible>(())
        },
    );
}

/// Rows as one piece, however many they are: what is left of one that was read.
pub(super) fn one<T: Serialize>(rows: &[T]) -> Vec<u8> {
    packed(&serde_json::to_vec(rows).expect("rows are plain values"))
}

fn packed(json: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress_prepend_size(json);
    let mut piece = Vec::with_capacity(block.len() + 1);
    piece.push(PACKED);
    piece.extend_from_slice(&block);
    piece
}

/// Reads one piece.
pub(super) fn read<T: DeserializeOwned>(
    content: &[u8],
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    let unreadable = || StoreError::Unreadable(what);
    let Some((&PACKED, block)) = content.split_first() else {
        return serde_json::from_slice(content).map_err(|_| unreadable());
    };
    let (length, _) = lz4_flex::block::uncompressed_size(block).map_err(|_| unreadable())?;
    if length > LONGEST {
        return Err(unreadable());
    }
    let json = lz4_flex::block::decompress_size_prepended(block).map_err(|_| unreadable())?;
    serde_json::from_slice(&json).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_over_all_pieces() {
        let rows: Vec<u64> = (0..4_500).collect();
        let pieces: Vec<Vec<u8>> = of(&rows).collect();
        assert_eq!(pieces.len(), 3);
        let back = pieces
            .iter()
            .flat_map(|piece| read::<u64>(piece, "rows").unwrap());
        assert!(back.eq(rows));
        assert_eq!(of(Vec::<u64>::new()).count(), 0);
    }

    #[test]
    fn rows_that_are_packed_side_by_side_make_the_same_pieces() {
        for count in [0, 1, 1_999, 2_000, 2_001, 4_500, 40_000] {
            let rows: Vec<u64> = (0..count).collect();
            let mut pieces = Vec::new();
            let write = |row: &u64, json: &mut Vec<u8>| json.extend(row.to_string().bytes());
            of_all(&rows, write, |piece| pieces.push(piece));
            assert_eq!(pieces, of(&rows).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn long_rows_make_small_pieces_and_what_is_left_of_a_piece_stays_one() {
        let rows = vec!["x".repeat(FULL / 3); 9];
        let pieces: Vec<Vec<u8>> = of(&rows).collect();
        assert!(pieces.len() > 1 && pieces.len() < 9);
        let read = |piece: &Vec<u8>| read::<String>(piece, "rows").unwrap();
        assert!(pieces.iter().flat_map(read).eq(rows.iter().cloned()));
        let many: Vec<u64> = (0..4_500).collect();
        assert_eq!(super::read::<u64>(&one(&many), "rows").unwrap(), many);
        assert_eq!(
            super::read::<u64>(&one::<u64>(&[]), "rows").unwrap(),
            Vec::<u64>::new()
        );
    }

    #[test]
    fn a_piece_of_before_is_read_and_a_broken_one_refused() {
        assert_eq!(read::<u64>(b"[1,2]", "rows").unwrap(), [1, 2]);
        let piece = of([1_u64, 2]).next().unwrap();
        for cut in 0..piece.len() {
            assert!(read::<u64>(&piece[..cut], "rows").is_err(), "{cut}");
        }
        let endless = [&[PACKED][..], &u32::MAX.to_le_bytes(), b"x"].concat();
        assert!(read::<u64>(&endless, "rows").is_err());
    }
}
