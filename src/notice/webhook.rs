//! A message as a POST with JSON. The address is a secret, so no error repeats it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Url};

use super::{Failure, Text, Why, plain};
use crate::config::{Channel, DEFAULT_BODY, fill_body, is_loopback};
use crate::retry::parse_retry_after;

/// So much of an answer is looked at.
const MOST_OF_ANSWER: usize = 2_000;

/// Sends a message; what the receiver answered.
pub(super) async fn send(
    channel: &Channel,
    text: &Text,
    message: &str,
    now: DateTime<Utc>,
    within: Duration,
) -> Result<String, Failure> {
    let failed = |message: &str| Failure::new(Why::NotAdmitted, message);
    let secret = channel.url.as_ref().map(crate::config::SecretRef::read);
    let secret = match secret {
        Some(Ok(secret)) => secret,
        Some(Err(error)) => return Err(failed(&error.to_string())),
        None => return Err(failed("There is no url")),
    };
    let url = Url::parse(secret.expose().trim())
        .map_err(|_| failed("What stands at url is no address; write one that begins with https://, and nothing else"))?;
    let loopback = is_loopback(&url);
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(failed(
            "The address does not begin with https://, so anyone on the way could read it; nothing was sent",
        ));
    }
    let client = client(channel, loopback, within).map_err(|why| failed(&why))?;
    let value = |name: &str| match name {
        "subject" => text.subject.clone(),
        "text" => text.body.clone(),
        "event" => text.event.to_owned(),
        "integration" => text.integration.clone(),
        "environment" => text.environment.clone(),
        "hold" => text.hold.map_or_else(String::new, |hold| hold.to_string()),
        "head" => text.head.clone(),
        "time" => now.to_rfc3339(),
        "id" => message.to_owned(),
        _ => String::new(),
    };
    let body = fill_body(channel.body.as_deref().unwrap_or(DEFAULT_BODY), value);
    let request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    // Whatever of the address is a password is in its path or query.
    let parts = [secret.expose(), url.path(), url.query().unwrap_or_default()];
    let parts = parts.into_iter().filter(|part| part.len() > 1);
    let segments = url.path_segments().into_iter().flatten();
    let who = [url.username(), url.password().unwrap_or_default()];
    let pieces = segments.chain(who).map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    // The shorter ones are words of a language.
    let pieces = pieces.chain(values).filter(|piece| piece.len() >= 6);
    let pieces: Vec<String> = pieces.collect();
    let secrets: Vec<&str> = parts.chain(pieces.iter().map(String::as_str)).collect();
    let sent = request.send().await;
    let mut response =
        sent.map_err(|error| Failure::new(Why::Unavailable, plain(&cause(error), &secrets)))?;
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER);
    let wait = wait
        .and_then(|wait| wait.to_str().ok())
        .and_then(|wait| parse_retry_after(wait, now));
    let mut answer = Vec::new();
    while answer.len() < MOST_OF_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => answer.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let answer = plain(&String::from_utf8_lossy(&answer), &secrets);
    let said = if answer.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {answer}")
    };
    if status.is_success() {
        return Ok(said);
    }
    let (kind, said) = match status.as_u16() {
        300..=399 => (
            Why::Unavailable,
            format!("{said}; redirects are not followed, so correct the address"),
        ),
        401 | 403 | 404 | 410 => (Why::NotAdmitted, said),
        408 | 429 | 500..=599 => (Why::Unavailable, said),
        _ => (Why::Refused, said),
    };
    Err(Failure {
        kind,
        message: said,
        wait,
        receivers: None,
    })
}

fn client(channel: &Channel, loopback: bool, within: Duration) -> Result<reqwest::Client, String> {
    let mut client = reqwest::Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .timeout(within)
        .user_agent(concat!("jobticket-sync/", env!("CARGO_PKG_VERSION")));
    if loopback {
        client = client.no_proxy();
    }
    if let Some(path) = &channel.ca_file {
        let pem = std::fs::read(path)
            .map_err(|error| format!("The ca_file {} cannot be read ({error})", path.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(
                "The ca_file holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)"
                    .to_owned(),
            );
        }
        for certificate in certificates {
            client = client.add_root_certificate(certificate);
        }
    }
    client
        .build()
        .map_err(|error| format!("The connection cannot be prepared ({})", cause(error)))
}

/// The innermost reason, without the address.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer within the time limit".to_owned();
    }
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
