//! An employee with the hash of their values. Everybody is compared with the snapshot several times a run, and their values stand far from each other in memory; so the
//! hash is made once, while they are at hand.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::employee::{Employee, ValueHash};

/// Such an employee. Values change through [`edit`](Self::edit) alone, so that no hash is that of other values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    employee: Employee,
    hash: ValueHash,
    email_hash: u64,
}

impl Hashed {
    /// The hash of the values as they are.
    pub fn hash(&self) -> ValueHash {
        self.hash
    }

    /// That of the e-mail alone, by which the few that may be the same are found.
    pub(crate) fn email_hash(&self) -> u64 {
        self.email_hash
    }

    /// Changes values.
    pub fn edit(&mut self, change: impl FnOnce(&mut Employee)) {
        change(&mut self.employee);
        self.hash = self.employee.hash();
        self.email_hash = self.employee.email_hash();
    }
}

impl From<Employee> for Hashed {
    fn from(employee: Employee) -> Self {
        Self {
            hash: employee.hash(),
            email_hash: employee.email_hash(),
            employee,
        }
    }
}

impl Deref for Hashed {
    type Target = Employee;

    fn deref(&self) -> &Employee {
        &self.employee
    }
}

/// The hash is not written: it follows from the values.
impl Serialize for Hashed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.employee.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hashed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Employee::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::HrId;

    #[test]
    fn the_hash_is_that_of_the_values_however_they_came_to_be() {
        let mut hashed = Hashed::from(Employee::new(HrId::new("1"), "Ada", "Berg", "a@b.example"));
        let before = hashed.hash();
        hashed.edit(|employee| employee.hr_id = HrId::new("2"));
        assert_ne!(hashed.hash(), before);
        assert_eq!(hashed.hash(), Employee::clone(&hashed).hash());
        hashed.edit(|employee| employee.set_email("C@B.example"));
        assert_eq!(hashed, Hashed::from(Employee::clone(&hashed)));
        let text = serde_json::to_string(&hashed).unwrap();
        assert_eq!(text, serde_json::to_string(&*hashed).unwrap());
        assert_eq!(serde_json::from_str::<Hashed>(&text).unwrap(), hashed);
    }
}
