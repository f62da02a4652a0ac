//! How much of a personal value the audit log shows.

use crate::roster::Field;

/// A field's value, masked: first letters, and the year of a date.
pub fn mask(field: Field, value: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    match field {
        Field::HrId | Field::AutoSyncEmployee => value.to_owned(),
        Field::DateOfBirth | Field::StartDate | Field::TerminationDate => {
            format!("{}-…", value.split('-').next().unwrap_or_default())
        }
        Field::Email => {
            let (name, domain) = value.split_once('@').unwrap_or((value, ""));
            format!("{}…@{}…", first(name), first(domain))
        }
        Field::FirstName | Field::LastName | Field::Absences => format!("{}…", first(value)),
    }
}

/// A text from outside that may repeat personal values: every word that stands in `secret`, or that looks like a name, a number or an address, is
/// cut to its first letter.
pub fn mask_text(text: &str, secret: impl Fn(&str) -> bool) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut word = String::new();
    let end = |word: &mut String, masked: &mut String| {
        let telling = word
            .chars()
            .any(|c| c.is_numeric() || c == '@' || !c.is_ascii())
            || word.starts_with(char::is_uppercase)
            || secret(&word.to_lowercase());
        if telling {
            masked.extend(word.chars().next());
            masked.push('…');
        } else {
            masked.push_str(word);
        }
        word.clear();
    };
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '+' | '_' | '\'') {
            word.push(c);
        } else {
            end(&mut word, &mut masked);
            masked.push(if c.is_control() { ' ' } else { c });
        }
    }
    end(&mut word, &mut masked);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_value_shows_first_letters_and_years_only() {
        assert_eq!(mask(Field::LastName, "Müller"), "M…");
        assert_eq!(mask(Field::Email, "anna.mueller@example.com"), "a…@e…");
        assert_eq!(mask(Field::DateOfBirth, "1990-04-15"), "1990-…");
    }

    #[test]
    fn a_text_from_outside_keeps_its_plain_words_alone() {
        let masked = mask_text(
            "The e-mail anna.x@example.com of müller or schulz, born 1990-04-15, is taken",
            |word| word == "schulz",
        );
        assert_eq!(masked, "T… e-mail a… of m… or s…, born 1…, is taken");
    }
}
