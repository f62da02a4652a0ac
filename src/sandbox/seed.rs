//! People who are there without any push.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::employee::{CANCELLED, Employee, Link, Subscription};

/// A person to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedEmployee {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
    /// Date of birth.
    #[serde(default)]
    pub date_of_birth: Option<NaiveDate>,
    /// The status of the subscription; without it, `active`.
    #[serde(default)]
    pub status: Option<String>,
    /// Links to integrations, which need not exist.
    #[serde(default)]
    pub links: Vec<SeedLink>,
}

/// A link to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedLink {
    /// The key in the HR system.
    pub hr_id: String,
    /// The integration's number.
    pub hr_integration_id: u64,
}

impl SeedEmployee {
    /// The person, still without an id.
    pub(crate) fn into_employee(self, today: NaiveDate) -> Employee {
        let mut subscription = Subscription::running(today);
        if let Some(status) = self.status {
            subscription.cancelled_at = (status == CANCELLED).then_some(today);
            subscription.status = status.into();
        }
        let links = self.links.into_iter().map(|link| Link {
            hr_id: link.hr_id,
            hr_integration_id: link.hr_integration_id,
            last_sync_id: None,
            last_synced: None,
        });
        Employee {
            id: 0,
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            date_of_birth: self.date_of_birth,
            profile_image: None,
            start_date: None,
            termination_date: None,
            subscription,
            links: links.collect(),
        }
    }
}
