//! Half-open: what the probes and the stages of a recovery do, worked out from the list of those who asked and of the calls that
//! ended.

use seawall_circuit_breaker::{Abandoned, Cause, Undecided};

use super::Model;
use super::list::count;
use crate::facts::{End, Granted, Nanos, Phase, Stage};
use crate::plan::{Share, nanos};

impl Model {
    /// The stage that runs.
    pub(super) const fn stage(&self) -> Option<Stage> {
        if let Phase::HalfOpen { stage, .. } = self.phase { stage } else { None }
    }

    /// The share of calls that pass in the stage that runs. None if the configuration has no such stage any more.
    pub(super) fn share(&self) -> Option<Share> {
        self.plan.recovery.as_ref()?.shares.get(self.stage()?.place).copied()
    }

    /// Until when the stage that runs lasts at least.
    pub(super) fn lasts_until(&self) -> Option<Nanos> {
        Some(self.stage()?.began + nanos(self.plan.recovery.as_ref()?.each))
    }

    /// How many calls the probes are, or a stage takes.
    pub(super) fn trial_size(&self) -> u64 {
        match (&self.plan.recovery, self.stage()) {
            (Some(recovery), Some(_)) => recovery.calls.into(),
            _ => self.plan.half_open.probes.into(),
        }
    }

    /// How many calls run that this generation of a half-open circuit admitted.
    pub(super) fn out(&self) -> u64 {
        let of_now = |grant: &&_| matches!(grant, super::Grant { kind: Granted::Probe, generation, .. } if *generation == self.generation);
        self.running.iter().filter(of_now).count() as u64
    }

    pub(super) fn probes_left(&self) -> Option<u64> {
        let probing = matches!(self.phase, Phase::HalfOpen { stage: None, .. });
        probing.then(|| u64::from(self.plan.half_open.probes).saturating_sub(count(&self.probes)[0] + self.out()))
    }

    /// Whether the next one who asks gets through.
    pub(super) fn lets_in(&mut self) -> bool {
        let Some(share) = self.share() else { return self.probes_left() != Some(0) };
        // Of any n who asked, the share of n was admitted, rounded up.
        let admitted = self.answers.iter().filter(|admitted| **admitted).count() as u64;
        let admits = admitted < share.of(self.answers.len() as u64 + 1);
        self.answers.push(admits);
        admits
    }

    /// When the circuit stops waiting for calls that hang.
    pub(super) fn give_up(&self) -> Option<Nanos> {
        match (self.phase, self.plan.half_open.max) {
            (Phase::HalfOpen { awaited_since: Some(since), .. }, Some(max)) => Some(since + nanos(max)),
            _ => None,
        }
    }

    /// A call was admitted: from now on it is waited for, if no other was.
    pub(super) fn wait_for_it(&mut self) {
        let now = self.now;
        if let Phase::HalfOpen { awaited_since, .. } = &mut self.phase {
            awaited_since.get_or_insert(now);
        }
    }

    /// A call ended. Nobody is waited for once none is out; in a stage those who are out are waited for anew. One that was dropped
    /// and counts by rate has shown nothing, so that the waiting goes on.
    pub(super) fn wait_for_others(&mut self, end: End) {
        if matches!(end, End::Drop) && matches!(self.plan.abandoned, Abandoned::Rate(_)) {
            return;
        }
        let (now, none_out) = (self.now, self.out() == 0);
        if let Phase::HalfOpen { awaited_since, stage, .. } = &mut self.phase {
            if none_out {
                *awaited_since = None;
            } else if stage.is_some() {
                *awaited_since = Some(now);
            }
        }
    }

    /// What the calls show at this time: `Some(true)` closes the circuit, or passes the stage; `Some(false)` opens it.
    pub(super) fn verdict(&self, at: Nanos) -> Option<bool> {
        if self.stage().is_some() && self.share().is_none() {
            // It is not configured any more: nothing is left to pass.
            return Some(true);
        }
        let [calls, _, _, _, abandoned] = count(&self.probes);
        let hangs = |share: Share| abandoned >= self.trial_size() && share.is_reached(abandoned, abandoned + calls);
        if self.plan.abandoned_share().is_some_and(hangs) {
            return Some(false);
        }
        match self.stage() {
            None => self.verdict_of_probes(),
            Some(_) => self.verdict_of_stage(at),
        }
    }

    /// The probes have settled it when it makes no difference any more whether all the others succeed or fail, if that is
    /// enough.
    fn verdict_of_probes(&self) -> Option<bool> {
        let all = u64::from(self.plan.half_open.probes);
        let rest = all.saturating_sub(count(&self.probes)[0]);
        if self.plan.half_open.wait_for_all && rest > 0 {
            return None;
        }
        let closes = |succeed: u64, fail: u64| {
            let [_, failed, slow, _, _] = count(&self.probes);
            match self.plan.half_open.successes {
                Some(needed) => self.good() + succeed >= u64::from(needed),
                None if self.plan.is_rated() => !self.meets_a_rate(failed + fail, slow + fail, all),
                None => self.good() + succeed >= all,
            }
        };
        let (at_best, at_worst) = (closes(rest, 0), closes(0, rest));
        (at_best == at_worst).then_some(at_best)
    }

    /// A stage fails when its calls are not good enough, those that are missing taken for good ones, and is passed when none
    /// is missing and its time is over. Good enough is the share of successes that is asked of the probes.
    fn verdict_of_stage(&self, at: Nanos) -> Option<bool> {
        let [calls, failed, slow, _, _] = count(&self.probes);
        let missing = self.trial_size().saturating_sub(calls);
        let probes = u64::from(self.plan.half_open.probes);
        let good_enough = match self.plan.half_open.successes {
            None if self.plan.is_rated() => !self.meets_a_rate(failed, slow, calls + missing),
            needed => {
                let needed = needed.map_or(probes, u64::from);
                Share(needed, probes).is_reached(self.good() + missing, calls + missing)
            }
        };
        match good_enough {
            false => Some(false),
            true if missing == 0 && self.lasts_until().is_some_and(|until| at >= until) => Some(true),
            true => None,
        }
    }

    fn good(&self) -> u64 {
        self.probes.iter().filter(|call| !call.failed && !call.slow && !call.abandoned).count() as u64
    }

    fn meets_a_rate(&self, failed: u64, slow: u64, whole: u64) -> bool {
        let reached = |share: Option<Share>, part| share.is_some_and(|share| share.is_reached(part, whole));
        reached(self.plan.failure_rate, failed) || reached(self.plan.slow.map(|slow| slow.1), slow)
    }

    /// What time does to a half-open circuit. Whatever comes first happens, at its own time.
    pub(super) fn tick_trial(&mut self) {
        if let Some(until) = self.lasts_until()
            && self.now >= until
            && self.give_up().is_none_or(|at| until <= at)
            && self.verdict(until) == Some(true)
        {
            self.happened.insert("a stage was passed when its time was over");
            self.step_up(until);
        }
        if let Some(at) = self.give_up()
            && self.now >= at
        {
            if self.stage().is_some() {
                self.happened.insert("a stage was given up");
            }
            match self.plan.half_open.after_max {
                Undecided::Close => self.close(at, Cause::ProbesUndecided),
                _ => self.open(at, Cause::ProbesUndecided, None),
            }
        }
    }

    pub(super) fn enter_half_open(&mut self, opened_by: Cause, cause: Cause, awaited_since: Option<Nanos>) {
        self.change(Phase::HalfOpen { awaited_since, cause: opened_by, stage: None }, self.now, cause);
        self.probes.clear();
    }

    /// The trial has succeeded: the next stage begins, or the circuit closes.
    pub(super) fn step_up(&mut self, at: Nanos) {
        let place = self.stage().map_or(0, |stage| stage.place + 1);
        match (&self.plan.recovery, self.phase) {
            (Some(recovery), Phase::HalfOpen { cause, .. }) if place < recovery.shares.len() => {
                let stage = Some(Stage { place, began: at });
                self.change(Phase::HalfOpen { awaited_since: None, cause, stage }, at, Cause::ProbesSucceeded);
                self.probes.clear();
                self.answers.clear();
                self.happened.insert(if place > 0 { "a later stage began" } else { "a first stage began" });
            }
            _ => {
                if place > 0 {
                    self.happened.insert("the last stage closed the circuit");
                }
                self.close(at, Cause::ProbesSucceeded);
            }
        }
    }
}
