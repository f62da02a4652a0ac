//! One request from its arrival to its answer: credential, rate limit, fault, processing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{DATE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tower::ServiceExt;

use super::answer::{self, Refused};
use super::api;
use super::control;
use super::error::SandboxError;
use super::fault::{self, FaultKind};
use super::record::{self, SeenPush, SeenRequest};
use super::server::{Server, blocking};

/// The largest body taken: 256 MiB. The real limit is not documented; this one is meant to be no limit for a roster.
pub(crate) const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("Closed on demand")]
pub(crate) struct Closed;

/// What a server answers with: its shared part and its routes.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) server: Arc<Server>,
    api: Router,
    control: Router,
}

impl Desk {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        let api = api::routes(server.clone());
        let control = control::routes(server.clone());
        Self {
            server,
            api,
            control,
        }
    }

    /// Answers a request, or closes the connection.
    pub(crate) async fn answer(self, request: Request) -> Result<Response, Closed> {
        let controls = self.server.control && request.uri().path().starts_with(control::PREFIX);
        let mut response = if controls {
            route(self.control.clone(), request).await
        } else {
            self.record(request).await?
        };
        // hyper would take the system's clock.
        let date = HeaderValue::from_str(&answer::http_date(self.server.clock.now()));
        response
            .headers_mut()
            .insert(DATE, date.expect("a date is plain ASCII"));
        Ok(response)
    }

    /// Notes the request and what became of it.
    async fn record(&self, request: Request) -> Result<Response, Closed> {
        let authorized = self.server.credential.accepts(request.headers());
        let health = is_health(request.method(), request.uri());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let seen = SeenRequest {
            at: self.server.clock.now(),
            method: method.to_string(),
            path: path.clone(),
            status: None,
            authorized,
            user_agent: record::text(request.headers(), &USER_AGENT),
        };
        let number = self.server.lock().records.arrived(seen, !health);
        let result = self.admit(request, health || authorized, health).await;
        match &result {
            Ok(response) => {
                let status = response.status();
                self.server.lock().records.answered(number, status);
                tracing::debug!(
                    http.method = %method,
                    http.path = path,
                    http.status = status.as_u16(),
                    "The sandbox has answered a request"
                );
            }
            Err(Closed) => {
                tracing::debug!(http.method = %method, http.path = path, "The sandbox has closed a connection on demand");
            }
        }
        result
    }

    /// Credential, rate limit, body. A refused body is read to its end, so that the client sees the answer and not a
    /// broken connection.
    async fn admit(
        &self,
        request: Request,
        authorized: bool,
        health: bool,
    ) -> Result<Response, Closed> {
        let (parts, body) = request.into_parts();
        if !authorized {
            drain(body).await;
            return Ok(Refused::Unauthorized.into_response());
        }
        if !health && let Err(refused) = self.count() {
            drain(body).await;
            return Ok(refused.into_response());
        }
        let body = match collect(body).await {
            Ok(body) => body,
            Err(refused) => return Ok(refused.into_response()),
        };
        let fault = {
            let page = query_number(&parts.uri, "page").unwrap_or(1);
            self.server
                .lock()
                .faults
                .take(&parts.method, parts.uri.path(), page)
        };
        self.meet(parts, body, fault).await
    }

    fn count(&self) -> Result<(), Refused> {
        let now = self.server.clock.now();
        let mut inner = self.server.lock();
        let form = inner.behaviour.retry_after;
        inner
            .limit
            .take(now)
            .map_err(|until| Refused::Blocked { now, until, form })
    }

    /// The fault of this request, before and after its processing.
    async fn meet(
        &self,
        parts: Parts,
        body: Bytes,
        fault: Option<FaultKind>,
    ) -> Result<Response, Closed> {
        let _under_way = api::is_sync(&parts.method, parts.uri.path())
            .then(|| self.server.lock().records.mark_push());
        let push = self.note_push(&parts, &body);
        let canned = match &fault {
            Some(FaultKind::DropBefore) => return Err(Closed),
            Some(FaultKind::Status {
                code,
                retry_after,
                body,
            }) => Some(answer::status(
                fault::status(*code),
                retry_after.as_deref(),
                body.clone(),
            )),
            Some(FaultKind::Html200) => Some(answer::html()),
            Some(FaultKind::Redirect { code, to }) => {
                Some(answer::redirect(fault::status(*code), to))
            }
            _ => None,
        };
        if let Some(canned) = canned {
            self.push_ended(push, canned.status(), false);
            return Ok(canned);
        }
        if let Some(FaultKind::Delay { ms }) = fault {
            self.server.clock.sleep(Duration::from_millis(ms)).await;
        }
        if let Some(FaultKind::Stall { ms }) = fault {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let body = match &fault {
            Some(FaultKind::SpoilRecord { hr_id }) => fault::spoil(body, hr_id),
            _ => body,
        };
        let page = query_number(&parts.uri, "page").unwrap_or(1);
        let mut request = Request::from_parts(parts, Body::from(body));
        if fault == Some(FaultKind::RepeatPage) {
            let uri = with_page(request.uri(), page.saturating_sub(1));
            *request.uri_mut() = uri;
        }
        let response = self.process(request).await;
        self.push_ended(push, response.status(), true);
        Ok(match fault {
            Some(FaultKind::DropAfter) => return Err(Closed),
            Some(FaultKind::StatusAfter { code }) => {
                answer::status(fault::status(code), None, None)
            }
            Some(FaultKind::DelayAfter { ms }) => {
                self.server.clock.sleep(Duration::from_millis(ms)).await;
                response
            }
            Some(FaultKind::CutBody) => answer::cut(response).await,
            Some(FaultKind::LieTotal { add }) => {
                answer::edit_list(response, |list| {
                    let total = list["total"].as_u64().unwrap_or(0);
                    list["total"] = Value::from(total.saturating_add_signed(add));
                })
                .await
            }
            Some(FaultKind::RepeatPage) => {
                answer::edit_list(response, |list| list["page"] = Value::from(page)).await
            }
            _ => response,
        })
    }

    /// Keeps a push for the control endpoints to show; without them it would only fill the memory.
    fn note_push(&self, parts: &Parts, body: &Bytes) -> Option<usize> {
        if !self.server.control || !api::is_sync(&parts.method, parts.uri.path()) {
            return None;
        }
        let seen = SeenPush::new(self.server.clock.now(), &parts.headers, body.clone());
        Some(self.server.lock().records.pushed(seen))
    }

    fn push_ended(&self, push: Option<usize>, status: StatusCode, processed: bool) {
        if let Some(number) = push {
            self.server
                .lock()
                .records
                .push_ended(number, status, processed);
        }
    }

    /// The API proper.
    async fn process(&self, request: Request) -> Response {
        if !is_health(request.method(), request.uri()) && self.pass_time().await.is_err() {
            return Refused::NotSaved.into_response();
        }
        route(self.api.clone(), request).await
    }

    /// Lets this request see the pushes that were put off until now.
    async fn pass_time(&self) -> Result<(), SandboxError> {
        if self.server.lock().world.pending.is_empty() {
            return Ok(());
        }
        let server = self.server.clone();
        blocking(move || {
            let now = server.clock.now();
            let mut inner = server.lock();
            if inner.world.is_due() {
                server.change(&mut inner, |world, behaviour| {
                    world.apply_due(behaviour, now);
                })?;
            }
            inner.world.count_request();
            Ok(())
        })
        .await
    }
}

async fn route(router: Router, request: Request) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn is_health(method: &Method, uri: &Uri) -> bool {
    method == Method::GET && uri.path() == api::HEALTH
}

/// The whole body, put together while it arrives.
async fn collect(body: Body) -> Result<Bytes, Refused> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut whole = Vec::with_capacity(announced.min(LARGEST_BODY));
    let mut body = Limited::new(body, LARGEST_BODY);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(error) if error.is::<LengthLimitError>() => return Err(Refused::TooLarge),
            Err(_) => return Err(Refused::Malformed("cut short".to_owned())),
        }
    }
    Ok(whole.into())
}

async fn drain(body: Body) {
    let mut body = Limited::new(body, LARGEST_BODY);
    while let Some(Ok(_)) = body.frame().await {}
}

/// A number of the query.
fn query_number(uri: &Uri, key: &str) -> Option<u64> {
    let pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| *name == key)
        .find_map(|(_, value)| value.parse().ok())
}

/// The same address with another page.
fn with_page(uri: &Uri, page: u64) -> Uri {
    let pairs = uri
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.starts_with("page="));
    let query = pairs.fold(format!("page={page}"), |query, pair| query + "&" + pair);
    format!("{}?{query}", uri.path())
        .parse()
        .unwrap_or_else(|_| uri.clone())
}
