//! The bars for the whole program: runs over German rosters of 1,000, 100,000 and 1,000,000 rows, beside the floor under any program that does the same.
//!
//! The floor is a loop that reads the file, compares it with a SQLite table and writes the difference durably (`floor`); this program starts itself again for that. Pushes go
//! to the program's own sandbox in another process. Whole processes are measured, in turns, so that a busy machine slows all of them; what counts is the ratio of the
//! medians. The exit code is 1 where a bar is missed.
//!
//! `cargo bench --bench whole -- [ROWS…] [--runs N]` judges what the given sizes allow. `--binary PATH` measures another binary than that which Cargo has just built, which
//! has the hooks of the tests. `--count` only counts the instructions of three runs over 1,000 rows and prints a line `name count` for each, for CI.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod bars;
mod floor;
mod measure;
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../roster/mod.rs"]
mod roster;
mod scene;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use bars::{Measured, judge};
use measure::{Counter, Spent, count, line, measure, median, spent};
use scene::{Case, Scene};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// A run over more people takes so long under valgrind that nobody would wait for it.
const MOST_COUNTED: usize = 10_000;
/// A REST list of more people is held by the measuring process as a gigabyte of pages.
const MOST_ON_PAGES: usize = 100_000;
/// Reading back more people takes minutes, in which the API's rate limit is waited for.
const MOST_READ_BACK: usize = 1_000;
/// Processes that do next to nothing are measured more often.
const STARTS: usize = 41;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures whole runs beside the least that any program would do.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sizes of the rosters; 1,000, 100,000 and 1,000,000 by default.
    #[arg(value_parser = number)]
    rows: Vec<usize>,
    /// How often each is run; by default 7 times, and 3 from a million rows on.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// The binary that is measured.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_jobticket-sync"))]
    binary: PathBuf,
    /// Only count instructions, of three runs over 1,000 rows.
    #[arg(long)]
    count: bool,
    /// Cargo adds it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn number(text: &str) -> std::result::Result<usize, String> {
    let digits = text.replace(['_', ','], "");
    let rows = digits.parse().map_err(|_| "not a number".to_owned())?;
    if rows < 1000 {
        return Err("at least 1,000 rows, of whom 2 % can change".to_owned());
    }
    Ok(rows)
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let done = match words.get(1).and_then(|word| word.to_str()) {
        Some("floor") if words.len() == 4 => {
            floor::run(Path::new(&words[2]), Path::new(&words[3])).map(|()| true)
        }
        Some("measure") => measure(&words[2..]).map(|()| true),
        _ => {
            let arguments = Arguments::parse();
            if arguments.count {
                instructions(&arguments.binary).map(|()| true)
            } else {
                whole(&arguments)
            }
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("whole: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the instructions of three runs, each the fewest of three times: how threads meet differs from time to time, and never saves work.
fn instructions(binary: &Path) -> Result<()> {
    let counter =
        Counter::installed().ok_or("neither valgrind nor perf can count instructions here")?;
    let scene = Scene::new(binary, SIZES[0])?;
    for (name, case) in [
        ("unchanged", Case::Unchanged),
        ("changed", Case::Changed),
        ("first", Case::First),
    ] {
        let mut fewest = u64::MAX;
        for _ in 0..3 {
            let (command, says) = scene.ready(case)?;
            let executed = count(counter, &command, &says)?;
            eprintln!("{name}: {executed}");
            fewest = fewest.min(executed);
        }
        println!("{name} {fewest}");
    }
    Ok(())
}

/// Measures, prints, and says whether the bars are kept.
fn whole(arguments: &Arguments) -> Result<bool> {
    let sizes = if arguments.rows.is_empty() {
        &SIZES[..]
    } else {
        &arguments.rows
    };
    let binary = arguments.binary.canonicalize()?;
    println!(
        "{}: pushes go to the sandbox in a process of its own, without reading back where nothing else is said",
        binary.display()
    );
    let counter = Counter::installed();
    let mut measured = Vec::new();
    for rows in sizes {
        let runs = arguments
            .runs
            .map_or(if *rows < 1_000_000 { 7 } else { 3 }, usize::from);
        measured.push(one_size(&binary, *rows, runs, counter)?);
    }
    println!("\nStarting, medians of {STARTS} runs");
    let (mut nothing, mut version) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        nothing.push(spent(&line([&"true"]), "")?);
        version.push(spent(&line([&binary, &"--version"]), "jobticket-sync")?);
    }
    let nothing = median(nothing).ok_or("no runs")?;
    let version = median(version).ok_or("no runs")?;
    heading();
    row("true", Some(nothing), nothing, None);
    row("--version", Some(version), nothing, None);
    println!();
    Ok(judge(
        &measured,
        version.seconds / nothing.seconds,
        measure::stripped(&binary)?,
    ))
}

/// Measures all cases of one size, and prints them.
fn one_size(binary: &Path, rows: usize, runs: usize, counter: Option<Counter>) -> Result<Measured> {
    let scene = Scene::new(binary, rows)?;
    let sqlite = spent(&line([&"sqlite3", &"--version"]), "").is_ok();
    let rest = rows <= MOST_ON_PAGES;
    scene.prepare(sqlite, rest)?;
    // How often each is run at most: what is there to be seen, and not judged, is run less often where it takes long.
    let cases = [
        (Case::LoopUnchanged, true, runs),
        (Case::Unchanged, true, runs),
        (Case::UnchangedWindows1252, true, runs),
        (Case::UnchangedRest, rest, runs),
        (Case::LoopChanged, true, runs),
        (Case::Changed, true, runs),
        (Case::First, true, runs),
        (Case::Sqlite, sqlite, runs.min(3)),
        (Case::ReadBack, rows <= MOST_READ_BACK, 1),
    ];
    let mut found: Vec<(Case, Vec<Spent>)> =
        cases.iter().map(|(case, ..)| (*case, Vec::new())).collect();
    for round in 0..runs {
        for ((case, possible, times), (_, found)) in cases.iter().zip(&mut found) {
            if *possible && round < *times {
                let (command, says) = scene.ready(*case)?;
                found.push(spent(&command, &says)?);
            }
        }
    }
    let mut counts = Vec::new();
    for (case, possible, _) in cases {
        let counter =
            counter.filter(|_| possible && case != Case::ReadBack && rows <= MOST_COUNTED);
        let executed = counter.map(|counter| {
            let (command, says) = scene.ready(case)?;
            count(counter, &command, &says)
        });
        counts.push(executed.transpose()?);
    }

    let of = |wanted: Case| {
        let runs = found.iter().find(|(case, _)| *case == wanted);
        runs.and_then(|(_, runs)| median(runs.clone()))
    };
    let measured = Measured {
        rows,
        loop_unchanged: of(Case::LoopUnchanged).ok_or("no runs")?,
        loop_changed: of(Case::LoopChanged).ok_or("no runs")?,
        unchanged: of(Case::Unchanged).ok_or("no runs")?,
        changed: of(Case::Changed).ok_or("no runs")?,
        first: of(Case::First).ok_or("no runs")?,
    };
    let by = match counter {
        None => "neither valgrind nor perf can count them",
        Some(_) if rows > MOST_COUNTED => "up to 10,000 rows only",
        Some(counter) => counter.name(),
    };
    println!(
        "\n{rows} rows, medians of {runs} runs, the most memory of any; ratios to the loop of the same kind; instructions: {by}"
    );
    heading();
    for ((case, ..), counted) in cases.iter().zip(counts) {
        let (name, beside, absent) = match case {
            Case::LoopUnchanged => ("bare loop, unchanged", measured.loop_unchanged, ""),
            Case::Unchanged => ("unchanged, --dry-run", measured.loop_unchanged, ""),
            Case::UnchangedWindows1252 => (
                "unchanged in Windows-1252, --dry-run",
                measured.loop_unchanged,
                "",
            ),
            Case::UnchangedRest => (
                "unchanged REST list, --dry-run",
                measured.loop_unchanged,
                "up to 100,000 rows only; `--bench rest` has the bar",
            ),
            Case::LoopChanged => ("bare loop, 2 % changed", measured.loop_changed, ""),
            Case::Changed => ("2 % changed, pushed", measured.loop_changed, ""),
            Case::First => ("first run, pushed", measured.loop_changed, ""),
            Case::Sqlite => (
                "sqlite3 .import and EXCEPT, 2 % changed",
                measured.loop_changed,
                "sqlite3 is not installed",
            ),
            Case::ReadBack => (
                "2 % changed, pushed, read back (once)",
                measured.loop_changed,
                "1,000 rows only: a request for each hundred people, at the API's rate limit",
            ),
        };
        match of(*case) {
            Some(spent) => row(name, Some(spent), beside, counted),
            None => println!("{name:<42} {absent}"),
        }
    }
    Ok(measured)
}

fn heading() {
    println!(
        "{:<42} {:>9} {:>7} {:>8} {:>15}",
        "", "seconds", "ratio", "MiB", "instructions"
    );
}

fn row(name: &str, spent: Option<Spent>, beside: Spent, counted: Option<u64>) {
    let Some(spent) = spent else { return };
    let ratio = spent.seconds / beside.seconds;
    let counted = counted.map_or(String::new(), |counted| counted.to_string());
    println!(
        "{name:<42} {:>9.4} {ratio:>7.2} {:>8.1} {counted:>15}",
        spent.seconds,
        spent.mebibytes()
    );
}
