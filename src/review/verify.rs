//! `audit verify`: was the log changed, and where.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::json;

use super::{Review, ReviewError};
use crate::audit::{Ends, Head, Verified};
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
                .map_or_else(|| Ok(Ends::default()), Store::audit_ends)
        };
        let checked: Result<Verified, StoreError> = self
            .log()
            .verify(heads.clone(), ends)
            .map_err(self.unreadable())?;
        let checked = checked?;
        // What could not be compared was found neither right nor wrong.
        let intact = match (checked.breaks.is_empty(), checked.not_compared.is_empty()) {
            (false, _) => Some(false),
            (true, false) => None,
            (true, true) => Some(true),
        };
        let exit = match intact {
            Some(true) => Exit::Done,
            _ => Exit::Unexpected,
        };
        let done = match self.output {
            Output::Text => {
                out.write_all(Self::told(&checked, &heads, &self.log().strangers()).as_bytes())
            }
            Output::Json => writeln!(
                out,
                "{:#}",
                json!({ "verified": checked, "intact": intact, "exitCode": exit })
            ),
        };
        done.and_then(|()| out.flush())
            .map_err(ReviewError::Output)?;
        Ok(exit)
    }

    /// What was done to the log on purpose, what is unusual, and what was changed.
    fn tell_of_files(checked: &Verified, told: &mut String) {
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
        for restore in &checked.restored {
            let _ = writeln!(
                told,
                "  line {} tells of a restore on {}: the log goes on behind the last line of a backup{}",
                restore.line,
                day(&restore.time),
                match restore.up_to {
                    Some(up_to) => format!(", and its lines up to {up_to} were others before"),
                    None => String::new(),
                }
            );
        }
        let line = |line: u64| match line {
            0 => String::new(),
            line => format!(", line {line} of the file"),
        };
        for remark in &checked.remarks {
            let (file, line) = (&remark.file, line(remark.line));
            let _ = writeln!(told, "  note: {file}{line}: {}", remark.kind);
        }
        for found in &checked.breaks {
            let (file, line) = (&found.file, line(found.line));
            let _ = writeln!(told, "  CHANGED in {file}{line}: {}", found.kind);
        }
        if checked.more > 0 {
            let _ = writeln!(told, "  and {} more", checked.more);
        }
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
        Self::tell_of_files(checked, &mut told);
        for one in &checked.not_compared {
            let _ = writeln!(
                told,
                "  line {} cannot be compared with the head that was given, because {}",
                one.head, one.why
            );
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
        let compared = heads.len() - checked.not_compared.len();
        let end = match (checked.compared, compared) {
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
        if !checked.not_compared.is_empty() {
            let _ = writeln!(
                told,
                "Whether it was cut since a head was kept that cannot be compared, nothing here says; compare with a head that was kept later, or with a backup"
            );
        }
        let _ = writeln!(told, "head: {}:{}", checked.last, checked.hash);
        told
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
