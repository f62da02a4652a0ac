//! Commands beside a running service: they reach it at its control socket, and it answers as the program alone would.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser as _;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use serde_json::json;

use crate::daemon_runs::{Pause, wait_for};
use crate::deciding::{approved, as_json, decided, without_last};
use crate::service::Service;
use crate::support::{Company, JobTicket, Ran, people, ran};

const SCHEDULE: &str = "    schedule: {cron: [\"15 5 * * *\"], timezone: Europe/Berlin}\n";
/// Two seconds before the scheduled time.
const BEFORE: &str = "2026-11-23T04:14:58Z";

/// Five people in a file, and nothing due for hours.
fn company(jobticket: &JobTicket) -> Company {
    let mut company = Company::at(jobticket);
    company.integration = SCHEDULE.to_owned();
    company.deliver_people("20261120", &people(5));
    company
}

/// The program without the credential, which the service alone has.
fn without_credential(company: &Company, arguments: &[&str]) -> Ran {
    let mut command = company.command(arguments);
    command
        .env_remove("TEST_KEY_ID")
        .env_remove("TEST_KEY_SECRET");
    ran(&mut command)
}

#[test]
fn a_run_by_hand_is_made_by_the_service_with_the_credential_that_only_it_has() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    without_credential(&company, &["--run-now"]).exits(2);
    let service = Service::start(&company, &[]);
    without_credential(&company, &["--run-now", "--dry-run"])
        .exits(0)
        .says("joiners: 5")
        .says("Dry run");
    assert!(jobticket.pushes().is_empty());
    let pushed = without_credential(&company, &["--run-now", "--output", "json"]).exits(0);
    assert_eq!(pushed.report()["result"], "pushed");
    without_credential(&company, &["drift"]).exits(0);
    service.stops();
    assert_eq!(jobticket.active().len(), 5);
    let started = company.events("run_started");
    assert_eq!(started[1]["trigger"], "--run-now");
    // Without a service, the credential is missing again.
    without_credential(&company, &["drift"]).exits(2);
}

#[test]
fn an_unchanged_roster_is_pushed_again_where_somebody_asks_for_it() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    company.run_now().exits(0);
    company.run_now().exits(0).says("Nothing changed");
    assert_eq!(jobticket.pushes().len(), 1);
    company.run(&["--run-now", "--resync"]).exits(0);
    assert_eq!(jobticket.pushes().len(), 2);
    let service = Service::start(&company, &[]);
    company.run(&["--run-now"]).exits(0).says("Nothing changed");
    company.run(&["--run-now", "--resync"]).exits(0);
    service.stops();
    assert_eq!(jobticket.pushes().len(), 3);
    let started = company.events("run_started");
    assert_eq!(started.last().unwrap()["trigger"], "--run-now --resync");
}

#[test]
fn holds_are_shown_and_decided_beside_a_service_as_without_one() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    company.deliver_people("20261121", &people(20));
    company.run_now().exits(0);
    company.deliver_people("20261122", &without_last(20, 3));
    let config = company.path("config.yaml");
    let show = format!("jobticket-sync --config {} holds show 1", config.display());
    let ran = company.run_now().exits(3).says(&show);
    assert!(ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert!(ran.stderr.contains("people wait for a decision in hold 1"));
    let alone = as_json(&company, &["holds", "show", "1"]);
    let mut service = Service::start(&company, &[]);
    assert_eq!(as_json(&company, &["holds", "show", "1"]), alone);
    company
        .run(&["holds", "show", "9"])
        .exits(2)
        .says("There is no hold 9");
    company
        .run(&["approve", "1", "--reason", "told by HR"])
        .exits(2)
        .says("3 people lose their ticket")
        .says("--yes");
    decided(&company, &["keep", "00018", "--until", "2026-12-31"]);
    approved(&company, "1", &[]);
    service.runs_end(&company, 3);
    company
        .run(&["explain", "00018"])
        .exits(0)
        .says("2026-12-31");
    service.stops();
    assert_eq!(jobticket.active().len(), 18);
}

#[test]
fn the_socket_is_for_its_user_and_its_group_and_goes_with_the_service() {
    let company = company(&JobTicket::start());
    let socket = company.path("state/control.sock");
    let mut service = Service::start(&company, &[]);
    let of = std::fs::symlink_metadata(&socket).unwrap();
    assert!(of.file_type().is_socket());
    assert_eq!(of.permissions().mode() & 0o777, 0o660);
    // What a killed service leaves behind stops neither commands nor the next service.
    service.signal(Signal::SIGKILL);
    service.child.wait().unwrap();
    assert!(socket.exists());
    company.run(&["holds"]).exits(0);
    let service = Service::start(&company, &[]);
    company.run(&["holds"]).exits(0);
    service.stops();
    assert!(!socket.exists());
}

#[test]
fn what_was_said_not_to_be_done_is_not_done_later_either() {
    let jobticket = JobTicket::start();
    let company = company(&jobticket);
    let service = Service::start(&company, &[]);
    let mut stream = UnixStream::connect(company.path("state/control.sock")).unwrap();
    let arguments = ["jobticket-sync", "pause", "acme"];
    let arguments = arguments
        .into_iter()
        .chain(["--until", "2026-12-31", "--reason", "x"]);
    let cli = jobticket_sync::cli::Cli::parse_from(arguments);
    let request = json!({
        "version": env!("CARGO_PKG_VERSION"), "user": "x", "program": "x", "state": company.path("state"), "configuration": "", "cli": cli,
    });
    writeln!(stream, "{request}").unwrap();
    let mut word = [0; 8];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"\"ready\"\n");
    // Whoever has not waited says no more, and was told that nothing was done.
    drop(stream);
    company.run(&["status"]).exits(0);
    service.stops();
    assert!(company.events("decision").is_empty());
}

#[test]
fn one_user_cannot_take_every_place_at_the_socket() {
    let company = company(&JobTicket::start());
    let service = Service::start(&company, &[]);
    let connect = || UnixStream::connect(company.path("state/control.sock")).unwrap();
    let mut silent: Vec<UnixStream> = (0..12).map(|_| connect()).collect();
    // Those beyond the eighth are closed, and not kept waiting.
    let mut rest = silent.split_off(8);
    for one in &mut rest {
        let mut told = String::new();
        one.read_to_string(&mut told).unwrap();
        assert!(told.contains("nothing was done"), "{told}");
    }
    company
        .run(&["holds"])
        .exits(7)
        .says("8 commands of this user are in progress")
        .says("nothing was done");
    drop((silent, rest));
    wait_for("a place", || company.run(&["holds"]).code == 0);
    service.stops();
}

#[test]
fn a_second_service_on_the_same_state_does_not_start() {
    let company = company(&JobTicket::start());
    let service = Service::start(&company, &[]);
    company.run(&[]).exits(7).says("Another service");
    company.run(&["holds"]).exits(0);
    service.stops();
}

#[test]
fn a_socket_that_cannot_be_made_ends_the_service_with_the_code_of_a_wrong_configuration() {
    let mut company = company(&JobTicket::start());
    company.top = "control: {socket: nowhere/control.sock}\n".to_owned();
    company
        .run(&[])
        .exits(2)
        .says("nowhere/control.sock")
        .says("control.socket");
    company.top = format!("control: {{socket: {}.sock}}\n", "long".repeat(40));
    company.run(&[]).exits(2).says("control.socket");
    // Commands find no service there, and work on the state themselves.
    company.run(&["holds"]).exits(0);
}

/// What the service answers to a line.
fn answer(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_program_of_another_version_is_told_so_and_nonsense_stops_nothing() {
    let company = company(&JobTicket::start());
    let service = Service::start(&company, &[]);
    let socket = company.path("state/control.sock");
    let cli = json!({
        "run_now": true, "dry_run": false, "integration": null, "output": "Text", "wait": 60,
        "resync": false, "accept_clock": false, "command": null,
    });
    let request = json!({
        "version": "0.0.1", "user": "root", "program": "jobticket-sync", "configuration": "", "cli": cli,
    });
    let said = answer(&socket, &format!("{request}\n"));
    assert!(said.contains("this program is 0.0.1"), "{said}");
    for nonsense in [
        "",
        "\n",
        "{}\n",
        "{\"version\":\"0.0.1\"",
        &"x".repeat(200_000),
    ] {
        let _ = std::panic::catch_unwind(|| answer(&socket, nonsense));
    }
    company.run(&["holds"]).exits(0);
    service.stops();
    assert!(company.events("run_started").is_empty());
}

#[test]
fn a_run_with_a_configuration_that_the_service_has_not_read_is_refused() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    let mut service = Service::start(&company, &[]);
    company.integration = SCHEDULE.replace("15 5", "30 6");
    company.run_now().exits(2).says("reload");
    // Decisions and looks are the same under both.
    company.run(&["holds"]).exits(0);
    service.signal(Signal::SIGHUP);
    service.hears(|message| message.contains("READY=1") && message.contains("06:30"));
    company.run_now().exits(0).says("joiners: 5");
    service.stops();
}

#[test]
fn a_run_by_hand_waits_for_the_one_in_progress_or_says_that_it_did_not() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    BEFORE.clone_into(&mut company.now);
    jobticket.fail_pushes(1, &json!({ "stall": { "ms": 6_000 } }));
    let mut service = Service::start(&company, &[]);
    service.until(|_| (!company.events("push_intent").is_empty()).then_some(()));
    company
        .run(&["--run-now", "--wait", "0"])
        .exits(7)
        .says("in progress");
    company.run_now().exits(0).says("Nothing changed");
    service.stops();
    assert_eq!(jobticket.pushes().len(), 1);
    let started = company.events("run_started");
    let triggers: Vec<_> = started.iter().map(|line| &line["trigger"]).collect();
    assert_eq!(triggers, ["schedule 2026-11-23 04:15 UTC", "--run-now"]);
}

#[test]
fn a_paused_integration_pushes_nothing_until_it_is_resumed_or_the_day_is_over() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    BEFORE.clone_into(&mut company.now);
    let pause = ["pause", "acme", "--until", "2026-11-24"];
    company
        .run(&[&pause[..], &["--reason", " "]].concat())
        .exits(2);
    company
        .run(&["pause", "nobody", "--until", "2026-11-24", "--reason", "x"])
        .exits(2)
        .says("there are: acme");
    decided(&company, &pause);
    company
        .run_now()
        .exits(3)
        .says("PAUSED")
        .says("until 2026-11-24")
        .says("told by HR");
    company.run(&["--run-now", "--dry-run"]).exits(0);
    company
        .run(&["status"])
        .exits(3)
        .says("PAUSED until 2026-11-24 by")
        .says("told by HR");
    let mut service = Service::start(&company, &[]);
    service.until(|_| (!company.events("schedule_missed").is_empty()).then_some(()));
    company.run_now().exits(3).says("PAUSED");
    decided(&company, &["resume", "acme"]);
    company
        .run(&["resume", "acme", "--reason", "again"])
        .exits(2)
        .says("is not paused");
    company.run_now().exits(0).says("joiners: 5");
    decided(&company, &pause);
    service.stops();
    let missed = company.events("schedule_missed");
    assert_eq!(missed[0]["reason"], "the integration is paused");
    let kinds = company.events("decision");
    let kinds: Vec<_> = kinds.iter().map(|line| &line["decision"]).collect();
    assert_eq!(kinds, ["pause", "resume", "pause"]);
    // The last day is the last.
    company.deliver_people("20261121", &people(6));
    "2026-11-24T20:00:00Z".clone_into(&mut company.now);
    jobticket.hours_pass(40);
    company.run_now().exits(3).says("PAUSED");
    "2026-11-25T00:00:00Z".clone_into(&mut company.now);
    company.run_now().exits(0).says("joiners: 1");
}

#[test]
fn a_pause_stops_a_run_in_progress_before_it_pushes() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    BEFORE.clone_into(&mut company.now);
    let pause = Pause::at(&company, "pulled");
    let mut service = Service::start(&company, &[pause.variable()]);
    pause.is_reached();
    decided(&company, &["pause", "acme", "--until", "2026-11-24"])
        .says("A run in progress ends at its next safe point");
    pause.is_over();
    service.runs_end(&company, 1);
    service.stops();
    assert!(jobticket.pushes().is_empty());
    assert_eq!(company.events("run_ended")[0]["outcome"], "paused");
}

#[test]
fn what_is_due_while_somebody_looks_ahead_comes_after_that() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    BEFORE.clone_into(&mut company.now);
    let pause = Pause::at(&company, "pulled");
    let mut service = Service::start(&company, &[pause.variable()]);
    let look = company
        .command(&["--run-now", "--dry-run"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    pause.is_reached();
    service.hears(|message| message.contains("STATUS=acme: running"));
    wait_for("the scheduled time", || {
        let now = as_json(&company, &["status"]);
        now["at"].as_str().unwrap() > "2026-11-23T04:15:03"
    });
    pause.is_over();
    assert!(look.wait_with_output().unwrap().status.success());
    // The run that was due.
    pause.is_reached();
    pause.is_over();
    service.hears(|message| message.contains("next run Tue 2026-11-24"));
    service.stops();
    assert_eq!(jobticket.pushes().len(), 1);
    assert!(company.events("schedule_missed").is_empty());
    let started = company.events("run_started");
    let triggers: Vec<_> = started.iter().map(|line| &line["trigger"]).collect();
    assert_eq!(triggers, ["--run-now", "schedule 2026-11-23 04:15 UTC"]);
}

#[test]
fn a_run_that_was_asked_for_and_is_not_waited_for_any_more_is_not_made() {
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    BEFORE.clone_into(&mut company.now);
    let pause = Pause::at(&company, "pulled");
    let service = Service::start(&company, &[pause.variable()]);
    pause.is_reached();
    let mut asked = company.command(&["--run-now", "--resync"]).spawn().unwrap();
    let socket = company.path("state/control.sock");
    wait_for("the question", || socket_has_peer(&socket));
    asked.kill().unwrap();
    asked.wait().unwrap();
    // The service has seen the end of that connection once it has answered a later one.
    company.run(&["holds"]).exits(0);
    pause.is_over();
    wait_for("the push", || {
        !company.events("push_acknowledged").is_empty()
    });
    service.stops();
    assert_eq!(company.events("run_started").len(), 1);
}

/// Whether a program is connected to a socket.
fn socket_has_peer(socket: &Path) -> bool {
    let all = std::fs::read_to_string("/proc/net/unix").unwrap();
    let name = socket.with_extension("sock.new");
    // The listener, and its end of the connection.
    let path = name.to_str().unwrap();
    all.lines().filter(|line| line.ends_with(path)).count() > 1
}

#[test]
fn a_service_works_for_no_other_state_and_takes_no_socket_that_another_answers_at() {
    let (one, mut other) = (company(&JobTicket::start()), company(&JobTicket::start()));
    let service = Service::start(&one, &[]);
    let socket = one.path("state/control.sock");
    other.top = format!("control: {{socket: {}}}\n", socket.display());
    let pause = ["pause", "acme", "--until", "2026-12-24", "--reason", "x"];
    other
        .run(&pause)
        .exits(2)
        .says("works on")
        .says(one.path("state").to_str().unwrap());
    other
        .run(&[])
        .exits(2)
        .says("another service answers there");
    one.run(&["holds"]).exits(0);
    service.stops();
    assert!(one.events("decision").is_empty());
}

/// The program as somebody who is neither root nor the user of the service, if this test may do that.
fn as_nobody(company: &Company, arguments: &[&str]) -> Ran {
    let command = company.command(arguments);
    let program = company.path("program");
    let mut nobody = Command::new(&program);
    nobody
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .args(command.get_args())
        .uid(65_534)
        .gid(65_534)
        .stdin(Stdio::null());
    ran(&mut nobody)
}

#[test]
fn who_may_decide_is_whom_the_socket_lets_in_and_the_kernel_says_who_that_is() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can play another user");
        return;
    }
    let jobticket = JobTicket::start();
    let mut company = company(&jobticket);
    company.top = "control: {socket: run/control.sock}\n".to_owned();
    for folder in ["", "run"] {
        let folder = company.path(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::fs::copy(
        env!("CARGO_BIN_EXE_jobticket-sync"),
        company.path("program"),
    )
    .unwrap();
    let service = Service::start(&company, &[]);
    as_nobody(
        &company,
        &["pause", "acme", "--until", "2026-12-24", "--reason", "x"],
    )
    .exits(1)
    .says("does not let this user in");
    std::fs::set_permissions(
        company.path("run/control.sock"),
        PermissionsExt::from_mode(0o666),
    )
    .unwrap();
    as_nobody(
        &company,
        &["pause", "acme", "--until", "2026-12-24", "--reason", "x"],
    )
    .exits(0);
    service.stops();
    let decisions = company.events("decision");
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0]["user"], "nobody");
}
