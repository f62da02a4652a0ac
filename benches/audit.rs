//! The bars for the audit log: `audit --hrid` beside `grep`, and `audit verify` beside `sha256sum`, over a log of a million lines.
//!
//! Whole processes are measured, in turns, so that a busy machine slows both; what counts is the ratio of the medians. The log is in one file that is not packed, as `grep` and `sha256sum` want it; how
//! long packed files take is shown beside `zcat`, and not judged. The exit code is 1 where a bar is missed.
//!
//! `cargo bench --bench audit -- [LINES [RUNS]]`, a million lines and 7 runs by default. The bars are those of a million lines; other numbers are measured, not judged.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use chrono::{DateTime, TimeDelta};
use jobticket_sync::audit::{Event, Head, Values, compose};
use jobticket_sync::plan::{Change, Leaving, What};
use jobticket_sync::roster::{Field, HrId};

/// The lines for which the bars are meant.
const LINES: u64 = 1_000_000;
const PROGRAM: &str = env!("CARGO_BIN_EXE_jobticket-sync");
const MOST: f64 = 3.0;
/// Each stands in so many lines of a log of a million.
const PEOPLE: u64 = 20_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let numbers: std::result::Result<Vec<u64>, _> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(|number| number.replace('_', "").parse())
        .collect();
    let done = numbers.map_err(Into::into).and_then(|numbers| {
        let runs = numbers.get(1).copied().unwrap_or(7).max(1);
        bars(numbers.first().copied().unwrap_or(LINES).max(1000), runs)
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("audit: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether the bars are kept.
fn bars(lines: u64, runs: u64) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    for state in ["plain", "packed"] {
        std::fs::create_dir(folder.path().join(state))?;
        let config = CONFIG.replace("STATE", state);
        std::fs::write(folder.path().join(format!("{state}.yaml")), config)?;
    }
    let log = path("plain/audit.jsonl");
    let bytes = write_log(Path::new(&log), lines)?;
    let packed = format!(
        "{}.2026-01.{:010}-{lines:010}.gz",
        path("packed/audit.jsonl"),
        1
    );
    let packing = Command::new("gzip")
        .args(["-6", "-c", &log])
        .stdout(File::create(&packed)?)
        .status()?;
    if !packing.success() {
        return Err("gzip failed".into());
    }
    let person = hr_id(4711);
    let program = |config: &str, rest: &[&str]| {
        let before = [PROGRAM, "--config", config, "audit"];
        before
            .iter()
            .chain(rest)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let other = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
    let (plain_yaml, packed_yaml) = (path("plain.yaml"), path("packed.yaml"));
    let pairs = [
        (
            "audit --hrid",
            program(&plain_yaml, &["--hrid", &person]),
            "grep",
            vec![
                "grep".to_owned(),
                "-F".to_owned(),
                format!("\"{person}\""),
                log.clone(),
            ],
            true,
        ),
        (
            "audit verify",
            program(&plain_yaml, &["verify"]),
            "sha256sum",
            vec!["sha256sum".to_owned(), log.clone()],
            true,
        ),
        (
            "packed: audit --hrid",
            program(&packed_yaml, &["--hrid", &person]),
            "zcat | grep",
            other(&format!("zcat {packed} | grep -F '\"{person}\"'")),
            false,
        ),
        (
            "packed: audit verify",
            program(&packed_yaml, &["verify"]),
            "zcat | sha256sum",
            other(&format!("zcat {packed} | sha256sum")),
            false,
        ),
    ];
    println!("{lines} lines, {bytes} bytes, medians of {runs} runs");
    println!(
        "{:<24} {:>8}   {:<18} {:>8} {:>7}",
        "", "seconds", "beside", "seconds", "ratio"
    );
    let mut kept = true;
    for (what, ours, beside, theirs, judged) in pairs {
        let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            of_ours.push(spent(&ours)?);
            of_theirs.push(spent(&theirs)?);
        }
        let (ours, theirs) = (median(of_ours), median(of_theirs));
        let ratio = ours / theirs;
        let word = match (judged && lines == LINES, ratio <= MOST) {
            (false, _) => "",
            (true, true) => "kept",
            (true, false) => "MISSED",
        };
        kept &= word != "MISSED";
        println!("{what:<24} {ours:>8.3}   {beside:<18} {theirs:>8.3} {ratio:>7.2} {word}");
    }
    println!("The bars: at most {MOST} times");
    Ok(kept)
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

fn spent(command: &[String]) -> Result<f64> {
    let began = Instant::now();
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() || output.stdout.is_empty() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&said)).into());
    }
    Ok(seconds)
}

fn hr_id(number: u64) -> String {
    format!("{:07}", number % PEOPLE)
}

/// A log as runs write it: most lines are changes of people, some of them with masked values.
fn write_log(path: &Path, lines: u64) -> Result<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut head = Head {
        seq: 0,
        hash: String::new(),
    };
    for number in 0..lines {
        let time = DateTime::UNIX_EPOCH
            + TimeDelta::seconds(1_767_225_600)
            + TimeDelta::milliseconds(i64::try_from(number)? * 10);
        let run = format!("2026{:04}T051500Z-{:08x}", number / 5000, number / 5000);
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let (event, values) = event(number, &run);
        let line = compose(
            &mut head,
            time,
            Some("acme"),
            Some(&run),
            &event,
            &values,
            salt,
        );
        out.write_all(line.text.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

fn event(number: u64, run: &str) -> (Event, Values) {
    let value = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    let change = |what| Event::Change {
        change: Change {
            hr_id: HrId::new(&hr_id(number)),
            what,
        },
        grounds: None,
    };
    let sync_id = format!("sync-{run}");
    match number % 10 {
        0 if number.is_multiple_of(5000) => (Event::PushUnsettled { sync_id }, Values::new()),
        0 | 1 => (change(What::Joins), Values::new()),
        2 | 3 => (change(What::Leaves(Leaving::Missing)), Values::new()),
        4 => (
            Event::RowRejected {
                source: "headquarters".to_owned(),
                row: number % PEOPLE,
                hr_id: hr_id(number),
                reason: "dateOfBirth is not a date in the format TT.MM.JJJJ".to_owned(),
                carried_forward: true,
            },
            Values::new(),
        ),
        5 | 6 => (
            change(What::Changes {
                fields: vec![Field::LastName, Field::Email],
            }),
            vec![
                value("lastName.old", "M…"),
                value("lastName.new", "S…"),
                value("email.old", "a…@e…"),
                value("email.new", "b…@e…"),
            ],
        ),
        _ => (
            change(What::Changes {
                fields: vec![Field::StartDate],
            }),
            vec![
                value("startDate.old", "2019-…"),
                value("startDate.new", "2020-…"),
            ],
        ),
    }
}

/// Only the folder of the state counts here.
const CONFIG: &str = r#"
state_dir: STATE
integrations:
  - name: acme
    jobticket:
      environment: sandbox
      integration_id: 7
    sources:
      - name: headquarters
        type: csv_drop
        folder: drop
        pattern: "*.csv"
        ready: rename
        fields: {hrId: A, firstName: B, lastName: C, email: D}
"#;
