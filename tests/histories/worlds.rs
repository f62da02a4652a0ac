//! Plays one history: a company with its sources, a JobTicket, and the program between them; after every step all of it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use jobticket_sync::clock::Clock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::back_ends::{BackEnd, Came, Order, scratch};
use crate::decisions::{self, Decision, Hold};
use crate::deliveries::{Drop, Feed, Reading};
use crate::jobticket::{INTEGRATION, JobTicket, KEY_ID, KEY_SECRET, Record};
use crate::law::{Approval, Case, Law, Rules};
use crate::people::Staff;
use crate::stories::{Runs, Step, Story, Trouble};
use crate::whole::Whole;

/// When every history begins: a Monday, and far from any change of summer time.
const BEGIN: &str = "2026-11-02T05:15:00Z";
const SOURCES: [&str; 2] = ["headquarters", "branch"];
/// A clock that differs by more from JobTicket's must keep the program from pushing.
const OFF: TimeDelta = TimeDelta::hours(24);

/// What all histories of a thread share.
pub(crate) struct Tools {
    pub(crate) runtime: Runtime,
    pub(crate) http: reqwest::Client,
}

impl Tools {
    pub(crate) fn new() -> Self {
        // The runs themselves are made on the thread of the test; the workers are for the sandbox.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { runtime, http }
    }
}

/// How often something happened.
pub(crate) type Tally = BTreeMap<String, usize>;

/// Plays a history to its end; what happened in it, and how often. What goes wrong is told with all that led to it.
pub(crate) fn play(story: &Story, tools: &Tools, back_end: &dyn BackEnd) -> Result<Tally, String> {
    let mut world = World::new(story, tools, back_end);
    let played = world.play(story);
    let World {
        jobticket,
        log,
        tally,
        ..
    } = world;
    jobticket.stop();
    played
        .map(|()| tally)
        .map_err(|error| format!("{error}\nwhat happened:\n{log}"))
}

struct World<'w> {
    tools: &'w Tools,
    back_end: &'w dyn BackEnd,
    folder: TempDir,
    archive: bool,
    /// The right time, which is also JobTicket's.
    clock: Clock,
    staff: Staff,
    feeds: Vec<Feed>,
    jobticket: JobTicket<'w>,
    whole: Whole,
    rules: Rules,
    law: Law,
    log: String,
    tally: Tally,
}

impl<'w> World<'w> {
    fn new(story: &Story, tools: &'w Tools, back_end: &'w dyn BackEnd) -> Self {
        let folder = tempfile::tempdir_in(scratch()).unwrap();
        let clock = Clock::starting_at(BEGIN.parse().unwrap()).skipping_waits();
        let sources = &SOURCES[..story.sources];
        let feeds = sources
            .iter()
            .map(|name| Feed::new(folder.path().join(name)));
        let behaviour = story.behaviour.clone();
        let world = Self {
            staff: Staff::new(story.people, story.sources, day(clock.now())),
            feeds: feeds.collect(),
            jobticket: JobTicket::start(&tools.runtime, &tools.http, behaviour, clock.clone()),
            whole: Whole::new(folder.path().join("state")),
            rules: Rules::of_today(),
            law: Law::default(),
            log: String::new(),
            tally: Tally::new(),
            archive: story.archive,
            tools,
            back_end,
            folder,
            clock,
        };
        std::fs::write(world.folder.path().join("key-id"), KEY_ID).unwrap();
        std::fs::write(world.folder.path().join("key-secret"), KEY_SECRET).unwrap();
        world.configure();
        world
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    /// Writes the configuration.
    fn configure(&self) {
        let folder = self.folder.path().display();
        let url = &self.jobticket.url;
        let mut text = format!(
            "state_dir: state
integrations:
  - name: acme
    jobticket:
      base_url: {url}
      integration_id: {INTEGRATION}
      api_key_id: {{file: {folder}/key-id}}
      api_key_secret: {{file: {folder}/key-secret}}
      retry_seconds: 20
    limits: {{first_push: allow}}
    sources:
"
        );
        for name in &SOURCES[..self.feeds.len()] {
            let after = if self.archive {
                format!("{{archive: archive-{name}}}")
            } else {
                "keep".to_owned()
            };
            let most = crate::deliveries::MAX_AGE_HOURS;
            write!(
                text,
                "      - name: {name}
        type: csv_drop
        folder: {name}
        pattern: \"roster_*.csv\"
        newest_by: {{name_date: \"roster_%Y%m%d_%H%M.csv\"}}
        ready: rename
        max_age_hours: {most}
        after: {after}
        fields:
          hrId: Personalnummer
          firstName: Vorname
          lastName: Nachname
          email: E-Mail
          dateOfBirth: {{from: Geburtsdatum, format: TT.MM.JJJJ}}
          startDate: {{from: Eintritt, format: TT.MM.JJJJ}}
          terminationDate: {{from: Austritt, format: TT.MM.JJJJ}}
        exclude: [{{column: Kreis, in: [Werkstudent]}}]
"
            )
            .unwrap();
        }
        std::fs::write(self.config(), text).unwrap();
    }

    fn play(&mut self, story: &Story) -> Result<(), String> {
        for (number, step) in story.steps.iter().enumerate() {
            self.step(number, step)?;
        }
        self.end_well()
    }

    fn say(&mut self, text: &str) {
        writeln!(
            self.log,
            "{} {text}",
            self.clock.now().format("%m-%d %H:%M")
        )
        .unwrap();
    }

    fn count(&mut self, what: &str, times: usize) {
        *self.tally.entry(what.to_owned()).or_default() += times;
    }

    fn pass(&self, minutes: u64) {
        let wait = Duration::from_secs(minutes * 60);
        self.tools.runtime.block_on(self.clock.sleep(wait));
    }

    fn today(&self) -> NaiveDate {
        day(self.clock.now())
    }

    fn deliver(&mut self, source: usize, drop: &Drop) {
        let people = self.staff.of_source(source);
        let at = self.clock.now() - TimeDelta::seconds(30);
        self.feeds[source].deliver(drop, &people, at);
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<(), String> {
        self.pass(step.passes);
        self.say(&format!("step {number}: {step:?}"));
        let today = self.today();
        for change in &step.changes {
            self.staff.happen(change, today);
        }
        for source in 0..self.feeds.len() {
            self.deliver(source, &step.drops[source]);
        }
        let staff = &self.staff;
        let fault = step
            .trouble
            .as_ref()
            .and_then(|trouble| trouble.fault(|who| staff.number_of(who)));
        let spoilt = match (&step.trouble, &fault) {
            (Some(Trouble::Spoilt(who)), Some(_)) => self.staff.number_of(*who),
            _ => None,
        };
        if let Some(fault) = fault {
            self.jobticket.fail(&[fault]);
        }
        if let Some((hold, decision)) = &step.decision {
            self.decide(*hold, decision);
        }
        let crash = step.crash.map(|nth| format!("*:{nth}"));
        let at_once = step.runs == Runs::AtOnce;
        self.run(step.clock, crash, at_once, spoilt.as_deref())?;
        if step.runs == Runs::Two {
            self.pass(3);
            self.run(None, None, false, spoilt.as_deref())?;
        }
        if step.trouble.is_some() {
            self.jobticket.behave();
        }
        Ok(())
    }

    /// Takes a decision, if anything waits for one.
    fn decide(&mut self, choice: usize, decision: &Decision) {
        let holds = decisions::holds(&self.config(), &self.clock);
        if let Some(hold) = holds.get(choice % holds.len().max(1)) {
            self.decide_on(hold, decision);
        }
    }

    /// One run, or two at once, and all checks after it. Where the program refuses a clock that is right, the operator says so.
    fn run(
        &mut self,
        wrong_by: Option<i64>,
        crash: Option<String>,
        at_once: bool,
        spoilt: Option<&str>,
    ) -> Result<u8, String> {
        let wrong_by = TimeDelta::minutes(wrong_by.unwrap_or(0));
        let clock = if wrong_by.is_zero() {
            self.clock.clone()
        } else {
            self.clock.set_to(self.clock.now() + wrong_by)
        };
        let mut order = Order {
            clock,
            crash,
            accept_clock: false,
        };
        let came = self.attempt(&order, wrong_by, at_once, spoilt)?;
        if let Came::Ended(1, report) = &came {
            let message = report["message"].as_str().unwrap_or_default();
            if !message.contains("clock") {
                return Err(format!("a run failed: {message}"));
            }
            if wrong_by.is_zero() {
                order.accept_clock = true;
                order.crash = None;
                let again = self.attempt(&order, wrong_by, false, spoilt)?;
                return Ok(code(&again));
            }
        }
        Ok(code(&came))
    }

    fn attempt(
        &mut self,
        order: &Order,
        wrong_by: TimeDelta,
        at_once: bool,
        spoilt: Option<&str>,
    ) -> Result<Came, String> {
        let right = wrong_by.is_zero();
        let now = self.clock.now();
        let readings: Vec<Reading> = self
            .feeds
            .iter()
            .map(|feed| feed.reading(now, right))
            .collect();
        let began = day(order.clock.now());
        let config = self.config();
        let mut came = if at_once {
            self.back_end.run_two(&config, order)?.into()
        } else {
            vec![self.back_end.run(&config, order)?]
        };
        for one in &came {
            self.say(&told(one));
            self.count("runs", 1);
            let result = if one.result().is_empty() {
                "crashed"
            } else {
                one.result()
            };
            self.count(result, 1);
        }
        let whole = came
            .iter()
            .any(|came| ["unchanged", "pushed", "held"].contains(&came.result()));
        for (feed, reading) in self.feeds.iter_mut().zip(&readings) {
            feed.was_read(reading, whole, began);
        }
        self.judge(order, wrong_by, &readings, spoilt)?;
        // A run that was refused for its clock leaves the store alone.
        let finished = !came
            .iter()
            .any(|came| ["", "failed"].contains(&came.result()));
        self.whole.check(&self.jobticket, finished)?;
        // Of two, the one that did the work.
        let busy = came.len() > 1 && came[0].result() == "busy";
        Ok(came.swap_remove(usize::from(busy)))
    }

    /// The law, for every push that was accepted meanwhile.
    fn judge(
        &mut self,
        order: &Order,
        wrong_by: TimeDelta,
        readings: &[Reading],
        spoilt: Option<&str>,
    ) -> Result<(), String> {
        let before = self.jobticket.arrived();
        let known = self.jobticket.known();
        let news = self.jobticket.look(spoilt)?;
        if wrong_by.abs() > OFF && self.jobticket.arrived() > before {
            return Err(format!(
                "a push left by a clock that is wrong by {wrong_by}"
            ));
        }
        for push in news {
            if !push.offboarded.is_empty() {
                let (sync_id, people) = (&push.sync_id, &push.offboarded);
                self.say(&format!("{sync_id}: {people:?} lost the ticket"));
            }
            self.count("accepted pushes", 1);
            self.count("accepted in part", usize::from(!push.whole));
            self.count("lost tickets", push.offboarded.len());
            let now = order.clock.now();
            let case = Case {
                readings,
                read: self.feeds.iter().map(|feed| feed.read.as_slice()).collect(),
                today: day(now),
                now,
            };
            self.law
                .judge(&self.rules, &case, &push.offboarded, known)?;
            self.whole.read_audit()?;
            self.whole.is_on_record(&push)?;
        }
        Ok(())
    }

    /// No dead end: once HR is in order, delivers everything, and all decisions are taken, JobTicket has what HR has.
    fn end_well(&mut self) -> Result<(), String> {
        self.say("the end: HR is in order, delivers everything, and JobTicket works");
        self.jobticket.behave();
        // Whoever was kept until a day is kept no longer.
        self.pass(20 * 24 * 60);
        let days = self.rules.missing_days + 1;
        let mut last = 0;
        for _ in 0..days {
            self.pass(24 * 60);
            self.staff.put_in_order(&self.jobticket.held, true);
            for source in 0..self.feeds.len() {
                self.deliver(source, &Drop::Good);
            }
            self.run(None, None, false, None)?;
            for hold in decisions::holds(&self.config(), &self.clock) {
                self.decide_on(&hold, &Decision::Approve);
            }
            self.pass(3);
            last = self.run(None, None, false, None)?;
        }
        if last != 0 {
            return Err(format!("a dead end: the last run ended with {last}"));
        }
        self.jobticket.kept_the_limit()?;
        self.is_as_hr_has_it()
    }

    fn decide_on(&mut self, hold: &Hold, decision: &Decision) {
        self.say(&format!("{decision:?} of {hold:?}"));
        let config = self.config();
        if let Some(decided) = decisions::decide(&config, &self.clock, hold, decision) {
            let until = self.clock.now() + TimeDelta::hours(decided.hours);
            let people = decided.people;
            self.law.approvals.push(Approval { people, until });
        }
    }

    fn is_as_hr_has_it(&self) -> Result<(), String> {
        let today = self.today();
        let date = |date: NaiveDate| Some(date.to_string());
        let held = &self.jobticket.held;
        let due = |start: NaiveDate, number: &String| {
            start <= today + TimeDelta::days(30) || held.contains(number)
        };
        let entitled = self.staff.entitled(today).into_iter();
        let expected: BTreeSet<Record> = entitled
            .filter(|person| due(person.start, &person.number))
            .map(|person| Record {
                hr_id: person.number.clone(),
                first_name: person.first.clone(),
                last_name: person.last.clone(),
                email: person.email.clone(),
                date_of_birth: date(person.born),
                start_date: date(person.start),
                termination_date: person.end.and_then(date),
            })
            .collect();
        let last = self.jobticket.accepted.last();
        let sent: BTreeSet<Record> = last
            .map(|push| push.records.iter().cloned().collect())
            .unwrap_or_default();
        if sent == expected {
            return Ok(());
        }
        let (more, less): (Vec<_>, Vec<_>) = (
            sent.difference(&expected).collect(),
            expected.difference(&sent).collect(),
        );
        Err(format!(
            "a dead end: JobTicket has {more:?} and HR has {less:?}"
        ))
    }
}

fn day(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&Berlin).date_naive()
}

fn code(came: &Came) -> u8 {
    match came {
        Came::Crashed => u8::MAX,
        Came::Ended(code, _) => *code,
    }
}

/// A run in one line of the log.
fn told(came: &Came) -> String {
    match came {
        Came::Crashed => "  crashed".to_owned(),
        Came::Ended(code, report) => {
            let sources = report["sources"].as_array().into_iter().flatten();
            let sources: Vec<String> = sources
                .map(|source| format!("{} {}", source["status"], source["note"]))
                .collect();
            let changes = report["changes"].as_array().into_iter().flatten();
            let changes: Vec<String> = changes
                .map(|change| format!("{} {} {}", change["kind"], change["hrId"], change["reason"]))
                .collect();
            format!(
                "  exit {code}, {} {}\n    sources {sources:?}\n    changes {changes:?}\n    waiting {}\n    rejected {}\n    notes {}",
                came.result(),
                report["message"],
                report["collisions"],
                report["rejected"],
                report["notes"],
            )
        }
    }
}
