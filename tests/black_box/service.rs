//! A service in progress.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Company;

/// A service in progress, with a socket of the test's own in the place of the manager's.
pub(crate) struct Service {
    pub(crate) child: Child,
    manager: UnixDatagram,
    pub(crate) heard: Vec<String>,
}

impl Service {
    pub(crate) fn start(company: &Company, variables: &[(&str, &str)]) -> Self {
        let path = company.path("notify");
        let _ = std::fs::remove_file(&path);
        let manager = UnixDatagram::bind(&path).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut command = company.command(&[]);
        command
            .env("NOTIFY_SOCKET", &path)
            .env("JOBTICKET_SYNC_TEST_TICKS", "* * * * * *")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut service = Self {
            child,
            manager,
            heard: Vec::new(),
        };
        service.hears(|message| message.contains("READY=1"));
        service
    }

    /// Waits for a message.
    #[track_caller]
    pub(crate) fn hears(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.until(|message| wanted(message).then(|| message.to_owned()))
    }

    /// Waits until a look at the company after a message finds something.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, mut look: impl FnMut(&str) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(60);
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let Ok(length) = self.manager.recv(&mut buffer) else {
                break;
            };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.heard.push(message.clone());
            if let Some(found) = look(&message) {
                return found;
            }
        }
        let _ = self.child.kill();
        panic!("what was waited for did not come: {:#?}", self.heard);
    }

    #[track_caller]
    pub(crate) fn runs_end(&mut self, company: &Company, count: usize) {
        self.until(|_| (company.events("run_ended").len() >= count).then_some(()));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Stops it; what it wrote to stderr.
    #[track_caller]
    pub(crate) fn stops(mut self) -> String {
        self.signal(Signal::SIGTERM);
        self.ends(0)
    }

    #[track_caller]
    pub(crate) fn ends(&mut self, code: i32) -> String {
        let mut said = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{said}");
        said
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
