//! JobTicket refuses single records of a roster (422): the rest goes out, known people keep what JobTicket has, and nobody is dropped unless a person said so.

use serde_json::{Value, json};

use crate::api_support::{sync_ids, tried};
use crate::deciding::{AT_ONCE, acknowledged, approved, decided, holds, limited};
use crate::scene::{Scene, plain, tells_nothing_personal};
use crate::support::{Company, JobTicket, Person, people, person};

/// The fault that refuses the record at this place of a push.
fn refuses(place: usize) -> Value {
    let body = format!(r#"{{"errors":{{"employees.{place}.email":["is refused"]}}}}"#);
    json!({ "status": { "code": 422, "body": body } })
}

/// The fault that refuses this person's record in every push that has it.
fn never_takes(hr_id: &str) -> Value {
    json!({ "spoil_record": { "hr_id": hr_id } })
}

/// How many people each push had, processed or not.
fn counts(jobticket: &JobTicket) -> Vec<u64> {
    let tried = tried(jobticket);
    let counts = tried.iter().map(|push| push["count"].as_u64().unwrap());
    counts.collect()
}

/// The numbers of the last push that was processed.
fn numbers(jobticket: &JobTicket) -> Vec<String> {
    let arrived = jobticket.arrived();
    let numbers = arrived.iter().map(|one| one["hrId"].as_str().unwrap());
    numbers.map(str::to_owned).collect()
}

/// The last audit line of this event.
fn last(company: &Company, event: &str) -> Value {
    company.events(event).pop().unwrap()
}

/// Five people, of whom one has a new name, and a new one.
fn changed_and_joined() -> Vec<Person> {
    let mut staff = people(6);
    staff[1].last = "Neumann".to_owned();
    staff
}

#[test]
fn a_refused_new_person_is_left_out_and_the_rest_goes_out_under_a_new_sync_id() {
    let scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(7));
    scene.jobticket.fail_pushes(1, &refuses(5));
    let ran = scene.company.run_now().exits(9);
    tells_nothing_personal(&ran);
    ran.says("! 00006: JobTicket refused the record; it did not go out, and the rest did")
        .says("joiners: 1   leavers: 0   changed: 0");
    let ids = sync_ids(&scene.jobticket);
    assert_eq!(ids.len(), 3, "the first push, the refused and the amended");
    assert_eq!(ids[2], format!("{}-1", ids[1]));
    assert_eq!(counts(&scene.jobticket), [5, 7, 6]);
    assert_eq!(
        scene.jobticket.active(),
        ["00001", "00002", "00003", "00004", "00005", "00007"]
    );
    let refused = last(&scene.company, "push_refused");
    assert_eq!(
        (&refused["syncId"], &refused["hrIds"]),
        (&ids[1].as_str().into(), &json!(["00006"]))
    );
    let amended = last(&scene.company, "push_amended");
    assert_eq!(amended["leftOut"], json!(["00006"]));
    assert_eq!(amended["carriedForward"], json!([]));
    assert_eq!(last(&scene.company, "push_acknowledged")["syncId"], ids[2]);
    // The record is tried again by the next run.
    scene.company.run_now().exits(0).says("+ 00006 joins");
    assert_eq!(scene.jobticket.active().len(), 7);
}

#[test]
fn a_refused_change_of_a_known_person_goes_out_with_the_acknowledged_values() {
    let scene = acknowledged(5);
    scene
        .company
        .deliver_people("20261121", &changed_and_joined());
    scene.jobticket.fail_pushes(1, &refuses(1));
    scene
        .company
        .run_now()
        .exits(9)
        .says("! 00002: JobTicket refused the record")
        .says("joiners: 1   leavers: 0   changed: 0");
    let arrived = scene.jobticket.arrived();
    assert_eq!(arrived[1]["lastName"], "Beispiel00002");
    assert_eq!(scene.jobticket.active().len(), 6);
    let amended = last(&scene.company, "push_amended");
    assert_eq!(amended["carriedForward"], json!(["00002"]));
    assert_eq!(amended["leftOut"], json!([]));
    scene.company.run_now().exits(0).says("~ 00002 lastName");
    assert_eq!(scene.jobticket.arrived()[1]["lastName"], "Neumann");
}

#[test]
fn a_roster_is_amended_twice_and_then_the_run_stops() {
    let scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(9));
    // Without the record before, the next new person stands in the same place.
    scene.jobticket.fail_pushes(3, &refuses(5));
    scene.company.run_now().exits(5).says("REFUSED");
    assert_eq!(counts(&scene.jobticket), [5, 9, 8, 7]);
    assert_eq!(sync_ids(&scene.jobticket).len(), 4);
    assert_eq!(scene.jobticket.active().len(), 5);
    let named: Vec<Value> = scene
        .company
        .events("push_refused")
        .iter()
        .map(|line| line["hrIds"].clone())
        .collect();
    assert_eq!(
        named,
        [json!(["00006"]), json!(["00007"]), json!(["00008"])]
    );
    assert_eq!(scene.company.events("push_amended").len(), 2);
    scene.company.run_now().exits(0).says("joiners: 4");
    assert_eq!(scene.jobticket.active().len(), 9);
}

#[test]
fn where_a_refusal_is_to_stop_everything_nothing_more_is_sent() {
    let stop = format!("{AT_ONCE}    on_rejected_rows: stop\n");
    let scene = limited(5, &stop);
    scene.company.deliver_people("20261121", &people(7));
    scene.jobticket.fail_pushes(1, &refuses(5));
    let ran = scene.company.run_now().exits(5);
    ran.says("00006 email. Correct these in the HR system");
    assert_eq!(counts(&scene.jobticket), [5, 7]);
    assert_eq!(scene.jobticket.active().len(), 5);
    assert!(scene.company.events("push_amended").is_empty());
}

#[test]
fn a_refusal_that_names_no_record_stops_the_run() {
    let scene = acknowledged(5);
    for (tries, body) in [
        (2, r#"{"message":"Unprocessable Content"}"#),
        (3, r#"{"errors":{"employees":["too many"]}}"#),
        (4, r#"{"errors":{"employees.70.email":["is refused"]}}"#),
        (5, "not even JSON"),
    ] {
        scene.company.deliver_people("20261121", &people(6));
        let fault = json!({ "status": { "code": 422, "body": body } });
        scene.jobticket.fail_pushes(1, &fault);
        scene.company.run_now().exits(5).says("REFUSED");
        assert_eq!(tried(&scene.jobticket).len(), tries, "{body}");
    }
    assert_eq!(scene.jobticket.active().len(), 5);
    assert!(scene.company.events("push_amended").is_empty());
}

#[test]
fn whom_jobticket_refuses_as_acknowledged_stays_in_until_a_person_decides() {
    let scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(6));
    scene.jobticket.fail_pushes(1000, &never_takes("00003"));
    let ran = scene.company.run_now().exits(5);
    ran.says("? - 00003 leaves (JobTicket refuses their values): waits in hold 1")
        .says("JobTicket refuses even the acknowledged values");
    // Nobody decides: the same again, in the same hold.
    scene.company.run_now().exits(5).says("waits in hold 1");
    assert_eq!(counts(&scene.jobticket), [5, 6, 6]);
    assert_eq!(scene.jobticket.active().len(), 5);
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!(hold["kind"], "refused by JobTicket");
    assert_eq!(hold["waiting"], 1);

    approved(&scene.company, "1", &[]);
    scene
        .company
        .run_now()
        .exits(0)
        .says("- 00003 leaves")
        .says("+ 00006 joins");
    assert_eq!(
        numbers(&scene.jobticket),
        ["00001", "00002", "00004", "00005", "00006"]
    );
    let intent = last(&scene.company, "push_intent");
    assert_eq!(intent["approvedByHolds"], json!([1]));
}

#[test]
fn whom_jobticket_refuses_as_acknowledged_stays_in_where_a_person_says_no() {
    let scene = acknowledged(5);
    scene.company.deliver_people("20261121", &people(6));
    scene.jobticket.fail_pushes(1000, &never_takes("00003"));
    scene.company.run_now().exits(5);
    decided(&scene.company, &["reject", "1"]);
    scene.company.run_now().exits(5);
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.jobticket.clear_faults();
    scene.company.run_now().exits(0).says("+ 00006 joins");
    assert_eq!(scene.jobticket.active().len(), 6);
    assert!(holds(&scene.company).is_empty());
}

#[test]
fn a_change_that_is_refused_twice_asks_about_the_acknowledged_values() {
    let scene = acknowledged(5);
    scene
        .company
        .deliver_people("20261121", &changed_and_joined());
    scene.jobticket.fail_pushes(1000, &never_takes("00002"));
    let ran = scene.company.run_now().exits(5);
    ran.says("? - 00002 leaves").says("waits in hold 1");
    assert_eq!(counts(&scene.jobticket), [5, 6, 6]);
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn where_jobticket_takes_the_other_records_of_a_refused_roster_the_amended_one_follows() {
    let jobticket = JobTicket::behaving(r#"{"refusal":"named_records"}"#);
    let mut company = Company::at(&jobticket);
    company.integration = AT_ONCE.to_owned();
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    let mut staff = changed_and_joined();
    staff.remove(4);
    company.deliver_people("20261121", &staff);
    jobticket.fail_pushes(1, &never_takes("00002"));
    company.run_now().exits(9).says("- 00005 leaves");
    assert_eq!(
        numbers(&jobticket),
        ["00001", "00002", "00003", "00004", "00006"]
    );
    assert_eq!(jobticket.arrived()[1]["lastName"], "Beispiel00002");
    assert_eq!(jobticket.active(), numbers(&jobticket));
}

#[test]
fn whose_new_number_is_refused_keeps_the_old_one_although_the_change_was_approved() {
    let scene = acknowledged(10);
    let mut staff = people(10);
    staff[0].number = "E-00001".to_owned();
    staff.push(person("00011"));
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(3);
    approved(&scene.company, "1", &["--accept-key-change"]);
    scene.jobticket.fail_pushes(1000, &never_takes("E-00001"));
    let ran = scene.company.run_now().exits(9);
    ran.says("! E-00001: JobTicket refused the record");
    let expected: Vec<String> = (1..=11).map(|number| format!("{number:05}")).collect();
    assert_eq!(scene.jobticket.active(), expected);
    let amended = last(&scene.company, "push_amended");
    assert_eq!(amended["leftOut"], json!(["E-00001"]));
    assert_eq!(amended["carriedForward"], json!(["00001"]));
    // Once JobTicket takes it, the approved change is made.
    scene.jobticket.clear_faults();
    scene.company.run_now().exits(0);
    assert!(!scene.jobticket.active().contains(&"00001".to_owned()));
    assert!(scene.jobticket.active().contains(&"E-00001".to_owned()));
}

#[test]
fn an_amended_roster_of_nobody_is_not_pushed() {
    let scene = Scene::of(1, |_| {}, plain);
    let mut gone = person("00001");
    "20.11.2026".clone_into(&mut gone.end);
    let staff = [gone, person("00002")];
    scene.company.deliver_people("20261121", &staff);
    scene.jobticket.fail_pushes(1, &refuses(0));
    scene.company.run_now().exits(5).says("REFUSED");
    assert_eq!(counts(&scene.jobticket), [1, 1]);
    assert_eq!(scene.jobticket.active(), ["00001"]);
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active(), ["00002"]);
}
