use std::sync::Arc;
use std::time::Duration;

use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::time::Timestamp;
use seawall_core::{ConfigError, Name};

use super::level::Level;

/// One feature of a gauge: what its switches look at.
pub(crate) struct Flag {
    pub(crate) name: Name,
    /// It is on below this level.
    pub(crate) until: Level,
    on: AtomicBool,
    pub(crate) counts: Striped<Counts>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) admitted: Tally,
    pub(crate) refused: Tally,
}

impl Flag {
    pub(crate) fn new(name: Name, until: Level) -> Self {
        Self { name, until, on: AtomicBool::new(false), counts: Striped::new(stripe::seats()) }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// All features of a gauge, in the order in which they are switched on: first those that stay on the longest, of these the
/// first that was registered. They are switched off the other way round.
#[derive(Default)]
pub(crate) struct Switches {
    flags: Vec<Arc<Flag>>,
    /// When the last one was switched on again.
    switched_on: Option<Timestamp>,
}

impl Switches {
    /// Takes a feature in. It begins as the level has it.
    pub(crate) fn add(&mut self, flag: Flag, level: Level) -> Result<Arc<Flag>, ConfigError> {
        if self.find(flag.name.as_str()).is_some() {
            let valid = "a name that no other feature of the gauge has";
            return Err(ConfigError::new("feature.name", format!("{:?}", flag.name), valid));
        }
        flag.on.store(level < flag.until, Ordering::Relaxed);
        let flag = Arc::new(flag);
        let place = self.flags.partition_point(|other| other.until >= flag.until);
        self.flags.insert(place, flag.clone());
        Ok(flag)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Flag>> {
        self.flags.iter().find(|flag| flag.name.as_str() == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Flag>> {
        self.flags.iter()
    }

    /// Switches what `level` wants: off at once, on one at a time if there is a `stagger`. Tells each change.
    pub(crate) fn follow(
        &mut self,
        level: Level,
        stagger: Duration,
        now: Timestamp,
        mut tell: impl FnMut(&Flag, bool),
    ) {
        for flag in self.flags.iter().rev().filter(|flag| level >= flag.until && flag.is_on()) {
            flag.on.store(false, Ordering::Relaxed);
            tell(flag, false);
        }
        let one_by_one = !stagger.is_zero();
        // After a step back of the clock the last one was switched on now.
        self.switched_on = self.switched_on.map(|at| at.min(now));
        if one_by_one && self.switched_on.is_some_and(|at| now < at + stagger) {
            return;
        }
        let most = if one_by_one { 1 } else { usize::MAX };
        for flag in self.flags.iter().filter(|flag| level < flag.until && !flag.is_on()).take(most) {
            flag.on.store(true, Ordering::Relaxed);
            self.switched_on = Some(now);
            tell(flag, true);
        }
    }
}
