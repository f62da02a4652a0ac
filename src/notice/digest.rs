//! The digest: how every integration stands, and what happened since the last one.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::words::{Desk, Words};
use crate::config::Language;
use crate::status::{IntegrationStatus, status_of_all};
use crate::store::StoreError;
use crate::sync::target_of;

/// Subject and text.
pub(super) fn write(desk: &Desk<'_>, since: DateTime<Utc>) -> Result<(String, String), StoreError> {
    let words = desk.words();
    let status = status_of_all(desk.config, desk.store, desk.clock)?;
    let open: usize = status
        .integrations
        .iter()
        .map(|one| one.open_holds().count())
        .sum();
    let subject = match words.language {
        Language::En if open == 1 => "digest, 1 hold waits".to_owned(),
        Language::En => format!("digest, {open} holds wait"),
        Language::De if open == 1 => "Wochenbericht, 1 Hold wartet".to_owned(),
        Language::De => format!("Wochenbericht, {open} Holds warten"),
    };
    let mut body = format!(
        "{} {}\n",
        words.say("What happened since", "Was geschah seit"),
        words.when(since)
    );
    for (integration, one) in desk.config.integrations.iter().zip(&status.integrations) {
        let target = target_of(integration);
        let runs = desk.store.outcomes_since(&target, since)?;
        let left = desk.store.left_since(&target, since)?;
        let _ = writeln!(body, "\n{} ({})", one.integration, one.environment);
        let line = |body: &mut String, english: &str, german: &str, value: &str| {
            let _ = writeln!(body, "  {}: {value}", words.say(english, german));
        };
        let runs: Vec<String> = runs
            .iter()
            .map(|(outcome, number)| format!("{number} {outcome}"))
            .collect();
        let none = words.say("none", "keine");
        let runs = if runs.is_empty() {
            none.to_owned()
        } else {
            runs.join(", ")
        };
        line(&mut body, "runs", "Läufe", &runs);
        line(
            &mut body,
            "people offboarded",
            "ausgeschiedene Personen",
            &left.to_string(),
        );
        if let Some(snapshot) = &one.snapshot {
            line(
                &mut body,
                "people at JobTicket",
                "Personen bei JobTicket",
                &snapshot.employees.to_string(),
            );
        }
        stands(desk.words_of(Some(integration)), one, &mut body);
    }
    let _ = writeln!(
        body,
        "\n{}\n  {} status",
        words.say("More, on the server:", "Mehr dazu, auf dem Server:"),
        desk.program
    );
    Ok((subject, body))
}

fn stands(words: Words, one: &IntegrationStatus, body: &mut String) {
    for hold in one.open_holds() {
        let (id, since) = (hold.id, words.when(hold.opened_at));
        let kind = super::people::kind(words, &hold.kind);
        let _ = match words.language {
            Language::En => writeln!(body, "  HOLD {id} ({kind}) waits since {since}"),
            Language::De => writeln!(body, "  HOLD {id} ({kind}) wartet seit {since}"),
        };
    }
    for source in &one.sources {
        let at = source
            .in_order_at
            .map_or_else(|| words.say("never", "nie").to_owned(), |at| words.when(at));
        let name = &source.name;
        let mut failed = one.standing.failed_sources.iter();
        let failed = failed.any(|failed| failed.name == source.name);
        let _ = match words.language {
            Language::En => write!(body, "  source {name}: in order last {at}"),
            Language::De => write!(body, "  Quelle {name}: zuletzt in Ordnung {at}"),
        };
        if failed {
            body.push_str(words.say(", FAILS", ", GESTÖRT"));
        }
        body.push('\n');
    }
    for (is, english, german) in [
        (
            one.standing.credential_refused.is_some(),
            "CREDENTIAL REFUSED by JobTicket",
            "ZUGANGSDATEN von JobTicket abgelehnt",
        ),
        (
            one.drifted(),
            "DRIFT: JobTicket differs from what it acknowledged",
            "ABWEICHUNG: JobTicket zeigt anderes, als es bestätigt hat",
        ),
        (one.paused.is_some(), "PAUSED", "ANGEHALTEN"),
    ] {
        if is {
            let _ = writeln!(body, "  {}", words.say(english, german));
        }
    }
}
