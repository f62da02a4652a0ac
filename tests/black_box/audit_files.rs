//! The files of the audit log: begun with a month, packed, backed up, removed by age, and whole whenever the program is killed.

use std::fs;
use std::process::Stdio;

use crate::backup_support::command;
use crate::crash::killed_in;
use crate::scene::Scene;
use crate::support::Company;
use crate::whole::is_whole;

/// What the name of a packed file ends with.
const PACKED: &str = ".gz";

/// The rotated files, sorted.
fn rotated(company: &Company) -> Vec<String> {
    let entries = fs::read_dir(company.path("state")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names
        .filter(|name| name.starts_with("audit.jsonl.2"))
        .collect();
    found.sort();
    found
}

#[track_caller]
fn is_verified(company: &Company, when: &str) {
    let ran = company.run(&["audit", "verify"]);
    assert_eq!(ran.code, 0, "{when}: {}{}", ran.stdout, ran.stderr);
    is_whole(company, when);
}

/// A company with a file of November, in December.
fn in_december() -> Scene {
    let mut scene = Scene::new();
    scene.days_pass(10);
    scene
}

#[test]
fn a_new_month_begins_another_file_and_the_old_one_is_packed() {
    let scene = in_december();
    scene.recovers("20261121");
    let files = rotated(&scene.company);
    assert_eq!(files.len(), 1);
    assert!(
        files[0].starts_with("audit.jsonl.2026-11.0000000001-") && files[0].ends_with(PACKED),
        "{files:?}"
    );
    let current = fs::read_to_string(scene.company.path("state/audit.jsonl")).unwrap();
    assert!(
        current
            .lines()
            .all(|line| line.contains("\"time\":\"2026-12"))
    );
    is_verified(&scene.company, "after a rotation");
    // What is looked for in the log is found in all of its files.
    scene
        .company
        .run(&["explain", "00001"])
        .exits(0)
        .says("+ 00001 joins");
    scene
        .company
        .run(&["audit", "--hrid", "00001"])
        .exits(0)
        .says("+ 00001 joins");
}

#[test]
fn killed_anywhere_in_a_rotation_nothing_is_lost_and_nothing_repeated() {
    for point in [
        "rotate_due",
        "rotate_renamed",
        "rotate_begun",
        "appended",
        "rotate_packed",
        "rotate_named",
        "rotate_done",
    ] {
        let mut scene = in_december();
        killed_in(&mut scene.company, point, &["--run-now", "--resync"]);
        let before: Vec<u64> = {
            let ran = scene.company.run(&["audit", "--format", "jsonl"]).exits(0);
            let lines = ran
                .stdout
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|line| line["seq"].as_u64().unwrap()).collect()
        };
        assert_eq!(
            before,
            (1..=before.len() as u64).collect::<Vec<_>>(),
            "{point}: read right after"
        );
        scene.company.run(&["audit", "verify"]).exits(0);
        scene.company.run(&["--run-now", "--resync"]).exits(0);
        scene.company.run(&["--run-now", "--resync"]).exits(0);
        is_verified(&scene.company, point);
        let files = rotated(&scene.company);
        assert!(
            files.len() == 1 && files[0].ends_with(PACKED),
            "{point}: {files:?}"
        );
        assert!(
            !scene
                .company
                .path("state")
                .join(format!("{}.part", files[0]))
                .exists(),
            "{point}"
        );
    }
}

#[test]
fn programs_that_append_at_once_begin_one_file() {
    let scene = in_december();
    let start = || {
        let mut command = scene
            .company
            .command(&["--run-now", "--dry-run", "--wait", "60"]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut all: Vec<_> = (0..6).map(|_| start()).collect();
    for one in &mut all {
        assert!(one.wait().unwrap().success());
    }
    assert_eq!(rotated(&scene.company).len(), 1);
    scene.company.run_now().exits(0);
    is_verified(&scene.company, "after all of them");
    assert_eq!(scene.company.events("run_started").len(), 8);
}

#[test]
fn a_backup_holds_all_files_and_a_restore_puts_them_back_whenever_it_is_killed() {
    let mut scene = in_december();
    scene.recovers("20261121");
    let old = rotated(&scene.company);
    let lines = scene.company.audit().len();
    command(&scene.company, "backup", &[])
        .exits(0)
        .says(&format!("audit log: {lines} lines"));
    scene.days_pass(31);
    scene.recovers("20261122");
    assert_eq!(rotated(&scene.company).len(), 2);
    for (point, counts) in [
        ("restore_unpacked", false),
        ("restore_marked", false),
        ("restore_decided", true),
        ("restore_store", true),
        ("restore_aside:4", true),
        ("restore_rotated", true),
        ("restore_log", true),
    ] {
        crate::backup_support::killed_at(&mut scene.company, point, "restore", &["--force"]);
        let ran = scene.company.run_now();
        assert!([0, 3].contains(&ran.code), "{point}: {}", ran.stderr);
        is_verified(&scene.company, point);
        let restored = usize::from(counts);
        assert_eq!(scene.company.events("restored").len(), restored, "{point}");
        if counts {
            assert_eq!(rotated(&scene.company)[0], old[0], "{point}");
        }
    }
}

#[test]
fn old_files_are_removed_and_the_log_tells_of_it() {
    let mut scene = Scene::with(|company| company.top = "audit: {keep_months: 1}\n".to_owned());
    for (day, days) in [("20261121", 10), ("20261122", 31)] {
        scene.days_pass(days);
        scene.recovers(day);
    }
    // January: November is more than a whole month ago.
    let files = rotated(&scene.company);
    assert!(
        files.len() == 1 && files[0].starts_with("audit.jsonl.2026-12."),
        "{files:?}"
    );
    let told = scene.company.events("old_lines_removed");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["first"], 1);
    assert_eq!(told[0]["lines"], told[0]["last"]);
    let ran = scene.company.run(&["audit", "verify"]).exits(0);
    ran.says("were removed by age on 2027-01-03")
        .says("Nothing was changed");
    // Somebody takes away more than the log tells of.
    fs::remove_file(scene.company.path("state").join(&files[0])).unwrap();
    scene
        .company
        .run(&["audit", "verify"])
        .exits(1)
        .says("does not tell that those before it were removed by age");
}

#[test]
fn killed_while_old_files_are_removed_the_next_run_removes_them() {
    for point in ["expire_told", "expire_removed"] {
        let mut scene = Scene::with(|company| company.top = "audit: {keep_months: 1}\n".to_owned());
        scene.days_pass(10);
        scene.recovers("20261121");
        scene.days_pass(31);
        killed_in(&mut scene.company, point, &["--run-now", "--resync"]);
        scene.company.run(&["audit", "verify"]).exits(0);
        scene.company.run(&["--run-now", "--resync"]).exits(0);
        scene
            .company
            .run(&["audit", "verify"])
            .exits(0)
            .says("were removed by age");
        assert_eq!(
            scene.company.events("old_lines_removed").len(),
            1,
            "{point}"
        );
        assert_eq!(rotated(&scene.company).len(), 1, "{point}");
    }
}
