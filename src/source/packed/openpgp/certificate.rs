//! What an OpenPGP key is good for at a given time: which of its parts may sign or encrypt, until when, and what was revoked.
//!
//! The crate underneath checks the mathematics of single signatures and leaves it to its user what they mean. Here only what a key says of itself counts, by
//! its newest valid signature; a revocation counts whoever made it and whenever, for whoever revokes a key wants it used no more.

use chrono::{DateTime, Duration, Utc};
use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, Tag, Timestamp, VerifyingKey};

/// Clocks differ; a signature may be so much younger than now.
const TOLERANCE: Duration = Duration::hours(1);

/// A part of a key: the primary key, or a subkey that is bound to it.
#[derive(Debug)]
pub(super) struct Part<'k> {
    pub(super) key: &'k dyn VerifyingKey,
    pub(super) signs: bool,
    pub(super) encrypts: bool,
    pub(super) revoked: bool,
    pub(super) expires: Option<DateTime<Utc>>,
}

impl Part<'_> {
    /// Its key id, as gpg shows it.
    pub(super) fn id(&self) -> String {
        id(self.key)
    }

    pub(super) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Why it may not be used now; `None` where it may.
    pub(super) fn fault(&self, now: DateTime<Utc>) -> Option<String> {
        match self.expires {
            _ if self.revoked => Some(format!("{} was revoked", self.id())),
            Some(on) if on <= now => Some(format!("{} expired on {}", self.id(), on.date_naive())),
            _ => None,
        }
    }
}

/// The key id of a key or subkey, as gpg shows it.
pub(super) fn id(key: &(impl KeyDetails + ?Sized)) -> String {
    key.legacy_key_id().to_string().to_uppercase()
}

/// A time of OpenPGP.
pub(super) fn time(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(at.as_secs()), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Whether something was made later than any clock explains.
pub(super) fn is_future(made: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    made > now + TOLERANCE
}

/// When a signature ends by itself.
pub(super) fn end(signature: &Signature) -> Option<DateTime<Utc>> {
    let lasts = signature.signature_expiration_time()?.as_secs();
    let made = time(signature.created()?);
    (lasts > 0).then(|| made + Duration::seconds(i64::from(lasts)))
}

/// The parts of a key that are bound to it, the primary key first; none where it has no valid signature of its own.
pub(super) fn parts(key: &SignedPublicKey, now: DateTime<Utc>) -> Vec<Part<'_>> {
    let primary = &key.primary_key;
    let direct = key.details.direct_signatures.iter();
    let direct = direct.filter(|signature| signature.verify_key(primary).is_ok());
    let of_users = key.details.users.iter().flat_map(|user| {
        let certifies = |signature: &&Signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
        };
        user.signatures.iter().filter(certifies)
    });
    let Some(newest) = newest(direct.chain(of_users), now) else {
        return Vec::new();
    };
    let first = Part {
        key: primary,
        signs: may(newest, primary, Use::Sign),
        encrypts: may(newest, primary, Use::Encrypt),
        revoked: !key.details.revocation_signatures.is_empty(),
        expires: expiry(newest, primary),
    };
    let (revoked, expires) = (first.revoked, first.expires);
    let subkeys = key.public_subkeys.iter().filter_map(|subkey| {
        let mut part = bound(subkey, key, now)?;
        part.revoked |= revoked;
        part.expires = [part.expires, expires].into_iter().flatten().min();
        Some(part)
    });
    [first].into_iter().chain(subkeys).collect()
}

/// A subkey, if the primary key says that it belongs to it.
fn bound<'k>(
    subkey: &'k SignedPublicSubKey,
    key: &SignedPublicKey,
    now: DateTime<Utc>,
) -> Option<Part<'k>> {
    let primary = &key.primary_key;
    let of_type = |wanted| {
        let signatures = subkey.signatures.iter();
        signatures.filter(move |signature| signature.typ() == Some(wanted))
    };
    let bindings = of_type(SignatureType::SubkeyBinding).filter(|signature| {
        signature
            .verify_subkey_binding(primary, &subkey.key)
            .is_ok()
    });
    let binding = newest(bindings, now)?;
    // Without a signature of the subkey's own, a stranger's subkey could be passed off as a part of this key.
    let agreed = || {
        binding.embedded_signature().is_some_and(|back| {
            back.verify_primary_key_binding(&subkey.key, primary)
                .is_ok()
        })
    };
    Some(Part {
        key: &subkey.key,
        signs: may(binding, &subkey.key, Use::Sign) && agreed(),
        encrypts: may(binding, &subkey.key, Use::Encrypt),
        revoked: of_type(SignatureType::SubkeyRevocation).next().is_some(),
        expires: expiry(binding, &subkey.key),
    })
}

/// The newest of the signatures that hold now.
fn newest<'s>(
    signatures: impl Iterator<Item = &'s Signature>,
    now: DateTime<Utc>,
) -> Option<&'s Signature> {
    let made = |signature: &Signature| signature.created().map(time);
    signatures
        .filter(|signature| made(signature).is_some_and(|made| !is_future(made, now)))
        .filter(|signature| end(signature).is_none_or(|end| end > now))
        .max_by_key(|signature| made(signature))
}

#[derive(Clone, Copy)]
enum Use {
    Sign,
    Encrypt,
}

/// Whether a signature lets its key be used so; where it says nothing of uses, what the key is able to do counts.
fn may(signature: &Signature, key: &impl KeyDetails, wanted: Use) -> bool {
    let algorithm = key.algorithm();
    let is_said = signature.config().is_some_and(|config| {
        let mut packets = config.hashed_subpackets();
        packets.any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
    });
    let flags = signature.key_flags();
    match wanted {
        Use::Sign => algorithm.can_sign() && (!is_said || flags.sign()),
        Use::Encrypt => {
            algorithm.can_encrypt()
                && (!is_said || flags.encrypt_comms() || flags.encrypt_storage())
        }
    }
}

fn expiry(signature: &Signature, key: &impl KeyDetails) -> Option<DateTime<Utc>> {
    let lasts = signature.key_expiration_time()?.as_secs();
    (lasts > 0).then(|| time(key.created_at()) + Duration::seconds(i64::from(lasts)))
}
