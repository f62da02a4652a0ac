//! What the audit log tells of one person: the lines that name them.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::audit::{AuditFile, Span, in_words as told, names};
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
    let named = serde_json::to_string(hr_id).expect("an hrId is text");
    let mut found = Vec::new();
    let mut pushed = HashSet::new();
    let entries = audit.read(Span::default()).map_err(failed)?;
    for entry in entries.containing(["\"push_acknowledged\"", named.as_str()]) {
        let entry = entry.map_err(failed)?;
        if entry.integration.as_deref() != Some(integration) {
            continue;
        }
        if entry.event == "push_acknowledged" {
            pushed.extend(entry.run);
        } else if names(&entry.line, hr_id.as_str()) {
            found.extend(happened(&entry.line, hr_id));
        }
    }
    for one in &mut found {
        if one.event == "change" {
            one.pushed = Some(one.run.as_ref().is_some_and(|run| pushed.contains(run)));
        }
    }
    Ok(found)
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
        _ => told(line),
    }
}
