//! What has changed between two configurations, key by key, for the audit log. A limit that was loosened is marked, and so is a time for which something is kept that was shortened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Config;

/// One key that changed. Values hold no secret, for the configuration only refers to those; some may tell of people, which [`is_private`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// Which key, such as `integrations.acme.limits.leavers.count`.
    pub key: String,
    /// What it was; `None` where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is; `None` where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Whether a safety limit lets more through than before, or something is kept for a shorter time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loosened: bool,
}

/// Every key with its value in force, defaults included. Integrations and sources go by their names, so that their order does not matter.
pub fn flatten(config: &Config) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let tree =
        serde_json::to_value(config).expect("a configuration is plain values with text keys");
    walk(String::new(), &tree, &mut keys);
    keys
}

fn walk(path: String, value: &Value, keys: &mut BTreeMap<String, String>) {
    let below = |step: &str| {
        if path.is_empty() {
            step.to_owned()
        } else {
            format!("{path}.{step}")
        }
    };
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                walk(below(key), value, keys);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                match value.get("name").and_then(Value::as_str) {
                    Some(name) => walk(below(name), value, keys),
                    None => walk(below(&index.to_string()), value, keys),
                }
            }
        }
        Value::String(text) => {
            keys.insert(path, text.clone());
        }
        other => {
            keys.insert(path, other.to_string());
        }
    }
}

/// The keys that differ, sorted.
pub fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<KeyChange> {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| KeyChange {
            key: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
            loosened: loosened(key, old.get(key), new.get(key))
                || shortened(key, old, new.get(key)),
        })
        .collect()
}

/// Whether a key is a safety limit that now allows more.
fn loosened(key: &str, old: Option<&String>, new: Option<&String>) -> bool {
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok());
    let last = key.rsplit('.').next().unwrap_or(key);
    if key.contains(".decrypt.verify_with.") {
        // One signer less to demand, or one more who may sign; the first to be demanded loosens nothing.
        return new.is_none() || (old.is_none() && last != "0");
    }
    let grows = match last {
        // Without a count, the percentage alone decides: more is allowed.
        "percent" | "count" | "at_least"
            if key.contains(".limits.") || key.contains(".invalid_rows.") =>
        {
            true
        }
        "max_age_hours" => true,
        "min_rows" => false,
        "final_newline" => return new.is_some_and(|new| new == "optional"),
        "trailer" | "rows_in_name" => return new.is_none(),
        _ => return false,
    };
    match (number(old), number(new)) {
        (Some(old), Some(new)) => {
            if grows {
                new > old
            } else {
                new < old
            }
        }
        (Some(_), None) => grows,
        _ => false,
    }
}

/// Whether something is kept for a shorter time than before; without such a key it is kept for ever. In the first configuration of all, or of a source, nothing is shortened.
fn shortened(key: &str, before: &BTreeMap<String, String>, new: Option<&String>) -> bool {
    const KEPT: [&str; 3] = ["keep_months", "leavers_keep_days", "archive_keep_days"];
    let (above, last) = key.rsplit_once('.').unwrap_or(("", key));
    let number = |text: &String| text.parse::<u64>().ok();
    let Some(new) = new.and_then(number).filter(|_| KEPT.contains(&last)) else {
        return false;
    };
    let Some(old) = before.get(key) else {
        let beside = |other: &String| match above {
            "" => true,
            above => other
                .strip_prefix(above)
                .is_some_and(|rest| rest.starts_with('.')),
        };
        return before.keys().any(beside);
    };
    number(old).is_some_and(|old| new < old)
}

/// Whether a value may tell of somebody: values of rules, who is notified, accounts, and what is asked of an HR system.
pub fn is_private(key: &str, value: &str) -> bool {
    if value.contains('@') {
        return true;
    }
    let mut steps = key
        .split('.')
        .rev()
        .skip_while(|step| step.parse::<u32>().is_ok());
    let last = steps.next().unwrap_or(key);
    let within = |names: &[&str]| key.split('.').any(|step| names.contains(&step));
    if within(&["include", "exclude"]) {
        return last != "column";
    }
    if key.starts_with("notify.channels.") {
        let is_plain = value.parse::<f64>().is_ok() || matches!(value, "true" | "false");
        return !is_plain && !matches!(last, "type" | "events" | "tls" | "language");
    }
    last == "user" || within(&["query", "headers", "form"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_tell_of_people_is_known_by_its_key_or_by_an_at_sign() {
        for (key, value) in [
            ("integrations.acme.sources.hq.include.0.in.0", "00123"),
            ("integrations.acme.sources.hq.exclude.1.in", "Anna Muster"),
            ("notify.channels.hr.to.0", "anna"),
            ("notify.channels.hr.url", "https://chat.example/x"),
            ("integrations.acme.sources.sftp.user", "amuster"),
            (
                "integrations.acme.sources.api.request.query.filter.0",
                "boss eq 'Muster'",
            ),
            (
                "integrations.acme.sources.api.base",
                "https://anna@hr.example",
            ),
        ] {
            assert!(is_private(key, value), "{key}");
        }
        for (key, value) in [
            (
                "integrations.acme.sources.hq.include.0.column",
                "Gesellschaft",
            ),
            ("integrations.acme.sources.hq.folder", "/srv/drop"),
            (
                "integrations.acme.jobticket.base_url",
                "https://api.example",
            ),
            ("integrations.acme.limits.leavers.count", "10"),
            ("notify.channels.hr.port", "587"),
            ("notify.channels.hr.events.0", "held"),
        ] {
            assert!(!is_private(key, value), "{key}");
        }
    }

    fn keys(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_raised_limit_is_marked_as_loosened_and_a_lowered_one_is_not() {
        let key = "integrations.acme.limits.leavers.count";
        let found = changes(&keys(&[(key, "10")]), &keys(&[(key, "500")]));
        assert_eq!(found.len(), 1);
        assert!(found[0].loosened);
        assert!(!changes(&keys(&[(key, "500")]), &keys(&[(key, "10")]))[0].loosened);
        assert!(changes(&keys(&[(key, "500")]), &keys(&[]))[0].loosened);
        assert!(
            changes(
                &keys(&[("a.sources.b.table.min_rows", "9")]),
                &keys(&[("a.sources.b.table.min_rows", "1")])
            )[0]
            .loosened
        );
        let signer = "integrations.acme.sources.hr.decrypt.verify_with.";
        let (first, second) = (format!("{signer}0"), format!("{signer}1"));
        let one = keys(&[(&first, "/a.asc")]);
        let two = keys(&[(&first, "/a.asc"), (&second, "/b.asc")]);
        for (old, new, loosened) in [
            (&keys(&[]), &one, false),
            (&one, &keys(&[]), true),
            (&one, &two, true),
            (&two, &one, true),
        ] {
            assert_eq!(changes(old, new)[0].loosened, loosened);
        }
    }

    #[test]
    fn a_shortened_time_is_marked_and_a_first_or_longer_one_is_not() {
        let archive = "integrations.acme.sources.hr.archive_keep_days";
        let beside = "integrations.acme.sources.hr.pattern";
        for key in ["audit.keep_months", "leavers_keep_days", archive] {
            let pairs = |value: Option<&str>| {
                let mut all = keys(&[("audit.values", "none"), (beside, "x")]);
                all.extend(value.map(|value| (key.to_owned(), value.to_owned())));
                all
            };
            for (old, new, marked) in [
                (Some("36"), Some("1"), true),
                (Some("9"), Some("10"), false),
                (None, Some("400"), true),
                (Some("36"), None, false),
            ] {
                let found = changes(&pairs(old), &pairs(new));
                assert_eq!(found.len(), 1, "{key}");
                assert_eq!(found[0].loosened, marked, "{key}: {old:?} to {new:?}");
            }
            let first = changes(&keys(&[]), &pairs(Some("1")));
            assert!(first.iter().all(|change| !change.loosened), "{key}");
        }
        // Another source may have been there.
        let before = keys(&[("integrations.acme.sources.other.pattern", "x")]);
        let after = keys(&[(archive, "5"), (beside, "x")]);
        assert!(changes(&before, &after).iter().all(|one| !one.loosened));
    }
}
