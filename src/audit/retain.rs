//! Removes whole files of the log that are old enough, from the oldest on.
//!
//! What goes is told in the log first, with the hash of the last line that goes: so the rest of the chain still shows on what it was built, and `verify` tells a log that grew old from one whose
//! beginning somebody took away. A file that does not hold what its name says is never removed: it is evidence.

use std::fs;
use std::io::{self, ErrorKind};

use chrono::{Datelike as _, Months, NaiveDate};

use super::blocks::Blocks;
use super::chain::{Link, to_hex};
use super::file::AuditFile;
use super::files::{Rotated, folder_of};
use super::rotate::{Keeping, month_of, sync};

/// A file that is old enough to go.
#[derive(Debug)]
pub(crate) struct Old {
    pub(crate) file: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) lines: u64,
    /// The hash of its last line.
    pub(crate) last_hash: String,
}

impl AuditFile {
    /// The files, from the oldest on, of which every line is older than so many months.
    pub(crate) fn old(
        &self,
        _keeping: &Keeping,
        keep_months: u32,
        today: NaiveDate,
    ) -> io::Result<Vec<Old>> {
        let month = today
            .with_day(1)
            .and_then(|first| first.checked_sub_months(Months::new(keep_months)));
        let Some(oldest) = month.map(|month| month.format("%Y-%m").to_string()) else {
            return Ok(Vec::new());
        };
        let rotated = self.rotated()?;
        let old = rotated.iter().take_while(|rotated| rotated.month < oldest);
        let mut found = Vec::new();
        for rotated in old {
            let Some(old) = end_of(rotated)? else {
                tracing::warn!(
                    "{} of the audit log does not hold what its name says and is kept; see `audit verify`",
                    rotated.name()
                );
                break;
            };
            found.push(old);
        }
        Ok(found)
    }

    /// Removes the files whose last line is not behind this one.
    pub(crate) fn remove_up_to(&self, _keeping: &Keeping, last: u64) -> io::Result<()> {
        for rotated in self.rotated_as_they_are()? {
            if rotated.last > last {
                break;
            }
            match fs::remove_file(&rotated.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            sync(folder_of(self.path()))?;
            crate::crash::point("expire_removed");
        }
        Ok(())
    }
}

/// How a file ends; `None` where it is not what its name says.
fn end_of(rotated: &Rotated) -> io::Result<Option<Old>> {
    let mut blocks = Blocks::new(rotated.open()?);
    let (mut lines, mut first, mut end) = (0, None, None);
    loop {
        match blocks.advance() {
            Ok(true) => {}
            Ok(false) => break,
            // A damaged file.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        for line in blocks.block().split(|byte| *byte == b'\n') {
            let Some(link) = Link::of(line) else { continue };
            lines += 1;
            first.get_or_insert(link.seq);
            end = Some((link.seq, line.to_vec()));
        }
    }
    let Some((last, line)) = end else {
        return Ok(None);
    };
    // A file goes by the age of its lines, whatever somebody has called it.
    let is_named_so = month_of(&line).is_some_and(|month| month == rotated.month);
    if (first, last) != (Some(rotated.first), rotated.last) || !is_named_so {
        return Ok(None);
    }
    let hash = Link::of(&line).map(|link| link.hash());
    Ok(hash.map(|hash| Old {
        file: rotated.name(),
        first: rotated.first,
        last,
        lines,
        last_hash: String::from_utf8_lossy(&to_hex(&hash)).into_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Line;

    #[test]
    fn a_file_goes_by_the_age_of_its_lines_and_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AuditFile::new(folder.path().join("audit.jsonl"));
        log.rotate_bytes = Some(1 << 20);
        for (seq, month) in [(1, 9), (2, 10)] {
            let text = format!(
                "{{\"seq\":{seq},\"time\":\"2026-{month:02}-01T00:00:00.000Z\",\"event\":\"plan\",\"prev\":\"\"}}"
            );
            log.lock()
                .unwrap()
                .append(&[Line { seq, text }], &[])
                .unwrap();
        }
        let today = NaiveDate::from_ymd_opt(2026, 12, 24).unwrap();
        let old = |keep: u32| log.old(&log.keep().unwrap(), keep, today).unwrap().len();
        assert_eq!((old(2), old(3)), (1, 0));
        let path = log.rotated().unwrap()[0].path.clone();
        let named = path.to_str().unwrap().replace("2026-09", "2016-09");
        fs::rename(path, named).unwrap();
        assert_eq!((old(2), old(3)), (0, 0), "it is evidence");
    }
}
