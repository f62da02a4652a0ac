//! What the configuration says of a source.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deserr::Deserr;
use serde::Serialize;

use super::decrypt::Decrypt;
use super::limit::Limit;
use super::problem::Problems;
use super::rest::Rest;
use super::server::{Login, ServerTimeouts};
use super::validate_source as validate;
use super::values::{After, ByName, DateColumn, Delimiter, FlagColumn, NewestBy, Ready, Texts};

/// Which adapter reads a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    /// A folder that files are dropped into.
    #[deserr(rename = "csv_drop")]
    CsvDrop,
    /// A folder of an SFTP server.
    Sftp,
    /// An HR system that is asked over HTTP for JSON.
    Rest,
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
    /// The host of the server, where the folder is on one.
    #[deserr(default)]
    pub host: Option<String>,
    /// Its port; 22 where absent.
    #[deserr(default)]
    pub port: Option<u16>,
    /// Who logs in there.
    #[deserr(default)]
    pub user: Option<String>,
    /// The SHA-256 fingerprints of the server's keys, `SHA256:…`. Nothing else is accepted.
    #[deserr(default)]
    pub host_keys: Option<Vec<String>>,
    /// How to log in, tried in this order.
    #[deserr(default)]
    pub auth: Option<Vec<Login>>,
    /// Time limits of the server.
    #[deserr(default)]
    pub timeouts: Option<ServerTimeouts>,
    /// The folder; on a server, as the server names it.
    pub folder: PathBuf,
    /// Which files of the folder are rosters, with `*` and `?`.
    pub pattern: String,
    /// What makes a file the newest.
    #[deserr(default = NewestBy::Modified)]
    pub newest_by: NewestBy,
    /// How a file is known to be complete.
    pub ready: Ready,
    /// Whether the service starts a run when a complete new file is there.
    #[deserr(default)]
    pub watch: bool,
    /// An older file is stale, hours.
    #[deserr(default)]
    pub max_age_hours: Option<u64>,
    /// What happens to a file that was used.
    #[deserr(default = After::Keep)]
    pub after: After,
    /// What this program has put into the archive is removed from there after so many days; never where absent.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_keep_days: Option<u32>,
    /// How encrypted files are opened; files are in the clear where absent.
    #[deserr(default)]
    pub decrypt: Option<Decrypt>,
    /// How the table is written.
    #[deserr(default)]
    pub table: TableConfig,
    /// Put in front of every hrId, so that two sources may use the same numbers for different people.
    #[deserr(default)]
    pub id_prefix: Option<String>,
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
    /// How an HR system is asked, where that is where they come from; its keys stand beside the others in the file.
    #[deserr(skip)]
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Box<Rest>>,
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
    /// The joined list whose records are absences; those of one person are in the person's row otherwise.
    #[deserr(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The column that holds the kind of absence.
    pub kind: Texts,
    /// Only these kinds are sent; all others, illness above all, stay in the HR system.
    pub only: Texts,
    /// JSON keys of an item whose value is text.
    #[deserr(default, from(ByName<Texts>) = ByName::into_map)]
    pub texts: BTreeMap<String, Texts>,
    /// JSON keys of an item whose value is a date.
    #[deserr(default, from(ByName<DateColumn>) = ByName::into_map)]
    pub dates: BTreeMap<String, DateColumn>,
}
