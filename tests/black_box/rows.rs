//! Rows that make no sense: whoever JobTicket knows keeps the acknowledged values, whoever is new waits, and nobody leaves.

use serde_json::Value;

use crate::good_files::sent;
use crate::scene::{Scene, tells_nothing_personal};
use crate::support::{Person, Ran, people, person, table};

/// Delivers the five people, changed, and a sixth, who shows that the push goes out. All rejected rows are told, and every known person keeps the
/// acknowledged values.
#[track_caller]
fn rejects(change: impl FnOnce(&mut Vec<Person>), rejected: &[&str]) {
    let scene = Scene::with(|company| {
        company.source += "        invalid_rows: {percent: 0, at_least: 4}\n";
    });
    let mut staff = people(5);
    change(&mut staff);
    staff.push(person("00099"));
    scene.company.deliver_people("20261121", &staff);
    let mut ran = scene.company.run_now().exits(9);
    for line in rejected {
        ran = ran.says(line);
    }
    let count = ran.stdout.matches(" rejected: headquarters, row ").count();
    assert_eq!(count, rejected.len(), "{}", ran.stdout);
    tells_nothing_personal(&ran);
    assert_eq!(scene.company.events("row_rejected").len(), rejected.len());
    let mut expected: Vec<Value> = people(5).iter().map(sent).collect();
    expected.push(sent(&person("00099")));
    assert_eq!(scene.jobticket.arrived(), expected);
    assert_eq!(scene.jobticket.active().len(), 6);
}

/// One wrong value of a known person and of a new one.
#[track_caller]
fn rejects_value(column: &str, reason: &str, change: fn(&mut Person)) {
    let line = |number, row, then| {
        format!("! {number} rejected: headquarters, row {row}, column {column}: {reason}; {then}")
    };
    rejects(
        |staff| {
            change(&mut staff[1]);
            let mut new = person("00050");
            change(&mut new);
            staff.push(new);
        },
        &[
            &line("00002", 3, "the last acknowledged values are kept"),
            &line("00050", 7, "left out"),
        ],
    );
}

#[track_caller]
fn unchanged(ran: Ran) {
    ran.exits(0).says("Nothing changed").says("requests: 0");
}

#[test]
fn rows_of_one_person_that_agree_count_once() {
    let scene = Scene::new();
    let staff = [people(5), people(2)].concat();
    scene.company.deliver_people("20261121", &staff);
    unchanged(scene.company.run_now());
}

#[test]
fn rows_of_one_person_that_agree_but_for_blanks_and_date_format_count_once() {
    let mut staff = people(5);
    staff.push(staff[0].clone());
    staff[5].last += "  ";
    staff[5].end = String::new();
    let scene = Scene::new();
    scene.company.deliver_people("20261121", &staff);
    unchanged(scene.company.run_now());
}

#[test]
fn differing_rows_of_one_person_change_nobody() {
    let line = |number, row, other, then| {
        format!(
            "! {number} rejected: headquarters, row {row}, column Personalnummer: row {other} has the same hrId and other values; {then}"
        )
    };
    rejects(
        |staff| {
            for number in ["00002", "00050", "00050"] {
                let mut other = person(number);
                other.last = format!("Beispielwechsel{}", staff.len());
                staff.push(other);
            }
        },
        &[
            &line("00002", 3, 7, "the last acknowledged values are kept"),
            &line("00002", 7, 3, "the last acknowledged values are kept"),
            &line("00050", 8, 9, "left out"),
            &line("00050", 9, 8, "left out"),
        ],
    );
}

#[test]
fn an_e_mail_shared_by_two_people_changes_neither() {
    let line = |number, row, other, then| {
        format!(
            "! {number} rejected: headquarters, row {row}, column E-Mail: email is also that of {other}; {then}"
        )
    };
    rejects(
        |staff| {
            staff[1].email = "Neu@Example.com".to_owned();
            staff[2].email = "neu@example.com".to_owned();
            let mut new = person("00050");
            new.email = staff[4].email.to_uppercase();
            staff.push(new);
        },
        &[
            &line("00002", 3, "00003", "the last acknowledged values are kept"),
            &line("00003", 4, "00002", "the last acknowledged values are kept"),
            &line("00005", 6, "00050", "the last acknowledged values are kept"),
            &line("00050", 7, "00005", "left out"),
        ],
    );
}

#[test]
fn a_date_in_another_format_changes_nobody() {
    let reason = "is not a date in the configured format";
    rejects_value("Geburtsdatum", &format!("dateOfBirth {reason}"), |person| {
        person.born = "1990-04-15".to_owned();
    });
    rejects_value("Eintritt", &format!("startDate {reason}"), |person| {
        person.start = "31.02.2022".to_owned();
    });
    rejects_value("Austritt", &format!("terminationDate {reason}"), |person| {
        person.end = "Beispieltag".to_owned();
    });
}

#[test]
fn a_date_that_cannot_be_changes_nobody() {
    rejects_value(
        "Geburtsdatum",
        "dateOfBirth is a date that cannot be",
        |person| {
            person.born = "15.04.2090".to_owned();
        },
    );
}

#[test]
fn what_is_no_e_mail_address_changes_nobody() {
    rejects_value("E-Mail", "email is not an e-mail address", |person| {
        person.email = "person00002.example.com".to_owned();
    });
}

#[test]
fn an_employment_that_ends_before_it_starts_ends_nobodys_ticket() {
    rejects_value(
        "Austritt",
        "terminationDate lies before startDate",
        |person| {
            person.end = "31.12.2021".to_owned();
        },
    );
}

#[test]
fn a_name_of_endless_length_changes_nobody() {
    rejects_value(
        "Nachname",
        "lastName is longer than 250 characters",
        |person| {
            person.last = "Beispiel".repeat(40);
        },
    );
}

#[test]
fn a_known_person_without_an_e_mail_keeps_the_last_one() {
    rejects(
        |staff| staff[1].email.clear(),
        &[
            "! 00002 rejected: headquarters, row 3, column E-Mail: email is empty; the last acknowledged values are kept",
        ],
    );
}

#[test]
fn a_new_person_without_an_e_mail_is_listed_and_is_no_error() {
    let scene = Scene::new();
    let mut staff = people(7);
    staff[5].email.clear();
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(0);
    let ran =
        ran.says("? 00006 is new and has no email yet (headquarters, row 7); left out until then");
    tells_nothing_personal(&ran);
    assert_eq!(
        scene.jobticket.active(),
        ["00001", "00002", "00003", "00004", "00005", "00007"]
    );
    scene.company.deliver_people("20261122", &people(7));
    scene.company.run_now().exits(0).says("+ 00006 joins");
}

#[test]
fn numbers_that_differ_in_leading_zeros_only_change_nobody() {
    let line = |number, row, other, then| {
        format!(
            "! {number} rejected: headquarters, row {row}, column Personalnummer: hrId differs from {other} in leading zeros only; {then}"
        )
    };
    rejects(
        |staff| {
            for (number, email) in [
                ("2", "b@example.com"),
                ("0123", "c@example.com"),
                ("123", "d@example.com"),
            ] {
                let mut new = person(number);
                new.email = email.to_owned();
                staff.push(new);
            }
        },
        &[
            &line("00002", 3, "2", "the last acknowledged values are kept"),
            &line("2", 7, "00002", "left out"),
            &line("0123", 8, "123", "left out"),
            &line("123", 9, "0123", "left out"),
        ],
    );
}

#[test]
fn rejected_rows_alone_push_nothing() {
    let scene = Scene::new();
    let mut staff = people(5);
    staff[1].born = "?".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene
        .company
        .run_now()
        .exits(9)
        .says("Nothing changed")
        .says("requests: 0");
    assert_eq!(scene.jobticket.pushes().len(), 1);
}

#[test]
fn a_dry_run_with_rejected_rows_ends_like_the_real_one() {
    let scene = Scene::new();
    let mut staff = people(6);
    staff[1].born = "?".to_owned();
    scene.company.deliver_people("20261121", &staff);
    scene.company.run(&["--run-now", "--dry-run"]).exits(9);
    assert_eq!(scene.jobticket.pushes().len(), 1);
    scene.company.run_now().exits(9);
}

#[test]
fn a_joiner_with_the_e_mail_of_somebody_who_is_kept_waits() {
    let scene = Scene::new();
    let mut staff = people(6);
    // The second person's new address cannot be taken, for the row makes no sense; so the old one is not free yet.
    staff[1].email = "neu@example.com".to_owned();
    staff[1].born = "?".to_owned();
    staff[5].email = "person00002@example.com".to_owned();
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    let ran = ran.says("! 00006 waits: the e-mail is still that of 00002, who is kept");
    tells_nothing_personal(&ran);
    assert_eq!(scene.jobticket.pushes().len(), 1);

    staff[1].born = "15.04.1990".to_owned();
    scene.company.deliver_people("20261122", &staff);
    scene
        .company
        .run_now()
        .exits(0)
        .says("+ 00006 joins")
        .says("~ 00002 email");
    assert_eq!(scene.jobticket.active().len(), 6);
}

#[test]
fn a_known_person_who_takes_the_e_mail_of_somebody_who_is_kept_keeps_the_old_one() {
    let scene = Scene::new();
    let mut staff = people(6);
    staff[1].email = "neu@example.com".to_owned();
    staff[1].born = "?".to_owned();
    staff[2].email = "person00002@example.com".to_owned();
    scene.company.deliver_people("20261121", &staff);
    let ran = scene.company.run_now().exits(3);
    ran.says("! 00003 keeps the acknowledged values")
        .says("+ 00006 joins");
    let expected: Vec<Value> = people(6).iter().map(sent).collect();
    assert_eq!(scene.jobticket.arrived(), expected);
}

#[test]
fn two_known_people_may_exchange_their_e_mails() {
    let scene = Scene::new();
    let mut staff = people(5);
    staff[0].email = "person00002@example.com".to_owned();
    staff[1].email = "person00001@example.com".to_owned();
    scene.company.deliver("roster_20261121.csv", table(&staff));
    scene.company.run_now().exits(0).says("changed: 2");
    let expected: Vec<Value> = staff.iter().map(sent).collect();
    assert_eq!(scene.jobticket.arrived(), expected);
}
