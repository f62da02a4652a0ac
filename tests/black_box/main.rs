//! The program from outside: the real binary, real folders, real sockets.

mod first_steps;
mod support;
