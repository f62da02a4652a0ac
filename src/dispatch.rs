//! The commands that look and decide: from the command line to the library, and back to a text, a JSON document and an exit code.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use jobticket_sync::audit::AuditFile;
use jobticket_sync::cli::{Cli, Command, HoldsCommand, WordsArgs};
use jobticket_sync::clock::Clock;
use jobticket_sync::config::{Config, Integration};
use jobticket_sync::decisions::{self, Answer, Approval, Desk, NotDecided, Said, Words};
use jobticket_sync::exit::Exit;
use jobticket_sync::explain::explain;
use jobticket_sync::roster::HrId;
use jobticket_sync::source::chain;
use jobticket_sync::status::status;
use jobticket_sync::store::{Store, StoreError};
use jobticket_sync::sync::{Context, Secrets, drift};
use serde_json::{Value, json};

use crate::logging::Progress;

/// Where the configuration is unless it is said.
const CONFIG: &str = "/etc/jobticket-sync/config.yaml";

/// A command, and all that it was called with.
pub(crate) struct Called<'c> {
    pub(crate) cli: &'c Cli,
    pub(crate) config: &'c Config,
    pub(crate) chosen: Vec<&'c Integration>,
    pub(crate) clock: &'c Clock,
    pub(crate) user: &'c str,
    pub(crate) progress: &'c Progress,
}

/// What to print, and how to end.
type Done = Result<(String, Value, Exit), (Exit, String)>;

fn wrong(error: &StoreError) -> (Exit, String) {
    (Exit::Unexpected, chain(error))
}

impl Called<'_> {
    pub(crate) async fn command(&self, command: &Command) -> Done {
        // What these record must last.
        let lasts = matches!(command, Command::Adopt { .. } | Command::Drift);
        let store = tokio::task::block_in_place(|| self.store(lasts));
        let store = store.map_err(|error| wrong(&error))?;
        let audit = AuditFile::new(self.config.audit_file());
        match command {
            Command::Explain { hr_id } => self.explain(&store, &audit, hr_id).await,
            Command::Status => self.status(&store),
            Command::Drift => self.drift(&store, &audit).await,
            _ => self.decide(&store, &audit, command).await,
        }
    }

    /// The store, or an empty one in memory where there is none yet: then there is nothing to look at and nothing to decide, and nothing is made for that.
    fn store(&self, lasts: bool) -> Result<Store, StoreError> {
        match Store::is_in(&self.config.state_dir) {
            Ok(false) if !lasts => Store::in_memory(self.clock.clone()),
            // What cannot be looked at is told by the attempt to open it.
            Ok(_) | Err(_) => Store::open(&self.config.state_dir, self.clock.clone()),
        }
    }

    async fn decide(&self, store: &Store, audit: &AuditFile, command: &Command) -> Done {
        let program = decisions::program(&self.cli.config, Path::new(CONFIG));
        let desk = Desk {
            config: self.config,
            chosen: &self.chosen,
            store,
            audit,
            clock: self.clock,
            user: self.user,
            ask: &ask,
            program: &program,
        };
        let off = |work: &dyn Fn() -> Result<Said, NotDecided>| tokio::task::block_in_place(work);
        let said = match command {
            Command::Holds { all, command: None } => off(&|| decisions::list(&desk, *all)),
            Command::Holds {
                command: Some(HoldsCommand::Show { id, pairs: true }),
                ..
            } => off(&|| {
                let table = decisions::pairs(&desk, *id)?;
                Ok(Said {
                    json: json!({ "csv": table, "exitCode": Exit::Done }),
                    text: table,
                    exit: Exit::Done,
                })
            }),
            Command::Holds {
                command: Some(HoldsCommand::Show { id, pairs: false }),
                ..
            } => off(&|| decisions::show(&desk, *id)),
            Command::Holds {
                command: Some(HoldsCommand::Reopen { id, words }),
                ..
            } => off(&|| decisions::reopen(&desk, *id, words_of(words))),
            Command::Approve {
                id,
                except,
                words,
                yes,
                accept_key_change,
            } => {
                let approval = Approval {
                    except,
                    yes: *yes,
                    accept_key_change: *accept_key_change,
                };
                off(&|| decisions::approve(&desk, *id, approval, words_of(words)))
            }
            Command::Reject { id, words } => {
                off(&|| decisions::reject(&desk, *id, words_of(words)))
            }
            Command::Keep {
                hr_id,
                until,
                words,
            } => off(&|| decisions::keep(&desk, hr_id, until, words_of(words))),
            Command::Adopt { name, words, yes } => {
                decisions::adopt(&desk, name, *yes, words_of(words)).await
            }
            Command::Check { .. }
            | Command::Sandbox(_)
            | Command::Backup { .. }
            | Command::Restore { .. }
            | Command::Explain { .. }
            | Command::Status
            | Command::Drift => unreachable!("these are dispatched elsewhere"),
        };
        match said {
            Ok(Said { text, json, exit }) => Ok((text, json, exit)),
            Err(error) => Err(error.told()),
        }
    }

    fn context<'a>(
        &'a self,
        store: &'a Store,
        audit: &'a AuditFile,
        stage: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Context<'a> {
        Context {
            config: self.config,
            store,
            audit,
            clock: self.clock,
            user: self.user,
            stage,
        }
    }

    async fn explain(&self, store: &Store, audit: &AuditFile, hr_id: &str) -> Done {
        let stage = |what: &str| self.progress.stage(what);
        let context = self.context(store, audit, &stage);
        let hr_id = HrId::new(hr_id.trim());
        let mut all = Vec::new();
        for integration in &self.chosen {
            let explained = explain(&context, integration, &hr_id).await;
            all.push(explained.map_err(|error| wrong(&error))?);
        }
        // Where one of several knows the person, the others have nothing to add.
        if all.iter().any(|one| one.known) {
            all.retain(|one| one.known);
        }
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        let json = json!({ "explained": all, "exitCode": Exit::Done });
        Ok((texts.join("\n"), json, Exit::Done))
    }

    fn status(&self, store: &Store) -> Done {
        let look = || status(self.config, &self.chosen, store, self.clock);
        let status = tokio::task::block_in_place(look).map_err(|error| wrong(&error))?;
        Ok((status.to_string(), json!(status), status.exit_code))
    }

    async fn drift(&self, store: &Store, audit: &AuditFile) -> Done {
        let stage = |what: &str| self.progress.stage(what);
        let context = self.context(store, audit, &stage);
        let mut ready = Vec::new();
        let mut unreadable = Vec::new();
        for integration in &self.chosen {
            match Secrets::read(integration) {
                Ok(secrets) => ready.push((*integration, secrets)),
                Err(failed) => {
                    let mut all = self.config.integrations.iter();
                    let position = all.position(|one| one.name == integration.name);
                    let failed = failed.into_iter();
                    unreadable
                        .extend(failed.map(|(key, error)| (position.unwrap_or(0), key, error)));
                }
            }
        }
        if !unreadable.is_empty() {
            let error = self.config.wrong(unreadable);
            return Err((Exit::Configuration, chain(&error)));
        }
        let mut reports = Vec::new();
        for (integration, secrets) in &ready {
            reports.push(drift(&context, integration, secrets).await);
        }
        let exits = reports.iter().map(|report| report.exit_code);
        let exit = exits.fold(Exit::Done, Exit::and);
        let texts: Vec<String> = reports.iter().map(ToString::to_string).collect();
        let json = json!({ "drift": reports, "exitCode": exit });
        Ok((texts.join("\n"), json, exit))
    }
}

fn words_of(words: &WordsArgs) -> Words<'_> {
    Words {
        reason: &words.reason,
        on_behalf_of: words.on_behalf_of.as_deref(),
    }
}

/// Asks on the terminal. Only a plain yes is one.
fn ask(question: &str) -> Answer {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Answer::NobodyThere;
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question}");
    let _ = err.flush();
    let mut line = String::new();
    match stdin.lock().read_line(&mut line) {
        Ok(_) if matches!(line.trim(), "y" | "Y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}
