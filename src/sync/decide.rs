//! From the judgement to the push: what is held, what waits, what goes out, and what comes of nothing.

use super::people::{Doubtful, Stage};
use super::{Ending, Run, RunReport, Stop, off, push};
use crate::audit::Event;
use crate::guard::Judgement;
use crate::plan::{Known, Plan};
use crate::roster::HrId;
use crate::store::Note;

impl Run<'_> {
    /// From the judgement to the push.
    #[expect(
        clippy::too_many_arguments,
        reason = "what the stages before have made"
    )]
    pub(super) async fn decide(
        &mut self,
        plan: Plan,
        judged: &Judgement,
        stage: &mut Stage,
        known: &Known,
        doubtful: &Doubtful,
        resync: bool,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        let there = self.there.take();
        self.update_holds(&plan, judged, stage, known, there.as_ref(), report)?;
        report.roster = plan.entries.len();
        if let Some(hold) = &judged.whole {
            report.counts = plan.counts();
            report.changes.clone_from(&plan.changes);
            self.note_rows(report)?;
            self.note_plan(&plan, &stage.old, judged)?;
            crate::crash::point("planned");
            self.record(vec![verdict("held", &plan.hash, judged)])?;
            report.ending = Ending::Held { hold: hold.clone() };
            return Ok(());
        }
        // An approval of the whole plan is for the plan as it was judged, with those whom it leaves out.
        let judged_hash = plan.hash.clone();
        let plan =
            self.without_waiting(plan, judged, stage, known, doubtful, there.as_ref(), report)?;
        report.roster = plan.entries.len();
        report.counts = plan.counts();
        report.changes.clone_from(&plan.changes);
        if plan.is_empty() && !resync {
            return self.unchanged(&plan, stage, report);
        }
        if plan.entries.is_empty() {
            return self.refuse_empty(&plan, stage, judged, report);
        }
        if plan.is_empty() && !self.silent {
            let again = "Nothing changed; the whole roster is pushed again, as resync_every_days or --resync says";
            report.notes.push(again.to_owned());
        }
        self.note_rows(report)?;
        self.note_plan(&plan, &stage.old, judged)?;
        crate::crash::point("planned");
        let hash = plan.hash.clone();
        let held = self.holds.iter().flat_map(|hold| &hold.people);
        let reasons = plan.reasons(held.map(|person| &person.change.hr_id));
        let approved = judged.approve(plan)?;
        self.record(vec![verdict("approved", &hash, judged)])?;
        if self.options.dry_run {
            report.ending = Ending::WouldPush {
                employees: approved.entries().len(),
            };
            return Ok(());
        }
        let before = there.as_ref().map(|there| there.others.clone());
        let amend = push::Amend {
            judged,
            stage,
            known,
            doubtful,
            there: there.as_ref(),
        };
        self.push(approved, amend, before, report).await?;
        if matches!(report.ending, Ending::Pushed { .. }) {
            self.end_acted_on(&judged_hash, &reasons, &report.changes)?;
            let taken = std::mem::take(&mut stage.taken);
            self.archive(&taken, report)?;
            crate::crash::point("archived");
        }
        Ok(())
    }

    /// A push of nobody would offboard everybody, and no decision lets it out.
    pub(super) fn refuse_empty(
        &mut self,
        plan: &Plan,
        stage: &Stage,
        judged: &Judgement,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        report.counts = plan.counts();
        report.changes.clone_from(&plan.changes);
        self.note_rows(report)?;
        self.note_plan(plan, &stage.old, judged)?;
        crate::crash::point("planned");
        self.record(vec![verdict("empty roster refused", &plan.hash, judged)])?;
        report.ending = Ending::EmptyRoster;
        Ok(())
    }

    /// Nothing goes out.
    pub(super) fn unchanged(
        &mut self,
        plan: &Plan,
        stage: &Stage,
        report: &mut RunReport,
    ) -> Result<(), Stop> {
        report.roster = plan.entries.len();
        self.note_rows(report)?;
        report.ending = Ending::Unchanged;
        if !self.options.dry_run && !self.silent {
            if !stage.failed {
                let store = self.context.store;
                let mark = crate::store::rules_mark(&self.rules_hash());
                if off(|| store.has_other_rules(&self.target, mark))? {
                    let fresh = plan.entries.iter().filter(|entry| entry.fresh);
                    let fresh = fresh.map(|entry| &entry.employee().hr_id);
                    off(|| store.mark_rules(&self.target, mark, fresh))?;
                }
                let nobody_leaves = report.counting.is_empty()
                    && report.waiting.is_empty()
                    && report.kept.is_empty();
                if nobody_leaves && !off(|| store.missing(&self.target))?.is_empty() {
                    off(|| store.keep_missing(&self.target, &std::collections::HashMap::new()))?;
                }
            }
            self.archive(&stage.taken, report)?;
        }
        Ok(())
    }
}

fn verdict(verdict: &str, plan_hash: &str, judged: &Judgement) -> Note {
    let names = |hr_ids: &mut dyn Iterator<Item = &HrId>| -> Vec<String> {
        hr_ids.map(ToString::to_string).collect()
    };
    let asked = &mut judged
        .questions
        .iter()
        .map(|question| &question.change.hr_id);
    Event::Guard {
        verdict: verdict.to_owned(),
        plan_hash: plan_hash.to_owned(),
        trips: judged.trips.clone(),
        waits: names(asked),
        counting: names(&mut judged.counting.iter().map(|(hr_id, _)| hr_id)),
        kept: names(&mut judged.kept.iter()),
    }
    .into()
}
