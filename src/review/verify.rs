//! `audit verify`: was the log changed, and where.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::json;

use super::{Review, ReviewError};
use crate::audit::{Head, Verified};
use crate::cli::Output;
use crate::exit::Exit;
use crate::store::{Store, StoreError};

impl Review<'_> {
    pub(super) fn verify(
        &self,
        heads: &[String],
        out: &mut dyn Write,
    ) -> Result<Exit, ReviewError> {
        let heads: Vec<Head> = heads
            .iter()
            .map(|text| {
                text.parse().map_err(|why| {
                    ReviewError::Usage(format!("--head {text} is not understood: {why}"))
                })
            })
            .collect::<Result<_, _>>()?;
        let store = if Store::is_in(&self.config.state_dir).unwrap_or(true) {
            Some(Store::open(&self.config.state_dir, self.clock.clone())?)
        } else {
            None
        };
        let ends = || {
            store
                .as_ref()
                .map_or_else(|| Ok(Vec::new()), Store::audit_ends)
        };
        let checked: Result<Verified, StoreError> = self
            .log()
            .verify(heads.clone(), ends)
            .map_err(self.unreadable())?;
        let checked = checked?;
        let exit = if checked.breaks.is_empty() {
            Exit::Done
        } else {
            Exit::Unexpected
        };
        let done = match self.output {
            Output::Text => {
                out.write_all(Self::told(&checked, &heads, &self.log().strangers()).as_bytes())
            }
            Output::Json => writeln!(
                out,
                "{:#}",
                json!({ "verified": checked, "intact": checked.breaks.is_empty(), "exitCode": exit })
            ),
        };
        done.and_then(|()| out.flush())
            .map_err(ReviewError::Output)?;
        Ok(exit)
    }

    fn told(checked: &Verified, heads: &[Head], strangers: &[String]) -> String {
        let mut told = String::new();
        let files = if checked.files == 1 { "file" } else { "files" };
        let _ = match checked.last {
            0 => writeln!(told, "audit log: no line yet"),
            last => writeln!(
                told,
                "audit log: lines {} to {last} in {} {files}",
                checked.first, checked.files
            ),
        };
        for removed in &checked.removed {
            let _ = writeln!(
                told,
                "  lines {} to {} were removed by age on {}, as audit.keep_months says",
                removed.first,
                removed.last,
                day(&removed.time)
            );
        }
        if checked.redacted > 0 {
            let _ = writeln!(
                told,
                "  {} lines without values that they once had: somebody was forgotten",
                checked.redacted
            );
        }
        if checked.torn > 0 {
            let _ = writeln!(
                told,
                "  {} lines that a crash had torn, as the log tells",
                checked.torn
            );
        }
        for found in &checked.breaks {
            let line = if found.line == 0 {
                String::new()
            } else {
                format!(", line {} of the file", found.line)
            };
            let _ = writeln!(told, "  CHANGED in {}{line}: {}", found.file, found.kind);
        }
        if checked.more > 0 {
            let _ = writeln!(told, "  and {} more", checked.more);
        }
        if !checked.breaks.is_empty() {
            if !strangers.is_empty() {
                let _ = writeln!(
                    told,
                    "  beside it there are files that are none of it: {}. Where logrotate or something else has moved them there, their lines are those that are missing",
                    strangers.join(", ")
                );
            }
            let _ = writeln!(
                told,
                "The audit log is not what was written. Keep a copy of all its files, and compare with a backup: what is changed here is whole there"
            );
            return told;
        }
        let end = match (checked.compared, heads.len()) {
            (true, 0) => "it ends where the store says",
            (true, _) => "it ends where the store says, and holds the lines whose heads were given",
            (false, 0) => "there is no store here, so nothing says where it should end",
            (false, _) => {
                "it holds the lines whose heads were given; there is no store here, so nothing says where it should end"
            }
        };
        let _ = writeln!(
            told,
            "Nothing was changed: every line carries the hash of the line before, and {end}"
        );
        let _ = writeln!(told, "head: {}:{}", checked.last, checked.hash);
        told
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
