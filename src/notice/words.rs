//! What a message says, in English or German. Commands in it are English, and so are the sentences that the audit log holds to the letter.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{Telling, Text, digest, people};
use crate::clock::Clock;
use crate::config::{Config, Integration, Language};
use crate::decisions::next_commands;
use crate::store::{HoldRecord, Scope, Store, StoreError};
use crate::sync::target_of;

/// A language, and the zone in which times are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) zone: Tz,
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

    /// Writes a message about an integration, or with an empty target about all of them. `None`: there is nothing left to tell.
    pub(super) fn write(
        &self,
        telling: &Telling,
        (target, name): (&str, &str),
    ) -> Result<Option<Text>, StoreError> {
        let words = self.words();
        let mut all = self.config.integrations.iter();
        let integration = all.find(|one| target_of(one).as_str() == target);
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
                held(words, hold, *hours)
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
        let environment = integration.map_or_else(String::new, |one| one.jobticket.environment_name());
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

fn held(words: Words, hold: &HoldRecord, hours: Option<u32>) -> (String, String) {
    let (id, kind) = (hold.id, people::kind(words, &hold.kind));
    let number = people::number(hold);
    let subject = match (words.language, hold.scope, hours) {
        (Language::En, Scope::People, None) => {
            format!("hold {id}, {number} people wait for a decision ({kind})")
        }
        (Language::En, Scope::Plan, None) => {
            format!("hold {id}, the whole plan waits for a decision ({kind})")
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

/// The messages that are about no hold.
fn other(words: Words, telling: &Telling) -> (String, String) {
    let when = |at: &DateTime<Utc>| words.when(*at);
    let since = |at: &Option<DateTime<Utc>>| {
        at.as_ref().map_or_else(String::new, |at| {
            format!(" {} {}", words.say("since", "seit"), when(at))
        })
    };
    match telling {
        Telling::Failed {
            times,
            since: first,
            result,
            message,
        } => {
            let subject = match words.language {
                Language::En => format!("{times} runs in a row have failed"),
                Language::De => format!("{times} Läufe hintereinander sind gescheitert"),
            };
            let mut body = match words.language {
                Language::En => format!("{subject}{}.\nLast result: {result}\n", since(first)),
                Language::De => {
                    format!("{subject}{}.\nLetztes Ergebnis: {result}\n", since(first))
                }
            };
            body.extend(message.iter().map(|message| format!("  {message}\n")));
            (subject, body)
        }
        Telling::Drift {
            sync_id,
            since: at,
            lost,
        } => {
            let subject = words
                .say(
                    "JobTicket differs from what it acknowledged",
                    "JobTicket weicht von dem ab, was es bestätigt hat",
                )
                .to_owned();
            let mut body = format!("{subject}.\n");
            if let Some(sync_id) = sync_id {
                let since = since(at);
                let _ = match words.language {
                    Language::En => {
                        writeln!(body, "It does not show all of the push {sync_id}{since}.")
                    }
                    Language::De => writeln!(
                        body,
                        "Es zeigt nicht alles aus der Übertragung {sync_id}{since}."
                    ),
                };
            }
            if *lost > 0 {
                let _ = match words.language {
                    Language::En => writeln!(
                        body,
                        "{lost} people who were not in the last push have lost their tickets; nothing is pushed until a person approves that."
                    ),
                    Language::De => writeln!(
                        body,
                        "{lost} Personen, die nicht zur letzten Übertragung gehörten, haben ihr Ticket verloren; bis zu einer Freigabe wird nichts übertragen."
                    ),
                };
            }
            (subject, body)
        }
        Telling::StaleSource {
            source,
            why,
            since: at,
        } => {
            let at = when(at);
            let subject = match words.language {
                Language::En => format!("the source {source} is stale"),
                Language::De => format!("die Quelle {source} ist veraltet"),
            };
            let body = match words.language {
                Language::En => format!(
                    "The source {source} was in order last at {at}. Its last roster stands in for it, so nobody of it joins or leaves.\n  {why}\n"
                ),
                Language::De => format!(
                    "Die Quelle {source} war zuletzt am {at} in Ordnung. Ihr letzter Stand wird weiter verwendet; niemand daraus kommt dazu oder scheidet aus.\n  {why}\n"
                ),
            };
            (subject, body)
        }
        Telling::Credential {
            source,
            certificate,
            outcome,
            since: at,
        } => {
            let who = source.as_ref().map_or_else(
                || "JobTicket".to_owned(),
                |source| format!("{} {source}", words.say("the source", "der Quelle")),
            );
            let subject = match (words.language, certificate) {
                (Language::En, false) => format!("the credential for {who} is refused"),
                (Language::En, true) => {
                    format!("the certificate or host key of {who} is not accepted")
                }
                (Language::De, false) => format!("die Zugangsdaten zu {who} werden abgelehnt"),
                (Language::De, true) => {
                    format!("das Zertifikat oder der Schlüssel von {who} wird nicht angenommen")
                }
            };
            let body = format!("{subject}{}.\n  {outcome}\n", since(at));
            (subject, body)
        }
        Telling::Recovered { subject, since: at } => recovered(words, subject, *at),
        _ => (
            words.say("a test", "ein Test").to_owned(),
            words
                .say(
                    "This is a test of the notifications of jobticket-sync. There is nothing to do.\n",
                    "Dies ist ein Test der Benachrichtigungen von jobticket-sync. Es ist nichts zu tun.\n",
                )
                .to_owned(),
        ),
    }
}

fn recovered(words: Words, subject: &str, since: DateTime<Utc>) -> (String, String) {
    let (kind, source) = subject.split_once(':').unwrap_or((subject, ""));
    let what = match (words.language, kind) {
        (Language::En, "failed") => "runs work again".to_owned(),
        (Language::En, "drift") => "JobTicket shows what it acknowledged again".to_owned(),
        (Language::En, "stale_source") => format!("the source {source} delivers again"),
        (Language::En, _) if source.is_empty() => "JobTicket accepts us again".to_owned(),
        (Language::En, _) => format!("the source {source} can be reached again"),
        (Language::De, "failed") => "die Läufe gelingen wieder".to_owned(),
        (Language::De, "drift") => "JobTicket zeigt wieder, was es bestätigt hat".to_owned(),
        (Language::De, "stale_source") => format!("die Quelle {source} liefert wieder"),
        (Language::De, _) if source.is_empty() => {
            "JobTicket nimmt die Zugangsdaten wieder an".to_owned()
        }
        (Language::De, _) => format!("die Quelle {source} ist wieder erreichbar"),
    };
    let at = words.when(since);
    let subject = format!("{}: {what}", words.say("recovered", "behoben"));
    let body = match words.language {
        Language::En => format!("In order again: {what}. It was reported at {at}.\n"),
        Language::De => format!("Wieder in Ordnung: {what}. Gemeldet worden war es am {at}.\n"),
    };
    (subject, body)
}
