use std::fmt;
use std::sync::Arc;

use seawall_core::stripe::{self, Striped};
use seawall_core::sync::Mutex;
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{ConfigError, Name, Outcome};

use super::billionths::{self, ONE};
use super::config::BudgetConfig;
use super::deposited::Deposited;
use super::guard::{Began, Extra};
use super::in_flight::Running;
use super::lane::{Lane, sum};
use super::settings::Settings;
use super::snapshot::BudgetSnapshot;
use super::tokens::Purse;

/// What extra attempts are paid from, so that they cannot multiply an outage.
///
/// A call that fails may be made again, but when all calls fail, making each three times puts three times the load on a dependency
/// that is down already. A budget lets only so many be made again as the calls themselves have paid for; the others fail at once.
/// It is a handle, cheap to clone: whatever calls the same dependency, retries and hedges, should share one.
///
/// [`BudgetConfig`] tells the three kinds apart. [`Retry`](crate::Retry) and hedges use a budget by themselves; a loop of one's own
/// begins its calls, and asks before each extra attempt:
///
/// ```
/// use seawall_retry::{Budget, Deposits};
///
/// # fn send() -> Result<u32, std::io::Error> { Err(std::io::ErrorKind::TimedOut.into()) }
/// let budget = Budget::new(Deposits::default().name("payment"))?;
///
/// let call = budget.begin();
/// let mut result = send();
/// for _ in 0..2 {
///     if result.is_ok() {
///         break;
///     }
///     let Some(_extra) = call.spend() else { break };
///     result = send();
/// }
/// # assert_eq!(budget.snapshot().spent, 2);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// # Cost
/// A call that needs no extra attempt takes no lock and allocates nothing, and what it writes no other thread reads often. With
/// [`Deposits`](crate::Deposits) it reads the clock. Asking for an extra attempt takes a lock for a moment, and the answer is exact:
/// of threads that race for the last one, one gets it.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    kind: Kind,
    lanes: Striped<Lane>,
    config: Mutex<BudgetConfig>,
    name: Name,
    clock: Clock,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each budget, behind its reference count")]
enum Kind {
    Deposits(Deposited),
    InFlight(Running),
    Tokens(Purse),
}

impl Budget {
    /// A budget on the [system clock](Clock::system): of [`Deposits`](crate::Deposits), [`InFlight`](crate::InFlight),
    /// [`Tokens`](crate::Tokens), or any of them as a [`BudgetConfig`].
    ///
    /// # Errors
    /// If a value cannot be; the error names it.
    pub fn new(config: impl Into<BudgetConfig>) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A budget on this clock. Who shares it should use the same one.
    ///
    /// # Errors
    /// If a value cannot be; the error names it.
    pub fn with_clock(config: impl Into<BudgetConfig>, clock: Clock) -> Result<Self, ConfigError> {
        let config = config.into();
        let (name, settings) = config.check()?;
        let kind = match settings {
            Settings::Deposits(rates) => Kind::Deposits(Deposited::new(&rates, clock.now())),
            Settings::InFlight(limit) => Kind::InFlight(Running::new(limit)),
            Settings::Tokens(throttle) => Kind::Tokens(Purse::new(throttle)),
        };
        let lanes = Striped::new(stripe::seats());
        Ok(Self(Arc::new(Inner { kind, lanes, config: Mutex::new(config), name, clock })))
    }

    /// Which budget this is.
    pub fn name(&self) -> Name {
        self.0.name
    }

    /// What it was made with, or last [reconfigured](Self::reconfigure) to.
    pub fn config(&self) -> BudgetConfig {
        self.0.config.lock().clone()
    }

    /// Takes over other values, with all that was counted. Of tokens, those above the new maximum are lost.
    ///
    /// A longer [`ttl`](crate::Deposits::ttl) holds once it has passed: what was forgotten before stays so.
    ///
    /// # Errors
    /// If a value cannot be, or the name or the kind is another; then nothing has changed.
    pub fn reconfigure(&self, config: impl Into<BudgetConfig>) -> Result<(), ConfigError> {
        let config = config.into();
        let (name, settings) = config.check()?;
        if name != self.0.name {
            let valid = format!("{:?}: a running budget keeps its name", self.0.name);
            return Err(ConfigError::new("name", format!("{name:?}"), valid));
        }
        let mut current = self.0.config.lock();
        match (&self.0.kind, settings) {
            (Kind::Deposits(deposited), Settings::Deposits(rates)) => {
                deposited.reconfigure(&self.0.lanes, &rates, self.0.clock.now());
            }
            (Kind::InFlight(running), Settings::InFlight(limit)) => running.reconfigure(limit),
            (Kind::Tokens(purse), Settings::Tokens(throttle)) => purse.reconfigure(throttle),
            _ => {
                let valid = format!("{}: a running budget keeps its kind", current.kind());
                return Err(ConfigError::new("kind", config.kind(), valid));
            }
        }
        *current = config;
        Ok(())
    }

    /// An original call begins: it pays its share, and runs until what is returned is dropped.
    #[inline]
    pub fn begin(&self) -> Began<'_> {
        self.enter(&Now::new(Some(&self.0.clock)));
        Began::new(self)
    }

    /// Leave for one extra attempt, if there is enough: it is paid for now, and runs until what is returned is dropped.
    pub fn spend(&self) -> Option<Extra<'_>> {
        self.try_spend(&Now::new(Some(&self.0.clock))).then(|| Extra::new(self))
    }

    /// Whether an extra attempt could begin now. Takes nothing.
    pub fn can_spend(&self) -> bool {
        self.balance(self.0.clock.now()).1
    }

    /// How an attempt ended, original or extra. Only [`Tokens`](crate::Tokens) heed it: a failure is one after which another attempt
    /// may be made.
    pub fn record(&self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.judged(true),
            Outcome::Failure => self.judged(false),
            _ => {}
        }
    }

    /// All that is known of the budget now. Changes nothing.
    pub fn snapshot(&self) -> BudgetSnapshot {
        let lanes = &self.0.lanes;
        let (balance, can_spend) = self.balance(self.0.clock.now());
        // What ends is read first, so that nothing is seen to end that was not seen to begin.
        let ended = sum(lanes, |lane| &lane.ended);
        let (extra_ended, given_back) = (sum(lanes, |lane| &lane.extra_ended), sum(lanes, |lane| &lane.given_back));
        let (calls, spent) = (sum(lanes, |lane| &lane.calls), sum(lanes, |lane| &lane.spent));
        BudgetSnapshot {
            name: self.0.name,
            kind: self.0.config.lock().kind(),
            balance,
            can_spend,
            in_flight: calls.saturating_sub(ended),
            extra_in_flight: spent.saturating_sub(extra_ended + given_back),
            calls,
            spent,
            given_back,
            denied: sum(lanes, |lane| &lane.denied),
        }
    }

    /// What is left, as a number for people, and whether it is enough.
    fn balance(&self, now: Timestamp) -> (f64, bool) {
        let lanes = &self.0.lanes;
        let (left, needed) = match &self.0.kind {
            Kind::Deposits(deposited) => (u128::try_from(deposited.balance(lanes, now)).unwrap_or_default(), ONE),
            Kind::InFlight(running) => (u128::from(running.balance(lanes)) * u128::from(ONE), ONE),
            Kind::Tokens(purse) => (purse.tokens().into(), purse.needed()),
        };
        (billionths::to_f64(left), left >= u128::from(needed))
    }

    /// An original call begins, and pays its share.
    #[inline]
    pub(crate) fn enter(&self, now: &Now<'_>) {
        let Inner { kind, lanes, .. } = &*self.0;
        if let Kind::Deposits(deposited) = kind {
            deposited.before_call(lanes, now.get());
        }
        lanes.lane().count(|lane| &lane.calls);
    }

    /// An original call has ended.
    #[inline]
    pub(crate) fn leave(&self) {
        self.0.lanes.lane().count(|lane| &lane.ended);
    }

    /// Leave for one extra attempt, to be [given back](Self::give_back) when it ends.
    pub(crate) fn try_spend(&self, now: &Now<'_>) -> bool {
        let Inner { kind, lanes, .. } = &*self.0;
        let granted = match kind {
            Kind::Deposits(deposited) => deposited.spend(lanes, now.get()),
            Kind::InFlight(running) => running.spend(lanes),
            Kind::Tokens(purse) => purse.tokens() >= purse.needed(),
        };
        lanes.lane().count(|lane| if granted { &lane.spent } else { &lane.denied });
        granted
    }

    /// An extra attempt has ended if it was `started`, and otherwise costs nothing.
    pub(crate) fn give_back(&self, started: bool) {
        match &self.0.kind {
            Kind::Deposits(deposited) => deposited.settle(started),
            Kind::InFlight(running) => running.settle(),
            Kind::Tokens(_) => {}
        }
        self.0.lanes.lane().count(|lane| if started { &lane.extra_ended } else { &lane.given_back });
    }

    /// An attempt had the result that was wanted, or one after which another attempt may be made.
    #[inline]
    pub(crate) fn judged(&self, good: bool) {
        if let Kind::Tokens(purse) = &self.0.kind {
            purse.judge(good);
        }
    }
}

impl Default for Budget {
    /// [`Deposits::default`](crate::Deposits::default) on the [system clock](Clock::system).
    fn default() -> Self {
        Self::new(BudgetConfig::default()).expect("the default values are valid")
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Budget").field(&self.config()).finish()
    }
}
