//! Changes of the configuration as the log may hold them.
//!
//! What a line says inside its hash stays for as long as the log. So values that may tell of people, such as those of rules and the addresses of whom to notify, do not stand there: what is shown of
//! them stands apart, like values of people, and never more than a first letter, for `forget` could not find them.

use super::event::Values;
use super::mask::mask;
use crate::config::{AuditValues, KeyChange, is_private};
use crate::roster::Field;

/// What stands in a line for a value that is not told.
pub(super) const UNTOLD: &str = "…";

/// The changes without values that may tell of people, and what may be shown of those.
pub(crate) fn told(changes: Vec<KeyChange>, wanted: AuditValues) -> (Vec<KeyChange>, Values) {
    let mut values = Values::new();
    let told = changes
        .into_iter()
        .enumerate()
        .map(|(place, mut change)| {
            let key = change.key.clone();
            for (side, value) in [("old", &mut change.old), ("new", &mut change.new)] {
                let Some(value) = value.as_mut().filter(|value| is_private(&key, value)) else {
                    continue;
                };
                if wanted != AuditValues::None {
                    // Keys may hold any sign, and those of values may not.
                    values.push((format!("changes.{place}.{side}"), first(value)));
                }
                UNTOLD.clone_into(value);
            }
            change
        })
        .collect();
    (told, values)
}

fn first(value: &str) -> String {
    let field = if value.contains('@') {
        Field::Email
    } else {
        Field::LastName
    };
    mask(field, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, old: Option<&str>, new: Option<&str>) -> KeyChange {
        KeyChange {
            key: key.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            loosened: false,
        }
    }

    #[test]
    fn values_of_rules_and_addresses_stand_outside_the_hash_with_first_letters_alone() {
        let changes = vec![
            change(
                "integrations.acme.limits.leavers.count",
                Some("10"),
                Some("500"),
            ),
            change(
                "notify.channels.hr.to.0",
                Some("anna.muster@example.com"),
                Some("bert@example.org"),
            ),
            change(
                "integrations.acme.sources.hq.include.0.in.0",
                None,
                Some("Muster"),
            ),
        ];
        let (told_changes, values) = told(changes.clone(), AuditValues::Full);
        assert_eq!(told_changes[0], changes[0]);
        assert_eq!(
            (
                told_changes[1].old.as_deref(),
                told_changes[1].new.as_deref()
            ),
            (Some(UNTOLD), Some(UNTOLD))
        );
        assert_eq!(
            (
                told_changes[2].old.as_deref(),
                told_changes[2].new.as_deref()
            ),
            (None, Some(UNTOLD))
        );
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            values,
            [
                pair("changes.1.old", "a…@e…"),
                pair("changes.1.new", "b…@e…"),
                pair("changes.2.new", "M…"),
            ]
        );
        assert!(told(changes, AuditValues::None).1.is_empty());
    }
}
