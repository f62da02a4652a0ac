//! Random histories: people come, go, change and are renumbered; sources deliver, fail and lie; JobTicket fails, lies and forgets; runs crash, and clocks are wrong.
//! After every step it holds: nobody has lost a ticket whom no rule removed; every push, the store and the audit log are whole; and in the end everything is well.
//!
//! `HISTORIES` says how many, `HISTORIES_SEED` which; a failure names the seed and the number of its history, and `HISTORIES_ONLY` plays that one alone. `HISTORIES_FROM` begins with a later one.
//!
//! | file | owns |
//! | --- | --- |
//! | `stories` | what may happen, and how often |
//! | `people`, `deliveries` | HR's truth; what the sources deliver of it |
//! | `worlds` | plays a history, on one of the `back_ends` |
//! | `decisions` | decisions on what is held |
//! | `jobticket`, `law`, `whole` | what is checked: the pushes, who left by them, and the state |
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod back_ends;
mod decisions;
mod deliveries;
mod jobticket;
mod law;
mod people;
mod stories;
mod whole;
mod worlds;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use back_ends::{BackEnd, Binary, InProcess};
use stories::{Story, story};
use worlds::{Tally, Tools, play};

/// Histories of a plain `cargo test`.
const FEW: usize = 60;
/// For each history with the real binary there are so many in process.
const IN_PROCESS_FOR_ONE: usize = 20;
const SEED: u64 = 20_261_102;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

/// What makes runs, on the thread of these tools.
type Make = for<'t> fn(&'t Tools) -> Box<dyn BackEnd + 't>;

fn in_process(tools: &Tools) -> Box<dyn BackEnd + '_> {
    Box::new(InProcess::new(&tools.runtime))
}

fn binary(tools: &Tools) -> Box<dyn BackEnd + '_> {
    let runtime = &tools.runtime;
    Box::new(Binary { runtime })
}

/// Plays the history of this number; the same seed and number is the same history.
fn play_one(
    seed: u64,
    history: u64,
    tools: &Tools,
    make: Make,
    shrink: u32,
) -> Result<Tally, String> {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: shrink,
        max_shrink_time: 180_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&history.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let back_end = make(tools);
    let tally = RefCell::default();
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&story(), |story: Story| {
        *tally.borrow_mut() = play(&story, tools, &*back_end).map_err(TestCaseError::fail)?;
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(tally.take()),
        Err(TestError::Fail(reason, story)) => {
            // Its steps stand in what happened.
            let (sources, people, behaviour) = (story.sources, story.people, &story.behaviour);
            Err(format!(
                "{reason}\nwith {people} people of {sources} sources, files are archived: {}, {behaviour:?}",
                story.archive
            ))
        }
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// One test at a time: a process that one of them starts has, until it has become another program, a copy of every lock that a run of the other holds.
static ALONE: Mutex<()> = Mutex::new(());

/// Plays so many histories on all processors; stops at the first that fails.
fn play_all(count: usize, make: Make, shrink: u32) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = number("HISTORIES_SEED").unwrap_or(SEED);
    let only = number("HISTORIES_ONLY");
    let numbers: Vec<u64> = match only {
        Some(only) => vec![only],
        None => (number("HISTORIES_FROM").unwrap_or(0)..)
            .take(count)
            .collect(),
    };
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Tally::new());
    let failed = Mutex::new(None);
    let work = || {
        let tools = Tools::new();
        while let Some(history) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.lock().unwrap().is_some() {
                return;
            }
            match play_one(seed, *history, &tools, make, shrink) {
                Ok(tally) => {
                    let mut all = all.lock().unwrap();
                    for (what, times) in tally {
                        *all.entry(what).or_default() += times;
                    }
                }
                Err(error) => {
                    *failed.lock().unwrap() = Some(format!(
                        "history {history} of seed {seed} (HISTORIES_SEED={seed} HISTORIES_ONLY={history}): {error}"
                    ));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(numbers.len()) {
            scope.spawn(work);
        }
    });
    eprintln!(
        "{} histories in {:.1} s: {:?}",
        numbers.len(),
        began.elapsed().as_secs_f64(),
        all.lock().unwrap()
    );
    if let Some(failure) = failed.into_inner().unwrap() {
        panic!("{failure}");
    }
}

fn count() -> usize {
    number("HISTORIES").map_or(FEW, |count| usize::try_from(count).unwrap())
}

#[test]
fn in_no_history_does_anybody_lose_the_ticket_whom_no_rule_removed() {
    play_all(count(), in_process, 1_500);
}

#[test]
fn in_no_history_of_the_real_program_does_anybody_lose_the_ticket_whom_no_rule_removed() {
    play_all(count().div_ceil(IN_PROCESS_FOR_ONE), binary, 60);
}
