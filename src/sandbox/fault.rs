//! Faults on demand: what tests ask the sandbox to do wrong, and to which requests.

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api;

/// A fault that waits for its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The requests it is for; without it, every request.
    #[serde(default)]
    pub on: Option<FaultTarget>,
    /// How many requests it hits.
    #[serde(default = "once")]
    pub times: u32,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub after: u32,
    /// What happens.
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

/// Which requests a fault is for; what is left out matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultTarget {
    /// Such as `POST`.
    pub method: Option<String>,
    /// The beginning of the path, such as `/employees`.
    pub path_prefix: Option<String>,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Answers this code; the request is not processed.
    Status {
        /// From 200 to 599.
        code: u16,
        /// The header `retry-after`, word for word.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body; without it, a message as JSON.
        #[serde(default)]
        body: Option<String>,
    },
    /// Closes the connection; the request is not processed.
    DropBefore,
    /// Processes the request, then closes the connection without an answer.
    DropAfter,
    /// Processes the request, then answers this code instead.
    StatusAfter {
        /// From 200 to 599.
        code: u16,
    },
    /// Waits by the clock of the sandbox, then goes on normally, even if the client is gone by then.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Processes the request only after this time, in milliseconds, has really passed, whatever clock the sandbox has.
    Stall {
        /// Milliseconds.
        ms: u64,
    },
    /// Processes the request, waits, then answers.
    DelayAfter {
        /// Milliseconds.
        ms: u64,
    },
    /// Announces the whole body, sends half of it and closes the connection. An answer without a body stays whole.
    CutBody,
    /// Adds to the `total` of a list and to nothing else. Hits requests of lists only.
    LieTotal {
        /// May be negative; a total does not go below zero.
        add: i64,
    },
    /// Answers the page before the one asked for, under the number asked for. Hits requests of page 2
    /// and later only.
    RepeatPage,
    /// Empties the first name of one person of a push, so that the request is judged as one that holds a value that is refused. A push
    /// without this person goes through. Hits pushes only.
    SpoilRecord {
        /// Whose record.
        hr_id: String,
    },
    /// Answers 200 with a web page, as a proxy or a sign-in portal does; the request is not processed.
    #[serde(rename = "html_200")]
    Html200,
    /// Answers a redirect; the request is not processed.
    Redirect {
        /// From 200 to 599; any redirect code makes sense.
        code: u16,
        /// The header `location`.
        to: String,
    },
}

impl Fault {
    /// Says what keeps this fault from happening.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (code, header) = match &self.kind {
            FaultKind::Status {
                code, retry_after, ..
            } => (*code, retry_after.as_deref()),
            FaultKind::StatusAfter { code } => (*code, None),
            FaultKind::Redirect { code, to } => (*code, Some(to.as_str())),
            _ => return Ok(()),
        };
        if !(200..=599).contains(&code) {
            return Err(format!("code {code} is not between 200 and 599"));
        }
        if header.is_some_and(|value| HeaderValue::from_str(value).is_err()) {
            return Err("the header's value has characters that no header may have".to_owned());
        }
        Ok(())
    }

    fn is_for(&self, method: &Method, path: &str, page: u64) -> bool {
        let fits = self.on.as_ref().is_none_or(|on| {
            on.method
                .as_ref()
                .is_none_or(|name| name.eq_ignore_ascii_case(method.as_str()))
                && on
                    .path_prefix
                    .as_ref()
                    .is_none_or(|prefix| path.starts_with(prefix))
        });
        fits && match self.kind {
            FaultKind::LieTotal { .. } => method == Method::GET && is_list(path),
            FaultKind::RepeatPage => method == Method::GET && is_list(path) && page > 1,
            FaultKind::SpoilRecord { .. } => api::is_sync(method, path),
            _ => true,
        }
    }
}

/// Whether a path is that of a list.
fn is_list(path: &str) -> bool {
    matches!(
        path,
        "/employees" | "/hr-integrations" | "/employee-documents"
    ) || path.ends_with("/documents")
}

/// The code of a fault as a status; [`Fault::check`] keeps out what is none.
pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The body of a push with an empty first name in the record of this person; what is no such body stays as it is.
pub(crate) fn spoil(body: Bytes, hr_id: &str) -> Bytes {
    let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    let mut records = request["employees"].as_array_mut().into_iter().flatten();
    let Some(record) = records.find(|record| record["hrId"] == hr_id) else {
        return body;
    };
    record["firstName"] = Value::from("");
    request.to_string().into()
}

/// The faults that wait, in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    waiting: Vec<Fault>,
}

impl FaultQueue {
    pub(crate) fn append(&mut self, faults: Vec<Fault>) {
        self.waiting
            .extend(faults.into_iter().filter(|fault| fault.times > 0));
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The fault of this request: the first that is for it and has let enough requests pass. Those before it count
    /// the request, those behind it do not see it.
    pub(crate) fn take(&mut self, method: &Method, path: &str, page: u64) -> Option<FaultKind> {
        for index in 0..self.waiting.len() {
            let fault = &mut self.waiting[index];
            if !fault.is_for(method, path, page) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            let kind = fault.kind.clone();
            if fault.times == 0 {
                self.waiting.remove(index);
            }
            return Some(kind);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(json: &str) -> FaultQueue {
        let mut queue = FaultQueue::default();
        queue.append(serde_json::from_str(json).unwrap());
        queue
    }

    #[test]
    fn a_fault_lets_requests_pass_then_hits_and_is_used_up() {
        let mut queue = queue(r#"[{"kind":"drop_before","after":2,"times":2}]"#);
        let hits: Vec<_> = (0..5)
            .map(|_| queue.take(&Method::GET, "/employees", 1).is_some())
            .collect();
        assert_eq!(hits, [false, false, true, true, false]);
    }

    #[test]
    fn a_fault_hits_only_what_it_is_for() {
        let mut queue = queue(
            r#"[{"on":{"method":"post","path_prefix":"/hr-integrations/"},"kind":"html_200"}]"#,
        );
        assert_eq!(queue.take(&Method::GET, "/hr-integrations/7", 1), None);
        assert_eq!(queue.take(&Method::POST, "/employees", 1), None);
        let hit = queue.take(&Method::POST, "/hr-integrations/7/sync", 1);
        assert_eq!(hit, Some(FaultKind::Html200));
    }

    #[test]
    fn faults_happen_in_the_order_they_were_asked_for() {
        let mut queue = queue(
            r#"[{"kind":{"status":{"code":503}}},{"kind":{"delay":{"ms":5}}},{"kind":"repeat_page"}]"#,
        );
        let get = |queue: &mut FaultQueue, page| queue.take(&Method::GET, "/employees", page);
        assert!(matches!(
            get(&mut queue, 1),
            Some(FaultKind::Status { code: 503, .. })
        ));
        assert_eq!(get(&mut queue, 1), Some(FaultKind::Delay { ms: 5 }));
        assert_eq!(get(&mut queue, 1), None, "page 1 has no page before it");
        assert_eq!(get(&mut queue, 2), Some(FaultKind::RepeatPage));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let check = |kind| {
            Fault {
                on: None,
                times: 1,
                after: 0,
                kind,
            }
            .check()
        };
        assert!(check(FaultKind::StatusAfter { code: 199 }).is_err());
        assert!(
            check(FaultKind::Redirect {
                code: 302,
                to: "a\nb".to_owned()
            })
            .is_err()
        );
        assert!(
            check(FaultKind::Redirect {
                code: 302,
                to: "/elsewhere".to_owned()
            })
            .is_ok()
        );
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"drop_before","time":2}"#).is_err());
    }
}
