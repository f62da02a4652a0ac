//! Wrong configurations of a source on a server: refused with the key and what to write instead, and never with a secret.

use crate::sftp_sshd::put_on_server;
use crate::support::Company;

const LINE: &str = "        host: 127.0.0.1\n";

/// A company on a server, with this text of the configuration replaced. Nothing is asked of the server.
fn edited(from: &str, to: &str) -> Company {
    let mut company = Company::new();
    put_on_server(&mut company, 22, |server| {
        server.pins = vec!["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned()];
        server.auth = "[{password: {env: TEST_PASSWORD}}]".to_owned();
    });
    company
        .variables
        .push(("TEST_PASSWORD".to_owned(), "invented".to_owned()));
    company.edit(from, to);
    company
}

#[test]
fn what_a_server_needs_and_what_it_cannot_do_is_told_with_its_key() {
    for host in ["127.0.0.1", "'::1'", "'[::1]'", "sftp.example.com"] {
        let host = format!("        host: {host}\n");
        edited(LINE, &host).run(&["check", "--offline"]).exits(0);
    }
    for (from, to, key, says) in [
        (LINE, "", "host", "needs the name of its server"),
        (LINE, "        host: a@b\n", "host", "alone"),
        (LINE, "        host: 127.0.0.1:22\n", "host", "alone"),
        (
            "host_keys: [\"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\"]",
            "host_keys: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "host_keys",
            "put it in brackets: [ ]",
        ),
        (
            "        port: 22\n",
            "        port: 0\n",
            "port",
            "1 to 65535",
        ),
        (
            "        auth: [",
            "        auth: []\n        # [",
            "auth",
            "needs a way to log in",
        ),
        ("SHA256:", "MD5:", "host_keys", "ssh-keygen -lf"),
        (
            "{password:",
            "{passwort:",
            "auth[0].passwort",
            "did you mean `password`?",
        ),
        (
            "{password: {env: TEST_PASSWORD}}",
            "{passphrase: {env: TEST_PASSWORD}}",
            "auth[0]",
            "as an item of its own",
        ),
        (
            "{password: {env: TEST_PASSWORD}}",
            "{password: Geheim-1}",
            "auth[0].password",
            "does not stand in this file",
        ),
        (
            LINE,
            "        host: h\n        watch: true\n",
            "watch",
            "cannot be watched",
        ),
        (
            LINE,
            "        host: h\n        after: {archive: /x}\n",
            "after",
            "stay on it",
        ),
        (
            LINE,
            "        host: h\n        after: {mvoe: /x}\n",
            "after",
            "{move: /path}",
        ),
        (
            LINE,
            "        host: h\n        timeouts: {list_seconds: 0}\n",
            "timeouts.list_seconds",
            "1 to 3600 seconds",
        ),
    ] {
        let ran = edited(from, to).run(&["check", "--offline"]).exits(2);
        let ran = ran.says(&format!("sources[0].{key}: ")).says(says);
        assert!(!ran.stderr.contains("Geheim-1"));
    }
}

#[test]
fn the_keys_of_a_server_are_refused_for_a_folder_of_this_machine() {
    for (line, key) in [
        ("host: h", "host"),
        ("port: 22", "port"),
        ("user: u", "user"),
        ("host_keys: []", "host_keys"),
        ("timeouts: {}", "timeouts"),
        ("after: delete", "after"),
        ("after: {move: /x}", "after"),
    ] {
        let mut company = Company::new();
        company.source += &format!("        {line}\n");
        let ran = company.run(&["check", "--offline"]).exits(2);
        ran.says(&format!("sources[0].{key}: ")).says("csv_drop");
    }
}

#[test]
fn two_sources_that_could_take_each_others_files_on_a_server_are_refused() {
    let mut company = edited(LINE, LINE);
    let config = std::fs::read_to_string(company.write_config()).unwrap();
    let begin = config.find("      - name: headquarters").unwrap();
    let block = config[begin..].split("    limits:").next().unwrap();
    for (from, to, code) in [
        ("name: headquarters", "name: other", 2),
        ("user: ", "user: other-", 0),
        ("127.0.0.1", "127.0.0.2", 0),
    ] {
        let second = block
            .replace("name: headquarters", "name: other")
            .replace(from, to);
        company.edits.truncate(2);
        company.edit("    limits:", &format!("{second}    limits:"));
        company.run(&["check", "--offline"]).exits(code);
    }
}

#[test]
fn secrets_of_a_login_are_looked_for_by_check_offline() {
    let mut company = edited("{env: TEST_PASSWORD}", "{env: TEST_OTHER}");
    let ran = company.run(&["check", "--offline"]).exits(4);
    ran.says("source headquarters: The environment variable TEST_OTHER is not set");
    company.edits.truncate(1);
    company.edit("{env: TEST_PASSWORD}", "{credential: payroll}");
    let ran = company.run(&["check", "--offline"]).exits(0);
    ran.says("visible to the service only");
}

#[test]
fn secrets_that_every_user_may_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let company = edited("{env: TEST_PASSWORD}", "{file: password}");
    let password = company.path("password");
    std::fs::write(&password, "invented").unwrap();
    for (mode, warns) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(mode)).unwrap();
        let ran = company.run(&["check", "--offline"]).exits(0);
        let warned = ran.stdout.contains("every user of this machine may read");
        assert_eq!(warned, warns, "{}", ran.stdout);
    }
}
