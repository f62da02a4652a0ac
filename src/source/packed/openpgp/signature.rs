//! Whether a message is signed by one of the keys that are asked for, at a time at which that counts.

use chrono::{DateTime, Utc};
use pgp::composed::Message;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};

use super::certificate::{self, Part};
use super::error::SignatureProblem;

/// When a message that was read to its end was signed, with a signature that counts, by one of these keys.
///
/// # Errors
/// What is wrong with the signature that comes nearest.
pub(super) fn check(
    message: &Message<'_>,
    parts: &[Part<'_>],
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, SignatureProblem> {
    let Message::Signed { reader, .. } = message else {
        return Err(SignatureProblem::Unsigned);
    };
    let mut nearest = SignatureProblem::Unsigned;
    for index in 0..reader.num_signatures() {
        // A signature of a kind that is not known says nothing.
        let Some(signature) = reader.signature(index) else {
            continue;
        };
        let by: Vec<&Part<'_>> = parts
            .iter()
            .filter(|part| claims(signature, part))
            .collect();
        if by.is_empty() && nearest == SignatureProblem::Unsigned {
            let by = issuer(signature);
            nearest = SignatureProblem::Unknown { by };
        }
        for part in by {
            let holds = message.verify_nested_explicit(index, part.key).is_ok();
            match one(signature, part, holds, now) {
                Ok(made) => return Ok(made),
                Err(problem) => nearest = problem,
            }
        }
    }
    Err(nearest)
}

/// When a signature by this key was made, or what is wrong with it.
fn one(
    signature: &Signature,
    part: &Part<'_>,
    holds: bool,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, SignatureProblem> {
    let by = part.id();
    let over_data = [Some(SignatureType::Binary), Some(SignatureType::Text)];
    let Some(made) = signature.created().map(certificate::time) else {
        return Err(SignatureProblem::Wrong { by });
    };
    if !holds || !over_data.contains(&signature.typ()) {
        return Err(SignatureProblem::Wrong { by });
    }
    let broken = [
        HashAlgorithm::None,
        HashAlgorithm::Md5,
        HashAlgorithm::Sha1,
        HashAlgorithm::Ripemd160,
    ];
    if signature
        .hash_alg()
        .is_none_or(|digest| broken.contains(&digest))
    {
        return Err(SignatureProblem::Weak { by });
    }
    if part.revoked {
        return Err(SignatureProblem::Revoked { by });
    }
    match (part.expires, certificate::end(signature)) {
        (Some(on), _) if on <= now => return Err(SignatureProblem::KeyExpired { by, on }),
        (_, Some(on)) if on <= now => return Err(SignatureProblem::Expired { by, on }),
        _ => {}
    }
    if !part.signs {
        return Err(SignatureProblem::NotForSigning { by });
    }
    let is_early = made < certificate::time(part.key.created_at());
    if is_early || certificate::is_future(made, now) {
        return Err(SignatureProblem::NotYet { by, made });
    }
    Ok(made)
}

/// Whether a signature says that it is by this key, or does not say by whom.
fn claims(signature: &Signature, part: &Part<'_>) -> bool {
    let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
    if ids.is_empty() && fingerprints.is_empty() {
        return true;
    }
    ids.iter().any(|id| **id == part.key.legacy_key_id())
        || fingerprints
            .iter()
            .any(|fingerprint| **fingerprint == part.key.fingerprint())
}

/// By which key a signature says that it is.
fn issuer(signature: &Signature) -> String {
    let ids = signature.issuer_key_id();
    if let Some(id) = ids.first() {
        return id.to_string().to_uppercase();
    }
    let fingerprints = signature.issuer_fingerprint();
    match fingerprints.first() {
        Some(fingerprint) => format!("{fingerprint:X}"),
        None => "a key that it does not name".to_owned(),
    }
}
