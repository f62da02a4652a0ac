//! What takes days: people who are missing for a while, limits over a window of days, a roster that is pushed again, and a push that JobTicket never shows.

use serde_json::json;

use crate::deciding::{AT_ONCE, approved, limited};
use crate::scene::Scene;
use crate::support::{Company, JobTicket, Person, people, table};

/// A company of so many people with these limits.
fn company(count: usize, limits: &str) -> Scene {
    limited(
        count,
        &format!("    limits: {{first_push: allow, {limits}}}\n"),
    )
}

/// A minute later than the push of the days before, for that took a moment.
fn a_minute_later(scene: &mut Scene) {
    scene.company.now = scene.company.now.replace("05:15:00", "05:16:00");
}

/// A day later the file is delivered.
fn next_day(scene: &mut Scene, staff: &[Person]) {
    scene.days_pass(1);
    let day = scene.company.now[..10].replace('-', "");
    scene.company.deliver_people(&day, staff);
}

#[test]
fn whoever_is_missing_leaves_on_the_third_day_of_deliveries_without_them() {
    let mut scene = company(20, "missing_days: 3");
    let staff = people(19);
    let mut shown = |day: &str| {
        next_day(&mut scene, &staff);
        for _ in 0..2 {
            let ran = scene.company.run_now().exits(0).says("Nothing changed");
            ran.says(&format!("… 00020 is missing on day {day}"));
        }
        assert_eq!(scene.jobticket.active().len(), 20);
    };
    shown("1");
    shown("2");
    // A day without a delivery does not count.
    scene.days_pass(1);
    let ran = scene.company.run_now().exits(0);
    ran.says("… 00020 is missing on day 2");
    assert_eq!(scene.jobticket.active().len(), 20);
    next_day(&mut scene, &staff);
    scene.company.run_now().exits(0).says("- 00020 leaves");
    assert_eq!(scene.jobticket.active().len(), 19);
}

#[test]
fn a_file_that_was_only_touched_is_no_delivery_of_another_day() {
    for by in ["{name_date: \"roster_%Y%m%d.csv\"}", "modified"] {
        let mut scene = company(20, "missing_days: 2");
        scene.company.edit("{name_date: \"roster_%Y%m%d.csv\"}", by);
        let staff = table(&people(19));
        for _ in 0..4 {
            scene.days_pass(1);
            scene
                .company
                .deliver_written("roster_20261123.csv", &staff, 60);
            let ran = scene.company.run_now().exits(0).says("Nothing changed");
            ran.says("… 00020 is missing on day 1");
        }
        let mut other = people(19);
        other[3].first = "Neu".to_owned();
        scene
            .company
            .deliver_written("roster_20261123.csv", table(&other), 30);
        scene.company.run_now().exits(0).says("- 00020 leaves");
    }
}

#[test]
fn whoever_comes_back_is_counted_from_the_first_day_again() {
    let mut scene = company(20, "missing_days: 2");
    for (count, says) in [
        (19, "… 00020 is missing on day 1"),
        (20, "Nothing changed"),
        (19, "… 00020 is missing on day 1"),
    ] {
        next_day(&mut scene, &people(count));
        scene.company.run_now().exits(0).says(says);
    }
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn leavers_of_many_days_together_are_too_many() {
    // Three a day are let through, but no more than five in a month.
    let mut scene = company(
        40,
        "missing_days: 1, leavers: {percent: 5, at_least: 3}, windows: [{days: 30, percent: 10, at_least: 5}]",
    );
    for (count, active) in [(38, 38), (36, 36)] {
        next_day(&mut scene, &people(count));
        scene.company.run_now().exits(0).says("leavers: 2");
        assert_eq!(scene.jobticket.active().len(), active);
    }
    next_day(&mut scene, &people(34));
    let ran = scene.company.run_now().exits(3);
    ran.says("? - 00035 leaves (missing from every source): waits in hold 1")
        .says("leavers: 0");
    assert_eq!(
        scene.company.events("hold_opened")[0]["why"][0],
        "6 unexplained leavers in 30 days of 36 people (16.7 %), limits.windows lets 5 through"
    );
    assert_eq!(scene.jobticket.active().len(), 36);
    // They wait on when the window is over, for a person was asked; others go then.
    scene.days_pass(30);
    next_day(&mut scene, &people(34));
    scene.company.run_now().exits(3).says("waits in hold 1");
    next_day(&mut scene, &people(33));
    scene.company.run_now().exits(3).says("- 00034 leaves");
    assert_eq!(scene.jobticket.active().len(), 35);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0).says("leavers: 2");
    assert_eq!(scene.jobticket.active().len(), 33);
}

#[test]
fn an_unchanged_roster_is_pushed_again_after_resync_every_days() {
    for (days, setting) in [(7, ""), (2, "    resync_every_days: 2\n")] {
        let mut scene = limited(5, &format!("{AT_ONCE}{setting}"));
        let staff = people(5);
        for _ in 1..days {
            next_day(&mut scene, &staff);
            scene.company.run_now().exits(0).says("Nothing changed");
        }
        next_day(&mut scene, &staff);
        a_minute_later(&mut scene);
        let checked = scene.company.run(&["check"]).exits(0);
        checked.says("a run now: would push the unchanged roster again");
        let ran = scene.company.run_now().exits(0);
        ran.says("joiners: 0   leavers: 0   changed: 0")
            .says("pushed again, as resync_every_days")
            .says("Pushed 5 employees");
        assert_eq!(scene.jobticket.pushes().len(), 2);
        assert_eq!(scene.jobticket.active().len(), 5);
        scene.company.run_now().exits(0).says("Nothing changed");
    }
    let mut scene = limited(5, &format!("{AT_ONCE}    resync_every_days: null\n"));
    scene.days_pass(40);
    scene.company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn a_roster_that_is_pushed_again_keeps_whoever_is_missing_and_waits() {
    let mut scene = company(20, "missing_days: 30, leavers: {percent: 5, at_least: 0}");
    for _ in 0..6 {
        next_day(&mut scene, &people(18));
        scene
            .company
            .run_now()
            .exits(3)
            .says("Nothing else changed");
    }
    next_day(&mut scene, &people(18));
    a_minute_later(&mut scene);
    scene.company.run_now().exits(3).says("Pushed 20 employees");
    assert_eq!(scene.jobticket.active().len(), 20);
}

#[test]
fn a_push_that_jobticket_never_shows_is_unconfirmed_and_then_drift() {
    let jobticket = JobTicket::behaving(r#"{"processing":{"later":{"after_requests":100000}}}"#);
    let mut company = Company::at(&jobticket);
    company.integration = AT_ONCE.to_owned();
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(0);
    ran.says("acknowledged (204), not seen by reading back yet");
    jobticket.hours_pass(23);
    company.now = crate::api_support::later(23 * 3600 + 60);
    let ran = company.run_now().exits(0);
    ran.says("does not show all of the last push")
        .says("5 people, since 23 hours");
    assert!(company.events("drift").is_empty());
    jobticket.hours_pass(2);
    company.now = crate::api_support::later(25 * 3600 + 60);
    let ran = company.run_now().exits(8).says("after 25 hours");
    ran.says("DRIFT: 5 people are not at JobTicket as pushed")
        .says("00001 is in the snapshot but not linked at JobTicket");
    let drift = company.events("drift").pop().unwrap();
    assert_eq!(drift["hours"], json!(25));
    assert_eq!(jobticket.pushes().len(), 1);
}
