//! What is asked for.

use std::collections::BTreeMap;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use super::auth::{NO_HEADER, is_header, is_path};
use super::template::{Template, is_open, is_secret_name, names_in, open_secrets, told_open};
use crate::config::problem::Problems;
use crate::config::validate::Findings;
use crate::config::values::{ByName, Texts};

/// A request for a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Whether it is a POST.
    pub is_post: bool,
    /// The path below `base_url`.
    pub path: String,
    /// Parameters in the address; a list stands for the same one several times.
    pub query: BTreeMap<String, Texts>,
    /// The body of a POST.
    pub json: Option<serde_json::Value>,
    /// Further headers.
    pub headers: BTreeMap<String, Template>,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct RequestKeys {
    #[deserr(default)]
    get: Option<String>,
    #[deserr(default)]
    post: Option<String>,
    #[deserr(default, from(ByName<Texts>) = ByName::into_map)]
    query: BTreeMap<String, Texts>,
    #[deserr(default)]
    json: Option<serde_json::Value>,
    #[deserr(default, from(ByName<Template>) = ByName::into_map)]
    headers: BTreeMap<String, Template>,
}

impl Deserr<Problems> for Request {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let keys = RequestKeys::deserialize_from_value(value, at)?;
        let (is_post, path) = match (keys.get, keys.post) {
            (Some(path), None) => (false, path),
            (None, Some(path)) => (true, path),
            _ => {
                return Err(Problems::one(at, "Write either get: /path or post: /path"));
            }
        };
        if !is_path(&path) {
            return Err(Problems::one(
                at,
                "Write a path below base_url that begins with /; what follows a ? goes under query",
            ));
        }
        if !is_post && keys.json.is_some() {
            return Err(Problems::one(
                at,
                "Only a POST has a body; write post: /path, or leave json out",
            ));
        }
        if keys.json.as_ref().is_some_and(|json| !json.is_object()) {
            return Err(Problems::one(at, "Write a block of keys under json"));
        }
        Ok(Self {
            is_post,
            path,
            query: keys.query,
            json: keys.json,
            headers: keys.headers,
        })
    }
}

impl Request {
    /// As messages and the audit log name it.
    pub fn name(&self) -> String {
        let method = if self.is_post { "POST" } else { "GET" };
        format!("{method} {}", self.path)
    }

    /// The names of the secrets in it.
    pub(super) fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        for template in self.headers.values() {
            found.extend(template.names().into_iter().map(str::to_owned));
        }
        if let Some(body) = &self.json {
            names_in(body, &mut found);
        }
        found
    }

    /// What the types cannot say.
    pub(super) fn check(&self, findings: &mut Findings) {
        if !self.headers.keys().all(|name| is_header(name)) {
            findings.say("request", NO_HEADER);
        }
        let open = self.headers.iter();
        let open = open.filter(|(name, value)| is_secret_name(name) && is_open(&value.0));
        let mut open: Vec<String> = open.map(|(name, _)| name.clone()).collect();
        open.extend(self.json.iter().flat_map(open_secrets));
        for name in open {
            findings.say("request", told_open(&name));
        }
        if self.query.keys().any(|name| is_secret_name(name)) {
            findings.say("request", "A secret never stands in this file, nor in an address, which others write down; write under auth who asks");
        }
        let is_auth = |name: &String| name.eq_ignore_ascii_case("authorization");
        if self.headers.keys().any(is_auth) {
            findings.say("request", "Write under auth who asks, not as a header here");
        }
    }
}
