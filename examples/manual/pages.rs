//! The pages, one for the program and one for each command, as `git` has them, and the completions of three shells.
//!
//! What `--help` says is not said a second time here: options, examples and exit codes come from there. What only a manual has (files,
//! signals, variables) is below.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use jobticket_sync::cli::Cli;

/// "System administration commands and daemons" (man(1)).
const SECTION: &str = "8";

const FILES: [(&str, &str); 9] = [
    (
        "/etc/jobticket-sync/config.yaml",
        "The configuration, unless --config names another. Every key is explained in config.example.yaml.",
    ),
    (
        "/etc/jobticket-sync/NAME/config.yaml",
        "That of the instance jobticket-sync@NAME.",
    ),
    (
        "/etc/jobticket-sync/credentials/",
        "Where the units' LoadCredential= takes secrets from, for root alone.",
    ),
    (
        "state_dir/state.db",
        "The store: the roster that JobTicket acknowledged last, holds, decisions and runs. state_dir is a key of the configuration, and /var/lib/jobticket-sync where systemd runs the program. It holds personal data.",
    ),
    (
        "state_dir/audit.jsonl",
        "The audit log, unless audit.path names another.",
    ),
    (
        "state_dir/requests.db",
        "The request ledger, unless ledger_dir names another folder. All who use one credential share one.",
    ),
    (
        "/run/jobticket-sync/",
        "The folder of the control sockets, for the group jobticket-approvers.",
    ),
    (
        "jobticket-sync.service, jobticket-sync@.service",
        "The service, and one instance of it a company.",
    ),
    (
        "jobticket-sync-run@.service",
        "One run of the integration behind the @, with the credentials of the unit.",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGTERM, SIGINT",
        "The service starts no run any more. One in progress ends at its next safe point, and a push waits for its answer; then the exit code is 0. A single run ends at once, and the next one finishes its work.",
    ),
    (
        "SIGHUP",
        "The service reads its configuration and secrets again. Where anything is wrong with them, the log says what, and the old ones stay in force. state_dir and systemd credentials need a restart.",
    ),
];

const ENVIRONMENT: [(&str, &str); 3] = [
    (
        "CREDENTIALS_DIRECTORY",
        "Where systemd puts the secrets that the configuration calls {credential: NAME}.",
    ),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC",
        "Where and how often the service tells systemd that it is ready, what it does, and that it lives.",
    ),
    (
        "HTTPS_PROXY, NO_PROXY",
        "The proxy on the way to JobTicket. A unit inherits none; set it in a drop-in.",
    ),
];

/// Writes the pages and completions to a folder, which is made.
///
/// # Errors
/// What the system said.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "jobticket-sync", folder)?;
    }
    let mut program = Cli::command();
    program.build();
    fs::write(folder.join("jobticket-sync.8"), main_page(&program)?)?;
    commands(&program, folder)
}

fn page(command: &Command) -> Man {
    Man::new(command.clone())
        .section(SECTION)
        .manual("jobticket-sync")
        .source(concat!("jobticket-sync ", env!("CARGO_PKG_VERSION")))
}

fn commands(above: &Command, folder: &Path) -> io::Result<()> {
    for command in above.get_subcommands() {
        let page = page(command);
        let mut text = Vec::new();
        page.render(&mut text)?;
        let mut more = Roff::new();
        more.control("SH", ["SEE ALSO"]);
        more.text([bold("jobticket-sync"), roman("(8)")]);
        text.write_all(more.to_roff().as_bytes())?;
        fs::write(folder.join(page.get_filename()), text)?;
        commands(command, folder)?;
    }
    Ok(())
}

fn main_page(program: &Command) -> io::Result<Vec<u8>> {
    let page = page(program);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["DESCRIPTION"]);
    more.text([roman(
        "Reads the rosters that HR exports, compares them with what JobTicket acknowledged last, and pushes the full roster when something has changed. \
         Every push replaces the whole roster, and whoever is missing from it loses their ticket; so whoever is in question stays in until a person decides.",
    )]);
    more.control("PP", []);
    more.text([roman(
        "Without --run-now and without a command it is the service, which systemd starts, and which runs each integration by its schedule until it is stopped.",
    )]);
    text.write_all(more.to_roff().as_bytes())?;
    page.render_options_section(&mut text)?;
    page.render_subcommands_section(&mut text)?;
    let mut more = Roff::new();
    let help = program
        .get_after_long_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let Some((examples, exits)) = help.split_once("\n\nExit codes") else {
        return Err(io::Error::other(
            "the help of the program has no part that begins with \"Exit codes\"",
        ));
    };
    more.control("SH", ["EXIT STATUS"]);
    as_it_stands(&mut more, &format!("Exit codes{exits}"));
    more.control("SH", ["EXAMPLES"]);
    as_it_stands(&mut more, examples.trim_start_matches("Examples:\n"));
    list(&mut more, "FILES", &FILES);
    list(&mut more, "SIGNALS", &SIGNALS);
    list(&mut more, "ENVIRONMENT", &ENVIRONMENT);
    more.control("SH", ["SEE ALSO"]);
    let mut others: Vec<String> = program
        .get_subcommands()
        .map(|command| format!("jobticket-sync-{}(8)", command.get_name()))
        .collect();
    others.extend(["systemctl(1)".into(), "systemd.exec(5)".into()]);
    more.text([roman(others.join(", "))]);
    text.write_all(more.to_roff().as_bytes())?;
    Ok(text)
}

/// Lines that keep their form.
fn as_it_stands(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn list(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (what, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*what)]);
        roff.text([roman(*meaning)]);
    }
}
