//! Keeps the state in a folder: one JSON file, replaced atomically, and a lock for as long as the sandbox runs.
//!
//! The file holds what a roster holds, so it is readable by its owner alone. The lock is on the folder itself: nothing
//! is written there before the first change.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SandboxError;
use super::state::World;
use super::validate;

/// The file in the folder.
pub(crate) const FILE: &str = "sandbox.json";
const TEMPORARY: &str = ".sandbox.json.new";
/// Rises when the content of the file changes its meaning.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<W> {
    version: u32,
    state: W,
}

/// The version alone: a file of another version need not have the rest.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A locked state folder.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    /// Holds the lock; syncing it puts a rename on disk.
    handle: File,
}

impl Store {
    /// Opens and locks the folder, which is created (for its owner alone) where it does not exist.
    pub(crate) fn open(folder: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Folder {
            folder: folder.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let handle = File::open(folder).map_err(failed)?;
        match handle.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                handle,
            }),
            Err(TryLockError::WouldBlock) => Err(SandboxError::FolderInUse {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The saved state, if there is one.
    pub(crate) fn load(&self) -> Result<Option<World>, SandboxError> {
        let file = self.folder.join(FILE);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SandboxError::Read { file, source }),
        };
        match read(&bytes) {
            Ok(world) => Ok(Some(world)),
            Err(fault) => Err(SandboxError::Damaged { file, fault }),
        }
    }

    /// Replaces the saved state. When this returns, the new state is on disk; when it fails, the old one still is.
    pub(crate) fn save(&self, world: &World) -> Result<(), SandboxError> {
        self.write(world).map_err(|source| SandboxError::Save {
            file: self.folder.join(FILE),
            source,
        })
    }

    fn write(&self, world: &World) -> io::Result<()> {
        let temporary = self.folder.join(TEMPORARY);
        // A file left by a crash may be another user's or have another mode.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        let mut writer = BufWriter::new(file);
        serde_json::to_writer(
            &mut writer,
            &Saved {
                version: VERSION,
                state: world,
            },
        )?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        std::fs::rename(&temporary, self.folder.join(FILE))?;
        self.handle.sync_all()
    }
}

fn read(bytes: &[u8]) -> Result<World, String> {
    let saved = validate::parse::<Saved<World>>(bytes);
    // Read for itself only where the rest tells nothing: a state is large.
    let version = match &saved {
        Ok(saved) => saved.version,
        Err(_) => validate::parse::<Versioned>(bytes)?.version,
    };
    if version != VERSION {
        return Err(format!(
            "version {version}, this program knows version {VERSION}"
        ));
    }
    let world = saved?.state;
    let ordered = world
        .employees
        .windows(2)
        .all(|pair| pair[0].id < pair[1].id);
    if !ordered
        || world
            .employees
            .last()
            .is_some_and(|last| last.id > world.last_id)
    {
        return Err("its ids are not in order".to_owned());
    }
    Ok(world)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nothing_is_written_before_the_first_save_and_then_for_the_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        let store = Store::open(&folder).unwrap();
        assert!(store.load().unwrap().is_none());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        store
            .save(&World {
                last_id: 4,
                ..World::default()
            })
            .unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        assert_eq!(store.load().unwrap().unwrap().last_id, 4);
    }

    #[test]
    fn a_second_user_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path()).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("is in use by another sandbox"),
            "{error}"
        );
        drop(first);
        assert!(Store::open(folder.path()).is_ok());
    }

    #[test]
    fn a_file_left_by_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(TEMPORARY), "half a st").unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(&World::default()).unwrap();
        assert!(store.load().unwrap().is_some());
    }

    #[test]
    fn a_state_is_read_and_written_in_the_form_of_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let saved = concat!(
            r#"{"version":1,"state":{"employees":[{"id":1,"first_name":"Anna","last_name":"M","email":"a@example.com","#,
            r#""date_of_birth":"1990-04-15","profile_image":null,"start_date":"2022-03-01","termination_date":null,"#,
            r#""subscription":{"status":"scheduled-pause","start_at":"2026-03-02","cancelled_at":null,"reactivated_at":null},"#,
            r#""links":[{"hr_id":"007","hr_integration_id":7,"last_sync_id":"two","last_synced":"2026-03-02T08:00:00.250Z"}]}],"#,
            r#""integrations":{"7":{"last_sync_id":"two","last_synced":"2026-03-02T08:00:00.250Z","accepted":["one","two"]}},"#,
            r#""pending":[{"push":{"integration":7,"sync_id":"three","people":[{"hr_id":"b","first_name":"B","last_name":"B","#,
            r#""email":"b@example.com","date_of_birth":null,"profile_image":null,"start_date":null,"termination_date":null}],"#,
            r#""named":{"hr_ids":[],"emails":[]}},"remaining":2}],"last_id":1}}"#,
        );
        std::fs::write(&file, saved).unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(&store.load().unwrap().unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), saved);
    }

    #[test]
    fn a_damaged_file_is_named_with_what_to_do_and_without_its_values() {
        for content in [
            "",
            "{",
            "[]",
            r#"{"version":2}"#,
            r#"{"version":1,"state":{"employees":"Anna"}}"#,
            r#"{"version":1,"state":{"employees":[],"integrations":{},"pending":[]}}"#,
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE), content).unwrap();
            let error = Store::open(folder.path())
                .unwrap()
                .load()
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(FILE) && error.contains("delete it to begin anew"),
                "{error}"
            );
            assert!(!error.contains("Anna"), "{error}");
        }
    }
}
