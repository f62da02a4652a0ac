//! Tests of the choice of a file.

use chrono::{Duration, NaiveDate, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::config::{After, Fields, Limit, SourceType, TableConfig, Texts};

/// A source of a pattern, complete by renaming, newest by time of modification.
pub(crate) fn source(pattern: &str) -> Source {
    let column = |name: &str| Texts(vec![name.to_owned()]);
    Source {
        name: "hr".into(),
        kind: SourceType::CsvDrop,
        host: None,
        port: None,
        user: None,
        host_keys: None,
        auth: None,
        timeouts: None,
        folder: "/srv/drop".into(),
        pattern: pattern.into(),
        newest_by: NewestBy::Modified,
        ready: Ready::Rename,
        watch: false,
        max_age_hours: Some(36),
        after: After::Keep,
        archive_keep_days: None,
        decrypt: None,
        table: TableConfig::default(),
        id_prefix: None,
        fields: Fields {
            hr_id: column("PersNr"),
            first_name: column("Vorname"),
            last_name: column("Nachname"),
            email: column("E-Mail"),
            date_of_birth: None,
            start_date: None,
            termination_date: None,
            auto_sync_employee: None,
            absences: None,
        },
        include: Vec::new(),
        exclude: Vec::new(),
        invalid_rows: Limit {
            percent: 5.0,
            count: None,
            at_least: 3,
        },
        rest: None,
    }
}

fn dated() -> Source {
    Source {
        newest_by: NewestBy::NameDate("roster_%Y%m%d.csv".into()),
        ..source("roster_*.csv")
    }
}

/// Monday, 23 November 2026, 07:00 in Berlin.
fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 6, 0, 0).unwrap()
}

fn file(name: &str, minutes_ago: i64) -> Entry {
    Entry {
        name: name.into(),
        size: 100,
        modified: now() - Duration::minutes(minutes_ago),
    }
}

fn taken(name: &str, minutes_ago: i64, dated: Option<(i32, u32, u32)>) -> Taken {
    let day = dated.and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
    let entry = file(name, minutes_ago);
    let dated = day.and_then(|day| day.and_hms_opt(0, 0, 0));
    Taken::new(&entry, dated, String::new())
}

fn chosen(entries: &[Entry], source: &Source, last: Option<&Taken>) -> Result<String, String> {
    match choose(entries, source, last, now(), Zone::berlin(), None) {
        Ok(Choice::Take { entry, .. }) => Ok(entry.name),
        Ok(Choice::NoneNewer { .. }) => Ok("none newer".into()),
        Ok(Choice::NotYet { name, why }) => Ok(format!("not yet: {name}: {why}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_newest_by_time_is_taken() {
    let entries = [
        file("roster_b.csv", 60),
        file("roster_a.csv", 10),
        file("delta_c.csv", 1),
    ];
    assert_eq!(
        chosen(&entries, &source("roster_*.csv"), None).unwrap(),
        "roster_a.csv"
    );
}

#[test]
fn the_newest_by_date_in_the_name_is_taken_even_if_written_earlier() {
    let entries = [
        file("roster_20261122.csv", 5),
        file("roster_20261123.csv", 300),
    ];
    let choice = choose(&entries, &dated(), None, now(), Zone::berlin(), None).unwrap();
    let day = NaiveDate::from_ymd_opt(2026, 11, 23).and_then(|day| day.and_hms_opt(0, 0, 0));
    assert_eq!(
        choice,
        Choice::Take {
            entry: entries[1].clone(),
            dated: day
        }
    );
}

#[test]
fn two_files_that_are_equally_new_are_an_error() {
    let error = chosen(
        &[file("roster_a.csv", 5), file("roster_b.csv", 5)],
        &source("roster_*"),
        None,
    );
    let error = error.unwrap_err();
    assert!(
        error.contains("roster_a.csv") && error.contains("roster_b.csv"),
        "{error}"
    );
}

#[test]
fn a_name_without_a_readable_date_or_with_a_future_one_is_an_error() {
    let entries = [file("roster_20261123.csv", 5), file("roster_new.csv", 900)];
    assert!(
        chosen(&entries, &dated(), None)
            .unwrap_err()
            .contains("roster_new.csv has no date")
    );
    assert_eq!(
        chosen(&[file("roster_20261124.csv", 5)], &dated(), None).unwrap(),
        "roster_20261124.csv"
    );
    assert!(
        chosen(&[file("roster_20261125.csv", 5)], &dated(), None)
            .unwrap_err()
            .contains("future")
    );
    assert!(
        chosen(&[file("roster_a.csv", -3000)], &source("roster_*"), None)
            .unwrap_err()
            .contains("future")
    );
}

#[test]
fn a_newer_file_in_progress_is_waited_for_and_an_older_one_ignored() {
    let source = source("roster_*.csv");
    let newer = [file("roster_a.csv", 60), file("roster_b.csv.part", 5)];
    assert!(
        chosen(&newer, &source, None)
            .unwrap()
            .starts_with("not yet: roster_b.csv.part")
    );
    let older = [file("roster_a.csv", 60), file(".roster_b.csv", 90)];
    assert_eq!(chosen(&older, &source, None).unwrap(), "roster_a.csv");
    let last = taken("roster_z.csv", 30, None);
    assert_eq!(
        chosen(&older[1..], &source, Some(&last)).unwrap(),
        "none newer"
    );
    let by_name = [
        file("roster_20261122.csv", 5),
        file("roster_20261123.csv.tmp", 50),
    ];
    assert!(
        chosen(&by_name, &dated(), None)
            .unwrap()
            .starts_with("not yet: roster_20261123.csv.tmp")
    );
}

#[test]
fn a_marker_has_to_lie_beside_the_newest_and_be_no_older() {
    let source = Source {
        ready: Ready::Marker("{name}.done".into()),
        ..source("roster_*")
    };
    let a = [file("roster_a.csv", 60), file("roster_a.csv.done", 60)];
    assert_eq!(chosen(&a, &source, None).unwrap(), "roster_a.csv");
    let b = [a.to_vec(), vec![file("roster_b.csv", 5)]].concat();
    assert!(
        chosen(&b, &source, None)
            .unwrap()
            .contains("roster_b.csv: its marker roster_b.csv.done is missing")
    );
    let rewritten = [file("roster_a.csv", 5), file("roster_a.csv.done", 60)];
    assert!(
        chosen(&rewritten, &source, None)
            .unwrap()
            .contains("older than the file")
    );
    let last = taken("roster_a.csv", 60, None);
    let cleared = chosen(&a[..1], &source, Some(&last));
    assert_eq!(cleared.unwrap(), "none newer");
    assert!(
        chosen(&a[1..], &source, None)
            .unwrap_err()
            .contains("1 markers")
    );
}

#[test]
fn a_file_rests_before_it_is_taken() {
    let source = Source {
        ready: Ready::QuietSeconds(120),
        ..source("roster_*")
    };
    assert_eq!(
        chosen(&[file("roster_a", 2)], &source, None).unwrap(),
        "roster_a"
    );
    for minutes in [1, 0, -1, -5000] {
        let choice = chosen(
            &[file("roster_a", minutes), file("roster_b", 6000)],
            &source,
            None,
        );
        assert!(
            choice.unwrap().starts_with("not yet: roster_a"),
            "{minutes}"
        );
    }
}

#[test]
fn a_file_older_than_the_last_is_an_error_and_the_last_itself_is_taken_again() {
    let last = taken("roster_20261123.csv", 60, Some((2026, 11, 23)));
    let same = [file("roster_20261123.csv", 60)];
    assert_eq!(
        chosen(&same, &dated(), Some(&last)).unwrap(),
        "roster_20261123.csv"
    );
    let older = [file("roster_20261122.csv", 5)];
    let error = chosen(&older, &dated(), Some(&last)).unwrap_err();
    assert!(
        error.contains("its name bears an earlier date than roster_20261123.csv"),
        "{error}"
    );
    let all = [
        older.to_vec(),
        same.to_vec(),
        vec![file("roster_20261121.csv.part", 5)],
    ]
    .concat();
    let superseded = superseded(&all, &dated(), &last, now()).unwrap();
    assert_eq!(superseded, [&older[0]]);
}

#[test]
fn an_empty_folder_is_an_error_only_where_nothing_was_taken_before() {
    let source = source("roster_*.csv");
    assert_eq!(
        chosen(&[], &source, Some(&taken("roster_a.csv", 60, None))).unwrap(),
        "none newer"
    );
    let error = chosen(
        &[file("ROSTER_A.CSV", 1), file("notes.txt", 1)],
        &source,
        None,
    )
    .unwrap_err();
    assert!(
        error.starts_with(
            "No file in /srv/drop matches roster_*.csv: it holds 2 other files (1 with a name"
        ),
        "{error}"
    );
    assert!(!error.contains("notes"));
}

#[test]
fn an_empty_newest_file_is_an_error() {
    let empty = Entry {
        size: 0,
        ..file("roster_a.csv", 1)
    };
    assert!(
        chosen(&[empty, file("roster_b.csv", 9)], &source("roster_*"), None)
            .unwrap_err()
            .contains("0 bytes")
    );
}

#[test]
fn a_file_is_stale_by_the_older_of_its_name_and_its_time() {
    let hours = |hours: i64| hours * 60;
    assert!(chosen(&[file("roster_a", hours(36))], &source("roster_*"), None).is_ok());
    let error = chosen(
        &[file("roster_a", hours(36) + 1)],
        &source("roster_*"),
        None,
    )
    .unwrap_err();
    assert!(error.contains("is stale: it is 36 hours old"), "{error}");
    // Midnight of the 22nd is 31 hours ago, that of the 21st 55 hours, however late it was copied.
    assert!(chosen(&[file("roster_20261122.csv", 1)], &dated(), None).is_ok());
    assert!(
        chosen(&[file("roster_20261121.csv", 1)], &dated(), None)
            .unwrap_err()
            .contains("55 hours old")
    );
    assert!(chosen(&[file("roster_20261123.csv", hours(40))], &dated(), None).is_err());
    let last = taken("roster_a", hours(37), None);
    assert!(
        last.check_age(&source("roster_*"), now(), Zone::berlin(), None)
            .is_err()
    );
    assert!(
        last.check_age(
            &Source {
                max_age_hours: None,
                ..source("roster_*")
            },
            now(),
            Zone::berlin(),
            None
        )
        .is_ok()
    );
}

#[test]
fn what_was_taken_is_stored_and_read_back() {
    let last = taken("roster_20261123.csv", 60, Some((2026, 11, 23)));
    let stored = serde_json::to_string(&last).unwrap();
    assert_eq!(serde_json::from_str::<Taken>(&stored).unwrap(), last);
}

proptest! {
    /// Whatever lies in the folder, a file is taken only if it is complete and nothing is newer.
    #[test]
    fn what_is_taken_is_complete_and_the_newest(
        files in proptest::collection::btree_map("roster_[a-d](\\.csv|\\.csv\\.part|\\.csv\\.done|)", 0i64..5, 0..8),
        marker: bool,
    ) {
        let ready = if marker { Ready::Marker("{name}.done".into()) } else { Ready::Rename };
        let source = Source { ready, ..source("roster_*.csv") };
        let entries: Vec<_> = files.iter().map(|(name, minutes)| file(name, *minutes)).collect();
        if let Ok(Choice::Take { entry, .. }) = choose(&entries, &source, None, now(), Zone::berlin(), None) {
            let is_roster = |name: &str| matches!(name.split_once('.'), Some((_, "csv")));
            let is_coming = |name: &str| matches!(name.split_once('.'), Some((_, "csv.part")));
            prop_assert!(is_roster(&entry.name));
            let its_marker = format!("{}.done", entry.name);
            prop_assert!(!marker || files.contains_key(&its_marker));
            for other in entries.iter().filter(|other| is_roster(&other.name) || is_coming(&other.name)) {
                prop_assert!(other.name == entry.name || other.modified < entry.modified);
            }
        }
    }
}

#[test]
fn a_signed_file_under_another_name_is_no_other_delivery() {
    let at = |name: &str, day: u32, signed: Option<&str>| Taken {
        signed: signed.map(|time| time.parse().unwrap()),
        dated: chrono::NaiveDate::from_ymd_opt(2026, 11, day)
            .and_then(|day| day.and_hms_opt(0, 0, 0)),
        ..Taken::new(
            &Entry {
                name: name.to_owned(),
                size: 1,
                modified: DateTime::UNIX_EPOCH,
            },
            None,
            "sha".to_owned(),
        )
    };
    let signed = Some("2026-11-20T05:00:00Z");
    let first = at("roster_20261120.csv.gpg", 20, signed).counts_as();
    assert_eq!(at("roster_20261121.csv.gpg", 21, signed).counts_as(), first);
    let anew = Some("2026-11-21T05:00:00Z");
    assert_ne!(at("roster_20261121.csv.gpg", 21, anew).counts_as(), first);
    let clear = at("roster_20261120.csv", 20, None).counts_as();
    assert_ne!(at("roster_20261121.csv", 21, None).counts_as(), clear);
}
