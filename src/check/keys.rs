//! Whether the keys of sources with encrypted files are there, open, and still good.

use chrono::{DateTime, Utc};

use super::Checked;
use crate::config::{Config, SecretRef};
use crate::exit::Exit;
use crate::source::packed;

/// Looks at the keys of every source of an integration, as a run would use them.
pub(super) fn keys(
    config: &Config,
    position: usize,
    offline: bool,
    now: DateTime<Utc>,
    found: &mut Checked,
) {
    let sources = &config.integrations[position].sources;
    for (place, source) in sources.iter().enumerate() {
        let Some(decrypt) = &source.decrypt else {
            continue;
        };
        let name = &source.name;
        let secrets = [Some(&decrypt.private_key), decrypt.passphrase.as_ref()];
        if offline && secrets.into_iter().flatten().any(SecretRef::needs_unit) {
            found.warnings.push(format!(
                "source {name}: a systemd credential is visible to the service only, so the keys of decrypt were not checked"
            ));
            continue;
        }
        let looked = packed::look(decrypt, now);
        let said = |line: String| format!("source {name}: {line}");
        found.facts.extend(looked.facts.into_iter().map(said));
        found.warnings.extend(looked.warnings.into_iter().map(said));
        if !looked.errors.is_empty() {
            let error = config.wrong_decrypt(position, place, looked.errors);
            found.wrong(Exit::Configuration, error.to_string());
        }
    }
}
