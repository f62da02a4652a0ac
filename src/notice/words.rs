//! What a message says, in English or German. Commands in it are English, and so are the sentences that the audit log holds to the letter.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::trouble::other;
use super::{Telling, Text, digest, people};
use crate::clock::Clock;
use crate::config::{Config, Integration, Language};
use crate::decisions::next_commands;
use crate::store::{HoldRecord, Scope, Store, StoreError};
use crate::sync::target_of;
use crate::zone::Zone;

/// A language, and the zone in which times are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) zone: Zone,
}

impl Words {
    /// One of two texts.
    pub(crate) fn say<T>(self, english: T, german: T) -> T {
        match self.language {
            Language::En => english,
            Language::De => german,
        }
    }

    /// A time.
    pub(crate) fn when(self, at: DateTime<Utc>) -> String {
        let form = self.say("%Y-%m-%d %H:%M %Z", "%d.%m.%Y %H:%M %Z");
        at.with_timezone(&self.zone).format(form).to_string()
    }
}

/// Where a message is written.
pub(super) struct Desk<'d> {
    pub(super) config: &'d Config,
    pub(super) store: &'d Store,
    pub(super) clock: &'d Clock,
    /// How the program is called, for commands to go on with.
    pub(super) program: &'d str,
}

impl Desk<'_> {
    pub(super) fn words(&self) -> Words {
        let notify = self.config.notify.as_ref();
        let language = notify.and_then(|notify| notify.language);
        Words {
            language: language.unwrap_or(self.config.language),
            zone: self.config.timezone,
        }
    }

    /// The same, with times as the schedule of the integration tells them.
    pub(super) fn words_of(&self, integration: Option<&Integration>) -> Words {
        let schedule = integration.and_then(|one| self.config.schedule(one));
        let words = self.words();
        Words {
            zone: schedule.map_or(words.zone, |schedule| schedule.timezone),
            ..words
        }
    }

    /// Writes a message about an integration, or with an empty target about all of them. `None`: there is nothing left to tell.
    pub(super) fn write(
        &self,
        telling: &Telling,
        (target, name): (&str, &str),
    ) -> Result<Option<Text>, StoreError> {
        let mut all = self.config.integrations.iter();
        let integration = all.find(|one| target_of(one).as_str() == target);
        let words = self.words_of(integration);
        let mut hold = None;
        if let Telling::Held { hold: id, .. } = telling {
            hold = self.store.hold(*id)?;
            if hold.is_none() {
                return Ok(None);
            }
        }
        let (subject, mut body) = match telling {
            Telling::Digest { since } => digest::write(self, *since)?,
            Telling::Held { hours, .. } => {
                let hold = hold.as_ref().expect("a hold that is not there is no news");
                let began = self.began(hold)?;
                held(words, hold, *hours, began)
            }
            telling => other(words, telling),
        };
        if let Some(hold) = &hold {
            self.commands(words, hold, &mut body);
        } else if !matches!(telling, Telling::Test | Telling::Digest { .. }) {
            let program = self.program;
            let _ = writeln!(
                body,
                "\n{}\n  {program} status",
                words.say(
                    "How everything stands, on the server:",
                    "Wie alles steht, auf dem Server:"
                )
            );
        }
        let environment =
            integration.map_or_else(String::new, |one| one.jobticket.environment_name());
        self.foot(words, integration, &mut body)?;
        let head = self.store.audit_head()?;
        let about = if name.is_empty() {
            String::new()
        } else {
            format!(" {name} ({environment})")
        };
        Ok(Some(Text {
            // The words come from the configuration and from us; whatever they hold, a subject is one line.
            subject: format!("[jobticket-sync]{about}: {subject}")
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
            body,
            event: telling.name(),
            integration: name.to_owned(),
            environment,
            hold: hold.map(|hold| hold.id),
            head: format!("{}:{}", head.seq, head.hash),
            escalated: matches!(
                telling,
                Telling::Held {
                    escalated: true,
                    ..
                }
            ),
        }))
    }

    /// Where a hold goes on with earlier ones: the first of them, and when it was opened.
    fn began(&self, hold: &HoldRecord) -> Result<Option<(u64, DateTime<Utc>)>, StoreError> {
        let first = self
            .store
            .row_of_hold((hold.id, hold.opened_at, hold.scope))?;
        Ok((first.0 != hold.id).then_some(first))
    }

    fn commands(&self, words: Words, hold: &HoldRecord, body: &mut String) {
        let (program, id) = (self.program, hold.id);
        let _ = writeln!(
            body,
            "\n{}\n  {program} holds show {id}",
            words.say(
                "To look, and then to decide, on the server:",
                "Ansehen und dann entscheiden, auf dem Server:"
            )
        );
        for command in next_commands(self.config, program, hold) {
            let _ = writeln!(body, "  {command}");
        }
        body.push_str(words.say(
            "Until then these people stay as they are at JobTicket.\n",
            "Bis dahin bleibt für diese Personen bei JobTicket alles, wie es ist.\n",
        ));
    }

    /// The environment, and the end of the audit log.
    fn foot(
        &self,
        words: Words,
        integration: Option<&Integration>,
        body: &mut String,
    ) -> Result<(), StoreError> {
        let head = self.store.audit_head()?;
        body.push_str("\n-- \n");
        if integration.is_some_and(|one| one.jobticket.is_sandbox()) {
            body.push_str(words.say(
                "SANDBOX: nobody at JobTicket was changed\n",
                "SANDBOX: bei JobTicket wurde niemand geändert\n",
            ));
        }
        let (seq, hash) = (head.seq, head.hash);
        let now = words.when(self.clock.now());
        let _ = match words.language {
            Language::En => writeln!(
                body,
                "End of the audit log at {now}: {seq}:{hash}\nKeep this message: it shows later whether the log was cut."
            ),
            Language::De => writeln!(
                body,
                "Ende des Audit-Logs am {now}: {seq}:{hash}\nBitte aufbewahren: Damit zeigt sich später, ob das Log gekürzt wurde."
            ),
        };
        Ok(())
    }
}

fn held(
    words: Words,
    hold: &HoldRecord,
    hours: Option<u32>,
    began: Option<(u64, DateTime<Utc>)>,
) -> (String, String) {
    let (id, kind) = (hold.id, people::kind(words, &hold.kind));
    let number = people::number(hold);
    let subject = match (words.language, hold.scope, hours) {
        (Language::En, Scope::People, None) if number == 1 => {
            format!("hold {id}, 1 person waits for a decision ({kind})")
        }
        (Language::De, Scope::People, None) if number == 1 => {
            format!("Hold {id}, 1 Person wartet auf eine Entscheidung ({kind})")
        }
        (Language::En, Scope::People, None) => {
            format!("hold {id}, {number} people wait for a decision ({kind})")
        }
        (Language::En, Scope::Plan, None) => {
            format!("hold {id}, the whole plan waits for a decision ({kind})")
        }
        (Language::En, _, Some(hours)) if began.is_some() => {
            format!(
                "hold {id} and those before it have waited for more than {hours} hours ({kind})"
            )
        }
        (Language::De, _, Some(hours)) if began.is_some() => {
            format!("Hold {id} und seine Vorgänger warten seit mehr als {hours} Stunden ({kind})")
        }
        (Language::En, _, Some(hours)) => {
            format!("hold {id} has waited for more than {hours} hours ({kind})")
        }
        (Language::De, Scope::People, None) => {
            format!("Hold {id}, {number} Personen warten auf eine Entscheidung ({kind})")
        }
        (Language::De, Scope::Plan, None) => {
            format!("Hold {id}, der ganze Plan wartet auf eine Entscheidung ({kind})")
        }
        (Language::De, _, Some(hours)) => {
            format!("Hold {id} wartet seit mehr als {hours} Stunden ({kind})")
        }
    };
    let since = words.when(hold.opened_at);
    let (integration, run) = (&hold.integration, &hold.run);
    let mut body = match words.language {
        Language::En => format!(
            "Hold {id} of {integration} waits for a person's decision since {since} (run {run}).\nKind: {kind}\n"
        ),
        Language::De => format!(
            "Hold {id} von {integration} wartet seit {since} auf die Entscheidung eines Menschen (Lauf {run}).\nArt: {kind}\n"
        ),
    };
    if let Some((first, at)) = began {
        let at = words.when(at);
        let _ = match words.language {
            Language::En => writeln!(
                body,
                "Such holds have followed one another since {at} (hold {first}), and nobody has decided any of them."
            ),
            Language::De => writeln!(
                body,
                "Solche Holds folgen einander seit {at} (Hold {first}), und keiner wurde entschieden."
            ),
        };
    }
    body.push_str(words.say(
        "What tripped:\n",
        "Was ausgelöst hat (wie im Audit-Log, englisch):\n",
    ));
    for why in &hold.why {
        let _ = writeln!(body, "  {why}");
    }
    body.push('\n');
    people::tell(words, hold, &mut body);
    (subject, body)
}
