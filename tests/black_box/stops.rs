//! What stops every push until a person has looked: people who do not belong to a push lost their tickets, and a credential that JobTicket refuses.

use serde_json::json;

use crate::api_support::{fail_reads, status, sync_ids, tried};
use crate::deciding::{AT_ONCE, acknowledged, approved, holds, seed};
use crate::support::{Company, JobTicket, people};

/// A JobTicket that takes the tickets of people without a link with every push, somebody whom that hits, and a company of five.
fn careless() -> (JobTicket, Company) {
    let jobticket = JobTicket::behaving(r#"{"unlinked_people":"offboarded"}"#);
    seed(&jobticket, "somebody@example.com", None);
    let mut company = Company::at(&jobticket);
    company.integration = AT_ONCE.to_owned();
    company.deliver_people("20261120", &people(5));
    (jobticket, company)
}

#[test]
fn when_people_without_a_link_lose_their_tickets_nothing_more_is_pushed_until_somebody_approves() {
    let (jobticket, company) = careless();
    company
        .run_now()
        .exits(8)
        .says("TICKETS LOST: people who do not belong to this integration")
        .says("until somebody approves the hold that the next run opens");
    assert_eq!(company.events("tickets_lost").len(), 1);

    // The next run opens that hold, whether it would push or not.
    let ran = company.run_now().exits(3).says("HELD");
    ran.says("people who do not belong to this integration had lost their tickets");
    let [hold] = &holds(&company)[..] else {
        panic!("one hold")
    };
    assert_eq!(hold["kind"], "tickets lost");
    company.deliver_people("20261121", &people(6));
    for _ in 0..2 {
        company.run_now().exits(3).says("HELD");
    }
    assert_eq!(jobticket.pushes().len(), 1);
    let [hold] = &holds(&company)[..] else {
        panic!("one hold, of the plan as it is now")
    };
    let id = hold["id"].to_string();
    approved(&company, &id, &[]);
    company.run_now().exits(0).says("+ 00006 joins");
    assert_eq!(jobticket.pushes().len(), 2);
    assert_eq!(company.events("tickets_lost").len(), 1);
    company.run_now().exits(0).says("Nothing changed");
    assert!(holds(&company).is_empty());
}

#[test]
fn an_approval_ends_the_stop_although_the_push_is_not_confirmed() {
    let (jobticket, company) = careless();
    // What the push has done is not seen at once.
    let on = json!({ "method": "GET", "path_prefix": "/employees" });
    let fault = json!([{ "on": on, "after": 1, "kind": status(404) }]);
    jobticket.order("faults", &fault);
    company.run_now().exits(0).says("not seen by reading back");
    // And is never seen as pushed, for somebody links a person by hand.
    seed(&jobticket, "linked@example.com", Some("00777"));
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(8).says("TICKETS LOST").says("HELD");
    company.run_now().exits(3).says("HELD");
    assert_eq!(jobticket.pushes().len(), 1);
    assert_eq!(company.events("tickets_lost").len(), 1, "it is told once");
    approved(&company, "1", &[]);
    company.run_now().exits(0).says("+ 00006 joins");
    assert_eq!(jobticket.pushes().len(), 2);
}

#[test]
fn an_approval_covers_no_tickets_that_are_lost_after_it() {
    let (jobticket, company) = careless();
    company.run_now().exits(8);
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(3).says("HELD");
    seed(&jobticket, "somebody.else@example.com", None);
    approved(&company, "1", &[]);
    let ran = company.run_now().exits(8).says("+ 00006 joins");
    ran.says("TICKETS LOST");
    company.deliver_people("20261122", &people(7));
    for _ in 0..2 {
        company.run_now().exits(3).says("HELD");
    }
    assert_eq!(jobticket.pushes().len(), 2);
    let [hold] = &holds(&company)[..] else {
        panic!("one hold")
    };
    let id = hold["id"].to_string();
    approved(&company, &id, &[]);
    company.run_now().exits(0).says("+ 00007 joins");
}

#[test]
fn a_credential_that_is_refused_stops_the_run_is_told_once_and_its_end_too() {
    for code in [401, 403] {
        let scene = acknowledged(5);
        scene.company.deliver_people("20261121", &people(6));
        fail_reads(&scene.jobticket, "/", 100, &status(code));
        for _ in 0..3 {
            scene.company.run_now().exits(5).says(&code.to_string());
        }
        assert_eq!(scene.company.events("credential_refused").len(), 1);
        assert!(scene.company.events("recovered").is_empty());
        assert_eq!(tried(&scene.jobticket).len(), 1);
        scene.jobticket.clear_faults();
        let ran = scene.company.run_now().exits(0).says("+ 00006 joins");
        ran.says("JobTicket accepts the credential again");
        assert_eq!(scene.company.events("recovered").len(), 1);
        let ran = scene.company.run_now().exits(0);
        assert!(!ran.stdout.contains("credential again"));
        assert_eq!(scene.jobticket.active().len(), 6);
    }
}

#[test]
fn a_push_that_is_refused_for_its_credential_is_made_anew_once_that_is_right() {
    for code in [401, 403] {
        let scene = acknowledged(5);
        scene.company.deliver_people("20261121", &people(6));
        scene.jobticket.fail_pushes(1, &status(code));
        scene.company.run_now().exits(5).says("REFUSED");
        assert_eq!(scene.company.events("credential_refused").len(), 1);
        assert_eq!(scene.jobticket.active().len(), 5);
        let ran = scene.company.run_now().exits(0).says("+ 00006 joins");
        ran.says("JobTicket accepts the credential again");
        assert_eq!(sync_ids(&scene.jobticket).len(), 3);
        assert_eq!(scene.jobticket.active().len(), 6);
    }
}

#[test]
fn a_run_that_was_killed_after_its_push_does_not_hide_that_tickets_were_lost() {
    for point in ["answered", "acknowledged"] {
        let (jobticket, mut company) = careless();
        crate::crash::killed_in(&mut company, point, &["--run-now"]);
        company
            .run_now()
            .exits(8)
            .says("TICKETS LOST: people who do not belong to this integration");
        company.run_now().exits(3).says("HELD");
        assert_eq!(jobticket.pushes().len(), 1, "{point}");
        assert_eq!(company.events("tickets_lost").len(), 1, "{point}");
    }
}
