//! What happens to the files of a run in the end: where that is configured they move away, and nothing that fails here fails the run.

use std::collections::BTreeMap;

use super::{Run, RunReport, off};
use crate::audit::Event;
use crate::source::{self, Taken};
use crate::store::{Note, StoreError};

impl Run<'_> {
    /// Moves the files that were used, where that is configured.
    pub(super) fn archive(
        &self,
        taken: &[Option<Taken>],
        report: &mut RunReport,
    ) -> Result<(), StoreError> {
        if self.options.dry_run {
            return Ok(());
        }
        let mut notes: Vec<Note> = Vec::new();
        let mut not_put_away = BTreeMap::new();
        for (source, taken) in self.integration.sources.iter().zip(taken) {
            let Some(taken) = taken else { continue };
            let (now, private) = (self.context.clock.now(), &self.context.config.state_dir);
            let stopping = &self.options.stopping;
            let finished = off(|| source::finish(source, taken, now, private, stopping));
            for (file, to) in finished.away {
                let (source, to) = (source.name.clone(), to.to_string());
                notes.push(Event::FileArchived { source, file, to }.into());
            }
            if let Some((file, error)) = finished.failed {
                let error = source::chain(&error);
                tracing::warn!(source.name = source.name, "{error}");
                report.notes.push(format!("Warning: {error}"));
                not_put_away.insert(source.name.clone(), error.clone());
                let source = source.name.clone();
                let event = Event::ArchiveFailed {
                    source,
                    file,
                    error,
                };
                notes.push(event.into());
            }
        }
        self.keep_not_put_away(report, not_put_away)?;
        if notes.is_empty() {
            Ok(())
        } else {
            self.record(notes)
        }
    }
}
