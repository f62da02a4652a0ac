//! Holds: what is shown of them, first contact, another host, and people with new numbers.

use serde_json::json;

use crate::deciding::{
    AT_ONCE, acknowledged, approved, as_json, decided, holds, seed, without_last,
};
use crate::scene::tells_nothing_personal;
use crate::support::{Company, JobTicket, people};

#[test]
fn a_hold_shows_everyone_in_it_with_the_commands_to_go_on_with() {
    let scene = acknowledged(20);
    scene
        .company
        .run(&["holds"])
        .exits(0)
        .says("Nobody waits for a decision");
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let ran = scene.company.run(&["holds"]).exits(0);
    ran.says("acme  leavers  people  since 2026-11-23 05:15 UTC  open: 3 wait, 3 of the leavers with an active ticket");
    let ran = scene.company.run(&["holds", "show", "1"]).exits(0);
    tells_nothing_personal(&ran);
    let ran = ran
        .says("3 unexplained leavers of 20 people (15.0 %), limits.leavers lets 2 through")
        .says("- 00018 leaves (missing from every source): waits; more unexplained leavers than the limits let through; has an active ticket")
        .says("linked at JobTicket when the hold was opened: 20");
    let config = scene.company.path("config.yaml");
    for command in [
        "approve 1 --reason TEXT",
        "reject 1 --reason TEXT",
        "keep HRID --until",
    ] {
        let whole = format!("jobticket-sync --config {} {command}", config.display());
        assert!(ran.stdout.contains(&whole), "{}", ran.stdout);
    }
    decided(
        &scene.company,
        &["reject", "1", "--on-behalf-of", "the head of HR"],
    );
    let ran = scene.company.run(&["holds", "show", "1"]).exits(0);
    ran.says("on behalf of the head of HR, 3 people: told by HR")
        .says("holds reopen 1 --reason TEXT");
}

#[test]
fn a_hold_as_json_has_the_same_facts() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!(hold["kind"], "leavers");
    assert_eq!(
        (&hold["waiting"], &hold["activeTickets"]),
        (&3.into(), &3.into())
    );
    let shown = as_json(&scene.company, &["holds", "show", "1"]);
    let person = &shown["hold"]["people"][0];
    assert_eq!(
        (&person["hrId"], &person["reason"]),
        (&"00018".into(), &"missing".into())
    );
    assert_eq!(person["active"], true);
    assert_eq!(shown["exitCode"], 0);
    let error = as_json(&scene.company, &["holds", "show", "7"]);
    assert_eq!(error["exitCode"], 2);
    scene.company.deliver_people("20261122", &people(20));
    scene.company.run_now().exits(0);
    assert!(holds(&scene.company).is_empty());
    let all = as_json(&scene.company, &["holds", "--all"]);
    assert_eq!(all["holds"][0]["state"], "over");
}

/// A company that asks before its first push.
fn newcomer(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.asks.clear();
    company.integration = "    limits: {missing_days: 1}\n".to_owned();
    company
}

#[test]
fn first_contact_shows_who_is_linked_who_is_not_in_the_roster_and_who_has_no_link() {
    let jobticket = JobTicket::start();
    seed(&jobticket, "person00001@example.com", Some("00001"));
    seed(&jobticket, "gone@example.com", Some("00777"));
    seed(&jobticket, "PERSON00002@example.com", None);
    let company = newcomer(&jobticket);
    company.deliver_people("20261120", &people(5));
    company
        .run_now()
        .exits(3)
        .says("First contact")
        .says("2 people are linked there now");
    let ran = company.run(&["holds", "show", "1"]).exits(0);
    tells_nothing_personal(&ran);
    ran.says("first contact, the whole plan")
        .says("- 00777 leaves")
        .says("linked at JobTicket when the hold was opened: 2")
        .says("of them not in the roster: 1")
        .says("cost of the joiners, by JobTicket's notice: 4.00 EUR")
        .says("whether a push touches those is unknown: 00002");
    assert!(jobticket.pushes().is_empty());
    let ran = approved(&company, "1", &["--except", "00777"]);
    ran.says("4 join").says("This covers exactly the plan");
    company.run_now().exits(3).says("joiners: 4   leavers: 0");
    assert!(jobticket.active().contains(&"00777".to_owned()));
    // Whoever was excepted waits by name.
    let ran = company.run(&["holds", "show", "2"]).exits(0);
    ran.says("excepted when the plan was approved");
    approved(&company, "2", &[]);
    company.run_now().exits(0).says("- 00777 leaves");
}

#[test]
fn an_approval_of_a_whole_plan_covers_exactly_that_plan() {
    let jobticket = JobTicket::start();
    let company = newcomer(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(3);
    approved(&company, "1", &[]);
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(3).says("HELD").says("holds show 2");
    assert!(jobticket.pushes().is_empty());
    company
        .run(&["approve", "1", "--yes", "--reason", "x"])
        .exits(2)
        .says("Hold 1 is over");
    approved(&company, "2", &[]);
    company.run_now().exits(0).says("joiners: 6");
    company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&company).is_empty());
}

#[test]
fn whoever_is_kept_by_name_stays_although_the_whole_plan_is_approved() {
    let jobticket = JobTicket::start();
    seed(&jobticket, "gone@example.com", Some("00777"));
    let company = newcomer(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(3);
    decided(&company, &["keep", "00777", "--until", "2026-12-01"]);
    approved(&company, "1", &[]).says("00777 until 2026-12-01");
    let ran = company.run_now().exits(0).says("joiners: 5   leavers: 0");
    ran.says("= 00777 stays as acknowledged, by decision");
    assert!(jobticket.active().contains(&"00777".to_owned()));
}

#[test]
fn a_rejected_plan_is_held_as_long_as_it_is_the_same() {
    let jobticket = JobTicket::start();
    let company = newcomer(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(3);
    decided(&company, &["reject", "1"]);
    company.run_now().exits(3);
    assert!(jobticket.pushes().is_empty());
    decided(&company, &["holds", "reopen", "1"]);
    approved(&company, "1", &[]);
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn a_sync_of_another_host_holds_everything_until_it_is_adopted() {
    let jobticket = JobTicket::start();
    let mut first = Company::at(&jobticket);
    let mut second = Company::at(&jobticket);
    first.integration = AT_ONCE.to_owned();
    second.integration = AT_ONCE.to_owned();
    first.deliver_people("20261120", &people(20));
    second.deliver_people("20261120", &people(21));
    first.run_now().exits(0);
    // Something is approved there before anybody knows of the second host.
    first.deliver_people("20261121", &without_last(20, 3));
    first.run_now().exits(3);
    approved(&first, "1", &[]);

    second
        .run_now()
        .exits(3)
        .says("is none of this installation")
        .says("adopt acme --reason TEXT`");
    second
        .run(&["approve", "1", "--yes", "--reason", "x"])
        .exits(2)
        .says("cannot be approved")
        .says("adopt acme");
    let adopt = ["adopt", "acme", "--reason", "the new server"];
    second
        .run(&adopt)
        .exits(2)
        .says("linked there: 20; of them in our snapshot: 0 of 0")
        .says("give --yes");
    second
        .run(&["adopt", "other", "--yes", "--reason", "x"])
        .exits(2)
        .says("There is no integration other");
    second
        .run(&[&adopt[..], &["--yes"]].concat())
        .exits(0)
        .says("Adopted");
    second.run_now().exits(0).says("joiners: 1   leavers: 0");
    second.run(&adopt).exits(0).says("nothing to adopt");

    // Now it is the first that must not write, whatever was approved.
    first
        .run_now()
        .exits(3)
        .says("is none of this installation");
    assert_eq!(jobticket.active().len(), 21);
    first.run(&[&adopt[..], &["--yes"]].concat()).exits(0);
    first.run_now().exits(3);
    assert_eq!(
        jobticket.active().len(),
        21,
        "an approval of before holds no longer"
    );
    let told = second.events("decision").pop().unwrap();
    assert_eq!(told["decision"], "adopt");
    assert_eq!(told["syncIds"], json!([jobticket.pushes()[0]["syncId"]]));
}

#[test]
fn an_adoption_voids_approvals_that_no_run_has_voided() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = AT_ONCE.to_owned();
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &without_last(20, 3));
    company.run_now().exits(3);
    let mut other = Company::at(&jobticket);
    other.integration = AT_ONCE.to_owned();
    other.deliver_people("20261120", &people(20));
    decided(&other, &["adopt", "acme", "--yes"]);
    other.run_now().exits(0);
    approved(&company, "1", &[]);
    decided(&company, &["adopt", "acme", "--yes"]);
    company.run_now().exits(3).says("waits in hold 1");
    assert_eq!(jobticket.active().len(), 20);
}

#[test]
fn staging_turned_into_production_is_a_first_contact() {
    let staging = JobTicket::start();
    let production = JobTicket::start();
    seed(&production, "gone@example.com", Some("00777"));
    let mut company = newcomer(&staging);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(3);
    approved(&company, "1", &[]);
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(6));
    company.jobticket = company.jobticket.replace(&staging.url, &production.url);
    let ran = company.run_now().exits(3);
    ran.says("First contact").says("joiners: 6   leavers: 1");
    assert!(production.pushes().is_empty());
    let [hold] = &holds(&company)[..] else {
        panic!("one hold, of this address")
    };
    assert_eq!(hold["kind"], "first contact");
}

#[test]
fn a_hold_of_an_address_that_is_not_configured_any_more_is_not_decided() {
    let staging = JobTicket::start();
    let production = JobTicket::start();
    let mut company = newcomer(&staging);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(3);
    company.jobticket = company.jobticket.replace(&staging.url, &production.url);
    for verb in ["approve", "reject"] {
        let yes: &[&str] = if verb == "approve" { &["--yes"] } else { &[] };
        let ran = company.run(&[&[verb, "1", "--reason", "x"], yes].concat());
        ran.exits(2)
            .says("no integration of the configuration has that address");
    }
    assert!(company.events("decision").is_empty());
}

#[test]
fn a_few_people_with_new_numbers_wait_and_need_a_word_of_their_own() {
    let scene = acknowledged(20);
    let mut staff = people(20);
    staff[0].number = "E-00001".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene
        .company
        .run_now()
        .exits(3)
        .says("probably the same person as E-00001");
    assert_eq!(scene.jobticket.active().len(), 20);
    let table = scene
        .company
        .run(&["holds", "show", "1", "--pairs"])
        .exits(0);
    assert_eq!(table.stdout, "hrId,jobticketHrId\nE-00001,00001\n");
    let ran = scene
        .company
        .run(&["approve", "1", "--yes", "--reason", "x"])
        .exits(2);
    ran.says("1 people have new numbers. Approving may end 1 tickets. Map them");
    // One number of the two without the other makes no sense.
    let except = [
        "approve", "1", "--yes", "--reason", "x", "--except", "E-00001",
    ];
    scene.company.run(&except).exits(2).says("approves nobody");
    approved(&scene.company, "1", &["--accept-key-change"]);
    let decision = scene.company.events("decision").pop().unwrap();
    assert_eq!(decision["keyChange"], true);
    scene
        .company
        .run_now()
        .exits(0)
        .says("joiners: 1   leavers: 1");
    assert!(scene.jobticket.active().contains(&"E-00001".to_owned()));
}

#[test]
fn many_people_with_new_numbers_hold_the_whole_plan() {
    let scene = acknowledged(20);
    let mut staff = people(20);
    for one in &mut staff {
        one.number = format!("E-{}", one.number);
    }
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3).says("HELD");
    ran.says("20 people have new numbers. Approving may end 20 tickets. Map them");
    assert_eq!(scene.jobticket.active().len(), 20);
    let table = scene
        .company
        .run(&["holds", "show", "1", "--pairs"])
        .exits(0);
    assert_eq!(table.stdout.lines().count(), 21);
    assert!(table.stdout.ends_with("E-00020,00020\n"));
    let ran = scene
        .company
        .run(&["approve", "1", "--yes", "--reason", "x"])
        .exits(2);
    ran.says("Approving may end 20 tickets");
    let ran = scene.company.run(&["holds", "show", "1"]).exits(0);
    ran.says("--pairs > map.csv")
        .says("approve 1 --accept-key-change");
}

#[test]
fn the_pairs_of_a_hold_are_the_map_that_ends_it() {
    let mut scene = acknowledged(20);
    let mut staff = people(20);
    for (letter, held) in [("E", "1"), ("F", "2")] {
        for one in &mut staff {
            one.number = format!("{letter}-{}", &one.number[one.number.len() - 5..]);
        }
        // Of the second change a few keep the number of the first.
        if letter == "F" {
            staff[0].number = "E-00001".to_owned();
        }
        let day = if held == "1" { "20261121" } else { "20261122" };
        scene.company.deliver_people(day, &staff);
        scene.company.run_now().exits(3).says("HELD");
        let pairs = ["holds", "show", held, "--pairs"];
        let table = scene.company.run(&pairs).exits(0).stdout;
        assert_eq!(table.lines().count(), 21, "{table}");
        std::fs::write(scene.company.path("map.csv"), table).unwrap();
        scene.company.integration = format!("{AT_ONCE}    hrid_map: map.csv\n");
        scene.company.run_now().exits(0).says("Nothing changed");
        assert!(holds(&scene.company).is_empty());
    }
    assert_eq!(scene.jobticket.pushes().len(), 1);
    let ran = scene.company.run(&["explain", "00002"]).exits(0);
    ran.says("roster_20261122.csv of").says("row 3: hrId 00002");
}

#[test]
fn a_hold_about_nobody_with_a_new_number_has_no_pairs() {
    let scene = acknowledged(20);
    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    scene.company.run_now().exits(3);
    let ran = scene.company.run(&["holds", "show", "1", "--pairs"]);
    ran.exits(2).says("nobody with a new number");
}
