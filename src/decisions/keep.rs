//! Keeping somebody by name until a day, whatever the sources say.

use chrono::{Days, NaiveDate};
use serde_json::json;

use super::{Desk, NotDecided, Said, Words, notes, refused};
use crate::config::Integration;
use crate::exit::Exit;
use crate::roster::HrId;
use crate::store::HeldState;
use crate::sync::target_of;

/// A keep that nobody looks at any more would keep a ticket for ever.
const LONGEST_DAYS: u64 = 366;

/// Keeps somebody until a day, which is the last.
pub fn keep(
    desk: &Desk<'_>,
    hr_id: &str,
    until: &str,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let hr_id = HrId::new(hr_id.trim());
    let until = day(until, desk.clock.today(desk.config.timezone))?;
    let mut knowing = Vec::new();
    for integration in desk.chosen {
        if knows(desk, integration, &hr_id)? {
            knowing.push(*integration);
        }
    }
    let integration = match knowing[..] {
        [integration] => integration,
        [] => {
            return refused(format!(
                "Nobody with the hrId {hr_id} is in the snapshot or in an open hold; hrIds count with their leading zeros. Nothing was recorded"
            ));
        }
        _ => {
            let names: Vec<&str> = knowing.iter().map(|one| one.name.as_str()).collect();
            return refused(format!(
                "Several integrations know {hr_id}: {}. Say which with --integration; nothing was recorded",
                names.join(", ")
            ));
        }
    };
    let mut told = words.event("keep", desk.user);
    told.hr_ids = vec![hr_id.to_string()];
    told.until = Some(until.to_string());
    let told = notes(integration, vec![told.into()]);
    desk.store.keep(
        &target_of(integration),
        &integration.name,
        &hr_id,
        until,
        &words.decision(desk.user),
        &told,
    )?;
    desk.log()?;
    Ok(Said {
        text: format!(
            "{hr_id} of {} is kept until {until}, whatever the sources say. The next run acts on it\n",
            integration.name
        ),
        json: json!({
            "decision": "keep", "integration": integration.name, "hrIds": [hr_id], "until": until, "exitCode": Exit::Done,
        }),
        exit: Exit::Done,
    })
}

pub(super) fn day(text: &str, today: NaiveDate) -> Result<NaiveDate, NotDecided> {
    let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let Some(day) = parsed.filter(|day| day.to_string() == text) else {
        return refused(format!(
            "--until {text} is not a day; write it as in 2026-12-31"
        ));
    };
    if day < today {
        return refused(format!("--until {text} lies in the past: today is {today}"));
    }
    let last = today + Days::new(LONGEST_DAYS);
    if day > last {
        return refused(format!(
            "--until {text} is more than {LONGEST_DAYS} days ahead; the last day possible is {last}, and it can be said again then"
        ));
    }
    Ok(day)
}

fn knows(desk: &Desk<'_>, integration: &Integration, hr_id: &HrId) -> Result<bool, NotDecided> {
    let target = target_of(integration);
    if desk.store.remembered(&target, hr_id)?.is_some() {
        return Ok(true);
    }
    let holds = desk.store.holds(Some(&target), false)?;
    let mut people = holds.iter().flat_map(|hold| &hold.people);
    Ok(people.any(|person| person.change.hr_id == *hr_id && person.state != HeldState::Over))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_ends_on_a_day_within_a_year() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let says = |text: &str| day(text, today).map_err(|error| error.told().1);
        assert_eq!(says("2026-11-23"), Ok(today));
        assert!(says("2027-11-24").is_ok());
        for (text, why) in [
            ("2026-11-22", "in the past"),
            ("2027-11-25", "more than 366 days"),
            ("2026-2-30", "is not a day"),
            ("2026-12-1", "is not a day"),
            ("31.12.2026", "is not a day"),
            ("", "is not a day"),
        ] {
            assert!(says(text).unwrap_err().contains(why), "{text}");
        }
    }
}
