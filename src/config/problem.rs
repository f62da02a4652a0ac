//! What is wrong in a configuration, gathered as `deserr` walks it: every problem of the file, not the first only.
//!
//! A message never repeats a value of the file, except a misspelt key or a misspelt word from a closed list: a secret
//! that someone wrote where a reference belongs must not come back on a terminal.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};

use super::location::{Pointer, pointer};

/// One problem, at one place of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) at: Pointer,
    pub(crate) message: String,
}

/// All problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    pub(crate) fn one(at: ValuePointerRef<'_>, message: impl Into<String>) -> Self {
        Self(vec![Problem {
            at: pointer(at),
            message: message.into(),
        }])
    }
}

impl MergeWithError<Problems> for Problems {
    fn merge(
        self_: Option<Self>,
        other: Problems,
        _: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let mut all = self_.unwrap_or_default();
        all.0.extend(other.0);
        ControlFlow::Continue(all)
    }
}

impl MergeWithError<String> for Problems {
    fn merge(
        self_: Option<Self>,
        other: String,
        at: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        Self::merge(self_, Problems::one(at, other), at)
    }
}

impl MergeWithError<Infallible> for Problems {
    fn merge(
        _: Option<Self>,
        never: Infallible,
        _: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        match never {}
    }
}

impl DeserializeError for Problems {
    fn error<V: IntoValue>(
        self_: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let problem = match error {
            ErrorKind::IncorrectValueKind { actual, accepted } => {
                let wanted = list(accepted.iter().map(|kind| kind_name(*kind)), " or ");
                let brackets = if accepted == [ValueKind::Sequence] {
                    "; put it in brackets: [ ]"
                } else {
                    ""
                };
                Problems::one(
                    location,
                    format!(
                        "Expected {wanted}, found {}{brackets}",
                        kind_name(actual.kind())
                    ),
                )
            }
            ErrorKind::MissingField { field } => Problems::one(
                location,
                format!("The key `{field}` is missing here; add it"),
            ),
            ErrorKind::UnknownKey { key, accepted } => {
                Problems::one(location.push_key(key), unknown_key(key, accepted))
            }
            ErrorKind::UnknownValue { value, accepted } => Problems::one(
                location,
                format!(
                    "`{value}` is not known here; write one of {}",
                    list(accepted.iter().copied(), ", ")
                ),
            ),
            ErrorKind::BadSequenceLen { expected, .. } => {
                Problems::one(location, format!("Expected a list of {expected}"))
            }
            ErrorKind::Unexpected { msg } => Problems::one(location, msg),
        };
        Self::merge(self_, problem, location)
    }
}

/// The sentence for a key that the configuration does not have, with the nearest one that it has.
fn unknown_key(key: &str, accepted: &[&str]) -> String {
    let mut message = format!("The key `{key}` does not exist here");
    let nearest = accepted
        .iter()
        .map(|known| {
            (
                strsim::jaro_winkler(&key.to_lowercase(), &known.to_lowercase()),
                *known,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(nearness, _)| *nearness > 0.8);
    let end = match nearest {
        Some((_, known)) => write!(message, "; did you mean `{known}`?"),
        None => write!(
            message,
            "; known are {}",
            list(accepted.iter().copied(), ", ")
        ),
    };
    end.expect("writing to a String cannot fail");
    message
}

fn list<'a>(words: impl Iterator<Item = &'a str>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

pub(crate) fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Null => "nothing (null)",
        ValueKind::Boolean => "true or false",
        ValueKind::Integer => "a whole number",
        ValueKind::NegativeInteger => "a negative number",
        ValueKind::Float => "a number with a fraction",
        ValueKind::String => "text",
        ValueKind::Sequence => "a list",
        ValueKind::Map => "a block of keys",
    }
}
