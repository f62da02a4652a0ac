//! A real OpenSSH server on a loopback port: an ordinary process of the test, with keys and a configuration of its own.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::Company;

const SSHD: &str = "/usr/sbin/sshd";
/// Where OpenSSH lets its unprivileged half live.
const RUN_FOLDER: &str = "/run/sshd";
/// What `.ci/run` sets: there the server must be here.
const REQUIRED: &str = "CI_REQUIRES_SSHD";

/// A server in progress.
pub(crate) struct Sshd {
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
}

/// Whether there is an OpenSSH server to be tested against. Says so where there is none.
pub(crate) fn is_here() -> bool {
    let here = Path::new(SSHD).exists()
        && (!nix::unistd::geteuid().is_root() || fs::create_dir_all(RUN_FOLDER).is_ok());
    assert!(
        here || std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no {SSHD}: install openssh-server"
    );
    if !here {
        eprintln!("SKIPPED: there is no {SSHD} to be tested against");
    }
    here
}

/// The user of the tests, who is the only one whom an ordinary process can let in.
pub(crate) fn user() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    user.unwrap().unwrap().name
}

/// A key pair of this name, kind and so on, made once for all tests and kept for the next time. The private key's file.
pub(crate) fn key(name: &str, arguments: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ssh-keys");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    if !path.exists() {
        // Another process may be at it, too: whole keys alone get their names, the private one last.
        let made_in = tempfile::tempdir_in(&folder).unwrap();
        let made = made_in.path().join("key");
        let run = Command::new("ssh-keygen")
            .args(["-q", "-C", "", "-f"])
            .arg(&made)
            .args(arguments)
            .stdin(Stdio::null())
            .status();
        assert!(run.unwrap().success());
        fs::rename(made.with_extension("pub"), path.with_extension("pub")).unwrap();
        fs::rename(made, &path).unwrap();
    }
    path
}

/// The key of a server, of a kind such as `ed25519`.
pub(crate) fn host_key(kind: &str) -> PathBuf {
    key(&format!("host_{kind}"), &["-N", "", "-t", kind])
}

/// Another one.
pub(crate) fn other_host_key(kind: &str) -> PathBuf {
    key(&format!("other_{kind}"), &["-N", "", "-t", kind])
}

/// The key with which the tests log in, where nothing else is said.
pub(crate) fn user_key() -> PathBuf {
    key("user_ed25519", &["-N", "", "-t", "ed25519"])
}

/// The fingerprint of a key as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(key: &Path) -> String {
    let shown = Command::new("ssh-keygen").arg("-lf").arg(key).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    shown.split_whitespace().nth(1).unwrap().to_owned()
}

fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap()
}

impl Sshd {
    /// One with an ed25519 key, that lets the tests' key in.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[&host_key_if_here("ed25519")?], &[], "")
    }

    /// One with these keys, that lets the tests' key and these in, with more lines of configuration.
    pub(crate) fn with(host_keys: &[&Path], users: &[&Path], more: &str) -> Option<Self> {
        if !is_here() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let authorized: String = [public(&user_key())]
            .into_iter()
            .chain(users.iter().map(|key| public(key)))
            .collect();
        fs::write(folder.path().join("authorized_keys"), authorized).unwrap();
        for _ in 0..5 {
            // Somebody else may take it between here and there.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut text = format!(
                "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 200\nLogLevel ERROR\n\
                 AuthorizedKeysFile {}/authorized_keys\nSubsystem sftp internal-sftp\n",
                folder.path().display()
            );
            for key in host_keys {
                text += &format!("HostKey {}\n", key.display());
            }
            text += more;
            let config = folder.path().join("sshd_config");
            fs::write(&config, text).unwrap();
            let mut child = Command::new(SSHD)
                .args(["-D", "-e", "-f"])
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(fs::File::create(folder.path().join("log")).unwrap())
                .spawn()
                .unwrap();
            if answers(port, &mut child) {
                return Some(Self {
                    child,
                    port,
                    folder,
                });
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = fs::read_to_string(folder.path().join("log"));
        panic!("sshd does not start: {}", log.unwrap_or_default());
    }

    /// Lets this key in, too.
    pub(crate) fn lets_in(&self, keys: &[&Path]) {
        let all: String = keys.iter().map(|key| public(key)).collect();
        fs::write(self.folder.path().join("authorized_keys"), all).unwrap();
    }

    /// Ends it. Sessions go on.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn host_key_if_here(kind: &str) -> Option<PathBuf> {
    is_here().then(|| host_key(kind))
}

fn answers(port: u16, child: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
        let mut begin = [0; 4];
        if let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1))
            && stream
                .set_read_timeout(Some(Duration::from_secs(2)))
                .is_ok()
            && stream.read_exact(&mut begin).is_ok()
        {
            return &begin == b"SSH-";
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The lines of a source whose drop folder is on a server.
pub(crate) struct OnServer {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) pins: Vec<String>,
    pub(crate) auth: String,
    pub(crate) folder: String,
    pub(crate) more: String,
}

impl OnServer {
    /// The drop folder of a company, as the user of the tests sees it on a server with this ed25519 key.
    pub(crate) fn of(company: &Company, port: u16) -> Self {
        Self {
            port,
            user: user(),
            pins: vec![fingerprint(&host_key("ed25519"))],
            auth: format!("[{{private_key: {{file: {}}}}}]", user_key().display()),
            folder: company.path("drop").display().to_string(),
            more: String::new(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self {
            port,
            user,
            pins,
            auth,
            folder,
            more,
        } = self;
        let pins: Vec<String> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
        format!(
            "        type: sftp\n        host: 127.0.0.1\n        port: {port}\n        user: {user}\n        host_keys: [{}]\n        auth: {auth}\n        folder: {folder}\n{more}",
            pins.join(", ")
        )
    }
}

/// A company whose drop folder is on this server.
pub(crate) fn company(sshd: &Sshd, change: impl FnOnce(&mut OnServer)) -> Company {
    company_at(sshd.port, change)
}

/// The same at a port, which may be that of something in between.
pub(crate) fn company_at(port: u16, change: impl FnOnce(&mut OnServer)) -> Company {
    let mut company = Company::new();
    put_on_server(&mut company, port, change);
    company
}

/// Puts the drop folder of a company on a server.
pub(crate) fn put_on_server(company: &mut Company, port: u16, change: impl FnOnce(&mut OnServer)) {
    let mut server = OnServer::of(company, port);
    change(&mut server);
    company.edit(
        "        type: csv_drop\n        folder: drop\n",
        &server.text(),
    );
}
