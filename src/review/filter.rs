//! Which lines are asked for: options as people write them, and the bytes by which a line is found before it is read.

use chrono::{DateTime, Days, Months, NaiveDate, TimeZone as _, Utc};
use std::collections::HashSet;

use super::ReviewError;
use super::pushes::{Fate, Pushes};
use crate::audit::{EVENTS, Entry, Span, names};
use crate::cli::FilterArgs;
use crate::zone::Zone;

/// Which lines are asked for.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) span: Span,
    integration: Option<String>,
    run: Option<String>,
    hr_id: Option<String>,
    kind: Option<Kind>,
    /// In lower case.
    actor: Option<String>,
    hold: Option<u64>,
    /// The pushes that the hold let through, as far as they have come by.
    pushes: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Event(String),
    Change(String),
    /// A change of this kind that JobTicket has acknowledged.
    Acknowledged(&'static str),
}

/// Kinds of changes, of any plan.
const CHANGES: [&str; 3] = ["joins", "leaves", "changes"];

impl Filter {
    /// Reads the options; times without a zone are in `zone`.
    pub(super) fn of(
        arguments: &FilterArgs,
        integration: Option<&str>,
        zone: Zone,
    ) -> Result<Self, ReviewError> {
        let since = arguments
            .since
            .as_deref()
            .map(|text| moment("--since", text, zone))
            .transpose()?;
        let until = arguments
            .until
            .as_deref()
            .map(|text| moment("--until", text, zone))
            .transpose()?;
        let span = Span {
            since: since.map(|(first, _)| first),
            until: until.map(|(_, over)| over),
        };
        if let (Some(since), Some(until)) = (span.since, span.until)
            && since >= until
        {
            return Err(ReviewError::Usage(
                "--since lies behind --until, so no line can match".to_owned(),
            ));
        }
        let trimmed = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned());
        Ok(Self {
            span,
            integration: integration.map(str::to_owned),
            run: trimmed(&arguments.run),
            hr_id: trimmed(&arguments.hrid),
            kind: arguments.kind.as_deref().map(kind).transpose()?,
            actor: trimmed(&arguments.actor).map(|actor| actor.to_lowercase()),
            hold: arguments.hold,
            pushes: HashSet::new(),
        })
    }

    /// Texts of which one stands in every line that matches; none where every line has to be read.
    pub(super) fn texts(&self) -> Vec<String> {
        let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        if let Some(hr_id) = &self.hr_id {
            return vec![quoted(hr_id)];
        }
        if let Some(run) = &self.run {
            return vec![quoted(run)];
        }
        if let Some(hold) = self.hold {
            return vec![format!("\"hold\":{hold}"), "\"event\":\"push_".to_owned()];
        }
        if self.actor.is_some() {
            // However it is written.
            return vec!["\"user\":\"".to_owned(), "\"onBehalfOf\":\"".to_owned()];
        }
        match &self.kind {
            Some(Kind::Event(event)) => vec![format!("\"event\":{}", quoted(event))],
            Some(Kind::Change(kind)) => vec![format!("\"kind\":{}", quoted(kind))],
            Some(Kind::Acknowledged(kind)) => vec![format!("\"kind\":{}", quoted(kind))],
            None => self
                .integration
                .iter()
                .map(|name| format!("\"integration\":{}", quoted(name)))
                .collect(),
        }
    }

    /// Whether it has to be known what became of each push.
    pub(super) fn needs_pushes(&self) -> bool {
        matches!(self.kind, Some(Kind::Acknowledged(_)))
    }

    /// Whether a line is asked for. Lines come in order. Their time was looked at before.
    pub(super) fn matches(&mut self, entry: &Entry, pushes: Option<&Pushes>) -> bool {
        let line = &entry.line;
        let is =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let of_hold = self.hold.is_none_or(|hold| self.is_of_hold(entry, hold));
        of_hold
            && is(&self.integration, &entry.integration)
            && is(&self.run, &entry.run)
            && self.hr_id.as_ref().is_none_or(|hr_id| names(line, hr_id))
            && self.actor.as_ref().is_none_or(|actor| {
                ["user", "onBehalfOf"].into_iter().any(|key| {
                    let name = line[key].as_str();
                    name.is_some_and(|name| name.to_lowercase() == *actor)
                })
            })
            && match &self.kind {
                None => true,
                Some(Kind::Event(event)) => entry.event == *event,
                Some(Kind::Change(kind)) => entry.event == "change" && line["kind"] == **kind,
                Some(Kind::Acknowledged(kind)) => {
                    let fate = pushes.map(|pushes| pushes.fate(entry));
                    entry.event == "change"
                        && line["kind"] == *kind
                        && matches!(fate, Some(Fate::Acknowledged(_)))
                }
            }
    }

    fn is_of_hold(&mut self, entry: &Entry, hold: u64) -> bool {
        let line = &entry.line;
        if line["hold"] == hold {
            return true;
        }
        let Some(sync_id) = line["syncId"].as_str() else {
            return false;
        };
        let by = line["approvedByHolds"].as_array();
        if by.is_some_and(|by| by.iter().any(|by| *by == hold)) {
            self.pushes.insert(sync_id.to_owned());
        }
        self.pushes.contains(sync_id)
    }
}

fn kind(text: &str) -> Result<Kind, ReviewError> {
    let text = text.trim();
    match text {
        "offboarded" => return Ok(Kind::Acknowledged("leaves")),
        "onboarded" => return Ok(Kind::Acknowledged("joins")),
        _ if CHANGES.contains(&text) => return Ok(Kind::Change(text.to_owned())),
        _ if EVENTS.contains(&text) => return Ok(Kind::Event(text.to_owned())),
        _ => {}
    }
    let known = [&["offboarded", "onboarded"], &CHANGES[..], &EVENTS[..]].concat();
    Err(ReviewError::Usage(format!(
        "There is no kind {text}; there are: {}",
        known.join(", ")
    )))
}

/// The first instant that a text means, and the first behind it.
pub(crate) fn moment(
    option: &str,
    text: &str,
    zone: Zone,
) -> Result<(DateTime<Utc>, DateTime<Utc>), ReviewError> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        let time = time.with_timezone(&Utc);
        return Ok((time, time + chrono::TimeDelta::milliseconds(1)));
    }
    let day = |text: &str| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|day| day.to_string() == text)
    };
    let days = match text.len() {
        7 => day(&format!("{text}-01"))
            .and_then(|first| Some((first, first.checked_add_months(Months::new(1))?))),
        _ => day(text).and_then(|first| Some((first, first.checked_add_days(Days::new(1))?))),
    };
    let Some((first, over)) = days else {
        return Err(ReviewError::Usage(format!(
            "{option} {text} is not understood; write a day as in 2026-10-31, a month as in 2026-10, or a time as in 2026-10-31T08:00:00+01:00"
        )));
    };
    Ok((begin(first, zone), begin(over, zone)))
}

/// The first instant of a day, which need not be midnight.
fn begin(day: NaiveDate, zone: Zone) -> DateTime<Utc> {
    let mut hours = (0..24).filter_map(|hour| day.and_hms_opt(hour, 0, 0));
    let first = hours.find_map(|time| zone.from_local_datetime(&time).earliest());
    first.map_or_else(
        || day.and_time(chrono::NaiveTime::MIN).and_utc(),
        |first| first.with_timezone(&Utc),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_those_of_the_zone_and_count_to_their_end() {
        let span = |since: &str, until: &str| {
            let arguments = FilterArgs {
                since: Some(since.to_owned()),
                until: Some(until.to_owned()),
                ..FilterArgs::default()
            };
            let span = Filter::of(&arguments, None, Zone::berlin()).unwrap().span;
            [span.since, span.until].map(|time| time.unwrap().to_rfc3339())
        };
        // Summer time ends on October 25th.
        assert_eq!(
            span("2026-10", "2026-10"),
            ["2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"]
        );
        assert_eq!(
            span("2026-10-25", "2026-10-25"),
            ["2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"]
        );
        assert_eq!(
            span("2026-12", "2026-12-31T12:00:00+01:00"),
            ["2026-11-30T23:00:00+00:00", "2026-12-31T11:00:00.001+00:00"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (since, until, kind, says) in [
            (
                "2026-13",
                "2027",
                "plan",
                "--since 2026-13 is not understood",
            ),
            ("31.10.2026", "2027-01", "plan", "write a day as in"),
            ("2026-1-1", "2027-01", "plan", "is not understood"),
            ("2026-11", "2026-10", "plan", "lies behind"),
            (
                "2026-10",
                "2026-11",
                "ofboarded",
                "offboarded, onboarded, joins",
            ),
        ] {
            let arguments = FilterArgs {
                since: Some(since.to_owned()),
                until: Some(until.to_owned()),
                kind: Some(kind.to_owned()),
                ..FilterArgs::default()
            };
            let error = Filter::of(&arguments, None, Zone::berlin())
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn an_actor_is_found_however_the_name_is_written() {
        let arguments = FilterArgs {
            actor: Some(" MIRA Öz ".to_owned()),
            ..FilterArgs::default()
        };
        let mut filter = Filter::of(&arguments, None, Zone::berlin()).unwrap();
        let mut is_found = |key: &str, name: &str| {
            let line = format!(
                "{{\"seq\":1,\"time\":\"2026-10-01T00:00:00.000Z\",\"event\":\"decision\",\"{key}\":\"{name}\",\"prev\":\"\"}}"
            );
            let near = filter.texts().iter().any(|text| line.contains(text));
            near && filter.matches(&Entry::of(line.as_bytes()).unwrap(), None)
        };
        assert!(is_found("user", "mira öz") && is_found("onBehalfOf", "Mira ÖZ"));
        assert!(!is_found("user", "mira") && !is_found("reason", "mira öz"));
    }
}
