//! The lines of the log in their order, each put to the integration and the place that it tells of.
//!
//! Where an integration pushed to is what its runs say. What went to the sandbox before the address was changed must never stand beside what went to JobTicket: somebody would count people who were never
//! onboarded.

use std::collections::{HashMap, HashSet};

use super::Context;
use super::facts::{One, Place, Restored, Run, Settings};
use super::plot::float;
use super::take::{number, text};
use crate::audit::Entry;
use crate::config::KeyChange;
use crate::review::Pushes;
use crate::status::IntegrationStatus;

/// Reads lines in their order, and knows what they build on.
pub(super) struct Reader<'r> {
    pushes: &'r Pushes,
    full: bool,
    /// Where the integrations of the configuration push to now, in its order.
    configured: Vec<(String, Place)>,
    /// Whether only those are meant.
    alone: bool,
    ones: Vec<One>,
    /// Where the last run of each integration pushed to, or would have.
    last: HashMap<String, Place>,
    /// The same when the span began.
    at_first: HashMap<String, Place>,
    people: HashMap<(String, Place), u64>,
    begun: HashMap<String, Run>,
    panicked: HashSet<String>,
    holds: HashMap<u64, Place>,
    pub(super) settings: Vec<Settings>,
    pub(super) restored: Vec<Restored>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(context: &Context<'_>, pushes: &'r Pushes, full: bool) -> Self {
        let configured = context.chosen.iter().map(|one| {
            let jobticket = &one.jobticket;
            let place = Place {
                environment: jobticket.environment_name(),
                origin: jobticket.origin(),
                integration_id: jobticket.integration_id,
            };
            (one.name.clone(), place)
        });
        // An integration that was removed or renamed has a past all the same.
        let alone = context.chosen.len() < context.config.integrations.len();
        Self::of(configured.collect(), alone, pushes, full)
    }

    fn of(configured: Vec<(String, Place)>, alone: bool, pushes: &'r Pushes, full: bool) -> Self {
        Self {
            pushes,
            full,
            configured,
            alone,
            ones: Vec::new(),
            last: HashMap::new(),
            at_first: HashMap::new(),
            people: HashMap::new(),
            begun: HashMap::new(),
            panicked: HashSet::new(),
            holds: HashMap::new(),
            settings: Vec::new(),
            restored: Vec::new(),
        }
    }

    fn is_meant(&self, name: &str) -> bool {
        !self.alone || self.configured.iter().any(|(one, _)| one == name)
    }

    /// Where a line belongs: to the place of its run or hold, or else to that of the last run before it.
    fn place(&self, entry: &Entry, name: &str) -> Place {
        let of_run = entry.run.as_ref().and_then(|run| self.begun.get(run));
        let of_hold = || self.holds.get(&entry.line["hold"].as_u64()?);
        let now = || self.configured.iter().find(|(one, _)| one == name);
        of_run
            .map(|run| &run.place)
            .or_else(of_hold)
            .or_else(|| self.last.get(name))
            .or_else(|| now().map(|(_, place)| place))
            .cloned()
            .unwrap_or_default()
    }

    fn one(&mut self, name: &str, place: Place) -> &mut One {
        let is = |one: &One| one.name == name && one.place == place;
        let at = self.ones.iter().position(is).unwrap_or_else(|| {
            self.ones.push(One {
                name: name.to_owned(),
                place,
                ..One::default()
            });
            self.ones.len() - 1
        });
        &mut self.ones[at]
    }

    /// A line of before the span.
    pub(super) fn before(&mut self, entry: &Entry) {
        let Some(name) = entry.integration.clone() else {
            return;
        };
        match entry.event.as_str() {
            "run_started" => self.started(entry, &name),
            "push_acknowledged" => {
                let place = self.place(entry, &name);
                let people = number(&entry.line, "employees");
                self.people.insert((name, place), people);
            }
            "hold_opened" => self.opened(entry, &name),
            _ => drop(self.ended(entry, &name)),
        }
    }

    /// The span begins: where each integration pushed to last it still has people.
    pub(super) fn begin(&mut self) {
        self.at_first.clone_from(&self.last);
        for (name, place) in self.last.clone() {
            if self.is_meant(&name) && self.people.contains_key(&(name.clone(), place.clone())) {
                self.one(&name, place);
            }
        }
    }

    /// A line of the span.
    pub(super) fn take(&mut self, entry: &Entry) {
        match (entry.event.as_str(), &entry.integration) {
            ("configuration_changed", _) => self.configured_anew(entry),
            ("restored", _) => self.restored.push(Restored {
                at: entry.time,
                user: text(&entry.line, "user"),
                file: text(&entry.line, "file"),
                made: text(&entry.line, "backupTime").parse().ok(),
            }),
            (event, Some(name)) if self.is_meant(name) => {
                let name = name.clone();
                match event {
                    "run_started" => self.started(entry, &name),
                    "run_ended" | "run_never_ended" | "run_panicked" => {
                        if let Some(run) = self.ended(entry, &name).filter(|run| !run.dry) {
                            let place = run.place.clone();
                            self.one(&name, place).runs.push(run);
                        }
                    }
                    _ => {
                        if event == "hold_opened" {
                            self.opened(entry, &name);
                        }
                        let (pushes, full) = (self.pushes, self.full);
                        // What a dry run saw counts as little as before.
                        let place = self.place(entry, &name);
                        self.one(&name, place).take(entry, pushes, full);
                    }
                }
            }
            _ => {}
        }
    }

    fn configured_anew(&mut self, entry: &Entry) {
        let changes = entry.line["changes"].clone();
        let mut changes: Vec<KeyChange> = serde_json::from_value(changes).unwrap_or_default();
        if self.alone {
            changes.retain(|change| {
                let of = |(name, _): &(String, Place)| {
                    change.key.starts_with(&format!("integrations.{name}."))
                };
                !change.key.starts_with("integrations.") || self.configured.iter().any(of)
            });
        }
        if !changes.is_empty() {
            self.settings.push(Settings {
                at: entry.time,
                user: text(&entry.line, "user"),
                changes,
            });
        }
    }

    fn started(&mut self, entry: &Entry, name: &str) {
        let line = &entry.line;
        let run = Run {
            id: entry.run.clone().unwrap_or_default(),
            integration: name.to_owned(),
            place: Place {
                environment: text(line, "environment"),
                origin: text(line, "origin"),
                integration_id: number(line, "integrationId"),
            },
            started: entry.time,
            trigger: text(line, "trigger"),
            dry: line["dryRun"] == true,
            ..Run::default()
        };
        if !run.dry {
            self.last.insert(name.to_owned(), run.place.clone());
        }
        self.begun.insert(run.id.clone(), run);
    }

    fn opened(&mut self, entry: &Entry, name: &str) {
        let place = self.place(entry, name);
        self.holds.insert(number(&entry.line, "hold"), place);
    }

    /// The run that a line ends; `None` where it was told before.
    fn ended(&mut self, entry: &Entry, name: &str) -> Option<Run> {
        let (line, place) = (&entry.line, self.place(entry, name));
        // The line of a panic does not name its run.
        let id = entry.run.clone().unwrap_or_else(|| {
            let trigger = text(line, "trigger");
            let is = |run: &&Run| run.integration == name && run.trigger == trigger;
            let last = self.begun.values().filter(is).max_by_key(|run| run.started);
            last.map(|run| run.id.clone()).unwrap_or_default()
        });
        if entry.event == "run_never_ended" && self.panicked.remove(&id) {
            return None;
        }
        let mut run = self.begun.remove(&id).unwrap_or_else(|| Run {
            id: id.clone(),
            integration: name.to_owned(),
            place,
            started: text(line, "started").parse().unwrap_or(entry.time),
            trigger: text(line, "trigger"),
            ..Run::default()
        });
        run.outcome = match entry.event.as_str() {
            "run_ended" => text(line, "outcome"),
            "run_panicked" => "internal error".to_owned(),
            _ => "never ended".to_owned(),
        };
        if entry.event == "run_panicked" {
            self.panicked.insert(id);
        }
        run.exit_code = line["exitCode"].as_u64().unwrap_or(1);
        let passed = if entry.event == "run_panicked" {
            (entry.time - run.started).num_milliseconds()
        } else {
            number(line, "durationMs").cast_signed()
        };
        run.seconds = float(passed) / 1000.0;
        run.requests = number(line, "requests");
        Some(run)
    }

    /// All that was found, as the configuration orders it; where an integration pushes to now comes first.
    pub(super) fn end(mut self, status: Vec<IntegrationStatus>) -> Vec<One> {
        let mut ordered = Vec::new();
        for ((name, place), status) in self.configured.clone().into_iter().zip(status) {
            self.one(&name, place.clone()).status = Some(status);
            let (mut mine, others): (Vec<One>, Vec<One>) =
                self.ones.into_iter().partition(|one| one.name == name);
            self.ones = others;
            mine.sort_by_key(|one| one.place != place);
            for one in &mut mine {
                let key = (name.clone(), one.place.clone());
                one.before = self.people.get(&key).copied();
            }
            // Whom a place had before the span says nothing where the integration pushed elsewhere all the time.
            let at_first = self.at_first.get(&name);
            let is_told = |one: &One| !one.is_empty() || Some(&one.place) == at_first;
            if mine.iter().any(is_told) {
                mine.retain(is_told);
            } else {
                mine.truncate(1);
            }
            ordered.extend(mine);
        }
        for mut one in self.ones {
            one.before = self
                .people
                .get(&(one.name.clone(), one.place.clone()))
                .copied();
            ordered.push(one);
        }
        ordered
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
