//! A roster on a real SFTP server: which file is taken, that it is taken once, and what happens to it in the end.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::api_support::status;
use crate::scene::tells_nothing_personal;
use crate::sftp_between::Between;
use crate::sftp_sshd::{Sshd, company, company_at, host_key, put_on_server};
use crate::support::{Company, JobTicket, people, person, table};

/// The names in a folder of the company, sorted.
pub(crate) fn names(company: &Company, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(company.path(folder)) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_roster_of_a_server_is_pushed_over_one_connection_and_not_fetched_again() {
    let Some(sshd) = Sshd::start() else { return };
    let between = Between::start(sshd.port);
    let mut company = company_at(between.port, |_| {});
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5   leavers: 0");
    assert_eq!(between.connections(), 1);
    let fetched = between.passed();
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    // Once more, some time later, for its looks may be those of another.
    "2026-11-23T06:15:00Z".clone_into(&mut company.now);
    company.run_now().exits(0).says("Nothing changed");
    assert!(between.passed() >= fetched, "it was not fetched again");
    assert_eq!(between.connections(), 1);
    "2026-11-23T07:15:00Z".clone_into(&mut company.now);
    let ran = company.run_now().exits(0);
    ran.says("No newer file than roster_20261120.csv")
        .says("Nothing changed");
    assert_eq!(between.connections(), 1);
    assert!(between.passed() < fetched, "it was fetched again");
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(0).says("joiners: 1   leavers: 0");
    // Other rules need the file again, and it is there.
    company.edit("firstName: Vorname", "firstName: Nachname");
    company.asks += ", changed: {percent: 100, at_least: 10}";
    company.run_now().exits(0).says("changed: 6");
}

#[test]
fn the_rules_of_a_drop_folder_hold_on_a_server_too() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(4);
    ran.says("its marker roster_20261120.csv.done is missing");
    company.deliver("roster_20261120.csv.done", "");
    company.run_now().exits(0).says("joiners: 5");
    company.deliver_people("20261121", &people(1));
    let ran = company.run_now().exits(0);
    ran.says("A newer file is not complete yet")
        .says("Nothing changed");
    // Zero bytes, a link, a name that is not UTF-8.
    company.deliver("roster_20261122.csv", "");
    company.deliver("roster_20261122.csv.done", "");
    company.run_now().exits(4).says("is empty (0 bytes)");
    fs::remove_file(company.path("drop/roster_20261122.csv")).unwrap();
    let link = company.path("drop/roster_20261123.csv");
    std::os::unix::fs::symlink("roster_20261120.csv", &link).unwrap();
    let ran = company.run_now().exits(4);
    ran.says("roster_20261123.csv is a link and not a file");
    fs::remove_file(link).unwrap();
    let latin = std::ffi::OsStr::from_bytes(b"roster_M\xFCnchen.csv");
    fs::write(company.path("drop").join(latin), "").unwrap();
    let ran = company.run_now().exits(4);
    ran.says("roster_M\u{FFFD}nchen.csv").says("is not UTF-8");
    fs::remove_file(company.path("drop").join(latin)).unwrap();
    fs::create_dir(company.path("drop/roster_20261123.csv")).unwrap();
    let other = std::ffi::OsStr::from_bytes(b"b\xFCcher.txt");
    fs::write(company.path("drop").join(other), "").unwrap();
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn packed_files_of_a_server_are_unpacked_by_the_same_intake() {
    let Some(sshd) = Sshd::start() else { return };
    let company = company(&sshd, |_| {});
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, table(&people(5)).as_bytes()).unwrap();
    company.deliver("roster_20261120.csv", packed.finish().unwrap());
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn ten_thousand_files_are_listed_and_the_newest_is_taken() {
    let Some(sshd) = Sshd::start() else { return };
    let company = company(&sshd, |_| {});
    for number in 0..10_000 {
        fs::write(company.path(&format!("drop/old_{number}.xml")), "").unwrap();
    }
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn a_file_moves_on_its_server_after_the_push_and_overwrites_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    let done = company.path("done").display().to_string();
    company.source += &format!("        after: {{move: {done}}}\n");
    company.edit("ready: rename", "ready: {marker: \"{name}.done\"}");
    company.deliver_people("20261119", &people(3));
    company.deliver("roster_20261119.csv.done", "");
    company.deliver_people("20261120", &people(5));
    company.deliver("roster_20261120.csv.done", "");
    company.run(&["--run-now", "--dry-run"]).exits(0);
    assert_eq!(names(&company, "drop").len(), 4);
    company.run_now().exits(0).says("joiners: 5");
    assert!(names(&company, "drop").is_empty());
    assert_eq!(names(&company, "done").len(), 4);
    let event = company.events("file_archived").pop().unwrap();
    assert_eq!(event["to"], format!("{done}/roster_20261120.csv"));
    company.run_now().exits(0).says("Nothing changed");
    // The same name once more.
    company.deliver_people("20261120", &people(6));
    company.deliver("roster_20261120.csv.done", "");
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(names(&company, "done").len(), 6);
    let first = fs::read_to_string(company.path("done/roster_20261120.csv"));
    assert_eq!(first.unwrap(), table(&people(5)));
}

#[test]
fn a_file_is_deleted_on_its_server_only_after_the_push() {
    let Some(sshd) = Sshd::start() else { return };
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    put_on_server(&mut company, sshd.port, |_| {});
    company.source += "        after: delete\n";
    company.deliver_people("20261120", &people(5));
    jobticket.fail_pushes(1, &status(403));
    company.run_now().exits(5);
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    company.run_now().exits(0);
    assert!(names(&company, "drop").is_empty());
    assert_eq!(jobticket.active().len(), 5);
}

#[test]
fn an_account_that_may_only_read_is_a_warning_and_pushes_nothing_again() {
    let key = host_key_or_none();
    let Some(key) = key else { return };
    let more = "ForceCommand internal-sftp -R\n";
    let Some(sshd) = Sshd::with(&[&key], &[], more) else {
        return;
    };
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    put_on_server(&mut company, sshd.port, |_| {});
    company.source += &format!(
        "        after: {{move: {}}}\n",
        company.path("done").display()
    );
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(0).says("Warning: The folder");
    ran.says("permission denied").says("joiners: 5");
    for hour in 6..9 {
        company.now = format!("2026-11-23T0{hour}:15:00Z");
        let ran = company.run_now().exits(0).says("Nothing changed");
        let ran = ran.says("Warning: The folder");
        if hour > 6 {
            ran.says("No newer file than roster_20261120.csv");
        }
    }
    assert_eq!(jobticket.pushes().len(), 1);
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    company.deliver_people("20261121", &people(6));
    company.run_now().exits(0).says("joiners: 1");
}

fn host_key_or_none() -> Option<std::path::PathBuf> {
    crate::sftp_sshd::is_here().then(|| host_key("ed25519"))
}

#[test]
fn check_connects_names_the_file_and_changes_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.source += &format!(
        "        after: {{move: {}}}\n",
        company.path("done").display()
    );
    company.deliver_people("20261120", &people(5));
    let ran = company.run(&["check"]).exits(0);
    let ran = ran.says("source headquarters: new, roster_20261120.csv, 5 rows, 5 selected");
    tells_nothing_personal(&ran);
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    assert!(!company.path("done").exists());
    assert!(!company.path("state/state.db").exists());
    company.run(&["check", "--offline"]).exits(0);
}

#[test]
fn a_source_on_a_server_that_fails_is_frozen_alone() {
    let Some(mut sshd) = Sshd::start() else {
        return;
    };
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    let config = fs::read_to_string(company.write_config()).unwrap();
    let begin = config.find("      - name: headquarters").unwrap();
    let block = config[begin..].split("    limits:").next().unwrap();
    let branch = block.replace("name: headquarters", "name: branch");
    let branch = branch.replace("folder: drop", "folder: other");
    put_on_server(&mut company, sshd.port, |_| {});
    company.edit("    limits:", &format!("{branch}    limits:"));
    company.asks += ", joiners: {percent: 100, at_least: 10}";
    fs::create_dir(company.path("other")).unwrap();
    let deliver = |day: &str, numbers: &[&str]| {
        let staff: Vec<_> = numbers.iter().map(|number| person(number)).collect();
        let name = format!("roster_{day}.csv");
        company.deliver(&name, table(&staff));
        let (from, to) = (
            company.path("drop").join(&name),
            company.path("other").join(&name),
        );
        fs::copy(&from, to).unwrap();
        fs::remove_file(from).unwrap();
    };
    deliver("20261120", &["00011", "00012"]);
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    assert_eq!(jobticket.active().len(), 7);
    sshd.stop();
    deliver("20261121", &["00011", "00012", "00013"]);
    let ran = company.run_now().exits(4).says("cannot be reached");
    ran.says("joiners: 1   leavers: 0");
    assert_eq!(jobticket.active().len(), 8);
}

#[test]
fn a_server_that_shows_a_part_of_itself_alone_is_read_by_its_own_paths() {
    if !crate::sftp_sshd::is_here() {
        return;
    }
    // OpenSSH wants every folder above it to be root's and nobody else's to write to.
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let is_safe = |path: &std::path::Path| {
        let metadata = fs::metadata(path).unwrap();
        metadata.uid() == 0 && metadata.mode() & 0o022 == 0
    };
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if !nix::unistd::geteuid().is_root() || !root.path().ancestors().all(is_safe) {
        eprintln!("SKIPPED: only root in folders of root may change the root of a server");
        return;
    }
    let more = format!("ChrootDirectory {}\n", root.path().display());
    let Some(sshd) = Sshd::with(&[&host_key("ed25519")], &[], &more) else {
        return;
    };
    let mut company = company(&sshd, |server| server.folder = "/out".to_owned());
    company.source += "        after: {move: /out/done}\n";
    company.deliver_people("20261120", &people(5));
    fs::create_dir(root.path().join("out")).unwrap();
    let (from, to) = (
        company.path("drop/roster_20261120.csv"),
        root.path().join("out/roster_20261120.csv"),
    );
    fs::copy(&from, &to).unwrap();
    let written = fs::metadata(from).unwrap().modified().unwrap();
    fs::File::options()
        .write(true)
        .open(to)
        .unwrap()
        .set_modified(written)
        .unwrap();
    company.run_now().exits(0).says("joiners: 5");
    assert!(root.path().join("out/done/roster_20261120.csv").exists());
}

/// The most memory that a run has had, bytes, and its exit code.
fn most_memory(company: &Company) -> (u64, i32) {
    let mut child = company
        .command(&["--run-now", "--dry-run"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            return (most, status.code().unwrap());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_file_of_100_megabytes_takes_no_more_memory_than_one_of_this_machine() {
    let Some(sshd) = Sshd::start() else { return };
    // Few people with very long remarks.
    let mut text = String::new();
    for (number, line) in table(&people(200)).lines().enumerate() {
        let remark = if number == 0 {
            "Bemerkung".to_owned()
        } else {
            "x".repeat(500_000)
        };
        text += &format!("{line};{remark}\r\n");
    }
    assert!(text.len() > 100_000_000);
    let mut local = Company::new();
    local.deliver("roster_20261120.csv", &text);
    let (of_local, code) = most_memory(&local);
    assert_eq!(code, 0);
    put_on_server(&mut local, sshd.port, |_| {});
    let (of_server, code) = most_memory(&local);
    assert_eq!(code, 0);
    eprintln!("{of_local} bytes from this machine, {of_server} from a server");
    assert!(of_server < of_local + (24 << 20), "{of_server} {of_local}");
}
