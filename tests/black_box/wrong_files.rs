//! Files that are in order and wrong: those of another company, those that were cut, and the end of a month, when many leave and all of it is right.

use std::collections::BTreeSet;

use crate::deciding::{approved, holds};
use crate::scene::{Scene, plain, tells_nothing_personal};
use crate::support::{Person, Ran, people, person, table};

/// A company of so many people with these limits beside those that are shipped: who is missing leaves after three days.
fn limited(count: usize, limits: &str) -> Scene {
    Scene::of(
        count,
        |company| company.asks = format!("first_push: allow{limits}"),
        plain,
    )
}

/// People of whom nothing is that of anybody else.
fn others(count: usize, number: impl Fn(usize) -> String) -> Vec<Person> {
    let other = |index| Person {
        number: number(index),
        first: "Jonas".to_owned(),
        last: format!("Muster{index}"),
        email: format!("jonas{index}@other.example"),
        born: format!("{:02}.07.1975", index % 28 + 1),
        ..person("90000")
    };
    (1..=count).map(other).collect()
}

/// A run in which everything waits, twice, and the file of the next day goes through.
#[track_caller]
fn all_of_it_waits(scene: &Scene, staff: &[Person], says: &str) {
    let before = scene.jobticket.active();
    scene.company.deliver_people("20261121", staff);
    for _ in 0..2 {
        let ran = scene.company.run_now().exits(3);
        tells_nothing_personal(&ran);
        ran.says("HELD: nothing was pushed, and nobody is offboarded")
            .says(says);
    }
    assert_eq!(scene.jobticket.active(), before);
    assert_eq!(scene.jobticket.pushes().len(), 1);
    scene.recovers("20261122");
    assert!(holds(&scene.company).is_empty());
}

#[test]
fn the_file_of_another_company_holds_everything() {
    for count in [5, 20, 200] {
        let scene = limited(20, "");
        let staff = others(count, |index| format!("8{index:04}"));
        all_of_it_waits(&scene, &staff, "probably the wrong file");
    }
}

#[test]
fn the_file_of_another_company_that_uses_the_same_numbers_holds_everything() {
    let scene = limited(20, "");
    let staff = others(20, |index| format!("{index:05}"));
    all_of_it_waits(&scene, &staff, "20 changed employees of 20 people");
}

#[test]
fn a_few_people_of_another_company_under_known_numbers_wait_and_the_rest_goes_out() {
    let scene = limited(20, "");
    let mut staff = people(21);
    staff.splice(0..3, others(3, |index| format!("{index:05}")));
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3).says("+ 00021 joins");
    ran.says("? ~ 00003").says("another person?");
    let arrived = scene.jobticket.arrived();
    assert_eq!(arrived[2]["lastName"], "Beispiel00003");
    assert_eq!(arrived.len(), 21);
}

/// A company of 100 people on the first day after a month, of whom so many left with it; and one new.
fn month_end(limits: &str, leavers: usize) -> (Scene, Ran) {
    let mut scene = limited(100, limits);
    let mut staff = people(101);
    for one in &mut staff[..leavers] {
        one.end = "30.11.2026".to_owned();
    }
    scene.company.deliver_people("20261123", &staff);
    let code = scene.company.run_now().code;
    assert_eq!(code, 0, "the end lies ahead");
    assert_eq!(scene.jobticket.active().len(), 101);
    staff.push(person("00102"));
    scene.days_pass(8);
    scene.company.deliver_people("20261201", &staff);
    let ran = scene.company.run_now();
    (scene, ran)
}

#[test]
fn many_who_leave_with_the_end_of_a_month_go_where_the_limit_lets_them() {
    let (scene, ran) = month_end("", 20);
    ran.exits(0).says("joiners: 1   leavers: 20   changed: 0");
    assert_eq!(scene.jobticket.active().len(), 82);
    let intent = scene.company.events("push_intent").pop().unwrap();
    assert!(intent["approvedByHolds"].is_null(), "nobody was asked");
}

#[test]
fn more_who_leave_with_the_end_of_a_month_than_the_limit_wait_and_the_rest_goes_out() {
    let limits = ", explained_leavers: {percent: 10, at_least: 5}";
    let (scene, ran) = month_end(limits, 15);
    let ran = ran.exits(3).says("joiners: 1   leavers: 0   changed: 0");
    ran.says("? - 00015 leaves (employment ended 2026-11-30): waits in hold 1; more explained leavers than the limit lets through");
    assert_eq!(scene.jobticket.active().len(), 102);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("leavers: 15");
    assert_eq!(scene.jobticket.active().len(), 87);
}

/// The roster of 60 people, and the places in its last kilobyte where a row is complete.
fn last_kilobyte() -> (Vec<u8>, usize, BTreeSet<usize>) {
    let whole = table(&people(60)).into_bytes();
    let ends = |end: &usize| whole[..*end].ends_with(b"\r\n");
    let complete = (whole.len() - 1024..whole.len()).filter(ends).collect();
    let from = whole.len() - 1024;
    (whole, from, complete)
}

/// Nobody leaves by a file that was cut here: it is refused, or its people count as missing on the first day, or they wait.
#[track_caller]
fn nobody_leaves(ran: &Ran, cut: usize, complete: bool) {
    let said = &ran.stdout;
    if complete {
        assert!(matches!(ran.code, 0 | 3), "cut at {cut}: {said}");
        let missing = said.contains("is missing on day 1") || said.contains("waits");
        assert!(missing, "cut at {cut}: {said}");
    } else {
        assert_eq!(ran.code, 4, "cut at {cut}: {said}");
        assert!(said.contains("source headquarters: failed"), "cut at {cut}");
    }
    assert!(!said.contains("leavers: ") || said.contains("leavers: 0") || said.contains("HELD"));
    let leaves = said.lines().any(|line| line.starts_with("  - "));
    assert!(!leaves || said.contains("HELD"), "cut at {cut}: {said}");
    let pushes = said.contains("a push of") || said.contains("Pushed");
    assert!(!pushes, "cut at {cut}: {said}");
}

#[test]
fn a_file_that_was_cut_at_any_byte_of_its_last_kilobyte_offboards_nobody() {
    let (whole, from, complete) = last_kilobyte();
    assert!(complete.len() > 10);
    let cuts: Vec<usize> = (from..whole.len()).collect();
    // Most of the time of a run goes to waiting for the disk.
    std::thread::scope(|threads| {
        for cuts in cuts.chunks(cuts.len() / 4) {
            threads.spawn(|| {
                let scene = limited(60, "");
                for cut in cuts.iter().copied() {
                    scene.company.deliver("roster_20261121.csv", &whole[..cut]);
                    let ran = scene.company.run(&["--run-now", "--dry-run"]);
                    nobody_leaves(&ran, cut, complete.contains(&cut));
                }
                assert_eq!(scene.jobticket.active().len(), 60);
                assert_eq!(scene.jobticket.pushes().len(), 1);
                scene.recovers("20261121");
            });
        }
    });
}

#[test]
fn what_a_dry_run_says_of_a_cut_file_a_run_does() {
    let (whole, _, complete) = last_kilobyte();
    let ends = complete.iter().copied();
    let cuts = ends.flat_map(|end| [end - 1, end, end + 1, end + 40]);
    for cut in cuts.filter(|cut| *cut < whole.len()).step_by(2) {
        let scene = limited(60, "");
        scene.company.deliver("roster_20261121.csv", &whole[..cut]);
        let ran = scene.company.run_now();
        nobody_leaves(&ran, cut, complete.contains(&cut));
        assert_eq!(scene.jobticket.active().len(), 60, "cut at {cut}");
        scene.recovers("20261122");
    }
}
