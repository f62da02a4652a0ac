//! The routes of the API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Refused;
use super::auth::Permission;
use super::behaviour::Refusal;
use super::items::View;
use super::server::{Inner, Server, blocking};
use super::validate;
use crate::jobticket::wire::{Envelope, Page};

/// The health check. Its path is not documented.
pub(crate) const HEALTH: &str = "/health";

/// Items of a page unless the request says otherwise ("`JobTicket` API overview, Pagination").
const PER_PAGE: u64 = 10;
/// The largest page ("`JobTicket` API overview, Pagination"). What a larger one meets is not documented: here a 400.
const LARGEST_PAGE: u64 = 100;

type Shared = State<Arc<Server>>;
type Answered = Result<Response, Refused>;

pub(crate) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route(HEALTH, get(health))
        .route("/hr-integrations", get(integrations))
        .route("/hr-integrations/{id}", get(integration))
        .route("/hr-integrations/{id}/sync", post(sync))
        .route("/employees", get(employees))
        .route("/employees/{id}", get(employee))
        .route("/employees/{id}/documents", get(documents_of))
        .route("/employee-documents", get(documents))
        .route("/employee-documents/{id}", get(document))
        .method_not_allowed_fallback(async || Refused::Method)
        .fallback(async || Refused::NotFound)
        // The size is checked before, where the body is read.
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

/// Whether a request is a push.
pub(crate) fn is_sync(method: &Method, path: &str) -> bool {
    method == Method::POST && path.starts_with("/hr-integrations/") && path.ends_with("/sync")
}

/// The query of a list. `sortField`, `sortOrder` and filters are taken and do nothing: their words are not documented.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    page: Option<u64>,
    per_page: Option<u64>,
}

/// The part of a list that a request asks for.
#[derive(Debug, Clone, Copy)]
struct Range {
    page: u64,
    per_page: u64,
}

impl Range {
    fn of(query: Result<Query<ListQuery>, QueryRejection>) -> Result<Self, Refused> {
        let wrong = || Refused::Malformed("well, but page or perPage is not".to_owned());
        let Query(query) = query.map_err(|_| wrong())?;
        let range = Self {
            page: query.page.unwrap_or(1),
            per_page: query.per_page.unwrap_or(PER_PAGE),
        };
        let valid = range.page >= 1 && (1..=LARGEST_PAGE).contains(&range.per_page);
        valid.then_some(range).ok_or_else(wrong)
    }

    fn cut<'a, S, T: Serialize>(self, items: &'a [S], show: impl Fn(&'a S) -> T) -> Response {
        let skip = (self.page - 1).saturating_mul(self.per_page);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let take = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        let total = items.len() as u64;
        let page = Page {
            data: items.iter().skip(skip).take(take).map(show).collect(),
            page: self.page,
            per_page: self.per_page,
            total_pages: total.div_ceil(self.per_page),
            total,
        };
        Json(Envelope { data: page }).into_response()
    }
}

impl Server {
    fn require(&self, permissions: &[Permission]) -> Result<(), Refused> {
        self.credential
            .lacks(permissions)
            .map_or(Ok(()), |lacking| Err(Refused::Lacks(lacking)))
    }

    fn known_integration(&self, id: &str) -> Result<u64, Refused> {
        let id = id
            .parse()
            .ok()
            .filter(|id| self.integration_ids.contains(id));
        id.ok_or(Refused::NotFound)
    }

    fn view<'a>(&'a self, inner: &'a Inner) -> View<'a> {
        View {
            url: &self.url,
            behaviour: &inner.behaviour,
            today: self.clock.now().date_naive(),
        }
    }

    /// Trigger HR Sync. Blocks.
    fn sync(&self, integration: u64, body: Bytes) -> Result<(), Refused> {
        let received = validate::parse_push(&body).map_err(Refused::Malformed)?;
        let (push, errors) = validate::judge(integration, received);
        // Nothing speaks of it any more, and it is large.
        drop(body);
        let now = self.clock.now();
        let mut inner = self.lock();
        let partly =
            inner.behaviour.refusal == Refusal::NamedRecords && !push.sync_id.trim().is_empty();
        if errors.is_empty() || partly {
            self.change(&mut inner, |world, behaviour| {
                world.accept(push, behaviour, now);
            })
            .map_err(|_| Refused::NotSaved)?;
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Refused::Invalid(errors))
        }
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn sync(State(server): Shared, Path(id): Path<String>, body: Bytes) -> Answered {
    server.require(&Permission::SYNC)?;
    let integration = server.known_integration(&id)?;
    blocking(move || server.sync(integration, body)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn employees(
    State(server): Shared,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answered {
    server.require(&[Permission::ViewEmployees])?;
    let range = Range::of(query)?;
    let inner = server.lock();
    let view = server.view(&inner);
    Ok(range.cut(&inner.world.employees, |employee| view.employee(employee)))
}

async fn employee(State(server): Shared, Path(id): Path<String>) -> Answered {
    server.require(&[Permission::ViewEmployees])?;
    let inner = server.lock();
    let found = id
        .parse()
        .ok()
        .and_then(|id| inner.world.employee(id))
        .ok_or(Refused::NotFound)?;
    Ok(Json(Envelope {
        data: server.view(&inner).employee(found),
    })
    .into_response())
}

async fn documents_of(
    State(server): Shared,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answered {
    server.require(&[Permission::ViewEmployees])?;
    let range = Range::of(query)?;
    let id = id.parse().ok();
    id.and_then(|id| server.lock().world.employee(id).map(|_| ()))
        .ok_or(Refused::NotFound)?;
    Ok(range.cut(&[(); 0], |()| Value::Null))
}

async fn documents(
    State(server): Shared,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answered {
    server.require(&[Permission::ViewEmployees])?;
    Ok(Range::of(query)?.cut(&[(); 0], |()| Value::Null))
}

/// The sandbox makes no documents, so there is none with this id.
async fn document(State(server): Shared) -> Answered {
    server.require(&[Permission::ViewEmployees])?;
    Err(Refused::NotFound)
}

async fn integrations(
    State(server): Shared,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answered {
    server.require(&[Permission::ViewHrIntegrations])?;
    let range = Range::of(query)?;
    let inner = server.lock();
    let view = server.view(&inner);
    Ok(range.cut(&server.integration_ids, |id| {
        view.integration(*id, inner.world.integrations.get(id))
    }))
}

async fn integration(State(server): Shared, Path(id): Path<String>) -> Answered {
    server.require(&[Permission::ViewHrIntegrations])?;
    let id = server.known_integration(&id)?;
    let inner = server.lock();
    let item = server
        .view(&inner)
        .integration(id, inner.world.integrations.get(&id));
    Ok(Json(Envelope { data: item }).into_response())
}
