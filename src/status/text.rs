//! The status as it reads on a terminal.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{AuditHead, IntegrationStatus, Status};
use crate::store::Scope;
use crate::zone::Zone;

fn when(at: DateTime<Utc>, zone: Zone) -> impl fmt::Display {
    at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z")
}

fn people(number: usize) -> String {
    format!("{number} {}", if number == 1 { "person" } else { "people" })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for integration in &self.integrations {
            integration.tell(f, self.zone)?;
        }
        for one in &self.notifications {
            let state = &one.state;
            write!(f, "notifications to {}: ", one.channel)?;
            match (state.failing_since, &state.error) {
                (Some(since), Some(error)) => {
                    let since = when(since, self.zone);
                    write!(f, "FAIL since {since}: {error}; {} wait", state.waiting)?;
                    if let Some(next) = state.next_try {
                        write!(f, ", next try {}", when(next, self.zone))?;
                    }
                }
                _ if state.waiting > 0 => write!(f, "{} wait", state.waiting)?,
                _ => match state.last_sent {
                    Some(at) => write!(f, "sent last {}", when(at, self.zone))?,
                    None => f.write_str("none sent lately")?,
                },
            }
            if state.given_up > 0 {
                write!(f, "; {} GIVEN UP in the last 30 days", state.given_up)?;
            }
            writeln!(f)?;
        }
        if self.audit.seq == 0 {
            return writeln!(f, "audit log: no line yet");
        }
        let AuditHead {
            seq,
            hash,
            lines_missing,
        } = &self.audit;
        writeln!(f, "audit log: line {seq}, head {seq}:{hash}")?;
        let Some(missing) = lines_missing else {
            return Ok(());
        };
        let (at, found, expected) = (when(missing.at, self.zone), missing.found, missing.expected);
        writeln!(
            f,
            "  LINES WERE MISSING at {at}: the log ended with line {found} and not with {expected}; `audit verify` says what is missing"
        )
    }
}

impl IntegrationStatus {
    fn tell(&self, f: &mut fmt::Formatter<'_>, zone: Zone) -> fmt::Result {
        let when = |at| when(at, zone);
        writeln!(f, "{}: {}", self.integration, self.environment)?;
        match &self.standing.last_run {
            None => writeln!(f, "  last run: none yet")?,
            Some(last) => {
                let (ended, code) = (when(last.ended_at), last.exit_code);
                writeln!(
                    f,
                    "  last run: {ended}, {}, exit code {code} ({})",
                    last.result, last.trigger
                )?;
                if let Some(message) = &last.message {
                    writeln!(f, "    {message}")?;
                }
                match last.last_success {
                    Some(at) if at != last.ended_at => {
                        writeln!(f, "  last success: {}", when(at))?;
                    }
                    None => writeln!(f, "  last success: none yet")?,
                    Some(_) => {}
                }
            }
        }
        match (self.running, self.running_since) {
            (true, Some(since)) => writeln!(f, "  running since {}", when(since))?,
            (true, None) => writeln!(f, "  running")?,
            (false, _) => {}
        }
        if let Some(began) = self.killed {
            writeln!(
                f,
                "  A run that began at {} never ended; the next one finishes its work",
                when(began)
            )?;
        }
        if let Some(owed) = &self.owed {
            writeln!(f, "  still to be made: {}", owed.trigger)?;
        }
        match self.next_run {
            Some(next) => writeln!(f, "  next run: {}", when(next))?,
            None => writeln!(f, "  next run: none is scheduled")?,
        }
        match &self.snapshot {
            Some(snapshot) => writeln!(
                f,
                "  snapshot: {} employees, acknowledged {}",
                snapshot.employees,
                when(snapshot.acknowledged_at)
            )?,
            None => writeln!(f, "  snapshot: none yet")?,
        }
        self.sources(f, zone)?;
        self.holds(f, zone)?;
        self.stops(f, zone)?;
        if let Some(requests) = &self.requests {
            writeln!(f, "  requests in the last 60 s: {}", requests.last_minute)?;
            if let Some(until) = requests.blocked_until {
                writeln!(f, "  BLOCKED by JobTicket until {}", when(until))?;
            }
        }
        Ok(())
    }

    fn sources(&self, f: &mut fmt::Formatter<'_>, zone: Zone) -> fmt::Result {
        let when = |at| when(at, zone);
        for source in &self.sources {
            write!(f, "  source {}: ", source.name)?;
            match (&source.file, source.file_modified) {
                (Some(file), Some(modified)) => {
                    write!(f, "{file}, written {}", when(modified))?;
                }
                _ => write!(f, "no file used yet")?,
            }
            if let Some(at) = source.in_order_at {
                write!(f, ", in order {}", when(at))?;
            }
            writeln!(f)?;
            let mut failed = self.standing.failed_sources.iter();
            if let Some(failed) = failed.find(|failed| failed.name == source.name) {
                match failed.frozen_since {
                    Some(since) => {
                        writeln!(f, "    FROZEN since {}: {}", when(since), failed.why)?;
                    }
                    None => writeln!(f, "    FAILED: {}", failed.why)?,
                }
            }
            let mut left = self.standing.not_put_away.iter();
            if let Some(left) = left.find(|left| left.source == source.name) {
                writeln!(f, "    NOT PUT AWAY: {}", left.why)?;
            }
        }
        Ok(())
    }

    fn holds(&self, f: &mut fmt::Formatter<'_>, zone: Zone) -> fmt::Result {
        for hold in &self.holds {
            let (id, kind, since) = (hold.id, &hold.kind, when(hold.opened_at, zone));
            let what = match (hold.open, hold.scope) {
                (false, _) => "is decided".to_owned(),
                (true, Scope::Plan) => {
                    format!("the whole plan waits, {} people in it", hold.waiting)
                }
                (true, Scope::People) if hold.waiting == 1 => "1 person waits".to_owned(),
                (true, Scope::People) => format!("{} people wait", hold.waiting),
            };
            writeln!(f, "  HOLD {id} ({kind}) since {since}: {what}")?;
        }
        Ok(())
    }

    /// What keeps it from pushing, and pushes that are not settled.
    fn stops(&self, f: &mut fmt::Formatter<'_>, zone: Zone) -> fmt::Result {
        let when = |at| when(at, zone);
        let standing = &self.standing;
        if let Some(refused) = &standing.credential_refused {
            writeln!(
                f,
                "  CREDENTIAL REFUSED since {}: {}. A scheduled run tries again after {}, a run by hand at once",
                when(refused.since),
                refused.outcome,
                when(refused.until)
            )?;
        }
        if let Some(pause) = &standing.backing_off {
            writeln!(
                f,
                "  JOBTICKET COULD NOT BE USED {} times in a row. A scheduled run tries again after {}, a run by hand at once",
                pause.failures,
                when(pause.until)
            )?;
        }
        if standing.tickets_lost > 0 {
            writeln!(
                f,
                "  TICKETS LOST: {} people who were not in the last push; nothing is pushed until a person approves that",
                standing.tickets_lost
            )?;
        }
        if let Some(pause) = &self.paused {
            writeln!(
                f,
                "  PAUSED until {} by {}: {}",
                pause.until, pause.user, pause.reason
            )?;
        }
        if let Some(restored) = self.restored {
            writeln!(
                f,
                "  RESTORED from a backup at {}; nothing is pushed until somebody runs: jobticket-sync adopt {} --reason TEXT",
                when(restored),
                self.integration
            )?;
        }
        if let Some(push) = &self.push_in_doubt {
            let what = if push.sent {
                "its answer was never seen; the next run finds out"
            } else if self.running {
                "it may be on its way now"
            } else {
                "it was about to leave; the next run finds out"
            };
            writeln!(f, "  PUSH IN DOUBT: {}, {what}", push.sync_id)?;
        }
        if self.refused_in_part {
            writeln!(
                f,
                "  JobTicket may have taken a part of a push that it refused; the next push settles it"
            )?;
        }
        if let Some(found) = &standing.found_drift {
            writeln!(
                f,
                "  DRIFT: {} differed at JobTicket when it was looked at {}, first found {}; the command drift names them",
                people(found.people),
                when(found.at),
                when(found.since)
            )?;
        }
        if let Some(push) = &standing.unconfirmed {
            let what = if push.overdue {
                "DRIFT: JobTicket does not show all of the push"
            } else {
                "unconfirmed: JobTicket does not show yet all of the push"
            };
            writeln!(f, "  {what} {} of {}", push.sync_id, when(push.since))?;
        }
        Ok(())
    }
}
