//! The two ways to make a run: in this process, with the library alone; and the real binary.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::time::Duration;

use jobticket_sync::audit::AuditFile;
use jobticket_sync::clock::Clock;
use jobticket_sync::config::{self, Config};
use jobticket_sync::crash::{Crashed, crashing_at};
use jobticket_sync::store::Store;
use jobticket_sync::sync::{self, Context, Options, Secrets};
use serde_json::Value;
use tokio::runtime::Runtime;

/// How a run is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) clock: Clock,
    /// Where it crashes, written as in `JOBTICKET_SYNC_TEST_CRASH`.
    pub(crate) crash: Option<String>,
    pub(crate) accept_clock: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Came {
    Crashed,
    /// The exit code, and the report as `--output json` shows it.
    Ended(u8, Value),
}

impl Came {
    /// The result's name in the report; none after a crash.
    pub(crate) fn result(&self) -> &str {
        match self {
            Self::Crashed => "",
            Self::Ended(_, report) => report["result"].as_str().unwrap_or("none"),
        }
    }
}

/// Makes runs.
pub(crate) trait BackEnd {
    /// One run, like a process of its own.
    fn run(&self, config: &Path, order: &Order) -> Result<Came, String>;

    /// Two at the same time.
    fn run_two(&self, config: &Path, order: &Order) -> Result<[Came; 2], String>;
}

/// With the library, on a clock that is shared with the sandbox.
pub(crate) struct InProcess<'r> {
    runtime: &'r Runtime,
    /// The configuration that was read last, and its text.
    read: RefCell<Option<(String, Rc<Config>)>>,
}

impl<'r> InProcess<'r> {
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        let read = RefCell::default();
        Self { runtime, read }
    }

    /// Reads the configuration, unless it is the same as last time, to the letter.
    fn load(&self, path: &Path) -> Result<Rc<Config>, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let mut read = self.read.borrow_mut();
        if let Some((known, config)) = &*read
            && *known == text
        {
            return Ok(config.clone());
        }
        let config = Rc::new(config::load(path).map_err(|error| error.to_string())?);
        *read = Some((text, config.clone()));
        Ok(config)
    }

    /// What `main` does for `--run-now`.
    async fn process(config: &Config, order: &Order) -> Came {
        let whole = async {
            let integration = &config.integrations[0];
            let secrets = Secrets::read(integration).expect("the secrets are there");
            let store =
                Store::open(&config.state_dir, order.clock.clone()).expect("the store opens");
            let audit = AuditFile::new(config.audit_file());
            let context = Context {
                config,
                store: &store,
                audit: &audit,
                clock: &order.clock,
                user: "tester",
                stage: &|_| {},
            };
            sync::note_configuration(&context).expect("the configuration is noted");
            let options = Options {
                dry_run: false,
                trigger: "--run-now".to_owned(),
                wait: Duration::ZERO,
                accept_clock: order.accept_clock,
                by_hand: true,
                resync: false,
                stopping: std::sync::Arc::default(),
            };
            sync::run(&context, integration, &secrets, &options).await
        };
        let report = match &order.crash {
            None => whole.await,
            Some(point) => crashing_at(point, whole).await,
        };
        let code = report.exit_code.code();
        Came::Ended(code, serde_json::to_value(report).unwrap())
    }

    /// Makes a run on this thread, where `block_in_place` costs nothing, and catches its crash.
    fn caught<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(run))) {
            Ok(came) => Some(came),
            Err(payload) if payload.is::<Crashed>() => None,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl BackEnd for InProcess<'_> {
    fn run(&self, config: &Path, order: &Order) -> Result<Came, String> {
        let config = self.load(config)?;
        let came = self.caught(Self::process(&config, order));
        Ok(came.unwrap_or(Came::Crashed))
    }

    fn run_two(&self, config: &Path, order: &Order) -> Result<[Came; 2], String> {
        let config = self.load(config)?;
        let other = Order {
            crash: None,
            ..order.clone()
        };
        let both = async {
            tokio::join!(
                Self::process(&config, order),
                Self::process(&config, &other)
            )
        };
        // A crash of one takes the other along, as the power would.
        let came = self.caught(both);
        Ok(came.map_or([Came::Crashed, Came::Crashed], |(one, other)| [one, other]))
    }
}

/// The program itself.
pub(crate) struct Binary<'r> {
    pub(crate) runtime: &'r Runtime,
}

impl Binary<'_> {
    fn start(config: &Path, order: &Order) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobticket-sync"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("JOBTICKET_SYNC_TEST_NOW", order.clock.now().to_rfc3339())
            .envs(
                order
                    .crash
                    .iter()
                    .map(|crash| ("JOBTICKET_SYNC_TEST_CRASH", crash)),
            )
            .args(["--run-now", "--output", "json", "--wait", "30", "--config"])
            .arg(config)
            .args(order.accept_clock.then_some("--accept-clock"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    fn ended(output: &Output) -> Result<Came, String> {
        let said = || {
            format!(
                "{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        };
        let Some(code) = output.status.code() else {
            return Ok(Came::Crashed);
        };
        let all: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
        let code = u8::try_from(code).map_err(|_| said())?;
        Ok(Came::Ended(code, all["runs"][0].clone()))
    }

    /// The time that passed on the clock of the program passes here too.
    fn pass(&self, order: &Order, came: &[Came]) {
        let lasted = came.iter().map(|came| match came {
            // Nobody knows.
            Came::Crashed => 90_000,
            Came::Ended(_, report) => report["durationMs"].as_u64().unwrap_or(0),
        });
        let lasted = Duration::from_millis(lasted.max().unwrap_or(0));
        self.runtime.block_on(order.clock.sleep(lasted));
    }
}

impl BackEnd for Binary<'_> {
    fn run(&self, config: &Path, order: &Order) -> Result<Came, String> {
        let output = Self::start(config, order).wait_with_output().unwrap();
        let came = Self::ended(&output)?;
        self.pass(order, std::slice::from_ref(&came));
        Ok(came)
    }

    fn run_two(&self, config: &Path, order: &Order) -> Result<[Came; 2], String> {
        let other = Order {
            crash: None,
            ..order.clone()
        };
        let both = [Self::start(config, order), Self::start(config, &other)];
        let outputs = both.map(|child| child.wait_with_output().unwrap());
        let [one, other] = &outputs;
        let came = [Self::ended(one)?, Self::ended(other)?];
        self.pass(order, &came);
        Ok(came)
    }
}

/// Where the folders of a history go: memory, if there is such a place.
pub(crate) fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() && tempfile::tempfile_in(memory).is_ok() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
