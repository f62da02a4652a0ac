//! What is wrong with the file of the log is told, whatever fails before that is done.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::audit::Verified;
use crate::clock::Clock;
use crate::crash::crashing_at;

struct Scene {
    _folder: tempfile::TempDir,
    store: Store,
    log: AuditFile,
}

impl Scene {
    /// A log of two lines; two more wait.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self {
            store: Store::in_memory(Clock::system()).unwrap(),
            log: AuditFile::new(folder.path().join("audit.jsonl")),
            _folder: folder,
        };
        scene.note(2);
        scene.store.flush(&scene.log).unwrap();
        scene.note(2);
        scene
    }

    fn note(&self, count: usize) {
        let event = || Event::PushUnsettled {
            sync_id: "s".to_owned(),
        };
        let notes = (0..count).map(|_| event().into()).collect();
        let notes = Notes {
            notes,
            ..Notes::default()
        };
        self.store.record(&notes).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// A part of the first line that waits is written, and no more.
    fn tears(&self, before: &str) {
        let line = self.store.pending(1).unwrap().remove(0).text;
        let text = self.text() + before + &line[..line.len() / 2];
        fs::write(self.log.path(), text).unwrap();
    }

    /// Appends what waits, and is killed at a point.
    #[track_caller]
    fn is_killed(&self, point: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let flush = async { self.store.flush(&self.log) };
        let flush = || runtime.block_on(crashing_at(point, flush));
        assert!(catch_unwind(AssertUnwindSafe(flush)).is_err(), "{point}");
    }

    fn checked(&self) -> Verified {
        let ends = || self.store.audit_ends();
        self.log.verify(Vec::new(), ends).unwrap().unwrap()
    }

    fn events(&self, event: &str) -> usize {
        let event = format!("\"event\":\"{event}\"");
        self.text()
            .lines()
            .filter(|line| line.contains(&event))
            .count()
    }
}

#[test]
fn a_torn_line_is_told_whatever_fails_before_that_is_done() {
    for failures in [
        &[][..],
        &["gaps_told"],
        &["torn_line_ended"],
        &["appended"],
        &["gaps_told", "gaps_told"],
        &["gaps_told", "torn_line_ended", "appended"],
        &["torn_line_ended", "appended"],
    ] {
        let scene = Scene::new();
        scene.tears("");
        assert_eq!(scene.checked().breaks, [], "{failures:?}: torn");
        for point in failures {
            scene.is_killed(point);
            let found = scene.checked().breaks;
            assert_eq!(found, [], "{failures:?}: killed at {point}");
        }
        scene.store.flush(&scene.log).unwrap();
        let checked = scene.checked();
        assert_eq!((checked.breaks, checked.torn), (vec![], 1), "{failures:?}");
        assert_eq!(scene.events("torn_line_sealed"), 1, "{failures:?}");
        assert_eq!(scene.events("store_is_behind"), 0, "{failures:?}");
        assert_eq!(scene.events("lines_missing"), 0, "{failures:?}");
        assert_eq!(scene.store.missing_lines().unwrap(), None);
    }
}

#[test]
fn a_disk_that_is_full_again_and_again_leaves_only_lines_that_are_told() {
    let scene = Scene::new();
    scene.tears("");
    // Room for a line end, and for a part of the next attempt, each time.
    for _ in 0..3 {
        scene.is_killed("torn_line_ended");
        scene.tears("");
        assert_eq!(scene.checked().breaks, []);
    }
    scene.note(1);
    scene.store.flush(&scene.log).unwrap();
    let checked = scene.checked();
    assert_eq!(checked.breaks, []);
    assert_eq!(checked.torn, 4);
}

#[test]
fn lines_that_are_missing_are_told_whatever_fails_before_that_is_done() {
    for failures in [
        &[][..],
        &["gaps_told"],
        &["appended"],
        &["gaps_told", "appended"],
    ] {
        let scene = Scene::new();
        let text = scene.text();
        fs::write(
            scene.log.path(),
            &text[..=text.find('\n').expect("two lines")],
        )
        .unwrap();
        for point in failures {
            scene.is_killed(point);
        }
        scene.store.flush(&scene.log).unwrap();
        assert_eq!(scene.events("lines_missing"), 1, "{failures:?}");
        let missing = scene.store.missing_lines().unwrap().unwrap();
        assert_eq!((missing.expected, missing.found), (2, 1));
        assert_eq!(scene.checked().breaks.len(), 1, "they are missing");
    }
}
