//! What a run would do with one person now, and why: read off the look ahead.

use serde::Serialize;

use crate::plan::Change;
use crate::roster::HrId;
use crate::sync::{Ending, RunReport};

/// What would happen now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// In a word: `nothing`, `goes`, `waits`, `held`, `counting`, `kept`, `rejected`, `incomplete`, `collides`, `not_in_roster` or `failed`.
    pub what: &'static str,
    /// Why.
    pub why: Vec<String>,
    /// In which hold they wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u64>,
    /// What the plan would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

impl Now {
    /// Whether it tells anything of the person, and not of the run alone.
    pub(super) fn is_about_them(&self) -> bool {
        !matches!(self.what, "nothing" | "not_in_roster" | "failed")
    }
}

pub(super) fn of(report: &RunReport, hr_id: &HrId, known: bool) -> Now {
    let mut now = Now {
        what: if known { "nothing" } else { "not_in_roster" },
        why: Vec::new(),
        hold: None,
        change: None,
    };
    let change = report.changes.iter().find(|change| change.hr_id == *hr_id);
    if let Some(change) = change {
        now.change = Some(change.clone());
        now.what = "goes";
        now.why.push(change.to_string());
    }
    if let Some((_, days)) = report.counting.iter().find(|(one, _)| one == hr_id) {
        now.what = "counting";
        now.why.push(format!(
            "missing from complete deliveries of {days} different days, which is not long enough yet"
        ));
    }
    if report.kept.contains(hr_id) {
        now.what = "kept";
        now.why
            .push("stays as acknowledged, by decision".to_owned());
    }
    for row in report
        .rejected
        .iter()
        .filter(|row| row.hr_id == hr_id.as_str())
    {
        now.what = "rejected";
        now.why.push(format!(
            "row {} of {}, column {}: {}; {}",
            row.row,
            row.source,
            row.column,
            row.reason,
            if row.carried_forward {
                "the last acknowledged values are kept"
            } else {
                "left out"
            }
        ));
    }
    let incomplete = report.incomplete.iter();
    for row in incomplete.filter(|row| row.hr_id == hr_id.as_str()) {
        now.what = "incomplete";
        now.why.push(format!(
            "row {} of {} is of somebody new without {}; left out until then",
            row.row, row.source, row.field
        ));
    }
    for one in report.collisions.iter().filter(|one| one.hr_id == *hr_id) {
        now.what = "collides";
        now.why.push(format!(
            "the e-mail is still that of {}, who is kept",
            one.kept
        ));
    }
    let waiting = report.waiting.iter();
    for waiting in waiting.filter(|waiting| waiting.question.change.hr_id == *hr_id) {
        now.what = "waits";
        now.hold = waiting.hold;
        now.change = Some(waiting.question.change.clone());
        now.why.push(waiting.question.change.to_string());
        now.why.push(waiting.question.cause.to_string());
    }
    match &report.ending {
        Ending::Held { hold } if change.is_some() => {
            now.what = "held";
            now.hold = report.hold_id;
            now.why.extend(hold.why());
        }
        Ending::Unchanged | Ending::WouldPush { .. } | Ending::Held { .. } => {}
        ending => {
            now.what = "failed";
            now.why.extend(ending.message());
            let failed = report
                .sources
                .iter()
                .filter(|source| source.status == "failed");
            now.why.extend(failed.filter_map(|source| {
                let note = source.note.as_ref()?;
                Some(format!("source {}: {note}", source.name))
            }));
        }
    }
    now
}
