//! How a list goes on, and whether it was complete. No clock and no network: what an answer said goes in, what is asked next comes out.
//!
//! No rule for the end of a list is to be trusted by itself. An end counts only with a proof: `total` is met; or the answer says that this was the last page (`pages`, `more`, no
//! further cursor or link, by a key that is there); or, where a system says none of this, the page after the last is empty. A page that is shorter than asked for
//! proves nothing: it may be the most that the server gives. Where an end could still be that of another count (a total of one page alone, pages that begin with 0), a look at the page
//! behind or before the list has to show nothing new.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Paging, Way};

/// What an answer says of the list.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Its records.
    pub(super) records: u64,
    pub(super) total: Told<u64>,
    pub(super) pages: Told<u64>,
    pub(super) more: Told<bool>,
    /// The cursor or the address of what follows.
    pub(super) next: Told<String>,
    /// Identifies the answer.
    pub(super) hash: u64,
}

/// What an answer says at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Told<T> {
    /// The place is not there.
    #[default]
    Absent,
    /// It is there and empty.
    Empty,
    /// It says something else than is expected there.
    Nonsense,
    /// It says this.
    Is(T),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// The request as it is.
    Plain,
    /// With this number in its parameter.
    Number(u64),
    /// With this text in its parameter.
    Cursor(String),
    /// This address.
    Address(String),
}

/// A look at a page outside the list, which is made once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// At the one before the first: if it has other records, the pages are counted from there.
    Before(Turn),
    /// At the one behind the last: if it has any records, the total does not count all.
    Behind(Turn),
}

/// Why a list is not taken for complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the messages say it; a field is what its name says"
)]
pub enum Incomplete {
    #[error("it has no number at paging's total ({path}); correct the path")]
    NoTotal { path: String },
    #[error(
        "total has changed from {was} to {is} while the list was read, so it was changed meanwhile; the next run reads it again"
    )]
    TotalChanged { was: u64, is: u64 },
    #[error(
        "{arrived} records have arrived, and total says {total}; records moved meanwhile, or total counts something else"
    )]
    MoreThanTotal { arrived: u64, total: u64 },
    #[error(
        "the list ends after {arrived} records, and total says {total}; a page was cut short, or a permission hides some of them"
    )]
    LessThanTotal { arrived: u64, total: u64 },
    #[error(
        "all {total} records that total tells have arrived, and the answer says that there are more; one of the two is wrong"
    )]
    MoreAfterTotal { total: u64 },
    #[error(
        "it has no {what} at {path}, so nobody can tell whether more follows; correct the path, or what the system is asked for"
    )]
    NoMarker { what: &'static str, path: String },
    #[error(
        "the number of pages has changed from {was} to {is} while the list was read; the next run reads it again"
    )]
    PagesChanged { was: u64, is: u64 },
    #[error("the page is empty, and the list is said to go on after {arrived} records")]
    EmptyPage { arrived: u64 },
    #[error(
        "it has {records} records, more than the size of {size}, so pages would overlap; correct size, or send it as the parameter that the system knows"
    )]
    LongerThanSize { records: u64, size: u64 },
    #[error(
        "a page before the last has fewer records than the size of {size}, so records between the pages would be missed; the system may give fewer at once than it is asked for: lower size and the parameter for it"
    )]
    ShortPage { size: u64 },
    #[error(
        "the first page has only {records} of the {size} records that were asked for, which may be all that the server gives at once; name a total, pages or more, or lower size and the parameter for it below the number of people"
    )]
    FirstShort { records: u64, size: u64 },
    #[error(
        "the page before the first one has other records, so the list begins there; correct first"
    )]
    MoreBefore,
    #[error(
        "all {total} records that total tells have arrived with the first page, and the page behind it is not empty; total counts one page alone, or the system does not heed the paging parameter"
    )]
    MoreBehind { total: u64 },
    #[error(
        "it is the same as an earlier one; the system does not heed the paging parameter, or the list would never end"
    )]
    RepeatedPage,
    #[error("the next one would be one that was read before, so the list would never end")]
    RepeatedNext,
    #[error(
        "it has no {what} at all, so nobody can tell the end of the list from a wrong path; correct it, or write absent_is_end: true where the system leaves it out on a last page (better: name a total)"
    )]
    AbsentMarker { what: String },
    #[error("it says that there is more, and not where ({what})")]
    NoNext { what: String },
    #[error("the list goes on after {most} answers (most_pages)")]
    TooManyPages { most: u64 },
}

/// The state of a list that is being read.
#[derive(Debug)]
pub(super) struct Pager<'s> {
    paging: &'s Paging,
    read: u64,
    arrived: u64,
    total: Option<u64>,
    pages: Option<u64>,
    /// Whether a page had fewer records than its size.
    short: bool,
    hashes: HashSet<u64>,
    nexts: HashSet<u64>,
}

impl<'s> Pager<'s> {
    pub(super) fn new(paging: &'s Paging) -> Self {
        Self {
            paging,
            read: 0,
            arrived: 0,
            total: None,
            pages: None,
            short: false,
            hashes: HashSet::new(),
            nexts: HashSet::new(),
        }
    }

    /// What is asked for first.
    pub(super) fn first(&self) -> Turn {
        match &self.paging.way {
            Way::Page { first, .. } | Way::Offset { first, .. } => Turn::Number(*first),
            Way::None | Way::Cursor { .. } | Way::Next { .. } | Way::Link { .. } => Turn::Plain,
        }
    }

    /// How many answers there were.
    pub(super) fn pages(&self) -> u64 {
        self.read
    }

    /// How many records there are in all, where the answers tell it.
    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether an answer was there before.
    pub(super) fn repeats(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    /// What follows after an answer; `None` where the list was complete.
    pub(super) fn after(&mut self, facts: &Facts) -> Result<Option<Turn>, Incomplete> {
        self.read += 1;
        self.arrived += facts.records;
        if !self.hashes.insert(facts.hash) {
            return Err(Incomplete::RepeatedPage);
        }
        self.count(facts)?;
        let turn = match &self.paging.way {
            Way::None => {
                self.is_met()?;
                None
            }
            Way::Page { first, size, .. } => self
                .numbered(facts, *size, false)?
                .then(|| Turn::Number(first + self.read)),
            Way::Offset { first, size, .. } => self
                .numbered(facts, Some(*size), true)?
                .then(|| Turn::Number(first.saturating_add(self.arrived))),
            Way::Cursor {
                take,
                absent_is_end,
                ..
            } => self
                .chained(facts, &format!("cursor at {take}"), *absent_is_end)?
                .map(Turn::Cursor),
            Way::Next {
                take,
                absent_is_end,
                ..
            } => self
                .chained(facts, &format!("address at {take}"), *absent_is_end)?
                .map(Turn::Address),
            Way::Link { absent_is_end, .. } => self
                .chained(facts, "header Link", *absent_is_end)?
                .map(Turn::Address),
        };
        if turn.is_some() && self.read >= self.paging.most_pages {
            return Err(Incomplete::TooManyPages {
                most: self.paging.most_pages,
            });
        }
        Ok(turn)
    }

    /// The look that an answer calls for, before it is believed that the list begins or ends there.
    pub(super) fn look(&self, ends: bool) -> Option<Look> {
        let (total, by_pages, by_word) = (self.total, self.pages, self.paging.more.is_some());
        match &self.paging.way {
            Way::Page { first, .. } if self.read == 1 && total.is_none() && by_pages.is_none() => {
                let before = first.checked_sub(1).filter(|_| self.arrived > 0);
                before.map(|before| Look::Before(Turn::Number(before)))
            }
            Way::Page { first, .. } | Way::Offset { first, .. } => {
                let is_one_page = ends && self.read == 1 && self.arrived > 0;
                let by_total = total.is_some() && by_pages.is_none() && !by_word;
                let passed = match self.paging.way {
                    Way::Offset { .. } => self.arrived,
                    _ => self.read,
                };
                let behind = first.saturating_add(passed);
                (is_one_page && by_total).then_some(Look::Behind(Turn::Number(behind)))
            }
            Way::None | Way::Cursor { .. } | Way::Next { .. } | Way::Link { .. } => None,
        }
    }

    /// What the answer says of the whole list.
    fn count(&mut self, facts: &Facts) -> Result<(), Incomplete> {
        // Some count only once.
        let is_told = self.total.is_some() && matches!(facts.total, Told::Absent | Told::Empty);
        if let Some(path) = self.paging.total.as_ref().filter(|_| !is_told) {
            let Told::Is(is) = facts.total else {
                let path = path.to_string();
                return Err(Incomplete::NoTotal { path });
            };
            if let Some(was) = self.total.filter(|was| *was != is) {
                return Err(Incomplete::TotalChanged { was, is });
            }
            self.total = Some(is);
        }
        if let Some(total) = self.total.filter(|total| self.arrived > *total) {
            let arrived = self.arrived;
            return Err(Incomplete::MoreThanTotal { arrived, total });
        }
        if let Some(path) = &self.paging.pages {
            let Told::Is(is) = facts.pages else {
                return Err(no_marker("number of pages", path));
            };
            if let Some(was) = self.pages.filter(|was| *was != is) {
                return Err(Incomplete::PagesChanged { was, is });
            }
            self.pages = Some(is);
        }
        if let Some(path) = &self.paging.more
            && !matches!(facts.more, Told::Is(_))
        {
            return Err(no_marker("true or false", path));
        }
        Ok(())
    }

    /// Whether everything is there, where a total tells it.
    fn is_met(&self) -> Result<bool, Incomplete> {
        match self.total {
            Some(total) if total > self.arrived => Err(Incomplete::LessThanTotal {
                arrived: self.arrived,
                total,
            }),
            total => Ok(total.is_some()),
        }
    }

    /// What the answer itself says of whether more follows.
    fn says_more(&self, facts: &Facts) -> Option<bool> {
        let more = match facts.more {
            Told::Is(more) if self.paging.more.is_some() => Some(more),
            _ => None,
        };
        more.or_else(|| self.pages.map(|pages| self.read < pages))
    }

    /// Whether a list with numbered pages goes on.
    fn numbered(
        &mut self,
        facts: &Facts,
        size: Option<u64>,
        by_items: bool,
    ) -> Result<bool, Incomplete> {
        let records = facts.records;
        if let Some(size) = size.filter(|size| records > *size) {
            return Err(Incomplete::LongerThanSize { records, size });
        }
        let says_more = self.says_more(facts);
        let goes_on = match (says_more, self.total) {
            (Some(false), _) => {
                self.is_met()?;
                false
            }
            (Some(true), Some(total)) if self.arrived == total => {
                return Err(Incomplete::MoreAfterTotal { total });
            }
            (Some(true), _) => true,
            (None, Some(total)) => self.arrived < total,
            // Nothing but an empty page proves the end.
            (None, None) => records > 0,
        };
        // Of as many pages as are told, none is empty, unless they are counted from 0 and the first was never asked for.
        let is_within = self.pages.is_some_and(|pages| self.read <= pages);
        if records == 0 && (goes_on || (is_within && self.arrived > 0)) {
            let arrived = self.arrived;
            return Err(Incomplete::EmptyPage { arrived });
        }
        if let Some(size) = size {
            let is_short = records < size;
            if by_items {
                // What comes next is asked for by what has arrived; only a number of pages would be reached too early.
                let by_pages = self.pages.is_some() && self.paging.more.is_none();
                if is_short && goes_on && by_pages {
                    return Err(Incomplete::ShortPage { size });
                }
            } else if says_more.is_none() && self.total.is_none() && records > 0 {
                // The server counts pages by its own size, or by the one that was asked for.
                if self.short {
                    return Err(Incomplete::ShortPage { size });
                }
                if is_short && self.read == 1 {
                    return Err(Incomplete::FirstShort { records, size });
                }
                self.short = is_short;
            }
        }
        Ok(goes_on)
    }

    /// The cursor or address with which a list goes on.
    fn chained(
        &mut self,
        facts: &Facts,
        what: &str,
        absent_is_end: bool,
    ) -> Result<Option<String>, Incomplete> {
        let more = self.says_more(facts);
        if let (Some(true), Some(total)) = (more, self.total)
            && self.arrived == total
        {
            return Err(Incomplete::MoreAfterTotal { total });
        }
        // Where more is said to follow, a total that is met may be that of one page; only an empty one then ends the list.
        let is_all = self.total == Some(self.arrived) && facts.records == 0;
        if more == Some(false) || (is_all && more.is_none()) {
            self.is_met()?;
            return Ok(None);
        }
        match &facts.next {
            Told::Is(next) => {
                if !self.nexts.insert(xxh3_64(next.as_bytes())) {
                    return Err(Incomplete::RepeatedNext);
                }
                Ok(Some(next.clone()))
            }
            _ if more == Some(true) => Err(Incomplete::NoNext {
                what: what.to_owned(),
            }),
            Told::Nonsense => Err(Incomplete::NoNext {
                what: what.to_owned(),
            }),
            // A total that was the same on every page proves the end, too.
            Told::Absent if !absent_is_end && (self.read == 1 || self.total.is_none()) => {
                Err(Incomplete::AbsentMarker {
                    what: what.to_owned(),
                })
            }
            Told::Absent | Told::Empty => {
                self.is_met()?;
                Ok(None)
            }
        }
    }
}

fn no_marker(what: &'static str, path: &impl ToString) -> Incomplete {
    Incomplete::NoMarker {
        what,
        path: path.to_string(),
    }
}

#[cfg(test)]
mod tests;
