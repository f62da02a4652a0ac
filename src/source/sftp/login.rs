//! Logs in at a server that has proven who it is: each way that is configured once, in that order.
//!
//! A server counts refusals and shuts out whoever makes too many, so what it does not offer is not tried, and what was refused is not tried again: not here, and
//! by the caller not for hours.

use std::sync::Arc;

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Dialogue, Prompt};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};
use russh::{MethodKind, MethodSet};

use super::SftpError;
use super::connect::Proven;
use crate::config::{Login, Secret, Server};

/// A dialogue that asks more often is none for programs.
const MOST_QUESTIONS: usize = 4;

/// A way to log in, with its secret.
pub(super) enum Credential {
    Key(Arc<PrivateKey>),
    Password(Secret),
}

impl Credential {
    /// Its kind, and of a key the fingerprint, by which the server's operator finds the public half.
    fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("private_key {}", key.fingerprint(HashAlg::Sha256)),
            Self::Password(_) => "password".to_owned(),
        }
    }
}

/// Reads the secrets, before anybody is asked for anything.
pub(super) fn read(logins: &[Login]) -> Result<Vec<Credential>, SftpError> {
    let credential = |login: &Login| match login {
        Login::PrivateKey {
            private_key,
            passphrase,
        } => {
            let bytes = private_key.read_bytes()?;
            // What is no text is no key, as the message then says.
            let text = std::str::from_utf8(bytes.expose()).unwrap_or_default();
            let passphrase = passphrase.as_ref().map(crate::config::SecretRef::read);
            let passphrase = passphrase.transpose()?;
            let key = decode_secret_key(text, passphrase.as_ref().map(Secret::expose));
            let key = key.map_err(|error| SftpError::Key {
                place: private_key.to_string(),
                why: foreign(text).unwrap_or_else(|| why(&error, passphrase.is_some())),
            })?;
            Ok(Credential::Key(Arc::new(key)))
        }
        Login::Password { password } => Ok(Credential::Password(password.read()?)),
    };
    logins.iter().map(credential).collect()
}

/// What a text is that is no private key of a form that is known here.
fn foreign(text: &str) -> Option<&'static str> {
    let is_public = [
        "ssh-",
        "ecdsa-",
        "sk-",
        "---- BEGIN SSH2 PUBLIC",
        "-----BEGIN PUBLIC",
    ];
    if is_public.iter().any(|begin| text.starts_with(begin)) {
        return Some("it is the public half of a key; name the other file, the one without .pub");
    }
    text.starts_with("PuTTY-User-Key-File").then_some(
        "it is a key of PuTTY; convert it with `puttygen FILE -O private-openssh -o NEW_FILE`",
    )
}

/// Why a key cannot be read, in our words: those of the crates may quote it.
fn why(error: &russh::keys::Error, has_passphrase: bool) -> &'static str {
    use russh::keys::Error;
    match error {
        Error::KeyIsEncrypted => "it is encrypted; name its passphrase beside it",
        Error::CouldNotReadKey => {
            "it is not a private key in the form of OpenSSH or PEM; convert it with `ssh-keygen -p -f FILE`"
        }
        Error::UnsupportedKeyType { .. } | Error::UnknownAlgorithm(_) => {
            "keys of this kind are not known here; use ed25519, ECDSA or RSA"
        }
        _ if has_passphrase => "the passphrase is wrong, or the key is damaged",
        _ => "it is encrypted and its passphrase is not named, or it is damaged",
    }
}

/// Logs in.
pub(super) async fn log_in(
    proven: &mut Proven,
    server: &Server<'_>,
    name: &str,
    credentials: &[Credential],
) -> Result<(), SftpError> {
    let lost = || SftpError::Lost {
        server: name.to_owned(),
        when: "the login",
    };
    let mut tried: Vec<String> = Vec::new();
    let hung_up = || SftpError::HungUp {
        server: name.to_owned(),
        user: server.user.to_owned(),
    };
    // This asks what the server offers; no server counts it.
    let first = proven.handle.authenticate_none(server.user).await;
    let mut offered = match first.map_err(|_| lost())? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure {
            remaining_methods, ..
        } => remaining_methods,
    };
    for credential in credentials {
        if proven.handle.is_closed() {
            break;
        }
        let attempted = attempt(proven, server, credential, &offered, name).await;
        // The secret was sent, and this may be how the server refuses it.
        let attempted = attempted.map_err(|_| hung_up())?;
        let Some(result) = attempted else {
            continue;
        };
        match result {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure {
                remaining_methods,
                partial_success,
            } => {
                if !partial_success {
                    tried.push(credential.name());
                }
                offered = remaining_methods;
            }
        }
    }
    if proven.is_lost() {
        return Err(hung_up());
    }
    let offered: Vec<String> = offered
        .iter()
        .map(|one| <&str>::from(one).to_owned())
        .collect();
    let has_key = tried.iter().any(|tried| tried.starts_with("private_key"));
    Err(SftpError::Refused {
        server: name.to_owned(),
        user: server.user.to_owned(),
        tried: list(&tried, "nothing of what is configured"),
        offered: list(&offered, "nothing more"),
        advice: if has_key {
            "Correct user and auth, or have its operator enter the public key"
        } else {
            "Correct user and auth"
        },
    })
}

fn list(words: &[String], none: &str) -> String {
    if words.is_empty() {
        none.to_owned()
    } else {
        words.join(", ")
    }
}

/// Tries one way. `None`: the server does not offer it.
async fn attempt(
    proven: &mut Proven,
    server: &Server<'_>,
    credential: &Credential,
    offered: &MethodSet,
    name: &str,
) -> Result<Option<AuthResult>, SftpError> {
    let lost = |_| SftpError::Lost {
        server: name.to_owned(),
        when: "the login",
    };
    match credential {
        Credential::Key(key) if offered.contains(&MethodKind::PublicKey) => {
            let hash = if key.algorithm().is_rsa() {
                let best = proven
                    .handle
                    .best_supported_rsa_hash()
                    .await
                    .map_err(lost)?;
                match best {
                    Some(Some(hash)) => Some(hash),
                    // SHA-1 alone.
                    Some(None) => return Ok(None),
                    // It does not say; RFC 8332 recommends this one.
                    None => Some(HashAlg::Sha256),
                }
            } else {
                None
            };
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
            let result = proven.handle.authenticate_publickey(server.user, key).await;
            Ok(Some(result.map_err(lost)?))
        }
        Credential::Password(password) if offered.contains(&MethodKind::Password) => {
            let tried = proven
                .handle
                .authenticate_password(server.user, password.expose());
            Ok(Some(tried.await.map_err(lost)?))
        }
        Credential::Password(password) if offered.contains(&MethodKind::KeyboardInteractive) => {
            answer(proven, server.user, password).await.map_err(lost)
        }
        Credential::Key(_) | Credential::Password(_) => Ok(None),
    }
}

/// Answers the one hidden question of a dialogue with the password. Any other question gets no answer, and then nothing was tried.
async fn answer(
    proven: &mut Proven,
    user: &str,
    password: &Secret,
) -> Result<Option<AuthResult>, russh::Error> {
    let handle = &mut proven.handle;
    let mut answered = false;
    let mut step = handle
        .authenticate_keyboard_interactive_start(user, None)
        .await?;
    for _ in 0..MOST_QUESTIONS {
        let answers = match step {
            Dialogue::Success => return Ok(Some(AuthResult::Success)),
            Dialogue::Failure {
                remaining_methods,
                partial_success,
            } => {
                return Ok(Some(AuthResult::Failure {
                    remaining_methods,
                    partial_success,
                }));
            }
            Dialogue::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [Prompt { echo: false, .. }] if !answered => {
                    answered = true;
                    vec![password.expose().to_owned()]
                }
                _ => break,
            },
        };
        step = handle
            .authenticate_keyboard_interactive_respond(answers)
            .await?;
    }
    Ok(None)
}
