//! A company whose five people JobTicket has acknowledged: where a bad file, a held plan or a wrong row must change nobody.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use serde_json::Value;

use crate::support::{Company, JobTicket, Person, Ran, people, table};

/// How a roster is written.
type Render = fn(&[Person]) -> Vec<u8>;

/// A company after its first push, and its JobTicket.
pub(crate) struct Scene {
    pub(crate) jobticket: JobTicket,
    pub(crate) company: Company,
    render: Render,
}

impl Scene {
    /// Five people, in a plain table.
    pub(crate) fn new() -> Self {
        Self::of(5, |_| {}, plain)
    }

    /// Five people, in a plain table, with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut Company)) -> Self {
        Self::of(5, change, plain)
    }

    /// So many people, in a table of this form.
    pub(crate) fn of(count: usize, change: impl FnOnce(&mut Company), render: Render) -> Self {
        let jobticket = JobTicket::start();
        let mut company = Company::at(&jobticket);
        change(&mut company);
        let scene = Self {
            jobticket,
            company,
            render,
        };
        scene.deliver_good("20261120", count);
        scene.company.run_now().exits(0);
        assert_eq!(scene.jobticket.active().len(), count);
        scene
    }

    fn deliver_good(&self, day: &str, count: usize) {
        let content = (self.render)(&people(count));
        self.company.deliver(&format!("roster_{day}.csv"), content);
    }

    /// A run that fails its source, says all of this, sends nothing, changes nobody, and repeats no personal value.
    #[track_caller]
    pub(crate) fn fails(&self, says: &[&str]) -> Ran {
        let before = (self.jobticket.pushes().len(), self.jobticket.active());
        let mut ran = self.company.run_now().exits(4).says("requests: 0");
        for text in says {
            ran = ran.says(text);
        }
        tells_nothing_personal(&ran);
        let after = (self.jobticket.pushes().len(), self.jobticket.active());
        assert_eq!(before, after, "something reached JobTicket");
        let event = self.company.events("source_failed").pop().unwrap();
        for text in says {
            let error = event["error"].as_str().unwrap();
            assert!(
                error.contains(text),
                "the audit log lacks {text:?}: {error}"
            );
        }
        ran
    }

    /// Delivers `content` as the newest file: the source fails, nobody is changed, and the next good file goes through.
    #[track_caller]
    pub(crate) fn refuses(&self, content: impl AsRef<[u8]>, says: &[&str]) {
        self.company.deliver("roster_20261121.csv", content);
        let says: Vec<&str> = ["roster_20261121.csv"]
            .iter()
            .chain(says)
            .copied()
            .collect();
        self.fails(&says);
        self.recovers("20261122");
    }

    /// Days pass, here and at JobTicket.
    pub(crate) fn days_pass(&mut self, days: u64) {
        self.jobticket.hours_pass(24 * days);
        let now = DateTime::parse_from_rfc3339(&self.company.now).unwrap();
        self.company.now = (now + chrono::Days::new(days)).to_rfc3339();
    }

    /// A good file of this day with a joiner goes through.
    #[track_caller]
    pub(crate) fn recovers(&self, day: &str) {
        let count = self.jobticket.active().len() + 1;
        self.deliver_good(day, count);
        self.company
            .run_now()
            .exits(0)
            .says("joiners: 1   leavers: 0");
        assert_eq!(self.jobticket.active().len(), count);
    }
}

impl Company {
    /// Puts a file into the drop folder, written so many seconds before the program's time.
    pub(crate) fn deliver_written(&self, name: &str, content: impl AsRef<[u8]>, seconds_ago: u64) {
        let mut file = File::create(self.path("drop").join(name)).unwrap();
        file.write_all(content.as_ref()).unwrap();
        let now = DateTime::parse_from_rfc3339(&self.now).unwrap();
        file.set_modified(SystemTime::from(now) - Duration::from_secs(seconds_ago))
            .unwrap();
    }

    /// Replaces a text of the configuration.
    pub(crate) fn edit(&mut self, from: &str, to: &str) {
        self.edits.push((from.to_owned(), to.to_owned()));
    }
}

impl JobTicket {
    /// The employees of the last push that was processed, as they came.
    pub(crate) fn arrived(&self) -> Vec<Value> {
        let state = self.control("state");
        let all = state["pushes"].as_array().unwrap();
        let processed = |push: &Value| push["processed"] == true;
        let last = all.iter().rposition(processed).unwrap() + 1;
        let push = self.control(&format!("pushes/{last}"));
        push["body"]["employees"].as_array().unwrap().clone()
    }
}

/// A roster as a UTF-8 table.
pub(crate) fn plain(people: &[Person]) -> Vec<u8> {
    table(people).into_bytes()
}

/// The roster of five people with one row written otherwise; `row` counts the lines of the file, the header being 1.
pub(crate) fn with_row(row: usize, change: impl FnOnce(&str) -> String) -> String {
    let text = table(&people(5));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[row - 1] = change(&lines[row - 1]);
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// The roster of five people, each changed.
pub(crate) fn with_people(change: impl Fn(&mut Person)) -> String {
    let mut staff = people(5);
    staff.iter_mut().for_each(change);
    table(&staff)
}

/// Fails the test if the output repeats a value of one of the tests' people.
#[track_caller]
pub(crate) fn tells_nothing_personal(ran: &Ran) {
    let personal = [
        "Änne",
        "Beispiel",
        "person0",
        "example.com",
        "15.04.1990",
        "1990-04-15",
    ];
    for said in [&ran.stdout, &ran.stderr] {
        for value in personal {
            assert!(!said.contains(value), "{value} was said: {said}");
        }
    }
}
