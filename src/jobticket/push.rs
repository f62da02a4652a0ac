//! Trigger HR Sync: the one call that writes.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Map, Value};

use super::client::{Client, Request, Witness};
use super::error::{Outcome, PushError};
use super::gate::RequestGate;
use super::wire::{SyncEmployee, SyncRequest};
use crate::guard::Approved;
use crate::roster::Employee;

/// The body of a push, made once and sent as it is however often it is tried: one syncId, one body.
pub struct Push {
    sync_id: String,
    body: bytes::Bytes,
    employees: usize,
}

impl std::fmt::Debug for Push {
    /// The body is personal data and is not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Push({}, {} employees)", self.sync_id, self.employees)
    }
}

/// JobTicket's acknowledgement: the proof that the snapshot may move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    sync_id: String,
    at: DateTime<Utc>,
}

impl Receipt {
    /// Which push was acknowledged.
    pub fn sync_id(&self) -> &str {
        &self.sync_id
    }

    /// When.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Only this module's calls may say that JobTicket has taken a push.
    pub(super) fn seen(sync_id: &str, at: DateTime<Utc>) -> Self {
        Self {
            sync_id: sync_id.to_owned(),
            at,
        }
    }
}

impl Push {
    /// The body for an approved roster.
    pub fn new(approved: &Approved, sync_id: String) -> Self {
        let employees: Vec<SyncEmployee<&str>> = approved
            .entries()
            .iter()
            .map(|entry| wire(&entry.employee))
            .collect();
        let count = employees.len();
        let request = SyncRequest { sync_id, employees };
        let body = serde_json::to_vec(&request)
            .expect("a roster is text, dates and flags, all of which JSON can say");
        Self {
            sync_id: request.sync_id,
            body: body.into(),
            employees: count,
        }
    }

    /// Its syncId.
    pub fn sync_id(&self) -> &str {
        &self.sync_id
    }

    /// The JSON that is sent.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many people it names.
    pub fn employees(&self) -> usize {
        self.employees
    }
}

fn wire(employee: &Employee) -> SyncEmployee<&str> {
    let absence = |absence: &crate::roster::Absence| -> Map<String, Value> {
        absence
            .iter()
            .map(|(key, value)| (key.clone(), Value::String(value.clone())))
            .collect()
    };
    SyncEmployee {
        first_name: employee.first_name(),
        last_name: employee.last_name(),
        email: employee.email(),
        profile_image: None,
        date_of_birth: employee.date_of_birth,
        hr_id: employee.hr_id.as_str(),
        start_date: employee.start_date,
        termination_date: employee.termination_date,
        auto_sync_employee: employee.auto_sync_employee,
        absences: employee.absences.iter().map(absence).collect(),
    }
}

impl<G: RequestGate> Client<G> {
    /// Sends the roster that the guard has approved; `push` is its body.
    ///
    /// # Errors
    /// [`PushError::Refused`] where JobTicket surely did not take it, [`PushError::InDoubt`] where it may have.
    pub async fn push(
        &self,
        _proof: &Approved,
        push: &Push,
        witness: &mut impl Witness,
    ) -> Result<Receipt, PushError> {
        let path = format!("/hr-integrations/{}/sync", self.integration_id());
        let request = Request {
            method: Method::POST,
            path: &path,
            query: &[],
            body: Some(push.body.clone()),
            success: 204,
        };
        let answer = self
            .call(&request, witness)
            .await
            .map_err(PushError::Gate)?;
        match answer.outcome {
            Outcome::Success => Ok(Receipt::seen(&push.sync_id, self.clock().now())),
            outcome if answer.doubt => Err(PushError::InDoubt { outcome }),
            outcome => Err(PushError::Refused { outcome }),
        }
    }
}

/// The records that the body of a 422 names, as (position in the roster, field): from paths such as `employees.3.email`
/// or `employees[3].email`, wherever they stand in it. The body's shape is not documented.
pub fn named_records(body: &str) -> Vec<(usize, Option<String>)> {
    let mut found = Vec::new();
    for (at, _) in body.match_indices("employees") {
        let rest = &body[at + "employees".len()..];
        let Some(rest) = rest.strip_prefix(['.', '[', '/']) else {
            continue;
        };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(position) = rest[..digits].parse() else {
            continue;
        };
        let rest = rest[digits..].trim_start_matches(']');
        let field = rest.strip_prefix(['.', '/']).map(|rest| {
            rest.chars()
                .take_while(char::is_ascii_alphanumeric)
                .take(40)
                .collect::<String>()
        });
        let record = (position, field.filter(|field| !field.is_empty()));
        if !found.contains(&record) {
            found.push(record);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_that_a_refusal_names_are_found_in_either_notation() {
        let body = r#"{"errors":{"employees.3.email":["x"],"employees[12].hrId":["y"],"employees.7":["z"],"employees":["n"]}}"#;
        let found = named_records(body);
        assert_eq!(
            found,
            [
                (3, Some("email".into())),
                (12, Some("hrId".into())),
                (7, None)
            ]
        );
    }
}
