//! Files that this program has put into an archive itself: only these are ever removed from there.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::{Notes, Store, StoreError, Target};

/// A file in an archive, as it looked when it was put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Store {
    /// Remembers files that were put into an archive.
    pub(crate) fn archive(
        &self,
        target: &Target,
        source: &str,
        files: &[Archived],
    ) -> Result<(), StoreError> {
        let at = self.clock.now().to_rfc3339();
        self.write(|transaction| {
            for Archived { path, size, modified } in files {
                // A path that is no text is not remembered, and so never removed.
                let Some(path) = path.to_str() else { continue };
                transaction.execute(
                    "INSERT OR REPLACE INTO archived (path, target, source, size, modified, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![path, target.as_str(), source, size, modified.to_rfc3339(), at],
                )?;
            }
            Ok(())
        })
    }

    /// Files of a source that were put into an archive before this time.
    pub(crate) fn archived_before(
        &self,
        target: &Target,
        source: &str,
        before: DateTime<Utc>,
    ) -> Result<Vec<Archived>, StoreError> {
        let connection = self.lock();
        let mut select = connection.prepare_cached("SELECT path, size, modified FROM archived WHERE target = ?1 AND source = ?2 AND at < ?3 ORDER BY at, path")?;
        let mut rows = select.query(params![target.as_str(), source, before.to_rfc3339()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let modified: String = row.get(2)?;
            found.push(Archived {
                path: row.get::<_, String>(0)?.into(),
                size: row.get(1)?,
                modified: modified
                    .parse()
                    .map_err(|_| StoreError::Unreadable("the time of an archived file"))?,
            });
        }
        Ok(found)
    }

    /// A file is in the archive no longer, or is another.
    pub(crate) fn not_archived(&self, path: &Path, notes: &Notes) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM archived WHERE path = ?1",
                [path.to_str().unwrap_or_default()],
            )?;
            self.note(transaction, notes)
        })
    }
}
