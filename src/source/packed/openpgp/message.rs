//! One encrypted message, read three times: to check its end, to count what is in it, and to take that out.
//!
//! The first pass only decrypts, to its last byte, where the integrity check stands; nothing of what comes out is looked at. The second looks for the one file
//! inside and counts its bytes, so that a message that unpacks to gigabytes is refused before room is made. The third takes the file out, and with it the
//! digests that its signatures are held against.

use std::io::BufRead;

use pgp::composed::{DecryptionOptions, Edata, Esk, Message, PlainSessionKey, TheRing};
use pgp::packet::{Decompressor, LiteralDataHeader, PacketParser};
use pgp::types::{Seipdv1ReadMode, Tag};

use super::super::capped::{self, Failed};
use super::error::Damage;

/// The most bytes that a packet beside the file may have, such as a signature.
const MOST_BESIDE: u64 = 1 << 16;
/// The most packets beside the file.
const MOST_PACKETS: usize = 64;

const BEGIN: &[u8] = b"-----BEGIN PGP MESSAGE-----";
const END: &[u8] = b"-----END PGP MESSAGE-----";

/// An encrypted message as it was delivered.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'b>(&'b [u8]);

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unreadable {
    NotEncrypted,
    NotProtected,
    Damaged(Damage),
    TooLarge,
}

impl From<Failed> for Unreadable {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::TooLarge => Self::TooLarge,
            Failed::Read(_) => Self::Damaged(Damage::Inside),
        }
    }
}

impl<'b> Sealed<'b> {
    /// A file that looks like an encrypted message. In armor, it has to be one whole block and nothing else: a second block would be lost.
    pub(super) fn of(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        let text = bytes.trim_ascii();
        if text.starts_with(BEGIN) {
            let mut lines = text.split(|byte| *byte == b'\n');
            let begins = lines.by_ref().filter(|line| line.starts_with(b"-----"));
            return if text.ends_with(END) && begins.count() == 2 {
                Ok(Self(text))
            } else {
                Err(Unreadable::Damaged(Damage::Armor))
            };
        }
        let tag = match bytes.first() {
            Some(byte) if byte & 0xC0 == 0xC0 => byte & 0x3F,
            Some(byte) if byte & 0x80 != 0 => (byte >> 2) & 0x0F,
            _ => return Err(Unreadable::NotEncrypted),
        };
        // The keys to a message, an encrypted body, or what may stand before them.
        match tag {
            1 | 3 | 9 | 10 | 18 | 20 | 21 => Ok(Self(bytes)),
            _ => Err(Unreadable::NotEncrypted),
        }
    }

    fn message(self) -> Result<Message<'b>, Unreadable> {
        let (message, _) =
            Message::from_reader(self.0).map_err(|_| Unreadable::Damaged(Damage::Form))?;
        Ok(message)
    }

    /// The session keys of the message, each locked for one receiver, and its encrypted body.
    fn open(self) -> Result<(Vec<Esk>, Edata<'b>), Unreadable> {
        match self.message()? {
            Message::Encrypted { esk, edata, .. } => match edata {
                Edata::SymEncryptedData { .. } => Err(Unreadable::NotProtected),
                _ => Ok((esk, edata)),
            },
            _ => Err(Unreadable::NotEncrypted),
        }
    }

    /// The session keys of the message, each locked for one receiver.
    pub(super) fn locked_keys(self) -> Result<Vec<Esk>, Unreadable> {
        Ok(self.open()?.0)
    }

    fn body(self, key: &PlainSessionKey) -> Result<Edata<'b>, Unreadable> {
        let (_, mut body) = self.open()?;
        body.decrypt_with_options(key, options())
            .map_err(|_| Unreadable::Damaged(Damage::Integrity))?;
        Ok(body)
    }

    /// Reads the message to its end, where its integrity shows, and tells how many bytes the file in it has.
    pub(super) fn measure(self, key: &PlainSessionKey, most: u64) -> Result<u64, Unreadable> {
        capped::count(&mut self.body(key)?, u64::MAX)
            .map_err(|_| Unreadable::Damaged(Damage::Integrity))?;
        let length = measure(&mut self.body(key)?, most, Place::Message)?;
        length.ok_or(Unreadable::Damaged(Damage::Inside))
    }

    /// The file in the message, which has so many bytes, and the message, whose signatures can now be verified.
    pub(super) fn read(
        self,
        key: &PlainSessionKey,
        length: u64,
    ) -> Result<(Vec<u8>, Message<'b>), Unreadable> {
        let inside = |_| Unreadable::Damaged(Damage::Inside);
        let ring = TheRing {
            session_keys: vec![key.clone()],
            decrypt_options: options(),
            ..TheRing::default()
        };
        let (mut message, _) = self
            .message()?
            .decrypt_the_ring(ring, true)
            .map_err(inside)?;
        // Compressed at most once, inside a signature or around it.
        for _ in 0..2 {
            message = message.decompress().map_err(inside)?;
        }
        let bytes = capped::exactly(&mut message, length)?;
        Ok((bytes, message))
    }
}

/// The body is read as it is decrypted, which `measure` has done once to its end before anything is believed; GnuPG's own form of AEAD is as good as the
/// standard's.
fn options() -> DecryptionOptions {
    DecryptionOptions::new()
        .set_seipdv1_read_mode(Seipdv1ReadMode::Streaming)
        .enable_gnupg_aead()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Message,
    Compressed,
}

/// How many bytes the one file in a stream of packets has; `None` where there is none.
fn measure(stream: &mut dyn BufRead, most: u64, place: Place) -> Result<Option<u64>, Unreadable> {
    let malformed = || Unreadable::Damaged(Damage::Inside);
    let mut packets = PacketParser::new(stream);
    let mut length = None;
    for _ in 0..MOST_PACKETS {
        let Some(packet) = packets.next_ref() else {
            return Ok(length);
        };
        let mut packet = packet.map_err(|_| malformed())?;
        match packet.packet_header().tag() {
            Tag::LiteralData if length.is_none() => {
                LiteralDataHeader::try_from_reader(&mut packet).map_err(|_| malformed())?;
                length = Some(capped::count(&mut packet, most)?);
            }
            Tag::CompressedData if length.is_none() && place == Place::Message => {
                let mut plain = Decompressor::from_reader(&mut packet).map_err(|_| malformed())?;
                length = measure(&mut plain, most, Place::Compressed)?;
                // What stands behind its end is part of the message, and so no more than that.
                capped::count(&mut packet, u64::MAX)?;
            }
            Tag::OnePassSignature
            | Tag::Signature
            | Tag::Marker
            | Tag::Padding
            | Tag::UnassignedNonCritical(_)
            | Tag::Experimental(_) => {
                capped::count(&mut packet, MOST_BESIDE).map_err(|_| malformed())?;
            }
            _ => return Err(malformed()),
        }
    }
    Err(malformed())
}
