//! A restore does all of it or nothing, keeps what was there, and nothing is pushed from it until somebody adopts it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use crate::backup_support::{
    backup_file, command, goes_on, killed_at, marks, replaced, with_backup,
    with_backup_and_later_push,
};
use crate::deciding::{as_json, decided};
use crate::support::{Company, JobTicket, people};
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
fn a_head_that_was_kept_before_a_restore_is_never_taken_for_a_changed_log() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    let head = || {
        let audit = as_json(&company, &["status"])["audit"].clone();
        format!(
            "{}:{}",
            audit["seq"].as_u64().unwrap(),
            audit["hash"].as_str().unwrap()
        )
    };
    let verify = |head: &str| company.run(&["audit", "verify", "--head", head]);
    let of_backup = company
        .run(&["audit", "--kind", "push_acknowledged", "--format", "jsonl"])
        .stdout;
    let seq = serde_json::from_str::<serde_json::Value>(&of_backup).unwrap()["seq"].clone();
    company.run_now().exits(0);
    company.run(&["--run-now", "--resync"]).exits(0);
    let before = head();
    verify(&before).exits(0);
    // The second restore takes the place of the line that tells of the first.
    for _ in 0..2 {
        command(&company, "restore", &["--force"]).exits(0);
        let told = company.events("restored").pop().unwrap();
        let lines = told["seq"].as_u64().unwrap();
        let up_to: u64 = before.split_once(':').unwrap().0.parse().unwrap();
        assert_eq!(told["replacedUpTo"], up_to);
        company
            .run(&["audit", "verify"])
            .exits(0)
            .says(&format!("line {lines} tells of a restore"));
        let ran = verify(&before).exits(1);
        let ran = ran
            .says("cannot be compared with the head that was given")
            .says(&format!("has replaced the lines from {lines} to {up_to}"));
        assert!(!ran.stdout.contains("CHANGED"), "{}", ran.stdout);
        let found = as_json(&company, &["audit", "verify", "--head", &before]);
        assert!(found["intact"].is_null(), "neither true nor false: {found}");
        assert_eq!(found["verified"]["notCompared"][0]["because"], "replaced");
        verify(&head()).exits(0);
        verify(&format!("{seq}:{}", "0".repeat(64)))
            .exits(1)
            .says("CHANGED");
        verify(&format!("{}:{}", up_to + 1, "0".repeat(64)))
            .exits(1)
            .says("CHANGED");
    }
    let first = company.events("restored").pop().unwrap();
    assert_ne!(first["replacedHead"], before, "that of the first restore");
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
    // Beside it stands the lock of its files.
    let left = fs::read_dir(log.parent().unwrap()).unwrap();
    let mut names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["trail.jsonl", "trail.jsonl.lock"]);
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
fn a_restored_state_pushes_nothing_until_it_is_adopted() {
    let jobticket = JobTicket::start();
    let company = with_backup(&jobticket);
    company.run_now().exits(0).says("joiners: 2");
    command(&company, "restore", &["--force"]).exits(0);
    // Two people whom the restored state does not know are linked there by now, and the newest file lacks them.
    company.deliver_people("20261122", &people(4));
    for _ in 0..2 {
        let ran = company.run_now().exits(3).says("HELD");
        ran.says("the state was restored from a backup")
            .says("adopt acme --reason TEXT`");
    }
    let approve = ["approve", "1", "--yes", "--reason", "told by HR"];
    company.run(&approve).exits(2).says("cannot be approved");
    assert_eq!(jobticket.pushes().len(), 2);
    assert_eq!(jobticket.active().len(), 7);
    decided(&company, &["adopt", "acme", "--yes"]).says("Adopted");
    // Whom JobTicket has counts, and too many of them would leave at once.
    let ran = company.run_now().exits(3);
    ran.says("- 00005 leaves").says("- 00007 leaves");
    assert_eq!(jobticket.active().len(), 7);
    company.deliver_people("20261123", &people(8));
    company.run_now().exits(0).says("+ 00008 joins");
    assert_eq!(jobticket.active().len(), 8);
}

#[test]
fn a_restored_state_is_held_although_nothing_would_change() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    command(&company, "backup", &[]).exits(0);
    command(&company, "restore", &["--force"]).exits(0);
    company.run_now().exits(3).says("HELD");
    decided(&company, &["adopt", "acme", "--yes"]);
    company.run_now().exits(0).says("Nothing changed");
}
