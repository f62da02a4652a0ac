//! Who asks, and where secrets go: to the configured origin, and nowhere else.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::rest_server::{Asked, Hris, Reply, company, slice, status};
use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::support::Company;

const LIST: &str = "        request: {get: /people}\n        paging: none\n        records: $\n";
const SECRETS: &str = "        secrets: {id: {env: TEST_ID}, key: {file: key}}\n";

fn people() -> Reply {
    Reply::Json(slice(0, 5, 5).into())
}

/// A company that asks like this; the secrets are `the id` and `the-key`.
fn asking(hris: &Hris, auth: &str) -> Company {
    let mut company = company(hris, &format!("{SECRETS}        auth: {auth}\n{LIST}"));
    company
        .variables
        .push(("TEST_ID".to_owned(), "the id".to_owned()));
    std::fs::write(company.path("key"), "the-key\n").unwrap();
    company
}

fn tells_no_secret(said: &str) {
    for secret in ["the id", "the-key", "the-token"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn every_way_to_say_who_asks_is_understood() {
    for (auth, header, value) in [
        (
            "{basic: {user: \"{id}\", password: \"{key}\"}}",
            "authorization",
            "Basic dGhlIGlkOnRoZS1rZXk=",
        ),
        (
            "{basic: {user: \"{key}\", password: \"x{id}\"}}",
            "authorization",
            "Basic dGhlLWtleTp4dGhlIGlk",
        ),
        (
            "{header: {X-API-Key: \"{key}\", X-Account: \"{id}\"}}",
            "x-api-key",
            "the-key",
        ),
        (
            "{header: {Authorization: \"token {id}:{key}\"}}",
            "authorization",
            "token the id:the-key",
        ),
    ] {
        let hris = Hris::start(move |asked| {
            if asked.header(header) == value {
                people()
            } else {
                status(401)
            }
        });
        let company = asking(&hris, auth);
        let ran = company.run_now().exits(0).says("joiners: 5");
        tells_no_secret(&format!("{ran:?}"));
        for (path, content) in company.state_files() {
            tells_no_secret(&format!(
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&content)
            ));
        }
    }
    let hris = Hris::start(|asked| {
        if asked.header("authorization") == "Bearer the-key" {
            people()
        } else {
            status(401)
        }
    });
    let mut company = company(
        &hris,
        &format!(
            "        secrets: {{key: {{file: key}}}}\n        auth: {{bearer: \"{{key}}\"}}\n{LIST}"
        ),
    );
    std::fs::write(company.path("key"), "the-key").unwrap();
    company.variables.clear();
    company.run_now().exits(0).says("joiners: 5");
}

/// A system that gives tokens, each with a number, and answers lists by them.
fn with_tokens(
    check: impl Fn(&Asked) + Send + Sync + 'static,
    token: impl Fn(usize) -> Reply + Send + Sync + 'static,
    list: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> Hris {
    let (tokens, lists) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Hris::start(move |asked| {
        if asked.path == "/auth" {
            check(asked);
            token(tokens.fetch_add(1, Ordering::Relaxed) + 1)
        } else {
            list(asked, lists.fetch_add(1, Ordering::Relaxed) + 1)
        }
    })
}

const TOKEN_FROM: &str = "{token_from: {post: /auth, json: {client_id: \"{id}\", client_secret: \"{key}\"}, take: data.token, expires_in: data.expires_in}}";

fn token(number: usize) -> Reply {
    Reply::Json(json!({ "data": { "token": format!("the-token-{number}"), "expires_in": 86400 } }))
}

#[test]
fn a_token_is_asked_for_and_used() {
    let hris = with_tokens(
        |asked| {
            assert_eq!(
                asked.json(),
                json!({"client_id": "the id", "client_secret": "the-key"})
            );
        },
        token,
        |asked, _| {
            if asked.header("authorization") == "Bearer the-token-1" {
                people()
            } else {
                status(401)
            }
        },
    );
    let company = asking(&hris, TOKEN_FROM);
    let ran = company.run_now().exits(0).says("joiners: 5");
    tells_no_secret(&format!("{ran:?}"));
    // Kenjo's token begins with the word already.
    let hris = with_tokens(
        |_| {},
        |_| Reply::Json(json!({ "token": "Bearer the-token" })),
        |asked, _| {
            if asked.header("authorization") == "Bearer the-token" {
                people()
            } else {
                status(401)
            }
        },
    );
    let company = asking(
        &hris,
        "{token_from: {post: /auth, json: {apiKey: \"{key}{id}\"}, take: token}}",
    );
    company.run_now().exits(0).says("joiners: 5");
    // OAuth 2 client credentials.
    for (sent_in, is_basic) in [("", false), (", in: basic", true)] {
        let hris = with_tokens(
            move |asked| {
                assert!(
                    asked.body.contains("grant_type=client_credentials"),
                    "{}",
                    asked.body
                );
                assert!(asked.body.contains("scope=read"));
                assert_eq!(
                    asked.header("authorization").starts_with("Basic "),
                    is_basic
                );
                assert_eq!(asked.body.contains("client_secret=the-key"), !is_basic);
            },
            |_| {
                Reply::Json(
                    json!({ "access_token": "the-token", "expires_in": 3600, "token_type": "bearer" }),
                )
            },
            |asked, _| {
                if asked.header("authorization") == "Bearer the-token" {
                    people()
                } else {
                    status(401)
                }
            },
        );
        let auth = format!(
            "{{client_credentials: {{post: /auth, client_id: \"{{id}}\", client_secret: \"{{key}}\", scope: read{sent_in}}}}}"
        );
        asking(&hris, &auth).run_now().exits(0).says("joiners: 5");
    }
}

#[test]
fn a_token_is_renewed_once_and_then_no_more() {
    let hris = with_tokens(
        |_| {},
        token,
        |asked, _| {
            if asked.header("authorization") == "Bearer the-token-2" {
                people()
            } else {
                status(401)
            }
        },
    );
    let company = asking(&hris, TOKEN_FROM);
    company.run_now().exits(0).says("joiners: 5");
    assert_eq!(hris.asked().len(), 4);
    let hris = with_tokens(|_| {}, token, |_, _| status(401));
    let company = asking(&hris, TOKEN_FROM);
    let ran = company
        .run_now()
        .exits(4)
        .says("refused with status 401 although the token was renewed");
    tells_no_secret(&format!("{ran:?}"));
    assert_eq!(hris.asked().len(), 4);
    let hris = with_tokens(|_| {}, |_| status(400), |_, _| people());
    let company = asking(&hris, TOKEN_FROM);
    company
        .run_now()
        .exits(4)
        .says("The token request POST /auth is refused with status 400");
    assert_eq!(hris.asked().len(), 1);
    let hris = with_tokens(
        |_| {},
        |_| Reply::Json(json!({ "error": "the-token" })),
        |_, _| people(),
    );
    let ran = asking(&hris, TOKEN_FROM)
        .run_now()
        .exits(4)
        .says("has no token at data.token");
    tells_no_secret(&format!("{ran:?}"));
}

#[test]
fn a_token_that_ends_while_the_list_is_read_is_renewed_before_it_ends() {
    let hris = with_tokens(
        |_| {},
        |number| {
            Reply::Json(json!({ "data": { "token": format!("t{number}"), "expires_in": "100" } }))
        },
        |asked, number| {
            let page = asked.number("page");
            if number == 2 {
                // The wait takes longer than the token lives.
                return Reply::Full(503, vec![("retry-after", "90".to_owned())], vec![]);
            }
            let token = if page == 1 { "Bearer t1" } else { "Bearer t2" };
            assert_eq!(asked.header("authorization"), token);
            Reply::Json(json!({ "data": slice((page - 1) * 2, 2, 5), "pages": 3 }))
        },
    );
    let list = "        request: {get: /people}\n        paging: {page: {parameter: page, pages: pages}}\n        records: data\n";
    let mut company = company(
        &hris,
        &format!("{SECRETS}        auth: {TOKEN_FROM}\n{list}"),
    );
    company
        .variables
        .push(("TEST_ID".to_owned(), "the id".to_owned()));
    std::fs::write(company.path("key"), "the-key").unwrap();
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn a_refused_login_is_tried_once_and_not_again_by_the_schedule() {
    for code in [401, 403] {
        let hris = Hris::start(move |_| status(code));
        let mut company = asking(&hris, "{header: {X-API-Key: \"{key}{id}\"}}");
        let ran = company
            .run_now()
            .exits(4)
            .says(&format!("refused with status {code}"));
        tells_nothing_personal(&ran);
        assert_eq!(hris.asked().len(), 1);
        company.integration = "    schedule: {cron: [\"* * * * *\"]}\n".to_owned();
        let mut service = Service::start(&company, &[("JOBTICKET_SYNC_TEST_PACE", "60")]);
        service.runs_end(&company, 4);
        service.stops();
        // The first run after the start tries.
        assert!(hris.asked().len() <= 1);
        company.run_now().exits(4);
        assert_eq!(hris.asked().len(), 1);
    }
}

#[test]
fn secrets_go_nowhere_but_to_the_configured_origin() {
    let other = std::sync::Arc::new(Hris::start(|_| people()));
    let elsewhere = other.url.clone();
    let hris = Hris::start(move |asked| {
        let at = asked.number("skip");
        let next = format!("{elsewhere}/people?skip={}", at + 2);
        let next = if at < 4 { json!(next) } else { json!(null) };
        Reply::Json(json!({ "data": slice(at, 2, 5), "next": next }))
    });
    let keys = |more: &str| {
        format!(
            "{SECRETS}        auth: {{header: {{X-API-Key: \"{{key}}{{id}}\"}}}}\n        request: {{get: /people}}\n        paging: {{next: {{take: next{more}}}}}\n        records: data\n"
        )
    };
    let company_of = |more: &str| {
        let mut company = company(&hris, &keys(more));
        company
            .variables
            .push(("TEST_ID".to_owned(), "the id".to_owned()));
        std::fs::write(company.path("key"), "the-key").unwrap();
        company
    };
    let ran = company_of("")
        .run_now()
        .exits(4)
        .says("names an address of another host");
    ran.says(&other.url).says("other_origin: rebase");
    assert!(other.asked().is_empty());
    hris.asked();
    company_of(", other_origin: rebase")
        .run_now()
        .exits(0)
        .says("joiners: 5");
    assert!(other.asked().is_empty());
    assert_eq!(hris.asked().len(), 3);
}

#[test]
fn a_secret_that_is_not_there_is_said_before_anybody_is_asked() {
    let hris = Hris::start(|_| people());
    let mut company = asking(&hris, "{header: {X-API-Key: \"{key}{id}\"}}");
    company.variables.clear();
    company
        .run_now()
        .exits(4)
        .says("The environment variable TEST_ID is not set");
    assert!(hris.asked().is_empty());
}
