//! What the configuration says of a server that a source fetches files from.

use std::path::Path;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use super::problem::Problems;
use super::secret::SecretRef;
use super::source::{Source, SourceType};
use super::validate::{Findings, judged};
use super::values::{After, Ready};

/// The port of SSH (RFC 4253, section 4.1).
const SSH: u16 = 22;
/// Servers cut a login off after so many tries; OpenSSH's `MaxAuthTries` is 6.
const MOST_LOGINS: usize = 5;

/// One way to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Login {
    /// With a private key, in the form of OpenSSH or PEM.
    PrivateKey {
        /// The key.
        private_key: SecretRef,
        /// What it is encrypted with, if it is.
        passphrase: Option<SecretRef>,
    },
    /// With a password; where the server asks for it in a dialogue (keyboard-interactive), as the answer to its one hidden question.
    Password {
        /// The password.
        password: SecretRef,
    },
}

impl Login {
    /// Where its secrets are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let (first, second) = match self {
            Self::PrivateKey {
                private_key,
                passphrase,
            } => (private_key, passphrase.as_ref()),
            Self::Password { password } => (password, None),
        };
        [Some(first), second].into_iter().flatten()
    }

    pub(super) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretRef> {
        let (first, second) = match self {
            Self::PrivateKey {
                private_key,
                passphrase,
            } => (private_key, passphrase.as_mut()),
            Self::Password { password } => (password, None),
        };
        [Some(first), second].into_iter().flatten()
    }
}

/// The keys of one way to log in, before it is known which.
#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct LoginKeys {
    #[deserr(default)]
    private_key: Option<SecretRef>,
    #[deserr(default)]
    passphrase: Option<SecretRef>,
    #[deserr(default)]
    password: Option<SecretRef>,
}

impl Deserr<Problems> for Login {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let keys = LoginKeys::deserialize_from_value(value, at)?;
        match (keys.private_key, keys.passphrase, keys.password) {
            (Some(private_key), passphrase, None) => Ok(Self::PrivateKey {
                private_key,
                passphrase,
            }),
            (None, None, Some(password)) => Ok(Self::Password { password }),
            _ => Err(Problems::one(
                at,
                "Write {private_key: {file: /path}}, the same with a passphrase: {file: /path}, or {password: {file: /path}}, each as an item of its own",
            )),
        }
    }
}

/// Time limits of a server, in seconds. SFTP names none; these are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = timeouts -> Problems)]
pub struct ServerTimeouts {
    /// Until the connection stands.
    #[deserr(default = 10)]
    pub connect_seconds: u64,
    /// From then until the login is done.
    #[deserr(default = 30)]
    pub login_seconds: u64,
    /// The listing of the folder.
    #[deserr(default = 60)]
    pub list_seconds: u64,
    /// Longest silence while the file is read, or until any other answer.
    #[deserr(default = 60)]
    pub read_seconds: u64,
    /// Everything from connecting to the last byte.
    #[deserr(default = 900)]
    pub total_seconds: u64,
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            connect_seconds: 10,
            login_seconds: 30,
            list_seconds: 60,
            read_seconds: 60,
            total_seconds: 900,
        }
    }
}

fn timeouts(limits: ServerTimeouts, at: ValuePointerRef<'_>) -> Result<ServerTimeouts, Problems> {
    judged(limits, at, |limits, findings| {
        for (key, seconds) in [
            ("connect_seconds", limits.connect_seconds),
            ("login_seconds", limits.login_seconds),
            ("list_seconds", limits.list_seconds),
            ("read_seconds", limits.read_seconds),
            ("total_seconds", limits.total_seconds),
        ] {
            if !(1..=3600).contains(&seconds) {
                findings.say(key, "Write 1 to 3600 seconds");
            }
        }
    })
}

/// The server of a source that has one.
#[derive(Debug, Clone, Copy)]
pub struct Server<'s> {
    /// Its host: a name or an address.
    pub host: &'s str,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: &'s str,
    /// The SHA-256 fingerprints of its keys.
    pub host_keys: &'s [String],
    /// How to log in, in this order.
    pub auth: &'s [Login],
    /// Time limits.
    pub timeouts: ServerTimeouts,
}

impl Source {
    /// The server that its folder is on, if it is on one.
    pub fn server(&self) -> Option<Server<'_>> {
        if self.kind != SourceType::Sftp {
            return None;
        }
        Some(Server {
            host: self.host.as_deref()?,
            port: self.port.unwrap_or(SSH),
            user: self.user.as_deref()?,
            host_keys: self.host_keys.as_deref().unwrap_or_default(),
            auth: self.auth.as_deref()?,
            timeouts: self.timeouts.unwrap_or_default(),
        })
    }

    /// Whether another source has the same folder.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        if self.kind == SourceType::Rest {
            return false;
        }
        let place = |source: &Self| {
            let server = source.server();
            let server = server.map(|server| {
                (
                    server.host.to_lowercase(),
                    server.port,
                    server.user.to_owned(),
                )
            });
            (server, source.folder.clone())
        };
        place(self) == place(other)
    }

    /// Where the secrets of its server or HR system are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let of_server = self.auth.iter().flatten().flat_map(Login::secrets);
        of_server.chain(self.rest.iter().flat_map(|rest| rest.secrets()))
    }
}

/// What the types cannot say of a source with a server, and of one without.
pub(super) fn server(findings: &mut Findings, source: &Source) {
    match source.kind {
        SourceType::CsvDrop => no_server(findings, source),
        SourceType::Sftp => sftp(findings, source),
        SourceType::Rest => findings.say("type", "Write rest in small letters"),
    }
}

fn no_server(findings: &mut Findings, source: &Source) {
    for (key, is_there) in [
        ("host", source.host.is_some()),
        ("port", source.port.is_some()),
        ("user", source.user.is_some()),
        ("host_keys", source.host_keys.is_some()),
        ("auth", source.auth.is_some()),
        ("timeouts", source.timeouts.is_some()),
    ] {
        if is_there {
            findings.say(
                key,
                "This key is for a source of type sftp; a csv_drop is a folder of this machine",
            );
        }
    }
    if matches!(source.after, After::Move(_) | After::Delete) {
        findings.say(
            "after",
            "A csv_drop keeps its files or archives them; write keep or {archive: /path}",
        );
    }
}

fn sftp(findings: &mut Findings, source: &Source) {
    let is_word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
    };
    match source.host.as_deref() {
        None => findings.say(
            "host",
            "A source of type sftp needs the name of its server; write host: sftp.example.com",
        ),
        Some(host) if !is_word(host) || host.contains(['/', '@']) || has_port(host) => {
            findings.say("host", "Write the name or the address of the server alone, such as sftp.example.com; port and user have keys of their own");
        }
        Some(_) => {}
    }
    if source.port == Some(0) {
        findings.say("port", "Write 1 to 65535");
    }
    match source.user.as_deref() {
        None => findings.say(
            "user",
            "A source of type sftp needs somebody who logs in; write user: NAME",
        ),
        Some(user) if !is_word(user) => findings.say("user", "Write the name without blanks"),
        Some(_) => {}
    }
    for key in source.host_keys.iter().flatten() {
        if !is_fingerprint(key) {
            findings.say(
                "host_keys",
                "A fingerprint is SHA256: and 43 letters, digits, + and /, as `ssh-keygen -lf` shows it; `check` shows those that the server offers while there is none here",
            );
            break;
        }
    }
    match source.auth.as_deref() {
        None | Some([]) => findings.say(
            "auth",
            "A source of type sftp needs a way to log in; write auth: [{private_key: {file: /path}}] or [{password: {file: /path}}]",
        ),
        Some(logins) if logins.len() > MOST_LOGINS => findings.say(
            "auth",
            format!("Servers cut a login off after a few tries; write at most {MOST_LOGINS}"),
        ),
        Some(_) => {}
    }
    if source.watch {
        findings.say(
            "watch",
            "A server tells nobody of new files, so a folder on one cannot be watched; leave watch out, and let the schedule look, with retry_minutes for files that come late",
        );
    }
    if let After::Archive(_) = source.after {
        findings.say("after", "Files of a server stay on it; write keep, {move: /path} for another folder there, or delete");
    }
    if let After::Move(into) = &source.after
        && trimmed(into) == trimmed(&source.folder)
    {
        findings.say(
            "after",
            "The files would move to where they are; name another folder",
        );
    }
    if let Ready::Marker(name) = &source.ready
        && name.contains('/')
    {
        findings.say(
            "ready",
            "The marker lies beside the file; leave the folder out",
        );
    }
    for (key, path) in [
        ("folder", Some(&source.folder)),
        ("after", source.after.folder()),
    ] {
        if path.is_some_and(|path| path.to_string_lossy().chars().any(char::is_control)) {
            findings.say(key, "A path has no control characters");
        }
    }
}

/// Whether a port stands behind a host. An address of IPv6 has colons of its own.
fn has_port(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']);
    host.contains(':') && address.parse::<std::net::Ipv6Addr>().is_err()
}

fn trimmed(path: &Path) -> String {
    path.to_string_lossy().trim_end_matches('/').to_owned()
}

/// `SHA256:` and the 32 bytes in base64 without padding, as OpenSSH writes them.
fn is_fingerprint(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    text.strip_prefix("SHA256:")
        .is_some_and(|digits| digits.len() == 43 && digits.chars().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_as_openssh_writes_it() {
        assert!(is_fingerprint(
            "SHA256:TEvIbHQmHnpVuwGRqv/56vv/y/cyVVJF/NHth8HbyaA"
        ));
        for text in [
            "TEvIbHQmHnpVuwGRqv/56vv/y/cyVVJF/NHth8HbyaA",
            "SHA256:TEvIbHQmHnpVuwGRqv/56vv/y/cyVVJF/NHth8HbyaA=",
            "sha256:TEvIbHQmHnpVuwGRqv/56vv/y/cyVVJF/NHth8HbyaA",
            "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        ] {
            assert!(!is_fingerprint(text), "{text}");
        }
    }
}
