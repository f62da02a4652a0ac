//! Servers that break off, say nothing, or change a file while it is read: nobody is lost, nothing hangs, and nothing is left behind.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::sftp::names;
use crate::sftp_between::{Between, Then};
use crate::sftp_sshd::{Sshd, company, company_at, put_on_server};
use crate::support::{Company, JobTicket, Ran, people, person, table};

const SHORT: &str = "        timeouts: {connect_seconds: 2, login_seconds: 2, list_seconds: 2, read_seconds: 2, total_seconds: 10}\n";

/// What a sender does to a file.
type Change = fn(&Company);

/// A run in the middle of which, at this point, something happens.
pub(crate) fn paused_at(point: &str, company: &Company, during: impl FnOnce()) -> Ran {
    let pause = company.path("paused");
    let mut command = company.command(&["--run-now"]);
    command.env(
        "JOBTICKET_SYNC_TEST_PAUSE",
        format!("{point}:{}", pause.display()),
    );
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !pause.exists() {
        assert!(Instant::now() < end, "it did not come so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    during();
    fs::remove_file(&pause).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Nothing of a file that was being fetched is in the state folder.
#[track_caller]
fn left_nothing(company: &Company) {
    for (path, content) in company.state_files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.starts_with("fetching-"), "{name}");
        let holds = content.windows(9).any(|bytes| bytes == b";Vorname;");
        assert!(!holds, "{name} holds the file");
    }
}

#[test]
fn a_server_that_breaks_off_or_goes_silent_anywhere_changes_nobody() {
    let Some(sshd) = Sshd::start() else { return };
    for then in [Then::Cut, Then::Silence] {
        let between = Between::with(sshd.port, then);
        let mut company = company_at(between.port, |server| server.more = SHORT.to_owned());
        company.deliver_people("20261120", &people(5));
        company.run_now().exits(0);
        let whole = between.passed();
        company.deliver("roster_20261121.csv", table(&people(400)));
        company.asks += ", joiners: {percent: 100, at_least: 20}";
        let _ = company.run(&["--run-now", "--dry-run"]);
        let more = between.passed();
        assert!(more > whole);
        let steps = match then {
            Then::Cut => 16,
            Then::Silence => 5,
        };
        for step in 0..steps {
            between.after(10 + (more - 100) * step / steps);
            between.connections();
            let began = Instant::now();
            let ran = company.run_now().exits(4);
            assert!(began.elapsed() < Duration::from_secs(20), "step {step}");
            tells_nothing_personal(&ran);
            assert_eq!(between.connections(), 1, "step {step}");
            left_nothing(&company);
        }
        between.after(u64::MAX);
        let _ = company.run_now();
        let ran = company.run_now();
        assert!(
            ran.stdout.contains("400 rows") || ran.stdout.contains("No newer file"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn a_server_that_never_answers_has_an_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    if !crate::sftp_sshd::is_here() {
        return;
    }
    let company = company_at(port, |server| server.more = SHORT.to_owned());
    let began = Instant::now();
    let ran = company.run_now().exits(4);
    ran.says("was not done within 2 seconds");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_taken() {
    let Some(sshd) = Sshd::start() else { return };
    let company = company(&sshd, |_| {});
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(0);
    let changes: [Change; 4] = [
        |company| {
            let mut whole = table(&people(5));
            whole += "00009;Anna";
            company.deliver("roster_20261121.csv", whole);
        },
        |company| {
            // As long as before, and written at another time.
            let mut staff = people(4);
            staff.push(person("00009"));
            company.deliver_written("roster_20261121.csv", table(&staff), 60);
        },
        |company| fs::remove_file(company.path("drop/roster_20261121.csv")).unwrap(),
        |company| {
            let path = company.path("drop/roster_20261121.csv");
            fs::rename(&path, company.path("drop/else")).unwrap();
            std::os::unix::fs::symlink("else", &path).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let _ = fs::remove_file(company.path("drop/roster_20261121.csv"));
        company.deliver_people("20261121", &people(5));
        let ran = paused_at("fetched", &company, || change(&company)).exits(4);
        assert!(
            ran.stdout.contains("changed while it was read"),
            "change {number}: {}",
            ran.stdout
        );
    }
}

#[test]
fn a_program_that_is_killed_while_it_fetches_leaves_nothing_behind() {
    let Some(sshd) = Sshd::start() else { return };
    let mut company = company(&sshd, |_| {});
    company.deliver_people("20261120", &people(5));
    // As a kill in the instant in which such a file has a name would leave it.
    let state = company.path("state");
    fs::create_dir(&state).unwrap();
    let left = state.join("fetching-0123456789abcdef0123456789abcdef.part");
    fs::write(&left, table(&people(5))).unwrap();
    let pause = company.path("paused");
    let value = format!("fetched:{}", pause.display());
    company
        .variables
        .push(("JOBTICKET_SYNC_TEST_PAUSE".to_owned(), value));
    let mut child = company.command(&["--run-now"]).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !pause.exists() {
        assert!(Instant::now() < end, "it did not come so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    left_nothing(&company);
    company.variables.clear();
    company.run_now().exits(0).says("joiners: 5");
    left_nothing(&company);
}

#[test]
fn a_service_that_is_to_stop_leaves_a_silent_server_at_once() {
    let Some(sshd) = Sshd::start() else { return };
    let between = Between::with(sshd.port, Then::Silence);
    between.after(100);
    let mut company = company_at(between.port, |_| {});
    company.deliver_people("20261120", &people(5));
    company.integration += "    schedule: {cron: [\"* * * * *\"]}\n";
    company.now = "2026-11-23T05:15:58Z".to_owned();
    let mut service = Service::start(&company, &[]);
    service.until(|_| (between.passed() >= 100).then_some(()));
    let began = Instant::now();
    service.signal(Signal::SIGTERM);
    let said = service.ends(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{said}");
    assert!(company.events("source_failed").is_empty());
}

/// A company whose files move on their server, and its JobTicket.
pub(crate) fn moving(sshd: &Sshd) -> (Company, JobTicket) {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    put_on_server(&mut company, sshd.port, |_| {});
    let done = company.path("done").display().to_string();
    company.source += &format!("        after: {{move: {done}}}\n");
    company.deliver_people("20261120", &people(5));
    (company, jobticket)
}

#[test]
fn a_program_that_is_killed_between_push_and_move_moves_the_file_later_and_pushes_once() {
    let Some(sshd) = Sshd::start() else { return };
    for point in ["answered", "acknowledged", "archived"] {
        let (mut company, jobticket) = moving(&sshd);
        let crash = ("JOBTICKET_SYNC_TEST_CRASH".to_owned(), point.to_owned());
        company.variables.push(crash);
        assert_eq!(company.run_now().code, -1, "{point}");
        company.variables.pop();
        company.run_now().exits(0);
        assert_eq!(names(&company, "done"), ["roster_20261120.csv"], "{point}");
        assert_eq!(jobticket.pushes().len(), 1, "{point}");
    }
}

#[test]
fn a_server_that_is_gone_after_the_push_is_a_warning_and_the_next_run_goes_on() {
    let Some(mut sshd) = Sshd::start() else {
        return;
    };
    let (mut company, jobticket) = moving(&sshd);
    let ran = paused_at("acknowledged", &company, || sshd.stop()).exits(0);
    ran.says("Warning: ").says("cannot be reached");
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    let Some(again) = Sshd::start() else { return };
    company.edit(
        &format!("port: {}\n", sshd.port),
        &format!("port: {}\n", again.port),
    );
    company.run_now().exits(0).says("Nothing changed");
    assert_eq!(names(&company, "done"), ["roster_20261120.csv"]);
    assert_eq!(jobticket.pushes().len(), 1);
}

#[test]
fn a_file_that_came_between_reading_and_moving_stays_and_is_read() {
    let Some(sshd) = Sshd::start() else { return };
    let (company, jobticket) = moving(&sshd);
    let ran = paused_at("acknowledged", &company, || {
        company.deliver_people("20261120", &people(6));
    });
    ran.exits(0).says("changed after it was read and stays");
    assert_eq!(names(&company, "drop"), ["roster_20261120.csv"]);
    company.run_now().exits(0).says("joiners: 1");
    assert_eq!(jobticket.active().len(), 6);
    assert_eq!(names(&company, "done"), ["roster_20261120.csv"]);
}
