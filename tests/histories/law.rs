//! The law, as an oracle of its own: who may be missing from a push, judged by what the sources delivered, and never by what the program says of its plan.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::rc::Rc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::deliveries::{Delivery, Frozen, Reading, Says};

/// A share of all, at least and at most so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) percent: usize,
    pub(crate) count: usize,
    pub(crate) at_least: usize,
}

impl Limit {
    pub(crate) fn of(self, all: usize) -> usize {
        let share = all * self.percent / 100;
        share.min(self.count).max(self.at_least)
    }
}

/// The rules that are in force: the defaults of the program.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// On how many different days somebody was missing before they leave unexplained.
    pub(crate) missing_days: usize,
    /// Whether a listed value explains a leaver, as a date does.
    pub(crate) excluded_is_explained: bool,
    /// Unexplained leavers of one push.
    pub(crate) leavers: Limit,
    /// Explained leavers of one push.
    pub(crate) explained: Limit,
    /// Unexplained leavers of so many calendar days.
    pub(crate) windows: Vec<(i64, Limit)>,
    /// Whether a new number with the mailbox of somebody who is missing keeps that person in.
    pub(crate) key_drift: bool,
    /// An end that is told later than so many days explains nothing.
    pub(crate) late_days: i64,
}

impl Rules {
    pub(crate) fn of_today() -> Self {
        Self {
            missing_days: 3,
            excluded_is_explained: true,
            leavers: Limit {
                percent: 5,
                count: 10,
                at_least: 2,
            },
            explained: Limit {
                percent: 20,
                count: 100,
                at_least: 5,
            },
            windows: vec![
                (
                    1,
                    Limit {
                        percent: 5,
                        count: 10,
                        at_least: 2,
                    },
                ),
                (
                    30,
                    Limit {
                        percent: 15,
                        count: 60,
                        at_least: 5,
                    },
                ),
            ],
            key_drift: true,
            late_days: 62,
        }
    }
}

/// A person's yes to named people.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    pub(crate) people: BTreeSet<String>,
    pub(crate) until: DateTime<Utc>,
    /// Whether it leaves them out although they are employed, for JobTicket refuses them.
    pub(crate) refused: bool,
}

/// Why somebody may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Explained,
    Approved,
    Unexplained,
}

/// What the law goes by in one run.
pub(crate) struct Case<'c> {
    /// What the run can know of each source.
    pub(crate) readings: &'c [Reading],
    /// What each source has delivered so far and a run may have read, with the day of that run.
    pub(crate) read: Vec<&'c [(Rc<Delivery>, NaiveDate)]>,
    /// The day, by the clock of the run.
    pub(crate) today: NaiveDate,
    pub(crate) now: DateTime<Utc>,
}

/// Who left by one accepted push.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leavers<'l> {
    pub(crate) offboarded: &'l BTreeSet<String>,
    /// Those of them whose mailbox somebody new has in the same push.
    pub(crate) renumbered: &'l BTreeSet<String>,
    /// How many people JobTicket had.
    pub(crate) known: usize,
}

/// What was judged so far.
#[derive(Debug, Default)]
pub(crate) struct Law {
    pub(crate) approvals: Vec<Approval>,
    /// Unexplained leavers by day.
    left: Vec<(NaiveDate, usize)>,
}

impl Law {
    /// Judges the leavers of one accepted push.
    pub(crate) fn judge(
        &mut self,
        rules: &Rules,
        case: &Case<'_>,
        leavers: &Leavers<'_>,
    ) -> Result<(), String> {
        let Leavers {
            offboarded,
            renumbered,
            known,
        } = *leavers;
        let (mut explained, mut unexplained) = (0, 0);
        for number in offboarded {
            match self.reason(rules, case, number)? {
                Reason::Explained => explained += 1,
                Reason::Approved => {}
                Reason::Unexplained if rules.key_drift && renumbered.contains(number) => {
                    return Err(format!(
                        "{number} lost the ticket and somebody new has the mailbox"
                    ));
                }
                Reason::Unexplained => unexplained += 1,
            }
        }
        let within = |what: &str, count: usize, limit: Limit| {
            let allowed = limit.of(known);
            if count > allowed {
                return Err(format!(
                    "{count} {what} of {known} left, {allowed} may: {offboarded:?}"
                ));
            }
            Ok(())
        };
        within("unexplained leavers", unexplained, rules.leavers)?;
        within("explained leavers", explained, rules.explained)?;
        self.left.push((case.today, unexplained));
        for (days, limit) in &rules.windows {
            let since = case.today - TimeDelta::days(days - 1);
            let left = self.left.iter().filter(|(day, _)| *day >= since);
            let left = left.map(|(_, count)| count).sum();
            within(&format!("unexplained leavers of {days} days"), left, *limit)?;
        }
        Ok(())
    }

    /// The reason that explains most. Where the oracle cannot know which file a run went by, the kindest of those that may be counts.
    fn reason(&self, rules: &Rules, case: &Case<'_>, number: &str) -> Result<Reason, String> {
        let approved = self
            .approvals
            .iter()
            .any(|approval| approval.until >= case.now && approval.people.contains(number));
        let left_out = self.approvals.iter().any(|approval| {
            approval.refused && approval.until >= case.now && approval.people.contains(number)
        });
        if left_out {
            return Ok(Reason::Approved);
        }
        let mut kindest = Vec::new();
        for (source, reading) in case.readings.iter().enumerate() {
            let says = reading.among.iter().map(|one| one.says(number, case.today));
            let absent = reading.among.is_empty().then_some(Says::Absent);
            let says: Vec<Says> = says
                .chain(absent)
                .filter(|one| *one != Says::Current)
                .collect();
            // In the order of the reasons: an end, the latest of them first; a value; nothing.
            let kindness = |says: &Says| match says {
                Says::Ended(end, _) => (0, Some(Reverse(*end))),
                Says::Excluded => (1, None),
                Says::Absent | Says::Current => (2, None),
            };
            let Some(best) = says.into_iter().min_by_key(kindness) else {
                return Err(format!(
                    "{number} lost the ticket, and source {source} has them as a current employee"
                ));
            };
            kindest.push(best);
        }
        let frozen = |except: Option<usize>| {
            let others = case.readings.iter().enumerate();
            others
                .filter(|(source, _)| Some(*source) != except)
                .any(|(_, reading)| reading.frozen == Frozen::Yes)
        };
        let mut too_early = false;
        for (source, says) in kindest.iter().enumerate() {
            let Says::Ended(end, _) = *says else { continue };
            if frozen(Some(source)) {
                too_early = true;
                continue;
            }
            let said = |(one, day): &&(Rc<Delivery>, NaiveDate)| matches!(one.says(number, *day), Says::Ended(told, _) if told == end);
            let told = case.read[source].iter().filter(said);
            let told = told.map(|(_, day)| *day).min().unwrap_or(case.today);
            if (told.min(case.today) - end).num_days() <= rules.late_days {
                return Ok(Reason::Explained);
            }
        }
        if too_early && !approved {
            return Err(format!(
                "{number} lost the ticket by a date while another source failed"
            ));
        }
        if approved {
            return Ok(Reason::Approved);
        }
        if frozen(None) {
            return Err(format!("{number} lost the ticket while a source failed"));
        }
        let excluded = |says: &Says| matches!(says, Says::Excluded | Says::Ended(_, true));
        if rules.excluded_is_explained && kindest.iter().any(excluded) {
            return Ok(Reason::Explained);
        }
        let days = missing_days(case, number);
        if days < rules.missing_days {
            return Err(format!(
                "{number} lost the ticket after {days} days of {}",
                rules.missing_days
            ));
        }
        Ok(Reason::Unexplained)
    }
}

/// On how many different days the source of somebody was read and did not have them.
fn missing_days(case: &Case<'_>, number: &str) -> usize {
    let has_ever = |read: &[(Rc<Delivery>, NaiveDate)]| {
        read.iter()
            .any(|(one, day)| one.says(number, *day) != Says::Absent)
    };
    let somewhere = case.read.iter().any(|read| has_ever(read));
    let days = case
        .read
        .iter()
        .filter(|read| !somewhere || has_ever(read))
        .map(|read| {
            let without = || {
                read.iter()
                    .rev()
                    .take_while(|(one, day)| one.says(number, *day) != Says::Current)
            };
            let read: BTreeSet<NaiveDate> = without().map(|(_, day)| *day).collect();
            let written: BTreeSet<NaiveDate> =
                without().map(|(one, _)| one.at.date_naive()).collect();
            read.len().max(written.len())
        });
    days.max().unwrap_or(0)
}

/// The oracle is judged first: it must let pass what is right, and notice what is not.
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
    }

    fn at(number: u32) -> DateTime<Utc> {
        day(number).and_hms_opt(5, 0, 0).unwrap().and_utc()
    }

    /// The rules, under which one day of being missing is enough.
    fn at_once() -> Rules {
        Rules {
            missing_days: 1,
            windows: Vec::new(),
            ..Rules::of_today()
        }
    }

    /// A single source that delivered on these days; the last file is the newest.
    fn judged(rules: &Rules, deliveries: Vec<Delivery>, frozen: Frozen, lost: &[&str]) -> bool {
        let delivered: Vec<(Rc<Delivery>, NaiveDate)> = deliveries
            .into_iter()
            .map(|one| {
                let day = one.at.date_naive();
                (Rc::new(one), day)
            })
            .collect();
        let (newest, today) = delivered.last().unwrap().clone();
        let readings = [Reading::of(frozen, vec![newest])];
        let case = Case {
            readings: &readings,
            read: vec![&delivered],
            today,
            now: at(28),
        };
        let lost = lost.iter().map(|number| (*number).to_owned()).collect();
        let leavers = Leavers {
            offboarded: &lost,
            renumbered: &BTreeSet::new(),
            known: 20,
        };
        Law::default().judge(rules, &case, &leavers).is_ok()
    }

    #[test]
    fn whoever_stands_in_the_newest_file_may_not_be_missing() {
        let rules = at_once();
        let files =
            |last: &[&str]| vec![Delivery::of(at(1), &["a", "b"]), Delivery::of(at(2), last)];
        assert!(judged(&rules, files(&["a"]), Frozen::No, &["b"]));
        assert!(!judged(&rules, files(&["a", "b"]), Frozen::No, &["b"]));
        assert!(!judged(&rules, files(&["a"]), Frozen::Yes, &["b"]));
    }

    #[test]
    fn a_date_counts_once_it_has_passed_even_while_its_own_source_fails() {
        let rules = at_once();
        let file = |end| vec![Delivery::of(at(20), &["a"]).with_end("b", end)];
        assert!(judged(&rules, file(day(19)), Frozen::Yes, &["b"]));
        assert!(!judged(&rules, file(day(20)), Frozen::No, &["b"]));
    }

    #[test]
    fn no_more_leave_at_once_than_the_limits_allow() {
        let rules = at_once();
        let files = vec![Delivery::of(at(2), &["a"])];
        assert!(!judged(&rules, files, Frozen::No, &["b", "c", "d"]));
        let ends = ["b", "c", "d", "e", "f", "g"];
        let file = |count: usize| {
            let ended = ends[..count].iter();
            vec![ended.fold(Delivery::of(at(20), &["a"]), |file, number| {
                file.with_end(number, day(19))
            })]
        };
        assert!(judged(&rules, file(5), Frozen::No, &ends[..5]));
        assert!(!judged(&rules, file(6), Frozen::No, &ends));
    }

    #[test]
    fn missing_has_to_last_for_so_many_different_days() {
        let mut rules = Rules::of_today();
        rules.missing_days = 3;
        let file = |number, people: &[&str]| Delivery::of(at(number), people);
        let files = || vec![file(1, &["a", "b"]), file(2, &["a"]), file(3, &["a"])];
        assert!(!judged(&rules, files(), Frozen::No, &["b"]));
        let mut again = files();
        again.push(file(3, &["a"]));
        assert!(!judged(&rules, again, Frozen::No, &["b"]));
        let mut third = files();
        third.push(file(4, &["a"]));
        assert!(judged(&rules, third, Frozen::No, &["b"]));
        rules.windows = vec![(
            30,
            Limit {
                percent: 0,
                count: 0,
                at_least: 0,
            },
        )];
        let mut third = files();
        third.push(file(4, &["a"]));
        assert!(!judged(&rules, third, Frozen::No, &["b"]));
    }
}
