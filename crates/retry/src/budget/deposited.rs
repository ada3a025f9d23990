use seawall_core::stripe::{Padded, Striped};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::Timestamp;

use super::lane::{Lane, sum};
use super::settings::Rates;
use super::window::Window;

/// A [`Window`] that many threads deposit in.
///
/// A call is counted in its thread's lane. The lanes' sum is given to the bucket that was newest, before time passes: so a call is
/// in the bucket of the time that it read, or, if the bucket ended before the call was counted, in one that had begun by then.
pub(super) struct Deposited {
    fresh: Padded<Fresh>,
    locked: Mutex<Locked>,
}

/// Between these two times a call need only be counted.
struct Fresh {
    from: AtomicU64,
    until: AtomicU64,
}

struct Locked {
    window: Window,
    /// How many of the lanes' calls the window knows.
    absorbed: u64,
}

impl Deposited {
    pub(super) fn new(rates: &Rates, now: Timestamp) -> Self {
        let window = Window::new(rates, now);
        let (from, until) = window.fresh();
        Self {
            fresh: Padded(Fresh { from: AtomicU64::new(from.as_nanos()), until: AtomicU64::new(until.as_nanos()) }),
            locked: Mutex::new(Locked { window, absorbed: 0 }),
        }
    }

    /// A call is about to be counted in a lane: lets time pass before, if a bucket has ended.
    #[inline]
    pub(super) fn before_call(&self, lanes: &Striped<Lane>, now: Timestamp) {
        let (at, fresh) = (now.as_nanos(), &self.fresh.0);
        if at >= fresh.until.load(Ordering::Relaxed) || at < fresh.from.load(Ordering::Relaxed) {
            self.advance(lanes, now);
        }
    }

    /// Apart, so that the path of most calls is small enough to be inlined.
    #[cold]
    #[inline(never)]
    fn advance(&self, lanes: &Striped<Lane>, now: Timestamp) {
        self.at(lanes, now, |_| ());
    }

    pub(super) fn spend(&self, lanes: &Striped<Lane>, now: Timestamp) -> bool {
        self.at(lanes, now, |window| window.spend(now))
    }

    pub(super) fn balance(&self, lanes: &Striped<Lane>, now: Timestamp) -> i128 {
        self.locked(lanes, |window| window.balance(now))
    }

    /// An extra attempt has ended, or was never begun.
    pub(super) fn settle(&self, started: bool) {
        let window = &mut self.locked.lock().window;
        if started { window.end() } else { window.give_back() }
    }

    pub(super) fn reconfigure(&self, lanes: &Striped<Lane>, rates: &Rates, now: Timestamp) {
        self.at(lanes, now, |window| window.reconfigure(rates, now));
    }

    /// Works on the window as it is at this time.
    fn at<R>(&self, lanes: &Striped<Lane>, now: Timestamp, work: impl FnOnce(&mut Window) -> R) -> R {
        self.locked(lanes, |window| {
            window.advance(now);
            let result = work(window);
            let (from, until) = window.fresh();
            self.fresh.0.from.store(from.as_nanos(), Ordering::Relaxed);
            self.fresh.0.until.store(until.as_nanos(), Ordering::Relaxed);
            result
        })
    }

    /// Works on the window once it knows what the lanes have counted.
    fn locked<R>(&self, lanes: &Striped<Lane>, work: impl FnOnce(&mut Window) -> R) -> R {
        let mut locked = self.locked.lock();
        let counted = sum(lanes, |lane| &lane.calls);
        // Under the lock, and lanes only grow: never less than before.
        let news = counted.saturating_sub(locked.absorbed);
        locked.absorbed = counted;
        locked.window.deposit(news);
        work(&mut locked.window)
    }
}
