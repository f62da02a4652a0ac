//! Files that come at the wrong time, half written or badly packed: yesterday's file never stands in for today's.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::scene::{Scene, plain};
use crate::support::{Company, JobTicket, Person, people, person, table};

fn packed(people: &[Person]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(table(people).as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn by_modified(company: &mut Company) {
    company.edit("{name_date: \"roster_%Y%m%d.csv\"}", "modified");
}

#[test]
fn a_file_older_than_max_age_hours_fails_and_a_younger_one_goes_through() {
    let mut scene = Scene::with(|company| {
        company.edit("max_age_hours: 100000", "max_age_hours: 80");
    });
    scene.company.now = "2026-11-23T12:00:00Z".to_owned();
    scene.fails(&["roster_20261120.csv is stale", "max_age_hours is 80"]);
    scene.recovers("20261123");
}

#[test]
fn a_stale_first_file_is_not_pushed() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit("max_age_hours: 100000", "max_age_hours: 36");
    company.deliver_people("20261120", &people(5));
    let ran = company
        .run_now()
        .exits(4)
        .says("is stale: it is 78 hours old");
    ran.says("requests: 0");
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_new_date_in_the_name_does_not_make_an_old_file_young() {
    let scene = Scene::with(|company| {
        company.edit("max_age_hours: 100000", "max_age_hours: 80");
    });
    let content = table(&people(4));
    scene
        .company
        .deliver_written("roster_20261123.csv", content, 81 * 3600);
    scene.fails(&["roster_20261123.csv is stale: it is 81 hours old"]);
}

#[test]
fn a_file_that_is_gone_ages_all_the_same() {
    let mut scene = Scene::with(|company| {
        company.edit("max_age_hours: 100000", "max_age_hours: 80");
    });
    fs::remove_file(scene.company.path("drop/roster_20261120.csv")).unwrap();
    scene.company.run_now().exits(0).says("No newer file");
    scene.company.now = "2026-11-23T12:00:00Z".to_owned();
    scene.fails(&["roster_20261120.csv is stale"]);
    scene.recovers("20261123");
}

#[test]
fn a_file_dated_in_the_future_is_refused() {
    let scene = Scene::new();
    scene.company.deliver_people("20261127", &people(4));
    scene.fails(&["roster_20261127.csv is dated in the future"]);
    fs::remove_file(scene.company.path("drop/roster_20261127.csv")).unwrap();
    scene.recovers("20261122");
}

#[test]
fn a_file_older_than_the_last_taken_is_refused() {
    let scene = Scene::new();
    fs::remove_file(scene.company.path("drop/roster_20261120.csv")).unwrap();
    scene.company.deliver_people("20261119", &people(4));
    scene.fails(&["roster_20261119.csv is older than the one taken last: its name bears an earlier date than roster_20261120.csv"]);
    scene.recovers("20261122");
}

#[test]
fn a_file_of_the_same_name_written_earlier_is_refused() {
    let scene = Scene::new();
    let content = table(&people(4));
    scene
        .company
        .deliver_written("roster_20261120.csv", content, 7200);
    scene.fails(&[
        "roster_20261120.csv is older than the one taken last: it was last written at 2026-11-",
    ]);
}

#[test]
fn an_export_that_has_another_name_now_is_warned_of() {
    let scene = Scene::new();
    fs::remove_file(scene.company.path("drop/roster_20261120.csv")).unwrap();
    let ran = scene.company.run_now().exits(0);
    assert!(!ran.stdout.contains("Warning"), "{}", ran.stdout);
    let content = table(&people(6));
    scene.company.deliver("Roster_20261121.csv", content);
    for arguments in [&["--run-now"][..], &["check"]] {
        let ran = scene.company.run(arguments).exits(0);
        ran.says("it holds 1 other file (1 with a name that differs from it in upper and lower case only)")
            .says("correct pattern");
    }
    scene.recovers("20261122");
}

#[test]
fn two_files_that_are_equally_new_are_refused() {
    let scene = Scene::with(by_modified);
    for (name, count) in [("roster_a.csv", 4), ("roster_b.csv", 5)] {
        let content = table(&people(count));
        scene.company.deliver_written(name, content, 60);
    }
    scene.fails(&["roster_a.csv", "roster_b.csv", "equally new"]);
    let content = table(&people(6));
    scene.company.deliver_written("roster_c.csv", content, 30);
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 6);
}

#[test]
fn the_newest_of_several_files_counts_and_a_bad_newest_is_not_replaced_by_an_older_one() {
    let scene = Scene::new();
    scene.company.deliver_people("20261121", &people(6));
    let cut = table(&people(7)).trim_end().to_owned();
    scene.company.deliver("roster_20261122.csv", cut);
    scene.fails(&["roster_20261122.csv", "line end"]);
    scene.recovers("20261123");
}

#[test]
fn a_newer_file_that_is_still_being_written_means_not_yet() {
    for name in [
        "roster_20261121.csv.part",
        "roster_20261121.csv.tmp",
        ".roster_20261121.csv",
        "roster_20261121.csv.filepart",
    ] {
        let scene = Scene::new();
        scene.company.deliver(name, "Personalnummer;Vor");
        let ran = scene.company.run_now().exits(0).says("not yet");
        ran.says("still being written").says("Nothing changed");
        assert_eq!(scene.jobticket.pushes().len(), 1);
        fs::remove_file(scene.company.path("drop").join(name)).unwrap();
        scene.recovers("20261121");
    }
}

#[test]
fn an_unfinished_first_file_is_no_roster_yet() {
    let company = Company::new();
    company.deliver("roster_20261121.csv.part", plain(&people(3)));
    let ran = company.run_now().exits(4).says("roster_20261121.csv");
    ran.says("requests: 0");
}

#[test]
fn a_newer_file_without_its_marker_means_not_yet() {
    let scene = Scene::of(
        5,
        |company| {
            company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
            company.deliver("roster_20261120.csv.done", "");
        },
        plain,
    );
    scene.company.deliver_people("20261121", &people(4));
    let ran = scene.company.run_now().exits(0);
    ran.says("roster_20261121.csv.done is missing");
    assert_eq!(scene.jobticket.pushes().len(), 1);
    scene.company.deliver("roster_20261122.csv.done", "");
    scene.recovers("20261122");
}

#[test]
fn a_marker_that_is_older_than_its_file_does_not_count() {
    let scene = Scene::of(
        5,
        |company| {
            company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
            company.deliver("roster_20261120.csv.done", "");
        },
        plain,
    );
    let company = &scene.company;
    company.deliver_written("roster_20261121.csv.done", "", 900);
    company.deliver_written("roster_20261121.csv", plain(&people(4)), 800);
    let ran = company.run_now().exits(0);
    ran.says("roster_20261121.csv.done is older than the file");
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn a_file_that_was_written_a_moment_ago_means_not_yet() {
    let scene = Scene::with(|company| company.edit("ready: rename", "ready: {quiet_seconds: 30}"));
    let content = plain(&people(4));
    scene
        .company
        .deliver_written("roster_20261121.csv", content, 5);
    let ran = scene.company.run_now().exits(0).says("not yet");
    ran.says("less than 30 seconds ago");
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.recovers("20261122");
}

#[test]
fn a_folder_without_a_matching_file_says_what_lies_there() {
    let company = Company::new();
    company.deliver("Roster_20261120.csv", plain(&people(3)));
    company.deliver("notes.txt", "x");
    let ran = company.run_now().exits(4).says("matches roster_*.csv*");
    ran.says("2 other files")
        .says("(1 with a name that differs");
}

#[test]
fn a_folder_that_is_gone_fails_and_nobody_leaves() {
    let scene = Scene::new();
    fs::rename(scene.company.path("drop"), scene.company.path("away")).unwrap();
    scene.fails(&["cannot be listed"]);
    fs::rename(scene.company.path("away"), scene.company.path("drop")).unwrap();
    scene.recovers("20261121");
}

#[test]
fn a_packed_file_that_was_cut_is_refused() {
    let whole = packed(&people(5));
    Scene::new().refuses(&whole[..whole.len() - 9], &["cut"]);
}

#[test]
fn a_damaged_packed_file_is_refused() {
    let mut damaged = packed(&people(5));
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 1;
    Scene::new().refuses(damaged, &["damaged"]);
}

#[test]
fn a_packed_file_that_goes_on_after_its_end_is_refused() {
    let twice = [packed(&people(3)), packed(&people(2))].concat();
    Scene::new().refuses(twice, &["goes on after its end"]);
}

#[test]
fn a_file_that_is_named_as_packed_and_is_not_is_refused() {
    let mut scene = Scene::new();
    let company = &mut scene.company;
    company.edit("roster_%Y%m%d.csv", "roster_%Y%m%d.csv.gz");
    fs::remove_file(company.path("drop/roster_20261120.csv")).unwrap();
    company.deliver("roster_20261121.csv.gz", plain(&people(5)));
    scene.fails(&["roster_20261121.csv.gz"]);
    let good = packed(&[people(5), vec![person("00006")]].concat());
    scene.company.deliver("roster_20261122.csv.gz", good);
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 6);
}
