//! The program from outside: the real binary, real folders, real sockets.

#![expect(clippy::unwrap_used, reason = "all of this is tests")]
#![expect(
    clippy::assigning_clones,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "tests are to be read; a copy costs them nothing"
)]

mod archive;
mod bad_deliveries;
mod bad_files;
mod configuration;
mod configuration_example;
mod first_steps;
mod good_files;
mod good_tables;
mod guard_runs;
mod output;
mod output_audit;
mod rows;
mod rows_dates;
mod scene;
mod support;
