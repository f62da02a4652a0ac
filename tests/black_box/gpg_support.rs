//! The real gpg, with a home and an agent of its own, at the times that the tests play at.

use std::process::Command;

use tempfile::TempDir;

/// A gpg that forgets everything in the end.
pub(crate) struct Gpg {
    home: TempDir,
}

/// Before the day of the tests.
pub(crate) const EARLY: &str = "20261101T080000";

impl Gpg {
    /// `None`, with a line that says so, where gpg is not installed. Where `CI_REQUIRES_GPG` is set, that is a failure.
    pub(crate) fn start() -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            let required = std::env::var_os("CI_REQUIRES_GPG").is_some();
            assert!(
                !required,
                "CI_REQUIRES_GPG is set, and gpg is not installed"
            );
            eprintln!("SKIPPED: gpg is not installed; what it makes was not tested");
            return None;
        }
        // The path of the agent's socket must be short, so this stands directly in the folder for temporary files.
        let home = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
        Some(Self { home })
    }

    /// Runs gpg at this time on a file of these bytes; gives what it wrote.
    #[track_caller]
    pub(crate) fn run(&self, time: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        self.call(time, &[arguments, &[file.to_str().unwrap()]].concat())
    }

    /// Runs gpg at this time.
    #[track_caller]
    pub(crate) fn call(&self, time: &str, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("timeout")
            .args(["-k", "5", "120", "gpg", "--homedir"])
            .arg(self.home.path())
            .args(["--batch", "--no-tty", "--quiet", "--yes"])
            .args(["--trust-model", "always", "--pinentry-mode", "loopback"])
            .args(["--faked-system-time", &format!("{time}!"), "--output", "-"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {said}");
        output.stdout
    }

    /// A key of these algorithms for signing and for encryption, made early, locked with this passphrase; `expire` such as `2026-11-10` or `never`.
    /// Gives its fingerprint.
    pub(crate) fn key(&self, algorithms: (&str, &str), expire: &str, passphrase: &str) -> String {
        let locked = ["--passphrase", passphrase];
        let name = format!("invented {} {expire}", algorithms.0);
        let make = [
            "--quick-generate-key",
            &name,
            algorithms.0,
            "sign,cert",
            expire,
        ];
        self.call(EARLY, &[&locked[..], &make].concat());
        let listed = self.call(EARLY, &["--with-colons", "--list-keys"]);
        let listed = String::from_utf8(listed).unwrap();
        // The primary key's fingerprint follows its line; the last key is the newest.
        let mut lines = listed
            .lines()
            .rev()
            .skip_while(|line| !line.starts_with("fpr:"));
        let fingerprint = lines.next().unwrap().split(':').nth(9).unwrap().to_owned();
        let add = [
            "--quick-add-key",
            &fingerprint,
            algorithms.1,
            "encr",
            expire,
        ];
        self.call(EARLY, &[&locked[..], &add].concat());
        fingerprint
    }

    /// The usual key: Curve25519, without an end and without a passphrase.
    pub(crate) fn usual_key(&self) -> String {
        self.key(("ed25519", "cv25519"), "never", "")
    }

    pub(crate) fn public(&self, fingerprint: &str) -> Vec<u8> {
        self.call(EARLY, &["--armor", "--export", fingerprint])
    }

    pub(crate) fn private(&self, fingerprint: &str, passphrase: &str) -> Vec<u8> {
        let export = [
            "--passphrase",
            passphrase,
            "--export-secret-keys",
            fingerprint,
        ];
        self.call(EARLY, &export)
    }

    /// Encrypts early.
    #[track_caller]
    pub(crate) fn encrypted(&self, to: &str, further: &[&str], bytes: &[u8]) -> Vec<u8> {
        let arguments = [&["--recipient", to][..], further, &["--encrypt"]].concat();
        self.run(EARLY, &arguments, bytes)
    }

    /// Revokes a key with the certificate that gpg made beside it.
    pub(crate) fn revoke(&self, fingerprint: &str) {
        let path = format!("openpgp-revocs.d/{fingerprint}.rev");
        let made = std::fs::read_to_string(self.home.path().join(path)).unwrap();
        // A colon keeps it from being used by accident.
        let usable = made.replace(":-----BEGIN", "-----BEGIN");
        self.run(EARLY, &["--import"], usable.as_bytes());
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut kill = Command::new("timeout");
        kill.args(["10", "gpgconf", "--homedir"]);
        let _ = kill.arg(self.home.path()).args(["--kill", "all"]).output();
    }
}
