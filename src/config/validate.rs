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
    After, AuditConfig, Config, Cost, Environment, Integration, JobTicket, Limits, ReadBack,
    Select, SourceType, Timeouts, is_loopback,
};

/// What is wrong with the block at one place.
pub(super) struct Findings {
    pub(super) at: Pointer,
    found: Problems,
}

impl Findings {
    /// Something is wrong with a key of the block.
    pub(super) fn say(&mut self, key: &str, message: impl Into<String>) {
        let mut at = self.at.clone();
        at.push(Step::Key(key.to_owned()));
        let message = message.into();
        self.found.0.push(Problem { at, message });
    }
}

/// Hands a block on if nothing is wrong with it.
pub(super) fn judged<T>(
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
        if config
            .leavers_keep_days
            .is_some_and(|days| !(1..=399).contains(&days))
        {
            findings.say(
                "leavers_keep_days",
                "Write 1 to 399 days: who left longer ago is not known any more",
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

pub(super) fn name(findings: &mut Findings, name: &str) {
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
        if integration.resync_every_days == Some(0) {
            findings.say(
                "resync_every_days",
                "Write at least 1 day, or null for never",
            );
        }
        if !(1..=8760).contains(&integration.frozen_warn_hours) {
            findings.say("frozen_warn_hours", "Write 1 to 8760 hours");
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
                other.is_beside(source)
                    && (other.pattern == source.pattern
                        || other.after != After::Keep
                        || source.after != After::Keep)
            });
            if let Some(other) = twin {
                findings.say(
                    "folder",
                    format!("`{}` reads this folder too, and the two could take each other's files; give each its own", other.name),
                );
            }
            if source.max_age_hours.is_none()
                && source.kind != SourceType::Rest
                && !integration.jobticket.is_sandbox()
            {
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
        if jobticket.pseudonyms
            && !jobticket.is_loopback()
            && jobticket.environment != Some(Environment::Staging)
        {
            findings.say(
                "pseudonyms",
                "Invented people are for environment: staging or sandbox only; everybody at this address would lose their name",
            );
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
                "Credentials do not stand in an address; use api_key_id and api_key_secret, or, of a source, auth and secrets",
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

/// The audit log.
pub(super) fn audit(audit: AuditConfig, at: ValuePointerRef<'_>) -> Result<AuditConfig, Problems> {
    judged(audit, at, |audit, findings| {
        if !(1..=4096).contains(&audit.rotate_megabytes) {
            findings.say("rotate_megabytes", "Write 1 to 4096 megabytes");
        }
        if audit
            .keep_months
            .is_some_and(|months| !(1..=1200).contains(&months))
        {
            findings.say("keep_months", "Write 1 to 1200 months, or null for ever");
        }
    })
}

/// Limits.
pub(super) fn limits(limits: Limits, at: ValuePointerRef<'_>) -> Result<Limits, Problems> {
    judged(limits, at, |limits, findings| {
        let windows = limits
            .windows
            .iter()
            .map(|window| ("windows", window.limit));
        for (key, limit) in [
            ("leavers", limits.leavers),
            ("explained_leavers", limits.explained_leavers),
        ]
        .into_iter()
        .chain(windows.clone())
        {
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
            ("key_drift", limits.key_drift),
        ]
        .into_iter()
        .chain(windows)
        {
            if limit.count.is_some_and(|count| count < limit.at_least) {
                findings.say(key, "count is less than at_least, so at_least alone would count; correct one of them");
            }
        }
        for (key, percent, most) in [
            ("keep_percent", limits.keep_percent, 50),
            ("emptied_percent", limits.emptied_percent, 100),
        ] {
            if percent > most {
                findings.say(key, format!("Write a percentage from 0 to {most}"));
            }
        }
        if !(1..=31).contains(&limits.missing_days) {
            findings.say("missing_days", "Write 1 to 31 days");
        }
        if !(1..=720).contains(&limits.approval_hours) {
            findings.say("approval_hours", "Write 1 to 720 hours");
        }
    })
}

/// What is read back.
pub(super) fn read_back(
    read_back: ReadBack,
    at: ValuePointerRef<'_>,
) -> Result<ReadBack, Problems> {
    judged(read_back, at, |read_back, findings| {
        if !(1..=720).contains(&read_back.within_hours) {
            findings.say("within_hours", "Write 1 to 720 hours");
        }
    })
}

/// The cost of a linked employee.
pub(super) fn cost(cost: Cost, at: ValuePointerRef<'_>) -> Result<Cost, Problems> {
    judged(cost, at, |cost, findings| {
        if !(0.0..=1_000_000.0).contains(&cost.amount) {
            findings.say("amount", "Write what a linked employee costs, such as 1.00");
        }
        if cost.currency.is_empty() || cost.currency.len() > 8 {
            findings.say("currency", "Write a currency, such as EUR");
        }
    })
}
