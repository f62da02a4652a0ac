//! HR gives people new numbers: with a map they keep those that JobTicket knows, and a map that is not exactly one lets nothing go out.

use crate::scene::Scene;
use crate::support::{Company, JobTicket, Person, people, table};
use crate::two_sources::{both, deliver_branch};

const HEADER: &str = "hrId,jobticketHrId\n";

/// Five people whom JobTicket knows, and a map that names nobody yet.
fn scene() -> Scene {
    Scene::with(|company| {
        company.integration = "    hrid_map: map.csv\n".to_owned();
        write(company, HEADER);
    })
}

fn write(company: &Company, map: impl AsRef<[u8]>) {
    std::fs::write(company.path("map.csv"), map).unwrap();
}

/// The five people, the first of them under another number.
fn renumbered(number: &str) -> Vec<Person> {
    let mut staff = people(5);
    staff[0].number = number.to_owned();
    staff
}

#[test]
fn who_has_a_new_number_keeps_the_one_that_jobticket_knows() {
    let Scene {
        jobticket, company, ..
    } = scene();
    write(&company, "\u{feff}hrId;jobticketHrId\r\nN-1;00001\r\n");
    company.deliver_people("20261121", &renumbered("N-1"));
    company.run_now().exits(0).says("Nothing changed");
    let mut staff = renumbered("N-1");
    staff[0].last = "Neuname".to_owned();
    company.deliver_people("20261122", &staff);
    company.run_now().exits(0).says("~ 00001 lastName");
    staff[0].end = "31.10.2026".to_owned();
    company.deliver_people("20261123", &staff);
    let ran = company.run_now().exits(0);
    ran.says("- 00001 leaves (employment ended 2026-10-31)");
    assert_eq!(jobticket.active(), ["00002", "00003", "00004", "00005"]);
}

#[test]
fn a_map_that_is_not_exactly_one_is_an_error_of_the_configuration_and_nothing_is_pushed() {
    let Scene {
        jobticket, company, ..
    } = scene();
    company.deliver_people("20261121", &people(6));
    let cases: [(&[u8], &str); 8] = [
        (b"number,jobticketHrId\n", "map.csv:1: the header has to be"),
        (
            b"hrId,jobticketHrId\nN1,1\nN2;2\n",
            "map.csv:3: a line has exactly two cells",
        ),
        (
            b"hrId,jobticketHrId\nN1,\n",
            "map.csv:2: the cell jobticketHrId is empty",
        ),
        (
            b"hrId,jobticketHrId\nN1,1\nN1,2\n",
            "map.csv:3: the hrId N1 stands in line 2 already",
        ),
        (
            b"hrId,jobticketHrId\nN1,1\nN2,1\n",
            "map.csv:3: the jobticketHrId 1 stands in line 2 already",
        ),
        (
            b"hrId,jobticketHrId\nN1,1\n1,2\n",
            "map.csv:2: the jobticketHrId 1 is also the hrId of line 3",
        ),
        (
            b"hrId,jobticketHrId\nN1,1\nN2,\xe4\n",
            "map.csv:3: this is not UTF-8",
        ),
        (
            b"hrId,jobticketHrId\nN1,00",
            "map.csv:2: the last line has no line end",
        ),
    ];
    for (map, says) in cases {
        write(&company, map);
        refused(&company, &jobticket, says);
    }
    std::fs::remove_file(company.path("map.csv")).unwrap();
    refused(&company, &jobticket, "map.csv cannot be read");
    std::fs::create_dir(company.path("map.csv")).unwrap();
    refused(&company, &jobticket, "map.csv cannot be read");
    std::fs::remove_dir(company.path("map.csv")).unwrap();
    write(&company, HEADER);
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(jobticket.active().len(), 6);
}

/// Every command that looks at the map says this of it, and nothing is asked of JobTicket.
#[track_caller]
fn refused(company: &Company, jobticket: &JobTicket, says: &str) {
    let pushes = jobticket.pushes().len();
    for arguments in [&["--run-now"][..], &["--run-now", "--dry-run"]] {
        let ran = company.run(arguments).exits(2).says("requests: 0");
        ran.says("CONFIGURATION: hrid_map: ").says(says);
    }
    for arguments in [&["check", "--offline"][..], &["check"]] {
        let ran = company.run(arguments).exits(2).says("NOT in order");
        ran.says("ERROR: hrid_map: ").says(says);
    }
    assert_eq!(jobticket.pushes().len(), pushes);
    let end = company.events("run_ended").pop().unwrap();
    assert_eq!(
        (&end["outcome"], &end["exitCode"]),
        (&"misconfigured".into(), &2.into())
    );
}

#[test]
fn a_mapped_and_a_direct_row_of_one_person_are_duplicates_like_any_others() {
    let Scene {
        jobticket, company, ..
    } = scene();
    write(&company, format!("{HEADER}N-1,00001\n"));
    let mut staff = people(5);
    staff.push(renumbered("N-1")[0].clone());
    company.deliver_people("20261121", &staff);
    company.run_now().exits(0).says("Nothing changed");
    staff[5].last = "Anders".to_owned();
    company.deliver_people("20261122", &staff);
    let ran = company.run_now().exits(9).says("Nothing changed");
    ran.says("! 00001 rejected: headquarters, row 2")
        .says("! 00001 rejected: headquarters, row 7");
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn the_last_good_roster_of_a_frozen_source_is_mapped_when_it_is_used() {
    let Scene {
        jobticket, company, ..
    } = scene();
    write(&company, format!("{HEADER}N-1,00001\n"));
    company.deliver_people("20261121", &renumbered("N-1"));
    company.run_now().exits(0).says("Nothing changed");
    let cut = table(&renumbered("N-1"));
    company.deliver("roster_20261122.csv", cut.trim_end());
    company.run_now().exits(4).says("Nothing changed");
    // Without its line the kept row is what the source gave: a new number, and the old one is missing.
    write(&company, HEADER);
    company.run_now();
    assert!(jobticket.active().contains(&"00001".to_owned()));
    write(&company, format!("{HEADER}N-1,00001\n"));
    company.run_now().exits(4).says("Nothing changed");
    company.deliver_people("20261123", &renumbered("N-1"));
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn the_map_names_people_by_their_number_behind_the_prefix_of_their_source() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    company.edit(
        "folder: branch\n",
        "folder: branch\n        id_prefix: \"B-\"\n",
    );
    company.edit("    sources:\n", "    hrid_map: map.csv\n    sources:\n");
    let map = "B-6,00006\nB-7,00007\nB-8,00008\n";
    write(&company, format!("{HEADER}{map}"));
    let mut branch = all[5..].to_vec();
    for person in &mut branch {
        person.number = person.number.trim_start_matches('0').to_owned();
    }
    deliver_branch(&company, table(&branch), 800);
    company.run_now().exits(0).says("Nothing changed");
    let ran = company.run(&["check"]).exits(0);
    ran.says("hrid_map: names 3 people");
}

#[test]
fn another_map_is_another_set_of_rules() {
    let scene = scene();
    let company = &scene.company;
    let rules = || -> String {
        let store = rusqlite::Connection::open(company.path("state/state.db")).unwrap();
        let rules = "SELECT rules_hash FROM snapshot";
        store.query_row(rules, [], |row| row.get(0)).unwrap()
    };
    let before = rules();
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(rules(), before);
    write(company, format!("{HEADER}N-1,00001\n"));
    company.deliver_people("20261122", &people(7));
    company.run_now().exits(0).says("joiners: 1");
    assert_ne!(rules(), before);
}
