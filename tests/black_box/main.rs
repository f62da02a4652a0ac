//! The program from outside: the real binary, real folders, real sockets.
#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(unreachable_pub, reason = "a test crate has no outside")]

mod api_connections;
mod api_doubt;
mod api_limit;
mod api_secrets;
mod api_statuses;
mod api_support;
mod crash;
mod first_steps;
mod locks;
mod support;
