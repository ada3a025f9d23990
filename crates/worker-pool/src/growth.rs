use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use seawall_core::ConfigError;

/// When a pool takes one worker more.
///
/// Every `Fn(&Load) -> bool` is one. It is asked under the pool's lock: it must be quick, decide by the load alone, and not call
/// the pool. A rule that panics wants no worker.
pub trait Growth: Send + Sync + 'static {
    /// Whether there should be one worker more. Asked at every submission that queued a job, when a worker takes a job or finds
    /// none, and when the pool looks at a queue that [stands](Self::look_again_after); never when there are as many workers as there may be.
    fn grows(&self, load: &Load) -> bool;

    /// How soon a queue that stands should be looked at again although nothing is submitted. Default: not at all, for rules whose
    /// answer only a submission changes.
    fn look_again_after(&self) -> Option<Duration> {
        None
    }
}

impl<F> Growth for F
where
    F: Fn(&Load) -> bool + Send + Sync + 'static,
{
    fn grows(&self, load: &Load) -> bool {
        self(load)
    }
}

/// What a pool has to do, and with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// How many jobs wait.
    pub queued: usize,
    /// How many workers wait for work, those just woken or started included.
    pub idle: usize,
    /// How many workers there are.
    pub workers: usize,
    /// How long the job has waited that has waited longest; zero if none waits.
    pub oldest_age: Duration,
}

impl Load {
    pub(crate) const fn new(queued: usize, idle: usize, workers: usize, oldest_age: Duration) -> Self {
        Self { queued, idle, workers, oldest_age }
    }
}

/// Which rule of [`Growth`] a pool follows, between its fewest and its most workers.
///
/// In a configuration file a policy is its name, or a table of the name with its parameter: `growth = "queue_depth"`,
/// `growth = { age = { target_latency = "100ms" } }`. A custom one is not written.
///
/// ```
/// use seawall_worker_pool::{Config, GrowthPolicy, Load};
/// use std::time::Duration;
///
/// let by_age = Config::new(3..=20).growth(GrowthPolicy::Age { target_latency: Duration::from_millis(50) });
/// let by_own_rule = Config::new(3..=20).growth(|load: &Load| load.queued > 2 * load.workers);
/// # let _ = (by_age, by_own_rule);
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum GrowthPolicy {
    /// When more jobs wait than workers are idle: no job waits while there could be a worker for it.
    QueueDepth,
    /// When a job has waited so long: short queues are left to the workers there are.
    Age {
        /// The longest a job should wait. Default 100 ms.
        #[cfg_attr(feature = "serde", serde(default = "target_latency", with = "humantime_serde"))]
        target_latency: Duration,
    },
    /// When either is so: the default. As `QueueDepth` while jobs are submitted; a queue that stands is looked at after the
    /// latency.
    DepthOrAge {
        /// The longest a job should wait. Default 100 ms.
        #[cfg_attr(feature = "serde", serde(default = "target_latency", with = "humantime_serde"))]
        target_latency: Duration,
    },
    /// Only when the queue is full, as `java.util.concurrent.ThreadPoolExecutor` does: jobs wait before workers are added.
    WhenFull,
    /// Never, even when the queue is full: only by hand, with `scale_to`.
    ByHand,
    /// A rule of one's own. It grows when the queue is full, too.
    #[cfg_attr(feature = "serde", serde(skip))]
    Custom(Arc<dyn Growth>),
}

#[cfg(feature = "serde")]
const fn target_latency() -> Duration {
    GrowthPolicy::TARGET_LATENCY
}

impl GrowthPolicy {
    const TARGET_LATENCY: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// Whether there should be one worker more.
    pub(crate) fn grows(&self, load: &Load) -> bool {
        match self {
            Self::QueueDepth => load.queued > load.idle,
            Self::Age { target_latency } => is_late(load, *target_latency),
            Self::DepthOrAge { target_latency } => load.queued > load.idle || is_late(load, *target_latency),
            Self::WhenFull | Self::ByHand => false,
            // Its panic is under the pool's lock, in somebody else's call: it does not want one.
            Self::Custom(growth) => catch_unwind(AssertUnwindSafe(|| growth.grows(load))).unwrap_or(false),
        }
    }

    /// Whether a job that finds the queue full gets a worker if there may be one more.
    pub(crate) const fn when_full(&self) -> bool {
        !matches!(self, Self::ByHand)
    }

    /// How soon a queue that stands should be looked at again.
    pub(crate) fn look_again_after(&self) -> Option<Duration> {
        match self {
            Self::Age { target_latency } | Self::DepthOrAge { target_latency } => Some(*target_latency),
            Self::QueueDepth | Self::WhenFull | Self::ByHand => None,
            Self::Custom(growth) => catch_unwind(AssertUnwindSafe(|| growth.look_again_after())).unwrap_or(None),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (field, latency) = match self {
            Self::Age { target_latency } => ("growth.age.target_latency", *target_latency),
            Self::DepthOrAge { target_latency } => ("growth.depth_or_age.target_latency", *target_latency),
            Self::QueueDepth | Self::WhenFull | Self::ByHand | Self::Custom(_) => return Ok(()),
        };
        if latency.is_zero() || latency > Self::LONGEST {
            return Err(ConfigError::new(field, format!("{latency:?}"), "above zero and at most 366 days"));
        }
        Ok(())
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }
}

fn is_late(load: &Load, target_latency: Duration) -> bool {
    load.queued > 0 && load.oldest_age >= target_latency
}

impl Default for GrowthPolicy {
    fn default() -> Self {
        Self::DepthOrAge { target_latency: Self::TARGET_LATENCY }
    }
}

impl<G: Growth> From<G> for GrowthPolicy {
    fn from(growth: G) -> Self {
        Self::Custom(Arc::new(growth))
    }
}

impl fmt::Debug for GrowthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, latency) = match self {
            Self::QueueDepth => ("QueueDepth", None),
            Self::Age { target_latency } => ("Age", Some(target_latency)),
            Self::DepthOrAge { target_latency } => ("DepthOrAge", Some(target_latency)),
            Self::WhenFull => ("WhenFull", None),
            Self::ByHand => ("ByHand", None),
            Self::Custom(_) => ("Custom", None),
        };
        match latency {
            Some(latency) => f.debug_struct(name).field("target_latency", latency).finish(),
            None => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(100);

    fn load(queued: usize, idle: usize, oldest_millis: u64) -> Load {
        Load::new(queued, idle, 3, Duration::from_millis(oldest_millis))
    }

    #[test]
    fn each_rule_grows_by_what_it_looks_at() {
        let rules = [
            GrowthPolicy::QueueDepth,
            GrowthPolicy::Age { target_latency: LATENCY },
            GrowthPolicy::DepthOrAge { target_latency: LATENCY },
            GrowthPolicy::WhenFull,
            GrowthPolicy::ByHand,
            GrowthPolicy::from(|load: &Load| load.workers < 4),
        ];
        let cases = [
            (load(2, 2, 0), [false, false, false, false, false, true]),
            (load(3, 2, 0), [true, false, true, false, false, true]),
            (load(1, 2, 99), [false, false, false, false, false, true]),
            (load(1, 2, 100), [false, true, true, false, false, true]),
            (load(0, 0, 100), [false, false, false, false, false, true]),
        ];
        for (load, expected) in cases {
            assert_eq!(rules.each_ref().map(|rule| rule.grows(&load)), expected, "{load:?}");
        }
        assert_eq!(rules.each_ref().map(GrowthPolicy::when_full), [true, true, true, true, false, true]);
        let again = rules.each_ref().map(GrowthPolicy::look_again_after);
        assert_eq!(again, [None, Some(LATENCY), Some(LATENCY), None, None, None]);
    }

    #[test]
    fn a_rule_of_ones_own_says_when_to_look_again() {
        struct Patient;
        impl Growth for Patient {
            fn grows(&self, load: &Load) -> bool {
                load.oldest_age > LATENCY
            }
            fn look_again_after(&self) -> Option<Duration> {
                Some(2 * LATENCY)
            }
        }
        let policy = GrowthPolicy::from(Patient);
        assert_eq!(policy.look_again_after(), Some(2 * LATENCY));
        assert!(policy.grows(&load(1, 0, 101)) && !policy.grows(&load(1, 0, 100)));
        assert_eq!(format!("{policy:?} {:?}", GrowthPolicy::default()), "Custom DepthOrAge { target_latency: 100ms }");
    }

    #[test]
    fn no_latency_is_no_target() {
        let error = GrowthPolicy::Age { target_latency: Duration::ZERO }.check().expect_err("zero");
        let said = "`growth.age.target_latency` is 0ns, must be above zero and at most 366 days";
        assert_eq!(error.to_string(), said);
        assert_eq!(GrowthPolicy::default().check(), Ok(()));
    }
}
