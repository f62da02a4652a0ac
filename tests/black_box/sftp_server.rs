//! An SFTP server inside the test: for what OpenSSH as an ordinary process cannot show (passwords, dialogues), and for servers that behave otherwise than OpenSSH.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::ssh_key::PrivateKey;
use russh::keys::{Algorithm, HashAlg};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How a server lets people in.
#[derive(Clone, Default)]
pub(crate) struct Ways {
    /// By this password.
    pub(crate) password: Option<&'static str>,
    /// By this password, as the last answer of a dialogue with these questions, each with whether the answer is shown.
    pub(crate) dialogue: Option<(&'static str, &'static [(&'static str, bool)])>,
    /// By any key, and then by the password.
    pub(crate) key_first: bool,
}

/// How a server behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It numbers handles in binary, sends a listing at once, sends pieces shorter than they were asked for, and renames over what is there.
    Unlike,
    /// Its listing tells names alone.
    NamesAlone,
    /// It announces a packet of 4 GB.
    Announces,
    /// It sends random bytes in place of a listing.
    Babbles,
    /// Its listing has no end.
    Endless,
    /// It answers what was not asked.
    Answers,
    /// It has no SFTP.
    None,
}

/// A server in progress.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) pin: String,
    /// What was tried to log in, in order.
    tried: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start(ways: Ways, habit: Habit) -> Self {
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        let key = key.unwrap();
        let pin = key.fingerprint(HashAlg::Sha256).to_string();
        let mut methods = MethodSet::empty();
        if ways.key_first {
            methods.push(MethodKind::PublicKey);
        } else {
            if ways.password.is_some() {
                methods.push(MethodKind::Password);
            }
            if ways.dialogue.is_some() {
                methods.push(MethodKind::KeyboardInteractive);
            }
        }
        let config = russh::server::Config {
            keys: vec![key],
            methods,
            auth_rejection_time: Duration::from_millis(10),
            ..russh::server::Config::default()
        };
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let tried: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&tried);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let guest = Guest {
                    ways: ways.clone(),
                    habit,
                    tried: Arc::clone(&told),
                    channel: None,
                    asked: false,
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = russh::server::run_stream(config, stream, guest).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Self {
            port,
            pin,
            tried,
            _runtime: runtime,
        }
    }

    /// What was tried to log in since this was asked last.
    pub(crate) fn tried(&self) -> Vec<String> {
        std::mem::take(&mut *self.tried.lock().unwrap())
    }
}

struct Guest {
    ways: Ways,
    habit: Habit,
    tried: Arc<Mutex<Vec<String>>>,
    channel: Option<Channel<Msg>>,
    asked: bool,
}

impl Guest {
    fn tries(&self, what: impl Into<String>) {
        self.tried.lock().unwrap().push(what.into());
    }
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        self.tries(format!("password {password}"));
        Ok(if self.ways.password == Some(password) {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.tries("key");
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(&[MethodKind::Password][..])),
            partial_success: true,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some((password, questions)) = self.ways.dialogue else {
            return Ok(Auth::reject());
        };
        let answers: Vec<String> = response
            .into_iter()
            .flatten()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        if !self.asked {
            self.asked = true;
            let prompts: Vec<_> = questions
                .iter()
                .map(|(text, echo)| (Cow::Borrowed(*text), *echo))
                .collect();
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Owned(prompts),
            });
        }
        self.tries(format!("answers {answers:?}"));
        Ok(if answers.last().is_some_and(|last| last == password) {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.habit == Habit::None {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        if let Some(channel) = self.channel.take() {
            tokio::spawn(serve(channel.into_stream(), self.habit));
        }
        Ok(())
    }
}

/// A packet that is read from the front.
struct Asked(Vec<u8>, usize);

impl Asked {
    fn byte(&mut self) -> u8 {
        self.1 += 1;
        self.0[self.1 - 1]
    }

    fn number(&mut self) -> u32 {
        (0..4).fold(0, |number, _| number << 8 | u32::from(self.byte()))
    }

    fn text(&mut self) -> Vec<u8> {
        let length = self.number() as usize;
        self.1 += length;
        self.0[self.1 - length..self.1].to_vec()
    }

    fn path(&mut self) -> PathBuf {
        std::ffi::OsStr::from_bytes(&self.text()).into()
    }
}

fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len().try_into().unwrap())[..], bytes].concat()
}

/// What an answer is of: 101 status, 102 handle, 103 data, 104 names, 105 attributes.
type Answer = (u8, Vec<u8>);

fn status(code: u32) -> Answer {
    (
        101,
        [
            &number(code)[..],
            &text(b"in the server's words"),
            &text(b""),
        ]
        .concat(),
    )
}

fn attributes(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let seconds = u32::try_from(metadata.mtime()).ok()?;
    let size = metadata.len().to_be_bytes();
    let parts = [
        &number(0xD)[..],
        &size,
        &number(metadata.mode()),
        &number(seconds),
        &number(seconds),
    ];
    Some(parts.concat())
}

fn of_path(path: &Path) -> Answer {
    attributes(path).map_or_else(|| status(2), |found| (105, found))
}

fn done(result: std::io::Result<()>) -> Answer {
    match result {
        Ok(()) => status(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => status(2),
        Err(_) => status(4),
    }
}

fn listing(folder: &Path, habit: Habit) -> Answer {
    let mut names = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        names.extend(text(entry.file_name().as_bytes()));
        names.extend(text(b""));
        if habit == Habit::NamesAlone {
            names.extend(number(0));
        } else {
            names.extend(attributes(&entry.path()).unwrap());
        }
        count += 1;
    }
    (104, [&number(count)[..], &names].concat())
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, habit: Habit) {
    let mut handles: HashMap<Vec<u8>, (PathBuf, bool)> = HashMap::new();
    let mut next = 0xFFFE_0000_u32;
    while let Ok(length) = stream.read_u32().await {
        let mut packet = vec![0; length as usize];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        let mut asked = Asked(packet, 0);
        let kind = asked.byte();
        let mut id = asked.number();
        let (answer, body) = match kind {
            1 => {
                let _ = stream.write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3]).await;
                continue;
            }
            3 | 11 => {
                let path = asked.path();
                if path.exists() {
                    next += 1;
                    handles.insert(number(next).to_vec(), (path, false));
                    (102, text(&number(next)))
                } else {
                    status(2)
                }
            }
            12 => match handles.get_mut(&asked.text()) {
                Some((folder, listed)) if habit == Habit::Endless || !*listed => {
                    *listed = true;
                    match habit {
                        Habit::Announces => {
                            let _ = stream.write_all(&[0xFF; 5]).await;
                            continue;
                        }
                        Habit::Babbles => (104, (0..=255).collect()),
                        Habit::Endless => {
                            let one = [text(b"a name of a file"), text(b""), number(0).to_vec()];
                            (
                                104,
                                [number(1000).to_vec(), one.concat().repeat(1000)].concat(),
                            )
                        }
                        Habit::Answers => {
                            id += 7;
                            listing(folder, habit)
                        }
                        _ => listing(folder, habit),
                    }
                }
                _ => status(1),
            },
            5 => {
                let handle = asked.text();
                let begin = u64::from(asked.number()) << 32 | u64::from(asked.number());
                let most = asked.number().min(1000) as usize;
                let mut bytes = vec![0; most];
                let read = handles.get(&handle).and_then(|(path, _)| {
                    let file = File::open(path).ok()?;
                    file.read_at(&mut bytes, begin).ok()
                });
                match read {
                    None => status(4),
                    Some(0) => status(1),
                    Some(count) => (103, text(&bytes[..count])),
                }
            }
            4 => {
                let known = handles.remove(&asked.text()).is_some();
                status(if known { 0 } else { 4 })
            }
            8 => match handles.get(&asked.text()) {
                Some((path, _)) => of_path(path),
                None => status(4),
            },
            7 | 17 => of_path(&asked.path()),
            18 => done(fs::rename(asked.path(), asked.path())),
            13 => done(fs::remove_file(asked.path())),
            14 => done(fs::create_dir(asked.path())),
            _ => status(8),
        };
        let whole = [&[answer][..], &number(id), &body].concat();
        if stream.write_all(&text(&whole)).await.is_err() {
            return;
        }
    }
}
