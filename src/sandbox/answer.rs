//! Answers that are no resources: refusals, and what faults make of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::{Value, json};

use super::auth::Permission;
use super::behaviour::RetryAfterForm;
use super::limit;
use super::validate::FieldErrors;

const ALMOST_A_SECOND: TimeDelta = TimeDelta::milliseconds(999);

/// Why the API does not do what was asked.
#[derive(Debug)]
pub(crate) enum Refused {
    /// 400, with kind and place.
    Malformed(String),
    /// 400, with the reason; for the control endpoints.
    Unusable(String),
    /// 401.
    Unauthorized,
    /// 403.
    Lacks(Permission),
    /// 404.
    NotFound,
    /// 405.
    Method,
    /// 413.
    TooLarge,
    /// 422, with the fields.
    Invalid(FieldErrors),
    /// 429, until then.
    Blocked {
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        form: RetryAfterForm,
    },
    /// 500: the state could not be saved, and nothing was changed.
    NotSaved,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed(fault) => {
                message(StatusCode::BAD_REQUEST, &format!("The body is {fault}"))
            }
            Self::Unusable(reason) => message(StatusCode::BAD_REQUEST, &reason),
            Self::Unauthorized => {
                let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
                let challenge = HeaderValue::from_static("Basic realm=\"jobticket\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
            Self::Lacks(permission) => {
                let name = serde_json::to_value(permission).unwrap_or_default();
                let text = format!(
                    "The key lacks the permission {}",
                    name.as_str().unwrap_or("")
                );
                message(StatusCode::FORBIDDEN, &text)
            }
            Self::NotFound => message(StatusCode::NOT_FOUND, "Not found"),
            Self::Method => message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::TooLarge => message(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::Invalid(errors) => {
                let body = json!({ "message": "The given data was invalid", "errors": errors });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
            }
            Self::Blocked { now, until, form } => {
                let value = match form {
                    RetryAfterForm::Seconds => limit::seconds_until(now, until).to_string(),
                    // Rounded up as well: whoever comes at the time given is not early.
                    RetryAfterForm::HttpDate => http_date(until + ALMOST_A_SECOND),
                };
                let mut response = message(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
                response.headers_mut().insert(RETRY_AFTER, header(&value));
                response
            }
            Self::NotSaved => message(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The sandbox could not save its state",
            ),
        }
    }
}

/// A status with a message as JSON; 204 and 304 have no body.
pub(crate) fn message(status: StatusCode, text: &str) -> Response {
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return status.into_response();
    }
    (status, Json(json!({ "message": text }))).into_response()
}

/// The answer of the fault `status`.
pub(crate) fn status(
    code: StatusCode,
    retry_after: Option<&str>,
    body: Option<String>,
) -> Response {
    let mut response = match body {
        None => message(code, code.canonical_reason().unwrap_or("Fault")),
        Some(body) => {
            let json = serde_json::from_str::<Value>(&body).is_ok();
            let kind = if json {
                "application/json"
            } else {
                "text/plain; charset=utf-8"
            };
            (code, [(CONTENT_TYPE, kind)], body).into_response()
        }
    };
    if let Some(value) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, header(value));
    }
    response
}

/// The answer of the fault `html_200`.
pub(crate) fn html() -> Response {
    let page = "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// The answer of the fault `redirect`.
pub(crate) fn redirect(code: StatusCode, to: &str) -> Response {
    (code, [(LOCATION, header(to))]).into_response()
}

/// A point in time as HTTP headers write it.
pub(crate) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Faults are checked when they are asked for, so this does not fail for them; an empty value tells if it ever does.
fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// Changes the JSON of a list's answer (`{"data":{"data":[…],"total":…}}`); any other answer stays as it is.
pub(crate) async fn edit_list(response: Response, edit: impl FnOnce(&mut Value)) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = whole(body).await;
    let Ok(mut json) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    if let Some(page) = json
        .get_mut("data")
        .filter(|page| page.get("total").is_some())
    {
        edit(page);
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}

/// Announces the whole body and sends half of it.
pub(crate) async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = whole(body).await;
    if bytes.is_empty() {
        return Response::from_parts(parts, Body::empty());
    }
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half = bytes.slice(..bytes.len() / 2);
    Response::from_parts(
        parts,
        Body::new(HalfBody {
            half: Some(half),
            flushed: false,
        }),
    )
}

/// The sandbox's own bodies are in memory: collecting them does not fail.
async fn whole(body: Body) -> Bytes {
    body.collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default()
}

/// A body that breaks after its first half.
struct HalfBody {
    half: Option<Bytes>,
    flushed: bool,
}

impl HttpBody for HalfBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            // hyper sends what it has only when the body makes it wait; an error at once would discard the half.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other("cut on demand"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(form: RetryAfterForm) -> String {
        let now = "2026-03-02T08:00:00.5Z".parse().unwrap();
        let until = "2026-03-02T08:05:00.5Z".parse().unwrap();
        let response = Refused::Blocked { now, until, form }.into_response();
        assert_eq!(response.status(), 429);
        response.headers()[RETRY_AFTER].to_str().unwrap().to_owned()
    }

    #[test]
    fn retry_after_has_two_forms() {
        assert_eq!(retry_after(RetryAfterForm::Seconds), "300");
        assert_eq!(
            retry_after(RetryAfterForm::HttpDate),
            "Mon, 02 Mar 2026 08:05:01 GMT"
        );
    }
}
