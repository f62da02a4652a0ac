//! The configuration: one YAML file, strict, with every error of the file told at once.
//!
//! The tree below is what the program works with; `load` reads it, `check` finds what the types alone cannot. Every key
//! is explained in `config.example.yaml`. Relative paths are relative to the file they stand in.

mod absences;
mod changes;
mod decrypt;
mod http;
mod jobticket;
mod limit;
mod limits;
mod load;
mod location;
mod notify;
mod problem;
mod recipes;
mod rest;
mod schedule;
mod secret;
mod server;
mod source;
mod validate;
mod validate_source;
mod values;

use std::path::PathBuf;

use deserr::Deserr;
use serde::Serialize;

pub use absences::AbsenceFile;
pub use changes::{KeyChange, changes, flatten, is_private};
pub use decrypt::Decrypt;
pub use http::HttpConfig;
pub(crate) use jobticket::is_loopback;
pub use jobticket::{Environment, JobTicket, Timeouts};
pub use limit::Limit;
pub use limits::{Cost, FirstPush, Limits, OnRejectedRows, OnTrip, ReadBack, Window};
pub use load::{ConfigError, Finding, load, parse};
pub use location::Place;
pub use notify::{
    Channel, ChannelType, DEFAULT_BODY, Language, Mail, MailTls, NotifyConfig, NotifyEvent,
    fill_body,
};
pub use recipes::{Recipe, recipes};
pub use rest::{
    Basic, IfSeveral, Join, JsonPath, On, OtherOrigin, Paging, Parameter, PathStep, Request, Rest,
    RestAuth, Target, Template, TokenFrom, Way, Where, fill_json, is_plain_key,
};
pub use schedule::{Holiday, ScheduleConfig};
pub use secret::{Secret, SecretBytes, SecretError, SecretRef};
pub use server::{Login, Server, ServerTimeouts};
pub use source::{
    AbsenceColumns, Encoding, Fields, FinalNewline, Rule, Source, SourceType, TableConfig,
};
pub use values::{After, BaseUrl, DateColumn, Delimiter, FlagColumn, NewestBy, Ready, Texts};

use problem::Problems;

use crate::zone::Zone;

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
    #[deserr(default = Zone::berlin(), try_from(&String) = time_zone -> String)]
    #[serde(serialize_with = "as_text")]
    pub timezone: Zone,
    /// The audit log.
    #[deserr(default)]
    pub audit: AuditConfig,
    /// The operational log.
    #[deserr(default)]
    pub log: LogConfig,
    /// Where commands reach the running service.
    #[deserr(default)]
    pub control: ControlConfig,
    /// The endpoint for health and metrics; none where absent.
    #[deserr(default)]
    pub http: Option<HttpConfig>,
    /// In which language people are told: mails and reports.
    #[deserr(default)]
    pub language: Language,
    /// Who is told of what; nobody where absent.
    #[deserr(default)]
    pub notify: Option<NotifyConfig>,
    /// Whose values are removed from state and audit log so many days after they left; never where absent.
    #[deserr(default)]
    pub leavers_keep_days: Option<u32>,
    /// What is kept in step with what.
    pub integrations: Vec<Integration>,
    /// The file it was read from.
    #[deserr(skip)]
    #[serde(skip)]
    file: load::File,
}

fn time_zone(name: &str) -> Result<Zone, String> {
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
#[derive(Debug, Clone, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::audit -> Problems)]
pub struct AuditConfig {
    /// Its file; `audit.jsonl` in `state_dir` where absent.
    #[deserr(default)]
    pub path: Option<PathBuf>,
    /// How much of personal values it holds.
    #[deserr(default)]
    pub values: AuditValues,
    /// From this size on another file is begun, megabytes; a new month begins one too.
    #[deserr(default = ROTATE_MEGABYTES)]
    pub rotate_megabytes: u32,
    /// Files of which every line is older than so many months are removed; never where null.
    #[deserr(default = KEEP_MONTHS)]
    pub keep_months: Option<u32>,
}

const ROTATE_MEGABYTES: u32 = 64;
const KEEP_MONTHS: Option<u32> = Some(36);

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            path: None,
            values: AuditValues::default(),
            rotate_megabytes: ROTATE_MEGABYTES,
            keep_months: KEEP_MONTHS,
        }
    }
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

/// Where commands reach the running service.
#[derive(Debug, Clone, Default, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct ControlConfig {
    /// Its socket; `control.sock` in `state_dir` where absent. Whoever may write to it may decide.
    #[deserr(default)]
    pub socket: Option<PathBuf>,
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
    #[deserr(from(rest::Sources) = rest::Sources::into_list)]
    pub sources: Vec<Source>,
    /// When it runs; without it, only where a person starts it.
    #[deserr(default)]
    pub schedule: Option<ScheduleConfig>,
    /// Who is taken by date.
    #[deserr(default)]
    pub select: Select,
    /// What a person has to decide.
    #[deserr(default)]
    pub limits: Limits,
    /// What is read back from JobTicket.
    #[deserr(default)]
    pub read_back: ReadBack,
    /// An unchanged roster is pushed again after so many days; never where null.
    #[deserr(default = Some(7))]
    pub resync_every_days: Option<u32>,
    /// What happens where JobTicket refuses single records of a push.
    #[deserr(default)]
    pub on_rejected_rows: OnRejectedRows,
    /// What a linked employee costs, for the plan.
    #[deserr(default)]
    pub joiner_cost: Cost,
    /// A source that has been frozen for more hours than this is said louder.
    #[deserr(default = 48)]
    pub frozen_warn_hours: u64,
    /// A table of hrIds of the sources and those by which JobTicket knows the same people.
    #[deserr(default)]
    pub hrid_map: Option<PathBuf>,
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

impl Config {
    /// Says of keys under `jobticket` what only their use has shown, with file and line: (position of the integration, key, message).
    pub fn wrong(&self, found: Vec<(usize, &'static str, String)>) -> ConfigError {
        self.file.wrong(found)
    }

    /// Says of keys under a source's `decrypt` what only their use has shown, with file and line: (key, message).
    pub fn wrong_decrypt(
        &self,
        integration: usize,
        source: usize,
        found: Vec<(&'static str, String)>,
    ) -> ConfigError {
        self.file.wrong_decrypt(integration, source, found)
    }

    /// When an integration of this file runs, if it has a schedule.
    pub fn schedule(&self, integration: &Integration) -> Option<crate::schedule::Schedule> {
        let schedule = integration.schedule.as_ref()?;
        Some(schedule.schedule(self.timezone))
    }

    /// Folder of the request ledger.
    pub fn ledger_folder(&self) -> &std::path::Path {
        self.ledger_dir.as_deref().unwrap_or(&self.state_dir)
    }

    /// The socket of the running service.
    pub fn control_socket(&self) -> PathBuf {
        let socket = self.control.socket.clone();
        socket.unwrap_or_else(|| self.state_dir.join("control.sock"))
    }

    /// Where health and metrics are served, if they are.
    pub fn endpoint(&self) -> Option<std::net::SocketAddr> {
        self.http.map(|http| http.listen)
    }

    /// File of the audit log.
    pub fn audit_file(&self) -> PathBuf {
        self.audit
            .path
            .clone()
            .unwrap_or_else(|| self.state_dir.join("audit.jsonl"))
    }
}
