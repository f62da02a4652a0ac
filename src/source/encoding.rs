//! Bytes to text, strictly.
//!
//! No decoder complains when UTF-8 is read as Windows-1252 or code page 850 as either: it gives other letters, and a changed name or e-mail address
//! goes out. So the text is searched for what such a mistake leaves behind, and one such sign fails the file. All of it is done piece by piece ([`text`](super::text)), with several processors:
//! no sign is longer than a line.

mod damage;

use std::convert::Infallible;
use std::string::FromUtf8Error;

use encoding_rs::{CoderResult, WINDOWS_1252};

use super::table::foreign;
use super::table::{At, Damage, Spot, TableError};
use super::text::{Bytes, Text, Units, lines};
use crate::config::Encoding;
use crate::parallel::{self, Spare};

/// Byte order marks.
const MARKS: [(&[u8], Encoding); 3] = [
    (b"\xEF\xBB\xBF", Encoding::Utf8),
    (b"\xFF\xFE", Encoding::Utf16Le),
    (b"\xFE\xFF", Encoding::Utf16Be),
];

/// How many bytes tell UTF-16 without a mark.
const SAMPLE: usize = 1024;

fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Auto => "auto",
        Encoding::Utf8 => "UTF-8",
        Encoding::Windows1252 => "Windows-1252",
        Encoding::Utf16Le => "UTF-16LE",
        Encoding::Utf16Be => "UTF-16BE",
    }
}

/// The text of a file, without its byte order mark.
pub fn decode(bytes: impl Into<Bytes>, file: &str, setting: Encoding) -> Result<Text, TableError> {
    let mut bytes = bytes.into();
    let owned = || file.to_owned();
    if bytes.len() == 0 {
        return Err(TableError::Empty { file: owned() });
    }
    if let Some(what) = foreign::of_bytes(bytes.head()) {
        return Err(TableError::Foreign {
            file: owned(),
            what,
        });
    }
    let mark = MARKS
        .iter()
        .find(|(mark, _)| bytes.head().starts_with(mark));
    let marked = mark.map(|(mark, encoding)| {
        bytes.skip(mark.len());
        *encoding
    });
    let encoding = match (setting, marked) {
        (Encoding::Auto, Some(found)) => found,
        (Encoding::Auto, None) => guess(bytes.head()),
        (setting, Some(found)) if setting != found => {
            return Err(TableError::OtherMark {
                file: owned(),
                found: name(found),
                setting: name(setting),
            });
        }
        (setting, _) => setting,
    };
    let units = match encoding {
        Encoding::Utf16Le => Units::Pairs(u16::from_le_bytes),
        Encoding::Utf16Be => Units::Pairs(u16::from_be_bytes),
        Encoding::Windows1252 | Encoding::Utf8 | Encoding::Auto => Units::Bytes,
    };
    let (pieces, line_end) = bytes.lines(units);
    let file = File {
        name: file,
        units,
        line_end,
    };
    if setting == Encoding::Windows1252
        && let Some(at) = file.utf_8_in(&pieces)
    {
        return Err(TableError::IsUtf8 { at });
    }
    match encoding {
        // No byte that is not ASCII may be anything else.
        Encoding::Auto => match file.read(pieces, Encoding::Utf8) {
            Err(NotIn { pieces, .. }) => file.text(pieces, Encoding::Windows1252),
            Ok(read) => file.judge(read),
        },
        encoding => file.text(pieces, encoding),
    }
}

/// What a file without a byte order mark is written in, where that shows in its beginning; otherwise it is UTF-8 or else Windows-1252.
fn guess(bytes: &[u8]) -> Encoding {
    // Latin text in UTF-16 has a NUL in nearly every pair, always on the same side.
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let nuls = |side: usize| {
        sample
            .iter()
            .skip(side)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd, pairs) = (nuls(0), nuls(1), sample.len() / 2);
    if odd * 2 > pairs && even == 0 {
        Encoding::Utf16Le
    } else if even * 2 > pairs && odd == 0 {
        Encoding::Utf16Be
    } else {
        Encoding::Auto
    }
}

/// A file that is being read.
#[derive(Clone, Copy)]
struct File<'f> {
    name: &'f str,
    units: Units,
    line_end: char,
}

/// A piece of it that is in the encoding, and the first sign in it of another one, if there is any.
struct Piece {
    text: Box<str>,
    sign: Option<(usize, char, Damage)>,
}

/// What one is made of.
struct Made {
    /// What the text was made from, where that is something else.
    bytes: Option<Vec<u8>>,
    text: String,
    sign: Option<(usize, char, Damage)>,
}

/// Some piece is not in the encoding.
struct NotIn {
    /// All of them, as they were.
    pieces: Vec<Vec<u8>>,
    at: At,
}

impl File<'_> {
    /// The text of pieces in this encoding. That they are in it counts before any sign of another one.
    fn text(self, pieces: Vec<Vec<u8>>, encoding: Encoding) -> Result<Text, TableError> {
        match self.read(pieces, encoding) {
            Ok(read) => self.judge(read),
            Err(NotIn { at, .. }) => Err(TableError::NotInEncoding {
                at,
                encoding: name(encoding),
            }),
        }
    }

    /// Pieces in this encoding, with several processors.
    fn read(self, pieces: Vec<Vec<u8>>, encoding: Encoding) -> Result<Vec<Piece>, NotIn> {
        let mut read = Vec::with_capacity(pieces.len());
        let spare = Spare::default();
        let Ok(()) = parallel::in_order(
            pieces.into_iter(),
            |bytes| self.piece(bytes, encoding, &spare),
            |made| {
                // What stays is in memory that this thread has taken and gives back: so what it gives back is soon free for what it takes.
                read.push(made.map(|Made { bytes, text, sign }| {
                    let text = match bytes {
                        None => text.into(),
                        Some(bytes) => {
                            drop(bytes);
                            let stays = Box::from(&*text);
                            spare.give(text);
                            stays
                        }
                    };
                    Piece { text, sign }
                }));
                Ok::<_, Infallible>(())
            },
        );
        let Some(place) = read.iter().position(Result::is_err) else {
            return Ok(read.into_iter().flatten().collect());
        };
        // All before it are in the encoding.
        let all = read[..place].iter().flatten();
        let lines = lines(all.map(|piece| &*piece.text), self.line_end);
        let before = match &read[place] {
            Err(bytes) => self.text_before(bytes),
            Ok(_) => String::new(),
        };
        let bytes = |piece: Result<Piece, Vec<u8>>| match piece {
            Ok(piece) => String::from(piece.text).into_bytes(),
            Err(bytes) => bytes,
        };
        Err(NotIn {
            pieces: read.into_iter().map(bytes).collect(),
            at: self.place(lines, &before),
        })
    }

    /// The text before what is not in the encoding.
    fn text_before(self, bytes: &[u8]) -> String {
        match self.units {
            Units::Pairs(unit) => utf_16(bytes, unit).0,
            Units::Bytes => {
                let valid = str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
                String::from_utf8_lossy(&bytes[..valid]).into_owned()
            }
        }
    }

    /// The text of a piece; its bytes where they are not in the encoding.
    fn piece(
        self,
        bytes: Vec<u8>,
        encoding: Encoding,
        spare: &Spare<String>,
    ) -> Result<Made, Vec<u8>> {
        let (text, bytes) = match (self.units, encoding) {
            (Units::Pairs(unit), _) => match utf_16(&bytes, unit) {
                (text, true) => (text, Some(bytes)),
                (_, false) => return Err(bytes),
            },
            // Undefined bytes become C1 control characters, which `damage::find` finds.
            (Units::Bytes, Encoding::Windows1252) if !bytes.is_ascii() => {
                let mut text = spare.take();
                windows_1252(&bytes, &mut text);
                (text, Some(bytes))
            }
            // Valid text stays where it is.
            (Units::Bytes, _) => {
                let text = String::from_utf8(bytes);
                (text.map_err(FromUtf8Error::into_bytes)?, None)
            }
        };
        let sign = damage::find(&text, encoding == Encoding::Windows1252);
        Ok(Made { bytes, text, sign })
    }

    /// The text, where no sign of another encoding is in it.
    fn judge(self, read: Vec<Piece>) -> Result<Text, TableError> {
        let found = read.iter().position(|piece| piece.sign.is_some());
        if let Some(found) = found
            && let Piece {
                text,
                sign: Some((offset, code, damage)),
            } = &read[found]
        {
            let lines = lines(
                read[..found].iter().map(|piece| &*piece.text),
                self.line_end,
            );
            return Err(TableError::Damaged {
                at: self.place(lines, &text[..*offset]),
                code: (*code).into(),
                damage: *damage,
            });
        }
        Ok(Text {
            pieces: read.into_iter().map(|piece| piece.text).collect(),
            line_end: self.line_end,
        })
    }

    /// The first letter beyond ASCII where all of the text is UTF-8: text of Windows-1252 whose every such letter happens to be does not exist.
    fn utf_8_in(self, pieces: &[Vec<u8>]) -> Option<At> {
        let texts = pieces.iter().map(|piece| str::from_utf8(piece));
        let texts: Vec<&str> = texts.collect::<Result<_, _>>().ok()?;
        let place = texts.iter().position(|text| !text.is_ascii())?;
        let (before, _) = texts[place].split_at(texts[place].find(|c: char| !c.is_ascii())?);
        let lines = lines(texts[..place].iter().copied(), self.line_end);
        Some(self.place(lines, before))
    }

    /// The place after a text that begins behind so many lines.
    fn place(self, lines: u64, before: &str) -> At {
        let row = 1 + lines + before.matches(self.line_end).count() as u64;
        let line = before.rsplit(self.line_end).next().unwrap_or_default();
        At {
            file: self.name.to_owned(),
            row,
            spot: Spot::Character(line.chars().count() + 1),
        }
    }
}

/// The text of bytes of Windows-1252, in place of what `text` was.
fn windows_1252(bytes: &[u8], text: &mut String) {
    let mut decoder = WINDOWS_1252.new_decoder_without_bom_handling();
    text.clear();
    // With room for what may come of them, all are read at once.
    text.reserve(
        decoder
            .max_utf8_buffer_length(bytes.len())
            .unwrap_or_default(),
    );
    let (result, read, _) = decoder.decode_to_string(bytes, text, true);
    if (result, read) != (CoderResult::InputEmpty, bytes.len()) {
        *text = WINDOWS_1252.decode_without_bom_handling(bytes).0.into();
    }
}

/// The text of pairs of bytes, up to the first that make no character, and whether it is all.
fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (String, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len() + pairs.len() / 8);
    for char in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match char {
            Ok(char) => text.push(char),
            Err(_) => return (text, false),
        }
    }
    (text, rest.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auto(bytes: &[u8]) -> Result<String, TableError> {
        decode(bytes.to_vec(), "roster.csv", Encoding::Auto).map(|text| whole(&text))
    }

    fn whole(text: &Text) -> String {
        text.pieces.concat()
    }

    fn message(bytes: &[u8], setting: Encoding) -> String {
        decode(bytes.to_vec(), "roster.csv", setting)
            .map(|text| whole(&text))
            .unwrap_err()
            .to_string()
    }

    fn utf_16_bytes(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn each_encoding_of_the_same_text_reads_the_same() {
        let text = "Name;Ort\r\nJürgen Weiß;Köln\r\n";
        let mark = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        let (le, be) = (
            utf_16_bytes(text, u16::to_le_bytes),
            utf_16_bytes(text, u16::to_be_bytes),
        );
        let ansi = WINDOWS_1252.encode(text).0.into_owned();
        for bytes in [
            text.into(),
            mark(b"\xEF\xBB\xBF", text.into()),
            le.clone(),
            mark(b"\xFF\xFE", le),
            be.clone(),
            mark(b"\xFE\xFF", be),
            ansi,
        ] {
            assert_eq!(auto(&bytes).unwrap(), text);
        }
    }

    #[test]
    fn a_file_of_many_pieces_is_read_whole_and_its_first_mistake_told_whatever_it_is_written_in() {
        for line_end in ["\n", "\r\n", "\r"] {
            let text = format!("Jürgen Weiß;Köln{line_end}").repeat(70_000);
            let le = |text: &str| utf_16_bytes(text, u16::to_le_bytes);
            let ansi = |text: &str| WINDOWS_1252.encode(text).0.into_owned();
            for bytes in [text.clone().into(), ansi(&text), le(&text)] {
                let decoded = decode(bytes, "roster.csv", Encoding::Auto).unwrap();
                assert!(decoded.pieces.len() > 1);
                let ends = decoded.pieces.iter().all(|piece| piece.ends_with(line_end));
                assert!(ends, "{line_end:?}");
                assert!(whole(&decoded) == text);
            }
            let (mut lines, good) = (text.split_inclusive(line_end), "Jürgen Weiß;Köln");
            let mut broken = String::new();
            for row in 1..=70_000 {
                let line = lines.next().unwrap();
                let is_broken = [65_000, 66_000].contains(&row);
                let line = if is_broken {
                    line.replace(good, "J\0")
                } else {
                    line.to_owned()
                };
                broken.push_str(&line);
            }
            for bytes in [broken.clone().into(), ansi(&broken), le(&broken)] {
                let error = message(&bytes, Encoding::Auto);
                let place = "Row 65000 of roster.csv, character 2: ";
                assert!(
                    error.starts_with(place) && error.contains("U+0000"),
                    "{error}"
                );
            }
            // That a file is not UTF-8 at all shows far behind what is not in good UTF-8.
            let mut late = text.clone().into_bytes();
            late.extend_from_slice(b"J\xFCrgen");
            late.extend_from_slice(line_end.as_bytes());
            let error = message(&late, Encoding::Auto);
            assert!(
                error.starts_with("Row 1 of roster.csv, character 2: The character U+00C3"),
                "{error}"
            );
            let error = message(&late, Encoding::Utf8);
            assert!(
                error.starts_with("Row 70001 of roster.csv, character 2: This is not UTF-8"),
                "{error}"
            );
        }
    }

    #[test]
    fn utf_8_read_as_windows_1252_fails_with_its_place() {
        for text in [
            "Name\nJÃ¼rgen\n",
            "Name\nJÃ–RGEN\n",
            "Name\nJÂ\u{A0}\n",
            "Name\nPÅ‚\n",
        ] {
            let error = message(text.as_bytes(), Encoding::Auto);
            assert!(
                error.starts_with("Row 2 of roster.csv, character 2: The character U+00C"),
                "{error}"
            );
            assert!(!error.contains("rgen"), "{error}");
        }
        // One byte that is not UTF-8 sends the file to Windows-1252, where the others show.
        let mixed = b"Name\nJ\xC3\xBCrgen\nJ\xFCrgen\n";
        assert!(message(mixed, Encoding::Auto).starts_with("Row 2 of"));
        assert!(message("A\nŁukasz\n".as_bytes(), Encoding::Windows1252).contains("is UTF-8"));
    }

    #[test]
    fn code_page_850_and_mac_roman_fail() {
        for bytes in [
            &b"Name\nJ\x81rgen\n"[..],
            b"Name\nJ\x84ger\n",
            b"Name\nM\x94ller\n",
            b"Name\n\x99zdemir\n",
            b"Name\nM\x9Fller\n",
            b"Name\nGro\xA7\n",
            b"Name\nJ\x8Ager\n",
        ] {
            for setting in [Encoding::Auto, Encoding::Windows1252] {
                let error = message(bytes, setting);
                assert!(
                    error.starts_with("Row 2 of roster.csv, character "),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn good_names_with_rare_letters_pass() {
        let good = "SÃO JOÃO;Åsa Ärlig;Žižek;Miloš;O’Brien;Müller–Schmidt;„Hansi“ Weiß;Mª José;Ä’;L'Haÿ;Ä\u{A0}b\n";
        assert_eq!(auto(good.as_bytes()).unwrap(), good);
        let ansi = WINDOWS_1252.encode(good).0.into_owned();
        assert_eq!(auto(&ansi).unwrap(), good);
    }

    #[test]
    fn a_setting_is_kept_strictly() {
        assert!(
            message(b"Name\nJ\xFCrgen\n", Encoding::Utf8)
                .contains("character 2: This is not UTF-8")
        );
        assert!(
            message(b"\xEF\xBB\xBFName\n", Encoding::Windows1252)
                .contains("byte order mark of UTF-8")
        );
        assert!(message(b"\xFE\xFF\0N", Encoding::Utf16Le).contains("byte order mark of UTF-16BE"));
        assert!(message(b"N\0a\0m", Encoding::Utf16Le).contains("not UTF-16LE"));
        assert!(message(b"N\0\x00\xD8\n\0", Encoding::Utf16Le).contains("character 2"));
    }

    #[test]
    fn control_characters_and_lost_letters_fail() {
        assert!(message(b"Name\nA\0B\n", Encoding::Auto).contains("U+0000"));
        assert!(message(b"Name\nA\x1A", Encoding::Auto).contains("U+001A"));
        assert!(
            message("Name\rJ\u{FFFD}rgen\r".as_bytes(), Encoding::Auto).starts_with("Row 2 of")
        );
        assert!(message(b"", Encoding::Auto).contains("is empty"));
        assert!(message(b"PK\x03\x04xl/", Encoding::Auto).contains("Excel"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), setting in 0usize..5) {
            let setting = [Encoding::Auto, Encoding::Utf8, Encoding::Windows1252, Encoding::Utf16Le, Encoding::Utf16Be][setting];
            let _ = decode(bytes.clone(), "roster.csv", setting);
        }
    }
}
