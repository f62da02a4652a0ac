//! Two at once, the death of one, a clock that jumps, and a store that is not what it should be.

use std::fs::{File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::api_support::{later, tried};
use crate::support::{Company, JobTicket, NOW, people};

/// The file that keeps two runs of the integration apart; the first run makes it.
pub(crate) fn run_lock(company: &Company) -> std::path::PathBuf {
    let entries = std::fs::read_dir(company.path("state"))
        .unwrap()
        .map(Result::unwrap);
    let mut locks = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("run-") && name.ends_with(".lock")
    });
    locks.next().expect("a run made the lock")
}

#[test]
fn of_two_runs_at_once_one_pushes_and_the_other_finds_nothing_changed() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    company.run(&["--run-now", "--dry-run"]).exits(0);
    let lock = File::create(run_lock(&company)).unwrap();
    lock.lock().unwrap();
    let mut commands = [
        company.command(&["--run-now"]),
        company.command(&["--run-now"]),
    ];
    let mut both = commands.each_mut().map(|command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    // Both are held up before either may go.
    for one in &mut both {
        let mut lines = BufReader::new(one.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        while !said
            .last()
            .is_some_and(|line: &String| line.contains("Another run is in progress"))
        {
            said.push(
                lines
                    .next()
                    .unwrap_or_else(|| panic!("it does not wait: {said:?}"))
                    .unwrap(),
            );
        }
        std::thread::spawn(move || lines.for_each(drop));
    }
    drop(lock);
    let mut said = String::new();
    for one in both {
        let output = one.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        said += &String::from_utf8(output.stdout).unwrap();
    }
    assert_eq!(said.matches("Pushed 3 employees").count(), 1, "{said}");
    assert_eq!(said.matches("Nothing changed").count(), 1, "{said}");
    assert_eq!(tried(&jobticket).len(), 1);
}

#[test]
fn first_runs_at_once_make_one_store_and_one_push() {
    for _ in 0..5 {
        let jobticket = JobTicket::start();
        let before = tried(&jobticket).len();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        let mut commands = [(); 4].map(|()| company.command(&["--run-now"]));
        let all = commands.each_mut().map(|command| {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        for one in all {
            let output = one.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{said}");
        }
        assert_eq!(tried(&jobticket).len(), before + 1);
        let seqs = company
            .audit()
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect::<Vec<_>>();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn a_run_that_may_not_wait_gives_up_with_a_code_of_its_own() {
    let company = Company::new();
    company.deliver_people("20261120", &people(3));
    company.run(&["--run-now", "--dry-run"]).exits(0);
    let lock = File::create(run_lock(&company)).unwrap();
    lock.lock().unwrap();
    company
        .run(&["--run-now", "--wait", "0"])
        .exits(7)
        .says("BUSY")
        .says("Another run of acme is in progress");
    let ended = company.events("run_ended").pop().unwrap();
    assert_eq!(ended["outcome"], "another run in progress");
    drop(lock);
    company.run(&["--run-now", "--wait", "0"]).exits(0);
}

#[test]
fn the_lock_of_a_killed_process_is_free() {
    let mut company = Company::new();
    company.deliver_people("20261120", &people(3));
    let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), "begun".to_owned());
    company.variables.push(crash);
    assert_eq!(company.run_now().code, -1);
    company.variables.pop();
    company.run(&["--run-now", "--wait", "0"]).exits(0);
}

/// A company after its first run, and its store.
fn with_store() -> (Company, rusqlite::Connection) {
    let company = Company::new();
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(4));
    let store = rusqlite::Connection::open(company.path("state/state.db")).unwrap();
    (company, store)
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (company, store) = with_store();
    store.pragma_update(None, "user_version", 999).unwrap();
    drop(store);
    let before = std::fs::read(company.path("state/state.db")).unwrap();
    company
        .run_now()
        .exits(1)
        .says("version 999")
        .says("install the newer jobticket-sync");
    assert_eq!(
        std::fs::read(company.path("state/state.db")).unwrap(),
        before
    );
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    for marks in [
        "",
        "PRAGMA user_version = 1;",
        "PRAGMA application_id = 1234;",
        "PRAGMA application_id = 1234; PRAGMA user_version = 1;",
    ] {
        let company = Company::new();
        company.deliver_people("20261120", &people(3));
        std::fs::create_dir(company.path("state")).unwrap();
        let path = company.path("state/state.db");
        let other = rusqlite::Connection::open(&path).unwrap();
        other
            .execute_batch(&format!("CREATE TABLE invoice (id INTEGER); {marks}"))
            .unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        company
            .run_now()
            .exits(1)
            .says("not a store of jobticket-sync")
            .says("state_dir");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{marks:?}");
    }
}

#[test]
fn a_damaged_store_is_refused_with_what_to_do() {
    for damage in ["no database", "cut", "overwritten"] {
        let (company, store) = with_store();
        store
            .pragma_update_and_check(None, "wal_checkpoint", "truncate", |_| Ok(()))
            .unwrap();
        drop(store);
        let path = company.path("state/state.db");
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            "no database" => bytes = b"This is no database at all. ".repeat(200),
            "cut" => bytes.truncate(bytes.len() / 2),
            _ => {
                let middle = bytes.len() / 4;
                bytes[middle..].fill(0xa5);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        company
            .run_now()
            .exits(1)
            .says("is damaged")
            .says("Restore it from a backup");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "{damage}: it is left as it is"
        );
    }
}

#[test]
fn a_damaged_request_ledger_pushes_nothing_and_says_which_file() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    std::fs::create_dir(company.path("state")).unwrap();
    let bytes = b"This is no database at all. ".repeat(200);
    std::fs::write(company.path("state/requests.db"), bytes).unwrap();
    company.run_now().exits(1).says("requests.db");
    assert_eq!(crate::api_support::requests(&jobticket), 0);
    std::fs::remove_file(company.path("state/requests.db")).unwrap();
    company.run_now().exits(0);
}

#[test]
fn a_request_ledger_that_fails_is_no_matter_of_jobticket() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    std::fs::create_dir(company.path("state")).unwrap();
    let ledger = rusqlite::Connection::open(company.path("state/requests.db")).unwrap();
    ledger
        .execute_batch("CREATE TABLE block (something TEXT)")
        .unwrap();
    company
        .run_now()
        .exits(1)
        .says("The request ledger cannot be used");
    assert_eq!(crate::api_support::requests(&jobticket), 0);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_refused() {
    let (company, store) = with_store();
    drop(store);
    let folder = company.path("state");
    if nix::unistd::geteuid().is_root() {
        // Root may write everywhere, but the program becomes the folder's owner.
        let nobody = Some(65_534);
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            std::os::unix::fs::chown(entry.path(), nobody, nobody).unwrap();
        }
        std::os::unix::fs::chown(&folder, nobody, nobody).unwrap();
        std::fs::set_permissions(company.path(""), Permissions::from_mode(0o755)).unwrap();
    }
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::set_permissions(entry.path(), Permissions::from_mode(0o400)).unwrap();
        }
    }
    std::fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
    let ran = company.run_now();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    ran.exits(1)
        .says("The state folder")
        .says("check that it exists, has room and belongs to this user");
}

#[test]
fn a_clock_that_went_back_stops_the_run_and_says_how_to_go_on() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(4));
    company.now = later(-3600);
    company
        .run_now()
        .exits(1)
        .says("before the last run")
        .says("--accept-clock");
    assert_eq!(tried(&jobticket).len(), 1);
    company
        .run(&["--run-now", "--accept-clock"])
        .exits(0)
        .says("joiners: 1");
    // Once is enough: from here on this is the time.
    company.now = later(-3500);
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_clock_that_is_a_little_behind_does_no_harm() {
    let mut company = Company::new();
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
    company.now = later(-240);
    company.run_now().exits(0);
}

#[test]
fn a_clock_far_ahead_stops_the_run_and_says_how_to_go_on() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(4));
    company.now = later(90 * 86_400 + 3_600);
    company
        .run_now()
        .exits(1)
        .says("90 days after the last run")
        .says("--accept-clock");
    assert_eq!(tried(&jobticket).len(), 1);
}

#[test]
fn a_clock_more_than_a_day_off_that_of_jobticket_pushes_nothing() {
    for now in ["2026-11-21T05:00:00Z", "2026-11-24T06:00:00Z"] {
        let jobticket = JobTicket::with_clock("{}", Some(now));
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(3));
        company
            .run_now()
            .exits(1)
            .says("and JobTicket's")
            .says("--accept-clock");
        assert!(tried(&jobticket).is_empty());
        company.run(&["--run-now", "--accept-clock"]).exits(0);
        assert_eq!(jobticket.active().len(), 3);
    }
    let jobticket = JobTicket::with_clock("{}", Some("2026-11-22T06:00:00Z"));
    assert_eq!(NOW, "2026-11-23T05:15:00Z");
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
}

#[test]
fn two_names_for_one_target_do_not_run_side_by_side() {
    let mut company = Company::new();
    company.deliver_people("20261120", &people(3));
    company.run_now().exits(0);
    let lock = File::open(run_lock(&company)).unwrap();
    lock.lock().unwrap();
    company.edit("- name: acme", "- name: renamed");
    company
        .run(&["--run-now", "--wait", "0"])
        .exits(7)
        .says("Another run of renamed is in progress");
}
