//! What happened in a span of time, read from the audit log once, and how everything stands now.
//!
//! Only what JobTicket has acknowledged counts as joined or left, as in the command `audit`.

use std::collections::{BTreeMap, HashMap};
use std::io;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Context;
use crate::audit::{AuditFile, Ends, Entry, Head, Span, Verified, mask};
use crate::plan::{Change, Leaving, What};
use crate::review::{Fate, Pushes};
use crate::roster::Field;
use crate::status::{IntegrationStatus, status};
use crate::store::StoreError;

/// Why nothing could be gathered.
pub(super) enum Failed {
    Log(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Log(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One run.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) started: DateTime<Utc>,
    pub(super) trigger: String,
    pub(super) dry: bool,
    pub(super) outcome: String,
    pub(super) exit_code: u64,
    pub(super) seconds: f64,
    pub(super) requests: u64,
}

/// Somebody who was offboarded.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) at: DateTime<Utc>,
    pub(super) hr_id: String,
    pub(super) name: String,
    pub(super) why: Leaving,
    /// The number of the hold whose approval let them go.
    pub(super) hold: Option<u64>,
    pub(super) run: String,
}

/// A decision.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) at: DateTime<Utc>,
    pub(super) what: String,
    pub(super) hold: Option<u64>,
    pub(super) user: String,
    pub(super) on_behalf_of: Option<String>,
    pub(super) reason: String,
    pub(super) people: usize,
}

/// A hold that was opened.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) at: DateTime<Utc>,
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) whole_plan: bool,
    pub(super) why: Vec<String>,
    pub(super) people: u64,
}

/// A source in this span.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) pulls: usize,
    pub(super) failures: usize,
    pub(super) file: String,
    pub(super) rows: u64,
    pub(super) selected: u64,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) pulled: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
}

/// A drift that was told.
#[derive(Debug)]
pub(super) struct Drift {
    pub(super) at: DateTime<Utc>,
    pub(super) sync_id: String,
    pub(super) people: usize,
    pub(super) lost: bool,
}

/// One integration in this span.
#[derive(Debug, Default)]
pub(super) struct One {
    pub(super) name: String,
    pub(super) status: Option<IntegrationStatus>,
    pub(super) headcount: Vec<(DateTime<Utc>, u64)>,
    pub(super) joined: Vec<(DateTime<Utc>, String)>,
    pub(super) left: Vec<Left>,
    /// When people were changed.
    pub(super) changed: Vec<DateTime<Utc>>,
    pub(super) runs: Vec<Run>,
    pub(super) holds: Vec<Hold>,
    pub(super) decisions: Vec<Decided>,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) drifts: Vec<Drift>,
}

/// Everything.
pub(super) struct Gathered {
    pub(super) integrations: Vec<One>,
    pub(super) head: Head,
    /// Whether the log is what was written.
    pub(super) checked: Verified,
    /// Whether names stand in it as they are.
    pub(super) full: bool,
}

impl Gathered {
    pub(super) fn runs(&self) -> usize {
        self.integrations.iter().map(|one| one.runs.len()).sum()
    }

    pub(super) fn changes(&self) -> usize {
        let of = |one: &One| one.joined.len() + one.left.len() + one.changed.len();
        self.integrations.iter().map(of).sum()
    }
}

/// Events that are read; a log holds many others.
const EVENTS: [&str; 13] = [
    "\"event\":\"run_started\"",
    "\"event\":\"run_ended\"",
    "\"event\":\"run_never_ended\"",
    "\"event\":\"run_panicked\"",
    "\"event\":\"change\"",
    "\"event\":\"push_acknowledged\"",
    "\"event\":\"hold_opened\"",
    "\"event\":\"decision\"",
    "\"event\":\"source_pulled\"",
    "\"event\":\"source_failed\"",
    "\"event\":\"drift\"",
    "\"event\":\"drift_checked\"",
    "\"event\":\"tickets_lost\"",
];

/// Checks the chain: a log with holes makes a page with holes.
fn checked(context: &Context<'_>, audit: &AuditFile) -> Result<Verified, Failed> {
    let ends = || match context.store.audit_head() {
        // There is no state to compare with.
        Ok(head) if head.seq == 0 => Ok(Ends::default()),
        Ok(_) => context.store.audit_ends(),
        Err(error) => Err(error),
    };
    Ok(audit.verify(Vec::new(), ends)??)
}

pub(super) fn gather(
    context: &Context<'_>,
    audit: &AuditFile,
    span: Span,
    full: bool,
) -> Result<Gathered, Failed> {
    let status = status(
        context.config,
        &context.chosen,
        context.store,
        context.clock,
    )?;
    let mut all: Vec<One> = Vec::new();
    for one in status.integrations {
        all.push(One {
            name: one.integration.clone(),
            status: Some(one),
            ..One::default()
        });
    }
    let places: HashMap<String, usize> = all
        .iter()
        .enumerate()
        .map(|(place, one)| (one.name.clone(), place))
        .collect();
    let pushes = Pushes::read(audit, span)?;
    let mut begun = HashMap::new();
    for entry in audit.read(span)?.containing(EVENTS) {
        let entry = entry?;
        let place = entry.integration.as_ref().and_then(|name| places.get(name));
        if let Some(place) = place {
            all[*place].take(&entry, &pushes, &mut begun, full);
        }
    }
    Ok(Gathered {
        integrations: all,
        head: context.store.audit_head()?,
        checked: checked(context, audit)?,
        full,
    })
}

fn text(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap_or_default().to_owned()
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_default()
}

fn length(line: &Value, key: &str) -> usize {
    line[key].as_array().map_or(0, Vec::len)
}

impl One {
    fn take(
        &mut self,
        entry: &Entry,
        pushes: &Pushes,
        begun: &mut HashMap<String, Run>,
        full: bool,
    ) {
        let (line, at) = (&entry.line, entry.time);
        let run = entry.run.clone().unwrap_or_default();
        match entry.event.as_str() {
            "run_started" => {
                let new = Run {
                    id: run.clone(),
                    started: at,
                    trigger: text(line, "trigger"),
                    dry: line["dryRun"] == true,
                    ..Run::default()
                };
                begun.insert(run, new);
            }
            "run_ended" | "run_never_ended" => self.ended(entry, run, begun),
            "change" => self.change(entry, run, pushes, full),
            "push_acknowledged" => self.headcount.push((at, number(line, "employees"))),
            "hold_opened" => self.holds.push(Hold {
                at,
                id: number(line, "hold"),
                kind: text(line, "kind"),
                whole_plan: line["scope"] == "plan",
                why: line["why"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                people: number(line, "people"),
            }),
            "decision" => self.decisions.push(Decided {
                at,
                what: text(line, "decision"),
                hold: line["hold"].as_u64(),
                user: text(line, "user"),
                on_behalf_of: line["onBehalfOf"].as_str().map(str::to_owned),
                reason: text(line, "reason"),
                people: length(line, "hrIds"),
            }),
            "source_pulled" => {
                let source = self.sources.entry(text(line, "source")).or_default();
                source.pulls += 1;
                source.file = text(line, "file");
                source.rows = number(line, "rows");
                source.selected = number(line, "selected");
                source.modified = text(line, "modified").parse().ok();
                source.pulled = Some(at);
                source.last_error = None;
            }
            "source_failed" => {
                let source = self.sources.entry(text(line, "source")).or_default();
                source.failures += 1;
                source.last_error = Some(text(line, "error"));
            }
            "drift" | "drift_checked" if line["unconfirmed"] != true => {
                let people = length(line, "differences");
                if people > 0 {
                    self.drifts.push(Drift {
                        at,
                        sync_id: text(line, "syncId"),
                        people,
                        lost: false,
                    });
                }
            }
            "tickets_lost" => self.drifts.push(Drift {
                at,
                sync_id: text(line, "syncId"),
                people: length(line, "ids"),
                lost: true,
            }),
            _ => {}
        }
    }

    fn ended(&mut self, entry: &Entry, run: String, begun: &mut HashMap<String, Run>) {
        let line = &entry.line;
        let mut ended = begun.remove(&run).unwrap_or_else(|| Run {
            id: run,
            started: entry.time,
            ..Run::default()
        });
        ended.outcome = match entry.event.as_str() {
            "run_ended" => text(line, "outcome"),
            _ => "never ended".to_owned(),
        };
        ended.exit_code = line["exitCode"].as_u64().unwrap_or(1);
        #[expect(clippy::cast_precision_loss, reason = "no run takes 2^52 milliseconds")]
        let seconds = number(line, "durationMs") as f64 / 1000.0;
        ended.seconds = seconds;
        ended.requests = number(line, "requests");
        if !ended.dry {
            self.runs.push(ended);
        }
    }

    fn change(&mut self, entry: &Entry, run: String, pushes: &Pushes, full: bool) {
        if !matches!(pushes.fate(entry), Fate::Acknowledged(_)) {
            return;
        }
        let line = &entry.line;
        let Ok(change) = serde_json::from_value::<Change>(line.clone()) else {
            return;
        };
        let hr_id = change.hr_id.to_string();
        match change.what {
            What::Joins => self.joined.push((entry.time, hr_id)),
            What::Changes { .. } => self.changed.push(entry.time),
            What::Leaves(why) => self.left.push(Left {
                at: entry.time,
                hr_id,
                name: name(&line["values"], full),
                why,
                hold: line["hold"].as_u64(),
                run,
            }),
        }
    }
}

/// The name of somebody who left, where the log holds it.
fn name(values: &Value, full: bool) -> String {
    let part = |field: Field| {
        let value = values[format!("{field}.old")].as_str()?;
        // What the log masks already stays as it is.
        let masked = full || value.ends_with('…');
        Some(if masked {
            value.to_owned()
        } else {
            mask(field, value)
        })
    };
    let parts = [part(Field::FirstName), part(Field::LastName)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" ")
}
