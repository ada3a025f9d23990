use std::time::Duration;

/// What a [`Budget`](crate::Budget) pays for, in one of three ways.
///
/// | kind | an extra attempt may begin | take it when |
/// |---|---|---|
/// | [`Deposits`] | while the calls of the last seconds have left something over | in doubt: it bounds the load that is added |
/// | [`InFlight`] | while few of the attempts that run are extra ones | calls hang rather than fail: it bounds what runs at once |
/// | [`Tokens`] | while more attempts succeed than fail | it must do as gRPC clients do |
///
/// Values are checked when a budget takes them; the error names the field.
///
/// With feature `serde` it is a table named after its kind, in which everything may be left out:
/// `{ deposits = { ratio = 0.2, per_second = 10, ttl = "10s" } }`, `{ in_flight = { share = 0.2, floor = 3 } }` or
/// `{ tokens = { max = 10, ratio = 0.1 } }`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum BudgetConfig {
    /// Each call pays for a share of an extra attempt.
    Deposits(Deposits),
    /// Extra attempts are a share of all that run.
    InFlight(InFlight),
    /// Failures take tokens, successes return them.
    Tokens(Tokens),
}

impl BudgetConfig {
    /// The same, for an instance of another name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        match self {
            Self::Deposits(deposits) => Self::Deposits(deposits.name(name)),
            Self::InFlight(in_flight) => Self::InFlight(in_flight.name(name)),
            Self::Tokens(tokens) => Self::Tokens(tokens.name(name)),
        }
    }

    /// The kind in `snake_case`, as in configurations and snapshots.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Deposits(_) => "deposits",
            Self::InFlight(_) => "in_flight",
            Self::Tokens(_) => "tokens",
        }
    }
}

impl Default for BudgetConfig {
    /// [`Deposits::default`].
    fn default() -> Self {
        Self::Deposits(Deposits::default())
    }
}

impl From<Deposits> for BudgetConfig {
    fn from(deposits: Deposits) -> Self {
        Self::Deposits(deposits)
    }
}

impl From<InFlight> for BudgetConfig {
    fn from(in_flight: InFlight) -> Self {
        Self::InFlight(in_flight)
    }
}

impl From<Tokens> for BudgetConfig {
    fn from(tokens: Tokens) -> Self {
        Self::Tokens(tokens)
    }
}

const NAME: &str = "retry_budget";

/// Each original call pays for `ratio` of an extra attempt, and `per_second` extra attempts a second are free.
///
/// For every extra attempt: in the `ttl` up to it, there were at most `ratio` times as many extra attempts as calls, and
/// `per_second * ttl` more. So a dependency that is down gets, with `ratio` 0.2, at most 1.2 times its normal load and the free
/// ones, over every `ttl` that ends with an extra attempt.
///
/// ```
/// use seawall_retry::{Budget, Deposits};
///
/// let budget = Budget::new(Deposits::default().ratio(0.1).per_second(0.0))?;
/// for _ in 0..10 {
///     budget.begin();
/// }
/// assert!(budget.spend().is_some(), "ten calls pay for one extra attempt");
/// assert!(budget.spend().is_none());
///
/// let error = Budget::new(Deposits::default().ratio(-0.1)).unwrap_err();
/// assert_eq!(error.to_string(), "`deposits.ratio` is -0.1, must be a number from 0 to 1000");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Deposits {
    pub(super) name: String,
    pub(super) ratio: f64,
    pub(super) per_second: f64,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(super) ttl: Duration,
}

impl Default for Deposits {
    /// One extra attempt for five calls, and 10 a second whatever the load, over 10 seconds.
    fn default() -> Self {
        Self { name: NAME.into(), ratio: 0.2, per_second: 10.0, ttl: Duration::from_secs(10) }
    }
}

impl Deposits {
    /// Names the instance in its metrics. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many extra attempts each call pays for: 0 to 1000, 0.2 by default. Above 1 is more than one extra attempt for a call.
    ///
    /// It is rounded to the nearest billionth, so a number of at most nine decimals is exact.
    #[must_use]
    pub const fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// How many extra attempts a second are free, for clients that make few calls: 0 to 1 000 000, 10 by default.
    ///
    /// Those of a whole `ttl` may be spent at once, and come back `ttl` after. So one in ten seconds (0.1) needs a `ttl` of 10
    /// seconds to be of use alone.
    #[must_use]
    pub const fn per_second(mut self, attempts: f64) -> Self {
        self.per_second = attempts;
        self
    }

    /// For how long a call pays, and an extra attempt counts: 1 to 60 seconds, 10 by default. Nanoseconds that are not a multiple of
    /// ten are left off.
    ///
    /// It is the time over which the bound holds. What it has left over may be spent at once when calls begin to fail, and then
    /// there is little until it is over: a short one gives less at once, and less to a client that makes few calls.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

/// Extra attempts may be a `share` of all attempts that run, and `floor` in any case.
///
/// One is refused if `floor` run already and they are more than `share` of all that run, extra ones included. So at most
/// `max(floor, ⌊o * share / (1 - share)⌋ + 1)` run beside `o` original calls: with 0.2, one for four calls.
///
/// ```
/// use seawall_retry::{Budget, InFlight};
///
/// let budget = Budget::new(InFlight::default().share(0.5).floor(1))?;
/// let call = budget.begin();
/// let first = call.spend().expect("the floor");
/// let second = call.spend().expect("one of two is not more than a half");
/// assert!(call.spend().is_none(), "two of three are");
/// drop(first);
/// assert!(call.spend().is_some());
/// # drop(second);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct InFlight {
    pub(super) name: String,
    pub(super) share: f64,
    pub(super) floor: u32,
}

impl Default for InFlight {
    /// A fifth of all that run, and 3 in any case.
    fn default() -> Self {
        Self { name: NAME.into(), share: 0.2, floor: 3 }
    }
}

impl InFlight {
    /// Names the instance in its metrics. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Which share of the attempts that run may be extra ones: 0 to 1, 0.2 by default. At 1 nothing is refused.
    ///
    /// It is rounded to the nearest billionth.
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// How many extra attempts may run at once in any case: 3 by default.
    #[must_use]
    pub const fn floor(mut self, attempts: u32) -> Self {
        self.floor = attempts;
        self
    }
}

/// gRPC's retry throttling: there are at most `max` tokens, an attempt that fails takes one, one that succeeds returns `ratio` of
/// one, and an extra attempt may begin while there are more than half of `max`.
///
/// It tells nothing about how many extra attempts there are, only that they end soon after most attempts fail: with `ratio` 0.1,
/// when more than one in eleven does.
///
/// ```
/// use seawall_core::Outcome;
/// use seawall_retry::{Budget, Tokens};
///
/// let budget = Budget::new(Tokens::default().max(4).ratio(0.5))?;
/// budget.record(Outcome::Failure);
/// assert!(budget.can_spend(), "3 of 4 are left");
/// budget.record(Outcome::Failure);
/// assert!(!budget.can_spend(), "2 are not more than a half");
/// budget.record(Outcome::Success);
/// assert!(budget.can_spend());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Tokens {
    pub(super) name: String,
    pub(super) max: u32,
    pub(super) ratio: f64,
}

impl Default for Tokens {
    /// 10 tokens, of which a success returns a tenth.
    fn default() -> Self {
        Self { name: NAME.into(), max: 10, ratio: 0.1 }
    }
}

impl Tokens {
    /// Names the instance in its metrics. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many tokens there are at first and at most: 1 to 1000, 10 by default.
    #[must_use]
    pub const fn max(mut self, tokens: u32) -> Self {
        self.max = tokens;
        self
    }

    /// How many tokens a success returns: 0.001 to 1000, 0.1 by default. It is rounded to the nearest billionth.
    #[must_use]
    pub const fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }
}
