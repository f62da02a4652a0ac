//! An employee: the ten fields of JobTicket, their key, and the hash by which two of them are compared.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike, NaiveDate};
use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::eight::is_lower_ascii;
use super::rare::Rare;

/// The employee's stable key in the HR system: text, in which leading zeros count. Nearly every one is short enough to stand in place, which spares a look elsewhere whenever
/// two are compared.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HrId(EcoString);

impl HrId {
    /// Wraps a key that is trimmed and not empty.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight bytes, as a number: where two of these differ, the keys have the same order.
    pub(crate) fn start(&self) -> u64 {
        let bytes = self.0.as_bytes();
        let start = bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut start = [0; 8];
            start[..bytes.len()].copy_from_slice(bytes);
            start
        });
        u64::from_be_bytes(start)
    }

    /// The key without the leading zeros of its numbers, which an export may have lost; also behind a prefix, as in `B-00123`.
    pub fn without_zeros(&self) -> Cow<'_, str> {
        let mut in_number = false;
        let mut is_kept = |c: &char| {
            in_number = c.is_ascii_digit() && (in_number || *c != '0');
            in_number || *c != '0'
        };
        let kept: String = self.0.chars().filter(|c| is_kept(c)).collect();
        if kept.len() == self.0.len() {
            Cow::Borrowed(&self.0)
        } else {
            Cow::Owned(kept)
        }
    }
}

/// That of text. Whole rosters are sorted and compared by it, and nearly always the first eight bytes, taken as a number, tell.
impl Ord for HrId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.start()
            .cmp(&other.start())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for HrId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for HrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for HrId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A field of JobTicket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the API's own")]
pub enum Field {
    HrId,
    FirstName,
    LastName,
    Email,
    DateOfBirth,
    StartDate,
    TerminationDate,
    AutoSyncEmployee,
    Absences,
}

impl Field {
    /// All that a source can fill; `profileImage` is always null.
    pub const ALL: [Self; 9] = [
        Self::HrId,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::DateOfBirth,
        Self::StartDate,
        Self::TerminationDate,
        Self::AutoSyncEmployee,
        Self::Absences,
    ];

    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HrId => "hrId",
            Self::FirstName => "firstName",
            Self::LastName => "lastName",
            Self::Email => "email",
            Self::DateOfBirth => "dateOfBirth",
            Self::StartDate => "startDate",
            Self::TerminationDate => "terminationDate",
            Self::AutoSyncEmployee => "autoSyncEmployee",
            Self::Absences => "absences",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One absence. The API does not say what an item holds, so its keys are the configured ones.
pub type Absence = BTreeMap<String, String>;

/// A record mapped to the fields of JobTicket. It holds personal data, so `Debug` prints the hrId alone.
///
/// A roster of a million people is in memory at once, so the names and the e-mail share one piece of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Employee {
    /// The key.
    pub hr_id: HrId,
    /// First name, last name and e-mail, one after the other.
    texts: Box<str>,
    last_name_at: u32,
    email_at: u32,
    /// Date of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// First day of employment.
    pub start_date: Option<NaiveDate>,
    /// Last day of employment.
    pub termination_date: Option<NaiveDate>,
    /// Null where the source does not say.
    pub auto_sync_employee: Option<bool>,
    /// Empty unless mapped.
    pub absences: Rare<Absence>,
}

/// An employee as the store keeps them, and as they are read from it. The store keeps them without the names ([`super::json`]): the order of the fields stays as it is, and a new one
/// goes last, with a default.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'k> {
    #[serde(borrow)]
    hr_id: Cow<'k, str>,
    #[serde(borrow)]
    first_name: Cow<'k, str>,
    #[serde(borrow)]
    last_name: Cow<'k, str>,
    #[serde(borrow)]
    email: Cow<'k, str>,
    #[serde(default, with = "super::day", skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<NaiveDate>,
    #[serde(default, with = "super::day", skip_serializing_if = "Option::is_none")]
    start_date: Option<NaiveDate>,
    #[serde(default, with = "super::day", skip_serializing_if = "Option::is_none")]
    termination_date: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_sync_employee: Option<bool>,
    #[serde(default, skip_serializing_if = "<[Absence]>::is_empty")]
    absences: Cow<'k, [Absence]>,
}

impl Serialize for Employee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = Kept {
            hr_id: self.hr_id.as_str().into(),
            first_name: self.first_name().into(),
            last_name: self.last_name().into(),
            email: self.email().into(),
            date_of_birth: self.date_of_birth,
            start_date: self.start_date,
            termination_date: self.termination_date,
            auto_sync_employee: self.auto_sync_employee,
            absences: Cow::Borrowed(&self.absences),
        };
        kept.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Employee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::deserialize(deserializer)?;
        let mut employee = Self::new(
            HrId::new(&kept.hr_id),
            &kept.first_name,
            &kept.last_name,
            &kept.email,
        );
        employee.date_of_birth = kept.date_of_birth;
        employee.start_date = kept.start_date;
        employee.termination_date = kept.termination_date;
        employee.auto_sync_employee = kept.auto_sync_employee;
        employee.absences = kept.absences.into_owned().into();
        Ok(employee)
    }
}

impl fmt::Debug for Employee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Employee({})", self.hr_id)
    }
}

/// The hash of an employee's values, by which changes are found. Not for secrecy: it stands in the store beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueHash(pub [u8; 16]);

/// A text for comparisons that take no notice of case. Most addresses are in lower case already.
pub(crate) fn lower_case(text: &str) -> Cow<'_, str> {
    if is_lower_ascii(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Where a text begins that others stand before. No text is longer than a file may be.
fn place(length: usize) -> u32 {
    u32::try_from(length).expect("names of less than 4 GiB")
}

impl Employee {
    /// Somebody of whom no more is known.
    pub fn new(hr_id: HrId, first_name: &str, last_name: &str, email: &str) -> Self {
        let mut texts = String::with_capacity(first_name.len() + last_name.len() + email.len());
        texts.push_str(first_name);
        let last_name_at = place(texts.len());
        texts.push_str(last_name);
        let email_at = place(texts.len());
        texts.push_str(email);
        Self {
            hr_id,
            texts: texts.into(),
            last_name_at,
            email_at,
            date_of_birth: None,
            start_date: None,
            termination_date: None,
            auto_sync_employee: None,
            absences: Rare::default(),
        }
    }

    /// The first byte of the names and the e-mail, for whoever wants them in the processor's cache.
    pub(crate) fn first_byte(&self) -> u8 {
        self.texts.as_bytes().first().copied().unwrap_or_default()
    }

    /// First name, last name and e-mail, one after the other.
    pub(crate) fn texts(&self) -> &str {
        &self.texts
    }

    /// First name; empty where there is none, as are the other two.
    pub fn first_name(&self) -> &str {
        &self.texts[..self.last_name_at as usize]
    }

    /// Last name.
    pub fn last_name(&self) -> &str {
        &self.texts[self.last_name_at as usize..self.email_at as usize]
    }

    /// E-mail address, as written.
    pub fn email(&self) -> &str {
        &self.texts[self.email_at as usize..]
    }

    /// The e-mail as it is compared: without case.
    pub fn email_key(&self) -> Cow<'_, str> {
        lower_case(self.email())
    }

    /// A hash of that.
    pub(crate) fn email_hash(&self) -> u64 {
        xxh3_64(self.email_key().as_bytes())
    }

    /// Hash of all values. Two employees with equal hashes differ at most in the case of their e-mail.
    pub fn hash(&self) -> ValueHash {
        // All at once, which for so few bytes is much quicker than one after the other.
        let mut bytes = Vec::with_capacity(self.hr_id.as_str().len() + self.texts.len() + 64);
        let mut text = |value: &str| {
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        };
        text(self.hr_id.as_str());
        text(self.first_name());
        text(self.last_name());
        text(&self.email_key());
        for absence in &self.absences {
            // The empty key, which no item has, stands between two of them.
            text("");
            for (key, value) in absence {
                text(key);
                text(value);
            }
        }
        for date in [self.date_of_birth, self.start_date, self.termination_date] {
            let days = date.map_or(i32::MIN, |date| date.num_days_from_ce());
            bytes.extend_from_slice(&days.to_le_bytes());
        }
        bytes.push(self.auto_sync_employee.map_or(2, u8::from));
        ValueHash(xxh3_128(&bytes).to_le_bytes())
    }

    /// The fields in which two employees of one hrId differ; e-mails are compared without case.
    pub fn differences(&self, other: &Self) -> Vec<Field> {
        let differs = |field: &Field| match field {
            Field::HrId => self.hr_id != other.hr_id,
            Field::FirstName => self.first_name() != other.first_name(),
            Field::LastName => self.last_name() != other.last_name(),
            Field::Email => self.email() != other.email() && self.email_key() != other.email_key(),
            Field::DateOfBirth => self.date_of_birth != other.date_of_birth,
            Field::StartDate => self.start_date != other.start_date,
            Field::TerminationDate => self.termination_date != other.termination_date,
            Field::AutoSyncEmployee => self.auto_sync_employee != other.auto_sync_employee,
            Field::Absences => self.absences != other.absences,
        };
        Field::ALL.into_iter().filter(differs).collect()
    }

    /// A field's value as text; `None` where it is empty.
    pub fn value(&self, field: Field) -> Option<String> {
        match field {
            Field::HrId => Some(self.hr_id.to_string()),
            Field::FirstName => Some(self.first_name().to_owned()),
            Field::LastName => Some(self.last_name().to_owned()),
            Field::Email => Some(self.email().to_owned()),
            Field::DateOfBirth => self.date_of_birth.map(|date| date.to_string()),
            Field::StartDate => self.start_date.map(|date| date.to_string()),
            Field::TerminationDate => self.termination_date.map(|date| date.to_string()),
            Field::AutoSyncEmployee => self.auto_sync_employee.map(|flag| flag.to_string()),
            Field::Absences if self.absences.is_empty() => None,
            Field::Absences => Some(
                self.absences
                    .iter()
                    .map(|absence| {
                        absence
                            .values()
                            .map(String::as_str)
                            .collect::<Vec<_>>()
                            .join(" ")
                    })
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
        }
    }

    /// Whether a field has a value: the same as a [`value`](Self::value) that is not empty, without making its text.
    pub fn is_filled(&self, field: Field) -> bool {
        match field {
            Field::HrId => !self.hr_id.as_str().is_empty(),
            // By their lengths, for this is asked of everybody, and the texts stand elsewhere.
            Field::FirstName => self.last_name_at > 0,
            Field::LastName => self.email_at > self.last_name_at,
            Field::Email => self.texts.len() > self.email_at as usize,
            Field::DateOfBirth => self.date_of_birth.is_some(),
            Field::StartDate => self.start_date.is_some(),
            Field::TerminationDate => self.termination_date.is_some(),
            Field::AutoSyncEmployee => self.auto_sync_employee.is_some(),
            Field::Absences => self.value(field).is_some_and(|value| !value.is_empty()),
        }
    }
}

#[cfg(test)]
impl Employee {
    /// Gives them another first name, last name and e-mail.
    fn set_texts(&mut self, first_name: &str, last_name: &str, email: &str) {
        let other = Self::new(HrId::new(""), first_name, last_name, email);
        (self.texts, self.last_name_at, self.email_at) =
            (other.texts, other.last_name_at, other.email_at);
    }

    /// Gives them another first name.
    pub(crate) fn set_first_name(&mut self, first_name: &str) {
        let old = self.clone();
        self.set_texts(first_name, old.last_name(), old.email());
    }

    /// Gives them another last name.
    pub(crate) fn set_last_name(&mut self, last_name: &str) {
        let old = self.clone();
        self.set_texts(old.first_name(), last_name, old.email());
    }

    /// Gives them another e-mail address.
    pub(crate) fn set_email(&mut self, email: &str) {
        let old = self.clone();
        self.set_texts(old.first_name(), old.last_name(), email);
    }
}

/// Whether someone whose last day of employment was `last` is gone by `today`: that day is still one of employment, and people are kept `days_kept` longer.
pub fn has_ended(last: NaiveDate, today: NaiveDate, days_kept: u32) -> bool {
    last.checked_add_days(chrono::Days::new(days_kept.into()))
        .is_some_and(|kept| today > kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_have_the_order_of_their_texts(one in "[0-9a\0ß]{0,12}", start in 0..12usize, tail in "[0-9a\0ß]{0,4}") {
            let start: String = one.chars().take(start).collect();
            let other = start + &tail;
            prop_assert_eq!(HrId::new(&one).cmp(&HrId::new(&other)), one.cmp(&other));
        }
    }

    fn somebody() -> Employee {
        let mut somebody = Employee::new(
            HrId::new("00123"),
            "Anna",
            "Müller",
            "Anna.Mueller@example.com",
        );
        somebody.date_of_birth = NaiveDate::from_ymd_opt(1990, 4, 15);
        somebody.termination_date = NaiveDate::from_ymd_opt(2026, 10, 31);
        somebody
    }

    #[test]
    fn the_debug_form_of_an_employee_holds_no_personal_value() {
        assert_eq!(format!("{:?}", somebody()), "Employee(00123)");
    }

    #[test]
    fn a_key_loses_the_leading_zeros_of_its_numbers_and_no_others() {
        for (key, without) in [
            ("00123", "123"),
            ("123", "123"),
            ("1002", "1002"),
            ("B-00120", "B-120"),
            ("B2-001A0", "B2-1A"),
            ("000", ""),
        ] {
            assert_eq!(HrId::new(key).without_zeros(), without);
        }
    }

    #[test]
    fn the_case_of_an_email_is_no_difference() {
        let mut other = somebody();
        other.set_email("anna.mueller@EXAMPLE.com");
        assert_eq!(other.hash(), somebody().hash());
        assert!(other.differences(&somebody()).is_empty());
    }

    #[test]
    fn every_field_counts_for_the_hash_and_is_named_as_a_difference() {
        type Change = fn(&mut Employee);
        let changes: [(Field, Change); 9] = [
            (Field::HrId, |e| e.hr_id = HrId::new("123")),
            (Field::FirstName, |e| e.set_first_name("Anne")),
            (Field::LastName, |e| e.set_last_name("Muller")),
            (Field::Email, |e| e.set_email("a@example.com")),
            (Field::DateOfBirth, |e| e.date_of_birth = None),
            (Field::StartDate, |e| e.start_date = e.date_of_birth),
            (Field::TerminationDate, |e| {
                e.termination_date = e.date_of_birth;
            }),
            (Field::AutoSyncEmployee, |e| {
                e.auto_sync_employee = Some(false);
            }),
            (Field::Absences, |e| {
                e.absences
                    .extend([Absence::from([("a".into(), "b".into())])]);
            }),
        ];
        for (field, change) in changes {
            let mut other = somebody();
            change(&mut other);
            assert_ne!(other.hash(), somebody().hash(), "{field}");
            assert_eq!(other.differences(&somebody()), [field]);
            for field in Field::ALL {
                let value = other.value(field);
                assert_eq!(other.is_filled(field), value.is_some_and(|v| !v.is_empty()));
            }
        }
    }

    #[test]
    fn the_last_day_of_employment_is_still_a_day_of_employment() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d).unwrap();
        let last = somebody().termination_date.unwrap();
        let ended = |today, kept| has_ended(last, today, kept);
        assert!(!ended(NaiveDate::from_ymd_opt(2026, 10, 31).unwrap(), 0));
        assert!(ended(day(1), 0));
        assert!(!ended(day(14), 14));
        assert!(ended(day(15), 14));
    }
}
