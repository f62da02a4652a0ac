//! The commands that look and decide, and what a run by hand says: from the command line to the library, and back to a text, a JSON document and an exit code.
//!
//! `main` calls them where the state is its own to use; a running service calls them for whoever asks at its control socket.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};

use crate::audit::AuditFile;
use crate::cli::{Cli, Command, HoldsCommand, NotifyCommand, Output, RecipesCommand, WordsArgs};
use crate::clock::Clock;
use crate::config::{self, Channel, Config, Integration, Recipe};
use crate::decisions::{self, Answer, Approval, Desk, NotDecided, Said, Words};
use crate::exit::Exit;
use crate::explain::explain;
use crate::notice;
use crate::roster::HrId;
use crate::source::chain;
use crate::status::status;
use crate::store::{Store, StoreError};
use crate::sync::{Context, RunReport, Secrets, drift};

/// A command, and all that it is called with.
pub struct Called<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The integrations that are meant.
    pub chosen: Vec<&'c Integration>,
    /// The state.
    pub store: &'c Store,
    /// The audit log.
    pub audit: &'c AuditFile,
    /// The clock.
    pub clock: &'c Clock,
    /// The login user.
    pub user: &'c str,
    /// How the program is called, for commands to go on with.
    pub program: &'c str,
    /// Asks a question of whoever called.
    pub ask: &'c (dyn Fn(&str) -> Answer + Send + Sync),
    /// Is told what is going on.
    pub stage: &'c (dyn Fn(&str) + Send + Sync),
}

/// What a command says, or why it cannot: the exit code and a message.
pub type Done = Result<Said, (Exit, String)>;

fn wrong(error: &StoreError) -> (Exit, String) {
    (Exit::Unexpected, chain(error))
}

/// The integrations that a command line means, by their place in the configuration.
///
/// # Errors
/// It names one that is not there.
pub fn chosen<'c>(
    cli: &Cli,
    config: &'c Config,
) -> Result<Vec<(usize, &'c Integration)>, (Exit, String)> {
    let means = |integration: &Integration| {
        let name = cli.integration.as_ref();
        name.is_none_or(|name| *name == integration.name)
    };
    let all = config.integrations.iter().enumerate();
    let chosen: Vec<_> = all.filter(|(_, integration)| means(integration)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = config
            .integrations
            .iter()
            .map(|integration| integration.name.as_str())
            .collect();
        let message = format!(
            "There is no integration {}; there are: {}",
            cli.integration.as_deref().unwrap_or_default(),
            names.join(", ")
        );
        return Err((Exit::Configuration, message));
    }
    Ok(chosen)
}

/// Opens the store for a command. Where there is none yet it is an empty one in memory: then there is nothing to look at and nothing to decide, and nothing is made for that.
///
/// # Errors
/// There is one, and it cannot be used.
pub fn store_for(command: &Command, config: &Config, clock: &Clock) -> Result<Store, StoreError> {
    // What these record must last.
    let lasts = matches!(
        command,
        Command::Adopt { .. } | Command::Drift | Command::Pause { .. }
    );
    match Store::is_in(&config.state_dir) {
        Ok(false) if !lasts => Store::in_memory(clock.clone()),
        // What cannot be looked at is told by the attempt to open it.
        Ok(_) | Err(_) => Store::open(&config.state_dir, clock.clone()),
    }
}

/// Several results as one: a text each, and one document with all of them under a name.
fn together<T: Display + Serialize>(name: &str, all: &[T], exit_of: impl Fn(&T) -> Exit) -> Said {
    let exit = all.iter().map(exit_of).fold(Exit::Done, Exit::and);
    Said {
        text: text_of(all),
        json: json_of(name, all, exit),
        exit,
    }
}

fn text_of<T: Display>(all: &[T]) -> String {
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

fn json_of<T: Serialize>(name: &str, all: &[T], exit: Exit) -> Value {
    let mut json = json!({ "exitCode": exit });
    json[name] = json!(all);
    json
}

/// The recipes, or one of them. Needs no configuration.
///
/// # Errors
/// There is none of that name.
pub fn recipes(command: Option<&RecipesCommand>) -> Done {
    if let Some(RecipesCommand::Show { name }) = command {
        let Some(recipe) = Recipe::named(name) else {
            let names: Vec<&str> = config::recipes().map(|recipe| recipe.name).collect();
            let why = format!("There is no recipe {name}; there are {}", names.join(", "));
            return Err((Exit::Configuration, why));
        };
        return Ok(Said {
            json: json!({ "name": recipe.name, "recipe": recipe.text, "exitCode": Exit::Done }),
            text: recipe.text.to_owned(),
            exit: Exit::Done,
        });
    }
    let all: Vec<Recipe> = config::recipes().collect();
    let lines = all.iter().map(|recipe| {
        let (name, title, tested) = (recipe.name, recipe.title(), recipe.tested());
        format!("{name:<16}{title}\n{:16}Tested: {tested}\n", "")
    });
    let json = all.iter().map(
        |recipe| json!({ "name": recipe.name, "title": recipe.title(), "tested": recipe.tested() }),
    );
    Ok(Said {
        text: lines.collect(),
        json: json!({ "recipes": json.collect::<Vec<_>>(), "exitCode": Exit::Done }),
        exit: Exit::Done,
    })
}

/// What runs by hand say, in one form, to somebody who calls the program like this: a first run has a line for everybody, and the other form is many times as large.
pub fn runs(mut reports: Vec<RunReport>, program: &str, output: Output) -> Said {
    for report in &mut reports {
        program.clone_into(&mut report.program);
    }
    let exits = reports.iter().map(|report| report.exit_code);
    let exit = exits.fold(Exit::Done, Exit::and);
    let (text, json) = match output {
        Output::Text => (text_of(&reports), Value::Null),
        Output::Json => (String::new(), json_of("runs", &reports, exit)),
    };
    Said { text, json, exit }
}

impl Called<'_> {
    /// Carries out a command that looks or decides.
    ///
    /// # Errors
    /// What is wrong, and the exit code that says so.
    pub async fn command(&self, command: &Command) -> Done {
        match command {
            Command::Explain { hr_id } => self.explain(hr_id).await,
            Command::Drift => self.drift().await,
            Command::Status => self.status(),
            Command::Notify {
                command: NotifyCommand::Test { channel },
            } => self.test_notifications(channel.as_deref()).await,
            _ => self.decide(command).await.map_err(NotDecided::told),
        }
    }

    async fn decide(&self, command: &Command) -> Result<Said, NotDecided> {
        let desk = Desk {
            config: self.config,
            chosen: &self.chosen,
            store: self.store,
            audit: self.audit,
            clock: self.clock,
            user: self.user,
            ask: self.ask,
            program: self.program,
        };
        let off = |work: &dyn Fn() -> Result<Said, NotDecided>| tokio::task::block_in_place(work);
        match command {
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
            Command::Pause { name, until, words } => {
                off(&|| decisions::pause(&desk, name, until, words_of(words)))
            }
            Command::Resume { name, words } => {
                off(&|| decisions::resume(&desk, name, words_of(words)))
            }
            Command::Forget { hr_id, words, yes } => {
                let stage = self.stage;
                decisions::forget(&desk, stage, hr_id, *yes, words_of(words)).await
            }
            Command::Adopt { name, words, yes } => {
                decisions::adopt(&desk, name, *yes, words_of(words)).await
            }
            Command::Check { .. }
            | Command::Recipes { .. }
            | Command::Sandbox(_)
            | Command::Audit(_)
            | Command::Backup { .. }
            | Command::Restore { .. }
            | Command::Explain { .. }
            | Command::Notify { .. }
            | Command::Report(_)
            | Command::Status
            | Command::Drift => Err(NotDecided::Refused(
                "This command neither looks at holds nor decides".to_owned(),
            )),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            config: self.config,
            store: self.store,
            audit: self.audit,
            clock: self.clock,
            user: self.user,
            stage: self.stage,
        }
    }

    async fn explain(&self, hr_id: &str) -> Done {
        let context = self.context();
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
        Ok(together("explained", &all, |_| Exit::Done))
    }

    fn status(&self) -> Done {
        let look = || status(self.config, &self.chosen, self.store, self.clock);
        let status = tokio::task::block_in_place(look).map_err(|error| wrong(&error))?;
        Ok(Said {
            text: status.to_string(),
            json: json!(status),
            exit: status.exit_code,
        })
    }

    async fn test_notifications(&self, only: Option<&str>) -> Done {
        let all: Vec<&Channel> = self
            .config
            .notify
            .iter()
            .flat_map(|notify| &notify.channels)
            .collect();
        if all.is_empty() {
            let why = "There is no channel; describe one under notify in the configuration";
            return Err((Exit::Configuration, why.to_owned()));
        }
        let is_meant = |channel: &&&Channel| only.is_none_or(|name| channel.name == name);
        let meant: Vec<&Channel> = all.iter().filter(is_meant).copied().collect();
        if meant.is_empty() {
            let names: Vec<&str> = all.iter().map(|channel| channel.name.as_str()).collect();
            let why = format!(
                "There is no channel {}; there are: {}",
                only.unwrap_or_default(),
                names.join(", ")
            );
            return Err((Exit::Configuration, why));
        }
        (self.stage)("sending a test message");
        let sender = notice::Sender {
            config: self.config,
            store: self.store,
            clock: self.clock,
            program: self.program,
        };
        let tested = notice::test(&sender, &meant)
            .await
            .map_err(|error| wrong(&error))?;
        let exit = if tested.iter().all(|one| one.accepted) {
            Exit::Done
        } else {
            Exit::Unexpected
        };
        let lines = tested.iter().map(|one| {
            let how = if one.accepted {
                "accepted"
            } else {
                "NOT accepted"
            };
            format!("{}: {how}: {}\n", one.channel, one.answer)
        });
        Ok(Said {
            text: lines.collect(),
            json: json!({ "tested": tested, "exitCode": exit }),
            exit,
        })
    }

    async fn drift(&self) -> Done {
        let context = self.context();
        let secrets = Secrets::read_all(self.config, &self.chosen)
            .map_err(|error| (Exit::Configuration, chain(&error)))?;
        let mut reports = Vec::new();
        for (integration, secrets) in self.chosen.iter().zip(&secrets) {
            reports.push(drift(&context, integration, secrets).await);
        }
        Ok(together("drift", &reports, |report| report.exit_code))
    }
}

fn words_of(words: &WordsArgs) -> Words<'_> {
    Words {
        reason: &words.reason,
        on_behalf_of: words.on_behalf_of.as_deref(),
    }
}

/// A message as a JSON document, for programs that read the result.
pub fn error_json(exit: Exit, message: &str) -> Value {
    json!({ "error": message, "exitCode": exit })
}
