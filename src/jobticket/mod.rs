//! The client of the JobTicket B2B API.
//!
//! One call writes: `push`, which replaces the full roster and takes [`guard::Approved`](crate::guard::Approved) as its proof. Its only success is the
//! status 204, for which it returns a [`Receipt`]; everything else either surely did nothing or leaves the push *in doubt*. No redirect is followed, no request is
//! repeated behind our back, and every request passes the [`RequestGate`] first. An HTTP status becomes a named variant here; nothing above sees a number.

mod body;
mod client;
mod error;
mod gate;
mod linked;
mod push;
mod read_back;
mod retry;
pub mod wire;

pub use crate::retry::{LONGEST_BLOCK, parse_retry_after};
pub use client::{Attempt, Client, Connection, Witness};
pub use error::{CallError, Outcome, PushError};
pub use gate::{GateClosed, RequestGate};
pub use linked::{Linked, There};
pub use push::{Push, Receipt, named_records};
