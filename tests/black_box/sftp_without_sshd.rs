//! The same from a server inside the test: passwords and dialogues, servers unlike OpenSSH, and servers that send anything.

use std::fs;
use std::time::{Duration, Instant};

use russh::keys::Algorithm;
use russh::keys::ssh_key::{LineEnding, PrivateKey};

use crate::scene::tells_nothing_personal;
use crate::sftp::names;
use crate::sftp_server::{Habit, Server, Ways};
use crate::support::{Company, people, table};

const PASSWORD: &str = "an invented password";

/// A company whose drop folder is on this server, where the password logs in.
fn company(server: &Server) -> Company {
    let mut company = Company::new();
    let (pin, port) = (server.pin.clone(), server.port);
    let folder = company.path("drop").display().to_string();
    company.edit(
        "        type: csv_drop\n        folder: drop\n",
        &format!(
            "        type: sftp\n        host: localhost\n        port: {port}\n        user: acme-hr\n        host_keys: [\"{pin}\"]\n        auth: [{{password: {{env: TEST_PASSWORD}}}}]\n        folder: {folder}\n"
        ),
    );
    let variable = ("TEST_PASSWORD".to_owned(), PASSWORD.to_owned());
    company.variables.push(variable);
    company.deliver_people("20261120", &people(5));
    company
}

fn password() -> Ways {
    Ways {
        password: Some(PASSWORD),
        ..Ways::default()
    }
}

#[test]
fn a_password_logs_in_and_is_never_said() {
    let server = Server::start(password(), Habit::Unlike);
    let company = company(&server);
    let ran = company.run_now().exits(0).says("joiners: 5");
    assert!(!format!("{ran:?}").contains(PASSWORD));
    assert_eq!(server.tried(), [format!("password {PASSWORD}")]);
    for (_, content) in company.state_files() {
        let holds = content.windows(PASSWORD.len());
        assert!(holds.into_iter().all(|bytes| bytes != PASSWORD.as_bytes()));
    }
}

#[test]
fn a_wrong_password_is_tried_once() {
    let ways = Ways {
        password: Some("another"),
        dialogue: Some(("another", &[("Password: ", false)])),
        ..Ways::default()
    };
    let server = Server::start(ways, Habit::Unlike);
    let company = company(&server);
    let ran = company
        .run_now()
        .exits(4)
        .says("refuses the login of acme-hr");
    let ran = ran.says("tried: password");
    assert!(!format!("{ran:?}").contains(PASSWORD));
    assert_eq!(server.tried(), [format!("password {PASSWORD}")]);
}

#[test]
fn a_dialogue_gets_the_password_as_the_answer_to_its_one_hidden_question() {
    for (questions, answered) in [
        (&[("Password: ", false)][..], true),
        (&[("Password: ", true)], false),
        (&[("User: ", true), ("Password: ", false)], false),
        (&[("Password: ", false), ("Code: ", false)], false),
    ] {
        let ways = Ways {
            dialogue: Some((PASSWORD, questions)),
            ..Ways::default()
        };
        let server = Server::start(ways, Habit::Unlike);
        let company = company(&server);
        if answered {
            company.run_now().exits(0).says("joiners: 5");
            assert_eq!(server.tried().len(), 1);
        } else {
            company.run_now().exits(4).says("refuses the login");
            assert!(server.tried().is_empty(), "{questions:?}");
        }
    }
}

#[test]
fn a_server_that_wants_a_key_and_then_a_password_gets_both() {
    let ways = Ways {
        password: Some(PASSWORD),
        key_first: true,
        ..Ways::default()
    };
    let server = Server::start(ways, Habit::Unlike);
    let mut company = company(&server);
    let mut random = russh::keys::key::safe_rng();
    let key = PrivateKey::random(&mut random, Algorithm::Ed25519).unwrap();
    let key = key.to_openssh(LineEnding::LF).unwrap();
    fs::write(company.path("key"), key.as_bytes()).unwrap();
    company.edit("auth: [", "auth: [{private_key: {file: key}}, ");
    company.run_now().exits(0).says("joiners: 5");
    assert_eq!(
        server.tried(),
        ["key".to_owned(), format!("password {PASSWORD}")]
    );
}

#[test]
fn another_key_than_the_pinned_one_gets_no_password() {
    let server = Server::start(password(), Habit::Unlike);
    let other = Server::start(password(), Habit::Unlike);
    let mut company = company(&server);
    company.edit(&server.pin, &other.pin);
    let ran = company.run_now().exits(4).says(&server.pin);
    ran.says("shows another key");
    assert!(server.tried().is_empty());
}

#[test]
fn a_server_unlike_openssh_is_read_and_archived_on_all_the_same() {
    for habit in [Habit::Unlike, Habit::NamesAlone] {
        let server = Server::start(password(), habit);
        let mut company = company(&server);
        // A listing in one packet, larger than most would take.
        for number in 0..3000 {
            let name =
                format!("an old file with a rather long name for a file, number {number}.xml");
            fs::write(company.path("drop").join(name), "").unwrap();
        }
        company.source += &format!(
            "        after: {{move: {}}}\n",
            company.path("done").display()
        );
        company.deliver_people("20261120", &people(300));
        company.run_now().exits(0).says("joiners: 300");
        assert_eq!(names(&company, "done"), ["roster_20261120.csv"]);
        // It would rename over it.
        company.asks += ", changed: {percent: 100, at_least: 10}";
        company.deliver_people("20261120", &people(301));
        company.run_now().exits(0).says("joiners: 1");
        assert_eq!(names(&company, "done").len(), 2);
        let first = fs::read_to_string(company.path("done/roster_20261120.csv"));
        assert_eq!(first.unwrap(), table(&people(300)));
    }
}

#[test]
fn a_deleted_file_was_the_one_that_was_read() {
    let server = Server::start(password(), Habit::Unlike);
    let mut company = company(&server);
    company.source += "        after: delete\n";
    company.run_now().exits(0).says("joiners: 5");
    assert!(names(&company, "drop").is_empty());
}

#[test]
fn a_server_that_sends_anything_fails_the_source_soon() {
    for (habit, says) in [
        (Habit::Announces, "is not SFTP"),
        (Habit::Babbles, "is not SFTP"),
        (Habit::Answers, "is not SFTP"),
        (Habit::Endless, "holds more than 200000 files"),
        (Habit::None, "it offers no SFTP there"),
    ] {
        let server = Server::start(password(), habit);
        let company = company(&server);
        let began = Instant::now();
        let ran = company.run_now().exits(4).says(says);
        tells_nothing_personal(&ran);
        assert!(!ran.stderr.contains("in the server's words"));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let server = Server::start(password(), Habit::Unlike);
    let company = company(&server);
    fs::remove_dir_all(company.path("drop")).unwrap();
    let ran = company.run_now().exits(4).says("cannot be listed");
    ran.says("no such file or folder");
}
