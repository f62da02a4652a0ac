//! The ticker: one job a minute that sends into a channel, and nothing else. What is due is decided elsewhere, for the scheduler's own jobs know
//! nothing of daylight saving once they are made, and never make up what they missed.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// At the full minute, UTC.
const EVERY_MINUTE: &str = "0 * * * * *";

/// A running ticker.
pub(super) struct Ticker {
    scheduler: JobScheduler,
    ticks: mpsc::Receiver<()>,
}

impl Ticker {
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        // A tick that nobody takes is as good as the next one.
        let (sender, ticks) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await?;
        let job = Job::new_async(cron(), move |_, _| {
            let sender = sender.clone();
            Box::pin(async move {
                let _ = sender.try_send(());
            })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, ticks })
    }

    /// Waits for the next tick. `None`: there will be none any more.
    pub(super) async fn tick(&mut self) -> Option<()> {
        self.ticks.recv().await
    }

    pub(super) async fn stop(mut self) {
        let _ = self.scheduler.shutdown().await;
    }
}

/// Tests set another rhythm, for they wait for no minute.
fn cron() -> String {
    #[cfg(feature = "test-hooks")]
    if let Ok(cron) = std::env::var("JOBTICKET_SYNC_TEST_TICKS") {
        return cron;
    }
    EVERY_MINUTE.to_owned()
}
