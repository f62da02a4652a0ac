//! What one line of the log adds to what is told of an integration.

use serde_json::Value;

use super::facts::{Decided, Drift, Forgotten, Hold, Left, One};
use crate::audit::{Entry, mask};
use crate::plan::{Change, What};
use crate::review::{Fate, Pushes};
use crate::roster::Field;

pub(super) fn text(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap_or_default().to_owned()
}

fn maybe(line: &Value, key: &str) -> Option<String> {
    line[key].as_str().map(str::to_owned)
}

pub(super) fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_default()
}

fn length(line: &Value, key: &str) -> usize {
    line[key].as_array().map_or(0, Vec::len)
}

fn texts(line: &Value, key: &str) -> Vec<String> {
    let list = line[key].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl One {
    pub(super) fn take(&mut self, entry: &Entry, pushes: &Pushes, full: bool) {
        let (line, at) = (&entry.line, entry.time);
        match entry.event.as_str() {
            "change" => self.change(entry, pushes, full),
            "push_acknowledged" => self.headcount.push((at, number(line, "employees"))),
            "hold_opened" => self.holds.push(Hold {
                at,
                id: number(line, "hold"),
                kind: text(line, "kind"),
                whole_plan: line["scope"] == "plan",
                why: texts(line, "why"),
                people: number(line, "people"),
            }),
            "decision" => self.decisions.push(Decided {
                at,
                what: text(line, "decision"),
                hold: line["hold"].as_u64(),
                user: text(line, "user"),
                on_behalf_of: maybe(line, "onBehalfOf"),
                reason: text(line, "reason"),
                until: maybe(line, "until"),
                hr_ids: texts(line, "hrIds"),
                except: texts(line, "except"),
            }),
            "forgotten" => self.forgotten.push(Forgotten {
                at,
                user: text(line, "user"),
                on_behalf_of: maybe(line, "onBehalfOf"),
                reason: text(line, "reason"),
                hr_ids: texts(line, "hrIds"),
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

    fn change(&mut self, entry: &Entry, pushes: &Pushes, full: bool) {
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
                run: entry.run.clone().unwrap_or_default(),
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
