//! What the configuration says of the JobTicket side.

use std::path::PathBuf;

use deserr::Deserr;
use serde::Serialize;

use super::problem::Problems;
use super::secret::SecretRef;
use super::validate;
use super::values::BaseUrl;

/// Which JobTicket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The imitation inside this program; nobody at JobTicket is touched.
    Sandbox,
    /// JobTicket's staging host.
    Staging,
    /// JobTicket's production host: real tickets.
    Production,
}

/// The JobTicket side of an integration.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::jobticket -> Problems)]
pub struct JobTicket {
    /// One of the known hosts; or `base_url`.
    #[deserr(default)]
    pub environment: Option<Environment>,
    /// Another host; or `environment`.
    #[deserr(default)]
    pub base_url: Option<BaseUrl>,
    /// Number of the HR integration in the JobTicket portal.
    pub integration_id: u64,
    /// User name of HTTP Basic auth.
    #[deserr(default)]
    pub api_key_id: Option<SecretRef>,
    /// Password of HTTP Basic auth.
    #[deserr(default)]
    pub api_key_secret: Option<SecretRef>,
    /// A certificate authority to trust besides the system's, PEM.
    #[deserr(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether invented names, dates and addresses are sent in place of the real ones; not to production.
    #[deserr(default)]
    pub pseudonyms: bool,
    /// Time limits of a call.
    #[deserr(default)]
    pub timeouts: Timeouts,
    /// How long one call may be tried again in all, seconds.
    #[deserr(default = 600)]
    pub retry_seconds: u64,
}

/// Time limits of one HTTP call, in seconds. The vendor names none; these are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::timeouts -> Problems)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    #[deserr(default = 10)]
    pub connect_seconds: u64,
    /// Longest silence while the answer is read.
    #[deserr(default = 60)]
    pub read_seconds: u64,
    /// The whole call.
    #[deserr(default = 180)]
    pub total_seconds: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_seconds: 10,
            read_seconds: 60,
            total_seconds: 180,
        }
    }
}

/// JobTicket's staging host ("JobTicket API overview, Environments").
const STAGING: &str = "https://v1-api-staging.ticket-plus.app";
/// JobTicket's production host ("JobTicket API overview, Environments").
const PRODUCTION: &str = "https://v1-api.ticket-plus.app";

impl JobTicket {
    /// Whether this is the imitation inside the program.
    pub fn is_sandbox(&self) -> bool {
        self.environment == Some(Environment::Sandbox)
    }

    /// The address of the API; `None` for the sandbox, which chooses a port when it starts.
    pub fn url(&self) -> Option<&str> {
        match self.environment {
            Some(Environment::Sandbox) => None,
            Some(Environment::Staging) => Some(STAGING),
            Some(Environment::Production) => Some(PRODUCTION),
            None => self.base_url.as_ref().map(|url| url.0.as_str()),
        }
    }

    /// The origin that the state is keyed by: the word *sandbox*, or scheme, host and port.
    pub fn origin(&self) -> String {
        let Some(url) = self.url() else {
            return "sandbox".to_owned();
        };
        match reqwest::Url::parse(url) {
            // The path belongs to it: two paths of one host are two APIs.
            Ok(parsed) => format!(
                "{}{}",
                parsed.origin().ascii_serialization(),
                parsed.path().trim_end_matches('/')
            ),
            Err(_) => url.to_owned(),
        }
    }

    /// The environment as every result names it.
    pub fn environment_name(&self) -> String {
        match self.environment {
            Some(Environment::Sandbox) => "sandbox".to_owned(),
            Some(Environment::Staging) => "staging".to_owned(),
            Some(Environment::Production) => "production".to_owned(),
            None => self.origin(),
        }
    }

    /// Whether nothing but this machine can be reached under the address.
    pub fn is_loopback(&self) -> bool {
        self.is_sandbox()
            || self
                .url()
                .and_then(|url| reqwest::Url::parse(url).ok())
                .is_some_and(|url| is_loopback(&url))
    }
}

/// Whether an address names this machine itself.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
