//! What must be whole after every step: the store, the snapshot in it, and the audit log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::jobticket::{Accepted, JobTicket, Record};

/// The state folder, as it is read from outside.
pub(crate) struct Whole {
    state: PathBuf,
    /// How much of the current file of the audit log was read.
    read: u64,
    /// The last line of the files before it.
    rotated: u64,
    seq: u64,
    hash: String,
    /// Who left, by the audit log: run, then hrId.
    leaves: BTreeMap<String, BTreeSet<String>>,
    intended: BTreeSet<String>,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err takes"
)]
fn text(error: impl ToString) -> String {
    error.to_string()
}

impl Whole {
    pub(crate) fn new(state: PathBuf) -> Self {
        Self {
            state,
            read: 0,
            rotated: 0,
            seq: 0,
            hash: String::new(),
            leaves: BTreeMap::new(),
            intended: BTreeSet::new(),
        }
    }

    fn open(&self, name: &str) -> Result<Connection, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.state.join(name), flags).map_err(text)
    }

    /// Checks all of it. `finished` says that no run was cut off in this step.
    pub(crate) fn check(
        &mut self,
        jobticket: &JobTicket<'_>,
        finished: bool,
    ) -> Result<(), String> {
        if !self.state.join("state.db").exists() {
            return Ok(());
        }
        let store = self.open("state.db")?;
        is_sound(&store, "state.db")?;
        if !finished && self.state.join("requests.db").exists() {
            is_sound(&self.open("requests.db")?, "requests.db")?;
        }
        if count(
            &store,
            "SELECT count(*) FROM sqlite_schema WHERE name = 'run'",
        )? == 0
        {
            return Ok(());
        }
        Self::snapshot_is_acknowledged(&store, jobticket)?;
        self.read_audit()?;
        if finished {
            let waiting = count(&store, "SELECT count(*) FROM audit_outbox")?;
            let open = count(&store, "SELECT count(*) FROM run WHERE ended_at IS NULL")?;
            if (waiting, open) != (0, 0) {
                return Err(format!(
                    "{waiting} lines are not in the audit log, and {open} runs have no end"
                ));
            }
        }
        Ok(())
    }

    /// The snapshot is a roster that JobTicket took as a whole; the last one, unless that is in doubt.
    fn snapshot_is_acknowledged(
        store: &Connection,
        jobticket: &JobTicket<'_>,
    ) -> Result<(), String> {
        let doubts = count(
            store,
            "SELECT count(*) FROM push WHERE state IN ('prepared', 'in_doubt', 'perhaps_in_part')",
        )?;
        let sync_id: Option<String> = store
            .query_row("SELECT max(sync_id) FROM snapshot", [], |row| row.get(0))
            .map_err(text)?;
        let last = jobticket.accepted.last();
        let Some(sync_id) = sync_id else {
            return match last {
                Some(last) if doubts == 0 => Err(format!(
                    "{} was accepted and is not known here",
                    last.sync_id
                )),
                _ => Ok(()),
            };
        };
        let taken = |push: &&Accepted| push.whole && push.sync_id == sync_id;
        let Some(push) = jobticket.accepted.iter().find(taken) else {
            return Err(format!(
                "the snapshot is {sync_id}, which was never accepted"
            ));
        };
        if doubts == 0 && last.is_some_and(|last| last.sync_id != sync_id) {
            return Err(format!(
                "the snapshot is {sync_id}, and a later push was accepted"
            ));
        }
        let mut select = store
            .prepare("SELECT employee FROM snapshot_employee ORDER BY hr_id")
            .map_err(text)?;
        let rows = select
            .query_map([], |row| row.get::<_, String>(0))
            .map_err(text)?;
        let mut kept: Vec<Record> = Vec::new();
        for row in rows {
            kept.push(serde_json::from_str(&row.map_err(text)?).map_err(text)?);
        }
        let mut sent = push.records.clone();
        sent.sort();
        if kept != sent {
            return Err(format!("the snapshot is not what {sync_id} said"));
        }
        Ok(())
    }

    /// Reads what is new in the audit log: whole lines, in sequence, chained.
    pub(crate) fn read_audit(&mut self) -> Result<(), String> {
        let (mut news, last) = self.rotated()?;
        if last != self.rotated {
            // Another file was begun.
            self.rotated = last;
            self.read = 0;
        }
        let path = self.state.join("audit.jsonl");
        if path.exists() {
            let mut file = std::fs::File::open(path).map_err(text)?;
            file.seek(SeekFrom::Start(self.read)).map_err(text)?;
            self.read += file.read_to_string(&mut news).map_err(text)? as u64;
        }
        if !news.is_empty() && !news.ends_with('\n') {
            return Err("a line of the audit log is torn".to_owned());
        }
        for line in news.lines() {
            let read: Value = serde_json::from_str(line).map_err(text)?;
            self.seq += 1;
            if read["seq"] != self.seq || read["prev"] != self.hash {
                return Err(format!("the audit log breaks at line {}: {line}", self.seq));
            }
            // Personal values stand behind what the hash covers.
            let digest = match line.find(",\"values\":") {
                Some(end) => Sha256::digest(format!("{}}}", &line[..end])),
                None => Sha256::digest(line),
            };
            self.hash = hex(&digest);
            self.note(&read);
        }
        Ok(())
    }

    /// What is new in files that were rotated away, each known by its last line, and the last line of them all.
    fn rotated(&self) -> Result<(String, u64), String> {
        let mut files: BTreeMap<u64, PathBuf> = BTreeMap::new();
        for entry in std::fs::read_dir(&self.state).map_err(text)? {
            let path = entry.map_err(text)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.strip_suffix(".gz").unwrap_or(&name);
            let last = name
                .strip_prefix("audit.jsonl.2")
                .and_then(|rest| rest.rsplit_once('-'))
                .and_then(|(_, last)| last.parse().ok());
            if let Some(last) = last {
                files.insert(last, path.clone());
            }
        }
        let last = files.last_key_value().map_or(0, |(last, _)| *last);
        let mut news = String::new();
        for (_, path) in files.range(self.seq + 1..) {
            let bytes = std::fs::read(path).map_err(text)?;
            let mut all = String::new();
            if path.extension().is_some_and(|end| end == "gz") {
                let mut packed = flate2::read::MultiGzDecoder::new(&bytes[..]);
                packed.read_to_string(&mut all).map_err(text)?;
            } else {
                all = String::from_utf8(bytes).map_err(text)?;
            }
            for line in all.split_inclusive('\n') {
                let read: Value = serde_json::from_str(line).map_err(text)?;
                if read["seq"].as_u64().is_some_and(|seq| seq > self.seq) {
                    news.push_str(line);
                }
            }
        }
        Ok((news, last))
    }

    fn note(&mut self, line: &Value) {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str() {
            Some("change") if line["kind"] == "leaves" => {
                self.leaves
                    .entry(word("run"))
                    .or_default()
                    .insert(word("hrId"));
            }
            Some("push_intent") => {
                self.intended.insert(word("syncId"));
            }
            Some("lines_missing" | "store_is_behind" | "torn_line_sealed") => {
                self.seq = u64::MAX - 1; // the next line breaks the sequence, and is shown
            }
            _ => {}
        }
    }

    /// Every push stands in the audit log, and so does everybody who lost the ticket by it, in the run that sent it or in an earlier one whose push was in doubt.
    pub(crate) fn is_on_record(&self, push: &Accepted) -> Result<(), String> {
        if !self.intended.contains(&push.sync_id) {
            return Err(format!(
                "{} left without a line in the audit log",
                push.sync_id
            ));
        }
        let run = push.sync_id.strip_prefix("sync-").unwrap_or_default();
        // An amended push of a run carries a number behind the run's name.
        let told = |(name, _): &(&String, _)| run.starts_with(name.as_str());
        let told = self.leaves.iter().find(told);
        let told = told.map_or_else(BTreeSet::new, |(_, leaves)| leaves.clone());
        let untold: Vec<_> = push.offboarded.difference(&told).collect();
        if untold.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{untold:?} lost the ticket by {} and are not on record",
                push.sync_id
            ))
        }
    }
}

fn count(store: &Connection, sql: &str) -> Result<i64, String> {
    store.query_row(sql, [], |row| row.get(0)).map_err(text)
}

fn is_sound(database: &Connection, name: &str) -> Result<(), String> {
    let found: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(text)?;
    if found == "ok" {
        Ok(())
    } else {
        Err(format!("{name} is damaged: {found}"))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
