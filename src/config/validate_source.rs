//! What the types of a source cannot say; see `validate` for how checks are hung on blocks.

use deserr::ValuePointerRef;

use super::location::Step;
use super::problem::Problems;
use super::server::server;
use super::validate::{Findings, judged, name};
use super::{
    AbsenceColumns, After, DateColumn, Fields, NewestBy, Rule, Source, TableConfig, Texts,
};

/// A source: its files and its columns.
pub(super) fn source(source: Source, at: ValuePointerRef<'_>) -> Result<Source, Problems> {
    judged(source, at, |source, findings| {
        every_source(source, findings);
        files(findings, source);
        server(findings, source);
        if !source.table.header {
            let numbered = |columns: &Texts| {
                let mut columns = columns.0.iter();
                columns.all(|column| {
                    column
                        .trim()
                        .parse::<usize>()
                        .is_ok_and(|number| number > 0)
                })
            };
            for (key, columns) in columns_of(&source.fields) {
                if !numbered(columns) {
                    findings.at.push(Step::Key("fields".to_owned()));
                    findings.say(
                        key,
                        "With header: false columns are called by number: 1, 2, 3",
                    );
                    findings.at.pop();
                }
            }
        }
    })
}

/// What holds for every source.
pub(super) fn every_source(source: &Source, findings: &mut Findings) {
    name(findings, &source.name);
    if source.invalid_rows.percent > 25.0 || source.invalid_rows.at_least > 20 {
        findings.say(
            "invalid_rows",
            "A file of which more makes no sense is not to be believed; write at most 25 percent and at_least 20",
        );
    }
    if source.max_age_hours == Some(0) {
        findings.say("max_age_hours", "Write at least 1");
    }
    let is_printable = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation();
    if source.id_prefix.as_deref().is_some_and(|prefix| {
        prefix.is_empty() || prefix.chars().count() > 32 || !prefix.chars().all(is_printable)
    }) {
        findings.say(
            "id_prefix",
            "Write 1 to 32 letters, digits and signs without blanks, such as \"B-\", or leave the key out",
        );
    }
}

fn files(findings: &mut Findings, source: &Source) {
    if source.pattern.contains('/') {
        findings.say(
            "pattern",
            "A pattern names files of the folder itself; put the folder into `folder`",
        );
    }
    match globset::Glob::new(&source.pattern) {
        Err(error) => findings.say(
            "pattern",
            format!(
                "This is not a file name pattern ({}); write such as roster_*.csv",
                error.kind()
            ),
        ),
        Ok(_) if source.pattern.is_empty() => findings.say("pattern", "Write such as roster_*.csv"),
        Ok(_) => {}
    }
    if let NewestBy::NameDate(format) = &source.newest_by {
        let sample = chrono::NaiveDate::from_ymd_opt(2026, 11, 23)
            .and_then(|day| day.and_hms_opt(5, 15, 0))
            .map(|time| time.format(format).to_string());
        let matches = sample.is_some_and(|name| {
            globset::Glob::new(&source.pattern)
                .is_ok_and(|glob| glob.compile_matcher().is_match(name))
        });
        if !matches {
            findings.say(
                "newest_by",
                format!(
                    "A name made by this does not match the pattern {}; make the two agree",
                    source.pattern
                ),
            );
        }
    }
    if let Some(days) = source.archive_keep_days {
        if !matches!(source.after, After::Archive(_)) {
            findings.say("archive_keep_days", "There is no archive on this machine whose files could be removed; set after: {archive: FOLDER}, or leave this line out");
        }
        if !(1..=3660).contains(&days) {
            findings.say("archive_keep_days", "Write 1 to 3660 days");
        }
    }
    if let After::Archive(path) = &source.after
        && *path == source.folder
    {
        findings.say(
            "after",
            "The archive is the drop folder itself; name another folder",
        );
    }
}

/// A table.
pub(super) fn table(table: TableConfig, at: ValuePointerRef<'_>) -> Result<TableConfig, Problems> {
    judged(table, at, |table, findings| {
        if table.min_rows == 0 {
            findings.say(
                "min_rows",
                "Write at least 1: a roster without people is always refused",
            );
        }
        if table
            .trailer
            .as_deref()
            .is_some_and(|trailer| trailer.trim().is_empty())
        {
            findings.say(
                "trailer",
                "Write the last line of the file, such as \"Anzahl: {rows}\", or leave the key out",
            );
        }
        if table.trailer.as_deref().is_some_and(|trailer| {
            !trailer.contains("{rows}") && !trailer.chars().any(char::is_alphanumeric)
        }) {
            findings.say(
                "trailer",
                "This would match any row; write the words that the last line begins with, such as \"Summe*\"",
            );
        }
        if table
            .rows_in_name
            .as_deref()
            .is_some_and(|name| !name.contains("{rows}"))
        {
            findings.say(
                "rows_in_name",
                "Write {rows} where the number of rows stands, such as report_*_{rows}.csv",
            );
        }
        if !(1..=4096).contains(&table.max_megabytes) {
            findings.say("max_megabytes", "Write 1 to 4096");
        }
    })
}

/// Every key under `fields` with the columns that it names.
pub(super) fn columns_of(fields: &Fields) -> Vec<(&'static str, &Texts)> {
    let mut columns = vec![
        ("hrId", &fields.hr_id),
        ("firstName", &fields.first_name),
        ("lastName", &fields.last_name),
        ("email", &fields.email),
    ];
    for (key, date) in [
        ("dateOfBirth", &fields.date_of_birth),
        ("startDate", &fields.start_date),
        ("terminationDate", &fields.termination_date),
    ] {
        columns.extend(date.as_ref().map(|DateColumn { from, .. }| (key, from)));
    }
    columns.extend(
        fields
            .auto_sync_employee
            .as_ref()
            .map(|flag| ("autoSyncEmployee", &flag.from)),
    );
    if let Some(AbsenceColumns {
        kind, texts, dates, ..
    }) = &fields.absences
    {
        let dates = dates.values().map(|date| &date.from);
        columns.extend(
            [kind]
                .into_iter()
                .chain(texts.values())
                .chain(dates)
                .map(|from| ("absences", from)),
        );
    }
    columns
}

/// Columns.
pub(super) fn fields(fields: Fields, at: ValuePointerRef<'_>) -> Result<Fields, Problems> {
    judged(fields, at, check_fields)
}

/// What is wrong with columns.
pub(super) fn check_fields(fields: &Fields, findings: &mut Findings) {
    for (key, columns) in columns_of(fields) {
        if columns.0.is_empty() || columns.0.iter().any(|column| column.trim().is_empty()) {
            findings.say(key, "Write the name of a column, or a list of names");
        }
    }
    if let Some(date) = &fields.termination_date
        && date
            .from
            .0
            .iter()
            .any(|column| column.trim().to_lowercase().starts_with("kündigung"))
    {
        findings.say(
            "terminationDate",
            "The day of notice is not the last day of employment; name the column of the latter, such as Austrittsdatum",
        );
    }
    if let Some(flag) = &fields.auto_sync_employee
        && (flag.yes.0.is_empty()
            || flag.no.0.is_empty()
            || flag.yes.0.iter().any(|word| flag.no.0.contains(word)))
    {
        findings.say(
            "autoSyncEmployee",
            "Write the values of yes and of no, none of them in both lists",
        );
    }
    if let Some(AbsenceColumns {
        only, texts, dates, ..
    }) = &fields.absences
    {
        let is_illness = |kind: &String| {
            let kind = kind.to_lowercase();
            ["krank", "sick", "illness", "disease", "arbeitsunf"]
                .iter()
                .any(|word| kind.contains(word))
        };
        if only.0.iter().any(is_illness) {
            findings.say(
                "absences",
                "Illness is health data and stays in the HR system; leave it out of `only`",
            );
        }
        if only.0.is_empty() {
            findings.say(
                "absences",
                "Write under `only` which kinds of absence are sent",
            );
        }
        if texts.is_empty() && dates.is_empty() {
            findings.say(
                "absences",
                "Write under `texts` and `dates` which keys an item has",
            );
        }
    }
}

/// An include or exclude rule.
pub(super) fn rule(rule: Rule, at: ValuePointerRef<'_>) -> Result<Rule, Problems> {
    judged(rule, at, |rule, findings| {
        if rule.column.trim().is_empty() {
            findings.say("column", "Write the name of a column");
        }
        if rule.values.0.is_empty() {
            findings.say("in", "Write the values that match");
        }
    })
}
