//! The chain under every manipulation.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::super::breaks::Kind;
use super::super::{AuditFile, Ends, Event, Head, Values, Why, compose};
use super::{Against, Verified};

/// A log of three files of ten lines each, the first two packed, and where it ends.
struct Log {
    folder: tempfile::TempDir,
    heads: Vec<Head>,
}

fn event(seq: u64, salt: &str) -> (Event, Values) {
    if seq.is_multiple_of(3) {
        let event = Event::RowIncomplete {
            source: salt.to_owned(),
            row: seq,
            hr_id: format!("{seq:05}"),
            field: "email".to_owned(),
        };
        return (
            event,
            vec![("lastName.new".to_owned(), format!("Beispiel {seq}"))],
        );
    }
    (
        Event::PushUnsettled {
            sync_id: format!("{salt}-{seq}"),
        },
        Values::new(),
    )
}

impl Log {
    fn of(salt: &str, mut change: impl FnMut(u64) -> Option<Event>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut head = Head {
            seq: 0,
            hash: String::new(),
        };
        let mut heads = Vec::new();
        let mut texts = vec![String::new(); 3];
        for seq in 1..=30 {
            let (event, values) =
                change(seq).map_or_else(|| event(seq, salt), |event| (event, Values::new()));
            let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(seq).unwrap());
            let line = compose(
                &mut head,
                time,
                Some("acme"),
                None,
                &event,
                &values,
                [7; 16],
            );
            let file = usize::try_from((seq - 1) / 10).unwrap();
            texts[file] += &(line.text + "\n");
            heads.push(head.clone());
        }
        let log = Self { folder, heads };
        for (number, text) in texts.iter().enumerate() {
            log.write(number, text);
        }
        log
    }

    fn new() -> Self {
        Self::of("a", |_| None)
    }

    fn path(&self, number: usize) -> PathBuf {
        let name = [
            "audit.jsonl.1970-01.0000000001-0000000010.gz",
            "audit.jsonl.1970-01.0000000011-0000000020.gz",
            "audit.jsonl",
        ];
        self.folder.path().join(name[number])
    }

    fn read(&self, number: usize) -> String {
        let mut text = String::new();
        let file = fs::File::open(self.path(number)).unwrap();
        if number == 2 {
            return std::io::read_to_string(file).unwrap();
        }
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    }

    fn write(&self, number: usize, text: &str) {
        if number == 2 {
            return fs::write(self.path(2), text).unwrap();
        }
        let mut packed = GzEncoder::new(
            fs::File::create(self.path(number)).unwrap(),
            Compression::fast(),
        );
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
    }

    /// Changes the lines of a file.
    fn edit(&self, number: usize, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines: Vec<String> = self.read(number).lines().map(str::to_owned).collect();
        change(&mut lines);
        self.write(number, &(lines.join("\n") + "\n"));
    }

    fn checked(&self, heads: &[Head]) -> Verified {
        let look = log(self.folder.path()).look().unwrap();
        let against = Against {
            ends: ends(&self.heads[29]),
            heads: heads.to_vec(),
        };
        super::verify(look, &against).unwrap()
    }

    fn kinds(&self) -> Vec<Kind> {
        let breaks = self.checked(&[]).breaks.into_iter();
        breaks.map(|found| found.kind).collect()
    }

    /// The only break: file, line in it, kind.
    #[track_caller]
    fn break_of(&self) -> (usize, u64, Kind) {
        let found = self.checked(&[]).breaks;
        assert_eq!(found.len(), 1, "{found:?}");
        let number = (0..3)
            .find(|number| self.path(*number).ends_with(&found[0].file))
            .unwrap();
        (number, found[0].line, found[0].kind.clone())
    }
}

fn ends(head: &Head) -> Ends {
    Ends {
        heads: vec![head.clone()],
        ..Ends::default()
    }
}

fn log(folder: &Path) -> AuditFile {
    AuditFile::new(folder.join("audit.jsonl"))
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let log = Log::new();
    let checked = log.checked(&[log.heads[4].clone(), log.heads[29].clone()]);
    assert_eq!(checked.breaks, []);
    assert_eq!(
        (checked.files, checked.lines, checked.first, checked.last),
        (3, 30, 1, 30)
    );
    assert_eq!(checked.hash, log.heads[29].hash);
}

#[test]
fn a_changed_byte_shows_wherever_it_is() {
    for (number, line) in [(0, 0), (0, 3), (1, 9), (2, 4)] {
        let log = Log::new();
        log.edit(number, |lines| {
            lines[line] = lines[line].replace("acme", "acne");
        });
        let seq = u64::try_from(number * 10 + line + 1).unwrap();
        assert_eq!(log.break_of().2, Kind::Changed { seq }, "{number} {line}");
    }
    // The last line has none behind it; the store shows it.
    let log = Log::new();
    log.edit(2, |lines| lines[9] = lines[9].replace("acme", "acne"));
    assert_eq!(log.break_of(), (2, 10, Kind::OtherEnd { seq: 30 }));
}

#[test]
fn every_single_byte_of_a_line_counts() {
    let text = Log::new().read(2);
    let second = text.lines().nth(1).unwrap();
    let begin = text.find(second).unwrap();
    for at in begin..begin + second.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let log = Log::new();
        fs::write(log.path(2), bytes).unwrap();
        assert_ne!(
            log.checked(&[]).breaks,
            [],
            "byte {} of the line",
            at - begin
        );
    }
}

#[test]
fn a_removed_line_shows() {
    let log = Log::new();
    log.edit(1, |lines| drop(lines.remove(4)));
    assert_eq!(
        log.break_of(),
        (1, 5, Kind::LinesMissing { from: 15, to: 15 })
    );
}

#[test]
fn swapped_and_repeated_lines_show() {
    let log = Log::new();
    log.edit(0, |lines| lines.swap(4, 5));
    assert_eq!(log.break_of().2, Kind::Swapped { seq: 5 });
    let log = Log::new();
    log.edit(0, |lines| lines.insert(4, lines[3].clone()));
    assert_eq!(log.break_of().2, Kind::OutOfOrder { seq: 4, after: 4 });
}

#[test]
fn a_line_that_was_put_in_shows() {
    let log = Log::new();
    log.edit(0, |lines| {
        lines.insert(4, "{\"seq\":5,\"note\":\"nothing to see\"}".to_owned());
    });
    assert_eq!(log.break_of(), (0, 5, Kind::NotALine));
}

#[test]
fn a_cut_end_shows_by_the_store_and_by_a_head_that_somebody_kept() {
    let log = Log::new();
    log.edit(2, |lines| lines.truncate(7));
    assert_eq!(
        log.break_of().2,
        Kind::EndMissing {
            last: 27,
            expected: 30
        }
    );
    // Cut together with the store.
    let look = super::super::AuditFile::new(log.path(2)).look().unwrap();
    let against = Against {
        ends: ends(&log.heads[26]),
        heads: vec![log.heads[29].clone()],
    };
    let found = super::verify(look, &against).unwrap().breaks;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, Kind::ShorterThan { last: 27, head: 30 });
}

#[test]
fn a_missing_file_shows() {
    let log = Log::new();
    fs::remove_file(log.path(1)).unwrap();
    assert_eq!(
        log.break_of(),
        (2, 1, Kind::FileMissing { from: 11, to: 20 })
    );
    let log = Log::new();
    fs::remove_file(log.path(0)).unwrap();
    assert_eq!(log.break_of(), (1, 1, Kind::BeginningMissing { first: 11 }));
    let log = Log::new();
    fs::remove_file(log.path(2)).unwrap();
    let found = log.checked(&[]).breaks;
    assert_eq!(
        found[0].kind,
        Kind::EndMissing {
            last: 20,
            expected: 30
        }
    );
}

#[test]
fn a_file_of_another_installation_shows() {
    let (log, other) = (Log::new(), Log::of("b", |_| None));
    fs::copy(other.path(1), log.path(1)).unwrap();
    assert_eq!(
        log.kinds(),
        [Kind::Changed { seq: 10 }, Kind::Changed { seq: 20 }]
    );
    let log = Log::new();
    for number in 0..3 {
        fs::copy(other.path(number), log.path(number)).unwrap();
    }
    assert_eq!(log.break_of().2, Kind::OtherEnd { seq: 30 });
    let found = log.checked(&[log.heads[3].clone()]).breaks;
    assert_eq!(found[1].kind, Kind::OtherThan { head: 4 });
}

#[test]
fn a_file_under_another_name_shows() {
    let log = Log::new();
    fs::rename(
        log.path(1),
        log.folder
            .path()
            .join("audit.jsonl.1970-01.0000000011-0000000021.gz"),
    )
    .unwrap();
    assert_eq!(
        log.checked(&[]).breaks[0].kind,
        Kind::WrongName {
            first: 11,
            last: 20
        }
    );
}

#[test]
fn a_damaged_packed_file_shows_and_what_follows_is_checked() {
    let log = Log::new();
    let bytes = fs::read(log.path(1)).unwrap();
    fs::write(log.path(1), &bytes[..bytes.len() - 9]).unwrap();
    let found = log.checked(&[]).breaks;
    assert!(
        matches!(found[0].kind, Kind::Unreadable { .. }),
        "{found:?}"
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_forged_value_shows_and_a_removed_one_is_known_where_it_was_asked_for() {
    let log = Log::new();
    log.edit(0, |lines| {
        lines[2] = lines[2].replace("Beispiel 3", "Beispiel 4");
    });
    assert_eq!(log.break_of(), (0, 3, Kind::ValuesForged { seq: 3 }));
    let redact = |lines: &mut Vec<String>| {
        let at = lines[2].find(",\"values\":").unwrap();
        lines[2].truncate(at);
        lines[2].push('}');
    };
    let log = Log::new();
    log.edit(0, redact);
    assert_eq!(
        log.break_of().2,
        Kind::ValuesRemoved {
            seq: 3,
            people: " of 00003".to_owned(),
            lines: 1
        }
    );
    let log = Log::of("a", |seq| {
        (seq == 29).then(|| Event::Forgotten {
            user: "mira".to_owned(),
            on_behalf_of: None,
            reason: "asked".to_owned(),
            hr_ids: vec!["00003".to_owned()],
        })
    });
    log.edit(0, redact);
    let checked = log.checked(&[]);
    assert_eq!((checked.breaks, checked.redacted), (vec![], 1));
    // What was written of them later has its values.
    let log = Log::of("a", |seq| {
        (seq == 2).then(|| Event::Forgotten {
            user: "mira".to_owned(),
            on_behalf_of: None,
            reason: "asked".to_owned(),
            hr_ids: vec!["00003".to_owned()],
        })
    });
    log.edit(0, redact);
    assert!(matches!(
        log.break_of().2,
        Kind::ValuesRemoved { seq: 3, .. }
    ));
}

#[test]
fn values_that_stand_twice_or_where_none_were_committed_to_show() {
    let twice = "\"lastName.new\":\"Beispiel 3\"";
    let second_salt = ",\"values\":{\"salt\":\"x\",";
    for (at, from, to) in [
        (2, twice, format!("{twice},{twice}")),
        (2, ",\"values\":{", second_salt.to_owned()),
        // A text beside a line that has no values.
        (
            0,
            "\"}",
            "\",\"values\":{\"salt\":\"approved by the works council\"}}".to_owned(),
        ),
    ] {
        let log = Log::new();
        log.edit(0, |lines| {
            assert!(lines[at].contains(from));
            lines[at] = lines[at].replace(from, &to);
        });
        let seq = at as u64 + 1;
        assert_eq!(log.break_of(), (0, seq, Kind::ValuesForged { seq }));
    }
}

#[test]
fn lines_that_were_removed_by_age_are_no_break_and_others_are() {
    let heads = Log::new().heads;
    let tombstone = |seq| {
        (seq == 25).then(|| Event::OldLinesRemoved {
            file: "audit.jsonl.1970-01.0000000001-0000000010.gz".to_owned(),
            first: 1,
            last: 10,
            lines: 10,
            last_hash: heads[9].hash.clone(),
            keep_months: 36,
        })
    };
    let log = Log::of("a", tombstone);
    fs::remove_file(log.path(0)).unwrap();
    let checked = log.checked(&[heads[9].clone()]);
    assert_eq!(checked.breaks, []);
    assert_eq!(
        (
            checked.first,
            checked.removed.len(),
            checked.removed[0].last
        ),
        (11, 1, 10)
    );
    let checked = log.checked(&[heads[4].clone()]);
    assert_eq!(checked.breaks, []);
    assert_eq!(checked.not_compared[0].why, Why::RemovedByAge { up_to: 10 });
    fs::remove_file(log.path(1)).unwrap();
    assert_eq!(log.break_of().2, Kind::BeginningMissing { first: 21 });
}

#[test]
fn a_torn_line_is_no_break_where_the_log_tells_of_it() {
    let torn = "{\"seq\":15,\"ti";
    for told in [true, false] {
        let log = Log::of("a", |seq| {
            (told && seq == 16).then(|| Event::TornLineSealed {
                bytes: 13,
                sha256: crate::digest::sha256(torn),
            })
        });
        log.edit(1, |lines| lines.insert(4, torn.to_owned()));
        let checked = log.checked(&[]);
        assert_eq!(
            (checked.breaks.len(), checked.torn),
            if told { (0, 1) } else { (1, 0) }
        );
    }
}

#[path = "verify_unusual_tests.rs"]
mod unusual;
