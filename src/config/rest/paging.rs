//! How a list goes on from one answer to the next, and what proves that it was complete.

use deserr::{Deserr, IntoValue, Map as _, Value, ValuePointerRef};
use serde::Serialize;

use super::path::JsonPath;
use crate::config::problem::Problems;
use crate::config::validate::Findings;

/// The most answers of one list, unless `most_pages` says otherwise. Ours: a list that never ends has to.
const MOST_PAGES: u64 = 10_000;

/// How a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paging {
    /// Which way.
    pub way: Way,
    /// The number of all records, where an answer tells it.
    pub total: Option<JsonPath>,
    /// The number of all pages, where an answer tells it.
    pub pages: Option<JsonPath>,
    /// Whether there is more, where an answer tells it.
    pub more: Option<JsonPath>,
    /// More answers than this, and the list is refused.
    pub most_pages: u64,
}

/// The ways in which lists go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// One answer has all.
    None,
    /// By the number of a page.
    Page {
        /// Its parameter.
        parameter: Parameter,
        /// The number of the first.
        first: u64,
        /// Records of a page, where that is known.
        size: Option<u64>,
    },
    /// By the number of records before the page.
    Offset {
        /// Its parameter.
        parameter: Parameter,
        /// The first offset.
        first: u64,
        /// Records of a page.
        size: u64,
    },
    /// By a text of the answer before.
    Cursor {
        /// Its parameter.
        parameter: Parameter,
        /// Where the text stands.
        take: JsonPath,
        /// Whether the list is over where the first answer has no such key.
        absent_is_end: bool,
    },
    /// By an address in the answer before.
    Next {
        /// Where it stands.
        take: JsonPath,
        /// What happens to one of another host.
        other_origin: OtherOrigin,
        /// Whether the list is over where the first answer has no such key.
        absent_is_end: bool,
    },
    /// By the header `Link` (RFC 8288) of the answer before.
    Link {
        /// What happens to one of another host.
        other_origin: OtherOrigin,
        /// Whether the list is over where the first answer has no such header.
        absent_is_end: bool,
    },
}

/// A parameter that differs from page to page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name; in a body, keys with dots between them.
    pub name: String,
    /// Where it goes.
    pub place: Where,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Where {
    /// Into the address.
    Query,
    /// Into the JSON of a POST.
    Body,
}

/// What happens to an address of another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum OtherOrigin {
    /// The source fails.
    Refuse,
    /// Its path and query are asked for at `base_url`.
    Rebase,
}

/// What an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
enum Unit {
    Items,
    Pages,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct NoneKeys {
    #[deserr(default)]
    total: Option<JsonPath>,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct PageKeys {
    parameter: String,
    #[deserr(default = Where::Query, rename = "in")]
    place: Where,
    #[deserr(default = 1)]
    first: u64,
    #[deserr(default)]
    size: Option<u64>,
    #[deserr(default)]
    total: Option<JsonPath>,
    #[deserr(default)]
    pages: Option<JsonPath>,
    #[deserr(default)]
    more: Option<JsonPath>,
    #[deserr(default = MOST_PAGES)]
    most_pages: u64,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct OffsetKeys {
    parameter: String,
    #[deserr(default = Where::Query, rename = "in")]
    place: Where,
    unit: Unit,
    #[deserr(default)]
    first: u64,
    size: u64,
    #[deserr(default)]
    total: Option<JsonPath>,
    #[deserr(default)]
    pages: Option<JsonPath>,
    #[deserr(default)]
    more: Option<JsonPath>,
    #[deserr(default = MOST_PAGES)]
    most_pages: u64,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct CursorKeys {
    parameter: String,
    #[deserr(default = Where::Query, rename = "in")]
    place: Where,
    take: JsonPath,
    #[deserr(default)]
    absent_is_end: bool,
    #[deserr(default)]
    total: Option<JsonPath>,
    #[deserr(default)]
    more: Option<JsonPath>,
    #[deserr(default = MOST_PAGES)]
    most_pages: u64,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct NextKeys {
    take: JsonPath,
    #[deserr(default = OtherOrigin::Refuse)]
    other_origin: OtherOrigin,
    #[deserr(default)]
    absent_is_end: bool,
    #[deserr(default)]
    total: Option<JsonPath>,
    #[deserr(default)]
    more: Option<JsonPath>,
    #[deserr(default = MOST_PAGES)]
    most_pages: u64,
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct LinkKeys {
    #[deserr(default = OtherOrigin::Refuse)]
    other_origin: OtherOrigin,
    #[deserr(default)]
    absent_is_end: bool,
    #[deserr(default)]
    total: Option<JsonPath>,
    #[deserr(default = MOST_PAGES)]
    most_pages: u64,
}

impl From<NoneKeys> for Paging {
    fn from(keys: NoneKeys) -> Self {
        Self {
            way: Way::None,
            total: keys.total,
            pages: None,
            more: None,
            most_pages: 1,
        }
    }
}

impl From<PageKeys> for Paging {
    fn from(keys: PageKeys) -> Self {
        let parameter = Parameter {
            name: keys.parameter,
            place: keys.place,
        };
        Self {
            way: Way::Page {
                parameter,
                first: keys.first,
                size: keys.size,
            },
            total: keys.total,
            pages: keys.pages,
            more: keys.more,
            most_pages: keys.most_pages,
        }
    }
}

impl From<OffsetKeys> for Paging {
    fn from(keys: OffsetKeys) -> Self {
        let parameter = Parameter {
            name: keys.parameter,
            place: keys.place,
        };
        let (first, size) = (keys.first, keys.size);
        let way = match keys.unit {
            Unit::Items => Way::Offset {
                parameter,
                first,
                size,
            },
            Unit::Pages => Way::Page {
                parameter,
                first,
                size: Some(size),
            },
        };
        Self {
            way,
            total: keys.total,
            pages: keys.pages,
            more: keys.more,
            most_pages: keys.most_pages,
        }
    }
}

impl From<CursorKeys> for Paging {
    fn from(keys: CursorKeys) -> Self {
        let parameter = Parameter {
            name: keys.parameter,
            place: keys.place,
        };
        Self {
            way: Way::Cursor {
                parameter,
                take: keys.take,
                absent_is_end: keys.absent_is_end,
            },
            total: keys.total,
            pages: None,
            more: keys.more,
            most_pages: keys.most_pages,
        }
    }
}

impl From<NextKeys> for Paging {
    fn from(keys: NextKeys) -> Self {
        Self {
            way: Way::Next {
                take: keys.take,
                other_origin: keys.other_origin,
                absent_is_end: keys.absent_is_end,
            },
            total: keys.total,
            pages: None,
            more: keys.more,
            most_pages: keys.most_pages,
        }
    }
}

impl From<LinkKeys> for Paging {
    fn from(keys: LinkKeys) -> Self {
        Self {
            way: Way::Link {
                other_origin: keys.other_origin,
                absent_is_end: keys.absent_is_end,
            },
            total: keys.total,
            pages: None,
            more: None,
            most_pages: keys.most_pages,
        }
    }
}

impl Deserr<Problems> for Paging {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str = "Write none, link, or a block of one key: none, page, offset, cursor, next or link, such as {page: {parameter: page, pages: meta.totalPages}}";
        let map = match value {
            Value::String(word) if word == "none" => return Ok(NoneKeys { total: None }.into()),
            Value::String(word) if word == "link" => {
                return Ok(LinkKeys {
                    other_origin: OtherOrigin::Refuse,
                    absent_is_end: false,
                    total: None,
                    most_pages: MOST_PAGES,
                }
                .into());
            }
            Value::Map(map) if map.len() == 1 => map,
            _ => return Err(Problems::one(at, HOW)),
        };
        let Some((key, inner)) = map.into_iter().next() else {
            return Err(Problems::one(at, HOW));
        };
        let (inner, here) = (inner.into_value(), at.push_key(&key));
        match key.as_str() {
            "none" => Ok(NoneKeys::deserialize_from_value(inner, here)?.into()),
            "page" => Ok(PageKeys::deserialize_from_value(inner, here)?.into()),
            "offset" => Ok(OffsetKeys::deserialize_from_value(inner, here)?.into()),
            "cursor" => Ok(CursorKeys::deserialize_from_value(inner, here)?.into()),
            "next" => Ok(NextKeys::deserialize_from_value(inner, here)?.into()),
            "link" => Ok(LinkKeys::deserialize_from_value(inner, here)?.into()),
            _ => Err(Problems::one(here, HOW)),
        }
    }
}

impl Paging {
    /// The parameter that differs from page to page, if one does.
    pub fn parameter(&self) -> Option<&Parameter> {
        match &self.way {
            Way::Page { parameter, .. }
            | Way::Offset { parameter, .. }
            | Way::Cursor { parameter, .. } => Some(parameter),
            Way::None | Way::Next { .. } | Way::Link { .. } => None,
        }
    }

    /// What the types cannot say.
    pub(super) fn check(&self, is_post: bool, findings: &mut Findings) {
        let size = match self.way {
            Way::Page { size, .. } => size,
            Way::Offset { size, .. } => Some(size),
            _ => None,
        };
        if size.is_some_and(|size| !(1..=100_000).contains(&size)) {
            findings.say("paging", "Write a size of 1 to 100000 records");
        }
        if !(1..=1_000_000).contains(&self.most_pages) {
            findings.say("paging", "Write most_pages of 1 to 1000000");
        }
        if let Some(Parameter { name, place }) = self.parameter() {
            if name.trim().is_empty() {
                findings.say("paging", "The parameter has no name");
            }
            if *place == Where::Body && !is_post {
                findings.say(
                    "paging",
                    "Only a POST has a body; write request: {post: …}, or in: query",
                );
            }
        }
    }
}
