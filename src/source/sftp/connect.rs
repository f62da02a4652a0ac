//! From an address to a server that has proven who it is.
//!
//! A pin is a fingerprint and says nothing of the kind of its key, and a server shows one key a connection, of the first kind that both sides know. So where the key that
//! it shows is none of the pins, that kind is left out and the server asked once more: at most once for each kind, mostly once in all. Nothing is learnt from what
//! a server shows; what it showed is only told.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use russh::client::{self, DisconnectReason, Handle};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Preferred, cipher, kex};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::SftpError;
use crate::config::Server;

/// The kinds of host keys, best first. RSA signs with SHA-2; what only knows `ssh-rsa` (SHA-1) is not spoken to.
const KINDS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// How a session's keys are agreed on. Those of NIST are not among the defaults of russh, and some servers know no others.
const EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// AES first: processors have it built in.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Of which kind the key was that a server proved itself with last, so that the next connection asks for it at once. Only a hint: what counts is the pin.
static LAST_KIND: LazyLock<Mutex<HashMap<(String, u16), Algorithm>>> =
    LazyLock::new(Mutex::default);

/// A key that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    kind: Algorithm,
    fingerprint: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fingerprint, self.kind)
    }
}

/// Looks at the key of a server.
pub(super) struct Gatekeeper {
    pins: Vec<String>,
    shown: Arc<Mutex<Option<Shown>>>,
    sent_away: Arc<AtomicBool>,
}

impl client::Handler for Gatekeeper {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // Certificates are not asked for.
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let is_pinned = self.pins.contains(&fingerprint);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Shown {
            kind: key.algorithm(),
            fingerprint,
        });
        Ok(is_pinned)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => {
                self.sent_away.store(true, Ordering::Relaxed);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// Closes a connection when it goes out of scope, whatever still reads from it.
struct Plug(std::net::TcpStream);

impl Drop for Plug {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A server that has proven who it is.
pub(super) struct Proven {
    pub(super) handle: Handle<Gatekeeper>,
    sent_away: Arc<AtomicBool>,
    _plug: Plug,
}

impl Proven {
    /// Whether the connection broke. A server that says that it has had enough has not broken it.
    pub(super) fn is_lost(&self) -> bool {
        self.handle.is_closed() && !self.sent_away.load(Ordering::Relaxed)
    }
}

/// What came of one connection.
enum Attempt {
    Proven(Proven),
    /// The server showed another key.
    Other(Shown),
    /// It has no key of the kinds that it was asked for; those that it has.
    None(Vec<String>),
}

/// Connects. The login has to be done by `until`, however often the server is asked.
pub(super) async fn connect(
    server: &Server<'_>,
    name: &str,
) -> Result<(Proven, Instant), SftpError> {
    let key = (server.host.to_owned(), server.port);
    let last = || LAST_KIND.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left = KINDS.to_vec();
    if let Some(kind) = last().get(&key) {
        left.sort_by_key(|one| !is_alike(one, kind));
    }
    let mut shown: Vec<Shown> = Vec::new();
    loop {
        let (stream, plug) = reach(server, name).await?;
        let until = Instant::now() + Duration::from_secs(server.timeouts.login_seconds);
        match attempt(server, name, stream, plug, &left, until).await? {
            Attempt::Proven(proven) => {
                return Ok((proven, until));
            }
            Attempt::Other(other) => {
                last().remove(&key);
                let asked = left.len();
                left.retain(|kind| !is_alike(kind, &other.kind));
                let was_asked_for = left.len() < asked;
                shown.push(other);
                if !was_asked_for {
                    // It shows another kind than was agreed on, and would do so for ever.
                    return Err(refused(server, name, &shown));
                }
            }
            Attempt::None(theirs) if shown.is_empty() => {
                let theirs = plain(&theirs);
                let server = name.to_owned();
                return Err(SftpError::NoCommonKey { server, theirs });
            }
            Attempt::None(_) => left.clear(),
        }
        if left.is_empty() {
            return Err(refused(server, name, &shown));
        }
    }
}

/// Names of algorithms, as a server that has proven nothing yet tells them: so many, so long and with such characters as real ones.
fn plain(names: &[String]) -> String {
    let name = |name: &String| -> String {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@');
        name.chars().filter(allowed).take(64).collect()
    };
    let names: Vec<String> = names.iter().take(10).map(name).collect();
    names.join(", ")
}

fn refused(server: &Server<'_>, name: &str, shown: &[Shown]) -> SftpError {
    let all: Vec<String> = shown.iter().map(ToString::to_string).collect();
    let (server_name, shown) = (name.to_owned(), all.join(", "));
    if server.host_keys.is_empty() {
        SftpError::NotPinned {
            server: server_name,
            shown,
        }
    } else {
        SftpError::WrongKey {
            server: server_name,
            shown,
        }
    }
}

/// Whether two kinds are for the same key: RSA is one, however it signs.
fn is_alike(one: &Algorithm, other: &Algorithm) -> bool {
    matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })) || one == other
}

async fn reach(server: &Server<'_>, name: &str) -> Result<(TcpStream, Plug), SftpError> {
    let host = server.host.trim_matches(['[', ']']);
    let seconds = server.timeouts.connect_seconds;
    let failed = |cause| SftpError::Connect {
        server: name.to_owned(),
        cause,
    };
    let late = |_| SftpError::ConnectTime {
        server: name.to_owned(),
        seconds,
    };
    let all = Duration::from_secs(seconds);
    let addresses = timeout(all, lookup_host((host, server.port)));
    let addresses: Vec<_> = addresses.await.map_err(late)?.map_err(failed)?.collect();
    // Each address has its share: one that swallows everything does not keep the others from being tried.
    let share = all / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut stream = Err(failed(std::io::ErrorKind::NotFound.into()));
    for address in addresses {
        stream = match timeout(share, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(failed),
            Err(elapsed) => Err(late(elapsed)),
        };
        if stream.is_ok() {
            break;
        }
    }
    let stream = stream?;
    let both = || {
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let plug = Plug(stream.try_clone()?);
        Ok((TcpStream::from_std(stream)?, plug))
    };
    both().map_err(failed)
}

async fn attempt(
    server: &Server<'_>,
    name: &str,
    stream: TcpStream,
    plug: Plug,
    kinds: &[Algorithm],
    until: Instant,
) -> Result<Attempt, SftpError> {
    let shown = Arc::new(Mutex::new(None));
    let sent_away = Arc::new(AtomicBool::new(false));
    let gatekeeper = Gatekeeper {
        pins: server.host_keys.to_vec(),
        shown: Arc::clone(&shown),
        sent_away: Arc::clone(&sent_away),
    };
    let config = client::Config {
        preferred: Preferred {
            kex: Cow::Borrowed(EXCHANGES),
            key: Cow::Owned(kinds.to_vec()),
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    };
    let connected = client::connect_stream(Arc::new(config), stream, gatekeeper);
    let connected = timeout_at(until, connected)
        .await
        .map_err(|_| SftpError::LoginTime {
            server: name.to_owned(),
            seconds: server.timeouts.login_seconds,
        })?;
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    match connected {
        Ok(handle) => {
            if let Some(shown) = shown {
                let mut last = LAST_KIND.lock().unwrap_or_else(PoisonError::into_inner);
                last.insert((server.host.to_owned(), server.port), shown.kind);
            }
            Ok(Attempt::Proven(Proven {
                handle,
                sent_away,
                _plug: plug,
            }))
        }
        Err(russh::Error::NoCommonAlgo {
            kind: AlgorithmKind::Key,
            theirs,
            ..
        }) => Ok(Attempt::None(theirs)),
        Err(russh::Error::UnknownKey) if shown.is_some() => {
            Ok(shown.map_or_else(|| Attempt::None(Vec::new()), Attempt::Other))
        }
        Err(cause) => Err(SftpError::Handshake {
            server: name.to_owned(),
            cause: Box::new(cause),
        }),
    }
}
