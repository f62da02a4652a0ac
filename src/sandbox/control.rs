//! The control endpoints under `/_sandbox/`, for tests: faults, behaviour, people, and what was seen.
//!
//! They ask for no credential and count for no rate limit, so they exist only where the configuration says so.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::Refused;
use super::behaviour::Behaviour;
use super::desk::LARGEST_BODY;
use super::fault::Fault;
use super::items::link_item;
use super::limit::WINDOW;
use super::record::SeenPush;
use super::seed::SeedEmployee;
use super::server::{Server, blocking};
use super::validate;

/// Where the control endpoints are.
pub(crate) const PREFIX: &str = "/_sandbox/";

type Shared = State<Arc<Server>>;

pub(crate) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/_sandbox/faults", post(add_faults).delete(clear_faults))
        .route("/_sandbox/behaviour", get(behaviour).post(set_behaviour))
        .route("/_sandbox/employees", post(add_employees))
        .route("/_sandbox/state", get(state))
        .route("/_sandbox/pushes/{number}", get(push))
        .route("/_sandbox/requests/max-in-window", get(max_in_window))
        .method_not_allowed_fallback(async || Refused::Method)
        .fallback(async || Refused::NotFound)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(server)
}

/// Parses what a test sends. Switches and faults hold nothing personal: here the parser may say what it did not like.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::Unusable(error.to_string()))
}

async fn add_faults(State(server): Shared, body: Bytes) -> Result<StatusCode, Refused> {
    let faults: Vec<Fault> = parse(&body)?;
    for fault in &faults {
        fault.check().map_err(Refused::Unusable)?;
    }
    server.lock().faults.append(faults);
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(server): Shared) -> StatusCode {
    server.lock().faults.clear();
    StatusCode::NO_CONTENT
}

async fn behaviour(State(server): Shared) -> Json<Behaviour> {
    Json(server.lock().behaviour.clone())
}

/// Replaces all switches: those that the body leaves out go back to their defaults.
async fn set_behaviour(State(server): Shared, body: Bytes) -> Result<StatusCode, Refused> {
    let behaviour = parse(&body)?;
    server.lock().behaviour = behaviour;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_employees(State(server): Shared, body: Bytes) -> Result<Response, Refused> {
    let people: Vec<SeedEmployee> = validate::parse(&body).map_err(Refused::Malformed)?;
    let ids = blocking(move || {
        let today = server.clock.now().date_naive();
        let add = |person: SeedEmployee| person.into_employee(today);
        server.change(&mut server.lock(), |world, _| {
            people
                .into_iter()
                .map(|person| world.add(add(person)))
                .collect::<Vec<_>>()
        })
    })
    .await
    .map_err(|_| Refused::NotSaved)?;
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response())
}

async fn state(State(server): Shared) -> Json<Value> {
    let (mut state, pushes) = {
        let inner = server.lock();
        let employees = inner.world.employees.iter().map(|employee| {
            json!({
                "id": employee.id,
                "hrId": employee.links.first().map(|link| &link.hr_id),
                "email": employee.email,
                "subscriptionStatus": employee.subscription.status,
                "links": employee.links.iter().map(|link| link_item(link, true)).collect::<Vec<_>>(),
            })
        });
        let state = json!({
            "employees": employees.collect::<Vec<_>>(),
            "pending": inner.world.pending.len(),
            "mostPushesAtOnce": inner.records.most_pushes_at_once(),
            "requests": inner.records.requests(),
        });
        (state, inner.records.pushes().clone())
    };
    // Reading them takes long enough that the requests of others must not wait for it.
    state["pushes"] =
        blocking(move || json!(pushes.iter().map(SeenPush::item).collect::<Vec<_>>())).await;
    Json(state)
}

/// A push, its body word for word where it is JSON, else as text.
async fn push(State(server): Shared, Path(number): Path<String>) -> Result<Response, Refused> {
    let number = number.parse().map_err(|_| Refused::NotFound)?;
    let push = server
        .lock()
        .records
        .push(number)
        .cloned()
        .ok_or(Refused::NotFound)?;
    let answer = Pushed {
        number,
        content_type: push.content_type.as_deref(),
        user_agent: push.user_agent.as_deref(),
        body: serde_json::from_slice(&push.body).ok(),
        text: String::from_utf8_lossy(&push.body),
    };
    Ok(Json(answer).into_response())
}

/// The shape of `GET /_sandbox/pushes/{n}`.
#[derive(serde::Serialize)]
struct Pushed<'a> {
    number: usize,
    content_type: Option<&'a str>,
    user_agent: Option<&'a str>,
    /// The body as JSON, null where it is none.
    body: Option<&'a RawValue>,
    /// The body as it came, byte for byte where it is UTF-8.
    text: std::borrow::Cow<'a, str>,
}

async fn max_in_window(State(server): Shared) -> Json<Value> {
    let max = server.lock().records.most_in_window();
    Json(json!({ "max": max, "window_seconds": WINDOW.num_seconds() }))
}
