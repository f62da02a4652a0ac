//! Each kind of fault over a real connection, with what was processed and what was not.

use super::*;

const ACTIVE: &str = "active";

#[tokio::test]
async fn status_answers_without_processing() {
    let bench = Bench::new().await;
    let kind = json!({"status": {"code": 503, "retry_after": "7", "body": "busy"}});
    bench
        .fault(json!({"on": {"method": "POST"}, "kind": kind}))
        .await;
    assert_eq!(bench.status("/employees").await, 200);
    let response = bench.push("one", &people(3)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(response.headers()["date"].to_str().unwrap().len(), 29);
    assert_eq!(response.text().await.unwrap(), "busy");
    assert!(bench.statuses().await.is_empty());
    assert_eq!(bench.push("one", &people(3)).await.status(), 204);
    let pushes = bench.json("/_sandbox/state").await["pushes"].clone();
    assert_eq!(
        (&pushes[0]["status"], &pushes[0]["processed"]),
        (&json!(503), &json!(false))
    );
    assert_eq!(
        (&pushes[1]["status"], &pushes[1]["processed"]),
        (&json!(204), &json!(true))
    );
}

#[tokio::test]
async fn drop_before_closes_without_processing() {
    let bench = Bench::new().await;
    bench.fault(json!({"kind": "drop_before"})).await;
    assert!(bench.sync("one", &people(3)).send().await.is_err());
    assert!(bench.statuses().await.is_empty());
}

#[tokio::test]
async fn drop_after_processes_and_closes() {
    let bench = Bench::new().await;
    bench.fault(json!({"kind": "drop_after"})).await;
    assert!(bench.sync("one", &people(3)).send().await.is_err());
    assert_eq!(bench.statuses().await, [ACTIVE; 3]);
    let state = bench.json("/_sandbox/state").await;
    assert_eq!(state["pushes"][0]["status"], 204);
    assert_eq!(state["requests"][0]["status"], Value::Null);
}

#[tokio::test]
async fn status_after_processes_and_answers_otherwise() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"status_after": {"code": 502}}}))
        .await;
    assert_eq!(bench.push("one", &people(3)).await.status(), 502);
    assert_eq!(bench.statuses().await, [ACTIVE; 3]);
}

#[tokio::test]
async fn delay_waits_before_it_processes() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"delay": {"ms": 60_000}}}))
        .await;
    let waiting = tokio::spawn(bench.sync("one", &people(1)).send());
    bench
        .wait_until(|state| state["pushes"][0]["count"] == 1)
        .await;
    assert!(bench.statuses().await.is_empty());
    waiting.abort();
}

#[tokio::test]
async fn delay_goes_on_after_the_client_gave_up() {
    let bench = Bench::new().await;
    bench.fault(json!({"kind": {"delay": {"ms": 200}}})).await;
    let waiting = tokio::spawn(bench.sync("one", &people(1)).send());
    bench
        .wait_until(|state| state["pushes"][0]["count"] == 1)
        .await;
    waiting.abort();
    bench
        .wait_until(|state| state["employees"][0]["subscriptionStatus"] == ACTIVE)
        .await;
}

#[tokio::test]
async fn delay_after_processes_before_it_waits() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"delay_after": {"ms": 60_000}}}))
        .await;
    let waiting = tokio::spawn(bench.sync("one", &people(1)).send());
    bench
        .wait_until(|state| state["employees"][0]["subscriptionStatus"] == ACTIVE)
        .await;
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_short_delay_is_answered_in_full() {
    let bench = Bench::new().await;
    bench.fault(json!({"kind": {"delay": {"ms": 1}}})).await;
    bench
        .fault(json!({"kind": {"delay_after": {"ms": 1}}}))
        .await;
    assert_eq!(bench.push("one", &people(1)).await.status(), 204);
    assert_eq!(bench.json("/employees").await["data"]["total"], 1);
}

#[tokio::test]
async fn cut_body_sends_half_of_what_it_announces() {
    let bench = Bench::new().await;
    bench.push("one", &people(20)).await;
    let whole = bench.get("/employees").await.bytes().await.unwrap();
    bench.fault(json!({"kind": "cut_body"})).await;
    let mut response = bench.get("/employees").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.content_length(), Some(whole.len() as u64));
    let mut got = Vec::new();
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got.extend_from_slice(&chunk),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(end.is_err(), "the client sees that the body is not whole");
    assert_eq!(got, whole[..whole.len() / 2]);
}

#[tokio::test]
async fn lie_total_changes_the_total_alone() {
    let bench = Bench::new().await;
    bench.push("one", &people(3)).await;
    bench
        .fault(json!({"kind": {"lie_total": {"add": 2}}}))
        .await;
    bench
        .fault(json!({"kind": {"lie_total": {"add": -9}}}))
        .await;
    for total in [5, 0, 3] {
        let list = bench.json("/employees").await["data"].clone();
        assert_eq!(list["total"], total);
        assert_eq!(list["totalPages"], 1);
        assert_eq!(list["data"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn repeat_page_gives_the_page_before_under_the_asked_number() {
    let bench = Bench::new().await;
    bench.push("one", &people(30)).await;
    bench.fault(json!({"kind": "repeat_page"})).await;
    let first = bench.json("/employees?perPage=10&page=1").await["data"].clone();
    let second = bench.json("/employees?perPage=10&page=2").await["data"].clone();
    assert_eq!(first["data"], second["data"]);
    assert_eq!(
        (&second["page"], &second["perPage"]),
        (&json!(2), &json!(10))
    );
    let honest = bench.json("/employees?perPage=10&page=2").await["data"].clone();
    assert_eq!(honest["data"][0]["id"], 11);
}

#[tokio::test]
async fn html_200_is_no_json_and_processes_nothing() {
    let bench = Bench::new().await;
    bench.fault(json!({"kind": "html_200"})).await;
    let response = bench.push("one", &people(1)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert!(bench.statuses().await.is_empty());
}

#[tokio::test]
async fn redirect_points_elsewhere_and_processes_nothing() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"redirect": {"code": 307, "to": "/health"}}}))
        .await;
    let response = bench.push("one", &people(1)).await;
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], "/health");
    assert!(bench.statuses().await.is_empty());
}

#[tokio::test]
async fn a_refused_request_leaves_the_fault_for_the_next_and_a_faulty_one_counts() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"status": {"code": 500}}, "times": 100}))
        .await;
    assert_eq!(
        bench
            .bare(Method::GET, "/employees")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    for _ in 0..100 {
        assert_eq!(bench.status("/employees").await, 500);
    }
    assert_eq!(bench.status("/employees").await, 429);
}

#[tokio::test]
async fn faults_can_be_taken_back_and_impossible_ones_are_refused() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": "drop_before", "times": 9}))
        .await;
    let clear = bench
        .bare(Method::DELETE, "/_sandbox/faults")
        .send()
        .await
        .unwrap();
    assert_eq!(clear.status(), 204);
    assert_eq!(bench.status("/employees").await, 200);
    for kind in [
        json!("drop"),
        json!({"status": {"code": 99}}),
        json!({"status": {"cod": 500}}),
    ] {
        assert_eq!(bench.control("faults", &json!([{"kind": kind}])).await, 400);
    }
}

#[tokio::test]
async fn a_spoilt_record_is_refused_by_name_and_pushes_without_it_go_through() {
    let bench = Bench::new().await;
    let behaviour = json!({"refusal": "named_records"});
    assert_eq!(bench.control("behaviour", &behaviour).await, 204);
    assert_eq!(bench.push("one", &people(3)).await.status(), 204);
    let kind = json!({"spoil_record": {"hr_id": "p001"}});
    bench.fault(json!({"times": 9, "kind": kind})).await;
    assert_eq!(bench.status("/employees").await, 200);
    let response = bench.push("two", &people(2)).await;
    assert_eq!(response.status(), 422);
    assert!(read(response).await["errors"]["employees.1.firstName"].is_array());
    assert_eq!(bench.statuses().await, [ACTIVE, ACTIVE, "cancelled"]);
    assert_eq!(bench.push("three", &people(1)).await.status(), 204);
    assert_eq!(bench.statuses().await, [ACTIVE, "cancelled", "cancelled"]);
}
