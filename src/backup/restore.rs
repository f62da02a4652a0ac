//! Puts a backup in place.
//!
//! The order, and why it is safe: the backup is read to its end and compared with its manifest before anything on this machine changes. Then all run locks are taken, and the store for this process
//! alone. The new store and audit log are unpacked under other names; the store is checked, brought to this version and marked as restored, with the event that tells of it in its outbox. Only when
//! all of that is on disk does the store's own [`Alone`] exchange store and audit log: killed before its intent, everything is as it was; killed after it, whoever opens the store next
//! finishes the exchange. The store knows of one line that the log does not hold yet, its outbox; the next to flush it appends it, so the chain goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive::read;
use super::part::{Part, folder_of};
use super::write::lock;
use super::{BackupError, CONFIGURATION, Context, Done, LOG, Manifest, Report, STORE};
use crate::audit::{AuditFile, Event, Rotated};
use crate::store::{
    Alone, Former, Holding, Notes, RunLock, Store, StoreError, former_in, version_of,
};
use crate::sync::{self, target_of};

/// What is to be restored, and how.
#[derive(Debug)]
pub struct Restore<'r> {
    /// The backup.
    pub path: &'r Path,
    /// The backup, opened.
    pub file: File,
    /// Move aside what is there.
    pub force: bool,
    /// Write the configuration of the backup here.
    pub configuration: Option<PathBuf>,
}

/// Puts a backup in place.
pub async fn restore(context: &Context<'_>, task: Restore<'_>) -> Result<Report, BackupError> {
    tokio::task::block_in_place(|| verify(&task))?;
    let state = &context.config.state_dir;
    let mut running = Vec::new();
    for integration in &context.config.integrations {
        let (target, name) = (target_of(integration), &integration.name);
        let waiting = || {};
        let lock = RunLock::take(state, &target, name, Duration::ZERO, context.clock, waiting);
        running.push(lock.await?);
    }
    tokio::task::block_in_place(|| put(context, &task))
}

/// Reads all of it, and keeps nothing.
fn verify(task: &Restore<'_>) -> Result<Manifest, BackupError> {
    read(task.path, rewound(task)?, |_, _| Ok(io::sink()))
}

fn rewound<'t>(task: &'t Restore<'_>) -> Result<&'t File, BackupError> {
    let mut file = &task.file;
    file.rewind().map_err(|cause| BackupError::Read {
        path: task.path.to_owned(),
        cause,
    })?;
    Ok(file)
}

fn put(context: &Context<'_>, task: &Restore<'_>) -> Result<Report, BackupError> {
    let state = &context.config.state_dir;
    let audit = context.config.audit_file();
    let _lock = lock(state)?;
    let in_use = || BackupError::InUse {
        path: state.clone(),
    };
    let alone = Alone::take(state)?.ok_or_else(in_use)?;
    let failed = |cause| BackupError::Unpack { cause };
    let rotated_there = AuditFile::new(audit.clone()).rotated_as_they_are();
    let log_there = fs::metadata(&audit).is_ok_and(|log| log.len() > 0)
        || !rotated_there.map_err(failed)?.is_empty();
    let occupied = Store::is_in(state).map_err(failed)? || log_there;
    if occupied && !task.force {
        return Err(BackupError::Occupied {
            path: state.clone(),
        });
    }
    let aside = occupied.then(|| free_name(context));
    let mut staged = Staged {
        folder: alone.stage()?,
        log: Alone::staged_audit(&audit),
        alone: &alone,
        keep: false,
    };
    staged.clear_logs().map_err(failed)?;
    let manifest = staged.unpack(task)?;
    let rotated: Vec<String> = manifest.rotated().map(str::to_owned).collect();
    crate::crash::point("restore_unpacked");
    // Who was forgotten since the backup was made is forgotten in it too.
    let former = former_in(state, &staged.folder);
    let forgotten_known = former.is_some();
    let former = former.unwrap_or_default();
    let holds = staged.mark(context, task, &manifest, aside.as_deref(), &former)?;
    crate::crash::point("restore_marked");
    if let Some(to) = &task.configuration {
        write_configuration(task, to)?;
    }
    let audit = std::path::absolute(audit).map_err(failed)?;
    let folder = aside.clone().unwrap_or_else(|| free_name(context));
    alone.decide(&folder, &audit, rotated)?;
    staged.keep = true;
    alone.carry_out().map_err(BackupError::Unfinished)?;
    drop(staged);
    drop(alone);
    // The line that tells of it is in the store's outbox; should this fail, the next run appends it.
    let log = AuditFile::of(context.config);
    let store = Store::open(state, context.clock.clone()).map_err(BackupError::Unfinished)?;
    store.flush(&log).map_err(BackupError::Unfinished)?;
    let again = sync::Context {
        config: context.config,
        store: &store,
        audit: &log,
        clock: context.clock,
        user: context.user,
        stage: &|_| {},
    };
    let mut forgotten_later = Vec::new();
    for integration in &context.config.integrations {
        sync::forget_again(&again, integration).map_err(BackupError::Unfinished)?;
        let left = store.to_forget(&target_of(integration))?;
        forgotten_later.extend(left.into_iter().map(|one| one.hr_id.to_string()));
    }
    let done = Done::Restored {
        forgotten_known,
        forgotten_later,
        replaced: aside.map(|aside| state.join(aside)),
        configuration: task.configuration.clone(),
    };
    Ok(Report::new(
        context.config,
        task.path,
        manifest,
        holds,
        done,
    ))
}

/// A folder for what was there before; several may come in one second.
fn free_name(context: &Context<'_>) -> String {
    let name = format!("replaced-{}", context.clock.now().format("%Y%m%dT%H%M%SZ"));
    let taken = |name: &String| context.config.state_dir.join(name).exists();
    let numbered = (2..).map(|number| format!("{name}.{number}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .find(|name| !taken(name))
        .expect("the numbers have no end")
}

impl Manifest {
    /// The rotated files of the log: what follows the log's name in theirs.
    fn rotated(&self) -> impl Iterator<Item = &str> {
        let names = self
            .members
            .iter()
            .filter_map(|member| member.name.strip_prefix(LOG));
        names.filter(|suffix| !suffix.is_empty())
    }
}

/// What is unpacked and has no final name yet. Dropped, it is removed, unless it is needed.
struct Staged<'a> {
    folder: PathBuf,
    log: PathBuf,
    alone: &'a Alone,
    keep: bool,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.alone.clear();
            let _ = self.clear_logs();
        }
    }
}

impl Staged<'_> {
    /// Where a rotated file of the log waits.
    fn rotated(&self, suffix: &str) -> PathBuf {
        let mut name = self.log.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// Removes what waits of the log, also what an earlier attempt left.
    fn clear_logs(&self) -> io::Result<()> {
        let name = super::file_name(&self.log);
        let folder = folder_of(&self.log);
        if !folder.try_exists()? {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file = entry.file_name();
            let suffix = file.to_str().and_then(|file| file.strip_prefix(&name));
            if suffix.is_some_and(|suffix| suffix.is_empty() || Rotated::is_suffix(suffix)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn unpack(&self, task: &Restore<'_>) -> Result<Manifest, BackupError> {
        let failed = |cause| BackupError::Unpack { cause };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder_of(&self.log))
            .map_err(failed)?;
        let target = |_: &Manifest, name: &str| -> Result<Box<dyn io::Write>, BackupError> {
            let path = match name {
                STORE => self.folder.join(STORE),
                LOG => self.log.clone(),
                CONFIGURATION => return Ok(Box::new(io::sink())),
                rotated => self.rotated(rotated.strip_prefix(LOG).unwrap_or_default()),
            };
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path);
            Ok(Box::new(file.map_err(failed)?))
        };
        read(task.path, rewound(task)?, target)
    }

    /// Checks the store, brings it to this version and marks it.
    fn mark(
        &self,
        context: &Context<'_>,
        task: &Restore<'_>,
        manifest: &Manifest,
        aside: Option<&str>,
        former: &Former,
    ) -> Result<Vec<Holding>, BackupError> {
        let path = self.folder.join(STORE);
        let unusable = |error| match error {
            StoreError::Newer { .. } => BackupError::Newer {
                path: task.path.to_owned(),
                version: manifest.version.clone(),
            },
            error => BackupError::Content(error),
        };
        let version = version_of(&path).map_err(unusable)?;
        if version != manifest.schema {
            return Err(BackupError::Damaged {
                path: task.path.to_owned(),
                detail: "its store has another version than the manifest says".to_owned(),
            });
        }
        let event = Event::Restored {
            user: context.user.to_owned(),
            file: super::file_name(task.path),
            backup_time: manifest.time.to_rfc3339(),
            backup_version: manifest.version.clone(),
            lines: manifest.lines,
            replaced: aside.map(str::to_owned),
            replaced_head: former.head.as_ref().map(ToString::to_string),
            replaced_up_to: former.up_to,
        };
        let notes = Notes {
            notes: vec![event.into()],
            ..Notes::default()
        };
        let store = Store::open(&self.folder, context.clock.clone()).map_err(unusable)?;
        store.mark_restored(former.up_to, &notes)?;
        store.remember_forgotten(&former.forgotten)?;
        let holds = store.holdings()?;
        store.close_as_one_file()?;
        let on_disk = || {
            File::open(&path)?.sync_all()?;
            File::open(&self.log)?.sync_all()?;
            for suffix in manifest.rotated() {
                File::open(self.rotated(suffix))?.sync_all()?;
            }
            File::open(&self.folder)?.sync_all()?;
            File::open(folder_of(&self.log))?.sync_all()
        };
        on_disk().map_err(|cause| BackupError::Unpack { cause })?;
        Ok(holds)
    }
}

/// Writes the configuration of the backup beside the current one, where it replaces nothing.
fn write_configuration(task: &Restore<'_>, to: &Path) -> Result<(), BackupError> {
    let failed = |cause| BackupError::Configuration {
        path: to.to_owned(),
        cause,
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let part = Part::begin(to).map_err(failed)?;
    let part = part.ok_or_else(|| failed(io::ErrorKind::ResourceBusy.into()))?;
    let target = |_: &Manifest, name: &str| -> Result<Box<dyn io::Write>, BackupError> {
        let file = part.file().try_clone().map_err(failed)?;
        Ok(if name == CONFIGURATION {
            Box::new(file)
        } else {
            Box::new(io::sink())
        })
    };
    read(task.path, rewound(task)?, target)?;
    part.sync().map_err(failed)?;
    part.finish().map_err(failed)
}
