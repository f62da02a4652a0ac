//! Which hrId JobTicket knows somebody by whom the HR system now calls otherwise.
//!
//! A company that renumbers its staff would end everybody's ticket and order new ones; this map, a small table that people write or the program writes for them, keeps the
//! numbers that JobTicket has. It is read as strictly as it can be: a line that is half understood would give somebody another person's number.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::assemble::Delivery;
use super::employee::HrId;
use super::mapping::{Row, Unselected, normal};

/// The columns.
const HEADER: [&str; 2] = ["hrId", "jobticketHrId"];

/// Longest hrId, in characters; that of a source has the same bound.
const MOST_CHARACTERS: usize = 250;

/// From the hrId of the sources, prefix included, to that of JobTicket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HrIdMap(HashMap<HrId, HrId>);

/// What is wrong with a map. The hrIds in it are no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Line {line}: {what}")]
pub struct HrIdMapError {
    /// Which line, from 1.
    pub line: usize,
    /// What.
    pub what: HrIdMapFault,
}

/// What is wrong with one line of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what they are")]
pub enum HrIdMapFault {
    #[error("this is not UTF-8 text; save the file as CSV in UTF-8")]
    NotUtf8,
    #[error("the header has to be hrId,jobticketHrId or hrId;jobticketHrId")]
    Header,
    #[error(
        "a line has exactly two cells, hrId and jobticketHrId; write quotes inside one as \"\""
    )]
    NotTwoCells,
    #[error("the cell {column} is empty; write both hrIds, or remove the line")]
    Empty { column: &'static str },
    #[error("the cell {column} holds control characters or is longer than 250 characters")]
    NotText { column: &'static str },
    #[error("the hrId {hr_id} stands in line {first} already; one HR number is one person")]
    LeftTwice { hr_id: HrId, first: usize },
    #[error(
        "the jobticketHrId {hr_id} stands in line {first} already; two people cannot have one number at JobTicket"
    )]
    RightTwice { hr_id: HrId, first: usize },
    #[error(
        "the jobticketHrId {hr_id} is also the hrId of line {other}, so that nobody can tell whose it is; numbers cannot be passed on in a chain"
    )]
    Chain { hr_id: HrId, other: usize },
    #[error("the last line has no line end, so the file may be cut short; end it with one")]
    NoLineEnd,
}

impl HrIdMap {
    /// Reads a map.
    ///
    /// # Errors
    /// The first line that is not exactly as it has to be.
    pub fn parse(content: &[u8]) -> Result<Self, HrIdMapError> {
        let at = |line, what| HrIdMapError { line, what };
        let text = std::str::from_utf8(content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            at(line, HrIdMapFault::NotUtf8)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = (1..).zip(text.lines());
        let header = lines.next().map_or("", |(_, header)| header);
        let delimiter = [',', ';']
            .into_iter()
            .find(|delimiter| {
                cells(header, *delimiter)
                    .is_some_and(|cells| HEADER == cells.each_ref().map(|cell| &**cell))
            })
            .ok_or_else(|| at(1, HrIdMapFault::Header))?;
        if !text.ends_with('\n') {
            return Err(at(text.lines().count(), HrIdMapFault::NoLineEnd));
        }
        let mut map = HashMap::new();
        let mut left_at: HashMap<HrId, usize> = HashMap::new();
        let mut right_at: HashMap<HrId, usize> = HashMap::new();
        for (line, text) in lines {
            let [left, right] =
                cells(text, delimiter).ok_or_else(|| at(line, HrIdMapFault::NotTwoCells))?;
            let left = hr_id(&normal(&left), HEADER[0]).map_err(|what| at(line, what))?;
            let right = hr_id(&right, HEADER[1]).map_err(|what| at(line, what))?;
            if let Some(first) = left_at.insert(left.clone(), line) {
                return Err(at(line, HrIdMapFault::LeftTwice { hr_id: left, first }));
            }
            if let Some(first) = right_at.insert(right.clone(), line) {
                let hr_id = right;
                return Err(at(line, HrIdMapFault::RightTwice { hr_id, first }));
            }
            map.insert(left, right);
        }
        let mut chains: Vec<_> = right_at
            .into_iter()
            .filter_map(|(hr_id, line)| {
                let other = *left_at.get(&hr_id)?;
                (other != line).then_some((line, other, hr_id))
            })
            .collect();
        chains.sort();
        match chains.into_iter().next() {
            Some((line, other, hr_id)) => Err(at(line, HrIdMapFault::Chain { hr_id, other })),
            None => Ok(Self(map)),
        }
    }

    /// How many people it names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its lines, sorted: the hrId of the sources, and that of JobTicket.
    pub fn lines(&self) -> Vec<(&HrId, &HrId)> {
        let mut lines: Vec<_> = self.0.iter().collect();
        lines.sort();
        lines
    }

    /// The hrId by which JobTicket knows somebody.
    pub fn get<'m>(&'m self, hr_id: &'m HrId) -> &'m HrId {
        self.0.get(hr_id).unwrap_or(hr_id)
    }

    /// Names the people of a delivery as JobTicket knows them.
    pub(crate) fn apply(&self, delivery: &mut Delivery) {
        if self.is_empty() {
            return;
        }
        for Row { employee, .. } in &mut delivery.rows {
            if let Some(hr_id) = self.0.get(&employee.hr_id) {
                employee.edit(|employee| employee.hr_id = hr_id.clone());
            }
        }
        let mut unselected: Vec<_> = std::mem::take(&mut delivery.unselected)
            .into_iter()
            .map(|(hr_id, why)| (self.get(&hr_id).clone(), hr_id, why))
            .collect();
        // Of a mapped and a direct row of one person the one that leaves a doubt counts; else either, but always the same.
        let doubt = |why: &Unselected| matches!(why, Unselected::Unclear { .. });
        unselected.sort_by(|a, b| (doubt(&a.2), &a.1).cmp(&(doubt(&b.2), &b.1)));
        let unselected = unselected.into_iter();
        delivery.unselected = unselected.map(|(hr_id, _, why)| (hr_id, why)).collect();
    }
}

/// A map as the text of its file, for [`HrIdMap::parse`].
pub fn render<'p>(pairs: impl IntoIterator<Item = (&'p HrId, &'p HrId)>) -> String {
    let mut text = format!("{},{}\n", HEADER[0], HEADER[1]);
    for (left, right) in pairs {
        writeln!(text, "{},{}", cell(left), cell(right)).expect("writing to a String cannot fail");
    }
    text
}

/// A cell, in quotes where it would be read otherwise without.
fn cell(hr_id: &HrId) -> String {
    let text = hr_id.as_str();
    if text.contains(['"', ',', ';']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The two cells of a line. What stands in quotes is taken as it is, anything else without the blanks around it.
fn cells(line: &str, delimiter: char) -> Option<[String; 2]> {
    let (left, rest) = first_cell(line, delimiter)?;
    let (right, rest) = first_cell(rest?, delimiter)?;
    rest.is_none().then_some([left, right])
}

/// The first cell of a line, and what comes after the delimiter behind it, if there is one.
fn first_cell(line: &str, delimiter: char) -> Option<(String, Option<&str>)> {
    let Some(mut rest) = line.trim_start().strip_prefix('"') else {
        let (cell, rest) = match line.split_once(delimiter) {
            Some((cell, rest)) => (cell, Some(rest)),
            None => (line, None),
        };
        return (!cell.contains('"')).then(|| (cell.trim().to_owned(), rest));
    };
    let mut cell = String::new();
    loop {
        let (inside, after) = rest.split_once('"')?;
        cell.push_str(inside);
        if let Some(more) = after.strip_prefix('"') {
            cell.push('"');
            rest = more;
            continue;
        }
        let after = after.trim_start();
        return if after.is_empty() {
            Some((cell, None))
        } else {
            Some((cell, Some(after.strip_prefix(delimiter)?)))
        };
    }
}

fn hr_id(text: &str, column: &'static str) -> Result<HrId, HrIdMapFault> {
    if text.trim().is_empty() {
        return Err(HrIdMapFault::Empty { column });
    }
    if text.chars().any(char::is_control) || text.chars().count() > MOST_CHARACTERS {
        return Err(HrIdMapFault::NotText { column });
    }
    Ok(HrId::new(text))
}

#[cfg(test)]
mod tests;
