//! Forgetting people: their values go from the state and the log, the chain holds, nobody active is touched, and a restore repeats it.

use std::fs;
use std::process::Stdio;

use crate::backup_support::command;
use crate::crash::killed_in;
use crate::daemon_runs::Pause;
use crate::deciding::{as_json, decided, without_last};
use crate::scene::Scene;
use crate::service::Service;
use crate::support::{Company, JobTicket, people};

/// Five people in the log with all of their values; one has left, and is still in the file. The log has two files.
fn after_one_left() -> Scene {
    let mut scene = Scene::with(|company| {
        company.top = "audit: {values: full}\n".to_owned();
        company.source += "        after: {archive: archive}\n";
    });
    let mut staff = people(5);
    staff[4].last = "Beispiel00005neu".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0);
    scene.days_pass(10);
    staff[4].end = "01.12.2026".to_owned();
    scene.company.deliver_people("20261203", &staff);
    scene.company.run_now().exits(0).says("leavers: 1");
    scene.company.run(&["--run-now", "--resync"]).exits(0);
    assert!(has_values(&scene.company));
    let rosters = scene.company.kept_rosters().concat();
    assert!(
        String::from_utf8(rosters)
            .unwrap()
            .contains("Beispiel00005")
    );
    scene
}

/// Whether a value of the one who left stands anywhere in the state or the log.
fn has_values(company: &Company) -> bool {
    let of = |bytes: &[u8]| {
        let values = ["Beispiel00005", "person00005@"];
        values.iter().any(|value| {
            bytes
                .windows(value.len())
                .any(|window| window == value.as_bytes())
        })
    };
    let files = company.state_files();
    let mut files = files
        .iter()
        .filter(|(path, _)| !path.to_string_lossy().contains("replaced-"));
    files.any(|(_, bytes)| of(bytes))
        || of(company.audit_text().as_bytes())
        || company.kept_rosters().iter().any(|piece| of(piece))
}

#[track_caller]
fn is_forgotten(company: &Company, when: &str) {
    assert!(!has_values(company), "{when}");
    let ran = company.run(&["audit", "verify"]);
    assert_eq!(ran.code, 0, "{when}: {}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("somebody was forgotten"),
        "{when}: {}",
        ran.stdout
    );
    // Nothing of anybody else went.
    assert!(company.audit_text().contains("Beispiel00004"), "{when}");
}

#[test]
fn somebody_who_left_is_forgotten_in_the_state_and_in_every_file_of_the_log() {
    let scene = after_one_left();
    let company = &scene.company;
    let before = company.audit();
    let ran = decided(company, &["forget", "00005", "--yes"]);
    ran.says("is forgotten")
        .says("values removed from")
        .says("backups written before now")
        .says("journal");
    is_forgotten(company, "forgotten");
    let after = company.audit();
    assert_eq!(after.len(), before.len() + 1);
    let told = after.last().unwrap();
    assert_eq!(
        (&told["event"], &told["hrIds"][0], &told["reason"]),
        (&"forgotten".into(), &"00005".into(), &"told by HR".into())
    );
    assert!(!told["user"].as_str().unwrap().is_empty());
    let without = |line: &serde_json::Value| {
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("values");
        line
    };
    assert!(
        after
            .iter()
            .zip(&before)
            .all(|(after, before)| without(after) == without(before))
    );
    // The hrId stays, and so does what happened.
    company
        .run(&["audit", "--hrid", "00005"])
        .exits(0)
        .says("- 00005 leaves")
        .says("forgotten by");
    company.run(&["explain", "00005"]).exits(0).says("00005");
    // Nobody else's ticket is in question.
    company
        .run(&["--run-now", "--resync"])
        .exits(0)
        .says("leavers: 0");
    assert_eq!(scene.jobticket.active().len(), 4);
    is_forgotten(company, "after another run");
}

#[test]
fn a_running_service_forgets_for_whoever_may_decide_and_somebody_who_comes_back_is_new() {
    let mut scene = after_one_left();
    let never = "    schedule: {cron: [\"15 5 1 1 *\"]}\n";
    scene.company.integration = never.to_owned();
    let service = Service::start(&scene.company, &[]);
    decided(&scene.company, &["forget", "00005", "--yes"]).says("is forgotten");
    service.stops();
    is_forgotten(&scene.company, "by the service");
    let mut staff = people(5);
    staff[4].end = "31.12.9999".to_owned();
    scene.company.deliver_people("20261204", &staff);
    scene.company.run_now().exits(0).says("joiners: 1");
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.company.run_now().exits(0);
    assert_eq!(scene.company.events("forgotten").len(), 1);
    scene.company.run(&["audit", "verify"]).exits(0);
    let ran = scene
        .company
        .run(&["forget", "00005", "--yes", "--reason", "asked"]);
    ran.exits(2)
        .says("in the roster that JobTicket acknowledged last");
}

#[test]
fn nobody_who_is_active_is_forgotten() {
    let scene = Scene::with(|company| {
        company.integration =
            "    limits: {leavers: {percent: 1, count: 1, at_least: 1}}\n".to_owned();
    });
    let company = &scene.company;
    let before = company.audit().len();
    let forget = |hr_id: &str| company.run(&["forget", hr_id, "--yes", "--reason", "asked"]);
    forget("00005")
        .exits(2)
        .says("in the roster that JobTicket acknowledged last")
        .says("Nothing was removed");
    forget("5").exits(2).says("Nobody with the hrId 5 is known");
    // Asked on a terminal, of which there is none here.
    let scene = after_one_left();
    let ran = scene
        .company
        .run(&["forget", "00005", "--reason", "asked"])
        .exits(2);
    ran.says("give --yes");
    assert!(has_values(&scene.company));
    scene
        .company
        .run(&["forget", "00005", "--yes", "--reason", " "])
        .exits(2);
    assert_eq!(company.audit().len(), before);
}

#[test]
fn somebody_in_an_open_hold_or_in_a_good_roster_is_not_forgotten() {
    let scene = Scene::with(|company| {
        company.asks =
            "first_push: allow, missing_days: 1, joiners: {percent: 0, count: 0, at_least: 0}"
                .to_owned();
    });
    let company = &scene.company;
    company.deliver_people("20261121", &people(7));
    company.run_now().exits(3);
    let forget = |hr_id: &str| company.run(&["forget", hr_id, "--yes", "--reason", "asked"]);
    forget("00007").exits(2).says("which is not over");
    company.deliver_people("20261122", &without_last(7, 2));
    company.run_now().exits(0);
    // The row is gone, and so is the hold; what is left of them may go.
    forget("00007").exits(0);
    company.run_now().exits(0);
}

#[test]
fn somebody_in_a_push_whose_end_nobody_knows_is_not_forgotten() {
    let mut scene = Scene::new();
    scene.company.deliver_people("20261121", &people(6));
    killed_in(&mut scene.company, "attempted", &["--run-now"]);
    let ran = scene
        .company
        .run(&["forget", "00006", "--yes", "--reason", "asked"])
        .exits(2);
    ran.says("which JobTicket may have taken");
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 6);
}

#[test]
fn thousands_of_a_push_whose_end_nobody_knows_are_all_kept_and_all_acknowledged() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.deliver_people("20261121", &people(4_500));
    killed_in(&mut company, "attempted", &["--run-now"]);
    // The store keeps them in pieces of two thousand.
    for hr_id in ["00001", "02001", "04500"] {
        company
            .run(&["forget", hr_id, "--yes", "--reason", "asked"])
            .exits(2)
            .says("which JobTicket may have taken");
    }
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 4_500);
    let status = as_json(&company, &["status"]);
    assert_eq!(status["integrations"][0]["snapshot"]["employees"], 4_500);
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn killed_anywhere_the_next_run_forgets_the_rest() {
    for point in [
        "forget_told",
        "redact_written",
        "redact_named",
        "redact_written:2",
        "redact_named:2",
    ] {
        let mut scene = after_one_left();
        killed_in(
            &mut scene.company,
            point,
            &["forget", "00005", "--yes", "--reason", "asked"],
        );
        scene.company.run(&["audit", "verify"]).exits(0);
        scene.company.run(&["--run-now", "--resync"]).exits(0);
        is_forgotten(&scene.company, point);
        assert_eq!(scene.company.events("forgotten").len(), 1, "{point}");
        assert_eq!(scene.jobticket.active().len(), 4, "{point}");
    }
}

#[test]
fn after_a_kill_anywhere_in_a_rotation_somebody_is_forgotten_in_every_file() {
    for point in [
        "rotate_due",
        "rotate_renamed",
        "rotate_begun",
        "rotate_packed",
        "rotate_named",
        "rotate_done",
    ] {
        let mut scene = after_one_left();
        scene.days_pass(30);
        killed_in(&mut scene.company, point, &["--run-now", "--resync"]);
        decided(&scene.company, &["forget", "00005", "--yes"]);
        is_forgotten(&scene.company, point);
        let files = scene.company.state_files();
        let part = files
            .iter()
            .find(|(path, _)| path.extension().is_some_and(|end| end == "part"));
        assert!(part.is_none(), "{point}: {part:?}");
        scene.company.run(&["--run-now", "--resync"]).exits(0);
        is_forgotten(&scene.company, point);
        assert_eq!(scene.jobticket.active().len(), 4, "{point}");
    }
}

#[test]
fn a_check_of_the_log_while_somebody_is_forgotten_finds_nothing_changed() {
    for point in ["forget_told", "redact_written", "redact_named"] {
        let scene = after_one_left();
        let company = &scene.company;
        let pause = Pause::at(company, point);
        let (name, value) = pause.variable();
        let mut forget = company
            .command(&["forget", "00005", "--yes", "--reason", "asked"])
            .env(name, value)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        pause.is_reached();
        company.run(&["audit", "verify"]).exits(0);
        company.run(&["audit", "--hrid", "00005"]).exits(0);
        pause.is_over();
        if point != "forget_told" {
            // The current file is locked while it is exchanged.
            pause.is_reached();
            pause.is_over();
        }
        assert!(forget.wait().unwrap().success());
        is_forgotten(company, point);
    }
}

#[test]
fn many_are_forgotten_again_in_a_restore_and_each_on_the_word_of_whoever_decided() {
    let mut scene = Scene::with(|company| {
        company.top = "audit: {values: full}\n".to_owned();
        company.asks =
            "first_push: allow, missing_days: 1, leavers: {percent: 50, count: 100, at_least: 20}"
                .to_owned();
    });
    let mut staff = people(12);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now();
    scene.days_pass(10);
    for one in &mut staff[4..] {
        one.end = "01.12.2026".to_owned();
    }
    scene.company.deliver_people("20261203", &staff);
    scene.company.run_now();
    assert_eq!(scene.jobticket.active().len(), 4);
    let company = &scene.company;
    command(company, "backup", &[]).exits(0);
    let forget = |number: usize| {
        let (hr_id, reason) = (format!("{number:05}"), format!("ticket {}", number % 3));
        let ran = company.run(&["forget", &hr_id, "--yes", "--reason", &reason]);
        ran.exits(0);
    };
    (5..=12).for_each(forget);
    command(company, "restore", &["--force"]).exits(0);
    company
        .run(&["audit", "verify"])
        .exits(0)
        .says("somebody was forgotten");
    for hr_id in 5..=12 {
        let value = format!("Beispiel{hr_id:05}");
        assert!(!company.audit_text().contains(&value), "{value}");
    }
    let mut told: Vec<(String, usize)> = company
        .events("forgotten")
        .iter()
        .map(|line| {
            let reason = line["reason"].as_str().unwrap().to_owned();
            (reason, line["hrIds"].as_array().unwrap().len())
        })
        .collect();
    told.sort();
    let of = |reason: &str, people| (reason.to_owned(), people);
    assert_eq!(
        told,
        [of("ticket 0", 3), of("ticket 1", 2), of("ticket 2", 3)]
    );
    command(company, "backup", &["--force"]).exits(0);
    command(company, "restore", &["--force"]).exits(0);
    assert_eq!(company.events("forgotten").len(), 3, "told once");
    company.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_restore_of_an_older_backup_forgets_again() {
    let scene = after_one_left();
    let company = &scene.company;
    command(company, "backup", &[]).exits(0);
    decided(company, &["forget", "00005", "--yes"]);
    command(company, "restore", &["--force"]).exits(0);
    is_forgotten(company, "restored");
    assert_eq!(company.events("forgotten").len(), 1);
}

#[test]
fn a_restore_in_which_somebody_is_active_forgets_them_once_they_have_left() {
    let mut scene = Scene::with(|company| company.top = "audit: {values: full}\n".to_owned());
    command(&scene.company, "backup", &[]).exits(0);
    let mut staff = people(5);
    staff[4].end = "20.11.2026".to_owned();
    scene.company.deliver_people("20261122", &staff);
    scene.company.run_now().exits(0).says("leavers: 1");
    decided(&scene.company, &["forget", "00005", "--yes"]);
    command(&scene.company, "restore", &["--force"])
        .exits(0)
        .says("to be forgotten once they are not active here any more: 00005");
    assert!(
        has_values(&scene.company),
        "they are in the snapshot of the backup"
    );
    decided(&scene.company, &["adopt", "acme", "--yes"]);
    scene.days_pass(1);
    for _ in 0..2 {
        scene.company.run(&["--run-now", "--resync"]);
    }
    assert_eq!(scene.jobticket.active().len(), 4);
    is_forgotten(&scene.company, "after they left again");
}

#[test]
fn leavers_are_forgotten_by_age_and_nobody_else_is() {
    let mut scene = after_one_left();
    scene.company.top = "audit: {values: full}\nleavers_keep_days: 30\n".to_owned();
    scene.company.run(&["--run-now", "--resync"]).exits(0);
    assert!(has_values(&scene.company), "not yet");
    scene.days_pass(31);
    scene.company.run(&["--run-now", "--resync"]).exits(0);
    is_forgotten(&scene.company, "by age");
    let told = scene.company.events("forgotten");
    assert_eq!(
        (told.len(), &told[0]["user"], &told[0]["hrIds"]),
        (
            1,
            &"leavers_keep_days".into(),
            &serde_json::json!(["00005"])
        )
    );
    scene.company.run(&["--run-now", "--resync"]).exits(0);
    assert_eq!(scene.company.events("forgotten").len(), 1, "once");
    assert_eq!(scene.jobticket.active().len(), 4);
}

#[test]
fn files_that_the_program_archived_are_removed_by_age_and_no_other_is() {
    let mut scene = Scene::with(|company| {
        company.source += "        after: {archive: archive}\n        archive_keep_days: 5\n";
    });
    let archive = |company: &Company, name: &str| company.path("archive").join(name);
    scene.recovers("20261121");
    fs::write(
        archive(&scene.company, "roster_20261001.csv"),
        "somebody else's",
    )
    .unwrap();
    // Somebody has put another file in the place of one.
    fs::write(archive(&scene.company, "roster_20261121.csv"), "another").unwrap();
    scene.days_pass(6);
    scene.recovers("20261127");
    assert!(!archive(&scene.company, "roster_20261120.csv").exists());
    for stays in [
        "roster_20261001.csv",
        "roster_20261121.csv",
        "roster_20261127.csv",
    ] {
        assert!(archive(&scene.company, stays).exists(), "{stays}");
    }
    let told = scene.company.events("archived_file_removed");
    assert_eq!(told.len(), 1);
    // A run that refuses the clock removes nothing by it.
    let now = scene.company.now.clone();
    scene.company.now = "2033-01-01T05:15:00Z".to_owned();
    scene.company.run_now().exits(1).says("--accept-clock");
    assert!(archive(&scene.company, "roster_20261127.csv").exists());
    scene.company.now = now;
    assert!(
        told[0]["file"]
            .as_str()
            .unwrap()
            .ends_with("archive/roster_20261120.csv")
    );
}

#[test]
fn the_works_council_sees_what_goes_where_and_for_how_long() {
    let mut company = Company::new();
    company.top = "audit: {values: none, keep_months: null}\nleavers_keep_days: 90\n".to_owned();
    let ran = company.run(&["check", "--privacy"]).exits(0);
    ran.says("| acme: JobTicket (sandbox) | hrId, firstName, lastName, email, dateOfBirth, startDate, terminationDate |")
        .says("no value | for ever")
        .says("values 90 days after the person left");
    let table = as_json(&company, &["check", "--privacy"]);
    assert!(table["privacy"].as_array().unwrap().len() > 8);
    assert!(!company.path("state").exists());
    company.top = "leavers_keep_days: 0\n".to_owned();
    company
        .run(&["check", "--privacy"])
        .exits(2)
        .says("Write 1 to 399 days");
    company.top = "audit: {rotate_megabytes: 0}\n".to_owned();
    company
        .run(&["check", "--offline"])
        .exits(2)
        .says("Write 1 to 4096 megabytes");
    company.top = String::new();
    company.source += "        archive_keep_days: 5\n";
    company
        .run(&["check", "--offline"])
        .exits(2)
        .says("There is no archive on this machine");
}
