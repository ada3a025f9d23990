//! Several limits as one decision.

mod rule;
mod violation;

pub use rule::Rule;
pub use violation::Violation;

use std::convert::Infallible;
use std::fmt;

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, ConfigError, Ending, Name, Policy, Shared};

use crate::grant::Grant;
use crate::meter::Standing;
use crate::quota::Quota;

/// Several limits over different keys, such as everybody, endpoint, address, user and tenant, as **one** decision: a call takes
/// from all that concern it, or from none.
///
/// It is a handle, cheap to clone and shared by all clones.
///
/// ```
/// use seawall_rate_limit::{Config, Layers, Quota, RateLimiter, Rule};
///
/// struct Request { expensive: bool }
///
/// let everybody = RateLimiter::new(Config::new(Quota::per_minute(1_000)).name("global"))?;
/// let expensive = RateLimiter::new(Config::new(Quota::per_minute(1)).name("expensive"))?;
/// let limits = Layers::of([
///     Rule::all(&expensive).when(|request: &Request| request.expensive),
///     Rule::all(&everybody),
/// ])?;
///
/// limits.with(&Request { expensive: true }).try_admit().expect("the first").success();
/// let violation = limits.with(&Request { expensive: true }).try_admit().unwrap_err();
/// assert_eq!(violation.violated().map(|throttled| throttled.name().to_string()).collect::<Vec<_>>(), ["expensive"]);
/// assert_eq!(everybody.peek().remaining(), 999, "a refused call takes from no limit");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type LayeredRateLimiter<Call, const N: usize> = Shared<Layers<Call, N>>;

/// The policy behind a [`LayeredRateLimiter`].
///
/// # How it decides
/// All limits are looked at first, which writes nothing: a call that any of them would refuse is refused with **every** one that
/// would, and the longest of their waits. Then the cells are taken in the order of the rules; a limit that was used up in between
/// refuses, and what was taken before is given back by receipt. So nothing is ever admitted that a limit does not have room for;
/// a concurrent call may be refused because of cells that another takes for a moment.
///
/// Write the narrow limits first and the wide ones last: then a noisy caller is refused by its own limit, and does not touch the
/// memory that all calls share.
///
/// The functions that find keys and cells are asked twice for each call, and must answer alike.
///
/// It never waits. It has no settings of its own: reconfigure the limits.
pub struct Layers<Call: ?Sized, const N: usize> {
    rules: [Rule<Call>; N],
    clock: Clock,
}

impl<Call: ?Sized, const N: usize> Layers<Call, N> {
    /// These rules as one limiter.
    ///
    /// # Errors
    /// If there is none, if two have the same name, or if they do not share one clock.
    pub fn of(rules: [Rule<Call>; N]) -> Result<LayeredRateLimiter<Call, N>, ConfigError> {
        let Some(first) = rules.first() else {
            return Err(ConfigError::new("rules", "empty", "at least one rule"));
        };
        let clock = first.clock().clone();
        for (i, rule) in rules.iter().enumerate() {
            if !clock.is_same(rule.clock()) {
                let valid = format!("on the clock of `{}`: the limits of one decision share a clock", first.name());
                return Err(ConfigError::new("rules", format!("`{}` on {:?}", rule.name(), rule.clock()), valid));
            }
            if rules[..i].iter().any(|other| other.name() == rule.name()) {
                return Err(ConfigError::new("rules", format!("two named `{}`", rule.name()), "of different names"));
            }
        }
        Ok(Shared::from_policy(Self { rules, clock }))
    }

    /// The rules, in their order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule<Call>> {
        self.rules.iter()
    }

    /// What was taken for a call, by limit: their names, their quotas and how much was left of each.
    pub fn standing<'a>(&'a self, taken: &'a Layered<N>) -> impl Iterator<Item = (Name, Quota, u32)> + 'a {
        let granted = self.rules.iter().zip(taken.grants());
        granted
            .filter_map(|(rule, grant)| grant.map(|grant| (rule.name(), rule.limits(grant).quota(), grant.remaining())))
    }

    /// What every limit that concerns the call has to say. Takes nothing.
    fn look(&self, call: &Call, now: Timestamp) -> [Option<Standing>; N] {
        std::array::from_fn(|i| self.rules[i].look(call, now))
    }

    #[cold]
    fn refuse(&self, standings: [Option<Standing>; N], call: &Call, now: Timestamp) -> Violation<N> {
        for (rule, standing) in self.rules.iter().zip(&standings) {
            if let Some(Standing::Refuses(_)) = standing {
                rule.count_refused(call, now);
            }
        }
        Violation::new(standings)
    }

    fn give_back(&self, grants: Layered<N>, now: Timestamp) {
        for (rule, grant) in self.rules.iter().zip(grants.0) {
            if let Some(grant) = grant {
                // What was taken just now may have read the clock once more.
                let now = now.max(grant.taken.at);
                rule.give_back(grant, now);
            }
        }
    }
}

/// What was taken for one call: of each rule that concerns it.
#[derive(Debug)]
pub struct Layered<const N: usize>(pub(crate) [Option<Grant>; N]);

impl<const N: usize> Layered<N> {
    /// What was taken of each rule, in the order of the rules; nothing of those that do not concern the call.
    pub fn grants(&self) -> impl Iterator<Item = Option<&Grant>> {
        self.0.iter().map(Option::as_ref)
    }
}

impl<Call: ?Sized, const N: usize> Policy for Layers<Call, N> {
    type Token = Layered<N>;
    type Place = Infallible;
    type Refusal = Violation<N>;

    const SETTLES: bool = false;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, token: Layered<N>, ending: Ending<'_>, now: &Now<'_>) {
        if let Ending::Cancelled = ending {
            self.give_back(token, now.get());
        }
    }
}

impl<Call: ?Sized, const N: usize> Admits<Call> for Layers<Call, N> {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Layered<N>, Violation<N>> {
        let now = ask.now.get();
        let standings = self.look(ask.call, now);
        if standings.iter().any(|standing| matches!(standing, Some(Standing::Refuses(_)))) {
            return Err(self.refuse(standings, ask.call, now));
        }
        let mut taking = Taking { layers: self, taken: Some(Layered([const { None }; N])), now };
        for (i, standing) in standings.iter().enumerate() {
            if standing.is_none() {
                continue;
            }
            match self.rules[i].take(ask.call, now) {
                Some(Ok(grant)) => taking.add(i, grant),
                None => {}
                Some(Err(throttled)) => {
                    let mut standings = standings;
                    standings[i] = Some(Standing::Refuses(throttled));
                    return Err(Violation::new(standings));
                }
            }
        }
        Ok(taking.keep())
    }
}

/// What was taken so far: given back unless all of it is there, whatever panics.
struct Taking<'a, Call: ?Sized, const N: usize> {
    layers: &'a Layers<Call, N>,
    taken: Option<Layered<N>>,
    now: Timestamp,
}

impl<Call: ?Sized, const N: usize> Taking<'_, Call, N> {
    fn add(&mut self, place: usize, grant: Grant) {
        if let Some(taken) = &mut self.taken {
            taken.0[place] = Some(grant);
        }
    }

    fn keep(mut self) -> Layered<N> {
        self.taken.take().expect("it is there until it is kept")
    }
}

impl<Call: ?Sized, const N: usize> Drop for Taking<'_, Call, N> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.layers.give_back(taken, self.now);
        }
    }
}

impl<Call: ?Sized, const N: usize> fmt::Debug for Layers<Call, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").field("rules", &self.rules).finish_non_exhaustive()
    }
}
