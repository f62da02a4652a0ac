//! Who runs the program: the name for the audit log, and, for root, becoming the owner of the state folder first.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, getuid, initgroups, setgid, setgroups, setuid};

/// The login user, also under sudo and su: the audit session's where the kernel keeps one, else what sudo says, else the process's.
pub fn login_name() -> String {
    let session = std::fs::read_to_string("/proc/self/loginuid")
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .filter(|uid| *uid != u32::MAX)
        .map(Uid::from_raw);
    if let Some(uid) = session {
        return name_of(uid);
    }
    if geteuid().is_root()
        && let Ok(name) = std::env::var("SUDO_USER")
        && User::from_name(&name).is_ok_and(|user| user.is_some())
    {
        return name;
    }
    name_of(getuid())
}

/// The name of a user, or the number of one that has none.
pub fn name_of_uid(uid: u32) -> String {
    name_of(Uid::from_raw(uid))
}

/// The user that the process works as.
pub(crate) fn name() -> String {
    name_of(geteuid())
}

fn name_of(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

/// Run by root, a command that opens the state becomes the folder's owner, for good: a file that belongs to root would stop the daemon.
///
/// # Errors
/// The system did not let us, in which case nothing may be opened.
pub fn become_owner_of(folder: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // A folder that is still to be made will belong to whoever owns the one around it.
    let owner = folder
        .ancestors()
        .find_map(|path| std::fs::metadata(path).ok());
    let Some(owner) = owner else { return Ok(()) };
    if owner.uid() == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    match User::from_uid(uid)? {
        Some(user) => {
            let name = std::ffi::CString::new(user.name).map_err(io::Error::other)?;
            initgroups(&name, gid)?;
        }
        None => setgroups(&[gid])?,
    }
    setgid(gid)?;
    setuid(uid)?;
    Ok(())
}
