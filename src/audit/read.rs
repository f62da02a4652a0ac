//! Reads the log back: every line over all files, oldest first, or those alone that hold a text.
//!
//! A log holds millions of lines and a question is about a few, so a search looks for bytes first and reads JSON only where it found them. Memory stays that of one block,
//! however long the log is. A line that makes no sense tells nothing and is passed over here; `verify` is what tells of it.

use std::collections::VecDeque;
use std::io::{self, Read, Seek as _, SeekFrom};

use chrono::{DateTime, Months, NaiveDate, SecondsFormat, Utc};
use memchr::memmem::Finder;
use serde_json::Value;

use super::blocks::Blocks;
use super::file::AuditFile;
use super::files::{Look, Rotated, name_of};

/// From when to when: the first counts, the second does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// One line of the log, read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub time: DateTime<Utc>,
    /// The integration it tells of, if of one.
    pub integration: Option<String>,
    /// The run it tells of, if of one.
    pub run: Option<String>,
    /// The event, as `snake_case`.
    pub event: String,
    /// The whole line, personal values included where the log holds them.
    pub line: Value,
}

impl Entry {
    /// Reads a line; `None` for one that makes no sense.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let line: Value = serde_json::from_slice(bytes).ok()?;
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        Some(Self {
            seq: line["seq"].as_u64()?,
            time: line["time"].as_str()?.parse().ok()?,
            integration: text("integration"),
            run: text("run"),
            event: text("event")?,
            line,
        })
    }
}

/// The number of a line, which stands first.
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

/// The time of a line, which stands second, as it is written.
pub(super) fn time_of(line: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b",\"time\":\"";
    let at = line.iter().take(40).position(|byte| *byte == b',')?;
    let time = line[at..].strip_prefix(KEY)?;
    time.get(..24)
}

/// A file that is still to be read.
enum Source {
    Rotated(Rotated),
    Current(Box<dyn Read + Send>, String),
}

/// The lines of a log as it was when it was looked at.
pub struct Entries {
    sources: VecDeque<Source>,
    blocks: Option<Blocks>,
    /// Where in the block the next line begins.
    at: usize,
    file: String,
    needles: Vec<Finder<'static>>,
    /// Where each of them is found next.
    hits: Vec<Option<usize>>,
    since: Option<String>,
    until: Option<String>,
}

impl AuditFile {
    /// The lines of a span of time over all files, oldest first, as they are now. Where there is no log yet, there are none.
    ///
    /// # Errors
    /// A file cannot be opened. Items are errors where one cannot be read; nothing follows then.
    pub fn read(&self, span: Span) -> io::Result<Entries> {
        Entries::of(self.look()?, span)
    }
}

impl Entries {
    /// The lines of a span of time in what was looked at.
    pub fn of(look: Look, span: Span) -> io::Result<Self> {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let name = name_of(&look.path);
        let skipped = |rotated: &Rotated| {
            span.since
                .is_some_and(|since| is_before(&rotated.month, since))
        };
        let mut sources: VecDeque<Source> = look
            .rotated
            .into_iter()
            .filter(|rotated| !skipped(rotated))
            .map(Source::Rotated)
            .collect();
        if let Some((mut file, length)) = look.current {
            file.seek(SeekFrom::Start(0))?;
            sources.push_back(Source::Current(Box::new(file.take(length)), name));
        }
        Ok(Self {
            sources,
            blocks: None,
            at: 0,
            file: String::new(),
            needles: Vec::new(),
            hits: Vec::new(),
            since: span.since.map(text),
            until: span.until.map(text),
        })
    }

    /// Only the lines in which one of these texts stands to the letter, such as `"event":"decision"`. It spares reading the others; what stands where is for the caller to see.
    #[must_use]
    pub fn containing<T: AsRef<[u8]>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.needles = texts
            .into_iter()
            .map(|text| Finder::new(text.as_ref()).into_owned())
            .collect();
        self.hits = vec![None; self.needles.len()];
        self
    }

    /// The name of the file that the last line came from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next line as it stands, without its end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let Some((start, end)) = self.next_range()? else {
                return Ok(None);
            };
            let line = &self
                .blocks
                .as_ref()
                .expect("a line comes from a block")
                .block()[start..end];
            if self.since.is_none() && self.until.is_none() {
                break self.piece(start, end);
            }
            let Some(time) = time_of(line) else { continue };
            let early = self
                .since
                .as_ref()
                .is_some_and(|since| time < since.as_bytes());
            let late = self
                .until
                .as_ref()
                .is_some_and(|until| time >= until.as_bytes());
            if !early && !late {
                break self.piece(start, end);
            }
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it ends `next_line`, whose borrow would reach over its loop otherwise"
    )]
    fn piece(&self, start: usize, end: usize) -> io::Result<Option<&[u8]>> {
        Ok(self
            .blocks
            .as_ref()
            .map(|blocks| &blocks.block()[start..end]))
    }

    /// Where the next line stands in the current block.
    fn next_range(&mut self) -> io::Result<Option<(usize, usize)>> {
        loop {
            let Some(blocks) = &mut self.blocks else {
                let Some(source) = self.sources.pop_front() else {
                    return Ok(None);
                };
                let from = match source {
                    Source::Rotated(rotated) => {
                        self.file = rotated.name();
                        match rotated.open() {
                            // Removed by age since the log was looked at, as it tells.
                            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                            from => from?,
                        }
                    }
                    Source::Current(from, name) => {
                        self.file = name;
                        from
                    }
                };
                self.blocks = Some(Blocks::new(from));
                self.at = 0;
                continue;
            };
            if self.at >= blocks.block().len() {
                if !blocks.advance()? {
                    self.blocks = None;
                    continue;
                }
                self.at = 0;
                for (needle, hit) in self.needles.iter().zip(&mut self.hits) {
                    *hit = needle.find(blocks.block());
                }
            }
            let block = blocks.block();
            let (start, near) = if self.needles.is_empty() {
                (self.at, self.at)
            } else {
                let Some(hit) = self.hits.iter().flatten().min() else {
                    self.at = block.len();
                    continue;
                };
                let before = memchr::memrchr(b'\n', &block[self.at..*hit]);
                (before.map_or(self.at, |at| self.at + at + 1), *hit)
            };
            let end = memchr::memchr(b'\n', &block[near..]).map_or(block.len(), |at| near + at);
            self.at = end + 1;
            for (needle, hit) in self.needles.iter().zip(&mut self.hits) {
                if hit.is_some_and(|hit| hit < self.at) {
                    let rest = block.get(self.at..).unwrap_or_default();
                    *hit = needle.find(rest).map(|at| self.at + at);
                }
            }
            return Ok(Some((start, end)));
        }
    }
}

impl Iterator for Entries {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_line() {
                Ok(Some(line)) => {
                    if let Some(entry) = Entry::of(line) {
                        return Some(Ok(entry));
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    self.sources.clear();
                    self.blocks = None;
                    let file = &self.file;
                    return Some(Err(io::Error::new(
                        error.kind(),
                        format!("{file}: {error}"),
                    )));
                }
            }
        }
    }
}

/// Whether a file of this month surely ends before that time. A month is left for clocks that were set.
fn is_before(month: &str, time: DateTime<Utc>) -> bool {
    let first: Option<NaiveDate> = format!("{month}-01").parse().ok();
    let over = first.and_then(|first| first.checked_add_months(Months::new(2)));
    over.is_some_and(|over| over < time.date_naive())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn line(seq: u64) -> String {
        let day = seq % 28 + 1;
        format!(
            "{{\"seq\":{seq},\"time\":\"2026-10-{day:02}T00:00:00.000Z\",\"run\":\"r{seq}\",\"event\":\"plan\",\"n\":\"<{seq}>\",\"prev\":\"\"}}\n"
        )
    }

    fn lines(seqs: std::ops::RangeInclusive<u64>) -> String {
        seqs.map(line).collect()
    }

    fn pack(path: &Path, text: &str) {
        let mut packed = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
    }

    /// A log in three files: packed, not packed yet, and the current one with a torn line.
    fn log(folder: &Path) -> AuditFile {
        pack(
            &folder.join("audit.jsonl.2026-10.0000000001-0000005000.gz"),
            &lines(1..=5000),
        );
        fs::write(
            folder.join("audit.jsonl.2026-10.0000005001-0000005010"),
            lines(5001..=5010),
        )
        .unwrap();
        fs::write(
            folder.join("audit.jsonl"),
            lines(5011..=5012) + "{\"seq\":50\n" + &lines(5013..=5013),
        )
        .unwrap();
        AuditFile::new(folder.join("audit.jsonl"))
    }

    fn seqs(entries: Entries) -> Vec<u64> {
        entries.map(|entry| entry.unwrap().seq).collect()
    }

    #[test]
    fn all_lines_come_in_order_over_packed_and_plain_files() {
        let folder = tempfile::tempdir().unwrap();
        let audit = log(folder.path());
        let read: Vec<Entry> = audit
            .read(Span::default())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let seqs: Vec<u64> = read.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=5013).collect::<Vec<_>>());
        assert_eq!(
            (read[41].event.as_str(), read[41].run.as_deref()),
            ("plan", Some("r42"))
        );
    }

    #[test]
    fn a_search_gives_each_line_once_in_which_one_of_the_texts_stands() {
        let folder = tempfile::tempdir().unwrap();
        let audit = log(folder.path());
        let found = |texts: &[&str]| seqs(audit.read(Span::default()).unwrap().containing(texts));
        assert_eq!(
            found(&["<7>", "\"r7\"", "<5012>", "<5005>", "\"r5005\""]),
            [7, 5005, 5012]
        );
        assert_eq!(found(&["<1>", "<5013>"]), [1, 5013]);
        assert!(found(&["<50>x"]).is_empty());
    }

    #[test]
    fn a_span_takes_its_first_instant_and_not_its_last() {
        let folder = tempfile::tempdir().unwrap();
        let audit = log(folder.path());
        let day = |day| format!("2026-10-{day:02}T00:00:00Z").parse().unwrap();
        let span = Span {
            since: Some(day(3)),
            until: Some(day(5)),
        };
        let found = seqs(audit.read(span).unwrap());
        assert!(found.iter().all(|seq| [2, 3].contains(&(seq % 28))));
        assert_eq!(found.len(), 358);
        let later = Span {
            since: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            until: None,
        };
        assert!(seqs(audit.read(later).unwrap()).is_empty());
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let audit = log(folder.path());
        let path = folder
            .path()
            .join("audit.jsonl.2026-10.0000000001-0000005000.gz");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let read: Vec<_> = audit.read(Span::default()).unwrap().collect();
        let (last, before) = read.split_last().unwrap();
        assert!(before.iter().all(Result::is_ok));
        let error = last.as_ref().unwrap_err().to_string();
        assert!(error.contains("0000005000.gz"), "{error}");
    }

    #[test]
    fn where_there_is_no_log_there_are_no_lines() {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(folder.path().join("none/audit.jsonl"));
        assert!(seqs(audit.read(Span::default()).unwrap()).is_empty());
    }
}
