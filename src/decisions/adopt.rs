//! Making this installation the one that writes, after another one has pushed, or after its state was restored from a backup.
//!
//! It reads back whom JobTicket has, so that whoever answers knows what they take over, and records the syncId that JobTicket shows as one of ours. It pushes
//! nothing: the next run plans against everyone who is linked there.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::json;

use super::{Desk, NotDecided, Said, Words, notes, refused};
use crate::audit::Event;
use crate::config::Integration;
use crate::exit::Exit;
use crate::jobticket::There;
use crate::roster::HrId;
use crate::sync::{Secrets, connect, target_of};

/// Steps off the async threads for something that blocks.
fn off<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Makes this installation the one that writes.
pub async fn adopt(
    desk: &Desk<'_>,
    name: &str,
    yes: bool,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    words.check()?;
    let integration = desk.named(name)?;
    let secrets = match Secrets::read_all(desk.config, &[integration]) {
        Ok(secrets) => secrets,
        Err(wrong) => return refused(wrong.to_string()),
    };
    let there = there(desk, integration, &secrets[0]).await?;
    off(|| decide(desk, integration, &there, yes, words))
}

async fn there(
    desk: &Desk<'_>,
    integration: &Integration,
    secrets: &Secrets,
) -> Result<There, NotDecided> {
    let sandbox = desk.config.state_dir.join("sandbox");
    let link = connect(
        desk.config,
        integration,
        secrets,
        desk.clock,
        Some(&sandbox),
    )
    .await?;
    let there = link.client().there().await;
    link.close().await;
    Ok(there?)
}

fn decide(
    desk: &Desk<'_>,
    integration: &Integration,
    there: &There,
    yes: bool,
    words: Words<'_>,
) -> Result<Said, NotDecided> {
    let (store, name) = (desk.store, &integration.name);
    let target = target_of(integration);
    let restored = store.restored(&target)?.is_some();
    let last = there.last_sync_id.as_deref();
    let foreign = match last {
        Some(sync_id) if !store.is_ours(&target, sync_id)? => Some(sync_id),
        _ => None,
    };
    if foreign.is_none() && !restored {
        let what = match last {
            Some(sync_id) => format!("JobTicket's last sync ({sync_id}) is of this installation"),
            None => "JobTicket shows no sync of another installation".to_owned(),
        };
        return Ok(Said {
            text: format!("{name}: {what}; there is nothing to adopt\n"),
            json: json!({ "integration": name, "adopted": [], "exitCode": Exit::Done }),
            exit: Exit::Done,
        });
    }
    let snapshot = store.snapshot(&target)?;
    let ours = snapshot.iter().flatten();
    let both: HashSet<&HrId> = ours
        .map(|(hr_id, _)| hr_id)
        .filter(|hr_id| there.linked.contains_key(*hr_id))
        .collect();
    let others = there.with_ticket().filter(|hr_id| !both.contains(hr_id));
    let mut summary = format!("{name}: {}\n", integration.jobticket.environment_name());
    let _ = match foreign {
        Some(sync_id) => writeln!(
            summary,
            "  JobTicket's last sync ({sync_id}) is none of this installation"
        ),
        None => writeln!(
            summary,
            "  this state was restored from a backup, and JobTicket's last sync is one that it knows"
        ),
    };
    let _ = writeln!(
        summary,
        "  linked there: {}; of them in our snapshot: {} of {}; of the others, {} have a ticket as far as JobTicket shows",
        there.linked.len(),
        both.len(),
        snapshot.as_ref().map_or(0, Vec::len),
        others.count()
    );
    summary += "  From now on this installation is the one that writes; no other may push any more. The next run plans against everyone who is linked there\n";
    desk.confirm(yes, &summary, "Adopt it?")?;
    let sync_ids: Vec<String> = foreign.map(str::to_owned).into_iter().collect();
    let told = |void: &[u64]| {
        let mut adopted = words.event("adopt", desk.user);
        adopted.sync_ids.clone_from(&sync_ids);
        let mut events: Vec<Event> = vec![adopted.into()];
        events.extend(void.iter().map(|hold| Event::ApprovalVoid {
            hold: *hold,
            hr_ids: Vec::new(),
        }));
        notes(integration, events)
    };
    store.adopt(&target, name, &sync_ids, &words.decision(desk.user), told)?;
    desk.log()?;
    let mut text = if yes { summary } else { String::new() };
    text += "Adopted; approvals given before hold no longer. The next run acts on it\n";
    Ok(Said {
        text,
        json: json!({
            "decision": "adopt", "integration": name, "adopted": sync_ids, "linked": there.linked.len(),
            "linkedInSnapshot": both, "exitCode": Exit::Done,
        }),
        exit: Exit::Done,
    })
}
