//! TLS with an authority of one's own and a certificate of the client, against the server of OpenSSL where that is there.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::rest_server::{asks, slice};
use crate::support::Company;

struct Server {
    child: Child,
    folder: TempDir,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let words: Vec<&str> = arguments.split(' ').collect();
    let output = Command::new("openssl")
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A server that wants a client's certificate and answers `/people` with five people; `None` where there is no OpenSSL.
fn start() -> Option<Server> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: no openssl");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        at,
        &format!(
            "req -x509 {new} -keyout ca.key -out ca.pem -days 365 -subj /CN=invented-authority"
        ),
    );
    openssl(
        at,
        &format!(
            "req -x509 {new} -keyout other.key -out other.pem -days 365 -subj /CN=another-authority"
        ),
    );
    std::fs::write(at.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    for name in ["server", "client"] {
        openssl(
            at,
            &format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            at,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile names -out {name}.crt"
            ),
        );
        let both = [format!("{name}.crt"), format!("{name}.key")];
        let both = both.map(|file| std::fs::read_to_string(at.join(file)).unwrap());
        std::fs::write(at.join(format!("{name}.pem")), both.concat()).unwrap();
    }
    let people = Value::from(slice(0, 5, 5));
    let answer = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{people}");
    std::fs::write(at.join("people"), answer).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let child = Command::new("openssl")
        .args([
            "s_server",
            "-accept",
            &address,
            "-cert",
            "server.pem",
            "-CAfile",
            "ca.pem",
            "-Verify",
            "1",
            "-verify_return_error",
            "-HTTP",
            "-quiet",
        ])
        .current_dir(at)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < end, "openssl s_server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let url = format!("https://{address}");
    Some(Server { child, folder, url })
}

#[test]
fn an_authority_of_ones_own_and_a_certificate_of_the_client_are_used() {
    let Some(server) = start() else { return };
    let path = |name: &str| server.folder.path().join(name).display().to_string();
    let run = |tls: &str| {
        let mut company = Company::new();
        let keys = format!(
            "        request: {{get: /people}}\n        paging: none\n        records: $\n        retry_seconds: 1\n{tls}"
        );
        asks(&mut company, &server.url, &keys);
        company.run_now()
    };
    let (ca, client) = (path("ca.pem"), path("client.pem"));
    let ran = run(&format!(
        "        ca_file: {ca}\n        client_certificate: {{file: {client}}}\n"
    ));
    ran.exits(0).says("joiners: 5");
    // Without the certificate, by another authority, or by the system's alone nothing is read.
    run(&format!("        ca_file: {ca}\n")).exits(4);
    let other = path("other.pem");
    run(&format!(
        "        ca_file: {other}\n        client_certificate: {{file: {client}}}\n"
    ))
    .exits(4)
    .says("could not be reached");
    run(&format!("        client_certificate: {{file: {client}}}\n"))
        .exits(4)
        .says("could not be reached");
    let empty = path("names");
    run(&format!("        ca_file: {empty}\n"))
        .exits(4)
        .says("The ca_file holds no certificate");
    run(&format!(
        "        ca_file: {ca}\n        client_certificate: {{file: {ca}}}\n"
    ))
    .exits(4)
    .says("The client_certificate cannot be used");
    run(&format!("        ca_file: {ca}x\n"))
        .exits(4)
        .says("cannot be read");
}
