//! The journal of systemd: whether stderr leads there, its native protocol, and priorities for lines that go to stderr nevertheless.
//!
//! The native protocol keeps the fields of an event as fields. Where only stderr leads to the journal, a line bears its priority as `<N>` at its front, as
//! sd-daemon(3) describes. Stderr that was redirected elsewhere, in a script of a unit for one, stays as it is everywhere.

use std::fmt::{self, Write as _};
use std::io;

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Layer, Priority, PriorityMappings};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What our fields begin with in the journal, so that none is taken for one of its own.
const PREFIX: &str = "JOBTICKET";
/// Under which name the journal lists us.
const IDENTIFIER: &str = "jobticket-sync";

/// Whether stderr leads to the journal: systemd names the stream in `JOURNAL_STREAM` as device and inode (systemd.exec(5)).
pub(super) fn is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// The native protocol; `None` where nobody listens to it.
pub(super) fn native() -> Option<Layer> {
    let layer = tracing_journald::layer().ok()?;
    Some(
        layer
            .with_syslog_identifier(IDENTIFIER.to_owned())
            .with_field_prefix(Some(PREFIX.to_owned()))
            .with_priority_mappings(PriorityMappings {
                error: Priority::Error,
                warn: Priority::Warning,
                info: Priority::Informational,
                debug: Priority::Debug,
                trace: Priority::Debug,
            }),
    )
}

/// The priority of a level, as in the native protocol.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Every line of a text with its priority at its front.
fn with_priority(text: &str, level: Level) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let _ = writeln!(lines, "<{}>{line}", priority(level));
    }
    lines
}

/// An error as a text for stderr, which may lead to the journal.
pub(super) fn error(text: &str) -> String {
    if is_stderr() {
        with_priority(text, Level::ERROR)
    } else {
        format!("{text}\n")
    }
}

/// Writes events as `inner` does, each line with its priority where that is wanted.
pub(super) struct Prioritised<F> {
    pub(super) inner: F,
    pub(super) wanted: bool,
}

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if !self.wanted {
            return self.inner.format_event(context, writer, event);
        }
        let mut text = String::new();
        let inner = Writer::new(&mut text);
        self.inner.format_event(context, inner, event)?;
        let level = *event.metadata().level();
        writer.write_str(&with_priority(&text, level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_text_bears_the_priority_of_its_level() {
        assert_eq!(with_priority("a\nb\n", Level::ERROR), "<3>a\n<3>b\n");
        let of = |level| with_priority("a", level);
        assert_eq!(of(Level::WARN), "<4>a\n");
        assert_eq!(of(Level::INFO), "<6>a\n");
        assert_eq!(of(Level::DEBUG), "<7>a\n");
    }
}
