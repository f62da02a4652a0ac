//! The configuration: one YAML file, strict, with every error of the file told at once.
//!
//! The tree below is what the program works with; `load` reads it, `check` finds what the types alone cannot. Every key
//! is explained in `config.example.yaml`. Relative paths are relative to the file they stand in.

mod changes;
mod load;
mod location;
mod problem;
mod secret;
mod validate;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use deserr::Deserr;
use serde::Serialize;

pub use changes::{KeyChange, changes, flatten};
pub use load::{ConfigError, Finding, load, parse};
pub use location::Place;
pub use secret::{Secret, SecretError, SecretRef};
pub use values::{
    After, BaseUrl, DateColumn, Delimiter, FlagColumn, Limit, NewestBy, Ready, Texts,
};

use problem::Problems;
use values::Percent;

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::whole -> Problems)]
pub struct Config {
    /// Folder of the store, the audit log and the sandbox.
    pub state_dir: PathBuf,
    /// Folder of the request ledger; `state_dir` where absent. Instances that share a credential share it.
    #[deserr(default)]
    pub ledger_dir: Option<PathBuf>,
    /// The zone whose calendar day is "today" in every date rule.
    #[deserr(default = chrono_tz::Europe::Berlin, try_from(&String) = time_zone -> String)]
    #[serde(serialize_with = "as_text")]
    pub timezone: chrono_tz::Tz,
    /// The audit log.
    #[deserr(default)]
    pub audit: AuditConfig,
    /// The operational log.
    #[deserr(default)]
    pub log: LogConfig,
    /// What is kept in step with what.
    pub integrations: Vec<Integration>,
    /// The file it was read from.
    #[deserr(skip)]
    #[serde(skip)]
    file: load::File,
}

fn time_zone(name: &str) -> Result<chrono_tz::Tz, String> {
    name.parse()
        .map_err(|_| format!("`{name}` is not a time zone; write a name such as Europe/Berlin"))
}

fn as_text<T: std::fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The audit log.
#[derive(Debug, Clone, Default, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct AuditConfig {
    /// Its file; `audit.jsonl` in `state_dir` where absent.
    #[deserr(default)]
    pub path: Option<PathBuf>,
    /// How much of personal values it holds.
    #[deserr(default)]
    pub values: AuditValues,
}

/// How much of personal values the audit log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum AuditValues {
    /// None: names of fields only.
    None,
    /// First letters, and the year of a date.
    #[default]
    Masked,
    /// As they are.
    Full,
}

/// The operational log.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct LogConfig {
    /// Shape of a line.
    #[deserr(default)]
    pub format: LogFormat,
    /// The least important level that is written.
    #[deserr(default)]
    pub level: LogLevel,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important level that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual five words")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// A JobTicket HR integration with its credential and sources.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::integration -> Problems)]
pub struct Integration {
    /// Its name here: in messages, logs and `--integration`.
    pub name: String,
    /// The other side.
    pub jobticket: JobTicket,
    /// Where employees come from.
    pub sources: Vec<Source>,
    /// Who is taken by date.
    #[deserr(default)]
    pub select: Select,
    /// What a person has to decide.
    #[deserr(default)]
    pub limits: Limits,
}

/// Which JobTicket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The imitation inside this program; nobody at JobTicket is touched.
    Sandbox,
    /// JobTicket's staging host.
    Staging,
    /// JobTicket's production host: real tickets.
    Production,
}

/// The JobTicket side of an integration.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::jobticket -> Problems)]
pub struct JobTicket {
    /// One of the known hosts; or `base_url`.
    #[deserr(default)]
    pub environment: Option<Environment>,
    /// Another host; or `environment`.
    #[deserr(default)]
    pub base_url: Option<BaseUrl>,
    /// Number of the HR integration in the JobTicket portal.
    pub integration_id: u64,
    /// User name of HTTP Basic auth.
    #[deserr(default)]
    pub api_key_id: Option<SecretRef>,
    /// Password of HTTP Basic auth.
    #[deserr(default)]
    pub api_key_secret: Option<SecretRef>,
    /// A certificate authority to trust besides the system's, PEM.
    #[deserr(default)]
    pub ca_file: Option<PathBuf>,
    /// Time limits of a call.
    #[deserr(default)]
    pub timeouts: Timeouts,
    /// How long one call may be tried again in all, seconds.
    #[deserr(default = 600)]
    pub retry_seconds: u64,
}

/// Time limits of one HTTP call, in seconds. The vendor names none; these are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::timeouts -> Problems)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    #[deserr(default = 10)]
    pub connect_seconds: u64,
    /// Longest silence while the answer is read.
    #[deserr(default = 60)]
    pub read_seconds: u64,
    /// The whole call.
    #[deserr(default = 180)]
    pub total_seconds: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_seconds: 10,
            read_seconds: 60,
            total_seconds: 180,
        }
    }
}

/// Which adapter reads a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    /// A folder that files are dropped into.
    #[deserr(rename = "csv_drop")]
    CsvDrop,
}

/// Where employees come from.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::source -> Problems)]
pub struct Source {
    /// Its name here.
    pub name: String,
    /// Which adapter reads it.
    #[deserr(rename = "type")]
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// The drop folder.
    pub folder: PathBuf,
    /// Which files of the folder are rosters, with `*` and `?`.
    pub pattern: String,
    /// What makes a file the newest.
    #[deserr(default = NewestBy::Modified)]
    pub newest_by: NewestBy,
    /// How a file is known to be complete.
    pub ready: Ready,
    /// An older file is stale, hours.
    #[deserr(default)]
    pub max_age_hours: Option<u64>,
    /// What happens to a file that was used.
    #[deserr(default = After::Keep)]
    pub after: After,
    /// How the table is written.
    #[deserr(default)]
    pub table: TableConfig,
    /// Which column is what.
    pub fields: Fields,
    /// Rows are taken only where each of these holds.
    #[deserr(default)]
    pub include: Vec<Rule>,
    /// Rows are left out where one of these holds.
    #[deserr(default)]
    pub exclude: Vec<Rule>,
    /// More rows than this that make no sense, and the whole file is refused.
    #[deserr(default = Limit { percent: 5.0, count: None, at_least: 3 })]
    pub invalid_rows: Limit,
}

/// A rule on the text of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::rule -> Problems)]
pub struct Rule {
    /// The column.
    pub column: String,
    /// The values that match, as text.
    #[deserr(rename = "in")]
    #[serde(rename = "in")]
    pub values: Texts,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::table -> Problems)]
pub struct TableConfig {
    /// Between the cells.
    #[deserr(default = Delimiter::Auto)]
    pub delimiter: Delimiter,
    /// Of the text.
    #[deserr(default = Encoding::Auto)]
    pub encoding: Encoding,
    /// Whether the first row names the columns; otherwise they are called 1, 2, 3.
    #[deserr(default = true)]
    pub header: bool,
    /// The last line, where it is no row: `*` stands for anything, `{rows}` for the number of rows, which is checked.
    #[deserr(default)]
    pub trailer: Option<String>,
    /// The file's name, where it holds the number of rows: `report_*_{rows}.csv`.
    #[deserr(default)]
    pub rows_in_name: Option<String>,
    /// Whether the file has to end with a line end.
    #[deserr(default = FinalNewline::Required)]
    pub final_newline: FinalNewline,
    /// Fewer rows than this, and the file is refused.
    #[deserr(default = 1)]
    pub min_rows: u64,
    /// Whether a quote inside quotes is written `\"` and not `""`.
    #[deserr(default)]
    pub backslash_escapes: bool,
    /// A larger file is refused, megabytes, also after unpacking.
    #[deserr(default = 512)]
    pub max_megabytes: u64,
}

impl Default for TableConfig {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Auto,
            encoding: Encoding::Auto,
            header: true,
            trailer: None,
            rows_in_name: None,
            final_newline: FinalNewline::Required,
            min_rows: 1,
            backslash_escapes: false,
            max_megabytes: 512,
        }
    }
}

/// How the text of a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// A byte order mark decides; else strict UTF-8; else Windows-1252.
    Auto,
    /// UTF-8.
    #[deserr(rename = "utf-8")]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows-1252, which most call ANSI or Latin-1.
    #[deserr(rename = "windows-1252")]
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// UTF-16, least significant byte first.
    #[deserr(rename = "utf-16le")]
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, most significant byte first.
    #[deserr(rename = "utf-16be")]
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

/// Whether the file has to end with a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum FinalNewline {
    /// Without one the file was cut short.
    Required,
    /// The sender never writes one.
    Optional,
}

/// Which column is which field of JobTicket.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, rename_all = camelCase, validate = validate::fields -> Problems)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    /// The stable key.
    pub hr_id: Texts,
    /// First name.
    pub first_name: Texts,
    /// Last name.
    pub last_name: Texts,
    /// E-mail address.
    pub email: Texts,
    /// Date of birth.
    #[deserr(default)]
    pub date_of_birth: Option<DateColumn>,
    /// First day of employment.
    #[deserr(default)]
    pub start_date: Option<DateColumn>,
    /// Last day of employment.
    #[deserr(default)]
    pub termination_date: Option<DateColumn>,
    /// `autoSyncEmployee`; null where absent.
    #[deserr(default)]
    pub auto_sync_employee: Option<FlagColumn>,
    /// `absences`; an empty list where absent.
    #[deserr(default)]
    pub absences: Option<AbsenceColumns>,
}

/// How absences are put together from columns.
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct AbsenceColumns {
    /// The column that holds the kind of absence.
    pub kind: Texts,
    /// Only these kinds are sent; all others, illness above all, stay in the HR system.
    pub only: Texts,
    /// JSON keys of an item whose value is text.
    #[deserr(default)]
    pub texts: BTreeMap<String, Texts>,
    /// JSON keys of an item whose value is a date.
    #[deserr(default)]
    pub dates: BTreeMap<String, DateColumn>,
}

/// Who is taken by date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::select -> Problems)]
pub struct Select {
    /// New people are taken so many days before their first day.
    #[deserr(default = 30)]
    pub starters_days_ahead: u32,
    /// People stay so many days after their last day.
    #[deserr(default)]
    pub leavers_days_kept: u32,
}

impl Default for Select {
    fn default() -> Self {
        Self {
            starters_days_ahead: 30,
            leavers_days_kept: 0,
        }
    }
}

/// What one run may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::limits -> Problems)]
pub struct Limits {
    /// People who are missing without an explanation.
    #[deserr(default = Limits::default().leavers)]
    pub leavers: Limit,
    /// People whose employment ended by a date in the roster.
    #[deserr(default = Limits::default().explained_leavers)]
    pub explained_leavers: Limit,
    /// New people.
    #[deserr(default = Limits::default().joiners)]
    pub joiners: Limit,
    /// People with a changed value.
    #[deserr(default = Limits::default().changed)]
    pub changed: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leavers: Limit {
                percent: 5.0,
                count: Some(10),
                at_least: 2,
            },
            explained_leavers: Limit {
                percent: 20.0,
                count: Some(100),
                at_least: 5,
            },
            joiners: Limit {
                percent: 20.0,
                count: Some(100),
                at_least: 5,
            },
            changed: Limit {
                percent: 50.0,
                count: None,
                at_least: 10,
            },
        }
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct LimitKeys {
    percent: Percent,
    #[deserr(default)]
    count: Option<u64>,
    at_least: u64,
}

impl Deserr<Problems> for Limit {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        at: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let LimitKeys {
            percent: Percent(percent),
            count,
            at_least,
        } = LimitKeys::deserialize_from_value(value, at)?;
        Ok(Self {
            percent,
            count,
            at_least,
        })
    }
}

impl Config {
    /// Says of keys under `jobticket` what only their use has shown, with file and line: (position of the integration, key, message).
    pub fn wrong(&self, found: Vec<(usize, &'static str, String)>) -> ConfigError {
        self.file.wrong(found)
    }

    /// Folder of the request ledger.
    pub fn ledger_folder(&self) -> &std::path::Path {
        self.ledger_dir.as_deref().unwrap_or(&self.state_dir)
    }

    /// File of the audit log.
    pub fn audit_file(&self) -> PathBuf {
        self.audit
            .path
            .clone()
            .unwrap_or_else(|| self.state_dir.join("audit.jsonl"))
    }
}

/// JobTicket's staging host ("JobTicket API overview, Environments").
const STAGING: &str = "https://v1-api-staging.ticket-plus.app";
/// JobTicket's production host ("JobTicket API overview, Environments").
const PRODUCTION: &str = "https://v1-api.ticket-plus.app";

impl JobTicket {
    /// Whether this is the imitation inside the program.
    pub fn is_sandbox(&self) -> bool {
        self.environment == Some(Environment::Sandbox)
    }

    /// The address of the API; `None` for the sandbox, which chooses a port when it starts.
    pub fn url(&self) -> Option<&str> {
        match self.environment {
            Some(Environment::Sandbox) => None,
            Some(Environment::Staging) => Some(STAGING),
            Some(Environment::Production) => Some(PRODUCTION),
            None => self.base_url.as_ref().map(|url| url.0.as_str()),
        }
    }

    /// The origin that the state is keyed by: the word *sandbox*, or scheme, host and port.
    pub fn origin(&self) -> String {
        let Some(url) = self.url() else {
            return "sandbox".to_owned();
        };
        match reqwest::Url::parse(url) {
            // The path belongs to it: two paths of one host are two APIs.
            Ok(parsed) => format!(
                "{}{}",
                parsed.origin().ascii_serialization(),
                parsed.path().trim_end_matches('/')
            ),
            Err(_) => url.to_owned(),
        }
    }

    /// The environment as every result names it.
    pub fn environment_name(&self) -> String {
        match self.environment {
            Some(Environment::Sandbox) => "sandbox".to_owned(),
            Some(Environment::Staging) => "staging".to_owned(),
            Some(Environment::Production) => "production".to_owned(),
            None => self.origin(),
        }
    }

    /// Whether nothing but this machine can be reached under the address.
    pub fn is_loopback(&self) -> bool {
        self.is_sandbox()
            || self
                .url()
                .and_then(|url| reqwest::Url::parse(url).ok())
                .is_some_and(|url| is_loopback(&url))
    }
}

/// Whether an address names this machine itself.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
