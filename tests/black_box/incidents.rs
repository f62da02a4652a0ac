//! What happens to real companies: codes of companies are renamed, columns withdrawn, apprentices renumbered, mailboxes handed on. Nobody loses a ticket by it.

use crate::deciding::{approved, decided, holds};
use crate::scene::{Scene, plain, tells_nothing_personal};
use crate::support::{Company, Person, people, person};

/// A company of so many people with the limits as shipped: who is missing leaves after three days.
fn shipped(count: usize) -> Scene {
    let asks = |company: &mut Company| "first_push: allow".clone_into(&mut company.asks);
    Scene::of(count, asks, plain)
}

/// So many people with the code of a company before their number.
fn coded(code: &str, count: usize) -> Vec<Person> {
    let mut staff = people(count);
    for one in &mut staff {
        one.number = format!("{code}-{}", one.number);
    }
    staff
}

/// A company whose people all have new numbers, delivered as `new`: everything waits, and the map that the hold writes makes the next run go
/// through. Where all e-mails are new besides, that is asked for itself.
#[track_caller]
fn renamed(new: &[Person], new_mails: bool) {
    let mut scene = Scene::of(
        20,
        |company| "first_push: allow".clone_into(&mut company.asks),
        |staff| plain(&coded("1000", staff.len())),
    );
    let before = scene.jobticket.active();
    scene.company.deliver_people("20261121", new);
    for _ in 0..2 {
        let ran = scene.company.run_now().exits(3);
        tells_nothing_personal(&ran);
        ran.says("HELD: nothing was pushed, and nobody is offboarded")
            .says("20 people have new numbers. Approving may end 20 tickets. Map them (hrid_map)");
    }
    assert_eq!(scene.jobticket.active(), before);
    assert_eq!(scene.jobticket.pushes().len(), 1);
    assert_eq!(holds(&scene.company).len(), 1);

    let pairs = ["holds", "show", "1", "--pairs"];
    let table = scene.company.run(&pairs).exits(0).stdout;
    assert!(table.starts_with("hrId,jobticketHrId\n2000-00001,1000-00001\n"));
    assert_eq!(table.lines().count(), 21);
    std::fs::write(scene.company.path("map.csv"), table).unwrap();
    scene.company.integration += "    hrid_map: map.csv\n";
    if new_mails {
        scene
            .company
            .run_now()
            .exits(3)
            .says("20 changed employees of 20 people");
        approved(&scene.company, "2", &[]);
        scene.company.run_now().exits(0).says("changed: 20");
    }
    scene.company.run_now().exits(0).says("Nothing changed");
    assert_eq!(scene.jobticket.active(), before);
    assert!(holds(&scene.company).is_empty());

    // Whoever is new from now on has the new code at JobTicket, too.
    let mut staff = new.to_vec();
    let mut joiner = person("00021");
    joiner.number = "2000-00021".to_owned();
    staff.push(joiner);
    scene.company.deliver_people("20261122", &staff);
    let ran = scene.company.run_now().exits(0).says("+ 2000-00021 joins");
    ran.says("joiners: 1   leavers: 0   changed: 0");
    assert_eq!(scene.jobticket.active().len(), 21);
}

#[test]
fn a_company_code_that_is_renamed_offboards_nobody_and_ends_with_a_map() {
    renamed(&coded("2000", 20), false);
}

#[test]
fn a_company_code_and_all_e_mails_that_are_renamed_offboard_nobody_and_end_with_a_map() {
    let mut staff = coded("2000", 20);
    for one in &mut staff {
        one.email = one.email.replace("example.com", "new.example");
    }
    renamed(&staff, true);
}

#[test]
fn a_column_that_is_withdrawn_for_many_waits_and_the_rest_goes_out() {
    let scene = shipped(20);
    let mut staff = people(20);
    for one in &mut staff[..8] {
        one.born.clear();
    }
    staff[10].last = "Neumann".to_owned();
    staff.push(person("00021"));
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    tells_nothing_personal(&ran);
    ran.says("? ~ 00001 dateOfBirth: waits in hold 1; dateOfBirth is now empty for many")
        .says("? ~ 00008 dateOfBirth: waits in hold 1")
        .says("joiners: 1   leavers: 0   changed: 1");
    let arrived = scene.jobticket.arrived();
    assert_eq!(arrived.len(), 21);
    let born = |one: &serde_json::Value| one["dateOfBirth"] == "1990-04-15";
    assert!(arrived.iter().all(born), "the acknowledged values stay");
    scene.company.run_now().exits(3).says("waits in hold 1");
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("changed: 8");
    let arrived = scene.jobticket.arrived();
    assert!(arrived[0]["dateOfBirth"].is_null());
    assert_eq!(scene.jobticket.active().len(), 21);
}

#[test]
fn a_value_that_few_have_lost_is_a_change_like_any_other() {
    let scene = shipped(20);
    let mut staff = people(20);
    for one in &mut staff[..2] {
        one.born.clear();
    }
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("changed: 2");
}

#[test]
fn a_required_column_that_is_withdrawn_fails_the_source() {
    for count in [15, 20] {
        let scene = shipped(20);
        let mut staff = people(20);
        for one in &mut staff[..count] {
            one.email.clear();
        }
        staff.push(person("00021"));
        scene.company.deliver_people("20261121", &staff);
        scene.fails(&["roster_20261121.csv"]);
        scene.recovers("20261122");
    }
}

#[test]
fn an_apprentice_who_is_renumbered_keeps_the_old_number_until_a_person_accepts_the_change() {
    let scene = shipped(20);
    let mut staff = people(20);
    // On the payroll from today, with another number and another address.
    staff[4].number = "70005".to_owned();
    staff[4].email = "anders@example.org".to_owned();
    staff.push(person("00021"));
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    ran.says("? - 00005 leaves (missing from every source): waits in hold 1; probably the same person as 70005")
        .says("? + 70005 joins: waits in hold 1; probably the same person as 00005")
        .says("joiners: 1   leavers: 0   changed: 0");
    let active = scene.jobticket.active();
    assert!(active.contains(&"00005".to_owned()) && !active.contains(&"70005".to_owned()));
    assert_eq!(active.len(), 21);
    let shown = scene.company.run(&["holds", "show", "1"]).exits(0);
    shown.says("70005").says("--accept-key-change");
    let approve = ["approve", "1", "--yes", "--reason", "told by HR"];
    let ran = scene.company.run(&approve).exits(2);
    ran.says("Approving may end 1 tickets. Map them");
    assert!(scene.company.events("decision").is_empty());
    scene.company.run_now().exits(3);
    assert_eq!(scene.jobticket.active(), active);

    approved(&scene.company, "1", &["--accept-key-change"]);
    scene.company.run_now().exits(0).says("- 00005 leaves");
    let active = scene.jobticket.active();
    assert!(active.contains(&"70005".to_owned()) && !active.contains(&"00005".to_owned()));
}

/// Somebody else with the mailbox of `00005`, and a new person besides.
fn successor() -> Vec<Person> {
    let mut one = person("00021");
    one.first = "Jonas".to_owned();
    one.born = "01.02.1985".to_owned();
    one.email = person("00005").email;
    vec![one, person("00022")]
}

#[test]
fn a_successor_with_the_mailbox_of_somebody_who_is_missing_waits_and_the_rest_goes_out() {
    let scene = shipped(20);
    let mut staff = people(20);
    staff.remove(4);
    staff.extend(successor());
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    ran.says("? + 00021 joins: waits").says("+ 00022 joins");
    let active = scene.jobticket.active();
    assert!(active.contains(&"00005".to_owned()) && active.contains(&"00022".to_owned()));
    assert_eq!(active.len(), 21);
    assert!(scene.company.events("push_refused").is_empty());
}

#[test]
fn a_successor_with_the_mailbox_of_somebody_who_is_kept_by_name_waits_and_the_rest_goes_out() {
    let scene = shipped(20);
    decided(&scene.company, &["keep", "00005", "--until", "2026-12-31"]);
    let mut staff = people(20);
    staff[4].end = "20.11.2026".to_owned();
    staff.extend(successor());
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    ran.says("= 00005 stays as acknowledged, by decision")
        .says("! 00021 waits: the e-mail is still that of 00005, who is kept")
        .says("+ 00022 joins");
    let active = scene.jobticket.active();
    assert!(active.contains(&"00005".to_owned()) && active.contains(&"00022".to_owned()));
    assert_eq!(active.len(), 21);
    assert!(scene.company.events("push_refused").is_empty());
}

#[test]
fn a_successor_gets_the_mailbox_of_somebody_whose_employment_has_ended() {
    let scene = shipped(20);
    let mut staff = people(20);
    staff[4].end = "20.11.2026".to_owned();
    staff.extend(successor());
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(0);
    ran.says("joiners: 2   leavers: 1   changed: 0");
    assert!(scene.jobticket.active().contains(&"00021".to_owned()));
}
