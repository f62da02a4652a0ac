//! Finds what is left in a text that was read in a wrong encoding, here or earlier.
//!
//! Every sign looked for is one that no name, address or date holds. What a wrong encoding turns into a plain letter (`á` for `ß`) cannot be found.

use crate::source::table::Damage;

/// The first character that shows that the text was misread: its offset, itself and why.
pub(super) fn find(text: &str, from_1252: bool) -> Option<(usize, char, Damage)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += bytes[at..]
            .iter()
            .position(|byte| !PLAIN[usize::from(*byte)])?;
        let mut rest = text[at..].chars();
        let char = rest.next()?;
        let next = rest.next();
        let found = match char {
            '\0'..='\x1F' | '\x7F' => Some(Damage::Control),
            '\u{80}'..='\u{9F}' => Some(Damage::C1),
            '\u{FFFD}' => Some(Damage::Replacement),
            'Â' | 'Ã' if next.is_some_and(is_continuation) => Some(Damage::DoublyEncoded),
            'Ä' | 'Å' if next.is_some_and(is_odd_after_capital) => Some(Damage::DoublyEncoded),
            _ if from_1252 => {
                let before = text[..at].chars().next_back();
                is_look_alike(before, char, next).then_some(Damage::OtherCodePage)
            }
            _ => None,
        };
        if let Some(damage) = found {
            return Some((at, char, damage));
        }
        at += char.len_utf8();
    }
}

/// ASCII that needs no second look.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7F {
        plain[byte] = true;
        byte += 1;
    }
    plain[b'\t' as usize] = true;
    plain[b'\n' as usize] = true;
    plain[b'\r' as usize] = true;
    plain
};

/// What Windows-1252 shows for the bytes 80 to BF, which are the later bytes of a letter in UTF-8.
fn is_continuation(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{BF}') || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c)
}

/// The same without what may follow a capital Ä or Å in good text: letters, quotes, dashes, a no-break space.
fn is_odd_after_capital(c: char) -> bool {
    is_continuation(c) && !c.is_alphabetic() && !c.is_whitespace() && !"‘’“”–—…™«»´·®".contains(c)
}

/// Whether a sign stands where code page 437, 850 or Mac Roman has a letter: `J„rgen`, `M”ller`, `Gro§`, `MŸller`.
fn is_look_alike(before: Option<char>, c: char, next: Option<char>) -> bool {
    let after_letter = before.is_some_and(char::is_alphabetic);
    let between = after_letter && next.is_some_and(char::is_alphabetic);
    match c {
        '§' | '„' => after_letter,
        '™' => {
            between
                || (before.is_none_or(|c| !c.is_alphanumeric())
                    && next.is_some_and(char::is_alphabetic))
        }
        'Ÿ' | 'Š' | 'Ž' => after_letter && next.is_some_and(char::is_lowercase),
        _ => between && "”“€…†‡‚ˆ‰‹›•˜¡¢£¤¥¦©®±¶¬".contains(c),
    }
}
