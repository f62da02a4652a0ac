//! Absences from a second file of the drop folder: whose they become, when the two files count, and when neither does.

use std::fs;

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Company, JobTicket, people, person, table};

/// Somebody's absences as they came to JobTicket last.
fn absences(jobticket: &JobTicket, hr_id: &str) -> Value {
    let all = jobticket.arrived();
    let person = all.iter().find(|person| person["hrId"] == hr_id);
    person.unwrap()["absences"].clone()
}

/// A file of absences with a row for each of these people.
pub(crate) fn file(rows: &[(&str, &str, &str)]) -> String {
    let mut text = "Nummer,Art,Von,Bis\n".to_owned();
    for (number, kind, from) in rows {
        text += &format!("{number},{kind},{from},\n");
    }
    text
}

pub(crate) const LEAVE: (&str, &str, &str) = ("00002", "Elternzeit", "01.10.2026");
const OTHERS: [(&str, &str, &str); 2] = [
    ("00003", "Urlaub", "02.11.2026"),
    ("00004", "Krankheit", "03.11.2026"),
];

const FIELDS: &str = "          absences:
            file: {pattern: \"absences_*.csv\", newest_by: {name_date: \"absences_%Y%m%d.csv\"}, hrId: Nummer}
            kind: Art
            only: [Elternzeit]
            texts: {type: Art}
            dates: {startDate: {from: Von, format: TT.MM.JJJJ}, endDate: {from: Bis, format: TT.MM.JJJJ}}
";

/// Adds a file of absences to the configuration, and delivers the first one.
pub(crate) fn with_absences(company: &mut Company) {
    company.edit(
        "          hrId: Personalnummer\n",
        &format!("          hrId: Personalnummer\n{FIELDS}"),
    );
    let rows = [LEAVE, OTHERS[0], OTHERS[1]];
    company.deliver("absences_20261120.csv", file(&rows));
}

fn names(company: &Company, folder: &str) -> Vec<String> {
    crate::sftp::names(company, folder)
}

#[test]
fn absences_of_a_second_file_go_to_their_people_and_no_other_kind_leaves_the_house() {
    let scene = Scene::with(with_absences);
    let jobticket = &scene.jobticket;
    assert_eq!(
        absences(jobticket, "00002"),
        json!([{"type": "Elternzeit", "startDate": "2026-10-01"}])
    );
    for other in ["00001", "00003", "00004"] {
        assert_eq!(absences(jobticket, other), json!([]), "{other}");
    }
    let pulled = scene.company.events("source_pulled").pop().unwrap();
    assert_eq!(pulled["file"], "roster_20261120.csv");
    assert_eq!(pulled["absences"]["file"], "absences_20261120.csv");
    assert_eq!(pulled["absences"]["sha256"].as_str().unwrap().len(), 64);
    let ran = scene.company.run_now().exits(0);
    ran.says("Nothing changed")
        .says("roster_20261120.csv and absences_20261120.csv");
    scene
        .company
        .run(&["check"])
        .exits(0)
        .says("roster_20261120.csv and absences_20261120.csv");
    scene
        .company
        .run(&["status"])
        .says("roster_20261120.csv and absences_20261120.csv");
    let files = scene
        .company
        .state_files()
        .into_iter()
        .map(|(_, file)| file);
    for content in files.chain(scene.company.kept_rosters()) {
        let text = String::from_utf8_lossy(&content);
        assert!(
            !text.contains("Krankheit"),
            "a kind that is not sent is kept"
        );
    }
}

#[test]
fn a_new_file_of_either_is_a_delivery_and_the_same_two_are_none() {
    let scene = Scene::with(with_absences);
    let status = |scene: &Scene| {
        let event = scene.company.events("source_pulled").pop().unwrap();
        event["status"].as_str().unwrap().to_owned()
    };
    scene.company.run_now().exits(0).says("Nothing changed");
    assert_eq!(status(&scene), "unchanged");
    let rows = [LEAVE, ("00001", "Elternzeit", "01.11.2026"), OTHERS[0]];
    scene.company.deliver("absences_20261121.csv", file(&rows));
    scene.company.run_now().exits(0).says("changed: 1");
    assert_eq!(status(&scene), "new");
    assert_eq!(
        absences(&scene.jobticket, "00001")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A roster whose absences have not come is read with the newest that are there.
    scene.recovers("20261122");
    assert_eq!(status(&scene), "new");
    assert_eq!(
        absences(&scene.jobticket, "00002")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Who is away no more.
    scene
        .company
        .deliver("absences_20261122.csv", file(&[LEAVE, OTHERS[0]]));
    scene.company.run_now().exits(0).says("changed: 1");
    assert_eq!(absences(&scene.jobticket, "00001"), json!([]));
}

#[test]
fn a_file_of_absences_may_join_a_roster_that_was_taken_without_one_and_leave_it_again() {
    let mut scene = Scene::new();
    with_absences(&mut scene.company);
    scene.company.run_now().exits(0).says("changed: 1");
    assert_eq!(
        absences(&scene.jobticket, "00002")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    scene.company.edit(FIELDS, "");
    scene.company.run_now().exits(0).says("changed: 1");
    assert_eq!(absences(&scene.jobticket, "00002"), json!([]));
}

#[test]
fn a_file_of_absences_that_tells_nothing_any_more_changes_nobody() {
    let scene = Scene::with(with_absences);
    let cases: [(String, &str); 4] = [
        (file(&[]), "has no rows, and JobTicket has absences"),
        (
            file(&[("", "Elternzeit", "01.10.2026")]),
            "The column Nummer of absences_20261121.csv is empty in every row",
        ),
        (
            file(&[("00002", "", "01.10.2026")]),
            "The column Art of absences_20261121.csv is empty in every row",
        ),
        (
            file(&[("2", "Elternzeit", "01.10.2026")]),
            "is of a person of roster_20261121.csv, and JobTicket has absences",
        ),
    ];
    scene.company.deliver_people("20261121", &people(6));
    for (content, says) in cases {
        scene.company.deliver("absences_20261121.csv", content);
        scene.fails(&["absences_20261121.csv", says]);
    }
    scene
        .company
        .deliver("absences_20261121.csv", file(&[LEAVE]));
    scene
        .company
        .run_now()
        .exits(0)
        .says("joiners: 1   leavers: 0");
}

#[test]
fn where_jobticket_has_no_absences_nobody_need_be_away() {
    let scene = Scene::with(|company| {
        with_absences(company);
        company.deliver("absences_20261120.csv", file(&[]));
    });
    assert_eq!(absences(&scene.jobticket, "00002"), json!([]));
    scene
        .company
        .deliver("absences_20261121.csv", file(&[LEAVE]));
    scene.company.run_now().exits(0).says("changed: 1");
}

#[test]
fn nothing_of_a_roster_is_used_while_its_absences_are_missing_broken_unfinished_or_stale() {
    let mut scene = Scene::with(with_absences);
    scene.company.deliver_people("20261121", &people(6));
    let path = scene.company.path("drop/absences_20261121.csv");
    for (content, says) in [
        ("", "absences_20261121.csv is empty (0 bytes)"),
        (
            "Nummer,Art,Von\n00002,Elternzeit,01.10.2026\n",
            "absences_20261121.csv has no column `Bis`",
        ),
        (
            "Nummer,Art,Von,Bis\n00002,Elternzeit",
            "absences_20261121.csv",
        ),
        ("Nummer,Art,Von,Bis\n00002,Elternzeit\n", "Row 2"),
    ] {
        fs::write(&path, content).unwrap();
        scene.company.deliver("absences_20261121.csv", content);
        scene.fails(&["absences_20261121.csv"]).says(says);
    }
    fs::remove_file(&path).unwrap();
    scene.company.deliver("absences_20261121.csv.part", "");
    let ran = scene.company.run_now().exits(0).says("Nothing changed");
    ran.says("absences_20261121.csv.part: its name says that it is still being written");
    fs::remove_file(scene.company.path("drop/absences_20261121.csv.part")).unwrap();
    scene
        .company
        .edit("max_age_hours: 100000", "max_age_hours: 60");
    scene.fails(&["absences_20261120.csv is stale"]);
    scene
        .company
        .deliver("absences_20261122.csv", file(&[LEAVE]));
    scene.company.edit("max_age_hours: 60", "max_age_hours: 36");
    scene.fails(&["roster_20261121.csv is stale"]);
    scene.company.deliver_people("20261122", &people(6));
    scene.company.run_now().exits(0).says("joiners: 1");
}

#[test]
fn an_absence_that_makes_no_sense_leaves_its_person_as_they_were() {
    let scene = Scene::with(with_absences);
    let rows = [LEAVE, ("00003", "Elternzeit", "2026/11")];
    scene.company.deliver("absences_20261121.csv", file(&rows));
    let ran = scene.company.run_now().exits(9);
    ran.says("00003").says("Art of absences_*.csv");
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn rows_of_people_who_are_not_there_are_ignored_and_told_where_they_are_many() {
    let scene = Scene::with(with_absences);
    let strangers = [
        LEAVE,
        ("90001", "Elternzeit", "x"),
        ("90002", "Urlaub", "x"),
    ];
    scene
        .company
        .deliver("absences_20261121.csv", file(&strangers));
    let told =
        "2 of 3 rows of absences_20261121.csv are of people who are not in roster_20261120.csv";
    scene.company.run(&["check"]).exits(0).says(told);
    let ran = scene.company.run_now().exits(0).says("Nothing changed");
    ran.says(told);
}

#[test]
fn both_files_move_into_the_archive_and_the_next_roster_waits_for_absences_of_its_own() {
    let scene = Scene::with(|company| {
        company.source += "        after: {archive: archive}\n";
        company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
        with_absences(company);
        company.deliver("absences_20261119.csv", file(&[LEAVE]));
        for name in ["roster_20261120", "absences_20261120", "absences_20261119"] {
            company.deliver(&format!("{name}.csv.done"), "");
        }
    });
    let company = &scene.company;
    assert!(
        names(company, "drop").is_empty(),
        "{:?}",
        names(company, "drop")
    );
    let archived = names(company, "archive");
    assert_eq!(archived.len(), 6, "{archived:?}");
    let events = company.events("file_archived");
    let mut told: Vec<&str> = events
        .iter()
        .map(|event| event["file"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "absences_20261119.csv",
            "absences_20261120.csv",
            "roster_20261120.csv"
        ]
    );
    company.run_now().exits(0).says("Nothing changed");
    company.deliver_people("20261121", &people(6));
    company.deliver("roster_20261121.csv.done", "");
    let ran = company.run_now().exits(0).says("Nothing changed");
    ran.says("no file of absences (absences_*.csv) is there to go with it");
    assert_eq!(names(company, "drop").len(), 2);
    company.deliver("absences_20261121.csv", file(&[LEAVE]));
    company.deliver("absences_20261121.csv.done", "");
    company.run_now().exits(0).says("joiners: 1   leavers: 0");
    assert!(names(company, "drop").is_empty());
    // One that could not move with the other moves later.
    let back = company.path("drop/absences_20261121.csv");
    fs::rename(company.path("archive/absences_20261121.csv"), &back).unwrap();
    company.deliver("absences_20261121.csv.done", "");
    company.run_now().exits(0).says("Nothing changed");
    assert!(
        names(company, "drop").is_empty(),
        "{:?}",
        names(company, "drop")
    );
}

#[test]
fn files_of_a_dry_run_or_a_held_plan_stay_both() {
    let scene = Scene::with(|company| {
        company.source += "        after: {archive: archive}\n";
        with_absences(company);
    });
    let company = &scene.company;
    let mut held = people(5);
    held.truncate(1);
    held.extend((10..16).map(|number| person(&format!("000{number}"))));
    company.deliver_people("20261121", &held);
    let rows = [("00001", "Urlaub", "02.11.2026")];
    company.deliver("absences_20261121.csv", file(&rows));
    company.run(&["--run-now", "--dry-run"]).exits(3);
    assert_eq!(names(company, "drop").len(), 2);
    company.run_now().exits(3);
    assert_eq!(names(company, "drop").len(), 2);
}

#[test]
fn a_table_of_its_own_reads_absences_and_nothing_of_the_rosters_size_is_asked_of_them() {
    let scene = Scene::with(|company| {
        company.source += "        table: {min_rows: 5, delimiter: \";\"}\n";
        with_absences(company);
        company.edit(
            "hrId: Nummer}",
            "hrId: \"1\", table: {header: false, encoding: windows-1252}}",
        );
        for (from, to) in [
            ("kind: Art", "kind: \"2\""),
            ("type: Art", "type: \"2\""),
            ("from: Von", "from: \"3\""),
            ("from: Bis", "from: \"4\""),
        ] {
            company.edit(from, to);
        }
        company.edit("only: [Elternzeit]", "only: [Elternzeit für Väter]");
        let row = b"00002|Elternzeit f\xFCr V\xE4ter|01.10.2026|\r\n";
        company.deliver("absences_20261120.csv", row);
    });
    assert_eq!(
        absences(&scene.jobticket, "00002")[0]["type"],
        "Elternzeit für Väter"
    );
}

#[test]
fn a_configuration_that_cannot_tell_the_two_apart_or_says_too_little_is_refused() {
    let refused = |from: &str, to: &str, says: &[&str]| {
        let mut company = Company::new();
        with_absences(&mut company);
        company.edit(from, to);
        let mut ran = company.run(&["check", "--offline"]).exits(2);
        for text in says {
            ran = ran.says(text);
        }
    };
    let pattern = "fields.absences.file.pattern";
    refused(
        "\"absences_*.csv\"",
        "\"*.csv\"",
        &[pattern, "taken for each other"],
    );
    refused(
        "pattern: \"roster_*.csv*\"",
        "pattern: \"*s_*.csv\"",
        &[pattern],
    );
    refused("\"absences_*.csv\"", "\"in/absences_*.csv\"", &[pattern]);
    refused(
        "absences_%Y%m%d.csv",
        "away_%Y.csv",
        &["fields.absences.file.newest_by"],
    );
    refused("hrId: Nummer}", "hrId: []}", &["fields.absences.file.hrId"]);
    refused("hrId: Nummer}", "hrid: Nummer}", &["hrid"]);
    refused(
        "hrId: Nummer}",
        "hrId: Nummer, table: {header: false}}",
        &["fields.absences.file.table", "called by number"],
    );
    refused("[Elternzeit]", "[Krankheit]", &["Illness is health data"]);
}

#[test]
fn a_name_that_turns_out_to_match_both_patterns_fails_the_source() {
    let mut scene = Scene::with(with_absences);
    scene.company.edit(
        "newest_by: {name_date: \"roster_%Y%m%d.csv\"}",
        "newest_by: modified",
    );
    scene
        .company
        .edit("newest_by: {name_date: \"absences_%Y%m%d.csv\"}, ", "");
    scene
        .company
        .edit("\"roster_*.csv*\"", "\"*_2026????.csv\"");
    // It is the only roster by its age, so that nothing else is wrong.
    fs::remove_file(scene.company.path("drop/roster_20261120.csv")).unwrap();
    scene.fails(&["absences_20261120.csv may be a roster or one of absences"]);
}

#[test]
fn a_roster_in_the_form_of_the_other_file_is_no_roster() {
    let scene = Scene::with(with_absences);
    scene.company.deliver("roster_20261121.csv", file(&[LEAVE]));
    scene.fails(&["roster_20261121.csv has no column"]);
    fs::remove_file(scene.company.path("drop/roster_20261121.csv")).unwrap();
    scene
        .company
        .deliver("absences_20261121.csv", table(&people(5)));
    scene.fails(&["absences_20261121.csv has no column `Nummer`"]);
}
