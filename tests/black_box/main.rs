//! The program from outside: the real binary, real folders, real sockets.

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
