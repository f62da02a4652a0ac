//! Keys that open files, keys that sign them, and what is no key.

use std::path::Path;

use super::*;

#[test]
fn several_keys_in_one_file_each_open_their_messages() {
    let mut ours = Ours::with(&OURS);
    let armored = |key: &SignedSecretKey| key.to_armored_string(ArmorOptions::default()).unwrap();
    let both = format!("{}\n{}", armored(&SENDERS), armored(&OURS));
    let path = ours.path("both", both);
    ours.decrypt().private_key = SecretRef::File(path);
    for key in [&OURS, &SENDERS] {
        let message = Made::default().of(&ROSTER, key);
        assert!(ours.unpack(message, "roster.gpg").unwrap() == *ROSTER);
    }
}

#[test]
fn a_locked_key_opens_with_its_passphrase_alone() {
    let locked = key(Some("invented words"));
    let mut ours = Ours::with(&locked);
    let message = Made::default().of(&ROSTER, &locked);
    let error = ours.refuses(message.clone(), "roster.gpg").to_string();
    assert!(
        error.contains("decrypt.passphrase: The private key"),
        "{error}"
    );
    assert!(
        look(ours.decrypt(), Utc::now()).errors[0]
            .1
            .contains("is locked")
    );
    let wrong = ours.path("wrong", "invented word");
    ours.decrypt().passphrase = Some(SecretRef::File(wrong));
    let error = ours.refuses(message.clone(), "roster.gpg").to_string();
    assert!(error.contains("The passphrase does not open"), "{error}");
    assert!(!error.contains("invented"));
    assert!(
        look(ours.decrypt(), Utc::now()).errors[0]
            .1
            .contains("does not open")
    );
    let right = ours.path("right", "invented words\n");
    ours.decrypt().passphrase = Some(SecretRef::File(right));
    assert!(ours.unpack(message, "roster.gpg").unwrap() == *ROSTER);
    let found = look(ours.decrypt(), Utc::now());
    assert!(found.errors.is_empty(), "{found:?}");
    assert!(found.facts[0].contains("without an end"), "{found:?}");
}

#[test]
fn what_is_no_key_is_told_as_what_it_is() {
    let mut ours = Ours::with(&OURS);
    let armored = public(&OURS).to_armored_bytes(ArmorOptions::default());
    let public = ours.path("public", armored.unwrap());
    let private = ours.path("private.asc", OURS.to_bytes().unwrap());
    let nothing = ours.path("nothing", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n");
    let missing = ours.folder.path().join("missing");
    let mut says = |key: &Path, signer: &Path, text: &str| {
        let decrypt = ours.decrypt();
        decrypt.private_key = SecretRef::File(key.to_owned());
        decrypt.verify_with = Some(vec![signer.to_owned()]);
        let looked = look(ours.decrypt(), Utc::now());
        let told = looked.errors.iter().any(|(_, error)| error.contains(text));
        assert!(told, "{looked:?}");
    };
    says(&public, &public, "is a public key");
    says(&nothing, &public, "is no OpenPGP private key");
    says(&missing, &public, "cannot be read");
    says(&private, &private, "belongs to its owner alone");
    says(&private, &nothing, "is no OpenPGP public key");
    says(&private, &missing, "cannot be read");
}

#[test]
fn a_signature_that_is_asked_for_has_to_be_there_and_by_that_key() {
    let signed = Made {
        signed: true,
        ..Made::default()
    };
    let demanding = Ours::with(&OURS).demanding(&SENDERS);
    let problem = |ours: &Ours, message: Vec<u8>| match ours.refuses(message, "roster.gpg") {
        OpenPgpError::Signature { problem, .. } => problem,
        other => panic!("{other}"),
    };
    let unsigned = problem(&demanding, Made::default().of(&ROSTER, &OURS));
    assert_eq!(unsigned, SignatureProblem::Unsigned);
    let other = Ours::with(&OURS).demanding(&OURS);
    let unknown = problem(&other, signed.of(&ROSTER, &OURS));
    assert!(
        matches!(unknown, SignatureProblem::Unknown { .. }),
        "{unknown}"
    );
    let message = signed.of(&ROSTER, &OURS);
    let before = Utc::now() - chrono::Duration::days(1);
    let early = unpack(message, "roster.gpg", &demanding.source, before);
    let early = early.unwrap_err().to_string();
    assert!(
        early.contains("has no valid signature of its own"),
        "{early}"
    );
}
