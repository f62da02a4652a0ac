//! What the types of the tree cannot say: keys that need each other, names that stand twice, addresses that leak.
//!
//! Each check hangs on the smallest block that it needs, so that it still runs when something else in the file is wrong: a person who mends a file wants all of its
//! errors at once.

use std::collections::{BTreeMap, HashSet};

use deserr::{IntoValue, Value, ValuePointerRef};

use super::location::{Pointer, Step, pointer};
use super::problem::{Problem, Problems};
use super::values::BaseUrl;
use super::{
    AbsenceColumns, After, Config, DateColumn, Fields, Integration, JobTicket, Limits, NewestBy,
    Rule, Select, Source, TableConfig, Texts, Timeouts, is_loopback,
};

/// What is wrong with the block at one place.
struct Findings {
    at: Pointer,
    found: Problems,
}

impl Findings {
    /// Something is wrong with a key of the block.
    fn say(&mut self, key: &str, message: impl Into<String>) {
        let mut at = self.at.clone();
        at.push(Step::Key(key.to_owned()));
        let message = message.into();
        self.found.0.push(Problem { at, message });
    }
}

/// Hands a block on if nothing is wrong with it.
fn judged<T>(
    block: T,
    at: ValuePointerRef<'_>,
    judge: impl FnOnce(&T, &mut Findings),
) -> Result<T, Problems> {
    let mut findings = Findings {
        at: pointer(at),
        found: Problems::default(),
    };
    judge(&block, &mut findings);
    if findings.found.0.is_empty() {
        Ok(block)
    } else {
        Err(findings.found)
    }
}

/// What only the whole file shows: names and targets that stand twice.
pub(super) fn whole(config: Config, at: ValuePointerRef<'_>) -> Result<Config, Problems> {
    judged(config, at, |config, findings| {
        if config.integrations.is_empty() {
            findings.say(
                "integrations",
                "There is no integration; describe at least one",
            );
        }
        let mut names = HashSet::new();
        let mut targets: BTreeMap<(String, u64), &str> = BTreeMap::new();
        let top = findings.at.clone();
        for (index, integration) in config.integrations.iter().enumerate() {
            findings.at.push(Step::Key("integrations".to_owned()));
            findings.at.push(Step::Index(index));
            if !names.insert(&integration.name) {
                findings.say("name", TWICE);
            }
            let jobticket = &integration.jobticket;
            let target = (jobticket.origin(), jobticket.integration_id);
            if let Some(other) = targets.insert(target, &integration.name) {
                findings.at.push(Step::Key("jobticket".to_owned()));
                findings.say("integration_id", format!(
                    "`{other}` pushes to the same API and integration_id; the two would offboard each other's people in turn. \
                     Put both sources into one integration, or correct the number"
                ));
            }
            findings.at.clone_from(&top);
        }
    })
}

const TWICE: &str = "This name stands twice; each needs its own";

fn name(findings: &mut Findings, name: &str) {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !name.starts_with(['.', '-']);
    if !plain {
        findings.say(
            "name",
            "Write a short name of letters, digits, - _ and . that begins with a letter or digit",
        );
    }
}

/// An integration: what its sources and its JobTicket side need of each other.
pub(super) fn integration(
    integration: Integration,
    at: ValuePointerRef<'_>,
) -> Result<Integration, Problems> {
    judged(integration, at, |integration, findings| {
        name(findings, &integration.name);
        if integration.sources.is_empty() {
            findings.say(
                "sources",
                "There is no source; an integration without one would offboard everybody",
            );
        }
        let jobticket = &integration.jobticket;
        findings.at.push(Step::Key("jobticket".to_owned()));
        for (key, secret) in [
            ("api_key_id", &jobticket.api_key_id),
            ("api_key_secret", &jobticket.api_key_secret),
        ] {
            if secret.is_none() && !jobticket.is_sandbox() {
                findings.say(
                    key,
                    "Everything but the sandbox needs this; write {env: NAME}, {file: /path} or {credential: name}",
                );
            }
        }
        findings.at.pop();
        let mut names = HashSet::new();
        let top = findings.at.clone();
        for (index, source) in integration.sources.iter().enumerate() {
            findings.at.push(Step::Key("sources".to_owned()));
            findings.at.push(Step::Index(index));
            if !names.insert(&source.name) {
                findings.say("name", TWICE);
            }
            let twin = integration.sources[..index].iter().find(|other| {
                other.folder == source.folder
                    && (other.pattern == source.pattern
                        || matches!(other.after, After::Archive(_))
                        || matches!(source.after, After::Archive(_)))
            });
            if let Some(other) = twin {
                findings.say(
                    "folder",
                    format!("`{}` reads this folder too, and the two could take each other's files; give each its own", other.name),
                );
            }
            if source.max_age_hours.is_none() && !integration.jobticket.is_sandbox() {
                findings.say(
                    "max_age_hours",
                    "Outside the sandbox this is required, such as 36: an older file is not taken for today's staff",
                );
            }
            findings.at.clone_from(&top);
        }
    })
}

/// The JobTicket side.
pub(super) fn jobticket(
    jobticket: JobTicket,
    at: ValuePointerRef<'_>,
) -> Result<JobTicket, Problems> {
    judged(jobticket, at, |jobticket, findings| {
        match (&jobticket.environment, &jobticket.base_url) {
            (None, None) => findings.say(
                "environment",
                "Write environment: sandbox, staging or production, or a base_url",
            ),
            (Some(_), Some(_)) => {
                findings.say("base_url", "Write environment or base_url, not both");
            }
            _ => {}
        }
        if !(1..=3600).contains(&jobticket.retry_seconds) {
            findings.say("retry_seconds", "Write 1 to 3600 seconds");
        }
    })
}

/// Time limits.
pub(super) fn timeouts(limits: Timeouts, at: ValuePointerRef<'_>) -> Result<Timeouts, Problems> {
    judged(limits, at, |limits, findings| {
        for (key, seconds) in [
            ("connect_seconds", limits.connect_seconds),
            ("read_seconds", limits.read_seconds),
            ("total_seconds", limits.total_seconds),
        ] {
            if !(1..=3600).contains(&seconds) {
                findings.say(key, "Write 1 to 3600 seconds");
            }
        }
    })
}

impl deserr::Deserr<Problems> for BaseUrl {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let wrong = |message: &str| Err(Problems::one(at, message));
        let Value::String(text) = value else {
            return wrong("Write an address that begins with https://");
        };
        let Ok(url) = reqwest::Url::parse(&text) else {
            return wrong("This is not an address; write such as https://api.example.com");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong(
                "Credentials do not stand in an address; use api_key_id and api_key_secret",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("Leave out everything from ? or # on");
        }
        match url.scheme() {
            "https" => Ok(Self(text)),
            "http" if is_loopback(&url) => Ok(Self(text)),
            "http" => wrong(
                "http:// would send the credential and all employees readable by anyone on the way; write https://",
            ),
            _ => wrong("Write an address that begins with https://"),
        }
    }
}

/// A source: its files and its columns.
pub(super) fn source(source: Source, at: ValuePointerRef<'_>) -> Result<Source, Problems> {
    judged(source, at, |source, findings| {
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
        files(findings, source);
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
fn columns_of(fields: &Fields) -> Vec<(&'static str, &Texts)> {
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
    judged(fields, at, |fields, findings| {
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
    })
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

/// Who is taken by date.
pub(super) fn select(select: Select, at: ValuePointerRef<'_>) -> Result<Select, Problems> {
    judged(select, at, |select, findings| {
        for (key, days) in [
            ("starters_days_ahead", select.starters_days_ahead),
            ("leavers_days_kept", select.leavers_days_kept),
        ] {
            if days > 3660 {
                findings.say(key, "Write at most 3660 days");
            }
        }
    })
}

/// Limits.
pub(super) fn limits(limits: Limits, at: ValuePointerRef<'_>) -> Result<Limits, Problems> {
    judged(limits, at, |limits, findings| {
        for (key, limit) in [
            ("leavers", limits.leavers),
            ("explained_leavers", limits.explained_leavers),
        ] {
            if limit.percent > 50.0 {
                findings.say(
                    key,
                    "More than half of the people at once is never let through unasked; write at most 50 percent",
                );
            }
            // Not a share of anybody: a company of that size could lose everyone.
            if limit.at_least > 20 {
                findings.say(
                    key,
                    "at_least applies to the smallest roster too; write at most 20, and let percent and count grow with the company",
                );
            }
        }
        for (key, limit) in [
            ("leavers", limits.leavers),
            ("explained_leavers", limits.explained_leavers),
            ("joiners", limits.joiners),
            ("changed", limits.changed),
        ] {
            if limit.count.is_some_and(|count| count < limit.at_least) {
                findings.say(key, "count is less than at_least, so at_least alone would count; correct one of them");
            }
        }
    })
}
