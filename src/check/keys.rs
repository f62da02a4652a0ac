//! Whether secrets are kept from others, and the keys of sources with encrypted files there, open, and still good.

use chrono::{DateTime, Utc};

use super::Checked;
use crate::config::{Config, Integration, SecretRef, Source};
use crate::exit::Exit;
use crate::source::packed;

/// Warns of files with secrets that every user of this machine may read.
pub(super) fn open_to_all(integration: &Integration, found: &mut Checked) {
    let jobticket = &integration.jobticket;
    let of_jobticket = [&jobticket.api_key_id, &jobticket.api_key_secret];
    let of_jobticket = of_jobticket.into_iter().flatten();
    let of_sources = integration.sources.iter().flat_map(Source::secrets);
    let decrypt = integration.sources.iter();
    let decrypt = decrypt.filter_map(|source| source.decrypt.as_ref());
    let of_files =
        decrypt.flat_map(|decrypt| [Some(&decrypt.private_key), decrypt.passphrase.as_ref()]);
    let all = of_jobticket.chain(of_sources).chain(of_files.flatten());
    let mut open: Vec<String> = all
        .filter(|secret| secret.is_open_to_all())
        .map(ToString::to_string)
        .collect();
    open.sort();
    open.dedup();
    for secret in open {
        found.warnings.push(format!(
            "every user of this machine may read the secret at {secret}; take that right away with chmod o-rwx"
        ));
    }
}

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
            // A run takes nothing that it cannot open, and goes on with the last roster.
            found.wrong(Exit::SourceFailed, error.to_string());
        }
    }
}
