//! The path language: where in an answer a value stands.
//!
//! `JSONPath` (RFC 9535) and `JMESPath` were weighed: neither reads `attributes.*[universal_id=date_of_birth].value`, both make a filter on a key a line of punctuation, and both
//! bring functions and scripts that a mapping has no use for. So this is a language of six steps, which nothing can loop in:
//!
//! | written | means |
//! | --- | --- |
//! | `name` | the value of a key; letters, digits, `_`, `-`, `:` |
//! | `"/work/startDate"` | a key with anything in it; `\"` and `\\` inside |
//! | `*` | every value of an object or a list |
//! | `[0]`, `[-1]` | an item of a list, from the front or from the back |
//! | `[key=value]`, `[a.b="c d"]` | of a list the items, of anything else itself, where the path has this text |
//! | `$` | the answer itself, alone or in front |
//!
//! `@key`, alone, is the key under which `*` of the list of records found this one; `@name.` in front leads into the record of the joined list of that name. Where a path finds several values, the first that is not empty counts.

use std::fmt;
use std::str::{Chars, FromStr};

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use crate::config::problem::{Problems, kind_name};

/// Where in an answer a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<PathStep>,
    written: String,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathStep {
    /// The value of this key.
    Key(String),
    /// The item at this place, from 0; from the back where negative.
    Item(i64),
    /// Every value of an object or a list.
    Each,
    /// Of a list the items, of anything else itself, where a path has this text.
    Where {
        /// The path, from the item.
        path: Vec<PathStep>,
        /// The text.
        value: String,
    },
    /// The key under which the record was found.
    OwnKey,
    /// The record of the joined list of this name.
    Joined(String),
}

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "This is not a path ({0}); write such as attributes.id.value, \"/work/startDate\".value or emails[type=work].value"
)]
pub struct PathError(&'static str);

impl JsonPath {
    /// Its steps; none is the answer itself.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// Of a path into a joined list, the list's name and the path in it.
    pub fn joined(&self) -> Option<(&str, Self)> {
        let (PathStep::Joined(name), rest) = self.steps.split_first()? else {
            return None;
        };
        let inner = Self {
            steps: rest.to_vec(),
            written: self.written.clone(),
        };
        Some((name, inner))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Serialize for JsonPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl FromStr for JsonPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let written = text.trim();
        if written == "@key" {
            return Ok(Self {
                steps: vec![PathStep::OwnKey],
                written: written.to_owned(),
            });
        }
        let (list, inner) = match written.strip_prefix('@').map(|text| text.split_once('.')) {
            None => (None, written),
            Some(Some((name, inner))) if is_plain_key(name) && !inner.starts_with('$') => {
                (Some(PathStep::Joined(name.to_owned())), inner)
            }
            Some(_) => {
                return Err(PathError(
                    "after @ stands key, or the name of a list of join and a path",
                ));
            }
        };
        let mut reader = Reader {
            rest: inner.chars(),
        };
        let steps = list.into_iter().chain(reader.whole()?).collect();
        Ok(Self {
            steps,
            written: written.to_owned(),
        })
    }
}

impl Deserr<Problems> for JsonPath {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            // Elsewhere than under fields no list is joined, and `@odata.nextLink` would be a place that is never there.
            Value::String(text) => match text.parse::<Self>() {
                Ok(path) if path.joined().is_some() => Err(Problems::one(
                    at,
                    "Only a path under fields leads into a joined list; a key with @ in it needs quotes: '\"@odata.nextLink\"'",
                )),
                Ok(path) => Ok(path),
                Err(error) => Err(Problems::one(at, error.to_string())),
            },
            other => Err(Problems::one(
                at,
                format!(
                    "Expected a path such as meta.total, found {}",
                    kind_name(other.kind())
                ),
            )),
        }
    }
}

/// Whether a key needs no quotes.
pub fn is_plain_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | ':')
}

struct Reader<'t> {
    rest: Chars<'t>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest.next();
        }
        found
    }

    fn whole(&mut self) -> Result<Vec<PathStep>, PathError> {
        if self.takes('$') {
            if self.peek().is_none() {
                return Ok(Vec::new());
            }
            let goes_on = self.takes('.') || self.peek() == Some('[');
            if !goes_on {
                return Err(PathError("$ is followed by a dot"));
            }
        }
        let steps = self.steps()?;
        if self.peek().is_some() {
            return Err(PathError(
                "a key with other signs than letters, digits, _, - and : needs quotes",
            ));
        }
        Ok(steps)
    }

    /// Steps until something comes that is none.
    fn steps(&mut self) -> Result<Vec<PathStep>, PathError> {
        let mut steps = Vec::new();
        if self.peek() != Some('[') {
            steps.push(self.step()?);
        }
        loop {
            if self.takes('[') {
                steps.push(self.bracket()?);
            } else if self.takes('.') {
                steps.push(self.step()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn step(&mut self) -> Result<PathStep, PathError> {
        match self.peek() {
            Some('*') => {
                self.rest.next();
                Ok(PathStep::Each)
            }
            Some('"') => Ok(PathStep::Key(self.quoted()?)),
            _ => {
                let key = self.plain();
                if key.is_empty() {
                    return Err(PathError("a key is missing"));
                }
                Ok(PathStep::Key(key))
            }
        }
    }

    fn plain(&mut self) -> String {
        let mut key = String::new();
        while let Some(c) = self.peek().filter(|c| is_plain(*c)) {
            key.push(c);
            self.rest.next();
        }
        key
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err(PathError("a quote has no end")),
                Some('"') => return Ok(text),
                Some('\\') => match self.rest.next() {
                    Some(c @ ('"' | '\\')) => text.push(c),
                    _ => return Err(PathError("after \\ stands \" or \\")),
                },
                Some(c) => text.push(c),
            }
        }
    }

    /// What follows `[`.
    fn bracket(&mut self) -> Result<PathStep, PathError> {
        let inner = self.rest.as_str();
        let number = inner.split_once(']').map(|(number, _)| number);
        if let Some(number) = number
            && let Ok(item) = number.parse::<i64>()
        {
            self.rest = inner[number.len() + 1..].chars();
            return Ok(PathStep::Item(item));
        }
        let path = self.steps()?;
        if !self.takes('=') {
            return Err(PathError("between [ and ] stands a number or key=value"));
        }
        let value = if self.peek() == Some('"') {
            let value = self.quoted()?;
            if !self.takes(']') {
                return Err(PathError("a bracket has no end"));
            }
            value
        } else {
            let inner = self.rest.as_str();
            let (value, after) = inner
                .split_once(']')
                .ok_or(PathError("a bracket has no end"))?;
            self.rest = after.chars();
            value.trim().to_owned()
        };
        if value.is_empty() {
            return Err(PathError("a value is missing after ="));
        }
        Ok(PathStep::Where { path, value })
    }
}

#[cfg(test)]
mod tests;
