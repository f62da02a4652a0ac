//! Invented people in place of real ones, for trying things out on JobTicket's staging system: the same hrId always gets the same person.
//!
//! Only the hrId stays as it is, and whether a value is there at all. Nothing invented depends on the value that it replaces.

use chrono::{Days, NaiveDate};
use sha2::{Digest, Sha256};

use super::employee::Employee;

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Bela", "Cora", "Dario", "Elin", "Faris", "Greta", "Hanno", "Ines", "Joris", "Kira",
    "Lasse", "Mila", "Nils", "Oda", "Pavel",
];
const LAST_NAMES: [&str; 16] = [
    "Ahornberg",
    "Birkental",
    "Dornfeld",
    "Eichgrund",
    "Fichtenau",
    "Ginsterloh",
    "Haselbach",
    "Kiefernhof",
    "Lindenfurt",
    "Moosbrunn",
    "Nussdorf",
    "Pappelstein",
    "Rebental",
    "Schilfrode",
    "Ulmenried",
    "Weidenkamp",
];

/// The invented person of an hrId.
pub fn pseudonym(employee: &Employee) -> Employee {
    let digest = Sha256::digest(format!("pseudonym {}", employee.hr_id));
    let number = |at: usize| u64::from(u16::from_le_bytes([digest[at], digest[at + 1]]));
    let pick = |names: [&'static str; 16], at: usize| names[usize::from(digest[at] % 16)];
    let day = |year: i32, most: u64, at: usize| {
        let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
        first.checked_add_days(Days::new(number(at) % most))
    };
    let number_of_six = digest[8..14]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let key = format!("{number_of_six:012x}");
    let mut invented = Employee::new(
        employee.hr_id.clone(),
        pick(FIRST_NAMES, 0),
        pick(LAST_NAMES, 1),
        &format!("{key}@example.com"),
    );
    invented.date_of_birth = employee.date_of_birth.and_then(|_| day(1960, 14_600, 2));
    invented.start_date = employee.start_date.and_then(|_| day(2010, 5_000, 4));
    // Far ahead: who is still in the roster has not left.
    invented.termination_date = employee.termination_date.and_then(|_| day(2190, 3_000, 6));
    invented.auto_sync_employee = employee.auto_sync_employee;
    invented
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::roster::HrId;

    fn somebody(hr_id: &str, name: &str, dated: bool) -> Employee {
        let date = dated.then(|| NaiveDate::from_ymd_opt(1990, 4, 15).unwrap());
        let email = format!("{name}@example.org");
        let mut somebody = Employee::new(HrId::new(hr_id), name, name, &email);
        somebody.date_of_birth = date;
        somebody.start_date = date;
        somebody.termination_date = date;
        somebody
    }

    proptest! {
        #[test]
        fn an_invented_person_depends_on_the_hr_id_alone(hr_id in "[0-9A-Z]{1,8}", one in "[a-z]{1,9}", other in "[a-z]{1,9}", dated: bool) {
            let invented = pseudonym(&somebody(&hr_id, &one, dated));
            prop_assert!(invented == pseudonym(&somebody(&hr_id, &other, dated)));
            prop_assert_eq!(invented.hr_id.as_str(), hr_id);
            prop_assert_eq!(invented.date_of_birth.is_some(), dated);
            prop_assert!(invented.email().ends_with("@example.com"));
            prop_assert!(invented.start_date.is_none_or(|start| invented.termination_date.unwrap() > start));
        }
    }

    #[test]
    fn ten_thousand_invented_people_have_ten_thousand_addresses() {
        let emails: std::collections::HashSet<String> = (0..10_000)
            .map(|number| pseudonym(&somebody(&format!("{number:05}"), "a", true)))
            .map(|invented| invented.email().to_owned())
            .collect();
        assert_eq!(emails.len(), 10_000);
    }
}
