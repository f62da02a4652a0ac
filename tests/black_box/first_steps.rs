//! The main job, as the README leads a newcomer through it.

use crate::support::{Company, JobTicket, people, person};

#[test]
fn the_first_run_pushes_everybody_and_the_second_pushes_nothing() {
    let company = Company::new();
    company.deliver_people("20261120", &people(5));
    company
        .run_now()
        .exits(0)
        .says("joiners: 5   leavers: 0   changed: 0")
        .says("Pushed 5 employees");
    company
        .run_now()
        .exits(0)
        .says("Nothing changed; no sync request was made")
        .says("requests: 0");
}

#[test]
fn a_roster_of_any_size_arrives() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    // A body is hashed in parts of 512 people.
    for (day, count) in [("20261120", 511), ("20261121", 512), ("20261122", 513)] {
        company.deliver_people(day, &people(count));
        company
            .run(&["--run-now", "--resync"])
            .exits(0)
            .says(&format!("Pushed {count} employees"));
        assert_eq!(jobticket.active().len(), count);
    }
}

#[test]
fn a_joiner_a_leaver_and_a_change_are_shown_as_exactly_these() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    staff[1].end = "31.10.2026".to_owned();
    staff[2].last = "Neumann".to_owned();
    staff.push(person("00006"));
    company.deliver_people("20261121", &staff);
    let plan = [
        "- 00002 leaves (employment ended 2026-10-31)",
        "~ 00003 lastName",
        "+ 00006 joins",
    ];
    for arguments in [&["--run-now", "--dry-run"][..], &["--run-now"]] {
        let mut ran = company
            .run(arguments)
            .exits(0)
            .says("joiners: 1   leavers: 1   changed: 1");
        for line in plan {
            ran = ran.says(line);
        }
    }
    assert_eq!(jobticket.pushes().len(), 2);
    assert_eq!(
        jobticket.active(),
        ["00001", "00003", "00004", "00005", "00006"]
    );
}
