//! The words of the page, in English and German.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::config::Language;
use crate::plan::Leaving;
use crate::zone::Zone;

/// A language, and the zone in which times are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) language: Language,
    pub(super) zone: Zone,
}

const MONTHS: [(&str, &str); 12] = [
    ("Jan", "Jan"),
    ("Feb", "Feb"),
    ("Mar", "Mär"),
    ("Apr", "Apr"),
    ("May", "Mai"),
    ("Jun", "Jun"),
    ("Jul", "Jul"),
    ("Aug", "Aug"),
    ("Sep", "Sep"),
    ("Oct", "Okt"),
    ("Nov", "Nov"),
    ("Dec", "Dez"),
];

/// What an exit code means, as the README says, in English and German.
pub(super) fn exit(code: u64) -> (&'static str, &'static str) {
    match code {
        0 => ("done, or nothing to do", "erledigt, oder nichts zu tun"),
        2 => ("wrong configuration", "falsche Konfiguration"),
        3 => (
            "somebody or something waits for a decision",
            "jemand oder etwas wartet auf eine Entscheidung",
        ),
        4 => (
            "a source failed, or an empty roster was refused",
            "eine Quelle ist gestört, oder eine leere Liste wurde abgelehnt",
        ),
        5 => (
            "refused by JobTicket, or answered in a way that nobody can rely on",
            "von JobTicket abgelehnt, oder so beantwortet, dass sich niemand darauf verlassen kann",
        ),
        6 => ("JobTicket not reachable", "JobTicket nicht erreichbar"),
        7 => ("another run in progress", "ein anderer Lauf war im Gang"),
        8 => (
            "JobTicket differs from what it acknowledged, or somebody who does not belong to a push lost a ticket",
            "JobTicket weicht von dem ab, was es bestätigt hat, oder jemand außerhalb einer Übertragung hat ein Ticket verloren",
        ),
        9 => (
            "done, but rows were rejected",
            "erledigt, aber Zeilen wurden abgelehnt",
        ),
        _ => ("something unexpected", "etwas Unerwartetes"),
    }
}

impl Words {
    /// One of two texts.
    pub(super) fn say<T>(self, english: T, german: T) -> T {
        match self.language {
            Language::En => english,
            Language::De => german,
        }
    }

    pub(super) fn when(self, at: DateTime<Utc>) -> String {
        let form = self.say("%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M");
        at.with_timezone(&self.zone).format(form).to_string()
    }

    pub(super) fn day(self, day: NaiveDate) -> String {
        day.format(self.say("%Y-%m-%d", "%d.%m.%Y")).to_string()
    }

    pub(super) fn short_day(self, day: NaiveDate) -> String {
        day.format(self.say("%m-%d", "%d.%m.")).to_string()
    }

    pub(super) fn month(self, day: NaiveDate) -> String {
        use chrono::Datelike as _;
        let (english, german) = MONTHS[day.month0() as usize];
        let name = self.say(english, german);
        if day.month() == 1 {
            format!("{name} {}", day.year())
        } else {
            name.to_owned()
        }
    }

    /// A number of an axis or a table, with the language's mark between thousands.
    pub(super) fn number(self, value: f64) -> String {
        let whole = format!("{value:.0}");
        let mut text = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index) % 3 == 0 && whole.len() > 4 {
                text.push(self.say(',', '.'));
            }
            text.push(digit);
        }
        text
    }

    /// Seconds with one digit behind the point.
    pub(super) fn seconds(self, value: f64) -> String {
        format!("{value:.1}").replace('.', self.say(".", ","))
    }

    /// How a run ended; in English the word of the log.
    pub(super) fn outcome(self, outcome: &str) -> String {
        if self.language == Language::En {
            return outcome.to_owned();
        }
        match outcome {
            "unchanged" => "unverändert",
            "pushed" => "übertragen",
            "held" => "angehalten",
            "empty roster refused" => "leere Liste abgelehnt",
            "source failed" => "Quelle gestört",
            "refused" => "abgelehnt",
            "credential refused" => "Zugangsdaten abgelehnt",
            "in doubt" => "Antwort unbekannt",
            "not reachable" => "nicht erreichbar",
            "another run in progress" => "anderer Lauf aktiv",
            "paused" => "pausiert",
            "stopped" => "gestoppt",
            "collision" => "Kollision",
            "misconfigured" => "falsch konfiguriert",
            "failed" => "gescheitert",
            "never ended" => "nie beendet",
            "internal error" => "interner Fehler",
            other => other,
        }
        .to_owned()
    }

    /// What an exit code means.
    pub(super) fn exit(self, code: u64) -> &'static str {
        let (english, german) = exit(code);
        self.say(english, german)
    }

    /// What somebody decided.
    pub(super) fn decision(self, what: &str) -> String {
        if self.language == Language::En {
            return what.to_owned();
        }
        match what {
            "approve" => "freigegeben",
            "reject" => "abgelehnt",
            "reopen" => "neu gefragt",
            "keep" => "behalten",
            "adopt" => "übernommen",
            "pause" => "pausiert",
            "resume" => "fortgesetzt",
            other => other,
        }
        .to_owned()
    }

    /// Why somebody left.
    pub(super) fn leaving(self, why: &Leaving) -> String {
        crate::notice::leaving(self.language, self.zone, why)
    }

    /// The kind of a hold.
    pub(super) fn kind(self, kind: &str) -> String {
        crate::notice::kind(self.language, self.zone, kind)
    }

    /// All fixed words of the page.
    pub(super) fn labels(self) -> Labels {
        Labels::of(self)
    }
}

macro_rules! labels {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        /// The fixed words of the page.
        #[derive(Debug, Serialize)]
        pub(super) struct Labels {
            $(pub(super) $name: &'static str,)*
        }

        impl Labels {
            fn of(words: Words) -> Self {
                Self { $($name: words.say($english, $german),)* }
            }
        }
    };
}

labels! {
    title: "Report of jobticket-sync", "Bericht von jobticket-sync";
    from: "From", "Von";
    to: "to", "bis";
    made: "made", "erstellt";
    sandbox: "SANDBOX: nobody at JobTicket was changed", "SANDBOX: bei JobTicket wurde niemand geändert";
    contents: "Contents", "Inhalt";
    environment: "Environment", "Umgebung";
    headcount: "People at JobTicket", "Personen bei JobTicket";
    in_sandbox: "People in the sandbox", "Personen in der Sandbox";
    moves: "Joiners and leavers", "Zugänge und Abgänge";
    runs: "Runs", "Läufe";
    durations: "How long runs took", "Dauer der Läufe";
    holds: "Holds and decisions", "Holds und Entscheidungen";
    offboarded: "People offboarded", "Ausgeschiedene Personen";
    sources: "Sources", "Quellen";
    drift: "Drift", "Abweichungen";
    rate: "Use of the rate limit", "Nutzung des Anfragelimits";
    table: "As a table", "Als Tabelle";
    week: "Week from", "Woche ab";
    people: "People", "Personen";
    joined: "Joined", "Zugänge";
    left: "Left", "Abgänge";
    changed: "Changed", "Geändert";
    done: "Done", "Erledigt";
    held: "Waiting or put off", "Wartend oder aufgeschoben";
    failed: "Failed, in all or in part", "Ganz oder teilweise gescheitert";
    median: "Median, seconds", "Median, Sekunden";
    longest: "Longest, seconds", "Längste, Sekunden";
    outcome: "How it ended", "Ausgang";
    number: "Number", "Anzahl";
    exit_code: "Exit code", "Exit-Code";
    meaning: "Meaning", "Bedeutung";
    hold: "Hold", "Hold";
    holds_opened: "Holds opened", "Eröffnete Holds";
    kind: "Kind", "Art";
    opened: "Opened", "Eröffnet";
    why: "What tripped", "Auslöser";
    who: "Who", "Wer";
    when: "When", "Wann";
    decided: "Decision", "Entscheidung";
    reason: "Reason", "Begründung";
    undecided: "no decision in this time", "keine Entscheidung in diesem Zeitraum";
    whole_plan: "the whole plan", "der ganze Plan";
    decisions: "Decisions", "Entscheidungen";
    hr_ids: "hrIds", "hrIds";
    except: "Except (not decided)", "Ausgenommen (nicht entschieden)";
    forgotten: "People forgotten", "Vergessene Personen";
    installation: "The installation", "Die Installation";
    settings: "Changes of the configuration", "Änderungen der Konfiguration";
    restored: "Restored backups", "Zurückgespielte Sicherungen";
    backup: "File", "Datei";
    backup_of: "Backup of", "Sicherung vom";
    key: "Key", "Schlüssel";
    old: "Before", "Vorher";
    new: "After", "Nachher";
    limit_of: "Limit", "Grenze";
    loosened: "loosened", "gelockert";
    zone: "All times are local:", "Alle Zeiten sind Ortszeit:";
    hr_id: "hrId", "hrId";
    name: "Name", "Name";
    grounds: "Why", "Grund";
    approved_by: "Approved by hold", "Freigabe durch Hold";
    source: "Source", "Quelle";
    file: "Newest file used", "Zuletzt verwendete Datei";
    age: "Age of the file, hours", "Alter der Datei, Stunden";
    rows: "Rows", "Zeilen";
    selected: "Selected", "Ausgewählt";
    pulls: "Pulls", "Abrufe";
    failures: "Failures", "Störungen";
    state: "State", "Zustand";
    sync: "Push", "Übertragung";
    differing: "People who differ", "Abweichende Personen";
    lost: "tickets lost", "verlorene Tickets";
    differs: "differs", "weicht ab";
    requests: "Requests", "Anfragen";
    most_requests: "Most requests of one run", "Meiste Anfragen eines Laufs";
    limit: "Limit of JobTicket, in any 60 seconds", "Grenze von JobTicket, in je 60 Sekunden";
    last_minute: "In the 60 seconds before this report", "In den 60 Sekunden vor diesem Bericht";
    none: "None in this time.", "Keine in diesem Zeitraum.";
    whole: "Its chain was checked when this was made, and is whole.", "Seine Kette wurde bei Erstellung geprüft und ist ganz.";
    broken: "The audit log was changed or has holes, so this page may be wrong or incomplete; `audit verify` says where.", "Das Audit-Log wurde verändert oder hat Lücken, diese Seite kann falsch oder unvollständig sein; `audit verify` sagt, wo.";
    begins: "Older lines of the audit log were removed by age; of what they told nothing stands here.", "Ältere Zeilen des Audit-Logs wurden nach Ablauf ihrer Frist entfernt; was in ihnen stand, fehlt hier.";
    head: "End of the audit log when this was made", "Ende des Audit-Logs bei Erstellung";
    masked: "People stand here by hrId; names are masked or left out.", "Personen stehen hier mit hrId; Namen sind maskiert oder fehlen.";
    full: "This page holds names of people, as far as the audit log has them.", "Diese Seite enthält Namen, soweit das Audit-Log sie hat.";
    counted: "Joined and left is whom JobTicket has acknowledged.", "Als Zugang und Abgang zählt, was JobTicket bestätigt hat.";
    english: "Sentences of the audit log stand as they are.", "Sätze aus dem Audit-Log stehen auf Englisch.";
}
