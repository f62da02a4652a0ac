//! Texts with `{name}` in them, each the place of a secret. The secret itself never stands in the file.

use std::collections::BTreeMap;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use crate::config::Secret;
use crate::config::problem::Problems;
use crate::config::values::Texts;

/// A text with places for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Template(pub(super) String);

impl Template {
    /// The names of the secrets in it.
    pub fn names(&self) -> Vec<&str> {
        pieces(&self.0).filter_map(Result::err).collect()
    }

    /// The text with the secrets in their places; one that is not there leaves nothing.
    pub fn fill(&self, secrets: &BTreeMap<String, Secret>) -> Secret {
        let mut text = String::new();
        for piece in pieces(&self.0) {
            match piece {
                Ok(plain) => text.push_str(plain),
                Err(name) => text.push_str(secrets.get(name).map_or("", Secret::expose)),
            }
        }
        Secret::new(text)
    }
}

/// The parts of a text: plain ones, and the names in braces as errors.
fn pieces(text: &str) -> impl Iterator<Item = Result<&str, &str>> {
    let mut rest = text;
    let mut waiting = None;
    std::iter::from_fn(move || {
        if let Some(name) = waiting.take() {
            return Some(Err(name));
        }
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(open) = rest[from..].find('{').map(|at| from + at) {
            let inner = &rest[open + 1..];
            if let Some((name, after)) = inner.split_once('}')
                && is_name(name)
            {
                let plain = &rest[..open];
                rest = after;
                if plain.is_empty() {
                    return Some(Err(name));
                }
                waiting = Some(name);
                return Some(Ok(plain));
            }
            from = open + 1;
        }
        let plain = rest;
        rest = "";
        Some(Ok(plain))
    })
}

/// Whether this may be the name of a secret.
/// Whether what stands under this name is a secret, as far as names tell it.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', '_', ' '], "");
    let parts = ["secret", "password", "passwort", "apikey", "authorization"];
    let tokens = [
        "token",
        "accesstoken",
        "authtoken",
        "refreshtoken",
        "accounttoken",
        "xaccounttoken",
        "xauthtoken",
    ];
    parts.iter().any(|part| name.contains(part)) || tokens.contains(&name.as_str())
}

/// The names in a body under which a secret stands in the clear.
pub(super) fn open_secrets(body: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    match body {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if is_secret_name(name) && is_open(text) => vec![name.clone()],
                other => open_secrets(other),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(open_secrets).collect(),
        _ => Vec::new(),
    }
}

/// Whether a text is a value by itself, and names no secret.
pub(super) fn is_open(text: &str) -> bool {
    !text.is_empty() && Template(text.to_owned()).names().is_empty()
}

/// What is said of a secret in the clear.
pub(super) fn told_open(name: &str) -> String {
    format!(
        "What stands under {name} is a secret, which never stands in this file; write {{name}} there, and under secrets where that is"
    )
}

pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Deserr<Problems> for Template {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let Texts(mut texts) = Texts::deserialize_from_value(value, at)?;
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) if !text.chars().any(char::is_control) => Ok(Self(text)),
            _ => Err(Problems::one(
                at,
                "Write one line of text, with {name} for a secret",
            )),
        }
    }
}

/// Puts the secrets into every text of a JSON body.
pub fn fill_json(
    body: &serde_json::Value,
    secrets: &BTreeMap<String, Secret>,
) -> serde_json::Value {
    use serde_json::Value as Json;
    match body {
        Json::String(text) => Template(text.clone()).fill(secrets).expose().into(),
        Json::Array(items) => items.iter().map(|item| fill_json(item, secrets)).collect(),
        Json::Object(map) => {
            let filled = map
                .iter()
                .map(|(key, value)| (key.clone(), fill_json(value, secrets)));
            Json::Object(filled.collect())
        }
        other => other.clone(),
    }
}

/// The names of the secrets in a JSON body.
pub(super) fn names_in(body: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value as Json;
    match body {
        Json::String(text) => {
            found.extend(pieces(text).filter_map(Result::err).map(str::to_owned));
        }
        Json::Array(items) => items.iter().for_each(|item| names_in(item, found)),
        Json::Object(map) => map.values().for_each(|value| names_in(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_takes_the_place_of_its_name_and_nothing_else_is_touched() {
        let secrets = BTreeMap::from([
            ("id".to_owned(), Secret::new("{id}x")),
            ("key_2".to_owned(), Secret::new("geheim")),
        ]);
        let filled = |text: &str| Template(text.to_owned()).fill(&secrets).expose().to_owned();
        assert_eq!(filled("token {id}:{key_2}"), "token {id}x:geheim");
        assert_eq!(filled("{\"a\": {key_2}}"), "{\"a\": geheim}");
        assert_eq!(filled("{}{ id }"), "{}{ id }");
        assert_eq!(Template("a{id}{other}".to_owned()).names(), ["id", "other"]);
    }
}
