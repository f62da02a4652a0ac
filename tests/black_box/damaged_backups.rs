//! A backup that was cut, damaged or is none of ours changes nothing.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::backup_support::{backup_file, command, marks, members, with_backup};
use crate::support::{Company, JobTicket, people, table};
use crate::whole::{snapshot, store};

/// Packs a backup whose manifest is right but for what `edit` does to it.
fn pack(company: &Company, members: &[(String, Vec<u8>)], edit: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&members[0].1).unwrap();
    for (told, (_, content)) in manifest["members"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(&members[1..])
    {
        told["bytes"] = content.len().into();
        let digest = Sha256::digest(content);
        told["sha256"] = digest
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
            .into();
    }
    edit(&mut manifest);
    let file = File::create(backup_file(company)).unwrap();
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    let manifest = (members[0].0.clone(), manifest.to_string().into_bytes());
    for (name, content) in std::iter::once(&manifest).chain(&members[1..]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive
            .append_data(&mut header, name, &content[..])
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// Edits the store of a backup.
fn edit_store(company: &Company, sql: &str) {
    let mut members = members(company);
    let path = company.path("edited.db");
    fs::write(&path, &members[1].1).unwrap();
    let edited = rusqlite::Connection::open(&path).unwrap();
    edited.execute_batch(sql).unwrap();
    drop(edited);
    members[1].1 = fs::read(&path).unwrap();
    pack(company, &members, |_| ());
}

#[test]
fn a_backup_that_was_cut_or_damaged_changes_nothing() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    company.run_now().exits(0);
    let empty = Company::at(&jobticket);
    let whole = fs::read(backup_file(&company)).unwrap();
    let length = whole.len();
    let mut broken: Vec<(String, Vec<u8>)> = Vec::new();
    for cut in [
        0,
        1,
        12,
        300,
        length / 3,
        length / 2,
        length - 9,
        length - 1,
    ] {
        broken.push((format!("cut at {cut}"), whole[..cut].to_vec()));
    }
    for at in [2, 20, length / 4, length / 2, length - 6, length - 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        broken.push((format!("byte {at} of {length}"), bytes));
    }
    broken.push(("longer".to_owned(), [&whole[..], b"x"].concat()));
    broken.push(("twice".to_owned(), whole.repeat(2)));
    broken.push(("a table".to_owned(), table(&people(5)).into_bytes()));
    let before = company.state_files();
    for (what, bytes) in broken {
        for company in [&company, &empty] {
            fs::write(backup_file(company), &bytes).unwrap();
        }
        let ran = command(&company, "restore", &["--force"]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.stderr);
        ran.says("is no whole backup").says("nothing was changed");
        assert!(company.state_files() == before, "{what}");
        command(&empty, "restore", &[]).exits(1);
        assert!(!empty.path("state").exists(), "{what}");
    }
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_backup_whose_manifest_or_content_is_not_ours_changes_nothing() {
    type Edit = fn(&mut Value);
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    company.run_now().exits(0);
    let good = members(&company);
    let refused = |what: &str, said: &str| {
        let names = |(path, _): (PathBuf, Vec<u8>)| path;
        let before: Vec<PathBuf> = company.state_files().into_iter().map(names).collect();
        let ran = command(&company, "restore", &["--force", "--with-config"]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.stderr);
        ran.says(said).says("nothing was changed");
        let after: Vec<PathBuf> = company.state_files().into_iter().map(names).collect();
        assert_eq!(after, before, "{what}");
        assert_eq!(
            (snapshot(&store(&company)), marks(&company)),
            (7, 0),
            "{what}"
        );
        assert!(!company.path("config.yaml.restored").exists(), "{what}");
    };
    let edits: [(&str, Edit, &str); 6] = [
        (
            "a newer form",
            |m| {
                m["format"] = 3.into();
                m["version"] = "9.9.9".into();
                m["members"] = "something".into();
            },
            "written by jobticket-sync 9.9.9, which is newer",
        ),
        (
            "no format",
            |m| m["format"] = "x".into(),
            "manifest makes no sense",
        ),
        (
            "another hash",
            |m| m["members"][1]["sha256"] = "00".into(),
            "audit.jsonl is not what",
        ),
        (
            "another length",
            |m| m["members"][0]["bytes"] = 5.into(),
            "state.db is not what",
        ),
        (
            "a member less",
            |m| {
                m["members"].as_array_mut().unwrap().pop();
            },
            "other members",
        ),
        (
            "another schema",
            |m| m["schema"] = 77.into(),
            "another version than the manifest",
        ),
    ];
    for (what, edit, said) in edits {
        pack(&company, &good, edit);
        refused(what, said);
    }
    let mut more = good.clone();
    more.push(("more.txt".to_owned(), b"more".to_vec()));
    pack(&company, &more, |_| ());
    refused("a member more", "more in it than the manifest says");
    let mut renamed = good.clone();
    renamed[2].0 = "elsewhere/audit.jsonl".to_owned();
    pack(&company, &renamed, |_| ());
    refused("a path", "audit.jsonl is not where it should be");
    pack(&company, &good[..3], |_| ());
    refused("no configuration", "config.yaml is missing");
    for (sql, said) in [
        ("PRAGMA user_version = 99", "which is newer"),
        (
            "PRAGMA application_id = 5",
            "store in the backup cannot be used",
        ),
    ] {
        pack(&company, &good, |_| ());
        edit_store(&company, sql);
        refused(sql, said);
    }
    let mut damaged = good.clone();
    let length = damaged[1].1.len();
    damaged[1].1[length / 4..length / 2].fill(0xa5);
    pack(&company, &damaged, |_| ());
    refused("pages of nothing", "store in the backup cannot be used");
    damaged[1].1 = Vec::new();
    pack(&company, &damaged, |_| ());
    refused("no store", "store in the backup cannot be used");
    pack(&company, &good, |_| ());
    command(&company, "restore", &["--force"]).exits(0);
}
