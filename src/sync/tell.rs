//! What the operational log says at the end of a run.

use super::{Ending, RunReport};
use crate::exit::Exit;
use crate::plan::Counts;

/// Tells the operational log what somebody has to look at.
pub(super) fn tell(report: &RunReport) {
    let (name, run) = (&report.integration, &report.run);
    match (report.ending.message(), report.ending.exit()) {
        (Some(message), Exit::Done) => {
            tracing::info!(integration.name = name, run.id = run, "{message}");
        }
        (Some(message), Exit::Waits | Exit::Busy) => {
            tracing::warn!(integration.name = name, run.id = run, "{message}");
        }
        (Some(message), _) => tracing::error!(integration.name = name, run.id = run, "{message}"),
        (None, _) => {}
    }
    if !report.waiting.is_empty() {
        let mut holds: Vec<u64> = report.waiting.iter().filter_map(|one| one.hold).collect();
        holds.sort_unstable();
        holds.dedup();
        let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
        tracing::warn!(
            integration.name = name,
            run.id = run,
            people = report.waiting.len(),
            "Held: people wait for a decision{}",
            if holds.is_empty() {
                String::new()
            } else {
                format!(" in hold {}", holds.join(", "))
            }
        );
    }
    let Counts {
        leavers,
        explained_leavers,
        ..
    } = report.counts;
    if matches!(report.ending, Ending::Pushed { .. }) && leavers > explained_leavers {
        tracing::warn!(
            integration.name = name,
            run.id = run,
            leavers = leavers - explained_leavers,
            "People were offboarded who are missing without an explanation"
        );
    }
}
