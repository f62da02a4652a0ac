//! What is no break, or one break alone: restores, empty lines, other packing, damaged files, torn lines; and checks beside whoever writes.

use std::fs;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::DateTime;
use flate2::Compression;

use super::super::super::breaks::Kind;
use super::super::super::{AuditFile, Event, Head, Redaction, Unusual, Why, compose, verify};
use super::super::Against;
use super::{Log, ends, log};

/// A line of the log that tells of a restore behind line 20, of a log that had come to line 25.
fn restored(up_to: Option<u64>) -> Log {
    Log::of("restored", |seq| {
        (seq == 21).then(|| Event::Restored {
            user: "mira".to_owned(),
            file: "daily.tar.gz".to_owned(),
            backup_time: "2026-10-01T00:00:00Z".to_owned(),
            backup_version: "1".to_owned(),
            lines: 20,
            replaced: Some("replaced-1".to_owned()),
            replaced_head: None,
            replaced_up_to: up_to,
        })
    })
}

#[test]
fn a_head_of_a_line_that_a_restore_replaced_cannot_be_compared_and_any_other_can() {
    let another = |seq: u64| Head {
        seq,
        hash: "ab".repeat(32),
    };
    for (up_to, head, replaced) in [
        (Some(25), 21, true),
        (Some(25), 25, true),
        (Some(45), 40, true),
        (Some(25), 26, false),
        (Some(25), 40, false),
        (Some(25), 20, false),
        // Nobody knows how far the log had come, or it was another's with fewer lines.
        (None, 40, true),
        (Some(3), 40, true),
        (None, 20, false),
    ] {
        let log = restored(up_to);
        let checked = log.checked(&[another(head)]);
        assert_eq!(checked.restored[0].line, 21);
        let when = format!("{up_to:?} {head}: {checked:?}");
        assert_eq!(checked.breaks.len(), usize::from(!replaced), "{when}");
        assert_eq!(checked.not_compared.len(), usize::from(replaced), "{when}");
        // What was kept of this very log is compared as ever.
        let checked = log.checked(&[log.heads[22].clone(), log.heads[4].clone()]);
        assert!(checked.breaks.is_empty() && checked.not_compared.is_empty());
    }
}

#[test]
fn a_log_that_was_restored_and_cut_is_cut() {
    let log = restored(Some(25));
    log.edit(2, |lines| lines.truncate(7));
    assert_eq!(
        log.break_of().2,
        Kind::EndMissing {
            last: 27,
            expected: 30
        }
    );
    // Together with its store; the head was kept after the restore.
    let look = AuditFile::new(log.path(2)).look().unwrap();
    let against = Against {
        ends: ends(&log.heads[26]),
        heads: vec![log.heads[29].clone()],
    };
    let found = verify(look, &against).unwrap();
    assert_eq!(
        found.breaks[0].kind,
        Kind::ShorterThan { last: 27, head: 30 }
    );
}

/// What is unusual: file, line in it, what.
#[track_caller]
fn remarks(log: &Log) -> Vec<(usize, u64, Unusual)> {
    let checked = log.checked(&[]);
    assert_eq!(checked.breaks, []);
    let number = |file: &str| (0..3).find(|number| log.path(*number).ends_with(file));
    let remarks = checked.remarks.iter();
    let remarks = remarks.map(|one| (number(&one.file).unwrap_or(9), one.line, one.kind));
    remarks.collect()
}

#[test]
fn an_empty_line_is_told_and_no_break() {
    let log = Log::new();
    log.edit(1, |lines| lines.insert(4, String::new()));
    log.edit(2, |lines| lines.push(String::new()));
    assert_eq!(
        remarks(&log),
        [(1, 5, Unusual::BlankLine), (2, 11, Unusual::BlankLine)]
    );
    assert_eq!(remarks(&Log::new()), []);
}

#[test]
fn a_file_that_something_else_unpacked_or_packed_is_told_and_no_break() {
    let log = Log::new();
    let text = log.read(0);
    fs::remove_file(log.path(0)).unwrap();
    fs::write(log.path(0).with_extension(""), &text).unwrap();
    assert_eq!(remarks(&log), [(9, 0, Unusual::NotPacked)]);
    // The last one may still have to be packed.
    let log = Log::new();
    let text = log.read(1);
    fs::remove_file(log.path(1)).unwrap();
    fs::write(log.path(1).with_extension(""), &text).unwrap();
    assert_eq!(remarks(&log), []);
    let log = Log::new();
    let file = fs::File::create(log.path(0)).unwrap();
    let mut packed = flate2::GzBuilder::new()
        .filename("audit.jsonl.1970-01.0000000001-0000000010")
        .mtime(1_700_000_000)
        .write(file, Compression::best());
    packed.write_all(Log::new().read(0).as_bytes()).unwrap();
    packed.finish().unwrap();
    assert_eq!(remarks(&log), [(0, 0, Unusual::PackedByAnother)]);
    log.edit(0, |lines| lines[3] = lines[3].replace("acme", "acne"));
    assert_eq!(log.break_of().2, Kind::Changed { seq: 4 });
}

#[test]
fn a_flipped_bit_in_a_packed_file_is_one_finding_wherever_it_is() {
    let bytes = fs::read(Log::new().path(1)).unwrap();
    for number in [0, 1] {
        // Bytes of the header's time and system are nobody's content.
        for at in (10..bytes.len()).step_by(7).chain(0..3) {
            let log = Log::new();
            let mut bytes = fs::read(log.path(number)).unwrap();
            let Some(byte) = bytes.get_mut(at) else {
                continue;
            };
            *byte ^= 1;
            fs::write(log.path(number), bytes).unwrap();
            let found = log.checked(&[]).breaks;
            assert_eq!(found.len(), 1, "byte {at} of file {number}: {found:?}");
            assert!(matches!(found[0].kind, Kind::Unreadable { .. }));
        }
    }
}

#[test]
fn behind_a_damaged_file_the_check_goes_on_and_heads_of_its_lines_cannot_be_compared() {
    let log = Log::new();
    let bytes = fs::read(log.path(0)).unwrap();
    fs::write(log.path(0), &bytes[..12]).unwrap();
    log.edit(1, |lines| lines[3] = lines[3].replace("acme", "acne"));
    let checked = log.checked(&[log.heads[4].clone(), log.heads[24].clone()]);
    let kinds: Vec<&Kind> = checked.breaks.iter().map(|found| &found.kind).collect();
    assert!(
        matches!(
            kinds[..],
            [Kind::Unreadable { .. }, Kind::Changed { seq: 14 }]
        ),
        "{kinds:?}"
    );
    assert!(matches!(checked.not_compared[0].why, Why::Damaged { .. }));
    assert_eq!(checked.not_compared.len(), 1);
    // And what is missing behind it is missing.
    fs::remove_file(log.path(1)).unwrap();
    let found = log.checked(&[]).breaks;
    assert_eq!(found[1].kind, Kind::FileMissing { from: 11, to: 20 });
}

#[test]
fn a_line_that_a_crash_tore_just_now_is_no_break_and_a_line_that_was_cut_is() {
    let log = Log::new();
    let whole = log.read(2);
    fs::write(log.path(2), whole.clone() + "{\"seq\":31,\"ti").unwrap();
    assert_eq!(remarks(&log), [(2, 11, Unusual::TornEnd)]);
    // With an end it is no crash, unless a line that waits tells of it.
    fs::write(log.path(2), whole.clone() + "{\"seq\":31,\"ti\n").unwrap();
    assert_eq!(log.break_of(), (2, 11, Kind::NotALine));
    fs::write(log.path(2), &whole[..whole.len() - 9]).unwrap();
    assert_eq!(
        log.kinds(),
        [Kind::EndMissing {
            last: 29,
            expected: 30
        }]
    );
}

#[test]
fn a_check_sees_the_log_of_one_instant_whatever_is_done_to_it_meanwhile() {
    let forgotten = |seq| {
        (seq == 29).then(|| Event::Forgotten {
            user: "mira".to_owned(),
            on_behalf_of: None,
            reason: "asked".to_owned(),
            hr_ids: vec!["00003".to_owned()],
        })
    };
    // Begun before anything was told.
    let whole = Log::of("a", forgotten);
    let text = whole.read(2);
    let told: Vec<&str> = text.lines().collect();
    whole.edit(2, |lines| lines.truncate(8));
    let file = log(whole.folder.path());
    let (held, ()) = file.hold(|| ()).unwrap();
    fs::write(whole.path(2), told.join("\n") + "\n").unwrap();
    let keeping = file.keep().unwrap();
    let redaction = Redaction::of_people(&["00003"], "acme", vec!["acme"]);
    assert_eq!(file.redact(&keeping, &redaction).unwrap(), 1);
    let against = Against {
        ends: ends(&whole.heads[27]),
        heads: Vec::new(),
    };
    let checked = held.check(&against).unwrap();
    assert_eq!((checked.breaks, checked.redacted), (vec![], 0));
    // Begun when it was told; what was removed by age since is still held.
    let (held, ()) = file.hold(|| ()).unwrap();
    file.remove_up_to(&keeping, 10).unwrap();
    let against = Against {
        ends: ends(&whole.heads[29]),
        heads: Vec::new(),
    };
    let checked = held.check(&against).unwrap();
    assert_eq!((checked.breaks, checked.redacted), (vec![], 1));
}

/// Appends an event, and remembers the end of the chain while the file is locked.
fn append(log: &AuditFile, head: &Mutex<Head>, event: &Event) {
    let mut locked = log.lock().unwrap();
    let (time, none) = (DateTime::UNIX_EPOCH, Vec::new());
    let mut next = head.lock().unwrap().clone();
    let line = compose(&mut next, time, Some("acme"), None, event, &none, [7; 16]);
    assert_eq!(locked.append(&[line], &[]).unwrap(), []);
    *head.lock().unwrap() = next;
}

/// Says so when it goes, in a panic too.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_check_beside_rotations_packing_and_removal_by_age_never_finds_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = log(folder.path());
    log.rotate_bytes = Some(2_000);
    let head = Mutex::new(Head {
        seq: 0,
        hash: String::new(),
    });
    let done = AtomicBool::new(false);
    let event = Event::PushUnsettled {
        sync_id: "s".repeat(300),
    };
    let removed = std::thread::scope(|scope| {
        let (log, head, done) = (&log, &head, &done);
        let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
        let writer = scope.spawn(move || {
            let _done = Done(done);
            let mut removed = 0;
            for number in 0..400 {
                append(log, head, &event);
                let keeping = log.keep().unwrap();
                log.pack(&keeping).unwrap();
                let rotated = log.rotated().unwrap();
                if number % 10 == 0 && rotated.len() > 4 {
                    let old = log.old(&keeping, 1, today).unwrap().remove(0);
                    let (first, last) = (old.first, old.last);
                    let told = Event::OldLinesRemoved {
                        file: old.file,
                        first,
                        last,
                        lines: old.lines,
                        last_hash: old.last_hash,
                        keep_months: 1,
                    };
                    append(log, head, &told);
                    log.remove_up_to(&keeping, last).unwrap();
                    removed += 1;
                }
            }
            removed
        });
        let mut checks = 0;
        while !done.load(Ordering::Relaxed) || checks == 0 {
            let end = || Ok::<_, ()>(ends(&head.lock().unwrap()));
            let checked = log.verify(Vec::new(), end).unwrap().unwrap();
            if checked.last > 0 {
                assert_eq!(checked.breaks, [], "check {checks}");
                assert_eq!(checked.remarks, [], "check {checks}");
            }
            checks += 1;
        }
        writer.join().unwrap()
    });
    assert!(removed > 10, "{removed}");
}

#[test]
fn a_damaged_file_keeps_nobody_from_being_forgotten_in_the_others_and_is_named() {
    let whole = Log::new();
    let bytes = fs::read(whole.path(0)).unwrap();
    fs::write(whole.path(0), &bytes[..12]).unwrap();
    let file = log(whole.folder.path());
    let keeping = file.keep().unwrap();
    let people = ["00003", "00015", "00024"];
    let redaction = Redaction::of_people(&people, "acme", vec!["acme"]);
    let error = file.redact(&keeping, &redaction).unwrap_err().to_string();
    assert!(
        error.contains("audit.jsonl.1970-01.0000000001-0000000010.gz"),
        "{error}"
    );
    let left: Vec<bool> = ["Beispiel 15", "Beispiel 24", "Beispiel 18"]
        .iter()
        .map(|value| (whole.read(1) + &whole.read(2)).contains(value))
        .collect();
    assert_eq!(left, [false, false, true]);
}
