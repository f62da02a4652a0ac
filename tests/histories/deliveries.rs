//! What the sources deliver of HR's truth, whole or broken, and what an oracle may conclude from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;

use crate::people::{EXCLUDED, INCLUDED, Person, Wrong};

/// An older file is stale, hours.
pub(crate) const MAX_AGE_HOURS: i64 = 36;

/// What a source drops.
#[derive(Debug, Clone)]
pub(crate) enum Drop {
    Good,
    Nothing,
    /// The first part of the file, in percent; never up to a line end, for without a count nothing shows that such a file was cut.
    Cut(usize),
    /// Cut at a line end: the last people are missing, and nothing shows it.
    Short(usize),
    Empty,
    /// This column is empty in every row.
    EmptiedColumn(usize),
    /// The column of the numbers has another name.
    Renamed,
    /// So many people of another company.
    Foreign(usize),
    /// Still being written.
    Unready,
    /// Nothing but a file of five days ago.
    Stale,
    /// The folder is empty.
    Cleared,
}

/// Whether a file can be told to be complete and of the right shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Good,
    /// The program may refuse it for its content.
    Perhaps,
    Bad,
    Unready,
}

/// What a delivery says of somebody on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Current,
    /// On which day, and whether the person is excluded besides.
    Ended(NaiveDate, bool),
    Excluded,
    Absent,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    end: Option<NaiveDate>,
    excluded: bool,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// When it was written, by the right clock.
    pub(crate) at: DateTime<Utc>,
    pub(crate) form: Form,
    rows: BTreeMap<String, Row>,
}

impl Delivery {
    /// What it says of somebody.
    pub(crate) fn says(&self, number: &str, today: NaiveDate) -> Says {
        match self.rows.get(number) {
            None => Says::Absent,
            Some(Row {
                end: Some(end),
                excluded,
            }) if *end < today => Says::Ended(*end, *excluded),
            Some(Row { excluded: true, .. }) => Says::Excluded,
            Some(_) => Says::Current,
        }
    }

    /// One that has these people, for tests of the law itself.
    pub(crate) fn of(at: DateTime<Utc>, numbers: &[&str]) -> Self {
        let row = Row {
            end: None,
            excluded: false,
        };
        Self {
            at,
            form: Form::Good,
            rows: numbers
                .iter()
                .map(|number| ((*number).to_owned(), row))
                .collect(),
        }
    }

    /// The same, with an end for somebody.
    pub(crate) fn with_end(mut self, number: &str, end: NaiveDate) -> Self {
        let row = Row {
            end: Some(end),
            excluded: false,
        };
        self.rows.insert(number.to_owned(), row);
        self
    }
}

const COLUMNS: [&str; 8] = [
    "Personalnummer",
    "Vorname",
    "Nachname",
    "E-Mail",
    "Geburtsdatum",
    "Eintritt",
    "Austritt",
    "Kreis",
];
/// The columns that a permission can be withdrawn for.
const WITHDRAWN: [usize; 5] = [2, 3, 4, 6, 7];

/// A row as HR writes it, and what it says.
fn row(person: &Person) -> ([String; 8], Row) {
    let date = |date: NaiveDate| date.format("%d.%m.%Y").to_string();
    let mut end = person.end.filter(|end| *end >= person.start);
    let mut cells = [
        person.number.clone(),
        person.first.clone(),
        person.last.clone(),
        person.email.clone(),
        date(person.born),
        date(person.start),
        person.end.map_or("31.12.9999".to_owned(), date),
        if person.excluded { EXCLUDED } else { INCLUDED }.to_owned(),
    ];
    match person.wrong {
        None => {}
        Some(Wrong::Email) => "nobody".clone_into(&mut cells[3]),
        Some(Wrong::Birth) => "31.02.1980".clone_into(&mut cells[4]),
        Some(Wrong::NoName) => cells[2].clear(),
        Some(Wrong::EndsBeforeStart) => {
            cells[6] = date(person.start - TimeDelta::days(3));
            end = None;
        }
    }
    let excluded = person.excluded;
    (cells, Row { end, excluded })
}

fn table(rows: &[([String; 8], Row)]) -> String {
    let mut text = COLUMNS.join(";") + "\r\n";
    for (cells, _) in rows {
        writeln!(text, "{}\r", cells.join(";")).unwrap();
    }
    text
}

/// People whom nobody here has ever heard of.
fn strangers(count: usize, day: NaiveDate) -> Vec<Person> {
    let stranger = |number: usize| Person {
        number: format!("7{number:04}"),
        numbers_before: Vec::new(),
        first: "Ute".to_owned(),
        last: format!("Fremd{number}"),
        email: format!("fremd{number}@example.org"),
        born: NaiveDate::from_ymd_opt(1980, 5, 5).unwrap(),
        start: day - TimeDelta::days(90),
        end: None,
        excluded: false,
        home: 0,
        wrong: None,
        gone: false,
    };
    (1..=count).map(stranger).collect()
}

/// A source's drop folder, and what may have been read from it.
pub(crate) struct Feed {
    pub(crate) folder: PathBuf,
    /// The newest file, as the program should see it.
    newest: Option<Rc<Delivery>>,
    /// The deliveries of which one is the last that the program has read.
    last_read: Vec<Rc<Delivery>>,
    /// Deliveries that may have been read, with the day of the first such run.
    pub(crate) read: Vec<(Rc<Delivery>, NaiveDate)>,
    /// Deliveries that a run has read for certain.
    surely_read: Vec<Rc<Delivery>>,
}

/// Whether a source counts as failed in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frozen {
    No,
    Perhaps,
    Yes,
}

/// What a run can know of a source.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) frozen: Frozen,
    /// The deliveries of which one is what the run goes by.
    pub(crate) among: Vec<Rc<Delivery>>,
    fresh: Option<Rc<Delivery>>,
}

impl Feed {
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            newest: None,
            last_read: Vec::new(),
            read: Vec::new(),
            surely_read: Vec::new(),
        }
    }

    /// Delivers at this time of the right clock.
    pub(crate) fn deliver(&mut self, drop: &Drop, people: &[Person], at: DateTime<Utc>) {
        let day = at.with_timezone(&Berlin).date_naive();
        let mut rows: Vec<_> = people.iter().map(row).collect();
        let mut form = Form::Good;
        let senseless = |person: &Person| {
            person.wrong.is_some() || person.end.is_some_and(|end| end < person.start)
        };
        if people.iter().any(senseless) {
            form = Form::Perhaps;
        }
        if rows.iter().all(|(_, row)| row.excluded) {
            form = Form::Bad;
        }
        let name = |at: DateTime<Utc>| {
            let local = at.with_timezone(&Berlin);
            format!("roster_{}.csv", local.format("%Y%m%d_%H%M"))
        };
        match drop {
            Drop::Nothing => return,
            Drop::Cleared => {
                clear(&self.folder);
                // As with a file that is not ready: what was read last stands, while it is young enough.
                self.newest = Some(unreadable(at, Form::Unready));
                return;
            }
            Drop::Stale => {
                clear(&self.folder);
                let then = at - TimeDelta::days(5);
                write(&self.folder, &name(then), table(&rows).as_bytes(), then);
                self.newest = Some(unreadable(at, Form::Bad));
                return;
            }
            Drop::Unready => {
                let name = name(at) + ".part";
                write(&self.folder, &name, table(&rows).as_bytes(), at);
                self.newest = Some(unreadable(at, Form::Unready));
                return;
            }
            Drop::Foreign(count) => rows = strangers(*count, day).iter().map(row).collect(),
            Drop::Short(count) => {
                let left = rows.len().saturating_sub(*count).max(1);
                rows.truncate(left);
                if rows.iter().all(|(_, row)| row.excluded) {
                    form = Form::Bad;
                }
            }
            Drop::EmptiedColumn(which) => {
                let column = WITHDRAWN[which % WITHDRAWN.len()];
                for (cells, row) in &mut rows {
                    cells[column].clear();
                    match column {
                        6 => row.end = None,
                        7 => row.excluded = false,
                        _ => form = Form::Bad,
                    }
                }
                if column == 4 {
                    // Before anybody's is known, an empty column is no news.
                    form = Form::Perhaps;
                }
            }
            Drop::Good | Drop::Cut(_) | Drop::Empty | Drop::Renamed => {}
        }
        let mut bytes = table(&rows).into_bytes();
        match drop {
            Drop::Cut(percent) => {
                let mut length = bytes.len() * (percent % 100) / 100;
                while length > 0 && bytes[length - 1] == b'\n' {
                    length -= 1;
                }
                bytes.truncate(length);
                form = Form::Bad;
            }
            Drop::Empty => {
                bytes.clear();
                form = Form::Bad;
            }
            Drop::Renamed => {
                let text = String::from_utf8(bytes).unwrap();
                bytes = text.replacen(COLUMNS[0], "Nummer", 1).into_bytes();
                form = Form::Bad;
            }
            _ => {}
        }
        write(&self.folder, &name(at), &bytes, at);
        let rows = rows
            .into_iter()
            .map(|(cells, row)| (cells[0].clone(), row))
            .collect();
        self.newest = Some(Rc::new(Delivery { at, form, rows }));
    }

    /// What a run at this time of the right clock can know. A wrong clock makes every answer uncertain.
    pub(crate) fn reading(&self, now: DateTime<Utc>, right: bool) -> Reading {
        let Some(newest) = &self.newest else {
            return Reading {
                frozen: Frozen::Yes,
                among: Vec::new(),
                fresh: None,
            };
        };
        // An hour to either side, for what a run takes.
        let hours = |delivery: &Delivery| (now - delivery.at).num_hours();
        let aged = |delivery: &Delivery| match hours(delivery) {
            _ if !right => Frozen::Perhaps,
            hours if hours < MAX_AGE_HOURS - 1 => Frozen::No,
            hours if hours > MAX_AGE_HOURS => Frozen::Yes,
            _ => Frozen::Perhaps,
        };
        let before = self.last_read.clone();
        match newest.form {
            Form::Bad => Reading {
                frozen: Frozen::Yes,
                among: before,
                fresh: None,
            },
            Form::Unready => Reading {
                frozen: match before.as_slice() {
                    [] => Frozen::Yes,
                    [one] => aged(one),
                    _ => Frozen::Perhaps,
                },
                among: before,
                fresh: None,
            },
            Form::Good | Form::Perhaps => {
                let frozen = match (aged(newest), newest.form) {
                    (Frozen::No, Form::Perhaps) => Frozen::Perhaps,
                    (aged, _) => aged,
                };
                let among = match frozen {
                    Frozen::No => vec![newest.clone()],
                    Frozen::Perhaps => [before, vec![newest.clone()]].concat(),
                    Frozen::Yes => before,
                };
                let fresh = (frozen != Frozen::Yes).then(|| newest.clone());
                Reading {
                    frozen,
                    among,
                    fresh,
                }
            }
        }
    }

    /// A run has ended; `whole` says that it came as far as its plan.
    pub(crate) fn was_read(&mut self, reading: &Reading, whole: bool, day: NaiveDate) {
        let Some(fresh) = &reading.fresh else {
            return;
        };
        let is_fresh = |delivery: &Rc<Delivery>| Rc::ptr_eq(delivery, fresh);
        if reading.frozen == Frozen::No && whole {
            self.last_read = vec![fresh.clone()];
        } else if !self.last_read.iter().any(is_fresh) {
            self.last_read.push(fresh.clone());
        }
        // A run that did not come as far may have read it or not, so that a later one may have been the first.
        if !self.surely_read.iter().any(is_fresh) {
            self.read.push((fresh.clone(), day));
        }
        if whole {
            self.surely_read.push(fresh.clone());
        }
    }
}

fn unreadable(at: DateTime<Utc>, form: Form) -> Rc<Delivery> {
    let rows = BTreeMap::new();
    Rc::new(Delivery { at, form, rows })
}

fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8], at: DateTime<Utc>) {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::from(at)).unwrap();
}

impl Reading {
    /// For tests of the law itself.
    pub(crate) fn of(frozen: Frozen, among: Vec<Rc<Delivery>>) -> Self {
        Self {
            frozen,
            among,
            fresh: None,
        }
    }
}
