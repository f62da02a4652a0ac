//! The control socket: commands of other processes, for whoever the socket's permissions let in.
//!
//! The kernel says who is at the other end. Root, and the user of the service, may name the login user behind them, for they could write to the state anyway.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Loaded;
use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::commands::{self, Called};
use crate::control::{GO, Line, Request, VERSION, Versioned, is_for_service, mark, send};
use crate::decisions::{Answer, Said};
use crate::exit::Exit;
use crate::store::Store;
use crate::sync::RunReport;
use crate::user;

/// So many connections there are at a time. Further ones are told so and closed.
const CONNECTIONS: usize = 32;
/// Of these, one user has at most so many, so that nobody keeps the others out.
const OF_ONE_USER: usize = 8;
/// Besides these, root and the user of the service have as many for themselves.
const OF_OWNERS: usize = 8;
/// A request is one command line.
const LONGEST_REQUEST: u64 = 64 * 1024;
/// A request follows its connection at once.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// A question that nobody answers for so long is answered with no.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
/// Whoever asks reads each line of the answer in this time, or hears no more.
const READ_WITHIN: Duration = Duration::from_secs(30);
/// So long whoever is connected when the service stops hears of it.
const FAREWELL: Duration = Duration::from_secs(2);

/// A run that somebody asked for.
pub(super) struct Wanted {
    /// The integration, by its name.
    pub(super) name: String,
    pub(super) user: String,
    pub(super) dry_run: bool,
    pub(super) resync: bool,
    pub(super) accept_clock: bool,
    /// Is told what is going on, and by its first word that the run has begun.
    pub(super) stage: mpsc::UnboundedSender<String>,
    pub(super) reply: oneshot::Sender<RunReport>,
}

/// How many connections each user has.
#[derive(Clone, Default)]
struct Users(Arc<std::sync::Mutex<HashMap<u32, usize>>>);

impl Users {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection until what this gives is dropped; otherwise why there is no place for it.
    fn enter(&self, uid: u32) -> Result<Entered, String> {
        let mut users = self.lock();
        let of_user = users.get(&uid).copied().unwrap_or_default();
        if is_owner(uid) {
            if of_user >= OF_OWNERS {
                return Err(format!("{OF_OWNERS} commands of this user are in progress"));
            }
        } else {
            let others = users.iter().filter(|(uid, _)| !is_owner(**uid));
            let others: usize = others.map(|(_, number)| number).sum();
            if of_user >= OF_ONE_USER {
                return Err(format!(
                    "{OF_ONE_USER} commands of this user are in progress"
                ));
            }
            if others >= CONNECTIONS {
                return Err(format!("{CONNECTIONS} commands are in progress"));
            }
        }
        *users.entry(uid).or_default() += 1;
        Ok(Entered(self.clone(), uid))
    }
}

/// Whether a user could write to the state anyway.
fn is_owner(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// Says why nothing is done, as far as that goes without waiting.
fn turn_away(stream: &UnixStream, why: &str) {
    let line = Line::wrong((
        Exit::Busy,
        format!("{why} at the service already; nothing was done, try again when they are over"),
    ));
    if let Ok(mut text) = serde_json::to_vec(&line) {
        text.push(b'\n');
        let _ = stream.try_write(&text);
    }
}

/// A connection that is counted.
struct Entered(Users, u32);

impl Drop for Entered {
    fn drop(&mut self) {
        let mut users = self.0.lock();
        if let Some(number) = users.get_mut(&self.1) {
            *number -= 1;
            if *number == 0 {
                users.remove(&self.1);
            }
        }
    }
}

/// What every connection needs of the service.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) loaded: watch::Receiver<Arc<Loaded>>,
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) wanted: mpsc::Sender<Wanted>,
    /// Turns true when the service is to stop.
    pub(super) stopping: watch::Receiver<bool>,
}

/// The socket, which goes when the service does.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Makes the socket. What lies there and answers nobody is of a service that is no more.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another service answers there",
            ));
        }
        // It has its permissions before it has its name.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o660))?;
        let inode = std::fs::symlink_metadata(&new)?.ino();
        std::fs::rename(&new, path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            inode,
        })
    }

    /// Answers until the service stops.
    pub(super) async fn serve(self, shared: Shared) {
        let users = Users::default();
        let mut connections = JoinSet::new();
        let mut stopping = shared.stopping.clone();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let Ok(peer) = stream.peer_cred().map(|peer| peer.uid()) else {
                        continue;
                    };
                    let entered = match users.enter(peer) {
                        Ok(entered) => entered,
                        Err(why) => {
                            tracing::debug!(
                                user = user::name_of_uid(peer),
                                "A command was turned away: {why}"
                            );
                            turn_away(&stream, &why);
                            continue;
                        }
                    };
                    let shared = shared.clone();
                    connections.spawn(async move {
                        if let Err(error) = connection(stream, peer, shared).await {
                            tracing::debug!("A connection to the control socket broke: {error}");
                        }
                        drop(entered);
                    });
                }
                Err(error) => {
                    tracing::error!("The control socket cannot take a connection: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        // Another service may have taken the name meanwhile.
        if std::fs::symlink_metadata(&self.path).is_ok_and(|of| of.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, all).await;
    }
}

async fn connection(stream: UnixStream, peer: u32, shared: Shared) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    let mut line = String::new();
    let mut limited = (&mut from).take(LONGEST_REQUEST);
    let read = limited.read_line(&mut line);
    timeout(REQUEST_WITHIN, read).await??;
    let version = serde_json::from_str::<Versioned>(&line).map(|of| of.version);
    let request = match (version, serde_json::from_str::<Request>(&line)) {
        (Ok(version), Ok(request)) if version == VERSION => request,
        (version, _) => {
            let wrong = Line::wrong((
                Exit::Unexpected,
                format!(
                    "The running service is version {VERSION}, and this program is {}; restart the service, and nothing was done",
                    version.unwrap_or_else(|_| "of another version".to_owned())
                ),
            ));
            return send(&mut to, &wrong).await;
        }
    };
    if !goes_on(&mut from, &mut to).await? {
        return Ok(());
    }
    let (lines, queue) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write(to, queue));
    let end = answer(request, peer, from, &lines, &shared).await;
    let _ = lines.send(end);
    drop(lines);
    let _ = writer.await;
    Ok(())
}

/// Whether somebody still waits for the answer. Their program has told them that nothing was done where it has not waited.
async fn goes_on(from: &mut BufReader<OwnedReadHalf>, to: &mut OwnedWriteHalf) -> io::Result<bool> {
    send(to, &Line::Ready).await?;
    let mut line = String::new();
    let mut limited = from.take(LONGEST_REQUEST);
    timeout(REQUEST_WITHIN, limited.read_line(&mut line)).await??;
    Ok(serde_json::from_str::<String>(&line).is_ok_and(|word| word == GO))
}

/// Writes what is said until nothing more will be. That nobody reads it stops nothing.
async fn write(mut to: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Line>) {
    while let Some(line) = queue.recv().await {
        if !matches!(timeout(READ_WITHIN, send(&mut to, &line)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Who is at the other end.
fn caller(peer: u32, claimed: String) -> String {
    let believed = is_owner(peer);
    let plain = !claimed.is_empty() && !claimed.chars().any(char::is_control);
    if believed && plain {
        claimed
    } else {
        user::name_of_uid(peer)
    }
}

async fn answer(
    request: Request,
    peer: u32,
    from: BufReader<OwnedReadHalf>,
    lines: &mpsc::UnboundedSender<Line>,
    shared: &Shared,
) -> Line {
    let Request {
        user,
        program,
        cli,
        state,
        configuration,
        ..
    } = request;
    let user = caller(peer, user);
    let loaded = Arc::clone(&shared.loaded.borrow());
    if state != loaded.config.state_dir {
        return Line::wrong((
            Exit::Configuration,
            format!(
                "The service at this socket works on {}, and the configuration of this program names {}; give each its own control.socket. Nothing was done",
                loaded.config.state_dir.display(),
                state.display()
            ),
        ));
    }
    if !is_for_service(&cli) {
        return Line::wrong((
            Exit::Configuration,
            "The service does not do this; nothing was done".to_owned(),
        ));
    }
    let chosen = match commands::chosen(&cli, &loaded.config) {
        Ok(chosen) => chosen.into_iter().map(|(_, one)| one).collect(),
        Err(wrong) => return Line::wrong(wrong),
    };
    let stage = |what: &str| {
        let _ = lines.send(Line::Stage(what.to_owned()));
    };
    if !request_fits(&cli, &configuration, &loaded) {
        return Line::wrong((
            Exit::Configuration,
            "The configuration was changed and the service has not read it yet: `systemctl reload jobticket-sync` (SIGHUP), then again; nothing was done".to_owned(),
        ));
    }
    let done = if let Some(command) = &cli.command {
        tracing::info!(user, "A command came in at the control socket");
        let answers = Mutex::new(from);
        let ask = |question: &str| {
            let _ = lines.send(Line::Ask(question.to_owned()));
            let asked = answered(&answers, shared.stopping.clone());
            tokio::runtime::Handle::current().block_on(asked)
        };
        let called = Called {
            config: &loaded.config,
            chosen,
            store: &shared.store,
            audit: &loaded.audit,
            clock: &shared.clock,
            user: &user,
            program: &program,
            ask: &ask,
            stage: &stage,
        };
        called.command(command).await
    } else {
        let names = chosen.iter().map(|one| one.name.clone()).collect();
        runs(&cli, names, (&user, &program), from, &stage, shared).await
    };
    match done {
        Ok(said) => Line::said(said, cli.output),
        Err(wrong) => Line::wrong(wrong),
    }
}

/// A run with another configuration than the one that somebody has just written would show them something else than they think. Decisions are the same under both.
fn request_fits(cli: &Cli, configuration: &str, loaded: &Loaded) -> bool {
    let matters = matches!(
        cli.command,
        None | Some(Command::Drift | Command::Notify { .. })
    );
    !matters || configuration == mark(&loaded.config)
}

/// The answer to a question; none, in time or at all, is a no.
async fn answered(
    from: &Mutex<BufReader<OwnedReadHalf>>,
    mut stopping: watch::Receiver<bool>,
) -> Answer {
    let mut from = from.lock().await;
    let mut line = String::new();
    let mut limited = (&mut *from).take(LONGEST_REQUEST);
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => Answer::No,
        read = timeout(ANSWER_WITHIN, limited.read_line(&mut line)) => match read {
            Ok(Ok(_)) => serde_json::from_str(&line).unwrap_or(Answer::No),
            _ => Answer::No,
        }
    }
}

/// Runs by hand, one integration after the other, made by the loop as it makes its own.
async fn runs(
    cli: &Cli,
    names: Vec<String>,
    (user, program): (&str, &str),
    mut from: BufReader<OwnedReadHalf>,
    stage: &(dyn Fn(&str) + Send + Sync),
    shared: &Shared,
) -> Result<Said, (Exit, String)> {
    let mut reports = Vec::new();
    for name in names {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (reply, mut replied) = oneshot::channel();
        let wanted = Wanted {
            name: name.clone(),
            user: user.to_owned(),
            dry_run: cli.dry_run,
            resync: cli.resync,
            accept_clock: cli.accept_clock,
            stage: tell,
            reply,
        };
        let ends = || {
            (
                Exit::Unexpected,
                format!(
                    "The run of {name} did not come to its end: the service stops, or an internal error is in its log. The next run goes on from there"
                ),
            )
        };
        shared.wanted.send(wanted).await.map_err(|_| ends())?;
        let patience = tokio::time::sleep(Duration::from_secs(cli.wait));
        tokio::pin!(patience);
        let mut begun = false;
        stage("waiting for its turn");
        let report = loop {
            tokio::select! {
                Some(what) = told.recv() => {
                    begun = true;
                    stage(&what);
                }
                report = &mut replied => break report.map_err(|_| ends())?,
                // The asker says nothing more: this is the end of the connection, and what has not begun is taken back.
                _ = from.read_u8(), if !begun => return Err(ends()),
                () = &mut patience, if !begun => {
                    return Err((
                        Exit::Busy,
                        format!(
                            "Another run of {name} is in progress; it was not over after {} s. Try again when it is",
                            cli.wait
                        ),
                    ));
                }
            }
        };
        reports.push(report);
    }
    Ok(commands::runs(reports, program, cli.output))
}
