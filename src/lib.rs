//! Keeps JobTicket+ in step with the employee rosters of HR systems, and offboards nobody by mistake.
pub mod audit;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
mod crash;
pub mod exit;
pub mod guard;
pub mod jobticket;
pub mod plan;
pub mod roster;
pub mod sandbox;
pub mod source;
pub mod store;
pub mod sync;
pub mod user;
