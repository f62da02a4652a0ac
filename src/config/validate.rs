//! What the types of the tree cannot say: names that stand twice, keys that need each other, addresses that leak.

use std::collections::{BTreeMap, HashSet};

use super::location::{Pointer, Step};
use super::{AbsenceColumns, After, Config, Integration, Limits, NewestBy, Source, is_loopback};

/// A walk through the tree that remembers where it is.
struct Walk {
    path: Vec<Step>,
    found: Vec<(Pointer, String)>,
}

impl Walk {
    fn within(&mut self, steps: &[Step], inner: impl FnOnce(&mut Self)) {
        let depth = self.path.len();
        self.path.extend_from_slice(steps);
        inner(self);
        self.path.truncate(depth);
    }

    fn say(&mut self, key: &str, message: impl Into<String>) {
        let mut path = self.path.clone();
        path.push(Step::Key(key.to_owned()));
        self.found.push((path, message.into()));
    }
}

fn item(list: &str, index: usize) -> [Step; 2] {
    [Step::Key(list.to_owned()), Step::Index(index)]
}

/// All that is wrong in a tree whose types are right.
pub(super) fn problems(config: &Config) -> Vec<(Pointer, String)> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Vec::new(),
    };
    if config.integrations.is_empty() {
        walk.say(
            "integrations",
            "There is no integration; describe at least one",
        );
    }
    let mut names = HashSet::new();
    let mut targets: BTreeMap<(String, u64), &str> = BTreeMap::new();
    for (index, integration) in config.integrations.iter().enumerate() {
        walk.within(&item("integrations", index), |walk| {
            name(walk, &integration.name, &mut names);
            let target = (integration.jobticket.origin(), integration.jobticket.integration_id);
            if let Some(other) = targets.insert(target, &integration.name) {
                let message = format!(
                    "`{other}` pushes to the same API and integration_id; the two would offboard each other's people in turn. \
                     Put both sources into one integration, or correct the number"
                );
                walk.within(&[Step::Key("jobticket".into())], |walk| walk.say("integration_id", message));
            }
            walk.within(&[Step::Key("jobticket".into())], |walk| jobticket(walk, integration));
            sources(walk, integration);
            limits(walk, &integration.limits);
            if integration.select.starters_days_ahead > 3660 {
                walk.within(&[Step::Key("select".into())], |walk| walk.say("starters_days_ahead", "At most 3660 days"));
            }
            if integration.select.leavers_days_kept > 3660 {
                walk.within(&[Step::Key("select".into())], |walk| walk.say("leavers_days_kept", "At most 3660 days"));
            }
        });
    }
    walk.found
}

fn name<'a>(walk: &mut Walk, name: &'a str, seen: &mut HashSet<&'a str>) {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !name.starts_with(['.', '-']);
    if !plain {
        walk.say(
            "name",
            "Write a short name of letters, digits, - _ and . that begins with a letter or digit",
        );
    }
    if !seen.insert(name) {
        walk.say("name", "This name stands twice; each needs its own");
    }
}

fn jobticket(walk: &mut Walk, integration: &Integration) {
    let jobticket = &integration.jobticket;
    match (&jobticket.environment, &jobticket.base_url) {
        (None, None) => walk.say(
            "environment",
            "Write environment: sandbox, staging or production, or a base_url",
        ),
        (Some(_), Some(_)) => walk.say("base_url", "Write environment or base_url, not both"),
        (None, Some(url)) => base_url(walk, url),
        (Some(_), None) => {}
    }
    for (key, secret) in [
        ("api_key_id", &jobticket.api_key_id),
        ("api_key_secret", &jobticket.api_key_secret),
    ] {
        if secret.is_none() && !jobticket.is_sandbox() {
            walk.say(key, "Everything but the sandbox needs this; write {env: NAME}, {file: /path} or {credential: name}");
        }
    }
    let limits = jobticket.timeouts;
    for (key, seconds) in [
        ("connect_seconds", limits.connect_seconds),
        ("read_seconds", limits.read_seconds),
        ("total_seconds", limits.total_seconds),
    ] {
        if !(1..=3600).contains(&seconds) {
            walk.within(&[Step::Key("timeouts".into())], |walk| {
                walk.say(key, "Write 1 to 3600 seconds");
            });
        }
    }
    if !(1..=3600).contains(&jobticket.retry_seconds) {
        walk.say("retry_seconds", "Write 1 to 3600 seconds");
    }
}

fn base_url(walk: &mut Walk, url: &str) {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        walk.say(
            "base_url",
            "This is not an address; write such as https://api.example.com",
        );
        return;
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        walk.say(
            "base_url",
            "Credentials do not stand in an address; use api_key_id and api_key_secret",
        );
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        walk.say("base_url", "Leave out everything from ? or # on");
    }
    match parsed.scheme() {
        "https" => {}
        "http" if is_loopback(&parsed) => {}
        "http" => walk.say("base_url", "http:// would send the credential and all employees readable by anyone on the way; write https://"),
        _ => walk.say("base_url", "Write an address that begins with https://"),
    }
}

fn sources(walk: &mut Walk, integration: &Integration) {
    if integration.sources.is_empty() {
        walk.say(
            "sources",
            "There is no source; an integration without one would offboard everybody",
        );
    }
    let mut names = HashSet::new();
    let sandbox = integration.jobticket.is_sandbox();
    for (index, source) in integration.sources.iter().enumerate() {
        walk.within(&item("sources", index), |walk| {
            name(walk, &source.name, &mut names);
            if source.max_age_hours.is_none() && !sandbox {
                walk.say("max_age_hours", "Outside the sandbox this is required, such as 36: an older file is not taken for today's staff");
            }
            if source.max_age_hours == Some(0) {
                walk.say("max_age_hours", "Write at least 1");
            }
            files(walk, source);
            fields(walk, source);
        });
    }
}

fn files(walk: &mut Walk, source: &Source) {
    if source.pattern.contains('/') {
        walk.say(
            "pattern",
            "A pattern names files of the folder itself; put the folder into `folder`",
        );
    }
    match globset::Glob::new(&source.pattern) {
        Err(error) => walk.say(
            "pattern",
            format!(
                "This is not a file name pattern ({}); write such as roster_*.csv",
                error.kind()
            ),
        ),
        Ok(_) if source.pattern.is_empty() => walk.say("pattern", "Write such as roster_*.csv"),
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
            walk.say(
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
        walk.say(
            "after",
            "The archive is the drop folder itself; name another folder",
        );
    }
    let table = &source.table;
    walk.within(&[Step::Key("table".into())], |walk| {
        if table.min_rows == 0 {
            walk.say(
                "min_rows",
                "Write at least 1: a roster without people is always refused",
            );
        }
        if table
            .trailer
            .as_deref()
            .is_some_and(|trailer| trailer.trim().is_empty())
        {
            walk.say(
                "trailer",
                "Write the last line of the file, such as \"Anzahl: {rows}\", or leave the key out",
            );
        }
        if table
            .rows_in_name
            .as_deref()
            .is_some_and(|name| !name.contains("{rows}"))
        {
            walk.say(
                "rows_in_name",
                "Write {rows} where the number of rows stands, such as report_*_{rows}.csv",
            );
        }
        if !(1..=4096).contains(&table.max_megabytes) {
            walk.say("max_megabytes", "Write 1 to 4096");
        }
    });
}

fn fields(walk: &mut Walk, source: &Source) {
    let fields = &source.fields;
    walk.within(&[Step::Key("fields".into())], |walk| {
        let columns = |walk: &mut Walk, key: &str, columns: &[String]| {
            if columns.is_empty() || columns.iter().any(|column| column.trim().is_empty()) {
                walk.say(key, "Write the name of a column, or a list of names");
            } else if !source.table.header
                && columns.iter().any(|column| !column.trim().parse::<usize>().is_ok_and(|number| number > 0))
            {
                walk.say(key, "With header: false columns are called by number: 1, 2, 3");
            }
        };
        columns(walk, "hrId", &fields.hr_id.0);
        columns(walk, "firstName", &fields.first_name.0);
        columns(walk, "lastName", &fields.last_name.0);
        columns(walk, "email", &fields.email.0);
        for (key, date) in [
            ("dateOfBirth", &fields.date_of_birth),
            ("startDate", &fields.start_date),
            ("terminationDate", &fields.termination_date),
        ] {
            if let Some(date) = date {
                columns(walk, key, &date.from.0);
            }
        }
        if let Some(date) = &fields.termination_date
            && date.from.0.iter().any(|column| column.trim().to_lowercase().starts_with("kündigung"))
        {
            walk.say("terminationDate", "The day of notice is not the last day of employment; name the column of the latter, such as Austrittsdatum");
        }
        if let Some(flag) = &fields.auto_sync_employee {
            columns(walk, "autoSyncEmployee", &flag.from.0);
            if flag.yes.0.is_empty() || flag.no.0.is_empty() || flag.yes.0.iter().any(|word| flag.no.0.contains(word)) {
                walk.say("autoSyncEmployee", "Write the values of yes and of no, none of them in both lists");
            }
        }
        if let Some(AbsenceColumns { kind, only, texts, dates }) = &fields.absences {
            columns(walk, "absences", std::slice::from_ref(kind));
            if only.0.is_empty() {
                walk.say("absences", "Write under `only` which kinds of absence are sent");
            }
            if texts.is_empty() && dates.is_empty() {
                walk.say("absences", "Write under `texts` and `dates` which keys an item has");
            }
            texts.values().chain(dates.values().map(|date| &date.from)).for_each(|from| columns(walk, "absences", &from.0));
        }
    });
    for (list, rules) in [("include", &source.include), ("exclude", &source.exclude)] {
        for (index, rule) in rules.iter().enumerate() {
            walk.within(&item(list, index), |walk| {
                if rule.column.trim().is_empty() {
                    walk.say("column", "Write the name of a column");
                }
                if rule.values.0.is_empty() {
                    walk.say("in", "Write the values that match");
                }
            });
        }
    }
}

fn limits(walk: &mut Walk, limits: &Limits) {
    walk.within(&[Step::Key("limits".into())], |walk| {
        let at_once = [("leavers", limits.leavers), ("explained_leavers", limits.explained_leavers)];
        for (key, limit) in at_once {
            if limit.percent > 50.0 {
                walk.say(key, "More than half of the people at once is never let through unasked; write at most 50 percent");
            }
        }
    });
}
