//! Two sources of one integration: while one fails, nobody leaves and the joiners and changes of the other go on.

use std::fs;

use crate::support::{Company, JobTicket, Person, people, person, table};

/// A company with a second drop folder, `branch`.
pub(crate) fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    fs::create_dir(company.path("branch")).unwrap();
    company.integration = "      - name: branch
        type: csv_drop
        folder: branch
        pattern: \"*.csv\"
        ready: rename
        max_age_hours: 100000
        fields: {hrId: Personalnummer, firstName: Vorname, lastName: Nachname, email: E-Mail,
          dateOfBirth: {from: Geburtsdatum, format: TT.MM.JJJJ},
          startDate: {from: Eintritt, format: TT.MM.JJJJ},
          terminationDate: {from: Austritt, format: TT.MM.JJJJ}}
"
    .to_owned();
    company
}

/// Puts a file into the second folder, newer than those before; `seconds_ago` before the program's time.
pub(crate) fn deliver_branch(company: &Company, content: impl AsRef<[u8]>, seconds_ago: u64) {
    let name = format!("../branch/{seconds_ago}.csv");
    company.deliver_written(&name, content, seconds_ago);
}

/// Five people at headquarters and three in the branch.
pub(crate) fn both(jobticket: &JobTicket) -> (Company, Vec<Person>) {
    let company = company(jobticket);
    let all = people(8);
    company.deliver_people("20261120", &all[..5]);
    deliver_branch(&company, table(&all[5..]), 900);
    company.run_now().exits(0).says("joiners: 8");
    (company, all)
}

#[test]
fn while_one_source_fails_nobody_leaves_and_joiners_of_the_other_go_on() {
    let jobticket = JobTicket::start();
    let (company, all) = both(&jobticket);
    deliver_branch(&company, table(&all[5..6]).trim_end(), 800);
    let mut staff = all[..5].to_vec();
    staff[0].end = "31.10.2026".to_owned();
    staff.push(person("00099"));
    company.deliver_people("20261121", &staff);
    let ran = company.run_now().exits(4);
    ran.says("source branch: failed")
        .says("Its last good roster stands in")
        .says("joiners: 1   leavers: 0   changed: 0")
        // Whose employment ended here may have begun another in the branch, whose file nobody can read.
        .says("Kept, although they would leave, for a source failed: 00001");
    assert_eq!(jobticket.active().len(), 9);
    deliver_branch(&company, table(&all[5..7]), 700);
    company
        .run_now()
        .exits(0)
        .says("- 00001 leaves (employment ended 2026-10-31)")
        .says("- 00008 leaves (missing");
    assert_eq!(
        jobticket.active(),
        [
            "00002", "00003", "00004", "00005", "00006", "00007", "00099"
        ]
    );
}

#[test]
fn a_source_that_never_delivered_is_left_out_and_said_and_the_other_goes_on() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    company
        .run_now()
        .exits(4)
        .says("SOURCE FAILED")
        .says("requests: 0");
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(4).says("joiners: 5");
    ran.says("source branch: failed")
        .says("It has never delivered and is left out until it does");
    assert_eq!(jobticket.active().len(), 5);
    let event = company.events("source_failed").pop().unwrap();
    assert_eq!(
        (&event["source"], &event["standsIn"]),
        (&"branch".into(), &false.into())
    );
    deliver_branch(&company, table(&[person("00006")]), 900);
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 6);
}

#[test]
fn somebody_who_moves_from_one_source_to_the_other_stays() {
    let jobticket = JobTicket::start();
    let (company, all) = both(&jobticket);
    company.deliver_people("20261121", &all[..4]);
    deliver_branch(&company, table(&all[4..]), 800);
    company.run_now().exits(0).says("Nothing changed");
    // And back, seen by both for a while.
    company.deliver_people("20261122", &all[..5]);
    company.run_now().exits(0).says("Nothing changed");
    deliver_branch(&company, table(&all[5..]), 700);
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn what_two_sources_say_otherwise_of_one_person_changes_nothing() {
    let jobticket = JobTicket::start();
    let (company, all) = both(&jobticket);
    let mut branch = all[4..].to_vec();
    branch[0].last = "Anders".to_owned();
    branch[1].email = all[0].email.clone();
    deliver_branch(&company, table(&branch), 800);
    let ran = company.run_now().exits(9).says("Nothing changed");
    ran.says("! 00005 rejected: headquarters, row 6")
        .says("! 00005 rejected: branch, row 2")
        .says("! 00001 rejected: headquarters, row 2")
        .says("! 00006 rejected: branch, row 3");
}

#[test]
fn new_people_without_an_e_mail_are_listed_with_their_source() {
    let jobticket = JobTicket::start();
    let (company, all) = both(&jobticket);
    let mut branch = all[5..].to_vec();
    branch.push(person("00009"));
    branch[3].email.clear();
    deliver_branch(&company, table(&branch), 800);
    company
        .run_now()
        .exits(0)
        .says("? 00009 is new and has no email yet (branch, row 5); left out");
}
