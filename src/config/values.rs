//! The values of the configuration that are more than a word or a number: each reads itself and says what to write instead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deserr::{Deserr, IntoValue, Map as _, Sequence as _, Value, ValuePointerRef};
use serde::Serialize;

use super::problem::{Problems, kind_name};
use crate::roster::DateFormat;

/// One text or several: `Nachname`, or `[Rufname, Vorname]` for the first that is not empty. Numbers count as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Texts(pub Vec<String>);

/// The address of an API: https, or loopback, without a credential in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BaseUrl(pub String);

/// How a delivered file is known to be complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// The sender writes under another name (`.tmp`, `.part`, a dot file) and renames.
    Rename,
    /// A second file of this name lies beside it; `{name}` stands for the file's own name.
    Marker(String),
    /// Nothing changed in it for so many seconds.
    QuietSeconds(u64),
}

/// What makes a file the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NewestBy {
    /// Its time of modification.
    Modified,
    /// The date in its name, in `strftime` notation such as `roster_%Y%m%d.csv`.
    NameDate(String),
}

/// What happens to a file once JobTicket has acknowledged what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// It stays.
    Keep,
    /// It moves into this folder.
    Archive(PathBuf),
    /// It moves into this folder of its server.
    Move(PathBuf),
    /// It is deleted on its server.
    Delete,
}

impl After {
    /// The folder that files go to, if they go anywhere.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Archive(folder) | Self::Move(folder) => Some(folder),
            Self::Keep | Self::Delete => None,
        }
    }
}

/// The character between the cells of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// Found out from the header.
    Auto,
    /// This one; a single ASCII character.
    Is(char),
}

/// One date column, or several of which the first that is not empty counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateColumn {
    /// The columns.
    pub from: Texts,
    /// The formats, tried in order.
    pub format: Vec<DateFormat>,
    /// Values that mean "no date".
    pub empty: Texts,
}

/// A column that says yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagColumn {
    /// The columns.
    pub from: Texts,
    /// Values that mean yes.
    pub yes: Texts,
    /// Values that mean no.
    pub no: Texts,
}

/// A block whose keys are names of its author's. The `BTreeMap` of `deserr` 0.6.4 leaves out an entry that is wrong, and says nothing.
pub(super) struct ByName<T>(BTreeMap<String, T>);

impl<T> ByName<T> {
    pub(super) fn into_map(self) -> BTreeMap<String, T> {
        self.0
    }

    pub(super) fn into_option(this: Option<Self>) -> Option<BTreeMap<String, T>> {
        this.map(Self::into_map)
    }
}

impl<T: Deserr<Problems>> Deserr<Problems> for ByName<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let Value::Map(map) = value else {
            let found = kind_name(value.kind());
            return Err(Problems::one(
                at,
                format!("Expected a block of keys, found {found}"),
            ));
        };
        let (mut all, mut problems) = (BTreeMap::new(), Problems::default());
        for (key, value) in map.into_iter() {
            match T::deserialize_from_value(value.into_value(), at.push_key(&key)) {
                Ok(value) => {
                    all.insert(key, value);
                }
                Err(found) => problems.0.extend(found.0),
            }
        }
        if problems.0.is_empty() {
            Ok(Self(all))
        } else {
            Err(problems)
        }
    }
}

fn text_of<V: IntoValue>(value: Value<V>, at: ValuePointerRef<'_>) -> Result<String, Problems> {
    match value {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        Value::NegativeInteger(number) => Ok(number.to_string()),
        Value::Float(_) | Value::Boolean(_) => Err(Problems::one(
            at,
            "Put this value in quotes, so that it is read as the text that you see",
        )),
        other => Err(Problems::one(
            at,
            format!("Expected text, found {}", kind_name(other.kind())),
        )),
    }
}

impl Deserr<Problems> for Texts {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let Value::Sequence(list) = value else {
            return Ok(Self(vec![text_of(value, at)?]));
        };
        let (mut texts, mut problems) = (Vec::new(), Problems::default());
        for (index, item) in list.into_iter().enumerate() {
            match text_of(item.into_value(), at.push_index(index)) {
                Ok(text) => texts.push(text),
                Err(found) => problems.0.extend(found.0),
            }
        }
        if problems.0.is_empty() {
            Ok(Self(texts))
        } else {
            Err(problems)
        }
    }
}

/// The single `key: value` of a block, for values that are either a word or a block of one key.
fn only_pair<V: IntoValue>(
    map: V::Map,
    at: ValuePointerRef<'_>,
    how: &str,
) -> Result<(String, Value<V>), Problems> {
    if map.len() != 1 {
        return Err(Problems::one(at, how));
    }
    let (key, value) = map
        .into_iter()
        .next()
        .ok_or_else(|| Problems::one(at, how))?;
    Ok((key, value.into_value()))
}

impl Deserr<Problems> for Ready {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str = "Write rename, {marker: \"{name}.done\"} or {quiet_seconds: 30}";
        match value {
            Value::String(word) if word == "rename" => Ok(Self::Rename),
            Value::Map(map) => match only_pair::<V>(map, at, HOW)? {
                (key, Value::String(name))
                    if key == "marker" && name.contains("{name}") && name != "{name}" =>
                {
                    Ok(Self::Marker(name))
                }
                (key, Value::Integer(seconds))
                    if key == "quiet_seconds" && (1..=86_400).contains(&seconds) =>
                {
                    Ok(Self::QuietSeconds(seconds))
                }
                _ => Err(Problems::one(at, HOW)),
            },
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

impl Deserr<Problems> for NewestBy {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str = "Write modified or {name_date: \"roster_%Y%m%d.csv\"}";
        match value {
            Value::String(word) if word == "modified" => Ok(Self::Modified),
            Value::Map(map) => match only_pair::<V>(map, at, HOW)? {
                (key, Value::String(format)) if key == "name_date" => {
                    let items: Vec<_> = chrono::format::StrftimeItems::new(&format).collect();
                    if items.contains(&chrono::format::Item::Error) {
                        return Err(Problems::one(
                            at,
                            "This is not a date pattern; write such as roster_%Y%m%d.csv",
                        ));
                    }
                    if !["%Y", "%m", "%d"].iter().all(|part| format.contains(part)) {
                        return Err(Problems::one(
                            at,
                            "The pattern needs %Y, %m and %d, such as roster_%Y%m%d.csv",
                        ));
                    }
                    Ok(Self::NameDate(format))
                }
                _ => Err(Problems::one(at, HOW)),
            },
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

impl Deserr<Problems> for After {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str =
            "Write keep or {archive: /path}; on a server keep, {move: /path} or delete";
        match value {
            Value::String(word) if word == "keep" => Ok(Self::Keep),
            Value::String(word) if word == "delete" => Ok(Self::Delete),
            Value::Map(map) => match only_pair::<V>(map, at, HOW)? {
                (key, Value::String(path)) if key == "archive" && !path.is_empty() => {
                    Ok(Self::Archive(path.into()))
                }
                (key, Value::String(path)) if key == "move" && !path.is_empty() => {
                    Ok(Self::Move(path.into()))
                }
                _ => Err(Problems::one(at, HOW)),
            },
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

impl Deserr<Problems> for Delimiter {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str = "Write auto, \";\", \",\", \"|\" or tab";
        let Value::String(word) = value else {
            return Err(Problems::one(at, HOW));
        };
        let mut chars = word.chars();
        match (word.as_str(), chars.next(), chars.next()) {
            ("auto", ..) => Ok(Self::Auto),
            ("tab", ..) => Ok(Self::Is('\t')),
            (_, Some(c), None)
                if c.is_ascii()
                    && !c.is_ascii_alphanumeric()
                    && !matches!(c, '"' | '\r' | '\n' | '\\') =>
            {
                Ok(Self::Is(c))
            }
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

impl Deserr<Problems> for DateFormat {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            Value::String(text) => text
                .parse()
                .map_err(|error: crate::roster::DateFormatError| {
                    Problems::one(at, error.to_string())
                }),
            other => Err(Problems::one(
                at,
                format!(
                    "Expected a date format such as TT.MM.JJJJ, found {}",
                    kind_name(other.kind())
                ),
            )),
        }
    }
}

/// The keys of a date column as written, before `format` is known to be one or several.
#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct DateColumnKeys {
    from: Texts,
    format: OneOrMore<DateFormat>,
    #[deserr(default)]
    empty: Texts,
}

struct OneOrMore<T>(Vec<T>);

impl<T: Deserr<Problems>> Deserr<Problems> for OneOrMore<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            list @ Value::Sequence(_) => Ok(Self(Vec::deserialize_from_value(list, at)?)),
            single => Ok(Self(vec![T::deserialize_from_value(single, at)?])),
        }
    }
}

impl Deserr<Problems> for DateColumn {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        if !matches!(value, Value::Map(_)) {
            let how = "A date needs its format: write {from: Column, format: TT.MM.JJJJ}";
            return Err(Problems::one(at, how));
        }
        let keys = DateColumnKeys::deserialize_from_value(value, at)?;
        if keys.format.0.is_empty() {
            return Err(Problems::one(
                at,
                "The list of formats is empty; write such as TT.MM.JJJJ",
            ));
        }
        Ok(Self {
            from: keys.from,
            format: keys.format.0,
            empty: keys.empty,
        })
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct FlagColumnKeys {
    from: Texts,
    yes: Texts,
    no: Texts,
}

impl Deserr<Problems> for FlagColumn {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        if !matches!(value, Value::Map(_)) {
            return Err(Problems::one(
                at,
                "Say which values mean yes and no: {from: Column, yes: [J], no: [N]}",
            ));
        }
        let FlagColumnKeys { from, yes, no } = FlagColumnKeys::deserialize_from_value(value, at)?;
        Ok(Self { from, yes, no })
    }
}
