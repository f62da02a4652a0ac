//! What is new since people were told last, and what is over.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Telling;
use crate::clock::Clock;
use crate::config::{Config, Integration, NotifyConfig, NotifyEvent};
use crate::status::{IntegrationStatus, status_of_all};
use crate::store::{MissingLines, News, Store, StoreError, Target};
use crate::sync::target_of;

/// The subject of the digest.
const DIGEST: &str = "digest";
/// What the subject of missing lines begins with; when they were missed follows.
const LINES_MISSING: &str = "lines_missing:";

/// One thing that stands: its subject, who hears of it, and what they are told.
type Stands = (String, NotifyEvent, Telling);

/// Compares how everything stands with what was told, and puts what is new into the outbox. Blocks. Without `notify` nothing is looked at.
///
/// # Errors
/// The store or the request ledger cannot be read.
pub fn look(config: &Config, store: &Store, clock: &Clock) -> Result<(), StoreError> {
    let Some(notify) = &config.notify else {
        return Ok(());
    };
    let now = clock.now();
    let names: Vec<&str> = notify
        .channels
        .iter()
        .map(|channel| channel.name.as_str())
        .collect();
    store.drop_other_channels(&names)?;
    let status = status_of_all(config, store, clock)?;
    for (integration, one) in config.integrations.iter().zip(&status.integrations) {
        let target = target_of(integration);
        let told = store.told(Some(&target))?;
        let failed = store.failed_in_a_row(&target)?;
        let stands = stands(notify, integration, one, &told, failed, now);
        let (new, over) = compare(notify, &stands, &told);
        store.tell((Some(&target), &integration.name), &new, &over)?;
    }
    lines_missing(notify, store, status.audit.lines_missing.as_ref())?;
    digest(config, notify, store, now)
}

/// Tells once of lines that were missing from the audit log, to whom failures are told. Nothing makes them come back, so it is never over.
fn lines_missing(
    notify: &NotifyConfig,
    store: &Store,
    missing: Option<&MissingLines>,
) -> Result<(), StoreError> {
    let Some(missing) = missing else {
        return Ok(());
    };
    let subject = format!("{LINES_MISSING}{}", missing.at.to_rfc3339());
    let told = store.told(None)?;
    if told.contains_key(&subject) {
        return Ok(());
    }
    let telling = Telling::LinesMissing {
        at: missing.at,
        expected: missing.expected,
        found: missing.found,
    };
    let new = News {
        subject,
        news: Some(json(&telling)),
        channels: channels(notify, NotifyEvent::Failed),
    };
    let earlier = told
        .into_keys()
        .filter(|told| told.starts_with(LINES_MISSING));
    let earlier = earlier.map(|subject| News {
        subject,
        news: None,
        channels: Vec::new(),
    });
    store.tell((None, ""), &[new], &earlier.collect::<Vec<_>>())
}

/// Sends the digest where its time has come; the first one a period after notifications were switched on.
fn digest(
    config: &Config,
    notify: &NotifyConfig,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let of = |news: Option<&Telling>| News {
        subject: DIGEST.to_owned(),
        news: news.map(json),
        channels: channels(notify, NotifyEvent::Digest),
    };
    let Some(last) = store.told(None)?.get(DIGEST).copied() else {
        return store.tell((None, ""), &[of(None)], &[]);
    };
    let schedule = notify.digest.schedule(config.timezone);
    if schedule.next_after(last).is_none_or(|next| next > now) {
        return Ok(());
    }
    let telling = Telling::Digest { since: last };
    store.tell((None, ""), &[of(None)], &[of(Some(&telling))])
}

/// What is new, and what is over and was told.
fn compare(
    notify: &NotifyConfig,
    stands: &[Stands],
    told: &BTreeMap<String, DateTime<Utc>>,
) -> (Vec<News>, Vec<News>) {
    let new = stands
        .iter()
        .filter(|(subject, ..)| !told.contains_key(subject));
    let new = new.map(|(subject, event, telling)| News {
        subject: subject.clone(),
        news: is_latest(telling, stands).then(|| json(telling)),
        channels: match telling {
            Telling::Held {
                escalated: true, ..
            } => notify
                .channels
                .iter()
                .filter(|channel| {
                    channel.tells_of(NotifyEvent::Held)
                        || channel.tells_of(NotifyEvent::Escalated)
                        || !channel.escalate_to.is_empty()
                })
                .map(|channel| channel.name.clone())
                .collect(),
            _ => channels(notify, *event),
        },
    });
    let is_over = |subject: &String| stands.iter().all(|(other, ..)| other != subject);
    let over = told.iter().filter(|(subject, _)| is_over(subject));
    let over = over.map(|(subject, since)| {
        // A hold ends by a decision, of which nobody has to be told.
        let is_hold = subject.starts_with("hold:");
        let recovered = Telling::Recovered {
            subject: subject.clone(),
            since: *since,
        };
        News {
            subject: subject.clone(),
            news: (!is_hold).then(|| json(&recovered)),
            channels: channels(notify, NotifyEvent::Recovered),
        }
    });
    (new.collect(), over.collect())
}

/// Whether this is the latest that there is to be said of a hold: of one that waits for three days already, nobody hears three times at once.
fn is_latest(telling: &Telling, stands: &[Stands]) -> bool {
    let Telling::Held { hold, .. } = telling else {
        return true;
    };
    let of_hold = stands.iter().rev().map(|(_, _, other)| other);
    let mut of_hold =
        of_hold.filter(|other| matches!(other, Telling::Held { hold: one, .. } if one == hold));
    of_hold.next() == Some(telling)
}

fn json(telling: &Telling) -> String {
    serde_json::to_string(telling).expect("what is told is plain values with text keys")
}

fn channels(notify: &NotifyConfig, event: NotifyEvent) -> Vec<String> {
    let all = notify.channels.iter();
    let those = all.filter(|channel| channel.tells_of(event));
    those.map(|channel| channel.name.clone()).collect()
}

/// Everything of which somebody has to hear.
fn stands(
    notify: &NotifyConfig,
    integration: &Integration,
    one: &IntegrationStatus,
    told: &BTreeMap<String, DateTime<Utc>>,
    failed: (u32, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Vec<Stands> {
    let mut stands = Vec::new();
    holds(notify, one, now, &mut stands);
    credentials(one, &mut stands);
    if one.drifted() {
        let push = one
            .standing
            .unconfirmed
            .as_ref()
            .filter(|push| push.overdue);
        let telling = Telling::Drift {
            sync_id: push.map(|push| push.sync_id.clone()),
            since: push.map(|push| push.since),
            lost: one.standing.tickets_lost,
        };
        stands.push(("drift".to_owned(), NotifyEvent::Drift, telling));
    }
    let hours = i64::try_from(integration.frozen_warn_hours).unwrap_or(i64::MAX);
    for source in &one.standing.failed_sources {
        let Some(since) = source.frozen_since else {
            continue;
        };
        if TimeDelta::try_hours(hours).is_some_and(|hours| now - since < hours) {
            continue;
        }
        let telling = Telling::StaleSource {
            source: source.name.clone(),
            why: source.why.clone(),
            since,
        };
        let subject = format!("stale_source:{}", source.name);
        stands.push((subject, NotifyEvent::StaleSource, telling));
    }
    let (times, since) = failed;
    let was_told = told.contains_key("failed");
    // A refused credential is the better message of the two.
    let is_known = stands.iter().any(|(subject, ..)| subject == "credential");
    if times > 0 && (was_told || (times >= notify.failed_times && !is_known)) {
        let last = one.standing.last_run.as_ref();
        let telling = Telling::Failed {
            times,
            since,
            result: last.map_or_else(|| "never ended".to_owned(), |last| last.result.clone()),
            message: last.and_then(|last| last.message.clone()),
        };
        stands.push(("failed".to_owned(), NotifyEvent::Failed, telling));
    }
    stands
}

/// Open holds, and those of them that nobody has decided for too long.
fn holds(
    notify: &NotifyConfig,
    one: &IntegrationStatus,
    now: DateTime<Utc>,
    stands: &mut Vec<Stands>,
) {
    for hold in one.open_holds() {
        let of = |hours, escalated| Telling::Held {
            hold: hold.id,
            hours,
            escalated,
        };
        stands.push((
            format!("hold:{}", hold.id),
            NotifyEvent::Held,
            of(None, false),
        ));
        let last = notify.remind_hours.last();
        for hours in &notify.remind_hours {
            if now - hold.opened_at >= TimeDelta::hours(i64::from(*hours)) {
                let subject = format!("hold:{}:{hours}", hold.id);
                let telling = of(Some(*hours), Some(hours) == last);
                stands.push((subject, NotifyEvent::Held, telling));
            }
        }
    }
}

/// Credentials and certificates that are refused, by either side.
fn credentials(one: &IntegrationStatus, stands: &mut Vec<Stands>) {
    let standing = &one.standing;
    let mut say = |source: Option<&str>, certificate: bool, outcome: &str, since| {
        let subject = source.map_or_else(
            || "credential".to_owned(),
            |source| format!("credential:{source}"),
        );
        let telling = Telling::Credential {
            source: source.map(str::to_owned),
            certificate,
            outcome: outcome.to_owned(),
            since,
        };
        stands.push((subject, NotifyEvent::Credential, telling));
    };
    if let Some(refused) = &standing.credential_refused {
        say(None, false, &refused.outcome, Some(refused.since));
    } else if let Some(message) = standing
        .last_run
        .as_ref()
        .and_then(|last| last.message.as_deref())
        && is_certificate(message)
    {
        say(None, true, message, None);
    }
    for login in &standing.refused_logins {
        say(
            Some(&login.source),
            false,
            &login.outcome,
            Some(login.since),
        );
    }
    for source in &standing.failed_sources {
        let mut logins = standing.refused_logins.iter();
        if is_certificate(&source.why) && logins.all(|login| login.source != source.name) {
            say(Some(&source.name), true, &source.why, None);
        }
    }
}

/// Whether an error is about the identity of the other side: its TLS certificate, or the key of its SFTP server.
fn is_certificate(message: &str) -> bool {
    message.contains("certificate") || message.contains("than those under host_keys")
}

/// Whether somebody still has to hear of this: a hold that was decided meanwhile is nobody's news.
pub(super) fn is_news(
    telling: &Telling,
    target: &str,
    config: &Config,
    store: &Store,
) -> Result<bool, StoreError> {
    let Telling::Held { hold, .. } = telling else {
        return Ok(true);
    };
    let mut targets = config.integrations.iter().map(target_of);
    let target: Option<Target> = targets.find(|one| one.as_str() == target);
    let Some(target) = target else {
        return Ok(false);
    };
    Ok(store.open_holds(&target)?.contains(hold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_the_other_sides_identity_is_told_from_others() {
        for text in [
            "no connection (invalid peer certificate: UnknownIssuer)",
            "The server sftp.example.com shows another key than those under host_keys, so nothing was sent to it",
        ] {
            assert!(is_certificate(text), "{text}");
        }
        assert!(!is_certificate("no connection (connection refused)"));
    }
}
