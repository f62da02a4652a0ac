//! The request ledger against the vendor's limit, on a clock whose waits take no time: never more than 100 requests in any 60 seconds.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobticket_sync::clock::Clock;
use jobticket_sync::config::{Secret, Timeouts};
use jobticket_sync::jobticket::{Client, Connection, GateClosed, RequestGate};
use jobticket_sync::sandbox::{Sandbox, SandboxConfig};
use jobticket_sync::store::Ledger;
use proptest::prelude::*;
use tempfile::TempDir;

const KEY_ID: &str = "f1b24afa-39c6-4cc2-b545-cfab6b687f6e";
const KEY_SECRET: &str = "invented-secret-of-the-tests";
const PATIENCE: Duration = Duration::from_secs(600);

fn start() -> DateTime<Utc> {
    "2026-11-23T05:15:00Z".parse().unwrap()
}

/// A machine: its ledger, a clock that may be set, and the time that really passes.
struct Machine {
    folder: TempDir,
    clock: Clock,
    /// What the clock showed when it was set last.
    set_to: DateTime<Utc>,
    /// How much time had really passed by then.
    passed: TimeDelta,
    sent: Vec<TimeDelta>,
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Clock::starting_at(start()).skipping_waits(),
            set_to: start(),
            passed: TimeDelta::zero(),
            sent: Vec::new(),
        }
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.folder.path(), KEY_ID, self.clock.clone()).unwrap()
    }

    fn really_passed(&self) -> TimeDelta {
        self.passed + (self.clock.now() - self.set_to)
    }

    /// Puts the clock forward or back; whoever uses the old one is to be restarted.
    fn put_clock(&mut self, by: TimeDelta) {
        self.passed = self.really_passed();
        self.set_to = self.clock.now() + by;
        self.clock = Clock::starting_at(self.set_to).skipping_waits();
    }

    async fn send(&mut self, ledger: &Ledger) {
        ledger.admit(PATIENCE).await.unwrap();
        self.sent.push(self.really_passed());
    }

    #[track_caller]
    fn kept_the_limit(&self) {
        let most = self
            .sent
            .iter()
            .map(|first| {
                let window = *first..*first + TimeDelta::seconds(60);
                self.sent
                    .iter()
                    .filter(|sent| window.contains(sent))
                    .count()
            })
            .max();
        assert!(most.unwrap_or(0) <= 100, "{most:?} in 60 seconds");
    }
}

#[tokio::test]
async fn requests_as_fast_as_possible_stay_within_the_limit_and_near_it() {
    let mut machine = Machine::new();
    let ledger = machine.ledger();
    for _ in 0..250 {
        machine.send(&ledger).await;
    }
    machine.kept_the_limit();
    let took = machine.really_passed();
    assert!(
        took < TimeDelta::seconds(200),
        "the limit is no standstill: {took}"
    );
}

#[tokio::test]
async fn two_processes_with_one_credential_stay_within_the_limit_together() {
    let mut machine = Machine::new();
    let (one, other) = (machine.ledger(), machine.ledger());
    for _ in 0..125 {
        machine.send(&one).await;
        machine.send(&other).await;
    }
    machine.kept_the_limit();
}

#[tokio::test]
async fn a_restart_in_the_middle_gives_no_request_away() {
    let mut machine = Machine::new();
    for _ in 0..25 {
        // A new process has a full burst; the ledger on disk knows better.
        let ledger = machine.ledger();
        for _ in 0..10 {
            machine.send(&ledger).await;
        }
    }
    machine.kept_the_limit();
}

#[tokio::test]
async fn a_clock_that_jumps_back_gives_no_request_away() {
    for back in [1, 30, 59, 61, 3_600, 86_400 * 400] {
        let mut machine = Machine::new();
        for _ in 0..3 {
            let ledger = machine.ledger();
            for _ in 0..95 {
                machine.send(&ledger).await;
            }
            machine.put_clock(TimeDelta::seconds(-back));
        }
        machine.kept_the_limit();
        let took = machine.really_passed();
        assert!(took < TimeDelta::seconds(400), "{back}: it goes on: {took}");
    }
}

#[tokio::test]
async fn another_credential_has_a_limit_of_its_own() {
    let mut machine = Machine::new();
    for _ in 0..10 {
        let ledger = machine.ledger();
        for _ in 0..10 {
            machine.send(&ledger).await;
        }
    }
    let before = machine.really_passed();
    let other = Ledger::open(machine.folder.path(), "another", machine.clock.clone()).unwrap();
    other.admit(PATIENCE).await.unwrap();
    assert!(machine.really_passed() - before < TimeDelta::seconds(5));
}

#[tokio::test]
async fn a_stored_block_holds_for_all_and_ends() {
    let machine = Machine::new();
    let (one, other) = (machine.ledger(), machine.ledger());
    let until = machine.clock.now() + TimeDelta::seconds(300);
    one.block(until).await.unwrap();
    // A shorter one does not shorten it.
    one.block(until - TimeDelta::seconds(200)).await.unwrap();
    for ledger in [&one, &other, &machine.ledger()] {
        assert!(matches!(
            ledger.admit(Duration::from_secs(100)).await,
            Err(GateClosed::Blocked { .. })
        ));
    }
    assert!(machine.clock.now() < until);
    other.admit(PATIENCE).await.unwrap();
    assert!(machine.clock.now() >= until);
    assert_eq!(one.blocked_until().unwrap(), None);
}

#[tokio::test]
async fn a_block_from_before_the_clock_went_back_is_capped() {
    let mut machine = Machine::new();
    let until = machine.clock.now() + TimeDelta::seconds(300);
    machine.ledger().block(until).await.unwrap();
    machine.put_clock(TimeDelta::days(-30));
    let before = machine.really_passed();
    machine
        .ledger()
        .admit(Duration::from_secs(1_000))
        .await
        .unwrap();
    let waited = machine.really_passed() - before;
    assert!(waited <= TimeDelta::seconds(15 * 60 + 1), "{waited}");
}

fn client(sandbox: &Sandbox, ledger: Ledger, clock: Clock) -> Client<Ledger> {
    let connection = Connection {
        url: reqwest::Url::parse(&sandbox.url()).unwrap(),
        integration_id: 7,
        key_id: Secret::new(KEY_ID),
        key_secret: Secret::new(KEY_SECRET),
        credential_of_unit: false,
        ca: None,
        timeouts: Timeouts::default(),
        patience: PATIENCE,
    };
    Client::new(connection, ledger, clock).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_and_fifty_calls_of_two_clients_are_never_answered_with_429() {
    let machine = Machine::new();
    let (id, secret) = (KEY_ID.to_owned(), KEY_SECRET.to_owned());
    let mut settings = SandboxConfig::new(id, secret, vec![7], machine.clock.clone());
    settings.control = true;
    let sandbox = Sandbox::start(settings).await.unwrap();
    let clients = [(); 2].map(|()| client(&sandbox, machine.ledger(), machine.clock.clone()));
    for _ in 0..125 {
        for client in &clients {
            client.probe().await.unwrap();
        }
    }
    let sent: u32 = clients.iter().map(Client::requests).sum();
    assert_eq!(sent, 250, "a 429 would have cost a further request");
    let url = format!("{}/_sandbox/requests/max-in-window", sandbox.url());
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = answer.get(url).send().await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let most = answer["max"].as_u64().unwrap();
    assert!((50..=100).contains(&most), "{most}");
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_debug_text_of_a_client_tells_no_credential() {
    let machine = Machine::new();
    let (id, secret) = (KEY_ID.to_owned(), KEY_SECRET.to_owned());
    let settings = SandboxConfig::new(id, secret, vec![7], machine.clock.clone());
    let sandbox = Sandbox::start(settings).await.unwrap();
    let client = client(&sandbox, machine.ledger(), machine.clock.clone());
    let text = format!("{client:?} {client:#?} {:?}", machine.ledger());
    assert!(
        !text.contains(KEY_ID) && !text.contains(KEY_SECRET),
        "{text}"
    );
    sandbox.stop().await.unwrap();
}

/// What happens between two requests.
#[derive(Debug, Clone)]
enum Between {
    Wait(u64),
    Restart,
    ClockBack(i64),
    Nothing,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        20 => Just(Between::Nothing),
        6 => (0u64..3_000).prop_map(Between::Wait),
        1 => (0u64..70_000).prop_map(Between::Wait),
        1 => Just(Between::Restart),
        1 => (0i64..120).prop_map(Between::ClockBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_requests_the_limit_is_kept(
        steps in proptest::collection::vec((between(), any::<bool>()), 150..300)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut machine = Machine::new();
            let mut two = [machine.ledger(), machine.ledger()];
            for (between, which) in steps {
                match between {
                    Between::Nothing => {}
                    Between::Wait(millis) => machine.clock.sleep(Duration::from_millis(millis)).await,
                    Between::Restart => two[usize::from(which)] = machine.ledger(),
                    Between::ClockBack(seconds) => {
                        machine.put_clock(TimeDelta::seconds(-seconds));
                        two = [machine.ledger(), machine.ledger()];
                    }
                }
                let ledger = two[usize::from(which)].clone();
                machine.send(&ledger).await;
            }
            machine.kept_the_limit();
        });
    }
}
