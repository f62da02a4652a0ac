//! A mail server of the test's own, on a thread: as much of RFC 5321 as a client needs, with TLS in both forms, a login, and faults on order.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Implicit,
    Starttls,
    None,
}

/// What a server does.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub tls: Tls,
    /// Who may log in; nobody has to where it is not said.
    pub login: Option<(&'static str, &'static str)>,
    /// Its answers to the next mails, before it accepts.
    pub answers: Vec<&'static str>,
    /// A receiver whom it does not know.
    pub unknown: Option<&'static str>,
    /// A receiver whom it puts off.
    pub greylisted: Option<&'static str>,
    /// Whether it says nothing at all.
    pub silent: bool,
}

impl Behaviour {
    pub fn of(tls: Tls) -> Self {
        Self {
            tls,
            login: None,
            answers: Vec::new(),
            unknown: None,
            greylisted: None,
            silent: false,
        }
    }
}

/// A mail as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub to: Vec<String>,
    pub text: String,
    /// Whether it came over TLS.
    pub protected: bool,
    /// Whether somebody had logged in.
    pub logged_in: bool,
}

impl Arrived {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let head = head.replace("\r\n ", " ");
        let start = format!("{name}: ");
        let line = head.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_default().to_owned()
    }

    /// The body, decoded.
    pub fn body(&self) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap();
        if head.contains("Content-Transfer-Encoding: base64") {
            let packed: String = body.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed);
            return String::from_utf8(bytes.unwrap()).unwrap();
        }
        if head.contains("Content-Transfer-Encoding: quoted-printable") {
            return unquoted(body);
        }
        body.replace("\r\n", "\n")
    }
}

fn unquoted(body: &str) -> String {
    let body = body.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A running server.
pub struct MailServer {
    pub port: u16,
    /// The authority that it is certified by, PEM.
    pub authority: String,
    behaviour: Arc<Mutex<Behaviour>>,
    arrived: Arc<Inbox>,
}

/// What has arrived, and a way to wait for it.
#[derive(Default)]
struct Inbox {
    mails: Mutex<Vec<Arrived>>,
    came: Condvar,
}

impl MailServer {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (authority, config) = certified();
        let behaviour = Arc::new(Mutex::new(behaviour));
        let arrived = Arc::new(Inbox::default());
        let shared = (Arc::clone(&behaviour), Arc::clone(&arrived));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (behaviour, arrived) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                let config = Arc::clone(&config);
                std::thread::spawn(move || {
                    let _ = serve(stream, &config, &behaviour, &arrived);
                });
            }
        });
        Self {
            port,
            authority,
            behaviour,
            arrived,
        }
    }

    /// Writes the authority's certificate to a file.
    pub fn write_authority(&self, path: &Path) {
        std::fs::write(path, &self.authority).unwrap();
    }

    /// Behaves otherwise from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// What has arrived until now.
    pub fn mails(&self) -> Vec<Arrived> {
        self.arrived.mails.lock().unwrap().clone()
    }

    /// Waits until so many mails have arrived.
    pub fn waits_for(&self, count: usize) {
        let mails = self.arrived.mails.lock().unwrap();
        let limit = Duration::from_secs(30);
        let waited = self
            .arrived
            .came
            .wait_timeout_while(mails, limit, |mails| mails.len() < count);
        assert!(!waited.unwrap().1.timed_out(), "the mail did not come");
    }
}

/// A certificate for 127.0.0.1, and its authority.
pub fn certificate() -> (String, String, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "invented authority");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (root.pem(), certificate.pem(), key.serialize_pem())
}

fn certified() -> (String, Arc<ServerConfig>) {
    use rustls::pki_types::pem::PemObject as _;
    let (root, certificate, key) = certificate();
    let certificate =
        rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    (root, Arc::new(config))
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn over_tls(stream: TcpStream, config: &Arc<ServerConfig>) -> Box<dyn Wire> {
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    Box::new(StreamOwned::new(connection, stream))
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    behaviour: &Mutex<Behaviour>,
    arrived: &Inbox,
) -> io::Result<()> {
    let now = behaviour.lock().unwrap().clone();
    if now.silent {
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut protected = now.tls == Tls::Implicit;
    let raw = stream.try_clone()?;
    let mut wire = BufReader::new(if protected {
        over_tls(stream, config)
    } else {
        Box::new(stream)
    });
    let mut raw = Some(raw);
    let (mut to, mut logged_in) = (Vec::new(), false);
    say(&mut wire, "220 invented.example ESMTP")?;
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap().to_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let mut all = vec!["invented.example"];
                if now.tls == Tls::Starttls && !protected {
                    all.push("STARTTLS");
                }
                if now.login.is_some() && (protected || now.tls == Tls::None) {
                    all.push("AUTH PLAIN");
                }
                let last = all.pop().unwrap();
                for one in all {
                    say(&mut wire, &format!("250-{one}"))?;
                }
                say(&mut wire, &format!("250 {last}"))?;
            }
            "STARTTLS" => {
                say(&mut wire, "220 go ahead")?;
                wire = BufReader::new(over_tls(raw.take().unwrap(), config));
                protected = true;
            }
            "AUTH" => {
                let packed = line.rsplit(' ').next().unwrap();
                let bytes = base64::engine::general_purpose::STANDARD.decode(packed);
                let given = String::from_utf8(bytes.unwrap_or_default()).unwrap();
                let wanted = now.login.map(|(user, word)| format!("\0{user}\0{word}"));
                logged_in = Some(&given) == wanted.as_ref();
                let answer = if logged_in {
                    "235 welcome"
                } else {
                    // Some servers repeat what they were given.
                    &format!("535 5.7.8 no, {} is wrong", given.replace('\0', " "))
                };
                say(&mut wire, answer)?;
            }
            "MAIL" if now.login.is_some() && !logged_in => {
                say(&mut wire, "530 5.7.0 log in first")?;
            }
            "RCPT" => {
                let answer = receiver(&now, line);
                let name = line.trim_start_matches("RCPT TO:").to_owned();
                to.extend(answer.starts_with("250").then_some(name));
                say(&mut wire, answer)?;
            }
            "DATA" => {
                say(&mut wire, "354 go on")?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if wire.read_line(&mut text)? == 0 {
                        return Ok(());
                    }
                }
                let mut shared = behaviour.lock().unwrap();
                let answer = if shared.answers.is_empty() {
                    arrived.mails.lock().unwrap().push(Arrived {
                        to: std::mem::take(&mut to),
                        text: text.trim_end_matches(".\r\n").replace("\r\n..", "\r\n."),
                        protected,
                        logged_in,
                    });
                    arrived.came.notify_all();
                    "250 2.0.0 queued as INVENTED"
                } else {
                    shared.answers.remove(0)
                };
                drop(shared);
                say(&mut wire, answer)?;
            }
            "QUIT" => {
                say(&mut wire, "221 bye")?;
                return Ok(());
            }
            "RSET" => {
                to.clear();
                say(&mut wire, "250 ok")?;
            }
            _ => say(&mut wire, "250 ok")?,
        }
    }
}

/// What it says to a receiver.
fn receiver(now: &Behaviour, line: &str) -> &'static str {
    if now.unknown.is_some_and(|unknown| line.contains(unknown)) {
        "550 5.1.1 nobody of that name here"
    } else if now.greylisted.is_some_and(|later| line.contains(later)) {
        "451 4.7.1 greylisted, come again"
    } else {
        "250 ok"
    }
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> io::Result<()> {
    let wire = wire.get_mut();
    wire.write_all(line.as_bytes())?;
    wire.write_all(b"\r\n")?;
    wire.flush()
}
