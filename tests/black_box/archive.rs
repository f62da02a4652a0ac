//! Files that were used move into the archive; what was not used stays where somebody can look at it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::scene::Scene;
use crate::support::{Company, people, person, table};

fn archiving(company: &mut Company) {
    company.source += "        after: {archive: archive}\n";
}

/// The names in a folder of the company, sorted.
fn names(company: &Company, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(company.path(folder)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_moves_into_the_archive_after_its_push() {
    let scene = Scene::with(archiving);
    assert!(names(&scene.company, "drop").is_empty());
    assert_eq!(names(&scene.company, "archive"), ["roster_20261120.csv"]);
    let archived = fs::read_to_string(scene.company.path("archive/roster_20261120.csv"));
    assert_eq!(archived.unwrap(), table(&people(5)));
    let folder = fs::metadata(scene.company.path("archive")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let event = scene.company.events("file_archived").pop().unwrap();
    assert_eq!(event["file"], "roster_20261120.csv");
}

#[test]
fn a_file_that_changes_nothing_moves_into_the_archive_too() {
    let scene = Scene::with(archiving);
    scene.company.deliver_people("20261121", &people(5));
    scene.company.run_now().exits(0).says("Nothing changed");
    assert!(names(&scene.company, "drop").is_empty());
    assert_eq!(names(&scene.company, "archive").len(), 2);
}

#[test]
fn a_marker_moves_with_its_file() {
    let scene = Scene::with(|company| {
        archiving(company);
        company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
        company.deliver("roster_20261120.csv.done", "");
    });
    assert!(names(&scene.company, "drop").is_empty());
    assert_eq!(
        names(&scene.company, "archive"),
        ["roster_20261120.csv", "roster_20261120.csv.done"]
    );
}

#[test]
fn older_files_that_nobody_will_read_move_with_the_newest() {
    let scene = Scene::with(archiving);
    scene.company.deliver_people("20261121", &people(5));
    scene.company.deliver_people("20261122", &people(6));
    scene.company.run_now().exits(0);
    assert!(names(&scene.company, "drop").is_empty());
    assert_eq!(names(&scene.company, "archive").len(), 3);
}

#[test]
fn the_file_of_a_held_plan_a_failed_source_or_a_dry_run_stays() {
    let scene = Scene::with(archiving);
    let mut held = people(5);
    held.truncate(1);
    held.extend((10..16).map(|number| person(&format!("000{number}"))));
    scene.company.deliver_people("20261121", &held);
    scene.company.run(&["--run-now", "--dry-run"]).exits(3);
    scene.company.run_now().exits(3);
    assert_eq!(names(&scene.company, "drop"), ["roster_20261121.csv"]);
    scene.company.deliver("roster_20261122.csv", "");
    scene.company.run_now().exits(4);
    assert_eq!(names(&scene.company, "drop").len(), 2);
    scene.company.deliver_people("20261123", &people(6));
    scene.company.run(&["--run-now", "--dry-run"]).exits(0);
    assert_eq!(names(&scene.company, "drop").len(), 3);
    assert_eq!(names(&scene.company, "archive").len(), 1);
    scene.company.run_now().exits(0);
    assert!(names(&scene.company, "drop").is_empty());
}

#[test]
fn a_dry_run_that_finds_nothing_changed_moves_nothing_either() {
    let scene = Scene::with(archiving);
    scene.company.deliver_people("20261121", &people(5));
    let ran = scene.company.run(&["--run-now", "--dry-run"]).exits(0);
    ran.says("Nothing changed");
    assert_eq!(names(&scene.company, "drop"), ["roster_20261121.csv"]);
    assert_eq!(names(&scene.company, "archive"), ["roster_20261120.csv"]);
}

#[test]
fn a_name_that_is_taken_in_the_archive_is_never_overwritten() {
    let scene = Scene::with(archiving);
    scene.company.deliver_people("20261120", &people(6));
    scene.company.run_now().exits(0).says("+ 00006 joins");
    assert_eq!(
        names(&scene.company, "archive"),
        ["roster_20261120.csv", "roster_20261120.csv.1"]
    );
    let first = fs::read_to_string(scene.company.path("archive/roster_20261120.csv"));
    assert_eq!(first.unwrap(), table(&people(5)));
}

#[test]
fn an_archive_that_cannot_be_written_is_a_warning_and_pushes_nothing_again() {
    let scene = Scene::with(|company| {
        // A file stands where the folder should be; that stops root, too.
        fs::write(company.path("archive"), "").unwrap();
        archiving(company);
    });
    let company = &scene.company;
    assert_eq!(names(company, "drop"), ["roster_20261120.csv"]);
    assert_eq!(company.events("archive_failed").len(), 1);
    let ran = company
        .run_now()
        .exits(0)
        .says("Warning: The archive folder");
    ran.says("Nothing changed");
    assert_eq!(scene.jobticket.pushes().len(), 1);
    fs::remove_file(company.path("archive")).unwrap();
    company.run_now().exits(0).says("Nothing changed");
    assert!(names(company, "drop").is_empty());
    scene.recovers("20261121");
}

#[test]
fn an_empty_drop_folder_after_archiving_is_unchanged() {
    let scene = Scene::with(archiving);
    let ran = scene.company.run_now().exits(0).says("No newer file");
    ran.says("Nothing changed").says("requests: 0");
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn a_termination_date_of_an_archived_file_still_passes() {
    let mut scene = Scene::with(archiving);
    let mut staff = people(5);
    staff[1].end = "23.11.2026".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene
        .company
        .run_now()
        .exits(0)
        .says("~ 00002 terminationDate");
    assert!(names(&scene.company, "drop").is_empty());
    scene.company.now = "2026-11-23T23:30:00Z".to_owned();
    let ran = scene.company.run_now().exits(0);
    ran.says("- 00002 leaves (employment ended 2026-11-23)");
    assert_eq!(
        scene.jobticket.active(),
        ["00001", "00003", "00004", "00005"]
    );
}

#[test]
fn somebody_whom_the_archived_file_holds_for_later_joins_when_the_day_comes() {
    let mut scene = Scene::with(archiving);
    let mut staff = people(5);
    let mut new = person("00006");
    new.start = "24.12.2026".to_owned();
    staff.push(new);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("Nothing changed");
    scene.company.now = "2026-11-23T23:30:00Z".to_owned();
    scene.company.run_now().exits(0).says("+ 00006 joins");
}

#[test]
fn rules_that_changed_after_the_file_was_archived_ask_for_a_new_file() {
    let mut scene = Scene::with(archiving);
    scene
        .company
        .edit("firstName: Vorname", "firstName: Nachname");
    scene.fails(&[
        "The rules for headquarters have changed",
        "deliver it again",
    ]);
    scene.company.deliver_people("20261121", &people(5));
    scene.company.run_now().exits(0).says("changed: 5");
}
