//! Small files that unpack to a gigabyte: refused, and without the memory for what would come out.

use std::process::{Child, Stdio};
use std::time::Duration;

use flate2::write::DeflateEncoder;
use flate2::{Compression, FlushCompress, Status};

use crate::gpg_support::Gpg;
use crate::sealed::{Sealed, roster};
use crate::support::{Company, JobTicket};

const GIGABYTE: usize = 1 << 30;
/// Above what a run on a small roster takes.
const MOST: u64 = 64 << 20;

/// The most memory that a process has had, by what the kernel tells while it runs.
fn peak(child: &mut Child) -> (i32, u64) {
    let mut most = 0;
    let path = format!("/proc/{}/status", child.id());
    loop {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        most = most.max(kibibytes.unwrap_or_default() << 10);
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended.code().unwrap(), most);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn memory_of_a_run(company: &Company) -> (i32, u64) {
    let mut command = company.command(&["--run-now"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    peak(&mut child)
}

/// A gigabyte of zeros, deflated. A piece of it is packed once and stands there a thousand times.
fn deflated_zeros() -> Vec<u8> {
    let mut packer = flate2::Compress::new(Compression::best(), false);
    let mebibyte = vec![0; 1 << 20];
    let mut piece = Vec::with_capacity(1 << 16);
    let status = packer.compress_vec(&mebibyte, &mut piece, FlushCompress::Full);
    assert_eq!(status.unwrap(), Status::Ok);
    assert_eq!(packer.total_in(), 1 << 20);
    let mut all = piece.repeat(GIGABYTE >> 20);
    all.extend(
        DeflateEncoder::new(Vec::new(), Compression::best())
            .finish()
            .unwrap(),
    );
    all
}

fn gzip_bomb() -> Vec<u8> {
    let mut bytes = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(deflated_zeros());
    bytes.extend([0; 8]);
    bytes
}

/// An archive of one file that says that it unpacks to so many bytes.
fn zip_bomb(told: u32) -> Vec<u8> {
    let data = deflated_zeros();
    let mut numbers = vec![0; 4];
    numbers.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    numbers.extend(told.to_le_bytes());
    let common = [
        &[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..],
        &numbers,
        &[1, 0, 0, 0],
    ]
    .concat();
    let mut bytes = [b"PK\x03\x04", &common[..], b"r", &data].concat();
    let offset = u32::try_from(bytes.len()).unwrap();
    let directory = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], b"r"].concat();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// What a bomb took beyond what a roster of five people takes.
fn over_the_usual(what: &str, company: &Company, usual: u64, packed: usize) {
    let (code, most) = memory_of_a_run(company);
    assert_eq!(code, 4, "{what}");
    let over = most.saturating_sub(usual);
    eprintln!(
        "{what}: {packed} bytes packed, {} KiB over the usual {} KiB",
        over >> 10,
        usual >> 10
    );
    assert!(over < MOST, "{what}: {over} bytes");
}

#[test]
fn packed_gigabytes_are_refused_without_the_memory_for_them() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit("{name_date: \"roster_%Y%m%d.csv\"}", "modified");
    company.edit("roster_*.csv*", "roster_*");
    company.deliver_written("roster_1.csv", roster(5), 500);
    let (code, usual) = memory_of_a_run(&company);
    assert_eq!((code, jobticket.active().len()), (0, 5));
    let bombs = [
        ("gzip", "roster_2.csv.gz", gzip_bomb()),
        ("zip that tells it", "roster_3.zip", zip_bomb(1 << 30)),
        ("zip that lies", "roster_4.zip", zip_bomb(400_000_000)),
    ];
    for (age, (what, name, bomb)) in bombs.into_iter().enumerate() {
        company.deliver_written(name, &bomb, 400 - age as u64);
        over_the_usual(what, &company, usual, bomb.len());
        let says = if what == "zip that lies" {
            "contradicts itself on the size"
        } else {
            "unpacks to more than 512000000 bytes"
        };
        company.run_now().exits(4).says(says);
    }
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn openpgp_gigabytes_of_the_real_gpg_are_refused_without_the_memory_for_them() {
    let Some(gpg) = Gpg::start() else { return };
    let to = gpg.usual_key();
    let sealed = Sealed::new(&gpg.private(&to, ""), "", ".gpg");
    let small = gpg.encrypted(&to, &[], &roster(5));
    sealed.company.deliver("roster_20261119.csv.gpg", small);
    let (code, usual) = memory_of_a_run(&sealed.company);
    assert_eq!(code, 0);
    let zeros = vec![0; GIGABYTE];
    let zlib = ["--compress-algo", "zlib", "--compress-level", "9"];
    let bzip2 = ["--compress-algo", "bzip2"];
    let bombs = [
        ("OpenPGP, zlib", gpg.encrypted(&to, &zlib, &zeros)),
        ("OpenPGP, bzip2", gpg.encrypted(&to, &bzip2, &zeros)),
        (
            "OpenPGP, gzip inside",
            gpg.encrypted(&to, &[], &gzip_bomb()),
        ),
    ];
    for (what, bomb) in bombs {
        sealed.company.deliver("roster_20261120.csv.gpg", &bomb);
        over_the_usual(what, &sealed.company, usual, bomb.len());
        let says = "unpacks to more than 512000000 bytes";
        sealed.company.run_now().exits(4).says(says);
    }
    assert_eq!(sealed.jobticket.active().len(), 5);
}
