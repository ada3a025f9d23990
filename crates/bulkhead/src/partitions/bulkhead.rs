use std::fmt;
use std::sync::Arc;

use seawall_core::observe::Observer;
use seawall_core::sync::Mutex;
use seawall_core::time::{Clock, Timestamp};
use seawall_core::wait::Wakers;
use seawall_core::{ConfigError, Configure, Name, Shared};

use super::asks::Partition;
use super::config::{Checked, Config, check_limit};
use super::event::Event;
use super::state::State;

/// At most so many calls at once, shared out among named partitions: cheap to clone, shared by all its clones.
///
/// Its own methods are those of [`Partitions`]; the front doors are those of [`Shared::with`], for whatever
/// [says](super::Asks) of which partition a call is, and of [`Shared::by`], for calls that know it.
///
/// ```
/// use seawall_bulkhead::PartitionedBulkhead;
/// use seawall_bulkhead::partitions::Config;
///
/// struct Request { tenant: String }
///
/// let api = PartitionedBulkhead::new(Config::new(20).partition("acme", 0.75).partition("others", 0.25).default_partition("others"))?;
/// let acme = api.partition("acme").expect("configured");
/// let by_tenant = api.by(|request: &Request| Some(request.tenant.as_str()));
///
/// let known = api.with(&acme).try_admit().expect("idle");
/// let other = by_tenant.with(&Request { tenant: "zeta".into() }).try_admit().expect("idle");
/// let figures = api.snapshot();
/// assert_eq!((figures.partitions[0].in_flight, figures.partitions[1].in_flight), (1, 1));
/// # drop((known, other));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type PartitionedBulkhead = Shared<Partitions>;

/// What a [`PartitionedBulkhead`] is a handle of.
///
/// # Fairness
/// Each partition has a share of the limit, and may borrow what others leave idle. Who is served next is whoever holds the
/// least of its share, and of equals whoever came first; so a permit that was borrowed goes, when it comes back, to the
/// partition that it was borrowed from. Within a partition a higher priority goes first, then who came first, unless the
/// [configuration](Config) says otherwise. While anybody waits, nobody passes by who would not be served before.
///
/// A call for many permits at whose turn too few are free is waited for: nobody takes them meanwhile.
///
/// # Cancel safety
/// Whoever stops waiting leaves the queue, and a turn that had come goes to the next. A permit comes back when it is dropped,
/// however its call ends: an error, a panic, a future that is dropped.
///
/// # Complexity
/// Each decision and each end takes one lock, for a search among the partitions' names (none for a [`Partition`]) and, while
/// somebody waits, one look at each partition for every turn that is given. Nothing is allocated for a call but its place in the
/// queue, which is used again.
pub struct Partitions {
    pub(super) name: Name,
    pub(super) clock: Clock,
    pub(super) locked: Mutex<Locked>,
}

pub(super) struct Locked {
    pub(super) state: State,
    pub(super) config: Config,
    /// Calls whose partition is unknown.
    pub(super) unknown: u64,
}

impl Partitions {
    /// Its name.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// How many permits there are.
    pub fn limit(&self) -> u32 {
        self.locked.lock().state.limit
    }

    /// How many permits are in use, but for those of names that pass by the limit: more than the limit after it was lowered,
    /// and where an [overrun](super::Overrun) is allowed.
    pub fn in_flight(&self) -> u32 {
        figure(self.locked.lock().state.in_flight())
    }

    /// How many calls wait.
    pub fn queued(&self) -> usize {
        self.locked.lock().state.waiting()
    }

    /// The partition of this name, so that its calls need not look it up. `None` if there is none.
    pub fn partition(&self, name: &str) -> Option<Partition> {
        let locked = self.locked.lock();
        let at = locked.state.named(name)?;
        Some(Partition { at, tenancy: locked.state.room(at).tenancy })
    }

    /// Changes the limit, and so the shares. More permits wake those who wait; fewer are withdrawn as calls end, before
    /// anything is admitted again, and calls that wait for more than the new limit are refused.
    ///
    /// # Errors
    /// If the limit is below the number of partitions; nothing changes then.
    pub fn resize(&self, limit: u32) -> Result<(), ConfigError> {
        let now = self.clock.now();
        let (from, observer) = {
            let mut locked = self.locked.lock();
            check_limit(limit, locked.config.partitions.len())?;
            let from = locked.state.limit;
            locked.config.limit = limit;
            locked.state.resize(limit);
            (from, locked.config.observer.clone())
        };
        self.serve(now);
        if from != limit {
            Event::LimitChanged { name: self.name, from, to: limit }.tell(observer.as_deref());
        }
        Ok(())
    }

    /// Serves those whose turn it is, a few at a time, and wakes them outside of the lock.
    pub(super) fn serve(&self, now: Timestamp) {
        loop {
            let mut woken = Wakers::default();
            self.locked.lock().state.serve(now, &mut woken);
            let again = woken.is_full();
            woken.wake();
            if !again {
                return;
            }
        }
    }

    /// Until when a call without a deadline waits that enters now.
    pub(super) fn deadline(locked: &Locked, now: Timestamp) -> Timestamp {
        now + locked.config.max_wait
    }
}

impl Configure for Partitions {
    type Config = Config;

    fn build(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        let Checked { name, parts, fallback } = config.check()?;
        let mut state = State::new(config.limit, config.overrun, config.queue, config.discipline());
        state.divide(&parts, fallback);
        Ok(Self { name, clock, locked: Mutex::new(Locked { state, config, unknown: 0 }) })
    }

    /// The name stays. Partitions that are still there keep their calls, their waiters and their counts. Those that are gone
    /// are unknown to further calls; what they have in flight counts against the limit to its end, and those who wait in them
    /// are served after all others, for as long as they were told they might wait.
    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let Checked { name, parts, fallback } = config.check()?;
        if name != self.name {
            let valid = format!("{:?}: a bulkhead keeps its name", self.name);
            return Err(ConfigError::new("name", format!("{:?}", config.name), valid));
        }
        let now = self.clock.now();
        let to = config.limit;
        let observer: Option<Arc<dyn Observer<Event>>> = config.observer.clone();
        let (changes, from, _old) = {
            let mut locked = self.locked.lock();
            let from = locked.state.limit;
            locked.state.overrun = config.overrun;
            locked.state.bound = config.queue;
            locked.state.discipline = config.discipline();
            locked.state.resize(to);
            let changes = locked.state.divide(&parts, fallback);
            // What was configured before is dropped after the lock is released: an observer may be anything.
            (changes, from, std::mem::replace(&mut locked.config, config))
        };
        self.serve(now);
        for partition in changes.added {
            Event::PartitionAdded { name: self.name, partition }.tell(observer.as_deref());
        }
        for partition in changes.removed {
            Event::PartitionRemoved { name: self.name, partition }.tell(observer.as_deref());
        }
        Event::Reconfigured { name: self.name, from, to }.tell(observer.as_deref());
        Ok(())
    }
}

/// As a figure of a refusal or a snapshot.
pub(super) fn figure(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionedBulkhead")
            .field("name", &self.name)
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}
