//! Plots as what the template draws: places in a fixed box, ticks with words, and nothing of colours, which are the page's.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::Serialize;

use super::words::Words;

/// The inner box, in units of the drawing.
pub(super) const LEFT: f64 = 56.0;
pub(super) const TOP: f64 = 14.0;
pub(super) const WIDTH: f64 = 720.0;
pub(super) const HEIGHT: f64 = 190.0;

/// A mark on an axis.
#[derive(Debug, Serialize)]
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) label: String,
}

/// A bar.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) class: &'static str,
}

/// A dot; one of failure is a square, so that nobody has to tell colours apart.
#[derive(Debug, Serialize)]
pub(super) struct Dot {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) class: &'static str,
}

/// A plot over time.
#[derive(Debug, Default, Serialize)]
pub(super) struct Plot {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) x_ticks: Vec<Tick>,
    pub(super) y_ticks: Vec<Tick>,
    pub(super) path: String,
    pub(super) bars: Vec<Bar>,
    pub(super) dots: Vec<Dot>,
    pub(super) legend: Vec<(&'static str, String)>,
}

/// The two axes.
pub(super) struct Axes {
    since: DateTime<Utc>,
    seconds: f64,
    low: f64,
    high: f64,
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and seconds are far below 2^52"
)]
pub(super) fn float(number: impl TryInto<i64>) -> f64 {
    number.try_into().unwrap_or(0) as f64
}

impl Axes {
    /// Over this time, and from the lowest to the highest of these values, rounded to what people count in. Without `from_zero` the values may begin anywhere.
    pub(super) fn new(
        (since, until): (DateTime<Utc>, DateTime<Utc>),
        values: impl Iterator<Item = f64> + Clone,
        from_zero: bool,
    ) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let lowest = values.fold(f64::MAX, f64::min).min(high);
        let low = if from_zero || lowest <= high / 2.0 {
            0.0
        } else {
            lowest
        };
        let step = step((high - low).max(high / 20.0).max(1.0));
        Self {
            since,
            seconds: float((until - since).num_seconds()).max(1.0),
            low: (low / step).floor() * step,
            high: ((high / step).floor() + 1.0) * step,
        }
    }

    pub(super) fn x(&self, at: DateTime<Utc>) -> f64 {
        let passed = float((at - self.since).num_seconds());
        LEFT + WIDTH * (passed / self.seconds).clamp(0.0, 1.0)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT * (1.0 - (value - self.low) / (self.high - self.low))
    }

    /// Draws the marks of both axes.
    pub(super) fn draw(&self, words: Words, plot: &mut Plot) {
        let step = step(self.high - self.low);
        let mut value = self.low;
        while value <= self.high + step / 100.0 {
            plot.y_ticks.push(Tick {
                at: place(self.y(value)),
                label: words.number(value),
            });
            value += step;
        }
        let until = self.since + TimeDelta::milliseconds(whole(self.seconds * 1000.0));
        let mut day = self.since.with_timezone(&words.zone).date_naive();
        let days = (until - self.since).num_days().max(1);
        let months = days > 62;
        let every = (days / 8).max(1);
        let each_months = days / 31 / 12 + 1;
        let (mut passed, mut since_last) = (0, i64::MAX);
        while let Some(next) = day.succ_opt() {
            let at = day.and_time(chrono::NaiveTime::MIN).and_utc();
            if at > until {
                break;
            }
            let is_tick = if months {
                day.day() == 1 && i64::from(day.month0()) % each_months == 0
            } else {
                passed % every == 0
            };
            // The first day of the axis may stand too near to the next mark.
            if is_tick && at >= self.since && since_last >= every / 2 {
                plot.x_ticks.push(Tick {
                    at: place(self.x(at)),
                    label: if months {
                        words.month(day)
                    } else {
                        words.short_day(day)
                    },
                });
                since_last = 0;
            }
            since_last = since_last.saturating_add(1);
            passed += 1;
            day = next;
        }
    }

    /// A line of steps through these points: what was acknowledged holds until the next.
    pub(super) fn steps(&self, points: &[(DateTime<Utc>, u64)], until: DateTime<Utc>) -> String {
        let mut path = String::new();
        for (index, (at, value)) in points.iter().enumerate() {
            let (x, y) = (place(self.x(*at)), place(self.y(float(*value))));
            let _ = if index == 0 {
                write!(path, "M{x} {y}")
            } else {
                write!(path, "H{x}V{y}")
            };
        }
        if !points.is_empty() {
            let _ = write!(path, "H{}", place(self.x(until)));
        }
        path
    }

    /// A bar from one value to another, in a part of the time from a week on: `(which, of)` bars side by side.
    pub(super) fn bar(
        &self,
        week: DateTime<Utc>,
        (from, to): (f64, f64),
        (which, of): (u32, u32),
        class: &'static str,
    ) -> Bar {
        let all = WIDTH * 7.0 * 86_400.0 / self.seconds;
        let width = all * 0.8 / f64::from(of);
        let begin = self.since + (week - self.since).max(TimeDelta::zero());
        Bar {
            x: place(self.x(begin) + all * 0.1 + width * f64::from(which)),
            y: place(self.y(to)),
            width: place(width.min(LEFT + WIDTH - self.x(begin)).max(1.0)),
            height: place((self.y(from) - self.y(to)).max(0.0)),
            class,
        }
    }

    pub(super) fn dot(&self, at: DateTime<Utc>, value: f64, class: &'static str) -> Dot {
        Dot {
            x: place(self.x(at)),
            y: place(self.y(value)),
            class,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a span of time in milliseconds"
)]
fn whole(value: f64) -> i64 {
    value as i64
}

/// How far apart the marks of a range are: 1, 2 or 5 of a power of ten, for about five of them.
fn step(range: f64) -> f64 {
    let rough = (range / 5.0).max(0.2);
    let power = 10f64.powf(rough.log10().floor());
    let digit = rough / power;
    let digit = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|one| digit <= *one)
        .unwrap_or(10.0);
    (digit * power).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_people_count() {
        let whole = |range| format!("{}", step(range));
        assert_eq!(
            [1.0, 9.0, 12.0, 400.0, 2_600.0].map(whole),
            ["1", "2", "5", "100", "1000"]
        );
    }

    #[test]
    fn an_axis_holds_all_of_its_values() {
        let since = DateTime::<Utc>::UNIX_EPOCH;
        for values in [
            vec![],
            vec![0.0],
            vec![7.0],
            vec![1_000.0, 1_024.0],
            vec![0.2, 31.0],
        ] {
            let span = (since, since + TimeDelta::days(3));
            let axes = Axes::new(span, values.iter().copied(), false);
            for value in values {
                let y = axes.y(value);
                assert!((TOP..=TOP + HEIGHT).contains(&y), "{value} is at {y}");
            }
        }
    }
}
