//! What nearly every text of a roster is, seen eight bytes at a time: there are millions of them, and whoever is not so is looked at closely.

/// Each byte is this one.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

const HIGH: u64 = each(0x80);

/// Whether any byte is less than this one, which is ASCII.
const fn has_less(word: u64, than: u8) -> bool {
    word.wrapping_sub(each(than)) & !word & HIGH != 0
}

const fn has(word: u64, byte: u8) -> bool {
    has_less(word ^ each(byte), 1)
}

/// Whether `test` holds for all bytes, in words that they fill, some of them twice.
fn all(bytes: &[u8], test: impl Fn(u64) -> bool) -> bool {
    match bytes.last_chunk() {
        Some(last) => {
            let (words, _) = bytes.as_chunks();
            words
                .iter()
                .chain([last])
                .all(|word| test(u64::from_ne_bytes(*word)))
        }
        None => bytes.first().is_none_or(|first| {
            let fill = |word, byte: &u8| word << 8 | u64::from(*byte);
            test(bytes.iter().fold(each(*first), fill))
        }),
    }
}

/// Whether JSON writes a text as it is.
pub(crate) fn is_plain_in_json(text: &str) -> bool {
    all(text.as_bytes(), |word| {
        !(has_less(word, b' ') || has(word, b'"') || has(word, b'\\'))
    })
}

/// Whether a text is ASCII without control characters.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    all(text.as_bytes(), |word| {
        word & HIGH == 0 && !has_less(word, b' ') && !has(word, 0x7F)
    })
}

/// Whether a text is ASCII without capitals.
pub(crate) fn is_lower_ascii(text: &str) -> bool {
    all(text.as_bytes(), |word| {
        if word & HIGH != 0 {
            return false;
        }
        // No sum of these is more than a byte.
        let from_a = word + each(0x80 - b'A');
        let behind_z = word + each(0x7F - b'Z');
        from_a & !behind_z & HIGH == 0
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_what_its_bytes_are_one_by_one(plain in "[a-z@. ]{0,20}", odd in any::<char>(), ascii in 0..128u8, tail in "[a-z]{0,20}", which in 0..3usize) {
            let odd = [None, Some(odd), Some(char::from(ascii))][which];
            let text = plain.chars().chain(odd).chain(tail.chars()).collect::<String>();
            let all = |test: fn(&u8) -> bool| text.as_bytes().iter().all(test);
            prop_assert_eq!(is_plain_in_json(&text), all(|byte| *byte >= b' ' && !b"\"\\".contains(byte)));
            prop_assert_eq!(is_printable_ascii(&text), all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(is_lower_ascii(&text), all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()));
        }
    }

    #[test]
    fn every_byte_of_ascii_is_seen_at_every_place() {
        for byte in 0..128u8 {
            for before in 0..17 {
                let text = format!("{}{}", "z".repeat(before), char::from(byte));
                let written = serde_json::to_string(&text).unwrap();
                assert_eq!(
                    is_plain_in_json(&text),
                    written == format!("\"{text}\""),
                    "{byte}"
                );
                assert_eq!(
                    is_printable_ascii(&text),
                    !byte.is_ascii_control(),
                    "{byte}"
                );
                assert_eq!(is_lower_ascii(&text), !byte.is_ascii_uppercase(), "{byte}");
            }
        }
    }
}
