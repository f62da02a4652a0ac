//! Reads one list to its end, page by page. Each page is parsed, shown record by record, and forgotten.

use std::collections::HashMap;

use reqwest::Url;
use serde_json::Value as Tree;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::cells::text;
use super::client::{Call, Client, Got};
use super::error::RestError;
use super::json::{Json, first, walk};
use super::link;
use super::pager::{Facts, Incomplete, Look, Pager, Told, Turn};
use super::sample::{SampleValue, around};
use super::token::at;
use crate::config::{
    JsonPath, OtherOrigin, Paging, PathStep, Request, Texts, Way, Where, fill_json,
};
use crate::digest::hex;
use crate::source::columns::Kind;
use crate::zone::Zone;

/// A list.
pub(super) struct List<'l> {
    pub(super) request: &'l Request,
    pub(super) paging: &'l Paging,
    pub(super) records: &'l JsonPath,
    pub(super) identity: Identity<'l>,
    pub(super) zone: Zone,
}

/// What no two records share. Records that come twice show that pages moved while they were read, and that others were missed.
pub(super) enum Identity<'l> {
    /// The text at this path, which every record has.
    At(&'l JsonPath),
    /// The first of these texts that is not empty; whoever has none is told as such elsewhere.
    First(Vec<JsonPath>),
    /// All of it.
    Whole,
}

impl Identity<'_> {
    fn of(&self, record: &Record<'_>, zone: Zone) -> Result<Option<u64>, RestError> {
        let mut id = String::new();
        match self {
            Self::At(path) => {
                text(path, Kind::Word, record, zone, &mut id)?;
                if id.is_empty() {
                    return Err(RestError::NoRecordId {
                        what: record.what.to_owned(),
                        record: record.number,
                        path: path.to_string(),
                    });
                }
            }
            Self::First(paths) => {
                for path in paths {
                    if id.is_empty() {
                        text(path, Kind::Word, record, zone, &mut id)?;
                    }
                }
            }
            Self::Whole => return Ok(Some(record.json.hash())),
        }
        Ok((!id.is_empty()).then(|| xxh3_64(id.as_bytes())))
    }
}

/// A record, as it is shown.
pub(super) struct Record<'j> {
    /// Its number in the list, from 1.
    pub(super) number: u64,
    /// Its page, as messages name it.
    pub(super) what: &'j str,
    pub(super) json: &'j Json<'j>,
    /// The key that the list had for it.
    pub(super) own: Option<&'j str>,
}

/// What a list came to.
pub(super) struct Done {
    pub(super) pages: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// How many records there are in all, where the answers tell it.
    pub(super) total: Option<u64>,
    /// Whether more pages would follow.
    pub(super) goes_on: bool,
    /// What the first answer has beside its records, for a look at it.
    pub(super) around: Vec<(String, SampleValue)>,
    /// Why it is not taken for complete. Only a look at it goes so far; otherwise that is its error.
    pub(super) incomplete: Option<RestError>,
}

/// Is shown each record.
pub(super) type See<'s> = &'s mut dyn FnMut(&Record<'_>) -> Result<(), RestError>;

impl Client<'_> {
    /// Reads a list; `most_pages` ends it early, which proves nothing and is for looking at it.
    pub(super) async fn list(
        &mut self,
        list: &List<'_>,
        most_pages: Option<u64>,
        see: See<'_>,
    ) -> Result<Done, RestError> {
        let base = at(&self.rest.base_url.0, "")?;
        let mut pager = Pager::new(list.paging);
        let mut turn = pager.first();
        let mut here = at(&self.rest.base_url.0, &list.request.path)?;
        let (mut sha, mut bytes) = (Sha256::new(), 0);
        let mut tally = Tally::default();
        let mut incomplete = None;
        let mut beside = Vec::new();
        let body = list.request.json.as_ref();
        let body = body.map(|body| fill_json(body, &self.secrets));
        let total_after = loop {
            let page = pager.pages() + 1;
            let what = format!("{} (page {page})", list.request.name());
            if let Turn::Address(address) = &turn {
                here = link::follow(address, &here, &base, other_origin(list.paging), &what)?;
            } else {
                set_query(&mut here, list, &turn);
            }
            let got = self.page(list, &turn, &here, body.as_ref(), &what, false);
            let got = got.await?;
            let length = u64::try_from(got.body.len()).unwrap_or(u64::MAX);
            sha.update(length.to_le_bytes());
            sha.update(&got.body);
            bytes += length;
            let hash = xxh3_64(&got.body);
            // Before its records are, or each of them would be told as repeated.
            if pager.repeats(hash) {
                let why = Incomplete::RepeatedPage;
                return Err(RestError::Incomplete { what, why });
            }
            if most_pages.is_some() && page == 1 {
                let answer = parsed(&got, &what)?;
                around(&answer, String::new(), &mut beside);
            }
            let facts = shown(list, &got, page, hash, &mut tally, &what, see)?;
            let judged = match pager.after(&facts) {
                Ok(next) => {
                    let look = pager.look(next.is_none());
                    let looked = self.looked(list, look, &here, body.as_ref(), &tally, &pager);
                    looked.await?.map_or(Ok(next), Err)
                }
                Err(why) => Err(why),
            };
            let next = match judged {
                Ok(next) => next,
                Err(why) => {
                    let error = RestError::Incomplete { what, why };
                    if most_pages.is_none() {
                        return Err(error);
                    }
                    incomplete = Some(error);
                    break false;
                }
            };
            match next {
                Some(next) if most_pages.is_none_or(|most| page < most) => turn = next,
                next => break next.is_some(),
            }
        };
        Ok(Done {
            pages: pager.pages(),
            records: tally.records,
            bytes,
            sha256: hex(&sha.finalize()),
            total: pager.total(),
            goes_on: total_after,
            around: beside,
            incomplete,
        })
    }
}

impl Client<'_> {
    /// Asks for a page; one that `may_miss` need not be there, and is empty then.
    async fn page(
        &mut self,
        list: &List<'_>,
        turn: &Turn,
        url: &Url,
        body: Option<&Tree>,
        what: &str,
        may_miss: bool,
    ) -> Result<Got, RestError> {
        let body = body_of(body, list, turn);
        let call = Call {
            what,
            is_post: list.request.is_post,
            url: url.clone(),
            json: body.as_ref(),
            form: None,
            headers: &list.request.headers,
            basic: None,
            is_ours: true,
            may_miss,
        };
        self.call(&call).await
    }

    /// Looks at a page outside the list, if it has to be; what it shows against the list.
    async fn looked(
        &mut self,
        list: &List<'_>,
        look: Option<Look>,
        url: &Url,
        body: Option<&Tree>,
        tally: &Tally,
        pager: &Pager<'_>,
    ) -> Result<Option<Incomplete>, RestError> {
        let (turn, where_) = match &look {
            None => return Ok(None),
            Some(Look::Before(turn)) => (turn, "before the first"),
            Some(Look::Behind(turn)) => (turn, "behind the last"),
        };
        let what = format!("{} (the page {where_})", list.request.name());
        let mut url = url.clone();
        set_query(&mut url, list, turn);
        let got = self.page(list, turn, &url, body, &what, true).await?;
        if got.body.is_empty() {
            return Ok(None);
        }
        let answer = parsed(&got, &what)?;
        // What has no list has no records.
        let found = records(list.records, &answer, &what).unwrap_or_default();
        let is_known = |(json, own): &(&Json<'_>, Option<&str>)| {
            let record = Record {
                number: 1,
                what: &what,
                json,
                own: *own,
            };
            let id = list.identity.of(&record, list.zone)?;
            Ok::<_, RestError>(id.is_some_and(|id| tally.ids.contains_key(&id)))
        };
        match look {
            Some(Look::Before(_)) => {
                // Where there is no page 0, some give the first one.
                for one in &found {
                    if !is_known(one)? {
                        return Ok(Some(Incomplete::MoreBefore));
                    }
                }
                Ok(None)
            }
            _ => Ok((!found.is_empty()).then(|| Incomplete::MoreBehind {
                total: pager.total().unwrap_or_default(),
            })),
        }
    }
}

fn parsed<'g>(got: &'g Got, what: &str) -> Result<Json<'g>, RestError> {
    Json::parse(&got.body).map_err(|error| RestError::NotJson {
        what: what.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

/// What has been shown of a list.
#[derive(Default)]
struct Tally {
    records: u64,
    /// The page of each record, by what no two records share.
    ids: HashMap<u64, u64>,
}

/// Shows the records of an answer; what it says of the list.
fn shown(
    list: &List<'_>,
    got: &Got,
    page: u64,
    hash: u64,
    tally: &mut Tally,
    what: &str,
    see: See<'_>,
) -> Result<Facts, RestError> {
    let answer = parsed(got, what)?;
    let before = tally.records;
    for (json, own) in records(list.records, &answer, what)? {
        tally.records += 1;
        let number = tally.records;
        if !matches!(json, Json::Map(_)) {
            return Err(RestError::NotARecord {
                what: what.to_owned(),
                record: number,
                found: json.shape(),
            });
        }
        let record = Record {
            number,
            what,
            json,
            own,
        };
        see(&record)?;
        if let Some(id) = list.identity.of(&record, list.zone)?
            && let Some(first) = tally.ids.insert(id, page).filter(|first| *first != page)
        {
            return Err(RestError::RepeatedRecord {
                what: what.to_owned(),
                record: number,
                page: first,
            });
        }
    }
    let paging = list.paging;
    let number_at = |path: &Option<JsonPath>| {
        told(path.as_ref(), &answer, Kind::Text, |text| text.parse().ok())
    };
    let next = match &paging.way {
        Way::Cursor { take, .. } | Way::Next { take, .. } => {
            told(Some(take), &answer, Kind::Text, |text| {
                Some(text.to_owned())
            })
        }
        Way::Link { .. } => link::next(&got.links),
        Way::None | Way::Page { .. } | Way::Offset { .. } => Told::Absent,
    };
    if matches!(paging.way, Way::None) && matches!(link::next(&got.links), Told::Is(_)) {
        return Err(RestError::MoreFollows {
            what: what.to_owned(),
        });
    }
    Ok(Facts {
        records: tally.records - before,
        total: number_at(&paging.total),
        pages: number_at(&paging.pages),
        more: told(paging.more.as_ref(), &answer, Kind::Word, |text| {
            text.parse().ok()
        }),
        next,
        hash,
    })
}

/// The records of an answer, each with the key that `*` found it by.
fn records<'j>(
    path: &JsonPath,
    answer: &'j Json<'j>,
    what: &str,
) -> Result<Vec<(&'j Json<'j>, Option<&'j str>)>, RestError> {
    let no_list = |found: String| RestError::NoList {
        what: what.to_owned(),
        path: path.to_string(),
        found,
    };
    let of_each = path.steps().contains(&PathStep::Each);
    let mut lists = Vec::new();
    walk(path.steps(), answer, None, &mut |node, own| {
        lists.push((node, own));
        false
    });
    if !of_each {
        return match lists[..] {
            [(Json::List(list), own)] => Ok(list.iter().map(|item| (item, own)).collect()),
            [(other, _)] => Err(no_list(other.shape())),
            _ => Err(no_list(answer.shape())),
        };
    }
    if lists.is_empty() {
        // An empty object has no lists, and is one all the same.
        let above: Vec<PathStep> = path
            .steps()
            .iter()
            .take_while(|step| **step != PathStep::Each)
            .cloned()
            .collect();
        let mut is_there = false;
        walk(&above, answer, None, &mut |node, _| {
            is_there = matches!(node, Json::List(_) | Json::Map(_));
            is_there
        });
        if !is_there {
            return Err(no_list(answer.shape()));
        }
    }
    let mut all = Vec::new();
    for (node, own) in lists {
        match node {
            Json::List(list) => all.extend(list.iter().map(|item| (item, own))),
            other => all.push((other, own)),
        }
    }
    Ok(all)
}

/// What an answer says at a path. `false` is a word where one is expected, and nothing elsewhere.
fn told<T>(
    path: Option<&JsonPath>,
    answer: &Json<'_>,
    kind: Kind,
    read: impl FnOnce(&str) -> Option<T>,
) -> Told<T> {
    let Some(found) = path.and_then(|path| first(path, answer)) else {
        return Told::Absent;
    };
    match found.text(kind) {
        Ok(text) if text.is_empty() => Told::Empty,
        Ok(text) => read(&text).map_or(Told::Nonsense, Told::Is),
        Err(_) => Told::Nonsense,
    }
}

fn other_origin(paging: &Paging) -> OtherOrigin {
    match paging.way {
        Way::Next { other_origin, .. } | Way::Link { other_origin, .. } => other_origin,
        _ => OtherOrigin::Refuse,
    }
}

/// The parameters of the request, and that of the page.
fn set_query(url: &mut Url, list: &List<'_>, turn: &Turn) {
    let value = value_of(turn);
    let parameter = list.paging.parameter();
    let own = parameter.filter(|parameter| parameter.place == Where::Query);
    let own = own
        .zip(value)
        .map(|(parameter, value)| (parameter.name.as_str(), value));
    url.set_query(None);
    let others = list.request.query.iter();
    let others = others.filter(|(name, _)| own.as_ref().is_none_or(|(own, _)| name != own));
    let others: Vec<(&str, &str)> = others
        .flat_map(|(name, Texts(values))| {
            values.iter().map(|value| (name.as_str(), value.as_str()))
        })
        .collect();
    if others.is_empty() && own.is_none() {
        return;
    }
    let mut pairs = url.query_pairs_mut();
    pairs.extend_pairs(others);
    pairs.extend_pairs(own);
}

/// The body of a POST, with the parameter of the page in it.
fn body_of(body: Option<&Tree>, list: &List<'_>, turn: &Turn) -> Option<Tree> {
    let parameter = list.paging.parameter();
    let parameter = parameter.filter(|parameter| parameter.place == Where::Body);
    let Some((parameter, value)) = parameter.zip(value_of(turn)) else {
        return body.cloned();
    };
    let mut body = body
        .cloned()
        .unwrap_or_else(|| Tree::Object(serde_json::Map::new()));
    let value = match turn {
        Turn::Number(number) => Tree::from(*number),
        _ => Tree::from(value),
    };
    let mut at = &mut body;
    for key in parameter.name.split('.') {
        if !at.is_object() {
            *at = Tree::Object(serde_json::Map::new());
        }
        at = &mut at[key];
    }
    *at = value;
    Some(body)
}

fn value_of(turn: &Turn) -> Option<String> {
    match turn {
        Turn::Number(number) => Some(number.to_string()),
        Turn::Cursor(cursor) => Some(cursor.clone()),
        Turn::Plain | Turn::Address(_) => None,
    }
}
