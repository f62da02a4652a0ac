//! Writes a backup while runs go on.
//!
//! The store is copied to a file of its own in the state folder, for SQLite needs one, together with the length that the audit log had at that instant. Every member is
//! hashed for the manifest, which comes first, and hashed again on its way into the archive, so that a file that changed in between is found out. The event that
//! tells of the backup is recorded once the backup has its name: the audit log never tells of what did not happen, and the backup does not hold its own line.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::archive::{Failed, Passed, Writer, copy};
use super::part::Part;
use super::{BackupError, CONFIGURATION, Context, Done, FORMAT, LOG, Manifest, Report, STORE};
use crate::audit::{AuditFile, Event, Rotated};
use crate::store::{Copied, Notes, Store, version_of};

/// The copy of the store in the state folder, while it is needed.
const COPY: &str = "backup-copy.db";
const LOCK: &str = "backup.lock";

/// Writes a backup to `path`; `configuration` is the configuration file, opened.
pub fn write(
    context: &Context<'_>,
    path: &Path,
    force: bool,
    configuration: File,
) -> Result<Report, BackupError> {
    let at = || path.to_owned();
    if path.file_name().is_none() || path.is_dir() {
        return Err(BackupError::NoName { path: at() });
    }
    let refused = || {
        (!force && fs::symlink_metadata(path).is_ok()).then(|| BackupError::Exists { path: at() })
    };
    refused().map_or(Ok(()), Err)?;
    let state = &context.config.state_dir;
    if !Store::is_in(state).map_err(reading(state))? {
        return Err(BackupError::NothingThere {
            path: state.clone(),
        });
    }
    let failed = |cause| BackupError::Write {
        path: at(),
        user: crate::user::name(),
        cause,
    };
    let _lock = lock(state)?;
    let part = Part::begin(path).map_err(failed)?;
    let part = part.ok_or_else(|| BackupError::Twice { path: at() })?;
    let store = Store::open(state, context.clock.clone())?;
    let audit = AuditFile::of(context.config);
    let temporary = Temporary::in_folder(state)?;
    let time = context.clock.now();
    let copied = store.copy_to(&temporary.0, &audit)?;
    crate::crash::point("backup_copied");
    let holds = copied.holds.clone();
    let rotated_lines: u64 = copied
        .rotated
        .iter()
        .filter_map(|(suffix, _)| Rotated::of_suffix(suffix, PathBuf::new()))
        .map(|rotated| rotated.lines())
        .sum();
    let mut members = members(copied, &temporary.0, &audit, configuration)?;
    let manifest = Manifest {
        // A program that does not know rotated files would restore a log without its beginning.
        format: if members.len() == 3 { 1 } else { FORMAT },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time,
        schema: version_of(&temporary.0)?,
        lines: members[1].passed.lines + rotated_lines,
        members: members.iter().map(Ingredient::as_member).collect(),
    };
    let mut archive = Writer::new(BufWriter::new(part.file()));
    archive.manifest(&manifest).map_err(failed)?;
    for member in &mut members {
        let name = member.name.clone();
        let sha256 = archive
            .append(&name, &manifest, member.passed.bytes, member.content()?)
            .map_err(failed)?;
        if sha256 != member.passed.sha256 {
            return Err(BackupError::Changed {
                path: member.path.clone(),
            });
        }
    }
    let whole = archive.finish().and_then(|file| Ok(file.into_inner()?));
    let bytes = whole.and_then(File::metadata).map_err(failed)?.len();
    part.sync().map_err(failed)?;
    crate::crash::point("backup_packed");
    refused().map_or(Ok(()), Err)?;
    part.finish().map_err(failed)?;
    crate::crash::point("backup_named");
    let event = Event::BackupWritten {
        user: context.user.to_owned(),
        file: super::file_name(path),
        bytes,
        lines: manifest.lines,
    };
    let notes = Notes {
        notes: vec![event.into()],
        ..Notes::default()
    };
    let told = store.record(&notes).and_then(|()| store.flush(&audit));
    told.map_err(|cause| BackupError::NotTold { path: at(), cause })?;
    let done = Done::Written { bytes };
    Ok(Report::new(context.config, path, manifest, holds, done))
}

/// Only one backup or restore at a time uses the temporary names in the state folder.
pub(super) fn lock(state: &Path) -> Result<File, BackupError> {
    let path = state.join(LOCK);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(reading(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BackupError::Twice { path }),
        Err(TryLockError::Error(cause)) => Err(BackupError::Read { path, cause }),
    }
}

fn reading(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |cause| BackupError::Read {
        path: path.to_owned(),
        cause,
    }
}

/// A file that goes into the backup.
struct Ingredient {
    name: String,
    path: PathBuf,
    file: File,
    /// What it was when it was measured; so much of it goes in.
    passed: Passed,
}

impl Ingredient {
    fn measure(name: String, path: &Path, file: File, most: u64) -> Result<Self, BackupError> {
        let passed = copy((&file).take(most), io::sink()).map_err(|failed| match failed {
            Failed::Reading(cause) | Failed::Writing(cause) => reading(path)(cause),
        })?;
        Ok(Self {
            name,
            path: path.to_owned(),
            file,
            passed,
        })
    }

    fn as_member(&self) -> super::Member {
        self.passed.as_member(&self.name)
    }

    fn content(&mut self) -> Result<impl Read, BackupError> {
        self.file.rewind().map_err(reading(&self.path))?;
        Ok((&self.file).take(self.passed.bytes))
    }
}

/// The members in the order of the archive: the rotated files of the log come last, which one that never rotated has none of.
fn members(
    copied: Copied,
    store: &Path,
    audit: &AuditFile,
    configuration: File,
) -> Result<Vec<Ingredient>, BackupError> {
    let file = File::open(store).map_err(reading(store))?;
    let named = Path::new(CONFIGURATION);
    let mut members = vec![
        Ingredient::measure(STORE.to_owned(), store, file, u64::MAX)?,
        Ingredient::measure(LOG.to_owned(), audit.path(), copied.log, copied.log_bytes)?,
        Ingredient::measure(CONFIGURATION.to_owned(), named, configuration, u64::MAX)?,
    ];
    for (suffix, file) in copied.rotated {
        let mut path = audit.path().as_os_str().to_owned();
        path.push(&suffix);
        members.push(Ingredient::measure(
            format!("{LOG}{suffix}"),
            Path::new(&path),
            file,
            u64::MAX,
        )?);
    }
    Ok(members)
}

/// The copy of the store, which does not outlive the command. What an earlier one left is removed.
struct Temporary(PathBuf);

impl Temporary {
    fn in_folder(state: &Path) -> Result<Self, BackupError> {
        let temporary = Self(state.join(COPY));
        temporary.remove();
        match temporary.0.try_exists() {
            Ok(false) => Ok(temporary),
            Ok(true) => Err(reading(&temporary.0)(io::ErrorKind::AlreadyExists.into())),
            Err(cause) => Err(reading(&temporary.0)(cause)),
        }
    }

    fn remove(&self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(ending);
            let _ = fs::remove_file(name);
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
}
