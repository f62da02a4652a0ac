//! How encrypted files of a source are opened, and by whom they have to be signed.

use std::path::PathBuf;

use deserr::{Deserr, ValuePointerRef};
use serde::Serialize;

use super::SecretRef;
use super::problem::Problems;
use super::validate::judged;

/// The key of a source whose files are encrypted with OpenPGP.
///
/// With this, a file in the clear is refused: who can put one into the folder is not shown to be the HR system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = whole -> Problems)]
pub struct Decrypt {
    /// The private key to which the files are encrypted; several in one file where a key is being replaced.
    pub private_key: SecretRef,
    /// What the private key is locked with.
    #[deserr(default)]
    pub passphrase: Option<SecretRef>,
    /// Public keys. A file has to be signed by one of them; where absent, signatures are neither needed nor looked at.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_with: Option<Vec<PathBuf>>,
}

fn whole(decrypt: Decrypt, at: ValuePointerRef<'_>) -> Result<Decrypt, Problems> {
    judged(decrypt, at, |decrypt, findings| {
        if decrypt.verify_with.as_ref().is_some_and(Vec::is_empty) {
            findings.say(
                "verify_with",
                "An empty list would let nobody sign; name the sender's public key, or leave the key out",
            );
        }
    })
}
