//! Unpacks a roster that was packed with gzip.
//!
//! What comes out is capped, for a few kilobytes can unpack to gigabytes. A file that is cut, damaged or followed by anything fails: a second part
//! could be missing as easily as it could be there.

use std::io::ErrorKind;

use flate2::bufread::GzDecoder;

use super::Name;
use super::capped::{self, Failed};

/// Why a packed file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum GzipError {
    #[error(
        "The file {name} is named .gz but is not packed with gzip; correct the name or the export"
    )]
    NotPacked { name: String },
    #[error("The packed file {name} was cut short; deliver it again")]
    Cut { name: String },
    #[error(
        "The packed file {name} is damaged, its checksum or structure is wrong; deliver it again"
    )]
    Damaged {
        name: String,
        source: std::io::Error,
    },
    #[error("The packed file {name} goes on after its end; pack it anew as one part")]
    Trailing { name: String },
    #[error(
        "The file {name} unpacks to more than {most} bytes; raise table.max_megabytes if that is right"
    )]
    TooLarge { name: String, most: u64 },
}

/// Whether a file is named as gzip or begins as it does.
pub(super) fn is_meant(bytes: &[u8], name: Name<'_>) -> bool {
    name.has(".gz") || is_packed(bytes)
}

fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1F, 0x8B])
}

/// The bytes of a packed file.
pub(super) fn unpack(bytes: &[u8], name: Name<'_>, most: u64) -> Result<Vec<u8>, GzipError> {
    let name = name.owned();
    if !is_packed(bytes) {
        return Err(GzipError::NotPacked { name });
    }
    match capped::read(most, || GzDecoder::new(bytes)) {
        Ok((unpacked, decoder)) if decoder.get_ref().is_empty() => Ok(unpacked),
        Ok(_) => Err(GzipError::Trailing { name }),
        Err(Failed::TooLarge) => Err(GzipError::TooLarge { name, most }),
        Err(Failed::Read(source)) => match source.kind() {
            ErrorKind::UnexpectedEof => Err(GzipError::Cut { name }),
            _ => Err(GzipError::Damaged { name, source }),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn unpack(bytes: Vec<u8>, name: &str, most: u64) -> Result<Vec<u8>, GzipError> {
        let name = Name {
            delivered: name,
            inner: name,
        };
        if is_meant(&bytes, name) {
            super::unpack(&bytes, name, most)
        } else {
            Ok(bytes)
        }
    }

    const TEXT: &[u8] = b"PersNr;Name\n00123;Anna\n";

    fn packed() -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_packed_file_is_unpacked_whatever_its_name_and_a_plain_one_left_alone() {
        assert_eq!(unpack(packed(), "roster.csv.GZ", 100).unwrap(), TEXT);
        assert_eq!(
            unpack(packed(), "roster.csv", TEXT.len() as u64).unwrap(),
            TEXT
        );
        assert_eq!(unpack(TEXT.to_vec(), "roster.csv", 100).unwrap(), TEXT);
        assert!(matches!(
            unpack(TEXT.to_vec(), "roster.gz", 100),
            Err(GzipError::NotPacked { .. })
        ));
    }

    #[test]
    fn a_packed_file_cut_anywhere_fails() {
        let whole = packed();
        for length in 2..whole.len() {
            let cut = unpack(whole[..length].to_vec(), "roster.gz", 100);
            assert!(
                matches!(cut, Err(GzipError::Cut { .. })),
                "{length}: {cut:?}"
            );
        }
    }

    #[test]
    fn a_wrong_checksum_a_second_part_and_too_much_fail() {
        let mut wrong = packed();
        let checksum = wrong.len() - 6;
        wrong[checksum] ^= 1;
        assert!(matches!(
            unpack(wrong, "r.gz", 100),
            Err(GzipError::Damaged { .. })
        ));
        assert!(matches!(
            unpack([packed(), packed()].concat(), "r.gz", 100),
            Err(GzipError::Trailing { .. })
        ));
        assert!(matches!(
            unpack([packed(), vec![0]].concat(), "r.gz", 100),
            Err(GzipError::Trailing { .. })
        ));
        let most = TEXT.len() as u64 - 1;
        assert!(matches!(
            unpack(packed(), "r.gz", most),
            Err(GzipError::TooLarge { .. })
        ));
    }
}
