//! Tokens: asked for when the first request needs one, and again before they end. None outlives its pull.

use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::client::{Call, Client};
use super::error::RestError;
use super::json::{Json, first};
use crate::config::{RestAuth, Secret, Target, TokenFrom, fill_json};
use crate::source::columns::Kind;

/// A token that ends sooner than this is taken for one that has ended: a request may take as long.
const MARGIN: Duration = Duration::from_secs(30);

/// A token.
pub(super) struct Token {
    /// As its header is sent.
    pub(super) value: Secret,
    /// When it ends.
    end: Option<Instant>,
}

impl Client<'_> {
    /// Makes sure that there is a token, where requests need one.
    pub(super) async fn have_token(&mut self) -> Result<(), RestError> {
        let rest = self.rest;
        let RestAuth::Token(from) = &rest.auth else {
            return Ok(());
        };
        let now = self.clock.instant();
        let lasts = |token: &Token| token.end.is_none_or(|end| now < end);
        if self.token.as_ref().is_some_and(lasts) {
            return Ok(());
        }
        self.token = Some(Box::pin(self.token_from(from)).await?);
        Ok(())
    }

    async fn token_from(&mut self, from: &TokenFrom) -> Result<Token, RestError> {
        let (url, what) = match &from.post {
            Target::Path(path) => (at(&self.rest.base_url.0, path)?, format!("POST {path}")),
            Target::Address(address) => {
                let url = Url::parse(&address.0).map_err(|_| RestError::NoAddress {
                    what: "The address of the token".to_owned(),
                })?;
                let host = url.host_str().unwrap_or_default();
                let what = format!("POST {} of {host}", url.path());
                (url, what)
            }
        };
        let what = format!("The token request {what}");
        let json = from
            .json
            .as_ref()
            .map(|body| fill_json(body, &self.secrets));
        let form = from.form.as_ref().map(|form| {
            let pairs = form.iter();
            let pairs = pairs.map(|(name, value)| (name.clone(), value.fill(&self.secrets)));
            pairs.collect::<Vec<_>>()
        });
        let call = Call {
            what: &what,
            is_post: true,
            url,
            json: json.as_ref(),
            form: form.as_deref(),
            headers: &from.headers,
            basic: from.basic.as_ref(),
            is_ours: false,
            may_miss: false,
        };
        let sent = self.clock.instant();
        let got = self.call(&call).await.map_err(|error| match error {
            // OAuth says "invalid client" with either (RFC 6749, 5.2).
            RestError::Status { what, status, .. } if matches!(status, 400 | 422) => {
                RestError::Refused { what, status }
            }
            other => other,
        })?;
        let answer = Json::parse(&got.body).map_err(|error| RestError::NotJson {
            what: what.clone(),
            line: error.line(),
            column: error.column(),
        })?;
        let text = |path| {
            first(path, &answer)
                .and_then(|value| value.text(Kind::Text).ok())
                .filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
        };
        let token = text(&from.take).ok_or_else(|| RestError::NoToken {
            what: what.clone(),
            path: from.take.to_string(),
        })?;
        // Kenjo's begins with the word already.
        let has_scheme = token
            .split_once(' ')
            .is_some_and(|(word, _)| word.eq_ignore_ascii_case(&from.scheme));
        let value = if from.scheme.is_empty() || has_scheme {
            token.into_owned()
        } else {
            format!("{} {token}", from.scheme)
        };
        let lives = from.expires_in.as_ref().and_then(text);
        let lives = lives.and_then(|seconds| seconds.parse::<u64>().ok());
        // None that is of any use lasts for no time at all.
        let lives = lives.filter(|seconds| *seconds > 0);
        Ok(Token {
            value: Secret::new(value),
            end: lives.map(|seconds| {
                let lives = Duration::from_secs(seconds.min(86_400 * 366));
                sent + lives.saturating_sub(MARGIN).max(lives / 2)
            }),
        })
    }
}

/// A path below the base address.
pub(super) fn at(base: &str, path: &str) -> Result<Url, RestError> {
    let mut url = Url::parse(base).map_err(|_| RestError::NoSystem)?;
    let path = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
