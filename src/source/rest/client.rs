//! Sends the requests of one pull: at the configured rate, with the secrets, again where that makes sense, and nowhere else than to the configured origin.
//!
//! The hazards: a secret that follows a redirect to another host, a wrong password that is tried until the account is locked, and a server that says nothing for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, LINK, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::error::RestError;
use super::fault::{Fault, cause_of};
use super::token::Token;
use crate::clock::{Clock, Ticks};
use crate::config::{Basic, Rest, RestAuth, Secret, Template, is_loopback};
use crate::retry::{LONGEST_BLOCK, back_off, parse_retry_after};

/// Where a system says nothing, it is asked again no sooner ("hr-sources": Personio v2 sends no Retry-After). Ours.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

type Pacer = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// One request.
#[derive(Clone)]
pub(super) struct Call<'c> {
    /// As messages name it.
    pub(super) what: &'c str,
    pub(super) is_post: bool,
    pub(super) url: Url,
    pub(super) json: Option<&'c serde_json::Value>,
    pub(super) form: Option<&'c [(String, Secret)]>,
    pub(super) headers: &'c BTreeMap<String, Template>,
    pub(super) basic: Option<&'c Basic>,
    /// Whether the secrets of `auth` go with it.
    pub(super) is_ours: bool,
    /// Whether it asks for what need not be there; where that is so, the answer is empty.
    pub(super) may_miss: bool,
}

/// An answer with the status that means success.
pub(super) struct Got {
    pub(super) body: Vec<u8>,
    /// The headers `Link`, each.
    pub(super) links: Vec<String>,
}

/// The client of one pull.
pub(super) struct Client<'s> {
    http: reqwest::Client,
    pub(super) rest: &'s Rest,
    pub(super) clock: &'s Clock,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) token: Option<Token>,
    renewed: bool,
    pacer: Pacer,
    ticks: Ticks,
    /// When everything has to be done.
    end: Instant,
}

impl<'s> Client<'s> {
    /// Reads the secrets and sets the client up; nothing is sent yet.
    pub(super) fn new(rest: &'s Rest, clock: &'s Clock) -> Result<Self, RestError> {
        let mut secrets = BTreeMap::new();
        for (name, secret) in &rest.secrets {
            secrets.insert(name.clone(), secret.read()?);
        }
        let quota = Quota::per_minute(
            rest.requests_per_minute
                .try_into()
                .unwrap_or(std::num::NonZeroU32::MIN),
        );
        // A burst of a few, then evenly: a minute's worth at once is what firewalls block.
        let burst = (rest.requests_per_minute / 10).clamp(1, 10);
        let quota = quota.allow_burst(burst.try_into().unwrap_or(std::num::NonZeroU32::MIN));
        let ticks = clock.ticks();
        Ok(Self {
            http: http_client(rest)?,
            rest,
            clock,
            secrets,
            token: None,
            renewed: false,
            pacer: RateLimiter::direct_with_clock(quota, ticks.clone()),
            ticks,
            end: clock.instant() + Duration::from_secs(rest.within_seconds),
        })
    }

    /// Sends a request as often as it makes sense.
    pub(super) async fn call(&mut self, call: &Call<'_>) -> Result<Got, RestError> {
        let began = self.clock.instant();
        let patience = Duration::from_secs(self.rest.retry_seconds);
        let end = self.end.min(began + patience);
        let mut tries = 0;
        loop {
            self.pace().await?;
            if call.is_ours {
                self.have_token().await?;
            }
            tries += 1;
            let fault = match self.once(call).await {
                Ok(got) => return Ok(got),
                Err(fault) => fault,
            };
            if call.may_miss && fault.is_missing() {
                return Ok(Got {
                    body: Vec::new(),
                    links: Vec::new(),
                });
            }
            if let Fault::Refused { status: 401 } = fault
                && call.is_ours
                && matches!(self.rest.auth, RestAuth::Token(_))
                && !self.renewed
            {
                // It may have ended early. Once: whoever is refused anew is refused.
                self.renewed = true;
                self.token = None;
                continue;
            }
            let renewed = self.renewed && call.is_ours;
            let Some(asked) = fault.wait() else {
                return Err(fault.told(call.what, tries, renewed));
            };
            // Some ask for no wait at all, again and again.
            let ours = back_off(tries).max(SHORTEST_WAIT);
            let wait = asked.map_or(ours, |asked| asked.max(ours));
            let too_long = asked.filter(|asked| self.clock.instant() + *asked >= end);
            if self.clock.instant() + wait >= end {
                return Err(match (too_long, &fault) {
                    (Some(asked), Fault::Unavailable { status, .. }) => RestError::TooLongAWait {
                        what: call.what.to_owned(),
                        status: *status,
                        seconds: asked.as_secs(),
                    },
                    _ => fault.told(call.what, tries, renewed),
                });
            }
            tracing::warn!(
                attempt = tries,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "{}; trying again",
                fault.told(call.what, tries, renewed)
            );
            self.clock.sleep(wait).await;
        }
    }

    /// Waits for the rate.
    async fn pace(&self) -> Result<(), RestError> {
        while let Err(until) = self.pacer.check() {
            let wait = until.wait_time_from(governor::clock::Clock::now(&self.ticks));
            self.clock.sleep(wait.max(Duration::from_millis(1))).await;
            self.in_time()?;
        }
        self.in_time()
    }

    fn in_time(&self) -> Result<(), RestError> {
        if self.clock.instant() < self.end {
            return Ok(());
        }
        Err(RestError::Total {
            seconds: self.rest.within_seconds,
        })
    }

    async fn once(&self, call: &Call<'_>) -> Result<Got, Fault> {
        let request = self.prepared(call);
        let mut response = request.send().await.map_err(|error| Fault::of(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers();
        // A token may count as something that was made.
        let succeeded = status == 200 || (status == 201 && !call.is_ours);
        if !succeeded {
            return Err(self.fault(status, headers, &call.url));
        }
        let is_page = header(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        });
        let links = headers.get_all(LINK).iter();
        let links = links.filter_map(|link| Some(link.to_str().ok()?.to_owned()));
        let links = links.collect();
        let most = self.rest.max_megabytes.saturating_mul(1_000_000);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let length = u64::try_from(body.len() + chunk.len()).unwrap_or(u64::MAX);
                    if length > most {
                        let most = self.rest.max_megabytes;
                        return Err(Fault::TooLarge { most });
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Err(error) => return Err(Fault::of(&error)),
            }
        }
        // Some call JSON a page; what it begins with tells.
        let begin = body.trim_ascii_start().first();
        if begin == Some(&b'<') || (is_page && !matches!(begin, Some(b'{' | b'['))) {
            return Err(Fault::WebPage);
        }
        Ok(Got { body, links })
    }

    /// What a status other than success means.
    fn fault(&self, status: u16, headers: &HeaderMap, url: &Url) -> Fault {
        match status {
            401 | 403 => Fault::Refused { status },
            429 | 500 | 502..=504 => {
                let date = header(headers, DATE.as_str())
                    .and_then(|text| DateTime::parse_from_rfc2822(text).ok());
                let now = date.map_or_else(|| self.clock.now(), |date| date.with_timezone(&Utc));
                let after = header(headers, RETRY_AFTER.as_str())
                    .and_then(|text| parse_retry_after(text, now));
                let reset = || {
                    let text = header(headers, "x-ratelimit-reset")?;
                    (status == 429).then(|| until_reset(text, now)).flatten()
                };
                Fault::Unavailable {
                    status,
                    wait: after.or_else(reset),
                }
            }
            300..=399 => {
                let to = header(headers, LOCATION.as_str()).and_then(|to| url.join(to).ok());
                let to = to.map_or_else(
                    || "nowhere".to_owned(),
                    |to| to.origin().ascii_serialization(),
                );
                Fault::Redirect { status, to }
            }
            _ => Fault::Status { status },
        }
    }

    fn prepared(&self, call: &Call<'_>) -> reqwest::RequestBuilder {
        let method = if call.is_post {
            Method::POST
        } else {
            Method::GET
        };
        let filled = |template: &Template| template.fill(&self.secrets);
        let mut request = self.http.request(method, call.url.clone());
        let accepts = |name: &String| name.eq_ignore_ascii_case("accept");
        if !call.headers.keys().any(accepts) {
            request = request.header(ACCEPT, "application/json");
        }
        for (name, value) in call.headers {
            request = request.header(name, filled(value).expose());
        }
        let basic = |request: reqwest::RequestBuilder, Basic { user, password }: &Basic| {
            request.basic_auth(filled(user).expose(), Some(filled(password).expose()))
        };
        if let Some(who) = call.basic {
            request = basic(request, who);
        }
        if call.is_ours {
            request = match &self.rest.auth {
                RestAuth::None => request,
                RestAuth::Basic(who) => basic(request, who),
                RestAuth::Bearer(token) => request.bearer_auth(filled(token).expose()),
                RestAuth::Header(headers) => {
                    headers.iter().fold(request, |request, (name, value)| {
                        request.header(name, filled(value).expose())
                    })
                }
                RestAuth::Token(from) => match &self.token {
                    Some(token) => request.header(&from.header, token.value.expose()),
                    None => request,
                },
            };
        }
        if let Some(json) = call.json {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(json.to_string());
        }
        if let Some(form) = call.form {
            let pairs = form.iter().map(|(name, value)| (name, value.expose()));
            let body = reqwest::Url::parse("form:")
                .ok()
                .and_then(|mut url| {
                    url.query_pairs_mut().extend_pairs(pairs);
                    url.query().map(str::to_owned)
                })
                .unwrap_or_default();
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
        }
        request
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `X-RateLimit-Reset` is no standard: seconds since 1970 (`HiBob`), milliseconds since then, or seconds from now.
fn until_reset(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let number: i64 = text.trim().parse().ok()?;
    let seconds = match number {
        1_000_000_000_000.. => number / 1000 - now.timestamp() + 1,
        1_000_000_000.. => number - now.timestamp(),
        _ => number,
    };
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Some(Duration::from_secs(seconds).min(LONGEST_BLOCK))
}

fn http_client(rest: &Rest) -> Result<reqwest::Client, RestError> {
    let setup = |why: String| RestError::Setup { why };
    let limits = rest.timeouts;
    let base = Url::parse(&rest.base_url.0)
        .map_err(|_| setup("The base_url is no address; correct the configuration".to_owned()))?;
    let loopback = is_loopback(&base);
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("jobticket-sync/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .https_only(!loopback)
        .connect_timeout(Duration::from_secs(limits.connect_seconds))
        .read_timeout(Duration::from_secs(limits.read_seconds))
        .timeout(Duration::from_secs(limits.total_seconds));
    if loopback {
        // A proxy would be handed the secrets in the clear.
        builder = builder.no_proxy();
    }
    if base.scheme() == "http" {
        // Plain loopback needs no authorities, and a machine may have none.
        builder = builder.tls_certs_only([]);
    }
    if let Some(path) = &rest.ca_file {
        let pem = std::fs::read(path).map_err(|error| {
            setup(format!(
                "The ca_file {} cannot be read ({error})",
                path.display()
            ))
        })?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| setup(format!("The ca_file is not PEM: {}", cause_of(&error))))?;
        if certificates.is_empty() {
            return Err(setup(
                "The ca_file holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)"
                    .to_owned(),
            ));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(secret) = &rest.client_certificate {
        let pem = secret.read_bytes()?;
        // The cause may quote what is in the file.
        let identity = reqwest::Identity::from_pem(pem.expose()).map_err(|_| {
            setup("The client_certificate cannot be used; it must be PEM, with the certificate and its private key without a passphrase".to_owned())
        })?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| {
        setup(format!(
            "The HTTP client cannot be set up: {}",
            cause_of(&error)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_read_as_a_time_or_as_seconds_and_capped() {
        let now: DateTime<Utc> = "2026-11-23T05:15:00Z".parse().unwrap();
        let at = now.timestamp();
        let read = |text: String| until_reset(&text, now).map(|wait| wait.as_secs());
        assert_eq!(read((at + 42).to_string()), Some(42));
        assert_eq!(read(((at + 42) * 1000).to_string()), Some(43));
        assert_eq!(read("42".to_owned()), Some(42));
        assert_eq!(read((at - 42).to_string()), Some(0));
        assert_eq!(read((at + 4200).to_string()), Some(900));
        assert_eq!(read("soon".to_owned()), None);
    }
}
