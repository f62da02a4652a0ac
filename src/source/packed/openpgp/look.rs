//! What is to be known of the keys of a source before a file comes: whether they are there, open, and still good.

use chrono::{DateTime, Days, Utc};
use pgp::composed::SignedPublicKey;
use pgp::types::KeyDetails as _;

use super::certificate::{self, Part};
use super::error::{KeyError, KeyProblem};
use super::keys::{self, Keys};
use crate::config::Decrypt;

/// A key that expires in so many days is told.
const SOON: Days = Days::new(30);

/// What was found of the keys of a source.
#[derive(Debug, Default)]
pub struct Looked {
    /// Which keys there are.
    pub facts: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
    /// What is wrong: the key below `decrypt`, and what to do.
    pub errors: Vec<(&'static str, String)>,
}

impl Looked {
    fn wrong(&mut self, KeyError { key, problem }: KeyError) {
        self.errors.push((key, problem.to_string()));
    }

    fn warn_of_end(&mut self, of: &str, expires: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        let soon = now.checked_add_days(SOON).unwrap_or(now);
        if let Some(on) = expires.filter(|expires| (now..soon).contains(expires)) {
            self.warnings.push(format!(
                "{of} expires on {}; have it renewed",
                on.date_naive()
            ));
        }
    }
}

/// Looks at the keys of a source as a run at this time would use them.
pub fn look(decrypt: &Decrypt, now: DateTime<Utc>) -> Looked {
    let mut found = Looked::default();
    match Keys::load(decrypt) {
        Ok(keys) => private(&keys, decrypt, &mut found, now),
        Err(error) => found.wrong(error),
    }
    let mut without = Vec::new();
    let mut any = false;
    for path in decrypt.verify_with.iter().flatten() {
        match keys::signers_of(path, now) {
            Ok(signers) => {
                let mut faults = Vec::new();
                let before = found.facts.len();
                for signer in &signers {
                    faults.extend(public(signer, &mut found, now));
                }
                if found.facts.len() == before {
                    let why = faults.join(", ");
                    let path = path.clone();
                    without.push(KeyProblem::NoSigner { path, why });
                } else {
                    any = true;
                }
            }
            Err(error) => found.wrong(error),
        }
    }
    for problem in without {
        let key = "verify_with";
        if any {
            // Another one may sign.
            found.warnings.push(format!("decrypt.{key}: {problem}"));
        } else {
            found.wrong(KeyError { key, problem });
        }
    }
    if decrypt.verify_with.is_none() {
        found.facts.push(
            "decrypt: signatures are not looked at (no verify_with), so whoever has the public key can make a file"
                .to_owned(),
        );
    }
    found
}

fn private(keys: &Keys, decrypt: &Decrypt, found: &mut Looked, now: DateTime<Utc>) {
    if let Err(error) = keys.try_passphrase() {
        found.wrong(error);
    }
    let mut any = false;
    for key in keys.public() {
        let parts = certificate::parts(&key, now);
        for part in parts.iter().filter(|part| part.encrypts) {
            any = true;
            let what = format!("decrypt: the private key {}", named(&key, part));
            found.facts.push(format!("{what}, {}", until(part)));
            found.warn_of_end(&what, part.expires, now);
            if part.is_expired(now) || part.revoked {
                let fault = part.fault(now).unwrap_or_default();
                found.warnings.push(format!(
                    "decrypt: the private key {fault}; files that come are still decrypted with it, but senders refuse to encrypt to it"
                ));
            }
        }
    }
    if !any {
        let at = decrypt.private_key.to_string();
        found.wrong(KeyError {
            key: "private_key",
            problem: KeyProblem::NotForEncryption { at },
        });
    }
}

/// Tells which parts of a key may sign, and gives back why others may not.
fn public(key: &SignedPublicKey, found: &mut Looked, now: DateTime<Utc>) -> Vec<String> {
    let parts = certificate::parts(key, now);
    let mut faults = Vec::new();
    for part in parts.iter().filter(|part| part.signs) {
        if let Some(fault) = part.fault(now) {
            faults.push(fault);
            continue;
        }
        let what = format!("decrypt: signatures by {}", named(key, part));
        found.facts.push(format!("{what} count, {}", until(part)));
        let of = format!("decrypt: the sender's key {}", named(key, part));
        found.warn_of_end(&of, part.expires, now);
    }
    if parts.iter().all(|part| !part.signs) {
        let id = certificate::id(&key.primary_key);
        faults.push(format!("{id} has no part for signing"));
    }
    faults
}

/// The fingerprint of a key, and the id of its part where that is another.
fn named(key: &SignedPublicKey, part: &Part<'_>) -> String {
    let fingerprint = format!("{:X}", key.fingerprint());
    if part.key.fingerprint() == key.fingerprint() {
        fingerprint
    } else {
        format!("{fingerprint} (subkey {})", part.id())
    }
}

fn until(part: &Part<'_>) -> String {
    match part.expires {
        Some(on) => format!("until {}", on.date_naive()),
        None => "without an end".to_owned(),
    }
}
