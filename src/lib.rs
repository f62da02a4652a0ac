//! Keeps JobTicket+ in step with the employee rosters of HR systems, and offboards nobody by mistake.
pub mod audit;
pub mod clock;
pub mod config;
pub mod guard;
pub mod jobticket;
pub mod plan;
pub mod roster;
pub mod store;
