//! Brings the outbox to its receivers: claimed, sent, settled, one after the other; what fails is put off.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;

use super::words::Desk;
use super::{Failure, Telling, Text, Why, look, mail, webhook};
use crate::clock::Clock;
use crate::config::{Channel, Config};
use crate::store::{LONGEST_PUT_OFF, Notice, Store, StoreError};
use crate::sync::clock_in_doubt;

/// The wait after the first failure; each further one doubles it, up to an hour.
const FIRST_WAIT: TimeDelta = TimeDelta::minutes(1);
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);
/// A login that was refused is tried again no sooner: servers shut out whoever tries too often.
const NOT_ADMITTED: TimeDelta = TimeDelta::hours(1);
/// A message that could not be sent for so long is given up. Ours: by then people have looked, and there are newer ones.
const GIVEN_UP: TimeDelta = TimeDelta::days(3);
/// But for this many attempts it is tried in any case.
const LEAST_TRIES: u32 = 10;
/// Whoever is cut off while sending leaves a message alone for so long.
const CLAIMED: TimeDelta = TimeDelta::minutes(10);
/// So many messages of a channel are sent in one go.
const AT_ONCE: u32 = 20;

/// Sends what is in the outbox.
pub struct Sender<'s> {
    /// The configuration.
    pub config: &'s Config,
    /// The state.
    pub store: &'s Store,
    /// The clock.
    pub clock: &'s Clock,
    /// How the program is called, for commands to go on with.
    pub program: &'s str,
}

/// What became of one message.
enum Sent {
    Yes,
    No,
    /// Nor will the next ones be.
    ChannelFails,
}

fn off<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

impl Sender<'_> {
    /// Sends what is due over one channel. With `within`, nothing begins after that time, and nothing takes longer than it.
    ///
    /// # Errors
    /// The store cannot be used. That a message cannot be sent is none: it is put off, and told in the log.
    pub async fn channel(
        &self,
        channel: &Channel,
        within: Option<Duration>,
    ) -> Result<(), StoreError> {
        let began = self.clock.instant();
        let (config, now) = (self.config, self.clock.now());
        if off(|| clock_in_doubt(self.store, config, now))?.is_some() {
            return Ok(());
        }
        for notice in off(|| self.store.notices_due(&channel.name, AT_ONCE))? {
            let passed = self.clock.instant() - began;
            let left = within.map(|within| within.saturating_sub(passed));
            if left.is_some_and(|left| left < Duration::from_secs(1)) {
                return Ok(());
            }
            if self.is_over_the_rate(channel)? {
                return Ok(());
            }
            if matches!(self.one(channel, &notice, left).await?, Sent::ChannelFails) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends what is due over every channel, one after the other, for at most so long; each has its share, so that one that hangs does not keep the others from being tried.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn all(&self, within: Duration) -> Result<(), StoreError> {
        let began = self.clock.instant();
        let channels = self.config.notify.iter();
        let channels: Vec<_> = channels.flat_map(|notify| &notify.channels).collect();
        for (place, channel) in channels.iter().enumerate() {
            let left = within.saturating_sub(self.clock.instant() - began);
            let share = left / u32::try_from(channels.len() - place).unwrap_or(u32::MAX);
            self.channel(channel, Some(share)).await?;
        }
        Ok(())
    }

    /// Whether a channel has sent as much as it may in an hour; what waits for it is put off then.
    fn is_over_the_rate(&self, channel: &Channel) -> Result<bool, StoreError> {
        let most = self
            .config
            .notify
            .as_ref()
            .map_or(usize::MAX, |notify| notify.at_most_per_hour as usize);
        let hour = TimeDelta::hours(1);
        let sent = off(|| {
            self.store
                .sent_since(&channel.name, self.clock.now() - hour)
        })?;
        if sent.len() < most {
            return Ok(false);
        }
        // When the oldest of those leaves the hour, there is room again.
        let free = sent[sent.len() - most] + hour;
        tracing::warn!(
            channel.name = channel.name,
            "{most} notifications were sent in an hour; further ones wait"
        );
        off(|| self.store.hold_back_channel(&channel.name, free))?;
        Ok(true)
    }

    async fn one(
        &self,
        channel: &Channel,
        notice: &Notice,
        left: Option<Duration>,
    ) -> Result<Sent, StoreError> {
        let store = self.store;
        if !off(|| store.claim_notice(notice.id, self.clock.now() + CLAIMED))? {
            return Ok(Sent::No);
        }
        let text = off(|| self.text(notice))?;
        let Some(text) = text else {
            let why = "it was no news any more";
            off(|| store.settle_notice(notice.id, "dropped", Some(why)))?;
            return Ok(Sent::No);
        };
        crate::crash::point("notifying");
        let message = (notice.message.as_str(), notice.receivers.as_deref());
        let sent = send(channel, &text, message, self.clock, left).await;
        crate::crash::point("notified");
        let event = text.event;
        let failure = match sent {
            Ok(answer) => {
                tracing::info!(
                    channel.name = channel.name,
                    integration.name = notice.integration,
                    "Notification sent ({event}): {answer}"
                );
                off(|| store.settle_notice(notice.id, "sent", None))?;
                return Ok(Sent::Yes);
            }
            Err(failure) => failure,
        };
        let now = self.clock.now();
        let Failure {
            kind,
            message,
            wait,
            receivers,
        } = failure;
        if let Some(receivers) = receivers {
            off(|| store.keep_receivers(notice.id, &receivers))?;
        }
        // After an outage of this machine one attempt says nothing.
        if now - notice.made_at >= GIVEN_UP && notice.tries >= LEAST_TRIES {
            tracing::error!(
                channel.name = channel.name,
                integration.name = notice.integration,
                "A notification ({event}) could not be sent for three days and is given up: {message}"
            );
            off(|| store.settle_notice(notice.id, "given up", Some(&message)))?;
        } else {
            let asked = wait.and_then(|wait| TimeDelta::from_std(wait).ok());
            let wait = pause(notice.tries + 1, kind)
                .max(asked.unwrap_or(FIRST_WAIT))
                .min(LONGEST_PUT_OFF);
            tracing::warn!(
                channel.name = channel.name,
                integration.name = notice.integration,
                wait_ms = wait.num_milliseconds(),
                "A notification ({event}) could not be sent and is tried again: {message}"
            );
            let all = kind != Why::Refused;
            off(|| store.put_off_notice(notice, now + wait, &message, all))?;
        }
        Ok(match kind {
            Why::Refused => Sent::No,
            Why::Unavailable | Why::NotAdmitted => Sent::ChannelFails,
        })
    }

    /// The message as it is now; `None` where nobody has to hear of it any more.
    fn text(&self, notice: &Notice) -> Result<Option<Text>, StoreError> {
        let Ok(telling) = serde_json::from_str::<Telling>(&notice.news) else {
            return Ok(None);
        };
        if !look::is_news(&telling, &notice.target, self.config, self.store)? {
            return Ok(None);
        }
        let desk = self.desk();
        desk.write(&telling, (&notice.target, &notice.integration))
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            config: self.config,
            store: self.store,
            clock: self.clock,
            program: self.program,
        }
    }
}

/// The pause after so many failures.
fn pause(failures: u32, kind: Why) -> TimeDelta {
    let steps = failures.clamp(1, 12) - 1;
    let pause = (FIRST_WAIT * (1 << steps)).min(LONGEST_WAIT);
    match kind {
        Why::NotAdmitted => pause.max(NOT_ADMITTED),
        Why::Unavailable | Why::Refused => pause,
    }
}

/// Hands a message over; what the receiver said.
async fn send(
    channel: &Channel,
    text: &Text,
    message: (&str, Option<&[String]>),
    clock: &Clock,
    left: Option<Duration>,
) -> Result<String, Failure> {
    let limit = Duration::from_secs(channel.timeout_seconds);
    let within = left.map_or(limit, |left| left.min(limit));
    match channel.mail() {
        Some(mail) => mail::send(channel, mail, text, message, clock.now(), within).await,
        None => webhook::send(channel, text, message.0, clock.now(), within).await,
    }
}

/// What came of trying a channel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    /// Which.
    pub channel: String,
    /// Whether the receiver took the message.
    pub accepted: bool,
    /// What it said, or what went wrong.
    pub answer: String,
}

/// Sends a test message over these channels, now, whatever waits.
///
/// # Errors
/// The store cannot be read.
pub async fn test(sender: &Sender<'_>, channels: &[&Channel]) -> Result<Vec<Tested>, StoreError> {
    let text = off(|| sender.desk().write(&Telling::Test, ("", "")))?;
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let mut tested = Vec::new();
    for channel in channels {
        let message = uuid::Uuid::new_v4().to_string();
        let sent = send(channel, &text, (&message, None), sender.clock, None).await;
        tested.push(Tested {
            channel: channel.name.clone(),
            accepted: sent.is_ok(),
            answer: sent.unwrap_or_else(|failure| failure.message),
        });
    }
    Ok(tested)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_an_hour_and_is_an_hour_at_once_for_a_refused_login() {
        let minutes = |failures| pause(failures, Why::Unavailable).num_minutes();
        assert_eq!([1, 2, 3, 6, 7, 40].map(minutes), [1, 2, 4, 32, 60, 60]);
        assert_eq!(pause(1, Why::NotAdmitted).num_minutes(), 60);
    }
}
