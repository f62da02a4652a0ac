//! Forgetting somebody who left: their values go from the state and from the audit log.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::{Desk, NotDecided, Said, Words, refused};
use crate::audit::Span;
use crate::config::Integration;
use crate::exit::Exit;
use crate::roster::HrId;
use crate::store::RunLock;
use crate::sync::{self, Context, Went, target_of};

/// A run that is in progress may take so long to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What no program can reach from here.
const OUT_OF_REACH: &str = "Not reached, and to be removed by hand where that is wanted:
  - files in drop folders and archives (archive_keep_days removes the latter), and what HR still exports: the next file with this person brings the row back
  - backups written before now; a restore of one on this machine removes the values again, on another machine it knows nothing of this
  - folders replaced-<time> in the state folder, and what a restore that was killed has left there under restore-new (the next restore removes it), reports, tables and mails that were made, the journal of systemd
  - JobTicket itself; where the environment is the sandbox, its file in the folder sandbox of the state folder, which may be deleted as a whole
What stays on purpose: the hrId, when and why they left (a last day of employment, where that was the reason), and decisions with their reasons, in the audit log and in the state
";

/// Forgets somebody.
pub async fn forget(
    desk: &Desk<'_>,
    say: &(dyn Fn(&str) + Send + Sync),
    hr_id: &str,
    yes: bool,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let hr_id = HrId::new(hr_id.trim());
    let context = Context {
        config: desk.config,
        store: desk.store,
        audit: desk.audit,
        clock: desk.clock,
        user: desk.user,
        stage: say,
    };
    let integration = sync::off(|| knowing(desk, &context, &hr_id))?;
    let summary = format!(
        "The values of {hr_id} are removed from the state of {name} and from the audit log, for good; nobody but a backup has them then. The hrId stays\n",
        name = integration.name
    );
    desk.confirm(yes, &summary, "Forget them?")?;
    let (state, target) = (&desk.config.state_dir, target_of(integration));
    let waiting = || say("waiting for a run to end");
    let lock = RunLock::take(
        state,
        &target,
        &integration.name,
        PATIENCE,
        desk.clock,
        waiting,
    )
    .await;
    let lock = lock.map_err(NotDecided::Running)?;
    let decision = words.decision(desk.user);
    let went = sync::off(|| {
        sync::forget(
            &context,
            integration,
            std::slice::from_ref(&hr_id),
            &decision,
        )
    });
    drop(lock);
    let Went {
        people,
        gone,
        lines,
        stay,
    } = went.map_err(NotDecided::Unfinished)?;
    if let Some((_, why)) = stay.first().filter(|_| people.is_empty()) {
        return still_active(&hr_id, &why.to_string());
    }
    let mut text = format!("{hr_id} of {} is forgotten: ", integration.name);
    let _ = writeln!(
        text,
        "{} rows and {} entries removed from the state, values removed from {lines} lines of the audit log",
        gone.rows, gone.entries
    );
    text += OUT_OF_REACH;
    Ok(Said {
        text,
        json: json!({
            "decision": "forget", "integration": integration.name, "hrIds": [hr_id], "rows": gone.rows, "entries": gone.entries, "lines": lines, "exitCode": Exit::Done,
        }),
        exit: Exit::Done,
    })
}

fn still_active<T>(hr_id: &HrId, why: &str) -> Result<T, NotDecided> {
    refused(format!(
        "{hr_id} cannot be forgotten: {why}. Nothing was removed"
    ))
}

/// The one integration that knows somebody, in which they are not active.
fn knowing<'d>(
    desk: &Desk<'d>,
    context: &Context<'_>,
    hr_id: &HrId,
) -> Result<&'d Integration, NotDecided> {
    let mut knowing: Vec<&Integration> = Vec::new();
    for integration in desk.chosen.iter().copied() {
        if let Some(why) = sync::active(context, integration, hr_id)? {
            return still_active(hr_id, &format!("in {}, {why}", integration.name));
        }
        if knows(desk, integration, hr_id)? {
            knowing.push(integration);
        }
    }
    match knowing[..] {
        [integration] => Ok(integration),
        [] => refused(format!(
            "Nobody with the hrId {hr_id} is known here; hrIds count with their leading zeros. Nothing was removed"
        )),
        _ => {
            let names: Vec<&str> = knowing.iter().map(|one| one.name.as_str()).collect();
            refused(format!(
                "Several integrations know {hr_id}: {}. Say which with --integration; nothing was removed",
                names.join(", ")
            ))
        }
    }
}

/// Whether the state or the log has anything of somebody.
fn knows(desk: &Desk<'_>, integration: &Integration, hr_id: &HrId) -> Result<bool, NotDecided> {
    let (store, target) = (desk.store, target_of(integration));
    if !store.left(&target, hr_id)?.is_empty() || !store.holds_of(&target, hr_id)?.is_empty() {
        return Ok(true);
    }
    for source in &integration.sources {
        let rows = store.source_rows(&target, &source.name)?.rows;
        if rows.iter().any(|row| row.employee.hr_id == *hr_id) {
            return Ok(true);
        }
    }
    let failed = |cause| crate::store::StoreError::Audit {
        path: desk.audit.path().to_owned(),
        cause,
    };
    let named = serde_json::to_string(hr_id).expect("an hrId is text");
    let entries = desk.audit.read(Span::default()).map_err(failed)?;
    for entry in entries.containing([named]) {
        let entry = entry.map_err(failed)?;
        if entry.integration.as_deref() == Some(&integration.name)
            && crate::audit::names(&entry.line, hr_id.as_str())
        {
            return Ok(true);
        }
    }
    Ok(false)
}
