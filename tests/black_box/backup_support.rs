//! What the tests of backups share: companies with a backup, the two commands, and what a backup holds.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;

use crate::support::{Company, JobTicket, Ran, people};
use crate::whole::{is_whole, store};

pub(crate) fn backup_file(company: &Company) -> PathBuf {
    company.path("backup.tar.gz")
}

/// One of the two commands on the company's backup.
pub(crate) fn command(company: &Company, name: &str, more: &[&str]) -> Ran {
    let file = backup_file(company);
    let mut arguments = vec![name, file.to_str().unwrap()];
    arguments.extend(more);
    company.run(&arguments)
}

pub(crate) fn killed_at(company: &mut Company, point: &str, name: &str, more: &[&str]) {
    let variable = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), point.to_owned());
    company.variables.push(variable);
    let ran = command(company, name, more);
    company.variables.pop();
    assert_eq!(ran.code, -1, "killed at {point}: {}", ran.stderr);
}

/// Five people are acknowledged and backed up, then two more come.
pub(crate) fn with_backup(jobticket: &JobTicket) -> Company {
    let company = Company::at(jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    command(&company, "backup", &[]).exits(0);
    company.deliver_people("20261121", &people(7));
    company
}

/// The same, where the two more have been acknowledged and stand in the write-ahead log alone, for the run was killed.
pub(crate) fn with_backup_and_later_push(jobticket: &JobTicket) -> Company {
    let mut company = with_backup(jobticket);
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "ended".to_owned());
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1);
    company.variables.pop();
    assert!(company.path("state/state.db-wal").metadata().unwrap().len() > 0);
    company
}

/// How many targets are marked as restored.
pub(crate) fn marks(company: &Company) -> i64 {
    store(company)
        .query_row(
            "SELECT count(*) FROM fact WHERE name LIKE 'restored:http%#7' AND value LIKE '2026-11-23T%'",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

/// The folders of what was moved aside.
pub(crate) fn replaced(company: &Company) -> Vec<PathBuf> {
    let entries = fs::read_dir(company.path("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().contains("replaced-"))
        .collect();
    found.sort();
    found
}

/// The next run uses the store, whether it pushes or waits until somebody adopts the integration, and everything is whole then.
#[track_caller]
pub(crate) fn goes_on(company: &Company, when: &str) {
    let ran = company.run_now();
    assert!([0, 3].contains(&ran.code), "{when}: {}", ran.stderr);
    is_whole(company, when);
    for name in ["restore.json", "restore-new", "audit.jsonl.restore-new"] {
        assert!(!company.path("state").join(name).exists(), "{when}: {name}");
    }
}

/// The members of a backup.
pub(crate) fn members(company: &Company) -> Vec<(String, Vec<u8>)> {
    let file = File::open(backup_file(company)).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        found.push((name, content));
    }
    found
}
