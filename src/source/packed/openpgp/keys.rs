//! The keys that a source is configured with: the private ones that open its files, and the public ones that may have signed them.

use std::path::Path;

use chrono::{DateTime, Utc};
use pgp::composed::{
    Esk, PlainSessionKey, PublicOrSecret, SignedPublicKey, SignedSecretKey, SignedSecretSubKey,
};
use pgp::packet::{PublicKeyEncryptedSessionKey, SecretKey, SecretSubkey};
use pgp::types::{DecryptionKey, EskType, KeyDetails, Password, PkeskVersion, SecretParams};

use super::certificate::{self, Part};
use super::error::{KeyError, KeyProblem};
use crate::config::{Decrypt, SecretRef};

/// So many keys are read from one file.
const MOST_KEYS: usize = 100;

/// The private keys of a source.
pub(super) struct Keys {
    keys: Vec<SignedSecretKey>,
    passphrase: Option<Password>,
}

/// A private key that decrypts.
enum Decrypting<'k> {
    Primary(&'k SecretKey),
    Sub(&'k SecretSubkey),
}

impl Decrypting<'_> {
    fn id(&self) -> String {
        match self {
            Self::Primary(key) => certificate::id(*key),
            Self::Sub(key) => certificate::id(*key),
        }
    }

    fn params(&self) -> &SecretParams {
        match self {
            Self::Primary(key) => key.secret_params(),
            Self::Sub(key) => key.secret_params(),
        }
    }

    /// Whether a session key is locked for this key, or may be.
    fn is_meant(&self, to: &PublicKeyEncryptedSessionKey) -> bool {
        match self {
            Self::Primary(key) => to.match_identity(key),
            Self::Sub(key) => to.match_identity(key),
        }
    }

    fn opens(&self, passphrase: &Password) -> bool {
        let opened = match self {
            Self::Primary(key) => key.unlock(passphrase, |_, _| Ok(())),
            Self::Sub(key) => key.unlock(passphrase, |_, _| Ok(())),
        };
        matches!(opened, Ok(Ok(())))
    }
}

/// Why no key opens a file.
pub(super) enum NoSessionKey {
    /// It is encrypted to these keys.
    ToOthers(Vec<String>),
    PassphraseOnly,
    WrongPassphrase(String),
    Damaged,
}

/// Every key in a file: binary, or in one or several blocks of armor.
fn keys_in(bytes: &[u8]) -> Option<Vec<PublicOrSecret>> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    let bytes = bytes.trim_ascii_start();
    let is_binary = bytes.first()? & 0x80 != 0;
    let blocks = if is_binary {
        vec![bytes]
    } else {
        let begins = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(BEGIN));
        let mut begins: Vec<usize> = begins.collect();
        begins.push(bytes.len());
        let pairs = begins.windows(2);
        pairs.map(|pair| &bytes[pair[0]..pair[1]]).collect()
    };
    let mut found = Vec::new();
    for block in blocks {
        let (keys, _) = PublicOrSecret::from_reader_many(block).ok()?;
        for key in keys.take(MOST_KEYS) {
            found.push(key.ok()?);
        }
    }
    (!found.is_empty()).then_some(found)
}

impl Keys {
    /// Reads them from where the configuration says, and opens none yet.
    pub(super) fn load(decrypt: &Decrypt) -> Result<Self, KeyError> {
        let wrong = |problem| KeyError {
            key: "private_key",
            problem,
        };
        let at = || decrypt.private_key.to_string();
        let secret = decrypt
            .private_key
            .read_bytes()
            .map_err(|error| wrong(KeyProblem::Secret(error)))?;
        let found = keys_in(secret.expose());
        let found = found.ok_or_else(|| wrong(KeyProblem::NoPrivateKey { at: at() }))?;
        let private = |key| match key {
            PublicOrSecret::Secret(key) => Some(key),
            PublicOrSecret::Public(_) => None,
        };
        let keys: Vec<_> = found.into_iter().filter_map(private).collect();
        if keys.is_empty() {
            return Err(wrong(KeyProblem::PublicKey { at: at() }));
        }
        let passphrase = decrypt.passphrase.as_ref().map(SecretRef::read);
        let passphrase = passphrase.transpose().map_err(|error| KeyError {
            key: "passphrase",
            problem: KeyProblem::Secret(error),
        })?;
        let keys = Self {
            keys,
            passphrase: passphrase.map(|secret| Password::from(secret.expose())),
        };
        match keys.locked() {
            Some(id) if keys.passphrase.is_none() => Err(KeyError {
                key: "passphrase",
                problem: KeyProblem::Locked { id },
            }),
            _ => Ok(keys),
        }
    }

    /// The id of the first key that decrypts and needs a passphrase. A primary key that stays offline does not count.
    fn locked(&self) -> Option<String> {
        let mut parts = self.decrypting();
        let locked = parts.find(|part| part.params().is_encrypted());
        locked.map(|part| part.id())
    }

    /// What these keys decrypt with: subkeys, or the primary key where it has none for that.
    fn decrypting(&self) -> impl Iterator<Item = Decrypting<'_>> {
        self.keys.iter().flat_map(|key| {
            let able = |subkey: &&SignedSecretSubKey| subkey.algorithm().can_encrypt();
            let subkeys = key.secret_subkeys.iter().filter(able);
            let mut parts: Vec<_> = subkeys.map(|subkey| Decrypting::Sub(&subkey.key)).collect();
            if parts.is_empty() && key.algorithm().can_encrypt() {
                parts.push(Decrypting::Primary(&key.primary_key));
            }
            parts
        })
    }

    /// The public halves, which tell what the keys are good for.
    pub(super) fn public(&self) -> Vec<SignedPublicKey> {
        let keys = self.keys.iter().cloned();
        keys.map(SignedPublicKey::from).collect()
    }

    /// Whether the passphrase opens every key that can decrypt.
    pub(super) fn try_passphrase(&self) -> Result<(), KeyError> {
        let nothing = Password::empty();
        let passphrase = self.passphrase.as_ref().unwrap_or(&nothing);
        match self.decrypting().find(|part| !part.opens(passphrase)) {
            Some(part) => Err(wrong_passphrase(part.id())),
            None => Ok(()),
        }
    }

    /// The ids of the keys, for a message.
    pub(super) fn ids(&self) -> Vec<String> {
        self.decrypting().map(|part| part.id()).collect()
    }

    /// The key of a message, if one of these keys opens it. An expired key still does: its expiry tells senders to use another one, and a roster that came
    /// would only be lost.
    pub(super) fn session_key(&self, esks: &[Esk]) -> Result<PlainSessionKey, NoSessionKey> {
        let to_keys: Vec<&PublicKeyEncryptedSessionKey> = esks
            .iter()
            .filter_map(|esk| match esk {
                Esk::PublicKeyEncryptedSessionKey(to) => Some(to),
                Esk::SymKeyEncryptedSessionKey(_) => None,
            })
            .collect();
        if to_keys.is_empty() {
            return Err(if esks.is_empty() {
                NoSessionKey::Damaged
            } else {
                NoSessionKey::PassphraseOnly
            });
        }
        let mut failed = None;
        for to in &to_keys {
            for part in self.decrypting().filter(|part| part.is_meant(to)) {
                match self.open(&part, to) {
                    Ok(key) => return Ok(key),
                    // It need not be for this key.
                    Err(NoSessionKey::Damaged) if is_anonymous(to) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        let recipients = to_keys.iter().map(|to| recipient(to)).collect();
        Err(failed.unwrap_or(NoSessionKey::ToOthers(recipients)))
    }

    fn open(
        &self,
        part: &Decrypting<'_>,
        to: &PublicKeyEncryptedSessionKey,
    ) -> Result<PlainSessionKey, NoSessionKey> {
        let kind = match to.version() {
            PkeskVersion::V6 => EskType::V6,
            _ => EskType::V3_4,
        };
        let nothing = Password::empty();
        let passphrase = self.passphrase.as_ref().unwrap_or(&nothing);
        let values = to.values().map_err(|_| NoSessionKey::Damaged)?;
        let opened = match part {
            Decrypting::Primary(key) => key.decrypt(passphrase, values, kind),
            Decrypting::Sub(key) => key.decrypt(passphrase, values, kind),
        };
        match opened {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(_)) => Err(NoSessionKey::Damaged),
            Err(_) => Err(NoSessionKey::WrongPassphrase(part.id())),
        }
    }
}

/// The error of a passphrase that does not open this key.
pub(super) fn wrong_passphrase(id: String) -> KeyError {
    KeyError {
        key: "passphrase",
        problem: KeyProblem::WrongPassphrase { id },
    }
}

fn is_anonymous(to: &PublicKeyEncryptedSessionKey) -> bool {
    to.id().is_ok_and(pgp::types::KeyId::is_wildcard)
        || to
            .fingerprint()
            .is_ok_and(|fingerprint| fingerprint.is_none())
}

fn recipient(to: &PublicKeyEncryptedSessionKey) -> String {
    if is_anonymous(to) {
        return "a key that it does not name".to_owned();
    }
    match (to.id(), to.fingerprint()) {
        (Ok(id), _) => id.to_string().to_uppercase(),
        (_, Ok(Some(fingerprint))) => format!("{fingerprint:X}"),
        _ => "a key of an unknown kind".to_owned(),
    }
}

/// The public keys that may have signed a file.
pub(super) struct Signers(Vec<SignedPublicKey>);

impl Signers {
    /// Reads them from these files. A key that may not sign any more is no error here: a file that it signed says so.
    pub(super) fn load(paths: &[impl AsRef<Path>], now: DateTime<Utc>) -> Result<Self, KeyError> {
        let mut signers = Vec::new();
        for path in paths {
            signers.extend(signers_of(path.as_ref(), now)?);
        }
        Ok(Self(signers))
    }

    /// Every part of every key.
    pub(super) fn parts(&self, now: DateTime<Utc>) -> Vec<Part<'_>> {
        let keys = self.0.iter();
        keys.flat_map(|key| certificate::parts(key, now)).collect()
    }
}

/// The public keys in a file.
pub(super) fn signers_of(
    path: &Path,
    now: DateTime<Utc>,
) -> Result<Vec<SignedPublicKey>, KeyError> {
    let wrong = |problem| KeyError {
        key: "verify_with",
        problem,
    };
    let path = path.to_owned();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(cause) => return Err(wrong(KeyProblem::Unreadable { path, cause })),
    };
    let Some(found) = keys_in(&bytes) else {
        return Err(wrong(KeyProblem::NoPublicKey { path }));
    };
    let mut keys = Vec::new();
    for key in found {
        let PublicOrSecret::Public(key) = key else {
            return Err(wrong(KeyProblem::PrivateKey { path }));
        };
        if certificate::parts(&key, now).is_empty() {
            let id = certificate::id(&key.primary_key);
            return Err(wrong(KeyProblem::NotSelfSigned { path, id }));
        }
        keys.push(key);
    }
    Ok(keys)
}
