//! Tests of which two files are read together.

use chrono::TimeZone;

use super::*;
use crate::config::{AbsenceColumns, AbsenceFile, NewestBy, Texts};
use crate::source::intake::tests::source;

fn paired() -> Source {
    let mut source = source("roster_*.csv");
    let column = |name: &str| Texts(vec![name.to_owned()]);
    source.fields.absences = Some(AbsenceColumns {
        list: None,
        file: Some(AbsenceFile {
            pattern: "absences_*.csv".into(),
            newest_by: NewestBy::Modified,
            hr_id: None,
            table: None,
        }),
        kind: column("Art"),
        only: column("Elternzeit"),
        texts: [("type".to_owned(), column("Art"))].into(),
        dates: std::collections::BTreeMap::new(),
    });
    source
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 5, 15, 0).unwrap()
}

/// A file that was written so many hours ago.
fn file(name: &str, hours: i64) -> Entry {
    Entry {
        name: name.into(),
        size: 3,
        modified: now() - chrono::Duration::hours(hours),
    }
}

fn taken(roster: &Entry, absences: &Entry) -> Taken {
    let mut taken = Taken::new(roster, None, "r".into());
    taken.absences = Some(Box::new(Taken::new(absences, None, "a".into())));
    taken
}

/// What is chosen, in words.
fn chosen(entries: &[Entry], last: Option<&Taken>) -> String {
    let source = paired();
    match Files::of(&source).choose(entries, last, now(), Zone::berlin(), None) {
        Ok(Chosen::Read { roster, absences }) => {
            format!("{} and {}", roster.entry.name, absences.unwrap().entry.name)
        }
        Ok(Chosen::NotYet { name, why }) => format!("not yet {name}: {why}"),
        Ok(Chosen::NoneNewer { there: None, .. }) => "none newer".into(),
        Ok(Chosen::NoneNewer { there: Some(_), .. }) => "those taken last".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_newest_of_each_are_read_together_however_old_they_are_among_each_other() {
    let (roster, absences) = (file("roster_1.csv", 30), file("absences_1.csv", 20));
    let both = [roster.clone(), absences.clone()];
    let last = taken(&roster, &absences);
    assert_eq!(chosen(&both, None), "roster_1.csv and absences_1.csv");
    assert_eq!(
        chosen(&both, Some(&last)),
        "roster_1.csv and absences_1.csv"
    );
    let newer = [both.as_slice(), &[file("roster_2.csv", 1)]].concat();
    assert_eq!(
        chosen(&newer, Some(&last)),
        "roster_2.csv and absences_1.csv"
    );
    let newer = [both.as_slice(), &[file("absences_2.csv", 1)]].concat();
    assert_eq!(
        chosen(&newer, Some(&last)),
        "roster_1.csv and absences_2.csv"
    );
}

#[test]
fn neither_is_read_without_the_other() {
    let (roster, absences) = (file("roster_1.csv", 30), file("absences_1.csv", 30));
    let last = taken(&roster, &absences);
    let alone = |name: &str| chosen(&[file(name, 1)], Some(&last));
    assert_eq!(
        alone("roster_2.csv"),
        "not yet roster_2.csv: no file of absences (absences_*.csv) is there to go with it"
    );
    assert_eq!(
        alone("absences_2.csv"),
        "not yet absences_2.csv: no roster (roster_*.csv) is there to go with it"
    );
    assert!(alone("absences_2.csv.part").starts_with("not yet absences_2.csv.part: its name"));
    assert!(chosen(&[file("roster_1.csv", 1)], None).contains("matches absences_*.csv"));
    assert!(chosen(&[file("absences_1.csv", 1)], None).contains("matches roster_*.csv"));
    // Where one has gone, nothing has come.
    assert_eq!(chosen(&[], Some(&last)), "none newer");
    assert_eq!(chosen(&[roster], Some(&last)), "those taken last");
    assert_eq!(chosen(&[absences], Some(&last)), "those taken last");
}

#[test]
fn either_fails_both_where_it_is_stale_or_could_be_the_other() {
    let stale = [file("roster_1.csv", 1), file("absences_1.csv", 40)];
    assert!(chosen(&stale, None).starts_with("The file absences_1.csv is stale"));
    let stale = [file("roster_1.csv", 40), file("absences_1.csv", 1)];
    assert!(chosen(&stale, None).starts_with("The file roster_1.csv is stale"));
    let mut source = paired();
    source.pattern = "*_roster.csv".into();
    let entries = [file("absences_roster.csv", 1), file("a_roster.csv", 2)];
    let error = source.fields.absences.as_mut().unwrap();
    error.file.as_mut().unwrap().pattern = "absences_*.csv".into();
    let error = Files::of(&source).choose(&entries, None, now(), Zone::berlin(), None);
    assert!(
        matches!(error, Err(IntakeError::Either { name, .. }) if name == "absences_roster.csv")
    );
}

#[test]
fn what_was_taken_and_tried_before_there_were_absences_still_loads() {
    let old = r#"{"name":"roster_1.csv","size":3,"modified":"2026-11-22T05:15:00Z","dated":null,"sha256":"r"}"#;
    let taken = Taken::from_text(old).unwrap();
    assert_eq!(
        (taken.names().as_str(), taken.absences.as_ref()),
        ("roster_1.csv", None)
    );
    assert_eq!(Taken::from_text(&taken.to_text()), Some(taken.clone()));
    let seen: Seen = serde_json::from_str(
        r#"{"name":"roster_1.csv","size":3,"modified":"2026-11-22T05:15:00Z"}"#,
    )
    .unwrap();
    assert!(taken.is_seen(&seen));
    let seen = Seen {
        absences: Some(file("absences_1.csv", 1)),
        ..seen
    };
    assert!(!taken.is_seen(&seen));
    let text = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), seen);
}

#[test]
fn a_new_file_of_absences_is_a_delivery_and_no_other_day_without_somebody() {
    let (roster, absences) = (file("roster_1.csv", 30), file("absences_1.csv", 30));
    let first = taken(&roster, &absences);
    let mut second = first.clone();
    assert!(second.says_the_same(&first));
    second.absences = Some(Box::new(Taken::new(&absences, None, "b".into())));
    assert!(!second.says_the_same(&first));
    assert_eq!(second.counts_as(), first.counts_as());
    second.absences = None;
    assert!(!second.says_the_same(&first));
}
