//! A changed configuration removes nobody: whoever other rules, or a source that is not there any more, would remove waits for a person. And invented people in place of
//! the real ones.

use crate::deciding::{acknowledged, approved, holds};
use crate::scene::{Scene, tells_nothing_personal};
use crate::support::{Company, JobTicket, people, person};
use crate::two_sources::both;

const WAITS: &str = "the selection rules have changed since this person was acknowledged";

/// A run after a rule was changed: so many people wait, nobody leaves, and a new one joins.
#[track_caller]
fn waits(scene: &Scene, waiting: &[&str]) {
    let mut staff = people(20);
    staff.push(person("00021"));
    scene.company.deliver_people("20261121", &staff);
    for joiners in [1, 0] {
        let ran = scene.company.run_now().exits(3);
        tells_nothing_personal(&ran);
        let mut ran = ran.says(&format!("joiners: {joiners}   leavers: 0   changed: 0"));
        for hr_id in waiting {
            ran = ran.says(&format!("? - {hr_id} leaves")).says(WAITS);
        }
    }
    assert_eq!(scene.jobticket.active().len(), 21);
    let [hold] = &holds(&scene.company)[..] else {
        panic!("one hold")
    };
    assert_eq!(hold["kind"], "changed rules");
    assert_eq!(hold["waiting"], waiting.len());
}

#[test]
fn whom_a_new_include_rule_leaves_out_waits_however_few_and_leaves_once_approved() {
    let mut scene = acknowledged(20);
    let names: Vec<String> = (2..=21)
        .map(|number| format!("Beispiel{number:05}"))
        .collect();
    let rule = format!(
        "include: [{{column: Nachname, in: [{}]}}]",
        names.join(", ")
    );
    scene.company.source += &format!("        {rule}\n");
    waits(&scene, &["00001"]);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("- 00001 leaves");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn whom_a_new_exclude_rule_names_waits_although_that_explains_it_and_stays_once_it_is_taken_back() {
    let mut scene = acknowledged(20);
    let rule = "        exclude: [{column: Nachname, in: [Beispiel00001, Beispiel00002]}]\n";
    scene.company.source += rule;
    waits(&scene, &["00001", "00002"]);
    scene.company.source = scene.company.source.replace(rule, "");
    scene.company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&scene.company).is_empty());
    assert_eq!(scene.jobticket.active().len(), 21);
}

#[test]
fn a_rule_that_removes_most_people_holds_everything() {
    let mut scene = acknowledged(20);
    scene.company.source += "        include: [{column: Nachname, in: [Beispiel00001]}]\n";
    scene.company.deliver_people("20261121", &people(21));
    let ran = scene.company.run_now().exits(3).says("HELD");
    ran.says("19 leavers of 20 people (95.0 %), limits.keep_percent lets 5 through");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn people_who_start_to_match_other_rules_leave_by_those_rules_later() {
    let mut scene = acknowledged(20);
    scene.company.source += "        exclude: [{column: Vorname, in: [Extern]}]\n";
    // Nobody is removed by the new rule, so from now on everybody is known under it.
    scene.company.run_now().exits(0).says("Nothing changed");
    let mut staff = people(20);
    staff[0].first = "Extern".to_owned();
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(0);
    ran.says("- 00001 leaves (excluded by the rule on Vorname)");
    assert_eq!(scene.jobticket.active().len(), 19);
}

#[test]
fn the_people_of_a_source_that_is_taken_out_of_the_configuration_wait_and_the_rest_goes_out() {
    let jobticket = JobTicket::start();
    let (mut company, all) = both(&jobticket);
    let branch = std::mem::take(&mut company.integration);
    company.deliver_people("20261121", &[&all[..5], &[person("00099")]].concat());
    let ran = company.run_now().exits(3);
    ran.says("? - 00006 leaves")
        .says("? - 00008 leaves")
        .says("the source was removed from the configuration")
        .says("joiners: 1   leavers: 0   changed: 0");
    assert_eq!(jobticket.active().len(), 9);
    let ran = company.run_now().exits(3).says("Nothing else changed");
    ran.says("? - 00006 leaves").says("waits in hold 1");
    // It comes back, and is taken out for good.
    company.integration = branch;
    company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&company).is_empty());
    company.integration.clear();
    company.run_now().exits(3);
    assert_eq!(jobticket.active().len(), 9);
    approved(&company, "2", &[]);
    company.run_now().exits(0).says("leavers: 3");
    assert_eq!(jobticket.active().len(), 6);
}

#[test]
fn invented_people_go_out_in_place_of_the_real_ones_under_their_numbers() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.jobticket += "      pseudonyms: true\n";
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
    let arrived = jobticket.arrived();
    let text = serde_json::to_string(&arrived).unwrap();
    for real in ["Änne", "Beispiel", "person0", "1990-04-15", "2022-03-01"] {
        assert!(!text.contains(real), "{real} went out: {text}");
    }
    let expected = ["00001", "00002", "00003", "00004", "00005"];
    assert_eq!(jobticket.active(), expected);
    let mails: std::collections::BTreeSet<&str> = arrived
        .iter()
        .map(|one| one["email"].as_str().unwrap())
        .collect();
    assert_eq!(mails.len(), 5);
    company.run_now().exits(0).says("Nothing changed");
    // Values of real people change nothing; who leaves, leaves.
    let mut staff = people(5);
    staff[0].last = "Neumann".to_owned();
    staff[1].end = "20.11.2026".to_owned();
    company.deliver_people("20261121", &staff);
    let ran = company.run_now().exits(0).says("- 00002 leaves");
    ran.says("joiners: 0   leavers: 1   changed: 0");
}

#[test]
fn invented_people_never_go_to_production() {
    let mut company = Company::new();
    for place in [
        "environment: production",
        "base_url: https://jobticket.example.com",
    ] {
        company.jobticket = format!(
            "      {place}\n      integration_id: 7\n      api_key_id: {{env: ID}}\n      api_key_secret: {{env: SECRET}}\n      pseudonyms: true\n"
        );
        company.source = "        max_age_hours: 48\n".to_owned();
        company.deliver_people("20261120", &people(5));
        let ran = company.run_now().exits(2);
        ran.says("Invented people are for environment: staging or sandbox only");
    }
}
