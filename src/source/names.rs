//! What the name of a file says: whether it is a roster, one that is still being written, or a marker; and which day it is of.
//!
//! A sender that writes `roster.csv.part` and renames it shows that something newer is on its way, so such names count. Nothing here knows what a file holds.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use chrono::format::{Parsed, StrftimeItems};
use globset::{GlobBuilder, GlobMatcher};

use crate::config::{Ready, Source};

/// Endings of files that are still being written.
const IN_PROGRESS: [&str; 5] = [".tmp", ".part", ".partial", ".filepart", ".incomplete"];

/// The names that one source is interested in.
#[derive(Debug)]
pub struct Names<'s> {
    patterns: Vec<GlobMatcher>,
    marker: Option<&'s str>,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'n> {
    /// A roster.
    Roster,
    /// A roster that is still being written and will have this name.
    InProgress(&'n str),
    /// The marker of a roster.
    Marker,
    /// None of the source's business.
    Other,
}

impl<'s> Names<'s> {
    /// `None` where the pattern is none.
    pub fn new(source: &'s Source) -> Option<Self> {
        Self::of(source, &[&source.pattern])
    }

    /// Those of all files that the source reads, absences among them.
    pub fn all(source: &'s Source) -> Option<Self> {
        let mut patterns = vec![source.pattern.as_str()];
        patterns.extend(source.absence_file().map(|file| file.pattern.as_str()));
        Self::of(source, &patterns)
    }

    fn of(source: &'s Source, patterns: &[&str]) -> Option<Self> {
        let matcher = |pattern: &&str| {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            glob.ok().map(|glob| glob.compile_matcher())
        };
        let patterns = patterns.iter().map(matcher).collect::<Option<_>>()?;
        let marker = match &source.ready {
            Ready::Marker(template) => Some(template.as_str()),
            Ready::Rename | Ready::QuietSeconds(_) => None,
        };
        Some(Self { patterns, marker })
    }

    /// What a name is.
    pub fn kind<'n>(&self, name: &'n str) -> Kind<'n> {
        let matches = |name: &str| self.patterns.iter().any(|one| one.is_match(name));
        if self
            .marker
            .and_then(|template| marked(template, name))
            .is_some_and(matches)
        {
            return Kind::Marker;
        }
        let plain = name.strip_prefix('.').unwrap_or(name);
        let ending = IN_PROGRESS.iter().find_map(|ending| {
            let (stem, tail) = plain.split_at_checked(plain.len().checked_sub(ending.len())?)?;
            tail.eq_ignore_ascii_case(ending).then_some(stem)
        });
        let later = ending.unwrap_or(plain);
        if later.len() == name.len() {
            if matches(name) {
                Kind::Roster
            } else {
                Kind::Other
            }
        } else if matches(later) || matches(name) {
            Kind::InProgress(later)
        } else {
            Kind::Other
        }
    }

    /// The name of the marker that a roster needs, if it needs one.
    pub fn marker_of(&self, name: &str) -> Option<String> {
        self.marker.map(|template| template.replace("{name}", name))
    }

    /// Whether a name fits the pattern but for upper and lower case.
    pub(crate) fn is_other_case(&self, name: &str) -> bool {
        self.patterns.iter().any(|one| {
            let glob = GlobBuilder::new(one.glob().glob())
                .case_insensitive(true)
                .build();
            glob.is_ok_and(|glob| glob.compile_matcher().is_match(name))
        })
    }
}

/// The name in a marker's name.
fn marked<'n>(template: &str, marker: &'n str) -> Option<&'n str> {
    const NAME: &str = "{name}";
    let count = template.matches(NAME).count();
    let length = marker
        .len()
        .checked_sub(template.len() - count * NAME.len())?
        .checked_div(count)?;
    let start = template.find(NAME)?;
    let name = marker.get(start..start + length)?;
    (!name.is_empty() && template.replace(NAME, name) == marker).then_some(name)
}

/// The date in a name, and the time where `format` has one, else 00:00. The name has to be exactly as `format` would write it.
pub fn date(name: &str, format: &str) -> Option<NaiveDateTime> {
    let items = StrftimeItems::new(format);
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, name, items.clone()).ok()?;
    let day = parsed.to_naive_date().ok()?;
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let when = day.and_time(parsed.to_naive_time().unwrap_or_default());
    let mut written = String::new();
    write!(written, "{}", when.format_with_items(items)).ok()?;
    (written == name).then_some(when)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn names<'s>(pattern: &str, marker: Option<&'s str>) -> Names<'s> {
        let pattern = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .unwrap();
        Names {
            patterns: vec![pattern.compile_matcher()],
            marker,
        }
    }

    #[test]
    fn names_in_progress_are_told_from_complete_ones() {
        let names = names("roster_*.csv", None);
        assert_eq!(names.kind("roster_1.csv"), Kind::Roster);
        for name in [
            ".roster_1.csv",
            "roster_1.csv.tmp",
            "roster_1.csv.FilePart",
            ".roster_1.csv.part",
        ] {
            assert_eq!(names.kind(name), Kind::InProgress("roster_1.csv"), "{name}");
        }
        for name in [
            "Roster_1.csv",
            "roster_1.csv.bak",
            "delta_1.csv",
            ".tmp",
            ".",
            "",
        ] {
            assert_eq!(names.kind(name), Kind::Other, "{name}");
        }
        assert!(names.is_other_case("ROSTER_1.CSV"));
    }

    #[test]
    fn a_broad_pattern_takes_neither_markers_nor_names_in_progress_for_rosters() {
        let names = names("roster*", Some("{name}.done"));
        assert_eq!(names.kind("roster.csv"), Kind::Roster);
        assert_eq!(names.kind("roster.csv.done"), Kind::Marker);
        assert_eq!(
            names.kind("roster.csv.part"),
            Kind::InProgress("roster.csv")
        );
        assert_eq!(
            names.marker_of("roster.csv").as_deref(),
            Some("roster.csv.done")
        );
        assert_eq!(marked("done_{name}", "done_a.csv"), Some("a.csv"));
        assert_eq!(marked("{name}.of.{name}", "ä.of.ä"), Some("ä"));
        assert_eq!(marked("{name}.of.{name}", "a.of.b"), None);
        assert_eq!(marked("{name}.done", ".done"), None);
    }

    #[test]
    fn a_date_is_read_only_from_a_name_of_exactly_the_format() {
        let at = |hour, minute| {
            NaiveDate::from_ymd_opt(2026, 11, 5)
                .unwrap()
                .and_hms_opt(hour, minute, 0)
        };
        assert_eq!(date("roster_20261105.csv", "roster_%Y%m%d.csv"), at(0, 0));
        assert_eq!(
            date("EmployeeUpdate11052026.csv", "EmployeeUpdate%m%d%Y.csv"),
            at(0, 0)
        );
        assert_eq!(
            date("r_2026-11-05_0615.csv", "r_%Y-%m-%d_%H%M.csv"),
            at(6, 15)
        );
        assert_eq!(date("r_2026-11-05_06.csv", "r_%Y-%m-%d_%H.csv"), at(6, 0));
        for name in [
            "roster_20261305.csv",
            "roster_2026115.csv",
            "roster_ 20261105.csv",
            "roster_20261105.csv.gz",
            "roster_.csv",
        ] {
            assert_eq!(date(name, "roster_%Y%m%d.csv"), None, "{name}");
        }
    }
}
