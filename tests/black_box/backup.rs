//! A backup is whole or not there, holds what it says, and a restore does all of it or nothing.

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{Company, JobTicket, Person, Ran, people, table};
use crate::whole::{integrity, is_whole, snapshot, store};

/// Every crash point of a restore, in the order in which it passes them.
const RESTORE_POINTS: [&str; 9] = [
    "restore_unpacked",
    "restore_marked",
    "restore_decided",
    "restore_aside",
    "restore_aside:2",
    "restore_aside:3",
    "restore_store",
    "restore_log",
    "restore_done",
];

/// Every crash point of a backup.
const BACKUP_POINTS: [&str; 3] = ["backup_copied", "backup_packed", "backup_named"];

fn backup_file(company: &Company) -> PathBuf {
    company.path("backup.tar.gz")
}

/// One of the two commands on the company's backup.
fn command(company: &Company, name: &str, more: &[&str]) -> Ran {
    let file = backup_file(company);
    let mut arguments = vec![name, file.to_str().unwrap()];
    arguments.extend(more);
    company.run(&arguments)
}

fn killed_at(company: &mut Company, point: &str, name: &str, more: &[&str]) {
    let variable = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), point.to_owned());
    company.variables.push(variable);
    let ran = command(company, name, more);
    company.variables.pop();
    assert_eq!(ran.code, -1, "killed at {point}: {}", ran.stderr);
}

/// Five people are acknowledged and backed up, then two more come.
fn with_backup(jobticket: &JobTicket) -> Company {
    let company = Company::at(jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    command(&company, "backup", &[]).exits(0);
    company.deliver_people("20261121", &people(7));
    company
}

/// The same, where the two more have been acknowledged and stand in the write-ahead log alone, for the run was killed.
fn with_backup_and_later_push(jobticket: &JobTicket) -> Company {
    let mut company = with_backup(jobticket);
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "ended".to_owned());
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1);
    company.variables.pop();
    assert!(company.path("state/state.db-wal").metadata().unwrap().len() > 0);
    company
}

/// How many targets are marked as restored.
fn marks(company: &Company) -> i64 {
    store(company)
        .query_row(
            "SELECT count(*) FROM fact WHERE name LIKE 'restored:http%#7' AND value LIKE '2026-11-23T%'",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

/// The folders of what was moved aside.
fn replaced(company: &Company) -> Vec<PathBuf> {
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
fn goes_on(company: &Company, when: &str) {
    let ran = company.run_now();
    assert!([0, 3].contains(&ran.code), "{when}: {}", ran.stderr);
    is_whole(company, when);
    for name in ["restore.json", "restore-new", "audit.jsonl.restore-new"] {
        assert!(!company.path("state").join(name).exists(), "{when}: {name}");
    }
}

/// The members of a backup.
fn members(company: &Company) -> Vec<(String, Vec<u8>)> {
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

/// Passes everything on to JobTicket, but holds a push until it is told to go on.
struct Gate {
    url: String,
    reached: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

impl Gate {
    fn before(jobticket: &JobTicket) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let to = jobticket.url.trim_start_matches("http://").to_owned();
        let ((told, reached), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&to).unwrap();
                let (mut answers, mut back) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let (told, wait) = (told.clone(), std::sync::Arc::clone(&wait));
                std::thread::spawn(move || hold_pushes(client, server, &told, &wait));
            }
        });
        Self { url, reached, go }
    }
}

fn hold_pushes(
    mut client: TcpStream,
    mut server: TcpStream,
    told: &mpsc::Sender<()>,
    wait: &std::sync::Mutex<mpsc::Receiver<()>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        if buffer[..count].starts_with(b"POST ") {
            let _ = told.send(());
            let _ = wait.lock().unwrap().recv();
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

#[test]
fn a_backup_made_during_a_push_is_consistent_and_the_push_goes_on() {
    let jobticket = JobTicket::start();
    let gate = Gate::before(&jobticket);
    let mut company = Company::at(&jobticket);
    company.jobticket = company.jobticket.replace(&jobticket.url, &gate.url);
    company.deliver_people("20261120", &people(5));
    let mut run = company.command(&["--run-now"]);
    let run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    gate.reached.recv().unwrap();
    command(&company, "backup", &[])
        .exits(0)
        .says("nothing was acknowledged yet");
    gate.go.send(()).unwrap();
    let ended = run.unwrap().wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(jobticket.active().len(), 5);
    is_whole(&company, "the run that went on");
    // The backup knows of a push that it has seen no answer to, and the log of its intent.
    drop(gate);
    let gate = Gate::before(&jobticket);
    drop(gate.go);
    let log = String::from_utf8(members(&company)[2].1.clone()).unwrap();
    assert!(log.contains("push_intent") && !log.contains("push_acknowledged"));
    command(&company, "restore", &["--force"]).exits(0);
    assert_eq!(marks(&company), 1, "a push without a snapshot counts too");
    let state: String = store(&company)
        .query_row("SELECT state FROM push", [], |row| row.get(0))
        .unwrap();
    assert!(["prepared", "in_doubt"].contains(&&*state), "{state}");
    is_whole(&company, "the store of the backup");
}

#[test]
fn backups_made_during_many_runs_are_all_consistent() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261101", &people(3));
    company.run_now().exits(0);
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| {
            for day in 2..8 {
                company.deliver_people(&format!("202611{day:02}"), &people(2 + day));
                company.command(&["--run-now"]).output().unwrap();
            }
        });
        let other = Company::at(&jobticket);
        while !runs.is_finished() {
            command(&company, "backup", &["--force"]).exits(0);
            fs::copy(backup_file(&company), backup_file(&other)).unwrap();
            command(&other, "restore", &["--force"]).exits(0);
            is_whole(&other, "a backup in between");
        }
    });
}

#[test]
fn what_was_backed_up_comes_back_and_what_was_there_is_kept() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    company.run_now().exits(0);
    let configuration = fs::read(company.write_config()).unwrap();
    command(&company, "restore", &["--force"])
        .exits(0)
        .says("5 employees")
        .says("NOT OURS UNTIL ADOPTED")
        .says("replaced-20261123T0515");
    assert_eq!((snapshot(&store(&company)), marks(&company)), (5, 1));
    is_whole(&company, "restored");
    let told = &company.events("restored")[0];
    assert_eq!(told["file"], "backup.tar.gz");
    assert_eq!(told["lines"], told["seq"].as_u64().unwrap() - 1);
    assert_eq!(
        company.events("push_acknowledged").len(),
        1,
        "the log is that of the backup"
    );
    let aside = &replaced(&company)[0];
    let old = rusqlite::Connection::open(aside.join("state.db")).unwrap();
    assert_eq!(snapshot(&old), 7);
    let log = fs::read_to_string(aside.join("audit.jsonl")).unwrap();
    assert!(log.contains("backup_written") && log.matches("push_acknowledged").count() == 2);
    assert_eq!(fs::read(company.write_config()).unwrap(), configuration);
    assert!(!company.path("config.yaml.restored").exists());
    goes_on(&company, "after the round trip");
    // Twice in one second there are two folders.
    command(&company, "restore", &["--force"]).exits(0);
    assert_eq!(replaced(&company).len(), 2);
}

#[test]
fn a_backup_is_restored_to_a_new_machine() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let other = Company::at(&jobticket);
    fs::copy(backup_file(&company), backup_file(&other)).unwrap();
    command(&other, "restore", &["--with-config"])
        .exits(0)
        .says("config.yaml.restored");
    assert_eq!((snapshot(&store(&other)), marks(&other)), (5, 1));
    assert!(replaced(&other).is_empty());
    let kept = other.path("config.yaml.restored");
    assert_eq!(
        fs::read(&kept).unwrap(),
        fs::read(company.write_config()).unwrap()
    );
    assert_eq!(kept.metadata().unwrap().mode() & 0o777, 0o600);
    // A second time it would be written over.
    let before = other.state_files();
    command(&other, "restore", &["--force", "--with-config"])
        .exits(2)
        .says("nothing was changed");
    assert!(other.state_files() == before);
    other.deliver_people("20261120", &people(5));
    goes_on(&other, "on the new machine");
}

#[test]
fn an_audit_log_that_is_elsewhere_goes_and_comes_with_the_store() {
    let jobticket = JobTicket::start();
    // Another file system where there is one.
    let elsewhere = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let elsewhere = elsewhere.unwrap();
    let log = elsewhere.path().join("log/trail.jsonl");
    let mut company = Company::at(&jobticket);
    company.top = format!("audit: {{path: {}}}\n", log.display());
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    command(&company, "backup", &[]).exits(0);
    company.run_now().exits(0);
    let before = fs::read_to_string(&log).unwrap();
    command(&company, "restore", &["--force"]).exits(0);
    let aside = replaced(&company)[0].join("trail.jsonl");
    assert_eq!(fs::read_to_string(aside).unwrap(), before);
    let after = fs::read_to_string(&log).unwrap();
    assert!(after.lines().last().unwrap().contains("\"restored\""));
    assert_eq!(fs::read_dir(log.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_backup_is_for_its_owner_alone_and_shows_nobody() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let mode = |path: PathBuf| path.metadata().unwrap().mode() & 0o777;
    assert_eq!(mode(backup_file(&company)), 0o600);
    for (name, more) in [
        ("backup", &["--force"][..]),
        ("restore", &["--force", "--with-config"]),
        ("backup", &[]),
        ("restore", &[]),
    ] {
        let Ran { stdout, stderr, .. } = command(&company, name, more);
        for personal in ["Beispiel", "Änne", "@example.com", "1990", "00001"] {
            let said = format!("{stdout}{stderr}");
            assert!(!said.contains(personal), "{name} shows {personal}: {said}");
        }
    }
    for name in ["state.db", "audit.jsonl"] {
        assert_eq!(mode(company.path("state").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(replaced(&company)[0].clone()), 0o700);
    let told = command(&company, "backup", &["--force", "--output", "json"]).exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["backup"]["snapshots"][0]["employees"], 5);
    assert_eq!(told["exitCode"], 0);
    let event = &company.events("backup_written")[1];
    assert_eq!(event["file"], "backup.tar.gz");
    assert_eq!(
        event["bytes"],
        backup_file(&company).metadata().unwrap().len()
    );
}

#[test]
fn a_file_that_is_there_is_replaced_on_demand_only() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let before = fs::read(backup_file(&company)).unwrap();
    command(&company, "backup", &[])
        .exits(2)
        .says("is there already")
        .says("--force");
    assert_eq!(fs::read(backup_file(&company)).unwrap(), before);
    command(&company, "backup", &["--force"]).exits(0);
    assert_ne!(fs::read(backup_file(&company)).unwrap(), before);
}

#[test]
fn a_backup_that_cannot_be_written_says_why() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let missing = company.path("missing/backup.tar.gz");
    company
        .run(&["backup", missing.to_str().unwrap()])
        .exits(1)
        .says("cannot be written")
        .says("choose a folder");
    let folder = company.path("drop");
    company
        .run(&["backup", folder.to_str().unwrap()])
        .exits(2)
        .says("does not name a file");
    let file = company.path("other.tar.gz");
    let one = ["backup", file.to_str().unwrap(), "--integration", "acme"];
    company.run(&one).exits(2).says("leave --integration out");
    let empty = Company::at(&jobticket);
    command(&empty, "backup", &[])
        .exits(1)
        .says("nothing to back up");
    assert!(!empty.path("state").exists());
    command(&empty, "restore", &[])
        .exits(2)
        .says("cannot be read");
}

#[test]
fn a_backup_by_root_says_who_could_not_write_it() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root becomes another user");
        return;
    }
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let nobody = Some(65_534);
    let state = company.path("state");
    for path in company.state_files().into_iter().map(|(path, _)| path) {
        std::os::unix::fs::chown(path, nobody, nobody).unwrap();
    }
    std::os::unix::fs::chown(&state, nobody, nobody).unwrap();
    fs::set_permissions(company.path(""), Permissions::from_mode(0o755)).unwrap();
    command(&company, "backup", &["--force"])
        .exits(1)
        .says("in which nobody may write files, the owner of the state folder");
    // What only root may read is read before.
    let file = fs::metadata(backup_file(&company)).unwrap();
    assert_eq!((file.uid(), file.mode() & 0o777), (0, 0o600));
    command(&company, "restore", &["--force"]).exits(0);
    for (path, _) in company.state_files() {
        assert_eq!(path.metadata().unwrap().uid(), 65_534, "{}", path.display());
    }
    let inside = state.join("backup.tar.gz");
    company.run(&["backup", inside.to_str().unwrap()]).exits(0);
    assert_eq!(inside.metadata().unwrap().uid(), 65_534);
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
                m["format"] = 2.into();
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

#[test]
fn a_store_or_a_log_that_is_there_is_replaced_on_demand_only() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    company.run_now().exits(0);
    let said = "already holds a store or an audit log";
    command(&company, "restore", &[])
        .exits(2)
        .says(said)
        .says("--force");
    assert_eq!((snapshot(&store(&company)), marks(&company)), (7, 0));
    fs::remove_file(company.path("state/state.db")).unwrap();
    command(&company, "restore", &[]).exits(2).says(said);
    command(&company, "restore", &["--force"]).exits(0);
    assert!(replaced(&company)[0].join("audit.jsonl").exists());
    goes_on(&company, "in place of a log alone");
}

#[test]
fn a_damaged_store_is_replaced_and_kept_as_it_was() {
    let jobticket = JobTicket::start();
    let company = with_backup_and_later_push(&jobticket);
    let wal = fs::read(company.path("state/state.db-wal")).unwrap();
    let damaged = b"This is no database at all. ".repeat(300);
    fs::write(company.path("state/state.db"), &damaged).unwrap();
    command(&company, "restore", &["--force"]).exits(0);
    let aside = &replaced(&company)[0];
    assert_eq!(fs::read(aside.join("state.db")).unwrap(), damaged);
    assert_eq!(fs::read(aside.join("state.db-wal")).unwrap(), wal);
    goes_on(&company, "in place of a damaged store");
}

#[test]
fn a_restore_waits_for_nobody_who_uses_the_store() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let entries = fs::read_dir(company.path("state")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let run = paths
        .find(|path| path.to_string_lossy().contains("run-"))
        .unwrap();
    for (lock, said) in [
        (run, "Another run of acme is in progress"),
        (company.path("state/store.lock"), "stop the daemon"),
        (
            company.path("state/backup.lock"),
            "Another backup or restore",
        ),
    ] {
        let held = File::open(lock).unwrap();
        held.lock_shared().unwrap();
        let before = company.state_files();
        command(&company, "restore", &["--force"])
            .exits(7)
            .says(said);
        assert!(company.state_files() == before, "{said}");
    }
    command(&company, "restore", &["--force"]).exits(0);
}

#[test]
fn killed_anywhere_a_restore_was_done_or_not_begun() {
    for (position, point) in RESTORE_POINTS.iter().enumerate() {
        let jobticket = JobTicket::start();
        let mut company = with_backup_and_later_push(&jobticket);
        killed_at(&mut company, point, "restore", &["--force"]);
        let counts = position >= 2;
        // Whoever comes next may also be killed while finishing.
        if point == &"restore_decided" {
            killed_at(&mut company, "restore_aside:2", "restore", &["--force"]);
        }
        // Something that looks only goes on in the same way as a run.
        company.run(&["check"]);
        if counts {
            assert_eq!(
                (snapshot(&store(&company)), marks(&company)),
                (5, 1),
                "{point}"
            );
            let old = rusqlite::Connection::open(replaced(&company)[0].join("state.db")).unwrap();
            assert_eq!((snapshot(&old), &*integrity(&old)), (7, "ok"), "{point}");
            let log = fs::read_to_string(replaced(&company)[0].join("audit.jsonl")).unwrap();
            assert_eq!(log.matches("push_intent").count(), 2, "{point}");
        } else {
            assert_eq!(
                (snapshot(&store(&company)), marks(&company)),
                (7, 0),
                "{point}"
            );
            assert!(replaced(&company).is_empty(), "{point}");
        }
        let ran = company.run_now();
        assert!([0, 3].contains(&ran.code), "{point}: {}", ran.stderr);
        is_whole(&company, point);
        assert_eq!(
            company.events("restored").len(),
            usize::from(counts),
            "{point}"
        );
        assert_eq!(jobticket.active().len(), 7, "{point}");
        if position % 4 == 1 {
            command(&company, "restore", &["--force"]).exits(0);
            goes_on(&company, point);
        }
    }
}

#[test]
fn killed_anywhere_a_backup_leaves_the_old_file_or_the_new_one() {
    for point in BACKUP_POINTS {
        let jobticket = JobTicket::start();
        let mut company = with_backup(&jobticket);
        company.run_now().exits(0);
        let before = fs::read(backup_file(&company)).unwrap();
        killed_at(&mut company, point, "backup", &["--force"]);
        let after = fs::read(backup_file(&company)).unwrap();
        assert_eq!(after != before, point == "backup_named", "{point}");
        let other = Company::at(&jobticket);
        fs::copy(backup_file(&company), backup_file(&other)).unwrap();
        command(&other, "restore", &[]).exits(0);
        is_whole(&other, point);
        // The next backup takes away what this one has left.
        command(&company, "backup", &["--force"]).exits(0);
        let names = |folder: PathBuf| -> Vec<String> {
            let entries = fs::read_dir(folder).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).collect()
        };
        let left = [names(company.path("")), names(company.path("state"))].concat();
        let left = left
            .iter()
            .filter(|name| name.contains(".part") || name.contains("backup-copy"));
        assert_eq!(left.count(), 0, "{point}");
    }
}

#[test]
fn a_full_disk_leaves_no_half_backup() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let staff: Vec<Person> = people(400);
    company.deliver_people("20261121", &staff);
    let before = fs::read(backup_file(&company)).unwrap();
    let file = backup_file(&company);
    // Files of this process may not grow past so many blocks of 512 or 1024 bytes.
    let ran = crate::damage::limited(&company, 8, &["backup", file.to_str().unwrap(), "--force"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!company.path(".backup.tar.gz.part").exists());
    let ran = crate::damage::limited(&company, 8, &["restore", file.to_str().unwrap(), "--force"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!((snapshot(&store(&company)), marks(&company)), (5, 0));
    command(&company, "restore", &["--force"]).exits(0);
}
