//! A line of the log in words, without any personal value.

use serde_json::Value;

use super::settings::UNTOLD;
use crate::config::is_private;
use crate::plan::Change;

/// So many hrIds are named of a list; the line itself has them all.
const SHOWN: usize = 10;

/// What a line tells. An event that this version does not know is told by its name.
#[expect(clippy::too_many_lines, reason = "an arm an event")]
pub fn in_words(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let number = |key: &str| line[key].as_u64().unwrap_or_default();
    let people = |key: &str| listed(&line[key]);
    let sync = || text("syncId");
    let event = text("event");
    match event {
        "run_started" => {
            let dry = if line["dryRun"] == true {
                "dry run"
            } else {
                "run"
            };
            format!(
                "{dry} started: {}, by {}, {}, version {}",
                text("trigger"),
                text("user"),
                text("environment"),
                text("version")
            )
        }
        "run_never_ended" => format!("a run that began {} never ended", text("started")),
        "run_panicked" => format!("an internal error ended a run ({})", text("trigger")),
        "schedule_missed" => format!(
            "{} scheduled runs missed, {} to {}: {}",
            number("count"),
            text("first"),
            text("last"),
            text("reason")
        ),
        "run_ended" => {
            let message = line["message"]
                .as_str()
                .map_or_else(String::new, |message| format!(": {message}"));
            format!(
                "run ended: {}, exit code {}{message}",
                text("outcome"),
                number("exitCode")
            )
        }
        "configuration_changed" => {
            let changes = line["changes"].as_array().map_or(&[][..], Vec::as_slice);
            let changes: Vec<String> = changes.iter().map(key_change).collect();
            format!(
                "configuration changed by {}: {}",
                text("user"),
                changes.join("; ")
            )
        }
        "source_pulled" if text("file").is_empty() => format!(
            "{}: {}, {} rows, {} selected",
            text("source"),
            text("status"),
            number("rows"),
            number("selected")
        ),
        "source_pulled" => format!(
            "{}: {} ({}), {} rows, {} selected, SHA-256 {}",
            text("source"),
            text("file"),
            text("status"),
            number("rows"),
            number("selected"),
            text("sha256")
        ),
        "source_failed" => {
            let stands_in = if line["standsIn"] == true {
                "; its last good roster stands in"
            } else {
                ""
            };
            format!("{} failed: {}{stands_in}", text("source"), text("error"))
        }
        "row_rejected" => format!(
            "row {} of {} rejected ({}): {}",
            number("row"),
            text("source"),
            text("hrId"),
            text("reason")
        ),
        "row_incomplete" => format!(
            "row {} of {}: {} has no {}",
            number("row"),
            text("source"),
            text("hrId"),
            text("field")
        ),
        "collision" => format!(
            "{} waits: the e-mail is still that of {}",
            text("hrId"),
            text("kept")
        ),
        "kept_while_frozen" => format!("kept in, for a source failed: {}", people("hrIds")),
        "plan" => format!(
            "plan: {} employees, {} join, {} leave, {} change",
            number("roster"),
            number("joiners"),
            number("leavers"),
            number("changed")
        ),
        "change" => {
            let change: Option<Change> = serde_json::from_value(line.clone()).ok();
            let change =
                change.map_or_else(|| text("hrId").to_owned(), |change| change.to_string());
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
                ("waits", "wait"),
                (
                    "counting",
                    "are missing and stay in until it is long enough",
                ),
                ("kept", "stay by decision"),
            ] {
                let count = line[key].as_array().map_or(0, Vec::len);
                if count > 0 {
                    parts.push(format!("{count} {what}"));
                }
            }
            parts.join("; ")
        }
        "hold_opened" => {
            let why = line["why"].as_array().map_or(&[][..], Vec::as_slice);
            let why: Vec<&str> = why.iter().filter_map(Value::as_str).collect();
            format!(
                "hold {} opened, {} people: {}",
                line["hold"],
                number("people"),
                why.join("; ")
            )
        }
        "held" => {
            let change: Option<Change> = serde_json::from_value(line.clone()).ok();
            let change =
                change.map_or_else(|| text("hrId").to_owned(), |change| change.to_string());
            let ticket = match line["activeTicket"].as_bool() {
                Some(true) => "; has an active ticket",
                Some(false) => "; has no active ticket",
                None => "",
            };
            match text("cause") {
                "" => format!("{change}; waits in hold {}{ticket}", line["hold"]),
                cause => format!(
                    "{change}; waits in hold {} ({}){ticket}",
                    line["hold"],
                    cause.replace('_', " ")
                ),
            }
        }
        "hold_over" => format!(
            "hold {}: not in question any more: {}",
            line["hold"],
            or_plan(&people("hrIds"))
        ),
        "approval_void" => format!(
            "hold {}: the approval holds no longer: {}",
            line["hold"],
            or_plan(&people("hrIds"))
        ),
        "decision" => decision(line),
        "drift_checked" | "drift" => {
            let count = line["differences"].as_array().map_or(0, Vec::len);
            format!(
                "{}: {count} people differ at JobTicket",
                event.replace('_', " ")
            )
        }
        "read_before" if line["read"] == true => {
            format!("JobTicket's employees read: {} linked", number("linked"))
        }
        "read_before" => "JobTicket's employees were not read, as configured".to_owned(),
        "push_amended" => format!(
            "{}: refused records; sent with acknowledged values: {}; left out: {}",
            sync(),
            or_nobody(&people("carriedForward")),
            or_nobody(&people("leftOut"))
        ),
        "tickets_lost" => format!(
            "after {}: {} people outside the push lost their tickets",
            sync(),
            line["ids"].as_array().map_or(0, Vec::len)
        ),
        "credential_refused" => format!("JobTicket refuses the credential: {}", text("outcome")),
        "recovered" => format!("works again: {}", text("what")),
        "push_intent" => {
            let holds = line["approvedByHolds"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
            let by = if holds.is_empty() {
                String::new()
            } else {
                format!(", approved by hold {}", holds.join(", "))
            };
            format!(
                "push {}: {} employees{by}, body SHA-256 {}",
                sync(),
                number("employees"),
                text("bodySha256")
            )
        }
        "push_attempt" => format!(
            "push {}, attempt {}: {}",
            sync(),
            number("attempt"),
            text("outcome")
        ),
        "push_acknowledged" => format!(
            "push {}: {} employees acknowledged by JobTicket {} ({})",
            sync(),
            number("employees"),
            text("acknowledged"),
            text("seen")
        ),
        "push_refused" => format!("push {}: refused by JobTicket: {}", sync(), text("outcome")),
        "push_in_doubt" => format!("push {}: in doubt: {}", sync(), text("outcome")),
        "push_unsettled" => format!(
            "push {}: not found at JobTicket; the next plan counts with both rosters",
            sync()
        ),
        "read_back" => format!("push {}: {}", sync(), text("result")),
        "file_archived" => format!(
            "{}: {} moved to {}",
            text("source"),
            text("file"),
            text("to")
        ),
        "archive_failed" => format!(
            "{}: {} could not be moved: {}",
            text("source"),
            text("file"),
            text("error")
        ),
        "backup_written" => format!("backup {} written by {}", text("file"), text("user")),
        "restored" => format!(
            "restored by {} from {}, a backup of {}{}",
            text("user"),
            text("file"),
            text("backupTime"),
            line["replacedHead"]
                .as_str()
                .map_or_else(String::new, |head| format!(
                    ", in place of a log with the head {head}"
                ))
        ),
        "torn_line_sealed" => format!(
            "a crash had torn a line of {} bytes, which was ended and left as it is",
            number("bytes")
        ),
        "store_is_behind" => format!(
            "the file ended with line {}, the store knew of {}: the store was replaced",
            number("found"),
            number("expected")
        ),
        "lines_missing" => format!(
            "the file ended with line {} and not with {}: lines were removed",
            number("found"),
            number("expected")
        ),
        "old_lines_removed" => format!(
            "lines {} to {} removed by age ({} months): {}",
            number("first"),
            number("last"),
            number("keepMonths"),
            text("file")
        ),
        "forgotten" => format!(
            "forgotten by {}: {}: {}",
            text("user"),
            text("reason"),
            people("hrIds")
        ),
        "archived_file_removed" => format!(
            "{}: {} removed from the archive after {} days",
            text("source"),
            text("file"),
            number("keepDays")
        ),
        other => other.replace('_', " "),
    }
}

fn decision(line: &Value) -> String {
    let text = |key: &str| line[key].as_str();
    let mut told = vec![text("decision").unwrap_or_default().to_owned()];
    told.extend(line["hold"].as_u64().map(|hold| format!(" hold {hold}")));
    told.push(format!(" by {}", text("user").unwrap_or_default()));
    told.extend(text("onBehalfOf").map(|name| format!(" on behalf of {name}")));
    told.push(format!(": {}", text("reason").unwrap_or_default()));
    for (key, what) in [("hrIds", ""), ("except", "except ")] {
        let people = listed(&line[key]);
        if !people.is_empty() {
            told.push(format!("; {what}{people}"));
        }
    }
    told.extend(text("until").map(|until| format!("; until {until}")));
    told.concat()
}

/// A key that changed. An older log may have values that tell of people; they are not told from there either.
fn key_change(change: &Value) -> String {
    let key = change["key"].as_str().unwrap_or_default();
    let text = |side: &str| match change[side].as_str() {
        Some(value) if is_private(key, value) => UNTOLD,
        Some(value) => value,
        None => "nothing",
    };
    let loosened = if change["loosened"] == true {
        " (loosened)"
    } else {
        ""
    };
    format!("{key} {} -> {}{loosened}", text("old"), text("new"))
}

fn listed(list: &Value) -> String {
    let all: Vec<&str> = list
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let shown = all[..all.len().min(SHOWN)].join(", ");
    match all.len() - all.len().min(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn or_plan(people: &str) -> &str {
    if people.is_empty() {
        "its plan"
    } else {
        people
    }
}

fn or_nobody(people: &str) -> &str {
    if people.is_empty() { "nobody" } else { people }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_leaver_is_told_with_the_reason_and_the_grounds() {
        let line = json!({"event": "change", "hrId": "00123", "kind": "leaves", "reason": "employment_ended", "lastDay": "2026-09-30", "grounds": "approved", "hold": 7});
        assert_eq!(
            in_words(&line),
            "- 00123 leaves (employment ended 2026-09-30); approved by hold 7"
        );
    }

    #[test]
    fn a_decision_names_who_for_whom_and_why() {
        let line = json!({"event": "decision", "decision": "approve", "hold": 7, "user": "mira", "onBehalfOf": "HR", "reason": "seen", "hrIds": ["1", "2"], "except": ["3"]});
        assert_eq!(
            in_words(&line),
            "approve hold 7 by mira on behalf of HR: seen; 1, 2; except 3"
        );
    }

    #[test]
    fn a_changed_key_is_told_without_what_may_tell_of_people_whatever_an_older_log_holds() {
        let line = json!({"event": "configuration_changed", "user": "root", "changes": [
            {"key": "notify.channels.hr.to.0", "old": "anna@example.com", "new": "…"},
            {"key": "integrations.acme.limits.leavers.count", "old": "10", "loosened": true},
        ]});
        assert_eq!(
            in_words(&line),
            "configuration changed by root: notify.channels.hr.to.0 … -> …; integrations.acme.limits.leavers.count 10 -> nothing (loosened)"
        );
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let all: Vec<String> = (0..25).map(|number| number.to_string()).collect();
        let line = json!({"event": "kept_while_frozen", "hrIds": all});
        assert!(
            in_words(&line).ends_with("8, 9 and 15 more"),
            "{}",
            in_words(&line)
        );
    }
}
