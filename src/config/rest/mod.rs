//! What the configuration says of a source that is asked over HTTP for JSON.
//!
//! It becomes a [`Source`] like one of files: paths stand where those have columns, so that mapping, selection and limits are the same code.

mod auth;
mod check;
mod fields;
mod join;
mod paging;
mod path;
mod request;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;
use serde_json::Value as Tree;

pub use auth::{Basic, RestAuth, Target, TokenFrom};
pub use join::{IfSeveral, Join, On};
pub use paging::{OtherOrigin, Paging, Parameter, Way, Where};
pub use path::{JsonPath, PathStep, is_plain_key};
pub use request::Request;
pub use template::{Template, fill_json};

use super::jobticket::Timeouts;
use super::limit::Limit;
use super::problem::Problems;
use super::recipes::{RECIPES, Recipe};
use super::secret::SecretRef;
use super::source::{Rule, Source, SourceType, TableConfig};
use super::validate::judged;
use super::values::{After, BaseUrl, ByName, NewestBy, Ready};
use fields::RestFields;

/// How an HR system is asked.
#[derive(Debug, Clone, Serialize)]
pub struct Rest {
    /// The recipe that fills in what the file leaves out.
    pub recipe: Option<String>,
    /// Where it is.
    pub base_url: BaseUrl,
    /// Where its secrets are, by the names that `{name}` has elsewhere.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Who asks.
    pub auth: RestAuth,
    /// What is asked for.
    pub request: Request,
    /// How the list goes on.
    pub paging: Paging,
    /// Where an answer has its list.
    pub records: JsonPath,
    /// What no two records share; the hrId where absent.
    pub record_id: Option<JsonPath>,
    /// Further lists.
    pub join: Vec<Join>,
    /// Fewer records than this, and the list is refused.
    pub min_rows: u64,
    /// So many requests in a minute.
    pub requests_per_minute: u32,
    /// How long one request may be tried again in all, seconds.
    pub retry_seconds: u64,
    /// How long everything may take, seconds.
    pub within_seconds: u64,
    /// Time limits of one attempt.
    pub timeouts: Timeouts,
    /// A larger answer is refused, megabytes, unpacked.
    pub max_megabytes: u64,
    /// A certificate authority to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// A client's certificate and its key, PEM.
    pub client_certificate: Option<SecretRef>,
}

impl Rest {
    /// Where its secrets are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.secrets.values().chain(&self.client_certificate)
    }

    pub(super) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretRef> {
        self.secrets
            .values_mut()
            .chain(&mut self.client_certificate)
    }

    /// What decides who is in the list, and how a record is read.
    pub fn selection(&self) -> impl Serialize {
        (
            &self.base_url,
            &self.request,
            &self.records,
            &self.record_id,
            &self.join,
        )
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct RestKeys {
    name: String,
    #[deserr(rename = "type")]
    kind: SourceType,
    #[deserr(default)]
    recipe: Option<String>,
    base_url: BaseUrl,
    #[deserr(default, from(ByName<SecretRef>) = ByName::into_map)]
    secrets: BTreeMap<String, SecretRef>,
    auth: RestAuth,
    request: Request,
    paging: Paging,
    records: JsonPath,
    #[deserr(default)]
    record_id: Option<JsonPath>,
    #[deserr(default)]
    join: Vec<Join>,
    fields: RestFields,
    #[deserr(default)]
    id_prefix: Option<String>,
    #[deserr(default)]
    include: Vec<Rule>,
    #[deserr(default)]
    exclude: Vec<Rule>,
    #[deserr(default = Limit { percent: 5.0, count: None, at_least: 3 })]
    invalid_rows: Limit,
    #[deserr(default = 1)]
    min_rows: u64,
    #[deserr(default = 120)]
    requests_per_minute: u32,
    #[deserr(default = 300)]
    retry_seconds: u64,
    #[deserr(default = 1800)]
    within_seconds: u64,
    #[deserr(default)]
    timeouts: Timeouts,
    #[deserr(default = 64)]
    max_megabytes: u64,
    #[deserr(default)]
    ca_file: Option<PathBuf>,
    #[deserr(default)]
    client_certificate: Option<SecretRef>,
}

/// The sources of an integration: those that are asked for JSON have other keys than those with files.
pub(super) struct Sources(Vec<Source>);

impl Sources {
    pub(super) fn into_list(self) -> Vec<Source> {
        self.0
    }
}

impl Deserr<Problems> for Sources {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let trees = Vec::<Tree>::deserialize_from_value(value, at)?;
        let (mut sources, mut problems) = (Vec::new(), Problems::default());
        for (index, tree) in trees.into_iter().enumerate() {
            let at = at.push_index(index);
            let source = if tree.get("type").and_then(Tree::as_str) == Some("rest") {
                source(tree, at)
            } else {
                Source::deserialize_from_value(tree.into_value(), at)
            };
            match source {
                Ok(source) => sources.push(source),
                Err(found) => problems.0.extend(found.0),
            }
        }
        if problems.0.is_empty() {
            Ok(Self(sources))
        } else {
            Err(problems)
        }
    }
}

/// Keys of the sources with files, and why they have no place here.
const OF_FILES: [(&str, &str); 13] = [
    (
        "watch",
        "An HR system tells nobody of changes, so a source of type rest cannot be watched; leave watch out, and let the schedule ask",
    ),
    (
        "max_age_hours",
        "A source of type rest is asked in every run, so nothing of it grows old; leave max_age_hours out",
    ),
    (
        "table",
        "A source of type rest delivers JSON and no table; min_rows and max_megabytes stand beside type",
    ),
    ("folder", FILES_ONLY),
    ("pattern", FILES_ONLY),
    ("newest_by", FILES_ONLY),
    ("ready", FILES_ONLY),
    ("after", FILES_ONLY),
    (
        "host",
        "A source of type rest has an address: write base_url: https://api.example.com",
    ),
    (
        "port",
        "A source of type rest has an address: write base_url: https://api.example.com",
    ),
    (
        "user",
        "Who asks stands under auth: {basic: {user: …, password: …}}",
    ),
    (
        "password",
        "Who asks stands under auth: {basic: {user: …, password: …}}, and where the secrets are under secrets",
    ),
    (
        "host_keys",
        "A source of type rest is known by its certificate; for one of your own authority write ca_file: /path",
    ),
];

const FILES_ONLY: &str = "This key is for sources with files; a source of type rest has base_url, request, paging and records";

fn source(mut tree: Tree, at: ValuePointerRef<'_>) -> Result<Source, Problems> {
    let mut problems = Problems::default();
    if let Some(map) = tree.as_object_mut() {
        for (key, why) in OF_FILES {
            if map.remove(key).is_some() {
                problems.0.extend(Problems::one(at.push_key(key), why).0);
            }
        }
    }
    let tree = match tree
        .get("recipe")
        .map(|name| name.as_str().and_then(Recipe::named))
    {
        None => tree,
        Some(Some(recipe)) => recipe.fill(tree),
        Some(None) => {
            let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
            let why = format!("There is no such recipe; there are {}", names.join(", "));
            problems
                .0
                .extend(Problems::one(at.push_key("recipe"), why).0);
            return Err(problems);
        }
    };
    let source = RestKeys::deserialize_from_value(tree.into_value(), at)
        .and_then(|keys| judged(keys.into_source(), at, check::source));
    match source {
        Ok(source) if problems.0.is_empty() => Ok(source),
        Ok(_) => Err(problems),
        Err(found) => {
            problems.0.extend(found.0);
            Err(problems)
        }
    }
}

impl RestKeys {
    fn into_source(self) -> Source {
        let rest = Rest {
            recipe: self.recipe,
            base_url: self.base_url,
            secrets: self.secrets,
            auth: self.auth,
            request: self.request,
            paging: self.paging,
            records: self.records,
            record_id: self.record_id,
            join: self.join,
            min_rows: self.min_rows,
            requests_per_minute: self.requests_per_minute,
            retry_seconds: self.retry_seconds,
            within_seconds: self.within_seconds,
            timeouts: self.timeouts,
            max_megabytes: self.max_megabytes,
            ca_file: self.ca_file,
            client_certificate: self.client_certificate,
        };
        Source {
            name: self.name,
            kind: self.kind,
            host: None,
            port: None,
            user: None,
            host_keys: None,
            auth: None,
            timeouts: None,
            folder: PathBuf::new(),
            pattern: String::new(),
            newest_by: NewestBy::Modified,
            ready: Ready::Rename,
            watch: false,
            max_age_hours: None,
            after: After::Keep,
            archive_keep_days: None,
            decrypt: None,
            table: TableConfig::default(),
            id_prefix: self.id_prefix,
            fields: self.fields.into(),
            include: self.include,
            exclude: self.exclude,
            invalid_rows: self.invalid_rows,
            rest: Some(Box::new(rest)),
        }
    }
}
