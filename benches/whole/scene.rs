//! A folder in which everything that is measured can run again and again, with the sandbox of the program in a process of its own beside it.
//!
//! Two rosters differ in 2 % of the people and are delivered in turns, each under a newer date, so that every push has as much to do. What is not measured happens
//! in [`Scene::ready`], before the process starts.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrono::{Days, NaiveDate};
use encoding_rs::WINDOWS_1252;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::measure::{Line, finished, line};
use crate::pages;
use crate::roster::{CONFIG, write_roster};
use crate::{Result, floor};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// The loop that any program would need, over what it knows.
    LoopUnchanged,
    /// A dry run over a newer file with what JobTicket has.
    Unchanged,
    /// The same, in Windows-1252.
    UnchangedWindows1252,
    /// A dry run over the pages of a server with what JobTicket has.
    UnchangedRest,
    /// The loop, where 2 % have changed.
    LoopChanged,
    /// A run that pushes, where 2 % have changed.
    Changed,
    /// The same, where JobTicket is asked before and after.
    ReadBack,
    /// The first run, which pushes everybody.
    First,
    /// The command line of SQLite, where 2 % have changed.
    Sqlite,
}

/// The sandbox; ends with this.
struct Sandbox {
    child: Child,
    url: String,
}

impl Sandbox {
    fn start(binary: &Path) -> Result<Self> {
        let child = Command::new(binary)
            .args(["sandbox", "--config", "/nonexistent/config.yaml"])
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut sandbox = Self {
            child,
            url: String::new(),
        };
        let mut said = String::new();
        let out = sandbox.child.stdout.as_mut().ok_or("no output")?;
        BufReader::new(out).read_line(&mut said)?;
        let place = said
            .find("http://")
            .ok_or("the sandbox says no address; is it that of this program?")?;
        said[place..].trim().clone_into(&mut sandbox.url);
        Ok(sandbox)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Ok(pid) = self.child.id().try_into() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

const MAIN: &str = "main";
const FIRST: &str = "first";
const READ_BACK: &str = "read_back";
const REST: &str = "rest";

/// The rosters: everybody as they are, and with 2 % changed.
const BOTH: [&str; 2] = ["as_is", "changed"];

pub(crate) struct Scene {
    folder: TempDir,
    binary: PathBuf,
    rows: usize,
    /// One for each configuration: they do not know each other's requests, and together would go over the API's rate limit.
    sandboxes: RefCell<HashMap<&'static str, Sandbox>>,
    /// Days since the first delivery.
    day: Cell<u64>,
    /// Which of the rosters was pushed last.
    pushed: Cell<usize>,
}

impl Scene {
    /// Everything but what the loop and `sqlite3` need, up to the first push.
    pub(crate) fn new(binary: &Path, rows: usize) -> Result<Self> {
        let scene = Self {
            folder: tempfile::tempdir()?,
            binary: binary.to_owned(),
            rows,
            sandboxes: RefCell::default(),
            day: Cell::new(0),
            pushed: Cell::new(0),
        };
        std::fs::create_dir(scene.path("drop"))?;
        std::fs::write(scene.path("key"), "sandbox")?;
        for (name, changed) in BOTH.into_iter().zip([false, true]) {
            write_roster(&scene.path(&format!("{name}.csv")), rows, changed)?;
        }
        scene.deliver(0, "csv")?;
        scene.configure(MAIN, CONFIG)?;
        finished(&scene.run(MAIN))?;
        Ok(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the loop, `sqlite3` and the other ways of delivery need.
    pub(crate) fn prepare(&self, sqlite: bool, rest: bool) -> Result<()> {
        for name in BOTH {
            let roster = self.path(&format!("{name}.csv"));
            floor::prepare(&roster, &self.path(&format!("{name}.db")))?;
            in_windows_1252(&roster, &self.path(&format!("{name}.windows1252")))?;
        }
        if sqlite {
            let roster = self.path(&format!("{}.csv", BOTH[0]));
            finished(&floor::import(&self.path("imported.db"), &roster, "old"))?;
        }
        if rest {
            let url = pages::serve(self.rows / pages::SIZE)?;
            let source = format!("base_url: {url}");
            self.configure(REST, &pages::CONFIG.replace("base_url: URL", &source))?;
            finished(&self.run(REST))?;
        }
        Ok(())
    }

    /// Writes a configuration that pushes to a new sandbox, and forgets what it did before.
    ///
    /// Reading back is a request for each hundred people; that of a hundred thousand takes ten minutes, in which the API's rate limit is waited for.
    fn configure(&self, name: &'static str, config: &str) -> Result<()> {
        self.sandboxes.borrow_mut().remove(name);
        let sandbox = Sandbox::start(&self.binary)?;
        let state = self.path(&format!("state_{name}"));
        if state.exists() {
            std::fs::remove_dir_all(&state)?;
        }
        let key = format!("{{file: \"{}\"}}", self.path("key").display());
        let api = format!(
            "base_url: \"{}\", api_key_id: {key}, api_key_secret: {key}, integration_id: 7",
            sandbox.url
        );
        let mut config = config
            .replace("state_dir: state", &format!("state_dir: state_{name}"))
            .replace("environment: sandbox, integration_id: 7", &api)
            .replace("max_age_hours: null", "max_age_hours: 100000");
        if name != READ_BACK {
            config = config.replace(
                "    sources:",
                "    read_back: {before_push: false, after_push: false}\n    sources:",
            );
        }
        let first_push = "    limits:\n      first_push: allow\n";
        config = if config.contains("    limits:\n") {
            config.replace("    limits:\n", first_push)
        } else {
            config + first_push
        };
        std::fs::write(self.path(&format!("{name}.yaml")), config)?;
        self.sandboxes.borrow_mut().insert(name, sandbox);
        Ok(())
    }

    /// Puts a roster in the place of that of yesterday.
    fn deliver(&self, which: usize, form: &str) -> Result<()> {
        for old in std::fs::read_dir(self.path("drop"))? {
            std::fs::remove_file(old?.path())?;
        }
        self.day.set(self.day.get() + 1);
        let day = NaiveDate::from_ymd_opt(2020, 1, 1)
            .and_then(|first| first.checked_add_days(Days::new(self.day.get())))
            .ok_or("too many runs")?;
        let name = format!("drop/roster_{}.csv", day.format("%Y%m%d"));
        // No copy: writing it would go on in the background while something is measured.
        std::fs::hard_link(
            self.path(&format!("{}.{form}", BOTH[which])),
            self.path(&name),
        )?;
        Ok(())
    }

    fn run(&self, config: &str) -> Line {
        let config = self.path(&format!("{config}.yaml"));
        line([&self.binary, &"--config", &config, &"--run-now"])
    }

    fn acknowledged(&self) -> String {
        format!("Pushed {} employees", self.rows)
    }

    /// Prepares a case; what is to be run, and what it has to say.
    pub(crate) fn ready(&self, case: Case) -> Result<(Line, String)> {
        let pushed = self.pushed.get();
        let other = 1 - pushed;
        let dry_run = |config: &str| [self.run(config), line([&"--dry-run"])].concat();
        let nothing = || "Nothing changed".to_owned();
        let file = |which: usize, form: &str| self.path(&format!("{}.{form}", BOTH[which]));
        let the_loop = |roster: PathBuf, table: PathBuf, changed: usize| -> Result<_> {
            let this = std::env::current_exe()?;
            let command = line([&this, &"floor", &roster, &table]);
            Ok((command, format!("{changed} changed, 0 missing")))
        };
        Ok(match case {
            Case::LoopUnchanged => the_loop(file(pushed, "csv"), file(pushed, "db"), 0)?,
            Case::LoopChanged => {
                let copy = self.path("copy.db");
                copied(&file(pushed, "db"), &copy)?;
                the_loop(file(other, "csv"), copy, married(self.rows))?
            }
            Case::Unchanged => {
                self.deliver(pushed, "csv")?;
                (dry_run(MAIN), nothing())
            }
            Case::UnchangedWindows1252 => {
                self.deliver(pushed, "windows1252")?;
                (dry_run(MAIN), nothing())
            }
            Case::UnchangedRest => (dry_run(REST), nothing()),
            Case::Changed => {
                self.deliver(other, "csv")?;
                self.pushed.set(other);
                (self.run(MAIN), self.acknowledged())
            }
            Case::First => {
                self.deliver(pushed, "csv")?;
                self.configure(FIRST, CONFIG)?;
                (self.run(FIRST), self.acknowledged())
            }
            Case::ReadBack => {
                self.configure(READ_BACK, CONFIG)?;
                self.deliver(pushed, "csv")?;
                finished(&self.run(READ_BACK))?;
                self.deliver(other, "csv")?;
                (self.run(READ_BACK), "and read back".to_owned())
            }
            Case::Sqlite => {
                let copy = self.path("copy.sqlite");
                copied(&self.path("imported.db"), &copy)?;
                let command = floor::import_and_compare(&copy, &file(1, "csv"));
                (command, format!("{}\n0", married(self.rows)))
            }
        })
    }
}

/// How many people of a roster change.
fn married(rows: usize) -> usize {
    (0..rows).filter(|person| person % 50 == 7).count()
}

/// A fresh copy of a table, with nothing left of what was done to the copy before, and written out before anything is measured.
fn copied(table: &Path, copy: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut old = copy.as_os_str().to_owned();
        old.push(end);
        if Path::new(&old).exists() {
            std::fs::remove_file(old)?;
        }
    }
    std::fs::copy(table, copy)?;
    Ok(std::fs::File::open(copy)?.sync_all()?)
}

fn in_windows_1252(roster: &Path, out: &Path) -> Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(out)?);
    for line in BufReader::new(std::fs::File::open(roster)?).split(b'\n') {
        let line = String::from_utf8(line?)?;
        let (bytes, _, unmappable) = WINDOWS_1252.encode(&line);
        if unmappable {
            return Err("a name that Windows-1252 cannot write".into());
        }
        out.write_all(&bytes)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
