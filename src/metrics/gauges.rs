//! What the status says, as gauges. What has no value, such as the begin of a hold that is not there, has no line either.

use chrono::{DateTime, Utc};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{OfChannel, OfIntegration, OfSource, of};
use crate::status::{IntegrationStatus, Status};

type ByIntegration = Family<OfIntegration, Gauge>;
type BySource = Family<OfSource, Gauge>;
type ByChannel = Family<OfChannel, Gauge>;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    employees: ByIntegration,
    snapshot_at: ByIntegration,
    last_run_at: ByIntegration,
    last_exit_code: ByIntegration,
    last_success_at: ByIntegration,
    next_run_at: ByIntegration,
    in_progress: ByIntegration,
    open_holds: ByIntegration,
    waiting: ByIntegration,
    oldest_hold_at: ByIntegration,
    drift: ByIntegration,
    tickets_lost: ByIntegration,
    credential_refused: ByIntegration,
    failures: ByIntegration,
    in_doubt: ByIntegration,
    adoption: ByIntegration,
    paused: ByIntegration,
    recent_requests: ByIntegration,
    blocked_until: ByIntegration,
    failed: BySource,
    frozen: BySource,
    newest_file_at: BySource,
    in_order_at: BySource,
    notifications_waiting: ByChannel,
    notifications_failing: ByChannel,
    audit_lines: Gauge,
    audit_lines_missing: Gauge,
}

impl Gauges {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let all = Self::default();
        for (name, help, family) in all.numbers() {
            registry.register(name, help, family.clone());
        }
        for (name, help, family) in all.times() {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        }
        registry.register(
            "source_failed",
            "1 where the source failed when it was pulled last",
            all.failed.clone(),
        );
        registry.register(
            "source_frozen",
            "1 where the source failed and its last good roster stands in for it",
            all.frozen.clone(),
        );
        registry.register_with_unit(
            "source_newest_file_timestamp",
            "When the newest file that was used was last written",
            Unit::Seconds,
            all.newest_file_at.clone(),
        );
        registry.register_with_unit(
            "source_in_order_timestamp",
            "When the source was last in order, even if with nothing newer",
            Unit::Seconds,
            all.in_order_at.clone(),
        );
        registry.register(
            "notifications_waiting",
            "Notifications that are on their way over the channel",
            all.notifications_waiting.clone(),
        );
        registry.register(
            "notifications_failing",
            "1 while the channel cannot send its notifications",
            all.notifications_failing.clone(),
        );
        registry.register(
            "audit_lines",
            "Number of the last line of the audit log",
            all.audit_lines.clone(),
        );
        registry.register(
            "audit_lines_missing",
            "Lines that were missing from the end of the audit log when that was found last, within 30 days",
            all.audit_lines_missing.clone(),
        );
        all
    }

    fn numbers(&self) -> [(&'static str, &'static str, &ByIntegration); 13] {
        [
            (
                "snapshot_employees",
                "Employees of the last acknowledged roster",
                &self.employees,
            ),
            (
                "last_run_exit_code",
                "Exit code of the last run, by whomever it was started",
                &self.last_exit_code,
            ),
            (
                "run_in_progress",
                "1 while a run is in progress, in whatever process",
                &self.in_progress,
            ),
            (
                "open_holds",
                "Holds in which somebody has to decide",
                &self.open_holds,
            ),
            (
                "waiting_people",
                "People who wait for a decision",
                &self.waiting,
            ),
            (
                "drift",
                "1 where JobTicket differs from what it acknowledged, or a push cost somebody else a ticket",
                &self.drift,
            ),
            (
                "tickets_lost",
                "People who lost a ticket by a push that was not about them, until somebody approves that pushing goes on",
                &self.tickets_lost,
            ),
            (
                "credential_refused",
                "1 while JobTicket refuses the credential",
                &self.credential_refused,
            ),
            (
                "consecutive_failures",
                "How often in a row JobTicket could not be reached or used",
                &self.failures,
            ),
            (
                "push_in_doubt",
                "1 while the answer to a push is not known and no run is in progress",
                &self.in_doubt,
            ),
            (
                "adoption_needed",
                "1 while a restored state or another installation's push waits for adopt",
                &self.adoption,
            ),
            (
                "paused",
                "1 while somebody has paused the integration",
                &self.paused,
            ),
            (
                "rate_limit_requests",
                "Requests of the credential in the last 60 seconds, over all processes",
                &self.recent_requests,
            ),
        ]
    }

    fn times(&self) -> [(&'static str, &'static str, &ByIntegration); 6] {
        [
            (
                "snapshot_timestamp",
                "When the snapshot was acknowledged",
                &self.snapshot_at,
            ),
            (
                "last_run_timestamp",
                "When the last run ended",
                &self.last_run_at,
            ),
            (
                "last_success_timestamp",
                "When a run last ended with JobTicket in step: pushed, or nothing changed; 0 before the first",
                &self.last_success_at,
            ),
            (
                "next_run_timestamp",
                "When the next scheduled run starts",
                &self.next_run_at,
            ),
            (
                "oldest_hold_timestamp",
                "Since when the oldest open hold waits",
                &self.oldest_hold_at,
            ),
            (
                "rate_limit_blocked_until_timestamp",
                "Until when JobTicket blocks the credential",
                &self.blocked_until,
            ),
        ]
    }

    pub(super) fn set(&self, status: &Status) {
        for (_, _, family) in self.numbers().into_iter().chain(self.times()) {
            family.clear();
        }
        for family in [
            &self.failed,
            &self.frozen,
            &self.newest_file_at,
            &self.in_order_at,
        ] {
            family.clear();
        }
        for one in &status.integrations {
            self.set_one(one);
            self.set_sources(one);
        }
        for family in [&self.notifications_waiting, &self.notifications_failing] {
            family.clear();
        }
        for one in &status.notifications {
            let label = OfChannel {
                channel: one.channel.clone(),
            };
            let set = |family: &ByChannel, value: i64| {
                family.get_or_create(&label).set(value);
            };
            set(&self.notifications_waiting, one.state.waiting.into());
            let failing = one.state.failing_since.is_some();
            set(&self.notifications_failing, failing.into());
        }
        let lines = i64::try_from(status.audit.seq).unwrap_or(i64::MAX);
        self.audit_lines.set(lines);
        let missing = status.audit.lines_missing.as_ref();
        let missing = missing.map_or(0, |missing| missing.expected.saturating_sub(missing.found));
        self.audit_lines_missing
            .set(i64::try_from(missing).unwrap_or(i64::MAX));
    }

    fn set_one(&self, one: &IntegrationStatus) {
        let label = of(&one.integration);
        let number = |family: &ByIntegration, value: i64| {
            family.get_or_create(&label).set(value);
        };
        let time = |family: &ByIntegration, at: Option<DateTime<Utc>>| {
            if let Some(at) = at {
                number(family, at.timestamp());
            }
        };
        let standing = &one.standing;
        let snapshot = one.snapshot.as_ref();
        let last = standing.last_run.as_ref();
        number(
            &self.employees,
            snapshot.map_or(0, |snapshot| count(snapshot.employees)),
        );
        time(
            &self.snapshot_at,
            snapshot.map(|snapshot| snapshot.acknowledged_at),
        );
        time(&self.last_run_at, last.map(|last| last.ended_at));
        if let Some(last) = last {
            number(&self.last_exit_code, last.exit_code.into());
        }
        let success = last.and_then(|last| last.last_success);
        number(
            &self.last_success_at,
            success.map_or(0, |at| at.timestamp()),
        );
        time(&self.next_run_at, one.next_run);
        number(&self.in_progress, one.running.into());
        number(&self.open_holds, count(one.open_holds().count()));
        let waiting = one.open_holds().map(|hold| hold.waiting).sum();
        number(&self.waiting, count(waiting));
        let oldest = one.open_holds().map(|hold| hold.opened_at).min();
        time(&self.oldest_hold_at, oldest);
        number(&self.drift, one.drifted().into());
        number(&self.tickets_lost, count(standing.tickets_lost));
        let refused = standing.credential_refused.is_some();
        number(&self.credential_refused, refused.into());
        let failures = standing.backing_off.as_ref();
        number(
            &self.failures,
            failures.map_or(0, |pause| pause.failures.into()),
        );
        let in_doubt = one.push_in_doubt.is_some() && !one.running;
        number(&self.in_doubt, in_doubt.into());
        number(&self.adoption, one.needs_adoption().into());
        number(&self.paused, one.paused.is_some().into());
        let requests = one.requests.as_ref();
        number(
            &self.recent_requests,
            requests.map_or(0, |requests| requests.last_minute.into()),
        );
        let until = requests.and_then(|requests| requests.blocked_until);
        time(&self.blocked_until, until);
    }

    fn set_sources(&self, one: &IntegrationStatus) {
        for source in &one.sources {
            let label = OfSource {
                integration: one.integration.clone(),
                source: source.name.clone(),
            };
            let set = |family: &BySource, value: i64| {
                family.get_or_create(&label).set(value);
            };
            let mut failed = one.standing.failed_sources.iter();
            let failed = failed.find(|failed| failed.name == source.name);
            let frozen = failed.is_some_and(|failed| failed.frozen_since.is_some());
            set(&self.failed, failed.is_some().into());
            set(&self.frozen, frozen.into());
            if let Some(at) = source.file_modified {
                set(&self.newest_file_at, at.timestamp());
            }
            if let Some(at) = source.in_order_at {
                set(&self.in_order_at, at.timestamp());
            }
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
