//! The sandbox over real sockets, as a client sees it.

mod api;
mod control;
mod faults;
mod keeping;

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::*;

const KEY: &str = "f1b24afa-39c6-4cc2-b545-cfab6b687f6e";

fn config() -> SandboxConfig {
    let clock = Clock::starting_at("2026-03-02T08:00:00Z".parse().unwrap());
    let config = SandboxConfig::new(KEY.to_owned(), "secret".to_owned(), vec![7, 8], clock);
    SandboxConfig {
        control: true,
        ..config
    }
}

/// A sandbox and a client with its credential.
struct Bench {
    sandbox: Sandbox,
    client: Client,
}

impl Bench {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        // A connection of its own for each request: a broken one must not be taken for an old one and tried again.
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .user_agent("bench")
            .build()
            .unwrap();
        Self { sandbox, client }
    }

    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.sandbox.url()))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).basic_auth(KEY, Some("secret"))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        read(response).await
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    fn sync(&self, sync_id: &str, employees: &[Value]) -> RequestBuilder {
        let body = json!({"syncId": sync_id, "employees": employees}).to_string();
        self.request(Method::POST, "/hr-integrations/7/sync")
            .header("content-type", "application/json")
            .body(body)
    }

    async fn push(&self, sync_id: &str, employees: &[Value]) -> Response {
        self.sync(sync_id, employees).send().await.unwrap()
    }

    /// Sends to a control endpoint.
    async fn control(&self, path: &str, body: &Value) -> u16 {
        let request = self
            .bare(Method::POST, &format!("/_sandbox/{path}"))
            .body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    }

    async fn fault(&self, fault: Value) {
        assert_eq!(self.control("faults", &json!([fault])).await, 204);
    }

    /// Asks for the state until it is as wished.
    async fn wait_until(&self, wished: impl Fn(&Value) -> bool) {
        let asking = async { while !wished(&self.json("/_sandbox/state").await) {} };
        tokio::time::timeout(Duration::from_secs(30), asking)
            .await
            .expect("it never came to that");
    }

    /// The subscription of each person.
    async fn statuses(&self) -> Vec<Value> {
        let state = self.json("/_sandbox/state").await;
        let people = state["employees"].as_array().unwrap();
        people
            .iter()
            .map(|person| person["subscriptionStatus"].clone())
            .collect()
    }
}

async fn read(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn person(hr_id: &str) -> Value {
    json!({"firstName": "Anna", "lastName": "Müller", "email": format!("{hr_id}@example.com"), "profileImage": null,
        "dateOfBirth": "1990-04-15", "hrId": hr_id, "startDate": "2022-03-01", "terminationDate": null,
        "autoSyncEmployee": null, "absences": []})
}

fn people(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| person(&format!("p{number:03}")))
        .collect()
}
