//! The map of hrIds as a run finds it: read anew each time, for people edit it, and a configuration error of the run where it is not as it has to be.

use crate::config::Integration;
use crate::digest::sha256;
use crate::roster::HrIdMap;

/// A map that was read.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) map: HrIdMap,
    /// Of the file; `None` where none is configured.
    pub(crate) sha256: Option<String>,
}

/// A file with more bytes than this is no map.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the map of an integration, if it has one. Blocks.
///
/// # Errors
/// What is wrong with it, with the file and the line.
pub(crate) fn numbers(integration: &Integration) -> Result<Numbers, String> {
    let Some(path) = &integration.hrid_map else {
        return Ok(Numbers::default());
    };
    let shown = path.display();
    let unreadable = |why: &dyn std::fmt::Display| {
        format!(
            "hrid_map: {shown} cannot be read ({why}); nothing is pushed without it, for people would get other numbers"
        )
    };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(unreadable(&"it is larger than 64 megabytes"));
    }
    let content = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let map = HrIdMap::parse(&content)
        .map_err(|error| format!("hrid_map: {shown}:{}: {}", error.line, error.what))?;
    Ok(Numbers {
        map,
        sha256: Some(sha256(content)),
    })
}
