//! Named crash points: with the feature `test-hooks`, the program kills itself at one of them, as if the power had failed. Without it they are nothing.

/// Passes the crash point `name`. `JOBTICKET_SYNC_TEST_CRASH=name` kills the process here; `name:2` at the second pass.
#[cfg(feature = "test-hooks")]
pub(crate) fn point(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static PASSES: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("JOBTICKET_SYNC_TEST_CRASH") else {
        return;
    };
    let (wanted, nth) = wanted
        .split_once(':')
        .map_or((wanted.as_str(), 1), |(wanted, nth)| {
            (wanted, nth.parse().unwrap_or(1))
        });
    if wanted == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == nth {
        nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL)
            .expect("a process may kill itself");
    }
}

/// Fails as a mistake in the program would, where the tests want to see what becomes of it: `JOBTICKET_SYNC_TEST_PANIC=name`.
#[cfg(feature = "test-hooks")]
pub(crate) fn mistake(name: &str) {
    let wanted = std::env::var("JOBTICKET_SYNC_TEST_PANIC");
    assert!(wanted.as_deref() != Ok(name), "the tests want this");
}

/// Makes no mistake in this build.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn mistake(_: &str) {}

/// Passes a crash point, of which there are none in this build.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn point(_: &str) {}
