//! What is new since people were told last, and what is over.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Telling;
use crate::clock::Clock;
use crate::config::{Channel, Config, Integration, NotifyConfig, NotifyEvent};
use crate::status::{IntegrationStatus, status_of_all};
use crate::store::{MissingLines, News, Store, StoreError, Target};
use crate::sync::{clock_in_doubt, target_of};

/// The subject that remembers that a channel has heard of the holds that stood when it was new, before its name.
const CHANNEL: &str = "channel:";
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
    if let Some(why) = clock_in_doubt(store, config, now)? {
        // The runs that it keeps from beginning say so louder.
        tracing::debug!("Nobody is told of anything while the clock is in doubt: {why}");
        return Ok(());
    }
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
        let waiting = waiting(store, one)?;
        let stands = stands(notify, integration, one, &waiting, &told, failed, now);
        let who = (&target, integration.name.as_str());
        // First, or what is new to everybody would be told to a newcomer twice.
        for (mark, news) in newcomers(notify, &stands, &told) {
            store.tell_newcomer(who, &mark, &news)?;
        }
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
    if last > now + TimeDelta::hours(1) {
        // Told by a clock that was wrong: the next one comes a period from now.
        return store.tell((None, ""), &[of(None)], &[of(None)]);
    }
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
        news: is_latest(telling, stands, told).then(|| json(telling)),
        channels: match telling {
            Telling::Held {
                escalated: true, ..
            } => notify
                .channels
                .iter()
                .filter(|channel| hears_of_holds(channel))
                .map(|channel| channel.name.clone())
                .collect(),
            _ => channels(notify, *event),
        },
    });
    let is_over = |subject: &String| {
        let stands = stands.iter().any(|(other, ..)| other == subject);
        let marks = subject.strip_prefix(CHANNEL);
        let is_there = |name| {
            notify
                .channels
                .iter()
                .any(|one| one.name == name && hears_of_holds(one))
        };
        !stands && !marks.is_some_and(is_there)
    };
    let over = told.iter().filter(|(subject, _)| is_over(subject));
    let over = over.map(|(subject, since)| {
        // A hold ends by a decision, of which nobody has to be told.
        let is_silent = subject.starts_with("hold:") || subject.starts_with(CHANNEL);
        let recovered = Telling::Recovered {
            subject: subject.clone(),
            since: *since,
        };
        News {
            subject: subject.clone(),
            news: (!is_silent).then(|| json(&recovered)),
            channels: channels(notify, NotifyEvent::Recovered),
        }
    });
    (new.collect(), over.collect())
}

/// What channels hear that have not heard of these holds: each that stands and was told to the others, once. The mark by which it is remembered, and what is told.
fn newcomers(
    notify: &NotifyConfig,
    stands: &[Stands],
    told: &BTreeMap<String, DateTime<Utc>>,
) -> Vec<(String, Vec<News>)> {
    let marked = notify.channels.iter().filter(|one| hears_of_holds(one));
    let marked = marked.map(|channel| (format!("{CHANNEL}{}", channel.name), channel));
    let new = marked.filter(|(mark, _)| !told.contains_key(mark));
    let news = |channel: &Channel| {
        let known = stands
            .iter()
            .filter(|(subject, ..)| told.contains_key(subject));
        let for_it = known.filter(|(.., telling)| match telling {
            Telling::Held { hours: None, .. } => channel.tells_of(NotifyEvent::Held),
            // Who hears of escalations alone hears of those.
            Telling::Held { escalated, .. } => *escalated && !channel.tells_of(NotifyEvent::Held),
            _ => false,
        });
        let news = for_it.map(|(subject, _, telling)| News {
            subject: subject.clone(),
            news: Some(json(telling)),
            channels: vec![channel.name.clone()],
        });
        news.collect()
    };
    new.map(|(mark, channel)| (mark, news(channel))).collect()
}

fn hears_of_holds(channel: &Channel) -> bool {
    channel.tells_of(NotifyEvent::Held)
        || channel.tells_of(NotifyEvent::Escalated)
        || !channel.escalate_to.is_empty()
}

/// Whether this is the latest that there is to be said of a hold and was not said: of one that waits for three days already, nobody hears three times at once.
fn is_latest(telling: &Telling, stands: &[Stands], told: &BTreeMap<String, DateTime<Utc>>) -> bool {
    let Telling::Held { hold, .. } = telling else {
        return true;
    };
    let new = stands
        .iter()
        .filter(|(subject, ..)| !told.contains_key(subject));
    let of_hold = new.rev().map(|(_, _, other)| other);
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
    waiting: &[Waiting],
    told: &BTreeMap<String, DateTime<Utc>>,
    failed: (u32, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Vec<Stands> {
    let mut stands = Vec::new();
    holds(notify, waiting, now, &mut stands);
    credentials(one, &mut stands);
    if one.drifted() {
        let push = one
            .standing
            .unconfirmed
            .as_ref()
            .filter(|push| push.overdue);
        let found = one.standing.found_drift.as_ref();
        let telling = Telling::Drift {
            sync_id: push.map(|push| push.sync_id.clone()),
            since: push
                .map(|push| push.since)
                .or(found.map(|found| found.since)),
            people: found.map_or(0, |found| found.people),
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
            message: last
                .and_then(|last| last.message.clone())
                .or_else(|| failed_sources(one)),
        };
        stands.push(("failed".to_owned(), NotifyEvent::Failed, telling));
    }
    stands
}

/// Why a run that pushed or had nothing to push has failed nevertheless.
fn failed_sources(one: &IntegrationStatus) -> Option<String> {
    let sources = one.standing.failed_sources.iter();
    let sources = sources.map(|source| format!("{}: {}", source.name, source.why));
    let sources: Vec<String> = sources.collect();
    (!sources.is_empty()).then(|| sources.join("; "))
}

/// An open hold, and where the waiting began that it goes on with.
struct Waiting {
    hold: u64,
    first: u64,
    since: DateTime<Utc>,
}

fn waiting(store: &Store, one: &IntegrationStatus) -> Result<Vec<Waiting>, StoreError> {
    let each = one.open_holds().map(|hold| {
        let (first, since) = store.row_of_hold((hold.id, hold.opened_at, hold.scope))?;
        let hold = hold.id;
        Ok(Waiting { hold, first, since })
    });
    each.collect()
}

/// Open holds, and those of them that nobody has decided for too long. Of a row of holds each is told, but that it waits for so long is told once for all of them.
fn holds(notify: &NotifyConfig, waiting: &[Waiting], now: DateTime<Utc>, stands: &mut Vec<Stands>) {
    for hold in waiting {
        let of = |hours, escalated| Telling::Held {
            hold: hold.hold,
            hours,
            escalated,
        };
        stands.push((
            format!("hold:{}", hold.hold),
            NotifyEvent::Held,
            of(None, false),
        ));
        let last = notify.remind_hours.last();
        for hours in &notify.remind_hours {
            if now - hold.since >= TimeDelta::hours(i64::from(*hours)) {
                let subject = format!("hold:{}:{hours}", hold.first);
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

    const CONFIG: &str = include_str!("../../config.example.yaml");

    /// The example with these channels: a name each, and what it tells of.
    fn notify(channels: &[(&str, &str)]) -> NotifyConfig {
        let mut text = format!("{CONFIG}\nnotify:\n  channels:\n");
        for (name, events) in channels {
            let channel = format!(
                "    - {{name: {name}, type: smtp, host: mail.example.com, from: a@example.com, to: [b@example.com], events: [{events}]}}\n"
            );
            text.push_str(&channel);
        }
        let config = crate::config::parse(&text, std::path::Path::new("/")).unwrap();
        config.notify.unwrap()
    }

    fn told(subjects: &[&str]) -> BTreeMap<String, DateTime<Utc>> {
        let at = DateTime::UNIX_EPOCH;
        subjects.iter().map(|one| ((*one).to_owned(), at)).collect()
    }

    fn waits(hold: u64, first: u64, hours: i64, notify: &NotifyConfig) -> Vec<Stands> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(365);
        let since = now - TimeDelta::hours(hours);
        let mut stands = Vec::new();
        let waiting = [Waiting { hold, first, since }];
        holds(notify, &waiting, now, &mut stands);
        stands
    }

    /// What is sent, of what is remembered.
    fn sent(new: &[News]) -> Vec<&str> {
        let sent = new.iter().filter(|news| news.news.is_some());
        sent.map(|news| news.subject.as_str()).collect()
    }

    #[test]
    fn only_the_latest_step_of_a_hold_is_told() {
        let notify = notify(&[("hr", "held")]);
        let stands = waits(7, 7, 73, &notify);
        let (new, _) = compare(&notify, &stands, &told(&[]));
        assert_eq!(new.len(), 3, "all three are remembered");
        assert_eq!(sent(&new), ["hold:7:72"]);
        let (new, _) = compare(&notify, &stands, &told(&["hold:7"]));
        assert_eq!(sent(&new), ["hold:7:72"]);
        let (new, over) = compare(
            &notify,
            &stands,
            &told(&["hold:7", "hold:7:24", "hold:7:72"]),
        );
        assert!(new.is_empty() && over.is_empty());
    }

    #[test]
    fn a_hold_that_goes_on_with_another_is_told_and_reminds_of_both_once() {
        let notify = notify(&[("hr", "held")]);
        let day = waits(8, 7, 30, &notify);
        let (new, over) = compare(&notify, &day, &told(&["hold:7"]));
        assert_eq!(sent(&new), ["hold:7:24"]);
        assert_eq!(over.len(), 1);
        let day = waits(9, 7, 50, &notify);
        let (new, _) = compare(&notify, &day, &told(&["hold:8", "hold:7:24"]));
        assert_eq!(sent(&new), ["hold:9"]);
        let known = ["hold:9", "hold:7:24", "hold:7:72"];
        let (new, _) = compare(&notify, &waits(10, 7, 98, &notify), &told(&known));
        assert_eq!(sent(&new), ["hold:10"], "it does not escalate each day");
        let (new, _) = compare(&notify, &waits(11, 11, 0, &notify), &told(&known));
        assert_eq!(sent(&new), ["hold:11"]);
    }

    #[test]
    fn a_new_channel_hears_of_each_standing_hold_once_and_the_others_hear_nothing() {
        let notify = notify(&[
            ("hr", "held"),
            ("new", "held"),
            ("boss", "escalated"),
            ("it", "failed"),
        ]);
        let mut stands = waits(7, 7, 73, &notify);
        stands.extend(waits(8, 8, 0, &notify));
        let mut known = told(&["hold:7", "hold:7:24", "hold:7:72", "hold:8", "channel:hr"]);
        let found: Vec<_> = newcomers(&notify, &stands, &known)
            .into_iter()
            .map(|(mark, news)| (mark, sent(&news).join(" ")))
            .collect();
        assert_eq!(
            found,
            [
                ("channel:new".to_owned(), "hold:7 hold:8".to_owned()),
                ("channel:boss".to_owned(), "hold:7:72".to_owned())
            ]
        );
        known.extend(told(&["channel:new", "channel:boss", "channel:gone"]));
        assert!(newcomers(&notify, &stands, &known).is_empty());
        let (new, over) = compare(&notify, &stands, &known);
        assert!(new.is_empty());
        assert_eq!(over.len(), 1, "one that is gone is forgotten, in silence");
        assert_eq!(
            (over[0].subject.as_str(), &over[0].news),
            ("channel:gone", &None)
        );
    }

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
