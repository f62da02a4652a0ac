//! The floor: what the smallest loop does that any program would need, and what `sqlite3` does where it is installed.
//!
//! The loop reads the file with the `csv` crate into a struct, compares the hash of each row with that in a SQLite table, writes what has changed durably, in one
//! transaction, and finds who is missing. It validates nothing, guards nothing, and writes nothing down.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::Result;
use crate::measure::{Line, line};

/// A row, as the loop reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    personalnummer: String,
    vorname: String,
    rufname: String,
    nachname: String,
    #[serde(rename = "E-Mail")]
    email: String,
    geburtsdatum: String,
    eintrittsdatum: String,
    austrittsdatum: String,
    gesellschaft: String,
    mitarbeiterkreis: String,
}

impl Row {
    /// The hash of all cells; `buffer` spares an allocation a row.
    fn digest(&self, buffer: &mut Vec<u8>) -> [u8; 16] {
        buffer.clear();
        for cell in [
            &self.personalnummer,
            &self.vorname,
            &self.rufname,
            &self.nachname,
            &self.email,
            &self.geburtsdatum,
            &self.eintrittsdatum,
            &self.austrittsdatum,
            &self.gesellschaft,
            &self.mitarbeiterkreis,
        ] {
            buffer.extend_from_slice(cell.as_bytes());
            buffer.push(b';');
        }
        xxh3_128(buffer).to_le_bytes()
    }
}

fn reader(roster: &Path) -> csv::Result<csv::Reader<std::fs::File>> {
    csv::ReaderBuilder::new().delimiter(b';').from_path(roster)
}

/// The loop; prints how many rows have changed and how many people are missing.
pub(crate) fn run(roster: &Path, table: &Path) -> Result<()> {
    let mut connection = Connection::open(table)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    let transaction = connection.transaction()?;
    let (mut changed, mut missing, mut buffer) = (0, 0, Vec::new());
    let mut seen = HashSet::new();
    {
        let mut select = transaction.prepare("SELECT hash FROM employee WHERE hr_id = ?1")?;
        let mut replace = transaction.prepare("INSERT OR REPLACE INTO employee VALUES (?1, ?2)")?;
        for row in reader(roster)?.deserialize() {
            let row: Row = row?;
            let hash = row.digest(&mut buffer);
            let known: Option<[u8; 16]> = select
                .query_row([&row.personalnummer], |found| found.get(0))
                .optional()?;
            if known != Some(hash) {
                changed += 1;
                replace.execute(params![row.personalnummer, hash])?;
            }
            seen.insert(row.personalnummer);
        }
        let mut all = transaction.prepare("SELECT hr_id FROM employee")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            missing += usize::from(!seen.contains(row.get_ref(0)?.as_str()?));
        }
    }
    transaction.commit()?;
    println!("{changed} changed, {missing} missing");
    Ok(())
}

/// The table in which the loop knows this roster.
pub(crate) fn prepare(roster: &Path, table: &Path) -> Result<()> {
    let mut connection = Connection::open(table)?;
    connection.execute_batch(
        "CREATE TABLE employee (hr_id TEXT PRIMARY KEY, hash BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    let transaction = connection.transaction()?;
    let mut buffer = Vec::new();
    {
        let mut insert = transaction.prepare("INSERT INTO employee VALUES (?1, ?2)")?;
        for row in reader(roster)?.deserialize() {
            let row: Row = row?;
            insert.execute(params![row.personalnummer, row.digest(&mut buffer)])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Has `sqlite3` import a roster.
pub(crate) fn import(database: &Path, roster: &Path, table: &str) -> Line {
    line([
        &"sqlite3",
        &database,
        &".mode csv",
        &".separator ;",
        &format!(".import '{}' {table}", roster.display()),
    ])
}

/// Has `sqlite3` import another roster and find the rows of it that differ, and those that are gone.
pub(crate) fn import_and_compare(database: &Path, roster: &Path) -> Line {
    let ask = |rows: &str| format!("SELECT count(*) FROM ({rows})").into();
    let mut command = import(database, roster, "new");
    command.push(ask("SELECT * FROM new EXCEPT SELECT * FROM old"));
    command.push(ask(
        "SELECT Personalnummer FROM old EXCEPT SELECT Personalnummer FROM new",
    ));
    command
}
