//! The program from outside: the real binary, real folders, real sockets.

mod bad_deliveries;
mod bad_files;
mod first_steps;
mod scene;
mod support;
