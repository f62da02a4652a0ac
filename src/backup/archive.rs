//! The form of a backup: members in a fixed order, the manifest first, none with a path. Reading compares everything with the manifest and accepts nothing else, so
//! that a file that was cut, damaged or made by something else is found out before it is used.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{BackupError, CONFIGURATION, FORMAT, LOG, MANIFEST, Manifest, Member, STORE};
use crate::audit::Rotated;
use crate::digest::hex;

/// No manifest is longer.
const LONGEST_MANIFEST: u64 = 1 << 20;

/// What went through [`copy`].
pub(super) struct Passed {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) sha256: String,
}

impl Passed {
    pub(super) fn as_member(&self, name: &str) -> Member {
        Member {
            name: name.to_owned(),
            bytes: self.bytes,
            sha256: self.sha256.clone(),
        }
    }
}

/// On which side a copy failed.
#[derive(Debug)]
pub(super) enum Failed {
    Reading(io::Error),
    Writing(io::Error),
}

/// Copies all of `from`.
pub(super) fn copy(mut from: impl Read, mut to: impl Write) -> Result<Passed, Failed> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let (mut bytes, mut lines) = (0, 0);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Reading(error)),
        };
        let piece = &buffer[..count];
        digest.update(piece);
        bytes += count as u64;
        lines += piece.split(|byte| *byte == b'\n').count() as u64 - 1;
        to.write_all(piece).map_err(Failed::Writing)?;
    }
    Ok(Passed {
        bytes,
        lines,
        sha256: hex(&digest.finalize()),
    })
}

/// Hashes what is read through it.
struct Hashing<R> {
    from: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

/// A backup being written.
pub(super) struct Writer<W: Write>(tar::Builder<GzEncoder<W>>);

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self(tar::Builder::new(GzEncoder::new(
            to,
            Compression::default(),
        )))
    }

    /// Appends the manifest.
    pub(super) fn manifest(&mut self, manifest: &Manifest) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(manifest)?;
        self.append(MANIFEST, manifest, text.len() as u64, &text[..])?;
        Ok(())
    }

    /// Appends a member of so many bytes, and gives the SHA-256 of what went in.
    pub(super) fn append(
        &mut self,
        name: &str,
        manifest: &Manifest,
        bytes: u64,
        from: impl Read,
    ) -> io::Result<String> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(bytes);
        header.set_mtime(u64::try_from(manifest.time.timestamp()).unwrap_or(0));
        let mut hashing = Hashing {
            from,
            digest: Sha256::new(),
        };
        self.0.append_data(&mut header, name, &mut hashing)?;
        Ok(hex(&hashing.digest.finalize()))
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.0.into_inner()?.finish()
    }
}

/// What every form of a manifest says.
#[derive(Deserialize)]
struct Kind {
    format: u32,
    version: String,
}

/// Reads a backup to its end and gives each member to the writer that `to` opens for it. Where this succeeds, all of it was as the manifest says.
pub(super) fn read<W: Write>(
    path: &Path,
    from: impl Read,
    mut to: impl FnMut(&Manifest, &str) -> Result<W, BackupError>,
) -> Result<Manifest, BackupError> {
    let damaged = |detail: &str| BackupError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let unreadable = |error: io::Error| damaged(&error.to_string());
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(from)));
    let mut entries = archive.entries().map_err(unreadable)?;
    let mut next = |name: &str| -> Result<tar::Entry<'_, _>, BackupError> {
        let entry = entries
            .next()
            .ok_or_else(|| damaged(&format!("{name} is missing")))?
            .map_err(unreadable)?;
        if entry.path_bytes() != name.as_bytes() || !entry.header().entry_type().is_file() {
            return Err(damaged(&format!("{name} is not where it should be")));
        }
        Ok(entry)
    };
    let mut text = Vec::new();
    next(MANIFEST)?
        .take(LONGEST_MANIFEST)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    let no_manifest = |_| damaged("its manifest makes no sense");
    let kind: Kind = serde_json::from_slice(&text).map_err(no_manifest)?;
    if kind.format > FORMAT {
        return Err(BackupError::Newer {
            path: path.to_owned(),
            version: kind.version,
        });
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(no_manifest)?;
    let names: Vec<&str> = manifest
        .members
        .iter()
        .map(|member| &*member.name)
        .collect();
    let is_rotated = |name: &&str| name.strip_prefix(LOG).is_some_and(Rotated::is_suffix);
    let (begin, rotated) = names.split_at(names.len().min(3));
    let twice = names
        .iter()
        .enumerate()
        .any(|(at, name)| names[..at].contains(name));
    if begin != [STORE, LOG, CONFIGURATION] || !rotated.iter().all(is_rotated) || twice {
        return Err(damaged("its manifest names other members"));
    }
    for member in &manifest.members {
        let entry = next(&member.name)?;
        let target = to(&manifest, &member.name)?;
        let passed = copy(entry.take(member.bytes.saturating_add(1)), target);
        let passed = passed.map_err(|failed| match failed {
            Failed::Reading(error) => unreadable(error),
            Failed::Writing(cause) => BackupError::Unpack { cause },
        })?;
        if passed.as_member(&member.name) != *member {
            return Err(damaged(&format!(
                "{} is not what the manifest says",
                member.name
            )));
        }
    }
    if entries.next().is_some() {
        return Err(damaged("there is more in it than the manifest says"));
    }
    // The checksum of the packing stands at its very end.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(unreadable)?;
    if !rest.into_inner().fill_buf().map_err(unreadable)?.is_empty() {
        return Err(damaged("something follows its end"));
    }
    Ok(manifest)
}
