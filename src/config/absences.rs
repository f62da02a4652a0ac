//! A second file of a source, whose rows are absences: what the configuration says of it, and the source as it is for that file.
//!
//! Such a file is chosen, opened and put away by the rules of its source, with a name and a table of its own. The hazard is a file that both patterns match: absences taken for a
//! roster would offboard everybody who is not away.

use deserr::Deserr;
use serde::Serialize;

use super::location::Step;
use super::problem::Problems;
use super::source::{Source, TableConfig};
use super::validate::Findings;
use super::validate_source::{columns_of, dated_example, is_numbered, names};
use super::values::{NewestBy, Texts};

/// A file of absences in the folder of the source.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct AbsenceFile {
    /// Which files of the folder are of absences, with `*` and `?`.
    pub pattern: String,
    /// What makes a file the newest.
    #[deserr(default = NewestBy::Modified)]
    pub newest_by: NewestBy,
    /// The column that tells whose absence a row is; as in the roster where absent.
    #[deserr(default, rename = "hrId")]
    #[serde(rename = "hrId", skip_serializing_if = "Option::is_none")]
    pub hr_id: Option<Texts>,
    /// How its table is written; as that of the roster where absent.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableConfig>,
}

impl Source {
    /// The file of absences, where the source has one.
    pub fn absence_file(&self) -> Option<&AbsenceFile> {
        self.fields.absences.as_ref()?.file.as_ref()
    }

    /// The source as it is for its file of absences: the same place and rules, with the names, the table and the columns of that file.
    pub fn of_absences(&self) -> Option<Self> {
        let file = self.absence_file()?;
        let mut table = match &file.table {
            Some(table) => table.clone(),
            // What is told of a whole file is told of the roster alone.
            None => TableConfig {
                trailer: None,
                rows_in_name: None,
                min_rows: 1,
                ..self.table.clone()
            },
        };
        // Nobody may be away: whether that can be is judged by who was.
        if table.min_rows == 1 {
            table.min_rows = 0;
        }
        let mut source = Self {
            pattern: file.pattern.clone(),
            newest_by: file.newest_by.clone(),
            table,
            ..self.clone()
        };
        if let Some(hr_id) = &file.hr_id {
            source.fields.hr_id = hr_id.clone();
        }
        if let Some(absences) = &mut source.fields.absences {
            absences.file = None;
        }
        Some(source)
    }
}

/// What the types cannot say of a file of absences.
pub(super) fn file(findings: &mut Findings, source: &Source) {
    let (Some(file), Some(own)) = (source.absence_file(), source.of_absences()) else {
        return;
    };
    let at = findings.at.clone();
    for key in ["fields", "absences", "file"] {
        findings.at.push(Step::Key(key.to_owned()));
    }
    names(findings, &file.pattern, &file.newest_by);
    if file.hr_id.as_ref().is_some_and(|columns| {
        columns.0.is_empty() || columns.0.iter().any(|column| column.trim().is_empty())
    }) {
        findings.say("hrId", "Write the name of a column, or a list of names");
    }
    if meet(source, source) {
        findings.say(
            "pattern",
            format!(
                "Files of absences and rosters ({}) would be taken for each other; let no name match both",
                source.pattern
            ),
        );
    }
    let mut columns = columns_of(&own.fields).into_iter();
    if !own.table.header
        && !columns
            .all(|(key, columns)| !matches!(key, "hrId" | "absences") || is_numbered(columns))
    {
        findings.say(
            "table",
            "With header: false columns are called by number: 1, 2, 3",
        );
    }
    findings.at = at;
}

/// Whether the rosters of one of two sources would be taken for the absences of the other.
pub(super) fn meet(one: &Source, other: &Source) -> bool {
    let meets = |rosters: &Source, absences: &Source| {
        let absences = absences.absence_file();
        absences.is_some_and(|absences| {
            overlap(
                (&rosters.pattern, &rosters.newest_by),
                (&absences.pattern, &absences.newest_by),
            )
        })
    };
    meets(one, other) || meets(other, one)
}

/// How files are called.
type Names<'s> = (&'s str, &'s NewestBy);

/// Whether one name would do for both, as far as examples show. A name that no example shows is found when it is there.
fn overlap(one: Names<'_>, other: Names<'_>) -> bool {
    let matcher = |(pattern, _): Names<'_>| {
        let glob = globset::Glob::new(pattern);
        glob.ok().map(|glob| glob.compile_matcher())
    };
    let (Some(first), Some(second)) = (matcher(one), matcher(other)) else {
        return false;
    };
    let mut examples = [one, other].into_iter().flat_map(examples);
    examples.any(|name| first.is_match(&name) && second.is_match(&name))
}

fn examples((pattern, newest_by): Names<'_>) -> Vec<String> {
    let mut names = vec![
        pattern.replace('*', "").replace('?', "1"),
        pattern.replace(['*', '?'], "1"),
    ];
    if let NewestBy::NameDate(format) = newest_by {
        names.extend(dated_example(format));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_one_name_may_match_overlap() {
        for (one, other, is) in [
            ("roster_*.csv", "absences_*.csv", false),
            ("*.csv", "absences_*.csv", true),
            ("absences_*.csv", "*.csv", true),
            ("roster_*.csv", "roster_*.csv", true),
            ("roster*.csv", "roster_absences.csv", true),
            ("roster_????.csv", "absences.csv", false),
        ] {
            let names = |pattern| (pattern, &NewestBy::Modified);
            assert_eq!(overlap(names(one), names(other)), is, "{one} {other}");
        }
        let dated = NewestBy::NameDate("roster_%Y_absences.csv".into());
        assert!(overlap(
            ("roster_20*.csv", &NewestBy::Modified),
            ("roster_*_absences.csv", &dated)
        ));
    }
}
