//! The bars, and whether they are kept.

use crate::measure::Spent;

/// An unchanged dry run may take so many times as long as the loop.
const MOST_UNCHANGED: f64 = 1.5;
/// A run that pushes 2 % changed people may take so many times as long as the loop that finds and writes them.
const MOST_CHANGED: f64 = 2.5;
/// From the smaller size to the larger, time may grow so many times as fast as that of the loop.
const MOST_GROWTH: f64 = 1.1;
const GROWTH: (usize, usize) = (100_000, 1_000_000);
/// The most memory of any run, MiB, by rows.
const MOST_MEMORY: [(usize, f64); 2] = [(100_000, 64.0), (1_000_000, 256.0)];
/// The size for which the ratios of time are meant.
const ROWS: usize = 100_000;
/// `--version` may take so many times as long as `true`.
const MOST_VERSION: f64 = 3.0;
/// Of the stripped binary.
const MOST_BYTES: u64 = 20_000_000;

/// What is judged of one size.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) rows: usize,
    pub(crate) loop_unchanged: Spent,
    pub(crate) loop_changed: Spent,
    pub(crate) unchanged: Spent,
    pub(crate) changed: Spent,
    pub(crate) first: Spent,
}

/// Prints each bar that the sizes allow to judge; whether all of them are kept.
pub(crate) fn judge(sizes: &[Measured], version: f64, stripped: Option<u64>) -> bool {
    let mut all = true;
    let mut bar = |what: &str, is: f64, most: f64| {
        let kept = is <= most;
        all &= kept;
        let word = if kept { "kept" } else { "MISSED" };
        println!("{word:<7} {what}: {is:.2}, at most {most}");
    };
    let of = |rows: usize| sizes.iter().find(|size| size.rows == rows);
    if let Some(size) = of(ROWS) {
        bar(
            "unchanged, --dry-run: times the loop",
            size.unchanged.seconds / size.loop_unchanged.seconds,
            MOST_UNCHANGED,
        );
        bar(
            "2 % changed, pushed: times the loop",
            size.changed.seconds / size.loop_changed.seconds,
            MOST_CHANGED,
        );
    }
    for (rows, most) in MOST_MEMORY {
        let Some(size) = of(rows) else { continue };
        for (what, spent) in [
            ("unchanged, --dry-run", size.unchanged),
            ("2 % changed, pushed", size.changed),
            ("first run, pushed", size.first),
        ] {
            bar(
                &format!("{rows} rows, {what}: MiB"),
                spent.mebibytes(),
                most,
            );
        }
    }
    if let (Some(small), Some(large)) = (of(GROWTH.0), of(GROWTH.1)) {
        let growth = |spent: fn(&Measured) -> Spent| spent(large).seconds / spent(small).seconds;
        bar(
            "unchanged, --dry-run: growth from 100,000 to a million rows, times the loop's",
            growth(|size| size.unchanged) / growth(|size| size.loop_unchanged),
            MOST_GROWTH,
        );
        bar(
            "2 % changed, pushed: growth from 100,000 to a million rows, times the loop's",
            growth(|size| size.changed) / growth(|size| size.loop_changed),
            MOST_GROWTH,
        );
    }
    bar("--version: times `true`", version, MOST_VERSION);
    match stripped {
        #[expect(clippy::cast_precision_loss, reason = "for people to read")]
        Some(bytes) => bar(
            "stripped binary: MB",
            bytes as f64 / 1e6,
            MOST_BYTES as f64 / 1e6,
        ),
        None => println!("        stripped binary: `strip` is not installed, so it is not judged"),
    }
    all
}
