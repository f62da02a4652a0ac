//! The parts of a run by themselves, over a roster of 10,000 people: to see where the time of a run goes. The bars are those of whole runs (`whole`).
//!
//! `cargo bench --bench parts`.

mod roster;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jobticket_sync::clock::Clock;
use jobticket_sync::config::{self, Config};
use jobticket_sync::guard::{Approved, Decided, Facts, judge};
use jobticket_sync::jobticket::Push;
use jobticket_sync::plan::{Keyed, Known, Plan, Reasons, compare};
use jobticket_sync::roster::{Delivery, Entry, Selection, assemble};
use jobticket_sync::source::{self, Ask, Pulled};

const ROWS: usize = 10_000;

fn parts(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.yaml");
    std::fs::create_dir(folder.path().join("drop")).expect("a folder");
    std::fs::write(&path, roster::CONFIG).expect("a configuration");
    let roster = folder.path().join("drop/roster_20260105.csv");
    roster::write_roster(&roster, ROWS, false).expect("a roster");
    let config = config::load(&path).expect("a valid configuration");
    let clock = Clock::system();
    let selection = Selection {
        today: clock.now().with_timezone(&config.timezone).date_naive(),
        starters_days_ahead: 30,
        leavers_days_kept: 0,
    };

    criterion.bench_function("read, decode and map the file", |bencher| {
        bencher.iter(|| black_box(pulled(&config, &clock)));
    });

    let entries = assemble(vec![pulled(&config, &clock)], selection, |_| true).entries;
    let snapshot: Vec<Keyed> = entries
        .iter()
        .map(|entry| (entry.employee().hr_id.clone(), entry.hash()))
        .collect();
    let known = Known {
        snapshot: Some(snapshot),
        ..Known::default()
    };
    criterion.bench_function("assemble, hash and compare", |bencher| {
        bencher.iter_batched(
            || vec![pulled(&config, &clock)],
            |delivered| {
                let assembly = assemble(delivered, selection, |hr_id| known.contains(hr_id));
                black_box(compare(&known, &assembly.entries));
                assembly
            },
            BatchSize::PerIteration,
        );
    });

    let approved = approved(&config, entries, selection);
    criterion.bench_function("write the body of the request", |bencher| {
        bencher.iter(|| {
            black_box(Push::new(
                &approved,
                "00000000-0000-4000-8000-000000000000".to_owned(),
            ))
        });
    });
}

/// The rows of the only source.
fn pulled(config: &Config, clock: &Clock) -> Delivery {
    let ask = Ask {
        last: None,
        same_rules: false,
        filled: &HashSet::new(),
        now: clock.now(),
        zone: config.timezone,
        schedule: None,
        private: &config.state_dir,
        stopping: &AtomicBool::new(false),
        clock,
    };
    match source::pull(&config.integrations[0].sources[0], &ask) {
        Ok(Pulled::Read { delivery, .. }) => delivery,
        other => panic!("the roster is not read: {:?}", other.err()),
    }
}

/// A first push of these people.
fn approved(config: &Config, entries: Vec<Entry>, selection: Selection) -> Approved {
    let plan = Plan::new(
        entries,
        &Known::default(),
        &HashMap::new(),
        &Reasons::default(),
    );
    let facts = Facts {
        today: selection.today,
        limits: &config.integrations[0].limits,
        first_contact: false,
        stopped: None,
        of: 0,
        left: &[],
        missing: &HashMap::new(),
        other_rules: &HashSet::new(),
        pairs: &[],
        others: &HashSet::new(),
        emptied: &BTreeMap::new(),
        decided: &Decided::default(),
    };
    let judgement = judge(&plan, &facts);
    judgement.approve(plan).expect("a first push")
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = parts
}
criterion_main!(benches);
