//! Further lists, whose records belong to those of the first one: joined on an id, each read whole and once, never a request for each person.

use std::collections::HashSet;

use deserr::Deserr;
use serde::Serialize;

use super::paging::Paging;
use super::path::JsonPath;
use super::request::Request;
use crate::config::location::Step;
use crate::config::problem::Problems;
use crate::config::source::Source;
use crate::config::validate::Findings;
use crate::config::validate_source::columns_of;

/// A further list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct Join {
    /// Its name: `@name.` in front of a path leads into it.
    pub name: String,
    /// What is asked for.
    pub request: Request,
    /// How the list goes on.
    pub paging: Paging,
    /// Where an answer has its list.
    pub records: JsonPath,
    /// What no two of its records share; unknown where absent.
    #[deserr(default)]
    pub record_id: Option<JsonPath>,
    /// What a record shares with that of its person.
    pub on: On,
    /// With fewer people of whom it has a record, the source fails; not looked at where the list is of absences.
    #[deserr(default = 1)]
    pub min_rows: u64,
    /// Which record counts where several belong to one person.
    #[deserr(default = IfSeveral::Fail)]
    pub if_several: IfSeveral,
}

/// What two records share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct On {
    /// Where it stands in the record of the first list.
    pub here: JsonPath,
    /// Where it stands in the record of this one.
    pub there: JsonPath,
}

/// Which record counts where several belong to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum IfSeveral {
    /// Nobody knows which: the source fails.
    Fail,
    /// The first of the list.
    First,
    /// The last of the list.
    Last,
}

/// What the types cannot say of the joined lists of a source.
pub(super) fn check(source: &Source, joins: &[Join], findings: &mut Findings) {
    let absences = source.fields.absences.as_ref();
    let of_absences = absences.and_then(|absences| absences.list.as_deref());
    let columns = columns_of(&source.fields);
    let columns = columns.iter().flat_map(|(_, texts)| &texts.0);
    let rules = source.include.iter().chain(&source.exclude);
    let paths = columns.chain(rules.map(|rule| &rule.column));
    let paths = paths.filter_map(|path| path.parse::<JsonPath>().ok());
    let used: HashSet<String> = paths
        .filter_map(|path| path.joined().map(|(name, _)| name.to_owned()))
        .collect();
    let mut names = HashSet::new();
    let top = findings.at.clone();
    for (index, join) in joins.iter().enumerate() {
        findings.at.push(Step::Key("join".to_owned()));
        findings.at.push(Step::Index(index));
        join.request.check(findings);
        join.paging.check(join.request.is_post, findings);
        if !super::path::is_plain_key(&join.name) || join.name == "key" {
            findings.say(
                "name",
                "Write a short name of letters, digits, - and _, and not key",
            );
        }
        if !names.insert(&join.name) {
            findings.say("name", "This name stands twice; each list needs its own");
        }
        let is_absences = of_absences == Some(join.name.as_str());
        match (used.contains(&join.name), is_absences) {
            (false, false) => findings.say("name", "This list is used nowhere; write @name. in front of a path under fields, or leave it out"),
            (true, true) => findings.say("name", "A list of absences has no other values; write a second one for those"),
            _ => {}
        }
        findings.at.clone_from(&top);
    }
}
