//! Reading back what JobTicket has: the integration, and the complete list of employees or none.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::de::DeserializeOwned;

use super::client::{Client, NoWitness, Request};
use super::error::{CallError, Outcome};
use super::gate::RequestGate;
use super::push::Receipt;
use super::wire::{Envelope, HrIntegration, Link, ListedEmployee, Page};

/// The most a page holds ("Employees, perPage: default 10, at most 100").
const PER_PAGE: u64 = 100;

/// A list of more pages than this is no company's; it ends a server that pages for ever.
const MOST_PAGES: u64 = 20_000;

impl<G: RequestGate> Client<G> {
    async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<(T, Option<DateTime<Utc>>), CallError> {
        let request = Request {
            method: Method::GET,
            path,
            query,
            body: None,
            success: 200,
        };
        let answer = self.call(&request, &mut NoWitness).await?;
        if answer.outcome != Outcome::Success {
            return Err(CallError::Failed {
                operation,
                outcome: answer.outcome,
            });
        }
        match serde_json::from_slice::<Envelope<T>>(&answer.body) {
            Ok(envelope) => Ok((envelope.data, answer.date)),
            // The place is enough: the message could repeat a personal value.
            Err(error) => {
                let cause = format!(
                    "no such JSON at line {} column {}",
                    error.line(),
                    error.column()
                );
                Err(CallError::Failed {
                    operation,
                    outcome: Outcome::NotUnderstood { cause },
                })
            }
        }
    }

    /// The integration and its sync status.
    pub async fn integration(&self) -> Result<HrIntegration, CallError> {
        let path = format!("/hr-integrations/{}", self.integration_id());
        Ok(self.get("get integration", &path, &[]).await?.0)
    }

    /// Asks for the smallest list, to learn that JobTicket is there and takes the credential. Returns how many employees it has and what its clock shows.
    pub async fn probe(&self) -> Result<(u64, Option<DateTime<Utc>>), CallError> {
        let query = [("page", "1".to_owned()), ("perPage", "1".to_owned())];
        let (page, date): (Page<serde::de::IgnoredAny>, _) =
            self.get("list employees", "/employees", &query).await?;
        Ok((page.total, date))
    }

    /// All employees that JobTicket has, whether linked or not.
    ///
    /// # Errors
    /// A list that is not complete: as many different ids must arrive as `total` says, on every page alike.
    pub async fn employees(&self) -> Result<Vec<ListedEmployee>, CallError> {
        Ok(self.employees_and_date().await?.0)
    }

    /// The same, with what JobTicket's clock shows.
    pub(super) async fn employees_and_date(
        &self,
    ) -> Result<(Vec<ListedEmployee>, Option<DateTime<Utc>>), CallError> {
        let mut all: Vec<ListedEmployee> = Vec::new();
        let mut ids = HashSet::new();
        let mut total = None;
        for number in 1..=MOST_PAGES {
            let query = [
                ("page", number.to_string()),
                ("perPage", PER_PAGE.to_string()),
            ];
            let (page, date): (Page<ListedEmployee>, _) =
                self.get("list employees", "/employees", &query).await?;
            let incomplete = |what: String| Err(CallError::Incomplete(what));
            if page.page != number {
                return incomplete(format!(
                    "page {number} was asked for and page {} came",
                    page.page
                ));
            }
            if *total.get_or_insert(page.total) != page.total {
                return incomplete(format!(
                    "the total changed to {} on page {number}",
                    page.total
                ));
            }
            let empty = page.data.is_empty();
            for employee in page.data {
                if !ids.insert(employee.id) {
                    return incomplete(format!("an id of page {number} came before"));
                }
                all.push(employee);
            }
            if all.len() as u64 > page.total {
                return incomplete(format!(
                    "{} came and the total is {}",
                    all.len(),
                    page.total
                ));
            }
            if all.len() as u64 == page.total {
                return Ok((all, date));
            }
            if empty || number >= page.total_pages {
                return incomplete(format!(
                    "{} came and the total is {}",
                    all.len(),
                    page.total
                ));
            }
        }
        Err(CallError::Incomplete(format!(
            "more than {MOST_PAGES} pages"
        )))
    }

    /// Looks whether JobTicket has taken a push whose answer was never seen. `None` says that nothing shows it, not that it was lost.
    pub async fn find_receipt(&self, sync_id: &str) -> Result<Option<Receipt>, CallError> {
        let receipt = || Receipt::seen(sync_id, self.clock().now());
        match self.integration().await {
            Ok(integration) if integration.last_sync_id.as_deref() == Some(sync_id) => {
                return Ok(Some(receipt()));
            }
            // Another sync came after it, or it is not processed yet: links that still name it would prove nothing.
            Ok(HrIntegration {
                last_sync_id: Some(_),
                ..
            }) => return Ok(None),
            // The permission to view integrations is not among those that a push needs.
            Ok(_)
            | Err(CallError::Failed {
                outcome: Outcome::Forbidden | Outcome::NotUnderstood { .. },
                ..
            }) => {}
            Err(error) => return Err(error),
        }
        let employees = self.employees().await?;
        let ours = || {
            let links = employees.iter().flat_map(ListedEmployee::links);
            links.filter(|link| link.hr_integration_id == Some(self.integration_id()))
        };
        // Whoever left in a later sync of somebody else may keep a link that names this one, so only the latest links count.
        let latest = ours().filter_map(Link::last_synced).max();
        let mut newest = ours()
            .filter(|link| link.last_synced() == latest)
            .peekable();
        let seen = newest.peek().is_some()
            && newest.all(|link| link.last_sync_id.as_deref() == Some(sync_id));
        Ok(seen.then(receipt))
    }
}
