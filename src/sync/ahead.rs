//! What a run would come to, for `check`: as far as the guard's verdict, without asking JobTicket and without a line in any log.

use std::sync::Arc;
use std::time::Duration;

use super::people::{Doubt, Doubtful};
use super::{Context, Ending, Options, Run, RunReport, Secrets, Stop, off};
use crate::config::Integration;

/// What a dry run would come to now, without asking JobTicket and without a line in any log.
pub async fn forecast(context: &Context<'_>, integration: &Integration) -> RunReport {
    let options = Options {
        dry_run: true,
        trigger: "check".to_owned(),
        wait: Duration::ZERO,
        accept_clock: false,
        by_hand: true,
        resync: false,
        stopping: Arc::default(),
    };
    let mut report = RunReport::new(integration, "", true);
    let secrets = Secrets::none();
    let mut run = Run::new(context, integration, &secrets, &options, "");
    run.silent = true;
    run.ahead(&mut report).await;
    report.exit_code = report.exit();
    report
}

impl Run<'_> {
    /// Everything up to the guard's verdict, for which the last push counts as settled.
    async fn ahead(&mut self, report: &mut RunReport) {
        if let Err(stop) = self.look_ahead(report).await {
            report.ending = stop.into();
        }
    }

    async fn look_ahead(&mut self, report: &mut RunReport) -> Result<(), Stop> {
        let store = self.context.store;
        self.check_clock()?;
        self.read_numbers()?;
        let unanswered = off(|| store.unsettled(&self.target))?.is_some();
        if unanswered {
            report.notes.push(
                "The answer to the last push was never seen; the next run looks for it first"
                    .to_owned(),
            );
        }
        let doubt = if unanswered || off(|| store.perhaps_in_part(&self.target, None))? {
            Doubt::Unsettled
        } else {
            Doubt::None
        };
        self.load_decisions()?;
        let doubtful = Doubtful::load(store, &self.target, &doubt)?;
        let gathered = self.gathered(&doubt, &doubtful, report).await?;
        let Some((known, mut stage)) = gathered else {
            return Ok(());
        };
        let plan = self.plan(&mut stage, &known, &doubtful, None)?;
        if plan.entries.is_empty() {
            report.ending = Ending::EmptyRoster;
            return Ok(());
        }
        let judged = self.judge(&plan, &stage, &known, None)?;
        let resync = self.resync_due()?;
        self.decide(plan, &judged, &mut stage, &known, &doubtful, resync, report)
            .await
    }
}
