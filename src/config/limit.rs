//! A limit: how many of the whole go unasked.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use super::limits::Window;
use super::problem::Problems;

/// A number of rows or people: a share of all, never less than a floor and, where given, never more than a count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limit {
    /// Percent of the whole.
    pub percent: f64,
    /// The most, whatever the percentage gives.
    pub count: Option<u64>,
    /// The least, whatever the percentage gives.
    pub at_least: u64,
}

impl Limit {
    /// The number that is still allowed of `whole`: `max(at_least, min(count, percent of whole))`, rounded down.
    pub fn allowed(&self, whole: u64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "headcounts are far below 2^52")]
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a headcount, checked to be 0 to 100 percent"
        )]
        let share = (whole as f64 * self.percent / 100.0 + 1e-9).floor() as u64;
        self.at_least
            .max(self.count.map_or(share, |count| count.min(share)))
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct LimitKeys {
    percent: Percent,
    #[deserr(default)]
    count: Option<u64>,
    at_least: u64,
}

impl Deserr<Problems> for Limit {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let LimitKeys {
            percent: Percent(percent),
            count,
            at_least,
        } = LimitKeys::deserialize_from_value(value, at)?;
        Ok(Self {
            percent,
            count,
            at_least,
        })
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct WindowKeys {
    days: u32,
    percent: Percent,
    #[deserr(default)]
    count: Option<u64>,
    at_least: u64,
}

impl Deserr<Problems> for Window {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let WindowKeys {
            days,
            percent: Percent(percent),
            count,
            at_least,
        } = WindowKeys::deserialize_from_value(value, at)?;
        if !(1..=366).contains(&days) {
            return Err(Problems::one(at, "days is from 1 to 366"));
        }
        Ok(Self {
            days,
            limit: Limit {
                percent,
                count,
                at_least,
            },
        })
    }
}

/// A percentage: whole or with a fraction, 0 to 100.
struct Percent(f64);

impl Deserr<Problems> for Percent {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "anything over 100 is refused below"
        )]
        let number = match value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => return Err(Problems::one(at, "Expected a percentage from 0 to 100")),
        };
        if (0.0..=100.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Problems::one(at, "A percentage is from 0 to 100"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_share_between_a_floor_and_a_count() {
        let limit = Limit {
            percent: 5.0,
            count: Some(10),
            at_least: 2,
        };
        assert_eq!(limit.allowed(0), 2);
        assert_eq!(limit.allowed(40), 2);
        assert_eq!(limit.allowed(59), 2);
        assert_eq!(limit.allowed(60), 3);
        assert_eq!(limit.allowed(200), 10);
        assert_eq!(limit.allowed(100_000), 10);
        assert_eq!(
            Limit {
                percent: 50.0,
                count: None,
                at_least: 10
            }
            .allowed(100),
            50
        );
        assert_eq!(
            Limit {
                percent: 0.1,
                count: None,
                at_least: 0
            }
            .allowed(1000),
            1
        );
    }
}
