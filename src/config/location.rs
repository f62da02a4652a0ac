//! Where each key of a YAML file stands, so that an error can name its line, and which keys stand twice.
//!
//! `serde_yaml` keeps the last of two equal keys without a word, reads `0x10` as 16, and forgets the lines; this reads the file's events once more for all three.

use std::collections::{HashMap, HashSet};

use deserr::ValuePointerRef;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// One step of the way from the top of the tree to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The way from the top of the tree to a value.
pub(crate) type Pointer = Vec<Step>;

/// The way that `deserr` tells, in a form that can be kept.
pub(crate) fn pointer(at: ValuePointerRef<'_>) -> Pointer {
    match at {
        ValuePointerRef::Origin => Vec::new(),
        ValuePointerRef::Key { key, prev } => {
            let mut way = pointer(*prev);
            way.push(Step::Key(key.to_owned()));
            way
        }
        ValuePointerRef::Index { index, prev } => {
            let mut way = pointer(*prev);
            way.push(Step::Index(index));
            way
        }
    }
}

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// Whether YAML reads a word as a whole number that is written otherwise, such as `0x10` or `+49`.
fn is_odd_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
        && serde_yaml::from_str::<serde_json::Number>(word)
            .is_ok_and(|number| !number.is_f64() && number.to_string() != word)
}

/// The places of all keys and list items of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    at: HashMap<Vec<Step>, Place>,
    pub(crate) duplicates: Vec<(Pointer, Place)>,
    /// Numbers that YAML reads as other digits than those written.
    pub(crate) odd_numbers: Vec<(Pointer, Place)>,
}

enum Level {
    Map {
        seen: HashSet<String>,
        key: Option<String>,
    },
    List {
        next: usize,
    },
}

impl Places {
    /// Reads the places; a file that is not YAML gives those before the error, for the error itself is told by `serde_yaml`.
    pub(crate) fn of(text: &str) -> Self {
        let mut places = Self::default();
        let mut path: Vec<Step> = Vec::new();
        let mut levels: Vec<Level> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            let place = Place {
                line: span.start.line(),
                column: span.start.col() + 1,
            };
            match event {
                Event::Scalar(ref word, style, ..) => {
                    if let Some(Level::Map {
                        seen,
                        key: key @ None,
                    }) = levels.last_mut()
                    {
                        path.push(Step::Key(word.to_string()));
                        if !seen.insert(word.to_string()) {
                            places.duplicates.push((path.clone(), place));
                        }
                        *key = Some(word.to_string());
                        places.at.insert(path.clone(), place);
                    } else {
                        places.open(&mut path, &levels, place);
                        if style == ScalarStyle::Plain && is_odd_number(word) {
                            places.odd_numbers.push((path.clone(), place));
                        }
                        Self::close(&mut path, &mut levels);
                    }
                }
                Event::Alias(_) => {
                    places.open(&mut path, &levels, place);
                    Self::close(&mut path, &mut levels);
                }
                Event::MappingStart(..) => {
                    places.open(&mut path, &levels, place);
                    levels.push(Level::Map {
                        seen: HashSet::new(),
                        key: None,
                    });
                }
                Event::SequenceStart(..) => {
                    places.open(&mut path, &levels, place);
                    levels.push(Level::List { next: 0 });
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    levels.pop();
                    Self::close(&mut path, &mut levels);
                }
                _ => {}
            }
        }
        places
    }

    /// A value begins: an item of a list gets its place; the value of a key shares the place of the key.
    fn open(&mut self, path: &mut Vec<Step>, levels: &[Level], place: Place) {
        if let Some(Level::List { next }) = levels.last() {
            path.push(Step::Index(*next));
            self.at.insert(path.clone(), place);
        }
    }

    /// A value has ended: step back to the level it stands in.
    fn close(path: &mut Vec<Step>, levels: &mut [Level]) {
        match levels.last_mut() {
            Some(Level::List { next }) => {
                *next += 1;
                path.pop();
            }
            Some(Level::Map { key, .. }) => {
                *key = None;
                path.pop();
            }
            None => {}
        }
    }

    /// The place of a path, or of the nearest thing around it that has one.
    pub(crate) fn find(&self, pointer: &[Step]) -> Place {
        let mut path = pointer;
        loop {
            if let Some(place) = self.at.get(path) {
                return *place;
            }
            match path.split_last() {
                Some((_, outer)) => path = outer,
                None => return Place { line: 1, column: 1 },
            }
        }
    }
}

/// A path as people write it: `integrations[0].sources[1].folder`.
pub(crate) fn path_text(pointer: &[Step]) -> String {
    let mut text = String::new();
    for step in pointer {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(word: &str) -> Step {
        Step::Key(word.into())
    }

    #[test]
    fn each_key_is_found_at_its_line_and_a_key_written_twice_is_reported() {
        let text = "a: 1\nb:\n  - c: {d: 2}\n    e: 3\n  - f\nb: 4\n";
        let places = Places::of(text);
        let at = |path: Vec<Step>| places.find(&path).line;
        assert_eq!(at(vec![key("a")]), 1);
        assert_eq!(at(vec![key("b"), Step::Index(0), key("e")]), 4);
        assert_eq!(at(vec![key("b"), Step::Index(0), key("c"), key("d")]), 3);
        assert_eq!(at(vec![key("b"), Step::Index(1)]), 5);
        assert_eq!(places.duplicates.len(), 1);
        assert_eq!(places.duplicates[0].1.line, 6);
    }
}
