//! Named crash points: with the feature `test-hooks`, the program dies at one of them, as if the power had failed. Without it they are nothing.
//!
//! A process kills itself, as `JOBTICKET_SYNC_TEST_CRASH` says. A test that makes its runs in its own process cannot be killed; there the future that was given to
//! [`crashing_at`] unwinds with [`Crashed`], which leaves behind what a kill would: open transactions are rolled back, locks are free.

#[cfg(feature = "test-hooks")]
pub use hooks::{Crashed, crashing_at};

/// Passes the crash point `name`. `JOBTICKET_SYNC_TEST_CRASH=name` kills the process here; `name:2` at the second pass, `*:7` at the seventh point of any name.
#[cfg(feature = "test-hooks")]
pub(crate) fn point(name: &str) {
    hooks::pause(name);
    hooks::pass(name);
}

/// Stops here until the tests let it go on: with `JOBTICKET_SYNC_TEST_PAUSE=name:FILE` the file is made, and this waits until it is gone. Every crash point is such a place.
#[cfg(feature = "test-hooks")]
pub(crate) fn pause(name: &str) {
    hooks::pause(name);
}

/// Fails as a mistake in the program would, where the tests want to see what becomes of it: `JOBTICKET_SYNC_TEST_PANIC=name`.
#[cfg(feature = "test-hooks")]
pub(crate) fn mistake(name: &str) {
    let wanted = std::env::var("JOBTICKET_SYNC_TEST_PANIC");
    assert!(wanted.as_deref() != Ok(name), "the tests want this");
}

/// Stops nowhere in this build.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn pause(_: &str) {}

/// Makes no mistake in this build.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn mistake(_: &str) {}

/// Passes a crash point, of which there are none in this build.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn point(_: &str) {}

#[cfg(feature = "test-hooks")]
mod hooks {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    tokio::task_local! {
        /// Of the task alone, so that one test's crash is no other's.
        static OF_TASK: Wanted;
    }

    /// Of the process.
    static OF_PROCESS: LazyLock<Option<Wanted>> = LazyLock::new(|| {
        let text = std::env::var("JOBTICKET_SYNC_TEST_CRASH").ok()?;
        Some(Wanted::read(&text))
    });

    /// What unwinds in place of a kill.
    #[derive(Debug)]
    pub struct Crashed {
        /// The point.
        pub point: String,
    }

    /// Which pass of which point is the last.
    struct Wanted {
        point: String,
        nth: u32,
        passes: AtomicU32,
    }

    impl Wanted {
        fn read(text: &str) -> Self {
            let (point, nth) = text.split_once(':').map_or((text, 1), |(point, nth)| {
                let nth = nth.parse().expect("a crash is wanted at the n-th pass");
                (point, nth)
            });
            Self {
                point: point.to_owned(),
                nth,
                passes: AtomicU32::new(0),
            }
        }

        fn is_here(&self, name: &str) -> bool {
            (self.point == name || self.point == "*")
                && self.passes.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
        }
    }

    /// Runs a future that unwinds with [`Crashed`] at this point, which is written as in `JOBTICKET_SYNC_TEST_CRASH`. Tasks that it spawns pass all points unharmed.
    pub async fn crashing_at<F: Future>(point: &str, run: F) -> F::Output {
        OF_TASK.scope(Wanted::read(point), run).await
    }

    /// Where the process pauses, and the file that shows it.
    static PAUSE: LazyLock<Option<(String, String)>> = LazyLock::new(|| {
        let text = std::env::var("JOBTICKET_SYNC_TEST_PAUSE").ok()?;
        let (point, file) = text
            .split_once(':')
            .expect("a pause has a point and a file");
        Some((point.to_owned(), file.to_owned()))
    });

    pub(super) fn pause(name: &str) {
        if let Some((point, file)) = &*PAUSE
            && point == name
        {
            std::fs::write(file, "").expect("the file of a pause can be made");
            // Not for ever, for a test that has failed removes nothing.
            let end = Instant::now() + Duration::from_secs(60);
            while std::fs::exists(file).unwrap_or(false) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    pub(super) fn pass(name: &str) {
        if let Ok(here) = OF_TASK.try_with(|wanted| wanted.is_here(name)) {
            if here {
                let point = name.to_owned();
                // Not a panic: no hook prints it.
                std::panic::resume_unwind(Box::new(Crashed { point }));
            }
        } else if OF_PROCESS
            .as_ref()
            .is_some_and(|wanted| wanted.is_here(name))
        {
            nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL)
                .expect("a process may kill itself");
        }
    }

    #[cfg(test)]
    mod tests {
        use std::panic::{AssertUnwindSafe, catch_unwind};

        use super::*;

        fn crash(point: &str) -> Option<String> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let run = async {
                for name in ["begun", "pulled", "pulled", "ended"] {
                    pass(name);
                    tokio::task::yield_now().await;
                }
            };
            let run = || runtime.block_on(crashing_at(point, run));
            let crashed = catch_unwind(AssertUnwindSafe(run)).err()?;
            Some(crashed.downcast::<Crashed>().unwrap().point)
        }

        #[test]
        fn a_task_unwinds_at_the_pass_that_was_wanted_and_at_no_other() {
            assert_eq!(crash("pulled").as_deref(), Some("pulled"));
            assert_eq!(crash("pulled:2").as_deref(), Some("pulled"));
            assert_eq!(crash("*:4").as_deref(), Some("ended"));
            assert_eq!(crash("pulled:3"), None);
            assert_eq!(crash("*:5"), None);
            // Nothing of it is left behind.
            pass("pulled");
        }
    }
}
