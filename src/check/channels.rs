//! Who is told of what, as far as that shows without telling anybody.

use super::Checked;
use crate::config::{ChannelType, Config};

/// The channels of `notify`, and whether their secrets can be read. What is wrong with one stops no run, so it is a warning.
pub(super) fn channels(config: &Config, found: &mut Checked) {
    let Some(notify) = &config.notify else {
        found
            .facts
            .push("notifications: none; nobody hears of a hold unless they look".to_owned());
        return;
    };
    for channel in &notify.channels {
        let name = &channel.name;
        let how = match (channel.kind, channel.mail()) {
            (ChannelType::Smtp, Some(mail)) => {
                format!("mail by {} to {} addresses", mail.host, mail.to.len())
            }
            _ => "webhook".to_owned(),
        };
        let events = channel.events.as_ref().map_or_else(
            || "everything".to_owned(),
            |events| {
                let names: Vec<&str> = events.iter().map(|event| event.name()).collect();
                names.join(", ")
            },
        );
        found.facts.push(format!(
            "notifications: {name}, {how}, of {events}; `notify test --channel {name}` tries it"
        ));
        for secret in channel.secrets() {
            if secret.needs_unit() {
                found.warnings.push(format!(
                    "notifications: {name}: a systemd credential is visible to the service only and was not checked"
                ));
            } else if let Err(error) = secret.read() {
                found
                    .warnings
                    .push(format!("notifications: {name}: {error}"));
            }
        }
        if let Some(path) = &channel.ca_file
            && let Err(error) = std::fs::read(path)
        {
            found.warnings.push(format!(
                "notifications: {name}: the ca_file {} cannot be read ({error})",
                path.display()
            ));
        }
    }
}
