//! A company whose five people JobTicket has acknowledged: where a bad file, a held plan or a wrong row must change nobody.

use crate::support::{Company, JobTicket, Person, Ran, people, table};

/// How a roster is written.
type Render = fn(&[Person]) -> Vec<u8>;

/// A company after its first push, and its JobTicket.
pub struct Scene {
    pub jobticket: JobTicket,
    pub company: Company,
    render: Render,
}

impl Scene {
    /// Five people, in a plain table.
    pub fn new() -> Self {
        Self::of(5, |_| {}, plain)
    }

    /// Five people, in a plain table, with another configuration.
    pub fn with(change: impl FnOnce(&mut Company)) -> Self {
        Self::of(5, change, plain)
    }

    /// So many people, in a table of this form.
    pub fn of(count: usize, change: impl FnOnce(&mut Company), render: Render) -> Self {
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
    pub fn fails(&self, says: &[&str]) -> Ran {
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
    pub fn refuses(&self, content: impl AsRef<[u8]>, says: &[&str]) {
        self.company.deliver("roster_20261121.csv", content);
        let says: Vec<&str> = ["roster_20261121.csv"]
            .iter()
            .chain(says)
            .copied()
            .collect();
        self.fails(&says);
        self.recovers("20261122");
    }

    /// A good file of this day with a joiner goes through.
    #[track_caller]
    pub fn recovers(&self, day: &str) {
        let count = self.jobticket.active().len() + 1;
        self.deliver_good(day, count);
        self.company
            .run_now()
            .exits(0)
            .says("joiners: 1   leavers: 0");
        assert_eq!(self.jobticket.active().len(), count);
    }
}

/// A roster as a UTF-8 table.
pub fn plain(people: &[Person]) -> Vec<u8> {
    table(people).into_bytes()
}

/// The roster of five people with one row written otherwise; `row` counts the lines of the file, the header being 1.
pub fn with_row(row: usize, change: impl FnOnce(&str) -> String) -> String {
    let text = table(&people(5));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[row - 1] = change(&lines[row - 1]);
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// The roster of five people, each changed.
pub fn with_people(change: impl Fn(&mut Person)) -> String {
    let mut staff = people(5);
    staff.iter_mut().for_each(change);
    table(&staff)
}

/// Fails the test if the output repeats a value of one of the tests' people.
#[track_caller]
pub fn tells_nothing_personal(ran: &Ran) {
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
