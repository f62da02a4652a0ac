//! What happens to the files of a run in the end: where that is configured they move away, and nothing that fails here fails the run.

use super::{Run, RunReport, off};
use crate::audit::Event;
use crate::config::SourceType;
use crate::source::{self, Away, Taken};
use crate::store::{Archived, Note, StoreError};

/// A file that was moved into an archive on this machine, as it looks there.
fn put(to: &Away) -> Option<Archived> {
    let Away::Moved(path) = to else { return None };
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some(Archived {
        path: path.clone(),
        size: metadata.len(),
        modified: metadata.modified().ok()?.into(),
    })
}

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
        for (source, taken) in self.integration.sources.iter().zip(taken) {
            let Some(taken) = taken else { continue };
            let (now, private) = (self.context.clock.now(), &self.context.config.state_dir);
            let stopping = &self.options.stopping;
            let finished = off(|| source::finish(source, taken, now, private, stopping));
            // A path on a server is none of this machine.
            let away = finished
                .away
                .iter()
                .filter(|_| source.kind == SourceType::CsvDrop);
            let put: Vec<Archived> = away.filter_map(|(_, to)| put(to)).collect();
            if !put.is_empty() {
                off(|| self.context.store.archive(&self.target, &source.name, &put))?;
            }
            for (file, to) in finished.away {
                let (source, to) = (source.name.clone(), to.to_string());
                notes.push(Event::FileArchived { source, file, to }.into());
            }
            if let Some((file, error)) = finished.failed {
                let error = source::chain(&error);
                tracing::warn!(source.name = source.name, "{error}");
                report.notes.push(format!("Warning: {error}"));
                let source = source.name.clone();
                let event = Event::ArchiveFailed {
                    source,
                    file,
                    error,
                };
                notes.push(event.into());
            }
        }
        if notes.is_empty() {
            Ok(())
        } else {
            self.record(notes)
        }
    }
}
