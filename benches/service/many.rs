//! What many integrations in one service need, beside a service with one: for a bureau that chooses between an instance for each company and one for all.
//!
//! Each integration has its own watched folder with fifty people. The figures are shown, not judged. Preparing takes about two seconds for each integration, for the first pushes
//! keep the API's rate limit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Result, SETTLE, Service, by_hand, configuration, mebibytes};
use crate::roster::write_roster;

/// So long the time of the processor is counted.
const COUNT: Duration = Duration::from_secs(60);

/// Measures one integration and many, and prints them side by side.
pub(crate) fn compare(integrations: usize) -> Result<()> {
    println!(
        "{:>12} {:>11} {:>14} {:>13} {:>11}",
        "integrations", "ready, s", "anonymous, MiB", "CPU, s an hour", "run-now, s"
    );
    for count in [1, integrations] {
        let folder = tempfile::tempdir()?;
        let config = prepare(folder.path(), count)?;
        by_hand(&config)?;
        let service = Service::start(folder.path(), &config)?;
        std::thread::sleep(SETTLE);
        let (memory, ticks) = (service.memory()?, service.ticks()?);
        std::thread::sleep(COUNT);
        // A tick is a hundredth of a second; the count is for a minute.
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let seconds = (service.ticks()? - ticks) as f64 * 60.0 / 100.0;
        let began = Instant::now();
        by_hand(&config)?;
        println!(
            "{count:>12} {:>11.3} {:>14.1} {seconds:>13.1} {:>11.2}",
            service.ready.as_secs_f64(),
            mebibytes(memory),
            began.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// A configuration with so many integrations.
fn prepare(folder: &Path, count: usize) -> Result<PathBuf> {
    let one = configuration();
    let (head, integration) = one
        .split_once("integrations:\n")
        .ok_or("no integrations in the configuration")?;
    let mut text = format!("{head}integrations:\n");
    for number in 1..=count {
        let drop = format!("drop/c{number}");
        std::fs::create_dir_all(folder.join(&drop))?;
        let roster = folder.join(&drop).join("roster_20260105.csv");
        write_roster(&roster, 50, false)?;
        let integration = integration
            .replace("name: acme", &format!("name: c{number}"))
            .replace("folder: drop", &format!("folder: {drop}"))
            .replace("integration_id: 7", &format!("integration_id: {number}"));
        write!(text, "{integration}")?;
    }
    let config = folder.join("config.yaml");
    std::fs::write(&config, text)?;
    Ok(config)
}
