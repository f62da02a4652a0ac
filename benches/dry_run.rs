//! The bar for time and memory of a run: `jobticket-sync --run-now --dry-run` of an unchanged roster, beside the least that any program would do.
//!
//! The least is a process that reads the file with the `csv` crate into a struct and compares the hash of each row with the one in a SQLite table; this
//! program starts itself again for that. Whole processes are measured, in turns, so that a busy machine slows both; what counts is the ratio of the
//! medians. The exit code is 1 where a bar is missed.
//!
//! `cargo bench --bench dry_run -- [ROWS [RUNS]]`, 100,000 rows and 7 runs by default. The bars are those of 100,000 rows; other numbers are measured, not
//! judged.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod roster;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::{Connection, params};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use roster::{CONFIG, write_roster};

/// The rows for which the bars are meant.
const ROWS: usize = 100_000;
const PROGRAM: &str = env!("CARGO_BIN_EXE_jobticket-sync");
/// A dry run may take so many times as long as the least.
const MOST_TIME: f64 = 3.0;
/// A dry run may need so many bytes of memory.
const MOST_MEMORY: u64 = 100 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["least", roster, table] => least(Path::new(roster), Path::new(table)).map(|()| true),
        ["measure", program, rest @ ..] => measure(program, rest).map(|()| true),
        rest => rest
            .iter()
            .map(|number| number.replace('_', "").parse())
            .collect::<std::result::Result<Vec<usize>, _>>()
            .map_err(Into::into)
            .and_then(|numbers| {
                let rows = numbers.first().copied().unwrap_or(ROWS);
                bar(rows.max(1), numbers.get(1).copied().unwrap_or(7).max(1))
            }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("dry_run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether the bars are kept.
fn bar(rows: usize, runs: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (roster, table, config) = (
        path("drop/roster_20260105.csv"),
        path("least.db"),
        path("config.yaml"),
    );
    std::fs::create_dir(path("drop"))?;
    std::fs::write(&config, CONFIG)?;
    write_roster(&roster, rows)?;
    prepare_table(&roster, &table)?;

    let this = std::env::current_exe()?;
    let least = [
        this.as_os_str(),
        "least".as_ref(),
        roster.as_ref(),
        table.as_ref(),
    ];
    let run = [
        PROGRAM.as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--run-now".as_ref(),
    ];
    let dry_run: Vec<_> = run.into_iter().chain(["--dry-run".as_ref()]).collect();

    let first = spent(&run)?;
    let said = Command::new(dry_run[0])
        .args(&dry_run[1..])
        .output()?
        .stdout;
    if !String::from_utf8_lossy(&said).contains("Nothing changed") {
        return Err("the dry run finds changes where there are none".into());
    }
    let (mut of_least, mut of_dry_run) = (Vec::new(), Vec::new());
    let (mut of_nothing, mut of_version) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        of_least.push(spent(&least)?);
        of_dry_run.push(spent(&dry_run)?);
        of_nothing.push(spent(&["true".as_ref()])?);
        of_version.push(spent(&[PROGRAM.as_ref(), "--version".as_ref()])?);
    }
    let [least, dry_run, nothing, version] =
        [of_least, of_dry_run, of_nothing, of_version].map(median);
    let time = dry_run.seconds / least.seconds;

    println!(
        "{rows} rows, {} bytes, medians of {runs} runs",
        std::fs::metadata(&roster)?.len()
    );
    println!("{:<34} {:>9} {:>7} {:>9}", "", "seconds", "ratio", "MiB");
    for (what, spent, beside) in [
        ("least: csv crate and SQLite", least, least),
        ("unchanged, --dry-run", dry_run, least),
        ("first run, pushed (once)", first, least),
        ("true", nothing, nothing),
        ("--version (beside true)", version, nothing),
    ] {
        let ratio = spent.seconds / beside.seconds;
        println!(
            "{what:<34} {:>9.4} {ratio:>7.2} {:>9.1}",
            spent.seconds,
            mebibytes(spent.memory)
        );
    }
    if rows != ROWS {
        return Ok(true);
    }
    let (in_time, in_memory) = (time <= MOST_TIME, dry_run.memory <= MOST_MEMORY);
    let word = |kept| if kept { "kept" } else { "MISSED" };
    println!(
        "Time: {time:.2} times the least, at most {MOST_TIME}: {}",
        word(in_time)
    );
    println!(
        "Memory: {:.1} MiB, at most {:.0}: {}",
        mebibytes(dry_run.memory),
        mebibytes(MOST_MEMORY),
        word(in_memory)
    );
    Ok(in_time && in_memory)
}

/// What a process needed.
#[derive(Debug, Clone, Copy)]
struct Spent {
    seconds: f64,
    /// The most bytes of memory at any time.
    memory: u64,
}

/// The run in the middle by time, with the most memory of any.
fn median(mut runs: Vec<Spent>) -> Spent {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Spent {
        seconds: runs[runs.len() / 2].seconds,
        memory: runs.iter().map(|run| run.memory).max().unwrap_or_default(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Runs a program in a process of its own that measures it: the system only knows the most memory of *all* children of a process.
fn spent(command: &[&std::ffi::OsStr]) -> Result<Spent> {
    let output = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(command)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let (seconds, memory) = text.trim().split_once(' ').ok_or("a measurement failed")?;
    Ok(Spent {
        seconds: seconds.parse()?,
        memory: memory.parse()?,
    })
}

/// Runs a program, and prints its seconds and its bytes of memory.
fn measure(program: &str, arguments: &[&str]) -> Result<()> {
    let began = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!("{program} failed: {}", String::from_utf8_lossy(&said)).into());
    }
    let kibibytes = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
    println!("{seconds} {}", kibibytes << 10);
    Ok(())
}

/// A row, as the least reads it.
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

/// The least that any program would do to find out that nothing has changed.
fn least(roster: &Path, table: &Path) -> Result<()> {
    let connection = Connection::open(table)?;
    let mut select = connection.prepare("SELECT hash FROM employee WHERE hr_id = ?1")?;
    let (mut changed, mut buffer) = (0, Vec::new());
    for row in reader(roster)?.deserialize() {
        let row: Row = row?;
        let known: [u8; 16] = select.query_row([&row.personalnummer], |found| found.get(0))?;
        changed += usize::from(known != row.digest(&mut buffer));
    }
    if changed == 0 {
        Ok(())
    } else {
        Err(format!("{changed} rows seem to have changed").into())
    }
}

fn prepare_table(roster: &Path, table: &Path) -> Result<()> {
    let mut connection = Connection::open(table)?;
    connection.execute_batch(
        "CREATE TABLE employee (hr_id TEXT PRIMARY KEY, hash BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    let transaction = connection.transaction()?;
    let mut buffer = Vec::new();
    {
        let mut insert =
            transaction.prepare("INSERT INTO employee (hr_id, hash) VALUES (?1, ?2)")?;
        for row in reader(roster)?.deserialize() {
            let row: Row = row?;
            insert.execute(params![row.personalnummer, row.digest(&mut buffer)])?;
        }
    }
    transaction.commit()?;
    Ok(())
}
