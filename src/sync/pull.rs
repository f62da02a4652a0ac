//! The sources of a run, side by side: each delivers, or its last good roster stands in, or it is left out where it never delivered one.
//!
//! Whatever fails in one source, a mistake of this program included, fails that source alone, and is said. Only where no source has anything at all does the run end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::logins::Logins;
use super::notes::source_note;
use super::{Run, RunReport, SourceReport, Stop, off};
use crate::config::Source;
use crate::roster::{Assembly, Delivery, Field, HrId};
use crate::source::{self, Ask, Pulled, RuleCount, Seen, Taken};
use crate::store::{Delivered, Fact, Note, SourceState, Spool, StoreError, pieces_of};

/// What all sources delivered.
pub(super) struct Deliveries {
    /// Rows, by position of the source.
    pub(super) rows: Vec<Delivery>,
    sources: Vec<OneSource>,
}

/// What became of one source.
#[derive(Default)]
struct OneSource {
    /// Identifies the rules by which it was read.
    mapping_hash: String,
    taken: Option<Taken>,
    /// New rows, in the form in which they are kept.
    keep: Option<Spool>,
    failed: bool,
    /// The files that were there to be read, where the source is watched.
    seen: Option<Seen>,
}

/// Why a source failed after it was read, and the files that were, by position.
pub(super) type Failed = BTreeMap<usize, (String, Option<Seen>)>;

/// What a pull has come to, and the files that were there before it.
type Attempt = (Option<Seen>, Result<Pulled, source::SourceError>);

impl Run<'_> {
    /// Pulls every source; those in `failed` are not asked again. `None` where none has anything, nor anything that could stand in for it. `meanwhile` is done
    /// while they are read.
    pub(super) async fn pull<T>(
        &mut self,
        report: &mut RunReport,
        failed: &Failed,
        meanwhile: impl FnOnce(&Self) -> T,
    ) -> Result<(Option<Deliveries>, T), Stop> {
        report.sources.clear();
        let mut logins = Logins::load(self)?;
        let mut tasks = Vec::new();
        for (index, source) in self.integration.sources.iter().enumerate() {
            (self.context.stage)(&format!("reading {}", source.name));
            let store = self.context.store;
            let state = off(|| store.source(&self.target, &source.name))?;
            let filled = off(|| store.filled_fields(&self.target, &source.name))?;
            let held_back = || logins.held_back(source).map(|why| (why, None));
            let task = match failed.get(&index).cloned().or_else(held_back) {
                Some(failed) => Err(failed),
                None => Ok(self.spawn(source, state.as_ref(), filled.clone())),
            };
            tasks.push((source, state, filled, task));
        }
        let done = meanwhile(self);
        let mut deliveries = Deliveries {
            rows: Vec::new(),
            sources: Vec::new(),
        };
        let mut any = false;
        for (source, state, filled, task) in tasks {
            let (seen, pulled) = match task {
                Err((error, seen)) => (seen, Err(error)),
                Ok(task) => match task.await {
                    // What was left because the service stops has not failed.
                    Ok(_) if self.options.stopping.load(Ordering::Relaxed) => {
                        return Err(Stop::Stopped);
                    }
                    Ok((seen, pulled)) => {
                        let pulled = pulled.inspect(|_| logins.accepted(source));
                        let pulled = pulled.map_err(|error| logins.told(source, &error));
                        (seen, pulled)
                    }
                    Err(_) => (None, Err(
                        "An internal error happened while this source was read; please report the line about it on stderr".to_owned(),
                    )),
                },
            };
            report.notes.extend(warn_of_unmatched(source, &pulled));
            if let Ok(Pulled::Read {
                delivery, rules, ..
            }) = &pulled
            {
                report.notes.extend(warn_of_rules(source, rules));
                report.notes.extend(warn_of_ends(source, delivery, &filled));
            }
            let (report_of_one, rows, mut one) = self.one(source, state, pulled)?;
            one.seen = seen;
            any |= rows.is_some();
            let mut rows = rows.unwrap_or_default();
            rows.frozen = one.failed;
            rows.id_prefix = source.id_prefix.clone().unwrap_or_default();
            self.numbers.map.apply(&mut rows);
            deliveries.rows.push(rows);
            deliveries.sources.push(one);
            report.sources.push(report_of_one);
        }
        self.remember_tried(&deliveries)?;
        logins.keep(self)?;
        Ok((any.then_some(deliveries), done))
    }

    /// Remembers with which files watched sources failed, so that none of them starts a run again.
    fn remember_tried(&self, deliveries: &Deliveries) -> Result<(), StoreError> {
        if self.options.dry_run || self.silent {
            return Ok(());
        }
        let store = self.context.store;
        let old: BTreeMap<String, Seen> =
            off(|| store.fact(&self.target, Fact::Tried))?.unwrap_or_default();
        let mut tried = old.clone();
        for (source, one) in self.integration.sources.iter().zip(&deliveries.sources) {
            match &one.seen {
                Some(seen) if one.failed => {
                    tried.insert(source.name.clone(), seen.clone());
                }
                Some(_) => {
                    tried.remove(&source.name);
                }
                None => {}
            }
        }
        if tried == old {
            return Ok(());
        }
        let notes = self.notes(Vec::new());
        off(|| store.set_fact(&self.target, Fact::Tried, Some(&tried), &notes))
    }

    /// What became of one source: its rows, those that stand in for it, or none.
    fn one(
        &self,
        source: &Source,
        state: Option<SourceState>,
        pulled: Result<Pulled, String>,
    ) -> Result<(SourceReport, Option<Delivery>, OneSource), StoreError> {
        let hash = source::mapping_hash(source);
        let same_mapping = state
            .as_ref()
            .is_some_and(|state| state.mapping_hash == hash);
        let mut told = SourceReport {
            name: source.name.clone(),
            file: None,
            rows: 0,
            selected: 0,
            rules: Vec::new(),
            status: String::new(),
            note: None,
            frozen: false,
            frozen_hours: None,
            frozen_too_long: false,
        };
        let mut one = OneSource {
            mapping_hash: hash,
            ..OneSource::default()
        };
        let last_rows = || {
            let rows = off(|| self.context.store.source_rows(&self.target, &source.name))?;
            Ok::<_, StoreError>(Some(rows))
        };
        let rows = match pulled {
            Ok(Pulled::Read {
                taken,
                delivery,
                rows,
                rules,
                note,
            }) => {
                let last = state.and_then(|state| Taken::from_text(&state.taken));
                let same = same_mapping && last.is_some_and(|last| last.says_the_same(&taken));
                told.status = if same {
                    "unchanged".into()
                } else {
                    "new".into()
                };
                told.file = Some(taken.names());
                if let Some(note) = &note {
                    tracing::warn!(source.name = source.name, "{note}");
                }
                told.note = note;
                told.rows = rows;
                told.rules = rules;
                one.keep = (!same && !self.options.dry_run)
                    .then(|| pieces_of(&delivery, &self.context.config.state_dir));
                one.taken = Some(taken);
                Some(delivery)
            }
            Ok(Pulled::NothingNewer {
                not_yet: Some(name),
                ..
            }) if same_mapping => {
                told.status = "not yet".into();
                told.note = Some(format!(
                    "A newer file is not complete yet ({name}); the last roster is used again"
                ));
                last_rows()?
            }
            Ok(Pulled::NothingNewer {
                not_yet: None,
                there,
                ..
            }) if same_mapping => {
                told.status = "unchanged".into();
                told.note = Some(match &there {
                    None => "No newer file; the last roster is used again".to_owned(),
                    Some(there) => format!(
                        "No newer file than {}, which was read before; the last roster is used again",
                        there.names()
                    ),
                });
                // It may still have to be put away.
                one.taken = there;
                last_rows()?
            }
            failed => {
                let error = failed.err().unwrap_or_else(|| format!(
                    "The rules for {} have changed since its last file, and that file is not there any more; deliver it again",
                    source.name
                ));
                self.tell_failed(&mut told, state.as_ref(), &error);
                one.failed = true;
                if told.frozen { last_rows()? } else { None }
            }
        };
        told.selected = rows.as_ref().map_or(0, |rows| rows.rows.len());
        Ok((told, rows, one))
    }

    /// Says of a source that it failed, and what that means: louder, where it has been so for long.
    fn tell_failed(&self, told: &mut SourceReport, state: Option<&SourceState>, error: &str) {
        let name = &told.name;
        let since = state.map(|state| self.context.clock.now() - state.delivered_at);
        let limit = self.integration.frozen_warn_hours;
        told.frozen_hours = since.map(|since| u64::try_from(since.num_hours()).unwrap_or(0));
        told.frozen_too_long = since
            .is_some_and(|since| u64::try_from(since.num_seconds()).unwrap_or(0) > limit * 3600);
        let note = match told.frozen_hours {
            None => format!("{error}. It has never delivered and is left out until it does"),
            Some(hours) if told.frozen_too_long => format!(
                "{error}. WARNING: {name} has been frozen for {hours} hours, since its last good delivery; nobody knows here who joined, changed or left there meanwhile"
            ),
            Some(_) => error.to_owned(),
        };
        tracing::error!(
            integration.name = self.integration.name,
            source.name = name,
            source.frozen_hours = told.frozen_hours,
            source.frozen_too_long = told.frozen_too_long,
            "{note}"
        );
        told.status = "failed".into();
        told.note = Some(note);
        told.frozen = state.is_some();
    }

    fn spawn(
        &self,
        source: &Source,
        state: Option<&SourceState>,
        filled: HashSet<Field>,
    ) -> tokio::task::JoinHandle<Attempt> {
        let source = source.clone();
        let last = state.and_then(|state| Taken::from_text(&state.taken));
        let same_rules =
            state.is_some_and(|state| state.mapping_hash == source::mapping_hash(&source));
        let private = self.context.config.state_dir.clone();
        let stopping = Arc::clone(&self.options.stopping);
        let clock = self.context.clock.clone();
        let (now, zone) = (clock.now(), self.context.config.timezone);
        let schedule = self.context.config.schedule(self.integration);
        tokio::task::spawn_blocking(move || {
            crate::crash::mistake(&format!("pulling {}", source.name));
            crate::crash::pause("pulling");
            let (last, schedule) = (last.as_ref(), schedule.as_ref());
            // Before the pull: what changes from now on counts as not tried.
            let look = || {
                source::look(&source, last, now, zone, schedule)
                    .ok()
                    .flatten()
            };
            let seen = source.watch.then(look).flatten();
            let ask = Ask {
                last,
                same_rules,
                filled: &filled,
                now,
                zone,
                schedule,
                private: &private,
                stopping: &stopping,
                clock: &clock,
            };
            (seen, source::pull(&source, &ask))
        })
    }

    /// A source of which too many rows make no sense is not believed at all. All of these at once: rows of two sources that differ may be the fault of either, and
    /// where one was refused first, the other would count as right.
    pub(super) fn too_many_rejected(
        &self,
        assembly: &Assembly,
        selected: &[usize],
        deliveries: &Deliveries,
    ) -> Failed {
        self.integration
            .sources
            .iter()
            .enumerate()
            .filter_map(|(index, source)| {
                let OneSource {
                    taken,
                    failed,
                    seen,
                    ..
                } = &deliveries.sources[index];
                if *failed {
                    return None;
                }
                let rejected: Vec<_> = assembly
                    .rejected
                    .iter()
                    .filter(|row| row.source == index)
                    .collect();
                let file = taken
                    .as_ref()
                    .map_or("the last roster", |taken| &taken.name);
                let error = source::too_many_rejected(source, &rejected, selected[index], file)?;
                Some((index, (error, seen.clone())))
            })
            .collect()
    }

    /// Remembers what was delivered, and tells the audit log about every source.
    pub(super) fn keep(
        &self,
        deliveries: &Deliveries,
        report: &RunReport,
    ) -> Result<(), StoreError> {
        let mut notes: Vec<Note> = Vec::new();
        let mut delivered = Vec::new();
        let texts: Vec<Option<String>> = deliveries
            .sources
            .iter()
            .map(|source| source.taken.as_ref().map(Taken::to_text))
            .collect();
        for ((one, source), text) in deliveries.sources.iter().zip(&report.sources).zip(&texts) {
            notes.push(source_note(source, one.taken.as_ref()));
            if !one.failed {
                delivered.push(Delivered {
                    source: &source.name,
                    taken: text.as_deref(),
                    mapping_hash: &one.mapping_hash,
                    pieces: one.keep.as_ref(),
                });
            }
        }
        self.keep_failed(report)?;
        let notes = self.notes(notes);
        if self.options.dry_run || delivered.is_empty() {
            self.record(notes.notes)
        } else {
            off(|| {
                self.context
                    .store
                    .keep_sources(&self.target, &delivered, &notes)
            })
        }
    }
}

impl Deliveries {
    /// The files that were read.
    pub(super) fn taken(&self) -> Vec<Option<Taken>> {
        self.sources
            .iter()
            .map(|source| source.taken.clone())
            .collect()
    }
}

/// An export whose name has changed goes unseen until the last file is stale.
fn warn_of_unmatched(source: &Source, pulled: &Result<Pulled, String>) -> Option<String> {
    let Ok(Pulled::NothingNewer {
        unmatched: Some(found),
        ..
    }) = pulled
    else {
        return None;
    };
    let (name, folder) = (&source.name, source.folder.display());
    let warning = format!("source {name}: no file in {folder} {found}");
    tracing::warn!(source.name = name, "{warning}");
    Some(format!("Warning: {warning}"))
}

/// A rule that finds nothing to compare in any row leaves nobody out, though it may be meant to.
fn warn_of_rules(source: &Source, rules: &[RuleCount]) -> Vec<String> {
    let name = &source.name;
    let empty = rules.iter().filter(|rule| rule.filled == 0);
    let warnings = empty.map(|RuleCount { rule, .. }| {
        let warning = format!(
            "source {name}: {rule} finds nothing in any row; look whether the column and the right to read it are still there"
        );
        tracing::warn!(source.name = name, "{warning}");
        format!("Warning: {warning}")
    });
    warnings.collect()
}

/// Nobody may well have a last day. But if somebody had one, the right to read it may be gone, and those who left look like staff.
fn warn_of_ends(source: &Source, delivery: &Delivery, filled: &HashSet<Field>) -> Option<String> {
    let had = filled.contains(&Field::TerminationDate);
    let mut rows = delivery.rows.iter();
    let has = rows.any(|row| row.employee.termination_date.is_some());
    if !had || has || source.fields.termination_date.is_none() {
        return None;
    }
    let name = &source.name;
    let warning = format!(
        "source {name}: nobody has a last day (terminationDate) any more, and somebody had at the last push; look whether the column and the right to read it are still there, for people who have left look like staff without it"
    );
    tracing::warn!(source.name = name, "{warning}");
    Some(format!("Warning: {warning}"))
}

/// The hrIds of a list, for messages.
pub(super) fn names(hr_ids: &[HrId]) -> Vec<String> {
    hr_ids.iter().map(ToString::to_string).collect()
}
