//! A person as the sandbox knows one, and what a push does to the person. Pure.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, LinksAfterOffboarding, Others};
use super::state::{Person, Push};

/// The status of a running subscription.
pub(crate) const ACTIVE: &str = "active";
/// The status of an ended subscription. The vendor lists no words; this one follows the key `cancelledAt`.
pub(crate) const CANCELLED: &str = "cancelled";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Employee {
    pub(crate) id: u64,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) profile_image: Option<String>,
    pub(crate) start_date: Option<NaiveDate>,
    /// Stored; it has no effect, for the vendor documents none.
    pub(crate) termination_date: Option<NaiveDate>,
    pub(crate) subscription: Subscription,
    pub(crate) links: Vec<Link>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) status: String,
    pub(crate) start_at: NaiveDate,
    pub(crate) cancelled_at: Option<NaiveDate>,
    pub(crate) reactivated_at: Option<NaiveDate>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) hr_id: String,
    pub(crate) hr_integration_id: u64,
    pub(crate) last_sync_id: Option<String>,
    pub(crate) last_synced: Option<DateTime<Utc>>,
}

impl Employee {
    pub(crate) fn link_to(&self, integration: u64) -> Option<&Link> {
        self.links
            .iter()
            .find(|link| link.hr_integration_id == integration)
    }

    pub(crate) fn update(&mut self, person: &Person) {
        self.first_name.clone_from(&person.first_name);
        self.last_name.clone_from(&person.last_name);
        self.email.clone_from(&person.email);
        self.date_of_birth = person.date_of_birth;
        self.profile_image.clone_from(&person.profile_image);
        self.start_date = person.start_date;
        self.termination_date = person.termination_date;
    }

    pub(crate) fn synced(&mut self, hr_id: &str, push: &Push, now: DateTime<Utc>) {
        let fresh = Link {
            hr_id: hr_id.to_owned(),
            hr_integration_id: push.integration,
            last_sync_id: Some(push.sync_id.clone()),
            last_synced: Some(now),
        };
        match self
            .links
            .iter_mut()
            .find(|link| link.hr_integration_id == push.integration)
        {
            Some(link) => *link = fresh,
            None => self.links.push(fresh),
        }
    }

    pub(crate) fn missing(&mut self, integration: u64, behaviour: &Behaviour, today: NaiveDate) {
        let ends = if self.link_to(integration).is_some() {
            true
        } else if self.links.is_empty() {
            behaviour.unlinked_people == Others::Offboarded
        } else {
            behaviour.people_of_other_integrations == Others::Offboarded
        };
        if !ends {
            return;
        }
        self.subscription.end(today);
        if behaviour.links_after_offboarding == LinksAfterOffboarding::Go {
            self.links
                .retain(|link| link.hr_integration_id != integration);
        }
    }
}

impl Subscription {
    pub(crate) fn running(start_at: NaiveDate) -> Self {
        Self {
            status: ACTIVE.to_owned(),
            start_at,
            cancelled_at: None,
            reactivated_at: None,
        }
    }

    /// The day of the first end stays.
    fn end(&mut self, today: NaiveDate) {
        if self.status != CANCELLED {
            CANCELLED.clone_into(&mut self.status);
            self.cancelled_at = Some(today);
        }
    }

    pub(crate) fn give_back(&mut self, today: NaiveDate) {
        if self.status == CANCELLED {
            ACTIVE.clone_into(&mut self.status);
            self.cancelled_at = None;
            self.reactivated_at = Some(today);
        }
    }
}
