//! Encrypted and packed files where no gpg is installed: keys and messages are made by the crate that the program reads them with.

use std::io::Write as _;

use chrono::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use pgp::composed::{
    ArmorOptions, EncryptionCaps, KeyType, MessageBuilder, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::{CompressionAlgorithm, KeyDetails as _, Password};
use rand::thread_rng;

use crate::absence_files::{LEAVE, file, with_absences};
use crate::sealed::{Sealed, roster};

fn key() -> SignedSecretKey {
    let sub = |kind: KeyType, signs: bool| {
        let uses = if signs {
            EncryptionCaps::None
        } else {
            EncryptionCaps::All
        };
        let mut builder = SubkeyParamsBuilder::default();
        builder.key_type(kind).can_sign(signs).can_encrypt(uses);
        builder.build().unwrap()
    };
    let mut builder = SecretKeyParamsBuilder::default();
    builder
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .primary_user_id("invented <invented@example.org>".to_owned())
        .subkeys(vec![
            sub(KeyType::Ed25519Legacy, true),
            sub(KeyType::ECDH(ECCCurve::Curve25519Legacy), false),
        ]);
    builder.build().unwrap().generate(thread_rng()).unwrap()
}

fn public(key: &SignedSecretKey) -> Vec<u8> {
    let key: SignedPublicKey = key.clone().into();
    key.to_armored_bytes(ArmorOptions::default()).unwrap()
}

fn private(key: &SignedSecretKey) -> Vec<u8> {
    key.to_armored_bytes(ArmorOptions::default()).unwrap()
}

fn encrypted(to: &SignedSecretKey, by: Option<&SignedSecretKey>, bytes: &[u8]) -> Vec<u8> {
    let to: SignedPublicKey = to.clone().into();
    let mut plain = MessageBuilder::from_bytes("", bytes.to_vec());
    plain.compression(CompressionAlgorithm::ZLIB);
    if let Some(by) = by {
        let part = &by.secret_subkeys[0].key;
        plain.sign(part, Password::empty(), HashAlgorithm::Sha256);
    }
    let mut builder = plain.seipd_v1(thread_rng(), SymmetricKeyAlgorithm::AES256);
    let part = &to.public_subkeys[1].key;
    builder.encrypt_to_key(thread_rng(), part).unwrap();
    builder.to_vec(thread_rng()).unwrap()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A company whose files are encrypted to this key, at the time of the machine, for the crate makes keys at no other.
fn company(key: &SignedSecretKey, further: &str, ending: &str) -> Sealed {
    Sealed::at(&Utc::now().to_rfc3339(), &private(key), further, ending)
}

#[test]
fn openpgp_files_arrive_and_are_known_by_what_was_delivered() {
    let ours = key();
    let sealed = company(&ours, "", ".gz.gpg");
    let file = encrypted(&ours, None, &packed(&roster(5)));
    sealed.takes("roster_20261120.csv.gz.gpg", &file, 5);
    let again = sealed.company.run_now().exits(0);
    again.says("Nothing changed");
    let pulled = sealed.company.events("source_pulled").pop().unwrap();
    let told = pulled.to_string();
    assert!(told.contains("roster_20261120.csv.gz.gpg"), "{told}");
    // The same roster encrypted anew is another file, and nothing changes.
    let anew = encrypted(&ours, None, &packed(&roster(5)));
    assert_ne!(anew, file);
    sealed.company.deliver("roster_20261121.csv.gz.gpg", anew);
    sealed.company.run_now().exits(0).says("Nothing changed");
    let anew = encrypted(&ours, None, &packed(&roster(6)));
    sealed.takes("roster_20261122.csv.gz.gpg", &anew, 6);
}

#[test]
fn openpgp_files_wait_for_their_marker_and_go_to_the_archive_as_they_came() {
    let ours = key();
    let mut sealed = company(&ours, "", ".gpg");
    sealed
        .company
        .edit("ready: rename", "ready: {marker: \"{name}.done\"}");
    sealed.company.source += "        after: {archive: used}\n";
    let file = encrypted(&ours, None, &roster(5));
    let name = "roster_20261120.csv.gpg";
    sealed.company.deliver(name, &file);
    let waits = sealed.company.run_now().exits(4);
    waits.says("its marker roster_20261120.csv.gpg.done is missing");
    sealed.company.deliver("roster_20261120.csv.gpg.done", "");
    sealed.company.run_now().exits(0).says("Pushed");
    let archived = sealed.company.path("used").join(name);
    assert_eq!(std::fs::read(archived).unwrap(), file);
    for (path, content) in sealed.company.state_files() {
        let key = private(&ours);
        let line = key.split(|byte| *byte == b'\n').nth(4).unwrap();
        let holds = content.windows(line.len()).any(|bytes| bytes == line);
        assert!(!holds, "{} holds the private key", path.display());
    }
}

#[test]
fn openpgp_files_of_absences_are_opened_with_the_same_key_and_refused_in_the_clear() {
    let key = key();
    let mut sealed = company(&key, "", ".gpg");
    with_absences(&mut sealed.company);
    let roster = encrypted(&key, None, &roster(5));
    let name = "roster_20261120.csv.gpg";
    sealed.refuses(name, &roster, &["absences_20261120.csv is not encrypted"]);
    let absences = encrypted(&key, None, &packed(file(&[LEAVE]).as_bytes()));
    sealed.company.deliver("absences_20261120.csv", absences);
    sealed.takes(name, &roster, 5);
    let pulled = sealed.company.events("source_pulled").pop().unwrap();
    assert_eq!(pulled["absences"]["file"], "absences_20261120.csv");
}

#[test]
fn openpgp_files_that_are_signed_as_asked_arrive_and_others_do_not() {
    let (ours, sender, stranger) = (key(), key(), key());
    let sealed = company(&ours, ", verify_with: [sender.asc]", ".gpg");
    sealed.write("sender.asc", public(&sender));
    let name = "roster_20261120.csv.gpg";
    let unsigned = encrypted(&ours, None, &roster(5));
    sealed.refuses(name, &unsigned, &["there is none", "asks for one"]);
    let strange = encrypted(&ours, Some(&stranger), &roster(5));
    sealed.refuses(name, &strange, &["none of the keys of decrypt.verify_with"]);
    sealed.takes(name, &encrypted(&ours, Some(&sender), &roster(5)), 5);
    let strange = encrypted(&ours, Some(&stranger), &roster(2));
    let says = ["none of the keys of decrypt.verify_with"];
    sealed.refuses("roster_20261121.csv.gpg", &strange, &says);
}

#[test]
fn openpgp_files_that_were_cut_damaged_swapped_or_in_the_clear_offboard_nobody() {
    let (ours, other) = (key(), key());
    let sealed = company(&ours, "", ".gpg");
    sealed.takes(
        "roster_20261120.csv.gpg",
        &encrypted(&ours, None, &roster(5)),
        5,
    );
    let name = "roster_20261121.csv.gpg";
    let whole = encrypted(&ours, None, &roster(3));
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        sealed.refuses(name, &damaged, &[name]);
        sealed.refuses(name, &whole[..whole.len() - 1 - at], &[name]);
    }
    let elsewhere = encrypted(&other, None, &roster(3));
    sealed.refuses(name, &elsewhere, &["is encrypted to", "holds"]);
    sealed.refuses(name, &roster(3), &["is not encrypted"]);
    let twice = encrypted(&ours, None, &whole);
    sealed.refuses(
        name,
        &twice,
        &["encrypted (PGP) inside its packing, or twice"],
    );
    let good = encrypted(&ours, None, &roster(6));
    sealed.takes("roster_20261122.csv.gpg", &good, 6);
}

#[test]
fn openpgp_files_need_a_key_and_check_says_which_there_is() {
    let ours = key();
    let mut sealed = company(&ours, "", ".gpg");
    let file = encrypted(&ours, None, &roster(5));
    sealed.company.deliver("roster_20261120.csv.gpg", &file);
    let checked = sealed.company.run(&["check"]).exits(0);
    let fingerprint = format!("the private key {:X} (subkey", ours.fingerprint());
    let checked = checked.says(&fingerprint).says("without an end");
    checked
        .says("signatures are not looked at")
        .says("roster_20261120.csv.gpg, 5 rows");

    sealed.write("private", public(&ours));
    let says = ["decrypt.private_key: The secret at", "is a public key"];
    sealed.refuses("roster_20261121.csv.gpg", &file, &says);
    let checked = sealed.company.run(&["check", "--offline"]).exits(4);
    let checked = checked.says("sources[0].decrypt.private_key: The secret at");
    checked.says("config.yaml:");
    let private = sealed.company.path("private");
    std::fs::remove_file(private).unwrap();
    let checked = sealed.company.run(&["check", "--offline"]).exits(4);
    checked.says("cannot be read");

    let keys = "        decrypt: {private_key: {file: private}}\n";
    sealed.company.source = sealed.company.source.replace(keys, "");
    sealed.refuses(
        "roster_20261122.csv.gpg",
        &file,
        &["set decrypt.private_key"],
    );
}

#[test]
fn openpgp_keys_of_the_configuration_are_checked_as_strictly_as_others() {
    let ours = key();
    for (wrong, says) in [
        ("{}", "The key `private_key` is missing here"),
        (
            "{private_key: geheim}",
            "A secret does not stand in this file",
        ),
        (
            "{private_key: {file: private}, passphrase: geheim}",
            "A secret does not stand in this file",
        ),
        (
            "{private_key: {file: private}, verify_with: []}",
            "An empty list would let nobody sign",
        ),
        (
            "{private_key: {file: private}, verify: [a]}",
            "did you mean `verify_with`?",
        ),
    ] {
        let mut sealed = company(&ours, "", ".gpg");
        sealed.company.edit("{private_key: {file: private}}", wrong);
        let ran = sealed.company.run(&["check", "--offline"]).exits(2);
        let ran = ran.says(says).says("sources[0].decrypt");
        assert!(!format!("{ran:?}").contains("geheim"));
    }
}

#[test]
fn openpgp_key_and_passphrase_come_from_the_environment_or_a_credential() {
    let ours = key();
    let file = encrypted(&ours, None, &roster(5));
    for place in ["{env: TEST_PRIVATE_KEY}", "{credential: payroll.key}"] {
        let mut sealed = company(&ours, "", ".gpg");
        sealed.company.edit(
            "{private_key: {file: private}}",
            &format!("{{private_key: {place}}}"),
        );
        sealed.company.deliver("roster_20261120.csv.gpg", &file);
        let offline = sealed.company.run(&["check", "--offline"]);
        if place.contains("credential") {
            offline
                .exits(0)
                .says("the keys of decrypt were not checked");
        } else {
            offline.exits(4).says("TEST_PRIVATE_KEY is not set");
        }
        let text = String::from_utf8(private(&ours)).unwrap();
        sealed.write("payroll.key", &text);
        let folder = sealed.company.path("").display().to_string();
        sealed.company.variables.extend([
            ("TEST_PRIVATE_KEY".to_owned(), text),
            ("CREDENTIALS_DIRECTORY".to_owned(), folder),
        ]);
        sealed.company.run_now().exits(0).says("Pushed");
    }
}

/// An archive of one stored file.
fn zipped(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let crc = crc.sum().to_le_bytes();
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &crc,
        &size,
        &size,
        &[10, 0, 0, 0],
    ]
    .concat();
    let mut archive = [b"PK\x03\x04", &common[..], b"roster.csv", bytes].concat();
    let offset = u32::try_from(archive.len()).unwrap().to_le_bytes();
    let directory = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], b"roster.csv"].concat();
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    archive.extend([&offset[..], &[0, 0]].concat());
    archive
}

#[test]
fn packed_zip_archive_with_one_file_arrives_and_no_other() {
    let ours = key();
    let mut sealed = company(&ours, "", ".zip");
    sealed
        .company
        .edit("        decrypt: {private_key: {file: private}}\n", "");
    sealed.takes("roster_20261120.csv.zip", &zipped(&roster(5)), 5);
    let whole = zipped(&roster(3));
    let name = "roster_20261121.csv.zip";
    for length in (4..whole.len()).step_by(53) {
        sealed.refuses(name, &whole[..length], &["was cut short or is damaged"]);
    }
    for at in [60, 200, whole.len() - 62] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        sealed.refuses(name, &damaged, &[name]);
    }
    sealed.refuses(name, &whole.repeat(2), &["was cut short or is damaged"]);
    sealed.refuses(name, &roster(3), &["is no zip archive"]);
    let twice = zipped(&packed(&roster(3)));
    sealed.refuses(name, &twice, &["packed more than once"]);
    sealed.takes("roster_20261122.csv.zip", &zipped(&roster(6)), 6);
}
