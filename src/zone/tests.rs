//! Tests of the zones: the rules are held against `chrono-tz`, another reading of the same database.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::{OffsetName as _, TZ_VARIANTS, Tz};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The zone of this name.
pub(crate) fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn midnight(day: &str) -> DateTime<Utc> {
    let day: NaiveDate = day.parse().unwrap();
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Where both differ, for `chrono-tz` brings the database of 2025b and `jiff` that of 2026f: the zones, the day on which that begins, and the day from which they agree again. Another
/// version of either changes this list.
const NEWER: &[(&[&str], &str, &str)] = &[
    // Corrections of the past.
    (
        &[
            "America/Ensenada",
            "America/Santa_Isabel",
            "America/Tijuana",
            "Mexico/BajaNorte",
        ],
        "1970-04-26",
        "1975-10-27",
    ),
    (&["Asia/Tehran", "Iran"], "1979-05-25", "1979-05-27"),
    (&["America/Bogota"], "1992-05-02", "1992-05-04"),
    (&["Europe/Chisinau", "Europe/Tiraspol"], "2022-03-26", END),
    // Morocco stays at GMT, parts of Canada stay at summer time, Cuba does so for one winter.
    (&["Africa/Casablanca", "Africa/El_Aaiun"], "2026-09-20", END),
    (
        &[
            "America/Edmonton",
            "America/Inuvik",
            "America/Yellowknife",
            "Canada/Mountain",
        ],
        "2026-11-01",
        END,
    ),
    (
        &["America/Rainy_River", "America/Winnipeg", "Canada/Central"],
        "2026-11-01",
        END,
    ),
    (&["America/Vancouver", "Canada/Pacific"], "2026-11-01", END),
    (&["America/Havana", "Cuba"], "2026-11-01", "2027-03-15"),
];

/// Of what is compared.
const BEGIN: &str = "1970-01-01";
const END: &str = "2090-01-01";

fn is_newer(tz: Tz, at: DateTime<Utc>) -> bool {
    let day = at.date_naive().to_string();
    NEWER.iter().any(|(names, from, until)| {
        names.contains(&tz.name()) && (*from..*until).contains(&day.as_str())
    })
}

/// An offset as both have it.
type Told = (i32, String);

fn told(offset: &(impl Offset + fmt::Display)) -> Told {
    (offset.fix().local_minus_utc(), offset.to_string())
}

/// What a reading of the database says of an instant, of the local times that these offsets give it, and of their days.
fn said<T>(zone: &T, at: DateTime<Utc>, offsets: &[i32]) -> (Vec<Told>, Vec<MappedLocalTime<Told>>)
where
    T: TimeZone<Offset: fmt::Display>,
{
    let at = at.naive_utc();
    let here = [
        zone.offset_from_utc_datetime(&at),
        zone.offset_from_utc_date(&at.date()),
    ];
    let there = offsets.iter().flat_map(|offset| {
        let local = at + TimeDelta::seconds((*offset).into());
        [
            zone.offset_from_local_datetime(&local),
            zone.offset_from_local_date(&local.date()),
        ]
    });
    let there = there.map(|found| found.map(|offset| told(&offset)));
    (here.iter().map(told).collect(), there.collect())
}

/// The changes of a zone in `[from, to)`, of the offset or of its abbreviation, as `chrono-tz` has them. It does not tell them: two within a week that cancel out are not found.
fn changes(tz: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let holds = |at: DateTime<Utc>| {
        let offset = tz.offset_from_utc_datetime(&at.naive_utc());
        (offset.fix(), offset.abbreviation().map(str::to_owned))
    };
    let mut found = Vec::new();
    let (mut at, mut now) = (from, holds(from));
    while at < to {
        let next = at + TimeDelta::days(7);
        let then = holds(next);
        if then != now {
            let (mut before, mut after) = (at, next);
            while after - before > TimeDelta::seconds(1) {
                let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                if holds(middle) == now {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            found.push(after);
        }
        (at, now) = (next, then);
    }
    found
}

/// The same as our rules have them.
fn ours(zone: Zone, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let following = zone.0.zone.following(timestamp(from.timestamp()));
    following
        .map(|change| DateTime::from_timestamp(change.timestamp().as_second(), 0).unwrap())
        .take_while(|at| *at < to)
        .collect()
}

/// Any zone of `chrono-tz`.
fn any_zone() -> impl Strategy<Value = Tz> {
    any::<Index>().prop_map(|index| *index.get(&TZ_VARIANTS))
}

#[test]
fn all_changes_of_all_zones_from_1970_to_2090_are_to_the_second_those_of_another_reading() {
    let (from, to) = (midnight(BEGIN), midnight(END));
    let mut newer = BTreeMap::new();
    for tz in TZ_VARIANTS {
        let zone = zone(tz.name());
        let mut all: BTreeSet<_> = changes(tz, from, to).into_iter().collect();
        all.extend(ours(zone, from, to));
        for change in all {
            let around = [change - TimeDelta::days(1), change + TimeDelta::days(1)];
            let offsets = around.map(|at| told(&tz.offset_from_utc_datetime(&at.naive_utc())).0);
            for second in -1..=1 {
                let at = change + TimeDelta::seconds(second);
                let (theirs, ours) = (said(&tz, at, &offsets), said(&zone, at, &offsets));
                if theirs != ours {
                    assert!(is_newer(tz, at), "{tz}, {at}: {ours:?} and not {theirs:?}");
                    newer
                        .entry(tz.name())
                        .or_insert(at.date_naive().to_string());
                }
            }
        }
    }
    // And the list of what is newer has nothing in it that is not so.
    let listed = NEWER
        .iter()
        .flat_map(|(names, from, _)| names.iter().map(move |name| (*name, (*from).to_owned())));
    assert_eq!(newer, listed.collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn at_any_second_from_1970_to_2090_any_zone_says_what_another_reading_says(
        tz in any_zone(),
        second in 0..3_786_912_000i64,
        other in -50_400..=50_400i32,
    ) {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        prop_assume!(!is_newer(tz, at - TimeDelta::days(1)) && !is_newer(tz, at + TimeDelta::days(1)));
        let zone = zone(tz.name());
        let offsets = [told(at.with_timezone(&tz).offset()).0, other];
        prop_assert_eq!(said(&zone, at, &offsets), said(&tz, at, &offsets));
        let formatted = at.with_timezone(&zone).format("%F %T %Z %:z").to_string();
        prop_assert_eq!(formatted, at.with_timezone(&tz).format("%F %T %Z %:z").to_string());
    }

    #[test]
    fn no_time_that_chrono_knows_makes_it_panic(
        tz in any_zone(),
        second in NaiveDateTime::MIN.and_utc().timestamp()..=NaiveDateTime::MAX.and_utc().timestamp(),
        nanos in 0..2_000_000_000u32,
    ) {
        let at = DateTime::from_timestamp(second, 0).unwrap().with_nanosecond(nanos);
        for at in [at.unwrap_or(DateTime::<Utc>::MIN_UTC), DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let zone = zone(tz.name());
            let (here, there) = said(&zone, at, &[0]);
            prop_assert!(here.iter().all(|(seconds, name)| seconds.abs() < 86_400 && !name.is_empty()));
            prop_assert_eq!(there.len(), 2);
            prop_assert_eq!(at.with_timezone(&zone).to_utc(), at);
            let _ = zone.from_local_datetime(&at.naive_utc());
        }
    }
}

#[test]
fn every_name_of_the_other_reading_is_one_here_and_nothing_else_is_nor_is_it_in_another_case() {
    for tz in TZ_VARIANTS {
        assert_eq!(zone(tz.name()).name(), tz.name());
        assert_eq!(zone(tz.name()).to_string(), tz.to_string());
    }
    let bundled = TimeZoneDatabase::bundled();
    let theirs: BTreeSet<_> = TZ_VARIANTS.iter().map(|tz| tz.name().to_owned()).collect();
    let more = bundled.available().map(|name| name.to_string());
    let more: Vec<String> = more.filter(|name| !theirs.contains(name)).collect();
    assert_eq!(more, [UNSET]);
    for name in [
        UNSET,
        "",
        "Europe/berlin",
        "utc",
        "Etc/Unknown",
        "Local",
        "CET-1CEST",
        "+01:00",
        "../Berlin",
        "Europe/Berlin ",
    ] {
        assert_eq!(name.parse::<Zone>(), Err(UnknownZone), "{name}");
    }
}

#[test]
fn a_name_that_is_none_takes_no_memory() {
    assert_eq!("Europe/Bielefeld".parse::<Zone>(), Err(UnknownZone));
    let kept = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(kept.iter().all(|rules| rules.name != "Europe/Bielefeld"));
}

#[test]
fn berlin_comes_with_the_program_and_a_zone_is_equal_to_itself_alone() {
    let berlin = Zone::berlin();
    assert_eq!(berlin.name(), "Europe/Berlin");
    assert_eq!(berlin, zone("Europe/Berlin"));
    assert_ne!(berlin, zone("Europe/Paris"));
    let at = midnight("2026-07-01").with_timezone(&berlin);
    assert_eq!(
        at.format("%F %T %Z").to_string(),
        "2026-07-01 02:00:00 CEST"
    );
    assert_eq!(at.timezone(), berlin);
}

#[test]
fn no_zone_of_the_database_is_a_day_away_from_utc() {
    for name in TimeZoneDatabase::bundled().available() {
        let Ok(zone) = name.as_str().parse::<Zone>() else {
            continue;
        };
        let changes = zone
            .0
            .zone
            .following(Timestamp::MIN)
            .map(|change| change.timestamp().as_second());
        let changes = changes.take_while(|at| *at < midnight(END).timestamp());
        for at in changes.chain([i64::MIN, i64::MAX]) {
            assert!(zone.seconds_at(at).abs() < 86_400, "{zone}");
        }
    }
}
