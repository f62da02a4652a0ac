//! What a delivered file is packed in: gzip, a zip archive with one file, OpenPGP, or OpenPGP around one of the other two.
//!
//! The order is fixed, so layers cannot be piled up: first decrypted, then unpacked once; the table reader refuses what is still packed. A few kilobytes can
//! unpack to gigabytes, so whatever comes out is counted before room is made for it, and never more than `table.max_megabytes`. Nothing is handed on before
//! the last byte of every layer has been checked: half a roster would offboard everybody behind its end. Nothing is written to disk.

mod capped;
mod gzip;
mod openpgp;
mod zip;

use chrono::{DateTime, Utc};

pub use gzip::GzipError;
pub use openpgp::{Damage, KeyError, KeyProblem, Looked, OpenPgpError, SignatureProblem, look};
pub use zip::ZipError;

use super::intake::max_bytes;
use super::text::Bytes;
use crate::config::Source;

/// Why the roster cannot be taken out of a delivered file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps the error of its format")]
pub enum PackedError {
    #[error(transparent)]
    Gzip(#[from] GzipError),
    #[error(transparent)]
    Zip(#[from] ZipError),
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
}

/// The name of a file: as it was delivered, which messages tell, and without the ending of its encryption, which tells the packing inside.
#[derive(Debug, Clone, Copy)]
struct Name<'n> {
    delivered: &'n str,
    inner: &'n str,
}

impl Name<'_> {
    fn has(&self, ending: &str) -> bool {
        without(self.inner, ending).is_some()
    }

    fn owned(&self) -> String {
        self.delivered.to_owned()
    }
}

/// The name without this ending in upper or lower case; `None` where it ends otherwise.
fn without<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let (stem, tail) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    tail.eq_ignore_ascii_case(ending).then_some(stem)
}

/// What was inside a delivered file.
#[derive(Debug)]
pub struct Unpacked {
    /// The bytes of the roster.
    pub bytes: Bytes,
    /// When the sender signed it, where that was asked for.
    pub signed: Option<DateTime<Utc>>,
}

/// The bytes of the roster in a file as it was delivered under this name. `now` is the time at which keys and signatures have to be good.
///
/// # Errors
/// The file is cut, damaged, larger than the source allows, or not packed and encrypted as the source says.
pub fn unpack(
    bytes: impl Into<Bytes>,
    name: &str,
    source: &Source,
    now: DateTime<Utc>,
) -> Result<Unpacked, PackedError> {
    let bytes = bytes.into();
    let most = max_bytes(source);
    let inner = openpgp::inner_name(name);
    let mut signed = None;
    let packed = match &source.decrypt {
        Some(decrypt) => {
            let bytes = bytes.into_one();
            let (plain, at) = openpgp::decrypt(&bytes, name, decrypt, most, now)?;
            signed = at;
            plain.into()
        }
        None if inner.is_some() || openpgp::is_encrypted(bytes.head()) => {
            return Err(OpenPgpError::NoKey {
                name: name.to_owned(),
            }
            .into());
        }
        None => bytes,
    };
    let name = Name {
        delivered: name,
        inner: inner.unwrap_or(name),
    };
    let bytes = if zip::is_meant(packed.head(), name) {
        zip::unpack(packed.into_one(), name, most)?.into()
    } else if gzip::is_meant(packed.head(), name) {
        gzip::unpack(&packed.into_one(), name, most)?.into()
    } else {
        packed
    };
    Ok(Unpacked { bytes, signed })
}

#[cfg(test)]
mod tests;
