//! The rate limit over many processes.

use chrono::TimeDelta;

use crate::api_support::{later, requests, start, time_of};
use crate::support::{Company, JobTicket, people};

/// Joiners do not wait for anybody here: it is the requests that are counted.
const JOINERS: &str = "    limits: {joiners: {percent: 100, count: 1000, at_least: 1000}}\n    read_back: {before_push: false, after_push: false}\n";

#[test]
fn many_runs_that_follow_each_other_stay_within_the_limit() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration = JOINERS.to_owned();
    for run in 1..=30 {
        company.deliver_people("20261120", &people(run));
        company.run_now().exits(0).says("joiners: 1");
    }
    let most = jobticket.control("requests/max-in-window")["max"]
        .as_u64()
        .unwrap();
    assert!(most <= 100, "{most}");
    // A probe, a push and a read-back each.
    assert_eq!(requests(&jobticket), 90);
    let ledger = rusqlite::Connection::open(company.path("state/requests.db")).unwrap();
    let count = |ledger: &rusqlite::Connection| -> i64 {
        ledger
            .query_row("SELECT count(*) FROM request", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(&ledger), 90, "each process has entered its own");

    // Ten more fit into the window. The same credential at another address waits for its turn.
    let elsewhere = JobTicket::start();
    company.jobticket = company.jobticket.replace(&jobticket.url, &elsewhere.url);
    let mut waited = Vec::new();
    for run in 1..=4 {
        company.deliver_people("20261120", &people(30 + run));
        let ran = company.run(&["--run-now", "--output", "json"]).exits(0);
        waited.push(ran.report()["rateLimitWaitMs"].as_u64().unwrap());
    }
    assert_eq!(waited[..3], [0, 0, 0]);
    assert!(waited[3] > 55_000, "{waited:?}");
    let attempts = company.events("push_attempt");
    let turn = start() + TimeDelta::seconds(60);
    assert!(attempts[..33].iter().all(|attempt| time_of(attempt) < turn));
    let last = time_of(&attempts[33]);
    assert!(last > turn, "the 101st request was answered at {last}");
    company.now = later(600);
    company.run_now().exits(0).says("Nothing changed");
}
