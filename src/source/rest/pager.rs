//! How a list goes on, and whether it was complete. No clock and no network: what an answer said goes in, what is asked next comes out.
//!
//! No rule for the end of a list is to be trusted by itself. An end counts only with a proof: `total` is met; or the answer says that this was the last page (`pages`, `more`, no
//! further cursor or link, by a key that is known to be there); or, where a system says none of this, the page after the last is empty. A page that is shorter than asked for
//! proves nothing: it may be the most that the server gives.

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
                .then(|| Turn::Number(first.saturating_add(self.read.saturating_mul(*size)))),
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

    /// What the answer says of the whole list.
    fn count(&mut self, facts: &Facts) -> Result<(), Incomplete> {
        if let Some(path) = &self.paging.total {
            let Told::Is(is) = facts.total else {
                let path = path.to_string();
                return Err(Incomplete::NoTotal { path });
            };
            if let Some(was) = self.total.filter(|was| *was != is) {
                return Err(Incomplete::TotalChanged { was, is });
            }
            self.total = Some(is);
            if self.arrived > is {
                return Err(Incomplete::MoreThanTotal {
                    arrived: self.arrived,
                    total: is,
                });
            }
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
            // A first page that is full and all of the total may be that of a total that counts pages one by one: what follows it has to be empty.
            (None, Some(total)) if self.read == 1 && size == Some(total) => true,
            (None, Some(total)) => self.arrived < total,
            // Nothing but an empty page proves the end.
            (None, None) => records > 0,
        };
        if goes_on && records == 0 {
            let arrived = self.arrived;
            return Err(Incomplete::EmptyPage { arrived });
        }
        let is_proven = says_more.is_some() || self.total.is_some();
        // Where the server counts pages itself, a short one in between loses nobody; where we count records, it does.
        if let Some(size) = size
            && (by_items || !is_proven)
        {
            let passed = if is_proven {
                goes_on && records < size
            } else {
                records > 0 && self.short
            };
            if passed {
                return Err(Incomplete::ShortPage { size });
            }
            self.short |= records < size;
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
            Told::Absent if self.read == 1 && !absent_is_end && self.total.is_none() => {
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
