//! An answer as a tree that borrows from its bytes, and what a path finds in it.
//!
//! Whole numbers stay whole: a personnel number that has gone through a float is another person's. What is no text by itself is never made one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use xxhash_rust::xxh3::Xxh3;

use crate::config::{JsonPath, PathStep};
use crate::source::columns::Kind;

/// Keys that stand around lists in many systems.
const USUAL_KEYS: [&str; 20] = [
    "code",
    "content",
    "count",
    "d",
    "data",
    "detail",
    "employees",
    "error",
    "errors",
    "items",
    "message",
    "meta",
    "next",
    "pagination",
    "persons",
    "records",
    "result",
    "results",
    "success",
    "value",
];

/// Whole numbers beyond this are not exact as a float (IEEE 754, 53 bits).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a value is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotText {
    #[error("an object; go on with a dot and one of its keys")]
    Map,
    #[error("a list; go on with [0], or with [key=value]")]
    List,
    #[error("a number too large to be read exactly; have it sent as text")]
    Inexact,
}

impl<'a> Json<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        // A byte order mark is no part of JSON, but some send one (RFC 8259, 8.1).
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        serde_json::from_slice(body)
    }

    /// The value of a key; of a key that stands there twice, the last.
    fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(map) = self else { return None };
        map.iter()
            .rev()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The text of a value that has one, without blanks around it; empty where the value is empty.
    pub(super) fn text(&self, kind: Kind) -> Result<Cow<'_, str>, NotText> {
        match self {
            Self::Null => Ok("".into()),
            // Odoo and its like write `false` where there is nothing.
            Self::Bool(false) if kind != Kind::Word => Ok("".into()),
            Self::Bool(truth) => Ok(if *truth { "true" } else { "false" }.into()),
            Self::Int(number) => Ok(number.to_string().into()),
            Self::UInt(number) => Ok(number.to_string().into()),
            Self::Float(number) if number.abs() < EXACT => Ok(number.to_string().into()),
            Self::Float(_) => Err(NotText::Inexact),
            Self::Text(text) => Ok(trimmed(text).into()),
            Self::List(list) if list.is_empty() => Ok("".into()),
            Self::Map(map) if map.is_empty() => Ok("".into()),
            Self::List(_) => Err(NotText::List),
            Self::Map(_) => Err(NotText::Map),
        }
    }

    /// Identifies it. What differs in the order of its keys alone counts as something else.
    pub(super) fn hash(&self) -> u64 {
        let mut into = Xxh3::new();
        self.feed(&mut into);
        into.digest()
    }

    /// Every value with its kind and length in front, so that no two run into each other.
    fn feed(&self, into: &mut Xxh3) {
        let mut text = |kind: u8, bytes: &[u8]| {
            into.update(&[kind]);
            into.update(&bytes.len().to_le_bytes());
            into.update(bytes);
        };
        match self {
            Self::Null => text(0, b""),
            Self::Bool(truth) => text(1, &[u8::from(*truth)]),
            Self::Int(number) => text(2, &number.to_le_bytes()),
            Self::UInt(number) => text(3, &number.to_le_bytes()),
            Self::Float(number) => text(4, &number.to_bits().to_le_bytes()),
            Self::Text(own) => text(5, own.as_bytes()),
            Self::List(list) => {
                text(6, &list.len().to_le_bytes());
                for item in list {
                    item.feed(into);
                }
            }
            Self::Map(map) => {
                text(7, &map.len().to_le_bytes());
                for (key, value) in map {
                    Json::Text(Cow::Borrowed(key.as_ref())).feed(into);
                    value.feed(into);
                }
            }
        }
    }

    /// What the answer is, for messages: its kind, and those of its keys that are the usual ones around a list. Any other may be somebody's name.
    pub(super) fn shape(&self) -> String {
        match self {
            Self::Map(map) => {
                let usual = USUAL_KEYS.iter().filter(|usual| self.get(usual).is_some());
                let usual: Vec<&str> = usual.copied().collect();
                if usual.is_empty() {
                    format!("an object with {} keys", map.len())
                } else {
                    format!("an object with {}", usual.join(", "))
                }
            }
            Self::List(list) => format!("a list of {}", list.len()),
            Self::Text(_) => "text".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool(_) => "true or false".to_owned(),
            Self::Int(_) | Self::UInt(_) | Self::Float(_) => "a number".to_owned(),
        }
    }
}

/// Without blanks around it, those of fixed width included, as cells of a table are.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// Shows every value that `steps` find from `node` on, in their order, with the last key that `*` came by, until `see` has enough.
pub(super) fn walk<'j>(
    steps: &[PathStep],
    node: &'j Json<'j>,
    own: Option<&'j str>,
    see: &mut dyn FnMut(&'j Json<'j>, Option<&'j str>) -> bool,
) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return see(node, own);
    };
    match (step, node) {
        (PathStep::Key(key), _) => node
            .get(key)
            .is_some_and(|value| walk(rest, value, own, see)),
        (PathStep::Item(at), Json::List(list)) => {
            let from_back = || {
                list.len()
                    .checked_sub(usize::try_from(at.unsigned_abs()).ok()?)
            };
            let index = usize::try_from(*at).ok().or_else(from_back);
            index
                .and_then(|index| list.get(index))
                .is_some_and(|value| walk(rest, value, own, see))
        }
        (PathStep::Each, Json::List(list)) => list.iter().any(|value| walk(rest, value, own, see)),
        (PathStep::Each, Json::Map(map)) => map
            .iter()
            .any(|(key, value)| walk(rest, value, Some(key), see)),
        (PathStep::Where { path, value }, Json::List(list)) => list
            .iter()
            .filter(|item| has(item, path, value))
            .any(|item| walk(rest, item, own, see)),
        (PathStep::Where { path, value }, _) => {
            has(node, path, value) && walk(rest, node, own, see)
        }
        (PathStep::Item(_) | PathStep::Each | PathStep::OwnKey | PathStep::Joined(_), _) => false,
    }
}

fn has(node: &Json<'_>, path: &[PathStep], wanted: &str) -> bool {
    walk(path, node, None, &mut |found, _| {
        found.text(Kind::Word).is_ok_and(|text| text == wanted)
    })
}

/// The first value that a path finds, be it empty.
pub(super) fn first<'j>(path: &JsonPath, node: &'j Json<'j>) -> Option<&'j Json<'j>> {
    let mut first = None;
    walk(path.steps(), node, None, &mut |found, _| {
        first = Some(found);
        true
    });
    first
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Json<'de>, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Json<'de>, E> {
                Ok(Json::Bool(truth))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
                Ok(Json::Int(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
                Ok(Json::UInt(number))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
                Ok(Json::Float(number))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
                let mut map = Vec::new();
                while let Some((Key(key), value)) = access.next_entry()? {
                    map.push((key, value));
                }
                Ok(Json::Map(map))
            }
        }
        deserializer.deserialize_any(Tree)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, body: &str) -> Vec<String> {
        let path: JsonPath = path.parse().unwrap();
        let tree = Json::parse(body.as_bytes()).unwrap();
        let mut all = Vec::new();
        walk(path.steps(), &tree, None, &mut |node, _| {
            all.push(
                node.text(Kind::Word)
                    .map_or_else(|why| format!("{why:?}"), Cow::into_owned),
            );
            false
        });
        all
    }

    #[test]
    fn a_path_finds_what_it_names_and_nothing_else() {
        let body = r#"{"attributes": {"id": {"value": 7}, "dynamic_1": {"universal_id": "date_of_birth", "value": "1990-04-15"}},
            "/work/startDate": {"value": "2020"}, "emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}],
            "list": [1, 2, 3], "a.b": "\ud83d\ude00 \"x\" "}"#;
        for (path, values) in [
            (
                "attributes.*[universal_id=date_of_birth].value",
                &["1990-04-15"][..],
            ),
            ("attributes.id.value", &["7"]),
            ("\"/work/startDate\".value", &["2020"]),
            ("emails[type=work].value", &["w"]),
            ("emails.*.value", &["h", "w"]),
            ("list[0]", &["1"]),
            ("list[-1]", &["3"]),
            ("list[-4]", &[]),
            ("list[9]", &[]),
            ("\"a.b\"", &["\u{1f600} \"x\""]),
            ("attributes.id", &["Map"]),
            ("list", &["List"]),
            ("nothing.at.all", &[]),
            ("list.key", &[]),
            ("*.value", &["2020"]),
        ] {
            assert_eq!(found(path, body), values, "{path}");
        }
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (body, text) in [
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("-7", "-7"),
            ("38.5", "38.5"),
            ("7.0", "7"),
            ("184467440737095516150", "Inexact"),
            ("1e300", "Inexact"),
        ] {
            assert_eq!(found("$", body), [text], "{body}");
        }
    }

    #[test]
    fn false_is_nothing_in_a_text_and_a_word_in_a_rule() {
        let no = Json::Bool(false);
        assert_eq!(no.text(Kind::Text).unwrap(), "");
        assert_eq!(no.text(Kind::Date).unwrap(), "");
        assert_eq!(no.text(Kind::Word).unwrap(), "false");
    }
}
