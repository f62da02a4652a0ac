//! The program from outside: the real binary, real folders, real sockets.

mod archive;
mod bad_deliveries;
mod bad_files;
mod configuration;
mod configuration_example;
mod first_steps;
mod good_files;
mod good_tables;
mod guard_runs;
mod rows;
mod rows_dates;
mod scene;
mod support;
