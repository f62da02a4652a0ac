//! Absences from a second file of an SFTP server: fetched with the roster over one connection, known by their looks with it, and put away with it.

use crate::absence_files::{LEAVE, file, with_absences};
use crate::sftp::names;
use crate::sftp_between::Between;
use crate::sftp_server::{Habit, Server, Ways};
use crate::sftp_sshd::{Sshd, company, company_at};
use crate::support::{Company, people};

fn passes(company: &mut Company, hour: u32) {
    company.now = format!("2026-11-23T{hour:02}:15:00Z");
}

#[test]
fn both_files_come_over_one_connection_and_are_fetched_again_only_where_one_has_changed() {
    let Some(sshd) = Sshd::start() else { return };
    let between = Between::start(sshd.port);
    let mut company = company_at(between.port, |_| {});
    with_absences(&mut company);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5   leavers: 0");
    assert_eq!(between.connections(), 1);
    let fetched = between.passed();
    passes(&mut company, 6);
    company.run_now().exits(0).says("Nothing changed");
    assert!(between.passed() >= fetched, "they were not fetched again");
    assert_eq!(between.connections(), 1);
    passes(&mut company, 7);
    let ran = company.run_now().exits(0).says("Nothing changed");
    ran.says("No newer file than roster_20261120.csv and absences_20261120.csv");
    assert!(between.passed() < fetched, "they were fetched again");
    assert_eq!(between.connections(), 1);
    let rows = [LEAVE, ("00001", "Elternzeit", "01.11.2026")];
    company.deliver("absences_20261121.csv", file(&rows));
    company.run_now().exits(0).says("changed: 1");
    assert_eq!(between.connections(), 1);
    company.deliver("absences_20261122.csv", file(&[]));
    let ran = company.run_now().exits(4);
    ran.says("absences_20261122.csv has no rows, and JobTicket has absences");
}

#[test]
fn both_files_move_on_their_server_and_the_next_roster_waits_for_absences_of_its_own() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    let done = company.path("done").display().to_string();
    company.source += &format!("        after: {{move: {done}}}\n");
    with_absences(&mut company);
    company.deliver("absences_20261119.csv", file(&[LEAVE]));
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
    assert!(names(&company, "drop").is_empty());
    let files = [
        "absences_20261119.csv",
        "absences_20261120.csv",
        "roster_20261120.csv",
    ];
    assert_eq!(names(&company, "done"), files);
    let events = company.events("file_archived");
    let mut told: Vec<&str> = events
        .iter()
        .map(|event| event["file"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(told, files);
    company.deliver_people("20261121", &people(6));
    let ran = company.run_now().exits(0).says("Nothing changed");
    ran.says("roster_20261121.csv: no file of absences (absences_*.csv) is there to go with it");
    assert_eq!(names(&company, "drop"), ["roster_20261121.csv"]);
    company.deliver("absences_20261121.csv", file(&[LEAVE]));
    company.run_now().exits(0).says("joiners: 1   leavers: 0");
    assert!(names(&company, "drop").is_empty());
}

#[test]
fn both_files_that_were_read_are_deleted_and_older_ones_stay() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.source += "        after: delete\n";
    with_absences(&mut company);
    company.deliver("absences_20261119.csv", file(&[LEAVE]));
    company.deliver_people("20261119", &people(4));
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
    let older = ["absences_20261119.csv", "roster_20261119.csv"];
    assert_eq!(names(&company, "drop"), older);
    company.run_now().exits(0).says("Nothing changed");
    // One that could not be deleted with the other is, later.
    company.deliver(
        "absences_20261120.csv",
        file(&[
            LEAVE,
            ("00003", "Urlaub", "02.11.2026"),
            ("00004", "Krankheit", "03.11.2026"),
        ]),
    );
    company.run_now().exits(0).says("Nothing changed");
    assert_eq!(names(&company, "drop"), older);
    assert!(company.events("archive_failed").is_empty());
}

#[test]
fn a_server_unlike_openssh_gives_both_files_too() {
    let ways = Ways {
        password: Some("an invented password"),
        ..Ways::default()
    };
    let server = Server::start(ways, Habit::Unlike);
    let mut company = Company::new();
    let (pin, port) = (server.pin.clone(), server.port);
    let folder = company.path("drop").display().to_string();
    company.edit(
        "        type: csv_drop\n        folder: drop\n",
        &format!(
            "        type: sftp\n        host: localhost\n        port: {port}\n        user: acme-hr\n        host_keys: [\"{pin}\"]\n        auth: [{{password: {{env: TEST_PASSWORD}}}}]\n        folder: {folder}\n"
        ),
    );
    let variable = (
        "TEST_PASSWORD".to_owned(),
        "an invented password".to_owned(),
    );
    company.variables.push(variable);
    with_absences(&mut company);
    company.edit("ready: rename", "ready: {quiet_seconds: 1}");
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
    assert_eq!(server.tried().len(), 1, "one login for both");
    let pulled = company.events("source_pulled").pop().unwrap();
    assert_eq!(pulled["absences"]["file"], "absences_20261120.csv");
}
