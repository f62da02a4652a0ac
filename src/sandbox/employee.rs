//! A person as the sandbox knows one, and what a push does to the person. Pure.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, LinksAfterOffboarding, Others};
use super::shared::Shared;
use super::state::Person;

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
    #[serde(default, with = "crate::roster::day")]
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) profile_image: Option<String>,
    #[serde(default, with = "crate::roster::day")]
    pub(crate) start_date: Option<NaiveDate>,
    /// Stored; it has no effect, for the vendor documents none.
    #[serde(default, with = "crate::roster::day")]
    pub(crate) termination_date: Option<NaiveDate>,
    pub(crate) subscription: Subscription,
    pub(crate) links: Vec<Link>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) status: Cow<'static, str>,
    pub(crate) start_at: NaiveDate,
    #[serde(default, with = "crate::roster::day")]
    pub(crate) cancelled_at: Option<NaiveDate>,
    #[serde(default, with = "crate::roster::day")]
    pub(crate) reactivated_at: Option<NaiveDate>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) hr_id: String,
    pub(crate) hr_integration_id: u64,
    pub(crate) last_sync_id: Option<Shared<String>>,
    pub(crate) last_synced: Option<DateTime<Utc>>,
}

/// The push that a link is made or renewed by.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) integration: u64,
    pub(crate) id: Shared<String>,
    pub(crate) at: DateTime<Utc>,
}

impl Employee {
    pub(crate) fn link_to(&self, integration: u64) -> Option<&Link> {
        self.links
            .iter()
            .find(|link| link.hr_integration_id == integration)
    }

    /// Whoever a push names: a known person after it, or a new one (still without an id) with a running subscription.
    pub(crate) fn named(known: Option<&Self>, person: Person, sync: &Sync) -> Self {
        let today = sync.at.date_naive();
        let mut fresh = Some(Link {
            hr_id: person.hr_id,
            hr_integration_id: sync.integration,
            last_sync_id: Some(sync.id.clone()),
            last_synced: Some(sync.at),
        });
        let before = known.map_or(&[][..], |known| &known.links);
        let mut links = Vec::with_capacity(before.len().max(1));
        links.extend(before.iter().map(|link| {
            let renewed = (link.hr_integration_id == sync.integration).then(|| fresh.take());
            renewed.flatten().unwrap_or_else(|| link.clone())
        }));
        links.extend(fresh);
        Self {
            id: known.map_or(0, |known| known.id),
            first_name: person.first_name,
            last_name: person.last_name,
            email: person.email,
            date_of_birth: person.date_of_birth,
            profile_image: person.profile_image,
            start_date: person.start_date,
            termination_date: person.termination_date,
            subscription: known.map_or_else(
                || Subscription::running(person.start_date.map_or(today, |day| day.max(today))),
                |known| known.subscription.clone(),
            ),
            links,
        }
    }

    /// Whether a push of this integration that does not name this person takes the subscription away.
    pub(crate) fn ends_without(&self, integration: u64, behaviour: &Behaviour) -> bool {
        if self.link_to(integration).is_some() {
            true
        } else if self.links.is_empty() {
            behaviour.unlinked_people == Others::Offboarded
        } else {
            behaviour.people_of_other_integrations == Others::Offboarded
        }
    }

    pub(crate) fn offboard(&mut self, integration: u64, behaviour: &Behaviour, today: NaiveDate) {
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
            status: ACTIVE.into(),
            start_at,
            cancelled_at: None,
            reactivated_at: None,
        }
    }

    /// The day of the first end stays.
    fn end(&mut self, today: NaiveDate) {
        if self.status != CANCELLED {
            self.status = CANCELLED.into();
            self.cancelled_at = Some(today);
        }
    }

    pub(crate) fn give_back(&mut self, today: NaiveDate) {
        if self.status == CANCELLED {
            self.status = ACTIVE.into();
            self.cancelled_at = None;
            self.reactivated_at = Some(today);
        }
    }
}
