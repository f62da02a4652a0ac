//! Why an HR system delivers nothing.

use super::pager::Incomplete;
use crate::config::SecretError;
use crate::source::Login;

/// Why an HR system delivers nothing. No message holds a value of an answer, a secret, or an address beyond the configured one.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum RestError {
    #[error("The source has no HR system; correct the configuration")]
    NoSystem,
    #[error("A secret of the source cannot be read")]
    Secret(#[from] SecretError),
    #[error("{why}")]
    Setup { why: String },
    #[error(
        "{what} is refused with status {status}; nothing is tried again before somebody has looked: correct the secrets and auth, or have the HR system give the right to read this list"
    )]
    Refused { what: String, status: u16 },
    #[error(
        "{what} is refused with status {status} although the token was renewed; correct the secrets, or have the HR system give the right to read this list"
    )]
    RefusedAnew { what: String, status: u16 },
    #[error("{what} answers with status {status}; {advice}")]
    Status {
        what: String,
        status: u16,
        advice: &'static str,
    },
    #[error(
        "{what} still answers with status {status} after {tries} tries; the next run tries again"
    )]
    Unavailable {
        what: String,
        status: u16,
        tries: u32,
    },
    #[error(
        "{what} asks to wait at least {seconds} seconds (status {status}), longer than retry_seconds and within_seconds allow; ask less often (requests_per_minute)"
    )]
    TooLongAWait {
        what: String,
        status: u16,
        seconds: u64,
    },
    #[error(
        "{what} answers with a redirect ({status}) to {to}; nothing is followed, so that no secret goes elsewhere: correct base_url or the path"
    )]
    Redirect {
        what: String,
        status: u16,
        to: String,
    },
    #[error(
        "{what} could not be reached ({cause}); tried {tries} times. Check base_url and whether the system is up, and ca_file if its certificate is by an authority of your own"
    )]
    Connect {
        what: String,
        cause: String,
        tries: u32,
    },
    #[error("{what} did not answer within the time limits (timeouts); tried {tries} times")]
    TimedOut { what: String, tries: u32 },
    #[error("{what} broke off before the whole answer was there ({cause}); tried {tries} times")]
    Broken {
        what: String,
        cause: String,
        tries: u32,
    },
    #[error("{what} has more than {most} megabytes (max_megabytes); ask for fewer records at once")]
    TooLarge { what: String, most: u64 },
    #[error(
        "{what} answers with a web page and not with JSON, as login pages and firewalls do; correct base_url, the path or auth, or ask for JSON (request.headers.accept)"
    )]
    WebPage { what: String },
    #[error(
        "{what} answers with something that is not JSON (line {line}, column {column}); it was cut short, or is of another kind"
    )]
    NotJson {
        what: String,
        line: usize,
        column: usize,
    },
    #[error("{what} has no list at {path}, but {found}; correct records")]
    NoList {
        what: String,
        path: String,
        found: String,
    },
    #[error("Record {record} of {what} is {found} and no object; correct records")]
    NotARecord {
        what: String,
        record: u64,
        found: String,
    },
    #[error("{path} is {found} in record {record} of {what}")]
    NotText {
        what: String,
        record: u64,
        path: String,
        found: String,
    },
    #[error("The list is not proven complete, so nothing of it is used: {what}: {why}")]
    Incomplete { what: String, why: Incomplete },
    #[error(
        "The list is not proven complete, so nothing of it is used: record {record} of {what} has the same id as one of page {page}; the list was changed while it was read, or ids repeat: name under record_id what no two records share"
    )]
    RepeatedRecord {
        what: String,
        record: u64,
        page: u64,
    },
    #[error(
        "The list is not proven complete, so nothing of it is used: record {record} of {what} has nothing at record_id ({path}); correct it"
    )]
    NoRecordId {
        what: String,
        record: u64,
        path: String,
    },
    #[error(
        "The list {name} belongs to {found} of the people, fewer than its min_rows: {least}; correct on, look whether a permission hides it, or lower the setting where it may well have nobody"
    )]
    Unmatched {
        name: String,
        found: u64,
        least: u64,
    },
    #[error(
        "The list {name} has {found} records, and had {was} last time. Where records vanish, what is read of people changes without anybody having told it, such as the last day of a contract that was renewed. Look whether a right or a filter hides them; if they are gone for good, write min_rows: {matched} for this list, below which it fails from then on"
    )]
    Shrunk {
        name: String,
        found: u64,
        was: u64,
        matched: u64,
    },
    #[error(
        "{path} has several last days of one person in record {record} of {what}, and which is the later cannot be told from how they are written; name one of them"
    )]
    SeveralEnds {
        what: String,
        record: u64,
        path: String,
    },
    #[error(
        "{what} names an address of another host ({to}) for what follows; nothing was sent there. Where that host is only another name of this one, write other_origin: rebase"
    )]
    OtherOrigin { what: String, to: String },
    #[error(
        "Record {record} of {what} belongs to the same person as an earlier one of the list {name}, so nobody can tell which counts; ask for the current ones alone, or write if_several: first or last"
    )]
    Several {
        what: String,
        record: u64,
        name: String,
    },
    #[error("{what} names for what follows something that is no address")]
    NoAddress { what: String },
    #[error(
        "{what} has {found} records, fewer than min_rows: {least}; look whether a filter or a permission hides the others, or lower the setting if the company is that small"
    )]
    TooFew {
        what: String,
        found: u64,
        least: u64,
    },
    #[error("{what} has no token at {path}; correct take")]
    NoToken { what: String, path: String },
    #[error(
        "{what} answers all in one, and says itself that more follows (header Link); write paging: link"
    )]
    MoreFollows { what: String },
    #[error("The list was not read within {seconds} seconds in all (within_seconds)")]
    Total { seconds: u64 },
    #[error("The service is stopping, so the HR system was left")]
    Stopped,
}

impl RestError {
    /// What this says of the login.
    pub fn login(&self) -> Login {
        match self {
            Self::Refused { .. } | Self::RefusedAnew { .. } => Login::Refused,
            Self::NoSystem
            | Self::Secret(_)
            | Self::Setup { .. }
            | Self::Status { .. }
            | Self::Unavailable { .. }
            | Self::TooLongAWait { .. }
            | Self::Redirect { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Broken { .. }
            | Self::WebPage { .. }
            | Self::Total { .. }
            | Self::Stopped => Login::Unknown,
            _ => Login::Accepted,
        }
    }
}
