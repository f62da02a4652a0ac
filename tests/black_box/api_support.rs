//! What the tests of the API client share: faults, companies of little patience, and servers of a test's own.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Company, JobTicket, NOW};

/// The fault that answers this status and processes nothing.
pub(crate) fn status(code: u16) -> Value {
    json!({ "status": { "code": code } })
}

/// A fault of reads below this path, so often.
pub(crate) fn fail_reads(jobticket: &JobTicket, path_prefix: &str, times: u32, kind: &Value) {
    let on = json!({ "method": "GET", "path_prefix": path_prefix });
    jobticket.order(
        "faults",
        &json!([{ "on": on, "times": times, "kind": kind }]),
    );
}

/// A company that tries a call again for this many seconds.
pub(crate) fn patient(jobticket: &JobTicket, seconds: u32) -> Company {
    let mut company = Company::at(jobticket);
    writeln!(company.jobticket, "      retry_seconds: {seconds}").unwrap();
    company
}

/// Every push that came in, whether it was processed or not.
pub(crate) fn tried(jobticket: &JobTicket) -> Vec<Value> {
    let state = jobticket.control("state");
    state["pushes"].as_array().unwrap().clone()
}

/// The syncIds of the pushes that came in, each once, in order.
pub(crate) fn sync_ids(jobticket: &JobTicket) -> Vec<String> {
    let mut ids: Vec<String> = tried(jobticket)
        .iter()
        .map(|push| push["syncId"].as_str().unwrap().to_owned())
        .collect();
    ids.dedup();
    ids
}

/// How many requests came in.
pub(crate) fn requests(jobticket: &JobTicket) -> usize {
    jobticket.control("state")["requests"]
        .as_array()
        .unwrap()
        .len()
}

/// The time on which the tests play, so many seconds later.
pub(crate) fn later(seconds: i64) -> String {
    (start() + chrono::TimeDelta::seconds(seconds)).to_rfc3339()
}

/// The time on which the tests play.
pub(crate) fn start() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// When a line of the audit log was written.
pub(crate) fn time_of(line: &Value) -> DateTime<Utc> {
    line["time"].as_str().unwrap().parse().unwrap()
}

/// The answer to a request for the smallest list.
pub(crate) const PROBED: &str =
    r#"{"data":{"data":[],"page":1,"perPage":1,"totalPages":0,"total":0}}"#;

/// A whole answer with this JSON.
pub(crate) fn answer(json: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    )
}

/// A server that reads one request from each connection, answers it word for word as its script says, and hangs up. At the end of the script nobody listens.
pub(crate) struct Scripted {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) fn start(script: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut listener = Some(listener);
            let mut script = script.into_iter().peekable();
            while let Some(answer) = script.next() {
                let (mut stream, _) = listener.as_ref().unwrap().accept().unwrap();
                let request = read_request(&mut stream);
                if script.peek().is_none() {
                    // Closed before the answer goes out, so that nothing can come after it.
                    listener = None;
                }
                told.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, seen }
    }

    /// The first lines of the requests that came.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// A company that pushes to this server.
    pub(crate) fn company(&self, jobticket: &JobTicket, seconds: u32) -> Company {
        let mut company = patient(jobticket, seconds);
        company.jobticket = company.jobticket.replace(&jobticket.url, &self.url);
        company
    }
}

/// Reads a request with its body; gives its first line.
fn read_request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        text.extend_from_slice(&buffer[..count]);
        let read = String::from_utf8_lossy(&text);
        if let Some((head, body)) = read.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return head.lines().next().unwrap_or_default().to_owned();
            }
        }
        if count == 0 {
            return String::new();
        }
    }
}
