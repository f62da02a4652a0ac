//! Who belongs to the roster by date and by rule: the day after the last one ends a ticket, and nothing but a rule does.

use crate::scene::Scene;
use crate::support::{Company, JobTicket, Person, people, table};

/// In Berlin it is the next day, half an hour after midnight.
const NEXT_DAY: &str = "2026-11-23T23:30:00Z";

/// Five people, the second of whom leaves with the day `end`.
fn with_end(end: &str) -> Vec<Person> {
    let mut staff = people(5);
    staff[1].end = end.to_owned();
    staff
}

/// Five people, and a sixth who starts with the day `start`.
fn with_start(start: &str) -> Vec<Person> {
    let mut staff = people(6);
    staff[5].start = start.to_owned();
    staff
}

#[test]
fn the_last_day_of_employment_is_still_one_and_the_day_after_is_not() {
    let mut scene = Scene::new();
    scene
        .company
        .deliver_people("20261121", &with_end("23.11.2026"));
    scene
        .company
        .run_now()
        .exits(0)
        .says("~ 00002 terminationDate");
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.company.now = "2026-11-23T22:59:00Z".to_owned();
    scene.company.run_now().exits(0).says("Nothing changed");
    scene.company.now = NEXT_DAY.to_owned();
    let ran = scene.company.run_now().exits(0);
    ran.says("- 00002 leaves (employment ended 2026-11-23)");
    assert_eq!(
        scene.jobticket.active(),
        ["00001", "00003", "00004", "00005"]
    );
    scene.company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn people_stay_for_leavers_days_kept_after_their_last_day() {
    let mut scene = Scene::with(|company| {
        company.integration = "    select: {leavers_days_kept: 3}\n".to_owned();
    });
    scene
        .company
        .deliver_people("20261121", &with_end("20.11.2026"));
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 5);
    scene.company.now = NEXT_DAY.to_owned();
    scene.company.run_now().exits(0).says("- 00002 leaves");
    assert_eq!(scene.jobticket.active().len(), 4);
}

#[test]
fn a_termination_date_counts_whatever_else_is_wrong_in_its_row() {
    let scene = Scene::new();
    let mut staff = with_end("31.10.2026");
    staff[1].born = "?".to_owned();
    staff[1].email.clear();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("- 00002 leaves");
    assert_eq!(scene.jobticket.active().len(), 4);
}

#[test]
fn a_new_person_whose_employment_has_ended_is_not_sent() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &with_end("31.10.2026"));
    company.run_now().exits(0).says("joiners: 4");
    assert_eq!(jobticket.active(), ["00001", "00003", "00004", "00005"]);
}

#[test]
fn an_ended_employment_yields_to_a_current_one_of_the_same_person() {
    let scene = Scene::new();
    let mut staff = people(5);
    let mut ended = staff[1].clone();
    ended.start = "01.01.2015".to_owned();
    ended.end = "31.12.2018".to_owned();
    ended.last = "Frueher".to_owned();
    staff.insert(0, ended);
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn somebody_whose_every_employment_has_ended_leaves_on_the_latest_day() {
    let scene = Scene::new();
    let mut staff = with_end("31.10.2026");
    let mut earlier = staff[1].clone();
    earlier.end = "30.09.2026".to_owned();
    staff.push(earlier);
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(0);
    ran.says("- 00002 leaves (employment ended 2026-10-31)");
}

#[test]
fn new_people_are_taken_thirty_days_ahead_and_no_earlier() {
    let mut scene = Scene::new();
    scene
        .company
        .deliver_people("20261121", &with_start("24.12.2026"));
    let ran = scene.company.run_now().exits(0).says("Nothing changed");
    ran.says("1 people start later");
    scene.company.now = NEXT_DAY.to_owned();
    scene.company.run_now().exits(0).says("+ 00006 joins");
}

#[test]
fn starters_days_ahead_moves_that_day() {
    let scene = Scene::with(|company| {
        company.integration = "    select: {starters_days_ahead: 31}\n".to_owned();
    });
    scene
        .company
        .deliver_people("20261121", &with_start("24.12.2026"));
    scene.company.run_now().exits(0).says("+ 00006 joins");
}

#[test]
fn a_known_person_whose_start_moves_far_ahead_stays() {
    let scene = Scene::new();
    let mut staff = people(5);
    staff[1].start = "01.06.2027".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run_now().exits(0).says("~ 00002 startDate");
    assert_eq!(scene.jobticket.active().len(), 5);
}

/// A table with two more columns, company and circle of employees, for five people and others whose row says otherwise.
fn with_rules(cells: &[&str]) -> String {
    let header = ["Gesellschaft;Kreis"];
    let all = header.iter().chain(cells);
    table(&people(cells.len()))
        .lines()
        .zip(all)
        .map(|(line, more)| format!("{line};{more}\r\n"))
        .collect()
}

fn rules(company: &mut Company) {
    company.integration = "        include: [{column: Gesellschaft, in: [ACME GmbH, 4711]}]
        exclude: [{column: Kreis, in: [Werkstudent]}]
"
    .to_owned();
}

#[test]
fn only_rows_that_are_included_and_not_excluded_are_sent() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    rules(&mut company);
    let content = with_rules(&[
        "ACME GmbH;Angestellte",
        "ACME Logistik GmbH;Angestellte",
        "ACME GmbH;Werkstudent",
        "4711;",
        " ACME GmbH ;Azubi",
    ]);
    company.deliver("roster_20261120.csv", content);
    let ran = company.run_now().exits(0).says("joiners: 3");
    ran.says("5 rows, 3 selected");
    assert_eq!(jobticket.active(), ["00001", "00004", "00005"]);
}

#[test]
fn what_is_not_selected_is_not_judged() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    rules(&mut company);
    let content = with_rules(&["ACME GmbH;", "Andere;", "ACME GmbH;Werkstudent"])
        .replace("00002;", ";")
        .replace("person00003@example.com;15.04.1990", "?;?");
    company.deliver("roster_20261120.csv", content);
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(jobticket.active(), ["00001"]);
}

#[test]
fn somebody_who_is_excluded_leaves_with_the_rule_as_reason() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    rules(&mut company);
    let mut cells = ["ACME GmbH;"; 5];
    company.deliver("roster_20261120.csv", with_rules(&cells));
    company.run_now().exits(0);
    cells[1] = "ACME GmbH;Werkstudent";
    cells[2] = "Andere;";
    company.deliver("roster_20261121.csv", with_rules(&cells));
    let ran = company.run_now().exits(0).says("leavers: 2");
    ran.says("- 00002 leaves (")
        .says("Kreis")
        .says("- 00003 leaves (no longer matches the rule on Gesellschaft)");
    assert_eq!(jobticket.active(), ["00001", "00004", "00005"]);
}

#[test]
fn a_rule_matches_however_the_export_writes_an_umlaut() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = "        include: [{column: Standort, in: [Köln am Rhein]}]\n".to_owned();
    let table = |place: &str| {
        table(&people(4))
            .replace("Austritt\r\n", "Austritt;Standort\r\n")
            .replace("31.12.9999\r\n", &format!("31.12.9999;{place}\r\n"))
    };
    company.deliver("roster_20261120.csv", table("Köln am Rhein"));
    company.run_now().exits(0).says("joiners: 4");
    company.deliver("roster_20261121.csv", table("Ko\u{308}ln\u{a0}am Rhein"));
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn an_end_of_long_ago_does_not_explain_itself() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    let mut staff = people(10);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    // The column holds something else now, such as an earlier employment.
    for person in &mut staff[..4] {
        person.start = "01.01.1998".to_owned();
        person.end = "30.06.2001".to_owned();
    }
    company.deliver_people("20261121", &staff);
    company
        .run_now()
        .exits(3)
        .says("- 00004 leaves (employment ended 2001-06-30): waits in hold 1; more unexplained leavers than the limits let through");
    assert_eq!(jobticket.active().len(), 10);
}

#[test]
fn an_open_end_with_two_digits_of_the_year_ends_nothing() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.edit(
        "terminationDate: {from: Austritt, format: TT.MM.JJJJ}",
        "terminationDate: {from: Austritt, format: TT.MM.JJ}",
    );
    company.deliver(
        "roster_20261120.csv",
        table(&people(3)).replace("31.12.9999", "31.12.99"),
    );
    company.run_now().exits(0).says("joiners: 3");
}

#[test]
fn a_known_person_whose_rule_cell_is_empty_stays_and_the_case_of_a_cell_counts_for_nothing() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    rules(&mut company);
    let mut cells = ["ACME GmbH;"; 5];
    company.deliver("roster_20261120.csv", with_rules(&cells));
    company.run_now().exits(0);
    cells[1] = ";";
    cells[2] = "acme GMBH;";
    company.deliver("roster_20261121.csv", with_rules(&cells));
    company
        .run_now()
        .exits(9)
        .says("Nothing changed")
        .says("! 00002 rejected")
        .says("the column Gesellschaft, which an include rule compares, is empty");
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn of_several_rows_the_one_with_an_empty_rule_cell_keeps_the_person_unless_it_has_ended() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    rules(&mut company);
    company.deliver("roster_20261120.csv", with_rules(&["ACME GmbH;"; 5]));
    company.run_now().exits(0);
    let text = with_rules(&["ACME GmbH;", ";", "ACME GmbH;", ";", "ACME GmbH;"]);
    let row = |number: &str| {
        text.lines()
            .find(|line| line.starts_with(number))
            .unwrap()
            .to_owned()
    };
    // 00002 also has a row of another company; the row of 00004 says that the employment has ended.
    let other = row("00002").replace("31.12.9999;", "31.12.9999;Andere");
    let ended = row("00004").replace("31.12.9999", "31.10.2026");
    let text = text.replace(&row("00004"), &ended) + &other + "\r\n";
    company.deliver("roster_20261121.csv", text);
    company
        .run_now()
        .exits(9)
        .says("! 00002 rejected")
        .says("- 00004 leaves (employment ended 2026-10-31)");
    assert_eq!(jobticket.active(), ["00001", "00002", "00003", "00005"]);
}

#[test]
fn a_new_number_whose_row_makes_no_sense_offboards_nobody_either() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    staff[1].number = "2".to_owned();
    staff[1].born = "1990-04-15".to_owned();
    company.deliver_people("20261121", &staff);
    company.run_now().exits(9).says("Nothing changed");
    assert_eq!(jobticket.active().len(), 5);
}
