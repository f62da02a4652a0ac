//! The command `explain`: everything that is known about one person, and no value that the audit log would not show.

use crate::deciding::{acknowledged, approved, as_json, decided, limited, without_last};
use crate::scene::tells_nothing_personal;
use crate::support::{people, person};

#[test]
fn everything_about_somebody_is_told_from_the_row_to_what_would_happen_now() {
    let scene = acknowledged(20);
    let ran = scene.company.run(&["explain", "00018"]).exits(0);
    tells_nothing_personal(&ran);
    ran.says("source headquarters, roster_20261120.csv")
        .says("row 19: hrId 00018, firstName Ä…, lastName B…, email p…@e…")
        .says("snapshot: since 2026-11-23 05:15 UTC")
        .says("+ 00018 joins, and JobTicket acknowledged it")
        .says("a run now: nothing changes");

    scene
        .company
        .deliver_people("20261121", &without_last(20, 3));
    let ran = scene.company.run(&["explain", "00018"]).exits(0);
    ran.says("a run now: waits for a decision")
        .says("- 00018 leaves (missing from every source)")
        .says("more unexplained leavers than the limits let through");
    scene.company.run_now().exits(3);
    decided(&scene.company, &["reject", "1"]);
    let ran = scene.company.run(&["explain", "00018"]).exits(0);
    tells_nothing_personal(&ran);
    ran.says("roster_20261121.csv")
        .says("hold 1 (leavers), since 2026-11-23 05:15 UTC: rejected")
        .says("reject of hold 1 by ")
        .says(": told by HR")
        .says("would leave: on 1 of 1 days, since 2026-11-23")
        .says("a run now: stays in");
    decided(&scene.company, &["holds", "reopen", "1"]);
    approved(&scene.company, "1", &[]);
    scene.company.run_now().exits(0);
    let ran = scene.company.run(&["explain", "00018"]).exits(0);
    ran.says("snapshot: not in it")
        .says("left 2026-11-23 05:15 UTC (missing from every source")
        .says("- 00018 leaves (missing from every source); approved by hold 1, and JobTicket acknowledged it");
}

#[test]
fn an_explanation_as_json_names_fields_and_masks_values() {
    let scene = acknowledged(3);
    let told = as_json(&scene.company, &["explain", "00002"]);
    let one = &told["explained"][0];
    assert_eq!(one["known"], true);
    assert_eq!(one["snapshot"]["fields"]["lastName"], "B…");
    assert_eq!(one["snapshot"]["source"], "headquarters");
    assert_eq!(one["sources"][0]["rows"][0]["row"], 3);
    assert_eq!(one["now"]["what"], "nothing");
    assert_eq!(one["history"][0]["event"], "change");
    assert_eq!(one["history"][0]["pushed"], true);
    let mut scene = acknowledged(3);
    scene.company.top = "audit: {values: none}\n".to_owned();
    let told = as_json(&scene.company, &["explain", "00002"]);
    let fields = &told["explained"][0]["snapshot"]["fields"];
    assert!(
        fields["lastName"].is_null() && fields.get("lastName").is_some(),
        "{fields}"
    );
}

#[test]
fn people_who_are_counted_kept_or_not_usable_are_told_why() {
    let scene = limited(20, "    limits: {first_push: allow, missing_days: 3}\n");
    let mut staff = without_last(20, 1);
    staff[0].born = "?".to_owned();
    staff.push(person("00099"));
    staff[19].email = String::new();
    scene.company.deliver_people("20261121", &staff);
    decided(&scene.company, &["keep", "00019", "--until", "2026-12-01"]);
    let explain = |hr_id: &str| scene.company.run(&["explain", hr_id]).exits(0);
    explain("00020")
        .says("missing from complete deliveries of 1 different days, which is not long enough yet");
    explain("00019")
        .says("kept by decision until 2026-12-01")
        .says("keep by ");
    explain("00001")
        .says("column Geburtsdatum: dateOfBirth is not a date in the configured format");
    explain("00099").says("without email; left out until then");
    explain("99").says("nothing is known");
}

#[test]
fn an_explanation_says_what_fails_and_changes_nothing() {
    let scene = acknowledged(5);
    let before = scene.company.state_files();
    scene.company.deliver("roster_20261121.csv", "");
    let ran = scene.company.run(&["explain", "00001"]).exits(0);
    ran.says("snapshot: since");
    scene.company.run(&["holds"]).exits(0);
    assert_eq!(scene.company.state_files(), before);
    scene.company.deliver_people("20261122", &people(5));
    scene.company.run_now().exits(0).says("Nothing changed");
}
