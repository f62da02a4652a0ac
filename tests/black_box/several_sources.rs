//! Several sources of which one fails: whoever may stand where nobody can look loses nothing, and it is said, louder with time.

use std::fs;

use crate::support::{JobTicket, Person, Ran, people, person, table};
use crate::two_sources::{both, company, deliver_branch};

const HOURS: [&str; 4] = [
    "2026-11-24T21:15:00Z", // 40 hours after the first run
    "2026-11-26T13:30:00Z", // 40 hours later
    "2026-11-27T00:30:00Z", // 51 hours after the last good delivery
    "2026-11-27T01:30:00Z",
];

/// A file that was cut short.
fn broken(people: &[Person]) -> String {
    table(people).trim_end().to_owned()
}

#[test]
fn a_transfer_between_two_sources_while_one_is_frozen_loses_nobody() {
    let ends_and_gone: [fn(&mut Vec<Person>); 2] = [
        |staff| staff[0].end = "31.10.2026".to_owned(),
        |staff| drop(staff.remove(0)),
    ];
    for leave in ends_and_gone {
        // From headquarters to the branch, whose file cannot be read.
        let jobticket = JobTicket::start();
        let (company, all) = both(&jobticket);
        let mut staff = all[..5].to_vec();
        leave(&mut staff);
        company.deliver_people("20261121", &staff);
        let arrived: Vec<Person> = [&all[..1], &all[5..]].concat();
        deliver_branch(&company, broken(&arrived), 800);
        company
            .run_now()
            .exits(4)
            .says("Kept, although they would leave, for a source failed: 00001")
            .says("Nothing changed");
        assert_eq!(jobticket.active().len(), 8);
        deliver_branch(&company, table(&arrived), 700);
        company.run_now().exits(0).says("Nothing changed");

        // From the branch, whose file cannot be read, to headquarters.
        let mut staff = staff.clone();
        let mut arrived = all[7].clone();
        arrived.last = "Neuname".to_owned();
        staff.push(arrived);
        company.deliver_people("20261122", &staff);
        deliver_branch(&company, broken(&all[..7]), 600);
        company
            .run_now()
            .exits(4)
            .says("joiners: 0   leavers: 0   changed: 1")
            .says("~ 00008 lastName");
        assert_eq!(jobticket.active().len(), 8);
    }
}

#[test]
fn a_second_source_that_never_delivered_while_its_people_are_in_the_snapshot_loses_nobody() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    company.edit("name: branch", "name: office");
    company.edit("folder: branch", "folder: office");
    fs::create_dir(company.path("office")).unwrap();
    company.deliver_people("20261121", &[&all[..4], &[person("00099")]].concat());
    company
        .run_now()
        .exits(4)
        .says("source office: failed")
        .says("It has never delivered and is left out until it does")
        .says("for a source failed: 00005, 00006, 00007, 00008")
        .says("joiners: 1   leavers: 0   changed: 0");
    assert_eq!(jobticket.active().len(), 9);
    let file = fs::read(company.path("branch/900.csv")).unwrap();
    company.deliver_written("../office/900.csv", file, 900);
    company.deliver_people("20261122", &[&all[..5], &[person("00099")]].concat());
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_last_day_in_the_frozen_source_itself_passes_all_the_same_and_one_in_another_source_does_not() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let mut all = people(8);
    for index in [0, 7] {
        all[index].end = "23.11.2026".to_owned();
    }
    company.deliver_people("20261120", &all[..5]);
    deliver_branch(&company, table(&all[5..]), 900);
    company.run_now().exits(0).says("joiners: 8");
    deliver_branch(&company, broken(&all[5..]), 800);
    company.now = "2026-11-24T04:00:00Z".to_owned();
    company
        .run_now()
        .exits(4)
        .says("Kept, although they would leave, for a source failed: 00001")
        .says("- 00008 leaves (employment ended 2026-11-23)");
    assert_eq!(jobticket.active().len(), 7);
}

#[test]
fn a_source_that_is_frozen_for_long_is_said_louder_with_the_hours_since_it_was_last_in_order() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    // Nothing newer, and nothing there at all any more: that is in order.
    fs::remove_file(company.path("branch/900.csv")).unwrap();
    company.now = HOURS[0].to_owned();
    let ran = company.run_now().exits(0);
    ran.says("No newer file; the last roster is used again");

    deliver_branch(&company, broken(&all[5..]), 800);
    let loud = |ran: &Ran| ran.stdout.contains("frozen for") || ran.stderr.contains("frozen for");
    company.now = HOURS[1].to_owned();
    let ran = company.run_now().exits(4);
    assert!(!loud(&ran), "{ran:?}");
    company.now = HOURS[2].to_owned();
    let ran = company.run_now().exits(4).says("Nothing changed");
    let ran =
        ran.says("WARNING: branch has been frozen for 51 hours, since its last good delivery");
    assert!(
        ran.stderr.contains("frozen for 51 hours"),
        "the log: {}",
        ran.stderr
    );
    let events = company.events("source_failed");
    assert_eq!(events[0]["frozenHours"], 40);
    assert_eq!(events[0]["tooLong"], serde_json::Value::Null);
    assert_eq!(events[1]["frozenHours"], 51);
    assert_eq!(events[1]["tooLong"], true);
    let report = company.run(&["--run-now", "--output", "json"]).report();
    assert_eq!(report["sources"][1]["frozenHours"], 51);
    assert_eq!(report["sources"][1]["frozenTooLong"], true);

    company.edit(
        "    sources:\n",
        "    frozen_warn_hours: 60\n    sources:\n",
    );
    company.now = HOURS[3].to_owned();
    assert!(!loud(&company.run_now().exits(4)));
}

#[test]
fn an_internal_error_in_one_source_fails_that_source_alone() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    let hook = ("JOBTICKET_SYNC_TEST_PANIC", "pulling branch");
    company
        .variables
        .push((hook.0.to_owned(), hook.1.to_owned()));
    let staff = [&all[..5], &[person("00099")]].concat();
    company.deliver_people("20261121", &staff);
    let ran = company.run_now().exits(4);
    let ran = ran
        .says("internal error happened while this source was read")
        .says("Its last good roster stands in for it")
        .says("joiners: 1   leavers: 0   changed: 0");
    assert!(
        ran.stderr.contains("internal error at src"),
        "{}",
        ran.stderr
    );
    assert_eq!(jobticket.active().len(), 9);
    company.variables.pop();
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_source_that_is_refused_for_contradicting_another_does_not_make_the_other_right() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    let mut branch = all.clone();
    for person in &mut branch[..5] {
        person.last = "Anders".to_owned();
    }
    // Both files differ in five people, more than either may have.
    deliver_branch(&company, table(&branch), 800);
    let ran = company.run_now().exits(4).says("Nothing changed");
    ran.says("source headquarters: failed")
        .says("source branch: failed");
    // Five of the branch may make no sense, but not of headquarters.
    company.edit(
        "folder: branch\n",
        "folder: branch\n        invalid_rows: {percent: 25, at_least: 20}\n",
    );
    let ran = company.run_now().exits(4).says("Nothing changed");
    let ran = ran
        .says("source headquarters: failed")
        .says("source branch: new");
    ran.says("! 00001 rejected: branch, row 2")
        .says("! 00005 rejected: branch, row 6");
}

#[test]
fn a_prefix_keeps_the_people_of_two_sources_apart_who_have_the_same_numbers() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.edit(
        "folder: branch\n",
        "folder: branch\n        id_prefix: \"B-\"\n",
    );
    company.deliver_people("20261120", &people(2));
    let branch = |numbers: &[&str]| -> Vec<Person> {
        let other = |number: &&str| {
            let mut person = person(number);
            person.email = format!("branch{number}@example.com");
            person
        };
        numbers.iter().map(other).collect()
    };
    deliver_branch(&company, table(&branch(&["00001", "2"])), 900);
    company.run_now().exits(0).says("+ B-00001 joins");
    assert_eq!(jobticket.active(), ["00001", "00002", "B-00001", "B-2"]);
    // Leading zeros that one source has lost are noticed, and only there.
    deliver_branch(&company, table(&branch(&["00001", "2", "007", "7"])), 800);
    let ran = company.run_now().exits(9).says("Nothing changed");
    ran.says("! B-007 rejected").says("! B-7 rejected");
    deliver_branch(&company, table(&branch(&["1", "2"])), 700);
    let ran = company.run_now();
    ran.says("? + B-1 joins: waits in hold 1; probably the same person as B-00001");
    assert_eq!(jobticket.active().len(), 4);
}

#[test]
fn whoever_is_back_while_another_source_fails_is_counted_from_the_beginning() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    "first_push: allow, missing_days: 2".clone_into(&mut company.asks);
    let mut without = all[..5].to_vec();
    without.remove(1);
    company.deliver_people("20261121", &without);
    company.run_now().exits(0).says("00002 is missing on day 1");
    "2026-11-24T05:10:00Z".clone_into(&mut company.now);
    company.deliver_people("20261122", &all[..5]);
    deliver_branch(&company, broken(&all[5..]), 800);
    company.run_now().exits(4);
    "2026-11-25T05:05:00Z".clone_into(&mut company.now);
    company.deliver_people("20261123", &without);
    deliver_branch(&company, table(&all[5..]), 700);
    company.run_now().exits(0).says("00002 is missing on day 1");
    assert_eq!(jobticket.active().len(), 8);
}
