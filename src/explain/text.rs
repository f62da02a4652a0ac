//! How an explanation reads on a terminal.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::{Explained, Happened, InSnapshot, LastRecord, LastRow};
use crate::roster::{Field, Unselected};
use crate::store::{DecisionRecord, Left};

fn when(at: DateTime<Utc>) -> impl fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

fn listed(fields: &BTreeMap<Field, Option<String>>) -> String {
    let one = |(field, value): (&Field, &Option<String>)| match value {
        Some(value) => format!("{field} {value}"),
        None => field.to_string(),
    };
    let all: Vec<String> = fields.iter().map(one).collect();
    all.join(", ")
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            integration, hr_id, ..
        } = self;
        if !self.known {
            return writeln!(
                f,
                "{hr_id} in {integration}: nothing is known; hrIds count with their leading zeros"
            );
        }
        writeln!(f, "{hr_id} in {integration}")?;
        for record in &self.sources {
            record.fmt(f)?;
        }
        match &self.snapshot {
            Some(snapshot) => snapshot.fmt(f)?,
            None => writeln!(f, "  snapshot: not in it")?,
        }
        if let Some(missing) = &self.missing {
            writeln!(
                f,
                "  would leave: on {} of {} days, since {}, last counted {}",
                missing.days, missing.of, missing.first_day, missing.last_day
            )?;
        }
        if let Some(until) = self.kept_until {
            writeln!(f, "  kept by decision until {until}")?;
        }
        for Left {
            left_at,
            run,
            why,
            unasked,
        } in &self.left
        {
            let asked = if *unasked {
                ""
            } else {
                ", explained or approved"
            };
            writeln!(f, "  left {} ({why}{asked}), run {run}", when(*left_at))?;
        }
        for hold in &self.holds {
            let person = hold.people.first();
            let state = person.map_or("", |person| match person.state {
                crate::store::HeldState::Waits => "waits",
                crate::store::HeldState::Approved => "approved",
                crate::store::HeldState::Excepted => "excepted",
                crate::store::HeldState::Rejected => "rejected",
                crate::store::HeldState::Over => "over",
            });
            writeln!(
                f,
                "  hold {} ({}), since {}: {state}",
                hold.id,
                hold.kind,
                when(hold.opened_at)
            )?;
        }
        for DecisionRecord {
            decision,
            hold,
            user,
            on_behalf_of,
            reason,
            at,
            ..
        } in &self.decisions
        {
            write!(f, "  {} {decision}", when(*at))?;
            if let Some(hold) = hold {
                write!(f, " of hold {hold}")?;
            }
            write!(f, " by {user}")?;
            if let Some(name) = on_behalf_of {
                write!(f, " on behalf of {name}")?;
            }
            writeln!(f, ": {reason}")?;
        }
        if !self.history.is_empty() {
            writeln!(f, "  in the audit log:")?;
        }
        for one in &self.history {
            one.fmt(f)?;
        }
        self.now(f)
    }
}

impl Explained {
    fn now(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.now.what {
            "goes" => {
                "would go out, unless JobTicket shows something that this look ahead does not ask for"
            }
            "waits" => "waits for a decision",
            "collides" => "waits",
            "held" => "waits, for the whole plan does",
            "counting" | "kept" => "stays in",
            "rejected" => "the row cannot be used",
            "incomplete" => "cannot be sent yet",
            "failed" => "nothing, for the run would fail",
            "not_in_roster" => "nothing; not in the roster",
            _ => "nothing changes",
        };
        write!(f, "  a run now: {what}")?;
        if let Some(hold) = self.now.hold {
            write!(f, " (hold {hold})")?;
        }
        writeln!(f)?;
        for why in &self.now.why {
            writeln!(f, "    {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LastRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  source {}", self.source)?;
        match (&self.file, self.modified) {
            (Some(file), Some(at)) => write!(f, ", {file} of {}", when(at))?,
            _ => write!(f, ", which has never delivered")?,
        }
        if self.rows.is_empty() && self.unselected.is_none() {
            return writeln!(f, ": no row");
        }
        writeln!(f)?;
        for LastRow { row, fields, wrong } in &self.rows {
            writeln!(f, "    row {row}: {}", listed(fields))?;
            for (field, why) in wrong {
                writeln!(f, "      {field} {why}")?;
            }
        }
        match &self.unselected {
            Some(Unselected::NotIncluded { column }) => {
                writeln!(f, "    a row that no include rule on {column} matches")
            }
            Some(Unselected::Excluded { column }) => {
                writeln!(f, "    a row that an exclude rule on {column} matches")
            }
            Some(Unselected::Unclear { column, line, .. }) => {
                writeln!(
                    f,
                    "    row {line}: {column} is empty, so that no rule can tell"
                )
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for InSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  snapshot: since {}, last changed {}, from {}",
            when(self.first_seen),
            when(self.last_changed),
            self.source
        )?;
        writeln!(f, "    {}", listed(&self.fields))?;
        if let (Some(sync_id), Some(at)) = (&self.sync_id, self.acknowledged_at) {
            writeln!(f, "    last push: {sync_id}, acknowledged {}", when(at))?;
        }
        Ok(())
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {} {}", self.time, self.text)?;
        match self.pushed {
            Some(true) => f.write_str(", and JobTicket acknowledged it")?,
            Some(false) => f.write_str(", and nothing was acknowledged in that run")?,
            None => {}
        }
        match &self.run {
            Some(run) => writeln!(f, " (run {run})"),
            None => writeln!(f),
        }
    }
}
