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

/// A text from outside that may repeat personal values: every word of which any part stands in `secret`, or that looks like a name, a number or an address, is
/// cut to its first letter. `secret` is asked for runs of letters and digits, in lower case, so that `anna.schulz` and `schulz's` are found by their parts.
pub fn mask_text(text: &str, secret: impl Fn(&str) -> bool) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut word = String::new();
    let end = |word: &mut String, masked: &mut String| {
        let telling = word
            .chars()
            .any(|c| c.is_numeric() || c == '@' || !c.is_ascii())
            || word.starts_with(char::is_uppercase)
            || parts(word).any(|part| secret(&part));
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

/// The runs of letters and digits of a text, in lower case.
pub fn parts(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
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

    #[test]
    fn a_name_is_masked_wherever_it_is_part_of_a_word() {
        let masked = mask_text(
            "taken by schulz. See anna-lena, anna.schulz or schulz's",
            |word| ["schulz", "lena"].contains(&word),
        );
        assert_eq!(masked, "taken by s… S… a…, a… or s…");
    }
}
