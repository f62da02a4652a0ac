//! Reads what comes out of a packed file without ever making room for more than is allowed.

use std::io::{self, Read};

/// What fits in here is read in one go; of anything larger the bytes are counted first, and read in a second.
const AT_ONCE: u64 = 8 << 20;

/// Why not all of it can be read.
#[derive(Debug)]
pub(super) enum Failed {
    /// More than was allowed would come out.
    TooLarge,
    Read(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// All that comes out of a reader, at most `most` bytes, and the reader at its end. `open` begins anew.
///
/// A roster that unpacks to gigabytes takes time to be counted, and no memory; one that is let through takes as much as it has bytes.
pub(super) fn read<R: Read>(most: u64, open: impl Fn() -> R) -> Result<(Vec<u8>, R), Failed> {
    let mut reader = open();
    let at_once = AT_ONCE.min(most);
    let mut first = Vec::new();
    (&mut reader)
        .take(at_once.saturating_add(1))
        .read_to_end(&mut first)?;
    if first.len() as u64 <= at_once {
        return Ok((first, reader));
    }
    let counted = first.len() as u64;
    drop(first);
    let left = most.checked_sub(counted).ok_or(Failed::TooLarge)?;
    let all = counted + count(&mut reader, left)?;
    let mut reader = open();
    let bytes = exactly(&mut reader, all)?;
    Ok((bytes, reader))
}

/// How many bytes come out of a reader, at most `most`.
pub(super) fn count(reader: &mut impl Read, most: u64) -> Result<u64, Failed> {
    let counted = io::copy(&mut reader.take(most.saturating_add(1)), &mut io::sink())?;
    if counted > most {
        return Err(Failed::TooLarge);
    }
    Ok(counted)
}

/// All that comes out of a reader of which it is known how much that is.
pub(super) fn exactly(reader: &mut impl Read, length: u64) -> Result<Vec<u8>, Failed> {
    let room = usize::try_from(length).map_err(|_| Failed::TooLarge)?;
    let mut bytes = Vec::with_capacity(room);
    reader
        .take(length.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() != room {
        let other = "what comes out differs from what was counted";
        return Err(io::Error::new(io::ErrorKind::InvalidData, other).into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_read_whole_however_large_and_one_byte_more_is_refused() {
        for length in [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 3] {
            let open = || io::repeat(b'x').take(length);
            let (bytes, reader) = read(length, open).unwrap();
            assert_eq!(bytes.len() as u64, length);
            assert_eq!(reader.limit(), 0);
            if let Some(less) = length.checked_sub(1) {
                assert!(matches!(read(less, open), Err(Failed::TooLarge)));
            }
        }
    }

    #[test]
    fn an_endless_stream_is_refused() {
        let most = 3 * AT_ONCE;
        assert!(matches!(
            read(most, || io::repeat(0)),
            Err(Failed::TooLarge)
        ));
    }
}
