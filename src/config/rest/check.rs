//! What the types cannot say of a source that is asked over HTTP.

use std::collections::BTreeSet;

use super::template::is_name;
use super::{JsonPath, Rest, fields, join};
use crate::config::location::Step;
use crate::config::source::Source;
use crate::config::validate::Findings;
use crate::config::validate_source;

/// What the types cannot say of the whole.
pub(super) fn source(source: &Source, findings: &mut Findings) {
    validate_source::every_source(source, findings);
    let joins = source.rest.as_ref().map_or(&[][..], |rest| &rest.join);
    fields::check(&source.fields, joins, findings);
    join::check(source, joins, findings);
    for (list, rules) in [("include", &source.include), ("exclude", &source.exclude)] {
        for (index, rule) in rules.iter().enumerate() {
            let wrong = match rule.column.parse::<JsonPath>() {
                Err(error) => Some(error.to_string()),
                Ok(path) => path
                    .joined()
                    .filter(|(name, _)| !joins.iter().any(|join| join.name == *name))
                    .map(|_| "There is no such list under join".to_owned()),
            };
            if let Some(wrong) = wrong {
                findings.at.push(Step::Key(list.to_owned()));
                findings.at.push(Step::Index(index));
                findings.say("column", wrong);
                findings.at.pop();
                findings.at.pop();
            }
        }
    }
    let Some(rest) = &source.rest else { return };
    rest.auth.check(findings);
    rest.request.check(findings);
    rest.paging.check(rest.request.is_post, findings);
    secrets(rest, findings);
    if rest.min_rows == 0 {
        findings.say(
            "min_rows",
            "Write at least 1: a roster without people is always refused",
        );
    }
    for (key, value, most) in [
        (
            "requests_per_minute",
            u64::from(rest.requests_per_minute),
            1_000_000,
        ),
        ("retry_seconds", rest.retry_seconds, 3600),
        ("within_seconds", rest.within_seconds, 86_400),
        ("max_megabytes", rest.max_megabytes, 4096),
    ] {
        if !(1..=most).contains(&value) {
            findings.say(key, format!("Write 1 to {most}"));
        }
    }
}

fn of_joins(rest: &Rest) -> Vec<String> {
    let joins = rest.join.iter();
    joins.flat_map(|join| join.request.names()).collect()
}

/// Each secret that is named is there, and each that is there is named: one of the two is otherwise misspelt.
fn secrets(rest: &Rest, findings: &mut Findings) {
    for (key, named) in [
        ("join", of_joins(rest)),
        ("auth", rest.auth.names()),
        ("request", rest.request.names()),
    ] {
        for name in named {
            if !rest.secrets.contains_key(&name) {
                findings.say(
                    key,
                    format!(
                        "`{{{name}}}` is no secret of this source; write under secrets where it is"
                    ),
                );
            }
        }
    }
    let named: BTreeSet<String> = rest
        .auth
        .names()
        .into_iter()
        .chain(rest.request.names())
        .chain(of_joins(rest))
        .collect();
    for name in rest.secrets.keys() {
        if !is_name(name) {
            findings.say(
                "secrets",
                "The name of a secret has small letters, digits and _, and begins with a letter",
            );
        } else if !named.contains(name) {
            findings.say(
                "secrets",
                format!(
                    "`{name}` is used nowhere; write {{{name}}} where it goes, or leave it out"
                ),
            );
        }
    }
}
