//! What is delivered beside the program: the units, the manual, the completions, and the package that holds them.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[path = "../examples/manual/pages.rs"]
mod pages;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use jobticket_sync::cli::Cli;
use jobticket_sync::exit::Exit;

const UNITS: [&str; 3] = [
    "jobticket-sync.service",
    "jobticket-sync@.service",
    "jobticket-sync-run@.service",
];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap()
}

/// The settings of a unit's [Service], each with its value.
fn settings(unit: &str) -> Vec<String> {
    let text = text(&format!("systemd/{unit}"));
    let (_, service) = text.split_once("[Service]\n").unwrap();
    let service = service.split("\n[").next().unwrap();
    let set = |line: &&str| !line.is_empty() && !line.starts_with('#');
    service.lines().filter(set).map(str::to_owned).collect()
}

fn value<'s>(settings: &'s [String], key: &str) -> &'s str {
    let mut values = settings
        .iter()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {key}"));
    assert_eq!(values.next(), None, "{key} stands twice");
    value
}

#[test]
fn all_units_run_in_the_same_sandbox() {
    let sandbox = |unit: &str| {
        let settings = settings(unit);
        let begin = settings
            .iter()
            .position(|line| line == "ProtectSystem=strict");
        settings[begin.unwrap()..].to_vec()
    };
    let first = sandbox(UNITS[0]);
    assert!(first.len() > 30, "{first:?}");
    for unit in &UNITS[1..] {
        assert_eq!(sandbox(unit), first, "{unit}");
    }
    for unit in UNITS {
        let settings = settings(unit);
        for (key, wanted) in [
            ("User", "jobticket-sync"),
            ("Group", "jobticket-sync"),
            ("UMask", "0077"),
            ("StateDirectoryMode", "0700"),
            ("LogsDirectoryMode", "0700"),
            ("TimeoutStopSec", "5min"),
        ] {
            assert_eq!(value(&settings, key), wanted, "{unit}");
        }
    }
}

#[test]
fn the_service_and_its_instances_differ_in_nothing_but_the_name() {
    let service = settings(UNITS[0]).join("\n");
    let instance = settings(UNITS[1])
        .join("\n")
        .replace("jobticket-sync/%i jobticket-sync/ledger", "jobticket-sync")
        .replace("jobticket-sync/%i", "jobticket-sync");
    assert_eq!(instance, service);
}

#[test]
fn a_single_run_fails_for_every_exit_code_but_those_with_which_the_run_did_what_it_may() {
    let settings = settings(UNITS[2]);
    let good: Vec<u8> = value(&settings, "SuccessExitStatus")
        .split(' ')
        .map(|code| code.parse().unwrap())
        .collect();
    assert_eq!(good, [Exit::Waits.code(), Exit::RowsRejected.code()]);
}

#[test]
fn a_unit_finds_the_program_of_the_package_and_one_installed_by_hand() {
    for unit in UNITS {
        let settings = settings(unit);
        assert!(value(&settings, "ExecStart").starts_with("jobticket-sync --config "));
    }
}

fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    pages::write(folder.path()).unwrap();
    folder
}

fn pages_of(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
    found.insert(format!("{name}.8"));
    for command in command.get_subcommands() {
        pages_of(command, &format!("{name}-{}", command.get_name()), found);
    }
}

#[test]
fn the_program_and_every_command_have_a_page() {
    let folder = written();
    let mut wanted = BTreeSet::new();
    pages_of(&Cli::command(), "jobticket-sync", &mut wanted);
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "8"))
        .collect();
    assert_eq!(found, wanted);
    assert!(wanted.contains("jobticket-sync-holds-show.8"));
    let approve = std::fs::read_to_string(folder.path().join("jobticket-sync-approve.8")).unwrap();
    assert!(approve.contains("people with a new number lose the ticket"));
}

#[test]
fn the_page_of_the_program_has_its_exit_codes_files_and_signals() {
    let folder = written();
    let page = std::fs::read_to_string(folder.path().join("jobticket-sync.8")).unwrap();
    let section = |title: &str| {
        let (_, rest) = page
            .split_once(&format!("\n.SH {title}\n"))
            .unwrap_or_else(|| panic!("no section {title}"));
        rest.split("\n.SH ").next().unwrap().to_owned()
    };
    let exits = section("\"EXIT STATUS\"");
    for code in 0..=Exit::RowsRejected.code() {
        assert!(exits.contains(&format!("  {code}  ")), "{code}: {exits}");
    }
    assert!(section("FILES").contains("/etc/jobticket\\-sync/config.yaml"));
    assert!(section("SIGNALS").contains("SIGHUP"));
    assert!(section("EXAMPLES").contains("holds show 3"));
    assert!(section("\"SEE ALSO\"").contains("jobticket\\-sync\\-approve(8)"));
}

#[test]
fn three_shells_complete_every_command() {
    let folder = written();
    for name in [
        "jobticket-sync.bash",
        "_jobticket-sync",
        "jobticket-sync.fish",
    ] {
        let script = std::fs::read_to_string(folder.path().join(name)).unwrap();
        for command in Cli::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{name}: {command}");
        }
        assert!(script.contains("run-now"), "{name}");
    }
}

#[test]
fn everything_beside_the_program_is_in_the_package() {
    let cargo = text("Cargo.toml");
    let (_, package) = cargo.split_once("[package.metadata.deb]").unwrap();
    let package = package.split("\n[").next().unwrap();
    let packed: BTreeSet<&str> = package
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next())
        .collect();
    for entry in std::fs::read_dir(project("systemd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("systemd/{name}");
        assert!(
            project(&path).is_dir() || packed.contains(path.as_str()),
            "{path} is not in the package"
        );
    }
    for path in packed {
        let made = path.starts_with("target/");
        let there = project(path.trim_end_matches("/*")).exists();
        assert!(made || there, "{path} does not exist");
    }
}

#[test]
fn the_changelog_of_the_package_begins_with_the_version_of_the_program() {
    let wanted = concat!("jobticket-sync (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(text("systemd/debian/changelog").starts_with(wanted));
}

#[test]
fn the_scripts_of_the_package_are_sound_shell_and_start_or_enable_nothing() {
    for name in ["postinst", "prerm", "postrm"] {
        let path = format!("systemd/debian/{name}");
        let checked = Command::new("sh").arg("-n").arg(project(&path)).status();
        assert!(checked.unwrap().success(), "{name}");
        let script = text(&path);
        for forbidden in [" enable ", "systemctl start", "invoke start", " restart "] {
            assert!(!script.contains(forbidden), "{name}: {forbidden}");
        }
    }
}
