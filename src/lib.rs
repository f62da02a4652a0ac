//! Keeps JobTicket+ in step with the employee rosters of HR systems, and offboards nobody by mistake.
//!
//! Every push replaces the full roster at JobTicket, and whoever is missing from it loses their ticket. All of this crate is built around that: a row
//! that makes no sense is not a person who left, nothing partial is ever pushed, past the limits a person decides, and the snapshot moves
//! only when JobTicket has acknowledged it.
//!
//! The way of the employees, one direction only, driven by `sync`:
//!
//! ```text
//! source ──> records ──> roster ──> plan ──> guard ──> push ──> snapshot
//! ```
//!
//! | module | owns | may use |
//! | --- | --- | --- |
//! | `main`, `logging` | arguments, the log, signals, dispatch, exit code | everything |
//! | `cli`, `exit` | the command line; what each exit code means and which wins | – |
//! | `zone` | time zones, whose rules come with the program | – |
//! | `clock`, `crash`, `digest`, `parallel`, `retry`, `user` | the clock as a parameter; crash points of the tests; SHA-256 as text; work for several processors; waits between attempts; who runs the program | `zone` |
//! | `schedule` | when runs are due: cron lines, daylight saving, holidays, what was missed, what is owed; the age of a file in days with a run | `zone` |
//! | `config` | the YAML tree, strict loading, validation with line and path, secrets, recipes, changes | `roster`, `schedule`, `zone` |
//! | `roster` | `Employee`, `HrId`; mapping of records, dates, selection, validation | `parallel` |
//! | `source` | one module an adapter, one shared table reader, one shared file intake, what packs and encrypts files | `roster`, `config`, `schedule`, `clock`, `digest`, `crash`, `parallel`, `retry`, `zone` |
//! | `plan` | the diff: joiners, leavers with reasons, changed, key drift; the hash of what waits | `roster`, `digest` |
//! | `guard` | limits, windows, who goes and who waits, `Approved` | `plan`, `config`, `roster` |
//! | `jobticket` | the API client: wire types, retry, read-back, `Receipt`; the trait `RequestGate` | `roster`, `guard`, `config`, `clock`, `digest`, `parallel`, `retry` |
//! | `drift` | where JobTicket differs from the snapshot | `jobticket`, `plan`, `roster` |
//! | `audit` | the audit log: events, masking, hash chain, the files; reading it back and checking it | `plan`, `guard`, `config`, `roster`, `drift`, `digest`, `crash` |
//! | `store` | SQLite: schema, snapshot, pushes, holds and decisions, runs, sources, audit outbox, run lock, forgetting people, copying and replacing it; the request ledger | `roster`, `plan`, `guard`, `jobticket`, `audit`, `clock`, `crash`, `digest`, `exit`, `parallel`, `zone` |
//! | `sandbox` | the JobTicket API imitated on loopback | `jobticket`, `clock`, `parallel`, `roster` |
//! | `sync` | one run, top to bottom | `audit`, `clock`, `config`, `crash`, `digest`, `drift`, `exit`, `guard`, `jobticket`, `parallel`, `plan`, `roster`, `sandbox`, `source`, `store` |
//! | `decisions` | what people decide: the commands `holds`, `approve`, `reject`, `keep`, `adopt`, `forget` | `audit`, `clock`, `config`, `exit`, `guard`, `jobticket`, `plan`, `roster`, `source`, `store`, `sync` |
//! | `explain` | the command `explain` | `audit`, `config`, `plan`, `roster`, `source`, `store`, `sync` |
//! | `status` | how each integration stands, for the command `status` and the metrics | `clock`, `config`, `exit`, `schedule`, `source`, `store`, `sync`, `zone` |
//! | `metrics` | what the service counts and shows for Prometheus | `status`, `sync` |
//! | `notice` | notifications: what is news, the messages in two languages, mail and webhooks | `clock`, `config`, `crash`, `decisions`, `guard`, `plan`, `retry`, `status`, `store`, `sync`, `zone` |
//! | `backup` | the commands `backup` and `restore` | `audit`, `clock`, `config`, `crash`, `digest`, `exit`, `store`, `sync`, `user` |
//! | `review` | the command `audit`: reading and checking the audit log | `audit`, `cli`, `clock`, `config`, `exit`, `store`, `zone` |
//! | `report` | the command `report`: a span of time as a page or a table | `audit`, `backup`, `cli`, `clock`, `config`, `exit`, `notice`, `plan`, `review`, `roster`, `status`, `store`, `zone` |
//! | `commands` | the commands that look and decide, as text, document and exit code | `audit`, `cli`, `clock`, `config`, `decisions`, `exit`, `explain`, `notice`, `roster`, `source`, `status`, `store`, `sync` |
//! | `control` | how a command reaches the running service | `cli`, `config`, `decisions`, `digest`, `exit` |
//! | `daemon` | schedule, watched folders, decisions, control socket, reload, drain; what the service manager and the endpoint for health and metrics are told | `audit`, `cli`, `clock`, `commands`, `config`, `control`, `crash`, `decisions`, `exit`, `metrics`, `notice`, `schedule`, `source`, `status`, `store`, `sync`, `user`, `zone` |
//! | `check` | the command `check` | `audit`, `clock`, `config`, `exit`, `jobticket`, `plan`, `roster`, `source`, `store`, `sync` |
//!
//! No arrow points back: sources know nothing of the API, the client knows nothing of SQLite. `tests/module_map.rs` keeps this table true.
//!
//! Where this differs from a plain reading of the flow: `config` is known to `guard`, `jobticket` and `audit`, for limits, time limits and masking are
//! configuration; `audit` names fields of `roster`; and the cross-cutting `clock` and `digest` stand apart because every layer needs them.

pub mod audit;
pub mod backup;
pub mod check;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
#[cfg(not(feature = "test-hooks"))]
mod crash;
#[cfg(feature = "test-hooks")]
pub mod crash;
pub mod daemon;
pub mod decisions;
mod digest;
pub mod drift;
pub mod exit;
pub mod explain;
pub mod guard;
pub mod jobticket;
pub mod metrics;
pub mod notice;
mod parallel;
pub mod plan;
pub mod report;
mod retry;
pub mod review;
pub mod roster;
pub mod sandbox;
pub mod schedule;
pub mod source;
pub mod status;
pub mod store;
pub mod sync;
pub mod user;
pub mod zone;
