//! Recognises files that are no table, so that their message says what they are.
//!
//! A workbook under the name `roster.csv` would fail anyway, somewhere in its middle and with words that help nobody. Nothing here makes a file acceptable.

use super::error::Foreign;

/// How far into a file the signs are looked for.
const HEAD: usize = 4096;

/// Recognises a file by its first bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Foreign> {
    let head = &bytes[..bytes.len().min(HEAD)];
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    match head {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            let office = [
                &b"[Content_Types].xml"[..],
                b"xl/",
                b"_rels/",
                b"opendocument",
            ];
            Some(if office.iter().any(|sign| has(sign)) {
                Foreign::Workbook
            } else {
                Foreign::Zip
            })
        }
        [0xD0, 0xCF, 0x11, 0xE0, ..] => Some(Foreign::Workbook),
        [b'7', b'z', 0xBC, 0xAF, ..] | [b'R', b'a', b'r', b'!', 0x1A, ..] => Some(Foreign::Zip),
        [0x1F, 0x8B, ..] => Some(Foreign::Gzip),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(Foreign::Pdf),
        // A packet of a public-key encrypted session key: its length follows, and its version, which text never looks like.
        [0x84 | 0x85, 0..=8, ..]
        | [0x84 | 0xC1, _, 3 | 6, ..]
        | [0xC1, 192..=223, _, 3 | 6, ..] => Some(Foreign::Encrypted),
        _ if head.starts_with(b"-----BEGIN PGP") => Some(Foreign::Encrypted),
        _ => None,
    }
}

/// Recognises a file by its first lines.
pub(crate) fn of_text(text: &str) -> Option<Foreign> {
    let text = text.trim_start();
    let begins = |word: &str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if begins("<?xml") {
        return Some(Foreign::Xml);
    }
    if text.starts_with('<') {
        return Some(Foreign::Html);
    }
    if ["\"EXTF\";", "EXTF;", "\"DTVF\";", "DTVF;"]
        .iter()
        .any(|word| begins(word))
    {
        return Some(Foreign::Extf);
    }
    let sections = ["[Allgemein]", "[Satzbeschreibung]", "[Stammdaten]"];
    let is_section = |line: &str| {
        sections
            .iter()
            .any(|name| line.trim().eq_ignore_ascii_case(name))
    };
    if text.starts_with(['[', ';', '*']) && text.split(['\n', '\r']).take(50).any(is_section) {
        return Some(Foreign::Lodas);
    }
    let mut chars = text.chars();
    let first = chars.next();
    let second = chars.find(|c| !c.is_whitespace());
    match (first, second) {
        (Some('{'), Some('"' | '}')) | (Some('['), Some('{' | '[' | '"' | ']')) => {
            Some(Foreign::Json)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_a_zip_and_a_pdf_are_recognised_by_their_first_bytes() {
        assert_eq!(
            of_bytes(b"PK\x03\x04....[Content_Types].xml"),
            Some(Foreign::Workbook)
        );
        assert_eq!(
            of_bytes(b"\xD0\xCF\x11\xE0\xA1\xB1"),
            Some(Foreign::Workbook)
        );
        assert_eq!(of_bytes(b"PK\x03\x04....roster.csv"), Some(Foreign::Zip));
        assert_eq!(of_bytes(b"%PDF-1.7"), Some(Foreign::Pdf));
        for encrypted in [&b"\x85\x02\x0c"[..], b"\x84\x5E\x03", b"\xC1\xC1\x0C\x03"] {
            assert_eq!(of_bytes(encrypted), Some(Foreign::Encrypted));
        }
        assert_eq!(of_bytes("ÁÁ;Name".as_bytes()), None);
        assert_eq!(of_bytes(b"PKW;Name\n"), None);
        assert_eq!(of_bytes(b"PersNr;Name\n"), None);
    }

    #[test]
    fn web_pages_json_and_datev_files_are_recognised_by_their_first_lines() {
        assert_eq!(of_text("\n<!DOCTYPE html><html>"), Some(Foreign::Html));
        assert_eq!(of_text("<?xml version=\"1.0\"?>"), Some(Foreign::Xml));
        assert_eq!(of_text("{\n \"employees\": []}"), Some(Foreign::Json));
        assert_eq!(of_text("[{\"id\": 1}]"), Some(Foreign::Json));
        assert_eq!(
            of_text("[Allgemein]\r\nZiel=LODAS\r\n"),
            Some(Foreign::Lodas)
        );
        assert_eq!(of_text("* Export\n[Stammdaten]\n"), Some(Foreign::Lodas));
        assert_eq!(of_text("\"EXTF\";700;21\n"), Some(Foreign::Extf));
        assert_eq!(of_text("[PersNr];[Name]\n1;A\n"), None);
        assert_eq!(of_text("PersNr;Name\n"), None);
        assert_eq!(of_text(""), None);
    }
}
