//! What the service counts and shows for Prometheus: counters from the ends of its runs, gauges from the status at the time of the question.
//!
//! The names follow Prometheus' conventions: base units, `_total` for what only grows, `_timestamp_seconds` for Unix times. Labels are names of the
//! configuration and words of a fixed set, never anything of a person. The counters begin at zero with the service and know its own runs alone; the gauges come from the
//! state, so that they outlive a restart and know what was done by hand.

mod gauges;

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::status::Status;
use crate::sync::{Ending, RunReport};
use gauges::Gauges;

/// Upper ends of the buckets of run durations, seconds. Ours: a run in which nothing changed takes well under a second, one that waits for the rate limit minutes.
const DURATIONS: [f64; 11] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0,
];

/// In which format the metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0, as Prometheus asks for it.
    OpenMetrics,
    /// The text format 0.0.4, for everybody else.
    Prometheus,
}

impl Format {
    /// The format that an `Accept` header asks for.
    pub fn asked_for(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIntegration {
    integration: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRun {
    integration: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChange {
    integration: String,
    change: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    integration: String,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: String,
}

fn of(integration: &str) -> OfIntegration {
    OfIntegration {
        integration: integration.to_owned(),
    }
}

type Seconds = Counter<f64, std::sync::atomic::AtomicU64>;

/// Everything that is counted and shown.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    runs: Family<OfRun, Counter>,
    durations: Family<OfIntegration, Histogram, fn() -> Histogram>,
    changes: Family<OfChange, Counter>,
    rejected_rows: Family<OfIntegration, Counter>,
    requests: Family<OfIntegration, Counter>,
    waits: Family<OfIntegration, Seconds>,
    last_tick: Gauge,
    /// Whether the configuration in force is the one that was to be loaded last.
    reloaded: Gauge,
    /// Set anew for each answer, so that one is made at a time.
    gauges: Mutex<Gauges>,
}

impl Metrics {
    /// Nothing counted yet. `started` is when the service began.
    pub fn new(started: DateTime<Utc>) -> Self {
        let mut registry = Registry::with_prefix("jobticket_sync");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which version of jobticket-sync this is", version);
        let start = Gauge::<i64>::default();
        start.set(started.timestamp());
        registry.register_with_unit(
            "start_timestamp",
            "When the service began",
            Unit::Seconds,
            start,
        );
        let last_tick = Gauge::<i64>::default();
        registry.register_with_unit(
            "last_tick_timestamp",
            "When the service last looked for what is due, which it does once a minute",
            Unit::Seconds,
            last_tick.clone(),
        );
        let reloaded = Gauge::<i64>::default();
        reloaded.set(1);
        registry.register(
            "config_last_reload_successful",
            "0 where the last reload was refused and an older configuration is in force",
            reloaded.clone(),
        );
        let runs = Family::default();
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATIONS));
        let (changes, rejected_rows) = (Family::default(), Family::default());
        let (requests, waits) = (Family::default(), Family::default());
        registry.register(
            "runs",
            "Runs of this service by how they ended",
            Family::clone(&runs),
        );
        registry.register_with_unit(
            "run_duration",
            "How long the runs of this service took",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "pushed_changes",
            "Joiners, leavers and changed employees of acknowledged pushes",
            Family::clone(&changes),
        );
        registry.register(
            "rejected_rows",
            "Rows that runs of this service could not use",
            Family::clone(&rejected_rows),
        );
        registry.register(
            "requests",
            "Requests that runs of this service sent to JobTicket",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "rate_limit_wait",
            "How long requests of this service waited for JobTicket's rate limit",
            Unit::Seconds,
            Family::clone(&waits),
        );
        Self {
            gauges: Mutex::new(Gauges::new(&mut registry)),
            registry,
            runs,
            durations,
            changes,
            rejected_rows,
            requests,
            waits,
            last_tick,
            reloaded,
        }
    }

    /// The service looks for what is due.
    pub fn ticked(&self, now: DateTime<Utc>) {
        self.last_tick.set(now.timestamp());
    }

    /// A reload was made or refused.
    pub fn reloaded(&self, successful: bool) {
        self.reloaded.set(successful.into());
    }

    /// These integrations are there: their counters begin at zero, so that the first change of one shows.
    pub fn expect<'n>(&self, integrations: impl Iterator<Item = &'n str>) {
        for name in integrations {
            for outcome in ["pushed", "unchanged", "held", "source_failed"] {
                let _ = self.runs.get_or_create(&of_run(name, outcome));
            }
            for change in ["joiner", "leaver", "changed"] {
                let _ = self.changes.get_or_create(&of_change(name, change));
            }
            let name = of(name);
            let _ = self.durations.get_or_create(&name);
            let _ = self.rejected_rows.get_or_create(&name);
            let _ = self.requests.get_or_create(&name);
            let _ = self.waits.get_or_create(&name);
        }
    }

    /// A run has ended.
    pub fn run_ended(&self, report: &RunReport) {
        let name = &report.integration;
        let outcome = report.ending.name().replace(' ', "_");
        self.runs.get_or_create(&of_run(name, &outcome)).inc();
        let seconds = |millis: u64| std::time::Duration::from_millis(millis).as_secs_f64();
        let label = of(name);
        let duration = seconds(report.duration_ms);
        self.durations.get_or_create(&label).observe(duration);
        let rejected = report.rejected.len() + report.refused_rows.len();
        let rejected = u64::try_from(rejected).unwrap_or(u64::MAX);
        self.rejected_rows.get_or_create(&label).inc_by(rejected);
        let requests = report.requests.into();
        self.requests.get_or_create(&label).inc_by(requests);
        let waited = seconds(report.rate_limit_wait_ms);
        self.waits.get_or_create(&label).inc_by(waited);
        if matches!(report.ending, Ending::Pushed { .. }) {
            for (change, count) in [
                ("joiner", report.counts.joiners),
                ("leaver", report.counts.leavers),
                ("changed", report.counts.changed),
            ] {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                let label = of_change(name, change);
                self.changes.get_or_create(&label).inc_by(count);
            }
        }
    }

    /// An internal error has ended a run.
    pub fn run_panicked(&self, integration: &str) {
        let label = of_run(integration, "internal_error");
        self.runs.get_or_create(&label).inc();
    }

    /// Everything in a format, with what the status says now.
    pub fn render(&self, status: &Status, format: Format) -> String {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.set(status);
        let mut text = String::new();
        let done = match format {
            Format::OpenMetrics => text::encode(&mut text, &self.registry),
            Format::Prometheus => prometheus_text::encode(&mut text, &self.registry),
        };
        done.expect("a text takes whatever is written to it");
        text
    }
}

fn of_run(integration: &str, outcome: &str) -> OfRun {
    OfRun {
        integration: integration.to_owned(),
        outcome: outcome.to_owned(),
    }
}

fn of_change(integration: &str, change: &'static str) -> OfChange {
    OfChange {
        integration: integration.to_owned(),
        change,
    }
}
