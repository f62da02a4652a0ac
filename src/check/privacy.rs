//! `check --privacy`: which fields of people go where, and for how long, as the configuration has it. For the works council and the data protection officer; reads nothing but the configuration.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{After, AuditValues, Config, Fields, Integration, Source, SourceType};

/// One place that data of people goes to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Goes {
    place: String,
    fields: String,
    how_long: String,
}

/// The table as text and as a document.
pub fn privacy(config: &Config, chosen: &[&Integration]) -> (String, Value) {
    let mut rows = Vec::new();
    for integration in chosen {
        of_integration(config, integration, &mut rows);
    }
    of_all(config, &mut rows);
    let mut text = "| where | what | how long |\n| --- | --- | --- |\n".to_owned();
    for Goes {
        place,
        fields,
        how_long,
    } in &rows
    {
        let _ = writeln!(text, "| {place} | {fields} | {how_long} |");
    }
    (text, json!({ "privacy": rows, "exitCode": 0 }))
}

fn row(
    rows: &mut Vec<Goes>,
    place: impl Into<String>,
    fields: impl Into<String>,
    how_long: impl Into<String>,
) {
    rows.push(Goes {
        place: place.into(),
        fields: fields.into(),
        how_long: how_long.into(),
    });
}

/// The fields of JobTicket that a source fills.
fn filled(fields: &Fields) -> Vec<&'static str> {
    let optional = [
        ("dateOfBirth", fields.date_of_birth.is_some()),
        ("startDate", fields.start_date.is_some()),
        ("terminationDate", fields.termination_date.is_some()),
        ("autoSyncEmployee", fields.auto_sync_employee.is_some()),
        ("absences", fields.absences.is_some()),
    ];
    let always = ["hrId", "firstName", "lastName", "email"].into_iter();
    always
        .chain(
            optional
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(name, _)| name),
        )
        .collect()
}

fn of_integration(config: &Config, integration: &Integration, rows: &mut Vec<Goes>) {
    let name = &integration.name;
    let mut fields: Vec<&str> = Vec::new();
    for field in integration
        .sources
        .iter()
        .flat_map(|source| filled(&source.fields))
    {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let fields = fields.join(", ");
    let there = integration.jobticket.environment_name();
    row(
        rows,
        format!("{name}: JobTicket ({there})"),
        &fields,
        "while the person is in the roster; then by JobTicket's own rules",
    );
    row(
        rows,
        format!("{name}: store, roster acknowledged last"),
        &fields,
        "while the person is in the roster",
    );
    row(
        rows,
        format!("{name}: store, pushes"),
        &fields,
        "until the end of the push is known",
    );
    for source in &integration.sources {
        of_source(config, integration, source, rows);
    }
}

fn of_source(config: &Config, integration: &Integration, source: &Source, rows: &mut Vec<Goes>) {
    let place = format!("{}, source {}", integration.name, source.name);
    let left = config.leavers_keep_days.map_or_else(String::new, |days| {
        format!("; of leavers at most {days} days after they left")
    });
    row(
        rows,
        format!("{place}: store, last good roster"),
        filled(&source.fields).join(", "),
        format!("until the next delivery that was taken{left}"),
    );
    let all = "everything that HR delivers in the file";
    match (source.kind, &source.after) {
        (SourceType::Rest, _) => row(
            rows,
            format!("{place}: HR system"),
            "nothing of it is kept besides the fields above",
            "while a run is in progress, in memory",
        ),
        (SourceType::CsvDrop, After::Archive(folder)) => {
            let folder = folder.display();
            let days = source.archive_keep_days.map_or_else(
                || "until somebody removes them; archive_keep_days is not set".to_owned(),
                |days| format!("{days} days after they were put there"),
            );
            row(
                rows,
                format!("{place}: drop folder"),
                all,
                "until a run has used the file",
            );
            row(rows, format!("{place}: archive {folder}"), all, days);
        }
        (SourceType::CsvDrop, _) => row(
            rows,
            format!("{place}: drop folder"),
            all,
            "until somebody removes the files; `after` leaves them",
        ),
        (SourceType::Sftp, after) => {
            let days = match after {
                After::Delete => {
                    "on the server until it was used; here in memory and in a private file while a run is in progress"
                }
                After::Move(_) | After::Archive(_) => {
                    "on the server, where it is moved once it was used, until somebody removes it there"
                }
                After::Keep => "on the server until somebody removes it there",
            };
            row(rows, format!("{place}: SFTP server"), all, days);
        }
    }
}

fn of_all(config: &Config, rows: &mut Vec<Goes>) {
    let values = match config.audit.values {
        AuditValues::None => "no value",
        AuditValues::Masked => "first letters of changed values, and the year of changed dates",
        AuditValues::Full => {
            "changed values as they are, and all values of those who join and leave"
        }
    };
    let letters = match config.audit.values {
        AuditValues::None => "no value",
        AuditValues::Masked | AuditValues::Full => "first letters",
    };
    let months = config.audit.keep_months.map_or_else(
        || "for ever (audit.keep_months: null)".to_owned(),
        |months| format!("{months} months, in whole files"),
    );
    let left = match config.leavers_keep_days {
        Some(days) => format!("; values {days} days after the person left"),
        None => "; values just as long, or until `forget`".to_owned(),
    };
    row(
        rows,
        "audit log",
        format!(
            "hrIds, names of fields, last days of employment, who decided and why; {values}; of a changed configuration its keys and values, but of rules and of whom to notify {letters}"
        ),
        format!("{months}{left}"),
    );
    row(
        rows,
        "store, leavers",
        "hrId, when and why they left, the last day of employment where that is why",
        "400 days",
    );
    row(
        rows,
        "store, holds and decisions",
        "hrIds, reasons, who decided",
        "for ever; people of holds that are over until `forget`",
    );
    row(
        rows,
        "operational log (journal)",
        "hrIds and names of fields, no value",
        "as the journal is configured",
    );
    let channels = config.notify.iter().flat_map(|notify| &notify.channels);
    for channel in channels {
        row(
            rows,
            format!("notifications: {}, to whoever receives them", channel.name),
            "hrIds of people who wait in holds, and what would happen to them; no value",
            "by the receivers' own rules; `forget` does not reach them",
        );
    }
    row(
        rows,
        "reports",
        "hrIds, when and why people left, who decided; names where `audit.values: full` keeps them",
        "until somebody removes them; `forget` does not reach them",
    );
    row(
        rows,
        "backups",
        "all of the store and the audit log",
        "until somebody removes them; `forget` does not reach them",
    );
    row(
        rows,
        "control socket, metrics, status",
        "numbers; hrIds in messages",
        "not kept",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_tells_where_everything_goes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml");
        let config = crate::config::load(&path).unwrap();
        let all: Vec<&Integration> = config.integrations.iter().collect();
        let (text, json) = privacy(&config, &all);
        for place in [
            "JobTicket",
            "last good roster",
            "audit log",
            "backups",
            "journal",
            "drop folder",
        ] {
            assert!(text.contains(place), "{place}: {text}");
        }
        assert!(text.contains("36 months"), "{text}");
        assert!(json["privacy"].as_array().unwrap().len() > 8);
    }
}
