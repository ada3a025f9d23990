//! A limit whose cells are leased to threads: what passes is bounded exactly, and nothing is refused that anybody still has.
#![cfg(not(seawall_loom))]

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use seawall_core::stripe::seats;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Carry, Config, Quota, RateLimiter, Scaling};
use seawall_testkit::random::Random;

/// No lease lasts longer.
const LIFE: Duration = Duration::from_millis(10);
/// The time at which a test begins: two thirds of a unit of leases are over, so that one that begins then lasts 7.7 ms.
const BEGINS: Duration = Duration::from_secs(1);
/// How many cells a thread leases beside the one that it takes.
const LEASE: u32 = 2;

fn lanes() -> u32 {
    u32::try_from(seats()).expect("a few")
}

/// Of which every lane's share is two cells in a millisecond.
fn rate() -> u32 {
    LEASE * 1_000 * lanes()
}

/// How many cells come back in so many milliseconds.
fn refilled(millis: u32) -> u32 {
    LEASE * lanes() * millis
}

fn burst() -> u32 {
    1_000 * lanes()
}

fn quota() -> Quota {
    Quota::per_second(rate()).burst(burst())
}

fn config() -> Config {
    Config::new(quota()).algorithm(Algorithm::Gcra).scaling(Scaling::Sharded)
}

fn leased(config: Config) -> (RateLimiter, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(BEGINS);
    (RateLimiter::with_clock(config, clock).expect("a valid configuration"), time)
}

/// A thread that does one thing after the other on a limiter, when it is told: it keeps its lane, and so its lease.
struct Caller {
    tell: Option<mpsc::Sender<Part>>,
    hear: mpsc::Receiver<u32>,
    thread: Option<thread::JoinHandle<()>>,
}

type Part = Box<dyn FnOnce(&RateLimiter) -> u32 + Send>;

impl Caller {
    fn of(limiter: &RateLimiter) -> Self {
        let ((tell, told), (say, hear)) = (mpsc::channel::<Part>(), mpsc::channel());
        let limiter = limiter.clone();
        let thread = thread::spawn(move || {
            for part in told {
                if say.send(part(&limiter)).is_err() {
                    return;
                }
            }
        });
        Self { tell: Some(tell), hear, thread: Some(thread) }
    }

    fn run(&self, part: impl FnOnce(&RateLimiter) -> u32 + Send + 'static) -> u32 {
        self.tell.as_ref().expect("until it is dropped").send(Box::new(part)).expect("the thread lives");
        self.hear.recv().expect("the thread answers")
    }

    /// Takes one cell, and leases more.
    fn lease(&self) {
        assert_eq!(self.run(|limiter| u32::from(limiter.check().is_ok())), 1);
    }
}

/// Its lane is free again.
impl Drop for Caller {
    fn drop(&mut self) {
        drop(self.tell.take());
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "a caller panicked");
    }
}

/// One test at a time: there are few lanes, and threads that find none share one.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one cell after the other until none is left.
fn drain(limiter: &RateLimiter) -> u32 {
    (0..=2 * burst()).take_while(|_| limiter.check().is_ok()).map(|_| 1).sum()
}

#[test]
fn nothing_is_refused_while_other_threads_have_it() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let callers: Vec<Caller> = (0..2).map(|_| Caller::of(&limiter)).collect();
    callers.iter().for_each(Caller::lease);
    assert_eq!(drain(&limiter), burst() - 2);
    assert!(callers.iter().all(|caller| caller.run(drain) == 0));
}

#[test]
fn several_cells_are_gathered_from_several_leases_and_the_limit() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let callers: Vec<Caller> = (0..2).map(|_| Caller::of(&limiter)).collect();
    callers.iter().for_each(Caller::lease);
    assert!(limiter.check_n(burst() - 1).is_err(), "one more than there is");
    assert!(limiter.check_n(burst() - 2 * LEASE - 2).is_ok(), "what was not leased");
    assert!(limiter.check_n(2 * LEASE + 1).is_err(), "one more than there is");
    assert_eq!(callers[0].run(|limiter| limiter.peek().remaining()), 2 * LEASE);
    assert!(limiter.check_n(2 * LEASE).is_ok(), "what was asked for in vain is still there");
    assert!(limiter.check().is_err());
}

#[test]
fn what_the_limit_and_all_leases_have_together_passes_in_one_call() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let callers: Vec<Caller> = (0..2).map(|_| Caller::of(&limiter)).collect();
    callers.iter().for_each(Caller::lease);
    assert_eq!(callers[0].run(|limiter| u32::from(limiter.check_n(burst() - 2).is_ok())), 1);
    assert!(callers.iter().all(|caller| caller.run(drain) == 0));
}

/// One thread that takes so many cells at a time, on a clock that stands still.
#[test]
fn calls_for_many_cells_lose_none() {
    let _alone = alone();
    for cells in (1..=4 * LEASE).chain([101, burst() / 2, burst()]) {
        let (limiter, _time) = leased(config());
        let passed = (0..=burst()).take_while(|_| limiter.check_n(cells).is_ok()).count();
        assert_eq!(u32::try_from(passed), Ok(burst() / cells), "calls for {cells} cells");
        assert_eq!(drain(&limiter), burst() % cells, "calls for {cells} cells");
    }
}

/// Calls for one cell and for several in turn, so that each finds a lease that is not enough or a new one.
#[test]
fn calls_for_one_cell_and_for_many_lose_none() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let wanted = (0..).map(|number| 1 + number * 7 % 5).scan(burst(), |left, cells| {
        *left = left.checked_sub(cells)?;
        Some(cells)
    });
    let mut passed = 0;
    for cells in wanted {
        assert!(limiter.check_n(cells).is_ok(), "{cells} after {passed}");
        passed += cells;
    }
    assert_eq!(drain(&limiter), burst() - passed);
}

/// In the worst case every thread leases, and lets its lease end: then less than a seventh of what comes back is lost.
#[test]
fn leases_that_nobody_uses_lose_less_than_a_seventh_of_what_comes_back() {
    const ROUNDS: u32 = 200;
    let _alone = alone();
    let (limiter, time) = leased(config());
    let callers: Vec<Caller> = (0..lanes() - 1).map(|_| Caller::of(&limiter)).collect();
    let mut passed = drain(&limiter);
    assert_eq!(passed, burst());
    for _ in 0..ROUNDS {
        time.advance(Duration::from_millis(8));
        for caller in &callers {
            passed += caller.run(|limiter| u32::from(limiter.check().is_ok()));
        }
        // Whatever was not leased; the leases themselves are let go.
        let unleased = limiter.peek().remaining() - LEASE * u32::try_from(callers.len()).expect("few");
        assert!(limiter.check_n(unleased).is_ok());
        passed += unleased;
    }
    let came = burst() + refilled(8 * ROUNDS);
    assert!(passed <= came, "{passed} of {came}");
    let lost = came - passed;
    assert!(lost > 0, "no lease ended unused");
    assert!(lost * 7 < refilled(8 * ROUNDS), "{lost} of {came}");
}

#[test]
fn what_remains_is_told_of_the_limit_and_not_of_the_lease() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    for taken in 1..=LEASE + 2 {
        let grant = limiter.check().expect("there is enough");
        assert_eq!(grant.remaining(), burst() - taken);
        let interval = Duration::from_secs(1) / rate();
        // What was leased is taken, as far as the limit knows.
        let owed = if taken <= LEASE + 1 { LEASE + 1 } else { 2 * (LEASE + 1) };
        assert_eq!(grant.reset_after().as_micros(), (interval * owed).as_micros());
    }
    let caller = Caller::of(&limiter);
    caller.lease();
    assert_eq!(limiter.snapshot().remaining, burst() - LEASE - 3, "all leases are counted");
    let told = |limiter: &RateLimiter| limiter.check_n(burst()).expect_err("more than there is").remaining();
    // By a thread that has a lease, and by one that has none.
    assert_eq!(told(&limiter), burst() - LEASE - 3);
    assert_eq!(Caller::of(&limiter).run(told), burst() - LEASE - 3);
    assert_eq!(limiter.take_up_to(2 * burst()).cells(), burst() - LEASE - 3);
}

#[test]
fn more_than_there_ever_is_at_once_is_never_put_together_from_leases() {
    let _alone = alone();
    let (limiter, time) = leased(config());
    limiter.check().expect("the first");
    time.advance(Duration::from_millis(2));
    // All has come back, and two cells are leased beside it.
    assert_eq!(limiter.snapshot().remaining, burst());
    assert!(limiter.check_n(burst() + 1).expect_err("more than there ever is").is_never());
    assert!(limiter.check_n(burst()).is_ok());
}

#[test]
fn nobody_passes_before_a_turn_that_was_promised() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let callers: Vec<Caller> = (0..2).map(|_| Caller::of(&limiter)).collect();
    callers.iter().for_each(Caller::lease);
    assert!(limiter.check_n(burst() - 2 * LEASE - 2).is_ok(), "what was not leased");
    // The leases are not enough for it, and would be for a smaller call.
    let turn = limiter.reserve(2 * LEASE + 1, Duration::from_secs(1)).expect("in turn");
    assert!(turn.act_at() > seawall_core::time::Timestamp::ZERO + BEGINS);
    assert!(limiter.check().is_err());
    assert!(callers.iter().all(|caller| caller.run(drain) == 0));
    turn.keep();
}

#[test]
fn a_turn_that_would_take_too_long_ends_no_lease() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let caller = Caller::of(&limiter);
    caller.lease();
    assert!(limiter.check_n(burst() - LEASE - 1).is_ok(), "what was not leased");
    assert!(limiter.reserve(LEASE + 1, Duration::from_nanos(1)).is_err());
    assert_eq!(drain(&limiter), LEASE);
}

#[test]
fn what_is_put_into_a_later_lease_ends_no_later_than_before() {
    let _alone = alone();
    let after = |millis: u32| {
        let (limiter, time) = leased(config());
        limiter.check().expect("the first, and a lease");
        let caller = Caller::of(&limiter);
        assert_eq!(caller.run(|limiter| u32::from(limiter.check_n(burst() - 1 - LEASE).is_ok())), 1, "what was left");
        time.advance(Duration::from_millis(4));
        let grant = limiter.check_n(LEASE + 1).expect("the rest of the lease, and one more with another lease");
        limiter.refund(grant);
        time.advance(Duration::from_millis(millis.into()));
        drain(&limiter)
    };
    assert_eq!(after(3), refilled(4 + 3) + LEASE);
    assert_eq!(after(4), refilled(4 + 4) - 1 - LEASE, "all of it ends with the first lease");
}

#[test]
fn what_another_thread_gives_back_comes_into_its_own_lease() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let caller = Caller::of(&limiter);
    let grant = limiter.check().expect("the first");
    let (give, given) = mpsc::channel();
    give.send(grant).expect("it is received");
    assert!(limiter.check_n(burst() - 1).is_ok(), "all of it");
    caller.run(move |limiter| {
        limiter.refund(given.recv().expect("it was sent"));
        0
    });
    assert_eq!(limiter.snapshot().remaining, 1);
    assert_eq!(caller.run(drain), 1);
}

#[test]
fn what_is_left_of_a_lease_ends_with_it() {
    let _alone = alone();
    let after = |millis: u32| {
        let (limiter, time) = leased(config());
        let caller = Caller::of(&limiter);
        caller.lease();
        assert!(limiter.check_n(burst() - 1 - LEASE).is_ok(), "what was not leased");
        time.advance(Duration::from_millis(millis.into()));
        drain(&limiter)
    };
    assert_eq!(after(0), LEASE);
    assert_eq!(after(7), refilled(7) + LEASE);
    assert_eq!(after(8), refilled(8), "eight milliseconds later it has ended");
    assert_eq!(after(10), refilled(10));
}

#[test]
fn leases_end_with_a_reset() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let caller = Caller::of(&limiter);
    caller.lease();
    limiter.reset();
    assert_eq!(drain(&limiter), burst());
    assert_eq!(caller.run(drain), 0);
}

#[test]
fn leases_end_when_the_quota_is_replaced() {
    let _alone = alone();
    for (carry, owed) in [(Carry::AsIs, 1 + LEASE), (Carry::Reset, 0)] {
        let (limiter, _time) = leased(config());
        let caller = Caller::of(&limiter);
        caller.lease();
        limiter.reconfigure(config().carry(carry)).expect("a valid configuration");
        assert_eq!(drain(&limiter), burst() - owed, "{carry:?}");
        assert_eq!(caller.run(drain), 0);
    }
}

#[test]
fn leases_end_when_the_clock_has_stepped_back() {
    let _alone = alone();
    for (algorithm, quota) in [(Algorithm::Gcra, quota()), (Algorithm::sliding_window(), Quota::per_second(rate()))] {
        let (config, most) = (config().with_quota(quota).algorithm(algorithm), quota.burst_size());
        let (limiter, time) = leased(config);
        let step = Duration::from_secs(2);
        time.advance(step);
        let caller = Caller::of(&limiter);
        caller.run(move |limiter| {
            // All of it goes into the lease.
            limiter.refund(limiter.check_n(most / 2).expect("half of it"));
            0
        });
        time.step_back(step);
        let _ = limiter.check_n(most);
        time.advance(step);
        let again = (0..=2 * most).take_while(|_| limiter.check().is_ok()).count();
        assert_eq!(u32::try_from(again), Ok(most), "the same moment has come again");
    }
}

#[test]
fn a_refund_comes_back_into_the_lease_while_it_lasts() {
    let _alone = alone();
    let after = |millis: u32| {
        let (limiter, time) = leased(config());
        let caller = Caller::of(&limiter);
        caller.lease();
        let (held, holds) = mpsc::channel();
        // The second cell is of the lease.
        assert_eq!(caller.run(move |limiter| u32::from(held.send(limiter.check().expect("leased")).is_ok())), 1);
        assert!(limiter.check_n(burst() - 1 - LEASE).is_ok(), "what was not leased");
        assert!(limiter.check_n(LEASE - 1).is_ok(), "what was left of the lease");
        assert!(limiter.check().is_err());
        time.advance(Duration::from_millis(millis.into()));
        let grant = holds.recv().expect("it was sent");
        caller.run(move |limiter| {
            limiter.refund(grant);
            0
        });
        drain(&limiter)
    };
    assert_eq!(after(0), 1);
    assert_eq!(after(7), refilled(7) + 1);
    assert_eq!(after(8), refilled(8), "the lease has ended");
}

#[test]
fn a_refund_does_not_come_into_a_later_lease() {
    let _alone = alone();
    let (limiter, time) = leased(config());
    let caller = Caller::of(&limiter);
    caller.lease();
    let (held, holds) = mpsc::channel();
    assert_eq!(caller.run(move |limiter| u32::from(held.send(limiter.check().expect("leased")).is_ok())), 1);
    // Everything has come back, and one more cell is taken.
    time.advance(LIFE);
    caller.lease();
    let grant = holds.recv().expect("it was sent");
    caller.run(move |limiter| {
        limiter.refund(grant);
        0
    });
    assert_eq!(drain(&limiter), burst() - 1);
}

#[test]
fn a_refund_after_a_reset_is_not_taken() {
    let _alone = alone();
    let (limiter, _time) = leased(config());
    let caller = Caller::of(&limiter);
    caller.lease();
    let (held, holds) = mpsc::channel();
    assert_eq!(caller.run(move |limiter| u32::from(held.send(limiter.check().expect("leased")).is_ok())), 1);
    limiter.reset();
    // A new lease of the same end.
    caller.lease();
    let grant = holds.recv().expect("it was sent");
    caller.run(move |limiter| {
        limiter.refund(grant);
        0
    });
    assert_eq!(drain(&limiter), burst() - 1);
}

/// In any span `W` at most `B + rate * (W + LIFE)` cells pass that are kept: what was kept fits a bucket that is larger by what
/// comes back in a lease's life.
#[test]
fn what_threads_keep_is_bounded_in_every_span() {
    const EACH: usize = 20_000;
    let _alone = alone();
    for seed in 0..4 {
        let (limiter, time) = leased(config());
        let (time, threads) = (Mutex::new(time), seats() + 2);
        let mut kept: Vec<(u64, u32)> = thread::scope(|scope| {
            let callers: Vec<_> = (0..threads)
                .map(|number| {
                    let (limiter, time) = (&limiter, &time);
                    let mut random = Random::new(seed * 100 + number as u64);
                    scope.spawn(move || {
                        let mut kept = Vec::new();
                        for _ in 0..EACH {
                            let cells = if random.below(8) == 0 { 1 + random.below(40) } else { 1 };
                            let granted = limiter.check_n(u32::try_from(cells).expect("small"));
                            match (granted, random.below(10)) {
                                (Ok(grant), 0) => limiter.refund(grant),
                                (Ok(grant), _) => kept.push((grant.act_at().as_nanos(), grant.cells())),
                                (Err(_), _) => {
                                    // One at a time: of two, the later one might set back what the other has set.
                                    let time = time.lock().unwrap_or_else(PoisonError::into_inner);
                                    time.advance(Duration::from_micros(random.below(300) as u64));
                                }
                            }
                        }
                        kept
                    })
                })
                .collect();
            callers.into_iter().flat_map(|caller| caller.join().expect("no thread panics")).collect()
        });
        kept.sort_unstable();
        // In parts of a nanosecond in which an interval is whole.
        let (parts, interval) = (u128::from(rate()), 1_000_000_000);
        let room = u128::from(burst()) * interval + LIFE.as_nanos() * parts;
        let mut full_at = 0;
        for &(at, cells) in &kept {
            let now = u128::from(at) * parts;
            full_at = now.max(full_at) + u128::from(cells) * interval;
            assert!(full_at - now <= room, "seed {seed}: more than the limit at {at} ns");
        }
        let passed: u64 = kept.iter().map(|(_, cells)| u64::from(*cells)).sum();
        assert!(passed > u64::from(burst()), "the limit was never reached");
    }
}
