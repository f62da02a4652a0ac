//! The people of a hold in a message: by hrId, with what would happen to them, in both languages. Never a personal value.

use std::fmt::Write as _;

use super::words::Words;
use crate::config::Language;
use crate::decisions::Tally;
use crate::guard::Cause;
use crate::plan::{Leaving, What};
use crate::store::{HeldPerson, HeldState, HoldRecord};

/// So many people are named; `holds show` has them all.
const MOST_NAMED: usize = 50;

/// Who waits.
fn waiting(hold: &HoldRecord) -> Vec<&HeldPerson> {
    let people = hold.people.iter();
    people
        .filter(|person| person.state == HeldState::Waits)
        .collect()
}

/// How many people wait.
pub(super) fn number(hold: &HoldRecord) -> usize {
    waiting(hold).len()
}

/// The numbers of a hold, and its people.
pub(super) fn tell(words: Words, hold: &HoldRecord, text: &mut String) {
    let people = waiting(hold);
    let Tally {
        leave,
        active,
        unknown,
        join,
        change,
        ..
    } = Tally::of(&people);
    let number = people.len();
    let _ = match words.language {
        Language::En => writeln!(
            text,
            "People who wait: {number}\n  would lose their ticket: {leave}{}\n  would join: {join}\n  would be changed: {change}",
            with_ticket(words, leave, active, unknown)
        ),
        Language::De => writeln!(
            text,
            "Wartende Personen: {number}\n  würden ihr Ticket verlieren: {leave}{}\n  kämen dazu: {join}\n  würden geändert: {change}",
            with_ticket(words, leave, active, unknown)
        ),
    };
    if people.is_empty() {
        return;
    }
    text.push_str(words.say("\nWho (hrId):\n", "\nWer (hrId):\n"));
    for person in people.iter().take(MOST_NAMED) {
        let _ = writeln!(text, "  {}", one(words, person));
    }
    if number > MOST_NAMED {
        let more = number - MOST_NAMED;
        let _ = match words.language {
            Language::En => writeln!(
                text,
                "  and {more} more, whom the first command below lists"
            ),
            Language::De => writeln!(
                text,
                "  und {more} weitere, die der erste Befehl unten nennt"
            ),
        };
    }
}

fn with_ticket(words: Words, leave: usize, active: usize, unknown: usize) -> String {
    if leave == 0 {
        return String::new();
    }
    match words.language {
        Language::En if unknown > 0 => {
            format!(" ({active} with an active ticket, of {unknown} that is not known)")
        }
        Language::En => format!(" ({active} with an active ticket)"),
        Language::De if unknown > 0 => {
            format!(" ({active} mit aktivem Ticket, bei {unknown} unbekannt)")
        }
        Language::De => format!(" ({active} mit aktivem Ticket)"),
    }
}

fn one(words: Words, person: &HeldPerson) -> String {
    let hr_id = &person.change.hr_id;
    let mut text = match &person.change.what {
        What::Joins => format!("+ {hr_id} {}", words.say("would join", "käme dazu")),
        What::Leaves(why) => format!(
            "- {hr_id} {} ({})",
            words.say("would leave", "würde ausscheiden"),
            leaving(words, why)
        ),
        What::Changes { fields } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            format!("~ {hr_id} {}", names.join(", "))
        }
    };
    if let Some(Cause::NewNumber { other }) = &person.cause {
        let _ = match words.language {
            Language::En => write!(text, ", probably the same person as {other}"),
            Language::De => write!(text, ", vermutlich dieselbe Person wie {other}"),
        };
    }
    text
}

/// Why somebody leaves, in words.
pub(crate) fn leaving(words: Words, why: &Leaving) -> String {
    if words.language == Language::En {
        return why.to_string();
    }
    match why {
        Leaving::EmploymentEnded { last_day, .. } => {
            format!("Beschäftigung endete am {}", last_day.format("%d.%m.%Y"))
        }
        Leaving::NotIncluded { column } => format!("erfüllt die Regel zu {column} nicht mehr"),
        Leaving::Excluded { column, .. } => format!("ausgeschlossen durch die Regel zu {column}"),
        Leaving::SourceRemoved { source } => {
            format!("die Quelle {source} ist nicht mehr konfiguriert")
        }
        Leaving::Refused => "JobTicket nimmt die Werte nicht an".to_owned(),
        Leaving::Missing => "fehlt in allen Quellen".to_owned(),
    }
}

/// The kind of a hold as a sentence; in English the word that commands use.
pub(crate) fn kind(words: Words, kind: &str) -> String {
    if words.language == Language::En {
        return kind.to_owned();
    }
    match kind {
        "leavers" => "unerklärte Abgänge",
        "explained leavers" => "erklärte Abgänge",
        "joiners" => "Zugänge",
        "changed rules" => "geänderte Auswahlregeln",
        "removed source" => "entfernte Quelle",
        "new numbers" => "neue Personalnummern",
        "another person" => "andere Person unter derselben Nummer",
        "emptied column" => "leer gewordene Spalte",
        "refused by JobTicket" => "von JobTicket abgelehnt",
        "excepted" => "von einer Freigabe ausgenommen",
        "not ours" => "fremder Abgleich",
        "restored" => "wiederhergestellter Stand",
        "tickets lost" => "verlorene Tickets",
        "first contact" => "erster Abgleich",
        "plan" => "Grenzen des Plans überschritten",
        other => other,
    }
    .to_owned()
}
