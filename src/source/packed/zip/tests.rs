//! Tests of zip archives, those of other programs imitated byte by byte.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

const TEXT: &[u8] = b"PersNr;Name\n00123;Anna\n";

/// One file of an archive, and what its archive says of it.
#[derive(Clone)]
struct Entry {
    path: &'static str,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
    /// The checksum and sizes stand behind the data instead of before it.
    behind: bool,
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Entry {
    fn of(path: &'static str, bytes: &[u8]) -> Self {
        Self {
            path,
            data: deflated(bytes),
            method: 8,
            flags: 0,
            crc: rawzip::crc32(bytes),
            size: u32::try_from(bytes.len()).unwrap(),
            behind: false,
        }
    }

    fn stored(path: &'static str, bytes: &[u8]) -> Self {
        Self {
            data: bytes.to_vec(),
            method: 0,
            ..Self::of(path, bytes)
        }
    }

    /// What both records of the file have in common, from the version that is needed on.
    fn common(&self, told: bool) -> Vec<u8> {
        let flags = self.flags | if self.behind { 8 } else { 0 };
        let compressed = u32::try_from(self.data.len()).unwrap();
        let numbers = if told {
            [self.crc, compressed, self.size]
        } else {
            [0; 3]
        };
        let mut bytes = Vec::new();
        for word in [20, flags, self.method, 0, 0x5A21] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(numbers.map(u32::to_le_bytes).concat());
        bytes.extend(u16::try_from(self.path.len()).unwrap().to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    fn local(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(self.common(!self.behind));
        bytes.extend(self.path.as_bytes());
        bytes.extend(&self.data);
        if self.behind {
            let compressed = u32::try_from(self.data.len()).unwrap();
            bytes.extend(b"PK\x07\x08");
            bytes.extend(
                [self.crc, compressed, self.size]
                    .map(u32::to_le_bytes)
                    .concat(),
            );
        }
        bytes
    }

    fn central(&self, offset: usize) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02\x14\x00".to_vec();
        bytes.extend(self.common(true));
        bytes.extend([0; 10]);
        bytes.extend(u32::try_from(offset).unwrap().to_le_bytes());
        bytes.extend(self.path.as_bytes());
        bytes
    }
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(entry.central(bytes.len()));
        bytes.extend(entry.local());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let numbers = [directory.len(), bytes.len()].map(|number| u32::try_from(number).unwrap());
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend(numbers.map(u32::to_le_bytes).concat());
    bytes.extend([0, 0]);
    bytes
}

/// An archive of one file.
pub(crate) fn archive_of(path: &'static str, bytes: &[u8]) -> Vec<u8> {
    archive(&[Entry::of(path, bytes)])
}

fn of(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>, ZipError> {
    let name = Name {
        delivered: "roster.zip",
        inner: "roster.zip",
    };
    unpack(bytes, name, most)
}

#[track_caller]
fn refused(bytes: Vec<u8>, says: &str) {
    let error = of(bytes, 1000).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn the_one_file_of_an_archive_is_unpacked_whatever_its_path() {
    let folder = Entry::stored("out/", b"");
    let behind = Entry {
        behind: true,
        ..Entry::of("roster.csv", TEXT)
    };
    for entries in [
        &[Entry::of("roster.csv", TEXT)][..],
        &[Entry::stored("../../etc/passwd", TEXT)],
        &[folder.clone(), Entry::of("out/roster.csv", TEXT)],
        &[Entry::of("out/roster.csv", TEXT), folder],
        &[behind],
    ] {
        assert_eq!(of(archive(entries), 1000).unwrap(), TEXT);
    }
    assert_eq!(of(archive_of("r", TEXT), TEXT.len() as u64).unwrap(), TEXT);
    assert_eq!(of(archive_of("r", b""), 0).unwrap(), b"");
}

#[test]
fn the_number_of_files_has_to_be_one() {
    let one = Entry::of("a.csv", TEXT);
    let other = Entry::of("__MACOSX/._a.csv", b"x");
    refused(
        archive(&[one.clone(), other]),
        "holds 2 files and may hold one",
    );
    refused(archive(&[one.clone(), one]), "holds 2 files");
    refused(archive(&[]), "holds 0 files");
    refused(archive(&[Entry::stored("out/", b"")]), "holds 0 files");
}

#[test]
fn an_office_document_is_left_to_the_table_reader() {
    let document = archive(&[
        Entry::of("[Content_Types].xml", b"<Types/>"),
        Entry::of("xl/workbook.xml", b"<workbook/>"),
    ]);
    assert_eq!(of(document.clone(), 1000).unwrap(), document);
}

#[test]
fn a_locked_file_and_other_ways_of_packing_are_refused() {
    let locked = Entry {
        flags: 1,
        ..Entry::of("a", TEXT)
    };
    refused(archive(&[locked]), "is locked with a password");
    let bzip2 = Entry {
        method: 12,
        ..Entry::of("a", TEXT)
    };
    refused(archive(&[bzip2]), "not read here (12)");
    refused(b"PersNr;Name\n".to_vec(), "is no zip archive");
    refused(b"PK\x03\x04".to_vec(), "cut short or is damaged");
}

#[test]
fn a_size_or_checksum_that_is_not_so_is_refused() {
    let good = Entry::of("a", TEXT);
    for size in [0, 1, good.size - 1, good.size + 1] {
        for behind in [false, true] {
            let wrong = Entry {
                size,
                behind,
                ..good.clone()
            };
            refused(archive(&[wrong]), "contradicts itself on the size");
        }
    }
    let wrong = Entry {
        crc: good.crc ^ 1,
        ..good.clone()
    };
    refused(archive(&[wrong]), "is damaged");
    // The data goes on behind the end of what is packed in it.
    let mut longer = good.clone();
    longer.data.push(0);
    refused(archive(&[longer]), "contradicts itself on the size");
    let mut stored = Entry::stored("a", TEXT);
    stored.data.push(b'x');
    refused(archive(&[stored]), "contradicts itself on the size");
    // The file says another than the directory.
    let whole = archive(&[good]);
    for (at, what) in [
        (14, "size or checksum"),
        (18, "size or checksum"),
        (22, "size or checksum"),
        (30, "name"),
        (8, "how"),
    ] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(changed, what);
    }
}

#[test]
fn an_archive_beside_another_or_with_gaps_is_refused() {
    let one = archive_of("a", TEXT);
    let other = archive_of("b", b"PersNr;Name\n");
    refused(
        [one.clone(), b"x".to_vec()].concat(),
        "goes on after its end",
    );
    refused(
        [one.clone(), other.clone()].concat(),
        "contradicts itself on where",
    );
    refused(
        [b"PK\x03\x04".to_vec(), other].concat(),
        "contradicts itself on where",
    );
    let fewer = {
        let mut bytes = archive(&[Entry::of("a", TEXT), Entry::of("b", TEXT)]);
        let end = bytes.len() - 22;
        bytes[end + 8] = 1;
        bytes[end + 10] = 1;
        bytes
    };
    refused(fewer, "how many files");
}

#[test]
fn more_than_is_allowed_is_refused_whatever_the_archive_says() {
    let long = vec![b'x'; 2000];
    refused(archive_of("a", &long), "more than 1000 bytes");
    let lies = Entry {
        size: 10,
        ..Entry::of("a", &long)
    };
    refused(archive(&[lies]), "contradicts itself on the size");
}

#[test]
fn an_archive_cut_anywhere_fails() {
    let whole = archive_of("roster.csv", TEXT);
    for length in 0..whole.len() {
        let cut = of(whole[..length].to_vec(), 1000);
        assert!(cut.is_err(), "{length}: {cut:?}");
    }
}
