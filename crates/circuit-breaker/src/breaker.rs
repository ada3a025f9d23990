mod control;
mod following;
mod tenancy;

use std::any::Any;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::random::Random;
use seawall_core::stripe::{self, Counted, Striped, Tag, TaggedTally, Tally};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Ending, Name, Outcome, Shared};

use crate::error::Open;
use crate::event::{Event, State};
use crate::gate::Gate;
use crate::settings::Settings;
use crate::state::{Events, Machine, Ran, View};
use crate::text::Text;
use crate::token::{Kind, Token};
use crate::watch::{Sight, Watch};

pub(crate) use following::Left;
pub(crate) use tenancy::Tenant;

/// A circuit breaker: stops calling a dependency that fails, and tries it again with care.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Config`](crate::Config);
/// [`run`](Shared::run) makes one call; [`layer`](Shared::layer) (feature `tower`) protects a service;
/// [`Breaker`]'s methods give the snapshot and control by hand.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreaker, Config};
///
/// # async fn charge() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let payments = CircuitBreaker::new(Config::classic().name("payment"))?;
/// let receipt = payments.run(charge()).await??;
/// # assert_eq!(receipt, 7);
/// # Ok(())
/// # }
/// ```
pub type CircuitBreaker = Shared<Breaker>;

/// The policy behind a [`CircuitBreaker`]: its own methods, which every handle has.
///
/// # How it counts
/// A success is the common case, and costs a load and a store: each thread counts its own, and whoever next looks at the
/// circuit under its lock adds the counts up. Everything that can open the circuit (a failure, a slow call, an abandoned
/// one, a success that completes a minimum or begins a time bucket) takes the lock and decides by exact figures. Outcomes
/// that several threads report at the same moment take effect in some order; a success that coincides with the failure
/// that makes it decisive is taken into account with the next outcome.
///
/// A refusal reads the time and takes no lock.
pub struct Breaker {
    /// [`Gate`], written under the lock.
    gate: stripe::Padded<AtomicU64>,
    /// Until when every call is refused without the lock. [`View::refuse_until`], written before the gate.
    refuse_until: AtomicU64,
    /// When the state began: an earlier time is one after a step back of the clock.
    since: AtomicU64,
    /// When the newest bucket ends. [`View::bucket_end`].
    bucket_end: AtomicU64,
    /// Longer calls are slow, in nanoseconds.
    slow_after: AtomicU64,
    /// Why the circuit refuses: the place of the cause in its list.
    cause: AtomicU64,
    lanes: Striped<Counts>,
    /// Made when somebody first waits.
    watch: OnceLock<Box<Watch>>,
    locked: Mutex<Locked>,
    clock: Clock,
    name: Name,
}

/// What each thread counts for itself.
#[derive(Debug, Default)]
struct Counts {
    /// Successes of the generation that the window has to know of.
    successes: TaggedTally,
    refused: Tally,
}

struct Locked {
    machine: Machine,
    /// Names the period in which the lanes count for the window.
    tag: Tag,
    /// How many of the lanes' successes the machine knows.
    absorbed: u64,
    totals: Totals,
    /// What all lanes had refused when the state began.
    refused_before: u64,
    /// What all lanes had refused when this breaker began to guard its present dependency.
    refused_for_others: u64,
    /// What was counted for former dependencies.
    former: Totals,
    tenant: Option<Tenant>,
    last_error: Option<Text>,
}

/// A token's two words, or how long the call is refused: small enough to be returned in registers.
#[derive(Clone, Copy)]
struct Decision {
    token: Option<NonZeroU64>,
    detail: u64,
}

impl Decision {
    const fn admitted(token: Token) -> Self {
        let (word, detail) = token.into_parts();
        Self { token: Some(word), detail }
    }

    const fn refused(left: u64) -> Self {
        Self { token: None, detail: left }
    }
}

/// What was counted since the breaker was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) ignored: u64,
    pub(crate) abandoned: u64,
    pub(crate) stale: u64,
    pub(crate) refused: u64,
    /// By the state that was entered.
    pub(crate) transitions: [u64; State::ALL.len()],
}

impl Breaker {
    /// So many successes under one tag are a reason for a new one, long before a lane is full.
    const MANY: u64 = 1 << 38;

    pub(crate) fn from_settings(settings: Arc<Settings>, clock: Clock, lanes: usize) -> Self {
        let now = clock.now();
        let name = settings.name;
        let breaker = Self {
            gate: stripe::Padded(AtomicU64::new(0)),
            refuse_until: AtomicU64::new(0),
            since: AtomicU64::new(0),
            bucket_end: AtomicU64::new(0),
            slow_after: AtomicU64::new(u64::MAX),
            cause: AtomicU64::new(0),
            lanes: Striped::new(lanes),
            watch: OnceLock::new(),
            locked: Mutex::new(Locked {
                machine: Machine::new(settings, Random::unforeseen(), now),
                tag: Tag::default(),
                absorbed: 0,
                totals: Totals::default(),
                refused_before: 0,
                refused_for_others: 0,
                former: Totals::default(),
                tenant: None,
                last_error: None,
            }),
            clock,
            name,
        };
        breaker.locked(|_, _| ());
        breaker
    }

    /// Works under the lock: tells the machine the successes that the lanes counted meanwhile, does `work`, publishes the
    /// view, releases the lock, and then tells what happened.
    fn locked<R>(&self, work: impl FnOnce(&mut Locked, &mut Events) -> R) -> R {
        let (result, news) = self.locked_quietly(work);
        self.tell(news);
        result
    }

    /// The same, but leaves it to the caller to tell what happened.
    fn locked_quietly<R>(&self, work: impl FnOnce(&mut Locked, &mut Events) -> R) -> (R, News) {
        let mut events = Events::new();
        let mut locked = self.locked.lock();
        let counted = self.sum(|lane| lane.successes.get(locked.tag));
        let news = counted.saturating_sub(locked.absorbed);
        locked.absorbed = counted;
        locked.totals.successes += news;
        locked.machine.absorb(news);
        let generation = locked.machine.generation();
        let before = self.sight(&locked);
        let result = work(&mut locked, &mut events);
        let moved = locked.machine.generation() != generation;
        if moved || counted >= Self::MANY {
            // From here on, what is counted under the old tag is too late. Lanes that nobody wrote since the tag was last
            // used, before it wrapped, have a count under it already.
            locked.tag = locked.tag.next();
            locked.absorbed = self.sum(|lane| lane.successes.get(locked.tag));
        }
        if moved {
            locked.refused_before = self.sum(|lane| lane.refused.get());
        }
        for event in events.iter().filter(|event| event.from != event.to) {
            locked.totals.transitions[event.to as usize] += 1;
        }
        self.publish(&locked);
        let told = !events.is_empty();
        let tenant = locked.tenant.as_ref().filter(|_| told).cloned();
        let observer = locked.machine.settings().observer.as_ref().filter(|_| told).cloned();
        let panic = locked.machine.take_panic();
        let seen = before.zip(self.sight(&locked));
        (result, News { events, tenant, observer, panic, seen })
    }

    /// What those who wait can see, if anybody ever waited.
    fn sight(&self, locked: &Locked) -> Option<Sight> {
        self.watch.get().map(|_| Sight::of(&locked.machine))
    }

    /// Tells what happened, once the lock is released.
    fn tell(&self, news: News) {
        if let (Some(watch), Some((before, after))) = (self.watch.get(), news.seen) {
            watch.tell(before, after);
        }
        news.tell();
    }

    fn sum(&self, part: impl Fn(&Counts) -> u64) -> u64 {
        self.lanes.iter().map(part).sum()
    }

    /// The gate comes last: whoever sees it sees what belongs to it. Lines that did not change are not written.
    fn publish(&self, locked: &Locked) {
        let view: View = locked.machine.view();
        let slow_after = locked.machine.settings().slow.map_or(u64::MAX, |slow| nanos(slow.after));
        set(&self.since, locked.machine.since().as_nanos());
        set(&self.refuse_until, view.refuse_until.as_nanos());
        set(&self.bucket_end, view.bucket_end.as_nanos());
        set(&self.slow_after, slow_after);
        set(&self.cause, view.cause as u64);
        set(&self.gate.0, Gate::new(&view, locked.tag).bits());
    }

    #[inline]
    fn gate(&self) -> Gate {
        Gate::from_bits(self.gate.0.load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline(always)]
    pub(crate) fn admit(&self, now: &Now<'_>, reserving: bool) -> Result<Token, Open> {
        // A reservation is refused again when its call comes, and counted then.
        self.admit_counting(now, reserving, !reserving)
    }

    /// Admits a call, and counts it if it is refused and `counts`.
    #[inline(always)]
    pub(crate) fn admit_counting(&self, now: &Now<'_>, reserving: bool, counts: bool) -> Result<Token, Open> {
        let gate = self.gate();
        if gate.is_judging() {
            // A call whose start nobody knew is never slow, should durations come to matter while it runs.
            let started = if gate.is_timed() { now.get() } else { Timestamp::NEVER };
            return Ok(Token::new(gate.generation(), Kind::Counted, started));
        }
        let left = self.refuses_for(now);
        if left > 0 {
            if counts {
                self.count_refusal();
            }
            // Made here, where it is returned: it is too large to be handed on without copying.
            return Err(self.refusal(gate, left));
        }
        match self.admit_slowly(gate, now, reserving, counts) {
            Decision { token: Some(word), detail } => Ok(Token::from_parts(word, detail)),
            Decision { token: None, detail } => Err(self.refusal(self.gate(), detail)),
        }
    }

    #[inline]
    pub(crate) fn count_refusal(&self) {
        self.lanes.lane().count(|lane| &lane.refused);
    }

    /// Apart, so that the healthy path is small enough to be inlined everywhere.
    #[cold]
    #[inline(never)]
    fn admit_slowly(&self, gate: Gate, now: &Now<'_>, reserving: bool, counts: bool) -> Decision {
        let kind = if reserving {
            Kind::Reserved
        } else if gate.state() == State::Disabled {
            Kind::Uncounted
        } else {
            return self.admit_locked(now, counts);
        };
        Decision::admitted(Token::new(gate.generation(), kind, Timestamp::NEVER))
    }

    /// How long every call is refused, as far as that can be told without the lock: 0 if not at all, all ones if no time
    /// ends it.
    #[inline]
    fn refuses_for(&self, now: &Now<'_>) -> u64 {
        match self.refuse_until.load(Ordering::Acquire) {
            0 => 0,
            u64::MAX => u64::MAX,
            // Before the state began, the clock has stepped back: the machine sets its times again.
            _ if now.get().as_nanos() < self.since.load(Ordering::Relaxed) => 0,
            until => until.saturating_sub(now.get().as_nanos()),
        }
    }

    #[inline]
    fn refusal(&self, gate: Gate, left: u64) -> Open {
        // Between a refusal and this look the circuit may have changed into a state that does not refuse.
        let state = match gate.state() {
            state @ (State::HalfOpen | State::ForcedOpen) => state,
            _ => State::Open,
        };
        Open::new(self.name, state, self.cause.load(Ordering::Relaxed), left)
    }

    #[cold]
    #[inline(never)]
    fn admit_locked(&self, now: &Now<'_>, counts: bool) -> Decision {
        let at = now.get();
        let (decided, news) = self.locked_quietly(|locked, events| {
            let grant = locked.machine.admit(at, events);
            let generation = Gate::generation_bits(locked.machine.generation());
            let until = locked.machine.retry_at(at);
            grant.map(|grant| Token::new(generation, grant.into(), at)).ok_or(until)
        });
        let granted = decided.map(|token| Granted { breaker: self, token, at });
        self.tell(news);
        match granted {
            Ok(granted) => Decision::admitted(granted.keep()),
            Err(until) => {
                if counts {
                    self.count_refusal();
                }
                let left = until.as_nanos().saturating_sub(at.as_nanos());
                Decision::refused(if until == Timestamp::NEVER { u64::MAX } else { left })
            }
        }
    }

    /// Whether any call would be refused now.
    pub(crate) fn peek(&self, now: &Now<'_>) -> Result<(), Open> {
        let gate = self.gate();
        match if gate.is_judging() { 0 } else { self.refuses_for(now) } {
            0 => Ok(()),
            left => Err(self.refusal(gate, left)),
        }
    }

    pub(crate) fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Open> {
        let gate = self.gate();
        if token.kind() == Kind::Reserved || token.generation() != gate.generation() {
            // A grant of an older generation holds nothing that could be given back.
            *token = self.admit(now, false)?;
        } else if gate.is_timed() {
            token.restart(now.get());
        }
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        match &ending {
            Ending::Finished(report) if report.outcome() == Outcome::Success => {
                if !self.count_success(token, now) && token.kind() != Kind::Uncounted {
                    self.settle_locked(token, ending, now);
                }
            }
            // While disabled nothing is recorded.
            _ if token.kind() == Kind::Uncounted => {}
            // Only a probe holds something to give back.
            Ending::Cancelled if token.kind() != Kind::Probe => {}
            _ => self.settle_locked(token, ending, now),
        }
    }

    /// Counts a success in this thread's lane, unless it could change the circuit or belongs to no open count.
    #[inline(always)]
    fn count_success(&self, token: Token, now: &Now<'_>) -> bool {
        let gate = self.gate();
        if !token.is_counted_in(gate.generation()) || gate.is_watched() {
            return false;
        }
        if gate.asks_the_time() && !self.is_plain(gate, token, now) {
            return false;
        }
        match self.lanes.lane().count_tagged(|lane| &lane.successes, gate.tag()) {
            Counted::Plainly => true,
            Counted::NearlyFull => self.begin_new_count(),
            Counted::TooLate => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_new_count(&self) -> bool {
        self.locked(|_, _| true)
    }

    /// Whether a success is neither slow nor the first of a new time bucket.
    #[inline(always)]
    fn is_plain(&self, gate: Gate, token: Token, now: &Now<'_>) -> bool {
        let now = now.get();
        let bucket_end = Timestamp::from_nanos(self.bucket_end.load(Ordering::Relaxed));
        now < bucket_end && (!gate.is_timed() || !self.is_slow(token, now))
    }

    #[inline]
    fn is_slow(&self, token: Token, now: Timestamp) -> bool {
        now.as_nanos().saturating_sub(token.started().as_nanos()) > self.slow_after.load(Ordering::Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn settle_locked(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        let at = now.get();
        // A panic of the user's `Display` reaches the caller once the call has ended.
        let text = catch_unwind(AssertUnwindSafe(|| error_text(&ending)));
        let error = text.as_ref().ok().copied().flatten();
        self.locked(|locked, events| {
            // Time may end the generation before the call does.
            locked.machine.tick(at, events);
            let generation = Gate::generation_bits(locked.machine.generation());
            match token.kind() {
                // It never became a call.
                Kind::Reserved | Kind::Uncounted => {}
                Kind::Counted | Kind::Probe if token.generation() != generation => {
                    // A call that never started did not end late.
                    locked.totals.stale += u64::from(!matches!(ending, Ending::Cancelled));
                }
                Kind::Counted | Kind::Probe => {
                    locked.note(&ending, error);
                    locked.machine.settle(&ending, Ran::Since(token.started()), at, events);
                }
            }
        });
        if let Err(panic) = text {
            resume_unwind(panic);
        }
    }
}

/// What happened, to be told once the lock is released.
struct News {
    events: Events,
    tenant: Option<Tenant>,
    observer: Option<Arc<dyn Observer<Event>>>,
    /// What the user's rule for the open interval panicked with.
    panic: Option<Box<dyn Any + Send>>,
    /// What those who wait could see before and after.
    seen: Option<(Sight, Sight)>,
}

impl News {
    fn tell(self) {
        for event in &self.events {
            match &self.tenant {
                Some(tenant) => tenant.observe(event),
                None => event.trace(None),
            }
            if let Some(observer) = &self.observer {
                observer.observe(event);
            }
        }
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}

/// A grant while observers are told: given back if one of them panics.
struct Granted<'a> {
    breaker: &'a Breaker,
    token: Token,
    at: Timestamp,
}

impl Granted<'_> {
    fn keep(self) -> Token {
        let token = self.token;
        std::mem::forget(self);
        token
    }
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self.token, Ending::Cancelled, &Now::at(self.at));
    }
}

impl Locked {
    /// Counts an ending that is not stale.
    fn note(&mut self, ending: &Ending<'_>, error: Option<Text>) {
        let totals = &mut self.totals;
        match ending {
            Ending::Finished(report) => match report.outcome() {
                Outcome::Success => totals.successes += 1,
                Outcome::Failure => totals.failures += 1,
                _ => totals.ignored += 1,
            },
            Ending::Panicked => totals.failures += 1,
            Ending::Abandoned => totals.abandoned += 1,
            _ => {}
        }
        if error.is_some() {
            self.last_error = error;
        }
    }
}

/// The user's `Display` runs here, before the lock is taken.
fn error_text(ending: &Ending<'_>) -> Option<Text> {
    match ending {
        Ending::Finished(report) if report.outcome() == Outcome::Failure => report.error().map(Text::of),
        _ => None,
    }
}

fn set(cell: &AtomicU64, value: u64) {
    if cell.load(Ordering::Relaxed) != value {
        cell.store(value, Ordering::Release);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name).field("state", &self.gate().state()).finish_non_exhaustive()
    }
}
