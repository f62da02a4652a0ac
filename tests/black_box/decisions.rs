//! Decisions: whoever waits goes after an approval of exactly them, and stays after a rejection or a keep.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use crate::api_support::later;
use crate::deciding::{acknowledged, approved, decided, holds, limited, without_last};
use crate::scene::tells_nothing_personal;
use crate::support::{Company, people, person};

#[test]
fn whoever_waits_goes_after_an_approval_while_the_others_went_at_once() {
    let scene = acknowledged(20);
    let mut staff = without_last(20, 3);
    staff.push(person("00099"));
    scene.company.deliver_people("20261121", &staff);
    let ran = scene
        .company
        .run_now()
        .exits(3)
        .says("joiners: 1   leavers: 0");
    ran.says("? - 00018 leaves (missing from every source): waits in hold 1");
    assert_eq!(scene.jobticket.active().len(), 21);

    let ran = approved(&scene.company, "1", &[]);
    tells_nothing_personal(&ran);
    ran.says("3 people lose their ticket (3 of them have an active one now)")
        .says("- 00018, 00019, 00020")
        .says("The next run acts on it");
    assert_eq!(
        scene.jobticket.active().len(),
        21,
        "a decision only records"
    );
    scene.company.run_now().exits(0).says("leavers: 3");
    assert_eq!(scene.jobticket.active().len(), 18);
    scene.company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&scene.company).is_empty());
}

#[test]
fn a_decision_can_be_followed_from_the_hold_to_the_receipt_in_the_audit_log_alone() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let on_behalf = ["--on-behalf-of", "the head of HR"];
    approved(&scene.company, "1", &on_behalf);
    scene.company.run_now().exits(0);

    let last = |event: &str| scene.company.events(event).pop().unwrap();
    let opened = last("hold_opened");
    assert_eq!((&opened["hold"], &opened["people"]), (&1.into(), &3.into()));
    let held = scene.company.events("held");
    let held: Vec<&str> = held
        .iter()
        .map(|line| line["hrId"].as_str().unwrap())
        .collect();
    assert_eq!(held, ["00018", "00019", "00020"]);
    let decision = last("decision");
    assert_eq!(decision["decision"], "approve");
    assert_eq!(decision["hold"], 1);
    assert_eq!(decision["hrIds"], serde_json::json!(held));
    assert_eq!(decision["reason"], "told by HR");
    assert_eq!(decision["onBehalfOf"], "the head of HR");
    let intent = last("push_intent");
    assert_eq!(intent["approvedByHolds"], serde_json::json!([1]));
    let change = scene.company.events("change").pop().unwrap();
    assert_eq!(
        (&change["grounds"], &change["hold"]),
        (&"approved".into(), &1.into())
    );
    let acknowledged = last("push_acknowledged");
    assert_eq!(acknowledged["syncId"], intent["syncId"]);
    let seqs: Vec<u64> = [&opened, &decision, &last("guard"), &intent, &acknowledged]
        .map(|line| line["seq"].as_u64().unwrap())
        .to_vec();
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[test]
fn a_decision_names_the_login_user_whatever_the_environment_says() {
    let mut scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    for name in ["USER", "LOGNAME", "SUDO_USER"] {
        let forged = (name.to_owned(), "somebody-else".to_owned());
        scene.company.variables.push(forged);
    }
    approved(&scene.company, "1", &["--on-behalf-of", "the head of HR"]);
    let decision = scene.company.events("decision").pop().unwrap();
    let started = scene.company.events("run_started").pop().unwrap();
    assert_eq!(decision["user"], started["user"]);
    assert_ne!(decision["user"], "somebody-else");
}

#[test]
fn excepted_people_stay_and_the_others_go() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let ran = approved(&scene.company, "1", &["--except", "00019"]);
    ran.says("2 people lose their ticket")
        .says("excepted, and not approved: 00019");
    scene.company.run_now().exits(3).says("? - 00019 leaves");
    let active = scene.jobticket.active();
    assert_eq!(active.len(), 18);
    assert!(active.contains(&"00019".to_owned()));
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!((&hold["id"], &hold["waiting"]), (&1.into(), &1.into()));
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("- 00019 leaves");
}

#[test]
fn an_approval_covers_only_the_people_it_names() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &[]);
    // One more is missing when the run comes: with the three there are four.
    scene
        .company
        .deliver_people("20261122", &without_last(20, 4));
    let ran = scene.company.run_now().exits(3).says("leavers: 3");
    ran.says("? - 00017 leaves (missing from every source): waits in hold 2");
    assert_eq!(scene.jobticket.active().len(), 17);
    scene.company.run_now().exits(3).says("00017");
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!((&hold["id"], &hold["waiting"]), (&2.into(), &1.into()));
}

#[test]
fn an_approval_covers_only_the_reason_that_was_shown() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &[]);
    let mut staff = people(20);
    for one in &mut staff[17..] {
        one.start = "01.01.2019".to_owned();
        one.end = "31.10.2020".to_owned();
    }
    scene.company.deliver_people("20261122", &staff);
    let ran = scene.company.run_now().exits(3).says("leavers: 0");
    ran.says("? - 00018 leaves (employment ended 2020-10-31): waits in hold 2");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn an_approval_that_is_too_old_lets_nobody_go_and_its_people_wait_in_the_same_hold() {
    let limits = "    limits: {first_push: allow, missing_days: 1, approval_hours: 2}\n";
    let mut scene = limited(20, limits);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &[]).says("Approved, for 2 hours");
    scene.company.now = later(3 * 3600);
    scene.company.run_now().exits(3).says("waits in hold 1");
    assert_eq!(scene.jobticket.active().len(), 20);
    let void = scene.company.events("approval_void").pop().unwrap();
    assert_eq!(void["hold"], 1);
    // Two of them come back: the limit no longer trips, and the third waits all the same.
    scene
        .company
        .deliver_people("20261122", &without_last(20, 1));
    scene.company.run_now().exits(3).says("? - 00020 leaves");
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!((&hold["id"], &hold["state"]), (&1.into(), &"open".into()));
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("leavers: 1");
}

#[test]
fn rejected_people_stay_unasked_until_their_hold_is_reopened() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    decided(&scene.company, &["reject", "1"]).says("stay as they are");
    for _ in 0..2 {
        let ran = scene.company.run_now().exits(0);
        ran.says("= 00018 stays as acknowledged, by decision");
    }
    assert_eq!(holds(&scene.company)[0]["state"], "rejected");
    decided(&scene.company, &["holds", "reopen", "1"]);
    scene.company.run_now().exits(3).says("waits in hold 1");
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("leavers: 3");
    let decisions = scene.company.events("decision");
    let decisions: Vec<&str> = decisions
        .iter()
        .map(|line| line["decision"].as_str().unwrap())
        .collect();
    assert_eq!(decisions, ["reject", "reopen", "approve"]);
}

#[test]
fn rejected_people_who_come_back_end_their_hold() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    decided(&scene.company, &["reject", "1"]);
    scene.company.deliver_people("20261122", &people(20));
    scene.company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&scene.company).is_empty());
    let ran = scene
        .company
        .run(&["approve", "1", "--yes", "--reason", "late"]);
    ran.exits(2).says("Hold 1 is over");
}

#[test]
fn whoever_is_kept_stays_until_that_day_and_an_approval_does_not_change_it() {
    let mut scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    decided(&scene.company, &["keep", "00019", "--until", "2026-11-23"])
        .says("is kept until 2026-11-23");
    approved(&scene.company, "1", &[]).says("00019 until 2026-11-23");
    scene
        .company
        .run_now()
        .exits(0)
        .says("leavers: 2")
        .says("= 00019 stays");
    assert_eq!(scene.jobticket.active().len(), 18);
    scene.company.now = later(19 * 3600);
    scene.company.run_now().exits(0).says("- 00019 leaves");
}

#[test]
fn only_known_people_are_kept_and_only_until_a_day_within_a_year() {
    let scene = acknowledged(5);
    let keep = |hr_id: &str, until: &str| {
        scene
            .company
            .run(&["keep", hr_id, "--until", until, "--reason", "ill"])
    };
    keep("1", "2026-12-01")
        .exits(2)
        .says("Nobody with the hrId 1 is in the snapshot");
    keep("00001", "2026-11-22")
        .exits(2)
        .says("lies in the past");
    keep("00001", "2027-11-25")
        .exits(2)
        .says("more than 366 days ahead");
    keep("00001", "1.12.2026").exits(2).says("is not a day");
    assert!(scene.company.events("decision").is_empty());
    keep("00001", "2026-12-01").exits(0);
}

#[test]
fn nobody_is_approved_without_a_terminal_unless_a_script_says_yes() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let approve = ["approve", "1", "--reason", "told by HR"];
    let ran = scene.company.run(&approve).exits(2);
    ran.says("3 people lose their ticket").says("give --yes");
    for (answer, code, says) in [("n\n", 3, "Nothing was recorded"), ("y\n", 0, "Approved")] {
        let ran = on_a_terminal(&scene.company, &approve, answer);
        assert_eq!(ran.0, code, "{}", ran.1);
        assert!(ran.1.contains("Approve this? (y/N)"), "{}", ran.1);
        assert!(ran.1.contains(says), "{}", ran.1);
    }
    assert_eq!(scene.company.events("decision").len(), 1);
}

/// The program with a terminal as its stdin, on which this is typed: its exit code and what it said.
fn on_a_terminal(company: &Company, arguments: &[&str], typed: &str) -> (i32, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut keyboard = File::from(terminal.master);
    let child = company
        .command(arguments)
        .stdin(terminal.slave)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let run = |arguments: &[&str]| scene.company.run(arguments).exits(2);
    run(&["approve", "1", "--yes"]).says("--reason");
    run(&["approve", "1", "--yes", "--reason", " "]).says("--reason is empty");
    run(&["approve", "1", "--yes", "--reason", "a\nb"]).says("must be one line");
    run(&["reject", "1", "--reason", "a\u{1b}[31mb"]).says("control characters");
    run(&["approve", "9", "--yes", "--reason", "x"]).says("There is no hold 9");
    let unknown = [
        "approve", "1", "--yes", "--reason", "x", "--except", "00018", "00001",
    ];
    run(&unknown).says("nobody waiting with the hrId 00001");
    let all = [
        "approve", "1", "--yes", "--reason", "x", "--except", "00018", "00019", "00020",
    ];
    run(&all).says("approves nobody");
    run(&["approve", "1", "--yes", "--reason", "x", "--run-now"]);
    assert!(scene.company.events("decision").is_empty());
    scene.company.run_now().exits(3);
}

#[test]
fn a_decision_waits_for_no_run() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let lock = File::create(crate::locks::run_lock(&scene.company)).unwrap();
    lock.lock().unwrap();
    approved(&scene.company, "1", &[]);
    decided(&scene.company, &["keep", "00001", "--until", "2026-12-01"]);
    drop(lock);
    scene.company.run_now().exits(0).says("leavers: 3");
}
