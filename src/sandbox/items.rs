//! The JSON of the resources, in the shape of the documented examples.

use chrono::{DateTime, Datelike, Months, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, LinkKey, Presence};
use super::employee::{ACTIVE, Employee, Link, Subscription};
use super::state;

/// An employee of `GET /employees`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmployeeItem<'a> {
    id: u64,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    date_of_birth: Option<NaiveDate>,
    profile_image: Option<&'a str>,
    resource: &'static str,
    subscription: SubscriptionItem<'a>,
    plan: Value,
    ticket: Option<Value>,
    /// The documented key really is misspelt.
    #[serde(
        rename = "hrIntergartionLinks",
        skip_serializing_if = "Option::is_none"
    )]
    as_documented: Option<Vec<LinkItem<'a>>>,
    #[serde(rename = "hrIntegrationLinks", skip_serializing_if = "Option::is_none")]
    corrected: Option<Vec<LinkItem<'a>>>,
    #[serde(rename = "_links")]
    hrefs: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionItem<'a> {
    status: &'a str,
    start_at: NaiveDate,
    next_ticket_at: Option<NaiveDate>,
    /// No push pauses a subscription here: what would is not documented.
    paused_at: Option<NaiveDate>,
    cancelled_at: Option<NaiveDate>,
    reactivated_at: Option<NaiveDate>,
}

/// A link of an employee to an integration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkItem<'a> {
    r#type: &'static str,
    hr_id: &'a str,
    hr_integration_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_id: Option<&'a str>,
    last_synced: Option<String>,
}

/// An integration of `GET /hr-integrations`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationItem<'a> {
    id: u64,
    name: String,
    r#type: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_id: Option<&'a str>,
    last_synced: Option<String>,
    resource: &'static str,
    #[serde(rename = "_links")]
    hrefs: Value,
}

/// What the resources are shown by.
pub(crate) struct View<'a> {
    /// Where the sandbox is, for the hrefs.
    pub(crate) url: &'a str,
    pub(crate) behaviour: &'a Behaviour,
    pub(crate) today: NaiveDate,
}

impl View<'_> {
    pub(crate) fn employee<'e>(&self, employee: &'e Employee) -> EmployeeItem<'e> {
        let Self {
            url,
            behaviour,
            today,
        } = self;
        let id = employee.id;
        let active = employee.subscription.status == ACTIVE;
        let with_sync_id = behaviour.last_sync_id_on_links == Presence::Present;
        let links = employee
            .links
            .iter()
            .map(|link| link_item(link, with_sync_id))
            .collect();
        let (as_documented, corrected) = match behaviour.link_key {
            LinkKey::AsDocumented => (Some(links), None),
            LinkKey::Corrected => (None, Some(links)),
        };
        EmployeeItem {
            id,
            first_name: &employee.first_name,
            last_name: &employee.last_name,
            email: &employee.email,
            date_of_birth: employee.date_of_birth,
            profile_image: employee.profile_image.as_deref(),
            resource: "employee",
            subscription: subscription(&employee.subscription, active, *today),
            plan: json!({
                "type": "fully-subsidized-plan",
                "contractSigningStatus": "accepted",
                "employeeContributionAmount": null,
            }),
            ticket: active.then(|| ticket(id, *today)),
            as_documented,
            corrected,
            hrefs: json!({
                "self": href(&format!("{url}/employees/{id}")),
                "employeeDocuments": href(&format!("{url}/employees/{id}/documents")),
            }),
        }
    }

    pub(crate) fn integration<'i>(
        &self,
        id: u64,
        synced: Option<&'i state::Integration>,
    ) -> IntegrationItem<'i> {
        let last = synced.and_then(|integration| integration.last_synced);
        let with_sync_id = self.behaviour.last_sync_id_on_integration == Presence::Present;
        IntegrationItem {
            id,
            name: format!("Sandbox {id}"),
            r#type: "JobTicket+ API Integration",
            // The word for "synced" is not documented.
            status: if last.is_some() {
                "ACTIVE"
            } else {
                "INITIAL SYNC PENDING"
            },
            last_sync_id: synced
                .filter(|_| with_sync_id)
                .and_then(|integration| integration.last_sync_id.as_deref()),
            last_synced: last.map(time),
            resource: "hr-integration",
            hrefs: json!({ "self": href(&format!("{}/hr-integrations/{id}", self.url)) }),
        }
    }
}

pub(crate) fn link_item(link: &Link, with_sync_id: bool) -> LinkItem<'_> {
    LinkItem {
        r#type: "hr-integration",
        hr_id: &link.hr_id,
        hr_integration_id: link.hr_integration_id,
        last_sync_id: link
            .last_sync_id
            .as_ref()
            .filter(|_| with_sync_id)
            .map(|id| id.as_str()),
        last_synced: link.last_synced.map(time),
    }
}

fn subscription(
    subscription: &Subscription,
    active: bool,
    today: NaiveDate,
) -> SubscriptionItem<'_> {
    SubscriptionItem {
        status: &subscription.status,
        start_at: subscription.start_at,
        next_ticket_at: active.then(|| first_of_month(today) + Months::new(1)),
        paused_at: None,
        cancelled_at: subscription.cancelled_at,
        reactivated_at: subscription.reactivated_at,
    }
}

fn ticket(id: u64, today: NaiveDate) -> Value {
    let first = first_of_month(today);
    let last = (first + Months::new(1)).pred_opt().unwrap_or(first);
    json!({
        "ticketId": format!("tkt_{id}"),
        "ticketMonth": first.format("%Y-%m").to_string(),
        "validFrom": first,
        "validUntil": last,
        // A name that can never exist: a client that follows these finds nothing.
        "links": {
            "apple": format!("https://wallet.invalid/apple/tkt_{id}"),
            "google": format!("https://wallet.invalid/google/tkt_{id}"),
        },
    })
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}

fn href(href: &str) -> Value {
    json!({ "href": href, "type": "application/json" })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
