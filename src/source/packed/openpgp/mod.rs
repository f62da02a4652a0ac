//! Files that are encrypted with OpenPGP, and may have to be signed by the sender.
//!
//! Where a source has a key, a file in the clear is refused: whoever can put one into the folder is not shown to be the HR system. Messages without protection
//! against changes are refused, too. Nothing of a file is used before its integrity check, its own end and, where asked for, its signature are known to be good.
//! The session key and the private keys are overwritten in memory once they were used.

mod certificate;
mod error;
mod keys;
mod look;
mod message;
mod signature;

use chrono::{DateTime, Utc};

pub use error::{Damage, KeyError, KeyProblem, OpenPgpError, SignatureProblem};
pub use look::{Looked, look};

use super::without;
use crate::config::Decrypt;
use crate::source::table::{Foreign, foreign};
use keys::{Keys, NoSessionKey, Signers};
use message::{Sealed, Unreadable};

/// The name of a file without the ending of an encrypted one; `None` where it has none.
pub(super) fn inner_name(name: &str) -> Option<&str> {
    let endings = [".pgp", ".gpg", ".asc"];
    endings.iter().find_map(|ending| without(name, ending))
}

/// Whether a file is encrypted, by its first bytes.
pub(super) fn is_encrypted(bytes: &[u8]) -> bool {
    foreign::of_bytes(bytes) == Some(Foreign::Encrypted)
}

/// The file inside an encrypted one, and when it was signed, where that is asked for.
pub(super) fn decrypt(
    bytes: &[u8],
    name: &str,
    decrypt: &Decrypt,
    most: u64,
    now: DateTime<Utc>,
) -> Result<(Vec<u8>, Option<DateTime<Utc>>), OpenPgpError> {
    let unreadable = |error| unreadable(error, name, most);
    let sealed = Sealed::of(bytes).map_err(unreadable)?;
    let keys = Keys::load(decrypt)?;
    let signers = decrypt.verify_with.as_deref();
    let signers = signers.map(|paths| Signers::load(paths, now)).transpose()?;

    let locked = sealed.locked_keys().map_err(unreadable)?;
    let key = keys
        .session_key(&locked)
        .map_err(|error| no_key(error, name, &keys))?;
    let length = sealed.measure(&key, most).map_err(unreadable)?;
    let (plain, message) = sealed.read(&key, length).map_err(unreadable)?;
    let signed = signers.as_ref().map(|signers| {
        signature::check(&message, &signers.parts(now), now).map_err(|problem| {
            OpenPgpError::Signature {
                name: name.to_owned(),
                problem,
            }
        })
    });
    let signed = signed.transpose()?;
    drop(message);
    Ok((plain, signed))
}

fn unreadable(error: Unreadable, name: &str, most: u64) -> OpenPgpError {
    let name = name.to_owned();
    match error {
        Unreadable::NotEncrypted => OpenPgpError::Plain { name },
        Unreadable::NotProtected => OpenPgpError::NotProtected { name },
        Unreadable::Damaged(what) => OpenPgpError::Damaged { name, what },
        Unreadable::TooLarge => OpenPgpError::TooLarge { name, most },
    }
}

fn no_key(error: NoSessionKey, name: &str, keys: &Keys) -> OpenPgpError {
    let owned = || name.to_owned();
    match error {
        NoSessionKey::ToOthers(to) => OpenPgpError::NotForUs {
            name: owned(),
            to: to.join(", "),
            ours: keys.ids().join(", "),
        },
        NoSessionKey::PassphraseOnly => OpenPgpError::PassphraseOnly { name: owned() },
        NoSessionKey::WrongPassphrase(id) => keys::wrong_passphrase(id).into(),
        NoSessionKey::Damaged => OpenPgpError::Damaged {
            name: owned(),
            what: Damage::SessionKey,
        },
    }
}
