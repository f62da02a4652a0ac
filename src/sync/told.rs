//! What the audit log is told of each attempt of a push, as soon as it is over.

use std::collections::HashSet;

use super::{millis, off};
use crate::audit::{Event, mask_text, parts};
use crate::config::AuditValues;
use crate::guard::Approved;
use crate::jobticket::{Attempt, Outcome, Witness};
use crate::roster::Entry;
use crate::store::{Notes, Settled, Store};

/// Writes each attempt to the audit log as soon as it is over.
pub(super) struct Told<'t> {
    pub(super) store: &'t Store,
    pub(super) notes: Notes,
    pub(super) sync_id: &'t str,
    pub(super) approved: &'t Approved,
    pub(super) values: AuditValues,
}

impl Witness for Told<'_> {
    async fn attempt(&mut self, attempt: &Attempt) {
        crate::crash::point("attempted");
        let mut outcome = attempt.outcome.to_string();
        if let Outcome::Invalid { body } = &attempt.outcome {
            outcome = format!("{outcome}: {}", shown(body, self.approved, self.values));
        }
        let event = Event::PushAttempt {
            sync_id: self.sync_id.to_owned(),
            attempt: attempt.number,
            outcome,
            duration_ms: millis(attempt.took),
        };
        let notes = Notes {
            notes: vec![event.into()],
            ..self.notes.clone()
        };
        let recorded = match &attempt.outcome {
            // At once, so that no crash lets the next run take it for a push that was never answered.
            Outcome::Invalid { body } => {
                let named = super::push::named_people(body, self.approved);
                let named = named.into_iter().map(|(hr_id, _)| hr_id).collect();
                off(|| {
                    self.store
                        .settle(self.sync_id, &Settled::PerhapsInPart(named), &notes)
                })
            }
            _ => off(|| self.store.record(&notes)),
        };
        if let Err(error) = recorded {
            // The push goes on: what became of it is more important than this line.
            tracing::error!("An attempt could not be recorded: {error}");
        }
    }
}

/// What JobTicket said of refused values, as far as the audit log may show it. Its shape is not documented, so any word may be a personal value.
fn shown(body: &str, approved: &Approved, values: AuditValues) -> String {
    const MOST: usize = 4_000;
    // A word that is cut in two is no longer known for what it is, so the last one of a long text goes.
    let mut cut: String = body.chars().take(MOST).collect();
    if cut.len() < body.len() {
        cut.truncate(cut.rfind(|c: char| !c.is_alphanumeric()).unwrap_or(0));
        cut.push('…');
    }
    match values {
        // What stands in the chain can never be taken out again, so it is masked whatever the log may show of values that stand outside it.
        AuditValues::Full | AuditValues::Masked => {
            let known: HashSet<String> = approved
                .entries()
                .iter()
                .map(Entry::employee)
                .flat_map(|one| [one.first_name(), one.last_name(), one.email()])
                .flat_map(parts)
                .collect();
            mask_text(&cut, |part| known.contains(part))
        }
        AuditValues::None => format!("{} bytes, not kept", body.len()),
    }
}
