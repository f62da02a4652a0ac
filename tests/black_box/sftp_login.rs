//! Who the server is, and who we are: keys that are pinned, and every way to log in that an ordinary process can test.

use std::path::Path;

use crate::scene::tells_nothing_personal;
use crate::service::Service;
use crate::sftp_between::Between;
use crate::sftp_sshd::{
    Sshd, company, company_at, fingerprint, host_key, is_here, key, other_host_key, user_key,
};
use crate::support::people;

const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

#[test]
fn a_server_is_known_by_any_one_pin_whatever_kinds_of_keys_it_has() {
    if !is_here() {
        return;
    }
    for kind in KINDS {
        let pin = fingerprint(&host_key(kind));
        // It has this one key alone, and then all of them, of which this one is pinned; a second pin is of a key that is gone.
        let all: Vec<_> = KINDS.iter().map(|kind| host_key(kind)).collect();
        let all: Vec<&Path> = all.iter().map(AsRef::as_ref).collect();
        let one = host_key(kind);
        for keys in [vec![one.as_path()], all] {
            let Some(sshd) = Sshd::with(&keys, &[], "") else {
                return;
            };
            let between = Between::start(sshd.port);
            let company = company_at(between.port, |server| {
                server.pins = vec![fingerprint(&other_host_key(kind)), pin.clone()];
            });
            company.deliver_people("20261120", &people(5));
            company.run_now().exits(0).says("joiners: 5");
            let most = if keys.len() == 1 { 1 } else { 3 };
            assert!(between.connections() <= most, "{kind}");
        }
    }
}

#[test]
fn a_wrong_key_ends_the_connection_before_the_login_and_is_named() {
    if !is_here() {
        return;
    }
    let (ed25519, rsa) = (host_key("ed25519"), host_key("rsa"));
    let Some(sshd) = Sshd::with(&[&ed25519, &rsa], &[], "") else {
        return;
    };
    let between = Between::start(sshd.port);
    let company = company_at(between.port, |server| {
        server.pins = vec![fingerprint(&other_host_key("ed25519"))];
    });
    company.deliver_people("20261120", &people(5));
    let ran = company.run_now().exits(4).says("shows another key");
    let ran = ran.says(&fingerprint(&ed25519)).says(&fingerprint(&rsa));
    let ran = ran.says("nothing was sent to it").says("ssh-keygen -lf");
    tells_nothing_personal(&ran);
    assert!(between.connections() <= 3);
    // A login is a few thousand bytes more.
    assert!(between.passed() < 4000, "{}", between.passed());
}

#[test]
fn a_server_without_a_pin_is_shown_by_check_and_by_no_means_used() {
    if !is_here() {
        return;
    }
    let all: Vec<_> = KINDS.iter().map(|kind| host_key(kind)).collect();
    let all: Vec<&Path> = all.iter().map(AsRef::as_ref).collect();
    let Some(sshd) = Sshd::with(&all, &[], "") else {
        return;
    };
    let company = company(&sshd, |server| server.pins.clear());
    company.deliver_people("20261120", &people(5));
    for arguments in [&["check"][..], &["--run-now"]] {
        let mut ran = company.run(arguments).exits(4).says("No key is pinned");
        for key in &all {
            ran = ran.says(&fingerprint(key));
        }
    }
}

#[test]
fn every_kind_and_form_of_private_key_logs_in() {
    if !is_here() {
        return;
    }
    let forms: [(&str, &[&str], Option<&str>); 10] = [
        ("ed", &["-t", "ed25519", "-N", ""], None),
        (
            "ed_pass",
            &["-t", "ed25519", "-N", "geheim zwei"],
            Some("geheim zwei"),
        ),
        ("ec256", &["-t", "ecdsa", "-b", "256", "-N", ""], None),
        ("ec384", &["-t", "ecdsa", "-b", "384", "-N", ""], None),
        ("ec521", &["-t", "ecdsa", "-b", "521", "-N", ""], None),
        ("ec_pem", &["-t", "ecdsa", "-m", "PEM", "-N", ""], None),
        (
            "ec_pkcs8",
            &["-t", "ecdsa", "-m", "PKCS8", "-N", "geheim"],
            Some("geheim"),
        ),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""], None),
        (
            "rsa_pem_pass",
            &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "geheim"],
            Some("geheim"),
        ),
        (
            "rsa_pkcs8",
            &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""],
            None,
        ),
    ];
    let keys: Vec<_> = forms
        .iter()
        .map(|(name, arguments, _)| key(&format!("form_{name}"), arguments))
        .collect();
    let users: Vec<&Path> = keys.iter().map(AsRef::as_ref).collect();
    let host = host_key("ed25519");
    let Some(sshd) = Sshd::with(&[&host], &users, "") else {
        return;
    };
    for ((name, _, passphrase), key) in forms.iter().zip(&keys) {
        let mut company = company(&sshd, |server| {
            let passphrase = passphrase.map_or("", |_| ", passphrase: {env: TEST_PASSPHRASE}");
            server.auth = format!("[{{private_key: {{file: {}}}{passphrase}}}]", key.display());
        });
        company.deliver_people("20261120", &people(5));
        if let Some(passphrase) = passphrase {
            let variable = ("TEST_PASSPHRASE".to_owned(), (*passphrase).to_owned());
            company.variables.push(variable);
        }
        eprintln!("{name}");
        company.run_now().exits(0).says("joiners: 5");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_said_before_anybody_is_asked_and_never_quoted() {
    let Some(sshd) = Sshd::start() else { return };
    let between = Between::start(sshd.port);
    let locked = key("locked", &["-t", "ed25519", "-N", "geheim"]);
    let auth = |more: &str| format!("[{{private_key: {{file: {}}}{more}}}]", locked.display());
    for (auth, says) in [
        (auth(""), "name its passphrase beside it"),
        (
            auth(", passphrase: {env: TEST_PASSPHRASE}"),
            "the passphrase is wrong",
        ),
        (
            "[{private_key: {file: config.yaml}}]".to_owned(),
            "it is not a private key",
        ),
        (
            format!("[{{private_key: {{file: {}.pub}}}}]", locked.display()),
            "the one without .pub",
        ),
        (
            "[{private_key: {file: key.ppk}}]".to_owned(),
            "convert it with `puttygen",
        ),
        ("[{password: {file: nowhere}}]".to_owned(), "cannot be read"),
    ] {
        let mut company = company_at(between.port, |server| server.auth = auth.clone());
        company
            .variables
            .push(("TEST_PASSPHRASE".to_owned(), "falsch-geraten".to_owned()));
        let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n";
        std::fs::write(company.path("key.ppk"), putty).unwrap();
        company.deliver_people("20261120", &people(5));
        for arguments in [&["--run-now"][..], &["check", "--offline"]] {
            let ran = company.run(arguments).exits(4).says(says);
            assert!(!format!("{ran:?}").contains("falsch-geraten"));
        }
        assert_eq!(between.connections(), 0);
    }
}

#[test]
fn ways_to_log_in_are_tried_in_their_order() {
    let Some(sshd) = Sshd::start() else { return };
    let unknown = key("unknown", &["-t", "ed25519", "-N", ""]);
    let company = company(&sshd, |server| {
        server.auth = format!(
            "[{{password: {{env: TEST_PASSWORD}}}}, {{private_key: {{file: {}}}}}, {{private_key: {{file: {}}}}}]",
            unknown.display(),
            user_key().display()
        );
    });
    company.deliver_people("20261120", &people(5));
    let mut company = company;
    company
        .variables
        .push(("TEST_PASSWORD".to_owned(), "invented".to_owned()));
    company.run_now().exits(0).says("joiners: 5");
}

#[test]
fn a_refused_login_is_not_tried_again_by_the_schedule_and_at_once_by_hand() {
    let Some(sshd) = Sshd::start() else { return };
    let between = Between::start(sshd.port);
    let unknown = key("unknown", &["-t", "ed25519", "-N", ""]);
    let mut company = company_at(between.port, |server| {
        server.auth = format!("[{{private_key: {{file: {}}}}}]", unknown.display());
    });
    company.deliver_people("20261120", &people(5));
    company.integration += "    schedule: {cron: [\"* * * * *\"], retry_minutes: 1}\n";
    let ran = company.run_now().exits(4).says("refuses the login");
    ran.says(&format!("tried: private_key {}", fingerprint(&unknown)))
        .says("it still offers: publickey")
        .says("have its operator enter the public key. A run by hand tries at once, a scheduled one after 2026-11-23 11:15 UTC");
    assert_eq!(between.connections(), 1);
    company.run_now().exits(4).says("refuses the login");
    assert_eq!(between.connections(), 1);
    // Through the service, which then comes to a scheduled run.
    company.now = "2026-11-23T05:15:50Z".to_owned();
    let mut service = Service::start(&company, &[]);
    company.run_now().exits(4).says("refuses the login");
    assert_eq!(between.connections(), 1);
    service.runs_end(&company, 4);
    let said = service.stops();
    assert_eq!(between.connections(), 0, "{said}");
    assert!(said.contains("A run by hand tries at once"), "{said}");
    sshd.lets_in(&[&unknown]);
    company.run_now().exits(0).says("joiners: 5");
    company.run(&["status"]).exits(0);
}

#[test]
fn a_refused_login_is_tried_again_by_the_schedule_once_another_secret_lies_there() {
    let Some(sshd) = Sshd::start() else { return };
    let unknown = key("unknown", &["-t", "ed25519", "-N", ""]);
    let mut company = company(&sshd, |server| {
        server.auth = "[{private_key: {file: login_key}}]".to_owned();
    });
    std::fs::copy(&unknown, company.path("login_key")).unwrap();
    company.deliver_people("20261120", &people(5));
    company.integration += "    schedule: {cron: [\"* * * * *\"], retry_minutes: 1}\n";
    company.now = "2026-11-23T05:15:50Z".to_owned();
    let mut service = Service::start(&company, &[]);
    company.run_now().exits(4).says("refuses the login");
    std::fs::copy(user_key(), company.path("login_key")).unwrap();
    service.until(|_| (!company.events("push_acknowledged").is_empty()).then_some(()));
    service.stops();
}

#[test]
fn a_server_that_hangs_up_on_a_wrong_login_has_refused_it() {
    if !is_here() {
        return;
    }
    let Some(sshd) = Sshd::with(&[&host_key("ed25519")], &[], "MaxAuthTries 1\n") else {
        return;
    };
    let unknown = key("unknown", &["-t", "ed25519", "-N", ""]);
    let company = company(&sshd, |server| {
        server.auth = format!("[{{private_key: {{file: {}}}}}]", unknown.display());
    });
    company.deliver_people("20261120", &people(5));
    company.run_now().exits(4).says("refuses the login");
}

#[test]
fn old_and_narrow_servers_are_spoken_to_and_those_that_only_know_sha_1_are_not() {
    if !is_here() {
        return;
    }
    let keys = [host_key("ed25519"), host_key("rsa")];
    let (ed25519, rsa) = (keys[0].as_path(), keys[1].as_path());
    for more in [
        "KexAlgorithms ecdh-sha2-nistp256\nCiphers aes128-ctr\nMACs hmac-sha2-256\n",
        "KexAlgorithms ecdh-sha2-nistp521\nCiphers chacha20-poly1305@openssh.com\n",
        "KexAlgorithms diffie-hellman-group-exchange-sha256\nCiphers aes256-gcm@openssh.com\nRekeyLimit 64K\n",
        "KexAlgorithms diffie-hellman-group14-sha256\nCiphers aes256-ctr\nMACs hmac-sha2-512-etm@openssh.com\n",
    ] {
        let Some(sshd) = Sshd::with(&[ed25519], &[], more) else {
            return;
        };
        let company = company(&sshd, |_| {});
        company.deliver_people("20261120", &people(1500));
        company.run_now().exits(0).says("joiners: 1500");
    }
    for more in [
        "HostKeyAlgorithms ssh-rsa\n",
        "KexAlgorithms diffie-hellman-group14-sha1\n",
    ] {
        let Some(sshd) = Sshd::with(&[rsa], &[], more) else {
            return;
        };
        let company = company(&sshd, |server| server.pins = vec![fingerprint(rsa)]);
        company.deliver_people("20261120", &people(5));
        let ran = company.run_now().exits(4);
        let said = ran.stdout;
        assert!(
            said.contains("has no key of a kind that is safe") || said.contains("could not agree"),
            "{said}"
        );
    }
}
