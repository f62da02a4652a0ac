//! The operational log, in the journal of systemd or on stderr, and the progress line that shares the terminal with it.

mod journal;

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use jobticket_sync::config::{LogConfig, LogFormat, LogLevel};
use journal::Prioritised;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// A line on the terminal that says what takes long; nothing where stderr is no terminal.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Progress {
    pub(crate) fn new(terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar
        });
        Self {
            bar: Arc::new(Mutex::new(bar)),
        }
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = &*bar
        {
            act(bar);
        }
    }

    pub(crate) fn stage(&self, what: &str) {
        self.with(|bar| {
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
        });
    }

    pub(crate) fn end(&self) {
        self.with(ProgressBar::finish_and_clear);
    }
}

/// Writes a log line above the progress line.
struct AboveProgress(Progress);

impl Write for AboveProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut result = Ok(());
        let mut written = false;
        self.0.with(|bar| {
            result = bar.suspend(|| io::stderr().lock().write_all(bytes));
            written = true;
        });
        if written {
            result
        } else {
            io::stderr().lock().write_all(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'w> MakeWriter<'w> for Progress {
    type Writer = Box<dyn Write + 'w>;

    fn make_writer(&'w self) -> Self::Writer {
        Box::new(AboveProgress(self.clone()))
    }
}

/// Starts the log. Libraries below us are heard from warnings on: what they say in detail may hold what is sent.
pub(crate) fn start(config: LogConfig, progress: Progress) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let targets = Targets::new()
        .with_target("jobticket_sync", level)
        .with_default(level.min(LevelFilter::WARN));
    let registry = tracing_subscriber::registry();
    let wanted = journal::is_stderr();
    // Whoever asks for JSON gets JSON.
    if wanted
        && config.format == LogFormat::Text
        && let Some(layer) = journal::native()
    {
        registry.with(layer.with_filter(targets)).init();
        return;
    }
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(progress)
        .with_target(false);
    let prioritised = |inner| Prioritised { inner, wanted };
    match config.format {
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true);
            let layer = layer.map_event_format(|inner| Prioritised { inner, wanted });
            registry.with(layer.with_filter(targets)).init();
        }
        LogFormat::Text => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = layer.with_ansi(colours).map_event_format(prioritised);
            registry.with(layer.with_filter(targets)).init();
        }
    }
}

/// Says what is wrong on stderr, whether the log has begun or not.
pub(crate) fn say(message: &str) {
    let text = journal::error(&format!("jobticket-sync: {message}"));
    // Where stderr is gone, there is nobody to be told.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
