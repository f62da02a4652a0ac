//! The program from outside: the real binary, real folders, real sockets.
#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(unreachable_pub, reason = "a test crate has no outside")]

mod first_steps;
mod support;
