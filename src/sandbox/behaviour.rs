//! One switch for each thing that the vendor's documentation leaves open.
//!
//! A client that is safe under every combination depends on none of them. The defaults are the plain reading of the
//! documentation; where it says nothing at all, the default is the answer that a hurried reader would assume.

use serde::{Deserialize, Serialize};

/// How the sandbox answers where the documentation is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// When the effect of a push shows in `GET` answers.
    pub processing: Processing,
    /// Whether an offboarded person keeps the link to the integration.
    pub links_after_offboarding: LinksAfterOffboarding,
    /// Whether a link names the last sync (the documented example does).
    pub last_sync_id_on_links: Presence,
    /// Whether an integration names the last sync.
    pub last_sync_id_on_integration: Presence,
    /// What a push does to people without any link.
    pub unlinked_people: Others,
    /// What a push does to people who are linked to other integrations alone.
    pub people_of_other_integrations: Others,
    /// What a 422 refuses.
    pub refusal: Refusal,
    /// How a 429 says when to come back.
    pub retry_after: RetryAfterForm,
    /// Whether a person who is sent again gets the ended subscription back.
    pub resent_gets_subscription_back: Answer,
    /// Whether a new hrId with the e-mail address of a person without a link to this integration is that person;
    /// otherwise it becomes a second person with the same address.
    pub known_email_is_linked: Answer,
    /// How the key of the links is spelt.
    pub link_key: LinkKey,
    /// What a sync id that was accepted before means.
    pub duplicate_sync_id: DuplicateSyncId,
}

/// When the effect of a push shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Processing {
    /// Before the 204.
    #[default]
    AtOnce,
    /// After so many further requests: they still see the state before the push.
    Later {
        /// Requests that pass the credential check and the rate limit; the health check is none of them.
        after_requests: u32,
    },
}

/// Whether an offboarded person stays linked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinksAfterOffboarding {
    /// The link stays, the subscription is cancelled.
    #[default]
    Stay,
    /// The link to the integration goes.
    Go,
}

/// Whether a key is in the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// It is missing altogether.
    Absent,
}

/// What a push does to people who do not belong to its integration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// Nothing.
    #[default]
    Kept,
    /// Whoever is missing from the push loses the subscription.
    Offboarded,
}

/// What a 422 refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Everything: nothing is changed.
    #[default]
    WholeRoster,
    /// The named records alone: the others are applied as the full roster, and the people of the named records stay
    /// as they are.
    NamedRecords,
}

/// The form of `retry-after`; HTTP knows both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterForm {
    /// Seconds, as documented.
    #[default]
    Seconds,
    /// A point in time.
    HttpDate,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    #[default]
    Yes,
    /// No.
    No,
}

/// The spelling of the key that holds the links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKey {
    /// As the documented example spells it.
    #[default]
    #[serde(rename = "hrIntergartionLinks")]
    AsDocumented,
    /// As it is meant.
    #[serde(rename = "hrIntegrationLinks")]
    Corrected,
}

/// What a known sync id means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateSyncId {
    /// Nothing: the body is applied like any other.
    #[default]
    Reprocess,
    /// The push is answered with 204 and changes nothing, whatever its body says.
    Ignore,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_behaviour_is_the_default() {
        assert_eq!(
            serde_json::from_str::<Behaviour>("{}").unwrap(),
            Behaviour::default()
        );
    }

    #[test]
    fn every_switch_survives_the_way_through_json() {
        let text = r#"{"processing":{"later":{"after_requests":3}},"links_after_offboarding":"go",
            "last_sync_id_on_links":"absent","last_sync_id_on_integration":"absent","unlinked_people":"offboarded",
            "people_of_other_integrations":"offboarded","refusal":"named_records","retry_after":"http_date",
            "resent_gets_subscription_back":"no","known_email_is_linked":"no","link_key":"hrIntegrationLinks",
            "duplicate_sync_id":"ignore"}"#;
        let behaviour: Behaviour = serde_json::from_str(text).unwrap();
        assert_eq!(
            behaviour.processing,
            Processing::Later { after_requests: 3 }
        );
        let again: Behaviour =
            serde_json::from_str(&serde_json::to_string(&behaviour).unwrap()).unwrap();
        assert_eq!(again, behaviour);
    }

    #[test]
    fn a_misspelt_switch_is_refused() {
        assert!(serde_json::from_str::<Behaviour>(r#"{"procesing":"at_once"}"#).is_err());
        let inner = r#"{"processing":{"later":{"after_requests":3,"more":1}}}"#;
        assert!(serde_json::from_str::<Behaviour>(inner).is_err());
    }
}
