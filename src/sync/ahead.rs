//! What a run would come to, for `check`: as far as the guard's verdict, without asking JobTicket and without a line in any log.

use std::time::Duration;

use super::people::{Doubt, Doubtful};
use super::{Context, Ending, Options, Run, RunReport, Secrets, Stop, off};
use crate::config::Integration;
use crate::guard::{self, Verdict};
use crate::plan::Known;

/// What a dry run would come to now, without asking JobTicket and without a line in any log.
pub async fn forecast(context: &Context<'_>, integration: &Integration) -> RunReport {
    let options = Options {
        dry_run: true,
        trigger: "check".to_owned(),
        wait: Duration::ZERO,
        accept_clock: false,
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
        let doubtful = Doubtful::load(store, &self.target, &doubt)?;
        let known = Known {
            snapshot: off(|| store.snapshot(&self.target))?,
            doubtful: matches!(doubt, Doubt::Unsettled).then(|| doubtful.keyed()),
        };
        let Some((plan, ..)) = self.planned(&known, &doubtful, report).await? else {
            return Ok(());
        };
        let harmless = self.integration.jobticket.is_loopback();
        report.ending = match guard::judge(plan, &self.integration.limits, harmless) {
            Verdict::EmptyRoster(_) => Ending::EmptyRoster,
            Verdict::Held(_, hold) => Ending::Held { hold },
            Verdict::Approved(approved) => Ending::WouldPush {
                employees: approved.entries().len(),
            },
        };
        Ok(())
    }
}
