//! What the tests of holds and decisions share.

use serde_json::{Value, json};

use crate::scene::{Scene, plain};
use crate::support::{Company, JobTicket, Person, Ran, people};

/// Nothing waits but what goes past a limit: no first contact, and whoever is missing leaves at once.
pub(crate) const AT_ONCE: &str = "    limits: {first_push: allow, missing_days: 1}\n";

/// A company of so many people whom JobTicket has acknowledged.
pub(crate) fn acknowledged(count: usize) -> Scene {
    limited(count, AT_ONCE)
}

/// The same with other keys of the integration.
pub(crate) fn limited(count: usize, integration: &str) -> Scene {
    Scene::of(
        count,
        |company| company.integration = integration.to_owned(),
        plain,
    )
}

/// So many people without the last ones.
pub(crate) fn without_last(count: usize, gone: usize) -> Vec<Person> {
    people(count - gone)
}

/// A decision, as scripts make it.
#[track_caller]
pub(crate) fn decided(company: &Company, arguments: &[&str]) -> Ran {
    let reason = ["--reason", "told by HR"];
    company.run(&[arguments, &reason].concat()).exits(0)
}

/// An approval, unasked.
#[track_caller]
pub(crate) fn approved(company: &Company, id: &str, more: &[&str]) -> Ran {
    decided(company, &[&["approve", id, "--yes"], more].concat())
}

/// What `--output json` says.
#[track_caller]
pub(crate) fn as_json(company: &Company, arguments: &[&str]) -> Value {
    let ran = company.run(&[&["--output", "json"], arguments].concat());
    serde_json::from_str(&ran.stdout).expect("stdout is JSON")
}

/// The holds that are not over.
#[track_caller]
pub(crate) fn holds(company: &Company) -> Vec<Value> {
    as_json(company, &["holds"])["holds"]
        .as_array()
        .unwrap()
        .clone()
}

/// Somebody at JobTicket who came without a push; with an hrId, linked to the integration.
pub(crate) fn seed(jobticket: &JobTicket, email: &str, hr_id: Option<&str>) {
    let links: Vec<Value> = hr_id
        .map(|hr_id| json!({ "hrId": hr_id, "hrIntegrationId": 7 }))
        .into_iter()
        .collect();
    let person = json!({
        "firstName": "Änne", "lastName": "Beispiel", "email": email, "dateOfBirth": "1990-04-15", "links": links,
    });
    jobticket.order("employees", &json!([person]));
}
