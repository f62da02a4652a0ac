//! What can go wrong with the sandbox itself, apart from what it answers on purpose.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sandbox cannot start, go on or save.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It would be reachable from other machines; it checks nothing that would make that safe.
    #[error("The sandbox listens on a loopback address only, not on {address}")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address is taken or not there.
    #[error("Cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The state folder cannot be made, opened or locked.
    #[error("Cannot use the state folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another sandbox has the folder; two would overwrite each other's state.
    #[error("The state folder {} is in use by another sandbox; stop that one, or choose another folder", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The state file cannot be read.
    #[error("Cannot read the state file {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The state file does not hold a state. What the parser says may quote a value and is left out.
    #[error("The state file {} is damaged ({fault}); delete it to begin anew", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, without any of its values.
        fault: String,
    },
    /// The state cannot be saved.
    #[error("Cannot save the state file {}", file.display())]
    Save {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The task that accepts connections is gone, though nobody stopped it.
    #[error("The sandbox ended without being asked to")]
    Ended,
}
