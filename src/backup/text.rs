//! What a backup or a restore did, for people.

use std::fmt;

use super::{Done, Report, Snapshot};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, time) = (self.file.display(), self.time.format("%Y-%m-%d %H:%M UTC"));
        match &self.done {
            Done::Written { bytes } => writeln!(f, "Backup written to {file} ({bytes} bytes)")?,
            Done::Restored { .. } => writeln!(
                f,
                "Restored {file}, a backup of {time} by version {}",
                self.version
            )?,
        }
        if self.snapshots.is_empty() {
            writeln!(f, "  store: nothing was acknowledged yet")?;
        }
        for Snapshot {
            integration,
            employees,
            acknowledged,
        } in &self.snapshots
        {
            // To the minute, as the times of messages are.
            let acknowledged = acknowledged.get(..16).unwrap_or(acknowledged);
            writeln!(
                f,
                "  store: {integration}, {employees} employees, acknowledged {} UTC",
                acknowledged.replace('T', " ")
            )?;
        }
        writeln!(f, "  audit log: {} lines", self.lines)?;
        match &self.done {
            Done::Written { .. } => writeln!(
                f,
                "  configuration: the file as it is\n  PERSONAL DATA: keep this file as safe as the state folder. The secrets, the request ledger and the sandbox are not in it"
            ),
            Done::Restored {
                replaced,
                configuration,
                forgotten_known,
                forgotten_later,
            } => {
                if !forgotten_known {
                    writeln!(
                        f,
                        "  FORGOTTEN PEOPLE: the store that was here cannot be read, so whoever was forgotten since this backup was made has to be forgotten again"
                    )?;
                }
                if !forgotten_later.is_empty() {
                    writeln!(
                        f,
                        "  to be forgotten once they are not active here any more: {}",
                        forgotten_later.join(", ")
                    )?;
                }
                if let Some(replaced) = replaced {
                    writeln!(f, "  what was here before: {}", replaced.display())?;
                }
                if let Some(configuration) = configuration {
                    writeln!(
                        f,
                        "  configuration of the backup: {}; the current one is as it was",
                        configuration.display()
                    )?;
                }
                writeln!(
                    f,
                    "  NOT OURS UNTIL ADOPTED: JobTicket may have had later pushes than this backup knows of. Look at the next plan with --run-now --dry-run, then adopt each integration"
                )
            }
        }
    }
}
