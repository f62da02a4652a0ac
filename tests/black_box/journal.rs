//! What a line on stderr looks like where stderr leads to systemd's journal. Its native protocol needs a journal; `tests/systemd.sh` looks at that.

use std::io::{PipeReader, PipeWriter, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Company, people};

/// A pipe, and how systemd would name it.
fn stream() -> (PipeReader, PipeWriter, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    let file = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let file = std::fs::metadata(file).unwrap();
    let name = format!("{}:{}", file.dev(), file.ino());
    (reader, writer, name)
}

/// What the program writes to its stderr, told that `JOURNAL_STREAM` is what `named` makes of its name.
fn says(company: &Company, arguments: &[&str], named: impl Fn(String) -> String) -> String {
    let (mut reader, writer, name) = stream();
    let mut command = company.command(arguments);
    command
        .env("JOURNAL_STREAM", named(name))
        .stderr(writer)
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // It holds the writing end.
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn every_line_bears_its_priority_and_json_stays_json() {
    let mut company = Company::new();
    company.top = "log: {format: json}\n".to_owned();
    company.deliver_people("20261120", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261121", &people(1));
    let said = says(&company, &["--run-now"], |name| name);
    assert!(said.lines().count() > 2, "{said}");
    for line in said.lines() {
        let (priority, line) = line.split_at(3);
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = match line["level"].as_str().unwrap() {
            "ERROR" => "<3>",
            "WARN" => "<4>",
            _ => "<6>",
        };
        assert_eq!(priority, expected, "{line}");
    }
    assert!(said.contains("<4>"), "{said}");
}

#[test]
fn text_bears_its_priority_where_the_native_protocol_is_not_there() {
    // On a machine with a journal the lines would go there.
    if Path::new("/run/systemd/journal/socket").exists() {
        return;
    }
    let company = Company::new();
    company.deliver_people("20261120", &people(5));
    let said = says(&company, &["--run-now"], |name| name);
    assert!(said.contains("Run ended"), "{said}");
    assert!(said.lines().all(|line| line.starts_with("<6>")), "{said}");
}

#[test]
fn an_error_before_the_log_begins_bears_its_priority_on_every_line() {
    let mut company = Company::new();
    company.top = "nonsense: 1\nmore: 2\n".to_owned();
    let said = says(&company, &["--run-now"], |name| name);
    assert!(said.lines().count() > 1, "{said}");
    assert!(said.lines().all(|line| line.starts_with("<3>")), "{said}");
}

#[test]
fn stderr_that_leads_elsewhere_stays_as_it_is() {
    let company = Company::new();
    company.deliver_people("20261120", &people(5));
    for other in ["1:1", "", "nonsense"] {
        let said = says(&company, &["--run-now"], |_| other.to_owned());
        assert!(said.contains("Run ended"), "{said}");
        assert!(!said.contains("<6>"), "{said}");
    }
}
