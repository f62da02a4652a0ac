//! The messages that are about no hold: what fails, what differs, and what is in order again.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::Telling;
use super::words::Words;
use crate::config::Language;

/// Subject and text.
pub(super) fn other(words: Words, telling: &Telling) -> (String, String) {
    match telling {
        Telling::Failed {
            times,
            since,
            result,
            message,
        } => failed(words, *times, *since, (result, message.as_deref())),
        Telling::Drift {
            sync_id,
            since,
            people,
            lost,
        } => drift(words, sync_id.as_deref(), *since, (*people, *lost)),
        Telling::StaleSource { source, why, since } => stale(words, source, why, *since),
        Telling::Credential {
            source,
            certificate,
            outcome,
            since,
        } => credential(words, source.as_deref(), *certificate, outcome, *since),
        Telling::LinesMissing {
            at,
            expected,
            found,
        } => lines_missing(words, *at, *expected, *found),
        Telling::Recovered { subject, since } => recovered(words, subject, *since),
        Telling::Held { .. } | Telling::Digest { .. } | Telling::Test => (
            words.say("a test", "ein Test").to_owned(),
            words
                .say(
                    "This is a test of the notifications of jobticket-sync. There is nothing to do.\n",
                    "Dies ist ein Test der Benachrichtigungen von jobticket-sync. Es ist nichts zu tun.\n",
                )
                .to_owned(),
        ),
    }
}

fn since(words: Words, at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(String::new, |at| {
        format!(" {} {}", words.say("since", "seit"), words.when(at))
    })
}

fn failed(
    words: Words,
    times: u32,
    first: Option<DateTime<Utc>>,
    (result, message): (&str, Option<&str>),
) -> (String, String) {
    let subject = match (words.language, times) {
        (Language::En, 1) => "a run has failed".to_owned(),
        (Language::En, _) => format!("{times} runs in a row have failed"),
        (Language::De, 1) => "ein Lauf ist gescheitert".to_owned(),
        (Language::De, _) => format!("{times} Läufe hintereinander sind gescheitert"),
    };
    let last = words.say("Last result", "Letztes Ergebnis");
    let mut body = format!("{subject}{}.\n{last}: {result}\n", since(words, first));
    body.extend(message.map(|message| format!("  {message}\n")));
    (subject, body)
}

fn drift(
    words: Words,
    sync_id: Option<&str>,
    at: Option<DateTime<Utc>>,
    (people, lost): (usize, usize),
) -> (String, String) {
    let subject = words
        .say(
            "JobTicket differs from what it acknowledged",
            "JobTicket weicht von dem ab, was es bestätigt hat",
        )
        .to_owned();
    let mut body = format!("{subject}.\n");
    if let Some(sync_id) = sync_id {
        let what = words.say(
            "It does not show all of the push",
            "Es zeigt nicht alles aus der Übertragung",
        );
        let _ = writeln!(body, "{what} {sync_id}{}.", since(words, at));
    }
    if people > 0 {
        let _ = match (words.language, people) {
            (Language::En, 1) => writeln!(
                body,
                "1 person differed when it was looked at last; the command drift says who."
            ),
            (Language::En, _) => writeln!(
                body,
                "{people} people differed when it was looked at last; the command drift names them."
            ),
            (Language::De, 1) => writeln!(
                body,
                "1 Person wich beim letzten Nachsehen ab; der Befehl drift sagt, wer."
            ),
            (Language::De, _) => writeln!(
                body,
                "{people} Personen wichen beim letzten Nachsehen ab; der Befehl drift nennt sie."
            ),
        };
    }
    if lost > 0 {
        let what = words.say(
            "people who were not in the last push have lost their tickets; nothing is pushed until a person approves that.",
            "Personen, die nicht zur letzten Übertragung gehörten, haben ihr Ticket verloren; bis zu einer Freigabe wird nichts übertragen.",
        );
        let _ = writeln!(body, "{lost} {what}");
    }
    (subject, body)
}

fn stale(words: Words, source: &str, why: &str, at: DateTime<Utc>) -> (String, String) {
    let at = words.when(at);
    match words.language {
        Language::En => (
            format!("the source {source} is stale"),
            format!(
                "The source {source} was in order last at {at}. Its last roster stands in for it: nobody of it joins, and nobody leaves for being missing; a last day of employment that is known and passes still counts.\n  {why}\n"
            ),
        ),
        Language::De => (
            format!("die Quelle {source} ist veraltet"),
            format!(
                "Die Quelle {source} war zuletzt am {at} in Ordnung. Ihr letzter Stand wird weiter verwendet: Niemand daraus kommt dazu, und niemand scheidet aus, weil er fehlt; ein bekannter letzter Arbeitstag, der vergeht, zählt weiterhin.\n  {why}\n"
            ),
        ),
    }
}

fn credential(
    words: Words,
    source: Option<&str>,
    certificate: bool,
    outcome: &str,
    at: Option<DateTime<Utc>>,
) -> (String, String) {
    let who = source.map_or_else(
        || "JobTicket".to_owned(),
        |source| format!("{} {source}", words.say("the source", "der Quelle")),
    );
    let subject = match (words.language, certificate) {
        (Language::En, false) => format!("the credential for {who} is refused"),
        (Language::En, true) => format!("the certificate or host key of {who} is not accepted"),
        (Language::De, false) => format!("die Zugangsdaten zu {who} werden abgelehnt"),
        (Language::De, true) => {
            format!("das Zertifikat oder der Schlüssel von {who} wird nicht angenommen")
        }
    };
    let body = format!("{subject}{}.\n  {outcome}\n", since(words, at));
    (subject, body)
}

fn lines_missing(words: Words, at: DateTime<Utc>, expected: u64, found: u64) -> (String, String) {
    let at = words.when(at);
    match words.language {
        Language::En => (
            "lines are missing from the audit log".to_owned(),
            format!(
                "Lines are missing from the audit log: at {at} it ended with line {found}, and should have ended with line {expected}. Somebody or something has cut or removed it. Keep all of its files; `audit verify` says what is missing, and a backup may have it.\n"
            ),
        ),
        Language::De => (
            "im Audit-Log fehlen Zeilen".to_owned(),
            format!(
                "Im Audit-Log fehlen Zeilen: Am {at} endete es mit Zeile {found} und hätte mit Zeile {expected} enden müssen. Jemand oder etwas hat es gekürzt oder entfernt. Bitte alle seine Dateien aufbewahren; `audit verify` sagt, was fehlt, und ein Backup hat es vielleicht noch.\n"
            ),
        ),
    }
}

fn recovered(words: Words, subject: &str, since: DateTime<Utc>) -> (String, String) {
    let (kind, source) = subject.split_once(':').unwrap_or((subject, ""));
    let what = match (words.language, kind) {
        (Language::En, "failed") => "runs work again".to_owned(),
        (Language::En, "drift") => "JobTicket shows what it acknowledged again".to_owned(),
        (Language::En, "stale_source") => format!("the source {source} delivers again"),
        (Language::En, _) if source.is_empty() => "JobTicket accepts us again".to_owned(),
        (Language::En, _) => format!("the source {source} can be reached again"),
        (Language::De, "failed") => "die Läufe gelingen wieder".to_owned(),
        (Language::De, "drift") => "JobTicket zeigt wieder, was es bestätigt hat".to_owned(),
        (Language::De, "stale_source") => format!("die Quelle {source} liefert wieder"),
        (Language::De, _) if source.is_empty() => {
            "JobTicket nimmt die Zugangsdaten wieder an".to_owned()
        }
        (Language::De, _) => format!("die Quelle {source} ist wieder erreichbar"),
    };
    let at = words.when(since);
    let subject = format!("{}: {what}", words.say("recovered", "behoben"));
    let body = match words.language {
        Language::En => format!("In order again: {what}. It was reported at {at}.\n"),
        Language::De => format!("Wieder in Ordnung: {what}. Gemeldet worden war es am {at}.\n"),
    };
    (subject, body)
}
