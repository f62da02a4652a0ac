//! What can be wrong with an encrypted file or with the keys for it, and what to do about it.
//!
//! A message tells key ids, never what a file holds: the errors of the crate underneath can quote what they were reading, so none of them is passed on.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::config::SecretError;

/// Why an encrypted file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum OpenPgpError {
    #[error(
        "The file {name} is encrypted (PGP), or named so, and this source has no key; set decrypt.private_key, or deliver it in the clear over a protected connection"
    )]
    NoKey { name: String },
    #[error(
        "The file {name} is not encrypted, and this source takes encrypted files only; ask the sender why it came in the clear, and remove decrypt only if that is meant to stay"
    )]
    Plain { name: String },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "The file {name} is encrypted to {to}, and decrypt.private_key holds {ours}; have the sender encrypt to your key, or configure the key that it uses"
    )]
    NotForUs {
        name: String,
        to: String,
        ours: String,
    },
    #[error(
        "The file {name} is encrypted with a passphrase alone; have the sender encrypt it to your public key"
    )]
    PassphraseOnly { name: String },
    #[error(
        "The file {name} is encrypted without protection against changes (no MDC and no AEAD), so it could be altered on its way; have the sender's program updated or its setting removed"
    )]
    NotProtected { name: String },
    #[error("The encrypted file {name} was cut short or is damaged ({what}); deliver it again")]
    Damaged { name: String, what: Damage },
    #[error(
        "The file {name} unpacks to more than {most} bytes; raise table.max_megabytes if that is right"
    )]
    TooLarge { name: String, most: u64 },
    #[error("The signature of the file {name} does not count: {problem}")]
    Signature {
        name: String,
        problem: SignatureProblem,
    },
}

/// Where an encrypted file shows its damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Damage {
    Form,
    Armor,
    SessionKey,
    Integrity,
    Inside,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it is no whole OpenPGP message",
            Self::Armor => "its armor is not one whole block, or something stands around it",
            Self::SessionKey => "the key inside it cannot be read",
            Self::Integrity => "its integrity check fails",
            Self::Inside => "what is encrypted is not one whole file",
        })
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum SignatureProblem {
    Unsigned,
    Unknown { by: String },
    Wrong { by: String },
    Revoked { by: String },
    KeyExpired { by: String, on: DateTime<Utc> },
    NotForSigning { by: String },
    Expired { by: String, on: DateTime<Utc> },
    NotYet { by: String, made: DateTime<Utc> },
    Weak { by: String },
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str(
                "there is none, and decrypt.verify_with asks for one; have the sender sign what it encrypts",
            ),
            Self::Unknown { by } => write!(
                f,
                "it is by {by}, and none of the keys of decrypt.verify_with is that; ask the sender, by another way than the one the file came, whether its key is new"
            ),
            Self::Wrong { by } => write!(
                f,
                "it is by {by} and does not fit what the file holds; the file was changed or damaged, so deliver it again"
            ),
            Self::Revoked { by } => write!(
                f,
                "the key {by} was revoked; get the sender's new public key for decrypt.verify_with"
            ),
            Self::KeyExpired { by, on } => write!(
                f,
                "the key {by} expired on {}; get the sender's renewed public key for decrypt.verify_with",
                on.date_naive()
            ),
            Self::NotForSigning { by } => write!(
                f,
                "the key {by} is not meant for signing; have the sender sign with its signing key"
            ),
            Self::Expired { by, on } => write!(
                f,
                "the signature by {by} expired on {}; have the sender sign anew, or without an expiry",
                on.date_naive()
            ),
            Self::NotYet { by, made } => write!(
                f,
                "the signature by {by} is of {}, which is in the future or before its key was made; check the clocks here and at the sender",
                made.format("%Y-%m-%d %H:%M UTC")
            ),
            Self::Weak { by } => write!(
                f,
                "the signature by {by} uses a broken digest such as SHA-1 or MD5; have the sender sign with SHA-256"
            ),
        }
    }
}

/// Why a configured key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("decrypt.{key}: {problem}")]
pub struct KeyError {
    /// Which key of the configuration, below `decrypt`.
    pub key: &'static str,
    /// What is wrong with it.
    #[source]
    pub problem: KeyProblem,
}

/// What is wrong with a configured key.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum KeyProblem {
    #[error("{0}")]
    Secret(SecretError),
    #[error(
        "The secret at {at} is no OpenPGP private key; write what `gpg --export-secret-keys` gives there"
    )]
    NoPrivateKey { at: String },
    #[error(
        "The secret at {at} is a public key; write what `gpg --export-secret-keys` gives there"
    )]
    PublicKey { at: String },
    #[error(
        "No key at {at} is meant for encryption; add an encryption subkey to it, and export it again"
    )]
    NotForEncryption { at: String },
    #[error(
        "The private key {id} is locked with a passphrase; write where that is, such as passphrase: {{file: /path}}"
    )]
    Locked { id: String },
    #[error("The passphrase does not open the private key {id}; correct one of the two")]
    WrongPassphrase { id: String },
    #[error(
        "The public key {path} cannot be read ({cause}); check that it exists and that this user may read it"
    )]
    Unreadable {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error(
        "The file {path} is no OpenPGP public key; write what `gpg --export --armor` gives there"
    )]
    NoPublicKey { path: PathBuf },
    #[error(
        "The file {path} is a private key, which belongs to its owner alone; write the public key there"
    )]
    PrivateKey { path: PathBuf },
    #[error(
        "The public key {id} in {path} has no valid signature of its own, so nothing in it counts; get it again"
    )]
    NotSelfSigned { path: PathBuf, id: String },
    #[error("No key in {path} may sign at this time ({why}); get the sender's present public key")]
    NoSigner { path: PathBuf, why: String },
}
