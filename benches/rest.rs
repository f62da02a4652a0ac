//! The bar for time and memory of a source that is asked over HTTP: 100,000 people over 1,000 pages of a server on this machine, beside a loop that only fetches and parses them.
//!
//! Both ask this process, which has the pages ready. The loop uses the same HTTP client and `serde_json::Value`; the pull is the library's own, up to mapped rows. Whole processes are
//! measured, in turns, so that a busy machine slows both; what counts is the ratio of the medians. The exit code is 1 where a bar is missed.
//!
//! `cargo bench --bench rest -- [PAGES [RUNS]]`, 1,000 pages of 100 people and 7 runs by default. The bars are those of 1,000 pages; other numbers are measured, not judged.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod pages;

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use jobticket_sync::clock::Clock;
use jobticket_sync::config;
use jobticket_sync::source::{self, Ask, Pulled};
use nix::sys::resource::{UsageWho, getrusage};

use pages::{CONFIG, SIZE, serve};

/// The pages for which the bars are meant.
const PAGES: usize = 1000;
/// A pull may take so many times as long as the loop.
const MOST_TIME: f64 = 1.5;
/// It may need so many bytes besides the roster and what a process needs that does nothing.
const MOST_MEMORY: u64 = 32 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["nothing"] => Ok(true),
        ["least", url, pages] => least(url, pages).map(|()| true),
        ["pull", config] => pull(Path::new(config)).map(|()| true),
        ["measure", rest @ ..] => measure(rest).map(|()| true),
        rest => rest
            .iter()
            .map(|number| number.replace('_', "").parse())
            .collect::<std::result::Result<Vec<usize>, _>>()
            .map_err(Into::into)
            .and_then(|numbers| {
                let pages = numbers.first().copied().unwrap_or(PAGES);
                bar(pages.max(1), numbers.get(1).copied().unwrap_or(7).max(1))
            }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether the bars are kept.
fn bar(pages: usize, runs: usize) -> Result<bool> {
    let url = serve(pages)?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, CONFIG.replace("URL", &url))?;
    let config = config.to_str().ok_or("a path that is no text")?;
    let (mut of_least, mut of_pull, mut of_nothing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        of_least.push(spent(&["least", &url, &pages.to_string()])?);
        of_pull.push(spent(&["pull", config])?);
        of_nothing.push(spent(&["nothing"])?);
    }
    let [least, pull, nothing] = [of_least, of_pull, of_nothing].map(median);
    let time = pull.seconds / least.seconds;
    let most = nothing.memory + pull.roster + MOST_MEMORY;
    println!(
        "{} people over {pages} pages, medians of {runs} runs",
        pages * SIZE
    );
    println!("{:<28} {:>9} {:>7} {:>9}", "", "seconds", "ratio", "MiB");
    for (what, spent) in [
        ("a loop: fetch and parse", least),
        ("pull: mapped rows", pull),
        ("a process that does nothing", nothing),
    ] {
        let ratio = spent.seconds / least.seconds;
        println!(
            "{what:<28} {:>9.4} {ratio:>7.2} {:>9.1}",
            spent.seconds,
            mebibytes(spent.memory)
        );
    }
    println!("The roster itself: {:.1} MiB", mebibytes(pull.roster));
    if pages != PAGES {
        return Ok(true);
    }
    let (in_time, in_memory) = (time <= MOST_TIME, pull.memory <= most);
    let word = |kept| if kept { "kept" } else { "MISSED" };
    println!(
        "Time: {time:.2} times the loop, at most {MOST_TIME}: {}",
        word(in_time)
    );
    println!(
        "Memory: {:.1} MiB, at most {:.1}: {}",
        mebibytes(pull.memory),
        mebibytes(most),
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
    /// Bytes of the roster that it has in the end.
    roster: u64,
}

/// The run in the middle by time, with the most memory of any.
fn median(mut runs: Vec<Spent>) -> Spent {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Spent {
        memory: runs.iter().map(|run| run.memory).max().unwrap_or_default(),
        ..runs[runs.len() / 2]
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Runs this program in a process of its own that measures another: the system only knows the most memory of *all* children of a process.
fn spent(arguments: &[&str]) -> Result<Spent> {
    let output = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut word = || words.next().ok_or("a measurement failed");
    Ok(Spent {
        seconds: word()?.parse()?,
        memory: word()?.parse()?,
        roster: word()?.parse()?,
    })
}

/// Runs this program, and prints its seconds, its bytes of memory, and what it says of its roster.
fn measure(arguments: &[&str]) -> Result<()> {
    let began = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{arguments:?} failed: {said}").into());
    }
    let said = String::from_utf8(output.stdout)?;
    let roster = if said.trim().is_empty() {
        "0"
    } else {
        said.trim()
    };
    let kibibytes = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
    println!("{seconds} {} {roster}", kibibytes << 10);
    Ok(())
}

/// The least that any program would do: fetch every page and parse it.
fn least(url: &str, pages: &str) -> Result<()> {
    let pages: usize = pages.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut people = 0;
        for page in 1..=pages {
            let answer = client.get(format!("{url}/people?page={page}")).send();
            let body = answer.await?.error_for_status()?.bytes().await?;
            let page: serde_json::Value = serde_json::from_slice(&body)?;
            people += page["data"].as_array().map_or(0, Vec::len);
        }
        if people == pages * SIZE {
            Ok(())
        } else {
            Err("people are missing".into())
        }
    })
}

/// Pulls the source of a configuration, and prints the bytes of its roster.
fn pull(config: &Path) -> Result<()> {
    let config = config::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let task = runtime.spawn_blocking(move || {
        let clock = Clock::system();
        let ask = Ask {
            last: None,
            same_rules: false,
            filled: &HashSet::new(),
            now: clock.now(),
            zone: config.timezone,
            schedule: None,
            private: &config.state_dir,
            stopping: &std::sync::atomic::AtomicBool::new(false),
            clock: &clock,
        };
        source::pull(&config.integrations[0].sources[0], &ask)
    });
    let Pulled::Read { delivery, .. } = runtime.block_on(task)?? else {
        return Err("nothing was read".into());
    };
    let texts = delivery.rows.iter().map(|row| {
        let one = &row.employee;
        std::mem::size_of_val(row)
            + one.hr_id.to_string().len()
            + one.first_name().len()
            + one.last_name().len()
            + one.email().len()
    });
    println!("{}", texts.sum::<usize>());
    Ok(())
}
