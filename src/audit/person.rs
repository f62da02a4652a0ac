//! Whom a line of the log names.

use std::collections::HashSet;

use serde_json::Value;

/// Keys under which a line names people. Values stand apart and are not looked at.
const PEOPLE: [&str; 9] = [
    "hrId",
    "other",
    "kept",
    "hrIds",
    "except",
    "waits",
    "counting",
    "carriedForward",
    "leftOut",
];

/// Whether a line, or something in it, names somebody.
pub fn names(value: &Value, hr_id: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, value)| match value {
            Value::String(text) => PEOPLE.contains(&key.as_str()) && text == hr_id,
            Value::Array(items) if PEOPLE.contains(&key.as_str()) => {
                items.iter().any(|item| item == hr_id)
            }
            _ if key == "values" || key == "commitments" => false,
            value => names(value, hr_id),
        }),
        Value::Array(items) => items.iter().any(|item| names(item, hr_id)),
        _ => false,
    }
}

/// Everybody whom a line names, in the order of the line, once.
pub fn named(line: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(line, &mut found);
    let mut seen = HashSet::new();
    found.retain(|hr_id| seen.insert(*hr_id));
    found
}

/// Those whom a decision leaves out; the line names them, and nothing was decided of them.
pub fn excepted(line: &Value) -> Vec<&str> {
    let list = line["except"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if PEOPLE.contains(&key.as_str()) => found.push(text),
                    Value::Array(items) if PEOPLE.contains(&key.as_str()) => {
                        found.extend(items.iter().filter_map(Value::as_str));
                    }
                    _ if key == "values" || key == "commitments" => {}
                    value => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everybody_is_named_once_and_whom_a_decision_leaves_out_is_known() {
        let line =
            json!({ "hrIds": ["1", "2"], "except": ["3"], "trips": [{ "hrIds": ["2", "1"] }] });
        let mut all = named(&line);
        all.sort_unstable();
        assert_eq!(all, ["1", "2", "3"]);
        assert_eq!(excepted(&line), ["3"]);
        assert!(excepted(&json!({ "hrIds": ["1"] })).is_empty());
    }

    #[test]
    fn a_line_names_somebody_where_it_names_people_and_nowhere_else() {
        for line in [
            json!({ "hrId": "7" }),
            json!({ "waits": ["1", "7"] }),
            json!({ "trips": [{ "hrIds": ["7"] }] }),
            json!({ "cause": "new_number", "other": "7" }),
            json!({ "differences": [{ "hrId": "7", "drift": "not_linked" }] }),
        ] {
            assert!(names(&line, "7"), "{line}");
            assert!(named(&line).contains(&"7"), "{line}");
        }
        for line in [
            json!({ "hrId": "07" }),
            json!({ "source": "7", "hold": 7 }),
            json!({ "values": { "hrId": "7" } }),
            json!({ "fields": ["7"] }),
        ] {
            assert!(!names(&line, "7"), "{line}");
            assert!(!named(&line).contains(&"7"), "{line}");
        }
    }
}
