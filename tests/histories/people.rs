//! HR's truth: invented people, and what happens to them. What a source delivers of it is another matter, in `deliveries`.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

/// The value that the exclude rule names.
pub(crate) const EXCLUDED: &str = "Werkstudent";
/// Any other value of that column.
pub(crate) const INCLUDED: &str = "Angestellte";

/// Somebody, as HR has them.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) number: String,
    /// Numbers they had before.
    pub(crate) numbers_before: Vec<String>,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) email: String,
    pub(crate) born: NaiveDate,
    pub(crate) start: NaiveDate,
    pub(crate) end: Option<NaiveDate>,
    pub(crate) excluded: bool,
    /// Which source delivers them.
    pub(crate) home: usize,
    /// What is wrong with their row.
    pub(crate) wrong: Option<Wrong>,
    /// Whether HR has them no more, without a word.
    pub(crate) gone: bool,
}

impl Person {
    /// Whether they should have a ticket today.
    fn is_entitled(&self, today: NaiveDate) -> bool {
        !self.gone && !self.excluded && self.end.is_none_or(|end| end >= today)
    }
}

/// A value that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Email,
    Birth,
    EndsBeforeStart,
    NoName,
}

/// What happens to somebody, or to somebody new. `usize` chooses the person.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Join(usize),
    JoinsLater(usize, u64),
    /// HR deletes the person without a word.
    Leave(usize),
    /// A last day so many days from now.
    End(usize, i64),
    Exclude(usize),
    Include(usize),
    Marry(usize),
    /// A new number, all else as it was.
    Renumber(usize),
    Transfer(usize),
    /// Leaves without a word, and a successor gets the mailbox.
    Reuse(usize),
    Spoil(usize, Wrong),
    Correct(usize),
    /// Somebody who was deleted, or whose end had come, is back.
    Return(usize),
}

/// All people of a company.
#[derive(Debug)]
pub(crate) struct Staff {
    people: Vec<Person>,
    sources: usize,
    /// Numbers given so far.
    given: usize,
}

fn birth(number: usize) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(1960, 1, 1).unwrap();
    first + Days::new(u64::try_from(number * 397 % 15_000).unwrap())
}

impl Staff {
    /// So many people at so many sources, the first of which has the most.
    pub(crate) fn new(count: usize, sources: usize, today: NaiveDate) -> Self {
        let mut staff = Self {
            people: Vec::new(),
            sources,
            given: 0,
        };
        for number in 0..count {
            let home = if number % 3 == 2 { sources - 1 } else { 0 };
            staff.join(home, today - Days::new(400), None);
        }
        staff
    }

    fn number(&mut self) -> String {
        self.given += 1;
        format!("{:05}", self.given)
    }

    fn join(&mut self, home: usize, start: NaiveDate, email: Option<String>) {
        let number = self.number();
        let email = email.unwrap_or_else(|| format!("person{number}@example.com"));
        self.people.push(Person {
            first: "Änne".to_owned(),
            last: format!("Beispiel{number}"),
            email,
            born: birth(self.given),
            start,
            end: None,
            excluded: false,
            home,
            wrong: None,
            gone: false,
            numbers_before: Vec::new(),
            number,
        });
    }

    /// The position of one of those who are meant by `which`.
    fn one(&self, choice: usize, which: impl Fn(&Person) -> bool) -> Option<usize> {
        let people = self.people.iter().enumerate();
        let among: Vec<usize> = people
            .filter(|(_, person)| which(person))
            .map(|(position, _)| position)
            .collect();
        among.get(choice % among.len().max(1)).copied()
    }

    /// Lets something happen. Where nobody is there for it, nothing does.
    pub(crate) fn happen(&mut self, change: &Change, today: NaiveDate) {
        let here = |person: &Person| !person.gone;
        match *change {
            Change::Join(home) => self.join(home % self.sources, today, None),
            Change::JoinsLater(home, days) => {
                self.join(home % self.sources, today + Days::new(days), None);
            }
            Change::Leave(who) => self.edit(who, here, |person| person.gone = true),
            Change::End(who, days) => {
                let end = today + chrono::TimeDelta::days(days);
                self.edit(who, here, |person| person.end = Some(end));
            }
            Change::Exclude(who) => self.edit(who, here, |person| person.excluded = true),
            Change::Include(who) => {
                let which = |person: &Person| !person.gone && person.excluded;
                self.edit(who, which, |person| person.excluded = false);
            }
            Change::Marry(who) => self.edit(who, here, |person| person.last += "-Neu"),
            Change::Renumber(who) => {
                let number = format!("9{}", &self.number()[1..]);
                self.edit(who, here, |person| {
                    let old = std::mem::replace(&mut person.number, number);
                    person.numbers_before.push(old);
                });
            }
            Change::Transfer(who) => {
                let sources = self.sources;
                self.edit(who, here, |person| {
                    person.home = (person.home + 1) % sources;
                });
            }
            Change::Reuse(who) => {
                let Some(position) = self.one(who, here) else {
                    return;
                };
                let person = &mut self.people[position];
                person.gone = true;
                let (home, email) = (person.home, person.email.clone());
                self.join(home, today, Some(email));
            }
            Change::Spoil(who, how) => self.edit(who, here, |person| person.wrong = Some(how)),
            Change::Correct(who) => {
                let which = |person: &Person| !person.gone && person.wrong.is_some();
                self.edit(who, which, |person| person.wrong = None);
            }
            Change::Return(who) => {
                let has_mailbox: BTreeSet<String> = self
                    .people
                    .iter()
                    .filter(|person| here(person))
                    .map(|person| person.email.clone())
                    .collect();
                let which = |person: &Person| {
                    (person.gone && !has_mailbox.contains(&person.email))
                        || (!person.gone && person.end.is_some())
                };
                self.edit(who, which, |person| {
                    person.gone = false;
                    person.end = None;
                });
            }
        }
    }

    fn edit(
        &mut self,
        choice: usize,
        which: impl Fn(&Person) -> bool,
        edit: impl FnOnce(&mut Person),
    ) {
        if let Some(position) = self.one(choice, which) {
            edit(&mut self.people[position]);
        }
    }

    /// Everybody who stands in the files of a source.
    pub(crate) fn of_source(&self, source: usize) -> Vec<Person> {
        let people = self.people.iter();
        people
            .filter(|person| !person.gone && person.home == source)
            .cloned()
            .collect()
    }

    /// Everybody who should have a ticket today.
    pub(crate) fn entitled(&self, today: NaiveDate) -> Vec<&Person> {
        let people = self.people.iter();
        people.filter(|person| person.is_entitled(today)).collect()
    }

    /// The number of somebody.
    pub(crate) fn number_of(&self, choice: usize) -> Option<String> {
        let position = self.one(choice, |person| !person.gone)?;
        Some(self.people[position].number.clone())
    }

    /// HR puts in order what no run can decide: senseless values, people with new numbers (unless `renumbered` may stay), and mailboxes of two people. `held` are the
    /// numbers that JobTicket knows.
    pub(crate) fn put_in_order(&mut self, held: &BTreeSet<String>, renumbered: bool) {
        for person in &mut self.people {
            person.wrong = None;
            person.end = person.end.filter(|end| *end >= person.start);
            let known = person
                .numbers_before
                .iter()
                .find(|number| held.contains(*number));
            if let Some(known) = known
                && !renumbered
                && !held.contains(&person.number)
            {
                person.number = known.clone();
            }
        }
        let mut taken = BTreeSet::new();
        for person in &mut self.people {
            if !taken.insert(person.email.clone()) {
                person.email = format!("person{}@example.com", person.number);
            }
        }
    }
}
