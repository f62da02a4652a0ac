//! What is known of the last push before a run does anything else.

use super::people::Doubt;
use super::{Run, RunReport, Stop, off};
use crate::audit::Event;
use crate::drift::{Kind, compare};
use crate::store::{PushState, Settled};

impl Run<'_> {
    /// Finds out about the last push if its answer was never seen. One that was refused in part leaves a doubt that only the next acknowledgement ends.
    pub(super) async fn settle(&mut self, report: &mut RunReport) -> Result<Doubt, Stop> {
        let store = self.context.store;
        let doubt = self.settle_unanswered(report).await?;
        let after = match &doubt {
            Doubt::Taken(sync_id) => Some(sync_id.as_str()),
            Doubt::None | Doubt::Unsettled => None,
        };
        if off(|| store.perhaps_in_part(&self.target, after))? {
            report.notes.push(
                "JobTicket refused some records of an earlier push and may have taken the others; this run counts with both rosters".to_owned(),
            );
            return Ok(Doubt::Unsettled);
        }
        Ok(doubt)
    }

    /// Whether JobTicket shows everyone of a push as it was sent. That it names the push alone proves nothing: its answer, which was never seen, may have been a
    /// refusal of some records, and nobody knows what becomes of the others then.
    async fn is_there_as_a_whole(
        &mut self,
        sync_id: &str,
        report: &mut RunReport,
    ) -> Result<bool, Stop> {
        let there = self.client().await?.client().there().await?;
        let store = self.context.store;
        let sent = off(|| store.doubtful_roster(&self.target, Some(sync_id)))?;
        let sent = sent.iter().map(|(_, employee)| employee);
        let differences = compare(sent, sync_id, &there, &[]);
        let other = differences
            .iter()
            .filter(|difference| difference.kind != Kind::NotInSnapshot)
            .count();
        self.there = Some(there);
        if other > 0 {
            report.notes.push(format!(
                "JobTicket names the last push ({sync_id}), and shows {other} people otherwise than it said"
            ));
        }
        Ok(other == 0)
    }

    async fn settle_unanswered(&mut self, report: &mut RunReport) -> Result<Doubt, Stop> {
        let store = self.context.store;
        let Some(unsettled) = off(|| store.unsettled(&self.target))? else {
            return Ok(Doubt::None);
        };
        (self.context.stage)("looking for the last push");
        tracing::warn!(
            integration.name = self.integration.name,
            push.sync_id = unsettled.sync_id,
            "The answer to the last push was never seen; reading back"
        );
        let receipt = self
            .client()
            .await?
            .client()
            .find_receipt(&unsettled.sync_id)
            .await?;
        let receipt = match receipt {
            Some(receipt) if self.is_there_as_a_whole(receipt.sync_id(), report).await? => {
                Some(receipt)
            }
            _ => None,
        };
        match receipt {
            Some(receipt) if self.options.dry_run => {
                report.notes.push(format!(
                    "JobTicket has taken the last push ({}); a real run would record that first",
                    receipt.sync_id()
                ));
                Ok(Doubt::Taken(unsettled.sync_id))
            }
            Some(receipt) => {
                let employees = self.acknowledge(&receipt, None, "read back")?;
                crate::crash::point("settled");
                report.notes.push(format!(
                    "JobTicket has taken the last push ({}, {employees} employees), whose answer was never seen",
                    receipt.sync_id()
                ));
                Ok(Doubt::None)
            }
            None => {
                report.notes.push(format!(
                    "Nothing at JobTicket shows whether it took the last push ({}); this run counts with both rosters",
                    unsettled.sync_id
                ));
                let notes = vec![
                    Event::PushUnsettled {
                        sync_id: unsettled.sync_id.clone(),
                    }
                    .into(),
                ];
                if unsettled.state == PushState::Prepared && !self.options.dry_run {
                    let notes = self.notes(notes);
                    off(|| store.settle(&unsettled.sync_id, &Settled::InDoubt, &notes))?;
                } else {
                    self.record(notes)?;
                }
                Ok(Doubt::Unsettled)
            }
        }
    }
}
