//! What the sandbox saw, for tests to look at: requests and pushes. Kept in memory, bounded, gone with the sandbox.
//!
//! A push is kept as it came, and read only when somebody looks: whoever pushes does not wait for that.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::limit::WINDOW;
use super::validate::{self, Received, Record};

/// Requests kept.
const REQUESTS: usize = 10_000;
/// Bytes of push bodies kept; older ones go first, the last one stays whatever its size.
const PUSH_BYTES: usize = 512 * 1024 * 1024;

/// A request to the API, in the shape of `GET /_sandbox/state`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SeenRequest {
    pub(crate) at: DateTime<Utc>,
    pub(crate) method: String,
    /// Without the query, which may hold an e-mail address.
    pub(crate) path: String,
    /// What was answered; nothing while it runs and where the connection was closed.
    pub(crate) status: Option<u16>,
    /// Whether it showed the credential.
    pub(crate) authorized: bool,
    pub(crate) user_agent: Option<String>,
}

/// A push that came in whole.
#[derive(Debug, Clone)]
pub(crate) struct SeenPush {
    /// From 1, since the start of the sandbox.
    pub(crate) number: usize,
    pub(crate) at: DateTime<Utc>,
    /// What processing came to, whatever was answered; the status of the fault where it was not processed.
    pub(crate) status: Option<u16>,
    pub(crate) processed: bool,
    pub(crate) content_type: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) body: Bytes,
}

/// A push in the shape of `GET /_sandbox/state`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushItem {
    number: usize,
    sync_id: Option<String>,
    count: usize,
    hr_ids: Vec<String>,
    at: DateTime<Utc>,
    status: Option<u16>,
    processed: bool,
}

/// Everything seen.
#[derive(Debug, Default)]
pub(crate) struct Records {
    requests: VecDeque<SeenRequest>,
    /// Requests that are no longer kept.
    forgotten_requests: usize,
    pushes: VecDeque<SeenPush>,
    forgotten_pushes: usize,
    push_bytes: usize,
    /// One of these for each push that came in and is not answered yet, and this one.
    under_way: Arc<()>,
    most_pushes_at_once: usize,
    /// Arrivals of the last window, oldest first.
    window: VecDeque<DateTime<Utc>>,
    most_in_window: usize,
}

impl SeenPush {
    /// Still without a number.
    pub(crate) fn new(at: DateTime<Utc>, headers: &HeaderMap, body: Bytes) -> Self {
        Self {
            number: 0,
            at,
            status: None,
            processed: false,
            content_type: text(headers, &CONTENT_TYPE),
            user_agent: text(headers, &USER_AGENT),
            body,
        }
    }

    /// Reads the body as far as it can be read.
    pub(crate) fn item(&self) -> PushItem {
        let received = validate::parse::<Received<'_>>(&self.body).ok();
        let employees = received
            .as_ref()
            .map_or(&[][..], |received| &received.employees);
        PushItem {
            number: self.number,
            count: employees.len(),
            hr_ids: employees
                .iter()
                .filter_map(Record::hr_id)
                .map(str::to_owned)
                .collect(),
            sync_id: received.map(|received| received.sync_id),
            at: self.at,
            status: self.status,
            processed: self.processed,
        }
    }
}

impl Records {
    /// Notes a request that has come; the number by which [`Records::answered`] finds it.
    pub(crate) fn arrived(&mut self, request: SeenRequest, counts: bool) -> usize {
        if counts {
            while self
                .window
                .front()
                .is_some_and(|at| request.at - *at >= WINDOW)
            {
                self.window.pop_front();
            }
            self.window.push_back(request.at);
            self.most_in_window = self.most_in_window.max(self.window.len());
        }
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
            self.forgotten_requests += 1;
        }
        self.requests.push_back(request);
        self.forgotten_requests + self.requests.len() - 1
    }

    pub(crate) fn answered(&mut self, number: usize, status: StatusCode) {
        let index = number.checked_sub(self.forgotten_requests);
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            request.status = Some(status.as_u16());
        }
    }

    /// Notes a push; its number.
    pub(crate) fn pushed(&mut self, push: SeenPush) -> usize {
        let number = self.forgotten_pushes + self.pushes.len() + 1;
        self.push_bytes += push.body.len();
        self.pushes.push_back(SeenPush { number, ..push });
        while self.push_bytes > PUSH_BYTES && self.pushes.len() > 1 {
            if let Some(oldest) = self.pushes.pop_front() {
                self.push_bytes -= oldest.body.len();
                self.forgotten_pushes += 1;
            }
        }
        number
    }

    pub(crate) fn push_ended(&mut self, number: usize, status: StatusCode, processed: bool) {
        let index = number.checked_sub(self.forgotten_pushes + 1);
        if let Some(push) = index.and_then(|index| self.pushes.get_mut(index)) {
            push.status = Some(status.as_u16());
            push.processed = processed;
        }
    }

    pub(crate) fn push(&self, number: usize) -> Option<&SeenPush> {
        self.pushes
            .get(number.checked_sub(self.forgotten_pushes + 1)?)
    }

    pub(crate) fn pushes(&self) -> &VecDeque<SeenPush> {
        &self.pushes
    }

    pub(crate) fn requests(&self) -> &VecDeque<SeenRequest> {
        &self.requests
    }

    /// A push is under way for as long as its mark is kept.
    pub(crate) fn mark_push(&mut self) -> Arc<()> {
        let mark = self.under_way.clone();
        let at_once = Arc::strong_count(&self.under_way) - 1;
        self.most_pushes_at_once = self.most_pushes_at_once.max(at_once);
        mark
    }

    /// The largest number of pushes that were under way at one time.
    pub(crate) fn most_pushes_at_once(&self) -> usize {
        self.most_pushes_at_once
    }

    /// The largest number of requests that came in any window of 60 seconds; the health check is none.
    pub(crate) fn most_in_window(&self) -> usize {
        self.most_in_window
    }
}

/// A header as text.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(second: u32) -> SeenRequest {
        SeenRequest {
            at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(second.into()),
            method: "GET".to_owned(),
            path: "/employees".to_owned(),
            status: None,
            authorized: true,
            user_agent: None,
        }
    }

    #[test]
    fn the_fullest_window_is_remembered() {
        let mut records = Records::default();
        for second in [0, 1, 30, 59, 60, 61, 200] {
            records.arrived(request(second), true);
        }
        records.arrived(request(201), false);
        assert_eq!(records.most_in_window(), 4);
    }

    #[test]
    fn pushes_are_under_way_until_their_mark_is_gone() {
        let mut records = Records::default();
        drop(records.mark_push());
        drop(records.mark_push());
        assert_eq!(records.most_pushes_at_once(), 1);
        let _first = records.mark_push();
        drop(records.mark_push());
        assert_eq!(records.most_pushes_at_once(), 2);
    }

    #[test]
    fn old_requests_are_forgotten_and_late_answers_still_find_their_own() {
        let mut records = Records::default();
        let first = records.arrived(request(0), true);
        for _ in 0..REQUESTS {
            records.arrived(request(1), true);
        }
        let last = records.arrived(request(2), true);
        records.answered(first, StatusCode::OK);
        records.answered(last, StatusCode::NO_CONTENT);
        assert_eq!(records.requests().len(), REQUESTS);
        let statuses: Vec<_> = records.requests().iter().filter_map(|r| r.status).collect();
        assert_eq!(statuses, [204]);
    }
}
