//! Mail to a real server, Debian's `aiosmtpd`, over TLS in both forms. Where it is not installed the tests say that they are skipped.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::smtp_server::certificate;
use crate::support::{Company, JobTicket, people};

/// What `.ci/run` sets: there the server must be here.
const REQUIRED: &str = "CI_REQUIRES_SMTPD";
const PYTHON: &str = "/usr/bin/python3";

/// A server in progress, and all that it has printed: the mails that it took.
struct Smtpd {
    child: Child,
    port: u16,
    printed: Arc<(Mutex<String>, Condvar)>,
}

impl Drop for Smtpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_here() -> bool {
    let import = Command::new(PYTHON)
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null())
        .status();
    let here = import.is_ok_and(|status| status.success());
    assert!(
        here || std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no aiosmtpd: install python3-aiosmtpd"
    );
    if !here {
        eprintln!("SKIPPED: there is no aiosmtpd to send mails to");
    }
    here
}

/// Serves with the certificate and key in the company's folder.
fn start(company: &Company, options: [&str; 2]) -> Smtpd {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let [certificate, key] = options;
    let mut child = Command::new(PYTHON)
        .args([
            "-u",
            "-m",
            "aiosmtpd",
            "-n",
            "-c",
            "aiosmtpd.handlers.Debugging",
            "stdout",
        ])
        .args(["-l", &format!("127.0.0.1:{port}")])
        .arg(certificate)
        .arg(company.path("server.pem"))
        .arg(key)
        .arg(company.path("server.key"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let printed = Arc::new((Mutex::new(String::new()), Condvar::new()));
    let (mut out, to) = (child.stdout.take().unwrap(), Arc::clone(&printed));
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = out.read(&mut bytes) {
            to.0.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&bytes[..length]));
            to.1.notify_all();
        }
    });
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "aiosmtpd does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Smtpd {
        child,
        port,
        printed,
    }
}

#[test]
fn a_real_mail_server_takes_the_mail_of_a_hold_over_tls_in_both_forms() {
    if !is_here() {
        return;
    }
    for (word, options) in [
        ("implicit", ["--smtpscert", "--smtpskey"]),
        ("starttls", ["--tlscert", "--tlskey"]),
    ] {
        let jobticket = JobTicket::start();
        let mut company = Company::at(&jobticket);
        let (authority, server, key) = certificate();
        for (name, text) in [
            ("ca.pem", authority),
            ("server.pem", server),
            ("server.key", key),
        ] {
            std::fs::write(company.path(name), text).unwrap();
        }
        let server = start(&company, options);
        company.top = format!(
            "notify:\n  channels:\n    - name: hr\n      type: smtp\n      host: 127.0.0.1\n      port: {}\n      tls: {word}\n      from: sync@example.com\n      to: [hr@example.com]\n      ca_file: ca.pem\n",
            server.port
        );
        company
            .run(&["notify", "test"])
            .exits(0)
            .says("hr: accepted: 250");
        company.deliver_people("20261120", &people(20));
        company.run_now().exits(0);
        company.deliver_people("20261121", &people(14));
        company.run_now().exits(3);
        // Long lines are broken on their way.
        let whole = |printed: &String| printed.replace("=\n", "");
        let is_missing = |printed: &mut String| !whole(printed).contains("approve 1 --reason TEXT");
        let (printed, came) = &*server.printed;
        let printed = printed.lock().unwrap();
        let (printed, _) = came
            .wait_timeout_while(printed, Duration::from_secs(10), is_missing)
            .unwrap();
        let printed = whole(&printed);
        for text in ["approve 1 --reason TEXT", "Subject: [jobticket-sync] acme"] {
            assert!(printed.contains(text), "{word}: no {text} in\n{printed}");
        }
        company
            .run(&["status"])
            .says("notifications to hr: sent last");
    }
}
