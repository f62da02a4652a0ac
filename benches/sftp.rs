//! The bar for fetching: a dry run that fetches an export from a server and reads it, beside OpenSSH's `sftp` that fetches it and a dry run that reads the local file.
//!
//! A real `sshd` on a loopback port serves the file; whole processes are measured, in turns, and what counts is the ratio of the medians. The exit code is 1 where
//! the bar is missed. Needs `openssh-server` and `openssh-client`.
//!
//! `cargo bench --bench sftp -- [ROWS [RUNS]]`, 100,000 rows and 7 runs by default. The bar is that of 100,000 rows; other numbers are measured, not judged.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod roster;

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The rows for which the bar is meant.
const ROWS: usize = 100_000;
const PROGRAM: &str = env!("CARGO_BIN_EXE_jobticket-sync");
/// Fetching and reading may take so many times as long as the two by themselves.
const MOST_TIME: f64 = 1.3;
const ROSTER: &str = "roster_20260105.csv";

use roster::{CONFIG, write_roster};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let numbers = std::env::args().skip(1).filter(|a| a != "--bench");
    let numbers: std::result::Result<Vec<usize>, _> = numbers
        .map(|number| number.replace('_', "").parse())
        .collect();
    let done = numbers.map_err(Into::into).and_then(|numbers| {
        let rows = numbers.first().copied().unwrap_or(ROWS);
        bar(rows.max(1), numbers.get(1).copied().unwrap_or(7).max(1))
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sftp: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether the bar is kept.
fn bar(rows: usize, runs: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    for name in ["drop", "remote", "state", "local"] {
        std::fs::create_dir(path(name))?;
    }
    let (remote, fetched) = (path("remote").join(ROSTER), path("drop").join(ROSTER));
    write_roster(&remote, rows, false)?;
    std::fs::copy(&remote, &fetched)?;
    let server = Server::start(folder.path())?;
    std::fs::write(
        path("local.yaml"),
        config("local", "        type: csv_drop\n        folder: drop\n"),
    )?;
    std::fs::write(
        path("server.yaml"),
        config("state", &server.source(folder.path())?),
    )?;
    let sync = |config: &str, arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--config")
            .arg(path(config))
            .arg("--run-now")
            .args(arguments);
        command
    };
    let fetch = || {
        let mut command = Command::new("sftp");
        command.args([
            "-q",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]);
        command
            .arg("-i")
            .arg(path("user"))
            .args(["-P", &server.port.to_string()]);
        command
            .arg(format!("{}@127.0.0.1:{}", server.user, remote.display()))
            .arg(&fetched);
        command
    };
    // A file that looks like the last one is not fetched again, and an older one not taken.
    let written = |seconds_ago: u64| {
        let time = SystemTime::now() - Duration::from_secs(seconds_ago);
        let mut files = [&remote, &fetched].into_iter();
        files.try_for_each(|file| File::options().write(true).open(file)?.set_modified(time))
    };
    written(7200)?;
    for config in ["local.yaml", "server.yaml"] {
        spent(&mut sync(config, &[]))?;
    }
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for run in 0..runs {
        written(3600 - 2 * run.min(1000) as u64)?;
        all[0].push(spent(&mut sync("server.yaml", &["--dry-run"]))?);
        all[1].push(spent(&mut fetch())?);
        all[2].push(spent(&mut sync("local.yaml", &["--dry-run"]))?);
    }
    let [ours, fetch, read] = all.map(median);
    let ratio = ours / (fetch + read);
    println!(
        "{rows} rows, {} bytes, medians of {runs} runs",
        std::fs::metadata(&remote)?.len()
    );
    for (what, seconds) in [
        ("fetched and read, --dry-run", ours),
        ("sftp of OpenSSH", fetch),
        ("read from a drop folder, --dry-run", read),
        ("fetching alone: the first without the third", ours - read),
    ] {
        println!("{what:<46} {seconds:>8.4} s");
    }
    if rows != ROWS {
        println!("{ratio:.2} times the two by themselves");
        return Ok(true);
    }
    let kept = ratio <= MOST_TIME;
    println!(
        "{ratio:.2} times the two by themselves, at most {MOST_TIME}: {}",
        if kept { "kept" } else { "MISSED" }
    );
    Ok(kept)
}

fn spent(command: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&said)).into());
    }
    Ok(seconds)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// An OpenSSH server in progress.
struct Server {
    child: Child,
    port: u16,
    user: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        for name in ["host", "user"] {
            let key = folder.join(name);
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
                .arg(key);
            spent(&mut keygen)?;
        }
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?;
        let user = user.ok_or("this user has no name")?.name;
        if user == "root" {
            std::fs::create_dir_all("/run/sshd")?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nSubsystem sftp internal-sftp\n",
            folder.display()
        );
        std::fs::write(folder.join("sshd_config"), text)?;
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { child, port, user };
        for _ in 0..100 {
            let mut begin = [0; 4];
            let answers = TcpStream::connect(("127.0.0.1", port))
                .and_then(|mut stream| stream.read_exact(&mut begin));
            if answers.is_ok() && &begin == b"SSH-" {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("sshd does not answer".into())
    }

    fn source(&self, folder: &Path) -> Result<String> {
        let shown = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(folder.join("host"))
            .output()?;
        let shown = String::from_utf8(shown.stdout)?;
        let pin = shown.split_whitespace().nth(1).ok_or("no fingerprint")?;
        let (port, user) = (self.port, &self.user);
        let folder = folder.display();
        Ok(format!(
            "        type: sftp\n        host: 127.0.0.1\n        port: {port}\n        user: {user}\n        host_keys: [\"{pin}\"]\n        auth: [{{private_key: {{file: user}}}}]\n        folder: {folder}/remote\n"
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reading back a hundred thousand people takes minutes, for the rate limit holds in the sandbox too.
fn config(state: &str, place: &str) -> String {
    CONFIG
        .replace("state_dir: state", &format!("state_dir: {state}"))
        .replace("        type: csv_drop\n        folder: drop\n", place)
        .replace(
            "    sources:",
            "    read_back: {before_push: false, after_push: false}\n    sources:",
        )
}
