//! Trigger HR Sync: the one call that writes.

use chrono::{DateTime, Utc};
use reqwest::Method;

use super::body::Roster;
use super::client::{Client, Request, Witness};
use super::error::{Outcome, PushError};
use super::gate::RequestGate;
use crate::guard::Approved;

/// A push, however often it is tried: one syncId, one body.
pub struct Push(Roster);

impl std::fmt::Debug for Push {
    /// The body is personal data and is not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Push({}, {} employees)",
            self.sync_id(),
            self.employees()
        )
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

#[cfg(test)]
impl Receipt {
    /// Without JobTicket, for tests of what comes behind it.
    pub(crate) fn of_tests(sync_id: &str) -> Self {
        Self::seen(sync_id, DateTime::UNIX_EPOCH)
    }
}

impl Push {
    /// The body for an approved roster.
    pub fn new(approved: &Approved, sync_id: String) -> Self {
        Self(Roster::new(sync_id, approved.shared()))
    }

    /// Its syncId.
    pub fn sync_id(&self) -> &str {
        self.0.sync_id()
    }

    /// SHA-256 of the JSON that is sent.
    pub fn body_sha256(&self) -> &str {
        self.0.sha256()
    }

    /// How many people it names.
    pub fn employees(&self) -> usize {
        self.0.employees()
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
            body: Some(&push.0),
            success: 204,
        };
        let answer = self
            .call(&request, witness)
            .await
            .map_err(PushError::Gate)?;
        match answer.outcome {
            Outcome::Success => Ok(Receipt::seen(push.sync_id(), self.clock().now())),
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
