//! A company of invented people, its drop folder and configuration, and a JobTicket of its own.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The day on which the tests play, unless they say otherwise: a Monday.
pub const NOW: &str = "2026-11-23T05:15:00Z";

/// One row of the roster; all columns are text as the HR system writes it.
#[derive(Clone)]
pub struct Person {
    pub number: String,
    pub first: String,
    pub last: String,
    pub email: String,
    pub born: String,
    pub start: String,
    pub end: String,
}

/// Somebody with this personnel number, whose values follow from it.
pub fn person(number: &str) -> Person {
    Person {
        number: number.to_owned(),
        first: "Änne".to_owned(),
        last: format!("Beispiel{number}"),
        email: format!("person{number}@example.com"),
        born: "15.04.1990".to_owned(),
        start: "01.03.2022".to_owned(),
        end: "31.12.9999".to_owned(),
    }
}

/// People numbered from `00001` on.
pub fn people(count: usize) -> Vec<Person> {
    (1..=count)
        .map(|number| person(&format!("{number:05}")))
        .collect()
}

/// A roster as a UTF-8 table.
pub fn table(people: &[Person]) -> String {
    let mut text =
        "Personalnummer;Vorname;Nachname;E-Mail;Geburtsdatum;Eintritt;Austritt\r\n".to_owned();
    for Person {
        number,
        first,
        last,
        email,
        born,
        start,
        end,
    } in people
    {
        writeln!(
            text,
            "{number};{first};{last};{email};{born};{start};{end}\r"
        )
        .unwrap();
    }
    text
}

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails the test unless stdout or stderr holds this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        assert!(said.contains(text), "nothing says {text:?}:\n{said}");
        self
    }

    /// The first report of `--output json`.
    #[track_caller]
    pub fn report(&self) -> Value {
        let all: Value = serde_json::from_str(&self.stdout).expect("stdout is JSON");
        all["runs"][0].clone()
    }
}

/// A company: state, drop folder and configuration in a folder of its own.
pub struct Company {
    folder: TempDir,
    /// The block under `jobticket:`, with its indentation.
    pub jobticket: String,
    /// Further keys of the source, with their indentation, one a line.
    pub source: String,
    /// Further keys of the integration, with their indentation.
    pub integration: String,
    /// Further keys at the top.
    pub top: String,
    /// The limits that are not the program's defaults.
    pub asks: String,
    /// What is replaced in the configuration by what, in the end.
    pub edits: Vec<(String, String)>,
    /// The time that the program is told.
    pub now: String,
    /// Further variables for the program.
    pub variables: Vec<(String, String)>,
}

impl Company {
    /// A company that pushes to the sandbox inside the program.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("drop")).unwrap();
        Self {
            folder,
            jobticket: "      environment: sandbox\n      integration_id: 7\n".to_owned(),
            source: "        ready: rename\n".to_owned(),
            integration: String::new(),
            top: String::new(),
            asks: "first_push: allow, missing_days: 1".to_owned(),
            edits: Vec::new(),
            now: NOW.to_owned(),
            variables: Vec::new(),
        }
    }

    /// A company that pushes to a sandbox of its own, through the documented API alone.
    pub fn at(jobticket: &JobTicket) -> Self {
        let mut company = Self::new();
        company.jobticket = format!(
            "      base_url: {}\n      integration_id: 7\n      api_key_id: {{env: TEST_KEY_ID}}\n      api_key_secret: {{env: TEST_KEY_SECRET}}\n",
            jobticket.url
        );
        company.source += "        max_age_hours: 100000\n";
        company
            .variables
            .push(("TEST_KEY_ID".to_owned(), KEY_ID.to_owned()));
        company
            .variables
            .push(("TEST_KEY_SECRET".to_owned(), KEY_SECRET.to_owned()));
        company
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the drop folder, written an hour before the program's time.
    pub fn deliver(&self, name: &str, content: impl AsRef<[u8]>) {
        self.deliver_written(name, content, 3600);
    }

    /// Puts a roster into the drop folder, dated by its name: `day` such as `20261120`.
    pub fn deliver_people(&self, day: &str, people: &[Person]) {
        self.deliver(&format!("roster_{day}.csv"), table(people));
    }

    /// Writes the configuration as it stands.
    pub fn write_config(&self) -> PathBuf {
        let Self {
            jobticket,
            source,
            integration,
            top,
            ..
        } = self;
        let mut text = format!(
            "state_dir: state
{top}integrations:
  - name: acme
    jobticket:
{jobticket}    sources:
      - name: headquarters
        type: csv_drop
        folder: drop
        pattern: \"roster_*.csv*\"
        newest_by: {{name_date: \"roster_%Y%m%d.csv\"}}
{source}        fields:
          hrId: Personalnummer
          firstName: Vorname
          lastName: Nachname
          email: E-Mail
          dateOfBirth: {{from: Geburtsdatum, format: TT.MM.JJJJ}}
          startDate: {{from: Eintritt, format: TT.MM.JJJJ}}
          terminationDate: {{from: Austritt, format: TT.MM.JJJJ}}
{integration}"
        );
        // The tests play at a first push, and on few days; what waits for those has tests of its own.
        let limits = "    limits: {";
        let is_new = |ask: &&str| {
            let key = ask.split_once(':').map(|(key, _)| key);
            key.is_some_and(|key| !text.contains(key))
        };
        let asks: Vec<&str> = self.asks.split(", ").filter(is_new).collect();
        let asks = asks.join(", ");
        if asks.is_empty() {
        } else if text.contains(limits) {
            text = text.replace(limits, &format!("{limits}{asks}, "));
        } else if !text.contains("    limits:") {
            writeln!(text, "{limits}{asks}}}").unwrap();
        }
        for (from, to) in &self.edits {
            assert!(text.contains(from), "the configuration has no {from}");
            text = text.replace(from, to);
        }
        let path = self.path("config.yaml");
        // While it is written it is empty, and another thread of the test may have started a program.
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            std::fs::write(&path, text).unwrap();
        }
        path
    }

    /// The program, ready to be started, with the configuration as it stands.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .arg("--config")
            .arg(self.write_config())
            .args(arguments);
        command.env("JOBTICKET_SYNC_TEST_NOW", &self.now);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// `--run-now`.
    pub fn run_now(&self) -> Ran {
        self.run(&["--run-now"])
    }

    /// The text of the audit log over all of its files.
    pub fn audit_text(&self) -> String {
        use std::io::Read as _;
        let files = std::fs::read_dir(self.path("state")).into_iter().flatten();
        let mut rotated: Vec<PathBuf> = files
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_string_lossy();
                name.starts_with("audit.jsonl.2") && !name.ends_with(".part")
            })
            .collect();
        rotated.sort();
        let mut text = String::new();
        for path in rotated {
            let bytes = std::fs::read(&path).unwrap();
            if path.extension().is_some_and(|end| end == "gz") {
                let mut packed = flate2::read::MultiGzDecoder::new(&bytes[..]);
                packed.read_to_string(&mut text).unwrap();
            } else {
                text += std::str::from_utf8(&bytes).unwrap();
            }
        }
        text + &std::fs::read_to_string(self.path("state/audit.jsonl")).unwrap_or_default()
    }

    /// The lines of the audit log.
    pub fn audit(&self) -> Vec<Value> {
        let text = self.audit_text();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line of the audit log is JSON"))
            .collect()
    }

    /// The lines of the audit log with this event.
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.audit()
            .into_iter()
            .filter(|line| line["event"] == event)
            .collect()
    }

    /// Every file below the state folder, with its content.
    /// The rosters in the store, which are packed there.
    pub fn kept_rosters(&self) -> Vec<Vec<u8>> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let path = self.path("state/state.db");
        let store = rusqlite::Connection::open_with_flags(path, flags).unwrap();
        let pieces = |table: &str| -> Vec<Vec<u8>> {
            let mut select = store
                .prepare(&format!("SELECT content FROM {table}"))
                .unwrap();
            let pieces = select.query_map([], |row| row.get(0)).unwrap();
            pieces.map(Result::unwrap).collect()
        };
        let all = [pieces("source_rows"), pieces("push_rows")].concat();
        let unpacked =
            |piece: &Vec<u8>| lz4_flex::block::decompress_size_prepended(&piece[1..]).unwrap();
        all.iter().map(unpacked).collect()
    }

    pub fn state_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            let Ok(entries) = std::fs::read_dir(folder) else {
                return;
            };
            for entry in entries.map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), found);
                } else {
                    found.push((entry.path(), std::fs::read(entry.path()).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.path("state"), &mut found);
        found.sort();
        found
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobticket-sync"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the program starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program without a company, such as for `--help`.
pub fn run_alone(arguments: &[&str]) -> Ran {
    ran(program().args(arguments))
}

pub const KEY_ID: &str = "f1b24afa-39c6-4cc2-b545-cfab6b687f6e";
pub const KEY_SECRET: &str = "invented-secret-of-the-tests";

/// A JobTicket of the test's own: the sandbox of the same binary in a process of its own, on a free port.
pub struct JobTicket {
    child: Child,
    pub url: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl JobTicket {
    /// One that behaves as documented.
    pub fn start() -> Self {
        Self::behaving("{}")
    }

    /// One that behaves like this where the documentation is silent.
    pub fn behaving(behaviour: &str) -> Self {
        Self::with_clock(behaviour, Some(NOW))
    }

    /// One whose clock begins at this time and skips its waits; without a time, the system's clock.
    pub fn with_clock(behaviour: &str, now: Option<&str>) -> Self {
        let mut child = program()
            .args([
                "sandbox",
                "--listen",
                "127.0.0.1:0",
                "--control",
                "--key-id",
                KEY_ID,
                "--key-secret",
                KEY_SECRET,
            ])
            .args(["--behaviour", behaviour])
            .envs(now.map(|now| ("JOBTICKET_SYNC_TEST_NOW", now)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .expect("it says where it listens")
            .to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            child,
            url,
            http,
            runtime,
        }
    }

    /// Reads from `/_sandbox/`.
    pub fn control(&self, path: &str) -> Value {
        let url = format!("{}/_sandbox/{path}", self.url);
        self.runtime.block_on(async {
            let answer = self
                .http
                .get(url)
                .send()
                .await
                .unwrap()
                .error_for_status()
                .unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        })
    }

    /// Sends to `/_sandbox/`.
    pub fn order(&self, path: &str, body: &Value) {
        let url = format!("{}/_sandbox/{path}", self.url);
        self.runtime.block_on(async {
            let call = self
                .http
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string());
            call.send().await.unwrap().error_for_status().unwrap();
        });
    }

    /// A fault of pushes, so often.
    pub fn fail_pushes(&self, times: u32, kind: &Value) {
        let on = serde_json::json!({ "method": "POST", "path_prefix": "/hr-integrations" });
        self.order(
            "faults",
            &serde_json::json!([{ "on": on, "times": times, "kind": kind }]),
        );
    }

    /// Takes back the faults that still wait.
    pub fn clear_faults(&self) {
        let call = self.http.delete(format!("{}/_sandbox/faults", self.url));
        self.runtime.block_on(async {
            call.send().await.unwrap().error_for_status().unwrap();
        });
    }

    /// Lets time pass on JobTicket's clock.
    pub fn hours_pass(&self, hours: u64) {
        let on = serde_json::json!({ "path_prefix": "/health" });
        let kind = serde_json::json!({ "delay": { "ms": hours * 3_600_000 } });
        self.order("faults", &serde_json::json!([{ "on": on, "kind": kind }]));
        let call = self.http.get(format!("{}/health", self.url));
        self.runtime.block_on(async {
            call.send().await.unwrap().error_for_status().unwrap();
        });
    }

    /// The pushes that were processed.
    pub fn pushes(&self) -> Vec<Value> {
        let state = self.control("state");
        state["pushes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|push| push["processed"] == true)
            .cloned()
            .collect()
    }

    /// The hrIds of people with an active subscription, sorted.
    pub fn active(&self) -> Vec<String> {
        let state = self.control("state");
        let active = state["employees"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|employee| employee["subscriptionStatus"] == "active");
        let mut hr_ids: Vec<String> = active
            .map(|employee| employee["hrId"].as_str().unwrap_or_default().to_owned())
            .collect();
        hr_ids.sort();
        hr_ids
    }
}

impl Drop for JobTicket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
