use std::fmt;
use std::sync::Arc;

use seawall_core::random::Random;
use seawall_core::stripe::{self, Padded, Striped, Tally};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Ending, Name, Outcome, Shared};

use super::chance::Chance;
use super::error::Throttled;
use super::event::Event;
use super::gate::{Gate, Grant, Parts};
use super::lane::Lane;
use super::settings::Settings;
use super::snapshot::Total;
use super::state::{Counts, Machine};
use super::tenancy::Tenant;
use super::token::Token;

/// An adaptive throttle: refuses a share of the calls while a dependency accepts too few of them.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Config`](super::Config);
/// [`run`](Shared::run) makes one call; [`layer`](Shared::layer) (feature `tower`) protects a service; [`Throttle`]'s methods
/// give the snapshot and control by hand. The [module](super) says when it is the right thing, and what it counts.
///
/// ```
/// use seawall_circuit_breaker::AdaptiveThrottle;
/// use seawall_circuit_breaker::throttle::Config;
///
/// # async fn search() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let throttle = AdaptiveThrottle::new(Config::default().name("search"))?;
/// let found = throttle.run(search()).await??;
/// # assert_eq!(found, 7);
/// # Ok(())
/// # }
/// ```
pub type AdaptiveThrottle = Shared<Throttle>;

/// The policy behind an [`AdaptiveThrottle`]: its own methods, which every handle has.
///
/// # How exact it is
/// Each thread counts in a lane of its own, by a load and a store, and draws against a probability that all read. Somebody
/// adds all lanes up and works the probability out anew, under a lock, when a time bucket ends, and when a lane has counted
/// as much as may be missing. So
///
/// - a decision may lack the last of the window's requests: at most one in 128, and none while there are fewer than 128 for
///   each lane (there are about two lanes for each processor); while nothing is refused, and that is what the missing ones
///   would say too, any number. Of the calls that were accepted or taken back as many may be missing. What is counted at the
///   very moment of a look, at most one call for each thread, is in the next one;
/// - a request is in the bucket of the time at which it asked; one that asks while a bucket ends may be in the next. An
///   accepted call is in the bucket in which it ended, or, if nobody has asked since that bucket began, in that of the last
///   call that asked: never in an earlier one than its own request.
///
/// A decision reads the clock once. No decision and no ending allocates, and neither takes the lock otherwise.
pub struct Throttle {
    published: Padded<Published>,
    lanes: Striped<Lane>,
    /// How many lanes there are.
    shares: u64,
    pub(super) locked: Mutex<Locked>,
    clock: Clock,
    name: Name,
}

/// What every call reads, written under the lock.
#[derive(Default)]
struct Published {
    /// [`Gate`], written last.
    gate: AtomicU64,
    /// [`Chance`] of being refused.
    chance: AtomicU64,
    /// Between these two times nothing has to be looked at because of time.
    from: AtomicU64,
    until: AtomicU64,
}

pub(super) struct Locked {
    pub(super) machine: Machine,
    /// What of the lanes the machine knows.
    absorbed: Counts,
    /// Granted to lanes at most, in this epoch.
    granted: Grant,
    epoch: u32,
    /// What the lanes had counted for others when this throttle started over.
    pub(super) before: Total,
    /// How many times it throttled for others.
    pub(super) former_episodes: u64,
    pub(super) tenant: Option<Tenant>,
}

impl Throttle {
    pub(crate) fn from_settings(settings: Arc<Settings>, clock: Clock, lanes: usize) -> Self {
        // One sequence of draws needs one lane.
        let (lanes, seed) = settings.seed.map_or_else(|| (lanes, Random::unforeseen().next()), |seed| (0, seed));
        let name = settings.name;
        let lanes = Lane::striped(lanes, seed);
        let throttle = Self {
            published: Padded::default(),
            shares: lanes.iter().map(|_| 1).sum(),
            lanes,
            locked: Mutex::new(Locked {
                machine: Machine::new(settings, clock.now()),
                absorbed: Counts::default(),
                granted: Grant::default(),
                // Lanes begin at 0, so that their first call looks.
                epoch: 1,
                before: Total::default(),
                former_episodes: 0,
                tenant: None,
            }),
            clock,
            name,
        };
        throttle.locked(throttle.clock.now(), None, |_| ((), None));
        throttle
    }

    #[inline]
    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Which throttle this is.
    pub const fn name(&self) -> Name {
        self.name
    }

    #[inline]
    fn gate(&self) -> Gate {
        Gate::from_bits(self.published.0.gate.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn chance(&self) -> Chance {
        Chance::from_bits(self.published.0.chance.load(Ordering::Acquire))
    }

    #[inline]
    fn is_fresh(&self, now: Timestamp) -> bool {
        let now = now.as_nanos();
        now < self.published.0.until.load(Ordering::Relaxed) && now >= self.published.0.from.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn admit(&self, now: &Now<'_>, reserving: bool) -> Result<Token, Throttled> {
        if reserving {
            // What may never be called is no request. It draws when the call comes.
            return self.peek().map(|()| Token::reserved());
        }
        let now = now.get();
        let gate = self.gate();
        let lane = self.lanes.lane();
        let mut hit = Chance::NEVER;
        // Decided by what was counted before, then counted.
        lane.count(|own| {
            if !self.is_fresh(now) || !own.may_ask(gate) {
                self.look(own, now);
            }
            let chance = self.chance();
            if !chance.is_never() && chance.is_hit_by(own.draw()) {
                hit = chance;
            }
            &own.asked
        });
        if hit.is_never() {
            return Ok(Token::asked(gate));
        }
        lane.count(|own| &own.refused);
        Err(Throttled::new(self.name, hit))
    }

    /// Whether every call would be refused now: only by hand, because a draw leaves every call some hope.
    #[inline]
    pub(super) fn peek(&self) -> Result<(), Throttled> {
        let chance = self.chance();
        if chance.is_always() { Err(Throttled::new(self.name, chance)) } else { Ok(()) }
    }

    #[inline(always)]
    pub(super) fn settle(&self, token: Token, ending: &Ending<'_>, now: &Now<'_>) {
        if token.is_reserved() {
            // It was no request yet.
            return;
        }
        let gate = self.gate();
        let lane = self.lanes.lane();
        if !token.is_of(gate) {
            // A call that never started did not end late.
            if !matches!(ending, Ending::Cancelled) {
                lane.count(|own| &own.stale);
            }
            return;
        }
        match ending {
            Ending::Finished(report) if report.outcome() == Outcome::Success => {
                self.relieve(&lane, gate, now, |own| &own.accepted);
            }
            Ending::Finished(report) if report.outcome() == Outcome::Ignored => {
                lane.count(|own| &own.ignored);
                self.relieve(&lane, gate, now, |own| &own.withdrawn);
            }
            Ending::Abandoned => {
                lane.count(|own| &own.abandoned);
                if gate.ignores_abandoned() {
                    self.relieve(&lane, gate, now, |own| &own.withdrawn);
                }
            }
            Ending::Cancelled => self.relieve(&lane, gate, now, |own| &own.withdrawn),
            // It failed or panicked: the request stands, and was not accepted.
            _ => lane.count(|own| &own.failed),
        }
    }

    /// Counts what lowers the chance.
    #[inline(always)]
    fn relieve<'a>(
        &self,
        lane: &stripe::Lane<'a, Lane>,
        gate: Gate,
        now: &Now<'_>,
        part: impl FnOnce(&'a Lane) -> &'a Tally,
    ) {
        lane.count(|own| {
            if gate.is_throttling() && !own.may_relieve(gate) {
                self.look(own, now.get());
            }
            part(own)
        });
    }

    /// Counts a call that this throttle did not admit.
    pub(super) fn count(&self, ending: &Ending<'_>) {
        let now = Now::new(Some(&self.clock));
        let gate = self.gate();
        self.lanes.lane().count(|own| {
            if !self.is_fresh(now.get()) {
                self.look(own, now.get());
            }
            &own.asked
        });
        self.settle(Token::asked(gate), ending, &now);
    }

    /// Looks at all lanes, and lets this one count on. Apart, so that the paths of calls are small enough to be inlined.
    #[cold]
    #[inline(never)]
    fn look(&self, own: &Lane, now: Timestamp) {
        self.locked(now, Some(own), |_| ((), None));
    }

    /// Works under the lock: tells the machine what the lanes counted meanwhile and what time it is, does `work`, publishes,
    /// lets `own` count on, releases the lock, and then tells what happened.
    pub(super) fn locked<R>(
        &self,
        now: Timestamp,
        own: Option<&Lane>,
        work: impl FnOnce(&mut Locked) -> (R, Option<Event>),
    ) -> R {
        let mut locked = self.locked.lock();
        self.absorb(&mut locked);
        let first = locked.machine.look(now);
        let (result, second) = work(&mut locked);
        let gate = self.publish(&mut locked);
        if let Some(own) = own {
            own.renew(gate);
        }
        let events = [first, second];
        let happened = events.iter().any(Option::is_some);
        let tenant = locked.tenant.as_ref().filter(|_| happened).cloned();
        let observer = if happened { locked.machine.settings().observer.clone() } else { None };
        drop(locked);
        for event in events.iter().flatten() {
            match &tenant {
                Some(tenant) => tenant.observe(event),
                None => event.trace(None),
            }
            if let Some(observer) = &observer {
                observer.observe(event);
            }
        }
        result
    }

    pub(super) fn absorb(&self, locked: &mut Locked) {
        let counted = self.lanes.iter().map(Lane::counts).fold(Counts::default(), Counts::plus);
        locked.machine.note(&counted.minus(&locked.absorbed));
        locked.absorbed = counted;
    }

    /// The gate comes last: whoever sees it sees what belongs to it. Lines that did not change are not written.
    pub(super) fn publish(&self, locked: &mut Locked) -> Gate {
        locked.grant(self.shares);
        let machine = &locked.machine;
        let gate = Gate::new(&Parts {
            generation: machine.generation(),
            epoch: locked.epoch,
            grant: locked.granted,
            ignores_abandoned: machine.settings().ignores_abandoned,
            throttling: machine.is_changed_by_relief(),
        });
        let published = &self.published.0;
        set(&published.from, machine.fresh_from().as_nanos());
        set(&published.until, machine.fresh_until().as_nanos());
        set(&published.chance, machine.chance().bits());
        set(&published.gate, gate.bits());
        gate
    }

    /// What all lanes have counted since the throttle was made.
    pub(super) fn total(&self, locked: &Locked) -> Total {
        let mut total = self.counted();
        total.episodes = locked.machine.episodes();
        total.since(&locked.before)
    }

    pub(super) fn counted(&self) -> Total {
        let mut total = Total::default();
        self.lanes.iter().for_each(|lane| lane.add_to(&mut total));
        total
    }
}

impl Locked {
    /// Grants each of `shares` lanes its share of what may be counted without a look.
    ///
    /// A smaller grant than lanes may still hold must recall theirs, and each then looks once. So grants are powers of two, and
    /// grow only when they have become four times as large.
    fn grant(&mut self, shares: u64) {
        let all = self.machine.grant();
        let (asks, reliefs) = (share(all.asks, shares), share(all.reliefs, shares));
        if asks < self.granted.asks || reliefs < self.granted.reliefs {
            self.epoch = self.epoch.wrapping_add(1);
            self.granted = Grant { asks, reliefs };
            return;
        }
        if asks / 4 >= self.granted.asks.max(1) {
            self.granted.asks = asks;
        }
        if reliefs / 4 >= self.granted.reliefs.max(1) {
            self.granted.reliefs = reliefs;
        }
    }
}

/// A share of `all`, as 0 or a power of two.
fn share(all: u64, shares: u64) -> u64 {
    (all / shares).checked_ilog2().map_or(0, |exponent| 1 << exponent)
}

fn set(cell: &AtomicU64, value: u64) {
    if cell.load(Ordering::Relaxed) != value {
        cell.store(value, Ordering::Release);
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("name", &self.name)
            .field("probability", &self.chance().probability())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;
    use crate::throttle::Config;

    /// However the counts go, what is granted to all lanes together is within the margin or the slack, and is recalled as soon as
    /// it is not.
    #[test]
    fn lanes_together_are_granted_no_more_than_there_is() {
        for lanes in [0, 1, 3, 8, 64] {
            let (clock, _time) = Clock::manual();
            let settings = Settings::try_from(Config::default()).expect("valid");
            let throttle = Throttle::from_settings(Arc::new(settings), clock, lanes);
            let shares = u64::try_from(lanes).expect("few") + 1;
            let (mut epochs, mut epoch) = (0, throttle.gate().epoch());
            for step in 0..4_000_u64 {
                let outcome = if step % 2_000 < 1_200 { Outcome::Success } else { Outcome::Failure };
                (0..3).for_each(|_| throttle.record(outcome));
                let snapshot = throttle.snapshot();
                let gate = throttle.gate();
                let margin = throttle.formula().margin(snapshot.requests, snapshot.accepts).unwrap_or(0);
                let slack = snapshot.requests / Machine::SLACK;
                assert!(gate.asks() * shares <= margin.max(slack), "{} for each of {shares}", gate.asks());
                assert!(gate.reliefs() * shares <= slack, "{} for each of {shares}", gate.reliefs());
                epochs += u32::from(gate.epoch() != epoch);
                epoch = gate.epoch();
            }
            assert!(epochs < 40, "{epochs} times all lanes were sent to the lock");
        }
    }
}
