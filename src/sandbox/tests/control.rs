//! The control endpoints, and what they show.

use super::*;

#[tokio::test]
async fn without_control_there_are_no_control_endpoints() {
    let bench = Bench::with(SandboxConfig {
        control: false,
        ..config()
    })
    .await;
    assert_eq!(bench.status("/_sandbox/state").await, 404);
    let bare = bench
        .bare(Method::GET, "/_sandbox/state")
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
}

#[tokio::test]
async fn the_state_shows_people_pushes_and_requests() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a"), person("b")]).await;
    bench
        .bare(Method::GET, "/employees?email=a")
        .send()
        .await
        .unwrap();
    let state = bench.json("/_sandbox/state").await;
    let employee = &state["employees"][0];
    assert_eq!(
        (&employee["hrId"], &employee["email"]),
        (&json!("a"), &json!("a@example.com"))
    );
    assert_eq!(employee["links"][0]["lastSyncId"], "one");
    let push = &state["pushes"][0];
    assert_eq!(
        (&push["syncId"], &push["count"]),
        (&json!("one"), &json!(2))
    );
    assert_eq!(push["hrIds"], json!(["a", "b"]));
    let requests = state["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "the control requests are not among them");
    let (first, second) = (&requests[0], &requests[1]);
    assert_eq!(
        (&first["method"], &first["status"]),
        (&json!("POST"), &json!(204))
    );
    assert_eq!(
        (&first["authorized"], &first["user_agent"]),
        (&json!(true), &json!("bench"))
    );
    assert_eq!(
        (&second["path"], &second["status"]),
        (&json!("/employees"), &json!(401))
    );
    assert_eq!(second["authorized"], false);
}

#[tokio::test]
async fn a_push_can_be_looked_at_as_it_came() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a")]).await;
    let push = bench.json("/_sandbox/pushes/1").await;
    assert_eq!(push["body"]["employees"][0], person("a"));
    assert_eq!(push["content_type"], "application/json");
    assert_eq!(push["user_agent"], "bench");
    let text = push["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), push["body"]);
    let broken = bench
        .request(Method::POST, "/hr-integrations/7/sync")
        .body("{");
    assert_eq!(broken.send().await.unwrap().status(), 400);
    assert_eq!(bench.json("/_sandbox/pushes/2").await["text"], "{");
    for path in [
        "/_sandbox/pushes/0",
        "/_sandbox/pushes/3",
        "/_sandbox/pushes/x",
    ] {
        assert_eq!(bench.status(path).await, 404);
    }
}

#[tokio::test]
async fn a_push_is_shown_whether_or_not_it_was_processed_and_could_be_read() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"status": {"code": 503}}}))
        .await;
    assert_eq!(bench.push("one", &people(2)).await.status(), 503);
    let unread = bench
        .request(Method::POST, "/hr-integrations/7/sync")
        .body(r#"{"syncId":"two","employees":[{"hrId":"a"},{"hrId":"b","firstName":1}]}"#);
    assert_eq!(unread.send().await.unwrap().status(), 400);
    let pushes = bench.json("/_sandbox/state").await["pushes"].clone();
    for push in pushes.as_array().unwrap() {
        assert!(push["at"].as_str().unwrap().starts_with("2026-03-02T08:"));
    }
    let shown = |push: &Value| {
        let keys = ["number", "syncId", "count", "hrIds", "status", "processed"];
        assert_eq!(push.as_object().unwrap().len(), keys.len() + 1);
        keys.map(|key| push[key].clone())
    };
    let one = [
        json!(1),
        json!("one"),
        json!(2),
        json!(["p000", "p001"]),
        json!(503),
        json!(false),
    ];
    let two = [
        json!(2),
        json!(null),
        json!(0),
        json!([]),
        json!(400),
        json!(true),
    ];
    assert_eq!([shown(&pushes[0]), shown(&pushes[1])], [one, two]);
}

#[tokio::test]
async fn people_can_be_put_there_with_and_without_links() {
    let bench = Bench::new().await;
    let people = json!([
        {"firstName": "A", "lastName": "A", "email": "a@example.com"},
        {"firstName": "B", "lastName": "B", "email": "b@example.com", "status": "scheduled-pause",
         "links": [{"hrId": "b", "hrIntegrationId": 7}]},
    ]);
    assert_eq!(bench.control("employees", &people).await, 201);
    assert_eq!(bench.statuses().await, ["active", "scheduled-pause"]);
    assert_eq!(bench.push("one", &[]).await.status(), 204);
    assert_eq!(bench.statuses().await, ["active", "cancelled"]);
    assert_eq!(
        bench
            .control("employees", &json!([{"firstname": "A"}]))
            .await,
        400
    );
}

#[tokio::test]
async fn the_behaviour_is_replaced_as_a_whole() {
    let bench = Bench::new().await;
    assert_eq!(
        bench
            .control("behaviour", &json!({"retry_after": "http_date"}))
            .await,
        204
    );
    assert_eq!(
        bench
            .control("behaviour", &json!({"unlinked_people": "offboarded"}))
            .await,
        204
    );
    let shown: Behaviour = serde_json::from_value(bench.json("/_sandbox/behaviour").await).unwrap();
    let expected = Behaviour {
        unlinked_people: Others::Offboarded,
        ..Behaviour::default()
    };
    assert_eq!(shown, expected);
    assert_eq!(
        bench
            .control("behaviour", &json!({"unlinked": "kept"}))
            .await,
        400
    );
}
