//! What people decide: which holds there are, and approve, reject, reopen, keep and adopt.
//!
//! A decision only records, in one transaction with the line of the audit log that tells of it; the next run acts on it. So it takes no run lock, and the worst that
//! a race with a run does is that a decision comes too late and says so. The hazard is a yes to more than was shown: an approval names people, covers the reasons that were
//! shown, asks on a terminal, and is refused without one unless the caller says that nobody need be asked. Who decided is the login user, whoever the program runs as.

mod adopt;
mod decide;
mod forget;
mod keep;
mod pause;
mod show;
mod text;

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use adopt::adopt;
pub use decide::{Approval, approve, reject, reopen};
pub use forget::forget;
pub use keep::keep;
pub use pause::{pause, resume};
pub(crate) use show::next_commands;
pub use show::{list, pairs, show};
pub(crate) use text::Tally;

use crate::audit::{AuditFile, Event};
use crate::clock::Clock;
use crate::config::{Config, Integration};
use crate::exit::Exit;
use crate::jobticket::CallError;
use crate::source::chain;
use crate::store::{Decision, HoldRecord, HoldState, LockTaken, Notes, Store, StoreError};
use crate::sync::{ConnectError, Ending, target_of};

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// There is no terminal on which somebody could answer.
    NobodyThere,
}

/// What a decision needs.
pub struct Desk<'d> {
    /// The configuration.
    pub config: &'d Config,
    /// The integrations that are meant.
    pub chosen: &'d [&'d Integration],
    /// The state.
    pub store: &'d Store,
    /// The audit log.
    pub audit: &'d AuditFile,
    /// The clock.
    pub clock: &'d Clock,
    /// The login user.
    pub user: &'d str,
    /// Asks a question on the terminal.
    pub ask: &'d (dyn Fn(&str) -> Answer + Send + Sync),
    /// How the program is called, for commands to go on with.
    pub program: &'d str,
}

/// Why somebody decides, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Words<'w> {
    /// Why.
    pub reason: &'w str,
    /// For whom.
    pub on_behalf_of: Option<&'w str>,
}

/// What a command says.
#[derive(Debug)]
pub struct Said {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// How it ends.
    pub exit: Exit,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// It cannot be decided so.
    #[error("{0}")]
    Refused(String),
    /// Somebody was asked and said no.
    #[error("Nothing was recorded")]
    Declined,
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is decided, and only its line in the log is not written yet.
    #[error(
        "The decision is recorded and counts; its line in the audit log could not be written yet and follows with the next run ({0})"
    )]
    NotLogged(StoreError),
    /// A run is in progress.
    #[error(transparent)]
    Running(LockTaken),
    /// It was begun, and the next run does the rest.
    #[error("Not everything is removed yet; the next run goes on with it")]
    Unfinished(#[source] StoreError),
    /// JobTicket cannot be asked.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// JobTicket did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl NotDecided {
    /// Its exit code, and what to say.
    pub fn told(self) -> (Exit, String) {
        let text = chain(&self);
        let exit = match self {
            Self::Refused(_) => Exit::Configuration,
            Self::Declined => Exit::Waits,
            Self::Running(LockTaken::Busy { .. }) => Exit::Busy,
            Self::Store(_) | Self::NotLogged(_) | Self::Running(_) | Self::Unfinished(_) => {
                Exit::Unexpected
            }
            Self::Connect(error) => Ending::from(error).exit(),
            Self::Call(error) => Ending::from(error).exit(),
        };
        (exit, text)
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, NotDecided> {
    Err(NotDecided::Refused(why.into()))
}

/// The longest text that somebody may give as a reason or a name.
const LONGEST: usize = 500;

impl Words<'_> {
    /// The texts stand in the audit log, a line each, and on terminals.
    fn check(&self) -> Result<(), NotDecided> {
        let texts = [
            ("--reason", Some(self.reason)),
            ("--on-behalf-of", self.on_behalf_of),
        ];
        for (option, text) in texts {
            let Some(text) = text else { continue };
            if text.trim().is_empty() {
                return refused(format!("{option} is empty; say it in a few words"));
            }
            if text
                .chars()
                .any(|c| c.is_control() || is_line_or_direction(c))
            {
                return refused(format!(
                    "{option} must be one line without control characters"
                ));
            }
            if text.chars().count() > LONGEST {
                return refused(format!("{option} is longer than {LONGEST} characters"));
            }
        }
        Ok(())
    }

    fn decision<'a>(&'a self, user: &'a str) -> Decision<'a> {
        Decision {
            user,
            on_behalf_of: self.on_behalf_of.map(str::trim),
            reason: self.reason.trim(),
        }
    }

    /// The line of the audit log, without anything that the one kind of decision or the other adds.
    fn event(&self, decision: &str, user: &str) -> Told {
        Told {
            decision: decision.to_owned(),
            user: user.to_owned(),
            on_behalf_of: self.on_behalf_of.map(|name| name.trim().to_owned()),
            reason: self.reason.trim().to_owned(),
            ..Told::default()
        }
    }
}

/// Line ends and marks that turn the direction of writing are no control characters to the letter, and forge lines all the same.
fn is_line_or_direction(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A decision as the audit log tells it.
#[derive(Default)]
struct Told {
    decision: String,
    hold: Option<u64>,
    user: String,
    on_behalf_of: Option<String>,
    reason: String,
    hr_ids: Vec<String>,
    except: Vec<String>,
    until: Option<String>,
    sync_ids: Vec<String>,
    key_change: bool,
}

impl From<Told> for Event {
    fn from(told: Told) -> Self {
        Self::Decision {
            decision: told.decision,
            hold: told.hold,
            user: told.user,
            on_behalf_of: told.on_behalf_of,
            reason: told.reason,
            hr_ids: told.hr_ids,
            except: told.except,
            until: told.until,
            sync_ids: told.sync_ids,
            key_change: told.key_change,
        }
    }
}

impl<'d> Desk<'d> {
    /// The integration with this name.
    fn named(&self, name: &str) -> Result<&'d Integration, NotDecided> {
        if let Some(integration) = self.chosen.iter().find(|one| one.name == name) {
            return Ok(integration);
        }
        let names: Vec<&str> = self.chosen.iter().map(|one| one.name.as_str()).collect();
        refused(format!(
            "There is no integration {name}; there are: {}",
            names.join(", ")
        ))
    }
}

impl Desk<'_> {
    /// The integration to whose state a hold belongs.
    fn integration_of(&self, hold: &HoldRecord) -> Result<&Integration, NotDecided> {
        let is_of = |integration: &&Integration| target_of(integration).as_str() == hold.target;
        if let Some(integration) = self.chosen.iter().copied().find(is_of) {
            return Ok(integration);
        }
        let (id, name) = (hold.id, &hold.integration);
        if self.config.integrations.iter().any(|one| is_of(&one)) {
            return refused(format!("Hold {id} is of the integration {name}"));
        }
        refused(format!(
            "Hold {id} belongs to {name} at {}, and no integration of the configuration has that address and number any more; nothing was recorded",
            hold.target
        ))
    }

    /// A hold about which something can still be decided.
    fn hold(&self, id: u64) -> Result<(HoldRecord, &Integration), NotDecided> {
        let Some(hold) = self.store.hold(id)? else {
            return refused(format!("There is no hold {id}; `holds` lists them"));
        };
        let integration = self.integration_of(&hold)?;
        if hold.state == HoldState::Over {
            return refused(over(id));
        }
        Ok((hold, integration))
    }

    /// Has somebody say yes, unless it was said that nobody need be asked.
    fn confirm(&self, yes: bool, summary: &str, question: &str) -> Result<(), NotDecided> {
        if yes {
            return Ok(());
        }
        match (self.ask)(&format!("{summary}{question} (y/N) ")) {
            Answer::Yes => Ok(()),
            Answer::No => Err(NotDecided::Declined),
            Answer::NobodyThere => refused(format!(
                "{summary}This is asked on a terminal, and there is none; give --yes to do it unasked. Nothing was recorded"
            )),
        }
    }

    /// Writes the lines that tell of a decision to the audit log.
    fn log(&self) -> Result<(), NotDecided> {
        self.store.flush(self.audit).map_err(NotDecided::NotLogged)
    }
}

/// The lines of the audit log that tell of a decision.
fn notes(integration: &Integration, told: Vec<Event>) -> Notes {
    Notes {
        integration: Some(integration.name.clone()),
        run: None,
        notes: told.into_iter().map(Into::into).collect(),
    }
}

fn over(id: u64) -> String {
    format!(
        "Hold {id} is over: nobody of it is in question any more. `holds` lists those that are not; nothing was recorded"
    )
}

/// The same for a message that is read elsewhere: its commands hold in whatever folder they are run.
pub fn program_anywhere(config: &Path, default: &Path) -> String {
    let absolute = std::path::absolute(config);
    program(absolute.as_deref().unwrap_or(config), default)
}

/// A file in a command that can be copied to a shell.
pub fn program(config: &Path, default: &Path) -> String {
    let mut text = "jobticket-sync".to_owned();
    if config != default {
        let path = config.display().to_string();
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+');
        if path.chars().all(plain) {
            let _ = write!(text, " --config {path}");
        } else {
            let _ = write!(text, " --config '{}'", path.replace('\'', r"'\''"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reason: &str, on_behalf_of: Option<&str>) -> Result<(), String> {
        let words = Words {
            reason,
            on_behalf_of,
        };
        words.check().map_err(|error| error.told().1)
    }

    #[test]
    fn a_reason_is_one_line_of_text() {
        assert_eq!(
            check("told by HR, ticket 4711 – ok", Some("M. Beispiel")),
            Ok(())
        );
        assert!(check("  ", None).unwrap_err().contains("--reason is empty"));
        for text in ["a\nb", "a\u{1b}[2J", "a\tb", "a\u{2028}b", "a\u{202e}b"] {
            assert!(
                check(text, None).unwrap_err().contains("one line"),
                "{text:?}"
            );
        }
        assert!(
            check("ok", Some(""))
                .unwrap_err()
                .contains("--on-behalf-of")
        );
        assert!(
            check(&"x".repeat(501), None)
                .unwrap_err()
                .contains("longer than 500")
        );
    }

    #[test]
    fn commands_to_go_on_with_name_the_configuration_where_it_is_not_the_usual_one() {
        let usual = Path::new("/etc/jobticket-sync/config.yaml");
        assert_eq!(program(usual, usual), "jobticket-sync");
        assert_eq!(
            program(Path::new("/tmp/it's mine.yaml"), usual),
            r"jobticket-sync --config '/tmp/it'\''s mine.yaml'"
        );
    }

    #[test]
    fn commands_of_a_message_hold_in_every_folder() {
        let usual = Path::new("/etc/jobticket-sync/config.yaml");
        assert_eq!(program_anywhere(usual, usual), "jobticket-sync");
        let here = std::env::current_dir().unwrap().join("mine.yaml");
        assert_eq!(
            program_anywhere(Path::new("mine.yaml"), usual),
            program(&here, usual)
        );
    }
}
