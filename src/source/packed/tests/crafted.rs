//! Messages that no honest program writes: other packets than a file and its signatures, in other places.

use pgp::packet::{
    LiteralData, PacketTrait, PublicKeyEncryptedSessionKey, SymEncryptedProtectedData,
};

use super::*;

/// Encrypts these packets, whatever they are.
fn sealed(packets: &[u8]) -> Vec<u8> {
    let aes = SymmetricKeyAlgorithm::AES256;
    let key = aes.new_session_key(thread_rng());
    let to = public(&OURS);
    let to = &to.public_subkeys[1].key;
    let locked =
        PublicKeyEncryptedSessionKey::from_session_key_v3(thread_rng(), &key, aes, to).unwrap();
    let body = SymEncryptedProtectedData::encrypt_seipdv1(thread_rng(), aes, key.as_ref(), packets);
    let mut message = Vec::new();
    locked.to_writer_with_header(&mut message).unwrap();
    body.unwrap().to_writer_with_header(&mut message).unwrap();
    message
}

/// A file as a packet.
fn literal(bytes: &[u8]) -> Vec<u8> {
    let packet = LiteralData::from_bytes("", bytes.to_vec().into()).unwrap();
    let mut packets = Vec::new();
    packet.to_writer_with_header(&mut packets).unwrap();
    packets
}

/// A packet of this kind, in the new form with a length of four bytes.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xC0 | tag, 0xFF][..], &length, body].concat()
}

/// A packet of packed packets.
fn packed(packets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(vec![2], Compression::default());
    encoder.write_all(packets).unwrap();
    packet(8, &encoder.finish().unwrap())
}

#[test]
fn other_packets_than_one_file_are_refused() {
    let ours = Ours::with(&OURS);
    let file = literal(b"a;b\n");
    let marker = packet(10, b"PGP");
    for good in [
        file.clone(),
        packed(&file),
        [&marker[..], &file].concat(),
        packet(11, b"b\0\0\0\0\0a;b\n"),
    ] {
        assert_eq!(ours.unpack(sealed(&good), "r.gpg").unwrap(), b"a;b\n");
    }
    let nothing = [Vec::new(), marker.clone(), packed(&[]), packed(&marker)];
    let twice = [
        file.repeat(2),
        packed(&file.repeat(2)),
        [packed(&file), file.clone()].concat(),
        packed(&file).repeat(2),
        packed(&packed(&file)),
        [file.clone(), packed(&file)].concat(),
    ];
    let strange = [
        [packet(1, b"x"), file.clone()].concat(),
        [file.clone(), packet(6, b"x")].concat(),
        sealed(&file),
        [file[..file.len() - 1].to_vec(), Vec::new()].concat(),
        b"a;b\n".to_vec(),
    ];
    for bad in nothing.iter().chain(&twice).chain(&strange) {
        let error = ours.refuses(sealed(bad), "r.gpg");
        assert!(matches!(error, OpenPgpError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_signature_or_padding_of_many_megabytes_is_refused_before_it_is_read() {
    let ours = Ours::with(&OURS);
    let much = vec![0; 4 << 20];
    for tag in [2, 4, 10, 21, 60] {
        let packets = [packet(tag, &much), literal(b"a;b\n")].concat();
        for bad in [packed(&packets), packets] {
            let error = ours.refuses(sealed(&bad), "r.gpg");
            assert!(matches!(error, OpenPgpError::Damaged { .. }), "{error}");
        }
    }
    let many = [packet(10, b"PGP").repeat(1000), literal(b"a;b\n")].concat();
    let error = ours.refuses(sealed(&packed(&many)), "r.gpg");
    assert!(matches!(error, OpenPgpError::Damaged { .. }), "{error}");
}

#[test]
fn a_file_that_was_changed_after_it_was_signed_is_refused_only_where_that_is_asked() {
    let mut message = MessageBuilder::from_bytes("", ROSTER[..500].to_vec());
    let by = &SENDERS.secret_subkeys[0].key;
    message.sign(by, Password::empty(), HashAlgorithm::Sha256);
    let packets = message.to_vec(thread_rng()).unwrap();
    let demanding = Ours::with(&OURS).demanding(&SENDERS);
    let good = demanding.unpack(sealed(&packets), "r.gpg").unwrap();
    assert_eq!(good, ROSTER[..500]);
    let mut changed = packets;
    let anna = changed.windows(4).position(|bytes| bytes == b"Anna");
    changed[anna.unwrap()] = b'O';
    let error = demanding.refuses(sealed(&changed), "r.gpg").to_string();
    assert!(
        error.contains("does not fit what the file holds"),
        "{error}"
    );
    let read = Ours::with(&OURS).unpack(sealed(&changed), "r.gpg");
    assert_eq!(read.unwrap().len(), 500);
}

#[test]
fn a_message_without_protection_against_changes_is_refused() {
    let ours = Ours::with(&OURS);
    let mut message = Made::default().of(&ROSTER, &OURS);
    // The tag of the body behind the session key: symmetrically encrypted and integrity protected (18) becomes the old one (9).
    let body = 2 + usize::from(message[1]);
    assert_eq!(message[body], 0xD2);
    message[body] = 0xC9;
    let error = ours.refuses(message, "roster.gpg");
    assert!(
        matches!(error, OpenPgpError::NotProtected { .. }),
        "{error}"
    );
}

#[test]
fn what_stands_behind_a_message_is_refused() {
    let ours = Ours::with(&OURS);
    let armored = Made {
        armored: true,
        ..Made::default()
    };
    for made in [Made::default(), armored] {
        let message = made.of(&ROSTER, &OURS);
        for behind in [message.clone(), b"roster".to_vec()] {
            let error = ours.refuses([message.clone(), behind].concat(), "roster.gpg");
            assert!(matches!(error, OpenPgpError::Damaged { .. }), "{error}");
        }
    }
    let message = armored.of(&ROSTER, &OURS);
    let spaced = [b"\r\n", &message[..], b"\r\n\r\n"].concat();
    assert!(ours.unpack(spaced, "roster.asc").unwrap() == *ROSTER);
}
