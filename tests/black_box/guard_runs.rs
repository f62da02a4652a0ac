//! Plans past a limit: nothing of them is pushed, the people in question are named, and the next good file goes through. And dry runs, which change nothing.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;

use crate::scene::{Scene, plain, tells_nothing_personal};
use crate::support::{Company, Person, Ran, people, person};

/// A run whose whole plan is held: dry and real alike, without a push, with these words.
#[track_caller]
fn held(scene: &Scene, says: &[&str]) -> Ran {
    let says = [&["HELD: nothing was pushed"], says].concat();
    nothing_goes(scene, &says)
}

/// A run in which people wait and nothing else is to be done: dry and real alike, without a push, with these words.
#[track_caller]
fn waits(scene: &Scene, says: &[&str]) -> Ran {
    let says = [&["Nothing else changed; no sync request was made"], says].concat();
    nothing_goes(scene, &says)
}

#[track_caller]
fn nothing_goes(scene: &Scene, says: &[&str]) -> Ran {
    let pushes = scene.jobticket.pushes().len();
    let active = scene.jobticket.active();
    let mut last = None;
    for arguments in [
        &["--run-now", "--dry-run"][..],
        &["--run-now"],
        &["--run-now"],
    ] {
        let mut ran = scene.company.run(arguments).exits(3);
        for text in says {
            ran = ran.says(text);
        }
        tells_nothing_personal(&ran);
        last = Some(ran);
    }
    assert_eq!(scene.jobticket.pushes().len(), pushes);
    assert_eq!(scene.jobticket.active(), active);
    assert!(scene.company.events("push_intent").len() <= pushes);
    last.unwrap()
}

fn without(staff: &[Person], gone: &[usize]) -> Vec<Person> {
    let kept = staff.iter().enumerate();
    let kept = kept.filter(|(index, _)| !gone.contains(index));
    kept.map(|(_, person)| person.clone()).collect()
}

#[test]
fn more_missing_people_than_the_limit_are_named_and_kept() {
    let scene = Scene::of(20, |_| {}, plain);
    let staff = people(20);
    scene
        .company
        .deliver_people("20261121", &without(&staff, &[2, 5, 8]));
    waits(
        &scene,
        &[
            "? - 00003 leaves (missing from every source): waits",
            "? - 00006 leaves (missing from every source): waits",
            "? - 00009 leaves (missing from every source): waits",
        ],
    );
    let opened = scene.company.events("hold_opened");
    assert_eq!(opened.len(), 1, "the same people open no second hold");
    assert_eq!(
        opened[0]["why"][0],
        "3 unexplained leavers of 20 people (15.0 %), limits.leavers lets 2 through"
    );
    let held: Vec<String> = scene
        .company
        .events("held")
        .iter()
        .map(|line| line["hrId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(held, ["00003", "00006", "00009"]);
    scene.recovers("20261122");
}

#[test]
fn a_roster_of_which_only_people_who_wait_are_left_is_refused_as_empty() {
    let scene = Scene::of(
        1,
        |company| {
            "    limits: {joiners: {percent: 10, at_least: 0}}\n"
                .clone_into(&mut company.integration);
        },
        plain,
    );
    let mut gone = person("00001");
    "20.11.2026".clone_into(&mut gone.end);
    scene
        .company
        .deliver_people("20261121", &[gone, person("00002")]);
    let pushes = scene.jobticket.pushes().len();
    for arguments in [&["--run-now", "--dry-run"][..], &["--run-now"]] {
        scene
            .company
            .run(arguments)
            .exits(4)
            .says("? + 00002 joins: waits")
            .says("REFUSED: the roster is empty");
    }
    assert_eq!(scene.jobticket.pushes().len(), pushes);
    assert_eq!(scene.jobticket.active().len(), 1);
    scene
        .company
        .run(&["approve", "1", "--yes", "--reason", "known"])
        .exits(0);
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active(), ["00002"]);
}

#[test]
fn an_end_that_is_told_late_explains_nobody_who_was_missing_before() {
    let mut scene = Scene::of(
        20,
        |company| "first_push: allow, missing_days: 3".clone_into(&mut company.asks),
        plain,
    );
    let mut staff = people(20);
    let mut one = staff.remove(1);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("day 1");
    // 64 days after it; on the day on which they were missing first it would have been told in time.
    "2026-11-25T05:15:00Z".clone_into(&mut scene.company.now);
    "22.09.2026".clone_into(&mut one.end);
    staff.push(one);
    scene.company.deliver_people("20261124", &staff);
    scene.company.run_now().exits(0).says("day 2");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn the_second_delivery_of_a_day_does_not_count_for_the_next_day() {
    let mut scene = Scene::of(
        20,
        |company| "first_push: allow, missing_days: 2".clone_into(&mut company.asks),
        plain,
    );
    let mut staff = people(20);
    staff.remove(1);
    for day in ["20261121", "20261122"] {
        scene.company.deliver_people(day, &staff);
        scene.company.run_now().exits(0).says("day 1");
    }
    "2026-11-24T05:10:00Z".clone_into(&mut scene.company.now);
    scene.company.run_now().exits(0).says("day 1");
    scene.company.deliver_people("20261123", &staff);
    scene.company.run_now().exits(0).says("leavers: 1");
}

#[test]
fn as_many_missing_people_as_the_limit_leave() {
    let scene = Scene::of(20, |_| {}, plain);
    let staff = without(&people(20), &[2, 5]);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("leavers: 2");
    assert_eq!(scene.jobticket.active().len(), 18);
}

#[test]
fn a_held_plan_is_held_again_once_its_file_is_gone() {
    let scene = Scene::of(20, |_| {}, plain);
    let staff = without(&people(20), &[2, 5, 8]);
    scene.company.deliver_people("20261121", &staff);
    waits(&scene, &["? - 00009 leaves"]);
    for day in ["20261120", "20261121"] {
        let file = scene.company.path("drop").join(format!("roster_{day}.csv"));
        std::fs::remove_file(file).unwrap();
    }
    waits(&scene, &["? - 00009 leaves"]);
    scene.recovers("20261122");
}

#[test]
fn a_held_plan_stays_held_while_the_source_fails() {
    let scene = Scene::of(20, |_| {}, plain);
    let staff = without(&people(20), &[2, 5, 8]);
    scene.company.deliver_people("20261121", &staff);
    waits(&scene, &[]);
    scene.company.deliver("roster_20261122.csv", "");
    scene.fails(&["roster_20261122.csv"]);
    scene.recovers("20261123");
}

#[test]
fn new_numbers_for_the_same_people_wait_and_the_old_ones_stay() {
    // The second loses no more than zeros, and the e-mail with them.
    for renumber in [
        |number: &str| format!("E-{number}"),
        |number: &str| number.trim_start_matches('0').to_owned(),
    ] {
        let scene = Scene::of(10, |_| {}, plain);
        let mut staff = people(10);
        for person in &mut staff[..1] {
            person.number = renumber(&person.number);
        }
        scene.company.deliver_people("20261121", &staff);
        let new = renumber("00001");
        let pair = format!("? + {new} joins: waits");
        waits(
            &scene,
            &[
                &pair,
                "? - 00001 leaves (missing from every source): waits",
                &format!("probably the same person as {new}"),
                "leavers: 0",
            ],
        );
        assert_eq!(scene.jobticket.active().len(), 10);
        scene.recovers("20261122");
    }
}

#[test]
fn more_new_numbers_than_the_limit_hold_the_whole_plan() {
    let scene = Scene::of(10, |_| {}, plain);
    let mut staff = people(10);
    for person in &mut staff[..2] {
        person.number = format!("E-{}", person.number);
    }
    scene.company.deliver_people("20261121", &staff);
    held(
        &scene,
        &["2 people have new numbers. Approving may end 2 tickets. Map them"],
    );
    assert_eq!(scene.jobticket.active().len(), 10);
}

#[test]
fn more_joiners_than_the_limit_are_held() {
    let scene = Scene::new();
    scene.company.deliver_people("20261121", &people(11));
    waits(
        &scene,
        &[
            "? + 00006 joins: waits",
            "? + 00011 joins: waits",
            "joiners: 0",
        ],
    );
    assert_eq!(
        scene.company.events("hold_opened")[0]["why"][0],
        "6 joiners of 5 people (120.0 %), limits.joiners lets 5 through"
    );
    // Who was in question is, until somebody decides; who was not, goes on.
    let mut staff = people(8);
    staff.push(person("00020"));
    scene.company.deliver_people("20261122", &staff);
    scene
        .company
        .run_now()
        .exits(3)
        .says("+ 00020 joins")
        .says("joiners: 1")
        .says("? + 00006 joins: waits in hold 1");
}

#[test]
fn more_changed_people_than_the_limit_are_held() {
    let scene = Scene::of(12, |_| {}, plain);
    let mut staff = people(12);
    for person in &mut staff[1..] {
        person.last += "-Neu";
    }
    scene.company.deliver_people("20261121", &staff);
    held(
        &scene,
        &["11 changed employees of 12 people (91.7 %), limits.changed lets 10 through"],
    );
    scene.recovers("20261122");
}

#[test]
fn more_explained_leavers_than_their_limit_are_held() {
    let scene = Scene::of(10, |_| {}, plain);
    let mut staff = people(10);
    for person in &mut staff[..6] {
        person.end = "31.10.2026".to_owned();
    }
    scene.company.deliver_people("20261121", &staff);
    held(
        &scene,
        &["6 explained leavers of 10 people (60.0 %), limits.explained_leavers lets 5 through"],
    );
    staff[0].end = String::new();
    scene.company.deliver_people("20261122", &staff);
    scene.company.run_now().exits(0).says("leavers: 5");
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn explained_leavers_do_not_use_up_the_limit_of_the_others() {
    let scene = Scene::of(10, |_| {}, plain);
    let mut staff = without(&people(10), &[8, 9]);
    for person in &mut staff[..3] {
        person.end = "31.10.2026".to_owned();
    }
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("leavers: 5");
}

#[test]
fn a_raised_limit_lets_a_whole_plan_through_and_asks_on_about_people_who_wait() {
    let mut scene = Scene::of(12, |_| {}, plain);
    let mut staff = people(12);
    for person in &mut staff[1..] {
        person.last += "-Neu";
    }
    scene.company.deliver_people("20261121", &staff);
    held(&scene, &["11 changed employees"]);
    scene.company.integration = "    limits: {changed: {percent: 95, at_least: 10}}\n".to_owned();
    scene.company.run_now().exits(0).says("changed: 11");
    assert_eq!(scene.company.events("hold_over")[0]["hold"], 1);

    scene.company.deliver_people("20261122", &staff[..9]);
    scene.company.run_now().exits(3).says("waits in hold 2");
    scene.company.integration =
        "    limits: {leavers: {percent: 30, at_least: 10}, windows: []}\n".to_owned();
    scene.company.run_now().exits(3).says("waits in hold 2");
    assert_eq!(scene.jobticket.active().len(), 12);
}

#[test]
fn rules_that_select_nobody_fail_the_source_whoever_is_known() {
    let rule = "        include: [{column: Nachname, in: [Niemand]}]\n";
    let mut company = Company::new();
    company.integration = rule.to_owned();
    company.deliver_people("20261120", &people(5));
    let ran = company
        .run_now()
        .exits(4)
        .says("None of the 5 rows of roster_20261120.csv is selected");
    ran.says("SOURCE FAILED").says("requests: 0");

    let mut scene = Scene::new();
    scene.company.integration = rule.to_owned();
    for arguments in [&["--run-now", "--dry-run"][..], &["--run-now"]] {
        let ran = scene.company.run(arguments).exits(4).says("requests: 0");
        ran.says("is selected by the include and exclude rules");
    }
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.company.integration.clear();
    scene.recovers("20261121");
}

#[test]
fn a_roster_of_ended_employments_alone_is_refused() {
    let mut scene = Scene::new();
    let limits = "    limits: {explained_leavers: {percent: 50, at_least: 20}}\n";
    scene.company.integration = limits.to_owned();
    let mut staff = people(5);
    for person in &mut staff {
        person.end = "31.10.2026".to_owned();
    }
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(4);
    ran.says("REFUSED: the roster is empty");
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn a_first_push_is_not_made_where_it_cannot_be_seen_whom_jobticket_has() {
    let mut company = Company::new();
    company.jobticket = "      base_url: https://192.0.2.1
      integration_id: 7
      api_key_id: {env: TEST_KEY_ID}
      api_key_secret: {env: TEST_KEY_SECRET}
"
    .to_owned();
    company.source += "        max_age_hours: 100000\n";
    for name in ["TEST_KEY_ID", "TEST_KEY_SECRET"] {
        company
            .variables
            .push((name.to_owned(), "invented".to_owned()));
    }
    company.deliver_people("20261120", &people(5));
    for arguments in [&["--run-now", "--dry-run"][..], &["--run-now"]] {
        let ran = company.run(arguments).exits(6).says("NOT REACHABLE");
        tells_nothing_personal(&ran);
    }
    assert!(company.events("push_intent").is_empty());
}

/// Every row of every table of the store but what a dry run may write: the audit outbox and the head of its chain.
fn store(company: &Company) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let copy = company.path("copy");
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir(&copy).unwrap();
    for (path, content) in company.state_files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("state.db") {
            std::fs::write(copy.join(name), content).unwrap();
        }
    }
    let database = Connection::open(copy.join("state.db")).unwrap();
    let mut names = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'audit_outbox'")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(names.len() > 5);
    let all = |name: &String| {
        let keep = if name == "fact" {
            "WHERE name <> 'audit_head'"
        } else {
            ""
        };
        let mut rows = database
            .prepare(&format!("SELECT * FROM {name} {keep}"))
            .unwrap();
        let width = rows.column_count();
        rows.query_map([], |row| (0..width).map(|index| row.get(index)).collect())
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    names.iter().map(|name| (name.clone(), all(name))).collect()
}

#[test]
fn a_dry_run_changes_nothing_in_the_store_and_nobody_at_jobticket() {
    let mut scene = Scene::new();
    let before = store(&scene.company);
    assert!(!before["snapshot_employee"].is_empty());
    let mut staff = people(7);
    staff[1].end = "31.10.2026".to_owned();
    staff[2].last = "Neumann".to_owned();
    staff[3].born = "?".to_owned();
    let held = people(20);
    for (day, staff, code) in [("20261121", staff, 9), ("20261122", held, 3)] {
        scene.company.deliver_people(day, &staff);
        let ran = scene.company.run(&["--run-now", "--dry-run"]);
        ran.exits(code).says("dry run");
        assert_eq!(store(&scene.company), before);
    }
    scene.company.deliver("roster_20261123.csv", "");
    scene.company.run(&["--run-now", "--dry-run"]).exits(4);
    scene.company.integration = "    limits: {leavers: {percent: 1, at_least: 0}}\n".to_owned();
    scene.company.run(&["--run-now", "--dry-run"]).exits(4);
    assert_eq!(store(&scene.company), before);
    assert_eq!(scene.jobticket.pushes().len(), 1);
    let ended = scene.company.events("run_ended");
    assert_eq!(ended.len(), 5, "dry runs stand in the audit log");
}

#[test]
fn a_dry_run_before_the_first_run_leaves_the_first_run_to_be_made() {
    let company = Company::new();
    company.deliver_people("20261120", &people(5));
    let dry = ["--run-now", "--dry-run"];
    company.run(&dry).exits(0).says("a push of 5 employees");
    company.run(&dry).exits(0).says("a push of 5 employees");
    company.run_now().exits(0).says("joiners: 5");
    company.run(&dry).exits(0).says("Nothing changed");
}
