use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::push::{Prepared, Settled};
use super::super::snapshot::rules_mark;
use super::super::{Notes, Store};
use super::*;
use crate::clock::Clock;
use crate::guard::Approved;
use crate::jobticket::{Push, Receipt};
use crate::roster::Entry;

const PEOPLE: usize = 12;
const SOURCES: [&str; 2] = ["werk-1", "werk-2"];
const RULES: [&str; 2] = ["0123456789abcdef", "fedcba9876543210"];

/// Somebody in a roster: which source, which last name, which line, and whether they were delivered.
#[derive(Debug, Clone)]
struct Somebody {
    source: usize,
    name: usize,
    is_kept: bool,
    fresh: bool,
}

/// What becomes of a push.
#[derive(Debug, Clone)]
enum Fate {
    Answered,
    InDoubt,
    ReadBack,
    Refused,
    InPart(Vec<usize>),
}

#[derive(Debug, Clone)]
struct Step {
    roster: Vec<Option<Somebody>>,
    /// How many sources are configured.
    sources: usize,
    rules: usize,
    /// Whether an older version has prepared it, which kept rosters whole.
    is_old: bool,
    fate: Fate,
    /// Which of the pushes without an answer is read back afterwards.
    read_back: Option<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let somebody = (0..SOURCES.len(), 0..3usize, any::<bool>(), any::<bool>()).prop_map(
        |(source, name, is_kept, fresh)| Somebody {
            source,
            name,
            is_kept,
            fresh,
        },
    );
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        2 => Just(Fate::InDoubt),
        2 => Just(Fate::ReadBack),
        1 => Just(Fate::Refused),
        2 => proptest::collection::vec(0..PEOPLE, 0..4).prop_map(Fate::InPart),
    ];
    (
        proptest::collection::vec(proptest::option::weighted(0.8, somebody), PEOPLE),
        1..=SOURCES.len(),
        0..RULES.len(),
        proptest::bool::weighted(0.2),
        fate,
        proptest::option::weighted(0.3, 0..4usize),
    )
        .prop_map(|(roster, sources, rules, is_old, fate, read_back)| Step {
            roster,
            sources,
            rules,
            is_old,
            fate,
            read_back,
        })
}

fn key(number: usize) -> HrId {
    HrId::new(&format!("{number:03}"))
}

fn employee(number: usize, name: usize) -> Employee {
    let (last_name, email) = (
        ["Arndt", "Bode", "Cremer"][name],
        format!("p{number}@example.com"),
    );
    Employee::new(key(number), "Anna", last_name, &email)
}

/// The source and the values of everybody.
type People = BTreeMap<HrId, (String, Employee)>;

/// A push without an answer, as it has to be read.
struct Open {
    sync_id: String,
    people: People,
    fresh: HashSet<HrId>,
    rules: usize,
}

struct Scene {
    store: Store,
    target: Target,
    snapshot: People,
    /// The rules of everybody in it.
    marks: BTreeMap<HrId, i64>,
    open: Vec<Open>,
}

impl Scene {
    fn new() -> Self {
        let store = Store::in_memory(Clock::system()).unwrap();
        let target = Target::new("https://a.example", 7);
        let sql =
            "INSERT INTO run (id, target, trigger, started_at) VALUES ('run', ?1, 'test', 't')";
        store.lock().execute(sql, [target.as_str()]).unwrap();
        Self {
            store,
            target,
            snapshot: People::new(),
            marks: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    fn acknowledge(&mut self, place: usize, sent: Option<&PushRoster<'_>>) {
        let push = self.open.remove(place);
        // Older ones are settled by it.
        self.open.drain(..place);
        let receipt = Receipt::of_tests(&push.sync_id);
        let people = self
            .store
            .acknowledge(&self.target, &receipt, sent, |_| Notes::default())
            .unwrap();
        assert_eq!(people, push.people.len());
        self.marks
            .retain(|hr_id, _| push.people.contains_key(hr_id));
        for hr_id in push.people.keys() {
            let mark = self.marks.entry(hr_id.clone()).or_default();
            if push.fresh.contains(hr_id) {
                *mark = rules_mark(RULES[push.rules]);
            }
        }
        self.snapshot = push.people;
    }

    /// Keeps the roster of a push as versions before this one did.
    fn make_old(&self, sync_id: &str, roster: &PushRoster<'_>) {
        self.store
            .write(|transaction| {
                transaction.execute("DELETE FROM push_rows WHERE sync_id = ?1", [sync_id])?;
                transaction.execute("UPDATE push SET base = NULL WHERE sync_id = ?1", [sync_id])?;
                let rows: Vec<_> = roster
                    .entries()
                    .iter()
                    .map(|entry| roster.sent(entry))
                    .collect();
                transaction.execute(
                    "INSERT INTO push_rows (sync_id, piece, content) VALUES (?1, 0, ?2)",
                    params![sync_id, serde_json::to_vec(&rows).unwrap()],
                )?;
                Ok(())
            })
            .unwrap();
    }

    fn take(&mut self, number: usize, step: &Step) {
        let sync_id = format!("sync-{number}");
        let configured = &SOURCES[..step.sources];
        let (mut entries, mut people, mut fresh) = (Vec::new(), People::new(), HashSet::new());
        for (person, somebody) in step.roster.iter().enumerate() {
            let Some(somebody) = somebody else { continue };
            let source = somebody.source.min(step.sources - 1);
            let line = if somebody.is_kept { 0 } else { 2 };
            let values = employee(person, somebody.name);
            entries.push(Entry::new(values.clone(), source, line, somebody.fresh));
            // Whoever is kept stays one of a source that is gone.
            let before = self
                .snapshot
                .get(&key(person))
                .map(|(source, _)| source.as_str());
            let of = match before {
                Some(before) if somebody.is_kept && !configured.contains(&before) => before,
                _ => configured[source],
            };
            people.insert(key(person), (of.to_owned(), values));
            if somebody.fresh {
                fresh.insert(key(person));
            }
        }
        let approved = Approved::of_tests(entries, &format!("plan {number}"));
        let store = self.store.clone();
        let roster = store
            .push_roster(&self.target, &approved, configured)
            .unwrap();
        let prepared = Prepared {
            run: "run",
            sync_id: &sync_id,
            roster: &roster,
            rules_hash: RULES[step.rules],
            day: chrono::NaiveDate::default(),
        };
        let make = || Push::new(&approved, sync_id.clone());
        store
            .prepare(&self.target, &prepared, make, |_| Notes::default())
            .unwrap();
        if step.is_old {
            self.make_old(&sync_id, &roster);
        }
        let place = self.open.len();
        self.open.push(Open {
            sync_id: sync_id.clone(),
            people,
            fresh,
            rules: step.rules,
        });
        let settle = |how| store.settle(&sync_id, &how, &Notes::default()).unwrap();
        match &step.fate {
            Fate::Answered => self.acknowledge(place, Some(&roster)),
            Fate::ReadBack => self.acknowledge(place, None),
            Fate::InDoubt => settle(Settled::InDoubt),
            Fate::Refused => {
                settle(Settled::Refused);
                self.open.pop();
            }
            Fate::InPart(named) => {
                let named: Vec<HrId> = named.iter().copied().map(key).collect();
                settle(Settled::PerhapsInPart(named.clone()));
                self.open[place]
                    .people
                    .retain(|hr_id, _| !named.contains(hr_id));
            }
        }
        if let Some(place) = step.read_back.filter(|place| *place < self.open.len()) {
            self.acknowledge(place, None);
        }
    }

    fn doubtful(&self, only: Option<&str>) -> People {
        let people = self.store.doubtful_roster(&self.target, only).unwrap();
        let people = people.into_iter();
        people.map(|one| (one.1.hr_id.clone(), one)).collect()
    }

    /// The store says what has to be.
    fn check(&self) {
        let mut all = People::new();
        for open in &self.open {
            assert_eq!(
                self.doubtful(Some(&open.sync_id)),
                open.people,
                "{}",
                open.sync_id
            );
            all.extend(open.people.clone());
        }
        assert_eq!(self.doubtful(None), all);
        let keys: Vec<HrId> = self.snapshot.keys().cloned().collect();
        let found = self.store.acknowledged(&self.target, &keys).unwrap();
        assert_eq!(found.into_iter().collect::<People>(), self.snapshot);
        let known = self
            .store
            .snapshot(&self.target)
            .unwrap()
            .unwrap_or_default();
        let hashes = self.snapshot.iter();
        let hashes = hashes.map(|(hr_id, (_, employee))| (hr_id.clone(), employee.hash()));
        assert!(known.into_iter().eq(hashes));
        let connection = self.store.lock();
        let mut select = connection
            .prepare("SELECT hr_id, rules FROM snapshot_employee")
            .unwrap();
        let marks = select
            .query_map([], |row| {
                Ok((HrId::new(&row.get::<_, String>(0)?), row.get(1)?))
            })
            .unwrap();
        assert_eq!(
            marks.collect::<Result<BTreeMap<_, i64>, _>>().unwrap(),
            self.marks
        );
    }
}

proptest! {
    #[test]
    fn a_roster_is_read_as_it_was_sent_whatever_becomes_of_it_and_of_others(steps in proptest::collection::vec(step(), 1..8)) {
        let mut scene = Scene::new();
        for (number, step) in steps.iter().enumerate() {
            scene.take(number, step);
            scene.check();
        }
    }
}

/// A push of one person with this last name.
fn only_one(name: usize) -> Step {
    let one = Somebody {
        source: 0,
        name,
        is_kept: false,
        fresh: true,
    };
    Step {
        roster: vec![Some(one)],
        sources: 1,
        rules: 0,
        is_old: false,
        fate: Fate::Answered,
        read_back: None,
    }
}

#[test]
fn a_push_that_was_settled_is_never_acknowledged_again() {
    let mut scene = Scene::new();
    let step = only_one(0);
    scene.take(0, &step);
    scene.take(1, &step);
    for settled in ["sync-0", "sync-1"] {
        let receipt = Receipt::of_tests(settled);
        let again = scene
            .store
            .acknowledge(&scene.target, &receipt, None, |_| Notes::default());
        assert!(matches!(again, Err(StoreError::Unreadable(_))));
        scene.check();
    }
}

#[test]
fn a_difference_is_not_read_beside_another_snapshot() {
    let mut scene = Scene::new();
    scene.take(0, &only_one(0));
    scene.take(
        1,
        &Step {
            fate: Fate::InDoubt,
            ..only_one(1)
        },
    );
    let sql = "UPDATE snapshot SET sync_id = 'another'";
    scene.store.lock().execute(sql, []).unwrap();
    let read = scene.store.doubtful_roster(&scene.target, None);
    assert!(matches!(read, Err(StoreError::Unreadable(_))));
    let receipt = Receipt::of_tests("sync-1");
    let acknowledged = scene
        .store
        .acknowledge(&scene.target, &receipt, None, |_| Notes::default());
    assert!(matches!(acknowledged, Err(StoreError::Unreadable(_))));
}
