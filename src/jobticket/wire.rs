//! The JSON of the JobTicket B2B API, as its public documentation and examples show it.
//!
//! What the documentation leaves open is parsed as an open set: unknown keys are ignored, unknown words kept as text, and only
//! what the program decides by is required. The embedded sandbox speaks with the same types.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /hr-integrations/{id}/sync`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncRequest<E> {
    /// Ours, unique for each push.
    pub sync_id: String,
    /// The full roster: whoever is missing here is offboarded.
    pub employees: E,
}

/// One employee of a sync request: the ten fields.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the API's own")]
pub struct SyncEmployee<S> {
    pub first_name: S,
    pub last_name: S,
    pub email: S,
    pub profile_image: Option<S>,
    #[serde(default, with = "crate::roster::day")]
    pub date_of_birth: Option<NaiveDate>,
    pub hr_id: S,
    #[serde(default, with = "crate::roster::day")]
    pub start_date: Option<NaiveDate>,
    #[serde(default, with = "crate::roster::day")]
    pub termination_date: Option<NaiveDate>,
    pub auto_sync_employee: Option<bool>,
    #[serde(default)]
    pub absences: Vec<Map<String, Value>>,
}

impl<S: std::fmt::Display> std::fmt::Debug for SyncEmployee<S> {
    /// The key alone: all else is personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncEmployee({})", self.hr_id)
    }
}

/// `{"data": …}`, around every answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// The answer.
    pub data: T,
}

/// A page of a list; the answer is an [`Envelope`] around it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Its number, from 1.
    pub page: u64,
    /// Items a page.
    pub per_page: u64,
    /// Pages in all.
    pub total_pages: u64,
    /// Items in all.
    pub total: u64,
}

/// An employee of `GET /employees`: what the program decides by.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedEmployee {
    /// JobTicket's own number.
    pub id: u64,
    /// First name.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default)]
    pub last_name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Date of birth, as written.
    #[serde(default)]
    pub date_of_birth: Option<String>,
    /// The subscription, if any.
    #[serde(default)]
    pub subscription: Option<Subscription>,
    /// Links to HR integrations. The documented key really is misspelt.
    #[serde(default, rename = "hrIntergartionLinks")]
    pub links: Option<Vec<Link>>,
    /// The same under the key as it should be spelt.
    #[serde(
        default,
        rename = "hrIntegrationLinks",
        skip_serializing_if = "Option::is_none"
    )]
    pub links_well_spelt: Option<Vec<Link>>,
}

impl std::fmt::Debug for ListedEmployee {
    /// The number alone: all else is personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ListedEmployee({})", self.id)
    }
}

impl ListedEmployee {
    /// The links, under whichever key they came.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        [&self.links, &self.links_well_spelt]
            .into_iter()
            .flatten()
            .flatten()
    }
}

/// A subscription; the full list of its words is not documented.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Such as `active` or `scheduled-pause`.
    #[serde(default)]
    pub status: Option<String>,
    /// When it was cancelled.
    #[serde(default)]
    pub cancelled_at: Option<String>,
}

/// A link of an employee to an HR integration. Nothing in it is relied on to be there: one odd link of somebody else must not make the list unreadable.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The employee's key in the HR system.
    #[serde(default)]
    pub hr_id: Option<String>,
    /// The integration's number.
    #[serde(default)]
    pub hr_integration_id: Option<u64>,
    /// The last sync that named the employee.
    #[serde(default)]
    pub last_sync_id: Option<String>,
    /// When that was, as written.
    #[serde(default)]
    pub last_synced: Option<String>,
}

impl Link {
    /// When the last sync was, where that can be read.
    pub fn last_synced(&self) -> Option<DateTime<Utc>> {
        self.last_synced.as_deref()?.parse().ok()
    }
}

/// `GET /hr-integrations/{id}`; its fields are not documented, so all but the number may be absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HrIntegration {
    /// Its number.
    pub id: u64,
    /// Its name in the portal.
    #[serde(default)]
    pub name: Option<String>,
    /// Such as `INITIAL SYNC PENDING`.
    #[serde(default)]
    pub status: Option<String>,
    /// The last sync it took.
    #[serde(default)]
    pub last_sync_id: Option<String>,
    /// When that was, as written.
    #[serde(default)]
    pub last_synced: Option<String>,
}
