//! Takes the one file out of a zip archive.
//!
//! Two programs can see two different contents in one archive: a file may stand in the directory and not in the data, or in the data twice, or behind another
//! archive. So an archive counts only if nothing in it is left over: one file, its size and checksum right in every place that tells them, and the parts of the
//! archive side by side from the first byte to the last. Folders in it do not count, names in it are not used.

use std::io::Read;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive, ZipSliceEntry};

use super::Name;
use super::capped::{self, Failed};

/// How long a record behind the data of a file can be, if there is one.
const DESCRIPTORS: [u64; 5] = [0, 12, 16, 20, 24];
/// What may stand between the directory and the end: nothing, or the two records of zip64.
const BEFORE_END: [u64; 2] = [0, 76];
/// Length of a file's record in the directory, without its texts.
const RECORD: u64 = 46;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum ZipError {
    #[error("The file {name} is named .zip but is no zip archive; correct the name or the export")]
    NotPacked { name: String },
    #[error("The zip archive {name} was cut short or is damaged; deliver it again")]
    Damaged {
        name: String,
        source: Option<rawzip::Error>,
    },
    #[error("The zip archive {name} goes on after its end; deliver one archive in one file")]
    Trailing { name: String },
    #[error(
        "The zip archive {name} holds {files} files and may hold one; have the sender pack the roster alone"
    )]
    NotOne { name: String, files: usize },
    #[error(
        "The file in the zip archive {name} is locked with a password; have the sender pack it without, and encrypt it with OpenPGP instead"
    )]
    Locked { name: String },
    #[error(
        "The file in the zip archive {name} is packed in a way that is not read here ({method}); have the sender pack it with deflate, which every program offers"
    )]
    Method { name: String, method: u16 },
    #[error(
        "The zip archive {name} contradicts itself on {what}, so nobody can tell what it holds; deliver it again"
    )]
    Contradicts { name: String, what: &'static str },
    #[error(
        "The file {name} unpacks to more than {most} bytes; raise table.max_megabytes if that is right"
    )]
    TooLarge { name: String, most: u64 },
}

/// Whether a file is named as a zip archive or begins as one.
pub(super) fn is_meant(bytes: &[u8], name: Name<'_>) -> bool {
    name.has(".zip") || is_archive(bytes)
}

fn is_archive(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'K', 3 | 5, 4 | 6, ..])
}

/// The bytes of the one file in an archive. An office document, which is an archive too, is left as it is.
pub(super) fn unpack(bytes: Vec<u8>, name: Name<'_>, most: u64) -> Result<Vec<u8>, ZipError> {
    if !is_archive(&bytes) {
        return Err(ZipError::NotPacked { name: name.owned() });
    }
    let archive = match ZipArchive::from_slice(bytes.as_slice()) {
        Ok(archive) => archive,
        // The table reader says what it is.
        Err(_) if begins_as_document(&bytes) => return Ok(bytes),
        Err(error) => {
            return Err(ZipError::Damaged {
                name: name.owned(),
                source: Some(error),
            });
        }
    };
    match of_archive(&archive, name, most)? {
        Content::File(unpacked) => Ok(unpacked),
        Content::Document => Ok(bytes),
    }
}

/// What an archive turned out to be.
enum Content {
    File(Vec<u8>),
    Document,
}

fn begins_as_document(bytes: &[u8]) -> bool {
    const SIGN: &[u8] = b"[Content_Types].xml";
    let head = &bytes[..bytes.len().min(4096)];
    head.windows(SIGN.len()).any(|window| window == SIGN)
}

fn of_archive(
    archive: &ZipSliceArchive<&[u8]>,
    name: Name<'_>,
    most: u64,
) -> Result<Content, ZipError> {
    let damaged = |error| ZipError::Damaged {
        name: name.owned(),
        source: Some(error),
    };
    let contradicts = |what| ZipError::Contradicts {
        name: name.owned(),
        what,
    };
    if archive.end_offset() != archive.get_ref().len() as u64 {
        return Err(ZipError::Trailing { name: name.owned() });
    }
    let (mut records, mut entries, mut directory) = (Vec::new(), Vec::new(), 0);
    for record in archive.entries() {
        let record = record.map_err(damaged)?;
        let path = record.file_path();
        if matches!(path.as_bytes(), b"[Content_Types].xml" | b"mimetype") {
            return Ok(Content::Document);
        }
        let texts = [
            path.len(),
            record.extra_fields().remaining_bytes().len(),
            record.comment().as_bytes().len(),
        ];
        directory += RECORD + texts.map(|length| length as u64).iter().sum::<u64>();
        entries.push(archive.get_entry(record.wayfinder()).map_err(damaged)?);
        records.push(record);
    }
    if archive.entries_hint() != records.len() as u64 {
        return Err(contradicts("how many files it holds"));
    }
    let behind = archive.directory_offset() + directory;
    let before_end = archive.eocd_offset().checked_sub(behind);
    let parts = records.iter().zip(&entries).map(|(record, entry)| {
        let (_, end) = entry.compressed_data_range();
        (record.local_header_offset(), end)
    });
    let fits = |gap: u64| BEFORE_END.contains(&gap);
    if !before_end.is_some_and(fits) || !side_by_side(archive.directory_offset(), parts.collect()) {
        return Err(contradicts("where its parts begin and end"));
    }
    let mut files = records
        .iter()
        .zip(&entries)
        .filter(|(record, _)| !record.is_dir() || record.uncompressed_size_hint() > 0);
    let (Some((record, entry)), None) = (files.next(), files.next()) else {
        let is_file = |record: &&rawzip::ZipFileHeaderRecord<'_>| !record.is_dir();
        return Err(ZipError::NotOne {
            name: name.owned(),
            files: records.iter().filter(is_file).count(),
        });
    };
    let flags = [record.flags(), entry.local_header().flags()];
    if flags
        .iter()
        .any(|flags| flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked())
    {
        return Err(ZipError::Locked { name: name.owned() });
    }
    let size = record.uncompressed_size_hint();
    if size > most {
        return Err(ZipError::TooLarge {
            name: name.owned(),
            most,
        });
    }
    agrees(record, entry).map_err(|error| match error {
        Disagrees::Damaged(error) => damaged(error),
        Disagrees::On(what) => contradicts(what),
    })?;
    let content = content(record.compression_method(), entry.data(), size);
    let bytes = content.map_err(|failed| match failed {
        Unreadable::Method(method) => ZipError::Method {
            name: name.owned(),
            method,
        },
        Unreadable::Size => contradicts("the size of the file in it"),
        Unreadable::Damaged => ZipError::Damaged {
            name: name.owned(),
            source: None,
        },
    })?;
    if rawzip::crc32(&bytes) != record.crc32() {
        return Err(ZipError::Damaged {
            name: name.owned(),
            source: None,
        });
    }
    Ok(Content::File(bytes))
}

/// Whether the files fill all that stands before the directory, in any order, with nothing but their own records between them.
fn side_by_side(directory: u64, mut parts: Vec<(u64, u64)>) -> bool {
    parts.sort_unstable();
    let ends = parts.iter().map(|(_, end)| *end);
    let begins = parts.iter().map(|(begin, _)| *begin);
    let mut gaps = ends.zip(begins.skip(1).chain([directory]));
    let fits = |gap: u64| DESCRIPTORS.contains(&gap);
    parts.first().is_none_or(|(begin, _)| *begin == 0)
        && gaps.all(|(end, next)| next.checked_sub(end).is_some_and(fits))
}

enum Disagrees {
    Damaged(rawzip::Error),
    On(&'static str),
}

/// Whether the directory says of a file what stands at the file itself.
fn agrees(
    record: &rawzip::ZipFileHeaderRecord<'_>,
    entry: &ZipSliceEntry<'_>,
) -> Result<(), Disagrees> {
    let local = entry.local_header();
    if local.file_path().as_bytes() != record.file_path().as_bytes() {
        return Err(Disagrees::On("the name of the file in it"));
    }
    if local.compression_method() != record.compression_method() {
        return Err(Disagrees::On("how the file in it is packed"));
    }
    let told = (
        record.crc32(),
        record.compressed_size_hint(),
        record.uncompressed_size_hint(),
    );
    let there = match entry.data_descriptor().map_err(Disagrees::Damaged)? {
        Some(behind) => (
            behind.crc32(),
            behind.compressed_size(),
            behind.uncompressed_size(),
        ),
        None => (
            local.crc32(),
            local.compressed_size_hint(),
            local.uncompressed_size_hint(),
        ),
    };
    if told == there {
        Ok(())
    } else {
        Err(Disagrees::On("the size or checksum of the file in it"))
    }
}

enum Unreadable {
    Method(u16),
    Size,
    Damaged,
}

/// The bytes of the file, as many as the archive says.
fn content(method: CompressionMethod, data: &[u8], size: u64) -> Result<Vec<u8>, Unreadable> {
    let failed = |failed| match failed {
        Failed::TooLarge => Unreadable::Size,
        Failed::Read(_) => Unreadable::Damaged,
    };
    let (bytes, left) = match method {
        CompressionMethod::STORE => {
            let (bytes, mut rest) = capped::read(size, || data).map_err(failed)?;
            let left = rest.read(&mut [0]).map_err(|_| Unreadable::Damaged)?;
            (bytes, left)
        }
        CompressionMethod::DEFLATE => {
            let (bytes, decoder) =
                capped::read(size, || DeflateDecoder::new(data)).map_err(failed)?;
            (bytes, decoder.get_ref().len())
        }
        other => return Err(Unreadable::Method(other.as_u16())),
    };
    if bytes.len() as u64 == size && left == 0 {
        Ok(bytes)
    } else {
        Err(Unreadable::Size)
    }
}

#[cfg(test)]
pub(super) mod tests;
