//! Pausing an integration: until a day nothing of it is read or pushed, by the schedule or by hand.

use serde_json::json;

use super::{Desk, NotDecided, Said, Words, keep, notes, refused};
use crate::exit::Exit;
use crate::store::{Fact, Pause, RunLock};
use crate::sync::target_of;

/// Pauses an integration until a day, which is the last. A later pause takes the place of an earlier one.
pub fn pause(
    desk: &Desk<'_>,
    name: &str,
    until: &str,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let integration = desk.named(name)?;
    let target = target_of(integration);
    let until = keep::day(until, desk.clock.today(desk.config.timezone))?;
    let mut told = words.event("pause", desk.user);
    told.until = Some(until.to_string());
    let pause = Pause {
        until,
        user: desk.user.to_owned(),
        reason: words.reason.trim().to_owned(),
    };
    desk.store.set_fact(
        &target,
        Fact::Paused,
        Some(&pause),
        &notes(integration, vec![told.into()]),
    )?;
    desk.log()?;
    let running = if RunLock::is_taken(&desk.config.state_dir, &target) {
        " A run in progress ends at its next safe point; only a push that is on its way already cannot be taken back."
    } else {
        ""
    };
    Ok(Said {
        text: format!(
            "{name} is paused until {until}: nothing of it is read or pushed, and joiners and leavers wait.{running} `{} resume {name} --reason TEXT` ends that; a dry run goes on working\n",
            desk.program
        ),
        json: json!({
            "decision": "pause", "integration": name, "until": until, "exitCode": Exit::Done,
        }),
        exit: Exit::Done,
    })
}

/// Ends a pause.
pub fn resume(desk: &Desk<'_>, name: &str, words: Words<'_>) -> Result<Said, NotDecided> {
    words.check()?;
    let integration = desk.named(name)?;
    let target = target_of(integration);
    if desk.store.pause(&target)?.is_none() {
        return refused(format!("{name} is not paused; nothing was recorded"));
    }
    let told = words.event("resume", desk.user);
    desk.store.set_fact(
        &target,
        Fact::Paused,
        None::<&Pause>,
        &notes(integration, vec![told.into()]),
    )?;
    desk.log()?;
    Ok(Said {
        text: format!(
            "{name} goes on: its next run is the next scheduled one, one for a new file or a decision, or one by hand\n"
        ),
        json: json!({ "decision": "resume", "integration": name, "exitCode": Exit::Done }),
        exit: Exit::Done,
    })
}
