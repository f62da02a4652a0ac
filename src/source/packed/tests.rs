//! Tests of packed and encrypted files. Keys and messages are made by the crate itself; what the real gpg makes is tested from outside.

mod crafted;
mod keys;
mod laws;

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use pgp::composed::{
    ArmorOptions, EncryptionCaps, KeyType, MessageBuilder, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::ser::Serialize as _;
use pgp::types::{CompressionAlgorithm, Password};
use rand::thread_rng;
use tempfile::TempDir;

use super::zip::tests::archive_of;
use super::*;
use crate::config::{Decrypt, SecretRef};
use crate::source::intake::tests::source;

/// Longer than the buffers of the crate, so that a cut falls into every state of it.
static ROSTER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let rows = (1..=2000).map(|number| format!("{number:05};Anna;Beispiel\r\n"));
    format!("PersNr;Vorname;Nachname\r\n{}", rows.collect::<String>()).into_bytes()
});

/// A key with a part for signing and one for encryption, locked where there is a passphrase.
fn key(passphrase: Option<&str>) -> SignedSecretKey {
    let passphrase = passphrase.map(str::to_owned);
    let sub = |kind: KeyType, signs: bool| {
        let uses = if signs {
            EncryptionCaps::None
        } else {
            EncryptionCaps::All
        };
        let mut builder = SubkeyParamsBuilder::default();
        builder.key_type(kind).can_sign(signs).can_encrypt(uses);
        builder.passphrase(passphrase.clone()).build().unwrap()
    };
    let mut builder = SecretKeyParamsBuilder::default();
    builder
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .passphrase(passphrase.clone())
        .primary_user_id("invented <invented@example.com>".to_owned())
        .subkeys(vec![
            sub(KeyType::Ed25519Legacy, true),
            sub(KeyType::ECDH(ECCCurve::Curve25519Legacy), false),
        ]);
    builder.build().unwrap().generate(thread_rng()).unwrap()
}

static OURS: LazyLock<SignedSecretKey> = LazyLock::new(|| key(None));
static SENDERS: LazyLock<SignedSecretKey> = LazyLock::new(|| key(None));

fn public(key: &SignedSecretKey) -> SignedPublicKey {
    key.clone().into()
}

fn packed_with_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How a message is made.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Made {
    compression: Option<CompressionAlgorithm>,
    signed: bool,
    aead: bool,
    armored: bool,
    anonymous: bool,
}

impl Made {
    fn of(self, bytes: &[u8], to: &SignedSecretKey) -> Vec<u8> {
        let to = public(to);
        let to = &to.public_subkeys[1].key;
        let mut plain = MessageBuilder::from_bytes("roster.csv", bytes.to_vec());
        if let Some(compression) = self.compression {
            plain.compression(compression);
        }
        let signer = &SENDERS.secret_subkeys[0].key;
        if self.signed {
            plain.sign(signer, Password::empty(), HashAlgorithm::Sha256);
        }
        let rng = thread_rng;
        let aes = SymmetricKeyAlgorithm::AES256;
        if self.aead {
            let mut builder = plain.seipd_v2(rng(), aes, AeadAlgorithm::Ocb, ChunkSize::default());
            builder.encrypt_to_key(rng(), to).unwrap();
            return builder.to_vec(rng()).unwrap();
        }
        let mut builder = plain.seipd_v1(rng(), aes);
        if self.anonymous {
            builder.encrypt_to_key_anonymous(rng(), to).unwrap();
        } else {
            builder.encrypt_to_key(rng(), to).unwrap();
        }
        if self.armored {
            let armored = builder.to_armored_string(rng(), ArmorOptions::default());
            armored.unwrap().into_bytes()
        } else {
            builder.to_vec(rng()).unwrap()
        }
    }
}

/// A source with a key of its own, and who may sign for it.
struct Ours {
    folder: TempDir,
    source: Source,
}

impl Ours {
    fn with(key: &SignedSecretKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        std::fs::write(&path, key.to_bytes().unwrap()).unwrap();
        let decrypt = Decrypt {
            private_key: SecretRef::File(path),
            passphrase: None,
            verify_with: None,
        };
        let mut source = source("roster_*");
        source.decrypt = Some(decrypt);
        source.table.max_megabytes = 1;
        Self { folder, source }
    }

    fn path(&self, name: &str, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn decrypt(&mut self) -> &mut Decrypt {
        self.source.decrypt.as_mut().unwrap()
    }

    fn demanding(mut self, signer: &SignedSecretKey) -> Self {
        let armored = public(signer).to_armored_bytes(ArmorOptions::default());
        let path = self.path("signer.asc", armored.unwrap());
        self.decrypt().verify_with = Some(vec![path]);
        self
    }

    fn unpack(&self, bytes: impl Into<Vec<u8>>, name: &str) -> Result<Vec<u8>, PackedError> {
        unpack(bytes.into(), name, &self.source, Utc::now())
            .map(|unpacked| unpacked.bytes.into_one())
    }

    fn refuses(&self, bytes: impl Into<Vec<u8>>, name: &str) -> OpenPgpError {
        match self.unpack(bytes, name) {
            Err(PackedError::OpenPgp(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_of_every_form_is_decrypted() {
    let ours = Ours::with(&OURS);
    let signed = Ours::with(&OURS).demanding(&SENDERS);
    let compressions = [
        None,
        Some(CompressionAlgorithm::ZIP),
        Some(CompressionAlgorithm::ZLIB),
        Some(CompressionAlgorithm::BZip2),
        Some(CompressionAlgorithm::Uncompressed),
    ];
    for compression in compressions {
        for form in 0..16 {
            let made = Made {
                compression,
                signed: form & 1 != 0,
                aead: form & 2 != 0,
                armored: form & 4 != 0,
                anonymous: form & 8 != 0,
            };
            let message = made.of(&ROSTER, &OURS);
            let plain = ours.unpack(message.clone(), "roster_1.csv.gpg").unwrap();
            assert!(plain == *ROSTER);
            if made.signed {
                let plain = signed.unpack(message, "roster_1.csv").unwrap();
                assert!(plain == *ROSTER);
            }
        }
    }
}

#[test]
fn what_is_encrypted_may_be_packed_once() {
    let ours = Ours::with(&OURS);
    for (inside, name) in [
        (packed_with_gzip(&ROSTER), "roster.csv.gz.pgp"),
        (archive_of("roster.csv", &ROSTER), "roster.zip.GPG"),
        (archive_of("roster.csv", &ROSTER), "roster.asc"),
    ] {
        let message = Made::default().of(&inside, &OURS);
        assert!(ours.unpack(message, name).unwrap() == *ROSTER);
    }
    let twice = Made::default().of(&packed_with_gzip(&packed_with_gzip(b"a;b\n")), &OURS);
    let once = ours.unpack(twice, "roster.csv.gz.gpg").unwrap();
    assert!(
        once.starts_with(&[0x1F, 0x8B]),
        "the table reader refuses it"
    );
    let inside_out = packed_with_gzip(&Made::default().of(&ROSTER, &OURS));
    let refused = ours.refuses(inside_out, "roster.csv.gpg.gz");
    assert!(matches!(refused, OpenPgpError::Plain { .. }));
    let misnamed = Made::default().of(&ROSTER, &OURS);
    let misnamed = ours.unpack(misnamed, "roster.csv.gz.gpg").unwrap_err();
    assert!(misnamed.to_string().contains("is not packed with gzip"));
}

#[test]
fn an_encrypted_file_needs_a_key_and_a_key_needs_encrypted_files() {
    let ours = Ours::with(&OURS);
    let mut open = source("roster_*");
    open.decrypt = None;
    let message = Made::default().of(&ROSTER, &OURS);
    let armored = Made {
        armored: true,
        ..Made::default()
    };
    for (bytes, name) in [
        (message.clone(), "roster.csv"),
        (armored.of(&ROSTER, &OURS), "roster.csv"),
        (ROSTER.clone(), "roster.csv.asc"),
    ] {
        let error = unpack(bytes, name, &open, Utc::now()).unwrap_err();
        assert!(error.to_string().contains("set decrypt.private_key"));
    }
    for plain in [
        &ROSTER[..],
        "Änne;1\n".as_bytes(),
        b"\xC4nne;1\n",
        b"",
        b"-----BEGIN PGP SIGNATURE-----\n",
    ] {
        for name in ["roster.csv", "roster.csv.gpg"] {
            let error = ours.refuses(plain, name);
            let refused = matches!(
                error,
                OpenPgpError::Plain { .. } | OpenPgpError::Damaged { .. }
            );
            assert!(refused, "{error}");
        }
    }
    assert!(matches!(
        ours.refuses(ROSTER.clone(), "roster.csv.gpg"),
        OpenPgpError::Plain { .. }
    ));
}

#[test]
fn a_message_to_others_names_both_keys() {
    let ours = Ours::with(&OURS);
    let error = ours.refuses(Made::default().of(&ROSTER, &SENDERS), "roster.gpg");
    let id = |key: &SignedSecretKey| {
        use pgp::types::KeyDetails as _;
        let subkey = &key.secret_subkeys[1].key;
        subkey.legacy_key_id().to_string().to_uppercase()
    };
    let OpenPgpError::NotForUs { to, ours, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((to, ours), (id(&SENDERS), id(&OURS)));
    let ours = Ours::with(&OURS);
    let anonymous = Made {
        anonymous: true,
        ..Made::default()
    };
    let error = ours.refuses(anonymous.of(&ROSTER, &SENDERS), "roster.gpg");
    assert!(error.to_string().contains("a key that it does not name"));
}

#[test]
fn more_than_the_source_allows_is_refused_in_every_layer() {
    let ours = Ours::with(&OURS);
    let most = vec![b'x'; 1_000_000];
    let more = vec![b'x'; 1_000_001];
    let zlib = Made {
        compression: Some(CompressionAlgorithm::ZLIB),
        ..Made::default()
    };
    for made in [Made::default(), zlib] {
        let fits = ours.unpack(made.of(&most, &OURS), "roster.gpg").unwrap();
        assert_eq!(fits.len(), most.len());
        let error = ours.refuses(made.of(&more, &OURS), "roster.gpg");
        assert!(matches!(error, OpenPgpError::TooLarge { .. }), "{error}");
    }
    for inside in [packed_with_gzip(&more), archive_of("r", &more)] {
        let message = Made::default().of(&inside, &OURS);
        let error = ours.unpack(message, "roster.gpg").unwrap_err();
        assert!(
            error.to_string().contains("more than 1000000 bytes"),
            "{error}"
        );
    }
}
