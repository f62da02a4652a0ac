//! What the audit log tells of one person: the lines that name them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

use serde::Serialize;
use serde_json::Value;

use crate::audit::AuditFile;
use crate::plan::Change;
use crate::roster::HrId;
use crate::store::StoreError;

/// One line of the audit log that names somebody, without any value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Happened {
    /// When.
    pub time: String,
    /// In which run, if in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Which event.
    pub event: String,
    /// In words.
    pub text: String,
    /// Of a change: whether a push of its run was acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed: Option<bool>,
}

/// Reads the lines of an integration that name somebody. A log that is not there yet has none.
pub(super) fn read(
    audit: &AuditFile,
    integration: &str,
    hr_id: &HrId,
) -> Result<Vec<Happened>, StoreError> {
    let failed = |cause| StoreError::Audit {
        path: audit.path().to_owned(),
        cause,
    };
    let file = match File::open(audit.path()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let named = serde_json::to_string(hr_id).expect("an hrId is text");
    let mut found = Vec::new();
    let mut pushed = HashSet::new();
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            break;
        }
        // A torn line is no text, and tells nothing.
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        let acknowledged = text.contains("\"push_acknowledged\"");
        if !acknowledged && !text.contains(&named) {
            continue;
        }
        let Ok(line) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        if line["integration"] != integration {
            continue;
        }
        if acknowledged {
            pushed.extend(line["run"].as_str().map(str::to_owned));
        } else if names(&line, hr_id.as_str()) {
            found.extend(happened(&line, hr_id));
        }
    }
    for one in &mut found {
        if one.event == "change" {
            one.pushed = Some(one.run.as_ref().is_some_and(|run| pushed.contains(run)));
        }
    }
    Ok(found)
}

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
fn names(value: &Value, hr_id: &str) -> bool {
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

fn happened(line: &Value, hr_id: &HrId) -> Option<Happened> {
    let event = line["event"].as_str()?;
    Some(Happened {
        time: line["time"].as_str()?.to_owned(),
        run: line["run"].as_str().map(str::to_owned),
        event: event.to_owned(),
        text: in_words(event, line, hr_id.as_str()),
        pushed: None,
    })
}

fn in_words(event: &str, line: &Value, hr_id: &str) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let has = |key: &str| {
        let list = line[key].as_array();
        list.is_some_and(|list| list.iter().any(|item| item == hr_id))
    };
    match event {
        "change" => {
            let change: Option<Change> = serde_json::from_value(line.clone()).ok();
            let change = change.map_or_else(String::new, |change| change.to_string());
            match text("grounds") {
                "approved" => format!("{change}; approved by hold {}", line["hold"]),
                "missing" => format!("{change}; missing on {} days", line["days"]),
                "" => change,
                grounds => format!("{change}; {grounds}"),
            }
        }
        "guard" => {
            let mut parts = vec![format!("the guard: {}", text("verdict"))];
            for (key, what) in [
                ("waits", "waits"),
                ("counting", "missing, and stays in until it is long enough"),
                ("kept", "stays by decision"),
            ] {
                if has(key) {
                    parts.push(what.to_owned());
                }
            }
            parts.join("; ")
        }
        "held" => match text("cause") {
            "" => format!("waits in hold {}", line["hold"]),
            cause => format!(
                "waits in hold {} ({})",
                line["hold"],
                cause.replace('_', " ")
            ),
        },
        "hold_over" => format!("not in question any more in hold {}", line["hold"]),
        "approval_void" => format!("the approval of hold {} holds no longer", line["hold"]),
        "decision" => {
            let mut told = text("decision").to_owned();
            if has("except") {
                told += ", and excepted";
            }
            if let Some(hold) = line["hold"].as_u64() {
                let _ = write!(told, " of hold {hold}");
            }
            if let Some(until) = line["until"].as_str() {
                let _ = write!(told, " until {until}");
            }
            format!("{told} by {}: {}", text("user"), text("reason"))
        }
        "row_rejected" => format!(
            "row {} of {} rejected: {}",
            line["row"],
            text("source"),
            text("reason")
        ),
        "row_incomplete" => format!(
            "row {} of {} without {}",
            line["row"],
            text("source"),
            text("field")
        ),
        "collision" => format!(
            "{} waits: the e-mail is still that of {}",
            text("hrId"),
            text("kept")
        ),
        "kept_while_frozen" => "kept in, for a source failed".to_owned(),
        "push_amended" if has("carriedForward") => {
            "JobTicket refused the record; sent with the acknowledged values".to_owned()
        }
        "push_amended" => "JobTicket refused the record; left out".to_owned(),
        "push_refused" => format!(
            "named by JobTicket, which refused a push: {}",
            text("outcome")
        ),
        "drift" | "drift_checked" => "differs at JobTicket".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        }
        for line in [
            json!({ "hrId": "07" }),
            json!({ "source": "7", "hold": 7 }),
            json!({ "values": { "hrId": "7" } }),
            json!({ "fields": ["7"] }),
        ] {
            assert!(!names(&line, "7"), "{line}");
        }
    }
}
