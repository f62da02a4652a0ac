//! The API without faults: each status, and the shape of the answers.

use super::*;
use crate::jobticket::wire::{Envelope, HrIntegration, ListedEmployee, Page};

#[tokio::test]
async fn the_health_check_needs_no_credential_and_does_not_count() {
    let bench = Bench::new().await;
    for _ in 0..101 {
        let response = bench.bare(Method::GET, "/health").send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(bench.status("/employees").await, 200);
    let max = bench.json("/_sandbox/requests/max-in-window").await;
    assert_eq!(max, json!({"max": 1, "window_seconds": 60}));
}

#[tokio::test]
async fn a_push_is_answered_with_204_and_no_body_and_is_read_back() {
    let bench = Bench::new().await;
    let response = bench.push("one", &[person("007")]).await;
    assert_eq!(response.status(), 204);
    let date = response.headers()["date"].to_str().unwrap().to_owned();
    assert!(
        date.starts_with("Mon, 02 Mar 2026 08:"),
        "the sandbox's own time, not {date}"
    );
    assert!(response.bytes().await.unwrap().is_empty());
    let page: Envelope<Page<ListedEmployee>> =
        serde_json::from_value(bench.json("/employees").await).unwrap();
    let link = page.data.data[0].links().next().unwrap();
    assert_eq!(
        (link.hr_id.as_deref(), link.hr_integration_id),
        (Some("007"), Some(7))
    );
    assert_eq!(link.last_sync_id.as_deref(), Some("one"));
    let item = bench.json("/employees/1").await["data"].clone();
    assert_eq!(item["subscription"]["status"], "active");
    assert_eq!(item["subscription"]["nextTicketAt"], "2026-04-01");
    assert_eq!(item["ticket"]["validUntil"], "2026-03-31");
    assert_eq!(item["plan"]["type"], "fully-subsidized-plan");
    let url = bench.sandbox.url();
    assert_eq!(item["_links"]["self"]["href"], format!("{url}/employees/1"));
    assert_eq!(
        bench.json("/employees/1/documents").await["data"]["total"],
        0
    );
    assert_eq!(
        bench.json("/employee-documents").await["data"]["data"],
        json!([])
    );
}

#[tokio::test]
async fn two_hundred_and_fifty_people_come_in_pages() {
    let bench = Bench::new().await;
    assert_eq!(bench.push("one", &people(250)).await.status(), 204);
    let mut ids = Vec::new();
    for (page, items) in [(1, 100), (2, 100), (3, 50), (4, 0)] {
        let path = format!("/employees?page={page}&perPage=100&sortField=id&sortOrder=asc");
        let list = bench.json(&path).await["data"].clone();
        let head = (
            &list["page"],
            &list["perPage"],
            &list["totalPages"],
            &list["total"],
        );
        assert_eq!(head, (&json!(page), &json!(100), &json!(3), &json!(250)));
        let data = list["data"].as_array().unwrap();
        assert_eq!(data.len(), items);
        ids.extend(data.iter().map(|item| item["id"].as_u64().unwrap()));
    }
    assert_eq!(ids, (1..=250).collect::<Vec<_>>());
    let first = bench.json("/employees").await["data"].clone();
    assert_eq!(
        (&first["perPage"], &first["totalPages"]),
        (&json!(10), &json!(25))
    );
    for query in ["page=0", "page=x", "perPage=0", "perPage=101"] {
        assert_eq!(
            bench.status(&format!("/employees?{query}")).await,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_body_larger_than_axums_own_limit_is_taken() {
    let bench = Bench::new().await;
    let mut one = person("a");
    one["profileImage"] = json!("x".repeat(5 * 1024 * 1024));
    assert_eq!(bench.push("one", &[one]).await.status(), 204);
}

#[tokio::test]
async fn a_wrong_or_missing_credential_is_401() {
    let bench = Bench::new().await;
    let bare = bench.bare(Method::GET, "/employees").send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert!(bare.headers().contains_key("www-authenticate"));
    let wrong = bench
        .bare(Method::GET, "/nowhere")
        .basic_auth(KEY, Some("other"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let push = bench
        .bare(Method::POST, "/hr-integrations/7/sync")
        .body("{}");
    assert_eq!(push.send().await.unwrap().status(), 401);
    assert_eq!(bench.statuses().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_missing_permission_is_403() {
    for (permission, list, integrations, sync) in [
        (Permission::ViewEmployees, 403, 200, 403),
        (Permission::ViewHrIntegrations, 200, 403, 204),
        (Permission::AddEmployees, 200, 200, 403),
        (Permission::UpdateEmployees, 200, 200, 403),
        (Permission::RemoveEmployees, 200, 200, 403),
    ] {
        let mut config = config();
        config.permissions.remove(&permission);
        let bench = Bench::with(config).await;
        assert_eq!(bench.status("/employees").await, list);
        assert_eq!(bench.status("/hr-integrations/7").await, integrations);
        assert_eq!(bench.push("one", &[]).await.status(), sync);
    }
}

#[tokio::test]
async fn an_unknown_id_is_404() {
    let bench = Bench::new().await;
    for path in [
        "/employees/1",
        "/employees/x/documents",
        "/hr-integrations/9",
        "/nowhere",
    ] {
        assert_eq!(bench.status(path).await, 404, "{path}");
    }
    let push = bench.request(Method::POST, "/hr-integrations/9/sync");
    assert_eq!(
        push.body(r#"{"syncId":"s","employees":[]}"#)
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    let delete = bench
        .request(Method::DELETE, "/employees")
        .send()
        .await
        .unwrap();
    assert_eq!(delete.status(), 405);
}

#[tokio::test]
async fn a_malformed_body_is_400_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a")]).await;
    for body in [
        "",
        "{",
        "[]",
        r#"{"syncId":"s"}"#,
        r#"{"syncId":"s","employees":[{"hrId":1}]}"#,
    ] {
        let request = bench
            .request(Method::POST, "/hr-integrations/7/sync")
            .body(body);
        assert_eq!(request.send().await.unwrap().status(), 400, "{body}");
    }
    assert_eq!(bench.statuses().await, ["active"]);
}

#[tokio::test]
async fn a_422_names_the_fields_and_refuses_the_whole_roster() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a"), person("b")]).await;
    let mut bad = person("c");
    bad["email"] = json!("no address");
    let response = bench.push("two", &[person("d"), bad]).await;
    assert_eq!(response.status(), 422);
    let answer = read(response).await;
    assert_eq!(
        answer["errors"],
        json!({"employees.1.email": ["must be an e-mail address"]})
    );
    assert_eq!(bench.statuses().await, ["active", "active"]);
}

#[tokio::test]
async fn a_422_that_refuses_named_records_applies_the_others() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a"), person("b")]).await;
    assert_eq!(
        bench
            .control("behaviour", &json!({"refusal": "named_records"}))
            .await,
        204
    );
    let mut bad = person("a");
    bad["lastName"] = json!("");
    assert_eq!(bench.push("two", &[bad, person("c")]).await.status(), 422);
    assert_eq!(bench.statuses().await, ["active", "cancelled", "active"]);
}

#[tokio::test]
async fn an_integration_waits_for_its_first_sync() {
    let bench = Bench::new().await;
    let list = bench.json("/hr-integrations").await["data"].clone();
    assert_eq!(list["total"], 2);
    assert_eq!(list["data"][0]["status"], "INITIAL SYNC PENDING");
    bench.push("one", &[]).await;
    let answer = bench.json("/hr-integrations/7").await;
    let read: Envelope<HrIntegration> = serde_json::from_value(answer).unwrap();
    assert_eq!(read.data.last_sync_id.as_deref(), Some("one"));
    assert_eq!(
        read.data.last_synced.unwrap()[..10].to_owned(),
        "2026-03-02"
    );
    bench
        .control(
            "behaviour",
            &json!({"last_sync_id_on_integration": "absent"}),
        )
        .await;
    let answer = bench.json("/hr-integrations/7").await;
    assert!(answer["data"].get("lastSyncId").is_none());
}

#[tokio::test]
async fn the_switches_of_the_answers_show() {
    let bench = Bench::new().await;
    bench.push("one", &[person("a")]).await;
    let switches = json!({"link_key": "hrIntegrationLinks", "last_sync_id_on_links": "absent"});
    bench.control("behaviour", &switches).await;
    let item = bench.json("/employees/1").await["data"].clone();
    assert!(item.get("hrIntergartionLinks").is_none());
    assert_eq!(item["hrIntegrationLinks"][0]["hrId"], "a");
    assert!(item["hrIntegrationLinks"][0].get("lastSyncId").is_none());
}

#[tokio::test]
async fn a_late_push_shows_after_so_many_requests() {
    let bench = Bench::new().await;
    bench
        .control(
            "behaviour",
            &json!({"processing": {"later": {"after_requests": 2}}}),
        )
        .await;
    assert_eq!(bench.push("one", &[person("a")]).await.status(), 204);
    let mut totals = Vec::new();
    for _ in 0..4 {
        totals.push(bench.json("/employees").await["data"]["total"].clone());
    }
    assert_eq!(totals, [0, 0, 1, 1]);
}

#[tokio::test]
async fn the_hundred_and_first_request_is_429_and_pushes_are_blocked_too() {
    let bench = Bench::new().await;
    for _ in 0..100 {
        assert_eq!(bench.status("/hr-integrations").await, 200);
    }
    let refused = bench.get("/employees").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "300");
    assert_eq!(bench.push("one", &[person("a")]).await.status(), 429);
    bench
        .control("behaviour", &json!({"retry_after": "http_date"}))
        .await;
    let refused = bench.get("/employees").await;
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .ends_with("GMT")
    );
    assert!(
        bench.statuses().await.is_empty(),
        "the control endpoints are not limited"
    );
    let max = bench.json("/_sandbox/requests/max-in-window").await;
    assert_eq!(max["max"], 103);
}
