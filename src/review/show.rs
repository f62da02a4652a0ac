//! Lines as text, as they are, or as a table. All of them stream: a log of years needs no more memory than one of a day.

use std::io::Write;

use serde_json::{Value, json};

use super::filter::Filter;
use super::pushes::{Fate, Pushes};
use super::{Review, ReviewError};
use crate::audit::{Entry, excepted, in_words, named};
use crate::cli::{AuditFormat, FilterArgs, Output};
use crate::exit::Exit;
use crate::zone::Zone;

/// The columns of the table.
const COLUMNS: [&str; 14] = [
    "seq",
    "time",
    "integration",
    "run",
    "event",
    "kind",
    "hrIds",
    "except",
    "hold",
    "user",
    "onBehalfOf",
    "reason",
    "acknowledged",
    "text",
];

/// Writes lines one after another.
pub(super) struct Printer<'p> {
    form: Form<'p>,
    zone: Zone,
    pub(super) written: u64,
}

enum Form<'p> {
    Text(&'p mut dyn Write),
    Lines(&'p mut dyn Write),
    Table(Box<csv::Writer<&'p mut dyn Write>>),
    Document(&'p mut dyn Write),
}

impl<'p> Printer<'p> {
    pub(super) fn new(
        format: AuditFormat,
        output: Output,
        zone: Zone,
        out: &'p mut dyn Write,
    ) -> Result<Self, ReviewError> {
        let form = match (format, output) {
            (AuditFormat::Text, Output::Text) => Form::Text(out),
            (AuditFormat::Text, Output::Json) => {
                out.write_all(b"{\"lines\":[")
                    .map_err(ReviewError::Output)?;
                Form::Document(out)
            }
            (AuditFormat::Jsonl, _) => Form::Lines(out),
            (AuditFormat::Csv, _) => {
                let mut table = csv::WriterBuilder::new()
                    .terminator(csv::Terminator::CRLF)
                    .from_writer(out);
                table
                    .write_record(COLUMNS)
                    .map_err(|error| ReviewError::Output(error.into()))?;
                Form::Table(Box::new(table))
            }
        };
        Ok(Self {
            form,
            zone,
            written: 0,
        })
    }

    /// Writes one line. `raw` is the line as it stands.
    pub(super) fn write(
        &mut self,
        entry: &Entry,
        raw: &[u8],
        pushes: Option<&Pushes>,
    ) -> Result<(), ReviewError> {
        let fate = pushes
            .filter(|_| entry.event == "change")
            .map(|pushes| pushes.fate(entry));
        let done = match &mut self.form {
            Form::Text(out) => writeln!(out, "{}", text(entry, fate, self.zone)),
            Form::Lines(out) => out.write_all(raw).and_then(|()| out.write_all(b"\n")),
            Form::Document(out) => {
                let comma: &[u8] = if self.written == 0 { b"\n" } else { b",\n" };
                out.write_all(comma).and_then(|()| out.write_all(raw))
            }
            Form::Table(table) => table
                .write_record(cells(entry, fate, self.zone))
                .map_err(Into::into),
        };
        self.written += 1;
        done.map_err(ReviewError::Output)
    }

    /// Puts what was written where it can be read.
    pub(super) fn flush(&mut self) -> Result<(), ReviewError> {
        let done = match &mut self.form {
            Form::Text(out) | Form::Lines(out) | Form::Document(out) => out.flush(),
            Form::Table(table) => table.flush(),
        };
        done.map_err(ReviewError::Output)
    }

    /// Writes the end.
    pub(super) fn end(mut self, exit: Exit) -> Result<(), ReviewError> {
        let written = self.written;
        let done = match &mut self.form {
            Form::Text(out) if written == 0 => writeln!(out, "No line of the audit log matches"),
            Form::Text(out) => writeln!(
                out,
                "{written} {}",
                if written == 1 { "line" } else { "lines" }
            ),
            Form::Document(out) => writeln!(out, "\n],\"exitCode\":{}}}", json!(exit)),
            Form::Lines(_) | Form::Table(_) => Ok(()),
        };
        done.map_err(ReviewError::Output)?;
        self.flush()
    }
}

/// A line for people.
fn text(entry: &Entry, fate: Option<Fate<'_>>, zone: Zone) -> String {
    let time = entry
        .time
        .with_timezone(&zone)
        .format("%Y-%m-%d %H:%M:%S %Z");
    let integration = entry.integration.as_deref().unwrap_or("-");
    let fate = match fate {
        Some(Fate::Acknowledged(environment)) => format!("; acknowledged by {environment}"),
        Some(Fate::NotAcknowledged) => "; pushed, and not acknowledged".to_owned(),
        Some(Fate::NotPushed) => "; not pushed".to_owned(),
        None => String::new(),
    };
    let run = entry
        .run
        .as_ref()
        .map_or_else(String::new, |run| format!("  [run {run}]"));
    // A text from outside may hold what turns a terminal upside down.
    let words = clean(&in_words(&entry.line));
    format!("{time}  {integration}  {words}{fate}{run}")
}

/// A row of the table. No cell is a formula.
fn cells(entry: &Entry, fate: Option<Fate<'_>>, zone: Zone) -> [String; COLUMNS.len()] {
    let text = |key: &str| match &entry.line[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let acknowledged = match fate {
        Some(Fate::Acknowledged(environment)) => environment.to_owned(),
        Some(Fate::NotAcknowledged | Fate::NotPushed) => "no".to_owned(),
        None => String::new(),
    };
    let except = excepted(&entry.line);
    let mut meant = named(&entry.line);
    meant.retain(|hr_id| !except.contains(hr_id));
    [
        entry.seq.to_string(),
        entry.time.with_timezone(&zone).to_rfc3339(),
        entry.integration.clone().unwrap_or_default(),
        entry.run.clone().unwrap_or_default(),
        entry.event.clone(),
        text("kind"),
        meant.join(" "),
        except.join(" "),
        text("hold"),
        text("user"),
        text("onBehalfOf"),
        text("reason"),
        acknowledged,
        in_words(&entry.line),
    ]
    .map(|cell| harmless(&clean(&cell)))
}

/// Spreadsheets take a cell that begins so for a formula, whoever wrote the text in it.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

/// Without control characters.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl Review<'_> {
    pub(super) fn show(
        &self,
        arguments: &FilterArgs,
        format: AuditFormat,
        out: &mut dyn Write,
    ) -> Result<Exit, ReviewError> {
        let zone = self.config.timezone;
        let mut filter = Filter::of(arguments, self.integration, zone)?;
        let failed = self.unreadable();
        let log = self.log();
        let plain = format == AuditFormat::Jsonl
            || self.output == Output::Json && format == AuditFormat::Text;
        let pushes = (!plain || filter.needs_pushes())
            .then(|| Pushes::read(&log, filter.span))
            .transpose()
            .map_err(&failed)?;
        let mut entries = log
            .read(filter.span)
            .map_err(&failed)?
            .containing(filter.texts());
        let mut printer = Printer::new(format, self.output, zone, out)?;
        while let Some(raw) = entries.next_line().map_err(&failed)? {
            let Some(entry) = Entry::of(raw) else {
                continue;
            };
            if filter.matches(&entry, pushes.as_ref()) {
                printer.write(&entry, raw, pushes.as_ref())?;
            }
        }
        printer.end(Exit::Done)?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_decision_leaves_out_stands_in_a_column_of_its_own() {
        let line = br#"{"seq":7,"time":"2026-11-23T08:00:00.000Z","integration":"acme","event":"decision","decision":"approve","hold":3,"user":"mira","reason":"seen","hrIds":["00001","00002"],"except":["00003"],"prev":""}"#;
        let row = cells(&Entry::of(line).unwrap(), None, Zone::berlin());
        let cell = |name: &str| &row[COLUMNS.iter().position(|column| *column == name).unwrap()];
        assert_eq!(
            (cell("hrIds").as_str(), cell("except").as_str()),
            ("00001 00002", "00003")
        );
        assert_eq!(cell("time"), "2026-11-23T09:00:00+01:00");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        // What a spreadsheet skips at the beginning is no way around it.
        assert_eq!(harmless(&clean("\t=1")), " =1");
        assert_eq!(harmless("00123"), "00123");
    }
}
