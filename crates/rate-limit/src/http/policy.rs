use std::cmp::Reverse;
use std::time::Duration;

use seawall_core::{ConfigError, Name};

/// A quota as callers are told of it: its name, how much it is and in what time.
///
/// ```
/// use seawall_core::Name;
/// use seawall_rate_limit::http::Policy;
/// use std::time::Duration;
///
/// let burst = Policy::new(Name::from_static("burst"), 100)?.window(Duration::from_secs(60));
/// assert_eq!(burst.window_seconds(), Some(60));
/// // Fields tell whole seconds: of any other time nothing is said, since one second would be another quota.
/// assert_eq!(burst.window(Duration::from_millis(250)).window_seconds(), None);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    name: Name,
    quota: u64,
    /// In seconds; 0 if it is not told.
    window: u64,
    unit: QuotaUnit,
}

impl Policy {
    /// The largest number that a structured field can say: 15 digits (RFC 9651 section 3.3.1).
    pub const MAX_QUOTA: u64 = 999_999_999_999_999;

    /// A quota of so many units.
    ///
    /// # Errors
    /// A `name` with letters that are not printable ASCII, which no field can say; a `quota` above
    /// [`MAX_QUOTA`](Self::MAX_QUOTA).
    pub fn new(name: Name, quota: u64) -> Result<Self, ConfigError> {
        if !name.as_str().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(ConfigError::new("name", format_args!("{name:?}"), "1 to 31 letters of printable ASCII"));
        }
        if quota > Self::MAX_QUOTA {
            return Err(ConfigError::new("quota", quota, "0 to 999999999999999"));
        }
        Ok(Self { name, quota, window: 0, unit: QuotaUnit::Requests })
    }

    /// The time that the quota is for. One that is not of whole seconds is not told, neither is none.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        let seconds = window.as_secs();
        self.window = if window.subsec_nanos() == 0 && seconds <= Self::MAX_QUOTA { seconds } else { 0 };
        self
    }

    /// What the quota counts: requests by default.
    #[must_use]
    pub const fn unit(mut self, unit: QuotaUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Its name.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// How many units it has.
    pub const fn quota(&self) -> u64 {
        self.quota
    }

    /// The window that is told, in seconds.
    pub const fn window_seconds(&self) -> Option<u64> {
        if self.window == 0 { None } else { Some(self.window) }
    }

    /// What it counts.
    pub const fn quota_unit(&self) -> QuotaUnit {
        self.unit
    }
}

/// What a quota counts: the draft's registry of units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaUnit {
    /// Requests.
    #[default]
    Requests,
    /// Bytes of content.
    ContentBytes,
    /// Requests that are answered at the same time.
    ConcurrentRequests,
}

impl QuotaUnit {
    /// The unit as fields name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ContentBytes => "content-bytes",
            Self::ConcurrentRequests => "concurrent-requests",
        }
    }
}

/// How a caller stands with a [policy](Policy), as a response tells it.
///
/// ```
/// use seawall_core::Name;
/// use seawall_rate_limit::http::{Policy, PolicyState};
/// use std::time::Duration;
///
/// let [global, user] = [Policy::new(Name::from_static("global"), 1_000)?, Policy::new(Name::from_static("user"), 10)?];
/// let states = [
///     PolicyState::new(&global, 5).reset_after(Duration::from_secs(1)),
///     PolicyState::new(&user, 3).reset_after(Duration::from_secs(30)),
/// ];
/// assert_eq!(PolicyState::tightest(&states).map(|state| state.policy().name()), Some(user.name()));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PolicyState<'a> {
    policy: &'a Policy,
    remaining: u64,
    reset_after: Option<Duration>,
    violated: bool,
    partition_key: Option<&'a [u8]>,
}

impl<'a> PolicyState<'a> {
    /// So much of the policy's quota remains.
    pub const fn new(policy: &'a Policy, remaining: u64) -> Self {
        Self { policy, remaining, reset_after: None, violated: false, partition_key: None }
    }

    /// The time until there is *more* than what remains, not until there is all: who is refused should not be told to wait
    /// longer than it must. Left out, none is told.
    #[must_use]
    pub const fn reset_after(mut self, reset_after: Duration) -> Self {
        self.reset_after = Some(reset_after);
        self
    }

    /// This policy refused the call.
    #[must_use]
    pub const fn violated(mut self) -> Self {
        self.violated = true;
        self
    }

    /// Tells which part of the quota the caller has, in bytes that are no secret. By default nothing is told of it: a key is
    /// often an address or an account.
    #[must_use]
    pub const fn partition_key(mut self, key: &'a [u8]) -> Self {
        self.partition_key = Some(key);
        self
    }

    /// The one to tell where only one can be told: of those that refused, or of all if none did, the one of which the least
    /// remains; of equals the one that is back last; of those the first.
    pub fn tightest<'s>(states: &'s [PolicyState<'a>]) -> Option<&'s PolicyState<'a>> {
        states.iter().min_by_key(|state| state.rank())
    }

    /// The policy.
    pub const fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// How much remains.
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether it refused the call.
    pub const fn is_violated(&self) -> bool {
        self.violated
    }

    /// Less is tighter.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (!self.violated, self.remaining, Reverse(self.reset_after))
    }

    /// The seconds until there is more: rounded up, so that nobody comes too early.
    pub(super) fn reset_seconds(&self) -> Option<u64> {
        self.reset_after.map(whole_seconds)
    }

    pub(super) const fn told_key(&self) -> Option<&'a [u8]> {
        self.partition_key
    }
}

/// Rounded up, and never more than a field can say.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).min(Policy::MAX_QUOTA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &'static str) -> Policy {
        Policy::new(Name::from_static(name), 10).expect("valid")
    }

    #[test]
    fn what_no_field_can_say_is_an_error() {
        for (name, quota, field) in [("é", 1, "name"), ("a\u{7f}", 1, "name"), ("a", 1_000_000_000_000_000, "quota")] {
            let error = Policy::new(Name::from_static(name), quota).expect_err(field);
            assert_eq!(error.field(), field);
        }
        assert!(Policy::new(Name::from_static("a\"b\\c ~"), Policy::MAX_QUOTA).is_ok());
    }

    #[test]
    fn only_windows_of_whole_seconds_are_told() {
        for (window, told) in [
            (Duration::ZERO, None),
            (Duration::from_millis(999), None),
            (Duration::from_secs(1), Some(1)),
            (Duration::from_millis(1_500), None),
            (Duration::from_secs(Policy::MAX_QUOTA), Some(Policy::MAX_QUOTA)),
            (Duration::from_secs(Policy::MAX_QUOTA + 1), None),
            (Duration::MAX, None),
        ] {
            assert_eq!(policy("a").window(window).window_seconds(), told, "{window:?}");
        }
    }

    #[test]
    fn the_tightest_is_what_refused_then_the_least_then_the_latest_then_the_first() {
        let [a, b] = [policy("a"), policy("b")];
        let second = Duration::from_secs(1);
        let first = |states: [PolicyState<'_>; 2]| PolicyState::tightest(&states).map(|state| state.policy().name());
        assert_eq!(first([PolicyState::new(&a, 5), PolicyState::new(&b, 3)]), Some(b.name()));
        assert_eq!(first([PolicyState::new(&a, 5).violated(), PolicyState::new(&b, 3)]), Some(a.name()));
        assert_eq!(first([PolicyState::new(&a, 3), PolicyState::new(&b, 3)]), Some(a.name()));
        assert_eq!(first([PolicyState::new(&a, 3), PolicyState::new(&b, 3).reset_after(second)]), Some(b.name()));
        let (sooner, later) =
            (PolicyState::new(&a, 0).reset_after(second), PolicyState::new(&b, 0).reset_after(second * 2));
        assert_eq!(first([sooner, later]), Some(b.name()));
        assert!(PolicyState::tightest(&[]).is_none());
    }

    #[test]
    fn a_reset_is_rounded_up_and_can_be_said() {
        let a = policy("a");
        for (after, seconds) in [(0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(PolicyState::new(&a, 0).reset_after(Duration::from_nanos(after)).reset_seconds(), Some(seconds));
        }
        assert_eq!(PolicyState::new(&a, 0).reset_after(Duration::MAX).reset_seconds(), Some(Policy::MAX_QUOTA));
        assert_eq!(PolicyState::new(&a, 0).reset_seconds(), None);
    }
}
