//! What a process needs: its time, the most memory that it had, and the instructions that it executed.
//!
//! Each is started by a small process of its own. The system only knows the most memory of *all* children of a process, and a child begins with what the
//! process that forked it had.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use crate::Result;

/// A program with its arguments.
pub(crate) type Line = Vec<OsString>;

/// A command line of texts and paths.
pub(crate) fn line<const N: usize>(words: [&dyn AsRef<OsStr>; N]) -> Line {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// What a process needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// The most bytes of memory at any time.
    pub(crate) memory: u64,
}

impl Spent {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    pub(crate) fn mebibytes(self) -> f64 {
        self.memory as f64 / f64::from(1 << 20)
    }
}

/// The run in the middle by time, with the most memory of any.
pub(crate) fn median(mut runs: Vec<Spent>) -> Option<Spent> {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Some(Spent {
        seconds: runs.get(runs.len() / 2)?.seconds,
        memory: runs.iter().map(|run| run.memory).max()?,
    })
}

/// Runs a program in a process of its own that measures it.
///
/// # Errors
/// It fails, or does not say what it has to say, so that it did something else.
pub(crate) fn spent(command: &Line, says: &str) -> Result<Spent> {
    let output = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(command)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let (figures, said) = text.split_once('\n').ok_or("a measurement failed")?;
    let (seconds, memory) = figures.split_once(' ').ok_or("a measurement failed")?;
    agrees(said, says)?;
    Ok(Spent {
        seconds: seconds.parse()?,
        memory: memory.parse()?,
    })
}

fn agrees(said: &str, says: &str) -> Result<()> {
    if said.contains(says) {
        return Ok(());
    }
    Err(format!("expected `{says}`, and it says: {said}").into())
}

/// The process that measures: runs a program, and prints its seconds, its bytes of memory, and what it said.
pub(crate) fn measure(command: &[OsString]) -> Result<()> {
    let began = Instant::now();
    let said = finished(command)?;
    let seconds = began.elapsed().as_secs_f64();
    let kibibytes = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
    println!("{seconds} {}\n{said}", kibibytes << 10);
    Ok(())
}

/// Runs a program; what it said.
///
/// # Errors
/// It did not succeed, with what it said.
pub(crate) fn finished(command: &[OsString]) -> Result<String> {
    let (program, arguments) = command.split_first().ok_or("no program")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let (program, said) = (program.display(), String::from_utf8_lossy(&said));
        return Err(format!("{program} failed: {said}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What counts instructions here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counter {
    Valgrind,
    Perf,
}

impl Counter {
    /// valgrind comes first: its counts depend on no other process and on no kernel, and `perf` is there on many machines that do not let it count.
    pub(crate) fn installed() -> Option<Self> {
        let works = |counter: &Self| count(*counter, &line([&"true"]), "").is_ok();
        [Self::Valgrind, Self::Perf].into_iter().find(works)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valgrind => "valgrind",
            Self::Perf => "perf",
        }
    }

    /// `==7== I   refs:      1,824,874`, without the blanks in newer versions; `1824874,,instructions:u,…`.
    fn read(self, said: &str) -> Option<u64> {
        let number = |text: &str| text.trim().replace(',', "").parse().ok();
        said.lines().find_map(|line| match self {
            Self::Valgrind => {
                let (name, count) = line.split_once("refs:")?;
                let words: Vec<_> = name.split_whitespace().collect();
                (words.last() == Some(&"I"))
                    .then(|| number(count))
                    .flatten()
            }
            Self::Perf => line
                .contains("instructions")
                .then(|| number(line.split(',').next()?))
                .flatten(),
        })
    }
}

/// The instructions that a program executes.
///
/// # Errors
/// Those of [`spent`], or nothing was counted.
pub(crate) fn count(counter: Counter, command: &Line, says: &str) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    // Not simulating caches is the default since valgrind 3.21 only; older and newer ones know the option.
    let before = match counter {
        Counter::Valgrind => line([
            &"valgrind",
            &"--tool=cachegrind",
            &"--cache-sim=no",
            &"--cachegrind-out-file=/dev/null",
            &format!("--log-file={}", log.display()),
        ]),
        Counter::Perf => line([
            &"perf",
            &"stat",
            &"-x,",
            &"-einstructions:u",
            &"-o",
            &log,
            &"--",
        ]),
    };
    let said = finished(&[before, command.clone()].concat())?;
    agrees(&said, says)?;
    let figures = std::fs::read_to_string(&log)?;
    counter
        .read(&figures)
        .ok_or_else(|| format!("{} counts nothing: {figures}", counter.name()).into())
}

/// The bytes of a binary without what only debuggers read; `None` where `strip` is not installed.
pub(crate) fn stripped(binary: &Path) -> Result<Option<u64>> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("stripped");
    match finished(&line([&"strip", &"-o", &out, &binary])) {
        Ok(_) => Ok(Some(std::fs::metadata(out)?.len())),
        Err(_) => Ok(None),
    }
}
