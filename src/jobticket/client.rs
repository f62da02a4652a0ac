//! Sends requests: one place for the gate, the time limits, the reading of statuses, and the decision to try again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, RETRY_AFTER};
use reqwest::{Method, Url};

use super::body::Roster;
use super::error::Outcome;
use super::gate::{GateClosed, RequestGate};
use super::retry::{BLOCK, CONFLICT_RETRIES};
use crate::clock::Clock;
use crate::config::{Secret, Timeouts, is_loopback};
use crate::retry::{back_off, parse_retry_after};

/// A list page is some 100 KiB; anything beyond this is not an answer of this API.
const MOST_ANSWER: usize = 64 << 20;

/// Where JobTicket is and how to reach it.
#[derive(Debug)]
pub struct Connection {
    /// Address of the API.
    pub url: Url,
    /// Number of the HR integration.
    pub integration_id: u64,
    /// User name of HTTP Basic auth.
    pub key_id: Secret,
    /// Password of HTTP Basic auth.
    pub key_secret: Secret,
    /// Whether one of these is a systemd credential, which lasts as long as the unit.
    pub credential_of_unit: bool,
    /// A certificate authority to trust besides the system's, PEM.
    pub ca: Option<Vec<u8>>,
    /// Time limits of one attempt.
    pub timeouts: Timeouts,
    /// How long one call may be tried again in all.
    pub patience: Duration,
}

/// The client of one integration.
#[derive(Debug)]
pub struct Client<G> {
    http: reqwest::Client,
    connection: Connection,
    gate: G,
    clock: Clock,
    requests: AtomicU32,
    stopping: Arc<AtomicBool>,
}

/// One attempt of a push, for the audit log.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// Is told of each attempt as soon as it is over.
pub trait Witness: Send {
    /// An attempt is over.
    fn attempt(&mut self, attempt: &Attempt) -> impl Future<Output = ()> + Send;
}

/// Reads are not audited one by one.
pub(super) struct NoWitness;

impl Witness for NoWitness {
    async fn attempt(&mut self, _: &Attempt) {}
}

/// A request that can be sent any number of times.
pub(super) struct Request<'r> {
    pub(super) method: Method,
    pub(super) path: &'r str,
    pub(super) query: &'r [(&'r str, String)],
    pub(super) body: Option<&'r Roster>,
    pub(super) success: u16,
}

/// What a call came to in the end.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) body: Vec<u8>,
    /// The server's clock, where it told it.
    pub(super) date: Option<DateTime<Utc>>,
    /// Whether any attempt may have been taken.
    pub(super) doubt: bool,
}

impl<G: RequestGate> Client<G> {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// A certificate authority that cannot be read, or no usable TLS.
    pub fn new(connection: Connection, gate: G, clock: Clock) -> Result<Self, String> {
        let limits = connection.timeouts;
        let loopback = is_loopback(&connection.url);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("jobticket-sync/", env!("CARGO_PKG_VERSION")))
            // A redirected POST becomes an empty GET, and another host would get the roster.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // JobTicket's answers are small; what an HR system packs is another client's.
            .no_gzip()
            .no_brotli()
            .https_only(!loopback)
            .connect_timeout(Duration::from_secs(limits.connect_seconds))
            .read_timeout(Duration::from_secs(limits.read_seconds))
            .timeout(Duration::from_secs(limits.total_seconds));
        if loopback {
            // A proxy would be handed the credential in the clear.
            builder = builder.no_proxy();
        }
        if connection.url.scheme() == "http" {
            // Plain loopback needs no authorities, and a machine may have none.
            builder = builder.tls_certs_only([]);
        }
        if let Some(pem) = &connection.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| format!("The ca_file is not PEM: {}", root_cause(&error)))?;
            if certificates.is_empty() {
                return Err("The ca_file holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)".to_owned());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| format!("The HTTP client cannot be set up: {}", root_cause(&error)))?;
        Ok(Self {
            http,
            connection,
            gate,
            clock,
            requests: AtomicU32::new(0),
            stopping: Arc::default(),
        })
    }

    /// How many requests this client has sent.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The gate that every request passes.
    pub fn gate(&self) -> &G {
        &self.gate
    }

    /// Number of the HR integration.
    pub fn integration_id(&self) -> u64 {
        self.connection.integration_id
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends a request as often as it makes sense, and says what the last attempt came to.
    ///
    /// # Errors
    /// The gate stayed closed before the first attempt; later it ends the call with the outcome of the attempt before.
    pub(super) async fn call(
        &self,
        request: &Request<'_>,
        witness: &mut impl Witness,
    ) -> Result<Answer, GateClosed> {
        let began = self.clock.instant();
        let patience = self.connection.patience;
        let (mut doubt, mut conflicts, mut number) = (false, 0, 0);
        let mut last: Option<Answer> = None;
        loop {
            let left = patience.saturating_sub(self.clock.instant() - began);
            if let Err(closed) = self.gate.admit(left).await {
                return last.ok_or(closed);
            }
            number += 1;
            let sent = self.clock.instant();
            let (mut answer, retry_after) = self.once(request).await;
            doubt |= answer.outcome.leaves_doubt();
            answer.doubt = doubt;
            let outcome = answer.outcome.clone();
            witness
                .attempt(&Attempt {
                    number,
                    outcome: outcome.clone(),
                    took: self.clock.instant() - sent,
                })
                .await;
            let wait = match outcome {
                Outcome::RateLimited { until } => {
                    if self.gate.block(until).await.is_err() {
                        return Ok(answer);
                    }
                    // The gate itself waits until then. Where that is at once, this keeps us from hammering.
                    back_off(number)
                }
                Outcome::Conflict if conflicts < CONFLICT_RETRIES => {
                    conflicts += 1;
                    back_off(conflicts).max(retry_after.unwrap_or_default())
                }
                Outcome::Unavailable { .. }
                | Outcome::NotConnected { .. }
                | Outcome::TimedOut
                | Outcome::Broken { .. } => back_off(number).max(retry_after.unwrap_or_default()),
                _ => return Ok(answer),
            };
            if self.clock.instant() - began + wait >= patience {
                return Ok(answer);
            }
            last = Some(answer);
            tracing::warn!(
                attempt = number,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "JobTicket: {}; trying again",
                last.as_ref()
                    .map_or_else(String::new, |answer| answer.outcome.to_string())
            );
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = self.is_stopped() => {}
            }
            if self.stopping.load(Ordering::Relaxed)
                && let Some(answer) = last
            {
                return Ok(answer);
            }
        }
    }

    /// Makes no further attempt once this is set: whoever waits for the answer to a call gets that of the last one.
    pub fn stops_with(&mut self, stopping: Arc<AtomicBool>) {
        self.stopping = stopping;
    }

    /// Ends when it is to stop.
    async fn is_stopped(&self) {
        while !self.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn once(&self, request: &Request<'_>) -> (Answer, Option<Duration>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut answer = Answer {
            outcome: Outcome::TimedOut,
            body: Vec::new(),
            date: None,
            doubt: false,
        };
        let mut response = match self.prepared(request).send().await {
            Ok(response) => response,
            Err(error) => {
                answer.outcome = failure(&error);
                return (answer, None);
            }
        };
        let now = self.clock.now();
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok()
        };
        answer.date = header(DATE)
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|date| date.with_timezone(&Utc));
        let retry_after = header(RETRY_AFTER)
            .and_then(|text| parse_retry_after(text, answer.date.unwrap_or(now)));
        let status = response.status().as_u16();
        let succeeded = status == request.success;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() <= MOST_ANSWER => {
                    answer.body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let cause = "longer than 64 MiB".to_owned();
                    answer.outcome = Outcome::NotUnderstood { cause };
                    return (answer, retry_after);
                }
                Ok(None) => break,
                // A status without its body is still the status, except where the body is what was asked for.
                Err(_) if !succeeded => break,
                Err(error) => {
                    answer.outcome = failure(&error);
                    return (answer, retry_after);
                }
            }
        }
        answer.outcome = match status {
            _ if succeeded => Outcome::Success,
            400 => Outcome::Malformed,
            401 => Outcome::Unauthorized {
                of_unit: self.connection.credential_of_unit,
            },
            403 => Outcome::Forbidden,
            404 => Outcome::NotFound,
            409 => Outcome::Conflict,
            422 => Outcome::Invalid {
                body: String::from_utf8_lossy(&answer.body).into_owned(),
            },
            429 => Outcome::RateLimited {
                until: now + retry_after.unwrap_or(BLOCK),
            },
            500 => Outcome::ServerError,
            502..=504 => Outcome::Unavailable { status },
            _ => Outcome::Unexpected { status },
        };
        (answer, retry_after)
    }

    fn prepared(&self, request: &Request<'_>) -> reqwest::RequestBuilder {
        let Connection {
            url,
            key_id,
            key_secret,
            ..
        } = &self.connection;
        let mut url = url.clone();
        let path = format!("{}{}", url.path().trim_end_matches('/'), request.path);
        url.set_path(&path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let call = self
            .http
            .request(request.method.clone(), url)
            .basic_auth(key_id.expose(), Some(key_secret.expose()))
            .header(ACCEPT, "application/json");
        match &request.body {
            Some(body) => call
                .header(CONTENT_TYPE, "application/json")
                .body(reqwest::Body::wrap(body.blocks())),
            None => call,
        }
    }
}

fn failure(error: &reqwest::Error) -> Outcome {
    let cause = root_cause(error);
    if error.is_connect() {
        Outcome::NotConnected { cause }
    } else if error.is_timeout() {
        Outcome::TimedOut
    } else {
        Outcome::Broken { cause }
    }
}

/// The innermost message of an error chain, which names no URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match (cause as &dyn std::error::Error).downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "time limit".to_owned(),
        Some(_) => "no details".to_owned(),
        None => cause.to_string(),
    }
}
