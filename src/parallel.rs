//! Work that is cut into jobs and done by the processors that there are, while its results are taken in the order of the jobs.
//!
//! Jobs take about as long as each other, so that few results wait for an earlier one, and a large roster is not in memory twice for it. Where the system gives no thread, the caller does the work.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// So many at most, however many processors there are: each has a job's worth of memory, and the rest of a run goes on alone. Ours.
const MOST: usize = 8;

/// Does all jobs; `take` gets the results in order, on the thread that asks. A panic of a job is one here.
///
/// # Errors
/// The first error of `take`; then no further result is taken.
pub(crate) fn in_order<J: Send, R: Send, E>(
    jobs: impl ExactSizeIterator<Item = J> + Send,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = processors.min(MOST).min(jobs.len());
    let queue = Mutex::new(jobs.enumerate());
    let (tell, told) = mpsc::sync_channel(workers);
    let (queue, work) = (&queue, &work);
    let serve = move |tell: SyncSender<_>| {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, job)) = next else { return };
            // Nobody listens any more after an error.
            if tell.send((number, work(job))).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let mut is_served = false;
        for _ in 0..workers {
            let tell = tell.clone();
            let worker = Builder::new().spawn_scoped(scope, move || serve(tell));
            is_served |= worker.is_ok();
        }
        drop(tell);
        if !is_served {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let results = std::iter::from_fn(next).map(|(_, job)| work(job));
            return results.into_iter().try_for_each(take);
        }
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for (number, result) in told {
            early.insert(number, result);
            while let Some(result) = early.remove(&next) {
                next += 1;
                take(result)?;
            }
        }
        Ok(())
    })
}

/// Memory that one job is done with, for another one: what one thread takes and another one gives back is not free again for long.
#[derive(Default)]
pub(crate) struct Spare<T>(Mutex<Vec<T>>);

impl<T: Default> Spare<T> {
    pub(crate) fn take(&self) -> T {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, one: T) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(one);
    }
}

/// Gives the memory of something large back while the caller goes on.
pub(crate) fn give_back(large: impl Send + 'static) {
    // Without a thread it is given back here.
    let _ = Builder::new().spawn(move || drop(large));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_jobs() {
        for count in [0, 1, 2, 500] {
            let mut results = Vec::new();
            let take = |result| {
                results.push(result);
                Ok::<_, ()>(())
            };
            in_order(0..count, |job| job * 2, take).unwrap();
            assert!(results.into_iter().eq((0..count).map(|job| job * 2)));
        }
    }

    #[test]
    fn nothing_is_taken_after_an_error() {
        let mut taken = 0;
        let error = in_order(
            0..500,
            |job| job,
            |result| {
                taken += 1;
                if result == 3 { Err(result) } else { Ok(()) }
            },
        );
        assert_eq!((error, taken), (Err(3), 4));
    }

    #[test]
    fn the_panic_of_a_job_is_not_lost() {
        let all = std::panic::catch_unwind(|| {
            in_order(
                0..10,
                |job| assert_ne!(job, 7, "a mistake"),
                |()| Ok::<_, ()>(()),
            )
        });
        assert!(all.is_err());
    }
}
