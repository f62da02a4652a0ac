//! An HR system that fails: on any page, in any way. Nothing partial is ever used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::rest_server::{Asked, BY_OFFSET, Hris, Reply, company_at, page_of_five, slice, status};
use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::support::{Company, JobTicket};

const LIMITS: &str = "        retry_seconds: 1\n        timeouts: {read_seconds: 1}\n";

/// A company whose five people JobTicket has, by a system that answers as this says once `fault` is set, from then on.
struct Scene {
    hris: Hris,
    jobticket: JobTicket,
    company: Company,
    /// Which request of a run is answered wrongly, from 1; 0 is none.
    at: Arc<AtomicUsize>,
    count: Arc<AtomicUsize>,
}

impl Scene {
    fn new(
        more: &str,
        fault: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let (at, count): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let (fault_at, counted) = (Arc::clone(&at), Arc::clone(&count));
        let hris = Hris::start(move |asked| {
            let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let at = fault_at.load(Ordering::Relaxed);
            let page = asked.number("offset") / 2 + 1;
            let wrong = if at == page {
                fault(asked, number)
            } else {
                None
            };
            wrong.unwrap_or_else(|| Reply::Json(page_of_five(asked)))
        });
        let jobticket = JobTicket::start();
        let company = company_at(&jobticket, &hris, &format!("{BY_OFFSET}{more}"));
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 5);
        Self {
            hris,
            jobticket,
            company,
            at,
            count,
        }
    }

    fn fails_at(&self, page: usize) {
        self.at.store(page, Ordering::Relaxed);
        self.count.store(0, Ordering::Relaxed);
        self.hris.asked();
    }

    /// Whatever page fails, the source does, says this, and nobody leaves.
    #[track_caller]
    fn fails_on_every_page(&self, says: &str, tries: usize) {
        for page in 1..=3 {
            self.fails_at(page);
            let ran = self.company.run_now().exits(4).says(says).says("frozen");
            tells_nothing_personal(&ran);
            assert_eq!(self.hris.asked().len(), page - 1 + tries, "page {page}");
            assert_eq!(self.jobticket.active().len(), 5);
            assert_eq!(self.jobticket.pushes().len(), 1);
        }
        self.fails_at(0);
        self.company.run_now().exits(0).says("Nothing changed");
    }
}

#[test]
fn a_page_that_is_not_available_is_asked_for_again() {
    let scene = Scene::new("", |_, number| (number < 6).then(|| status(503)));
    for page in 1..=3 {
        scene.fails_at(page);
        scene.company.run_now().exits(0).says("Nothing changed");
    }
}

#[test]
fn a_page_that_stays_unavailable_fails_the_source() {
    let scene = Scene::new(LIMITS, |_, _| Some(status(503)));
    scene.fails_on_every_page("still answers with status 503 after 1 tries", 1);
}

#[test]
fn a_cut_answer_fails_the_source() {
    let scene = Scene::new(LIMITS, |asked, _| {
        Some(Reply::Cut(page_of_five(asked).to_string().into_bytes()))
    });
    scene.fails_on_every_page("broke off before the whole answer was there", 1);
}

#[test]
fn an_answer_that_does_not_come_fails_the_source() {
    let scene = Scene::new(LIMITS, |_, _| Some(Reply::Hang));
    scene.fails_on_every_page("did not answer within the time limits", 1);
}

#[test]
fn an_answer_that_is_not_json_fails_the_source_and_is_not_quoted() {
    let wrong = |_: &Asked, _| {
        Some(Reply::Full(
            200,
            vec![],
            b"{\"data\": [{\"last\": \"Beispiel7\"".to_vec(),
        ))
    };
    Scene::new(LIMITS, wrong).fails_on_every_page("is not JSON", 1);
}

#[test]
fn a_login_page_with_status_200_fails_the_source() {
    let page = || b"\n<!DOCTYPE html><title>Login</title>".to_vec();
    let html = move |_: &Asked, _| {
        Some(Reply::Full(
            200,
            vec![("content-type", "text/html; charset=utf-8".to_owned())],
            page(),
        ))
    };
    Scene::new(LIMITS, html).fails_on_every_page("a web page and not with JSON", 1);
    let unsaid = move |_: &Asked, _| Some(Reply::Full(200, vec![], page()));
    Scene::new(LIMITS, unsaid).fails_on_every_page("a web page and not with JSON", 1);
}

#[test]
fn a_total_that_lies_or_changes_fails_the_source() {
    for total in [4, 6, 0] {
        let wrong = move |asked: &Asked, _| {
            let mut page = page_of_five(asked);
            page["meta"]["total"] = total.into();
            Some(Reply::Json(page))
        };
        let scene = Scene::new(LIMITS, wrong);
        for page in 1..=3 {
            scene.fails_at(page);
            let ran = scene.company.run_now().exits(4).says("total");
            ran.says("not proven complete");
            assert_eq!(scene.jobticket.active().len(), 5);
        }
    }
}

#[test]
fn a_page_without_its_last_record_loses_nobody() {
    let wrong = |asked: &Asked, _| {
        let mut page = page_of_five(asked);
        page["data"].as_array_mut().unwrap().pop();
        Some(Reply::Json(page))
    };
    let scene = Scene::new(LIMITS, wrong);
    // The next request asks for what is missing, and the last has nothing behind it.
    for (page, code) in [(1, 0), (2, 0), (3, 4)] {
        scene.fails_at(page);
        let ran = scene.company.run_now().exits(code);
        ran.says(["Nothing changed", "not proven complete"][usize::from(code == 4)]);
        assert_eq!(scene.jobticket.active().len(), 5);
    }
}

#[test]
fn other_statuses_fail_the_source_at_once() {
    for (code, says) in [
        (404, "correct base_url and the path"),
        (204, "only 200 is a list"),
        (206, "only 200 is a list"),
        (400, "does not understand the request"),
    ] {
        let scene = Scene::new("", move |_, _| Some(status(code)));
        scene.fails_on_every_page(says, 1);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let scene = Scene::new("", |_, _| {
        let to = vec![(
            "location",
            "https://elsewhere.example.org/secret-path?token=x".to_owned(),
        )];
        Some(Reply::Full(302, to, vec![]))
    });
    scene.fails_on_every_page("a redirect (302) to https://elsewhere.example.org;", 1);
}

#[test]
fn a_wait_that_the_system_asks_for_is_kept_and_not_longer_than_allowed() {
    let scene = Scene::new("", |_, number| {
        let after = vec![("retry-after", "120".to_owned())];
        (number == 1).then(|| Reply::Full(429, after, vec![]))
    });
    scene.fails_at(1);
    let ran = scene.company.run_now().exits(0).says("Nothing changed");
    ran.says("trying again");
    let scene = Scene::new("", |_, _| {
        let reset = vec![("x-ratelimit-reset", "600".to_owned())];
        Some(Reply::Full(429, reset, vec![]))
    });
    scene.fails_on_every_page("asks to wait at least 600 seconds (status 429)", 1);
}

#[test]
fn an_answer_that_is_too_large_fails_the_source_packed_or_not() {
    let large = || {
        let padding = "x".repeat(1_200_000);
        json!({ "meta": { "total": 5 }, "data": slice(0, 5, 5), "padding": padding }).to_string()
    };
    let more = "        max_megabytes: 1\n";
    let scene = Scene::new(more, move |_, _| {
        Some(Reply::Full(200, vec![], large().into_bytes()))
    });
    scene.fails_on_every_page("more than 1 megabytes", 1);
    let scene = Scene::new(more, move |_, _| {
        let packed = vec![("content-encoding", "gzip".to_owned())];
        Some(Reply::Full(200, packed, gzip(large().as_bytes())))
    });
    scene.fails_on_every_page("more than 1 megabytes", 1);
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn packed_answers_are_unpacked_and_a_cut_one_fails_the_source() {
    let scene = Scene::new(LIMITS, |asked, number| {
        assert!(asked.header("accept-encoding").contains("br"));
        let mut body = gzip(page_of_five(asked).to_string().as_bytes());
        if number > 3 {
            body.truncate(body.len() - 12);
        }
        Some(Reply::Full(
            200,
            vec![("content-encoding", "gzip".to_owned())],
            body,
        ))
    });
    scene.fails_at(2);
    scene.company.run_now().exits(0).says("Nothing changed");
    scene.company.run_now().exits(4);
    assert_eq!(scene.jobticket.active().len(), 5);
}

#[test]
fn a_withdrawn_permission_fails_the_source_and_is_named() {
    for (key, field) in [
        ("born", "dateOfBirth"),
        ("last", "lastName"),
        ("start", "startDate"),
    ] {
        for gone in [false, true] {
            let scene = Scene::new("", move |asked, _| {
                let mut page = page_of_five(asked);
                for one in page["data"].as_array_mut().unwrap() {
                    if gone {
                        one.as_object_mut().unwrap().remove(key);
                    } else {
                        one[key] = serde_json::Value::Null;
                    }
                }
                Some(Reply::Json(page))
            });
            // From one page alone they wait or are rejected; nobody leaves.
            scene.fails_at(1);
            scene.company.run_now();
            assert_eq!(scene.jobticket.active().len(), 5, "{key}");
        }
        let hris = Hris::start({
            let runs = AtomicUsize::new(0);
            move |_| {
                let mut all = slice(0, 5, 5);
                if runs.fetch_add(1, Ordering::Relaxed) > 0 {
                    for one in &mut all {
                        one.as_object_mut().unwrap().remove(key);
                    }
                }
                Reply::Json(all.into())
            }
        });
        let jobticket = JobTicket::start();
        let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
        let company = company_at(&jobticket, &hris, keys);
        company.run_now().exits(0);
        let ran = company.run_now().exits(4).says(&format!("({field})"));
        ran.says("the permission to read it was withdrawn");
        assert_eq!(jobticket.active().len(), 5);
    }
}

#[test]
fn an_end_date_that_nobody_has_any_more_is_no_error() {
    let hris = Hris::start({
        let runs = AtomicUsize::new(0);
        move |_| {
            let mut all = slice(0, 5, 5);
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                all[0]["end"] = "2027-01-31".into();
            }
            Reply::Json(all.into())
        }
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let jobticket = JobTicket::start();
    let company = company_at(&jobticket, &hris, keys);
    company.run_now().exits(0);
    company.run_now().exits(0).says("changed: 1");
}

#[test]
fn a_field_that_many_have_lost_waits_and_the_rest_goes_out() {
    let runs = AtomicUsize::new(0);
    let hris = Hris::start(move |_| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        let mut all = slice(0, 20, 20 + run);
        for one in all.iter_mut().take(8 * run) {
            // As systems do that leave empty values out.
            one.as_object_mut().unwrap().remove("born");
        }
        Reply::Json(all.into())
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let jobticket = JobTicket::start();
    let company = company_at(&jobticket, &hris, keys);
    company.run_now().exits(0);
    company
        .run_now()
        .exits(3)
        .says("dateOfBirth is now empty for many");
    assert_eq!(jobticket.active().len(), 20);
}

#[test]
fn a_list_that_takes_longer_than_within_seconds_is_left() {
    let hris = Hris::start(|_| Reply::Hang);
    let keys = format!("{BY_OFFSET}        within_seconds: 1\n");
    let company = crate::rest_server::company(&hris, &keys);
    let ran = company.run_now().exits(4);
    ran.says("The list was not read within 1 seconds in all (within_seconds)");
    assert_eq!(hris.asked().len(), 1);
}

#[test]
fn a_service_that_is_to_stop_leaves_a_system_that_says_nothing() {
    let hris = Hris::start(|_| Reply::Hang);
    let mut company = crate::rest_server::company(&hris, BY_OFFSET);
    company.integration += "    schedule: {cron: [\"* * * * *\"]}\n";
    company.now = "2026-11-23T05:15:58Z".to_owned();
    let mut service = Service::start(&company, &[]);
    service.until(|_| (!hris.asked().is_empty()).then_some(()));
    service.stops();
    assert!(
        company.events("source_failed").is_empty(),
        "it has not failed"
    );
}
