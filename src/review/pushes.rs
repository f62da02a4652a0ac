//! What became of each push. A plan that was held, refused or only looked at in a dry run tells of leavers too, and none of them has lost anything: only what JobTicket has acknowledged
//! happened. The answer may have come in a later run, and behind the span that is asked for, so this is read first.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::audit::{AuditFile, Entry, Span};

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate<'f> {
    /// JobTicket has acknowledged it; where.
    Acknowledged(&'f str),
    /// It was about to go out, and JobTicket has not acknowledged it.
    NotAcknowledged,
    /// It never went out.
    NotPushed,
}

#[derive(Debug, Default)]
struct Push {
    environment: String,
    acknowledged: bool,
    left_out: HashSet<String>,
}

/// What became of the pushes of all runs.
#[derive(Debug, Default)]
pub(crate) struct Pushes(HashMap<String, Push>);

impl Pushes {
    /// Reads it from the log. A run that began before the span is not asked for.
    pub(crate) fn read(audit: &AuditFile, span: Span) -> io::Result<Self> {
        let span = Span {
            until: None,
            ..span
        };
        let entries = audit
            .read(span)?
            .containing(["\"event\":\"run_started\"", "\"event\":\"push_"]);
        let (mut environments, mut runs) = (HashMap::new(), HashMap::new());
        let mut pushes = Self::default();
        for entry in entries {
            let Entry {
                run, event, line, ..
            } = entry?;
            let sync_id = line["syncId"].as_str().unwrap_or_default();
            match (event.as_str(), run) {
                ("run_started", Some(run)) => {
                    let environment = line["environment"].as_str().unwrap_or_default();
                    environments.insert(run, environment.to_owned());
                }
                ("push_intent", Some(run)) => {
                    let push = pushes.0.entry(run.clone()).or_default();
                    push.environment = environments.remove(&run).unwrap_or_default();
                    runs.insert(sync_id.to_owned(), run);
                }
                ("push_acknowledged", _) => {
                    // One that was acknowledged later stands in another run, whose own changes it says nothing of: they may be held.
                    if let Some(run) = runs.get(sync_id).cloned() {
                        pushes.0.entry(run).or_default().acknowledged = true;
                    }
                }
                ("push_amended", Some(run)) => {
                    let left_out = line["leftOut"].as_array().map_or(&[][..], Vec::as_slice);
                    let left_out = left_out
                        .iter()
                        .filter_map(|one| one.as_str())
                        .map(str::to_owned);
                    pushes.0.entry(run).or_default().left_out.extend(left_out);
                }
                _ => {}
            }
        }
        Ok(pushes)
    }

    /// What became of a line that tells of a change.
    pub(crate) fn fate(&self, entry: &Entry) -> Fate<'_> {
        let Some(push) = entry.run.as_ref().and_then(|run| self.0.get(run)) else {
            return Fate::NotPushed;
        };
        let left_out = entry.line["hrId"]
            .as_str()
            .is_some_and(|hr_id| push.left_out.contains(hr_id));
        match (left_out, push.acknowledged) {
            (true, _) => Fate::NotPushed,
            (false, true) => Fate::Acknowledged(&push.environment),
            (false, false) => Fate::NotAcknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_run_that_only_saw_the_answer_to_an_earlier_push_has_changed_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let lines: Vec<(u32, Value)> = vec![
            (
                1,
                json!({"event": "push_intent", "run": "a", "syncId": "s"}),
            ),
            (
                9,
                json!({"event": "push_acknowledged", "run": "b", "syncId": "s"}),
            ),
            (
                9,
                json!({"event": "change", "run": "b", "hrId": "00007", "kind": "leaves"}),
            ),
            (
                9,
                json!({"event": "push_intent", "run": "c", "syncId": "t"}),
            ),
            (
                9,
                json!({"event": "push_acknowledged", "run": "c", "syncId": "t"}),
            ),
        ];
        let mut text = String::new();
        for ((day, line), seq) in lines.iter().zip(1..) {
            let rest = line.to_string();
            writeln!(
                text,
                "{{\"seq\":{seq},\"time\":\"2026-10-{day:02}T00:00:00.000Z\",{}",
                &rest[1..]
            )
            .unwrap();
        }
        std::fs::write(&path, text).unwrap();
        let since = Span {
            since: Some("2026-10-05T00:00:00Z".parse().unwrap()),
            until: None,
        };
        let pushes = Pushes::read(&AuditFile::new(path), since).unwrap();
        let change = |run: &str| {
            let line = json!({"seq": 9, "time": "2026-10-09T00:00:00.000Z", "run": run, "event": "change", "hrId": "00007"});
            Entry::of(line.to_string().as_bytes()).unwrap()
        };
        assert_eq!(pushes.fate(&change("b")), Fate::NotPushed);
        assert_eq!(pushes.fate(&change("c")), Fate::Acknowledged(""));
    }
}
