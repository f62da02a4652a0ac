//! Bytes to text, strictly.
//!
//! No decoder complains when UTF-8 is read as Windows-1252 or code page 850 as either: it gives other letters, and a changed name or e-mail address
//! goes out. So the text is searched for what such a mistake leaves behind, and one such sign fails the file. Valid UTF-8 is not copied.

mod damage;

use encoding_rs::WINDOWS_1252;

use super::table::foreign;
use super::table::{At, Spot, TableError};
use crate::config::Encoding;

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

/// The text of a file, without its byte order mark. The bytes are used up, for a large file is not to be in memory twice.
pub fn decode(mut bytes: Vec<u8>, file: &str, setting: Encoding) -> Result<String, TableError> {
    let owned = || file.to_owned();
    if bytes.is_empty() {
        return Err(TableError::Empty { file: owned() });
    }
    if let Some(what) = foreign::of_bytes(&bytes) {
        return Err(TableError::Foreign {
            file: owned(),
            what,
        });
    }
    let mark = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark));
    let marked = mark.map(|(mark, encoding)| {
        bytes.drain(..mark.len());
        *encoding
    });
    let encoding = match (setting, marked) {
        (Encoding::Auto, Some(found)) => found,
        (Encoding::Auto, None) => guess(&bytes),
        (setting, Some(found)) if setting != found => {
            return Err(TableError::OtherMark {
                file: owned(),
                found: name(found),
                setting: name(setting),
            });
        }
        (setting, _) => setting,
    };
    let text = match encoding {
        Encoding::Utf16Le => utf_16(&bytes, file, encoding, u16::from_le_bytes)?,
        Encoding::Utf16Be => utf_16(&bytes, file, encoding, u16::from_be_bytes)?,
        Encoding::Windows1252 => windows_1252(&bytes, file, setting)?,
        Encoding::Utf8 | Encoding::Auto => utf_8(bytes, file)?,
    };
    match damage::find(&text, encoding == Encoding::Windows1252) {
        None => Ok(text),
        Some((offset, code, damage)) => {
            let at = place(&text[..offset], file);
            Err(TableError::Damaged {
                at,
                code: code.into(),
                damage,
            })
        }
    }
}

/// What a file without a byte order mark is written in.
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
    } else if std::str::from_utf8(bytes).is_ok() {
        Encoding::Utf8
    } else {
        Encoding::Windows1252
    }
}

fn utf_8(bytes: Vec<u8>, file: &str) -> Result<String, TableError> {
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let before = String::from_utf8_lossy(before);
        TableError::NotInEncoding {
            at: place(&before, file),
            encoding: name(Encoding::Utf8),
        }
    })
}

fn utf_16(
    bytes: &[u8],
    file: &str,
    encoding: Encoding,
    unit: fn([u8; 2]) -> u16,
) -> Result<String, TableError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len() + pairs.len() / 8);
    let broken = |text: &str| {
        let at = place(text, file);
        Err(TableError::NotInEncoding {
            at,
            encoding: name(encoding),
        })
    };
    for char in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match char {
            Ok(char) => text.push(char),
            Err(_) => return broken(&text),
        }
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        broken(&text)
    }
}

fn windows_1252(bytes: &[u8], file: &str, setting: Encoding) -> Result<String, TableError> {
    // Text of Windows-1252 whose every letter beyond ASCII happens to be valid UTF-8 does not exist.
    if setting == Encoding::Windows1252
        && let Ok(text) = std::str::from_utf8(bytes)
        && let Some(offset) = text.bytes().position(|byte| !byte.is_ascii())
    {
        return Err(TableError::IsUtf8 {
            at: place(&text[..offset], file),
        });
    }
    // Undefined bytes become C1 control characters, which `damage::find` finds.
    let text = WINDOWS_1252.decode_without_bom_handling(bytes).0;
    Ok(text.into_owned())
}

/// The place after a text.
fn place(before: &str, file: &str) -> At {
    let crs_end_lines = !before.contains('\n');
    let is_end = |c: char| c == '\n' || (crs_end_lines && c == '\r');
    let row = 1 + before.chars().filter(|c| is_end(*c)).count();
    let line = before.rsplit(is_end).next().unwrap_or_default();
    At {
        file: file.to_owned(),
        row: row as u64,
        spot: Spot::Character(line.chars().count() + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auto(bytes: &[u8]) -> Result<String, TableError> {
        decode(bytes.to_vec(), "roster.csv", Encoding::Auto)
    }

    fn message(bytes: &[u8], setting: Encoding) -> String {
        decode(bytes.to_vec(), "roster.csv", setting)
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
    fn valid_utf_8_is_not_copied() {
        for (bytes, text) in [
            ("Name\nJürgen\n", "Name\nJürgen\n"),
            ("\u{FEFF}Name\n", "Name\n"),
        ] {
            let bytes = bytes.as_bytes().to_vec();
            let place = bytes.as_ptr();
            let decoded = decode(bytes, "roster.csv", Encoding::Auto).unwrap();
            assert_eq!((decoded.as_ptr(), &*decoded), (place, text));
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
