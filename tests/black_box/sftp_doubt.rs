//! Files of a server that are not what they look like: nothing unread goes, and nothing new is passed over.

use std::process::Stdio;
use std::time::Duration;

use crate::sftp::names;
use crate::sftp_faults::{moving, paused_at};
use crate::sftp_sshd::{Sshd, company, put_on_server};
use crate::support::{Company, JobTicket, Person, people, table};

/// Six people, of whom one has another first name, which is as long.
fn corrected() -> Vec<Person> {
    let mut six = people(6);
    let name = &mut six[5].first;
    *name = name.chars().rev().collect();
    assert_eq!(table(&six).len(), table(&people(6)).len());
    six
}

#[test]
fn a_file_that_was_written_anew_in_the_same_second_with_the_same_size_is_read() {
    let Some(sshd) = Sshd::start() else { return };
    let company = company(&sshd, |_| {});
    company.deliver_people("20261120", &people(6));
    company.run_now().exits(0).says("joiners: 6");
    company.deliver_people("20261120", &corrected());
    company.run_now().exits(0).says("changed: 1");
}

#[test]
fn a_file_that_only_looks_like_the_one_that_was_read_is_neither_moved_nor_deleted() {
    let Some(sshd) = Sshd::start() else { return };
    let deleting = || {
        let jobticket = JobTicket::start();
        let mut company = Company::at(&jobticket);
        put_on_server(&mut company, sshd.port, |_| {});
        company.source += "        after: delete\n";
        (company, jobticket)
    };
    for (company, _jobticket) in [moving(&sshd), deleting()] {
        company.deliver_people("20261120", &people(6));
        let ran = paused_at("acknowledged", &company, || {
            company.deliver_people("20261120", &corrected());
        });
        ran.exits(0).says("changed after it was read and stays");
        assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
        company.run_now().exits(0).says("changed: 1");
        assert!(names(&company, "drop").is_empty());
    }
}

#[test]
fn what_was_never_read_is_not_deleted_and_does_no_harm() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.source += "        after: delete\n";
    company.deliver_people("20261119", &people(3));
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
    assert_eq!(names(&company, "drop"), ["roster_20261119.csv"]);
    company.run_now().exits(0).says("Nothing changed");
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(names(&company, "drop"), ["roster_20261119.csv"]);
}

#[test]
fn every_file_that_is_put_away_is_on_record() {
    let Some(sshd) = Sshd::start() else { return };
    let (company, _jobticket) = moving(&sshd);
    company.deliver_people("20261119", &people(3));
    company.run_now().exits(0);
    let files = company.events("file_archived");
    let files: Vec<_> = files.iter().map(|event| event["file"].clone()).collect();
    assert_eq!(files, ["roster_20261119.csv", "roster_20261120.csv"]);
}

#[test]
fn a_file_that_is_to_rest_is_watched_by_our_own_clock() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.edit("ready: rename", "ready: {quiet_seconds: 2}");
    company.deliver_people("20261120", &people(5));
    // Its time is an hour ago, as the clock of the server has it, and it grows.
    let mut command = company.command(&["--run-now"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    company.deliver_people("20261120", &people(6));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    company.run_now().exits(0).says("joiners: 6");
}

#[test]
fn a_file_that_cannot_be_put_away_shows_in_the_status_until_it_can() {
    let Some(sshd) = Sshd::start() else { return };
    let (company, _jobticket) = moving(&sshd);
    let done = company.path("done");
    let _ = std::fs::remove_dir_all(&done);
    std::fs::write(&done, "in the way").unwrap();
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(0).says("Warning: ");
    let status = company.run(&["status"]).says("NOT PUT AWAY: ");
    status.says(&done.display().to_string());
    std::fs::remove_file(&done).unwrap();
    company.run_now().exits(0);
    let status = company.run(&["status"]).exits(0);
    assert!(!status.stdout.contains("NOT PUT AWAY"), "{}", status.stdout);
}
