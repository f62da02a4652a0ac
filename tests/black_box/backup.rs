//! A backup is whole or not there, holds what it says, and nobody else reads it.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::Value;

use crate::backup_support::{
    backup_file, command, killed_at, marks, members, replaced, with_backup,
};
use crate::support::{Company, JobTicket, Person, Ran, people};
use crate::whole::{is_whole, snapshot, store};

/// Every crash point of a backup.
const BACKUP_POINTS: [&str; 3] = ["backup_copied", "backup_packed", "backup_named"];

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
