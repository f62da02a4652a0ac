//! People of a hold in words: how many, and who.

use std::fmt;
use std::fmt::Write as _;

use crate::guard::Cause;
use crate::plan::What;
use crate::store::{HeldPerson, HeldState};

/// At most so many hrIds are named where somebody is asked; `holds show` has them all.
const MOST_NAMED: usize = 20;

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) leave: usize,
    /// Of those who leave, how many have a ticket that is not over.
    pub(crate) active: usize,
    /// Of those who leave, of how many that is not known.
    pub(crate) unknown: usize,
    pub(crate) join: usize,
    pub(crate) change: usize,
    pub(super) wait: usize,
}

impl Tally {
    pub(crate) fn of(people: &[&HeldPerson]) -> Self {
        let mut tally = Self::default();
        for person in people {
            tally.wait += usize::from(person.state == HeldState::Waits);
            match person.change.what {
                What::Joins => tally.join += 1,
                What::Changes { .. } => tally.change += 1,
                What::Leaves(_) => {
                    tally.leave += 1;
                    tally.active += usize::from(person.active == Some(true));
                    tally.unknown += usize::from(person.active.is_none());
                }
            }
        }
        tally
    }
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.leave > 0 {
            let mut part = plural(
                self.leave,
                "person loses their ticket",
                "people lose their ticket",
            );
            let have = plural(self.active, "of them has", "of them have");
            if self.unknown == 0 {
                let _ = write!(part, " ({have} an active one now)");
            } else if self.unknown == self.leave {
                part += " (whether it is active is not known)";
            } else {
                let _ = write!(
                    part,
                    " ({have} an active one now, of {} it is not known)",
                    self.unknown
                );
            }
            parts.push(part);
        }
        if self.join > 0 {
            parts.push(plural(self.join, "joins", "join"));
        }
        if self.change > 0 {
            parts.push(plural(self.change, "changes", "change"));
        }
        if parts.is_empty() {
            return f.write_str("nobody is changed");
        }
        f.write_str(&parts.join(", "))
    }
}

/// The first hrIds of each kind, a line a kind.
pub(super) fn named(people: &[&HeldPerson]) -> String {
    let sign_of = |what: &What| match what {
        What::Leaves(_) => "-",
        What::Joins => "+",
        What::Changes { .. } => "~",
    };
    let mut text = String::new();
    for sign in ["-", "+", "~"] {
        let of_kind = people
            .iter()
            .filter(|person| sign_of(&person.change.what) == sign);
        let names: Vec<&str> = of_kind.map(|person| person.change.hr_id.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        let more = names.len().saturating_sub(MOST_NAMED);
        let shown = &names[..names.len() - more];
        let _ = write!(text, "  {sign} {}", shown.join(", "));
        let _ = match more {
            0 => writeln!(text),
            more => writeln!(text, " and {more} more"),
        };
    }
    text
}

/// How many people would lose their number for a new one.
pub(super) fn people_with_new_numbers(people: &[&HeldPerson]) -> usize {
    let known = people.iter().filter(|person| {
        matches!(person.cause, Some(Cause::NewNumber { .. }))
            && matches!(person.change.what, What::Leaves(_))
    });
    known.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_says_who_loses_what() {
        let mut tally = Tally {
            leave: 12,
            active: 10,
            join: 3,
            change: 1,
            ..Tally::default()
        };
        assert_eq!(
            tally.to_string(),
            "12 people lose their ticket (10 of them have an active one now), 3 join, 1 changes"
        );
        tally.unknown = 2;
        assert_eq!(
            tally.to_string(),
            "12 people lose their ticket (10 of them have an active one now, of 2 it is not known), 3 join, 1 changes"
        );
        let one = Tally {
            leave: 1,
            unknown: 1,
            ..Tally::default()
        };
        assert_eq!(
            one.to_string(),
            "1 person loses their ticket (whether it is active is not known)"
        );
        assert_eq!(Tally::default().to_string(), "nobody is changed");
    }
}
