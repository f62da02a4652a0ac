//! The credential and the people's values appear nowhere but in the requests.

use base64::Engine as _;
use serde_json::json;

use crate::api_support::{Scripted, patient};
use crate::support::{Company, JobTicket, KEY_ID, KEY_SECRET, Ran, people};

#[track_caller]
fn tells_no_secret(company: &Company, ran: &Ran, personal: bool) {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{KEY_ID}:{KEY_SECRET}"));
    let mut secrets = vec![KEY_ID, KEY_SECRET, &basic];
    let mut places = vec![
        ("stdout".to_owned(), ran.stdout.clone().into_bytes()),
        ("stderr".to_owned(), ran.stderr.clone().into_bytes()),
    ];
    for (path, content) in company.state_files() {
        places.push((path.display().to_string(), content));
    }
    for (place, content) in &places {
        let text = String::from_utf8_lossy(content);
        if personal && !place.contains("state.db") {
            // The store has to hold the roster; nothing else may.
            secrets.extend(["Beispiel0", "person0", "1990-04-15", "15.04.1990"]);
        } else {
            secrets.truncate(3);
        }
        for secret in &secrets {
            assert!(!text.contains(secret), "{place} holds {secret}");
        }
    }
}

fn talkative(company: &mut Company) {
    company.top += "log: {level: trace}\n";
}

#[test]
fn neither_credential_nor_values_are_told_by_a_run_that_succeeds() {
    let jobticket = JobTicket::start();
    let mut company = patient(&jobticket, 20);
    talkative(&mut company);
    let mut staff = people(5);
    company.deliver_people("20261120", &staff);
    jobticket.fail_pushes(1, &json!({ "status": { "code": 503 } }));
    let ran = company.run_now().exits(0);
    tells_no_secret(&company, &ran, true);
    staff[2].last = "Beispiel0neu".to_owned();
    staff.pop();
    company.deliver_people("20261121", &staff);
    for arguments in [
        &["--run-now", "--dry-run"][..],
        &["--run-now", "--output", "json"],
        &["--run-now"],
        &["check"],
    ] {
        let ran = company.run(arguments).exits(0);
        tells_no_secret(&company, &ran, true);
    }
}

#[test]
fn neither_credential_nor_values_are_told_by_a_401() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    talkative(&mut company);
    company.deliver_people("20261120", &people(5));
    jobticket.fail_pushes(
        1,
        &json!({ "status": { "code": 401, "body": format!("{KEY_ID} {KEY_SECRET}") } }),
    );
    let ran = company.run_now().exits(5);
    tells_no_secret(&company, &ran, true);
}

#[test]
fn neither_credential_nor_values_are_told_by_a_connection_error() {
    let jobticket = JobTicket::start();
    let nobody = Scripted::start(Vec::new());
    let mut company = nobody.company(&jobticket, 5);
    talkative(&mut company);
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(6);
    tells_no_secret(&company, &ran, true);
    let mut company = patient(&jobticket, 5);
    talkative(&mut company);
    company.deliver_people("20261120", &people(5));
    jobticket.fail_pushes(50, &json!("drop_after"));
    let ran = company.run_now().exits(6);
    tells_no_secret(&company, &ran, true);
}
