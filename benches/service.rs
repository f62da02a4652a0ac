//! The bars of an idle service: how soon it is ready beside a large snapshot, and what it needs once a run is over.
//!
//! The real program runs as a service with the environment of its unit, a schedule and a watched folder; the kernel says what it needs. What is counted does not
//! depend on how busy the machine is, but for the time to be ready, of which the median of several starts counts. The exit code is 1 where a bar is missed.
//!
//! `cargo bench --bench service -- [ROWS [STARTS]]`, 100,000 rows and 7 starts by default. The bars are those of 100,000 rows; other numbers are measured, not judged.
//! `cargo bench --bench service -- integrations [COUNT]` shows what 200 integrations in one service need instead, beside one (`many`).

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

#[path = "service/many.rs"]
mod many;
mod roster;

use std::error::Error;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use roster::{CONFIG, write_roster};

/// The rows for which the bars are meant.
const ROWS: usize = 100_000;
const PROGRAM: &str = env!("CARGO_BIN_EXE_jobticket-sync");
/// From its start until it says that it is ready.
const MOST_SECONDS: f64 = 0.3;
/// Anonymous memory after a run, bytes.
const MOST_MEMORY: u64 = 20 << 20;
/// Wake-ups a second, of all threads.
const MOST_WAKE_UPS: f64 = 5.0;
/// What a run has used goes back to the system in this time.
const SETTLE: Duration = Duration::from_secs(10);
/// So long wake-ups are counted.
const COUNT: Duration = Duration::from_secs(30);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let mut words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let of_many = words.first().is_some_and(|word| word == "integrations");
    if of_many {
        words.remove(0);
    }
    let numbers: std::result::Result<Vec<usize>, _> = words
        .iter()
        .map(|number| number.replace('_', "").parse())
        .collect();
    let done = numbers.map_err(Into::into).and_then(|numbers| {
        if of_many {
            let count = numbers.first().copied().unwrap_or(200).max(1);
            return many::compare(count).map(|()| true);
        }
        let rows = numbers.first().copied().unwrap_or(ROWS);
        bars(rows.max(1), numbers.get(1).copied().unwrap_or(7).max(1))
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("service: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether the bars are kept.
fn bars(rows: usize, starts: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.yaml");
    std::fs::create_dir(folder.path().join("drop"))?;
    std::fs::write(&config, configuration())?;
    write_roster(&folder.path().join("drop/roster_20260105.csv"), rows, false)?;
    by_hand(&config)?;
    let mut ready = Vec::new();
    for _ in 0..starts {
        ready.push(Service::start(folder.path(), &config)?.ready.as_secs_f64());
    }
    ready.sort_by(f64::total_cmp);
    let ready = ready[ready.len() / 2];

    let service = Service::start(folder.path(), &config)?;
    let before = service.memory()?;
    // The service makes it.
    by_hand(&config)?;
    std::thread::sleep(SETTLE);
    let memory = service.memory()?;
    let (wake_ups, began) = (service.wake_ups()?, Instant::now());
    std::thread::sleep(COUNT);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let wake_ups = (service.wake_ups()? - wake_ups) as f64 / began.elapsed().as_secs_f64();

    println!("{rows} rows in the snapshot, {starts} starts");
    let word = |kept| match (rows == ROWS, kept) {
        (false, _) => "not judged",
        (true, true) => "kept",
        (true, false) => "MISSED",
    };
    let kept = [
        ready <= MOST_SECONDS,
        memory <= MOST_MEMORY,
        wake_ups <= MOST_WAKE_UPS,
    ];
    println!(
        "Ready after {ready:.3} s, at most {MOST_SECONDS}: {}",
        word(kept[0])
    );
    println!(
        "Anonymous memory after a run: {:.1} MiB ({:.1} before it), at most {:.0}: {}",
        mebibytes(memory),
        mebibytes(before),
        mebibytes(MOST_MEMORY),
        word(kept[1])
    );
    println!(
        "Wake-ups a second: {wake_ups:.1}, at most {MOST_WAKE_UPS}: {}",
        word(kept[2])
    );
    Ok(rows != ROWS || kept.iter().all(|kept| *kept))
}

/// With a schedule and a watched folder. Reading back a hundred thousand people takes minutes, for the rate limit holds in the sandbox too.
fn configuration() -> String {
    CONFIG
        .replace(
            "    sources:",
            "    schedule: {cron: [\"15 5 * * Mon-Fri\"], catch_up: false}\n    read_back: {before_push: false, after_push: false}\n    sources:",
        )
        .replace("        ready: rename", "        watch: true\n        ready: rename")
}

/// A run; a service that is there makes it.
fn by_hand(config: &Path) -> Result<()> {
    let output = Command::new(PROGRAM)
        .arg("--config")
        .arg(config)
        .arg("--run-now")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("the run failed: {}", String::from_utf8_lossy(&said)).into())
}

/// What the unit sets.
fn environment() -> Result<Vec<(String, String)>> {
    let unit = std::fs::read_to_string("systemd/jobticket-sync.service")?;
    let lines = unit.lines();
    let settings = lines.filter_map(|line| line.strip_prefix("Environment="));
    let pairs = settings.flat_map(str::split_whitespace);
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

struct Service {
    child: Child,
    ready: Duration,
}

impl Service {
    /// Starts it and waits until it is ready.
    fn start(folder: &Path, config: &Path) -> Result<Self> {
        let path = folder.join("notify");
        let _ = std::fs::remove_file(&path);
        let manager = UnixDatagram::bind(&path)?;
        manager.set_read_timeout(Some(Duration::from_secs(60)))?;
        let began = Instant::now();
        let child = Command::new(PROGRAM)
            .arg("--config")
            .arg(config)
            .envs(environment()?)
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut service = Self {
            child,
            ready: Duration::ZERO,
        };
        let mut buffer = [0; 4096];
        loop {
            let length = manager.recv(&mut buffer)?;
            if String::from_utf8_lossy(&buffer[..length]).contains("READY=1") {
                service.ready = began.elapsed();
                return Ok(service);
            }
        }
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// Bytes of memory that no file stands behind.
    fn memory(&self) -> Result<u64> {
        let text = std::fs::read_to_string(self.proc("smaps_rollup"))?;
        let kibibytes = number(&text, "Anonymous:").ok_or("the kernel says nothing of memory")?;
        Ok(kibibytes << 10)
    }

    /// The time that processors have spent on it, in hundredths of a second.
    fn ticks(&self) -> Result<u64> {
        let text = std::fs::read_to_string(self.proc("stat"))?;
        let (_, rest) = text
            .rsplit_once(')')
            .ok_or("the kernel says nothing of time")?;
        let times = rest.split_whitespace().skip(11).take(2);
        Ok(times
            .map(str::parse::<u64>)
            .sum::<std::result::Result<_, _>>()?)
    }

    /// How often its threads have gone to sleep so far, each of which ends by a wake-up.
    fn wake_ups(&self) -> Result<u64> {
        let mut all = 0;
        for task in std::fs::read_dir(self.proc("task"))? {
            let text = std::fs::read_to_string(task?.path().join("status"))?;
            all += number(&text, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(all)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(pid) = self.child.id().try_into() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// The number in the line of a file in /proc that begins so.
fn number(text: &str, begins: &str) -> Option<u64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(begins))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
