//! The credential of the API (HTTP Basic: key id and key secret) and its permissions.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A permission of an API key ("`JobTicket` API overview, Permissions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Read employees and their documents.
    ViewEmployees,
    /// Read integrations and their sync status.
    ViewHrIntegrations,
    /// Needed by a sync.
    AddEmployees,
    /// Needed by a sync.
    UpdateEmployees,
    /// Needed by a sync, even by one that removes nobody.
    RemoveEmployees,
}

impl Permission {
    /// All five.
    pub fn all() -> BTreeSet<Self> {
        BTreeSet::from([
            Self::ViewEmployees,
            Self::ViewHrIntegrations,
            Self::AddEmployees,
            Self::UpdateEmployees,
            Self::RemoveEmployees,
        ])
    }

    /// The four that Trigger HR Sync needs.
    pub(crate) const SYNC: [Self; 4] = [
        Self::ViewEmployees,
        Self::AddEmployees,
        Self::UpdateEmployees,
        Self::RemoveEmployees,
    ];
}

/// The one key that the sandbox knows. It has no `Debug`, so that the secret cannot get into a log.
pub(crate) struct Credential {
    key_id: String,
    key_secret: String,
    permissions: BTreeSet<Permission>,
}

impl Credential {
    pub(crate) fn new(
        key_id: String,
        key_secret: String,
        permissions: BTreeSet<Permission>,
    ) -> Self {
        Self {
            key_id,
            key_secret,
            permissions,
        }
    }

    /// Whether the request shows this key.
    pub(crate) fn accepts(&self, headers: &HeaderMap) -> bool {
        let Some((key_id, key_secret)) = presented(headers) else {
            return false;
        };
        key_id == self.key_id && key_secret == self.key_secret
    }

    /// The first of `needed` that the key lacks.
    pub(crate) fn lacks(&self, needed: &[Permission]) -> Option<Permission> {
        needed
            .iter()
            .copied()
            .find(|permission| !self.permissions.contains(permission))
    }
}

/// User name and password of a Basic header. Only the first colon separates: a secret may contain more.
fn presented(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (key_id, key_secret) = text.split_once(':')?;
    Some((key_id.to_owned(), key_secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(header: Option<&str>) -> bool {
        let credential = Credential::new("id".into(), "a:secret".into(), Permission::all());
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        credential.accepts(&headers)
    }

    #[test]
    fn only_the_exact_key_is_accepted() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(accepts(Some(&basic("id:a:secret"))));
        assert!(accepts(Some(
            &basic("id:a:secret").replace("Basic", "basic")
        )));
        assert!(!accepts(Some(&basic("id:a"))));
        assert!(!accepts(Some(&basic("ID:a:secret"))));
        assert!(!accepts(Some(&basic("id"))));
        assert!(!accepts(Some("Basic ???")));
        assert!(!accepts(Some("Bearer abc")));
        assert!(!accepts(None));
    }

    #[test]
    fn a_missing_permission_is_named() {
        let mut permissions = Permission::all();
        permissions.remove(&Permission::RemoveEmployees);
        let credential = Credential::new(String::new(), String::new(), permissions);
        assert_eq!(
            credential.lacks(&Permission::SYNC),
            Some(Permission::RemoveEmployees)
        );
        assert_eq!(credential.lacks(&[Permission::ViewEmployees]), None);
    }

    #[test]
    fn permissions_are_spelt_as_the_vendor_spells_them() {
        let text = serde_json::to_string(&Permission::ViewHrIntegrations).unwrap();
        assert_eq!(text, "\"view-hr-integrations\"");
    }
}
