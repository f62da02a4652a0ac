//! Each recipe against a system that answers in its recorded shape, with invented people, through the real binary up to the sandbox.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rest_server::Hris;
use crate::rest_systems::{ALL, BORN, START, SYSTEMS, System, one};
use crate::scene::tells_nothing_personal;
use crate::support::{Company, JobTicket, run_alone};

/// Runs the recipe as its user would write it: the keys that are not of the recipe, and no others.
fn runs(system: &System) {
    let answer = system.answer;
    let hris = Hris::start(answer);
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.source.clear();
    let secrets: Vec<String> = system
        .secrets
        .iter()
        .map(|name| format!("{name}: {{env: {}}}", name.to_uppercase()))
        .collect();
    for name in system.secrets {
        company
            .variables
            .push((name.to_uppercase(), format!("the-{name}")));
    }
    let (recipe, keys) = (system.recipe, system.keys);
    company.integration = format!(
        "      - name: hris\n        type: rest\n        recipe: {recipe}\n        base_url: {}\n        secrets: {{{}}}\n{keys}",
        hris.url,
        secrets.join(", ")
    );
    // In the place of the source with files.
    let config = std::fs::read_to_string(company.write_config()).unwrap();
    let begin = config.find("      - name: headquarters").unwrap();
    let end = config.find("      - name: hris").unwrap();
    company
        .edits
        .push((config[begin..end].to_owned(), String::new()));
    let ran = company.run(&["check"]).exits(0);
    tells_nothing_personal(&ran);
    let ran = company.run_now();
    assert_eq!(ran.code, 0, "{recipe}: {}\n{}", ran.stdout, ran.stderr);
    tells_nothing_personal(&ran);
    let arrived = jobticket.arrived();
    assert_eq!(arrived.len(), ALL, "{recipe}: {}", ran.stdout);
    for number in 1..=ALL {
        let one = one(number);
        let email = one.email.as_str();
        let sent = arrived.iter().find(|sent| sent["email"] == email).unwrap();
        let hr_id = if system.by_number {
            number.to_string()
        } else {
            one.hr_id
        };
        let (has_start, has_end) = system.dates;
        let expected = json!({
            "hrId": hr_id, "firstName": one.first, "lastName": one.last, "email": one.email, "dateOfBirth": BORN,
            "startDate": has_start.then_some(START), "terminationDate": one.end.filter(|_| has_end),
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(sent[key], *value, "{recipe}: {key}");
        }
    }
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn every_recipe_brings_its_people_to_jobticket() {
    for system in SYSTEMS {
        runs(system);
    }
}

#[test]
fn every_recipe_is_listed_with_how_far_it_was_tested_and_shown_with_its_traps() {
    let ran = run_alone(&["recipes", "list"]).exits(0);
    let json: Value =
        serde_json::from_str(&run_alone(&["recipes", "--output", "json"]).exits(0).stdout).unwrap();
    let names: BTreeSet<&str> = json["recipes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let tested: BTreeSet<&str> = SYSTEMS.iter().map(|system| system.recipe).collect();
    assert_eq!(names, tested, "each has a recorded shape");
    for name in names {
        assert!(ran.stdout.contains(name));
        let shown = run_alone(&["recipes", "show", name]).exits(0).stdout;
        assert!(
            shown.contains("# Tested: ")
                && shown.contains("# Traps:")
                && shown.contains("\nfields:\n"),
            "{shown}"
        );
    }
    run_alone(&["recipes", "show", "personia"])
        .exits(2)
        .says("There is no recipe personia; there are bamboohr");
}

#[test]
fn a_recipe_that_is_not_there_or_lacks_its_secrets_is_said() {
    let config = |recipe: &str| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "state_dir: s\nintegrations:\n  - name: acme\n    jobticket: {{environment: sandbox, integration_id: 7}}\n    sources:\n      - name: hris\n        type: rest\n        recipe: {recipe}\n"
        );
        std::fs::write(folder.path().join("c.yaml"), text).unwrap();
        run_alone(&[
            "--config",
            folder.path().join("c.yaml").to_str().unwrap(),
            "check",
            "--offline",
        ])
    };
    config("persona")
        .exits(2)
        .says("There is no such recipe; there are bamboohr")
        .says("c.yaml:8:");
    config("personio")
        .exits(2)
        .says("`{client_id}` is no secret of this source; write under secrets where it is");
    config("bamboohr")
        .exits(2)
        .says("The key `base_url` is missing here; add it");
}
