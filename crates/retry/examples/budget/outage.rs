//! Clients that call one dependency while it is well, fails now and then, is down, and is well again: on virtual time, so that
//! a seed repeats every call and every failure.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::{Clock, Timestamp};
use seawall_retry::{Attempt, Budget, BudgetConfig, BudgetSnapshot, Config, Deposits, Event, InFlight, Paying, Retry};
use seawall_testkit::exec::{Executor, Spawner};

/// How many clients there are, each with an instance and a budget of its own.
pub(crate) const CLIENTS: u64 = 5;
/// How many calls a second each makes, on average.
pub(crate) const CALLS_PER_SECOND: f64 = 20.0;
/// How long the dependency takes to answer, and to fail.
pub(crate) const LATENCY: Duration = Duration::from_millis(100);
/// Attempts of a call, the first included.
pub(crate) const ATTEMPTS: u32 = 4;
/// The longest wait before another attempt.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// Further attempts for each call.
pub(crate) const RATIO: f64 = 0.2;
/// Further attempts a second that are free, for each client.
pub(crate) const FREE_PER_SECOND: f64 = 1.0;
/// How long a budget of deposits remembers.
pub(crate) const TTL: Duration = Duration::from_secs(10);
/// Further attempts that may run at once in any case, for each client.
pub(crate) const FLOOR: u32 = 1;

/// What befalls the dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It answers.
    Well,
    /// One in ten attempts fails.
    Shaky,
    /// Every attempt fails.
    Down,
    /// It answers again.
    WellAgain,
}

impl Phase {
    /// In their order.
    pub(crate) const ALL: [Self; 4] = [Self::Well, Self::Shaky, Self::Down, Self::WellAgain];
    /// How long each lasts.
    pub(crate) const LENGTH: Duration = Duration::from_secs(30);

    /// When it begins.
    pub(crate) fn begin(self) -> Timestamp {
        Timestamp::ZERO + Self::LENGTH * (self as u32)
    }

    /// When it is over.
    pub(crate) fn end(self) -> Timestamp {
        self.begin() + Self::LENGTH
    }

    fn of(at: Timestamp) -> Self {
        Self::ALL.into_iter().rfind(|phase| at >= phase.begin()).unwrap_or(Self::Well)
    }

    fn failing(self) -> f64 {
        match self {
            Self::Well | Self::WellAgain => 0.0,
            Self::Shaky => 0.1,
            Self::Down => 1.0,
        }
    }
}

/// How the clients make calls again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not at all.
    Never,
    /// Three more times, whatever happens to the others.
    ThreeRetries,
    /// Three more times, if the calls of the last seconds pay for it.
    Deposits,
    /// Three more times, if few enough are being made again at the moment.
    InFlight,
}

impl Kind {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 4] = [Self::Never, Self::ThreeRetries, Self::Deposits, Self::InFlight];

    fn budget(self) -> Option<BudgetConfig> {
        match self {
            Self::Never | Self::ThreeRetries => None,
            Self::Deposits => Some(Deposits::default().ratio(RATIO).per_second(FREE_PER_SECOND).ttl(TTL).into()),
            Self::InFlight => Some(InFlight::default().share(RATIO).floor(FLOOR).into()),
        }
    }
}

/// When a further attempt was granted, and what the budget was like just after.
pub(crate) type Granted = (Timestamp, Option<BudgetSnapshot>);

/// What one client and the dependency saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    /// When calls began.
    pub(crate) calls: Vec<Timestamp>,
    /// When attempts reached the dependency.
    pub(crate) attempts: Vec<Timestamp>,
    /// The further attempts that were granted.
    pub(crate) granted: Vec<Granted>,
    /// When the calls began that ended well.
    pub(crate) good: Vec<Timestamp>,
}

impl Log {
    /// Attempts that reached the dependency in `phase`, in calls made in it.
    pub(crate) fn load(&self, phase: Phase) -> f64 {
        share(within(&self.attempts, phase), within(&self.calls, phase))
    }

    /// Calls of `phase` that ended well, in calls made in it.
    pub(crate) fn goodput(&self, phase: Phase) -> f64 {
        share(within(&self.good, phase), within(&self.calls, phase))
    }

    /// The logs of all clients in one.
    pub(crate) fn merged(logs: &[Self]) -> Self {
        let mut all = Self::default();
        for log in logs {
            all.calls.extend(&log.calls);
            all.attempts.extend(&log.attempts);
            all.granted.extend(log.granted.iter().cloned());
            all.good.extend(&log.good);
        }
        all
    }
}

fn within(times: &[Timestamp], phase: Phase) -> usize {
    times.iter().filter(|at| (phase.begin()..phase.end()).contains(at)).count()
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Plays all phases; what each client saw.
///
/// Calls begin at the same times whatever the clients do about failures.
pub(crate) fn play(kind: Kind, seed: u64) -> Vec<Log> {
    let executor = Executor::new(seed);
    let failures = Rc::new(RefCell::new(Random::new(seed)));
    let clients: Vec<Rc<Client>> = (1..=CLIENTS)
        .map(|number| {
            let seed = seed ^ (number << 32);
            let client = Rc::new(Client::new(kind, seed, &executor.clock(), Rc::clone(&failures)));
            executor.spawn(Rc::clone(&client).call_until_the_end(executor.spawner(), Random::new(!seed)));
            client
        })
        .collect();
    let left = executor.run();
    assert_eq!(left, 0, "every call ends");
    clients.iter().map(|client| client.log()).collect()
}

struct Client {
    retry: Retry,
    clock: Clock,
    /// Which attempts fail, whoever makes them.
    failures: Rc<RefCell<Random>>,
    log: RefCell<Log>,
    granted: Arc<Mutex<Vec<Granted>>>,
}

impl Client {
    fn new(kind: Kind, seed: u64, clock: &Clock, failures: Rc<RefCell<Random>>) -> Self {
        let budget = kind
            .budget()
            .map(|config| Budget::with_clock(config, clock.clone()).expect("the budget's values are valid"));
        let granted = Arc::<Mutex<Vec<Granted>>>::default();
        let config = Config::default()
            .name("payment")
            .max_attempts(if kind == Kind::Never { 1 } else { ATTEMPTS })
            .exponential(LONGEST_WAIT / 4, 2.0, LONGEST_WAIT)
            .budget(budget.clone().map_or(Paying::Unlimited, Paying::Shared))
            .observer({
                let (clock, granted) = (clock.clone(), Arc::clone(&granted));
                move |event: &Event| {
                    if let Event::Again { .. } = event {
                        let after = budget.as_ref().map(Budget::snapshot);
                        granted.lock().unwrap_or_else(PoisonError::into_inner).push((clock.now(), after));
                    }
                }
            });
        let retry = Retry::seeded(config, clock.clone(), Random::new(seed)).expect("the values are valid");
        Self { retry, clock: clock.clone(), failures, log: RefCell::default(), granted }
    }

    /// Begins calls as a Poisson process does, without waiting for their ends.
    async fn call_until_the_end(self: Rc<Self>, spawner: Spawner, mut random: Random) {
        loop {
            let gap = -(1.0 - random.next_share()).ln() / CALLS_PER_SECOND;
            self.clock.sleep(Duration::from_secs_f64(gap)).await;
            if self.clock.now() >= Phase::WellAgain.end() {
                return;
            }
            spawner.spawn(Rc::clone(&self).call());
        }
    }

    async fn call(self: Rc<Self>) {
        let began = self.clock.now();
        self.log.borrow_mut().calls.push(began);
        if let Ok(Ok(())) = self.retry.run(|attempt| self.attempt(attempt)).await {
            self.log.borrow_mut().good.push(began);
        }
    }

    /// The dependency: whether an attempt fails is decided when it arrives.
    async fn attempt(&self, _: Attempt) -> Result<(), ()> {
        let arrived = self.clock.now();
        self.log.borrow_mut().attempts.push(arrived);
        let fails = self.failures.borrow_mut().next_share() < Phase::of(arrived).failing();
        self.clock.sleep(LATENCY).await;
        if fails { Err(()) } else { Ok(()) }
    }

    fn log(&self) -> Log {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Log { granted, ..self.log.borrow().clone() }
    }
}
